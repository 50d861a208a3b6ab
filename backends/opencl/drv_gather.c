/* Gather along one axis. */
#include <stdio.h>

#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"

lm_status lm_cl_bind_gather(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *at = &call->x[1], *y = &call->y[0];
    const int axis = call->a->index.axis;
    const size_t size = lm_dtype_size(x->dt);
    char options[48];
    lm_cl_gather p = {.count = lm_shape_count(&y->sh),
                      .size = x->sh.dim[axis],
                      .step = x->st[axis],
                      .rank = y->sh.rank,
                      .op = (int)call->op};
    LM_REQUIRE((at->dt == LM_I32 || at->dt == LM_I64) && x->dt == y->dt && p.size > 0, LM_UNSUPPORTED,
               "%s with indices of %s has no kernel on opencl", lm_ops[call->op].name, lm_dtype_name(at->dt));
    for (int i = 0; i < p.rank; i++) {
        const int in = i - axis; /* among the indices' axes */
        p.dim[i] = y->sh.dim[i], p.y[i] = y->st[i];
        if (in >= 0 && in < at->sh.rank)
            p.index[i] = at->st[in];
        else
            p.x[i] = x->st[i < axis ? i : i - at->sh.rank + 1];
    }
    snprintf(options, sizeof options, "-DT=%s -DINDEX=%s",
             size == 1   ? "uchar"
             : size == 2 ? "ushort"
             : size == 4 ? "uint"
                         : "ulong",
             at->dt == LM_I32 ? "int" : "long");
    lm_cl_kernel *k;
    lm_cl_pass *pass;
    LM_TRY(lm_cl_kernel_new(cl, call, "gather", &k));
    lm_status status = lm_cl_pass_add(k, "gather.cl", options, "gather", &p, sizeof p, &pass);
    if (status == LM_OK) {
        for (int i = 0; i < 3; i++)
            lm_cl_pass_operand(pass, i, 0);
        pass->checks = true;
        lm_cl_pass_line(k, pass, p.count, cl->panels ? 64 : 0);
    }
    return lm_cl_bound(k, status, out);
}
