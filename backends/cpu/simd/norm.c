/* norm.c - normalisation of rows. Mean and mean square deviation are two passes in the canonical order (kernels.h);
 * every step rounds like the elementwise op of the same meaning, so the bits are those of the op written out in such
 * ops. */
#include "backends/cpu/simd/kernel.h"

typedef enum deviation { PLAIN, DEVIATION, SQUARE } deviation;

/* Bytes from what is read of memory to what is asked for. */
enum { AHEAD = 8192 };

/* Rows side by side hide the latency of sums while the first cache holds them; memory answers one row faster than
 * several. */
enum { ROWS = 4, TOGETHER = 4096 };
LM_VEC size_t side_by_side(size_t rows, size_t n, bool past)
{
    return rows >= ROWS && n <= TOGETHER && !past ? ROWS : 1;
}

/* Sums over n elements of each of `rows` <= ROWS rows, `stride` apart, of x, of (x - mean)^2, of x^2. */
LM_VEC void chunk_sums(deviation what, int rows, float *sum, const float *x, size_t stride, size_t n, const float *mean)
{
    lm_v16 s[ROWS], m[ROWS];
    for (int r = 0; r < rows; r++) {
        s[r] = lm_v_zero();
        m[r] = lm_v_set(what == DEVIATION ? mean[r] : 0);
    }
    for (size_t i = 0; i < n; i += 16)
        for (int r = 0; r < rows; r++) {
            const float *at = x + (size_t)r * stride + i;
            lm_v16 v = lm_v_load_left(at, n - i);
            if (what == DEVIATION) /* of rows that were read just now: fetch the next ones meanwhile */
                __builtin_prefetch((const void *)((uintptr_t)at + (size_t)rows * stride * sizeof *x), 0, 3);
            v = what == DEVIATION ? lm_v_sub(v, m[r]) : v;
            lm_v16 next = lm_v_add(s[r], what == PLAIN ? v : lm_v_mul(v, v));
            s[r] = n - i >= 16 ? next : lm_v_select(lm_m_first(n - i), next, s[r]);
        }
    for (int r = 0; r < rows; r++)
        sum[r] = lm_v_fold_add(s[r]);
}

LM_VEC float sum_of(deviation what, const float *x, size_t n, float mean)
{
    size_t step = n > LM_RED_LONG ? LM_RED_CHUNK : n;
    float sum = 0, part;
    for (size_t i = 0; i < n; i += step) {
        chunk_sums(what, 1, &part, x + i, n, n - i < step ? n - i : step, &mean);
        sum += part;
    }
    return sum;
}

void LM_NAME(lm_row_moments)(const float *x, size_t n, float epsilon, float *mean, float *inverse)
{
    *mean = sum_of(PLAIN, x, n, 0) / (float)n;
    *inverse = 1.0f / sqrtf(sum_of(DEVIATION, x, n, *mean) / (float)n + epsilon);
}

/* (x - m) k * scale + bias; a NULL operand is left out. */
LM_VEC void apply_16(float *y, const float *x, const float *scale, const float *bias, size_t left, lm_v16 m, lm_v16 k,
                     bool centred, bool past)
{
    lm_v16 v = lm_v_load_left(x, left);
    v = lm_v_mul(centred ? lm_v_sub(v, m) : v, k);
    if (scale)
        v = lm_v_mul(v, lm_v_load_left(scale, left));
    if (bias)
        v = lm_v_add(v, lm_v_load_left(bias, left));
    if (past && left >= 16)
        lm_v_stream(y, v);
    else
        lm_v_store_left(y, v, left);
}

LM_VEC void apply(float *y, const float *x, const float *scale, const float *bias, size_t n, float mean, float factor,
                  bool centred, bool past)
{
    const lm_v16 m = lm_v_set(mean), k = lm_v_set(factor);
    for (size_t i = 0; i < n; i += 16) {
        if (!centred && past) /* fetch the next row meanwhile, as the pass of deviations does for the others */
            __builtin_prefetch((const void *)((uintptr_t)(x + i) + n * sizeof *x), 0, 3);
        apply_16(y + i, x + i, scale ? scale + i : NULL, bias ? bias + i : NULL, n - i, m, k, centred, past);
    }
}

/* Mean and 1 / sqrt(mean square deviation + epsilon) of ROWS rows. */
LM_VEC void moments(const float *x, size_t n, float epsilon, float *mean, float *inverse)
{
    chunk_sums(PLAIN, ROWS, mean, x, n, n, NULL);
    for (int r = 0; r < ROWS; r++)
        mean[r] = (0.0f + mean[r]) / (float)n;
    chunk_sums(DEVIATION, ROWS, inverse, x, n, n, mean);
    for (int r = 0; r < ROWS; r++)
        inverse[r] = 1.0f / sqrtf((0.0f + inverse[r]) / (float)n + epsilon);
}

