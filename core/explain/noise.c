/* Averages over noise, around any method. What is added is a pure function of (seed, sample, row, element), the same
 * for all methods of a question. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/env.h"
#include "core/base/rng.h"
#include "core/explain/question.h"

static const char kinds[] = "none|smoothgrad|smoothgrad_sq|vargrad";

const char *lm_noise_name(lm_noise_kind kind)
{
    static const char *const names[] = {"none", "smoothgrad", "smoothgrad_sq", "vargrad"};
    return names[kind];
}

static lm_status set(lm_noise *n, const char *key, const char *value)
{
    char *end;
    double number = strtod(value, &end);
    bool good = end != value && *end == '\0' && isfinite(number);
    if (strcmp(key, "samples") == 0) {
        LM_REQUIRE(lm_parse_int(value, &n->samples) && n->samples >= 1 && n->samples <= 1000000, LM_USAGE,
                   "noise: samples=%s: write a whole number from 1 to 1000000", value);
    } else if (strcmp(key, "stdev") == 0) {
        LM_REQUIRE(good && number >= 0, LM_USAGE, "noise: stdev=%s: write a number from 0 on", value);
        n->stdev = number;
    } else {
        return lm_fail(LM_USAGE, "noise has no option '%s'; it has samples and stdev", key);
    }
    return LM_OK;
}

static lm_status read_pairs(lm_arena *arena, const char *text, lm_noise *n)
{
    const char **pair;
    int pairs;
    LM_TRY(lm_split(arena, text, "noise", &pair, &pairs));
    for (int i = 0; i < pairs; i++) {
        const char *equals = strchr(pair[i], '=');
        LM_REQUIRE(equals, LM_USAGE, "noise: '%s' is no option; write samples=N or stdev=S", pair[i]);
        char *key = lm_arena_strdup(arena, pair[i]);
        if (!key)
            return LM_MEMORY;
        key[equals - pair[i]] = '\0';
        LM_TRY(set(n, key, equals + 1));
    }
    return LM_OK;
}

lm_status lm_noise_read(const lm_inquiry *in, lm_noise *out)
{
    static const char *const keys[] = {"samples", "stdev"};
    *out = (lm_noise){.samples = 50, .stdev = 0.1};
    if (!in->q->noise)
        return LM_OK;
    for (size_t i = 0; i < LM_COUNT(keys); i++) {
        const char *usual = lm_compat_usual(in->compat, "noise", keys[i]);
        if (usual)
            LM_TRY(set(out, keys[i], usual));
    }
    out->absolute = lm_compat_usual(in->compat, "noise", "absolute") != NULL;
    out->last_still = lm_compat_usual(in->compat, "noise", "still") != NULL;
    char *word = lm_arena_strdup(in->arena, in->q->noise);
    if (!word)
        return LM_MEMORY;
    char *rest = strchr(word, ':');
    if (rest)
        *rest++ = '\0';
    int kind = lm_word_index(kinds, word);
    LM_REQUIRE(kind > 0, LM_USAGE,
               "noise '%s': there is none of that name; choose smoothgrad, smoothgrad_sq or vargrad, as "
               "smoothgrad:samples=50,stdev=0.1",
               word);
    out->kind = (lm_noise_kind)kind;
    LM_TRY(rest && *rest ? read_pairs(in->arena, rest, out) : LM_OK);
    LM_REQUIRE(out->kind != LM_NOISE_VARIANCE || out->samples > 1, LM_USAGE,
               "noise: samples=1: a variance takes two samples at least; write samples=2 or more");
    return LM_OK;
}

/* Means and squared deviations of one result's elements so far. */
typedef struct moments {
    lm_shape sh;
    double *mean, *squares;
} moments;

typedef struct averaging {
    const lm_noise *noise;
    lm_job *job;       /* the job asked for, whose results are the averages */
    lm_job row;        /* the same at a noisy input */
    lm_arena arena;    /* of one row */
    uint64_t seed;
    const double *stdev; /* by input */
    const lm_view *x;    /* by input: without noise */
    lm_view *noisy;      /* by input */
    moments *moments;    /* by result */
    int64_t rows;        /* absorbed so far */
} averaging;

