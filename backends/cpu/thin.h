/* Convolutions whose results have few channels, as a signal that reaches an image has: panels would be nearly empty.
 * Vectors run along rows of pixels instead, and of the results' channels each has a register of its own. The chains of
 * an output are those of a tile (tile.h): tap by tap, channel by channel. */
#ifndef LM_CPU_THIN_H
#define LM_CPU_THIN_H

#include "backends/cpu/product.h"

/* Results per pixel, taps of a pass, and pixels of a call, at most. */
enum { LM_THIN_COLUMNS = 4, LM_THIN_TAPS = 128, LM_THIN_PIXELS = 1024 };

/* Pixel i reads x[c * step + i] of channel c; the weights of a channel, one per column, are `w_step` floats apart. k:
 * which term channel 0 is. */
typedef struct lm_thin_tap {
    const float *x, *w;
    int64_t step, k;
} lm_thin_tap;

/* y[column * LM_THIN_PIXELS + i] for i < pixels, a multiple of 16, finished by bias and clamp. */
typedef struct lm_thin_run {
    const lm_thin_tap *tap;
    int64_t taps, channels, w_step, pixels;
    int columns;
    float *y;
    const float *bias; /* not -0 */
    float lo, hi;
    bool clamp;
} lm_thin_run;

typedef void (*lm_thin_fn)(const lm_thin_run *r);
void lm_thin_scalar(const lm_thin_run *r);
void lm_thin_neon(const lm_thin_run *r);
void lm_thin_avx2(const lm_thin_run *r);
void lm_thin_avx512(const lm_thin_run *r);

/* Whether the geometry, which is complete but for the panels, is better done this way; then the product's engine is set
 * and its workspace reserved. `columns`: of a part. */
lm_status lm_thin_plan(lm_product *p, int64_t columns);

#endif
