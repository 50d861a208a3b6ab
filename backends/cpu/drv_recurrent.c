/* LSTM, GRU and RNN as one kernel each, with the bits of their expansions. The inputs of all steps go through one product;
 * then the workers walk through time together, each with its own hidden units, whose weights stay in its caches. */
#include "backends/cpu/bind.h"
#include "backends/cpu/block.h"
#include "backends/cpu/elementwise.h"
#include "backends/cpu/recurrent.h"
#include "core/base/mem.h"

#include <math.h>
#include <string.h>

/* Operands in the op's order. */
enum { X, W, R, BIAS, LENGTHS, STATE, MEMORY, PEEPHOLES };

enum { WAYS = 2, PHASES = 2 };

/* A product with the state, and what follows it: all of a step, or one half of it. */
typedef struct phase {
    int64_t gates, panel, column; /* the first panel and column of a direction that belong to it */
    void (*cell)(const lm_cell *c);
} phase;

/* Places in the workspace, in bytes. */
typedef struct places {
    int64_t x, input, bias, late_bias, product, state, memory, update, kept, zero, pack[2];
} places;

typedef struct recurrent {
    lm_cpu_kernel k;
    lm_igemm g; /* inputs times weights, directions as its parts */
    lm_pass pass;
    lm_tap tap;
    lm_part part[WAYS];
    lm_gates gates[2];     /* of W and R */
    lm_view weights[2];    /* W and R: strides */
    bool constant[2];      /* they arrive packed */
    lm_dtype lengths;
    int nx, ny, phases, tiles;
    phase phase[PHASES];
    int64_t ways, steps, batch, hidden, blocks;
    int64_t columns;        /* of one direction's products, whole panels */
    int64_t pitch, x_pitch; /* from one sample's state or inputs to the next one's */
    bool reverse, late, memory, input_forget, relu;
    places at;
} recurrent;

typedef struct launch {
    const recurrent *k;
    const float *r, *input, *late_bias;
    float *product, *state[2], *memory, *update, *kept, *y, *saved;
    const void *lengths;
} launch;

/* Biases in the order of the products' columns. Both of a gate are added to the inputs, but for a GRU that resets after
 * the product: there the second one goes with the state. + 0 turns -0 into +0. */
static void spread_bias(const recurrent *k, const float *from, float *early, float *late)
{
    const int64_t nr = k->gates[1].nr, all = k->gates[1].gates * k->hidden;
    memset(early, 0, (size_t)(k->ways * k->columns) * sizeof *early);
    memset(late, 0, (size_t)(k->ways * k->columns) * sizeof *late);
    for (int64_t way = 0; from && way < k->ways; way++, from += 2 * all, early += k->columns, late += k->columns)
        for (int f = 0, gate = 0; f < k->phases; gate += (int)k->phase[f++].gates)
            for (int64_t i = 0; i < k->phase[f].gates * k->hidden; i++) {
                const int64_t unit = i % k->hidden, which = i / k->hidden, source = gate * k->hidden + i;
                const int64_t to = k->phase[f].column + (unit / nr * k->phase[f].gates + which) * nr + unit % nr;
                early[to] = (k->late ? from[source] : from[source] + from[all + source]) + 0.0f;
                late[to] = k->late ? from[all + source] + 0.0f : 0.0f;
            }
}

