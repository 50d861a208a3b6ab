/* Importers of operators that stand alone: BitCast, CumProd, ReverseSequence, TensorScatter, Det, Unique, random
 * ones. */
#include "core/model/import_util.h"

#include <stdlib.h>
#include <string.h>

void lm_import_bitcast(lm_import *im)
{
    lm_attrs a = {0};
    if (!lm_attr(im, "to"))
        lm_import_fail(im, LM_INPUT, "attribute 'to' is missing");
    a.cast.to = lm_attr_type(im, "to", LM_F32);
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, LM_OP_BITCAST, &a, lm_in(im, 0));
}

/* x moved by `by` positions along an axis towards its end, 1 where nothing moves in. */
static lm_val moved(lm_emit *e, lm_val x, int axis, int64_t by)
{
    lm_attrs a = {0};
    a.pad.lo[axis] = by;
    a.pad.hi[axis] = -by;
    return lm_emit1(e, LM_OP_PAD, &a, x, lm_emit_const(e, lm_emit_type(e, x)->dt, 1));
}

/* By doubling: after k rounds every element is the product of 2^k neighbours. */
void lm_import_cumprod(lm_import *im)
{
    lm_emit *e = &im->e;
    if (!lm_import_needs(im, 2))
        return;
    lm_val y = lm_in(im, 0);
    int axis = lm_axis_of(im, lm_in_int(im, 1, 0), lm_in_shape(im, 0)->rank);
    int64_t way = lm_attr_int(im, "reverse", 0) ? -1 : 1, size = e->status == LM_OK ? lm_in_shape(im, 0)->dim[axis] : 0;
    if (lm_attr_int(im, "exclusive", 0) && size > 0)
        y = moved(e, y, axis, way);
    for (int64_t by = 1; by < size && e->status == LM_OK; by *= 2)
        y = lm_emit1(e, LM_OP_MUL, NULL, y, moved(e, y, axis, way * by));
    im->y[0] = y;
}

/* (x, lengths): along the time axis, the first elements of every sample backwards. */
void lm_import_reversesequence(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_attrs a = {0};
    int64_t time = lm_attr_int(im, "time_axis", 0), batch = lm_attr_int(im, "batch_axis", 1);
    if (!lm_import_needs(im, 2) || !lm_import_ranked(im, 0, 2, LM_RANK - 1))
        return;
    if (time < 0 || time > 1 || batch != 1 - time) {
        lm_import_fail(im, LM_INPUT, "time_axis = %lld, batch_axis = %lld", (long long)time, (long long)batch);
        return;
    }
    lm_val x = time == 0 ? lm_emit_swap(e, lm_in(im, 0), 0, 1) : lm_in(im, 0);
    if (e->status != LM_OK)
        return;
    int64_t rows = lm_emit_shape(e, x)->dim[0], steps = lm_emit_shape(e, x)->dim[1];
    lm_val length = LM_IMPORT_RESHAPE(im, lm_in(im, 1), rows, 1), step = lm_import_counting(im, steps);
    lm_val back = lm_emit_scalar(e, LM_OP_SUB, lm_emit1(e, LM_OP_SUB, NULL, length, step), 1);
    lm_val at = lm_emit1(e, LM_OP_WHERE, NULL, lm_emit1(e, LM_OP_LESS, NULL, step, length), back, step);
    a.index.batch = 1;
    lm_val y = lm_emit1(e, LM_OP_GATHERND, &a, x, LM_IMPORT_RESHAPE(im, at, rows, steps, 1));
    im->y[0] = time == 0 ? lm_emit_swap(e, y, 0, 1) : y;
}

/* (cache, update, first place per sample?): the update stands in the cache from there on, around the end if
 * circular. */
