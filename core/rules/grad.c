/* From an op to its derivative. */
#include "core/rules/grad.h"

#define HAS_SMOOTH(kernel) lm_grad_##kernel
#define HAS_PIECE(kernel) lm_grad_##kernel
#define HAS_ZERO(kernel) NULL
#define HAS_OPAQUE(kernel) NULL
#define lm_grad_none NULL
static const lm_rule_fn derivative[LM_OPS] = {
#define LM_OP(id, name, cls, in0, in1, out, attrs, shape, kernel, expand, region, grad, ...)                           \
    [LM_OP_##id] = HAS_##grad(kernel),
#include "core/ops/ops.def"
#undef LM_OP
};
#undef lm_grad_none

void lm_rule_grad(const lm_rx *r)
{
    if (derivative[r->n->op])
        derivative[r->n->op](r);
    else
        lm_emit_fail(r->e, LM_UNSUPPORTED, "%s: it has no derivative of its own", lm_ops[r->n->op].name);
}

const lm_ruleset lm_set_grad = {.name = "grad", .deflt = LM_DEFAULT_GRAD};
