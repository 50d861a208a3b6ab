/* Factors per channel around a linear layer go into its weights, once, instead of into every value. */
#include "core/graph/emit_move.h"
#include "core/graph/lower.h"

/* Only where the new weights are computed now. `x`: operands of a product. */
static bool may_fold_into(const lm_rewrite *r, int nx, const lm_val *x)
{
    const lm_value *w = lm_graph_value(r->e.g, x[1]);
    const lm_val bias = nx > 2 ? x[2] : LM_NOVAL;
    return r->e.fold && r->e.fold->compute == LM_F32 && w->constant && w->type.dt == LM_F32 &&
           (bias == LM_NOVAL || lm_graph_value(r->e.g, bias)->constant);
}

static bool may_fold(const lm_rewrite *r, const lm_node *p)
{
    return may_fold_into(r, p->nx, p->x);
}

static lm_val reshape(lm_emit *e, lm_val v, lm_shape to)
{
    return lm_emit_reshape(e, v, &to);
}

/* weights * gain, the gain being a vector of output channels */
static lm_val scaled_weights(lm_emit *e, const lm_node *p, lm_val gain)
{
    const lm_shape w = *lm_emit_shape(e, p->x[1]);
    const int64_t channels = lm_emit_shape(e, gain)->dim[0];
    lm_shape along = {.rank = w.rank};
    for (int i = 0; i < w.rank; i++)
        along.dim[i] = 1;
    if (p->op == LM_OP_MATMUL)
        along.dim[w.rank - (p->a->matmul.tb ? 2 : 1)] = channels;
    else
        along.dim[p->op == LM_OP_CONV_T] = channels;
    const int64_t groups = p->op == LM_OP_CONV_T ? p->a->conv.groups : 1;
    if (groups == 1)
        return lm_emit1(e, LM_OP_MUL, NULL, p->x[1], reshape(e, gain, along));
    /* each group of input channels has output channels of its own: [groups, in / groups, out / groups, kernel...] */
    lm_shape split = {.rank = w.rank + 1, .dim = {groups, w.dim[0] / groups}};
    lm_shape own = {.rank = w.rank + 1, .dim = {groups, 1, w.dim[1]}};
    for (int i = 1; i < w.rank; i++)
        split.dim[i + 1] = w.dim[i];
    for (int i = 2; i < w.rank; i++)
        own.dim[i + 1] = 1;
    return reshape(e, lm_emit1(e, LM_OP_MUL, NULL, reshape(e, p->x[1], split), reshape(e, gain, own)), w);
}

/* y = p * gain + shift as one product; no shift: LM_NOVAL. */
static bool replace(lm_rewrite *r, const lm_node *n, const lm_node *p, lm_val gain, lm_val shift, const char *name)
{
    lm_emit *e = &r->e;
    lm_val w = scaled_weights(e, p, gain), bias = p->nx > 2 ? p->x[2] : LM_NOVAL;
    if (bias != LM_NOVAL)
        bias = lm_emit1(e, LM_OP_MUL, NULL, bias, gain);
    if (bias == LM_NOVAL)
        bias = shift;
    else if (shift != LM_NOVAL)
        bias = lm_emit1(e, LM_OP_ADD, NULL, bias, shift);
    e->name = name;
    r->map[n->y[0]] = lm_emit_one(e, p->op, p->a, bias == LM_NOVAL ? 2 : 3, (lm_val[]){p->x[0], w, bias});
    return true;
}

void lm_norm_factors(lm_emit *e, const lm_val x[5], double epsilon, lm_val *gain, lm_val *shift)
{
    lm_val sigma = lm_emit1(e, LM_OP_SQRT, NULL, lm_emit_scalar(e, LM_OP_ADD, x[4], epsilon));
    *gain = lm_emit1(e, LM_OP_DIV, NULL, x[1], sigma);
    *shift = lm_emit1(e, LM_OP_SUB, NULL, x[2], lm_emit1(e, LM_OP_MUL, NULL, x[3], *gain));
}

/* `dt`: the type of the parameters. */
static bool merge_norm(lm_rewrite *r, const lm_node *n, const lm_node *p, lm_dtype dt)
{
    lm_emit *e = &r->e;
    if (p->op == LM_OP_MATMUL && lm_emit_shape(e, p->y[0])->rank != 2)
        return false;
    lm_val x[5], gain, shift;
    for (int i = 1; i < 5; i++) {
        x[i] = r->map[n->x[i]];
        if (!lm_graph_value(e->g, x[i])->constant || lm_emit_type(e, x[i])->dt != dt)
            return false;
    }
    const char *name = e->name;
    e->name = NULL;
    lm_norm_factors(e, x, n->a->norm.epsilon, &gain, &shift);
    return replace(r, n, p, gain, shift, name);
}

bool lm_lower_batchnorm(lm_rewrite *r, const lm_node *n)
{
    const lm_node *p = n->op == LM_OP_BATCHNORM ? lm_product_before(r, n->x[0], n) : NULL;
    return p && may_fold(r, p) && merge_norm(r, n, p, LM_F32);
}

/* One number per channel of x, the operand of a product: those of axis 1, or of a matrix the columns. */
static bool is_per_channel(const lm_graph *g, lm_val v, const lm_shape *x, int axis)
{
    const lm_value *c = lm_graph_value(g, v);
    const int rank = c->type.sh.rank, at = rank - (x->rank - axis);
    if (!c->constant || rank > x->rank || at < 0)
        return false;
    for (int i = 0; i < rank; i++)
        if (c->type.sh.dim[i] != (i == at ? x->dim[axis] : 1))
            return false;
    return true;
}

