/* Gradients with another gate at rectifiers. Other activations keep their derivative. */
#include <math.h>

#include "core/rules/grad.h"
#include "core/rules/sets.h"

static bool is_gated(const lm_rx *r)
{
    return r->n->op == LM_OP_RELU || (r->options->relu6 && r->n->a->act.a == 0);
}

/* deconv: signals that are positive, wherever the rectifier stood. */
static void gate_signal(const lm_rx *r)
{
    if (is_gated(r))
        r->out[0] = lm_unary(r->e, LM_OP_RELU, r->s);
    else
        lm_rule_grad(r);
}

/* guided: positive signals where the rectifier was open. */
static void gate_both(const lm_rx *r)
{
    lm_rx positive = *r;
    if (is_gated(r))
        positive.s = lm_unary(r->e, LM_OP_RELU, r->s);
    lm_rule_grad(&positive);
}

/* smooth: the derivative of softplus(beta x) / beta. */
static void soft_gate(const lm_rx *r)
{
    lm_val scaled = lm_emit_scalar(r->e, LM_OP_MUL, r->x[0], r->options->smooth);
    r->out[0] = lm_times(r->e, r->s, lm_unary(r->e, LM_OP_SIGMOID, scaled));
}

#define ON(op_, rule_) {.match = LM_MATCH_OP, .key = LM_OP_##op_, .rule = rule_}
static const lm_row deconv[] = {ON(RELU, gate_signal), ON(CLIP, gate_signal)};
static const lm_row guided[] = {ON(RELU, gate_both), ON(CLIP, gate_both)};
static const lm_row smooth[] = {ON(RELU, soft_gate)};

#define SET(name_, rows_)                                                                                              \
    {.name = name_, .base = &lm_set_grad, .rows = rows_, .nrows = (int)LM_COUNT(rows_), .deflt = LM_DEFAULT_GRAD}
const lm_ruleset lm_set_deconv = SET("deconv", deconv);
const lm_ruleset lm_set_guided = SET("guided", guided);
const lm_ruleset lm_set_smooth = SET("smooth", smooth);
