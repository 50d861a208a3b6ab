/* Gemm and attention as matrix products with their surroundings. */
#include "core/graph/expand.h"

#include <math.h>

/* y = alpha * op(a) op(b) + beta * c. The plain dense layer stays one product with its bias. */
void lm_expand_gemm(lm_emit *e, const lm_composite *c)
{
    const lm_attr_gemm *t = &c->a->gemm;
    lm_val add = c->nx > 2 && t->beta != 0 ? c->x[2] : LM_NOVAL;
    if (add != LM_NOVAL && t->beta != 1)
        add = lm_emit_scalar(e, LM_OP_MUL, add, t->beta);
    lm_attrs product = {0};
    product.matmul.ta = t->ta;
    product.matmul.tb = t->tb;
    int64_t width = lm_emit_shape(e, c->x[1])->dim[!t->tb];
    const lm_shape *s = lm_emit_shape(e, add);
    bool is_bias = t->alpha == 1 && add != LM_NOVAL && s->rank >= 1 && s->dim[s->rank - 1] == width &&
                   lm_shape_count(s) == width;
    if (is_bias) {
        lm_shape vector = LM_SHAPE(width);
        c->y[0] = lm_emit1(e, LM_OP_MATMUL, &product, c->x[0], c->x[1], lm_emit_reshape(e, add, &vector));
        return;
    }
    lm_val y = lm_emit1(e, LM_OP_MATMUL, &product, c->x[0], c->x[1]);
    if (t->alpha != 1)
        y = lm_emit_scalar(e, LM_OP_MUL, y, t->alpha);
    c->y[0] = add == LM_NOVAL ? y : lm_emit1(e, LM_OP_ADD, NULL, y, add);
}

/* Scores where `keep` holds, -infinity elsewhere. A choice, not a sum: a masked infinity must not become NaN. */
static lm_val mask_out(lm_emit *e, lm_val keep, lm_val scores)
{
    lm_val never = lm_emit_const(e, lm_emit_type(e, scores)->dt, -INFINITY);
    return lm_emit1(e, LM_OP_WHERE, NULL, keep, scores, never);
}

/* Query i sees keys 0 ... i: [length of queries, length of keys], never built from more than two vectors. */
static lm_val causal(lm_emit *e, int64_t queries, int64_t keys)
{
    lm_shape column = LM_SHAPE(queries, 1);
    lm_val at = lm_emit_reshape(e, lm_emit_iota(e, 0, queries), &column);
    return lm_emit1(e, LM_OP_LESSEQ, NULL, lm_emit_iota(e, 0, keys), at);
}

static lm_val soft_cap(lm_emit *e, lm_val scores, double cap)
{
    lm_val inside = lm_emit1(e, LM_OP_TANH, NULL, lm_emit_scalar(e, LM_OP_DIV, scores, cap));
    return lm_emit_scalar(e, LM_OP_MUL, inside, cap);
}

/* Can this mask leave a query without any key? Not one that is known and hides none altogether. */
static bool may_blind(const lm_emit *e, lm_val mask)
{
    const lm_view *c = lm_graph_value(e->g, mask)->constant;
    if (mask == LM_NOVAL || !c)
        return mask != LM_NOVAL;
    const bool known = c->dt == LM_F32 && lm_view_is_row(c);
    for (int64_t i = 0, n = known ? lm_shape_count(&c->sh) : 0; i < n; i++) {
        float value; /* at any address */
        memcpy(&value, (const float *)lm_view_data(c) + i, sizeof value);
        if (value == -INFINITY)
            return true;
    }
    return !known;
}

/* Softmax over the keys. Where a query may see no key at all its row is zero rather than NaN. */
static lm_val probabilities(lm_emit *e, lm_val scores, bool guarded)
{
    if (!guarded)
        return lm_emit_axis(e, LM_OP_SOFTMAX, scores, 3);
    lm_val zero = lm_emit_const(e, lm_emit_type(e, scores)->dt, 0);
    lm_val best = lm_emit_reduce(e, LM_OP_REDUCE_MAX, scores, 1u << 3, true);
    lm_val blind = lm_emit_scalar(e, LM_OP_EQUAL, best, -INFINITY);
    lm_val safe = lm_emit1(e, LM_OP_WHERE, NULL, blind, zero, scores);
    return lm_emit1(e, LM_OP_WHERE, NULL, blind, zero, lm_emit_axis(e, LM_OP_SOFTMAX, safe, 3));
}

/* (query [N,H,L,D], key [N,G,S,D], value [N,G,S,V], mask?) -> [N,H,L,V]. Heads that share a key head (G < H) lie
 * side by side, so they are rows of one product and nothing is copied. Order: scale, cap, mask, softmax. */
void lm_expand_attention(lm_emit *e, const lm_composite *c)
{
    const lm_attr_attention *t = &c->a->attention;
    lm_val mask = c->nx > 3 ? c->x[3] : LM_NOVAL;
    const lm_shape q = *lm_emit_shape(e, c->x[0]), k = *lm_emit_shape(e, c->x[1]), v = *lm_emit_shape(e, c->x[2]);
    int64_t n = q.dim[0], heads = q.dim[1], length = q.dim[2], keys = k.dim[2], shared = k.dim[1];
    if (shared == 0 ? heads != 0 : heads % shared != 0) {
        lm_emit_fail(e, LM_INPUT, "Attention: %lld key heads do not divide %lld query heads", (long long)shared,
                     (long long)heads);
        return;
    }
    int64_t rows = shared ? heads / shared * length : 0;
    lm_shape joined = LM_SHAPE(n, shared, rows, q.dim[3]), scored = LM_SHAPE(n, heads, length, keys);
    lm_shape weighed = LM_SHAPE(n, shared, rows, keys), result = LM_SHAPE(n, heads, length, v.dim[3]);
    lm_attrs turn = {0}, plain = {0};
    turn.matmul.tb = true;
    lm_val scores = lm_emit1(e, LM_OP_MATMUL, &turn, lm_emit_reshape(e, c->x[0], &joined), c->x[1]);
    double scale = t->scale != 0 ? t->scale : 1 / sqrt((double)(q.dim[3] > 0 ? q.dim[3] : 1));
    scores = lm_emit_scalar(e, LM_OP_MUL, lm_emit_reshape(e, scores, &scored), scale);
    if (t->softcap > 0)
        scores = soft_cap(e, scores, t->softcap);
    if (t->causal)
        scores = mask_out(e, causal(e, length, keys), scores);
    if (mask != LM_NOVAL)
        scores = lm_emit1(e, LM_OP_ADD, NULL, scores, mask);
    lm_val weights = lm_emit_reshape(e, probabilities(e, scores, may_blind(e, mask)), &weighed);
    c->y[0] = lm_emit_reshape(e, lm_emit1(e, LM_OP_MATMUL, &plain, weights, c->x[2]), &result);
}
