/* Elementwise functions as expressions, one row per op: unary rows of x with the op's parameters a and b, derivatives
 * of the signal s and x (f(x) where the op table says so), rows of two operands. The formulas and their corners
 * are those of the cpu device. */
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

#define fn_ABS(x, a, b) lm_v_abs(x)
#define fn_NEG(x, a, b) lm_v_neg(x)
#define fn_SIGN(x, a, b) sign_of(x)
#define fn_FLOOR(x, a, b) lm_v_floor(x)
#define fn_CEIL(x, a, b) lm_v_ceil(x)
#define fn_ROUND(x, a, b) lm_v_rint(x)
#define fn_SQRT(x, a, b) lm_v_sqrt(x)
#define fn_RECIPROCAL(x, a, b) lm_v_div(SET(1.0f), x)
#define fn_EXP(x, a, b) lm_v_exp(x)
#define fn_LOG(x, a, b) lm_v_log(x)
#define fn_ERF(x, a, b) lm_v_erf(x)
#define fn_SIN(x, a, b) lm_v_sin(x)
#define fn_COS(x, a, b) lm_v_cos(x)
#define fn_TAN(x, a, b) lm_v_tan(x)
#define fn_ASIN(x, a, b) lm_v_asin(x)
#define fn_ACOS(x, a, b) lm_v_acos(x)
#define fn_ATAN(x, a, b) lm_v_atan(x)
#define fn_SINH(x, a, b) lm_v_sinh(x)
#define fn_COSH(x, a, b) lm_v_cosh(x)
#define fn_ASINH(x, a, b) lm_v_asinh(x)
#define fn_ACOSH(x, a, b) lm_v_acosh(x)
#define fn_ATANH(x, a, b) lm_v_atanh(x)
#define fn_RELU(x, a, b) lm_v_relu(x)
#define fn_LEAKYRELU(x, a, b) lm_v_select(lm_v_lt(x, lm_v_zero()), lm_v_mul(a, x), x)
#define fn_ELU(x, a, b) lm_v_select(lm_v_lt(x, lm_v_zero()), lm_v_mul(a, lm_v_expm1(x)), x)
#define fn_SELU(x, a, b) lm_v_mul(b, lm_v_select(lm_v_lt(x, lm_v_zero()), lm_v_mul(a, lm_v_expm1(x)), x))
#define fn_CELU(x, a, b) lm_v_select(lm_v_lt(x, lm_v_zero()), lm_v_mul(a, lm_v_expm1(lm_v_div(x, a))), x)
#define fn_GELU(x, a, b) gelu(x, a)
#define fn_SWISH(x, a, b) lm_v_mul(x, lm_v_sigmoid(lm_v_mul(a, x)))
#define fn_MISH(x, a, b) lm_v_mul(x, lm_v_tanh(lm_v_softplus(x)))
#define fn_TANH(x, a, b) lm_v_tanh(x)
#define fn_SIGMOID(x, a, b) lm_v_sigmoid(x)
#define fn_HARDSIGMOID(x, a, b) hard_sigmoid(x, a, b)
#define fn_HARDSWISH(x, a, b) lm_v_mul(x, hard_sigmoid(x, SET(1.0f / 6.0f), SET(0.5f)))
#define fn_SOFTPLUS(x, a, b) lm_v_softplus(x)
#define fn_SOFTSIGN(x, a, b) lm_v_div(x, lm_v_add(SET(1.0f), lm_v_abs(x)))
#define fn_THRESHOLDED(x, a, b) lm_v_select(lm_m_or(lm_v_lt(a, x), lm_v_nan(x)), x, lm_v_zero())
#define fn_SHRINK(x, a, b) shrink(x, a, b)
#define fn_CLIP(x, a, b) lm_v_min(b, lm_v_max(a, x))

LM_VEC lm_v16 times(lm_v16 s, lm_v16 d) { return lm_v_mul(s, d); }
LM_VEC lm_v16 gate(lm_vm16 open, lm_v16 s) { return lm_v_select(open, s, lm_v_zero()); }
LM_VEC lm_v16 one_minus_square(lm_v16 x)
{
    lm_v16 one = SET(1.0f);
    return lm_v_mul(lm_v_sub(one, x), lm_v_add(one, x));
}

