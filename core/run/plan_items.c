/* From a graph to a list of calls: what reaches no output is left out, composites that the first device does not take
 * whole are expanded, and so are epilogues that it does not take. The caller's graph stays as it is. */
#include <string.h>

#include "core/graph/expand.h"
#include "core/run/plan_parts.h"

/* Operands and results of one call that fit here need no allocation. */
enum { NEAR = 16 };

static lm_dtype device_type(const lm_plan *p, lm_dtype dt)
{
    return dt == LM_F32 ? p->chain.compute : dt;
}

lm_status lm_plan_at(lm_status status, const plan_item *it)
{
    const char *op = lm_ops[it->op].name;
    if (status != LM_OK)
        lm_blame(it->name);
    return it->name ? lm_context(status, "%s %s", op, it->name) : lm_context(status, "%s", op);
}

/* What repeats takes no memory, but whoever reads it as long as if it did: what no machine holds does not end soon. */
static const double most_bytes = 64.0 * (1 << 30);

static lm_status check_size(const lm_view *content)
{
    const double bytes = (double)lm_shape_count(&content->sh) * (double)lm_dtype_size(content->dt);
    LM_REQUIRE(bytes <= most_bytes || lm_view_is_row(content), LM_MEMORY,
               "%.0f bytes of the same few elements, more than the %.0f that a run goes over; make its shape smaller",
               bytes, most_bytes);
    return LM_OK;
}

/* A constant's content in the devices' type; row-major where some device's memory is not the host's. */
static lm_status constant_content(lm_plan *p, const lm_view *content, lm_view *out)
{
    lm_dtype dt = device_type(p, content->dt);
    bool host = true;
    for (int d = 0; d < p->chain.n; d++)
        host = host && p->host[p->space[d]];
    LM_TRY(check_size(content));
    *out = *content;
    if (dt == content->dt && (host || lm_view_is_row(content))) {
        lm_buffer_ref(out->buf);
        return LM_OK;
    }
    LM_TRY(lm_view_new(dt, &content->sh, out));
    lm_plan_copy(out, content);
    return LM_OK;
}

/* Entries for values that the graph gained. */
static lm_status grow_values(lm_plan *p)
{
    for (size_t v = p->values.count; v < p->graph->values.count; v++) {
        const lm_value *value = p->graph->values.at[v];
        plan_value fresh = {.cell = -1};
        LM_TRY(lm_vec_reserve(&p->values, v + 1));
        if (v == LM_NOVAL) {
            fresh.view = lm_view_absent();
        } else if (value->constant) {
            LM_TRY(lm_context(constant_content(p, value->constant, &fresh.view), "constant %s",
                              value->name ? value->name : "without a name"));
            fresh.constant = true;
        } else {
            fresh.view = lm_view_row(device_type(p, value->type.dt), &value->type.sh, NULL);
        }
        p->values.at[p->values.count++] = fresh;
    }
    return LM_OK;
}

/* Products take weights that are no constants too, and pack them into scratch memory, which one after the other uses:
 * for a single run that saves touching as much fresh memory as there are weights. */
static bool packs_in_passing(const plan_item *it, int operand)
{
    return operand == 1 && (it->op == LM_OP_CONV || it->op == LM_OP_CONV_T || it->op == LM_OP_MATMUL);
}

lm_status lm_plan_call(lm_plan *p, const plan_item *it, lm_view *view, lm_call *call)
{
    *call = (lm_call){.op = it->op, .a = it->a, .ep = it->ep, .nx = it->nx, .ny = it->ny};
    call->x = view;
    call->y = view + it->nx;
    for (int i = 0; i < it->nx; i++) {
        const plan_value *v = &p->values.at[it->x[i]];
        view[i] = v->view;
        bool told = v->constant && i < 64 && !(p->once && packs_in_passing(it, i));
        call->constant |= told ? UINT64_C(1) << i : 0;
    }
    for (int i = 0; i < it->ny; i++)
        view[it->nx + i] = p->values.at[it->y[i]].view;
    /* where float32 is held in doubles, so is what the model casts to float32 */
    if (it->op == LM_OP_CAST && device_type(p, it->a->cast.to) != it->a->cast.to) {
        lm_attrs *a = lm_arena_copy(&p->arena, it->a, 1, sizeof *a);
        if (!a)
            return LM_MEMORY;
        a->cast.to = device_type(p, a->cast.to);
        call->a = a;
    }
    return LM_OK;
}

