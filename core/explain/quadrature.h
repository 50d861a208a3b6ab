/* Quadrature on [0, 1]. */
#ifndef LM_EXPLAIN_QUADRATURE_H
#define LM_EXPLAIN_QUADRATURE_H

#include <stdint.h>

#include "core/base/status.h"

typedef enum lm_quadrature {
    LM_QUADRATURE_GAUSS,
    LM_QUADRATURE_LEFT,
    LM_QUADRATURE_RIGHT,
    LM_QUADRATURE_MIDDLE,
    LM_QUADRATURE_TRAPEZOID,
    LM_QUADRATURE_ADAPTIVE /* has no nodes of its own: they follow the integrand */
} lm_quadrature;

/* The words of an option, in the order of the enum. */
#define LM_QUADRATURES "gauss|left|right|middle|trapezoid|adaptive"

/* n nodes, ascending, and their weights, which sum to 1. Gauss-Legendre is good to the last digit or two for any n
 * and takes time n^2. LM_USAGE for more than 16384 such nodes, and for a trapezoid of one node. */
lm_status lm_quadrature_make(lm_quadrature kind, int64_t n, double *node, double *weight);

/* Evenly spaced nodes as Captum has them from PyTorch: floats, counted from the nearer end. */
void lm_quadrature_round(int64_t n, double *node);

/* How far the rule may be off on a path where `value` is F and `slope` its derivative at the nodes, from F's values
 * at 0 and 1: the sum over intervals of |change of F - what the rule makes of it|. NAN for rules whose nodes do not
 * bound intervals. */
double lm_quadrature_residual(lm_quadrature kind, int64_t n, const double *node, const double *value,
                              const double *slope, double first, double last, double total);

#endif
