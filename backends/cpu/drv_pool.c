/* Drivers of max, average and Lp pooling on float32. Results are made position by position over contiguous channels
 * (NHWC), or row by row where the image's rows are contiguous (NCHW): the same order of taps, hence the same bits. */
#include "backends/cpu/bind.h"
#include "backends/cpu/index.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/pooling.h"
#include "core/base/mem.h"

#include <math.h>
#include <stdio.h>

/* How much of a row is kept at hand while its places are searched; floats of a cache line; how far ahead of a window
 * its rows are asked for. */
enum { PART = 256, LINE = 16, AHEAD = 1024 };

/* Channels of small windows that are walked together; tiles of them, about, and rows of results of a tile, at least:
 * its first row costs more. */
enum { NEAR_CHANNELS = 1024, NEAR_TILES = 32, NEAR_ROWS = 7 };

/* Maxima over rows wait in a patch of the first cache for those along the row; so many rows a window may have, and so
 * many elements along the row. */
enum { PATCH = 2048, TAPS = 32 };

typedef struct pooling {
    lm_cpu_kernel k;
    const lm_pool_fns *fns;
    const lm_stream *stream;
    lm_pool_op op;
    bool channels; /* contiguous, otherwise rows */
    bool places;   /* y[1] is wanted */
    bool large;    /* more than the caches hold: results go past them */
    bool near;     /* maxima of small windows: rows in one step */
    int64_t block; /* channels of a patch; 0: maxima are taken window by window */
    float p;       /* of a power */
    lm_image x, y, index;
    lm_windows w;
    int32_t place_step[3];
    int64_t taps; /* along the last axis, those that ever lie inside */
    const lm_tap_range *range;
    int64_t rows, per_tile;
    lm_span *spans[3]; /* in `span` */
    lm_span span[];
} pooling;


typedef struct pooling_run {
    const pooling *k;
    const float *x;
    float *y;
    int64_t *index;
} pooling_run;

/* ONNX's index counts through the whole tensor [n, c, spatial...]. */
static int64_t plane_base(const pooling *k, int64_t n, int64_t c)
{
    return (n * k->x.c + c) * k->x.size[0] * k->x.size[1] * k->x.size[2];
}

/* A window without any element of the image has index -1. */
static void put_places(int64_t *index, int64_t st, const int32_t *at, int64_t base, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        index[i * st] = at[i] < 0 ? -1 : base + at[i];
}

/* Ask for what windows further on in the row will read: left alone, memory answers late, since a window's rows come as
 * several interleaved streams of short pieces. */
static void ask_ahead(const pooling *k, const float *from, const lm_pool_window *w)
{
    int64_t n = k->w.stride[2] * k->x.st[2];
    for (int64_t row = 0; row < w->taps[1]; row++)
        for (const float *p = from + row * w->step[1] + AHEAD, *end = p + n; p < end; p += LINE)
            __builtin_prefetch(p, 0, 3);
}

/* Columns `from` up to but not including the return value have results 0 ... n - 1 of `span` that fit in a patch. */
static int64_t patch_end(const lm_span *span, int64_t n, int64_t room, int64_t *results)
{
    int64_t end = span[0].at;
    for (*results = 0; *results < n; ++*results) {
        const lm_span *s = &span[*results];
        int64_t last = s->at + (s->taps - 1) * s->step + 1;
        if (last - span[0].at > room)
            break;
        end = last > end ? last : end;
    }
    return end;
}

/* Along the row: results of windows with equally many taps run as one. */
static void along_row(const pooling *k, float *y, const float *patch, const lm_span *span, int64_t n, int64_t channels)
{
    int64_t tap[TAPS];
    lm_pool_runs r = {.tap = tap, .n = channels, .x_step = k->w.stride[2] * channels, .y_step = k->y.st[2]};
    r.past = k->large && (uintptr_t)y % 64 == 0 && r.y_step % LINE == 0 && channels % LINE == 0;
    for (int64_t t = 0; t < k->w.kernel[2]; t++)
        tap[t] = t * k->w.dilation[2] * channels;
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && span[end].taps == span[i].taps; end++)
            if (span[end].at - span[end - 1].at != k->w.stride[2])
                break;
        r.taps = span[i].taps;
        r.count = end - i;
        k->fns->largest(y + i * r.y_step, patch + (span[i].at - span[0].at) * channels, &r, true);
    }
}

