/* Importers of operators that read images at places that are no pixels: GridSample, AffineGrid, DeformConv. */
#include "core/model/import_sample.h"

#include <math.h>
#include <string.h>

void lm_tap_bounded(lm_import *im, lm_val pixel, lm_val weight, int64_t size, lm_val *at, lm_val *bounded)
{
    lm_emit *e = &im->e;
    lm_val low = lm_emit_scalar(e, LM_OP_GREATEREQ, pixel, 0), zero = lm_emit_const(e, lm_emit_type(e, pixel)->dt, 0);
    lm_val inside = lm_emit1(e, LM_OP_AND, NULL, low, lm_emit_scalar(e, LM_OP_LESSEQ, pixel, (double)(size - 1)));
    *bounded = lm_emit1(e, LM_OP_WHERE, NULL, inside, weight, zero);
    *at = lm_emit_cast(e, lm_emit1(e, LM_OP_WHERE, NULL, inside, pixel, zero), LM_I64);
}

void lm_taps_linear(lm_import *im, lm_val position, int64_t size, lm_taps *out)
{
    lm_emit *e = &im->e;
    lm_val floor = lm_emit1(e, LM_OP_FLOOR, NULL, position), part = lm_emit1(e, LM_OP_SUB, NULL, position, floor);
    lm_val one = lm_emit_const(e, lm_emit_type(e, position)->dt, 1);
    out->n = 2;
    lm_tap_bounded(im, floor, lm_emit1(e, LM_OP_SUB, NULL, one, part), size, &out->at[0], &out->weight[0]);
    lm_tap_bounded(im, lm_emit_scalar(e, LM_OP_ADD, floor, 1), part, size, &out->at[1], &out->weight[1]);
}

lm_val lm_import_sample(lm_import *im, lm_val x, int nd, const int64_t *size, const lm_taps *taps)
{
    lm_emit *e = &im->e;
    lm_attrs rows = {0};
    lm_val sum = LM_NOVAL;
    int which[LM_RANK] = {0}, axis;
    rows.index.batch = 1;
    do {
        lm_val at = LM_NOVAL, weight = LM_NOVAL;
        for (int i = 0; i < nd && e->status == LM_OK; i++) {
            lm_val a = taps[i].at[which[i]], w = taps[i].weight[which[i]];
            at = i ? lm_emit1(e, LM_OP_ADD, NULL, lm_emit_scalar(e, LM_OP_MUL, at, (double)size[i]), a) : a;
            weight = i ? lm_emit1(e, LM_OP_MUL, NULL, weight, w) : w;
        }
        if (e->status != LM_OK)
            return LM_NOVAL;
        lm_val value = lm_emit1(e, LM_OP_GATHERND, &rows, x, lm_emit_unsqueeze(e, at, 2));
        value = lm_emit1(e, LM_OP_MUL, NULL, value, lm_emit_unsqueeze(e, weight, 2));
        sum = sum == LM_NOVAL ? value : lm_emit1(e, LM_OP_ADD, NULL, sum, value);
        for (axis = nd - 1; axis >= 0 && ++which[axis] == taps[axis].n; axis--)
            which[axis] = 0;
    } while (axis >= 0);
    return sum;
}

/* How GridSample treats one axis. */
typedef enum grid_pad { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION } grid_pad;
typedef enum grid_mode { GRID_LINEAR, GRID_NEAREST, GRID_CUBIC } grid_mode;
typedef struct grid_axis {
    grid_pad pad;
    grid_mode mode;
    bool corners;
    int64_t size;
    double low, high; /* where reflection turns */
} grid_axis;

/* A triangle wave through `low` and `high`. */
static lm_val reflected(lm_import *im, lm_val x, const grid_axis *g)
{
    lm_emit *e = &im->e;
    double range = g->high - g->low;
    if (range <= 0)
        return lm_emit_scalar(e, LM_OP_MUL, x, 0);
    lm_val from = lm_emit_scalar(e, LM_OP_SUB, x, g->low);
    lm_val turns = lm_emit1(e, LM_OP_FLOOR, NULL, lm_emit_scalar(e, LM_OP_DIV, from, 2 * range));
    from = lm_emit1(e, LM_OP_SUB, NULL, from, lm_emit_scalar(e, LM_OP_MUL, turns, 2 * range));
    lm_val off = lm_emit1(e, LM_OP_ABS, NULL, lm_emit_scalar(e, LM_OP_SUB, from, range));
    return lm_emit1(e, LM_OP_SUB, NULL, lm_emit_const(e, lm_emit_type(e, x)->dt, g->low + range), off);
}

static lm_val clamped(lm_import *im, lm_val x, int64_t size)
{
    return lm_emit_scalar(&im->e, LM_OP_MIN, lm_emit_scalar(&im->e, LM_OP_MAX, x, 0), (double)(size - 1));
}

static lm_val padded(lm_import *im, lm_val x, const grid_axis *g)
{
    return g->pad == GRID_BORDER ? clamped(im, x, g->size) : g->pad == GRID_REFLECTION ? reflected(im, x, g) : x;
}

