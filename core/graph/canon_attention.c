/* Attention from its parts: softmax(scale q kᵀ + masks) v. Transposes around it stay nodes of their own. A query that
 * sees no key at all gets zeros from the op where the parts would give NaN. */
#include "core/graph/canon.h"

enum { MASKS = 3, DEPTH = 10 };

/* What is added to the scores, and the shape they have there. */
typedef struct mask {
    lm_val v;
    const lm_shape *at;
} mask;

typedef struct parts {
    const lm_node *product; /* of queries and transposed keys */
    double scale;
    mask mask[MASKS]; /* innermost first */
    int masks;
} parts;

static const lm_shape *shape_of(const lm_graph *g, lm_val v)
{
    return &lm_graph_value(g, v)->type.sh;
}

/* A product of two activations on 3 or 4 axes. */
static bool is_product(const lm_graph *g, const lm_node *n)
{
    const int rank = n->op == LM_OP_MATMUL ? shape_of(g, n->y[0])->rank : 0;
    return (rank == 3 || rank == 4) && n->nx == 2 && !n->ep && !n->a->matmul.ta &&
           shape_of(g, n->x[0])->rank == rank && shape_of(g, n->x[1])->rank == rank &&
           !lm_graph_value(g, n->x[0])->constant && !lm_graph_value(g, n->x[1])->constant;
}

/* Walk back from the softmax to the product, through reshapes, added masks and, before those, a number. */
static bool find_product(const lm_graph *g, lm_val v, int depth, parts *p)
{
    const lm_node *n = lm_graph_value(g, v)->producer;
    lm_val x;
    double number;
    if (!n || depth == 0)
        return false;
    if (is_product(g, n)) {
        *p = (parts){.product = n, .scale = 1};
        return true;
    }
    if (n->op == LM_OP_RESHAPE)
        return find_product(g, n->x[0], depth - 1, p);
    if (lm_with_number(g, v, LM_OP_MUL, &x, &number) || lm_with_number(g, v, LM_OP_DIV, &x, &number)) {
        if (!find_product(g, x, depth - 1, p) || p->masks)
            return false;
        p->scale *= n->op == LM_OP_MUL ? number : 1 / number;
        return true;
    }
    for (int i = 0; n->op == LM_OP_ADD && i < 2; i++)
        if (lm_shape_equal(shape_of(g, n->x[i]), shape_of(g, v)) && find_product(g, n->x[i], depth - 1, p)) {
            if (p->masks == MASKS)
                return false;
            p->mask[p->masks++] = (mask){n->x[1 - i], shape_of(g, v)};
            return true;
        }
    return false;
}

/* Reshapes may split the first axis of the scores in two for a mask, as for windows of an image, but nothing else. */
static bool splits_first(const lm_shape *at, const lm_shape *scores)
{
    if (lm_shape_equal(at, scores))
        return true;
    if (at->rank != scores->rank + 1 || at->dim[0] * at->dim[1] != scores->dim[0])
        return false;
    for (int i = 1; i < scores->rank; i++)
        if (at->dim[i + 1] != scores->dim[i])
            return false;
    return true;
}

static bool is_attention(const lm_graph *g, const lm_node *n, parts *p)
{
    if (!is_product(g, n) || n->a->matmul.tb)
        return false;
    const lm_node *softmax = lm_made_by(g, n->x[0], LM_OP_SOFTMAX);
    const lm_shape *weights = shape_of(g, n->x[0]), *values = shape_of(g, n->x[1]);
    if (!softmax || softmax->a->axis.axis != weights->rank - 1 || !find_product(g, softmax->x[0], DEPTH, p) ||
        p->scale == 0)
        return false;
    const lm_shape *scores = shape_of(g, p->product->y[0]);
    const lm_shape *q = shape_of(g, p->product->x[0]), *k = shape_of(g, p->product->x[1]);
    if (!lm_shape_equal(scores, weights))
        return false;
    for (int i = 0; i < weights->rank - 2; i++) /* products may broadcast, the op does not */
        if (q->dim[i] != k->dim[i] || q->dim[i] != values->dim[i])
            return false;
    for (int i = 0; i < p->masks; i++)
        if (!splits_first(p->mask[i].at, scores))
            return false;
    return true;
}

