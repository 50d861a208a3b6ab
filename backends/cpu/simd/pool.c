/* pool.c - pooling windows: over channels where they are contiguous, along rows of the image where those are. */
#include "backends/cpu/simd/pool_small.h"

#include <math.h>

extern const lm_pool_fns LM_NAME(lm_pool_fns);

LM_VEC lm_v16 start(lm_pool_op op)
{
    return op == LM_POOL_MAX ? lm_v_set(-INFINITY) : lm_v_zero();
}

/* Long and rare: called, where the other operations are inlined. */
static __attribute__((noinline)) lm_v16 power(lm_v16 x, lm_v16 a)
{
    return lm_v_pow_abs(x, a);
}

LM_VEC lm_v16 step(lm_pool_op op, lm_v16 acc, lm_v16 x, lm_v16 a)
{
    switch (op) {
    case LM_POOL_AVERAGE:
    case LM_POOL_SUM: return lm_v_add(acc, x);
    case LM_POOL_ABS: return lm_v_add(acc, lm_v_abs(x));
    case LM_POOL_SQUARE: return lm_v_add(acc, lm_v_mul(x, x));
    case LM_POOL_POWER: return lm_v_add(acc, power(lm_v_abs(x), a));
    default: return lm_v_max(acc, x);
    }
}

