/* Importers of reductions and of what runs along one axis. */
#include "core/model/import_util.h"

#include <string.h>

/* No axes mean all of them, or none where `noop_with_empty_axes` says so: then only the function of the single
 * element is left (its square, its logarithm ...). */
static void reduce(lm_import *im, int input)
{
    uint32_t axes;
    int n;
    bool keep = lm_attr_int(im, "keepdims", 1) != 0, none = input >= 0 && lm_attr_int(im, "noop_with_empty_axes", 0);
    if (!lm_import_needs(im, 1) || !lm_import_axes(im, input, "axes", lm_in_shape(im, 0)->rank, &axes, &n))
        return;
    if (n <= 0 && !none)
        axes = lm_emit_axes_from(&im->e, lm_in(im, 0), 0);
    bool plain = im->op == LM_OP_REDUCE_SUM || im->op == LM_OP_REDUCE_MEAN || im->op == LM_OP_REDUCE_MAX ||
                 im->op == LM_OP_REDUCE_MIN || im->op == LM_OP_REDUCE_PROD;
    im->y[0] = plain && !axes ? lm_in(im, 0) : lm_emit_reduce(&im->e, im->op, lm_in(im, 0), axes, keep);
}

void lm_import_reduce_1(lm_import *im)
{
    reduce(im, -1);
}

void lm_import_reduce(lm_import *im)
{
    reduce(im, 1);
}

void lm_import_arg(lm_import *im)
{
    lm_attrs a = {0};
    int64_t axis = lm_attr_int(im, "axis", 0);
    a.axis.keepdims = lm_attr_int(im, "keepdims", 1) != 0;
    a.axis.last = lm_attr_int(im, "select_last_index", 0) != 0;
    if (!lm_import_needs(im, 1))
        return;
    a.axis.axis = lm_axis_of(im, axis, lm_in_shape(im, 0)->rank);
    im->y[0] = lm_emit1(&im->e, im->op, &a, lm_in(im, 0));
}

/* The axis is an operand. */
void lm_import_cumsum(lm_import *im)
{
    lm_attrs a = {0};
    a.axis.exclusive = lm_attr_int(im, "exclusive", 0) != 0;
    a.axis.reverse = lm_attr_int(im, "reverse", 0) != 0;
    if (!lm_import_needs(im, 2))
        return;
    a.axis.axis = lm_axis_of(im, lm_in_int(im, 1, 0), lm_in_shape(im, 0)->rank);
    im->y[0] = lm_emit1(&im->e, LM_OP_CUMSUM, &a, lm_in(im, 0));
}

static void topk(lm_import *im, int64_t k, bool largest, bool sorted)
{
    lm_attrs a = {0};
    lm_val x = lm_in(im, 0), y[2];
    a.topk.axis = lm_axis_of(im, lm_attr_int(im, "axis", -1), lm_in_shape(im, 0)->rank);
    a.topk.k = k;
    a.topk.largest = largest;
    a.topk.sorted = sorted;
    int n = lm_wants(im, 1) ? 2 : 1;
    lm_emit_op(&im->e, LM_OP_TOPK, &a, 1, &x, n, y);
    memcpy(im->y, y, (size_t)n * sizeof *y);
}

void lm_import_topk_1(lm_import *im)
{
    if (lm_import_needs(im, 1))
        topk(im, lm_attr_int(im, "k", -1), true, true);
}

void lm_import_topk_10(lm_import *im)
{
    bool largest = lm_attr_int(im, "largest", 1) != 0, sorted = lm_attr_int(im, "sorted", 1) != 0;
    if (lm_import_needs(im, 2))
        topk(im, lm_in_int(im, 1, -1), largest, sorted);
}
