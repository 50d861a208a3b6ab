/* half.h - float16 (IEEE binary16) and bfloat16 <-> float for one value, in integer arithmetic: the same bits on every
 * machine, whatever the state of its flush-to-zero flags. Rounds to nearest even; NaN stays a (quiet) NaN. */
#ifndef LM_CPU_SIMD_HALF_H
#define LM_CPU_SIMD_HALF_H

#include <stdint.h>
#include <string.h>

static inline float lm_half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exp = (h >> 10) & 31u, man = h & 1023u, bits;
    if (exp == 31) {
        bits = sign | 0x7f800000u | man << 13 | (man ? 0x400000u : 0);
    } else if (exp) {
        bits = sign | (exp + 112) << 23 | man << 13;
    } else if (man) { /* subnormal: normalise */
        int up = __builtin_clz(man) - 21;
        bits = sign | (uint32_t)(113 - up) << 23 | ((man << up) & 1023u) << 13;
    } else {
        bits = sign;
    }
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint16_t lm_float_to_half(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u, a = bits & 0x7fffffffu;
    if (a > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (a >> 13 & 0x1ffu));
    if (a >= 0x477ff000u) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (a >= 0x38800000u) { /* normal: rebias, round the 13 dropped bits; a carry into the exponent is right */
        uint32_t r = a - (112u << 23);
        return (uint16_t)(sign | (r + 0xfffu + (r >> 13 & 1u)) >> 13);
    }
    if (a < 0x33000000u) /* below half the smallest subnormal */
        return (uint16_t)sign;
    uint32_t man = (a & 0x7fffffu) | 0x800000u, drop = 126u - (a >> 23); /* 14 .. 24 bits go */
    uint32_t half = 1u << (drop - 1), odd = man >> drop & 1u;
    return (uint16_t)(sign | (man + half - 1 + odd) >> drop);
}

static inline float lm_bf16_to_float(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint16_t lm_float_to_bf16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#endif
