/* Plans whose inputs are not all alike: what hangs on still ones alone is computed when they change, and late ones are
 * fed with what the run itself has found out. */
#include "core/graph/emit.h"
#include "core/run/plan.h"
#include "tests/unit/test.h"

enum { N = 1000, A = 0, X = 1, S = 2 }; /* a is still, s is late */

typedef struct bench {
    lm_chain chain;
    lm_derived_cache *cache;
    lm_plan *plan;
    lm_graph *g;
    lm_view feed[3], fetch[3];
    lm_profile profile;
} bench;

static lm_view fresh(double value)
{
    lm_view v = {0};
    const lm_shape shape = LM_SHAPE(N);
    CHECK_OK(lm_view_new(LM_F32, &shape, &v));
    for (int i = 0; i < N; i++)
        lm_view_set(&v, i, value);
    return v;
}

static void fill(const lm_view *v, double value)
{
    for (int i = 0; i < N; i++)
        lm_view_set(v, i, value);
}

/* kept = |a|^2 once more negated; early = x * kept; outputs: early, early * s + a, kept */
static bool open(bench *b, const char *device)
{
    const lm_type type = {LM_F32, LM_SHAPE(N)};
    lm_val in[3];
    lm_emit e = {0};
    *b = (bench){0};
    CHECK_OK(lm_graph_new(&e.g));
    b->g = e.g;
    for (int i = 0; i < 3; i++)
        CHECK_OK(lm_graph_input(e.g, "in", &type, &in[i]));
    lm_val size = lm_emit1(&e, LM_OP_ABS, NULL, in[A]);
    lm_val kept = lm_emit1(&e, LM_OP_NEG, NULL, lm_emit1(&e, LM_OP_MUL, NULL, size, size));
    lm_val early = lm_emit1(&e, LM_OP_MUL, NULL, in[X], kept);
    lm_val last = lm_emit1(&e, LM_OP_ADD, NULL, lm_emit1(&e, LM_OP_MUL, NULL, early, in[S]), in[A]);
    CHECK_OK(e.status);
    CHECK_OK(lm_graph_output(e.g, early));
    CHECK_OK(lm_graph_output(e.g, last));
    CHECK_OK(lm_graph_output(e.g, kept));
    CHECK_OK(lm_chain_open(device, &b->chain));
    CHECK_OK(lm_derived_open(&b->cache));
    const bool still[] = {true, false, false}, late[] = {false, false, true};
    const lm_plan_options options = {.still = still, .late = late};
    for (int i = 0; i < 3; i++) {
        b->feed[i] = fresh(0);
        b->fetch[i] = fresh(0);
    }
    return CHECK_OK(lm_plan_open(&b->chain, b->cache, b->g, &options, &b->plan));
}

static void close(bench *b)
{
    for (int i = 0; i < 3; i++) {
        lm_buffer_unref(b->feed[i].buf);
        lm_buffer_unref(b->fetch[i].buf);
    }
    lm_profile_free(&b->profile);
    lm_plan_close(b->plan);
    lm_derived_close(b->cache);
    lm_graph_free(b->g);
    lm_chain_close(&b->chain);
}

/* s becomes twice what the run has found. */
static lm_status answer(void *own)
{
    bench *b = own;
    fill(&b->feed[S], 2 * lm_view_get(&b->fetch[0], 7));
    return LM_OK;
}

static lm_status refuse(void *own)
{
    (void)own;
    return lm_fail(LM_INPUT, "no seed for this");
}

static uint64_t launches(const bench *b, const char *step)
{
    for (size_t i = 0; i < b->profile.rows.count; i++)
        if (strcmp(b->profile.rows.at[i].step, step) == 0)
            return b->profile.rows.at[i].launches;
    return 0;
}

static void check_run(bench *b, double a, double x)
{
    fill(&b->feed[A], a);
    fill(&b->feed[X], x);
    const lm_plan_run_options options = {.pause = answer, .own = b, .profile = &b->profile};
    if (!CHECK_OK(lm_plan_run(b->plan, b->feed, b->fetch, &options)))
        return;
    const double kept = -a * a, early = x * kept;
    CHECK_NEAR(lm_view_get(&b->fetch[0], N - 1), early, 1e-6);
    CHECK_NEAR(lm_view_get(&b->fetch[1], N - 1), early * 2 * early + a, 1e-5);
    CHECK_NEAR(lm_view_get(&b->fetch[2], N - 1), kept, 1e-6);
}

static void keeps_what_is_still(void)
{
    static const char *const devices[] = {"ref", "cpu"};
    for (size_t d = 0; d < LM_COUNT(devices); d++) {
        bench b;
        if (!open(&b, devices[d]))
            continue;
        check_run(&b, 2, 3);
        check_run(&b, 2, 0.5);
        check_run(&b, 2, -1);
        CHECK_INT(launches(&b, "Abs"), 1);
        CHECK_INT(launches(&b, "Neg"), 1);
        CHECK_INT(launches(&b, "Add"), 3);
        check_run(&b, -0.5, -1);
        check_run(&b, -0.5, 4);
        CHECK_INT(launches(&b, "Abs"), 2);
        /* only one element differs */
        lm_view_set(&b.feed[A], 3, 9);
        CHECK_OK(lm_plan_run(b.plan, b.feed, b.fetch, NULL));
        CHECK_NEAR(lm_view_get(&b.fetch[2], 3), -81, 1e-5);
        close(&b);
    }
}

static void stops_at_the_pause(void)
{
    bench b;
    if (open(&b, "ref")) {
        check_run(&b, 2, 3);
        fill(&b.feed[A], 1);
        const lm_plan_run_options options = {.pause = refuse, .own = &b};
        CHECK_FAILS(lm_plan_run(b.plan, b.feed, b.fetch, &options), LM_INPUT);
        check_run(&b, 1, 5);
        check_run(&b, 2, 5);
    }
    close(&b);
}

int main(void)
{
    CASE(keeps_what_is_still);
    CASE(stops_at_the_pause);
    return test_end();
}
