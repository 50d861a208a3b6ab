/* The rule sets that come with Limn, and the building blocks they are made of. */
#ifndef LM_RULES_SETS_H
#define LM_RULES_SETS_H

#include "core/rules/rule.h"

extern const lm_ruleset lm_set_deconv, lm_set_guided, lm_set_smooth;

/* Layer-wise relevance propagation. The signal at a target is its relevance, usually its value. Names as in the
 * command's `rules=`. */
extern const lm_ruleset lm_set_lrp_eps, lm_set_lrp_epsplus, lm_set_lrp_epsplus_flat, lm_set_lrp_gamma_box,
    lm_set_lrp_ab, lm_set_lrp_ab_flat, lm_set_lrp_zplus, lm_set_lrp_wsquare, lm_set_lrp_flat, lm_set_lrp_gamma_all,
    lm_set_lrp_ab_all, lm_set_lrp_box_first, lm_set_deep_taylor, lm_set_deep_taylor_box, lm_set_excitation;

/* LRP with rules for softmax, products of two activations and norms. */
extern const lm_ruleset lm_set_attn_lrp;

/* Needs lm_backward.baseline. */
extern const lm_ruleset lm_set_deeplift, lm_set_deeplift_revealcancel;

/* A set by name ("grad", "lrp_gamma_box"); NULL when there is none. All of them, NULL behind the last. */
const lm_ruleset *lm_set_find(const char *name);
extern const lm_ruleset *const lm_sets[];

/* Building blocks. pass: s to the first operand as it is. cut: nothing goes back. share: to addends in proportion. */
void lm_rule_pass(const lm_rx *r);
void lm_rule_cut(const lm_rx *r);
void lm_rule_share(const lm_rx *r);

#endif
