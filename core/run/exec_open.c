/* From a call to steps: bind what a device takes, expand what none does, and give every value its memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fpu.h"
#include "core/graph/expand.h"
#include "core/run/exec_parts.h"

/* Operands of one call that fit here need no allocation. */
enum { NEAR = 12 };

static lm_dtype device_type(const lm_exec *ex, lm_dtype dt)
{
    return dt == LM_F32 ? ex->chain.compute : dt;
}

bool lm_exec_span(const lm_view *v, int64_t *lo, int64_t *hi)
{
    int64_t low = 0, high = 1;
    *lo = *hi = 0;
    for (int i = 0; i < v->sh.rank; i++) {
        int64_t reach;
        if (v->sh.dim[i] == 0)
            return true;
        if (!lm_mul_i64(v->sh.dim[i] - 1, v->st[i], &reach) || reach > INT64_MAX / 32 || reach < -INT64_MAX / 32)
            return false;
        low += reach < 0 ? reach : 0;
        high += reach > 0 ? reach : 0;
    }
    *lo = low;
    *hi = high;
    return high - low <= INT64_MAX / 16;
}

lm_val lm_exec_resolve(const lm_exec *ex, lm_val v)
{
    while (ex->places.at[v].same_as != LM_NOVAL)
        v = ex->places.at[v].same_as;
    return v;
}

/* Places for values that the graph gained; those that Limn made are row-major. */
static lm_status grow_places(lm_exec *ex)
{
    for (size_t v = ex->places.count; v < ex->graph->values.count; v++) {
        const lm_value *value = ex->graph->values.at[v];
        exec_place p = {.home = -1};
        for (int d = 0; d < LM_CHAIN_MAX; d++)
            p.slot[d] = -1;
        if (v != LM_NOVAL)
            p.view = lm_view_row(device_type(ex, value->type.dt), &value->type.sh, NULL);
        else
            p.view = lm_view_absent();
        LM_TRY(lm_vec_push(&ex->places, p));
    }
    return LM_OK;
}

/* Strides of the caller's, and the place of the first element within a cache line. */
static void lay_out(exec_place *p, const lm_view *like)
{
    memcpy(p->view.st, like->st, sizeof p->view.st);
    size_t size = lm_dtype_size(like->dt), address = like->off;
    if (like->buf && like->buf->host)
        address += (size_t)(uintptr_t)like->buf->host;
    p->view.off = address % LM_ALIGN / size * lm_dtype_size(p->view.dt);
}

static lm_status new_slot(lm_exec *ex, lm_val v, int dev, int *out)
{
    const exec_place *p = &ex->places.at[v];
    exec_slot s = {.view = p->view, .dev = dev};
    int64_t lo, hi, size = (int64_t)lm_dtype_size(p->view.dt);
    if (!lm_exec_span(&p->view, &lo, &hi))
        return lm_fail(LM_MEMORY, "a value of %lld elements does not fit memory",
                       (long long)lm_shape_count(&p->view.sh));
    s.bytes = (size_t)((hi - lo) * size);
    s.start = (size_t)(((int64_t)p->view.off + lo * size) % LM_ALIGN + LM_ALIGN) % LM_ALIGN;
    s.view.off = (size_t)((int64_t)s.start - lo * size);
    lm_device *device = ex->chain.dev[dev];
    LM_TRY(device->vt->alloc(device, s.start + s.bytes, &s.view.buf));
    lm_status status = lm_vec_push(&ex->slots, s);
    if (status != LM_OK) {
        lm_buffer_unref(s.view.buf);
        return status;
    }
    *out = (int)ex->slots.count - 1;
    ex->places.at[v].slot[dev] = *out;
    ex->used[dev] = true;
    return LM_OK;
}

