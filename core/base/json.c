/* The JSON writer. */
#include "core/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void lm_json_start(lm_json *json, lm_str *out)
{
    *json = (lm_json){.out = out};
}

/* The comma before a key, or before a value that has none. */
static void separate(lm_json *json)
{
    if (json->more && !json->after_key)
        lm_str_char(json->out, ',');
    json->more = true;
    json->after_key = false;
}

static void open_with(lm_json *json, char bracket)
{
    separate(json);
    lm_str_char(json->out, bracket);
    json->more = false;
}

static void close_with(lm_json *json, char bracket)
{
    lm_str_char(json->out, bracket);
    json->more = true;
}

void lm_json_object(lm_json *json)
{
    open_with(json, '{');
}

void lm_json_end_object(lm_json *json)
{
    close_with(json, '}');
}

void lm_json_array(lm_json *json)
{
    open_with(json, '[');
}

void lm_json_end_array(lm_json *json)
{
    close_with(json, ']');
}

/* Bytes of the well-formed UTF-8 character at `p` (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF), 0
 * when there is none. The text ends in a zero, which no continuation byte equals, so nothing is read past it. */
static size_t utf8_length(const uint8_t *p)
{
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xED && p[1] > 0x9F, beyond = p[0] == 0xF4 && p[1] > 0x8F;
    return overlong || surrogate || beyond ? 0 : length;
}

static void quote(lm_json *json, const char *text)
{
    static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* character, letter after the backslash */
    lm_str_char(json->out, '"');
    for (const uint8_t *p = (const uint8_t *)text; *p;) {
        size_t length = utf8_length(p);
        const char *escape = NULL;
        for (const char *e = escapes; *e && !escape; e += 2)
            if ((uint8_t)*e == *p)
                escape = e;
        if (escape)
            lm_str_printf(json->out, "\\%c", escape[1]);
        else if (*p < 0x20 || *p == 0x7F)
            lm_str_printf(json->out, "\\u%04x", *p);
        else if (length)
            lm_str_add_bytes(json->out, p, length);
        else
            lm_str_add(json->out, "\xEF\xBF\xBD");
        p += length ? length : 1;
    }
    lm_str_char(json->out, '"');
}

void lm_json_key(lm_json *json, const char *key)
{
    separate(json);
    quote(json, key);
    lm_str_char(json->out, ':');
    json->after_key = true;
}

void lm_json_string(lm_json *json, const char *text)
{
    separate(json);
    if (text)
        quote(json, text);
    else
        lm_str_add(json->out, "null");
}

void lm_json_number(lm_json *json, double value)
{
    if (!isfinite(value)) {
        lm_json_null(json);
        return;
    }
    char digits[40];
    snprintf(digits, sizeof digits, "%.9g", value);
    /* The program around us may have chosen a locale that writes decimal commas. */
    for (char *p = digits; *p; p++)
        if (!strchr("+-0123456789e", *p))
            *p = '.';
    separate(json);
    lm_str_add(json->out, digits);
}

void lm_json_int(lm_json *json, int64_t value)
{
    separate(json);
    lm_str_printf(json->out, "%lld", (long long)value);
}

void lm_json_bool(lm_json *json, bool value)
{
    separate(json);
    lm_str_add(json->out, value ? "true" : "false");
}

void lm_json_null(lm_json *json)
{
    separate(json);
    lm_str_add(json->out, "null");
}
