/* Importers of operators that give tensors another shape or say what shape they have. */
#include "core/model/import_util.h"

#include <string.h>

/* Sizes as Reshape has them: 0 copies the input's unless `zero` says that it is a size, -1 is what is left. */
static void reshape(lm_import *im, const int64_t *size, int n, bool zero)
{
    const lm_shape *from = lm_in_shape(im, 0);
    lm_shape to = {.rank = n};
    int free_axis = -1;
    int64_t known = 1, all = lm_shape_count(from);
    for (int i = 0; i < n; i++) {
        to.dim[i] = size[i];
        if (size[i] == 0 && !zero) {
            if (i >= from->rank) {
                lm_import_fail(im, LM_INPUT, "size %d is 0, but the input has %d axes to copy from", i, from->rank);
                return;
            }
            to.dim[i] = from->dim[i];
        } else if (size[i] == -1 && free_axis < 0) {
            free_axis = i;
            continue;
        }
        if (to.dim[i] < 0 || !lm_mul_i64(known, to.dim[i], &known)) {
            lm_import_fail(im, LM_INPUT, "size %d is %lld; expected 0 or more and a single -1", i, (long long)size[i]);
            return;
        }
    }
    if (free_axis >= 0 && (known == 0 || all % known != 0)) {
        lm_import_fail(im, LM_INPUT, "%lld elements cannot be shared out over sizes whose product is %lld",
                       (long long)all, (long long)known);
        return;
    }
    if (free_axis >= 0)
        to.dim[free_axis] = all / known;
    im->y[0] = lm_emit_reshape(&im->e, lm_in(im, 0), &to);
}

void lm_import_reshape_1(lm_import *im)
{
    int64_t size[LM_RANK];
    int n;
    if (lm_attr_ints(im, "shape", size, LM_RANK, &n) && lm_import_needs(im, 1))
        reshape(im, size, n < 0 ? 0 : n, false);
}

void lm_import_reshape(lm_import *im)
{
    int64_t size[LM_RANK];
    int n;
    bool zero = lm_attr_int(im, "allowzero", 0) != 0;
    if (lm_import_needs(im, 2) && lm_in_ints(im, 1, size, LM_RANK, &n))
        reshape(im, size, n, zero);
}

/* Two axes: the product of the sizes before `axis`, and of those from it on. Up to version 10 axes were not
 * negative. */
void lm_import_flatten(lm_import *im)
{
    int64_t axis = lm_attr_int(im, "axis", 1);
    if (!lm_import_needs(im, 1))
        return;
    const lm_shape *s = lm_in_shape(im, 0);
    int at = axis == s->rank ? s->rank : lm_axis_of(im, axis, s->rank);
    if (im->e.status != LM_OK)
        return;
    lm_shape to = LM_SHAPE(1, 1);
    for (int i = 0; i < s->rank; i++)
        to.dim[i >= at] *= s->dim[i];
    im->y[0] = lm_emit_reshape(&im->e, lm_in(im, 0), &to);
}

void lm_import_transpose(lm_import *im)
{
    int64_t list[LM_RANK];
    int n;
    if (!lm_attr_ints(im, "perm", list, LM_RANK, &n) || !lm_import_needs(im, 1))
        return;
    int rank = lm_in_shape(im, 0)->rank;
    int32_t perm[LM_RANK];
    if (n >= 0 && n != rank)
        lm_import_fail(im, LM_INPUT, "perm has %d numbers for an input of rank %d", n, rank);
    for (int i = 0; i < rank && im->e.status == LM_OK; i++)
        perm[i] = n < 0 ? rank - 1 - i : lm_axis_of(im, list[i], rank);
    if (im->e.status == LM_OK)
        im->y[0] = lm_emit_transpose(&im->e, lm_in(im, 0), perm);
}

static void squeeze(lm_import *im, int input)
{
    uint32_t axes;
    int n;
    if (!lm_import_needs(im, 1) || !lm_import_axes(im, input, "axes", lm_in_shape(im, 0)->rank, &axes, &n))
        return;
    const lm_shape *s = lm_in_shape(im, 0);
    lm_shape to = {0};
    for (int i = 0; i < s->rank; i++) {
        bool goes = n < 0 ? s->dim[i] == 1 : axes >> i & 1;
        if (goes && s->dim[i] != 1)
            lm_import_fail(im, LM_INPUT, "axis %d has size %lld; only axes of size 1 can go", i, (long long)s->dim[i]);
        if (!goes)
            to.dim[to.rank++] = s->dim[i];
    }
    im->y[0] = lm_emit_reshape(&im->e, lm_in(im, 0), &to);
}

void lm_import_squeeze_1(lm_import *im)
{
    squeeze(im, -1);
}

