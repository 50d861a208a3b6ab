/* Finding out what is in force, past every setting that is wrong. */
#include "settings.h"

#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/device/chain.h"
#include "core/device/registry.h"

/* Note the last failure against the variable, and go on as if it were unset. */
static lm_status refuse(settings *s, lm_env_id id)
{
    lm_str why = {0};
    const char *name = lm_env_info(id)->name;
    bool named = strncmp(lm_message(), name, strlen(name)) == 0;
    lm_str_printf(&why, "%s%s%s", named ? "" : name, named ? "" : ": ", lm_message());
    lm_free(s->refused[id]);
    s->refused[id] = lm_str_take(&why);
    if (!s->refused[id])
        return LM_MEMORY;
    lm_log(LM_LOG_WARN, "%s", s->refused[id]);
    return lm_env_set(id, "");
}

static lm_status check_texts(settings *s)
{
    for (int i = 0; i < LM_ENV_COUNT; i++) {
        lm_env_id id = (lm_env_id)i;
        s->given[i] = lm_env_is_set(id) ? lm_env_text(id) : NULL;
        if (lm_env_check_row(id) != LM_OK)
            LM_TRY(refuse(s, id));
    }
    return LM_OK;
}

/* Of several plug-ins only those before the first that is refused are loaded. */
static lm_status check_plugins(settings *s, const lm_family **family, int *n)
{
    lm_status status = lm_families(family, n);
    if (status == LM_OK || !s->given[LM_ENV_PLUGINS])
        return status;
    LM_TRY(refuse(s, LM_ENV_PLUGINS));
    return lm_families(family, n);
}

static const char *last_word(const char *words)
{
    const char *blank = strrchr(words, ' ');
    return blank ? blank + 1 : words;
}

/* The cpu device as LIMN_CPU leaves it; "" in a build without one. */
static lm_status find_best(settings *s, const lm_family *cpu)
{
    lm_devinfo found[LM_FAMILY_DEVICES];
    int n;
    lm_status status = lm_family_probe(cpu, found, &n);
    if (status == LM_USAGE && s->given[LM_ENV_CPU]) {
        LM_TRY(refuse(s, LM_ENV_CPU));
        status = lm_family_probe(cpu, found, &n);
    }
    LM_TRY(status);
    if (n > 0)
        snprintf(s->best, sizeof s->best, "%s", last_word(found[0].levels));
    return LM_OK;
}

static lm_status open_chain(const command *cmd, settings *s, lm_chain *chain)
{
    lm_status status = lm_chain_open(NULL, chain);
    if (status == LM_OK || given(cmd, OPT_backend))
        return status;
    if (s->given[LM_ENV_BACKEND]) {
        LM_TRY(refuse(s, LM_ENV_BACKEND));
        status = lm_chain_open(NULL, chain);
    }
    if (status != LM_OK)
        lm_log(LM_LOG_WARN, "%s", lm_message());
    return LM_OK;
}

static lm_status find_devices(const command *cmd, settings *s)
{
    const lm_topo *topo;
    LM_TRY(lm_machine(&topo));
    int64_t threads = lm_topo_threads(topo);
    LM_TRY(lm_env_int(LM_ENV_THREADS, &threads));
    lm_chain chain = {0};
    LM_TRY(open_chain(cmd, s, &chain));
    snprintf(s->level, sizeof s->level, "%s", s->best);
    if (chain.n)
        lm_chain_text(&chain, s->device, sizeof s->device);
    for (int i = 0; i < chain.n; i++)
        if (chain.dev[i]->info.kind == LM_KIND_CPU) {
            snprintf(s->level, sizeof s->level, "%s", last_word(chain.dev[i]->info.levels));
            threads = chain.dev[i]->info.units;
            break;
        }
    snprintf(s->threads, sizeof s->threads, "%d", (int)threads);
    lm_chain_close(&chain);
    return LM_OK;
}

lm_status settings_find(const command *cmd, settings *s)
{
    const lm_family *family;
    int n;
    LM_TRY(check_texts(s));
    LM_TRY(check_plugins(s, &family, &n));
    for (int i = 0; i < n; i++)
        if (strcmp(family[i].backend->name, "cpu") == 0)
            LM_TRY(find_best(s, &family[i]));
    LM_TRY(find_devices(cmd, s));
    lm_status status = lm_env_cache_dir(&s->cache);
    return status == LM_NO ? LM_OK : status; /* no folder to be had: nothing is cached */
}

void settings_free(settings *s)
{
    for (int i = 0; i < LM_ENV_COUNT; i++)
        lm_free(s->refused[i]);
    lm_str_free(&s->cache);
    *s = (settings){0};
}

const char *settings_effective(const settings *s, lm_env_id id)
{
    switch (id) {
    case LM_ENV_BACKEND: return s->device;
    case LM_ENV_CPU: return s->level;
    case LM_ENV_THREADS: return s->threads;
    case LM_ENV_CACHE_DIR: return lm_str_text(&s->cache);
    case LM_ENV_LOG: return lm_env_is_set(id) ? lm_env_text(id) : lm_log_name(COMMAND_LOG);
    default: return lm_env_text(id);
    }
}
