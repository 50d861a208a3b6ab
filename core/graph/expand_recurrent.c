/* LSTM, GRU and RNN step by step: one product of all inputs ahead, then a product with the state and the cell per
 * step. */
#include "core/graph/emit_move.h"
#include "core/graph/expand.h"

/* One direction of one op. Gates stand side by side in the columns of what the products give. */
typedef struct walk {
    lm_emit *e;
    const lm_composite *c;
    const lm_attr_recurrent *a;
    int way; /* 0: the first direction of the weights, 1: the second */
    int gates;
    int64_t steps, batch, hidden;
    lm_dtype dt;
    lm_val input;      /* [steps,batch,gates*hidden]: inputs times weights plus what biases may be added ahead */
    lm_val r, bias_r;  /* [gates*hidden,hidden]; what is added to the state's product, or LM_NOVAL */
    lm_val peephole;   /* [3*hidden] or LM_NOVAL */
    lm_val h, cell;    /* [batch,hidden] */
    lm_val *kept;      /* NULL, or where LSTM leaves its four gates, each [batch,hidden] */
} walk;

static lm_val operand(const walk *w, int i)
{
    return i < w->c->nx ? w->c->x[i] : LM_NOVAL;
}

static lm_val add(lm_emit *e, lm_val a, lm_val b)
{
    return lm_emit1(e, LM_OP_ADD, NULL, a, b);
}

static lm_val multiply(lm_emit *e, lm_val a, lm_val b)
{
    return lm_emit1(e, LM_OP_MUL, NULL, a, b);
}

static lm_val scaled(lm_emit *e, lm_val x, float by)
{
    return by == 1 ? x : lm_emit_scalar(e, LM_OP_MUL, x, (double)by);
}

/* Function number `slot` of this direction. Identity and tanh have scales that the ops have not. */
static lm_val activate(const walk *w, int slot, lm_val x)
{
    lm_emit *e = w->e;
    int i = 3 * w->way + slot;
    lm_opid op = (lm_opid)w->a->act[i];
    float a = w->a->alpha[i], b = w->a->beta[i];
    if (w->a->clip > 0) {
        lm_attrs bounds = {0};
        bounds.act.a = -w->a->clip;
        bounds.act.b = w->a->clip;
        x = lm_emit1(e, LM_OP_CLIP, &bounds, x);
    }
    if (op == LM_OP_TANH)
        return scaled(e, lm_emit1(e, LM_OP_TANH, NULL, scaled(e, x, b)), a);
    if (op == LM_OP_IDENTITY)
        return b == 0 ? scaled(e, x, a) : lm_emit_scalar(e, LM_OP_ADD, scaled(e, x, a), (double)b);
    lm_attrs f = {0};
    if (lm_ops[op].attrs == LM_ATTR_act) {
        f.act.a = a;
        f.act.b = b;
    }
    return lm_emit1(e, op, &f, x);
}

static lm_val gate(const walk *w, lm_val all, int k)
{
    return lm_emit_slice(w->e, all, 1, k * w->hidden, w->hidden);
}

/* The state times rows [first, first + count) of r, one row block per gate. */
static lm_val recur(const walk *w, lm_val h, int first, int count)
{
    lm_attrs turn = {0};
    turn.matmul.tb = true;
    int64_t from = first * w->hidden, size = count * w->hidden;
    lm_val r = lm_emit_slice(w->e, w->r, 0, from, size);
    if (w->bias_r == LM_NOVAL)
        return lm_emit1(w->e, LM_OP_MATMUL, &turn, h, r);
    return lm_emit1(w->e, LM_OP_MATMUL, &turn, h, r, lm_emit_slice(w->e, w->bias_r, 0, from, size));
}

static lm_val peep(const walk *w, lm_val sum, lm_val cell, int k)
{
    if (w->peephole == LM_NOVAL)
        return sum;
    return add(w->e, sum, multiply(w->e, lm_emit_slice(w->e, w->peephole, 0, k * w->hidden, w->hidden), cell));
}

static lm_val complement(const walk *w, lm_val x)
{
    return lm_emit1(w->e, LM_OP_SUB, NULL, lm_emit_const(w->e, w->dt, 1), x);
}

/* One step from x [batch,gates*hidden]: the next state; *cell is replaced where the op has one. */
typedef lm_val (*step_fn)(const walk *w, lm_val x, lm_val *cell);

