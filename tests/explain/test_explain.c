/* Explanations from end to end: closed forms, known answers, sharing, layers, noise, tokens, and memory that runs out.
 */
#include "core/base/env.h"
#include "core/base/rng.h"
#include "tests/explain/nets.h"

/* What every method says of y = w x. */
static void linear(void)
{
    static const float w[6] = {2, -1, 0.5f, 3, -4, 1}; /* [3, 2] */
    static const double x0[3] = {1, 2, -3}, gradient[3] = {2, 0.5, -4}, size[3] = {2, 0.5, 4}, product[3] = {2, 1, 12};
    static const struct {
        const char *method;
        const double *wanted;
    } cases[] = {{"saliency", size}, {"input_x_gradient", product}, {"guided_backprop", gradient},
                 {"deconvnet", gradient}, {"smooth_relu", gradient}, {"lrp", product}, {"deeplift", product},
                 {"attnlrp", product}};
    static const double change[3] = {0, 0.5, 16};
    small s;
    lm_view x;
    open_dense(&s, 3, 2, w, NULL);
    CHECK_OK(small_view(LM_SHAPE(1, 3), x0, &x));
    for (size_t i = 0; i < LM_COUNT(cases); i++) {
        lm_question q = {.method = cases[i].method, .target = "0"};
        expect(&s, &x, &q, LM_SHAPE(1, 3), cases[i].wanted, 1e-5);
    }
    lm_question q = {.method = "deeplift", .target = "0", .baseline = "value:1"};
    expect(&s, &x, &q, LM_SHAPE(1, 3), change, 1e-6);
    q.setting = &(lm_setting){"multiply", "0"};
    q.settings = 1;
    expect(&s, &x, &q, LM_SHAPE(1, 3), gradient, 1e-6);
    q = (lm_question){.method = "saliency", .target = "0", .setting = &(lm_setting){"abs", "0"}, .settings = 1};
    expect(&s, &x, &q, LM_SHAPE(1, 3), gradient, 1e-6);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static void image_gradient_and_relevance(void)
{
    static const double gradient[16] = {0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1};
    static const double relevance[16] = {0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11};
    small s;
    lm_view x;
    small_windows(&s, &x);
    lm_question q = {.method = "saliency", .target = "0"};
    expect(&s, &x, &q, LM_SHAPE(1, 1, 4, 4), gradient, 1e-6);
    q.method = "lrp";
    expect(&s, &x, &q, LM_SHAPE(1, 1, 4, 4), relevance, 1e-4);
    lm_answer a;
    CHECK_OK(small_ask(&s, "x", &x, &q, &a));
    const lm_certificate *c = a.rows.at[0].certificate;
    CHECK_NEAR(a.rows.at[0].goal->value, 54, 1e-5);
    CHECK(c->gap_abs < 1e-4 && c->ntrace > 2);
    for (int i = 0; i < c->ntrace; i++) /* every node: what came in went out or was kept */
        CHECK_NEAR(c->trace[i].in, c->trace[i].out + c->trace[i].bias + c->trace[i].stabiliser, 1e-3);
    lm_answer_free(&a);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* 3-3-1 without biases: first weights 2, but for the first of them, and second weights 3. */
static void open_two_layers(small *s, float first)
{
    const float w1[9] = {first, 2, 2, 2, 2, 2, 2, 2, 2}, w2[3] = {3, 3, 3};
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){1, 3});
    onnx_build_floats(&b, "w1", 2, (int64_t[]){3, 3}, w1);
    onnx_build_floats(&b, "w2", 2, (int64_t[]){3, 1}, w2);
    onnx_build_node(&b, "MatMul", "x w1", "h")->name = "first";
    onnx_build_node(&b, "Relu", "h", "r");
    onnx_build_node(&b, "MatMul", "r w2", "y")->name = "second";
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 1});
    CHECK_OK(small_open(&b, NULL, s));
}

