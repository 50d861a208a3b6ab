/* Rules that users write, conventions that walks are given, what graphs go through before, and RevealCancel. */
#include "core/graph/emit_move.h"
#include "core/graph/passes.h"
#include "core/rules/file.h"
#include "core/rules/sets.h"
#include "tests/rules/main.h"

static lm_chain ref;

static lm_val doubles(lm_emit *e, lm_shape shape)
{
    return input(e, NULL, LM_F64, shape);
}

static lm_status walk(lm_emit *e, const lm_ruleset *set, const lm_rule_options *o, lm_val y, lm_val seed, lm_val x,
                      lm_val base, lm_val *signal)
{
    const lm_backward b = {.set = set, .options = o, .ntarget = 1, .target = &y, .seed = seed ? &seed : NULL, .nwrt = 1,
                           .wrt = &x, .signal = signal, .baseline = base ? &base : NULL};
    return lm_backward_emit(e, &b);
}

/* The graph's one output at the values of its one input. */
static void run_at(const lm_emit *e, const double *x, double *y)
{
    lm_view feed, out[1] = {0};
    const lm_type *t = &lm_graph_value(e->g, e->g->inputs.at[0])->type;
    CHECK_OK(lm_view_new(t->dt, &t->sh, &feed));
    for (int64_t k = 0, n = lm_shape_count(&t->sh); k < n; k++)
        lm_view_set(&feed, k, x[k]);
    run_graph(&ref, e->g, &feed, out);
    for (int64_t k = 0; out[0].buf && k < lm_shape_count(&out[0].sh); k++)
        y[k] = lm_view_get(&out[0], k);
    lm_buffer_unref(out[0].buf);
    lm_buffer_unref(feed.buf);
}

/* Relevance of y at the input, from its value. */
#define EXPECT(e, set, o, y, x, at, ...)                                                                               \
    expect(e, set, o, y, x, at, (double[]){__VA_ARGS__}, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)))
static void expect(lm_emit *e, const lm_ruleset *set, const lm_rule_options *o, lm_val y, lm_val x, const double *at,
                   const double *wanted, int n)
{
    double got[16] = {0};
    lm_val signal = LM_NOVAL;
    if (CHECK_OK(walk(e, set, o, y, y, x, LM_NOVAL, &signal)) && CHECK_OK(lm_graph_output(e->g, signal))) {
        run_at(e, at, got);
        for (int i = 0; i < n; i++)
            CHECK_NEAR(got[i], wanted[i], 1e-9);
    }
    lm_graph_free(e->g);
}

static const lm_ruleset *read(const char *text, lm_ruleset_file **file)
{
    *file = NULL;
    return CHECK_OK(lm_ruleset_read(text, strlen(text), "my.rules", file)) ? lm_ruleset_of(*file) : &lm_set_lrp_eps;
}

/* x [1,2] times weights (1, -1; 2, 1) plus bias (1, 0), called "a", rectified, then times (1; 1), called "b". */
static lm_val two_layers(lm_emit *e, lm_val x)
{
    lm_val w = NUMBERS(e, LM_F64, LM_SHAPE(2, 2), 1, -1, 2, 1), bias = NUMBERS(e, LM_F64, LM_SHAPE(2), 1, 0);
    lm_attrs a = {0};
    e->name = "a";
    lm_val h = unary(e, LM_OP_RELU, lm_emit1(e, LM_OP_MATMUL, &a, x, w, bias));
    lm_val v = NUMBERS(e, LM_F64, LM_SHAPE(2, 1), 1, 1);
    e->name = "b";
    return binary(e, LM_OP_MATMUL, h, v);
}

