/* The public interface as a program outside uses it: its headers only, no inside of the library. */
#include <limn/limn.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/api/samples.h"

static int passed, failed, errors;
static limn_device *device;

static int check(int good, int line, const char *what)
{
    if (!good) {
        errors++;
        printf("line %d: failed: %s; message: %s\n", line, what, limn_message());
    }
    return good;
}
#define CHECK(condition) check((condition) != 0, __LINE__, #condition)
#define CASE(name) run_case(name, #name)

static void run_case(void (*run)(void), const char *name)
{
    errors = 0;
    run();
    *(errors ? &failed : &passed) += 1;
    if (errors)
        printf("FAILED %s\n", name);
}

static int says(const char *part)
{
    return strstr(limn_message(), part) != NULL;
}

static limn_model *open_mlp(int64_t batch)
{
    limn_builder *b;
    limn_model *m = NULL;
    if (!CHECK(limn_builder_new(&b) == LIMN_OK))
        return NULL;
    sample_mlp(b, batch);
    CHECK(limn_build_open(b, &m) == LIMN_OK);
    limn_builder_free(b);
    return m;
}

static limn_feed numbers(float *x, int64_t rows)
{
    sample_fill(x, (size_t)rows * 4, 3);
    limn_feed feed = {"x", {LIMN_F32, 2, {rows, 4}, x}};
    return feed;
}

/* What the sample network gives, written out in double. */
static void expect_mlp(const float *x, double *h, double *p)
{
    float w1[20], b1[5], w2[15], b2[3];
    double z[3], sum = 0;
    sample_fill(w1, 20, 1);
    sample_fill(b1, 5, 2);
    sample_fill(w2, 15, 3);
    sample_fill(b2, 3, 4);
    for (int j = 0; j < 5; j++) {
        h[j] = b1[j];
        for (int i = 0; i < 4; i++)
            h[j] += (double)x[i] * w1[i * 5 + j];
    }
    for (int k = 0; k < 3; k++) {
        z[k] = b2[k];
        for (int j = 0; j < 5; j++)
            z[k] += (h[j] > 0 ? h[j] : 0) * w2[j * 3 + k];
        sum += exp(z[k]);
    }
    for (int k = 0; k < 3; k++)
        p[k] = exp(z[k]) / sum;
}

static void runs_and_captures(void)
{
    limn_model *m = open_mlp(-1);
    limn_session *s;
    float x[8];
    limn_feed feed = numbers(x, 2);
    const char *const fetch[] = {"p", "h", "Relu@0", "#0", "fc2:in"};
    limn_tensor y[5];
    if (!m || !CHECK(limn_session_open(m, device, &s) == LIMN_OK))
        return;
    if (CHECK(limn_session_run(s, &feed, 1, fetch, 5, y) == LIMN_OK)) {
        CHECK(y[0].rank == 2 && y[0].dim[0] == 2 && y[0].dim[1] == 3 && y[0].type == LIMN_F32);
        CHECK(y[1].dim[1] == 5 && limn_tensor_count(&y[1]) == 10);
        for (int row = 0; row < 2; row++) {
            double h[5], p[3];
            expect_mlp(x + row * 4, h, p);
            for (int k = 0; k < 3; k++)
                CHECK(fabs(((float *)y[0].data)[row * 3 + k] - p[k]) < 1e-6);
            for (int k = 0; k < 5; k++) {
                float got = ((float *)y[1].data)[row * 5 + k];
                CHECK(fabs(got - h[k]) < 1e-6);
                CHECK(((float *)y[2].data)[row * 5 + k] == (got > 0 ? got : 0));
            }
        }
        CHECK(memcmp(y[1].data, y[3].data, 40) == 0 && memcmp(y[2].data, y[4].data, 40) == 0);
        for (int i = 0; i < 5; i++)
            limn_tensor_free(&y[i]);
    }
    CHECK(limn_session_run(s, &feed, 1, NULL, 1, y) == LIMN_OK);
    limn_tensor_free(&y[0]);
    CHECK(limn_session_run(s, &feed, 1, NULL, 0, NULL) == LIMN_OK);
    limn_session_free(s);
    limn_model_free(m);
}

