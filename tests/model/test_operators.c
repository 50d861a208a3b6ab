/* Importers of quantised, ai.onnx.ml and other operators that stand alone, against answers found by hand. */
#include <math.h>

#include "core/model/onnx_build.h"
#include "core/run/session.h"
#include "tests/unit/test.h"

static lm_chain chain;
enum { MOST = 32 };

/* One operator on `x` (float32, "x") and constants, with results of any type, "y" first. */
typedef struct trial {
    onnx_build b;
    onnx_node *node;
} trial;

static trial begin(const char *domain, const char *op, const char *inputs, const char *outputs)
{
    trial t = {0};
    onnx_build_start(&t.b, 17);
    onnx_build_opset(&t.b, "ai.onnx.ml", 3);
    onnx_build_opset(&t.b, "com.microsoft", 1);
    t.node = onnx_build_node(&t.b, op, inputs, outputs);
    t.node->domain = domain;
    return t;
}

static void ints(trial *t, const char *name, size_t n, const int64_t *value)
{
    onnx_build_attr_ints(&t->b, t->node, name, n, value);
}

static void floats(trial *t, const char *name, size_t n, const float *value)
{
    onnx_build_attr_floats(&t->b, t->node, name, n, value);
}

#define INTS(t, name, ...) ints(t, name, LM_COUNT(((int64_t[]){__VA_ARGS__})), (int64_t[]){__VA_ARGS__})
#define FLOATS(t, name, ...) floats(t, name, LM_COUNT(((float[]){__VA_ARGS__})), (float[]){__VA_ARGS__})

/* A constant of another type than float32 and int64. */
static void constant(trial *t, const char *name, lm_dtype dt, int64_t n, double value)
{
    lm_shape s = n ? LM_SHAPE(n) : (lm_shape){0};
    lm_view v;
    if (!CHECK_OK(lm_view_new(dt, &s, &v)))
        return;
    for (int64_t i = 0; i < lm_shape_count(&s); i++)
        lm_view_set(&v, i, value);
    onnx_build_const(&t->b, name, &v);
    lm_buffer_unref(v.buf);
}

/* Feed x and fetch the value called `fetch`; how many elements came, as doubles. */
static lm_status run(trial *t, lm_shape s, const float *x, const char *fetch, double y[MOST], int64_t *n)
{
    lm_str text = {0};
    lm_model *m = NULL;
    lm_session *session = NULL;
    lm_view in = {0}, out = {0};
    *n = 0;
    onnx_build_input(&t->b, "x", LM_F32, s.rank, s.dim);
    onnx_build_output(&t->b, fetch, LM_F32, -1, NULL);
    lm_status status = onnx_build_end(&t->b, &text);
    if (status == LM_OK)
        status = lm_model_open_bytes(lm_str_text(&text), text.count, NULL, &m);
    if (status == LM_OK)
        status = lm_session_open(m, &chain, NULL, &session);
    if (status == LM_OK)
        status = lm_view_new(LM_F32, &s, &in);
    if (status == LM_OK) {
        const lm_named feed = {"x", in};
        memcpy(lm_view_data(&in), x, (size_t)lm_shape_count(&s) * sizeof *x);
        status = lm_session_run(session, &feed, 1, NULL, 1, &out, NULL);
    }
    if (status == LM_OK) {
        *n = lm_shape_count(&out.sh);
        for (int64_t i = 0; i < *n && i < MOST; i++)
            y[i] = lm_view_get(&out, i);
        lm_buffer_unref(out.buf);
    }
    lm_buffer_unref(in.buf);
    lm_session_close(session);
    lm_model_close(m);
    lm_str_free(&text);
    return status;
}

static void expect(trial *t, lm_shape s, const float *x, const char *fetch, int64_t n, const double *wanted)
{
    double y[MOST];
    int64_t got;
    if (!CHECK_OK(run(t, s, x, fetch, y, &got)) || !CHECK_INT(got, n))
        return;
    for (int64_t i = 0; i < n; i++)
        CHECK_NEAR(y[i], wanted[i], 1e-5 + 1e-5 * fabs(wanted[i]));
}

#define X(...) (float[]){__VA_ARGS__}
#define EXPECT(t, shape, x, fetch, ...)                                                                                \
    expect(t, shape, x, fetch, LM_COUNT(((double[]){__VA_ARGS__})), (double[]){__VA_ARGS__})
