/* Attributions as findings, and findings in words. */
#include "explanation_finding.h"

#include <math.h>
#include <string.h>

#include "core/tensor/dtype.h"
#include "numbers.h"

static double number(const limn_tensor *t, size_t i)
{
    return lm_load_f64(t->type, (const char *)t->data + i * limn_dtype_size(t->type));
}

static lm_status keep_values(explanation_finding *f, const double *value, int width, int height)
{
    const size_t n = (size_t)width * (size_t)height;
    float *to = lm_arena_alloc(&f->arena, n, sizeof *to);
    if (!to)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++)
        to[i] = (float)value[i];
    f->is.value = to;
    f->is.width = width;
    f->is.height = height;
    return LM_OK;
}

lm_status explanation_finding_make(const explanation *e, const limn_attribution *a, int64_t sample,
                                   explanation_finding *f)
{
    static const lm_about about[] = {
        [LM_PANEL_BARS] = LM_ABOUT_COLUMNS, [LM_PANEL_TOKENS] = LM_ABOUT_TOKENS, [LM_PANEL_CURVE] = LM_ABOUT_SERIES};
    const limn_certificate *c = &a->certificate[sample];
    f->is = (lm_finding){.about = LM_ABOUT_OTHER,
                         .target = a->target_value[sample],
                         .baseline = a->baseline_value[sample],
                         .gap_abs = c->gap_abs,
                         .gap_rel = c->gap_rel,
                         .residual = c->residual,
                         .stderr_mean = c->stderr_mean,
                         .positive = explanation_is_size(a)};
    if (explanation_is_map(e, a)) {
        LM_TRY(explanation_map_make(e, a, sample, &f->map));
        f->is.about = LM_ABOUT_PICTURE;
        f->is.positive = f->map.heat.positive;
        return keep_values(f, f->map.value, f->map.heat.width, f->map.heat.height);
    }
    if (!explanation_is_panel(e, a))
        return LM_OK;
    LM_TRY(explanation_panel(e, a, sample, &f->arena, &f->panel));
    f->is.about = about[f->panel.kind];
    f->is.name = f->panel.name;
    return keep_values(f, f->panel.value, f->panel.count, 1);
}

void explanation_finding_free(explanation_finding *f)
{
    explanation_map_free(&f->map);
    lm_arena_free(&f->arena);
}

/* Numbers that could be probabilities of classes that exclude each other? */
static bool are_shares(const limn_tensor *y, size_t first, size_t count)
{
    double sum = 0;
    for (size_t i = first; i < first + count; i++) {
        const double v = number(y, i);
        if (!(v >= 0 && v <= 1 + 1e-6))
            return false;
        sum += v;
    }
    return fabs(sum - 1) < 1e-3;
}

/* log of the sum of exponentials. */
static double log_sum(const limn_tensor *y, size_t first, size_t count)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = first; i < first + count; i++)
        most = fmax(most, number(y, i));
    for (size_t i = first; i < first + count; i++)
        sum += exp(number(y, i) - most);
    return most + log(sum);
}

lm_status explanation_answer(const explanation *e, int64_t sample, int most, lm_arena *arena, explanation_answers *out)
{
    const limn_tensor *y = limn_explanation_prediction(e->why);
    const bool batch = y && y->rank == 2 && y->dim[0] == e->samples, alone = y && y->rank == 1 && e->samples == 1;
    *out = (explanation_answers){.count = 0};
    if (!batch && !alone)
        return LM_OK;
    const size_t count = numbers_below(y, batch), first = batch ? (size_t)sample * count : 0;
    size_t n = 0;
    ranked *top = numbers_top(y, first, count, (size_t)most, &n);
    out->at = lm_arena_alloc(arena, n, sizeof *out->at);
    if (!top || !out->at) {
        lm_free(top);
        return LM_MEMORY;
    }
    const bool shares = count > 1 && are_shares(y, first, count);
    const double whole = log_sum(y, first, count);
    out->softmax = count > 1 && !shares;
    out->count = (int)n;
    for (size_t i = 0; i < n; i++)
        out->at[i] = (lm_answer){
            .index = (int64_t)top[i].index,
            .label = top[i].index < e->asked->names.count ? e->asked->names.at[top[i].index] : NULL,
            .value = top[i].value,
            .probability = shares         ? top[i].value
                           : out->softmax ? exp(top[i].value - whole)
                                          : NAN,
        };
    lm_free(top);
    return LM_OK;
}

lm_answer explanation_target(const limn_attribution *a, int64_t sample)
{
    return (lm_answer){a->target_index[sample], a->target_label[sample], a->target_value[sample], NAN};
}

lm_status explanation_words(const explanation *e, const limn_attribution *a, int64_t sample, lm_str *out)
{
    explanation_finding f = {.panel = {.count = 0}};
    explanation_answers answers;
    const lm_answer target = explanation_target(a, sample);
    lm_status status = explanation_finding_make(e, a, sample, &f);
    if (status == LM_OK)
        status = explanation_answer(e, sample, 1, &f.arena, &answers);
    if (status == LM_OK)
        status = lm_words_add(explanation_language(e), answers.count ? answers.at : NULL, &target, &f.is, out);
    explanation_finding_free(&f);
    return status;
}