/* `results` maxima of one row and `channels` channels in two steps; window by window where there is a NaN or a -0. */
static void largest_patch(const pooling *k, float *y, const float *x, const lm_span *sd, const lm_span *sh,
                          const lm_span *span, int64_t results, int64_t columns, int64_t channels)
{
    _Alignas(64) float patch[PATCH];
    const int64_t steps[] = {sd->step * k->x.st[0], sh->step * k->x.st[1]}, stride = k->w.stride[1];
    int64_t tap[TAPS], taps = 0;
    x += sd->at * k->x.st[0] + sh->at * k->x.st[1] + span->at * k->x.st[2];
    for (int64_t i0 = 0; i0 < sd->taps; i0++)
        for (int64_t i1 = 0; i1 < sh->taps; i1++)
            tap[taps++] = i0 * steps[0] + i1 * steps[1];
    const lm_pool_runs r = {.tap = tap, .taps = taps, .count = columns, .n = channels, .x_step = k->x.st[2],
                            .y_step = channels, .fresh = stride < taps ? stride : taps, .ahead = stride * k->x.st[1]};
    if (!k->fns->largest(patch, x, &r, false)) {
        along_row(k, y, patch, span, results, channels);
        return;
    }
    for (int64_t i = 0; i < results; i++) {
        const lm_pool_window w = {{sd->taps, sh->taps, span[i].taps}, {steps[0], steps[1], span[i].step * k->x.st[2]},
                                  false, 0, 0};
        k->fns->at[LM_POOL_MAX](y + i * k->y.st[2], x + (span[i].at - span->at) * k->x.st[2], &w, 0, channels);
    }
}

/* Rows from ... to - 1 of maxima, one strip of patches from top to bottom after the other: what two rows read stays in
 * the first cache. */
static void largest_rows(const pooling_run *r, int64_t from, int64_t to)
{
    const pooling *k = r->k;
    int64_t results, width;
    for (int64_t c = 0; c < k->y.c; c += width) {
        width = k->y.c - c < k->block ? k->y.c - c : k->block;
        for (int64_t i = 0; i < k->y.size[2]; i += results) {
            const lm_span *span = &k->spans[2][i];
            int64_t columns = patch_end(span, k->y.size[2] - i, PATCH / width, &results) - span->at;
            for (int64_t row = from; row < to; row++) {
                int64_t h = row % k->y.size[1], rest = row / k->y.size[1], d = rest % k->y.size[0];
                int64_t n = rest / k->y.size[0];
                float *y = r->y + n * k->y.st_n + d * k->y.st[0] + h * k->y.st[1] + i * k->y.st[2] + c;
                largest_patch(k, y, r->x + n * k->x.st_n + c, &k->spans[0][d], &k->spans[1][h], span, results, columns,
                              width);
            }
        }
    }
}

/* Maxima of small windows, `count` from result i of a row on, where the row's windows are `run`. */
static bool near_part(const pooling *k, float *y, lm_pool_row *run, int64_t i, int64_t count, int64_t ahead)
{
    _Alignas(64) float keep[2 * NEAR_CHANNELS];
    run->at = i * run->stride - k->w.pad[2];
    run->count = count;
    run->ahead = ahead;
    return count > 0 && k->fns->largest_in(y + i * run->y_step, run, keep);
}

/* What a row of windows wants next are pixels a little further on; of the last results of the row, as many as this, the
 * next row's first. */
