/* Graphs as text: for logs, for tests, and for a look at what an expansion did. */
#include <inttypes.h>

#include "core/base/str.h"
#include "core/graph/graph.h"

typedef enum kind { BOOL, I32, I64, F32, F64, TEXT, SHAPE, DTYPE } kind;

/* One member of one attribute struct; arrays have more than one item. */
typedef struct field {
    lm_attr_kind of;
    const char *name;
    size_t offset;
    kind kind;
    int items;
} field;

#define FIELD(of, name, kind) {LM_ATTR_##of, #name, offsetof(lm_attr_##of, name), kind, 1}
#define ARRAY(of, name, kind, items) {LM_ATTR_##of, #name, offsetof(lm_attr_##of, name), kind, items}
static const field fields[] = {
    FIELD(act, a, F32), FIELD(act, b, F32),
    FIELD(actdx, of, I32), FIELD(actdx, a, F32), FIELD(actdx, b, F32),
    FIELD(cast, to, DTYPE),
    FIELD(reduce, axes, I32), FIELD(reduce, keepdims, BOOL),
    FIELD(axis, axis, I32), FIELD(axis, keepdims, BOOL), FIELD(axis, last, BOOL), FIELD(axis, exclusive, BOOL),
    FIELD(axis, reverse, BOOL),
    FIELD(topk, axis, I32), FIELD(topk, largest, BOOL), FIELD(topk, sorted, BOOL), FIELD(topk, k, I64),
    FIELD(matmul, ta, BOOL), FIELD(matmul, tb, BOOL),
    FIELD(gemm, ta, BOOL), FIELD(gemm, tb, BOOL), FIELD(gemm, alpha, F32), FIELD(gemm, beta, F32),
    FIELD(conv, groups, I32), ARRAY(conv, kernel, I64, LM_SPATIAL), ARRAY(conv, stride, I64, LM_SPATIAL),
    ARRAY(conv, dilation, I64, LM_SPATIAL), ARRAY(conv, pad_lo, I64, LM_SPATIAL), ARRAY(conv, pad_hi, I64, LM_SPATIAL),
    ARRAY(conv, size, I64, LM_SPATIAL),
    FIELD(pool, p, I32), ARRAY(pool, kernel, I64, LM_SPATIAL), ARRAY(pool, stride, I64, LM_SPATIAL),
    ARRAY(pool, dilation, I64, LM_SPATIAL), ARRAY(pool, pad_lo, I64, LM_SPATIAL), ARRAY(pool, pad_hi, I64, LM_SPATIAL),
    ARRAY(pool, size, I64, LM_SPATIAL), FIELD(pool, ceil, BOOL), FIELD(pool, count_pad, BOOL),
    FIELD(pool, column_major, BOOL),
    FIELD(norm, axis, I32), FIELD(norm, groups, I32), FIELD(norm, p, I32), FIELD(norm, size, I64),
    FIELD(norm, epsilon, F32),
    FIELD(norm, alpha, F32), FIELD(norm, beta, F32), FIELD(norm, bias, F32),
    FIELD(shape, shape, SHAPE), FIELD(shape, axis, I32),
    ARRAY(perm, perm, I32, LM_RANK),
    ARRAY(slice, start, I64, LM_RANK), ARRAY(slice, step, I64, LM_RANK), ARRAY(slice, size, I64, LM_RANK),
    ARRAY(pad, lo, I64, LM_RANK), ARRAY(pad, hi, I64, LM_RANK), FIELD(pad, mode, I32),
    ARRAY(tile, reps, I64, LM_RANK),
    FIELD(trilu, k, I64), FIELD(trilu, upper, BOOL),
    FIELD(onehot, axis, I32), FIELD(onehot, depth, I64),
    FIELD(block, size, I64), FIELD(block, crd, BOOL),
    FIELD(index, axis, I32), FIELD(index, batch, I32), FIELD(index, mode, I32),
    FIELD(resize, mode, I32), FIELD(resize, coord, I32), FIELD(resize, nearest, I32), FIELD(resize, antialias, BOOL),
    FIELD(resize, exclude_outside, BOOL), FIELD(resize, cubic_a, F32), FIELD(resize, extrapolation, F32),
    ARRAY(resize, size, I64, LM_RANK), ARRAY(resize, scale, F64, LM_RANK), ARRAY(resize, roi_lo, F64, LM_RANK),
    ARRAY(resize, roi_hi, F64, LM_RANK),
    FIELD(einsum, equation, TEXT),
    FIELD(attention, scale, F32), FIELD(attention, softcap, F32), FIELD(attention, causal, BOOL),
    FIELD(recurrent, way, I32), FIELD(recurrent, linear_before_reset, BOOL), FIELD(recurrent, input_forget, BOOL),
    FIELD(recurrent, clip, F32), ARRAY(recurrent, act, I32, 6), ARRAY(recurrent, alpha, F32, 6),
    ARRAY(recurrent, beta, F32, 6),
    FIELD(loss, reduction, I32), FIELD(loss, has_ignore, BOOL), FIELD(loss, ignore, I64),
    FIELD(update, momentum, F32), FIELD(update, beta1, F32), FIELD(update, beta2, F32), FIELD(update, epsilon, F32),
    FIELD(update, decay, F32), FIELD(update, nesterov, BOOL),
};

