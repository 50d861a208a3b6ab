/* Gaussian blur as two products with small matrices, one per axis: a row of such a matrix is the kernel with what
 * lies beyond the edges folded back into the axis, so that its length never passes that of the axis however wide the
 * kernel is. Only basic operations are used: the same bits on every machine. */
#include "core/explain/blur.h"

#include <math.h>

#include "core/base/mem.h"

lm_status lm_image_find(const lm_shape *sh, const char *what, lm_image *out)
{
    static const int counts[] = {3, 1, 4};
    char text[LM_SHAPE_TEXT];
    if (sh->rank == 4 && sh->dim[0] == 1)
        for (int i = 0; i < (int)LM_COUNT(counts); i++)
            for (int last = 0; last < 2; last++) {
                const int64_t *d = sh->dim;
                if (d[last ? 3 : 1] != counts[i] || lm_shape_count(sh) == 0)
                    continue;
                *out = (lm_image){.channels = counts[i], .height = d[2 - last], .width = d[3 - last], .last = last};
                out->channel = last ? 1 : out->height * out->width;
                out->pixel = last ? counts[i] : 1;
                return LM_OK;
            }
    return lm_fail(LM_INPUT, "%s of shape %s is no image: that is [N,C,H,W] or [N,H,W,C] with 1, 3 or 4 channels", what,
                   lm_shape_text(sh, text));
}

/* e to the power -t for t >= 0: 2^-n times a series. */
static double decay(double t)
{
    double n = floor(t * 1.4426950408889634074 + 0.5), r = n * 0.69314718055994530942 - t, sum = 1;
    if (n > 1000)
        return 0;
    for (int k = 18; k > 0; k--)
        sum = 1 + sum * r / k;
    return ldexp(sum, -(int)n);
}

/* One axis: output i is the sum of weight[i * wide + j - from[i]] * input j over from[i] <= j < to[i]. */
typedef struct spread {
    int64_t n, wide;
    int64_t *from, *to;
    double *weight;
} spread;

static void spread_free(spread *s)
{
    lm_free(s->from);
    lm_free(s->to);
    lm_free(s->weight);
}

/* The kernel's weights at distances modulo the period 2n of a mirrored axis. */
static double *ring_of(int64_t n, double sigma, int64_t radius)
{
    double *ring = lm_calloc((size_t)n * 2, sizeof *ring), sum = 0;
    if (!ring)
        return NULL;
    for (int64_t k = radius; k >= 0; k--) {
        double tap = decay((double)k * (double)k / (2 * sigma * sigma));
        ring[k % (2 * n)] += tap;
        if (k)
            ring[(2 * n - k % (2 * n)) % (2 * n)] += tap;
        sum += k ? 2 * tap : tap;
    }
    for (int64_t k = 0; k < 2 * n; k++)
        ring[k] /= sum;
    return ring;
}

static lm_status spread_make(int64_t n, double sigma, spread *out)
{
    int64_t radius = (int64_t)(4 * sigma + 0.5);
    size_t count;
    out->n = n;
    out->wide = 2 * radius + 1 < n ? 2 * radius + 1 : n;
    out->from = lm_malloc((size_t)n, sizeof *out->from);
    out->to = lm_malloc((size_t)n, sizeof *out->to);
    out->weight = lm_mul_size((size_t)n, (size_t)out->wide, &count) ? lm_calloc(count, sizeof *out->weight) : NULL;
    double *ring = ring_of(n, sigma, radius);
    if (!ring || !out->from || !out->to || !out->weight) {
        lm_free(ring);
        return lm_fail(LM_MEMORY, "no room to blur an axis of %lld elements", (long long)n);
    }
    for (int64_t i = 0; i < n; i++) {
        out->from[i] = i > radius ? i - radius : 0;
        out->to[i] = i + radius + 1 < n ? i + radius + 1 : n;
        for (int64_t k = 0; k < 2 * n; k++) {
            int64_t at = (i + k) % (2 * n), j = at < n ? at : 2 * n - 1 - at;
            if (ring[k] != 0)
                out->weight[i * out->wide + j - out->from[i]] += ring[k];
        }
    }
    lm_free(ring);
    return LM_OK;
}

/* to[i] = sum over j of weight[i][j] * from[j], where an element is a row of `wide` numbers. */
static void spread_rows(const spread *s, int64_t wide, const double *from, double *to)
{
    for (int64_t i = 0; i < s->n; i++) {
        double *y = to + i * wide;
        for (int64_t k = 0; k < wide; k++)
            y[k] = 0;
        for (int64_t j = s->from[i]; j < s->to[i]; j++) {
            const double *x = from + j * wide, w = s->weight[i * s->wide + j - s->from[i]];
            for (int64_t k = 0; k < wide; k++)
                y[k] += w * x[k];
        }
    }
}

lm_status lm_blur(const lm_image *im, double sigma, const double *from, double *to)
{
    LM_REQUIRE(isfinite(sigma) && sigma < 1e6, LM_USAGE, "a blur of %g pixels; sigma is a number below 1e6", sigma);
    int64_t area = im->height * im->width;
    spread down = {0}, across = {0};
    double *a = lm_malloc((size_t)area, sizeof *a), *b = lm_malloc((size_t)area, sizeof *b);
    lm_status status = a && b ? LM_OK : LM_MEMORY;
    if (status == LM_OK && sigma > 0)
        status = spread_make(im->height, sigma, &down);
    if (status == LM_OK && sigma > 0)
        status = spread_make(im->width, sigma, &across);
    for (int64_t c = 0; c < im->channels && status == LM_OK; c++) {
        const double *x = from + c * im->channel;
        double *y = to + c * im->channel;
        if (sigma <= 0) {
            for (int64_t i = 0; i < area; i++)
                y[i * im->pixel] = x[i * im->pixel];
            continue;
        }
        for (int64_t i = 0; i < area; i++)
            a[i] = x[i * im->pixel];
        spread_rows(&down, im->width, a, b);
        /* along rows the image is turned over, so that both passes run over contiguous numbers */
        for (int64_t i = 0; i < im->height; i++)
            for (int64_t j = 0; j < im->width; j++)
                a[j * im->height + i] = b[i * im->width + j];
        spread_rows(&across, im->height, a, b);
        for (int64_t i = 0; i < im->height; i++)
            for (int64_t j = 0; j < im->width; j++)
                y[(i * im->width + j) * im->pixel] = b[j * im->height + i];
    }
    spread_free(&down);
    spread_free(&across);
    lm_free(a);
    lm_free(b);
    return status;
}
