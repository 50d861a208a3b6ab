/* Importers of operators that cut and fill images: Col2Im, CenterCropPad, MaxUnpool. */
#include "core/model/import_util.h"

/* A list with one number per spatial axis, `otherwise` where the attribute is left out. */
static bool per_axis(lm_import *im, const char *name, int count, int64_t otherwise, int64_t *out)
{
    int n;
    if (!lm_attr_ints(im, name, out, 2 * LM_SPATIAL, &n))
        return false;
    if (n >= 0 && n != count)
        lm_import_fail(im, LM_INPUT, "%s has %d numbers; expected %d", name, n, count);
    for (int i = 0; i < count; i++) {
        out[i] = n < 0 ? otherwise : out[i];
        if (out[i] < 0 || out[i] > INT32_MAX)
            lm_import_fail(im, LM_INPUT, "%s holds %lld", name, (long long)out[i]);
    }
    return im->e.status == LM_OK;
}

/* Blocks put back where they were cut out, sums where they lie over each other: a transposed convolution of every
 * channel with one weight of 1 per element of the block. (columns [n,c*elements,blocks], image's size, block's size) */
void lm_import_col2im(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_attrs a = {0};
    int64_t pads[2 * LM_SPATIAL], list[2 * LM_SPATIAL], elements = 1, blocks = 1;
    int nd, nb;
    if (!lm_import_needs(im, 3) || !lm_import_ranked(im, 0, 3, 3) || !lm_in_ints(im, 1, a.conv.size, LM_SPATIAL, &nd) ||
        !lm_in_ints(im, 2, a.conv.kernel, LM_SPATIAL, &nb))
        return;
    const lm_shape *s = lm_in_shape(im, 0);
    lm_shape wide = {.rank = nd + 2, .dim = {s->dim[0], s->dim[1]}}, weights = wide;
    if (nd != nb || nd < 1)
        lm_import_fail(im, LM_INPUT, "an image of %d axes and blocks of %d", nd, nb);
    if (!per_axis(im, "strides", nd, 1, list) || !per_axis(im, "pads", 2 * nd, 0, pads))
        return;
    a.conv.nd = nd;
    for (int i = 0; i < nd; i++) {
        a.conv.stride[i] = list[i];
        a.conv.pad_lo[i] = pads[i];
        a.conv.pad_hi[i] = pads[nd + i];
    }
    if (!per_axis(im, "dilations", nd, 1, a.conv.dilation))
        return;
    for (int i = 0; i < nd; i++) {
        const lm_attr_conv *c = &a.conv;
        int64_t room = c->size[i] + pads[i] + pads[nd + i] - (c->kernel[i] - 1) * c->dilation[i] - 1;
        bool sound = c->kernel[i] > 0 && c->kernel[i] < INT32_MAX && c->stride[i] > 0 && c->size[i] >= 0 && room >= 0;
        if (!sound || !lm_mul_i64(elements, c->kernel[i], &elements) || elements > s->dim[1]) {
            lm_import_fail(im, LM_INPUT, "blocks of %lld do not fit an image of %lld on axis %d",
                           (long long)c->kernel[i], (long long)c->size[i], i);
            return;
        }
        weights.dim[i + 2] = c->kernel[i];
        blocks *= wide.dim[i + 2] = room / c->stride[i] + 1;
    }
    if (s->dim[1] % elements || blocks != s->dim[2] || s->dim[1] / elements > INT32_MAX) {
        lm_import_fail(im, LM_INPUT, "columns of shape %s; expected a multiple of %lld in %lld blocks",
                       lm_shape_text(s, (char[LM_SHAPE_TEXT]){0}), (long long)elements, (long long)blocks);
        return;
    }
    a.conv.groups = (int32_t)(s->dim[1] / elements);
    weights.dim[0] = s->dim[1];
    weights.dim[1] = 1;
    lm_view w;
    if (!lm_import_table(im, lm_in_type(im, 0)->dt, &weights, &w))
        return;
    for (int64_t i = 0; i < s->dim[1] * elements; i++)
        lm_view_set(&w, i, i / elements % elements == i % elements);
    im->y[0] = lm_emit1(e, LM_OP_CONV_T, &a, lm_import_reshaped(im, lm_in(im, 0), wide), lm_constant(im, w));
}

