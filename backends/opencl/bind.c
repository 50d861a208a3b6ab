/* Which driver takes which op. */
#include "backends/opencl/bind.h"

/* Rows of the op table, one per primitive; families without a row here go to the host. */
static const struct {
    lm_opid first, last; /* of ops that stand together in the table */
    lm_cl_bind_fn bind;
} rows[] = {
    {LM_OP_IDENTITY, LM_OP_ISINF, lm_cl_bind_unary},
    {LM_OP_CAST, LM_OP_CAST, lm_cl_bind_cast},
    {LM_OP_BITCAST, LM_OP_BITCAST, lm_cl_bind_copy},
    {LM_OP_FUSED, LM_OP_FUSED, lm_cl_bind_fused},
    {LM_OP_ACT_DX, LM_OP_ACT_DX, lm_cl_bind_actdx},
    {LM_OP_ADD, LM_OP_SHIFT, lm_cl_bind_binary},
    {LM_OP_WHERE, LM_OP_WHERE, lm_cl_bind_where},
    {LM_OP_RESHAPE, LM_OP_SLICE, lm_cl_bind_copy},
    {LM_OP_SLICE_DX, LM_OP_PAD_DX, lm_cl_bind_map},
    {LM_OP_CONCAT, LM_OP_CONCAT, lm_cl_bind_concat},
    {LM_OP_TILE, LM_OP_TILE, lm_cl_bind_map},
    {LM_OP_REDUCE_SUM, LM_OP_REDUCE_LSE, lm_cl_bind_reduce},
    {LM_OP_SOFTMAX, LM_OP_LOGSOFTMAX_DX, lm_cl_bind_softmax},
    {LM_OP_LAYERNORM, LM_OP_RMSNORM, lm_cl_bind_layernorm},
    {LM_OP_MAXPOOL, LM_OP_MAXPOOL, lm_cl_bind_maxpool},
    {LM_OP_MAXPOOL_DX, LM_OP_MAXPOOL_DX, lm_cl_bind_maxpool_dx},
    {LM_OP_AVGPOOL, LM_OP_AVGPOOL, lm_cl_bind_avgpool},
    {LM_OP_AVGPOOL_DX, LM_OP_AVGPOOL_DX, lm_cl_bind_avgpool_dx},
    {LM_OP_LPPOOL, LM_OP_LPPOOL, lm_cl_bind_lppool},
    {LM_OP_NONZERO, LM_OP_NONZERO, lm_cl_bind_nonzero},
    {LM_OP_RANGE, LM_OP_RANGE, lm_cl_bind_range},
    {LM_OP_RESIZE, LM_OP_RESIZE, lm_cl_bind_resize},
    {LM_OP_RESIZE_DX, LM_OP_RESIZE_DX, lm_cl_bind_resize_dx},
    {LM_OP_GATHER, LM_OP_GATHER, lm_cl_bind_gather},
    {LM_OP_GATHER_DX, LM_OP_GATHER_DX, lm_cl_bind_gather_dx},
    {LM_OP_GATHERELEMENTS, LM_OP_GATHERELEMENTS, lm_cl_bind_gather_elements},
    {LM_OP_GATHERND, LM_OP_GATHERND, lm_cl_bind_gather_nd},
    {LM_OP_SCATTERELEMENTS, LM_OP_SCATTERELEMENTS, lm_cl_bind_scatter_elements},
    {LM_OP_SCATTERND, LM_OP_SCATTERND, lm_cl_bind_scatter_nd},
    {LM_OP_ONEHOT, LM_OP_ONEHOT, lm_cl_bind_onehot},
    {LM_OP_TOPK, LM_OP_TOPK, lm_cl_bind_topk},
    {LM_OP_TRILU, LM_OP_TRILU, lm_cl_bind_trilu},
    {LM_OP_ARGMAX, LM_OP_ARGMIN, lm_cl_bind_arg},
    {LM_OP_CUMSUM, LM_OP_CUMSUM, lm_cl_bind_cumsum},
    {LM_OP_SGD, LM_OP_ADAM, lm_cl_bind_update},
    {LM_OP_MATMUL, LM_OP_MATMUL, lm_cl_bind_matmul},
    {LM_OP_CONV, LM_OP_CONV, lm_cl_bind_conv},
    {LM_OP_CONV_T, LM_OP_CONV_T, lm_cl_bind_conv_t},
    {LM_OP_CONV_DW, LM_OP_CONV_DW, lm_cl_bind_conv_dw},
};

lm_cl_bind_fn lm_cl_binder(lm_opid op)
{
    for (size_t i = 0; i < LM_COUNT(rows); i++)
        if (op >= rows[i].first && op <= rows[i].last)
            return rows[i].bind;
    return NULL;
}
