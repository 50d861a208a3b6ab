/* Elementwise calls: any operands that broadcast to the result, any strides, a kernel that only knows contiguous runs.
 *
 * Axes are ordered by the result's strides and merged where all operands allow it; what is left is a few outer loops
 * around runs along the innermost axis. Operands that a kernel cannot read in place (strided, float16) pass through
 * small buffers on the stack, a block at a time, and so do such results. */
#ifndef LM_CPU_ELEMENTWISE_H
#define LM_CPU_ELEMENTWISE_H

#include "backends/cpu/cpu.h"
#include "backends/cpu/kernels.h"

/* How an operand meets its kernel. */
typedef enum lm_ew_way {
    LM_WAY_DIRECT, /* contiguous, read or written where it is */
    LM_WAY_ONE,    /* one element for the whole run */
    LM_WAY_STRIDE, /* gathered or scattered */
    LM_WAY_STREAM  /* results only: contiguous, stored past the caches */
} lm_ew_way;

typedef struct lm_ew_side {
    lm_ew_way way;
    lm_dtype dt;         /* in memory; the float16 types are float to the kernel */
    size_t size;         /* of an element in memory */
    int64_t st[LM_RANK]; /* bytes */
} lm_ew_side;

typedef struct lm_ew_kernel {
    lm_cpu_kernel k;
    lm_ew_fn fn;
    const lm_stream *stream;
    const char *op;
    float a, b;
    int nx, rank; /* dim[rank - 1] is the run */
    int64_t dim[LM_RANK];
    lm_ew_side y, x[LM_EW_INPUTS];
    int64_t parts, part;    /* a run is cut into `parts` of `part` elements */
    int64_t units, per_tile; /* outer index x part */
} lm_ew_kernel;

/* Bind y = fn(x...) with x[i] = call->x[i] broadcast to call->y[0]. fn NULL: LM_UNSUPPORTED. */
lm_status lm_ew_bind(lm_cpu *cpu, const lm_call *call, lm_ew_fn fn, float a, float b, const char *what,
                     lm_kernel **out);

/* "relu_f32": an op's id in lower case and a type, for kernel names. */
enum { LM_EW_WHAT = 48 };
const char *lm_ew_what(char text[LM_EW_WHAT], lm_opid op, lm_dtype dt);

/* How the kernel of a float-only op sees a type: float16 storage counts as float32. */
static inline bool lm_ew_is_float(lm_dtype dt)
{
    return dt == LM_F32 || dt == LM_F16 || dt == LM_BF16;
}

#endif
