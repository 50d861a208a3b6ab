/* The one engine behind matrix products and convolutions: tiles of output pixels times panels of packed weights.
 *
 * A convolution is a product whose rows are pixels and whose reduction is a list of taps; a matrix product is the same
 * with one tap, rows for pixels and no image around them. A transposed convolution with stride s is s passes (per axis)
 * of plain convolution that each fill every s-th output pixel.
 *
 * Order, the same on every path: tap by tap as the pass lists them, then channel; + bias, + residual, activation.
 * Taps outside the image multiply +0 (see tile.h for when they may be left out). */
#ifndef LM_CPU_IGEMM_H
#define LM_CPU_IGEMM_H

#include "backends/cpu/cpu.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/tile.h"

enum { LM_AXES = LM_SPATIAL };

/* One displacement of the window in source pixels, or a row of them read as one run (wide). */
typedef struct lm_tap {
    int64_t at[LM_AXES];
    int64_t a_off; /* floats from the pixel at displacement 0 */
    int64_t b_off; /* floats from the panel's start */
} lm_tap;

/* Output pixels that see the same taps: a grid of `out` pixels whose window starts at source pixel
 * origin + index * step. */
typedef struct lm_pass {
    int64_t out[LM_AXES], step[LM_AXES], origin[LM_AXES];
    int64_t y_off, y_step[LM_AXES]; /* floats */
    int first_tap, ntap;
    int64_t reach_lo[LM_AXES], reach_hi[LM_AXES]; /* least and most displacement of the taps */
    bool padded;                                  /* some window reaches outside the image */
    int64_t tiles, rows;                          /* pixels of a tile, of any output rows ... */
    int64_t chunk, chunks;                        /* ... unless chunk > 0: at most `chunk` pixels of one output row */
    int64_t first_task, row_blocks;
} lm_pass;

/* One independent product: a group of a convolution or a batch entry of a matrix product. Offsets in floats. */
typedef struct lm_part {
    int64_t x, b, y, bias;
} lm_part;

typedef struct lm_igemm {
    const lm_tile_set *set;
    int64_t samples, in[LM_AXES];      /* source pixels; a matrix product: 1 sample of 1 x 1 x M */
    int64_t x_sample, x_step[LM_AXES]; /* floats; channels are contiguous */
    int64_t y_sample;
    int64_t channels; /* length of a tap: channels per part, times the taps of a row when wide */
    int64_t run_step; /* wide: channels of one tap, otherwise 0 */
    int64_t columns;  /* outputs per part */
    int64_t panel;    /* floats of one packed panel */
    int64_t panels, block_panels, block_tiles, column_blocks;
    int64_t block_taps;    /* taps per kernel call, when a tap is one run ... */
    int64_t pieces, piece; /* ... otherwise (pieces > 1) a tap is cut into runs of `piece`, one per kernel call */
    float lo, hi;          /* clamp of the epilogue */
    int64_t tasks;
    int npass;
    int64_t nparts;
    lm_pass *pass;
    lm_tap *tap;
    lm_part *part;
} lm_igemm;

/* Addresses of one launch. bias: per part at part.bias, padded to whole panels, no -0. finite: no NaN or infinity among
 * the weights. zero: `channels` zeros. */
typedef struct lm_igemm_args {
    const float *x, *b, *bias, *res, *zero;
    float *y;
    char *space; /* the launch's workspace, for engines that have reserved of it */
    bool finite;
    lm_ew_fn act; /* an activation beyond the clamp, run on a tile that was just stored; or NULL */
    float act_a, act_b;
} lm_igemm_args;

/* After the geometry is filled: choose tiles, blocks and the task grid, which depend on shape and caches alone. */
void lm_igemm_plan(lm_igemm *g, const lm_topo *topo);

void lm_igemm_run(lm_cpu *cpu, const lm_igemm *g, const lm_igemm_args *args);

/* The tiles of a level. */
const lm_tile_set *lm_tiles_of(lm_cpu_level level);

#endif
