/* Movement of values for those who emit graphs: parts of a tensor, and tensors made of parts. What would change
 * nothing adds no node. After a failure they answer LM_NOVAL or their operand. */
#ifndef LM_GRAPH_EMIT_MOVE_H
#define LM_GRAPH_EMIT_MOVE_H

#include "core/graph/emit.h"

/* `count` elements of x along `axis` from `start` on; all of x when that is what they are. */
lm_val lm_emit_slice(lm_emit *e, lm_val x, int axis, int64_t start, int64_t count);

/* One position of x along `axis`, which vanishes. */
lm_val lm_emit_pick(lm_emit *e, lm_val x, int axis, int64_t at);

lm_val lm_emit_concat(lm_emit *e, int n, const lm_val *x, int axis);

/* A new axis of size 1 in front of axis `axis`. */
lm_val lm_emit_unsqueeze(lm_emit *e, lm_val x, int axis);

/* Axes a and b change places. */
lm_val lm_emit_swap(lm_emit *e, lm_val x, int a, int b);

/* x broadcast with `to`. */
lm_val lm_emit_expand(lm_emit *e, lm_val x, const lm_shape *to);

/* A tensor filled with one value. */
lm_val lm_emit_full(lm_emit *e, lm_dtype dt, const lm_shape *shape, double value);

#endif
