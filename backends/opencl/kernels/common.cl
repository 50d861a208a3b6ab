/* In front of every program: types, vectors of LM_LANES floats (one float where the device is no processor), and the
 * names that the cpu device's functions (simd/vmath.h) are written in, so that both compute with the same text. */
#pragma OPENCL FP_CONTRACT OFF
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

#define LM_CAT2(a, b) a##b
#define LM_CAT(a, b) LM_CAT2(a, b)

typedef char int8_t;
typedef uchar uint8_t;
typedef ushort uint16_t;
typedef int int32_t;
typedef uint uint32_t;
typedef long int64_t;
typedef ulong uint64_t;

/* A program may ask for single floats everywhere. */
#ifndef LM_WIDTH
#define LM_WIDTH LM_LANES
#else
#undef LM_LANES
#define LM_LANES LM_WIDTH
#endif

#if LM_WIDTH == 1
typedef float lm_v16;
typedef int lm_vi16;
typedef uint lm_vu16;
#define LM_AS(type, x) LM_CAT(as_, type)(x)
#define LM_LOADV(p) (*(p))
#define LM_STOREV(v, p) (*(p) = (v))
#define lm_m_any(m) ((m) != 0)
#else
typedef LM_CAT(float, LM_WIDTH) lm_v16;
typedef LM_CAT(int, LM_WIDTH) lm_vi16;
typedef LM_CAT(uint, LM_WIDTH) lm_vu16;
#define LM_AS(type, x) LM_CAT(LM_CAT(as_, type), LM_WIDTH)(x)
#define LM_LOADV(p) LM_CAT(vload, LM_WIDTH)(0, p)
#define LM_STOREV(v, p) LM_CAT(vstore, LM_WIDTH)(v, 0, p)
#define lm_m_any(m) any(m)
#endif
typedef lm_vi16 lm_vm16; /* a comparison's result: 0, or -1 (1 for a single float) */
#if LM_WIDTH == 1
#define LM_TO(type, x) LM_CAT(convert_, type)(x)
#else
#define LM_TO(type, x) LM_CAT(LM_CAT(convert_, type), LM_WIDTH)(x)
#endif

#define LM_VEC static inline __attribute__((always_inline))
#define LM_MATH LM_VEC
#define LM_COMPACT 0
#define LM_LDEXP_SLOW 0


#define lm_v_set(x) ((lm_v16)(x))
#define lm_v_zero() ((lm_v16)(0.0f))
#define lm_i_set(x) ((lm_vi16)(x))
#define lm_v_as_i(a) LM_AS(int, a)
#define lm_i_as_v(a) LM_AS(float, a)
#define lm_v_add(a, b) ((a) + (b))
#define lm_v_sub(a, b) ((a) - (b))
#define lm_v_mul(a, b) ((a) * (b))
#define lm_v_div(a, b) ((a) / (b))
#define lm_v_fma(a, b, c) fma(a, b, c)
#define lm_v_fnma(a, b, c) fma(-(a), b, c)
#define lm_v_sqrt(a) sqrt(a)
#define lm_v_rint(a) rint(a)
#define lm_v_floor(a) floor(a)
#define lm_v_ceil(a) ceil(a)
#define lm_v_lt(a, b) ((a) < (b))
#define lm_v_gt(a, b) ((a) > (b))
#define lm_v_le(a, b) ((a) <= (b))
#define lm_v_ge(a, b) ((a) >= (b))
#define lm_v_eq(a, b) ((a) == (b))
#define lm_v_nan(a) ((a) != (a))
#define lm_v_select(m, a, b) ((m) ? (a) : (b))
#define lm_m_and(a, b) ((a) & (b))
#define lm_m_or(a, b) ((a) | (b))
#define lm_m_not(a) (!(a))
#define lm_m_to_i(a) ((a) & 1)
#define lm_i_add(a, b) ((a) + (b))
#define lm_i_sub(a, b) ((a) - (b))
#define lm_i_and(a, b) ((a) & (b))
#define lm_i_or(a, b) ((a) | (b))
#define lm_i_xor(a, b) ((a) ^ (b))
#define lm_i_eq(a, b) ((a) == (b))
#define lm_i_lt(a, b) ((a) < (b))
#define lm_i_select(m, a, b) ((m) ? (a) : (b))
#define lm_i_shl(a, n) LM_AS(int, LM_AS(uint, a) << (uint)(n))
#define lm_i_shr(a, n) LM_AS(int, LM_AS(uint, a) >> (uint)(n))
#define lm_i_sar(a, n) ((a) >> (n))
#define lm_i_to_v(a) LM_TO(float, a)