#define REFUSED(t, shape, x, wanted)                                                                                   \
    do {                                                                                                               \
        double y_[MOST];                                                                                               \
        int64_t n_;                                                                                                    \
        CHECK_FAILS(run(t, shape, x, "y", y_, &n_), wanted);                                                           \
    } while (0)

static void halves_go_to_even_and_ends_saturate(void)
{
    trial t = begin("", "QuantizeLinear", "x s z", "y");
    constant(&t, "s", LM_F32, 0, 2);
    constant(&t, "z", LM_U8, 0, 100);
    EXPECT(&t, LM_SHAPE(6), X(1, 3, 5, -1, 1000, -1000), "y", 100, 102, 102, 100, 255, 0);
}

/* More terms than float32 can add: each product is 254 * 254. */
static void long_sums_of_integers_are_exact(void)
{
    enum { K = 600 };
    float x[K];
    trial t = begin("", "DynamicQuantizeLinear", "x", "q s z");
    onnx_build_node(&t.b, "MatMulInteger", "q w - o", "y");
    lm_shape s = LM_SHAPE(K, 1);
    lm_view w;
    if (!CHECK_OK(lm_view_new(LM_U8, &s, &w)))
        return;
    for (int i = 0; i < K; i++) {
        x[i] = i ? 255 : 254;
        lm_view_set(&w, i, 255);
    }
    onnx_build_const(&t.b, "w", &w);
    lm_buffer_unref(w.buf);
    constant(&t, "o", LM_U8, 0, 0);
    EXPECT(&t, LM_SHAPE(1, K), x, "y", 255.0 * 255 * (K - 1) + 254.0 * 255);
}

/* Tree 0 asks feature 1 <= 0.5; tree 1 is one leaf. */
static void describe_trees(trial *t)
{
    INTS(t, "nodes_treeids", 0, 0, 0, 1);
    INTS(t, "nodes_nodeids", 0, 1, 2, 0);
    INTS(t, "nodes_featureids", 1, 0, 0, 0);
    FLOATS(t, "nodes_values", 0.5f, 0, 0, 0);
    onnx_build_attr_texts(&t->b, t->node, "nodes_modes", "BRANCH_LEQ LEAF LEAF LEAF");
    INTS(t, "nodes_truenodeids", 1, 0, 0, 0);
    INTS(t, "nodes_falsenodeids", 2, 0, 0, 0);
}

static void trees_add_up(void)
{
    trial t = begin("ai.onnx.ml", "TreeEnsembleRegressor", "x", "y");
    describe_trees(&t);
    INTS(&t, "target_treeids", 0, 0, 1);
    INTS(&t, "target_nodeids", 1, 2, 0);
    INTS(&t, "target_ids", 0, 0, 0);
    FLOATS(&t, "target_weights", 2, 3, 10);
    FLOATS(&t, "base_values", 100);
    onnx_build_attr_int(&t.b, t.node, "n_targets", 1);
    EXPECT(&t, LM_SHAPE(3, 2), X(0, 0, 0, 0.5f, 0, 1), "y", 112, 112, 113);
}

static void trees_vote(void)
{
    for (int labels = 0; labels < 2; labels++) {
        trial t = begin("ai.onnx.ml", "TreeEnsembleClassifier", "x", labels ? "y p" : "l y");
        describe_trees(&t);
        INTS(&t, "class_treeids", 0, 0, 1);
        INTS(&t, "class_nodeids", 1, 2, 0);
        INTS(&t, "class_ids", 0, 2, 1);
        FLOATS(&t, "class_weights", 0.75f, 0.75f, 0.5f);
        INTS(&t, "classlabels_int64s", 7, 8, 9);
        if (labels)
            EXPECT(&t, LM_SHAPE(2, 2), X(0, 0, 0, 1), "y", 7, 9);
        else
            EXPECT(&t, LM_SHAPE(2, 2), X(0, 0, 0, 1), "y", 0.75, 0.5, 0, 0, 0.5, 0.75);
    }
}

