/* Charts as SVG that can be read on light and on dark ground. */
#ifndef LM_DRAW_PLOT_H
#define LM_DRAW_PLOT_H

#include <stdbool.h>

#include "core/base/str.h"

typedef enum lm_plot_kind {
    LM_PLOT_LINE,      /* series of (x, y), joined */
    LM_PLOT_SCATTER,   /* series of (x, y), as points */
    LM_PLOT_BAR,       /* groups of bars: entry i of each series belongs to name i */
    LM_PLOT_HISTOGRAM, /* series of numbers, counted */
    LM_PLOT_PIE,       /* one series, entry i belongs to name i */
    LM_PLOT_HEAT,      /* a matrix of numbers with its scale */
    LM_PLOT_CONFUSION, /* a matrix of counts, coloured by their share of the row */
    LM_PLOTS
} lm_plot_kind;

typedef struct lm_plot_series {
    const char *name; /* for the legend */
    const double *x;  /* of lines and points; NULL: 0, 1, 2 ... */
    const double *y;
    int count;
} lm_plot_series;

/* Texts are UTF-8 and borrowed, NULL is "". What is not finite is left out; lines break there. */
typedef struct lm_plot {
    lm_plot_kind kind;
    const char *title;
    const char *x, *y; /* what the axes show; of a confusion matrix: "predicted", "truth" */
    const lm_plot_series *series;
    int series_count;
    const char *const *name;     /* of bars, slices, or the columns of a matrix */
    const char *const *row_name; /* of the rows of a matrix; NULL: as the columns, where there are as many */
    int names;                   /* how many bars of a series, slices, or columns */
    int rows;
    const double *cell; /* [rows][names] */
    bool both_signs;    /* of a heat map: blue below zero, red above, with zero in the middle */
    int bins;           /* of a histogram; 0: as many as fit the numbers */
} lm_plot;

/* Append the picture. Equal charts give equal bytes. LM_USAGE for nothing to draw: no series, no rows, no slice above
 * 0. */
lm_status lm_plot_svg(const lm_plot *p, lm_str *out);

#endif
