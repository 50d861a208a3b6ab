/* The report: one HTML page that holds everything that is to be known about some explanations, opens from disk and
 * needs nothing from outside. Filled by whoever ran them; this folder knows no models. */
#ifndef LM_DRAW_REPORT_H
#define LM_DRAW_REPORT_H

#include "core/draw/canvas.h"
#include "core/draw/words.h"

/* Everywhere here: texts are UTF-8, borrowed, and may hold anything (they are escaped); a NULL text is left out, an
 * array of no entries may be NULL, NAN is a number that means nothing here. A zeroed struct is a valid one with nothing
 * in it. */

/* An input as a person sees it. Results lie over it or stand beside it. */
typedef struct lm_report_input {
    const char *name; /* of the model's input */
    lm_about about;
    const lm_canvas *picture; /* of pictures */
    int count;                /* columns, tokens or steps */
    const char *const *label; /* [count]: names of columns, tokens as text */
    const double *number;     /* columns: [count] what was fed; series: [series][count]; NULL otherwise */
    int series;
} lm_report_input;

/* What went through a node of a method that conserves its signals. */
typedef struct lm_report_flow {
    const char *node;
    double in, out, bias, stabiliser;
} lm_report_flow;

/* One method and target for one sample. `finding` says what the values belong to. Those of a picture may be coarser
 * than the picture; they are stretched over it. */
typedef struct lm_report_result {
    const char *method;  /* "ig" */
    const char *target;  /* "top" as it was asked; results of equal targets form a column */
    const char *options; /* "steps=50 quadrature=gauss" */
    const char *site;    /* the input or layer that was explained */
    const char *space;   /* "logit", "probability", "raw" */
    int input;           /* which of the sample's */
    lm_answer explained; /* the target for this sample */
    lm_finding finding;
    double sum, least, most; /* of the values as they were before channels were put together */
    double forwards, backwards;
    const lm_report_flow *flow;
    int flows;
} lm_report_result;

/* What a layer gave for one sample. */
typedef struct lm_report_activity {
    double norm; /* root of the sum of squares */
    double least, mean, most;
    double zeros; /* share of elements that are zero */
} lm_report_activity;

typedef struct lm_report_sample {
    const char *source; /* "cat.jpg", "rows.csv:12" */
    const char *note;   /* one line about it */
    const lm_report_input *input;
    int inputs;
    const lm_answer *top; /* the prediction, best first */
    int tops;
    const uint8_t *mask;            /* [mask_height][mask_width], not 0 where the truth lies, over the first input's */
    int mask_width, mask_height;    /* picture; NULL: it is not known */
    const lm_report_result *result; /* in the order in which they are to be shown */
    int results;
    const lm_report_activity *activity; /* one for each of the section's layers; NULL: not recorded */
} lm_report_sample;

typedef struct lm_report_layer {
    const char *name, *op, *shape; /* "layer1.0.conv1", "Conv", "1x64x56x56" */
    int64_t parameters;
} lm_report_layer;

/* A model and what was asked of it. */
typedef struct lm_report_section {
    const char *name; /* "honest" */
    const char *file; /* "honest.onnx" */
    const char *sha256;
    const char *note; /* a paragraph; empty lines separate several */
    const lm_report_sample *sample;
    int samples;
    const lm_report_layer *layer;
    int layers;
    const char *graph; /* SVG */
} lm_report_section;

/* A table of texts; cells that are numbers stand to the right. */
typedef struct lm_report_table {
    const char *caption;
    int columns, rows;
    const char *const *head; /* [columns] */
    const char *const *cell; /* [rows][columns] */
} lm_report_table;

typedef struct lm_report_fact {
    const char *name, *value; /* "device", "cpu, avx512" */
} lm_report_fact;

typedef struct lm_report {
    lm_language language;
    const char *title;
    const char *asked; /* what was asked: paragraphs, separated by empty lines */
    const lm_report_section *section;
    int sections;
    const lm_report_table *table; /* behind what was asked */
    int tables;
    const char *command;        /* that does it again, quoted for a shell */
    const lm_report_fact *fact; /* the run: version, device, seed ... */
    int facts;
    const char *truth; /* what masks show: "the shape" */
    int first;         /* the sample that is shown when the page opens */
    /* lm_png_encode, for pictures that are seen without scripts; NULL: there are none */
    lm_status (*png)(const uint8_t *rgb, int width, int height, lm_str *out);
} lm_report;

/* Share of the sum of all sizes of a finding that lies where the mask is not 0; NAN where everything is 0. */
double lm_report_inside(const lm_finding *f, const uint8_t *mask, int mask_width, int mask_height);

/* Append the page. LM_USAGE where a result's input does not exist. Equal reports give equal bytes. */
lm_status lm_report_html(const lm_report *r, lm_str *out);

#endif