static void broken_trees_are_refused(void)
{
    trial t = begin("ai.onnx.ml", "TreeEnsembleRegressor", "x", "y");
    INTS(&t, "nodes_treeids", 0, 0, 0);
    INTS(&t, "nodes_nodeids", 0, 1, 2);
    INTS(&t, "nodes_featureids", 0, 0, 0);
    FLOATS(&t, "nodes_values", 0, 0, 0);
    onnx_build_attr_texts(&t.b, t.node, "nodes_modes", "BRANCH_LEQ BRANCH_LEQ BRANCH_LEQ");
    INTS(&t, "nodes_truenodeids", 1, 2, 1); /* 1 and 2 lead to each other */
    INTS(&t, "nodes_falsenodeids", 2, 2, 1);
    INTS(&t, "target_treeids", 0);
    INTS(&t, "target_nodeids", 0);
    INTS(&t, "target_ids", 0);
    FLOATS(&t, "target_weights", 1);
    REFUSED(&t, LM_SHAPE(1, 1), X(0), LM_INPUT);
}

static void linear_models(void)
{
    trial t = begin("ai.onnx.ml", "LinearClassifier", "x", "l y");
    FLOATS(&t, "coefficients", 1, -1);
    FLOATS(&t, "intercepts", 0);
    INTS(&t, "classlabels_ints", 3, 4);
    onnx_build_attr_text(&t.b, t.node, "post_transform", "LOGISTIC");
    EXPECT(&t, LM_SHAPE(2, 2), X(5, 5, 100, 0), "y", 0.5, 0.5, 0, 1);
    t = begin("ai.onnx.ml", "LinearRegressor", "x", "y");
    FLOATS(&t, "coefficients", 1, 2, 3, 4);
    FLOATS(&t, "intercepts", 10, 20);
    onnx_build_attr_int(&t.b, t.node, "targets", 2);
    EXPECT(&t, LM_SHAPE(1, 2), X(1, 1), "y", 13, 27);
}

/* Two vectors on the axes with weights 2 and -1, a linear kernel. */
static void support_vectors(void)
{
    for (int classes = 0; classes < 2; classes++) {
        trial t = begin("ai.onnx.ml", classes ? "SVMClassifier" : "SVMRegressor", "x", classes ? "y p" : "y");
        FLOATS(&t, "support_vectors", 1, 0, 0, 1);
        FLOATS(&t, "coefficients", 2, -1);
        FLOATS(&t, "rho", 0.5f);
        onnx_build_attr_text(&t.b, t.node, "kernel_type", "LINEAR");
        if (classes) {
            INTS(&t, "vectors_per_class", 1, 1);
            INTS(&t, "classlabels_ints", 5, 6);
            EXPECT(&t, LM_SHAPE(2, 2), X(1, 2, 1, 3), "y", 5, 6); /* decisions 0.5 and -0.5 */
        } else {
            onnx_build_attr_int(&t.b, t.node, "n_supports", 2);
            EXPECT(&t, LM_SHAPE(2, 2), X(1, 2, 1, 3), "y", 0.5, -0.5);
        }
    }
    trial t = begin("ai.onnx.ml", "SVMClassifier", "x", "y p");
    FLOATS(&t, "support_vectors", 1, 0, 0, 1);
    FLOATS(&t, "coefficients", 2, -1);
    FLOATS(&t, "rho", 0.5f);
    INTS(&t, "vectors_per_class", 1, 4);
    INTS(&t, "classlabels_ints", 5, 6);
    REFUSED(&t, LM_SHAPE(1, 2), X(1, 2), LM_INPUT);
}

