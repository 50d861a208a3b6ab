/* Types of results, for one node while it is being added and for a whole graph again. */
#include "core/graph/graph.h"

/* Operands that fit here need no allocation. */
enum { NEAR = 8 };

lm_status lm_infer_node(const lm_graph *g, const lm_node_desc *d, lm_type *y)
{
    lm_type near_type[NEAR], *type = near_type;
    const lm_view *near_value[NEAR], **value = near_value;
    void *far = NULL;
    if (d->nx > NEAR) {
        far = lm_malloc((size_t)d->nx, sizeof *type + sizeof *value);
        if (!far)
            return LM_MEMORY;
        type = far;
        value = (const lm_view **)(void *)(type + d->nx);
    }
    for (int i = 0; i < d->nx; i++) {
        const lm_value *v = lm_graph_value(g, d->x[i]);
        type[i] = v->type;
        value[i] = v->constant;
    }
    lm_attrs none;
    memset(&none, 0, sizeof none);
    lm_shape_args args = {.op = d->op, .a = d->a ? d->a : &none, .nx = d->nx, .ny = d->ny, .x = type, .value = value};
    lm_status status = lm_op_infer(&args, y);
    lm_free(far);
    return status;
}

lm_status lm_graph_infer(lm_graph *g)
{
    for (size_t i = 0; i < g->nodes.count; i++) {
        const lm_node *n = g->nodes.at[i];
        lm_node_desc d = {.op = n->op, .a = n->a, .nx = n->nx, .ny = n->ny, .x = n->x};
        lm_type y[LM_OUT_MAX];
        lm_status status = lm_infer_node(g, &d, y);
        if (status != LM_OK)
            return lm_context(status, "node %d%s%s", n->id, n->name ? " " : "", n->name ? n->name : "");
        for (int k = 0; k < n->ny; k++)
            lm_graph_value(g, n->y[k])->type = y[k];
    }
    return LM_OK;
}
