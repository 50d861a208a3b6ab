/* Second derivatives of elementwise ops, as expressions of other ops, so that there is no end to how often one may
 * differentiate. Pieces that are straight have none. */
#include "core/rules/grad.h"

#define SQRT_2_BY_PI 0.79788456080286535588
#define INV_SQRT_2PI 0.39894228040143267794
#define TWO_BY_SQRT_PI 1.12837916709551257390
#define GELU_CUBIC 0.044715

typedef struct point {
    lm_emit *e;
    double a, b;
    lm_val v;
} point;

typedef lm_val (*curve)(const point *p);

static lm_val number(const point *p, double value)
{
    return lm_number(p->e, p->v, value);
}

static lm_val scaled(const point *p, lm_val x, double factor)
{
    return lm_emit_scalar(p->e, LM_OP_MUL, x, factor);
}

static lm_val raised(const point *p, lm_val x, double by)
{
    return lm_emit_scalar(p->e, LM_OP_ADD, x, by);
}

static lm_val square(const point *p, lm_val x)
{
    return lm_times(p->e, x, x);
}

static lm_val power(const point *p, lm_val x, double exponent)
{
    return lm_emit_scalar(p->e, LM_OP_POW, x, exponent);
}

static lm_val exponential(const point *p, lm_val x)
{
    return lm_unary(p->e, LM_OP_EXP, x);
}

static lm_val negative(const point *p, lm_val x)
{
    return lm_unary(p->e, LM_OP_NEG, x);
}

/* 1 - x² */
static lm_val one_less_square(const point *p, lm_val x)
{
    return lm_minus(p->e, number(p, 1), square(p, x));
}

/* Written in y: how f'(y) changes with y. */
static lm_val sqrt_y(const point *p)
{
    return scaled(p, power(p, p->v, -2), -0.5);
}

static lm_val minus_2y(const point *p)
{
    return scaled(p, p->v, -2);
}

static lm_val plus_2y(const point *p)
{
    return scaled(p, p->v, 2);
}

static lm_val one(const point *p)
{
    return number(p, 1);
}

static lm_val sigmoid_y(const point *p)
{
    return raised(p, scaled(p, p->v, -2), 1);
}

/* Written in x. */
static lm_val log_x(const point *p)
{
    return scaled(p, power(p, p->v, -2), -1);
}

static lm_val erf_x(const point *p)
{
    return lm_times(p->e, scaled(p, p->v, -2 * TWO_BY_SQRT_PI), exponential(p, negative(p, square(p, p->v))));
}

static lm_val minus_sin(const point *p)
{
    return negative(p, lm_unary(p->e, LM_OP_SIN, p->v));
}

static lm_val minus_cos(const point *p)
{
    return negative(p, lm_unary(p->e, LM_OP_COS, p->v));
}

static lm_val asin_x(const point *p)
{
    return lm_times(p->e, p->v, power(p, one_less_square(p, p->v), -1.5));
}

static lm_val acos_x(const point *p)
{
    return negative(p, asin_x(p));
}

static lm_val atan_x(const point *p)
{
    return lm_times(p->e, scaled(p, p->v, -2), power(p, raised(p, square(p, p->v), 1), -2));
}

static lm_val sinh_x(const point *p)
{
    return lm_unary(p->e, LM_OP_SINH, p->v);
}

static lm_val cosh_x(const point *p)
{
    return lm_unary(p->e, LM_OP_COSH, p->v);
}

static lm_val asinh_x(const point *p)
{
    return lm_times(p->e, negative(p, p->v), power(p, raised(p, square(p, p->v), 1), -1.5));
}

static lm_val acosh_x(const point *p)
{
    return lm_times(p->e, negative(p, p->v), power(p, raised(p, square(p, p->v), -1), -1.5));
}

static lm_val atanh_x(const point *p)
{
    return lm_times(p->e, scaled(p, p->v, 2), power(p, one_less_square(p, p->v), -2));
}

/* `x` on the curved side of a function that is straight above 0. */
static lm_val below_0(const point *p, lm_val x)
{
    lm_val above = lm_emit_scalar(p->e, LM_OP_GREATER, p->v, 0);
    return lm_choose(p->e, above, number(p, 0), x);
}

static lm_val elu_x(const point *p)
{
    return below_0(p, scaled(p, exponential(p, p->v), p->a));
}

static lm_val selu_x(const point *p)
{
    return below_0(p, scaled(p, exponential(p, p->v), p->a * p->b));
}

static lm_val celu_x(const point *p)
{
    return below_0(p, scaled(p, exponential(p, scaled(p, p->v, 1 / p->a)), 1 / p->a));
}

static lm_val softplus_x(const point *p)
{
    lm_val s = lm_unary(p->e, LM_OP_SIGMOID, p->v);
    return lm_times(p->e, s, lm_minus(p->e, number(p, 1), s));
}

