/* The way back through all steps of a recurrent op as one kernel, with the bits of its expansion. As on the way
 * forwards the workers walk through time together, each with its own hidden units, whose weights stay in its caches. */
#include "backends/cpu/bind.h"
#include "backends/cpu/block.h"
#include "backends/cpu/elementwise.h"
#include "backends/cpu/recurrent.h"
#include "core/base/mem.h"

#include <string.h>

/* Operands and results in the op's order. */
enum { R, SLOPES, FROM_Y, FROM_H, FROM_C, OPERANDS };
enum { GATES, AT_H, AT_C, AT_CELLS, RESULTS };

typedef struct places {
    int64_t gates, h, cell, bias, pack;
} places;

typedef struct recurrent_dx {
    lm_cpu_kernel k;
    lm_pack pack; /* of r, directions as its parts */
    const lm_tile_set *set;
    const lm_stream *stream;
    bool constant; /* r arrives packed */
    int nx, ny, tiles;
    int64_t ways, steps, batch, hidden, blocks, count; /* count: of gates */
    int64_t samples; /* that have slopes of their own */
    int64_t gates_pitch, h_pitch; /* from one sample's signals to the next one's */
    bool reverse;
    places at;
} recurrent_dx;

typedef struct launch {
    const recurrent_dx *k;
    const float *r, *bias, *slopes, *from_y;
    float *gates[2], *h, *cell, *out, *at;
} launch;

/* Signals at the gates of the step before times blocks b0 ... b1 - 1 of the weights: signals at the state between. */
static void multiply(const launch *l, const float *gates, int64_t way, int64_t b0, int64_t b1)
{
    const recurrent_dx *k = l->k;
    const lm_tile_set *set = k->set;
    const int64_t panel = lm_pack_panel(&k->pack), rows = lm_even_piece(k->batch, set->mr);
    const lm_span span = {.len = k->count * k->hidden};
    const float *a[LM_TILE_MR];
    float *c[LM_TILE_MR];
    lm_tile tile = {.span = &span, .nspan = 1, .a = a, .b_panel = panel, .b_step = set->nr, .c = c, .bias = l->bias,
                    .between = LM_CHAIN - 1, .last = true};
    int np = LM_TILE_NP;
    for (int64_t b = b0; b < b1; b += np) {
        while (np > b1 - b || !set->row[rows][np])
            np--;
        tile.col = b * set->nr;
        tile.b = l->r + (way * k->blocks + b) * panel;
        for (int64_t n = 0; n < k->batch; n += rows) {
            const int64_t here = n + rows < k->batch ? rows : k->batch - n;
            for (int64_t i = 0; i < here; i++) {
                a[i] = gates + (way * k->batch + n + i) * k->gates_pitch;
                c[i] = l->h + (way * k->batch + n + i) * k->h_pitch;
            }
            tile.x_ahead = tile.y_ahead = (uintptr_t)a[0];
            set->row[here][np](&tile);
        }
    }
}

/* Step i of the walk for `count` hidden units from `unit` on. */
static void cells(const launch *l, int64_t i, int64_t way, int64_t unit, int64_t count)
{
    const recurrent_dx *k = l->k;
    const bool backwards = k->reverse || way == 1;
    const int64_t t = backwards ? i : k->steps - 1 - i;
    lm_cell_dx c = {.n = (size_t)count, .apart = (size_t)k->hidden, .count = (size_t)k->count};
    for (int64_t n = 0; n < k->batch; n++) {
        const int64_t row = way * k->batch + n, at = t * k->ways * k->batch + row;
        const int64_t own = (t * k->ways + way) * k->samples + n % k->samples;
        c.slopes = l->slopes + own * (2 + k->count) * k->hidden + unit;
        c.from_y = l->from_y ? l->from_y + at * k->hidden + unit : NULL;
        c.h = l->h + row * k->h_pitch + unit;
        c.memory = l->cell + row * k->hidden + unit;
        c.gates = l->gates[i % 2] + row * k->gates_pitch + unit;
        c.out = l->out ? l->out + at * k->count * k->hidden + unit : NULL;
        c.at = l->at ? l->at + at * k->hidden + unit : NULL;
        k->stream->recurrent_cell_dx(&c);
    }
}

static void round_tile(void *ctx, int64_t index, int worker)
{
    const launch *l = ctx;
    const recurrent_dx *k = l->k;
    const int64_t i = index / k->tiles, tile = index % k->tiles, units = k->ways * k->blocks, nr = k->set->nr;
    const int64_t end = (tile + 1) * units / k->tiles;
    (void)worker;
    for (int64_t u = tile * units / k->tiles, next; u < end; u = next) {
        const int64_t way = u / k->blocks, last = (way + 1) * k->blocks;
        next = end < last ? end : last;
        const int64_t b0 = u - way * k->blocks, b1 = next - way * k->blocks, unit = b0 * nr;
        if (i > 0)
            multiply(l, l->gates[(i - 1) % 2], way, b0, b1);
        if (i < k->steps)
            cells(l, i, way, unit, (b1 * nr < k->hidden ? b1 * nr : k->hidden) - unit);
    }
}

