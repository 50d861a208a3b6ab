/* What reaches an output, and getting rid of the rest. */
#include "core/graph/fold.h"
#include "core/graph/rewrite.h"

lm_status lm_graph_live(const lm_graph *g, bool **out)
{
    bool *live = lm_calloc(g->values.count, sizeof *live);
    if (!live)
        return LM_MEMORY;
    for (size_t i = 0; i < g->outputs.count; i++)
        live[g->outputs.at[i]] = true;
    for (size_t i = g->nodes.count; i-- > 0;) {
        const lm_node *n = g->nodes.at[i];
        bool needed = false;
        for (int k = 0; k < n->ny; k++)
            needed |= live[n->y[k]];
        for (int k = 0; needed && k < n->nx; k++)
            live[n->x[k]] = true;
    }
    live[LM_NOVAL] = false;
    *out = live;
    return LM_OK;
}

static bool stays(const lm_node *n, const bool *live)
{
    for (int i = 0; i < n->ny; i++)
        if (live[n->y[i]])
            return true;
    return false;
}

/* Uses by nodes that go, whose number is -1 by now. */
static void forget_uses(lm_value *v)
{
    lm_use **to = &v->use;
    for (lm_use *u = v->use; u; u = u->next)
        if (u->node->id >= 0) {
            *to = u;
            to = &u->next;
        }
    *to = NULL;
    v->use_end = to;
}

static void keep_nodes(lm_graph *g, const bool *live)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->nodes.count; i++) {
        lm_node *n = g->nodes.at[i];
        n->id = stays(n, live) ? (int32_t)kept : -1;
        if (n->id >= 0)
            g->nodes.at[kept++] = n;
    }
    g->nodes.count = kept;
}

/* All results of a node stay, used or not. */
static void keep_values(lm_graph *g, const bool *live, lm_val *number)
{
    for (size_t i = 0; i < g->inputs.count; i++)
        number[g->inputs.at[i]] = 1;
    size_t kept = 1;
    for (size_t v = 1; v < g->values.count; v++) {
        lm_value *value = g->values.at[v];
        const bool stay = live[v] || number[v] || (value->producer && value->producer->id >= 0);
        number[v] = stay ? (lm_val)kept : LM_NOVAL;
        if (stay) {
            g->values.at[kept++] = value;
            forget_uses(value);
        } else if (value->constant) {
            lm_buffer_unref(value->constant->buf);
        }
    }
    g->values.count = kept;
    forget_uses(g->values.at[LM_NOVAL]);
}

static void renumber(lm_graph *g, const lm_val *number)
{
    for (size_t i = 0; i < g->nodes.count; i++) {
        const lm_node *n = g->nodes.at[i];
        /* the arrays lie in the graph's arena; they are const for readers only */
        lm_val *x = (lm_val *)n->x, *y = (lm_val *)n->y;
        for (int k = 0; k < n->nx; k++)
            x[k] = number[x[k]];
        for (int k = 0; k < n->ny; k++)
            y[k] = number[y[k]];
    }
    for (size_t i = 0; i < g->inputs.count; i++)
        g->inputs.at[i] = number[g->inputs.at[i]];
    for (size_t i = 0; i < g->outputs.count; i++)
        g->outputs.at[i] = number[g->outputs.at[i]];
}

/* The keys of nodes hold the numbers of their operands. */
static lm_status share_again(lm_graph *g)
{
    lm_share_key key;
    lm_map_free(&g->shared);
    for (size_t v = 1; v < g->values.count; v++)
        if (g->values.at[v]->constant) {
            lm_share_constant_key(g->values.at[v]->constant, &key);
            LM_TRY(lm_share_put(g, &key, (lm_val)v));
        }
    for (size_t i = 0; i < g->nodes.count; i++) {
        const lm_node *n = g->nodes.at[i];
        const lm_node_desc d = {.op = n->op, .a = n->a, .ep = n->ep, .nx = n->nx, .ny = n->ny, .x = n->x};
        lm_share_node_key(&d, &key);
        LM_TRY(lm_share_put(g, &key, n->y[0]));
    }
    return LM_OK;
}

lm_status lm_graph_prune(lm_graph *g, lm_val *number)
{
    bool *live = NULL;
    lm_val *own = NULL;
    const bool shares = g->shared.count > 0;
    const size_t bytes = g->values.count * sizeof *number;
    LM_TRY(lm_graph_live(g, &live));
    if (!number) {
        number = own = lm_malloc(bytes, 1);
        if (!own) {
            lm_free(live);
            return LM_MEMORY;
        }
    }
    memset(number, 0, bytes);
    keep_nodes(g, live);
    keep_values(g, live, number);
    renumber(g, number);
    lm_free(live);
    lm_free(own);
    return shares ? share_again(g) : LM_OK;
}
