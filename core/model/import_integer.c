/* Importers of operators on integers that stand for other numbers: quantised tensors, and products of integers.
 *
 * A product of two tensors of 8 bits is exact in float32 as long as no more than PIECE terms are added, so long sums
 * are cut into pieces of that many, each computed by the float32 kernels, and the pieces are added as int32. */
#include "core/model/import_quantised.h"

enum { PIECE = 256 }; /* PIECE * 255 * 255 < 2^24 */

/* A scale or zero point so that it broadcasts with x: one element, one per position along an axis, or one per block of
 * `block` positions along it. */
static lm_val spread(lm_import *im, lm_val v, lm_val x, int axis, int64_t block)
{
    lm_emit *e = &im->e;
    const lm_shape *sv = lm_emit_shape(e, v), *sx = lm_emit_shape(e, x);
    lm_shape to = {.rank = sx->rank};
    if (e->status != LM_OK || v == LM_NOVAL)
        return LM_NOVAL;
    if (lm_shape_count(sv) == 1)
        return lm_import_reshaped(im, v, (lm_shape){0});
    for (int i = 0; i < to.rank; i++)
        to.dim[i] = i == axis ? sx->dim[i] : 1;
    if (!block && sv->rank == 1 && sx->rank > 0 && sv->dim[0] == sx->dim[axis])
        return lm_import_reshaped(im, v, to);
    if (block && sv->rank == sx->rank && sv->dim[axis] == (sx->dim[axis] + block - 1) / block) {
        lm_view at;
        lm_attrs a = {0};
        a.index.axis = axis;
        lm_shape list = LM_SHAPE(sx->dim[axis]);
        if (!lm_import_table(im, LM_I64, &list, &at))
            return LM_NOVAL;
        for (int64_t i = 0; i < list.dim[0]; i++)
            ((int64_t *)lm_view_data(&at))[i] = i / block;
        return lm_emit1(e, LM_OP_GATHER, &a, v, lm_constant(im, at));
    }
    char text[2][LM_SHAPE_TEXT];
    lm_import_fail(im, LM_INPUT, "a scale or zero point of shape %s for x %s, axis %d and block size %lld",
                   lm_shape_text(sv, text[0]), lm_shape_text(sx, text[1]), axis, (long long)block);
    return LM_NOVAL;
}

/* float32 holds all integers of up to 16 bits; wider ones lose what float32 loses. */
static lm_val centred(lm_import *im, lm_val x, lm_val zero)
{
    lm_emit *e = &im->e;
    x = lm_emit_cast(e, x, LM_F32);
    return zero == LM_NOVAL ? x : lm_emit1(e, LM_OP_SUB, NULL, x, lm_emit_cast(e, zero, LM_F32));
}

lm_val lm_import_dequantised(lm_import *im, lm_val x, lm_val scale, lm_val zero, int axis, int64_t block)
{
    lm_emit *e = &im->e;
    lm_dtype dt = lm_emit_type(e, scale)->dt;
    lm_val exact = centred(im, x, spread(im, zero, x, axis, block));
    return lm_emit1(e, LM_OP_MUL, NULL, lm_emit_cast(e, exact, dt), spread(im, scale, x, axis, block));
}

lm_val lm_import_quantised(lm_import *im, lm_val x, lm_val scale, lm_val zero, lm_dtype to, int axis, int64_t block)
{
    lm_emit *e = &im->e;
    lm_val near = lm_emit1(e, LM_OP_ROUND, NULL, lm_emit1(e, LM_OP_DIV, NULL, x, spread(im, scale, x, axis, block)));
    if (zero != LM_NOVAL) {
        /* half precision could not hold all sums of 16 bits */
        zero = lm_emit_cast(e, spread(im, zero, x, axis, block), LM_F32);
        near = lm_emit1(e, LM_OP_ADD, NULL, lm_emit_cast(e, near, LM_F32), zero);
    }
    return lm_emit_cast(e, near, to); /* which saturates */
}

