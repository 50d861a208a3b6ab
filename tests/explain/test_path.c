/* Methods along paths: known answers, closed forms on small nets, completeness. */
#include "core/explain/quadrature.h"
#include "tests/explain/asking.h"

/* Three numbers, twice through dense layers: relu(s - 10) + 3 relu(s + 1) - 1 for their sum s, and that plus 2. */
static void open_sum(const char *device, small *s)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){-1, 3});
    onnx_build_floats(&b, "i", 2, (int64_t[]){3, 3}, (float[]){1, 0, 0, 0, 1, 0, 0, 0, 1});
    onnx_build_floats(&b, "w", 2, (int64_t[]){3, 4}, (float[]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
    onnx_build_floats(&b, "wb", 1, (int64_t[]){4}, (float[]){-10, 1, 1, 1});
    onnx_build_floats(&b, "v", 2, (int64_t[]){4, 2}, (float[]){1, 1, 1, 1, 1, 1, 1, 1});
    onnx_build_floats(&b, "vb", 1, (int64_t[]){2}, (float[]){-1, 1});
    onnx_build_node(&b, "MatMul", "x i", "lin0");
    onnx_build_node(&b, "Gemm", "lin0 w wb", "pre");
    onnx_build_node(&b, "Relu", "pre", "h");
    onnx_build_node(&b, "Gemm", "h v vb", "y");
    open_built(&b, device, 2, s);
}

/* relu(relu(x1) - 1 - relu(x2)), or relu(relu(x1 - 1) - relu(x2)). */
static void open_pair(bool late, small *s)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){-1, 2});
    onnx_build_floats(&b, "before", 2, (int64_t[]){1, 2}, late ? (float[]){0, 0} : (float[]){-1, 0});
    onnx_build_floats(&b, "after", 2, (int64_t[]){1, 1}, late ? (float[]){-1} : (float[]){0});
    onnx_build_floats(&b, "w", 2, (int64_t[]){2, 1}, (float[]){1, -1});
    onnx_build_node(&b, "Add", "x before", "a");
    onnx_build_node(&b, "Relu", "a", "r");
    onnx_build_node(&b, "Gemm", "r w after", "g");
    onnx_build_node(&b, "Relu", "g", "y");
    open_built(&b, NULL, 1, s);
}

