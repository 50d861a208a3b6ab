/* A tree of ONNX messages as bytes. What the reader reads, the writer writes: reading its output gives the same tree,
 * and writing that the same bytes. (Doc strings of attributes and values, device
 * configurations, training info and quantisation annotations are not read, hence not written.) */
#ifndef LM_MODEL_ONNX_WRITE_H
#define LM_MODEL_ONNX_WRITE_H

#include "core/base/str.h"
#include "core/model/proto.h"

/* Append the message. */
lm_status onnx_write_model(const onnx_model *m, lm_str *out);
lm_status onnx_write_tensor(const onnx_tensor *t, lm_str *out);
lm_status onnx_write_sequence(const onnx_sequence *s, lm_str *out);
lm_status onnx_write_optional(const onnx_optional *o, lm_str *out);

/* The model as a file, which appears whole or not at all. Streams: big tensors are not copied. */
lm_status onnx_write_file(const onnx_model *m, const char *path);

#endif
