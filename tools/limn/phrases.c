/* Phrases with gaps. */
#include "phrases.h"

#include <math.h>
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
    snprintf(text, 32, format, isnan(value) ? fabs(value) : value); /* no "-nan" */
#pragma GCC diagnostic pop
}

lm_status say_numbers(lm_str *out, lm_language language, phrase_id id, const char *format, double a, double b)
{
    char first[32], second[32];
    number(format, a, first);
    number(format, b, second);
    return say(out, language, id, first, second, NULL);
}

lm_status say_devices(lm_str *out, lm_language language, const limn_session *session)
{
    enum { DEVICES = 16 };
    limn_share share[DEVICES];
    int fixed;
    size_t n = limn_session_shares(session, share, DEVICES, &fixed);
    uint64_t rows = 0;
    n = n < DEVICES ? n : DEVICES;
    for (size_t i = 0; i < n; i++) {
        char count[32];
        snprintf(count, sizeof count, "%llu", (unsigned long long)share[i].rows);
        rows += share[i].rows;
        lm_str_add(out, i ? " + " : "");
        if (n > 1)
            say(out, language, share[i].rows == 1 ? SAY_ROW : SAY_ROWS, share[i].device, count, NULL);
        else
            lm_str_add(out, share[i].device);
    }
    const bool unshared = n && !fixed && share[0].rows == rows; /* a fast device may take all from the first */
    if (n > 1)
        lm_str_add(out, phrase(language, unshared ? SAY_UNSHARED : fixed ? SAY_FIXED : SAY_BY_SPEED));
    return out->status;
}
