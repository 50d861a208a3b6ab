/* Marking what lies behind the values that signals are wanted for. */
#include "core/rules/path.h"

#include "core/rules/match.h"

static bool is_float(const lm_graph *g, lm_val v)
{
    return lm_dtype_is_float(lm_graph_value(g, v)->type.dt);
}

/* The marks that a node's operands hand on to its results. */
static void mark_node(lm_path *p, const lm_node *n)
{
    uint8_t mark = 0;
    for (int i = 0; i < n->nx; i++)
        mark |= p->mark[n->x[i]] & (LM_ON_PATH | LM_BEHIND_PRODUCT);
    if (!(mark & LM_ON_PATH) || lm_ops[n->op].grad == LM_GRAD_ZERO)
        return;
    if (lm_is_layer(p, n))
        mark |= LM_BEHIND_PRODUCT;
    for (int i = 0; i < n->ny; i++)
        if (is_float(p->g, n->y[i]))
            p->mark[n->y[i]] |= mark;
}

lm_status lm_path_find(const lm_graph *g, int nwrt, const lm_val *wrt, const lm_path *outer, lm_path *out)
{
    lm_path p = {.g = g, .values = g->values.count, .nodes = g->nodes.count, .first = (int32_t)g->nodes.count};
    p.mark = lm_calloc(p.values, sizeof *p.mark);
    if (!p.mark)
        return LM_MEMORY;
    for (int i = 0; i < nwrt; i++) {
        const lm_use *use = lm_graph_value(g, wrt[i])->use;
        p.mark[wrt[i]] |= LM_ON_PATH | LM_PATH_WRT;
        if (outer && (size_t)wrt[i] < outer->values)
            p.mark[wrt[i]] |= outer->mark[wrt[i]] & LM_BEHIND_PRODUCT;
        if (use && use->node->id < p.first)
            p.first = use->node->id;
    }
    for (size_t i = (size_t)p.first; i < p.nodes; i++)
        mark_node(&p, g->nodes.at[i]);
    *out = p;
    return LM_OK;
}

void lm_path_free(lm_path *path)
{
    lm_free(path->mark);
    path->mark = NULL;
}

/* Nothing comes back through the node. */
static bool is_cut(const lm_graph *g, const lm_node *n, bool flat)
{
    const lm_gradstate grad = lm_ops[n->op].grad;
    return grad == LM_GRAD_OPAQUE || (flat && (grad == LM_GRAD_ZERO || !is_float(g, n->y[0])));
}

lm_status lm_path_cut(const lm_path *path, int nwrt, const lm_val *wrt, lm_val target, bool flat, const lm_node **out)
{
    const lm_graph *g = path->g;
    *out = NULL;
    /* by value: the last such node on its way from wrt, and whether it depends on wrt at all */
    const lm_node **cut = lm_calloc(path->values, sizeof(lm_node *));
    bool *depends = lm_calloc(path->values, sizeof *depends);
    if (!cut || !depends) {
        lm_free(cut);
        lm_free(depends);
        return LM_MEMORY;
    }
    for (int i = 0; i < nwrt; i++)
        depends[wrt[i]] = true;
    for (size_t i = (size_t)path->first; i < path->nodes; i++) {
        const lm_node *n = g->nodes.at[i], *by = NULL;
        bool any = false;
        for (int k = 0; k < n->nx; k++)
            if (depends[n->x[k]]) {
                any = true;
                by = cut[n->x[k]] ? cut[n->x[k]] : by;
            }
        if (any && is_cut(g, n, flat))
            by = n;
        for (int k = 0; any && k < n->ny; k++) {
            depends[n->y[k]] = true;
            cut[n->y[k]] = by;
        }
    }
    *out = cut[target];
    lm_free(cut);
    lm_free(depends);
    return LM_OK;
}