/* A pixel with its weight, brought inside in the way that the padding says. */
static void put_tap(lm_import *im, lm_taps *out, lm_val pixel, lm_val weight, const grid_axis *g)
{
    int k = out->n++;
    if (g->pad == GRID_ZEROS) {
        lm_tap_bounded(im, pixel, weight, g->size, &out->at[k], &out->weight[k]);
        return;
    }
    /* reflection at half pixels leaves whole ones whole; the clamp is for positions that are no numbers */
    pixel = clamped(im, padded(im, pixel, g), g->size);
    out->at[k] = lm_emit_cast(&im->e, pixel, LM_I64);
    out->weight[k] = weight;
}

/* The value of a polynomial with the given coefficients, highest power first. */
static lm_val polynomial(lm_import *im, lm_val t, const double c[4])
{
    lm_emit *e = &im->e;
    lm_val y = lm_emit_scalar(e, LM_OP_ADD, lm_emit_scalar(e, LM_OP_MUL, t, c[0]), c[1]);
    for (int i = 2; i < 4; i++)
        y = lm_emit_scalar(e, LM_OP_ADD, lm_emit1(e, LM_OP_MUL, NULL, y, t), c[i]);
    return y;
}

/* Cubic convolution with a = -0.75: near pixels from d, far ones from 1 + d, where d is the distance to the floor. */
static void cubic_taps(lm_import *im, lm_taps *out, lm_val x, const grid_axis *g)
{
    static const double a = -0.75;
    const double near[4] = {a + 2, -(a + 3), 0, 1}, far[4] = {a, -5 * a, 8 * a, -4 * a};
    lm_emit *e = &im->e;
    lm_val floor = lm_emit1(e, LM_OP_FLOOR, NULL, x), d = lm_emit1(e, LM_OP_SUB, NULL, x, floor);
    lm_val rest = lm_emit1(e, LM_OP_SUB, NULL, lm_emit_const(e, lm_emit_type(e, x)->dt, 1), d);
    const lm_val weight[4] = {polynomial(im, lm_emit_scalar(e, LM_OP_ADD, d, 1), far), polynomial(im, d, near),
                              polynomial(im, rest, near), polynomial(im, lm_emit_scalar(e, LM_OP_ADD, rest, 1), far)};
    for (int i = 0; i < 4; i++)
        put_tap(im, out, lm_emit_scalar(e, LM_OP_ADD, floor, i - 1), weight[i], g);
}

/* x: grid numbers of one axis, -1 ... 1 over the image. */
static void grid_taps(lm_import *im, lm_val x, const grid_axis *g, lm_taps *out)
{
    lm_emit *e = &im->e;
    double half = 0.5 * (double)(g->corners ? g->size - 1 : g->size);
    lm_dtype dt = lm_emit_type(e, x)->dt;
    *out = (lm_taps){0};
    x = lm_emit_scalar(e, LM_OP_MUL, lm_emit_scalar(e, LM_OP_ADD, x, 1), half);
    x = g->corners ? x : lm_emit_scalar(e, LM_OP_SUB, x, 0.5);
    if (g->mode == GRID_NEAREST)
        x = lm_emit1(e, LM_OP_ROUND, NULL, x);
    if (g->mode == GRID_CUBIC) { /* between pixels that are padded one by one */
        cubic_taps(im, out, x, g);
        return;
    }
    x = padded(im, x, g);
    lm_val floor = lm_emit1(e, LM_OP_FLOOR, NULL, x), one = lm_emit_const(e, dt, 1);
    if (g->mode == GRID_NEAREST) {
        put_tap(im, out, lm_emit1(e, LM_OP_ROUND, NULL, x), lm_emit_expand(e, one, lm_emit_shape(e, x)), g);
        return;
    }
    lm_val part = lm_emit1(e, LM_OP_SUB, NULL, x, floor);
    put_tap(im, out, floor, lm_emit1(e, LM_OP_SUB, NULL, one, part), g);
    put_tap(im, out, lm_emit_scalar(e, LM_OP_ADD, floor, 1), part, g);
}

/* [n,c,d...] -> [n,pixels,c] */
static lm_val pixels_first(lm_import *im, lm_val x, int64_t rows, int64_t values, int64_t pixels)
{
    return lm_emit_swap(&im->e, LM_IMPORT_RESHAPE(im, x, rows, values, pixels), 1, 2);
}

