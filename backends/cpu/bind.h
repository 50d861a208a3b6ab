/* Every driver's way in, and the table that says which op goes to which. */
#ifndef LM_CPU_BIND_H
#define LM_CPU_BIND_H

#include "backends/cpu/cpu.h"

/* A primitive op is bound by the family its `kernel` column names; composites with a fused kernel are listed in bind.c. */
#define LM_CPU_FAMILIES(X)                                                                                             \
    X(unary) X(actdx) X(binary) X(compare) X(where) X(cast) X(reduce) X(arg) X(cumsum) X(softmax) X(softmax_dx)        \
    X(layernorm) X(rmsnorm) X(groupnorm) X(batchnorm) X(lrn) X(update) X(matmul) X(conv) X(conv_t) X(conv_dw)          \
    X(maxpool) X(maxpool_dx) X(avgpool) X(avgpool_dx) X(lppool) X(copy) X(slice_dx) X(pad) X(pad_dx) X(concat) X(tile) \
    X(trilu) X(gather) X(gather_dx) X(gather_elements) X(gather_nd) X(scatter_elements) X(scatter_nd) X(onehot)        \
    X(topk) X(nonzero) X(range) X(resize) X(resize_dx) X(recurrent) X(recurrent_dx) X(attention)

#define X(family) lm_status lm_cpu_bind_##family(lm_cpu *cpu, const lm_call *call, lm_kernel **out);
LM_CPU_FAMILIES(X)
#undef X

/* NULL: this device has nothing for the op. */
lm_cpu_bind_fn lm_cpu_binder(lm_opid op);

#endif