/* At (1, 2): h = (6, 1), y = 7. */
static void rows_from_text(void)
{
    static const double at[] = {1, 2};
    static const struct {
        const char *text;
        double wanted[2];
    } cases[] = {
        {"dense: eps eps=0 # the usual rule without its stabiliser\n", {1.0 - 1, 4.0 + 2}},
        {"  a : zplus eps=0\r\n\n# only this layer\nb: eps eps=0", {1, 4 + 1}},
        {"first:flat eps=0\nb: eps eps=0\n", {3.5, 3.5}},
        {"a: cut\n", {0, 0}},
        {"*: w2 eps=0\n", {3.5 / 5 + 3.5 / 2, 3.5 * 4 / 5 + 3.5 / 2}},
        {"MatMul: ab alpha=1 eps=0\n", {1, 5}},
        {"Gemm: grad\nRelu: grad\n", {0 * 7, 3 * 7}},
        {"*: grad", {0 * 7, 3 * 7}},
        {"a: box low=0 high=4 eps=0\nb: eps eps=0\n", {6. / 5 + 3. / 5, 24. / 5 + 2. / 5}},
    };
    for (size_t i = 0; i < LM_COUNT(cases); i++) {
        lm_emit e = begin(NULL);
        lm_ruleset_file *file;
        const lm_ruleset *set = read(cases[i].text, &file);
        lm_val x = doubles(&e, LM_SHAPE(1, 2)), y = two_layers(&e, x);
        const int before = test_errors;
        EXPECT(&e, set, NULL, y, x, at, cases[i].wanted[0], cases[i].wanted[1]);
        if (test_errors != before)
            printf("%s\n", cases[i].text);
        lm_ruleset_free(file);
    }
}

static void wrong_text(const char *text, const char *place, const char *word)
{
    lm_ruleset_file *file = NULL;
    CHECK_FAILS(lm_ruleset_read(text, strlen(text), "my.rules", &file), LM_USAGE);
    if (!CHECK(strstr(lm_message(), place) && strstr(lm_message(), word)))
        printf("%s: %s\n", text, lm_message());
}

static void errors_say_where(void)
{
    wrong_text("conv zplus", "my.rules:1:1:", "':'");
    wrong_text("# fine\n  : eps", "my.rules:2:3:", "nothing before");
    wrong_text("conv: zpluss", "my.rules:1:7:", "zpluss");
    wrong_text("conv:", "my.rules:1:6:", "no rule");
    wrong_text("conv: eps eps", "my.rules:1:11:", "key=value");
    wrong_text("conv: eps gamma=1", "my.rules:1:11:", "it has eps");
    wrong_text("conv: gamma gamma=1x", "my.rules:1:20:", "1x");
    wrong_text("conv: gamma gamma=", "my.rules:1:19:", "number");
    wrong_text("conv: gamma gamma=-1", "my.rules:1:19:", "negative");
    wrong_text("conv: gamma gamma=1 gamma=1", "my.rules:1:21:", "twice");
    wrong_text("conv: ab alpha=2 beta=2", "my.rules:1:7:", "alpha - beta");
    wrong_text("first: box low=1", "my.rules:1:8:", "together");
    wrong_text("conv: eps\nconv: flat", "my.rules:2:1:", "earlier");
    wrong_text("", "my.rules:1:1:", "no row");
    wrong_text("# nothing\n\n", "my.rules:1:1:", "no row");
}

/* What no row matches is as in lrp_eps, and refused as there, but under the file's name. */
static void few_rows(void)
{
    lm_emit e = begin(NULL);
    lm_ruleset_file *file;
    const lm_ruleset *set = read("conv: flat\n", &file);
    lm_val x = doubles(&e, LM_SHAPE(1, 2)), signal, y = lm_emit_axis(&e, LM_OP_SOFTMAX, x, 1);
    CHECK_FAILS(walk(&e, set, NULL, y, y, x, LM_NOVAL, &signal), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "my.rules") && strstr(lm_message(), "Softmax"));
    lm_graph_free(e.g);
    lm_ruleset_free(file);
}

