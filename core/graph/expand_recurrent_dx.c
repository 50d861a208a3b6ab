/* The way back through LSTM, GRU and RNN: through the steps from the last one to the first, with the slopes of each. */
#include "core/graph/emit_move.h"
#include "core/graph/expand.h"

/* Operands in the op's order. */
enum { R, SLOPES, FROM_Y, FROM_H, FROM_C };

/* Slopes of a step and sample, one row of hidden units each: of the cell before, of the state, then of the gates. */
enum { KEEP, SHOW, GATES };

/* Cells that show their content through a gate have this one of four; its signal is the state's. */
enum { SHOWN_BY = 1, WITH_SHOW = 4 };

/* One direction. */
typedef struct walk {
    lm_emit *e;
    const lm_composite *c;
    int way, gates;
    bool backwards; /* the op went through the steps from the last to the first */
    int64_t steps, batch, hidden;
    lm_val h, cell; /* signals, [batch,hidden] */
} walk;

static lm_val operand(const walk *w, int i)
{
    return i < w->c->nx ? w->c->x[i] : LM_NOVAL;
}

static lm_val multiply(lm_emit *e, lm_val a, lm_val b)
{
    return lm_emit1(e, LM_OP_MUL, NULL, a, b);
}

static lm_val add(lm_emit *e, lm_val a, lm_val b)
{
    return lm_emit1(e, LM_OP_ADD, NULL, a, b);
}

/* [batch,hidden] of operand i for this direction, or zeros. */
static lm_val state(const walk *w, int i)
{
    const lm_shape shape = LM_SHAPE(w->batch, w->hidden);
    lm_val v = operand(w, i);
    return v == LM_NOVAL ? lm_emit_full(w->e, lm_emit_type(w->e, w->c->x[R])->dt, &shape, 0)
                         : lm_emit_pick(w->e, v, 0, w->way);
}

/* Slopes of all steps for all signals, of which several may go back through one sample: [steps,batch,rows*hidden]. */
static lm_val slopes_of(const walk *w)
{
    lm_val v = lm_emit_pick(w->e, w->c->x[SLOPES], 1, w->way);
    const lm_shape s = *lm_emit_shape(w->e, v);
    if (w->e->status != LM_OK || s.dim[1] == w->batch)
        return v;
    const lm_shape one = LM_SHAPE(s.dim[0], 1, s.dim[1], s.dim[2]), all = LM_SHAPE(s.dim[0], w->batch, s.dim[2]);
    const lm_shape many = LM_SHAPE(s.dim[0], w->batch / s.dim[1], s.dim[1], s.dim[2]);
    return lm_emit_reshape(w->e, lm_emit_expand(w->e, lm_emit_reshape(w->e, v, &one), &many), &all);
}

static lm_val row(const walk *w, lm_val step, int which)
{
    return lm_emit_slice(w->e, step, 1, which * w->hidden, w->hidden);
}

/* Signals at what goes into the gates, [batch,gates*hidden]; those at state and cell are of the step before from now
 * on. *at: the signal at the cell. */
static lm_val back(walk *w, lm_val r, lm_val step, lm_val *at)
{
    lm_emit *e = w->e;
    lm_val gate[WITH_SHOW];
    *at = add(e, w->cell, multiply(e, w->h, row(w, step, SHOW)));
    for (int i = 0; i < w->gates; i++)
        gate[i] = multiply(e, w->gates == WITH_SHOW && i == SHOWN_BY ? w->h : *at, row(w, step, GATES + i));
    lm_val all = lm_emit_concat(e, w->gates, gate, 1);
    w->cell = multiply(e, *at, row(w, step, KEEP));
    w->h = lm_emit1(e, LM_OP_MATMUL, NULL, all, r);
    return all;
}

/* One direction; gates[t] gets [1,1,batch,gates*hidden], at[t] [1,1,batch,hidden]. */
static void run(walk *w, lm_val *gates, lm_val *at)
{
    lm_emit *e = w->e;
    const lm_shape wide = LM_SHAPE(1, 1, w->batch, w->gates * w->hidden), one = LM_SHAPE(1, 1, w->batch, w->hidden);
    lm_val r = lm_emit_pick(e, w->c->x[R], 0, w->way), slopes = slopes_of(w);
    lm_val from_y = operand(w, FROM_Y);
    from_y = from_y == LM_NOVAL ? LM_NOVAL : lm_emit_pick(e, from_y, 1, w->way);
    w->h = state(w, FROM_H);
    w->cell = state(w, FROM_C);
    for (int64_t i = w->steps - 1; i >= 0 && e->status == LM_OK; i--) {
        const int64_t t = w->backwards ? w->steps - 1 - i : i;
        lm_val cell;
        if (from_y != LM_NOVAL)
            w->h = add(e, w->h, lm_emit_pick(e, from_y, 0, t));
        gates[t] = lm_emit_reshape(e, back(w, r, lm_emit_pick(e, slopes, 0, t), &cell), &wide);
        at[t] = lm_emit_reshape(e, cell, &one);
    }
}

void lm_expand_recurrent_dx(lm_emit *e, const lm_composite *c)
{
    const lm_way way = c->a->recurrent.way;
    const lm_shape slopes = *lm_emit_shape(e, c->x[SLOPES]), r = *lm_emit_shape(e, c->x[R]);
    const int ways = way == LM_BOTH ? 2 : 1;
    const size_t steps = (size_t)slopes.dim[0];
    int64_t batch = slopes.dim[2];
    for (int i = FROM_Y; i < c->nx; i++)
        if (c->x[i] != LM_NOVAL)
            batch = lm_emit_shape(e, c->x[i])->dim[i == FROM_Y ? 2 : 1];
    const lm_shape one = LM_SHAPE(1, batch, r.dim[2]);
    lm_val *gates = lm_arena_alloc(&e->g->arena, 2 * steps, sizeof *gates), *at = gates + steps, all[4][2];
    if (!gates)
        e->status = LM_MEMORY;
    for (int d = 0; d < ways && e->status == LM_OK; d++) {
        walk w = {.e = e, .c = c, .way = d, .gates = (int)(r.dim[1] / r.dim[2]), .steps = slopes.dim[0], .batch = batch,
                  .hidden = r.dim[2], .backwards = way == LM_REVERSE || d == 1};
        run(&w, gates, at);
        all[0][d] = lm_emit_concat(e, (int)steps, gates, 0);
        all[1][d] = lm_emit_reshape(e, w.h, &one);
        all[2][d] = lm_emit_reshape(e, w.cell, &one);
        all[3][d] = lm_emit_concat(e, (int)steps, at, 0);
    }
    for (int i = 0; i < c->ny && e->status == LM_OK; i++)
        c->y[i] = lm_emit_concat(e, ways, all[i], i == 0 || i == 3);
}
