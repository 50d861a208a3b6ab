/* vec_scalar.h - the 16-lane vector as float[16] in plain C: the level that every machine has, and the definition that
 * the other levels are compared with. Contract: vec.h. */
#ifndef LM_CPU_SIMD_VEC_SCALAR_H
#define LM_CPU_SIMD_VEC_SCALAR_H

typedef struct { float l[16]; } lm_v16;
typedef struct { int32_t l[16]; } lm_vi16;
typedef struct { int32_t l[16]; } lm_vm16; /* 0 or -1 */

/* Sixteen lanes are a loop: much code to stand at every call. */
#if LM_COMPACT
#define LM_OP static __attribute__((noinline, unused))
#else
#define LM_OP LM_VEC
#endif

#define LM_EACH for (int i = 0; i < 16; i++)
#define LM_LANEWISE(type, r, expr)                                                                                    \
    type r;                                                                                                           \
    LM_EACH r.l[i] = (expr);                                                                                          \
    return r

LM_VEC float lm_as_float(int32_t i)
{
    float f;
    memcpy(&f, &i, sizeof f);
    return f;
}
LM_VEC int32_t lm_as_int(float f)
{
    int32_t i;
    memcpy(&i, &f, sizeof i);
    return i;
}

LM_OP lm_vm16 lm_m_first(size_t n) { LM_LANEWISE(lm_vm16, r, -((size_t)i < n)); }
LM_OP lm_vm16 lm_m_and(lm_vm16 a, lm_vm16 b) { LM_LANEWISE(lm_vm16, r, a.l[i] & b.l[i]); }
LM_OP lm_vm16 lm_m_or(lm_vm16 a, lm_vm16 b) { LM_LANEWISE(lm_vm16, r, a.l[i] | b.l[i]); }
LM_OP lm_vm16 lm_m_not(lm_vm16 a) { LM_LANEWISE(lm_vm16, r, ~a.l[i]); }
LM_VEC unsigned lm_m_bits(lm_vm16 a)
{
    unsigned bits = 0;
    LM_EACH bits |= (unsigned)(a.l[i] & 1) << i;
    return bits;
}
LM_VEC int lm_m_any(lm_vm16 a) { return lm_m_bits(a) != 0; }
LM_OP lm_vi16 lm_m_to_i(lm_vm16 a) { LM_LANEWISE(lm_vi16, r, a.l[i] & 1); }

LM_OP lm_v16 lm_i_as_v(lm_vi16 a) { LM_LANEWISE(lm_v16, r, lm_as_float(a.l[i])); }
LM_OP lm_vi16 lm_v_as_i(lm_v16 a) { LM_LANEWISE(lm_vi16, r, lm_as_int(a.l[i])); }

LM_OP lm_v16 lm_v_set(float x) { LM_LANEWISE(lm_v16, r, x); }
LM_VEC float lm_at(const float *p) { float a; memcpy(&a, p, sizeof a); return a; } /* at any address */
LM_OP lm_v16 lm_v_load(const float *p) { LM_LANEWISE(lm_v16, r, lm_at(p + i)); }
LM_VEC void lm_v_store(float *p, lm_v16 a) { LM_EACH p[i] = a.l[i]; }
LM_VEC void lm_v_stream(float *p, lm_v16 a) { lm_v_store(p, a); }
LM_VEC void lm_v_stream_end(void) {}
LM_OP lm_v16 lm_v_load_n(const float *p, size_t n) { LM_LANEWISE(lm_v16, r, (size_t)i < n ? lm_at(p + i) : 0.0f); }
LM_VEC void lm_v_store_n(float *p, lm_v16 a, size_t n)
{
    for (size_t i = 0; i < n && i < 16; i++)
        p[i] = a.l[i];
}

LM_OP lm_v16 lm_v_add(lm_v16 a, lm_v16 b) { LM_LANEWISE(lm_v16, r, a.l[i] + b.l[i]); }
LM_OP lm_v16 lm_v_sub(lm_v16 a, lm_v16 b) { LM_LANEWISE(lm_v16, r, a.l[i] - b.l[i]); }
LM_OP lm_v16 lm_v_mul(lm_v16 a, lm_v16 b) { LM_LANEWISE(lm_v16, r, a.l[i] * b.l[i]); }
LM_OP lm_v16 lm_v_div(lm_v16 a, lm_v16 b) { LM_LANEWISE(lm_v16, r, a.l[i] / b.l[i]); }
LM_OP lm_v16 lm_v_fma(lm_v16 a, lm_v16 b, lm_v16 c) { LM_LANEWISE(lm_v16, r, lm_fma(a.l[i], b.l[i], c.l[i])); }
LM_OP lm_v16 lm_v_fnma(lm_v16 a, lm_v16 b, lm_v16 c) { LM_LANEWISE(lm_v16, r, lm_fma(-a.l[i], b.l[i], c.l[i])); }
LM_OP lm_v16 lm_v_sqrt(lm_v16 a) { LM_LANEWISE(lm_v16, r, sqrtf(a.l[i])); }

