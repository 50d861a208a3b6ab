/* Layer-wise relevance propagation. What has no row is refused: a gradient inside a relevance pass would go unseen. */
#include "core/rules/grad.h"
#include "core/rules/linear.h"
#include "core/rules/sets.h"

void lm_rule_pass(const lm_rx *r)
{
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
    lm_val t = lm_over(e, r->s, lm_stabilised(e, r->y, LM_STAB));
    for (int i = 0; i < 2; i++)
        if (r->want[i]) {
            lm_val part = lm_times(e, r->x[i], t);
            r->out[i] = i == 1 && r->n->op == LM_OP_SUB ? lm_unary(e, LM_OP_NEG, part) : part;
        }
}

#define LINEAR(rule_) .rule = lm_rule_linear, .cfg = &lm_linear_ids[LM_LINEAR_##rule_]
#define CLASS(class_) .match = LM_MATCH_CLASS, .key = LM_CLASS_##class_
#define OP(op_) .match = LM_MATCH_OP, .key = LM_OP_##op_
#define CONVS .match = LM_MATCH_GROUP, .key = LM_GROUP_CONV
#define DENSE .match = LM_MATCH_GROUP, .key = LM_GROUP_DENSE
#define FIRST .match = LM_MATCH_FIRST

/* Max-pools and other choices send everything to the winner, which is what their derivative does. */
static const lm_row eps_rows[] = {
    {CLASS(LINEAR), LINEAR(EPSILON)},        {CLASS(ADD), .rule = lm_rule_share}, {CLASS(ACT), .rule = lm_rule_pass},
    {CLASS(NORM), .rule = lm_rule_pass},     {OP(BATCHNORM), .rule = lm_rule_pass}, {OP(NEG), .rule = lm_rule_pass},
    {CLASS(MOVE), .rule = lm_rule_grad},     {CLASS(SELECT), .rule = lm_rule_grad},
};
static const lm_row epsplus_rows[] = {{CONVS, LINEAR(ZPLUS)}};
static const lm_row epsplus_flat_rows[] = {{CONVS, LINEAR(ZPLUS)}, {FIRST, LINEAR(FLAT)}};
static const lm_row gamma_box_rows[] = {{CONVS, LINEAR(GAMMA)}, {FIRST, LINEAR(BOX)}};
static const lm_row ab_rows[] = {{CONVS, LINEAR(ALPHABETA)}};
static const lm_row ab_flat_rows[] = {{CONVS, LINEAR(ALPHABETA)}, {FIRST, LINEAR(FLAT)}};
static const lm_row zplus_rows[] = {{CONVS, LINEAR(ZPLUS)}, {DENSE, LINEAR(ZPLUS)}};
static const lm_row wsquare_rows[] = {{CONVS, LINEAR(WSQUARE)}, {DENSE, LINEAR(WSQUARE)}};
static const lm_row flat_rows[] = {{CONVS, LINEAR(FLAT)}, {DENSE, LINEAR(FLAT)}};
static const lm_row gamma_rows[] = {{CONVS, LINEAR(GAMMA)}, {DENSE, LINEAR(GAMMA)}};
static const lm_row ab_all_rows[] = {{CONVS, LINEAR(ALPHABETA)}, {DENSE, LINEAR(ALPHABETA)}};
static const lm_row box_first_rows[] = {{FIRST, LINEAR(BOX)}};
static const lm_row taylor_rows[] = {{FIRST, LINEAR(WSQUARE)}};
static const lm_row excitation_rows[] = {{CONVS, LINEAR(EXCITE)}, {DENSE, LINEAR(EXCITE)}};

#define SET(id, name_, base_, rows_)                                                                                   \
    const lm_ruleset id = {                                                                                            \
        .name = name_, .base = base_, .rows = rows_, .nrows = (int)LM_COUNT(rows_), .deflt = LM_DEFAULT_REFUSE}
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
