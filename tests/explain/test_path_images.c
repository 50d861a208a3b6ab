/* Methods along paths of images, regions of images, and the same bits however all methods along paths are run. */
#include "core/explain/segment.h"
#include "tests/explain/asking.h"

static lm_status find_image(lm_shape sh, lm_image *out)
{
    return lm_image_find(&sh, "x", out);
}

static void blurs_of_images(void)
{
    lm_image im = {0};
    CHECK_OK(find_image(LM_SHAPE(1, 3, 5, 7), &im));
    CHECK(im.channels == 3 && im.height == 5 && im.width == 7 && im.channel == 35 && im.pixel == 1 && !im.last);
    CHECK_OK(find_image(LM_SHAPE(1, 5, 7, 4), &im));
    CHECK(im.channels == 4 && im.height == 5 && im.width == 7 && im.channel == 1 && im.pixel == 4 && im.last);
    CHECK_FAILS(find_image(LM_SHAPE(1, 5, 7, 8), &im), LM_INPUT);
    CHECK_FAILS(find_image(LM_SHAPE(2, 3, 7, 8), &im), LM_INPUT);
    CHECK_FAILS(find_image(LM_SHAPE(1, 3, 0, 8), &im), LM_INPUT);
    CHECK_OK(find_image(LM_SHAPE(1, 1, 9, 9), &im));
    double dot[81] = {0}, out[81];
    dot[40] = 1;
    CHECK_OK(lm_blur(&im, 1, dot, out));
    double sum = 0, weight = 0;
    for (int k = -4; k <= 4; k++)
        weight += exp(-k * k / 2.0);
    for (int i = 0; i < 81; i++)
        sum += out[i];
    CHECK_NEAR(sum, 1, 1e-14);
    for (int k = 0; k <= 4; k++)
        CHECK_NEAR(out[40 + k], exp(-k * k / 2.0) / (weight * weight), 1e-15);
    CHECK_OK(lm_blur(&im, 0, dot, out));
    CHECK(memcmp(dot, out, sizeof dot) == 0);
    /* mirrored at the edges: what leaves comes back, and in the end everything is the mean */
    memset(dot, 0, sizeof dot);
    dot[0] = 81;
    CHECK_OK(lm_blur(&im, 200, dot, dot));
    for (int i = 0; i < 81; i++)
        CHECK_NEAR(dot[i], 1, 1e-4);
    CHECK_FAILS(lm_blur(&im, NAN, dot, dot), LM_USAGE);
}

/* An image in four parts, one of them with a lone pixel in it. */
static void segments_of_simple_images(void)
{
    enum { SIDE = 12, AREA = SIDE * SIDE };
    double pixel[AREA];
    int32_t label[2 * AREA], count[2];
    lm_image im;
    CHECK_OK(find_image(LM_SHAPE(1, 1, SIDE, SIDE), &im));
    for (int i = 0; i < AREA; i++)
        pixel[i] = (i / SIDE >= SIDE / 2) + 2 * (i % SIDE >= SIDE / 2);
    pixel[2 * SIDE + 2] = 3;
    const double scale[] = {1, 1e9};
    CHECK_OK(lm_segment(&im, pixel, 0, 2, scale, 2, label, count));
    CHECK_INT(count[0], 4);
    CHECK_INT(count[1], 1);
    for (int i = 0; i < AREA; i++) {
        const int quarter = 2 * (i / SIDE >= SIDE / 2) + (i % SIDE >= SIDE / 2);
        CHECK(label[i] == quarter && label[AREA + i] == 0);
    }
    CHECK_OK(lm_segment(&im, pixel, 0, 1, scale, 1, label, count));
    CHECK_INT(count[0], 5);
    CHECK_INT(label[2 * SIDE + 2], 2); /* numbers go by first pixels: after the two upper quarters */
    memset(pixel, 0, sizeof pixel);
    CHECK_OK(lm_segment(&im, pixel, 0.8, 1, scale, 1, label, count));
    CHECK_INT(count[0], 1);
}

