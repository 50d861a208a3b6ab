/* Reductions of floats. The reduced axes, in the canonical order, become a few nested runs; the kept ones number the
 * results. Three steps, each on the pool: reduce every (result, chunk), join the chunks, finish and write. */
#include "backends/cpu/axes.h"
#include "backends/cpu/bind.h"
#include "backends/cpu/elementwise.h"
#include "core/base/mem.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 4096, WORK = 16384 }; /* elements: gathered at a time; of one tile */

typedef struct reduction {
    lm_cpu_kernel k;
    const lm_stream *stream;
    lm_red kind;
    lm_finish finish;
    bool lse;
    lm_dtype xdt, ydt;
    lm_axis red[LM_RANK], kept[LM_RANK];
    int reds, keeps;
    int64_t count, results, chunk, chunks; /* elements per result; per chunk */
    bool columns;                          /* the innermost kept axis is contiguous, the one reduced axis is not */
} reduction;

/* One launch. `part` is [chunks][results], `shift` [results]. */
typedef struct launch {
    const reduction *r;
    const char *x;
    char *y;
    float *part, *shift;
    lm_red kind;
} launch;

static size_t xsize(const reduction *r)
{
    return lm_dtype_size(r->xdt);
}

/* Of planes one behind the other, whose channels come last all the same: pixels are turned. */
static bool has_planes(const reduction *r)
{
    const lm_axis *channel = &r->red[r->reds - 1];
    return r->reds > 1 && r->xdt == LM_F32 && channel[-1].x == (int64_t)sizeof(float) && channel->n <= BLOCK / 16;
}

static const float *fetch_planes(const reduction *r, const char *x, int64_t from, int64_t n, float *block)
{
    const int64_t size = sizeof(float), channels = r->red[r->reds - 1].n, step = r->red[r->reds - 1].x;
    const int64_t plane = r->red[r->reds - 2].n;
    for (int64_t done = 0, m; done < n; done += m) {
        const int64_t pixel = (from + done) / channels, c = (from + done) % channels, at = pixel % plane;
        const char *p = x + lm_axes_x(r->red, r->reds - 2, pixel / plane) + at * size;
        const int64_t whole = c ? 0 : (n - done) / channels, pixels = whole < plane - at ? whole : plane - at;
        m = pixels ? pixels * channels : channels - c < n - done ? channels - c : n - done;
        if (pixels)
            r->stream->turn(block + done, channels, (const float *)p, step / size, pixels, channels, false);
        for (int64_t j = 0; j < m && !pixels; j++)
            memcpy(block + done + j, p + (c + j) * step, sizeof *block);
    }
    return block;
}

/* Elements from .. from + n of the reduction of the result at x, as contiguous floats: in place where they are. */
static const float *fetch(const reduction *r, const char *x, int64_t from, int64_t n, float *block)
{
    const lm_axis *run = &r->red[r->reds - 1];
    if (r->reds == 1 && run->x == (int64_t)sizeof(float) && r->xdt == LM_F32)
        return (const float *)x + from;
    if (has_planes(r))
        return fetch_planes(r, x, from, n, block);
    uint16_t half[BLOCK];
    char *to = r->xdt == LM_F32 ? (char *)block : (char *)half;
    size_t size = xsize(r);
    for (int64_t done = 0; done < n;) {
        int64_t i = from + done, in_run = i % run->n, m = run->n - in_run < n - done ? run->n - in_run : n - done;
        const char *p = x + lm_axes_x(r->red, r->reds - 1, i / run->n) + in_run * run->x;
        char *q = to + done * (int64_t)size;
        if (run->x == (int64_t)size)
            memcpy(q, p, (size_t)m * size);
        else if (size == sizeof(float))
            for (int64_t j = 0; j < m; j++)
                memcpy(q + j * 4, p + j * run->x, 4);
        else
            for (int64_t j = 0; j < m; j++)
                memcpy(q + j * 2, p + j * run->x, 2);
        done += m;
    }
    if (r->xdt != LM_F32)
        (r->xdt == LM_F16 ? r->stream->from_f16 : r->stream->from_bf16)(block, half, (size_t)n);
    return block;
}

