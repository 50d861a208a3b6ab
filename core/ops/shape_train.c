/* Shape rules of losses and optimiser steps. */
#include "core/ops/shape_rules.h"

/* The reduced loss is a scalar; unreduced there is one value per sample. */
static lm_status reduced(const lm_shape_args *args, lm_shape each, lm_type *y)
{
    lm_loss_reduction how = args->a->loss.reduction;
    LM_TRY(lm_rule_range(args, "reduction", (int64_t)how, LM_LOSS_MEAN, LM_LOSS_NONE));
    y[0].dt = args->x[0].dt;
    y[0].sh = how == LM_LOSS_NONE ? each : (lm_shape){0};
    return LM_OK;
}

/* (prediction, truth) of equal shapes; unreduced, a sample is everything behind axis 0. */
lm_status lm_shape_loss(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    LM_TRY(lm_rule_same_types(args, 1));
    LM_TRY(lm_rule_shape(args, 1, args->x[0].sh, "the prediction's"));
    LM_RULE(args->x[0].sh.rank >= 1, "the prediction has shape []; expected [batch,...]");
    return reduced(args, LM_SHAPE(args->x[0].sh.dim[0]), y);
}

/* (scores [N,C,...], class numbers [N,...], weights [C]?) -> loss, log-probabilities [N,C,...]. */
lm_status lm_shape_loss_class(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *x = &args->x[0].sh;
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    LM_TRY(lm_rule_type(args, 1, LM_SET_INDEX));
    LM_RULE(x->rank >= 2, "the scores have shape %s; expected [batch,classes,...]", LM_TEXT(*x));
    lm_shape truth = {.rank = x->rank - 1, .dim = {x->dim[0]}};
    for (int i = 2; i < x->rank; i++)
        truth.dim[i - 1] = x->dim[i];
    LM_TRY(lm_rule_shape(args, 1, truth, "the scores' without the class axis"));
    if (lm_rule_has(args, 2)) {
        LM_TRY(lm_rule_same_types(args, 2));
        LM_TRY(lm_rule_shape(args, 2, LM_SHAPE(x->dim[1]), "one weight per class"));
    }
    y[1] = args->x[0];
    return reduced(args, truth, y);
}

/* (weights, gradient, rate, state ...): results are the new weights and the new state. Adam's last input is the step
 * number. */
lm_status lm_shape_update(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *w = &args->x[0].sh;
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    int states = args->op == LM_OP_ADAM ? 2 : args->op == LM_OP_MOMENTUM;
    for (int i = 0; i < args->nx; i++) {
        bool scalar = i == 2 || i == 3 + states;
        if (scalar) {
            LM_TRY(lm_rule_type(args, i, i == 2 ? LM_SET_FLOAT : LM_SET_FLOAT | LM_SET_INDEX));
            LM_RULE(lm_shape_count(&args->x[i].sh) == 1, "input %d has shape %s; expected one element", i,
                    LM_TEXT(args->x[i].sh));
        } else {
            LM_RULE(args->x[i].dt == args->x[0].dt, "input %d has type %s; expected %s like the weights", i,
                    lm_dtype_name(args->x[i].dt), lm_dtype_name(args->x[0].dt));
            LM_TRY(lm_rule_shape(args, i, *w, "the weights'"));
        }
    }
    for (int i = 0; i < args->ny; i++)
        y[i] = args->x[0];
    return LM_OK;
}
