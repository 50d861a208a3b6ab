/* Binds the weight gradient of a convolution: w[m, c, tap] = sum of signal[m] * x[c] over samples, then output pixels
 * in row-major order. Every sample begins a new chain (tile.h), so that a batch in pieces adds up to the same bits when
 * each piece goes on with the sum of those before. Pixels whose tap lies outside the image are not part of the sum.
 *
 * One of signal and x supplies the rows of a tile, the other its columns; both are read where they lie, channels
 * contiguous. x is the column side unless it has too few channels to fill a panel. */
#include "backends/cpu/bind.h"
#include "backends/cpu/block.h"
#include "backends/cpu/fold.h"
#include "backends/cpu/product.h"
#include "core/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Pixels per kernel call at most, tasks worth having. */
enum { DEPTH = LM_CHAIN, TASKS = 32 };

/* x or the signal: floats from one sample to the next and along the three axes, and channels per group. */
typedef struct side {
    int arg;
    int64_t sample, step[LM_AXES], channels;
    lm_relayout copy;
} side;

typedef struct grad {
    lm_cpu_kernel k;
    const lm_tile_set *set;
    side x, s;
    bool x_columns;
    int64_t samples, in[LM_AXES], out[LM_AXES], kernel[LM_AXES], stride[LM_AXES], dilation[LM_AXES], pad[LM_AXES],
        groups;
    int64_t taps, row_step, column_step, tap_step[LM_AXES], group_step; /* of the result, in floats */
    int64_t pixels, links; /* output pixels of a sample, and the chains that they are cut into */
    int64_t step_links;    /* chains per kernel call */
    int np;
    int64_t block_rows, row_blocks, panels, block_taps, tap_blocks, tasks; /* block_rows in tiles */
    int64_t scratch_at, scratch_bytes, pack_at;                            /* per worker */
    bool folded; /* unless the signal is not finite */
    lm_fold fold;
} grad;

typedef struct job {
    const grad *g;
    const float *x, *s;
    float *y;
    char *workspace;
} job;

/* The part of the reduction that one tap sees in one step: runs of pixels, x_off at a_off or b_off. */
typedef struct runs {
    int64_t n;
    lm_span span[DEPTH];
} runs;

static const side *row_side(const grad *g)
{
    return g->x_columns ? &g->s : &g->x;
}

static const side *column_side(const grad *g)
{
    return g->x_columns ? &g->x : &g->s;
}

/* The first and past-the-last output pixel of [lo, hi) along axis k whose tap `t` lies inside the image. */
static void clip(const grad *g, int k, int64_t t, int64_t *lo, int64_t *hi)
{
    const int64_t shift = t * g->dilation[k] - g->pad[k], stride = g->stride[k];
    const int64_t first = shift < 0 ? (-shift + stride - 1) / stride : 0;
    const int64_t last = g->in[k] - 1 - shift < 0 ? -1 : (g->in[k] - 1 - shift) / stride;
    *lo = first > *lo ? first : *lo;
    *hi = last + 1 < *hi ? last + 1 : *hi;
}

static void add_run(const grad *g, runs *r, int64_t x_off, int64_t s_off, int64_t len, int64_t k)
{
    const int64_t x_step = g->x.step[2] * g->stride[2], s_step = g->s.step[2];
    const int64_t a = g->x_columns ? s_off : x_off, b = g->x_columns ? x_off : s_off;
    lm_span *last = &r->span[r->n ? r->n - 1 : 0];
    if (r->n > 0 && last->k + last->len == k && last->a_off + last->len * (g->x_columns ? s_step : x_step) == a &&
        last->b_off + last->len * (g->x_columns ? x_step : s_step) == b)
        last->len += len;
    else
        r->span[r->n++] = (lm_span){a, b, len, k};
}

/* What a tap sees: the output pixels [lo, hi) and the source pixel that the first of all meets. */
typedef struct window {
    int64_t lo[LM_AXES], hi[LM_AXES], shift[LM_AXES];
} window;

/* The runs of pixels [p0, p1) of sample n, the first of which is term k. */
static void add_pixels(const grad *g, const window *v, int64_t n, int64_t p0, int64_t p1, int64_t k, runs *r)
{
    const int64_t width = g->out[2];
    for (int64_t p = p0, next; p < p1; k += next - p, p = next) {
        const int64_t line = p / width, y = line % g->out[1], z = line / g->out[1], x = p - line * width;
        next = (line + 1) * width < p1 ? (line + 1) * width : p1;
        const int64_t end = x + next - p, x0 = x > v->lo[2] ? x : v->lo[2], x1 = end < v->hi[2] ? end : v->hi[2];
        if (z < v->lo[0] || z >= v->hi[0] || y < v->lo[1] || y >= v->hi[1] || x0 >= x1)
            continue;
        int64_t from = n * g->x.sample, at[] = {z, y, x0};
        for (int i = 0; i < LM_AXES; i++)
            from += (at[i] * g->stride[i] + v->shift[i]) * g->x.step[i];
        add_run(g, r, from, n * g->s.sample + z * g->s.step[0] + y * g->s.step[1] + x0 * g->s.step[2], x1 - x0,
                k + x0 - x);
    }
}

