/* The loops of pooling that exist once per instruction level. */
#ifndef LM_CPU_SIMD_POOL_TABLE_H
#define LM_CPU_SIMD_POOL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* What a window does with its elements: from +0 on add x, |x|, x * x or |x|^p (rounded before it is added), or take the
 * largest from -infinity on, where NaN wins and +0 counts as more than -0. At last the average is divided by a count,
 * and of squares and powers the root is taken. */
typedef enum lm_pool_op {
    LM_POOL_AVERAGE,
    LM_POOL_SUM,
    LM_POOL_ABS,
    LM_POOL_SQUARE,
    LM_POOL_POWER,
    LM_POOL_MAX,
    LM_POOL_OPS
} lm_pool_op;

/* The part of a window that lies inside the image: taps per axis, and elements from tap to tap. `past`: results, on cache
 * lines, are stored past the caches. Sums of runs: what the last `fresh` rows of the window read `ahead` elements
 * further on will be wanted next. */
typedef struct lm_pool_window {
    int64_t taps[3], step[3];
    bool past;
    int64_t fresh, ahead;
} lm_pool_window;

/* How ONNX counts the elements of a window, channel by channel: base + first for its first tap, step[axis] further per
 * tap, and `plane` further per channel. */
typedef struct lm_pool_place {
    int64_t base, plane;
    int32_t first, step[3];
} lm_pool_place;

/* The largest of shifted runs: y[o * y_step + i] from x[o * x_step + i + tap[t]], o < count, i < n, 0 < taps. What the
 * last `fresh` taps read `ahead` elements further on will be wanted next. `past` as above. */
typedef struct lm_pool_runs {
    const int64_t *tap;
    int64_t taps, count, n, x_step, y_step, fresh, ahead;
    bool past;
} lm_pool_runs;

/* The largest of windows `size` high and wide (2 or 3) and `stride` apart, `count` of them in a row, over n channels
 * that lie side by side. row: the window's rows, of pixels 0 ... width - 1, x_step floats apart; a row or a pixel
 * outside the image is replaced by another of the window. Window 0 begins at pixel `at`. What its new rows have `ahead`
 * elements further on will be wanted next. `past` as above. */
typedef struct lm_pool_row {
    const float *row[3];
    int64_t at, width, count, n, x_step, y_step, ahead;
    int size, stride;
    bool past;
} lm_pool_row;

/* The elements of an image that one window of maxima may name, for n channels that lie side by side: `rows` rows of
 * `along` elements, in the image y_step floats apart. Row r begins at y[r], or is another's (NULL); its places count on
 * from place[r]. Of a `fresh` row the elements from fresh_from on get a value for the first time: they are not read. A
 * channel's places, all below 2^31, begin `base` above 0 and `plane` further per channel. */
enum { LM_POOL_ROWS = 32 };
typedef struct lm_pool_winners {
    float *y[LM_POOL_ROWS];
    int32_t place[LM_POOL_ROWS];
    bool fresh[LM_POOL_ROWS];
    int64_t rows, along, fresh_from, y_step, n;
    uint32_t base, plane;
} lm_pool_winners;

typedef struct lm_pool_fns {
    /* y[0..c) = op over the window of x[tap + 0..c), taps in row-major order; a is the average's count or the
     * power's p. */
    void (*at[LM_POOL_OPS])(float *y, const float *x, const lm_pool_window *w, float a, int64_t c);

    /* Sums of `count` results in a row whose windows are alike, x_step elements apart; divided by a unless it is 0. */
    void (*sums)(float *y, int64_t y_step, const float *x, int64_t x_step, const lm_pool_window *w, int64_t count,
                 float a, int64_t c);

    /* The largest of shifted runs in two steps, first across rows and then along them, is much less work than window by
     * window. Nothing is done for NaN and zeros of both signs here; the first step tells whether there might be any: true
     * when x has a NaN (or infinities of both signs) or y a -0. `again`: x is the y of a first step that said false. */
    bool (*largest)(float *y, const float *x, const lm_pool_runs *r, bool again);

    /* The same in one step for windows of size 2 and stride 2, of size 3 and stride 1 or 2. Of NaNs only those in the
     * last `stride` rows are told. keep: room for 2 n floats, n rounded up to 16. NULL where no speed is gained. */
    bool (*largest_in)(float *y, const lm_pool_row *r, float *keep);

    /* The largest and the index of the first of them, -1 without any. */
    void (*max_at)(float *y, int64_t *index, const float *x, const lm_pool_window *w, const lm_pool_place *place,
                   int64_t c);

    /* Backwards: every s[c] is added to the element that index[c] names. False when one is neither an element of the
     * window nor -1. */
    bool (*to_winners)(const lm_pool_winners *w, const float *s, const int64_t *index);

    /* One tap, for i < n: y[i] = op(y[i], x[i * stride]), without the division or root that comes last. */
    void (*row[LM_POOL_OPS])(float *y, const float *x, float a, int64_t stride, int64_t n);

    /* The same for the largest, the first of them (best) and its place, place + i * place_step; at[i] < 0: none yet. */
    void (*max_row)(float *y, float *best, int32_t *at, const float *x, int64_t stride, int32_t place,
                    int32_t place_step, int64_t n);

    /* y[i * stride] += x[i] for i < n. */
    void (*spread)(float *y, int64_t stride, const float *x, int64_t n);

    /* y[i] = x[i] / count, y[i] = x[i]^(1/p) for i < n. */
    void (*divide)(float *y, const float *x, float count, int64_t n);
    void (*root)(float *y, const float *x, float p, int64_t n);
} lm_pool_fns;

#endif