/* The state (after phase 0: what of it the reset gate kept) times blocks b0 ... b1 - 1 of a phase's weights. */
static void multiply(const launch *l, const phase *f, const float *state, int64_t way, int64_t b0, int64_t b1)
{
    const recurrent *k = l->k;
    const lm_tile_set *set = k->g.set;
    const int64_t nr = set->nr, panel = nr * k->hidden, rows = lm_even_piece(k->batch, set->mr);
    const lm_span span = {.len = k->hidden};
    const float *a[LM_TILE_MR];
    float *c[LM_TILE_MR];
    lm_tile tile = {.span = &span, .nspan = 1, .a = a, .b_panel = panel, .b_step = nr, .c = c, .between = LM_CHAIN - 1,
                    .last = true};
    int np = LM_TILE_NP;
    for (int64_t p = b0 * f->gates, p1 = b1 * f->gates; p < p1; p += np) {
        while (np > p1 - p || !set->row[rows][np])
            np--;
        tile.col = f->column + p * nr;
        tile.b = l->r + way * k->columns * k->hidden + (f->panel + p) * panel;
        tile.bias = l->late_bias + way * k->columns + tile.col;
        for (int64_t n = 0; n < k->batch; n += rows) {
            const int64_t here = n + rows < k->batch ? rows : k->batch - n;
            for (int64_t i = 0; i < here; i++) {
                a[i] = state + (way * k->batch + n + i) * k->pitch;
                c[i] = l->product + (way * k->batch + n + i) * k->columns;
            }
            tile.x_ahead = tile.y_ahead = (uintptr_t)a[0];
            set->row[here][np](&tile);
        }
    }
}

static bool alive(const launch *l, int64_t sample, int64_t step)
{
    if (!l->lengths)
        return true;
    return step < (l->k->lengths == LM_I64 ? ((const int64_t *)l->lengths)[sample]
                                           : ((const int32_t *)l->lengths)[sample]);
}

/* Blocks b0 ... b1 - 1 of one direction in one phase of step i of the walk. A sample that has ended keeps its state. */
static void advance(const launch *l, int64_t i, int half, int64_t way, int64_t b0, int64_t b1)
{
    const recurrent *k = l->k;
    const phase *f = &k->phase[half];
    const int64_t nr = k->g.set->nr, unit = b0 * nr, end = b1 * nr < k->hidden ? b1 * nr : k->hidden;
    const int64_t t = k->reverse || way == 1 ? k->steps - 1 - i : i, column = f->column + unit * f->gates;
    multiply(l, f, half ? l->kept : l->state[i % 2], way, b0, b1);
    for (int64_t n = 0; n < k->batch; n++) {
        const int64_t row = way * k->batch + n, at = row * k->pitch + unit;
        lm_cell c = {.n = (size_t)(end - unit), .width = (size_t)nr, .input_forget = k->input_forget, .relu = k->relu,
                     .apart = (size_t)k->hidden};
        c.x = l->input + ((t * k->batch + n) * k->ways + way) * k->columns + column;
        c.p = l->product + row * k->columns + column;
        c.last = l->state[i % 2] + at;
        c.next = l->state[(i + 1) % 2] + at;
        c.y = l->y ? l->y + (t * k->ways * k->batch + row) * k->hidden + unit : NULL;
        c.saved = l->saved ? l->saved + (t * k->ways * k->batch + row) * 5 * k->hidden + unit : NULL;
        c.memory = l->memory + at, c.update = l->update + at, c.kept = l->kept + at;
        if (half + 1 < k->phases || alive(l, n, t)) {
            f->cell(&c);
            continue;
        }
        memcpy(c.next, c.last, c.n * sizeof(float));
        if (c.y)
            memset(c.y, 0, c.n * sizeof(float));
    }
}

static void round_tile(void *ctx, int64_t index, int worker)
{
    const launch *l = ctx;
    const recurrent *k = l->k;
    const int64_t round = index / k->tiles, tile = index % k->tiles, units = k->ways * k->blocks;
    const int64_t end = (tile + 1) * units / k->tiles;
    (void)worker;
    for (int64_t u = tile * units / k->tiles, next; u < end; u = next) {
        const int64_t way = u / k->blocks, last = (way + 1) * k->blocks;
        next = end < last ? end : last;
        advance(l, round / k->phases, (int)(round % k->phases), way, u - way * k->blocks, next - way * k->blocks);
    }
}

/* The weights in packed form; `which` 0: W, 1: R. */
static const float *packed(lm_cpu *cpu, const recurrent *k, int which, const float *from, void *workspace)
{
    if (k->constant[which])
        return from;
    float *to = lm_walk_space(workspace, k->at.pack[which]);
    lm_gates_pack(cpu, &k->gates[which], &k->weights[which], from, to);
    return to;
}

