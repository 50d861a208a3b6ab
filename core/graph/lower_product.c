/* What may join a matrix product or convolution without a change of bits: the order of bias, residual and activation in
 * an epilogue is the order in which the nodes would have run. */
#include "core/graph/lower.h"

#include "core/graph/expand.h"

bool lm_lower_gemm(lm_rewrite *r, const lm_node *n)
{
    if (n->op != LM_OP_GEMM)
        return false;
    lm_val x[3] = {LM_NOVAL};
    for (int i = 0; i < n->nx; i++)
        x[i] = r->map[n->x[i]];
    const lm_composite c = {.op = n->op, .a = n->a, .nx = n->nx, .ny = 1, .x = x, .y = &r->map[n->y[0]]};
    lm_expand(&r->e, &c);
    return true;
}

/* The operand of a transpose that swaps the last two axes and no others. */
static lm_val under_swap(const lm_graph *g, lm_val v)
{
    const lm_node *n = lm_made_by(g, v, LM_OP_TRANSPOSE);
    const int rank = lm_graph_value(g, v)->type.sh.rank;
    for (int i = 0; n && i < rank; i++)
        if (n->a->perm.perm[i] != (i < rank - 2 ? i : 2 * rank - 3 - i))
            return LM_NOVAL;
    return n ? n->x[0] : LM_NOVAL;
}

bool lm_lower_transpose(lm_rewrite *r, const lm_node *n)
{
    if (n->op != LM_OP_MATMUL || n->ep)
        return false;
    lm_val x[3] = {LM_NOVAL};
    lm_attrs a = *n->a;
    bool found = false;
    for (int i = 0; i < n->nx; i++)
        x[i] = r->map[n->x[i]];
    for (int i = 0; i < 2; i++) {
        lm_val under = under_swap(r->e.g, x[i]);
        bool *flag = i ? &a.matmul.tb : &a.matmul.ta;
        if (under == LM_NOVAL)
            continue;
        x[i] = under;
        *flag = !*flag;
        found = true;
    }
    if (found)
        r->map[n->y[0]] = lm_emit_one(&r->e, n->op, &a, n->nx, x);
    return found;
}

/* The most operands of an op that carries an epilogue, with those of that. */
enum { OPERANDS = 7 };

/* The product or norm once more, with more behind it; `operand`: what that takes, or LM_NOVAL. */
static lm_val with_epilogue(lm_rewrite *r, const lm_node *p, const lm_epilogue *ep, lm_val operand)
{
    lm_val x[OPERANDS] = {LM_NOVAL};
    int nx = 0;
    for (; nx < p->nx; nx++)
        x[nx] = p->x[nx];
    if (operand != LM_NOVAL)
        x[nx++] = operand;
    const lm_node_desc d = {.op = p->op, .a = p->a, .ep = ep, .nx = nx, .ny = 1, .x = x};
    lm_val y;
    lm_emit_node(&r->e, &d, &y);
    return y;
}

static bool is_float32(const lm_rewrite *r, lm_val v, const lm_type *like)
{
    const lm_type *t = &lm_graph_value(r->from, v)->type;
    return t->dt == LM_F32 && lm_shape_equal(&t->sh, &like->sh);
}

/* The product behind v, also through reshapes that nobody else reads: a sum of elements does not care about shapes. */
static const lm_node *product_behind(const lm_rewrite *r, lm_val v, const lm_node *n)
{
    for (const lm_node *s; (s = lm_made_by(r->from, v, LM_OP_RESHAPE)) && lm_rewrite_consumer(r, v) == n; n = s)
        v = s->x[0];
    return lm_product_before(r, v, n);
}

bool lm_lower_residual(lm_rewrite *r, const lm_node *n)
{
    const lm_type *y = &lm_graph_value(r->from, n->y[0])->type;
    if (n->op != LM_OP_ADD || n->x[0] == n->x[1] || !is_float32(r, n->x[0], y) || !is_float32(r, n->x[1], y))
        return false;
    const lm_node *p[2] = {product_behind(r, n->x[0], n), product_behind(r, n->x[1], n)};
    if (!p[0] && !p[1])
        return false;
    /* of two products the later one takes the other's result, as the order of the nodes has it */
    const int i = !p[0] || (p[1] && p[1]->id > p[0]->id);
    const lm_epilogue ep = {.residual = true};
    const char *name = r->e.name;
    r->e.name = NULL;
    lm_val residual = lm_emit_reshape(&r->e, r->map[n->x[1 - i]], lm_emit_shape(&r->e, p[i]->y[0]));
    r->e.name = name;
    r->map[n->y[0]] = lm_emit_reshape(&r->e, with_epilogue(r, p[i], &ep, residual), &y->sh);
    return true;
}

bool lm_lower_activation(lm_rewrite *r, const lm_node *n)
{
    const lm_type *y = &lm_graph_value(r->from, n->y[0])->type;
    if (!lm_op_is_unary(n->op) || lm_ops[n->op].cls != LM_CLASS_ACT || !is_float32(r, n->x[0], y))
        return false;
    const lm_node *p = lm_graph_value(r->e.g, r->map[n->x[0]])->producer;
    if (!p || !(lm_ops[p->op].flags & LM_FLAG_EPILOGUE) || (p->ep && (p->ep->active || p->ep->sloped)) ||
        lm_rewrite_consumer(r, n->x[0]) != n)
        return false;
    lm_epilogue ep = {.residual = p->ep && p->ep->residual, .active = true, .act = n->op};
    if (lm_ops[n->op].attrs == LM_ATTR_act)
        ep.attr = n->a->act;
    r->map[n->y[0]] = with_epilogue(r, p, &ep, LM_NOVAL);
    return true;
}

/* A value that is repeated along its axes would have to be written out for the tile that reads it. */
static bool is_repeated(const lm_graph *g, lm_val v)
{
    const lm_node *n = lm_graph_value(g, v)->producer;
    while (n && n->op == LM_OP_RESHAPE)
        n = lm_graph_value(g, n->x[0])->producer;
    return n && n->op == LM_OP_EXPAND;
}

/* A relu's slope is a mask, which costs a tile that is being stored next to nothing. Those of other activations take
 * longer, tile by tile, than over the whole value. */
bool lm_lower_slope(lm_rewrite *r, const lm_node *n)
{
    const lm_type *y = &lm_graph_value(r->from, n->y[0])->type;
    if (n->op != LM_OP_ACT_DX || n->a->actdx.of != LM_OP_RELU || !is_float32(r, n->x[0], y) ||
        !is_float32(r, n->x[1], y) || is_repeated(r->from, n->x[1]))
        return false;
    const lm_node *p = lm_graph_value(r->e.g, r->map[n->x[0]])->producer;
    const bool back = p && (p->op == LM_OP_CONV_T || p->op == LM_OP_MATMUL);
    if (!back || (p->ep && p->ep->sloped) || lm_rewrite_consumer(r, n->x[0]) != n)
        return false;
    lm_epilogue ep = p->ep ? *p->ep : (lm_epilogue){0};
    ep.sloped = true;
    ep.slope = n->a->actdx;
    r->map[n->y[0]] = with_epilogue(r, p, &ep, r->map[n->x[1]]);
    return true;
}
