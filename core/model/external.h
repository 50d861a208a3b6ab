/* Files of external data, which a model names and which must not lead anywhere but into the model's own folder. */
#ifndef LM_MODEL_EXTERNAL_H
#define LM_MODEL_EXTERNAL_H

#include "core/model/proto.h"

/* For models below `folder`; NULL: none has external data. `allow_links` as in onnx_open_options. Both are copied;
 * nothing is opened yet. Free with onnx_files_close, which unmaps what onnx_external found. */
lm_status onnx_files_open(const char *folder, const char *allow_links, onnx_files **out);
void onnx_files_close(onnx_files *files); /* NULL is fine */

/* Only the keys that ONNX knows (location, offset, length, checksum, basepath), none twice, numbers that are numbers.
 * Touches no file: the reader asks it for every tensor. */
lm_status onnx_external_check(const onnx_tensor *t);

/* The bytes a tensor's entries name. A file is opened once and stays mapped. `want`: how many bytes the tensor needs;
 * any other length is LM_INPUT. Refused as well: a location that is absolute, empty or leaves the folder; a link on the
 * way (unless `allow_links` covers where it leads); a file with several hard links; what is no plain file; a checksum
 * that does not match. Thread-safe; blocks on the disk. */
lm_status onnx_external(onnx_files *files, const onnx_tensor *t, size_t want, lm_slice *out);

#endif
