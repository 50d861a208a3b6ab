/* Which elements of an axis a resized axis takes, and with which weights: computed once per call, in double. */
#ifndef LM_OPS_RESAMPLE_H
#define LM_OPS_RESAMPLE_H

#include "core/ops/op.h"

/* One element of the input and its weight. */
typedef struct lm_tap {
    int64_t at;
    float weight;
} lm_tap;

/* Position i of the result takes tap[first[i]] ... tap[first[i + 1] - 1]; none where it lies outside the region. */
typedef struct lm_taps {
    int64_t n, count, room; /* positions; taps, and for how many there is room */
    int64_t *first;
    lm_tap *tap;
} lm_taps;

/* Does the axis keep its elements as they are? */
bool lm_taps_trivial(const lm_attr_resize *a, int axis, int64_t in, int64_t out);

/* The taps of resizing `axis` from `in` to `out` elements; with `back` their transpose, for every one of `in` elements
 * the positions that take it, ascending. Free with lm_taps_free, also after a failure. */
lm_status lm_taps_make(const lm_attr_resize *a, int axis, int64_t in, int64_t out, bool back, lm_taps *t);

void lm_taps_free(lm_taps *t);

#endif
