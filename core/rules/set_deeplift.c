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

/* The ratio of every element, less its mean over all that `softmax_mean` says: what other tools do. It adds up only
 * where the changes have no mean. */
static void element_ratio(const lm_rx *r)
{
    lm_emit *e = r->e;
    ratio(r);
    if (r->options->softmax_mean == LM_MEAN_WHOLE && e->status == LM_OK)
        r->out[0] = lm_minus(e, r->out[0], lm_emit_reduce(e, LM_OP_REDUCE_MEAN, r->out[0],
                                                          lm_emit_axes_from(e, r->x[0], r->wide > 1), true));
}

/* y = softmax of x moves by L(y, y0) times the change of log y, L(a, b) = (a - b) / (log a - log b) being their
 * logarithmic mean; and as the changes of y cancel, log of the sum of exp x moves by the changes of x weighted by L. So
 * s L less L's share of the sum of s L: it adds up even where a score does not move and y does because others do, is the
 * derivative where nothing moves, and gives nothing to what is masked in both runs. What scores have in common changes
 * nothing: the multipliers of a row add up to zero. */
static void logarithmic_mean(const lm_rx *r)
{
    lm_emit *e = r->e;
    const bool log = r->n->op == LM_OP_LOGSOFTMAX;
    const uint32_t axis = 1u << r->n->a->axis.axis;
    lm_val p = r->y, p0 = r->y0, change;
    if (log) {
        p = lm_unary(e, LM_OP_EXP, r->y);
        p0 = lm_unary(e, LM_OP_EXP, r->y0);
        change = lm_minus(e, r->y, r->y0);
    } else {
        lm_val all = lm_emit_reduce(e, LM_OP_REDUCE_LSE, r->x[0], axis, true);
        lm_val all0 = lm_emit_reduce(e, LM_OP_REDUCE_LSE, r->x0[0], axis, true);
        change = lm_minus(e, lm_minus(e, r->x[0], r->x0[0]), lm_minus(e, all, all0));
    }
    lm_val counts = lm_emit_scalar(e, LM_OP_GREATER, lm_plus(e, p, p0), 0);
    lm_val mean = quotient(r, lm_minus(e, p, p0), lm_where_else_0(e, counts, change), p);
    lm_val whole = lm_emit_reduce(e, LM_OP_REDUCE_SUM, mean, axis, true);
    lm_val passed = log ? r->s : lm_times(e, r->s, mean);
    lm_val lost = lm_over(e, lm_emit_reduce(e, LM_OP_REDUCE_SUM, passed, axis, true), whole);
    r->out[0] = lm_minus(e, passed, lm_times(e, mean, lost));
}

static void softmax(const lm_rx *r)
{
    if (r->options->softmax_mean == LM_MEAN_AXIS)
        logarithmic_mean(r);
    else
        element_ratio(r);
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
    CLASS(ACT, ratio),     CLASS(SOFTMAX, softmax), OP(MUL, averaged), OP(MATMUL, averaged), OP(DIV, divided),
    OP(CONV, averaged),    OP(CONV_T, averaged),          OP(POW, ratio),    OP(MIN, ratio),       OP(MAX, ratio),
    OP(MAXPOOL, two_winners),
};
const lm_ruleset lm_set_deeplift = {.name = "deeplift", .base = &lm_set_grad, .rows = rows,
                                    .nrows = (int)LM_COUNT(rows), .deflt = LM_DEFAULT_GRAD, .n_ref = true,
                                    .canon = LM_CANON_RAISE};
