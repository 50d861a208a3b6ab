/* Block sizes of the products, from the shape and the caches alone: they never depend on the number of threads, so
 * neither does the task grid. */
#ifndef LM_CPU_BLOCK_H
#define LM_CPU_BLOCK_H

#include "backends/cpu/igemm.h"

/* Runs per kernel call at most, and the longest row run that is copied before use. */
enum { LM_SPANS = 64, LM_COPY_RUN = 512 };

static inline int64_t lm_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Pieces of at most `most` that differ by as little as can be: the size of one. */
static inline int64_t lm_even_piece(int64_t total, int64_t most)
{
    return total <= most ? total : lm_ceil_div(total, lm_ceil_div(total, most));
}

#endif
