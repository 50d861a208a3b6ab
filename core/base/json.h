/* A JSON writer that streams into a string. Commas and nesting are its business; the caller alternates keys and values
 * inside objects. Failures stick to the string, so only its status needs a look at the end. */
#ifndef LM_BASE_JSON_H
#define LM_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

typedef struct lm_json {
    lm_str *out;
    bool more;      /* something stands before, so a comma is due */
    bool after_key; /* the next value belongs to a key */
} lm_json;

void lm_json_start(lm_json *json, lm_str *out);

void lm_json_object(lm_json *json); /* { */
void lm_json_end_object(lm_json *json);
void lm_json_array(lm_json *json); /* [ */
void lm_json_end_array(lm_json *json);

void lm_json_key(lm_json *json, const char *key);
void lm_json_string(lm_json *json, const char *text); /* NULL gives null; bytes that are no UTF-8 become U+FFFD */
void lm_json_number(lm_json *json, double value);     /* nine digits; NaN and infinities give null */
void lm_json_int(lm_json *json, int64_t value);
void lm_json_bool(lm_json *json, bool value);
void lm_json_null(lm_json *json);

#endif
