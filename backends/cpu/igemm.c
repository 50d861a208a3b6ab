/* Walks the task grid of an lm_igemm: finds the rows of a tile, the runs of its reduction, and calls the tile kernels.
 */
#include "backends/cpu/igemm.h"

#include <math.h>
#include <string.h>

#include "backends/cpu/block.h"

/* Scratch of one task lives on the worker's stack: about 50 KB. */
enum { EDGE = 512, LINE = 16 };

typedef struct rows {
    int n;
    bool inside; /* every tap of every row meets the image */
    int64_t at[LM_TILE_MR][LM_AXES];
    const float *next;          /* about where the next tile begins to read, for fetching ahead */
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

/* Add `count` pixels of one output row, from (sample, out) on. */
static void add_run(const lm_igemm *g, const lm_pass *p, const lm_part *part, const lm_igemm_args *a, rows *r,
                    int64_t sample, const int64_t out[LM_AXES], int64_t count)
{
    int64_t x = part->x + sample * g->x_sample, y = part->y + sample * g->y_sample + p->y_off, at[LM_AXES];
    for (int k = 0; k < LM_AXES; k++) {
        at[k] = p->origin[k] + out[k] * p->step[k];
        if (p->padded) {
            const int64_t last = at[k] + (k == LM_AXES - 1 ? (count - 1) * p->step[k] : 0);
            r->inside &= at[k] + p->reach_lo[k] >= 0 && last + p->reach_hi[k] < g->in[k];
        }
        x += at[k] * g->x_step[k];
        y += out[k] * p->y_step[k];
    }
    const int64_t dx = p->step[2] * g->x_step[2], dy = p->y_step[2];
    const bool places = p->padded && !(p->chunk && r->inside); /* a piece of a row is all of its tile */
    uintptr_t from = (uintptr_t)a->x + (uintptr_t)x * sizeof(float);
    for (int i = r->n, end = i + (int)count; i < end;
         i++, at[2] += p->step[2], from += (uintptr_t)dx * sizeof(float), y += dy) {
        r->x[i] = (const float *)from;
        r->c[i] = a->y + y;
        if (places)
            memcpy(r->at[i], at, sizeof at);
    }
    r->n += (int)count;
}

/* The output pixels of tile t of a pass: a piece of one output row, or any mr pixels in row-major order. */
static void find_rows(const lm_igemm *g, const lm_pass *p, const lm_part *part, const lm_igemm_args *a, int64_t t,
                      rows *r)
{
    r->n = 0;
    r->inside = true;
    const int64_t pixels = p->out[0] * p->out[1] * p->out[2];
    int64_t first, count, end = g->samples * pixels;
    if (p->chunk) {
        const int64_t start = t % p->chunks * p->chunk;
        first = t / p->chunks * p->out[2] + start;
        count = p->out[2] - start < p->chunk ? p->out[2] - start : p->chunk;
    } else {
        first = t * p->rows;
        count = end - first < p->rows ? end - first : p->rows;
    }
    int64_t sample = first / pixels, rest = first % pixels;
    int64_t out[LM_AXES] = {rest / (p->out[1] * p->out[2]), rest / p->out[2] % p->out[1], rest % p->out[2]};
    while (count > 0) {
        const int64_t left = p->out[2] - out[2], n = count < left ? count : left;
        add_run(g, p, part, a, r, sample, out, n);
        count -= n;
        out[2] = 0;
        if (++out[1] < p->out[1])
            continue;
        out[1] = 0;
        if (++out[0] < p->out[0])
            continue;
        out[0] = 0;
        sample++;
    }
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
static bool border_points(const lm_igemm *g, const lm_igemm_args *a, const rows *r, const lm_tap *tap, int64_t c0,
                          float *copy, const float **point)
{
    const int64_t width = g->run_step ? g->channels / g->run_step : 1, off = (tap->a_off + c0) * (int64_t)sizeof(float);
    bool live = false;
    for (int i = 0; i < r->n; i++) {
        const uint64_t z = (uint64_t)(r->at[i][0] + tap->at[0]), y = (uint64_t)(r->at[i][1] + tap->at[1]);
        const int64_t x = r->at[i][2] + tap->at[2];
        const float *at = (const float *)((uintptr_t)r->x[i] + (uintptr_t)off);
        const bool inside = z < (uint64_t)g->in[0] && y < (uint64_t)g->in[1] && x + width > 0 && x < g->in[2];
        live |= inside;
        if (inside && (x < 0 || x + width > g->in[2]))
            at = edge_run(g, at, x, copy + i * g->channels);
        point[i] = inside ? at : a->zero;
    }
    return live;
}

/* Fill the tile's spans for taps [t0, t1), channels [c0, c0 + len). */
static void find_spans(const lm_igemm *g, const lm_igemm_args *a, const lm_pass *p, const rows *r, int64_t t0,
                       int64_t t1, int64_t c0, int64_t len, scratch *s, lm_tile *tile)
{
    const lm_tap *tap = g->tap + p->first_tap;
    const int mr = g->set->mr, nr = g->set->nr;
    tile->a = r->x;
    tile->a_step = 0;
    tile->nspan = 0;
    if (r->inside) {
        for (int64_t t = t0; t < t1; t++)
            s->span[tile->nspan++] = (lm_span){tap[t].a_off + c0, tap[t].b_off + c0 * nr, len};
    } else {
        float *copy = s->copy;
        for (int64_t t = t0; t < t1; t++) {
            const float **point = s->point + tile->nspan * mr;
            const bool live = border_points(g, a, r, &tap[t], c0, copy, point);
            copy += g->run_step ? r->n * g->channels : 0;
            if (live || !a->finite)
                s->span[tile->nspan++] = (lm_span){0, tap[t].b_off + c0 * nr, len};
        }
        tile->a = s->point;
        tile->a_step = mr;
    }
    tile->span = s->span;
}

/* The panels that reach past the last column work on a copy. */
static void edge_tile(const lm_tile *tile, lm_tile_kernel kernel, const rows *r, int64_t valid, int64_t width,
                      scratch *s)
{
    lm_tile t = *tile;
    const size_t bytes = (size_t)valid * sizeof(float);
    memset(s->edge, 0, sizeof s->edge);
    for (int i = 0; i < r->n; i++) {
        s->edge_c[i] = s->edge[0] + i * width;
        s->edge_res[i] = s->edge[1] + i * width;
        if (t.resume)
            memcpy(s->edge[0] + i * width, r->c[i] + t.col, bytes);
        if (t.res && t.last)
            memcpy(s->edge[1] + i * width, r->res[i] + t.col, bytes);
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

/* The first two kernel calls fetch what the next tile reads, every other line each. */
static void run_panels(const lm_igemm *g, const lm_igemm_args *a, const lm_part *part, const rows *r, int64_t p0,
                       int64_t p1, lm_tile *tile, scratch *s)
{
    const lm_tile_kernel *kernels = g->set->row[r->n];
    const int64_t nr = g->set->nr;
    int np;
    for (int64_t p = p0; p < p1; p += np) {
        for (np = LM_TILE_NP; np > p1 - p || !kernels[np];)
            np--;
        const int64_t width = np * nr, left = g->columns - p * nr, valid = left < width ? left : width;
        tile->b = a->b + part->b + p * g->panel;
        tile->bias = a->bias + part->bias + p * nr;
        tile->col = p * nr;
        tile->ahead = tile->b;
        if (p < p0 + 2)
            tile->ahead = r->next + (p - p0) * LINE;
        if (valid < width)
            edge_tile(tile, kernels[np], r, valid, width, s);
        else
            kernels[np](tile);
        if (tile->last && a->act)
            activate(a, r, tile->col, valid);
    }
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
    const int64_t row_step = p->step[2] * g->x_step[2];
    const int64_t blocks = g->pieces > 1 ? p->ntap * g->pieces : lm_ceil_div(p->ntap, g->block_taps);
    for (int64_t b = 0; b < (blocks ? blocks : 1); b++) {
        int64_t t0 = b * g->block_taps, t1 = t0 + g->block_taps, c0 = 0, len = g->channels;
        if (g->pieces > 1) {
            t0 = b / g->pieces, t1 = t0 + 1, c0 = b % g->pieces * g->piece;
            len = c0 + g->piece < g->channels ? g->piece : g->channels - c0;
        }
        if (t1 > p->ntap)
            t1 = p->ntap;
        tile.resume = b > 0;
        tile.last = b + 1 >= blocks;
        for (int64_t t = tile0; t < tile1; t++) {
            find_rows(g, p, part, a, t, &r);
            find_spans(g, a, p, &r, t0, t1, c0, len, &s, &tile);
            tile.c = r.c;
            r.next = (const float *)((uintptr_t)r.x[0] + (uintptr_t)(c0 + r.n * row_step) * sizeof(float));
            tile.res = a->res ? r.res : NULL;
            run_panels(g, a, part, &r, p0, p1, &tile, &s);
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
