/* A cursor that appends nodes to a graph. Result types are inferred; the first failure sticks and everything after it
 * is a no-op that answers LM_NOVAL, so expansions and rules read as straight-line arithmetic and the status is looked
 * at once, at the end.
 *
 * With a chain to compute with (`fold`) a node is appended only where it is needed: ops on constants are done at once,
 * ops that change nothing answer with their operand, and an op that was emitted before answers with the earlier node's
 * results. The values are the same to the bit. */
#ifndef LM_GRAPH_EMIT_H
#define LM_GRAPH_EMIT_H

#include "core/device/chain.h"
#include "core/graph/graph.h"

typedef struct lm_emit {
    lm_graph *g;
    lm_status status;  /* first failure; its message is lm_message() */
    const char *scope; /* given to every node; borrowed */
    const char *name;  /* given to the next node only; borrowed */
    const lm_chain *fold; /* NULL: every op becomes a node; borrowed */
} lm_emit;

/* Append a node; y[0..ny) get the results, or LM_NOVAL. The description's name and scope, where NULL, are the
 * emitter's. */
void lm_emit_node(lm_emit *e, const lm_node_desc *d, lm_val *y);

/* The same for an op without an epilogue. `a` may be NULL where the op has no attributes. */
void lm_emit_op(lm_emit *e, lm_opid op, const lm_attrs *a, int nx, const lm_val *x, int ny, lm_val *y);

/* An op with one result. */
lm_val lm_emit_one(lm_emit *e, lm_opid op, const lm_attrs *a, int nx, const lm_val *x);

/* `lm_val y = lm_emit1(e, LM_OP_MUL, NULL, a, b);` */
#define lm_emit1(e, op, a, ...)                                                                                        \
    lm_emit_one(e, op, a, (int)(sizeof((lm_val[]){__VA_ARGS__}) / sizeof(lm_val)), (lm_val[]){__VA_ARGS__})

/* Record a failure unless there is one already. */
void lm_emit_fail(lm_emit *e, lm_status status, const char *format, ...) LM_PRINTF(3, 4);

/* A constant with this content on the host. The graph takes a reference of its own. With `fold`, equal constants of up
 * to 64 bytes are one value. */
lm_val lm_emit_content(lm_emit *e, const lm_view *content);

/* A constant without axes; equal constants of a graph are one value. */
lm_val lm_emit_const(lm_emit *e, lm_dtype dt, double value);

/* The whole numbers first, first + 1 ... as a vector of float32, exact below 2^24. */
lm_val lm_emit_iota(lm_emit *e, int64_t first, int64_t count);

/* The type of a value; LM_NOVAL has rank LM_ABSENT. Borrowed from the graph. */
const lm_type *lm_emit_type(const lm_emit *e, lm_val v);
const lm_shape *lm_emit_shape(const lm_emit *e, lm_val v);

/* The axes of `v` from `first` on, as lm_attr_reduce takes them; 0 when there are none. */
uint32_t lm_emit_axes_from(const lm_emit *e, lm_val v, int first);

/* True when no element of `v` can be below zero. */
bool lm_emit_nonneg(const lm_emit *e, lm_val v);

/* Ops with attributes that rules and expansions use all the time. Those that would change nothing add no node. */
lm_val lm_emit_reshape(lm_emit *e, lm_val x, const lm_shape *to);
lm_val lm_emit_transpose(lm_emit *e, lm_val x, const int32_t *perm);
lm_val lm_emit_cast(lm_emit *e, lm_val x, lm_dtype to);
lm_val lm_emit_reduce(lm_emit *e, lm_opid op, lm_val x, uint32_t axes, bool keepdims);
lm_val lm_emit_axis(lm_emit *e, lm_opid op, lm_val x, int axis);

/* x op constant, the constant in x's type. */
lm_val lm_emit_scalar(lm_emit *e, lm_opid op, lm_val x, double value);

#endif
