/* bench-products [--isa LEVEL] [--threads N] [--rows GROUP] [--only TEXT] [--repeat N] [--take median|least]
 *
 * One line per shape: milliseconds (median, or least) of interleaved repeats, GFLOP/s, percent of a multiply-add loop
 * measured in this run, and the rival's time over ours (1 or more: we are as fast). Geometric means at the end of a
 * group, and at the very end every bar with its figure (README.md says what they are). Exit status 1 if a kernel seems
 * faster than its yardstick by more than chance explains: the yardstick is wrong then. */
#include "bench.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/device/chain.h"

enum { REPEATS_MAX = 99 };

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

bench_setup bench = {.isa = "avx512", .rows = "", .only = "", .threads = 1, .repeat = 11};
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
/* The last step of an explanation: back to the three channels of an image. */
static const conv_shape image[] = {
    {3, 224, 64, 7, 2, 3, 1}, {3, 224, 64, 3, 1, 1, 1}, {3, 224, 32, 3, 2, 1, 1}, {3, 224, 768, 16, 16, 0, 1},
    {3, 224, 96, 4, 4, 0, 1}, {1, 28, 32, 5, 1, 2, 1},
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

/* Threads of a side that has just finished look out for more work for up to 25 ms, and would share the second processor
 * with the side that is timed next. That one's own then take some milliseconds to wake up and to spread out. */
static void settle(job *j)
{
    if (bench.threads < 2)
        return;
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    for (double start = now(); now() - start < 20e-3;)
        j->run(j);
}

void bench_compare(job *ours, job *theirs, double *a, double *b)
{
    double ta[REPEATS_MAX], tb[REPEATS_MAX];
    ours->run(ours);
    const double once = timed(ours, 1);
    const int turns = once < 2e-3 ? (int)(2e-3 / (once + 1e-9)) + 1 : 1;
    if (theirs)
        timed(theirs, turns);
    for (int r = 0; r < bench.repeat; r++) {
        if (theirs)
            settle(ours);
        ta[r] = timed(ours, turns);
        if (theirs)
            settle(theirs);
        tb[r] = theirs ? timed(theirs, turns) : 0;
    }
    for (int r = 0; r < bench.repeat && !bench.least; r++)
        tb[r] /= ta[r]; /* neighbours in time: what the machine grants changes every few hundredths of a second */
    qsort(ta, (size_t)bench.repeat, sizeof *ta, ascending);
    qsort(tb, (size_t)bench.repeat, sizeof *tb, ascending);
    const int pick = bench.least ? 0 : bench.repeat / 2;
    *a = ta[pick], *b = tb[pick] * (bench.least ? 1 : *a);
    ours->free(ours);
    if (theirs)
        theirs->free(theirs);
}

void bench_check(bool ok, const char *complaint)
{
    if (ok)
        return;
    printf("    %s\n", complaint);
    failures++;
}

/* `most`: the share of peak above which the yardstick must be wrong; 0: not bound by arithmetic. */
static void row(group *g, const char *text, double flops, job *ours, job *theirs, double most)
{
    double a, b;
    if (!ours) {
        bench_check(false, text);
        if (theirs)
            theirs->free(theirs);
        return;
    }
    bench_compare(ours, theirs, &a, &b);
    const double gflops = flops / a * 1e-9, share = gflops / bench.peak;
    printf("%-12s %-34s %9.3f ms %8.1f GFLOP/s %6.1f %%", g->name, text, a * 1e3, gflops, 100 * share);
    if (b > 0)
        printf("  rival %9.3f ms  ratio %.3f", b * 1e3, b / a);
    printf("\n");
    bench_check(!(most > 0 && share > most), "over the peak: the multiply-add loop was disturbed, run again");
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

void bench_judge(const char *name, const char *what, double bar, double figure)
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
    bench_judge(g->name, "share of peak, mean", b->peak, share);
    bench_judge(g->name, "share of peak, worst", b->peak_worst, g->peak_worst);
    if (!g->rivals)
        return;
    bench_judge(g->name, "rival's time over ours, mean", b->rival, ratio);
    bench_judge(g->name, "rival's time over ours, worst", b->rival_worst, g->worst);
}

static void print_verdicts(void)
{
    for (int i = 0; i < nverdicts; i++) {
        const verdict *v = &verdicts[i];
        printf("%-44s bar %.3f  figure %.3f  %s\n", v->what, v->bar, v->figure, v->figure >= v->bar ? "yes" : "no");
    }
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

/* A group of rows; for `scaling`, `stream` and the like there is only the name. */
typedef struct group_of {
    const char *name;
    void (*run)(const struct group_of *of);
    const void *shapes;
    size_t n;
    bars bars;
    conv_kind kind;
} group_of;

static void convs(const group_of *of)
{
    group g = {.name = of->name};
    const conv_shape *s = of->shapes;
    for (size_t i = 0; i < of->n; i++, s++) {
        char text[64];
        const int out = conv_out(s);
        snprintf(text, sizeof text, "%d->%d @%d %dx%d /%d", s->channels, s->outputs, s->size, s->kernel, s->kernel,
                 s->stride);
        if (!strstr(text, bench.only))
            continue;
        const double flops = 2.0 * out * out * s->outputs * (s->channels / s->groups) * s->kernel * s->kernel;
        row(&g, text, flops, ours_conv(bench.device, of->kind, s), rival_conv(of->kind, s), 1.02 / live_taps(s));
    }
    sum(&g, &of->bars);
}

static void gemms(const group_of *of)
{
    group g = {.name = of->name};
    const gemm_shape *s = of->shapes;
    for (size_t i = 0; i < of->n; i++, s++) {
        char text[64];
        snprintf(text, sizeof text, "%d x %dx%dx%d", s->batch, s->m, s->k, s->n);
        if (!strstr(text, bench.only))
            continue;
        const double flops = 2.0 * s->batch * s->m * s->k * s->n;
        row(&g, text, flops, ours_gemm(bench.device, s), rival_gemm(s), 1.02);
        if (s->m == 1)
            bench_beside_stream(of->name, "one row against a read of the weights", ours_gemm(bench.device, s),
                                (size_t)s->k * (size_t)s->n * sizeof(float), 0, 0.85);
    }
    sum(&g, &of->bars);
}

/* How much faster the convolution set is with `threads` than with one. */
static void second_core(const group_of *of)
{
    if (bench.threads < 2)
        return;
    char spec[64];
    lm_chain one;
    snprintf(spec, sizeof spec, "cpu:isa=%s:threads=1:bind=0", bench.isa);
    if (lm_chain_open(spec, &one) != LM_OK)
        return;
    double gain = 0;
    int n = 0;
    for (size_t i = 0; i < LM_COUNT(resnet50); i++) {
        double a, b;
        job *all = ours_conv(bench.device, CONV_FORWARD, &resnet50[i]),
            *alone = ours_conv(one.dev[0], CONV_FORWARD, &resnet50[i]);
        if (!all || !alone)
            break;
        bench_compare(all, alone, &a, &b);
        printf("%-12s %d->%d @%d %dx%d: %.3f times one thread\n", of->name, resnet50[i].channels, resnet50[i].outputs,
               resnet50[i].size, resnet50[i].kernel, resnet50[i].kernel, b / a);
        gain += log(b / a);
        n++;
    }
    if (n)
        bench_judge(of->name, "resnet50, threads over one, mean", 0.95 * bench.threads, exp(gain / n));
    lm_chain_close(&one);
}

static void streaming(const group_of *of)
{
    bench_streams(of->name);
}

static void transcendental(const group_of *of)
{
    bench_math(of->name);
}

static void in_cache(const group_of *of)
{
    bench_small(of->name);
}

static void backwards(const group_of *of)
{
    bench_signals(of->name);
}

#define SHAPES(list) list, LM_COUNT(list)
static const group_of groups[] = {
    {"sgemm", gemms, SHAPES(square), {.peak_worst = 0.92, .rival_worst = 1.0}, 0},
    {"transformer", gemms, SHAPES(transformer), {.rival = 1.0}, 0},
    {"rows", gemms, SHAPES(rows), {.rival = 1.0}, 0},
    {"resnet50", convs, SHAPES(resnet50), {.peak = 0.92, .rival = 0.97, .rival_worst = 0.85}, CONV_FORWARD},
    {"vgg16", convs, SHAPES(vgg16), {.peak = 0.92, .rival = 0.97, .rival_worst = 0.85}, CONV_FORWARD},
    {"depthwise", convs, SHAPES(mobilenet2), {.rival = 1.0}, CONV_FORWARD},
    {"data", convs, SHAPES(resnet50), {.peak = 0.85, .rival = 0.97}, CONV_DATA},
    {"weights", convs, SHAPES(resnet50), {.peak = 0.85, .rival = 0.97}, CONV_WEIGHTS},
    {"image", convs, SHAPES(image), {.peak = 0}, CONV_DATA},
    {.name = "stream", .run = streaming},
    {.name = "math", .run = transcendental},
    {.name = "small", .run = in_cache},
    {.name = "signals", .run = backwards},
    {.name = "scaling", .run = second_core},
};

static bool is_group(const char *name)
{
    bool known = !*name;
    for (size_t i = 0; i < LM_COUNT(groups); i++)
        known = known || strcmp(groups[i].name, name) == 0;
    return known;
}

static bool is_level(const char *name)
{
    bool known = false;
    for (int i = 0; i < LM_CPU_LEVELS; i++)
        known = known || strcmp(lm_cpu_level_name((lm_cpu_level)i), name) == 0;
    return known;
}

static bool parse(int argc, char **argv)
{
    bool ok = argc % 2 == 1;
    for (int i = 1; i + 1 < argc && ok; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (!strcmp(name, "--isa"))
            bench.isa = value, ok = is_level(value);
        else if (!strcmp(name, "--rows"))
            bench.rows = value, ok = is_group(value);
        else if (!strcmp(name, "--only"))
            bench.only = value;
        else if (!strcmp(name, "--take"))
            bench.least = !strcmp(value, "least"), ok = bench.least || !strcmp(value, "median");
        else if (!strcmp(name, "--threads"))
            bench.threads = atoi(value);
        else if (!strcmp(name, "--repeat"))
            bench.repeat = atoi(value);
        else
            ok = false;
    }
    return ok && bench.threads > 0 && bench.repeat > 0 && bench.repeat <= REPEATS_MAX;
}

static int usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [--isa LEVEL] [--threads N] [--rows GROUP] [--only TEXT] [--repeat N] [--take median|least]\n"
            "levels:",
            program);
    for (int i = 0; i < LM_CPU_LEVELS; i++)
        fprintf(stderr, " %s", lm_cpu_level_name((lm_cpu_level)i));
    fprintf(stderr, "\ngroups:");
    for (size_t i = 0; i < LM_COUNT(groups); i++)
        fprintf(stderr, " %s", groups[i].name);
    fprintf(stderr, "\n");
    return 2;
}