bool lm_lower_take_gain(lm_rewrite *r, const lm_node *n, lm_val x[2])
{
    lm_emit *e = &r->e;
    x[0] = r->map[n->x[0]], x[1] = r->map[n->x[1]];
    const lm_value *w = lm_graph_value(e->g, x[1]);
    const lm_shape shape = *lm_emit_shape(e, x[0]);
    const bool matrix = n->op == LM_OP_MATMUL;
    const lm_node *mul = lm_made_by(e->g, x[0], LM_OP_MUL);
    if ((!matrix && n->op != LM_OP_CONV_T) || !mul || n->ep || !may_fold_into(r, 2, x) ||
        (matrix && (n->a->matmul.ta || w->type.sh.rank != 2)) || lm_rewrite_consumer(r, n->x[0]) != n)
        return false;
    const int axis = matrix ? shape.rank - 1 : 1;
    for (int i = 0; i < 2; i++) {
        if (!is_per_channel(e->g, mul->x[1 - i], &shape, axis) || !lm_shape_equal(lm_emit_shape(e, mul->x[i]), &shape))
            continue;
        lm_shape along = {.rank = w->type.sh.rank};
        for (int k = 0; k < along.rank; k++)
            along.dim[k] = 1;
        along.dim[matrix && n->a->matmul.tb] = shape.dim[axis];
        x[1] = lm_emit1(e, LM_OP_MUL, NULL, x[1], reshape(e, mul->x[1 - i], along));
        x[0] = mul->x[i];
        return true;
    }
    return false;
}

bool lm_lower_gain(lm_rewrite *r, const lm_node *n)
{
    lm_val x[3];
    const char *name = r->e.name;
    r->e.name = NULL;
    const bool taken = lm_lower_take_gain(r, n, x);
    r->e.name = name;
    if (!taken)
        return false;
    if (n->nx > 2)
        x[2] = r->map[n->x[2]];
    r->map[n->y[0]] = lm_emit_one(&r->e, n->op, n->a, n->nx, x);
    return true;
}

/* Also where weights are computed when the graph runs, because it runs in doubles. */
bool lm_canon_norm_behind(lm_rewrite *r, const lm_node *n)
{
    const lm_node *p = n->op == LM_OP_BATCHNORM ? lm_product_before(r, n->x[0], n) : NULL;
    if (!p || p->op == LM_OP_BATCHNORM || !lm_graph_value(r->e.g, p->x[1])->constant)
        return false;
    return merge_norm(r, n, p, lm_emit_type(&r->e, p->x[1])->dt);
}

bool lm_canon_norm_to_unit(lm_rewrite *r, const lm_node *n)
{
    lm_emit *e = &r->e;
    if (!lm_canon_norm_behind(r, n))
        return false;
    if (e->status != LM_OK)
        return true;
    const lm_val y = r->map[n->y[0]];
    const lm_dtype dt = lm_emit_type(e, r->map[n->x[1]])->dt;
    const lm_shape vector = *lm_emit_shape(e, r->map[n->x[1]]);
    lm_val one = lm_emit_full(e, dt, &vector, 1), none = lm_emit_full(e, dt, &vector, 0);
    r->map[n->y[0]] = lm_emit1(e, n->op, n->a, y, one, none, none, one);
    return true;
}

/* Where there is a bias already the two sums join; lm_canon_bias has taken the others. */
bool lm_lower_shift(lm_rewrite *r, const lm_node *n)
{
    lm_emit *e = &r->e;
    const int orders = n->op == LM_OP_ADD ? 2 : n->op == LM_OP_SUB ? 1 : 0;
    for (int i = 0; i < orders; i++) {
        const lm_node *p = lm_product_before(r, n->x[i], n);
        if (!p || p->nx < 3 || p->x[2] == LM_NOVAL || !may_fold(r, p))
            continue;
        const char *name = e->name;
        e->name = NULL;
        lm_val shift = lm_channel_vector(r, n->x[1 - i], p);
        lm_val bias = shift == LM_NOVAL ? LM_NOVAL : lm_emit1(e, n->op, NULL, p->x[2], shift);
        e->name = name;
        if (bias == LM_NOVAL)
            continue;
        r->map[n->y[0]] = lm_emit1(e, p->op, p->a, p->x[0], p->x[1], bias);
        return true;
    }
    return false;
}

/* A constant factor as a vector of the product's output channels. */
static lm_val gain_of(lm_rewrite *r, lm_val v, const lm_node *p)
{
    lm_emit *e = &r->e;
    double number;
    if (!lm_is_number(e->g, r->map[v], &number))
        return lm_channel_vector(r, v, p);
    const lm_shape *y = lm_emit_shape(e, p->y[0]);
    if (lm_emit_shape(e, r->map[v])->rank > y->rank)
        return LM_NOVAL;
    lm_attrs a = {0};
    a.shape.shape = LM_SHAPE(y->dim[p->op == LM_OP_MATMUL ? y->rank - 1 : 1]);
    return lm_emit1(e, LM_OP_EXPAND, &a, lm_emit_const(e, LM_F32, number));
}

bool lm_lower_scale(lm_rewrite *r, const lm_node *n)
{
    const int orders = n->op == LM_OP_MUL ? 2 : n->op == LM_OP_DIV ? 1 : 0;
    for (int i = 0; i < orders; i++) {
        const lm_node *p = lm_product_before(r, n->x[i], n);
        if (!p || !may_fold(r, p))
            continue;
        const char *name = r->e.name;
        r->e.name = NULL;
        lm_val gain = gain_of(r, n->x[1 - i], p);
        if (gain != LM_NOVAL && n->op == LM_OP_DIV)
            gain = lm_emit1(&r->e, LM_OP_RECIPROCAL, NULL, gain);
        if (gain != LM_NOVAL)
            return replace(r, n, p, gain, LM_NOVAL, name);
        r->e.name = name;
    }
    return false;
}
