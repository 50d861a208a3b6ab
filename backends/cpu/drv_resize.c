/* Drivers of resize and its gradient. An element of the result is a nest of chains: along the last resized axis, over
 * that along the one before, and so on; each chain adds with fused multiply-adds from +0 on in ascending order of the
 * input. The gradient is the same with transposed tables. Nearest copies instead, whatever the type. */
#include "backends/cpu/bind.h"
#include "backends/cpu/index.h"
#include "backends/cpu/simd/resize_table.h"
#include "core/base/mem.h"

#include <string.h>

/* A row of the last resized axis is worked on in parts of about PART floats; rows are remembered in SLOTS places. */
enum { PART = 4096, SLOTS = 4, LANES = 512, PER_TILE = 32768 };

extern const lm_resize_fns lm_resize_fns_scalar, lm_resize_fns_neon, lm_resize_fns_avx2, lm_resize_fns_avx512;

static const lm_resize_fns *fns_of(lm_cpu_level level)
{
    static const lm_resize_fns *const table[LM_CPU_LEVELS] = {
        [LM_CPU_SCALAR] = &lm_resize_fns_scalar,
#ifdef LM_HAVE_NEON
        [LM_CPU_NEON] = &lm_resize_fns_neon,
#endif
#ifdef LM_HAVE_AVX2
        [LM_CPU_AVX2] = &lm_resize_fns_avx2,
#endif
#ifdef LM_HAVE_AVX512
        [LM_CPU_AVX512] = &lm_resize_fns_avx512,
#endif
    };
    return table[level] ? table[level] : table[LM_CPU_SCALAR];
}

typedef struct resize {
    lm_cpu_kernel k;
    const lm_resize_fns *fns;
    int64_t size; /* bytes of an element */
    unsigned char outside[8];
    lm_rows outer;   /* axes that stay as they are; st: of y, of x */
    int64_t lanes, lane_part; /* the contiguous one of them, and how much of it is done at a time */
    int n;           /* resized axes, in order */
    lm_taps taps[LM_RANK];
    int64_t x_st[LM_RANK], y_st[LM_RANK];
    int64_t upper;   /* positions on all resized axes but the last */
    int64_t part, parts, lane_parts, per_tile, groups; /* of the last axis; of the lanes; upper positions per tile */
} resize;

typedef struct resize_run {
    const resize *k;
    const char *x;
    char *y;
    float *scratch; /* (SLOTS + LM_RANK) * part * lane_part per worker */
} resize_run;

/* What one tile is busy with. */
typedef struct strip {
    const resize *k;
    int64_t at[LM_RANK];  /* position on the resized axes but the last */
    int64_t from, count, c; /* positions of the last axis, lanes */
    const float *known[SLOTS];
    float *slot[SLOTS], *level[LM_RANK];
} strip;

/* Positions from ... from + count - 1 of the row at x, from memory where it was made before. */
static const float *last_axis(strip *s, const float *x, int64_t which)
{
    const resize *k = s->k;
    int last = k->n - 1, slot = (int)(which % SLOTS);
    if (s->known[slot] != x) {
        const lm_taps *t = &k->taps[last];
        k->fns->row(s->slot[slot], x, k->x_st[last], t->first + s->from, t->tap, s->count, s->c);
        s->known[slot] = x;
    }
    return s->slot[slot];
}

static const float *weighted(strip *s, int axis, const float *x, int64_t which)
{
    const resize *k = s->k;
    if (axis == k->n - 1)
        return last_axis(s, x, which);
    const lm_taps *t = &k->taps[axis];
    float *sum = s->level[axis];
    int64_t first = t->first[s->at[axis]], end = t->first[s->at[axis] + 1];
    for (int64_t j = first; j < end; j++) {
        const float *v = weighted(s, axis + 1, x + t->tap[j].at * k->x_st[axis], t->tap[j].at);
        k->fns->add(sum, v, t->tap[j].weight, j == first, s->count * s->c);
    }
    if (first == end)
        memset(sum, 0, (size_t)(s->count * s->c) * sizeof *sum);
    return sum;
}

static void store_row(const resize *k, char *y, const float *row, const strip *s)
{
    int64_t st = k->y_st[k->n - 1];
    if (s->c == 1)
        for (int64_t i = 0; i < s->count; i++)
            ((float *)y)[i * st] = row[i];
    else
        for (int64_t i = 0; i < s->count; i++)
            memcpy(y + i * st * k->size, row + i * s->c, (size_t)s->c * sizeof(float));
}

