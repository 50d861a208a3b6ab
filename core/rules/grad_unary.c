/* Derivatives of elementwise ops of one operand: all are one op, ACT_DX, which knows f'. The reference states what it
 * is at kinks. */
#include "core/rules/grad.h"

void lm_grad_unary(const lm_rx *r)
{
    const lm_op_info *op = &lm_ops[r->n->op];
    if (r->n->op == LM_OP_IDENTITY || r->n->op == LM_OP_NEG) {
        r->out[0] = r->n->op == LM_OP_NEG ? lm_unary(r->e, LM_OP_NEG, r->s) : r->s;
        return;
    }
    lm_attrs a = {0};
    a.actdx.of = (int32_t)r->n->op;
    if (op->attrs == LM_ATTR_act) {
        a.actdx.a = r->n->a->act.a;
        a.actdx.b = r->n->a->act.b;
    }
    r->out[0] = lm_emit1(r->e, LM_OP_ACT_DX, &a, r->s, op->flags & LM_FLAG_GRADY ? r->y : r->x[0]);
}

/* To another type of float; the walk casts back. */
void lm_grad_cast(const lm_rx *r)
{
    r->out[0] = r->s;
}

/* y = s f'(v), with s and v as operands. */
void lm_grad_actdx(const lm_rx *r)
{
    const lm_attr_actdx *a = &r->n->a->actdx;
    const lm_attrs same = *r->n->a;
    if (r->want[0])
        r->out[0] = lm_emit1(r->e, LM_OP_ACT_DX, &same, r->s, r->x[1]);
    lm_val curve = r->want[1] ? lm_grad_curve(r->e, (lm_opid)a->of, (double)a->a, (double)a->b, r->x[1]) : LM_NOVAL;
    if (curve != LM_NOVAL)
        r->out[1] = lm_times(r->e, lm_times(r->e, r->s, r->x[0]), curve);
}
