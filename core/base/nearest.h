/* "Did you mean ...": the words nearest to one that does not exist. */
#ifndef LM_BASE_NEAREST_H
#define LM_BASE_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/str.h"

/* Letters to change, insert, remove or swap with their neighbour to get from `a` to `b`; capital letters count as
 * small. */
int lm_word_distance(const char *a, const char *b);

/* Append the words of `known` that `word` may be a slip of, best first and at most three, as "a, b or c". False, with
 * nothing appended, when none is near. */
bool lm_nearest(const char *word, const char *const *known, size_t count, lm_str *out);

/* Append "a, b or c". */
lm_status lm_list_words(const char *const *words, size_t count, lm_str *out);

#endif