/* Would the first device take it? LM_UNSUPPORTED: no. */
static lm_status probe(lm_plan *p, const plan_item *it)
{
    lm_view near[NEAR], *view = near;
    if (it->nx + it->ny > NEAR && !(view = lm_malloc((size_t)(it->nx + it->ny), sizeof *view)))
        return LM_MEMORY;
    lm_call call;
    lm_kernel *kernel;
    lm_device *device = p->chain.dev[0];
    lm_status status = lm_plan_call(p, it, view, &call);
    if (status == LM_OK)
        status = device->vt->bind(device, &call, &kernel);
    if (status == LM_OK)
        kernel->free(kernel);
    if (view != near)
        lm_free(view);
    return status;
}

static lm_status visit(lm_plan *p, const lm_node *n, const char *name);

/* Visit the nodes that were added from number `first` on. */
static lm_status visit_from(lm_plan *p, size_t first, const char *name)
{
    LM_TRY(grow_values(p));
    for (size_t i = first, end = p->graph->nodes.count; i < end; i++)
        LM_TRY(visit(p, p->graph->nodes.at[i], name));
    return LM_OK;
}

static lm_status expand(lm_plan *p, const plan_item *it)
{
    lm_val y[LM_OUT_MAX];
    /* parameters that are constant are worked out now, except where that would round what is held in doubles */
    bool fold = !p->plain && p->chain.compute == LM_F32;
    lm_emit e = {.g = p->graph, .scope = it->name, .fold = fold ? &p->chain : NULL};
    lm_composite c = {.op = it->op, .a = it->a, .nx = it->nx, .ny = it->ny, .x = it->x, .y = y};
    size_t first = p->graph->nodes.count;
    LM_TRY(lm_expand(&e, &c));
    LM_TRY(visit_from(p, first, it->name));
    for (int i = 0; i < it->ny; i++)
        p->values.at[it->y[i]].same_as = lm_plan_resolve(p, y[i]);
    return LM_OK;
}

/* The product alone, then each step of the epilogue as a call of its own. */
static lm_status split(lm_plan *p, const plan_item *it)
{
    const lm_epilogue *ep = it->ep;
    const lm_node *bare;
    lm_node_desc d = {.op = it->op, .a = it->a, .nx = it->nx - lm_epilogue_inputs(ep), .ny = 1, .x = it->x};
    size_t first = p->graph->nodes.count;
    LM_TRY(lm_graph_node(p->graph, &d, &lm_graph_value(p->graph, it->y[0])->type, &bare));
    lm_emit e = {.g = p->graph, .scope = it->name};
    lm_val y = bare->y[0];
    lm_attrs a;
    memset(&a, 0, sizeof a);
    a.act = ep->attr;
    if (ep->residual)
        y = lm_emit1(&e, LM_OP_ADD, NULL, y, it->x[it->nx - 1 - ep->sloped]);
    if (ep->active)
        y = lm_emit1(&e, ep->act, &a, y);
    a.actdx = ep->slope;
    if (ep->sloped)
        y = lm_emit1(&e, LM_OP_ACT_DX, &a, y, it->x[it->nx - 1]);
    LM_TRY(e.status);
    LM_TRY(visit_from(p, first, it->name));
    p->values.at[it->y[0]].same_as = lm_plan_resolve(p, y);
    return LM_OK;
}

static lm_status visit_item(lm_plan *p, const plan_item *it)
{
    bool composite = lm_ops[it->op].composite;
    lm_status status = composite || it->ep ? probe(p, it) : LM_OK;
    if (composite && !it->ep && status == LM_UNSUPPORTED)
        return expand(p, it);
    if (status == LM_UNSUPPORTED) {
        /* where the first device would not take the product alone either, it goes whole to one that may */
        plan_item bare = *it;
        bare.ep = NULL;
        bare.nx -= lm_epilogue_inputs(it->ep);
        status = composite ? LM_OK : probe(p, &bare);
        if (status == LM_OK)
            return split(p, it);
    }
    if (status != LM_OK && status != LM_UNSUPPORTED)
        return status;
    return lm_vec_push(&p->items, *it);
}

