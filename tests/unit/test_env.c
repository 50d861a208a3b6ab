/* Settings, option lists, and the log that a setting switches on. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/env.h"
#include "core/base/kv.h"
#include "core/base/log.h"

/* The rest of the environment must not matter. */
static void forget_everything(void)
{
    lm_env_reset();
    for (int id = 0; id < LM_ENV_COUNT; id++)
        unsetenv(lm_env_info((lm_env_id)id)->name);
}

static void defaults(void)
{
    forget_everything();
    CHECK_STR(lm_env_text(LM_ENV_BACKEND), "auto");
    CHECK_STR(lm_env_text(LM_ENV_CPU), "");
    CHECK(!lm_env_is_set(LM_ENV_BACKEND) && !lm_env_flag(LM_ENV_NO_COLOR));
    int64_t threads = -7;
    uint64_t mem = 99;
    int word = -7;
    CHECK_OK(lm_env_int(LM_ENV_THREADS, &threads));
    CHECK_OK(lm_env_size(LM_ENV_MEM, &mem));
    CHECK_OK(lm_env_word(LM_ENV_CPU, &word));
    CHECK(threads == -7 && mem == 99 && word == -7);
    CHECK_OK(lm_env_word(LM_ENV_PLAN, &word));
    CHECK_INT(word, 0);
    CHECK_OK(lm_env_check());
}

static void every_row_is_complete(void)
{
    for (int id = 0; id < LM_ENV_COUNT; id++) {
        const lm_env_row *row = lm_env_info((lm_env_id)id);
        CHECK(row->name[0] && row->type[0] && row->help[0]);
        for (int other = 0; other < id; other++)
            CHECK(strcmp(row->name, lm_env_info((lm_env_id)other)->name) != 0);
        /* a default must pass its own row's check */
        if (*row->deflt)
            CHECK_OK(lm_env_set((lm_env_id)id, row->deflt));
    }
    CHECK_STR(lm_env_info(LM_ENV_THREADS)->type, "INT");
    lm_env_reset();
}

static void variables_and_overrides(void)
{
    forget_everything();
    setenv("LIMN_THREADS", "3", 1);
    setenv("LIMN_BACKEND", "ref", 1);
    setenv("LIMN_CPU", "", 1);
    int64_t threads = 0;
    CHECK_OK(lm_env_int(LM_ENV_THREADS, &threads));
    CHECK_INT(threads, 3);
    CHECK(lm_env_is_set(LM_ENV_BACKEND) && !lm_env_is_set(LM_ENV_CPU));
    CHECK_OK(lm_env_set(LM_ENV_THREADS, "5"));
    CHECK_OK(lm_env_int(LM_ENV_THREADS, &threads));
    CHECK_INT(threads, 5);
    const char *first = lm_env_text(LM_ENV_THREADS);
    CHECK_OK(lm_env_set(LM_ENV_THREADS, "6"));
    CHECK_STR(first, "5"); /* texts handed out stay */
    CHECK_OK(lm_env_set(LM_ENV_THREADS, NULL));
    CHECK_STR(lm_env_text(LM_ENV_THREADS), "3");
    CHECK_OK(lm_env_set(LM_ENV_BACKEND, "cpu:isa=avx2"));
    CHECK_STR(lm_env_text(LM_ENV_BACKEND), "cpu:isa=avx2");
    lm_env_reset();
    CHECK_STR(lm_env_text(LM_ENV_BACKEND), "ref");
    forget_everything();
}

static void wrong_values_are_named(void)
{
    static const struct {
        lm_env_id id;
        const char *value;
    } wrong[] = {
        {LM_ENV_THREADS, "0"},     {LM_ENV_THREADS, "two"},  {LM_ENV_THREADS, "4097"}, {LM_ENV_THREADS, "3 "},
        {LM_ENV_THREADS, "-1"},    {LM_ENV_CPU, "avx"},      {LM_ENV_CPU, "AVX2"},     {LM_ENV_CPU, "avx2|avx512"},
        {LM_ENV_MEM, "much"},      {LM_ENV_MEM, "-1"},       {LM_ENV_MEM, "1GB"},      {LM_ENV_MEM, "99999999999T"},
        {LM_ENV_LOG, "loud"},      {LM_ENV_PLAN, "fast"},
    };
    forget_everything();
    for (size_t i = 0; i < LM_COUNT(wrong); i++) {
        const char *name = lm_env_info(wrong[i].id)->name;
        CHECK_FAILS(lm_env_set(wrong[i].id, wrong[i].value), LM_USAGE);
        CHECK(strstr(lm_message(), name) && strstr(lm_message(), wrong[i].value));
        CHECK(!lm_env_is_set(wrong[i].id));
        setenv(name, wrong[i].value, 1);
        CHECK_FAILS(lm_env_check(), LM_USAGE);
        unsetenv(name);
    }
    CHECK_OK(lm_env_check());
    /* an option is what the person wrote, so the message names it and not the variable behind it */
    CHECK_FAILS(lm_env_option(LM_ENV_MEM, "--mem", "3x"), LM_USAGE);
    CHECK(strncmp(lm_message(), "--mem=3x: ", 10) == 0 && !strstr(lm_message(), "LIMN_MEM"));
    setenv("LIMN_LOG", "loud", 1);
    CHECK_FAILS(lm_env_check_row(LM_ENV_LOG), LM_USAGE);
    CHECK_OK(lm_env_check_row(LM_ENV_MEM));
    CHECK_OK(lm_env_set(LM_ENV_LOG, "")); /* masks the variable */
    CHECK_OK(lm_env_check());
    CHECK(!lm_env_is_set(LM_ENV_LOG));
    forget_everything();
    lm_env_set(LM_ENV_CPU, "sse");
    CHECK(strstr(lm_message(), "scalar|avx2|avx512|neon") != NULL);
}

