/* vmath_trig.h - sine, cosine, tangent, their inverses, and the power function over lm_v16. See vmath.h. */
#ifndef LM_CPU_SIMD_VMATH_TRIG_H
#define LM_CPU_SIMD_VMATH_TRIG_H

#include "vmath.h"

#define LM_PIO2_HI 0x1.921fb6p+0f
#define LM_PIO2_LO -0x1.777a5cp-25f
#define LM_PIO2_LOW -0x1.ee59dap-50f

/* |x| = quarter * pi/2 + hi + lo, |hi| < 0.8; only quarter mod 4 is kept */
typedef struct lm_v_angle { lm_v16 hi, lo; lm_vi16 quarter; } lm_v_angle;

#ifndef LM_REDUCE_LARGE /* OpenCL C has a form of its own */
/* One lane too large for the float reduction, x >= 2^17: x * 2/pi mod 4 in 64-bit integers (Payne and Hanek). */
static __attribute__((noinline, unused)) int32_t lm_reduce_large(float x, float *hi, float *lo)
{
    /* bits of 2/pi after one word of zeros */
    static const uint32_t two_over_pi[] = {0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u,
                                           0xdb629599u, 0x3c439041u, 0xfe5163abu, 0xdebbc561u};
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (bits >= 0x7f800000u) {
        *hi = *lo = NAN;
        return 0;
    }
    /* Bits of 2/pi that only add multiples of 4 are passed over; the next 96 hold the quarter and 94 bits below it. */
    uint64_t man = (bits & 0x7fffffu) | 0x800000u;
    unsigned skip = (bits >> 23) - 127 + 7, word = skip >> 5, shift = skip & 31;
    uint32_t w[3];
    for (unsigned i = 0; i < 3; i++)
        w[i] = (uint32_t)(((uint64_t)two_over_pi[word + i] << 32 | two_over_pi[word + i + 1]) >> (32 - shift));
    uint64_t turn = (man * w[0] << 32) + man * w[1] + (man * w[2] >> 32); /* quarters in units of 2^-62, mod 4 */
    uint64_t quarter = (turn + ((uint64_t)1 << 61)) >> 62;
    double r = (double)(int64_t)(turn - (quarter << 62)) * (0x1.921fb54442d18p+0 * 0x1p-62);
    *hi = (float)r;
    *lo = (float)(r - (double)*hi);
    return (int32_t)quarter;
}
#endif

static __attribute__((noinline, unused)) lm_v_angle lm_v_reduce_lanes(lm_v16 a, lm_v_angle g)
{
    float x[LM_LANES], hi[LM_LANES], lo[LM_LANES];
    int32_t quarter[LM_LANES];
    lm_v_store(x, a), lm_v_store(hi, g.hi), lm_v_store(lo, g.lo), lm_i_store(quarter, g.quarter);
    for (int i = 0; i < LM_LANES; i++)
        if (!(x[i] < 0x1p+17f))
            quarter[i] = lm_reduce_large(x[i], &hi[i], &lo[i]);
    return (lm_v_angle){lm_v_load(hi), lm_v_load(lo), lm_i_load(quarter)};
}

/* a = |x|. Below 2^17 three parts of pi/2 do: the first product leaves a exactly, the second is kept with both of its
 * halves and the error of the difference, the third only corrects. */
LM_MATH lm_v_angle lm_v_reduce(lm_v16 a)
{
    lm_vm16 large = lm_m_not(lm_v_lt(a, lm_v_set(0x1p+17f)));
    lm_v16 near = lm_v_select(large, lm_v_zero(), a);
    lm_v16 n = lm_v_rint(lm_v_mul(near, lm_v_set(0x1.45f306p-1f)));
    lm_v16 r = lm_v_fnma(n, lm_v_set(LM_PIO2_HI), near);
    lm_v16 p = lm_v_mul(n, lm_v_set(LM_PIO2_LO)), p_lo = lm_v_fma(n, lm_v_set(LM_PIO2_LO), lm_v_neg(p));
    lm_v16 d = lm_v_sub(r, p), back = lm_v_sub(d, r);
    lm_v16 d_lo = lm_v_sub(lm_v_sub(r, lm_v_sub(d, back)), lm_v_add(p, back));
    lm_v16 t = lm_v_fnma(n, lm_v_set(LM_PIO2_LOW), lm_v_sub(d_lo, p_lo));
    lm_v_angle g = {lm_v_add(d, t), lm_v_zero(), lm_v_to_i_near(n)};
    g.lo = lm_v_add(lm_v_sub(d, g.hi), t);
    return lm_m_any(large) ? lm_v_reduce_lanes(a, g) : g;
}