/* The words changed with version 20, which also took images of any rank. */
static void gridsample(lm_import *im, const char *const *modes)
{
    static const char *const pads[] = {"zeros", "border", "reflection", NULL};
    lm_emit *e = &im->e;
    grid_axis g = {.mode = (grid_mode)lm_attr_choice(im, "mode", GRID_LINEAR, modes),
                   .pad = (grid_pad)lm_attr_choice(im, "padding_mode", GRID_ZEROS, pads),
                   .corners = lm_attr_int(im, "align_corners", 0) != 0};
    if (!lm_import_ranked(im, 0, 3, LM_RANK) || !lm_import_ranked(im, 1, 3, LM_RANK))
        return;
    const lm_shape *sx = lm_in_shape(im, 0), *sg = lm_in_shape(im, 1);
    int nd = sx->rank - 2;
    if (sg->rank != sx->rank || sg->dim[0] != sx->dim[0] || sg->dim[nd + 1] != nd || (g.mode == GRID_CUBIC && nd > 3)) {
        char text[2][LM_SHAPE_TEXT];
        lm_import_fail(im, LM_INPUT, "a grid of shape %s for an image of shape %s", lm_shape_text(sg, text[0]),
                       lm_shape_text(sx, text[1]));
        return;
    }
    lm_shape to = {.rank = sx->rank, .dim = {sx->dim[0], sx->dim[1]}};
    int64_t pixels = 1, places = 1;
    for (int i = 0; i < nd; i++) {
        pixels *= sx->dim[i + 2];
        places *= to.dim[i + 2] = sg->dim[i + 1];
    }
    lm_val grid = LM_IMPORT_RESHAPE(im, lm_in(im, 1), sg->dim[0], places, nd);
    lm_taps taps[LM_RANK];
    for (int i = 0; i < nd; i++) {
        g.size = sx->dim[i + 2];
        g.low = g.corners ? 0 : -0.5;
        g.high = (double)g.size - (g.corners ? 1 : 0.5);
        grid_taps(im, lm_emit_pick(e, grid, 2, nd - 1 - i), &g, &taps[i]); /* the grid names the last axis first */
    }
    lm_val x = pixels_first(im, lm_in(im, 0), sx->dim[0], sx->dim[1], pixels);
    for (int i = 0; i < nd && e->status == LM_OK; i++)
        for (int k = 0; k < taps[i].n; k++)
            taps[i].weight[k] = lm_emit_cast(e, taps[i].weight[k], lm_emit_type(e, x)->dt);
    lm_val y = lm_import_sample(im, x, nd, sx->dim + 2, taps);
    im->y[0] = lm_import_reshaped(im, lm_emit_swap(e, y, 1, 2), to);
}

void lm_import_gridsample_16(lm_import *im)
{
    static const char *const modes[] = {"bilinear", "nearest", "bicubic", NULL};
    gridsample(im, modes);
}

void lm_import_gridsample_20(lm_import *im)
{
    static const char *const modes[] = {"linear", "nearest", "cubic", NULL};
    gridsample(im, modes);
}

/* (theta [n,nd,nd+1], size): where the pixels of an image lie after an affine map, the last axis named first. */
void lm_import_affinegrid(lm_import *im)
{
    lm_emit *e = &im->e;
    bool corners = lm_attr_int(im, "align_corners", 0) != 0;
    int64_t size[5];
    int n;
    if (!lm_import_needs(im, 2) || !lm_import_ranked(im, 0, 3, 3) || !lm_in_ints(im, 1, size, 5, &n))
        return;
    const lm_shape *s = lm_in_shape(im, 0);
    int nd = n - 2;
    if (nd < 2 || s->dim[0] != size[0] || s->dim[1] != nd || s->dim[2] != nd + 1) {
        lm_import_fail(im, LM_INPUT, "theta has shape %s for an image of %d axes",
                       lm_shape_text(s, (char[LM_SHAPE_TEXT]){0}), n);
        return;
    }
    lm_shape to = {.rank = n, .dim = {size[0]}}, flat = {.rank = 2};
    for (int i = 0; i < nd; i++)
        to.dim[i + 1] = size[i + 2];
    to.dim[n - 1] = nd;
    lm_shape image = {.rank = nd};
    memcpy(image.dim, size + 2, (size_t)nd * sizeof *size);
    if (lm_shape_check(&image, &flat.dim[0]) != LM_OK) {
        lm_import_fail(im, LM_INPUT, "size: %s", lm_message());
        return;
    }
    flat.dim[1] = nd + 1;
    lm_view t;
    if (!lm_import_table(im, lm_in_type(im, 0)->dt, &flat, &t))
        return;
    for (int64_t p = 0; p < flat.dim[0]; p++) {
        int64_t rest = p;
        for (int i = nd - 1; i >= 0; i--, rest /= image.dim[i + 1]) {
            double at = (double)(rest % image.dim[i]), all = (double)image.dim[i];
            double unit = corners ? (all > 1 ? 2 * at / (all - 1) - 1 : -1) : (2 * at + 1) / all - 1;
            lm_view_set(&t, p * (nd + 1) + nd - 1 - i, unit);
        }
        lm_view_set(&t, p * (nd + 1) + nd, 1);
    }
    lm_attrs a = {0};
    a.matmul.tb = true;
    im->y[0] = lm_import_reshaped(im, lm_emit1(e, LM_OP_MATMUL, &a, lm_constant(im, t), lm_in(im, 0)), to);
}
