/* LayerNorm and RMSNorm from their arithmetic. */
#include "core/graph/canon.h"

/* A normalisation without scale and bias: what it reads, its first axis, its epsilon. */
typedef struct unit {
    lm_val x;
    int axis;
    double epsilon;
} unit;

/* v = mean of `of` over the last axes, kept with size 1. */
static bool is_mean(const lm_graph *g, lm_val v, lm_val *of, int *axis)
{
    const lm_node *n = lm_made_by(g, v, LM_OP_REDUCE_MEAN);
    if (!n || !n->a->reduce.keepdims)
        return false;
    const int rank = lm_graph_value(g, v)->type.sh.rank;
    const uint32_t axes = n->a->reduce.axes, all = (1u << rank) - 1;
    *of = n->x[0];
    for (*axis = 1; *axis < rank; ++*axis)
        if (axes == (all & ~((1u << *axis) - 1)))
            return true;
    return false;
}

/* v = x / root, or x times the root's reciprocal. */
static bool is_quotient(const lm_graph *g, const lm_node *n, lm_val *x, lm_val *root)
{
    if (n->op == LM_OP_DIV) {
        *x = n->x[0];
        *root = lm_under(g, n->x[1], LM_OP_SQRT);
        return *root != LM_NOVAL;
    }
    for (int i = 0; n->op == LM_OP_MUL && i < 2; i++) {
        const lm_node *inverse = lm_made_by(g, n->x[i], LM_OP_DIV);
        double one;
        lm_val under = lm_under(g, n->x[i], LM_OP_RECIPROCAL);
        if (inverse && lm_is_number(g, inverse->x[0], &one) && one == 1)
            under = inverse->x[1];
        *x = n->x[1 - i];
        *root = lm_under(g, under, LM_OP_SQRT);
        if (*root != LM_NOVAL)
            return true;
    }
    return false;
}

/* n = x / sqrt(mean(square of x) + epsilon) */
static bool is_rms(const lm_graph *g, const lm_node *n, unit *u)
{
    lm_val root, mean, square, base;
    return n && is_quotient(g, n, &u->x, &root) && lm_with_number(g, root, LM_OP_ADD, &mean, &u->epsilon) &&
           is_mean(g, mean, &square, &u->axis) && lm_is_square(g, square, &base) && base == u->x;
}

/* n = (x - mean x) / sqrt(mean((x - mean x)²) + epsilon) */
static bool is_unit(const lm_graph *g, const lm_node *n, unit *u)
{
    lm_val of;
    int axis;
    if (!is_rms(g, n, u))
        return false;
    const lm_node *centred = lm_made_by(g, u->x, LM_OP_SUB);
    if (!centred || !is_mean(g, centred->x[1], &of, &axis) || of != centred->x[0] || axis != u->axis)
        return false;
    u->x = of;
    return true;
}

/* v has the shape of the normalised axes, or more axes of size 1 in front. */
static bool is_affine(const lm_graph *g, lm_val v, const unit *u)
{
    const lm_shape *s = &lm_graph_value(g, v)->type.sh, *x = &lm_graph_value(g, u->x)->type.sh;
    const int extra = s->rank - (x->rank - u->axis);
    if (extra < 0 || s->rank > x->rank)
        return false;
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] != (i < extra ? 1 : x->dim[u->axis + i - extra]))
            return false;
    return true;
}

typedef bool (*unit_fn)(const lm_graph *g, const lm_node *n, unit *u);

/* n = unit * scale in either order */
static bool is_scaled(const lm_graph *g, const lm_node *n, unit_fn is, unit *u, lm_val *scale)
{
    for (int i = 0; n && n->op == LM_OP_MUL && i < 2; i++) {
        *scale = n->x[1 - i];
        if (is(g, lm_graph_value(g, n->x[i])->producer, u) && is_affine(g, *scale, u))
            return true;
    }
    return false;
}

/* A vector in the shape of the normalised axes; ones when there is none. */
static lm_val affine(lm_rewrite *r, lm_val v, const unit *u)
{
    const lm_type *x = &lm_graph_value(r->from, u->x)->type;
    lm_attrs a = {0};
    for (int i = u->axis; i < x->sh.rank; i++)
        a.shape.shape.dim[a.shape.shape.rank++] = x->sh.dim[i];
    return v == LM_NOVAL ? lm_emit1(&r->e, LM_OP_EXPAND, &a, lm_emit_const(&r->e, x->dt, 1))
                         : lm_emit_reshape(&r->e, lm_rewrite_in(r, v), &a.shape.shape);
}

static bool replace(lm_rewrite *r, const lm_node *n, lm_opid op, const unit *u, lm_val scale, lm_val bias)
{
    lm_attrs a = {0};
    a.norm.axis = u->axis;
    a.norm.epsilon = (float)u->epsilon;
    const char *name = r->e.name;
    r->e.name = NULL; /* for the norm itself, not for what shapes its scale */
    lm_val x[3] = {lm_rewrite_in(r, u->x), affine(r, scale, u)};
    if (bias != LM_NOVAL)
        x[2] = affine(r, bias, u);
    r->e.name = name;
    r->map[n->y[0]] = lm_emit_one(&r->e, op, &a, bias == LM_NOVAL ? 2 : 3, x);
    return true;
}

bool lm_canon_layernorm(lm_rewrite *r, const lm_node *n)
{
    const lm_graph *g = r->from;
    unit u;
    lm_val scale;
    for (int i = 0; n->op == LM_OP_ADD && i < 2; i++)
        if (is_scaled(g, lm_graph_value(g, n->x[i])->producer, is_unit, &u, &scale) && is_affine(g, n->x[1 - i], &u))
            return replace(r, n, LM_OP_LAYERNORM, &u, scale, n->x[1 - i]);
    if (is_scaled(g, n, is_unit, &u, &scale))
        return replace(r, n, LM_OP_LAYERNORM, &u, scale, LM_NOVAL);
    return is_unit(g, n, &u) && replace(r, n, LM_OP_LAYERNORM, &u, LM_NOVAL, LM_NOVAL);
}

bool lm_canon_rmsnorm(lm_rewrite *r, const lm_node *n)
{
    unit u;
    lm_val scale;
    if (is_scaled(r->from, n, is_rms, &u, &scale))
        return replace(r, n, LM_OP_RMSNORM, &u, scale, LM_NOVAL);
    return is_rms(r->from, n, &u) && replace(r, n, LM_OP_RMSNORM, &u, LM_NOVAL, LM_NOVAL);
}