/* [n,L,D] is [n,1,L,D] to the op. */
static lm_val with_heads(lm_emit *e, lm_val v)
{
    const lm_shape s = *lm_emit_shape(e, v);
    if (s.rank == 4)
        return v;
    const lm_shape to = LM_SHAPE(s.dim[0], 1, s.dim[1], s.dim[2]);
    return lm_emit_reshape(e, v, &to);
}

/* A mask in the shape of the scores or one that stretches to it. */
static lm_val fit_mask(lm_emit *e, lm_val v, const lm_shape *at, const lm_shape *scores)
{
    const lm_shape *s = lm_emit_shape(e, v);
    lm_shape full = {.rank = at->rank};
    for (int i = 0; i < at->rank; i++)
        full.dim[i] = i < at->rank - s->rank ? 1 : s->dim[i - (at->rank - s->rank)];
    v = lm_emit_reshape(e, v, &full);
    if (at->rank > scores->rank) {
        lm_attrs wide = {0};
        const bool same = full.dim[0] == 1 && full.dim[1] == 1;
        wide.shape.shape = full;
        for (int i = 0; i < 2 && !same; i++)
            wide.shape.shape.dim[i] = at->dim[i];
        v = lm_emit1(e, LM_OP_EXPAND, &wide, v);
        lm_shape joined = {.rank = scores->rank};
        joined.dim[0] = wide.shape.shape.dim[0] * wide.shape.shape.dim[1];
        for (int i = 1; i < scores->rank; i++)
            joined.dim[i] = full.dim[i + 1];
        v = lm_emit_reshape(e, v, &joined);
    }
    return with_heads(e, v);
}

/* An operand without the number it is multiplied by, also where a transpose came after that. */
static lm_val without_scale(lm_rewrite *r, lm_val v, double *scale)
{
    const lm_graph *g = r->from;
    const lm_node *turn = lm_made_by(g, v, LM_OP_TRANSPOSE);
    const lm_val scaled = turn ? turn->x[0] : v;
    lm_val x;
    double number;
    if (lm_with_number(g, scaled, LM_OP_MUL, &x, &number))
        *scale *= number;
    else if (lm_with_number(g, scaled, LM_OP_DIV, &x, &number))
        *scale /= number;
    else
        return lm_rewrite_in(r, v);
    x = lm_rewrite_in(r, x);
    return turn ? lm_emit_transpose(&r->e, x, turn->a->perm.perm) : x;
}

static lm_val keys(lm_emit *e, lm_val v, bool turned)
{
    int32_t perm[LM_RANK];
    const int rank = lm_emit_shape(e, v)->rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return turned ? v : lm_emit_transpose(e, v, perm);
}

bool lm_canon_attention(lm_rewrite *r, const lm_node *n)
{
    parts p;
    if (!is_attention(r->from, n, &p))
        return false;
    lm_emit *e = &r->e;
    const lm_shape *scores = shape_of(r->from, p.product->y[0]);
    const char *name = e->name;
    e->name = NULL;
    lm_val q = without_scale(r, p.product->x[0], &p.scale), k = without_scale(r, p.product->x[1], &p.scale);
    k = keys(e, k, p.product->a->matmul.tb);
    lm_val x[4] = {with_heads(e, q), with_heads(e, k), with_heads(e, lm_rewrite_in(r, n->x[1]))};
    for (int i = 0; i < p.masks && e->status == LM_OK; i++) {
        lm_val m = fit_mask(e, lm_rewrite_in(r, p.mask[i].v), p.mask[i].at, scores);
        x[3] = i == 0 ? m : lm_emit1(e, LM_OP_ADD, NULL, x[3], m);
    }
    lm_attrs a = {0};
    a.attention.scale = (float)p.scale;
    e->name = name;
    lm_val y = lm_emit_one(e, LM_OP_ATTENTION, &a, p.masks ? 4 : 3, x);
    r->map[n->y[0]] = lm_emit_reshape(e, y, shape_of(r->from, n->y[0]));
    return true;
}
