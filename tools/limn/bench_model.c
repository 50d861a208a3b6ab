/* Timing whole models, forward or explained. */
#include "bench_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/rng.h"
#include "input.h"
#include "question.h"
#include "result.h"
#include "subject.h"

enum { WARM = 3 };

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *seconds, int64_t n)
{
    qsort(seconds, (size_t)n, sizeof *seconds, ascending);
    return seconds[n / 2];
}

/* Random numbers for floats, zeros for everything else, for one sample. */
static lm_status make_up(const limn_port *p, uint64_t seed, limn_feed *out)
{
    int64_t dim[LIMN_RANK];
    bool open = p->rank < 0 || p->type == LIMN_DTYPES;
    for (int i = 0; i < p->rank; i++) {
        dim[i] = p->dim[i] < 0 ? 1 : p->dim[i];
        open |= i > 0 && p->dim[i] < 0;
    }
    LM_REQUIRE(!open, LM_USAGE, "input '%s' has free sizes; give an INPUT that says how large it is", p->name);
    LM_TRY(limn_tensor_new(p->type, p->rank, dim, &out->tensor));
    out->name = p->name;
    for (size_t i = 0; p->type == LIMN_F32 && i < limn_tensor_count(&out->tensor); i++)
        ((float *)out->tensor.data)[i] = 2 * lm_rng_f32(seed, i) - 1;
    return LM_OK;
}

static lm_status make_up_all(const limn_model *m, uint64_t seed, inputs *in)
{
    size_t n = limn_model_input_count(m);
    in->feed = lm_calloc(n + 1, sizeof *in->feed);
    if (!in->feed)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++)
        if (!limn_model_input(m, i)->optional) {
            LM_TRY(make_up(limn_model_input(m, i), lm_rng_fork(seed, i), &in->feed[in->feeds]));
            in->feeds++;
        }
    return LM_OK;
}

static void describe(const inputs *in, char shape[64])
{
    lm_str text = {0};
    for (size_t i = 0; i < in->feeds; i++) {
        lm_str_add(&text, i ? ", " : "");
        for (int k = 0; k < in->feed[i].tensor.rank; k++)
            lm_str_printf(&text, "%s%lld", k ? "x" : "", (long long)in->feed[i].tensor.dim[k]);
    }
    snprintf(shape, 64, "%s", lm_str_text(&text));
    lm_str_free(&text);
}

/* What is timed again and again. */
typedef struct work {
    command *cmd;
    subject on;
    inputs in;
    question q;
    limn_tensor *y; /* room for the outputs */
    size_t ny;
} work;

static lm_status explain_once(const work *w)
{
    limn_explanation *why;
    LM_TRY(limn_explain(w->on.session, w->in.feed, w->in.feeds, &w->q.ask, &why));
    limn_explanation_free(why);
    return LM_OK;
}

static lm_status predict_once(const work *w)
{
    LM_TRY(limn_session_run(w->on.session, w->in.feed, w->in.feeds, NULL, w->ny, w->y));
    for (size_t i = 0; i < w->ny; i++)
        limn_tensor_free(&w->y[i]);
    return LM_OK;
}

static lm_status run_once(const work *w, double *seconds)
{
    double start = now();
    LM_TRY(w->q.ask.method ? explain_once(w) : predict_once(w));
    *seconds = now() - start;
    return LM_OK;
}

/* The first run, whose results are looked at: the time that NaNs take says little. */
static lm_status first_run(const work *w)
{
    char **name = lm_malloc(w->ny, sizeof *name);
    lm_status status = name ? limn_session_run(w->on.session, w->in.feed, w->in.feeds, NULL, w->ny, w->y) : LM_MEMORY;
    if (status == LM_OK) {
        for (size_t i = 0; i < w->ny; i++)
            name[i] = (char *)limn_model_output(w->on.model, i)->name;
        result r = {.name = name, .tensor = w->y, .count = w->ny, .outputs = w->ny};
        if (!given(w->cmd, OPT_allow_nan))
            status = result_check(w->cmd, &r, w->on.session, w->in.feed, w->in.feeds);
        for (size_t i = 0; i < w->ny; i++)
            limn_tensor_free(&w->y[i]);
    }
    lm_free(name);
    return status;
}

