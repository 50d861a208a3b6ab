/* The words of a question: targets, baselines, inputs, settings and profiles, and what bad ones get. */
#include "core/explain/question.h"
#include "tests/explain/nets.h"

/* Three outputs that are the inputs themselves: a target's gradient shows its seed. */
static void targets(void)
{
    static const float unit[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    static const char *const label[] = {"cat", "Dog", "dog"};
    static const struct {
        const char *target;
        double seed[3], value;
        int64_t index;
        const char *label;
    } cases[] = {
        {NULL, {0, 0, 1}, 9, 2, "dog"},      {"top", {0, 0, 1}, 9, 2, "dog"},  {"0", {1, 0, 0}, 4, 0, "cat"},
        {"-2", {0, 1, 0}, -1, 1, "Dog"},     {"sum", {1, 1, 1}, 12, -1, NULL}, {"0-1", {1, -1, 0}, 5, -1, NULL},
        {"-1-0", {-1, 0, 1}, 5, -1, NULL},   {"cat", {1, 0, 0}, 4, 0, "cat"},  {"CAT", {1, 0, 0}, 4, 0, "cat"},
        {"label:Dog", {0, 1, 0}, -1, 1, "Dog"}, {"dog", {0, 0, 1}, 9, 2, "dog"}, {"@t.npy", {0, 1, 0}, -1, 1, "Dog"},
        {"label:dog", {0, 0, 1}, 9, 2, "dog"},
    };
    small s;
    lm_view x, t;
    lm_answer a;
    lm_shape one = LM_SHAPE(1);
    open_dense(&s, 3, 3, unit, NULL);
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){4, -1, 9}, &x));
    CHECK_OK(lm_view_new(LM_I64, &one, &t));
    lm_store_i64(LM_I64, lm_view_data(&t), -2, false);
    lm_named file = {"t.npy", t};
    lm_question q = {.method = "layer_gradient", .layer = "x", .label = label, .labels = 3, .file = &file, .files = 1};
    for (size_t i = 0; i < LM_COUNT(cases); i++) {
        q.target = cases[i].target;
        if (!CHECK_OK(small_ask(&s, "x", &x, &q, &a)))
            continue;
        const lm_target *goal = a.rows.at[0].goal;
        bool good = CHECK(small_is(&a.rows.at[0].values, LM_SHAPE(1, 3), cases[i].seed, 0));
        good &= CHECK_NEAR(goal->value, cases[i].value, 1e-6) && CHECK_INT(goal->index, cases[i].index);
        good &= cases[i].label ? CHECK_STR(goal->label, cases[i].label) : CHECK(!goal->label);
        if (!good)
            printf("target %s\n", cases[i].target ? cases[i].target : "-");
        lm_answer_free(&a);
    }
    q.target = "top2,all";
    static const char *const called[] = {"2", "0", "0", "1", "2"};
    if (CHECK_OK(small_ask(&s, "x", &x, &q, &a)) && CHECK_INT(a.rows.count, 5))
        for (size_t i = 0; i < 5; i++)
            CHECK_STR(a.rows.at[i].target, called[i]);
    lm_answer_free(&a);
    static const struct {
        const char *target;
        lm_status status;
        const char *says;
    } bad[] = {
        {"3", LM_USAGE, "0 to 2"},        {"-4", LM_USAGE, "-3 to -1"},     {"top4", LM_USAGE, "top1 to top3"},
        {"0-7", LM_USAGE, "0 to 2"},      {"0:1", LM_USAGE, "2 indices"},   {"label:cow", LM_USAGE, "no label"},
        {"DOG", LM_USAGE, "1 and 2"},     {"catt", LM_USAGE, "did you mean cat"}, {"@u.npy", LM_USAGE, "u.npy"},
        {"0,,1", LM_USAGE, "empty"},      {"0-1-2", LM_USAGE, "0-1-2"},     {"7:", LM_USAGE, "'7:'"},
    };
    for (size_t i = 0; i < LM_COUNT(bad); i++) {
        q.target = bad[i].target;
        refuse(&s, &x, &q, bad[i].status, bad[i].says);
    }
    q.labels = 0;
    q.target = "cat";
    refuse(&s, &x, &q, LM_USAGE, "no labels");
    lm_buffer_unref(t.buf);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* More targets than are explained together. */
