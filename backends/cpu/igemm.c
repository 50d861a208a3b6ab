/* Walks the task grid of an lm_igemm: finds the rows of a tile, the runs of its reduction, and calls the tile kernels.
 */
#include "backends/cpu/igemm.h"

#include <math.h>
#include <string.h>

#include "backends/cpu/block.h"
#include "core/base/mem.h"

/* Scratch of one task lives on the worker's stack: about 60 KB. */
enum { EDGE = 512 };

/* An output pixel. */
typedef struct place {
    int64_t sample, out[LM_AXES];
} place;

/* Rows of a tile that are neighbours in one output row; `at`: where the first one's window begins. */
typedef struct strip {
    int end;
    int64_t at[LM_AXES];
} strip;

typedef struct rows {
    int n, strips;
    bool inside; /* every tap of every row meets the image */
    strip strip[LM_TILE_MR];
    const float *x[LM_TILE_MR]; /* the pixel at displacement 0; outside the image perhaps, then never read */
    float *c[LM_TILE_MR];
    const float *res[LM_TILE_MR], *point[LM_TILE_MR];
} rows;

typedef struct scratch {
    lm_span span[LM_SPANS];
    const float *point[LM_SPANS * LM_TILE_MR];
    float copy[LM_TILE_MR * LM_COPY_RUN]; /* the runs of border rows */
    float edge[3][EDGE];                  /* the last panel's outputs, residuals and mask */
    float *edge_c[LM_TILE_MR];
    const float *edge_in[2][LM_TILE_MR]; /* rows of the latter two */
} scratch;

typedef struct job {
    const lm_igemm *g;
    const lm_igemm_args *a;
} job;

/* Add `count` pixels of one output row, from `at` on. */
static void add_run(const lm_igemm *g, const lm_pass *p, const lm_part *part, const lm_igemm_args *a, const place *at,
                    int count, rows *r)
{
    int64_t x = part->x + at->sample * g->x_sample, y = part->y + at->sample * g->y_sample + p->y_off;
    strip *own = &r->strip[r->strips++];
    for (int k = 0; k < LM_AXES; k++) {
        const int64_t from = p->origin[k] + at->out[k] * p->step[k];
        const int64_t last = from + (k == LM_AXES - 1 ? (count - 1) * p->step[k] : 0);
        r->inside &= from + p->reach_lo[k] >= 0 && last + p->reach_hi[k] < g->in[k];
        own->at[k] = from;
        x += from * g->x_step[k];
        y += at->out[k] * p->y_step[k];
    }
    own->end = r->n + count;
    const uintptr_t dx = (uintptr_t)(p->step[2] * g->x_step[2]) * sizeof(float);
    uintptr_t from = (uintptr_t)a->x + (uintptr_t)x * sizeof(float);
    float *c = a->y + y;
    for (int i = r->n; i < own->end; i++, from += dx, c += p->y_step[2]) {
        r->x[i] = (const float *)from;
        r->c[i] = c;
    }
    r->n += count;
}

/* Where tile t of a pass begins. */
static place place_of(const lm_pass *p, int64_t t)
{
    const int64_t line = p->chunk ? t / p->chunks : t * p->rows / p->out[2];
    const int64_t x = p->chunk ? t % p->chunks * p->chunk : t * p->rows % p->out[2];
    const int64_t z = line / p->out[1];
    return (place){z / p->out[0], {z % p->out[0], line % p->out[1], x}};
}

/* The output pixels of the tile that begins at `at`, a piece of one output row or any mr pixels in row-major order;
 * leaves `at` where the next one begins. */
