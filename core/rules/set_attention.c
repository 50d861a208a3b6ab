/* Relevance through transformers and recurrent layers: what LRP refuses gets rules here. Softmax is expanded around its
 * scores, products of two activations give each factor half, norms count their statistic as a constant. In recurrent
 * cells a gate only says how much passes, and what passes keeps all: with halves, relevance would grow at every step by
 * what cancels in the gates' sums, to infinity within a hundred steps. */
#include "core/graph/passes.h"
#include "core/rules/grad.h"
#include "core/rules/linear.h"
#include "core/rules/sets.h"
#include "core/rules/trace.h"

/* x (s - y sum of s) along the axis. A score of -infinity has y = 0 and gets nothing. */
static void taylor(const lm_rx *r)
{
    lm_emit *e = r->e;
    const uint32_t axis = 1u << r->n->a->axis.axis;
    lm_val all = lm_emit_reduce(e, LM_OP_REDUCE_SUM, r->s, axis, true);
    lm_val part = lm_times(e, r->x[0], lm_minus(e, r->s, lm_times(e, r->y, all)));
    lm_val chosen = lm_emit_scalar(e, LM_OP_GREATER, r->y, 0);
    r->out[0] = lm_where_else_0(e, chosen, part);
}

/* The epsilon rule towards each of `shares` factors: a * vjp_a(s / stab(y)) / shares. */
static void divided_among(const lm_rx *r, double shares)
{
    lm_emit *e = r->e;
    lm_rx back = *r;
    lm_val whole = shares == 1 ? r->y : lm_emit_scalar(e, LM_OP_MUL, r->y, shares);
    lm_val away = lm_stabiliser(e, whole, r->options->eps);
    back.s = lm_over(e, r->s, lm_plus(e, whole, away));
    if (r->row)
        lm_trace_keep(r, &r->row->stabiliser, lm_times(e, back.s, away));
    lm_rule_grad(&back);
    for (int i = 0; i < r->n->nx; i++)
        if (r->want[i] && r->out[i] != LM_NOVAL)
            r->out[i] = lm_times(e, r->x[i], r->out[i]);
}

/* A quotient is linear in its numerator; its denominator counts as a constant. */
static void two_factors(const lm_rx *r)
{
    divided_among(r, r->n->op == LM_OP_DIV ? 1 : 2);
    if (r->n->op == LM_OP_DIV)
        r->out[1] = LM_NOVAL;
}

/* Behind a sigmoid, or one less that. */
static bool is_gate(const lm_graph *g, lm_val v)
{
    const lm_node *by = lm_graph_value(g, v)->producer;
    if (by && by->op == LM_OP_SUB)
        by = lm_graph_value(g, by->x[1])->producer;
    return by && (by->op == LM_OP_SIGMOID || by->op == LM_OP_HARDSIGMOID);
}

static void gated(const lm_rx *r)
{
    const bool gate[] = {is_gate(r->e->g, r->n->x[0]), is_gate(r->e->g, r->n->x[1])};
    const int passes = gate[0];
    if (r->n->op != LM_OP_MUL || gate[0] == gate[1] ||
        !lm_shape_equal(lm_emit_shape(r->e, r->x[passes]), lm_emit_shape(r->e, r->s)))
        two_factors(r);
    else
        r->out[passes] = r->s;
}

/* y = (x - mean) / deviation * scale + bias, or without the mean, with 1 / deviation taken for a constant. */
static void statistic_cut(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val x = r->x[0], inverse;
    const uint32_t axes = lm_emit_axes_from(e, x, r->n->a->norm.axis);
    const bool centred = r->n->op == LM_OP_LAYERNORM;
    if (centred) {
        lm_val y[3];
        lm_emit_op(e, LM_OP_LAYERNORM, r->n->a, r->n->nx, r->x, 3, y);
        inverse = lm_emit_cast(e, y[2], lm_emit_type(e, x)->dt);
    } else {
        lm_val mean = lm_emit_reduce(e, LM_OP_REDUCE_MEAN, lm_times(e, x, x), axes, true);
        lm_val size = lm_unary(e, LM_OP_SQRT, lm_emit_scalar(e, LM_OP_ADD, mean, (double)r->n->a->norm.epsilon));
        inverse = lm_unary(e, LM_OP_RECIPROCAL, size);
    }
    lm_val away = lm_stabiliser(e, r->y, r->options->eps), t = lm_over(e, r->s, lm_plus(e, r->y, away));
    if (r->row) {
        lm_trace_keep(r, &r->row->stabiliser, lm_times(e, t, away));
        if (r->n->nx > 2 && r->x[2] != LM_NOVAL)
            lm_trace_keep(r, &r->row->bias, lm_times(e, t, r->x[2]));
    }
    lm_val back = lm_times(e, lm_times(e, t, r->x[1]), inverse);
    if (centred)
        back = lm_minus(e, back, lm_emit_reduce(e, LM_OP_REDUCE_MEAN, back, axes, true));
    r->out[0] = lm_times(e, x, back);
}

#define OP(op_, rule_) {.match = LM_MATCH_OP, .key = LM_OP_##op_, .rule = rule_}
#define CLASS(class_, rule_) {.match = LM_MATCH_CLASS, .key = LM_CLASS_##class_, .rule = rule_}

static const lm_row cell_rows[] = {CLASS(BILINEAR, gated)};
static const lm_ruleset cells = {.name = "attn_lrp", .base = &lm_set_attn_lrp, .rows = cell_rows,
                                 .nrows = (int)LM_COUNT(cell_rows), .deflt = LM_DEFAULT_REFUSE,
                                 .canon = LM_CANON_MERGE | LM_CANON_RAISE, .eps = 1e-9};

/* Products are matched by their class, so that those with weights stay linear. */
static const lm_row rows[] = {
    OP(SOFTMAX, taylor),
    OP(LAYERNORM, statistic_cut),
    OP(RMSNORM, statistic_cut),
    CLASS(BILINEAR, two_factors),
    {.match = LM_MATCH_OP, .key = LM_OP_LSTM, .rule = lm_rule_inside, .cfg = &cells},
    {.match = LM_MATCH_OP, .key = LM_OP_GRU, .rule = lm_rule_inside, .cfg = &cells},
};
const lm_ruleset lm_set_attn_lrp = {.name = "attn_lrp", .base = &lm_set_lrp_eps, .rows = rows,
                                    .nrows = (int)LM_COUNT(rows), .deflt = LM_DEFAULT_REFUSE,
                                    .canon = LM_CANON_MERGE | LM_CANON_RAISE, .eps = 1e-9};
