/* Importers of Resize, its forerunner Upsample, and the exchange between channels and space. */
#include "core/model/import_util.h"

#include <math.h>
#include <string.h>

/* What the versions have in common, with numbers for the axes that are touched. */
typedef struct plan {
    lm_attrs a;
    int n, axis[LM_RANK];
    bool sized;
    double scale[LM_RANK];
    int64_t size[LM_RANK];
    enum { STRETCH, NOT_LARGER, NOT_SMALLER } keep;
} plan;

static bool plan_axes(lm_import *im, plan *p)
{
    int64_t list[LM_RANK];
    int rank = lm_in_shape(im, 0)->rank;
    if (!lm_attr_ints(im, "axes", list, LM_RANK, &p->n))
        return false;
    bool all = p->n < 0;
    if (all)
        p->n = rank;
    for (int i = 0; i < p->n; i++)
        p->axis[i] = all ? i : lm_axis_of(im, list[i], rank);
    return im->e.status == LM_OK;
}

/* Numbers from operand `i`, one per axis touched; *given is false when it is left out or empty. */
static bool numbers(lm_import *im, const plan *p, int i, int each, double *out, bool *given)
{
    const lm_view *v = lm_in_value(im, i);
    int64_t n = v ? lm_shape_count(&v->sh) : 0;
    *given = n > 0;
    if (n != 0 && n != (int64_t)each * p->n)
        lm_import_fail(im, LM_INPUT, "input %d has %lld numbers; expected %d", i, (long long)n, each * p->n);
    for (int64_t k = 0; k < n && im->e.status == LM_OK; k++) {
        out[k] = lm_view_get(v, k);
        if (!isfinite(out[k]))
            lm_import_fail(im, LM_INPUT, "input %d holds %g", i, out[k]);
    }
    return im->e.status == LM_OK;
}

/* One scale for all axes touched, so that no size passes (or falls below) what was asked for. */
static void keep_ratio(lm_import *im, plan *p)
{
    const lm_shape *s = lm_in_shape(im, 0);
    double scale = p->n ? p->scale[0] : 1;
    for (int i = 1; i < p->n; i++)
        scale = p->keep == NOT_LARGER ? fmin(scale, p->scale[i]) : fmax(scale, p->scale[i]);
    for (int i = 0; i < p->n; i++) {
        p->scale[i] = scale;
        p->size[i] = (int64_t)floor(scale * (double)s->dim[p->axis[i]] + 0.5);
    }
}

/* The number that a float32 scale stands for: 3/5 written as a float, divided into 2.5, falls just below the whole
 * number that rounding to the nearest element asks about. So take the ratio of the sizes where that is the same
 * float, otherwise the shortest decimal fraction that is. */
static double meant(double scale, int64_t in, int64_t out)
{
    double ratio = in > 0 ? (double)out / (double)in : 0, ten = 1;
    if ((float)ratio == (float)scale)
        return ratio;
    for (int digits = 0; digits < 9 && scale < 1e6; digits++, ten *= 10) {
        double decimal = round(scale * ten) / ten;
        if ((float)decimal == (float)scale)
            return decimal;
    }
    return scale;
}

/* Sizes from scales or the other way round. The product of a size and a scale is taken in float32, the scale's type. */
static bool settle(lm_import *im, plan *p)
{
    const lm_shape *s = lm_in_shape(im, 0);
    for (int i = 0; i < p->n; i++) {
        int64_t in = s->dim[p->axis[i]];
        if (p->sized) {
            p->scale[i] = in > 0 && p->size[i] > 0 ? (double)p->size[i] / (double)in : 1;
            continue;
        }
        double out = floor((double)((float)in * (float)p->scale[i]));
        if (!(p->scale[i] > 0 && out < 0x1p60)) {
            lm_import_fail(im, LM_INPUT, "scale %g on axis %d of size %lld", p->scale[i], p->axis[i], (long long)in);
            return false;
        }
        p->size[i] = (int64_t)out;
        p->scale[i] = meant(p->scale[i], in, p->size[i]);
    }
    if (p->sized && p->keep != STRETCH)
        keep_ratio(im, p);
    return true;
}

