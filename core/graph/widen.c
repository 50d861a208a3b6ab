/* Copying a graph node by node into wider types. */
#include "core/graph/widen.h"

#include <string.h>

typedef struct widening {
    const lm_graph *from;
    lm_dtype to;
    lm_emit e;
    lm_val *map;
} widening;

static lm_dtype wider(lm_dtype dt, lm_dtype to)
{
    return lm_dtype_is_float(dt) && lm_dtype_size(dt) < lm_dtype_size(to) ? to : dt;
}

static lm_status wide_content(const lm_view *x, lm_dtype to, lm_view *out)
{
    LM_TRY(lm_view_new(to, &x->sh, out));
    const int64_t n = lm_shape_count(&x->sh);
    if (to == LM_F64 && x->dt == LM_F32 && lm_view_is_row(x)) {
        const char *in = lm_view_data(x);
        double *y = lm_view_data(out);
        for (int64_t i = 0; i < n; i++) {
            float value; /* constants may lie at any address */
            memcpy(&value, in + i * (int64_t)sizeof value, sizeof value);
            y[i] = value;
        }
        return LM_OK;
    }
    for (int64_t i = 0; i < n; i++)
        lm_view_set(out, i, lm_view_get(x, i));
    return LM_OK;
}

static lm_status widen_constant(widening *w, const lm_value *v, lm_val *out)
{
    lm_view wide;
    if (wider(v->type.dt, w->to) == v->type.dt)
        return lm_graph_constant(w->e.g, v->name, v->constant, out);
    LM_TRY(wide_content(v->constant, w->to, &wide));
    lm_status status = lm_graph_constant(w->e.g, v->name, &wide, out);
    lm_buffer_unref(wide.buf);
    return status;
}

static lm_status operand(widening *w, lm_val v, lm_val *out)
{
    const lm_value *old = lm_graph_value(w->from, v);
    if (w->map[v] == LM_NOVAL && old->constant)
        LM_TRY(widen_constant(w, old, &w->map[v]));
    *out = w->map[v];
    return LM_OK;
}

static lm_status widen_operands(widening *w, const lm_node *n, lm_val *x)
{
    lm_val y[LM_OUT_MAX];
    lm_attrs a = *n->a;
    LM_REQUIRE(!n->nbody, LM_UNSUPPORTED, "%s: a node with bodies cannot be computed in another type",
               lm_ops[n->op].name);
    if (n->op == LM_OP_CAST)
        a.cast.to = wider(a.cast.to, w->to);
    for (int i = 0; i < n->nx; i++)
        LM_TRY(operand(w, n->x[i], &x[i]));
    w->e.scope = n->scope;
    const lm_node_desc d = {.op = n->op, .a = &a, .ep = n->ep, .nx = n->nx, .ny = n->ny, .x = x, .name = n->name};
    lm_emit_node(&w->e, &d, y);
    for (int i = 0; i < n->ny && w->e.status == LM_OK; i++) {
        const char *name = lm_graph_value(w->from, n->y[i])->name;
        w->map[n->y[i]] = y[i];
        if (name && y[i] != LM_NOVAL && !lm_graph_value(w->e.g, y[i])->name)
            LM_TRY(lm_graph_name(w->e.g, y[i], name));
    }
    return lm_context(w->e.status, "node %s", n->name ? n->name : "(unnamed)");
}

static lm_status widen_node(widening *w, const lm_node *n)
{
    lm_val near[8], *x = near;
    if ((size_t)n->nx > LM_COUNT(near)) {
        x = lm_malloc((size_t)n->nx, sizeof *x);
        if (!x)
            return LM_MEMORY;
    }
    lm_status status = widen_operands(w, n, x);
    if (x != near)
        lm_free(x);
    return status;
}

static lm_status widen(widening *w)
{
    const lm_graph *g = w->from;
    for (size_t i = 0; i < g->inputs.count; i++) {
        const lm_value *old = lm_graph_value(g, g->inputs.at[i]);
        lm_type type = {wider(old->type.dt, w->to), old->type.sh};
        lm_val *v = &w->map[g->inputs.at[i]];
        LM_TRY(lm_graph_input(w->e.g, old->name, &type, v));
        lm_graph_value(w->e.g, *v)->nonneg = old->nonneg;
    }
    for (size_t i = 0; i < g->nodes.count; i++)
        LM_TRY(widen_node(w, g->nodes.at[i]));
    for (size_t i = 0; i < g->outputs.count; i++) {
        lm_val v;
        LM_TRY(operand(w, g->outputs.at[i], &v));
        LM_TRY(lm_graph_output(w->e.g, v));
    }
    return LM_OK;
}

lm_status lm_graph_widen(const lm_graph *from, lm_dtype to, const lm_chain *fold, lm_graph **out, lm_val **map)
{
    widening w = {.from = from, .to = to, .e = {.fold = fold}};
    LM_TRY(lm_graph_new(&w.e.g));
    w.map = lm_calloc(from->values.count, sizeof *w.map);
    lm_status status = w.map ? widen(&w) : LM_MEMORY;
    if (status != LM_OK) {
        lm_graph_free(w.e.g);
        lm_free(w.map);
        return status;
    }
    *out = w.e.g;
    if (map)
        *map = w.map;
    else
        lm_free(w.map);
    return LM_OK;
}

bool lm_graph_is_narrow(const lm_graph *g, lm_dtype to)
{
    for (size_t v = 1; v < g->values.count; v++)
        if (wider(g->values.at[v]->type.dt, to) != g->values.at[v]->type.dt)
            return true;
    return false;
}
