/* A question from end to end: samples one by one, their results joined along axis 0. */
#include "core/explain/explain.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "core/explain/question.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Targets that are explained together; of more (all classes of a large network) the signals would fill the memory. */
enum { TARGETS = 64 };

/* The shape of one sample's result for all of them. Where its axis 0 is not the samples' (of a layer that has time there)
 * they get an axis of their own. */
static lm_shape for_samples(const lm_shape *one, int64_t samples)
{
    lm_shape all = *one;
    if (one->rank == 0 || (one->dim[0] != 1 && one->rank < LM_RANK)) {
        all.rank = one->rank + 1;
        for (int i = 0; i < one->rank; i++)
            all.dim[i + 1] = one->dim[i];
        all.dim[0] = 1;
    }
    all.dim[0] *= samples;
    return all;
}

/* Squares over noise, and variances, have lost their sign. */
static lm_tells tells(const lm_inquiry *in, const lm_method *m)
{
    const bool squared = in->noise.kind == LM_NOISE_SQUARE || in->noise.kind == LM_NOISE_VARIANCE;
    return squared || m->flags & LM_METHOD_SIZES ? LM_TELLS_SIZES
           : m->flags & LM_METHOD_VALUES         ? LM_TELLS_VALUES
                                                 : LM_TELLS_SIDES;
}

/* A row for every method, target and site, with room for all samples. `first`: results of the first sample. */
static lm_status open_rows(const lm_inquiry *in, int aims, const lm_sample *first, lm_answer *out)
{
    for (int m = 0; m < in->methods; m++) {
        const lm_task *t = &first->job[m].task;
        for (int i = 0; i < aims * t->nsite; i++) {
            int site = i % t->nsite;
            bool own = t->layered || !in->entry[site].embedded;
            const lm_shape one = t->result[site * t->targets].sh, all = for_samples(&one, in->samples);
            LM_REQUIRE(all.rank > one.rank || one.dim[0] == 1, LM_UNSUPPORTED,
                       "%s: '%s' has %d axes and none of them for samples; explain a value with fewer", t->method->id,
                       t->site[site].name, one.rank);
            lm_attribution row = {.method = t->method, .layered = t->layered, .space = in->space,
                                  .options = in->asked[m].options, .added = all.rank > one.rank,
                                  .tells = tells(in, t->method)};
            row.site = lm_arena_strdup(&out->arena, own ? t->site[site].name : in->port[in->entry[site].port].name);
            row.goal = lm_arena_alloc(&out->arena, (size_t)in->samples, sizeof *row.goal);
            row.certificate = lm_arena_alloc(&out->arena, (size_t)in->samples, sizeof *row.certificate);
            if (!row.site || !row.goal || !row.certificate)
                return LM_MEMORY;
            LM_TRY(lm_view_new(lm_study_type(in->study), &all, &row.values));
            lm_status status = lm_vec_push(&out->rows, row);
            if (status != LM_OK) {
                lm_buffer_unref(row.values.buf);
                return status;
            }
        }
    }
    return LM_OK;
}

static lm_status keep_certificate(lm_arena *arena, const lm_certificate *from, lm_certificate *to)
{
    *to = *from;
    if (!from->ntrace)
        return LM_OK;
    to->trace = lm_arena_copy(arena, from->trace, (size_t)from->ntrace, sizeof *from->trace);
    if (!to->trace)
        return LM_MEMORY;
    for (int i = 0; i < to->ntrace; i++) {
        to->trace[i].node = lm_arena_strdup(arena, from->trace[i].node);
        to->trace[i].op = lm_arena_strdup(arena, from->trace[i].op);
        if (!to->trace[i].node || !to->trace[i].op)
            return LM_MEMORY;
    }
    return LM_OK;
}

static lm_status keep_result(const lm_inquiry *in, const lm_task *t, int target, int site, int64_t number,
                             lm_arena *arena, lm_attribution *row)
{
    const lm_result *r = &t->result[site * t->targets + target];
    int64_t n = lm_shape_count(&r->sh), room = lm_shape_count(&row->values.sh) / in->samples;
    LM_REQUIRE(n == room, LM_UNSUPPORTED,
               "%s: sample %lld has %lld results, the first one had %lld; explain them one at a time", t->method->id,
               (long long)number, (long long)n, (long long)room);
    float *to = (float *)lm_view_data(&row->values) + number * n;
    if (row->values.dt == LM_F64)
        memcpy((double *)lm_view_data(&row->values) + number * n, r->at, (size_t)n * sizeof *r->at);
    else
        for (int64_t e = 0; e < n; e++)
            to[e] = (float)r->at[e];
    if (!row->target)
        row->target = t->target[target].text;
    lm_target *goal = (lm_target *)&row->goal[number];
    *goal = t->target[target];
    row->compared = (t->method->flags & LM_METHOD_BASELINE) || r->start;
    if (!(t->method->flags & LM_METHOD_BASELINE))
        goal->baseline = r->start ? *r->start : (double)NAN;
    return keep_certificate(arena, &r->certificate, (lm_certificate *)&row->certificate[number]);
}