static int64_t near_tail(const pooling *k)
{
    const int64_t step = k->w.stride[2] * k->x.st[2], ahead = k->w.stride[1] == 1 ? 2 * AHEAD : AHEAD;
    const int64_t tail = step > 0 ? ahead / step + 1 : 1;
    return tail < k->y.size[2] ? tail : k->y.size[2];
}

static bool near_row(const pooling *k, float *y, lm_pool_row *run)
{
    const int64_t width = k->y.size[2], step = run->stride * run->x_step, high = run->stride * k->x.st[1];
    const int64_t most = near_tail(k);
    const bool odd = near_part(k, y, run, 0, width - most, most * step);
    return near_part(k, y, run, width - most, most, high - (width - most) * step) || odd;
}

/* Rows from ... to - 1, `run->n` channels from c on; window by window where there is a NaN or a -0. */
static void near_strip(const pooling_run *r, lm_pool_row *run, int64_t from, int64_t to, int64_t c)
{
    const pooling *k = r->k;
    int64_t image = -1, odd = -1; /* the image, and the last of its rows that has a NaN */
    for (int64_t row = from; row < to; row++) {
        const int64_t h = row % k->y.size[1], n = row / k->y.size[1];
        const lm_span *sh = &k->spans[1][h];
        const int64_t last = sh->taps - 1, kept = run->size - run->stride;
        const float *x = r->x + n * k->x.st_n + sh->at * k->x.st[1] + c;
        float *y = r->y + n * k->y.st_n + h * k->y.st[1] + c;
        run->past = k->large && (uintptr_t)y % 64 == 0 && run->y_step % LINE == 0;
        odd = n == image ? odd : -1;
        for (int64_t i = 0; n != image && i < kept && i < last; i++) { /* rows that no window before has seen */
            run->row[0] = run->row[1] = run->row[2] = x + i * k->x.st[1];
            odd = near_row(k, y, run) ? sh->at + i : odd;
        }
        image = n;
        for (int64_t i = 0; i < 3; i++)
            run->row[i] = x + (i < last ? i : last) * k->x.st[1];
        odd = near_row(k, y, run) ? sh->at + last : odd;
        for (int64_t i = 0; odd >= sh->at && i < k->y.size[2]; i++) {
            const lm_span *sw = &k->spans[2][i];
            const lm_pool_window w = {{1, sh->taps, sw->taps}, {0, k->x.st[1], k->x.st[2]}, false, 0, 0};
            k->fns->at[LM_POOL_MAX](y + i * run->y_step, x + sw->at * run->x_step, &w, 0, run->n);
        }
    }
}

static void near_rows(const pooling_run *r, int64_t from, int64_t to)
{
    const pooling *k = r->k;
    lm_pool_row run = {.width = k->x.size[2], .x_step = k->x.st[2], .y_step = k->y.st[2],
                       .size = (int)k->w.kernel[1], .stride = (int)k->w.stride[1]};
    for (int64_t c = 0; c < k->y.c; c += NEAR_CHANNELS) {
        run.n = k->y.c - c < NEAR_CHANNELS ? k->y.c - c : NEAR_CHANNELS;
        near_strip(r, &run, from, to, c);
    }
}

/* Along a row: how many results from i on have windows alike, a stride apart. */
static int64_t alike(const pooling *k, int64_t i, int64_t most)
{
    const lm_span *span = k->spans[2];
    int64_t end = i + 1;
    while (end < most && span[end].taps == span[i].taps && span[end].count == span[i].count &&
           span[end].at - span[end - 1].at == k->w.stride[2])
        end++;
    return end - i;
}

