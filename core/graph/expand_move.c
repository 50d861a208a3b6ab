/* Blocks between channels and space, global pooling, and the winner-takes-all softmax. */
#include "core/graph/expand.h"

/* Split into six axes, permute, join again. */
static lm_val regroup(lm_emit *e, lm_val x, const lm_shape *split, const int32_t *perm, const lm_shape *joined)
{
    return lm_emit_reshape(e, lm_emit_transpose(e, lm_emit_reshape(e, x, split), perm), joined);
}

void lm_expand_depthtospace(lm_emit *e, const lm_composite *c)
{
    static const int32_t dcr[] = {0, 3, 4, 1, 5, 2}, crd[] = {0, 1, 4, 2, 5, 3};
    const lm_shape *x = lm_emit_shape(e, c->x[0]);
    int64_t n = x->dim[0], b = c->a->block.size, d = x->dim[1] / (b * b), h = x->dim[2], w = x->dim[3];
    lm_shape split = c->a->block.crd ? LM_SHAPE(n, d, b, b, h, w) : LM_SHAPE(n, b, b, d, h, w);
    lm_shape joined = LM_SHAPE(n, d, h * b, w * b);
    c->y[0] = regroup(e, c->x[0], &split, c->a->block.crd ? crd : dcr, &joined);
}

void lm_expand_spacetodepth(lm_emit *e, const lm_composite *c)
{
    static const int32_t dcr[] = {0, 3, 5, 1, 2, 4}, crd[] = {0, 1, 3, 5, 2, 4};
    const lm_shape *x = lm_emit_shape(e, c->x[0]);
    int64_t n = x->dim[0], b = c->a->block.size, d = x->dim[1], h = x->dim[2] / b, w = x->dim[3] / b;
    lm_shape split = LM_SHAPE(n, d, h, b, w, b), joined = LM_SHAPE(n, d * b * b, h, w);
    c->y[0] = regroup(e, c->x[0], &split, c->a->block.crd ? crd : dcr, &joined);
}

/* Over all axes from 2 on, kept with size 1. */
void lm_expand_global_pool(lm_emit *e, const lm_composite *c)
{
    lm_val x = c->x[0];
    uint32_t axes = lm_emit_axes_from(e, x, 2);
    int p = c->op == LM_OP_GLOBAL_LP ? c->a->norm.p : 0;
    if (c->op == LM_OP_GLOBAL_AVG)
        c->y[0] = lm_emit_reduce(e, LM_OP_REDUCE_MEAN, x, axes, true);
    else if (c->op == LM_OP_GLOBAL_MAX)
        c->y[0] = lm_emit_reduce(e, LM_OP_REDUCE_MAX, x, axes, true);
    else if (p <= 2)
        c->y[0] = lm_emit_reduce(e, p == 1 ? LM_OP_REDUCE_L1 : LM_OP_REDUCE_L2, x, axes, true);
    else {
        lm_val power = lm_emit_scalar(e, LM_OP_POW, lm_emit1(e, LM_OP_ABS, NULL, x), p);
        c->y[0] = lm_emit_scalar(e, LM_OP_POW, lm_emit_reduce(e, LM_OP_REDUCE_SUM, power, axes, true), 1.0 / p);
    }
}

/* One at the first of the largest along an axis, zero elsewhere. */
void lm_expand_hardmax(lm_emit *e, const lm_composite *c)
{
    lm_val x = c->x[0];
    if (lm_shape_count(lm_emit_shape(e, x)) == 0) {
        c->y[0] = x;
        return;
    }
    lm_attrs hot = {0}, arg = {0};
    arg.axis.axis = c->a->axis.axis;
    hot.onehot.axis = c->a->axis.axis;
    hot.onehot.depth = lm_emit_shape(e, x)->dim[c->a->axis.axis];
    lm_val off_on = lm_emit_cast(e, lm_emit_iota(e, 0, 2), lm_emit_type(e, x)->dt);
    c->y[0] = lm_emit1(e, LM_OP_ONEHOT, &hot, lm_emit1(e, LM_OP_ARGMAX, &arg, x), off_on);
}
