/* Slopes of LSTM, GRU and RNN, for all steps at once. */
#include "core/rules/grad.h"
#include "core/rules/recurrent.h"

static lm_twins apply(const lm_lane *l, lm_opid op, lm_twins v)
{
    const lm_val here = lm_unary(l->e, op, v.here);
    return (lm_twins){here, l->rescale ? lm_unary(l->e, op, v.there) : here};
}

static lm_twins combine(const lm_lane *l, lm_opid op, lm_twins a, lm_twins b)
{
    const lm_val here = lm_emit1(l->e, op, NULL, a.here, b.here);
    return (lm_twins){here, l->rescale ? lm_emit1(l->e, op, NULL, a.there, b.there) : here};
}

static lm_val mean(const lm_lane *l, lm_twins v)
{
    return v.here == v.there ? v.here : lm_emit_scalar(l->e, LM_OP_MUL, lm_plus(l->e, v.here, v.there), 0.5);
}

static lm_val change(const lm_lane *l, lm_twins v)
{
    return l->rescale ? lm_minus(l->e, v.here, v.there) : LM_NOVAL;
}

/* Row block k of those that lie side by side along the last axis of v. */
static lm_val part_of(const lm_lane *l, lm_val v, int k)
{
    const int64_t hidden = lm_emit_shape(l->e, l->n->x[LM_REC_R])->dim[2];
    return v == LM_NOVAL ? LM_NOVAL : lm_emit_slice(l->e, v, 2, k * hidden, hidden);
}

static lm_twins part(const lm_lane *l, lm_twins v, int k)
{
    const lm_val here = part_of(l, v.here, k);
    return (lm_twins){here, l->rescale ? part_of(l, v.there, k) : here};
}

static lm_val filled(const lm_lane *l, double value)
{
    const lm_type y = *lm_emit_type(l->e, l->y.here);
    return lm_emit_full(l->e, y.dt, &y.sh, value);
}

/* factor times the slope of y = of(x), x having moved by dx. */
static lm_val slope(const lm_lane *l, lm_opid of, lm_twins y, lm_val dx, lm_val factor)
{
    lm_emit *e = l->e;
    lm_attrs a = {0};
    a.actdx.of = (int32_t)of;
    lm_val derivative = lm_emit1(e, LM_OP_ACT_DX, &a, factor, y.here);
    if (!l->rescale)
        return derivative;
    lm_val still = lm_emit_scalar(e, LM_OP_LESS, lm_unary(e, LM_OP_ABS, dx), l->still);
    lm_val by = lm_choose(e, still, lm_number(e, dx, 1), dx);
    return lm_choose(e, still, derivative, lm_over(e, lm_times(e, factor, lm_minus(e, y.here, y.there)), by));
}

/* v [T,N,K] times the direction's weights, operand i; with biases of the half `bias`, or -1 for none. */
static lm_val product(const lm_lane *l, int i, lm_val v, int bias)
{
    lm_emit *e = l->e;
    lm_attrs turn = {0};
    turn.matmul.tb = true;
    const lm_shape from = *lm_emit_shape(e, v), rows = LM_SHAPE(from.dim[0] * from.dim[1], from.dim[2]);
    const int64_t columns = lm_emit_shape(e, l->n->x[i])->dim[1];
    const lm_shape to = LM_SHAPE(from.dim[0], from.dim[1], columns);
    lm_val weights = lm_emit_pick(e, l->n->x[i], 0, l->way), flat = lm_emit_reshape(e, v, &rows);
    if (bias < 0 || l->n->nx <= LM_REC_BIAS || l->n->x[LM_REC_BIAS] == LM_NOVAL)
        return lm_emit_reshape(e, lm_emit1(e, LM_OP_MATMUL, &turn, flat, weights), &to);
    lm_val both = lm_emit_pick(e, l->n->x[LM_REC_BIAS], 0, l->way);
    lm_val half = lm_emit_slice(e, both, 0, bias * columns, columns);
    return lm_emit_reshape(e, lm_emit1(e, LM_OP_MATMUL, &turn, flat, weights, half), &to);
}

/* The change of what goes into the gates: LM_NOVAL where nobody asks. */
static lm_val gates_change(const lm_lane *l)
{
    if (!l->rescale)
        return LM_NOVAL;
    lm_val from_state = product(l, LM_REC_R, change(l, l->before), -1);
    if (l->x.here == l->x.there)
        return from_state;
    return lm_plus(l->e, product(l, LM_REC_W, change(l, l->x), -1), from_state);
}

