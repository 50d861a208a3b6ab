/* The product bench: Limn's kernels beside the libraries that are the yardstick, in one process, turn by turn. */
#ifndef BENCH_H
#define BENCH_H

#include "core/device/backend.h"

/* A convolution as all sides see it; square images and filters, one sample. */
typedef struct conv_shape {
    int channels, size, outputs, kernel, stride, pad, groups;
} conv_shape;

typedef struct gemm_shape {
    int batch, m, k, n;
    bool constant; /* the right operand is */
} gemm_shape;

typedef enum conv_kind { CONV_FORWARD, CONV_DATA, CONV_WEIGHTS } conv_kind;

static inline int conv_out(const conv_shape *s)
{
    return (s->size + 2 * s->pad - s->kernel) / s->stride + 1;
}

/* Something to be timed. */
typedef struct job {
    void (*run)(void *self);
    void (*free)(void *self);
} job;

/* Limn's side: a bound call with operands of its own, constants packed. NULL with a message on stderr when it cannot be
 * bound. */
job *ours_conv(lm_device *dev, conv_kind kind, const conv_shape *s);
job *ours_gemm(lm_device *dev, const gemm_shape *s);
/* An op of one or two operands of the first shape. */
job *ours_op(lm_device *dev, lm_opid op, const lm_attrs *a, int nx, const lm_shape *x, const lm_shape *y, bool nhwc);

/* The rivals' side: NULL when the library is not there. One thread count per process. */
job *rival_conv(conv_kind kind, const conv_shape *s);
job *rival_gemm(const gemm_shape *s);
const char *rival_names(void);

#endif
