/* The JSON writer: commas, escapes, numbers. */
#include "tests/unit/test.h"

#include <locale.h>

#include "core/base/json.h"

static void nests(void)
{
    lm_str s = {0};
    lm_json j;
    lm_json_start(&j, &s);
    lm_json_object(&j);
    lm_json_key(&j, "empty");
    lm_json_object(&j);
    lm_json_end_object(&j);
    lm_json_key(&j, "list");
    lm_json_array(&j);
    lm_json_int(&j, -3);
    lm_json_bool(&j, true);
    lm_json_array(&j);
    lm_json_end_array(&j);
    lm_json_null(&j);
    lm_json_object(&j);
    lm_json_key(&j, "x");
    lm_json_string(&j, NULL);
    lm_json_key(&j, "y");
    lm_json_bool(&j, false);
    lm_json_end_object(&j);
    lm_json_end_array(&j);
    lm_json_key(&j, "after");
    lm_json_int(&j, INT64_MIN);
    lm_json_end_object(&j);
    CHECK_STR(lm_str_text(&s), "{\"empty\":{},\"list\":[-3,true,[],null,{\"x\":null,\"y\":false}],"
                               "\"after\":-9223372036854775808}");
    lm_str_free(&s);
}

static void one_string(const char *text, const char *wanted)
{
    lm_str s = {0};
    lm_json j;
    lm_json_start(&j, &s);
    lm_json_string(&j, text);
    CHECK_STR(lm_str_text(&s), wanted);
    lm_str_free(&s);
}

#define BAD "\xEF\xBF\xBD"

static void escapes(void)
{
    one_string("", "\"\"");
    one_string("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    one_string("\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\"");
    one_string("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
    one_string("\xC3", "\"" BAD "\"");                  /* cut off */
    one_string("\xE2\x82", "\"" BAD BAD "\"");          /* cut off */
    one_string("\xC0\xAF", "\"" BAD BAD "\"");          /* overlong */
    one_string("\xE0\x80\xAF", "\"" BAD BAD BAD "\"");  /* overlong */
    one_string("\xED\xA0\x80", "\"" BAD BAD BAD "\"");  /* surrogate */
    one_string("\xF4\x90\x80\x80z", "\"" BAD BAD BAD BAD "z\"");
    one_string("\xFFok", "\"" BAD "ok\"");
}

static void one_number(double value, const char *wanted)
{
    lm_str s = {0};
    lm_json j;
    lm_json_start(&j, &s);
    lm_json_number(&j, value);
    CHECK_STR(lm_str_text(&s), wanted);
    lm_str_free(&s);
}

static void numbers(void)
{
    one_number(0, "0");
    one_number(-0.0, "-0");
    one_number(0.1f, "0.100000001");
    one_number(1e30, "1e+30");
    one_number(-1.5e-40, "-1.5e-40");
    one_number(NAN, "null");
    one_number(INFINITY, "null");
    one_number(-INFINITY, "null");
    /* nine digits bring back every float32 */
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t bits = i * 2146013u;
        float x;
        memcpy(&x, &bits, sizeof x);
        lm_str s = {0};
        lm_json j;
        lm_json_start(&j, &s);
        lm_json_number(&j, x);
        if (isfinite(x))
            CHECK(strtof(lm_str_text(&s), NULL) == x);
        lm_str_free(&s);
    }
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") || setlocale(LC_NUMERIC, "fr_FR.UTF-8"))
        one_number(0.5, "0.5");
    setlocale(LC_NUMERIC, "C");
}

static lm_status write_much(void)
{
    lm_str s = {0};
    lm_json j;
    lm_json_start(&j, &s);
    lm_json_array(&j);
    for (int i = 0; i < 300; i++)
        lm_json_number(&j, i / 7.0);
    lm_json_end_array(&j);
    lm_status status = s.status;
    lm_str_free(&s);
    return status;
}

static void every_allocation_may_fail(void)
{
    CHECK(test_every_allocation(write_much) > 3);
}

int main(void)
{
    CASE(nests);
    CASE(escapes);
    CASE(numbers);
    CASE(every_allocation_may_fail);
    return test_end();
}
