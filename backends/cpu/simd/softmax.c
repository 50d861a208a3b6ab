/* softmax.c - softmax, its logarithm and their gradients, over rows and over columns. Greatest value first, then the
 * exponentials and their sum in the canonical order, then the scaling; nothing is rescaled on the way. */
#include "backends/cpu/simd/kernel.h"

enum { LONG = LM_RED_LONG, CHUNK = LM_RED_CHUNK };

/* A NaN in the row may be passed over here: it makes the sum NaN, and with it every result. */
LM_VEC float row_max(const float *x, size_t n)
{
    lm_v16 a = lm_v_set(-INFINITY), b = a, c = a, d = a;
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        a = lm_v_greater(lm_v_load(x + i), a), b = lm_v_greater(lm_v_load(x + i + 16), b);
        c = lm_v_greater(lm_v_load(x + i + 32), c), d = lm_v_greater(lm_v_load(x + i + 48), d);
    }
    for (; i + 16 <= n; i += 16)
        a = lm_v_greater(lm_v_load(x + i), a);
    if (i < n)
        b = lm_v_select(lm_m_first(n - i), lm_v_greater(lm_v_load_n(x + i, n - i), b), b);
    return lm_v_fold_max(lm_v_max(lm_v_max(a, b), lm_v_max(c, d)));
}

/* sum of exp(x - top) over at most one chunk; y, unless NULL, keeps the exponentials. `ahead` bytes on lies the next
 * row, fetched meanwhile: memory and arithmetic take about as long. */
LM_VEC float exp_chunk(float *y, const float *x, size_t n, float top, size_t ahead)
{
    lm_v16 sum = lm_v_zero(), t = lm_v_set(top);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __builtin_prefetch((const void *)((uintptr_t)(x + i) + ahead));
        lm_v16 e = lm_v_exp_weight(lm_v_sub(lm_v_load(x + i), t));
        if (y)
            lm_v_store(y + i, e);
        sum = lm_v_add(sum, e);
    }
    if (i < n) {
        lm_v16 e = lm_v_exp_weight(lm_v_sub(lm_v_load_n(x + i, n - i), t));
        if (y)
            lm_v_store_n(y + i, e, n - i);
        sum = lm_v_select(lm_m_first(n - i), lm_v_add(sum, e), sum);
    }
    return lm_v_fold_add(sum);
}

static float exp_sum(float *y, const float *x, size_t n, float top)
{
    size_t step = n > LONG ? CHUNK : n;
    float sum = 0;
    for (size_t i = 0; i < n; i += step)
        sum += exp_chunk(y ? y + i : NULL, x + i, n - i < step ? n - i : step, top, n * sizeof *x);
    return sum;
}

LM_VEC float log_of(float x)
{
    float y[16];
    lm_v_store(y, lm_v_log(lm_v_set(x)));
    return y[0];
}

void LM_NAME(lm_softmax_row)(float *y, const float *x, float *keep, size_t n, bool log, bool past)
{
    float top = row_max(x, n), sum = exp_sum(log ? NULL : keep, x, n, top);
    lm_v16 scale = lm_v_set(1.0f / sum), shift = lm_v_set(top), tail = lm_v_set(log ? log_of(sum) : 0.0f);
    size_t i = 0;
    if (log)
        for (; i + 16 <= n; i += 16)
            put(y + i, lm_v_sub(lm_v_sub(lm_v_load(x + i), shift), tail), past);
    else
        for (; i + 16 <= n; i += 16)
            put(y + i, lm_v_mul(lm_v_load(keep + i), scale), past);
    if (i < n) {
        lm_v16 v = log ? lm_v_sub(lm_v_sub(lm_v_load_n(x + i, n - i), shift), tail)
                       : lm_v_mul(lm_v_load_n(keep + i, n - i), scale);
        lm_v_store_n(y + i, v, n - i);
    }
}

/* sixteen lanes of every column, folded like those of a row */
LM_VEC lm_v16 fold_lanes(lm_v16 *lane)
{
    for (int half = 8; half; half /= 2)
        for (int j = 0; j < half; j++)
            lane[j] = lm_v_add(lane[j], lane[j + half]);
    return lane[0];
}