/* The axis and block size of (De)QuantizeLinear. False after a failure. */
static bool granularity(lm_import *im, int *axis, int64_t *block)
{
    int64_t given = lm_attr_int(im, "axis", 1);
    *axis = 0;
    *block = lm_attr_int(im, "block_size", 0);
    if (!lm_import_needs(im, 2))
        return false;
    if (*block < 0)
        lm_import_fail(im, LM_INPUT, "block_size = %lld; expected 0 or more", (long long)*block);
    int rank = lm_in_shape(im, 0)->rank;
    if (lm_shape_count(lm_in_shape(im, 1)) != 1) /* one scale for all needs no axis, and the default may not exist */
        *axis = rank == 1 ? 0 : lm_axis_of(im, given, rank);
    return im->e.status == LM_OK;
}

void lm_import_quantizelinear(lm_import *im)
{
    int axis;
    int64_t block;
    if (!granularity(im, &axis, &block))
        return;
    lm_val zero = lm_in(im, 2);
    lm_dtype to = lm_attr_int(im, "output_dtype", 0) ? lm_attr_type(im, "output_dtype", LM_U8) : LM_U8;
    lm_dtype precision =
        lm_attr_int(im, "precision", 0) ? lm_attr_type(im, "precision", LM_F32) : lm_in_type(im, 1)->dt;
    if (zero != LM_NOVAL)
        to = lm_emit_type(&im->e, zero)->dt;
    lm_val x = lm_emit_cast(&im->e, lm_in(im, 0), precision), scale = lm_emit_cast(&im->e, lm_in(im, 1), precision);
    im->y[0] = lm_import_quantised(im, x, scale, zero, to, axis, block);
}

void lm_import_dequantizelinear(lm_import *im)
{
    int axis;
    int64_t block;
    if (!granularity(im, &axis, &block))
        return;
    lm_dtype dt = lm_in_type(im, 1)->dt;
    if (lm_attr_int(im, "output_dtype", 0))
        dt = lm_attr_type(im, "output_dtype", dt);
    im->y[0] =
        lm_import_dequantised(im, lm_in(im, 0), lm_emit_cast(&im->e, lm_in(im, 1), dt), lm_in(im, 2), axis, block);
}

/* x -> uint8, scale, zero point, from the range of x, which is widened to hold 0. */
void lm_import_dynamicquantizelinear(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_attrs bounds = {0};
    bounds.act.b = 255;
    if (!lm_import_needs(im, 1))
        return;
    lm_val x = lm_in(im, 0);
    uint32_t all = lm_emit_axes_from(e, x, 0);
    lm_val least = lm_emit_scalar(e, LM_OP_MIN, lm_emit_reduce(e, LM_OP_REDUCE_MIN, x, all, false), 0);
    lm_val most = lm_emit_scalar(e, LM_OP_MAX, lm_emit_reduce(e, LM_OP_REDUCE_MAX, x, all, false), 0);
    lm_val scale = lm_emit_scalar(e, LM_OP_DIV, lm_emit1(e, LM_OP_SUB, NULL, most, least), 255);
    lm_val from = lm_emit1(e, LM_OP_NEG, NULL, lm_emit1(e, LM_OP_DIV, NULL, least, scale));
    lm_val zero = lm_emit_cast(e, lm_emit1(e, LM_OP_ROUND, NULL, lm_emit1(e, LM_OP_CLIP, &bounds, from)), LM_U8);
    im->y[0] = lm_import_quantised(im, x, scale, zero, LM_U8, 0, 0);
    if (im->ny > 1)
        im->y[1] = scale;
    if (im->ny > 2)
        im->y[2] = zero;
}

static lm_val add(lm_emit *e, lm_val sum, lm_val more)
{
    return sum == LM_NOVAL ? more : lm_emit1(e, LM_OP_ADD, NULL, sum, more);
}

/* A zero point of a matrix: one element, one per row (`per_row`: of the left operand) or column, or with all axes. */
static lm_val matrix_zero(lm_import *im, lm_val zero, lm_val x, bool per_row)
{
    lm_emit *e = &im->e;
    if (zero == LM_NOVAL)
        return LM_NOVAL;
    const lm_shape *sz = lm_emit_shape(e, zero);
    if (lm_shape_count(sz) == 1)
        return lm_import_reshaped(im, zero, (lm_shape){0});
    return per_row && sz->rank == 1 && lm_emit_shape(e, x)->rank > 1 ? lm_emit_unsqueeze(e, zero, 1) : zero;
}