static void refuses_wrong_feeds(void)
{
    limn_model *m = open_mlp(-1);
    limn_session *s;
    float x[8];
    limn_tensor y;
    limn_feed feed = numbers(x, 2);
    const char *const none[] = {"fc3"};
    if (!m || !CHECK(limn_session_open(m, device, &s) == LIMN_OK))
        return;
    feed.name = "input";
    CHECK(limn_session_run(s, &feed, 1, NULL, 1, &y) == LIMN_INPUT && says("input") && says("x float32"));
    CHECK(limn_session_run(s, &feed, 0, NULL, 1, &y) == LIMN_INPUT && says("'x' is not fed"));
    feed.name = "x";
    feed.tensor.dim[1] = 2;
    CHECK(limn_session_run(s, &feed, 1, NULL, 1, &y) == LIMN_INPUT && says("[2,2]"));
    feed.tensor.dim[1] = 4;
    feed.tensor.type = LIMN_I32;
    CHECK(limn_session_run(s, &feed, 1, NULL, 1, &y) == LIMN_INPUT && says("int32"));
    feed.tensor.type = (limn_dtype)99;
    CHECK(limn_session_run(s, &feed, 1, NULL, 1, &y) == LIMN_INPUT && says("99"));
    feed.tensor.type = LIMN_F32;
    feed.tensor.rank = 9;
    CHECK(limn_session_run(s, &feed, 1, NULL, 1, &y) == LIMN_INPUT);
    feed.tensor.rank = 2;
    feed.tensor.data = NULL;
    CHECK(limn_session_run(s, &feed, 1, NULL, 1, &y) == LIMN_INPUT && says("no data"));
    feed.tensor.data = x;
    CHECK(limn_session_run(s, &feed, 1, none, 1, &y) == LIMN_USAGE && says("fc1") && says("fc2"));
    CHECK(limn_session_run(s, &feed, 1, NULL, 2, &y) == LIMN_USAGE);
    CHECK(limn_session_run(NULL, &feed, 1, NULL, 1, &y) == LIMN_USAGE);
    CHECK(limn_session_run(s, &feed, 1, NULL, 1, &y) == LIMN_OK);
    limn_tensor_free(&y);
    limn_session_free(s);
    limn_model_free(m);
}

static void finds_names(void)
{
    static const char *const query[][2] = {{"fc2", "z"},    {"fc2:in", "r"}, {"Gemm@-1", "z"},  {"#1", "r"},
                                           {"/act/*", "r"}, {"z", "z"},      {"/fc1/Gemm", "h"}};
    limn_model *m = open_mlp(1);
    limn_session *s;
    char *name;
    limn_feed feed = {"x", {LIMN_F32, 2, {5, 4}, NULL}};
    if (!m || !CHECK(limn_session_open(m, device, &s) == LIMN_OK))
        return;
    for (size_t i = 0; i < sizeof query / sizeof query[0]; i++)
        if (CHECK(limn_session_find(s, &feed, 1, query[i][0], &name) == LIMN_OK)) {
            check(strcmp(name, query[i][1]) == 0, __LINE__, query[i][0]);
            limn_text_free(name);
        }
    CHECK(limn_session_find(s, &feed, 1, "auto", &name) == LIMN_USAGE);
    if (CHECK(limn_session_find(s, NULL, 0, "Gemm@-1", &name) == LIMN_OK)) { /* for free sizes of 1 */
        CHECK(strcmp(name, "z") == 0);
        limn_text_free(name);
    }
    limn_session_free(s);
    limn_model_free(m);
}

