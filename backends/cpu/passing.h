/* Weights that are packed at each run, in passing: those of a model that will hardly run twice, and products of two
 * variables. Only a part of them is ever packed at a time, just before it is multiplied by: it lies in the caches then,
 * and memory for all of it is never touched. */
#ifndef LM_CPU_PASSING_H
#define LM_CPU_PASSING_H

#include "backends/cpu/product.h"

/* Choose how, after everything else of `p` is planned but its workspace at pack_at, which is reserved. `w`: the
 * weights. */
lm_status lm_passing_plan(const lm_cpu *cpu, lm_product *p, const lm_view *w);

/* Pack and multiply; a->b: the weights as they came. */
void lm_passing_run(lm_cpu *cpu, const lm_product *p, const lm_igemm_args *a);

#endif
