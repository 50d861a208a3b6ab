/* Values of a graph that become inputs of a copy. */
#include "core/graph/cut.h"

typedef struct cutting {
    int n;
    const lm_val *cut;
    bool ready; /* the inputs are there */
} cutting;

static void add_inputs(lm_rewrite *r, const cutting *c)
{
    for (int i = 0; i < c->n && r->e.status == LM_OK; i++) {
        const lm_value *old = lm_graph_value(r->from, c->cut[i]);
        lm_val v = LM_NOVAL;
        if (r->map[c->cut[i]] != LM_NOVAL)
            continue;
        r->e.status = lm_graph_input(r->e.g, old->name, &old->type, &v);
        r->map[c->cut[i]] = v; /* its sign is not the old one's: anything may be fed */
    }
}

/* A node that makes cut values is copied only where it makes others too. */
static bool leave_cut(lm_rewrite *r, const lm_node *n)
{
    cutting *c = r->own;
    if (!c->ready)
        add_inputs(r, c);
    c->ready = true;
    lm_val kept[LM_OUT_MAX];
    int cut = 0;
    for (int i = 0; i < n->ny; i++) {
        kept[i] = r->map[n->y[i]];
        cut += kept[i] != LM_NOVAL;
    }
    if (cut == 0 || r->e.status != LM_OK)
        return r->e.status != LM_OK;
    if (cut == n->ny)
        return true;
    lm_val *x = lm_malloc((size_t)n->nx, sizeof *x), y[LM_OUT_MAX];
    if (!x) {
        r->e.status = LM_MEMORY;
        return true;
    }
    for (int i = 0; i < n->nx; i++)
        x[i] = r->map[n->x[i]];
    const lm_node_desc d = {.op = n->op, .a = n->a, .ep = n->ep, .nx = n->nx, .ny = n->ny, .x = x};
    lm_emit_node(&r->e, &d, y);
    for (int i = 0; i < n->ny; i++)
        r->map[n->y[i]] = kept[i] != LM_NOVAL ? kept[i] : y[i];
    lm_free(x);
    return true;
}

lm_status lm_graph_cut(const lm_graph *from, const lm_chain *fold, int n, const lm_val *cut, lm_graph **out,
                       lm_val **map)
{
    static const lm_rewrite_rule rules[] = {leave_cut, NULL};
    cutting c = {.n = n, .cut = cut};
    return lm_rewrite_graph(from, fold, rules, &c, out, map);
}
