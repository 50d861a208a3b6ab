/* limn env: the settings that come from the environment, and what is in force. */
#include "command.h"

#include <string.h>

#include "settings.h"

static void as_json(command *cmd, const settings *s)
{
    lm_json j;
    lm_json_start(&j, &cmd->out);
    lm_json_object(&j);
    for (int i = 0; i < LM_ENV_COUNT; i++) {
        lm_env_id id = (lm_env_id)i;
        lm_str refusal = {0};
        if (s->refused[i])
            lm_str_printf(&refusal, "refused: %s", s->refused[i]);
        lm_json_key(&j, lm_env_info(id)->name);
        lm_json_object(&j);
        lm_json_key(&j, "value");
        lm_json_string(&j, s->given[i]);
        lm_json_key(&j, "effective");
        lm_json_string(&j, s->refused[i] ? lm_str_text(&refusal) : settings_effective(s, id));
        lm_json_key(&j, "help");
        lm_json_string(&j, lm_env_info(id)->help);
        lm_json_end_object(&j);
        lm_str_free(&refusal);
    }
    lm_json_end_object(&j);
    lm_str_char(&cmd->out, '\n');
}

/* Why the level in force is another than the one that was asked for. */
static const char *level_note(const settings *s)
{
    const char *asked = s->given[LM_ENV_CPU];
    if (asked && !s->refused[LM_ENV_CPU] && strcmp(asked, s->best) != 0)
        return " (capped: this machine or build has no more)";
    return strcmp(s->level, s->best) != 0 ? " (by the device list)" : "";
}

static void as_lines(command *cmd, const settings *s)
{
    static const int width[] = {15, 24, 0};
    for (int i = 0; i < LM_ENV_COUNT; i++) {
        lm_env_id id = (lm_env_id)i;
        const char *value = s->given[i] ? s->given[i] : "(unset)", *now = settings_effective(s, id);
        char line[4200]; /* a path and a note; one line a variable, whatever is in it */
        lm_str shown = {0};
        lm_str_add(&shown, value);
        if (s->refused[i])
            lm_str_printf(&shown, " -> refused%s%s", *now ? ", instead " : "", now);
        else if (*now && strcmp(now, value) != 0)
            lm_str_printf(&shown, " -> %s", now);
        if (id == LM_ENV_CPU)
            lm_str_add(&shown, level_note(s));
        lm_one_line(line, sizeof line, lm_str_text(&shown));
        table_row(&cmd->out, width, (const char *[]){lm_env_info(id)->name, line, lm_env_info(id)->help}, 3);
        lm_str_free(&shown);
    }
}

lm_status cmd_env(command *cmd)
{
    settings s = {0};
    lm_status status = settings_find(cmd, &s);
    if (status == LM_OK && given(cmd, OPT_json))
        as_json(cmd, &s);
    else if (status == LM_OK)
        as_lines(cmd, &s);
    settings_free(&s);
    return status;
}
