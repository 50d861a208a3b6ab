/* Texts to tables, whole or in parts. */
#include <inttypes.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/csv_inside.h"

typedef struct reader {
    lm_csv *csv;
    const char *at, *end;
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
        lm_str_char(&r->csv->text, *r->at);
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
    skip_blanks(r);
    if (r->at < r->end && *r->at == '"')
        return read_quoted(r);
    const char *from = r->at;
    while (!at_end_of_line(r) && *r->at != r->separator)
        r->at++;
    const char *to = r->at;
    while (to > from && blank(to[-1]))
        to--;
    return lm_str_add_bytes(&r->csv->text, from, (size_t)(to - from));
}

static lm_status read_line(reader *r)
{
    lm_csv *csv = r->csv;
    LM_TRY(lm_vec_push(&csv->line, r->line));
    bool more = true;
    for (r->column = 0; more; r->column++) {
        const size_t from = csv->text.count;
        LM_REQUIRE(from < UINT32_MAX, LM_INPUT, "%s is a table of over 4 GB; give it in parts", csv->name);
        LM_TRY(read_field(r));
        LM_TRY(lm_str_char(&csv->text, '\0'));
        more = !at_end_of_line(r);
        if (more)
            r->at++;
        else
            end_line(r);
        LM_TRY(lm_vec_push(&csv->cell, (uint32_t)from));
    }
    if (!csv->columns)
        csv->columns = r->column;
    LM_REQUIRE(r->column == csv->columns, LM_INPUT, "%s: line %" PRId64 " has %d columns, but the first has %d",
               csv->name, csv->line.at[csv->line.count - 1], r->column, csv->columns);
    return LM_OK;
}

/* At most so many lines that hold something. */
static lm_status read_lines(reader *r, int64_t most)
{
    const char *from = r->at;
    lm_status status = LM_OK;
    while (status == LM_OK && r->at < r->end && most > 0) {
        skip_blanks(r);
        if (at_end_of_line(r)) {
            end_line(r);
            continue;
        }
        status = read_line(r);
        most--;
    }
    if (memchr(from, 0, (size_t)(r->at - from)))
        return lm_fail(LM_INPUT, "%s holds zero bytes; save it as UTF-8 text", r->csv->name);
    return status;
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

static bool any_text(const lm_csv *csv)
{
    double unused;
    for (int c = 0; c < csv->columns; c++)
        if (!lm_csv_read_number(csv->text.text + csv->cell.at[c], &unused))
            return true;
    return false;
}

static lm_status make(const char *name, const lm_csv_options *options, lm_csv **out)
{
    lm_csv *csv;
    LM_NEW(csv);
    csv->missing = options->missing;
    csv->name = lm_strdup(name);
    if (!csv->name) {
        lm_csv_free(csv);
        return LM_MEMORY;
    }
    *out = csv;
    return LM_OK;
}

static reader start(const char *bytes, size_t count, const lm_csv_options *options)
{
    const size_t mark = count >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    reader r = {.at = bytes + mark, .end = bytes + count, .line = 1};
    r.separator = options->separator ? options->separator : find_separator(r.at, r.end);
    return r;
}

/* Whether the first line, which was just read, names the columns. */
static lm_status find_header(lm_csv *csv, const lm_csv_options *options)
{
    LM_REQUIRE(csv->line.count > 0, LM_INPUT, "%s is empty", csv->name);
    csv->header = options->header == LM_CSV_YES || (options->header == LM_CSV_AUTO && any_text(csv));
    return LM_OK;
}

static const lm_csv_options no_options;

lm_status lm_csv_parse(const void *bytes, size_t count, const char *name, const lm_csv_options *options, lm_csv **out)
{
    lm_csv *csv;
    options = options ? options : &no_options;
    LM_TRY(make(name, options, &csv));
    reader r = start(bytes, count, options);
    r.csv = csv;
    lm_status status = read_lines(&r, INT64_MAX);
    if (status == LM_OK)
        status = find_header(csv, options);
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

struct lm_csv_parts {
    lm_file file;
    lm_csv_options options;
    lm_csv *head; /* the first line */
    reader first, now; /* where the rows begin; where the next part does */
    const char *done;  /* what lies before was given back to the system */
    int64_t rows;
};

static lm_status copy_head(const lm_csv *from, lm_csv *to)
{
    to->columns = from->columns;
    to->header = from->header;
    if (!from->header)
        return LM_OK;
    LM_TRY(lm_str_add_bytes(&to->text, from->text.text, from->text.count));
    for (size_t i = 0; i < from->cell.count; i++)
        LM_TRY(lm_vec_push(&to->cell, from->cell.at[i]));
    return lm_vec_push(&to->line, from->line.at[0]);
}

/* What was read, and the page at the seam, of which the former part had a piece. */
static void give_back(lm_csv_parts *p)
{
    enum { PAGE = 65536 }; /* at most */
    const char *bytes = (const char *)p->file.bytes, *from = p->done - bytes > PAGE ? p->done - PAGE : bytes;
    lm_file_done(from, (size_t)(p->now.at - from));
    p->done = p->now.at;
}

lm_status lm_csv_parts_next(lm_csv_parts *p, int64_t rows, lm_csv **out)
{
    lm_csv *csv;
    LM_TRY(make(p->head->name, &p->options, &csv));
    lm_status status = copy_head(p->head, csv);
    p->now.csv = csv;
    if (status == LM_OK)
        status = read_lines(&p->now, rows);
    p->now.csv = NULL;
    give_back(p);
    if (status == LM_OK)
        *out = csv;
    else
        lm_csv_free(csv);
    return status;
}

void lm_csv_parts_rewind(lm_csv_parts *p)
{
    p->now = p->first;
    p->done = (const char *)p->file.bytes;
}

static lm_status count_rows(lm_csv_parts *p)
{
    enum { AT_ONCE = 4096 };
    for (int64_t got = 1; got > 0; p->rows += got) {
        lm_csv *csv;
        LM_TRY(lm_csv_parts_next(p, AT_ONCE, &csv));
        got = lm_csv_rows(csv);
        lm_csv_free(csv);
    }
    lm_csv_parts_rewind(p);
    return LM_OK;
}

static lm_status open_parts(lm_csv_parts *p, const char *path)
{
    LM_TRY(lm_file_map(path, &p->file));
    LM_TRY(make(path, &p->options, &p->head));
    p->first = start((const char *)p->file.bytes, p->file.size, &p->options);
    reader r = p->first;
    r.csv = p->head;
    LM_TRY(read_lines(&r, 1));
    LM_TRY(find_header(p->head, &p->options));
    if (p->head->header) {
        p->first = r;
        p->first.csv = NULL;
    }
    lm_csv_parts_rewind(p);
    return count_rows(p);
}

lm_status lm_csv_parts_open(const char *path, const lm_csv_options *options, lm_csv_parts **out)
{
    lm_csv_parts *p;
    LM_NEW(p);
    p->options = options ? *options : no_options;
    lm_status status = open_parts(p, path);
    if (status == LM_OK)
        *out = p;
    else
        lm_csv_parts_free(p);
    return status;
}

void lm_csv_parts_free(lm_csv_parts *p)
{
    if (!p)
        return;
    lm_csv_free(p->head);
    lm_file_unmap(&p->file);
    lm_free(p);
}

int64_t lm_csv_parts_rows(const lm_csv_parts *p)
{
    return p->rows;
}

int lm_csv_parts_columns(const lm_csv_parts *p)
{
    return p->head->columns;
}
