/* limn/explain.h: questions and answers as callers hold them. */
#include <limn/explain.h>

#include <pthread.h>
#include <string.h>

#include "core/api/handle.h"
#include "core/base/nearest.h"
#include "core/explain/explain.h"
#include "core/explain/question.h"

struct limn_explanation {
    lm_answer answer;
    lm_arena arena;
    limn_attribution *row; /* by row of the answer */
    limn_tensor prediction;
    const char *output;
};

/* The first output of floats that may be scores of classes, [N] or [N,C]; else the first of floats, such as states that
 * no head follows; else the last: classifiers of tables give labels first, and then scores that are declared as
 * sequences of maps. */
static int usual_output(const limn_model *m)
{
    const size_t n = limn_model_output_count(m);
    int floats = n ? (int)n - 1 : 0, scores = -1;
    for (size_t i = n; i-- > 0;) {
        if (m->outputs[i].type > LIMN_BF16)
            continue;
        floats = (int)i;
        if (m->outputs[i].rank >= 0 && m->outputs[i].rank <= 2)
            scores = (int)i;
    }
    return scores >= 0 ? scores : floats;
}

/* Which output: the one named, or what there usually is to explain. */
static lm_status find_output(limn_session *s, const char *name, int *out)
{
    size_t n = limn_model_output_count(s->model);
    *out = usual_output(s->model);
    if (!name)
        return LM_OK;
    LM_VEC(const char *) known = {0};
    lm_str text = {0};
    lm_status status = LM_OK;
    for (size_t i = 0; i < n && status == LM_OK; i++) {
        if (strcmp(s->model->outputs[i].name, name) == 0) {
            *out = (int)i;
            lm_vec_free(&known);
            return LM_OK;
        }
        status = lm_vec_push(&known, s->model->outputs[i].name);
    }
    lm_list_words(known.at, known.count, &text);
    if (status == LM_OK)
        status = lm_fail(LM_USAGE, "output '%s': does not exist; the model has %s", name, lm_str_text(&text));
    lm_vec_free(&known);
    lm_str_free(&text);
    return status;
}

/* What the inside is asked, with the files and settings as arrays of its own. */
static lm_status ask_inside(const limn_question *ask, const lm_named *file, lm_arena *arena, lm_question *out)
{
    lm_setting *setting = lm_arena_alloc(arena, ask->settings, sizeof *setting);
    if (!setting)
        return LM_MEMORY;
    for (size_t i = 0; i < ask->settings; i++)
        setting[i] = (lm_setting){ask->setting[i].key, ask->setting[i].value};
    *out = (lm_question){.method = ask->method, .target = ask->target, .output = ask->output, .input = ask->input,
                         .layer = ask->layer, .baseline = ask->baseline, .noise = ask->noise, .compat = ask->compat,
                         .setting = setting, .settings = (int)ask->settings, .label = ask->label,
                         .labels = (int64_t)ask->labels, .file = file, .files = (int)ask->files, .seed = ask->seed,
                         .first = ask->first,
                         .after_softmax = ask->after_softmax != 0, .progress = ask->progress, .with = ask->with};
    return LM_OK;
}

static lm_status show_certificates(lm_arena *arena, const lm_attribution *from, size_t n, const limn_certificate **out)
{
    limn_certificate *to = lm_arena_alloc(arena, n, sizeof *to);
    if (!to)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const lm_certificate *c = &from->certificate[i];
        limn_conserved *rows = lm_arena_alloc(arena, (size_t)c->ntrace, sizeof *rows);
        if (!rows)
            return LM_MEMORY;
        for (int k = 0; k < c->ntrace; k++)
            rows[k] = (limn_conserved){c->trace[k].node, c->trace[k].op, c->trace[k].in, c->trace[k].out,
                                       c->trace[k].bias, c->trace[k].stabiliser};
        to[i] = (limn_certificate){.gap_abs = c->gap_abs, .gap_rel = c->gap_rel, .residual = c->residual,
                                   .stderr_mean = c->stderr_mean, .conserved = rows,
                                   .conserved_count = (size_t)c->ntrace, .forwards = c->forwards,
                                   .backwards = c->backwards};
    }
    *out = to;
    return LM_OK;
}

