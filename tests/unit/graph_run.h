/* Graphs for the tests of passes: building them, running one node after the other, and comparing what comes out. */
#ifndef LM_TEST_GRAPH_RUN_H
#define LM_TEST_GRAPH_RUN_H

#include "core/base/env.h"
#include "core/base/str.h"
#include "core/graph/emit.h"
#include "core/run/exec.h"
#include "tests/unit/test.h"

static lm_chain cpu;

/* Repeatable numbers in (-1, 1). */
static inline double noise(int seed, int64_t i)
{
    uint64_t h = ((uint64_t)i + 1) * 0x9E3779B97F4A7C15u ^ ((uint64_t)seed + 1) * 0xC2B2AE3D27D4EB4Fu;
    h ^= h >> 29;
    h *= 0xBF58476D1CE4E5B9u;
    h ^= h >> 32;
    return (double)(h >> 11) * 0x1p-52 - 1;
}

static inline lm_view noise_view(int seed, lm_dtype dt, lm_shape shape)
{
    lm_view v = {0};
    CHECK_OK(lm_view_new(dt, &shape, &v));
    for (int64_t i = 0, n = lm_shape_count(&shape); i < n; i++)
        lm_view_set(&v, i, lm_dtype_is_float(dt) ? noise(seed, i) : floor(10 * noise(seed, i)));
    return v;
}

static inline lm_emit begin(const lm_chain *fold)
{
    lm_emit e = {.fold = fold};
    CHECK_OK(lm_graph_new(&e.g));
    return e;
}

static inline lm_val input(lm_emit *e, const char *name, lm_dtype dt, lm_shape shape)
{
    lm_type type = {dt, shape};
    lm_val v = LM_NOVAL;
    CHECK_OK(lm_graph_input(e->g, name, &type, &v));
    return v;
}

static inline lm_val floats(lm_emit *e, lm_shape shape)
{
    return input(e, NULL, LM_F32, shape);
}

/* A constant of noise, and one of given numbers. */
static inline lm_val weights(lm_emit *e, int seed, lm_shape shape)
{
    lm_view view = noise_view(seed, LM_F32, shape);
    lm_val v = lm_emit_content(e, &view);
    lm_buffer_unref(view.buf);
    return v;
}

#define NUMBERS(e, dt, shape, ...) numbers(e, dt, shape, (double[]){__VA_ARGS__})
static inline lm_val numbers(lm_emit *e, lm_dtype dt, lm_shape shape, const double *values)
{
    lm_view view = {0};
    CHECK_OK(lm_view_new(dt, &shape, &view));
    for (int64_t i = 0, n = lm_shape_count(&shape); i < n; i++)
        lm_view_set(&view, i, values[i]);
    lm_val v = lm_emit_content(e, &view);
    lm_buffer_unref(view.buf);
    return v;
}

static inline lm_val unary(lm_emit *e, lm_opid op, lm_val x)
{
    return lm_emit1(e, op, NULL, x);
}

static inline lm_val binary(lm_emit *e, lm_opid op, lm_val a, lm_val b)
{
    return lm_emit1(e, op, NULL, a, b);
}

static inline lm_val scalar(lm_emit *e, lm_opid op, lm_val x, double value)
{
    return lm_emit_scalar(e, op, x, value);
}

static inline int count_op(const lm_graph *g, lm_opid op)
{
    int n = 0;
    for (size_t i = 0; i < g->nodes.count; i++)
        n += g->nodes.at[i]->op == op;
    return n;
}

static inline const lm_node *first_op(const lm_graph *g, lm_opid op)
{
    for (size_t i = 0; i < g->nodes.count; i++)
        if (g->nodes.at[i]->op == op)
            return g->nodes.at[i];
    return NULL;
}

static inline lm_status run_node(const lm_chain *chain, const lm_node *n, lm_view *value)
{
    lm_view x[64], y[LM_OUT_MAX];
    if (!CHECK(n->nx <= 64))
        return LM_UNSUPPORTED;
    for (int i = 0; i < n->nx; i++)
        x[i] = n->x[i] == LM_NOVAL ? lm_view_absent() : value[n->x[i]];
    if (!n->ep) {
        LM_TRY(lm_exec_once(chain, n->op, n->a, n->nx, x, n->ny, y));
        for (int i = 0; i < n->ny; i++)
            value[n->y[i]] = y[i];
        return LM_OK;
    }
    lm_view *made = &value[n->y[0]];
    lm_shape shape = made->sh;
    lm_exec *ex;
    lm_call call = {.op = n->op, .a = n->a, .ep = n->ep, .nx = n->nx, .ny = 1, .x = x, .y = made};
    *made = lm_view_row(LM_F32, &shape, NULL);
    LM_TRY(lm_exec_open(chain, &call, &ex));
    lm_status status = lm_exec_run(ex);
    if (status == LM_OK)
        status = lm_view_new(LM_F32, &shape, made);
    if (status == LM_OK)
        status = lm_exec_fetch(ex, 0, made);
    lm_exec_close(ex);
    return status;
}

