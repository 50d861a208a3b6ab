/* vec.h - the vector layer: one logical vector of 16 lanes, the same operations at every level.
 *
 * A streaming kernel is written once over these inlines and compiled once per level with -DLM_LEVEL=<level>:
 *   scalar   float[16]            any machine           avx2   2 x 8 lanes    AVX2 + FMA
 *   avx512   1 x 16 lanes         AVX-512 F             neon   4 x 4 lanes    aarch64, or armv7 with VFPv4
 * Every operation is defined lane by lane to the bit, so levels agree by construction.
 *
 * Types: lm_v16 = float x 16, lm_vi16 = int32_t x 16, lm_vm16 = truth x 16.
 *   lm_v_load/store(p)        any alignment                  lm_v_load_n/store_n(p, .., n)  lanes >= n: 0, not written
 *   lm_v_stream(p, v)         store past the caches; p aligned to 64 bytes; lm_v_stream_end() before others read
 *   lm_v_fma(a, b, c)         a*b + c                        lm_v_fnma(a, b, c)  c - a*b    (one rounding)
 *   lm_v_min/max              NaN wins; -0 < +0              lm_v_clamp(x, lo, hi) lo, hi not 0, NaN stays
 *   lm_v_greater(a, b)        max where it is known that NaN and the sign of 0 do not matter: NaN, b or the other one
 *   lm_v_lt/le/eq/nan         ordered: false with a NaN; nan(a) is true for NaN
 *   lm_v_select(m, a, b)      m ? a : b                      lm_v_ldexp(p, n)  p * 2^n, n integral in [-300, 300],
 *                                                            p in [2^-60, 2^60], one rounding
 *   lm_v_ldexp_near(p, n)     the same for p in [1/2, 2) and n in [-125, 126]; 2^n times NaN is NaN
 *   lm_v_to_i(v)              truncates, saturates, NaN -> 0 lm_v_to_i_near(v)  v integral, |v| < 2^31
 *   lm_i_load_i64(p, &high)   the low halves of 16 int64_t; in `high` the others
 *   lm_v_turn(v)              transpose: lane i of v[j] and lane j of v[i] change places, for 16 vectors v
 *   lm_v_fold_add/mul/max/min/greater  lane i with i+8, then +4, +2, +1 */
#ifndef LM_CPU_SIMD_VEC_H
#define LM_CPU_SIMD_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fma.h"
#include "half.h"

#define LM_VEC static inline __attribute__((always_inline, unused))
#define LM_LANES 16

#define LM_CAT2(a, b) a##b
#define LM_CAT(a, b) LM_CAT2(a, b)
/* LM_NAME(f) is f_<level>: the external name of a function that exists once per level. */
#define LM_NAME(f) LM_CAT(LM_CAT(f, _), LM_LEVEL)

#ifndef LM_LEVEL
#define LM_LEVEL scalar
#endif
#define LM_LEVEL_NO_scalar 0
#define LM_LEVEL_NO_avx2 1
#define LM_LEVEL_NO_avx512 2
#define LM_LEVEL_NO_neon 3
#define LM_LEVEL_NO LM_CAT(LM_LEVEL_NO_, LM_LEVEL)

/* The scalar level of a machine without FMA is its last resort: small before fast, so general forms serve all cases. */
#define LM_COMPACT (LM_LEVEL_NO == 0 && !LM_HAS_FMA)

/* Whole functions over vectors: inlined into loops where a vector is registers; calls at the scalar level, where it is
 * memory and inlining would only make the compiler slow. */
#if LM_LEVEL_NO == 0
#define LM_MATH static __attribute__((noinline, unused))
#else
#define LM_MATH LM_VEC
#endif

/* lm_v_ldexp is one instruction with AVX-512, half a dozen elsewhere */
#define LM_LDEXP_SLOW (LM_LEVEL_NO != 2)

#if LM_LEVEL_NO == 1
#include "vec_avx2.h"
#elif LM_LEVEL_NO == 2
#include "vec_avx512.h"
#elif LM_LEVEL_NO == 3
#include "vec_neon.h"
#else
#include "vec_scalar.h"
#endif

LM_VEC lm_v16 lm_v_zero(void) { return lm_v_set(0.0f); }
LM_VEC lm_v16 lm_v_neg(lm_v16 a) { return lm_i_as_v(lm_i_xor(lm_v_as_i(a), lm_i_set(INT32_MIN))); }
LM_VEC lm_v16 lm_v_abs(lm_v16 a) { return lm_i_as_v(lm_i_and(lm_v_as_i(a), lm_i_set(INT32_MAX))); }
LM_VEC lm_v16 lm_v_copysign(lm_v16 a, lm_v16 s)
{
    lm_vi16 sign = lm_i_and(lm_v_as_i(s), lm_i_set(INT32_MIN));
    return lm_i_as_v(lm_i_or(lm_i_and(lm_v_as_i(a), lm_i_set(INT32_MAX)), sign));
}
LM_VEC lm_v16 lm_v_xor_sign(lm_v16 a, lm_v16 s)
{
    return lm_i_as_v(lm_i_xor(lm_v_as_i(a), lm_i_and(lm_v_as_i(s), lm_i_set(INT32_MIN))));
}
LM_VEC lm_vm16 lm_v_gt(lm_v16 a, lm_v16 b) { return lm_v_lt(b, a); }
LM_VEC lm_vm16 lm_v_ge(lm_v16 a, lm_v16 b) { return lm_v_le(b, a); }
LM_VEC lm_v16 lm_v_ldexp_near(lm_v16 p, lm_v16 n)
{
    return lm_i_as_v(lm_i_add(lm_v_as_i(p), lm_i_shl(lm_v_to_i_near(n), 23)));
}
/* relu: NaN stays, relu(-0) = +0 */
LM_VEC lm_v16 lm_v_relu(lm_v16 a) { return lm_v_max(a, lm_v_zero()); }

/* float16 and bfloat16 in memory, float in registers; stores round to nearest even */
LM_VEC lm_v16 lm_v_load_bf16(const uint16_t *p)
{
    return lm_i_as_v(lm_i_shl(lm_i_load_u16(p), 16));
}
LM_VEC void lm_v_store_bf16(uint16_t *p, lm_v16 v)
{
    lm_vi16 b = lm_v_as_i(v);
    lm_vi16 odd = lm_i_and(lm_i_shr(b, 16), lm_i_set(1));
    lm_vi16 r = lm_i_shr(lm_i_add(b, lm_i_add(odd, lm_i_set(0x7fff))), 16);
    lm_vi16 quiet = lm_i_or(lm_i_shr(b, 16), lm_i_set(0x40));
    lm_i_store_u16(p, lm_i_select(lm_v_nan(v), quiet, r));
}

#endif
