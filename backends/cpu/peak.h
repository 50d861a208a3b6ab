/* What this machine can do at best, measured: the yardsticks of `limn bench`. Each call keeps the processor busy for some
 * hundredths of a second. */
#ifndef LM_CPU_PEAK_H
#define LM_CPU_PEAK_H

#include <stddef.h>
#include <stdint.h>

#include "backends/cpu/isa.h"
#include "core/base/topo.h"

/* GFLOP/s of `threads` threads that do nothing but fused multiply-adds in registers, with the widest vectors of `level`: the
 * best of three loops that differ in the number of independent chains. */
lm_status lm_cpu_peak_gflops(const lm_topo *topo, lm_cpu_level level, int threads, double *gflops);

/* Median seconds of `threads` threads that read `in` bytes and write `out` bytes once, side by side and in order; the better of
 * ordinary stores and stores that go past the caches. */
lm_status lm_cpu_stream_seconds(const lm_topo *topo, lm_cpu_level level, int threads, size_t in, size_t out,
                                double *seconds);

/* The loops behind them, one set per level: */
enum { LM_PEAK_SHAPES = 3 };
typedef struct lm_peak_loops {
    double (*fma)(int shape, int64_t turns, float *sink); /* returns the operations done */
    void (*stream)(const float *in, size_t nin, float *out, size_t nout, int past_caches, float *sink); /* whole lines */
} lm_peak_loops;

extern const lm_peak_loops lm_peak_loops_scalar, lm_peak_loops_avx2, lm_peak_loops_avx512, lm_peak_loops_neon;

#endif
