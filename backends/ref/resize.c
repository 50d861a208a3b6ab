/* Resize and its transpose. Every axis has a table of its own: which elements of the input an output coordinate takes,
 * and with which weights; an element of the result is the sum over all combinations. */
#include <math.h>
#include <string.h>

#include "backends/ref/ref.h"

/* Output coordinate o takes n[o] elements: at[o * most + j] with weight[o * most + j]. n[o] = 0: outside the region,
 * where the extrapolation value stands. */
typedef struct axis_table {
    int64_t most;
    int64_t *n, *at;
    double *weight;
} axis_table;

/* The place in the input, counted from the centre of its first element, that output element o looks at. `scale` need
 * not be out / in exactly. */
static double source_of(const lm_attr_resize *a, int axis, int64_t o, int64_t in, int64_t out)
{
    double scale = a->scale[axis], lo = a->roi_lo[axis], hi = a->roi_hi[axis], x = (double)o, last = (double)(in - 1);
    double half_pixel = (x + 0.5) / scale - 0.5;
    switch (a->coord) {
    case LM_COORD_HALF_PIXEL_SYMMETRIC: {
        /* the output is a part of the ideal one of size in * scale; their centres fall together */
        double part = (double)out / (scale * (double)in);
        return (double)in / 2 * (1 - part) + half_pixel;
    }
    case LM_COORD_PYTORCH_HALF_PIXEL: return out > 1 ? half_pixel : 0;
    case LM_COORD_ALIGN_CORNERS: return out > 1 ? x * last / (double)(out - 1) : 0;
    case LM_COORD_ASYMMETRIC: return x / scale;
    case LM_COORD_CROP:
        return out > 1 ? lo * last + x * (hi - lo) * last / (double)(out - 1) : 0.5 * (lo + hi) * last;
    default: return half_pixel;
    }
}

/* The hat of linear and Keys' kernel of cubic interpolation, at distance d. */
static double kernel(const lm_attr_resize *a, double d)
{
    double x = fabs(d), c = (double)a->cubic_a;
    if (a->mode == LM_RESIZE_LINEAR)
        return x < 1 ? 1 - x : 0;
    if (x <= 1)
        return ((c + 2) * x - (c + 3)) * x * x + 1;
    return x < 2 ? ((c * x - 5 * c) * x + 8 * c) * x - 4 * c : 0;
}

static int64_t nearest_of(lm_resize_near how, double x)
{
    double below = floor(x), rest = x - below;
    bool up = how == LM_NEAR_CEIL ? rest > 0
            : how == LM_NEAR_FLOOR ? false
            : how == LM_NEAR_PREFER_CEIL ? rest >= 0.5
                                         : rest > 0.5;
    return (int64_t)below + up;
}

static int64_t clamp(int64_t at, int64_t size)
{
    return at < 0 ? 0 : at >= size ? size - 1 : at;
}

/* Half the width of the kernel: antialiasing widens it when shrinking, so that no element is passed over. */
static double reach_of(const lm_attr_resize *a, int axis)
{
    double scale = a->antialias && a->scale[axis] < 1 ? a->scale[axis] : 1;
    return (a->mode == LM_RESIZE_CUBIC ? 2 : 1) / scale;
}

/* An axis that keeps its size, at scale 1 and without a region of its own. */
static bool untouched(const lm_attr_resize *a, int axis, int64_t in, int64_t out)
{
    bool region = a->coord == LM_COORD_CROP && a->roi_lo[axis] != a->roi_hi[axis];
    return in == out && a->scale[axis] == 1 && !region;
}

/* Fill the entries of output coordinate o. Taps past the border repeat the border's element or, with exclude_outside,
 * are left out and the other weights scaled up. */
static int64_t taps_of(const lm_attr_resize *a, int axis, double x, int64_t in, int64_t *at, double *weight)
{
    if (a->mode == LM_RESIZE_NEAREST) {
        at[0] = clamp(nearest_of(a->nearest, x), in);
        weight[0] = 1;
        return 1;
    }
    double reach = reach_of(a, axis), stretch = (a->mode == LM_RESIZE_CUBIC ? 2 : 1) / reach, sum = 0;
    int64_t n = 0, last = (int64_t)ceil(x + reach);
    for (int64_t i = (int64_t)floor(x - reach); i <= last; i++) {
        double w = kernel(a, ((double)i - x) * stretch);
        if (w == 0 || (a->exclude_outside && (i < 0 || i >= in)))
            continue;
        at[n] = clamp(i, in);
        weight[n++] = w;
        sum += w;
    }
    bool partial = a->antialias || a->exclude_outside;
    for (int64_t j = 0; j < n && partial; j++)
        weight[j] /= sum;
    return n;
}