/* The content of a constant in the devices' type. */
static lm_status constant_view(lm_exec *ex, lm_val v, const lm_view **out)
{
    exec_place *p = &ex->places.at[v];
    const lm_view *content = ex->graph->values.at[v]->constant;
    *out = &p->constant;
    if (p->constant.buf)
        return LM_OK;
    if (content->dt == p->view.dt) {
        p->constant = *content;
        lm_buffer_ref(p->constant.buf);
        return LM_OK;
    }
    LM_TRY(lm_view_new(p->view.dt, &content->sh, &p->constant));
    memcpy(p->view.st, p->constant.st, sizeof p->view.st);
    p->view.off = 0;
    for (int64_t i = 0, n = lm_shape_count(&content->sh); i < n; i++)
        lm_view_set(&p->constant, i, lm_view_get(content, i));
    return LM_OK;
}

static lm_status add_move(lm_exec *ex, int from, int to)
{
    const exec_slot *s = &ex->slots.at[from];
    exec_step step = {.dev = s->dev, .name = "move", .from = from, .to = to, .row = -1};
    step.direct = !ex->chain.dev[s->dev]->vt->map;
    if (step.direct)
        LM_TRY(lm_buffer_wrap((char *)s->view.buf->host + s->start, s->bytes, &step.stage));
    else
        LM_TRY(lm_buffer_new(s->bytes, &step.stage));
    lm_status status = lm_vec_push(&ex->steps, step);
    if (status != LM_OK)
        lm_buffer_unref(step.stage);
    return status;
}

/* Bring value v, which is resolved, to a device. */
static lm_status bring(lm_exec *ex, lm_val v, int dev, int *out)
{
    exec_place *p = &ex->places.at[v];
    *out = p->slot[dev];
    if (*out >= 0)
        return LM_OK;
    int home = p->home;
    LM_TRY(new_slot(ex, v, dev, out));
    if (home >= 0)
        return add_move(ex, ex->places.at[v].slot[home], *out);
    if (ex->graph->values.at[v]->constant) {
        const lm_view *content;
        LM_TRY(constant_view(ex, v, &content));
        return lm_exec_put(ex, &ex->slots.at[*out], content);
    }
    for (int i = 0; i < ex->nx; i++)
        if (ex->xv[i] == v)
            return lm_vec_push(&ex->entries, (exec_entry){i, *out});
    return lm_fail(LM_UNSUPPORTED, "a value is used before it is made");
}

/* A call's operands as the devices see them. */
static lm_status describe(lm_exec *ex, const lm_node *n, lm_call *call, lm_view *x, lm_view *y)
{
    for (int i = 0; i < n->nx; i++) {
        lm_val v = lm_exec_resolve(ex, n->x[i]);
        x[i] = ex->places.at[v].view;
        if (ex->graph->values.at[v]->constant) {
            const lm_view *content;
            LM_TRY(constant_view(ex, v, &content));
            x[i] = *content;
            call->constant |= i < 64 ? UINT64_C(1) << i : 0;
        }
    }
    for (int i = 0; i < n->ny; i++)
        y[i] = ex->places.at[n->y[i]].view;
    call->op = n->op;
    call->a = n->a;
    call->nx = n->nx;
    call->ny = n->ny;
    call->x = x;
    call->y = y;
    /* where float32 is held in doubles, so is what the model casts to float32 */
    if (n->op == LM_OP_CAST && device_type(ex, n->a->cast.to) != n->a->cast.to) {
        lm_attrs *a = lm_arena_copy(&ex->graph->arena, n->a, 1, sizeof *a);
        if (!a)
            return LM_MEMORY;
        a->cast.to = device_type(ex, a->cast.to);
        call->a = a;
    }
    return LM_OK;
}