void lm_import_tensorscatter(lm_import *im)
{
    static const char *const modes[] = {"linear", "circular", NULL};
    lm_emit *e = &im->e;
    lm_attrs a = {0}, around = {0};
    int64_t given = lm_attr_int(im, "axis", -2);
    bool circular = lm_attr_choice(im, "mode", 0, modes) == 1;
    if (!lm_import_needs(im, 2) || !lm_import_ranked(im, 0, 2, LM_RANK))
        return;
    const lm_shape *s = lm_in_shape(im, 0), *su = lm_in_shape(im, 1);
    int axis = lm_axis_of(im, given, s->rank);
    if (e->status == LM_OK && (axis == 0 || su->rank != s->rank))
        lm_import_fail(im, LM_INPUT, "axis %d of a cache %s for an update %s", axis,
                       lm_shape_text(s, (char[LM_SHAPE_TEXT]){0}), lm_shape_text(su, (char[LM_SHAPE_TEXT]){0}));
    if (e->status != LM_OK)
        return;
    int64_t rows = s->dim[0], steps = su->dim[axis];
    lm_val place = lm_import_counting(im, steps);
    if (lm_in(im, 2) != LM_NOVAL)
        place = lm_emit1(e, LM_OP_ADD, NULL, LM_IMPORT_RESHAPE(im, lm_in(im, 2), rows, 1), place);
    if (circular)
        place = lm_emit1(e, LM_OP_MOD, &around, place, lm_emit_const(e, LM_I64, (double)s->dim[axis]));
    const lm_shape each = LM_SHAPE(rows, steps), whole = LM_SHAPE(rows, steps, 1);
    lm_val row = lm_emit_expand(e, LM_IMPORT_RESHAPE(im, lm_import_counting(im, rows), rows, 1), &each);
    lm_val pair[2] = {lm_import_reshaped(im, row, whole),
                      lm_import_reshaped(im, lm_emit_expand(e, place, &each), whole)};
    lm_val at = lm_emit_concat(e, 2, pair, 2);
    lm_val y = lm_emit1(e, LM_OP_SCATTERND, &a, lm_emit_swap(e, lm_in(im, 0), 1, axis), at,
                        lm_emit_swap(e, lm_in(im, 1), 1, axis));
    im->y[0] = lm_emit_swap(e, y, 1, axis);
}

/* Gaussian elimination: a column goes per round, and the row with its largest element. The first row takes the place of
 * that one, which turns the sign unless it was the first. */
