/* All rule sets, by name. */
#include "core/rules/sets.h"

#include <string.h>

const lm_ruleset *const lm_sets[] = {
    &lm_set_grad,           &lm_set_deconv,        &lm_set_guided,        &lm_set_smooth,
    &lm_set_lrp_eps,        &lm_set_lrp_epsplus,   &lm_set_lrp_epsplus_flat, &lm_set_lrp_gamma_box,
    &lm_set_lrp_ab,         &lm_set_lrp_ab_flat,   &lm_set_lrp_zplus,     &lm_set_lrp_wsquare,
    &lm_set_lrp_flat,       &lm_set_lrp_gamma_all, &lm_set_lrp_ab_all,    &lm_set_lrp_box_first,
    &lm_set_deep_taylor,    &lm_set_deep_taylor_box, &lm_set_excitation,  &lm_set_deeplift,
    &lm_set_attn_lrp,       &lm_set_deeplift_revealcancel, NULL,
};

const lm_ruleset *lm_set_find(const char *name)
{
    for (const lm_ruleset *const *s = lm_sets; *s; s++)
        if (strcmp((*s)->name, name) == 0)
            return *s;
    return NULL;
}
