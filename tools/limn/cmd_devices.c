/* limn devices: what this machine has to compute with. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include <limn/limn.h>

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

static void as_json(command *cmd, const limn_device_info *list, size_t count)
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

static void as_lines(command *cmd, const limn_device_info *list, size_t count)
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
        comma(out, "", d->vendor);
        comma(out, "", d->product);
        lm_str_printf(out, ", %d unit%s", d->units, d->units == 1 ? "" : "s");
        if (d->memory)
            lm_str_printf(out, ", %.1f GiB", (double)d->memory / (1 << 30));
        comma(out, "levels ", d->levels);
        comma(out, "", d->exact ? "exact" : "close");
        comma(out, "driver ", d->driver);
        comma(out, "", d->locality);
        lm_str_add(out, d->chosen ? ", picked by auto\n" : "\n");
    }
}

lm_status cmd_devices(command *cmd)
{
    limn_device_info *list;
    size_t count;
    LM_TRY(limn_device_list(&list, &count));
    if (given(cmd, OPT_json))
        as_json(cmd, list, count);
    else
        as_lines(cmd, list, count);
    limn_device_list_free(list);
    return LM_OK;
}
