/* Walks the task grid of an lm_igemm: finds the rows of a tile, the runs of its reduction, and calls the tile kernels.
 */
#include "backends/cpu/igemm.h"

#include <math.h>
#include <string.h>

#include "backends/cpu/block.h"

/* Scratch of one task lives on the worker's stack: about 50 KB. */
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
    const float *res[LM_TILE_MR];
} rows;

typedef struct scratch {
    lm_span span[LM_SPANS];
    const float *point[LM_SPANS * LM_TILE_MR];
    float copy[LM_TILE_MR * LM_COPY_RUN]; /* the runs of border rows */
    float edge[2][EDGE];                  /* the last panel's outputs and residuals */
    float *edge_c[LM_TILE_MR];
    const float *edge_res[LM_TILE_MR];
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
    if (a->res)
        for (int i = 0; i < r->n; i++)
            r->res[i] = a->res + (r->c[i] - a->y);
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

/* Where the rows of a tile that meets the border read one tap, from channel c0 on. Returns whether any of it is image.
 * A row's part of `copy` serves the runs that lie half outside. */
static bool border_points(const lm_igemm *g, const lm_igemm_args *a, const lm_pass *p, const rows *r, const lm_tap *tap,
                          int64_t c0, float *copy, const float **point)
{
    const int64_t width = g->run_step ? g->channels / g->run_step : 1;
    const uintptr_t off = (uintptr_t)(tap->a_off + c0) * sizeof(float);
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

/* A step of the reduction: taps [t0, t1), channels [c0, c0 + len). */
typedef struct slice {
    int64_t t0, t1, c0, len;
} slice;

/* The tile's spans of one step. */
static void find_spans(const lm_igemm *g, const lm_igemm_args *a, const lm_pass *p, const rows *r, slice k, scratch *s,
                       lm_tile *tile)
{
    const lm_tap *tap = g->tap + p->first_tap;
    const int mr = g->set->mr, nr = g->set->nr;
    tile->a = r->x;
    tile->a_step = 0;
    tile->nspan = 0;
    if (r->inside) {
        for (int64_t t = k.t0; t < k.t1; t++)
            s->span[tile->nspan++] = (lm_span){tap[t].a_off + k.c0, tap[t].b_off + k.c0 * nr, k.len};
    } else {
        float *copy = s->copy;
        for (int64_t t = k.t0; t < k.t1; t++) {
            const float **point = s->point + tile->nspan * mr;
            const bool live = border_points(g, a, p, r, &tap[t], k.c0, copy, point);
            copy += g->run_step ? r->n * g->channels : 0;
            if (live || !a->finite)
                s->span[tile->nspan++] = (lm_span){0, tap[t].b_off + k.c0 * nr, k.len};
        }
        tile->a = s->point;
        tile->a_step = mr;
    }
    tile->span = s->span;
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
    for (int i = 0; i < r->n; i++) {
        s->edge_c[i] = s->edge[0] + i * width;
        s->edge_res[i] = s->edge[1] + i * width;
        if (t.resume)
            widen(s->edge_c[i], r->c[i] + t.col, valid, width);
        if (t.res && t.last)
            widen(s->edge[1] + i * width, r->res[i] + t.col, valid, width);
    }
    t.c = s->edge_c;
    t.res = t.res ? s->edge_res : NULL;
    t.col = 0;
    kernel(&t);
    for (int i = 0; i < r->n; i++)
        memcpy(r->c[i] + tile->col, s->edge[0] + i * width, bytes);
}

static void activate(const lm_igemm_args *a, const rows *r, int64_t col, int64_t n)
{
    for (int i = 0; i < r->n; i++) {
        float *y = r->c[i] + col;
        a->act(&(lm_ew){.y = y, .x = {y}, .n = (size_t)n, .a = a->act_a, .b = a->act_b, .bad = -1});
    }
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
    if (tile->last && a->act) {
        const int64_t col = p0 * nr, end = p1 * nr < g->columns ? p1 * nr : g->columns;
        activate(a, r, col, end - col);
    }
}

static slice slice_of(const lm_igemm *g, const lm_pass *p, int64_t b)
{
    slice k = {b * g->block_taps, (b + 1) * g->block_taps, 0, g->channels};
    if (g->pieces > 1) {
        k.t0 = b / g->pieces, k.t1 = k.t0 + 1, k.c0 = b % g->pieces * g->piece;
        k.len = k.c0 + g->piece < g->channels ? g->piece : g->channels - k.c0;
    }
    k.t1 = k.t1 < p->ntap ? k.t1 : p->ntap;
    return k;
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
    const int64_t blocks = g->pieces > 1 ? p->ntap * g->pieces : lm_ceil_div(p->ntap, g->block_taps);
    for (int64_t b = 0; b < (blocks ? blocks : 1); b++) {
        const slice k = slice_of(g, p, b);
        const int64_t steps = (k.t1 - k.t0) * k.len, all = steps > 0 ? steps * (p1 - p0) : 1;
        const int64_t newest = k.t1 > k.t0 ? g->tap[p->first_tap + k.t1 - 1].a_off + k.c0 : 0;
        const uintptr_t y_pace = (uintptr_t)lm_ceil_div(y_fresh, all);
        tile.x_pace = (uintptr_t)lm_ceil_div(x_fresh, all);
        tile.resume = b > 0;
        tile.last = b + 1 >= blocks;
        place at = place_of(p, tile0);
        for (int64_t t = tile0; t < tile1; t++) {
            find_rows(g, p, part, a, &at, &r);
            find_spans(g, a, p, &r, k, &s, &tile);
            tile.c = r.c;
            tile.res = a->res ? r.res : NULL;
            tile.x_ahead = (uintptr_t)r.x[0] + (uintptr_t)newest * sizeof(float) + (uintptr_t)x_fresh;
            tile.y_ahead = (uintptr_t)r.c[0] + (uintptr_t)y_fresh;
            tile.y_pace = t + 1 < tile1 ? y_pace : 0; /* behind the last tile another worker may be writing */
            run_panels(g, a, part, &r, p0, p1, steps, &tile, &s);
        }
    }
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
