/* Sessions: runs by name, plans found again, batches, inner values, failures that say what was expected. */
#include "core/run/session.h"

#include <pthread.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/model/onnx_build.h"
#include "tests/unit/test.h"

static lm_chain chain;

static lm_view floats(lm_shape shape, double first, double step)
{
    lm_view v = {0};
    CHECK_OK(lm_view_new(LM_F32, &shape, &v));
    for (int64_t i = 0, n = lm_shape_count(&shape); i < n; i++)
        lm_view_set(&v, i, first + step * (double)i);
    return v;
}

/* The bytes of every model, which models borrow. */
static lm_str bytes[16];
static int n_bytes;

/* Takes over what was built. */
static lm_model *finish(onnx_build *b)
{
    lm_str *text = &bytes[n_bytes++];
    lm_model *m = NULL;
    if (CHECK_OK(onnx_build_end(b, text)))
        CHECK_OK(lm_model_open_bytes(lm_str_text(text), text->count, NULL, &m));
    return m;
}

/* y = softmax(relu(x w)), x [1,3], or with a first axis of any size. */
static lm_model *dense(int64_t first)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){first, 3});
    onnx_build_floats(&b, "w", 2, (int64_t[]){3, 2}, (float[]){1, -2, 3, 4, -5, 6});
    onnx_build_node(&b, "MatMul", "x w", "h");
    onnx_build_node(&b, "Relu", "h", "r");
    onnx_build_attr_int(&b, onnx_build_node(&b, "Softmax", "r", "y"), "axis", -1);
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){first, 2});
    return finish(&b);
}

static lm_session *open_session(lm_model *m, const lm_session_options *options)
{
    lm_session *s = NULL;
    CHECK_OK(lm_session_open(m, &chain, options, &s));
    return s;
}

static void runs_by_name(void)
{
    lm_model *m = dense(-1);
    lm_session *s = open_session(m, NULL);
    const char *want[] = {"h", "y", "x", "h"};
    for (int n = 1; n < 4; n++) {
        lm_named feed = {"x", floats(LM_SHAPE(n, 3), -1, 1)};
        lm_view y[4], out;
        if (CHECK_OK(lm_session_run(s, &feed, 1, want, 4, y, NULL))) {
            CHECK_INT(y[0].sh.dim[0], n);
            CHECK_NEAR(lm_view_get(&y[0], 0), -6, 0);
            CHECK_NEAR(lm_view_get(&y[0], 1), 8, 0);
            CHECK_NEAR(lm_view_get(&y[1], 0) + lm_view_get(&y[1], 1), 1, 1e-6);
            CHECK_NEAR(lm_view_get(&y[2], 2), 1, 0);
            CHECK_NEAR(lm_view_get(&y[3], 1), 8, 0);
            CHECK(lm_session_plan(s) != NULL);
            if (CHECK_OK(lm_session_run(s, &feed, 1, NULL, 1, &out, NULL))) {
                CHECK(memcmp(lm_view_data(&out), lm_view_data(&y[1]), (size_t)n * 8) == 0);
                lm_buffer_unref(out.buf);
            }
            for (int i = 0; i < 4; i++)
                lm_buffer_unref(y[i].buf);
        }
        lm_buffer_unref(feed.view.buf);
    }
    lm_session_close(s);
    lm_model_close(m);
}

static void plans_are_found_again(void)
{
    lm_model *m = dense(-1);
    lm_session *s = open_session(m, NULL);
    const lm_plan *first = NULL;
    for (int i = 0; i < 40; i++) {
        int n = i < 20 ? 1 + i % 2 : 1 + i % 12; /* more shapes than are kept */
        lm_named feed = {"x", floats(LM_SHAPE(n, 3), 0, 1)};
        lm_view y;
        if (CHECK_OK(lm_session_run(s, &feed, 1, NULL, 1, &y, NULL))) {
            CHECK_INT(y.sh.dim[0], n);
            lm_buffer_unref(y.buf);
        }
        if (i == 2) /* the first plan is for a single run; who comes again gets one to keep */
            first = lm_session_plan(s);
        if (i >= 2 && i < 20 && n == 1)
            CHECK(lm_session_plan(s) == first);
        lm_buffer_unref(feed.view.buf);
    }
    lm_session_close(s);
    lm_model_close(m);
}

