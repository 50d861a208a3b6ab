/* Windows over images, and pooling. */
#include <math.h>

#include "backends/ref/ref.h"
#include "core/base/mem.h"

lm_status lm_ref_windows_of(const lm_ref_call *c, const lm_ref_geometry *g, lm_ref_windows *out)
{
    lm_shape kernel = {.rank = g->nd}, positions = {.rank = g->nd}, image = {.rank = g->nd};
    for (int i = 0; i < g->nd; i++) {
        kernel.dim[i] = g->kernel[i];
        positions.dim[i] = g->out[i];
        image.dim[i] = g->in[i];
    }
    int64_t taps, entries;
    LM_TRY(lm_context(lm_shape_check(&kernel, &taps), "%s: the kernel", lm_ops[c->op].name));
    *out = (lm_ref_windows){lm_shape_count(&positions), taps, lm_shape_count(&image), NULL};
    LM_REQUIRE(lm_mul_i64(out->positions, out->taps, &entries), LM_MEMORY, "%s: %lld windows of %lld taps are too many",
               lm_ops[c->op].name, (long long)out->positions, (long long)out->taps);
    int64_t *where = lm_ref_new_ints(c, entries), p[LM_RANK] = {0}, t[LM_RANK] = {0};
    LM_REF_NEED(where);
    for (int64_t n = 0; n < entries; n++) {
        int64_t pixel = 0;
        for (int i = 0; i < g->nd && pixel >= 0; i++) {
            int64_t at = p[i] * g->stride[i] + t[i] * g->dilation[i] - g->pad_lo[i];
            pixel = at >= 0 && at < g->in[i] ? pixel * g->in[i] + at : -1;
        }
        where[n] = pixel;
        if (!lm_ref_next(&kernel, t))
            lm_ref_next(&positions, p);
    }
    out->where = where;
    return LM_OK;
}

/* `image` is the shape on the side of the pixels, `pooled` on that of the positions. */
static lm_status pool_windows(const lm_ref_call *c, const lm_shape *image, const lm_shape *pooled, lm_ref_windows *w)
{
    const lm_attr_pool *a = &c->a->pool;
    lm_ref_geometry g = {a->nd, image->dim + 2, pooled->dim + 2, a->kernel, a->stride, a->dilation, a->pad_lo};
    return lm_ref_windows_of(c, &g, w);
}

/* Number of the pixel when the spatial axes are counted first axis fastest, or back (the same with sizes reversed). */
static int64_t column_major(const int64_t *size, int nd, int64_t pixel)
{
    int64_t coordinate[LM_SPATIAL], flat = 0;
    for (int i = nd - 1; i >= 0; i--) {
        coordinate[i] = pixel % size[i];
        pixel /= size[i];
    }
    for (int i = nd - 1; i >= 0; i--)
        flat = flat * size[i] + coordinate[i];
    return flat;
}

static int64_t row_major(const int64_t *size, int nd, int64_t number)
{
    int64_t coordinate[LM_SPATIAL], flat = 0;
    for (int i = 0; i < nd; i++) {
        coordinate[i] = number % size[i];
        number /= size[i];
    }
    for (int i = 0; i < nd; i++)
        flat = flat * size[i] + coordinate[i];
    return flat;
}

/* Per window the first maximum in row-major order; the first NaN beats every number. The second result is the winner's
 * position in the whole of x. A window without any pixel (possible with dilation) gives the least value and index -1.
 * Of zeros with both signs the value is +0. */
lm_status lm_ref_maxpool(const lm_ref_call *c)
{
    const lm_shape *sx = &c->x[0].sh, *sy = &c->y[0].sh;
    const lm_attr_pool *a = &c->a->pool;
    int64_t n = lm_shape_count(sy);
    bool floats = lm_dtype_is_float(c->x[0].dt);
    lm_ref_windows win;
    lm_ref_order x;
    LM_TRY(pool_windows(c, sx, sy, &win));
    LM_TRY(lm_ref_order_of(c, 0, &x));
    double *yf = lm_ref_new_floats(c, n);
    int64_t *yi = lm_ref_new_ints(c, n), *index = lm_ref_new_ints(c, n);
    LM_REF_NEED(yf && yi && index);
    unsigned char lowest[8];
    lm_store_f64(c->x[0].dt, lowest, -INFINITY);
    for (int64_t q = 0; q < n; q++) {
        int64_t plane = q / win.positions, p = q % win.positions, best = -1;
        double most = -INFINITY;
        for (int64_t t = 0; t < win.taps; t++) {
            int64_t pixel = win.where[p * win.taps + t], at = plane * win.pixels + pixel;
            if (pixel < 0)
                continue;
            if (best < 0 || lm_ref_order_compare(&x, at, best) > 0)
                best = at;
            if (floats)
                most = lm_ref_max(most, x.f[at]);
        }
        yf[q] = most;
        yi[q] = floats ? 0 : best < 0 ? lm_load_i64(c->x[0].dt, lowest) : x.i[best];
        index[q] = best >= 0 && a->column_major
                       ? plane * win.pixels + column_major(sx->dim + 2, a->nd, best - plane * win.pixels)
                       : best;
    }
    if (floats)
        lm_ref_put_floats(c, 0, yf);
    else
        lm_ref_put_ints(c, 0, yi);
    if (c->ny > 1)
        lm_ref_put_ints(c, 1, index);
    return LM_OK;
}