lm_val lm_import_exact_matmul(lm_import *im, lm_val a, lm_val a_zero, lm_val b, lm_val b_zero)
{
    lm_emit *e = &im->e;
    lm_val sum = LM_NOVAL;
    a = centred(im, a, matrix_zero(im, a_zero, a, true));
    b = centred(im, b, matrix_zero(im, b_zero, b, false));
    if (e->status != LM_OK)
        return LM_NOVAL;
    const lm_shape sa = *lm_emit_shape(e, a), sb = *lm_emit_shape(e, b);
    if (sa.rank < 1 || sb.rank < 1) {
        lm_import_fail(im, LM_INPUT, "a matrix product of a single number");
        return LM_NOVAL;
    }
    int ka = sa.rank - 1, kb = sb.rank > 1 ? sb.rank - 2 : 0;
    int64_t count = sa.dim[ka] == sb.dim[kb] ? sa.dim[ka] : 0; /* a mismatch is the op's to tell */
    for (int64_t at = 0; (at < count || at == 0) && e->status == LM_OK; at += PIECE) {
        int64_t size = count - at < PIECE ? count - at : PIECE;
        lm_val left = count ? lm_emit_slice(e, a, ka, at, size) : a,
               right = count ? lm_emit_slice(e, b, kb, at, size) : b;
        sum = add(e, sum, lm_emit_cast(e, lm_emit1(e, LM_OP_MATMUL, NULL, left, right), LM_I32));
    }
    return sum;
}

/* Channels [at, at + size) of every group: x [N,groups*each,...]. */
static lm_val group_slice(lm_import *im, lm_val x, int64_t groups, int64_t each, int64_t at, int64_t size)
{
    lm_emit *e = &im->e;
    if (e->status != LM_OK)
        return LM_NOVAL;
    const lm_shape s = *lm_emit_shape(e, x);
    lm_shape apart = {.rank = s.rank + 1, .dim = {s.dim[0], groups, each}}, together = s;
    together.dim[1] = groups * size;
    for (int i = 2; i < s.rank; i++)
        apart.dim[i + 1] = s.dim[i];
    return lm_import_reshaped(im, lm_emit_slice(e, lm_import_reshaped(im, x, apart), 2, at, size), together);
}

lm_val lm_import_exact_conv(lm_import *im, lm_val x, lm_val x_zero, lm_val w, lm_val w_zero)
{
    lm_emit *e = &im->e;
    lm_val sum = LM_NOVAL;
    if (e->status == LM_OK && w_zero != LM_NOVAL)
        w_zero = spread(im, w_zero, w, 0, 0);
    if (e->status == LM_OK && x_zero != LM_NOVAL)
        x_zero = spread(im, x_zero, x, 1, 0);
    x = centred(im, x, x_zero); /* so that padding with 0 is padding with the zero point */
    w = centred(im, w, w_zero);
    int64_t groups = lm_attr_int(im, "group", 1), taps = 1;
    if (e->status != LM_OK)
        return LM_NOVAL;
    const lm_shape sx = *lm_emit_shape(e, x), sw = *lm_emit_shape(e, w);
    if (sx.rank < 3 || sx.rank > LM_SPATIAL + 2 || sw.rank != sx.rank || groups < 1 || sw.dim[1] < 1 ||
        sx.dim[1] != groups * sw.dim[1]) {
        char text[2][LM_SHAPE_TEXT];
        lm_import_fail(im, LM_INPUT, "x has shape %s and w %s, with %lld groups", lm_shape_text(&sx, text[0]),
                       lm_shape_text(&sw, text[1]), (long long)groups);
        return LM_NOVAL;
    }
    for (int i = 2; i < sw.rank; i++)
        taps *= sw.dim[i];
    if (taps > PIECE) { /* one channel is too long a sum; rare enough for double */
        lm_val pair[2] = {lm_emit_cast(e, x, LM_F64), lm_emit_cast(e, w, LM_F64)};
        return lm_emit_cast(e, lm_import_call(im, lm_import_conv, LM_OP_CONV, 2, pair), LM_I32);
    }
    int64_t most = PIECE / (taps ? taps : 1), each = sw.dim[1];
    for (int64_t at = 0; at < each && e->status == LM_OK; at += most) {
        int64_t size = each - at < most ? each - at : most;
        lm_val pair[2] = {size == each ? x : group_slice(im, x, groups, each, at, size),
                          lm_emit_slice(e, w, 1, at, size)};
        sum = add(e, sum, lm_emit_cast(e, lm_import_call(im, lm_import_conv, LM_OP_CONV, 2, pair), LM_I32));
    }
    return sum;
}

