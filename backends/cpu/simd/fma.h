/* fma.h - fused multiply-add of floats with one rounding on every machine, inline.
 *
 * With FMA hardware the compiler emits it. Without, the product of two floats is exact in double, the sum with c is
 * rounded to odd (53 bits are at least 24 + 2, so the second rounding, to float, sees every discarded bit: Boldo and
 * Melquiond, "Emulation of FMA and correctly rounded sums"). Bits equal fmaf() but for the payload of a NaN. */
#ifndef LM_CPU_SIMD_FMA_H
#define LM_CPU_SIMD_FMA_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__aarch64__) || defined(__riscv_flen)
#define LM_HAS_FMA 1
#else
#define LM_HAS_FMA 0
#endif

/* The form without hardware; compiled everywhere so that every machine can test it. */
static inline float lm_fma_soft(float a, float b, float c)
{
    double p = (double)a * (double)b, z = (double)c;
    double s = p + z;
    double v = s - p;
    double e = (p - (s - v)) + (z - v); /* p + z = s + e exactly, unless s is not finite: then e is NaN */
    int64_t bits;
    memcpy(&bits, &s, sizeof bits);
    int64_t inexact = (int64_t)(e > 0.0) | (int64_t)(e < 0.0);
    int64_t away = (int64_t)(e > 0.0) ^ (int64_t)(bits < 0); /* 1: the exact sum is larger in magnitude than s */
    int64_t even = ~bits & 1;
    bits += inexact & even ? 2 * away - 1 : 0;
    memcpy(&s, &bits, sizeof s);
    return (float)s;
}

static inline float lm_fma(float a, float b, float c)
{
#if LM_HAS_FMA
    return __builtin_fmaf(a, b, c);
#else
    return lm_fma_soft(a, b, c);
#endif
}

#endif
