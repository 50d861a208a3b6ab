/* Which ops keep blocks apart, and how values are repeated for them. */
#include "core/rules/wide.h"

#include <string.h>

#include "core/graph/emit_move.h"

static const lm_shape *shape_of(const lm_path *path, lm_val v)
{
    return &lm_graph_value(path->g, v)->type.sh;
}

static bool is_elementwise(lm_opid op)
{
    return lm_ops[op].reach == LM_REACH_SAME && op != LM_OP_TRILU;
}

/* [.., k] times weights: its rows are a batch whatever the shape. */
static bool is_rows_times_weights(const lm_path *path, const lm_node *n)
{
    return lm_on_path(path, n->x[0]) && !lm_on_path(path, n->x[1]) && !n->a->matmul.ta &&
           shape_of(path, n->x[0])->rank > 1 && shape_of(path, n->x[1])->rank == 2;
}

static bool slices_axis_0(const lm_path *path, const lm_node *n)
{
    const lm_attr_slice *a = &n->a->slice;
    const int64_t full = n->op == LM_OP_SLICE_DX ? shape_of(path, n->y[0])->dim[0] : shape_of(path, n->x[0])->dim[0];
    const int64_t part = n->op == LM_OP_SLICE_DX ? shape_of(path, n->x[0])->dim[0] : shape_of(path, n->y[0])->dim[0];
    return a->start[0] != 0 || a->step[0] != 1 || part != full;
}

/* Does the op work along axis 0, by what its attributes say? */
static bool uses_axis_0(const lm_path *path, const lm_node *n)
{
    const lm_attrs *a = n->a;
    switch (lm_ops[n->op].attrs) {
    case LM_ATTR_reduce: return a->reduce.axes & 1;
    case LM_ATTR_axis: return a->axis.axis == 0;
    case LM_ATTR_topk: return a->topk.axis == 0;
    case LM_ATTR_index: return a->index.axis == 0;
    case LM_ATTR_perm: return a->perm.perm[0] != 0;
    case LM_ATTR_slice: return slices_axis_0(path, n);
    case LM_ATTR_pad: return a->pad.lo[0] != 0 || a->pad.hi[0] != 0;
    case LM_ATTR_tile: return a->tile.reps[0] != 1;
    case LM_ATTR_trilu: return shape_of(path, n->y[0])->rank == 2;
    case LM_ATTR_matmul: return !is_rows_times_weights(path, n);
    case LM_ATTR_resize: return shape_of(path, n->x[0])->dim[0] != shape_of(path, n->y[0])->dim[0];
    case LM_ATTR_norm:
        return a->norm.axis == 0 && (n->op == LM_OP_LAYERNORM || n->op == LM_OP_RMSNORM || n->op == LM_OP_LPNORM);
    default: return false;
    }
}

/* Ops whose attributes can count one axis more. */
static bool can_lift(const lm_path *path, const lm_node *n)
{
    static const bool lifts[LM_OPS] = {
        [LM_OP_REDUCE_SUM] = true, [LM_OP_REDUCE_MEAN] = true, [LM_OP_REDUCE_MAX] = true,    [LM_OP_REDUCE_MIN] = true,
        [LM_OP_REDUCE_PROD] = true, [LM_OP_REDUCE_L1] = true,  [LM_OP_REDUCE_L2] = true,     [LM_OP_REDUCE_SUMSQ] = true,
        [LM_OP_REDUCE_LOGSUM] = true, [LM_OP_REDUCE_LSE] = true, [LM_OP_CUMSUM] = true,      [LM_OP_MATMUL] = true,
        [LM_OP_SOFTMAX] = true,    [LM_OP_LOGSOFTMAX] = true,  [LM_OP_TRANSPOSE] = true,     [LM_OP_SLICE] = true,
        [LM_OP_SLICE_DX] = true,   [LM_OP_PAD] = true,         [LM_OP_CONCAT] = true,        [LM_OP_TILE] = true,
        [LM_OP_TRILU] = true,      [LM_OP_GATHER] = true,      [LM_OP_GATHERELEMENTS] = true, [LM_OP_TOPK] = true,
    };
    int rank = shape_of(path, n->y[0])->rank;
    for (int i = 0; i < n->nx; i++) {
        const lm_shape *x = shape_of(path, n->x[i]);
        rank = x->rank > rank ? x->rank : rank;
        if (n->op == LM_OP_MATMUL && x->rank == 1 && i < 2)
            return false;
    }
    return lifts[n->op] && rank < LM_RANK;
}

/* Signals of some operands would be sums over blocks, and positions that are counted through the batch are of one. */
static bool mixes_blocks(const lm_path *path, const lm_node *n)
{
    static const bool never[LM_OPS] = {
        [LM_OP_CONV_DW] = true,   [LM_OP_MAXPOOL_DX] = true, [LM_OP_GATHER_DX] = true, [LM_OP_GATHERND] = true,
        [LM_OP_SCATTERND] = true, [LM_OP_ONEHOT] = true,     [LM_OP_RESIZE_DX] = true,
    };
    const bool conv = n->op == LM_OP_CONV || n->op == LM_OP_CONV_T;
    const bool only_first = conv || n->op == LM_OP_PAD || lm_ops[n->op].composite;
    for (int i = 1; only_first && i < n->nx; i++)
        if (lm_on_path(path, n->x[i]))
            return true;
    return never[n->op];
}

