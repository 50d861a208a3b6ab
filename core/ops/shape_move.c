/* Shape rules of the movement ops. */
#include "core/ops/shape_rules.h"

lm_status lm_shape_reshape(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *x = &args->x[0].sh, *to = &args->a->shape.shape;
    int64_t have, want;
    LM_TRY(lm_context(lm_shape_check(to, &want), "%s: the new shape", lm_ops[args->op].name));
    LM_TRY(lm_shape_check(x, &have));
    LM_RULE(have == want, "input %s has %lld elements; the new shape %s has %lld", LM_TEXT(*x), (long long)have,
            LM_TEXT(*to), (long long)want);
    y[0] = (lm_type){args->x[0].dt, *to};
    return LM_OK;
}

lm_status lm_shape_transpose(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *x = &args->x[0].sh;
    unsigned seen = 0;
    y[0] = args->x[0];
    for (int i = 0; i < x->rank; i++) {
        int32_t from = args->a->perm.perm[i];
        LM_RULE(from >= 0 && from < x->rank && !(seen >> from & 1),
                "perm[%d] = %d for input %s; expected a permutation of 0 to %d", i, from, LM_TEXT(*x), x->rank - 1);
        seen |= 1u << from;
        y[0].sh.dim[i] = x->dim[from];
    }
    return LM_OK;
}

lm_status lm_shape_expand(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *to = &args->a->shape.shape;
    LM_TRY(lm_context(lm_shape_check(to, NULL), "%s: the new shape", lm_ops[args->op].name));
    y[0].dt = args->x[0].dt;
    return lm_context(lm_shape_broadcast(&args->x[0].sh, to, &y[0].sh), "%s", lm_ops[args->op].name);
}

/* start, start + step ... of `count` elements stays inside an axis of `size`. */
static lm_status check_slice(const lm_shape_args *args, int axis, int64_t size, int64_t count)
{
    int64_t start = args->a->slice.start[axis], step = args->a->slice.step[axis], last;
    LM_RULE(step != 0, "step = 0 on axis %d of input %s", axis, LM_TEXT(args->x[0].sh));
    if (count == 0)
        return LM_OK;
    bool fits = lm_mul_i64(count - 1, step, &last) && lm_add_i64(last, start, &last);
    LM_RULE(fits && start >= 0 && start < size && last >= 0 && last < size,
            "%lld elements from %lld by %lld on axis %d leave its size %lld; input 0 has shape %s", (long long)count,
            (long long)start, (long long)step, axis, (long long)size, LM_TEXT(args->x[0].sh));
    return LM_OK;
}

lm_status lm_shape_slice(const lm_shape_args *args, lm_type *y)
{
    y[0] = args->x[0];
    for (int i = 0; i < y[0].sh.rank; i++) {
        int64_t count = args->a->slice.size[i];
        LM_TRY(lm_rule_range(args, "size", count, 0, args->x[0].sh.dim[i]));
        LM_TRY(check_slice(args, i, args->x[0].sh.dim[i], count));
        y[0].sh.dim[i] = count;
    }
    return LM_OK;
}

lm_status lm_shape_slice_dx(const lm_shape_args *args, lm_type *y)
{
    y[0] = args->x[0];
    for (int i = 0; i < y[0].sh.rank; i++) {
        int64_t size = args->a->slice.size[i];
        LM_TRY(lm_rule_range(args, "size", size, 0, (int64_t)1 << 61));
        LM_TRY(check_slice(args, i, size, args->x[0].sh.dim[i]));
        y[0].sh.dim[i] = size;
    }
    return LM_OK;
}

/* lo and hi in front of and behind `inner`; a mode that mirrors needs something to mirror. */
static lm_status check_pad(const lm_shape_args *args, int axis, int64_t inner, int64_t outer)
{
    const lm_attr_pad *p = &args->a->pad;
    LM_RULE(inner >= 0 && outer >= 0, "pads %lld and %lld on axis %d of input %s leave a negative size",
            (long long)p->lo[axis], (long long)p->hi[axis], axis, LM_TEXT(args->x[0].sh));
    LM_RULE(p->mode == LM_PAD_CONSTANT || inner > 0 || outer == 0,
            "axis %d of input %s is empty; only mode constant can pad it", axis, LM_TEXT(args->x[0].sh));
    return LM_OK;
}

