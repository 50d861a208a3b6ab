/* A LIMN_BACKEND text taken apart (the grammar is in chain.h). Pure text work: whether the devices exist is the chain's
 * business. */
#ifndef LM_DEVICE_SPEC_H
#define LM_DEVICE_SPEC_H

#include <stdbool.h>

#include "core/base/kv.h"
#include "core/base/status.h"

/* The most devices that split work, and the largest part of one. */
enum { LM_SPEC_JOINED = 8, LM_SPEC_SHARE = 1000 };
enum { LM_SPEC_NAME = 32, LM_SPEC_INDEX = 24, LM_SPEC_TEXT = LM_SPEC_NAME + LM_SPEC_INDEX };

typedef struct lm_spec_word {
    char name[LM_SPEC_NAME];   /* "auto" or a family of devices */
    char index[LM_SPEC_INDEX]; /* "0", "0.1"; "" when the word names the whole family */
    lm_kv opts;                /* what goes to the device; `strict` and `split` are taken out */
    bool strict;
    int share;                 /* its part of the rows that joined words split; 0: not said */
    bool exclude;
    bool joined; /* by '+' to the word before */
} lm_spec_word;

typedef struct lm_spec {
    lm_spec_word *word;
    int count;
} lm_spec;

/* LM_USAGE names the item that does not fit the grammar. Exclusions alone get an `auto` appended. */
lm_status lm_spec_parse(const char *text, lm_spec *out);
lm_status lm_spec_blame(lm_status status, const char *text); /* puts the list in front of a failure's message */
void lm_spec_free(lm_spec *spec); /* leaves {0} */

/* May a family of devices be called so? Small letters, digits and '_', and not `auto`. */
bool lm_spec_is_family(const char *name);

bool lm_spec_is_auto(const lm_spec_word *word);

/* Does the word mean the device of this name ("cpu", "opencl:0.1")? A name without a number is number 0. */
bool lm_spec_names(const lm_spec_word *word, const char *device);

/* "name" or "name:index". */
const char *lm_spec_text(const lm_spec_word *word, char text[LM_SPEC_TEXT]);

#endif