static lm_status show_row(lm_arena *arena, const lm_attribution *from, size_t samples, limn_attribution *to)
{
    int64_t *index = lm_arena_alloc(arena, samples, sizeof *index);
    const char **label = lm_arena_alloc(arena, samples, sizeof *label);
    double *value = lm_arena_alloc(arena, samples, sizeof *value);
    double *baseline = lm_arena_alloc(arena, samples, sizeof *baseline);
    if (!index || !label || !value || !baseline)
        return LM_MEMORY;
    for (size_t i = 0; i < samples; i++) {
        const lm_target *t = &from->goal[i];
        index[i] = t->index;
        value[i] = t->value;
        baseline[i] = t->baseline;
        label[i] = t->label ? lm_arena_strdup(arena, t->label) : NULL;
        if (t->label && !label[i])
            return LM_MEMORY;
    }
    *to = (limn_attribution){.method = from->method->id, .target = from->target, .site = from->site,
                             .layered = from->layered, .added = from->added, .space = (limn_space)from->space,
                             .tells = (limn_tells)from->tells, .options = from->options,
                             .target_index = index, .target_label = label, .target_value = value,
                             .baseline_value = baseline, .compared = from->compared};
    to->values = (limn_tensor){.type = from->values.dt, .rank = from->values.sh.rank,
                               .data = lm_view_data(&from->values)};
    memcpy(to->values.dim, from->values.sh.dim, sizeof to->values.dim);
    return show_certificates(arena, from, samples, &to->certificate);
}

static lm_status show_answer(limn_explanation *e)
{
    const lm_answer *a = &e->answer;
    e->row = lm_arena_alloc(&e->arena, a->rows.count, sizeof *e->row);
    if (!e->row)
        return LM_MEMORY;
    for (size_t i = 0; i < a->rows.count; i++)
        LM_TRY(show_row(&e->arena, &a->rows.at[i], (size_t)a->samples, &e->row[i]));
    return LM_OK;
}

/* Is there one sample for certain? */
static bool is_single(const lm_named *feed, size_t feeds)
{
    for (size_t i = 0; i < feeds; i++)
        if (feed[i].view.sh.rank > 0 && feed[i].view.sh.dim[0] != 1)
            return false;
    return true;
}

static lm_status open_study(limn_session *s)
{
    if (!s->memo)
        LM_TRY(lm_memo_new(&s->memo));
    return s->study ? LM_OK : lm_study_open(s->shared, &s->device->chain, &s->study);
}

static lm_status explain(limn_session *s, const lm_named *feed, size_t feeds, const limn_question *ask,
                         const lm_named *file, limn_explanation *e)
{
    lm_question q;
    lm_view predicted;
    int output;
    LM_TRY(ask_inside(ask, file, &e->arena, &q));
    LM_TRY(find_output(s, ask->output, &output));
    LM_TRY(open_study(s));
    lm_study_time(s->study, s->timed ? &s->profile : NULL);
    q.cancel = &s->cancel;
    q.memo = s->memo;
    e->output = lm_arena_strdup(&e->arena, s->model->outputs[output].name);
    if (!e->output)
        return LM_MEMORY;
    bool alone = ask->unpredicted && is_single(feed, feeds);
    if (!alone)
        LM_TRY(lm_session_run(s->inner, feed, (int)feeds, &e->output, 1, &predicted,
                              &(lm_plan_run_options){.cancel = &s->cancel}));
    const lm_view *known = alone ? NULL : &predicted;
    lm_status status = lm_explain(s->study, feed, (int)feeds, output, known, &q, &e->answer);
    if (status == LM_MEMORY) { /* once more, with the room that plans for predicting take */
        lm_session_forget(s->inner);
        status = lm_explain(s->study, feed, (int)feeds, output, known, &q, &e->answer);
    }
    lm_status shown = alone ? LM_OK : api_tensor(&predicted, &e->prediction);
    if (shown != LM_OK)
        e->prediction = (limn_tensor){0};
    LM_TRY(status);
    LM_TRY(shown);
    return show_answer(e);
}