LM_VEC lm_v16 lm_v_neg(lm_v16 a) { return lm_i_as_v(lm_v_as_i(a) ^ (int)0x80000000); }
LM_VEC lm_v16 lm_v_abs(lm_v16 a) { return lm_i_as_v(lm_v_as_i(a) & 0x7fffffff); }
LM_VEC lm_v16 lm_v_copysign(lm_v16 a, lm_v16 s)
{
    return lm_i_as_v((lm_v_as_i(a) & 0x7fffffff) | (lm_v_as_i(s) & (int)0x80000000));
}
LM_VEC lm_v16 lm_v_xor_sign(lm_v16 a, lm_v16 s) { return lm_i_as_v(lm_v_as_i(a) ^ (lm_v_as_i(s) & (int)0x80000000)); }

/* NaN stays; max(-0, +0) = +0, min(-0, +0) = -0 */
LM_VEC lm_v16 lm_v_max(lm_v16 x, lm_v16 y)
{
    lm_v16 m = x < y ? y : x;
    m = x == y ? lm_i_as_v(lm_v_as_i(x) & lm_v_as_i(y)) : m;
    return y != y ? y : m;
}
LM_VEC lm_v16 lm_v_min(lm_v16 x, lm_v16 y)
{
    lm_v16 m = y < x ? y : x;
    m = x == y ? lm_i_as_v(lm_v_as_i(x) | lm_v_as_i(y)) : m;
    return y != y ? y : m;
}
LM_VEC lm_v16 lm_v_relu(lm_v16 a) { return lm_v_max(a, lm_v_zero()); }
LM_VEC lm_v16 lm_v_greater(lm_v16 a, lm_v16 b) { return a > b ? a : b; }
LM_VEC lm_v16 lm_v_clamp(lm_v16 x, float lo, float hi)
{
    x = x < lo ? (lm_v16)(lo) : x;
    return x > hi ? (lm_v16)(hi) : x;
}

/* truncates, saturates, NaN becomes 0 */
LM_VEC lm_vi16 lm_v_to_i(lm_v16 x)
{
    lm_v16 near = ((x != x) | (x >= 0x1p31f) | (x < -0x1p31f)) ? lm_v_zero() : x;
    lm_vi16 i = LM_TO(int, near);
    i = x >= 0x1p31f ? lm_i_set(0x7fffffff) : i;
    return x < -0x1p31f ? lm_i_set((int)0x80000000) : i;
}
LM_VEC lm_vi16 lm_v_to_i_near(lm_v16 x) { return lm_v_to_i(x); }

LM_VEC lm_v16 lm_v_pow2(lm_vi16 n) { return lm_i_as_v(lm_i_shl(n + 127, 23)); }
/* two exact or final multiplications: the first keeps p normal */
LM_VEC lm_v16 lm_v_ldexp(lm_v16 p, lm_v16 n)
{
    lm_vi16 k = lm_v_to_i(n), h = k >> 1;
    return p * lm_v_pow2(h) * lm_v_pow2(k - h);
}
#define lm_v_ldexp_near lm_v_ldexp

/* c0 + c1 t + ..., by the number of coefficients. */
LM_VEC lm_v16 lm_p1(lm_v16 t, float a) { return lm_v_set(a); }
LM_VEC lm_v16 lm_p2(lm_v16 t, float a, float b) { return fma(lm_p1(t, b), t, lm_v_set(a)); }
LM_VEC lm_v16 lm_p3(lm_v16 t, float a, float b, float c)
{
    return fma(lm_p2(t, b, c), t, lm_v_set(a));
}
LM_VEC lm_v16 lm_p4(lm_v16 t, float a, float b, float c, float d)
{
    return fma(lm_p3(t, b, c, d), t, lm_v_set(a));
}
LM_VEC lm_v16 lm_p5(lm_v16 t, float a, float b, float c, float d, float e)
{
    return fma(lm_p4(t, b, c, d, e), t, lm_v_set(a));
}
LM_VEC lm_v16 lm_p6(lm_v16 t, float a, float b, float c, float d, float e, float f)
{
    return fma(lm_p5(t, b, c, d, e, f), t, lm_v_set(a));
}
LM_VEC lm_v16 lm_p7(lm_v16 t, float a, float b, float c, float d, float e, float f, float g)
{
    return fma(lm_p6(t, b, c, d, e, f, g), t, lm_v_set(a));
}
LM_VEC lm_v16 lm_p8(lm_v16 t, float a, float b, float c, float d, float e, float f, float g, float h)
{
    return fma(lm_p7(t, b, c, d, e, f, g, h), t, lm_v_set(a));
}
LM_VEC lm_v16 lm_p9(lm_v16 t, float a, float b, float c, float d, float e, float f, float g, float h, float i)
{
    return fma(lm_p8(t, b, c, d, e, f, g, h, i), t, lm_v_set(a));
}
#define LM_NINTH(a, b, c, d, e, f, g, h, i, n, ...) n
#define LM_HOW_MANY(...) LM_NINTH(__VA_ARGS__, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define LM_POLY(t, ...) LM_CAT(lm_p, LM_HOW_MANY(__VA_ARGS__))(t, __VA_ARGS__)