static const size_t item_bytes[] = {[BOOL] = sizeof(bool),   [I32] = 4,  [I64] = 8, [F32] = 4, [F64] = 8,
                                    [TEXT] = LM_EQUATION_BYTES, [SHAPE] = sizeof(lm_shape), [DTYPE] = sizeof(lm_dtype)};

static void print_item(lm_str *out, const field *f, const char *at)
{
    union {
        bool b;
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
        lm_dtype dt;
        lm_shape sh;
        char text[LM_EQUATION_BYTES];
    } v;
    char text[LM_SHAPE_TEXT];
    memcpy(&v, at, item_bytes[f->kind]);
    switch (f->kind) {
    case BOOL:
        lm_str_printf(out, "%d", v.b);
        break;
    case I32:
        lm_str_printf(out, "%" PRId32, v.i32);
        break;
    case I64:
        lm_str_printf(out, "%" PRId64, v.i64);
        break;
    case F32:
        lm_str_printf(out, "%.9g", (double)v.f32);
        break;
    case F64:
        lm_str_printf(out, "%.17g", v.f64);
        break;
    case TEXT:
        lm_str_printf(out, "%.*s", LM_EQUATION_BYTES, v.text);
        break;
    case SHAPE:
        lm_str_add(out, lm_shape_text(&v.sh, text));
        break;
    case DTYPE:
        lm_str_add(out, lm_dtype_name(v.dt));
        break;
    }
}

static bool is_zero(const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i])
            return false;
    return true;
}

/* How much of an array counts: one item per axis, or per spatial axis, of the first operand. */
static int items_of(const field *f, const lm_graph *g, const lm_node *n)
{
    int rank = lm_graph_value(g, n->x[0])->type.sh.rank - (f->items == LM_SPATIAL ? 2 : 0);
    bool per_axis = f->items == LM_RANK || f->items == LM_SPATIAL;
    return !per_axis || rank < 0 || rank > f->items ? f->items : rank;
}

/* Members that are zero are left out. */
static void print_attrs(lm_str *out, const lm_graph *g, const lm_node *n)
{
    const char *sep = " {";
    for (size_t i = 0; i < LM_COUNT(fields); i++) {
        const field *f = &fields[i];
        const char *at = (const char *)n->a + f->offset;
        size_t bytes = item_bytes[f->kind];
        if (f->of != lm_ops[n->op].attrs || (is_zero(at, (size_t)f->items * bytes) && f->kind != DTYPE))
            continue;
        int items = items_of(f, g, n);
        lm_str_printf(out, "%s%s=%s", sep, f->name, f->items > 1 ? "[" : "");
        for (int k = 0; k < items; k++) {
            lm_str_add(out, k ? "," : "");
            print_item(out, f, at + (size_t)k * bytes);
        }
        lm_str_add(out, f->items > 1 ? "]" : "");
        sep = " ";
    }
    lm_str_add(out, strcmp(sep, " {") == 0 ? "" : "}");
}