static void many_targets(void)
{
    enum { CLASSES = 150 };
    float w[2 * CLASSES];
    small s;
    lm_view x;
    lm_answer a;
    for (int i = 0; i < 2 * CLASSES; i++)
        w[i] = (float)i;
    open_dense(&s, 2, CLASSES, w, NULL);
    CHECK_OK(small_view(LM_SHAPE(2, 2), (double[]){1, 2, 3, 5}, &x));
    lm_question q = {.method = "input_x_gradient,lrp", .target = "all"};
    if (CHECK_OK(small_ask(&s, "x", &x, &q, &a)) && CHECK_INT(a.rows.count, 2 * CLASSES))
        for (int i = 0; i < CLASSES; i++)
            for (int k = 0; k < 2; k++) {
                const lm_attribution *row = &a.rows.at[k * CLASSES + i];
                char text[16];
                snprintf(text, sizeof text, "%d", i);
                CHECK_STR(row->target, text);
                CHECK_INT(row->goal[1].index, i);
                CHECK_NEAR(lm_view_get(&row->values, 2), 3 * w[i], 1e-3);
                CHECK_NEAR(lm_view_get(&row->values, 3), 5 * w[CLASSES + i], 1e-3);
            }
    lm_answer_free(&a);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* [1,2,2,3] as it is: classes lie along axis 1, and indices name elements. */
static void targets_of_maps(void)
{
    static const struct {
        const char *target;
        int first, n;
    } cases[] = {{"1", 6, 6}, {"0:1", 3, 3}, {"1:0:2", 8, 1}, {"*:1:-1", -1, 0}, {"top", 0, 6}};
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 4, (int64_t[]){1, 2, 2, 3});
    onnx_build_floats(&b, "one", 1, (int64_t[]){1}, (float[]){1});
    onnx_build_node(&b, "Mul", "x one", "m");
    onnx_build_node(&b, "Neg", "m", "n");
    onnx_build_node(&b, "Neg", "n", "y");
    onnx_build_output(&b, "y", LM_F32, 4, (int64_t[]){1, 2, 2, 3});
    small s;
    lm_view x;
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_view(LM_SHAPE(1, 2, 2, 3), (double[]){9, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2}, &x));
    for (size_t i = 0; i < LM_COUNT(cases); i++) {
        double wanted[12] = {0};
        for (int e = 0; e < 12; e++)
            wanted[e] = cases[i].first < 0 ? e == 5 || e == 11 : e >= cases[i].first && e < cases[i].first + cases[i].n;
        lm_question q = {.method = "saliency", .target = cases[i].target};
        expect(&s, &x, &q, LM_SHAPE(1, 2, 2, 3), wanted, 0);
    }
    lm_question q = {.method = "saliency", .target = "2:0"};
    refuse(&s, &x, &q, LM_USAGE, "0 to 1");
    q.target = "0:0:0:0";
    refuse(&s, &x, &q, LM_USAGE, "[2,2,3]");
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* f = the sum of all: contributions are x - baseline. */
static void baselines(void)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 3, (int64_t[]){-1, 2, 3});
    onnx_build_ints(&b, "axes", 1, (int64_t[]){2}, (int64_t[]){1, 2});
    onnx_build_attr_int(&b, onnx_build_node(&b, "ReduceSum", "x axes", "y"), "keepdims", 0);
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){-1});
    static const double px[12] = {1, 2, 6, -1, 0, 4, 0, 0, 0, 0, 0, 0};
    static const struct {
        const char *baseline;
        double x0[6];
    } cases[] = {
        {NULL, {0, 0, 0, 0, 0, 0}},       {"zero", {0, 0, 0, 0, 0, 0}},
        {"mean", {3, 3, 3, 1, 1, 1}},     {"min", {1, 1, 1, -1, -1, -1}},
        {"max", {6, 6, 6, 4, 4, 4}},      {"value:-2.5", {-2.5, -2.5, -2.5, -2.5, -2.5, -2.5}},
        {"one.npy", {7, 7, 7, 7, 7, 8}},  {"low.npy", {7, 7, 7, 7, 7, 8}},
        {"each.npy", {1, 2, 3, 4, 5, 6}},
    };
    small s;
    lm_view x, one, low, each, wrong, many;
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_view(LM_SHAPE(2, 2, 3), px, &x));
    CHECK_OK(small_view(LM_SHAPE(1, 2, 3), (double[]){7, 7, 7, 7, 7, 8}, &one));
    CHECK_OK(small_view(LM_SHAPE(2, 3), (double[]){7, 7, 7, 7, 7, 8}, &low));
    CHECK_OK(small_view(LM_SHAPE(2, 2, 3), (double[]){1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 1}, &each));
    CHECK_OK(small_view(LM_SHAPE(3, 2), px, &wrong));
    CHECK_OK(small_view(LM_SHAPE(1, 2, 3), px, &many));
    lm_view three = many;
    three.sh.dim[0] = 3;
    three.st[0] = 0;
    const lm_named file[] = {
        {"one.npy", one}, {"low.npy", low}, {"each.npy", each}, {"wrong.npy", wrong}, {"many.npy", three}};
    lm_question q = {.method = "deeplift", .target = "0", .file = file, .files = 5};
    for (size_t i = 0; i < LM_COUNT(cases); i++) {
        lm_answer a;
        q.baseline = cases[i].baseline;
        if (!CHECK_OK(small_ask(&s, "x", &x, &q, &a)))
            continue;
        for (int e = 0; e < 6; e++)
            CHECK_NEAR(lm_view_get(&a.rows.at[0].values, e), px[e] - cases[i].x0[e], 1e-6);
        bool own = q.baseline && strcmp(q.baseline, "each.npy") == 0; /* the second sample has its own */
        CHECK_NEAR(lm_view_get(&a.rows.at[0].values, 11), own ? -1 : a.rows.at[0].goal[1].baseline / -6,
                   own ? 1e-6 : 9);
        lm_answer_free(&a);
    }
    q.baseline = "noise";
    lm_answer first, again;
    CHECK_OK(small_ask(&s, "x", &x, &q, &first));
    CHECK_OK(small_ask(&s, "x", &x, &q, &again));
    CHECK(memcmp(lm_view_data(&first.rows.at[0].values), lm_view_data(&again.rows.at[0].values), 48) == 0);
    CHECK(lm_view_get(&first.rows.at[0].values, 0) != px[0]);
    lm_answer_free(&first);
    lm_answer_free(&again);
    static const struct {
        const char *baseline;
        lm_status status;
        const char *says;
    } bad[] = {
        {"wrong.npy", LM_INPUT, "[3,2]"},
        {"wrong.npy", LM_INPUT, "[1,2,3]"},
        {"many.npy", LM_USAGE, "deeplift takes one"},
        {"nothing", LM_USAGE, "zero, mean"},
        {"blur:3", LM_INPUT, "blur:3"},
        {"token:5", LM_USAGE, "tokens"},
        {"value:", LM_USAGE, "value:"},
    };
    for (size_t i = 0; i < LM_COUNT(bad); i++) {
        q.baseline = bad[i].baseline;
        refuse(&s, &x, &q, bad[i].status, bad[i].says);
    }
    lm_view *all[] = {&x, &one, &low, &each, &wrong, &many};
    for (size_t i = 0; i < LM_COUNT(all); i++)
        lm_buffer_unref(all[i]->buf);
    small_close(&s);
}