LM_VEC lm_v16 finish(lm_pool_op op, lm_v16 acc, lm_v16 a)
{
    switch (op) {
    case LM_POOL_AVERAGE: return lm_v_div(acc, a);
    case LM_POOL_SQUARE: return lm_v_sqrt(acc);
    case LM_POOL_POWER: return power(acc, lm_v_div(lm_v_set(1.0f), a));
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
    put(y, finish(op, s0, a), w->past);
    put(y + 16, finish(op, s1, a), w->past);
    put(y + 32, finish(op, s2, a), w->past);
    put(y + 48, finish(op, s3, a), w->past);
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

LM_VEC void window(lm_pool_op op, float *y, const float *x, const lm_pool_window *w, float a, int64_t c)
{
    lm_v16 n = lm_v_set(a);
    for (; c >= 64 && !LM_COMPACT; c -= 64, x += 64, y += 64)
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
    window(LM_POOL_MAX, y, x, w, a, c);
}

/* x / by, correctly rounded, for a whole by below 2^20 that is odd or a power of two: x times 1 / by is off by two
 * places at most, and what it lacks is a multiple of x's last place, so the second product settles it. With another by,
 * results may lie halfway between two subnormals. +0 of -0; NaN of an infinity, and then `odd` is NaN too. */
LM_VEC lm_v16 quotient(lm_v16 x, lm_v16 by, lm_v16 inverse, lm_v16 *odd)
{
    const lm_v16 q = lm_v_mul(x, inverse), rest = lm_v_fnma(q, by, x);
    *odd = lm_v_add(*odd, rest);
    return lm_v_fma(rest, inverse, q);
}

/* Results that are made at once, and the most rows that their windows may have. */
enum { OUTS = 4, ROWS = 32 };

/* Neighbouring results share their source elements: each is loaded once. Every sum takes in its own in order, since
 * rows and then elements along them are walked in order. Whole vectors of channels. `high`: how many rows, 0 when that
 * is not known before. False: there was an infinity or NaN. */
LM_VEC bool sums_of(float *y, int64_t y_step, const float *x, const int64_t *tap, const lm_pool_window *w, float a,
                    int64_t c, int along, int stride, int high)
{
    const int rows = high ? high : (int)(w->taps[0] * w->taps[1]);
    const int64_t across = w->step[2], ahead = w->ahead;
    const bool past = w->past, both = w->fresh > 1;
    const lm_v16 by = lm_v_set(a), inverse = lm_v_set(1.0f / a);
    const float *row[3];
    for (int r = 0; r < high; r++) /* in registers */
        row[r] = x + tap[r];
    lm_vm16 odd = lm_m_first(0);
    for (int64_t i = 0; i + 16 <= c; i += 16) {
        lm_v16 s[OUTS], all = lm_v_zero();
        for (int o = 0; o < OUTS; o++)
            s[o] = lm_v_zero();
        for (int r = 0; r < rows; r++) {
            for (int k = 0; k < (OUTS - 1) * stride + along; k++) {
                lm_v16 v = lm_v_load((high ? row[r] : x + tap[r]) + i + k * across);
                LM_KEEP(v);
                for (int o = 0; o < OUTS; o++)
                    if (k - o * stride >= 0 && k - o * stride < along)
                        s[o] = high && r == 0 && k == o * stride ? v : lm_v_add(s[o], v);
            }
            for (int o = 0; o < OUTS; o++) /* one row after the other, or registers run out */
                LM_KEEP(s[o]);
        }
        for (int k = 0; k < OUTS * stride; k++)
            __builtin_prefetch((high ? row[rows - 1] : x + tap[rows - 1]) + i + k * across + ahead, 0, 3);
        for (int k = 0; stride > 1 && both && k < OUTS * stride; k++)
            __builtin_prefetch((high ? row[rows - 2] : x + tap[rows - 2]) + i + k * across + ahead, 0, 3);
        for (int o = 0; o < OUTS; o++)
            s[o] = quotient(s[o], by, inverse, &all);
        odd = lm_m_or(odd, lm_v_nan(all));
        for (int o = 0; o < OUTS; o++)
            put(y + o * y_step + i, s[o], past);
    }
    return !lm_m_any(odd);
}

static void sums(float *y, int64_t y_step, const float *x, int64_t x_step, const lm_pool_window *w, int64_t count,
                 float a, int64_t c)
{
    const int64_t stride = x_step == w->step[2] ? 1 : x_step == 2 * w->step[2] ? 2 : 0, whole = c - c % LM_LANES;
    const int64_t rows = w->taps[0] * w->taps[1];
    void (*one)(float *, const float *, const lm_pool_window *, float, int64_t) = a != 0.0f ? average_at : sum_at;
    const int by = a == 0.0f ? 1 : a < 1 << 20 ? (int)a : 6;
    const bool fast = LM_LEVEL_NO && rows > 0 && rows <= ROWS && (by % 2 || (by & (by - 1)) == 0);
    int64_t tap[ROWS], t = 0;
    for (int64_t i0 = 0; i0 < w->taps[0] && fast; i0++)
        for (int64_t i1 = 0; i1 < w->taps[1]; i1++)
            tap[t++] = i0 * w->step[0] + i1 * w->step[1];
    for (; fast && count >= OUTS; count -= OUTS) {
        bool done;
        if (w->taps[2] == 3 && stride == 1 && rows == 3)
            done = sums_of(y, y_step, x, tap, w, (float)by, c, 3, 1, 3);
        else if (w->taps[2] == 3 && stride == 1)
            done = sums_of(y, y_step, x, tap, w, (float)by, c, 3, 1, 0);
        else if (w->taps[2] == 2 && stride == 2)
            done = sums_of(y, y_step, x, tap, w, (float)by, c, 2, 2, 0);
        else if (w->taps[2] == 3 && stride == 2)
            done = sums_of(y, y_step, x, tap, w, (float)by, c, 3, 2, 0);
        else
            break;
        for (int i = 0; i < OUTS; i++, x += x_step, y += y_step) {
            const int64_t from = done ? whole : 0;
            if (from < c)
                one(y + from, x + from, w, a, c - from);
        }
    }
    for (; count > 0; count--, x += x_step, y += y_step)
        one(y, x, w, a, c);
}

LM_VEC quick quick_at(const float *x, const int64_t *tap, int64_t taps, size_t left)
{
    lm_v16 v = lm_v_load_left(x + tap[0], left);
    quick q = {v, v};
    for (int64_t t = 1; t < taps; t++) {
        v = lm_v_load_left(x + tap[t], left);
        q = (quick){lm_v_greater(v, q.most), lm_v_add(q.sum, v)};
    }
    return q;
}

LM_VEC lm_vm16 minus_zero(lm_v16 v)
{
    return lm_i_eq(lm_v_as_i(v), lm_i_set(INT32_MIN));
}

LM_VEC bool largest_runs(float *y, const float *x, const lm_pool_runs *r, int64_t taps, bool again)
{
    const bool whole = r->count == 1 || (r->x_step == r->n && r->y_step == r->n), past = r->past;
    const int64_t count = whole ? 1 : r->count, n = whole ? r->count * r->n : r->n;
    const int64_t x_step = r->x_step, y_step = r->y_step, *tap = r->tap, fresh = r->fresh, ahead = r->ahead;
    lm_v16 sum = lm_v_zero();
    lm_vm16 zero = lm_m_first(0);
    for (int64_t o = 0; o < count; o++, x += x_step, y += y_step) {
        int64_t i = 0;
        for (; i + 32 <= n && !LM_COMPACT; i += 32) {
            quick a = quick_at(x + i, tap, taps, 16), b = quick_at(x + i + 16, tap, taps, 16);
            for (int64_t t = taps - fresh; t < taps && !again; t++) {
                __builtin_prefetch(x + i + tap[t] + ahead, 0, 3);
                __builtin_prefetch(x + i + tap[t] + ahead + 16, 0, 3);
            }
            put(y + i, a.most, past);
            put(y + i + 16, b.most, past);
            sum = again ? sum : lm_v_add(sum, lm_v_add(a.sum, b.sum));
            zero = again ? zero : lm_m_or(zero, lm_m_or(minus_zero(a.most), minus_zero(b.most)));
        }
        for (; i < n; i += 16) {
            const size_t left = n - i < 16 ? (size_t)(n - i) : 16;
            quick a = quick_at(x + i, tap, taps, left);
            lm_v_store_left(y + i, a.most, left);
            sum = again ? sum : lm_v_add(sum, a.sum);
            zero = again ? zero : lm_m_or(zero, minus_zero(a.most));
        }
    }
    return !again && lm_m_any(lm_m_or(zero, lm_v_nan(sum)));
}

/* Usual numbers of taps are loops without a loop inside. */
LM_VEC bool largest_taps(float *y, const float *x, const lm_pool_runs *r, bool again)
{
    if (r->taps == 2 && !LM_COMPACT)
        return largest_runs(y, x, r, 2, again);
    if (r->taps == 3 && !LM_COMPACT)
        return largest_runs(y, x, r, 3, again);
    return largest_runs(y, x, r, r->taps, again);
}

static bool largest(float *y, const float *x, const lm_pool_runs *r, bool again)
{
    return again ? largest_taps(y, x, r, true) : largest_taps(y, x, r, false);
}

static bool largest_in(float *y, const lm_pool_row *r, float *keep)
{
    if (r->size == 2)
        return largest_in_of(y, r, keep, 2, 2);
    return r->stride == 1 ? largest_in_of(y, r, keep, 3, 1) : largest_in_of(y, r, keep, 3, 2);
}

/* One vector of channels, with all care: NaN wins, +0 is more than -0, the first of equals has the place. */
static lm_v16 max_careful(const float *x, const lm_pool_window *w, const lm_pool_place *place, size_t left, lm_vi16 *at)
{
    lm_v16 most = start(LM_POOL_MAX), best = most;
    lm_vi16 where = lm_i_set(-1);
    for (int32_t i0 = 0; i0 < w->taps[0]; i0++)
        for (int32_t i1 = 0; i1 < w->taps[1]; i1++)
            for (int32_t i2 = 0; i2 < w->taps[2]; i2++) {
                const lm_v16 v = lm_v_load_left(x + i0 * w->step[0] + i1 * w->step[1] + i2 * w->step[2], left);
                const int32_t here = place->first + i0 * place->step[0] + i1 * place->step[1] + i2 * place->step[2];
                const lm_vm16 nan = lm_m_and(lm_v_nan(v), lm_m_not(lm_v_nan(best)));
                const lm_vm16 more = lm_m_or(lm_m_or(lm_v_gt(v, best), nan), lm_i_lt(where, lm_i_set(0)));
                best = lm_v_select(more, v, best);
                where = lm_i_select(more, lm_i_set(here), where);
                most = lm_v_max(most, v);
            }
    *at = where;
    return most;
}

/* The same for few taps; whether there was a NaN or the result is -0 is told by `odd`. */
LM_VEC lm_v16 max_quick(const float *x, const int64_t *tap, const int32_t *here, int64_t taps, size_t left, lm_vi16 *at,
                        bool *odd)
{
    lm_v16 best = lm_v_load_left(x + tap[0], left), sum = best;
    lm_vi16 where = lm_i_set(here[0]);
    for (int64_t t = 1; t < taps; t++) {
        const lm_v16 v = lm_v_load_left(x + tap[t], left);
        where = lm_i_select(lm_v_gt(v, best), lm_i_set(here[t]), where);
        best = lm_v_greater(v, best);
        sum = lm_v_add(sum, v);
    }
    *at = where;
    *odd = lm_m_any(lm_m_or(lm_v_nan(sum), minus_zero(best)));
    return best;
}

static void max_at(float *y, int64_t *index, const float *x, const lm_pool_window *w, const lm_pool_place *place,
                   int64_t c)
{
    enum { FEW = 32 };
    int64_t tap[FEW], taps = 0, base = place->base;
    int32_t here[FEW];
    const int64_t all = w->taps[0] * w->taps[1] * w->taps[2];
    for (int32_t i0 = 0; i0 < w->taps[0] && all <= FEW; i0++)
        for (int32_t i1 = 0; i1 < w->taps[1]; i1++)
            for (int32_t i2 = 0; i2 < w->taps[2]; i2++, taps++) {
                tap[taps] = i0 * w->step[0] + i1 * w->step[1] + i2 * w->step[2];
                here[taps] = place->first + i0 * place->step[0] + i1 * place->step[1] + i2 * place->step[2];
            }
    for (; c > 0; c -= LM_LANES, x += LM_LANES, y += LM_LANES, index += LM_LANES, base += LM_LANES * place->plane) {
        const size_t left = c < LM_LANES ? (size_t)c : LM_LANES;
        int32_t at[LM_LANES];
        lm_vi16 where;
        lm_v16 most;
        bool odd = true;
        if (taps == 9)
            most = max_quick(x, tap, here, 9, left, &where, &odd);
        else if (taps > 0)
            most = max_quick(x, tap, here, taps, left, &where, &odd);
        if (odd)
            most = max_careful(x, w, place, left, &where);
        lm_i_store(at, where);
        lm_v_store_left(y, most, left);
        for (size_t l = 0; l < left; l++)
            index[l] = all > 0 ? base + (int64_t)l * place->plane + at[l] : -1;
    }
}

/* Channels c ... c + left - 1 of a window `along` elements wide; returns those whose index names nothing here. */
LM_VEC lm_vm16 to_winners_16(const lm_pool_winners *w, const float *s, const int64_t *index, lm_vi16 ramp, int64_t c,
                             int64_t along, size_t left)
{
    lm_vi16 high, low = lm_i_load_i64(index, &high);
    const lm_vi16 place = lm_i_sub(lm_i_sub(low, lm_i_set((int32_t)(w->base + (uint32_t)c * w->plane))), ramp);
    const lm_v16 v = lm_v_load_left(s, left);
    const int64_t y_step = w->y_step;
    lm_vm16 hit = lm_m_first(0);
    for (int64_t row = 0; row < w->rows; row++) {
        float *y = w->y[row] ? w->y[row] + c : NULL;
        const int64_t old = w->fresh[row] ? w->fresh_from : along;
        const int32_t first = w->place[row];
        for (int64_t i = 0; i < along; i++) {
            const lm_vm16 here = lm_i_eq(place, lm_i_set(first + (int32_t)i));
            hit = lm_m_or(hit, here);
            if (!y)
                continue;
            const lm_v16 was = i < old ? lm_v_load_left(y, left) : lm_v_zero();
            lm_v_store_left(y, lm_v_select(here, lm_v_add(was, v), was), left);
            y += y_step;
        }
    }
    const lm_vm16 none = lm_m_and(lm_i_eq(low, lm_i_set(-1)), lm_i_eq(high, lm_i_set(-1)));
    hit = lm_m_and(hit, lm_i_eq(high, lm_i_set(0)));
    return lm_m_and(lm_m_not(lm_m_or(hit, none)), lm_m_first(left));
}

/* Whole vectors of channels. */
LM_VEC lm_vm16 to_winners_of(const lm_pool_winners *w, const float *s, const int64_t *index, lm_vi16 ramp,
                             int64_t along)
{
    lm_vm16 lost = lm_m_first(0);
    for (int64_t c = 0; c + LM_LANES <= w->n; c += LM_LANES)
        lost = lm_m_or(lost, to_winners_16(w, s + c, index + c, ramp, c, along, LM_LANES));
    return lost;
}

static bool to_winners(const lm_pool_winners *w, const float *s, const int64_t *index)
{
    int32_t steps[LM_LANES];
    for (int i = 0; i < LM_LANES; i++)
        steps[i] = (int32_t)((uint32_t)i * w->plane);
    const lm_vi16 ramp = lm_i_load(steps);
    const int64_t c = w->n - w->n % LM_LANES;
    lm_vm16 lost = LM_LEVEL_NO && w->along == 2 ? to_winners_of(w, s, index, ramp, 2)
                   : LM_LEVEL_NO && w->along == 3 ? to_winners_of(w, s, index, ramp, 3)
                   : to_winners_of(w, s, index, ramp, w->along);
    if (c < w->n) {
        int64_t rest[LM_LANES] = {0};
        memcpy(rest, index + c, (size_t)(w->n - c) * sizeof *rest);
        lost = lm_m_or(lost, to_winners_16(w, s + c, rest, ramp, c, w->along, (size_t)(w->n - c)));
    }
    return !lm_m_any(lost);
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
    if (stride == 1 && !LM_COMPACT)
        row_by(op, y, x, a, 1, n);
    else if (stride == 2 && !LM_COMPACT)
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
    .sums = sums,
    .largest = largest,
    .largest_in = LM_LEVEL_NO ? largest_in : NULL,
    .max_at = max_at,
    .to_winners = to_winners,
    .row = {sum_row, sum_row, abs_row, square_row, power_row, largest_row},
    .max_row = max_row,
    .spread = spread,
    .divide = divide,
    .root = root,
};