LM_MATH lm_v16 lm_v_sin_near(lm_v_angle g)
{
    lm_v16 z = lm_v_mul(g.hi, g.hi);
    lm_v16 p = LM_POLY(z, -0x1.555556p-3f, 0x1.11117p-7f, -0x1.a053fap-13f, 0x1.7a8aa6p-19f);
    return lm_v_add(g.hi, lm_v_fma(lm_v_mul(g.hi, z), p, g.lo));
}

LM_MATH lm_v16 lm_v_cos_near(lm_v_angle g)
{
    lm_v16 one = lm_v_set(1.0f), one_half = lm_v_set(0.5f), z = lm_v_mul(g.hi, g.hi);
    lm_v16 p = LM_POLY(z, 0x1.555556p-5f, -0x1.6c1758p-10f, 0x1.a06adap-16f, -0x1.3435dp-22f);
    lm_v16 w = lm_v_fnma(one_half, z, one);
    lm_v16 low = lm_v_fnma(one_half, z, lm_v_sub(one, w)); /* what w lost */
    return lm_v_add(w, lm_v_fma(lm_v_mul(z, z), p, lm_v_fnma(g.hi, g.lo, low)));
}

/* sin(|x|) advanced by `ahead` quarters */
LM_MATH lm_v16 lm_v_sin_quarter(lm_v16 a, int ahead)
{
    lm_v_angle g = lm_v_reduce(a);
    lm_vi16 q = lm_i_add(g.quarter, lm_i_set(ahead));
    lm_vm16 even = lm_i_eq(lm_i_and(q, lm_i_set(1)), lm_i_set(0));
    lm_v16 y = lm_v_select(even, lm_v_sin_near(g), lm_v_cos_near(g));
    return lm_v_xor_sign(y, lm_i_as_v(lm_i_shl(q, 30))); /* bit 1 of q is the sign */
}

LM_MATH lm_v16 lm_v_sin(lm_v16 x) { return lm_v_xor_sign(lm_v_sin_quarter(lm_v_abs(x), 0), x); }
LM_MATH lm_v16 lm_v_cos(lm_v16 x) { return lm_v_sin_quarter(lm_v_abs(x), 1); }

LM_MATH lm_v16 lm_v_tan(lm_v16 x)
{
    lm_v_angle g = lm_v_reduce(lm_v_abs(x));
    lm_v16 z = lm_v_mul(g.hi, g.hi);
    lm_v16 p = LM_POLY(z, 0x1.555564p-2f, 0x1.110c88p-3f, 0x1.bb0b9cp-5f, 0x1.5ab798p-6f, 0x1.6d77ap-7f,
                       -0x1.4e34fap-12f, 0x1.2c2974p-8f);
    lm_v16 cube = lm_v_mul(lm_v_mul(g.hi, z), p), t = lm_v_add(g.hi, cube);
    t = lm_v_add(g.hi, lm_v_fma(g.lo, lm_v_fma(t, t, lm_v_set(1.0f)), cube)); /* tan' = 1 + tan^2 */
    lm_vm16 even = lm_i_eq(lm_i_and(g.quarter, lm_i_set(1)), lm_i_set(0));
    return lm_v_xor_sign(lm_v_select(even, t, lm_v_div(lm_v_set(-1.0f), t)), x);
}

/* asin(a) - a = a^3 P(a^2) for a <= 1/2, given z = a^2; beyond, asin(a) = pi/2 - 2 asin(sqrt((1 - a) / 2)) */
LM_MATH lm_v16 lm_v_asin_rest(lm_v16 a, lm_v16 z)
{
    return lm_v_mul(lm_v_mul(a, z), LM_POLY(z, 0x1.5555c8p-3f, 0x1.330204p-4f, 0x1.747bbap-5f, 0x1.8c3e2ap-6f,
                                            0x1.595c8cp-5f));
}

LM_MATH lm_v16 lm_v_asin(lm_v16 x)
{
    lm_v16 a = lm_v_abs(x), one_half = lm_v_set(0.5f);
    lm_vm16 near0 = lm_v_le(a, one_half);
    lm_v16 z = lm_v_select(near0, lm_v_mul(a, a), lm_v_mul(lm_v_sub(lm_v_set(1.0f), a), one_half));
    lm_v16 s = lm_v_select(near0, a, lm_v_sqrt(z)), rest = lm_v_asin_rest(s, z);
    lm_v16 far = lm_v_add(s, lm_v_fnma(one_half, lm_v_set(LM_PIO2_LO), rest));
    far = lm_v_fnma(lm_v_set(2.0f), far, lm_v_set(LM_PIO2_HI));
    return lm_v_copysign(lm_v_select(near0, lm_v_add(s, rest), far), x);
}