static void find_rows(const lm_igemm *g, const lm_pass *p, const lm_part *part, const lm_igemm_args *a, place *at,
                      rows *r)
{
    r->n = r->strips = 0;
    r->inside = true;
    int64_t count = p->chunk ? p->chunk : p->rows;
    do {
        const int64_t left = p->out[2] - at->out[2], n = count < left ? count : left;
        add_run(g, p, part, a, at, (int)n, r);
        count -= n;
        at->out[2] += n;
        if (n < left)
            break;
        at->out[2] = 0;
        if (++at->out[1] == p->out[1]) {
            at->out[1] = 0;
            if (++at->out[0] == p->out[0])
                at->out[0] = 0, at->sample++;
        }
    } while (count > 0 && !p->chunk && at->sample < g->samples);
    for (int i = 0; i < r->n && a->res; i++)
        r->res[i] = a->res + (r->c[i] - a->y);
    for (int i = 0; i < r->n && a->point; i++)
        r->point[i] = a->point + (r->c[i] - a->y);
}

/* A run of several taps along a row that meets the image's edge: a copy with zeros where it is outside. */
static const float *edge_run(const lm_igemm *g, const float *x, int64_t at, float *copy)
{
    const int64_t taps = g->channels / g->run_step;
    const int64_t lo = at < 0 ? -at : 0, hi = at + taps > g->in[2] ? g->in[2] - at : taps;
    if (lo > 0)
        memset(copy, 0, (size_t)(lo * g->run_step) * sizeof *copy);
    memcpy(copy + lo * g->run_step, x + lo * g->run_step, (size_t)((hi - lo) * g->run_step) * sizeof *copy);
    if (hi < taps)
        memset(copy + hi * g->run_step, 0, (size_t)((taps - hi) * g->run_step) * sizeof *copy);
    return copy;
}

/* Where the rows of a tile that meets the border read one tap. Returns whether any of it is image. A row's part of
 * `copy` serves the runs that lie half outside. */
static bool border_points(const lm_igemm *g, const lm_igemm_args *a, const lm_pass *p, const rows *r, const lm_tap *tap,
                          float *copy, const float **point)
{
    const int64_t width = g->run_step ? g->channels / g->run_step : 1;
    const uintptr_t off = (uintptr_t)tap->a_off * sizeof(float);
    bool live = false;
    int i = 0;
    for (const strip *own = r->strip; i < r->n; own++) {
        const uint64_t z = (uint64_t)(own->at[0] + tap->at[0]), y = (uint64_t)(own->at[1] + tap->at[1]);
        const bool row = z < (uint64_t)g->in[0] && y < (uint64_t)g->in[1];
        for (int64_t x = own->at[2] + tap->at[2]; i < own->end; i++, x += p->step[2]) {
            const float *at = (const float *)((uintptr_t)r->x[i] + off);
            const bool inside = row && x + width > 0 && x < g->in[2];
            live |= inside;
            if (inside && (x < 0 || x + width > g->in[2]))
                at = edge_run(g, at, x, copy + i * g->channels);
            point[i] = inside ? at : a->zero;
        }
    }
    return live;
}

/* The tile's spans for terms [k0, k1). */
static void find_spans(const lm_igemm *g, const lm_igemm_args *a, const lm_pass *p, const rows *r, int64_t k0,
                       int64_t k1, scratch *s, lm_tile *tile)
{
    const lm_tap *tap = g->tap + p->first_tap + (k1 > k0 ? k0 / g->channels : 0);
    const int mr = g->set->mr, nr = g->set->nr;
    float *copy = s->copy;
    tile->span = s->span;
    tile->nspan = 0;
    tile->a = r->inside ? r->x : s->point;
    tile->a_step = r->inside ? 0 : mr;
    for (int64_t k = k0, c = k1 > k0 ? k0 % g->channels : 0, len; k < k1; k += len, c = 0, tap++) {
        lm_span *span = &s->span[tile->nspan];
        len = g->channels - c < k1 - k ? g->channels - c : k1 - k;
        *span = (lm_span){c, tap->b_off + c * nr, len, k - k0};
        if (r->inside) {
            span->a_off += tap->a_off;
            tile->nspan++;
        } else {
            tile->nspan += border_points(g, a, p, r, tap, copy, s->point + tile->nspan * mr) || !a->finite;
            copy += g->run_step ? r->n * g->channels : 0;
        }
    }
}

