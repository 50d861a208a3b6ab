/* Maps as text: rounded, predicted from their neighbours, written in as few bits as their sizes need, in base64. */
#ifndef LM_DRAW_REPORT_CODE_H
#define LM_DRAW_REPORT_CODE_H

#include <stdint.h>

#include "core/base/str.h"

/* How a whole number of a map is told, in the order in which report.js knows them. */
typedef enum report_code {
    REPORT_SIGNED,   /* by itself */
    REPORT_POSITIVE, /* by itself, and none is below zero */
    REPORT_CHANGE,   /* by its difference from the median of left, upper, and left + upper - upper left */
    REPORT_CODES
} report_code;

/* `width` x `height` whole numbers as bytes, appended; *code is the one that took the fewest. Every number, folded to
 * u >= 0 (0, -1, 1, -2 ... become 0, 1, 2, 3 ...) where it has a sign, becomes u >> k ones, a zero and k bits, highest
 * first; where there would be 24 ones or more, 24 of them and 32 bits. k is the least, to 31, for which n << k is not
 * below s: s is the sum and n the count of what was told before; they begin as 4 and 1 and are halved when n is 64. */
lm_status report_pack(const int32_t *number, int width, int height, report_code *code, lm_str *bytes);

lm_status report_base64(const void *bytes, size_t count, lm_str *out);

#endif