LM_MATH lm_v16 lm_v_acos(lm_v16 x)
{
    lm_v16 a = lm_v_abs(x), one_half = lm_v_set(0.5f), two = lm_v_set(2.0f);
    lm_vm16 near0 = lm_v_le(a, one_half);
    lm_v16 z = lm_v_select(near0, lm_v_mul(a, a), lm_v_mul(lm_v_sub(lm_v_set(1.0f), a), one_half));
    lm_v16 s = lm_v_select(near0, x, lm_v_sqrt(z)), rest = lm_v_asin_rest(s, z);
    lm_v16 mid = lm_v_sub(lm_v_set(LM_PIO2_HI), lm_v_sub(s, lm_v_sub(lm_v_set(LM_PIO2_LO), rest)));
    lm_v16 right = lm_v_mul(two, lm_v_add(s, rest));
    lm_v16 left = lm_v_fnma(two, lm_v_add(s, lm_v_sub(rest, lm_v_set(LM_PIO2_LO))), lm_v_set(2 * LM_PIO2_HI));
    return lm_v_select(near0, mid, lm_v_select(lm_v_lt(x, lm_v_zero()), left, right));
}

LM_MATH lm_v16 lm_v_atan(lm_v16 x)
{
    lm_v16 a = lm_v_abs(x), one = lm_v_set(1.0f);
    lm_vm16 far = lm_v_lt(one, a);
    lm_v16 r = lm_v_select(far, lm_v_div(lm_v_set(-1.0f), a), a), z = lm_v_mul(r, r);
    lm_v16 p = LM_POLY(z, -0x1.55553ep-2f, 0x1.9991e4p-3f, -0x1.242086p-3f, 0x1.c08c46p-4f, -0x1.5808dp-4f,
                       0x1.da27f8p-5f, -0x1.fd772cp-6f, 0x1.6419dep-7f, -0x1.d33f3cp-10f);
    lm_v16 base_lo = lm_v_select(far, lm_v_set(LM_PIO2_LO), lm_v_zero());
    lm_v16 base_hi = lm_v_select(far, lm_v_set(LM_PIO2_HI), lm_v_zero());
    lm_v16 y = lm_v_add(base_hi, lm_v_add(r, lm_v_fma(lm_v_mul(r, z), p, base_lo)));
    return lm_v_copysign(y, x);
}

/* atan2 with C99's corners: the angle of the point (x, y) */
LM_MATH lm_v16 lm_v_atan2(lm_v16 y, lm_v16 x)
{
    lm_v16 ay = lm_v_abs(y), ax = lm_v_abs(x), one = lm_v_set(1.0f), inf = lm_v_set(INFINITY);
    lm_vm16 steep = lm_v_lt(ax, ay), left = lm_i_lt(lm_v_as_i(x), lm_i_set(0));
    lm_v16 num = lm_v_select(steep, ax, ay), den = lm_v_select(steep, ay, ax);
    lm_v16 q = lm_v_div(num, den);
    q = lm_v_select(lm_v_eq(den, lm_v_zero()), lm_v_zero(), q);
    q = lm_v_select(lm_v_eq(num, inf), one, q); /* both infinite: the diagonal */
    lm_v16 t = lm_v_atan(q);
    t = lm_v_select(steep, lm_v_sub(lm_v_set(LM_PIO2_HI), lm_v_sub(t, lm_v_set(LM_PIO2_LO))), t);
    lm_v16 back = lm_v_sub(lm_v_set(2 * LM_PIO2_HI), lm_v_sub(t, lm_v_set(2 * LM_PIO2_LO)));
    t = lm_v_copysign(lm_v_select(left, back, t), y);
    return lm_v_select(lm_m_or(lm_v_nan(x), lm_v_nan(y)), lm_v_set(NAN), t);
}

