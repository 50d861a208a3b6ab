/* Numbers to colours over a picture. */
#include "core/draw/heat.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/mem.h"

/* What would stand at `k` if the numbers were sorted, which they are not afterwards: both sides of a pivot are told apart until
 * the side with k is down to it. */
static double ranked(double *v, size_t n, size_t k)
{
    size_t low = 0, high = n - 1;
    while (low < high) {
        const double a = v[low], b = v[low + (high - low) / 2], c = v[high];
        const double pivot = fmax(fmin(a, b), fmin(fmax(a, b), c));
        size_t i = low, j = high;
        for (;; i++, j--) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i >= j)
                break;
            const double kept = v[i];
            v[i] = v[j];
            v[j] = kept;
        }
        /* now all up to j are at most the pivot, all from i on at least; i == j: that one is the pivot */
        if (k <= j && j < high)
            high = j;
        else if (k < i)
            return pivot;
        else
            low = i > low ? i : low + 1;
    }
    return v[k];
}

lm_status lm_heat_range(const double *value, size_t n, double percent, double *out)
{
    double *size = lm_malloc(n, sizeof *size);
    if (!size)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++)
        size[i] = isnan(value[i]) ? 0 : fabs(value[i]);
    qsort(size, n, sizeof *size, ascending);
    const double rank = ceil(percent / 100 * (double)n) - 1;
    *out = n ? size[rank < 0 ? 0 : rank >= (double)n ? n - 1 : (size_t)rank] : 0;
    if (n && *out == 0) /* few numbers only: those set the scale */
        *out = size[n - 1];
    *out = fmax(*out, DBL_MIN);
    lm_free(size);
    return LM_OK;
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

static lm_rgb pixel(const lm_heat *h, int x, int y)
{
    const double v = h->map[(size_t)y * (size_t)h->width + (size_t)x] / h->range, size = fmin(fabs(v), 1);
    const lm_rgb colour = lm_colour(h->positive ? LM_PALETTE_HEAT : LM_PALETTE_SIGNED, v);
    if (!h->under)
        return colour;
    const double grey = grey_of(h->under, x * h->under->width / h->width, y * h->under->height / h->height);
    const double cover = 0.9 * sqrt(isnan(size) ? 0 : size);
    return (lm_rgb){mix(grey, colour.r, cover), mix(grey, colour.g, cover), mix(grey, colour.b, cover)};
}

void lm_heat_draw(const lm_heat *h, lm_canvas *to, int left, int top)
{
    const int zoom = h->zoom > 1 ? h->zoom : 1;
    for (int y = 0; y < h->height; y++)
        for (int x = 0; x < h->width; x++) {
            const lm_rgb colour = pixel(h, x, y);
            for (int dy = 0; dy < zoom; dy++)
                for (int dx = 0; dx < zoom; dx++) {
                    const int px = left + x * zoom + dx, py = top + y * zoom + dy;
                    if (px >= 0 && px < to->width && py >= 0 && py < to->height)
                        lm_canvas_row(to, py)[px] = colour;
                }
        }
}
