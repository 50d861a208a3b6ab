/* The way back through recurrent ops in one piece against the way through what they are made of. */
#include "core/graph/emit_move.h"
#include "core/graph/expand.h"
#include "core/rules/sets.h"
#include "tests/rules/main.h"

enum { STEPS = 5, SAMPLES = 2, INPUTS = 3, HIDDEN = 4, TARGETS = 3 };

static lm_chain alone; /* one thread: thousands of tiny nodes */

typedef struct cell {
    lm_opid op;
    int gates;
    int32_t act[3];
    lm_way way;
} cell;

static const cell cells[] = {
    {LM_OP_LSTM, 4, {LM_OP_SIGMOID, LM_OP_TANH, LM_OP_TANH}, LM_FORWARD},
    {LM_OP_LSTM, 4, {LM_OP_SIGMOID, LM_OP_TANH, LM_OP_TANH}, LM_BOTH},
    {LM_OP_GRU, 3, {LM_OP_SIGMOID, LM_OP_TANH, 0}, LM_REVERSE},
    {LM_OP_GRU, 3, {LM_OP_SIGMOID, LM_OP_TANH, 0}, LM_BOTH},
    {LM_OP_RNN, 1, {LM_OP_TANH, 0, 0}, LM_FORWARD},
    {LM_OP_RNN, 1, {LM_OP_RELU, 0, 0}, LM_BOTH},
};

/* Operands and results of one op. */
typedef struct piece {
    lm_val x[7], y[3];
    int nx, ny;
} piece;

static void emit(lm_emit *e, const cell *c, bool open, piece *p)
{
    lm_attrs a = {0};
    a.recurrent.way = c->way;
    a.recurrent.linear_before_reset = c->op == LM_OP_GRU;
    for (int i = 0; i < 6; i++) {
        a.recurrent.act[i] = c->act[i % 3];
        a.recurrent.alpha[i] = a.recurrent.beta[i] = 1;
    }
    const lm_composite composite = {.op = c->op, .a = &a, .nx = p->nx, .ny = p->ny, .x = p->x, .y = p->y};
    if (open)
        CHECK_OK(lm_expand(e, &composite));
    else
        lm_emit_op(e, c->op, &a, p->nx, p->x, p->ny, p->y);
}

static piece operands(lm_emit *e, const cell *c)
{
    const int64_t ways = c->way == LM_BOTH ? 2 : 1;
    piece p = {.nx = c->op == LM_OP_LSTM ? 7 : 6, .ny = c->op == LM_OP_LSTM ? 3 : 2};
    p.x[0] = floats(e, LM_SHAPE(STEPS, SAMPLES, INPUTS));
    p.x[1] = weights(e, 1, LM_SHAPE(ways, c->gates * HIDDEN, INPUTS));
    p.x[2] = weights(e, 2, LM_SHAPE(ways, c->gates * HIDDEN, HIDDEN));
    p.x[3] = weights(e, 3, LM_SHAPE(ways, 2 * c->gates * HIDDEN));
    p.x[5] = floats(e, LM_SHAPE(ways, SAMPLES, HIDDEN));
    if (c->op == LM_OP_LSTM)
        p.x[6] = floats(e, LM_SHAPE(ways, SAMPLES, HIDDEN));
    return p;
}

/* Signals at inputs and first states from all results. */
static void walk(lm_emit *e, const lm_ruleset *set, int64_t wide, const piece *p, lm_val *signal)
{
    lm_val seed[3], base[3] = {0}, wrt[] = {p->x[0], p->x[5], p->x[6]};
    for (int i = 0; i < p->ny; i++) {
        lm_val part[TARGETS];
        for (int t = 0; t < wide; t++)
            part[t] = weights(e, 10 * t + i + 20, *lm_emit_shape(e, p->y[i]));
        seed[i] = wide == 1 ? part[0] : lm_emit_concat(e, (int)wide, part, 0);
    }
    for (int i = 0; i < p->ny; i++) {
        const lm_shape shape = *lm_emit_shape(e, wrt[i]);
        base[i] = lm_emit_full(e, LM_F32, &shape, 0.125);
    }
    const lm_backward b = {.set = set, .ntarget = p->ny, .target = p->y, .seed = seed, .nwrt = p->ny, .wrt = wrt,
                           .signal = signal, .baseline = base, .wide = wide};
    if (!CHECK_OK(lm_backward_emit(e, &b)))
        printf("%s: %s\n", set->name, lm_message());
}

static int count(const lm_emit *e, lm_opid op)
{
    int n = 0;
    for (size_t i = 0; i < e->g->nodes.count; i++)
        n += e->g->nodes.at[i]->op == op;
    return n;
}

