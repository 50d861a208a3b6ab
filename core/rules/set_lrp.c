/* Layer-wise relevance propagation. What has no row is refused: a gradient inside a relevance pass would go unseen. */
#include "core/graph/passes.h"
#include "core/rules/grad.h"
#include "core/rules/linear.h"
#include "core/rules/sets.h"
#include "core/rules/trace.h"

void lm_rule_pass(const lm_rx *r)
{
    lm_emit *e = r->e;
    if (lm_ops[r->n->op].cls == LM_CLASS_MOVE) { /* back to where it was moved from */
        lm_rule_grad(r);
        return;
    }
    if (lm_shape_count(lm_emit_shape(e, r->s)) != lm_shape_count(lm_emit_shape(e, r->x[0]))) {
        lm_emit_fail(e, LM_USAGE, "%s: its operand and its result differ in shape, so nothing passes as it is",
                     lm_ops[r->n->op].name);
        return;
    }
    r->out[0] = r->s;
}

void lm_rule_cut(const lm_rx *r)
{
    (void)r;
}

/* a + b: a s / (a + b) and b s / (a + b); of a - b the second addend is -b. */
void lm_rule_share(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val away = lm_stabiliser(e, r->y, r->options->stab), t = lm_over(e, r->s, lm_plus(e, r->y, away));
    for (int i = 0; i < 2; i++) {
        if (!r->want[i] && !r->row)
            continue;
        lm_val part = lm_times(e, r->x[i], t);
        if (i == 1 && r->n->op == LM_OP_SUB)
            part = lm_unary(e, LM_OP_NEG, part);
        if (r->want[i])
            r->out[i] = part;
        else
            lm_trace_keep(r, &r->row->bias, part);
    }
    if (r->row)
        lm_trace_keep(r, &r->row->stabiliser, lm_times(e, t, away));
}

/* The epsilon rule towards the one operand of a node: x vjp_x(s / stab(y)). */
static void of_result(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val away = lm_stabiliser(e, r->y, r->options->eps);
    lm_rx back = *r;
    back.s = lm_over(e, r->s, lm_plus(e, r->y, away));
    lm_rule_grad(&back);
    if (e->status == LM_OK && r->out[0] != LM_NOVAL)
        r->out[0] = lm_times(e, r->x[0], r->out[0]);
    if (r->row)
        lm_trace_keep(r, &r->row->stabiliser, lm_times(e, back.s, away));
}

/* Everything to the winner, which is what the derivative does. */
static void max_pool(const lm_rx *r)
{
    if (r->options->pool_eps)
        of_result(r);
    else
        lm_rule_grad(r);
}

/* A vector of channels against x: [C,1,1...]. */
static lm_val beside(const lm_rx *r, lm_val v)
{
    lm_shape shape = {.rank = lm_emit_shape(r->e, r->x[0])->rank - 1};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i == 0 ? lm_emit_shape(r->e, v)->dim[0] : 1;
    return lm_emit_reshape(r->e, v, &shape);
}

/* Batch norms that are not part of a product: y = gain x + rest. */
static void batch_norm(const lm_rx *r)
{
    lm_emit *e = r->e;
    if (!r->options->norm_eps || e->status != LM_OK || lm_emit_shape(e, r->x[0])->rank < 2) {
        lm_rule_pass(r);
        return;
    }
    lm_val sigma = lm_unary(e, LM_OP_SQRT, lm_emit_scalar(e, LM_OP_ADD, r->x[4], (double)r->n->a->norm.epsilon));
    lm_val gain = beside(r, lm_over(e, r->x[1], sigma)), away = lm_stabiliser(e, r->y, r->options->eps);
    lm_val t = lm_over(e, r->s, lm_plus(e, r->y, away)), own = lm_times(e, r->x[0], gain);
    r->out[0] = lm_times(e, own, t);
    if (!r->row)
        return;
    lm_trace_keep(r, &r->row->stabiliser, lm_times(e, t, away));
    lm_trace_keep(r, &r->row->bias, lm_times(e, t, lm_minus(e, r->y, own)));
}

#define LINEAR(rule_) .rule = lm_rule_linear, .cfg = &lm_linear_ids[LM_LINEAR_##rule_]
#define CLASS(class_) .match = LM_MATCH_CLASS, .key = LM_CLASS_##class_
#define OP(op_) .match = LM_MATCH_OP, .key = LM_OP_##op_
#define CONVS .match = LM_MATCH_GROUP, .key = LM_GROUP_CONV
#define DENSE .match = LM_MATCH_GROUP, .key = LM_GROUP_DENSE
#define FIRST .match = LM_MATCH_FIRST

