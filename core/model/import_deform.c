/* Importer of DeformConv: a convolution whose taps are moved, each by an offset of its own at every position. */
#include "core/model/import_sample.h"

/* Sizes: batch n, channels c, results m, groups of the weights g and of the offsets og, taps k, positions p. */
typedef struct deform {
    lm_attr_conv conv;
    int64_t n, c, m, g, og, k, p, pixels;
    lm_shape out;
} deform;

/* The geometry is that of a convolution, so a convolution is asked for it: the op that reads nothing but shapes. */
static bool measure(lm_import *im, deform *d)
{
    static const char *const names[] = {"strides", "dilations", "pads"};
    int64_t list[3][2 * LM_SPATIAL];
    int n[3];
    if (!lm_import_ranked(im, 0, 3, LM_SPATIAL + 2) || !lm_import_needs(im, 3))
        return false;
    const lm_shape *x = lm_in_shape(im, 0), *w = lm_in_shape(im, 1), *o = lm_in_shape(im, 2);
    int nd = x->rank - 2;
    for (int i = 0; i < 3; i++)
        if (!lm_attr_ints(im, names[i], list[i], 2 * LM_SPATIAL, &n[i]) ||
            (n[i] >= 0 && n[i] != (i == 2 ? 2 * nd : nd))) {
            lm_import_fail(im, LM_INPUT, "%s has %d numbers for %d spatial axes", names[i], n[i], nd);
            return false;
        }
    *d = (deform){.n = x->dim[0], .c = x->dim[1], .m = w->dim[0], .g = lm_attr_int(im, "group", 1),
                  .og = lm_attr_int(im, "offset_group", 1), .k = 1, .p = 1, .pixels = 1};
    bool sound = w->rank == nd + 2 && o->rank == nd + 2 && d->g > 0 && d->og > 0 && d->c % d->g == 0 &&
                 d->c % d->og == 0 && d->m % d->g == 0 && w->dim[1] == d->c / d->g && o->dim[0] == d->n;
    d->out = (lm_shape){.rank = nd + 2, .dim = {d->n, d->m}};
    for (int i = 0; i < nd && sound; i++) {
        d->conv.kernel[i] = w->dim[i + 2];
        d->conv.stride[i] = n[0] < 0 ? 1 : list[0][i];
        d->conv.dilation[i] = n[1] < 0 ? 1 : list[1][i];
        d->conv.pad_lo[i] = n[2] < 0 ? 0 : list[2][i];
        sound = d->conv.stride[i] > 0 && d->conv.dilation[i] > 0;
        d->pixels *= x->dim[i + 2];
        d->k *= w->dim[i + 2];
        d->p *= d->out.dim[i + 2] = o->dim[i + 2];
    }
    sound = sound && o->dim[1] == d->og * d->k * nd;
    char text[3][LM_SHAPE_TEXT];
    if (!sound)
        lm_import_fail(im, LM_INPUT, "x %s, weights %s and offsets %s do not fit together", lm_shape_text(x, text[0]),
                       lm_shape_text(w, text[1]), lm_shape_text(o, text[2]));
    return sound;
}

/* Where taps and positions lie on an axis without offsets: [1,k,p]. */
static lm_val places(lm_import *im, const deform *d, int axis, lm_dtype dt)
{
    const lm_attr_conv *c = &d->conv;
    const lm_shape shape = LM_SHAPE(1, d->k, d->p);
    int nd = d->out.rank - 2;
    int64_t tap_step = 1, place_step = 1;
    lm_view t;
    if (!lm_import_table(im, dt, &shape, &t))
        return LM_NOVAL;
    for (int i = nd - 1; i > axis; i--) {
        tap_step *= c->kernel[i];
        place_step *= d->out.dim[i + 2];
    }
    for (int64_t k = 0; k < d->k; k++)
        for (int64_t p = 0; p < d->p; p++) {
            int64_t tap = k / tap_step % c->kernel[axis], place = p / place_step % d->out.dim[axis + 2];
            int64_t at = place * c->stride[axis] - c->pad_lo[axis] + tap * c->dilation[axis];
            lm_view_set(&t, k * d->p + p, (double)at);
        }
    return lm_constant(im, t);
}

/* (x, weights, offsets [n,og*k*nd,...], bias?, mask [n,og*k,...]?) */
void lm_import_deformconv(lm_import *im)
{
    lm_emit *e = &im->e;
    deform d;
    lm_taps taps[LM_SPATIAL];
    if (!measure(im, &d))
        return;
    int nd = d.out.rank - 2;
    int64_t rows = d.n * d.og, each = d.c / d.og;
    lm_dtype dt = lm_in_type(im, 0)->dt;
    lm_val offset = LM_IMPORT_RESHAPE(im, lm_in(im, 2), rows, d.k, nd, d.p);
    for (int i = 0; i < nd; i++) {
        lm_val at = lm_emit1(e, LM_OP_ADD, NULL, lm_emit_pick(e, offset, 2, i), places(im, &d, i, dt));
        lm_taps_linear(im, LM_IMPORT_RESHAPE(im, at, rows, d.k * d.p), lm_in_shape(im, 0)->dim[i + 2], &taps[i]);
    }
    lm_val x = lm_emit_swap(e, LM_IMPORT_RESHAPE(im, lm_in(im, 0), rows, each, d.pixels), 1, 2);
    lm_val column = lm_import_sample(im, x, nd, lm_in_shape(im, 0)->dim + 2, taps);
    if (lm_in(im, 4) != LM_NOVAL)
        column = lm_emit1(e, LM_OP_MUL, NULL, column, LM_IMPORT_RESHAPE(im, lm_in(im, 4), rows, d.k * d.p, 1));
    column = lm_emit_swap(e, column, 1, 2); /* [rows,each,k*p] is [n,c,k,p] */
    column = LM_IMPORT_RESHAPE(im, column, d.n, d.g, d.c / d.g * d.k, d.p);
    lm_val w = LM_IMPORT_RESHAPE(im, lm_in(im, 1), d.g, d.m / d.g, d.c / d.g * d.k);
    lm_val y = lm_import_reshaped(im, lm_emit1(e, LM_OP_MATMUL, NULL, w, column), d.out);
    if (lm_in(im, 3) != LM_NOVAL)
        y = lm_emit1(e, LM_OP_ADD, NULL, y, lm_import_align(im, lm_in(im, 3), y, 1));
    im->y[0] = y;
}
