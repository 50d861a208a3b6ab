/* Quantised tensors: integers that stand for (integer - zero point) * scale. */
#ifndef LM_MODEL_IMPORT_QUANTISED_H
#define LM_MODEL_IMPORT_QUANTISED_H

#include "core/model/import_util.h"

/* From and to real numbers. Scales and zero points (LM_NOVAL: 0) are one element, one per position along `axis`, or
 * with `block` > 0 one per that many positions along it. Numbers are rounded to the nearest, halves to even, and
 * saturate at the bounds of `to`. Results of the first have the scale's type; x and scale of the second have one
 * type. */
lm_val lm_import_dequantised(lm_import *im, lm_val x, lm_val scale, lm_val zero, int axis, int64_t block);
lm_val lm_import_quantised(lm_import *im, lm_val x, lm_val scale, lm_val zero, lm_dtype to, int axis, int64_t block);

/* Products of tensors of 8 bits less their zero points (LM_NOVAL: 0), exact, as int32. A zero point of the left matrix
 * is one element or one per row, of the right one per column, of convolution weights one per result's channel; the
 * convolution takes its geometry from the node. */
lm_val lm_import_exact_matmul(lm_import *im, lm_val a, lm_val a_zero, lm_val b, lm_val b_zero);
lm_val lm_import_exact_conv(lm_import *im, lm_val x, lm_val x_zero, lm_val w, lm_val w_zero);

#endif