limn_status limn_explain(limn_session *s, const limn_feed *feed, size_t feeds, const limn_question *ask,
                         limn_explanation **out)
{
    LM_REQUIRE(s && (feed || !feeds) && ask && out && (ask->setting || !ask->settings) && (ask->file || !ask->files) &&
                   (ask->label || !ask->labels), LM_USAGE, "limn_explain: a pointer is NULL");
    LM_REQUIRE(feeds < INT32_MAX && ask->settings < INT32_MAX && ask->files < INT32_MAX, LM_USAGE,
               "limn_explain: more feeds, settings or files than there can be");
    lm_named *named = NULL, *file = NULL;
    limn_explanation *e;
    LM_NEW(e);
    lm_status status = api_feeds(feed, feeds, false, &named);
    if (status == LM_OK)
        status = lm_context(api_feeds(ask->file, ask->files, false, &file), "files");
    if (status == LM_OK)
        status = explain(s, named, feeds, ask, file, e);
    if (file)
        api_feeds_free(file, ask->files);
    if (named)
        api_feeds_free(named, feeds);
    if (status == LM_INTERRUPTED)
        atomic_store(&s->cancel, false);
    if (status == LM_OK)
        *out = e;
    else
        limn_explanation_free(e);
    return status;
}

void limn_explanation_free(limn_explanation *why)
{
    if (!why)
        return;
    lm_answer_free(&why->answer);
    lm_arena_free(&why->arena);
    limn_tensor_free(&why->prediction);
    lm_free(why);
}

size_t limn_explanation_samples(const limn_explanation *why)
{
    return why ? (size_t)why->answer.samples : 0;
}

size_t limn_explanation_count(const limn_explanation *why)
{
    return why ? why->answer.rows.count : 0;
}

const limn_attribution *limn_explanation_get(const limn_explanation *why, size_t i)
{
    return i < limn_explanation_count(why) ? &why->row[i] : NULL;
}

const limn_tensor *limn_explanation_prediction(const limn_explanation *why)
{
    return why && why->prediction.data ? &why->prediction : NULL;
}

const char *limn_explanation_output(const limn_explanation *why)
{
    return why ? why->output : NULL;
}

const char *const *limn_explanation_fallbacks(const limn_explanation *why, size_t *count)
{
    if (count)
        *count = why ? (size_t)why->answer.fallbacks : 0;
    return why ? why->answer.fallback : NULL;
}

double limn_explanation_seconds(const limn_explanation *why)
{
    return why ? why->answer.wall : 0;
}

/* The public form of the table, made at the first call. */
enum {
#define LM_OPTIONS(name)
#define LM_OPTION(...)
#define LM_OPTIONS_END
#define LM_METHOD(id, group, options, need, run, flags, help) +1
    METHODS = 0
#include "core/explain/methods.def"
        ,
#undef LM_OPTIONS
#undef LM_OPTION
#undef LM_OPTIONS_END
#undef LM_METHOD
    OPTIONS = 16 /* of one method */
};

static limn_method methods[METHODS];
static limn_method_option options[METHODS][OPTIONS];
static char ranges[METHODS][OPTIONS][LM_OPTION_TEXT_MAX];

static void show_methods(void)
{
    for (int m = 0; m < METHODS; m++) {
        const lm_method *from = &lm_methods[m];
        const lm_option *o;
        int n = 0;
        for (; n < OPTIONS && (o = lm_method_option(from, n)); n++)
            options[m][n] = (limn_method_option){o->key, o->usual, lm_option_values(o, ranges[m][n]), o->help};
        methods[m] = (limn_method){from->id, from->group, from->help, options[m], (size_t)n};
    }
}

const limn_method *limn_method_get(size_t i)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, show_methods);
    return i < METHODS ? &methods[i] : NULL;
}