/* Averages: results i ... end - 1 of one row, `width` channels from c on; neighbours that are alike run as one. */
static void average_run(const pooling_run *r, int64_t row, int64_t i, int64_t end, int64_t c, int64_t width,
                        int64_t ahead)
{
    const pooling *k = r->k;
    const int64_t h = row % k->y.size[1], rest = row / k->y.size[1];
    const int64_t d = rest % k->y.size[0], image = rest / k->y.size[0];
    const lm_span *sd = &k->spans[0][d], *sh = &k->spans[1][h];
    lm_pool_window w = {{sd->taps, sh->taps, 0}, {sd->step * k->x.st[0], sh->step * k->x.st[1], 0}, false,
                        sh->taps < k->w.stride[1] ? sh->taps : k->w.stride[1], ahead};
    const float *x = r->x + image * k->x.st_n + sd->at * k->x.st[0] + sh->at * k->x.st[1] + c;
    float *y = r->y + image * k->y.st_n + d * k->y.st[0] + h * k->y.st[1] + c;
    w.past = k->large && (uintptr_t)y % 64 == 0 && k->y.st[2] % LINE == 0;
    for (int64_t n; i < end; i += n) {
        const lm_span *sw = &k->spans[2][i];
        n = alike(k, i, end);
        w.taps[2] = sw->taps;
        w.step[2] = sw->step * k->x.st[2];
        k->fns->sums(y + i * k->y.st[2], k->y.st[2], x + sw->at * k->x.st[2], k->w.stride[2] * k->x.st[2], &w, n,
                     lm_span_count(sd, sh, sw), width);
    }
}

/* Rows from ... to - 1 of averages. */
static void average_rows(const pooling_run *r, int64_t from, int64_t to)
{
    enum { WIDEST = 1024 }; /* channels of a strip */
    const pooling *k = r->k;
    const int64_t results = k->y.size[2], high = k->w.stride[1] * k->x.st[1], step = k->w.stride[2] * k->x.st[2];
    const int64_t head = results - near_tail(k);
    for (int64_t c = 0, width; c < k->y.c; c += width) {
        width = k->y.c - c < WIDEST ? k->y.c - c : WIDEST;
        for (int64_t row = from; row < to; row++) {
            average_run(r, row, 0, head, c, width, (results - head) * step);
            average_run(r, row, head, results, c, width, high - head * step);
        }
    }
}

/* One row of results of one image, all channels. */
static void channels_row(const pooling_run *r, int64_t n, int64_t d, int64_t h)
{
    const pooling *k = r->k;
    const lm_span *sd = &k->spans[0][d], *sh = &k->spans[1][h];
    lm_pool_window w = {{sd->taps, sh->taps, 0}, {sd->step * k->x.st[0], sh->step * k->x.st[1], 0}, false, 0, 0};
    const float *x = r->x + n * k->x.st_n + sd->at * k->x.st[0] + sh->at * k->x.st[1];
    float *y = r->y + n * k->y.st_n + d * k->y.st[0] + h * k->y.st[1];
    w.past = k->large && (uintptr_t)y % 64 == 0 && k->y.st[2] % LINE == 0;
    for (int64_t i = 0; i < k->y.size[2]; i++) {
        const lm_span *sw = &k->spans[2][i];
        w.taps[2] = sw->taps;
        w.step[2] = sw->step * k->x.st[2];
        const float *from = x + sw->at * k->x.st[2];
        ask_ahead(k, from, &w);
        float *to = y + i * k->y.st[2];
        if (!k->places) {
            k->fns->at[k->op](to, from, &w, k->op == LM_POOL_POWER ? k->p : lm_span_count(sd, sh, sw), k->y.c);
            continue;
        }
        int64_t *index = r->index + n * k->index.st_n + d * k->index.st[0] + h * k->index.st[1] + i * k->index.st[2];
        const int64_t first = sd->at * k->place_step[0] + sh->at * k->place_step[1] + sw->at * k->place_step[2];
        lm_pool_place place = {0, plane_base(k, 0, 1), (int32_t)first,
                               {(int32_t)sd->step * k->place_step[0], (int32_t)sh->step * k->place_step[1],
                                (int32_t)sw->step * k->place_step[2]}};
        for (int64_t c = 0; c < k->y.c; c += PART) {
            const int64_t m = k->y.c - c < PART ? k->y.c - c : PART;
            int64_t apart[PART], *at = k->index.st_c == 1 ? index + c : apart;
            place.base = plane_base(k, n, c);
            k->fns->max_at(to + c, at, from + c, &w, &place, m);
            for (int64_t j = 0; j < m && at == apart; j++)
                index[(c + j) * k->index.st_c] = at[j];
        }
    }
}

