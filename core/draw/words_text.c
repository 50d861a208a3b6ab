/* Phrases with gaps. */
#include "core/draw/words_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const phrases[WORDS_PHRASES][LM_LANGUAGES] = {
#define PHRASE(id, english, chinese) {english, chinese},
#include "core/draw/words.def"
#undef PHRASE
};

const char *words_text(lm_language language, words_phrase phrase)
{
    return phrases[phrase][language];
}

const char *lm_language_code(lm_language language)
{
    return words_text(language, WORDS_CODE);
}

lm_status lm_language_of(const char *code, lm_language *out)
{
    for (int i = 0; i < LM_LANGUAGES; i++)
        if (strcmp(code, lm_language_code((lm_language)i)) == 0) {
            *out = (lm_language)i;
            return LM_OK;
        }
    return lm_fail(LM_USAGE, "--lang: '%.40s' is no language that is spoken here; use en or zh", code);
}

lm_status words_say(lm_str *out, lm_language language, words_phrase phrase, const char *a, const char *b, const char *c)
{
    return words_fill(out, words_text(language, phrase), a, b, c);
}

lm_status words_fill(lm_str *out, const char *text, const char *a, const char *b, const char *c)
{
    const char *const gap[] = {a, b, c};
    for (const char *at = text; *at;) {
        if (at[0] == '{' && at[1] >= '0' && at[1] <= '2' && at[2] == '}') {
            lm_str_add(out, gap[at[1] - '0'] ? gap[at[1] - '0'] : "");
            at += 3;
        } else {
            lm_str_char(out, *at++);
        }
    }
    return out->status;
}

const char *words_percent(lm_language language, double share, char room[WORDS_NUMBER])
{
    const double percent = 100 * fabs(share);
    if (percent < 0.1 && percent > 0)
        return words_text(language, WORDS_LESS);
    /* 99.97 is not yet 100 */
    const double shown = percent < 100 && percent > 99.9 ? 99.9 : percent;
    snprintf(room, WORDS_NUMBER, (shown > 0 && shown < 9.95) || (shown > 99 && shown < 100) ? "%.1f%%" : "%.0f%%",
             shown);
    return room;
}

const char *words_number(double number, char room[WORDS_NUMBER])
{
    snprintf(room, WORDS_NUMBER, "%.3g", number);
    return room;
}