static void columns_are_prepared(void)
{
    trial t = begin("ai.onnx.ml", "Scaler", "x", "y");
    FLOATS(&t, "offset", 1, 2);
    FLOATS(&t, "scale", 10);
    EXPECT(&t, LM_SHAPE(1, 2), X(1, 3), "y", 0, 10);
    t = begin("ai.onnx.ml", "Normalizer", "x", "y");
    onnx_build_attr_text(&t.b, t.node, "norm", "L2");
    EXPECT(&t, LM_SHAPE(2, 2), X(3, -4, 0, 0), "y", 0.6, -0.8, 0, 0);
    t = begin("ai.onnx.ml", "Imputer", "x", "y");
    FLOATS(&t, "imputed_value_floats", 7, 8);
    onnx_build_attr_float(&t.b, t.node, "replaced_value_float", NAN);
    EXPECT(&t, LM_SHAPE(2, 2), X(NAN, 1, 2, NAN), "y", 7, 1, 2, 8);
    t = begin("ai.onnx.ml", "OneHotEncoder", "x", "y");
    INTS(&t, "cats_int64s", 4, 2);
    EXPECT(&t, LM_SHAPE(3), X(2, 4, 5), "y", 0, 1, 1, 0, 0, 0);
    t = begin("ai.onnx.ml", "LabelEncoder", "x", "y");
    FLOATS(&t, "keys_floats", 1.5f, 2);
    INTS(&t, "values_int64s", 30, 40);
    EXPECT(&t, LM_SHAPE(3), X(2, 1.5f, 0), "y", 40, 30, -1);
    t = begin("ai.onnx.ml", "ZipMap", "x", "y");
    EXPECT(&t, LM_SHAPE(1, 2), X(0.25f, 0.75f), "y", 0.25, 0.75);
}

static void choices_that_hang_on_values(void)
{
    trial t = begin("", "NonMaxSuppression", "x s m o", "y");
    onnx_build_floats(&t.b, "s", 3, (int64_t[]){1, 1, 3}, (float[]){0.5f, 0.9f, 0.1f});
    onnx_build_ints(&t.b, "m", 0, NULL, (int64_t[]){5});
    constant(&t, "o", LM_F32, 0, 0.5);
    /* the first two lie over each other by 9 / 11, the third alone */
    EXPECT(&t, LM_SHAPE(1, 3, 4), X(0, 0, 1, 10, 0, 1, 1, 11, 5, 5, 6, 6), "y", 0, 0, 1, 0, 0, 2);
    t = begin("", "Unique", "x", "y a b c");
    onnx_build_attr_int(&t.b, t.node, "sorted", 0);
    EXPECT(&t, LM_SHAPE(5), X(2, 1, 2, 3, 1), "y", 2, 1, 3);
    t = begin("", "Unique", "x", "a b y c");
    EXPECT(&t, LM_SHAPE(5), X(2, 1, 2, 3, 1), "y", 1, 0, 1, 2, 0);
}

static void sums_and_turns(void)
{
    trial t = begin("", "DFT", "x", "y");
    EXPECT(&t, LM_SHAPE(1, 4, 1), X(0, 1, 0, 0), "y", 1, 0, 0, -1, -1, 0, 0, 1);
    t = begin("", "Det", "x", "y");
    EXPECT(&t, LM_SHAPE(3, 2, 2), X(0, 1, 1, 0, 2, 3, 4, 5, 0, 0, 0, 1), "y", -1, -2, 0);
    t = begin("com.microsoft", "FusedMatMul", "x w", "y");
    onnx_build_floats(&t.b, "w", 2, (int64_t[]){1, 2}, (float[]){1, 2});
    onnx_build_attr_int(&t.b, t.node, "transB", 1);
    onnx_build_attr_float(&t.b, t.node, "alpha", 0.5f);
    EXPECT(&t, LM_SHAPE(1, 2), X(3, 4), "y", 5.5);
}

static void chance_is_refused(void)
{
    trial t = begin("", "RandomNormalLike", "x", "y");
    REFUSED(&t, LM_SHAPE(2), X(0, 0), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "RandomNormalLike") && strstr(lm_message(), "random"));
    t = begin("ai.onnx.ml", "OneHotEncoder", "x", "y");
    onnx_build_attr_texts(&t.b, t.node, "cats_strings", "a b");
    REFUSED(&t, LM_SHAPE(2), X(0, 0), LM_UNSUPPORTED);
}

int main(void)
{
    if (!CHECK_OK(lm_chain_open("cpu", &chain)))
        return test_end();
    CASE(halves_go_to_even_and_ends_saturate);
    CASE(long_sums_of_integers_are_exact);
    CASE(trees_add_up);
    CASE(trees_vote);
    CASE(broken_trees_are_refused);
    CASE(linear_models);
    CASE(support_vectors);
    CASE(columns_are_prepared);
    CASE(choices_that_hang_on_values);
    CASE(sums_and_turns);
    CASE(chance_is_refused);
    lm_chain_close(&chain);
    return test_end();
}
