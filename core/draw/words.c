/* The paragraph about a finding. */
#include "core/draw/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/draw/words_text.h"

/* Parts that hold less are not worth a word; how many are told. */
enum { TOLD_FOR = 3, TOLD_AGAINST = 2 };
static const double least_share = 0.02;

static void space(lm_str *out, lm_language language)
{
    if (out->count && !strchr("\n ", out->text[out->count - 1]))
        lm_str_add(out, words_text(language, WORDS_SPACE));
}

void lm_words_name(lm_language language, const lm_answer *a, lm_str *out)
{
    char index[WORDS_NUMBER];
    snprintf(index, sizeof index, "%lld", (long long)a->index);
    if (a->label && *a->label)
        lm_str_add(out, a->label);
    else
        words_say(out, language, WORDS_CLASS, index, NULL, NULL);
}

lm_status lm_words_answer(lm_language language, const lm_answer *p, lm_str *out)
{
    static const struct {
        double least;
        words_phrase phrase;
    } sure[] = {{0.95, WORDS_CERTAIN}, {0.75, WORDS_SURE}, {0.5, WORDS_LEANS}, {-1, WORDS_TORN}};
    char number[WORDS_NUMBER];
    lm_str name = {0};
    lm_words_name(language, p, &name);
    space(out, language);
    if (isnan(p->probability)) {
        words_say(out, language, isfinite(p->value) ? WORDS_ANSWERS : WORDS_NO_ANSWER, lm_str_text(&name),
                  words_number(p->value, number), NULL);
    } else {
        int i = 0;
        while (p->probability < sure[i].least)
            i++;
        words_say(out, language, sure[i].phrase, lm_str_text(&name), words_percent(language, p->probability, number),
                  NULL);
    }
    lm_str_free(&name);
    return out->status;
}

/* "the upper left (24 %) and the centre (18 %)"; empty where nothing is worth it. */
static void list_parts(lm_language language, const lm_finding *f, bool against, bool first, lm_str *out)
{
    lm_part part[LM_PARTS];
    int n = lm_words_parts(language, f, against, part), most = against ? TOLD_AGAINST : TOLD_FOR, told = 0;
    while (told < n && told < most && part[told].share >= least_share)
        told++;
    if (!told && n && !against)
        told = 1;
    for (int i = 0; i < told; i++) {
        char share[WORDS_NUMBER];
        if (i)
            lm_str_add(out, words_text(language, i + 1 == told ? WORDS_AND : WORDS_COMMA));
        words_say(out, language, first && i == 0 ? WORDS_PART_OF_ALL : WORDS_PART, part[i].name,
                  words_percent(language, part[i].share, share), NULL);
    }
}

/* What holds much, though little of it is left where for and against are put together. */
static void tell_torn(lm_language language, const lm_part *part, lm_str *out)
{
    char share[WORDS_NUMBER];
    lm_str name = {0};
    words_say(&name, language, WORDS_PART, part->name, words_percent(language, part->share, share), NULL);
    space(out, language);
    words_say(out, language, WORDS_TORN_PART, lm_str_text(&name), NULL, NULL);
    lm_str_free(&name);
}

static void tell_parts(lm_language language, const lm_finding *f, lm_str *out)
{
    lm_str pro = {0}, contra = {0};
    if (f->about == LM_ABOUT_OTHER || f->tiled || f->unreadable)
        return;
    list_parts(language, f, false, true, &pro);
    if (!f->positive && !f->neutral)
        list_parts(language, f, true, pro.count == 0, &contra);
    lm_part part;
    const bool any_pro = pro.count > 0, any_contra = contra.count > 0, torn = lm_words_torn_part(language, f, &part);
    const words_phrase phrase = f->neutral && any_pro    ? WORDS_LARGEST
                                : f->positive && any_pro ? WORDS_MATTERED
                                : any_pro && any_contra  ? WORDS_FOR_MORE
                                : any_pro                ? WORDS_FOR
                                : any_contra             ? WORDS_AGAINST
                                                         : WORDS_NOTHING;
    if (phrase != WORDS_NOTHING || !torn) {
        space(out, language);
        words_say(out, language, phrase, lm_str_text(any_pro ? &pro : &contra), lm_str_text(&contra), NULL);
    }
    lm_str_free(&pro);
    lm_str_free(&contra);
    if (torn)
        tell_torn(language, &part, out);
}

