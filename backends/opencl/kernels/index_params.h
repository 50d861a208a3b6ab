/* Parameters of index.cl and select.cl, as params.h's. Axes are numbered row-major, the last one fastest. */

/* Indices become offsets: address i has `depth` coordinates, `tuple` elements apart, of which coordinate j counts along
 * an axis of size[j] in steps of step[j]; base: what the address's own place adds. */
typedef struct lm_cl_addresses {
    LM_LONG count, tuple;
    LM_LONG dim[LM_CL_RANK], index[LM_CL_RANK], base[LM_CL_RANK];
    LM_LONG size[LM_CL_RANK], step[LM_CL_RANK];
    int rank, depth, op;
} lm_cl_addresses;

/* Elements that addresses move. A work-item's digits say where it writes and reads, and the number of its first
 * address; in scattering it goes through `n` addresses, `number_step` apart, whose own digits add to where it reads. */
typedef struct lm_cl_moves {
    LM_LONG count, n, number_step;
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
    float momentum, decay;
    int nesterov;
} lm_cl_update;
