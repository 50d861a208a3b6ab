/* Appending nodes; what is known about signs. */
#include "core/graph/emit.h"

#include <string.h>

#include "core/base/str.h"
#include "core/graph/fold.h"

/* When the first result of an op cannot be below zero. Ops without a row: nothing is known. A quotient has none,
 * because -0 counts as not below zero and 1 / -0 does not. */
enum { SIGN_UNKNOWN, SIGN_ALWAYS, SIGN_FIRST, SIGN_ALL, SIGN_ANY };
static const uint8_t sign_rule[LM_OPS] = {
    [LM_OP_ABS] = SIGN_ALWAYS,       [LM_OP_SQRT] = SIGN_ALWAYS,           [LM_OP_EXP] = SIGN_ALWAYS,
    [LM_OP_COSH] = SIGN_ALWAYS,      [LM_OP_RELU] = SIGN_ALWAYS,           [LM_OP_SIGMOID] = SIGN_ALWAYS,
    [LM_OP_SOFTPLUS] = SIGN_ALWAYS,  [LM_OP_HARDSIGMOID] = SIGN_ALWAYS,    [LM_OP_ACOS] = SIGN_ALWAYS,
    [LM_OP_SOFTMAX] = SIGN_ALWAYS,   [LM_OP_REDUCE_L1] = SIGN_ALWAYS,      [LM_OP_REDUCE_L2] = SIGN_ALWAYS,
    [LM_OP_LPPOOL] = SIGN_ALWAYS,    [LM_OP_REDUCE_SUMSQ] = SIGN_ALWAYS,   [LM_OP_HARDMAX] = SIGN_ALWAYS,
    [LM_OP_GLOBAL_LP] = SIGN_ALWAYS, [LM_OP_IDENTITY] = SIGN_FIRST,        [LM_OP_FLOOR] = SIGN_FIRST,
    [LM_OP_CEIL] = SIGN_FIRST,       [LM_OP_ROUND] = SIGN_FIRST,           [LM_OP_REDUCE_SUM] = SIGN_FIRST,
    [LM_OP_REDUCE_MEAN] = SIGN_FIRST, [LM_OP_REDUCE_MAX] = SIGN_FIRST,     [LM_OP_REDUCE_MIN] = SIGN_FIRST,
    [LM_OP_REDUCE_PROD] = SIGN_FIRST, [LM_OP_CUMSUM] = SIGN_FIRST,         [LM_OP_MAXPOOL] = SIGN_FIRST,
    [LM_OP_AVGPOOL] = SIGN_FIRST,    [LM_OP_GLOBAL_AVG] = SIGN_FIRST,      [LM_OP_GLOBAL_MAX] = SIGN_FIRST,
    [LM_OP_RESHAPE] = SIGN_FIRST,    [LM_OP_TRANSPOSE] = SIGN_FIRST,       [LM_OP_EXPAND] = SIGN_FIRST,
    [LM_OP_SLICE] = SIGN_FIRST,      [LM_OP_SLICE_DX] = SIGN_FIRST,        [LM_OP_PAD] = SIGN_ALL,
    [LM_OP_CONCAT] = SIGN_ALL,       [LM_OP_TILE] = SIGN_FIRST,            [LM_OP_TRILU] = SIGN_FIRST,
    [LM_OP_DEPTHTOSPACE] = SIGN_FIRST, [LM_OP_SPACETODEPTH] = SIGN_FIRST,  [LM_OP_GATHER] = SIGN_FIRST,
    [LM_OP_GATHERELEMENTS] = SIGN_FIRST, [LM_OP_GATHERND] = SIGN_FIRST,    [LM_OP_TOPK] = SIGN_FIRST,
    [LM_OP_ADD] = SIGN_ALL,          [LM_OP_MUL] = SIGN_ALL,               [LM_OP_MIN] = SIGN_ALL,
    [LM_OP_MAX] = SIGN_ANY,          [LM_OP_MATMUL] = SIGN_ALL,            [LM_OP_CONV] = SIGN_ALL,
    [LM_OP_CONV_T] = SIGN_ALL,
};