/* y = a b + a, for inputs [1,2] each. */
static void several_inputs(void)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "a", LM_F32, 2, (int64_t[]){-1, 2});
    onnx_build_input(&b, "b", LM_F32, 2, (int64_t[]){-1, 2});
    onnx_build_node(&b, "Mul", "a b", "m");
    onnx_build_node(&b, "Add", "m a", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, 2});
    small s;
    lm_view x[2], y;
    lm_answer all, one;
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_view(LM_SHAPE(1, 2), (double[]){2, 3}, &x[0]));
    CHECK_OK(small_view(LM_SHAPE(1, 2), (double[]){5, 7}, &x[1]));
    const lm_named feed[] = {{"b", x[1]}, {"a", x[0]}};
    CHECK_OK(lm_session_run(s.session, feed, 2, NULL, 1, &y, NULL));
    lm_question q = {.method = "input_x_gradient,deeplift", .target = "1", .baseline = "value:1"};
    if (CHECK_OK(lm_explain(s.study, feed, 2, 0, &y, &q, &all)) && CHECK_INT(all.rows.count, 4)) {
        CHECK_STR(all.rows.at[0].site, "a");
        CHECK_STR(all.rows.at[1].site, "b");
        CHECK(small_is(&all.rows.at[0].values, LM_SHAPE(1, 2), (double[]){0, 24}, 1e-5));
        CHECK(small_is(&all.rows.at[1].values, LM_SHAPE(1, 2), (double[]){0, 21}, 1e-5));
        CHECK(isnan(all.rows.at[0].goal->baseline) && all.rows.at[2].goal->baseline == 2);
        CHECK(all.rows.at[2].certificate->gap_abs < 1e-5); /* of both inputs together */
        double sum = lm_view_get(&all.rows.at[2].values, 1) + lm_view_get(&all.rows.at[3].values, 1);
        CHECK_NEAR(sum, 22, 1e-5);
        lm_answer_free(&all);
    }
    q.input = "b"; /* a stays at 3 */
    if (CHECK_OK(lm_explain(s.study, feed, 2, 0, &y, &q, &one)) && CHECK_INT(one.rows.count, 2)) {
        CHECK(small_is(&one.rows.at[1].values, LM_SHAPE(1, 2), (double[]){0, 18}, 1e-5));
        CHECK_NEAR(one.rows.at[1].goal->baseline, 6, 1e-6);
        lm_answer_free(&one);
    }
    for (int i = 0; i < 2; i++)
        lm_buffer_unref(x[i].buf);
    lm_buffer_unref(y.buf);
    small_close(&s);
}

