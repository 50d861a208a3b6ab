/* Ops that change nothing, and movements that cancel or join. A rule may give up no bit of the result: -0, infinities
 * and the presence of NaN included. */
#include <math.h>

#include "core/graph/fold.h"

/* Constants of more elements than this are not looked through. */
enum { SCAN = 4096 };

typedef lm_val (*rule)(lm_emit *e, const lm_node_desc *d, const lm_type *y);

/* The node of this op that makes `v` as its first result and may be looked through, or NULL. */
static const lm_node *made_by(const lm_emit *e, lm_val v, lm_opid op)
{
    const lm_node *n = lm_graph_value(e->g, v)->producer;
    return n && !lm_graph_value(e->g, v)->wall && n->op == op && n->y[0] == v && !n->ep ? n : NULL;
}

static bool same_type(const lm_emit *e, lm_val v, const lm_type *y)
{
    const lm_type *x = lm_emit_type(e, v);
    return x->dt == y->dt && lm_shape_equal(&x->sh, &y->sh);
}

/* Is every element this number, with this sign? */
static bool is_all(const lm_emit *e, lm_val v, double number)
{
    const lm_view *c = lm_graph_value(e->g, v)->constant;
    int64_t n = c ? lm_shape_count(&c->sh) : 0;
    if (n == 0 || n > SCAN)
        return false;
    for (int64_t i = 0; i < n; i++) {
        double x = lm_view_get(c, i);
        if (x != number || (lm_dtype_is_float(c->dt) && signbit(x) != signbit(number)))
            return false;
    }
    return true;
}

static lm_val always(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    (void)e, (void)y;
    return d->x[0];
}

/* Reshape, Slice, Expand, Pad, Tile: they only ever repeat an operand of the same shape when they do nothing. */
static lm_val if_same(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    return same_type(e, d->x[0], y) ? d->x[0] : LM_NOVAL;
}

static lm_val reshape(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    if (same_type(e, d->x[0], y))
        return d->x[0];
    const lm_node *before = made_by(e, d->x[0], LM_OP_RESHAPE);
    return before ? lm_emit_reshape(e, before->x[0], &y->sh) : LM_NOVAL;
}

/* Does every axis of more than one element keep its place among the others? Then the order of elements stays. */
static bool keeps_order(const lm_shape *x, const int32_t *perm)
{
    int last = -1;
    for (int i = 0; i < x->rank; i++) {
        if (x->dim[perm[i]] == 1)
            continue;
        if (perm[i] < last)
            return false;
        last = perm[i];
    }
    return true;
}

static lm_val transpose(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    if (keeps_order(lm_emit_shape(e, d->x[0]), d->a->perm.perm))
        return lm_emit_reshape(e, d->x[0], &y->sh);
    const lm_node *before = made_by(e, d->x[0], LM_OP_TRANSPOSE);
    if (!before)
        return LM_NOVAL;
    int32_t joined[LM_RANK];
    for (int i = 0; i < y->sh.rank; i++)
        joined[i] = before->a->perm.perm[d->a->perm.perm[i]];
    return lm_emit_transpose(e, before->x[0], joined);
}

/* A step of 1 is not asked for by the shape: a reversed axis has its size too. */
static lm_val slice(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    for (int i = 0; i < y->sh.rank; i++)
        if (y->sh.dim[i] > 1 && d->a->slice.step[i] != 1)
            return LM_NOVAL;
    return if_same(e, d, y);
}

/* Padding and cropping may give the old size back. */
static lm_val pad(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    (void)e;
    for (int i = 0; i < y->sh.rank; i++)
        if (d->a->pad.lo[i] != 0 || d->a->pad.hi[i] != 0)
            return LM_NOVAL;
    return d->x[0];
}

/* Indices that count up or down in equal steps pick what a slice does, and a slice costs nothing. */
static lm_val gather(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    const lm_view *c = lm_graph_value(e->g, d->x[1])->constant;
    const lm_shape x = *lm_emit_shape(e, d->x[0]);
    const int axis = d->a->index.axis;
    const int64_t n = c ? lm_shape_count(&c->sh) : 0, size = x.dim[axis];
    if (n == 0 || n > SCAN)
        return LM_NOVAL;
    lm_attrs a = {0};
    for (int i = 0; i < x.rank; i++)
        a.slice.step[i] = 1, a.slice.size[i] = x.dim[i];
    for (int64_t i = 0; i < n; i++) {
        int64_t at = lm_view_get_i64(c, i);
        at += at < 0 ? size : 0;
        if (at < 0 || at >= size)
            return LM_NOVAL; /* fails when it runs */
        if (i == 0)
            a.slice.start[axis] = at;
        else if (i == 1)
            a.slice.step[axis] = at - a.slice.start[axis];
        if (at != a.slice.start[axis] + i * a.slice.step[axis])
            return LM_NOVAL;
    }
    a.slice.size[axis] = n;
    return a.slice.step[axis] ? lm_emit_reshape(e, lm_emit1(e, LM_OP_SLICE, &a, d->x[0]), &y->sh) : LM_NOVAL;
}

