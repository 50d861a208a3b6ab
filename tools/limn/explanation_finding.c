/* Attributions as findings, and findings in words. */
#include "explanation_finding.h"

#include <math.h>
#include <string.h>

#include "core/tensor/dtype.h"
#include "numbers.h"
#include "phrases.h"

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

bool explanation_is_unreadable(const limn_attribution *a, int64_t sample)
{
    const size_t count = numbers_below(&a->values, 1), first = (size_t)sample * count;
    bool finite = isfinite(a->target_value[sample]) || a->tells == LIMN_TELLS_VALUES;
    finite &= !a->compared || isfinite(a->baseline_value[sample]);
    for (size_t i = first; finite && i < first + count; i++)
        finite = isfinite(number(&a->values, i));
    return !finite;
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
                         .positive = explanation_is_size(a),
                         .neutral = a->tells == LIMN_TELLS_VALUES,
                         .unreadable = explanation_is_unreadable(a, sample)};
    if (explanation_is_map(e, a)) {
        LM_TRY(explanation_map_make(e, a, sample, &f->map));
        f->is.about = LM_ABOUT_PICTURE;
        f->is.positive = f->map.heat.positive;
        f->is.tiled = f->map.heat.tiles.count > 0;
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

/* Does a softmax or sigmoid end the model, behind what is explained or as that? */
static bool gives_probabilities(const explanation *e)
{
    for (size_t i = 0; i < limn_explanation_count(e->why); i++)
        if (limn_explanation_get(e->why, i)->space != LIMN_SPACE_RAW)
            return true;
    return false;
}

/* Numbers that could be probabilities, and those of classes that exclude each other? The latter need no proof where the
 * model's end is known to give probabilities: of a sigmoid they add up to anything. */
static bool are_probabilities(const limn_tensor *y, size_t first, size_t count, bool known)
{
    double sum = 0;
    for (size_t i = first; i < first + count; i++) {
        const double v = number(y, i);
        if (!(v >= 0 && v <= 1 + 1e-6))
            return false;
        sum += v;
    }
    return known || fabs(sum - 1) < 1e-3;
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
    const bool own = count > 1 && are_probabilities(y, first, count, gives_probabilities(e));
    const double whole = log_sum(y, first, count);
    out->softmax = count > 1 && !own && isfinite(whole);
    out->count = (int)n;
    for (size_t i = 0; i < n; i++)
        out->at[i] = (lm_answer){
            .index = (int64_t)top[i].index,
            .label = top[i].index < e->asked->names.count ? e->asked->names.at[top[i].index] : NULL,
            .value = top[i].value,
            .probability = own            ? top[i].value
                           : out->softmax ? exp(top[i].value - whole)
                                          : NAN,
        };
    lm_free(top);
    return LM_OK;
}

/* The axis of the output that counts its classes, and whether there are numbers behind it. */
static int class_axis(const explanation *e, bool *more)
{
    const limn_tensor *y = limn_explanation_prediction(e->why);
    int axis = y && y->rank > 0 && y->dim[0] == e->samples;
    while (y && axis + 1 < y->rank && y->dim[axis] == 1)
        axis++;
    *more = y && numbers_below(y, axis + 1) > 1;
    return axis;
}

bool explanation_has_classes(const explanation *e)
{
    bool more;
    class_axis(e, &more);
    return !more;
}

/* "the sum of y[0,4,*]" for the indices "0:4:*"; nothing where the text is no such. */
static void name_indices(const explanation *e, const char *text, lm_str *out)
{
    const limn_tensor *y = limn_explanation_prediction(e->why);
    const int first = y && y->rank > 0 && y->dim[0] == e->samples, axes = y ? y->rank - first : 0;
    lm_str name = {0};
    int given = 1;
    bool several = false;
    lm_str_printf(&name, "%s[", limn_explanation_output(e->why));
    for (const char *c = text; *c; c++) {
        given += *c == ':';
        several |= *c == '*';
        lm_str_char(&name, *c == ':' ? ',' : *c);
    }
    const bool indices = strchr(text, ':') && text[strspn(text, "0123456789-:*")] == '\0';
    for (int i = given; i < axes; i++)
        lm_str_add(&name, ",*");
    lm_str_char(&name, ']');
    if (indices && (several || given < axes))
        say(out, explanation_language(e), SAY_SUM_OF, lm_str_text(&name), NULL, NULL);
    else if (indices)
        lm_str_add(out, lm_str_text(&name));
    lm_str_free(&name);
}

/* What a target of several elements is, in words; NULL where nothing tells. */
static lm_status name_several(const explanation *e, const limn_attribution *a, lm_arena *arena, lm_answer *out)
{
    const limn_tensor *y = limn_explanation_prediction(e->why);
    const labels *names = &e->asked->names;
    bool more;
    const int axis = class_axis(e, &more);
    lm_str text = {0};
    lm_status status = lm_words_target(explanation_language(e), a->target, (const char *const *)names->at, names->count,
                                       y && axis < y->rank ? y->dim[axis] : 1, &text);
    if (status == LM_OK && !text.count)
        name_indices(e, a->target, &text);
    if (text.count)
        out->label = lm_arena_strdup(arena, lm_str_text(&text));
    if (text.count && !out->label)
        status = LM_MEMORY;
    status = text.status != LM_OK ? text.status : status;
    lm_str_free(&text);
    return status;
}

lm_status explanation_target(const explanation *e, const limn_attribution *a, int64_t sample, lm_arena *arena,
                             lm_answer *out)
{
    const limn_tensor *y = limn_explanation_prediction(e->why);
    const lm_language language = explanation_language(e);
    bool more;
    const int classes = class_axis(e, &more);
    *out = (lm_answer){a->target_index[sample], a->target_label[sample], a->target_value[sample], NAN};
    if (out->index < 0)
        return name_several(e, a, arena, out);
    if (!more)
        return LM_OK;
    lm_str name = {0}, text = {0};
    lm_str_printf(&name, "%s[", limn_explanation_output(e->why));
    for (int i = y->dim[0] == e->samples; i < y->rank; i++)
        if (i == classes)
            lm_str_printf(&name, "%lld", (long long)out->index);
        else
            lm_str_add(&name, i < classes ? "0," : ",*");
    lm_str_char(&name, ']');
    say(&text, language, SAY_SUM_OF, lm_str_text(&name), NULL, NULL);
    if (out->label)
        say(&text, language, SAY_LABEL, out->label, NULL, NULL);
    out->label = text.status == LM_OK ? lm_arena_strdup(arena, lm_str_text(&text)) : NULL;
    lm_str_free(&name);
    lm_str_free(&text);
    return out->label ? LM_OK : LM_MEMORY;
}

lm_status explanation_words(const explanation *e, const limn_attribution *a, int64_t sample, lm_str *out)
{
    explanation_finding f = {.panel = {.count = 0}};
    explanation_answers answers;
    lm_answer target;
    lm_status status = explanation_finding_make(e, a, sample, &f);
    if (status == LM_OK)
        status = explanation_target(e, a, sample, &f.arena, &target);
    if (status == LM_OK)
        status = explanation_answer(e, sample, 1, &f.arena, &answers);
    if (status == LM_OK)
        status = lm_words_add(explanation_language(e), answers.count ? answers.at : NULL, &target, &f.is, out);
    explanation_finding_free(&f);
    return status;
}