LM_OP lm_vm16 lm_v_lt(lm_v16 a, lm_v16 b) { LM_LANEWISE(lm_vm16, r, -(a.l[i] < b.l[i])); }
LM_OP lm_vm16 lm_v_le(lm_v16 a, lm_v16 b) { LM_LANEWISE(lm_vm16, r, -(a.l[i] <= b.l[i])); }
LM_OP lm_vm16 lm_v_eq(lm_v16 a, lm_v16 b) { LM_LANEWISE(lm_vm16, r, -(a.l[i] == b.l[i])); }
LM_OP lm_vm16 lm_v_nan(lm_v16 a) { LM_LANEWISE(lm_vm16, r, -(a.l[i] != a.l[i])); }
LM_OP lm_v16 lm_v_select(lm_vm16 m, lm_v16 a, lm_v16 b) { LM_LANEWISE(lm_v16, r, m.l[i] ? a.l[i] : b.l[i]); }

/* adding 2^23 drops the fraction in the rounding mode, to nearest even; larger magnitudes have none */
LM_VEC float lm_rint1(float x)
{
    float a = x < 0 ? -x : x, r = (a + 8388608.0f) - 8388608.0f;
    r = lm_as_float(lm_as_int(r) | (lm_as_int(x) & INT32_MIN));
    return a < 8388608.0f ? r : x;
}
LM_VEC float lm_floor1(float x)
{
    float r = lm_rint1(x);
    return r > x ? r - 1.0f : r;
}
LM_VEC float lm_ceil1(float x) { return -lm_floor1(-x); }
LM_VEC float lm_trunc1(float x) { return lm_as_int(x) < 0 ? lm_ceil1(x) : lm_floor1(x); }
LM_VEC float lm_max1(float x, float y)
{
    float m = x < y ? y : x;
    m = x == y ? lm_as_float(lm_as_int(x) & lm_as_int(y)) : m;
    return y != y ? y : m;
}
LM_VEC float lm_min1(float x, float y)
{
    float m = y < x ? y : x;
    m = x == y ? lm_as_float(lm_as_int(x) | lm_as_int(y)) : m;
    return y != y ? y : m;
}
LM_VEC int32_t lm_to_int1(float x)
{
    if (x != x)
        return 0;
    return x >= 2147483648.0f ? INT32_MAX : x < -2147483648.0f ? INT32_MIN : (int32_t)x;
}
LM_VEC float lm_pow2_1(int32_t n) { return lm_as_float((int32_t)((uint32_t)(n + 127) << 23)); }
LM_VEC float lm_ldexp1(float p, float n)
{
    int32_t k = lm_to_int1(n), h = k >> 1; /* two exact or final multiplications: the first keeps p normal */
    return p * lm_pow2_1(h) * lm_pow2_1(k - h);
}
LM_OP lm_v16 lm_v_rint(lm_v16 a) { LM_LANEWISE(lm_v16, r, lm_rint1(a.l[i])); }
LM_OP lm_v16 lm_v_floor(lm_v16 a) { LM_LANEWISE(lm_v16, r, lm_floor1(a.l[i])); }
LM_OP lm_v16 lm_v_ceil(lm_v16 a) { LM_LANEWISE(lm_v16, r, lm_ceil1(a.l[i])); }
LM_OP lm_v16 lm_v_trunc(lm_v16 a) { LM_LANEWISE(lm_v16, r, lm_trunc1(a.l[i])); }
LM_OP lm_v16 lm_v_max(lm_v16 a, lm_v16 b) { LM_LANEWISE(lm_v16, r, lm_max1(a.l[i], b.l[i])); }
LM_OP lm_v16 lm_v_greater(lm_v16 a, lm_v16 b) { LM_LANEWISE(lm_v16, r, a.l[i] > b.l[i] ? a.l[i] : b.l[i]); }
LM_OP lm_v16 lm_v_min(lm_v16 a, lm_v16 b) { LM_LANEWISE(lm_v16, r, lm_min1(a.l[i], b.l[i])); }
LM_OP lm_v16 lm_v_ldexp(lm_v16 p, lm_v16 n) { LM_LANEWISE(lm_v16, r, lm_ldexp1(p.l[i], n.l[i])); }
LM_OP lm_v16 lm_v_clamp(lm_v16 x, float lo, float hi)
{
    LM_LANEWISE(lm_v16, r, x.l[i] < lo ? lo : x.l[i] > hi ? hi : x.l[i]);
}

