/* The cpu device from the inside: what its drivers share. */
#ifndef LM_CPU_CPU_H
#define LM_CPU_CPU_H

#include "backends/cpu/isa.h"
#include "core/base/pool.h"
#include "core/device/backend.h"

typedef struct lm_cpu {
    lm_device dev;
    const lm_topo *topo;
    lm_pool *pool;
    lm_cpu_level level;
} lm_cpu;

/* What every kernel of this device is: `run` gets addresses in the order x[0..nx), y[0..ny) and scratch of
 * `base.workspace` bytes. It uses the pool itself, returns when all is written, and reports bad data by its status. */
typedef struct lm_cpu_kernel lm_cpu_kernel;
typedef lm_status (*lm_cpu_run)(lm_cpu *cpu, const lm_cpu_kernel *k, void *const *p, void *workspace);
struct lm_cpu_kernel {
    lm_kernel base;
    lm_cpu_run run;
    int nargs;
    char name[64]; /* base.name points here */
};

/* A cleared kernel of `bytes` (a driver's struct that begins with lm_cpu_kernel), with `run`, the arg count of `call`, and the name
 * "cpu.<level>.<what>"; freed by lm_free through base.free. */
lm_status lm_cpu_kernel_new(lm_cpu *cpu, const lm_call *call, size_t bytes, lm_cpu_run run, const char *what, void *out);

/* One row per op in bind.c; NULL there means the reference device takes the call. A driver answers LM_UNSUPPORTED for types,
 * strides or attributes it has no kernel for. */
typedef lm_status (*lm_cpu_bind_fn)(lm_cpu *cpu, const lm_call *call, lm_kernel **out);

/* Packings that derive() understands; a driver adds its own and the function that makes it (pack.h). */
typedef enum lm_cpu_packing { LM_CPU_PACK_GEMM = 1, LM_CPU_PACK_CONV, LM_CPU_PACK_CONV_T, LM_CPU_PACK_DEPTHWISE,
               LM_CPU_PACK_GATES, LM_CPU_PACK_PATCHES } lm_cpu_packing;

#endif
