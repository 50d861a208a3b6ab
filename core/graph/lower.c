/* How a graph runs fast: the pass that joins ops into fewer, larger ones. */
#include "core/graph/lower.h"

#include "core/graph/passes.h"

/* Bias before residual: what is one number per channel may have the result's shape too. */
static const lm_rewrite_rule rules[] = {
    lm_lower_gemm,  lm_lower_pad,   lm_lower_transpose, lm_lower_depthwise, lm_lower_gain,       lm_lower_batchnorm,
    lm_lower_scale, lm_canon_bias,  lm_lower_shift,     lm_lower_residual,  lm_lower_activation, lm_lower_slope,
    NULL,
};

lm_status lm_lower(const lm_graph *from, const lm_chain *fold, lm_graph **out, lm_val **map)
{
    return lm_rewrite_graph(from, fold, rules, NULL, out, map);
}
