/* The model at the baselines. A baseline of zeros is the same for every sample and question, so what the targets were
 * there is kept for the next that has the same. */
#include <string.h>

#include "core/explain/baseline.h"
#include "core/explain/question.h"

struct lm_memo {
    lm_str key;   /* everything that the goals hang on, as bytes */
    double *goal; /* [baselines, elements] */
};

lm_status lm_memo_new(lm_memo **out)
{
    LM_NEW(*out);
    return LM_OK;
}

void lm_memo_free(lm_memo *m)
{
    if (!m)
        return;
    lm_str_free(&m->key);
    lm_free(m->goal);
    lm_free(m);
}

static void add_view(const lm_view *v, lm_str *key)
{
    int32_t head[] = {(int32_t)v->dt, v->sh.rank};
    lm_str_add_bytes(key, head, sizeof head);
    if (!lm_view_present(v))
        return;
    lm_str_add_bytes(key, v->sh.dim, sizeof v->sh.dim);
    size_t size = lm_dtype_size(v->dt);
    int64_t n = lm_shape_count(&v->sh);
    if (lm_view_is_row(v))
        lm_str_add_bytes(key, lm_view_data(v), (size_t)n * size);
    else
        for (int64_t e = 0; e < n; e++)
            lm_str_add_bytes(key, (const char *)lm_view_data(v) + lm_view_offset(v, e), size);
}

/* Baselines stand in for the floats that are explained; all else is fed as it is. */
static lm_status make_key(const lm_inquiry *in, const lm_feed *feed, const lm_view *x0, lm_str *key)
{
    int32_t head[] = {in->goal.output, in->goal.after, in->entries};
    lm_str_add_bytes(key, head, sizeof head);
    for (int p = 0; p < in->ports; p++) {
        bool replaced = false;
        for (int i = 0; i < in->entries; i++)
            replaced |= in->entry[i].port == p && !in->entry[i].embedded;
        if (!replaced)
            add_view(&feed[p], key);
    }
    for (int i = 0; i < in->entries; i++) {
        lm_str_add_bytes(key, &in->entry[i].port, sizeof in->entry[i].port);
        add_view(&x0[i], key);
    }
    return key->status;
}

/* Keep what came out under this key, which is taken over. Where memory is short nothing is kept. */
static void keep(lm_memo *m, lm_str *key, const lm_view *goals)
{
    int64_t n = lm_shape_count(&goals->sh);
    double *copy = lm_malloc((size_t)n, sizeof *copy);
    if (!copy)
        return;
    for (int64_t e = 0; e < n; e++)
        copy[e] = lm_at(goals, e);
    lm_str_free(&m->key);
    lm_free(m->goal);
    *m = (lm_memo){.key = *key, .goal = copy};
    *key = (lm_str){.text = NULL};
}

static void remember(const lm_memo *m, lm_view *goals)
{
    int64_t n = lm_shape_count(&goals->sh);
    for (int64_t e = 0; e < n; e++)
        lm_put(goals, e, m->goal[e]);
}

static bool known(const lm_memo *m, const lm_str *key)
{
    return m && m->key.count == key->count && m->goal && memcmp(m->key.text, key->text, key->count) == 0;
}

/* [baselines, elements of one]. */
static lm_status goals_at(lm_inquiry *in, const lm_feed *feed, const lm_site *input, const lm_view *x0, lm_arena *arena,
                          lm_view *goals, int64_t *forwards)
{
    lm_memo *memo = in->q->memo;
    lm_str key = {0};
    lm_shape all = LM_SHAPE(in->baselines, lm_shape_count(&in->goal_type.sh));
    if (memo)
        LM_TRY(make_key(in, feed, x0, &key));
    if (known(memo, &key)) {
        lm_status status = lm_scratch(arena, lm_study_type(in->study), &all, goals);
        if (status == LM_OK)
            remember(memo, goals);
        lm_str_free(&key);
        return status;
    }
    lm_forward f = {.study = in->study, .feed = feed, .goal = in->goal, .cancel = in->q->cancel, .ncut = in->entries,
                    .cut = input, .at = x0, .rows = in->baselines, .arena = arena};
    lm_status status = lm_context(lm_forward_run(&f), "at the baseline");
    if (status == LM_OK) {
        *forwards += f.forwards;
        *goals = lm_view_row(f.goals.dt, &all, f.goals.buf);
        if (memo)
            keep(memo, &key, goals);
    }
    lm_str_free(&key);
    return status;
}

lm_status lm_reference(lm_inquiry *in, int64_t sample, const lm_feed *feed, const lm_site *input, const lm_view *x,
                       lm_arena *arena, lm_view *x0, lm_view *goals, int64_t *forwards)
{
    LM_TRY(lm_baseline_make(in, sample, feed, x, arena, x0));
    return goals_at(in, feed, input, x0, arena, goals, forwards);
}

void lm_reference_values(const lm_task *t, const lm_view *goals, lm_target *target)
{
    lm_shape one = LM_SHAPE(1, goals->sh.dim[1]);
    for (int a = 0; a < t->targets; a++) {
        double sum = 0;
        for (int64_t k = 0; k < goals->sh.dim[0]; k++) {
            lm_view goal = lm_row_of(goals, k, &one);
            sum += lm_task_value(t, &goal, a);
        }
        target[a].baseline = sum / (double)goals->sh.dim[0];
    }
}

lm_status lm_task_layer_start(lm_task *t, lm_view *out)
{
    lm_job *job = (lm_job *)t;
    lm_forward f = {.study = t->study, .feed = t->feed, .goal.site = t->layer, .cancel = t->cancel, .ncut = t->ninput,
                    .cut = t->input, .at = t->x0, .rows = t->baselines, .arena = t->arena};
    LM_TRY(lm_forward_run(&f));
    job->forwards += (double)f.forwards;
    *out = f.goals;
    return LM_OK;
}
