/* update.c - optimiser steps over contiguous runs. Plain arithmetic without fusing, which every compiler may vectorise
 * as it likes: the bits are those of the formulas as written. */
#include "backends/cpu/simd/kernel.h"

#include <math.h>

void LM_NAME(lm_update_sgd)(const lm_update *u)
{
    const float *w = u->w, *g = u->g;
    float *y = u->w_new, rate = u->rate, decay = u->a.decay;
    for (size_t i = 0; i < u->n; i++)
        y[i] = w[i] - rate * (g[i] + decay * w[i]);
}

void LM_NAME(lm_update_momentum)(const lm_update *u)
{
    const float *w = u->w, *g = u->g, *v = u->m;
    float *y = u->w_new, *v_new = u->m_new, rate = u->rate, decay = u->a.decay, momentum = u->a.momentum;
    bool ahead = u->a.nesterov;
    for (size_t i = 0; i < u->n; i++) {
        float old = w[i], slope = g[i] + decay * old;
        float speed = momentum * v[i] + slope;
        y[i] = old - rate * (ahead ? slope + momentum * speed : speed);
        v_new[i] = speed;
    }
}

void LM_NAME(lm_update_adam)(const lm_update *u)
{
    const float *w = u->w, *g = u->g, *m = u->m, *v = u->v;
    float *y = u->w_new, *m_new = u->m_new, *v_new = u->v_new;
    float rate = u->rate, decay = u->a.decay, b1 = u->a.beta1, b2 = u->a.beta2, epsilon = u->a.epsilon;
    float c1 = 1.0f - b1, c2 = 1.0f - b2;
    for (size_t i = 0; i < u->n; i++) {
        float old = w[i], slope = g[i] + decay * old;
        float mean = b1 * m[i] + c1 * slope, power = b2 * v[i] + c2 * slope * slope;
        y[i] = old - rate * mean / (sqrtf(power) + epsilon);
        m_new[i] = mean;
        v_new[i] = power;
    }
}
