/* Option lists and word lists. */
#include "core/base/kv.h"

#include <string.h>

#include "core/base/env.h"
#include "core/base/mem.h"
#include "core/base/vec.h"

/* Split `text` in place; the pairs point into it. */
static lm_status split(char *text, lm_kv *kv)
{
    LM_VEC(lm_pair) pairs = {0};
    lm_status status = LM_OK;
    for (char *item = text, *next; item; item = next) {
        next = strchr(item, ':');
        if (next)
            *next++ = '\0';
        char *equals = strchr(item, '=');
        if (!equals || equals == item) {
            status = lm_fail(LM_USAGE, "'%.99s' is no option; write key=value", item);
            break;
        }
        *equals = '\0';
        for (size_t i = 0; i < pairs.count && status == LM_OK; i++)
            if (strcmp(pairs.at[i].key, item) == 0)
                status = lm_fail(LM_USAGE, "the option '%.99s' is given twice", item);
        if (status == LM_OK)
            status = lm_vec_push(&pairs, (lm_pair){item, equals + 1});
        if (status != LM_OK)
            break;
    }
    if (status != LM_OK) {
        lm_vec_free(&pairs);
        return status;
    }
    kv->count = (int)pairs.count;
    kv->pair = pairs.at;
    return LM_OK;
}

lm_status lm_kv_parse(const char *text, lm_kv *out)
{
    lm_kv kv = {0};
    if (text && *text) {
        kv.text = lm_strdup(text);
        if (!kv.text)
            return LM_MEMORY;
        lm_status status = split(kv.text, &kv);
        if (status != LM_OK) {
            lm_free(kv.text);
            return status;
        }
    }
    *out = kv;
    return LM_OK;
}

void lm_kv_free(lm_kv *kv)
{
    lm_free((void *)kv->pair);
    lm_free(kv->text);
    *kv = (lm_kv){0};
}

const char *lm_kv_get(const lm_kv *kv, const char *key)
{
    for (int i = 0; kv && i < kv->count; i++)
        if (strcmp(kv->pair[i].key, key) == 0)
            return kv->pair[i].value;
    return NULL;
}

lm_status lm_kv_int(const lm_kv *kv, const char *key, int64_t least, int64_t most, int64_t *out)
{
    const char *value = lm_kv_get(kv, key);
    int64_t number;
    if (!value)
        return LM_OK;
    LM_REQUIRE(lm_parse_int(value, &number) && number >= least && number <= most, LM_USAGE,
               "%s=%.99s: give a whole number from %lld to %lld", key, value, (long long)least, (long long)most);
    *out = number;
    return LM_OK;
}

lm_status lm_kv_bool(const lm_kv *kv, const char *key, bool *out)
{
    int64_t number = *out;
    LM_TRY(lm_kv_int(kv, key, 0, 1, &number));
    *out = number != 0;
    return LM_OK;
}

lm_status lm_kv_word(const lm_kv *kv, const char *key, const char *words, int *out)
{
    const char *value = lm_kv_get(kv, key);
    if (!value)
        return LM_OK;
    int position = lm_word_index(words, value);
    LM_REQUIRE(position >= 0, LM_USAGE, "%s=%.99s: give one of %s", key, value, words);
    *out = position;
    return LM_OK;
}

lm_status lm_kv_check(const lm_kv *kv, const char *who, const char *known)
{
    for (int i = 0; kv && i < kv->count; i++)
        LM_REQUIRE(lm_word_index(known, kv->pair[i].key) >= 0, LM_USAGE, "%s has no option '%.99s'; it takes %s", who,
                   kv->pair[i].key, *known ? known : "none");
    return LM_OK;
}

int lm_word_index(const char *words, const char *word)
{
    size_t length = strlen(word);
    int position = 0;
    for (const char *at = words; *word && at && *at; position++) {
        const char *bar = strchr(at, '|');
        size_t span = bar ? (size_t)(bar - at) : strlen(at);
        if (span == length && memcmp(at, word, length) == 0)
            return position;
        at = bar ? bar + 1 : NULL;
    }
    return -1;
}