static lm_status run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const recurrent *k = (const recurrent *)kernel;
    const int64_t samples = k->ways * k->batch;
    const void *x[PEEPHOLES] = {NULL};
    void *y[LM_OUT_MAX] = {NULL};
    for (int i = 0; i < k->nx && i < PEEPHOLES; i++)
        x[i] = p[i];
    for (int i = 0; i < k->ny; i++)
        y[i] = p[k->nx + i];
    float *bias = lm_walk_space(workspace, k->at.bias), *late_bias = lm_walk_space(workspace, k->at.late_bias);
    float *zero = lm_walk_space(workspace, k->at.zero), *input = lm_walk_space(workspace, k->at.input);
    launch l = {.k = k, .input = input, .late_bias = late_bias, .y = y[0], .saved = y[3],
                .lengths = x[LENGTHS]};
    l.product = lm_walk_space(workspace, k->at.product);
    l.state[0] = lm_walk_space(workspace, k->at.state), l.state[1] = l.state[0] + samples * k->pitch;
    l.memory = lm_walk_space(workspace, k->at.memory);
    l.update = lm_walk_space(workspace, k->at.update), l.kept = lm_walk_space(workspace, k->at.kept);
    spread_bias(k, x[BIAS], bias, late_bias);
    memset(zero, 0, (size_t)k->g.channels * sizeof *zero);
    lm_igemm_args a = {.x = x[X], .bias = bias, .zero = zero, .y = input};
    a.b = packed(cpu, k, 0, x[W], workspace);
    l.r = packed(cpu, k, 1, x[R], workspace);
    if (k->x_pitch != k->g.channels) {
        float *rows = lm_walk_space(workspace, k->at.x);
        lm_walk_rows(rows, k->x_pitch, a.x, k->g.channels, k->steps * k->batch, k->g.channels);
        a.x = rows;
    }
    lm_igemm_run(cpu, &k->g, &a);
    lm_walk_rows(l.state[0], k->pitch, x[STATE], k->hidden, samples, k->hidden);
    if (k->memory)
        lm_walk_rows(l.memory, k->pitch, x[MEMORY], k->hidden, samples, k->hidden);
    lm_pool_rounds(cpu->pool, k->steps * k->phases, k->tiles, round_tile, &l);
    if (y[1])
        lm_walk_rows(y[1], k->hidden, l.state[k->steps % 2], k->pitch, samples, k->hidden);
    if (y[2])
        lm_walk_rows(y[2], k->hidden, l.memory, k->pitch, samples, k->hidden);
    return LM_OK;
}

/* Functions that a cell has: sigmoid for gates, then tanh; RNN has either tanh or relu. */
static bool usual_functions(const lm_call *call)
{
    const lm_attr_recurrent *a = &call->a->recurrent;
    const int functions = call->op == LM_OP_LSTM ? 3 : call->op == LM_OP_GRU ? 2 : 1;
    for (int i = 0; i < 6; i++) {
        if (i % 3 >= functions || (i >= 3 && a->way != LM_BOTH))
            continue;
        const lm_opid op = (lm_opid)a->act[i];
        const bool tanh = op == LM_OP_TANH && a->alpha[i] == 1 && a->beta[i] == 1;
        const bool relu = op == LM_OP_RELU && a->act[i] == a->act[0];
        if (functions == 1 ? !(relu || (tanh && a->act[0] == LM_OP_TANH)) : i % 3 ? !tanh : op != LM_OP_SIGMOID)
            return false;
    }
    return a->clip == 0;
}

