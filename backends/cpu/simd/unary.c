/* unary.c - elementwise functions of one operand, over whole arrays. */
#include "backends/cpu/simd/kernel.h"

/* y[i] = f(x[i]) where `f` may use x and the op's parameters a, b as vectors */
#define UNARY(OP, f)                                                                                                  \
    LM_MATH lm_v16 value_##OP(lm_v16 x, lm_v16 a, lm_v16 b)                                                           \
    {                                                                                                                 \
        (void)a, (void)b;                                                                                             \
        return f;                                                                                                     \
    }                                                                                                                 \
    void LM_NAME(lm_ew_##OP)(lm_ew *e)                                                                                \
    {                                                                                                                 \
        const float *x = e->x[0];                                                                                     \
        float *y = e->y;                                                                                              \
        lm_v16 a = lm_v_set(e->a), b = lm_v_set(e->b);                                                                \
        size_t n = e->n, i = 0;                                                                                       \
        for (; i + 16 <= n; i += 16)                                                                                  \
            put(y + i, value_##OP(lm_v_load(x + i), a, b), e->past);                                                  \
        if (i < n)                                                                                                    \
            do_rest(e, i, 1, LM_NAME(lm_ew_##OP));                                                                    \
    }

#include "backends/cpu/simd/formulas.h"

/* tests: one byte, 0 or 1, per element */
#define TEST(OP, f)                                                                                                   \
    void LM_NAME(lm_ew_##OP)(lm_ew *e)                                                                                \
    {                                                                                                                 \
        const float *p = e->x[0];                                                                                     \
        uint8_t *y = e->y;                                                                                            \
        for (size_t i = 0; i < e->n; i += 16) {                                                                       \
            size_t left = e->n - i;                                                                                   \
            lm_v16 x = lm_v_load_left(p + i, left);                                                                   \
            lm_i_store_u8_left(y + i, lm_m_to_i(f), left);                                                            \
        }                                                                                                             \
    }

/* a: -inf does not count, b: +inf does not */
LM_VEC lm_vm16 is_inf(const lm_ew *e, lm_v16 x)
{
    lm_vm16 down = lm_v_eq(x, SET(e->a == 0 ? -INFINITY : NAN)), up = lm_v_eq(x, SET(e->b == 0 ? INFINITY : NAN));
    return lm_m_or(up, down);
}

TEST(ISNAN, lm_v_nan(x))
TEST(ISINF, is_inf(e, x))
