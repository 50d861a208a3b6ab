/* Activations that exporters write as arithmetic. The product at their end is read as a set of factors, so it does not
 * matter in which order x, the number and the function of x are multiplied. */
#include <math.h>

#include "core/graph/canon.h"

static const double root_half = 0.70710678118654752, root_2_over_pi = 0.79788456080286536, cubic = 0.044715;

static bool replace(lm_rewrite *r, const lm_node *n, lm_opid op, lm_val x, double a)
{
    lm_attrs t = {0};
    t.act.a = (float)a;
    r->map[n->y[0]] = lm_emit1(&r->e, op, lm_ops[op].attrs == LM_ATTR_act ? &t : NULL, lm_rewrite_in(r, x));
    return true;
}

/* Two factors of the result's shape, and a number. */
static bool is_product(const lm_rewrite *r, const lm_node *n, lm_factors *f)
{
    const lm_type *y = &lm_graph_value(r->from, n->y[0])->type;
    if ((n->op != LM_OP_MUL && n->op != LM_OP_DIV) || !lm_dtype_is_float(y->dt) ||
        !lm_factors_of(r->from, n->y[0], f) || f->n != 2)
        return false;
    return lm_shape_equal(&lm_graph_value(r->from, f->at[0])->type.sh, &y->sh) &&
           lm_shape_equal(&lm_graph_value(r->from, f->at[1])->type.sh, &y->sh);
}

/* v = x * number */
static bool is_scaled(const lm_graph *g, lm_val v, lm_val x, double number)
{
    lm_factors f;
    return lm_factors_of(g, v, &f) && f.n == 1 && f.at[0] == x && lm_is_about(g, x, f.number, number);
}

/* v = x * x * x * number */
static bool is_cube(const lm_graph *g, lm_val v, lm_val x, double number)
{
    lm_factors f;
    lm_val base;
    double power;
    if (!lm_factors_of(g, v, &f) || !lm_is_about(g, x, f.number, number))
        return false;
    if (f.n == 1)
        return lm_with_number(g, f.at[0], LM_OP_POW, &base, &power) && base == x && power == 3;
    if (f.n == 2)
        return lm_is_square(g, lm_other_factor(&f, x), &base) && base == x;
    return f.n == 3 && f.at[0] == x && f.at[1] == x && f.at[2] == x;
}

/* v = x * x * number */
static bool is_scaled_square(const lm_graph *g, lm_val v, lm_val x, double number)
{
    lm_factors f;
    lm_val base;
    if (!lm_factors_of(g, v, &f) || !lm_is_about(g, x, f.number, number))
        return false;
    return f.n == 2 ? f.at[0] == x && f.at[1] == x : f.n == 1 && lm_is_square(g, f.at[0], &base) && base == x;
}

/* √(2/π) (x + 0.044715 x³), or the same with x taken out. */
static bool is_tanh_argument(const lm_graph *g, lm_val v, lm_val x)
{
    lm_factors f;
    if (!lm_factors_of(g, v, &f) || !lm_is_about(g, x, f.number, root_2_over_pi))
        return false;
    lm_val sum = f.n == 1 ? f.at[0] : lm_other_factor(&f, x), rest;
    double one;
    if (f.n == 2)
        return lm_with_number(g, sum, LM_OP_ADD, &rest, &one) && one == 1 && is_scaled_square(g, rest, x, cubic);
    const lm_node *add = f.n == 1 ? lm_made_by(g, sum, LM_OP_ADD) : NULL;
    return add && ((add->x[0] == x && is_cube(g, add->x[1], x, cubic)) ||
                   (add->x[1] == x && is_cube(g, add->x[0], x, cubic)));
}

bool lm_canon_gelu(lm_rewrite *r, const lm_node *n)
{
    const lm_graph *g = r->from;
    lm_factors f;
    if (!is_product(r, n, &f) || !lm_is_about(g, n->y[0], f.number, 0.5))
        return false;
    for (int i = 0; i < 2; i++) {
        lm_val x = f.at[i], inner, argument;
        double one;
        if (!lm_with_number(g, f.at[1 - i], LM_OP_ADD, &inner, &one) || one != 1)
            continue;
        if ((argument = lm_under(g, inner, LM_OP_ERF)) != LM_NOVAL && is_scaled(g, argument, x, root_half))
            return replace(r, n, LM_OP_GELU, x, 0);
        if ((argument = lm_under(g, inner, LM_OP_TANH)) != LM_NOVAL && is_tanh_argument(g, argument, x))
            return replace(r, n, LM_OP_GELU, x, 1);
    }
    return false;
}

/* clip(x + 3, 0, 6), the part of HardSwish that is divided by 6 */
static bool is_shifted_clip(const lm_graph *g, lm_val v, lm_val x)
{
    const lm_node *clip = lm_made_by(g, v, LM_OP_CLIP);
    lm_val base;
    double shift;
    return clip && clip->a->act.a == 0 && clip->a->act.b == 6 &&
           lm_with_number(g, clip->x[0], LM_OP_ADD, &base, &shift) && base == x && shift == 3;
}

static bool is_sixth(const lm_graph *g, const lm_node *hard, lm_val x)
{
    return hard && hard->x[0] == x && lm_is_about(g, x, hard->a->act.a, 1.0 / 6) && hard->a->act.b == 0.5f;
}

bool lm_canon_gate(lm_rewrite *r, const lm_node *n)
{
    const lm_graph *g = r->from;
    lm_factors f, inner;
    if (!is_product(r, n, &f))
        return false;
    for (int i = 0; i < 2; i++) {
        lm_val x = f.at[i], gate = f.at[1 - i], under = lm_under(g, gate, LM_OP_SIGMOID);
        if (lm_is_about(g, x, f.number, 1.0 / 6) && is_shifted_clip(g, gate, x))
            return replace(r, n, LM_OP_HARDSWISH, x, 0);
        if (f.number != 1)
            continue;
        if (under != LM_NOVAL && lm_factors_of(g, under, &inner) && inner.n == 1 && inner.at[0] == x)
            return replace(r, n, LM_OP_SWISH, x, inner.number);
        if (under == x)
            return replace(r, n, LM_OP_SWISH, x, 1);
        if (is_sixth(g, lm_made_by(g, gate, LM_OP_HARDSIGMOID), x))
            return replace(r, n, LM_OP_HARDSWISH, x, 0);
        if (lm_under(g, lm_under(g, gate, LM_OP_TANH), LM_OP_SOFTPLUS) == x)
            return replace(r, n, LM_OP_MISH, x, 0);
    }
    return false;
}