/* Fill in the arguments of a fresh step, whose kernel the exec owns already. */
static lm_status connect(lm_exec *ex, const lm_node *n, const lm_call *call, int dev, lm_kernel *kernel, lm_arg *arg)
{
    for (int w = 0; w < kernel->nwant; w++) {
        const lm_want *want = &kernel->want[w];
        if (want->input < 0)
            continue;
        LM_REQUIRE(want->input < n->nx && want->input < 64 && call->constant >> want->input & 1, LM_DEVICE,
                   "kernel %s wants input %d in a form of its own, but that is no constant", kernel->name,
                   want->input);
        LM_TRY(lm_vec_reserve(&ex->derived, ex->derived.count + 1));
        const lm_derived *d;
        LM_TRY(lm_derived_get(ex->cache, ex->chain.dev[dev], &call->x[want->input], want, &d));
        ex->derived.at[ex->derived.count++] = d;
        arg[want->input].buf = d->buf;
    }
    for (int i = 0; i < n->nx; i++) {
        lm_val v = lm_exec_resolve(ex, n->x[i]);
        int slot;
        if (v == LM_NOVAL || arg[i].buf)
            continue;
        LM_TRY(bring(ex, v, dev, &slot));
        arg[i] = (lm_arg){ex->slots.at[slot].view.buf, ex->slots.at[slot].view.off};
    }
    for (int i = 0; i < n->ny; i++) {
        int slot;
        LM_TRY(new_slot(ex, n->y[i], dev, &slot));
        ex->places.at[n->y[i]].home = dev;
        arg[n->nx + i] = (lm_arg){ex->slots.at[slot].view.buf, ex->slots.at[slot].view.off};
    }
    return LM_OK;
}

static lm_status add_launch(lm_exec *ex, const lm_node *n, const lm_call *call, int dev, lm_kernel *kernel)
{
    lm_arg *arg = lm_arena_alloc(&ex->graph->arena, (size_t)(n->nx + n->ny), sizeof *arg);
    lm_status status = arg ? connect(ex, n, call, dev, kernel, arg) : LM_MEMORY;
    exec_step step = {.dev = dev, .kernel = kernel, .arg = arg, .name = lm_ops[n->op].name, .row = -1};
    if (status == LM_OK)
        status = lm_vec_push(&ex->steps, step);
    if (status != LM_OK) {
        kernel->free(kernel);
        return status;
    }
    ex->launches++;
    ex->fallbacks += dev > 0;
    if (kernel->workspace > ex->scratch_bytes[dev])
        ex->scratch_bytes[dev] = kernel->workspace;
    return LM_OK;
}

static lm_status place_nodes(lm_exec *ex, size_t first, size_t last, const lm_epilogue *ep);

/* What follows a composite that is expanded, as nodes of their own; `x`: the epilogue's operands. */
static lm_val after_composite(lm_emit *e, const lm_epilogue *ep, lm_val y, const lm_val *x)
{
    lm_attrs a;
    memset(&a, 0, sizeof a);
    a.act = ep->attr;
    if (ep->residual)
        y = lm_emit1(e, LM_OP_ADD, NULL, y, *x++);
    if (ep->active)
        y = lm_emit1(e, ep->act, &a, y);
    a.actdx = ep->slope;
    return ep->sloped ? lm_emit1(e, LM_OP_ACT_DX, &a, y, *x) : y;
}

/* Steps for a composite that no device runs as one: those of its expansion. */
static lm_status expand(lm_exec *ex, const lm_node *n, const lm_epilogue *ep)
{
    lm_val x[NEAR], *xs = n->nx <= NEAR ? x : lm_arena_alloc(&ex->graph->arena, (size_t)n->nx, sizeof *xs);
    if (!xs)
        return LM_MEMORY;
    for (int i = 0; i < n->nx; i++)
        xs[i] = lm_exec_resolve(ex, n->x[i]);
    lm_val y[LM_OUT_MAX];
    lm_emit e = {.g = ex->graph, .scope = n->name};
    size_t first = ex->graph->nodes.count;
    lm_composite c = {.op = n->op, .a = n->a, .nx = n->nx - lm_epilogue_inputs(ep), .ny = n->ny, .x = xs, .y = y};
    LM_TRY(lm_expand(&e, &c));
    if (ep)
        y[0] = after_composite(&e, ep, y[0], xs + c.nx);
    LM_TRY(e.status);
    LM_TRY(grow_places(ex));
    LM_TRY(place_nodes(ex, first, ex->graph->nodes.count, NULL));
    for (int i = 0; i < n->ny; i++)
        ex->places.at[n->y[i]].same_as = lm_exec_resolve(ex, y[i]);
    return LM_OK;
}

