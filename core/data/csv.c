/* The file is copied once; its fields are compacted in that copy, each closed by a zero byte. */
#include "core/data/csv.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/vec.h"

struct lm_csv {
    char *name, *text;
    int columns;
    bool header, missing;
    LM_VEC(uint32_t) cell; /* where each field begins in `text`, line by line, the header included */
    LM_VEC(int64_t) line;  /* in the file, from 1, by line that holds something */
};

/* Reads from `at` and writes to `to`, which never overtakes it. */
typedef struct reader {
    lm_csv *csv;
    const char *at, *end;
    char *to;
    int64_t line;
    int column; /* of the field being read */
    char separator;
} reader;

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool at_end_of_line(const reader *r)
{
    return r->at == r->end || *r->at == '\n' || *r->at == '\r';
}

static lm_status fault(const reader *r, const char *what)
{
    return lm_fail(LM_INPUT, "%s: line %" PRId64 ", column %d: %s", r->csv->name, r->line, r->column + 1, what);
}

static void end_line(reader *r)
{
    if (r->at < r->end && *r->at == '\r')
        r->at++;
    if (r->at < r->end && *r->at == '\n')
        r->at++;
    r->line++;
}

static void skip_blanks(reader *r)
{
    while (r->at < r->end && blank(*r->at) && *r->at != r->separator)
        r->at++;
}

static lm_status read_quoted(reader *r)
{
    const int64_t begun = r->line;
    for (r->at++; r->at < r->end; r->at++) {
        if (*r->at == '"' && (r->at + 1 == r->end || r->at[1] != '"'))
            break;
        r->at += *r->at == '"';
        r->line += *r->at == '\n';
        *r->to++ = *r->at;
    }
    if (r->at == r->end) {
        r->line = begun;
        return fault(r, "a quote is opened and not closed");
    }
    r->at++;
    skip_blanks(r);
    if (!at_end_of_line(r) && *r->at != r->separator)
        return fault(r, "text follows a closing quote; a quote inside quotes is written twice");
    return LM_OK;
}

/* Up to the separator or the end of the line, which is not taken yet. */
static lm_status read_field(reader *r)
{
    char *from = r->to;
    skip_blanks(r);
    if (r->at < r->end && *r->at == '"')
        return read_quoted(r);
    while (!at_end_of_line(r) && *r->at != r->separator)
        *r->to++ = *r->at++;
    while (r->to > from && blank(r->to[-1]))
        r->to--;
    return LM_OK;
}

static lm_status read_line(reader *r)
{
    lm_csv *csv = r->csv;
    LM_TRY(lm_vec_push(&csv->line, r->line));
    bool more = true;
    for (r->column = 0; more; r->column++) {
        size_t from = (size_t)(r->to - csv->text);
        LM_TRY(read_field(r));
        more = !at_end_of_line(r);
        if (more)
            r->at++;
        else
            end_line(r);
        *r->to++ = 0; /* only now: it may fall on the byte that was just taken */
        LM_TRY(lm_vec_push(&csv->cell, (uint32_t)from));
    }
    if (csv->line.count == 1)
        csv->columns = r->column;
    LM_REQUIRE(r->column == csv->columns, LM_INPUT, "%s: line %" PRId64 " has %d columns, but the first has %d",
               csv->name, csv->line.at[csv->line.count - 1], r->column, csv->columns);
    return LM_OK;
}

static char find_separator(const char *at, const char *end)
{
    bool quoted = false;
    for (; at < end && *at != '\n' && *at != '\r'; at++) {
        quoted ^= *at == '"';
        if (!quoted && (*at == ',' || *at == ';' || *at == '\t'))
            return *at;
    }
    return ',';
}

static bool read_number(const char *text, double *out)
{
    const char *word = text + (*text == '-' || *text == '+');
    bool named = strcasecmp(word, "nan") == 0 || strcasecmp(word, "inf") == 0 || strcasecmp(word, "infinity") == 0;
    if (!named && (!*text || text[strspn(text, "0123456789+-.eE")]))
        return false;
    char *end;
    *out = strtod(text, &end);
    return !*end && (named || isfinite(*out));
}

static bool any_text(const lm_csv *csv)
{
    double unused;
    for (int c = 0; c < csv->columns; c++)
        if (!read_number(csv->text + csv->cell.at[c], &unused))
            return true;
    return false;
}

static lm_status parse(lm_csv *csv, const char *bytes, size_t count, const lm_csv_options *options)
{
    if (count >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        count -= 3;
    }
    LM_REQUIRE(count < UINT32_MAX, LM_INPUT, "%s is a table of over 4 GB; give it in parts", csv->name);
    LM_REQUIRE(!memchr(bytes, 0, count), LM_INPUT, "%s holds zero bytes; save it as UTF-8 text", csv->name);
    csv->text = lm_malloc(count + 1, 1); /* the last line may have no end, but its last field has one */
    if (!csv->text)
        return LM_MEMORY;
    memcpy(csv->text, bytes, count);
    reader r = {.csv = csv, .at = csv->text, .end = csv->text + count, .to = csv->text, .line = 1};
    r.separator = options->separator ? options->separator : find_separator(r.at, r.end);
    while (r.at < r.end) {
        skip_blanks(&r);
        if (at_end_of_line(&r))
            end_line(&r);
        else
            LM_TRY(read_line(&r));
    }
    LM_REQUIRE(csv->line.count > 0, LM_INPUT, "%s is empty", csv->name);
    csv->missing = options->missing;
    csv->header = options->header == LM_CSV_YES || (options->header == LM_CSV_AUTO && any_text(csv));
    return LM_OK;
}

lm_status lm_csv_parse(const void *bytes, size_t count, const char *name, const lm_csv_options *options, lm_csv **out)
{
    static const lm_csv_options none;
    lm_csv *csv;
    LM_NEW(csv);
    csv->name = lm_strdup(name);
    lm_status status = csv->name ? parse(csv, bytes, count, options ? options : &none) : LM_MEMORY;
    if (status == LM_OK)
        *out = csv;
    else
        lm_csv_free(csv);
    return status;
}

lm_status lm_csv_read(const char *path, const lm_csv_options *options, lm_csv **out)
{
    lm_file file;
    LM_TRY(lm_file_map(path, &file));
    lm_status status = lm_csv_parse(file.bytes, file.size, path, options, out);
    lm_file_unmap(&file);
    return status;
}

void lm_csv_free(lm_csv *csv)
{
    if (!csv)
        return;
    lm_vec_free(&csv->cell);
    lm_vec_free(&csv->line);
    lm_free(csv->text);
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
    return csv->text + csv->cell.at[(size_t)line * (size_t)csv->columns + (size_t)column];
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

bool lm_csv_is_number(const lm_csv *csv, int column)
{
    double unused;
    for (int64_t row = 0; row < lm_csv_rows(csv); row++)
        if (!read_number(lm_csv_text(csv, row, column), &unused))
            return false;
    return true;
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
    return read_number(lm_csv_text(csv, row, column), to);
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