/* The runs of a tap in chains [first, last) of all samples. */
static void find_runs(const grad *g, const int64_t tap[LM_AXES], int64_t first, int64_t last, runs *r)
{
    window v = {.lo = {0}};
    r->n = 0;
    for (int i = 0; i < LM_AXES; i++) {
        v.hi[i] = g->out[i];
        clip(g, i, tap[i], &v.lo[i], &v.hi[i]);
        v.shift[i] = tap[i] * g->dilation[i] - g->pad[i];
    }
    for (int64_t link = first; link < last; link++) {
        const int64_t p0 = link % g->links * LM_CHAIN, p1 = p0 + LM_CHAIN < g->pixels ? p0 + LM_CHAIN : g->pixels;
        add_pixels(g, &v, link / g->links, p0, p1, (link - first) * LM_CHAIN, r);
    }
}

/* Columns of a panel that is not full, with zeros: [pixel][np * nr]; the spans then count from 0. */
static void pack_columns(const grad *g, const float *from, int64_t valid, runs *r, float *to)
{
    const int64_t width = g->np * g->set->nr, step = column_side(g)->step[2] * (g->x_columns ? g->stride[2] : 1);
    int64_t k = 0;
    for (int64_t i = 0; i < r->n; i++) {
        const float *v = from + r->span[i].b_off;
        r->span[i].b_off = k * width;
        for (int64_t j = 0; j < r->span[i].len; j++, k++, v += step) {
            memcpy(to + k * width, v, (size_t)valid * sizeof *to);
            memset(to + k * width + valid, 0, (size_t)(width - valid) * sizeof *to);
        }
    }
}

static void tap_of(const grad *g, int64_t t, int64_t tap[LM_AXES])
{
    tap[0] = t / (g->kernel[1] * g->kernel[2]);
    tap[1] = t / g->kernel[2] % g->kernel[1];
    tap[2] = t % g->kernel[2];
}

/* One row of the tile, [tap][column], into the result: four taps of four columns at a time where taps lie side by side.
 */
static void scatter_row(const grad *g, const float *from, float *to, const int64_t *off, int64_t taps, int64_t columns)
{
    const int64_t width = g->np * g->set->nr, step = g->column_step;
    int64_t t = 0;
    for (; t + 4 <= taps && off[t + 1] - off[t] == 1 && off[t + 2] - off[t] == 2 && off[t + 3] - off[t] == 3; t += 4) {
        int64_t c = 0;
        for (; c + 4 <= columns; c += 4)
            lm_turn_4x4(from + t * width + c, width, to + off[t] + c * step, step);
        for (; c < columns; c++)
            for (int64_t i = t; i < t + 4; i++)
                to[off[i] + c * step] = from[i * width + c];
    }
    for (; t < taps; t++)
        for (int64_t c = 0; c < columns; c++)
            to[off[t] + c * step] = from[t * width + c];
}

/* Scratch [row][tap][column] into the result. */
static void scatter(const grad *g, const float *scratch, float *y, int64_t rows, int64_t t0, int64_t t1, int64_t valid)
{
    const int64_t width = g->np * g->set->nr, taps = t1 - t0;
    enum { ONCE = 64 };
    int64_t off[ONCE], tap[LM_AXES];
    for (int64_t first = t0; first < t1; first += ONCE) {
        const int64_t n = t1 - first < ONCE ? t1 - first : ONCE;
        for (int64_t t = 0; t < n; t++) {
            tap_of(g, first + t, tap);
            off[t] = tap[0] * g->tap_step[0] + tap[1] * g->tap_step[1] + tap[2] * g->tap_step[2];
        }
        for (int64_t r = 0; r < rows; r++)
            scatter_row(g, scratch + (r * taps + first - t0) * width, y + r * g->row_step, off, n, valid);
    }
}

typedef struct block {
    int64_t group, row0, row1, column0, valid, t0, t1; /* rows and columns within the group */
    bool direct;                                       /* tiles go straight to the result */
    float *scratch, *pack;
    float *y; /* the group's result at (row0, column0) */
} block;

