/* softmax.c - softmax, its logarithm and their gradients, over rows and over columns. Greatest value first, then the
 * exponentials and their sum in the canonical order, then the scaling; nothing is rescaled on the way. */
#include "backends/cpu/simd/kernel.h"

enum { LONG = LM_RED_LONG, CHUNK = LM_RED_CHUNK };

/* Rows pass through three stages, the greatest value, the weights and their sum, the scaling, one row in each at a time:
 * so memory is read and written while the arithmetic goes on, and a row's last sums hide behind its neighbours. */
typedef struct stages {
    const float *next; /* its greatest value is wanted; NULL behind the last row */
    lm_v16 best;
    const float *row; /* its weights are wanted, exp(x - top), and stored unless for a logarithm */
    float *weights;
    lm_v16 top;
    const float *last; /* weights that await their scale, for a logarithm values that await a shift; NULL at first */
    float *y;
    lm_v16 scale, shift;
} stages;

LM_VEC lm_v16 scaled(lm_v16 v, lm_v16 scale, lm_v16 shift, bool log)
{
    return log ? lm_v_sub(lm_v_sub(v, shift), scale) : lm_v_mul(v, scale);
}

/* The first `left` lanes of `more`, the others of `so_far`. */
LM_VEC lm_v16 take(lm_v16 more, lm_v16 so_far, size_t left)
{
    return left < 16 ? lm_v_select(lm_m_first(left), more, so_far) : more;
}

/* The weights of up to 16 elements, added to `sum`. */
LM_VEC void weigh(const stages *s, size_t i, size_t left, bool log, lm_v16 *sum)
{
    const lm_v16 e = lm_v_exp_weight(lm_v_sub(lm_v_load_left(s->row + i, left), s->top));
    *sum = take(lm_v_add(*sum, e), *sum, left);
    if (!log)
        lm_v_store_left(s->weights + i, e, left);
}

/* The same elements of the row before and of the row behind. */
LM_VEC void pass_on(const stages *s, size_t i, size_t left, bool log, bool past, lm_v16 *best)
{
    if (s->next && past) /* the row after it */
        __builtin_prefetch((const void *)((uintptr_t)(s->next + i) + (uintptr_t)(s->next - s->row) * sizeof(float)), 0,
                           3);
    if (s->next)
        *best = take(lm_v_greater(lm_v_load_left(s->next + i, left), *best), *best, left);
    if (s->last && past && left >= 16)
        lm_v_stream(s->y + i, scaled(lm_v_load(s->last + i), s->scale, s->shift, log));
    else if (s->last)
        lm_v_store_left(s->y + i, scaled(lm_v_load_left(s->last + i, left), s->scale, s->shift, log), left);
}

/* Elements begin ... end - 1 of all three rows; returns the sum of the weights among them. A NaN may be passed over in
 * the search for the greatest: it makes the sum NaN, and with it every result. */
LM_VEC float stages_over(stages *of, size_t begin, size_t end, bool log, bool past)
{
    enum { BLOCK = 128 }; /* whole vectors: constants of both parts of the work do not fit in registers at once */
    const stages s = *of;
    const size_t whole = end - (end - begin) % 16;
    lm_v16 best = s.best, sum = lm_v_zero();
    for (size_t i = begin, next; i < whole; i = next) {
        next = whole - i < BLOCK ? whole : i + BLOCK;
        for (size_t j = i; j < next; j += 16)
            weigh(&s, j, 16, log, &sum);
        for (size_t j = i; j < next; j += 16)
            pass_on(&s, j, 16, log, past, &best);
    }
    if (whole < end) {
        weigh(&s, whole, (end - whole) % 16, log, &sum);
        pass_on(&s, whole, (end - whole) % 16, log, past, &best);
    }
    of->best = best;
    return lm_v_fold_add(sum);
}

LM_VEC float log_of(float x)
{
    float y[16];
    lm_v_store(y, lm_v_log(lm_v_set(x)));
    return y[0];
}

LM_VEC void finish_row(const stages *s, size_t n, bool log)
{
    for (size_t i = 0; i < n; i += 16)
        lm_v_store_left(s->y + i, scaled(lm_v_load_left(s->last + i, n - i), s->scale, s->shift, log), n - i);
}

LM_VEC lm_v16 row_best(const float *x, size_t n)
{
    lm_v16 best = lm_v_set(-INFINITY);
    for (size_t i = 0; i < n; i += 16)
        best = take(lm_v_greater(lm_v_load_left(x + i, n - i), best), best, n - i);
    return best;
}

LM_VEC void rows_of(float *y, const float *x, int64_t stride, size_t rows, float *keep, size_t n, bool log, bool past)
{
    stages s = {.best = row_best(x, n)};
    for (size_t r = 0; r < rows; r++) {
        const int64_t at = (int64_t)r * stride;
        s.row = x + at;
        s.next = r + 1 < rows ? s.row + stride : NULL;
        s.weights = past ? keep + (r & 1) * n : y + at;
        s.top = lm_v_set(lm_v_fold_greater(s.best));
        s.best = lm_v_set(-INFINITY);
        float sum = 0;
        for (size_t i = 0, step = n > LONG ? CHUNK : n; i < n; i += step)
            sum += stages_over(&s, i, n - i < step ? n : i + step, log, past);
        s.last = log ? s.row : s.weights;
        s.y = y + at;
        s.shift = s.top;
        s.scale = lm_v_set(log ? log_of(sum) : 1.0f / sum);
    }
    finish_row(&s, n, log);
}

void LM_NAME(lm_softmax_rows)(float *y, const float *x, int64_t stride, size_t rows, float *keep, size_t n, bool log,
                              bool past)
{
    if (log)
        rows_of(y, x, stride, rows, keep, n, true, false);
    else if (past)
        rows_of(y, x, stride, rows, keep, n, false, true);
    else
        rows_of(y, x, stride, rows, keep, n, false, false);
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
