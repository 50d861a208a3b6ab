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

#endif
