/* Resizing: each axis by itself, rows first. A new pixel is a weighted mean of the old ones around its middle. */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/image.h"

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* Keys' kernel with a = -1/2. */
static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* Open on the left, so that pixels on the border between two count once. */
static double box(double x)
{
    return x > -0.5 && x <= 0.5;
}

static const struct {
    double (*weight)(double x);
    double reach; /* to either side, in new pixels where the picture shrinks and in old ones where it grows */
} kernels[LM_FILTERS] = {
    [LM_FILTER_BILINEAR] = {triangle, 1}, [LM_FILTER_BICUBIC] = {cubic, 2}, [LM_FILTER_AREA] = {box, 0.5}};

/* What one axis takes for each new position: `taps` weights over old positions from first[i] on; spare ones are
 * zero. */
typedef struct axis {
    int taps;
    int *first;
    double *weight;
} axis;

static lm_status axis_make(int old, int fresh, lm_filter filter, axis *a)
{
    const double scale = (double)old / fresh, stretch = scale > 1 ? scale : 1;
    const double reach = filter == LM_FILTER_NEAREST ? 0 : kernels[filter].reach * stretch;
    a->taps = filter == LM_FILTER_NEAREST ? 1 : (int)ceil(reach) * 2 + 1;
    a->first = lm_malloc((size_t)fresh, sizeof *a->first);
    a->weight = lm_calloc((size_t)fresh * (size_t)a->taps, sizeof *a->weight);
    if (!a->first || !a->weight)
        return LM_MEMORY;
    double under = 0.5 * scale; /* summed up, so that ties between two pixels fall as with PIL */
    for (int i = 0; i < fresh; i++, under += scale) {
        const double middle = (i + 0.5) * scale;
        double *w = a->weight + (size_t)i * (size_t)a->taps, sum = 0;
        if (filter == LM_FILTER_NEAREST) {
            a->first[i] = (int)under < old ? (int)under : old - 1;
            w[0] = 1;
            continue;
        }
        const int from = fmax(0, floor(middle - reach + 0.5)), to = fmin(old, floor(middle + reach + 0.5));
        a->first[i] = from;
        for (int k = from; k < to; k++)
            sum += w[k - from] = kernels[filter].weight((k - middle + 0.5) / stretch);
        for (int k = from; k < to; k++)
            w[k - from] /= sum;
    }
    return LM_OK;
}

static void axis_free(axis *a)
{
    lm_free(a->first);
    lm_free(a->weight);
}

/* `lines` lines of `old` points, points `step` floats apart and lines `pitch`, become lines of `fresh` points that lie
 * `to_pitch` apart. */
static void apply(const axis *a, const float *from, size_t lines, size_t pitch, size_t step, int old, int fresh,
                  float *to, size_t to_pitch)
{
    for (size_t line = 0; line < lines; line++)
        for (int i = 0; i < fresh; i++) {
            const double *w = a->weight + (size_t)i * (size_t)a->taps;
            double sum = 0;
            for (int k = 0; k < a->taps && a->first[i] + k < old; k++)
                sum += w[k] * (double)from[line * pitch + (size_t)(a->first[i] + k) * step];
            to[line * to_pitch + (size_t)i * step] = (float)fmin(fmax(sum, 0), 255); /* bicubic ones overshoot */
        }
}

/* One axis of every row, or of every column. */
static lm_status along(lm_image *image, int fresh, bool rows, lm_filter filter)
{
    const int old = rows ? image->width : image->height;
    const size_t n = (size_t)image->channels;
    axis a = {0};
    lm_image out = {0};
    if (old == fresh)
        return LM_OK;
    lm_status status = axis_make(old, fresh, filter, &a);
    if (status == LM_OK)
        status =
            lm_image_new("resize", rows ? fresh : image->width, rows ? image->height : fresh, image->channels, &out);
    for (size_t c = 0; status == LM_OK && rows && c < n; c++)
        apply(&a, image->at + c, (size_t)image->height, (size_t)image->width * n, n, old, fresh, out.at + c,
              (size_t)fresh * n);
    if (status == LM_OK && !rows)
        apply(&a, image->at, (size_t)image->width * n, 1, (size_t)image->width * n, old, fresh, out.at, 1);
    axis_free(&a);
    if (status != LM_OK)
        return status;
    lm_image_free(image);
    *image = out;
    return LM_OK;
}

lm_status lm_image_resize(lm_image *image, int width, int height, lm_filter filter)
{
    LM_REQUIRE(width > 0 && height > 0, LM_USAGE, "resize to %d x %d pixels: give sizes above 0", width, height);
    LM_TRY(along(image, width, true, filter));
    LM_TRY(along(image, height, false, filter));
    /* the cubic kernel swings over */
    for (size_t i = 0, n = (size_t)width * (size_t)height * (size_t)image->channels; i < n; i++)
        image->at[i] = image->at[i] < 0 ? 0 : image->at[i] > 255 ? 255 : image->at[i];
    return LM_OK;
}
