/* Sound at another rate. */
#ifndef LM_DATA_RESAMPLE_H
#define LM_DATA_RESAMPLE_H

#include "core/tensor/tensor.h"

enum { LM_RATE_MOST = 768000 }; /* frames a second */

/* [channels, frames] of float32 at `from` frames a second as a fresh tensor at `to`, [channels, ceil(frames * to /
 * from)]; the first frames of both lie at the same moment, and before and behind the sound there is silence.
 * Band-limited: what lies below 0.43 of the lower of both rates stays as it is within 0.1 %, what lies above half of it
 * is weaker than 1/10,000. LM_INPUT for rates below 1 or above LM_RATE_MOST. */
lm_status lm_resample(const lm_view *v, int from, int to, lm_view *out);

#endif
