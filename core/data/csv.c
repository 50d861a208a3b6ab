/* What a table that was read holds: names, texts, numbers. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/mem.h"
#include "core/data/csv_inside.h"

bool lm_csv_read_number(const char *text, double *out)
{
    const char *word = text + (*text == '-' || *text == '+');
    bool named = strcasecmp(word, "nan") == 0 || strcasecmp(word, "inf") == 0 || strcasecmp(word, "infinity") == 0;
    if (!named && (!*text || text[strspn(text, "0123456789+-.eE")]))
        return false;
    char *end;
    *out = strtod(text, &end);
    return !*end && (named || isfinite(*out));
}

void lm_csv_free(lm_csv *csv)
{
    if (!csv)
        return;
    lm_vec_free(&csv->cell);
    lm_vec_free(&csv->line);
    lm_str_free(&csv->text);
    lm_free(csv->name);
    lm_free(csv);
}

int64_t lm_csv_rows(const lm_csv *csv)
{
    return (int64_t)csv->line.count - csv->header;
}

int lm_csv_columns(const lm_csv *csv)
{
    return csv->columns;
}

/* `line` counts the header too. */
static const char *field(const lm_csv *csv, int64_t line, int column)
{
    return csv->text.text + csv->cell.at[(size_t)line * (size_t)csv->columns + (size_t)column];
}

const char *lm_csv_column(const lm_csv *csv, int column)
{
    return csv->header ? field(csv, 0, column) : "";
}

int lm_csv_find(const lm_csv *csv, const char *column)
{
    for (int c = 0; csv->header && c < csv->columns; c++)
        if (strcmp(field(csv, 0, c), column) == 0)
            return c;
    return -1;
}

const char *lm_csv_text(const lm_csv *csv, int64_t row, int column)
{
    return field(csv, row + csv->header, column);
}

bool lm_csv_is_missing(const lm_csv *csv, int64_t row, int column)
{
    static const char *const words[] = {"", "NA", "N/A", "null", "?"};
    for (size_t i = 0; i < LM_COUNT(words); i++)
        if (strcasecmp(words[i], lm_csv_text(csv, row, column)) == 0)
            return true;
    return false;
}

int64_t lm_csv_line(const lm_csv *csv, int64_t row)
{
    return csv->line.at[row + csv->header];
}

/* The number of a field into *to. */
static bool take_number(const lm_csv *csv, int64_t row, int column, double *to)
{
    if (csv->missing && lm_csv_is_missing(csv, row, column)) {
        *to = NAN;
        return true;
    }
    return lm_csv_read_number(lm_csv_text(csv, row, column), to);
}

bool lm_csv_is_number(const lm_csv *csv, int column)
{
    double unused;
    for (int64_t row = 0; row < lm_csv_rows(csv); row++)
        if (!take_number(csv, row, column, &unused))
            return false;
    return true;
}

static lm_status no_number(const lm_csv *csv, int64_t row, int column)
{
    const char *text = lm_csv_text(csv, row, column), *name = lm_csv_column(csv, column);
    return lm_fail(LM_INPUT, "%s: line %" PRId64 ", column %d%s%s%s: %s%.40s%s; a number is needed", csv->name,
                   csv->line.at[row + csv->header], column + 1, *name ? " '" : "", name, *name ? "'" : "",
                   *text ? "'" : "", *text ? text : "empty", *text ? "'" : "");
}

lm_status lm_csv_numbers(const lm_csv *csv, int64_t first, int64_t rows, const bool *leave_out, lm_view *out)
{
    int64_t have = lm_csv_rows(csv), kept = 0;
    LM_REQUIRE(first >= 0 && rows >= 0 && first <= have && rows <= have - first, LM_INPUT,
               "%s has %" PRId64 " rows; %" PRId64 " from row %" PRId64 " on are not there", csv->name, have, rows,
               first);
    for (int c = 0; c < csv->columns; c++)
        kept += !(leave_out && leave_out[c]);
    const lm_shape sh = LM_SHAPE(rows, kept);
    lm_view v;
    LM_TRY(lm_view_new(LM_F64, &sh, &v));
    double *to = lm_view_data(&v);
    for (int64_t row = first; row < first + rows; row++)
        for (int c = 0; c < csv->columns; c++)
            if (!(leave_out && leave_out[c]) && !take_number(csv, row, c, to++)) {
                lm_buffer_unref(v.buf);
                return no_number(csv, row, c);
            }
    *out = v;
    return LM_OK;
}