static lm_val emit(lm_import *im, plan *p, lm_val x, const double *roi)
{
    lm_attr_resize *r = &p->a.resize;
    const lm_shape *s = lm_emit_shape(&im->e, x);
    bool changes = r->coord == LM_COORD_CROP;
    for (int i = 0; i < s->rank; i++) {
        r->size[i] = s->dim[i];
        r->scale[i] = 1;
        r->roi_hi[i] = r->coord == LM_COORD_CROP ? 1 : 0;
    }
    for (int i = 0; i < p->n; i++) {
        int axis = p->axis[i];
        r->size[axis] = p->size[i];
        r->scale[axis] = p->scale[i];
        changes |= p->scale[i] != 1 || p->size[i] != s->dim[axis];
        if (roi && r->coord == LM_COORD_CROP) {
            r->roi_lo[axis] = roi[i];
            r->roi_hi[axis] = roi[p->n + i];
        }
    }
    return changes ? lm_emit1(&im->e, LM_OP_RESIZE, &p->a, x) : x;
}

static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
_Static_assert(LM_RESIZE_NEAREST == 0 && LM_RESIZE_LINEAR == 1 && LM_RESIZE_CUBIC == 2, "the words' order");

/* Upsample and Resize-10 know scales only, from the upper left corner: element i looks at i / scale, rounded down
 * where the axis grows and up where it shrinks. As the nearest element is found axis by axis, the two can follow
 * each other. */
static void plain(lm_import *im, plan *p)
{
    lm_val x = lm_in(im, 0);
    p->a.resize.coord = LM_COORD_ASYMMETRIC;
    if (im->e.status != LM_OK || !settle(im, p))
        return;
    if (p->a.resize.mode != LM_RESIZE_NEAREST) {
        im->y[0] = emit(im, p, x, NULL);
        return;
    }
    for (int shrinks = 0; shrinks < 2 && im->e.status == LM_OK; shrinks++) {
        plan part = {.a = p->a};
        part.a.resize.nearest = shrinks ? LM_NEAR_CEIL : LM_NEAR_FLOOR;
        for (int i = 0; i < p->n; i++)
            if ((p->scale[i] < 1) == shrinks) {
                part.axis[part.n] = p->axis[i];
                part.size[part.n] = p->size[i];
                part.scale[part.n++] = p->scale[i];
            }
        x = emit(im, &part, x, NULL);
    }
    im->y[0] = x;
}

/* Version 1: scales of the last two axes as two attributes, and another word for linear. */
void lm_import_upsample_1(lm_import *im)
{
    static const char *const words[] = {"nearest", "bilinear", NULL};
    plan p = {.n = 2, .axis = {2, 3}};
    if (!lm_import_ranked(im, 0, 4, 4))
        return;
    p.scale[0] = lm_attr_float(im, "height_scale", 1);
    p.scale[1] = lm_attr_float(im, "width_scale", 1);
    p.a.resize.mode = (lm_resize_mode)lm_attr_choice(im, "mode", 0, words);
    plain(im, &p);
}

void lm_import_upsample_7(lm_import *im)
{
    plan p = {.a.resize.mode = (lm_resize_mode)lm_import_word(im, "mode", 0, modes, 2)};
    int n;
    const float *scales = lm_attr_float_list(im, "scales", &n);
    if (!lm_import_needs(im, 1) || !plan_axes(im, &p))
        return;
    if (n != p.n)
        lm_import_fail(im, LM_INPUT, "scales has %d numbers; expected %d", n, p.n);
    for (int i = 0; i < p.n && im->e.status == LM_OK; i++)
        p.scale[i] = (double)scales[i];
    plain(im, &p);
}

/* (x, scales) */
void lm_import_upsample_9(lm_import *im)
{
    plan p = {.a.resize.mode = (lm_resize_mode)lm_import_word(im, "mode", 0, modes, 2)};
    bool given;
    if (lm_import_needs(im, 2) && plan_axes(im, &p) && numbers(im, &p, 1, 1, p.scale, &given))
        plain(im, &p);
}

