/* What is explained where the question leaves it open, and what is told where it cannot be. */
#include <limn/limn.h>

#include "core/model/check.h"
#include "tests/explain/nets.h"

static const int64_t any_by_3[] = {-1, 3};

/* Which output is explained where none is named. */
static void chosen(onnx_build *b, const char *wanted)
{
    lm_str bytes = {0};
    limn_model *m = NULL;
    limn_device *device = NULL;
    limn_session *session = NULL;
    limn_explanation *why = NULL;
    float x[3] = {1, 2, 4};
    const limn_feed feed = {"x", {LIMN_F32, 2, {1, 3}, x}};
    const limn_question ask = {.method = "saliency"};
    CHECK_OK(onnx_build_end(b, &bytes));
    CHECK_OK((lm_status)limn_model_open_bytes(lm_str_text(&bytes), bytes.count, &m));
    CHECK_OK((lm_status)limn_device_open("ref", &device));
    CHECK_OK((lm_status)limn_session_open(m, device, &session));
    if (CHECK_OK((lm_status)limn_explain(session, &feed, 1, &ask, &why)))
        CHECK_STR(limn_explanation_output(why), wanted);
    limn_explanation_free(why);
    limn_session_free(session);
    limn_device_free(device);
    limn_model_free(m);
    lm_str_free(&bytes);
}

static void start(onnx_build *b)
{
    *b = (onnx_build){0};
    onnx_build_start(b, 17);
    onnx_build_opset(b, "ai.onnx.ml", 1);
    onnx_build_input(b, "x", LM_F32, 2, any_by_3);
}

static void outputs(void)
{
    onnx_build b;
    start(&b); /* as converters of classifiers have it: labels, and scores as maps */
    onnx_build_attr_int(&b, onnx_build_node(&b, "ArgMax", "x", "label"), "axis", 1);
    onnx_node *zip = onnx_build_node(&b, "ZipMap", "x", "scores");
    zip->domain = "ai.onnx.ml";
    onnx_build_attr_ints(&b, zip, "classlabels_int64s", 3, (int64_t[]){0, 1, 2});
    onnx_build_output(&b, "label", LM_I64, 2, (int64_t[]){-1, 1});
    onnx_build_output(&b, "scores", LM_F32, 2, any_by_3)->type.kind = ONNX_TYPE_MAP;
    chosen(&b, "scores");

    start(&b); /* states ahead of scores */
    onnx_build_ints(&b, "one", 1, (int64_t[]){1}, (int64_t[]){1});
    onnx_build_node(&b, "Unsqueeze", "x one", "states");
    onnx_build_node(&b, "Relu", "x", "scores");
    onnx_build_output(&b, "states", LM_F32, 3, (int64_t[]){-1, 1, 3});
    onnx_build_output(&b, "scores", LM_F32, 2, any_by_3);
    chosen(&b, "scores");

    start(&b); /* states alone, behind labels */
    onnx_build_ints(&b, "one", 1, (int64_t[]){1}, (int64_t[]){1});
    onnx_build_attr_int(&b, onnx_build_node(&b, "ArgMax", "x", "label"), "axis", 1);
    onnx_build_node(&b, "Unsqueeze", "x one", "states");
    onnx_build_output(&b, "label", LM_I64, 2, (int64_t[]){-1, 1});
    onnx_build_output(&b, "states", LM_F32, 3, (int64_t[]){-1, 1, 3});
    chosen(&b, "states");
}

/* y of x alone, v of u alone: the other input of each is none of its business. */
static void inputs(void)
{
    onnx_build b;
    small s;
    lm_view x;
    lm_answer a;
    start(&b);
    onnx_build_input(&b, "u", LM_F32, 2, any_by_3);
    onnx_build_node(&b, "Relu", "x", "y");
    onnx_build_node(&b, "Exp", "u", "v");
    onnx_build_output(&b, "y", LM_F32, 2, any_by_3);
    onnx_build_output(&b, "v", LM_F32, 2, any_by_3);
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){1, 2, 4}, &x));
    const lm_named feed[] = {{"x", x}, {"u", x}};
    const lm_question q = {.method = "saliency", .target = "0"};
    for (int output = 0; output < 2; output++) {
        if (CHECK_OK(lm_explain(s.study, feed, 2, output, NULL, &q, &a)) && CHECK_INT(a.rows.count, 1))
            CHECK_STR(a.rows.at[0].site, output ? "u" : "x");
        lm_answer_free(&a);
    }
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* Is a message about `wanted` and blames the node? */
static void told(small *s, const lm_view *x, const lm_question *q, lm_status status, const char *wanted, const char *node)
{
    refuse(s, x, q, status, wanted);
    if (node)
        CHECK_STR(lm_blamed(), node);
}

