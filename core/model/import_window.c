/* The attributes that convolutions and pools share, and their importers. */
#include "core/model/import_util.h"

#include <math.h>
#include <string.h>

/* A window walking over `nd` spatial axes. */
typedef struct window {
    int nd;
    int64_t kernel[LM_SPATIAL], stride[LM_SPATIAL], dilation[LM_SPATIAL], lo[LM_SPATIAL], hi[LM_SPATIAL];
    enum { PADS_GIVEN, PADS_UPPER, PADS_LOWER, PADS_NONE } pads;
} window;

/* A list with one number per spatial axis, all of them `otherwise` when the attribute is left out. */
static bool per_axis(lm_import *im, const char *name, int nd, int64_t otherwise, int64_t *out)
{
    int n;
    if (!lm_attr_ints(im, name, out, LM_SPATIAL, &n))
        return false;
    if (n >= 0 && n != nd)
        lm_import_fail(im, LM_INPUT, "%s has %d numbers for %d spatial axes", name, n, nd);
    for (int i = 0; n < 0 && i < nd; i++)
        out[i] = otherwise;
    /* far below what a sum of a few could overflow at */
    for (int i = 0; i < nd && im->e.status == LM_OK; i++)
        if (out[i] < -INT32_MAX || out[i] > INT32_MAX)
            lm_import_fail(im, LM_INPUT, "%s holds %lld; expected numbers below 2^31", name, (long long)out[i]);
    return im->e.status == LM_OK;
}

