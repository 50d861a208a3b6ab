/* Composites as other ops. An expansion defines its op: reference, gradient and relevance follow from it, and a fused
 * kernel must agree with it. */
#ifndef LM_GRAPH_EXPAND_H
#define LM_GRAPH_EXPAND_H

#include "core/graph/emit.h"

/* A composite to be expanded: its operands are values of the emitter's graph; y[0..ny) is filled in. */
typedef struct lm_composite {
    lm_opid op;
    const lm_attrs *a;
    int nx, ny;
    const lm_val *x;
    lm_val *y;
} lm_composite;

/* Emit the expansion of a composite: check its operands by the op's own shape rule, widen float16 and bfloat16 to
 * float32 for the whole of it and round once at the end, and make sure that the results have the types of the rule.
 * The results may be operands when nothing is to be done. */
lm_status lm_expand(lm_emit *e, const lm_composite *c);

/* One function per word of the `expand` column. The operands have passed the shape rule; a result that was not
 * asked for (i >= ny) must not be written. */
typedef void (*lm_expand_fn)(lm_emit *e, const lm_composite *c);
#define LM_OP(id, name, cls, in0, in1, out, attrs, shape, kernel, expand, ...)                                         \
    void lm_expand_##expand(lm_emit *e, const lm_composite *c);
#include "core/ops/ops.def"
#undef LM_OP

#endif
