/* limn/explain.h from outside: the example of the header, the table of methods, batches, and stopping. */
#include <limn/limn.h>

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "tests/api/samples.h"
#include "tests/unit/test.h"

static int drawn;

static void draw(const float *pixels, double gap)
{
    drawn += pixels[0] != 0 && gap < 1e-3;
}

static int complain(const char *message)
{
    printf("%s\n", message);
    return 1;
}

/* The lines of the header. */
static int example(limn_session *session, limn_tensor image)
{
    limn_feed feed = {"image", image};
    limn_question ask = {.method = "ig", .target = "top"};
    limn_explanation *why;
    if (limn_explain(session, &feed, 1, &ask, &why) != LIMN_OK)
        return complain(limn_message());
    const limn_attribution *map = limn_explanation_get(why, 0);
    draw((const float *)map->values.data, map->certificate[0].gap_rel);
    limn_explanation_free(why);
    return 0;
}

static void header_example(void)
{
    sample o;
    float pixel[192];
    limn_tensor image = {LIMN_F32, 4, {1, 3, 8, 8}, pixel};
    sample_fill(pixel, 192, 5);
    CHECK_OK(sample_open("cpu:threads=2", sample_cnn, &o));
    CHECK(example(o.session, image) == 0);
    CHECK_INT(drawn, 1);
    sample_close(&o);
}

static void everything_of_an_explanation(void)
{
    static const char *const label[] = {"a", "b", "c"};
    sample o;
    float x[8] = {1, 2, -1, 0.5f, 0.3f, -2, 1, 1};
    limn_feed feed = {"x", {LIMN_F32, 2, {2, 4}, x}};
    limn_question ask = {.method = "deeplift,lrp", .target = "top,0", .label = label, .labels = 3};
    limn_explanation *why;
    limn_tensor p;
    CHECK_OK(sample_open("cpu:threads=2", sample_mlp_free, &o));
    CHECK_OK(limn_explain(o.session, &feed, 1, &ask, &why));
    CHECK_INT(limn_explanation_count(why), 4);
    CHECK(limn_explanation_get(why, 4) == NULL);
    CHECK_STR(limn_explanation_output(why), "p");
    CHECK_OK(limn_session_run(o.session, &feed, 1, NULL, 1, &p));
    const limn_tensor *predicted = limn_explanation_prediction(why);
    CHECK(predicted->rank == 2 && predicted->dim[0] == 2 && memcmp(predicted->data, p.data, 6 * sizeof(float)) == 0);
    for (size_t i = 0; i < 4; i++) {
        const limn_attribution *a = limn_explanation_get(why, i);
        CHECK_STR(a->method, i < 2 ? "deeplift" : "lrp");
        CHECK_STR(a->target, i % 2 ? "0" : "top");
        CHECK_STR(a->site, "x");
        CHECK_INT(a->space, LIMN_SPACE_LOGIT);
        CHECK(a->values.rank == 2 && a->values.dim[0] == 2 && a->values.dim[1] == 4);
        for (int s = 0; s < 2; s++) {
            CHECK(a->target_index[s] >= 0 && strcmp(a->target_label[s], label[a->target_index[s]]) == 0);
            CHECK(isfinite(a->certificate[s].gap_abs) && a->certificate[s].forwards > 0);
            CHECK((a->certificate[s].conserved_count > 0) == (i >= 2));
        }
        if (i < 2)
            CHECK(a->certificate[0].gap_rel < 1e-5 && isfinite(a->baseline_value[0]));
    }
    size_t fallbacks;
    limn_explanation_fallbacks(why, &fallbacks);
    CHECK_INT(fallbacks, 0);
    CHECK(limn_explanation_seconds(why) > 0);
    limn_explanation_free(why);
    limn_explanation_free(NULL);
    limn_tensor_free(&p);

    ask = (limn_question){.method = "saliency", .output = "q"};
    CHECK_FAILS(limn_explain(o.session, &feed, 1, &ask, &why), LIMN_USAGE);
    CHECK(strstr(limn_message(), "the model has p") != NULL);
    feed.tensor.dim[1] = 3;
    ask.output = "p";
    CHECK_FAILS(limn_explain(o.session, &feed, 1, &ask, &why), LIMN_INPUT);
    sample_close(&o);
}

