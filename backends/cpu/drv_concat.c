/* Concat: every input is a piece of the result. */
#include "backends/cpu/bind.h"
#include "backends/cpu/copy.h"

lm_status lm_cpu_bind_concat(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *y = &call->y[0];
    int axis = call->a->axis.axis;
    int64_t at = 0;
    lm_pieces *k;
    LM_TRY(lm_pieces_new(cpu, call, call->nx, "concat", &k));
    for (int j = 0; j < call->nx; j++) {
        const lm_view *x = &call->x[j];
        lm_copy_axis axes[LM_COPY_AXES];
        for (int i = 0; i < x->sh.rank; i++)
            axes[i] = (lm_copy_axis){x->sh.dim[i], y->st[i], x->st[i]};
        lm_pieces_add(k, j, at * y->st[axis], 0, x->sh.rank, axes);
        at += x->sh.dim[axis];
    }
    *out = &k->k.base;
    return LM_OK;
}
