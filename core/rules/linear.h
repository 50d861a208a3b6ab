/* The linear rule, which every relevance rule for linear nodes is a table row of (linear.def). */
#ifndef LM_RULES_LINEAR_H
#define LM_RULES_LINEAR_H

#include "core/rules/rule.h"

typedef enum lm_linear_id {
#define LM_LINEAR(rule, stabiliser, gate) LM_LINEAR_##rule,
#define LM_BRANCH(rule, x, w, bias, group, coefficient)
#include "core/rules/linear.def"
#undef LM_LINEAR
#undef LM_BRANCH
    LM_LINEARS
} lm_linear_id;

/* What rows point to as cfg: `&lm_linear_ids[LM_LINEAR_GAMMA]`. */
extern const lm_linear_id lm_linear_ids[LM_LINEARS];

void lm_rule_linear(const lm_rx *r); /* cfg: const lm_linear_id * */

/* What keeps z off zero when it is added: eps where z >= 0, -eps elsewhere. */
lm_val lm_stabiliser(lm_emit *e, lm_val z, double eps);

/* The node's linear map of its one operand that signals are wanted for, without bias, with its weights or the part of
 * them that is above or below zero: `x` in place of the operand, or a signal back. LM_NOVAL: that part is empty. */
typedef enum lm_linear_part { LM_LINEAR_ALL, LM_LINEAR_POS, LM_LINEAR_NEG } lm_linear_part;
lm_val lm_linear_apply(const lm_rx *r, lm_linear_part part, lm_val x);
lm_val lm_linear_back(const lm_rx *r, lm_linear_part part, lm_val t);
int lm_linear_operand(const lm_rx *r);

#endif
