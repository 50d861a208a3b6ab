/* Phrases with gaps. */
#include "phrases.h"

#include <stdio.h>

#include "core/draw/words_text.h"

const char *phrase(lm_language language, phrase_id id)
{
    static const char *const texts[PHRASES][LM_LANGUAGES] = {
#define PHRASE(id, english, chinese) {english, chinese},
#include "phrases.def"
#undef PHRASE
    };
    return texts[id][language];
}

lm_status say(lm_str *out, lm_language language, phrase_id id, const char *a, const char *b, const char *c)
{
    return words_fill(out, phrase(language, id), a, b, c);
}

/* Only called with formats of one number. */
static void number(const char *format, double value, char text[32])
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, 32, format, value);
#pragma GCC diagnostic pop
}

lm_status say_numbers(lm_str *out, lm_language language, phrase_id id, const char *format, double a, double b)
{
    char first[32], second[32];
    number(format, a, first);
    number(format, b, second);
    return say(out, language, id, first, second, NULL);
}
