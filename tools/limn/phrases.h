/* What the command says, in the language of --lang. */
#ifndef LIMN_PHRASES_H
#define LIMN_PHRASES_H

#include <limn/limn.h>

#include "core/base/str.h"
#include "core/draw/words.h"

typedef enum phrase_id {
#define PHRASE(id, ...) SAY_##id,
#include "phrases.def"
#undef PHRASE
    PHRASES
} phrase_id;

const char *phrase(lm_language language, phrase_id id);

/* Append it, with the texts in its gaps (NULL where there are fewer). */
lm_status say(lm_str *out, lm_language language, phrase_id id, const char *a, const char *b, const char *c);

/* The same with numbers in the gaps, as "%.6g" and the like write them; `b` where there is a second gap. */
lm_status say_numbers(lm_str *out, lm_language language, phrase_id id, const char *format, double a, double b);

/* "cpu", or what each of several devices has run: "opencl:0.0 (30 rows) + cpu (20 rows), by speed". */
lm_status say_devices(lm_str *out, lm_language language, const limn_session *session);

#endif
