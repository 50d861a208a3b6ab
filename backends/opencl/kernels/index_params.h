/* Parameters of index.cl, resize.cl, select.cl, update.cl and values.cl, as params.h's. Axes are numbered row-major,
 * the last one fastest. */

#ifdef __OPENCL_VERSION__
#define LM_ULONG ulong
#else
#define LM_ULONG uint64_t
#endif

/* Indices become offsets: address i has `depth` coordinates, `tuple` elements apart, of which coordinate j counts along
 * an axis of size[j] in steps of step[j]; base: what the address's own place adds. */
typedef struct lm_cl_addresses {
    LM_LONG count, tuple;
    LM_LONG dim[LM_CL_RANK], index[LM_CL_RANK], base[LM_CL_RANK];
    LM_LONG size[LM_CL_RANK], step[LM_CL_RANK];
    int rank, depth, op;
} lm_cl_addresses;

/* Elements that addresses move. A work-item's digits say where it writes and reads, and the number of its first
 * address; in scattering it goes through `n` addresses, `number_step` apart, whose own digits add to where it reads.
 * `shares` of work-items have a part of the places each, by a hash of 64 bits over `divisor`. */
typedef struct lm_cl_moves {
    LM_LONG count, n, number_step, shares;
    LM_ULONG divisor;
    LM_LONG dim[LM_CL_RANK], to[LM_CL_RANK], from[LM_CL_RANK], number[LM_CL_RANK];
    LM_LONG loop_dim[LM_CL_RANK], loop_from[LM_CL_RANK];
    int rank, loop_rank;
} lm_cl_moves;

/* Lines along one axis, or single elements: digits with their steps in the operand and the results; of a line n, its
 * steps, and how many of it are wanted (best); of Trilu the diagonal, of OneHot the step between its two values. */
typedef struct lm_cl_select {
    LM_LONG count, n, best;
    LM_LONG dim[LM_CL_RANK], x[LM_CL_RANK], y[LM_CL_RANK], z[LM_CL_RANK];
    LM_LONG x_step, y_step, z_step, diagonal;
    int rank, axis, upper, greatest, last, exclusive, reverse, values, places;
} lm_cl_select;

/* Steps of optimisers on n parameters. */
typedef struct lm_cl_update {
    LM_LONG n;
    float momentum, decay, beta1, beta2, epsilon;
    int nesterov;
} lm_cl_update;

/* Resize: axes of the result, those that are resized first and the lane not among them; of a resized one where in the
 * table its taps are found, in longs. `outside`: the bits of what stands where there are none. */
typedef struct lm_cl_resize {
    LM_LONG count, blocks, lanes, lane_x, lane_y, outside;
    LM_LONG dim[LM_CL_RANK], x[LM_CL_RANK], y[LM_CL_RANK], table[LM_CL_RANK], taps[LM_CL_RANK];
    int rank, resized;
} lm_cl_resize;

/* NonZero: `parts` of `part` elements; bits that a number which is not zero has one of. Range: `count` numbers. */
typedef struct lm_cl_values {
    LM_LONG count, part, parts, found, mask, y_axis, y_step;
    LM_LONG dim[LM_CL_RANK], x[LM_CL_RANK];
    int rank, op;
} lm_cl_values;
