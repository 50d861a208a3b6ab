/* Class activation maps: known answers, closed forms on small nets, and the model run by hand. */
#include "core/explain/cam.h"
#include "core/explain/eigen.h"
#include "tests/explain/small.h"

static const char *const all_methods = "gradcam,cam,gradcam++,xgradcam,layercam,hirescam,eigencam,eigengradcam,"
                                       "scorecam,ablationcam,guided_gradcam,fullgrad";

static lm_question ask(const char *method, const char *layer)
{
    return (lm_question){.method = method, .layer = layer, .target = "0"};
}

/* The map of one method for target 0, checked. */
static void expect(small *s, const lm_view *x, const lm_question *q, lm_shape sh, const double *wanted,
                   double tolerance)
{
    lm_answer a;
    if (CHECK_OK(small_ask(s, "x", x, q, &a)) && CHECK_INT(a.rows.count, 1))
        if (!CHECK(small_is(&a.rows.at[0].values, sh, wanted, tolerance)))
            printf("%s at %s\n", q->method, q->layer ? q->layer : "(none)");
    lm_answer_free(&a);
}

static void refuse(small *s, const lm_view *x, const lm_question *q, lm_status status, const char *says)
{
    lm_answer a;
    if (CHECK_FAILS(small_ask(s, "x", x, q, &a), status) && !CHECK(strstr(lm_message(), says) != NULL))
        printf("%s\n", lm_message());
}