/* `kernel`: sizes to take where the attribute is left out; NULL: it must be there. */
static bool window_of(lm_import *im, const int64_t *kernel, window *w)
{
    static const char *const words[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", NULL};
    *w = (window){.nd = lm_in_shape(im, 0)->rank - 2};
    int64_t pads[2 * LM_SPATIAL];
    int n;
    w->pads = (unsigned)lm_attr_choice(im, "auto_pad", PADS_GIVEN, words);
    if (!kernel && !lm_attr(im, "kernel_shape"))
        lm_import_fail(im, LM_INPUT, "attribute 'kernel_shape' is missing");
    if (im->e.status != LM_OK || !per_axis(im, "kernel_shape", w->nd, 1, w->kernel) ||
        !per_axis(im, "strides", w->nd, 1, w->stride) || !per_axis(im, "dilations", w->nd, 1, w->dilation) ||
        !lm_attr_ints(im, "pads", pads, 2 * LM_SPATIAL, &n))
        return false;
    if (n >= 0 && n != 2 * w->nd)
        lm_import_fail(im, LM_INPUT, "pads has %d numbers for %d spatial axes; expected %d", n, w->nd, 2 * w->nd);
    for (int i = 0; i < w->nd && im->e.status == LM_OK; i++) {
        if (kernel && !lm_attr(im, "kernel_shape"))
            w->kernel[i] = kernel[i];
        if (w->stride[i] < 1 || w->kernel[i] < 1 || w->dilation[i] < 1)
            lm_import_fail(im, LM_INPUT, "kernel %lld, stride %lld and dilation %lld on spatial axis %d; expected 1 "
                                         "or more", (long long)w->kernel[i], (long long)w->stride[i],
                           (long long)w->dilation[i], i);
        bool given = w->pads == PADS_GIVEN && n > 0;
        w->lo[i] = given ? pads[i] : 0;
        w->hi[i] = given ? pads[w->nd + i] : 0;
    }
    return im->e.status == LM_OK;
}

static int64_t extent(const window *w, int i)
{
    return (w->kernel[i] - 1) * w->dilation[i] + 1;
}

/* Share padding out over both ends; the odd one goes where auto_pad says. */
static void share(window *w, int i, int64_t total)
{
    total = total < 0 ? 0 : total;
    w->lo[i] = w->pads == PADS_UPPER ? total / 2 : total - total / 2;
    w->hi[i] = total - w->lo[i];
}

/* auto_pad = SAME_*: as many positions as the stride goes into the size, rounded up. */
static void same_pads(lm_import *im, window *w)
{
    for (int i = 0; i < w->nd && (w->pads == PADS_UPPER || w->pads == PADS_LOWER); i++) {
        int64_t in = lm_in_shape(im, 0)->dim[i + 2], positions = in / w->stride[i] + (in % w->stride[i] != 0);
        share(w, i, (positions - 1) * w->stride[i] + extent(w, i) - in);
    }
}

static lm_attrs conv_attrs(lm_import *im, const window *w)
{
    lm_attrs a = {0};
    int64_t groups = lm_attr_int(im, "group", 1);
    if (groups < 1 || groups > INT32_MAX)
        lm_import_fail(im, LM_INPUT, "group = %lld; expected 1 or more", (long long)groups);
    a.conv.nd = w->nd;
    a.conv.groups = im->e.status == LM_OK ? (int32_t)groups : 1;
    for (int i = 0; i < w->nd; i++) {
        a.conv.kernel[i] = w->kernel[i];
        a.conv.stride[i] = w->stride[i];
        a.conv.dilation[i] = w->dilation[i];
        a.conv.pad_lo[i] = w->lo[i];
        a.conv.pad_hi[i] = w->hi[i];
    }
    return a;
}

/* Emit the convolution with or without its bias. */
static void convolve(lm_import *im, lm_opid op, const lm_attrs *a)
{
    lm_val x[3] = {lm_in(im, 0), lm_in(im, 1), lm_in(im, 2)};
    im->y[0] = lm_emit_one(&im->e, op, a, x[2] == LM_NOVAL ? 2 : 3, x);
}

static bool conv_window(lm_import *im, window *w)
{
    if (!lm_import_ranked(im, 0, 3, LM_SPATIAL + 2))
        return false;
    int rank = lm_in_shape(im, 0)->rank;
    return lm_import_ranked(im, 1, rank, rank) && window_of(im, lm_in_shape(im, 1)->dim + 2, w);
}

void lm_import_conv(lm_import *im)
{
    window w;
    if (!conv_window(im, &w))
        return;
    same_pads(im, &w);
    lm_attrs a = conv_attrs(im, &w);
    convolve(im, LM_OP_CONV, &a);
}

/* The size of the result is given, or follows from the pads; where it is given, the pads follow from it. */
void lm_import_convtranspose(lm_import *im)
{
    window w;
    int64_t more[LM_SPATIAL], size[LM_SPATIAL];
    bool sized = lm_attr(im, "output_shape") != NULL;
    if (!conv_window(im, &w) || !per_axis(im, "output_padding", w.nd, 0, more) ||
        !per_axis(im, "output_shape", w.nd, 0, size))
        return;
    bool same = w.pads == PADS_UPPER || w.pads == PADS_LOWER;
    for (int i = 0; i < w.nd; i++) {
        int64_t in = lm_in_shape(im, 0)->dim[i + 2], full;
        if (!lm_mul_i64(in > 0 ? in - 1 : 0, w.stride[i], &full)) {
            lm_import_fail(im, LM_INPUT, "the result is too large");
            return;
        }
        full += more[i] + extent(&w, i);
        if (!sized)
            size[i] = same ? in * w.stride[i] : full - w.lo[i] - w.hi[i];
        if (sized || same)
            share(&w, i, full - size[i]);
    }
    lm_attrs a = conv_attrs(im, &w);
    for (int i = 0; i < w.nd; i++)
        a.conv.size[i] = size[i];
    convolve(im, LM_OP_CONV_T, &a);
}

static bool pool_attrs(lm_import *im, lm_attrs *a)
{
    window w;
    if (!lm_import_ranked(im, 0, 3, LM_SPATIAL + 2) || !window_of(im, NULL, &w))
        return false;
    same_pads(im, &w);
    *a = (lm_attrs){0};
    a->pool.nd = w.nd;
    a->pool.ceil = lm_attr_int(im, "ceil_mode", 0) != 0;
    for (int i = 0; i < w.nd; i++) {
        a->pool.kernel[i] = w.kernel[i];
        a->pool.stride[i] = w.stride[i];
        a->pool.dilation[i] = w.dilation[i];
        a->pool.pad_lo[i] = w.lo[i];
        a->pool.pad_hi[i] = w.hi[i];
    }
    return im->e.status == LM_OK;
}

void lm_import_maxpool(lm_import *im)
{
    lm_attrs a;
    if (!pool_attrs(im, &a))
        return;
    a.pool.column_major = lm_attr_int(im, "storage_order", 0) != 0;
    lm_val x = lm_in(im, 0), y[2];
    int n = lm_wants(im, 1) ? 2 : 1;
    lm_emit_op(&im->e, LM_OP_MAXPOOL, &a, 1, &x, n, y);
    memcpy(im->y, y, (size_t)n * sizeof *y);
}

void lm_import_avgpool(lm_import *im)
{
    lm_attrs a;
    if (!pool_attrs(im, &a))
        return;
    a.pool.count_pad = lm_attr_int(im, "count_include_pad", 0) != 0;
    im->y[0] = lm_emit1(&im->e, LM_OP_AVGPOOL, &a, lm_in(im, 0));
}

/* The exponent p, a whole number; version 1 wrote it as a float. */
static int32_t exponent(lm_import *im)
{
    const onnx_attr *p = lm_attr(im, "p");
    double value = p && p->type == ONNX_ATTR_FLOAT ? lm_attr_float(im, "p", 2) : (double)lm_attr_int(im, "p", 2);
    if (!(value >= 1 && value <= 1024 && value == floor(value))) {
        lm_import_fail(im, LM_UNSUPPORTED, "p = %g; expected a whole number from 1 to 1024", value);
        return 2;
    }
    return (int32_t)value;
}

void lm_import_lppool(lm_import *im)
{
    lm_attrs a;
    if (!pool_attrs(im, &a))
        return;
    a.pool.p = exponent(im);
    im->y[0] = lm_emit1(&im->e, LM_OP_LPPOOL, &a, lm_in(im, 0));
}

void lm_import_globalpool(lm_import *im)
{
    lm_attrs a = {0};
    if (im->op == LM_OP_GLOBAL_LP)
        a.norm.p = exponent(im);
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, im->op, &a, lm_in(im, 0));
}
