/* Which driver takes which op. */
#include "backends/cpu/bind.h"

/* The op table's `kernel` column is the family for primitives. */
#define lm_cpu_bind_none NULL
static const lm_cpu_bind_fn primitive[LM_OPS] = {
#define LM_OP(id, name, cls, lo, hi, out, attrs, shape, kernel, ...) [LM_OP_##id] = lm_cpu_bind_##kernel,
#include "core/ops/ops.def"
#undef LM_OP
};

/* Composites that pay to run as one kernel; the others are expanded by whoever bound them. */
static const struct {
    lm_opid op;
    lm_cpu_bind_fn bind;
} fused[] = {
    {LM_OP_BATCHNORM, lm_cpu_bind_batchnorm},
    {LM_OP_LAYERNORM, lm_cpu_bind_layernorm},
    {LM_OP_RMSNORM, lm_cpu_bind_rmsnorm},
    {LM_OP_INSTANCENORM, lm_cpu_bind_groupnorm},
    {LM_OP_GROUPNORM, lm_cpu_bind_groupnorm},
    {LM_OP_LRN, lm_cpu_bind_lrn},
    {LM_OP_ATTENTION, lm_cpu_bind_attention},
    {LM_OP_RNN, lm_cpu_bind_recurrent},
    {LM_OP_GRU, lm_cpu_bind_recurrent},
    {LM_OP_LSTM, lm_cpu_bind_recurrent},
    {LM_OP_RECURRENT_DX, lm_cpu_bind_recurrent_dx},
};

lm_cpu_bind_fn lm_cpu_binder(lm_opid op)
{
    for (size_t i = 0; i < LM_COUNT(fused); i++)
        if (fused[i].op == op)
            return fused[i].bind;
    return (unsigned)op < LM_OPS ? primitive[op] : NULL;
}
