/* Runs convolutions with few results per pixel: sample by sample, first the source's rows are turned so that each
 * channel has its pixels side by side, with zeros at both ends; then rows of results are made of them. */
#include "backends/cpu/thin.h"

#include <math.h>
#include <string.h>

#include "backends/cpu/block.h"
#include "core/base/mem.h"

/* Multiply-adds of a tile, about; results in a row below which vectors would be too empty; channels below which panels
 * lose little. */
enum { TILE_WORK = 1000000, LEAST_PIXELS = 24, LEAST_CHANNELS = 8, LINE = 16 };

static const lm_thin_fn kernels[LM_CPU_LEVELS] = {
    [LM_CPU_SCALAR] = lm_thin_scalar,
#ifdef LM_HAVE_NEON
    [LM_CPU_NEON] = lm_thin_neon,
#endif
#ifdef LM_HAVE_AVX2
    [LM_CPU_AVX2] = lm_thin_avx2,
#endif
#ifdef LM_HAVE_AVX512
    [LM_CPU_AVX512] = lm_thin_avx512,
#endif
};

typedef struct job {
    const lm_product *p;
    const lm_igemm_args *a;
    lm_thin_fn fn;
    const lm_stream *stream;
    float *turned; /* [row][channel][width], then `width` zeros */
    int64_t sample, rows, per_tile; /* rows of results of the longest pass */
} job;

static int64_t source_rows(const lm_igemm *g)
{
    return g->in[0] * g->in[1];
}

static void turn_row(void *ctx, int64_t row, int worker)
{
    const job *j = ctx;
    const lm_igemm *g = &j->p->g;
    const int64_t width = j->p->thin_width, lo = j->p->thin_lo, hi = width - lo - g->in[2];
    const int64_t z = row / g->in[1], y = row % g->in[1];
    float *to = j->turned + row * g->channels * width;
    (void)worker;
    j->stream->turn(to + lo, width, j->a->x + j->sample * g->x_sample + z * g->x_step[0] + y * g->x_step[1],
                    g->x_step[2], g->channels, g->in[2], false);
    for (int64_t c = 0; c < g->channels; c++, to += width) {
        memset(to, 0, (size_t)lo * sizeof *to);
        memset(to + width - hi, 0, (size_t)hi * sizeof *to);
    }
}

/* The taps that row (oz, oy) of a pass meets. */
static int64_t find_taps(const job *j, const lm_pass *p, int64_t oz, int64_t oy, lm_thin_tap *tap)
{
    const lm_igemm *g = &j->p->g;
    const int64_t width = j->p->thin_width;
    const float *zeros = j->turned + source_rows(g) * g->channels * width;
    int64_t n = 0;
    for (int t = 0; t < p->ntap; t++) {
        const lm_tap *at = &g->tap[p->first_tap + t];
        const int64_t z = p->origin[0] + oz * p->step[0] + at->at[0], y = p->origin[1] + oy * p->step[1] + at->at[1];
        const bool inside = z >= 0 && z < g->in[0] && y >= 0 && y < g->in[1];
        if (!inside && j->a->finite)
            continue;
        const float *row = inside ? j->turned + (z * g->in[1] + y) * g->channels * width : zeros;
        tap[n++] = (lm_thin_tap){row + j->p->thin_lo + p->origin[2] + at->at[2], j->a->b + at->b_off,
                                 inside ? width : 0, t * g->channels};
    }
    return n;
}

static inline __attribute__((always_inline)) void put_pixels(float *y, int64_t y_step, const float *from, int64_t n,
                                                             int columns)
{
    for (int64_t i = 0; i < n; i++, y += y_step)
        for (int o = 0; o < columns; o++)
            y[o] = from[o * LM_THIN_PIXELS + i];
}

static void put_row(float *y, int64_t y_step, const float *from, int64_t n, int columns)
{
    switch (columns) {
    case 1: put_pixels(y, y_step, from, n, 1); break;
    case 3: put_pixels(y, y_step, from, n, 3); break;
    default: put_pixels(y, y_step, from, n, columns); break;
    }
}

/* Activation and slope of n pixels, column by column; `y`: where they belong. */
static void end_row(const lm_igemm_args *a, const float *y, int64_t y_step, float *made, int64_t n, int64_t columns)
{
    float point[LM_THIN_PIXELS];
    for (int64_t o = 0; o < columns; o++, made += LM_THIN_PIXELS) {
        for (int64_t i = 0; i < n && a->point; i++)
            point[i] = a->point[y - a->y + i * y_step + o];
        lm_ending_run(&a->ending, made, point, n);
    }
}

