/* Text that remembers where it came from: every byte knows the part of the first text that it stands for, however often
 * the text was changed or cut. */
#ifndef LM_DATA_TEXT_H
#define LM_DATA_TEXT_H

#include <stdbool.h>

#include "core/data/unicode.h"

/* Bytes begin ... end - 1 of the first text. */
typedef struct lm_span {
    uint32_t begin, end;
} lm_span;

/* Starts as {0}; freed with lm_text_free. Valid UTF-8 without a zero byte at its end. */
typedef struct lm_text {
    char *at;
    lm_span *from; /* by byte */
    size_t count, room;
    uint32_t origin; /* where in the first text this one begins */
} lm_text;

lm_status lm_text_from(const char *bytes, size_t count, lm_text *out);
lm_status lm_text_part(const lm_text *t, size_t begin, size_t end, lm_text *out);
void lm_text_free(lm_text *t);
void lm_text_replace(lm_text *t, lm_text *by); /* frees t, empties by */

lm_status lm_text_push(lm_text *t, uint32_t c, lm_span from);
lm_status lm_text_push_range(lm_text *t, const lm_text *of, size_t begin, size_t end);
lm_status lm_text_push_string(lm_text *t, const char *string, lm_span from);

/* Before the first character, whose origin it gets; an empty text stays empty. */
lm_status lm_text_prepend(lm_text *t, const char *string);

/* The changed form; steps cover the whole text. */
lm_status lm_text_steps(lm_text *t, const lm_steps *steps);

/* The part of the first text that bytes begin ... end - 1 stand for. */
lm_span lm_text_span(const lm_text *t, size_t begin, size_t end);

bool lm_text_starts(const lm_text *t, const char *string);

/* What a pattern finds in a text, from left to right and without gaps: pieces that match and pieces between. */
typedef struct lm_found {
    size_t begin, end;
    bool match;
} lm_found;
typedef LM_VEC(lm_found) lm_founds;

/* Every character that `is` says yes to is a match by itself. */
lm_status lm_find_characters(const lm_text *t, bool (*is)(uint32_t), lm_founds *out);

/* Add a match behind what was found so far, and the piece between. With match false: the rest of the text. */
lm_status lm_found_add(lm_founds *f, size_t begin, size_t end, bool match);

#endif