static lm_val deep(lm_emit *e, lm_dtype dt, lm_val x, int layers)
{
    enum { WIDTH = 16 };
    for (int i = 0; i < layers; i++) {
        lm_attrs a = {0};
        lm_val w = lm_emit_cast(e, weights(e, 10 + i, LM_SHAPE(WIDTH, i + 1 < layers ? WIDTH : 1)), dt);
        x = lm_emit1(e, LM_OP_MATMUL, &a, x, w);
        x = i + 1 < layers ? unary(e, LM_OP_RELU, x) : x;
    }
    return x;
}

/* By how much RevealCancel misses the change of a stack of layers, as a part of it. */
static double missed(lm_dtype dt, int layers)
{
    enum { WIDTH = 16 };
    lm_emit e = begin(NULL);
    double at[WIDTH], got[1] = {NAN};
    const lm_shape shape = LM_SHAPE(1, WIDTH);
    lm_val x = input(&e, NULL, dt, shape), base = lm_emit_full(&e, dt, &shape, 0.25), signal = LM_NOVAL;
    lm_val y = deep(&e, dt, x, layers), y0 = deep(&e, dt, base, layers);
    for (int i = 0; i < WIDTH; i++)
        at[i] = sin(3.0 * i + 1);
    if (CHECK_OK(walk(&e, &lm_set_deeplift_revealcancel, NULL, y, LM_NOVAL, x, base, &signal))) {
        lm_val change = binary(&e, LM_OP_SUB, y, y0);
        lm_val all = binary(&e, LM_OP_MUL, signal, binary(&e, LM_OP_SUB, x, base));
        lm_val off = binary(&e, LM_OP_SUB, lm_emit_reduce(&e, LM_OP_REDUCE_SUM, all, 2, true), change);
        CHECK_OK(lm_graph_output(e.g, unary(&e, LM_OP_ABS, binary(&e, LM_OP_DIV, off, change))));
        run_at(&e, at, got);
    }
    lm_graph_free(e.g);
    return got[0];
}

/* It adds up but for rounding, which the parts carry: they grow with every layer while the change does not. */
static void parts_lose_digits_with_depth(void)
{
    CHECK(missed(LM_F64, 4) < 1e-12);
    CHECK(missed(LM_F64, 10) < 1e-6);
    CHECK(missed(LM_F32, 10) > 1e4 * missed(LM_F64, 10));
    CHECK(missed(LM_F64, 10) > 10 * missed(LM_F64, 4));
}

/* Names and operators that the model does not have. */
static void rows_for_nothing(void)
{
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"a: eps\nconv: eps\n*: flat\nGemm: eps\nRelu: pass\nLayerNormalization: eps", NULL},
        {"a: eps\n\nzz: flat", "my.rules:3:1: the model has no node or module 'zz'"},
        {"Conv: eps", "my.rules:1:1: the model has no operator 'Conv'"},
    };
    lm_emit e = begin(NULL);
    two_layers(&e, doubles(&e, LM_SHAPE(1, 2)));
    for (size_t i = 0; i < LM_COUNT(cases); i++) {
        lm_ruleset_file *file;
        read(cases[i].text, &file);
        if (!cases[i].place)
            CHECK_OK(lm_ruleset_check(file, e.g));
        else if (CHECK_FAILS(lm_ruleset_check(file, e.g), LM_USAGE))
            CHECK(strstr(lm_message(), cases[i].place) != NULL);
        lm_ruleset_free(file);
    }
    lm_graph_free(e.g);
}

static lm_status read_some(void)
{
    static const char text[] = "conv: gamma gamma=0.5\na: ab alpha=3\n*: flat\n";
    lm_ruleset_file *file = NULL;
    lm_status status = lm_ruleset_read(text, sizeof text - 1, "some", &file);
    lm_ruleset_free(file);
    return status;
}

static void memory_runs_out(void)
{
    CHECK(read_some() == LM_OK);
    CHECK(test_every_allocation(read_some) > 1);
}

