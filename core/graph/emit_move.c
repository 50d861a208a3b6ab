/* Pieces of tensors, and tensors of pieces. */
#include "core/graph/emit_move.h"

lm_val lm_emit_slice(lm_emit *e, lm_val x, int axis, int64_t start, int64_t count)
{
    const lm_shape *s = lm_emit_shape(e, x);
    if (s->rank > axis && start == 0 && count == s->dim[axis])
        return x;
    lm_attrs a = {0};
    for (int i = 0; i < s->rank; i++) {
        a.slice.step[i] = 1;
        a.slice.size[i] = s->dim[i];
    }
    a.slice.start[axis] = start;
    a.slice.size[axis] = count;
    return lm_emit1(e, LM_OP_SLICE, &a, x);
}

lm_val lm_emit_pick(lm_emit *e, lm_val x, int axis, int64_t at)
{
    lm_val one = lm_emit_slice(e, x, axis, at, 1);
    if (e->status != LM_OK)
        return LM_NOVAL;
    const lm_shape *s = lm_emit_shape(e, one);
    lm_shape less = {0};
    for (int i = 0; i < s->rank; i++)
        if (i != axis)
            less.dim[less.rank++] = s->dim[i];
    return lm_emit_reshape(e, one, &less);
}

lm_val lm_emit_concat(lm_emit *e, int n, const lm_val *x, int axis)
{
    lm_attrs a = {0};
    a.axis.axis = axis;
    return n == 1 ? x[0] : lm_emit_one(e, LM_OP_CONCAT, &a, n, x);
}

lm_val lm_emit_unsqueeze(lm_emit *e, lm_val x, int axis)
{
    const lm_shape *s = lm_emit_shape(e, x);
    if (s->rank >= LM_RANK)
        lm_emit_fail(e, LM_UNSUPPORTED, "another axis would be one more than %d", LM_RANK);
    if (e->status != LM_OK)
        return LM_NOVAL;
    lm_shape more = {.rank = s->rank + 1};
    for (int i = 0; i < more.rank; i++)
        more.dim[i] = i == axis ? 1 : s->dim[i < axis ? i : i - 1];
    return lm_emit_reshape(e, x, &more);
}

lm_val lm_emit_swap(lm_emit *e, lm_val x, int a, int b)
{
    int32_t perm[LM_RANK];
    for (int i = 0; i < LM_RANK; i++)
        perm[i] = i == a ? b : i == b ? a : i;
    return lm_emit_transpose(e, x, perm);
}

lm_val lm_emit_expand(lm_emit *e, lm_val x, const lm_shape *to)
{
    lm_shape wide;
    if (e->status != LM_OK)
        return LM_NOVAL;
    if (lm_shape_broadcast(lm_emit_shape(e, x), to, &wide) == LM_OK && lm_shape_equal(&wide, lm_emit_shape(e, x)))
        return x;
    lm_attrs a = {0};
    a.shape.shape = *to;
    return lm_emit1(e, LM_OP_EXPAND, &a, x);
}

lm_val lm_emit_full(lm_emit *e, lm_dtype dt, const lm_shape *shape, double value)
{
    return lm_emit_expand(e, lm_emit_const(e, dt, value), shape);
}