enum { DET_MAX = 128 };
void lm_import_det(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_attrs rows = {0}, column = {0};
    if (!lm_import_ranked(im, 0, 2, LM_RANK))
        return;
    lm_shape outer = *lm_in_shape(im, 0);
    int64_t n = outer.dim[outer.rank - 1];
    if (outer.dim[outer.rank - 2] != n || n < 1 || n > DET_MAX)
        lm_import_fail(im, n > DET_MAX ? LM_UNSUPPORTED : LM_INPUT,
                       "the matrix has shape %s; expected a square one of up "
                       "to %d",
                       lm_shape_text(&outer, (char[LM_SHAPE_TEXT]){0}), DET_MAX);
    if (e->status != LM_OK)
        return;
    outer.dim[outer.rank - 1] = outer.dim[outer.rank - 2] = 0;
    outer.rank -= 2;
    int64_t all = lm_shape_count(&outer);
    lm_dtype dt = lm_in_type(im, 0)->dt;
    lm_val a = LM_IMPORT_RESHAPE(im, lm_in(im, 0), all, n, n), y = lm_emit_const(e, dt, 1), one = y;
    lm_val zero = lm_emit_const(e, dt, 0), minus = lm_emit_const(e, dt, -1);
    rows.index.batch = 1;
    column.axis.axis = 1;
    for (; n > 1 && e->status == LM_OK; n--) {
        lm_val size = lm_emit1(e, LM_OP_ABS, NULL, lm_emit_pick(e, a, 2, 0));
        lm_val best = LM_IMPORT_RESHAPE(im, lm_emit1(e, LM_OP_ARGMAX, &column, size), all, 1);
        lm_val chosen = lm_emit1(e, LM_OP_GATHERND, &rows, a, best), head = lm_emit_slice(e, chosen, 1, 0, 1);
        lm_val here = lm_emit1(e, LM_OP_EQUAL, NULL, lm_import_counting(im, n), best);
        a = lm_emit1(e, LM_OP_WHERE, NULL, LM_IMPORT_RESHAPE(im, here, all, n, 1), lm_emit_slice(e, a, 1, 0, 1), a);
        a = lm_emit_slice(e, a, 1, 1, n - 1);
        lm_val turn = lm_emit1(e, LM_OP_WHERE, NULL, lm_emit_scalar(e, LM_OP_EQUAL, best, 0), one, minus);
        y = lm_emit1(e, LM_OP_MUL, NULL, y, lm_emit1(e, LM_OP_MUL, NULL, head, turn));
        /* a column of zeros makes the product 0, whatever follows */
        lm_val divisor = lm_emit1(e, LM_OP_WHERE, NULL, lm_emit1(e, LM_OP_EQUAL, NULL, head, zero), one, head);
        lm_val part =
            lm_emit1(e, LM_OP_DIV, NULL, lm_emit_slice(e, a, 2, 0, 1), LM_IMPORT_RESHAPE(im, divisor, all, 1, 1));
        lm_val row = LM_IMPORT_RESHAPE(im, lm_emit_slice(e, chosen, 1, 1, n - 1), all, 1, n - 1);
        a = lm_emit1(e, LM_OP_SUB, NULL, lm_emit_slice(e, a, 2, 1, n - 1), lm_emit1(e, LM_OP_MUL, NULL, part, row));
    }
    im->y[0] = lm_import_reshaped(im, lm_emit1(e, LM_OP_MUL, NULL, y, LM_IMPORT_RESHAPE(im, a, all, 1)), outer);
}

/* One part of what Unique looks through: `count` elements, as numbers or whole numbers. */
typedef struct part {
    const double *f;
    const int64_t *i;
    int64_t count, index;
    int64_t flip; /* what turns the order of int64_t into that of uint64 */
} part;

static int order(double a, double b)
{
    bool nan_a = a != a, nan_b = b != b;
    return nan_a || nan_b ? nan_a - nan_b : (a > b) - (a < b);
}

static int by_content(const void *pa, const void *pb)
{
    const part *a = pa, *b = pb;
    for (int64_t k = 0; k < a->count; k++) {
        int64_t ia = a->i ? a->i[k] ^ a->flip : 0, ib = b->i ? b->i[k] ^ b->flip : 0;
        int found = a->i ? (ia > ib) - (ia < ib) : order(a->f[k], b->f[k]);
        if (found)
            return found;
    }
    return 0;
}

static int by_content_then_place(const void *pa, const void *pb)
{
    const part *a = pa, *b = pb;
    int found = by_content(a, b);
    return found ? found : (a->index > b->index) - (a->index < b->index);
}

static int by_place(const void *pa, const void *pb)
{
    const part *a = pa, *b = pb;
    return (a->index > b->index) - (a->index < b->index);
}

/* Cut a tensor along its first axis. The parts and, behind them, their elements are one piece of memory. */
static part *cut(lm_import *im, const lm_view *x, int64_t parts)
{
    int64_t all = lm_shape_count(&x->sh), each = parts ? all / parts : 0;
    part *p = lm_malloc((size_t)parts + (size_t)(all * (int64_t)sizeof(double)) / sizeof *p + 2, sizeof *p);
    if (!p) {
        lm_import_fail(im, LM_MEMORY, "no room to sort %lld elements", (long long)all);
        return NULL;
    }
    double *f = (double *)(p + parts);
    int64_t *whole = (int64_t *)f;
    bool floats = lm_dtype_is_float(x->dt);
    for (int64_t i = 0; i < all; i++)
        if (floats)
            f[i] = lm_view_get(x, i);
        else
            whole[i] = lm_view_get_i64(x, i);
    for (int64_t i = 0; i < parts; i++)
        p[i] = (part){.f = floats ? f + i * each : NULL,
                      .i = floats ? NULL : whole + i * each,
                      .count = each,
                      .index = i,
                      .flip = x->dt == LM_U64 ? INT64_MIN : 0};
    return p;
}