static void relevance_of_layers(void)
{
    static const double wanted[3] = {18, 36, 54}, leaking[3] = {0, 134.4, 201.6}, layer[3] = {0, 67.2, 100.8};
    static const char text[] = "first: ab alpha=2 beta=1\nsecond: eps\n";
    small s;
    lm_view x;
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){1, 2, 3}, &x));
    open_two_layers(&s, 2);
    lm_question q = {.method = "lrp", .target = "0"};
    expect(&s, &x, &q, LM_SHAPE(1, 3), wanted, 1e-4);
    q.method = "input_x_gradient";
    expect(&s, &x, &q, LM_SHAPE(1, 3), wanted, 1e-5);
    small_close(&s);

    open_two_layers(&s, -2);
    q = (lm_question){.method = "lrp", .target = "0", .setting = &(lm_setting){"rules", "ab_all"}, .settings = 1};
    expect(&s, &x, &q, LM_SHAPE(1, 3), leaking, 1e-3);
    lm_answer a;
    CHECK_OK(small_ask(&s, "x", &x, &q, &a));
    CHECK_NEAR(a.rows.at[0].certificate->gap_abs, 240, 1e-2); /* the leak is reported, not hidden */
    lm_answer_free(&a);
    lm_shape bytes = LM_SHAPE((int64_t)sizeof text - 1);
    lm_named file = {.name = "mine.rules"};
    CHECK_OK(lm_view_new(LM_U8, &bytes, &file.view));
    memcpy(lm_view_data(&file.view), text, sizeof text - 1);
    q.setting = &(lm_setting){"rules", "mine.rules"};
    q.file = &file;
    q.files = 1;
    expect(&s, &x, &q, LM_SHAPE(1, 3), layer, 1e-3);
    ((char *)lm_view_data(&file.view))[7] = 'z'; /* "zb" is no rule */
    refuse(&s, &x, &q, LM_USAGE, "mine.rules:1:8");
    lm_buffer_unref(file.view.buf);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* Relevance through y = 5 ones(2x2) x + x. */
static void relevance_of_a_residual(void)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){1, 2});
    onnx_build_floats(&b, "w", 2, (int64_t[]){2, 2}, (float[]){5, 5, 5, 5});
    onnx_build_node(&b, "MatMul", "x w", "h");
    onnx_build_node(&b, "Add", "h x", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 2});
    small s;
    lm_view x;
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_view(LM_SHAPE(1, 2), (double[]){2, 3}, &x));
    lm_question q = {.method = "lrp", .target = "1"};
    expect(&s, &x, &q, LM_SHAPE(1, 2), (double[]){10, 18}, 1e-4);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* f = 2 relu(x1) + 2 relu(x2 - 1.5). */
static void contributions(void)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){1, 2});
    onnx_build_floats(&b, "c", 1, (int64_t[]){2}, (float[]){0, -1.5f});
    onnx_build_floats(&b, "w", 2, (int64_t[]){2, 1}, (float[]){2, 2});
    onnx_build_node(&b, "Add", "x c", "h");
    onnx_build_node(&b, "Relu", "h", "r");
    onnx_build_node(&b, "MatMul", "r w", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 1});
    small s;
    lm_view x;
    lm_answer a;
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_view(LM_SHAPE(1, 2), (double[]){1, 2}, &x));
    lm_question q = {.method = "deeplift", .target = "0"};
    expect(&s, &x, &q, LM_SHAPE(1, 2), (double[]){2, 1}, 1e-6);
    CHECK_OK(small_ask(&s, "x", &x, &q, &a));
    CHECK_NEAR(a.rows.at[0].certificate->gap_abs, 0, 1e-6);
    CHECK_NEAR(a.rows.at[0].goal->baseline, 0, 0);
    CHECK_NEAR(a.rows.at[0].goal->value, 3, 1e-6);
    lm_answer_free(&a);
    q.setting = &(lm_setting){"multiply", "0"};
    q.settings = 1;
    expect(&s, &x, &q, LM_SHAPE(1, 2), (double[]){2, 0.5}, 1e-6);
    CHECK_OK(small_ask(&s, "x", &x, &q, &a));
    CHECK(isnan(a.rows.at[0].certificate->gap_abs)); /* multipliers sum to nothing */
    lm_answer_free(&a);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static const char *const all_methods[] = {"saliency", "input_x_gradient", "guided_backprop", "deconvnet", "smooth_relu",
                                          "lrp", "deep_taylor", "excitation_bp", "deeplift", "attnlrp"};

