/* The loops of resizing that exist once per instruction level. */
#ifndef LM_CPU_SIMD_RESIZE_TABLE_H
#define LM_CPU_SIMD_RESIZE_TABLE_H

#include "core/ops/resample.h"

typedef struct lm_resize_fns {
    /* Position i < n takes taps[first[i]] ... taps[first[i + 1] - 1]: y[i * c + l] = the chain of fused multiply-adds
     * from +0 on over them of weight * x[at * stride + l], for lanes l < c. */
    void (*row)(float *y, const float *x, int64_t stride, const int64_t *first, const lm_tap *taps, int64_t n,
                int64_t c);

    /* y[i] = fma(weight, x[i], y[i]); with `fresh` y[i] counts as +0. */
    void (*add)(float *y, const float *x, float weight, int fresh, int64_t n);
} lm_resize_fns;

#endif
