/* Reading an image between its pixels: along each axis a position becomes a few taps, and the taps of all axes are
 * multiplied. */
#ifndef LM_MODEL_IMPORT_SAMPLE_H
#define LM_MODEL_IMPORT_SAMPLE_H

#include "core/model/import_util.h"

enum { LM_TAPS = 4 };

/* What one axis contributes at every position: which pixels, int64 within the axis, and how much of each. */
typedef struct lm_taps {
    int n;
    lm_val at[LM_TAPS], weight[LM_TAPS];
} lm_taps;

/* The two pixels around `position` (in pixels, any float shape); those outside the axis of `size` pixels weigh
 * nothing. */
void lm_taps_linear(lm_import *im, lm_val position, int64_t size, lm_taps *out);

/* `pixel` (whole numbers as floats) weighs nothing outside the axis, and becomes an index inside it. */
void lm_tap_bounded(lm_import *im, lm_val pixel, lm_val weight, int64_t size, lm_val *at, lm_val *bounded);

/* x [rows,pixels,values], pixels counted over `nd` axes of the given sizes; taps [rows,positions] per axis ->
 * [rows,positions, values]. */
lm_val lm_import_sample(lm_import *im, lm_val x, int nd, const int64_t *size, const lm_taps *taps);

#endif