/* s where x > 0, s * low elsewhere */
LM_VEC lm_v16 bent(lm_v16 s, lm_v16 x, lm_v16 low)
{
    lm_v16 below = gate(lm_m_not(lm_v_eq(low, lm_v_zero())), lm_v_mul(s, low));
    return lm_v_select(lm_v_lt(lm_v_zero(), x), s, below);
}

LM_VEC lm_v16 abs_slope(lm_v16 s, lm_v16 x)
{
    return lm_v_select(lm_v_lt(lm_v_zero(), x), s, gate(lm_v_lt(x, lm_v_zero()), lm_v_neg(s)));
}

LM_MATH lm_v16 erf_slope(lm_v16 x)
{
    return lm_v_mul(SET(1.12837917f), lm_v_exp(lm_v_neg(lm_v_mul(x, x)))); /* 2 / sqrt(pi) */
}

LM_MATH lm_v16 gelu_slope(lm_v16 x, lm_v16 tanh_form)
{
    lm_v16 one = SET(1.0f), z = lm_v_mul(x, x);
    if (!lm_m_any(lm_m_not(lm_v_eq(tanh_form, lm_v_zero())))) {
        lm_v16 pdf = lm_v_mul(SET(0.398942280f), lm_v_exp(lm_v_mul(SET(-0.5f), z))); /* 1 / sqrt(2 pi) */
        return lm_v_fma(x, pdf, lm_v_normal_cdf(x));
    }
    lm_v16 k = SET(1.59576912f); /* 2 sqrt(2/pi); x g(2u) has the slope g + x g (1 - g) (2u)' */
    lm_v16 g = lm_v_sigmoid(lm_v_mul(k, lm_v_fma(SET(0.044715f), lm_v_mul(z, x), x)));
    lm_v16 du = lm_v_mul(k, lm_v_fma(SET(0.134145f), z, one));
    return lm_v_fma(lm_v_mul(lm_v_mul(x, g), lm_v_sub(one, g)), du, g);
}

LM_MATH lm_v16 swish_slope(lm_v16 x, lm_v16 a)
{
    lm_v16 g = lm_v_sigmoid(lm_v_mul(a, x));
    return lm_v_fma(lm_v_mul(lm_v_mul(a, x), g), lm_v_sub(SET(1.0f), g), g);
}

LM_MATH lm_v16 mish_slope(lm_v16 x)
{
    lm_v16 t = lm_v_tanh(lm_v_softplus(x));
    return lm_v_fma(lm_v_mul(x, one_minus_square(t)), lm_v_sigmoid(x), t);
}

LM_VEC lm_v16 inside(lm_v16 s, lm_v16 x, lm_v16 lo, lm_v16 hi)
{
    return gate(lm_m_and(lm_v_lt(lo, x), lm_v_lt(x, hi)), s);
}

LM_MATH lm_v16 hard_swish_slope(lm_v16 s, lm_v16 x)
{
    lm_v16 mid = lm_v_mul(s, lm_v_fma(x, SET(1.0f / 3.0f), SET(0.5f)));
    return lm_v_select(lm_v_le(SET(3.0f), x), s, gate(lm_v_lt(SET(-3.0f), x), mid));
}

LM_VEC lm_v16 soft_sign_slope(lm_v16 s, lm_v16 x)
{
    lm_v16 d = lm_v_add(SET(1.0f), lm_v_abs(x));
    return lm_v_div(s, lm_v_mul(d, d));
}