/* Two halves of a row, and regions that grow into each other. */
static void regions_by_density(void)
{
    const int32_t label[] = {0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0}, count[] = {2, 1};
    const double value[] = {1, 2, 3, 10, 20, 30};
    lm_regions r;
    double rank[6];
    CHECK_OK(lm_regions_grow(1, 6, 2, label, count, 0, &r));
    CHECK_OK(lm_regions_rank(&r, value, 1, rank));
    for (int p = 0; p < 6; p++)
        CHECK_NEAR(rank[p], p < 3 ? 2 : 20, 1e-12);
    CHECK_OK(lm_regions_rank(&r, value, 4, rank)); /* only the whole row adds so much */
    for (int p = 0; p < 6; p++)
        CHECK_NEAR(rank[p], 11, 1e-12);
    lm_regions_free(&r);
    CHECK_OK(lm_regions_grow(1, 6, 1, label, count, 1.5, &r));
    CHECK_INT(r.first[6], 8);
    CHECK_OK(lm_regions_rank(&r, value, 1, rank));
    for (int p = 0; p < 6; p++)
        CHECK_NEAR(rank[p], p < 2 ? 1.5 : 63.0 / 4, 1e-12);
    CHECK_OK(lm_regions_rank(&r, value, 7, rank));
    for (int p = 0; p < 6; p++)
        CHECK_NEAR(rank[p], 11, 1e-12);
    lm_regions_free(&r);
}

/* The map of xrai by hand: integrated gradients from two constant images, over the user's own regions. */
static void regions_of_a_net(void)
{
    for (int last = 0; last < 2; last++) {
        asking a;
        small s;
        lm_view x, own, dark;
        lm_answer map = {0}, low = {0}, high = {0};
        open_net("ref:type=f64", (net){.last = last}, &s, &x);
        const lm_shape square = LM_SHAPE(8, 8);
        CHECK_OK(lm_view_new(LM_I32, &square, &own));
        for (int i = 0; i < 64; i++)
            lm_view_set(&own, i, i % 8 < 3 ? -5 : i / 8 < 4 ? 100000 : 7);
        double least = INFINITY, most = -INFINITY;
        for (int i = 0; i < 192; i++) {
            least = fmin(least, lm_view_get(&x, i));
            most = fmax(most, lm_view_get(&x, i));
        }
        CHECK_OK(lm_view_new(LM_F32, &x.sh, &dark));
        const lm_named file[] = {{"mine.npy", own}, {"base", dark}};
        lm_question *q = ask(&a, "ig", "");
        q->baseline = "base";
        q->file = file;
        q->files = 2;
        for (int i = 0; i < 192; i++)
            lm_view_set(&dark, i, least);
        CHECK_OK(small_ask(&s, "x", &x, q, &low));
        for (int i = 0; i < 192; i++)
            lm_view_set(&dark, i, most);
        CHECK_OK(small_ask(&s, "x", &x, q, &high));
        double sum[3] = {0}, wanted[64];
        for (int i = 0; i < 64; i++) {
            double best = -INFINITY;
            for (int c = 0; c < 3; c++) {
                const int at = last ? i * 3 + c : c * 64 + i;
                const lm_view *v = &low.rows.at[0].values, *w = &high.rows.at[0].values;
                best = fmax(best, (lm_view_get(v, at) + lm_view_get(w, at)) / 2);
            }
            sum[i % 8 < 3 ? 0 : i / 8 < 4 ? 1 : 2] += best;
        }
        for (int i = 0; i < 64; i++)
            wanted[i] = i % 8 < 3 ? sum[0] / 24 : i / 8 < 4 ? sum[1] / 20 : sum[2] / 20;
        q = ask(&a, "xrai", "segments=mine.npy dilation=0");
        q->file = file;
        q->files = 2;
        expect(&s, &x, q, LM_SHAPE(1, 1, 8, 8), wanted, 1e-9);
        q->files = 0;
        refuse(&s, &x, q, LM_INPUT, "mine.npy");
        q = ask(&a, "xrai", "segments=base");
        q->file = file;
        q->files = 2;
        refuse(&s, &x, q, LM_INPUT, "whole numbers");
        q = ask(&a, "xrai", "scales=50:none");
        refuse(&s, &x, q, LM_USAGE, "50:100:250");
        lm_answer_free(&map);
        lm_answer_free(&low);
        lm_answer_free(&high);
        lm_buffer_unref(x.buf);
        lm_buffer_unref(own.buf);
        lm_buffer_unref(dark.buf);
        small_close(&s);
    }
}

