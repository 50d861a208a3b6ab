/* bench-products [--isa LEVEL] [--threads N] [--rows WORD] [--repeat N] [--take median|least]
 *
 * One line per shape: milliseconds (median, or least) of interleaved repeats, GFLOP/s, percent of a multiply-add loop
 * measured in this run, and the rival's time over ours (1 or more: we are as fast). Geometric means at the end of a
 * group, and at the very end every bar with its figure (README.md says what they are). Exit status 1 when a kernel seems
 * faster than the loop by more than its padded taps explain: the yardstick is wrong then. */
#include "bench.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backends/cpu/peak.h"
#include "core/device/chain.h"

enum { REPEATS_MAX = 99 };

typedef struct options {
    const char *isa, *rows;
    int threads, repeat;
    bool least;
} options;

/* The bars, as shares; 0: none. Of peak and of the rival's speed, each for the mean of the group and for its worst row.
 */
typedef struct bars {
    double peak, peak_worst, rival, rival_worst;
} bars;

typedef struct group {
    const char *name;
    double peak_log, peak_worst, ratio_log, worst;
    int n, rivals;
} group;

typedef struct verdict {
    char what[64];
    double bar, figure;
} verdict;

enum { VERDICTS_MAX = 64 };

static options opt = {.isa = "avx512", .rows = "", .threads = 1, .repeat = 11};
static const lm_topo *topo;
static lm_device *device;
static double peak; /* GFLOP/s of all threads */
static int failures;
static verdict verdicts[VERDICTS_MAX];
static int nverdicts;
static clockid_t watch;

static const conv_shape resnet50[] = {
    {3, 224, 64, 7, 2, 3, 1},     {64, 56, 64, 1, 1, 0, 1},    {64, 56, 64, 3, 1, 1, 1},    {64, 56, 256, 1, 1, 0, 1},
    {256, 56, 64, 1, 1, 0, 1},    {256, 56, 128, 1, 1, 0, 1},  {128, 56, 128, 3, 2, 1, 1},  {128, 28, 512, 1, 1, 0, 1},
    {256, 56, 512, 1, 2, 0, 1},   {512, 28, 128, 1, 1, 0, 1},  {128, 28, 128, 3, 1, 1, 1},  {512, 28, 256, 1, 1, 0, 1},
    {256, 28, 256, 3, 2, 1, 1},   {256, 14, 1024, 1, 1, 0, 1}, {512, 28, 1024, 1, 2, 0, 1}, {1024, 14, 256, 1, 1, 0, 1},
    {256, 14, 256, 3, 1, 1, 1},   {1024, 14, 512, 1, 1, 0, 1}, {512, 14, 512, 3, 2, 1, 1},  {512, 7, 2048, 1, 1, 0, 1},
    {1024, 14, 2048, 1, 2, 0, 1}, {2048, 7, 512, 1, 1, 0, 1},  {512, 7, 512, 3, 1, 1, 1},
};
static const conv_shape vgg16[] = {
    {3, 224, 64, 3, 1, 1, 1},    {64, 224, 64, 3, 1, 1, 1},  {64, 112, 128, 3, 1, 1, 1},
    {128, 112, 128, 3, 1, 1, 1}, {128, 56, 256, 3, 1, 1, 1}, {256, 56, 256, 3, 1, 1, 1},
    {256, 28, 512, 3, 1, 1, 1},  {512, 28, 512, 3, 1, 1, 1}, {512, 14, 512, 3, 1, 1, 1},
};
static const conv_shape mobilenet2[] = {
    {32, 112, 32, 3, 1, 1, 32},   {96, 112, 96, 3, 2, 1, 96},   {144, 56, 144, 3, 1, 1, 144},
    {144, 56, 144, 3, 2, 1, 144}, {192, 28, 192, 3, 1, 1, 192}, {192, 28, 192, 3, 2, 1, 192},
    {384, 14, 384, 3, 1, 1, 384}, {576, 14, 576, 3, 1, 1, 576}, {576, 14, 576, 3, 2, 1, 576},
    {960, 7, 960, 3, 1, 1, 960},
};
static const gemm_shape square[] = {{1, 512, 512, 512, true}, {1, 1024, 1024, 1024, true}, {1, 2048, 2048, 2048, true}};
static const gemm_shape transformer[] = {
    {1, 128, 768, 768, true},
    {1, 128, 768, 3072, true},
    {1, 128, 3072, 768, true},
    {12, 128, 64, 128, false},
};
static const gemm_shape rows[] = {
    {1, 1, 4096, 4096, true}, {1, 2, 4096, 4096, true},  {1, 4, 4096, 4096, true},
    {1, 8, 4096, 4096, true}, {1, 16, 4096, 4096, true},
};

