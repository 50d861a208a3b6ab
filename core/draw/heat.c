/* Numbers to colours over a picture. */
#include "core/draw/heat.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

#include "core/base/mem.h"

/* What would stand at `k` if the numbers were sorted. Orders them around a pivot until only the side with k is left. */
static double ranked(double *v, ptrdiff_t n, ptrdiff_t k)
{
    for (ptrdiff_t low = 0, high = n - 1; low < high;) {
        const double pivot = v[k];
        ptrdiff_t i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i > j)
                break;
            const double kept = v[i];
            v[i++] = v[j];
            v[j--] = kept;
        }
        if (j < k)
            low = i;
        if (k < i)
            high = j;
    }
    return v[k];
}

/* *out: the value at the percentage of the sizes in order, by rank or `between` two of them. */
static lm_status range_at(const double *value, size_t count, double percent, bool between, double *out)
{
    double *size = lm_malloc(count, sizeof *size), most = 0;
    size_t n = 0;
    if (!size)
        return LM_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (!isnan(value[i]))
            size[n++] = fabs(value[i]);
    double rank = between ? percent / 100 * ((double)n - 1) : ceil(percent / 100 * (double)n) - 1;
    rank = fmin(fmax(rank, 0), n ? (double)n - 1 : 0);
    const double below = floor(rank), part = rank - below;
    *out = n ? ranked(size, (ptrdiff_t)n, (ptrdiff_t)below) : 0;
    if (n && part > 0)
        *out += part * (ranked(size, (ptrdiff_t)n, (ptrdiff_t)below + 1) - *out);
    for (size_t i = 0; i < n && *out == 0; i++) /* few numbers only: the largest sets the scale */
        most = fmax(most, size[i]);
    *out = *out == 0 ? most : *out;
    *out = fmax(*out, DBL_MIN);
    lm_free(size);
    return LM_OK;
}

lm_status lm_heat_range(const double *value, size_t n, double percent, double *out)
{
    return range_at(value, n, percent, false, out);
}

lm_status lm_heat_range_between(const double *value, size_t n, double percent, double *out)
{
    return range_at(value, n, percent, true, out);
}

/* Light grey, so that colours on it can be told apart. */
static double grey_of(const lm_canvas *c, int x, int y)
{
    const lm_rgb *p = lm_canvas_row(c, y) + x;
    return 70 + 0.65 * (0.299 * p->r + 0.587 * p->g + 0.114 * p->b);
}

static uint8_t mix(double under, uint8_t over, double cover)
{
    return (uint8_t)lround(under + cover * (over - under));
}

static lm_rgb mixed(const double under[3], lm_rgb over, double cover)
{
    return (lm_rgb){mix(under[0], over.r, cover), mix(under[1], over.g, cover), mix(under[2], over.b, cover)};
}

static lm_rgb pixel(const lm_heat *h, int x, int y)
{
    const double v = h->map[(size_t)y * (size_t)h->width + (size_t)x] / h->range, size = fmin(fabs(v), 1);
    const double strength = isnan(size) ? 0 : size;
    const lm_palette usual = h->positive ? LM_PALETTE_HEAT : LM_PALETTE_SIGNED;
    const lm_rgb colour = lm_colour(h->palette ? (lm_palette)(h->palette - 1) : usual, v);
    if (!h->under)
        return colour;
    const int ux = x * h->under->width / h->width, uy = y * h->under->height / h->height;
    const lm_rgb p = lm_canvas_row(h->under, uy)[ux];
    if (h->mode == LM_HEAT_MASK)
        return mixed((const double[]){0, 0, 0}, p, strength);
    if (h->mode == LM_HEAT_BLEND)
        return mixed((const double[]){p.r, p.g, p.b}, colour, h->opacity > 0 ? h->opacity : 0.5);
    const double grey = grey_of(h->under, ux, uy), most = h->opacity > 0 ? h->opacity : 0.9;
    const double cover =
        most * (h->positive ? strength : sqrt(strength)); /* small numbers of dark colours veil nothing */
    return mixed((const double[]){grey, grey, grey}, colour, cover);
}

void lm_heat_draw(const lm_heat *h, lm_canvas *to, int left, int top)
{
    const int zoom = h->zoom > 1 ? h->zoom : 1;
    for (int y = 0; y < h->height; y++)
        for (int x = 0; x < h->width; x++) {
            if (!h->under && isnan(h->map[(size_t)y * (size_t)h->width + (size_t)x]))
                continue;
            const lm_rgb colour = pixel(h, x, y);
            for (int dy = 0; dy < zoom; dy++)
                for (int dx = 0; dx < zoom; dx++) {
                    const int px = left + x * zoom + dx, py = top + y * zoom + dy;
                    if (px >= 0 && px < to->width && py >= 0 && py < to->height)
                        lm_canvas_row(to, py)[px] = colour;
                }
        }
    lm_tiles_number(&h->tiles, zoom, to, left, top);
}
