/* Tables of text: .csv files. */
#ifndef LM_DATA_CSV_H
#define LM_DATA_CSV_H

#include "core/tensor/tensor.h"

typedef struct lm_csv lm_csv;

typedef enum lm_csv_header { LM_CSV_AUTO, LM_CSV_YES, LM_CSV_NO } lm_csv_header;

/* {0} or NULL is the default. */
typedef struct lm_csv_options {
    lm_csv_header header; /* AUTO: the first line names the columns unless all of it is numbers */
    bool missing;         /* "", "NA", "N/A", "null" and "?" are numbers: NaN */
    char separator;       /* 0: the first of , ; tab that the first line holds */
} lm_csv_options;

/* Read a whole table. Fields may stand in double quotes, where a quote is doubled and separators and ends of lines are
 * text; blanks around a field are dropped outside quotes; empty lines are passed over; a byte order mark too. LM_INPUT,
 * with line and column, for an open quote, a zero byte, and a line of another width. */
lm_status lm_csv_read(const char *path, const lm_csv_options *options, lm_csv **out);
lm_status lm_csv_parse(const void *bytes, size_t count, const char *name, const lm_csv_options *options, lm_csv **out);
void lm_csv_free(lm_csv *csv); /* NULL is fine */

int64_t lm_csv_rows(const lm_csv *csv); /* without the header */
int lm_csv_columns(const lm_csv *csv);
const char *lm_csv_column(const lm_csv *csv, int column); /* its name; "" without a header */
int lm_csv_find(const lm_csv *csv, const char *column);   /* -1: no column of that name */
const char *lm_csv_text(const lm_csv *csv, int64_t row, int column);

/* Is every field of the column a number? */
bool lm_csv_is_number(const lm_csv *csv, int column);

/* Does the field stand for a value that is not there? */
bool lm_csv_is_missing(const lm_csv *csv, int64_t row, int column);
int64_t lm_csv_line(const lm_csv *csv, int64_t row); /* of the file, from 1 */

/* Rows first, first + 1 ... of the columns for which leave_out (may be NULL) is false, as a fresh float64 tensor
 * [rows, columns]. "nan" and "inf" are numbers, an empty field is none unless missing ones may be. LM_INPUT names line,
 * column and text of the first field that is no number, and rows that are not there. */
lm_status lm_csv_numbers(const lm_csv *csv, int64_t first, int64_t rows, const bool *leave_out, lm_view *out);

/* A long table, part by part, so that it takes little memory: each part is a table of some of the rows, with the names
 * of the columns. Opening reads all of it once, to count the rows and to refuse what lm_csv_read would. */
typedef struct lm_csv_parts lm_csv_parts;

lm_status lm_csv_parts_open(const char *path, const lm_csv_options *options, lm_csv_parts **out);
void lm_csv_parts_free(lm_csv_parts *parts); /* NULL is fine */
int64_t lm_csv_parts_rows(const lm_csv_parts *parts);
int lm_csv_parts_columns(const lm_csv_parts *parts);
lm_status lm_csv_parts_next(lm_csv_parts *parts, int64_t rows, lm_csv **out); /* the next so many, or what is left */
void lm_csv_parts_rewind(lm_csv_parts *parts);

#endif
