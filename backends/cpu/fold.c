/* The folded form of weight gradients: gathers columns and walks the tiles. */
#include "backends/cpu/fold.h"

#include <math.h>
#include <string.h>

#include "backends/cpu/block.h"
#include "backends/cpu/product.h"

/* Tasks worth having; floats that a copy may write or read beyond its end; pixels of a packing task. */
enum { TASKS = 8, SLACK = 16, PACK_PIXELS = 16 };

/* From how many rows on gathering pays, from how many panels on packing the signal does; an image of few pixels; floats
 * whose multiples are crowded. */
enum { FOLD_ROWS = 128, PACK_PANELS = 16, FEW_PIXELS = 64, CROWDED = 256 };

/* `len` columns that lie side by side, from the address of a pixel on. */
typedef struct run {
    int64_t from, to, len;
} run;

typedef struct job {
    const lm_fold *f;
    const float *x, *s; /* where columns are gathered, and the signal or its packed rows */
    float *rows, *y;
    char *workspace;
} job;

static int64_t dot(const int64_t at[LM_AXES], const int64_t step[LM_AXES])
{
    return at[0] * step[0] + at[1] * step[1] + at[2] * step[2];
}

/* An output pixel's place in its sample. */
static void place(const lm_fold *f, int64_t pixel, int64_t at[LM_AXES])
{
    at[2] = pixel % f->out[2];
    at[1] = pixel / f->out[2] % f->out[1];
    at[0] = pixel / f->out[2] / f->out[1];
}

/* The runs of columns [first, first + count). */
static int find_runs(const lm_fold *f, int64_t first, int64_t count, run *r)
{
    const int64_t along = f->taps == 1 ? count : f->kernel[2];
    if (f->taps == 1) {
        r[0] = (run){first, 0, count};
        return 1;
    }
    int n = 0;
    for (int64_t e = first, end = first + count; e < end; e += r[n++].len) {
        const int64_t c = e / f->taps, line = e % f->taps / along, k = e % along;
        r[n].to = e - first;
        r[n].len = along - k < end - e ? along - k : end - e;
        r[n].from = c * f->channel_step + line / f->kernel[1] * f->line_step[0] +
                    line % f->kernel[1] * f->line_step[1] + k;
    }
    return n;
}

/* n pixels of an output row. `once`: no run is longer than a small piece, and the next run or pixel overwrites what is
 * too much; otherwise runs are whole pieces. */
#define ONCE(piece) \
    for (int64_t i = 0; i < n; i++, from += step, to += width) \
        for (const run *k = r; k < end; k++) \
            memcpy(to + k->to, from + k->from, piece * sizeof *to)
#define WHOLE(piece) \
    for (int64_t i = 0; i < n; i++, from += step, to += width) \
        for (const run *k = r; k < end; k++) \
            for (int64_t j = 0; j < k->len; j += piece) \
                memcpy(to + k->to + j, from + k->from + j, piece * sizeof *to)

static void gather(const run *r, int runs, int piece, bool once, const float *from, int64_t step, int64_t n,
                   int64_t width, float *to)
{
    const run *const end = r + runs;
    if (once && piece == 4)
        ONCE(4);
    else if (once && piece == 8)
        ONCE(8);
    else if (piece == 16)
        WHOLE(16);
    else if (piece == 8)
        WHOLE(8);
    else
        WHOLE(1);
}

/* Floats that gather may copy at once. */
static int piece_of(const lm_fold *f, int64_t valid)
{
    if (f->taps > 1)
        return f->kernel[2] <= 4 ? 4 : f->kernel[2] <= 8 ? 8 : 16;
    return valid % 16 == 0 ? 16 : valid % 8 == 0 ? 8 : 1;
}

/* Pixels [p0, p1) of a sample, from `to` on. */
static void gather_pixels(const lm_fold *f, const run *r, int runs, int piece, const float *sample, int64_t p0,
                          int64_t p1, float *to)
{
    for (int64_t p = p0, n; p < p1; p += n, to += n * f->set->nr) {
        int64_t at[LM_AXES];
        place(f, p, at);
        n = f->out[2] - at[2] < p1 - p ? f->out[2] - at[2] : p1 - p;
        gather(r, runs, piece, f->taps > 1, sample + dot(at, f->from_step), f->from_step[2], n, f->set->nr, to);
    }
}

/* What the tiles of a block have in common. */
typedef struct block {
    int64_t tile0, tile1, column0, valid;
    float *columns, *edge;
} block;

