/* Softmax, its logarithm, and their gradients along one axis. Lines that are contiguous run as rows; lines that lie
 * side by side, sixteen at once; other strides and types are left to the reference device. */
#include "backends/cpu/axes.h"
#include "backends/cpu/bind.h"
#include "backends/cpu/elementwise.h"

#include <string.h>

/* KEEP: rows up to this length, two of them, wait in the first cache for their scale. */
enum { WORK = 16384, SIDE = 16, KEEP = 2048 };

typedef struct softmax {
    lm_cpu_kernel k;
    const lm_stream *stream;
    bool log, gradient, rows, large; /* large: more than the caches hold */
    int64_t n, lines, stride;   /* of the axis: size, lines, and step in floats when not rows */
    lm_axis kept[LM_RANK];      /* numbers the lines; x and y strides agree */
    int keeps;
} softmax;

typedef struct launch {
    const softmax *k;
    const char *x[2];
    char *y;
} launch;

static int64_t lines_of(const softmax *k)
{
    int64_t lines = WORK / k->n;
    return lines > 1 ? lines : 1;
}

/* Rows of a tile that lie evenly apart run as one. */
static int64_t even_rows(const softmax *k, int64_t from, int64_t to, int64_t *stride)
{
    const lm_axis *inner = &k->kept[k->keeps - 1];
    int64_t rows = inner->n - from % inner->n;
    *stride = inner->x / (int64_t)sizeof(float);
    return rows < to - from ? rows : to - from;
}

static void row_tile(void *ctx, int64_t tile, int worker)
{
    const launch *l = ctx;
    const softmax *k = l->k;
    int64_t width = lines_of(k), i = tile * width, end = i + width < k->lines ? i + width : k->lines;
    _Alignas(64) float keep[2 * KEEP];
    (void)worker;
    for (int64_t rows, stride; i < end; i += rows) {
        int64_t at = lm_axes_x(k->kept, k->keeps, i);
        rows = even_rows(k, i, end, &stride);
        float *y = (float *)(l->y + at);
        const float *x = (const float *)(l->x[0] + at);
        for (int64_t r = 0; r < rows && k->gradient; r++)
            k->stream->softmax_dx_row(y + r * stride, x + r * stride, (const float *)(l->x[1] + at) + r * stride,
                                      (size_t)k->n, k->log);
        bool past = k->large && !k->log && k->n <= KEEP && (uintptr_t)y % 64 == 0 && stride % 16 == 0;
        if (!k->gradient)
            k->stream->softmax_rows(y, x, stride, (size_t)rows, keep, (size_t)k->n, k->log, past);
    }
    if (k->large)
        k->stream->stream_end();
}

static void column_tile(void *ctx, int64_t tile, int worker)
{
    const launch *l = ctx;
    const softmax *k = l->k;
    int64_t inner = k->kept[k->keeps - 1].n, strips = (inner + SIDE - 1) / SIDE, column = tile % strips * SIDE;
    int64_t at = lm_axes_x(k->kept, k->keeps, tile / strips * inner + column);
    size_t w = (size_t)(inner - column < SIDE ? inner - column : SIDE), n = (size_t)k->n;
    float *y = (float *)(l->y + at);
    const float *x = (const float *)(l->x[0] + at);
    (void)worker;
    if (k->gradient)
        k->stream->softmax_dx_columns(y, x, (const float *)(l->x[1] + at), k->stride, n, w, k->log);
    else
        k->stream->softmax_columns(y, x, k->stride, n, w, k->log);
}

static lm_status softmax_run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const softmax *k = (const softmax *)kernel;
    launch l = {.k = k, .x = {p[0], k->gradient ? p[1] : NULL}, .y = p[k->k.nargs - 1]};
    (void)workspace;
    if (k->n == 0 || k->lines == 0)
        return LM_OK;
    int64_t inner = k->kept[k->keeps - 1].n, width = lines_of(k);
    if (k->rows)
        lm_pool_run(cpu->pool, (k->lines + width - 1) / width, row_tile, &l);
    else
        lm_pool_run(cpu->pool, (inner + SIDE - 1) / SIDE * (k->lines / inner), column_tile, &l);
    return LM_OK;
}

/* One layout for all operands, float32. */
static bool uniform(const lm_call *call)
{
    const lm_view *y = &call->y[0];
    bool ok = y->dt == LM_F32;
    for (int i = 0; i < call->nx; i++)
        for (int d = 0; d < y->sh.rank; d++)
            ok = ok && call->x[i].dt == LM_F32 && (y->sh.dim[d] == 1 || call->x[i].st[d] == y->st[d]);
    return ok;
}

static lm_status bind(lm_cpu *cpu, const lm_call *call, bool log, bool gradient, lm_kernel **out)
{
    const lm_view *y = &call->y[0];
    const int64_t size = sizeof(float);
    softmax k = {.log = log, .gradient = gradient, .stream = lm_cpu_stream(cpu->level)};
    int axis = call->a->axis.axis;
    for (int d = 0; d < y->sh.rank; d++)
        if (d != axis)
            k.kept[k.keeps++] = (lm_axis){y->sh.dim[d], y->st[d] * size, y->st[d] * size};
    k.n = y->sh.rank ? y->sh.dim[axis] : 1;
    k.stride = y->sh.rank ? y->st[axis] : 1;
    k.lines = lm_axes_count(k.kept, k.keeps);
    lm_axes_sort(k.kept, k.keeps);
    k.keeps = lm_axes_merge(k.kept, k.keeps);
    k.rows = k.stride == 1 || k.n == 1;
    k.large = cpu->topo && (double)k.lines * (double)k.n * (double)size > (double)cpu->topo->cache[LM_L3].bytes;
    bool side_by_side = k.kept[k.keeps - 1].x == size || k.lines == 1;
    LM_REQUIRE(uniform(call) && (k.rows || side_by_side), LM_UNSUPPORTED,
               "%s of %s with these strides has no kernel on cpu", lm_ops[call->op].name, lm_dtype_name(call->x[0].dt));
    char what[LM_EW_WHAT];
    softmax *made;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *made, softmax_run, lm_ew_what(what, call->op, LM_F32), &made));
    k.k = made->k;
    k.k.base.bytes = (double)(call->nx + 1) * (double)k.lines * (double)k.n * (double)size;
    *made = k;
    made->k.base.name = made->k.name;
    *out = &made->k.base;
    return LM_OK;
}

lm_status lm_cpu_bind_softmax(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    return bind(cpu, call, call->op == LM_OP_LOGSOFTMAX, false, out);
}

lm_status lm_cpu_bind_softmax_dx(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    return bind(cpu, call, call->op == LM_OP_LOGSOFTMAX_DX, true, out);
}
