/* vec_avx512.h - the 16-lane vector as one 512-bit register. Needs AVX-512 F only. Contract: vec.h. */
#ifndef LM_CPU_SIMD_VEC_AVX512_H
#define LM_CPU_SIMD_VEC_AVX512_H

#include <immintrin.h>

typedef __m512 lm_v16;
typedef __m512i lm_vi16;
typedef __mmask16 lm_vm16;

LM_VEC lm_vm16 lm_m_first(size_t n) { return (__mmask16)((1u << (n < 16 ? n : 16)) - 1u); }
LM_VEC lm_vm16 lm_m_and(lm_vm16 a, lm_vm16 b) { return (lm_vm16)(a & b); }
LM_VEC lm_vm16 lm_m_or(lm_vm16 a, lm_vm16 b) { return (lm_vm16)(a | b); }
LM_VEC lm_vm16 lm_m_not(lm_vm16 a) { return (lm_vm16)~a; }
LM_VEC int lm_m_any(lm_vm16 a) { return a != 0; }
LM_VEC unsigned lm_m_bits(lm_vm16 a) { return a; }

LM_VEC lm_v16 lm_i_as_v(lm_vi16 a) { return _mm512_castsi512_ps(a); }
LM_VEC lm_vi16 lm_v_as_i(lm_v16 a) { return _mm512_castps_si512(a); }

LM_VEC lm_v16 lm_v_set(float x) { return _mm512_set1_ps(x); }
LM_VEC lm_v16 lm_v_load(const float *p) { return _mm512_loadu_ps(p); }
LM_VEC void lm_v_store(float *p, lm_v16 a) { _mm512_storeu_ps(p, a); }
LM_VEC void lm_v_stream(float *p, lm_v16 a) { _mm512_stream_ps(p, a); }
LM_VEC void lm_v_stream_end(void) { _mm_sfence(); }
LM_VEC lm_v16 lm_v_load_n(const float *p, size_t n) { return _mm512_maskz_loadu_ps(lm_m_first(n), p); }
LM_VEC void lm_v_store_n(float *p, lm_v16 a, size_t n) { _mm512_mask_storeu_ps(p, lm_m_first(n), a); }

LM_VEC lm_v16 lm_v_add(lm_v16 a, lm_v16 b) { return _mm512_add_ps(a, b); }
LM_VEC lm_v16 lm_v_sub(lm_v16 a, lm_v16 b) { return _mm512_sub_ps(a, b); }
LM_VEC lm_v16 lm_v_mul(lm_v16 a, lm_v16 b) { return _mm512_mul_ps(a, b); }
LM_VEC lm_v16 lm_v_div(lm_v16 a, lm_v16 b) { return _mm512_div_ps(a, b); }
LM_VEC lm_v16 lm_v_fma(lm_v16 a, lm_v16 b, lm_v16 c) { return _mm512_fmadd_ps(a, b, c); }
LM_VEC lm_v16 lm_v_fnma(lm_v16 a, lm_v16 b, lm_v16 c) { return _mm512_fnmadd_ps(a, b, c); }
LM_VEC lm_v16 lm_v_sqrt(lm_v16 a) { return _mm512_sqrt_ps(a); }
LM_VEC lm_v16 lm_v_rint(lm_v16 a) { return _mm512_roundscale_ps(a, 8); }
LM_VEC lm_v16 lm_v_floor(lm_v16 a) { return _mm512_roundscale_ps(a, 9); }
LM_VEC lm_v16 lm_v_ceil(lm_v16 a) { return _mm512_roundscale_ps(a, 10); }
LM_VEC lm_v16 lm_v_trunc(lm_v16 a) { return _mm512_roundscale_ps(a, 11); }
LM_VEC lm_v16 lm_v_ldexp(lm_v16 p, lm_v16 n) { return _mm512_scalef_ps(p, n); }