static lm_status padded(const lm_shape_args *args, int sign, lm_type *y)
{
    const lm_attr_pad *p = &args->a->pad;
    LM_TRY(lm_rule_range(args, "mode", (int64_t)p->mode, LM_PAD_CONSTANT, LM_PAD_WRAP));
    y[0] = args->x[0];
    for (int i = 0; i < y[0].sh.rank; i++) {
        const int64_t most = (int64_t)1 << 60;
        LM_RULE(p->lo[i] >= -most && p->lo[i] <= most && p->hi[i] >= -most && p->hi[i] <= most,
                "pads %lld and %lld on axis %d of input %s overflow; expected at most 2^60", (long long)p->lo[i],
                (long long)p->hi[i], i, LM_TEXT(args->x[0].sh));
        int64_t size = args->x[0].sh.dim[i] + sign * (p->lo[i] + p->hi[i]);
        LM_TRY(sign > 0 ? check_pad(args, i, args->x[0].sh.dim[i], size)
                        : check_pad(args, i, size, args->x[0].sh.dim[i]));
        y[0].sh.dim[i] = size;
    }
    return LM_OK;
}

lm_status lm_shape_pad(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_same_types(args, 1));
    if (lm_rule_has(args, 1))
        LM_RULE(lm_shape_count(&args->x[1].sh) == 1, "input 1 has shape %s; expected one element",
                LM_TEXT(args->x[1].sh));
    return padded(args, 1, y);
}

lm_status lm_shape_pad_dx(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    return padded(args, -1, y);
}

lm_status lm_shape_concat(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *first = &args->x[0].sh;
    int axis = args->a->axis.axis;
    LM_RULE(first->rank > 0, "input 0 has shape []; expected at least one axis");
    LM_TRY(lm_rule_range(args, "axis", axis, 0, first->rank - 1));
    LM_TRY(lm_rule_same_types(args, 1));
    y[0] = args->x[0];
    for (int k = 1; k < args->nx; k++) {
        const lm_shape *x = &args->x[k].sh;
        lm_shape like = *x;
        LM_RULE(x->rank == first->rank, "input %d has shape %s; expected rank %d like input 0 of shape %s", k,
                LM_TEXT(*x), first->rank, LM_TEXT(*first));
        like.dim[axis] = first->dim[axis];
        LM_RULE(lm_shape_equal(&like, first), "input %d has shape %s; expected that of input 0, %s, but for axis %d", k,
                LM_TEXT(*x), LM_TEXT(*first), axis);
        LM_RULE(lm_add_i64(y[0].sh.dim[axis], x->dim[axis], &y[0].sh.dim[axis]), "the sizes on axis %d overflow", axis);
    }
    return LM_OK;
}

lm_status lm_shape_tile(const lm_shape_args *args, lm_type *y)
{
    y[0] = args->x[0];
    for (int i = 0; i < y[0].sh.rank; i++) {
        int64_t reps = args->a->tile.reps[i];
        LM_RULE(reps >= 0 && lm_mul_i64(y[0].sh.dim[i], reps, &y[0].sh.dim[i]),
                "%lld repeats on axis %d of input %s; expected 0 or more and a size below 2^62", (long long)reps, i,
                LM_TEXT(args->x[0].sh));
    }
    return LM_OK;
}

lm_status lm_shape_trilu(const lm_shape_args *args, lm_type *y)
{
    LM_RULE(args->x[0].sh.rank >= 2, "input 0 has shape %s; expected a matrix on the last two axes",
            LM_TEXT(args->x[0].sh));
    y[0] = args->x[0];
    return LM_OK;
}

static lm_status check_image(const lm_shape_args *args)
{
    LM_RULE(args->x[0].sh.rank == 4, "input 0 has shape %s; expected [batch,channels,height,width]",
            LM_TEXT(args->x[0].sh));
    return lm_rule_range(args, "block size", args->a->block.size, 1, INT32_MAX);
}

lm_status lm_shape_depthtospace(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_image(args));
    const lm_shape *x = &args->x[0].sh;
    int64_t b = args->a->block.size, height, width;
    LM_RULE(x->dim[1] % (b * b) == 0, "block size %lld: %lld blocks do not divide the channels of input %s",
            (long long)b, (long long)(b * b), LM_TEXT(*x));
    LM_RULE(lm_mul_i64(x->dim[2], b, &height) && lm_mul_i64(x->dim[3], b, &width),
            "block size %lld times input %s overflows", (long long)b, LM_TEXT(*x));
    y[0] = (lm_type){args->x[0].dt, LM_SHAPE(x->dim[0], x->dim[1] / (b * b), height, width)};
    return LM_OK;
}

lm_status lm_shape_spacetodepth(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_image(args));
    const lm_shape *x = &args->x[0].sh;
    int64_t b = args->a->block.size, channels;
    LM_RULE(x->dim[2] % b == 0 && x->dim[3] % b == 0, "block size %lld does not divide the last two axes of input %s",
            (long long)b, LM_TEXT(*x));
    LM_RULE(lm_mul_i64(x->dim[1], b * b, &channels), "block size %lld times input %s overflows", (long long)b,
            LM_TEXT(*x));
    y[0] = (lm_type){args->x[0].dt, LM_SHAPE(x->dim[0], channels, x->dim[2] / b, x->dim[3] / b)};
    return LM_OK;
}
