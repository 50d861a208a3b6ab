/* Driver of max pooling's gradient on float32: every signal is added to the element its index names, from +0 on in
 * row-major order of the signals. A tile owns a stretch of image rows (of all channels where these are contiguous,
 * otherwise of one plane) and walks through the signals whose windows touch it. */
#include "backends/cpu/bind.h"
#include "backends/cpu/index.h"
#include "backends/cpu/pooling.h"
#include "core/base/mem.h"

#include <stdatomic.h>
#include <string.h>

/* Bytes of the image a tile owns, roughly. */
enum { TILE_BYTES = 256 << 10 };

typedef struct max_dx {
    lm_cpu_kernel k;
    lm_image s, index, y;
    lm_windows w;
    const lm_pool_fns *fns;
    bool channels, column_major;
    bool windows;                  /* contiguous channels, whole windows at a time */
    bool covered;                  /* by windows: every element of the image, none needs clearing */
    int64_t plane, step;           /* elements of a plane; distance of its neighbours when it is dense, otherwise 0 */
    int64_t rows, per_tile, parts; /* rows of a plane, in a tile, and tiles per plane */
    int64_t count, size;           /* signals; elements of the result */
    lm_span *spans[3];             /* in `span` */
    lm_span span[];
} max_dx;

typedef struct max_dx_run {
    const max_dx *k;
    const float *s;
    const int64_t *index;
    float *y;
    atomic_bool foreign; /* an index points out of its own window's rows */
} max_dx_run;

/* Offset of element `place` of a plane. */
static int64_t place_offset(const max_dx *k, int64_t place)
{
    const int64_t *size = k->y.size, *st = k->y.st;
    if (k->step)
        return place * k->step;
    if (k->column_major)
        return place % size[0] * st[0] + place / size[0] % size[1] * st[1] + place / (size[0] * size[1]) * st[2];
    return place / (size[1] * size[2]) * st[0] + place / size[2] % size[1] * st[1] + place % size[2] * st[2];
}

/* Rows lo ... hi - 1 of the plane hold all places that the signals of row (d, h) may name. */
static void rows_of(const max_dx *k, int64_t d, int64_t h, int64_t *lo, int64_t *hi)
{
    const lm_span *sd = &k->spans[0][d], *sh = &k->spans[1][h];
    *lo = *hi = 0;
    if (k->column_major)
        *hi = k->rows;
    else if (sd->taps > 0 && sh->taps > 0) {
        *lo = sd->at * k->y.size[1] + sh->at;
        *hi = (sd->at + (sd->taps - 1) * sd->step) * k->y.size[1] + sh->at + (sh->taps - 1) * sh->step + 1;
    }
}

typedef struct stretch {
    int64_t n, c0, c1, lo, hi; /* image, channels, rows of the plane */
} stretch;

static void clear(const max_dx *k, float *y, const stretch *own)
{
    int64_t width = k->y.size[2];
    if (k->channels && k->step == k->y.c) {
        memset(y + own->lo * width * k->step, 0, (size_t)((own->hi - own->lo) * width * k->step) * sizeof *y);
        return;
    }
    for (int64_t place = own->lo * width; place < own->hi * width; place++)
        for (int64_t c = own->c0; c < own->c1; c++)
            y[c * k->y.st_c + place_offset(k, place)] = 0;
}

/* The signals of row (d, h). */
static void add_row(max_dx_run *r, float *y, const stretch *own, int64_t d, int64_t h, int64_t window_lo,
                    int64_t window_hi)
{
    const max_dx *k = r->k;
    int64_t width = k->y.size[2], lo = own->lo * width, count = own->hi * width - lo;
    const float *s = r->s + own->n * k->s.st_n + d * k->s.st[0] + h * k->s.st[1];
    const int64_t *index = r->index + own->n * k->index.st_n + d * k->index.st[0] + h * k->index.st[1];
    bool foreign = false;
    for (int64_t w = 0; w < k->s.size[2]; w++, s += k->s.st[2], index += k->index.st[2])
        for (int64_t c = own->c0; c < own->c1; c++) {
            int64_t at = index[c * k->index.st_c], place = at - (own->n * k->s.c + c) * k->plane;
            if ((uint64_t)(place - lo) < (uint64_t)count)
                y[c * k->y.st_c + place_offset(k, place)] += s[c * k->s.st_c];
            foreign |= (place < window_lo * width || place >= window_hi * width) & (at != -1);
        }
    if (foreign)
        atomic_store(&r->foreign, true);
}