static lm_status warm_up(const work *w, model_time *out, double *once)
{
    LM_TRY(first_run(w));
    for (int i = 1; i < WARM; i++) {
        if (i + 1 == WARM) {
            LM_TRY(limn_session_profile(w->on.session, 1, &out->profile, &out->steps));
            limn_profile_free(out->profile);
            out->profile = NULL;
        }
        LM_TRY(run_once(w, once));
    }
    LM_TRY(limn_session_profile(w->on.session, 0, &out->profile, &out->steps));
    for (size_t i = 0; i < out->steps; i++) {
        out->flops += out->profile[i].flops * (double)out->profile[i].launches;
        out->bytes += out->profile[i].bytes * (double)out->profile[i].launches;
    }
    return LM_OK;
}

static lm_status time_runs(const work *w, int64_t repeat, model_time *out)
{
    double once = 0;
    LM_TRY(warm_up(w, out, &once));
    if (!repeat) {
        repeat = once > 0 ? (int64_t)(1 / once) : 1000;
        repeat = repeat < 3 ? 3 : repeat > 1000 ? 1000 : repeat;
    }
    double *seconds = lm_malloc((size_t)repeat, sizeof *seconds);
    if (!seconds)
        return LM_MEMORY;
    lm_status status = LM_OK;
    for (int64_t i = 0; i < repeat && status == LM_OK; i++)
        status = run_once(w, &seconds[i]);
    if (status == LM_OK)
        out->seconds = median(seconds, repeat);
    lm_free(seconds);
    return status;
}

static lm_status prepare(const char *method, uint64_t seed, work *w, model_time *out)
{
    command *cmd = w->cmd;
    LM_TRY(question_read(cmd, &w->q));
    w->q.ask.unpredicted = 1; /* what is timed is the explanation alone */
    w->q.ask.method = method;
    LM_TRY(subject_open(cmd, &w->on));
    LM_TRY(question_labels(w->on.model, &w->q));
    LM_TRY(question_baseline(w->on.model, cmd, &w->q));
    LM_TRY(limn_device_describe(w->on.device, &out->device));
    if (cmd->operands > 1)
        LM_TRY(inputs_read(w->on.model, cmd, &w->in));
    else
        LM_TRY(make_up_all(w->on.model, seed, &w->in));
    LM_TRY(question_bounds(&w->in, &w->q));
    describe(&w->in, out->shape);
    w->ny = limn_model_output_count(w->on.model);
    w->y = lm_calloc(w->ny + 1, sizeof *w->y);
    return w->y ? LM_OK : LM_MEMORY;
}

lm_status model_time_take(command *cmd, const char *method, uint64_t seed, int64_t repeat, model_time *out)
{
    work w = {.cmd = cmd};
    lm_status status = prepare(method, seed, &w, out);
    if (status == LM_OK)
        status = time_runs(&w, repeat, out);
    lm_free(w.y);
    question_free(&w.q);
    inputs_free(&w.in);
    subject_close(&w.on);
    return status;
}

void model_time_free(model_time *t)
{
    limn_profile_free(t->profile);
    t->profile = NULL;
}

void model_time_table(const model_time *t, lm_str *out)
{
    static const int width[] = {9, 6, 9, 8, 44, 0};
    static const char *const head[] = {"ms", "share", "GFLOP/s", "GB/s", "kernel", "step"};
    double sum = 0;
    for (size_t i = 0; i < t->steps; i++)
        sum += t->profile[i].seconds;
    lm_str_char(out, '\n');
    table_row(out, width, head, LM_COUNT(head));
    for (size_t i = 0; i < t->steps; i++) {
        const limn_profile_row *r = &t->profile[i];
        char ms[32], share[16], gflops[32] = "-", gbps[32] = "-", step[160];
        double each = r->launches ? r->seconds / (double)r->launches : 0;
        snprintf(ms, sizeof ms, "%.3f", r->seconds * 1e3);
        snprintf(share, sizeof share, "%.1f %%", sum > 0 ? 100 * r->seconds / sum : 0);
        if (each > 0 && r->flops > 0)
            snprintf(gflops, sizeof gflops, "%.1f", r->flops / each * 1e-9);
        if (each > 0 && r->bytes > 0)
            snprintf(gbps, sizeof gbps, "%.1f", r->bytes / each * 1e-9);
        snprintf(step, sizeof step, "%.140s%s", r->step, r->fallback ? " (fallback)" : "");
        table_row(out, width, (const char *[]){ms, share, gflops, gbps, r->kernel, step}, LM_COUNT(head));
    }
}
