/* What a network means: the pass that finds ops in their decomposed forms. */
#include "core/graph/canon.h"

#include "core/graph/lower.h"
#include "core/graph/passes.h"

/* Norms before gates and bias: the last node of theirs is a Mul or an Add too. */
#define RAISE lm_canon_layernorm, lm_canon_rmsnorm, lm_canon_gelu, lm_canon_gate, lm_canon_attention
#define MERGE lm_canon_norm_behind, lm_canon_norm_before

static const lm_rewrite_rule usual[] = {RAISE, lm_canon_bias, NULL};

lm_status lm_canon(const lm_graph *from, const lm_chain *fold, lm_graph **out, lm_val **map)
{
    return lm_rewrite_graph(from, fold, usual, NULL, out, map);
}

lm_status lm_canon_for(const lm_graph *from, const lm_chain *fold, uint32_t canon, lm_graph **out, lm_val **map)
{
    static const lm_rewrite_rule neither[] = {lm_lower_gemm, lm_canon_bias, NULL};
    static const lm_rewrite_rule raise[] = {RAISE, lm_lower_gemm, lm_canon_bias, NULL};
    static const lm_rewrite_rule merge[] = {MERGE, lm_lower_gemm, lm_canon_bias, NULL};
    static const lm_rewrite_rule both[] = {MERGE, RAISE, lm_lower_gemm, lm_canon_bias, NULL};
    static const lm_rewrite_rule unit[] = {lm_canon_norm_to_unit, lm_lower_gemm, lm_canon_bias, NULL};
    static const lm_rewrite_rule unit_raise[] = {lm_canon_norm_to_unit, RAISE, lm_lower_gemm, lm_canon_bias, NULL};
    static const lm_rewrite_rule *const by_flags[] = {
        neither, raise, merge, both, /* LM_CANON_UNIT without MERGE says nothing */ neither, raise, unit, unit_raise};
    return lm_rewrite_graph(from, fold, by_flags[canon & 7], NULL, out, map);
}

/* Every pattern has one of these ops in it. */
bool lm_canon_is_one(const lm_graph *g)
{
    for (size_t i = 0; i < g->nodes.count; i++) {
        const lm_node *n = g->nodes.at[i];
        if (n->nbody || n->op == LM_OP_MUL || n->op == LM_OP_DIV || n->op == LM_OP_SOFTMAX || n->op == LM_OP_BATCHNORM)
            return false;
    }
    return true;
}
