/* binary.c - elementwise functions of two and three float operands, and comparisons. An operand may be one value for
 * the whole run; each such form is a loop of its own, chosen once per run. */
#include "backends/cpu/simd/kernel.h"

/* operand i: a vector of its run, or its one value */
LM_VEC lm_v16 operand(const lm_ew *e, int k, unsigned one, size_t i, size_t left)
{
    const float *x = e->x[k];
    return one >> k & 1 ? lm_v_set(*x) : lm_v_load_left(x + i, left);
}

#define LOOP(OP, f)                                                                                                   \
    LM_VEC void run_##OP(lm_ew *e, unsigned one)                                                                      \
    {                                                                                                                 \
        float *y = e->y;                                                                                              \
        size_t n = e->n, i = 0;                                                                                       \
        for (; i + 16 <= n; i += 16) {                                                                                \
            lm_v16 a = operand(e, 0, one, i, 16), b = operand(e, 1, one, i, 16);                                      \
            put(y + i, f, e->past);                                                                                   \
        }                                                                                                             \
        if (i < n)                                                                                                    \
            do_rest(e, i, 2, LM_NAME(lm_ew_##OP));                                                                    \
    }

#define BINARY(OP, f)                                                                                                 \
    LOOP(OP, f)                                                                                                       \
    void LM_NAME(lm_ew_##OP)(lm_ew *e)                                                                                \
    {                                                                                                                 \
        if (e->one == 0)                                                                                              \
            run_##OP(e, 0);                                                                                           \
        else if (e->one == 1)                                                                                         \
            run_##OP(e, 1);                                                                                           \
        else if (e->one == 2)                                                                                         \
            run_##OP(e, 2);                                                                                           \
        else                                                                                                          \
            run_##OP(e, 3);                                                                                           \
    }

/* the same for what takes so long that one loop does for all forms */
#define LONG_BINARY(OP, f)                                                                                            \
    LOOP(OP, f)                                                                                                       \
    void LM_NAME(lm_ew_##OP)(lm_ew *e) { run_##OP(e, e->one); }

/* as BINARY, results of one byte */
#define COMPARE(OP, f)                                                                                                \
    LM_VEC void run_##OP(const lm_ew *e, unsigned one)                                                                \
    {                                                                                                                 \
        for (size_t i = 0; i < e->n; i += 16) {                                                                       \
            size_t left = e->n - i;                                                                                   \
            lm_v16 a = operand(e, 0, one, i, left), b = operand(e, 1, one, i, left);                                  \
            lm_i_store_u8_left((uint8_t *)e->y + i, lm_m_to_i(f), left);                                              \
        }                                                                                                             \
    }                                                                                                                 \
    void LM_NAME(lm_ew_##OP)(lm_ew *e)                                                                                \
    {                                                                                                                 \
        if (e->one == 0)                                                                                              \
            run_##OP(e, 0);                                                                                           \
        else                                                                                                          \
            run_##OP(e, e->one);                                                                                      \
    }

/* C's remainder, which every C library computes exactly */
LM_MATH lm_v16 remainder_of(lm_v16 a, lm_v16 b)
{
    float x[16], y[16];
    lm_v_store(x, a), lm_v_store(y, b);
    for (int i = 0; i < 16; i++)
        x[i] = fmodf(x[i], y[i]);
    return lm_v_load(x);
}

BINARY(ADD, lm_v_add(a, b))
BINARY(SUB, lm_v_sub(a, b))
BINARY(MUL, lm_v_mul(a, b))
BINARY(DIV, lm_v_div(a, b))
BINARY(MIN, lm_v_min(a, b))
BINARY(MAX, lm_v_max(a, b))
BINARY(PRELU, lm_v_select(lm_v_lt(a, lm_v_zero()), lm_v_mul(b, a), a))
LONG_BINARY(POW, lm_v_pow(a, b))
LONG_BINARY(ATAN2, lm_v_atan2(a, b))
LONG_BINARY(MOD, remainder_of(a, b))
COMPARE(EQUAL, lm_v_eq(a, b))
COMPARE(GREATER, lm_v_lt(b, a))
COMPARE(GREATEREQ, lm_v_le(b, a))
COMPARE(LESS, lm_v_lt(a, b))
COMPARE(LESSEQ, lm_v_le(a, b))

/* condition (bytes) ? a : b; bits move, so any 4-byte type will do */
LM_VEC void where(const lm_ew *e, unsigned one)
{
    const uint8_t *cond = e->x[0];
    float *y = e->y;
    for (size_t i = 0; i < e->n; i += 16) {
        size_t left = e->n - i;
        uint8_t part[16] = {0};
        if (left < 16 && !(one & 1))
            memcpy(part, cond + i, left);
        lm_vi16 c = one & 1 ? lm_i_set(*cond) : lm_i_load_u8(left >= 16 ? cond + i : part);
        lm_vm16 no = lm_i_eq(c, lm_i_set(0));
        lm_v_store_left(y + i, lm_v_select(no, operand(e, 2, one, i, left), operand(e, 1, one, i, left)), left);
    }
}

void LM_NAME(lm_ew_WHERE)(lm_ew *e)
{
    if (e->one == 0)
        where(e, 0);
    else
        where(e, e->one);
}

/* (x - mean) * gain + bias; the last three may be one value each. a not 0: then relu. */
LM_VEC void batchnorm(lm_ew *e, unsigned one, bool relu)
{
    float *y = e->y;
    for (size_t i = 0; i < e->n; i += 16) {
        size_t left = e->n - i;
        lm_v16 v = lm_v_sub(operand(e, 0, one, i, left), operand(e, 1, one, i, left));
        v = lm_v_add(lm_v_mul(v, operand(e, 2, one, i, left)), operand(e, 3, one, i, left));
        lm_v_store_left(y + i, relu ? lm_v_relu(v) : v, left);
    }
}

void LM_NAME(lm_ew_BATCHNORM)(lm_ew *e)
{
    if (e->one == 0 && e->a != 0.0f)
        batchnorm(e, 0, true);
    else if (e->a != 0.0f)
        batchnorm(e, e->one, true);
    else
        batchnorm(e, e->one, false);
}
