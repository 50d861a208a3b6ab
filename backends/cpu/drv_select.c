/* Drivers of trilu, one-hot, top-k, nonzero and range. */
#include "backends/cpu/bind.h"
#include "backends/cpu/index.h"
#include "core/base/mem.h"

#include <string.h>

enum { PER_TILE = 16384 };

static int64_t per_tile(int64_t line)
{
    return line > 0 && line < PER_TILE ? PER_TILE / line : 1;
}

static int64_t tile_end(int64_t tile, int64_t per, int64_t n)
{
    return (tile + 1) * per < n ? (tile + 1) * per : n;
}

/* Trilu: of every row a stretch [lo, hi) is kept, the rest is zero. */
typedef struct trilu {
    lm_cpu_kernel k;
    lm_rows rows; /* st: of y, of x, number of the row in its matrix */
    int64_t size, n, y_st, x_st, per_tile, diagonal;
    bool upper;
} trilu;

typedef struct trilu_run {
    const trilu *k;
    char *y;
    const char *x;
} trilu_run;

static void clear_part(const trilu *k, char *y, int64_t lo, int64_t hi)
{
    if (k->y_st == 1 && hi > lo)
        memset(y + lo * k->size, 0, (size_t)((hi - lo) * k->size));
    else
        for (int64_t i = lo; i < hi; i++)
            memset(y + i * k->y_st * k->size, 0, (size_t)k->size);
}

static void trilu_tile(void *ctx, int64_t tile, int worker)
{
    const trilu_run *r = ctx;
    const trilu *k = r->k;
    (void)worker;
    for (int64_t row = tile * k->per_tile; row < tile_end(tile, k->per_tile, k->rows.count); row++) {
        int64_t off[3], lo = 0, hi = k->n;
        lm_rows_at(&k->rows, row, off);
        /* the diagonal may be any number; a sum that wraps lies outside of the row on the side of its sign */
        int64_t edge;
        if (__builtin_add_overflow(off[2], k->diagonal, &edge))
            edge = k->diagonal > 0 ? INT64_MAX - 1 : -2;
        if (k->upper)
            lo = edge < 0 ? 0 : edge < k->n ? edge : k->n;
        else
            hi = edge < 0 ? 0 : edge < k->n ? edge + 1 : k->n;
        char *y = r->y + off[0] * k->size;
        const char *x = r->x + off[1] * k->size;
        if (k->y_st == 1 && k->x_st == 1 && hi > lo)
            memmove(y + lo * k->size, x + lo * k->size, (size_t)((hi - lo) * k->size));
        else
            for (int64_t i = lo; i < hi; i++)
                memmove(y + i * k->y_st * k->size, x + i * k->x_st * k->size, (size_t)k->size);
        clear_part(k, y, 0, lo);
        clear_part(k, y, hi, k->n);
    }
}

static lm_status run_trilu(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const trilu *k = (const trilu *)kernel;
    (void)workspace;
    trilu_run r = {k, p[1], p[0]};
    lm_pool_run(cpu->pool, lm_tiles(k->rows.count, k->per_tile), trilu_tile, &r);
    return LM_OK;
}

lm_status lm_cpu_bind_trilu(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    int last = x->sh.rank - 1;
    trilu *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run_trilu, "trilu", &k));
    for (int i = 0; i < last; i++)
        lm_rows_add(&k->rows, x->sh.dim[i], y->st[i], x->st[i], i == last - 1);
    k->size = (int64_t)lm_dtype_size(x->dt);
    k->n = x->sh.dim[last];
    k->y_st = y->st[last];
    k->x_st = x->st[last];
    k->per_tile = per_tile(k->n);
    k->diagonal = call->a->trilu.k;
    k->upper = call->a->trilu.upper;
    k->k.base.bytes = 2.0 * (double)lm_shape_count(&y->sh) * (double)k->size;
    *out = &k->k.base;
    return LM_OK;
}

/* One-hot: a line along the new axis per index. An index outside of the axis leaves its line off. */
typedef struct onehot {
    lm_cpu_kernel k;
    lm_view indices;
    lm_rows rows; /* st: of y */
    int64_t size, depth, y_st, value_st, per_tile;
} onehot;

