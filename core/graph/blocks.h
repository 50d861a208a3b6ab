/* Values that are blocks one behind the other along axis 0: how ops take them. */
#ifndef LM_GRAPH_BLOCKS_H
#define LM_GRAPH_BLOCKS_H

#include "core/graph/rewrite.h"

/* What an op makes of blocks in an operand, where the others are the same for all blocks. */
typedef enum lm_block_role {
    LM_BLOCKS_MIX,      /* blocks: or it is not known */
    LM_BLOCKS_KEEP,     /* element i0 of the result is made of elements i0 of it */
    LM_BLOCKS_SERVE,    /* every block: weights */
    LM_BLOCKS_BROADCAST /* it has an axis 0 as the result has, or one of size 1, or none */
} lm_block_role;

/* repeat.c: of operand i. */
lm_block_role lm_block_role_of(const lm_graph *g, const lm_node *n, int i);

/* A pass (passes.h). Several targets go back through a network at once, in blocks along axis 0 of their values: `times`
 * of them, from `seed` on. That is good where weights are large, and bad where values leave the caches before they are
 * read again. From the first value of more than `bytes` bytes on, one block after the other goes its way alone. The
 * bits are the same. *out: NULL where there is nothing to gain, or an op on the way wants all blocks. */
lm_status lm_block_by_block(const lm_graph *from, const lm_chain *fold, lm_val seed, int64_t times, size_t bytes,
                            lm_graph **out);

#endif