static void known_answers(void)
{
    asking a;
    small s;
    lm_view x;
    for (int late = 0; late < 2; late++) {
        open_pair(late, &s);
        CHECK_OK(small_view(LM_SHAPE(1, 2), (double[]){3, 1}, &x));
        expect(&s, &x, ask(&a, "ig", "quadrature=adaptive tol=1e-7"), LM_SHAPE(1, 2), (double[]){1.5, -0.5}, 1e-6);
        expect(&s, &x, ask(&a, "ig", "quadrature=adaptive tol=1e-7 multiply=0"), LM_SHAPE(1, 2), (double[]){0.5, -0.5},
               1e-6);
        expect(&s, &x, ask(&a, "ig", "steps=1000"), LM_SHAPE(1, 2), (double[]){1.5, -0.5}, 2e-3);
        lm_buffer_unref(x.buf);
        small_close(&s);
    }
    open_sum("ref:type=f64", &s);
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){20, 50, 30}, &x));
    expect(&s, &x, ask(&a, "ig", "quadrature=adaptive tol=1e-9"), LM_SHAPE(1, 3), (double[]){78, 195, 117}, 1e-9);
    lm_buffer_unref(x.buf);
    static const struct {
        const char *layer;
        int n;
        double wanted[4];
    } flow[] = {
        {"lin0", 3, {0, 390, 0}}, {"pre", 4, {90, 100, 100, 100}}, {"h", 4, {90, 100, 100, 100}}, {"y", 2, {390, 0}}};
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){0, 100, 0}, &x));
    for (size_t i = 0; i < LM_COUNT(flow); i++) {
        lm_question *q = ask(&a, "conductance", "quadrature=adaptive tol=1e-9");
        q->layer = flow[i].layer;
        expect(&s, &x, q, LM_SHAPE(1, flow[i].n), flow[i].wanted, 1e-9);
        q = ask(&a, "internal_influence", "quadrature=adaptive tol=1e-9");
        q->layer = flow[i].layer;
        double influence[4] = {0};
        for (int k = 0; k < flow[i].n; k++) /* the path takes each of these units over the same 100 */
            influence[k] = i == 0 ? 3.9 : i == 1 ? flow[i].wanted[k] / 100 : i == 3 ? k == 0 : 1;
        expect(&s, &x, q, LM_SHAPE(1, flow[i].n), influence, 1e-9);
    }
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* 2 x1^2 + x2^2, which guided integrated gradients take apart, and 5 x + y^2 + sin z. */
static void smooth_functions(void)
{
    asking a;
    small s;
    lm_view x, x0;
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){-1, 2});
    onnx_build_floats(&b, "w", 2, (int64_t[]){2, 1}, (float[]){2, 1});
    onnx_build_node(&b, "Mul", "x x", "xx");
    onnx_build_node(&b, "MatMul", "xx w", "y");
    open_built(&b, "ref:type=f64", 1, &s);
    CHECK_OK(small_view(LM_SHAPE(1, 2), (double[]){3, 3}, &x));
    expect(&s, &x, ask(&a, "guided_ig", ""), LM_SHAPE(1, 2), (double[]){18, 9}, 1e-9);
    expect(&s, &x, ask(&a, "ig", "steps=1"), LM_SHAPE(1, 2), (double[]){18, 9}, 1e-12);
    lm_buffer_unref(x.buf);
    small_close(&s);

    b = (onnx_build){0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){-1, 3});
    onnx_build_floats(&b, "first", 2, (int64_t[]){1, 3}, (float[]){5, 0, 0});
    onnx_build_floats(&b, "second", 2, (int64_t[]){1, 3}, (float[]){0, 1, 0});
    onnx_build_floats(&b, "third", 2, (int64_t[]){1, 3}, (float[]){0, 0, 1});
    onnx_build_floats(&b, "ones", 2, (int64_t[]){3, 1}, (float[]){1, 1, 1});
    onnx_build_node(&b, "Mul", "x first", "a");
    onnx_build_node(&b, "Mul", "x x", "xx");
    onnx_build_node(&b, "Mul", "xx second", "c");
    onnx_build_node(&b, "Sin", "x", "sin");
    onnx_build_node(&b, "Mul", "sin third", "d");
    onnx_build_node(&b, "Add", "a c", "ac");
    onnx_build_node(&b, "Add", "ac d", "acd");
    onnx_build_node(&b, "MatMul", "acd ones", "y");
    open_built(&b, "ref:type=f64", 1, &s);
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){1, 2, 3}, &x));
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){0.5, 1, 1}, &x0));
    static const char *const ways[] = {"steps=10", "quadrature=adaptive tol=1e-10"};
    for (size_t i = 0; i < LM_COUNT(ways); i++) {
        lm_question *q = ask(&a, "ig", ways[i]);
        const lm_named file = {"base", x0};
        q->baseline = "base";
        q->file = &file;
        q->files = 1;
        expect(&s, &x, q, LM_SHAPE(1, 3), (double[]){2.5, 3, -0.700350976748}, 1e-9);
    }
    lm_buffer_unref(x.buf);
    lm_buffer_unref(x0.buf);
    small_close(&s);
}