/* The first of every run of equal parts, in the order asked for; group[i] is the run that part i belongs to. Lists have
 * room for all parts. */
static int64_t group_parts(part *p, int64_t parts, bool sorted, int64_t *first, int64_t *count, int64_t *group)
{
    int64_t runs = 0;
    qsort(p, (size_t)parts, sizeof *p, by_content_then_place);
    for (int64_t i = 0; i < parts; i++) { /* group: the place of the run's first part */
        bool same = i && by_content(&p[i - 1], &p[i]) == 0;
        group[p[i].index] = same ? group[p[i - 1].index] : p[i].index;
        if (!same)
            p[runs++] = p[i];
    }
    if (!sorted)
        qsort(p, (size_t)runs, sizeof *p, by_place);
    int64_t *run_of = count; /* by place, while there is nothing else to count */
    for (int64_t r = 0; r < runs; r++) {
        first[r] = p[r].index;
        run_of[first[r]] = r;
    }
    for (int64_t i = 0; i < parts; i++)
        group[i] = run_of[group[i]];
    memset(count, 0, (size_t)parts * sizeof *count);
    for (int64_t i = 0; i < parts; i++)
        count[group[i]]++;
    return runs;
}

/* x -> different parts, their first places, which of them every part is, how often each occurs. The parts are gathered
 * from x, so gradients find their way; the choice hangs on the content. */
void lm_import_unique(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_attrs a = {0};
    bool sorted = lm_attr_int(im, "sorted", 1) != 0, flat = lm_attr(im, "axis") == NULL;
    int64_t given = lm_attr_int(im, "axis", 0);
    if (!lm_import_needs(im, 1))
        return;
    lm_val x = lm_in(im, 0), ahead = lm_in_constant(im, 0);
    int axis = flat ? 0 : lm_axis_of(im, given, lm_in_shape(im, 0)->rank);
    if (flat) {
        x = LM_IMPORT_RESHAPE(im, x, lm_shape_count(lm_in_shape(im, 0)));
        ahead = LM_IMPORT_RESHAPE(im, ahead, lm_shape_count(lm_in_shape(im, 0)));
    }
    ahead = lm_emit_swap(e, ahead, 0, axis);
    const lm_view *content = e->status == LM_OK ? lm_graph_value(e->g, ahead)->constant : NULL;
    if (!content)
        lm_import_fail(im, LM_UNSUPPORTED, "its input cannot be computed ahead");
    if (e->status != LM_OK)
        return;
    int64_t parts = content->sh.dim[0];
    int64_t *list = lm_malloc(3 * (size_t)parts + 1, sizeof *list);
    part *p = list ? cut(im, content, parts) : NULL;
    if (p && parts <= INT32_MAX) {
        int64_t *first = list, *count = list + parts, *group = list + 2 * parts;
        int runs = (int)group_parts(p, parts, sorted, first, count, group);
        lm_val at = lm_constant_ints(im, first, runs);
        lm_val y[4] = {LM_NOVAL, at, lm_constant_ints(im, group, (int)parts), lm_constant_ints(im, count, runs)};
        a.index.axis = axis;
        y[0] = lm_emit1(e, LM_OP_GATHER, &a, x, at);
        memcpy(im->y, y, (size_t)(im->ny < 4 ? im->ny : 4) * sizeof *y);
    } else {
        lm_import_fail(im, LM_MEMORY, "no room for %lld parts", (long long)parts);
    }
    lm_free(p);
    lm_free(list);
}

/* Results that no two runs share; a model that needs them cannot be explained. */
void lm_import_random(lm_import *im)
{
    lm_import_fail(im, LM_UNSUPPORTED, "its result is random; replace it by an input or a constant");
}
