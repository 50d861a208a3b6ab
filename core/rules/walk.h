/* What the files of the engine share: one walk under way. */
#ifndef LM_RULES_WALK_H
#define LM_RULES_WALK_H

#include "core/rules/path.h"
#include "core/rules/rule.h"

/* One consumer's contribution to a value's signal. The newest comes first in a list, and the walk visits the last
 * consumer first, so lists are in the order of consumers. */
typedef struct lm_contribution {
    lm_val s;
    struct lm_contribution *next;
} lm_contribution;

enum { LM_SIGNALS = 2 }; /* the most per value */

typedef struct lm_walk_state {
    lm_emit *e;
    const lm_backward *b;
    const lm_rule_options *options;
    lm_path path;
    int nsig;
    int64_t wide;
    lm_contribution **parts[LM_SIGNALS]; /* by value */
    lm_val *twin;     /* by value: itself in the reference run; NULL for sets without one */
    lm_parts *change; /* by value: what lies between both runs; NULL for sets with one signal */
    const lm_val *seed2; /* inside composites: the second signal's part of b->seed and b->signal */
    lm_val *signal2;
    lm_arena arena;
} lm_walk_state;

/* engine.c: a walk that is part of `outer` (may be NULL), inside a composite. */
lm_status lm_walk_run(lm_walk_state *w, const lm_walk_state *outer);

/* node.c: one node's rule. s[k], out[k]: signal number k of its results, answers for its operands. */
void lm_walk_node(lm_walk_state *w, const lm_node *n, lm_val s[LM_SIGNALS][LM_OUT_MAX], const bool *want,
                  lm_val *out[LM_SIGNALS]);

/* recurrent.c: the same for recurrent ops without going inside; false, and nothing done, where that has to be. */
bool lm_walk_recurrent(lm_walk_state *w, const lm_node *n, lm_val s[LM_SIGNALS][LM_OUT_MAX], const bool *want,
                       lm_val *out[LM_SIGNALS]);

/* join.c: the sum of contributions that are pieces of one whole, which do not overlap; LM_NOVAL: they are not. */
lm_val lm_join_pieces(lm_walk_state *w, const lm_contribution *first);

/* change.c: fill in w->change, forwards; look at it, off the path with nothing to see; and one signal in place of two:
 * what both do to the change of `v`. */
lm_status lm_change_emit(lm_walk_state *w, const lm_walk_state *outer);
lm_parts lm_change_of(lm_walk_state *w, lm_val v);
lm_val lm_change_joined(lm_walk_state *w, lm_val v, lm_val pos, lm_val neg);

#endif