/* The rivals read their settings when they are loaded, so the program starts itself again with them in place. */
static void restart(char **argv)
{
    char threads[16];
    const bool wide = !strcmp(bench.isa, "avx512");
    snprintf(threads, sizeof threads, "%d", bench.threads);
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
    for (int cpu = 0, n = 0; cpu < CPU_SETSIZE && n < bench.threads; cpu++)
        if (CPU_ISSET(cpu, &allowed)) {
            CPU_SET(cpu, &few);
            n++;
        }
    sched_setaffinity(0, sizeof few, &few);
}

int main(int argc, char **argv)
{
    if (!parse(argc, argv))
        return usage(argv[0]);
    if (!getenv("BENCH_STARTED"))
        restart(argv);
    pin();
    /* One thread is timed by the processor time it gets, so that neighbours on a shared machine count for less. */
    watch = bench.threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
    char spec[64];
    lm_chain chain;
    snprintf(spec, sizeof spec, "cpu:isa=%s:threads=%d", bench.isa, bench.threads);
    if (lm_machine(&bench.topo) != LM_OK || lm_chain_open(spec, &chain) != LM_OK ||
        lm_cpu_level_choose(bench.isa, &bench.level) != LM_OK ||
        lm_cpu_peak_gflops(bench.topo, bench.level, bench.threads, &bench.peak) != LM_OK) {
        fprintf(stderr, "%s\n", lm_message());
        return 77;
    }
    bench.device = chain.dev[0];
    printf("%s, %d thread%s: multiply-add loop %.1f GFLOP/s; rivals: %s\n\n", bench.isa, bench.threads,
           bench.threads > 1 ? "s" : "", bench.peak, rival_names());
    for (size_t i = 0; i < LM_COUNT(groups); i++)
        if (!*bench.rows || strcmp(bench.rows, groups[i].name) == 0)
            groups[i].run(&groups[i]);
    print_verdicts();
    lm_chain_close(&chain);
    return failures > 0;
}