static void sizes_and_numbers(void)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},          {"1048576", 1048576},         {"512M", 512u << 20},        {"2G", (uint64_t)2 << 30},
                {"3k", 3 << 10},   {"1t", (uint64_t)1 << 40},    {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"", "M", "1.5G", " 1", "1 ", "0x10", "18446744073709551616", "16777216T", "+1"};
    uint64_t bytes;
    int64_t number;
    for (size_t i = 0; i < LM_COUNT(good); i++)
        CHECK(lm_parse_size(good[i].text, &bytes) && bytes == good[i].bytes);
    for (size_t i = 0; i < LM_COUNT(bad); i++)
        CHECK(!lm_parse_size(bad[i], &bytes));
    CHECK(lm_parse_int("-9223372036854775808", &number) && number == INT64_MIN);
    CHECK(lm_parse_int("+7", &number) && number == 7);
    CHECK(!lm_parse_int("9223372036854775808", &number) && !lm_parse_int("", &number) && !lm_parse_int("-", &number));
    CHECK(!lm_parse_int("1e3", &number) && !lm_parse_int(" 1", &number) && !lm_parse_int("--1", &number));
}

static void cache_folder(void)
{
    lm_str s = {0};
    forget_everything();
    CHECK(lm_env_cache_dir(&s) == LM_NO && s.count == 0);
    setenv("HOME", "/home/me", 1);
    CHECK_OK(lm_env_cache_dir(&s));
    CHECK_STR(lm_str_text(&s), "/home/me/.cache/limn");
    lm_str_clear(&s);
    setenv("XDG_CACHE_HOME", "/var/x", 1);
    CHECK_OK(lm_env_cache_dir(&s));
    CHECK_STR(lm_str_text(&s), "/var/x/limn");
    lm_str_clear(&s);
    CHECK_OK(lm_env_set(LM_ENV_CACHE_DIR, "here"));
    CHECK_OK(lm_env_cache_dir(&s));
    CHECK_STR(lm_str_text(&s), "here");
    lm_str_free(&s);
    forget_everything();
}

static atomic_bool reading;

static void *read_on(void *arg)
{
    int64_t *wrong = arg;
    while (atomic_load(&reading)) {
        int64_t threads = 0;
        if (lm_env_int(LM_ENV_THREADS, &threads) != LM_OK || threads < 1 || threads > 50)
            ++*wrong;
    }
    return NULL;
}

static void reads_beside_writes(void)
{
    pthread_t reader;
    int64_t wrong = 0;
    forget_everything();
    CHECK_OK(lm_env_set(LM_ENV_THREADS, "1"));
    atomic_store(&reading, true);
    if (!CHECK(pthread_create(&reader, NULL, read_on, &wrong) == 0))
        return;
    for (int i = 0; i < 2000; i++) {
        char text[8];
        snprintf(text, sizeof text, "%d", 1 + i % 50);
        CHECK_OK(lm_env_set(LM_ENV_THREADS, text));
    }
    atomic_store(&reading, false);
    pthread_join(reader, NULL);
    CHECK_INT(wrong, 0);
    forget_everything();
}

