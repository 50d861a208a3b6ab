/* The per-thread message behind every status. */
#include "core/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One line is all a person reads; longer contexts are cut at the end, where the innermost detail matters least. */
enum { MESSAGE_BYTES = 1024 };

static _Thread_local char message[MESSAGE_BYTES];

lm_status lm_fail(lm_status status, const char *format, ...)
{
    /* The arguments may quote the message that is being replaced. */
    char fresh[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(fresh, sizeof fresh, format, args);
    va_end(args);
    memcpy(message, fresh, sizeof message);
    return status;
}

lm_status lm_context(lm_status status, const char *format, ...)
{
    if (status == LM_OK)
        return status;
    char fresh[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(fresh, sizeof fresh, format, args);
    va_end(args);
    if (used > 0 && used < MESSAGE_BYTES - 2) {
        size_t room = sizeof fresh - (size_t)used - 1, more = strlen(message) + 2;
        memcpy(fresh + used, ": ", 2);
        memcpy(fresh + used + 2, message, (more < room ? more : room) - 2);
        fresh[(size_t)used + (more < room ? more : room)] = 0;
    }
    memcpy(message, fresh, sizeof message);
    return status;
}

const char *lm_message(void)
{
    return message;
}

void lm_message_set(const char *text)
{
    snprintf(message, sizeof message, "%s", text);
}

const char *limn_message(void)
{
    return message;
}

const char *limn_status_name(limn_status status)
{
    switch (status) {
    case LIMN_OK: return "ok";
    case LIMN_NO: return "no";
    case LIMN_USAGE: return "wrong usage";
    case LIMN_INPUT: return "bad input";
    case LIMN_UNSUPPORTED: return "not supported";
    case LIMN_DEVICE: return "device failure";
    case LIMN_MEMORY: return "out of memory";
    case LIMN_OUTPUT: return "cannot write";
    case LIMN_INTERRUPTED: return "interrupted";
    }
    return "unknown status";
}
