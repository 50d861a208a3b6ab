/* The table of methods, and what their functions read of their task. */
#include "core/explain/method.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/env.h"
#include "core/base/kv.h"
#include "core/explain/question.h"

#define LM_METHOD(...)
#define LM_OPTIONS(name) static const lm_option options_##name[] = {
#define LM_OPTION(key, kind, usual, words, least, most, help) {#key, LM_OPTION_##kind, usual, words, least, most, help},
#define LM_OPTIONS_END {.key = NULL} };
#include "core/explain/methods.def"
#undef LM_METHOD
#undef LM_OPTIONS
#undef LM_OPTION
#undef LM_OPTIONS_END

#define LM_OPTIONS(name)
#define LM_OPTION(...)
#define LM_OPTIONS_END
#define LM_METHOD(id, group, options, need, run, flags, help)                                                          \
    {id, group, flags, options_##options, lm_need_##need, lm_run_##run, help},
const lm_method lm_methods[] = {
#include "core/explain/methods.def"
    {.id = NULL},
};
#undef LM_METHOD
#undef LM_OPTIONS
#undef LM_OPTION
#undef LM_OPTIONS_END

/* What methods at inputs take, and those that make maps. */
static const lm_option common[] = {
    {"tokens", LM_OPTION_WORD, "sum", "sum|full", 0, 0, "of embeddings: one number per token, or all of them"},
    {"upsample", LM_OPTION_WORD, "bilinear", "bilinear|nearest|none", 0, 0, "from the layer's size to the input's"},
};

lm_status lm_need_none(lm_task *t)
{
    (void)t;
    return LM_OK;
}

const lm_method *lm_method_find(const char *id)
{
    for (const lm_method *m = lm_methods; m->id; m++)
        if (strcmp(m->id, id) == 0)
            return m;
    return NULL;
}

const lm_option *lm_method_option(const lm_method *m, int i)
{
    int own = 0;
    bool has[LM_COUNT(common)] = {false};
    for (; m->option[own].key; own++) {
        if (own == i)
            return &m->option[i];
        for (size_t k = 0; k < LM_COUNT(common); k++)
            has[k] |= strcmp(m->option[own].key, common[k].key) == 0;
    }
    has[0] |= (m->flags & (LM_METHOD_LAYER | LM_METHOD_AUTO | LM_METHOD_MAP | LM_METHOD_TOKENS)) != 0;
    has[1] |= !(m->flags & LM_METHOD_MAP);
    for (size_t k = 0; k < LM_COUNT(common); k++)
        if (!has[k] && i-- == own)
            return &common[k];
    return NULL;
}

int lm_method_option_find(const lm_method *m, const char *key)
{
    const lm_option *o;
    for (int i = 0; (o = lm_method_option(m, i)); i++)
        if (strcmp(o->key, key) == 0)
            return i;
    return -1;
}

const char *lm_task_text(const lm_task *t, const char *key)
{
    int i = lm_method_option_find(t->method, key);
    return i < 0 ? "" : t->setting[i];
}

int64_t lm_task_whole(const lm_task *t, const char *key)
{
    int64_t number;
    return lm_parse_int(lm_task_text(t, key), &number) ? number : 0;
}

double lm_task_number(const lm_task *t, const char *key)
{
    const char *text = lm_task_text(t, key);
    char *end;
    double number = strtod(text, &end);
    return end == text ? (double)NAN : number;
}

bool lm_task_flag(const lm_task *t, const char *key)
{
    return strcmp(lm_task_text(t, key), "1") == 0;
}

int lm_task_word(const lm_task *t, const char *key)
{
    int i = lm_method_option_find(t->method, key);
    return i < 0 ? -1 : lm_word_index(lm_method_option(t->method, i)->words, t->setting[i]);
}

lm_status lm_scratch(lm_arena *arena, lm_dtype dt, const lm_shape *sh, lm_view *out)
{
    int64_t count;
    LM_TRY(lm_shape_check(sh, &count));
    lm_buffer *b;
    LM_ARENA_NEW(arena, b);
    atomic_init(&b->refs, 1);
    b->bytes = (size_t)count * lm_dtype_size(dt);
    b->host = lm_arena_alloc(arena, (size_t)count, lm_dtype_size(dt));
    if (!b->host)
        return LM_MEMORY;
    *out = lm_view_row(dt, sh, b);
    return LM_OK;
}

lm_status lm_task_result(lm_task *t, int site, int target, const lm_shape *sh, lm_result **out)
{
    int64_t count;
    LM_TRY(lm_shape_check(sh, &count));
    lm_result *r = &t->result[site * t->targets + target];
    *r = (lm_result){.sh = *sh, .certificate = {.gap_abs = NAN, .gap_rel = NAN, .residual = NAN, .stderr_mean = NAN}};
    r->at = lm_arena_alloc(t->arena, (size_t)count, sizeof *r->at);
    if (!r->at)
        return LM_MEMORY;
    *out = r;
    return LM_OK;
}

lm_sweep lm_task_begin(lm_task *t)
{
    return (lm_sweep){.feed = t->feed, .goal = t->goal, .targets = t->targets, .seed = t->seeds, .rows = 1,
                      .cancel = t->cancel};
}

lm_status lm_task_sweep(lm_task *t, lm_sweep *w)
{
    lm_job *job = (lm_job *)t;
    int64_t forwards = w->forwards, backwards = w->backwards;
    LM_TRY(lm_sweep_run(t->study, w));
    int references = 0; /* rules that compare run the model once more, at the baseline */
    for (int i = 0; i < w->nwalk; i++)
        references += w->walk[i].set->n_ref;
    job->forwards += (double)(w->forwards - forwards) * (1 + references);
    job->backwards += (double)(w->backwards - backwards);
    return LM_OK;
}

double lm_task_value(const lm_task *t, const lm_view *goal, int target)
{
    int64_t n = lm_shape_count(&goal->sh);
    double sum = 0;
    for (int64_t e = 0; e < n; e++) {
        double weight = lm_at(t->seeds, target * n + e);
        if (weight != 0)
            sum += weight * lm_at(goal, e);
    }
    return sum;
}
