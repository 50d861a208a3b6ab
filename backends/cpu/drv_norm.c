/* Normalisations as one kernel each, with the bits of their expansions into elementwise ops and reductions. They take
 * row-major float32; for other layouts and types the expansion runs instead. */
#include "backends/cpu/bind.h"
#include "backends/cpu/elementwise.h"
#include "core/base/mem.h"

enum { WORK = 16384, SIDE = 16 };

/* Rows of n elements: the last axes, or a group of channels of one sample, each channel with `spatial` elements. */
typedef struct norm {
    lm_cpu_kernel k;
    const lm_stream *stream;
    int nx;
    int64_t rows, n, channels, groups, spatial, size;
    float epsilon, alpha, beta, bias;
    bool rms, means, inverses; /* which optional results exist */
    bool large;                /* more than the caches hold */
} norm;

typedef struct launch {
    const norm *k;
    const float *x, *scale, *bias;
    float *y, *mean, *inverse;
} launch;

static bool dense(const lm_view *v)
{
    return v->dt == LM_F32 && lm_view_is_row(v);
}

static lm_status refuse(const lm_call *call)
{
    return lm_fail(LM_UNSUPPORTED, "%s of %s in this layout has no kernel of its own on cpu", lm_ops[call->op].name,
                   lm_dtype_name(call->x[0].dt));
}

static lm_status make(lm_cpu *cpu, const lm_call *call, lm_cpu_run run, norm **out)
{
    char what[LM_EW_WHAT];
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof **out, run, lm_ew_what(what, call->op, LM_F32), out));
    norm *k = *out;
    k->stream = lm_cpu_stream(cpu->level);
    k->nx = call->nx;
    k->epsilon = call->a->norm.epsilon;
    k->k.base.bytes = 2.0 * (double)lm_shape_count(&call->x[0].sh) * sizeof(float);
    return LM_OK;
}

static int64_t rows_of(const norm *k)
{
    int64_t rows = k->n ? WORK / k->n : WORK;
    return rows > 1 ? rows : 1;
}

static void layer_tile(void *ctx, int64_t tile, int worker)
{
    const launch *l = ctx;
    const norm *k = l->k;
    int64_t width = rows_of(k), from = tile * width, rows = k->rows - from < width ? k->rows - from : width;
    const float *x = l->x + from * k->n;
    float *y = l->y + from * k->n;
    const bool past = k->large && (uintptr_t)y % 64 == 0 && k->n % LM_RED_LANES == 0;
    (void)worker;
    if (k->rms)
        k->stream->rmsnorm_rows(y, x, (size_t)rows, l->scale, (size_t)k->n, k->epsilon, past);
    else
        k->stream->layernorm_rows(y, x, (size_t)rows, l->scale, l->bias, (size_t)k->n, k->epsilon,
                                  k->means ? l->mean + from : NULL, k->inverses ? l->inverse + from : NULL, past);
    if (k->large)
        k->stream->stream_end();
}

static lm_status layer_run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const norm *k = (const norm *)kernel;
    (void)workspace;
    launch l = {.k = k, .x = p[0], .scale = p[1], .bias = k->nx > 2 ? p[2] : NULL, .y = p[k->nx]};
    l.mean = k->means ? p[k->nx + 1] : NULL;
    l.inverse = k->inverses ? p[k->nx + 2] : NULL;
    lm_pool_run(cpu->pool, (k->rows + rows_of(k) - 1) / rows_of(k), layer_tile, &l);
    return LM_OK;
}

static lm_status bind_layer(lm_cpu *cpu, const lm_call *call, bool rms, lm_kernel **out)
{
    const lm_shape *sh = &call->x[0].sh;
    int axis = call->a->norm.axis;
    int64_t rows = 1, n = 1;
    for (int d = 0; d < sh->rank; d++)
        *(d < axis ? &rows : &n) *= sh->dim[d];
    bool ok = sh->rank <= 2 || axis > 1; /* else the canonical order, channels last, is not that of memory */
    for (int i = 0; i < call->nx; i++)
        if (lm_view_present(&call->x[i]))
            ok = ok && dense(&call->x[i]) && (i == 0 || lm_shape_count(&call->x[i].sh) == n);
    for (int i = 0; i < call->ny; i++)
        ok = ok && (!lm_view_present(&call->y[i]) || dense(&call->y[i]));
    if (!ok)
        return refuse(call);
    norm *k;
    LM_TRY(make(cpu, call, layer_run, &k));
    k->rows = rows, k->n = n, k->rms = rms;
    k->large = cpu->topo && (double)rows * (double)n * sizeof(float) > (double)cpu->topo->cache[LM_L3].bytes;
    k->means = call->ny > 1 && lm_view_present(&call->y[1]);
    k->inverses = call->ny > 2 && lm_view_present(&call->y[2]);
    *out = &k->k.base;
    return LM_OK;
}