/* Put the extrapolation value where the last axis is outside, or everywhere. */
static void store_outside(const resize *k, char *y, const strip *s, bool all)
{
    const lm_taps *t = &k->taps[k->n - 1];
    for (int64_t i = 0; i < s->count; i++)
        if (all || t->first[s->from + i] == t->first[s->from + i + 1])
            for (int64_t l = 0; l < s->c; l++)
                memcpy(y + (i * k->y_st[k->n - 1] + l) * k->size, k->outside, (size_t)k->size);
}

static void nearest_row(const resize *k, char *y, const char *x, const strip *s)
{
    const lm_taps *t = &k->taps[k->n - 1];
    int64_t y_st = k->y_st[k->n - 1] * k->size, x_st = k->x_st[k->n - 1] * k->size;
    size_t run = (size_t)(s->c * k->size);
    for (int64_t i = 0; i < s->count; i++) {
        int64_t tap = t->first[s->from + i];
        if (tap == t->first[s->from + i + 1])
            continue;
        const char *from = x + t->tap[tap].at * x_st;
        if (run == sizeof(float))
            memcpy(y + i * y_st, from, sizeof(float));
        else
            memcpy(y + i * y_st, from, run);
    }
}

static void resize_tile(const resize_run *r, int64_t tile, int worker, bool nearest)
{
    const resize *k = r->k;
    strip s = {.k = k};
    int64_t rest = tile, off[3];
    int64_t group = rest % k->groups, part = (rest /= k->groups) % k->parts,
            lane_part = (rest /= k->parts) % k->lane_parts;
    lm_rows_at(&k->outer, rest / k->lane_parts, off);
    int64_t lane = lane_part * k->lane_part, last = k->n - 1;
    s.from = part * k->part;
    s.count = k->taps[last].n - s.from < k->part ? k->taps[last].n - s.from : k->part;
    s.c = k->lanes - lane < k->lane_part ? k->lanes - lane : k->lane_part;
    if (!nearest) {
        int64_t floats = k->part * k->lane_part;
        float *scratch = r->scratch + (int64_t)worker * (SLOTS + LM_RANK) * floats;
        for (int i = 0; i < SLOTS; i++)
            s.slot[i] = scratch + i * floats;
        for (int i = 0; i < LM_RANK; i++)
            s.level[i] = scratch + (SLOTS + i) * floats;
    }
    int64_t end = (group + 1) * k->per_tile < k->upper ? (group + 1) * k->per_tile : k->upper;
    for (int64_t u = group * k->per_tile; u < end; u++) {
        int64_t y_off = off[0] + lane + s.from * k->y_st[last], x_off = off[1] + lane;
        bool none = false;
        rest = u;
        for (int64_t i = last - 1; i >= 0; i--) {
            const lm_taps *t = &k->taps[i];
            s.at[i] = rest % t->n;
            rest /= t->n;
            y_off += s.at[i] * k->y_st[i];
            none = none || t->first[s.at[i]] == t->first[s.at[i] + 1];
            if (nearest && !none)
                x_off += t->tap[t->first[s.at[i]]].at * k->x_st[i];
        }
        char *y = r->y + y_off * k->size;
        const char *x = r->x + x_off * k->size;
        if (nearest && !none)
            nearest_row(k, y, x, &s);
        else if (!none)
            store_row(k, y, weighted(&s, 0, (const float *)x, 0), &s);
        store_outside(k, y, &s, none);
    }
}

static void weighted_tile(void *ctx, int64_t tile, int worker)
{
    resize_tile(ctx, tile, worker, false);
}

static void nearest_tile(void *ctx, int64_t tile, int worker)
{
    resize_tile(ctx, tile, worker, true);
}

static lm_status run_tiles(lm_cpu *cpu, const resize *k, void *const *p, void *workspace, lm_tile_fn fn)
{
    resize_run r = {k, p[0], p[1], workspace};
    lm_pool_run(cpu->pool, k->outer.count * k->lane_parts * k->parts * k->groups, fn, &r);
    return LM_OK;
}

static lm_status run_weighted(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    return run_tiles(cpu, (const resize *)kernel, p, workspace, weighted_tile);
}

static lm_status run_nearest(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    return run_tiles(cpu, (const resize *)kernel, p, workspace, nearest_tile);
}

static void resize_free(lm_kernel *kernel)
{
    resize *k = (resize *)kernel;
    for (int i = 0; i < k->n; i++)
        lm_taps_free(&k->taps[i]);
    lm_free(k);
}

