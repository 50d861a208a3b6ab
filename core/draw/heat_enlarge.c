/* Coarse maps at the size of their pictures. */
#include <math.h>

#include "core/base/mem.h"
#include "core/draw/heat.h"

enum { TAPS = 4 };

/* Keys' kernel with a = -1/2. */
static double cubic(double x)
{
    x = fabs(x);
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* The old positions that a new one takes, and how much of each; those beyond the border are the border's. */
static void taps(lm_heat_filter filter, int i, int old, int fresh, int at[TAPS], double weight[TAPS])
{
    const double middle = (i + 0.5) * old / fresh - 0.5;
    const int left = (int)floor(middle);
    for (int k = 0; k < TAPS; k++) {
        const int place = left - 1 + k;
        const double far = middle - place;
        at[k] = place < 0 ? 0 : place >= old ? old - 1 : place;
        weight[k] = filter == LM_HEAT_BICUBIC ? cubic(far) : fmax(0, 1 - fabs(far));
    }
    if (filter != LM_HEAT_NEAREST)
        return;
    at[0] = (int)((int64_t)i * old / fresh);
    weight[0] = 1;
    weight[1] = weight[2] = weight[3] = 0;
}

lm_status lm_heat_enlarge(const double *from, int width, int height, lm_heat_filter filter, double *to, int to_width,
                          int to_height)
{
    double *rows = lm_malloc((size_t)to_width * (size_t)height, sizeof *rows); /* every row at its new width */
    int at[TAPS];
    double weight[TAPS];
    if (!rows)
        return LM_MEMORY;
    for (int x = 0; x < to_width; x++) {
        taps(filter, x, width, to_width, at, weight);
        for (int y = 0; y < height; y++) {
            double sum = 0;
            for (int k = 0; k < TAPS; k++)
                sum += weight[k] != 0 ? weight[k] * from[(size_t)y * (size_t)width + (size_t)at[k]] : 0;
            rows[(size_t)y * (size_t)to_width + (size_t)x] = sum;
        }
    }
    for (int y = 0; y < to_height; y++) {
        taps(filter, y, height, to_height, at, weight);
        for (int x = 0; x < to_width; x++) {
            double sum = 0;
            for (int k = 0; k < TAPS; k++)
                sum += weight[k] != 0 ? weight[k] * rows[(size_t)at[k] * (size_t)to_width + (size_t)x] : 0;
            to[(size_t)y * (size_t)to_width + (size_t)x] = sum;
        }
    }
    lm_free(rows);
    return LM_OK;
}
