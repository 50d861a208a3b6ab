/* Drivers of gather, GatherND and gather's gradient. Indices are turned into offsets in the workspace first; then whole
 * slices are moved by one prepared copy each. */
#include "backends/cpu/bind.h"
#include "backends/cpu/copy.h"
#include "backends/cpu/index.h"
#include "core/base/mem.h"

#include <string.h>

enum { TILE_BYTES = 128 << 10 };

/* Slices of one tensor, one for each address, and the tensor in which they lie side by side. */
typedef struct slices {
    lm_cpu_kernel k;
    lm_indices indices;
    int64_t size; /* bytes of an element */

    lm_copy copy; /* of one slice */
    lm_view side; /* the addresses' axes of the tensor that holds slices side by side */
    bool evenly;  /* ... they follow each other `apart` bytes */
    int64_t apart;
    int64_t per_tile; /* slices in a tile, where a slice is no more than one tile of `copy` */

    lm_rows rows;  /* elements of a slice, for gathering along contiguous memory; st: of y, of x */
    lm_copy clear; /* gradient: zeros for the whole result */
} slices;

typedef struct slices_run {
    const slices *k;
    const int64_t *offset;
    const char *from;
    char *to;
} slices_run;

static int64_t side_by_side(const slices *k, int64_t i)
{
    return k->evenly ? i * k->apart : lm_view_offset(&k->side, i);
}

static void gather_tile(void *ctx, int64_t tile, int worker)
{
    const slices_run *r = ctx;
    const slices *k = r->k;
    (void)worker;
    int64_t parts = k->copy.tiles, i = tile / parts, last = i + 1;
    if (parts == 1) {
        i = tile * k->per_tile;
        last = i + k->per_tile < k->indices.count ? i + k->per_tile : k->indices.count;
    }
    for (; i < last; i++)
        lm_copy_tile(&k->copy, r->to + side_by_side(k, i), r->from + r->offset[i] * k->size, tile % parts);
}

static lm_status run_gather(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const slices *k = (const slices *)kernel;
    LM_TRY(lm_indices_read(cpu, &k->indices, p[1], workspace));
    slices_run r = {k, workspace, p[0], p[2]};
    int64_t parts = k->copy.tiles, count = k->indices.count;
    lm_pool_run(cpu->pool, parts > 1 ? count * parts : lm_tiles(count * parts, k->per_tile), gather_tile, &r);
    return LM_OK;
}

static inline __attribute__((always_inline)) void pick(char *y, const char *x, const int64_t *offset, int64_t n,
                                                       size_t size)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(y + i * (int64_t)size, x + offset[i] * (int64_t)size, size);
}

static void pick_tile(void *ctx, int64_t tile, int worker)
{
    const slices_run *r = ctx;
    const slices *k = r->k;
    (void)worker;
    int64_t end = (tile + 1) * k->per_tile < k->rows.count ? (tile + 1) * k->per_tile : k->rows.count;
    for (int64_t row = tile * k->per_tile; row < end; row++) {
        int64_t off[3];
        lm_rows_at(&k->rows, row, off);
        char *y = r->to + off[0] * k->size;
        const char *x = r->from + off[1] * k->size;
        switch (k->size) {
        case 1: pick(y, x, r->offset, k->indices.count, 1); break;
        case 2: pick(y, x, r->offset, k->indices.count, 2); break;
        case 4: pick(y, x, r->offset, k->indices.count, 4); break;
        default: pick(y, x, r->offset, k->indices.count, 8); break;
        }
    }
}

/* Along an axis that is contiguous in memory a slice is scattered elements; looping over the addresses inside is
 * better. */
static lm_status run_pick(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const slices *k = (const slices *)kernel;
    LM_TRY(lm_indices_read(cpu, &k->indices, p[1], workspace));
    slices_run r = {k, workspace, p[0], p[2]};
    if (k->indices.count > 0)
        lm_pool_run(cpu->pool, lm_tiles(k->rows.count, k->per_tile), pick_tile, &r);
    return LM_OK;
}

/* How slices lie in v, which has the addresses' axes from `axis` to `axis + n - 1`. */
static void set_side(slices *k, const lm_view *v, int axis, int n)
{
    k->side.dt = v->dt;
    k->side.sh.rank = n;
    k->evenly = true;
    k->apart = 0;
    int64_t next = 0;
    for (int i = n - 1; i >= 0; i--) {
        int64_t dim = v->sh.dim[axis + i], st = v->st[axis + i] * k->size;
        k->side.sh.dim[i] = dim;
        k->side.st[i] = v->st[axis + i];
        if (dim == 1)
            continue;
        if (k->apart == 0)
            k->apart = next = st;
        k->evenly = k->evenly && st == next;
        next = st * dim;
    }
}

static int64_t per_tile(int64_t bytes)
{
    return bytes > 0 && bytes < TILE_BYTES ? TILE_BYTES / bytes : 1;
}

static lm_status slices_new(lm_cpu *cpu, const lm_call *call, lm_cpu_run run, const lm_indices *indices,
                            const char *what, slices **out)
{
    size_t workspace;
    LM_REQUIRE(lm_mul_size((size_t)indices->count, sizeof(int64_t), &workspace), LM_MEMORY, "%s: too many indices",
               lm_ops[call->op].name);
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof **out, run, what, out));
    (*out)->indices = *indices;
    (*out)->size = (int64_t)lm_dtype_size(call->x[0].dt);
    (*out)->k.base.workspace = workspace;
    (*out)->k.base.bytes =
        2.0 * (double)lm_shape_count(&call->y[0].sh) * (double)(*out)->size + 8.0 * (double)indices->count;
    return LM_OK;
}

