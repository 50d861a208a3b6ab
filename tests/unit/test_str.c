/* The growing string. */
#include "tests/unit/test.h"

#include "core/base/str.h"

static void builds(void)
{
    lm_str s = {0};
    CHECK_STR(lm_str_text(&s), "");
    CHECK_OK(lm_str_add(&s, "one"));
    CHECK_OK(lm_str_char(&s, ' '));
    CHECK_OK(lm_str_printf(&s, "%d-%s", 2, "three"));
    CHECK_OK(lm_str_add_bytes(&s, "45xx", 2));
    CHECK_STR(lm_str_text(&s), "one 2-three45");
    CHECK_INT(s.count, strlen(s.text));
    lm_str_clear(&s);
    CHECK_STR(lm_str_text(&s), "");
    for (int i = 0; i < 5000; i++)
        lm_str_printf(&s, "%d,", i % 10);
    CHECK_OK(s.status);
    CHECK_INT(s.count, 10000);
    CHECK(s.text[9998] == '9' && s.text[9999] == ',' && s.text[10000] == '\0');
    lm_str_free(&s);
    CHECK_STR(lm_str_text(&s), "");
}

static void long_formats(void)
{
    lm_str s = {0};
    char text[3000];
    memset(text, 'q', sizeof text);
    text[2999] = '\0';
    CHECK_OK(lm_str_printf(&s, "<%s>", text));
    CHECK_INT(s.count, 3001);
    CHECK(s.text[0] == '<' && s.text[2999] == 'q' && s.text[3000] == '>');
    lm_str_free(&s);
}

static void taking(void)
{
    lm_str s = {0};
    char *empty = lm_str_take(&s);
    CHECK_STR(empty, "");
    lm_str_add(&s, "mine");
    char *mine = lm_str_take(&s);
    CHECK_STR(mine, "mine");
    CHECK(s.text == NULL && s.count == 0);
    lm_free(empty);
    lm_free(mine);
}

static void failures_stick(void)
{
    lm_str s = {0};
    CHECK_OK(lm_str_add(&s, "before"));
    lm_mem_fail_at(1);
    CHECK_FAILS(lm_str_printf(&s, "%200d", 1), LM_MEMORY);
    CHECK_FAILS(lm_str_add(&s, "x"), LM_MEMORY);
    CHECK_STR(lm_str_text(&s), "before");
    CHECK(lm_str_take(&s) == NULL);
    CHECK_FAILS(lm_str_add_bytes(&s, "", SIZE_MAX), LM_MEMORY);
    lm_str_clear(&s);
    CHECK_OK(lm_str_add(&s, "after"));
    CHECK_FAILS(lm_str_add_bytes(&s, "", SIZE_MAX - 5), LM_MEMORY);
    lm_str_free(&s);
}

static lm_status build(void)
{
    lm_str s = {0};
    for (int i = 0; i < 1000; i++)
        lm_str_printf(&s, "%d ", i);
    lm_status status = s.status;
    char *text = lm_str_take(&s);
    CHECK((text != NULL) == (status == LM_OK));
    lm_free(text);
    lm_str_free(&s);
    return status;
}

static void every_allocation_may_fail(void)
{
    CHECK(test_every_allocation(build) > 3);
}

int main(void)
{
    CASE(builds);
    CASE(long_formats);
    CASE(taking);
    CASE(failures_stick);
    CASE(every_allocation_may_fail);
    return test_end();
}
