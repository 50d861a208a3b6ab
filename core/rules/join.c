/* Signals of the parts that a value was cut into: side by side, instead of as many sums of tensors that are zero elsewhere.
 * Of a sequence of n steps those would be n times n. */
#include "core/graph/emit_move.h"
#include "core/rules/walk.h"

/* A signal put back where a slice along one axis took its value from. */
typedef struct piece {
    lm_val part;          /* what was put back */
    int axis;             /* -1: along none */
    int64_t start, count;
    const lm_shape *full; /* of what it was put into */
} piece;

/* Also behind a reshape, which walks over several targets put there. */
static bool is_piece(const lm_emit *e, lm_val v, piece *p)
{
    const lm_node *n = lm_graph_value(e->g, v)->producer;
    if (n && n->op == LM_OP_RESHAPE)
        n = lm_graph_value(e->g, n->x[0])->producer;
    if (!n || n->op != LM_OP_SLICE_DX)
        return false;
    const lm_shape *part = lm_emit_shape(e, n->x[0]);
    *p = (piece){.part = n->x[0], .axis = -1, .full = lm_emit_shape(e, n->y[0])};
    for (int i = 0; i < part->rank; i++) {
        const lm_attr_slice *a = &n->a->slice;
        const bool whole = part->dim[i] == p->full->dim[i] && a->start[i] == 0;
        if (!whole && (p->axis >= 0 || (part->dim[i] > 1 && a->step[i] != 1)))
            return false;
        if ((part->dim[i] > 1 && a->step[i] != 1))
            return false;
        if (!whole) {
            p->axis = i;
            p->start = a->start[i];
            p->count = part->dim[i];
        }
    }
    return p->axis >= 0;
}

/* In order along the axis; false when two of them overlap or lie along different axes. */
static bool in_order(piece *p, int n)
{
    for (int i = 1; i < n; i++) {
        if (p[i].axis != p[0].axis || !lm_shape_equal(p[i].full, p[0].full))
            return false;
        const piece at = p[i];
        int k = i;
        for (; k > 0 && p[k - 1].start > at.start; k--)
            p[k] = p[k - 1];
        p[k] = at;
    }
    for (int i = 1; i < n; i++)
        if (p[i].start < p[i - 1].start + p[i - 1].count)
            return false;
    return true;
}

static lm_val nothing(lm_emit *e, const piece *like, int64_t count)
{
    lm_shape shape = *like->full;
    shape.dim[like->axis] = count;
    return lm_emit_full(e, lm_emit_type(e, like->part)->dt, &shape, 0);
}

/* The pieces with zeros between them, in the shape `as`. */
static lm_val side_by_side(lm_emit *e, const piece *p, int n, lm_val *x, const lm_shape *as)
{
    const int64_t size = p[0].full->dim[p[0].axis];
    const int axis = p[0].axis;
    int64_t at = 0;
    int count = 0;
    for (int i = 0; i <= n && e->status == LM_OK; i++) {
        const int64_t start = i < n ? p[i].start : size;
        if (start > at)
            x[count++] = nothing(e, &p[0], start - at);
        if (i < n)
            x[count++] = p[i].part;
        at = i < n ? start + p[i].count : size;
    }
    return lm_emit_reshape(e, lm_emit_concat(e, count, x, axis), as);
}

lm_val lm_join_pieces(lm_walk_state *w, const lm_contribution *first)
{
    size_t n = 0;
    piece one;
    for (const lm_contribution *c = first; c; c = c->next, n++)
        if (!is_piece(w->e, c->s, &one))
            return LM_NOVAL;
    if (n < 2 || n > INT32_MAX / 4)
        return LM_NOVAL;
    piece *p = lm_arena_alloc(&w->arena, n, sizeof *p);
    lm_val *x = lm_arena_alloc(&w->arena, 2 * n + 1, sizeof *x);
    if (!p || !x) {
        w->e->status = LM_MEMORY;
        return LM_NOVAL;
    }
    size_t i = 0;
    for (const lm_contribution *c = first; c; c = c->next)
        is_piece(w->e, c->s, &p[i++]);
    const lm_shape as = *lm_emit_shape(w->e, first->s);
    return in_order(p, (int)n) ? side_by_side(w->e, p, (int)n, x, &as) : LM_NOVAL;
}
