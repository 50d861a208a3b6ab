/* Importers of the losses over classes. */
#include "core/model/import_util.h"

#include <string.h>

/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: (scores, classes, weights?). */
void lm_import_classloss(lm_import *im)
{
    static const char *const words[] = {"mean", "sum", "none", NULL};
    _Static_assert(LM_LOSS_MEAN == 0 && LM_LOSS_SUM == 1 && LM_LOSS_NONE == 2, "the words stand in the enum's order");
    lm_attrs a = {0};
    a.loss.reduction = (lm_loss_reduction)lm_attr_choice(im, "reduction", LM_LOSS_MEAN, words);
    a.loss.has_ignore = lm_attr(im, "ignore_index") != NULL;
    a.loss.ignore = lm_attr_int(im, "ignore_index", 0);
    if (!lm_import_needs(im, 2))
        return;
    lm_val x[3] = {lm_in(im, 0), lm_in(im, 1), lm_in(im, 2)}, y[2];
    int n = lm_wants(im, 1) && im->op == LM_OP_LOSS_CE ? 2 : 1;
    lm_emit_op(&im->e, im->op, &a, x[2] == LM_NOVAL ? 2 : 3, x, n, y);
    memcpy(im->y, y, (size_t)n * sizeof *y);
}
