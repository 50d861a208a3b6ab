/* Elementwise ops of one operand, and casts. */
#include <math.h>

#include "backends/ref/ref.h"

#define SQRT_HALF 0.70710678118654752440
#define SQRT_2_BY_PI 0.79788456080286535588
#define GELU_CUBIC 0.044715

typedef double (*act_fn)(double x, double a, double b);

#define ACT(name, formula)                                                                                             \
    static double name(double x, double a, double b)                                                                   \
    {                                                                                                                  \
        (void)a, (void)b;                                                                                              \
        return formula;                                                                                                \
    }

/* Comparisons are written so that NaN comes out as NaN. */
ACT(identity, x)
ACT(absolute, fabs(x))
ACT(negative, -x)
ACT(sign, x > 0 ? 1 : x < 0 ? -1 : isnan(x) ? x : 0)
ACT(floor_, floor(x))
ACT(ceil_, ceil(x))
ACT(half_even, nearbyint(x))
ACT(sqrt_, sqrt(x))
ACT(reciprocal, 1 / x)
ACT(exp_, exp(x))
ACT(log_, log(x))
ACT(erf_, erf(x))
ACT(sin_, sin(x))
ACT(cos_, cos(x))
ACT(tan_, tan(x))
ACT(asin_, asin(x))
ACT(acos_, acos(x))
ACT(atan_, atan(x))
ACT(sinh_, sinh(x))
ACT(cosh_, cosh(x))
ACT(asinh_, asinh(x))
ACT(acosh_, acosh(x))
ACT(atanh_, atanh(x))
ACT(relu, x > 0 || isnan(x) ? x : 0) /* relu(-0) = +0 */
ACT(leakyrelu, x < 0 ? a * x : x)
ACT(elu, x < 0 ? a * expm1(x) : x)
ACT(selu, b * (x < 0 ? a * expm1(x) : x))
ACT(celu, x < 0 ? a * expm1(x / a) : x)
ACT(gelu, a != 0 ? 0.5 * x * (1 + tanh(SQRT_2_BY_PI * (x + GELU_CUBIC * x * x * x))) : 0.5 * x * erfc(-x * SQRT_HALF))
ACT(tanh_, tanh(x))
ACT(sigmoid, 1 / (1 + exp(-x)))
ACT(swish, x / (1 + exp(-a * x)))
ACT(softplus, fmax(x, 0) + log1p(exp(-fabs(x))))
ACT(mish, x * tanh(softplus(x, 0, 0)))
ACT(hardsigmoid, lm_ref_max(0, lm_ref_min(1, a * x + b)))
ACT(hardswish, x * lm_ref_max(0, lm_ref_min(1, x / 6 + 0.5)))
ACT(softsign, x / (1 + fabs(x)))
ACT(thresholded, x > a || isnan(x) ? x : 0)
ACT(shrink, x < -a ? x + b : x > a ? x - b : isnan(x) ? x : 0)
ACT(clip, lm_ref_min(lm_ref_max(x, a), b)) /* b where the bounds cross */
ACT(is_nan, isnan(x))
ACT(is_inf, isinf(x) && (x > 0 ? b == 0 : a == 0))
#undef ACT

static const act_fn acts[LM_OPS] = {
    [LM_OP_IDENTITY] = identity,       [LM_OP_ABS] = absolute,          [LM_OP_NEG] = negative,
    [LM_OP_SIGN] = sign,               [LM_OP_FLOOR] = floor_,          [LM_OP_CEIL] = ceil_,
    [LM_OP_ROUND] = half_even,         [LM_OP_SQRT] = sqrt_,            [LM_OP_RECIPROCAL] = reciprocal,
    [LM_OP_EXP] = exp_,                [LM_OP_LOG] = log_,              [LM_OP_ERF] = erf_,
    [LM_OP_SIN] = sin_,                [LM_OP_COS] = cos_,              [LM_OP_TAN] = tan_,
    [LM_OP_ASIN] = asin_,              [LM_OP_ACOS] = acos_,            [LM_OP_ATAN] = atan_,
    [LM_OP_SINH] = sinh_,              [LM_OP_COSH] = cosh_,            [LM_OP_ASINH] = asinh_,
    [LM_OP_ACOSH] = acosh_,            [LM_OP_ATANH] = atanh_,          [LM_OP_RELU] = relu,
    [LM_OP_LEAKYRELU] = leakyrelu,     [LM_OP_ELU] = elu,               [LM_OP_SELU] = selu,
    [LM_OP_CELU] = celu,               [LM_OP_GELU] = gelu,             [LM_OP_SWISH] = swish,
    [LM_OP_MISH] = mish,               [LM_OP_TANH] = tanh_,            [LM_OP_SIGMOID] = sigmoid,
    [LM_OP_HARDSIGMOID] = hardsigmoid, [LM_OP_HARDSWISH] = hardswish,   [LM_OP_SOFTPLUS] = softplus,
    [LM_OP_SOFTSIGN] = softsign,       [LM_OP_THRESHOLDED] = thresholded, [LM_OP_SHRINK] = shrink,
    [LM_OP_CLIP] = clip,               [LM_OP_ISNAN] = is_nan,          [LM_OP_ISINF] = is_inf,
};