/* Along one axis, elements below this one belong to windows before number o. */
static int64_t done_before(const max_dx *k, int axis, int64_t o)
{
    return o > 0 ? k->spans[axis][o - 1].at + k->spans[axis][o - 1].taps : 0;
}

/* The same, window by window and a vector of channels at a time. */
static void add_windows(max_dx_run *r, float *y, const stretch *own, int64_t d, int64_t h)
{
    const max_dx *k = r->k;
    const lm_span *sd = &k->spans[0][d], *sh = &k->spans[1][h];
    const float *s = r->s + own->n * k->s.st_n + d * k->s.st[0] + h * k->s.st[1];
    const int64_t *index = r->index + own->n * k->index.st_n + d * k->index.st[0] + h * k->index.st[1];
    lm_pool_winners w = {.rows = sd->taps * sh->taps, .y_step = k->y.st[2], .n = k->s.c,
                         .base = (uint32_t)(own->n * k->s.c * k->plane), .plane = (uint32_t)k->plane};
    const int64_t done_d = done_before(k, 0, d), done_h = done_before(k, 1, h);
    bool foreign = false;
    for (int64_t i = 0, done = 0; i < k->s.size[2]; i++, s += k->s.st[2], index += k->index.st[2]) {
        const lm_span *sw = &k->spans[2][i];
        w.along = sw->taps;
        w.fresh_from = done > sw->at ? done - sw->at : 0;
        done = sw->at + sw->taps;
        for (int64_t t = 0; t < w.rows; t++) {
            const int64_t zd = sd->at + t / sh->taps, yh = sh->at + t % sh->taps, row = zd * k->y.size[1] + yh;
            w.place[t] = (int32_t)(row * k->y.size[2] + sw->at);
            w.fresh[t] = k->covered && zd >= done_d && yh >= done_h;
            w.y[t] = row < own->lo || row >= own->hi
                         ? NULL : y + zd * k->y.st[0] + yh * k->y.st[1] + sw->at * k->y.st[2];
        }
        foreign |= !k->fns->to_winners(&w, s, index);
    }
    if (foreign)
        atomic_store(&r->foreign, true);
}

static void max_dx_tile(void *ctx, int64_t tile, int worker)
{
    max_dx_run *r = ctx;
    const max_dx *k = r->k;
    (void)worker;
    int64_t part = tile % k->parts, plane = tile / k->parts;
    stretch own = {.c1 = k->s.c, .n = plane, .lo = part * k->per_tile, .hi = (part + 1) * k->per_tile};
    if (!k->channels) {
        own.n = plane / k->s.c;
        own.c0 = plane % k->s.c;
        own.c1 = own.c0 + 1;
    }
    own.hi = own.hi < k->rows ? own.hi : k->rows;
    float *y = r->y + own.n * k->y.st_n;
    if (!k->covered)
        clear(k, y, &own);
    for (int64_t d = 0; d < k->s.size[0]; d++)
        for (int64_t h = 0; h < k->s.size[1]; h++) {
            int64_t lo, hi;
            rows_of(k, d, h, &lo, &hi);
            /* signals without a window are looked at by the first tile, which finds foreign indices among them */
            if (!((lo < own.hi && hi > own.lo) || (lo == hi && part == 0)))
                continue;
            if (k->windows)
                add_windows(r, y, &own, d, h);
            else
                add_row(r, y, &own, d, h, lo, hi);
        }
}

/* Indices that no pooling made may point anywhere: one thread, row-major order. */
static lm_status add_anywhere(max_dx_run *r)
{
    const max_dx *k = r->k;
    for (int64_t i = 0; i < k->y.n; i++)
        clear(k, r->y + i * k->y.st_n, &(stretch){.n = i, .c1 = k->y.c, .hi = k->rows});
    for (int64_t i = 0; i < k->count; i++) {
        int64_t rest = i, w = rest % k->s.size[2], h = (rest /= k->s.size[2]) % k->s.size[1];
        int64_t d = (rest /= k->s.size[1]) % k->s.size[0], c = (rest /= k->s.size[0]) % k->s.c, n = rest / k->s.c;
        int64_t at = r->index[n * k->index.st_n + c * k->index.st_c + d * k->index.st[0] + h * k->index.st[1] +
                              w * k->index.st[2]];
        LM_REQUIRE(at >= -1 && at < k->size, LM_INPUT,
                   "MaxPoolGrad: index %lld, element %lld of the indices, is outside the %lld elements of the image",
                   (long long)at, (long long)i, (long long)k->size);
        if (at < 0)
            continue;
        int64_t plane = at / k->plane;
        r->y[plane / k->y.c * k->y.st_n + plane % k->y.c * k->y.st_c + place_offset(k, at % k->plane)] +=
            r->s[n * k->s.st_n + c * k->s.st_c + d * k->s.st[0] + h * k->s.st[1] + w * k->s.st[2]];
    }
    return LM_OK;
}

