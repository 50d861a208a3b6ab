/* Copies between host views: what goes into a plan and what comes out of it. */
#ifndef LM_RUN_PLAN_COPY_H
#define LM_RUN_PLAN_COPY_H

#include "core/tensor/tensor.h"

/* Views of one shape, any strides, and one type, or float32 and float64, which are converted. */
void lm_plan_copy(const lm_view *to, const lm_view *from);

#endif