/* A model made for one sample takes many. */
static void batches(void)
{
    limn_model *one = open_mlp(1), *any = open_mlp(-1);
    limn_session *a, *b;
    float x[28];
    limn_tensor y[2];
    limn_feed feed = numbers(x, 7);
    if (!one || !any || !CHECK(limn_session_open(one, device, &a) == LIMN_OK) ||
        !CHECK(limn_session_open(any, device, &b) == LIMN_OK))
        return;
    CHECK(limn_session_run(a, &feed, 1, NULL, 1, &y[0]) == LIMN_OK);
    CHECK(limn_session_run(b, &feed, 1, NULL, 1, &y[1]) == LIMN_OK);
    CHECK(y[0].dim[0] == 7 && y[1].dim[0] == 7 && memcmp(y[0].data, y[1].data, 7 * 3 * sizeof(float)) == 0);
    limn_tensor_free(&y[0]);
    limn_tensor_free(&y[1]);
    limn_session_free(a);
    limn_session_free(b);
    limn_model_free(one);
    limn_model_free(any);
}

/* The first run packs weights in passing, later ones have them packed; and so does the first of another session. */
static void first_and_later_runs_agree(void)
{
    limn_builder *b;
    limn_model *m;
    limn_session *s[2];
    float x[3 * 8 * 8];
    limn_tensor first, later;
    limn_feed feed = {"image", {LIMN_F32, 4, {1, 3, 8, 8}, x}};
    sample_fill(x, sizeof x / sizeof *x, 5);
    CHECK(limn_builder_new(&b) == LIMN_OK);
    sample_cnn(b);
    if (!CHECK(limn_build_open(b, &m) == LIMN_OK))
        return;
    limn_builder_free(b);
    CHECK(limn_session_open(m, device, &s[0]) == LIMN_OK && limn_session_open(m, device, &s[1]) == LIMN_OK);
    if (CHECK(limn_session_run(s[0], &feed, 1, NULL, 1, &first) == LIMN_OK)) {
        for (int i = 0; i < 5; i++)
            if (CHECK(limn_session_run(s[i > 2], &feed, 1, NULL, 1, &later) == LIMN_OK)) {
                CHECK(memcmp(first.data, later.data, limn_tensor_count(&first) * sizeof(float)) == 0);
                limn_tensor_free(&later);
            }
        limn_tensor_free(&first);
    }
    limn_session_free(s[0]);
    limn_session_free(s[1]);
    limn_model_free(m);
}

static void saves_and_opens(const char *folder)
{
    char path[256];
    limn_builder *b;
    limn_model *m;
    snprintf(path, sizeof path, "%s/cnn.onnx", folder);
    if (!CHECK(limn_builder_new(&b) == LIMN_OK))
        return;
    sample_cnn(b);
    CHECK(limn_build_save(b, path) == LIMN_OK);
    limn_builder_free(b);
    if (!CHECK(limn_model_open(path, NULL, &m) == LIMN_OK))
        return;
    CHECK(limn_model_input_count(m) == 1 && limn_model_output_count(m) == 1);
    const limn_port *p = limn_model_input(m, 0);
    CHECK(strcmp(p->name, "image") == 0 && p->type == LIMN_F32 && p->rank == 4 && p->dim[1] == 3 && !p->optional);
    CHECK(limn_model_input(m, 1) == NULL && strcmp(limn_model_output(m, 0)->name, "logits") == 0);

    limn_session *s;
    limn_layer *layer;
    size_t n;
    CHECK(limn_session_open(m, device, &s) == LIMN_OK);
    if (CHECK(limn_session_layers(s, NULL, 0, &layer, &n) == LIMN_OK) && CHECK(n == 8)) {
        CHECK(strcmp(layer[0].module, "layer1.0.conv1") == 0 && strcmp(layer[0].op, "Conv") == 0);
        CHECK(layer[0].parameters == 6 * 3 * 9 && layer[0].dim[1] == 6 && layer[0].dim[3] == 8);
        CHECK(strcmp(layer[0].kind, "LINEAR") == 0 && layer[0].gradient == 1 && layer[0].output == -1);
        CHECK(layer[0].from_count == 1 && layer[0].from[0] == -1);
        CHECK(layer[3].from_count == 2 && layer[3].from[0] == 2 && layer[3].from[1] == 1);
        CHECK(layer[4].suggested && !layer[3].suggested && layer[7].output == 0 && layer[7].parameters == 24);
        limn_layers_free(layer);
    }
    limn_session_free(s);
    limn_model_free(m);
    CHECK(limn_model_open("no/such.onnx", NULL, &m) == LIMN_INPUT && says("no/such.onnx"));
    CHECK(limn_model_open(folder, NULL, &m) == LIMN_INPUT);
    CHECK(limn_model_open_bytes("garbage", 7, &m) == LIMN_INPUT);
}

