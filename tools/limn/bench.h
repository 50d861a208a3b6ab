/* What `limn bench` times: one call per row, with its operands on the host. */
#ifndef LIMN_BENCH_H
#define LIMN_BENCH_H

#include "core/device/backend.h"

/* Sizes by family: gemm and gemv {m, k, n}; convolutions {channels, side, filters, kernel, stride, groups}; pool {channels,
 * side, kernel, stride}; the others {rows, columns}. Batch 1, square images, padding that keeps the size at stride 1. */
typedef struct bench_case {
    const char *name;
    lm_opid op;
    int64_t size[6];
    bool streams; /* bound by memory: compared with a loop of the same traffic, otherwise with the arithmetic peak */
} bench_case;

extern const bench_case bench_cases[];
extern const int bench_case_count;

enum { BENCH_INPUTS = 3 };
typedef struct bench_call {
    lm_call call;
    lm_attrs a;
    lm_view x[BENCH_INPUTS], y;
    char shape[64];
} bench_call;

/* Operands with random values; free with bench_call_drop, also after a failure. The call points into *out, which must not
 * move. */
lm_status bench_call_make(const bench_case *c, uint64_t seed, bench_call *out);
void bench_call_drop(bench_call *);

/* Bytes of all inputs, and of the result. */
void bench_call_traffic(const bench_call *, size_t *in, size_t *out);

#endif
