/* Kernels without products: out of cache beside a loop of the same traffic, in cache beside their own arithmetic, and
 * calls so small that starting them counts. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/device/chain.h"

typedef struct traffic_job {
    job job;
    lm_cpu_traffic *traffic;
} traffic_job;

static void traffic_run(void *self)
{
    lm_cpu_traffic_run(((traffic_job *)self)->traffic);
}

static void traffic_free(void *self)
{
    lm_cpu_traffic_close(((traffic_job *)self)->traffic);
    free(self);
}

static job *traffic(size_t in, size_t out)
{
    traffic_job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->job = (job){traffic_run, traffic_free};
    if (lm_cpu_traffic_open(bench.topo, bench.level, bench.threads, in, out, &j->traffic) == LM_OK)
        return &j->job;
    free(j);
    return NULL;
}

void bench_beside_stream(const char *group, const char *text, job *ours, size_t in, size_t out, double bar)
{
    /* What a kernel may seem to beat the loop by: the memory is shared, and so never equally busy twice. */
    const double most = 1.08;
    double a, b;
    job *loop = ours ? traffic(in, out) : NULL;
    if (!loop) {
        if (ours)
            ours->free(ours);
        bench_check(false, text);
        return;
    }
    bench_compare(ours, loop, &a, &b);
    printf("%-12s %-34s %9.3f ms %8.1f GB/s    %6.1f %% of a streaming loop\n", group, text, a * 1e3,
           (double)(in + out) / a * 1e-9, 100 * b / a);
    bench_check(b / a <= most, "faster than the streaming loop: the loop was disturbed or is too weak, run again");
    bench_judge(group, text, bar, b / a);
    fflush(stdout);
}

/* An op with operands of its own; `x` are nx shapes. */
typedef struct op_row {
    const char *text;
    lm_opid op;
    lm_attrs a;
    int nx;
    lm_shape x[3], y;
    bool nhwc;
} op_row;

static job *op_job(lm_device *dev, const op_row *r)
{
    return ours_op(dev, r->op, &r->a, r->nx, r->x, &r->y, r->nhwc);
}

static size_t bytes_in(const op_row *r)
{
    size_t bytes = 0;
    for (int i = 0; i < r->nx; i++)
        bytes += (size_t)lm_shape_count(&r->x[i]) * sizeof(float);
    return bytes;
}

#define POOL(k, s, lo, hi)                                                                                            \
    {                                                                                                                 \
        .pool = {                                                                                                     \
            .nd = 2,                                                                                                  \
            .kernel = {k, k},                                                                                         \
            .stride = {s, s},                                                                                         \
            .dilation = {1, 1},                                                                                       \
            .pad_lo = {lo, lo},                                                                                       \
            .pad_hi = {hi, hi},                                                                                       \
        },                                                                                                            \
    }
#define NORM(dim) {.norm = {.axis = dim, .epsilon = 1e-5f}}
#define PERM(...) {.perm = {{__VA_ARGS__}}}
#define AXIS(dim) {.axis = {.axis = dim}}
#define FLAT LM_SHAPE(16 << 20)
#define WIDE LM_SHAPE(16384, 1024)
#define IMAGES(c) LM_SHAPE(16, c, 112, 112)
#define LAST LM_SHAPE(16, 112, 112, 64)

void bench_streams(const char *group)
{
    const op_row list[] = {
        {"relu", LM_OP_RELU, {{0}}, 1, {FLAT}, FLAT, false},
        {"add", LM_OP_ADD, {{0}}, 2, {FLAT, FLAT}, FLAT, false},
        {"softmax 1024", LM_OP_SOFTMAX, AXIS(1), 1, {WIDE}, WIDE, false},
        {"layer norm 1024", LM_OP_LAYERNORM, NORM(1), 3, {WIDE, LM_SHAPE(1024), LM_SHAPE(1024)}, WIDE, false},
        {"rms norm 1024", LM_OP_RMSNORM, NORM(1), 2, {WIDE, LM_SHAPE(1024)}, WIDE, false},
        {"max pool 3x3/2", LM_OP_MAXPOOL, POOL(3, 2, 1, 0), 1, {IMAGES(64)}, LM_SHAPE(16, 64, 56, 56), true},
        {"max pool 2x2/2", LM_OP_MAXPOOL, POOL(2, 2, 0, 0), 1, {IMAGES(64)}, LM_SHAPE(16, 64, 56, 56), true},
        {"max pool 3x3/1", LM_OP_MAXPOOL, POOL(3, 1, 1, 1), 1, {IMAGES(64)}, IMAGES(64), true},
        {"max pool 3x3/1, 240 channels", LM_OP_MAXPOOL, POOL(3, 1, 1, 1), 1, {IMAGES(240)}, IMAGES(240), true},
        {"average pool 3x3/1", LM_OP_AVGPOOL, POOL(3, 1, 1, 1), 1, {IMAGES(64)}, IMAGES(64), true},
        {"to channels last", LM_OP_TRANSPOSE, PERM(0, 2, 3, 1), 1, {IMAGES(64)}, LAST, false},
        {"to channels first", LM_OP_TRANSPOSE, PERM(0, 3, 1, 2), 1, {LAST}, IMAGES(64), false},
        {"matrix turned", LM_OP_TRANSPOSE, PERM(1, 0), 1, {LM_SHAPE(4096, 4096)}, LM_SHAPE(4096, 4096), false},
        {"heads first", LM_OP_TRANSPOSE, PERM(1, 0, 2), 1, {LM_SHAPE(16384, 16, 64)}, LM_SHAPE(16, 16384, 64), false},
    };
    for (size_t i = 0; i < LM_COUNT(list); i++)
        bench_beside_stream(group, list[i].text, op_job(bench.device, &list[i]), bytes_in(&list[i]),
                            (size_t)lm_shape_count(&list[i].y) * sizeof(float), 0.85);
    printf("\n");
}

