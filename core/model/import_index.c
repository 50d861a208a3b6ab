/* Importers of operators that take, put or make things by index. */
#include "core/model/import_util.h"

#include <string.h>

/* Attribute `axis` of an operator that works along one axis of operand 0. */
static bool axis_of(lm_import *im, int64_t otherwise, int32_t *out)
{
    int64_t axis = lm_attr_int(im, "axis", otherwise);
    *out = im->e.status == LM_OK ? lm_axis_of(im, axis, lm_in_shape(im, 0)->rank) : 0;
    return im->e.status == LM_OK;
}

/* Gather and GatherElements. */
void lm_import_gather(lm_import *im)
{
    lm_attrs a = {0};
    if (lm_import_needs(im, 2) && axis_of(im, 0, &a.index.axis))
        im->y[0] = lm_emit1(&im->e, im->op, &a, lm_in(im, 0), lm_in(im, 1));
}

void lm_import_gathernd(lm_import *im)
{
    lm_attrs a = {0};
    int64_t batch = lm_attr_int(im, "batch_dims", 0);
    a.index.batch = batch >= 0 && batch <= LM_RANK ? (int32_t)batch : LM_RANK;
    if (lm_import_needs(im, 2))
        im->y[0] = lm_emit1(&im->e, LM_OP_GATHERND, &a, lm_in(im, 0), lm_in(im, 1));
}

static const char *const reductions[] = {"none", "add", "mul", "max", "min", NULL};
_Static_assert(LM_SCATTER_ADD == 1 && LM_SCATTER_MUL == 2 && LM_SCATTER_MAX == 3 && LM_SCATTER_MIN == 4,
               "the words stand in the enum's order");

static lm_scatter_mode reduction(lm_import *im)
{
    return (lm_scatter_mode)lm_import_word(im, "reduction", 0, reductions, im->version >= 18 ? 5 : 3);
}

void lm_import_scatterelements(lm_import *im)
{
    lm_attrs a = {0};
    a.index.mode = reduction(im);
    if (lm_import_needs(im, 3) && axis_of(im, 0, &a.index.axis))
        im->y[0] = lm_emit1(&im->e, LM_OP_SCATTERELEMENTS, &a, lm_in(im, 0), lm_in(im, 1), lm_in(im, 2));
}

void lm_import_scatternd(lm_import *im)
{
    lm_attrs a = {0};
    a.index.mode = reduction(im);
    if (lm_import_needs(im, 3))
        im->y[0] = lm_emit1(&im->e, LM_OP_SCATTERND, &a, lm_in(im, 0), lm_in(im, 1), lm_in(im, 2));
}

/* (indices, depth, values): the axis is one of the result's. */
void lm_import_onehot(lm_import *im)
{
    lm_attrs a = {0};
    int64_t axis = lm_attr_int(im, "axis", -1);
    if (!lm_import_needs(im, 3))
        return;
    double depth = lm_in_number(im, 1, 0);
    if (!(depth >= 0 && depth <= 0x1p53))
        lm_import_fail(im, LM_INPUT, "depth = %g; expected 0 or more", depth);
    a.onehot.axis = lm_axis_of(im, axis, lm_in_shape(im, 0)->rank + 1);
    if (im->e.status != LM_OK)
        return;
    a.onehot.depth = (int64_t)depth;
    im->y[0] = lm_emit1(&im->e, LM_OP_ONEHOT, &a, lm_in(im, 0), lm_in(im, 2));
}

/* The result's size hangs on the content. */
void lm_import_nonzero(lm_import *im)
{
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, LM_OP_NONZERO, NULL, lm_in_constant(im, 0));
}

void lm_import_trilu(lm_import *im)
{
    lm_attrs a = {0};
    a.trilu.upper = lm_attr_int(im, "upper", 1) != 0;
    a.trilu.k = lm_in_int(im, 1, 0);
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, LM_OP_TRILU, &a, lm_in(im, 0));
}

/* (x, condition): positions along an axis, or of the flattened input, where the condition holds. */
void lm_import_compress(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_attrs a = {0};
    bool flat = lm_attr(im, "axis") == NULL;
    if (!lm_import_needs(im, 2) || (!flat && !axis_of(im, 0, &a.index.axis)))
        return;
    lm_val x = lm_in(im, 0), where = lm_emit1(e, LM_OP_NONZERO, NULL, lm_in_constant(im, 1));
    lm_shape all = LM_SHAPE(lm_shape_count(lm_in_shape(im, 0)));
    if (flat)
        x = lm_emit_reshape(e, x, &all);
    if (e->status != LM_OK)
        return;
    lm_shape list = LM_SHAPE(lm_shape_count(lm_emit_shape(e, where)));
    im->y[0] = lm_emit1(e, LM_OP_GATHER, &a, x, lm_emit_reshape(e, where, &list));
}
