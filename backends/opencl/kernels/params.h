/* What kernels get by value; read by both compilers, so that both see the same bytes. Strides are in elements. */
#ifdef __OPENCL_VERSION__
#define LM_LONG long
#else
#include <stdint.h>
#define LM_LONG int64_t
#endif

enum { LM_CL_RANK = 8, LM_CL_SIDES = 7, LM_CL_STEPS = 12 };

/* Elementwise: the result's axes, merged, the last one cut into `parts` of `strip` elements, one per work-item. Sides
 * are the operands, and last the result. `act`: parameters of each step. */
typedef struct lm_cl_ew {
    LM_LONG units, parts, strip, inner;
    LM_LONG dim[LM_CL_RANK];
    LM_LONG st[LM_CL_SIDES][LM_CL_RANK];
    float act[LM_CL_STEPS][2];
    int rank, zero;
} lm_cl_ew;

/* A product y[row][column] = sum over terms of a[row][term] * b[term][column], then bias, residual (r), activation and
 * slope (at p). Terms are `channels` neighbours for each of the taps, of which there are three digits. Rows and parts
 * (independent products: batches, groups) are numbers of four digits, the last one fastest. b lies in panels of as many
 * columns as a kernel handles at once. */
enum { LM_CL_DIGITS = 4, LM_CL_TAPS = 3 };
/* Terms of a chain before the next begins (backends/README.md). */
#define LM_CL_CHAIN 256
/* Tiles of a block that a work-item of product_panels.cl makes: down, across. */
#define LM_CL_BLOCK_TILES 8
#define LM_CL_BLOCK_PANELS 4
enum { LM_CL_HAS_BIAS = 1, LM_CL_HAS_RESIDUAL = 2, LM_CL_HAS_SLOPE = 4, LM_CL_HAS_RELU = 8 };
/* What follows a sum: bits of LM_CL_HAS_..., the parameters of activation and slope. */
typedef struct lm_cl_end {
    int has, zero;
    float act_a, act_b, slope_a, slope_b;
} lm_cl_end;

typedef struct lm_cl_product {
    LM_LONG rows, columns, channels, chain; /* chain: terms after which a partial sum ends */
    LM_LONG tap_dim[LM_CL_TAPS], tap_a[LM_CL_TAPS], tap_b[LM_CL_TAPS];
    LM_LONG a_step, b_step, b_panel; /* from term to term, from panel to panel */
    LM_LONG row_dim[LM_CL_DIGITS], row_a[LM_CL_DIGITS], row_y[LM_CL_DIGITS], row_r[LM_CL_DIGITS], row_p[LM_CL_DIGITS];
    LM_LONG part_dim[LM_CL_DIGITS], part_a[LM_CL_DIGITS], part_b[LM_CL_DIGITS], part_y[LM_CL_DIGITS];
    LM_LONG part_r[LM_CL_DIGITS], part_p[LM_CL_DIGITS], part_bias[LM_CL_DIGITS];
    LM_LONG y_column, r_column, p_column, bias_column;
    LM_LONG a0, b0, y0, r0, p0;
    LM_LONG block_tiles, block_panels; /* of a work-item on processors */
    LM_LONG restart; /* 1: a chain ends with each step of the first digit of taps */
    lm_cl_end end;
} lm_cl_product;

/* Weights into panels: [part][panel][tap][channel][nr], zeros past the last column. */
typedef struct lm_cl_pack {
    LM_LONG units, nr, panels, columns, channels;
    LM_LONG part_dim[LM_CL_DIGITS], part_x[LM_CL_DIGITS], tap_dim[LM_CL_TAPS], tap_x[LM_CL_TAPS];
    LM_LONG channel_x, column_x;
} lm_cl_pack;

/* A copy with zeros around it: the result is dense [n][z][y][x][c] but for a gap after each pixel. lo: zeros before. */
typedef struct lm_cl_border {
    LM_LONG units, pixel; /* elements per work-item; from pixel to pixel of the result */
    LM_LONG out[5], in[5], lo[5], st[5];
} lm_cl_border;

/* Each element of the result from one of the operand, or a value where there is none: index i of an axis becomes
 * (i - start) / down for indices that divide, or start + i * step; then what is outside is treated by the way. */
enum { LM_CL_OUTSIDE, LM_CL_REFLECT, LM_CL_EDGE, LM_CL_WRAP };
typedef struct lm_cl_mapping {
    LM_LONG count;
    LM_LONG dim[LM_CL_RANK], y[LM_CL_RANK], x[LM_CL_RANK], n[LM_CL_RANK]; /* result's sizes, strides; operand's */
    LM_LONG start[LM_CL_RANK], down[LM_CL_RANK];
    int rank, way, valued, zero;
} lm_cl_mapping;

/* Lines of n elements, each summed in the order of backends/README.md: lines are numbered by up to LM_CL_RANK digits,
 * with their steps in the operands and the result; elements by four digits, or by one with a step in each. */
enum { LM_CL_SUM, LM_CL_ABS, LM_CL_SQUARE, LM_CL_PROD, LM_CL_MAX, LM_CL_MIN, LM_CL_EXP };
enum { LM_CL_PLAIN, LM_CL_MEAN, LM_CL_ROOT, LM_CL_LOG, LM_CL_LOG_SHIFT };
typedef struct lm_cl_lines {
    LM_LONG lines, n, chunk;
    LM_LONG dim[LM_CL_RANK], a[LM_CL_RANK], b[LM_CL_RANK], y[LM_CL_RANK];
    LM_LONG red_dim[LM_CL_DIGITS], red_a[LM_CL_DIGITS];
    LM_LONG a_step, b_step, y_step;
    int rank, kind, finish, log;
    float epsilon;
    int has, means, inverses; /* layer norm: 1: a scale, 2: a bias; which further results */
} lm_cl_lines;

/* Pooling: images of three spatial axes. `image` is the side of the pixels, `pooled` that of the windows; of each the
 * strides of sample, channel and axes. */
typedef struct lm_cl_pool {
    LM_LONG units, n, c, blocks, run; /* blocks of channels; pixels along the last axis of a work-item */
    LM_LONG in[3], out[3], kernel_[3], stride[3], dilation[3], pad[3], pad_hi[3];
    LM_LONG image[5], pooled[5], index[5], place[3]; /* place: steps of an element's number in its plane */
    int op, count_pad;
    float power;
    int zero;
} lm_cl_pool;

/* Depthwise convolution: a filter of its own for each channel. Weights: [block of channels][tap][LM_WIDTH]. `x` and the
 * others: strides of sample, channel and axes. conv_grad.cl: n samples, c channels of the image and `blocks` of the
 * signal per group, the signal is r, the weights are y. */
typedef struct lm_cl_depthwise {
    LM_LONG units, n, c, blocks, run; /* pixels along the last axis of a work-item */
    LM_LONG in[3], out[3], kernel_[3], stride[3], dilation[3], pad[3];
    LM_LONG x[5], y[5], r[5], p[5], bias_column;
    lm_cl_end end;
} lm_cl_depthwise;

/* Gather: the result's axes with their steps in the result, the data and the indices. */
typedef struct lm_cl_gather {
    LM_LONG count, size, step; /* of the axis that is gathered along */
    LM_LONG dim[LM_CL_RANK], y[LM_CL_RANK], x[LM_CL_RANK], index[LM_CL_RANK];
    int rank, op;
} lm_cl_gather;
