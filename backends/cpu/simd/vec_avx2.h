/* vec_avx2.h - the 16-lane vector as two 256-bit registers (AVX2 + FMA). Contract: vec.h. */
#ifndef LM_CPU_SIMD_VEC_AVX2_H
#define LM_CPU_SIMD_VEC_AVX2_H

#include <immintrin.h>

typedef struct { __m256 a, b; } lm_v16;
typedef struct { __m256i a, b; } lm_vi16;
typedef struct { __m256 a, b; } lm_vm16; /* all bits of a lane equal */

#define LM_V1(name, op) LM_VEC lm_v16 name(lm_v16 x) { return (lm_v16){op(x.a), op(x.b)}; }
#define LM_V2(name, op) LM_VEC lm_v16 name(lm_v16 x, lm_v16 y) { return (lm_v16){op(x.a, y.a), op(x.b, y.b)}; }
#define LM_M2(name, op) LM_VEC lm_vm16 name(lm_vm16 x, lm_vm16 y) { return (lm_vm16){op(x.a, y.a), op(x.b, y.b)}; }
#define LM_I2(name, op) LM_VEC lm_vi16 name(lm_vi16 x, lm_vi16 y) { return (lm_vi16){op(x.a, y.a), op(x.b, y.b)}; }
#define LM_C2(name, how)                                                                                              \
    LM_VEC lm_vm16 name(lm_v16 x, lm_v16 y)                                                                           \
    {                                                                                                                 \
        return (lm_vm16){_mm256_cmp_ps(x.a, y.a, how), _mm256_cmp_ps(x.b, y.b, how)};                                 \
    }

LM_M2(lm_m_and, _mm256_and_ps)
LM_M2(lm_m_or, _mm256_or_ps)
LM_VEC lm_vm16 lm_m_not(lm_vm16 m)
{
    __m256 ones = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    return (lm_vm16){_mm256_xor_ps(m.a, ones), _mm256_xor_ps(m.b, ones)};
}
LM_VEC unsigned lm_m_bits(lm_vm16 m)
{
    return (unsigned)_mm256_movemask_ps(m.a) | (unsigned)_mm256_movemask_ps(m.b) << 8;
}
LM_VEC int lm_m_any(lm_vm16 m) { return _mm256_movemask_ps(_mm256_or_ps(m.a, m.b)) != 0; }
LM_VEC lm_vm16 lm_m_first(size_t n)
{
    __m256i k = _mm256_set1_epi32((int)(n < 16 ? n : 16)), i = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i j = _mm256_add_epi32(i, _mm256_set1_epi32(8));
    return (lm_vm16){_mm256_castsi256_ps(_mm256_cmpgt_epi32(k, i)), _mm256_castsi256_ps(_mm256_cmpgt_epi32(k, j))};
}

