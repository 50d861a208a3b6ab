/* The gradient of a test's model at the values of its first data set, against differences. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/model.h"
#include "tests/onnx/attempt.h"
#include "tests/rules/probe.h"

/* Operators whose results change with no float that goes in, or in jumps. */
static const char *const flat[] = {
    "And",
    "ArgMax",
    "ArgMin",
    "BitCast",
    "BitShift",
    "BitwiseAnd",
    "BitwiseNot",
    "BitwiseOr",
    "BitwiseXor",
    "BlackmanWindow",
    "Ceil",
    "Constant",
    "ConstantOfShape",
    "DynamicQuantizeLinear",
    "Equal",
    "EyeLike",
    "Floor",
    "Greater",
    "GreaterOrEqual",
    "HammingWindow",
    "HannWindow",
    "Hardmax",
    "IsInf",
    "IsNaN",
    "Less",
    "LessOrEqual",
    "MelWeightMatrix",
    "NonMaxSuppression",
    "NonZero",
    "Not",
    "Or",
    "QuantizeLinear",
    "Round",
    "Shape",
    "Sign",
    "Size",
    "TreeEnsemble",
    "Xor",
};

static int by_text(const void *key, const void *row)
{
    return strcmp(key, *(const char *const *)row);
}

static bool moves(const onnx_node *node, size_t count);

static bool body_moves(const onnx_node *node)
{
    for (size_t i = 0; i < node->n_attrs; i++)
        if (node->attrs[i].type == ONNX_ATTR_GRAPH && node->attrs[i].g &&
            moves(node->attrs[i].g->nodes, node->attrs[i].g->n_nodes))
            return true;
    return false;
}

static bool moves(const onnx_node *node, size_t count)
{
    for (; count > 0; node++, count--)
        if (!bsearch(node->op_type, flat, LM_COUNT(flat), sizeof *flat, by_text) || body_moves(node))
            return true;
    return false;
}

static bool has_float(const onnx_value_info *value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (value[i].type.kind == ONNX_TYPE_TENSOR &&
            (value[i].type.elem_type == ONNX_FLOAT || value[i].type.elem_type == ONNX_DOUBLE))
            return true;
    return false;
}

static bool has_gradient(const suite_test *t, const onnx_graph *g)
{
    return t->tier <= TIER_2 && has_float(g->inputs, g->n_inputs) && has_float(g->outputs, g->n_outputs) &&
           moves(g->nodes, g->n_nodes);
}

/* Build for what the data set holds. */
static lm_status build(attempt *a, const lm_chain *chain, lm_built **out)
{
    int n;
    const lm_port *port = lm_model_inputs(a->model, &n);
    lm_feed *feed = lm_arena_alloc(&a->arena, (size_t)n, sizeof *feed);
    if (!feed)
        return LM_MEMORY;
    for (int i = 0; i < n; i++) {
        feed[i] = lm_view_absent();
        for (size_t k = 0; k < a->feed.count; k++)
            if (strcmp(a->feed.at[k].name, port[i].name) == 0)
                feed[i] = a->feed.at[k].view;
    }
    return lm_model_build(a->model, chain, feed, out);
}

static lm_status compare(attempt *a, suite_test *t, const lm_chain *chain, const lm_built *b, bool *asked)
{
    lm_view feed[64];
    int n;
    const lm_port *port = lm_model_inputs(a->model, &n);
    LM_REQUIRE(b->graph->inputs.count <= LM_COUNT(feed), LM_UNSUPPORTED, "%zu inputs", b->graph->inputs.count);
    for (size_t i = 0; i < b->graph->inputs.count; i++)
        for (size_t k = 0; k < a->feed.count; k++)
            if (strcmp(a->feed.at[k].name, port[b->fed.at[i]].name) == 0)
                feed[i] = a->feed.at[k].view;
    static const outcome as[] = {[PROBE_GOOD] = PASS, [PROBE_WRONG] = WRONG, [PROBE_REFUSED] = UNSUPPORTED,
                                 [PROBE_KINKS] = FAILED};
    const probe_outcome got = probe_gradient(chain, b->graph, feed, 1, t->reason);
    *asked = got != PROBE_NOTHING;
    t->outcome = as[got];
    if (got == PROBE_KINKS)
        snprintf(t->reason, sizeof t->reason, "kinks everywhere");
    return LM_OK;
}

bool suite_gradient(suite_test *t, const lm_chain *chain)
{
    attempt a = {0};
    lm_built *b = NULL;
    lm_status status = t->folder ? lm_model_open(t->model, NULL, &a.model) : LM_UNSUPPORTED;
    bool asked = status == LM_OK && has_gradient(t, lm_model_onnx(a.model)->graph);
    if (asked) {
        status = attempt_feed(&a, t, 0);
        if (status == LM_OK)
            status = build(&a, chain, &b);
        if (status == LM_OK)
            status = compare(&a, t, chain, b, &asked);
        if (status != LM_OK) {
            t->outcome = UNSUPPORTED;
            suite_reason(t);
        }
    }
    lm_built_free(b);
    attempt_close(&a);
    return asked;
}
