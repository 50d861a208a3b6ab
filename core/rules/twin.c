/* Copying forward nodes onto baselines. What the emitter can compute, because baselines are constants, it does. */
#include "core/rules/twin.h"

#include "core/base/mem.h"

/* By value: does a target hang on it? */
static lm_status mark_needed(const lm_path *path, const lm_backward *b, bool **out)
{
    bool *need = lm_calloc(path->values, sizeof *need);
    if (!need)
        return LM_MEMORY;
    for (int i = 0; i < b->ntarget; i++)
        need[b->target[i]] = true;
    for (size_t i = path->nodes; i-- > (size_t)path->first;) {
        const lm_node *n = path->g->nodes.at[i];
        bool any = false;
        for (int k = 0; k < n->ny; k++)
            any |= need[n->y[k]];
        for (int k = 0; any && k < n->nx; k++)
            need[n->x[k]] = true;
    }
    *out = need;
    return LM_OK;
}

static lm_status copy_node(lm_emit *e, const lm_node *n, lm_val *twin)
{
    lm_val y[LM_OUT_MAX], *x = lm_malloc((size_t)n->nx, sizeof *x);
    if (!x)
        return LM_MEMORY;
    bool moved = false, known = false;
    for (int i = 0; i < n->nx; i++) {
        x[i] = twin[n->x[i]];
        moved |= x[i] != n->x[i];
    }
    for (int i = 0; i < n->ny; i++)
        known |= twin[n->y[i]] != n->y[i];
    if (moved && !known) {
        const lm_node_desc d = {.op = n->op, .a = n->a, .nx = n->nx, .ny = n->ny, .x = x, .scope = n->scope};
        lm_emit_node(e, &d, y);
        for (int i = 0; i < n->ny && e->status == LM_OK; i++)
            twin[n->y[i]] = y[i];
    }
    lm_free(x);
    return e->status;
}

lm_status lm_twin_emit(lm_emit *e, const lm_path *path, const lm_backward *b, const lm_val *outer, size_t n_outer,
                       lm_val **out)
{
    bool *need = NULL;
    lm_val *twin = lm_malloc(path->values, sizeof *twin);
    lm_status status = twin ? mark_needed(path, b, &need) : LM_MEMORY;
    for (size_t v = 0; status == LM_OK && v < path->values; v++)
        twin[v] = v < n_outer ? outer[v] : (lm_val)v;
    for (int i = 0; status == LM_OK && i < b->nwrt; i++)
        twin[b->wrt[i]] = b->baseline[i];
    for (size_t i = (size_t)path->first; status == LM_OK && i < path->nodes; i++) {
        const lm_node *n = path->g->nodes.at[i];
        bool any = false;
        for (int k = 0; k < n->ny; k++)
            any |= need[n->y[k]];
        if (any)
            status = copy_node(e, n, twin);
    }
    lm_free(need);
    if (status == LM_OK)
        *out = twin;
    else
        lm_free(twin);
    return status;
}
