/* Driver of average pooling's gradient on float32. A tile owns the image elements it writes; where windows overlap,
 * signals are added from +0 on in row-major order of the results. */
#include "backends/cpu/bind.h"
#include "backends/cpu/index.h"
#include "backends/cpu/pooling.h"
#include "core/base/mem.h"

#include <string.h>

/* Average pooling backwards: first every signal is divided as its average was (into the workspace, dense in the order
 * of the kernel's layout), then every image element sums its windows. */
typedef struct average_dx {
    lm_cpu_kernel k;
    const lm_pool_fns *fns;
    bool channels;
    lm_image s, t, y; /* signal, divided signal, result */
    lm_windows w;
    int64_t taps;
    const lm_tap_range *range;
    int64_t s_rows, s_per_tile, y_rows, y_per_tile;
    lm_span *counts[3], *spans[3]; /* of the forward windows; of the windows over one image element; in `span` */
    lm_span span[];
} average_dx;

typedef struct average_dx_run {
    const average_dx *k;
    const float *s;
    float *t, *y;
} average_dx_run;

/* Coordinates of row `row`: [n, d, h] with contiguous channels, otherwise [n, c, d, h]. */
typedef struct row_at {
    int64_t n, c, d, h;
} row_at;

static row_at row_of(const lm_image *m, bool channels, int64_t row)
{
    row_at at = {.h = row % m->size[1]};
    row /= m->size[1];
    at.d = row % m->size[0];
    row /= m->size[0];
    at.c = channels ? 0 : row % m->c;
    at.n = channels ? row : row / m->c;
    return at;
}

static int64_t row_offset(const lm_image *m, const row_at *at)
{
    return at->n * m->st_n + at->c * m->st_c + at->d * m->st[0] + at->h * m->st[1];
}

static void divide_tile(void *ctx, int64_t tile, int worker)
{
    const average_dx_run *r = ctx;
    const average_dx *k = r->k;
    (void)worker;
    const lm_span *sw = k->counts[2];
    int64_t end = (tile + 1) * k->s_per_tile < k->s_rows ? (tile + 1) * k->s_per_tile : k->s_rows;
    for (int64_t row = tile * k->s_per_tile; row < end; row++) {
        row_at at = row_of(&k->s, k->channels, row);
        const float *s = r->s + row_offset(&k->s, &at);
        float *t = r->t + row_offset(&k->t, &at);
        for (int64_t i = 0, next; i < k->s.size[2]; i = next) {
            for (next = i + 1; !k->channels && next < k->s.size[2] && sw[next].count == sw[i].count;)
                next++;
            float count = lm_span_count(&k->counts[0][at.d], &k->counts[1][at.h], &sw[i]);
            k->fns->divide(t + i * k->t.st[2], s + i * k->s.st[2], count, k->channels ? k->s.c : next - i);
        }
    }
}

static void sum_channels(const average_dx *k, float *y, const float *t, const lm_span *sd, const lm_span *sh)
{
    lm_pool_window w = {{sd->taps, sh->taps, 0}, {sd->step * k->t.st[0], sh->step * k->t.st[1], 0}, false, 0, 0};
    for (int64_t i = 0, n; i < k->y.size[2]; i += n) {
        const lm_span *sw = &k->spans[2][i];
        w.taps[2] = sw->taps;
        w.step[2] = sw->step * k->t.st[2];
        for (n = 1; i + n < k->y.size[2] && sw[n].taps == sw->taps && sw[n].step == sw->step && sw[n].at == sw->at + n;)
            n++;
        k->fns->sums(y + i * k->y.st[2], k->y.st[2], t + sw->at * k->t.st[2], k->t.st[2], &w, n, 0, k->y.c);
    }
}

/* Falling taps meet an element in rising order of the results. */
static void sum_row(const average_dx *k, float *y, const float *t, const lm_span *sd, const lm_span *sh)
{
    memset(y, 0, (size_t)k->y.size[2] * sizeof *y);
    for (int64_t i0 = 0; i0 < sd->taps; i0++)
        for (int64_t i1 = 0; i1 < sh->taps; i1++) {
            const float *row = t + i0 * sd->step * k->t.st[0] + i1 * sh->step * k->t.st[1];
            for (int64_t tap = k->taps - 1; tap >= 0; tap--) {
                lm_tap_range in = k->range[tap];
                if (in.hi > in.lo)
                    k->fns->spread(y + in.lo * k->w.stride[2] + in.off, k->w.stride[2], row + in.lo, in.hi - in.lo);
            }
        }
}

