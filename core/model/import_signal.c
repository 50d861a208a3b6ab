/* Importers of the signal operators: Fourier transforms, windows, mel filters.
 *
 * A complex tensor is a pair of real ones here, and transforms run in float64, whatever the model's type: around a
 * result of 0 nothing less is close. They are products with constant tables of cosines and sines; long ones are split
 * by their factors, so that a table stays small (Cooley and Tukey). */
#include "core/model/import_util.h"

#include <math.h>

enum {
    TABLE = 64,         /* lengths up to here are one table */
    PRIME_MAX = 1 << 11 /* the longest prime factor that is done as a table of its own */
};
static const double two_pi = 6.283185307179586476925286766559;

/* im is LM_NOVAL where the signal is real. */
typedef struct pair {
    lm_val re, im;
} pair;

/* sign * wave(2 pi i j / period), [rows,columns]. */
static lm_val turns_of(lm_import *im, double (*wave)(double), double sign, int64_t rows, int64_t columns,
                       int64_t period)
{
    const lm_shape shape = LM_SHAPE(rows, columns);
    lm_view t;
    if (!lm_import_table(im, LM_F64, &shape, &t))
        return LM_NOVAL;
    double *to = lm_view_data(&t);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            *to++ = sign * wave(two_pi * (double)(i * j % period) / (double)period);
    return lm_constant(im, t);
}

/* cos and sin of 2 pi i j / period, [rows,columns]; sin with the sign of the direction. */
static pair turns(lm_import *im, int64_t rows, int64_t columns, int64_t period, double sign)
{
    const lm_val re = turns_of(im, cos, 1, rows, columns, period);
    return (pair){re, turns_of(im, sin, sign, rows, columns, period)};
}

/* a op b, complex, for products of both kinds. */
static pair product(lm_emit *e, lm_opid op, pair a, pair b)
{
    pair y = {lm_emit1(e, op, NULL, a.re, b.re), lm_emit1(e, op, NULL, a.re, b.im)};
    if (a.im == LM_NOVAL)
        return y;
    y.re = lm_emit1(e, LM_OP_SUB, NULL, y.re, lm_emit1(e, op, NULL, a.im, b.im));
    y.im = lm_emit1(e, LM_OP_ADD, NULL, y.im, lm_emit1(e, op, NULL, a.im, b.re));
    return y;
}

static pair reshaped(lm_import *im, pair x, lm_shape to)
{
    x.re = lm_import_reshaped(im, x.re, to);
    x.im = x.im == LM_NOVAL ? LM_NOVAL : lm_import_reshaped(im, x.im, to);
    return x;
}

static pair swapped(lm_emit *e, pair x)
{
    x.re = lm_emit_swap(e, x.re, 1, 2);
    x.im = x.im == LM_NOVAL ? LM_NOVAL : lm_emit_swap(e, x.im, 1, 2);
    return x;
}

/* The largest factor of n up to TABLE; 1 when there is none. */
static int64_t factor_of(int64_t n)
{
    for (int64_t f = TABLE; f > 1; f--)
        if (n % f == 0)
            return f;
    return 1;
}

/* Sums of x [rows,n] times exp(sign * 2 pi i k t / n). With n = a * b, t = b * t1 + t2 and k = k1 + a * k2: transforms
 * of length a over t1, a turn by k1 * t2 / n, transforms of length b over t2. */
static pair transform(lm_import *im, pair x, int64_t rows, int64_t n, double sign)
{
    lm_emit *e = &im->e;
    const pair nothing = {LM_NOVAL, LM_NOVAL};
    int64_t a = n <= TABLE ? 1 : factor_of(n), b = n / a;
    if (a == 1 && n > PRIME_MAX)
        lm_import_fail(im, LM_UNSUPPORTED, "a transform whose length has the prime factor %lld; at most %d is possible",
                       (long long)n, PRIME_MAX);
    if (e->status != LM_OK)
        return nothing;
    if (a == 1)
        return product(e, LM_OP_MATMUL, x, turns(im, n, n, n, sign));
    x = swapped(e, reshaped(im, x, LM_SHAPE(rows, a, b)));
    x = product(e, LM_OP_MUL, product(e, LM_OP_MATMUL, x, turns(im, a, a, a, sign)), turns(im, b, a, n, sign));
    x = transform(im, reshaped(im, swapped(e, x), LM_SHAPE(rows * a, b)), rows * a, b, sign);
    return reshaped(im, swapped(e, reshaped(im, x, LM_SHAPE(rows, a, b))), LM_SHAPE(rows, n));
}

/* x cut or padded with zeros to n along `axis`. */
static lm_val fit(lm_emit *e, lm_val x, int axis, int64_t n)
{
    int64_t size = lm_emit_shape(e, x)->dim[axis];
    lm_attrs a = {0};
    a.pad.hi[axis] = n - size;
    return size == n ? x : lm_emit1(e, LM_OP_PAD, &a, x);
}