lm_status lm_cpu_bind_layernorm(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    return bind_layer(cpu, call, false, out);
}

lm_status lm_cpu_bind_rmsnorm(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    return bind_layer(cpu, call, true, out);
}

static void group_tile(void *ctx, int64_t row, int worker)
{
    const launch *l = ctx;
    const norm *k = l->k;
    int64_t each = k->channels / k->groups, first = row % k->groups * each;
    float mean, inverse;
    (void)worker;
    k->stream->row_moments(l->x + row * k->n, (size_t)k->n, k->epsilon, &mean, &inverse);
    for (int64_t c = 0; c < each; c++) {
        int64_t at = row * k->n + c * k->spatial;
        k->stream->affine_row(l->y + at, l->x + at, (size_t)k->spatial, mean, inverse, l->scale[first + c],
                              l->bias[first + c]);
    }
}

static lm_status group_run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const norm *k = (const norm *)kernel;
    launch l = {.k = k, .x = p[0], .scale = p[1], .bias = p[2], .y = p[3]};
    (void)workspace;
    lm_pool_run(cpu->pool, k->rows, group_tile, &l);
    return LM_OK;
}

/* Instance norm is group norm with a group per channel. */
lm_status lm_cpu_bind_groupnorm(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_shape *sh = &call->x[0].sh;
    bool ok = sh->rank >= 2 && dense(&call->y[0]);
    for (int i = 0; i < call->nx; i++)
        ok = ok && dense(&call->x[i]) && (i == 0 || lm_shape_count(&call->x[i].sh) == sh->dim[1]);
    int64_t groups = call->op == LM_OP_INSTANCENORM ? (ok ? sh->dim[1] : 0) : call->a->norm.groups;
    if (!ok || groups < 1 || sh->dim[1] % groups)
        return refuse(call);
    norm *k;
    LM_TRY(make(cpu, call, group_run, &k));
    k->channels = sh->dim[1], k->groups = groups;
    k->spatial = 1;
    for (int d = 2; d < sh->rank; d++)
        k->spatial *= sh->dim[d];
    k->n = k->channels / groups * k->spatial;
    k->rows = sh->dim[0] * groups;
    *out = &k->k.base;
    return LM_OK;
}

static void lrn_tile(void *ctx, int64_t tile, int worker)
{
    const launch *l = ctx;
    const norm *k = l->k;
    int64_t strips = (k->spatial + SIDE - 1) / SIDE, column = tile % strips * SIDE;
    int64_t at = tile / strips * k->n + column, w = k->spatial - column < SIDE ? k->spatial - column : SIDE;
    (void)worker;
    k->stream->lrn_columns(l->y + at, l->x + at, k->spatial, (size_t)k->channels, (size_t)w, k->size, k->alpha, k->beta,
                           k->bias);
}

static lm_status lrn_run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const norm *k = (const norm *)kernel;
    launch l = {.k = k, .x = p[0], .y = p[1]};
    (void)workspace;
    lm_pool_run(cpu->pool, k->rows * ((k->spatial + SIDE - 1) / SIDE), lrn_tile, &l);
    return LM_OK;
}

lm_status lm_cpu_bind_lrn(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_attr_norm *a = &call->a->norm;
    const lm_shape *sh = &call->x[0].sh;
    if (!dense(&call->x[0]) || !dense(&call->y[0]) || sh->rank < 2 || a->size < 1)
        return refuse(call);
    norm *k;
    LM_TRY(make(cpu, call, lrn_run, &k));
    k->rows = sh->dim[0], k->channels = sh->dim[1], k->spatial = 1;
    for (int d = 2; d < sh->rank; d++)
        k->spatial *= sh->dim[d];
    k->n = k->channels * k->spatial;
    k->size = a->size, k->alpha = a->alpha, k->beta = a->beta, k->bias = a->bias;
    *out = &k->k.base;
    return LM_OK;
}