LM_VEC lm_vm16 lm_i_as_m(__m256i a, __m256i b) { return (lm_vm16){_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)}; }
LM_VEC lm_v16 lm_i_as_v(lm_vi16 x) { return (lm_v16){_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
LM_VEC lm_vi16 lm_v_as_i(lm_v16 x) { return (lm_vi16){_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)}; }

LM_VEC lm_v16 lm_v_set(float x) { return (lm_v16){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
LM_VEC lm_v16 lm_v_load(const float *p) { return (lm_v16){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
LM_VEC void lm_v_store(float *p, lm_v16 x) { _mm256_storeu_ps(p, x.a), _mm256_storeu_ps(p + 8, x.b); }
LM_VEC void lm_v_stream(float *p, lm_v16 x) { _mm256_stream_ps(p, x.a), _mm256_stream_ps(p + 8, x.b); }
LM_VEC void lm_v_stream_end(void) { _mm_sfence(); }
LM_VEC lm_v16 lm_v_load_n(const float *p, size_t n)
{
    lm_vm16 m = lm_m_first(n);
    __m256i a = _mm256_castps_si256(m.a), b = _mm256_castps_si256(m.b);
    return (lm_v16){_mm256_maskload_ps(p, a), _mm256_maskload_ps(p + 8, b)};
}
LM_VEC void lm_v_store_n(float *p, lm_v16 x, size_t n)
{
    lm_vm16 m = lm_m_first(n);
    _mm256_maskstore_ps(p, _mm256_castps_si256(m.a), x.a);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.b), x.b);
}

LM_V2(lm_v_add, _mm256_add_ps)
LM_V2(lm_v_sub, _mm256_sub_ps)
LM_V2(lm_v_mul, _mm256_mul_ps)
LM_V2(lm_v_div, _mm256_div_ps)
LM_V1(lm_v_sqrt, _mm256_sqrt_ps)
#define LM_RINT(x) _mm256_round_ps(x, 8)
#define LM_FLOOR(x) _mm256_round_ps(x, 9)
#define LM_CEIL(x) _mm256_round_ps(x, 10)
#define LM_TRUNC(x) _mm256_round_ps(x, 11)
LM_V1(lm_v_rint, LM_RINT)
LM_V1(lm_v_floor, LM_FLOOR)
LM_V1(lm_v_ceil, LM_CEIL)
LM_V1(lm_v_trunc, LM_TRUNC)
#undef LM_RINT
#undef LM_FLOOR
#undef LM_CEIL
#undef LM_TRUNC
LM_VEC lm_v16 lm_v_fma(lm_v16 x, lm_v16 y, lm_v16 z)
{
    return (lm_v16){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
LM_VEC lm_v16 lm_v_fnma(lm_v16 x, lm_v16 y, lm_v16 z)
{
    return (lm_v16){_mm256_fnmadd_ps(x.a, y.a, z.a), _mm256_fnmadd_ps(x.b, y.b, z.b)};
}

LM_C2(lm_v_lt, _CMP_LT_OQ)
LM_C2(lm_v_le, _CMP_LE_OQ)
LM_C2(lm_v_eq, _CMP_EQ_OQ)
LM_VEC lm_vm16 lm_v_nan(lm_v16 x)
{
    return (lm_vm16){_mm256_cmp_ps(x.a, x.a, _CMP_UNORD_Q), _mm256_cmp_ps(x.b, x.b, _CMP_UNORD_Q)};
}
LM_VEC lm_v16 lm_v_select(lm_vm16 m, lm_v16 x, lm_v16 y)
{
    return (lm_v16){_mm256_blendv_ps(y.a, x.a, m.a), _mm256_blendv_ps(y.b, x.b, m.b)};
}

/* the instruction returns its second operand when either is NaN or both are zero; a NaN x is put back by hand, and
 * taking both orders and combining their bits settles the zeros (and changes nothing else) */
LM_VEC __m256 lm_max8(__m256 x, __m256 y)
{
    __m256 m = _mm256_and_ps(_mm256_max_ps(x, y), _mm256_max_ps(y, x));
    return _mm256_blendv_ps(_mm256_blendv_ps(m, y, _mm256_cmp_ps(y, y, _CMP_UNORD_Q)), x,
                            _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}
LM_VEC __m256 lm_min8(__m256 x, __m256 y)
{
    __m256 m = _mm256_or_ps(_mm256_min_ps(x, y), _mm256_min_ps(y, x));
    return _mm256_blendv_ps(_mm256_blendv_ps(m, y, _mm256_cmp_ps(y, y, _CMP_UNORD_Q)), x,
                            _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}
LM_V2(lm_v_max, lm_max8)
LM_V2(lm_v_min, lm_min8)
LM_V2(lm_v_greater, _mm256_max_ps)
LM_VEC lm_v16 lm_v_clamp(lm_v16 x, float lo, float hi)
{
    __m256 l = _mm256_set1_ps(lo), h = _mm256_set1_ps(hi);
    return (lm_v16){_mm256_min_ps(h, _mm256_max_ps(l, x.a)), _mm256_min_ps(h, _mm256_max_ps(l, x.b))};
}

LM_VEC lm_vi16 lm_i_set(int32_t x) { return (lm_vi16){_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
LM_VEC lm_vi16 lm_i_load(const int32_t *p)
{
    return (lm_vi16){_mm256_loadu_si256((const void *)p), _mm256_loadu_si256((const void *)(p + 8))};
}
LM_VEC void lm_i_store(int32_t *p, lm_vi16 x)
{
    _mm256_storeu_si256((void *)p, x.a), _mm256_storeu_si256((void *)(p + 8), x.b);
}
LM_I2(lm_i_add, _mm256_add_epi32)
LM_I2(lm_i_sub, _mm256_sub_epi32)
LM_I2(lm_i_and, _mm256_and_si256)
LM_I2(lm_i_or, _mm256_or_si256)
LM_I2(lm_i_xor, _mm256_xor_si256)
LM_I2(lm_i_min, _mm256_min_epi32)
LM_VEC lm_vi16 lm_i_shl(lm_vi16 x, int n) { return (lm_vi16){_mm256_slli_epi32(x.a, n), _mm256_slli_epi32(x.b, n)}; }
LM_VEC lm_vi16 lm_i_shr(lm_vi16 x, int n) { return (lm_vi16){_mm256_srli_epi32(x.a, n), _mm256_srli_epi32(x.b, n)}; }
LM_VEC lm_vi16 lm_i_sar(lm_vi16 x, int n) { return (lm_vi16){_mm256_srai_epi32(x.a, n), _mm256_srai_epi32(x.b, n)}; }
LM_VEC lm_vm16 lm_i_lt(lm_vi16 x, lm_vi16 y)
{
    return lm_i_as_m(_mm256_cmpgt_epi32(y.a, x.a), _mm256_cmpgt_epi32(y.b, x.b));
}
LM_VEC lm_vm16 lm_i_eq(lm_vi16 x, lm_vi16 y)
{
    return lm_i_as_m(_mm256_cmpeq_epi32(x.a, y.a), _mm256_cmpeq_epi32(x.b, y.b));
}
LM_VEC lm_vi16 lm_i_select(lm_vm16 m, lm_vi16 x, lm_vi16 y)
{
    return lm_v_as_i(lm_v_select(m, lm_i_as_v(x), lm_i_as_v(y)));
}
LM_VEC lm_v16 lm_i_to_v(lm_vi16 x) { return (lm_v16){_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
LM_VEC lm_vi16 lm_v_to_i_near(lm_v16 x) { return (lm_vi16){_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
LM_VEC __m256i lm_sat8(__m256 x)
{
    __m256 big = _mm256_cmp_ps(_mm256_set1_ps(2147483648.0f), x, _CMP_LE_OQ); /* INT_MIN ^ -1 = INT_MAX there */
    __m256i i = _mm256_xor_si256(_mm256_cvttps_epi32(x), _mm256_castps_si256(big));
    return _mm256_and_si256(i, _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_ORD_Q)));
}
LM_VEC lm_vi16 lm_v_to_i(lm_v16 x) { return (lm_vi16){lm_sat8(x.a), lm_sat8(x.b)}; }
LM_VEC __m256 lm_pow2_8(__m256i n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
/* two exact or final multiplications: the first scale keeps p normal */
LM_VEC __m256 lm_ldexp8(__m256 p, __m256 n)
{
    __m256i k = _mm256_cvtps_epi32(n), h = _mm256_srai_epi32(k, 1);
    return _mm256_mul_ps(_mm256_mul_ps(p, lm_pow2_8(h)), lm_pow2_8(_mm256_sub_epi32(k, h)));
}
LM_V2(lm_v_ldexp, lm_ldexp8)

#define LM_WIDEN(name, type, conv)                                                                                    \
    LM_VEC lm_vi16 name(const type *p)                                                                                \
    {                                                                                                                 \
        return (lm_vi16){conv(_mm_loadu_si64(p)), conv(_mm_loadu_si64(p + 8))};                                       \
    }
LM_WIDEN(lm_i_load_u8, uint8_t, _mm256_cvtepu8_epi32)
LM_WIDEN(lm_i_load_i8, int8_t, _mm256_cvtepi8_epi32)
#undef LM_WIDEN
/* low and high halves of eight int64_t; a shuffle works in each half of a register, the permutation joins them */
LM_VEC __m256i lm_halves_8(const int64_t *p, __m256i *high)
{
    const __m256 a = _mm256_loadu_ps((const float *)(const void *)p);
    const __m256 b = _mm256_loadu_ps((const float *)(const void *)(p + 4));
    *high = _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)), 0xd8);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)), 0xd8);
}
LM_VEC lm_vi16 lm_i_load_i64(const int64_t *p, lm_vi16 *high)
{
    lm_vi16 low;
    low.a = lm_halves_8(p, &high->a);
    low.b = lm_halves_8(p + 8, &high->b);
    return low;
}
LM_VEC lm_vi16 lm_i_load_u16(const uint16_t *p)
{
    return (lm_vi16){_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p)),
                     _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)(p + 8)))};
}
/* narrow stores keep the low bits of every lane; the packs work within 128-bit halves, hence the final permutation */
LM_VEC __m256i lm_pack16(lm_vi16 x)
{
    __m256i low = _mm256_set1_epi32(0xffff);
    __m256i p = _mm256_packus_epi32(_mm256_and_si256(x.a, low), _mm256_and_si256(x.b, low));
    return _mm256_permute4x64_epi64(p, 0xd8);
}
LM_VEC void lm_i_store_u16(uint16_t *p, lm_vi16 x) { _mm256_storeu_si256((void *)p, lm_pack16(x)); }
LM_VEC void lm_i_store_u8(uint8_t *p, lm_vi16 x)
{
    __m256i w = _mm256_and_si256(lm_pack16(x), _mm256_set1_epi16(255));
    _mm_storeu_si128((void *)p, _mm_packus_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1)));
}
LM_VEC lm_vi16 lm_m_to_i(lm_vm16 m)
{
    return (lm_vi16){_mm256_srli_epi32(_mm256_castps_si256(m.a), 31), _mm256_srli_epi32(_mm256_castps_si256(m.b), 31)};
}
LM_VEC lm_v16 lm_v_load_f16(const uint16_t *p)
{
#ifdef __F16C__
    __m128i a = _mm_loadu_si128((const void *)p), b = _mm_loadu_si128((const void *)(p + 8));
    return (lm_v16){_mm256_cvtph_ps(a), _mm256_cvtph_ps(b)};
#else
    float f[16];
    for (int i = 0; i < 16; i++)
        f[i] = lm_half_to_float(p[i]);
    return lm_v_load(f);
#endif
}
LM_VEC void lm_v_store_f16(uint16_t *p, lm_v16 x)
{
#ifdef __F16C__
    _mm_storeu_si128((void *)p, _mm256_cvtps_ph(x.a, 0));
    _mm_storeu_si128((void *)(p + 8), _mm256_cvtps_ph(x.b, 0));
#else
    float f[16];
    lm_v_store(f, x);
    for (int i = 0; i < 16; i++)
        p[i] = lm_float_to_half(f[i]);
#endif
}