/* Operands without elements are left out. */
static lm_val concat(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    const int axis = d->a->axis.axis;
    if (d->nx == 1)
        return d->x[0];
    int kept = 0;
    for (int i = 0; i < d->nx; i++)
        kept += lm_emit_shape(e, d->x[i])->dim[axis] > 0;
    if (kept == d->nx || kept == 0)
        return LM_NOVAL;
    lm_val *x = lm_arena_alloc(&e->g->arena, (size_t)kept, sizeof *x);
    if (!x) {
        e->status = LM_MEMORY;
        return LM_NOVAL;
    }
    for (int i = 0, k = 0; i < d->nx; i++)
        if (lm_emit_shape(e, d->x[i])->dim[axis] > 0)
            x[k++] = d->x[i];
    (void)y;
    return lm_emit_one(e, LM_OP_CONCAT, d->a, kept, x);
}

/* Does `to` hold every value of `from`? Only within numbers of one kind: floats saturate on their way to integers,
 * integers wrap, and a detour through the other kind would tell. */
static bool holds(lm_dtype from, lm_dtype to)
{
    if (from == to || from == LM_BOOL)
        return true;
    if (lm_dtype_is_float(from))
        return to == LM_F64 || (to == LM_F32 && from != LM_F64);
    const bool wider = lm_dtype_size(to) > lm_dtype_size(from);
    return lm_dtype_is_int(to) && wider && (lm_dtype_is_unsigned(from) || lm_dtype_is_signed_int(to));
}

static lm_val cast(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    if (same_type(e, d->x[0], y))
        return d->x[0];
    const lm_node *before = made_by(e, d->x[0], LM_OP_CAST);
    if (!before || !holds(lm_emit_type(e, before->x[0])->dt, before->a->cast.to))
        return LM_NOVAL;
    return lm_emit_cast(e, before->x[0], y->dt);
}

/* x op number for either order of a commuting op; only where the number's shape does not stretch x. */
static lm_val neutral(lm_emit *e, const lm_node_desc *d, const lm_type *y, double number)
{
    const int orders = lm_ops[d->op].flags & LM_FLAG_COMMUTES ? 2 : 1;
    for (int i = 0; i < orders; i++)
        if (same_type(e, d->x[i], y) && is_all(e, d->x[1 - i], number))
            return d->x[i];
    return LM_NOVAL;
}

/* -0 + 0 is 0, so among floats it is -0 that changes nothing. */
static lm_val add(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    return neutral(e, d, y, lm_dtype_is_float(y->dt) ? -0.0 : 0);
}

static lm_val subtract(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    return neutral(e, d, y, 0);
}

static lm_val scale(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    return neutral(e, d, y, 1);
}

/* A condition that is known. */
static lm_val where(lm_emit *e, const lm_node_desc *d, const lm_type *y)
{
    for (int i = 1; i <= 2; i++)
        if (same_type(e, d->x[i], y) && is_all(e, d->x[0], i == 1))
            return d->x[i];
    return LM_NOVAL;
}

static const rule rules[LM_OPS] = {
    [LM_OP_IDENTITY] = always, [LM_OP_CAST] = cast,     [LM_OP_RESHAPE] = reshape, [LM_OP_TRANSPOSE] = transpose,
    [LM_OP_EXPAND] = if_same,  [LM_OP_TILE] = if_same,  [LM_OP_SLICE] = slice,     [LM_OP_PAD] = pad,
    [LM_OP_CONCAT] = concat,   [LM_OP_ADD] = add,       [LM_OP_SUB] = subtract,    [LM_OP_MUL] = scale,
    [LM_OP_DIV] = scale,       [LM_OP_WHERE] = where,   [LM_OP_GATHER] = gather,
};

lm_val lm_simplify(lm_emit *e, const lm_node_desc *d, const lm_type *type)
{
    return rules[d->op] && d->ny == 1 && !d->ep ? rules[d->op](e, d, type) : LM_NOVAL;
}
