/* Drivers of the ops that address single elements along an axis (GatherElements, ScatterElements) and of ScatterND.
 * Where several updates meet they are applied in ascending order; a tile owns the destinations it writes, never the
 * updates. */
#include "backends/cpu/bind.h"
#include "backends/cpu/copy.h"
#include "backends/cpu/index.h"
#include "core/base/mem.h"

#include <math.h>
#include <string.h>

/* `n` updates of one destination each or of n neighbours: to[i * to_st] = mode(to[i * to_st], from[i * from_st]); in
 * elements. */
typedef void (*combine_fn)(void *to, int64_t to_st, const void *from, int64_t from_st, int64_t n);

/* NaN wins and +0 counts as more than -0. */
static inline float max_f32(float a, float b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) ? a : b;
    return a > b || (a == b && !signbit(a)) ? a : b;
}

static inline float min_f32(float a, float b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) ? a : b;
    return a < b || (a == b && signbit(a)) ? a : b;
}

/* Integers wrap as unsigned ones do. */
#define COMBINE(name, type, value)                                                                                     \
    static void name(void *to, int64_t to_st, const void *from, int64_t from_st, int64_t n)                            \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            type *y = (type *)to + i * to_st, a = *y, b = ((const type *)from)[i * from_st];                           \
            *y = value;                                                                                                \
        }                                                                                                              \
    }
COMBINE(set_8, uint8_t, ((void)a, b))
COMBINE(set_16, uint16_t, ((void)a, b))
COMBINE(set_32, uint32_t, ((void)a, b))
COMBINE(set_64, uint64_t, ((void)a, b))
COMBINE(add_f32, float, a + b)
COMBINE(mul_f32, float, a *b)
COMBINE(most_f32, float, max_f32(a, b))
COMBINE(least_f32, float, min_f32(a, b))
COMBINE(add_32, uint32_t, a + b)
COMBINE(mul_32, uint32_t, a *b)
COMBINE(most_i32, int32_t, a > b ? a : b)
COMBINE(least_i32, int32_t, a < b ? a : b)
COMBINE(add_64, uint64_t, a + b)
COMBINE(mul_64, uint64_t, a *b)
COMBINE(most_i64, int64_t, a > b ? a : b)
COMBINE(least_i64, int64_t, a < b ? a : b)

static lm_status choose_combine(const lm_call *call, combine_fn *out)
{
    lm_dtype type = call->y[0].dt;
    lm_scatter_mode mode = call->a->index.mode;
    static const combine_fn set[4] = {set_8, set_16, set_32, set_64};
    static const combine_fn f32[4] = {add_f32, mul_f32, most_f32, least_f32};
    static const combine_fn i32[4] = {add_32, mul_32, most_i32, least_i32};
    static const combine_fn i64[4] = {add_64, mul_64, most_i64, least_i64};
    size_t size = lm_dtype_size(type);
    if (mode == LM_SCATTER_SET)
        *out = set[size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3];
    else if (type == LM_F32 || type == LM_I32 || type == LM_I64)
        *out = (type == LM_F32 ? f32 : type == LM_I32 ? i32 : i64)[mode - LM_SCATTER_ADD];
    else
        return lm_fail(LM_UNSUPPORTED, "%s: no kernel that combines %s", lm_ops[call->op].name, lm_dtype_name(type));
    return LM_OK;
}

/* Lines along the axis: their elements meet only each other. */
typedef struct lines {
    lm_cpu_kernel k;
    lm_indices indices;
    combine_fn combine;
    lm_copy copy;  /* data to result */
    lm_rows rows;  /* st: of the addressed tensor, of the other one, of the offsets (always row-major) */
    int64_t size;  /* bytes of an element */
    int64_t n, other_st, offset_st; /* along a line */
    int64_t per_tile;
} lines;

typedef struct lines_run {
    const lines *k;
    const int64_t *offset;
    char *addressed, *other;
} lines_run;