LM_OP lm_vi16 lm_i_set(int32_t x) { LM_LANEWISE(lm_vi16, r, x); }
LM_OP lm_vi16 lm_i_load(const int32_t *p) { LM_LANEWISE(lm_vi16, r, p[i]); }
LM_VEC void lm_i_store(int32_t *p, lm_vi16 a) { LM_EACH p[i] = a.l[i]; }
#define LM_U(x) ((uint32_t)(x).l[i]) /* wrapping arithmetic */
LM_OP lm_vi16 lm_i_add(lm_vi16 a, lm_vi16 b) { LM_LANEWISE(lm_vi16, r, (int32_t)(LM_U(a) + LM_U(b))); }
LM_OP lm_vi16 lm_i_sub(lm_vi16 a, lm_vi16 b) { LM_LANEWISE(lm_vi16, r, (int32_t)(LM_U(a) - LM_U(b))); }
LM_OP lm_vi16 lm_i_min(lm_vi16 a, lm_vi16 b) { LM_LANEWISE(lm_vi16, r, a.l[i] < b.l[i] ? a.l[i] : b.l[i]); }
LM_OP lm_vi16 lm_i_and(lm_vi16 a, lm_vi16 b) { LM_LANEWISE(lm_vi16, r, a.l[i] & b.l[i]); }
LM_OP lm_vi16 lm_i_or(lm_vi16 a, lm_vi16 b) { LM_LANEWISE(lm_vi16, r, a.l[i] | b.l[i]); }
LM_OP lm_vi16 lm_i_xor(lm_vi16 a, lm_vi16 b) { LM_LANEWISE(lm_vi16, r, a.l[i] ^ b.l[i]); }
LM_OP lm_vi16 lm_i_shl(lm_vi16 a, int n) { LM_LANEWISE(lm_vi16, r, (int32_t)(LM_U(a) << n)); }
LM_OP lm_vi16 lm_i_shr(lm_vi16 a, int n) { LM_LANEWISE(lm_vi16, r, (int32_t)(LM_U(a) >> n)); }
LM_OP lm_vi16 lm_i_sar(lm_vi16 a, int n) { LM_LANEWISE(lm_vi16, r, a.l[i] >> n); }
LM_OP lm_vm16 lm_i_lt(lm_vi16 a, lm_vi16 b) { LM_LANEWISE(lm_vm16, r, -(a.l[i] < b.l[i])); }
LM_OP lm_vm16 lm_i_eq(lm_vi16 a, lm_vi16 b) { LM_LANEWISE(lm_vm16, r, -(a.l[i] == b.l[i])); }
LM_OP lm_vi16 lm_i_select(lm_vm16 m, lm_vi16 a, lm_vi16 b) { LM_LANEWISE(lm_vi16, r, m.l[i] ? a.l[i] : b.l[i]); }
LM_OP lm_v16 lm_i_to_v(lm_vi16 a) { LM_LANEWISE(lm_v16, r, (float)a.l[i]); }
LM_OP lm_vi16 lm_v_to_i(lm_v16 a) { LM_LANEWISE(lm_vi16, r, lm_to_int1(a.l[i])); }
LM_OP lm_vi16 lm_v_to_i_near(lm_v16 a) { return lm_v_to_i(a); }

LM_OP lm_vi16 lm_i_load_u8(const uint8_t *p) { LM_LANEWISE(lm_vi16, r, p[i]); }
LM_OP lm_vi16 lm_i_load_i8(const int8_t *p) { LM_LANEWISE(lm_vi16, r, p[i]); }
LM_OP lm_vi16 lm_i_load_i64(const int64_t *p, lm_vi16 *high)
{
    lm_vi16 low;
    for (int i = 0; i < 16; i++) {
        low.l[i] = (int32_t)(uint32_t)(uint64_t)p[i];
        high->l[i] = (int32_t)(uint32_t)((uint64_t)p[i] >> 32);
    }
    return low;
}
LM_OP lm_vi16 lm_i_load_u16(const uint16_t *p) { LM_LANEWISE(lm_vi16, r, p[i]); }
/* narrow stores keep the low bits of every lane */
LM_VEC void lm_i_store_u8(uint8_t *p, lm_vi16 a) { LM_EACH p[i] = (uint8_t)a.l[i]; }
LM_VEC void lm_i_store_u16(uint16_t *p, lm_vi16 a) { LM_EACH p[i] = (uint16_t)a.l[i]; }
LM_OP lm_v16 lm_v_load_f16(const uint16_t *p) { LM_LANEWISE(lm_v16, r, lm_half_to_float(p[i])); }
LM_OP void lm_v_store_f16(uint16_t *p, lm_v16 a) { LM_EACH p[i] = lm_float_to_half(a.l[i]); }

LM_VEC void lm_v_turn(lm_v16 v[16])
{
    LM_EACH for (int j = 0; j < i; j++) {
        float was = v[i].l[j];
        v[i].l[j] = v[j].l[i];
        v[j].l[i] = was;
    }
}

LM_VEC float lm_add1(float x, float y) { return x + y; }
LM_VEC float lm_mul1(float x, float y) { return x * y; }
LM_VEC float lm_greater1(float a, float b) { return a > b ? a : b; }
#define LM_FOLD1(name, op)                                                                                            \
    LM_OP float lm_v_fold_##name(lm_v16 a)                                                                            \
    {                                                                                                                 \
        for (int half = 8; half; half /= 2)                                                                           \
            for (int i = 0; i < half; i++)                                                                            \
                a.l[i] = op(a.l[i], a.l[i + half]);                                                                   \
        return a.l[0];                                                                                                \
    }
LM_FOLD1(add, lm_add1)
LM_FOLD1(mul, lm_mul1)
LM_FOLD1(max, lm_max1)
LM_FOLD1(min, lm_min1)
LM_FOLD1(greater, lm_greater1)
#undef LM_FOLD1

#endif
