/* pool.c - pooling windows: over channels where they are contiguous, along rows of the image where those are. */
#include "backends/cpu/simd/pool_table.h"
#include "backends/cpu/simd/vmath_trig.h"

#include <math.h>

extern const lm_pool_fns LM_NAME(lm_pool_fns);

LM_VEC lm_v16 start(lm_pool_op op)
{
    return op == LM_POOL_MAX ? lm_v_set(-INFINITY) : lm_v_zero();
}

LM_VEC lm_v16 step(lm_pool_op op, lm_v16 acc, lm_v16 x, lm_v16 a)
{
    switch (op) {
    case LM_POOL_AVERAGE:
    case LM_POOL_SUM: return lm_v_add(acc, x);
    case LM_POOL_ABS: return lm_v_add(acc, lm_v_abs(x));
    case LM_POOL_SQUARE: return lm_v_add(acc, lm_v_mul(x, x));
    case LM_POOL_POWER: return lm_v_add(acc, lm_v_pow_abs(lm_v_abs(x), a));
    default: return lm_v_max(acc, x);
    }
}

LM_VEC lm_v16 finish(lm_pool_op op, lm_v16 acc, lm_v16 a)
{
    switch (op) {
    case LM_POOL_AVERAGE: return lm_v_div(acc, a);
    case LM_POOL_SQUARE: return lm_v_sqrt(acc);
    case LM_POOL_POWER: return lm_v_pow_abs(acc, lm_v_div(lm_v_set(1.0f), a));
    default: return acc;
    }
}

/* 64 channels: four chains hide the latency of one. */
LM_VEC void window_64(lm_pool_op op, float *y, const float *x, const lm_pool_window *w, lm_v16 a)
{
    lm_v16 s0 = start(op), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t i0 = 0; i0 < w->taps[0]; i0++)
        for (int64_t i1 = 0; i1 < w->taps[1]; i1++) {
            const float *p = x + i0 * w->step[0] + i1 * w->step[1];
            for (int64_t i2 = 0; i2 < w->taps[2]; i2++, p += w->step[2]) {
                s0 = step(op, s0, lm_v_load(p), a);
                s1 = step(op, s1, lm_v_load(p + 16), a);
                s2 = step(op, s2, lm_v_load(p + 32), a);
                s3 = step(op, s3, lm_v_load(p + 48), a);
            }
        }
    lm_v_store(y, finish(op, s0, a));
    lm_v_store(y + 16, finish(op, s1, a));
    lm_v_store(y + 32, finish(op, s2, a));
    lm_v_store(y + 48, finish(op, s3, a));
}

/* Up to 16 channels. */
LM_VEC void window_16(lm_pool_op op, float *y, const float *x, const lm_pool_window *w, lm_v16 a, size_t c)
{
    lm_v16 sum = start(op);
    for (int64_t i0 = 0; i0 < w->taps[0]; i0++)
        for (int64_t i1 = 0; i1 < w->taps[1]; i1++) {
            const float *p = x + i0 * w->step[0] + i1 * w->step[1];
            for (int64_t i2 = 0; i2 < w->taps[2]; i2++, p += w->step[2])
                sum = step(op, sum, c == 16 ? lm_v_load(p) : lm_v_load_n(p, c), a);
        }
    lm_v_store_n(y, finish(op, sum, a), c);
}

/* The largest without the care for NaN and zeros: a NaN or a second zero is passed over. What was passed over shows at
 * the end: a NaN in the running sum (so do infinities of both signs, which costs time only), and a zero in the result's
 * sign. */
typedef struct quick {
    lm_v16 most, sum;
} quick;

LM_VEC quick quick_step(quick q, lm_v16 x)
{
    return (quick){lm_v_select(lm_v_lt(q.most, x), x, q.most), lm_v_add(q.sum, x)};
}

LM_VEC lm_vm16 quick_doubt(quick q)
{
    return lm_m_or(lm_v_nan(q.sum), lm_i_eq(lm_v_as_i(q.most), lm_i_set(INT32_MIN)));
}