static void make_row(const job *j, const lm_pass *p, int64_t row)
{
    const lm_igemm *g = &j->p->g;
    const lm_igemm_args *a = j->a;
    const int64_t oz = row / p->out[1], oy = row % p->out[1];
    _Alignas(64) float made[LM_THIN_COLUMNS * LM_THIN_PIXELS];
    lm_thin_tap tap[LM_THIN_TAPS];
    lm_thin_run r = {.tap = tap, .channels = g->channels, .w_step = g->set->nr, .columns = (int)g->columns, .y = made,
                     .bias = a->bias, .lo = g->lo, .hi = g->hi, .clamp = g->lo > -INFINITY || g->hi < INFINITY};
    r.taps = find_taps(j, p, oz, oy, tap);
    float *y = a->y + j->sample * g->y_sample + p->y_off + oz * p->y_step[0] + oy * p->y_step[1];
    for (int64_t i = 0, n; i < p->out[2]; i += n) {
        n = p->out[2] - i < LM_THIN_PIXELS ? p->out[2] - i : LM_THIN_PIXELS;
        r.pixels = lm_ceil_div(n, LINE) * LINE;
        j->fn(&r);
        if (a->ending.act || a->ending.slope)
            end_row(a, y + i * p->y_step[2], p->y_step[2], made, n, g->columns);
        put_row(y + i * p->y_step[2], p->y_step[2], made, n, r.columns);
        for (int64_t t = 0; t < r.taps; t++)
            tap[t].x += tap[t].step ? n : 0;
    }
}

/* Neighbouring rows of all passes share their source rows. */
static void row_tile(void *ctx, int64_t tile, int worker)
{
    const job *j = ctx;
    const lm_igemm *g = &j->p->g;
    const int64_t end = (tile + 1) * j->per_tile < j->rows ? (tile + 1) * j->per_tile : j->rows;
    (void)worker;
    for (int64_t row = tile * j->per_tile; row < end; row++)
        for (const lm_pass *p = g->pass; p < g->pass + g->npass; p++)
            if (row < p->out[0] * p->out[1])
                make_row(j, p, row);
}

static void run_all(lm_cpu *cpu, const lm_product *p, const lm_igemm_args *a)
{
    const lm_igemm *g = &p->g;
    job j = {.p = p, .a = a, .fn = kernels[cpu->level] ? kernels[cpu->level] : lm_thin_scalar,
             .stream = lm_cpu_stream(cpu->level), .turned = (float *)(a->space + p->thin_at)};
    double work = 0;
    for (const lm_pass *pass = g->pass; pass < g->pass + g->npass; pass++) {
        const int64_t rows = pass->out[0] * pass->out[1];
        j.rows = rows > j.rows ? rows : j.rows;
        work += (double)(pass->ntap * pass->out[2]) * (double)(g->channels * g->columns);
    }
    j.per_tile = work >= TILE_WORK ? 1 : (int64_t)(TILE_WORK / (work + 1)) + 1;
    memset(j.turned + source_rows(g) * g->channels * p->thin_width, 0, (size_t)p->thin_width * sizeof(float));
    for (; j.sample < g->samples; j.sample++) {
        lm_pool_run(cpu->pool, source_rows(g), turn_row, &j);
        lm_pool_run(cpu->pool, lm_ceil_div(j.rows, j.per_tile), row_tile, &j);
    }
}

lm_status lm_thin_plan(lm_product *p, int64_t columns)
{
    lm_igemm *g = &p->g;
    bool fits = columns <= LM_THIN_COLUMNS && g->nparts == 1 && !g->run_step && p->res < 0 &&
                g->channels >= LEAST_CHANNELS && g->in[2] > 0;
    int64_t lo = 0, end = g->in[2], narrowest = INT64_MAX;
    for (const lm_pass *pass = g->pass; pass < g->pass + g->npass; pass++) {
        fits = fits && pass->step[2] == 1 && pass->ntap <= LM_THIN_TAPS;
        narrowest = pass->out[2] < narrowest ? pass->out[2] : narrowest;
        const int64_t from = pass->origin[2] + (pass->ntap ? pass->reach_lo[2] : 0);
        const int64_t last = pass->origin[2] + (pass->ntap ? pass->reach_hi[2] : 0);
        const int64_t to = last + lm_ceil_div(pass->out[2], LINE) * LINE;
        lo = -from > lo ? -from : lo;
        end = to > end ? to : end;
    }
    if (!fits || narrowest < LEAST_PIXELS)
        return LM_OK;
    /* an odd number of lines, so that channels do not push each other out of the first-level cache */
    const int64_t width = (lm_ceil_div(lo + end, LINE) | 1) * LINE;
    size_t floats;
    LM_REQUIRE(lm_mul_size((size_t)(source_rows(g) * g->channels), (size_t)width, &floats) &&
                   lm_add_size(floats, (size_t)width, &floats),
               LM_MEMORY, "the workspace of %s would not fit in memory", p->k.name);
    p->thin_lo = lo;
    p->thin_width = width;
    p->engine = run_all;
    return lm_product_reserve(p, floats, sizeof(float), &p->thin_at);
}