/* A rule for linear nodes has nothing to say about others. */
static void linear_rules_only_there(void)
{
    lm_emit e = begin(NULL);
    lm_ruleset_file *file;
    const lm_ruleset *set = read("c: eps\nd: pass", &file);
    lm_val x = doubles(&e, LM_SHAPE(1, 2)), signal;
    e.name = "c";
    lm_val y = unary(&e, LM_OP_TANH, x);
    CHECK_FAILS(walk(&e, set, NULL, y, y, x, LM_NOVAL, &signal), LM_USAGE);
    CHECK(strstr(lm_message(), "Tanh") != NULL);
    e.status = LM_OK;
    e.name = "d";
    y = lm_emit_reduce(&e, LM_OP_REDUCE_SUM, x, 2, true);
    CHECK_FAILS(walk(&e, set, NULL, y, y, x, LM_NOVAL, &signal), LM_USAGE);
    CHECK(strstr(lm_message(), "shape") != NULL);
    lm_graph_free(e.g);
    lm_ruleset_free(file);
}

static lm_val biased(lm_emit *e, lm_val x, double w0, double w1, double b)
{
    lm_attrs a = {0};
    lm_val w = NUMBERS(e, LM_F64, LM_SHAPE(2, 1), w0, w1);
    return lm_emit1(e, LM_OP_MATMUL, &a, x, w, NUMBERS(e, LM_F64, LM_SHAPE(1), b));
}

static void conventions_of_linear_rules(void)
{
    static const double at[] = {-1, 3};
    const struct {
        const lm_ruleset *set;
        bool whole, no_bias, square;
        double w[2], b, wanted[2];
    } cases[] = {
        {&lm_set_lrp_eps, false, false, false, {1, 1}, 2, {-1, 3}},
        {&lm_set_lrp_eps, false, true, false, {1, 1}, 2, {-1 * 2, 3 * 2}},
        /* y = 5 of (-1)(-1), 3 and a bias of 1 */
        {&lm_set_lrp_zplus, false, false, false, {-1, 1}, 1, {5. * 1 / 5, 5. * 3 / 5}},
        {&lm_set_lrp_zplus, false, true, false, {-1, 1}, 1, {5. * 1 / 4, 5. * 3 / 4}},
        {&lm_set_lrp_zplus, true, false, false, {-1, 1}, 1, {0, 5. * 3 / 4}},
        {&lm_set_lrp_gamma_all, true, false, false, {1, 1}, 2, {4 * -1.25 / 4.5, 4 * 3.75 / 4.5}},
        {&lm_set_lrp_wsquare, false, false, false, {1, 2}, 2, {7. * 1 / 5, 7. * 4 / 5}},
        {&lm_set_lrp_wsquare, false, false, true, {1, 2}, 2, {7. * 1 / 9, 7. * 4 / 9}},
    };
    for (size_t i = 0; i < LM_COUNT(cases); i++) {
        lm_emit e = begin(NULL);
        lm_rule_options o = LM_RULE_OPTIONS_DEFAULT;
        o.eps = o.stab = 0;
        o.whole_input = cases[i].whole;
        o.no_bias = cases[i].no_bias;
        o.square_bias = cases[i].square;
        lm_val x = doubles(&e, LM_SHAPE(1, 2)), y = biased(&e, x, cases[i].w[0], cases[i].w[1], cases[i].b);
        const int before = test_errors;
        EXPECT(&e, cases[i].set, &o, y, x, at, cases[i].wanted[0], cases[i].wanted[1]);
        if (test_errors != before)
            printf("case %zu\n", i);
    }
}

static lm_val norm_of(lm_emit *e, lm_val x, double gain, double shift)
{
    lm_attrs a = {0};
    a.norm.epsilon = 0;
    return lm_emit1(e, LM_OP_BATCHNORM, &a, x, NUMBERS(e, LM_F64, LM_SHAPE(2), gain, gain),
                    NUMBERS(e, LM_F64, LM_SHAPE(2), shift, shift), NUMBERS(e, LM_F64, LM_SHAPE(2), 0, 0),
                    NUMBERS(e, LM_F64, LM_SHAPE(2), 1, 1));
}

