/* Derivatives of the elementwise ops of one operand. At a kink:
 *
 *   relu, thresholded   0: the gate opens above the threshold only
 *   clip, hardsigmoid   0 at both bounds
 *   abs                 0 at 0
 *   leakyrelu, elu, selu   the branch of x > 0 applies above 0 only; 0 belongs to the other one
 *   hardswish           0 at -3, 1 at 3
 *   shrink              0 at both ends of the dead zone
 *   sign, floor ...     0 everywhere
 *
 * NaN is above no threshold, but behind a rectifier, which passes it on, the signal goes back through it too. */
#include <math.h>

#include "backends/ref/ref.h"

#define SQRT_HALF 0.70710678118654752440
#define SQRT_2_BY_PI 0.79788456080286535588
#define INV_SQRT_2PI 0.39894228040143267794
#define TWO_BY_SQRT_PI 1.12837916709551257390
#define GELU_CUBIC 0.044715

typedef double (*slope_fn)(double v, double a, double b);

/* Written in x. */
#define SLOPE_X(name, formula)                                                                                         \
    static double name(double x, double a, double b)                                                                   \
    {                                                                                                                  \
        (void)x, (void)a, (void)b;                                                                                     \
        return formula;                                                                                                \
    }
/* Written in y = f(x). */
#define SLOPE_Y(name, formula)                                                                                         \
    static double name(double y, double a, double b)                                                                   \
    {                                                                                                                  \
        (void)y, (void)a, (void)b;                                                                                     \
        return formula;                                                                                                \
    }

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

SLOPE_X(zero, 0)
SLOPE_X(one, 1)
SLOPE_X(minus_one, -1)
SLOPE_X(absolute, x > 0 ? 1 : x < 0 ? -1 : 0)
SLOPE_Y(sqrt_, 0.5 / y)
SLOPE_Y(reciprocal, -y * y)
SLOPE_Y(exp_, y)
SLOPE_X(log_, 1 / x)
SLOPE_X(erf_, TWO_BY_SQRT_PI * exp(-x * x))
SLOPE_X(sin_, cos(x))
SLOPE_X(cos_, -sin(x))
SLOPE_Y(tan_, 1 + y * y)
SLOPE_X(asin_, 1 / sqrt((1 - x) * (1 + x)))
SLOPE_X(acos_, -1 / sqrt((1 - x) * (1 + x)))
SLOPE_X(atan_, 1 / (1 + x * x))
SLOPE_X(sinh_, cosh(x))
SLOPE_X(cosh_, sinh(x))
SLOPE_X(asinh_, 1 / hypot(x, 1))
SLOPE_X(acosh_, 1 / (sqrt(x - 1) * sqrt(x + 1)))
SLOPE_X(atanh_, 1 / ((1 - x) * (1 + x)))
SLOPE_Y(relu, y <= 0 ? 0 : 1)
SLOPE_X(leakyrelu, x > 0 ? 1 : a)
SLOPE_X(elu, x > 0 ? 1 : a * exp(x))
SLOPE_X(selu, b * (x > 0 ? 1 : a * exp(x)))
SLOPE_X(celu, x > 0 ? 1 : exp(x / a))
SLOPE_Y(tanh_, (1 - y) * (1 + y))
SLOPE_Y(sigmoid, y * (1 - y))
SLOPE_X(softplus, logistic(x))
SLOPE_X(hardsigmoid, a * x + b > 0 && a * x + b < 1 ? a : 0)
SLOPE_X(hardswish, x >= 3 ? 1 : x > -3 ? x / 3 + 0.5 : 0)
SLOPE_X(softsign, 1 / ((1 + fabs(x)) * (1 + fabs(x))))
SLOPE_X(thresholded, x > a)
SLOPE_X(shrink, x < -a || x > a)
SLOPE_X(clip, x > a && x < b)

/* y = x * Phi(x): Phi(x) + x * phi(x), or the same for the tanh form. */
static double gelu(double x, double a, double b)
{
    (void)b;
    if (a == 0)
        return 0.5 * erfc(-x * SQRT_HALF) + x * INV_SQRT_2PI * exp(-0.5 * x * x);
    double t = tanh(SQRT_2_BY_PI * (x + GELU_CUBIC * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * SQRT_2_BY_PI * (1 + 3 * GELU_CUBIC * x * x);
}

static double swish(double x, double a, double b)
{
    (void)b;
    double s = logistic(a * x);
    return s + a * x * s * (1 - s);
}

static double mish(double x, double a, double b)
{
    (void)a, (void)b;
    double t = tanh(fmax(x, 0) + log1p(exp(-fabs(x))));
    return t + x * logistic(x) * (1 - t * t);
}

static const slope_fn slopes[LM_OPS] = {
    [LM_OP_IDENTITY] = one,            [LM_OP_ABS] = absolute,          [LM_OP_NEG] = minus_one,
    [LM_OP_SIGN] = zero,               [LM_OP_FLOOR] = zero,            [LM_OP_CEIL] = zero,
    [LM_OP_ROUND] = zero,              [LM_OP_SQRT] = sqrt_,            [LM_OP_RECIPROCAL] = reciprocal,
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
    [LM_OP_CLIP] = clip,               [LM_OP_ISNAN] = zero,            [LM_OP_ISINF] = zero,
};

double lm_ref_act_slope(lm_opid op, double v, double a, double b)
{
    return slopes[op](v, a, b);
}

/* (s, v): s * f'(v). Where an op with kinks has slope 0 its gate is shut and the result is +0, even for an infinite s;
 * the smooth ops multiply as IEEE says. */
lm_status lm_ref_actdx(const lm_ref_call *c)
{
    const lm_attr_actdx *a = &c->a->actdx;
    bool gated = lm_ops[a->of].grad != LM_GRAD_SMOOTH;
    int64_t n = lm_shape_count(&c->y[0].sh);
    const double *s = lm_ref_floats(c, 0), *v = lm_ref_floats(c, 1);
    double *out = lm_ref_new_floats(c, n);
    LM_REF_NEED(s && v && out);
    for (int64_t i = 0; i < n; i++) {
        double slope = lm_ref_act_slope((lm_opid)a->of, v[i], (double)a->a, (double)a->b);
        out[i] = gated && slope == 0 ? 0 : s[i] * slope;
    }
    lm_ref_put_floats(c, 0, out);
    return LM_OK;
}