lm_wide_form lm_wide_form_of(const lm_path *path, const lm_node *n)
{
    if (mixes_blocks(path, n))
        return LM_WIDE_NONE;
    if (is_elementwise(n->op) || !uses_axis_0(path, n))
        return LM_WIDE_MERGED;
    return can_lift(path, n) ? LM_WIDE_LIFTED : LM_WIDE_NONE;
}

static void shift(int64_t *at, int64_t first)
{
    memmove(at + 1, at, (LM_RANK - 1) * sizeof *at);
    at[0] = first;
}

static void lift_attrs(lm_attrs *a, lm_attr_kind kind, int64_t wide)
{
    switch (kind) {
    case LM_ATTR_reduce: a->reduce.axes <<= 1; break;
    case LM_ATTR_axis: a->axis.axis++; break;
    case LM_ATTR_topk: a->topk.axis++; break;
    case LM_ATTR_index: a->index.axis++; break;
    case LM_ATTR_tile: shift(a->tile.reps, 1); break;
    case LM_ATTR_perm:
        for (int i = LM_RANK - 1; i > 0; i--)
            a->perm.perm[i] = a->perm.perm[i - 1] + 1;
        a->perm.perm[0] = 0;
        break;
    case LM_ATTR_slice:
        shift(a->slice.start, 0);
        shift(a->slice.step, 1);
        shift(a->slice.size, wide);
        break;
    case LM_ATTR_pad:
        shift(a->pad.lo, 0);
        shift(a->pad.hi, 0);
        break;
    default: break;
    }
}

lm_attrs lm_wide_attrs(const lm_path *path, const lm_node *n, lm_wide_form form, int64_t wide)
{
    lm_attrs a = *n->a;
    const lm_attr_kind kind = lm_ops[n->op].attrs;
    if (form == LM_WIDE_LIFTED)
        lift_attrs(&a, kind, wide);
    else if (kind == LM_ATTR_resize)
        a.resize.size[0] *= wide;
    else if (kind == LM_ATTR_slice)
        a.slice.size[0] *= wide;
    else if (kind == LM_ATTR_shape)
        a.shape.shape = lm_wide_shape(shape_of(path, n->y[0]), wide);
    if (kind == LM_ATTR_perm) /* entries behind the rank are zero, so that equal attributes are equal bytes */
        for (int i = shape_of(path, n->y[0])->rank + (form == LM_WIDE_LIFTED); i < LM_RANK; i++)
            a.perm.perm[i] = 0;
    return a;
}

lm_shape lm_wide_shape(const lm_shape *shape, int64_t wide)
{
    lm_shape to = *shape;
    if (wide == 1)
        return to;
    to.rank += to.rank == 0;
    to.dim[0] = shape->rank == 0 ? wide : shape->dim[0] * wide;
    return to;
}

/* [wide, 1 ..., shape...] with `rank` axes behind the first. */
static lm_shape lifted_shape(const lm_shape *shape, int64_t wide, int rank)
{
    lm_shape to = {.rank = rank + 1, .dim = {wide}};
    for (int i = 0; i < rank; i++)
        to.dim[i + 1] = i < rank - shape->rank ? 1 : shape->dim[i - (rank - shape->rank)];
    return to;
}

static lm_val lift(lm_emit *e, lm_val v, int64_t wide, int rank)
{
    const lm_shape narrow = *lm_emit_shape(e, v), one = lifted_shape(&narrow, 1, rank);
    const lm_shape to = lifted_shape(&narrow, wide, rank);
    return lm_emit_expand(e, lm_emit_reshape(e, v, &one), &to);
}

/* Copies along axis 0: without a copy where that has one element. */
static lm_val repeat(lm_emit *e, lm_val v, int64_t wide)
{
    const lm_shape narrow = *lm_emit_shape(e, v), to = lm_wide_shape(&narrow, wide);
    if (narrow.rank == 0 || narrow.dim[0] == 1)
        return lm_emit_expand(e, v, &to);
    if (narrow.rank == LM_RANK) {
        lm_attrs a = {0};
        for (int i = 0; i < LM_RANK; i++)
            a.tile.reps[i] = i == 0 ? wide : 1;
        return lm_emit1(e, LM_OP_TILE, &a, v);
    }
    return lm_emit_reshape(e, lift(e, v, wide, narrow.rank), &to);
}

static int most_axes(const lm_path *path, const lm_node *n)
{
    int rank = 0;
    for (int i = 0; i < n->nx; i++)
        if (n->x[i] != LM_NOVAL && shape_of(path, n->x[i])->rank > rank)
            rank = shape_of(path, n->x[i])->rank;
    return rank;
}