LM_VEC lm_vm16 lm_v_lt(lm_v16 a, lm_v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
LM_VEC lm_vm16 lm_v_le(lm_v16 a, lm_v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
LM_VEC lm_vm16 lm_v_eq(lm_v16 a, lm_v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
LM_VEC lm_vm16 lm_v_nan(lm_v16 a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
LM_VEC lm_v16 lm_v_select(lm_vm16 m, lm_v16 a, lm_v16 b) { return _mm512_mask_blend_ps(m, b, a); }

/* the instruction returns its second operand when either is NaN or both are zero; the rest is put right by masks */
LM_VEC lm_v16 lm_v_max(lm_v16 a, lm_v16 b)
{
    __m512i both = _mm512_castps_si512(_mm512_max_ps(a, b)), ai = _mm512_castps_si512(a), bi = _mm512_castps_si512(b);
    both = _mm512_mask_and_epi32(both, lm_v_eq(a, b), ai, bi);
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(both, lm_v_nan(a), ai));
}
LM_VEC lm_v16 lm_v_min(lm_v16 a, lm_v16 b)
{
    __m512i both = _mm512_castps_si512(_mm512_min_ps(a, b)), ai = _mm512_castps_si512(a), bi = _mm512_castps_si512(b);
    both = _mm512_mask_or_epi32(both, lm_v_eq(a, b), ai, bi);
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(both, lm_v_nan(a), ai));
}
LM_VEC lm_v16 lm_v_greater(lm_v16 a, lm_v16 b) { return _mm512_max_ps(a, b); }
LM_VEC lm_v16 lm_v_clamp(lm_v16 x, float lo, float hi)
{
    return _mm512_min_ps(_mm512_set1_ps(hi), _mm512_max_ps(_mm512_set1_ps(lo), x));
}

LM_VEC lm_vi16 lm_i_set(int32_t x) { return _mm512_set1_epi32(x); }
LM_VEC lm_vi16 lm_i_load(const int32_t *p) { return _mm512_loadu_si512((const void *)p); }
LM_VEC void lm_i_store(int32_t *p, lm_vi16 a) { _mm512_storeu_si512((void *)p, a); }
LM_VEC lm_vi16 lm_i_add(lm_vi16 a, lm_vi16 b) { return _mm512_add_epi32(a, b); }
LM_VEC lm_vi16 lm_i_sub(lm_vi16 a, lm_vi16 b) { return _mm512_sub_epi32(a, b); }
LM_VEC lm_vi16 lm_i_and(lm_vi16 a, lm_vi16 b) { return _mm512_and_si512(a, b); }
LM_VEC lm_vi16 lm_i_or(lm_vi16 a, lm_vi16 b) { return _mm512_or_si512(a, b); }
LM_VEC lm_vi16 lm_i_xor(lm_vi16 a, lm_vi16 b) { return _mm512_xor_si512(a, b); }
LM_VEC lm_vi16 lm_i_min(lm_vi16 a, lm_vi16 b) { return _mm512_min_epi32(a, b); }
#define lm_i_shl(a, n) _mm512_slli_epi32(a, n)
#define lm_i_shr(a, n) _mm512_srli_epi32(a, n)
#define lm_i_sar(a, n) _mm512_srai_epi32(a, n)
LM_VEC lm_vm16 lm_i_lt(lm_vi16 a, lm_vi16 b) { return _mm512_cmplt_epi32_mask(a, b); }
LM_VEC lm_vm16 lm_i_eq(lm_vi16 a, lm_vi16 b) { return _mm512_cmpeq_epi32_mask(a, b); }
LM_VEC lm_vi16 lm_i_select(lm_vm16 m, lm_vi16 a, lm_vi16 b) { return _mm512_mask_blend_epi32(m, b, a); }
LM_VEC lm_v16 lm_i_to_v(lm_vi16 a) { return _mm512_cvtepi32_ps(a); }
LM_VEC lm_vi16 lm_v_to_i_near(lm_v16 a) { return _mm512_cvtps_epi32(a); }
LM_VEC lm_vi16 lm_v_to_i(lm_v16 a)
{
    __m512i i = _mm512_cvttps_epi32(a); /* INT_MIN where out of range or NaN */
    i = _mm512_mask_mov_epi32(i, lm_v_le(lm_v_set(2147483648.0f), a), _mm512_set1_epi32(INT32_MAX));
    return _mm512_maskz_mov_epi32(lm_v_eq(a, a), i);
}

LM_VEC lm_vi16 lm_i_load_u8(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p)); }
LM_VEC lm_vi16 lm_i_load_i8(const int8_t *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p)); }
LM_VEC lm_vi16 lm_i_load_i64(const int64_t *p, lm_vi16 *high)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i a = _mm512_loadu_si512((const void *)p), b = _mm512_loadu_si512((const void *)(p + 8));
    *high = _mm512_permutex2var_epi32(a, _mm512_add_epi32(even, _mm512_set1_epi32(1)), b);
    return _mm512_permutex2var_epi32(a, even, b);
}
LM_VEC lm_vi16 lm_i_load_u16(const uint16_t *p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)); }
/* narrow stores keep the low bits of every lane */
LM_VEC void lm_i_store_u8(uint8_t *p, lm_vi16 a) { _mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8(a)); }
LM_VEC void lm_i_store_u16(uint16_t *p, lm_vi16 a) { _mm256_storeu_si256((void *)p, _mm512_cvtepi32_epi16(a)); }
LM_VEC lm_vi16 lm_m_to_i(lm_vm16 m) { return _mm512_maskz_set1_epi32(m, 1); }
LM_VEC lm_v16 lm_v_load_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p)); }
LM_VEC void lm_v_store_f16(uint16_t *p, lm_v16 a)
{
    _mm256_storeu_si256((void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

/* neighbours are joined in pairs, then in fours; the last two stages move whole fours */
LM_VEC void lm_v_turn(lm_v16 v[16])
{
    __m512 t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int k = 0; k < 2; k++) {
            __m512d a = _mm512_castps_pd(t[i + k]), b = _mm512_castps_pd(t[i + k + 2]);
            v[i + 2 * k] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            v[i + 2 * k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
    for (int half = 0; half < 16; half += 8)
        for (int i = half; i < half + 4; i++) {
            t[i] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0x88);
            t[i + 4] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0xdd);
        }
    for (int i = 0; i < 8; i++) {
        v[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    }
}

#define LM_FOLD512(name, op)                                                                                          \
    LM_VEC float lm_v_fold_##name(lm_v16 a)                                                                           \
    {                                                                                                                 \
        a = op(a, _mm512_shuffle_f32x4(a, a, 0x4e));                                                                  \
        a = op(a, _mm512_shuffle_f32x4(a, a, 0xb1));                                                                  \
        a = op(a, _mm512_permute_ps(a, 0x4e));                                                                        \
        a = op(a, _mm512_permute_ps(a, 0xb1));                                                                        \
        return _mm512_cvtss_f32(a);                                                                                   \
    }
LM_FOLD512(add, lm_v_add)
LM_FOLD512(mul, lm_v_mul)
LM_FOLD512(max, lm_v_max)
LM_FOLD512(min, lm_v_min)
LM_FOLD512(greater, lm_v_greater)
#undef LM_FOLD512

#endif