static void widen(float *to, const float *from, int64_t valid, int64_t width)
{
    memcpy(to, from, (size_t)valid * sizeof *to);
    memset(to + valid, 0, (size_t)(width - valid) * sizeof *to);
}

/* The panels that reach past the last column work on a copy. */
static void edge_tile(const lm_tile *tile, lm_tile_kernel kernel, const rows *r, int64_t valid, int64_t width,
                      scratch *s)
{
    lm_tile t = *tile;
    const size_t bytes = (size_t)valid * sizeof(float);
    const float *const *in[2] = {t.res, t.mask};
    for (int i = 0; i < r->n; i++) {
        s->edge_c[i] = s->edge[0] + i * width;
        if (t.resume)
            widen(s->edge_c[i], r->c[i] + t.col, valid, width);
    }
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < r->n && in[k] && t.last; i++) {
            float *row = s->edge[1 + k] + i * width;
            widen(row, in[k][i] + t.col, valid, width);
            s->edge_in[k][i] = row;
        }
    t.c = s->edge_c;
    t.res = t.res ? s->edge_in[0] : NULL;
    t.mask = t.mask ? s->edge_in[1] : NULL;
    t.col = 0;
    kernel(&t);
    for (int i = 0; i < r->n; i++)
        memcpy(r->c[i] + tile->col, s->edge[0] + i * width, bytes);
}

static void run_panels(const lm_igemm *g, const lm_igemm_args *a, const lm_part *part, const rows *r, int64_t p0,
                       int64_t p1, int64_t steps, lm_tile *tile, scratch *s)
{
    const lm_tile_kernel *kernels = g->set->row[r->n];
    const int64_t nr = g->set->nr;
    int np = LM_TILE_NP;
    for (int64_t p = p0; p < p1; p += np) {
        while (np > p1 - p || !kernels[np])
            np--;
        const int64_t left = g->columns - p * nr, valid = left < np * nr ? left : np * nr;
        const bool half = kernels[0] && left <= nr / 2;
        const int64_t width = half ? nr / 2 : np * nr;
        const lm_tile_kernel kernel = kernels[half ? 0 : np];
        tile->b = a->b + part->b + p * g->panel;
        tile->bias = a->bias + part->bias + p * nr;
        tile->col = p * nr;
        if (valid < width)
            edge_tile(tile, kernel, r, valid, width, s);
        else
            kernel(tile);
        tile->x_ahead += (uintptr_t)steps * tile->x_pace;
        tile->y_ahead += (uintptr_t)steps * tile->y_pace;
    }
    if (tile->last && (a->ending.act || (a->ending.slope && !a->ending.mask))) {
        const int64_t col = p0 * nr, end = p1 * nr < g->columns ? p1 * nr : g->columns;
        for (int i = 0; i < r->n; i++)
            lm_ending_at(a, r->c[i] + col, end - col);
    }
}

/* Steps of the reduction, less one, in which the faster of two streams gets a line further; a power of two, less one. */
static int64_t steps_between(uintptr_t x_pace, uintptr_t y_pace)
{
    const uintptr_t pace = x_pace > y_pace ? x_pace : y_pace;
    uintptr_t steps = 1;
    while (steps < LM_ALIGN && 2 * steps * pace <= LM_ALIGN)
        steps *= 2;
    return (int64_t)steps - 1;
}

/* Floats from a row's pixel to what only the last of terms [k0, k1) read: the next tile reads on from there. */
static int64_t newest_term(const lm_igemm *g, const lm_pass *p, int64_t k0, int64_t k1)
{
    const int64_t tap = (k1 - 1) / g->channels, first = k0 - tap * g->channels;
    return g->tap[p->first_tap + tap].a_off + (first > 0 ? first : 0);
}

