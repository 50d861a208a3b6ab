/* The per-thread message behind every status. */
#include "core/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One line is all a person reads; longer contexts are cut at the end, where the innermost detail matters least. */
enum { MESSAGE_BYTES = 1024 };

static _Thread_local char message[MESSAGE_BYTES], blamed[256];

/* Bytes of the control character at `p` (ASCII's, DEL, and U+0080 to U+009F, which terminals obey too); 0 for any
 * other. */
static size_t control_length(const unsigned char *p)
{
    if (p[0] == 0xC2 && p[1] >= 0x80 && p[1] <= 0x9F)
        return 2;
    return (*p && *p < 0x20) || *p == 0x7F;
}

void lm_one_line(char *to, size_t room, const char *text)
{
    size_t used = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        char shown[8] = {(char)*p};
        size_t control = control_length(p);
        if (*p == '\n' || *p == '\t' || *p == '\r')
            snprintf(shown, sizeof shown, "\\%c", *p == '\n' ? 'n' : *p == '\t' ? 't' : 'r');
        else if (control)
            snprintf(shown, sizeof shown, "\\x%02x", p[control - 1]);
        size_t length = strlen(shown);
        if (used + length >= room)
            break;
        memcpy(to + used, shown, length);
        used += length;
        p += control ? control : 1;
    }
    to[used] = '\0';
}

lm_status lm_fail(lm_status status, const char *format, ...)
{
    /* The arguments may quote the message that is being replaced. */
    char fresh[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(fresh, sizeof fresh, format, args);
    va_end(args);
    lm_one_line(message, sizeof message, fresh);
    *blamed = '\0';
    return status;
}

void lm_blame(const char *node)
{
    if (!*blamed && node)
        snprintf(blamed, sizeof blamed, "%s", node);
}

const char *lm_blamed(void)
{
    return blamed;
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
    lm_one_line(message, sizeof message, fresh);
    return status;
}

const char *lm_message(void)
{
    return message;
}

void lm_message_set(const char *text)
{
    lm_one_line(message, sizeof message, text);
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
