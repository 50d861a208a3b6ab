/* Profiles: whose conventions an explanation follows. */
#include <string.h>

#include "core/base/nearest.h"
#include "core/explain/question.h"
#include "core/graph/passes.h"

#define LM_PROFILE(name) #name,
#define LM_USUAL(...)
#define LM_RULES(...)
#define LM_FLAW(...)
static const char *const profiles[] = {
#include "core/explain/compat.def"
};
#undef LM_PROFILE
#undef LM_USUAL
#undef LM_FLAW

typedef struct usual_row {
    const char *profile, *method, *key, *value;
} usual_row;

#define LM_PROFILE(...)
#define LM_FLAW(...)
#define LM_USUAL(profile, method, key, value) {#profile, method, key, value},
static const usual_row usual[] = {
#include "core/explain/compat.def"
};
#undef LM_USUAL
#undef LM_FLAW

typedef struct flaw_row {
    const char *profile, *method, *options, *text;
} flaw_row;

#define LM_USUAL(...)
#define LM_FLAW(profile, method, options, text) {#profile, method, options, text},
static const flaw_row flaws[] = {
#include "core/explain/compat.def"
};
#undef LM_RULES
#undef LM_FLAW

lm_status lm_compat_find(const char *name, const char **out)
{
    lm_str text = {0};
    for (size_t i = 0; i < LM_COUNT(profiles); i++)
        if (strcmp(profiles[i], name ? name : profiles[0]) == 0) {
            *out = profiles[i];
            return LM_OK;
        }
    lm_list_words(profiles, LM_COUNT(profiles), &text);
    lm_fail(LM_USAGE, "profile '%s': there is none of that name; choose %s", name, lm_str_text(&text));
    lm_str_free(&text);
    return LM_USAGE;
}

const char *lm_compat_usual(const char *compat, const char *method, const char *key)
{
    for (size_t i = 0; i < LM_COUNT(usual); i++)
        if (strcmp(usual[i].profile, compat) == 0 && strcmp(usual[i].method, method) == 0 &&
            strcmp(usual[i].key, key) == 0)
            return usual[i].value;
    return NULL;
}

const char *lm_compat_flaw(const char *compat, const char *method, const char *options)
{
    for (size_t i = 0; i < LM_COUNT(flaws); i++)
        if (strcmp(flaws[i].profile, compat) == 0 && strcmp(flaws[i].method, method) == 0 &&
            strstr(options, flaws[i].options))
            return flaws[i].text;
    return NULL;
}

lm_rule_options lm_compat_rules(const char *compat)
{
    lm_rule_options o = LM_RULE_OPTIONS_DEFAULT;
#define LM_FLAW(...)
#define LM_RULES(profile, field, value)                                                                                \
    if (strcmp(compat, #profile) == 0)                                                                                 \
        o.field = value;
#include "core/explain/compat.def"
    return o;
}
