/* A persistent thread pool over fixed grids of tiles. The grid is the caller's and defines the result; which worker
 * claims which tile is chance and must not matter. */
#ifndef LM_BASE_POOL_H
#define LM_BASE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/topo.h"

typedef struct lm_pool lm_pool;

/* Compute tile number `tile`. `worker` is in 0 ... lm_pool_threads - 1 and unique among the workers of one run (not
 * among concurrent runs, so per-worker scratch belongs to the run). Rounding is to nearest, subnormals are kept. */
typedef void (*lm_tile_fn)(void *ctx, int64_t tile, int worker);

/* Start `threads` - 1 workers (the thread that calls lm_pool_run is the last one); 0 means lm_topo_threads(topo). With
 * `bind` each worker is tied to one processor of the allowed set, in lm_topo_bind_order and over again when there are
 * more threads than processors; the caller's own mask stays as it is. `topo` may be NULL (nothing is bound, 0 means 1)
 * and may be freed after the call. Where the system refuses a thread, the pool has fewer and says so as a warning. */
lm_status lm_pool_open(const lm_topo *topo, int threads, bool bind, lm_pool **out);

/* Stop and join the workers. No run may be under way. NULL is fine. */
void lm_pool_close(lm_pool *pool);

/* Workers including the caller; 1 for a NULL pool. */
int lm_pool_threads(const lm_pool *pool);

/* Run tiles 0 ... tiles - 1 and return when all are done. Callers from several threads take turns. One tile, one
 * thread, a NULL pool, or a call from inside a tile run inline on the calling thread; inside a tile they keep its
 * worker number, so a tile may only use the pool that runs it. A run costs well under a microsecond while the workers
 * are awake and about ten once they sleep (some 80 us after the last run): make work that is shorter than that one
 * tile. */
void lm_pool_run(lm_pool *pool, int64_t tiles, lm_tile_fn fn, void *ctx);

/* Run `rounds` < 2^31 grids of `tiles` <= LM_ROUND_TILES tiles each, one after the other: fn gets round * tiles + tile,
 * and starts when every tile of the round before is done. All of it is one run, in which a round costs a fraction of a
 * microsecond. Tile i is worker i's as long as that one comes, so what it reads in every round may stay in one core's
 * caches; there should be as many tiles as threads, of equal size. */
enum { LM_ROUND_TILES = 32 };
void lm_pool_rounds(lm_pool *pool, int64_t rounds, int tiles, lm_tile_fn fn, void *ctx);

#endif