static float reduce_one(const launch *l, int64_t result, int64_t chunk)
{
    const reduction *r = l->r;
    _Alignas(64) float lane[LM_RED_LANES], block[BLOCK];
    const char *x = l->x + lm_axes_x(r->kept, r->keeps, result);
    float shift = l->kind == LM_RED_EXP ? l->shift[result] : 0;
    int64_t begin = chunk * r->chunk, end = r->count - begin < r->chunk ? r->count : begin + r->chunk;
    bool direct = r->reds == 1 && r->red[0].x == (int64_t)sizeof(float) && r->xdt == LM_F32;
    int64_t step = direct ? end - begin : BLOCK;
    r->stream->reduce_start(l->kind, lane);
    for (int64_t i = begin; i < end; i += step) {
        int64_t n = end - i < step ? end - i : step;
        r->stream->reduce_more(l->kind, lane, fetch(r, x, i, n, block), (size_t)n, shift);
    }
    return r->stream->reduce_fold(l->kind, lane);
}

/* A tile is some results of one chunk, or some columns of one. */
static int64_t row_width(const reduction *r)
{
    int64_t rows = r->chunk ? WORK / r->chunk : WORK;
    return rows > 0 ? rows : 1;
}

static void row_tile(void *ctx, int64_t tile, int worker)
{
    const launch *l = ctx;
    const reduction *r = l->r;
    int64_t width = row_width(r), strips = (r->results + width - 1) / width;
    int64_t chunk = tile / strips, from = tile % strips * width;
    (void)worker;
    for (int64_t i = from; i < from + width && i < r->results; i++)
        l->part[chunk * r->results + i] = reduce_one(l, i, chunk);
}

static void column_tile(void *ctx, int64_t tile, int worker)
{
    const launch *l = ctx;
    const reduction *r = l->r;
    int64_t inner = r->kept[r->keeps - 1].n, strips = (inner + LM_RED_WIDE - 1) / LM_RED_WIDE;
    int64_t column = tile % strips * LM_RED_WIDE, rest = tile / strips;
    int64_t outer = rest / r->chunks, chunk = rest % r->chunks;
    int64_t begin = chunk * r->chunk, n = r->count - begin < r->chunk ? r->count - begin : r->chunk;
    int64_t w = inner - column < LM_RED_WIDE ? inner - column : LM_RED_WIDE, result = outer * inner + column;
    const char *x = l->x + lm_axes_x(r->kept, r->keeps, result) + begin * r->red[0].x;
    (void)worker;
    r->stream->reduce_columns(l->kind, l->part + chunk * r->results + result, (const float *)x,
                              r->red[0].x / (int64_t)sizeof(float), (size_t)n, (size_t)w, l->shift + result);
}

static void finish_tile(void *ctx, int64_t tile, int worker)
{
    const launch *l = ctx;
    const reduction *r = l->r;
    int64_t from = tile * BLOCK, n = r->results - from < BLOCK ? r->results - from : BLOCK;
    float *v = l->part + from;
    uint16_t half[BLOCK];
    (void)worker;
    r->stream->reduce_finish(r->finish, v, (size_t)n, (float)r->count, l->shift + from);
    const char *src = (const char *)v;
    size_t size = lm_dtype_size(r->ydt);
    if (r->ydt != LM_F32) {
        (r->ydt == LM_F16 ? r->stream->to_f16 : r->stream->to_bf16)(half, v, (size_t)n);
        src = (const char *)half;
    }
    if (r->keeps == 1 && r->kept[0].y == (int64_t)size)
        memcpy(l->y + from * (int64_t)size, src, (size_t)n * size);
    else
        for (int64_t i = 0; i < n; i++)
            memcpy(l->y + lm_axes_y(r->kept, r->keeps, from + i), src + i * (int64_t)size, size);
}

static void pass(lm_cpu *cpu, launch *l, lm_red kind)
{
    const reduction *r = l->r;
    int64_t inner = r->kept[r->keeps - 1].n, width = r->columns ? LM_RED_WIDE : row_width(r);
    int64_t tiles = r->columns ? (inner + width - 1) / width * (r->results / inner) : (r->results + width - 1) / width;
    l->kind = kind;
    lm_pool_run(cpu->pool, tiles * r->chunks, r->columns ? column_tile : row_tile, l);
    for (int64_t c = 1; c < r->chunks; c++)
        r->stream->reduce_join(kind, l->part, l->part + c * r->results, (size_t)r->results);
}

static lm_status reduce_run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const reduction *r = (const reduction *)kernel;
    if (r->results == 0)
        return LM_OK;
    launch l = {.r = r, .x = p[0], .y = p[1], .shift = workspace, .part = (float *)workspace + r->results};
    if (r->lse) { /* the greatest element comes out of the exponentials, unless it is infinite */
        pass(cpu, &l, LM_RED_MAX);
        for (int64_t i = 0; i < r->results; i++)
            l.shift[i] = isinf(l.part[i]) ? 0 : l.part[i];
    }
    pass(cpu, &l, r->kind);
    lm_pool_run(cpu->pool, (r->results + BLOCK - 1) / BLOCK, finish_tile, &l);
    return LM_OK;
}

