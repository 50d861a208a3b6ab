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

struct lm_cpu_traffic {
    const lm_peak_loops *loops;
    lm_pool *pool;
    float *in, *out;
    size_t nin, nout, tiles; /* floats */
    int way;
};

/* Where tile `i` of `tiles` begins. */
static size_t edge(size_t n, size_t i, size_t tiles)
{
    enum { WHOLE = 64 };
    return i == tiles ? n / WHOLE * WHOLE : n / tiles * i / WHOLE * WHOLE;
}

static void traffic_tile(void *ctx, int64_t tile, int worker)
{
    (void)worker;
    const lm_cpu_traffic *job = ctx;
    size_t t = (size_t)tile, i0 = edge(job->nin, t, job->tiles), i1 = edge(job->nin, t + 1, job->tiles);
    size_t o0 = edge(job->nout, t, job->tiles), o1 = edge(job->nout, t + 1, job->tiles);
    float sink[16];
    job->loops->stream(job->in + i0, i1 - i0, job->out + o0, o1 - o0, job->way, sink);
}

void lm_cpu_traffic_run(lm_cpu_traffic *traffic)
{
    lm_pool_run(traffic->pool, (int64_t)traffic->tiles, traffic_tile, traffic);
}

void lm_cpu_traffic_close(lm_cpu_traffic *traffic)
{
    if (!traffic)
        return;
    lm_pool_close(traffic->pool);
    lm_free(traffic->in);
    lm_free(traffic->out);
    lm_free(traffic);
}

static double run_seconds(lm_cpu_traffic *traffic)
{
    double start = now();
    lm_cpu_traffic_run(traffic);
    return now() - start;
}

/* The way whose best run is shortest; the first round only touches the memory. */
static int fastest_way(lm_cpu_traffic *traffic)
{
    enum { ROUNDS = 5 };
    double best[LM_PEAK_WAYS];
    int chosen = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (traffic->way = 0; traffic->way < LM_PEAK_WAYS; traffic->way++) {
            double seconds = run_seconds(traffic), *b = &best[traffic->way];
            *b = round < 2 || seconds < *b ? seconds : *b;
        }
    for (int way = 1; way < LM_PEAK_WAYS; way++)
        chosen = best[way] < best[chosen] ? way : chosen;
    return chosen;
}

lm_status lm_cpu_traffic_open(const lm_topo *topo, lm_cpu_level level, int threads, size_t in, size_t out,
                              lm_cpu_traffic **traffic)
{
    enum { TILE = 1 << 18 }; /* bytes read or written in one go, so that starting a tile costs nothing */
    const lm_peak_loops *level_loops = loops(level);
    LM_REQUIRE(level_loops && threads > 0, LM_USAGE, "no stream of level %s with %d threads here",
               lm_cpu_level_name(level), threads);
    lm_cpu_traffic *job = lm_calloc(1, sizeof *job);
    if (!job)
        return LM_MEMORY;
    lm_status status = LM_OK;
    job->loops = level_loops;
    job->nin = in / sizeof(float), job->nout = out / sizeof(float);
    job->tiles = (in > out ? in : out) / TILE + 1;
    job->in = lm_calloc(job->nin + 64, sizeof(float)), job->out = lm_calloc(job->nout + 64, sizeof(float));
    if (!job->in || !job->out) {
        status = LM_MEMORY;
        goto out;
    }
    LM_TRY_OUT(lm_pool_open(topo, threads, true, &job->pool));
    job->way = fastest_way(job);
    *traffic = job;
    return LM_OK;
out:
    lm_cpu_traffic_close(job);
    return status;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

lm_status lm_cpu_stream_seconds(const lm_topo *topo, lm_cpu_level level, int threads, size_t in, size_t out,
                                double *seconds)
{
    enum { RUNS = 7 };
    double each[RUNS];
    lm_cpu_traffic *traffic;
    LM_TRY(lm_cpu_traffic_open(topo, level, threads, in, out, &traffic));
    for (int i = 0; i < RUNS; i++)
        each[i] = run_seconds(traffic);
    lm_cpu_traffic_close(traffic);
    qsort(each, RUNS, sizeof *each, ascending);
    *seconds = each[RUNS / 2];
    return LM_OK;
}
