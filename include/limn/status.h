/* limn/status.h - what every Limn function answers.
 *
 * A function that can fail returns a limn_status and leaves its results untouched when the status is not LIMN_OK.
 * The library never prints, aborts or exits. The reason for the last failure on the calling thread is kept as one
 * line of text that names the file, node, op, shape or device concerned and what to do about it:
 *
 *     if (limn_device_open("cpu:threads=2", &device) != LIMN_OK)
 *         fprintf(stderr, "%s\n", limn_message());
 *
 * The numbers are also the exit statuses of the command `limn`.
 */
#ifndef LIMN_STATUS_H
#define LIMN_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LIMN_API __attribute__((visibility("default")))
#else
#define LIMN_API
#endif

typedef enum limn_status {
    LIMN_OK = 0,
    LIMN_NO = 1,          /* the question was answered, and the answer is no */
    LIMN_USAGE = 2,       /* an option, word, handle or argument makes no sense */
    LIMN_INPUT = 3,       /* data is missing, malformed, of the wrong shape or type, or holds a forbidden value */
    LIMN_UNSUPPORTED = 4, /* op, type, version or rule that cannot be handled */
    LIMN_DEVICE = 5,      /* a named device is absent or failed */
    LIMN_MEMORY = 6,      /* out of memory, or over the memory budget */
    LIMN_OUTPUT = 7,      /* a result could not be written */
    LIMN_INTERRUPTED = 130
} limn_status;

/* The last failure's message on this thread; "" when nothing failed yet. Valid until the next Limn call here. */
LIMN_API const char *limn_message(void);

/* A short English name for a status ("out of memory"); never NULL. */
LIMN_API const char *limn_status_name(limn_status status);

#ifdef __cplusplus
}
#endif
#endif
