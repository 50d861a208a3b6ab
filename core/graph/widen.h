/* The same graph with wider floats. */
#ifndef LM_GRAPH_WIDEN_H
#define LM_GRAPH_WIDEN_H

#include "core/graph/emit.h"

/* Copy `from` with `to` (LM_F32 or LM_F64) for every float of less precision: inputs, constants, and what casts
 * make. Names and scopes stay; LM_UNSUPPORTED for nodes with bodies. `fold`: the chain that computes constants,
 * NULL: nothing is folded or shared. `map` (may be NULL) gets one entry per value of `from`, from lm_malloc: its
 * counterpart, or LM_NOVAL for a constant that nobody uses. */
lm_status lm_graph_widen(const lm_graph *from, lm_dtype to, const lm_chain *fold, lm_graph **out, lm_val **map);

/* Is there anything to widen? */
bool lm_graph_is_narrow(const lm_graph *g, lm_dtype to);

#endif
