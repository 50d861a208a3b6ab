/* The way back through LSTM in one piece. Where a set leaves what LSTM is made of to its derivative, going inside
 * would emit some thirty nodes per step; LSTM_DX is one for all steps, and products with the weights follow for all of
 * them at once. */
#include "core/graph/emit_move.h"
#include "core/rules/walk.h"

/* Operands of LSTM. */
enum { X, W, R, BIAS, LENGTHS, STATE, CELL, PEEPHOLES };

/* What the expansion of an LSTM with the usual functions is made of. */
static bool is_inside(lm_opid op)
{
    return op == LM_OP_SIGMOID || op == LM_OP_TANH || op == LM_OP_ADD || op == LM_OP_MUL || op == LM_OP_MATMUL ||
           op == LM_OP_SLICE || op == LM_OP_RESHAPE || op == LM_OP_CONCAT || op == LM_OP_EXPAND;
}

/* Has the set nothing of its own to say about what lies inside? */
static bool only_derives(const lm_ruleset *set)
{
    if (set->deflt != LM_DEFAULT_GRAD)
        return false;
    for (; set; set = set->base) {
        if (set->n_ref)
            return false;
        for (int i = 0; i < set->nrows; i++)
            if (set->rows[i].match != LM_MATCH_OP || is_inside((lm_opid)set->rows[i].key))
                return false;
    }
    return true;
}

static lm_val operand(const lm_node *n, int i)
{
    return i < n->nx ? n->x[i] : LM_NOVAL;
}

static bool is_usual(const lm_emit *e, const lm_node *n)
{
    const lm_attr_recurrent *a = &n->a->recurrent;
    const lm_type *x = lm_emit_type(e, n->x[X]);
    bool usual = a->clip == 0 && !a->input_forget && operand(n, LENGTHS) == LM_NOVAL &&
                 operand(n, PEEPHOLES) == LM_NOVAL && x->sh.dim[0] > 0 && (x->dt == LM_F32 || x->dt == LM_F64);
    for (int i = 0; i < (a->way == LM_BOTH ? 6 : 3); i++)
        usual = usual && (i % 3 == 0 ? a->act[i] == LM_OP_SIGMOID
                                     : a->act[i] == LM_OP_TANH && a->alpha[i] == 1 && a->beta[i] == 1);
    return usual;
}

/* What one direction works with: signals at its gates, [steps*batch,4*hidden], and the shapes around them. */
typedef struct lane {
    lm_emit *e;
    const lm_node *n;
    int way;
    int64_t steps, rows; /* rows: steps times batch */
    bool backwards;
    lm_val gates;
} lane;

/* a transposed times b, both [rows, ...], with an axis for the direction in front. */
static lm_val against(const lane *l, lm_val a, lm_val b)
{
    lm_attrs turn = {0};
    turn.matmul.ta = true;
    return lm_emit_unsqueeze(l->e, lm_emit1(l->e, LM_OP_MATMUL, &turn, a, b), 0);
}

static lm_val flat(const lane *l, lm_val v)
{
    const lm_shape *s = lm_emit_shape(l->e, v), to = LM_SHAPE(l->rows, s->dim[s->rank - 1]);
    return lm_emit_reshape(l->e, v, &to);
}

static lm_val to_inputs(const lane *l)
{
    return lm_emit1(l->e, LM_OP_MATMUL, NULL, l->gates, lm_emit_pick(l->e, l->n->x[W], 0, l->way));
}

static lm_val to_weights(const lane *l)
{
    return against(l, l->gates, flat(l, l->n->x[X]));
}

/* The state that each step began with: one step's further than what it made. */
static lm_val to_recurrence(const lane *l)
{
    lm_emit *e = l->e;
    lm_val y = lm_emit_pick(e, l->n->y[0], 1, l->way), first = operand(l->n, STATE), before[2];
    lm_shape one = *lm_emit_shape(e, y);
    one.dim[0] = 1;
    first = first == LM_NOVAL ? lm_emit_full(e, lm_emit_type(e, y)->dt, &one, 0)
                              : lm_emit_reshape(e, lm_emit_pick(e, first, 0, l->way), &one);
    if (l->steps == 1)
        return against(l, l->gates, flat(l, first));
    before[l->backwards] = first;
    before[!l->backwards] = lm_emit_slice(e, y, 0, l->backwards, l->steps - 1);
    return against(l, l->gates, flat(l, lm_emit_concat(e, 2, before, 0)));
}

/* Both biases of a gate are added. */
static lm_val to_bias(const lane *l)
{
    lm_val sum = lm_emit_reduce(l->e, LM_OP_REDUCE_SUM, l->gates, 1, true);
    const lm_val both[] = {sum, sum};
    return lm_emit_concat(l->e, 2, both, 1);
}

/* Signals for the operands from those at the gates of all directions, [steps,directions,batch,4*hidden]. */
static void send(lm_emit *e, const lm_node *n, lm_val gates, const bool *want, lm_val *out)
{
    static lm_val (*const of[])(const lane *l) = {to_inputs, to_weights, to_recurrence, to_bias};
    const lm_shape x = *lm_emit_shape(e, n->x[X]);
    const lm_way way = n->a->recurrent.way;
    const int ways = way == LM_BOTH ? 2 : 1;
    lm_val part[BIAS + 1][2];
    for (int d = 0; d < ways && e->status == LM_OK; d++) {
        lane l = {.e = e, .n = n, .way = d, .steps = x.dim[0], .rows = x.dim[0] * x.dim[1],
                  .backwards = way == LM_REVERSE || d == 1};
        l.gates = flat(&l, lm_emit_pick(e, gates, 1, d));
        for (int i = X; i <= BIAS && i < n->nx; i++)
            part[i][d] = want[i] ? of[i](&l) : LM_NOVAL;
    }
    for (int i = X; i <= BIAS && i < n->nx && e->status == LM_OK; i++) {
        if (!want[i])
            continue;
        if (i > X)
            out[i] = lm_emit_concat(e, ways, part[i], 0);
        else
            out[i] = lm_emit_reshape(e, ways == 1 ? part[X][0] : lm_emit1(e, LM_OP_ADD, NULL, part[X][0], part[X][1]),
                                     &x);
    }
}

bool lm_walk_recurrent(lm_walk_state *w, const lm_node *n, lm_val s[LM_SIGNALS][LM_OUT_MAX], const bool *want,
                       lm_val *out[LM_SIGNALS])
{
    lm_emit *e = w->e;
    if (n->op != LM_OP_LSTM || w->nsig > 1 || w->wide > 1 || !only_derives(w->b->set) || !is_usual(e, n) ||
        (n->ny > 3 && s[0][3] != LM_NOVAL))
        return false;
    e->status = lm_graph_ask(e->g, n, 4);
    if (e->status != LM_OK)
        return true;
    lm_attrs a = {0};
    a.recurrent.way = n->a->recurrent.way;
    const lm_val x[] = {n->x[R], n->y[3], operand(n, CELL), s[0][0], s[0][1], s[0][2]};
    lm_val back[3];
    lm_emit_op(e, LM_OP_LSTM_DX, &a, 6, x, 3, back);
    send(e, n, back[0], want, out[0]);
    if (operand(n, STATE) != LM_NOVAL && want[STATE])
        out[0][STATE] = back[1];
    if (operand(n, CELL) != LM_NOVAL && want[CELL])
        out[0][CELL] = back[2];
    return true;
}