typedef struct onehot_run {
    const onehot *k;
    const char *indices, *values;
    char *y;
} onehot_run;

static void onehot_tile(void *ctx, int64_t tile, int worker)
{
    const onehot_run *r = ctx;
    const onehot *k = r->k;
    (void)worker;
    for (int64_t line = tile * k->per_tile; line < tile_end(tile, k->per_tile, k->rows.count); line++) {
        int64_t off[3], hot = lm_load_i64(k->indices.dt, r->indices + lm_view_offset(&k->indices, line));
        lm_rows_at(&k->rows, line, off);
        char *y = r->y + off[0] * k->size;
        for (int64_t i = 0; i < k->depth; i++)
            memcpy(y + i * k->y_st * k->size, r->values, (size_t)k->size);
        if (hot < 0)
            hot += k->depth;
        if (hot >= 0 && hot < k->depth)
            memcpy(y + hot * k->y_st * k->size, r->values + k->value_st * k->size, (size_t)k->size);
    }
}

static lm_status run_onehot(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const onehot *k = (const onehot *)kernel;
    (void)workspace;
    onehot_run r = {k, p[0], p[1], p[2]};
    lm_pool_run(cpu->pool, lm_tiles(k->rows.count, k->per_tile), onehot_tile, &r);
    return LM_OK;
}

lm_status lm_cpu_bind_onehot(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *y = &call->y[0];
    int axis = call->a->onehot.axis;
    onehot *k;
    LM_REQUIRE(call->x[0].dt != LM_U64, LM_UNSUPPORTED, "%s: indices of type uint64 have no kernel",
               lm_ops[call->op].name);
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run_onehot, "onehot", &k));
    k->indices = call->x[0];
    k->rows.count = 1;
    for (int i = 0; i < y->sh.rank; i++)
        if (i != axis)
            lm_rows_add(&k->rows, y->sh.dim[i], y->st[i], 0, 0);
    k->size = (int64_t)lm_dtype_size(y->dt);
    k->depth = y->sh.dim[axis];
    k->y_st = y->st[axis];
    k->value_st = call->x[1].st[0];
    k->per_tile = per_tile(k->depth);
    k->k.base.bytes = (double)lm_shape_count(&y->sh) * (double)k->size;
    *out = &k->k.base;
    return LM_OK;
}

/* NonZero: a count per tile, then every tile knows where its coordinates go. */
typedef struct nonzero {
    lm_cpu_kernel k;
    lm_view x;
    int64_t count, found, y_st[2];
    bool row;
} nonzero;

typedef struct nonzero_run {
    const nonzero *k;
    const char *x;
    int64_t *y, *first; /* first[tile]: how many a tile has, later where they start */
} nonzero_run;

static bool is_set(const nonzero *k, const char *x, int64_t i)
{
    size_t size = lm_dtype_size(k->x.dt);
    x += k->row ? i * (int64_t)size : lm_view_offset(&k->x, i);
    if (lm_dtype_is_float(k->x.dt))
        return lm_load_f64(k->x.dt, x) != 0;
    static const char zero[8];
    return memcmp(x, zero, size) != 0;
}

static void count_tile(void *ctx, int64_t tile, int worker)
{
    const nonzero_run *r = ctx;
    (void)worker;
    int64_t n = 0;
    for (int64_t i = tile * PER_TILE; i < tile_end(tile, PER_TILE, r->k->count); i++)
        n += is_set(r->k, r->x, i);
    r->first[tile] = n;
}

static void place_tile(void *ctx, int64_t tile, int worker)
{
    const nonzero_run *r = ctx;
    const nonzero *k = r->k;
    (void)worker;
    int64_t at = r->first[tile];
    for (int64_t i = tile * PER_TILE; i < tile_end(tile, PER_TILE, k->count); i++) {
        if (!is_set(k, r->x, i))
            continue;
        int64_t rest = i;
        for (int axis = k->x.sh.rank - 1; axis >= 0; axis--) {
            r->y[axis * k->y_st[0] + at * k->y_st[1]] = rest % k->x.sh.dim[axis];
            rest /= k->x.sh.dim[axis];
        }
        at++;
    }
}