void lm_import_squeeze(lm_import *im)
{
    squeeze(im, 1);
}

/* The axes are those of the result. */
static void unsqueeze(lm_import *im, int input)
{
    int64_t list[LM_RANK];
    uint32_t axes;
    int n;
    if (!lm_import_needs(im, 1))
        return;
    if (!(input < 0 ? lm_attr_ints(im, "axes", list, LM_RANK, &n) : lm_in_ints(im, input, list, LM_RANK, &n)))
        return;
    const lm_shape *s = lm_in_shape(im, 0);
    lm_shape to = {.rank = s->rank + (n > 0 ? n : 0)};
    if (n < 0)
        lm_import_fail(im, LM_INPUT, "the axes are missing");
    if (to.rank > LM_RANK)
        lm_import_fail(im, LM_UNSUPPORTED, "the result has rank %d; at most %d is possible", to.rank, LM_RANK);
    if (im->e.status != LM_OK || !lm_import_axes(im, input, "axes", to.rank, &axes, &n))
        return;
    for (int i = 0, from = 0; i < to.rank; i++)
        to.dim[i] = axes >> i & 1 ? 1 : s->dim[from++];
    im->y[0] = lm_emit_reshape(&im->e, lm_in(im, 0), &to);
}

void lm_import_unsqueeze_1(lm_import *im)
{
    unsqueeze(im, -1);
}

void lm_import_unsqueeze_13(lm_import *im)
{
    unsqueeze(im, 1);
}

/* `start` and `end` came with version 15 and default to the whole shape. */
void lm_import_shape(lm_import *im)
{
    int64_t start = lm_attr_int(im, "start", 0), end = lm_attr_int(im, "end", INT64_MAX);
    if (!lm_import_needs(im, 1))
        return;
    const lm_shape *s = lm_in_shape(im, 0);
    int64_t from = start < 0 ? start + s->rank : start, to = end < 0 ? end + s->rank : end;
    from = from < 0 ? 0 : from > s->rank ? s->rank : from;
    to = to < 0 ? 0 : to > s->rank ? s->rank : to;
    im->y[0] = lm_constant_ints(im, s->dim + from, to > from ? (int)(to - from) : 0);
}

void lm_import_size(lm_import *im)
{
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit_const(&im->e, LM_I64, (double)lm_shape_count(lm_in_shape(im, 0)));
}

void lm_import_expand_8(lm_import *im)
{
    lm_shape to = {0};
    int n;
    if (!lm_import_needs(im, 2) || !lm_in_ints(im, 1, to.dim, LM_RANK, &n))
        return;
    to.rank = n;
    lm_status status = lm_shape_check(&to, NULL);
    if (status != LM_OK)
        lm_import_fail(im, status, "the new shape: %s", lm_message());
    im->y[0] = lm_emit_expand(&im->e, lm_in(im, 0), &to);
}

static void tile(lm_import *im, const int64_t *reps)
{
    lm_attrs a = {0};
    bool repeats = false;
    for (int i = 0; i < lm_in_shape(im, 0)->rank; i++) {
        a.tile.reps[i] = reps[i];
        repeats |= reps[i] != 1;
    }
    im->y[0] = repeats ? lm_emit1(&im->e, LM_OP_TILE, &a, lm_in(im, 0)) : lm_in(im, 0);
}

/* (x, repeats, axis), one number each */
void lm_import_tile_1(lm_import *im)
{
    int64_t reps[LM_RANK];
    if (!lm_import_needs(im, 3))
        return;
    int64_t count = lm_in_int(im, 1, 1), axis = lm_in_int(im, 2, 0);
    int at = lm_axis_of(im, axis, lm_in_shape(im, 0)->rank);
    for (int i = 0; i < LM_RANK; i++)
        reps[i] = i == at ? count : 1;
    if (im->e.status == LM_OK)
        tile(im, reps);
}

void lm_import_tile(lm_import *im)
{
    int64_t reps[LM_RANK];
    int n;
    if (!lm_import_needs(im, 2) || !lm_in_ints(im, 1, reps, LM_RANK, &n))
        return;
    int rank = lm_in_shape(im, 0)->rank;
    if (n != rank)
        lm_import_fail(im, LM_INPUT, "%d repeats for an input of rank %d", n, rank);
    else
        tile(im, reps);
}

void lm_import_concat_4(lm_import *im)
{
    if (!lm_attr(im, "axis"))
        lm_import_fail(im, LM_INPUT, "attribute 'axis' is missing");
    lm_import_concat_1(im);
}