/* Signed integer arithmetic may wrap, so signs are followed for floating point only. */
static bool result_nonneg(const lm_emit *e, const lm_node *n)
{
    const lm_value *y = lm_graph_value(e->g, n->y[0]);
    if (!lm_dtype_is_float(y->type.dt))
        return y->nonneg;
    if (n->ep && n->ep->sloped)
        return false;
    if (n->ep && n->ep->active)
        return sign_rule[n->ep->act] == SIGN_ALWAYS || (n->ep->act == LM_OP_CLIP && n->ep->attr.a >= 0);
    if (n->op == LM_OP_CLIP)
        return n->a->act.a >= 0;
    if (n->op == LM_OP_MUL && n->x[0] == n->x[1])
        return true;
    if (n->op == LM_OP_WHERE)
        return lm_emit_nonneg(e, n->x[1]) && lm_emit_nonneg(e, n->x[2]);
    int seen = 0, nonneg = 0;
    for (int i = 0; i < n->nx; i++)
        if (n->x[i] != LM_NOVAL) {
            seen++;
            nonneg += lm_emit_nonneg(e, n->x[i]);
        }
    switch (sign_rule[n->op]) {
    case SIGN_ALWAYS:
        return true;
    case SIGN_FIRST:
        return lm_emit_nonneg(e, n->x[0]);
    case SIGN_ALL:
        return nonneg == seen;
    case SIGN_ANY:
        return nonneg > 0;
    default:
        return false;
    }
}

/* Is there an answer without a new node? Failures of looking for one are the emitter's. */
static bool settled(lm_emit *e, const lm_node_desc *d, const lm_type *type, const lm_share_key *key, lm_val *y)
{
    e->name = d->name; /* goes to what a rule emits instead */
    lm_val same = lm_simplify(e, d, type);
    e->name = NULL;
    if (same != LM_NOVAL) {
        y[0] = same;
        return true;
    }
    if (e->status != LM_OK || lm_fold(e, d, type, y))
        return true;
    same = lm_share_find(e->g, key);
    for (int i = 0; same != LM_NOVAL && i < d->ny; i++)
        y[i] = lm_graph_value(e->g, same)->producer->y[i];
    return same != LM_NOVAL;
}

static const lm_attrs no_attrs;

void lm_emit_node(lm_emit *e, const lm_node_desc *desc, lm_val *y)
{
    for (int i = 0; i < desc->ny; i++)
        y[i] = LM_NOVAL;
    if (e->status != LM_OK)
        return;
    lm_node_desc d = *desc;
    d.a = d.a ? d.a : &no_attrs;
    d.name = d.name ? d.name : e->name;
    d.scope = d.scope ? d.scope : e->scope;
    e->name = NULL;
    lm_type type[LM_OUT_MAX];
    lm_share_key key = {0};
    e->status = lm_infer_node(e->g, &d, type);
    if (e->status != LM_OK)
        return;
    if (e->fold) {
        lm_share_node_key(&d, &key);
        if (settled(e, &d, type, &key, y))
            return;
    }
    const lm_node *n = NULL;
    e->status = lm_graph_node(e->g, &d, type, &n);
    if (e->status != LM_OK)
        return;
    lm_graph_value(e->g, n->y[0])->nonneg = result_nonneg(e, n);
    e->status = lm_share_put(e->g, &key, n->y[0]);
    for (int i = 0; i < d.ny; i++)
        y[i] = n->y[i];
}

void lm_emit_op(lm_emit *e, lm_opid op, const lm_attrs *a, int nx, const lm_val *x, int ny, lm_val *y)
{
    const lm_node_desc d = {.op = op, .a = a, .nx = nx, .ny = ny, .x = x};
    lm_emit_node(e, &d, y);
}

lm_val lm_emit_one(lm_emit *e, lm_opid op, const lm_attrs *a, int nx, const lm_val *x)
{
    lm_val y;
    lm_emit_op(e, op, a, nx, x, 1, &y);
    return y;
}

void lm_emit_fail(lm_emit *e, lm_status status, const char *format, ...)
{
    if (e->status != LM_OK)
        return;
    lm_str text = {0};
    va_list args;
    va_start(args, format);
    lm_str_vprintf(&text, format, args);
    va_end(args);
    e->status = lm_fail(status, "%s", lm_str_text(&text));
    lm_str_free(&text);
}

const lm_type *lm_emit_type(const lm_emit *e, lm_val v)
{
    return &lm_graph_value(e->g, v)->type;
}

const lm_shape *lm_emit_shape(const lm_emit *e, lm_val v)
{
    return &lm_graph_value(e->g, v)->type.sh;
}

