/* Derivatives of the elementwise functions, a row for each op: DERIVATIVE(OP, f), where f is s * slope and may use the
 * signal s, x (the function's operand, or its result where the op table says GRADY) and the parameters a and b. Included
 * like formulas.h. At a kink: abs, relu, thresholded, shrink, clip and hardsigmoid give 0; leakyrelu and the elu family
 * take the side below; hardswish 0 at -3, 1 at 3. Where an op with kinks is flat the result is +0, whatever s is. */
#define SET(c) lm_v_set(c)

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

DERIVATIVE(ABS, abs_slope(s, x))
DERIVATIVE(NEG, lm_v_neg(s))
DERIVATIVE(SQRT, lm_v_div(lm_v_mul(s, SET(0.5f)), x))
DERIVATIVE(RECIPROCAL, lm_v_neg(lm_v_mul(s, lm_v_mul(x, x))))
DERIVATIVE(EXP, times(s, x))
DERIVATIVE(LOG, lm_v_div(s, x))
DERIVATIVE(ERF, times(s, erf_slope(x)))
DERIVATIVE(SIN, times(s, lm_v_cos(x)))
DERIVATIVE(COS, lm_v_neg(times(s, lm_v_sin(x))))
DERIVATIVE(TAN, times(s, lm_v_fma(x, x, SET(1.0f))))
DERIVATIVE(ASIN, lm_v_div(s, lm_v_sqrt(one_minus_square(x))))
DERIVATIVE(ACOS, lm_v_neg(lm_v_div(s, lm_v_sqrt(one_minus_square(x)))))
DERIVATIVE(ATAN, lm_v_div(s, lm_v_fma(x, x, SET(1.0f))))
DERIVATIVE(SINH, times(s, lm_v_cosh(x)))
DERIVATIVE(COSH, times(s, lm_v_sinh(x)))
DERIVATIVE(ASINH, lm_v_div(s, lm_v_sqrt(lm_v_fma(x, x, SET(1.0f)))))
DERIVATIVE(ACOSH, lm_v_div(s, lm_v_sqrt(lm_v_mul(lm_v_sub(x, SET(1.0f)), lm_v_add(x, SET(1.0f))))))
DERIVATIVE(ATANH, lm_v_div(s, one_minus_square(x)))
DERIVATIVE(RELU, lm_v_select(lm_v_le(x, lm_v_zero()), lm_v_zero(), s))
DERIVATIVE(LEAKYRELU, bent(s, x, a))
DERIVATIVE(ELU, bent(s, x, lm_v_mul(a, lm_v_exp(x))))
DERIVATIVE(SELU, bent(lm_v_mul(s, b), x, lm_v_mul(a, lm_v_exp(x))))
DERIVATIVE(CELU, bent(s, x, lm_v_exp(lm_v_div(x, a))))
DERIVATIVE(GELU, times(s, gelu_slope(x, a)))
DERIVATIVE(SWISH, times(s, swish_slope(x, a)))
DERIVATIVE(MISH, times(s, mish_slope(x)))
DERIVATIVE(TANH, times(s, one_minus_square(x)))
DERIVATIVE(SIGMOID, times(s, lm_v_mul(x, lm_v_sub(SET(1.0f), x))))
DERIVATIVE(HARDSIGMOID, inside(lm_v_mul(s, a), lm_v_fma(a, x, b), lm_v_zero(), SET(1.0f)))
DERIVATIVE(HARDSWISH, hard_swish_slope(s, x))
DERIVATIVE(SOFTPLUS, times(s, lm_v_sigmoid(x)))
DERIVATIVE(SOFTSIGN, soft_sign_slope(s, x))
DERIVATIVE(THRESHOLDED, gate(lm_v_lt(a, x), s))
DERIVATIVE(SHRINK, gate(lm_v_lt(a, lm_v_abs(x)), s))
DERIVATIVE(CLIP, inside(s, x, a, b))
