/* Along one axis: the place of the extreme, and running sums. */
#include "backends/cpu/axes.h"
#include "backends/cpu/bind.h"
#include "backends/cpu/elementwise.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 4096, WORK = 16384, WIDE = 64 };

typedef struct along {
    lm_cpu_kernel k;
    const lm_stream *stream;
    lm_axis line;           /* the axis itself */
    lm_axis kept[LM_RANK];  /* numbers the lines */
    int keeps;
    int64_t lines, wide;    /* lines taken together */
    bool greatest, last, exclusive, reverse;
    void (*sums)(const struct along *k, const char *x, char *y, int64_t w);
} along;

typedef struct launch {
    const along *k;
    const char *x;
    char *y;
} launch;

static void set_axes(along *k, const lm_view *x, const lm_view *y, int axis, bool keepdims)
{
    int64_t xs = (int64_t)lm_dtype_size(x->dt), ys = (int64_t)lm_dtype_size(y->dt);
    bool same = x->sh.rank == y->sh.rank && keepdims;
    for (int d = 0, to = 0; d < x->sh.rank; d++) {
        lm_axis a = {x->sh.dim[d], x->st[d] * xs, d == axis && !same ? 0 : y->st[to] * ys};
        if (d == axis)
            k->line = a;
        else
            k->kept[k->keeps++] = a;
        to += d != axis || same;
    }
    k->lines = lm_axes_count(k->kept, k->keeps);
    lm_axes_sort(k->kept, k->keeps);
    k->keeps = lm_axes_merge(k->kept, k->keeps);
}

/* Lines per tile. */
static int64_t lines_of(const along *k)
{
    int64_t lines = k->line.n ? WORK / k->line.n : WORK;
    return lines > 1 ? lines : 1;
}

static bool replaces(const along *k, float v, float best)
{
    if (isnan(best))
        return k->last && isnan(v);
    return isnan(v) || (k->greatest ? v > best : v < best) || (k->last && v == best);
}

static int64_t extreme_of(const along *k, const char *x)
{
    int64_t n = k->line.n, place = 0;
    if (k->line.x == (int64_t)sizeof(float))
        return k->stream->arg_extreme((const float *)x, (size_t)n, k->greatest, k->last);
    float block[BLOCK], best = 0;
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t m = n - i < BLOCK ? n - i : BLOCK;
        for (int64_t j = 0; j < m; j++)
            memcpy(&block[j], x + (i + j) * k->line.x, sizeof(float));
        int64_t at = k->stream->arg_extreme(block, (size_t)m, k->greatest, k->last);
        if (i == 0 || replaces(k, block[at], best))
            place = i + at, best = block[at];
    }
    return place;
}

static void arg_tile(void *ctx, int64_t tile, int worker)
{
    const launch *l = ctx;
    const along *k = l->k;
    int64_t width = lines_of(k), from = tile * width;
    (void)worker;
    for (int64_t i = from; i < from + width && i < k->lines; i++) {
        int64_t place = extreme_of(k, l->x + lm_axes_x(k->kept, k->keeps, i));
        memcpy(l->y + lm_axes_y(k->kept, k->keeps, i), &place, sizeof place);
    }
}

static lm_status arg_run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const along *k = (const along *)kernel;
    launch l = {.k = k, .x = p[0], .y = p[1]};
    int64_t width = lines_of(k);
    (void)workspace;
    lm_pool_run(cpu->pool, (k->lines + width - 1) / width, arg_tile, &l);
    return LM_OK;
}

lm_status lm_cpu_bind_arg(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_attr_axis *a = &call->a->axis;
    const lm_view *x = &call->x[0];
    LM_REQUIRE(x->dt == LM_F32 && call->y[0].dt == LM_I64 && x->sh.dim[a->axis] > 0, LM_UNSUPPORTED,
               "%s of %s has no kernel on cpu", lm_ops[call->op].name, lm_dtype_name(x->dt));
    char what[LM_EW_WHAT];
    along *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, arg_run, lm_ew_what(what, call->op, x->dt), &k));
    k->stream = lm_cpu_stream(cpu->level);
    k->greatest = call->op == LM_OP_ARGMAX;
    k->last = a->last;
    set_axes(k, x, &call->y[0], a->axis, a->keepdims);
    k->k.base.bytes = (double)k->lines * (double)k->line.n * sizeof(float);
    *out = &k->k.base;
    return LM_OK;
}

/* Running sums of w <= WIDE lines side by side, each a chain in index order. */
#define SUMS(name, type, sum_type)                                                                                     \
    static void name(const along *k, const char *x, char *y, int64_t w)                                                \
    {                                                                                                                  \
        sum_type sum[WIDE] = {0};                                                                                      \
        const lm_axis *side = &k->kept[k->keeps - 1];                                                                  \
        for (int64_t i = 0; i < k->line.n; i++) {                                                                      \
            int64_t at = k->reverse ? k->line.n - 1 - i : i;                                                           \
            for (int64_t j = 0; j < w; j++) {                                                                          \
                type v, before = (type)sum[j], after;                                                                  \
                memcpy(&v, x + at * k->line.x + j * side->x, sizeof v);                                                \
                sum[j] += (sum_type)v;                                                                                 \
                after = (type)sum[j];                                                                                  \
                memcpy(y + at * k->line.y + j * side->y, k->exclusive ? &before : &after, sizeof v);                   \
            }                                                                                                          \
        }                                                                                                              \
    }
SUMS(sums_f32, float, float)
SUMS(sums_i32, int32_t, uint32_t)
SUMS(sums_i64, int64_t, uint64_t)

static void sums_tile(void *ctx, int64_t tile, int worker)
{
    const launch *l = ctx;
    const along *k = l->k;
    int64_t inner = k->kept[k->keeps - 1].n, strips = (inner + k->wide - 1) / k->wide;
    int64_t column = tile % strips * k->wide, line = tile / strips * inner + column;
    (void)worker;
    k->sums(k, l->x + lm_axes_x(k->kept, k->keeps, line), l->y + lm_axes_y(k->kept, k->keeps, line),
            inner - column < k->wide ? inner - column : k->wide);
}

static lm_status sums_run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const along *k = (const along *)kernel;
    launch l = {.k = k, .x = p[0], .y = p[1]};
    int64_t inner = k->kept[k->keeps - 1].n;
    (void)workspace;
    if (k->lines)
        lm_pool_run(cpu->pool, (inner + k->wide - 1) / k->wide * (k->lines / inner), sums_tile, &l);
    return LM_OK;
}

lm_status lm_cpu_bind_cumsum(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_attr_axis *a = &call->a->axis;
    lm_dtype dt = call->x[0].dt;
    LM_REQUIRE(dt == LM_F32 || dt == LM_I32 || dt == LM_I64, LM_UNSUPPORTED, "%s of %s has no kernel on cpu",
               lm_ops[call->op].name, lm_dtype_name(dt));
    char what[LM_EW_WHAT];
    along *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, sums_run, lm_ew_what(what, call->op, dt), &k));
    k->sums = dt == LM_F32 ? sums_f32 : dt == LM_I32 ? sums_i32 : sums_i64;
    k->exclusive = a->exclusive, k->reverse = a->reverse;
    set_axes(k, &call->x[0], &call->y[0], a->axis, true);
    k->wide = k->kept[k->keeps - 1].n < WIDE ? k->kept[k->keeps - 1].n : WIDE;
    k->wide = k->wide ? k->wide : 1;
    k->k.base.bytes = 2.0 * (double)k->lines * (double)k->line.n * (double)lm_dtype_size(dt);
    *out = &k->k.base;
    return LM_OK;
}