/* Scatter: result[offset] = combine(result[offset], update). Gather: the same from the other side. */
static void lines_tile(const lines_run *r, int64_t tile, bool gather)
{
    const lines *k = r->k;
    int64_t end = (tile + 1) * k->per_tile < k->rows.count ? (tile + 1) * k->per_tile : k->rows.count;
    for (int64_t row = tile * k->per_tile; row < end; row++) {
        int64_t off[3];
        lm_rows_at(&k->rows, row, off);
        const int64_t *offset = r->offset + off[2];
        char *addressed = r->addressed + off[0] * k->size, *other = r->other + off[1] * k->size;
        for (int64_t i = 0; i < k->n; i++) {
            char *a = addressed + offset[i * k->offset_st] * k->size, *o = other + i * k->other_st * k->size;
            k->combine(gather ? o : a, 0, gather ? a : o, 0, 1);
        }
    }
}

static void scatter_elements_tile(void *ctx, int64_t tile, int worker)
{
    (void)worker;
    lines_tile(ctx, tile, false);
}

static void gather_elements_tile(void *ctx, int64_t tile, int worker)
{
    (void)worker;
    lines_tile(ctx, tile, true);
}

static lm_status run_gather_elements(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const lines *k = (const lines *)kernel;
    LM_TRY(lm_indices_read(cpu, &k->indices, p[1], workspace));
    lines_run r = {k, workspace, p[0], p[2]};
    lm_pool_run(cpu->pool, lm_tiles(k->rows.count, k->per_tile), gather_elements_tile, &r);
    return LM_OK;
}

static lm_status run_scatter_elements(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const lines *k = (const lines *)kernel;
    LM_TRY(lm_indices_read(cpu, &k->indices, p[1], workspace));
    lm_copy_run(cpu->pool, &k->copy, p[3], p[0]);
    lines_run r = {k, workspace, p[3], p[2]};
    lm_pool_run(cpu->pool, lm_tiles(k->rows.count, k->per_tile), scatter_elements_tile, &r);
    return LM_OK;
}

static lm_status offsets_workspace(const lm_indices *indices, lm_kernel *base)
{
    LM_REQUIRE(lm_mul_size((size_t)indices->count, sizeof(int64_t), &base->workspace), LM_MEMORY,
               "%s: too many indices", lm_ops[indices->op].name);
    return LM_OK;
}

static void plan_data_copy(const lm_call *call, lm_copy *copy)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    lm_copy_axis axes[LM_RANK];
    for (int i = 0; i < x->sh.rank; i++)
        axes[i] = (lm_copy_axis){x->sh.dim[i], y->st[i], x->st[i]};
    lm_copy_plan(copy, lm_dtype_size(x->dt), x->sh.rank, axes);
}

/* `into`: the tensor that indices address; `other`: the one of their shape. */
static lm_status bind_lines(lm_cpu *cpu, const lm_call *call, const lm_view *into, const lm_view *other, lm_cpu_run run,
                            const char *what, lm_kernel **out)
{
    enum { PER_TILE = 4096 };
    int axis = call->a->index.axis;
    const lm_shape *sh = &call->x[1].sh;
    int64_t offset_st[LM_RANK];
    lines *k;
    lm_indices indices;
    lm_kernel base = {0};
    LM_TRY(lm_indices_make(call->op, &call->x[1], into, axis, 0, 0, &indices));
    LM_TRY(offsets_workspace(&indices, &base));
    combine_fn combine;
    LM_TRY(choose_combine(call, &combine));
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run, what, &k));
    lm_strides_row(sh, offset_st);
    k->indices = indices;
    k->combine = combine;
    k->size = (int64_t)lm_dtype_size(into->dt);
    k->n = sh->dim[axis];
    k->other_st = other->st[axis];
    k->offset_st = offset_st[axis];
    k->rows.count = 1;
    for (int i = 0; i < sh->rank; i++)
        if (i != axis)
            lm_rows_add(&k->rows, sh->dim[i], into->st[i], other->st[i], offset_st[i]);
    k->per_tile = k->n < PER_TILE ? PER_TILE / (k->n > 0 ? k->n : 1) : 1;
    k->k.base.workspace = base.workspace;
    k->k.base.bytes = (double)indices.count * (double)(2 * k->size + 16);
    plan_data_copy(call, &k->copy);
    *out = &k->k.base;
    return LM_OK;
}