static void rules_of_quadrature(void)
{
    enum { N = 200 };
    static const int sizes[] = {1, 2, 3, 5, 10, 50, 64, N};
    double x[N], w[N];
    for (lm_quadrature kind = LM_QUADRATURE_GAUSS; kind < LM_QUADRATURE_ADAPTIVE; kind++)
        for (size_t i = kind == LM_QUADRATURE_TRAPEZOID; i < LM_COUNT(sizes); i++) {
            const int n = sizes[i];
            double sum = 0, moment = 0;
            CHECK_OK(lm_quadrature_make(kind, n, x, w));
            for (int k = 0; k < n; k++) {
                sum += w[k];
                moment += w[k] * x[k];
                CHECK(x[k] >= 0 && x[k] <= 1 && (k == 0 || x[k] > x[k - 1]));
            }
            CHECK_NEAR(sum, 1, 1e-14);
            const double off = kind == LM_QUADRATURE_LEFT ? -0.5 / n : kind == LM_QUADRATURE_RIGHT ? 0.5 / n : 0;
            CHECK_NEAR(moment, 0.5 + off, 1e-14);
        }
    for (size_t i = 0; i < LM_COUNT(sizes); i++) {
        const int n = sizes[i];
        CHECK_OK(lm_quadrature_make(LM_QUADRATURE_GAUSS, n, x, w));
        for (int degree = 0; degree <= 2 * n; degree++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                sum += w[k] * pow(x[k], degree);
            const double off = fabs(sum * (degree + 1) - 1);
            if (degree < 2 * n)
                CHECK(off < 1e-13);
            else if (n <= 5)
                CHECK(off > 1e-7); /* and no further */
        }
    }
    static const double wanted[][2][3] = {{{0, 1.0 / 3, 2.0 / 3}, {1.0 / 3, 1.0 / 3, 1.0 / 3}},
                                          {{1.0 / 3, 2.0 / 3, 1}, {1.0 / 3, 1.0 / 3, 1.0 / 3}},
                                          {{1.0 / 6, 0.5, 5.0 / 6}, {1.0 / 3, 1.0 / 3, 1.0 / 3}},
                                          {{0, 0.5, 1}, {0.25, 0.5, 0.25}}};
    for (int kind = 0; kind < 4; kind++) {
        CHECK_OK(lm_quadrature_make((lm_quadrature)(LM_QUADRATURE_LEFT + kind), 3, x, w));
        for (int k = 0; k < 3; k++) {
            CHECK_NEAR(x[k], wanted[kind][0][k], 1e-16);
            CHECK_NEAR(w[k], wanted[kind][1][k], 1e-16);
        }
    }
    CHECK_OK(lm_quadrature_make(LM_QUADRATURE_GAUSS, 3, x, w));
    CHECK_NEAR(x[0], 0.5 - sqrt(0.15), 1e-16);
    CHECK_NEAR(w[0], 5.0 / 18, 1e-16);
    CHECK_FAILS(lm_quadrature_make(LM_QUADRATURE_TRAPEZOID, 1, x, w), LM_USAGE);
    CHECK_FAILS(lm_quadrature_make(LM_QUADRATURE_LEFT, 0, x, w), LM_USAGE);
    CHECK_FAILS(lm_quadrature_make(LM_QUADRATURE_GAUSS, 100000, x, w), LM_USAGE);
    /* counted in steps of a float, some of 50 nodes are not the floats nearest to them */
    CHECK_OK(lm_quadrature_make(LM_QUADRATURE_TRAPEZOID, 50, x, w));
    lm_quadrature_round(50, x);
    int same = 0;
    for (int k = 0; k < 50; k++) {
        CHECK(x[k] == (double)(float)x[k]);
        CHECK_NEAR(x[k], k / 49.0, 1e-7);
        same += x[k] == (double)(float)(k / 49.0);
    }
    CHECK(x[0] == 0 && x[49] == 1 && same < 50);
}