static void run_tile(const job *j, const block *b, int64_t t, lm_tile *tile)
{
    const lm_fold *f = j->f;
    const int64_t mr = f->set->mr, m = t * mr, n = f->rows - m < mr ? f->rows - m : mr;
    const bool edge = b->valid < f->set->nr;
    float *c[LM_TILE_MR], *to = j->y + m * f->y_row + b->column0;
    for (int64_t i = 0; i < n; i++)
        c[i] = edge ? b->edge + i * f->set->nr : to + i * f->y_row;
    for (int64_t i = 0; edge && tile->resume && i < n; i++)
        memcpy(c[i], to + i * f->y_row, (size_t)b->valid * sizeof *to);
    tile->ak = j->rows ? j->rows + t * f->samples * f->pixels * mr : j->s + m;
    tile->c = c;
    f->set->column[n][1](tile);
    for (int64_t i = 0; edge && i < n; i++)
        memcpy(to + i * f->y_row, c[i], (size_t)b->valid * sizeof *to);
}

static void run_block(const job *j, const block *b)
{
    const lm_fold *f = j->f;
    run r[LM_TILE_COLS];
    const int runs = find_runs(f, b->column0, b->valid, r), piece = piece_of(f, b->valid);
    const int64_t all = f->samples * f->links, mr = f->set->mr;
    lm_span span[LM_CHAIN];
    lm_tile tile = {.span = span, .b = b->columns, .b_panel = f->set->nr, .b_step = f->set->nr};
    tile.ak_step = j->rows ? mr : f->s_step[2];
    for (int64_t first = 0; first < all || first == 0; first += f->step_links) {
        const int64_t last = first + f->step_links < all ? first + f->step_links : all;
        int64_t k = 0;
        tile.nspan = 0;
        for (int64_t link = first; link < last; link++) {
            const int64_t n = link / f->links, p0 = link % f->links * LM_CHAIN;
            const int64_t p1 = p0 + LM_CHAIN < f->pixels ? p0 + LM_CHAIN : f->pixels;
            gather_pixels(f, r, runs, piece, j->x + n * f->from_sample, p0, p1, b->columns + k * f->set->nr);
            span[tile.nspan++] = (lm_span){j->rows ? (n * f->pixels + p0) * mr : n * f->s_sample + p0 * f->s_step[2],
                                           k * f->set->nr, p1 - p0, (link - first) * LM_CHAIN};
            k += p1 - p0;
        }
        tile.resume = first > 0, tile.last = last >= all;
        for (int64_t t = b->tile0; t < b->tile1; t++)
            run_tile(j, b, t, &tile);
    }
}

static void task(void *ctx, int64_t index, int worker)
{
    const job *j = ctx;
    const lm_fold *f = j->f;
    block b;
    b.tile0 = index % f->row_blocks * f->block_tiles;
    b.tile1 = b.tile0 + f->block_tiles < f->tiles ? b.tile0 + f->block_tiles : f->tiles;
    b.column0 = index / f->row_blocks * f->set->nr;
    b.valid = f->columns - b.column0 < f->set->nr ? f->columns - b.column0 : f->set->nr;
    b.columns = (float *)(j->workspace + f->worker_at + worker * f->worker_bytes);
    b.edge = b.columns + f->terms * f->set->nr + SLACK;
    if (b.valid < f->set->nr)
        memset(b.columns, 0, (size_t)(f->terms * f->set->nr) * sizeof *b.columns);
    run_block(j, &b);
}

/* Some pixels of a sample of the signal, into each tile's rows side by side. */
static void pack_rows(void *ctx, int64_t index, int worker)
{
    const job *j = ctx;
    const lm_fold *f = j->f;
    const int64_t mr = f->set->mr, blocks = lm_ceil_div(f->pixels, PACK_PIXELS), wide = mr <= 8 ? 8 : 16;
    const int64_t n = index / blocks, p0 = index % blocks * PACK_PIXELS;
    const int64_t p1 = p0 + PACK_PIXELS < f->pixels ? p0 + PACK_PIXELS : f->pixels, step = f->s_step[2];
    (void)worker;
    for (int64_t t = 0; t < f->tiles; t++) {
        const int64_t m = t * mr, left = f->rows - m < mr ? f->rows - m : mr;
        const float *from = j->s + n * f->s_sample + p0 * step + m;
        float *to = j->rows + ((t * f->samples + n) * f->pixels + p0) * mr;
        int64_t p = p0;
        if (m + wide <= f->rows && wide == 16)
            for (; p + 1 < p1; p++, from += step, to += mr)
                memcpy(to, from, 16 * sizeof *to);
        else if (m + wide <= f->rows)
            for (; p + 1 < p1; p++, from += step, to += mr)
                memcpy(to, from, 8 * sizeof *to);
        for (; p < p1; p++, from += step, to += mr)
            memcpy(to, from, (size_t)left * sizeof *to);
    }
}