/* The axis may be left out in version 1. */
void lm_import_concat_1(lm_import *im)
{
    int64_t axis = lm_attr_int(im, "axis", 1);
    if (!lm_import_needs(im, im->nx > 0 ? im->nx : 1))
        return;
    int at = lm_axis_of(im, axis, lm_in_shape(im, 0)->rank);
    if (im->e.status == LM_OK)
        im->y[0] = lm_emit_concat(&im->e, im->nx, im->x, at);
}

/* Cut into pieces of the given sizes, or into ny pieces that are equal but for a shorter last one. */
static void split(lm_import *im, const int64_t *size, int n, bool uneven)
{
    int64_t axis = lm_attr_int(im, "axis", 0);
    int at = lm_axis_of(im, axis, lm_in_shape(im, 0)->rank);
    if (im->e.status != LM_OK)
        return;
    int64_t all = lm_in_shape(im, 0)->dim[at], from = 0, each = (all + im->ny - 1) / im->ny;
    if (n >= 0 && n != im->ny)
        lm_import_fail(im, LM_INPUT, "%d sizes for %d results", n, im->ny);
    if (n < 0 && !uneven && all % im->ny != 0)
        lm_import_fail(im, LM_INPUT, "axis %d of size %lld cannot be cut into %d equal pieces", at, (long long)all,
                       im->ny);
    for (int i = 0; i < im->ny && im->e.status == LM_OK; i++) {
        int64_t count = n >= 0 ? size[i] : each < all - from ? each : all - from;
        if (count < 0 || count > all - from || (i == im->ny - 1 && count != all - from)) {
            lm_import_fail(im, LM_INPUT, "the sizes of the pieces do not add up to %lld, the size of axis %d",
                           (long long)all, at);
            return;
        }
        if (lm_wants(im, i))
            im->y[i] = lm_emit_slice(&im->e, lm_in(im, 0), at, from, count);
        from += count;
    }
}

/* Sizes may also be the second operand in version 1. */
void lm_import_split_1(lm_import *im)
{
    int n;
    const int64_t *size = lm_attr_int_list(im, "split", &n);
    if (!lm_import_needs(im, 1))
        return;
    if (n < 0 && lm_in(im, 1) != LM_NOVAL)
        lm_import_split(im);
    else
        split(im, size, n, false);
}

void lm_import_split(lm_import *im)
{
    const lm_view *sizes = lm_in_value(im, 1);
    if (!lm_import_needs(im, 1))
        return;
    int64_t *size = NULL, n = -1;
    if (sizes) {
        n = lm_shape_count(&sizes->sh);
        if (n == im->ny && !(size = lm_arena_alloc(&im->e.g->arena, (size_t)n, sizeof *size)))
            lm_import_fail(im, LM_MEMORY, "no room for %lld sizes", (long long)n);
        for (int64_t i = 0; size && i < n; i++)
            size[i] = lm_view_get_i64(sizes, i);
    }
    if (im->e.status == LM_OK)
        split(im, size, n > INT32_MAX ? INT32_MAX : (int)n, lm_attr(im, "num_outputs") != NULL);
}

typedef struct cuts {
    int64_t start[LM_RANK], end[LM_RANK], axis[LM_RANK], step[LM_RANK];
    int n, ends, axes, steps;
} cuts;

/* Bounds past the ends are cut to them, so that INT64_MAX means "to the end". */
static void slice_axis(lm_attr_slice *a, int axis, int64_t size, int64_t start, int64_t end, int64_t step)
{
    int64_t least = step < 0 ? -1 : 0, most = step < 0 ? size - 1 : size;
    start += start < 0 ? size : 0;
    end += end < 0 ? size : 0;
    start = start < 0 ? 0 : start > most ? most : start;
    end = end < least ? least : end > most ? most : end;
    uint64_t way = step < 0 ? 0 - (uint64_t)step : (uint64_t)step;
    int64_t span = step < 0 ? start - end : end - start;
    a->start[axis] = start;
    a->step[axis] = step;
    a->size[axis] = span > 0 ? (int64_t)(((uint64_t)span - 1) / way) + 1 : 0;
    if (a->size[axis] <= 1)
        a->step[axis] = 1;
}