static void run_block(const lm_igemm *g, const lm_igemm_args *a, const lm_part *part, const lm_pass *p, int64_t tile0,
                      int64_t tile1, int64_t p0, int64_t p1)
{
    scratch s;
    rows r;
    lm_tile tile = {.b_panel = g->panel,
                    .b_step = g->set->nr,
                    .lo = g->lo,
                    .hi = g->hi,
                    .clamp = g->lo > -INFINITY || g->hi < INFINITY};
    /* The next tile reads and writes about as many bytes, behind this one's; of its results only whole rows lie in one
     * piece. */
    const int64_t most = p->chunk ? p->chunk : p->rows;
    const int64_t x_fresh = most * p->step[2] * g->x_step[2] * (int64_t)sizeof(float);
    const int64_t y_fresh = p1 - p0 == g->panels ? most * p->y_step[2] * (int64_t)sizeof(float) : 0;
    const int64_t terms = p->ntap * g->channels;
    const int64_t end = a->k1 ? a->k1 : terms;
    int64_t k0 = a->k0, k1;
    do {
        k1 = end - k0 < g->depth ? end : k0 + g->depth;
        const int64_t steps = k1 - k0, all = steps > 0 ? steps * (p1 - p0) : 1;
        const int64_t newest = steps > 0 ? newest_term(g, p, k0, k1) : 0;
        const uintptr_t y_pace = (uintptr_t)lm_ceil_div(y_fresh, all);
        tile.x_pace = (uintptr_t)lm_ceil_div(x_fresh, all);
        tile.between = steps_between(tile.x_pace, y_pace);
        tile.resume = k0 > 0;
        tile.last = k1 == terms;
        place at = place_of(p, tile0);
        bool kept = false; /* the spans of rows inside the image are the same for all tiles */
        for (int64_t t = tile0; t < tile1; t++) {
            find_rows(g, p, part, a, &at, &r);
            if (!kept || !r.inside)
                find_spans(g, a, p, &r, k0, k1, &s, &tile);
            kept = r.inside;
            tile.c = r.c;
            tile.res = a->res ? r.res : NULL;
            tile.mask = a->ending.mask ? r.point : NULL;
            tile.x_ahead = (uintptr_t)r.x[0] + (uintptr_t)newest * sizeof(float) + (uintptr_t)x_fresh;
            tile.y_ahead = (uintptr_t)r.c[0] + (uintptr_t)y_fresh;
            tile.y_pace = t + 1 < tile1 ? y_pace : 0; /* behind the last tile another worker may be writing */
            run_panels(g, a, part, &r, p0, p1, steps, &tile, &s);
        }
        k0 = k1;
    } while (k0 < end);
}

static void task(void *ctx, int64_t index, int worker)
{
    const job *j = ctx;
    const lm_igemm *g = j->g;
    (void)worker;
    const int64_t per_part = g->tasks / g->nparts;
    const lm_part *part = &g->part[index / per_part];
    int64_t rest = index % per_part;
    const lm_pass *p = g->pass;
    while (p + 1 < g->pass + g->npass && rest >= p[1].first_task)
        p++;
    rest -= p->first_task;
    const int64_t t0 = rest % p->row_blocks * g->block_tiles, p0 = rest / p->row_blocks * g->block_panels;
    const int64_t t1 = t0 + g->block_tiles, p1 = p0 + g->block_panels;
    run_block(g, j->a, part, p, t0, t1 < p->tiles ? t1 : p->tiles, p0, p1 < g->panels ? p1 : g->panels);
}

void lm_igemm_run(lm_cpu *cpu, const lm_igemm *g, const lm_igemm_args *args)
{
    job j = {g, args};
    lm_pool_run(cpu->pool, g->tasks, task, &j);
}

void lm_igemm_columns(const lm_igemm *g, const lm_igemm_args *args, int64_t part, int64_t p0, int64_t p1)
{
    for (const lm_pass *p = g->pass; p < g->pass + g->npass; p++)
        if (p->tiles > 0) /* a phase of a transposed convolution may have no pixel */
            run_block(g, args, &g->part[part], p, 0, p->tiles, p0, p1);
}