uint32_t lm_emit_axes_from(const lm_emit *e, lm_val v, int first)
{
    int rank = lm_emit_shape(e, v)->rank;
    return rank > first ? ((1u << rank) - 1) & ~((1u << first) - 1) : 0;
}

bool lm_emit_nonneg(const lm_emit *e, lm_val v)
{
    return lm_graph_value(e->g, v)->nonneg;
}

lm_val lm_emit_content(lm_emit *e, const lm_view *content)
{
    if (e->status != LM_OK)
        return LM_NOVAL;
    lm_share_key key = {0};
    if (e->fold)
        lm_share_constant_key(content, &key);
    lm_val v = lm_share_find(e->g, &key);
    if (v != LM_NOVAL)
        return v;
    e->status = lm_graph_constant(e->g, NULL, content, &v);
    if (e->status == LM_OK)
        e->status = lm_share_put(e->g, &key, v);
    return e->status == LM_OK ? v : LM_NOVAL;
}

lm_val lm_emit_const(lm_emit *e, lm_dtype dt, double value)
{
    if (e->status != LM_OK)
        return LM_NOVAL;
    int64_t element[2] = {0};
    lm_store_f64(dt, element, value);
    lm_buffer borrowed = {.bytes = sizeof element, .host = element};
    const lm_shape scalar = {0};
    lm_view view = lm_view_row(dt, &scalar, &borrowed);
    lm_share_key key;
    lm_share_constant_key(&view, &key);
    lm_val v = lm_share_find(e->g, &key);
    if (v != LM_NOVAL)
        return v;
    e->status = lm_view_new(dt, &scalar, &view);
    if (e->status != LM_OK)
        return LM_NOVAL;
    lm_view_set(&view, 0, value);
    e->status = lm_graph_constant(e->g, NULL, &view, &v);
    lm_buffer_unref(view.buf);
    if (e->status == LM_OK)
        e->status = lm_share_put(e->g, &key, v);
    return e->status == LM_OK ? v : LM_NOVAL;
}

lm_val lm_emit_iota(lm_emit *e, int64_t first, int64_t count)
{
    if (e->status != LM_OK)
        return LM_NOVAL;
    lm_shape shape = LM_SHAPE(count);
    lm_view view;
    e->status = lm_view_new(LM_F32, &shape, &view);
    if (e->status != LM_OK)
        return LM_NOVAL;
    float *at = lm_view_data(&view);
    for (int64_t i = 0; i < count; i++)
        at[i] = (float)(first + i);
    lm_val v = lm_emit_content(e, &view);
    lm_buffer_unref(view.buf);
    return v;
}

lm_val lm_emit_reshape(lm_emit *e, lm_val x, const lm_shape *to)
{
    if (e->status != LM_OK || lm_shape_equal(lm_emit_shape(e, x), to))
        return x;
    lm_attrs a = {0};
    a.shape.shape = *to;
    return lm_emit1(e, LM_OP_RESHAPE, &a, x);
}

lm_val lm_emit_transpose(lm_emit *e, lm_val x, const int32_t *perm)
{
    int rank = lm_emit_shape(e, x)->rank;
    bool moves = false;
    lm_attrs a = {0};
    for (int i = 0; i < rank; i++) {
        a.perm.perm[i] = perm[i];
        moves |= perm[i] != i;
    }
    return moves ? lm_emit1(e, LM_OP_TRANSPOSE, &a, x) : x;
}

lm_val lm_emit_cast(lm_emit *e, lm_val x, lm_dtype to)
{
    if (x == LM_NOVAL || lm_emit_type(e, x)->dt == to)
        return x;
    lm_attrs a = {0};
    a.cast.to = to;
    return lm_emit1(e, LM_OP_CAST, &a, x);
}

lm_val lm_emit_reduce(lm_emit *e, lm_opid op, lm_val x, uint32_t axes, bool keepdims)
{
    lm_attrs a = {0};
    a.reduce.axes = axes;
    a.reduce.keepdims = keepdims;
    return lm_emit1(e, op, &a, x);
}

lm_val lm_emit_axis(lm_emit *e, lm_opid op, lm_val x, int axis)
{
    lm_attrs a = {0};
    a.axis.axis = axis;
    return lm_emit1(e, op, &a, x);
}

lm_val lm_emit_scalar(lm_emit *e, lm_opid op, lm_val x, double value)
{
    return lm_emit1(e, op, NULL, x, lm_emit_const(e, lm_emit_type(e, x)->dt, value));
}