#define dx_ABS(s, x, a, b) abs_slope(s, x)
#define dx_NEG(s, x, a, b) lm_v_neg(s)
#define dx_SQRT(s, x, a, b) lm_v_div(lm_v_mul(s, SET(0.5f)), x)
#define dx_RECIPROCAL(s, x, a, b) lm_v_neg(lm_v_mul(s, lm_v_mul(x, x)))
#define dx_EXP(s, x, a, b) times(s, x)
#define dx_LOG(s, x, a, b) lm_v_div(s, x)
#define dx_ERF(s, x, a, b) times(s, erf_slope(x))
#define dx_SIN(s, x, a, b) times(s, lm_v_cos(x))
#define dx_COS(s, x, a, b) lm_v_neg(times(s, lm_v_sin(x)))
#define dx_TAN(s, x, a, b) times(s, lm_v_fma(x, x, SET(1.0f)))
#define dx_ASIN(s, x, a, b) lm_v_div(s, lm_v_sqrt(one_minus_square(x)))
#define dx_ACOS(s, x, a, b) lm_v_neg(lm_v_div(s, lm_v_sqrt(one_minus_square(x))))
#define dx_ATAN(s, x, a, b) lm_v_div(s, lm_v_fma(x, x, SET(1.0f)))
#define dx_SINH(s, x, a, b) times(s, lm_v_cosh(x))
#define dx_COSH(s, x, a, b) times(s, lm_v_sinh(x))
#define dx_ASINH(s, x, a, b) lm_v_div(s, lm_v_sqrt(lm_v_fma(x, x, SET(1.0f))))
#define dx_ACOSH(s, x, a, b) lm_v_div(s, lm_v_sqrt(lm_v_mul(lm_v_sub(x, SET(1.0f)), lm_v_add(x, SET(1.0f)))))
#define dx_ATANH(s, x, a, b) lm_v_div(s, one_minus_square(x))
#define dx_RELU(s, x, a, b) gate(lm_v_lt(lm_v_zero(), x), s)
#define dx_LEAKYRELU(s, x, a, b) bent(s, x, a)
#define dx_ELU(s, x, a, b) bent(s, x, lm_v_mul(a, lm_v_exp(x)))
#define dx_SELU(s, x, a, b) bent(lm_v_mul(s, b), x, lm_v_mul(a, lm_v_exp(x)))
#define dx_CELU(s, x, a, b) bent(s, x, lm_v_exp(lm_v_div(x, a)))
#define dx_GELU(s, x, a, b) times(s, gelu_slope(x, a))
#define dx_SWISH(s, x, a, b) times(s, swish_slope(x, a))
#define dx_MISH(s, x, a, b) times(s, mish_slope(x))
#define dx_TANH(s, x, a, b) times(s, one_minus_square(x))
#define dx_SIGMOID(s, x, a, b) times(s, lm_v_mul(x, lm_v_sub(SET(1.0f), x)))
#define dx_HARDSIGMOID(s, x, a, b) inside(lm_v_mul(s, a), lm_v_fma(a, x, b), lm_v_zero(), SET(1.0f))
#define dx_HARDSWISH(s, x, a, b) hard_swish_slope(s, x)
#define dx_SOFTPLUS(s, x, a, b) times(s, lm_v_sigmoid(x))
#define dx_SOFTSIGN(s, x, a, b) soft_sign_slope(s, x)
#define dx_THRESHOLDED(s, x, a, b) gate(lm_v_lt(a, x), s)
#define dx_SHRINK(s, x, a, b) gate(lm_v_lt(a, lm_v_abs(x)), s)
#define dx_CLIP(s, x, a, b) inside(s, x, a, b)

#define fn_ADD(a, b) lm_v_add(a, b)
#define fn_SUB(a, b) lm_v_sub(a, b)
#define fn_MUL(a, b) lm_v_mul(a, b)
#define fn_DIV(a, b) lm_v_div(a, b)
#define fn_MIN(a, b) lm_v_min(a, b)
#define fn_MAX(a, b) lm_v_max(a, b)
#define fn_PRELU(a, b) lm_v_select(lm_v_lt(a, lm_v_zero()), lm_v_mul(b, a), a)
#define fn_POW(a, b) lm_v_pow(a, b)
#define fn_ATAN2(a, b) lm_v_atan2(a, b)
#define fn_MOD(a, b) fmod(a, b)
#define fn_EQUAL(a, b) lm_v_eq(a, b)
#define fn_GREATER(a, b) lm_v_lt(b, a)
#define fn_GREATEREQ(a, b) lm_v_le(b, a)
#define fn_LESS(a, b) lm_v_lt(a, b)
#define fn_LESSEQ(a, b) lm_v_le(a, b)
#define fn_IDENTITY(x, a, b) (x)
#define fn_ISNAN(x, a, b) lm_v_nan(x)
/* a: -inf does not count, b: +inf does not */
#define fn_ISINF(x, a, b) (((x) == INFINITY & (b) == 0.0f) | ((x) == -INFINITY & (a) == 0.0f))
