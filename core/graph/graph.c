/* Building and freeing graphs. */
#include "core/graph/graph.h"

static const size_t attr_bytes[] = {
#define X(kind) [LM_ATTR_##kind] = sizeof(lm_attr_##kind),
    LM_ATTR_KINDS(X)
#undef X
};

size_t lm_attr_size(lm_opid op)
{
    return attr_bytes[lm_ops[op].attrs];
}

static lm_status value_new(lm_graph *g, const char *name, const lm_type *type, lm_val *out)
{
    LM_REQUIRE(g->values.count < INT32_MAX, LM_UNSUPPORTED, "graph: more than %d values", INT32_MAX);
    lm_value *v;
    LM_ARENA_NEW(&g->arena, v);
    v->type = *type;
    v->use_end = &v->use;
    v->nonneg = lm_dtype_is_unsigned(type->dt) || type->dt == LM_BOOL;
    if (name) {
        v->name = lm_arena_strdup(&g->arena, name);
        if (!v->name)
            return LM_MEMORY;
    }
    LM_TRY(lm_vec_push(&g->values, v));
    *out = (lm_val)g->values.count - 1;
    return LM_OK;
}

lm_status lm_graph_new(lm_graph **out)
{
    lm_graph *g;
    LM_NEW(g);
    lm_type absent = {0};
    absent.sh.rank = LM_ABSENT;
    lm_val zero;
    lm_status status = value_new(g, NULL, &absent, &zero);
    if (status != LM_OK) {
        lm_graph_free(g);
        return status;
    }
    *out = g;
    return LM_OK;
}

void lm_graph_free(lm_graph *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->values.count; i++)
        if (g->values.at[i]->constant)
            lm_buffer_unref(g->values.at[i]->constant->buf);
    for (size_t i = 0; i < g->nodes.count; i++)
        for (int b = 0; b < g->nodes.at[i]->nbody; b++)
            lm_graph_free(g->nodes.at[i]->body[b]);
    lm_vec_free(&g->values);
    lm_vec_free(&g->nodes);
    lm_vec_free(&g->inputs);
    lm_vec_free(&g->outputs);
    lm_map_free(&g->shared);
    lm_arena_free(&g->arena);
    lm_free(g);
}

lm_status lm_graph_input(lm_graph *g, const char *name, const lm_type *type, lm_val *out)
{
    lm_val v = LM_NOVAL;
    LM_TRY(value_new(g, name, type, &v));
    LM_TRY(lm_vec_push(&g->inputs, v));
    *out = v;
    return LM_OK;
}

/* Contents of more elements than this are not looked at: their sign stays unknown. */
enum { SIGN_SCAN = 1 << 16 };

static bool content_nonneg(const lm_view *content)
{
    lm_view c = *content;
    for (int i = 0; i < c.sh.rank; i++)
        if (c.st[i] == 0 && c.sh.dim[i] > 1)
            c.sh.dim[i] = 1; /* the same elements over and over */
    const int64_t n = lm_shape_count(&c.sh);
    if (n > SIGN_SCAN)
        return false;
    const float *row = c.dt == LM_F32 && lm_view_is_row(&c) && lm_view_is_aligned(&c) ? lm_view_data(&c) : NULL;
    for (int64_t i = 0; i < n; i++)
        if ((row ? (double)row[i] : lm_view_get(&c, i)) < 0)
            return false;
    return true;
}

lm_status lm_graph_constant(lm_graph *g, const char *name, const lm_view *content, lm_val *out)
{
    lm_type type = {content->dt, content->sh};
    LM_REQUIRE(content->buf && content->buf->host, LM_USAGE, "constant %s: its content is not on the host",
               name ? name : "(unnamed)");
    LM_TRY(lm_context(lm_view_check(content), "constant %s", name ? name : "(unnamed)"));
    lm_view *copy = lm_arena_copy(&g->arena, content, 1, sizeof *content);
    if (!copy)
        return LM_MEMORY;
    lm_val v = LM_NOVAL;
    LM_TRY(value_new(g, name, &type, &v));
    lm_buffer_ref(copy->buf);
    g->values.at[v]->constant = copy;
    g->values.at[v]->nonneg = content_nonneg(copy);
    *out = v;
    return LM_OK;
}

lm_status lm_graph_name(lm_graph *g, lm_val v, const char *name)
{
    char *copy = lm_arena_strdup(&g->arena, name);
    if (!copy)
        return LM_MEMORY;
    g->values.at[v]->name = copy;
    return LM_OK;
}

