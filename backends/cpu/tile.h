/* The register-tiled inner kernels that every instruction level supplies, and the arguments they take.
 *
 * A tile is rows x (np * nr) outputs. The terms of an output are numbered. Those from one multiple of LM_CHAIN to the
 * next are a chain of fused multiply-adds that starts at +0; each chain is then added to the sum of those before. No
 * kernel may cut, skip or reorder otherwise, so every level gives the same bits. The rounding errors of a long sum grow
 * with the length of a chain and with the number of chains, not with the number of terms.
 *
 * After the last chain the tile is finished: + bias, + residual, clamp, mask; column kernels only add +0. The bias is
 * never -0 (whoever passes it has added +0), hence no output is -0 either. That is why a tap that meets nothing but
 * padding may be left out when the weights are finite: its products are +-0, and adding them could change nothing but
 * the sign of a zero. */
#ifndef LM_CPU_TILE_H
#define LM_CPU_TILE_H

#include <stdbool.h>
#include <stdint.h>

/* No level has more rows, panels at a time, columns in a panel or columns in a tile than this. */
enum { LM_TILE_MR = 14, LM_TILE_NP = 4, LM_TILE_NR = 32, LM_TILE_COLS = 128 };

/* Terms of a chain: a power of two, and part of the definition of products. Other numbers give other bits. */
enum { LM_CHAIN = 256 };

/* The first term after term k that begins a chain. */
static inline int64_t lm_chain_end(int64_t k)
{
    return (k | (LM_CHAIN - 1)) + 1;
}

/* One run of terms: len consecutive values of a row (column kernels: steps of ak) and as many rows of a panel. The first
 * is term k of the call. A call begins where a chain does, and ends where one does or all end. */
typedef struct lm_span {
    int64_t a_off, b_off, len; /* offsets in floats */
    int64_t k;
} lm_span;

typedef struct lm_tile {
    const lm_span *span;
    int64_t nspan;
    const float *const *a;   /* row kernels: start of each row; span s reads the pointers at a + s * a_step */
    int64_t a_step;          /* 0: one set of rows for all spans (a_off tells them apart); otherwise a set per span */
    const float *ak;         /* column kernels: rows lie side by side, one k after the other ... */
    int64_t ak_step;         /* ... this many floats apart */
    const float *b;          /* panels [k][nr]; 64-byte aligned for row kernels */
    int64_t b_panel;         /* floats from one panel to the next */
    int64_t b_step;          /* column kernels: floats from one k to the next (row kernels: always nr) */
    float *const *c;         /* output rows; np * nr columns from `col` on are written, and read */
    const float *const *res;  /* residual rows or NULL, read from `col` on */
    const float *const *mask; /* the same: where these are not above zero the results are +0 */
    int64_t col;
    const float *bias;  /* np * nr values */
    float lo, hi;       /* NaN passes */
    bool clamp;         /* to [lo, hi] */
    /* Row kernels ask the caches for what the next tile reads and writes: `pace` bytes further with every step of the
     * reduction, but only at steps k of a span where k & between is 0, so that a line is asked for once. */
    uintptr_t x_ahead, y_ahead, x_pace, y_pace;
    int64_t between;
    bool resume;        /* c holds the sums of earlier calls' chains */
    bool last;          /* no chains follow: finish */
} lm_tile;

typedef void (*lm_tile_kernel)(const lm_tile *t);

/* What a level offers: row[r][np] and column[r][np], NULL where r rows of np panels do not fit its registers. Both have
 * every r up to mr for one panel; row[r][0], or NULL, computes the first half of a panel. */
typedef struct lm_tile_set {
    int mr, nr;
    lm_tile_kernel row[LM_TILE_MR + 1][LM_TILE_NP + 1];
    lm_tile_kernel column[LM_TILE_MR + 1][LM_TILE_NP + 1];
} lm_tile_set;

extern const lm_tile_set lm_tiles_scalar, lm_tiles_neon, lm_tiles_avx2, lm_tiles_avx512;

#endif
