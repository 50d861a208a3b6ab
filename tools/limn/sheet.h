/* Maps in rows and columns with titles, as one picture of pixels. */
#ifndef LIMN_SHEET_H
#define LIMN_SHEET_H

#include "core/draw/heat.h"

typedef struct sheet {
    int columns, rows;
    const char *const *column, *const *row; /* titles; a NULL is none, '\n' begins a line */
    const lm_heat *cell;                    /* [rows][columns]; without a map the picture below alone, in its colours */
    const char *about;                      /* what is written into the file's description; NULL: nothing */
} sheet;

/* Write it as a PNG file. All cells get the room of the largest. LM_UNSUPPORTED in a build that writes none. */
lm_status sheet_write(const sheet *s, const char *path);

#endif
