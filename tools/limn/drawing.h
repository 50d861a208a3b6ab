/* How heat maps are drawn, in the words of the option --draw. */
#ifndef LIMN_DRAWING_H
#define LIMN_DRAWING_H

#include "command.h"
#include "core/draw/heat.h"

typedef enum drawing_sign { SIGN_BOTH, SIGN_POSITIVE, SIGN_NEGATIVE, SIGN_ABSOLUTE } drawing_sign;

typedef struct drawing {
    lm_heat_mode mode;
    bool bare;      /* no picture below */
    bool waterfall; /* bars of tables one after the other */
    bool each;      /* channels side by side instead of their sum */
    drawing_sign sign;
    lm_heat_filter upsample;
    double clip;  /* percent of the sizes that the full colour stands for */
    bool between; /* interpolated percentiles instead of those by rank */
    double opacity;
    int palette; /* as in lm_heat */
} drawing;

/* What is usual, changed as the option says; LM_USAGE names the word. */
lm_status drawing_read(const command *cmd, drawing *out);

/* "range 0.12: 99.5th percentile of |value| by rank; signed; overlay" */
void drawing_text(const drawing *d, double range, lm_str *out);

#endif
