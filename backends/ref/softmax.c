/* Softmax and its logarithm along one axis, and their gradients. */
#include <math.h>

#include "backends/ref/ref.h"

/* exp(x - max) / sum, or x - max - log(sum). A line of nothing but -Inf, or with +Inf or NaN in it, gives NaN where
 * IEEE arithmetic on that formula does. */
lm_status lm_ref_softmax(const lm_ref_call *c)
{
    lm_ref_cut cut = lm_ref_cut_at(&c->x[0].sh, c->a->axis.axis);
    const double *x = lm_ref_floats(c, 0);
    double *y = lm_ref_new_floats(c, lm_shape_count(&c->x[0].sh));
    LM_REF_NEED(x && y);
    for (int64_t o = 0; o < cut.outer; o++)
        for (int64_t n = 0; n < cut.inner; n++) {
            int64_t line = o * cut.size * cut.inner + n;
            double most = -INFINITY, sum = 0;
            for (int64_t i = 0; i < cut.size; i++)
                most = lm_ref_max(most, x[line + i * cut.inner]);
            for (int64_t i = 0; i < cut.size; i++)
                sum += exp(x[line + i * cut.inner] - most);
            for (int64_t i = 0; i < cut.size; i++) {
                double shifted = x[line + i * cut.inner] - most;
                y[line + i * cut.inner] = c->op == LM_OP_SOFTMAX ? exp(shifted) / sum : shifted - log(sum);
            }
        }
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}

/* (s, y): y * (s - sum of s * y) for softmax, s - exp(y) * sum of s for its logarithm. */
lm_status lm_ref_softmax_dx(const lm_ref_call *c)
{
    lm_ref_cut cut = lm_ref_cut_at(&c->x[0].sh, c->a->axis.axis);
    bool plain = c->op == LM_OP_SOFTMAX_DX;
    const double *s = lm_ref_floats(c, 0), *y = lm_ref_floats(c, 1);
    double *out = lm_ref_new_floats(c, lm_shape_count(&c->x[0].sh));
    LM_REF_NEED(s && y && out);
    for (int64_t o = 0; o < cut.outer; o++)
        for (int64_t n = 0; n < cut.inner; n++) {
            int64_t line = o * cut.size * cut.inner + n;
            double sum = 0;
            for (int64_t i = 0; i < cut.size; i++) {
                int64_t at = line + i * cut.inner;
                sum += plain ? s[at] * y[at] : s[at];
            }
            for (int64_t i = 0; i < cut.size; i++) {
                int64_t at = line + i * cut.inner;
                out[at] = plain ? y[at] * (s[at] - sum) : s[at] - exp(y[at]) * sum;
            }
        }
    lm_ref_put_floats(c, 0, out);
    return LM_OK;
}
