/* Block sizes of the products, from the shape and the caches alone: they never depend on the number of threads, so
 * neither does the task grid. */
#ifndef LM_CPU_BLOCK_H
#define LM_CPU_BLOCK_H

#include "backends/cpu/igemm.h"

/* Runs per kernel call at most: those of a chain of single terms; channels of a run of taps along a row at most, and
 * what a border row copies of such runs for a call; floats between copied rows: a line, so that rows of any length begin
 * in different sets of the caches. */
enum { LM_SPANS = LM_CHAIN + 2, LM_RUN = 64, LM_COPY_RUN = LM_CHAIN + 2 * LM_RUN, LM_ROW_GAP = 16 };

static inline int64_t lm_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Pieces of at most `most` that differ by as little as can be: the size of one. */
static inline int64_t lm_even_piece(int64_t total, int64_t most)
{
    return total <= most ? total : lm_ceil_div(total, lm_ceil_div(total, most));
}

/* Whether the rows of a tile, `step` floats apart, push each other out of the first-level cache; `rows` there are. */
bool lm_rows_alias(const lm_topo *topo, const lm_tile_set *set, int64_t rows, int64_t step);

#endif
