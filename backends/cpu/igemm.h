/* The one engine behind matrix products and convolutions: tiles of output pixels times panels of packed weights.
 *
 * A convolution is a product whose rows are pixels and whose reduction is a list of taps; a matrix product is the same
 * with one tap, rows for pixels and no image around them. A transposed convolution with stride s is s passes (per axis)
 * of plain convolution that each fill every s-th output pixel.
 *
 * Order, the same on every path: the terms of a sum are numbered tap by tap as the pass lists them, then by channel, and
 * added as tile.h says; + bias, + residual, activation. Taps outside the image multiply +0 (see tile.h for when they
 * may be left out). */
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
    int64_t depth; /* terms of a kernel call, whole chains */
    float lo, hi;  /* clamp of the epilogue */
    int64_t tasks;
    int npass;
    int64_t nparts;
    lm_pass *pass;
    lm_tap *tap;
    lm_part *part;
} lm_igemm;

/* What follows bias, residual and clamp, run on a tile that was just stored; functions may be NULL. */
typedef struct lm_ending {
    lm_ew_fn act; /* an activation beyond the clamp */
    float act_a, act_b;
    lm_ew_fn slope; /* times the slope of an activation, taken at lm_igemm_args.point */
    float slope_a, slope_b;
    bool mask; /* the slope is relu's and follows the clamp: what tiles do themselves */
} lm_ending;

/* Addresses of one launch. bias: per part at part.bias, padded to whole panels, no -0. finite: no NaN or infinity among
 * the weights. zero: `channels` zeros. */
typedef struct lm_igemm_args {
    const float *x, *b, *bias, *res, *zero, *point; /* res and point have y's strides; either may be NULL */
    float *y;
    char *space; /* the launch's workspace, for engines that have reserved of it */
    bool finite;
    int64_t k0, k1; /* these terms of each sum only, k0 the first of a chain; both 0: all */
    lm_ending ending;
} lm_igemm_args;

/* n neighbouring results that wait for nothing else; point: what belongs to the first. */
static inline void lm_ending_run(const lm_ending *e, float *y, const float *point, int64_t n)
{
    if (e->act)
        e->act(&(lm_ew){.y = y, .x = {y}, .n = (size_t)n, .a = e->act_a, .b = e->act_b, .bad = -1});
    if (e->slope)
        e->slope(&(lm_ew){
            .y = y, .x = {y, point}, .n = (size_t)n, .a = e->slope_a, .b = e->slope_b, .bad = -1});
}

/* The same for results where they belong. */
static inline void lm_ending_at(const lm_igemm_args *a, float *y, int64_t n)
{
    lm_ending_run(&a->ending, y, a->point ? a->point + (y - a->y) : NULL, n);
}

/* After the geometry is filled: choose tiles, blocks and the task grid, which depend on shape and caches alone. */
void lm_igemm_plan(lm_igemm *g, const lm_topo *topo);

void lm_igemm_run(lm_cpu *cpu, const lm_igemm *g, const lm_igemm_args *args);

/* All rows of one part times panels [p0, p1), on this thread. */
void lm_igemm_columns(const lm_igemm *g, const lm_igemm_args *args, int64_t part, int64_t p0, int64_t p1);

/* The tiles of a level. */
const lm_tile_set *lm_tiles_of(lm_cpu_level level);

#endif
