/* The yardstick libraries, each only where the build found it. */
#include "bench.h"

#include <stdlib.h>

#ifdef BENCH_OPENBLAS
#include <cblas.h>

typedef struct blas {
    job job;
    gemm_shape s;
    float *a, *b, *c;
} blas;

static void blas_run(void *self)
{
    const blas *j = self;
    const gemm_shape *s = &j->s;
    const size_t m = (size_t)s->m, k = (size_t)s->k, n = (size_t)s->n;
    for (size_t i = 0; i < (size_t)s->batch; i++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, s->m, s->n, s->k, 1.0f, j->a + i * m * k, s->k,
                    j->b + i * k * n, s->n, 0.0f, j->c + i * m * n, s->n);
}

static void blas_free(void *self)
{
    blas *j = self;
    free(j->a);
    free(j->b);
    free(j->c);
    free(j);
}

static float *values(size_t n)
{
    float *p = aligned_alloc(64, (n * sizeof *p + 63) / 64 * 64);
    for (size_t i = 0; p && i < n; i++)
        p[i] = (float)(i % 13 + 1) / 16.0f - 0.4f;
    return p;
}

job *rival_gemm(const gemm_shape *s)
{
    blas *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    const size_t batch = (size_t)s->batch, m = (size_t)s->m, k = (size_t)s->k, n = (size_t)s->n;
    *j = (blas){{blas_run, blas_free}, *s, values(batch * m * k), values(batch * k * n), values(batch * m * n)};
    if (j->a && j->b && j->c)
        return &j->job;
    blas_free(j);
    return NULL;
}
#define BLAS_NAME "OpenBLAS"
#else
job *rival_gemm(const gemm_shape *s)
{
    (void)s;
    return NULL;
}
#define BLAS_NAME "no OpenBLAS (not installed when this was built)"
#endif

#ifdef BENCH_ONEDNN
#include <dnnl.h>

enum { OPERANDS = 3 };

typedef struct dnn {
    job job;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arg[OPERANDS];
} dnn;

static void dnn_run(void *self)
{
    const dnn *j = self;
    dnnl_primitive_execute(j->primitive, j->stream, OPERANDS, j->arg);
    dnnl_stream_wait(j->stream);
}

static void dnn_free(void *self)
{
    dnn *j = self;
    for (int i = 0; i < OPERANDS; i++)
        if (j->arg[i].memory)
            dnnl_memory_destroy(j->arg[i].memory);
    if (j->primitive)
        dnnl_primitive_destroy(j->primitive);
    if (j->stream)
        dnnl_stream_destroy(j->stream);
    if (j->engine)
        dnnl_engine_destroy(j->engine);
    free(j);
}

/* Memory in the layout that the primitive chose, filled. */
static bool dnn_operand(dnn *j, int i, dnnl_primitive_desc_t pd, dnnl_query_t what, int name)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, what, 0);
    void *data;
    j->arg[i].arg = name;
    if (!md || dnnl_memory_create(&j->arg[i].memory, md, j->engine, DNNL_MEMORY_ALLOCATE) != dnnl_success ||
        dnnl_memory_get_data_handle(j->arg[i].memory, &data) != dnnl_success)
        return false;
    const size_t n = dnnl_memory_desc_get_size(md) / sizeof(float);
    for (size_t k = 0; k < n; k++)
        ((float *)data)[k] = (float)(k % 13 + 1) / 16.0f - 0.4f;
    return true;
}

/* Which operands a kind of convolution reads and writes. */
static const struct {
    dnnl_query_t what[OPERANDS];
    int name[OPERANDS];
} dnn_operands[] = {
    [CONV_FORWARD] = {{dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md},
                      {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST}},
    [CONV_DATA] = {{dnnl_query_diff_dst_md, dnnl_query_weights_md, dnnl_query_diff_src_md},
                   {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC}},
    [CONV_WEIGHTS] = {{dnnl_query_src_md, dnnl_query_diff_dst_md, dnnl_query_diff_weights_md},
                      {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS}},
};

static bool dnn_create(dnn *j, conv_kind kind, const conv_shape *s)
{
    const int out = conv_out(s), g = s->groups;
    const dnnl_dims_t xd = {1, s->channels, s->size, s->size}, yd = {1, s->outputs, out, out};
    const dnnl_dims_t wd = {s->outputs, s->channels, s->kernel, s->kernel};
    const dnnl_dims_t gd = {g, s->outputs / g, s->channels / g, s->kernel, s->kernel};
    const dnnl_dims_t stride = {s->stride, s->stride}, pad = {s->pad, s->pad};
    dnnl_memory_desc_t x, w, y;
    dnnl_memory_desc_init_by_tag(&x, 4, xd, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&y, 4, yd, dnnl_f32, dnnl_nhwc);
    if (g > 1)
        dnnl_memory_desc_init_by_tag(&w, 5, gd, dnnl_f32, dnnl_format_tag_any);
    else
        dnnl_memory_desc_init_by_tag(&w, 4, wd, dnnl_f32, dnnl_format_tag_any);
    dnnl_convolution_desc_t d, back;
    dnnl_primitive_desc_t forward = NULL, pd = NULL;
    dnnl_convolution_forward_desc_init(&d, dnnl_forward_training, dnnl_convolution_direct, &x, &w, NULL, &y, stride,
                                       pad, pad);
    if (dnnl_primitive_desc_create(&forward, &d, NULL, j->engine, NULL) != dnnl_success)
        return false;
    if (kind == CONV_DATA)
        dnnl_convolution_backward_data_desc_init(&back, dnnl_convolution_direct, &x, &w, &y, stride, pad, pad);
    else if (kind == CONV_WEIGHTS)
        dnnl_convolution_backward_weights_desc_init(&back, dnnl_convolution_direct, &x, &w, NULL, &y, stride, pad, pad);
    if (kind != CONV_FORWARD && dnnl_primitive_desc_create(&pd, &back, NULL, j->engine, forward) != dnnl_success) {
        dnnl_primitive_desc_destroy(forward);
        return false;
    }
    const dnnl_primitive_desc_t use = kind == CONV_FORWARD ? forward : pd;
    bool ok = dnnl_primitive_create(&j->primitive, use) == dnnl_success;
    for (int i = 0; i < OPERANDS && ok; i++)
        ok = dnn_operand(j, i, use, dnn_operands[kind].what[i], dnn_operands[kind].name[i]);
    dnnl_primitive_desc_destroy(forward);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return ok;
}

job *rival_conv(conv_kind kind, const conv_shape *s)
{
    dnn *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->job = (job){dnn_run, dnn_free};
    if (dnnl_engine_create(&j->engine, dnnl_cpu, 0) == dnnl_success &&
        dnnl_stream_create(&j->stream, j->engine, dnnl_stream_default_flags) == dnnl_success && dnn_create(j, kind, s))
        return &j->job;
    dnn_free(j);
    return NULL;
}
#define DNN_NAME "oneDNN"
#else
job *rival_conv(conv_kind kind, const conv_shape *s)
{
    (void)kind, (void)s;
    return NULL;
}
#define DNN_NAME "no oneDNN (not installed when this was built)"
#endif

const char *rival_names(void)
{
    return BLAS_NAME ", " DNN_NAME;
}
