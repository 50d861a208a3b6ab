/* The gradient of LSTM: backwards through the steps that the op has taken, from what it kept of each. */
#include "core/graph/emit_move.h"
#include "core/graph/expand.h"

/* Operands in the op's order. */
enum { R, SAVED, CELL, FROM_Y, FROM_H, FROM_C };

/* What LSTM keeps of a step and sample, one row of hidden units each; the gates in the order of its weights. */
enum { IN, OUT, FORGET, NOW, GATES, MEMORY = GATES, KEPT };

/* One direction. */
typedef struct walk {
    lm_emit *e;
    const lm_composite *c;
    int way;
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

/* A signal at y = of(x) to x. */
static lm_val through(lm_emit *e, lm_opid of, lm_val s, lm_val y)
{
    lm_attrs a = {0};
    a.actdx.of = (int32_t)of;
    return lm_emit1(e, LM_OP_ACT_DX, &a, s, y);
}

/* [batch,hidden] of operand i for this direction, or zeros. */
static lm_val state(const walk *w, int i)
{
    const lm_shape shape = LM_SHAPE(w->batch, w->hidden);
    lm_val v = operand(w, i);
    return v == LM_NOVAL ? lm_emit_full(w->e, lm_emit_type(w->e, w->c->x[R])->dt, &shape, 0)
                         : lm_emit_pick(w->e, v, 0, w->way);
}

static lm_val kept(const walk *w, lm_val step, int which)
{
    return lm_emit_slice(w->e, step, 1, which * w->hidden, w->hidden);
}

/* Signals at what goes into the gates, [batch,4*hidden]; those at state and cell are of the step before from now on. */
static lm_val back(walk *w, lm_val r, lm_val step, lm_val before)
{
    lm_emit *e = w->e;
    lm_val in = kept(w, step, IN), out = kept(w, step, OUT), forget = kept(w, step, FORGET), now = kept(w, step, NOW);
    lm_val shown = lm_emit1(e, LM_OP_TANH, NULL, kept(w, step, MEMORY));
    lm_val cell = add(e, w->cell, through(e, LM_OP_TANH, multiply(e, w->h, out), shown));
    lm_val gates[GATES] = {
        [IN] = through(e, LM_OP_SIGMOID, multiply(e, cell, now), in),
        [OUT] = through(e, LM_OP_SIGMOID, multiply(e, w->h, shown), out),
        [FORGET] = through(e, LM_OP_SIGMOID, multiply(e, cell, before), forget),
        [NOW] = through(e, LM_OP_TANH, multiply(e, cell, in), now),
    };
    lm_val all = lm_emit_concat(e, GATES, gates, 1);
    w->cell = multiply(e, cell, forget);
    w->h = lm_emit1(e, LM_OP_MATMUL, NULL, all, r);
    return all;
}

/* One direction; gates[t] gets [1,1,batch,4*hidden]. */
static void run(walk *w, lm_val *gates)
{
    lm_emit *e = w->e;
    const lm_shape one = LM_SHAPE(1, 1, w->batch, GATES * w->hidden);
    lm_val r = lm_emit_pick(e, w->c->x[R], 0, w->way), saved = lm_emit_pick(e, w->c->x[SAVED], 1, w->way);
    lm_val from_y = operand(w, FROM_Y), first = state(w, CELL);
    from_y = from_y == LM_NOVAL ? LM_NOVAL : lm_emit_pick(e, from_y, 1, w->way);
    w->h = state(w, FROM_H);
    w->cell = state(w, FROM_C);
    for (int64_t i = w->steps - 1; i >= 0 && e->status == LM_OK; i--) {
        const int64_t t = w->backwards ? w->steps - 1 - i : i, last = w->backwards ? t + 1 : t - 1;
        lm_val before = i == 0 ? first : kept(w, lm_emit_pick(e, saved, 0, last), MEMORY);
        if (from_y != LM_NOVAL)
            w->h = add(e, w->h, lm_emit_pick(e, from_y, 0, t));
        gates[t] = lm_emit_reshape(e, back(w, r, lm_emit_pick(e, saved, 0, t), before), &one);
    }
}

void lm_expand_lstm_dx(lm_emit *e, const lm_composite *c)
{
    const lm_way way = c->a->recurrent.way;
    const lm_shape saved = *lm_emit_shape(e, c->x[SAVED]), r = *lm_emit_shape(e, c->x[R]);
    const lm_shape one = LM_SHAPE(1, saved.dim[2], r.dim[2]);
    const int ways = way == LM_BOTH ? 2 : 1;
    lm_val *gates = lm_arena_alloc(&e->g->arena, (size_t)saved.dim[0], sizeof *gates), all[3][2];
    if (!gates)
        e->status = LM_MEMORY;
    for (int d = 0; d < ways && e->status == LM_OK; d++) {
        walk w = {.e = e, .c = c, .way = d, .backwards = way == LM_REVERSE || d == 1, .steps = saved.dim[0],
                  .batch = saved.dim[2], .hidden = r.dim[2]};
        run(&w, gates);
        all[0][d] = lm_emit_concat(e, (int)w.steps, gates, 0);
        all[1][d] = lm_emit_reshape(e, w.h, &one);
        all[2][d] = lm_emit_reshape(e, w.cell, &one);
    }
    for (int i = 0; i < c->ny && e->status == LM_OK; i++)
        c->y[i] = lm_emit_concat(e, ways, all[i], i == 0);
}
