/* The way back through LSTM, GRU and RNN in one piece. Going inside would emit some thirty nodes per step;
 * RECURRENT_DX is one for all steps, and what it needs of them, as products with the weights, is had for all of them at
 * once. Several targets are more samples with the same slopes. */
#include "core/rules/recurrent.h"

#include "core/graph/emit_move.h"
#include "core/rules/grad.h"
#include "core/rules/sets.h"
#include "core/rules/trace.h"
#include "core/rules/walk.h"
#include "core/rules/wide.h"

/* What the expansions of recurrent ops with the usual functions are made of. */
static bool is_inside(const lm_node *n, lm_opid op)
{
    return op == LM_OP_SIGMOID || op == LM_OP_TANH || op == LM_OP_ADD || op == LM_OP_SUB || op == LM_OP_MUL ||
           op == LM_OP_MATMUL || op == LM_OP_SLICE || op == LM_OP_RESHAPE || op == LM_OP_CONCAT || op == LM_OP_EXPAND ||
           (op == LM_OP_RELU && n->op == LM_OP_RNN);
}

/* Has the set nothing of its own to say about what lies inside? */
static bool only_derives(const lm_ruleset *set, const lm_node *n)
{
    if (set->deflt != LM_DEFAULT_GRAD)
        return false;
    for (; set; set = set->base) {
        if (set->n_ref)
            return false;
        for (int i = 0; i < set->nrows; i++)
            if (set->rows[i].match != LM_MATCH_OP || is_inside(n, (lm_opid)set->rows[i].key))
                return false;
    }
    return true;
}

static lm_val operand(const lm_node *n, int i)
{
    return i < n->nx ? n->x[i] : LM_NOVAL;
}

static bool has_usual_functions(const lm_node *n)
{
    const lm_attr_recurrent *a = &n->a->recurrent;
    const int count = n->op == LM_OP_LSTM ? 3 : n->op == LM_OP_GRU ? 2 : 1;
    for (int i = 0; i < (a->way == LM_BOTH ? 6 : 3); i++) {
        const bool tanh = a->act[i] == LM_OP_TANH && a->alpha[i] == 1 && a->beta[i] == 1;
        const bool state = tanh || (count == 1 && a->act[i] == LM_OP_RELU), gate = a->act[i] == LM_OP_SIGMOID;
        if (i % 3 < count && !(i % 3 || count == 1 ? state : gate))
            return false;
    }
    return true;
}

static bool is_usual(const lm_emit *e, const lm_node *n)
{
    const lm_attr_recurrent *a = &n->a->recurrent;
    const lm_type *x = lm_emit_type(e, n->x[LM_REC_X]);
    const bool late = n->op != LM_OP_GRU || a->linear_before_reset;
    return has_usual_functions(n) && a->clip == 0 && !a->input_forget && late &&
           operand(n, LM_REC_LENGTHS) == LM_NOVAL && operand(n, LM_REC_PEEPHOLES) == LM_NOVAL && x->sh.dim[0] > 0 &&
           x->sh.dim[1] > 0 && lm_emit_shape(e, n->x[LM_REC_R])->dim[2] > 0 && (x->dt == LM_F32 || x->dt == LM_F64);
}

/* One such op in a walk. */
typedef struct piece {
    lm_walk_state *w;
    lm_emit *e;
    const lm_node *n;
    const bool *want;
    bool rescale;
    int ways;
    lm_val saved0; /* LSTM: what it keeps of its steps in the reference run */
} piece;

static bool can_walk(const piece *p, lm_val s[LM_SIGNALS][LM_OUT_MAX])
{
    const lm_node *n = p->n;
    const bool recurrent = n->op == LM_OP_LSTM || n->op == LM_OP_GRU || n->op == LM_OP_RNN;
    if (!recurrent || p->w->nsig > 1 || !(p->rescale || only_derives(p->w->b->set, n)) || !is_usual(p->e, n) ||
        (n->ny > 3 && s[0][3] != LM_NOVAL))
        return false;
    for (int i = LM_REC_W; i <= LM_REC_BIAS && i < n->nx; i++)
        if (p->want[i] && (p->rescale || p->w->wide > 1))
            return false;
    return true;
}

static lm_twins both(const piece *p, lm_val v)
{
    return (lm_twins){v, p->rescale && v != LM_NOVAL ? p->w->twin[v] : v};
}

