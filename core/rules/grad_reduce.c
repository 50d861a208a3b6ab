/* Derivatives of reductions, cumulative sums and softmax. */
#include "core/rules/grad.h"

/* x's shape with the reduced axes of size 1: where s and y broadcast against x. */
static lm_shape kept(const lm_rx *r)
{
    lm_shape shape = *lm_emit_shape(r->e, r->x[0]);
    for (int i = 0; i < shape.rank; i++)
        if (r->n->a->reduce.axes >> i & 1)
            shape.dim[i] = 1;
    return shape;
}

/* What a reduction's derivative is made of; s and y broadcast against x. */
typedef struct sides {
    lm_emit *e;
    lm_val x, y, s;
    uint32_t axes;
    double count; /* elements that make one */
} sides;

static lm_val sum(const sides *r)
{
    return r->s;
}

static lm_val mean(const sides *r)
{
    return lm_emit_scalar(r->e, LM_OP_DIV, r->s, r->count);
}

/* All that equal the extreme share alike. */
static lm_val extreme(const sides *r)
{
    lm_val is = lm_emit1(r->e, LM_OP_EQUAL, NULL, r->x, r->y), one = lm_indicator(r->e, is, r->x);
    lm_val share = lm_over(r->e, r->s, lm_emit_reduce(r->e, LM_OP_REDUCE_SUM, one, r->axes, true));
    return lm_choose(r->e, is, share, lm_number(r->e, share, 0));
}

/* The product of the others, right where there are zeros too: one zero gets the product of all but itself, and where
 * there are two nobody gets anything. */
static lm_val prod(const sides *r)
{
    lm_emit *e = r->e;
    lm_val zero = lm_number(e, r->x, 0), is_zero = lm_emit1(e, LM_OP_EQUAL, NULL, r->x, zero);
    lm_val filled = lm_choose(e, is_zero, lm_number(e, r->x, 1), r->x);
    lm_val all = lm_emit_reduce(e, LM_OP_REDUCE_PROD, filled, r->axes, true);
    lm_val zeros = lm_emit_reduce(e, LM_OP_REDUCE_SUM, lm_indicator(e, is_zero, r->x), r->axes, true);
    lm_val alone = lm_choose(e, lm_emit_scalar(e, LM_OP_EQUAL, zeros, 1), all, zero);
    lm_val among = lm_choose(e, lm_emit_scalar(e, LM_OP_EQUAL, zeros, 0), lm_over(e, all, filled), zero);
    return lm_times(e, r->s, lm_choose(e, is_zero, alone, among));
}

static lm_val l1(const sides *r)
{
    return lm_times(r->e, r->s, lm_unary(r->e, LM_OP_SIGN, r->x));
}

/* 0 where all of x is. */
static lm_val l2(const sides *r)
{
    lm_val empty = lm_emit_scalar(r->e, LM_OP_EQUAL, r->y, 0);
    lm_val size = lm_choose(r->e, empty, lm_number(r->e, r->y, 1), r->y);
    return lm_times(r->e, lm_over(r->e, r->s, size), r->x);
}

static lm_val sumsq(const sides *r)
{
    return lm_times(r->e, lm_emit_scalar(r->e, LM_OP_MUL, r->s, 2), r->x);
}

static lm_val logsum(const sides *r)
{
    return lm_over(r->e, r->s, lm_emit_reduce(r->e, LM_OP_REDUCE_SUM, r->x, r->axes, true));
}

static lm_val logsumexp(const sides *r)
{
    return lm_times(r->e, r->s, lm_unary(r->e, LM_OP_EXP, lm_minus(r->e, r->x, r->y)));
}

static lm_val (*const reductions[LM_OPS])(const sides *) = {
    [LM_OP_REDUCE_SUM] = sum,     [LM_OP_REDUCE_MEAN] = mean,       [LM_OP_REDUCE_MAX] = extreme,
    [LM_OP_REDUCE_MIN] = extreme, [LM_OP_REDUCE_PROD] = prod,       [LM_OP_REDUCE_L1] = l1,
    [LM_OP_REDUCE_L2] = l2,       [LM_OP_REDUCE_SUMSQ] = sumsq,     [LM_OP_REDUCE_LOGSUM] = logsum,
    [LM_OP_REDUCE_LSE] = logsumexp,
};

void lm_grad_reduce(const lm_rx *r)
{
    const lm_shape *full = lm_emit_shape(r->e, r->x[0]), shape = kept(r);
    sides at = {.e = r->e, .x = r->x[0], .axes = r->n->a->reduce.axes, .count = 1};
    for (int i = 0; i < full->rank; i++)
        at.count *= shape.dim[i] == full->dim[i] ? 1 : (double)full->dim[i];
    at.y = lm_emit_reshape(r->e, r->y, &shape);
    at.s = lm_emit_reshape(r->e, r->s, &shape);
    const lm_shape to = *full;
    r->out[0] = lm_emit_expand(r->e, reductions[r->n->op](&at), &to);
}

/* Summed from the other end. */
void lm_grad_cumsum(const lm_rx *r)
{
    lm_attrs a = *r->n->a;
    a.axis.reverse = !a.axis.reverse;
    r->out[0] = lm_emit1(r->e, LM_OP_CUMSUM, &a, r->s);
}

void lm_grad_softmax(const lm_rx *r)
{
    const lm_opid dx = r->n->op == LM_OP_SOFTMAX ? LM_OP_SOFTMAX_DX : LM_OP_LOGSOFTMAX_DX;
    r->out[0] = lm_emit1(r->e, dx, r->n->a, r->s, r->y);
}

/* Softmax: y (s - Σ s y). With t for the signal and sums along the axis, the one for y is t (s - Σ s y) - s Σ t y.
 * Its logarithm: s - exp(y) Σ s, and - t exp(y) Σ s. */
void lm_grad_softmax_dx(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val s = r->x[0], y = r->x[1], t = r->s;
    const uint32_t axis = 1u << r->n->a->axis.axis;
    const bool log = r->n->op == LM_OP_LOGSOFTMAX_DX;
    lm_val p = log ? lm_unary(e, LM_OP_EXP, y) : y;
    lm_val ty = lm_emit_reduce(e, LM_OP_REDUCE_SUM, lm_times(e, t, p), axis, true);
    if (r->want[0])
        r->out[0] = log ? lm_minus(e, t, ty) : lm_emit1(e, LM_OP_SOFTMAX_DX, r->n->a, t, y);
    if (!r->want[1])
        return;
    lm_val sum = lm_emit_reduce(e, LM_OP_REDUCE_SUM, log ? s : lm_times(e, s, y), axis, true);
    r->out[1] = log ? lm_unary(e, LM_OP_NEG, lm_times(e, lm_times(e, t, p), sum))
                    : lm_minus(e, lm_times(e, t, lm_minus(e, s, sum)), lm_times(e, s, ty));
}