static lm_val step_rnn(const walk *w, lm_val x, lm_val *cell)
{
    (void)cell;
    return activate(w, 0, add(w->e, x, recur(w, w->h, 0, 1)));
}

/* Gates: update, reset, hidden. */
static lm_val step_gru(const walk *w, lm_val x, lm_val *cell)
{
    lm_emit *e = w->e;
    bool late = w->a->linear_before_reset;
    (void)cell;
    lm_val from_h = recur(w, w->h, 0, late ? 3 : 2);
    lm_val update = activate(w, 0, add(e, gate(w, x, 0), gate(w, from_h, 0)));
    lm_val reset = activate(w, 0, add(e, gate(w, x, 1), gate(w, from_h, 1)));
    lm_val kept = late ? multiply(e, reset, gate(w, from_h, 2)) : recur(w, multiply(e, reset, w->h), 2, 1);
    lm_val now = activate(w, 1, add(e, gate(w, x, 2), kept));
    return add(e, multiply(e, complement(w, update), now), multiply(e, update, w->h));
}

/* Gates: input, output, forget, cell. */
static lm_val step_lstm(const walk *w, lm_val x, lm_val *cell)
{
    lm_emit *e = w->e;
    lm_val all = add(e, x, recur(w, w->h, 0, 4));
    lm_val in = activate(w, 0, peep(w, gate(w, all, 0), *cell, 0));
    lm_val forget = w->a->input_forget ? complement(w, in) : activate(w, 0, peep(w, gate(w, all, 2), *cell, 2));
    lm_val now = activate(w, 1, gate(w, all, 3));
    *cell = add(e, multiply(e, forget, *cell), multiply(e, in, now));
    lm_val out = activate(w, 0, peep(w, gate(w, all, 1), *cell, 1));
    const lm_val gates[] = {in, out, forget, now};
    for (int i = 0; w->kept && i < 4; i++)
        w->kept[i] = gates[i];
    return multiply(e, out, activate(w, 2, *cell));
}

static const struct {
    lm_opid op;
    int gates;
    step_fn step;
} cells[] = {{LM_OP_RNN, 1, step_rnn}, {LM_OP_GRU, 3, step_gru}, {LM_OP_LSTM, 4, step_lstm}};

/* The state that operand i gives to begin with, or zeros. */
static lm_val initial(const walk *w, int i)
{
    lm_shape shape = LM_SHAPE(w->batch, w->hidden);
    lm_val v = operand(w, i);
    return v == LM_NOVAL ? lm_emit_full(w->e, w->dt, &shape, 0) : lm_emit_pick(w->e, v, 0, w->way);
}

/* Everything of one direction that does not change from step to step. A GRU that resets after the product keeps
 * the state's bias with that product; all others add both biases to the input. */
static void prepare(walk *w)
{
    lm_emit *e = w->e;
    lm_attrs turn = {0};
    turn.matmul.tb = true;
    int64_t columns = w->gates * w->hidden;
    lm_shape rows = *lm_emit_shape(e, w->c->x[0]), flat = LM_SHAPE(w->steps * w->batch, rows.dim[2]);
    lm_shape stepped = LM_SHAPE(w->steps, w->batch, columns);
    lm_val weights = lm_emit_pick(e, w->c->x[1], 0, w->way), bias = operand(w, 3);
    lm_val x = lm_emit_reshape(e, w->c->x[0], &flat);
    w->r = lm_emit_pick(e, w->c->x[2], 0, w->way);
    w->bias_r = LM_NOVAL;
    if (bias == LM_NOVAL) {
        x = lm_emit1(e, LM_OP_MATMUL, &turn, x, weights);
    } else {
        bias = lm_emit_pick(e, bias, 0, w->way);
        lm_val first = lm_emit_slice(e, bias, 0, 0, columns), second = lm_emit_slice(e, bias, 0, columns, columns);
        if (w->c->op == LM_OP_GRU && w->a->linear_before_reset)
            w->bias_r = second;
        else
            first = add(e, first, second);
        x = lm_emit1(e, LM_OP_MATMUL, &turn, x, weights, first);
    }
    w->input = lm_emit_reshape(e, x, &stepped);
    w->peephole = operand(w, 7) == LM_NOVAL ? LM_NOVAL : lm_emit_pick(e, operand(w, 7), 0, w->way);
    w->h = initial(w, 5);
    w->cell = w->c->op == LM_OP_LSTM ? initial(w, 6) : LM_NOVAL;
}