lm_status lm_words_trust(lm_language language, const lm_finding *f, lm_str *out)
{
    char number[WORDS_NUMBER];
    space(out, language);
    if (f->unreadable)
        return words_say(out, language, WORDS_UNREADABLE, NULL, NULL, NULL);
    if (!isnan(f->gap_rel)) {
        const words_phrase phrase = f->gap_rel < 0.01  ? WORDS_ADDS_UP
                                    : f->gap_rel < 0.1 ? WORDS_ADDS_ALMOST
                                                       : WORDS_ADDS_NOT;
        words_say(out, language, phrase, words_percent(language, f->gap_rel, number), NULL, NULL);
    } else if (isnan(f->stderr_mean) && isnan(f->residual)) {
        words_say(out, language, WORDS_NO_SUM, NULL, NULL, NULL);
    }
    if (!isnan(f->residual)) {
        space(out, language);
        words_say(out, language, WORDS_RESIDUAL, words_number(f->residual, number), NULL, NULL);
    }
    if (!isnan(f->stderr_mean)) {
        space(out, language);
        words_say(out, language, WORDS_STDERR, words_number(f->stderr_mean, number), NULL, NULL);
    }
    return out->status;
}

/* "3", "-1": the class that it is, -1 where it is none; *text moves on behind it. */
static int64_t take_class(const char **text, int64_t classes)
{
    char *end;
    if (**text != '-' && (**text < '0' || **text > '9'))
        return -1;
    int64_t at = strtoll(*text, &end, 10);
    at += at < 0 ? classes : 0;
    if (end == *text || at >= classes)
        return -1;
    *text = end;
    return at;
}

lm_status lm_words_target(lm_language language, const char *target, const char *const *label, size_t labels,
                          int64_t classes, lm_str *out)
{
    const char *at = target;
    if (strcmp(target, "sum") == 0)
        return words_say(out, language, WORDS_SUM_OF_ALL, NULL, NULL, NULL);
    const int64_t a = take_class(&at, classes), b = a >= 0 && *at++ == '-' ? take_class(&at, classes) : -1;
    if (b < 0 || *at)
        return LM_OK;
    lm_str name[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) {
        const int64_t which = i ? b : a;
        lm_words_name(language, &(lm_answer){.index = which, .label = (size_t)which < labels ? label[which] : NULL},
                    &name[i]);
    }
    words_say(out, language, WORDS_RATHER_THAN, lm_str_text(&name[0]), lm_str_text(&name[1]), NULL);
    lm_str_free(&name[0]);
    lm_str_free(&name[1]);
    return out->status;
}

lm_status lm_words_finding(lm_language language, const lm_answer *predicted, const lm_answer *explained,
                           const lm_finding *f, lm_str *out)
{
    const bool several = explained && explained->index < 0 && explained->label && *explained->label;
    const bool other = explained && explained->index >= 0 && (!predicted || predicted->index != explained->index);
    if (f->neutral && !f->unreadable) {
        tell_parts(language, f, out);
        space(out, language);
        return words_say(out, language, WORDS_NO_SIDE, NULL, NULL, NULL);
    }
    if (several || other) {
        lm_str name = {0};
        lm_words_name(language, explained, &name);
        space(out, language);
        words_say(out, language, predicted && other ? WORDS_OTHER_TARGET : WORDS_TARGET, lm_str_text(&name), NULL,
                  NULL);
        lm_str_free(&name);
    }
    tell_parts(language, f, out);
    return lm_words_trust(language, f, out);
}

lm_status lm_words_add(lm_language language, const lm_answer *predicted, const lm_answer *explained,
                       const lm_finding *f, lm_str *out)
{
    if (predicted)
        lm_words_answer(language, predicted, out);
    return lm_words_finding(language, predicted, explained, f, out);
}