static void finds_problems(void)
{
    limn_builder *b;
    limn_model *m;
    limn_problem *list;
    size_t n;
    const int64_t dim[] = {1, 3};
    CHECK(limn_builder_new(&b) == LIMN_OK);
    limn_build_input(b, "x", LIMN_F32, 2, dim);
    limn_build_op(b, "Floor", "x", "y");
    limn_build_output(b, "y", LIMN_F32, 2, dim);
    if (CHECK(limn_build_open(b, &m) == LIMN_OK)) {
        CHECK(limn_model_check(m, device, &list, &n) == LIMN_OK && n == 1);
        CHECK(!list[0].forward && strcmp(list[0].op, "Floor") == 0);
        limn_problems_free(list);
        limn_model_free(m);
    }
    limn_build_op(b, "Unheard", "y", "z");
    limn_build_op(b, "Unseen", "z", "z2");
    if (CHECK(limn_build_open(b, &m) == LIMN_OK)) {
        CHECK(limn_model_check(m, device, &list, &n) == LIMN_OK && n == 2);
        CHECK(list[0].forward && strcmp(list[0].op, "Unheard") == 0 && strcmp(list[1].op, "Unseen") == 0);
        limn_problems_free(list);
        limn_model_free(m);
    }
    limn_builder_free(b);
    const int64_t five[] = {5}, three[] = {3};
    CHECK(limn_builder_new(&b) == LIMN_OK);
    limn_build_input(b, "x", LIMN_F32, 1, five);
    limn_build_input(b, "sizes", LIMN_I64, 1, three);
    limn_build_op(b, "Split", "x sizes", "p q r");
    limn_build_output(b, "q", LIMN_F32, -1, NULL);
    if (CHECK(limn_build_open(b, &m) == LIMN_OK)) {
        CHECK(limn_model_check(m, device, &list, &n) == LIMN_OK && n == 1);
        CHECK(!list[0].forward && list[0].depends && strstr(list[0].reason, "'sizes'"));
        limn_problems_free(list);
        limn_model_free(m);
    }
    limn_builder_free(b);
}

static void first_failure_sticks(void)
{
    limn_builder *b;
    limn_model *m;
    const int64_t dim[] = {1, 3};
    CHECK(limn_builder_new(&b) == LIMN_OK);
    CHECK(limn_build_int(b, "axis", 1) == LIMN_USAGE);
    CHECK(limn_build_input(b, "x", LIMN_F32, 2, dim) == LIMN_USAGE);
    CHECK(limn_build_op(b, "Relu", "x", "y") == LIMN_USAGE);
    CHECK(limn_build_open(b, &m) == LIMN_USAGE && limn_build_save(b, "/tmp/never.onnx") == LIMN_USAGE);
    limn_builder_free(b);
    CHECK(limn_builder_new(&b) == LIMN_OK);
    CHECK(limn_build_input(b, "a b", LIMN_F32, 2, dim) == LIMN_USAGE && says("a b"));
    limn_builder_free(b);
    CHECK(limn_build_op(NULL, "Relu", "x", "y") == LIMN_USAGE);
    limn_builder_free(NULL);
}

