/* Every driver's way in. */
#ifndef LM_CL_BIND_H
#define LM_CL_BIND_H

#include "backends/opencl/opencl.h"

/* The op table's `kernel` column is the family of a primitive; composites with a kernel are listed in bind.c. */
#define LM_CL_FAMILIES(X)                                                                                              \
    X(unary) X(actdx) X(binary) X(where) X(cast) X(matmul) X(conv) X(conv_t) X(conv_dw) X(copy) X(map) X(concat)       \
    X(reduce) X(softmax) X(layernorm) X(maxpool) X(maxpool_dx) X(avgpool) X(avgpool_dx) X(gather) X(gather_dx)         \
    X(gather_elements) X(gather_nd) X(scatter_elements) X(scatter_nd) X(trilu) X(onehot) X(arg) X(cumsum)              \
    X(topk) X(update) X(resize) X(resize_dx) X(lppool) X(nonzero) X(range) X(fused)

#define X(family) lm_status lm_cl_bind_##family(lm_cl *cl, const lm_call *call, lm_kernel **out);
LM_CL_FAMILIES(X)
#undef X

/* Ends binding: *out is the kernel, or it is freed when `status` is a failure. */
lm_status lm_cl_bound(lm_cl_kernel *k, lm_status status, lm_kernel **out);

/* The OpenCL type that an element's bits are moved as. */
const char *lm_cl_bits(lm_dtype dt);

/* A pass that copies elements of any type between views of one shape (x may broadcast), any strides. */
lm_status lm_cl_add_copy(lm_cl_kernel *k, const lm_view *x, lm_cl_place from, const lm_view *y, lm_cl_place to);

#endif
