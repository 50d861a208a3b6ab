/* vmath.h - exponentials, logarithms, hyperbolic functions and erf over lm_v16.
 *
 * Polynomials with explicit fused multiply-adds only, so every level returns the same bits. Right at NaN, infinities,
 * zeros (odd functions keep the sign), subnormals and on overflow. tests/unit/test_vmath.c holds the measured error of
 * every function against double precision; tools/gen/minimax.c fits the coefficients. */
#ifndef LM_CPU_SIMD_VMATH_H
#define LM_CPU_SIMD_VMATH_H

#include "vec.h"

/* c[0] + c[1] t + ... */
LM_VEC lm_v16 lm_v_poly(lm_v16 t, const float *c, int n)
{
    lm_v16 y = lm_v_set(c[n - 1]);
#if !LM_COMPACT && !defined(__clang__)
#pragma GCC unroll 16
#endif
    for (int k = n - 2; k >= 0; k--)
        y = lm_v_fma(y, t, lm_v_set(c[k]));
    return y;
}
#ifndef LM_POLY /* OpenCL C has a form of its own */
#define LM_POLY(t, ...)                                                                                               \
    __extension__({                                                                                                   \
        static const float coef_[] = {__VA_ARGS__};                                                                   \
        lm_v_poly(t, coef_, (int)(sizeof coef_ / sizeof *coef_));                                                     \
    })
#endif

#define LM_LN2_HI 0x1.62e430p-1f
#define LM_LN2_LO -0x1.05c610p-29f
#define LM_LOG2E 0x1.715476p+0f

/* e^x = (1 + q) 2^n with |q| < 0.42, for |x| <= 128; n x LM_LN2_HI leaves x exactly */
typedef struct lm_v_exp_parts { lm_v16 q, n; } lm_v_exp_parts;

/* e^r - 1 for |r| < 0.35 */
LM_MATH lm_v16 lm_v_exp_near0(lm_v16 r)
{
    lm_v16 p = LM_POLY(r, 0x1.fffffep-2f, 0x1.5554aap-3f, 0x1.55579cp-5f, 0x1.122c5ap-7f, 0x1.6ab892p-10f);
    return lm_v_fma(lm_v_mul(r, r), p, r);
}

LM_MATH lm_v_exp_parts lm_v_exp_split(lm_v16 x)
{
    lm_v16 n = lm_v_rint(lm_v_mul(x, lm_v_set(LM_LOG2E)));
    lm_v16 r = lm_v_fnma(n, lm_v_set(LM_LN2_LO), lm_v_fnma(n, lm_v_set(LM_LN2_HI), x));
    return (lm_v_exp_parts){lm_v_exp_near0(r), n};
}

/* Where the general scaling is several operations, results that stay in the normal range take a shorter way to the same
 * bits. */
LM_MATH lm_v16 lm_v_exp(lm_v16 x)
{
    lm_v16 one = lm_v_set(1.0f);
    if (LM_LDEXP_SLOW && !lm_m_any(lm_m_not(lm_v_lt(lm_v_abs(x), lm_v_set(86.0f))))) {
        lm_v_exp_parts e = lm_v_exp_split(x);
        return lm_v_ldexp_near(lm_v_add(e.q, one), e.n);
    }
    lm_v_exp_parts e = lm_v_exp_split(lm_v_clamp(x, -104.0f, 89.0f));
    return lm_v_ldexp(lm_v_add(e.q, one), e.n);
}

/* e^x for x <= 0, exactly 0 from -87.7 down: the weights of a softmax, off by less than 1.6 units in the last place near
 * 1 and by 12 at the far end. Adding 1.5 x 2^23 + 127 rounds x / ln 2 to an integer n whose bits, moved up, are 2^n, and
 * 0 for n = -127, the least there can be; P is fitted to (2^f - 1) / f, its signs turned since g = -f. */
LM_MATH lm_v16 lm_v_exp_weight(lm_v16 x)
{
    lm_v16 log2e = lm_v_set(LM_LOG2E), round = lm_v_set(0x1.8000fep+23f), near = lm_v_greater(lm_v_set(-88.0f), x);
    lm_v16 t = lm_v_fma(near, log2e, round), n = lm_v_sub(t, round), scale = lm_i_as_v(lm_i_shl(lm_v_as_i(t), 23));
    lm_v16 g = lm_v_fnma(near, log2e, n);
    lm_v16 p = LM_POLY(g, -0x1.62e432p-1f, 0x1.ebf9a2p-3f, -0x1.c6acf8p-5f, 0x1.3cf3a4p-7f, -0x1.603916p-10f);
    return lm_v_fma(lm_v_mul(p, g), scale, scale);
}