/* 2 x + 3 passes relevance on, or gives the shift its share: at (1, 2), 5 and 7. */
static void lone_batch_norms(void)
{
    lm_rule_options o = LM_RULE_OPTIONS_DEFAULT;
    o.eps = 0;
    for (int i = 0; i < 2; i++) {
        lm_emit e = begin(NULL);
        lm_val x = doubles(&e, LM_SHAPE(1, 2));
        o.norm_eps = i;
        EXPECT(&e, &lm_set_lrp_eps, &o, norm_of(&e, x, 2, 3), x, ((double[]){1, 2}), i ? 2 : 5, i ? 4 : 7);
    }
}

/* The winner, 2, gets everything, or 2 / (2 + eps) of it. */
static void max_pools(void)
{
    lm_attrs a = {0};
    a.pool.nd = 1;
    a.pool.kernel[0] = a.pool.stride[0] = 2;
    a.pool.dilation[0] = 1;
    lm_rule_options o = LM_RULE_OPTIONS_DEFAULT;
    o.eps = 0.5;
    for (int i = 0; i < 2; i++) {
        lm_emit e = begin(NULL);
        lm_val x = doubles(&e, LM_SHAPE(1, 1, 2));
        o.pool_eps = i;
        EXPECT(&e, &lm_set_lrp_eps, &o, lm_emit1(&e, LM_OP_MAXPOOL, &a, x), x, ((double[]){1, 2}), 0, i ? 1.6 : 2);
    }
}

/* d softmax / dx where nothing changes but one input: its mean over the row, over everything, or nothing taken off. */
static void means_of_softmax(void)
{
    static const lm_mean means[] = {LM_MEAN_AXIS, LM_MEAN_WHOLE, LM_MEAN_NONE};
    for (size_t i = 0; i < LM_COUNT(means); i++) {
        lm_emit e = begin(NULL);
        lm_rule_options o = LM_RULE_OPTIONS_DEFAULT;
        double got[4], sum[2];
        o.softmax_mean = means[i];
        lm_val x = doubles(&e, LM_SHAPE(2, 2)), y = lm_emit_axis(&e, LM_OP_SOFTMAX, x, 1), signal = LM_NOVAL;
        lm_val seed = NUMBERS(&e, LM_F64, LM_SHAPE(2, 2), 1, 0, 1, 0);
        lm_val base = NUMBERS(&e, LM_F64, LM_SHAPE(2, 2), 0, 0, 0, 0);
        CHECK_OK(walk(&e, &lm_set_deeplift, &o, y, seed, x, base, &signal));
        CHECK_OK(lm_graph_output(e.g, signal));
        run_at(&e, (double[]){1, 2, 2, 0.5}, got);
        for (int k = 0; k < 2; k++)
            sum[k] = got[2 * k] + got[2 * k + 1];
        CHECK((fabs(sum[0]) < 1e-12 && fabs(sum[1]) < 1e-12) == (means[i] == LM_MEAN_AXIS));
        CHECK((fabs(sum[0] + sum[1]) < 1e-12) == (means[i] != LM_MEAN_NONE));
        lm_graph_free(e.g);
    }
}

/* Contributions of y at `at` against `base`, and what they should add up to. */
static void lift(lm_emit *e, const lm_ruleset *set, lm_val y, lm_val x, lm_val base, const double *at, int n,
                 double *got)
{
    lm_val signal = LM_NOVAL;
    const lm_shape row = LM_SHAPE(n);
    CHECK_OK(walk(e, set, NULL, y, LM_NOVAL, x, base, &signal));
    lm_val parts = binary(e, LM_OP_MUL, signal, binary(e, LM_OP_SUB, x, base));
    CHECK_OK(lm_graph_output(e->g, lm_emit_reshape(e, parts, &row)));
    run_at(e, at, got);
    lm_graph_free(e->g);
}