/* " +%7 relu slope of relu at %5": what follows the product itself, in this order. */
static void print_epilogue(lm_str *out, const lm_node *n)
{
    const lm_epilogue *ep = n->ep;
    if (!ep)
        return;
    if (ep->residual)
        lm_str_printf(out, " +%%%d", n->x[n->nx - 1 - ep->sloped]);
    if (ep->active)
        lm_str_printf(out, " %s", lm_ops[ep->act].name);
    if (ep->active && (ep->attr.a != 0 || ep->attr.b != 0))
        lm_str_printf(out, "(%.9g,%.9g)", (double)ep->attr.a, (double)ep->attr.b);
    if (ep->sloped)
        lm_str_printf(out, " slope of %s at %%%d", lm_ops[ep->slope.of].name, n->x[n->nx - 1]);
}

static void print_value(lm_str *out, const lm_graph *g, lm_val v)
{
    const lm_value *value = lm_graph_value(g, v);
    char text[LM_SHAPE_TEXT];
    lm_str_printf(out, "%%%d: %s%s", v, lm_dtype_name(value->type.dt), lm_shape_text(&value->type.sh, text));
    if (value->name)
        lm_str_printf(out, " \"%s\"", value->name);
    if (value->constant && lm_shape_count(&value->type.sh) == 1)
        lm_str_printf(out, " = %.9g", lm_view_get(value->constant, 0));
}

static void print_graph(lm_str *out, const lm_graph *g, int indent);

static void print_node(lm_str *out, const lm_graph *g, const lm_node *n, int indent)
{
    for (int i = 0; i < n->ny; i++) {
        lm_str_add(out, i ? ", " : "");
        print_value(out, g, n->y[i]);
    }
    lm_str_printf(out, " = %s(", lm_ops[n->op].name);
    const int own = n->nx - lm_epilogue_inputs(n->ep);
    for (int i = 0; i < own; i++) {
        lm_str_add(out, i ? ", " : "");
        if (n->x[i] == LM_NOVAL)
            lm_str_add(out, "-");
        else
            lm_str_printf(out, "%%%d", n->x[i]);
    }
    lm_str_add(out, ")");
    print_attrs(out, g, n);
    print_epilogue(out, n);
    if (n->scope && *n->scope)
        lm_str_printf(out, " @%s", n->scope);
    if (n->name)
        lm_str_printf(out, " '%s'", n->name);
    lm_str_add(out, "\n");
    for (int i = 0; i < n->nbody; i++)
        print_graph(out, n->body[i], indent + 4);
}

static void print_graph(lm_str *out, const lm_graph *g, int indent)
{
    for (size_t v = 1; v < g->values.count; v++) {
        if (g->values.at[v]->producer)
            continue;
        lm_str_printf(out, "%*s%s ", indent, "", g->values.at[v]->constant ? "const" : "input");
        print_value(out, g, (lm_val)v);
        lm_str_add(out, "\n");
    }
    for (size_t i = 0; i < g->nodes.count; i++) {
        lm_str_printf(out, "%*s", indent, "");
        print_node(out, g, g->nodes.at[i], indent);
    }
    for (size_t i = 0; i < g->outputs.count; i++)
        lm_str_printf(out, "%*soutput %%%d\n", indent, "", g->outputs.at[i]);
}

lm_status lm_graph_print(const lm_graph *g, lm_str *out)
{
    print_graph(out, g, 0);
    return out->status;
}
