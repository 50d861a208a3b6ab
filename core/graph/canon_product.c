/* A constant that is added behind a dense layer or a convolution is its bias. The bits stay: the product adds its bias
 * after its sum, which is never -0. */
#include "core/graph/canon.h"

bool lm_canon_bias(lm_rewrite *r, const lm_node *n)
{
    const lm_graph *g = r->e.g;
    const int orders = n->op == LM_OP_ADD ? 2 : n->op == LM_OP_SUB ? 1 : 0;
    if (!orders || !lm_dtype_is_float(lm_graph_value(r->from, n->y[0])->type.dt))
        return false;
    for (int i = 0; i < orders; i++) {
        const lm_node *p = lm_product_before(r, n->x[i], n);
        if (!p || !lm_graph_value(g, p->x[1])->constant || (p->nx > 2 && p->x[2] != LM_NOVAL))
            continue;
        const char *name = r->e.name;
        r->e.name = NULL;
        lm_val bias = lm_channel_vector(r, n->x[1 - i], p);
        if (bias != LM_NOVAL && n->op == LM_OP_SUB)
            bias = lm_emit1(&r->e, LM_OP_NEG, NULL, bias);
        r->e.name = name;
        if (bias == LM_NOVAL)
            continue;
        r->map[n->y[0]] = lm_emit1(&r->e, p->op, p->a, p->x[0], p->x[1], bias);
        return true;
    }
    return false;
}
