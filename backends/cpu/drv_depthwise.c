/* Binds depthwise convolution (as many groups as input and output channels). The geometry is that of a product
 * (igemm.h) of one part whose panel is the whole width; a few rows of output by a range of channels are the tasks.
 * Padding is treated as there: taps outside the image multiply +0, or are left out when the weights are finite. */
#include "backends/cpu/depthwise.h"

#include <math.h>

#include "backends/cpu/block.h"

/* Multiply-adds of a task, about; channels come in whole cache lines (floats), so many lines at least, since kernels go
 * along channels. */
enum { TASK_WORK = 200000, LINE = 16, LINES = 12 };

static const lm_depthwise_fn kernels[LM_CPU_LEVELS] = {
    [LM_CPU_SCALAR] = lm_depthwise_scalar,
#ifdef LM_HAVE_NEON
    [LM_CPU_NEON] = lm_depthwise_neon,
#endif
#ifdef LM_HAVE_AVX2
    [LM_CPU_AVX2] = lm_depthwise_avx2,
#endif
#ifdef LM_HAVE_AVX512
    [LM_CPU_AVX512] = lm_depthwise_avx512,
#endif
};

typedef struct job {
    const lm_product *p;
    const lm_igemm_args *a;
    lm_depthwise_fn fn;
} job;

void lm_pack_depthwise(const lm_view *w, lm_pack *p)
{
    lm_pack_conv(w, 1, w->sh.dim[0], p);
}

static void set_row(lm_depthwise_run *r, const job *j, int64_t sample, int64_t oz, int64_t oy)
{
    const lm_igemm *g = &j->p->g;
    const lm_pass *p = g->pass;
    const lm_igemm_args *a = j->a;
    const int64_t along = j->p->row_taps, z0 = p->origin[0] + oz * p->step[0], y0 = p->origin[1] + oy * p->step[1];
    const int64_t off = sample * g->y_sample + oz * p->y_step[0] + oy * p->y_step[1];
    r->nrow = 0;
    r->ntap = along, r->pixels = p->out[2], r->channels = g->columns;
    for (int t = 0; t < p->ntap; t += (int)along) {
        const int64_t z = z0 + g->tap[t].at[0], y = y0 + g->tap[t].at[1];
        const bool inside = z >= 0 && z < g->in[0] && y >= 0 && y < g->in[1];
        if (!inside && a->finite)
            continue;
        r->x[r->nrow] = inside ? a->x + (sample * g->x_sample + z * g->x_step[0] + y * g->x_step[1]) : a->zero;
        r->x_step[r->nrow] = inside ? g->x_step[2] : 0;
        r->k[r->nrow] = t;
        r->w[r->nrow++] = a->b + g->tap[t].b_off;
    }
    r->origin = p->origin[2], r->stride = p->step[2], r->dilation = j->p->row_dilation, r->width = g->in[2];
    r->y = a->y + off, r->y_step = p->y_step[2];
    r->res = a->res ? a->res + off : NULL;
    r->bias = a->bias, r->zero = a->zero, r->lo = g->lo, r->hi = g->hi;
    r->clamp = g->lo > -INFINITY || g->hi < INFINITY;
}

static void task(void *ctx, int64_t index, int worker)
{
    const job *j = ctx;
    const lm_igemm *g = &j->p->g;
    const lm_pass *p = g->pass;
    lm_depthwise_run r[LM_DEPTHWISE_BLOCK]; /* sixteen kilobytes, not cleared */
    (void)worker;
    const int64_t rows = g->samples * p->out[0] * p->out[1], begin = index / g->column_blocks * g->block_tiles;
    const int64_t first = index % g->column_blocks * g->block_panels;
    const int64_t last = first + g->block_panels < g->columns ? first + g->block_panels : g->columns;
    int n = 0;
    do {
        const int64_t i = begin + n;
        set_row(&r[n], j, i / (p->out[0] * p->out[1]), i / p->out[1] % p->out[0], i % p->out[1]);
        r[n].first = first, r[n].last = last;
    } while (++n < g->block_tiles && begin + n < rows);
    j->fn(r, n);
    if (!j->a->ending.act && !j->a->ending.slope)
        return;
    for (int k = 0; k < n; k++)
        for (int64_t i = 0; i < p->out[2]; i++)
            lm_ending_at(j->a, r[k].y + i * r[k].y_step + first, last - first);
}

static void run_all(lm_cpu *cpu, const lm_product *p, const lm_igemm_args *a)
{
    job j = {p, a, kernels[cpu->level] ? kernels[cpu->level] : lm_depthwise_scalar};
    lm_pool_run(cpu->pool, p->g.tasks, task, &j);
}

void lm_depthwise_plan(lm_product *p)
{
    lm_igemm *g = &p->g;
    const lm_pass *pass = g->pass;
    const int64_t rows = g->samples * pass->out[0] * pass->out[1], lines = lm_ceil_div(g->columns, LINE);
    const int64_t blocks = lm_ceil_div(rows, LM_DEPTHWISE_BLOCK);
    g->block_tiles = rows ? lm_ceil_div(rows, blocks > 1 ? blocks + blocks % 2 : 1) : 1; /* an even number: for pairs */
    const double line_work = (double)(g->block_tiles * pass->out[2] * pass->ntap) * LINE;
    const int64_t most = line_work * LINES >= TASK_WORK ? LINES : (int64_t)(TASK_WORK / (line_work + 1)) + 1;
    g->column_blocks = lm_ceil_div(lines, most);
    g->block_panels = g->column_blocks ? lm_ceil_div(lines, g->column_blocks) * LINE : LINE;
    g->column_blocks = lm_ceil_div(g->columns, g->block_panels);
    g->tasks = pass->out[2] ? lm_ceil_div(rows, g->block_tiles) * g->column_blocks : 0;
    p->engine = run_all;
}
