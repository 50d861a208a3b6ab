/* One sample of a question: its targets, inputs and baselines, the sweep at it, and the methods one after the other. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/explain/baseline.h"
#include "core/explain/question.h"
#include "core/run/plan_copy.h"

/* What is found out about one sample before its methods run. */
typedef struct scene {
    lm_inquiry *in;
    int64_t number;
    lm_arena *arena;
    lm_feed *feed;
    lm_site *input;
    lm_view *x, *x0, seeds;
    double *seed; /* of one target */
    lm_target *target;
    lm_view reference; /* goals at the baselines, where some method compares with them */
    lm_point point;
    int output; /* number of the output among the point's values, where targets wait for it */
    int64_t compared; /* forwards for those methods that compare with a baseline */
} scene;

static bool any_method(const lm_inquiry *in, uint32_t flag)
{
    for (int m = 0; m < in->methods; m++)
        if (in->asked[m].method->flags & flag)
            return true;
    return false;
}

/* Of several best classes of the only sample, each is called by its number. */
static lm_status call_by_class(lm_inquiry *in, lm_target *t)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)t->index);
    t->text = lm_arena_strdup(in->arena, text);
    return t->text ? LM_OK : LM_MEMORY;
}

/* Seeds and targets, of which those that hang on the answer need it. `predicted` absent: they have to wait. */
static lm_status aim_all(scene *s, const lm_view *predicted)
{
    lm_inquiry *in = s->in;
    int64_t n = lm_shape_count(&in->classes.sh);
    for (int a = 0; a < in->aims; a++) {
        if (!lm_view_present(predicted) && in->aim[a].kind == LM_AIM_RANK)
            continue;
        memset(s->seed, 0, (size_t)n * sizeof *s->seed);
        LM_TRY(lm_aim_resolve(&in->aim[a], in->q, &in->classes, s->number, predicted, s->seed, &s->target[a]));
        if (!s->target[a].text)
            LM_TRY(call_by_class(in, &s->target[a]));
        for (int64_t e = 0; e < n; e++)
            lm_put(&s->seeds, a * n + e, s->seed[e]);
    }
    return LM_OK;
}

static lm_status aim(scene *s)
{
    lm_inquiry *in = s->in;
    int64_t n = lm_shape_count(&in->classes.sh);
    lm_view predicted = in->predicted;
    if (in->samples > 1) {
        predicted.sh.dim[0] = 1;
        predicted.off += (size_t)(s->number * predicted.st[0]) * lm_dtype_size(predicted.dt);
    }
    s->seed = lm_arena_alloc(s->arena, (size_t)n, sizeof *s->seed);
    s->target = lm_arena_alloc(in->arena, (size_t)in->aims, sizeof *s->target);
    if (!s->seed || !s->target)
        return LM_MEMORY;
    lm_shape all = LM_SHAPE(in->aims, n);
    LM_TRY(lm_scratch(s->arena, lm_study_type(in->study), &all, &s->seeds));
    return aim_all(s, &predicted);
}

/* While the sweep at the sample goes on: the answer is there. */
static lm_status aim_late(void *own, const lm_swept *early)
{
    scene *s = own;
    return aim_all(s, &early->value[s->output]);
}

/* Do targets have to wait for the answer? */
static bool is_late(const lm_inquiry *in)
{
    for (int a = 0; a < in->aims; a++)
        if (in->aim[a].kind == LM_AIM_RANK && !lm_view_present(&in->predicted))
            return true;
    return false;
}

/* A feed as a dense view of the study's type; itself where it is one. */
static lm_status convert(scene *s, const lm_view *from, lm_view *out)
{
    lm_dtype dt = lm_study_type(s->in->study);
    if (from->dt == dt && lm_view_is_row(from) && lm_view_is_aligned(from)) {
        *out = *from;
        return LM_OK;
    }
    LM_TRY(lm_scratch(s->arena, dt, &from->sh, out));
    int64_t n = lm_shape_count(&from->sh);
    if (from->dt == LM_F32 || from->dt == LM_F64)
        lm_plan_copy(out, from);
    else
        for (int64_t e = 0; e < n; e++)
            lm_put(out, e, lm_view_get(from, e));
    return LM_OK;
}

