/* What a network means: the pass that finds ops in their decomposed forms. */
#include "core/graph/canon.h"

#include "core/graph/passes.h"

/* Norms before gates and bias: the last node of theirs is a Mul or an Add too. */
static const lm_rewrite_rule rules[] = {
    lm_canon_layernorm, lm_canon_rmsnorm, lm_canon_gelu, lm_canon_gate, lm_canon_attention, lm_canon_bias, NULL,
};

lm_status lm_canon(const lm_graph *from, const lm_chain *fold, lm_graph **out, lm_val **map)
{
    return lm_rewrite_graph(from, fold, rules, NULL, out, map);
}