static lm_status check(const lm_call *call)
{
    const lm_attr_recurrent *a = &call->a->recurrent;
    const char *name = lm_ops[call->op].name;
    LM_REQUIRE(usual_functions(call) && (call->nx <= PEEPHOLES || !lm_view_present(&call->x[PEEPHOLES])), LM_UNSUPPORTED,
               "%s with clip, peepholes or functions of its own runs step by step on cpu", name);
    bool ok = a->way >= LM_FORWARD && a->way <= LM_BOTH;
    ok = ok && (call->ny <= 3 || call->nx <= LENGTHS || !lm_view_present(&call->x[LENGTHS]));
    for (int i = 0; i < call->nx; i++)
        ok = ok && (i == LENGTHS ? lm_view_is_row(&call->x[i]) || !lm_view_present(&call->x[i])
                                 : i == W || i == R ? call->x[i].dt == LM_F32 : lm_walk_dense(&call->x[i]));
    for (int i = 0; i < call->ny; i++)
        ok = ok && lm_walk_dense(&call->y[i]);
    LM_REQUIRE(ok, LM_UNSUPPORTED, "%s of %s in this layout has no kernel of its own on cpu", name,
               lm_dtype_name(call->x[0].dt));
    const lm_shape *x = &call->x[X].sh, *r = &call->x[R].sh;
    LM_REQUIRE(x->dim[0] > 0 && x->dim[1] > 0 && x->dim[2] > 0 && r->dim[2] > 0 && x->dim[0] < INT32_MAX / PHASES,
               LM_UNSUPPORTED, "%s of nothing, or of too many steps, has no kernel of its own on cpu", name);
    return LM_OK;
}

/* Rows of n floats stand apart where side by side they would push each other out of the caches. */
static int64_t pitch_of(const lm_cpu *cpu, const recurrent *k, int64_t rows, int64_t n)
{
    return n + (lm_rows_alias(cpu->topo, k->g.set, rows, n) ? LM_ROW_GAP : 0);
}

/* Directions, phases and what they hold. */
static void describe(lm_cpu *cpu, const lm_call *call, recurrent *k)
{
    const lm_attr_recurrent *a = &call->a->recurrent;
    const lm_stream *s = lm_cpu_stream(cpu->level);
    const struct {
        lm_opid op;
        bool late;
        int64_t gates, first;
        void (*cell[PHASES])(const lm_cell *c);
    } cells[] = {
        {LM_OP_RNN, false, 1, 1, {s->rnn_cell}},
        {LM_OP_LSTM, false, 4, 4, {s->lstm_cell}},
        {LM_OP_GRU, true, 3, 3, {s->gru_cell}},
        {LM_OP_GRU, false, 3, 2, {s->gru_gates, s->gru_state}},
    };
    size_t c = 0;
    k->late = call->op == LM_OP_GRU && a->linear_before_reset;
    while (cells[c].op != call->op || cells[c].late != k->late)
        c++;
    k->memory = call->op == LM_OP_LSTM;
    k->input_forget = a->input_forget;
    k->relu = a->act[0] == LM_OP_RELU;
    k->reverse = a->way == LM_REVERSE;
    k->nx = call->nx, k->ny = call->ny;
    k->lengths = call->nx > LENGTHS ? call->x[LENGTHS].dt : LM_I32;
    k->g.set = lm_tiles_of(cpu->level);
    for (int i = 0; i < 2; i++) {
        k->weights[i] = call->x[W + i];
        k->gates[i] = lm_gates_of(&call->x[W + i], cells[c].gates, cells[c].first, k->g.set->nr);
    }
    k->ways = k->gates[1].ways, k->hidden = k->gates[1].hidden;
    k->steps = call->x[X].sh.dim[0], k->batch = call->x[X].sh.dim[1];
    k->blocks = lm_ceil_div(k->hidden, k->g.set->nr);
    k->columns = k->blocks * cells[c].gates * k->g.set->nr;
    k->pitch = pitch_of(cpu, k, k->batch, k->hidden);
    k->x_pitch = pitch_of(cpu, k, k->steps * k->batch, k->gates[0].channels);
    for (int64_t gate = 0; gate < cells[c].gates; k->phases++) {
        const int64_t n = gate ? cells[c].gates - gate : cells[c].first;
        k->phase[k->phases] = (phase){n, gate * k->blocks, gate * k->blocks * k->g.set->nr, cells[c].cell[k->phases]};
        gate += n;
    }
}

