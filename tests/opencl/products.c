/* Speed of products on one device: `products DEVICE [REPEATS [BATCH [SIZE...]]]` prints GFLOP/s of square matrix
 * products and of ResNet-50's convolutions with their gradients, operands on the device, the median of some batches of
 * launches. No test: figures for people. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"
#include "core/device/chain.h"

enum { ROUNDS = 5 };

typedef struct shape {
    const char *name;
    int64_t c, m, size, k, stride;
} shape;

static const shape convs[] = {
    {"7x7s2 224", 3, 64, 224, 7, 2},
    {"1x1 56 64-64", 64, 64, 56, 1, 1},
    {"3x3 56", 64, 64, 56, 3, 1},
    {"1x1 56 64-256", 64, 256, 56, 1, 1},
    {"1x1 56 256-64", 256, 64, 56, 1, 1},
    {"3x3s2 56", 128, 128, 56, 3, 2},
    {"3x3 28", 128, 128, 28, 3, 1},
    {"1x1 28 128-512", 128, 512, 28, 1, 1},
    {"1x1 28 512-128", 512, 128, 28, 1, 1},
    {"3x3 14", 256, 256, 14, 3, 1},
    {"1x1 14 256-1024", 256, 1024, 14, 1, 1},
    {"1x1 14 1024-256", 1024, 256, 14, 1, 1},
    {"3x3 7", 512, 512, 7, 3, 1},
    {"1x1 7 512-2048", 512, 2048, 7, 1, 1},
    {"1x1 7 2048-512", 2048, 512, 7, 1, 1},
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* An operand on the device, filled with small numbers; a constant stays on the host. */
static lm_status fill(lm_device *d, lm_view *v, bool constant, lm_buffer **held)
{
    const size_t n = (size_t)lm_shape_count(&v->sh);
    lm_buffer *host;
    LM_TRY(lm_buffer_new(n * sizeof(float), &host));
    for (size_t i = 0; i < n; i++)
        ((float *)host->host)[i] = (float)((i * 2654435761u >> 8) % 1000) * 1e-3f - 0.5f;
    if (constant) {
        v->buf = host;
        *held = host;
        return LM_OK;
    }
    lm_status status = d->vt->alloc(d, n * sizeof(float), held);
    if (status == LM_OK)
        status = d->vt->copy(d, *held, 0, host, 0, n * sizeof(float));
    lm_buffer_unref(host);
    return status;
}

static lm_status run(lm_device *d, const lm_kernel *k, const lm_arg *arg, lm_buffer *scratch, int repeats,
                     double *seconds)
{
    double round[ROUNDS];
    for (int r = -1; r < ROUNDS; r++) {
        const double start = now();
        for (int i = 0; i < (r < 0 ? 1 : repeats); i++)
            LM_TRY(d->vt->launch(d, k, arg, scratch));
        LM_TRY(d->vt->sync(d));
        if (r >= 0)
            round[r] = (now() - start) / repeats;
    }
    qsort(round, ROUNDS, sizeof *round, ascending);
    *seconds = round[ROUNDS / 2];
    return LM_OK;
}

static lm_status time_call(lm_device *d, const char *name, lm_opid op, const lm_attrs *a, lm_view x[2], lm_view *y,
                           uint64_t constant, double flops, int repeats)
{
    const lm_call call = {.op = op, .a = a, .nx = 2, .ny = 1, .x = x, .y = y, .constant = constant};
    lm_buffer *buffer[3] = {0}, *scratch = NULL, *form = NULL;
    lm_kernel *k = NULL;
    lm_status status;
    double seconds;
    for (int i = 0; i < 2; i++)
        LM_TRY_OUT(fill(d, &x[i], constant >> i & 1, &buffer[i]));
    LM_TRY_OUT(d->vt->alloc(d, (size_t)lm_shape_count(&y->sh) * sizeof(float), &buffer[2]));
    LM_TRY_OUT(d->vt->bind(d, &call, &k));
    if (k->workspace)
        LM_TRY_OUT(d->vt->alloc(d, k->workspace, &scratch));
    lm_arg arg[] = {{buffer[0], 0}, {buffer[1], 0}, {buffer[2], 0}};
    if (k->nwant) {
        LM_TRY_OUT(d->vt->derive(d, &x[k->want[0].input], &k->want[0], &form));
        arg[k->want[0].input].buf = form;
    }
    LM_TRY_OUT(run(d, k, arg, scratch, repeats, &seconds));
    printf("%-22s %9.3f ms %9.1f GFLOP/s  %s\n", name, seconds * 1e3, flops / seconds * 1e-9, k->name);
out:
    if (k)
        k->free(k);
    for (int i = 0; i < 3; i++)
        lm_buffer_unref(buffer[i]);
    lm_buffer_unref(scratch);
    lm_buffer_unref(form);
    if (status != LM_OK)
        printf("%-22s %s\n", name, lm_message());
    fflush(stdout);
    return status;
}