static void open_with(onnx_build *b, small *s, lm_view *x)
{
    CHECK_OK(small_open(b, NULL, s));
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){1, 2, 4}, x));
}

static void shut(small *s, lm_view *x)
{
    lm_buffer_unref(x->buf);
    small_close(s);
}

/* What stops gradients is named as the file has it, whatever it was made into. */
static void flat_operators(void)
{
    static const float leaf[] = {2, 3}, split[] = {0.5f, 0, 0};
    const lm_question q = {.method = "saliency", .target = "0"};
    onnx_build b;
    small s;
    lm_view x;
    start(&b);
    onnx_node *tree = onnx_build_node(&b, "TreeEnsembleRegressor", "x", "y");
    tree->domain = "ai.onnx.ml";
    onnx_build_attr_ints(&b, tree, "nodes_treeids", 3, (int64_t[]){0, 0, 0});
    onnx_build_attr_ints(&b, tree, "nodes_nodeids", 3, (int64_t[]){0, 1, 2});
    onnx_build_attr_ints(&b, tree, "nodes_featureids", 3, (int64_t[]){1, 0, 0});
    onnx_build_attr_floats(&b, tree, "nodes_values", 3, split);
    onnx_build_attr_texts(&b, tree, "nodes_modes", "BRANCH_LEQ LEAF LEAF");
    onnx_build_attr_ints(&b, tree, "nodes_truenodeids", 3, (int64_t[]){1, 0, 0});
    onnx_build_attr_ints(&b, tree, "nodes_falsenodeids", 3, (int64_t[]){2, 0, 0});
    onnx_build_attr_ints(&b, tree, "target_treeids", 2, (int64_t[]){0, 0});
    onnx_build_attr_ints(&b, tree, "target_nodeids", 2, (int64_t[]){1, 2});
    onnx_build_attr_ints(&b, tree, "target_ids", 2, (int64_t[]){0, 0});
    onnx_build_attr_floats(&b, tree, "target_weights", 2, leaf);
    onnx_build_attr_int(&b, tree, "n_targets", 1);
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, 1});
    open_with(&b, &s, &x);
    told(&s, &x, &q, LM_UNSUPPORTED, "node y (TreeEnsembleRegressor) is flat everywhere", "y");
    lm_problems p;
    if (CHECK_OK(lm_model_check(s.m, &s.chain, &p)) && CHECK_INT(p.at.count, 1)) {
        CHECK(!p.at.at[0].forward);
        CHECK_STR(p.at.at[0].op, "TreeEnsembleRegressor");
        CHECK_STR(p.at.at[0].node, "y");
    }
    lm_problems_free(&p);
    shut(&s, &x);

    start(&b);
    onnx_build_floats(&b, "scale", 0, NULL, (float[]){0.1f});
    onnx_build_node(&b, "QuantizeLinear", "x scale", "q")->name = "squeeze";
    onnx_build_node(&b, "DequantizeLinear", "q scale", "y");
    onnx_build_output(&b, "y", LM_F32, 2, any_by_3);
    open_with(&b, &s, &x);
    told(&s, &x, &q, LM_UNSUPPORTED, "node squeeze (QuantizeLinear) is flat everywhere", "squeeze");
    CHECK(strstr(lm_message(), "the model is quantised") != NULL);
    shut(&s, &x);
}

/* The largest number of x says how many zeros are added up. */
static void contents_that_decide(void)
{
    onnx_build b;
    small s;
    lm_view x;
    start(&b);
    onnx_build_ints(&b, "one", 1, (int64_t[]){1}, (int64_t[]){1});
    onnx_build_attr_int(&b, onnx_build_node(&b, "ReduceMax", "x", "most"), "keepdims", 0);
    onnx_build_attr_int(&b, onnx_build_node(&b, "Cast", "most", "whole"), "to", 7);
    onnx_build_node(&b, "Reshape", "whole one", "size");
    onnx_build_node(&b, "ConstantOfShape", "size", "zeros");
    onnx_build_attr_int(&b, onnx_build_node(&b, "ReduceSum", "zeros", "zero"), "keepdims", 0);
    onnx_build_node(&b, "Add", "x zero", "y");
    onnx_build_output(&b, "y", LM_F32, 2, any_by_3);
    open_with(&b, &s, &x);
    told(&s, &x, &(lm_question){.method = "ig", .target = "0"}, LM_UNSUPPORTED, "'x' decides a branch, a loop or a shape",
         NULL);
    expect(&s, &x, &(lm_question){.method = "saliency", .target = "0"}, LM_SHAPE(1, 3), (double[]){1, 0, 0}, 0);
    shut(&s, &x);
}

