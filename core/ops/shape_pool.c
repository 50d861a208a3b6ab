/* Shape rules of pooling and resizing. */
#include "core/ops/shape_rules.h"

#include <math.h>

static lm_status check_pool(const lm_shape_args *args)
{
    const lm_attr_pool *p = &args->a->pool;
    const lm_shape *x = &args->x[0].sh;
    LM_RULE(p->nd >= 1 && p->nd <= LM_SPATIAL, "nd = %d spatial axes for input %s; expected 1 to %d", p->nd,
            LM_TEXT(*x), LM_SPATIAL);
    LM_RULE(x->rank == p->nd + 2, "input 0 has shape %s; expected rank %d (batch, channels, %d spatial axes)",
            LM_TEXT(*x), p->nd + 2, p->nd);
    for (int i = 0; i < p->nd; i++) {
        LM_TRY(lm_rule_range(args, "kernel", p->kernel[i], 1, INT32_MAX));
        LM_TRY(lm_rule_range(args, "stride", p->stride[i], 1, INT32_MAX));
        LM_TRY(lm_rule_range(args, "dilation", p->dilation[i], 1, INT32_MAX));
        LM_TRY(lm_rule_range(args, "pad_lo", p->pad_lo[i], 0, INT32_MAX));
        LM_TRY(lm_rule_range(args, "pad_hi", p->pad_hi[i], 0, INT32_MAX));
    }
    return LM_OK;
}

static lm_status positions(const lm_shape_args *args, int i, int64_t in, int64_t *out)
{
    const lm_attr_pool *p = &args->a->pool;
    int64_t extent = (p->kernel[i] - 1) * p->dilation[i] + 1;
    return lm_rule_window(args, i + 2, in, p->pad_lo[i], p->pad_hi[i], extent, p->stride[i], p->ceil, out);
}

static lm_status pooled(const lm_shape_args *args, lm_shape *out)
{
    const lm_shape *x = &args->x[0].sh;
    LM_TRY(check_pool(args));
    *out = *x;
    for (int i = 0; i < args->a->pool.nd; i++)
        LM_TRY(positions(args, i, x->dim[i + 2], &out->dim[i + 2]));
    return LM_OK;
}

lm_status lm_shape_maxpool(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, LM_SET_NUMBER));
    LM_TRY(pooled(args, &y[0].sh));
    y[0].dt = args->x[0].dt;
    y[1] = (lm_type){LM_I64, y[0].sh};
    return LM_OK;
}

lm_status lm_shape_pool(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    if (args->op == LM_OP_LPPOOL)
        LM_TRY(lm_rule_range(args, "p", args->a->pool.p, 1, INT32_MAX));
    LM_TRY(pooled(args, &y[0].sh));
    y[0].dt = args->x[0].dt;
    return LM_OK;
}

/* (signal, index?) -> what the pool's input was: attrs.size on the spatial axes. */
lm_status lm_shape_pool_dx(const lm_shape_args *args, lm_type *y)
{
    const lm_attr_pool *p = &args->a->pool;
    const lm_shape *s = &args->x[0].sh;
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    LM_TRY(check_pool(args));
    if (args->nx > 1) {
        LM_TRY(lm_rule_type(args, 1, 1 << LM_I64));
        LM_TRY(lm_rule_shape(args, 1, *s, "the signal's"));
    }
    y[0] = args->x[0];
    for (int i = 0; i < p->nd; i++) {
        int64_t count;
        LM_TRY(lm_rule_range(args, "size", p->size[i], 0, (int64_t)1 << 61));
        LM_TRY(positions(args, i, p->size[i], &count));
        LM_RULE(count == s->dim[i + 2], "the signal has shape %s; size = %lld on spatial axis %d pools to %lld",
                LM_TEXT(*s), (long long)p->size[i], i, (long long)count);
        y[0].sh.dim[i + 2] = p->size[i];
    }
    return LM_OK;
}

lm_status lm_shape_global(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    LM_RULE(args->x[0].sh.rank >= 2, "input 0 has shape %s; expected at least [batch,channels]",
            LM_TEXT(args->x[0].sh));
    if (args->op == LM_OP_GLOBAL_LP)
        LM_TRY(lm_rule_range(args, "p", args->a->norm.p, 1, INT32_MAX));
    y[0] = args->x[0];
    for (int i = 2; i < y[0].sh.rank; i++)
        y[0].sh.dim[i] = 1;
    return LM_OK;
}

/* For the gradient `size` is the shape before resizing and the signal has the one after. */
lm_status lm_shape_resize(const lm_shape_args *args, lm_type *y)
{
    const lm_attr_resize *r = &args->a->resize;
    bool back = args->op == LM_OP_RESIZE_DX;
    LM_TRY(lm_rule_type(args, 0, back ? LM_SET_FLOAT : LM_SET_ANY));
    LM_TRY(lm_rule_range(args, "mode", (int64_t)r->mode, LM_RESIZE_NEAREST, LM_RESIZE_CUBIC));
    LM_TRY(lm_rule_range(args, "coordinate mode", (int64_t)r->coord, LM_COORD_HALF_PIXEL, LM_COORD_CROP));
    LM_TRY(lm_rule_range(args, "nearest mode", (int64_t)r->nearest, LM_NEAR_PREFER_FLOOR, LM_NEAR_CEIL));
    const lm_shape *x = &args->x[0].sh;
    y[0] = args->x[0];
    for (int i = 0; i < x->rank; i++) {
        int64_t in = back ? r->size[i] : x->dim[i], out = back ? x->dim[i] : r->size[i];
        LM_RULE(r->scale[i] >= 0x1p-40 && r->scale[i] <= 0x1p40,
                "scale = %g on axis %d of input %s; expected more than 0 and no more than 2^40", r->scale[i], i,
                LM_TEXT(*x));
        LM_RULE(fabs(r->roi_lo[i]) <= 0x1p40 && fabs(r->roi_hi[i]) <= 0x1p40,
                "the region %g to %g on axis %d of input %s; expected numbers within 2^40 of 0", r->roi_lo[i],
                r->roi_hi[i], i, LM_TEXT(*x));
        LM_TRY(lm_rule_range(args, "size", r->size[i], 0, (int64_t)1 << 61));
        LM_RULE(in > 0 || out == 0, "axis %d of input %s is resized from %lld to %lld; nothing to take values from", i,
                LM_TEXT(*x), (long long)in, (long long)out);
        y[0].sh.dim[i] = r->size[i];
    }
    return LM_OK;
}
