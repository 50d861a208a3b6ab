/* Members of JSON objects, and parts by their names. */
#include <string.h>

#include "core/base/nearest.h"
#include "core/data/tokens_inside.h"

const char *lm_member_text(const cJSON *object, const char *key, const char *none)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(m) && m->valuestring ? m->valuestring : none;
}

bool lm_member_flag(const cJSON *object, const char *key, bool none)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsBool(m) ? cJSON_IsTrue(m) : none;
}

lm_status lm_member_copy(const cJSON *object, const char *key, const char *none, char **out)
{
    *out = lm_strdup(lm_member_text(object, key, none));
    return *out ? LM_OK : LM_MEMORY;
}

bool lm_member_number(const cJSON *object, const char *key, double *out)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsNumber(m))
        return false;
    *out = m->valuedouble;
    return true;
}

bool lm_member_null(const cJSON *object, const char *key)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, key);
    return !m || cJSON_IsNull(m);
}

lm_status lm_part_read(const char *what, const lm_part_row *rows, size_t n, const cJSON *part, void *to)
{
    const char *known[32], *type = lm_member_text(part, "type", "");
    for (size_t i = 0; i < n; i++) {
        known[i] = rows[i].type;
        if (strcmp(rows[i].type, type) == 0)
            return lm_context(rows[i].read(part, to), "%s '%s'", what, type);
    }
    LM_REQUIRE(*type, LM_INPUT, "its %s has no type", what);
    lm_str words = {0};
    lm_list_words(known, n, &words);
    lm_fail(LM_UNSUPPORTED, "its %s '%.99s' is not supported; supported are %s", what, type, lm_str_text(&words));
    lm_str_free(&words);
    return LM_UNSUPPORTED;
}
