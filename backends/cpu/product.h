/* A bound matrix product or convolution: the geometry of igemm.h plus what a launch must prepare (weights that are not
 * constant, operands in another layout, the bias). Drivers fill it and share its `run`. */
#ifndef LM_CPU_PRODUCT_H
#define LM_CPU_PRODUCT_H

#include "backends/cpu/copy.h"
#include "backends/cpu/igemm.h"
#include "backends/cpu/pack.h"

enum { LM_NO_SPACE = -1 };

/* An operand that the kernel wants with other strides: copied through the workspace. */
typedef struct lm_relayout {
    lm_copy copy;
    int64_t at; /* bytes into the workspace; LM_NO_SPACE: used as it is */
} lm_relayout;

typedef struct lm_product lm_product;
struct lm_product {
    lm_cpu_kernel k;
    lm_igemm g;
    lm_pack pack;
    bool packed;                       /* x[1] arrives packed */
    int64_t passing, passing_depth;    /* passing.h: panels that a task packs for itself, or terms packed at a time */
    int bias, res, slope;              /* which inputs; -1: none. slope: where the activation's slope is taken */
    int64_t bias_step;                 /* floats between bias values */
    int64_t bias_parts;                /* 1, or one stretch of bias per part */
    int64_t bias_width;                /* of one part, whole panels */
    int64_t zeros;                     /* floats */
    int64_t zero_at, bias_at, pack_at; /* bytes into the workspace */
    lm_relayout x, y, residual, point; /* point: of `slope` */
    lm_ending ending;
    int64_t row_taps, row_dilation; /* depthwise: taps along a row of the filter */
    int64_t thin_at, thin_lo, thin_width; /* thin.h: bytes into the workspace; of a turned row, zeros first, and all */
    void (*engine)(lm_cpu *cpu, const lm_product *p, const lm_igemm_args *a);
};

/* A kernel with room for its passes, taps and parts behind it. */
lm_status lm_product_new(lm_cpu *cpu, const lm_call *call, const char *what, int64_t passes, int64_t taps,
                         int64_t parts, lm_product **out);

/* Bias, residual, activation and slope. LM_UNSUPPORTED for an activation without a kernel. */
lm_status lm_product_epilogue(lm_cpu *cpu, lm_product *p, const lm_call *call);

/* Bytes of workspace, aligned; LM_MEMORY when the sum is beyond addressing. */
lm_status lm_product_reserve(lm_product *p, size_t count, size_t size, int64_t *at);

/* Have operand `v` (y: copied out, others: copied in) in a layout with strides `st`, reserving workspace for
 * `count` floats. */
lm_status lm_product_relayout(lm_product *p, const lm_view *v, const int64_t *st, size_t count, bool out,
                              lm_relayout *r);

/* The epilogue's operands, where there are any, with the strides `st` that the kernel gives y. */
lm_status lm_product_operands(lm_product *p, const lm_call *call, const int64_t *st);

/* The last step of binding: weights, bias, tiles, blocks, name, costs. */
lm_status lm_product_finish(lm_cpu *cpu, lm_product *p, const lm_call *call, uint32_t packing, int64_t param,
                            const char *what);

#endif
