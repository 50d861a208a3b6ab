/* DeepLIFT, rescale: signals are multipliers, change of the target over change of the value from the reference run, so
 * that multipliers times changes add up to the target's change. What is linear passes its derivative. */
#include "core/graph/passes.h"
#include "core/rules/grad.h"
#include "core/rules/sets.h"

/* total / change; `otherwise` where the change is too small to have a quotient. */
static lm_val quotient(const lm_rx *r, lm_val total, lm_val change, lm_val otherwise)
{
    lm_emit *e = r->e;
    lm_val still = lm_emit_scalar(e, LM_OP_LESS, lm_unary(e, LM_OP_ABS, change), r->options->still);
    lm_val by = lm_choose(e, still, lm_number(e, change, 1), change);
    return lm_choose(e, still, otherwise, lm_over(e, total, by));
}

static int only_moving(const lm_rx *r)
{
    int which = -1, count = 0;
    for (int i = 0; i < r->n->nx; i++)
        if (r->want[i]) {
            which = i;
            count++;
        }
    return count == 1 ? which : -1;
}

/* s (y - y0) / (x - x0), and the derivative at x where x did not change. */
static void ratio(const lm_rx *r)
{
    const int i = only_moving(r);
    lm_rule_grad(r);
    if (i < 0 || r->e->status != LM_OK || r->out[i] == LM_NOVAL)
        return;
    lm_val change = lm_minus(r->e, r->x[i], r->x0[i]);
    r->out[i] = quotient(r, lm_times(r->e, r->s, lm_minus(r->e, r->y, r->y0)), change, r->out[i]);
}

/* The same less its mean along the axis: softmax does not see what all of a row have in common. */
static void centred_ratio(const lm_rx *r)
{
    lm_emit *e = r->e;
    ratio(r);
    const lm_mean over = r->options->softmax_mean;
    const uint32_t axes = over == LM_MEAN_WHOLE ? lm_emit_axes_from(e, r->x[0], r->wide > 1) : 1u << r->n->a->axis.axis;
    if (over != LM_MEAN_NONE && e->status == LM_OK)
        r->out[0] = lm_minus(e, r->out[0], lm_emit_reduce(e, LM_OP_REDUCE_MEAN, r->out[0], axes, true));
}

/* d(a b) = da mean(b) + mean(a) db, exactly: the derivative at the mean of both runs. */
static void averaged(const lm_rx *r)
{
    lm_rx mean = *r;
    lm_val x[3];
    for (int i = 0; i < r->n->nx && i < 3; i++)
        x[i] = r->x[i] == r->x0[i] ? r->x[i]
                                   : lm_emit_scalar(r->e, LM_OP_MUL, lm_plus(r->e, r->x[i], r->x0[i]), 0.5);
    mean.x = x;
    lm_rule_grad(&mean);
}

/* a / b is a times 1 / b, whose change over that of b is -1 / (b b0). */
static void divided(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val a = lm_plus(e, r->x[0], r->x0[0]), b = lm_plus(e, r->x[1], r->x0[1]);
    lm_val both = lm_times(e, r->x[1], r->x0[1]), half = lm_emit_scalar(e, LM_OP_MUL, r->s, 0.5);
    if (r->want[0])
        r->out[0] = lm_over(e, lm_times(e, half, b), both);
    if (r->want[1])
        r->out[1] = lm_unary(e, LM_OP_NEG, lm_over(e, lm_times(e, half, a), both));
}

/* With c the larger of y and y0, c - y0 is due to the winner of this run and y - c to that of the reference run. */
static void two_winners(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val larger = lm_emit1(e, LM_OP_MAX, NULL, r->y, r->y0), out[2] = {LM_NOVAL, LM_NOVAL};
    lm_rx here = *r, there = *r;
    here.s = lm_times(e, r->s, lm_minus(e, larger, r->y0));
    here.out = &out[0];
    lm_rule_grad(&here);
    there.s = lm_times(e, r->s, lm_minus(e, r->y, larger));
    there.x = r->x0;
    there.y = r->y0;
    there.out = &out[1];
    lm_rule_grad(&there);
    lm_val change = lm_minus(e, r->x[0], r->x0[0]), total = lm_plus(e, out[0], out[1]), slope = lm_number(e, total, 0);
    if (r->options->pool_still) {
        lm_rule_grad(r);
        slope = r->out[0];
    }
    r->out[0] = quotient(r, total, change, slope);
}

#define OP(op_, rule_) {.match = LM_MATCH_OP, .key = LM_OP_##op_, .rule = rule_}
#define CLASS(class_, rule_) {.match = LM_MATCH_CLASS, .key = LM_CLASS_##class_, .rule = rule_}
static const lm_row rows[] = {
    CLASS(ACT, ratio),     CLASS(SOFTMAX, centred_ratio), OP(MUL, averaged), OP(MATMUL, averaged), OP(DIV, divided),
    OP(CONV, averaged),    OP(CONV_T, averaged),          OP(POW, ratio),    OP(MIN, ratio),       OP(MAX, ratio),
    OP(MAXPOOL, two_winners),
};
const lm_ruleset lm_set_deeplift = {.name = "deeplift", .base = &lm_set_grad, .rows = rows,
                                    .nrows = (int)LM_COUNT(rows), .deflt = LM_DEFAULT_GRAD, .n_ref = true,
                                    .canon = LM_CANON_RAISE};
