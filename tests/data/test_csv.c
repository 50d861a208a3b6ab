/* Tables: fields as people and spreadsheets write them, numbers, and messages that lead to the fault. */
#include "core/data/csv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/test.h"

static lm_status parse(const char *text, lm_csv_header header, lm_csv **out)
{
    return lm_csv_parse(text, strlen(text), "rows.csv", &(lm_csv_options){.header = header}, out);
}

static void reads_fields(void)
{
    lm_csv *csv;
    const char *text = "\xef\xbb\xbfname, size ,\"a \"\"b\"\", c\"\r\n\r\nx,1,\"two\nlines\"\n  \n\"\",\t-2.5e1 ,end";
    if (!CHECK_OK(parse(text, LM_CSV_AUTO, &csv)))
        return;
    CHECK_INT(lm_csv_rows(csv), 2);
    CHECK_INT(lm_csv_columns(csv), 3);
    CHECK_STR(lm_csv_column(csv, 1), "size");
    CHECK_STR(lm_csv_column(csv, 2), "a \"b\", c");
    CHECK_STR(lm_csv_text(csv, 0, 2), "two\nlines");
    CHECK_STR(lm_csv_text(csv, 1, 0), "");
    CHECK_STR(lm_csv_text(csv, 1, 2), "end");
    CHECK_INT(lm_csv_find(csv, "size"), 1);
    CHECK_INT(lm_csv_find(csv, "none"), -1);
    CHECK(lm_csv_is_number(csv, 1) && !lm_csv_is_number(csv, 0));
    lm_view v;
    const bool leave_out[3] = {true, false, true};
    if (CHECK_OK(lm_csv_numbers(csv, 0, 2, leave_out, &v))) {
        CHECK(v.dt == LM_F64 && v.sh.rank == 2 && v.sh.dim[0] == 2 && v.sh.dim[1] == 1);
        CHECK_NEAR(lm_view_get(&v, 0), 1, 0);
        CHECK_NEAR(lm_view_get(&v, 1), -25, 0);
        lm_buffer_unref(v.buf);
    }
    lm_csv_free(csv);
}

static void finds_header_and_separator(void)
{
    static const struct {
        const char *text;
        lm_csv_header header;
        int rows, columns;
    } rows[] = {
        {"1,2\n3,4\n", LM_CSV_AUTO, 2, 2}, {"a,2\n3,4\n", LM_CSV_AUTO, 1, 2},  {"1,2\n3,4\n", LM_CSV_YES, 1, 2},
        {"a,2\nb,4\n", LM_CSV_NO, 2, 2},   {"1;2;3", LM_CSV_AUTO, 1, 3},       {"1\t2\t3\r", LM_CSV_AUTO, 1, 3},
        {"\"a,b\";c\n1;2", LM_CSV_AUTO, 1, 2}, {"5", LM_CSV_AUTO, 1, 1},       {"1,2,\n3,4,\n", LM_CSV_NO, 2, 3},
        {"\n\n7\n\n", LM_CSV_AUTO, 1, 1},  {"nan,-inf\n", LM_CSV_AUTO, 1, 2},  {"0x10,nan(1)\n1,2", LM_CSV_AUTO, 1, 2},
    };
    for (size_t i = 0; i < LM_COUNT(rows); i++) {
        lm_csv *csv;
        if (!CHECK_OK(parse(rows[i].text, rows[i].header, &csv)))
            continue;
        if (!CHECK_INT(lm_csv_rows(csv), rows[i].rows) || !CHECK_INT(lm_csv_columns(csv), rows[i].columns))
            printf("in %s\n", rows[i].text);
        lm_csv_free(csv);
    }
}

