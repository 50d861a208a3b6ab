/* One op at a time, right now: what checks, benches, constant folding and plug-in tests use. Plans (plan.h) run whole
 * graphs; both stand on the same bind and launch. */
#ifndef LM_RUN_EXEC_H
#define LM_RUN_EXEC_H

#include "core/device/chain.h"

/* A bound call with its operands' memory on the device, ready to be launched again and again. */
typedef struct lm_exec lm_exec;

/* Bind `call`, whose x views lie on the host with content; x marked constant are derived once (warm packed
 * weights). Outputs are described by call->y (type, shape, strides); their buffers may be NULL. A composite that no
 * device takes is expanded and run op by op. */
lm_status lm_exec_open(const lm_chain *, const lm_call *call, lm_exec **out);

/* Copy the inputs in (again), launch, wait. */
lm_status lm_exec_run(lm_exec *);

/* Launch and wait without copying: what a bench times. */
lm_status lm_exec_launch(lm_exec *);

/* Copy output i to a host view of the same type and shape, any strides. */
lm_status lm_exec_fetch(lm_exec *, int i, const lm_view *to);

/* The kernel's name ("cpu.avx512.gemm..."; for an expansion, the op's name and the number of steps), its device, and
 * how many of the steps ran on another device than the chain's first. Borrowed. */
const char *lm_exec_kernel(const lm_exec *);
const lm_kernel *lm_exec_facts(const lm_exec *); /* NULL for an expansion */
int lm_exec_fallbacks(const lm_exec *);

/* From now on wait for each step and add its time to `profile`, which gets a row per step; NULL stops that. */
struct lm_profile;
lm_status lm_exec_record(lm_exec *, struct lm_profile *profile);

void lm_exec_close(lm_exec *);

/* Everything at once on the host: infer the result types, run, and hand back fresh row-major views in y[0..ny). */
lm_status lm_exec_once(const lm_chain *, lm_opid op, const lm_attrs *a, int nx, const lm_view *x, int ny, lm_view *y);

#endif