static void table_of_methods(void)
{
    const limn_method *m;
    size_t n = 0;
    bool steps = false;
    for (; (m = limn_method_get(n)); n++) {
        CHECK(m->id[0] && m->group[0] && m->help[0]);
        for (size_t i = 0; i < m->options; i++) {
            const limn_method_option *o = &m->option[i];
            CHECK(o->key[0] && o->usual && o->values[0] && o->help[0]);
            steps |= strcmp(m->id, "ig") == 0 && strcmp(o->key, "steps") == 0 && strstr(o->values, " to ") != NULL;
        }
    }
    CHECK(n > 10 && steps);
}

typedef struct worker {
    limn_session *session;
    limn_explanation *why;
    limn_status status;
} worker;

static limn_status ask_all(limn_session *session, limn_explanation **why)
{
    float pixel[192];
    limn_feed feed = {"image", {LIMN_F32, 4, {1, 3, 8, 8}, pixel}};
    limn_question ask = {.method = "saliency,lrp,deeplift,ig,gradcam", .target = "top,1", .baseline = "mean"};
    sample_fill(pixel, 192, 5);
    return limn_explain(session, &feed, 1, &ask, why);
}

static void *explain_all(void *own)
{
    worker *w = own;
    for (int turn = 0; turn < 5 && w->status == LIMN_OK; turn++) {
        limn_explanation_free(w->why);
        w->why = NULL;
        w->status = ask_all(w->session, &w->why);
    }
    return NULL;
}

/* Sessions of one model explain side by side, and find what each finds alone. */
static void side_by_side(void)
{
    enum { WORKERS = 3 };
    sample o;
    worker w[WORKERS] = {{.status = LIMN_OK}};
    pthread_t thread[WORKERS];
    limn_explanation *alone;
    CHECK_OK(sample_open("cpu:threads=2", sample_cnn, &o));
    CHECK_OK(ask_all(o.session, &alone));
    for (int i = 0; i < WORKERS; i++)
        CHECK_OK(limn_session_open(o.model, o.device, &w[i].session));
    for (int i = 0; i < WORKERS; i++)
        CHECK(pthread_create(&thread[i], NULL, explain_all, &w[i]) == 0);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < WORKERS; i++) {
        CHECK_OK(w[i].status);
        for (size_t k = 0; k < limn_explanation_count(alone); k++) {
            const limn_tensor *a = &limn_explanation_get(alone, k)->values,
                              *b = &limn_explanation_get(w[i].why, k)->values;
            CHECK(memcmp(a->data, b->data, limn_tensor_count(a) * sizeof(float)) == 0);
        }
        limn_explanation_free(w[i].why);
        limn_session_free(w[i].session);
    }
    limn_explanation_free(alone);
    sample_close(&o);
}

static atomic_bool begun;

static void *stop_soon(void *session)
{
    while (!atomic_load(&begun))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    limn_session_cancel(session);
    return NULL;
}

/* An explanation that would take minutes ends when it is told to, and the session goes on. */
static void stopping(void)
{
    sample o;
    float pixel[192];
    limn_feed feed = {"image", {LIMN_F32, 4, {1, 3, 8, 8}, pixel}};
    limn_question ask = {.method = "saliency", .target = "0", .noise = "smoothgrad:samples=1000000"};
    limn_explanation *why;
    pthread_t thread;
    sample_fill(pixel, 192, 5);
    CHECK_OK(sample_open("cpu:threads=2", sample_cnn, &o));
    CHECK(pthread_create(&thread, NULL, stop_soon, o.session) == 0);
    atomic_store(&begun, true);
    CHECK_FAILS(limn_explain(o.session, &feed, 1, &ask, &why), LIMN_INTERRUPTED);
    pthread_join(thread, NULL);
    ask.noise = NULL;
    CHECK_OK(limn_explain(o.session, &feed, 1, &ask, &why));
    limn_explanation_free(why);
    sample_close(&o);
}

int main(void)
{
    CASE(header_example);
    CASE(everything_of_an_explanation);
    CASE(table_of_methods);
    CASE(side_by_side);
    CASE(stopping);
    return test_end();
}
