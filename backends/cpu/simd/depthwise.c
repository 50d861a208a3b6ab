/* depthwise.c - depthwise convolution: sixteen channels at a time along a stretch of a row, with the weights of a 3 x 3
 * filter in registers; other filters, and pixels that miss more than one column, take the general path. */
#include "backends/cpu/depthwise.h"

#include "backends/cpu/simd/vec.h"

/* Pixels done for one block of channels before the next: few enough for their rows to stay in the first-level cache. */
enum { STRETCH = 16 };

LM_VEC lm_v16 load(const float *p, int64_t n)
{
    return n < LM_LANES ? lm_v_load_n(p, (size_t)n) : lm_v_load(p);
}

LM_VEC void finish(const lm_depthwise_run *r, lm_v16 v, int64_t at, int64_t n)
{
    if (r->res)
        v = lm_v_add(v, load(r->res + at, n));
    if (r->clamp)
        v = lm_v_clamp(v, r->lo, r->hi); /* v is not -0, so lo may be 0 */
    if (n < LM_LANES)
        lm_v_store_n(r->y + at, v, (size_t)n);
    else
        lm_v_store(r->y + at, v);
}

/* Any filter, any stride: pixel p, n channels from c on. */
LM_VEC void pixel_any(const lm_depthwise_run *r, int64_t p, int64_t c, int64_t n)
{
    lm_v16 s = lm_v_zero();
    for (int64_t row = 0; row < r->nrow; row++) {
        const float *w = r->w[row] + c;
        int64_t i = r->origin + p * r->stride;
        for (int64_t t = 0; t < r->ntap; t++, w += r->channels, i += r->dilation) {
            const bool inside = i >= 0 && i < r->width;
            s = lm_v_fma(inside ? load(r->x[row] + i * r->x_step[row] + c, n) : lm_v_zero(), load(w, n), s);
        }
    }
    finish(r, lm_v_add(s, load(r->bias + c, n)), p * r->y_step + c, n);
}

LM_VEC void pixels_any(const lm_depthwise_run *r, int64_t p0, int64_t p1, int64_t c)
{
    for (int64_t p = p0; p < p1; p++) {
        int64_t i = c;
        for (; i + LM_LANES <= r->channels; i += LM_LANES)
            pixel_any(r, p, i, LM_LANES);
        if (i < r->channels)
            pixel_any(r, p, i, r->channels - i);
    }
}

/* Which columns of the filter lie outside the image. */
typedef enum edge { EDGE_NONE, EDGE_LEFT, EDGE_RIGHT } edge;

typedef struct weights {
    lm_v16 a, b, c;
} weights;

LM_VEC lm_v16 row_of_three(lm_v16 s, const float *x, int64_t d, const weights *w, edge e)
{
    s = lm_v_fma(e == EDGE_LEFT ? lm_v_zero() : lm_v_load(x), w->a, s);
    s = lm_v_fma(lm_v_load(x + d), w->b, s);
    return lm_v_fma(e == EDGE_RIGHT ? lm_v_zero() : lm_v_load(x + 2 * d), w->c, s);
}

LM_VEC weights weights_at(const lm_depthwise_run *r, int64_t row, int64_t c)
{
    const float *w = r->w[row] + c;
    return (weights){lm_v_load(w), lm_v_load(w + r->channels), lm_v_load(w + 2 * r->channels)};
}

/* Pixels p0 ... p1 - 1 of sixteen channels, `rows` (2 or 3) rows of three taps; the first pixel may miss its left
 * column and the last its right one. */
LM_VEC void stretch(const lm_depthwise_run *r, int64_t p0, int64_t p1, int64_t c, int rows, bool left, bool right)
{
    const weights w0 = weights_at(r, 0, c), w1 = weights_at(r, 1, c), w2 = weights_at(r, rows - 1, c);
    const lm_v16 bias = lm_v_load(r->bias + c);
    const int64_t step = r->stride * r->x_step[0], d = r->dilation * r->x_step[0];
    const uintptr_t first = (uintptr_t)((r->origin + p0 * r->stride) * r->x_step[0] + c) * sizeof(float);
    const float *x0 = (const float *)((uintptr_t)r->x[0] + first), *x1 = (const float *)((uintptr_t)r->x[1] + first);
    const float *x2 = (const float *)((uintptr_t)r->x[rows - 1] + first);
    int64_t at = p0 * r->y_step + c;
    const int64_t end = p1 * r->y_step + c;
#define SUM(e) \
    lm_v16 s = row_of_three(lm_v_zero(), x0, d, &w0, e); \
    s = row_of_three(s, x1, d, &w1, e); \
    if (rows == 3) \
        s = row_of_three(s, x2, d, &w2, e); \
    finish(r, lm_v_add(s, bias), at, LM_LANES); \
    at += r->y_step, x0 += step, x1 += step, x2 += step;
    if (left) {
        SUM(EDGE_LEFT)
    }
    for (const int64_t stop = end - (right ? r->y_step : 0); at < stop;) {
        SUM(EDGE_NONE)
    }
    if (right) {
        SUM(EDGE_RIGHT)
    }
#undef SUM
}

LM_VEC void row_3(const lm_depthwise_run *r, int64_t lo, int64_t hi, bool left, bool right, int rows)
{
    const int64_t whole = r->channels / LM_LANES * LM_LANES;
    for (int64_t p = lo; p < hi; p += STRETCH) {
        const int64_t end = hi - p < STRETCH ? hi : p + STRETCH;
        for (int64_t c = 0; c < whole; c += LM_LANES)
            stretch(r, p, end, c, rows, left && p == lo, right && end == hi);
    }
    if (whole < r->channels)
        pixels_any(r, lo, hi, whole);
}

void LM_NAME(lm_depthwise)(const lm_depthwise_run *r)
{
    bool three = r->ntap == 3 && (r->nrow == 3 || r->nrow == 2);
    for (int64_t row = 0; row < r->nrow; row++)
        three &= r->x_step[row] == r->x_step[0];
    /* Pixels lo ... hi - 1 miss at most one column, and only the first and the last of them do. */
    int64_t lo = 0, hi = three ? r->pixels : 0;
    while (lo < hi && r->origin + lo * r->stride + r->dilation < 0)
        lo++;
    while (hi > lo && r->origin + (hi - 1) * r->stride + r->dilation >= r->width)
        hi--;
    const bool left = r->origin + lo * r->stride < 0;
    const bool right = r->origin + (hi - 1) * r->stride + 2 * r->dilation >= r->width;
    const bool more_left = lo + 1 < hi && r->origin + (lo + 1) * r->stride < 0;
    const bool more_right = lo + 1 < hi && r->origin + (hi - 2) * r->stride + 2 * r->dilation >= r->width;
    if (hi - lo < 2 || more_left || more_right)
        lo = hi = 0;
    pixels_any(r, 0, lo, 0);
    if (lo < hi && r->nrow == 3)
        row_3(r, lo, hi, left, right, 3);
    else if (lo < hi)
        row_3(r, lo, hi, left, right, 2);
    pixels_any(r, hi, r->pixels, 0);
}
