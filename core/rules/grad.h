/* The vector-Jacobian products, one function per family of kernels. An op that has a derivative and whose family has no
 * function does not link. */
#ifndef LM_RULES_GRAD_H
#define LM_RULES_GRAD_H

#include "core/graph/emit_move.h"
#include "core/rules/rule.h"

#define LM_OP(id, name, cls, in0, in1, out, attrs, shape, kernel, ...) void lm_grad_##kernel(const lm_rx *r);
#include "core/ops/ops.def"
#undef LM_OP

/* f''(x) of an elementwise op; for those whose f' is written in y = f(x), the derivative of f' with respect to y. `v` is
 * x or y. LM_NOVAL: zero everywhere. */
lm_val lm_grad_curve(lm_emit *e, lm_opid of, double a, double b, lm_val v);

/* Short words for arithmetic. */
static inline lm_val lm_plus(lm_emit *e, lm_val a, lm_val b)
{
    return lm_emit1(e, LM_OP_ADD, NULL, a, b);
}

static inline lm_val lm_minus(lm_emit *e, lm_val a, lm_val b)
{
    return lm_emit1(e, LM_OP_SUB, NULL, a, b);
}

static inline lm_val lm_times(lm_emit *e, lm_val a, lm_val b)
{
    return lm_emit1(e, LM_OP_MUL, NULL, a, b);
}

static inline lm_val lm_over(lm_emit *e, lm_val a, lm_val b)
{
    return lm_emit1(e, LM_OP_DIV, NULL, a, b);
}

static inline lm_val lm_unary(lm_emit *e, lm_opid op, lm_val x)
{
    return lm_emit1(e, op, NULL, x);
}

static inline lm_val lm_choose(lm_emit *e, lm_val condition, lm_val yes, lm_val no)
{
    return lm_emit1(e, LM_OP_WHERE, NULL, condition, yes, no);
}

/* A number in the type of `like`. */
static inline lm_val lm_number(lm_emit *e, lm_val like, double value)
{
    return lm_emit_const(e, lm_emit_type(e, like)->dt, value);
}

/* Zeros of the type and shape of `like`. */
static inline lm_val lm_zeros(lm_emit *e, lm_val like)
{
    const lm_type type = *lm_emit_type(e, like);
    return lm_emit_full(e, type.dt, &type.sh, 0);
}

/* x where the condition holds, otherwise 0: for factors that may be infinite where they do not count. */
static inline lm_val lm_where_else_0(lm_emit *e, lm_val condition, lm_val x)
{
    return lm_choose(e, condition, x, lm_number(e, x, 0));
}

/* 1 where the condition holds, otherwise 0, in the type of `like`. */
static inline lm_val lm_indicator(lm_emit *e, lm_val condition, lm_val like)
{
    return lm_emit_cast(e, condition, lm_emit_type(e, like)->dt);
}

#endif