/* Functions whose arithmetic takes longer than their memory: 64 Ki elements, which the second cache holds. `steps`: the
 * multiplications, additions, roundings, comparisons and divisions of one element; each counts as a fused multiply-add,
 * though a division is many, and though additions may have units of their own, which makes more than 100 % possible. */
void bench_math(const char *group)
{
    const lm_shape block = LM_SHAPE(65536);
    const struct {
        const char *text;
        lm_opid op;
        float a;
        int steps;
    } list[] = {
        {"exp", LM_OP_EXP, 0, 14},     {"sigmoid", LM_OP_SIGMOID, 0, 22},         {"tanh", LM_OP_TANH, 0, 28},
        {"erf", LM_OP_ERF, 0, 34},     {"gelu with erf", LM_OP_GELU, 0, 38},      {"gelu with tanh", LM_OP_GELU, 1, 28},
        {"swish", LM_OP_SWISH, 1, 24}, {"logarithm", LM_OP_LOG, 0, 24},
    };
    for (size_t i = 0; i < LM_COUNT(list); i++) {
        const lm_attrs attrs = {.act = {.a = list[i].a}};
        double a, b;
        job *ours = ours_op(bench.device, list[i].op, &attrs, 1, &block, &block, false);
        bench_check(ours, list[i].text);
        if (!ours)
            continue;
        bench_compare(ours, NULL, &a, &b);
        const double each = a / (double)lm_shape_count(&block);
        printf("%-12s %-34s %9.3f ns an element %6.1f %% of the multiply-add loop, at %d steps\n", group, list[i].text,
               each * 1e9, 100 * 2e-9 * list[i].steps / each / bench.peak, list[i].steps);
    }
    printf("\n");
}

#define HEADS_FIRST LM_SHAPE(12, 128, 64)
#define HEADS_LAST LM_SHAPE(128, 12, 64)
#define TOKENS LM_SHAPE(128, 768)

/* With several threads also one thread's time over theirs: below 1, small calls wake the pool in vain. */
void bench_small(const char *group)
{
    const op_row list[] = {
        {"add of 16", LM_OP_ADD, {{0}}, 2, {LM_SHAPE(16), LM_SHAPE(16)}, LM_SHAPE(16), false},
        {"add 128x768", LM_OP_ADD, {{0}}, 2, {TOKENS, TOKENS}, TOKENS, false},
        {"add a row to 128x768", LM_OP_ADD, {{0}}, 2, {TOKENS, LM_SHAPE(768)}, TOKENS, false},
        {"softmax 12x128x128", LM_OP_SOFTMAX, AXIS(2), 1, {LM_SHAPE(12, 128, 128)}, LM_SHAPE(12, 128, 128), false},
        {"softmax 12x197x197", LM_OP_SOFTMAX, AXIS(2), 1, {LM_SHAPE(12, 197, 197)}, LM_SHAPE(12, 197, 197), false},
        {"softmax 12x49x49", LM_OP_SOFTMAX, AXIS(2), 1, {LM_SHAPE(12, 49, 49)}, LM_SHAPE(12, 49, 49), false},
        {"layer norm 128x768", LM_OP_LAYERNORM, NORM(1), 3, {TOKENS, LM_SHAPE(768), LM_SHAPE(768)}, TOKENS, false},
        {"gelu 128x3072", LM_OP_GELU, {{0}}, 1, {LM_SHAPE(128, 3072)}, LM_SHAPE(128, 3072), false},
        {"heads first 128x12x64", LM_OP_TRANSPOSE, PERM(1, 0, 2), 1, {HEADS_LAST}, HEADS_FIRST, false},
        {"heads last 12x128x64", LM_OP_TRANSPOSE, PERM(1, 0, 2), 1, {HEADS_FIRST}, HEADS_LAST, false},
        {"keys turned 128x12x64", LM_OP_TRANSPOSE, PERM(1, 2, 0), 1, {HEADS_LAST}, LM_SHAPE(12, 64, 128), false},
    };
    lm_chain one = {0};
    char spec[64];
    snprintf(spec, sizeof spec, "cpu:isa=%s:threads=1:bind=0", bench.isa);
    if (bench.threads > 1 && lm_chain_open(spec, &one) != LM_OK) {
        bench_check(false, lm_message());
        return;
    }
    for (size_t i = 0; i < LM_COUNT(list); i++) {
        double a, b;
        job *ours = op_job(bench.device, &list[i]), *alone = bench.threads > 1 ? op_job(one.dev[0], &list[i]) : NULL;
        bench_check(ours, list[i].text);
        if (!ours)
            continue;
        bench_compare(ours, alone, &a, &b);
        const double bytes = (double)bytes_in(&list[i]) + (double)lm_shape_count(&list[i].y) * sizeof(float);
        printf("%-12s %-34s %9.2f us %8.1f GB/s", group, list[i].text, a * 1e6, bytes / a * 1e-9);
        if (b > 0)
            printf("  %.2f times one thread", b / a);
        printf("\n");
    }
    if (bench.threads > 1)
        lm_chain_close(&one);
    printf("\n");
}
