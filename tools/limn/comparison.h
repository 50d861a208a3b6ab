/* Several methods' answers to one question, side by side. */
#ifndef LIMN_COMPARISON_H
#define LIMN_COMPARISON_H

#include "explanation_finding.h"

/* Of a method that is run by itself: passes of one row, and the time of all samples. */
typedef struct comparison_cost {
    double forwards, backwards, ms;
} comparison_cost;

/* Starts as {0} but for `e`; freed with comparison_free in any case. */
typedef struct comparison {
    const explanation *e;
    size_t methods, samples, elements; /* elements of the map of one sample */
    explanation_finding *finding;      /* [samples][methods] */
    double *agreement;                 /* [methods][methods]: rank correlation of the maps, its mean over samples */
    double *of_sizes;                  /* the same of the maps' sizes: what counts, for or against */
    double *consensus,
        *disagreement;     /* [samples][elements]: mean and deviation of the maps' sizes, each summing to 1 */
    comparison_cost *cost; /* [methods] */
} comparison;

/* LM_USAGE where there are several targets or inputs, or maps of different sizes. */
lm_status comparison_make(comparison *c);
void comparison_free(comparison *c);

const char *comparison_method(const comparison *c, size_t method);

/* The map of one method and sample. */
static inline const lm_finding *comparison_map(const comparison *c, size_t sample, size_t method)
{
    return &c->finding[sample * c->methods + method].is;
}

/* comparison_out.c: a few lines; numbers for machines, with `maps` consensus and disagreement too; a picture with the
 * maps (.png), the matrix of agreement
 * (.svg). */
lm_status comparison_text(const comparison *c, command *cmd);
lm_status comparison_json(const comparison *c, bool maps, lm_str *out);
lm_status comparison_png(const comparison *c, const char *path);
lm_status comparison_svg(const comparison *c, const char *path);

/* comparison_page.c: the report of all methods, with tables of agreement and cost. */
lm_status comparison_html(const comparison *c, const char *path);

#endif
