/* What the importers share. */
#include "core/model/import_util.h"

#include <string.h>

bool lm_import_needs(lm_import *im, int n)
{
    for (int i = 0; i < n; i++)
        if (lm_in(im, i) == LM_NOVAL)
            lm_import_fail(im, LM_INPUT, "input %d is missing", i);
    return im->e.status == LM_OK;
}

bool lm_import_ranked(lm_import *im, int i, int least, int most)
{
    if (im->e.status == LM_OK && lm_in(im, i) == LM_NOVAL)
        lm_import_fail(im, LM_INPUT, "input %d is missing", i);
    if (im->e.status != LM_OK)
        return false;
    const lm_shape *s = lm_in_shape(im, i);
    char text[LM_SHAPE_TEXT];
    if (s->rank < least || s->rank > most)
        lm_import_fail(im, LM_INPUT, "input %d has shape %s; expected rank %d to %d", i, lm_shape_text(s, text), least,
                       most);
    return im->e.status == LM_OK;
}

bool lm_import_axes(lm_import *im, int input, const char *name, int rank, uint32_t *axes, int *n)
{
    int64_t list[LM_RANK];
    *axes = 0;
    *n = -1;
    bool sound = input >= 0 ? lm_in_ints(im, input, list, LM_RANK, n) : lm_attr_ints(im, name, list, LM_RANK, n);
    for (int i = 0; sound && i < *n; i++) {
        int axis = lm_axis_of(im, list[i], rank);
        if (im->e.status == LM_OK && *axes >> axis & 1)
            lm_import_fail(im, LM_INPUT, "axis %d is given twice", axis);
        if (im->e.status != LM_OK)
            return false;
        *axes |= 1u << axis;
    }
    return im->e.status == LM_OK;
}

int lm_import_word(lm_import *im, const char *name, int otherwise, const char *const *words, int count)
{
    int at = lm_attr_choice(im, name, otherwise, words);
    if (im->e.status == LM_OK && at >= count)
        lm_import_fail(im, LM_UNSUPPORTED, "%s = '%s' came with a later version of the operator", name, words[at]);
    return at;
}

lm_val lm_import_align(lm_import *im, lm_val b, lm_val a, int64_t axis)
{
    lm_emit *e = &im->e;
    const lm_shape *sa = lm_emit_shape(e, a), *sb = lm_emit_shape(e, b);
    if (e->status != LM_OK || axis == -1 || sb->rank == 0)
        return b;
    int first = lm_axis_of(im, axis, sa->rank);
    if (e->status == LM_OK && first + sb->rank > sa->rank)
        lm_import_fail(im, LM_INPUT, "axis = %d leaves no room for the %d axes of input 1", first, sb->rank);
    if (e->status != LM_OK)
        return LM_NOVAL;
    lm_shape to = {.rank = sa->rank - first};
    for (int i = 0; i < to.rank; i++)
        to.dim[i] = i < sb->rank ? sb->dim[i] : 1;
    return lm_emit_reshape(e, b, &to);
}

lm_val lm_import_call(lm_import *im, lm_import_fn fn, lm_opid op, int nx, const lm_val *x)
{
    lm_val y = LM_NOVAL;
    lm_import inner = *im;
    if (im->e.status != LM_OK)
        return LM_NOVAL;
    inner.op = op;
    inner.nx = nx;
    inner.x = x;
    inner.ny = 1;
    inner.y = &y;
    fn(&inner);
    im->e = inner.e;
    return im->e.status == LM_OK ? y : LM_NOVAL;
}

bool lm_import_table(lm_import *im, lm_dtype dt, const lm_shape *shape, lm_view *out)
{
    if (im->e.status == LM_OK && lm_shape_check(shape, NULL) != LM_OK)
        lm_import_fail(im, LM_INPUT, "a table of its own: %s", lm_message());
    if (im->e.status == LM_OK)
        im->e.status = lm_view_new(dt, shape, out);
    return im->e.status == LM_OK;
}

lm_val lm_import_counting(lm_import *im, int64_t n)
{
    lm_emit *e = &im->e;
    return lm_emit1(e, LM_OP_RANGE, NULL, lm_emit_const(e, LM_I64, 0), lm_emit_const(e, LM_I64, (double)n),
                    lm_emit_const(e, LM_I64, 1));
}

lm_val lm_import_reshaped(lm_import *im, lm_val x, lm_shape to)
{
    return im->e.status == LM_OK ? lm_emit_reshape(&im->e, x, &to) : LM_NOVAL;
}
