/* One op over host memory, now: what constant folding and shape arithmetic use. No graph, no cache, no steps; plans
 * (run/plan.h) are for everything that runs more than once. */
#ifndef LM_DEVICE_EVAL_H
#define LM_DEVICE_EVAL_H

#include "core/device/chain.h"

/* Infer the result types, run, and hand back host views in y[0..ny), each with one reference to its buffer; the buffers
 * are plain host memory and may outlive the chain. The first device of the chain whose memory the host can read and
 * that takes the call does the work; so the bits are those of the `cpu` device wherever it has a kernel.
 *
 * Ops that only move (Reshape, Transpose, Expand, Slice, Identity) answer with another view of the operand's buffer,
 * which may have strides of 0: nothing is copied, however large the result; only a Reshape that the operand's strides
 * do not allow makes a copy. LM_UNSUPPORTED: no device takes the call, which for composites means "expand me", or
 * lm_eval_exact does not hold. */
lm_status lm_eval(const lm_chain *chain, lm_opid op, const lm_attrs *a, int nx, const lm_view *x, int ny, lm_view *y);

/* The same for a caller that knows the result types already. */
lm_status lm_eval_typed(const lm_chain *chain, lm_opid op, const lm_attrs *a, int nx, const lm_view *x, int ny,
                        const lm_type *type, lm_view *y);

/* May this be computed ahead of a run of the chain? Not float arithmetic where the run itself would hold doubles: a
 * result that was rounded to the model's type would show in it. */
bool lm_eval_exact(const lm_chain *chain, lm_opid op, int nx, const lm_view *x, int ny, const lm_type *type);

/* True when the result is a view of x: an op that only moves, with strides that allow it; *y then borrows x's buffer.
 * */
bool lm_eval_view(lm_opid op, const lm_attrs *a, const lm_view *x, const lm_type *type, lm_view *y);

/* The content of `x` in row-major order, in a fresh buffer. */
lm_status lm_eval_copy(const lm_chain *chain, const lm_view *x, lm_view *y);

#endif
