/* The yardsticks of `limn bench`: this level's loops, run by a pool of their own and timed. */
#include "backends/cpu/peak.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"
#include "core/base/pool.h"

static const lm_peak_loops *loops(lm_cpu_level level)
{
    if (!lm_cpu_level_usable(level))
        return NULL;
    switch (level) {
    case LM_CPU_SCALAR: return &lm_peak_loops_scalar;
#if defined(LM_HAVE_NEON)
    case LM_CPU_NEON: return &lm_peak_loops_neon;
#endif
#if defined(LM_HAVE_AVX2)
    case LM_CPU_AVX2: return &lm_peak_loops_avx2;
#endif
#if defined(LM_HAVE_AVX512)
    case LM_CPU_AVX512: return &lm_peak_loops_avx512;
#endif
    default: return NULL;
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct fma_job {
    const lm_peak_loops *loops;
    int shape;
    int64_t turns;
    double *done; /* operations, per tile */
} fma_job;

static void fma_tile(void *ctx, int64_t tile, int worker)
{
    (void)worker;
    const fma_job *job = ctx;
    float sink[16];
    job->done[tile] = job->loops->fma(job->shape, job->turns, sink);
}

/* Operations per second of one run of every thread. */
static double fma_rate(lm_pool *pool, fma_job *job)
{
    int threads = lm_pool_threads(pool);
    double start = now(), sum = 0;
    lm_pool_run(pool, threads, fma_tile, job);
    double seconds = now() - start;
    for (int i = 0; i < threads; i++)
        sum += job->done[i];
    return seconds > 0 ? sum / seconds : 0;
}

lm_status lm_cpu_peak_gflops(const lm_topo *topo, lm_cpu_level level, int threads, double *gflops)
{
    enum { ROUNDS = 5 };
    const double slice = 0.003; /* seconds of one run: short enough to slip between interruptions, long against a wake-up */
    fma_job job = {.loops = loops(level)};
    LM_REQUIRE(job.loops && threads > 0, LM_USAGE, "no peak of level %s with %d threads here", lm_cpu_level_name(level), threads);
    lm_pool *pool = NULL;
    lm_status status = LM_OK;
    job.done = lm_calloc((size_t)threads, sizeof *job.done);
    if (!job.done)
        return LM_MEMORY;
    LM_TRY_OUT(lm_pool_open(topo, threads, true, &pool));
    double best = 0;
    for (int round = 0; round <= ROUNDS; round++)
        for (job.shape = 0; job.shape < LM_PEAK_SHAPES; job.shape++) {
            /* the first round finds out how many turns fill a slice */
            job.turns = 1 << 12;
            double rate = fma_rate(pool, &job);
            double per_turn = job.done[0] / (double)job.turns;
            if (rate > 0 && per_turn > 0)
                job.turns = (int64_t)(slice * rate / threads / per_turn) + 1;
            rate = fma_rate(pool, &job);
            if (rate > best)
                best = rate;
        }
    *gflops = best * 1e-9;
out:
    lm_pool_close(pool);
    lm_free(job.done);
    return status;
}

typedef struct stream_job {
    const lm_peak_loops *loops;
    const float *in;
    float *out;
    size_t nin, nout, tiles; /* elements; whole lines per tile */
    int past_caches;
} stream_job;

/* Where tile `i` of `tiles` begins, on a line. */
static size_t edge(size_t n, size_t i, size_t tiles)
{
    return i == tiles ? n : n / tiles * i / 16 * 16;
}

static void stream_tile(void *ctx, int64_t tile, int worker)
{
    (void)worker;
    const stream_job *job = ctx;
    size_t t = (size_t)tile, i0 = edge(job->nin, t, job->tiles), i1 = edge(job->nin, t + 1, job->tiles);
    size_t o0 = edge(job->nout, t, job->tiles), o1 = edge(job->nout, t + 1, job->tiles);
    float sink[16];
    job->loops->stream(job->in + i0, i1 - i0, job->out + o0, o1 - o0, job->past_caches, sink);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of_runs(lm_pool *pool, stream_job *job)
{
    enum { WARM = 1, RUNS = 7 };
    double seconds[RUNS];
    for (int i = -WARM; i < RUNS; i++) {
        double start = now();
        lm_pool_run(pool, (int64_t)job->tiles, stream_tile, job);
        if (i >= 0)
            seconds[i] = now() - start;
    }
    qsort(seconds, RUNS, sizeof *seconds, ascending);
    return seconds[RUNS / 2];
}

lm_status lm_cpu_stream_seconds(const lm_topo *topo, lm_cpu_level level, int threads, size_t in, size_t out,
                                double *seconds)
{
    enum { TILE = 1 << 12 }; /* bytes read or written in one go: reads and writes interleave, tiles fit into L1 */
    stream_job job = {.loops = loops(level), .nin = in / sizeof(float), .nout = out / sizeof(float)};
    LM_REQUIRE(job.loops && threads > 0, LM_USAGE, "no stream of level %s with %d threads here", lm_cpu_level_name(level), threads);
    job.tiles = (in > out ? in : out) / TILE + 1;
    lm_pool *pool = NULL;
    lm_status status = LM_OK;
    float *from = lm_calloc(in / sizeof(float) + 16, sizeof(float)), *to = lm_calloc(out / sizeof(float) + 16, sizeof(float));
    if (!from || !to) {
        status = LM_MEMORY;
        goto out;
    }
    job.in = from;
    job.out = to;
    LM_TRY_OUT(lm_pool_open(topo, threads, true, &pool));
    double plain = median_of_runs(pool, &job);
    job.past_caches = 1;
    double past = median_of_runs(pool, &job);
    *seconds = plain < past ? plain : past;
out:
    lm_pool_close(pool);
    lm_free(from);
    lm_free(to);
    return status;
}