/* Sums become averages: divisors change along a row only near its ends. */
static void divide_row(const pooling *k, float *y, const lm_span *sd, const lm_span *sh)
{
    const lm_span *sw = k->spans[2];
    for (int64_t i = 0, end; i < k->y.size[2]; i = end) {
        for (end = i + 1; end < k->y.size[2] && sw[end].count == sw[i].count;)
            end++;
        k->fns->divide(y + i, y + i, lm_span_count(sd, sh, &sw[i]), end - i);
    }
}

static void rows_values(const pooling_run *r, float *y, const float *x, const lm_span *sd, const lm_span *sh)
{
    const pooling *k = r->k;
    for (int64_t i = 0; i < k->y.size[2]; i++)
        y[i] = k->op == LM_POOL_MAX ? -INFINITY : 0.0f;
    for (int64_t i0 = 0; i0 < sd->taps; i0++)
        for (int64_t i1 = 0; i1 < sh->taps; i1++) {
            const float *row = x + (sd->at + i0 * sd->step) * k->x.st[0] + (sh->at + i1 * sh->step) * k->x.st[1];
            for (int64_t tap = 0; tap < k->taps; tap++) {
                lm_tap_range in = k->range[tap];
                if (in.hi > in.lo)
                    k->fns->row[k->op](y + in.lo, row + in.lo * k->w.stride[2] + in.off, k->p, k->w.stride[2],
                                        in.hi - in.lo);
            }
        }
    if (k->op == LM_POOL_AVERAGE)
        divide_row(k, y, sd, sh);
    else if (k->op == LM_POOL_SQUARE || k->op == LM_POOL_POWER)
        k->fns->root(y, y, k->p, k->y.size[2]);
}

/* Results i0 ... i0 + m - 1 of a row, with places. */
static void rows_places(const pooling_run *r, float *y, const float *x, const lm_span *sd, const lm_span *sh,
                        int64_t i0, int64_t m, int32_t *at)
{
    const pooling *k = r->k;
    float best[PART];
    for (int64_t i = 0; i < m; i++) {
        y[i0 + i] = best[i] = -INFINITY;
        at[i] = -1;
    }
    for (int64_t t0 = 0; t0 < sd->taps; t0++)
        for (int64_t t1 = 0; t1 < sh->taps; t1++) {
            int64_t d = sd->at + t0 * sd->step, h = sh->at + t1 * sh->step;
            const float *row = x + d * k->x.st[0] + h * k->x.st[1];
            for (int64_t tap = 0; tap < k->taps; tap++) {
                lm_tap_range in = k->range[tap];
                int64_t lo = in.lo > i0 ? in.lo : i0, hi = in.hi < i0 + m ? in.hi : i0 + m;
                int64_t from = lo * k->w.stride[2] + in.off;
                int64_t place = d * k->place_step[0] + h * k->place_step[1] + from * k->place_step[2];
                if (hi > lo)
                    k->fns->max_row(y + lo, best + lo - i0, at + lo - i0, row + from, k->w.stride[2], (int32_t)place,
                                    (int32_t)(k->w.stride[2] * k->place_step[2]), hi - lo);
            }
        }
}