static void sum_tile(void *ctx, int64_t tile, int worker)
{
    const average_dx_run *r = ctx;
    const average_dx *k = r->k;
    (void)worker;
    int64_t end = (tile + 1) * k->y_per_tile < k->y_rows ? (tile + 1) * k->y_per_tile : k->y_rows;
    for (int64_t row = tile * k->y_per_tile; row < end; row++) {
        row_at at = row_of(&k->y, k->channels, row);
        const lm_span *sd = &k->spans[0][at.d], *sh = &k->spans[1][at.h];
        const float *t = r->t + at.n * k->t.st_n + at.c * k->t.st_c + sd->at * k->t.st[0] + sh->at * k->t.st[1];
        float *y = r->y + row_offset(&k->y, &at);
        if (k->channels)
            sum_channels(k, y, t, sd, sh);
        else
            sum_row(k, y, t, sd, sh);
    }
}

static lm_status run_average_dx(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const average_dx *k = (const average_dx *)kernel;
    average_dx_run r = {k, p[0], workspace, p[1]};
    lm_pool_run(cpu->pool, lm_tiles(k->s_rows, k->s_per_tile), divide_tile, &r);
    lm_pool_run(cpu->pool, lm_tiles(k->y_rows, k->y_per_tile), sum_tile, &r);
    return LM_OK;
}

/* Rows of an image and how many a tile takes. */
static int64_t count_rows(const lm_image *m, bool channels, int64_t *per_tile)
{
    int64_t row = m->size[2] * (channels ? m->c : 1);
    int64_t rows = row == 0 ? 0 : m->n * m->size[0] * m->size[1] * (channels ? 1 : m->c);
    *per_tile = lm_rows_per_tile(rows, row);
    return rows;
}

lm_status lm_cpu_bind_avgpool_dx(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *s = &call->x[0], *y = &call->y[0];
    const char *op = lm_ops[call->op].name;
    lm_image si = lm_image_of(s), yi = lm_image_of(y);
    bool channels;
    LM_REQUIRE(s->dt == LM_F32, LM_UNSUPPORTED, "%s: no kernel for %s", op, lm_dtype_name(s->dt));
    LM_TRY(lm_image_layout(call, &si, &yi, &channels));
    lm_windows w = lm_windows_of(&call->a->pool, &yi, &si);
    int64_t taps = channels ? 0 : lm_windows_taps(&w, NULL);
    size_t spans = 0, bytes, more, workspace;
    for (int i = 0; i < 3; i++)
        spans += (size_t)(si.size[i] + yi.size[i]);
    LM_REQUIRE(lm_mul_size(spans, sizeof(lm_span), &bytes) && lm_mul_size((size_t)taps, sizeof(lm_tap_range), &more) &&
                   lm_add_size(bytes, more, &bytes) && lm_add_size(bytes, sizeof(average_dx), &bytes) &&
                   lm_mul_size((size_t)lm_shape_count(&s->sh), sizeof(float), &workspace),
               LM_MEMORY, "%s: the image is too large", op);
    average_dx *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, bytes, run_average_dx, channels ? "avgpool_dx_nhwc" : "avgpool_dx_rows", &k));
    lm_view dense = channels ? lm_view_nhwc(LM_F32, &s->sh, NULL) : lm_view_row(LM_F32, &s->sh, NULL);
    k->fns = lm_pool_fns_of(cpu->level);
    k->channels = channels;
    k->s = si;
    k->t = lm_image_of(&dense);
    k->y = yi;
    k->w = w;
    k->taps = taps;
    lm_span *span = k->span;
    for (int axis = 0; axis < 3; axis++) {
        k->counts[axis] = span;
        lm_spans_forward(&k->w, axis, span);
        k->spans[axis] = span += si.size[axis];
        lm_spans_back(&k->w, axis, span);
        span += yi.size[axis];
    }
    k->range = (lm_tap_range *)span;
    if (taps > 0)
        lm_windows_taps(&w, (lm_tap_range *)span);
    k->s_rows = count_rows(&si, channels, &k->s_per_tile);
    k->y_rows = count_rows(&yi, channels, &k->y_per_tile);
    k->k.base.workspace = workspace;
    k->k.base.bytes = 4.0 * (double)(lm_shape_count(&s->sh) + lm_shape_count(&y->sh));
    *out = &k->k.base;
    return LM_OK;
}

