/* SHA-1, because ONNX's checksums of external data are that. It protects from accidents, not from an adversary. */
#ifndef LM_MODEL_SHA1_H
#define LM_MODEL_SHA1_H

#include <stddef.h>

/* 40 lower-case digits and a zero. */
void lm_sha1_hex(const void *bytes, size_t count, char hex[41]);

#endif