/* e^x / 2, finite up to 89.4 */
LM_MATH lm_v16 lm_v_half_exp(lm_v16 x)
{
    lm_v_exp_parts e = lm_v_exp_split(lm_v_clamp(x, -104.0f, 91.0f));
    return lm_v_ldexp(lm_v_add(e.q, lm_v_set(1.0f)), lm_v_sub(e.n, lm_v_set(1.0f)));
}

LM_MATH lm_v16 lm_v_expm1(lm_v16 x)
{
    lm_v16 one = lm_v_set(1.0f), one_half = lm_v_set(0.5f);
    lm_v_exp_parts e = lm_v_exp_split(lm_v_clamp(x, -104.0f, 89.0f));
    lm_v16 s = lm_v_ldexp(one, lm_v_sub(e.n, one)); /* half the scale: n = 128 is still finite */
    lm_v16 y = lm_v_fma(e.q, s, lm_v_sub(s, one_half));
    y = lm_v_select(lm_v_eq(e.n, lm_v_zero()), e.q, lm_v_add(y, y));
    return lm_v_select(lm_v_lt(lm_v_abs(x), lm_v_set(0x1p-26f)), x, y);
}

/* log(x + c) for positive normal x and a correction c far below x (NULL: none); `scale` is added to x's exponent */
LM_MATH lm_v16 lm_v_log_core(lm_v16 x, const lm_v16 *c, lm_v16 scale)
{
    lm_vi16 i = lm_v_as_i(x), k = lm_i_sar(lm_i_sub(i, lm_i_set(0x3f3504f3)), 23);
    lm_v16 m = lm_i_as_v(lm_i_sub(i, lm_i_shl(k, 23))), e = lm_i_to_v(k); /* m in [sqrt(1/2), sqrt(2)) */
    lm_v16 f = lm_v_sub(m, lm_v_set(1.0f));
    if (c)
        f = lm_v_add(f, lm_v_ldexp(*c, lm_v_neg(e)));
    lm_v16 f2 = lm_v_mul(f, f);
    lm_v16 p = LM_POLY(f, 0x1.555548p-2f, -0x1.00007p-2f, 0x1.99a54p-3f, -0x1.552f18p-3f, 0x1.23036ep-3f,
                       -0x1.0103a2p-3f, 0x1.efeb96p-4f, -0x1.bf882p-4f, 0x1.b79d26p-5f);
    e = lm_v_add(e, scale);
    lm_v16 y = lm_v_fma(lm_v_mul(f2, f), p, lm_v_mul(e, lm_v_set(LM_LN2_LO)));
    y = lm_v_add(f, lm_v_fnma(lm_v_set(0.5f), f2, y));
    return lm_v_fma(e, lm_v_set(LM_LN2_HI), y);
}

/* what the logarithm of x + c is where the core does not hold; x + c < 0 exactly where x < 0 */
LM_MATH lm_v16 lm_v_log_ends(lm_v16 x, lm_v16 y)
{
    lm_v16 inf = lm_v_set(INFINITY);
    y = lm_v_select(lm_v_lt(x, inf), y, x); /* +inf and NaN stay */
    y = lm_v_select(lm_v_lt(x, lm_v_zero()), lm_v_set(NAN), y);
    return lm_v_select(lm_v_eq(x, lm_v_zero()), lm_v_neg(inf), y);
}

LM_MATH lm_v16 lm_v_log(lm_v16 x)
{
    lm_vm16 small = lm_v_lt(x, lm_v_set(0x1p-126f)); /* subnormal: scale up first */
    lm_v16 up = lm_v_select(small, lm_v_mul(x, lm_v_set(0x1p+23f)), x);
    lm_v16 scale = lm_v_select(small, lm_v_set(-23.0f), lm_v_zero());
    return lm_v_log_ends(x, lm_v_log_core(up, NULL, scale));
}