/* Scores of which one is masked and one does not move, weighted: contributions add up, and the masked one has none. */
static void softmax_adds_up(void)
{
    enum { N = 4 };
    static const lm_opid ops[] = {LM_OP_SOFTMAX, LM_OP_LOGSOFTMAX};
    static const double x[N] = {1, -0.5, 2, 3}, base[N] = {0.25, -0.5, -1, 1}, weight[N] = {1, -2, 3, 0};
    for (size_t i = 0; i < LM_COUNT(ops); i++) {
        lm_emit e = begin(NULL);
        double got[N], change = 0, sum = 0, all[2] = {0, 0};
        lm_attrs a = {0};
        lm_val in = doubles(&e, LM_SHAPE(1, N)), column = NUMBERS(&e, LM_F64, LM_SHAPE(N, 1), 1, -2, 3, 0);
        lm_val mask = NUMBERS(&e, LM_F64, LM_SHAPE(1, N), 0, 0, 0, -1e4);
        lm_val y = lm_emit_axis(&e, ops[i], binary(&e, LM_OP_ADD, in, mask), 1);
        lift(&e, &lm_set_deeplift, lm_emit1(&e, LM_OP_MATMUL, &a, y, column), in,
             NUMBERS(&e, LM_F64, LM_SHAPE(1, N), 0.25, -0.5, -1, 1), x, N, got);
        for (int k = 0; k < N - 1; k++) {
            all[0] += exp(x[k]);
            all[1] += exp(base[k]);
        }
        for (int k = 0; k < N; k++) {
            const double now = i ? x[k] - log(all[0]) : exp(x[k]) / all[0];
            const double then = i ? base[k] - log(all[1]) : exp(base[k]) / all[1];
            change += weight[k] * (now - then);
            sum += got[k];
        }
        CHECK_NEAR(sum, change, 1e-12);
        CHECK_NEAR(got[N - 1], 0, 1e-12);
    }
}

/* min(x1, x2) = x1 - relu(x1 - x2): both inputs alike, where rescale gives one of them everything. */
static void reveals_what_cancels(void)
{
    static const double points[][2] = {{3, 5}, {5, 3}, {2, 2.5}};
    for (size_t i = 0; i < LM_COUNT(points); i++) {
        lm_emit e = begin(NULL);
        double got[2];
        lm_attrs a = {0};
        lm_val x = doubles(&e, LM_SHAPE(1, 2));
        lm_val gap = lm_emit1(&e, LM_OP_MATMUL, &a, x, NUMBERS(&e, LM_F64, LM_SHAPE(2, 1), 1, -1));
        lm_val y = binary(&e, LM_OP_SUB, lm_emit_slice(&e, x, 1, 0, 1), unary(&e, LM_OP_RELU, gap));
        lift(&e, &lm_set_deeplift_revealcancel, y, x, NUMBERS(&e, LM_F64, LM_SHAPE(1, 2), 0, 0), points[i], 2, got);
        const double half = fmin(points[i][0], points[i][1]) / 2;
        CHECK_NEAR(got[0], half, 1e-12);
        CHECK_NEAR(got[1], half, 1e-12);
    }
}

static lm_val noisy(lm_emit *e, int seed, lm_shape shape)
{
    lm_view view = noise_view(seed, LM_F64, shape);
    lm_val v = lm_emit_content(e, &view);
    lm_buffer_unref(view.buf);
    return v;
}