static void gives_ranges(void)
{
    lm_csv *csv;
    lm_view v;
    if (!CHECK_OK(parse("a,b\n1,2\n3,4\n5,6\n", LM_CSV_AUTO, &csv)))
        return;
    if (CHECK_OK(lm_csv_numbers(csv, 1, 2, NULL, &v))) {
        for (int i = 0; i < 4; i++)
            CHECK_NEAR(lm_view_get(&v, i), 3 + i, 0);
        lm_buffer_unref(v.buf);
    }
    if (CHECK_OK(lm_csv_numbers(csv, 3, 0, NULL, &v)))
        lm_buffer_unref(v.buf);
    CHECK_FAILS(lm_csv_numbers(csv, 2, 2, NULL, &v), LM_INPUT);
    CHECK_FAILS(lm_csv_numbers(csv, -1, 1, NULL, &v), LM_INPUT);
    CHECK_FAILS(lm_csv_numbers(csv, 4, 0, NULL, &v), LM_INPUT);
    CHECK_FAILS(lm_csv_numbers(csv, 1, INT64_MAX, NULL, &v), LM_INPUT);
    CHECK(strstr(lm_message(), "has 3 rows"));
    lm_csv_free(csv);
}

/* The message says where to look. */
static void names_the_place(void)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"a,b\n1,\"x\n", "line 2, column 2"},
        {"a,b\n1,\"x\"y\n", "line 2, column 2"},
        {"a,b\n\n1,2,3\n", "line 3 has 3 columns"},
        {"a,b\n\"1\n2\",3\n4\n", "line 4 has 1 columns"},
        {"", "empty"},
        {"\n \n", "empty"},
        {"a,b\n1,2\n3,oops\n", "line 3, column 2 'b': 'oops'"},
        {"a,b\n1,\n", "line 2, column 2 'b': empty"},
        {"a,b\n1,0x1p3\n", "column 2 'b': '0x1p3'"},
        {"a,b\n1,1e999\n", "column 2 'b': '1e999'"},
        {"a,b\n1,1 2\n", "column 2 'b': '1 2'"},
    };
    for (size_t i = 0; i < LM_COUNT(rows); i++) {
        lm_csv *csv;
        lm_view v;
        lm_status status = parse(rows[i].text, LM_CSV_AUTO, &csv);
        if (status == LM_OK) {
            status = lm_csv_numbers(csv, 0, lm_csv_rows(csv), NULL, &v);
            lm_csv_free(csv);
        }
        CHECK_FAILS(status, LM_INPUT);
        if (!CHECK(strstr(lm_message(), rows[i].says)))
            printf("%s\nin place of %s\n", lm_message(), rows[i].says);
    }
    lm_csv *csv;
    CHECK_FAILS(lm_csv_parse("1,\0002", 4, "rows.csv", NULL, &csv), LM_INPUT);
    CHECK_FAILS(lm_csv_read("/nonexistent/rows.csv", NULL, &csv), LM_INPUT);
}

/* Every prefix, in a block of just its size. */
static void survives_cuts(void)
{
    const char text[] = "a,\"b \"\"c\"\"\"\r\n1,\"2\"\n\n\"x\ny\", 3 \n";
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        char *copy = malloc(cut ? cut : 1);
        lm_csv *csv;
        if (!copy)
            return;
        memcpy(copy, text, cut);
        if (lm_csv_parse(copy, cut, "rows.csv", NULL, &csv) == LM_OK)
            lm_csv_free(csv);
        else
            CHECK(*lm_message());
        free(copy);
    }
}

static lm_status read_all(void)
{
    lm_csv *csv;
    lm_view v;
    LM_TRY(parse("a,b,c\n1,2,3\n4,5,6\n7,8,9\n", LM_CSV_AUTO, &csv));
    lm_status status = lm_csv_numbers(csv, 0, 3, NULL, &v);
    if (status == LM_OK)
        lm_buffer_unref(v.buf);
    lm_csv_free(csv);
    return status;
}

static void survives_every_allocation(void)
{
    CHECK(test_every_allocation(read_all) >= 5);
}