/* Residuals of fixed rules are what they say: on this path F is 4 s up to s = 10, where the slope falls or rises. */
static void residuals_of_fixed_rules(void)
{
    asking a;
    small s;
    lm_view x;
    double sum;
    open_sum("ref:type=f64", &s);
    CHECK_OK(small_view(LM_SHAPE(1, 3), (double[]){0, 100, 0}, &x));
    /* with four intervals the kink at 0.1 lies in the first, where the slope jumps from 300 to 400 */
    static const struct {
        const char *options;
        double residual;
    } cases[] = {{"quadrature=left steps=4", 15}, {"quadrature=right steps=4", 10},
                 {"quadrature=trapezoid steps=5", 2.5}};
    for (size_t i = 0; i < LM_COUNT(cases); i++) {
        lm_certificate c = certificate(&s, &x, ask(&a, "ig", cases[i].options), &sum);
        CHECK_NEAR(c.residual, cases[i].residual, 1e-9);
        CHECK_NEAR(c.gap_abs, cases[i].residual, 1e-9);
    }
    CHECK(isnan(certificate(&s, &x, ask(&a, "ig", ""), &sum).residual));
    lm_question *q = ask(&a, "ig", "quadrature=trapezoid");
    q->compat = "captum";
    lm_certificate c = certificate(&s, &x, q, &sum);
    /* 49 intervals, of which the fifth from 4/49 on holds the kink; and a fiftieth less of everything */
    const double kink = 350.0 / 49 - (400.0 * 5 / 49 - 10 - 300.0 * 4 / 49);
    CHECK_NEAR(sum, (390 + kink) * 49 / 50, 1e-4);
    CHECK_NEAR(c.gap_abs, 390 - sum, 1e-5);
    refuse(&s, &x, ask(&a, "ig", "quadrature=trapezoid steps=1"), LM_USAGE, "two steps");
    refuse(&s, &x, ask(&a, "ig", "quadrature=simpson"), LM_USAGE, "gauss|left");
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static void sums_are_complete(void)
{
    static const struct {
        const char *method, *options, *layer;
        double gap; /* relative, with relu and with tanh */
        double smooth;
    } cases[] = {
        {"ig", "", NULL, 2e-2, 1e-9},
        {"ig", "", "r", 2e-2, 1e-9},
        {"ig", "steps=1000 quadrature=middle", NULL, 1e-3, 1e-4},
        {"ig", "quadrature=adaptive", NULL, 1e-2, 1e-2},
        {"ig", "quadrature=adaptive tol=1e-6", NULL, 1e-5, 1e-5},
        {"conductance", "", "r", 2e-2, 1e-9},
        {"conductance", "quadrature=adaptive tol=1e-6", "h", 1e-5, 1e-5},
        {"guided_ig", "steps=100", NULL, 2e-2, 1e-3},
        {"guided_ig", "steps=100", "r", 2e-2, 1e-3},
        {"blur_ig", "steps=100 max_sigma=5", NULL, 2e-2, 1e-3},
        {"blur_ig", "", NULL, 2e-2, 5e-3},
        {"deepshap", "", NULL, 1e-10, 1e-10},
        {"deepshap", "", "r", 1e-10, 1e-10},
    };
    for (int smooth = 0; smooth < 2; smooth++) {
        asking a;
        small s;
        lm_view x, x0;
        double sum;
        open_net("ref:type=f64", (net){.smooth = smooth}, &s, &x);
        CHECK_OK(small_numbers(LM_SHAPE(1, 3, 8, 8), 777, &x0));
        for (size_t i = 0; i < LM_COUNT(cases); i++) {
            lm_question *q = ask(&a, cases[i].method, cases[i].options);
            const lm_named file = {"base", x0};
            if (strcmp(q->method, "blur_ig") != 0)
                q->baseline = "base";
            q->file = &file;
            q->files = 1;
            q->layer = cases[i].layer;
            lm_certificate c = certificate(&s, &x, q, &sum);
            if (!CHECK(c.gap_rel <= (smooth ? cases[i].smooth : cases[i].gap)))
                printf("%s %s at %s, %s: gap %g of %g\n", cases[i].method, cases[i].options,
                       cases[i].layer ? cases[i].layer : "the input", smooth ? "tanh" : "relu", c.gap_rel, sum);
            if (!isnan(c.residual) && !CHECK(c.gap_abs <= c.residual + 1e-12))
                printf("%s: gap %g is over the residual %g\n", cases[i].method, c.gap_abs, c.residual);
        }
        lm_buffer_unref(x.buf);
        lm_buffer_unref(x0.buf);
        small_close(&s);
    }
}

/* A tolerance that no arithmetic reaches: it ends all the same, and says how far it came. */
static void unreachable_tolerance(void)
{
    static const char *const devices[] = {"ref:type=f64", "cpu"};
    static const double worst[] = {1e-9, 1e-3};
    for (int d = 0; d < 2; d++)
        for (int smooth = 0; smooth < 2; smooth++) {
            asking a;
            small s;
            lm_view x;
            double sum;
            open_net(devices[d], (net){.smooth = smooth}, &s, &x);
            lm_certificate c = certificate(&s, &x, ask(&a, "ig", "quadrature=adaptive tol=0"), &sum);
            CHECK(c.residual > 0 && c.residual < worst[d] && c.gap_abs < c.residual + worst[d]);
            CHECK(c.forwards < (d ? 2000 : 9000));
            lm_buffer_unref(x.buf);
            small_close(&s);
        }
}

/* The stem's way gives what the plain way gives, with either of all rules. */
static void past_the_first_layer(void)
{
    static const char *const options[] = {"", "quadrature=trapezoid steps=7", "quadrature=adaptive tol=1e-4",
                                          "multiply=0"};
    asking a;
    small with, without;
    lm_view x, same;
    lm_site site;
    open_net("ref:type=f64", (net){.twice = false}, &with, &x);
    open_net("ref:type=f64", (net){.twice = true}, &without, &same);
    CHECK_OK(lm_study_stem(with.study, &x, 0, &site));
    CHECK(site.name && strcmp(site.name, "c") == 0);
    CHECK_OK(lm_study_stem(without.study, &x, 0, &site));
    CHECK(!site.name);
    for (size_t i = 0; i < LM_COUNT(options); i++) {
        lm_answer one = {0}, other = {0};
        lm_question *q = ask(&a, "ig", options[i]);
        q->target = "0,1";
        q->baseline = "value:0.3";
        if (CHECK_OK(small_ask(&with, "x", &x, q, &one)) && CHECK_OK(small_ask(&without, "x", &x, q, &other)))
            for (size_t r = 0; r < 2; r++)
                CHECK(small_is(&one.rows.at[r].values, LM_SHAPE(1, 3, 8, 8),
                               lm_view_data(&other.rows.at[r].values), 1e-12));
        lm_answer_free(&one);
        lm_answer_free(&other);
    }
    lm_buffer_unref(x.buf);
    lm_buffer_unref(same.buf);
    small_close(&with);
    small_close(&without);
}

/* What one target gets does not hang on which others are asked. */
static void targets_are_alone(void)
{
    asking a;
    small s;
    lm_view x;
    open_net("cpu", (net){.smooth = false}, &s, &x);
    static const char *const methods[] = {"ig", "guided_ig", "xrai", "expected_gradients"};
    for (size_t i = 0; i < LM_COUNT(methods); i++) {
        lm_answer both = {0}, one = {0};
        lm_question *q = ask(&a, methods[i], i == 0 ? "quadrature=adaptive" : i == 1 ? "steps=20" : "");
        q->target = "0,1";
        CHECK_OK(small_ask(&s, "x", &x, q, &both));
        q->target = "1";
        CHECK_OK(small_ask(&s, "x", &x, q, &one));
        if (CHECK_INT(both.rows.count, 2) && CHECK_INT(one.rows.count, 1)) {
            const lm_view *v = &one.rows.at[0].values, *w = &both.rows.at[1].values;
            CHECK(memcmp(lm_view_data(v), lm_view_data(w), (size_t)lm_shape_count(&v->sh) * 4) == 0);
        }
        lm_answer_free(&both);
        lm_answer_free(&one);
    }
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* For a linear function all means over baselines have closed forms: w (x - the mean of the baselines that were
 * drawn). */
static void means_over_baselines(void)
{
    const double w[3] = {2, -3, 0.5};
    asking a;
    small s;
    lm_view x, x0, alpha, index;
    double sum;
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){-1, 3});
    onnx_build_floats(&b, "w", 2, (int64_t[]){3, 1}, (float[]){2, -3, 0.5f});
    onnx_build_floats(&b, "c", 1, (int64_t[]){1}, (float[]){10});
    onnx_build_node(&b, "Gemm", "x w c", "y");
    open_built(&b, "ref:type=f64", 1, &s);
    const double base[4][3] = {{0, 0, 0}, {1, 2, 4}, {-1, 0, 2}, {4, -2, 2}}, at[3] = {5, 6, 7};
    CHECK_OK(small_view(LM_SHAPE(4, 3), base[0], &x0));
    CHECK_OK(small_view(LM_SHAPE(1, 3), at, &x));
    CHECK_OK(small_view(LM_SHAPE(5), (double[]){0, 0.2, 0.5, 0.9, 1}, &alpha));
    CHECK_OK(small_view(LM_SHAPE(5), (double[]){0, 1, 1, 3, 2}, &index));
    const lm_named file[] = {{"base", x0}, {"draws.npz/alpha", alpha}, {"draws.npz/index", index}};
    lm_question *q = ask(&a, "gradient_shap", "draws=draws.npz");
    q->baseline = "base";
    q->file = file;
    q->files = 3;
    expect(&s, &x, q, LM_SHAPE(1, 3), (double[]){w[0] * (5 - 1), w[1] * (6 - 0.4), w[2] * (7 - 2.4)}, 1e-12);
    /* the standard error of 2 (x - b) over b = 0 1 1 4 -1, and so on */
    lm_certificate c = certificate(&s, &x, q, &sum);
    CHECK_NEAR(c.stderr_mean, (2 * sqrt(14.0 / 20) + 3 * sqrt(11.2 / 20) + 0.5 * sqrt(11.2 / 20)) / 3, 1e-12);
    lm_view few = index;
    few.sh = LM_SHAPE(4);
    lm_named wrong[] = {file[0], file[1], {"draws.npz/index", few}};
    q->file = wrong;
    refuse(&s, &x, q, LM_INPUT, "4 indices");
    q->files = 2;
    refuse(&s, &x, q, LM_INPUT, "no array 'index'");
    lm_view_set(&index, 2, 4);
    q->file = file;
    q->files = 3;
    refuse(&s, &x, q, LM_INPUT, "4 baselines");
    lm_view_set(&index, 2, 1);
    lm_view_set(&alpha, 4, 1.5);
    refuse(&s, &x, q, LM_INPUT, "alpha 4 of draws=draws.npz is 1.5");
    lm_view_set(&alpha, 4, 1);
    lm_answer told;
    if (CHECK_OK(small_ask(&s, "x", &x, q, &told))) {
        CHECK_STR(told.rows.at[0].options, "samples=5 stdev=0 draws=draws.npz");
        lm_answer_free(&told);
    }

    q = ask(&a, "deepshap", "");
    q->baseline = "base";
    q->file = file;
    q->files = 1;
    expect(&s, &x, q, LM_SHAPE(1, 3), (double[]){w[0] * (5 - 1), w[1] * 6, w[2] * (7 - 2)}, 1e-12);
    c = certificate(&s, &x, q, &sum);
    CHECK_NEAR(c.gap_abs, 0, 1e-12);
    CHECK(c.stderr_mean > 0.1);
    q->method = "expected_gradients";
    c = certificate(&s, &x, q, &sum);
    CHECK(c.stderr_mean > 0.1 && c.gap_abs < 30);
    q->baseline = "zero";
    c = certificate(&s, &x, q, &sum); /* of one baseline nothing is random here */
    CHECK_NEAR(sum, 2 * 5 - 3 * 6 + 0.5 * 7, 1e-12);
    CHECK_NEAR(c.stderr_mean, 0, 1e-7);
    q->method = "ig";
    q->baseline = "base";
    refuse(&s, &x, q, LM_USAGE, "there are 4");
    lm_buffer_unref(x.buf);
    lm_buffer_unref(x0.buf);
    lm_buffer_unref(alpha.buf);
    lm_buffer_unref(index.buf);
    small_close(&s);
}