/* One tap of one step of the reduction, for all row tiles of the block. */
static void run_tap(const job *j, const block *b, int64_t t, runs *r, bool first, bool last)
{
    const grad *g = j->g;
    const side *row = row_side(g), *column = column_side(g);
    const int64_t width = g->np * g->set->nr, taps = b->t1 - b->t0, mr = g->set->mr;
    int64_t tap[LM_AXES];
    tap_of(g, t, tap);
    const float *rows = (g->x_columns ? j->s : j->x) + b->group * row->channels;
    const float *columns = (g->x_columns ? j->x : j->s) + b->group * column->channels + b->column0;
    lm_tile tile = {.span = r->span, .nspan = r->n, .b = columns, .b_panel = g->set->nr};
    tile.ak_step = row->step[2] * (g->x_columns ? 1 : g->stride[2]);
    tile.b_step = column->step[2] * (g->x_columns ? g->stride[2] : 1);
    tile.resume = !first, tile.last = last;
    if (b->valid < width) {
        pack_columns(g, columns, b->valid, r, b->pack);
        tile.b = b->pack, tile.b_step = width;
    }
    float *c[LM_TILE_MR];
    const int64_t tap_off = tap[0] * g->tap_step[0] + tap[1] * g->tap_step[1] + tap[2] * g->tap_step[2];
    for (int64_t m = b->row0; m < b->row1; m += mr) {
        const int64_t n = b->row1 - m < mr ? b->row1 - m : mr;
        for (int64_t i = 0; i < n; i++)
            c[i] = b->direct ? b->y + (m - b->row0 + i) * g->row_step + tap_off
                             : b->scratch + ((m - b->row0 + i) * taps + t - b->t0) * width;
        tile.ak = rows + m;
        tile.c = c;
        g->set->column[n][g->np](&tile);
    }
}

static void task(void *ctx, int64_t index, int worker)
{
    const job *j = ctx;
    const grad *g = j->g;
    const int64_t width = g->np * g->set->nr, rows = row_side(g)->channels, columns = column_side(g)->channels;
    block b;
    int64_t rest = index;
    b.t0 = rest % g->tap_blocks * g->block_taps, rest /= g->tap_blocks;
    b.row0 = rest % g->row_blocks * g->block_rows * g->set->mr, rest /= g->row_blocks;
    b.column0 = rest % g->panels * width, b.group = rest / g->panels;
    b.t1 = b.t0 + g->block_taps < g->taps ? b.t0 + g->block_taps : g->taps;
    b.row1 = b.row0 + g->block_rows * g->set->mr < rows ? b.row0 + g->block_rows * g->set->mr : rows;
    b.valid = columns - b.column0 < width ? columns - b.column0 : width;
    b.direct = g->column_step == 1 && b.valid == width;
    b.scratch = (float *)(j->workspace + g->scratch_at + worker * g->scratch_bytes);
    b.pack = (float *)(j->workspace + g->pack_at) + worker * width * DEPTH;
    b.y = j->y + b.group * g->group_step + b.row0 * g->row_step + b.column0 * g->column_step;
    const int64_t all = g->samples * g->links;
    runs r;
    for (int64_t first = 0; first < all || first == 0; first += g->step_links) {
        const int64_t last = first + g->step_links < all ? first + g->step_links : all;
        for (int64_t t = b.t0; t < b.t1; t++) {
            int64_t tap[LM_AXES];
            tap_of(g, t, tap);
            find_runs(g, tap, first, last, &r);
            run_tap(j, &b, t, &r, first == 0, last >= all);
        }
    }
    if (!b.direct)
        scatter(g, b.scratch, b.y, b.row1 - b.row0, b.t0, b.t1, b.valid);
}

static lm_status run(lm_cpu *cpu, const lm_cpu_kernel *k, void *const *arg, void *workspace)
{
    const grad *g = (const grad *)k;
    job j = {g, arg[0], arg[1], arg[2], workspace};
    if (g->x.copy.at != LM_NO_SPACE) {
        lm_copy_run(cpu->pool, &g->x.copy.copy, j.workspace + g->x.copy.at, arg[0]);
        j.x = (const float *)(j.workspace + g->x.copy.at);
    }
    if (g->s.copy.at != LM_NO_SPACE) {
        lm_copy_run(cpu->pool, &g->s.copy.copy, j.workspace + g->s.copy.at, arg[1]);
        j.s = (const float *)(j.workspace + g->s.copy.at);
    }
    if (!g->folded || !lm_fold_run(cpu, &g->fold, j.x, j.s, j.y, j.workspace))
        lm_pool_run(cpu->pool, g->tasks, task, &j);
    return LM_OK;
}

