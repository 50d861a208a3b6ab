/* Derivatives of elementwise ops of two operands. Broadcasting is undone by the walk. */
#include "core/rules/grad.h"

static void add(const lm_rx *r)
{
    r->out[0] = r->out[1] = r->s;
}

static void sub(const lm_rx *r)
{
    r->out[0] = r->s;
    if (r->want[1])
        r->out[1] = lm_unary(r->e, LM_OP_NEG, r->s);
}

static void mul(const lm_rx *r)
{
    for (int i = 0; i < 2; i++)
        if (r->want[i])
            r->out[i] = lm_times(r->e, r->s, r->x[1 - i]);
}

static void divide(const lm_rx *r)
{
    lm_val first = lm_over(r->e, r->s, r->x[1]);
    r->out[0] = first;
    if (r->want[1])
        r->out[1] = lm_unary(r->e, LM_OP_NEG, lm_times(r->e, first, r->y));
}

/* The value of a constant without axes or of one element. */
static bool one_number(const lm_emit *e, lm_val v, double *out)
{
    const lm_view *c = lm_graph_value(e->g, v)->constant;
    if (!c || lm_shape_count(&c->sh) != 1)
        return false;
    *out = lm_view_get(c, 0);
    return true;
}

/* b x^(b - 1): 0 where b = 0, whatever x is. */
static lm_val power_slope(const lm_rx *r, lm_val x, lm_val b)
{
    lm_emit *e = r->e;
    double k;
    if (one_number(e, b, &k)) {
        lm_val lower = k == 2 ? x : k == 1 ? lm_number(e, x, 1) : lm_emit_scalar(e, LM_OP_POW, x, k - 1);
        return k == 0 ? lm_number(e, x, 0) : lm_times(e, lower, lm_number(e, x, k));
    }
    lm_val slope = lm_times(e, b, lm_emit1(e, LM_OP_POW, NULL, x, lm_emit_scalar(e, LM_OP_SUB, b, 1)));
    return lm_choose(e, lm_emit_scalar(e, LM_OP_EQUAL, b, 0), lm_number(e, x, 0), slope);
}

/* With respect to the exponent: y log x, and 0 where x = 0 and the exponent is not negative. */
static void power(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val x = r->x[0], b = lm_emit_cast(e, r->x[1], lm_emit_type(e, x)->dt);
    if (r->want[0])
        r->out[0] = lm_times(e, r->s, power_slope(r, x, b));
    if (!r->want[1])
        return;
    lm_val slope = lm_times(e, r->y, lm_unary(e, LM_OP_LOG, x));
    lm_val flat = lm_emit1(e, LM_OP_AND, NULL, lm_emit_scalar(e, LM_OP_EQUAL, x, 0),
                           lm_emit_scalar(e, LM_OP_GREATEREQ, b, 0));
    r->out[1] = lm_times(e, r->s, lm_choose(e, flat, lm_number(e, x, 0), slope));
}

/* a - b trunc(a / b) */
static void modulo(const lm_rx *r)
{
    lm_emit *e = r->e;
    r->out[0] = r->s;
    if (!r->want[1])
        return;
    lm_val ratio = lm_over(e, r->x[0], r->x[1]);
    lm_val whole = lm_unary(e, LM_OP_FLOOR, lm_unary(e, LM_OP_ABS, ratio));
    lm_val times = lm_times(e, lm_unary(e, LM_OP_SIGN, ratio), whole);
    r->out[1] = lm_unary(e, LM_OP_NEG, lm_times(e, r->s, times));
}

/* To the winner; equal operands get half each. */
static void winner(const lm_rx *r)
{
    lm_emit *e = r->e;
    const lm_opid wins = r->n->op == LM_OP_MAX ? LM_OP_GREATER : LM_OP_LESS;
    lm_val zero = lm_number(e, r->s, 0);
    lm_val tie = lm_emit1(e, LM_OP_EQUAL, NULL, r->x[0], r->x[1]);
    lm_val half = lm_choose(e, tie, lm_emit_scalar(e, LM_OP_MUL, r->s, 0.5), zero);
    for (int i = 0; i < 2; i++)
        if (r->want[i])
            r->out[i] = lm_choose(e, lm_emit1(e, wins, NULL, r->x[i], r->x[1 - i]), r->s, half);
}

/* The slope acts at and below 0. */
static void prelu(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val above = lm_emit_scalar(e, LM_OP_GREATER, r->x[0], 0);
    if (r->want[0])
        r->out[0] = lm_choose(e, above, r->s, lm_times(e, r->s, r->x[1]));
    if (r->want[1])
        r->out[1] = lm_choose(e, above, lm_number(e, r->s, 0), lm_times(e, r->s, r->x[0]));
}

static void atan2_(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val y = r->x[0], x = r->x[1];
    lm_val scaled = lm_over(e, r->s, lm_plus(e, lm_times(e, y, y), lm_times(e, x, x)));
    if (r->want[0])
        r->out[0] = lm_times(e, scaled, x);
    if (r->want[1])
        r->out[1] = lm_unary(e, LM_OP_NEG, lm_times(e, scaled, y));
}

static const lm_rule_fn rules[LM_OPS] = {
    [LM_OP_ADD] = add,    [LM_OP_SUB] = sub,    [LM_OP_MUL] = mul,    [LM_OP_DIV] = divide,  [LM_OP_POW] = power,
    [LM_OP_MOD] = modulo, [LM_OP_MIN] = winner, [LM_OP_MAX] = winner, [LM_OP_PRELU] = prelu, [LM_OP_ATAN2] = atan2_,
};

void lm_grad_binary(const lm_rx *r)
{
    rules[r->n->op](r);
}

void lm_grad_where(const lm_rx *r)
{
    lm_val zero = lm_number(r->e, r->s, 0);
    if (r->want[1])
        r->out[1] = lm_choose(r->e, r->x[0], r->s, zero);
    if (r->want[2])
        r->out[2] = lm_choose(r->e, r->x[0], zero, r->s);
}