/* log(1 + x) with 1 + x = u + c exactly */
LM_MATH lm_v16 lm_v_log1p(lm_v16 x)
{
    lm_v16 one = lm_v_set(1.0f), u = lm_v_add(x, one), v = lm_v_sub(u, one);
    lm_v16 c = lm_v_add(lm_v_sub(one, lm_v_sub(u, v)), lm_v_sub(x, v));
    lm_v16 y = lm_v_log_ends(u, lm_v_log_core(u, &c, lm_v_zero()));
    return lm_v_select(lm_v_lt(lm_v_abs(x), lm_v_set(0x1p-26f)), x, y);
}

/* a + a^3 P(a^2), the form of the odd functions */
#define LM_ODD_POLY(a, ...) lm_v_fma(lm_v_mul(lm_v_mul(a, a), a), LM_POLY(lm_v_mul(a, a), __VA_ARGS__), a)

LM_MATH lm_v16 lm_v_tanh(lm_v16 x)
{
    lm_v16 a = lm_v_abs(x), one = lm_v_set(1.0f), two = lm_v_set(2.0f);
    lm_v16 near0 = LM_ODD_POLY(a, -0x1.555532p-2f, 0x1.1106f6p-3f, -0x1.b835a4p-5f, 0x1.51f8cep-6f, -0x1.750ce4p-8f);
    lm_v16 e = lm_v_exp(lm_v_add(a, a));
    lm_v16 far = lm_v_sub(one, lm_v_div(two, lm_v_add(e, one)));
    return lm_v_copysign(lm_v_select(lm_v_lt(a, lm_v_set(0.625f)), near0, far), x);
}

/* e / d or 1 / d with e = exp(-|x|), d = 1 + e; the last step gives back what rounding d lost, and 1/d is s or 1 - s */
LM_MATH lm_v16 lm_v_sigmoid(lm_v16 x)
{
    lm_v16 one = lm_v_set(1.0f), e = lm_v_exp(lm_v_neg(lm_v_abs(x))), d = lm_v_add(e, one);
    lm_vm16 negative = lm_v_lt(x, lm_v_zero());
    lm_v16 s = lm_v_div(lm_v_select(negative, e, one), d), d_lo = lm_v_sub(e, lm_v_sub(d, one));
    return lm_v_fnma(lm_v_mul(s, d_lo), lm_v_select(negative, lm_v_sub(one, s), s), s);
}

/* log(1 + e^x) */
LM_MATH lm_v16 lm_v_softplus(lm_v16 x)
{
    return lm_v_add(lm_v_relu(x), lm_v_log1p(lm_v_exp(lm_v_neg(lm_v_abs(x)))));
}

LM_MATH lm_v16 lm_v_erf(lm_v16 x)
{
    lm_v16 a = lm_v_abs(x), z = lm_v_mul(a, a), one = lm_v_set(1.0f);
    lm_v16 p = LM_POLY(z, 0x1.06eba8p-3f, -0x1.81273ep-2f, 0x1.ce2ce6p-4f, -0x1.b7f71ap-6f, 0x1.53f224p-8f,
                       -0x1.a3515ep-11f, 0x1.4771fep-14f);
    lm_v16 t = lm_v_sub(lm_v_clamp(a, 1.0f, 4.0f), lm_v_set(2.0f));
    lm_v16 q = LM_POLY(t, 0x1.575b32p+2f, 0x1.1ac322p+2f, 0x1.d8f624p-1f, 0x1.0e03f8p-6f, -0x1.d1bef6p-9f,
                       0x1.76da94p-11f, -0x1.707426p-13f, 0x1.115476p-18f); /* -log(erfc(t + 2)) */
    lm_v16 tail = lm_v_sub(one, lm_v_exp(lm_v_neg(q)));
    return lm_v_copysign(lm_v_select(lm_v_lt(a, one), lm_v_fma(a, p, a), tail), x);
}

/* The normal distribution below x: Q = exp(-x^2/2) u P(u) for the side away from 0, and 1 - Q. What rounding x^2/2 lost
 * is given back to first order, so that Q keeps its relative accuracy far out. */