/* What the op keeps of its steps in the reference run: of the node there, or of one like it. */
static lm_val kept_there(const piece *p)
{
    const lm_node *there = lm_graph_value(p->e->g, p->w->twin[p->n->y[0]])->producer;
    lm_val x[LM_REC_PEEPHOLES + 1], y[4];
    if (there && there->op == LM_OP_LSTM && there->y[0] == p->w->twin[p->n->y[0]]) {
        p->e->status = lm_graph_ask(p->e->g, there, 4);
        return p->e->status == LM_OK ? there->y[3] : LM_NOVAL;
    }
    for (int i = 0; i < p->n->nx; i++)
        x[i] = p->n->x[i] == LM_NOVAL ? LM_NOVAL : p->w->twin[p->n->x[i]];
    lm_emit_op(p->e, LM_OP_LSTM, p->n->a, p->n->nx, x, 4, y);
    return y[3];
}

static lm_twins picked(const piece *p, lm_twins v, int axis, int way)
{
    const lm_val here = v.here == LM_NOVAL ? LM_NOVAL : lm_emit_pick(p->e, v.here, axis, way);
    return (lm_twins){here, v.here == v.there ? here : lm_emit_pick(p->e, v.there, axis, way)};
}

static lm_twins ahead(const piece *p, lm_twins v, lm_twins first, bool backwards)
{
    const lm_val here = lm_recurrent_ahead(p->e, v.here, first.here, backwards);
    const bool same = v.here == v.there && first.here == first.there;
    return (lm_twins){here, same ? here : lm_recurrent_ahead(p->e, v.there, first.there, backwards)};
}

static lm_lane lane_of(const piece *p, int way)
{
    const lm_node *n = p->n;
    lm_lane l = {.e = p->e, .n = n, .way = way, .backwards = n->a->recurrent.way == LM_REVERSE || way == 1,
                 .rescale = p->rescale, .still = p->w->options->still};
    l.x = both(p, n->x[LM_REC_X]);
    l.y = picked(p, both(p, n->y[0]), 1, way);
    l.before = ahead(p, l.y, picked(p, both(p, operand(n, LM_REC_STATE)), 0, way), l.backwards);
    if (n->op != LM_OP_LSTM)
        return l;
    const int64_t hidden = lm_emit_shape(p->e, n->x[LM_REC_R])->dim[2];
    const lm_twins saved = {n->y[3], p->rescale ? p->saved0 : n->y[3]};
    l.saved = picked(p, saved, 1, way);
    lm_twins cell = {lm_emit_slice(p->e, l.saved.here, 2, 4 * hidden, hidden), LM_NOVAL};
    cell.there = p->rescale ? lm_emit_slice(p->e, l.saved.there, 2, 4 * hidden, hidden) : cell.here;
    l.cell_before = ahead(p, cell, picked(p, both(p, operand(n, LM_REC_CELL)), 0, way), l.backwards);
    return l;
}

/* The blocks of a wide walk and the batch, which is the last axis but one of v: blocks in front of all, or as samples.
 * `shape`: of one block. */
static lm_val blocks_to_samples(const piece *p, lm_val v, const lm_shape *shape)
{
    const int rank = shape->rank;
    lm_shape split = {.rank = rank + 1, .dim = {p->w->wide}}, merged = *shape;
    int32_t perm[LM_RANK] = {0};
    if (p->w->wide == 1 || v == LM_NOVAL || p->e->status != LM_OK)
        return v;
    for (int i = 0; i < rank; i++)
        split.dim[i + 1] = shape->dim[i];
    for (int i = 0; i <= rank; i++)
        perm[i] = i < rank - 2 ? i + 1 : i == rank - 2 ? 0 : i;
    merged.dim[rank - 2] *= p->w->wide;
    return lm_emit_reshape(p->e, lm_emit_transpose(p->e, lm_emit_reshape(p->e, v, &split), perm), &merged);
}