/* A question for everything at once gets, bit for bit, what single questions get; so do samples of a batch. */
static void sharing(void)
{
    static const char *const targets_[] = {"0", "2-1", "sum"};
    small s;
    lm_view x;
    lm_answer many, one;
    lm_str methods = {0};
    open_mlp(&s);
    CHECK_OK(small_numbers(LM_SHAPE(3, 4), 7, &x));
    for (size_t m = 0; m < LM_COUNT(all_methods); m++)
        lm_str_printf(&methods, "%s%s", m ? "," : "", all_methods[m]);
    lm_question q = {.method = lm_str_text(&methods), .target = "0,2-1,sum"};
    if (!CHECK_OK(small_ask(&s, "x", &x, &q, &many)) || !CHECK_INT(many.rows.count, 3 * LM_COUNT(all_methods)))
        return;
    double forwards = 0, backwards = 0;
    for (size_t i = 0; i < many.rows.count; i++) {
        const lm_attribution *row = &many.rows.at[i];
        forwards += row->certificate[0].forwards;
        backwards += row->certificate[0].backwards;
        CHECK_STR(row->method->id, all_methods[i / 3]);
        CHECK_STR(row->target, targets_[i % 3]);
        CHECK_INT(row->space, LM_SPACE_LOGIT);
        for (int64_t k = 0; k < 3; k++) {
            lm_view sample = x;
            sample.sh.dim[0] = 1;
            sample.off += (size_t)(k * 16);
            lm_question alone = {.method = all_methods[i / 3], .target = targets_[i % 3]};
            if (!CHECK_OK(small_ask(&s, "x", &sample, &alone, &one)))
                break;
            const char *got = (const char *)lm_view_data(&row->values) + k * 16;
            if (!CHECK(memcmp(got, lm_view_data(&one.rows.at[0].values), 16) == 0))
                printf("%s, target %s, sample %lld\n", alone.method, alone.target, (long long)k);
            CHECK(row->goal[k].value == one.rows.at[0].goal->value);
            lm_answer_free(&one);
        }
    }
    CHECK_NEAR(forwards, 3, 1e-9);   /* the sample, the baseline, and the reference of deeplift, for thirty results */
    CHECK_NEAR(backwards, 27, 1e-9); /* input_x_gradient goes back with saliency */
    lm_answer_free(&many);
    lm_str_free(&methods);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static void layers(void)
{
    small s;
    lm_view x;
    lm_answer a;
    open_mlp(&s);
    CHECK_OK(small_numbers(LM_SHAPE(1, 4), 7, &x));
    lm_question q = {
        .method = "activation,gradient_x_activation,layer_gradient,deeplift,lrp", .target = "0", .layer = "r"};
    if (CHECK_OK(small_ask(&s, "x", &x, &q, &a)) && CHECK_INT(a.rows.count, 5)) {
        for (size_t i = 0; i < 5; i++) {
            CHECK_STR(a.rows.at[i].site, "r");
            CHECK(a.rows.at[i].layered && a.rows.at[i].values.sh.dim[1] == 5);
        }
        for (int e = 0; e < 5; e++) {
            double h = lm_view_get(&a.rows.at[0].values, e), g = lm_view_get(&a.rows.at[2].values, e);
            CHECK_NEAR(g, small_number(50 + e * 3), 1e-6);
            CHECK_NEAR(lm_view_get(&a.rows.at[1].values, e), h * g, 1e-6);
            CHECK_NEAR(lm_view_get(&a.rows.at[4].values, e), h * g, 1e-5);
        }
        CHECK(a.rows.at[3].certificate->gap_abs < 1e-6); /* everything passes through the layer */
    }
    lm_answer_free(&a);
    q = (lm_question){.method = "activation", .target = "0"};
    refuse(&s, &x, &q, LM_USAGE, "--layer");
    q = (lm_question){.method = "saliency", .layer = "nothing"};
    refuse(&s, &x, &q, LM_USAGE, "nothing");
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static void noise(void)
{
    static const float w[6] = {2, -1, 0.5f, 3, -4, 1};
    small s;
    lm_view x;
    lm_answer a, again;
    open_dense(&s, 3, 2, w, NULL);
    CHECK_OK(small_view(LM_SHAPE(2, 3), (double[]){1, 2, -3, 4, 5, 7}, &x));
    lm_question q = {
        .method = "layer_gradient", .target = "0", .layer = "x", .noise = "smoothgrad:samples=7,stdev=0.2"};
    const double g[6] = {2, 0.5, -4, 2, 0.5, -4}, square[6] = {4, 0.25, 16, 4, 0.25, 16}, zero[6] = {0};
    expect(&s, &x, &q, LM_SHAPE(2, 3), g, 1e-6);
    q.noise = "smoothgrad_sq";
    expect(&s, &x, &q, LM_SHAPE(2, 3), square, 1e-6);
    q.noise = "vargrad";
    expect(&s, &x, &q, LM_SHAPE(2, 3), zero, 1e-12);
    /* of w x the mean is w (x + mean noise): recompute the draws */
    q = (lm_question){
        .method = "input_x_gradient", .target = "0", .noise = "smoothgrad:samples=5,stdev=0.5", .seed = 3};
    if (CHECK_OK(small_ask(&s, "x", &x, &q, &a)) && CHECK_OK(small_ask(&s, "x", &x, &q, &again))) {
        CHECK(memcmp(lm_view_data(&a.rows.at[0].values), lm_view_data(&again.rows.at[0].values), 24) == 0);
        CHECK_NEAR(a.rows.at[0].certificate->forwards, 6, 1e-9);
        CHECK(a.rows.at[0].certificate->stderr_mean > 0);
        uint64_t seed = lm_rng_fork(lm_rng_fork(lm_rng_fork(3, 0x4e015e), 1), 0);
        for (int e = 0; e < 3; e++) {
            double sum = 0; /* of the second sample, whose range is 3 */
            for (int row = 0; row < 5; row++)
                sum += lm_view_get(&x, 3 + e) + 1.5 * lm_rng_normal(seed, (uint64_t)(row * 3 + e));
            CHECK_NEAR(lm_view_get(&a.rows.at[0].values, 3 + e), g[e] * sum / 5, 1e-5);
        }
        lm_answer_free(&again);
    }
    lm_answer_free(&a);
    static const char *const bad[] = {"smooth", "smoothgrad:sample=3", "smoothgrad:samples=0", "smoothgrad:stdev=-1",
                                      "smoothgrad:7"};
    for (size_t i = 0; i < LM_COUNT(bad); i++) {
        q.noise = bad[i];
        refuse(&s, &x, &q, LM_USAGE, "noise");
    }
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static lm_status tokens_ask(small *s, const char *settings_key, const char *value, const char *baseline, lm_answer *a)
{
    static int64_t id[3] = {2, 0, 3}, at[3] = {0, 1, 2};
    lm_buffer *buf[2];
    LM_TRY(lm_buffer_wrap(id, sizeof id, &buf[0]));
    LM_TRY(lm_buffer_wrap(at, sizeof at, &buf[1]));
    lm_shape sh = LM_SHAPE(1, 3);
    const lm_named feed[] = {{"input_ids", lm_view_row(LM_I64, &sh, buf[0])},
                             {"position_ids", lm_view_row(LM_I64, &sh, buf[1])}};
    lm_view y;
    lm_setting set = {settings_key, value};
    lm_question q = {.method = "input_x_gradient,deeplift",
                     .target = "1",
                     .setting = &set,
                     .settings = settings_key ? 1 : 0,
                     .baseline = baseline};
    lm_status status = lm_session_run(s->session, feed, 2, NULL, 1, &y, NULL);
    if (status == LM_OK) {
        status = lm_explain(s->study, feed, 2, 0, &y, &q, a);
        lm_buffer_unref(y.buf);
    }
    lm_buffer_unref(buf[0]);
    lm_buffer_unref(buf[1]);
    return status;
}

/* Embeddings of two tables are added, averaged and weighted; only the table of tokens is explained. */
static void tokens(void)
{
    static const float table[8] = {1, 2, 3, 4, 5, 6, 7, 8}, places[6] = {0, 0, 1, 1, 2, 2}, w[4] = {1, 3, 2, -1};
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "input_ids", LM_I64, 2, (int64_t[]){-1, -1});
    onnx_build_input(&b, "position_ids", LM_I64, 2, (int64_t[]){-1, -1});
    onnx_build_floats(&b, "table", 2, (int64_t[]){4, 2}, table);
    onnx_build_floats(&b, "places", 2, (int64_t[]){3, 2}, places);
    onnx_build_floats(&b, "w", 2, (int64_t[]){2, 2}, w);
    onnx_build_node(&b, "Gather", "table input_ids", "words");
    onnx_build_node(&b, "Gather", "places position_ids", "where");
    onnx_build_node(&b, "Add", "words where", "e");
    onnx_node *mean = onnx_build_node(&b, "ReduceMean", "e", "m");
    onnx_build_attr_int(&b, mean, "keepdims", 0);
    onnx_build_attr_ints(&b, mean, "axes", 1, (int64_t[]){1});
    onnx_build_node(&b, "MatMul", "m w", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, 2});
    small s;
    lm_answer a;
    if (!CHECK_OK(small_open(&b, NULL, &s)))
        return;
    /* the gradient of class 1 with respect to an embedding is (3, -1) / 3 */
    const double sum[3] = {9 / 3.0, 1 / 3.0, 13 / 3.0}, full[6] = {5, -2, 1, -2 / 3.0, 7, -8 / 3.0};
    const double change[3] = {4 / 3.0, -4 / 3.0, 8 / 3.0}; /* from token 1 everywhere */
    if (CHECK_OK(tokens_ask(&s, NULL, NULL, NULL, &a)) && CHECK_INT(a.rows.count, 2)) {
        CHECK_STR(a.rows.at[0].site, "input_ids");
        CHECK(small_is(&a.rows.at[0].values, LM_SHAPE(1, 3), sum, 1e-5));
        CHECK(small_is(&a.rows.at[1].values, LM_SHAPE(1, 3), sum, 1e-5)); /* from the zero embedding */
        lm_answer_free(&a);
    }
    if (CHECK_OK(tokens_ask(&s, "tokens", "full", NULL, &a))) {
        CHECK(small_is(&a.rows.at[0].values, LM_SHAPE(1, 3, 2), full, 1e-5));
        lm_answer_free(&a);
    }
    if (CHECK_OK(tokens_ask(&s, NULL, NULL, "token:1", &a))) {
        CHECK(small_is(&a.rows.at[1].values, LM_SHAPE(1, 3), change, 1e-5));
        CHECK(a.rows.at[1].certificate->gap_abs < 1e-5);
        lm_answer_free(&a);
    }
    small_close(&s);
}

/* The first explanation is often the only one: weights are packed to stay when the question comes again, and the numbers
 * are the same. */
static void weights_stay_packed_for_the_second(void)
{
    static const double wanted[3] = {15, -36, 54};
    small s;
    lm_view x;
    open_two_layers(&s, 1);
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){1, -2, 3}, &x));
    const lm_question q = {.method = "input_x_gradient", .target = "0"};
    for (int time = 1; time <= 3; time++) {
        lm_answer a;
        CHECK(lm_shared_is_kept(s.shared) == (time > 2));
        if (CHECK_OK(small_ask(&s, "x", &x, &q, &a))) {
            CHECK(small_is(&a.rows.at[0].values, LM_SHAPE(1, 3), wanted, 0));
            lm_answer_free(&a);
        }
    }
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* One explanation by a fresh study, whatever allocation fails: it may do without (packed weights need not be kept), or
 * it answers LM_MEMORY; it never keeps anything. */
