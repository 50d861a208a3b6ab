/* Shape rules of the elementwise ops. */
#include "core/ops/shape_rules.h"

enum { SIGNED_NUMBER = LM_SET_FLOAT | LM_SET_SIGNED };

/* Which types an op takes; the rest take floats only. */
static const uint16_t accepts[LM_OPS] = {
    [LM_OP_IDENTITY] = LM_SET_ANY,   [LM_OP_ABS] = LM_SET_NUMBER,  [LM_OP_NEG] = SIGNED_NUMBER,
    [LM_OP_SIGN] = LM_SET_NUMBER,    [LM_OP_ERF] = LM_SET_NUMBER,  [LM_OP_RELU] = SIGNED_NUMBER,
    [LM_OP_SHRINK] = LM_SET_NUMBER,  [LM_OP_CLIP] = LM_SET_NUMBER, [LM_OP_BITNOT] = LM_SET_INT,
    [LM_OP_ADD] = LM_SET_NUMBER,     [LM_OP_SUB] = LM_SET_NUMBER,  [LM_OP_MUL] = LM_SET_NUMBER,
    [LM_OP_DIV] = LM_SET_NUMBER,     [LM_OP_POW] = LM_SET_NUMBER,  [LM_OP_MOD] = LM_SET_NUMBER,
    [LM_OP_MIN] = LM_SET_NUMBER,     [LM_OP_MAX] = LM_SET_NUMBER,  [LM_OP_PRELU] = LM_SET_NUMBER,
    [LM_OP_BITAND] = LM_SET_INT,     [LM_OP_BITOR] = LM_SET_INT,   [LM_OP_BITXOR] = LM_SET_INT,
    [LM_OP_SHIFT] = LM_SET_UNSIGNED, [LM_OP_EQUAL] = LM_SET_ANY,   [LM_OP_GREATER] = LM_SET_NUMBER,
    [LM_OP_LESS] = LM_SET_NUMBER,    [LM_OP_LESSEQ] = LM_SET_NUMBER, [LM_OP_GREATEREQ] = LM_SET_NUMBER,
};

static lm_status check_type(const lm_shape_args *args, int i)
{
    return lm_rule_type(args, i, accepts[args->op] ? accepts[args->op] : LM_SET_FLOAT);
}

lm_status lm_shape_same(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_type(args, 0));
    y[0] = args->x[0];
    return LM_OK;
}

/* IsNaN, IsInf: floats to bool. */
lm_status lm_shape_test(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    y[0] = (lm_type){LM_BOOL, args->x[0].sh};
    return LM_OK;
}

lm_status lm_shape_cast(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_range(args, "to", (int64_t)args->a->cast.to, 0, LM_DTYPES - 1));
    y[0] = (lm_type){args->a->cast.to, args->x[0].sh};
    return LM_OK;
}

/* Types of one size; what is no truth value cannot become one. */
lm_status lm_shape_bitcast(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_shape_cast(args, y));
    LM_RULE(lm_dtype_size(y[0].dt) == lm_dtype_size(args->x[0].dt) && (y[0].dt != LM_BOOL || args->x[0].dt == LM_BOOL),
            "the bits of %s are none of %s", lm_dtype_name(args->x[0].dt), lm_dtype_name(y[0].dt));
    return LM_OK;
}

/* (signal, x or y of the forward op). */
lm_status lm_shape_act_dx(const lm_shape_args *args, lm_type *y)
{
    int32_t of = args->a->actdx.of;
    LM_RULE(of >= 0 && of < LM_OPS && lm_op_is_unary((lm_opid)of), "op number %d is no elementwise op of one operand",
            of);
    LM_RULE(lm_ops[of].grad != LM_GRAD_OPAQUE, "%s has no derivative", lm_ops[of].name);
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    LM_TRY(lm_rule_same_types(args, 1));
    LM_TRY(lm_rule_shape(args, 1, args->x[0].sh, "the signal's"));
    y[0] = args->x[0];
    return LM_OK;
}