LM_MATH lm_v16 lm_v_normal_cdf(lm_v16 x)
{
    lm_v16 a = lm_v_clamp(lm_v_abs(x), 0x1p-100f, 15.0f), one = lm_v_set(1.0f), half_a = lm_v_mul(lm_v_set(0.5f), a);
    lm_v16 h = lm_v_mul(half_a, a), h_lo = lm_v_fnma(half_a, a, h); /* -x^2/2 = -h + h_lo */
    lm_v16 e = lm_v_exp(lm_v_neg(h));
    e = lm_v_fma(e, h_lo, e);
    lm_v16 u = lm_v_div(one, lm_v_fma(a, lm_v_set(1.0f / 3.0f), one)), z = lm_v_mul(u, u);
    lm_v16 even = LM_POLY(z, 0x1.105268p-3f, 0x1.d8e114p-4f, -0x1.b07d5p-9f, -0x1.1c1c8p-3f, 0x1.a4f42ep-6f);
    lm_v16 odd = LM_POLY(z, 0x1.10e546p-3f, 0x1.aacb46p-4f, 0x1.dfbd68p-4f, 0x1.759eacp-6f, -0x1.360764p-7f);
    lm_v16 q = lm_v_mul(lm_v_mul(e, u), lm_v_fma(u, odd, even));
    return lm_v_select(lm_v_lt(x, lm_v_zero()), q, lm_v_sub(one, q));
}

LM_MATH lm_v16 lm_v_sinh(lm_v16 x)
{
    lm_v16 a = lm_v_abs(x), h = lm_v_half_exp(a);
    lm_v16 near0 = LM_ODD_POLY(a, 0x1.555556p-3f, 0x1.1110ep-7f, 0x1.a022bcp-13f, 0x1.756c1ep-19f);
    lm_v16 far = lm_v_sub(h, lm_v_div(lm_v_set(0.25f), h));
    return lm_v_copysign(lm_v_select(lm_v_lt(a, lm_v_set(1.0f)), near0, far), x);
}

LM_MATH lm_v16 lm_v_cosh(lm_v16 x)
{
    lm_v16 h = lm_v_half_exp(lm_v_abs(x));
    return lm_v_add(h, lm_v_div(lm_v_set(0.25f), h));
}

LM_MATH lm_v16 lm_v_asinh(lm_v16 x)
{
    lm_v16 a = lm_v_abs(x), one = lm_v_set(1.0f);
    lm_v16 near0 = LM_ODD_POLY(a, -0x1.55554cp-3f, 0x1.33301ap-4f, -0x1.6d5b46p-5f, 0x1.ec804p-6f, -0x1.57de4ep-6f,
                               0x1.bcca32p-7f, -0x1.cb3678p-8f, 0x1.393374p-9f, -0x1.94a528p-12f);
    lm_vm16 huge = lm_v_gt(a, lm_v_set(0x1p+14f)); /* a + sqrt(a^2 + 1) is 2 a there */
    lm_v16 root = lm_v_sqrt(lm_v_fma(a, a, one)), sum = lm_v_add(root, a), lost = lm_v_add(lm_v_sub(root, sum), a);
    lm_v16 u = lm_v_select(huge, a, sum), c = lm_v_select(huge, lm_v_zero(), lost);
    lm_v16 y = lm_v_log_core(u, &c, lm_v_select(huge, one, lm_v_zero()));
    y = lm_v_select(lm_v_lt(a, one), near0, lm_v_log_ends(u, y));
    return lm_v_copysign(y, x);
}

LM_MATH lm_v16 lm_v_acosh(lm_v16 x)
{
    lm_v16 one = lm_v_set(1.0f), t = lm_v_sub(x, one);
    lm_vm16 huge = lm_v_gt(x, lm_v_set(0x1p+14f));
    lm_v16 v = lm_v_add(t, lm_v_sqrt(lm_v_fma(t, t, lm_v_add(t, t))));
    lm_v16 far = lm_v_log_ends(x, lm_v_log_core(x, NULL, one));
    return lm_v_select(lm_v_lt(x, one), lm_v_set(NAN), lm_v_select(huge, far, lm_v_log1p(v)));
}

LM_MATH lm_v16 lm_v_atanh(lm_v16 x)
{
    lm_v16 a = lm_v_abs(x), one = lm_v_set(1.0f);
    lm_v16 near0 = LM_ODD_POLY(a, 0x1.55554p-2f, 0x1.99a678p-3f, 0x1.234d6p-3f, 0x1.e4045ep-4f, 0x1.a6975ep-5f,
                               0x1.6947dep-3f);
    lm_v16 far = lm_v_mul(lm_v_set(0.5f), lm_v_log(lm_v_div(lm_v_add(one, a), lm_v_sub(one, a))));
    return lm_v_copysign(lm_v_select(lm_v_lt(a, lm_v_set(0.5f)), near0, far), x);
}

#endif