static lm_status run_max_dx(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const max_dx *k = (const max_dx *)kernel;
    (void)workspace;
    max_dx_run r = {k, p[0], p[1], p[2], false};
    if (k->size > 0)
        lm_pool_run(cpu->pool, k->y.n * (k->channels ? 1 : k->y.c) * k->parts, max_dx_tile, &r);
    return k->size > 0 && atomic_load(&r.foreign) ? add_anywhere(&r) : LM_OK;
}

lm_status lm_cpu_bind_maxpool_dx(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *s = &call->x[0], *y = &call->y[0];
    lm_image si = lm_image_of(s), yi = lm_image_of(y);
    size_t bytes;
    LM_REQUIRE(s->dt == LM_F32, LM_UNSUPPORTED, "%s: no kernel for %s", lm_ops[call->op].name, lm_dtype_name(s->dt));
    LM_REQUIRE(lm_mul_size((size_t)(si.size[0] + si.size[1] + si.size[2]), sizeof(lm_span), &bytes) &&
                   lm_add_size(bytes, sizeof(max_dx), &bytes),
               LM_MEMORY, "%s: the signal is too large", lm_ops[call->op].name);
    max_dx *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, bytes, run_max_dx, "maxpool_dx", &k));
    k->s = si;
    k->index = lm_image_of(&call->x[1]);
    k->y = yi;
    k->w = lm_windows_of(&call->a->pool, &yi, &si);
    k->column_major = call->a->pool.column_major;
    k->channels = si.st_c == 1 && yi.st_c == 1 && yi.c > 1;
    k->spans[0] = k->span;
    k->spans[1] = k->span + si.size[0];
    k->spans[2] = k->spans[1] + si.size[1];
    for (int axis = 0; axis < 3; axis++)
        lm_spans_forward(&k->w, axis, k->spans[axis]);
    const int64_t *size = yi.size, *st = yi.st;
    k->rows = size[0] * size[1];
    k->plane = k->rows * size[2];
    if (!k->column_major && (size[1] == 1 || st[1] == size[2] * st[2]) &&
        (size[0] == 1 || st[0] == size[1] * size[2] * st[2]))
        k->step = st[2];
    int64_t row = size[2] * (k->channels ? yi.c : 1) * (int64_t)sizeof(float);
    k->per_tile = k->column_major || row == 0 ? k->rows : TILE_BYTES / row;
    k->per_tile = k->per_tile < 1 ? 1 : k->per_tile;
    k->parts = lm_tiles(k->rows, k->per_tile);
    k->count = lm_shape_count(&s->sh);
    k->size = lm_shape_count(&y->sh);
    k->fns = lm_pool_fns_of(cpu->level);
    k->windows = k->channels && !k->column_major && k->index.st_c == 1 && k->size <= INT32_MAX &&
                 k->w.kernel[0] * k->w.kernel[1] <= LM_POOL_ROWS;
    for (int axis = 0; axis < 3; axis++)
        k->windows = k->windows && (k->w.dilation[axis] == 1 || k->w.kernel[axis] == 1);
    k->covered = k->windows;
    for (int axis = 0; axis < 3; axis++)
        for (int64_t o = 0; o < si.size[axis] && k->covered; o++) {
            const int64_t done = done_before(k, axis, o), end = o + 1 < si.size[axis] ? 0 : yi.size[axis];
            const lm_span *span = &k->spans[axis][o];
            k->covered = span->taps > 0 && span->at <= done && span->at + span->taps >= end;
        }
    k->k.base.bytes = 12.0 * (double)k->count + 4.0 * (double)k->size;
    *out = &k->k.base;
    return LM_OK;
}
