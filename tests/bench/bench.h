/* The product bench: Limn's kernels beside the libraries that are the yardstick, in one process, turn by turn. */
#ifndef BENCH_H
#define BENCH_H

#include "backends/cpu/peak.h"
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

/* What was asked for, and what is measured. */
typedef struct bench_setup {
    const char *isa, *rows, *only; /* only: products and convolutions whose line has this text */
    int threads, repeat;
    bool least; /* of the repeats, otherwise their median */
    lm_cpu_level level;
    const lm_topo *topo;
    lm_device *device;
    double peak; /* GFLOP/s of all threads */
} bench_setup;
extern bench_setup bench;

/* Seconds of one run of each, from interleaved repeats: of both the least, or the median of ours and that times the
 * median of their ratios; *b is 0 without a second job. Frees both. */
void bench_compare(job *ours, job *theirs, double *a, double *b);

/* Print the complaint and make the exit status 1 unless ok. */
void bench_check(bool ok, const char *complaint);

/* Note a figure for the list at the end; bar 0: none. */
void bench_judge(const char *group, const char *what, double bar, double figure);

/* One row: a job beside a loop that reads and writes as many bytes. Frees the job; NULL is a failure. */
void bench_beside_stream(const char *group, const char *text, job *ours, size_t in, size_t out, double bar);

/* Groups: kernels that memory limits, that their own arithmetic limits, and calls on little data. */
void bench_streams(const char *group);
void bench_math(const char *group);
void bench_small(const char *group);
/* What explanations send backwards. */
void bench_signals(const char *group);

/* Limn's side: a bound call with operands of its own, constants packed. NULL with a message on stderr when it cannot be
 * bound. */
job *ours_conv(lm_device *dev, conv_kind kind, const conv_shape *s);
job *ours_gemm(lm_device *dev, const gemm_shape *s);
/* An op of operands and result with these shapes, all row-major or all channels last, all floats but the places that
 * MAXPOOL_DX wants. */
job *ours_op(lm_device *dev, lm_opid op, const lm_attrs *a, int nx, const lm_shape *x, const lm_shape *y, bool nhwc);

/* The rivals' side: NULL when the library is not there. One thread count per process. */
job *rival_conv(conv_kind kind, const conv_shape *s);
job *rival_gemm(const gemm_shape *s);
const char *rival_names(void);

#endif