static double now(void)
{
    struct timespec t;
    clock_gettime(watch, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double timed(job *j, int turns)
{
    const double start = now();
    for (int i = 0; i < turns; i++)
        j->run(j);
    return (now() - start) / turns;
}

/* Medians of interleaved repeats, seconds; *b stays 0 without a second job. Frees both. */
static void compare(job *ours, job *theirs, double *a, double *b)
{
    double ta[REPEATS_MAX], tb[REPEATS_MAX];
    ours->run(ours);
    const double once = timed(ours, 1);
    const int turns = once < 2e-3 ? (int)(2e-3 / (once + 1e-9)) + 1 : 1;
    if (theirs)
        timed(theirs, turns);
    for (int r = 0; r < opt.repeat; r++) {
        ta[r] = timed(ours, turns);
        tb[r] = theirs ? timed(theirs, turns) : 0;
    }
    qsort(ta, (size_t)opt.repeat, sizeof *ta, ascending);
    qsort(tb, (size_t)opt.repeat, sizeof *tb, ascending);
    const int pick = opt.least ? 0 : opt.repeat / 2;
    *a = ta[pick], *b = tb[pick];
    ours->free(ours);
    if (theirs)
        theirs->free(theirs);
}

/* `most`: the share of peak above which the yardstick must be wrong; 0: not bound by arithmetic. */
static void row(group *g, const char *text, double flops, job *ours, job *theirs, double most)
{
    double a, b;
    if (!ours) {
        printf("%-12s %-34s failed\n", g->name, text);
        failures++;
        if (theirs)
            theirs->free(theirs);
        return;
    }
    compare(ours, theirs, &a, &b);
    const double gflops = flops / a * 1e-9, share = gflops / peak;
    printf("%-12s %-34s %9.3f ms %8.1f GFLOP/s %6.1f %%", g->name, text, a * 1e3, gflops, 100 * share);
    if (b > 0)
        printf("  rival %9.3f ms  ratio %.3f", b * 1e3, b / a);
    printf("\n");
    if (most > 0 && share > most) {
        printf("    over the peak: the multiply-add loop was disturbed, run again\n");
        failures++;
    }
    g->peak_worst = g->n == 0 || share < g->peak_worst ? share : g->peak_worst;
    g->n++;
    g->peak_log += log(share);
    if (b > 0) {
        g->rivals++;
        g->ratio_log += log(b / a);
        g->worst = g->rivals == 1 || b / a < g->worst ? b / a : g->worst;
    }
    fflush(stdout);
}

static void judge(const char *name, const char *what, double bar, double figure)
{
    if (!(bar > 0) || nverdicts == VERDICTS_MAX)
        return;
    verdict *v = &verdicts[nverdicts++];
    v->bar = bar, v->figure = figure;
    snprintf(v->what, sizeof v->what, "%s: %s", name, what);
}

static void sum(const group *g, const bars *b)
{
    if (!g->n)
        return;
    const double share = exp(g->peak_log / g->n), ratio = g->rivals ? exp(g->ratio_log / g->rivals) : 0;
    printf("%-12s geometric mean %.1f %% of peak", g->name, 100 * share);
    if (g->rivals)
        printf(", %.3f of the rival, worst %.3f", ratio, g->worst);
    printf("\n\n");
    judge(g->name, "share of peak, mean", b->peak, share);
    judge(g->name, "share of peak, worst", b->peak_worst, g->peak_worst);
    if (!g->rivals)
        return;
    judge(g->name, "rival's time over ours, mean", b->rival, ratio);
    judge(g->name, "rival's time over ours, worst", b->rival_worst, g->worst);
}

static void print_verdicts(void)
{
    for (int i = 0; i < nverdicts; i++) {
        const verdict *v = &verdicts[i];
        printf("%-44s bar %.3f  figure %.3f  %s\n", v->what, v->bar, v->figure, v->figure >= v->bar ? "yes" : "no");
    }
}

static bool wanted(const char *name)
{
    return !*opt.rows || strcmp(opt.rows, name) == 0;
}

/* Share of a filter's taps that meet the image: the others may be skipped, so a kernel may beat the peak by that much.
 */
static double live_taps(const conv_shape *s)
{
    int64_t live = 0;
    const int out = conv_out(s);
    for (int o = 0; o < out; o++)
        for (int k = 0; k < s->kernel; k++) {
            const int at = o * s->stride - s->pad + k;
            live += at >= 0 && at < s->size;
        }
    const double along = (double)live / ((double)out * s->kernel);
    return along * along;
}

static void convs(const char *name, conv_kind kind, const conv_shape *s, size_t n, bars b)
{
    group g = {.name = name};
    for (size_t i = 0; i < n && wanted(name); i++, s++) {
        char text[64];
        const int out = conv_out(s);
        snprintf(text, sizeof text, "%d->%d @%d %dx%d /%d", s->channels, s->outputs, s->size, s->kernel, s->kernel,
                 s->stride);
        const double flops = 2.0 * out * out * s->outputs * (s->channels / s->groups) * s->kernel * s->kernel;
        row(&g, text, flops, ours_conv(device, kind, s), rival_conv(kind, s), 1.02 / live_taps(s));
    }
    sum(&g, &b);
}

/* The time of `ours` on the wall beside a streaming loop of the same traffic, turn by turn; medians. Frees the job. */
static bool against_stream(job *ours, size_t in, size_t out, double *a, double *loop)
{
    enum { ROUNDS = 3 };
    double ta[ROUNDS], tb[ROUNDS];
    lm_cpu_level level;
    bool ok = ours && lm_cpu_level_choose(opt.isa, &level) == LM_OK;
    const clockid_t before = watch;
    watch = CLOCK_MONOTONIC;
    for (int i = 0; i < ROUNDS && ok; i++) {
        double each[REPEATS_MAX];
        timed(ours, 1);
        for (int r = 0; r < opt.repeat; r++)
            each[r] = timed(ours, 1);
        qsort(each, (size_t)opt.repeat, sizeof *each, ascending);
        ta[i] = each[opt.repeat / 2];
        ok = lm_cpu_stream_seconds(topo, level, opt.threads, in, out, &tb[i]) == LM_OK;
    }
    watch = before;
    if (ours)
        ours->free(ours);
    if (!ok)
        return false;
    qsort(ta, ROUNDS, sizeof *ta, ascending);
    qsort(tb, ROUNDS, sizeof *tb, ascending);
    *a = ta[ROUNDS / 2], *loop = tb[ROUNDS / 2];
    return true;
}

static void gemms(const char *name, const gemm_shape *s, size_t n, bars b)
{
    group g = {.name = name};
    for (size_t i = 0; i < n && wanted(name); i++, s++) {
        char text[64];
        snprintf(text, sizeof text, "%d x %dx%dx%d", s->batch, s->m, s->k, s->n);
        const double flops = 2.0 * s->batch * s->m * s->k * s->n;
        row(&g, text, flops, ours_gemm(device, s), rival_gemm(s), 1.02);
        double ours, loop;
        if (s->m > 1 ||
            !against_stream(ours_gemm(device, s), (size_t)s->k * (size_t)s->n * sizeof(float), 0, &ours, &loop))
            continue;
        printf("%-12s %-34s %9.3f ms, a read of the weights %.3f ms: %.1f %%\n", name, text, ours * 1e3, loop * 1e3,
               100 * loop / ours);
        judge(name, "one row against a read of the weights", 0.85, loop / ours);
    }
    sum(&g, &b);
}

/* Ops that memory limits: percent of a streaming loop with the same traffic. */
static void streams(void)
{
    lm_attrs softmax, pool, none;
    memset(&softmax, 0, sizeof softmax);
    memset(&pool, 0, sizeof pool);
    memset(&none, 0, sizeof none);
    softmax.axis.axis = 1;
    pool.pool.nd = 2;
    for (int i = 0; i < 2; i++)
        pool.pool.kernel[i] = 3, pool.pool.stride[i] = 2, pool.pool.dilation[i] = 1, pool.pool.pad_lo[i] = 1,
        pool.pool.pad_hi[i] = 0;
    const lm_shape flat = LM_SHAPE(16 << 20), wide = LM_SHAPE(16384, 1024);
    const lm_shape image = LM_SHAPE(16, 64, 112, 112), pooled = LM_SHAPE(16, 64, 56, 56);
    const struct {
        const char *text;
        lm_opid op;
        const lm_attrs *a;
        int nx;
        const lm_shape *x, *y;
        bool nhwc;
    } list[] = {
        {"relu", LM_OP_RELU, &none, 1, &flat, &flat, false},
        {"add", LM_OP_ADD, &none, 2, &flat, &flat, false},
        {"softmax 1024", LM_OP_SOFTMAX, &softmax, 1, &wide, &wide, false},
        {"max pool 3x3/2", LM_OP_MAXPOOL, &pool, 1, &image, &pooled, true},
    };
    for (size_t i = 0; i < LM_COUNT(list) && wanted("stream"); i++) {
        const size_t in = (size_t)(list[i].nx * lm_shape_count(list[i].x)) * sizeof(float);
        const size_t out = (size_t)lm_shape_count(list[i].y) * sizeof(float);
        double ours, loop;
        if (!against_stream(ours_op(device, list[i].op, list[i].a, list[i].nx, list[i].x, list[i].y, list[i].nhwc), in,
                            out, &ours, &loop)) {
            failures++;
            continue;
        }
        printf("%-12s %-34s %9.3f ms %8.1f GB/s    %6.1f %% of a streaming loop\n", "stream", list[i].text, ours * 1e3,
               (double)(in + out) / ours * 1e-9, 100 * loop / ours);
        judge("stream", list[i].text, 0.85, loop / ours);
    }
    printf("\n");
}

/* How much faster the convolution set is with `threads` than with one. */
static void second_core(void)
{
    if (!wanted("scaling") || opt.threads < 2)
        return;
    char spec[64];
    lm_chain one;
    snprintf(spec, sizeof spec, "cpu:isa=%s:threads=1:bind=0", opt.isa);
    if (lm_chain_open(spec, &one) != LM_OK)
        return;
    double gain = 0;
    int n = 0;
    for (size_t i = 0; i < LM_COUNT(resnet50); i++) {
        double a, b;
        job *all = ours_conv(device, CONV_FORWARD, &resnet50[i]),
            *alone = ours_conv(one.dev[0], CONV_FORWARD, &resnet50[i]);
        if (!all || !alone)
            break;
        compare(all, alone, &a, &b);
        printf("scaling      %d->%d @%d %dx%d: %.3f times one thread\n", resnet50[i].channels, resnet50[i].outputs,
               resnet50[i].size, resnet50[i].kernel, resnet50[i].kernel, b / a);
        gain += log(b / a);
        n++;
    }
    if (n)
        judge("scaling", "resnet50, threads over one, mean", 0.95 * opt.threads, exp(gain / n));
    lm_chain_close(&one);
}

static bool parse(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--isa"))
            opt.isa = argv[i + 1];
        else if (!strcmp(argv[i], "--rows"))
            opt.rows = argv[i + 1];
        else if (!strcmp(argv[i], "--take"))
            opt.least = !strcmp(argv[i + 1], "least");
        else if (!strcmp(argv[i], "--threads"))
            opt.threads = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--repeat"))
            opt.repeat = atoi(argv[i + 1]);
        else
            return false;
    }
    return argc % 2 == 1 && opt.threads > 0 && opt.repeat > 0 && opt.repeat <= REPEATS_MAX;
}

/* The rivals read their settings when they are loaded, so the program starts itself again with them in place. */
static void restart(char **argv)
{
    char threads[16];
    const bool wide = !strcmp(opt.isa, "avx512");
    snprintf(threads, sizeof threads, "%d", opt.threads);
    if (setenv("BENCH_STARTED", "1", 0) != 0)
        return;
    setenv("OMP_NUM_THREADS", threads, 1);
    setenv("OPENBLAS_NUM_THREADS", threads, 1);
    setenv("OPENBLAS_CORETYPE", wide ? "SkylakeX" : "Haswell", 1);
    setenv("DNNL_MAX_CPU_ISA", wide ? "AVX512_CORE" : "AVX2", 1);
    execv("/proc/self/exe", argv);
}

/* As many of the allowed processors as there are threads. */
static void pin(void)
{
    cpu_set_t allowed, few;
    CPU_ZERO(&few);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (int cpu = 0, n = 0; cpu < CPU_SETSIZE && n < opt.threads; cpu++)
        if (CPU_ISSET(cpu, &allowed)) {
            CPU_SET(cpu, &few);
            n++;
        }
    sched_setaffinity(0, sizeof few, &few);
}

int main(int argc, char **argv)
{
    if (!parse(argc, argv)) {
        fprintf(stderr,
                "usage: %s [--isa avx512|avx2|neon|scalar] [--threads N] [--rows GROUP] [--repeat N]\n"
                "       [--take median|least]\n"
                "groups: sgemm transformer rows resnet50 vgg16 depthwise data weights stream scaling\n",
                argv[0]);
        return 2;
    }
    if (!getenv("BENCH_STARTED"))
        restart(argv);
    pin();
    /* One thread is timed by the processor time it gets, so that neighbours on a shared machine count for less. */
    watch = opt.threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
    char spec[64];
    lm_chain chain;
    lm_cpu_level level;
    snprintf(spec, sizeof spec, "cpu:isa=%s:threads=%d", opt.isa, opt.threads);
    if (lm_machine(&topo) != LM_OK || lm_chain_open(spec, &chain) != LM_OK ||
        lm_cpu_level_choose(opt.isa, &level) != LM_OK || lm_cpu_peak_gflops(topo, level, opt.threads, &peak) != LM_OK) {
        fprintf(stderr, "%s\n", lm_message());
        return 77;
    }
    device = chain.dev[0];
    printf("%s, %d thread%s: multiply-add loop %.1f GFLOP/s; rivals: %s\n\n", opt.isa, opt.threads,
           opt.threads > 1 ? "s" : "", peak, rival_names());
    gemms("sgemm", square, LM_COUNT(square), (bars){.peak_worst = 0.92, .rival_worst = 1.0});
    gemms("transformer", transformer, LM_COUNT(transformer), (bars){.rival = 1.0});
    gemms("rows", rows, LM_COUNT(rows), (bars){.rival = 1.0});
    const bars forward = {.peak = 0.92, .rival = 0.97, .rival_worst = 0.85}, backward = {.peak = 0.85, .rival = 0.97};
    convs("resnet50", CONV_FORWARD, resnet50, LM_COUNT(resnet50), forward);
    convs("vgg16", CONV_FORWARD, vgg16, LM_COUNT(vgg16), forward);
    convs("depthwise", CONV_FORWARD, mobilenet2, LM_COUNT(mobilenet2), (bars){.rival = 1.0});
    convs("data", CONV_DATA, resnet50, LM_COUNT(resnet50), backward);
    convs("weights", CONV_WEIGHTS, resnet50, LM_COUNT(resnet50), backward);
    streams();
    second_core();
    print_verdicts();
    lm_chain_close(&chain);
    return failures > 0;
}