static void rows_row(const pooling_run *r, int64_t n, int64_t c, int64_t d, int64_t h)
{
    const pooling *k = r->k;
    const lm_span *sd = &k->spans[0][d], *sh = &k->spans[1][h];
    const float *x = r->x + n * k->x.st_n + c * k->x.st_c;
    float *y = r->y + n * k->y.st_n + c * k->y.st_c + d * k->y.st[0] + h * k->y.st[1];
    if (!k->places) {
        rows_values(r, y, x, sd, sh);
        return;
    }
    int64_t *index = r->index + n * k->index.st_n + c * k->index.st_c + d * k->index.st[0] + h * k->index.st[1];
    for (int64_t i = 0; i < k->y.size[2]; i += PART) {
        int32_t at[PART];
        int64_t m = k->y.size[2] - i < PART ? k->y.size[2] - i : PART;
        rows_places(r, y, x, sd, sh, i, m, at);
        put_places(index + i * k->index.st[2], k->index.st[2], at, plane_base(k, n, c), m);
    }
}

static void each_row(const pooling_run *r, int64_t from, int64_t to)
{
    const pooling *k = r->k;
    for (int64_t row = from; row < to; row++) {
        int64_t h = row % k->y.size[1], rest = row / k->y.size[1], d = rest % k->y.size[0];
        rest /= k->y.size[0];
        if (k->channels)
            channels_row(r, rest, d, h);
        else
            rows_row(r, rest / k->y.c, rest % k->y.c, d, h);
    }
}

static void pooling_tile(void *ctx, int64_t tile, int worker)
{
    const pooling_run *r = ctx;
    const pooling *k = r->k;
    (void)worker;
    const int64_t from = tile * k->per_tile, to = from + k->per_tile < k->rows ? from + k->per_tile : k->rows;
    if (k->near)
        near_rows(r, from, to);
    else if (k->block)
        largest_rows(r, from, to);
    else if (k->channels && k->op == LM_POOL_AVERAGE)
        average_rows(r, from, to);
    else
        each_row(r, from, to);
    if (k->large)
        k->stream->stream_end();
}

static lm_status run_pooling(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const pooling *k = (const pooling *)kernel;
    (void)workspace;
    pooling_run r = {k, p[0], p[1], k->places ? p[2] : NULL};
    lm_pool_run(cpu->pool, lm_tiles(k->rows, k->per_tile), pooling_tile, &r);
    return LM_OK;
}

static lm_status set_places(const lm_call *call, pooling *k)
{
    int64_t step[3] = {k->x.size[1] * k->x.size[2], k->x.size[2], 1}, plane;
    LM_REQUIRE(lm_mul_i64(step[0], k->x.size[0], &plane) && plane <= INT32_MAX, LM_UNSUPPORTED,
               "%s: a plane of x has more than 2^31 elements", lm_ops[call->op].name);
    if (call->a->pool.column_major) {
        step[0] = 1;
        step[1] = k->x.size[0];
        step[2] = k->x.size[0] * k->x.size[1];
    }
    for (int i = 0; i < 3; i++)
        k->place_step[i] = (int32_t)step[i];
    k->places = true;
    k->index = lm_image_of(&call->y[1]);
    return LM_OK;
}

/* Channels of a patch, so many that it holds a few windows along the row; 0 where windows are too long for it. */
static int64_t patch_block(const pooling *k)
{
    enum { WINDOWS = 4, STEP = 64 };
    const lm_windows *w = &k->w;
    int64_t extent = (w->kernel[2] - 1) * w->dilation[2] + 1, room = PATCH / WINDOWS / extent;
    bool fits = w->kernel[0] * w->kernel[1] <= TAPS && w->kernel[2] <= TAPS;
    for (int axis = 0; axis < 3; axis++)
        for (int64_t i = 0; i < k->y.size[axis]; i++)
            fits = fits && k->spans[axis][i].taps > 0;
    return !fits ? 0 : k->x.c <= room ? k->x.c : room / STEP * STEP;
}

/* Windows of 2 x 2 that do not overlap, or of 3 x 3. */
static bool small_windows(const lm_windows *w)
{
    const int64_t size = w->kernel[1], stride = w->stride[1];
    const bool flat = w->in[0] == 1 && w->kernel[0] == 1 && w->out[0] == 1;
    const bool square = flat && w->kernel[2] == size && w->stride[2] == stride;
    const bool dense = w->dilation[1] == 1 && w->dilation[2] == 1;
    return square && dense && ((size == 2 && stride == 2) || (size == 3 && stride <= 2));
}