/* Results for targets from `first` on, of `aims` in all. */
static lm_status keep_sample(const lm_inquiry *in, const lm_sample *s, int64_t number, int first, int aims,
                             lm_answer *out)
{
    lm_attribution *row = out->rows.at;
    for (int m = 0; m < in->methods; m++) {
        const lm_task *t = &s->job[m].task;
        for (int i = 0; i < t->targets * t->nsite; i++)
            LM_TRY(keep_result(in, t, i / t->nsite, i % t->nsite, number, &out->arena,
                               &row[first * t->nsite + i]));
        row += aims * t->nsite;
    }
    return LM_OK;
}

static lm_status keep_fallbacks(lm_study *s, lm_answer *out)
{
    const char *const *from = lm_study_fallbacks(s, &out->fallbacks);
    const char **list = lm_arena_alloc(&out->arena, (size_t)out->fallbacks, sizeof *list);
    if (!list)
        return LM_MEMORY;
    for (int i = 0; i < out->fallbacks; i++) {
        list[i] = lm_arena_strdup(&out->arena, from[i]);
        if (!list[i])
            return LM_MEMORY;
    }
    out->fallback = list;
    return LM_OK;
}

static lm_status explain_sample(lm_inquiry *in, int64_t number, int first, int aims, lm_answer *out)
{
    lm_arena *scratch = lm_study_scratch(in->study);
    lm_sample s = {.arena = *scratch};
    if (in->q->cancel && atomic_load(in->q->cancel))
        return lm_fail(LM_INTERRUPTED, "interrupted");
    *scratch = (lm_arena){0};
    lm_status status = lm_sample_run(in, number, &s);
    if (status == LM_OK && out->rows.count == 0)
        status = open_rows(in, aims, &s, out);
    if (status == LM_OK)
        status = keep_sample(in, &s, number, first, aims, out);
    lm_arena_free(scratch);
    *scratch = s.arena;
    lm_study_cleared(in->study);
    return in->samples > 1 && status != LM_INTERRUPTED ? lm_context(status, "sample %lld", (long long)number) : status;
}

static lm_status explain(lm_inquiry *in, const lm_named *feed, int nfeed, lm_answer *out)
{
    LM_TRY(lm_inquire(in, feed, nfeed));
    lm_aim *aim = in->aim;
    const int aims = in->aims;
    for (int64_t i = 0; i < in->samples; i++) {
        for (int first = 0; first < aims; first += TARGETS) {
            in->aim = aim + first;
            in->aims = aims - first < TARGETS ? aims - first : TARGETS;
            LM_TRY(explain_sample(in, i, first, aims, out));
        }
        if (in->q->progress)
            in->q->progress(in->q->with, (size_t)i + 1, (size_t)in->samples);
    }
    out->compat = in->compat;
    out->samples = in->samples;
    return keep_fallbacks(in->study, out);
}

lm_status lm_explain(lm_study *s, const lm_named *feed, int nfeed, int output, const lm_view *predicted,
                     const lm_question *q, lm_answer *out)
{
    *out = (lm_answer){.compat = NULL};
    double start = now();
    lm_inquiry in = {.study = s, .q = q, .arena = &out->arena, .predicted = lm_view_absent(), .goal.output = output};
    if (predicted)
        in.predicted = *predicted;
    lm_status status = explain(&in, feed, nfeed, out);
    lm_inquiry_end(&in);
    out->wall = now() - start;
    if (status != LM_OK)
        lm_answer_free(out);
    return status;
}

void lm_answer_free(lm_answer *a)
{
    for (size_t i = 0; i < a->rows.count; i++)
        lm_buffer_unref(a->rows.at[i].values.buf);
    lm_vec_free(&a->rows);
    lm_arena_free(&a->arena);
    *a = (lm_answer){.compat = NULL};
}