/* The values explained: feeds, and embeddings, which are looked up. */
static lm_status look_at_inputs(scene *s)
{
    lm_inquiry *in = s->in;
    size_t n = (size_t)in->entries;
    s->input = lm_arena_alloc(s->arena, n, sizeof *s->input);
    s->x = lm_arena_alloc(s->arena, n, sizeof *s->x);
    s->x0 = lm_arena_alloc(s->arena, n, sizeof *s->x0);
    if (!s->input || !s->x || !s->x0)
        return LM_MEMORY;
    for (int i = 0; i < in->entries; i++) {
        s->input[i] = in->entry[i].site;
        if (!in->entry[i].embedded) {
            LM_TRY(convert(s, &s->feed[in->entry[i].port], &s->x[i]));
            continue;
        }
        lm_forward f = {.study = in->study, .feed = s->feed, .goal.site = in->entry[i].site, .cancel = in->q->cancel,
                        .rows = 1, .arena = s->arena};
        LM_TRY(lm_forward_run(&f));
        s->x[i] = f.goals;
    }
    return LM_OK;
}

static const lm_view *task_file(const lm_task *t, const char *name)
{
    return lm_question_file(((const lm_inquiry *)t->question)->q, name);
}

static lm_status start_job(scene *s, const lm_asked *asked, lm_job *job)
{
    lm_inquiry *in = s->in;
    *job = (lm_job){.asked = asked};
    job->task = (lm_task){.study = in->study, .method = asked->method, .setting = asked->setting,
                          .compat = in->compat, .arena = s->arena, .cancel = in->q->cancel, .seed = in->q->seed,
                          .sample = s->number, .number = in->q->first + (uint64_t)s->number, .feed = s->feed,
                          .goal = in->goal, .targets = in->aims, .target = s->target, .seeds = &s->seeds,
                          .ninput = in->entries, .input = s->input, .x = s->x, .x0 = s->x0,
                          .baselines = in->baselines, .layered = asked->layered, .layer = asked->layer,
                          .nsite = asked->layered ? 1 : in->entries,
                          .site = asked->layered ? &asked->layer : s->input, .point = &s->point, .file = task_file,
                          .question = in};
    size_t results = (size_t)job->task.nsite * (size_t)in->aims;
    job->task.result = lm_arena_alloc(s->arena, results, sizeof *job->task.result);
    return job->task.result ? LM_OK : LM_MEMORY;
}

/* Of a task whose sweep at the sample has been made. */
static lm_status run_job(scene *s, lm_job *job)
{
    lm_task *t = &job->task;
    LM_TRY(s->in->noise.kind == LM_NOISE_NONE ? t->method->run(t) : lm_noise_run(s->in, job));
    for (int i = 0; i < t->nsite * t->targets; i++) {
        if (!t->result[i].at && t->method->flags & LM_METHOD_NO_TARGET)
            t->result[i] = t->result[i - i % t->targets];
        LM_REQUIRE(t->result[i].at, LM_UNSUPPORTED, "%s has no result for '%s'", t->method->id,
                   t->site[i / t->targets].name);
    }
    return LM_OK;
}

/* What all jobs share is split evenly among those that use it. */
static void share_costs(scene *s, lm_job *job)
{
    const lm_point *p = &s->point;
    int comparing = 0;
    double walks = (double)p->walk.count;
    for (int m = 0; m < s->in->methods; m++)
        comparing += (job[m].task.method->flags & LM_METHOD_BASELINE) != 0;
    for (int m = 0; m < s->in->methods; m++) {
        job[m].forwards += (double)p->forwards / s->in->methods;
        if (job[m].task.method->flags & LM_METHOD_BASELINE)
            job[m].forwards += (double)s->compared / comparing;
        for (size_t w = 0; w < p->walk.count; w++) {
            if (!job[m].walks[w])
                continue;
            job[m].backwards += (double)p->backwards / walks / p->users.at[w];
            if (p->walk.at[w].set->n_ref) /* such rules run the model once more, at the baseline */
                job[m].forwards += (double)p->forwards / p->users.at[w];
        }
    }
}

