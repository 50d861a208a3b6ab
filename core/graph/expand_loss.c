/* Losses. Unreduced, there is one value per sample (and per position for the class losses); SUM and MEAN are taken
 * over those. */
#include "core/graph/expand.h"

static lm_val reduce(lm_emit *e, lm_val losses, lm_loss_reduction how)
{
    if (how == LM_LOSS_NONE)
        return losses;
    lm_opid op = how == LM_LOSS_MEAN ? LM_OP_REDUCE_MEAN : LM_OP_REDUCE_SUM;
    return lm_emit_reduce(e, op, losses, lm_emit_axes_from(e, losses, 0), false);
}

/* The mean over everything behind axis 0. */
static lm_val per_sample(lm_emit *e, lm_val x)
{
    uint32_t axes = lm_emit_axes_from(e, x, 1);
    return axes ? lm_emit_reduce(e, LM_OP_REDUCE_MEAN, x, axes, false) : x;
}

void lm_expand_loss_mse(lm_emit *e, const lm_composite *c)
{
    lm_val d = lm_emit1(e, LM_OP_SUB, NULL, c->x[0], c->x[1]);
    c->y[0] = reduce(e, per_sample(e, lm_emit1(e, LM_OP_MUL, NULL, d, d)), c->a->loss.reduction);
}

/* log x, but not below -100, so that a certain and right answer (0 * log 0) costs nothing */
static lm_val bounded_log(lm_emit *e, lm_val x)
{
    return lm_emit_scalar(e, LM_OP_MAX, lm_emit1(e, LM_OP_LOG, NULL, x), -100);
}

/* (probability p, truth t): -(t log p + (1 - t) log(1 - p)) */
void lm_expand_loss_bce(lm_emit *e, const lm_composite *c)
{
    lm_val p = c->x[0], t = c->x[1];
    lm_val one = lm_emit_const(e, lm_emit_type(e, p)->dt, 1);
    lm_val yes = lm_emit1(e, LM_OP_MUL, NULL, t, bounded_log(e, p));
    lm_val no = lm_emit1(e, LM_OP_MUL, NULL, lm_emit1(e, LM_OP_SUB, NULL, one, t),
                         bounded_log(e, lm_emit1(e, LM_OP_SUB, NULL, one, p)));
    lm_val sum = lm_emit1(e, LM_OP_ADD, NULL, yes, no);
    c->y[0] = reduce(e, per_sample(e, lm_emit1(e, LM_OP_NEG, NULL, sum)), c->a->loss.reduction);
}

/* Indices below zero count from the end, class numbers do not: move them to where no size reaches, so that gathering
 * refuses them like those that are too large. */
static lm_val forwards(lm_emit *e, lm_val truth)
{
    lm_val below = lm_emit_scalar(e, LM_OP_LESS, truth, 0);
    return lm_emit1(e, LM_OP_WHERE, NULL, below, lm_emit_scalar(e, LM_OP_SUB, truth, 1e9), truth);
}

/* The loss from log-probabilities [N,C,d...], class numbers [N,d...] and class weights [C] (may be LM_NOVAL).
 * Ignored positions are chosen away, not multiplied by zero: a log-probability there may be infinite. */
static lm_val class_loss(lm_emit *e, lm_val logp, const lm_composite *c)
{
    const lm_attr_loss *t = &c->a->loss;
    lm_val truth = c->x[1], weights = c->nx > 2 ? c->x[2] : LM_NOVAL, ignored = LM_NOVAL;
    const lm_shape each = *lm_emit_shape(e, truth);
    lm_shape column = *lm_emit_shape(e, logp);
    lm_dtype dt = lm_emit_type(e, logp)->dt;
    lm_val zero = lm_emit_const(e, dt, 0);
    if (t->has_ignore) {
        lm_dtype index = lm_emit_type(e, truth)->dt;
        ignored = lm_emit1(e, LM_OP_EQUAL, NULL, truth, lm_emit_const(e, index, (double)t->ignore));
        truth = lm_emit1(e, LM_OP_WHERE, NULL, ignored, lm_emit_const(e, index, 0), truth);
    }
    truth = forwards(e, truth);
    lm_attrs pick = {0}, from = {0};
    pick.index.axis = 1;
    column.dim[1] = 1;
    lm_val picked = lm_emit1(e, LM_OP_GATHERELEMENTS, &pick, logp, lm_emit_reshape(e, truth, &column));
    lm_val losses = lm_emit1(e, LM_OP_NEG, NULL, lm_emit_reshape(e, picked, &each));
    lm_val weight = weights == LM_NOVAL ? LM_NOVAL : lm_emit1(e, LM_OP_GATHER, &from, weights, truth);
    if (weight != LM_NOVAL)
        losses = lm_emit1(e, LM_OP_MUL, NULL, losses, weight);
    if (ignored != LM_NOVAL) {
        lm_val one = lm_emit_const(e, dt, 1);
        losses = lm_emit1(e, LM_OP_WHERE, NULL, ignored, zero, losses);
        weight = lm_emit1(e, LM_OP_WHERE, NULL, ignored, zero, weight == LM_NOVAL ? one : weight);
    }
    if (t->reduction != LM_LOSS_MEAN || weight == LM_NOVAL)
        return reduce(e, losses, t->reduction);
    return lm_emit1(e, LM_OP_DIV, NULL, reduce(e, losses, LM_LOSS_SUM), reduce(e, weight, LM_LOSS_SUM));
}

/* (log-probabilities, classes, weights?) */
void lm_expand_loss_nll(lm_emit *e, const lm_composite *c)
{
    c->y[0] = class_loss(e, c->x[0], c);
}

/* (scores, classes, weights?) -> loss, log-probabilities */
void lm_expand_loss_ce(lm_emit *e, const lm_composite *c)
{
    lm_val logp = lm_emit_axis(e, LM_OP_LOGSOFTMAX, c->x[0], 1);
    c->y[0] = class_loss(e, logp, c);
    if (c->ny > 1)
        c->y[1] = logp;
}