static const char *const coordinates[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                          "asymmetric", "tf_crop_and_resize",   "tf_half_pixel_for_nn", NULL};
_Static_assert(LM_COORD_HALF_PIXEL == 0 && LM_COORD_HALF_PIXEL_SYMMETRIC == 1 && LM_COORD_PYTORCH_HALF_PIXEL == 2 &&
                   LM_COORD_ALIGN_CORNERS == 3 && LM_COORD_ASYMMETRIC == 4 && LM_COORD_CROP == 5,
               "the words stand in the enum's order");
enum { COORD_TF_NEAREST = 6 };

static void attributes(lm_import *im, plan *p)
{
    static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};
    static const char *const keeps[] = {"stretch", "not_larger", "not_smaller", NULL};
    lm_attr_resize *r = &p->a.resize;
    r->mode = (lm_resize_mode)lm_attr_choice(im, "mode", 0, modes);
    int coord = lm_attr_choice(im, "coordinate_transformation_mode", 0, coordinates);
    r->nearest = (lm_resize_near)lm_attr_choice(im, "nearest_mode", 0, nearest);
    r->antialias = lm_attr_int(im, "antialias", 0) != 0;
    r->exclude_outside = lm_attr_int(im, "exclude_outside", 0) != 0;
    r->cubic_a = (float)lm_attr_float(im, "cubic_coeff_a", -0.75);
    r->extrapolation = (float)lm_attr_float(im, "extrapolation_value", 0);
    p->keep = (unsigned)lm_attr_choice(im, "keep_aspect_ratio_policy", STRETCH, keeps);
    if (coord == COORD_TF_NEAREST) {
        /* (i + 0.5) / scale is half an element past the half-pixel place: rounding the one down is rounding the
         * other to the nearest, halves up, and rounding the one to the nearest, halves down, is rounding the other
         * up */
        if (r->mode != LM_RESIZE_NEAREST || (r->nearest != LM_NEAR_FLOOR && r->nearest != LM_NEAR_PREFER_FLOOR))
            lm_import_fail(im, LM_UNSUPPORTED, "tf_half_pixel_for_nn with another mode than nearest, or another "
                                               "nearest_mode than floor or round_prefer_floor");
        coord = LM_COORD_HALF_PIXEL;
        r->nearest = r->nearest == LM_NEAR_FLOOR ? LM_NEAR_PREFER_CEIL : LM_NEAR_CEIL;
    }
    r->coord = (lm_resize_coord)coord;
}

/* (x, roi?, scales?, sizes?) */
void lm_import_resize(lm_import *im)
{
    plan p = {0};
    double roi[2 * LM_RANK], size[LM_RANK];
    bool scaled, has_roi = false;
    attributes(im, &p);
    if (!lm_import_needs(im, 1) || !plan_axes(im, &p) || !numbers(im, &p, 2, 1, p.scale, &scaled) ||
        !numbers(im, &p, 3, 1, size, &p.sized))
        return;
    if (p.a.resize.coord == LM_COORD_CROP && !numbers(im, &p, 1, 2, roi, &has_roi))
        return;
    if (scaled == p.sized) {
        lm_import_fail(im, LM_INPUT, "%s; expected either scales or sizes",
                       scaled ? "scales and sizes are both given" : "neither scales nor sizes are given");
        return;
    }
    for (int i = 0; p.sized && i < p.n; i++)
        p.size[i] = size[i] >= 0 && size[i] < 0x1p60 ? (int64_t)size[i] : -1;
    if (settle(im, &p))
        im->y[0] = emit(im, &p, lm_in(im, 0), has_roi ? roi : NULL);
}

void lm_import_depthtospace(lm_import *im)
{
    static const char *const words[] = {"DCR", "CRD", NULL};
    lm_attrs a = {0};
    a.block.size = lm_attr_int(im, "blocksize", 0);
    a.block.crd = im->op == LM_OP_DEPTHTOSPACE && lm_attr_choice(im, "mode", 0, words) == 1;
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, im->op, &a, lm_in(im, 0));
}