/* Weights that look random, exact in float32. */
static float *noise(int64_t count)
{
    float *v = lm_malloc((size_t)count, sizeof *v);
    uint32_t state = 1;
    for (int64_t i = 0; v && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        v[i] = (float)((int32_t)(state >> 16) - 32768) / 65536;
    }
    CHECK(v != NULL);
    return v;
}

static void add_weights(onnx_build *b, const char *name, int rank, const int64_t *dim)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= dim[i];
    float *v = noise(count);
    if (v)
        onnx_build_floats(b, name, rank, dim, v);
    lm_free(v);
}

/* A first run packs weights of the file while it multiplies, later ones have them packed: the bits are the same. */
static void first_run_is_like_the_others(void)
{
    const char *path = "test_session.onnx";
    onnx_build b = {0};
    lm_str text = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){3, 700});
    add_weights(&b, "w", 2, (int64_t[]){700, 300});
    add_weights(&b, "v", 2, (int64_t[]){800, 300});
    add_weights(&b, "u", 4, (int64_t[]){256, 32, 3, 3});
    onnx_build_ints(&b, "image", 1, (int64_t[]){4}, (int64_t[]){3, 32, 5, 5});
    onnx_build_node(&b, "MatMul", "x w", "a");
    onnx_build_node(&b, "Relu", "a", "r");
    onnx_build_attr_int(&b, onnx_build_node(&b, "Gemm", "r v", "g"), "transB", 1);
    onnx_build_node(&b, "Reshape", "g image", "i");
    onnx_build_attr_ints(&b, onnx_build_node(&b, "Conv", "i u", "y"), "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_build_output(&b, "y", LM_F32, 4, (int64_t[]){3, 256, 5, 5});
    lm_model *m = NULL;
    if (!CHECK_OK(onnx_build_end(&b, &text)) || !CHECK_OK(lm_file_write(path, lm_str_text(&text), text.count)) ||
        !CHECK_OK(lm_model_open(path, NULL, &m)))
        return;
    lm_session *s = open_session(m, NULL);
    lm_named feed = {"x", floats(LM_SHAPE(3, 700), -1, 0.001)};
    lm_view y[2];
    for (int i = 0; i < 2; i++)
        CHECK_OK(lm_session_run(s, &feed, 1, NULL, 1, &y[i], NULL));
    CHECK(memcmp(lm_view_data(&y[0]), lm_view_data(&y[1]), (size_t)lm_shape_count(&y[0].sh) * sizeof(float)) == 0);
    for (int i = 0; i < 2; i++)
        lm_buffer_unref(y[i].buf);
    lm_buffer_unref(feed.view.buf);
    lm_session_close(s);
    lm_model_close(m);
    lm_str_free(&text);
    remove(path);
}