/* Does operand i lie beside the result along axis 0? Elsewhere one number for all of them is broadcast. */
static bool lines_up(const lm_path *path, const lm_node *n, int i)
{
    const lm_shape *x = shape_of(path, n->x[i]), *y = shape_of(path, n->y[0]);
    return x->rank > 0 && x->rank == y->rank && x->dim[0] == y->dim[0];
}

static bool repeats_merged(const lm_path *path, const lm_node *n, int i)
{
    const bool on = lm_on_path(path, n->x[i]);
    if (is_elementwise(n->op) && !lm_ops[n->op].composite)
        return lines_up(path, n, i) && (on || shape_of(path, n->x[i])->dim[0] > 1);
    if (n->op == LM_OP_CONCAT || n->op == LM_OP_GATHERELEMENTS || n->op == LM_OP_SCATTERELEMENTS)
        return true;
    return on;
}

static bool repeats_lifted(const lm_path *path, const lm_node *n, int i)
{
    return lm_on_path(path, n->x[i]) || n->op == LM_OP_CONCAT || n->op == LM_OP_GATHERELEMENTS;
}

lm_val lm_wide_operand(lm_emit *e, const lm_path *path, const lm_node *n, lm_wide_form form, int64_t wide, int i,
                       lm_val v)
{
    if (wide == 1 || v == LM_NOVAL || e->status != LM_OK)
        return v;
    if (form == LM_WIDE_MERGED)
        return repeats_merged(path, n, i) ? repeat(e, v, wide) : v;
    if (!repeats_lifted(path, n, i))
        return v;
    return lift(e, v, wide, n->op == LM_OP_MATMUL ? most_axes(path, n) : lm_emit_shape(e, v)->rank);
}

lm_val lm_wide_result(lm_emit *e, lm_wide_form form, int64_t wide, lm_val v)
{
    if (wide == 1 || v == LM_NOVAL || e->status != LM_OK)
        return v;
    return form == LM_WIDE_MERGED ? repeat(e, v, wide) : lift(e, v, wide, lm_emit_shape(e, v)->rank);
}

lm_val lm_wide_signal(lm_emit *e, lm_wide_form form, int64_t wide, lm_val s, const lm_shape *shape)
{
    if (wide == 1 || form != LM_WIDE_LIFTED || s == LM_NOVAL || e->status != LM_OK)
        return s;
    const lm_shape to = lifted_shape(shape, wide, shape->rank);
    return lm_emit_reshape(e, s, &to);
}

/* Axes of `from`, of which the first `blocks` are left alone, along which something of the shape `to` was broadcast. */
static uint32_t stretched(const lm_shape *from, int blocks, const lm_shape *to)
{
    const int added = from->rank - blocks - to->rank;
    uint32_t axes = 0;
    for (int i = blocks; i < from->rank; i++) {
        const int k = i - blocks - added;
        if (k < 0 || (to->dim[k] == 1 && from->dim[i] != 1))
            axes |= 1u << i;
    }
    return axes;
}

/* A merged answer of which axis 0 holds more than the operand's blocks do gets an axis for the blocks; false when it
 * cannot have one. */
static bool split_blocks(lm_emit *e, int64_t wide, lm_val *s)
{
    const lm_shape from = *lm_emit_shape(e, *s);
    if (from.rank == LM_RANK || from.rank == 0 || from.dim[0] % wide != 0) {
        lm_emit_fail(e, LM_UNSUPPORTED, "blocks of %d axes cannot be summed; walk from one target each", from.rank);
        return false;
    }
    lm_shape split = {.rank = from.rank + 1, .dim = {wide, from.dim[0] / wide}};
    for (int i = 1; i < from.rank; i++)
        split.dim[i + 1] = from.dim[i];
    *s = lm_emit_reshape(e, *s, &split);
    return true;
}

lm_val lm_wide_shrink(lm_emit *e, lm_wide_form form, int64_t wide, lm_val s, const lm_type *to)
{
    const lm_shape kept = lm_wide_shape(&to->sh, wide);
    int blocks = wide > 1;
    if (wide > 1 && form == LM_WIDE_MERGED) {
        blocks = 0;
        if (!lm_shape_equal(lm_emit_shape(e, s), &kept)) {
            if (!split_blocks(e, wide, &s))
                return LM_NOVAL;
            blocks = 1;
        }
    }
    if (wide == 1 || blocks) {
        const uint32_t axes = stretched(lm_emit_shape(e, s), blocks, &to->sh);
        if (axes)
            s = lm_emit_reduce(e, LM_OP_REDUCE_SUM, s, axes, true);
    }
    if (e->status == LM_OK && lm_shape_count(lm_emit_shape(e, s)) != lm_shape_count(&kept))
        lm_emit_fail(e, LM_UNSUPPORTED, "a signal does not have the shape of %lld blocks; walk from one target each",
                     (long long)wide);
    return e->status == LM_OK ? lm_emit_cast(e, lm_emit_reshape(e, s, &kept), to->dt) : LM_NOVAL;
}
