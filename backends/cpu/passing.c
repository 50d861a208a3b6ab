/* Two ways to pack while multiplying. Where the weights of a panel lie in one piece, or are in memory anyway, a task
 * packs panels for itself and multiplies all rows by them. Where a panel is a narrow column of a matrix in a file, all
 * panels are filled for some terms of the sums, in the order in which the file has them. */
#include "backends/cpu/passing.h"

#include <string.h>

#include "backends/cpu/block.h"
#include "core/base/file.h"

/* Floats of weights below which all of them are packed first; tasks for each thread; floats of all panels at a time;
 * and floats that are read from a file at a time. */
enum { FEW = 1 << 16, TASKS_EACH = 4, STEP = 1 << 19, READ = 1 << 15, LINE = 16 };

typedef struct passing {
    lm_cpu *cpu;
    const lm_product *p;
    const lm_igemm_args *a;
    float *panels, *raw; /* raw: by worker */
    int64_t k0, k1, rows; /* terms, and how many of them a task fills in */
} passing;

/* Weights [term][column] of a file, row by row. */
static bool is_file_matrix(const lm_product *p, const lm_view *w)
{
    const lm_pack *k = &p->pack;
    return w->buf && w->buf->mapped && p->g.nparts == 1 && k->parts == 1 && k->taps == 1 && p->g.npass == 1 &&
           p->g.pass[0].ntap == 1 && k->column_step == 1 && k->channel_step == k->columns && k->columns <= READ &&
           k->transform == LM_TF_ID;
}

lm_status lm_passing_plan(const lm_cpu *cpu, lm_product *p, const lm_view *w)
{
    const lm_igemm *g = &p->g;
    const int64_t threads = lm_pool_threads(cpu->pool), enough = TASKS_EACH * threads;
    size_t floats;
    LM_REQUIRE(lm_pack_size(&p->pack, &floats), LM_MEMORY, "%s: packed weights would not fit in memory", p->k.name);
    p->passing = p->passing_depth = 0;
    if (floats >= FEW && is_file_matrix(p, w)) {
        const int64_t width = g->panels * p->pack.nr, most = STEP / width / LM_CHAIN;
        p->passing_depth = LM_CHAIN * lm_even_piece(lm_ceil_div(g->channels, LM_CHAIN), most > 1 ? most : 1);
        floats = (size_t)(p->passing_depth * width + threads * READ);
    } else if (floats >= FEW && g->nparts == p->pack.parts && g->nparts * g->panels >= enough) {
        p->passing = g->block_panels;
        while (g->nparts * lm_ceil_div(g->panels, p->passing) < enough)
            p->passing = lm_ceil_div(p->passing, 2);
        floats = (size_t)(threads * (p->passing + 1) * g->panel);
    }
    return lm_product_reserve(p, floats, sizeof(float), &p->pack_at);
}

static void pack_and_multiply(void *ctx, int64_t index, int worker)
{
    const passing *w = ctx;
    const lm_igemm *g = &w->p->g;
    const int64_t group = w->p->passing, groups = lm_ceil_div(g->panels, group);
    const int64_t part = index / groups, p0 = index % groups * group;
    const int64_t p1 = p0 + group < g->panels ? p0 + group : g->panels, before = g->part[part].b + p0 * g->panel;
    float *room = w->panels + worker * (group + 1) * g->panel;
    lm_igemm_args a = *w->a;
    a.finite = lm_pack_panels(w->cpu, &w->p->pack, w->a->b, before / g->panel, p1 - p0, room, room + group * g->panel);
    a.b = (const float *)((uintptr_t)room - (uintptr_t)before * sizeof *room);
    lm_igemm_columns(g, &a, part, p0, p1);
}

/* `n` terms from `from` on, to be term number `k` of every panel and on. */
static void spread_rows(const passing *w, const float *from, int64_t k, int64_t n)
{
    const int64_t nr = w->p->pack.nr, columns = w->p->pack.columns, panel = w->p->passing_depth * nr;
    for (float *to = w->panels + k * nr; n > 0; n--, to += nr, from += columns) {
        float *at = to;
        int64_t j = 0;
        for (; j + nr <= columns; j += nr, at += panel)
            for (int64_t i = 0; i < nr; i += LINE / 2)
                memcpy(at + i, from + j + i, LINE / 2 * sizeof *at);
        if (j < columns) {
            memcpy(at, from + j, (size_t)(columns - j) * sizeof *at);
            memset(at + (columns - j), 0, (size_t)(nr - (columns - j)) * sizeof *at);
        }
    }
}

static void fill_rows(void *ctx, int64_t index, int worker)
{
    const passing *w = ctx;
    const int64_t columns = w->p->pack.columns, k = w->k0 + index * w->rows;
    const int64_t n = k + w->rows < w->k1 ? w->rows : w->k1 - k;
    const float *from = w->a->b + k * columns;
    float *raw = w->raw + worker * READ;
    if (lm_file_read(from, (size_t)(n * columns) * sizeof *raw, raw))
        from = raw;
    spread_rows(w, from, k - w->k0, n);
}

static void run_by_depth(passing *w)
{
    const lm_product *p = w->p;
    const int64_t terms = p->g.channels, nr = p->pack.nr;
    lm_igemm g = p->g;
    lm_igemm_args a = *w->a;
    g.panel = p->passing_depth * nr;
    w->raw = w->panels + g.panels * g.panel;
    w->rows = READ / p->pack.columns;
    a.finite = false;
    for (; w->k0 < terms; w->k0 = w->k1) {
        w->k1 = w->k0 + p->passing_depth < terms ? w->k0 + p->passing_depth : terms;
        lm_pool_run(w->cpu->pool, lm_ceil_div(w->k1 - w->k0, w->rows), fill_rows, w);
        a.k0 = w->k0, a.k1 = w->k1;
        a.b = (const float *)((uintptr_t)w->panels - (uintptr_t)(w->k0 * nr) * sizeof *w->panels);
        lm_igemm_run(w->cpu, &g, &a);
    }
}

void lm_passing_run(lm_cpu *cpu, const lm_product *p, const lm_igemm_args *a)
{
    passing w = {.cpu = cpu, .p = p, .a = a, .panels = (float *)(a->space + p->pack_at)};
    if (p->passing_depth)
        run_by_depth(&w);
    else
        lm_pool_run(cpu->pool, p->g.nparts * lm_ceil_div(p->g.panels, p->passing), pack_and_multiply, &w);
}