static lm_status make_table(const lm_ref_call *c, int axis, int64_t in, int64_t out, axis_table *t)
{
    const lm_attr_resize *a = &c->a->resize;
    bool same = untouched(a, axis, in, out);
    double reach = a->mode == LM_RESIZE_NEAREST || same ? 0 : reach_of(a, axis);
    int64_t entries;
    t->most = 2 * (int64_t)ceil(reach) + 3;
    LM_REQUIRE(!__builtin_mul_overflow(out, t->most, &entries), LM_MEMORY, "%s: axis %d has too many taps",
               lm_ops[c->op].name, axis);
    t->n = lm_ref_new_ints(c, out);
    t->at = lm_ref_new_ints(c, entries);
    t->weight = lm_ref_new_floats(c, entries);
    LM_REF_NEED(t->n && t->at && t->weight);
    for (int64_t o = 0; o < out; o++) {
        int64_t *at = t->at + o * t->most;
        double *weight = t->weight + o * t->most, x = same ? (double)o : source_of(a, axis, o, in, out);
        if (same) {
            t->n[o] = 1;
            at[0] = o;
            weight[0] = 1;
        } else if (a->coord != LM_COORD_CROP || (x >= 0 && x <= (double)(in - 1))) {
            /* further out than this everything is the border's element */
            double limit = (double)in + reach + 2;
            t->n[o] = taps_of(a, axis, x < -limit ? -limit : x > limit ? limit : x, in, at, weight);
        }
    }
    return LM_OK;
}

/* Tables for all axes between the input's shape and the output's. */
static lm_status make_tables(const lm_ref_call *c, const lm_shape *in, const lm_shape *out, axis_table t[LM_RANK])
{
    for (int k = 0; k < in->rank; k++)
        LM_TRY(make_table(c, k, in->dim[k], out->dim[k], &t[k]));
    return LM_OK;
}

/* Number of taps on each axis for output element `o`; false when one axis has none. */
static bool tap_counts(const axis_table *t, const lm_shape *out, const int64_t *o, lm_shape *taps)
{
    taps->rank = out->rank;
    for (int k = 0; k < out->rank; k++) {
        taps->dim[k] = t[k].n[o[k]];
        if (taps->dim[k] == 0)
            return false;
    }
    return true;
}

/* One combination of taps: its weight, and where it lies in the input. */
static double tap(const axis_table *t, const lm_shape *in, const int64_t *o, const int64_t *j, int64_t at[LM_RANK])
{
    double weight = 1;
    for (int k = 0; k < in->rank; k++) {
        int64_t entry = o[k] * t[k].most + j[k];
        at[k] = t[k].at[entry];
        weight *= t[k].weight[entry];
    }
    return weight;
}

/* Nearest copies elements of any type; the other modes compute in double and round (integers: truncate) once. */
lm_status lm_ref_resize(const lm_ref_call *c)
{
    const lm_view *x = &c->x[0], *y = &c->y[0];
    int64_t n = lm_shape_count(&y->sh), o[LM_RANK] = {0}, at[LM_RANK];
    axis_table t[LM_RANK] = {0};
    LM_TRY(make_tables(c, &x->sh, &y->sh, t));
    const double *dense = lm_ref_floats(c, 0);
    LM_REF_NEED(dense);
    for (int64_t i = 0; i < n; i++, lm_ref_next(&y->sh, o)) {
        lm_shape taps = {0};
        int64_t j[LM_RANK] = {0};
        double sum = 0;
        if (!tap_counts(t, &y->sh, o, &taps)) {
            lm_store_f64(y->dt, lm_ref_at(y, o), (double)c->a->resize.extrapolation);
            continue;
        }
        if (c->a->resize.mode == LM_RESIZE_NEAREST) {
            tap(t, &x->sh, o, j, at);
            memcpy(lm_ref_at(y, o), lm_ref_at(x, at), lm_dtype_size(y->dt));
            continue;
        }
        do {
            double weight = tap(t, &x->sh, o, j, at);
            sum += weight * dense[lm_ref_flat(&x->sh, at)];
        } while (lm_ref_next(&taps, j));
        lm_store_f64(y->dt, lm_ref_at(y, o), sum);
    }
    return LM_OK;
}

/* The exact transpose: each signal element gives its weights to the elements that Resize took. */
lm_status lm_ref_resize_dx(const lm_ref_call *c)
{
    const lm_shape *ss = &c->x[0].sh, *sy = &c->y[0].sh;
    int64_t n = lm_shape_count(ss), o[LM_RANK] = {0}, at[LM_RANK];
    axis_table t[LM_RANK] = {0};
    LM_TRY(make_tables(c, sy, ss, t));
    const double *s = lm_ref_floats(c, 0);
    double *y = lm_ref_new_floats(c, lm_shape_count(sy));
    LM_REF_NEED(s && y);
    for (int64_t i = 0; i < n; i++, lm_ref_next(ss, o)) {
        lm_shape taps = {0};
        int64_t j[LM_RANK] = {0};
        if (!tap_counts(t, ss, o, &taps))
            continue;
        do {
            double weight = tap(t, sy, o, j, at);
            y[lm_ref_flat(sy, at)] += weight * s[i];
        } while (lm_ref_next(&taps, j));
    }
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}