/* y = ceil(3 a) + b: nothing passes to a; of the methods that need no gradient there, none minds. */
static void cut_paths(void)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "a", LM_F32, 2, (int64_t[]){-1, 2});
    onnx_build_input(&b, "b", LM_F32, 2, (int64_t[]){-1, 2});
    onnx_build_floats(&b, "three", 1, (int64_t[]){1}, (float[]){3});
    onnx_build_node(&b, "Mul", "a three", "m");
    onnx_build_node(&b, "Ceil", "m", "c")->name = "steps";
    onnx_build_node(&b, "Add", "c b", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, 2});
    small s;
    lm_view x, y;
    lm_answer a;
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_view(LM_SHAPE(1, 2), (double[]){2, 3}, &x));
    const lm_named feed[] = {{"a", x}, {"b", x}};
    CHECK_OK(lm_session_run(s.session, feed, 2, NULL, 1, &y, NULL));
    lm_question q = {.method = "saliency", .target = "1"};
    if (CHECK_OK(lm_explain(s.study, feed, 2, 0, &y, &q, &a)) && CHECK_INT(a.rows.count, 1))
        CHECK_STR(a.rows.at[0].site, "b");
    lm_answer_free(&a);
    q.input = "a";
    CHECK_FAILS(lm_explain(s.study, feed, 2, 0, &y, &q, &a), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "steps (Ceil)") != NULL);
    q.method = "activation";
    q.layer = "c";
    CHECK_OK(lm_explain(s.study, feed, 2, 0, &y, &q, &a));
    lm_answer_free(&a);
    lm_buffer_unref(x.buf);
    lm_buffer_unref(y.buf);
    small_close(&s);
}

