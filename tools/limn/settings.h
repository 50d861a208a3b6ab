/* What is in force: the variables as people set them, and what this machine makes of them. For the verbs that a person uses to
 * find out what is wrong, which therefore must not fail over a wrong variable. */
#ifndef LIMN_SETTINGS_H
#define LIMN_SETTINGS_H

#include "command.h"
#include "core/base/env.h"

/* Starts as {0}; freed with settings_free, in any case. */
typedef struct settings {
    const char *given[LM_ENV_COUNT]; /* as written, by an option or else the variable; NULL: neither */
    char *refused[LM_ENV_COUNT];     /* why the variable's value is not used; NULL: it is */
    char device[64];                 /* that runs things; "" when none can */
    char best[64];                   /* instruction level that LIMN_CPU and the machine allow */
    char level[64], threads[16];     /* of the cpu device that the device list gives */
    lm_str cache;
} settings;

/* A variable that cannot be used is warned of, and everything else is found out as if it were unset. An option of this command
 * line that cannot be used is the status. */
lm_status settings_find(const command *cmd, settings *out);
void settings_free(settings *s);

/* What a variable amounts to; "" when nothing. */
const char *settings_effective(const settings *s, lm_env_id id);

#endif
