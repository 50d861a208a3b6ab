/* Reading, overriding and checking the settings. The only file that calls getenv. */
#include "core/base/env.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/kv.h"
#include "core/base/mem.h"

static const lm_env_row rows[LM_ENV_COUNT] = {
#define LM_ENV_ROW(id, name, type, deflt, allowed, help) {name, #type, deflt, allowed, help},
#include "core/base/env.def"
#undef LM_ENV_ROW
};

static enum { TEXT, PATH, LIST, FLAG, INT, SIZE, WORD } const types[LM_ENV_COUNT] = {
#define LM_ENV_ROW(id, name, type, deflt, allowed, help) type,
#include "core/base/env.def"
#undef LM_ENV_ROW
};

/* A text once handed out must stay readable, so replaced overrides are kept on a list until lm_env_reset. */
typedef struct kept {
    struct kept *older;
    char text[];
} kept;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static kept *overrides;
static _Atomic(const char *) override_of[LM_ENV_COUNT];

const lm_env_row *lm_env_info(lm_env_id id)
{
    return &rows[id];
}

/* NULL when nothing is set. */
static const char *given(lm_env_id id)
{
    const char *text = atomic_load(&override_of[id]);
    if (!text)
        text = getenv(rows[id].name);
    return text && *text ? text : NULL;
}

const char *lm_env_text(lm_env_id id)
{
    const char *text = given(id);
    return text ? text : rows[id].deflt;
}

bool lm_env_is_set(lm_env_id id)
{
    return given(id) != NULL;
}

bool lm_env_flag(lm_env_id id)
{
    return *lm_env_text(id) != '\0';
}

bool lm_parse_int(const char *text, int64_t *out)
{
    const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
    if (*digits < '0' || *digits > '9')
        return false;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || *end)
        return false;
    *out = number;
    return true;
}

bool lm_parse_size(const char *text, uint64_t *out)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno)
        return false;
    if (*end) {
        static const char units[] = "kKmMgGtT";
        const char *unit = strchr(units, *end);
        if (!unit || end[1])
            return false;
        int shift = 10 * (1 + (int)(unit - units) / 2);
        if (number > UINT64_MAX >> shift)
            return false;
        number <<= shift;
    }
    *out = number;
    return true;
}

/* `allowed` of an INT row: "least-most". */
static bool in_range(const char *allowed, int64_t number)
{
    long long least, most;
    return sscanf(allowed, "%lld-%lld", &least, &most) != 2 || (number >= least && number <= most);
}

/* `who` gave the text: the variable, or an option that stands for it. */
static lm_status check(lm_env_id id, const char *who, const char *text)
{
    const lm_env_row *row = &rows[id];
    int64_t number;
    uint64_t size;
    switch (types[id]) {
    case INT:
        LM_REQUIRE(lm_parse_int(text, &number) && in_range(row->allowed, number), LM_USAGE,
                   "%s=%.99s: give a whole number in %s", who, text, row->allowed);
        break;
    case SIZE:
        LM_REQUIRE(lm_parse_size(text, &size), LM_USAGE, "%s=%.99s: give a number of bytes, such as 512M or 2G", who,
                   text);
        break;
    case WORD:
        LM_REQUIRE(lm_word_index(row->allowed, text) >= 0, LM_USAGE, "%s=%.99s: give one of %s", who, text,
                   row->allowed);
        break;
    default: break;
    }
    return LM_OK;
}

/* The checked text of a typed read; "" when there is none. */
static lm_status checked(lm_env_id id, const char **text)
{
    *text = lm_env_text(id);
    return **text ? check(id, rows[id].name, *text) : LM_OK;
}

lm_status lm_env_int(lm_env_id id, int64_t *out)
{
    const char *text;
    LM_TRY(checked(id, &text));
    if (*text)
        lm_parse_int(text, out);
    return LM_OK;
}

lm_status lm_env_size(lm_env_id id, uint64_t *out)
{
    const char *text;
    LM_TRY(checked(id, &text));
    if (*text)
        lm_parse_size(text, out);
    return LM_OK;
}

lm_status lm_env_word(lm_env_id id, int *out)
{
    const char *text;
    LM_TRY(checked(id, &text));
    if (*text)
        *out = lm_word_index(rows[id].allowed, text);
    return LM_OK;
}

lm_status lm_env_set(lm_env_id id, const char *value)
{
    return lm_env_option(id, rows[id].name, value);
}

lm_status lm_env_option(lm_env_id id, const char *option, const char *value)
{
    if (!value) {
        atomic_store(&override_of[id], NULL);
        return LM_OK;
    }
    if (*value)
        LM_TRY(check(id, option, value));
    size_t bytes = strlen(value) + 1;
    kept *fresh = lm_malloc(sizeof *fresh + bytes, 1);
    if (!fresh)
        return LM_MEMORY;
    memcpy(fresh->text, value, bytes);
    pthread_mutex_lock(&lock);
    fresh->older = overrides;
    overrides = fresh;
    atomic_store(&override_of[id], fresh->text);
    pthread_mutex_unlock(&lock);
    return LM_OK;
}

lm_status lm_env_check_row(lm_env_id id)
{
    const char *text;
    return checked(id, &text);
}

lm_status lm_env_check(void)
{
    for (int id = 0; id < LM_ENV_COUNT; id++)
        LM_TRY(lm_env_check_row((lm_env_id)id));
    return LM_OK;
}

void lm_env_reset(void)
{
    pthread_mutex_lock(&lock);
    for (int id = 0; id < LM_ENV_COUNT; id++)
        atomic_store(&override_of[id], NULL);
    while (overrides) {
        kept *older = overrides->older;
        lm_free(overrides);
        overrides = older;
    }
    pthread_mutex_unlock(&lock);
}

lm_status lm_env_cache_dir(lm_str *out)
{
    static const struct {
        lm_env_id id;
        const char *below;
    } places[] = {{LM_ENV_CACHE_DIR, ""}, {LM_ENV_XDG_CACHE_HOME, "/limn"}, {LM_ENV_HOME, "/.cache/limn"}};
    for (size_t i = 0; i < LM_COUNT(places); i++)
        if (lm_env_is_set(places[i].id))
            return lm_str_printf(out, "%s%s", lm_env_text(places[i].id), places[i].below);
    return LM_NO;
}
