/* Convolutions with a filter of its own for each channel. */
#ifndef LM_CL_DEPTHWISE_H
#define LM_CL_DEPTHWISE_H

#include "backends/opencl/product.h"

/* A Conv or ConvTranspose with as many groups as channels on both sides, and not too many taps. */
bool lm_cl_is_depthwise(const lm_call *call);
lm_status lm_cl_make_depthwise(lm_cl_maker *m);

#endif