/* Explained without a prediction, and what the model says at the baseline is kept. */
static void saved_runs(void)
{
    small s;
    lm_view x, p;
    lm_answer with, without, again;
    lm_memo *memo;
    open_mlp(&s);
    CHECK_OK(small_numbers(LM_SHAPE(1, 4), 7, &x));
    const lm_named feed = {"x", x};
    CHECK_OK(lm_session_run(s.session, &feed, 1, NULL, 1, &p, NULL));
    CHECK_OK(lm_memo_new(&memo));
    lm_question q = {.method = "deeplift", .target = "2", .memo = memo};
    CHECK_OK(lm_explain(s.study, &feed, 1, 0, &p, &q, &with));
    CHECK_OK(lm_explain(s.study, &feed, 1, 0, NULL, &q, &without));
    CHECK(memcmp(lm_view_data(&with.rows.at[0].values), lm_view_data(&without.rows.at[0].values), 16) == 0);
    CHECK(with.rows.at[0].goal->baseline == without.rows.at[0].goal->baseline);
    CHECK_NEAR(with.rows.at[0].certificate->forwards, 3, 0);
    CHECK_NEAR(without.rows.at[0].certificate->forwards, 2, 0);
    q.baseline = "value:1"; /* another one is not mistaken for it */
    CHECK_OK(lm_explain(s.study, &feed, 1, 0, NULL, &q, &again));
    CHECK(again.rows.at[0].goal->baseline != with.rows.at[0].goal->baseline);
    CHECK_NEAR(again.rows.at[0].certificate->forwards, 3, 0);
    lm_answer_free(&again);
    lm_answer_free(&with);
    lm_answer_free(&without);
    q = (lm_question){.method = "saliency,lrp,deeplift,ig", .target = "top,1,top2", .noise = "smoothgrad:samples=3"};
    for (int turn = 0; turn < 2; turn++, q.noise = NULL) { /* the best classes are found on the way */
        CHECK_OK(lm_explain(s.study, &feed, 1, 0, &p, &q, &with));
        CHECK_OK(lm_explain(s.study, &feed, 1, 0, NULL, &q, &without));
        CHECK_INT(without.rows.count, 16);
        for (size_t i = 0; i < without.rows.count; i++) {
            const lm_attribution *a = &with.rows.at[i], *b = &without.rows.at[i];
            CHECK(memcmp(lm_view_data(&a->values), lm_view_data(&b->values), 16) == 0);
            CHECK(a->goal->index == b->goal->index && a->goal->value == b->goal->value);
            CHECK(isnan(a->goal->baseline) ? isnan(b->goal->baseline) : a->goal->baseline == b->goal->baseline);
            CHECK_STR(a->target, b->target);
        }
        lm_answer_free(&with);
        lm_answer_free(&without);
    }
    q = (lm_question){.method = "saliency", .target = "1", .after_softmax = true};
    CHECK_OK(lm_explain(s.study, &feed, 1, 0, NULL, &q, &again));
    CHECK_INT(again.rows.at[0].space, LM_SPACE_PROBABILITY);
    CHECK_NEAR(again.rows.at[0].goal->value, lm_view_get(&p, 1), 1e-7);
    lm_answer_free(&again);
    lm_memo_free(memo);
    lm_buffer_unref(x.buf);
    lm_buffer_unref(p.buf);
    small_close(&s);
}

