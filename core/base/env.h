/* The settings that come from the environment, and their overrides from the command line. The rows are in env.def;
 * nothing else in Limn reads the environment. Every call is thread-safe. */
#ifndef LM_BASE_ENV_H
#define LM_BASE_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/str.h"

typedef enum lm_env_id {
#define LM_ENV_ROW(id, name, type, deflt, allowed, help) LM_ENV_##id,
#include "core/base/env.def"
#undef LM_ENV_ROW
    LM_ENV_COUNT
} lm_env_id;

typedef struct lm_env_row {
    const char *name, *type, *deflt, *allowed, *help; /* type: "TEXT", "PATH", ... as in env.def */
} lm_env_row;

/* For 0 <= id < LM_ENV_COUNT. */
const lm_env_row *lm_env_info(lm_env_id id);

/* The value in force: override, else the variable when set and not empty, else the default, as written. Never NULL.
 * Borrowed until lm_env_reset, or until somebody changes the process's environment. */
const char *lm_env_text(lm_env_id id);

/* True when an override or a non-empty variable says something. */
bool lm_env_is_set(lm_env_id id);

/* Typed reads. LM_USAGE, with a message that names variable, value and what is allowed, when the value does not fit.
 * `*out` is left alone when nothing is set and the default is "". */
lm_status lm_env_int(lm_env_id id, int64_t *out);
lm_status lm_env_size(lm_env_id id, uint64_t *out);
lm_status lm_env_word(lm_env_id id, int *out); /* position in the row's list of words */
bool lm_env_flag(lm_env_id id);

/* Let a value beat the variable; "" means unset, NULL takes the override back. LM_USAGE when the value does not fit. */
lm_status lm_env_set(lm_env_id id, const char *value);

/* The same on behalf of a command-line option ("--mem"), which the message then names. */
lm_status lm_env_option(lm_env_id id, const char *option, const char *value);

/* Check one row, or all; the first that does not fit is the status. */
lm_status lm_env_check_row(lm_env_id id);
lm_status lm_env_check(void);

/* Drop all overrides, for tests and the end of the program; texts handed out before become invalid. */
void lm_env_reset(void);

/* Append the cache folder's path: LIMN_CACHE_DIR, else XDG_CACHE_HOME/limn, else HOME/.cache/limn. LM_NO, with
 * nothing appended, when none is set: then there is no cache. */
lm_status lm_env_cache_dir(lm_str *out);

/* "512M", "2G", "1048576": bytes. False when `text` is no size or does not fit. */
bool lm_parse_size(const char *text, uint64_t *out);

/* A whole number and nothing else around it. */
bool lm_parse_int(const char *text, int64_t *out);

#endif