/* Layers, composites, products of two activations and what has no parts of its own. */
static lm_val anything(lm_emit *e, lm_val x)
{
    lm_attrs norm = {0}, conv = {0}, pool = {0}, a = {0};
    const lm_shape row = LM_SHAPE(2, 18);
    norm.norm.axis = 1;
    norm.norm.epsilon = 0.1f;
    conv.conv.nd = pool.pool.nd = 2;
    conv.conv.groups = 1;
    for (int i = 0; i < 2; i++) {
        conv.conv.kernel[i] = 3;
        conv.conv.stride[i] = conv.conv.dilation[i] = conv.conv.pad_lo[i] = conv.conv.pad_hi[i] = 1;
        pool.pool.kernel[i] = pool.pool.stride[i] = 2;
        pool.pool.dilation[i] = 1;
    }
    lm_val h = lm_emit1(e, LM_OP_CONV, &conv, x, noisy(e, 1, LM_SHAPE(2, 2, 3, 3)), noisy(e, 2, LM_SHAPE(2)));
    h = lm_emit1(e, LM_OP_MAXPOOL, &pool, unary(e, LM_OP_RELU, binary(e, LM_OP_SUB, h, x)));
    h = unary(e, LM_OP_GELU, unary(e, LM_OP_NEG, lm_emit_reshape(e, h, &row)));
    h = lm_emit1(e, LM_OP_LAYERNORM, &norm, h, noisy(e, 3, LM_SHAPE(18)));
    lm_val g = lm_emit1(e, LM_OP_MATMUL, &a, h, noisy(e, 4, LM_SHAPE(18, 4)), noisy(e, 5, LM_SHAPE(4)));
    g = binary(e, LM_OP_DIV, g, noisy(e, 6, LM_SHAPE(4)));
    lm_val t = unary(e, LM_OP_SIGMOID, scalar(e, LM_OP_ADD, g, 1));
    return lm_emit_reduce(e, LM_OP_REDUCE_SUM, binary(e, LM_OP_MUL, t, unary(e, LM_OP_TANH, g)), 3, false);
}

static void revealcancel_is_complete(void)
{
    enum { N = 2 * 2 * 6 * 6 };
    double image[N], still[N], got[N], at[2], sum = 0;
    for (int i = 0; i < N; i++) {
        image[i] = noise(21, i);
        still[i] = noise(22, i);
    }
    for (int k = 0; k < 2; k++) {
        lm_emit e = begin(NULL);
        lm_val x = doubles(&e, LM_SHAPE(2, 2, 6, 6));
        CHECK_OK(lm_graph_output(e.g, anything(&e, x)));
        run_at(&e, k ? still : image, &at[k]);
        lm_graph_free(e.g);
    }
    lm_emit e = begin(NULL);
    lm_val x = doubles(&e, LM_SHAPE(2, 2, 6, 6)), y = anything(&e, x);
    lift(&e, &lm_set_deeplift_revealcancel, y, x, noisy(&e, 22, LM_SHAPE(2, 2, 6, 6)), image, N, got);
    for (int i = 0; i < N; i++)
        sum += got[i];
    CHECK_NEAR(sum, at[0] - at[1], 1e-5);
}

/* The same function before and after, with no batch norm left; and under UNIT as many as there were. */
static void canon_keeps(lm_emit *e, lm_val y, int left, uint32_t canon, double slack)
{
    lm_graph *g = NULL;
    CHECK_OK(lm_graph_output(e->g, y));
    if (CHECK_OK(lm_canon_for(e->g, e->fold, canon, &g, NULL))) {
        CHECK_INT(count_op(g, LM_OP_BATCHNORM), left);
        CHECK_INT(count_op(g, LM_OP_GEMM), 0);
        same_results(&ref, e->g, g, slack);
    }
    lm_graph_free(g);
    lm_graph_free(e->g);
}

static lm_val image_norm(lm_emit *e, lm_val x, int64_t channels)
{
    lm_attrs a = {0};
    a.norm.epsilon = 1e-3f;
    lm_val spread = unary(e, LM_OP_ABS, noisy(e, 43, LM_SHAPE(channels)));
    return lm_emit1(e, LM_OP_BATCHNORM, &a, x, noisy(e, 40, LM_SHAPE(channels)), noisy(e, 41, LM_SHAPE(channels)),
                    noisy(e, 42, LM_SHAPE(channels)), spread);
}

