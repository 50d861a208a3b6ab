/* What the files of tables share: csv_read.c takes texts apart, csv.c gives what was read. */
#ifndef LM_DATA_CSV_INSIDE_H
#define LM_DATA_CSV_INSIDE_H

#include "core/base/str.h"
#include "core/base/vec.h"
#include "core/data/csv.h"

struct lm_csv {
    char *name;
    lm_str text; /* the fields, each closed by a zero byte */
    int columns;
    bool header, missing;
    LM_VEC(uint32_t) cell; /* where each field begins in `text`, line by line, the header included */
    LM_VEC(int64_t) line;  /* in the file, from 1, by line that holds something */
};

/* csv.c: does the text stand for a number? */
bool lm_csv_read_number(const char *text, double *out);

#endif