/* `name`: of the composite around it. */
static lm_status visit(lm_plan *p, const lm_node *n, const char *name)
{
    lm_val *x = lm_arena_copy(&p->arena, n->x, (size_t)n->nx, sizeof *x);
    if (!x)
        return LM_MEMORY;
    for (int i = 0; i < n->nx; i++)
        x[i] = lm_plan_resolve(p, x[i]);
    plan_item it = {.op = n->op, .a = n->a, .ep = n->ep, .nx = n->nx, .ny = n->ny, .x = x, .y = n->y,
                    .name = n->name ? n->name : name ? name : n->scope};
    return lm_plan_at(visit_item(p, &it), &it);
}

/* The counterpart of a value of the model; inputs and constants are copied when they are first asked for. */
static lm_status counterpart(lm_plan *p, lm_val *map, lm_val v, lm_val *out)
{
    const lm_value *value = lm_graph_value(p->model, v);
    if (v != LM_NOVAL && map[v] == LM_NOVAL) {
        if (value->constant)
            LM_TRY(lm_graph_constant(p->graph, value->name, value->constant, &map[v]));
        else
            return lm_fail(LM_USAGE, "value %d of the graph is used before it is made", (int)v);
    }
    *out = map[v];
    return LM_OK;
}

static lm_status copy_node(lm_plan *p, lm_val *map, const bool *wanted, const lm_node *n)
{
    lm_type type[LM_OUT_MAX];
    lm_val *x = lm_arena_alloc(&p->arena, (size_t)n->nx, sizeof *x);
    if (!x)
        return LM_MEMORY;
    lm_node_desc d = {.op = n->op, .a = n->a, .ep = n->ep, .nx = n->nx, .x = x, .name = n->name, .scope = n->scope};
    /* results past the last one that is wanted are not asked for */
    for (int i = 0; i < n->ny; i++) {
        type[i] = lm_graph_value(p->model, n->y[i])->type;
        if (wanted[n->y[i]])
            d.ny = i + 1;
    }
    if (d.ny == 0)
        return LM_OK;
    for (int i = 0; i < n->nx; i++)
        LM_TRY(counterpart(p, map, n->x[i], &x[i]));
    const lm_node *copy;
    size_t first = p->graph->nodes.count;
    LM_TRY(lm_graph_node(p->graph, &d, type, &copy));
    LM_TRY(visit_from(p, first, NULL));
    for (int i = 0; i < d.ny; i++)
        map[n->y[i]] = lm_plan_resolve(p, copy->y[i]);
    return LM_OK;
}

/* Which values reach an output. */
static void mark(const lm_graph *g, bool *wanted)
{
    for (size_t i = 0; i < g->outputs.count; i++)
        wanted[g->outputs.at[i]] = true;
    for (size_t i = g->nodes.count; i-- > 0;) {
        const lm_node *n = g->nodes.at[i];
        bool live = false;
        for (int k = 0; k < n->ny; k++)
            live = live || wanted[n->y[k]];
        for (int k = 0; live && k < n->nx; k++)
            wanted[n->x[k]] = true;
    }
}

lm_status lm_plan_items(lm_plan *p)
{
    const lm_graph *g = p->model;
    size_t values = g->values.count;
    lm_val *map = lm_arena_alloc(&p->arena, values, sizeof *map);
    bool *wanted = lm_arena_alloc(&p->arena, values, sizeof *wanted);
    p->input = lm_arena_alloc(&p->arena, g->inputs.count, sizeof *p->input);
    p->output = lm_arena_alloc(&p->arena, g->outputs.count, sizeof *p->output);
    if (!map || !wanted || !p->input || !p->output)
        return LM_MEMORY;
    mark(g, wanted);
    for (size_t i = 0; i < g->inputs.count; i++) {
        const lm_value *v = lm_graph_value(g, g->inputs.at[i]);
        if (!wanted[g->inputs.at[i]])
            continue;
        LM_TRY(lm_graph_input(p->graph, v->name, &v->type, &p->input[i]));
        map[g->inputs.at[i]] = p->input[i];
    }
    LM_TRY(grow_values(p));
    for (size_t i = 0; i < g->nodes.count; i++)
        LM_TRY(copy_node(p, map, wanted, g->nodes.at[i]));
    for (size_t i = 0; i < g->outputs.count; i++)
        LM_TRY(counterpart(p, map, g->outputs.at[i], &p->output[i]));
    return grow_values(p);
}