static lm_val image_conv(lm_emit *e, lm_val x, int groups, int64_t pad)
{
    lm_attrs a = {0};
    a.conv.nd = 2;
    a.conv.groups = groups;
    for (int i = 0; i < 2; i++) {
        a.conv.kernel[i] = 3;
        a.conv.stride[i] = a.conv.dilation[i] = 1;
        a.conv.pad_lo[i] = a.conv.pad_hi[i] = pad;
    }
    return lm_emit1(e, LM_OP_CONV, &a, x, noisy(e, 44, LM_SHAPE(4, 4 / groups, 3, 3)), noisy(e, 45, LM_SHAPE(4)));
}

static void merged_norms(void)
{
    static const lm_shape image = {.rank = 4, .dim = {2, 4, 5, 5}}, row = {.rank = 2, .dim = {3, 4}};
    const lm_attrs gemm = {.gemm = {.tb = true, .alpha = 1, .beta = 1}};
    for (int groups = 1; groups <= 2; groups++) {
        lm_emit e = begin(&ref);
        canon_keeps(&e, image_norm(&e, image_conv(&e, doubles(&e, image), groups, 1), 4), 0, LM_CANON_MERGE, 1e-12);
        e = begin(&ref);
        canon_keeps(&e, image_conv(&e, image_norm(&e, doubles(&e, image), 4), groups, 0), 0, LM_CANON_MERGE, 1e-12);
    }
    lm_emit e = begin(&ref);
    canon_keeps(&e, image_conv(&e, image_norm(&e, doubles(&e, image), 4), 1, 1), 1, LM_CANON_MERGE, 0);
    e = begin(&ref);
    lm_val h = lm_emit1(&e, LM_OP_GEMM, &gemm, image_norm(&e, doubles(&e, row), 4), noisy(&e, 1, LM_SHAPE(4, 4)),
                        noisy(&e, 2, LM_SHAPE(4)));
    canon_keeps(&e, image_norm(&e, h, 4), 0, LM_CANON_MERGE | LM_CANON_RAISE, 1e-12);
    e = begin(&ref);
    h = image_norm(&e, lm_emit1(&e, LM_OP_GEMM, &gemm, doubles(&e, row), noisy(&e, 1, LM_SHAPE(4, 4))), 4);
    canon_keeps(&e, h, 1, 0, 1e-12);
    e = begin(&ref);
    h = image_norm(&e, image_conv(&e, doubles(&e, image), 1, 1), 4);
    canon_keeps(&e, h, 1, LM_CANON_MERGE | LM_CANON_UNIT, 1e-3); /* 1 / sqrt(1 + epsilon) of it */
}

static void canon_as_options_say(void)
{
    lm_rule_options o = LM_RULE_OPTIONS_DEFAULT;
    CHECK_INT(lm_set_canon(&lm_set_lrp_eps, NULL), LM_CANON_MERGE | LM_CANON_RAISE);
    CHECK_INT(lm_set_canon(&lm_set_lrp_eps, &o), LM_CANON_MERGE | LM_CANON_RAISE);
    o.canon_also = LM_CANON_UNIT;
    CHECK_INT(lm_set_canon(&lm_set_lrp_eps, &o), LM_CANON_MERGE | LM_CANON_RAISE | LM_CANON_UNIT);
    o.canon_not = LM_CANON_MERGE;
    CHECK_INT(lm_set_canon(&lm_set_attn_lrp, &o), LM_CANON_RAISE | LM_CANON_UNIT);
}

static void cases(void)
{
    CASE(rows_from_text);
    CASE(errors_say_where);
    CASE(few_rows);
    CASE(rows_for_nothing);
    CASE(parts_lose_digits_with_depth);
    CASE(memory_runs_out);
    CASE(linear_rules_only_there);
    CASE(conventions_of_linear_rules);
    CASE(lone_batch_norms);
    CASE(max_pools);
    CASE(means_of_softmax);
    CASE(softmax_adds_up);
    CASE(reveals_what_cancels);
    CASE(revealcancel_is_complete);
    CASE(merged_norms);
    CASE(canon_as_options_say);
}

int main(void)
{
    return rules_main("ref", &ref, cases);
}