/* A map [1,1,T] over the tokens of an embedding is [1,T], as everything that tokens get. */
static void drop_plane(const scene *s, lm_result *r)
{
    for (int i = 0; i < s->in->entries; i++)
        if (s->in->entry[i].embedded && r->sh.rank == 3 && r->sh.dim[1] == 1 && s->x[i].sh.rank == 3 &&
            r->sh.dim[2] == s->x[i].sh.dim[1])
            r->sh = LM_SHAPE(1, r->sh.dim[2]);
}

/* Of an embedding, tokens get the sum of what its numbers got. */
static lm_status add_up_tokens(const scene *s, lm_job *job)
{
    lm_task *t = &job->task;
    if (t->layered && !(t->method->flags & LM_METHOD_AUTO)) /* the result is the layer's, not the input's */
        return LM_OK;
    for (int i = 0; i < t->nsite * t->targets; i++) {
        const lm_entry *entry = &s->in->entry[i / t->targets];
        lm_result *r = &t->result[i];
        if (!entry->embedded || !lm_shape_equal(&r->sh, &s->x[i / t->targets].sh)) {
            drop_plane(s, r);
            continue;
        }
        if (lm_task_word(t, "tokens") > 0)
            continue;
        const lm_shape *ids = &s->feed[entry->port].sh;
        int64_t n = lm_shape_count(ids), inner = n ? lm_shape_count(&r->sh) / n : 0;
        double *sum = lm_arena_alloc(s->arena, (size_t)n, sizeof *sum);
        if (!sum)
            return LM_MEMORY;
        for (int64_t e = 0; e < n * inner; e++)
            sum[e / inner] += r->at[e];
        r->sh = *ids;
        r->at = sum;
    }
    return LM_OK;
}

static lm_status run_jobs(scene *s, lm_job *job)
{
    lm_inquiry *in = s->in;
    for (int m = 0; m < in->methods; m++) {
        LM_TRY(start_job(s, &in->asked[m], &job[m]));
        if (in->noise.kind == LM_NOISE_NONE)
            LM_TRY(lm_context(in->asked[m].method->need(&job[m].task), "%s", in->asked[m].method->id));
    }
    if (is_late(in)) {
        LM_TRY(lm_need_value(&job[0].task, in->output, &s->output));
        s->point.aim = aim_late;
        s->point.own = s;
    }
    LM_TRY(lm_point_run(&s->point, &job[0].task));
    for (int a = 0; a < in->aims; a++)
        s->target[a].value = lm_task_value(&job[0].task, &s->point.swept.goal, a);
    if (lm_view_present(&s->reference))
        lm_reference_values(&job[0].task, &s->reference, s->target);
    for (int m = 0; m < in->methods; m++)
        LM_TRY(lm_context(run_job(s, &job[m]), "%s", in->asked[m].method->id));
    share_costs(s, job);
    for (int m = 0; m < in->methods; m++) {
        LM_TRY(lm_certify(in, &job[m]));
        LM_TRY(add_up_tokens(s, &job[m]));
    }
    return LM_OK;
}

lm_status lm_sample_run(lm_inquiry *in, int64_t number, lm_sample *out)
{
    scene s = {.in = in, .number = number, .arena = &out->arena, .reference = lm_view_absent()};
    s.point.arena = s.arena;
    s.feed = lm_arena_alloc(s.arena, (size_t)in->ports, sizeof *s.feed);
    out->job = lm_arena_alloc(s.arena, (size_t)in->methods, sizeof *out->job);
    if (!s.feed || !out->job)
        return LM_MEMORY;
    lm_sample_feed(in, number, s.feed);
    LM_TRY(aim(&s));
    lm_status status = look_at_inputs(&s);
    if (status == LM_OK && any_method(in, LM_METHOD_BASELINE))
        status = lm_reference(in, number, s.feed, s.input, s.x, s.arena, s.x0, &s.reference, &s.compared);
    if (status == LM_OK)
        status = run_jobs(&s, out->job);
    lm_point_free(&s.point);
    out->target = s.target;
    return status;
}