static void same(const cell *c, const lm_ruleset *set, int64_t wide, double slack)
{
    lm_emit e = begin(NULL);
    lm_view feed[3] = {{0}}, out[6] = {{0}};
    piece whole = operands(&e, c), open = whole;
    lm_val one[3], other[3];
    emit(&e, c, false, &whole);
    walk(&e, set, wide, &whole, one);
    CHECK_INT(count(&e, LM_OP_RECURRENT_DX), 1);
    CHECK_INT(count(&e, LM_OP_SIGMOID) <= 8, 1);
    emit(&e, c, true, &open);
    walk(&e, set, wide, &open, other);
    for (int i = 0; i < whole.ny && e.status == LM_OK; i++) {
        CHECK_OK(lm_graph_output(e.g, one[i]));
        CHECK_OK(lm_graph_output(e.g, other[i]));
    }
    for (size_t i = 0; i < e.g->inputs.count; i++)
        feed[i] = noise_view(40 + (int)i, LM_F32, lm_graph_value(e.g, e.g->inputs.at[i])->type.sh);
    if (e.status == LM_OK)
        run_graph(&alone, e.g, feed, out);
    CHECK(out[0].buf != NULL);
    for (int i = 0; i < whole.ny && out[0].buf; i++) {
        const double d = difference(&out[2 * i], &out[2 * i + 1]);
        if (!CHECK(d < slack))
            printf("%s way %d, %s, %d targets, signal %d: %g\n", lm_ops[c->op].name, (int)c->way, set->name, (int)wide,
                   i, d);
    }
    for (int i = 0; i < 6; i++)
        lm_buffer_unref(out[i].buf);
    for (int i = 0; i < 3; i++)
        lm_buffer_unref(feed[i].buf);
    lm_graph_free(e.g);
}

static void in_every_way(const lm_ruleset *set, double slack)
{
    for (size_t i = 0; i < LM_COUNT(cells); i++)
        for (int64_t wide = 1; wide <= TARGETS; wide += TARGETS - 1)
            same(&cells[i], set, wide, slack);
}

static void derivatives(void)
{
    in_every_way(&lm_set_grad, 2e-5);
}

static void multipliers(void)
{
    in_every_way(&lm_set_deeplift, 1e-3); /* small changes have rough quotients */
}

/* A set with a row for what is inside looks inside. */
static void rows_look_inside(void)
{
    const cell relu = {LM_OP_RNN, 1, {LM_OP_RELU, 0, 0}, LM_FORWARD};
    lm_emit e = begin(NULL);
    lm_val signal[3];
    piece p = operands(&e, &relu);
    emit(&e, &relu, false, &p);
    walk(&e, &lm_set_guided, 1, &p, signal);
    CHECK_INT(count(&e, LM_OP_RECURRENT_DX), 0);
    lm_graph_free(e.g);
}

/* Gates take nothing: halves for them would grow from step to step by what cancels in their sums. */
static void relevance_does_not_grow(void)
{
    enum { MANY = 60 };
    for (int i = 0; i < 3; i += 2) {
        cell c = cells[i];
        lm_emit e = begin(NULL);
        lm_view feed = noise_view(7, LM_F32, LM_SHAPE(MANY, 1, INPUTS)), out = {0};
        lm_val x = floats(&e, LM_SHAPE(MANY, 1, INPUTS)), signal;
        piece p = {.nx = 4, .ny = 2, .x = {x, weights(&e, 1, LM_SHAPE(1, c.gates * HIDDEN, INPUTS)),
                                           weights(&e, 2, LM_SHAPE(1, c.gates * HIDDEN, HIDDEN)),
                                           weights(&e, 3, LM_SHAPE(1, 2 * c.gates * HIDDEN))}};
        emit(&e, &c, false, &p);
        const lm_backward b = {.set = &lm_set_attn_lrp, .ntarget = 1, .target = &p.y[1], .seed = &p.y[1], .nwrt = 1,
                               .wrt = &x, .signal = &signal};
        if (CHECK_OK(lm_backward_emit(&e, &b)) && CHECK_OK(lm_graph_output(e.g, signal)))
            run_graph(&alone, e.g, &feed, &out);
        double all = 0;
        for (int64_t k = 0; out.buf && k < MANY * INPUTS; k++)
            all += fabs(lm_view_get(&out, k));
        if (!CHECK(all > 1e-3 && all < 100))
            printf("%s: %g, %s\n", lm_ops[c.op].name, all, lm_message());
        lm_buffer_unref(out.buf);
        lm_buffer_unref(feed.buf);
        lm_graph_free(e.g);
    }
}

static void cases(void)
{
    CASE(relevance_does_not_grow);
    CASE(derivatives);
    CASE(multipliers);
    CASE(rows_look_inside);
}

int main(void)
{
    return rules_main("cpu:threads=1", &alone, cases);
}