/* `value(i, column vector)` summed over i in the canonical order: EACH sets v from row i */
#define COLUMN_SUM(total, n, EACH)                                                                                    \
    lm_v16 total = lm_v_zero();                                                                                       \
    for (size_t begin = 0, step = (n) > LONG ? CHUNK : (n); begin < (n); begin += step) {                             \
        size_t end = (n) - begin < step ? (n) : begin + step;                                                         \
        lm_v16 lane[16], v;                                                                                           \
        for (int j = 0; j < 16; j++)                                                                                  \
            lane[j] = lm_v_zero();                                                                                    \
        for (size_t i = begin; i < end; i++) {                                                                        \
            EACH;                                                                                                     \
            lane[(i - begin) & 15] = lm_v_add(lane[(i - begin) & 15], v);                                             \
        }                                                                                                             \
        total = lm_v_add(total, fold_lanes(lane));                                                                    \
    }

LM_VEC lm_v16 exp_keep(float *y, const float *x, size_t w, lm_v16 top, bool keep)
{
    lm_v16 e = lm_v_exp_weight(lm_v_sub(lm_v_load_left(x, w), top));
    if (keep)
        lm_v_store_left(y, e, w);
    return e;
}

void LM_NAME(lm_softmax_columns)(float *y, const float *x, int64_t stride, size_t n, size_t w, bool log)
{
    lm_v16 top = lm_v_set(-INFINITY);
    for (size_t i = 0; i < n; i++)
        top = lm_v_max(top, lm_v_load_left(x + (int64_t)i * stride, w));
    COLUMN_SUM(sum, n, v = exp_keep(y + (int64_t)i * stride, x + (int64_t)i * stride, w, top, !log))
    lm_v16 scale = lm_v_div(lm_v_set(1.0f), sum), tail = lm_v_log(sum);
    for (size_t i = 0; i < n; i++) {
        float *to = y + (int64_t)i * stride;
        lm_v16 v = log ? lm_v_sub(lm_v_sub(lm_v_load_left(x + (int64_t)i * stride, w), top), tail)
                       : lm_v_mul(lm_v_load_left(to, w), scale);
        lm_v_store_left(to, v, w);
    }
}

/* softmax: p (s - sum s p); logarithm: s - exp(p) sum s */
LM_VEC lm_v16 dx_part(lm_v16 s, lm_v16 p, bool log) { return log ? s : lm_v_mul(s, p); }
LM_VEC lm_v16 dx_value(lm_v16 s, lm_v16 p, lm_v16 sum, bool log)
{
    return log ? lm_v_fnma(lm_v_exp(p), sum, s) : lm_v_mul(p, lm_v_sub(s, sum));
}

void LM_NAME(lm_softmax_dx_row)(float *y, const float *s, const float *p, size_t n, bool log)
{
    float total = 0;
    for (size_t begin = 0, step = n > LONG ? CHUNK : n; begin < n; begin += step) {
        size_t end = n - begin < step ? n : begin + step;
        lm_v16 sum = lm_v_zero();
        for (size_t i = begin; i < end; i += 16) {
            lm_v16 part = dx_part(lm_v_load_left(s + i, end - i), lm_v_load_left(p + i, end - i), log);
            sum = lm_v_select(lm_m_first(end - i), lm_v_add(sum, part), sum);
        }
        total += lm_v_fold_add(sum);
    }
    lm_v16 sum = lm_v_set(total);
    for (size_t i = 0; i < n; i += 16)
        lm_v_store_left(y + i, dx_value(lm_v_load_left(s + i, n - i), lm_v_load_left(p + i, n - i), sum, log), n - i);
}

void LM_NAME(lm_softmax_dx_columns)(float *y, const float *s, const float *p, int64_t stride, size_t n, size_t w,
                                    bool log)
{
    COLUMN_SUM(sum, n,
               v = dx_part(lm_v_load_left(s + (int64_t)i * stride, w), lm_v_load_left(p + (int64_t)i * stride, w), log))
    for (size_t i = 0; i < n; i++) {
        int64_t at = (int64_t)i * stride;
        lm_v_store_left(y + at, dx_value(lm_v_load_left(s + at, w), lm_v_load_left(p + at, w), sum, log), w);
    }
}