static void option_lists(void)
{
    lm_kv kv;
    CHECK_OK(lm_kv_parse("isa=avx2:threads=4:path=/a=b:empty=", &kv));
    CHECK_INT(kv.count, 4);
    CHECK_STR(lm_kv_get(&kv, "isa"), "avx2");
    CHECK_STR(lm_kv_get(&kv, "path"), "/a=b");
    CHECK_STR(lm_kv_get(&kv, "empty"), "");
    CHECK(lm_kv_get(&kv, "is") == NULL && lm_kv_get(NULL, "isa") == NULL);
    int64_t threads = 1;
    int word = -1;
    bool flag = true;
    CHECK_OK(lm_kv_int(&kv, "threads", 1, 8, &threads));
    CHECK_INT(threads, 4);
    CHECK_FAILS(lm_kv_int(&kv, "threads", 5, 8, &threads), LM_USAGE);
    CHECK_FAILS(lm_kv_int(&kv, "isa", 1, 8, &threads), LM_USAGE);
    CHECK(strstr(lm_message(), "isa=avx2") != NULL);
    CHECK_OK(lm_kv_int(&kv, "absent", 1, 8, &threads));
    CHECK_OK(lm_kv_word(&kv, "isa", "scalar|avx2|avx512", &word));
    CHECK(word == 1 && threads == 4);
    CHECK_FAILS(lm_kv_word(&kv, "isa", "scalar|avx", &word), LM_USAGE);
    CHECK_OK(lm_kv_bool(&kv, "absent", &flag));
    CHECK(flag);
    CHECK_FAILS(lm_kv_bool(&kv, "threads", &flag), LM_USAGE);
    CHECK_OK(lm_kv_check(&kv, "cpu", "isa|threads|path|empty"));
    CHECK_FAILS(lm_kv_check(&kv, "cpu", "isa|threads"), LM_USAGE);
    CHECK(strstr(lm_message(), "cpu") && strstr(lm_message(), "path") && strstr(lm_message(), "isa|threads"));
    lm_kv_free(&kv);
    static const char *const bad[] = {"isa", "=1", "a=1:", ":a=1", "a=1:a=2", "a=1::b=2"};
    for (size_t i = 0; i < LM_COUNT(bad); i++)
        CHECK_FAILS(lm_kv_parse(bad[i], &kv), LM_USAGE);
    CHECK(lm_kv_parse("", &kv) == LM_OK && kv.count == 0);
    CHECK(lm_kv_parse(NULL, &kv) == LM_OK && kv.count == 0);
    lm_kv_free(&kv);
}

static void collect(void *ctx, lm_log_level level, const char *line)
{
    lm_str_printf(ctx, "[%s]%s", lm_log_name(level), line);
}

static void logging(void)
{
    lm_str lines = {0};
    forget_everything();
    lm_log_to(collect, &lines);
    lm_log(LM_LOG_ERROR, "silent by default");
    CHECK_OK(lm_env_set(LM_ENV_LOG, "info"));
    CHECK_OK(lm_log_from_env());
    lm_log(LM_LOG_WARN, "a %d", 1);
    lm_log(LM_LOG_DEBUG, "too much");
    lm_log(LM_LOG_INFO, "b");
    lm_log_to(NULL, NULL);
    lm_log(LM_LOG_ERROR, "nobody listens");
    CHECK_STR(lm_str_text(&lines), "[warn]a 1[info]b");
    lm_log_level_set(LM_LOG_OFF);
    lm_str_free(&lines);
    forget_everything();
}

/* Messages quote what people typed; they stay one line that no terminal obeys. */
static void one_line(void)
{
    CHECK_FAILS(lm_fail(LM_INPUT, "%s", "a\nb\tc\rd\x1b[31me\x7f\xc2\x9b" "f"), LM_INPUT);
    CHECK_STR(lm_message(), "a\\nb\\tc\\rd\\x1b[31me\\x7f\\x9bf");
    lm_context(LM_INPUT, "x\ny");
    CHECK_STR(lm_message(), "x\\ny: a\\nb\\tc\\rd\\x1b[31me\\x7f\\x9bf");
    lm_message_set("caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x90\xb1 \\n");
    CHECK_STR(lm_message(), "caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x90\xb1 \\n"); /* letters of any script stay */
    char cut[5];
    lm_one_line(cut, sizeof cut, "ab\x1b");
    CHECK_STR(cut, "ab"); /* never half an escape */
    char flood[3000];
    memset(flood, '\n', sizeof flood - 1);
    flood[sizeof flood - 1] = '\0';
    lm_fail(LM_INPUT, "%s", flood);
    CHECK(strlen(lm_message()) > 1000 && !strchr(lm_message(), '\n'));
    lm_str lines = {0};
    lm_log_to(collect, &lines);
    lm_log_level_set(LM_LOG_WARN);
    lm_log(LM_LOG_WARN, "a\nb");
    CHECK_STR(lm_str_text(&lines), "[warn]a\\nb");
    lm_log_to(NULL, NULL);
    lm_log_level_set(LM_LOG_OFF);
    lm_str_free(&lines);
}

static lm_status set_and_parse(void)
{
    lm_kv kv = {0};
    lm_status status = lm_env_set(LM_ENV_BACKEND, "cpu");
    if (status == LM_OK)
        status = lm_env_set(LM_ENV_BACKEND, "ref");
    if (status == LM_OK)
        status = lm_kv_parse("a=1:b=2:c=3:d=4:e=5:f=6:g=7:h=8:i=9", &kv);
    lm_kv_free(&kv);
    lm_env_reset();
    return status;
}

static void every_allocation_may_fail(void)
{
    CHECK(test_every_allocation(set_and_parse) > 4);
}

int main(void)
{
    CASE(defaults);
    CASE(every_row_is_complete);
    CASE(variables_and_overrides);
    CASE(wrong_values_are_named);
    CASE(sizes_and_numbers);
    CASE(cache_folder);
    CASE(reads_beside_writes);
    CASE(option_lists);
    CASE(logging);
    CASE(one_line);
    CASE(every_allocation_may_fail);
    return test_end();
}
