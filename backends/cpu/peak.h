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

/* Memory traffic and nothing else: `threads` threads that read `in` bytes and write `out` bytes once, side by side and
 * in order. Opening finds out which way is fastest here (ordinary stores or stores past the caches, with or without
 * prefetching, one stream of reads or two); every run goes that way. */
typedef struct lm_cpu_traffic lm_cpu_traffic;
lm_status lm_cpu_traffic_open(const lm_topo *topo, lm_cpu_level level, int threads, size_t in, size_t out,
                              lm_cpu_traffic **traffic);
void lm_cpu_traffic_run(lm_cpu_traffic *traffic);
void lm_cpu_traffic_close(lm_cpu_traffic *traffic); /* NULL is fine */

/* Median seconds of such runs. */
lm_status lm_cpu_stream_seconds(const lm_topo *topo, lm_cpu_level level, int threads, size_t in, size_t out,
                                double *seconds);

/* The loops behind them, one set per level: */
enum { LM_PEAK_SHAPES = 3, LM_PEAK_WAYS = 8 };
typedef struct lm_peak_loops {
    double (*fma)(int shape, int64_t turns, float *sink); /* returns the operations done */
    /* Multiples of 64 floats, on lines. Bits of `way`: store past the caches, prefetch, read two halves at once. */
    void (*stream)(const float *in, size_t nin, float *out, size_t nout, int way, float *sink);
} lm_peak_loops;

extern const lm_peak_loops lm_peak_loops_scalar, lm_peak_loops_avx2, lm_peak_loops_avx512, lm_peak_loops_neon;

#endif
