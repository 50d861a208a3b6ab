/* Characters: UTF-8, categories, small letters, normal forms. Only in builds with utf8proc. */
#ifndef LM_DATA_UNICODE_H
#define LM_DATA_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/vec.h"

/* The character at `text`, which is valid UTF-8, and its length in bytes. */
uint32_t lm_utf8_read(const char *text, size_t *bytes);

/* Writes up to four bytes; the answer is how many. */
size_t lm_utf8_write(uint32_t c, char *to);

/* Where the first byte stands that belongs to no character; `count` where there is none. */
size_t lm_utf8_check(const char *text, size_t count);

/* Bytes of what people take for one character, at the beginning of valid UTF-8: letters with their marks, flags,
 * families. */
size_t lm_utf8_cluster(const char *text, size_t count);

/* Bit of a general category, and sets of them. */
uint32_t lm_category(uint32_t c);
enum {
    LM_UPPER = 1 << 1,
    LM_LETTER = 0x3e,
    LM_NONSPACING = 1 << 6,
    LM_MARK = 0x1c0,
    LM_DIGIT = 1 << 9,
    LM_LETTER_NUMBER = 1 << 10,
    LM_NUMBER = 0xe00,
    LM_CONNECTOR = 1 << 12,
    LM_PUNCTUATION = 0x7f000,
    LM_CONTROL = 1 << 26,
    LM_FORMAT = 1 << 27,
    LM_PRIVATE = 1 << 29
};

/* The category called "L", "Lu" and so on, as a set; 0: there is none. */
uint32_t lm_category_named(const char *name, size_t bytes);

bool lm_is_space(uint32_t c);       /* white space of any width, lines and pages included */
bool lm_is_punctuation(uint32_t c); /* and the symbols of ASCII */
bool lm_is_word(uint32_t c);        /* letters, marks, decimal digits, connectors */
uint32_t lm_small_letter(uint32_t c);
uint32_t lm_letter_fold(uint32_t c); /* equal for letters that differ in size only */

/* A step from a text to its changed form: `c` stands for the next character and the -change ones behind it, or with
 * change > 0 for none: it is new. */
typedef struct lm_step {
    uint32_t c;
    int change;
} lm_step;
typedef LM_VEC(lm_step) lm_steps;

typedef enum lm_form { LM_FORM_NFC, LM_FORM_NFD, LM_FORM_NFKC, LM_FORM_NFKD } lm_form;
lm_status lm_normal_form(const char *text, size_t count, lm_form form, lm_steps *out);

#endif