/* Run every node in order; out[i] is output i with a reference, feed[i] is input i. */
static inline void run_graph(const lm_chain *chain, const lm_graph *g, const lm_view *feed, lm_view *out)
{
    lm_view *value = calloc(g->values.count, sizeof *value);
    for (size_t v = 0; v < g->values.count; v++) {
        const lm_view *c = g->values.at[v]->constant;
        if (c)
            value[v] = *c;
        else
            value[v].sh = g->values.at[v]->type.sh;
    }
    for (size_t i = 0; i < g->inputs.count; i++)
        value[g->inputs.at[i]] = feed[i];
    bool good = true;
    for (size_t i = 0; i < g->nodes.count && good; i++)
        good = CHECK_OK(run_node(chain, g->nodes.at[i], value));
    for (size_t i = 0; i < g->outputs.count; i++) {
        out[i] = value[g->outputs.at[i]];
        if (out[i].buf)
            lm_buffer_ref(out[i].buf);
    }
    for (size_t v = 0; v < g->values.count; v++)
        if (g->values.at[v]->producer)
            lm_buffer_unref(value[v].buf);
    free(value);
}

/* Largest difference over the largest magnitude; 0 means the same bits (NaNs alike). */
static inline double difference(const lm_view *a, const lm_view *b)
{
    double worst = 0, largest = 0;
    if (!a->buf || !b->buf || !CHECK(a->dt == b->dt && lm_shape_equal(&a->sh, &b->sh)))
        return INFINITY;
    for (int64_t i = 0, n = lm_shape_count(&a->sh); i < n; i++) {
        double x = lm_view_get(a, i), y = lm_view_get(b, i);
        if (isnan(x) && isnan(y))
            continue;
        if (isnan(x) || isnan(y) || (x == y && x == 0 && signbit(x) != signbit(y)))
            return INFINITY;
        worst = fmax(worst, x == y ? 0 : fabs(x - y));
        largest = fmax(largest, fabs(y));
    }
    return worst == 0 ? 0 : worst / fmax(largest, 1e-30);
}

/* Both graphs over the same noise: outputs may differ by `slack` of their largest magnitude. */
static inline void same_results(const lm_chain *chain, const lm_graph *a, const lm_graph *b, double slack)
{
    enum { MOST = 8 };
    lm_view feed[MOST], x[MOST] = {0}, y[MOST] = {0};
    CHECK_INT(a->inputs.count, b->inputs.count);
    CHECK_INT(a->outputs.count, b->outputs.count);
    for (size_t i = 0; i < a->inputs.count; i++) {
        const lm_type *t = &lm_graph_value(a, a->inputs.at[i])->type;
        feed[i] = noise_view((int)i + 100, t->dt, t->sh);
    }
    run_graph(chain, a, feed, x);
    run_graph(chain, b, feed, y);
    for (size_t i = 0; i < a->outputs.count; i++) {
        double d = difference(&x[i], &y[i]);
        if (!CHECK(d <= slack)) {
            lm_str text = {0};
            CHECK_OK(lm_graph_print(b, &text));
            printf("output %zu differs by %g\n%s", i, d, lm_str_text(&text));
            lm_str_free(&text);
        }
        lm_buffer_unref(x[i].buf);
        lm_buffer_unref(y[i].buf);
    }
    for (size_t i = 0; i < a->inputs.count; i++)
        lm_buffer_unref(feed[i].buf);
}

/* Open the cpu chain, run the cases, and see that no memory stays behind; but devices that LIMN_BACKEND names may keep
 * what they made, such as programs. */
static inline int graph_main(void (*cases)(void))
{
    if (lm_chain_open("cpu:threads=2", &cpu) != LM_OK) {
        printf("%s\n", lm_message());
        return 1;
    }
    size_t before = lm_mem_count().live;
    cases();
    bool kept = lm_mem_count().live != before && !lm_env_is_set(LM_ENV_BACKEND);
    if (kept)
        printf("memory is still held\n");
    lm_chain_close(&cpu);
    return test_end() || kept;
}

#endif
