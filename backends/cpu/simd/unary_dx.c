/* unary_dx.c - derivatives of the elementwise functions over whole arrays: y = s * slope, operands (s, x), or
 * (s, f(x)). */
#include "backends/cpu/simd/kernel.h"

#define DERIVATIVE(OP, f)                                                                                             \
    LM_MATH lm_v16 slope_##OP(lm_v16 s, lm_v16 x, lm_v16 a, lm_v16 b)                                                 \
    {                                                                                                                 \
        (void)x, (void)a, (void)b;                                                                                    \
        return f;                                                                                                     \
    }                                                                                                                 \
    void LM_NAME(lm_dx_##OP)(lm_ew *e)                                                                                \
    {                                                                                                                 \
        const float *s = e->x[0], *x = e->x[1];                                                                       \
        float *y = e->y;                                                                                              \
        lm_v16 a = lm_v_set(e->a), b = lm_v_set(e->b);                                                                \
        size_t n = e->n, i = 0;                                                                                       \
        for (; i + 16 <= n; i += 16)                                                                                  \
            put(y + i, slope_##OP(lm_v_load(s + i), lm_v_load(x + i), a, b), e->past);                                \
        if (i < n)                                                                                                    \
            do_rest(e, i, 2, LM_NAME(lm_dx_##OP));                                                                    \
    }

#include "backends/cpu/simd/formulas_dx.h"