static lm_status run_nonzero(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const nonzero *k = (const nonzero *)kernel;
    nonzero_run r = {k, p[0], p[1], workspace};
    int64_t tiles = lm_tiles(k->count, PER_TILE), sum = 0;
    lm_pool_run(cpu->pool, tiles, count_tile, &r);
    for (int64_t i = 0; i < tiles; i++) {
        int64_t n = r.first[i];
        r.first[i] = sum;
        sum += n;
    }
    LM_REQUIRE(sum == k->found, LM_INPUT, "NonZero: x has %lld elements that are not zero, the plan was made for %lld",
               (long long)sum, (long long)k->found);
    lm_pool_run(cpu->pool, tiles, place_tile, &r);
    return LM_OK;
}

lm_status lm_cpu_bind_nonzero(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    nonzero *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run_nonzero, "nonzero", &k));
    k->x = *x;
    k->row = lm_view_is_row(x);
    k->count = lm_shape_count(&x->sh);
    k->found = y->sh.dim[1];
    k->y_st[0] = y->st[0];
    k->y_st[1] = y->st[1];
    k->k.base.workspace = (size_t)lm_tiles(k->count, PER_TILE) * sizeof(int64_t);
    k->k.base.bytes = 2.0 * (double)k->count * (double)lm_dtype_size(x->dt) + 8.0 * (double)lm_shape_count(&y->sh);
    *out = &k->k.base;
    return LM_OK;
}

/* Range: start + i * delta; floats in double, rounded once, integers modulo their size. */
typedef struct range {
    lm_cpu_kernel k;
    lm_dtype type;
    int64_t n, y_st;
} range;

typedef struct range_run {
    const range *k;
    char *y;
    double start, delta;
    int64_t start_int, delta_int;
} range_run;

static void range_tile(void *ctx, int64_t tile, int worker)
{
    const range_run *r = ctx;
    const range *k = r->k;
    (void)worker;
    size_t size = lm_dtype_size(k->type);
    bool floats = lm_dtype_is_float(k->type);
    for (int64_t i = tile * PER_TILE; i < tile_end(tile, PER_TILE, k->n); i++) {
        char *y = r->y + i * k->y_st * (int64_t)size;
        if (floats)
            lm_store_f64(k->type, y, r->start + (double)i * r->delta);
        else
            lm_store_i64(k->type, y, (int64_t)((uint64_t)r->start_int + (uint64_t)i * (uint64_t)r->delta_int), false);
    }
}

static lm_status run_range(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const range *k = (const range *)kernel;
    (void)workspace;
    /* the plan's size came from the values; others that make another size are refused, as the reference does */
    lm_view value[3];
    lm_buffer buffer[3] = {{0}};
    const lm_view *values[3];
    lm_type type[3], y;
    for (int i = 0; i < 3; i++) {
        buffer[i].host = p[i];
        value[i] = lm_view_row(k->type, &(lm_shape){0}, &buffer[i]);
        values[i] = &value[i];
        type[i] = (lm_type){k->type, value[i].sh};
    }
    lm_shape_args args = {.op = LM_OP_RANGE, .nx = 3, .ny = 1, .x = type, .value = values};
    lm_attrs none = {0};
    args.a = &none;
    LM_TRY(lm_op_infer(&args, &y));
    LM_REQUIRE(y.sh.dim[0] == k->n, LM_INPUT, "Range: the values make %lld elements, the plan was made for %lld",
               (long long)y.sh.dim[0], (long long)k->n);
    range_run r = {.k = k, .y = p[3]};
    if (lm_dtype_is_float(k->type)) {
        r.start = lm_load_f64(k->type, p[0]);
        r.delta = lm_load_f64(k->type, p[2]);
    } else {
        r.start_int = lm_load_i64(k->type, p[0]);
        r.delta_int = lm_load_i64(k->type, p[2]);
    }
    lm_pool_run(cpu->pool, lm_tiles(k->n, PER_TILE), range_tile, &r);
    return LM_OK;
}

lm_status lm_cpu_bind_range(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    range *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run_range, "range", &k));
    k->type = call->y[0].dt;
    k->n = call->y[0].sh.dim[0];
    k->y_st = call->y[0].st[0];
    k->k.base.bytes = (double)k->n * (double)lm_dtype_size(k->type);
    *out = &k->k.base;
    return LM_OK;
}