/* Other choices than max-pools send everything to the winner too. */
static const lm_row eps_rows[] = {
    {CLASS(LINEAR), LINEAR(EPSILON)},        {CLASS(ADD), .rule = lm_rule_share}, {CLASS(ACT), .rule = lm_rule_pass},
    {CLASS(NORM), .rule = lm_rule_pass},     {OP(BATCHNORM), .rule = batch_norm}, {OP(NEG), .rule = lm_rule_pass},
    {CLASS(MOVE), .rule = lm_rule_grad},     {CLASS(SELECT), .rule = lm_rule_grad}, {OP(MAXPOOL), .rule = max_pool},
};
static const lm_row epsplus_rows[] = {{CONVS, LINEAR(ZPLUS)}};
static const lm_row epsplus_flat_rows[] = {{CONVS, LINEAR(ZPLUS)}, {FIRST, LINEAR(FLAT)}};
static const lm_row gamma_box_rows[] = {{CONVS, LINEAR(GAMMA)}, {FIRST, LINEAR(BOX)}};
static const lm_row ab_rows[] = {{CONVS, LINEAR(ALPHABETA)}};
static const lm_row ab_flat_rows[] = {{CONVS, LINEAR(ALPHABETA)}, {FIRST, LINEAR(FLAT)}};
static const lm_row zplus_rows[] = {{CONVS, LINEAR(ZPLUS)}, {DENSE, LINEAR(ZPLUS)}};
/* Every linear node: where these send relevance to what is zero, an average by another rule would lose it. */
static const lm_row wsquare_rows[] = {{CLASS(LINEAR), LINEAR(WSQUARE)}, {OP(BATCHNORM), .rule = batch_norm}};
static const lm_row flat_rows[] = {{CLASS(LINEAR), LINEAR(FLAT)}, {OP(BATCHNORM), .rule = batch_norm}};
static const lm_row gamma_rows[] = {{CONVS, LINEAR(GAMMA)}, {DENSE, LINEAR(GAMMA)}};
static const lm_row ab_all_rows[] = {{CONVS, LINEAR(ALPHABETA)}, {DENSE, LINEAR(ALPHABETA)}};
static const lm_row box_first_rows[] = {{FIRST, LINEAR(BOX)}};
static const lm_row taylor_rows[] = {{FIRST, LINEAR(WSQUARE)}};
static const lm_row excitation_rows[] = {{CONVS, LINEAR(EXCITE)}, {DENSE, LINEAR(EXCITE)}};

#define SET(id, name_, base_, rows_)                                                                                   \
    const lm_ruleset id = {                                                                                            \
        .name = name_, .base = base_, .rows = rows_, .nrows = (int)LM_COUNT(rows_), .deflt = LM_DEFAULT_REFUSE,        \
        .canon = LM_CANON_MERGE | LM_CANON_RAISE}
SET(lm_set_lrp_eps, "lrp_eps", NULL, eps_rows);
SET(lm_set_lrp_epsplus, "lrp_epsplus", &lm_set_lrp_eps, epsplus_rows);
SET(lm_set_lrp_epsplus_flat, "lrp_epsplus_flat", &lm_set_lrp_eps, epsplus_flat_rows);
SET(lm_set_lrp_gamma_box, "lrp_gamma_box", &lm_set_lrp_eps, gamma_box_rows);
SET(lm_set_lrp_ab, "lrp_ab", &lm_set_lrp_eps, ab_rows);
SET(lm_set_lrp_ab_flat, "lrp_ab_flat", &lm_set_lrp_eps, ab_flat_rows);
SET(lm_set_lrp_zplus, "lrp_zplus", &lm_set_lrp_eps, zplus_rows);
SET(lm_set_lrp_wsquare, "lrp_w2", &lm_set_lrp_eps, wsquare_rows);
SET(lm_set_lrp_flat, "lrp_flat", &lm_set_lrp_eps, flat_rows);
SET(lm_set_lrp_gamma_all, "lrp_gamma_all", &lm_set_lrp_eps, gamma_rows);
SET(lm_set_lrp_ab_all, "lrp_ab_all", &lm_set_lrp_eps, ab_all_rows);
SET(lm_set_lrp_box_first, "lrp_box_first", &lm_set_lrp_eps, box_first_rows);
SET(lm_set_deep_taylor, "deep_taylor", &lm_set_lrp_zplus, taylor_rows);
SET(lm_set_deep_taylor_box, "deep_taylor_box", &lm_set_lrp_zplus, box_first_rows);
SET(lm_set_excitation, "excitation", &lm_set_lrp_eps, excitation_rows);