void lm_import_matmulinteger(lm_import *im)
{
    if (lm_import_needs(im, 2))
        im->y[0] = lm_import_exact_matmul(im, lm_in(im, 0), lm_in(im, 2), lm_in(im, 1), lm_in(im, 3));
}

void lm_import_convinteger(lm_import *im)
{
    if (lm_import_needs(im, 2))
        im->y[0] = lm_import_exact_conv(im, lm_in(im, 0), lm_in(im, 2), lm_in(im, 1), lm_in(im, 3));
}

/* sum * sx * sw / sy, rounded and moved to y's zero point. `axis`: of per-channel weights in the result; -1: the
 * last. */
static lm_val requantised(lm_import *im, lm_val sum, lm_val sx, lm_val sw, lm_val sy, lm_val zero, int axis)
{
    lm_emit *e = &im->e;
    if (e->status != LM_OK)
        return LM_NOVAL;
    int rank = lm_emit_shape(e, sum)->rank;
    lm_val one = lm_import_reshaped(im, sx, (lm_shape){0});
    lm_val scale = lm_emit1(e, LM_OP_MUL, NULL, one, spread(im, sw, sum, axis < 0 ? rank - 1 : axis, 0));
    scale = lm_emit_cast(e, lm_emit1(e, LM_OP_DIV, NULL, scale, lm_import_reshaped(im, sy, (lm_shape){0})), LM_F32);
    lm_val real = lm_emit1(e, LM_OP_MUL, NULL, lm_emit_cast(e, sum, LM_F32), scale);
    return lm_import_quantised(im, real, lm_emit_const(e, LM_F32, 1), zero, lm_emit_type(e, zero)->dt, 0, 0);
}

/* (a, scale, zero, b, scale, zero, y's scale, y's zero); the scales of a may be one per row. */
void lm_import_qlinearmatmul(lm_import *im)
{
    lm_emit *e = &im->e;
    if (!lm_import_needs(im, 8))
        return;
    lm_val sum = lm_import_exact_matmul(im, lm_in(im, 0), lm_in(im, 2), lm_in(im, 3), lm_in(im, 5));
    lm_val rows = matrix_zero(im, lm_in(im, 1), lm_in(im, 0), true);
    if (lm_shape_count(lm_in_shape(im, 1)) == 1) {
        im->y[0] = requantised(im, sum, lm_in(im, 1), lm_in(im, 4), lm_in(im, 6), lm_in(im, 7), -1);
        return;
    }
    lm_val scale = lm_emit1(e, LM_OP_MUL, NULL, rows, matrix_zero(im, lm_in(im, 4), lm_in(im, 3), false));
    lm_val real = lm_emit1(e, LM_OP_MUL, NULL, lm_emit_cast(e, sum, LM_F32), lm_emit_cast(e, scale, LM_F32));
    im->y[0] =
        lm_import_quantised(im, real, lm_emit_cast(e, lm_in(im, 6), LM_F32), lm_in(im, 7), lm_in_type(im, 7)->dt, 0, 0);
}

/* (x, scale, zero, w, scale, zero, y's scale, y's zero, bias?) */
void lm_import_qlinearconv(lm_import *im)
{
    lm_emit *e = &im->e;
    if (!lm_import_needs(im, 8))
        return;
    lm_val sum = lm_import_exact_conv(im, lm_in(im, 0), lm_in(im, 2), lm_in(im, 3), lm_in(im, 5));
    if (lm_in(im, 8) != LM_NOVAL)
        sum = add(e, sum, spread(im, lm_in(im, 8), sum, 1, 0));
    im->y[0] = requantised(im, sum, lm_in(im, 1), lm_in(im, 4), lm_in(im, 6), lm_in(im, 7), 1);
}
