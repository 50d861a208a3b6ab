/* convert.c - runs of element type conversions. Floats become integers by truncation, saturating, NaN -> 0; anything
 * but zero is true, NaN too. */
#include "backends/cpu/simd/kernel.h"

LM_VEC lm_vi16 clamp_int(lm_vi16 v, int lo, int hi)
{
    v = lm_i_select(lm_i_lt(v, lm_i_set(lo)), lm_i_set(lo), v);
    return lm_i_select(lm_i_lt(lm_i_set(hi), v), lm_i_set(hi), v);
}

#define FROM_FLOAT(TO, f)                                                                                             \
    void LM_NAME(lm_convert_##TO##_F32)(lm_ew *e)                                                                     \
    {                                                                                                                 \
        const float *x = e->x[0];                                                                                     \
        for (size_t i = 0; i < e->n; i += 16) {                                                                       \
            lm_v16 v = lm_v_load_left(x + i, e->n - i);                                                               \
            lm_i_store_u8_left((uint8_t *)e->y + i, f, e->n - i);                                                     \
        }                                                                                                             \
    }

#define TO_FLOAT(FROM, type, load)                                                                                    \
    void LM_NAME(lm_convert_F32_##FROM)(lm_ew *e)                                                                     \
    {                                                                                                                 \
        const type *x = e->x[0];                                                                                      \
        float *y = e->y;                                                                                              \
        size_t n = e->n, i = 0;                                                                                       \
        for (; i + 16 <= n; i += 16)                                                                                  \
            lm_v_store(y + i, lm_i_to_v(load(x + i)));                                                                \
        for (; i < n; i++)                                                                                            \
            y[i] = (float)x[i];                                                                                       \
    }

FROM_FLOAT(U8, clamp_int(lm_v_to_i(v), 0, 255))
FROM_FLOAT(I8, clamp_int(lm_v_to_i(v), -128, 127))
FROM_FLOAT(BOOL, lm_m_to_i(lm_m_not(lm_v_eq(v, lm_v_zero()))))
TO_FLOAT(U8, uint8_t, lm_i_load_u8)
TO_FLOAT(BOOL, uint8_t, lm_i_load_u8)
TO_FLOAT(I8, int8_t, lm_i_load_i8)
TO_FLOAT(I32, int32_t, lm_i_load)

void LM_NAME(lm_convert_I32_F32)(lm_ew *e)
{
    const float *x = e->x[0];
    int32_t *y = e->y, part[16];
    for (size_t i = 0; i < e->n; i += 16) {
        size_t left = e->n - i;
        lm_i_store(left >= 16 ? y + i : part, lm_v_to_i(lm_v_load_left(x + i, left)));
        if (left < 16)
            memcpy(y + i, part, left * sizeof *y);
    }
}

#define WIDEN(name, load, load1)                                                                                      \
    void LM_NAME(lm_##name)(float *to, const uint16_t *from, size_t n)                                                \
    {                                                                                                                 \
        size_t i = 0;                                                                                                 \
        for (; i + 16 <= n; i += 16)                                                                                  \
            lm_v_store(to + i, load(from + i));                                                                       \
        for (; i < n; i++)                                                                                            \
            to[i] = load1(from[i]);                                                                                   \
    }
#define NARROW(name, store, store1)                                                                                   \
    void LM_NAME(lm_##name)(uint16_t *to, const float *from, size_t n)                                                \
    {                                                                                                                 \
        size_t i = 0;                                                                                                 \
        for (; i + 16 <= n; i += 16)                                                                                  \
            store(to + i, lm_v_load(from + i));                                                                       \
        for (; i < n; i++)                                                                                            \
            to[i] = store1(from[i]);                                                                                  \
    }

WIDEN(from_f16, lm_v_load_f16, lm_half_to_float)
WIDEN(from_bf16, lm_v_load_bf16, lm_bf16_to_float)
NARROW(to_f16, lm_v_store_f16, lm_float_to_half)
NARROW(to_bf16, lm_v_store_bf16, lm_float_to_bf16)

void LM_NAME(lm_stream_copy)(float *to, const float *from, size_t n)
{
    size_t head = (64 - ((uintptr_t)to & 63)) % 64 / sizeof *to;
    head = head < n ? head : n;
    memcpy(to, from, head * sizeof *to);
    size_t i = head;
    for (; i + 16 <= n; i += 16)
        lm_v_stream(to + i, lm_v_load(from + i));
    memcpy(to + i, from + i, (n - i) * sizeof *to);
}

void LM_NAME(lm_stream_end)(void)
{
    lm_v_stream_end();
}