static lm_status run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const recurrent_dx *k = (const recurrent_dx *)kernel;
    const int64_t samples = k->ways * k->batch;
    const void *x[OPERANDS] = {NULL};
    void *y[RESULTS] = {NULL};
    for (int i = 0; i < k->nx; i++)
        x[i] = p[i];
    for (int i = 0; i < k->ny; i++)
        y[i] = p[k->nx + i];
    float *bias = lm_walk_space(workspace, k->at.bias), *pack = lm_walk_space(workspace, k->at.pack);
    launch l = {.k = k, .r = x[R], .bias = bias, .slopes = x[SLOPES], .from_y = x[FROM_Y],
                .out = y[GATES], .at = y[AT_CELLS]};
    l.gates[0] = lm_walk_space(workspace, k->at.gates), l.gates[1] = l.gates[0] + samples * k->gates_pitch;
    l.h = lm_walk_space(workspace, k->at.h), l.cell = lm_walk_space(workspace, k->at.cell);
    memset(bias, 0, (size_t)(LM_TILE_NP * k->set->nr) * sizeof *bias);
    if (!k->constant) {
        lm_pack_run(cpu, &k->pack, x[R], pack);
        l.r = pack;
    }
    lm_walk_rows(l.h, k->h_pitch, x[FROM_H], k->hidden, samples, k->hidden);
    lm_walk_rows(l.cell, k->hidden, x[FROM_C], k->hidden, samples, k->hidden);
    lm_pool_rounds(cpu->pool, k->steps + 1, k->tiles, round_tile, &l);
    if (y[AT_H])
        lm_walk_rows(y[AT_H], k->hidden, l.h, k->h_pitch, samples, k->hidden);
    if (y[AT_C])
        lm_walk_rows(y[AT_C], k->hidden, l.cell, k->hidden, samples, k->hidden);
    return LM_OK;
}

static lm_status check(const lm_call *call)
{
    bool ok = call->x[R].dt == LM_F32;
    for (int i = 1; i < call->nx; i++)
        ok = ok && lm_walk_dense(&call->x[i]);
    for (int i = 0; i < call->ny; i++)
        ok = ok && lm_walk_dense(&call->y[i]);
    LM_REQUIRE(ok, LM_UNSUPPORTED, "%s of %s in this layout has no kernel of its own on cpu", lm_ops[call->op].name,
               lm_dtype_name(call->x[R].dt));
    LM_REQUIRE(call->x[SLOPES].sh.dim[0] < INT32_MAX / 2, LM_UNSUPPORTED,
               "%s of too many steps has no kernel of its own on cpu", lm_ops[call->op].name);
    return LM_OK;
}

static void describe(lm_cpu *cpu, const lm_call *call, recurrent_dx *k)
{
    const lm_shape *r = &call->x[R].sh, *slopes = &call->x[SLOPES].sh;
    k->set = lm_tiles_of(cpu->level);
    k->stream = lm_cpu_stream(cpu->level);
    k->reverse = call->a->recurrent.way == LM_REVERSE;
    k->nx = call->nx, k->ny = call->ny;
    k->ways = r->dim[0], k->steps = slopes->dim[0], k->samples = k->batch = slopes->dim[2], k->hidden = r->dim[2];
    k->count = r->dim[1] / k->hidden;
    for (int i = FROM_Y; i < call->nx; i++)
        if (lm_view_present(&call->x[i]))
            k->batch = call->x[i].sh.dim[i == FROM_Y ? 2 : 1];
    k->blocks = lm_ceil_div(k->hidden, k->set->nr);
    k->gates_pitch = k->count * k->hidden;
    k->gates_pitch += lm_rows_alias(cpu->topo, k->set, k->batch, k->gates_pitch) ? LM_ROW_GAP : 0;
    k->h_pitch = k->blocks * k->set->nr;
    k->constant = call->constant >> R & 1;
    lm_pack_gemm(&call->x[R], false, k->set->nr, &k->pack);
}

static lm_status plan_space(recurrent_dx *k)
{
    const int64_t samples = k->ways * k->batch;
    size_t floats;
    LM_REQUIRE(lm_pack_size(&k->pack, &floats), LM_MEMORY, "packed weights would not fit in memory");
    LM_TRY(lm_walk_reserve(&k->k, samples * 2, k->gates_pitch, &k->at.gates));
    LM_TRY(lm_walk_reserve(&k->k, samples, k->h_pitch, &k->at.h));
    LM_TRY(lm_walk_reserve(&k->k, samples, k->hidden, &k->at.cell));
    LM_TRY(lm_walk_reserve(&k->k, LM_TILE_NP, k->set->nr, &k->at.bias));
    return k->constant ? LM_OK : lm_walk_reserve(&k->k, (int64_t)floats, 1, &k->at.pack);
}

lm_status lm_cpu_bind_recurrent_dx(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    char what[LM_EW_WHAT];
    recurrent_dx *k;
    LM_TRY(check(call));
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run, lm_ew_what(what, call->op, LM_F32), &k));
    describe(cpu, call, k);
    lm_status status = plan_space(k);
    if (status != LM_OK) {
        lm_free(k);
        return status;
    }
    if (k->constant) {
        lm_want *want = &k->k.base.want[k->k.base.nwant++];
        want->input = R, want->pack = LM_CPU_PACK_GEMM, want->p[0] = k->set->nr;
    } else {
        k->k.base.loose |= 1u << R; /* packing reads weights from wherever they lie */
    }
    const double weights = (double)(k->ways * k->count * k->hidden) * (double)k->hidden;
    const double rows = (double)k->steps * (double)k->batch;
    k->tiles = lm_walk_tiles(cpu, 4 * weights * (double)k->batch, k->ways * k->blocks);
    k->k.base.flops = 2 * rows * weights;
    k->k.base.bytes = 4 * (rows * (double)(k->ways * k->hidden * (2 * k->count + 3)) + weights);
    *out = &k->k.base;
    return LM_OK;
}