/* Panels, blocks and the task grid. */
static void plan(grad *g)
{
    const int64_t rows = row_side(g)->channels, columns = column_side(g)->channels, mr = g->set->mr, nr = g->set->nr;
    g->np = 1;
    for (int np = 2; rows <= mr && np <= LM_TILE_NP; np++)
        if (g->set->column[rows][np] && np * nr <= columns)
            g->np = np;
    g->panels = lm_ceil_div(columns, g->np * nr);
    g->pixels = g->out[0] * g->out[1] * g->out[2];
    g->links = lm_ceil_div(g->pixels, LM_CHAIN);
    g->step_links = g->links > 1 || !g->pixels ? 1 : DEPTH / g->pixels;
    const int64_t tiles = lm_ceil_div(rows, mr);
    g->block_rows = tiles < 8 ? tiles : 8;
    while (g->block_rows > 1 && (g->groups * g->panels * lm_ceil_div(tiles, g->block_rows) < TASKS ||
                                 g->block_rows * mr * g->taps * g->np * nr > 64 * 1024))
        g->block_rows--;
    g->block_rows = lm_even_piece(tiles, g->block_rows);
    g->row_blocks = g->block_rows ? lm_ceil_div(tiles, g->block_rows) : 0;
    const int64_t so_far = g->groups * g->panels * g->row_blocks;
    g->block_taps = so_far >= TASKS || !so_far ? g->taps : lm_ceil_div(g->taps, lm_ceil_div(TASKS, so_far));
    g->tap_blocks = g->block_taps ? lm_ceil_div(g->taps, g->block_taps) : 0;
    g->tasks = so_far * g->tap_blocks;
}

static lm_status reserve(grad *g, size_t count, size_t size, int64_t *at)
{
    size_t bytes, end;
    LM_REQUIRE(lm_mul_size(count, size, &bytes) && lm_add_size(bytes, LM_ALIGN - 1, &bytes) &&
                   lm_add_size(g->k.base.workspace, bytes & ~(size_t)(LM_ALIGN - 1), &end) && end < SIZE_MAX / 2,
               LM_MEMORY, "the workspace of %s would not fit in memory", g->k.name);
    *at = (int64_t)g->k.base.workspace;
    g->k.base.workspace = end;
    return LM_OK;
}

/* An operand with contiguous channels: as it is, or copied. */
static lm_status bind_side(grad *g, const lm_view *v, int arg, int64_t channels, side *s)
{
    int64_t st[LM_RANK];
    const int nd = v->sh.rank - 2;
    s->arg = arg;
    s->channels = channels;
    s->copy.at = LM_NO_SPACE;
    memcpy(st, v->st, sizeof st);
    if (v->st[1] != 1 && v->sh.dim[1] != 1) {
        lm_copy_axis axis[LM_RANK];
        int64_t step = v->sh.dim[1];
        st[1] = 1;
        for (int i = nd + 1; i >= 2; step *= v->sh.dim[i--])
            st[i] = step;
        st[0] = step;
        for (int i = 0; i < v->sh.rank; i++)
            axis[i] = (lm_copy_axis){v->sh.dim[i], st[i], v->st[i]};
        lm_copy_plan(&s->copy.copy, sizeof(float), v->sh.rank, axis);
        LM_TRY(reserve(g, (size_t)lm_shape_count(&v->sh), sizeof(float), &s->copy.at));
    }
    s->sample = st[0];
    for (int k = 0; k < LM_AXES; k++)
        s->step[k] = k < LM_AXES - nd ? 0 : st[2 + k - (LM_AXES - nd)];
    return LM_OK;
}

static void geometry(const lm_call *call, grad *g)
{
    const lm_attr_conv *a = &call->a->conv;
    const lm_view *w = &call->y[0];
    g->samples = call->x[0].sh.dim[0];
    g->groups = a->groups;
    g->taps = 1;
    for (int k = 0; k < LM_AXES; k++) {
        const int i = k - (LM_AXES - a->nd);
        g->in[k] = i < 0 ? 1 : call->x[0].sh.dim[2 + i];
        g->out[k] = i < 0 ? 1 : call->x[1].sh.dim[2 + i];
        g->kernel[k] = i < 0 ? 1 : w->sh.dim[2 + i];
        g->stride[k] = i < 0 ? 1 : a->stride[i];
        g->dilation[k] = i < 0 ? 1 : a->dilation[i];
        g->pad[k] = i < 0 ? 0 : a->pad_lo[i];
        g->tap_step[k] = i < 0 ? 0 : w->st[2 + i];
        g->taps *= g->kernel[k];
    }
    g->x_columns = w->sh.dim[1] >= g->set->nr || w->sh.dim[1] >= w->sh.dim[0] / g->groups;
    g->row_step = w->st[g->x_columns ? 0 : 1];
    g->column_step = w->st[g->x_columns ? 1 : 0];
    g->group_step = w->sh.dim[0] / g->groups * w->st[0];
}

