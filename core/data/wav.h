/* Sound: .wav files with plain numbers of 8, 16, 24 or 32 bits, or floats. */
#ifndef LM_DATA_WAV_H
#define LM_DATA_WAV_H

#include "core/tensor/tensor.h"

/* A fresh float32 tensor [channels, frames]; whole numbers become -1 to 1. *rate: frames a second. LM_INPUT for what is
 * no such file or is cut off, LM_UNSUPPORTED for compressed sound. */
lm_status lm_wav_read(const char *path, lm_view *out, int *rate);
lm_status lm_wav_parse(const void *bytes, size_t count, const char *name, lm_view *out, int *rate);

#endif
