/* A border that Pad lays around an image becomes the padding of the window that reads it. */
#include <math.h>

#include "core/graph/lower.h"

typedef struct border {
    lm_val image; /* in the old graph */
    int64_t lo[LM_SPATIAL], hi[LM_SPATIAL];
    double value;
} border;

/* A constant border around the spatial axes that crops nothing. */
static bool find_border(const lm_graph *g, lm_val v, border *b)
{
    const lm_node *n = lm_made_by(g, v, LM_OP_PAD);
    const int rank = lm_graph_value(g, v)->type.sh.rank;
    *b = (border){0};
    if (!n || n->a->pad.mode != LM_PAD_CONSTANT || rank < 3 || rank > LM_SPATIAL + 2)
        return false;
    if (n->nx > 1 && n->x[1] != LM_NOVAL && !lm_is_number(g, n->x[1], &b->value))
        return false;
    for (int i = 0; i < rank; i++) {
        const int64_t lo = n->a->pad.lo[i], hi = n->a->pad.hi[i];
        if (lo < 0 || hi < 0 || (i < 2 && (lo || hi)))
            return false;
        if (i >= 2)
            b->lo[i - 2] = lo, b->hi[i - 2] = hi;
    }
    b->image = n->x[0];
    return true;
}

/* Among numbers without -0, none below 0, a border of zeros wins no maximum that a window has. */
static bool never_below_zero(const lm_graph *g, lm_val v)
{
    const lm_node *n = lm_graph_value(g, v)->producer;
    return n && (n->op == LM_OP_RELU || (n->op == LM_OP_CLIP && n->a->act.a >= 0 && !signbit(n->a->act.a)));
}

/* MaxPool's own padding never wins. It may take the border's place where every window sees some of the image. */
static bool suits_maximum(const lm_rewrite *r, const lm_node *n, const border *b)
{
    const lm_attr_pool *p = &n->a->pool;
    if (n->ny > 1 && r->live[n->y[1]])
        return false;
    if (!(isinf(b->value) && b->value < 0) && !(b->value == 0 && never_below_zero(r->from, b->image)))
        return false;
    for (int i = 0; i < p->nd; i++)
        if (p->ceil || p->dilation[i] != 1 || p->pad_lo[i] + b->lo[i] >= p->kernel[i] ||
            p->pad_hi[i] + b->hi[i] >= p->kernel[i])
            return false;
    return true;
}

/* The border counts in a mean; padding of its own that does not count would have to be told from it. */
static bool suits_mean(const lm_node *n, const border *b)
{
    const lm_attr_pool *p = &n->a->pool;
    bool own = false;
    for (int i = 0; i < p->nd; i++)
        own |= p->pad_lo[i] != 0 || p->pad_hi[i] != 0;
    return b->value == 0 && !p->ceil && (p->count_pad || !own);
}

bool lm_lower_pad(lm_rewrite *r, const lm_node *n)
{
    border b;
    if ((n->op != LM_OP_CONV && n->op != LM_OP_AVGPOOL && n->op != LM_OP_MAXPOOL) || n->ep ||
        !find_border(r->from, n->x[0], &b))
        return false;
    if (n->op == LM_OP_CONV ? b.value != 0 : n->op == LM_OP_AVGPOOL ? !suits_mean(n, &b) : !suits_maximum(r, n, &b))
        return false;
    lm_attrs a = *n->a;
    int64_t *lo = n->op == LM_OP_CONV ? a.conv.pad_lo : a.pool.pad_lo;
    int64_t *hi = n->op == LM_OP_CONV ? a.conv.pad_hi : a.pool.pad_hi;
    for (int i = 0; i < LM_SPATIAL; i++)
        lo[i] += b.lo[i], hi[i] += b.hi[i];
    if (n->op == LM_OP_AVGPOOL)
        a.pool.count_pad = true;
    lm_val x[3] = {lm_rewrite_in(r, b.image)};
    for (int i = 1; i < n->nx; i++)
        x[i] = r->map[n->x[i]];
    r->map[n->y[0]] = lm_emit_one(&r->e, n->op, &a, n->nx, x);
    return true;
}