/* log2(a) = hi + lo to about 2^-31 of its size for normal a, which `up` says by how many powers of 2 was raised */
LM_MATH void lm_v_log2_parts(lm_v16 a, lm_v16 up, lm_v16 *hi, lm_v16 *lo)
{
    lm_v16 one = lm_v_set(1.0f), k_hi = lm_v_set(0x1.715476p+1f), k_lo = lm_v_set(0x1.4ae0cp-25f); /* 2 / ln 2 */
    lm_vi16 i = lm_v_as_i(a), k = lm_i_sar(lm_i_sub(i, lm_i_set(0x3f3504f3)), 23);
    lm_v16 m = lm_i_as_v(lm_i_sub(i, lm_i_shl(k, 23))), e = lm_v_sub(lm_i_to_v(k), up);
    lm_v16 num = lm_v_sub(m, one), den = lm_v_add(m, one), den_lo = lm_v_sub(m, lm_v_sub(den, one));
    lm_v16 s = lm_v_div(num, den); /* log(m) = 2 atanh(s + s_lo) */
    lm_v16 s_lo = lm_v_div(lm_v_fnma(s, den_lo, lm_v_fnma(s, den, num)), den);
    lm_v16 z = lm_v_mul(s, s), p = LM_POLY(z, 0x1.ec709ep-1f, 0x1.2776ep-1f, 0x1.a5d04p-2f, 0x1.58915cp-2f);
    lm_v16 ph = lm_v_mul(k_hi, s), pl = lm_v_fma(k_hi, s, lm_v_neg(ph));
    pl = lm_v_fma(lm_v_mul(s, z), p, lm_v_fma(k_lo, s, lm_v_fma(k_hi, s_lo, pl)));
    lm_v16 h = lm_v_add(e, ph), l = lm_v_add(lm_v_add(lm_v_sub(e, h), ph), pl);
    *hi = lm_v_add(h, l);
    *lo = lm_v_add(lm_v_sub(h, *hi), l);
}

/* 2^(hi + lo); hi may be infinite, lo is ignored where the result over- or underflows */
LM_MATH lm_v16 lm_v_exp2_parts(lm_v16 hi, lm_v16 lo)
{
    lm_v16 near = lm_v_clamp(hi, -200.0f, 200.0f), n = lm_v_rint(near);
    lo = lm_v_select(lm_v_lt(lm_v_abs(hi), lm_v_set(200.0f)), lo, lm_v_zero());
    lm_v16 r = lm_v_add(lm_v_sub(near, n), lo);
    lm_v16 p = LM_POLY(r, 0x1.62e43p-1f, 0x1.ebfbep-3f, 0x1.c6b074p-5f, 0x1.3b2a2ep-7f, 0x1.5da058p-10f,
                       0x1.4441d6p-13f, 0x1.e496b2p-17f);
    return lm_v_ldexp(lm_v_fma(r, p, lm_v_set(1.0f)), n);
}

/* |x|^y with pow(0, y), pow(inf, y) and pow(1, y) right; NaN where an operand is, unless y = 0 or |x| = 1 */
LM_MATH lm_v16 lm_v_pow_abs(lm_v16 a, lm_v16 y)
{
    lm_v16 one = lm_v_set(1.0f), zero = lm_v_zero(), inf = lm_v_set(INFINITY), hi, lo;
    lm_vm16 small = lm_v_lt(a, lm_v_set(0x1p-126f));
    lm_v_log2_parts(lm_v_select(small, lm_v_mul(a, lm_v_set(0x1p+23f)), a),
                    lm_v_select(small, lm_v_set(23.0f), zero), &hi, &lo);
    hi = lm_v_select(lm_v_eq(a, zero), lm_v_neg(inf), lm_v_select(lm_v_eq(a, inf), inf, hi));
    hi = lm_v_select(lm_v_nan(a), a, hi);
    lm_v16 top = lm_v_mul(y, hi);
    lm_v16 r = lm_v_exp2_parts(top, lm_v_fma(y, lo, lm_v_fma(y, hi, lm_v_neg(top))));
    return lm_v_select(lm_m_or(lm_v_eq(a, one), lm_v_eq(y, zero)), one, r);
}

/* C99's pow */
LM_MATH lm_v16 lm_v_pow(lm_v16 x, lm_v16 y)
{
    lm_v16 one = lm_v_set(1.0f), zero = lm_v_zero(), half_y = lm_v_mul(y, lm_v_set(0.5f));
    lm_v16 r = lm_v_pow_abs(lm_v_abs(x), y);
    lm_vm16 whole = lm_v_eq(lm_v_rint(y), y), odd = lm_m_and(whole, lm_m_not(lm_v_eq(lm_v_rint(half_y), half_y)));
    r = lm_v_select(odd, lm_v_xor_sign(r, x), r);
    lm_vm16 finite_negative = lm_m_and(lm_v_lt(x, zero), lm_v_lt(lm_v_set(-INFINITY), x));
    lm_vm16 bad = lm_m_or(lm_m_and(finite_negative, lm_m_not(whole)), lm_v_nan(y));
    r = lm_v_select(bad, lm_v_set(NAN), r);
    return lm_v_select(lm_m_or(lm_v_eq(x, one), lm_v_eq(y, zero)), one, r);
}

#endif
