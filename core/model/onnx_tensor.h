/* The contents of ONNX tensors as views: without a copy wherever the bytes in the file can be used as they lie. */
#ifndef LM_MODEL_ONNX_TENSOR_H
#define LM_MODEL_ONNX_TENSOR_H

#include "core/model/proto.h"
#include "core/tensor/tensor.h"

/* "FLOAT", "INT4", ...; "type 99" style names have no row: "?". */
const char *onnx_dtype_name(int32_t data_type);

/* Limn's element type; false for those it has none for (strings, complex numbers, less than 8 bits, float8). */
bool onnx_dtype(int32_t data_type, lm_dtype *out);
int32_t onnx_dtype_code(lm_dtype type); /* and back */

/* Shape of a tensor: LM_INPUT names it for a rank over LM_RANK, a negative size, too many elements. */
lm_status onnx_tensor_shape(const onnx_tensor *t, lm_shape *out);

/* A row-major view of the elements. The view's buffer is new (lm_buffer_unref it). Where the bytes lie in a file as
 * they are needed, and are aligned for their type or are too many float32 to copy, the view is of the file: it may only
 * be read, and only as long as the model (or the bytes handed to the parser) lives. Otherwise they are a copy aligned
 * to LM_ALIGN. `m` finds external data and may be NULL for a tensor that has none. Bool is made 0 or 1.
 *
 * LM_UNSUPPORTED, naming tensor and type, when onnx_dtype has none; LM_INPUT when sizes do not agree exactly.
 * Thread-safe. Blocks on the disk when a file of external data is opened. */
lm_status onnx_tensor_view(const onnx_model *m, const onnx_tensor *t, lm_view *out);

/* The elements of a STRING tensor, in `arena`; as many as the shape says. */
lm_status onnx_tensor_strings(const onnx_tensor *t, lm_arena *arena, onnx_bytes **out, size_t *count);

/* A sparse tensor with zeros between its values, in a new buffer. Indices are flat ([nnz]) or by axis ([nnz, rank]),
 * must rise, and must lie inside. LM_MEMORY when the dense form passes `most` bytes. */
lm_status onnx_sparse_view(const onnx_model *m, const onnx_sparse *s, size_t most, lm_view *out);

/* Whether raw bytes or location fit the shape, as the reader asks for every tensor it meets. */
lm_status onnx_tensor_check(const onnx_tensor *t);

#endif
