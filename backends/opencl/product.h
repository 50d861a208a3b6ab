/* Building products: what matrix products and convolutions share. A driver says where rows, parts and terms lie; this
 * brings operands into a form that the kernels read and adds the passes. */
#ifndef LM_CL_PRODUCT_H
#define LM_CL_PRODUCT_H

#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"

typedef struct lm_cl_maker {
    lm_cl_kernel *k;
    const lm_call *call;
    lm_cl_product p;
    lm_cl_place a, b, y;       /* y: {0} for the result itself */
    int bias, residual, slope; /* inputs; -1: none */
    bool across;               /* rows of a are neighbours, terms a step apart */
    size_t tile_at;            /* where the kernel's name wants its tile; 0: it has it */
} lm_cl_maker;

/* Packings that derive understands, and the axes of what they pack. p[0]: columns per panel; p[1]: groups, or whether a
 * matrix is transposed. */
enum { LM_CL_PACK_MATRIX = 1, LM_CL_PACK_CONV, LM_CL_PACK_CONV_T, LM_CL_PACK_DEPTHWISE, LM_CL_PACK_PATCHES };

/* Columns per panel of a device. */
int64_t lm_cl_panel(const lm_cl *cl);

/* The class of shapes that a product belongs to; see tune.c. */
int lm_cl_class(int64_t rows, int64_t columns, int64_t terms, bool across);

/* Bias, residual, activation and slope from the call; strides of the latter come from the driver. */
lm_status lm_cl_product_start(lm_cl *cl, const lm_call *call, const char *what, lm_cl_maker *m);

/* b from input 1: derived if constant, else packed by a pass. */
lm_status lm_cl_product_weights(lm_cl_maker *m, uint32_t kind, int64_t param, lm_cl_pack *pack);

/* `from` copied to [n][z][y][x][c] with zeros around it; `pixel` elements from pixel to pixel. */
lm_status lm_cl_product_border(lm_cl_maker *m, lm_cl_place from, const lm_cl_border *b, lm_cl_place *out);

/* The pass of the product itself; may be called again after a change of m->p. */
lm_status lm_cl_product_pass(lm_cl_maker *m);

/* LM_CL_HAS_... of a maker. */
int lm_cl_product_has(const lm_cl_maker *m);

/* a, b, bias, residual, slope and the result as operands of a pass; what there is not is the result. */
void lm_cl_product_operands(const lm_cl_maker *m, lm_cl_pass *pass);

#endif