bool lm_fold_run(lm_cpu *cpu, const lm_fold *f, const float *x, const float *s, float *y, char *workspace)
{
    job j = {f, x, s, NULL, y, workspace};
    if (f->gathers_planes) {
        float *planes = (float *)(workspace + f->planes_at);
        const int64_t inside = dot(f->pad, (int64_t[]){f->line_step[0], f->line_step[1], 1});
        memset(planes, 0, (size_t)f->planes_floats * sizeof *planes);
        lm_copy_run(cpu->pool, &f->planes, planes + inside, x);
        j.x = planes;
    }
    if (f->packs_rows) {
        j.rows = (float *)(workspace + f->rows_at);
        lm_pool_run(cpu->pool, f->samples * lm_ceil_div(f->pixels, PACK_PIXELS), pack_rows, &j);
    }
    lm_pool_run(cpu->pool, f->panels * f->row_blocks, task, &j);
    bool finite = true;
    for (int64_t m = 0; f->gathers_planes && m < f->rows; m++) /* every column of a row meets all of its signal */
        finite &= isfinite(y[m * f->y_row]) != 0;
    return finite;
}

/* Whether the pixels of a chain, `step` floats apart, lie in few sets of a cache. */
static bool crowded(int64_t step)
{
    return step % CROWDED == 0;
}

/* Measured: what gathering saves (short runs, the way from taps to the result, crowded caches) against what it costs,
 * which is shared by the rows. Narrow panels use but a part of every line that they read. */
static bool is_worth_it(const lm_fold *f)
{
    const bool narrow = f->set->nr <= 16, strided = f->stride[0] > 1 || f->stride[1] > 1 || f->stride[2] > 1;
    if (f->rows < FOLD_ROWS)
        return false;
    if (f->taps > 1)
        return f->pixels <= FEW_PIXELS || (narrow && strided);
    return (crowded(f->x_step[2] * f->stride[2]) || crowded(f->s_step[2])) && (narrow || f->pixels <= LM_CHAIN);
}

/* Gather from planes by channel, which have zeros around them. False: the signal is cropped, or padding would be most of
 * the planes. */
static bool plan_planes(lm_fold *f)
{
    int64_t size[LM_AXES];
    for (int k = 0; k < LM_AXES; k++) {
        const int64_t reach = (f->out[k] - 1) * f->stride[k] + f->kernel[k], end = f->in[k] + f->pad[k];
        size[k] = reach > end ? reach : end;
        if (f->pad[k] < 0 || size[k] > 4 * (f->in[k] + f->kernel[k]))
            return false;
    }
    f->line_step[1] = size[2], f->line_step[0] = size[1] * size[2];
    f->channel_step = size[0] * f->line_step[0];
    f->from_sample = f->channels * f->channel_step;
    f->from_step[0] = f->line_step[0] * f->stride[0], f->from_step[1] = f->line_step[1] * f->stride[1];
    f->from_step[2] = f->stride[2];
    f->planes_floats = f->samples * f->from_sample + SLACK;
    const lm_copy_axis axis[] = {
        {f->samples, f->from_sample, f->x_sample},      {f->channels, f->channel_step, 1},
        {f->in[0], f->line_step[0], f->x_step[0]},      {f->in[1], f->line_step[1], f->x_step[1]},
        {f->in[2], 1, f->x_step[2]},
    };
    lm_copy_plan(&f->planes, sizeof(float), LM_COUNT(axis), axis);
    return true;
}

bool lm_fold_plan(lm_fold *f)
{
    const int64_t mr = f->set->mr, nr = f->set->nr;
    f->taps = f->kernel[0] * f->kernel[1] * f->kernel[2];
    f->columns = f->channels * f->taps;
    f->pixels = f->out[0] * f->out[1] * f->out[2];
    if (!f->columns || !f->pixels || !f->samples || (f->taps == 1 && (f->pad[0] || f->pad[1] || f->pad[2])) ||
        !is_worth_it(f))
        return false;
    f->panels = lm_ceil_div(f->columns, nr);
    const bool one_row = (f->out[1] == 1 || f->s_step[1] == f->out[2] * f->s_step[2]) &&
                         (f->out[0] == 1 || f->s_step[0] == f->out[1] * f->out[2] * f->s_step[2]);
    f->packs_rows = !one_row || (crowded(f->s_step[2]) && f->panels >= PACK_PANELS);
    f->gathers_planes = f->taps > 1;
    f->links = lm_ceil_div(f->pixels, LM_CHAIN);
    f->step_links = f->links > 1 ? 1 : LM_CHAIN / f->pixels;
    f->terms = f->links > 1 ? LM_CHAIN : f->step_links * f->pixels;
    f->tiles = lm_ceil_div(f->rows, mr);
    f->row_blocks = lm_ceil_div(TASKS, f->panels);
    f->block_tiles = lm_ceil_div(f->tiles, f->row_blocks < f->tiles ? f->row_blocks : f->tiles);
    f->row_blocks = lm_ceil_div(f->tiles, f->block_tiles);
    f->worker_bytes = (int64_t)sizeof(float) * ((f->terms + mr) * nr + SLACK);
    f->from_sample = f->x_sample;
    for (int k = 0; k < LM_AXES; k++)
        f->from_step[k] = f->x_step[k] * f->stride[k];
    return !f->gathers_planes || plan_planes(f);
}