static void known_answers(void)
{
    const lm_shape small_map = LM_SHAPE(1, 1, 2, 2);
    const lm_setting none[] = {{"upsample", "none"}};
    static const struct {
        const char *method, *layer;
        double wanted[4];
    } cases[] = {
        {"gradcam", "c", {11.25, 13.5, 20.25, 22.5}},
        {"gradcam", "r", {0, 4, 28, 32.5}},
        {"hirescam", "c", {0, 4, 25, 25}},
        {"layercam", "c", {0, 4, 31, 40}},
        {"xgradcam", "r", {0, 4, 25, 25}},
        {"gradcam++", "r", {0, 4 * 4 / 77.0, 31 * 4 / 77.0 + 6 / 23.0, 40 * 4 / 77.0 + 15 / 23.0}},
    };
    small s;
    lm_view x;
    small_windows(&s, &x);
    for (size_t i = 0; i < LM_COUNT(cases); i++) {
        lm_question q = ask(cases[i].method, cases[i].layer);
        q.setting = none;
        q.settings = 1;
        expect(&s, &x, &q, small_map, cases[i].wanted, 1e-5);
    }
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static void options_of_maps(void)
{
    const lm_setting raw[] = {{"upsample", "none"}, {"relu", "0"}};
    const lm_setting channels[] = {{"upsample", "none"}, {"relu", "0"}, {"channels", "1"}};
    const lm_setting nearest[] = {{"upsample", "nearest"}};
    small s;
    lm_view x;
    small_windows(&s, &x);
    lm_question q = ask("hirescam", "c");
    q.setting = raw;
    q.settings = 2;
    expect(&s, &x, &q, LM_SHAPE(1, 1, 2, 2), (double[]){0, 4, 25, 25}, 1e-5);
    q = ask("gradcam", "r");
    q.setting = channels;
    q.settings = 3;
    expect(&s, &x, &q, LM_SHAPE(1, 2, 2, 2), (double[]){0, 4, 31, 40, 0, 0, -3, -7.5}, 1e-5);
    q.settings = 1;
    q.setting = nearest;
    expect(&s, &x, &q, LM_SHAPE(1, 1, 4, 4),
           (double[]){0, 0, 4, 4, 0, 0, 4, 4, 28, 28, 32.5, 32.5, 28, 28, 32.5, 32.5}, 1e-5);
    q.settings = 0; /* rows and columns at 0, 1/4, 3/4 and 1 of the way between the cells */
    expect(&s, &x, &q, LM_SHAPE(1, 1, 4, 4),
           (double[]){0, 1, 3, 4, 7, 8.03125, 10.09375, 11.125, 21, 22.09375, 24.28125, 25.375, 28, 29.125, 31.375,
                      32.5},
           1e-5);
    q = ask("gradcam", "g");
    refuse(&s, &x, &q, LM_UNSUPPORTED, "no axes stand for places");
    q = ask("cam", "r");
    refuse(&s, &x, &q, LM_UNSUPPORTED, "Relu");
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* Guided: the signal at the pixels keeps positive parts only. */
static void guided_times_map(void)
{
    small s;
    lm_view x;
    small_windows(&s, &x);
    lm_answer guided, map, both;
    lm_question q = ask("guided_backprop", NULL);
    CHECK_OK(small_ask(&s, "x", &x, &q, &guided));
    q = ask("gradcam", "r");
    CHECK_OK(small_ask(&s, "x", &x, &q, &map));
    q = ask("guided_gradcam", "r");
    CHECK_OK(small_ask(&s, "x", &x, &q, &both));
    if (CHECK(guided.rows.count == 1 && map.rows.count == 1 && both.rows.count == 1)) {
        double wanted[16], sum = 0;
        for (int i = 0; i < 16; i++)
            sum += wanted[i] = lm_view_get(&guided.rows.at[0].values, i) * lm_view_get(&map.rows.at[0].values, i);
        CHECK(sum > 1);
        CHECK(small_is(&both.rows.at[0].values, LM_SHAPE(1, 1, 4, 4), wanted, 1e-4));
    }
    lm_answer_free(&both);
    lm_answer_free(&map);
    lm_answer_free(&guided);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* Three channels behind a convolution, global average, dense. `dead`: a channel whose weights are zero, -1 for none.
 * `nhwc`: input and layer are stored with channels last. */
static void build_pooled(onnx_build *b, int dead, bool nhwc)
{
    float k[3 * 2 * 3 * 3], kb[3];
    for (int i = 0; i < 54; i++)
        k[i] = i / 18 == dead ? 0 : (float)small_number(i);
    for (int i = 0; i < 3; i++)
        kb[i] = i == dead ? 0 : 0.25F * (float)(i + 1);
    onnx_build_start(b, 17);
    onnx_build_input(b, "x", LM_F32, 4, nhwc ? (int64_t[]){-1, 6, 10, 2} : (int64_t[]){-1, 2, 6, 10});
    onnx_build_floats(b, "k", 4, (int64_t[]){3, 2, 3, 3}, k);
    onnx_build_floats(b, "kb", 1, (int64_t[]){3}, kb);
    small_weight(b, "w", LM_SHAPE(3, 4), 100);
    onnx_build_floats(b, "wb", 1, (int64_t[]){4}, (float[]){0.5F, -0.5F, 0, 1});
    if (nhwc)
        onnx_build_attr_ints(b, onnx_build_node(b, "Transpose", "x", "xt"), "perm", 4, (int64_t[]){0, 3, 1, 2});
    onnx_node *conv = onnx_build_node(b, "Conv", nhwc ? "xt k kb" : "x k kb", "c");
    onnx_build_attr_ints(b, conv, "strides", 2, (int64_t[]){2, 2});
    onnx_build_attr_ints(b, conv, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_build_node(b, "Relu", "c", nhwc ? "rt" : "r");
    if (nhwc) {
        onnx_build_attr_ints(b, onnx_build_node(b, "Transpose", "rt", "r"), "perm", 4, (int64_t[]){0, 2, 3, 1});
        onnx_node *mean = onnx_build_node(b, "ReduceMean", "r", "f");
        onnx_build_attr_ints(b, mean, "axes", 2, (int64_t[]){1, 2});
        onnx_build_attr_int(b, mean, "keepdims", 0);
    } else {
        onnx_build_node(b, "GlobalAveragePool", "r", "p");
        onnx_build_node(b, "Flatten", "p", "f");
    }
    onnx_build_node(b, "Gemm", "f w wb", "z");
    onnx_build_attr_int(b, onnx_build_node(b, "Softmax", "z", "y"), "axis", -1);
    onnx_build_output(b, "y", LM_F32, 2, (int64_t[]){-1, 4});
}

static lm_status open_pooled(const char *device, int dead, bool nhwc, small *out)
{
    onnx_build b = {0};
    build_pooled(&b, dead, nhwc);
    return small_open(&b, device, out);
}

static lm_view image(void)
{
    lm_view x = {0};
    CHECK_OK(small_numbers(LM_SHAPE(1, 2, 6, 10), 300, &x));
    return x;
}

/* A value of the model, or its output, for one input. */
static double *read_value(small *s, const char *name, const lm_view *x, double *out)
{
    const lm_named feed = {"x", *x};
    lm_view y;
    if (CHECK_OK(lm_session_run(s->session, &feed, 1, &name, 1, &y, NULL))) {
        for (int64_t i = 0; i < lm_shape_count(&y.sh); i++)
            out[i] = lm_view_get(&y, i);
        lm_buffer_unref(y.buf);
    }
    return out;
}

enum { CHANNELS = 3, PLACES = 15 };

static void weighted(const double *a, const double *weight, double *map)
{
    for (int p = 0; p < PLACES; p++) {
        map[p] = 0;
        for (int c = 0; c < CHANNELS; c++)
            map[p] += weight[c] * a[c * PLACES + p];
        map[p] = map[p] < 0 ? 0 : map[p];
    }
}

static void dense_weights_behind_an_average(void)
{
    const lm_setting none[] = {{"upsample", "none"}};
    small s;
    lm_view x = image();
    double a[CHANNELS * PLACES], weight[CHANNELS], map[PLACES];
    CHECK_OK(open_pooled(NULL, -1, false, &s));
    read_value(&s, "r", &x, a);
    for (int c = 0; c < CHANNELS; c++)
        weight[c] = small_number(100 + 4 * c);
    weighted(a, weight, map);
    lm_question q = ask("cam", NULL);
    q.setting = none;
    q.settings = 1;
    expect(&s, &x, &q, LM_SHAPE(1, 1, 3, 5), map, 1e-5);
    q.after_softmax = true;
    refuse(&s, &x, &q, LM_UNSUPPORTED, "Softmax");
    q.after_softmax = false;
    q.layer = "c";
    refuse(&s, &x, &q, LM_UNSUPPORTED, "Relu");
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static void scores_against_masks_by_hand(void)
{
    small s;
    lm_view x = image(), masked = image();
    double a[CHANNELS * PLACES], mask[60], z[4], weight[CHANNELS], map[PLACES], large[60], sum = 0;
    CHECK_OK(open_pooled(NULL, -1, false, &s));
    read_value(&s, "r", &x, a);
    for (int c = 0; c < CHANNELS; c++) {
        double least = INFINITY, most = -INFINITY;
        CHECK_OK(lm_upsample(LM_UPSAMPLE_BILINEAR, 2, (int64_t[]){3, 5}, (int64_t[]){6, 10}, a + c * PLACES, mask));
        for (int p = 0; p < 60; p++) {
            least = fmin(least, mask[p]);
            most = fmax(most, mask[p]);
        }
        CHECK(most > least);
        for (int i = 0; i < 120; i++)
            lm_view_set(&masked, i, lm_view_get(&x, i) * (mask[i % 60] - least) / (most - least));
        sum += weight[c] = exp(read_value(&s, "z", &masked, z)[0]);
    }
    for (int c = 0; c < CHANNELS; c++)
        weight[c] /= sum;
    weighted(a, weight, map);
    CHECK_OK(lm_upsample(LM_UPSAMPLE_BILINEAR, 2, (int64_t[]){3, 5}, (int64_t[]){6, 10}, map, large));
    lm_question q = ask("scorecam", NULL);
    expect(&s, &x, &q, LM_SHAPE(1, 1, 6, 10), large, 1e-5);
    lm_buffer_unref(masked.buf);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static void ablation_against_dead_channels(void)
{
    const lm_setting none[] = {{"upsample", "none"}};
    small s;
    lm_view x = image();
    double a[CHANNELS * PLACES], z[4], weight[CHANNELS], map[PLACES];
    CHECK_OK(open_pooled(NULL, -1, false, &s));
    read_value(&s, "r", &x, a);
    double whole = read_value(&s, "z", &x, z)[0];
    for (int c = 0; c < CHANNELS; c++) {
        small without;
        CHECK_OK(open_pooled(NULL, c, false, &without));
        weight[c] = (whole - read_value(&without, "z", &x, z)[0]) / whole;
        small_close(&without);
    }
    weighted(a, weight, map);
    lm_question q = ask("ablationcam", NULL);
    q.setting = none;
    q.settings = 1;
    expect(&s, &x, &q, LM_SHAPE(1, 1, 3, 5), map, 1e-5);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* Stored with channels last, the same model has the same maps, over height and width. */
static void channels_last(void)
{
    small s, t;
    lm_view x = image(), last = {0};
    lm_answer a, b;
    CHECK_OK(open_pooled(NULL, -1, false, &s));
    CHECK_OK(open_pooled(NULL, -1, true, &t));
    CHECK_OK(small_numbers(LM_SHAPE(1, 6, 10, 2), 0, &last));
    for (int i = 0; i < 120; i++)
        lm_view_set(&last, i % 60 * 2 + i / 60, lm_view_get(&x, i));
    lm_question q = ask(all_methods, NULL);
    CHECK_OK(small_ask(&s, "x", &x, &q, &a));
    CHECK_OK(small_ask(&t, "x", &last, &q, &b));
    if (CHECK_INT(a.rows.count, 12) && CHECK_INT(b.rows.count, 12))
        for (int m = 0; m < 12; m++) {
            bool as_input = strcmp(a.rows.at[m].method->id, "guided_gradcam") == 0;
            double wanted[120];
            for (int i = 0; i < (as_input ? 120 : 60); i++)
                wanted[as_input ? i % 60 * 2 + i / 60 : i] = lm_view_get(&a.rows.at[m].values, i);
            if (!CHECK(small_is(&b.rows.at[m].values, as_input ? LM_SHAPE(1, 6, 10, 2) : LM_SHAPE(1, 1, 6, 10), wanted,
                                1e-5)))
                printf("%s\n", a.rows.at[m].method->id);
        }
    lm_answer_free(&b);
    lm_answer_free(&a);
    lm_buffer_unref(last.buf);
    lm_buffer_unref(x.buf);
    small_close(&t);
    small_close(&s);
}

/* An 8 x 12 image cut into 2 x 3 patches, a class token in front, and the mean of all tokens. */
static void patches_of_a_transformer(void)
{
    const lm_setting none[] = {{"upsample", "none"}};
    onnx_build b = {0};
    small s;
    lm_view x = {0};
    double tokens[7 * 5], map[6];
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 4, (int64_t[]){1, 1, 8, 12});
    small_weight(&b, "k", LM_SHAPE(5, 1, 4, 4), 0);
    small_weight(&b, "class", LM_SHAPE(1, 1, 5), 80);
    small_weight(&b, "m", LM_SHAPE(5, 5), 90);
    small_weight(&b, "w", LM_SHAPE(5, 2), 150);
    onnx_build_ints(&b, "shape", 1, (int64_t[]){3}, (int64_t[]){1, 5, 6});
    onnx_build_attr_ints(&b, onnx_build_node(&b, "Conv", "x k", "c"), "strides", 2, (int64_t[]){4, 4});
    onnx_build_node(&b, "Reshape", "c shape", "cr");
    onnx_build_attr_ints(&b, onnx_build_node(&b, "Transpose", "cr", "ct"), "perm", 3, (int64_t[]){0, 2, 1});
    onnx_build_attr_int(&b, onnx_build_node(&b, "Concat", "class ct", "cc"), "axis", 1);
    onnx_build_node(&b, "MatMul", "cc m", "tokens");
    onnx_node *mean = onnx_build_node(&b, "ReduceMean", "tokens", "f");
    onnx_build_attr_ints(&b, mean, "axes", 1, (int64_t[]){1});
    onnx_build_attr_int(&b, mean, "keepdims", 0);
    onnx_build_node(&b, "Gemm", "f w", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 2});
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_numbers(LM_SHAPE(1, 1, 8, 12), 500, &x));
    read_value(&s, "tokens", &x, tokens);
    for (int p = 0; p < 6; p++) {
        map[p] = 0;
        for (int d = 0; d < 5; d++)
            map[p] += small_number(150 + 2 * d) / 7 * tokens[(p + 1) * 5 + d];
        map[p] = map[p] < 0 ? 0 : map[p];
    }
    lm_question q = ask("gradcam", "tokens");
    q.setting = none;
    q.settings = 1;
    expect(&s, &x, &q, LM_SHAPE(1, 1, 2, 3), map, 1e-5);
    lm_answer a;
    q.settings = 0;
    if (CHECK_OK(small_ask(&s, "x", &x, &q, &a))) {
        CHECK_INT(a.rows.at[0].values.sh.rank, 4);
        CHECK_INT(a.rows.at[0].values.sh.dim[2], 8);
        CHECK_INT(a.rows.at[0].values.sh.dim[3], 12);
    }
    lm_answer_free(&a);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static void signals_have_one_axis(void)
{
    onnx_build b = {0};
    small s;
    lm_view x = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 3, (int64_t[]){1, 2, 12});
    small_weight(&b, "k", LM_SHAPE(3, 2, 3), 0);
    small_weight(&b, "w", LM_SHAPE(3, 2), 50);
    onnx_build_attr_ints(&b, onnx_build_node(&b, "Conv", "x k", "c"), "strides", 1, (int64_t[]){3});
    onnx_build_node(&b, "GlobalAveragePool", "c", "p");
    onnx_build_node(&b, "Flatten", "p", "f");
    onnx_build_node(&b, "Gemm", "f w", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 2});
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_numbers(LM_SHAPE(1, 2, 12), 700, &x));
    double a[12], small_map[4] = {0}, map[12];
    read_value(&s, "c", &x, a);
    for (int i = 0; i < 12; i++)
        small_map[i % 4] += small_number(50 + i / 4 * 2) * a[i];
    for (int p = 0; p < 4; p++)
        small_map[p] = fmax(small_map[p], 0);
    CHECK_OK(lm_upsample(LM_UPSAMPLE_BILINEAR, 1, (int64_t[]){4}, (int64_t[]){12}, small_map, map));
    lm_question q = ask("cam", "c");
    expect(&s, &x, &q, LM_SHAPE(1, 1, 12), map, 1e-5);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* eigencam and eigengradcam are components of what they say. */
static void components_of_activations(void)
{
    const lm_setting none[] = {{"upsample", "none"}, {"relu", "0"}};
    small s;
    lm_view x = image();
    double a[CHANNELS * PLACES], map[PLACES];
    CHECK_OK(open_pooled(NULL, -1, false, &s));
    read_value(&s, "r", &x, a);
    CHECK_OK(lm_eigen_component(CHANNELS, PLACES, a, map));
    lm_question q = ask("eigencam", NULL);
    q.setting = none;
    q.settings = 2;
    expect(&s, &x, &q, LM_SHAPE(1, 1, 3, 5), map, 1e-5);
    for (int i = 0; i < CHANNELS * PLACES; i++)
        a[i] *= small_number(100 + i / PLACES * 4) / PLACES;
    CHECK_OK(lm_eigen_component(CHANNELS, PLACES, a, map));
    q.method = "eigengradcam";
    expect(&s, &x, &q, LM_SHAPE(1, 1, 3, 5), map, 1e-5);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* Any number of threads, and samples together or alone: the same bytes. */
static void same_bits(void)
{
    static const char *const devices[] = {"cpu:threads=1", "cpu:threads=2", "cpu:threads=3", "cpu:threads=7"};
    lm_view x = {0};
    lm_answer first = {0};
    CHECK_OK(small_numbers(LM_SHAPE(2, 2, 6, 10), 300, &x));
    for (size_t d = 0; d < LM_COUNT(devices); d++) {
        small s;
        lm_answer a;
        CHECK_OK(open_pooled(devices[d], -1, false, &s));
        lm_question q = ask(all_methods, NULL);
        q.target = "top,1";
        if (!CHECK_OK(small_ask(&s, "x", &x, &q, d ? &a : &first)))
            return;
        for (size_t i = 0; d && i < a.rows.count; i++) {
            const lm_view *v = &a.rows.at[i].values, *w = &first.rows.at[i].values;
            CHECK(memcmp(lm_view_data(v), lm_view_data(w), (size_t)lm_shape_count(&v->sh) * 4) == 0);
        }
        for (int k = 0; !d && k < 2; k++) {
            lm_view one = x;
            one.sh.dim[0] = 1;
            one.off += (size_t)k * 120 * 4;
            if (CHECK_OK(small_ask(&s, "x", &one, &q, &a)))
                for (size_t i = 0; i < a.rows.count; i++) {
                    size_t bytes = (size_t)lm_shape_count(&a.rows.at[i].values.sh) * 4;
                    const char *both = lm_view_data(&first.rows.at[i].values);
                    CHECK(memcmp(lm_view_data(&a.rows.at[i].values), both + (size_t)k * bytes, bytes) == 0);
                }
            lm_answer_free(&a);
        }
        if (d)
            lm_answer_free(&a);
        small_close(&s);
    }
    lm_answer_free(&first);
    lm_buffer_unref(x.buf);
}

static lm_str kept_bytes;
static lm_view kept_image;

static lm_status ask_everything(void)
{
    small s = {0};
    lm_answer a = {0};
    lm_status status = LM_OK;
    lm_str_add_bytes(&s.bytes, kept_bytes.text, kept_bytes.count);
    lm_question q = ask(all_methods, NULL);
    LM_TRY_OUT(s.bytes.status);
    LM_TRY_OUT(small_start("ref", &s));
    LM_TRY_OUT(small_ask(&s, "x", &kept_image, &q, &a));
out:
    lm_answer_free(&a);
    small_close(&s);
    return status;
}

static void memory_runs_out(void)
{
    onnx_build b = {0};
    build_pooled(&b, -1, false);
    kept_image = image();
    CHECK_OK(onnx_build_end(&b, &kept_bytes));
    CHECK_OK(ask_everything());
    CHECK(test_every_allocation(ask_everything) > 100);
    lm_buffer_unref(kept_image.buf);
    lm_str_free(&kept_bytes);
}

/* Two of three tokens, by their numbers, of which a mask says which count. It stands beside everything, and `auto` finds
 * what the tokens come through all the same. Maps over tokens have one number for each. */
static void masked_tokens(void)
{
    enum { TOKENS = 3, WIDTH = 4 };
    static const char *const methods[] = {"gradcam", "fullgrad", "eigencam", "guided_gradcam"};
    small s;
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "ids", LM_I64, 2, (int64_t[]){1, TOKENS});
    onnx_build_input(&b, "mask", LM_I64, 2, (int64_t[]){1, TOKENS});
    small_weight(&b, "table", LM_SHAPE(5, WIDTH), 10);
    small_weight(&b, "w1", LM_SHAPE(WIDTH, WIDTH), 40);
    small_weight(&b, "w2", LM_SHAPE(WIDTH, 2), 70);
    onnx_build_floats(&b, "much", 0, NULL, (float[]){100});
    onnx_build_node(&b, "Gather", "table ids", "e");
    onnx_build_attr_int(&b, onnx_build_node(&b, "Cast", "mask", "m"), "to", 1);
    onnx_build_node(&b, "Mul", "m much", "counts");
    onnx_build_attr_ints(&b, onnx_build_node(&b, "Transpose", "e", "t"), "perm", 3, (int64_t[]){0, 2, 1});
    onnx_build_node(&b, "MatMul", "e t", "scores");
    onnx_build_node(&b, "Add", "scores counts", "seen");
    onnx_build_attr_int(&b, onnx_build_node(&b, "Softmax", "seen", "p"), "axis", -1);
    onnx_build_node(&b, "MatMul", "p e", "mixed");
    onnx_build_node(&b, "Add", "mixed e", "h");
    onnx_build_node(&b, "MatMul", "h w1", "z");
    onnx_build_node(&b, "Relu", "z", "r");
    onnx_node *mean = onnx_build_node(&b, "ReduceMean", "r", "f");
    onnx_build_attr_ints(&b, mean, "axes", 1, (int64_t[]){1});
    onnx_build_attr_int(&b, mean, "keepdims", 0);
    onnx_build_node(&b, "MatMul", "f w2", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 2});
    CHECK_OK(small_open(&b, NULL, &s));
    int64_t ids[] = {3, 0, 2}, mask[] = {1, 1, 0};
    const lm_shape sh = LM_SHAPE(1, TOKENS);
    lm_view x[2];
    for (int i = 0; i < 2; i++) {
        CHECK_OK(lm_view_new(LM_I64, &sh, &x[i]));
        memcpy(lm_view_data(&x[i]), i ? mask : ids, sizeof ids);
    }
    const lm_named feed[] = {{"ids", x[0]}, {"mask", x[1]}};
    for (size_t i = 0; i < LM_COUNT(methods); i++) {
        lm_answer a = {0};
        const lm_question q = {.method = methods[i], .target = "0"};
        const bool answered = CHECK_OK(lm_explain(s.study, feed, 2, 0, NULL, &q, &a));
        if (answered && !CHECK(lm_shape_equal(&a.rows.at[0].values.sh, &sh)))
            printf("%s\n", methods[i]);
        lm_answer_free(&a);
    }
    for (int i = 0; i < 2; i++)
        lm_buffer_unref(x[i].buf);
    small_close(&s);
}

int main(void)
{
    CASE(masked_tokens);
    CASE(known_answers);
    CASE(options_of_maps);
    CASE(guided_times_map);
    CASE(dense_weights_behind_an_average);
    CASE(scores_against_masks_by_hand);
    CASE(ablation_against_dead_channels);
    CASE(channels_last);
    CASE(patches_of_a_transformer);
    CASE(signals_have_one_axis);
    CASE(components_of_activations);
    CASE(same_bits);
    CASE(memory_runs_out);
    return test_end();
}