/* The folded form, where it exists: results dense behind each row, nothing between the taps of a filter's row. */
static lm_status fold(lm_cpu *cpu, grad *g)
{
    lm_fold *f = &g->fold;
    int64_t step = 1;
    bool fits = g->groups == 1;
    for (int k = LM_AXES - 1; k >= 0; step *= g->kernel[k--])
        fits &= g->dilation[k] == 1 && (g->kernel[k] == 1 || g->tap_step[k] == step);
    const int64_t channel_step = g->x_columns ? g->column_step : g->row_step;
    fits &= g->x.channels == 1 || channel_step == step;
    *f = (lm_fold){.set = g->set, .samples = g->samples, .rows = g->s.channels, .channels = g->x.channels,
                   .y_row = g->x_columns ? g->row_step : g->column_step, .x_sample = g->x.sample,
                   .s_sample = g->s.sample};
    for (int k = 0; k < LM_AXES; k++) {
        f->in[k] = g->in[k], f->out[k] = g->out[k], f->kernel[k] = g->kernel[k], f->stride[k] = g->stride[k];
        f->pad[k] = g->pad[k], f->x_step[k] = g->x.step[k], f->s_step[k] = g->s.step[k];
    }
    g->folded = fits && lm_fold_plan(f);
    if (!g->folded)
        return LM_OK;
    const size_t workers = (size_t)lm_pool_threads(cpu->pool);
    if (f->gathers_planes)
        LM_TRY(reserve(g, (size_t)f->planes_floats, sizeof(float), &f->planes_at));
    if (f->packs_rows)
        LM_TRY(reserve(g, (size_t)(f->samples * f->pixels * f->tiles * f->set->mr), sizeof(float), &f->rows_at));
    return reserve(g, workers, (size_t)f->worker_bytes, &f->worker_at);
}

lm_status lm_cpu_bind_conv_dw(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *s = &call->x[1], *w = &call->y[0];
    const lm_attr_conv *a = &call->a->conv;
    LM_REQUIRE(x->dt == LM_F32 && s->dt == LM_F32, LM_UNSUPPORTED, "ConvWeightGrad of %s and %s: only float32",
               lm_dtype_name(x->dt), lm_dtype_name(s->dt));
    LM_REQUIRE(a->nd >= 1 && a->nd <= LM_SPATIAL && x->sh.rank == a->nd + 2 && s->sh.rank == a->nd + 2, LM_INPUT,
               "ConvWeightGrad: %d spatial axes do not fit ranks %d and %d", (int)a->nd, (int)x->sh.rank,
               (int)s->sh.rank);
    grad *g;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *g, run, "conv_dw", &g));
    lm_status status = LM_OK;
    g->set = lm_tiles_of(cpu->level);
    geometry(call, g);
    LM_TRY_OUT(bind_side(g, x, 0, w->sh.dim[1], &g->x));
    LM_TRY_OUT(bind_side(g, s, 1, w->sh.dim[0] / g->groups, &g->s));
    plan(g);
    const size_t workers = (size_t)lm_pool_threads(cpu->pool), width = (size_t)(g->np * g->set->nr);
    g->scratch_bytes = (int64_t)sizeof(float) * g->block_rows * g->set->mr * g->block_taps * (int64_t)width;
    LM_TRY_OUT(reserve(g, workers, (size_t)g->scratch_bytes, &g->scratch_at));
    LM_TRY_OUT(reserve(g, workers * DEPTH * width, sizeof(float), &g->pack_at));
    LM_TRY_OUT(fold(cpu, g));
    g->k.base.flops = 2.0 * (double)lm_shape_count(&s->sh) * (double)(w->sh.dim[1] * g->taps);
    g->k.base.bytes = 4.0 * (double)(lm_shape_count(&x->sh) + lm_shape_count(&s->sh) + lm_shape_count(&w->sh));
    snprintf(g->k.name, sizeof g->k.name, "cpu.%s.conv_dw_f32_%dx%d", lm_cpu_level_name(cpu->level), g->set->mr,
             g->set->nr);
    *out = &g->k.base;
    return LM_OK;
out:
    lm_free(g);
    return status;
}
