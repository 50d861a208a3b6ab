/* Copying a graph through rules. */
#include "core/graph/rewrite.h"

#include "core/graph/fold.h"

/* Constants come over when somebody asks for them. A named one stays a value of its own. */
static lm_val copy_constant(lm_rewrite *r, const lm_value *old)
{
    if (!old->name)
        return lm_emit_content(&r->e, old->constant);
    lm_val v = LM_NOVAL;
    r->e.status = lm_graph_constant(r->e.g, old->name, old->constant, &v);
    if (r->e.status == LM_OK && r->e.fold) {
        lm_share_key key;
        lm_share_constant_key(old->constant, &key);
        r->e.status = lm_share_put(r->e.g, &key, v);
    }
    return r->e.status == LM_OK ? v : LM_NOVAL;
}

lm_val lm_rewrite_in(lm_rewrite *r, lm_val v)
{
    const lm_value *old = lm_graph_value(r->from, v);
    if (r->map[v] == LM_NOVAL && old->constant && r->e.status == LM_OK)
        r->map[v] = copy_constant(r, old);
    return r->map[v];
}

const lm_node *lm_rewrite_consumer(const lm_rewrite *r, lm_val v)
{
    const lm_node *only = NULL;
    for (size_t i = 0; i < r->from->outputs.count; i++)
        if (r->from->outputs.at[i] == v)
            return NULL;
    for (const lm_use *u = lm_graph_value(r->from, v)->use; u; u = u->next) {
        bool live = false;
        for (int i = 0; i < u->node->ny; i++)
            live |= r->live[u->node->y[i]];
        if (!live)
            continue;
        if (only && only != u->node)
            return NULL;
        only = u->node;
    }
    return only;
}

static int results_wanted(const lm_rewrite *r, const lm_node *n)
{
    int ny = n->ny;
    while (ny > 0 && !r->live[n->y[ny - 1]])
        ny--;
    return ny;
}

static void copy_node(lm_rewrite *r, const lm_node *n, int ny)
{
    lm_val near[8], y[LM_OUT_MAX], *x = near;
    if ((size_t)n->nx > LM_COUNT(near)) {
        x = lm_malloc((size_t)n->nx, sizeof *x);
        if (!x) {
            r->e.status = LM_MEMORY;
            return;
        }
    }
    for (int i = 0; i < n->nx; i++)
        x[i] = r->map[n->x[i]];
    const lm_node_desc d = {.op = n->op, .a = n->a, .ep = n->ep, .nx = n->nx, .ny = ny, .x = x};
    lm_emit_node(&r->e, &d, y);
    for (int i = 0; i < ny; i++)
        r->map[n->y[i]] = y[i];
    if (x != near)
        lm_free(x);
}

/* A value that took the place of several keeps the first name it had. */
static void copy_names(lm_rewrite *r, const lm_node *n)
{
    for (int i = 0; i < n->ny && r->e.status == LM_OK; i++) {
        const char *name = lm_graph_value(r->from, n->y[i])->name;
        lm_val v = r->map[n->y[i]];
        if (name && v != LM_NOVAL && !lm_graph_value(r->e.g, v)->name)
            r->e.status = lm_graph_name(r->e.g, v, name);
    }
}

static void rewrite_node(lm_rewrite *r, const lm_node *n, const lm_rewrite_rule *rules)
{
    const int ny = results_wanted(r, n);
    if (ny == 0)
        return;
    if (n->nbody) {
        lm_emit_fail(&r->e, LM_UNSUPPORTED, "%s: a node with bodies cannot be copied", lm_ops[n->op].name);
        return;
    }
    for (int i = 0; i < n->nx; i++)
        lm_rewrite_in(r, n->x[i]);
    r->e.scope = n->scope;
    bool done = false;
    for (int i = 0; rules && rules[i] && !done && r->e.status == LM_OK; i++) {
        r->e.name = n->name;
        done = rules[i](r, n);
    }
    r->e.name = n->name;
    if (!done)
        copy_node(r, n, ny);
    copy_names(r, n);
}

static lm_status copy(lm_rewrite *r, const lm_rewrite_rule *rules)
{
    const lm_graph *from = r->from;
    for (size_t i = 0; i < from->inputs.count; i++) {
        const lm_value *old = lm_graph_value(from, from->inputs.at[i]);
        lm_val *v = &r->map[from->inputs.at[i]];
        LM_TRY(lm_graph_input(r->e.g, old->name, &old->type, v));
        lm_graph_value(r->e.g, *v)->nonneg = old->nonneg;
    }
    for (size_t i = 0; i < from->nodes.count && r->e.status == LM_OK; i++)
        rewrite_node(r, from->nodes.at[i], rules);
    LM_TRY(r->e.status);
    for (size_t i = 0; i < from->outputs.count; i++) {
        lm_val v = lm_rewrite_in(r, from->outputs.at[i]);
        LM_TRY(r->e.status);
        LM_TRY(lm_graph_output(r->e.g, v));
    }
    return LM_OK;
}

/* Old numbers to the numbers after pruning. */
static lm_status finish(lm_rewrite *r)
{
    lm_val *number = lm_malloc(r->e.g->values.count, sizeof *number);
    if (!number)
        return LM_MEMORY;
    lm_status status = lm_graph_prune(r->e.g, number);
    for (size_t v = 0; status == LM_OK && v < r->from->values.count; v++)
        r->map[v] = number[r->map[v]];
    lm_free(number);
    return status;
}

lm_status lm_rewrite_graph(const lm_graph *from, const lm_chain *fold, const lm_rewrite_rule *rules, void *own,
                           lm_graph **out, lm_val **map)
{
    lm_rewrite r = {.from = from, .e = {.fold = fold}, .own = own};
    lm_status status;
    LM_TRY(lm_graph_new(&r.e.g));
    r.map = lm_calloc(from->values.count, sizeof *r.map);
    if (!r.map) {
        status = LM_MEMORY;
        goto out;
    }
    LM_TRY_OUT(lm_graph_live(from, &r.live));
    LM_TRY_OUT(copy(&r, rules));
    LM_TRY_OUT(finish(&r));
    *out = r.e.g;
    r.e.g = NULL;
    if (map) {
        *map = r.map;
        r.map = NULL;
    }
out:
    lm_graph_free(r.e.g);
    lm_free(r.map);
    lm_free(r.live);
    return status;
}
