/* Matchers of patterns. */
#include "core/graph/canon_match.h"

#include <math.h>

const lm_node *lm_made_by(const lm_graph *g, lm_val v, lm_opid op)
{
    const lm_node *n = lm_graph_value(g, v)->producer;
    return n && n->op == op && n->y[0] == v && !n->ep ? n : NULL;
}

lm_val lm_under(const lm_graph *g, lm_val v, lm_opid op)
{
    const lm_node *n = lm_made_by(g, v, op);
    return n ? n->x[0] : LM_NOVAL;
}

bool lm_is_number(const lm_graph *g, lm_val v, double *number)
{
    const lm_view *c = lm_graph_value(g, v)->constant;
    if (!c || lm_shape_count(&c->sh) != 1)
        return false;
    *number = lm_view_get(c, 0);
    return true;
}

bool lm_is_about(const lm_graph *g, lm_val like, double number, double wanted)
{
    const lm_dtype dt = lm_graph_value(g, like)->type.dt;
    const double slack = dt == LM_F16 ? 1e-3 : dt == LM_BF16 ? 8e-3 : 1e-5;
    return fabs(number - wanted) <= slack * fabs(wanted);
}

/* The shape of a value that takes part is that of the result: a number of rank 5 would raise a scalar. */
static bool shapes_agree(const lm_graph *g, lm_val a, lm_val b)
{
    return lm_shape_equal(&lm_graph_value(g, a)->type.sh, &lm_graph_value(g, b)->type.sh);
}

bool lm_with_number(const lm_graph *g, lm_val v, lm_opid op, lm_val *x, double *number)
{
    const lm_node *n = lm_made_by(g, v, op);
    const int orders = lm_ops[op].flags & LM_FLAG_COMMUTES ? 2 : 1;
    for (int i = 0; n && i < orders; i++)
        if (lm_is_number(g, n->x[1 - i], number) && shapes_agree(g, n->x[i], v)) {
            *x = n->x[i];
            return true;
        }
    return false;
}

static bool add_factor(const lm_graph *g, lm_val v, lm_factors *f);

/* Take the node that makes v apart, if it is some product. */
static bool take_apart(const lm_graph *g, lm_val v, lm_factors *f, bool *good)
{
    const lm_node *mul = lm_made_by(g, v, LM_OP_MUL), *div = lm_made_by(g, v, LM_OP_DIV);
    const lm_node *neg = lm_made_by(g, v, LM_OP_NEG);
    double number;
    if (mul) {
        *good = add_factor(g, mul->x[0], f) && add_factor(g, mul->x[1], f);
    } else if (div && lm_is_number(g, div->x[1], &number)) {
        f->number /= number;
        *good = add_factor(g, div->x[0], f);
    } else if (neg) {
        f->number = -f->number;
        *good = add_factor(g, neg->x[0], f);
    } else {
        return false;
    }
    return true;
}

static bool add_factor(const lm_graph *g, lm_val v, lm_factors *f)
{
    double number;
    if (lm_is_number(g, v, &number)) {
        f->number *= number;
        return true;
    }
    const lm_use *use = lm_graph_value(g, v)->use;
    bool good = true;
    if (use && !use->next && f->depth++ < LM_FACTORS && take_apart(g, v, f, &good))
        return good;
    if (f->n == LM_FACTORS)
        return false;
    f->at[f->n++] = v;
    return true;
}

bool lm_factors_of(const lm_graph *g, lm_val v, lm_factors *out)
{
    *out = (lm_factors){.number = 1};
    bool good = true;
    if (!take_apart(g, v, out, &good))
        good = add_factor(g, v, out);
    return good;
}

lm_val lm_other_factor(const lm_factors *f, lm_val v)
{
    if (f->n != 2 || (f->at[0] != v && f->at[1] != v))
        return LM_NOVAL;
    return f->at[f->at[0] == v];
}

bool lm_is_square(const lm_graph *g, lm_val v, lm_val *x)
{
    const lm_node *mul = lm_made_by(g, v, LM_OP_MUL);
    double power;
    if (mul && mul->x[0] == mul->x[1]) {
        *x = mul->x[0];
        return true;
    }
    return lm_with_number(g, v, LM_OP_POW, x, &power) && power == 2;
}

const lm_node *lm_product_before(const lm_rewrite *r, lm_val v, const lm_node *n)
{
    const lm_value *made = lm_graph_value(r->e.g, r->map[v]);
    const lm_node *p = made->producer;
    if (!p || p->ep || !(lm_ops[p->op].flags & LM_FLAG_EPILOGUE) || made->type.sh.rank < 2 ||
        lm_graph_value(r->e.g, p->x[1])->type.sh.rank < 2)
        return NULL;
    return lm_rewrite_consumer(r, v) == n ? p : NULL;
}

lm_val lm_channel_vector(lm_rewrite *r, lm_val v, const lm_node *product)
{
    const lm_value *c = lm_graph_value(r->e.g, r->map[v]), *y = lm_graph_value(r->e.g, product->y[0]);
    const int axis = product->op == LM_OP_MATMUL ? y->type.sh.rank - 1 : 1;
    const int64_t channels = y->type.sh.dim[axis];
    const int at = c->type.sh.rank - (y->type.sh.rank - axis);
    if (!c->constant || c->type.sh.rank > y->type.sh.rank || at < 0)
        return LM_NOVAL;
    for (int i = 0; i < c->type.sh.rank; i++)
        if (c->type.sh.dim[i] != (i == at ? channels : 1))
            return LM_NOVAL;
    const lm_shape vector = LM_SHAPE(channels);
    return lm_emit_reshape(&r->e, r->map[v], &vector);
}