static void wrong_feeds_say_what_was_expected(void)
{
    lm_model *m = dense(1);
    lm_session_options one = {.one_only = true};
    lm_session *s = open_session(m, &one);
    lm_view y, x = floats(LM_SHAPE(1, 3), 0, 1), wide = floats(LM_SHAPE(1, 4), 0, 1),
               two = floats(LM_SHAPE(2, 3), 0, 1);
    lm_named bad = {"z", x}, twice[] = {{"x", x}, {"x", x}}, shape = {"x", wide}, batch = {"x", two}, good = {"x", x};
    CHECK_FAILS(lm_session_run(s, &bad, 1, NULL, 1, &y, NULL), LM_INPUT);
    CHECK(strstr(lm_message(), "'z'") && strstr(lm_message(), "x float32[1,3]"));
    CHECK_FAILS(lm_session_run(s, NULL, 0, NULL, 1, &y, NULL), LM_INPUT);
    CHECK(strstr(lm_message(), "'x' is not fed"));
    CHECK_FAILS(lm_session_run(s, twice, 2, NULL, 1, &y, NULL), LM_INPUT);
    CHECK(strstr(lm_message(), "twice"));
    CHECK_FAILS(lm_session_run(s, &shape, 1, NULL, 1, &y, NULL), LM_INPUT);
    CHECK(strstr(lm_message(), "[1,3]") && strstr(lm_message(), "[1,4]"));
    CHECK_FAILS(lm_session_run(s, &batch, 1, NULL, 1, &y, NULL), LM_INPUT);
    CHECK_FAILS(lm_session_run(s, &good, 1, NULL, 2, &y, NULL), LM_USAGE);
    CHECK_FAILS(lm_session_run(s, &good, 1, (const char *[]){"hh"}, 1, &y, NULL), LM_INPUT);
    CHECK(strstr(lm_message(), "'hh'") && strstr(lm_message(), "did you mean"));
    atomic_bool stop = true;
    lm_plan_run_options o = {.cancel = &stop};
    CHECK_FAILS(lm_session_run(s, &good, 1, NULL, 1, &y, &o), LM_INTERRUPTED);
    if (CHECK_OK(lm_session_run(s, &good, 1, NULL, 1, &y, NULL)))
        lm_buffer_unref(y.buf);
    lm_session_close(s);
    lm_buffer_unref(x.buf);
    lm_buffer_unref(wide.buf);
    lm_buffer_unref(two.buf);
    lm_model_close(m);
}

/* Models that say 1: one whose samples are independent, one that mixes them, one that is made for one sample only. */
static lm_model *for_one(int kind)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){1, 4});
    const int64_t shape[] = {1, 2, 2};
    if (kind == 0) {
        onnx_build_node(&b, "Relu", "x", "y");
    } else if (kind == 1) {
        onnx_node *n = onnx_build_node(&b, "ReduceMean", "x", "mean");
        onnx_build_attr_ints(&b, n, "axes", 1, (int64_t[]){0});
        onnx_build_attr_int(&b, n, "keepdims", 1);
        onnx_build_node(&b, "Add", "x mean", "y");
    } else {
        onnx_build_ints(&b, "shape", 1, (int64_t[]){3}, shape);
        onnx_build_node(&b, "Reshape", "x shape", "y");
    }
    onnx_build_output(&b, "y", LM_F32, kind == 2 ? 3 : 2, kind == 2 ? shape : (int64_t[]){1, 4});
    return finish(&b);
}

static void batches(void)
{
    for (int kind = 0; kind < 3; kind++) {
        lm_model *m = for_one(kind);
        lm_session *s = open_session(m, NULL);
        for (int round = 0; round < 3; round++) {
            /* the first round's samples are all alike, which must not count as a proof */
            lm_named feed = {"x", floats(LM_SHAPE(3, 4), -5, round ? 1 : 0)};
            lm_view y;
            if (CHECK_OK(lm_session_run(s, &feed, 1, NULL, 1, &y, NULL))) {
                CHECK_INT(y.sh.dim[0], 3);
                CHECK_INT(y.sh.rank, kind == 2 ? 3 : 2);
                for (int i = 0; i < 12; i++) {
                    double x = lm_view_get(&feed.view, i), want = kind == 0 ? (x > 0 ? x : 0) : kind == 1 ? 2 * x : x;
                    CHECK_NEAR(lm_view_get(&y, i), want, 0);
                }
                lm_buffer_unref(y.buf);
            }
            lm_buffer_unref(feed.view.buf);
        }
        lm_session_close(s);
        lm_model_close(m);
    }
}

