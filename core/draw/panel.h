/* Explanations of what is no picture: tables as bars, texts as strips of tokens, time series as curves. */
#ifndef LM_DRAW_PANEL_H
#define LM_DRAW_PANEL_H

#include <stdbool.h>

#include "core/draw/words.h"

typedef enum lm_panel_kind { LM_PANEL_BARS, LM_PANEL_TOKENS, LM_PANEL_CURVE } lm_panel_kind;

/* One sample and result. Texts are UTF-8 and borrowed. */
typedef struct lm_panel {
    lm_panel_kind kind;
    const char *title;
    int count;               /* columns, tokens, or points in time */
    const char *const *name; /* by column or token */
    const double *value;     /* what each speaks for (above 0) or against */
    bool positive;           /* sizes only: nothing speaks for or against */
    int series;              /* curves: how many lie over each other */
    const double *curve;     /* [series][count] */
    const double *part;      /* [series][count]: what each number of many curves speaks for; NULL: not known */
    bool waterfall;          /* bars: each begins where the one before ends, the first at `from`; not of sizes */
    double from, to;         /* a last bar shows what all of them leave of `to` */
    bool unexplained;        /* `from` is no value at a baseline, but what the bars leave of the last number */
    lm_language language;
} lm_panel;

/* Panels from top to bottom as one picture that can be read on light and on dark ground. Bars are sorted by size; of
 * many, the largest are shown and the others summed up. Equal panels give equal bytes. */
lm_status lm_panels_svg(const lm_panel *panel, size_t panels, lm_str *out);

#endif