static lm_status fill(void *own, int64_t row, const lm_view *x)
{
    const averaging *a = own;
    for (int i = 0; i < a->job->task.ninput; i++) {
        int64_t n = lm_shape_count(&x[i].sh);
        uint64_t seed = lm_rng_fork(a->seed, (uint64_t)i);
        bool still = a->noise->last_still && row == a->noise->samples - 1;
        for (int64_t e = 0; e < n; e++) {
            double noise = still ? 0 : a->stdev[i] * lm_rng_normal(seed, (uint64_t)(row * n + e));
            lm_put(&x[i], e, lm_at(&a->x[i], e) + noise);
        }
    }
    return LM_OK;
}

/* Welford's update, for the mean and the squared deviations from it. */
static lm_status add_result(averaging *a, moments *m, const lm_result *r)
{
    int64_t n = lm_shape_count(&r->sh);
    if (a->rows == 0) {
        m->sh = r->sh;
        m->mean = lm_arena_alloc(a->job->task.arena, (size_t)n, sizeof *m->mean);
        m->squares = lm_arena_alloc(a->job->task.arena, (size_t)n, sizeof *m->squares);
        if (!m->mean || !m->squares)
            return LM_MEMORY;
    }
    bool square = a->noise->kind == LM_NOISE_SQUARE;
    for (int64_t e = 0; e < n; e++) {
        double v = square ? r->at[e] * r->at[e] : r->at[e], off = v - m->mean[e];
        m->mean[e] += off / (double)(a->rows + 1);
        m->squares[e] += off * (v - m->mean[e]);
    }
    return LM_OK;
}

/* Run the method on what the point has, and add what it leaves. */
static lm_status add_row(averaging *a)
{
    lm_task *t = &a->row.task;
    size_t results = (size_t)t->nsite * (size_t)t->targets;
    t->result = lm_arena_alloc(t->arena, results, sizeof *t->result);
    if (!t->result)
        return LM_MEMORY;
    LM_TRY(t->method->run(t));
    for (size_t i = 0; i < results; i++)
        if (t->result[i].at)
            LM_TRY(add_result(a, &a->moments[i], &t->result[i]));
    a->rows++;
    return LM_OK;
}

static lm_status absorb(void *own, int64_t row)
{
    averaging *a = own;
    a->row.task.arena = &a->arena;
    LM_TRY(fill(a, row, a->noisy));
    lm_status status = add_row(a);
    lm_arena_free(&a->arena);
    return status;
}

static void add_cost(averaging *a, const lm_point *p)
{
    int references = 0;
    for (size_t w = 0; w < p->walk.count; w++)
        references += p->walk.at[w].set->n_ref;
    a->row.forwards += (double)p->forwards * (1 + references);
    a->row.backwards += (double)p->backwards;
}

/* All rows in one sweep, for methods that make none themselves. */
static lm_status run_together(averaging *a)
{
    lm_task *t = &a->row.task;
    lm_point p = {.arena = t->arena};
    t->point = &p;
    lm_status status = t->method->need(t);
    if (status == LM_OK)
        status = lm_point_run_rows(&p, t, a->noise->samples, fill, absorb, a);
    add_cost(a, &p);
    lm_point_free(&p);
    return status;
}

typedef struct one_row {
    averaging *a;
    int64_t row;
} one_row;

static lm_status fill_one(void *own, int64_t row, const lm_view *x)
{
    const one_row *r = own;
    (void)row;
    return fill(r->a, r->row, x);
}

/* The feed with the noisy inputs in it; embeddings cannot be fed, sweeps cut there. */
static lm_status feed_noisy(averaging *a, const lm_inquiry *in)
{
    lm_task *t = &a->row.task;
    lm_feed *feed = lm_arena_copy(t->arena, a->job->task.feed, (size_t)in->ports, sizeof *feed);
    if (!feed)
        return LM_MEMORY;
    for (int i = 0; i < in->entries; i++) {
        lm_feed *f = &feed[in->entry[i].port];
        if (in->entry[i].embedded)
            continue;
        LM_TRY(lm_scratch(t->arena, f->dt, &f->sh, f));
        int64_t n = lm_shape_count(&f->sh);
        for (int64_t e = 0; e < n; e++)
            lm_view_set(f, e, lm_at(&a->noisy[i], e));
    }
    t->feed = feed;
    return LM_OK;
}