static void bad_questions(void)
{
    const struct {
        lm_question q;
        lm_status status;
        const char *says;
    } cases[] = {
        {{.method = "salience"}, LM_USAGE, "did you mean saliency"},
        {{.method = "qqqqqqqq"}, LM_USAGE, "choose from saliency"},
        {{.method = NULL}, LM_USAGE, "none is asked"},
        {{.method = "saliency,saliency"}, LM_USAGE, "twice"},
        {{.method = "saliency", .compat = "shop"}, LM_USAGE, "captum"},
        {{.method = "saliency", .input = "z"}, LM_USAGE, "the model has x"},
        {{.method = "saliency", .input = "x,x"}, LM_USAGE, "twice"},
        {{.method = "saliency", .setting = &(lm_setting){"ab", "1"}, .settings = 1}, LM_USAGE, "did you mean abs"},
        {{.method = "saliency", .setting = &(lm_setting){"steps", "1"}, .settings = 1}, LM_USAGE, "abs"},
        {{.method = "saliency", .setting = &(lm_setting){"abs", "2"}, .settings = 1}, LM_USAGE, "0 or 1"},
        {{.method = "smooth_relu", .setting = &(lm_setting){"beta", "x"}, .settings = 1}, LM_USAGE, "1e-06 to 1000000"},
        {{.method = "smooth_relu", .setting = &(lm_setting){"beta", "0"}, .settings = 1}, LM_USAGE, "1e-06 to 1000000"},
        {{.method = "deeplift", .setting = &(lm_setting){"rule", "x"}, .settings = 1},
         LM_USAGE,
         "rescale|revealcancel"},
        {{.method = "lrp", .setting = &(lm_setting){"rules", "epsi"}, .settings = 1}, LM_USAGE, "epsplus"},
        {{.method = "lrp", .setting = &(lm_setting){"rules", "gamma_box"}, .settings = 1}, LM_USAGE, "low="},
        {{.method = "lrp", .setting = &(lm_setting){"alpha", "3"}, .settings = 1}, LM_USAGE, "alpha - beta"},
        {{.method = "lrp",
          .setting = (lm_setting[]){{"rules", "gamma_box"}, {"low", "1:2"}, {"high", "3"}},
          .settings = 3},
         LM_USAGE,
         "channels"},
    };
    small s;
    lm_view x;
    open_mlp(&s);
    CHECK_OK(small_numbers(LM_SHAPE(1, 4), 7, &x));
    for (size_t i = 0; i < LM_COUNT(cases); i++)
        refuse(&s, &x, &cases[i].q, cases[i].status, cases[i].says);
    atomic_bool stop;
    atomic_init(&stop, true);
    lm_question q = {.method = "saliency", .cancel = &stop};
    refuse(&s, &x, &q, LM_INTERRUPTED, "interrupted");
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* A profile changes what options are usually, and what was asked goes before it. */
static void profiles(void)
{
    small s;
    lm_view x;
    lm_answer a;
    open_mlp(&s);
    CHECK_OK(small_numbers(LM_SHAPE(1, 4), 7, &x));
    lm_question q = {.method = "lrp,deeplift", .target = "0", .compat = "captum"};
    if (CHECK_OK(small_ask(&s, "x", &x, &q, &a))) {
        CHECK_STR(a.compat, "captum");
        CHECK(strstr(a.rows.at[0].options, "eps=1e-9") != NULL);
        CHECK(strstr(a.rows.at[1].options, "as captum") != NULL);
        lm_answer_free(&a);
    }
    CHECK(!lm_compat_flaw("captum", "ig", "steps=5 quadrature=gauss"));
    CHECK(lm_compat_flaw("captum", "ig", "steps=5 quadrature=trapezoid"));
    CHECK(!lm_compat_flaw("limn", "ig", "steps=5 quadrature=trapezoid"));
    q.setting = &(lm_setting){"eps", "0.5"};
    q.settings = 1;
    if (CHECK_OK(small_ask(&s, "x", &x, &q, &a))) {
        CHECK(strstr(a.rows.at[0].options, "eps=0.5") != NULL);
        lm_answer_free(&a);
    }
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* x[4, 3] times weights, for four rows that the file fixes. */
static void rows_that_are_fixed(void)
{
    small s;
    lm_view x;
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){4, 3});
    small_weight(&b, "w", LM_SHAPE(3, 2), 1);
    onnx_build_node(&b, "MatMul", "x w", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){4, 2});
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_numbers(LM_SHAPE(4, 3), 20, &x));
    static const char *const unclear[] = {"top", "1", "all", "0-1"};
    for (size_t i = 0; i < LM_COUNT(unclear); i++)
        refuse(&s, &x, &(lm_question){.method = "saliency", .target = unclear[i]}, LM_USAGE, "[4,3]");
    double wanted[12] = {0};
    for (int i = 0; i < 3; i++)
        wanted[2 * 3 + i] = fabs(small_number(1 + 2 * i + 1));
    expect(&s, &x, &(lm_question){.method = "saliency", .target = "2:1"}, LM_SHAPE(1, 4, 3), wanted, 1e-6);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* y = x - the mean of x over the samples. */
static void rows_that_look_at_each_other(void)
{
    small s;
    lm_view x, one;
    lm_answer a;
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){-1, 3});
    onnx_build_attr_ints(&b, onnx_build_node(&b, "ReduceMean", "x", "m"), "axes", 1, (int64_t[]){0});
    onnx_build_node(&b, "Sub", "x m", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, 3});
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_numbers(LM_SHAPE(4, 3), 20, &x));
    CHECK_OK(small_numbers(LM_SHAPE(1, 3), 20, &one));
    const lm_question q = {.method = "saliency", .target = "1"};
    refuse(&s, &x, &q, LM_UNSUPPORTED, "look at each other");
    if (CHECK_OK(small_ask(&s, "x", &one, &q, &a)))
        lm_answer_free(&a);
    lm_buffer_unref(x.buf);
    lm_buffer_unref(one.buf);
    small_close(&s);
}

int main(void)
{
    CASE(rows_that_are_fixed);
    CASE(rows_that_look_at_each_other);
    CASE(targets);
    CASE(many_targets);
    CASE(targets_of_maps);
    CASE(baselines);
    CASE(several_inputs);
    CASE(cut_paths);
    CASE(saved_runs);
    CASE(bad_questions);
    CASE(profiles);
    return test_end();
}