/* Values that are not there are numbers only where the caller wants them to be. */
static void knows_missing_values(void)
{
    static const char text[] = "a,b,c\n1,,NA\n?,null,2\n";
    for (int wanted = 0; wanted < 2; wanted++) {
        lm_csv *csv;
        lm_view v;
        if (!CHECK_OK(lm_csv_parse(text, strlen(text), "rows.csv", &(lm_csv_options){.missing = wanted}, &csv)))
            return;
        CHECK(lm_csv_is_missing(csv, 0, 1) && lm_csv_is_missing(csv, 1, 0) && !lm_csv_is_missing(csv, 0, 0));
        CHECK_INT(lm_csv_line(csv, 1), 3);
        if (!wanted) {
            CHECK_FAILS(lm_csv_numbers(csv, 0, 2, NULL, &v), LM_INPUT);
            CHECK(strstr(lm_message(), "line 2, column 2 'b'") != NULL);
        } else if (CHECK_OK(lm_csv_numbers(csv, 0, 2, NULL, &v))) {
            CHECK_NEAR(lm_view_get(&v, 0), 1, 0);
            CHECK(isnan(lm_view_get(&v, 1)) && isnan(lm_view_get(&v, 2)) && isnan(lm_view_get(&v, 4)));
            CHECK_NEAR(lm_view_get(&v, 5), 2, 0);
            lm_buffer_unref(v.buf);
        }
        lm_csv_free(csv);
    }
}

/* Parts of every length hold what the whole holds, and every fault is found before the first. */
static void comes_in_parts(void)
{
    static const char text[] = "\xef\xbb\xbf" "a;\"b;c\"\r\n\n1;\"2\n\"\n3;4\r\r5;\n \n7;8\n9;10";
    char path[] = "/tmp/limn-csv-XXXXXX";
    int fd = mkstemp(path);
    if (!CHECK(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1 && close(fd) == 0))
        return;
    lm_csv *whole, *part;
    lm_csv_parts *parts;
    const lm_csv_options options = {.missing = true};
    if (!CHECK_OK(lm_csv_read(path, &options, &whole)) || !CHECK_OK(lm_csv_parts_open(path, &options, &parts)))
        return;
    CHECK_INT(lm_csv_parts_rows(parts), 5);
    CHECK_INT(lm_csv_parts_columns(parts), 2);
    for (int64_t step = 1; step <= 6; step++) {
        for (int64_t row = 0; row < 5;) {
            if (!CHECK_OK(lm_csv_parts_next(parts, step, &part)))
                break;
            CHECK_STR(lm_csv_column(part, 1), "b;c");
            for (int64_t i = 0, n = lm_csv_rows(part); i < n; i++, row++) {
                CHECK_INT(lm_csv_line(part, i), lm_csv_line(whole, row));
                for (int c = 0; c < 2; c++)
                    CHECK_STR(lm_csv_text(part, i, c), lm_csv_text(whole, row, c));
            }
            lm_csv_free(part);
        }
        if (CHECK_OK(lm_csv_parts_next(parts, step, &part)))
            CHECK_INT(lm_csv_rows(part), 0);
        lm_csv_free(part);
        lm_csv_parts_rewind(parts);
    }
    lm_csv_parts_free(parts);
    lm_csv_free(whole);
    fd = open(path, O_WRONLY | O_APPEND);
    CHECK(write(fd, ";11\n", 4) == 4 && close(fd) == 0);
    CHECK_FAILS(lm_csv_parts_open(path, &options, &parts), LM_INPUT);
    CHECK(strstr(lm_message(), "line 10 has 3 columns") != NULL);
    unlink(path);
}

int main(void)
{
    CASE(reads_fields);
    CASE(finds_header_and_separator);
    CASE(gives_ranges);
    CASE(names_the_place);
    CASE(survives_cuts);
    CASE(survives_every_allocation);
    CASE(knows_missing_values);
    CASE(comes_in_parts);
    return test_end();
}