/* The product of all inputs with the weights: columns as they are packed, directions side by side. */
static void plan_inputs(lm_cpu *cpu, recurrent *k)
{
    lm_igemm *g = &k->g;
    const int64_t rows = k->steps * k->batch, nr = g->set->nr;
    g->pass = &k->pass, g->tap = &k->tap, g->part = k->part;
    g->npass = 1, g->nparts = k->ways;
    g->lo = -INFINITY, g->hi = INFINITY;
    g->samples = 1;
    g->in[0] = g->in[1] = 1, g->in[2] = rows;
    g->channels = k->gates[0].channels, g->x_step[2] = k->x_pitch;
    g->columns = k->columns, g->panels = k->columns / nr, g->panel = nr * g->channels;
    k->pass = (lm_pass){.out = {1, 1, rows}, .step = {1, 1, 1}, .y_step = {0, 0, k->ways * k->columns}, .ntap = 1};
    for (int64_t way = 0; way < k->ways; way++)
        k->part[way] = (lm_part){0, way * k->columns * g->channels, way * k->columns, way * k->columns};
    lm_igemm_plan(g, cpu->topo);
}

static lm_status plan_space(recurrent *k)
{
    const int64_t state = k->ways * k->batch * k->pitch, columns = k->ways * k->columns;
    places *at = &k->at;
    if (k->x_pitch != k->g.channels)
        LM_TRY(lm_walk_reserve(&k->k, k->steps * k->batch, k->x_pitch, &at->x));
    LM_TRY(lm_walk_reserve(&k->k, k->steps * k->batch, columns, &at->input));
    LM_TRY(lm_walk_reserve(&k->k, columns, 1, &at->bias));
    LM_TRY(lm_walk_reserve(&k->k, columns, 1, &at->late_bias));
    LM_TRY(lm_walk_reserve(&k->k, k->batch, columns, &at->product));
    LM_TRY(lm_walk_reserve(&k->k, k->g.channels, 1, &at->zero));
    LM_TRY(lm_walk_reserve(&k->k, state, 2, &at->state));
    at->memory = at->update = at->kept = at->state;
    if (k->memory)
        LM_TRY(lm_walk_reserve(&k->k, state, 1, &at->memory));
    if (k->phases > 1) {
        LM_TRY(lm_walk_reserve(&k->k, state, 1, &at->update));
        LM_TRY(lm_walk_reserve(&k->k, state, 1, &at->kept));
    }
    for (int i = 0; i < 2; i++) {
        size_t floats;
        LM_REQUIRE(lm_gates_size(&k->gates[i], &floats), LM_MEMORY, "packed weights would not fit in memory");
        if (!k->constant[i])
            LM_TRY(lm_walk_reserve(&k->k, (int64_t)floats, 1, &at->pack[i]));
    }
    return LM_OK;
}

lm_status lm_cpu_bind_recurrent(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    char what[LM_EW_WHAT];
    recurrent *k;
    LM_TRY(check(call));
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run, lm_ew_what(what, call->op, LM_F32), &k));
    describe(cpu, call, k);
    plan_inputs(cpu, k);
    for (int i = 0; i < 2; i++) {
        k->constant[i] = call->constant >> (W + i) & 1;
        if (k->constant[i]) {
            lm_want *want = &k->k.base.want[k->k.base.nwant++];
            want->input = W + i, want->pack = LM_CPU_PACK_GATES;
            want->p[0] = k->gates[i].nr, want->p[1] = k->gates[i].gates, want->p[2] = k->gates[i].first;
        }
    }
    lm_status status = plan_space(k);
    if (status != LM_OK) {
        lm_free(k);
        return status;
    }
    const double weights = 4.0 * (double)(k->ways * k->columns) * (double)k->hidden * (double)k->batch;
    k->tiles = lm_walk_tiles(cpu, weights / k->phases, k->ways * k->blocks);
    const double columns = (double)k->ways * (double)k->gates[0].gates * (double)k->hidden;
    const double depth = (double)(k->g.channels + k->hidden), rows = (double)k->steps * (double)k->batch;
    k->k.base.flops = 2 * rows * columns * depth;
    k->k.base.bytes = 4 * (rows * (double)(k->g.channels + k->ways * k->hidden) + columns * depth);
    *out = &k->k.base;
    return LM_OK;
}