/* (signal, index): every signal goes to its window's winner; index -1 goes nowhere. */
lm_status lm_ref_maxpool_dx(const lm_ref_call *c)
{
    const lm_shape *sy = &c->y[0].sh;
    const lm_attr_pool *a = &c->a->pool;
    int64_t n = lm_shape_count(&c->x[0].sh), size = lm_shape_count(sy), pixels = 1;
    for (int i = 0; i < a->nd; i++)
        pixels *= sy->dim[i + 2];
    const double *s = lm_ref_floats(c, 0);
    const int64_t *index = lm_ref_ints(c, 1);
    double *y = lm_ref_new_floats(c, size);
    LM_REF_NEED(s && index && y);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = index[i];
        LM_REQUIRE(at >= -1 && at < size, LM_INPUT, "%s: index %lld (element %lld) is outside the %lld elements of %s",
                   lm_ops[c->op].name, (long long)at, (long long)i, (long long)size,
                   lm_shape_text(sy, (char[LM_SHAPE_TEXT]){0}));
        if (at >= 0 && a->column_major)
            at = at / pixels * pixels + row_major(sy->dim + 2, a->nd, at % pixels);
        if (at >= 0)
            y[at] += s[i];
    }
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}

/* What the sum over window p is divided by: the taps on pixels, or with count_pad also those on padding. With ceil a
 * window may reach past the padding; those taps never count. */
static int64_t divisor(const lm_attr_pool *a, const lm_shape *image, const lm_shape *pooled, int64_t p)
{
    int64_t count = 1;
    for (int i = a->nd - 1; i >= 0; i--) {
        int64_t position = p % pooled->dim[i + 2], inside = 0;
        p /= pooled->dim[i + 2];
        for (int64_t k = 0; k < a->kernel[i]; k++) {
            int64_t at = position * a->stride[i] + k * a->dilation[i] - a->pad_lo[i];
            int64_t end = image->dim[i + 2] + (a->count_pad ? a->pad_hi[i] : 0);
            inside += (at >= 0 || a->count_pad) && at < end;
        }
        count *= inside;
    }
    return count;
}

/* A window without any pixel gives 0. */
lm_status lm_ref_avgpool(const lm_ref_call *c)
{
    const lm_shape *sx = &c->x[0].sh, *sy = &c->y[0].sh;
    int64_t n = lm_shape_count(sy);
    lm_ref_windows win;
    LM_TRY(pool_windows(c, sx, sy, &win));
    const double *x = lm_ref_floats(c, 0);
    double *y = lm_ref_new_floats(c, n);
    LM_REF_NEED(x && y);
    for (int64_t q = 0; q < n; q++) {
        int64_t plane = q / win.positions, p = q % win.positions, count = divisor(&c->a->pool, sx, sy, p);
        double sum = 0;
        for (int64_t t = 0; t < win.taps; t++) {
            int64_t pixel = win.where[p * win.taps + t];
            if (pixel >= 0)
                sum += x[plane * win.pixels + pixel];
        }
        y[q] = count ? sum / (double)count : 0;
    }
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}

/* Every signal, divided as its average was, is added to all pixels of its window. */
lm_status lm_ref_avgpool_dx(const lm_ref_call *c)
{
    const lm_shape *ss = &c->x[0].sh, *sy = &c->y[0].sh;
    int64_t n = lm_shape_count(ss);
    lm_ref_windows win;
    LM_TRY(pool_windows(c, sy, ss, &win));
    const double *s = lm_ref_floats(c, 0);
    double *y = lm_ref_new_floats(c, lm_shape_count(sy));
    LM_REF_NEED(s && y);
    for (int64_t q = 0; q < n; q++) {
        int64_t plane = q / win.positions, p = q % win.positions, count = divisor(&c->a->pool, sy, ss, p);
        for (int64_t t = 0; t < win.taps; t++) {
            int64_t pixel = win.where[p * win.taps + t];
            if (pixel >= 0)
                y[plane * win.pixels + pixel] += s[q] / (double)count;
        }
    }
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}

/* (sum of |x|^p)^(1/p) over the window; padding adds nothing. */
lm_status lm_ref_lppool(const lm_ref_call *c)
{
    const lm_shape *sx = &c->x[0].sh, *sy = &c->y[0].sh;
    double p_norm = c->a->pool.p;
    int64_t n = lm_shape_count(sy);
    lm_ref_windows win;
    LM_TRY(pool_windows(c, sx, sy, &win));
    const double *x = lm_ref_floats(c, 0);
    double *y = lm_ref_new_floats(c, n);
    LM_REF_NEED(x && y);
    for (int64_t q = 0; q < n; q++) {
        int64_t plane = q / win.positions, p = q % win.positions;
        double sum = 0;
        for (int64_t t = 0; t < win.taps; t++) {
            int64_t pixel = win.where[p * win.taps + t];
            if (pixel >= 0)
                sum += pow(fabs(x[plane * win.pixels + pixel]), p_norm);
        }
        y[q] = pow(sum, 1 / p_norm);
    }
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}