#define lm_v_load(p) LM_LOADV(p)
#define lm_v_store(p, v) LM_STOREV(v, p)
#define lm_i_load(p) LM_LOADV(p)
#define lm_i_store(p, v) LM_STOREV(v, p)

/* x * 2/pi mod 4 for one x >= 2^17, in 64-bit integers (Payne and Hanek); a device without double has no sines. */
#define LM_REDUCE_LARGE
#ifdef cl_khr_fp64
/* bits of 2/pi after one word of zeros */
constant uint lm_two_over_pi[] = {0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u,
                                  0xdb629599u, 0x3c439041u, 0xfe5163abu, 0xdebbc561u};
static int lm_reduce_large(float x, float *hi, float *lo)
{
    uint bits = as_uint(x);
    if (bits >= 0x7f800000u) {
        *hi = *lo = NAN;
        return 0;
    }
    ulong man = (bits & 0x7fffffu) | 0x800000u;
    uint skip = (bits >> 23) - 127 + 7, word = skip >> 5, shift = skip & 31, w[3];
    for (uint i = 0; i < 3; i++)
        w[i] = (uint)(((ulong)lm_two_over_pi[word + i] << 32 | lm_two_over_pi[word + i + 1]) >> (32 - shift));
    ulong turn = (man * w[0] << 32) + man * w[1] + (man * w[2] >> 32);
    ulong quarter = (turn + ((ulong)1 << 61)) >> 62;
    double r = (double)(long)(turn - (quarter << 62)) * (0x1.921fb54442d18p+0 * 0x1p-62);
    *hi = (float)r;
    *lo = (float)(r - (double)*hi);
    return (int)quarter;
}
#endif

/* Where the element with this number lies: digits of sizes `dim`, the last one fastest. */
LM_VEC long lm_place(const LM_LONG *dim, const LM_LONG *step, long number)
{
    long at = 0;
    for (int d = LM_CL_DIGITS - 1; d > 0; d--) {
        long rest = number / dim[d];
        at += (number - rest * dim[d]) * step[d];
        number = rest;
    }
    return at + number * step[0];
}

/* Bytes after a pointer. */
#define LM_AT(type, base, bytes) ((type *)((global char *)(base) + (bytes)))
#define LM_AT_CONST(type, base, bytes) ((const type *)((global const char *)(base) + (bytes)))

/* Up to LM_WIDTH elements, `left` of them at most; what is past them reads as 0. */
LM_VEC lm_v16 lm_read(global const float *x, long step, long left)
{
#if LM_WIDTH == 1
    return *x;
#else
    float part[LM_WIDTH];
    if (step == 1 && left >= LM_WIDTH)
        return LM_LOADV(x);
    for (int j = 0; j < LM_WIDTH; j++)
        part[j] = j < left ? x[j * step] : 0.0f;
    return LM_LOADV(part);
#endif
}

/* One store: some compilers make four of vstore16. */
#if LM_WIDTH > 1
typedef lm_v16 lm_v16_anywhere __attribute__((aligned(4)));
#endif

LM_VEC void lm_write(global float *y, long step, long left, lm_v16 v)
{
#if LM_WIDTH == 1
    *y = v;
#else
    float part[LM_WIDTH];
    if (step == 1 && left >= LM_WIDTH) {
        *(global lm_v16_anywhere *)y = v;
        return;
    }
    LM_STOREV(v, part);
    for (int j = 0; j < LM_WIDTH && j < left; j++)
        y[j * step] = part[j];
#endif
}

/* An element of an image: strides of sample, channel and axes. */
LM_VEC long lm_spot(const LM_LONG *st, long n, long c, const long *at)
{
    return n * st[0] + c * st[1] + at[0] * st[2] + at[1] * st[3] + at[2] * st[4];
}

/* Say what is wrong with the data, once; see launch.c. */
LM_VEC void lm_raise(global volatile int *flag, int op, long value, int size)
{
    if (atomic_cmpxchg(flag, 0, op + 1) == 0) {
        flag[1] = (int)(uint)value;
        flag[2] = (int)(uint)(value >> 32);
        flag[3] = size;
    }
}