static lm_val hardswish_x(const point *p)
{
    lm_val inside = lm_emit_scalar(p->e, LM_OP_LESS, lm_unary(p->e, LM_OP_ABS, p->v), 3);
    return lm_choose(p->e, inside, number(p, 1.0 / 3), number(p, 0));
}

static lm_val softsign_x(const point *p)
{
    lm_val sign = lm_unary(p->e, LM_OP_SIGN, p->v), size = lm_unary(p->e, LM_OP_ABS, p->v);
    return lm_times(p->e, scaled(p, sign, -2), power(p, raised(p, size, 1), -3));
}

/* a != 0 is the tanh form: with u = k (x + c x³) and t = tanh u, f'' = (1 - t²) (u' + x u'' / 2 - x t u'²). */
static lm_val gelu_x(const point *p)
{
    lm_emit *e = p->e;
    lm_val x = p->v, xx = square(p, x);
    if (p->a == 0)
        return lm_times(e, scaled(p, exponential(p, scaled(p, xx, -0.5)), INV_SQRT_2PI), raised(p, negative(p, xx), 2));
    lm_val slope = raised(p, scaled(p, xx, 3 * GELU_CUBIC * SQRT_2_BY_PI), SQRT_2_BY_PI);
    lm_val u = lm_times(e, x, raised(p, scaled(p, xx, GELU_CUBIC * SQRT_2_BY_PI), SQRT_2_BY_PI));
    lm_val t = lm_unary(e, LM_OP_TANH, u);
    lm_val bend = scaled(p, xx, 3 * GELU_CUBIC * SQRT_2_BY_PI);
    lm_val fall = lm_times(e, lm_times(e, x, t), square(p, slope));
    return lm_times(e, one_less_square(p, t), lm_minus(e, lm_plus(e, slope, bend), fall));
}

/* a s (1 - s) (2 + a x (1 - 2s)) with s = sigmoid(a x) */
static lm_val swish_x(const point *p)
{
    lm_emit *e = p->e;
    lm_val ax = scaled(p, p->v, p->a), s = lm_unary(e, LM_OP_SIGMOID, ax);
    lm_val rise = scaled(p, lm_times(e, s, lm_minus(e, number(p, 1), s)), p->a);
    return lm_times(e, rise, raised(p, lm_times(e, ax, raised(p, scaled(p, s, -2), 1)), 2));
}

/* f = x t with t = tanh(softplus x): f'' = 2 t' + x t'', t' = (1 - t²) s, t'' = (1 - t²) s (1 - s - 2 t s). */
static lm_val mish_x(const point *p)
{
    lm_emit *e = p->e;
    lm_val s = lm_unary(e, LM_OP_SIGMOID, p->v);
    lm_val t = lm_unary(e, LM_OP_TANH, lm_unary(e, LM_OP_SOFTPLUS, p->v));
    lm_val first = lm_times(e, one_less_square(p, t), s);
    lm_val bend = lm_minus(e, lm_minus(e, number(p, 1), s), scaled(p, lm_times(e, t, s), 2));
    return lm_times(e, first, raised(p, lm_times(e, p->v, bend), 2));
}

static const curve curves[LM_OPS] = {
    [LM_OP_SQRT] = sqrt_y,     [LM_OP_RECIPROCAL] = minus_2y, [LM_OP_EXP] = one,         [LM_OP_TAN] = plus_2y,
    [LM_OP_TANH] = minus_2y,   [LM_OP_SIGMOID] = sigmoid_y,   [LM_OP_LOG] = log_x,       [LM_OP_ERF] = erf_x,
    [LM_OP_SIN] = minus_sin,   [LM_OP_COS] = minus_cos,       [LM_OP_ASIN] = asin_x,     [LM_OP_ACOS] = acos_x,
    [LM_OP_ATAN] = atan_x,     [LM_OP_SINH] = sinh_x,         [LM_OP_COSH] = cosh_x,     [LM_OP_ASINH] = asinh_x,
    [LM_OP_ACOSH] = acosh_x,   [LM_OP_ATANH] = atanh_x,       [LM_OP_ELU] = elu_x,       [LM_OP_SELU] = selu_x,
    [LM_OP_CELU] = celu_x,     [LM_OP_GELU] = gelu_x,         [LM_OP_SWISH] = swish_x,   [LM_OP_MISH] = mish_x,
    [LM_OP_SOFTPLUS] = softplus_x, [LM_OP_HARDSWISH] = hardswish_x, [LM_OP_SOFTSIGN] = softsign_x,
};

lm_val lm_grad_curve(lm_emit *e, lm_opid of, double a, double b, lm_val v)
{
    const point p = {e, a, b, v};
    return curves[of] ? curves[of](&p) : LM_NOVAL;
}
