/* Work that would be done several times over. */
#ifndef LM_GRAPH_REPEAT_H
#define LM_GRAPH_REPEAT_H

#include "core/graph/rewrite.h"

/* A pass (passes.h). Where a value is one block repeated along axis 0, what ops that treat axis 0 as a batch make of it
 * is too: they are applied to the block alone, and the result is repeated. Several walks in one graph repeat forward
 * values for each target, and a baseline is the same for all rows. The same bits. */
lm_status lm_once_for_all(const lm_graph *from, const lm_chain *fold, lm_graph **out, lm_val **map);

#endif