LM_VEC void largest_32(float *y, const float *x, const lm_pool_window *w)
{
    quick q0 = {lm_v_set(-INFINITY), lm_v_zero()}, q1 = q0;
    for (int64_t i0 = 0; i0 < w->taps[0]; i0++)
        for (int64_t i1 = 0; i1 < w->taps[1]; i1++) {
            const float *p = x + i0 * w->step[0] + i1 * w->step[1];
            for (int64_t i2 = 0; i2 < w->taps[2]; i2++, p += w->step[2]) {
                q0 = quick_step(q0, lm_v_load(p));
                q1 = quick_step(q1, lm_v_load(p + 16));
            }
        }
    lm_v_store(y, q0.most);
    lm_v_store(y + 16, q1.most);
    if (lm_m_any(lm_m_or(quick_doubt(q0), quick_doubt(q1)))) {
        window_16(LM_POOL_MAX, y, x, w, lm_v_zero(), 16);
        window_16(LM_POOL_MAX, y + 16, x + 16, w, lm_v_zero(), 16);
    }
}

LM_VEC void window(lm_pool_op op, float *y, const float *x, const lm_pool_window *w, float a, int64_t c)
{
    lm_v16 n = lm_v_set(a);
    for (; c >= 64; c -= 64, x += 64, y += 64)
        window_64(op, y, x, w, n);
    for (; c >= 16; c -= 16, x += 16, y += 16)
        window_16(op, y, x, w, n, 16);
    if (c > 0)
        window_16(op, y, x, w, n, (size_t)c);
}

static void average_at(float *y, const float *x, const lm_pool_window *w, float a, int64_t c)
{
    window(LM_POOL_AVERAGE, y, x, w, a, c);
}

static void sum_at(float *y, const float *x, const lm_pool_window *w, float a, int64_t c)
{
    window(LM_POOL_SUM, y, x, w, a, c);
}

static void abs_at(float *y, const float *x, const lm_pool_window *w, float a, int64_t c)
{
    window(LM_POOL_ABS, y, x, w, a, c);
}

static void square_at(float *y, const float *x, const lm_pool_window *w, float a, int64_t c)
{
    window(LM_POOL_SQUARE, y, x, w, a, c);
}

static void power_at(float *y, const float *x, const lm_pool_window *w, float a, int64_t c)
{
    window(LM_POOL_POWER, y, x, w, a, c);
}

static void largest_at(float *y, const float *x, const lm_pool_window *w, float a, int64_t c)
{
    for (; c >= 32; c -= 32, x += 32, y += 32)
        largest_32(y, x, w);
    window(LM_POOL_MAX, y, x, w, a, c);
}

static void max_at(float *y, int32_t *at, const float *x, const lm_pool_window *w, int32_t place,
                   const int32_t place_step[3], int64_t c)
{
    for (; c > 0; c -= 16, x += 16, y += 16, at += 16) {
        size_t left = c < 16 ? (size_t)c : 16;
        lm_v16 most = start(LM_POOL_MAX), best = most;
        lm_vi16 where = lm_i_set(-1);
        for (int32_t i0 = 0; i0 < w->taps[0]; i0++)
            for (int32_t i1 = 0; i1 < w->taps[1]; i1++)
                for (int32_t i2 = 0; i2 < w->taps[2]; i2++) {
                    const float *p = x + i0 * w->step[0] + i1 * w->step[1] + i2 * w->step[2];
                    lm_v16 v = left == 16 ? lm_v_load(p) : lm_v_load_n(p, left);
                    lm_vi16 here = lm_i_set(place + i0 * place_step[0] + i1 * place_step[1] + i2 * place_step[2]);
                    lm_vm16 first = lm_i_lt(where, lm_i_set(0));
                    lm_vm16 nan = lm_m_and(lm_v_nan(v), lm_m_not(lm_v_nan(best)));
                    lm_vm16 more = lm_m_or(lm_m_or(lm_v_gt(v, best), nan), first);
                    best = lm_v_select(more, v, best);
                    where = lm_i_select(more, here, where);
                    most = lm_v_max(most, v);
                }
        int32_t places[16];
        lm_v_store_n(y, most, left);
        lm_i_store(places, where);
        memcpy(at, places, left * sizeof *at);
    }
}

