/* reduce.c - reductions in the canonical order (kernels.h): sixteen lanes filled in turn, folded 8-4-2-1. The form for
 * columns keeps sixteen lanes for each of its columns, so both give the same bits. */
#include "backends/cpu/simd/kernel.h"

LM_VEC lm_v16 neutral(lm_red kind)
{
    return lm_v_set(kind == LM_RED_MAX ? -INFINITY : kind == LM_RED_MIN ? INFINITY : kind == LM_RED_PROD ? 1.0f : 0.0f);
}

/* lanes after taking in x; `kind` is a constant wherever this is inlined */
LM_VEC lm_v16 enter(lm_red kind, lm_v16 lane, lm_v16 x, lm_v16 shift)
{
    switch (kind) {
    case LM_RED_ABS: return lm_v_add(lane, lm_v_abs(x));
    case LM_RED_SQUARE: return lm_v_fma(x, x, lane);
    case LM_RED_PROD: return lm_v_mul(lane, x);
    case LM_RED_MAX: return lm_v_max(lane, x);
    case LM_RED_MIN: return lm_v_min(lane, x);
    case LM_RED_EXP: return lm_v_add(lane, lm_v_exp(lm_v_sub(x, shift)));
    default: return lm_v_add(lane, x);
    }
}

/* of lanes, or of chunks */
LM_VEC lm_v16 join(lm_red kind, lm_v16 a, lm_v16 b)
{
    return kind == LM_RED_PROD ? lm_v_mul(a, b)
           : kind == LM_RED_MAX ? lm_v_max(a, b)
           : kind == LM_RED_MIN ? lm_v_min(a, b) : lm_v_add(a, b);
}

/* expands `call` with each kind as a constant */
#define FOR_KIND(kind, call)                                                                                          \
    switch (kind) {                                                                                                   \
    case LM_RED_SUM: call(LM_RED_SUM); break;                                                                         \
    case LM_RED_ABS: call(LM_RED_ABS); break;                                                                         \
    case LM_RED_SQUARE: call(LM_RED_SQUARE); break;                                                                   \
    case LM_RED_PROD: call(LM_RED_PROD); break;                                                                       \
    case LM_RED_MAX: call(LM_RED_MAX); break;                                                                         \
    case LM_RED_MIN: call(LM_RED_MIN); break;                                                                         \
    default: call(LM_RED_EXP); break;                                                                                 \
    }

void LM_NAME(lm_reduce_start)(lm_red kind, float *lane)
{
    lm_v_store(lane, neutral(kind));
}

LM_VEC lm_v16 more(lm_red kind, lm_v16 lane, const float *x, size_t n, float shift_of_all)
{
    lm_v16 shift = lm_v_set(shift_of_all);
    size_t i = 0;
    if (kind == LM_RED_MAX || kind == LM_RED_MIN) { /* any order gives the same bits: four chains hide the latency */
        lm_v16 b = lane, c = lane, d = lane;
        for (; i + 64 <= n; i += 64) {
            lane = enter(kind, lane, lm_v_load(x + i), shift), b = enter(kind, b, lm_v_load(x + i + 16), shift);
            c = enter(kind, c, lm_v_load(x + i + 32), shift), d = enter(kind, d, lm_v_load(x + i + 48), shift);
        }
        lane = join(kind, join(kind, lane, b), join(kind, c, d));
    }
    for (; i + 16 <= n; i += 16)
        lane = enter(kind, lane, lm_v_load(x + i), shift);
    if (i < n)
        lane = lm_v_select(lm_m_first(n - i), enter(kind, lane, lm_v_load_n(x + i, n - i), shift), lane);
    return lane;
}

void LM_NAME(lm_reduce_more)(lm_red kind, float *lane, const float *x, size_t n, float shift)
{
#define MORE(k) lm_v_store(lane, more(k, lm_v_load(lane), x, n, shift))
    FOR_KIND(kind, MORE)
}

LM_VEC float fold(lm_red kind, lm_v16 lane)
{
    return kind == LM_RED_PROD ? lm_v_fold_mul(lane)
           : kind == LM_RED_MAX ? lm_v_fold_max(lane)
           : kind == LM_RED_MIN ? lm_v_fold_min(lane) : lm_v_fold_add(lane);
}