static void slice(lm_import *im, const cuts *c)
{
    const lm_shape *s = lm_in_shape(im, 0);
    if (c->n < 0 || c->ends != c->n || (c->axes >= 0 && c->axes != c->n) || (c->steps >= 0 && c->steps != c->n)) {
        lm_import_fail(im, LM_INPUT, "%d starts, %d ends, %d axes and %d steps; expected as many of each", c->n,
                       c->ends, c->axes, c->steps);
        return;
    }
    lm_attrs a = {0};
    bool cut = false;
    for (int i = 0; i < s->rank; i++) {
        a.slice.step[i] = 1;
        a.slice.size[i] = s->dim[i];
    }
    for (int i = 0; i < c->n; i++) {
        int axis = lm_axis_of(im, c->axes < 0 ? i : c->axis[i], s->rank);
        int64_t step = c->steps < 0 ? 1 : c->step[i];
        if (step == 0)
            lm_import_fail(im, LM_INPUT, "the step on axis %d is 0", axis);
        if (im->e.status != LM_OK)
            return;
        slice_axis(&a.slice, axis, s->dim[axis], c->start[i], c->end[i], step);
    }
    for (int i = 0; i < s->rank; i++)
        cut |= a.slice.size[i] != s->dim[i] || a.slice.step[i] != 1;
    im->y[0] = cut ? lm_emit1(&im->e, LM_OP_SLICE, &a, lm_in(im, 0)) : lm_in(im, 0);
}

void lm_import_slice_1(lm_import *im)
{
    cuts c = {.steps = -1};
    if (lm_attr_ints(im, "starts", c.start, LM_RANK, &c.n) && lm_attr_ints(im, "ends", c.end, LM_RANK, &c.ends) &&
        lm_attr_ints(im, "axes", c.axis, LM_RANK, &c.axes) && lm_import_needs(im, 1))
        slice(im, &c);
}

void lm_import_slice_10(lm_import *im)
{
    cuts c = {0};
    if (lm_import_needs(im, 3) && lm_in_ints(im, 1, c.start, LM_RANK, &c.n) &&
        lm_in_ints(im, 2, c.end, LM_RANK, &c.ends) && lm_in_ints(im, 3, c.axis, LM_RANK, &c.axes) &&
        lm_in_ints(im, 4, c.step, LM_RANK, &c.steps))
        slice(im, &c);
}

static const char *const pad_modes[] = {"constant", "reflect", "edge", "wrap", NULL};
_Static_assert(LM_PAD_REFLECT == 1 && LM_PAD_EDGE == 2 && LM_PAD_WRAP == 3, "the words stand in the enum's order");

/* Pads as attributes, called `paddings` in version 1. */
void lm_import_pad_1(lm_import *im)
{
    int64_t pads[2 * LM_RANK];
    int n;
    lm_attrs a = {0};
    const char *name = lm_attr(im, "pads") ? "pads" : "paddings";
    a.pad.mode = (lm_pad_mode)lm_import_word(im, "mode", 0, pad_modes, 3);
    double value = lm_attr_float(im, "value", 0);
    if (!lm_attr_ints(im, name, pads, 2 * LM_RANK, &n) || !lm_import_needs(im, 1))
        return;
    int rank = lm_in_shape(im, 0)->rank;
    if (n != 2 * rank) {
        lm_import_fail(im, LM_INPUT, "%d pads for an input of rank %d; expected %d", n, rank, 2 * rank);
        return;
    }
    for (int i = 0; i < rank; i++) {
        a.pad.lo[i] = pads[i];
        a.pad.hi[i] = pads[rank + i];
    }
    lm_val x[2] = {lm_in(im, 0), value != 0 ? lm_emit_const(&im->e, lm_in_type(im, 0)->dt, value) : LM_NOVAL};
    im->y[0] = lm_emit_one(&im->e, LM_OP_PAD, &a, value != 0 ? 2 : 1, x);
}

/* (x, pads, value?, axes?) */
void lm_import_pad_11(lm_import *im)
{
    int64_t pads[2 * LM_RANK], list[LM_RANK];
    int n, axes;
    lm_attrs a = {0};
    a.pad.mode = (lm_pad_mode)lm_import_word(im, "mode", 0, pad_modes, im->version >= 19 ? 4 : 3);
    if (!lm_import_needs(im, 2) || !lm_in_ints(im, 1, pads, 2 * LM_RANK, &n) ||
        !lm_in_ints(im, 3, list, LM_RANK, &axes))
        return;
    int rank = lm_in_shape(im, 0)->rank, named = axes < 0 ? rank : axes;
    if (n != 2 * named) {
        lm_import_fail(im, LM_INPUT, "%d pads for %d axes; expected %d", n, named, 2 * named);
        return;
    }
    for (int i = 0; i < named; i++) {
        int axis = axes < 0 ? i : lm_axis_of(im, list[i], rank);
        if (im->e.status != LM_OK)
            return;
        a.pad.lo[axis] = pads[i];
        a.pad.hi[axis] = pads[named + i];
    }
    lm_val x[2] = {lm_in(im, 0), lm_in(im, 2)};
    im->y[0] = lm_emit_one(&im->e, LM_OP_PAD, &a, x[1] != LM_NOVAL ? 2 : 1, x);
}