lm_status lm_cpu_bind_gather(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    int axis = call->a->index.axis, deep = call->x[1].sh.rank, n = 0;
    slices *k;
    lm_indices indices;
    LM_TRY(lm_indices_make(call->op, &call->x[1], x, axis, 0, 0, &indices));
    LM_TRY(slices_new(cpu, call, run_gather, &indices, "gather", &k));
    set_side(k, y, axis, deep);
    lm_copy_axis axes[LM_RANK];
    int64_t slice = 1;
    k->rows.count = 1;
    for (int i = 0; i < x->sh.rank; i++) {
        if (i == axis)
            continue;
        axes[n] = (lm_copy_axis){x->sh.dim[i], y->st[i < axis ? i : i + deep - 1], x->st[i]};
        lm_rows_add(&k->rows, axes[n].n, axes[n].to, axes[n].from, 0);
        slice *= axes[n++].n;
    }
    lm_copy_plan(&k->copy, (size_t)k->size, n, axes);
    k->k.base.loose = 1; /* bytes are copied, from wherever they lie */
    if (k->evenly && k->apart == k->size && x->st[axis] == 1) {
        k->k.run = run_pick;
        k->per_tile = per_tile(indices.count * k->size);
    } else {
        k->per_tile = per_tile(slice * k->size);
    }
    *out = &k->k.base;
    return LM_OK;
}

lm_status lm_cpu_bind_gather_nd(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0], *index = &call->x[1];
    int batch = call->a->index.batch, tuples = index->sh.rank - 1, depth = (int)index->sh.dim[tuples], n = 0;
    slices *k;
    lm_indices indices;
    LM_TRY(lm_indices_make(call->op, index, x, batch, depth, batch, &indices));
    LM_TRY(slices_new(cpu, call, run_gather, &indices, "gather_nd", &k));
    set_side(k, y, 0, tuples);
    lm_copy_axis axes[LM_RANK];
    int64_t slice = 1;
    for (int i = batch + depth; i < x->sh.rank; i++) {
        axes[n] = (lm_copy_axis){x->sh.dim[i], y->st[tuples + n], x->st[i]};
        slice *= axes[n++].n;
    }
    lm_copy_plan(&k->copy, (size_t)k->size, n, axes);
    k->per_tile = per_tile(slice * k->size);
    k->k.base.loose = 1;
    *out = &k->k.base;
    return LM_OK;
}

/* to += from for float32; an element of the plane may be several floats. */
static void add_plane(char *to, const char *from, const lm_copy_plane *g)
{
    int64_t floats = g->size / (int64_t)sizeof(float), run = floats, nq = g->nq;
    if (g->to_q == g->size && g->from_q == g->size) {
        run *= nq;
        nq = 1;
    }
    for (int64_t p = 0; p < g->np; p++)
        for (int64_t q = 0; q < nq; q++) {
            float *t = (float *)(to + p * g->to_p + q * g->to_q);
            const float *f = (const float *)(from + p * g->from_p + q * g->from_q);
            for (int64_t i = 0; i < run; i++)
                t[i] += f[i];
        }
}

/* A tile owns one part of every slice, so that slices with equal indices add up in ascending order, from +0 on. */
static void gather_dx_tile(void *ctx, int64_t tile, int worker)
{
    const slices_run *r = ctx;
    const slices *k = r->k;
    (void)worker;
    for (int64_t i = 0; i < k->indices.count; i++)
        lm_copy_tile(&k->copy, r->to + r->offset[i] * k->size, r->from + side_by_side(k, i), tile);
}

static lm_status run_gather_dx(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const slices *k = (const slices *)kernel;
    static const float zero;
    LM_TRY(lm_indices_read(cpu, &k->indices, p[1], workspace));
    lm_copy_run(cpu->pool, &k->clear, p[2], &zero);
    slices_run r = {k, workspace, p[0], p[2]};
    lm_pool_run(cpu->pool, k->copy.tiles, gather_dx_tile, &r);
    return LM_OK;
}

lm_status lm_cpu_bind_gather_dx(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *s = &call->x[0], *y = &call->y[0];
    int axis = call->a->shape.axis, deep = call->x[1].sh.rank, n = 0;
    enum { LEAST_BYTES = 256, PARTS = 16 };
    slices *k;
    lm_indices indices;
    LM_REQUIRE(s->dt == LM_F32, LM_UNSUPPORTED, "%s: no kernel for %s", lm_ops[call->op].name, lm_dtype_name(s->dt));
    LM_TRY(lm_indices_make(call->op, &call->x[1], y, axis, 0, 0, &indices));
    LM_TRY(slices_new(cpu, call, run_gather_dx, &indices, "gather_dx", &k));
    set_side(k, s, axis, deep);
    lm_copy_axis axes[LM_RANK], all[LM_RANK];
    int64_t bytes = k->size;
    for (int i = 0; i < y->sh.rank; i++) {
        all[i] = (lm_copy_axis){y->sh.dim[i], y->st[i], 0};
        if (i == axis)
            continue;
        axes[n] = (lm_copy_axis){y->sh.dim[i], y->st[i], s->st[i < axis ? i : i + deep - 1]};
        bytes *= axes[n++].n;
    }
    lm_copy_plan(&k->clear, (size_t)k->size, y->sh.rank, all);
    lm_copy_plan(&k->copy, (size_t)k->size, n, axes);
    lm_copy_cut(&k->copy, bytes / PARTS > LEAST_BYTES ? bytes / PARTS : LEAST_BYTES);
    k->copy.fn = add_plane;
    *out = &k->k.base;
    return LM_OK;
}
