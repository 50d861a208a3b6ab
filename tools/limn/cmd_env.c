/* limn env: the settings that come from the environment, and what is in force. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include <limn/limn.h>

#include "core/base/env.h"
#include "core/base/mem.h"
#include "core/device/chain.h"

/* What a variable amounts to on this machine, for those where that is more than its text. */
typedef struct facts {
    char device[64], level[64], threads[16];
    lm_str cache;
} facts;

/* The best instruction level that the cpu device uses; "" in a build without it. */
static lm_status find_level(char *level, size_t room)
{
    lm_devinfo *list;
    int n;
    LM_TRY(lm_device_list(&list, &n, NULL));
    *level = '\0';
    for (int i = 0; i < n; i++)
        if (list[i].kind == LM_KIND_CPU) {
            const char *last = strrchr(list[i].levels, ' ');
            snprintf(level, room, "%s", last ? last + 1 : list[i].levels);
        }
    lm_free(list);
    return LM_OK;
}

static lm_status find_facts(facts *f)
{
    const lm_topo *topo;
    LM_TRY(lm_machine(&topo));
    int64_t threads = lm_topo_threads(topo);
    LM_TRY(lm_env_int(LM_ENV_THREADS, &threads));
    snprintf(f->threads, sizeof f->threads, "%d", (int)threads);
    LM_TRY(find_level(f->level, sizeof f->level));
    lm_chain chain;
    LM_TRY(lm_chain_open(NULL, &chain));
    snprintf(f->device, sizeof f->device, "%s", chain.dev[0]->info.name);
    lm_chain_close(&chain);
    lm_status status = lm_env_cache_dir(&f->cache);
    return status == LM_NO ? LM_OK : status; /* no folder to be had: nothing is cached */
}

static const char *effective(const facts *f, lm_env_id id)
{
    switch (id) {
    case LM_ENV_BACKEND: return f->device;
    case LM_ENV_CPU: return f->level;
    case LM_ENV_THREADS: return f->threads;
    case LM_ENV_CACHE_DIR: return lm_str_text(&f->cache);
    default: return lm_env_text(id);
    }
}

static void as_json(command *cmd, const facts *f)
{
    lm_json j;
    lm_json_start(&j, &cmd->out);
    lm_json_object(&j);
    for (int i = 0; i < LM_ENV_COUNT; i++) {
        lm_env_id id = (lm_env_id)i;
        lm_json_key(&j, lm_env_info(id)->name);
        lm_json_object(&j);
        lm_json_key(&j, "value");
        lm_json_string(&j, lm_env_is_set(id) ? lm_env_text(id) : NULL);
        lm_json_key(&j, "effective");
        lm_json_string(&j, effective(f, id));
        lm_json_key(&j, "help");
        lm_json_string(&j, lm_env_info(id)->help);
        lm_json_end_object(&j);
    }
    lm_json_end_object(&j);
    lm_str_char(&cmd->out, '\n');
}

static void as_lines(command *cmd, const facts *f)
{
    static const int width[] = {15, 24, 0};
    for (int i = 0; i < LM_ENV_COUNT; i++) {
        lm_env_id id = (lm_env_id)i;
        const char *value = lm_env_is_set(id) ? lm_env_text(id) : "(unset)", *now = effective(f, id);
        lm_str shown = {0};
        lm_str_add(&shown, value);
        if (*now && strcmp(now, value) != 0)
            lm_str_printf(&shown, " -> %s", now);
        if (id == LM_ENV_CPU && lm_env_is_set(id) && strcmp(now, value) != 0)
            lm_str_add(&shown, " (capped: this machine or build has no more)");
        table_row(&cmd->out, width, (const char *[]){lm_env_info(id)->name, lm_str_text(&shown), lm_env_info(id)->help}, 3);
        lm_str_free(&shown);
    }
}

lm_status cmd_env(command *cmd)
{
    facts f = {0};
    lm_status status = find_facts(&f);
    if (status == LM_OK && given(cmd, OPT_json))
        as_json(cmd, &f);
    else if (status == LM_OK)
        as_lines(cmd, &f);
    lm_str_free(&f.cache);
    return status;
}