static lm_val samples_to_blocks(const piece *p, lm_val v, const lm_shape *shape)
{
    const int rank = shape->rank;
    const lm_shape kept = lm_wide_shape(shape, p->w->wide);
    lm_shape split = {.rank = rank + 1};
    int32_t perm[LM_RANK] = {0};
    if (p->w->wide == 1 || p->e->status != LM_OK)
        return lm_emit_reshape(p->e, v, shape);
    for (int i = 0; i <= rank; i++) {
        split.dim[i] = i < rank - 2 ? shape->dim[i] : i == rank - 2 ? p->w->wide : shape->dim[i - 1];
        perm[i] = i == 0 ? rank - 2 : i <= rank - 2 ? i - 1 : i;
    }
    return lm_emit_reshape(p->e, lm_emit_transpose(p->e, lm_emit_reshape(p->e, v, &split), perm), &kept);
}

/* Signals at the gates of one direction, [T,B,G*H]: as inputs and as the state enter them. */
typedef struct gates {
    const lm_lane *l;
    lm_val of_inputs, of_state;
} gates;

static lm_val flat(lm_emit *e, lm_val v)
{
    const lm_shape *s = lm_emit_shape(e, v), to = LM_SHAPE(s->dim[0] * s->dim[1], s->dim[s->rank - 1]);
    return lm_emit_reshape(e, v, &to);
}

/* a transposed times b, both [rows, ...], with an axis for the direction in front. */
static lm_val against(lm_emit *e, lm_val a, lm_val b)
{
    lm_attrs turn = {0};
    turn.matmul.ta = true;
    return lm_emit_unsqueeze(e, lm_emit1(e, LM_OP_MATMUL, &turn, flat(e, a), flat(e, b)), 0);
}

static lm_val to_inputs(const gates *g)
{
    lm_emit *e = g->l->e;
    return lm_emit1(e, LM_OP_MATMUL, NULL, flat(e, g->of_inputs), lm_emit_pick(e, g->l->n->x[LM_REC_W], 0, g->l->way));
}

static lm_val to_weights(const gates *g)
{
    return against(g->l->e, g->of_inputs, g->l->x.here);
}

static lm_val to_recurrence(const gates *g)
{
    return against(g->l->e, g->of_state, g->l->before.here);
}

static lm_val to_bias(const gates *g)
{
    lm_emit *e = g->l->e;
    const lm_val half[] = {lm_emit_reduce(e, LM_OP_REDUCE_SUM, flat(e, g->of_inputs), 1, true),
                           lm_emit_reduce(e, LM_OP_REDUCE_SUM, flat(e, g->of_state), 1, true)};
    return lm_emit_concat(e, 2, half, 1);
}

/* Signals for the operands up to the bias, from what RECURRENT_DX answered. */
static void send(const piece *p, const lm_lane *lane, const lm_val *inputs, const lm_val *back, lm_val *out)
{
    static lm_val (*const of[])(const gates *g) = {to_inputs, to_weights, to_recurrence, to_bias};
    lm_emit *e = p->e;
    const lm_node *n = p->n;
    const lm_shape x = *lm_emit_shape(e, n->x[LM_REC_X]);
    const int last = n->nx <= LM_REC_BIAS ? n->nx - 1 : LM_REC_BIAS;
    lm_val part[LM_REC_BIAS + 1][2];
    for (int d = 0; d < p->ways && e->status == LM_OK; d++) {
        gates g = {.l = &lane[d], .of_state = lm_emit_pick(e, back[0], 1, d)};
        g.of_inputs = g.of_state;
        if (inputs[d] != LM_NOVAL) { /* [T,N,G,H] times the signals at the cells [T,W,N,1,H] */
            lm_val at = lm_emit_pick(e, back[3], 1, d);
            const lm_shape cells = *lm_emit_shape(e, at), whole = *lm_emit_shape(e, g.of_state);
            const int64_t count = whole.dim[2] / cells.dim[2], rows = lm_emit_shape(e, inputs[d])->dim[1];
            const lm_shape one = LM_SHAPE(cells.dim[0], cells.dim[1] / rows, rows, 1, cells.dim[2]);
            const lm_shape many = LM_SHAPE(cells.dim[0], 1, rows, count, cells.dim[2]);
            g.of_inputs = lm_times(e, lm_emit_reshape(e, at, &one), lm_emit_reshape(e, inputs[d], &many));
            g.of_inputs = lm_emit_reshape(e, g.of_inputs, &whole);
        }
        for (int i = LM_REC_X; i <= last; i++)
            part[i][d] = p->want[i] ? of[i](&g) : LM_NOVAL;
    }
    for (int i = LM_REC_X; i <= last && e->status == LM_OK; i++) {
        if (!p->want[i])
            continue;
        if (i > LM_REC_X)
            out[i] = lm_emit_concat(e, p->ways, part[i], 0);
        else
            out[i] = samples_to_blocks(p, p->ways == 1 ? part[i][0] : lm_plus(e, part[i][0], part[i][1]), &x);
    }
}

