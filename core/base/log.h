/* Reports while running, for people who look for a reason: silent unless LIMN_LOG asks. Nothing is printed here; the
 * program that owns the terminal installs a sink. */
#ifndef LM_BASE_LOG_H
#define LM_BASE_LOG_H

#include "core/base/status.h"

/* In the order of the words of LIMN_LOG. */
typedef enum lm_log_level { LM_LOG_OFF, LM_LOG_ERROR, LM_LOG_WARN, LM_LOG_INFO, LM_LOG_DEBUG } lm_log_level;

/* Gets one line without a newline; may be called from any thread, one call at a time. */
typedef void (*lm_log_sink)(void *ctx, lm_log_level level, const char *line);

/* NULL takes the sink away. */
void lm_log_to(lm_log_sink sink, void *ctx);

/* Set the level; lm_log_from_env takes it from LIMN_LOG. Off before either is called. */
void lm_log_level_set(lm_log_level level);
lm_status lm_log_from_env(void);

void lm_log(lm_log_level level, const char *format, ...) LM_PRINTF(2, 3);

/* "error", "warn", ... */
const char *lm_log_name(lm_log_level level);

#endif
