/* Regular expressions as tokenizer files have them: alternatives, groups, greedy, lazy and possessive repetition, sets,
 * categories of Unicode, looking ahead and one fixed step back. No captures, no back references. */
#ifndef LM_DATA_PATTERN_H
#define LM_DATA_PATTERN_H

#include "core/data/text.h"

typedef struct lm_pattern lm_pattern;

/* LM_UNSUPPORTED names the first part of the expression that is not known, LM_INPUT what is malformed. */
lm_status lm_pattern_new(const char *expression, lm_pattern **out);
lm_status lm_pattern_literal(const char *string, lm_pattern **out);
void lm_pattern_free(lm_pattern *p); /* NULL is fine */

/* Everything in the text that matches, from left to right; of two beginnings the first. LM_UNSUPPORTED where the search
 * goes back and forth without end. */
lm_status lm_pattern_find(const lm_pattern *p, const lm_text *t, lm_founds *out);

#endif
