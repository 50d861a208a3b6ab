/* Weight gradients of convolutions as one product: signal pixels times source pixels, in which every (channel, tap) is
 * a column, in the very order of the result. Columns are gathered for a chain of pixels at a time, taps in the padding
 * as zeros; nothing has to be moved afterwards. Worth it where the results of a tap are few terms each, or where the rows
 * of the operands would push each other out of the caches. */
#ifndef LM_CPU_FOLD_H
#define LM_CPU_FOLD_H

#include "backends/cpu/copy.h"
#include "backends/cpu/igemm.h"

typedef struct lm_fold {
    /* Filled by the driver; steps in floats, of x per output pixel. */
    const lm_tile_set *set;
    int64_t samples, in[LM_AXES], out[LM_AXES], kernel[LM_AXES], stride[LM_AXES], pad[LM_AXES];
    int64_t rows, channels, y_row;
    int64_t x_sample, x_step[LM_AXES], s_sample, s_step[LM_AXES];
    /* The plan. */
    int64_t taps, columns, pixels, links, step_links, terms; /* links: chains of a sample; a step's links and pixels */
    int64_t panels, tiles, block_tiles, row_blocks;
    bool gathers_planes, packs_rows;
    int64_t from_sample, from_step[LM_AXES];    /* of an output pixel, where columns are gathered */
    int64_t channel_step, line_step[2];         /* there: from channel to channel, from row to row of the filter */
    lm_copy planes;                             /* x by channel, with its padding, of planes_floats */
    int64_t planes_floats, worker_bytes;
    int64_t planes_at, rows_at, worker_at;      /* bytes into the workspace: the driver's choice */
} lm_fold;

/* Whether this form exists for the driver's shape and is worth it; then the plan is filled, but for the places in the
 * workspace: of the planes if they are gathered, of the signal in whole tiles of rows if it is packed, and of
 * worker_bytes for each worker. */
bool lm_fold_plan(lm_fold *f);

/* False when the signal is not finite: then the result is worthless, as zeros for padding are no longer nothing. */
bool lm_fold_run(lm_cpu *cpu, const lm_fold *f, const float *x, const float *s, float *y, char *workspace);

#endif
