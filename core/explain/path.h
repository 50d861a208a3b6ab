/* Straight lines from baselines to what is explained, and sums of gradients along them. */
#ifndef LM_EXPLAIN_PATH_H
#define LM_EXPLAIN_PATH_H

#include "core/explain/method.h"
#include "core/explain/quadrature.h"

/* Where lines run, and between which values. Views are dense, of the study's type, and live as long as the task's
 * arena. */
typedef struct lm_ends {
    int n;
    const lm_site *site;
    const lm_view *x;  /* by site: [1, ...] */
    const lm_view *x0; /* by site: [baselines, ...] */
    int64_t baselines;
    bool stem; /* the only site is what the first, linear layer makes of the only input */
} lm_ends;

/* In the space of what is attributed: the inputs or, with a layer, the layer's own values at sample and baselines. */
lm_status lm_ends_find(lm_task *t, lm_ends *out);

/* In the space of the inputs, layer or not. */
lm_ends lm_ends_inputs(const lm_task *t);

/* As lm_ends_find, but behind the first layer where that is linear, so that it runs once per path instead of once
 * per node. Sums of gradients there go back to the input through lm_ends_to_input. */
lm_status lm_ends_past_stem(lm_task *t, lm_ends *out);

/* Send signals at the stem, one per target, on to the input, in place: signal[target] gets room for the input's
 * elements. */
lm_status lm_ends_to_input(lm_task *t, const lm_ends *e, double **signal);

/* Elements of one row at site i. */
int64_t lm_ends_count(const lm_ends *e, int i);

/* Baseline k at site i, as a view of [1, ...]. */
lm_view lm_ends_baseline(const lm_ends *e, int i, int64_t k);

/* x[i] = (1 - a) baseline + a input: exact at both ends. */
void lm_ends_point(const lm_ends *e, int64_t baseline, double a, const lm_view *x);

/* Sums along the line from the first baseline. A term of the sum is the gradient at `site`; with `flow`, times how
 * fast the site's value moves along the line. Sums are made in double, node by node: their bits do not depend on
 * batches. */
typedef struct lm_path {
    lm_task *t;
    const lm_ends *ends;
    int nsite;
    const lm_site *site; /* the ends' own, or a layer */
    int64_t *count;      /* elements by site */
    bool flow;
    double scale;      /* what the weights are multiplied with */
    bool narrow;       /* of fixed rules: nodes and weights are floats, as in Captum */
    double **sum;      /* out: by site * targets + target */
    double *residual;  /* out: by target: sum over intervals of |change of the target - quadrature|; NAN: not known */
} lm_path;

/* Room for sums over `site` in the arena. */
lm_status lm_path_open(lm_task *t, const lm_ends *ends, int nsite, const lm_site *site, bool flow, lm_path *out);

lm_status lm_path_fixed(lm_path *p, lm_quadrature kind, int64_t nodes);

/* Nodes follow the integrand: intervals with the largest residuals are halved until all residuals sum to `tol` at
 * most. Targets are looked at one by one, so that what one gets does not hang on the others. The residual says how
 * far it came. */
lm_status lm_path_adaptive(lm_path *p, const double *tol);

/* For both: the slope dF/da that a row's gradient (and tangent) makes, and term += weight * gradient (* tangent). */
double lm_path_slope(const lm_path *p, int site, const lm_view *gradient, const lm_view *tangent);
void lm_path_add(double *sum, double weight, const lm_view *gradient, const lm_view *tangent);

/* A sweep of gradients at the path's sites, with tangents where they are asked; `fill` and `absorb` are the
 * caller's. Arrays are in the arena. */
lm_status lm_path_sweep(const lm_path *p, bool tangents, lm_sweep *out);

#endif
