/* Explanations: the forms in which they are written, and what all of these ask for. */
#include "explanation.h"
#include "explanation_culprit.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static const char *const endings[EXPLAIN_FORMS] = {".npy", ".npz", ".json", ".png", ".svg", ".html"};

lm_status explanation_form_of(const char *path, explanation_form *out)
{
    const char *dot = strrchr(path, '.');
    for (int i = 0; i < EXPLAIN_FORMS; i++)
        if (dot && strcasecmp(dot, endings[i]) == 0) {
            *out = (explanation_form)i;
            return LM_OK;
        }
    return lm_fail(LM_USAGE, "-o: '%.199s' ends in none of .npy, .npz, .json, .png, .svg and .html; choose one", path);
}

lm_status explanation_language_of(const command *cmd, lm_language *out)
{
    *out = LM_ENGLISH;
    return given(cmd, OPT_lang) ? lm_language_of(cmd->option[OPT_lang], out) : LM_OK;
}

lm_language explanation_language(const explanation *e)
{
    lm_language language;
    return explanation_language_of(e->cmd, &language) == LM_OK ? language : LM_ENGLISH;
}

const char *explanation_source(const explanation *e, int64_t sample)
{
    return e->in->samples == e->samples ? e->in->source.at[sample] : e->in->samples == 1 ? e->in->source.at[0] : "";
}

bool explanation_comes_in_parts(const char *path)
{
    explanation_form form = EXPLAIN_FORMS;
    return explanation_form_of(path, &form) == LM_OK && form <= EXPLAIN_JSON && arrays_can_grow(path);
}

static const char *what_is(double v)
{
    return isnan(v) ? "NaN" : "an infinity";
}

lm_status explanation_check(const explanation *e)
{
    const char *baseline = e->asked->ask.baseline ? e->asked->ask.baseline : "zero";
    for (size_t i = 0; i < limn_explanation_count(e->why); i++) {
        const limn_attribution *a = limn_explanation_get(e->why, i);
        for (int64_t s = 0; s < e->samples; s++) {
            LM_REQUIRE(isfinite(a->target_value[s]), LM_INPUT,
                       "target %s is %s; choose another target, or pass --allow-nan", a->target, what_is(a->target_value[s]));
            LM_REQUIRE(!a->compared || isfinite(a->baseline_value[s]), LM_INPUT,
                       "baseline '%s': target %s is %s there, and %s compares with it; choose another baseline, or pass "
                       "--allow-nan", baseline, a->target, what_is(a->baseline_value[s]), a->method);
        }
        const double bad = explanation_first_bad(&a->values);
        if (bad != 0) /* which NaN is, too */
            return explanation_blame(e, a, bad);
    }
    return LM_OK;
}