/* The whole spectrum of a real signal of length n from its first n / 2 + 1 values, along the last axis. */
static pair mirrored(lm_import *im, pair x, int64_t n)
{
    lm_emit *e = &im->e;
    lm_attrs a = {0};
    lm_view at, sign;
    const lm_shape list = LM_SHAPE(n);
    if (!lm_import_table(im, LM_I64, &list, &at))
        return x;
    lm_val from = lm_constant(im, at);
    if (!lm_import_table(im, LM_F64, &list, &sign))
        return x;
    for (int64_t k = 0; k < n; k++) {
        ((int64_t *)lm_view_data(&at))[k] = k <= n / 2 ? k : n - k;
        ((double *)lm_view_data(&sign))[k] = k <= n / 2 ? 1 : -1;
    }
    lm_val signs = lm_constant(im, sign);
    a.index.axis = 1;
    x.re = lm_emit1(e, LM_OP_GATHER, &a, x.re, from);
    x.im = x.im == LM_NOVAL ? LM_NOVAL : lm_emit1(e, LM_OP_MUL, NULL, lm_emit1(e, LM_OP_GATHER, &a, x.im, from), signs);
    return x;
}

typedef struct dft {
    int axis;
    int64_t length; /* of the signal */
    bool inverse, onesided;
} dft;

/* x [...,1 or 2] along d->axis. The axis goes last, everything else makes rows, and back. */
static lm_val fourier(lm_import *im, lm_val x, const dft *d)
{
    lm_emit *e = &im->e;
    if (e->status != LM_OK)
        return LM_NOVAL;
    lm_dtype dt = lm_emit_type(e, x)->dt;
    bool half_in = d->inverse && d->onesided, half_out = !d->inverse && d->onesided;
    int last = lm_emit_shape(e, x)->rank - 2; /* of the axes in front of the parts */
    int64_t parts = lm_emit_shape(e, x)->dim[last + 1], half = d->length / 2 + 1;
    if (parts < 1 || parts > 2 || d->length < 1 || (half_out && parts == 2)) {
        lm_import_fail(im, LM_INPUT, "a%s transform of length %lld of numbers with %lld parts",
                       half_out ? " one-sided" : "", (long long)d->length, (long long)parts);
        return LM_NOVAL;
    }
    x = lm_emit_swap(e, fit(e, lm_emit_cast(e, x, LM_F64), d->axis, half_in ? half : d->length), d->axis, last);
    if (e->status != LM_OK)
        return LM_NOVAL;
    lm_shape outer = *lm_emit_shape(e, x);
    outer.rank = last;
    int64_t rows = lm_shape_count(&outer);
    pair p = {lm_emit_pick(e, x, last + 1, 0), parts == 2 ? lm_emit_pick(e, x, last + 1, 1) : LM_NOVAL};
    p = reshaped(im, p, LM_SHAPE(rows, half_in ? half : d->length));
    if (half_in)
        p = mirrored(im, p, d->length);
    p = transform(im, p, rows, d->length, d->inverse ? 1 : -1);
    outer.dim[outer.rank++] = d->length;
    outer.dim[outer.rank++] = 1;
    lm_val part[2] = {lm_import_reshaped(im, p.re, outer), half_in ? LM_NOVAL : lm_import_reshaped(im, p.im, outer)};
    lm_val y = lm_emit_concat(e, half_in ? 1 : 2, part, last + 1);
    y = d->inverse ? lm_emit_scalar(e, LM_OP_DIV, y, (double)d->length) : y;
    y = half_out ? lm_emit_slice(e, y, last, 0, half) : y;
    return lm_emit_cast(e, lm_emit_swap(e, y, d->axis, last), dt);
}

static void import_dft(lm_import *im, int64_t axis)
{
    dft d = {.inverse = lm_attr_int(im, "inverse", 0) != 0, .onesided = lm_attr_int(im, "onesided", 0) != 0};
    if (!lm_import_ranked(im, 0, 2, LM_RANK - 1))
        return;
    const lm_shape *s = lm_in_shape(im, 0);
    d.axis = lm_axis_of(im, axis, s->rank);
    if (im->e.status == LM_OK && d.axis == s->rank - 1)
        lm_import_fail(im, LM_INPUT, "axis %d holds the parts of the numbers", d.axis);
    if (im->e.status != LM_OK)
        return;
    int64_t size = s->dim[d.axis];
    d.length = lm_in_int(im, 1, d.inverse && d.onesided ? 2 * (size - 1) : size);
    im->y[0] = fourier(im, lm_in(im, 0), &d);
}

void lm_import_dft_17(lm_import *im)
{
    import_dft(im, lm_attr_int(im, "axis", 1));
}

void lm_import_dft_20(lm_import *im)
{
    import_dft(im, lm_in_int(im, 2, -2));
}