static lm_status place_node(lm_exec *ex, const lm_node *n, const lm_epilogue *ep)
{
    lm_view near[NEAR + LM_OUT_MAX], *views = near;
    if (n->nx > NEAR) {
        views = lm_malloc((size_t)n->nx + LM_OUT_MAX, sizeof *views);
        if (!views)
            return LM_MEMORY;
    }
    lm_call call = {.ep = ep};
    lm_kernel *kernel;
    int dev = 0;
    lm_status status = describe(ex, n, &call, views, views + n->nx);
    bool composite = lm_ops[n->op].composite;
    if (status == LM_OK) {
        /* a composite is better expanded on the first device than run whole on another */
        lm_device *device = ex->chain.dev[0];
        status = composite ? device->vt->bind(device, &call, &kernel)
                           : lm_chain_bind(&ex->chain, 0, &call, &dev, &kernel);
        if (status == LM_OK)
            status = add_launch(ex, n, &call, dev, kernel);
        else if (composite && status == LM_UNSUPPORTED)
            status = lm_context(expand(ex, n, ep), "%s", lm_ops[n->op].name);
    }
    if (views != near)
        lm_free(views);
    return status;
}

static lm_status place_nodes(lm_exec *ex, size_t first, size_t last, const lm_epilogue *ep)
{
    for (size_t i = first; i < last; i++)
        LM_TRY(place_node(ex, ex->graph->nodes.at[i], ep));
    return LM_OK;
}

/* True when no two elements of a result can share memory: axes can be nested, each step longer than all inside it. */
static bool apart(const lm_view *v)
{
    uint32_t left = 0;
    int64_t reach = 0;
    for (int i = 0; i < v->sh.rank; i++) {
        if (v->sh.dim[i] == 0)
            return true;
        left |= v->sh.dim[i] > 1 ? 1u << i : 0;
    }
    while (left) {
        int least = -1;
        for (int i = 0; i < v->sh.rank; i++)
            if (left >> i & 1 && (least < 0 || llabs(v->st[i]) < llabs(v->st[least])))
                least = i;
        if (llabs(v->st[least]) <= reach)
            return false;
        reach += (v->sh.dim[least] - 1) * llabs(v->st[least]);
        left &= ~(1u << least);
    }
    return true;
}

/* Do the described results agree with what the op gives? The operands of an epilogue are not the op's own inputs. */
static lm_status check_call(lm_exec *ex, const lm_call *call)
{
    const char *name = lm_ops[call->op].name;
    char is[LM_SHAPE_TEXT], said[LM_SHAPE_TEXT];
    int own = call->nx - lm_epilogue_inputs(call->ep);
    lm_type *x = lm_arena_alloc(&ex->graph->arena, (size_t)call->nx, sizeof *x);
    const lm_view **value = lm_arena_alloc(&ex->graph->arena, (size_t)call->nx, sizeof(lm_view *));
    if (!x || !value)
        return LM_MEMORY;
    for (int i = 0; i < call->nx; i++) {
        const lm_view *v = &call->x[i];
        x[i] = (lm_type){v->dt, v->sh};
        if (!lm_view_present(v))
            continue;
        LM_REQUIRE(v->buf && v->buf->host, LM_USAGE, "%s: input %d has no content on the host", name, i);
        LM_TRY(lm_context(lm_view_check(v), "%s: input %d", name, i));
        value[i] = v;
    }
    lm_type y[LM_OUT_MAX];
    lm_shape_args args = {.op = call->op, .a = call->a, .nx = own, .ny = call->ny, .x = x, .value = value};
    LM_TRY(lm_op_infer(&args, y));
    for (int i = 0; i < call->ny; i++) {
        LM_REQUIRE(y[i].dt == call->y[i].dt && lm_shape_equal(&y[i].sh, &call->y[i].sh), LM_INPUT,
                   "%s: result %d is %s%s, but %s%s is asked for", name, i, lm_dtype_name(y[i].dt),
                   lm_shape_text(&y[i].sh, is), lm_dtype_name(call->y[i].dt), lm_shape_text(&call->y[i].sh, said));
        int64_t lo, hi;
        LM_REQUIRE(lm_exec_span(&call->y[i], &lo, &hi), LM_USAGE,
                   "%s: the strides of result %d do not fit memory", name, i);
        LM_REQUIRE(apart(&call->y[i]), LM_USAGE, "%s: result %d of shape %s overlaps itself", name, i,
                   lm_shape_text(&y[i].sh, is));
    }
    return LM_OK;
}