static void what_is_no_image(void)
{
    asking a;
    small s;
    lm_view x;
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){-1, 3});
    onnx_build_floats(&b, "w", 2, (int64_t[]){3, 2}, (float[]){1, 2, 3, 4, 5, 6});
    onnx_build_node(&b, "MatMul", "x w", "y");
    open_built(&b, NULL, 2, &s);
    CHECK_OK(small_numbers(LM_SHAPE(1, 3), 0, &x));
    refuse(&s, &x, ask(&a, "blur_ig", ""), LM_USAGE, "for images");
    refuse(&s, &x, ask(&a, "xrai", ""), LM_USAGE, "for images");
    refuse(&s, &x, ask(&a, "conductance", ""), LM_USAGE, "layer");
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static const struct {
    const char *method, *options, *layer;
} everything[] = {
    {"ig", "steps=11", NULL},
    {"ig", "steps=11 quadrature=left", "r"},
    {"ig", "quadrature=adaptive tol=1e-3", NULL},
    {"conductance", "steps=11", "r"},
    {"internal_influence", "steps=11", "h"},
    {"gradient_shap", "samples=11 stdev=0.1", NULL},
    {"expected_gradients", "samples=11", NULL},
    {"deepshap", "", NULL},
    {"blur_ig", "steps=11 max_sigma=3", NULL},
    {"guided_ig", "steps=11", NULL},
    {"xrai", "steps=11", NULL},
};

static void remember(lm_view *kept, const lm_view *v)
{
    const size_t bytes = (size_t)lm_shape_count(&v->sh) * lm_dtype_size(v->dt);
    if (!kept->buf && CHECK_OK(lm_view_new(v->dt, &v->sh, kept)))
        memcpy(lm_view_data(kept), lm_view_data(v), bytes);
    CHECK(lm_shape_equal(&kept->sh, &v->sh) && memcmp(lm_view_data(kept), lm_view_data(v), bytes) == 0);
}

/* However many threads there are and whatever fits into memory at once. */
static void same_bits(void)
{
    static const struct {
        const char *device, *memory;
    } ways[] = {{"cpu:threads=1", NULL}, {"cpu:threads=2", NULL}, {"cpu:threads=3", "2M"}, {"cpu:threads=7", NULL}};
    lm_view kept[LM_COUNT(everything)] = {{0}};
    for (size_t w = 0; w < LM_COUNT(ways); w++) {
        asking a;
        small s;
        lm_view x;
        if (ways[w].memory)
            setenv("LIMN_MEM", ways[w].memory, 1);
        open_net(ways[w].device, (net){.smooth = false}, &s, &x);
        for (size_t i = 0; i < LM_COUNT(everything); i++) {
            lm_answer got = {0};
            lm_question *q = ask(&a, everything[i].method, everything[i].options);
            q->layer = everything[i].layer;
            q->target = "1";
            if (CHECK_OK(small_ask(&s, "x", &x, q, &got)))
                remember(&kept[i], &got.rows.at[0].values);
            else
                printf("%s\n", everything[i].method);
            lm_answer_free(&got);
        }
        lm_buffer_unref(x.buf);
        small_close(&s);
        unsetenv("LIMN_MEM");
    }
    for (size_t i = 0; i < LM_COUNT(everything); i++)
        lm_buffer_unref(kept[i].buf);
}

static lm_str kept_bytes;
static lm_view kept_image;
static size_t kept_method;

static lm_status ask_one(void)
{
    small s = {0};
    asking a;
    lm_answer got = {0};
    lm_status status = LM_OK;
    lm_str_add_bytes(&s.bytes, kept_bytes.text, kept_bytes.count);
    lm_question *q = ask(&a, everything[kept_method].method, everything[kept_method].options);
    q->layer = everything[kept_method].layer;
    LM_TRY_OUT(s.bytes.status);
    LM_TRY_OUT(small_start("ref", &s));
    LM_TRY_OUT(small_ask(&s, "x", &kept_image, q, &got));
out:
    lm_answer_free(&got);
    small_close(&s);
    return status;
}

static void memory_runs_out(void)
{
    onnx_build b;
    build_net(&b, (net){.smooth = false});
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, 2});
    CHECK_OK(onnx_build_end(&b, &kept_bytes));
    CHECK_OK(small_numbers(LM_SHAPE(1, 3, 8, 8), 50, &kept_image));
    for (kept_method = 0; kept_method < LM_COUNT(everything); kept_method++) {
        CHECK_OK(ask_one());
        CHECK(test_every_allocation(ask_one) > 100);
    }
    lm_buffer_unref(kept_image.buf);
    lm_str_free(&kept_bytes);
}

int main(void)
{
    CASE(blurs_of_images);
    CASE(segments_of_simple_images);
    CASE(regions_by_density);
    CASE(regions_of_a_net);
    CASE(what_is_no_image);
    CASE(same_bits);
    CASE(memory_runs_out);
    return test_end();
}
