/* Phrases with gaps. */
#include "core/draw/words_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/draw/svg.h"

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

/* CJK and its punctuation, which stand close. */
static bool is_wide(char first)
{
    enum { WIDE = 0xE3 };
    return (unsigned char)first >= WIDE;
}

static bool ends_wide(const lm_str *s, size_t end)
{
    return end >= 3 && is_wide(s->text[end - 3]);
}

/* A gap's text: Chinese in Chinese needs none of the spaces that stand around numbers and names, and a sentence that
 * ends already no second full stop. The answer is how much of what follows is left out. */
static size_t fill_gap(lm_str *out, const char *text, const char *rest)
{
    const size_t start = out->count, n = strlen(text);
    if (!n)
        return 0;
    if (is_wide(text[0]) && start && out->text[start - 1] == ' ' && ends_wide(out, start - 1))
        out->text[--out->count] = '\0';
    if (lm_str_add(out, text) != LM_OK)
        return 0;
    const bool close = rest[0] == ' ' && is_wide(rest[1]) && ends_wide(out, out->count);
    const bool ended = rest[0] == '.' && !rest[1 + strspn(rest + 1, " ")] && strchr(".!?", text[n - 1]);
    return close || ended;
}

lm_status words_fill(lm_str *out, const char *text, const char *a, const char *b, const char *c)
{
    const char *const gap[] = {a, b, c};
    for (const char *at = text; *at;) {
        if (at[0] == '{' && at[1] >= '0' && at[1] <= '2' && at[2] == '}') {
            const char *given = gap[at[1] - '0'] ? gap[at[1] - '0'] : "";
            at += 3;
            at += fill_gap(out, given, at);
        } else {
            lm_str_char(out, *at++);
        }
    }
    return out->status;
}

double words_below_all(double percent)
{
    return percent < 100 && percent > 99.9 ? 99.9 : percent;
}

const char *words_percent(lm_language language, double share, char room[WORDS_NUMBER])
{
    const double percent = 100 * fabs(share);
    if (percent < 0.1 && percent > 0)
        return words_text(language, WORDS_LESS);
    const double shown = words_below_all(percent);
    snprintf(room, WORDS_NUMBER, (shown > 0 && shown < 9.95) || (shown > 99 && shown < 100) ? "%.1f%%" : "%.0f%%",
             shown);
    return room;
}

const char *words_number(double number, char room[WORDS_NUMBER])
{
    return draw_number(number, 3, room);
}