static lm_status bind_pooling(lm_cpu *cpu, const lm_call *call, lm_pool_op op, const char *what, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    lm_image xi = lm_image_of(x), yi = lm_image_of(y);
    bool channels;
    LM_REQUIRE(x->dt == LM_F32, LM_UNSUPPORTED, "%s: no kernel for %s", lm_ops[call->op].name, lm_dtype_name(x->dt));
    LM_TRY(lm_image_layout(call, &xi, &yi, &channels));
    lm_windows w = lm_windows_of(&call->a->pool, &xi, &yi);
    int64_t taps = channels ? 0 : lm_windows_taps(&w, NULL);
    size_t spans = (size_t)(yi.size[0] + yi.size[1] + yi.size[2]), bytes, more;
    LM_REQUIRE(lm_mul_size(spans, sizeof(lm_span), &bytes) && lm_mul_size((size_t)taps, sizeof(lm_tap_range), &more) &&
                   lm_add_size(bytes, more, &bytes) && lm_add_size(bytes, sizeof(pooling), &bytes), LM_MEMORY,
               "%s: the result is too large", lm_ops[call->op].name);
    char name[32];
    snprintf(name, sizeof name, "%s_%s", what, channels ? "nhwc" : "rows");
    pooling *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, bytes, run_pooling, name, &k));
    k->fns = lm_pool_fns_of(cpu->level);
    k->op = op;
    k->p = (float)call->a->pool.p;
    k->channels = channels;
    k->x = xi;
    k->y = yi;
    k->w = w;
    k->taps = taps;
    lm_span *span = k->span;
    for (int axis = 0; axis < 3; span += yi.size[axis++]) {
        k->spans[axis] = span;
        lm_spans_forward(&k->w, axis, span);
    }
    k->range = (lm_tap_range *)span;
    if (taps > 0)
        lm_windows_taps(&w, (lm_tap_range *)span);
    if (channels && op == LM_POOL_MAX && (call->ny < 2 || !lm_view_present(&call->y[1])))
        k->block = patch_block(k);
    k->near = k->block && k->fns->largest_in && small_windows(&k->w);
    k->large = cpu->topo && 4.0 * (double)(lm_shape_count(&x->sh) + lm_shape_count(&y->sh)) >
                                (double)cpu->topo->cache[LM_L3].bytes;
    k->stream = lm_cpu_stream(cpu->level);
    int64_t row = yi.size[2] * (channels ? yi.c : 1);
    k->rows = row == 0 ? 0 : lm_shape_count(&y->sh) / row;
    k->per_tile = lm_rows_per_tile(k->rows, row);
    if (k->near)
        k->per_tile = k->rows / NEAR_TILES < NEAR_ROWS ? NEAR_ROWS : k->rows / NEAR_TILES;
    k->k.base.bytes = 4.0 * (double)(lm_shape_count(&x->sh) + lm_shape_count(&y->sh));
    *out = &k->k.base;
    return LM_OK;
}

lm_status lm_cpu_bind_maxpool(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    LM_TRY(bind_pooling(cpu, call, LM_POOL_MAX, "maxpool", out));
    if (call->ny < 2 || !lm_view_present(&call->y[1]))
        return LM_OK;
    lm_status status = set_places(call, (pooling *)*out);
    if (status != LM_OK)
        lm_free(*out);
    return status;
}

lm_status lm_cpu_bind_avgpool(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    return bind_pooling(cpu, call, LM_POOL_AVERAGE, "avgpool", out);
}

lm_status lm_cpu_bind_lppool(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    int p = call->a->pool.p;
    return bind_pooling(cpu, call, p == 1 ? LM_POOL_ABS : p == 2 ? LM_POOL_SQUARE : LM_POOL_POWER, "lppool", out);
}