/* Multipliers times changes: of the results, and of the operands. */
static void trace(const piece *p, const lm_val *s, const lm_val *out)
{
    lm_trace_row row = {.node = p->n};
    const lm_rx r = {.e = p->e, .wide = p->w->wide};
    for (int i = 0; i < p->n->ny + p->n->nx && p->e->status == LM_OK; i++) {
        const bool result = i < p->n->ny;
        const lm_val v = result ? p->n->y[i] : p->n->x[i - p->n->ny];
        const lm_val signal = result ? s[i] : p->want[i - p->n->ny] ? out[i - p->n->ny] : LM_NOVAL;
        if (signal == LM_NOVAL)
            continue;
        lm_val change = lm_wide_result(p->e, LM_WIDE_MERGED, p->w->wide, lm_minus(p->e, v, p->w->twin[v]));
        lm_trace_keep(&r, result ? &row.in : &row.out, lm_times(p->e, signal, change));
    }
    if (p->e->status == LM_OK)
        p->e->status = lm_vec_push(p->w->b->trace, row);
}

static void walk(piece *p, const lm_val *s, lm_val *out)
{
    lm_emit *e = p->e;
    const lm_node *n = p->n;
    lm_lane lane[2];
    lm_val slopes[2], inputs[2], from[3], back[4];
    for (int d = 0; d < p->ways && e->status == LM_OK; d++) {
        lane[d] = lane_of(p, d);
        slopes[d] = lm_emit_unsqueeze(e, lm_recurrent_slopes(&lane[d], &inputs[d]), 1);
    }
    for (int i = 0; i < 3; i++)
        from[i] = i < n->ny && s[i] != LM_NOVAL ? blocks_to_samples(p, s[i], lm_emit_shape(e, n->y[i])) : LM_NOVAL;
    if (e->status != LM_OK)
        return;
    lm_attrs a = {0};
    a.recurrent.way = n->a->recurrent.way;
    const lm_val x[] = {n->x[LM_REC_R], lm_emit_concat(e, p->ways, slopes, 1), from[0], from[1], from[2]};
    lm_emit_op(e, LM_OP_RECURRENT_DX, &a, (int)LM_COUNT(x), x, inputs[0] == LM_NOVAL ? 3 : 4, back);
    send(p, lane, inputs, back, out);
    /* what came to the state ahead of a cell that is the state itself came to its signal at the cell too */
    lm_val h = n->op == LM_OP_LSTM || e->status != LM_OK ? back[1] : lm_plus(e, back[1], back[2]);
    if (operand(n, LM_REC_STATE) != LM_NOVAL && p->want[LM_REC_STATE])
        out[LM_REC_STATE] = samples_to_blocks(p, h, lm_emit_shape(e, n->x[LM_REC_STATE]));
    if (operand(n, LM_REC_CELL) != LM_NOVAL && p->want[LM_REC_CELL])
        out[LM_REC_CELL] = samples_to_blocks(p, back[2], lm_emit_shape(e, n->x[LM_REC_CELL]));
}

bool lm_walk_recurrent(lm_walk_state *w, const lm_node *n, lm_val s[LM_SIGNALS][LM_OUT_MAX], const bool *want,
                       lm_val *out[LM_SIGNALS])
{
    piece p = {.w = w, .e = w->e, .n = n, .want = want, .rescale = w->b->set == &lm_set_deeplift};
    if (!can_walk(&p, s))
        return false;
    p.ways = n->a->recurrent.way == LM_BOTH ? 2 : 1;
    if (n->op == LM_OP_LSTM) {
        p.e->status = lm_graph_ask(p.e->g, n, 4);
        if (p.e->status == LM_OK && p.rescale)
            p.saved0 = kept_there(&p);
    }
    if (p.e->status == LM_OK)
        walk(&p, s[0], out[0]);
    if (p.rescale && w->b->trace)
        trace(&p, s[0], out[0]);
    return true;
}
