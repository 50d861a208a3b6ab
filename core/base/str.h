/* A growing string. The first failure sticks: later additions do nothing and return it again, so a writer may add
 * freely and look at the status once. */
#ifndef LM_BASE_STR_H
#define LM_BASE_STR_H

#include <stdarg.h>
#include <stddef.h>

#include "core/base/status.h"

/* Starts as {0}; freed with lm_str_free. `text` is NULL until something is added and always ends in a zero byte. */
typedef struct lm_str {
    char *text;
    size_t count, room; /* bytes used without the final zero, bytes held with it */
    lm_status status;
} lm_str;

lm_status lm_str_add(lm_str *str, const char *text);
lm_status lm_str_add_bytes(lm_str *str, const void *bytes, size_t count);
lm_status lm_str_char(lm_str *str, char c);
lm_status lm_str_printf(lm_str *str, const char *format, ...) LM_PRINTF(2, 3);
lm_status lm_str_vprintf(lm_str *str, const char *format, va_list args) LM_PRINTF(2, 0);

/* The text so far, "" when nothing was added. Borrowed until the next addition. */
const char *lm_str_text(const lm_str *str);

/* Give the text (lm_free it) to the caller and start anew; NULL with the message set after a failure. */
char *lm_str_take(lm_str *str);

void lm_str_clear(lm_str *str); /* empty and without failure, memory kept */
void lm_str_free(lm_str *str);

#endif