/* Cut or filled with zeros around the middle. */
void lm_import_centercroppad(lm_import *im)
{
    int64_t size[LM_RANK], list[LM_RANK];
    int n, axes;
    lm_attrs a = {0};
    if (!lm_import_needs(im, 2) || !lm_in_ints(im, 1, size, LM_RANK, &n) ||
        !lm_attr_ints(im, "axes", list, LM_RANK, &axes))
        return;
    const lm_shape *s = lm_in_shape(im, 0);
    bool changes = false;
    if (n != (axes < 0 ? s->rank : axes))
        lm_import_fail(im, LM_INPUT, "%d sizes for %d axes", n, axes < 0 ? s->rank : axes);
    for (int i = 0; i < n && im->e.status == LM_OK; i++) {
        int axis = axes < 0 ? i : lm_axis_of(im, list[i], s->rank);
        if (im->e.status == LM_OK && size[i] < 0)
            lm_import_fail(im, LM_INPUT, "size %lld on axis %d", (long long)size[i], axis);
        if (im->e.status != LM_OK)
            return;
        int64_t more = size[i] - s->dim[axis];
        a.pad.lo[axis] = more < 0 ? -(-more / 2) : more / 2;
        a.pad.hi[axis] = more - a.pad.lo[axis];
        changes |= more != 0;
    }
    im->y[0] = changes ? lm_emit1(&im->e, LM_OP_PAD, &a, lm_in(im, 0)) : lm_in(im, 0);
}

/* (x, MaxPool's indices, size?): the indices count through the whole image that was pooled. Where a larger size is
 * given, that image stands in its first corner. */
void lm_import_maxunpool(lm_import *im)
{
    lm_emit *e = &im->e;
    int64_t kernel[2 * LM_SPATIAL], stride[2 * LM_SPATIAL], pads[2 * LM_SPATIAL], size[LM_RANK];
    int n;
    if (!lm_import_needs(im, 2) || !lm_import_ranked(im, 0, 3, LM_SPATIAL + 2) || !lm_in_ints(im, 2, size, LM_RANK, &n))
        return;
    const lm_shape *s = lm_in_shape(im, 0);
    int nd = s->rank - 2;
    lm_shape image = *s;
    if (!lm_attr(im, "kernel_shape") || !per_axis(im, "kernel_shape", nd, 1, kernel) ||
        !per_axis(im, "strides", nd, 1, stride) || !per_axis(im, "pads", 2 * nd, 0, pads)) {
        lm_import_fail(im, LM_INPUT, "attribute 'kernel_shape' is missing");
        return;
    }
    for (int i = 0; i < nd; i++) {
        int64_t steps;
        if (!lm_mul_i64(s->dim[i + 2] - 1, stride[i], &steps))
            steps = INT64_MIN / 2;
        image.dim[i + 2] = steps + kernel[i] - pads[i] - pads[nd + i];
    }
    lm_attrs a = {0};
    bool larger = false;
    for (int i = 0; i < s->rank && n >= 0; i++) {
        a.pad.hi[i] = i < n ? size[i] - image.dim[i] : 0;
        larger |= a.pad.hi[i] != 0;
    }
    int64_t count;
    if ((n >= 0 && n != s->rank) || lm_shape_check(&image, &count) != LM_OK) {
        lm_import_fail(im, LM_INPUT, "the result has no size");
        return;
    }
    const lm_shape all = LM_SHAPE(count), list = LM_SHAPE(lm_shape_count(s));
    lm_val zeros = lm_emit_full(e, lm_in_type(im, 0)->dt, &all, 0);
    lm_attrs put = {0};
    lm_val y = lm_emit1(e, LM_OP_SCATTERELEMENTS, &put, zeros, lm_import_reshaped(im, lm_in(im, 1), list),
                        lm_import_reshaped(im, lm_in(im, 0), list));
    y = lm_import_reshaped(im, y, image);
    im->y[0] = larger ? lm_emit1(e, LM_OP_PAD, &a, y) : y;
}