/* Which samples still run at step t, [batch,1]; LM_NOVAL: all. Going backwards, a sample starts at its own end. */
static lm_val alive(const walk *w, int64_t t)
{
    lm_val lengths = operand(w, 4);
    if (lengths == LM_NOVAL)
        return LM_NOVAL;
    lm_shape column = LM_SHAPE(w->batch, 1);
    return lm_emit_reshape(w->e, lm_emit_scalar(w->e, LM_OP_GREATER, lengths, (double)t), &column);
}

/* Walk through time; y[t] gets [1,1,batch,hidden], and saved[t] (NULL: not asked for) gates and cell,
 * [1,1,batch,5*hidden]. */
static void run(walk *w, step_fn step, bool backwards, lm_val *y, lm_val *saved)
{
    lm_emit *e = w->e;
    lm_shape one = LM_SHAPE(1, 1, w->batch, w->hidden), five = LM_SHAPE(1, 1, w->batch, 5 * w->hidden);
    lm_val kept[5];
    w->kept = saved ? kept : NULL;
    prepare(w);
    for (int64_t i = 0; i < w->steps && e->status == LM_OK; i++) {
        int64_t t = backwards ? w->steps - 1 - i : i;
        lm_val cell = w->cell, runs = alive(w, t);
        lm_val h = step(w, lm_emit_pick(e, w->input, 0, t), &cell), shown = h;
        if (runs != LM_NOVAL) {
            shown = lm_emit1(e, LM_OP_WHERE, NULL, runs, h, lm_emit_const(e, w->dt, 0));
            h = lm_emit1(e, LM_OP_WHERE, NULL, runs, h, w->h);
            if (cell != LM_NOVAL)
                cell = lm_emit1(e, LM_OP_WHERE, NULL, runs, cell, w->cell);
        }
        w->h = h;
        w->cell = cell;
        y[t] = lm_emit_reshape(e, shown, &one);
        if (saved) {
            kept[4] = cell;
            saved[t] = lm_emit_reshape(e, lm_emit_concat(e, 5, kept, 1), &five);
        }
    }
}

void lm_expand_recurrent(lm_emit *e, const lm_composite *c)
{
    const lm_attr_recurrent *a = &c->a->recurrent;
    const lm_shape x = *lm_emit_shape(e, c->x[0]), r = *lm_emit_shape(e, c->x[2]);
    int ways = a->way == LM_BOTH ? 2 : 1;
    lm_shape state = LM_SHAPE(1, x.dim[1], r.dim[2]), none = LM_SHAPE(0, ways, x.dim[1], r.dim[2]);
    lm_shape nothing = LM_SHAPE(0, ways, x.dim[1], 5 * r.dim[2]);
    const lm_dtype dt = lm_emit_type(e, c->x[0])->dt;
    const int64_t room = x.dim[0] > 0 ? x.dim[0] : 1;
    lm_val *y = lm_arena_alloc(&e->g->arena, 2 * (size_t)room, sizeof *y), *saved = y + room, all[LM_OUT_MAX][2];
    if (!y)
        e->status = LM_MEMORY;
    for (int d = 0; d < ways && e->status == LM_OK; d++) {
        walk w = {.e = e, .c = c, .a = a, .way = d, .steps = x.dim[0], .batch = x.dim[1], .hidden = r.dim[2],
                  .dt = dt};
        for (size_t i = 0; i < LM_COUNT(cells); i++)
            if (cells[i].op == c->op) {
                w.gates = cells[i].gates;
                run(&w, cells[i].step, a->way == LM_REVERSE || d == 1, y, c->ny > 3 ? saved : NULL);
            }
        if (x.dim[0] > 0) {
            all[0][d] = lm_emit_concat(e, (int)x.dim[0], y, 0);
            all[3][d] = c->ny > 3 ? lm_emit_concat(e, (int)x.dim[0], saved, 0) : LM_NOVAL;
        }
        all[1][d] = lm_emit_reshape(e, w.h, &state);
        all[2][d] = c->op == LM_OP_LSTM ? lm_emit_reshape(e, w.cell, &state) : LM_NOVAL;
    }
    if (e->status != LM_OK)
        return;
    for (int i = 0; i < c->ny; i++) {
        const bool steps = i == 0 || i == 3;
        if (steps && x.dim[0] == 0)
            c->y[i] = lm_emit_full(e, dt, i == 0 ? &none : &nothing, 0);
        else
            c->y[i] = lm_emit_concat(e, ways, all[i], steps);
    }
}