lm_status lm_cpu_bind_gather_elements(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    lm_attrs a = *call->a;
    lm_call set = *call;
    a.index.mode = LM_SCATTER_SET;
    set.a = &a;
    return bind_lines(cpu, &set, &call->x[0], &call->y[0], run_gather_elements, "gather_elements", out);
}

lm_status lm_cpu_bind_scatter_elements(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    return bind_lines(cpu, call, &call->y[0], &call->x[2], run_scatter_elements, "scatter_elements", out);
}

/* ScatterND: every address takes a whole slice; a tile owns one part of every slice. */
typedef struct scatter_nd {
    lm_cpu_kernel k;
    lm_indices indices;
    combine_fn combine;
    lm_copy copy;
    lm_rows rows;  /* of a slice without its last axis; st: of the result, of the updates */
    lm_rows tuples; /* st: of the updates */
    int64_t size, n, to_st, from_st; /* along the slice's last axis */
    int64_t per_part, parts;         /* elements of the last axis in a tile, tiles per row */
} scatter_nd;

typedef struct scatter_nd_run {
    const scatter_nd *k;
    const int64_t *offset;
    char *y;
    const char *updates;
} scatter_nd_run;

static void scatter_nd_tile(void *ctx, int64_t tile, int worker)
{
    const scatter_nd_run *r = ctx;
    const scatter_nd *k = r->k;
    (void)worker;
    int64_t off[3], from[3], at = tile % k->parts * k->per_part;
    lm_rows_at(&k->rows, tile / k->parts, off);
    int64_t n = k->n - at < k->per_part ? k->n - at : k->per_part;
    char *y = r->y + (off[0] + at * k->to_st) * k->size;
    const char *updates = r->updates + (off[1] + at * k->from_st) * k->size;
    for (int64_t i = 0; i < k->indices.count; i++) {
        lm_rows_at(&k->tuples, i, from);
        k->combine(y + r->offset[i] * k->size, k->to_st, updates + from[0] * k->size, k->from_st, n);
    }
}

static lm_status run_scatter_nd(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const scatter_nd *k = (const scatter_nd *)kernel;
    LM_TRY(lm_indices_read(cpu, &k->indices, p[1], workspace));
    lm_copy_run(cpu->pool, &k->copy, p[3], p[0]);
    scatter_nd_run r = {k, workspace, p[3], p[2]};
    lm_pool_run(cpu->pool, k->rows.count * k->parts, scatter_nd_tile, &r);
    return LM_OK;
}

lm_status lm_cpu_bind_scatter_nd(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    enum { PER_PART = 1024 };
    const lm_view *y = &call->y[0], *index = &call->x[1], *updates = &call->x[2];
    int tuples = index->sh.rank - 1, depth = (int)index->sh.dim[tuples];
    scatter_nd *k;
    lm_indices indices;
    lm_kernel base = {0};
    LM_TRY(lm_indices_make(call->op, index, y, 0, depth, 0, &indices));
    LM_TRY(offsets_workspace(&indices, &base));
    combine_fn combine;
    LM_TRY(choose_combine(call, &combine));
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run_scatter_nd, "scatter_nd", &k));
    k->indices = indices;
    k->combine = combine;
    k->size = (int64_t)lm_dtype_size(y->dt);
    k->rows.count = k->tuples.count = k->n = 1;
    for (int i = 0; i < tuples; i++)
        lm_rows_add(&k->tuples, index->sh.dim[i], updates->st[i], 0, 0);
    for (int i = depth; i < y->sh.rank; i++) {
        if (i == y->sh.rank - 1) {
            k->n = y->sh.dim[i];
            k->to_st = y->st[i];
            k->from_st = updates->st[tuples + i - depth];
        } else {
            lm_rows_add(&k->rows, y->sh.dim[i], y->st[i], updates->st[tuples + i - depth], 0);
        }
    }
    k->per_part = PER_PART;
    k->parts = lm_tiles(k->n, PER_PART);
    k->k.base.workspace = base.workspace;
    k->k.base.bytes = 2.0 * (double)lm_shape_count(&y->sh) * (double)k->size;
    plan_data_copy(call, &k->copy);
    *out = &k->k.base;
    return LM_OK;
}