float LM_NAME(lm_reduce_fold)(lm_red kind, const float *lane)
{
    return fold(kind, lm_v_load(lane));
}

/* lane: [16][w16], w16 = w rounded up to whole vectors */
LM_VEC void columns(lm_red kind, float *lane, const float *x, int64_t stride, size_t n, size_t w, const float *shift)
{
    size_t w16 = (w + 15) / 16 * 16;
    for (size_t i = 0; i < n; i++, x += stride) {
        int64_t ahead = i + 6 < n ? 6 * stride : 0;
        float *row = lane + (i & 15) * w16;
        for (size_t j = 0; j < w; j += 16) {
            __builtin_prefetch(x + ahead + (int64_t)j); /* rows are far apart: no prefetcher follows them */
            lm_v16 s = kind == LM_RED_EXP ? lm_v_load_left(shift + j, w - j) : lm_v_zero();
            lm_v_store(row + j, enter(kind, lm_v_load(row + j), lm_v_load_left(x + j, w - j), s));
        }
    }
    for (size_t half = 8; half; half /= 2)
        for (size_t k = 0; k < half * w16; k += 16)
            lm_v_store(lane + k, join(kind, lm_v_load(lane + k), lm_v_load(lane + k + half * w16)));
}

void LM_NAME(lm_reduce_columns)(lm_red kind, float *out, const float *x, int64_t stride, size_t n, size_t w,
                                const float *shift)
{
    _Alignas(64) float lane[LM_RED_LANES * LM_RED_WIDE];
    for (size_t k = 0; k < LM_RED_LANES * ((w + 15) / 16 * 16); k += 16)
        lm_v_store(lane + k, neutral(kind));
#define COLUMNS(k) columns(k, lane, x, stride, n, w, shift)
    FOR_KIND(kind, COLUMNS)
    memcpy(out, lane, w * sizeof *out);
}

void LM_NAME(lm_reduce_join)(lm_red kind, float *into, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        lm_v_store_left(into + i, join(kind, lm_v_load_left(into + i, n - i), lm_v_load_left(x + i, n - i)), n - i);
}

void LM_NAME(lm_reduce_finish)(lm_finish how, float *y, size_t n, float count, const float *shift)
{
    for (size_t i = 0; i < n; i += 16) {
        lm_v16 v = lm_v_load_left(y + i, n - i);
        if (how == LM_FINISH_MEAN)
            v = lm_v_div(v, lm_v_set(count));
        else if (how == LM_FINISH_ROOT)
            v = lm_v_sqrt(v);
        else if (how == LM_FINISH_LOG)
            v = lm_v_log(v);
        else if (how == LM_FINISH_LOG_SHIFT)
            v = lm_v_add(lm_v_log(v), lm_v_load_left(shift + i, n - i));
        lm_v_store_left(y + i, v, n - i);
    }
}

/* The extreme value first, then its place: two passes, the second mostly short. */
int64_t LM_NAME(lm_arg_extreme)(const float *x, size_t n, bool greatest, bool last)
{
    float best = greatest ? fold(LM_RED_MAX, more(LM_RED_MAX, neutral(LM_RED_MAX), x, n, 0))
                          : fold(LM_RED_MIN, more(LM_RED_MIN, neutral(LM_RED_MIN), x, n, 0));
    lm_v16 b = lm_v_set(best);
    size_t blocks = (n + 15) / 16;
    for (size_t k = 0; k < blocks; k++) {
        size_t i = (last ? blocks - 1 - k : k) * 16;
        lm_v16 v = lm_v_load_left(x + i, n - i);
        lm_vm16 hit = lm_m_or(lm_v_eq(v, b), best != best ? lm_v_nan(v) : lm_v_lt(b, b));
        unsigned bits = lm_m_bits(lm_m_and(hit, lm_m_first(n - i)));
        if (bits)
            return (int64_t)i + (last ? 31 - __builtin_clz(bits) : __builtin_ctz(bits));
    }
    return 0;
}