/* (signal [batch,length,parts], step, window?, frame's length?) -> [batch,frames,bins,2] */
void lm_import_stft(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_attrs a = {0};
    if (!lm_import_needs(im, 2) || !lm_import_ranked(im, 0, 3, 3))
        return;
    const lm_shape *s = lm_in_shape(im, 0);
    lm_val window = lm_in(im, 2);
    int64_t step = lm_in_int(im, 1, 1), length = s->dim[1];
    length = lm_in_int(im, 3, window == LM_NOVAL ? length : lm_in_shape(im, 2)->dim[0]);
    if (e->status == LM_OK && (step < 1 || length < 1 || length > s->dim[1]))
        lm_import_fail(im, LM_INPUT, "frames of %lld at a step of %lld over %lld samples", (long long)length,
                       (long long)step, (long long)s->dim[1]);
    if (e->status != LM_OK)
        return;
    int64_t frames = (s->dim[1] - length) / step + 1;
    const lm_shape places = LM_SHAPE(frames, length);
    lm_view at;
    if (!lm_import_table(im, LM_I64, &places, &at))
        return;
    for (int64_t i = 0; i < frames * length; i++)
        ((int64_t *)lm_view_data(&at))[i] = i / length * step + i % length;
    a.index.axis = 1;
    lm_val x = lm_emit1(e, LM_OP_GATHER, &a, lm_in(im, 0), lm_constant(im, at));
    if (window != LM_NOVAL)
        x = lm_emit1(e, LM_OP_MUL, NULL, x, LM_IMPORT_RESHAPE(im, window, length, 1));
    const dft d = {.axis = 2, .length = length, .onesided = lm_attr_int(im, "onesided", 1) != 0 && s->dim[2] == 1};
    im->y[0] = fourier(im, x, &d);
}

/* a - b cos(t) + c cos(2 t) over one period. */
static void window_of(lm_import *im, double a, double b, double c)
{
    bool periodic = lm_attr_int(im, "periodic", 1) != 0;
    lm_dtype dt = lm_attr_type(im, "output_datatype", LM_F32);
    if (!lm_import_needs(im, 1))
        return;
    int64_t n = lm_in_int(im, 0, 0);
    const lm_shape shape = LM_SHAPE(n < 0 ? 0 : n);
    lm_view w;
    if (n < 0)
        lm_import_fail(im, LM_INPUT, "a window of %lld samples", (long long)n);
    if (!lm_import_table(im, dt, &shape, &w))
        return;
    double period = (double)(periodic ? n : n - 1);
    for (int64_t i = 0; i < n; i++) {
        double t = n == 1 ? two_pi / 2 : two_pi * (double)i / period;
        lm_view_set(&w, i, a - b * cos(t) + c * cos(2 * t));
    }
    im->y[0] = lm_constant(im, w);
}

void lm_import_hannwindow(lm_import *im)
{
    window_of(im, 0.5, 0.5, 0);
}

void lm_import_hammingwindow(lm_import *im)
{
    window_of(im, 25.0 / 46, 21.0 / 46, 0);
}

void lm_import_blackmanwindow(lm_import *im)
{
    window_of(im, 0.42, 0.5, 0.08);
}

static double mel(double hertz)
{
    return 2595 * log10(1 + hertz / 700);
}

/* (bands, length of the transform, sample rate, lowest, highest hertz) -> [bins,bands]: triangles that are evenly
 * spaced on the mel scale; their corners lie on whole bins. */
void lm_import_melweightmatrix(lm_import *im)
{
    lm_dtype dt = lm_attr_type(im, "output_datatype", LM_F32);
    if (!lm_import_needs(im, 5))
        return;
    int64_t bands = lm_in_int(im, 0, 0), length = lm_in_int(im, 1, 0), rate = lm_in_int(im, 2, 0);
    double low = mel(lm_in_number(im, 3, 0)), high = mel(lm_in_number(im, 4, 0)),
           step = (high - low) / (double)(bands + 2);
    if (im->e.status == LM_OK && (bands < 1 || bands > INT32_MAX || length < 1 || length > INT32_MAX || rate < 1 ||
                                  !(low >= 0 && high >= low && high < 1e6)))
        lm_import_fail(im, LM_INPUT, "%lld bands of a transform of length %lld at %lld samples per second",
                       (long long)bands, (long long)length, (long long)rate);
    const lm_shape shape = LM_SHAPE(length / 2 + 1, bands);
    lm_view w;
    if (!lm_import_table(im, dt, &shape, &w))
        return;
    for (int64_t i = 0; i < bands; i++) {
        double corner[3];
        for (int k = 0; k < 3; k++)
            corner[k] =
                floor((double)(length + 1) * 700 * (pow(10, (low + step * (double)(i + k)) / 2595) - 1) / (double)rate);
        for (int64_t bin = 0; bin <= length / 2; bin++) {
            double at = (double)bin, up = corner[1] - corner[0], down = corner[2] - corner[1], weight = 0;
            if (at >= corner[0] && at <= corner[1])
                weight = up > 0 ? (at - corner[0]) / up : 1;
            else if (at > corner[1] && at < corner[2])
                weight = (corner[2] - at) / down;
            lm_view_set(&w, bin * bands + i, weight);
        }
    }
    im->y[0] = lm_constant(im, w);
}
