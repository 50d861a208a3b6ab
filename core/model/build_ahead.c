/* Values that are needed while a graph is being built: computed from what is fed, by copying what they hang on into a
 * graph of constants, whose emitter does the arithmetic. */
#include "core/graph/emit.h"
#include "core/model/builder.h"

static lm_status extend(lm_builder *b)
{
    if (!b->ahead)
        LM_TRY(lm_graph_new(&b->ahead));
    while (b->ahead_of.count < b->b->graph->values.count)
        LM_TRY(lm_vec_push(&b->ahead_of, LM_NOVAL));
    return LM_OK;
}

/* An input's content decides from now on. */
static lm_status take_input(lm_builder *b, lm_val v)
{
    const lm_graph *g = b->b->graph;
    for (size_t i = 0; i < g->inputs.count; i++) {
        if (g->inputs.at[i] != v)
            continue;
        int port = b->b->fed.at[i];
        LM_REQUIRE(port >= 0, LM_INPUT, "a shape hangs on a value that could not be built");
        const lm_feed *feed = &b->feed[port];
        LM_REQUIRE(feed->buf, LM_INPUT, "a shape hangs on the content of input '%s', which is not given",
                   b->m->inputs[port].name);
        b->b->by_value |= UINT64_C(1) << (port < 63 ? port : 63);
        return lm_graph_constant(b->ahead, NULL, feed, &b->ahead_of.at[v]);
    }
    return lm_fail(LM_INPUT, "a value that nothing makes");
}

static lm_status compute(lm_builder *b, const lm_node *n)
{
    lm_val near[16], *x = near, y[LM_OUT_MAX];
    if (n->nx > (int)LM_COUNT(near)) {
        x = lm_malloc((size_t)n->nx, sizeof *x);
        if (!x)
            return LM_MEMORY;
    }
    for (int i = 0; i < n->nx; i++)
        x[i] = n->x[i] == LM_NOVAL ? LM_NOVAL : b->ahead_of.at[n->x[i]];
    lm_emit e = {.g = b->ahead, .fold = b->fold};
    lm_emit_op(&e, n->op, n->a, n->nx, x, n->ny, y);
    if (x != near)
        lm_free(x);
    LM_TRY(e.status);
    for (int i = 0; i < n->ny; i++)
        b->ahead_of.at[n->y[i]] = y[i];
    return LM_OK;
}

/* Bring `v` ahead, and first what it hangs on: an explicit stack, since chains may be long. */
static lm_status bring(lm_builder *b, lm_val v)
{
    LM_VEC(lm_val) stack = {0};
    lm_status status = lm_vec_push(&stack, v);
    while (stack.count && status == LM_OK) {
        lm_val top = stack.at[stack.count - 1];
        const lm_value *value = lm_graph_value(b->b->graph, top);
        size_t before = stack.count;
        if (top == LM_NOVAL || b->ahead_of.at[top] != LM_NOVAL) {
            stack.count--;
            continue;
        }
        if (value->constant)
            status = lm_graph_constant(b->ahead, NULL, value->constant, &b->ahead_of.at[top]);
        else if (!value->producer)
            status = take_input(b, top);
        else
            for (int i = 0; i < value->producer->nx && status == LM_OK; i++)
                if (value->producer->x[i] != LM_NOVAL && b->ahead_of.at[value->producer->x[i]] == LM_NOVAL)
                    status = lm_vec_push(&stack, value->producer->x[i]);
        if (status == LM_OK && stack.count == before && value->producer)
            status = compute(b, value->producer);
    }
    lm_vec_free(&stack);
    return status;
}

lm_status lm_build_content(lm_builder *b, lm_val v, const lm_view **out)
{
    *out = lm_graph_value(b->b->graph, v)->constant;
    if (*out)
        return LM_OK;
    b->decided = true;
    LM_TRY(extend(b));
    LM_TRY(bring(b, v));
    *out = lm_graph_value(b->ahead, b->ahead_of.at[v])->constant;
    LM_REQUIRE(*out, LM_UNSUPPORTED, "a value that a shape hangs on cannot be computed on the host");
    return LM_OK;
}