/* neighbours are joined in pairs, then in fours; the last stage moves whole fours */
LM_VEC void lm_turn8(__m256 v[8])
{
    __m256 t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            __m256d a = _mm256_castps_pd(t[i + k]), b = _mm256_castps_pd(t[i + k + 2]);
            v[i + 2 * k] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
            v[i + 2 * k + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
        }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
    }
    for (int i = 0; i < 8; i++)
        v[i] = t[i];
}
LM_VEC void lm_v_turn(lm_v16 v[16])
{
    __m256 part[4][8]; /* [rows 8...][columns 8...] */
    for (int i = 0; i < 8; i++) {
        part[0][i] = v[i].a, part[1][i] = v[i].b;
        part[2][i] = v[i + 8].a, part[3][i] = v[i + 8].b;
    }
    for (int i = 0; i < 4; i++)
        lm_turn8(part[i]);
    for (int i = 0; i < 8; i++) {
        v[i] = (lm_v16){part[0][i], part[2][i]};
        v[i + 8] = (lm_v16){part[1][i], part[3][i]};
    }
}

#define LM_FOLD8(name, op8)                                                                                           \
    LM_VEC float lm_v_fold_##name(lm_v16 x)                                                                           \
    {                                                                                                                 \
        __m256 v = op8(x.a, x.b);                                                                                     \
        v = op8(v, _mm256_permute2f128_ps(v, v, 1));                                                                  \
        v = op8(v, _mm256_permute_ps(v, 0x4e));                                                                       \
        return _mm256_cvtss_f32(op8(v, _mm256_permute_ps(v, 0xb1)));                                                  \
    }
LM_FOLD8(add, _mm256_add_ps)
LM_FOLD8(mul, _mm256_mul_ps)
LM_FOLD8(max, lm_max8)
LM_FOLD8(min, lm_min8)
LM_FOLD8(greater, _mm256_max_ps)
#undef LM_FOLD8

#endif
