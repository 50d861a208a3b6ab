/* The geometry of pooling, shared by the forward drivers and their gradients. Spatial axes are always three; missing
 * ones come first with size 1. */
#ifndef LM_CPU_POOLING_H
#define LM_CPU_POOLING_H

#include "backends/cpu/cpu.h"
#include "backends/cpu/simd/pool_table.h"

/* An image tensor [n, c, spatial...] with strides in elements. */
typedef struct lm_image {
    int64_t n, c, size[3];
    int64_t st_n, st_c, st[3];
} lm_image;

/* Which elements along one axis belong to one position: `taps` of them, the first at `at`, `step` apart. `count`: how
 * many the average divides by. */
typedef struct lm_span {
    int64_t at, taps, step, count;
} lm_span;

typedef struct lm_windows {
    int64_t in[3], out[3]; /* sizes of the image and of the result of pooling it */
    int64_t kernel[3], stride[3], dilation[3], pad[3], pad_hi[3];
    bool count_pad;
} lm_windows;

lm_image lm_image_of(const lm_view *v);

/* The windows of pooling `in` to `out`. */
lm_windows lm_windows_of(const lm_attr_pool *a, const lm_image *in, const lm_image *out);

/* Fill spans[0 ... out[axis]): of the image, for each result; or spans[0 ... in[axis]): of the results, for each image
 * element. */
void lm_spans_forward(const lm_windows *w, int axis, lm_span *spans);
void lm_spans_back(const lm_windows *w, int axis, lm_span *spans);

/* Along the last axis: tap `tap` of results lo ... hi - 1 lies inside the image, for result i at element i * stride +
 * off. */
typedef struct lm_tap_range {
    int64_t lo, hi, off;
} lm_tap_range;

/* The ranges of those taps that ever lie inside, in order (unless `range` is NULL); returns how many they are. */
int64_t lm_windows_taps(const lm_windows *w, lm_tap_range *range);

/* What the average over a window divides by; 1 for a window without any element. */
float lm_span_count(const lm_span *d, const lm_span *h, const lm_span *w);

/* Are channels contiguous in both images (*channels), or rows? LM_UNSUPPORTED when neither are. */
lm_status lm_image_layout(const lm_call *call, const lm_image *x, const lm_image *y, bool *channels);

/* How many of `rows` rows of `row` results make a tile: several, so that rows which neighbours read stay in one
 * cache. */
int64_t lm_rows_per_tile(int64_t rows, int64_t row);

/* This level's loops. */
const lm_pool_fns *lm_pool_fns_of(lm_cpu_level level);

#endif
