/* A batch norm in front of a product: W (gain x + shift) + b = (W gain) x + (W shift + b). A padded convolution reads
 * zeros that the norm has not seen, so it keeps it. */
#include "core/graph/canon.h"

#include "core/graph/emit_move.h"
#include "core/graph/lower.h"

/* The batch norm that makes the product's operand, for the product alone. */
static const lm_node *norm_before(const lm_rewrite *r, const lm_node *n)
{
    const lm_node *norm = lm_made_by(r->e.g, r->map[n->x[0]], LM_OP_BATCHNORM);
    if (!norm || lm_rewrite_consumer(r, n->x[0]) != n)
        return NULL;
    for (int i = 1; i < 5; i++)
        if (!lm_graph_value(r->e.g, norm->x[i])->constant)
            return NULL;
    return norm;
}

static bool is_padded(const lm_node *n)
{
    bool padded = false;
    for (int i = 0; i < n->a->conv.nd; i++)
        padded |= n->a->conv.pad_lo[i] != 0 || n->a->conv.pad_hi[i] != 0;
    return padded;
}

/* Factors by input channel in a shape that broadcasts with the weights, which for groups become
 * [groups, out / groups, in / groups, kernel...]. */
static lm_val along_inputs(lm_emit *e, const lm_node *p, lm_val v, const lm_shape *w)
{
    lm_shape to = {.rank = w->rank};
    for (int i = 0; i < w->rank; i++)
        to.dim[i] = 1;
    if (p->op == LM_OP_MATMUL) {
        to.dim[p->a->matmul.tb] = lm_emit_shape(e, v)->dim[0];
    } else {
        to.dim[0] = p->a->conv.groups;
        to.dim[2] = w->dim[2];
    }
    return lm_emit_reshape(e, v, &to);
}

static lm_shape grouped(const lm_node *p, const lm_shape *w)
{
    if (p->op == LM_OP_MATMUL)
        return *w;
    lm_shape to = {.rank = w->rank + 1, .dim = {p->a->conv.groups, w->dim[0] / p->a->conv.groups}};
    for (int i = 1; i < w->rank; i++)
        to.dim[i + 1] = w->dim[i];
    return to;
}

/* The product p of the new graph, which reads the norm, as one of what the norm reads. */
static lm_val merged(lm_emit *e, const lm_node *p, const lm_node *norm, const char *name)
{
    lm_val gain, shift, bias = p->nx > 2 ? p->x[2] : LM_NOVAL;
    const lm_shape w = *lm_emit_shape(e, p->x[1]), split = grouped(p, &w);
    const bool dense = p->op == LM_OP_MATMUL;
    const int64_t channels = dense ? w.dim[!p->a->matmul.tb] : w.dim[0];
    const lm_shape vector = LM_SHAPE(channels);
    lm_norm_factors(e, norm->x, norm->a->norm.epsilon, &gain, &shift);
    lm_val weights = lm_emit_reshape(e, p->x[1], &split);
    lm_val moved = lm_emit1(e, LM_OP_MUL, NULL, weights, along_inputs(e, p, shift, &split));
    lm_val scaled = lm_emit1(e, LM_OP_MUL, NULL, weights, along_inputs(e, p, gain, &split));
    const uint32_t inputs = dense ? 1u << p->a->matmul.tb : lm_emit_axes_from(e, weights, 2);
    lm_val add = lm_emit_reshape(e, lm_emit_reduce(e, LM_OP_REDUCE_SUM, moved, inputs, false), &vector);
    if (bias != LM_NOVAL)
        add = lm_emit1(e, LM_OP_ADD, NULL, bias, add);
    scaled = lm_emit_reshape(e, scaled, &w);
    e->name = name;
    return lm_emit_one(e, p->op, p->a, 3, (lm_val[]){norm->x[0], scaled, add});
}

bool lm_canon_norm_before(lm_rewrite *r, const lm_node *n)
{
    lm_emit *e = &r->e;
    const bool takes = (n->op == LM_OP_CONV && !is_padded(n)) || n->op == LM_OP_MATMUL || n->op == LM_OP_GEMM;
    const lm_node *norm = takes && !n->ep ? norm_before(r, n) : NULL;
    const lm_value *w = norm ? lm_graph_value(e->g, r->map[n->x[1]]) : NULL;
    if (!norm || !w->constant || w->type.sh.rank < 2 ||
        (n->op != LM_OP_CONV && lm_emit_shape(e, r->map[n->x[0]])->rank != 2))
        return false;
    const char *name = e->name;
    lm_node same = *n;
    const lm_node *p = &same;
    lm_val x[3] = {r->map[n->x[0]], r->map[n->x[1]], n->nx > 2 ? r->map[n->x[2]] : LM_NOVAL};
    same.x = x;
    if (n->op == LM_OP_GEMM) {
        lm_lower_gemm(r, n);
        p = e->status == LM_OK ? lm_made_by(e->g, r->map[n->y[0]], LM_OP_MATMUL) : NULL;
        if (!p || p->x[0] != x[0])
            return true;
    }
    if (p->op == LM_OP_MATMUL && p->a->matmul.ta)
        return n->op == LM_OP_GEMM;
    e->name = NULL;
    lm_val y = merged(e, p, norm, name);
    r->map[n->y[0]] = y;
    return true;
}
