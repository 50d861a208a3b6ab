/* Shape rules of reductions, softmax and normalisation. */
#include "core/ops/shape_rules.h"

/* The axes are a mask, so that an axis given twice cannot exist. */
static lm_status check_axes(const lm_shape_args *args)
{
    uint32_t known = (uint32_t)((1u << args->x[0].sh.rank) - 1);
    LM_RULE(!(args->a->reduce.axes & ~known), "the axis mask 0x%x names axes that input %s does not have",
            args->a->reduce.axes, LM_TEXT(args->x[0].sh));
    return LM_OK;
}

static lm_status check_axis(const lm_shape_args *args, int32_t axis)
{
    LM_RULE(args->x[0].sh.rank > 0, "input 0 has shape []; expected at least one axis");
    return lm_rule_range(args, "axis", axis, 0, args->x[0].sh.rank - 1);
}

lm_status lm_shape_reduce(const lm_shape_args *args, lm_type *y)
{
    const lm_attr_reduce *a = &args->a->reduce;
    bool order = args->op == LM_OP_REDUCE_MAX || args->op == LM_OP_REDUCE_MIN;
    LM_TRY(lm_rule_type(args, 0, order ? LM_SET_ANY : LM_SET_NUMBER));
    LM_TRY(check_axes(args));
    const lm_shape *x = &args->x[0].sh;
    lm_shape shape = {0};
    for (int i = 0; i < x->rank; i++) {
        bool gone = a->axes >> i & 1;
        LM_RULE(!gone || x->dim[i] > 0 || args->op != LM_OP_REDUCE_MEAN || lm_dtype_is_float(args->x[0].dt),
                "the mean over axis %d of input %s of type %s has no elements", i, LM_TEXT(*x),
                lm_dtype_name(args->x[0].dt));
        if (!gone || a->keepdims)
            shape.dim[shape.rank++] = gone ? 1 : x->dim[i];
    }
    y[0] = (lm_type){args->x[0].dt, shape};
    return LM_OK;
}

lm_status lm_shape_arg(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, LM_SET_NUMBER));
    int axis = args->a->axis.axis;
    LM_TRY(check_axis(args, axis));
    const lm_shape *x = &args->x[0].sh;
    LM_RULE(x->dim[axis] > 0, "axis %d of input %s has no elements to choose from", axis, LM_TEXT(*x));
    lm_shape shape = {0};
    for (int i = 0; i < x->rank; i++)
        if (i != axis || args->a->axis.keepdims)
            shape.dim[shape.rank++] = i == axis ? 1 : x->dim[i];
    y[0] = (lm_type){LM_I64, shape};
    return LM_OK;
}

/* Cumulative sums, softmax and kin: x's type and shape, some along an axis; gradients have (signal, y). */
lm_status lm_shape_along(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, args->op == LM_OP_CUMSUM ? LM_SET_NUMBER : LM_SET_FLOAT));
    LM_TRY(lm_rule_same_types(args, 1));
    LM_TRY(check_axis(args, args->a->axis.axis));
    if (args->nx > 1)
        LM_TRY(lm_rule_shape(args, 1, args->x[0].sh, "the signal's"));
    y[0] = args->x[0];
    return LM_OK;
}

/* BatchNormalization, InstanceNormalization, GroupNormalization: all but x are one value per channel (axis 1). */
lm_status lm_shape_channel(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *x = &args->x[0].sh;
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    for (int i = 1; i < args->nx; i++)
        LM_TRY(lm_rule_type(args, i, LM_SET_FLOAT));
    LM_RULE(x->rank >= 2, "input 0 has shape %s; expected at least [batch,channels]", LM_TEXT(*x));
    if (args->op == LM_OP_GROUPNORM) {
        int32_t groups = args->a->norm.groups;
        LM_RULE(groups > 0 && x->dim[1] % groups == 0, "groups = %d do not divide the %lld channels of input %s",
                groups, (long long)x->dim[1], LM_TEXT(*x));
    }
    for (int i = 1; i < args->nx; i++)
        LM_TRY(lm_rule_shape(args, i, LM_SHAPE(x->dim[1]), "one value per channel"));
    y[0] = args->x[0];
    return LM_OK;
}

/* (x, scale, bias?) -> y, mean, 1 / standard deviation; RMSNormalization is the same with one result. The statistics
 * are float32 unless x is float64. */
lm_status lm_shape_layernorm(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *x = &args->x[0].sh;
    for (int i = 0; i < args->nx; i++)
        if (lm_rule_has(args, i))
            LM_TRY(lm_rule_type(args, i, LM_SET_FLOAT));
    int axis = args->a->norm.axis;
    LM_TRY(check_axis(args, axis));
    for (int i = 1; i < args->nx; i++)
        if (lm_rule_has(args, i))
            LM_TRY(lm_rule_stretches(args, i, *x));
    lm_type statistics = {args->x[0].dt == LM_F64 ? LM_F64 : LM_F32, *x};
    for (int i = axis; i < x->rank; i++)
        statistics.sh.dim[i] = 1;
    y[0] = args->x[0];
    y[1] = y[2] = statistics;
    return LM_OK;
}

lm_status lm_shape_lpnorm(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    LM_TRY(check_axis(args, args->a->norm.axis));
    LM_TRY(lm_rule_range(args, "p", args->a->norm.p, 1, 2));
    y[0] = args->x[0];
    return LM_OK;
}

lm_status lm_shape_mvn(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    LM_TRY(check_axes(args));
    y[0] = args->x[0];
    return LM_OK;
}

lm_status lm_shape_lrn(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    LM_RULE(args->x[0].sh.rank >= 2, "input 0 has shape %s; expected at least [batch,channels]",
            LM_TEXT(args->x[0].sh));
    LM_TRY(lm_rule_range(args, "size", args->a->norm.size, 1, INT32_MAX));
    y[0] = args->x[0];
    return LM_OK;
}