lm_status lm_graph_output(lm_graph *g, lm_val v)
{
    return lm_vec_push(&g->outputs, v);
}

/* Text that many nodes share (a scope) is stored once in a row of nodes. */
static lm_status text_copy(lm_graph *g, const char *text, const char *last, const char **out)
{
    *out = text && last && strcmp(text, last) == 0 ? last : NULL;
    if (text && !*out) {
        *out = lm_arena_strdup(&g->arena, text);
        if (!*out)
            return LM_MEMORY;
    }
    return LM_OK;
}

static lm_status node_fill(lm_graph *g, const lm_node_desc *d, lm_node *n)
{
    n->op = d->op;
    n->id = (int32_t)g->nodes.count;
    n->nx = d->nx;
    n->ny = d->ny;
    lm_attrs *a;
    LM_ARENA_NEW(&g->arena, a);
    if (d->a)
        memcpy(a, d->a, lm_attr_size(d->op));
    n->a = a;
    if (d->ep) {
        n->ep = lm_arena_copy(&g->arena, d->ep, 1, sizeof *d->ep);
        if (!n->ep)
            return LM_MEMORY;
    }
    n->x = lm_arena_copy(&g->arena, d->x, (size_t)d->nx, sizeof(lm_val));
    if (!n->x)
        return LM_MEMORY;
    const lm_node *last = g->nodes.count ? g->nodes.at[g->nodes.count - 1] : NULL;
    LM_TRY(text_copy(g, d->name, NULL, &n->name));
    return text_copy(g, d->scope, last ? last->scope : NULL, &n->scope);
}

lm_status lm_graph_node(lm_graph *g, const lm_node_desc *d, const lm_type *y, const lm_node **out)
{
    for (int i = 0; i < d->nx; i++)
        LM_REQUIRE(d->x[i] >= 0 && (size_t)d->x[i] < g->values.count, LM_USAGE,
                   "%s: input %d is no value of this graph", lm_ops[d->op].name, i);
    lm_node *n;
    LM_ARENA_NEW(&g->arena, n);
    LM_TRY(node_fill(g, d, n));
    lm_val *made = lm_arena_alloc(&g->arena, (size_t)d->ny, sizeof *made);
    lm_use *use = lm_arena_alloc(&g->arena, (size_t)d->nx, sizeof *use);
    if (!made || !use)
        return LM_MEMORY;
    LM_TRY(lm_vec_reserve(&g->nodes, g->nodes.count + 1));
    for (int i = 0; i < d->ny; i++)
        LM_TRY(value_new(g, NULL, &y[i], &made[i]));
    n->y = made;
    for (int i = 0; i < d->ny; i++)
        g->values.at[made[i]]->producer = n;
    for (int i = 0; i < d->nx; i++) {
        lm_value *v = g->values.at[d->x[i]];
        use[i] = (lm_use){n, i, NULL};
        *v->use_end = &use[i];
        v->use_end = &use[i].next;
    }
    g->nodes.at[g->nodes.count++] = n;
    *out = n;
    return LM_OK;
}

lm_status lm_graph_ask(lm_graph *g, const lm_node *n, int ny)
{
    lm_node *asked = g->nodes.at[n->id];
    const lm_node_desc d = {.op = n->op, .a = n->a, .ep = n->ep, .nx = n->nx, .ny = ny, .x = n->x};
    lm_type type[LM_OUT_MAX];
    if (ny <= n->ny)
        return LM_OK;
    LM_TRY(lm_infer_node(g, &d, type));
    lm_val *made = lm_arena_alloc(&g->arena, (size_t)ny, sizeof *made);
    if (!made)
        return LM_MEMORY;
    for (int i = 0; i < ny; i++) {
        if (i < n->ny)
            made[i] = n->y[i];
        else
            LM_TRY(value_new(g, NULL, &type[i], &made[i]));
    }
    for (int i = n->ny; i < ny; i++)
        g->values.at[made[i]]->producer = n;
    asked->y = made;
    asked->ny = ny;
    return LM_OK;
}

lm_status lm_graph_body(lm_graph *g, const lm_node *n, lm_graph *body)
{
    lm_node *owner = g->nodes.at[n->id];
    lm_graph **list = lm_arena_alloc(&g->arena, (size_t)owner->nbody + 1, sizeof(lm_graph *));
    if (!list)
        return LM_MEMORY;
    for (int i = 0; i < owner->nbody; i++)
        list[i] = owner->body[i];
    list[owner->nbody] = body;
    owner->body = list;
    owner->nbody++;
    return LM_OK;
}
