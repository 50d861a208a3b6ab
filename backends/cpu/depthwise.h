/* Depthwise convolution: one filter per channel, contiguous over channels. */
#ifndef LM_CPU_DEPTHWISE_H
#define LM_CPU_DEPTHWISE_H

#include "backends/cpu/product.h"

/* Rows of a filter, at most; rows of output that a call computes, at most. */
enum { LM_DEPTHWISE_ROWS = 64, LM_DEPTHWISE_BLOCK = 8 };

/* One row of output pixels, of a range of channels. Each output sums up the taps in their order (the rows of the filter,
 * then along the row) in chains, finished as a tile is (tile.h). Source pixels outside 0 ... width - 1 count as
 * zeros. Steps in floats. */
typedef struct lm_depthwise_run {
    int64_t nrow, ntap, pixels, channels;    /* channels: of the image, from one tap's weights to the next */
    int64_t first, last;                     /* the range: first ... last - 1 */
    const float *x[LM_DEPTHWISE_ROWS];       /* source pixel 0 of the row that a row of the filter meets */
    int64_t x_step[LM_DEPTHWISE_ROWS];       /* from one source pixel to the next; 0 for a row in the padding (zeros) */
    const float *w[LM_DEPTHWISE_ROWS];       /* its weights, [tap][channel] */
    int64_t k[LM_DEPTHWISE_ROWS];            /* which term its first tap is */
    int64_t origin, stride, dilation, width; /* output o, tap t meet source pixel origin + o * stride + t * dilation */
    float *y;
    const float *bias, *res; /* res: with y's steps, or NULL */
    const float *zero;       /* as many zeros as the image has channels */
    int64_t y_step;
    float lo, hi;
    bool clamp;
} lm_depthwise_run;

/* n rows that differ in their addresses and in which rows of the filter meet the image: neighbours share source rows,
 * which stay in the first-level cache. */
typedef void (*lm_depthwise_fn)(const lm_depthwise_run *r, int n);
void lm_depthwise_scalar(const lm_depthwise_run *r, int n);
void lm_depthwise_neon(const lm_depthwise_run *r, int n);
void lm_depthwise_avx2(const lm_depthwise_run *r, int n);
void lm_depthwise_avx512(const lm_depthwise_run *r, int n);

/* Weights [M, 1, k...] as [tap][M]: one panel as wide as there are channels. */
void lm_pack_depthwise(const lm_view *w, lm_pack *p);

/* The task grid of a product that is a depthwise convolution of one pass: tasks are a few rows of output pixels by a
 * range of channels. */
void lm_depthwise_plan(lm_product *p);

#endif