static lm_status explain_afresh(small *s, const lm_view *x, const lm_view *predicted)
{
    lm_answer a;
    lm_study *study;
    const lm_named feed = {"x", *x};
    lm_question q = {.method = "saliency,lrp,deeplift", .target = "top,0-1", .baseline = "mean"};
    LM_TRY(lm_study_open(s->shared, &s->chain, &study));
    lm_status status = lm_explain(study, &feed, 1, 0, predicted, &q, &a);
    if (status == LM_OK)
        lm_answer_free(&a);
    lm_study_close(study);
    return status;
}

static void out_of_memory(void)
{
    small s;
    lm_view x, p;
    open_mlp(&s);
    CHECK_OK(small_numbers(LM_SHAPE(1, 4), 7, &x));
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){0.2, 0.5, 0.3}, &p));
    CHECK_OK(explain_afresh(&s, &x, &p));
    lm_mem_census before = lm_mem_count();
    CHECK_OK(explain_afresh(&s, &x, &p));
    lm_mem_census after = lm_mem_count();
    CHECK_INT(after.live, before.live);
    uint64_t calls = after.calls - before.calls;
    int failed = 0;
    CHECK(calls > 200);
    for (uint64_t n = 1; n <= calls + 2 && !test_errors; n++) {
        lm_mem_fail_at(n);
        lm_status status = explain_afresh(&s, &x, &p);
        lm_mem_fail_at(0);
        failed += status == LM_MEMORY;
        if (!CHECK(status == LM_OK || status == LM_MEMORY) || !CHECK(lm_mem_count().live <= before.live))
            printf("allocation %d: %s\n", (int)n, lm_message());
    }
    if (!CHECK(failed > 100))
        printf("%d of %d failed\n", failed, (int)calls);
    CHECK_OK(explain_afresh(&s, &x, &p));
    lm_buffer_unref(x.buf);
    lm_buffer_unref(p.buf);
    small_close(&s);
}

/* y = x W: the gradient of y_k by W is x in column k, for every sample its own. */
static void by_a_parameter(void)
{
    static const float w[6] = {1, 2, 3, 4, 5, 6};
    small s;
    lm_view x;
    const double at[] = {7, 8, 9, 1, 2, 3}, wanted[] = {0, 7, 0, 8, 0, 9, 0, 1, 0, 2, 0, 3};
    open_dense(&s, 3, 2, w, NULL);
    CHECK_OK(small_view(LM_SHAPE(2, 3), at, &x));
    const lm_question q = {.method = "layer_gradient", .target = "1", .layer = "w"};
    expect(&s, &x, &q, LM_SHAPE(2, 3, 2), wanted, 0);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

int main(void)
{
    CASE(by_a_parameter);
    CASE(linear);
    CASE(image_gradient_and_relevance);
    CASE(relevance_of_layers);
    CASE(relevance_of_a_residual);
    CASE(contributions);
    CASE(sharing);
    CASE(layers);
    CASE(noise);
    CASE(tokens);
    CASE(weights_stay_packed_for_the_second);
    if (!lm_env_is_set(LM_ENV_BACKEND)) /* devices may keep the programs of a second attempt */
        CASE(out_of_memory);
    return test_end();
}
