/* Elementwise functions of one operand, a row for each op: UNARY(OP, f), where f may use x and the op's parameters a and b
 * as vectors. Whoever includes it says what a row becomes; OpenCL programs do so too, which is why there is no name in
 * here that is a function there. The formulas are ONNX's; corners: NaN stays NaN, relu(-0) = +0. */
#define SET(c) lm_v_set(c)

LM_VEC lm_v16 positive(lm_v16 x, lm_v16 yes, lm_v16 no) { return lm_v_select(lm_v_lt(lm_v_zero(), x), yes, no); }

/* -1, 0, +1; NaN stays */
LM_MATH lm_v16 sign_of(lm_v16 x)
{
    lm_v16 y = lm_v_select(lm_v_lt(x, lm_v_zero()), SET(-1.0f), lm_v_zero());
    y = positive(x, SET(1.0f), y);
    return lm_v_select(lm_v_nan(x), x, y);
}

/* x times the normal distribution below x, or its form with tanh: (1 + tanh(u)) / 2 = sigmoid(2u) */
LM_MATH lm_v16 gelu(lm_v16 x, lm_v16 tanh_form)
{
    if (!lm_m_any(lm_m_not(lm_v_eq(tanh_form, lm_v_zero()))))
        return lm_v_mul(x, lm_v_normal_cdf(x));
    lm_v16 cube = lm_v_mul(lm_v_mul(x, x), x);
    lm_v16 u2 = lm_v_mul(SET(1.59576912f), lm_v_fma(SET(0.044715f), cube, x)); /* 2 sqrt(2/pi) */
    return lm_v_mul(x, lm_v_sigmoid(u2));
}

LM_MATH lm_v16 hard_sigmoid(lm_v16 x, lm_v16 a, lm_v16 b)
{
    return lm_v_max(lm_v_zero(), lm_v_min(SET(1.0f), lm_v_fma(a, x, b)));
}

/* x > lambda: x - bias; x < -lambda: x + bias; NaN stays */
LM_MATH lm_v16 shrink(lm_v16 x, lm_v16 lambda, lm_v16 bias)
{
    lm_v16 y = lm_v_select(lm_v_lt(lambda, x), lm_v_sub(x, bias), lm_v_zero());
    y = lm_v_select(lm_v_lt(x, lm_v_neg(lambda)), lm_v_add(x, bias), y);
    return lm_v_select(lm_v_nan(x), x, y);
}

UNARY(ABS, lm_v_abs(x))
UNARY(NEG, lm_v_neg(x))
UNARY(SIGN, sign_of(x))
UNARY(FLOOR, lm_v_floor(x))
UNARY(CEIL, lm_v_ceil(x))
UNARY(ROUND, lm_v_rint(x))
UNARY(SQRT, lm_v_sqrt(x))
UNARY(RECIPROCAL, lm_v_div(SET(1.0f), x))
UNARY(EXP, lm_v_exp(x))
UNARY(LOG, lm_v_log(x))
UNARY(ERF, lm_v_erf(x))
UNARY(SIN, lm_v_sin(x))
UNARY(COS, lm_v_cos(x))
UNARY(TAN, lm_v_tan(x))
UNARY(ASIN, lm_v_asin(x))
UNARY(ACOS, lm_v_acos(x))
UNARY(ATAN, lm_v_atan(x))
UNARY(SINH, lm_v_sinh(x))
UNARY(COSH, lm_v_cosh(x))
UNARY(ASINH, lm_v_asinh(x))
UNARY(ACOSH, lm_v_acosh(x))
UNARY(ATANH, lm_v_atanh(x))
UNARY(RELU, lm_v_relu(x))
UNARY(LEAKYRELU, lm_v_select(lm_v_lt(x, lm_v_zero()), lm_v_mul(a, x), x))
UNARY(ELU, lm_v_select(lm_v_lt(x, lm_v_zero()), lm_v_mul(a, lm_v_expm1(x)), x))
UNARY(SELU, lm_v_mul(b, lm_v_select(lm_v_lt(x, lm_v_zero()), lm_v_mul(a, lm_v_expm1(x)), x)))
UNARY(CELU, lm_v_select(lm_v_lt(x, lm_v_zero()), lm_v_mul(a, lm_v_expm1(lm_v_div(x, a))), x))
UNARY(GELU, gelu(x, a))
UNARY(SWISH, lm_v_mul(x, lm_v_sigmoid(lm_v_mul(a, x))))
UNARY(MISH, lm_v_mul(x, lm_v_tanh(lm_v_softplus(x))))
UNARY(TANH, lm_v_tanh(x))
UNARY(SIGMOID, lm_v_sigmoid(x))
UNARY(HARDSIGMOID, hard_sigmoid(x, a, b))
UNARY(HARDSWISH, lm_v_mul(x, hard_sigmoid(x, SET(1.0f / 6.0f), SET(0.5f))))
UNARY(SOFTPLUS, lm_v_softplus(x))
UNARY(SOFTSIGN, lm_v_div(x, lm_v_add(SET(1.0f), lm_v_abs(x))))
UNARY(THRESHOLDED, lm_v_select(lm_m_or(lm_v_lt(a, x), lm_v_nan(x)), x, lm_v_zero()))
UNARY(SHRINK, shrink(x, a, b))
UNARY(CLIP, lm_v_min(b, lm_v_max(a, x)))
