/* Fused elementwise ops, step by step. */
#include "core/graph/expand.h"

void lm_expand_fused(lm_emit *e, const lm_composite *c)
{
    const lm_attr_fused *f = &c->a->fused;
    lm_val made[LM_FUSED_STEPS];
    for (int i = 0; i < f->n; i++) {
        const lm_fused_step *step = &f->step[i];
        lm_val x[3];
        lm_attrs a;
        const int nx = lm_ops[step->op].min_in;
        for (int k = 0; k < nx; k++)
            x[k] = step->x[k] < LM_FUSED_IN ? c->x[step->x[k]] : made[step->x[k] - LM_FUSED_IN];
        lm_fused_attrs(step, &a);
        made[i] = lm_emit_one(e, (lm_opid)step->op, &a, nx, x);
    }
    c->y[0] = made[f->n - 1];
}