static void nothing_comes_out(void)
{
    onnx_build b;
    small s;
    lm_view x;
    start(&b);
    onnx_build_ints(&b, "zero", 1, (int64_t[]){1}, (int64_t[]){0});
    onnx_build_ints(&b, "axis", 1, (int64_t[]){1}, (int64_t[]){1});
    onnx_build_node(&b, "Slice", "x zero zero axis", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, -1});
    open_with(&b, &s, &x);
    told(&s, &x, &(lm_question){.method = "saliency", .target = "0"}, LM_INPUT, "holds no number to explain", NULL);
    shut(&s, &x);
}

/* A baseline is numbers, and bounds lie the right way round. What the model makes of a baseline is the caller's to judge,
 * who is told that there was one. */
static void numbers(void)
{
    static const float w[9] = {1, 1, 1, -1, -1, -1, 1, 1, 1};
    small s;
    lm_view x, bad;
    lm_answer a;
    open_dense(&s, 3, 3, w, NULL);
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){1, 2, 4}, &x));
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){1, INFINITY, 0}, &bad));
    const lm_named file = {"b.npy", bad};
    lm_question q = {.method = "ig", .target = "0", .baseline = "b.npy", .file = &file, .files = 1};
    told(&s, &x, &q, LM_INPUT, "baseline 'b.npy': element 1 is inf", NULL);
    q = (lm_question){.method = "ig,saliency", .target = "0", .baseline = "value:1e39"};
    if (CHECK_OK(small_ask(&s, "x", &x, &q, &a)) && CHECK_INT(a.rows.count, 2)) {
        CHECK(a.rows.at[0].compared && !isfinite(a.rows.at[0].goal->baseline));
        CHECK(!a.rows.at[1].compared && isnan(a.rows.at[1].goal->baseline));
    }
    lm_answer_free(&a);
    lm_setting bound[] = {{"rules", "gamma_box"}, {"low", "1"}, {"high", "0"}};
    q = (lm_question){.method = "lrp", .target = "0", .setting = bound, .settings = 3};
    told(&s, &x, &q, LM_USAGE, "low=1: lies above high=0", NULL);
    bound[2].value = "2:0:2";
    told(&s, &x, &q, LM_USAGE, "low=1: lies above high=0", NULL);
    bound[2].value = "2:1:2";
    if (CHECK_OK(small_ask(&s, "x", &x, &q, &a)))
        lm_answer_free(&a);
    lm_buffer_unref(bad.buf);
    shut(&s, &x);
}

/* x sigmoid(x) and the gelu that exporters write out are one activation each, which relevance passes. */
static void written_out_activations(void)
{
    for (int gelu = 0; gelu < 2; gelu++) {
        onnx_build b;
        small s;
        lm_view x;
        double h[3], at[3] = {1, 2, 4};
        start(&b);
        onnx_build_floats(&b, "root", 0, NULL, (float[]){(float)sqrt(2)});
        onnx_build_floats(&b, "unit", 0, NULL, (float[]){1});
        onnx_build_floats(&b, "half", 0, NULL, (float[]){0.5f});
        onnx_build_floats(&b, "w", 2, (int64_t[]){3, 1}, (float[]){1, 1, 1});
        onnx_build_node(&b, "Div", "x root", "d");
        onnx_build_node(&b, "Erf", "d", "e");
        onnx_build_node(&b, "Add", "e unit", "f");
        onnx_build_node(&b, "Mul", "x f", "g");
        onnx_build_node(&b, "Mul", "g half", "gelu");
        onnx_build_node(&b, "Sigmoid", "x", "s");
        onnx_build_node(&b, "Mul", "x s", "silu");
        onnx_build_node(&b, "MatMul", gelu ? "gelu w" : "silu w", "y");
        onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, 1});
        for (int i = 0; i < 3; i++)
            h[i] = gelu ? at[i] * 0.5 * (1 + erf(at[i] / sqrt(2))) : at[i] / (1 + exp(-at[i]));
        open_with(&b, &s, &x);
        expect(&s, &x, &(lm_question){.method = "lrp", .target = "0"}, LM_SHAPE(1, 3), h, 1e-4);
        shut(&s, &x);
    }
}

int main(void)
{
    CASE(outputs);
    CASE(inputs);
    CASE(flat_operators);
    CASE(contents_that_decide);
    CASE(nothing_comes_out);
    CASE(numbers);
    CASE(written_out_activations);
    return test_end();
}