/* Split the axes of x: reduced ones in ascending order but the channels last, kept ones with the results' strides. */
static void split(reduction *r, const lm_view *x, const lm_view *y, const lm_attr_reduce *a)
{
    int64_t xs = (int64_t)lm_dtype_size(x->dt), ys = (int64_t)lm_dtype_size(y->dt);
    for (int d = 0, to = 0; d < x->sh.rank; d++) {
        bool reduced = a->axes >> d & 1;
        if (reduced && d != 1)
            r->red[r->reds++] = (lm_axis){x->sh.dim[d], x->st[d] * xs, 0};
        else if (!reduced)
            r->kept[r->keeps++] = (lm_axis){x->sh.dim[d], x->st[d] * xs, y->st[to] * ys};
        to += !reduced || a->keepdims;
    }
    if (x->sh.rank > 1 && a->axes >> 1 & 1)
        r->red[r->reds++] = (lm_axis){x->sh.dim[1], x->st[1] * xs, 0};
    r->count = lm_axes_count(r->red, r->reds);
    r->results = lm_axes_count(r->kept, r->keeps);
    lm_axes_sort(r->kept, r->keeps);
    r->reds = lm_axes_merge(r->red, r->reds);
    r->keeps = lm_axes_merge(r->kept, r->keeps);
}

typedef struct recipe {
    lm_red kind;
    lm_finish finish;
} recipe;

static recipe recipe_of(lm_opid op)
{
    switch (op) {
    case LM_OP_REDUCE_MEAN: return (recipe){LM_RED_SUM, LM_FINISH_MEAN};
    case LM_OP_REDUCE_MAX: return (recipe){LM_RED_MAX, LM_FINISH_NONE};
    case LM_OP_REDUCE_MIN: return (recipe){LM_RED_MIN, LM_FINISH_NONE};
    case LM_OP_REDUCE_PROD: return (recipe){LM_RED_PROD, LM_FINISH_NONE};
    case LM_OP_REDUCE_L1: return (recipe){LM_RED_ABS, LM_FINISH_NONE};
    case LM_OP_REDUCE_L2: return (recipe){LM_RED_SQUARE, LM_FINISH_ROOT};
    case LM_OP_REDUCE_SUMSQ: return (recipe){LM_RED_SQUARE, LM_FINISH_NONE};
    case LM_OP_REDUCE_LOGSUM: return (recipe){LM_RED_SUM, LM_FINISH_LOG};
    case LM_OP_REDUCE_LSE: return (recipe){LM_RED_EXP, LM_FINISH_LOG_SHIFT};
    default: return (recipe){LM_RED_SUM, LM_FINISH_NONE};
    }
}

lm_status lm_cpu_bind_reduce(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    LM_REQUIRE(lm_ew_is_float(x->dt) && lm_ew_is_float(y->dt), LM_UNSUPPORTED, "%s of %s has no kernel on cpu",
               lm_ops[call->op].name, lm_dtype_name(x->dt));
    char what[LM_EW_WHAT];
    reduction *r;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *r, reduce_run, lm_ew_what(what, call->op, x->dt), &r));
    recipe how = recipe_of(call->op);
    r->stream = lm_cpu_stream(cpu->level);
    r->kind = how.kind, r->finish = how.finish;
    r->lse = call->op == LM_OP_REDUCE_LSE;
    r->xdt = x->dt, r->ydt = y->dt;
    split(r, x, y, &call->a->reduce);
    r->chunk = r->count > LM_RED_LONG ? LM_RED_CHUNK : r->count;
    r->chunks = r->chunk ? (r->count + r->chunk - 1) / r->chunk : 1;
    const lm_axis *last = &r->kept[r->keeps - 1];
    r->columns = x->dt == LM_F32 && r->reds == 1 && r->red[0].x != (int64_t)sizeof(float) &&
                 last->x == (int64_t)sizeof(float) && last->n >= 8;
    size_t floats;
    if (!lm_mul_size((size_t)r->results, (size_t)r->chunks + 1, &floats) ||
        !lm_mul_size(floats, sizeof(float), &r->k.base.workspace)) {
        lm_free(r);
        return lm_fail(LM_MEMORY, "%s: scratch for %lld results in %lld chunks does not fit", lm_ops[call->op].name,
                       (long long)r->results, (long long)r->chunks);
    }
    r->k.base.flops = (double)r->count * (double)r->results;
    r->k.base.bytes = r->k.base.flops * (double)xsize(r);
    *out = &r->k.base;
    return LM_OK;
}
