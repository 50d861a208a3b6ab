/* Optimiser steps as ONNX's training domain defines them: the gradient is regularised first, g = gradient + decay * w.
 * Momentum there weighs g by an attribute beta after the first step; here that weight is always 1. */
#include <math.h>

#include "backends/ref/ref.h"

/* (w, gradient, rate): w - rate * g. */
static void descend(const lm_attr_update *a, double rate, int64_t n, const double *w, const double *g, double *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = w[i] - rate * (g[i] + (double)a->decay * w[i]);
}

/* v' = momentum * v + g; w' = w - rate * v', or with Nesterov's look-ahead w - rate * (g + momentum * v'). */
static void push(const lm_attr_update *a, double rate, int64_t n, const double *w, const double *gradient,
                 const double *v, double *w_out, double *v_out)
{
    double momentum = (double)a->momentum;
    for (int64_t i = 0; i < n; i++) {
        double g = gradient[i] + (double)a->decay * w[i];
        v_out[i] = momentum * v[i] + g;
        w_out[i] = w[i] - rate * (a->nesterov ? g + momentum * v_out[i] : v_out[i]);
    }
}

/* m' = beta1 m + (1 - beta1) g; v' = beta2 v + (1 - beta2) g^2; w' = w - r m' / (sqrt(v') + epsilon), where for a step
 * number t > 0 the rate r = rate * sqrt(1 - beta2^t) / (1 - beta1^t) makes up for m and v starting at 0. */
static void adapt(const lm_attr_update *a, double rate, double t, int64_t n, const double *const *x, double *const *y)
{
    double b1 = (double)a->beta1, b2 = (double)a->beta2;
    double r = t > 0 ? rate * sqrt(1 - pow(b2, t)) / (1 - pow(b1, t)) : rate;
    for (int64_t i = 0; i < n; i++) {
        double g = x[1][i] + (double)a->decay * x[0][i];
        y[1][i] = b1 * x[3][i] + (1 - b1) * g;
        y[2][i] = b2 * x[4][i] + (1 - b2) * g * g;
        y[0][i] = x[0][i] - r * y[1][i] / (sqrt(y[2][i]) + (double)a->epsilon);
    }
}

lm_status lm_ref_update(const lm_ref_call *c)
{
    const lm_attr_update *a = &c->a->update;
    int64_t n = lm_shape_count(&c->x[0].sh);
    const double *x[6] = {0};
    double *y[LM_OUT_MAX];
    for (int i = 0; i < c->nx; i++)
        LM_REF_NEED(x[i] = lm_ref_floats(c, i));
    for (int i = 0; i < LM_OUT_MAX; i++)
        LM_REF_NEED(y[i] = lm_ref_new_floats(c, n));
    if (c->op == LM_OP_SGD)
        descend(a, x[2][0], n, x[0], x[1], y[0]);
    else if (c->op == LM_OP_MOMENTUM)
        push(a, x[2][0], n, x[0], x[1], x[3], y[0], y[1]);
    else
        adapt(a, x[2][0], x[5][0], n, x, y);
    for (int i = 0; i < c->ny; i++)
        lm_ref_put_floats(c, i, y[i]);
    return LM_OK;
}
