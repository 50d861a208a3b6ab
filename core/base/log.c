/* One level, one sink. */
#include "core/base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/base/env.h"

enum { LINE_BYTES = 1024 };

static atomic_int level_now;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static lm_log_sink sink_now;
static void *sink_ctx;

void lm_log_to(lm_log_sink sink, void *ctx)
{
    pthread_mutex_lock(&lock);
    sink_now = sink;
    sink_ctx = ctx;
    pthread_mutex_unlock(&lock);
}

void lm_log_level_set(lm_log_level level)
{
    atomic_store(&level_now, (int)level);
}

lm_status lm_log_from_env(void)
{
    int level = LM_LOG_OFF;
    LM_TRY(lm_env_word(LM_ENV_LOG, &level));
    lm_log_level_set((lm_log_level)level);
    return LM_OK;
}

void lm_log(lm_log_level level, const char *format, ...)
{
    if ((int)level > atomic_load(&level_now) || level == LM_LOG_OFF)
        return;
    char text[LINE_BYTES], line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lm_one_line(line, sizeof line, text);
    pthread_mutex_lock(&lock);
    if (sink_now)
        sink_now(sink_ctx, level, line);
    pthread_mutex_unlock(&lock);
}

const char *lm_log_name(lm_log_level level)
{
    static const char *const names[] = {"off", "error", "warn", "info", "debug"};
    return (size_t)level < LM_COUNT(names) ? names[level] : "?";
}