/* One factor of a row from the sum of its squares. */
LM_VEC float factor_of(lm_v16 squares, size_t n, float epsilon)
{
    return 1.0f / sqrtf((0.0f + lm_v_fold_add(squares)) / (float)n + epsilon);
}

/* Rows that are not long, past the caches: each is summed, if `centred` then its deviations, and then written, while
 * its successors are in the stages before, so that memory never waits for a sum. */
LM_VEC void flow(float *y, const float *x, size_t rows, const float *scale, const float *bias, size_t n, float epsilon,
                 float *mean, float *inverse, bool centred)
{
    const size_t behind = centred ? 2 : 1;
    float middle = 0; /* mean of the row whose deviations are next */
    lm_v16 m = lm_v_zero(), k = m;
    for (size_t r = 0; r < rows + behind; r++) {
        const float *first = r < rows ? x + r * n : NULL, *second = r > 0 && r <= rows ? x + (r - 1) * n : NULL;
        const float *last = r >= behind ? x + (r - behind) * n : NULL;
        float *to = last ? y + (r - behind) * n : NULL;
        lm_v16 sum = lm_v_zero(), squares = sum;
        const lm_v16 centre = lm_v_set(middle);
        for (size_t i = 0; i < n; i += 16) {
            const size_t left = n - i;
            if (first) {
                const lm_v16 v = lm_v_load_left(first + i, left), next = lm_v_add(sum, centred ? v : lm_v_mul(v, v));
                __builtin_prefetch((const void *)((uintptr_t)(first + i) + AHEAD), 0, 3);
                sum = left >= 16 ? next : lm_v_select(lm_m_first(left), next, sum);
            }
            if (centred && second) {
                const lm_v16 v = lm_v_sub(lm_v_load_left(second + i, left), centre);
                const lm_v16 next = lm_v_add(squares, lm_v_mul(v, v));
                squares = left >= 16 ? next : lm_v_select(lm_m_first(left), next, squares);
            }
            if (last)
                apply_16(to + i, last + i, scale ? scale + i : NULL, bias ? bias + i : NULL, left, m, k, centred, true);
        }
        const float inner = factor_of(centred ? squares : sum, n, epsilon);
        const bool done = centred ? second != NULL : first != NULL;
        if (done && mean)
            mean[r - 1] = middle;
        if (done && inverse)
            inverse[centred ? r - 1 : r] = inner;
        m = centre, k = lm_v_set(inner);
        middle = (0.0f + lm_v_fold_add(sum)) / (float)n;
    }
}

void LM_NAME(lm_layernorm_rows)(float *y, const float *x, size_t rows, const float *scale, const float *bias, size_t n,
                                float epsilon, float *mean, float *inverse, bool past)
{
    if (past && n <= LM_RED_LONG && LM_LEVEL_NO > 0) {
        flow(y, x, rows, scale, bias, n, epsilon, mean, inverse, true);
        return;
    }
    for (size_t i = 0, some; i < rows; i += some) {
        float m[ROWS], k[ROWS];
        some = side_by_side(rows - i, n, past);
        if (some == ROWS)
            moments(x + i * n, n, epsilon, m, k);
        else
            LM_NAME(lm_row_moments)(x + i * n, n, epsilon, m, k);
        for (size_t r = 0; r < some; r++)
            if (past)
                apply(y + (i + r) * n, x + (i + r) * n, scale, bias, n, m[r], k[r], true, true);
            else
                apply(y + (i + r) * n, x + (i + r) * n, scale, bias, n, m[r], k[r], true, false);
        if (mean)
            memcpy(mean + i, m, some * sizeof *m);
        if (inverse)
            memcpy(inverse + i, k, some * sizeof *k);
    }
}

void LM_NAME(lm_rmsnorm_rows)(float *y, const float *x, size_t rows, const float *scale, size_t n, float epsilon,
                              bool past)
{
    if (past && n <= LM_RED_LONG && LM_LEVEL_NO > 0) {
        flow(y, x, rows, scale, NULL, n, epsilon, NULL, NULL, false);
        return;
    }
    for (size_t i = 0, some; i < rows; i += some) {
        float square[ROWS];
        some = side_by_side(rows - i, n, past);
        if (some == ROWS)
            chunk_sums(SQUARE, ROWS, square, x + i * n, n, n, NULL);
        else
            *square = sum_of(SQUARE, x + i * n, n, 0);
        for (size_t r = 0; r < some; r++) {
            const float k = 1.0f / sqrtf(square[r] / (float)n + epsilon);
            if (past)
                apply(y + (i + r) * n, x + (i + r) * n, scale, NULL, n, 0, k, false, true);
            else
                apply(y + (i + r) * n, x + (i + r) * n, scale, NULL, n, 0, k, false, false);
        }
    }
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