/* Sort the axes: contiguous lanes, others that stay, resized ones. One axis is always treated as resized. */
static lm_status sort_axes(resize *k, const lm_call *call, bool back)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    const lm_attr_resize *a = &call->a->resize;
    int lanes = -1, rank = x->sh.rank, resized = 0;
    bool trivial[LM_RANK];
    for (int i = 0; i < rank; i++) {
        int64_t in = (back ? y : x)->sh.dim[i], out = (back ? x : y)->sh.dim[i];
        trivial[i] = lm_taps_trivial(a, i, in, out);
        resized += !trivial[i];
        if (trivial[i] && in > 1 && x->st[i] == 1 && y->st[i] == 1)
            lanes = i;
    }
    if (resized == 0 && rank > 0) {
        int i = lanes == rank - 1 && rank > 1 ? rank - 2 : rank - 1;
        trivial[i] = false;
        lanes = lanes == i ? -1 : lanes;
    }
    k->lanes = 1;
    k->outer.count = 1;
    for (int i = 0; i < rank; i++) {
        int64_t in = (back ? y : x)->sh.dim[i], out = (back ? x : y)->sh.dim[i];
        if (i == lanes) {
            k->lanes = in;
        } else if (trivial[i]) {
            lm_rows_add(&k->outer, in, y->st[i], x->st[i], 0);
        } else {
            k->x_st[k->n] = x->st[i];
            k->y_st[k->n] = y->st[i];
            LM_TRY(lm_taps_make(a, i, in, out, back, &k->taps[k->n++]));
        }
    }
    if (rank == 0) {
        lm_attr_resize same = {.scale = {1}};
        LM_TRY(lm_taps_make(&same, 0, 1, 1, false, &k->taps[k->n++]));
    }
    return LM_OK;
}

static lm_status cut_tiles(resize *k, const lm_call *call, lm_cpu *cpu, bool nearest)
{
    int64_t row = k->taps[k->n - 1].n, count = lm_shape_count(&call->y[0].sh);
    k->lane_part = k->lanes < LANES ? k->lanes : LANES;
    k->lane_part = k->lane_part > 0 ? k->lane_part : 1;
    k->lane_parts = lm_tiles(k->lanes, k->lane_part);
    k->part = PART / k->lane_part < row ? PART / k->lane_part : row;
    k->part = k->part > 0 ? k->part : 1;
    k->parts = lm_tiles(row, k->part);
    k->upper = 1;
    for (int i = 0; i < k->n - 1; i++)
        k->upper *= k->taps[i].n;
    k->per_tile = PER_TILE / (k->part * k->lane_part) > 1 ? PER_TILE / (k->part * k->lane_part) : 1;
    k->groups = lm_tiles(k->upper, k->per_tile);
    if (count == 0)
        k->outer.count = 0;
    size_t floats = (size_t)(k->part * k->lane_part) * (SLOTS + LM_RANK);
    if (!nearest)
        LM_REQUIRE(lm_mul_size(floats * sizeof(float), (size_t)lm_pool_threads(cpu->pool), &k->k.base.workspace),
                   LM_MEMORY, "%s: too many threads", lm_ops[call->op].name);
    k->k.base.bytes = (double)(lm_shape_count(&call->x[0].sh) + count) * (double)k->size;
    return LM_OK;
}

static lm_status bind_resize(lm_cpu *cpu, const lm_call *call, bool back, const char *what, lm_kernel **out)
{
    const lm_attr_resize *a = &call->a->resize;
    lm_dtype type = call->x[0].dt;
    bool nearest = a->mode == LM_RESIZE_NEAREST && !back;
    LM_REQUIRE(type == LM_F32 || nearest, LM_UNSUPPORTED, "%s: no kernel for %s", lm_ops[call->op].name,
               lm_dtype_name(type));
    resize *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, nearest ? run_nearest : run_weighted, what, &k));
    k->k.base.free = resize_free;
    k->fns = fns_of(cpu->level);
    k->size = (int64_t)lm_dtype_size(type);
    if (!back)
        lm_store_f64(type, k->outside, (double)a->extrapolation);
    lm_status status = sort_axes(k, call, back);
    if (status == LM_OK)
        status = cut_tiles(k, call, cpu, nearest);
    if (status != LM_OK) {
        resize_free(&k->k.base);
        return status;
    }
    *out = &k->k.base;
    return LM_OK;
}

lm_status lm_cpu_bind_resize(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    return bind_resize(cpu, call, false, "resize", out);
}

lm_status lm_cpu_bind_resize_dx(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    return bind_resize(cpu, call, true, "resize_dx", out);
}
