/* Types of results, for one node while it is being added and for a whole graph again. */
#include "core/graph/graph.h"

/* Operands that fit here need no allocation. */
enum { NEAR = 8 };

static lm_status check_epilogue(const lm_node_desc *d)
{
    const char *name = lm_ops[d->op].name;
    if (!d->ep)
        return LM_OK;
    LM_REQUIRE(lm_ops[d->op].flags & LM_FLAG_EPILOGUE, LM_USAGE, "%s: it cannot carry an epilogue", name);
    LM_REQUIRE(d->nx >= lm_epilogue_inputs(d->ep), LM_USAGE, "%s: its epilogue takes more operands than there are",
               name);
    LM_REQUIRE((!d->ep->active || lm_op_is_unary(d->ep->act)) &&
                   (!d->ep->sloped || lm_op_is_unary((lm_opid)d->ep->slope.of)),
               LM_USAGE, "%s: its activation takes more than one operand", name);
    return LM_OK;
}

/* An epilogue's inputs have the result's type and shape, so it changes neither. `x`: the first of them. */
static lm_status check_operands(const lm_node_desc *d, const lm_type *x, const lm_type *y)
{
    const char *name = lm_ops[d->op].name;
    char is[LM_SHAPE_TEXT], should[LM_SHAPE_TEXT];
    for (int i = 0; i < lm_epilogue_inputs(d->ep); i++)
        LM_REQUIRE(x[i].dt == y->dt && lm_shape_equal(&x[i].sh, &y->sh), LM_INPUT,
                   "%s: the %s is %s%s; expected %s%s like the result", name,
                   i < d->ep->residual ? "residual" : "slope's operand", lm_dtype_name(x[i].dt),
                   lm_shape_text(&x[i].sh, is), lm_dtype_name(y->dt), lm_shape_text(&y->sh, should));
    return LM_OK;
}

lm_status lm_infer_node(const lm_graph *g, const lm_node_desc *d, lm_type *y)
{
    LM_TRY(check_epilogue(d));
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
    const int own = d->nx - lm_epilogue_inputs(d->ep);
    lm_shape_args args = {.op = d->op, .a = d->a ? d->a : &none, .nx = own, .ny = d->ny, .x = type, .value = value};
    lm_status status = lm_op_infer(&args, y);
    if (status == LM_OK && own < d->nx)
        status = check_operands(d, type + own, y);
    lm_free(far);
    return status;
}

lm_status lm_graph_infer(lm_graph *g)
{
    for (size_t i = 0; i < g->nodes.count; i++) {
        const lm_node *n = g->nodes.at[i];
        lm_node_desc d = {.op = n->op, .a = n->a, .ep = n->ep, .nx = n->nx, .ny = n->ny, .x = n->x};
        lm_type y[LM_OUT_MAX];
        lm_status status = lm_infer_node(g, &d, y);
        if (status != LM_OK)
            return lm_context(status, "node %d%s%s", n->id, n->name ? " " : "", n->name ? n->name : "");
        for (int k = 0; k < n->ny; k++)
            lm_graph_value(g, n->y[k])->type = y[k];
    }
    return LM_OK;
}