/* p[0], p[stride], ... for n <= 16 lanes; nothing past the last of them is read. */
LM_VEC lm_v16 load_apart(const float *p, int64_t stride, size_t n)
{
    if (stride == 1)
        return n == 16 ? lm_v_load(p) : lm_v_load_n(p, n);
#if LM_LEVEL_NO == 2
    if (stride == 2 && n == 16) {
        const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
        return _mm512_permutex2var_ps(_mm512_loadu_ps(p), even, _mm512_loadu_ps(p + 15));
    }
#endif
    float near[16] = {0};
    for (size_t l = 0; l < n; l++)
        near[l] = p[(int64_t)l * stride];
    return lm_v_load(near);
}

LM_VEC void row_by(lm_pool_op op, float *y, const float *x, float a, int64_t stride, int64_t n)
{
    lm_v16 by = lm_v_set(a);
    for (; n >= 16; n -= 16, y += 16, x += 16 * stride)
        lm_v_store(y, step(op, lm_v_load(y), load_apart(x, stride, 16), by));
    if (n > 0) {
        lm_v16 v = load_apart(x, stride, (size_t)n);
        lm_v_store_n(y, step(op, lm_v_load_n(y, (size_t)n), v, by), (size_t)n);
    }
}

LM_VEC void row(lm_pool_op op, float *y, const float *x, float a, int64_t stride, int64_t n)
{
    if (stride == 1)
        row_by(op, y, x, a, 1, n);
    else if (stride == 2)
        row_by(op, y, x, a, 2, n);
    else
        row_by(op, y, x, a, stride, n);
}

static void sum_row(float *y, const float *x, float a, int64_t stride, int64_t n)
{
    row(LM_POOL_SUM, y, x, a, stride, n);
}

static void abs_row(float *y, const float *x, float a, int64_t stride, int64_t n)
{
    row(LM_POOL_ABS, y, x, a, stride, n);
}

static void square_row(float *y, const float *x, float a, int64_t stride, int64_t n)
{
    row(LM_POOL_SQUARE, y, x, a, stride, n);
}

static void power_row(float *y, const float *x, float a, int64_t stride, int64_t n)
{
    row(LM_POOL_POWER, y, x, a, stride, n);
}

static void largest_row(float *y, const float *x, float a, int64_t stride, int64_t n)
{
    row(LM_POOL_MAX, y, x, a, stride, n);
}

/* One lane of the largest, in the form that compilers turn into vectors. */
LM_VEC float larger(float acc, float x)
{
    float most = x > acc ? x : acc, both;
    int32_t a, b;
    memcpy(&a, &acc, sizeof a);
    memcpy(&b, &x, sizeof b);
    b &= a;
    memcpy(&both, &b, sizeof both);
    most = x == acc ? both : most;
    return x != x ? x : most;
}

static void max_row(float *restrict y, float *restrict best, int32_t *restrict at, const float *restrict x,
                    int64_t stride, int32_t place, int32_t place_step, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float v = x[i * stride];
        int more = (v > best[i]) | ((v != v) & (best[i] == best[i])) | (at[i] < 0);
        best[i] = more ? v : best[i];
        at[i] = more ? place + (int32_t)i * place_step : at[i];
        y[i] = larger(y[i], v);
    }
}

static void spread(float *restrict y, int64_t stride, const float *restrict x, int64_t n)
{
    if (stride == 1)
        for (int64_t i = 0; i < n; i++)
            y[i] += x[i];
    else
        for (int64_t i = 0; i < n; i++)
            y[i * stride] += x[i];
}

static void divide(float *y, const float *x, float count, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] / count;
}

static void root(float *y, const float *x, float p, int64_t n)
{
    lm_pool_op op = p == 2 ? LM_POOL_SQUARE : LM_POOL_POWER;
    for (int64_t i = 0; i < n; i += 16) {
        size_t left = n - i < 16 ? (size_t)(n - i) : 16;
        lm_v_store_n(y + i, finish(op, lm_v_load_n(x + i, left), lm_v_set(p)), left);
    }
}

const lm_pool_fns LM_NAME(lm_pool_fns) = {
    .at = {average_at, sum_at, abs_at, square_at, power_at, largest_at},
    .max_at = max_at,
    .row = {sum_row, sum_row, abs_row, square_row, power_row, largest_row},
    .max_row = max_row,
    .spread = spread,
    .divide = divide,
    .root = root,
};