static void tensors(const char *folder)
{
    char path[256];
    const int64_t dim[] = {2, 3}, wrong[] = {2, -3};
    limn_tensor t, back;
    CHECK(limn_tensor_new(LIMN_F32, 2, wrong, &t) == LIMN_INPUT);
    CHECK(limn_tensor_new(LIMN_F32, 9, dim, &t) == LIMN_INPUT);
    CHECK(limn_tensor_count(NULL) == 0);
    snprintf(path, sizeof path, "%s/t.npy", folder);
    if (!CHECK(limn_tensor_new(LIMN_F32, 2, dim, &t) == LIMN_OK))
        return;
    CHECK(((float *)t.data)[5] == 0);
    sample_fill((float *)t.data, 6, 1);
    CHECK(limn_tensor_save(path, &t) == LIMN_OK && limn_tensor_load(path, &back) == LIMN_OK);
    CHECK(back.rank == 2 && back.dim[1] == 3 && memcmp(back.data, t.data, 24) == 0);
    CHECK(limn_tensor_save("no/such/folder/t.npy", &t) == LIMN_OUTPUT);
    CHECK(limn_tensor_load("no/such.npy", &back) == LIMN_INPUT);
    limn_tensor_free(&t);
    limn_tensor_free(&back);
    limn_tensor_free(&back);
    limn_tensor_free(NULL);
}

enum { ROUNDS = 40 };

static void *run_many(void *model)
{
    limn_session *s;
    float x[8];
    if (limn_session_open(model, device, &s) != LIMN_OK)
        return (void *)"open";
    const char *wrong = NULL;
    for (int i = 0; i < ROUNDS && !wrong; i++) {
        limn_tensor y;
        limn_feed feed = numbers(x, 1 + i % 2);
        double h[5], p[3];
        if (limn_session_run(s, &feed, 1, NULL, 1, &y) != LIMN_OK)
            return (void *)"run";
        expect_mlp(x, h, p);
        for (int k = 0; k < 3; k++)
            if (fabs(((float *)y.data)[k] - p[k]) > 1e-6)
                wrong = "result";
        limn_tensor_free(&y);
    }
    limn_session_free(s);
    return (void *)wrong;
}

/* Sessions of one model in two threads, opened and closed all the while. */
static void two_threads(void)
{
    limn_model *m = open_mlp(-1);
    pthread_t thread[2];
    void *wrong;
    for (int round = 0; m && round < 4; round++) {
        for (int i = 0; i < 2; i++)
            CHECK(pthread_create(&thread[i], NULL, run_many, m) == 0);
        for (int i = 0; i < 2; i++) {
            pthread_join(thread[i], &wrong);
            check(wrong == NULL, __LINE__, wrong ? (const char *)wrong : "");
        }
    }
    limn_model_free(m);
}

static void cancels_and_profiles(void)
{
    limn_model *m = open_mlp(-1);
    limn_session *s;
    float x[8];
    limn_tensor y;
    limn_profile_row *row;
    size_t rows;
    limn_feed feed = numbers(x, 2);
    if (!m || !CHECK(limn_session_open(m, device, &s) == LIMN_OK))
        return;
    limn_session_cancel(s);
    CHECK(limn_session_run(s, &feed, 1, NULL, 1, &y) == LIMN_INTERRUPTED);
    if (CHECK(limn_session_profile(s, 1, &row, &rows) == LIMN_OK && rows == 0))
        limn_profile_free(row);
    for (int i = 0; i < 3; i++)
        if (CHECK(limn_session_run(s, &feed, 1, NULL, 1, &y) == LIMN_OK))
            limn_tensor_free(&y);
    if (CHECK(limn_session_profile(s, 0, &row, &rows) == LIMN_OK) && CHECK(rows > 0)) {
        CHECK(strncmp(row[0].kernel, "cpu.", 4) == 0 && row[0].launches == 3 &&
              row[0].seconds >= row[rows - 1].seconds);
        limn_profile_free(row);
    }
    limn_session_free(s);
    limn_model_free(m);
}

int main(void)
{
    char folder[] = "/tmp/limn-api-XXXXXX", command[64];
    if (!mkdtemp(folder) || limn_device_open("cpu:threads=2", &device) != LIMN_OK)
        return 1;
    CASE(runs_and_captures);
    CASE(refuses_wrong_feeds);
    CASE(finds_names);
    CASE(batches);
    CASE(first_and_later_runs_agree);
    CASE(finds_problems);
    CASE(first_failure_sticks);
    CASE(two_threads);
    CASE(cancels_and_profiles);
    errors = 0;
    saves_and_opens(folder);
    tensors(folder);
    *(errors ? &failed : &passed) += 1;
    limn_device_free(device);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        failed++;
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
