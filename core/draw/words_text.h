/* The phrases of all languages, and how their gaps are filled. */
#ifndef LM_DRAW_WORDS_TEXT_H
#define LM_DRAW_WORDS_TEXT_H

#include "core/draw/words.h"

typedef enum words_phrase {
#define PHRASE(id, ...) WORDS_##id,
#include "core/draw/words.def"
#undef PHRASE
    WORDS_PHRASES
} words_phrase;

const char *words_text(lm_language language, words_phrase phrase);

/* Append a phrase whose {0}, {1} and {2} are replaced by the texts (NULL where there are fewer). No space is left
 * between Chinese and Chinese, and no full stop behind a text that ends with one. */
lm_status words_say(lm_str *out, lm_language language, words_phrase phrase, const char *a, const char *b,
                    const char *c);

/* The same with a text of the caller's own. */
lm_status words_fill(lm_str *out, const char *text, const char *a, const char *b, const char *c);

/* A percentage as it may be rounded to a digit behind the point: 99.97 is not yet 100. */
double words_below_all(double percent);

/* "12%", "0.4%", "under 0.1%" of a share from 0 to 1. */
enum { WORDS_NUMBER = 48 };
const char *words_percent(lm_language language, double share, char room[WORDS_NUMBER]);

/* "3.14", "2.5e-06": three digits. */
const char *words_number(double number, char room[WORDS_NUMBER]);

#endif
