/* Tables as INPUT. */
#include <string.h>

#include "core/data/csv.h"
#include "input_inside.h"

/* Is this table the one that is read part by part? */
static bool in_parts(const reader *r)
{
    return r->parts && r->parts->table;
}

/* What the columns are called, for pictures of the result. */
static lm_status keep_names(inputs *out, const lm_csv *csv, const bool *skip)
{
    for (size_t i = 0; i < out->column.count; i++)
        lm_free(out->column.at[i]);
    out->column.count = 0;
    for (int c = 0; c < lm_csv_columns(csv); c++) {
        if (skip[c])
            continue;
        char *name = lm_strdup(lm_csv_column(csv, c));
        if (!name || lm_vec_push(&out->column, name) != LM_OK) {
            lm_free(name);
            return LM_MEMORY;
        }
    }
    return LM_OK;
}

/* Models of trees may know what to do without a value; for others somebody should know where it lacks. Was it told? */
static bool tell_missing(const lm_csv *csv, const char *source, int64_t first, int64_t rows, const bool *skip)
{
    int64_t found = 0, line = 0;
    int column = 0;
    for (int64_t r = first; r < first + rows; r++)
        for (int c = 0; c < lm_csv_columns(csv); c++)
            if (!skip[c] && lm_csv_is_missing(csv, r, c) && found++ == 0) {
                line = lm_csv_line(csv, r);
                column = c;
            }
    if (found)
        lm_log(LM_LOG_WARN, "%s: line %lld, column %d '%s': has no value%s; such values are given as NaN", source,
               (long long)line, column + 1, lm_csv_column(csv, column), found > 1 ? ", and others have none, too" : "");
    return found > 0;
}

/* A field is no number: what to do where the table has more columns than the input takes (`width`, -1: any number). */
static lm_status tell_text(const reader *r, const lm_csv *csv, const bool *skip, int64_t width)
{
    int texts = 0, last = 0, columns = 0;
    for (int c = 0; c < lm_csv_columns(csv); c++) {
        columns += !skip[c];
        if (!skip[c] && !lm_csv_is_number(csv, c)) {
            texts++;
            last = c;
        }
    }
    if (columns == width)
        return LM_INPUT;
    if (texts == 1 && !given(r->cmd, OPT_label) && *lm_csv_column(csv, last))
        return lm_fail(LM_INPUT, "%s, or leave the column out with --label '%s'", lm_message(), lm_csv_column(csv, last));
    return lm_fail(LM_INPUT, "%s; take columns of texts out of the table, of which --label leaves out one", lm_message());
}

/* The rows of a table, without the columns of `skip`, as the input has its axes. */
static lm_status take_rows(const reader *r, const lm_csv *csv, const char *source, size_t input, int64_t row,
                           const bool *skip, lm_view *out)
{
    const limn_port *p = limn_model_input(r->m, input);
    lm_view v;
    int64_t width = 1, rows = row < 0 ? lm_csv_rows(csv) : 1;
    bool known = p->rank > 1;
    for (int i = 1; i < p->rank; i++) {
        known &= p->dim[i] >= 0;
        width *= p->dim[i] >= 0 ? p->dim[i] : 1;
    }
    lm_status read = lm_csv_numbers(csv, row < 0 ? 0 : row, rows, skip, &v);
    if (read != LM_OK)
        return read == LM_INPUT ? tell_text(r, csv, skip, known ? width : -1) : read;
    bool here = false, *told = in_parts(r) ? &r->parts->told[input] : &here;
    *told = *told || tell_missing(csv, source, row < 0 ? 0 : row, rows, skip);
    if (known && v.sh.dim[1] != width) {
        long long have = (long long)v.sh.dim[1];
        lm_buffer_unref(v.buf);
        return lm_fail(LM_INPUT,
                       "%s: it has %lld columns, but input '%s' takes %lld; leave one out with --label COLUMN or give "
                       "others",
                       source, have, p->name, (long long)width);
    }
    if (p->rank > 2 && known) {
        int64_t dim[LM_RANK];
        memcpy(dim, p->dim, sizeof dim);
        dim[0] = rows;
        lm_shape sh;
        lm_status status = lm_shape_make(p->rank, dim, &sh);
        if (status != LM_OK) {
            lm_buffer_unref(v.buf);
            return status;
        }
        v = lm_view_row(v.dt, &sh, v.buf);
    }
    *out = v;
    return LM_OK;
}

/* One input: all columns. Several: the columns that are called like them. The table is freed once nothing is left to be
 * read. */
static lm_status keep_table(reader *r, lm_csv **table, const char *source, size_t input, bool named, int64_t row,
                            bool *skip)
{
    const lm_csv *csv = *table;
    lm_view v;
    const char *leave_out = r->cmd->option[OPT_label];
    int label = leave_out ? lm_csv_find(csv, leave_out) : -1, columns = lm_csv_columns(csv);
    LM_REQUIRE(!leave_out || label >= 0, LM_USAGE, "--label: %s has no column '%s'; see its first line", source,
               leave_out);
    if (named || r->single) {
        if (label >= 0)
            skip[label] = true;
        LM_TRY(keep_names(r->out, csv, skip));
        LM_TRY(take_rows(r, csv, source, input, row, skip, &v));
        lm_csv_free(*table);
        *table = NULL;
        return input_keep(r, input, source, &v);
    }
    for (size_t i = 0; i < r->inputs; i++) {
        const limn_port *p = limn_model_input(r->m, i);
        int column = lm_csv_find(csv, p->name);
        if (column < 0 && p->optional)
            continue;
        LM_REQUIRE(column >= 0, LM_INPUT, "%s: it has no column '%s' for the model's input of that name; add it",
                   source, p->name);
        for (int c = 0; c < columns; c++)
            skip[c] = c != column;
        LM_TRY(take_rows(r, csv, source, i, row, skip, &v));
        LM_TRY(input_keep(r, i, source, &v));
    }
    return LM_OK;
}

lm_status input_table(reader *r, const input_word *w)
{
    lm_csv *csv;
    if (in_parts(r))
        LM_TRY(lm_csv_parts_next(r->parts->table, r->parts->step, &csv));
    else
        LM_TRY(lm_csv_read(w->file, &(lm_csv_options){.missing = true}, &csv));
    bool *skip = lm_calloc((size_t)lm_csv_columns(csv), sizeof *skip);
    lm_status status = skip ? LM_OK : LM_MEMORY;
    if (status == LM_OK && !lm_csv_rows(csv))
        status = lm_fail(LM_INPUT, "%s: the table has a first line with names and no row; add one", w->file);
    if (status == LM_OK && w->row >= lm_csv_rows(csv))
        status = lm_fail(LM_INPUT, "%s: the table has %lld rows; give 0 to %lld", w->path, (long long)lm_csv_rows(csv),
                         (long long)lm_csv_rows(csv) - 1);
    if (status == LM_OK)
        status = keep_table(r, &csv, w->path, w->input, w->named, w->row, skip);
    lm_free(skip);
    lm_csv_free(csv);
    return status;
}
