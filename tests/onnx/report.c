/* Tables and lists; see report.h. */
#include "tests/onnx/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"

typedef struct tally {
    const char *name;
    int n[OUTCOMES], all;
} tally;

static void add(tally *t, const suite_test *test)
{
    t->n[test->outcome]++;
    t->all++;
}

static void print_head(const char *what)
{
    printf("%-28s %6s %6s %12s %6s %6s\n", what, "pass", "wrong", "unsupported", "error", "of");
}

static void print_tally(const tally *t)
{
    printf("%-28s %6d %6d %12d %6d %6d\n", t->name, t->n[PASS], t->n[WRONG], t->n[UNSUPPORTED], t->n[FAILED], t->all);
}

void report_tiers(const suite_runs *runs)
{
    tally tier[TIERS] = {{.name = "all"}, {.name = "tier 1"}, {.name = "tier 2"}, {.name = "tier 3"},
                         {.name = "whole networks"}};
    tally both = {.name = "tier 1 and 2"};
    for (size_t i = 0; i < runs->count; i++) {
        const suite_test *t = runs->at[i];
        add(&tier[t->tier], t);
        if (t->tier == TIER_1 || t->tier == TIER_2)
            add(&both, t);
        if (t->tier != TIER_LIGHT)
            add(&tier[0], t);
    }
    print_head("");
    print_tally(&tier[TIER_1]);
    print_tally(&tier[TIER_2]);
    print_tally(&both);
    print_tally(&tier[TIER_3]);
    print_tally(&tier[0]);
    print_tally(&tier[TIER_LIGHT]);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tally *)a)->name, ((const tally *)b)->name);
}

void report_ops(const suite_runs *runs)
{
    LM_VEC(tally) table = {0};
    for (size_t i = 0; i < runs->count; i++) {
        size_t k = 0;
        while (k < table.count && strcmp(table.at[k].name, runs->at[i]->op) != 0)
            k++;
        if (k == table.count && lm_vec_push(&table, (tally){.name = runs->at[i]->op}) != LM_OK)
            break;
        add(&table.at[k], runs->at[i]);
    }
    if (table.count)
        qsort(table.at, table.count, sizeof *table.at, by_name);
    print_head("operator");
    for (size_t k = 0; k < table.count; k++)
        print_tally(&table.at[k]);
    lm_vec_free(&table);
}

const char *report_excuse(const suite_test *t)
{
    static const struct {
        const char *begins, *why;
    } rows[] = {
        {"test_resize_downsample_scales_linear_align_corners", "the wanted values use a length that was not rounded"},
        {"test_resize_downsample_scales_cubic_align_corners", "the wanted values use a length that was not rounded"},
        {"test_bernoulli", "random numbers, which no document fixes"},
        {"test_training_dropout", "random numbers, which no document fixes"},
        {"test_cast_FLOAT_to_BFLOAT16", "release 1.12 wants digits cut off where they are rounded"},
    };
    for (size_t i = 0; i < LM_COUNT(rows); i++)
        if (strncmp(t->name, rows[i].begins, strlen(rows[i].begins)) == 0)
            return rows[i].why;
    return NULL;
}

const char *report_release(size_t tests)
{
    static const struct {
        size_t tests;
        const char *release;
    } rows[] = {{1914, "1.22"}, {1072, "1.12"}};
    for (size_t i = 0; i < LM_COUNT(rows); i++)
        if (rows[i].tests == tests)
            return rows[i].release;
    return NULL;
}

static bool was_run(const suite_runs *runs, const suite_test *t)
{
    for (size_t i = 0; i < runs->count; i++)
        if (runs->at[i] == t)
            return true;
    return false;
}

lm_status report_lost(const char *list, const suite *s, const suite_runs *runs, int *lost)
{
    FILE *in = fopen(list, "r");
    LM_REQUIRE(in, LM_INPUT, "%s cannot be read", list);
    char line[256];
    int listed = 0, passed = 0;
    *lost = 0;
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, " #\n")] = 0;
        const suite_test *t = *line ? suite_lookup(s, line) : NULL;
        bool missing = *line && !t && runs->count == s->test.count;
        bool run = t && was_run(runs, t), passes = run && t->outcome == PASS;
        bool fell = run && !passes && (t->outcome != WRONG || report_excuse(t));
        if (missing)
            printf("LOST %s: it is in %s, but not in the suite\n", line, list);
        if (fell)
            printf("LOST %s: %s\n", t->name, t->reason);
        *lost += missing || fell;
        listed += run;
        passed += passes;
    }
    fclose(in);
    int all = 0;
    for (size_t i = 0; i < runs->count; i++)
        all += runs->at[i]->outcome == PASS;
    if (all > passed)
        printf("%d of those that pass are not in %s: --write-pass writes it anew\n", all - passed, list);
    return listed || *lost ? LM_OK : lm_fail(LM_INPUT, "%s names none of the tests that were run", list);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

lm_status report_write(const char *path, const suite_runs *runs)
{
    LM_VEC(const char *) name = {0};
    lm_status status = LM_OK;
    for (size_t i = 0; status == LM_OK && i < runs->count; i++)
        if (runs->at[i]->outcome == PASS)
            status = lm_vec_push(&name, runs->at[i]->name);
    if (name.count)
        qsort(name.at, name.count, sizeof *name.at, by_text);
    lm_str text = {0};
    for (size_t i = 0; i < name.count; i++)
        lm_str_printf(&text, "%s\n", name.at[i]);
    if (status == LM_OK)
        status = text.status;
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&text), text.count);
    lm_str_free(&text);
    lm_vec_free(&name);
    return status;
}
