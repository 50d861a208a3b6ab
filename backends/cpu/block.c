/* Chooses tiles, blocks and the task grid of a product. */
#include "backends/cpu/block.h"

/* Multiply-adds a task should have: long against the claim of a tile, short against a launch. */
#define TASK_WORK 1.5e6

/* Tasks a product should have, tiles that should share a block of panels, and rows of a tile below which loads take
 * longer than what padding costs. */
enum { TASKS = 16, REUSE = 16, SHORT = 5 };

static const lm_tile_set *const tiles[LM_CPU_LEVELS] = {
    [LM_CPU_SCALAR] = &lm_tiles_scalar,
#ifdef LM_HAVE_NEON
    [LM_CPU_NEON] = &lm_tiles_neon,
#endif
#ifdef LM_HAVE_AVX2
    [LM_CPU_AVX2] = &lm_tiles_avx2,
#endif
#ifdef LM_HAVE_AVX512
    [LM_CPU_AVX512] = &lm_tiles_avx512,
#endif
};

const lm_tile_set *lm_tiles_of(lm_cpu_level level)
{
    return tiles[level] ? tiles[level] : &lm_tiles_scalar;
}

/* Rows whose distance is a multiple of a page fall into the same sets of a first-level cache (4 KiB a way on most
 * machines); more of them than ways, less two for the panel and the result, push each other out. */
bool lm_rows_alias(const lm_topo *topo, const lm_tile_set *set, int64_t rows, int64_t step)
{
    const int64_t way = 4096, cache = topo ? (int64_t)topo->cache[LM_L1D].bytes : 32 * 1024;
    int64_t apart = 1;
    while (apart < way && step * (int64_t)sizeof(float) % (apart * 2) == 0)
        apart *= 2;
    return (rows < set->mr ? rows : set->mr) * apart > cache - 2 * way;
}

/* Terms of a kernel call: as many chains as the cache holds of a panel, and runs fit. `terms`: of the longest sum. */
static void plan_depth(lm_igemm *g, int64_t terms, int64_t budget)
{
    int64_t most = budget / g->set->nr / LM_CHAIN;
    most = most < g->channels && !g->run_step ? most : g->run_step ? 1 : g->channels;
    g->depth = LM_CHAIN * lm_even_piece(lm_ceil_div(terms, LM_CHAIN), most > 1 ? most : 1);
}

/* Tiles of a pass: pieces of output rows where that keeps padded taps together, otherwise any mr pixels. */
static void plan_tiles(const lm_igemm *g, lm_pass *p)
{
    const int64_t mr = g->set->mr, rows = g->samples * p->out[0] * p->out[1];
    p->padded = false;
    for (int k = 0; k < LM_AXES; k++) {
        const int64_t last = p->origin[k] + (p->out[k] - 1) * p->step[k];
        p->padded |= p->origin[k] + p->reach_lo[k] < 0 || last + p->reach_hi[k] >= g->in[k];
    }
    p->chunk = p->chunks = 0;
    p->rows = lm_even_piece(rows * p->out[2], mr);
    p->tiles = p->rows ? lm_ceil_div(rows * p->out[2], p->rows) : 0;
    const int64_t chunk = lm_even_piece(p->out[2], mr);
    if (p->padded && chunk * 2 >= mr && chunk >= SHORT) {
        p->chunk = chunk;
        p->chunks = lm_ceil_div(p->out[2], p->chunk);
        p->tiles = rows * p->chunks;
    }
}

void lm_igemm_plan(lm_igemm *g, const lm_topo *topo)
{
    const int64_t nr = g->set->nr,
                  l2 = (int64_t)(topo ? topo->cache[LM_L2].bytes : 512 * 1024) / (int64_t)sizeof(float);
    const int64_t budget = l2 * 6 / 10;
    int64_t taps = 0, tiles_all = 0;
    for (int i = 0; i < g->npass; i++) {
        plan_tiles(g, &g->pass[i]);
        taps = g->pass[i].ntap > taps ? g->pass[i].ntap : taps;
        tiles_all += g->pass[i].tiles;
    }
    const int64_t terms = taps * g->channels;
    plan_depth(g, terms, budget);
    const int64_t depth = terms < g->depth ? terms : g->depth;
    const bool rest = depth < terms; /* sums rest in memory between kernel calls */
    int64_t most = budget / (nr * (depth ? depth : 1));
    most = most < 1 ? 1 : most;
    while (most > LM_TILE_NP &&
           lm_ceil_div(g->panels, most) * (rest ? lm_ceil_div(tiles_all, REUSE) : tiles_all) * g->nparts < TASKS)
        most /= 2;
    g->block_panels = g->panels ? lm_even_piece(g->panels, most) : 1;
    g->column_blocks = lm_ceil_div(g->panels, g->block_panels);
    const double work = (double)g->set->mr * (double)terms * (double)(g->block_panels * nr);
    g->block_tiles = work >= TASK_WORK ? 1 : (int64_t)(TASK_WORK / (work + 1)) + 1;
    if (rest && g->block_tiles < REUSE)
        g->block_tiles = REUSE;
    if (g->block_tiles > 1 && tiles_all > 0)
        g->block_tiles = lm_even_piece(tiles_all, g->block_tiles);
    int64_t task = 0;
    for (int i = 0; i < g->npass; i++) {
        g->pass[i].first_task = task;
        g->pass[i].row_blocks = lm_ceil_div(g->pass[i].tiles, g->block_tiles);
        task += g->pass[i].row_blocks * g->column_blocks;
    }
    g->tasks = task * g->nparts;
}
