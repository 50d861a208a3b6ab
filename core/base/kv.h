/* Lists of options as they stand after a device's name: `isa=avx2:threads=4`. A plain array, so that a plug-in can
 * read it without linking to anything. */
#ifndef LM_BASE_KV_H
#define LM_BASE_KV_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

typedef struct lm_pair {
    const char *key, *value;
} lm_pair;

typedef struct lm_kv {
    int count;
    const lm_pair *pair;
    char *text; /* the storage behind the pairs */
} lm_kv;

/* Parse "key=value:key=value"; "" and NULL give an empty list. LM_USAGE for an item without '=', an empty key, or a key
 * given twice. Free with lm_kv_free. */
lm_status lm_kv_parse(const char *text, lm_kv *out);
void lm_kv_free(lm_kv *kv); /* leaves an empty list */

/* The value, NULL when the list (which may be NULL) has no such key. */
const char *lm_kv_get(const lm_kv *kv, const char *key);

/* Typed values; `*out` stays as it is when the key is absent. LM_USAGE names key, value and what is allowed. */
lm_status lm_kv_int(const lm_kv *kv, const char *key, int64_t least, int64_t most, int64_t *out);
lm_status lm_kv_bool(const lm_kv *kv, const char *key, bool *out); /* 0 or 1 */
lm_status lm_kv_word(const lm_kv *kv, const char *key, const char *words, int *out); /* words: "f32|f64" */

/* LM_USAGE, listing `known` ("isa|threads|bind"), when a key is none of them. `who` names the device in the message. */
lm_status lm_kv_check(const lm_kv *kv, const char *who, const char *known);

/* Position of `word` in "a|b|c", -1 when it is none of them. */
int lm_word_index(const char *words, const char *word);

#endif
