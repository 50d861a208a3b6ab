/* The coordinates and weights of ONNX's Resize. */
#include "core/ops/resample.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"

/* Shrinking further than this with antialiasing is left to the reference. */
#define REACH_MAX 1048576.0

bool lm_taps_trivial(const lm_attr_resize *a, int axis, int64_t in, int64_t out)
{
    return in == out && a->scale[axis] == 1 && !(a->coord == LM_COORD_CROP && a->roi_lo[axis] != a->roi_hi[axis]);
}

void lm_taps_free(lm_taps *t)
{
    lm_free(t->first);
    lm_free(t->tap);
    memset(t, 0, sizeof *t);
}

static lm_status start(lm_taps *t, int64_t n)
{
    memset(t, 0, sizeof *t);
    t->n = n;
    t->first = lm_malloc((size_t)n + 1, sizeof *t->first);
    if (!t->first)
        return LM_MEMORY;
    t->first[0] = 0;
    return LM_OK;
}

static lm_status push(lm_taps *t, int64_t at, double weight)
{
    if (t->count == t->room) {
        int64_t room = t->room ? 2 * t->room : 2 * t->n + 16;
        lm_tap *tap = lm_realloc(t->tap, (size_t)room, sizeof *tap);
        if (!tap)
            return LM_MEMORY;
        t->tap = tap;
        t->room = room;
    }
    t->tap[t->count++] = (lm_tap){at, (float)weight};
    return LM_OK;
}

/* The coordinate on the input's axis, 0 being its first element's centre, that position o looks at. */
static double coordinate(const lm_attr_resize *a, int axis, int64_t o, int64_t in, int64_t out)
{
    double scale = a->scale[axis], end = (double)(in - 1), half = ((double)o + 0.5) / scale - 0.5;
    switch (a->coord) {
    case LM_COORD_HALF_PIXEL_SYMMETRIC:
        /* sizes are whole numbers, so the result may miss a part of the ideal one: keep their centres together */
        return (double)in / 2 * (1 - (double)out / (scale * (double)in)) + half;
    case LM_COORD_PYTORCH_HALF_PIXEL:
        return out > 1 ? half : 0;
    case LM_COORD_ALIGN_CORNERS:
        return out > 1 ? (double)o * end / (double)(out - 1) : 0;
    case LM_COORD_ASYMMETRIC:
        return (double)o / scale;
    case LM_COORD_CROP: {
        double lo = a->roi_lo[axis], hi = a->roi_hi[axis];
        return out > 1 ? lo * end + (double)o * (hi - lo) * end / (double)(out - 1) : 0.5 * (lo + hi) * end;
    }
    default:
        return half;
    }
}

static int64_t round_to(lm_resize_near how, double x)
{
    switch (how) {
    case LM_NEAR_FLOOR: return (int64_t)floor(x);
    case LM_NEAR_CEIL: return (int64_t)ceil(x);
    case LM_NEAR_PREFER_CEIL: return (int64_t)floor(x) + (x - floor(x) >= 0.5);
    default: return (int64_t)floor(x) + (x - floor(x) > 0.5);
    }
}

/* Weight at distance d, in units of the kernel: a hat, or Keys' cubic with its parameter. */
static double weight_at(const lm_attr_resize *a, double d)
{
    double x = fabs(d), p = (double)a->cubic_a;
    if (a->mode == LM_RESIZE_LINEAR)
        return x < 1 ? 1 - x : 0;
    if (x <= 1)
        return ((p + 2) * x - (p + 3)) * x * x + 1;
    return x < 2 ? ((p * x - 5 * p) * x + 8 * p) * x - 4 * p : 0;
}

/* The taps around x. Elements past the border are the border's, or with exclude_outside none; weights that are then
 * missing are made up for, and those of a widened kernel brought to sum 1. */
static lm_status push_window(lm_taps *t, const lm_attr_resize *a, double x, int64_t in, double shrink)
{
    double reach = (a->mode == LM_RESIZE_CUBIC ? 2 : 1) / shrink, sum = 0;
    int64_t lo = (int64_t)floor(x - reach), hi = (int64_t)ceil(x + reach);
    bool scaled = a->antialias || a->exclude_outside;
    for (int pass = scaled ? 0 : 1; pass < 2; pass++)
        for (int64_t i = lo; i <= hi; i++) {
            double w = weight_at(a, ((double)i - x) * shrink);
            if (w == 0 || (a->exclude_outside && (i < 0 || i >= in)))
                continue;
            if (pass == 0)
                sum += w;
            else
                LM_TRY(push(t, i < 0 ? 0 : i >= in ? in - 1 : i, scaled ? w / sum : w));
        }
    return LM_OK;
}

static lm_status make(const lm_attr_resize *a, int axis, int64_t in, int64_t out, lm_taps *t)
{
    bool trivial = lm_taps_trivial(a, axis, in, out);
    double shrink = a->antialias && a->scale[axis] < 1 ? a->scale[axis] : 1;
    LM_TRY(start(t, out));
    LM_REQUIRE(a->mode == LM_RESIZE_NEAREST || 2 / shrink < REACH_MAX, LM_UNSUPPORTED,
               "Resize: scale %g on axis %d has no kernel", shrink, axis);
    for (int64_t o = 0; o < out; o++) {
        double x = coordinate(a, axis, o, in, out);
        /* everything further out is the border's element, wherever it is */
        double far = (double)in + 2 / shrink + 2;
        double near = x < -far ? -far : x > far ? far : x;
        if (trivial) {
            LM_TRY(push(t, o, 1));
        } else if (a->coord == LM_COORD_CROP && !(x >= 0 && x <= (double)(in - 1))) {
            /* no taps: the extrapolation value stands here */
        } else if (a->mode == LM_RESIZE_NEAREST) {
            int64_t at = round_to(a->nearest, near);
            LM_TRY(push(t, at < 0 ? 0 : at >= in ? in - 1 : at, 1));
        } else {
            LM_TRY(push_window(t, a, near, in, shrink));
        }
        t->first[o + 1] = t->count;
    }
    return LM_OK;
}

static lm_status transpose(const lm_taps *t, int64_t in, lm_taps *back)
{
    LM_TRY(start(back, in));
    back->tap = lm_malloc((size_t)t->count, sizeof *back->tap);
    int64_t *next = lm_calloc((size_t)in + 1, sizeof *next);
    if (!back->tap || !next) {
        lm_free(next);
        return LM_MEMORY;
    }
    back->count = back->room = t->count;
    for (int64_t j = 0; j < t->count; j++)
        next[t->tap[j].at + 1]++;
    for (int64_t i = 0; i < in; i++) {
        next[i + 1] += next[i];
        back->first[i + 1] = next[i + 1];
    }
    for (int64_t o = 0; o < t->n; o++)
        for (int64_t j = t->first[o]; j < t->first[o + 1]; j++)
            back->tap[next[t->tap[j].at]++] = (lm_tap){o, t->tap[j].weight};
    lm_free(next);
    return LM_OK;
}

lm_status lm_taps_make(const lm_attr_resize *a, int axis, int64_t in, int64_t out, bool back, lm_taps *t)
{
    lm_taps forward = {0};
    if (!back)
        return make(a, axis, in, out, t);
    memset(t, 0, sizeof *t);
    lm_status status = make(a, axis, in, out, &forward);
    if (status == LM_OK)
        status = transpose(&forward, in, t);
    lm_taps_free(&forward);
    return status;
}
