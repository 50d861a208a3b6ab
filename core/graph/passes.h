/* The passes, each from one graph to another (rewrite.h). `map`, where not NULL, receives the counterpart of every old
 * value, or LM_NOVAL (lm_free it).
 *
 * canon: what a network means. Decomposed LayerNorm, RMSNorm, GELU, SiLU and attention become one node each; a constant
 * Add behind a product becomes its bias; what changes nothing goes. Runs before rules extend the graph; the nodes found
 * carry the name and scope of the last node of their pattern. Results may differ in their last bits.
 *
 * lower: how it runs fast. Batch norm folded into the product before it, pads into windows, bias, residual and
 * activation into epilogues, where the inner value has one consumer. Runs after rules. LIMN_PLAN=plain leaves it out. */
#ifndef LM_GRAPH_PASSES_H
#define LM_GRAPH_PASSES_H

#include "core/graph/rewrite.h"

lm_status lm_canon(const lm_graph *from, const lm_chain *fold, lm_graph **out, lm_val **map);
lm_status lm_lower(const lm_graph *from, const lm_chain *fold, lm_graph **out, lm_val **map);

/* What a rule set wants to see (lm_ruleset.canon). Whatever it is, constants behind products become their biases, and a
 * Gemm one product, which relevance takes for what it is. */
enum {
    LM_CANON_RAISE = 1, /* the rest of canon */
    LM_CANON_MERGE = 2, /* a batch norm is part of the product before it, or of the one behind it where that reads no
                         * padding; within 1e-5 of the results' largest magnitude */
    LM_CANON_UNIT = 4   /* with MERGE: norms behind products only, and each leaves one of unit parameters in its place,
                         * whose epsilon shrinks what passes: a convention that others have */
};
lm_status lm_canon_for(const lm_graph *from, const lm_chain *fold, uint32_t canon, lm_graph **out, lm_val **map);

/* Is there nothing in the graph that those would change, so that it comes out the same whatever a rule set wants? */
bool lm_canon_is_one(const lm_graph *g);

#endif