/* One row: its own sweep at the point, and whatever the method does besides. */
static lm_status run_alone(averaging *a, const lm_inquiry *in, int64_t row)
{
    lm_task *t = &a->row.task;
    lm_point p = {.arena = &a->arena};
    one_row one = {a, row};
    t->arena = &a->arena;
    t->point = &p;
    t->feed = a->job->task.feed;
    memset(a->row.walks, 0, sizeof a->row.walks);
    lm_status status = fill(a, row, a->noisy);
    if (status == LM_OK)
        status = t->method->need(t);
    if (status == LM_OK)
        status = lm_point_run_rows(&p, t, 1, fill_one, NULL, &one);
    add_cost(a, &p);
    if (status == LM_OK)
        status = feed_noisy(a, in);
    if (status == LM_OK)
        status = add_row(a);
    lm_point_free(&p);
    lm_arena_free(&a->arena);
    return status;
}

static lm_status finish(const averaging *a)
{
    lm_task *t = &a->job->task;
    double n = (double)a->rows;
    for (int i = 0; i < t->nsite * t->targets; i++) {
        const moments *m = &a->moments[i];
        lm_result *r;
        if (!m->mean)
            continue;
        LM_TRY(lm_task_result(t, i / t->targets, i % t->targets, &m->sh, &r));
        int64_t count = lm_shape_count(&m->sh);
        double error = 0;
        for (int64_t e = 0; e < count; e++) {
            r->at[e] = a->noise->kind == LM_NOISE_VARIANCE ? m->squares[e] / n : m->mean[e];
            error += sqrt(m->squares[e] / (n - 1) / n);
        }
        if (a->noise->kind != LM_NOISE_VARIANCE && a->rows > 1 && count > 0)
            r->certificate.stderr_mean = error / (double)count;
    }
    return LM_OK;
}

/* A fraction of each input's range, or the number itself. */
static lm_status measure(averaging *a, lm_arena *arena)
{
    const lm_task *t = &a->job->task;
    double *stdev = lm_arena_alloc(arena, (size_t)t->ninput, sizeof *stdev);
    if (!stdev)
        return LM_MEMORY;
    for (int i = 0; i < t->ninput; i++) {
        double least = (double)INFINITY, most = -(double)INFINITY;
        int64_t n = lm_shape_count(&t->x[i].sh);
        for (int64_t e = 0; e < n; e++) {
            double v = lm_at(&t->x[i], e);
            least = v < least ? v : least;
            most = v > most ? v : most;
        }
        stdev[i] = a->noise->absolute ? a->noise->stdev : n > 0 ? a->noise->stdev * (most - least) : 0;
    }
    a->stdev = stdev;
    return LM_OK;
}

lm_status lm_noise_run(lm_inquiry *in, lm_job *job)
{
    lm_task *t = &job->task;
    averaging a = {.noise = &in->noise, .job = job, .row = *job, .x = t->x,
                   .seed = lm_rng_fork(lm_rng_fork(in->q->seed, 0x4e015e), t->number)};
    a.noisy = lm_arena_alloc(t->arena, (size_t)t->ninput, sizeof *a.noisy);
    a.moments = lm_arena_alloc(t->arena, (size_t)t->nsite * (size_t)t->targets, sizeof *a.moments);
    if (!a.noisy || !a.moments)
        return LM_MEMORY;
    for (int i = 0; i < t->ninput; i++)
        LM_TRY(lm_scratch(t->arena, t->x[i].dt, &t->x[i].sh, &a.noisy[i]));
    LM_TRY(measure(&a, t->arena));
    a.row.task.x = a.noisy;
    if (t->method->flags & LM_METHOD_POINT) {
        LM_TRY(run_together(&a));
    } else {
        for (int64_t row = 0; row < in->noise.samples; row++)
            LM_TRY(run_alone(&a, in, row));
    }
    job->forwards += a.row.forwards;
    job->backwards += a.row.backwards;
    return finish(&a);
}
