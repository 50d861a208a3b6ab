/* IDX files, the form of the MNIST family: "images-idx3-ubyte", as they are or packed by gzip. */
#ifndef LM_DATA_IDX_H
#define LM_DATA_IDX_H

#include "core/tensor/tensor.h"

/* A file of any of the format's number types and of up to LM_RANK axes, as a fresh row-major tensor. LM_INPUT for what
 * is no such file or has another length than it says; LM_UNSUPPORTED for a packed one in a build without zlib. */
lm_status lm_idx_read(const char *path, lm_view *out);
lm_status lm_idx_parse(const void *bytes, size_t count, const char *name, lm_view *out);

#endif
