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

/* z away from zero: z + eps where z >= 0, z - eps elsewhere. */
lm_val lm_stabilised(lm_emit *e, lm_val z, double eps);

/* The stabiliser of all rules but the epsilon rule. */
#define LM_STAB 1e-6

#endif