/* Random points: as asked for in number, other for another seed, the same for the same; spread evenly they err less. */
static void draws_are_repeatable(void)
{
    asking a;
    small s;
    lm_view x;
    double sum[3], gaps[2] = {0};
    open_net("ref:type=f64", (net){.smooth = true}, &s, &x);
    for (int i = 0; i < 3; i++) {
        lm_question *q = ask(&a, "gradient_shap", "samples=40");
        q->seed = i == 2;
        certificate(&s, &x, q, &sum[i]);
    }
    CHECK(sum[0] == sum[1] && sum[0] != sum[2]);
    for (int seed = 0; seed < 16; seed++)
        for (int even = 0; even < 2; even++) {
            double any;
            lm_question *q = ask(&a, even ? "expected_gradients" : "gradient_shap", "samples=40");
            q->seed = (uint64_t)seed;
            lm_certificate c = certificate(&s, &x, q, &any);
            CHECK(c.stderr_mean > 0);
            gaps[even] += c.gap_abs;
        }
    CHECK(gaps[1] < gaps[0] / 2);
    double still, noisy;
    certificate(&s, &x, ask(&a, "gradient_shap", "samples=10"), &still);
    certificate(&s, &x, ask(&a, "gradient_shap", "samples=10 stdev=0.1"), &noisy);
    CHECK(still != noisy && fabs(still - noisy) < 1);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

int main(void)
{
    CASE(rules_of_quadrature);
    CASE(known_answers);
    CASE(smooth_functions);
    CASE(residuals_of_fixed_rules);
    CASE(sums_are_complete);
    CASE(unreachable_tolerance);
    CASE(past_the_first_layer);
    CASE(targets_are_alone);
    CASE(means_over_baselines);
    CASE(draws_are_repeatable);
    return test_end();
}
