/* Passes: a graph is never changed, it is copied node by node into a fresh one, and a rule may emit something else for
 * a node. The emitter folds constants and shares equal nodes, so every pass does; what nothing leads to an output any
 * more is left behind. */
#ifndef LM_GRAPH_REWRITE_H
#define LM_GRAPH_REWRITE_H

#include "core/graph/emit.h"

typedef struct lm_rewrite {
    const lm_graph *from;
    lm_emit e;    /* appends to the new graph; scope and name are those of the node being looked at */
    lm_val *map;  /* value of `from` to value of the new graph; LM_NOVAL: not copied (yet), see lm_rewrite_in */
    bool *live;   /* by value of `from`: it reaches an output */
    void *own;    /* the pass's own state */
} lm_rewrite;

/* Look at one live node of `from`, whose operands are mapped. Either emit a replacement, set r->map for all its live
 * results and answer true, or answer false: the next rule is asked, and in the end the node is copied. Failures go to
 * r->e.
 *
 * A pattern is found at its last node, from which it reaches back through producers in `from`: its inner nodes have
 * been copied by then and vanish unless somebody else uses them. */
typedef bool (*lm_rewrite_rule)(lm_rewrite *r, const lm_node *n);

/* The new graph's counterpart of a constant, or of any value that stands before the node being looked at. */
lm_val lm_rewrite_in(lm_rewrite *r, lm_val v);

/* The one live consumer of a value, or NULL when there are several or it is an output. */
const lm_node *lm_rewrite_consumer(const lm_rewrite *r, lm_val v);

/* Copy what reaches the outputs of `from` through `rules` (NULL-terminated, may be empty). `fold`: the chain that
 * computes constants, NULL: nothing is folded or shared. Names, scopes, inputs (used or not) and outputs keep their
 * order; results at the end of a node that nobody uses are not asked for any more. `map` (may be NULL) gets one entry
 * per value of `from`, from lm_malloc: its counterpart, or LM_NOVAL when it is gone. */
lm_status lm_rewrite_graph(const lm_graph *from, const lm_chain *fold, const lm_rewrite_rule *rules, void *own,
                           lm_graph **out, lm_val **map);

/* prune.c: drop nodes and constants that no output needs, in place, for graphs that nobody else looks at yet. Inputs
 * stay. `number` (may be NULL) has room for every value and gets the new number of each, LM_NOVAL for those gone. */
lm_status lm_graph_prune(lm_graph *g, lm_val *number);

/* By value: does it reach an output of g? lm_free it. */
lm_status lm_graph_live(const lm_graph *g, bool **out);

#endif