static void gemm(lm_device *d, int64_t n, int repeats)
{
    char name[32];
    lm_attrs a;
    memset(&a, 0, sizeof a);
    const lm_shape sh = LM_SHAPE(n, n);
    lm_view x[2] = {lm_view_row(LM_F32, &sh, NULL), lm_view_row(LM_F32, &sh, NULL)}, y = lm_view_row(LM_F32, &sh, NULL);
    snprintf(name, sizeof name, "gemm %lld", (long long)n);
    time_call(d, name, LM_OP_MATMUL, &a, x, &y, 2, 2.0 * (double)n * (double)n * (double)n, repeats);
}

/* way 0: forward, 1: input gradient, 2: weight gradient */
static void conv(lm_device *d, const shape *s, int64_t batch, int way, int repeats)
{
    static const char *const ways[] = {"", " dx", " dw"};
    char name[48];
    lm_attrs a;
    memset(&a, 0, sizeof a);
    const int64_t pad = s->k / 2, out = (s->size + 2 * pad - s->k) / s->stride + 1;
    a.conv.nd = 2, a.conv.groups = 1;
    for (int i = 0; i < 2; i++) {
        a.conv.kernel[i] = s->k, a.conv.stride[i] = s->stride, a.conv.dilation[i] = 1;
        a.conv.pad_lo[i] = a.conv.pad_hi[i] = pad, a.conv.size[i] = s->size;
    }
    const lm_shape image = LM_SHAPE(batch, s->c, s->size, s->size), result = LM_SHAPE(batch, s->m, out, out);
    const lm_shape weights = LM_SHAPE(s->m, s->c, s->k, s->k);
    lm_view in = lm_view_nhwc(LM_F32, &image, NULL), to = lm_view_nhwc(LM_F32, &result, NULL);
    lm_view w = lm_view_row(LM_F32, &weights, NULL);
    const double flops = 2.0 * (double)(batch * out * out * s->m * s->c * s->k * s->k);
    snprintf(name, sizeof name, "%s%s", s->name, ways[way]);
    if (way == 0)
        time_call(d, name, LM_OP_CONV, &a, (lm_view[]){in, w}, &to, 2, flops, repeats);
    else if (way == 1)
        time_call(d, name, LM_OP_CONV_T, &a, (lm_view[]){to, w}, &in, 2, flops, repeats);
    else
        time_call(d, name, LM_OP_CONV_DW, &a, (lm_view[]){in, to}, &w, 0, flops, repeats);
}

int main(int argc, char **argv)
{
    const int repeats = argc > 2 ? atoi(argv[2]) : 10;
    const int64_t batch = argc > 3 ? atoll(argv[3]) : 1;
    lm_chain chain;
    if (argc < 2 || lm_chain_open(argv[1], &chain) != LM_OK) {
        fprintf(stderr, "usage: products DEVICE [REPEATS [BATCH [SIZE...]]]\n%s\n", lm_message());
        return 2;
    }
    printf("%s, %s\n", chain.dev[0]->info.name, chain.dev[0]->info.product);
    for (int i = 4; i < argc; i++)
        gemm(chain.dev[0], atoll(argv[i]), repeats);
    for (int way = 0; way < 3; way++)
        for (size_t i = 0; i < LM_COUNT(convs); i++)
            conv(chain.dev[0], &convs[i], batch, way, repeats);
    lm_chain_close(&chain);
    return 0;
}
