/* Statuses inside the library: the public enum under internal names, a per-thread message, and the macros that
 * carry a failure outwards while each caller adds where it happened. */
#ifndef LM_BASE_STATUS_H
#define LM_BASE_STATUS_H

#include <stddef.h>

#include <limn/status.h>

typedef limn_status lm_status;

#define LM_OK LIMN_OK
#define LM_NO LIMN_NO
#define LM_USAGE LIMN_USAGE
#define LM_INPUT LIMN_INPUT
#define LM_UNSUPPORTED LIMN_UNSUPPORTED
#define LM_DEVICE LIMN_DEVICE
#define LM_MEMORY LIMN_MEMORY
#define LM_OUTPUT LIMN_OUTPUT
#define LM_INTERRUPTED LIMN_INTERRUPTED

#if defined(__GNUC__)
#define LM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define LM_MUST_USE __attribute__((warn_unused_result))
#else
#define LM_PRINTF(fmt, args)
#define LM_MUST_USE
#endif

#define LM_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Copy `text` as it may stand in one line on a terminal: control characters written as \n, \t, \r or \x1b, all else as
 * it is; what does not fit into `room` bytes is cut. Messages are kept in this form, whatever they quote. */
void lm_one_line(char *to, size_t room, const char *text);

/* Replace this thread's message and hand `status` back: `return lm_fail(LM_INPUT, "rank %d is over %d", r,
 * LM_RANK);` */
lm_status lm_fail(lm_status status, const char *format, ...) LM_PRINTF(2, 3);

/* Put "context: " before the message of a failure on its way out; hands `status` back and does nothing for LM_OK. */
lm_status lm_context(lm_status status, const char *format, ...) LM_PRINTF(2, 3);

/* This thread's message, "" when none. Borrowed until the next failure on this thread. */
const char *lm_message(void);

/* The node of a model that this thread's last failure is about, "" when none: lm_blame tells it on the failure's way
 * out, where the first and innermost one counts; lm_fail forgets it. Borrowed like the message. */
void lm_blame(const char *node);
const char *lm_blamed(void);

/* Restore a message saved by the caller (a cleanup that may fail must not hide the first reason). */
void lm_message_set(const char *text);

/* Return early with the failure of `expr`. Where something is owned, use LM_TRY_OUT and one `out:` label instead. */
#define LM_TRY(expr)                                                                                                   \
    do {                                                                                                               \
        lm_status lm_try_status_ = (expr);                                                                             \
        if (lm_try_status_ != LM_OK)                                                                                   \
            return lm_try_status_;                                                                                     \
    } while (0)

/* Set the local variable `status` and jump to `out` when `expr` fails. */
#define LM_TRY_OUT(expr)                                                                                               \
    do {                                                                                                               \
        status = (expr);                                                                                               \
        if (status != LM_OK)                                                                                           \
            goto out;                                                                                                  \
    } while (0)

/* Return a failure with a message unless `condition` holds. */
#define LM_REQUIRE(condition, status_, ...)                                                                            \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return lm_fail(status_, __VA_ARGS__);                                                                      \
    } while (0)

#endif
