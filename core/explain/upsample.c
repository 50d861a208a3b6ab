/* Resizing of maps, one axis after the other. */
#include "core/explain/upsample.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"

/* What cell i of the new axis is made of: (1 - part) * x[low] + part * x[high]. */
typedef struct tap {
    int64_t low, high;
    double part;
} tap;

static tap tap_at(lm_upsampling how, int64_t i, int64_t from, int64_t to)
{
    if (how != LM_UPSAMPLE_BILINEAR) {
        int64_t twice = how == LM_UPSAMPLE_FLOOR ? 2 * i : 2 * i + 1;
        int64_t at = twice * from / (2 * to);
        return (tap){at, at, 0};
    }
    double at = ((double)i + 0.5) * (double)from / (double)to - 0.5;
    if (at <= 0)
        return (tap){0, 0, 0};
    if (at >= (double)(from - 1))
        return (tap){from - 1, from - 1, 0};
    int64_t low = (int64_t)floor(at);
    return (tap){low, low + 1, at - (double)low};
}

/* An axis of a map: x is [outer, from, inner], y is [outer, to, inner]. */
typedef struct axis {
    int64_t outer, from, to, inner;
} axis;

static void add_row(double *y, const double *x, double part, int64_t n)
{
    for (int64_t i = 0; part != 0 && i < n; i++)
        y[i] += part * x[i];
}

static void blend(const axis *a, const tap *taps, const double *x, double *y)
{
    memset(y, 0, (size_t)(a->outer * a->to * a->inner) * sizeof *y);
    for (int64_t o = 0; o < a->outer; o++)
        for (int64_t i = 0; i < a->to; i++) {
            double *row = y + (o * a->to + i) * a->inner;
            add_row(row, x + (o * a->from + taps[i].low) * a->inner, 1 - taps[i].part, a->inner);
            add_row(row, x + (o * a->from + taps[i].high) * a->inner, taps[i].part, a->inner);
        }
}

/* Share x out along an axis. `weight`, [from], is room for what interpolation would multiply each total by. */
static void share(const axis *a, const tap *taps, double *weight, const double *x, double *y)
{
    memset(y, 0, (size_t)(a->outer * a->to * a->inner) * sizeof *y);
    memset(weight, 0, (size_t)a->from * sizeof *weight);
    for (int64_t i = 0; i < a->to; i++) {
        weight[taps[i].low] += 1 - taps[i].part;
        weight[taps[i].high] += taps[i].part;
    }
    for (int64_t o = 0; o < a->outer; o++)
        for (int64_t i = 0; i < a->to; i++) {
            const tap *t = &taps[i];
            double *row = y + (o * a->to + i) * a->inner;
            add_row(row, x + (o * a->from + t->low) * a->inner, (1 - t->part) / weight[t->low], a->inner);
            add_row(row, x + (o * a->from + t->high) * a->inner, t->part / weight[t->high], a->inner);
        }
}

static void gather(const axis *a, const double *x, double *y)
{
    memset(y, 0, (size_t)(a->outer * a->to * a->inner) * sizeof *y);
    for (int64_t o = 0; o < a->outer; o++)
        for (int64_t k = 0; k < a->from; k++) {
            int64_t cell = tap_at(LM_UPSAMPLE_NEAREST, k, a->to, a->from).low;
            add_row(y + (o * a->to + cell) * a->inner, x + (o * a->from + k) * a->inner, 1, a->inner);
        }
}

static lm_status along(const axis *a, lm_upsampling how, bool total, const double *x, double *y)
{
    tap *taps = lm_malloc((size_t)a->to, sizeof *taps);
    double *weight = lm_malloc((size_t)a->from, sizeof *weight);
    lm_status status = taps && weight ? LM_OK : LM_MEMORY;
    for (int64_t i = 0; status == LM_OK && i < a->to; i++)
        taps[i] = tap_at(how, i, a->from, a->to);
    if (status == LM_OK) {
        if (!total)
            blend(a, taps, x, y);
        else if (a->to >= a->from)
            share(a, taps, weight, x, y);
        else
            gather(a, x, y);
    }
    lm_free(weight);
    lm_free(taps);
    return status;
}

static int64_t product(int nd, const int64_t *size)
{
    int64_t n = 1;
    for (int k = 0; k < nd; k++)
        n *= size[k];
    return n;
}

static lm_status resize(lm_upsampling how, bool total, int nd, const int64_t *from, const int64_t *to, const double *x,
                        double *y)
{
    int64_t size[LM_UPSAMPLE_AXES] = {0}, most = 0;
    LM_REQUIRE(nd >= 1 && nd <= LM_UPSAMPLE_AXES, LM_UNSUPPORTED, "a map of %d axes cannot be resized", nd);
    for (int k = 0; k < nd; k++) {
        size[k] = from[k];
        LM_REQUIRE(from[k] > 0 && to[k] > 0, LM_INPUT, "a map without elements cannot be resized");
    }
    /* between the axes a map is as large as the larger of its sizes along each */
    int64_t widest[LM_UPSAMPLE_AXES];
    for (int k = 0; k < nd; k++)
        widest[k] = from[k] > to[k] ? from[k] : to[k];
    most = product(nd, widest);
    double *work[2] = {lm_malloc((size_t)most, sizeof(double)), lm_malloc((size_t)most, sizeof(double))};
    lm_status status = work[0] && work[1] ? LM_OK : LM_MEMORY;
    const double *now = x;
    for (int k = nd; status == LM_OK && k-- > 0;) {
        if (from[k] == to[k])
            continue;
        axis a = {product(k, size), from[k], to[k], product(nd - 1 - k, size + k + 1)};
        double *next = now == work[0] ? work[1] : work[0];
        status = along(&a, how, total, now, next);
        size[k] = to[k];
        now = next;
    }
    if (status == LM_OK)
        memcpy(y, now, (size_t)product(nd, to) * sizeof *y);
    lm_free(work[1]);
    lm_free(work[0]);
    return status;
}

lm_status lm_upsample(lm_upsampling how, int nd, const int64_t *from, const int64_t *to, const double *x, double *y)
{
    return resize(how, false, nd, from, to, x, y);
}

lm_status lm_spread(int nd, const int64_t *from, const int64_t *to, const double *x, double *y)
{
    return resize(LM_UPSAMPLE_BILINEAR, true, nd, from, to, x, y);
}
