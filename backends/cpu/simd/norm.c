/* norm.c - normalisation of rows. Mean and mean square deviation are two passes in the canonical order (kernels.h);
 * every step rounds like the elementwise op of the same meaning, so the bits are those of the op written out in such
 * ops. */
#include "backends/cpu/simd/kernel.h"

typedef enum deviation { PLAIN, DEVIATION, SQUARE } deviation;

/* sum over a row of x, of (x - mean)^2, of x^2 */
LM_VEC float chunk_sum(deviation what, const float *x, size_t n, float mean)
{
    lm_v16 sum = lm_v_zero(), m = lm_v_set(mean);
    for (size_t i = 0; i < n; i += 16) {
        lm_v16 v = lm_v_load_left(x + i, n - i);
        if (what == DEVIATION) /* of a row that was read just now: fetch the next one meanwhile */
            __builtin_prefetch((const void *)((uintptr_t)(x + i) + n * sizeof *x), 0, 3);
        v = what == DEVIATION ? lm_v_sub(v, m) : v;
        lm_v16 next = lm_v_add(sum, what == PLAIN ? v : lm_v_mul(v, v));
        sum = n - i >= 16 ? next : lm_v_select(lm_m_first(n - i), next, sum);
    }
    return lm_v_fold_add(sum);
}

LM_VEC float sum_of(deviation what, const float *x, size_t n, float mean)
{
    size_t step = n > LM_RED_LONG ? LM_RED_CHUNK : n;
    float sum = 0;
    for (size_t i = 0; i < n; i += step)
        sum += chunk_sum(what, x + i, n - i < step ? n - i : step, mean);
    return sum;
}

void LM_NAME(lm_row_moments)(const float *x, size_t n, float epsilon, float *mean, float *inverse)
{
    *mean = sum_of(PLAIN, x, n, 0) / (float)n;
    *inverse = 1.0f / sqrtf(sum_of(DEVIATION, x, n, *mean) / (float)n + epsilon);
}

/* (x - m) k * scale + bias; a NULL operand is left out. */
LM_VEC void apply(float *y, const float *x, const float *scale, const float *bias, size_t n, float mean, float factor,
                  bool centred, bool past)
{
    lm_v16 m = lm_v_set(mean), k = lm_v_set(factor);
    for (size_t i = 0; i < n; i += 16) {
        size_t left = n - i;
        lm_v16 v = lm_v_load_left(x + i, left);
        v = lm_v_mul(centred ? lm_v_sub(v, m) : v, k);
        if (scale)
            v = lm_v_mul(v, lm_v_load_left(scale + i, left));
        if (bias)
            v = lm_v_add(v, lm_v_load_left(bias + i, left));
        if (past && left >= 16)
            lm_v_stream(y + i, v);
        else
            lm_v_store_left(y + i, v, left);
    }
}

void LM_NAME(lm_layernorm_row)(float *y, const float *x, const float *scale, const float *bias, size_t n, float epsilon,
                               float *mean, float *inverse, bool past)
{
    float m, k;
    LM_NAME(lm_row_moments)(x, n, epsilon, &m, &k);
    if (past)
        apply(y, x, scale, bias, n, m, k, true, true);
    else
        apply(y, x, scale, bias, n, m, k, true, false);
    if (mean)
        *mean = m;
    if (inverse)
        *inverse = k;
}

void LM_NAME(lm_rmsnorm_row)(float *y, const float *x, const float *scale, size_t n, float epsilon, bool past)
{
    float k = 1.0f / sqrtf(sum_of(SQUARE, x, n, 0) / (float)n + epsilon);
    if (past)
        apply(y, x, scale, NULL, n, 0, k, false, true);
    else
        apply(y, x, scale, NULL, n, 0, k, false, false);
}

void LM_NAME(lm_affine_row)(float *y, const float *x, size_t n, float mean, float inverse, float scale, float bias)
{
    lm_v16 m = lm_v_set(mean), k = lm_v_set(inverse), a = lm_v_set(scale), b = lm_v_set(bias);
    for (size_t i = 0; i < n; i += 16) {
        lm_v16 v = lm_v_mul(lm_v_sub(lm_v_load_left(x + i, n - i), m), k);
        lm_v_store_left(y + i, lm_v_add(lm_v_mul(v, a), b), n - i);
    }
}

void LM_NAME(lm_lrn_columns)(float *y, const float *x, int64_t stride, size_t n, size_t w, int64_t size, float alpha,
                             float beta, float bias)
{
    lm_v16 count = lm_v_set((float)size), a = lm_v_set(alpha), b = lm_v_set(bias), power = lm_v_set(beta);
    for (int64_t c = 0; c < (int64_t)n; c++) {
        int64_t from = c - (size - 1) / 2, to = c + size / 2; /* inclusive; channels outside count as 0 */
        lm_v16 sum = lm_v_zero();
        for (int64_t k = from > 0 ? from : 0; k <= to && k < (int64_t)n; k++) {
            lm_v16 v = lm_v_load_left(x + k * stride, w);
            sum = lm_v_add(sum, lm_v_mul(v, v));
        }
        lm_v16 base = lm_v_add(lm_v_mul(lm_v_div(sum, count), a), b);
        lm_v_store_left(y + c * stride, lm_v_div(lm_v_load_left(x + c * stride, w), lm_v_pow(base, power)), w);
    }
}
