/* NumPy's .npy files: one array, its type and its shape. */
#ifndef LM_TENSOR_NPY_H
#define LM_TENSOR_NPY_H

#include "core/base/str.h"
#include "core/tensor/tensor.h"

/* Read an array of bool, integers or floats of 2, 4 or 8 bytes, in either byte order, row by row or column by column
 * (Fortran order), versions 1 to 3. The result is a fresh row-major host tensor in this machine's byte order; free its
 * buffer. Bool is made 0 or 1.
 *
 * LM_INPUT when the bytes are no such file, or hold less or more than the shape says; LM_UNSUPPORTED, naming the type,
 * for texts, complex numbers, records and objects. `name` stands in messages. */
lm_status lm_npy_parse(const void *bytes, size_t count, const char *name, lm_view *out);
lm_status lm_npy_read(const char *path, lm_view *out);

/* Write a host view of any strides, row by row, as version 1.0; equal tensors give equal files. bfloat16, which NumPy
 * has not, becomes float32. */
lm_status lm_npy_write(const char *path, const lm_view *v);

/* What stands before the elements of such a file, appended to `out`. */
lm_status lm_npy_header(lm_dtype dt, const lm_shape *sh, lm_str *out);

/* The two parts of such a file: append what stands before the elements, and the elements as they stand after it, in
 * `*row` (free its buffer). */
lm_status lm_npy_parts(const lm_view *v, lm_str *header, lm_view *row);

#endif