/* The target of a Reshape is fed: another content is another graph. */
static void contents_that_decide(void)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 1, (int64_t[]){6});
    onnx_build_input(&b, "to", LM_I64, 1, (int64_t[]){2});
    onnx_build_node(&b, "Reshape", "x to", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, -1});
    lm_model *m = finish(&b);
    lm_session *s = open_session(m, NULL);
    lm_shape two = LM_SHAPE(2);
    lm_named feed[] = {{"x", floats(LM_SHAPE(6), 0, 1)}, {.name = "to"}};
    CHECK_OK(lm_view_new(LM_I64, &two, &feed[1].view));
    for (int i = 0; i < 4; i++) {
        int64_t rows = i % 2 ? 3 : 2;
        lm_view_set(&feed[1].view, 0, (double)rows);
        lm_view_set(&feed[1].view, 1, 6.0 / (double)rows);
        lm_view y;
        if (CHECK_OK(lm_session_run(s, feed, 2, NULL, 1, &y, NULL))) {
            CHECK_INT(y.sh.dim[0], rows);
            lm_buffer_unref(y.buf);
        }
        const lm_built *built;
        if (CHECK_OK(lm_session_built(s, feed, 2, &built)))
            CHECK_INT(built->by_value, 2);
    }
    lm_session_close(s);
    for (int i = 0; i < 2; i++)
        lm_buffer_unref(feed[i].view.buf);
    lm_model_close(m);
}

typedef struct runner {
    pthread_t thread;
    lm_model *m;
    lm_shared *shared;
    lm_view x, y;
    lm_status status;
} runner;

static void *run_many(void *ctx)
{
    runner *r = ctx;
    lm_session_options o = {.shared = r->shared};
    lm_session *s;
    r->status = lm_session_open(r->m, &chain, &o, &s);
    for (int i = 0; i < 20 && r->status == LM_OK; i++) {
        lm_named feed = {"x", r->x};
        lm_buffer_unref(r->y.buf);
        r->y.buf = NULL;
        r->status = lm_session_run(s, &feed, 1, NULL, 1, &r->y, NULL);
    }
    lm_session_close(s);
    return NULL;
}

static void threads_share_a_model(void)
{
    lm_model *m = dense(-1);
    lm_shared *shared;
    runner r[2] = {0};
    if (CHECK_OK(lm_shared_open(m, &chain, &shared))) {
        for (int i = 0; i < 2; i++) {
            r[i] = (runner){.m = m, .shared = shared, .x = floats(LM_SHAPE(4, 3), 0.5, 0.25)};
            CHECK_INT(pthread_create(&r[i].thread, NULL, run_many, &r[i]), 0);
        }
        for (int i = 0; i < 2; i++) {
            pthread_join(r[i].thread, NULL);
            CHECK_OK(r[i].status);
        }
        CHECK(r[0].y.buf && r[1].y.buf && memcmp(lm_view_data(&r[0].y), lm_view_data(&r[1].y), 32) == 0);
        for (int i = 0; i < 2; i++) {
            lm_buffer_unref(r[i].x.buf);
            lm_buffer_unref(r[i].y.buf);
        }
        lm_shared_close(shared);
    }
    lm_model_close(m);
}

/* What the walk through failing allocations runs. */
static lm_model *walk_model;
static lm_view walk_x;

static lm_status walk(void)
{
    lm_session *s;
    lm_named feed = {"x", walk_x};
    const char *want[] = {"y", "h"};
    lm_view y[2];
    LM_TRY(lm_session_open(walk_model, &chain, NULL, &s));
    lm_status status = lm_session_run(s, &feed, 1, want, 2, y, NULL);
    for (int i = 0; i < 2 && status == LM_OK; i++)
        lm_buffer_unref(y[i].buf);
    lm_session_close(s);
    return status;
}

static void survive_without_memory(void)
{
    walk_model = dense(1);
    walk_x = floats(LM_SHAPE(3, 3), -1, 0.5);
    walk(); /* the model keeps its tensors */
    CHECK(test_every_allocation(walk) > 50);
    lm_buffer_unref(walk_x.buf);
    lm_model_close(walk_model);
}

int main(void)
{
    if (lm_chain_open("cpu:threads=2", &chain) != LM_OK) {
        printf("%s\n", lm_message());
        return 1;
    }
    CASE(runs_by_name);
    CASE(plans_are_found_again);
    CASE(first_run_is_like_the_others);
    CASE(wrong_feeds_say_what_was_expected);
    CASE(batches);
    CASE(contents_that_decide);
    CASE(threads_share_a_model);
    CASE(survive_without_memory);
    for (int i = 0; i < n_bytes; i++)
        lm_str_free(&bytes[i]);
    lm_chain_close(&chain);
    return test_end();
}