/* The call as a graph of one node. */
static lm_status build(lm_exec *ex, const lm_call *call)
{
    lm_type y[LM_OUT_MAX];
    for (int i = 0; i < call->nx; i++) {
        const lm_view *v = &call->x[i];
        lm_type type = {v->dt, v->sh};
        if (!lm_view_present(v))
            continue;
        if (i < 64 && call->constant >> i & 1)
            LM_TRY(lm_graph_constant(ex->graph, NULL, v, &ex->xv[i]));
        else
            LM_TRY(lm_graph_input(ex->graph, NULL, &type, &ex->xv[i]));
    }
    for (int i = 0; i < call->ny; i++)
        y[i] = (lm_type){call->y[i].dt, call->y[i].sh};
    lm_node_desc d = {.op = call->op, .a = call->a, .nx = call->nx, .ny = call->ny, .x = ex->xv};
    const lm_node *n;
    LM_TRY(lm_graph_node(ex->graph, &d, y, &n));
    LM_TRY(grow_places(ex));
    for (int i = 0; i < call->nx; i++)
        if (ex->xv[i] != LM_NOVAL)
            lay_out(&ex->places.at[ex->xv[i]], &call->x[i]);
    for (int i = 0; i < call->ny; i++) {
        ex->yv[i] = n->y[i];
        lay_out(&ex->places.at[n->y[i]], &call->y[i]);
    }
    return LM_OK;
}

static lm_status name_it(lm_exec *ex, const lm_call *call)
{
    if (ex->steps.count == 1 && ex->steps.at[0].kernel)
        return LM_OK;
    char text[128];
    snprintf(text, sizeof text, "%s (%d steps)", lm_ops[call->op].name, ex->launches);
    ex->name = lm_strdup(text);
    return ex->name ? LM_OK : LM_MEMORY;
}

static lm_status open_parts(lm_exec *ex, const lm_call *call)
{
    LM_TRY(lm_graph_new(&ex->graph));
    LM_TRY(lm_derived_open(&ex->cache));
    size_t nx = (size_t)call->nx, ny = (size_t)call->ny;
    ex->x = lm_arena_copy(&ex->graph->arena, call->x, nx, sizeof *ex->x);
    ex->xv = lm_arena_alloc(&ex->graph->arena, nx, sizeof *ex->xv);
    ex->yv = lm_arena_alloc(&ex->graph->arena, ny, sizeof *ex->yv);
    if (!ex->x || !ex->xv || !ex->yv)
        return LM_MEMORY;
    LM_TRY(check_call(ex, call));
    for (ex->nx = 0; ex->nx < call->nx; ex->nx++)
        if (ex->x[ex->nx].buf)
            lm_buffer_ref(ex->x[ex->nx].buf);
    ex->ny = call->ny;
    LM_TRY(build(ex, call));
    LM_TRY(place_nodes(ex, 0, 1, call->ep));
    for (int d = 0; d < ex->chain.n; d++) {
        lm_device *device = ex->chain.dev[d];
        if (ex->scratch_bytes[d])
            LM_TRY(device->vt->alloc(device, ex->scratch_bytes[d], &ex->scratch[d]));
    }
    return name_it(ex, call);
}

lm_status lm_exec_open(const lm_chain *chain, const lm_call *call, lm_exec **out)
{
    LM_REQUIRE((unsigned)call->op < LM_OPS, LM_USAGE, "op number %d does not exist", (int)call->op);
    const lm_op_info *op = &lm_ops[call->op];
    LM_REQUIRE(call->ny >= 1 && call->ny <= op->max_out, LM_USAGE, "%s: %d results asked for; it has 1 to %d", op->name,
               call->ny, op->max_out);
    lm_exec *ex;
    LM_NEW(ex);
    ex->chain = *chain;
    ex->op = call->op;
    lm_fpu caller = lm_fpu_enter();
    lm_status status = open_parts(ex, call);
    lm_fpu_leave(caller);
    if (status != LM_OK) {
        lm_exec_close(ex);
        return status;
    }
    *out = ex;
    return LM_OK;
}
