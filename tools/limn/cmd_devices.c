/* limn devices: what this machine has to compute with. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include <limn/limn.h>

#include "core/base/env.h"
#include "core/base/log.h"

/* What the list of --backend or LIMN_BACKEND picks, if there is one. */
typedef struct pick {
    const char *by;
    char device[64]; /* "" when nothing of the list can be used; several with '+' between them */
} pick;

static bool is_picked(const pick *p, const char *name)
{
    for (const char *at = p->device; *at; at += at[strcspn(at, "+")] == '+') {
        const size_t length = strcspn(at, "+");
        if (strlen(name) == length && memcmp(at, name, length) == 0)
            return true;
        at += length;
    }
    return false;
}

/* A list that makes no sense is an error, also here; one whose devices are not to be had is a reason to look at this
 * list. */
static lm_status find_pick(const command *cmd, pick *p)
{
    *p = (pick){.by = given(cmd, OPT_backend) ? "--backend" : "LIMN_BACKEND"};
    if (!lm_env_is_set(LM_ENV_BACKEND))
        return LM_OK;
    limn_device *device;
    limn_device_info info;
    lm_status status = limn_device_open(NULL, &device);
    if (status == LM_DEVICE) {
        lm_log(LM_LOG_WARN, "%s: %s", p->by, lm_message());
        return LM_OK;
    }
    LM_TRY(status);
    status = limn_device_describe(device, &info);
    limn_device_free(device);
    LM_TRY(status);
    snprintf(p->device, sizeof p->device, "%s", info.name);
    return LM_OK;
}

/* Blank-separated words as a JSON list. */
static void words(lm_json *j, const char *text)
{
    lm_json_array(j);
    while (*text) {
        char word[64];
        size_t length = strcspn(text, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        lm_json_string(j, word);
        text += length + strspn(text + length, " ");
    }
    lm_json_end_array(j);
}

static void pair(lm_json *j, const char *key, const char *text)
{
    lm_json_key(j, key);
    lm_json_string(j, text);
}

static void as_json(command *cmd, const limn_device_info *list, size_t count, const pick *p)
{
    lm_json j;
    lm_json_start(&j, &cmd->out);
    lm_json_array(&j);
    for (size_t i = 0; i < count; i++) {
        const limn_device_info *d = &list[i];
        lm_json_object(&j);
        pair(&j, "name", d->name);
        pair(&j, "kind", limn_device_kind_name(d->kind));
        pair(&j, "vendor", d->vendor);
        pair(&j, "driver", d->driver);
        lm_json_key(&j, "units");
        lm_json_int(&j, d->units);
        lm_json_key(&j, "memory");
        lm_json_int(&j, (int64_t)d->memory);
        lm_json_key(&j, "levels");
        words(&j, d->levels);
        pair(&j, "class", d->exact ? "exact" : "close");
        pair(&j, "locality", d->locality);
        lm_json_key(&j, "picked");
        lm_json_bool(&j, *p->device ? is_picked(p, d->name) : !lm_env_is_set(LM_ENV_BACKEND) && d->chosen);
        lm_json_key(&j, "auto");
        lm_json_bool(&j, d->chosen);
        lm_json_end_object(&j);
    }
    lm_json_end_array(&j);
    lm_str_char(&cmd->out, '\n');
}

static void comma(lm_str *out, const char *label, const char *text)
{
    if (*text)
        lm_str_printf(out, ", %s%s", label, text);
}

static void as_lines(command *cmd, const limn_device_info *list, size_t count, const pick *p)
{
    size_t widest = 0;
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i].name) > widest)
            widest = strlen(list[i].name);
    lm_str *out = &cmd->out;
    for (size_t i = 0; i < count; i++) {
        const limn_device_info *d = &list[i];
        bold(cmd, d->name);
        lm_str_printf(out, "%*s%s", (int)(widest - strlen(d->name)) + 2, "", limn_device_kind_name(d->kind));
        bool named = strncmp(d->product, d->vendor, strlen(d->vendor)) == 0; /* "AMD, AMD EPYC" would say it twice */
        comma(out, "", named ? "" : d->vendor);
        comma(out, "", d->product);
        lm_str_printf(out, ", %d unit%s", d->units, d->units == 1 ? "" : "s");
        if (d->memory)
            lm_str_printf(out, ", %.1f GiB", (double)d->memory / (1 << 30));
        comma(out, "levels ", d->levels);
        comma(out, "", d->exact ? "exact" : "close");
        comma(out, "driver ", d->driver);
        comma(out, "", d->locality);
        comma(out, "", d->chosen ? "picked by auto" : "");
        comma(out, "picked by ", is_picked(p, d->name) ? p->by : "");
        lm_str_char(out, '\n');
    }
}

lm_status cmd_devices(command *cmd)
{
    limn_device_info *list;
    size_t count;
    pick p;
    LM_TRY(find_pick(cmd, &p));
    LM_TRY(limn_device_list(&list, &count));
    if (given(cmd, OPT_json))
        as_json(cmd, list, count, &p);
    else
        as_lines(cmd, list, count, &p);
    limn_device_list_free(list);
    return LM_OK;
}