/* Gates: input, output, forget, cell. */
static lm_val lstm(const lm_lane *l, lm_val *inputs)
{
    lm_emit *e = l->e;
    const lm_twins in = part(l, l->saved, 0), out = part(l, l->saved, 1), forget = part(l, l->saved, 2);
    const lm_twins now = part(l, l->saved, 3), cell = part(l, l->saved, 4), shown = apply(l, LM_OP_TANH, cell);
    const lm_val moved = gates_change(l);
    (void)inputs;
    const lm_val all[] = {
        mean(l, forget),
        slope(l, LM_OP_TANH, shown, change(l, cell), mean(l, out)),
        slope(l, LM_OP_SIGMOID, in, part_of(l, moved, 0), mean(l, now)),
        slope(l, LM_OP_SIGMOID, out, part_of(l, moved, 1), mean(l, shown)),
        slope(l, LM_OP_SIGMOID, forget, part_of(l, moved, 2), mean(l, l->cell_before)),
        slope(l, LM_OP_TANH, now, part_of(l, moved, 3), mean(l, in)),
    };
    return lm_emit_concat(e, (int)LM_COUNT(all), all, 2);
}

static lm_twins products(const lm_lane *l, int i, lm_twins v, int bias)
{
    const lm_val here = product(l, i, v.here, bias);
    return (lm_twins){here, l->rescale ? product(l, i, v.there, bias) : here};
}

/* Gates: update, reset, hidden; the reset applies to the product. The state's part of the hidden gate passes the reset,
 * that of the inputs does not. */
static lm_val gru(const lm_lane *l, lm_val *inputs)
{
    lm_emit *e = l->e;
    const lm_twins x = products(l, LM_REC_W, l->x, 0), h = products(l, LM_REC_R, l->before, 1);
    const lm_twins updated = combine(l, LM_OP_ADD, part(l, x, 0), part(l, h, 0));
    const lm_twins resetted = combine(l, LM_OP_ADD, part(l, x, 1), part(l, h, 1));
    const lm_twins update = apply(l, LM_OP_SIGMOID, updated), reset = apply(l, LM_OP_SIGMOID, resetted);
    const lm_twins kept = part(l, h, 2);
    const lm_twins hidden = combine(l, LM_OP_ADD, part(l, x, 2), combine(l, LM_OP_MUL, reset, kept));
    const lm_twins now = apply(l, LM_OP_TANH, hidden);
    lm_val keep = mean(l, update), open = lm_minus(e, lm_number(e, keep, 1), keep);
    lm_val to_hidden = slope(l, LM_OP_TANH, now, change(l, hidden), open);
    lm_val gain = lm_minus(e, mean(l, l->before), mean(l, now));
    lm_val to_update = slope(l, LM_OP_SIGMOID, update, change(l, updated), gain);
    lm_val to_reset = slope(l, LM_OP_SIGMOID, reset, change(l, resetted), lm_times(e, to_hidden, mean(l, kept)));
    const lm_val all[] = {keep, filled(l, 1), to_update, to_reset, lm_times(e, to_hidden, mean(l, reset))};
    *inputs = lm_emit_concat(e, 3, (lm_val[]){to_update, to_reset, to_hidden}, 2);
    return lm_emit_concat(e, (int)LM_COUNT(all), all, 2);
}

static lm_val rnn(const lm_lane *l, lm_val *inputs)
{
    const lm_opid of = (lm_opid)l->n->a->recurrent.act[3 * l->way];
    const lm_val one = filled(l, 1), all[] = {filled(l, 0), one, slope(l, of, l->y, gates_change(l), one)};
    (void)inputs;
    return lm_emit_concat(l->e, (int)LM_COUNT(all), all, 2);
}

lm_val lm_recurrent_slopes(const lm_lane *l, lm_val *inputs)
{
    *inputs = LM_NOVAL;
    return l->n->op == LM_OP_LSTM ? lstm(l, inputs) : l->n->op == LM_OP_GRU ? gru(l, inputs) : rnn(l, inputs);
}

lm_val lm_recurrent_ahead(lm_emit *e, lm_val v, lm_val first, bool backwards)
{
    lm_shape one = *lm_emit_shape(e, v);
    const int64_t steps = one.dim[0];
    lm_val ahead[2];
    one.dim[0] = 1;
    first = first == LM_NOVAL ? lm_emit_full(e, lm_emit_type(e, v)->dt, &one, 0) : lm_emit_reshape(e, first, &one);
    if (steps <= 1)
        return first;
    ahead[backwards] = first;
    ahead[!backwards] = lm_emit_slice(e, v, 0, backwards, steps - 1);
    return lm_emit_concat(e, 2, ahead, 0);
}
