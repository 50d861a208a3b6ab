/* Settings of methods: which go to whom, whether they fit, and what stands for those that nobody gave. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/env.h"
#include "core/base/nearest.h"
#include "core/explain/question.h"

const char *lm_option_values(const lm_option *o, char text[LM_OPTION_TEXT_MAX])
{
    if (o->kind == LM_OPTION_FLAG)
        return "0 or 1";
    if (o->kind == LM_OPTION_WORD || o->kind == LM_OPTION_TEXT)
        return o->words ? o->words : "a text";
    if (o->most < 1e15)
        snprintf(text, LM_OPTION_TEXT_MAX, "%.10g to %.10g", o->least, o->most);
    else
        snprintf(text, LM_OPTION_TEXT_MAX, "from %.10g on", o->least);
    return text;
}

static lm_status wrong(const lm_option *o, const char *value)
{
    char text[LM_OPTION_TEXT_MAX];
    const char *what = o->kind == LM_OPTION_WHOLE    ? "a whole number, "
                       : o->kind == LM_OPTION_NUMBER ? "a number, "
                                                     : "";
    return lm_fail(LM_USAGE, "option %s=%s: write %s%s", o->key, value, what, lm_option_values(o, text));
}

static lm_status check(const lm_option *o, const char *value)
{
    int64_t whole;
    char *end;
    double number;
    if (strcmp(value, o->usual) == 0)
        return LM_OK;
    switch (o->kind) {
    case LM_OPTION_FLAG: return strcmp(value, "0") == 0 || strcmp(value, "1") == 0 ? LM_OK : wrong(o, value);
    case LM_OPTION_WORD: return lm_word_index(o->words, value) >= 0 ? LM_OK : wrong(o, value);
    case LM_OPTION_TEXT: return LM_OK;
    case LM_OPTION_WHOLE:
        if (!lm_parse_int(value, &whole))
            return wrong(o, value);
        number = (double)whole;
        break;
    default:
        number = strtod(value, &end);
        if (end == value || *end)
            return wrong(o, value);
    }
    return number >= o->least && number <= o->most && isfinite(number) ? LM_OK : wrong(o, value);
}

/* The value as asked, as the profile has it, or as it is usual. */
static lm_status value_of(const lm_inquiry *in, const lm_method *m, const lm_option *o, const char **out)
{
    *out = lm_compat_usual(in->compat, m->id, o->key);
    if (!*out)
        *out = o->usual;
    for (int i = 0; i < in->q->settings; i++)
        if (strcmp(in->q->setting[i].key, o->key) == 0)
            *out = in->q->setting[i].value;
    LM_TRY(check(o, *out));
    *out = lm_arena_strdup(in->arena, *out);
    return *out ? LM_OK : LM_MEMORY;
}

/* The samples are as many as a file of draws has. */
static lm_status count_draws(const lm_inquiry *in, lm_asked *asked)
{
    const int draws = lm_method_option_find(asked->method, "draws");
    const int samples = lm_method_option_find(asked->method, "samples");
    if (draws < 0 || samples < 0 || !asked->setting[draws][0])
        return LM_OK;
    lm_str text = {0};
    lm_str_printf(&text, "%s/alpha", asked->setting[draws]);
    const lm_view *alpha = text.status == LM_OK ? lm_question_file(in->q, lm_str_text(&text)) : NULL;
    if (alpha && alpha->sh.rank > 0) {
        lm_str_clear(&text);
        lm_str_printf(&text, "%lld", (long long)alpha->sh.dim[0]);
        asked->setting[samples] = text.status == LM_OK ? lm_arena_strdup(in->arena, lm_str_text(&text)) : NULL;
    }
    lm_status status = text.status == LM_OK && !asked->setting[samples] ? LM_MEMORY : text.status;
    lm_str_free(&text);
    return status;
}

/* "steps=50 quadrature=gauss"; common options only where they are not what is usual. */
static lm_status describe(const lm_inquiry *in, lm_asked *asked)
{
    lm_str text = {0};
    const lm_option *o;
    for (int i = 0; (o = lm_method_option(asked->method, i)); i++)
        if (asked->setting[i][0] && (strcmp(o->key, "tokens") != 0 || strcmp(asked->setting[i], o->usual) != 0))
            lm_str_printf(&text, "%s%s=%s", text.count ? " " : "", o->key, asked->setting[i]);
    if (in->noise.kind != LM_NOISE_NONE)
        lm_str_printf(&text, "%snoise=%s samples=%lld stdev=%g%s", text.count ? " " : "", lm_noise_name(in->noise.kind),
                      (long long)in->noise.samples, in->noise.stdev, in->noise.absolute ? " (absolute)" : "");
    const char *flaw = lm_compat_flaw(in->compat, asked->method->id, lm_str_text(&text));
    if (flaw)
        lm_str_printf(&text, "%s(as %s: %s)", text.count ? " " : "", in->compat, flaw);
    asked->options = text.status == LM_OK ? lm_arena_strdup(in->arena, lm_str_text(&text)) : NULL;
    lm_str_free(&text);
    return asked->options ? LM_OK : LM_MEMORY;
}

static bool known(const lm_inquiry *in, const char *key)
{
    for (int m = 0; m < in->methods; m++)
        if (lm_method_option_find(in->asked[m].method, key) >= 0)
            return true;
    return false;
}

static lm_status unknown(const lm_inquiry *in, const char *key)
{
    LM_VEC(const char *) words = {0};
    const lm_option *o;
    lm_str text = {0};
    lm_status status = LM_OK;
    for (int m = 0; m < in->methods && status == LM_OK; m++)
        for (int i = 0; (o = lm_method_option(in->asked[m].method, i)) && status == LM_OK; i++) {
            bool had = false;
            for (size_t k = 0; k < words.count; k++)
                had |= strcmp(words.at[k], o->key) == 0;
            if (!had)
                status = lm_vec_push(&words, o->key);
        }
    if (status == LM_OK) {
        lm_str_add(&text, "; did you mean ");
        if (!lm_nearest(key, words.at, words.count, &text)) {
            lm_str_clear(&text);
            lm_str_add(&text, "; they have ");
            lm_list_words(words.at, words.count, &text);
        }
        status = lm_fail(LM_USAGE, "option '%s': none of the methods asked has it%s", key, lm_str_text(&text));
    }
    lm_vec_free(&words);
    lm_str_free(&text);
    return status;
}

lm_status lm_options_read(lm_inquiry *in)
{
    for (int i = 0; i < in->q->settings; i++) {
        LM_REQUIRE(in->q->setting[i].key && in->q->setting[i].value, LM_USAGE, "a setting has no key or no value");
        if (!known(in, in->q->setting[i].key))
            return unknown(in, in->q->setting[i].key);
    }
    for (int m = 0; m < in->methods; m++) {
        lm_asked *asked = &in->asked[m];
        const lm_option *o;
        int n = 0;
        while (lm_method_option(asked->method, n))
            n++;
        asked->setting = lm_arena_alloc(in->arena, (size_t)n, sizeof *asked->setting);
        if (!asked->setting)
            return LM_MEMORY;
        for (int i = 0; (o = lm_method_option(asked->method, i)); i++)
            LM_TRY(lm_context(value_of(in, asked->method, o, &asked->setting[i]), "%s", asked->method->id));
        LM_TRY(count_draws(in, asked));
        LM_TRY(describe(in, asked));
    }
    return LM_OK;
}