static lm_status spread(const lm_shape_args *args, lm_dtype dt, lm_type *y)
{
    lm_shape shape = args->x[0].sh;
    for (int i = 1; i < args->nx; i++)
        LM_TRY(lm_context(lm_shape_broadcast(&shape, &args->x[i].sh, &shape), "%s", lm_ops[args->op].name));
    y[0] = (lm_type){dt, shape};
    return LM_OK;
}

lm_status lm_shape_binary(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_type(args, 0));
    LM_TRY(lm_rule_same_types(args, 1));
    if (args->op == LM_OP_MOD)
        LM_RULE(args->a->act.a != 0 || !lm_dtype_is_float(args->x[0].dt),
                "input 0 of shape %s has type %s; without fmod = 1 expected integers", LM_TEXT(args->x[0].sh),
                lm_dtype_name(args->x[0].dt));
    /* the slope adapts to x, never x to the slope */
    if (args->op == LM_OP_PRELU)
        LM_TRY(lm_rule_stretches(args, 1, args->x[0].sh));
    return spread(args, args->x[0].dt, y);
}

/* The exponent's type is free, the result has the base's. */
lm_status lm_shape_power(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_type(args, 0));
    LM_TRY(lm_rule_type(args, 1, LM_SET_NUMBER));
    return spread(args, args->x[0].dt, y);
}

lm_status lm_shape_compare(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_type(args, 0));
    LM_TRY(lm_rule_same_types(args, 1));
    return spread(args, LM_BOOL, y);
}

/* Not, And, Or, Xor. */
lm_status lm_shape_logic(const lm_shape_args *args, lm_type *y)
{
    for (int i = 0; i < args->nx; i++)
        LM_TRY(lm_rule_type(args, i, LM_SET_BOOL));
    return spread(args, LM_BOOL, y);
}

lm_status lm_shape_where(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, LM_SET_BOOL));
    LM_RULE(args->x[1].dt == args->x[2].dt, "input 2 of shape %s has type %s; expected %s like input 1",
            LM_TEXT(args->x[2].sh), lm_dtype_name(args->x[2].dt), lm_dtype_name(args->x[1].dt));
    return spread(args, args->x[1].dt, y);
}

void lm_fused_attrs(const lm_fused_step *step, lm_attrs *out)
{
    *out = (lm_attrs){0};
    if (lm_ops[step->op].attrs == LM_ATTR_actdx)
        out->actdx = (lm_attr_actdx){step->of, step->a, step->b};
    else if (lm_ops[step->op].attrs == LM_ATTR_act)
        out->act = (lm_attr_act){step->a, step->b};
}

/* Step by step. */
lm_status lm_shape_fused(const lm_shape_args *args, lm_type *y)
{
    const lm_attr_fused *f = &args->a->fused;
    lm_type made[LM_FUSED_STEPS];
    LM_TRY(lm_rule_range(args, "steps", f->n, 1, LM_FUSED_STEPS));
    for (int i = 0; i < f->n; i++) {
        const lm_fused_step *step = &f->step[i];
        LM_TRY(lm_rule_range(args, "op", step->op, LM_OP_IDENTITY, LM_OP_WHERE));
        lm_type x[3];
        lm_attrs a;
        const int nx = lm_ops[step->op].min_in;
        for (int k = 0; k < nx; k++) {
            const int from = step->x[k], earlier = from - LM_FUSED_IN;
            LM_RULE(from >= 0 && (earlier >= 0 ? earlier < i : from < args->nx), "step %d reads number %d", i, from);
            x[k] = earlier >= 0 ? made[earlier] : args->x[from];
        }
        lm_fused_attrs(step, &a);
        LM_TRY(lm_op_infer(&(lm_shape_args){.op = (lm_opid)step->op, .a = &a, .nx = nx, .ny = 1, .x = x}, &made[i]));
    }
    y[0] = made[f->n - 1];
    return LM_OK;
}