double lm_ref_act(lm_opid op, double x, double a, double b)
{
    return acts[op](x, a, b);
}

/* Integer forms of the ops that keep integers exact; the others (Erf, Shrink) go through double and truncate. */
static bool act_int(lm_opid op, lm_dtype dt, int64_t x, const lm_attr_act *a, int64_t *y)
{
    bool negative_x = !lm_dtype_is_unsigned(dt) && x < 0;
    switch (op) {
    case LM_OP_IDENTITY: *y = x; return true;
    case LM_OP_NOT: *y = !x; return true;
    case LM_OP_BITNOT: *y = ~x; return true;
    case LM_OP_NEG: *y = (int64_t)(0 - (uint64_t)x); return true; /* the lowest number stays as it is */
    case LM_OP_ABS: *y = negative_x ? (int64_t)(0 - (uint64_t)x) : x; return true;
    case LM_OP_SIGN: *y = negative_x ? -1 : x != 0; return true;
    case LM_OP_RELU: *y = negative_x ? 0 : x; return true;
    case LM_OP_CLIP: {
        /* the bounds are cut to the type's range, so that infinite bounds mean none */
        unsigned char low[8], high[8];
        lm_store_f64(dt, low, (double)a->a);
        lm_store_f64(dt, high, (double)a->b);
        int64_t lo = lm_load_i64(dt, low), hi = lm_load_i64(dt, high);
        bool wide = dt == LM_U64;
        *y = (wide ? (uint64_t)x < (uint64_t)lo : x < lo) ? lo : x;
        *y = (wide ? (uint64_t)*y > (uint64_t)hi : *y > hi) ? hi : *y;
        return true;
    }
    default: return false;
    }
}

lm_status lm_ref_unary(const lm_ref_call *c)
{
    static const lm_attr_act none = {0};
    const lm_attr_act *a = lm_ops[c->op].attrs == LM_ATTR_act ? &c->a->act : &none;
    const lm_view *x = &c->x[0];
    int64_t n = lm_shape_count(&x->sh), exact;
    if (!lm_dtype_is_float(x->dt) && act_int(c->op, x->dt, 0, a, &exact)) {
        const int64_t *in = lm_ref_ints(c, 0);
        int64_t *out = lm_ref_new_ints(c, n);
        LM_REF_NEED(in && out);
        for (int64_t i = 0; i < n; i++)
            act_int(c->op, x->dt, in[i], a, &out[i]);
        lm_ref_put_ints(c, 0, out);
        return LM_OK;
    }
    const double *in = lm_ref_floats(c, 0);
    double *out = lm_ref_new_floats(c, n);
    LM_REF_NEED(in && out);
    for (int64_t i = 0; i < n; i++)
        out[i] = lm_ref_act(c->op, in[i], (double)a->a, (double)a->b);
    lm_ref_put_floats(c, 0, out);
    return LM_OK;
}

/* Float to float rounds to nearest even. Float to integer truncates; what does not fit becomes the nearest number that
 * does, and NaN becomes 0. Integer to integer keeps the low bits, as C does. To bool: value != 0, so NaN is true. */
lm_status lm_ref_cast(const lm_ref_call *c)
{
    if (lm_dtype_is_float(c->x[0].dt)) {
        const double *x = lm_ref_floats(c, 0);
        LM_REF_NEED(x);
        lm_ref_put_floats(c, 0, x);
    } else {
        const int64_t *x = lm_ref_ints(c, 0);
        LM_REF_NEED(x);
        lm_ref_put_ints(c, 0, x);
    }
    return LM_OK;
}
