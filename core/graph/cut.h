/* Cutting a graph open. */
#ifndef LM_GRAPH_CUT_H
#define LM_GRAPH_CUT_H

#include "core/graph/rewrite.h"

/* Copy what reaches the outputs of `from`, with values cut[0..n) as inputs: those that are none yet become new ones
 * behind the others, in this order, and what only they were made from disappears. `map` as in lm_rewrite_graph; that
 * of a cut value is its input. */
lm_status lm_graph_cut(const lm_graph *from, const lm_chain *fold, int n, const lm_val *cut, lm_graph **out,
                       lm_val **map);

#endif
