/* What the kernels that walk through time share beside their weights. */
#include "backends/cpu/block.h"
#include "backends/cpu/recurrent.h"
#include "core/base/mem.h"

#include <string.h>

/* Bytes of weights that a worker should read per round and sample: waiting for the others costs as much as about half
 * of this. */
enum { SHARE = 32 * 1024 };

lm_status lm_walk_reserve(lm_cpu_kernel *k, int64_t count, int64_t each, int64_t *at)
{
    size_t bytes = 0, end = 0;
    LM_REQUIRE(lm_mul_size((size_t)count, (size_t)each, &bytes) && lm_mul_size(bytes, sizeof(float), &bytes) &&
                   lm_add_size(bytes, LM_ALIGN - 1, &bytes) &&
                   lm_add_size(k->base.workspace, bytes & ~(size_t)(LM_ALIGN - 1), &end) && end < SIZE_MAX / 2,
               LM_MEMORY, "the workspace of %s would not fit in memory", k->name);
    *at = (int64_t)k->base.workspace;
    k->base.workspace = end;
    return LM_OK;
}

void lm_walk_rows(float *to, int64_t to_pitch, const float *from, int64_t from_pitch, int64_t rows, int64_t n)
{
    for (int64_t i = 0; i < rows; i++)
        if (from)
            memcpy(to + i * to_pitch, from + i * from_pitch, (size_t)n * sizeof *to);
        else
            memset(to + i * to_pitch, 0, (size_t)n * sizeof *to);
}

bool lm_walk_dense(const lm_view *v)
{
    return !lm_view_present(v) || (v->dt == LM_F32 && lm_view_is_row(v));
}

/* A worker more pays if it takes enough of the weights; more workers than blocks have nothing to do. */
int lm_walk_tiles(const lm_cpu *cpu, double bytes, int64_t units)
{
    const double most = bytes / SHARE;
    int64_t n = lm_pool_threads(cpu->pool);
    n = n < LM_ROUND_TILES ? n : LM_ROUND_TILES;
    n = n < units ? n : units;
    n = (double)n < most ? n : (int64_t)most;
    return n < 1 ? 1 : (int)n;
}
