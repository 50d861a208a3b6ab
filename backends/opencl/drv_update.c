/* Optimiser steps of row-major float32: SGD, Momentum, Adam. */
#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"
#include "backends/opencl/kernels/index_params.h"

/* Inputs in the op table's order. */
enum { RATE = 2, STEP = 5 };

static lm_status add_pass(lm_cl_kernel *k, const lm_cl_update *p, const char *function, int64_t n,
                          const lm_cl_place *at, int places)
{
    lm_cl_pass *pass;
    LM_TRY(lm_cl_pass_add(k, "index_params.h update.cl", function[0] == 'a' ? "-DADAM" : "", function, p, sizeof *p,
                          &pass));
    for (int i = 0; i < places; i++)
        lm_cl_pass_operand(pass, at[i].operand, at[i].off);
    lm_cl_pass_line(k, pass, n, 0);
    return LM_OK;
}

/* The rate of the step first, as one number in scratch memory. */
static lm_status add_adam(lm_cl_kernel *k, const lm_cl_update *p, int nx)
{
    lm_cl_place rate = {LM_CL_SCRATCH, 0};
    LM_TRY(lm_cl_scratch(k, 1, sizeof(float), &rate.off));
    LM_TRY(add_pass(k, p, "adam_rate", 1, (lm_cl_place[]){{RATE, 0}, {STEP, 0}, rate}, 3));
    return add_pass(k, p, "adam", p->n,
                    (lm_cl_place[]){{0, 0}, {1, 0}, rate, {3, 0}, {4, 0}, {nx, 0}, {nx + 1, 0}, {nx + 2, 0}}, 8);
}

lm_status lm_cl_bind_update(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const bool adam = call->op == LM_OP_ADAM, momentum = call->op == LM_OP_MOMENTUM;
    const lm_attr_update *a = &call->a->update;
    const lm_cl_update p = {.n = lm_shape_count(&call->x[0].sh), .momentum = a->momentum, .decay = a->decay,
                            .beta1 = a->beta1, .beta2 = a->beta2, .epsilon = a->epsilon, .nesterov = a->nesterov};
    bool fits = call->ny == 1 + (adam ? 2 : momentum) && (!adam || lm_cl_has_doubles(cl));
    for (int i = 0; i < call->nx + call->ny; i++) {
        const lm_view *v = i < call->nx ? &call->x[i] : &call->y[i - call->nx];
        fits = fits && v->dt == LM_F32 && lm_view_is_row(v);
    }
    LM_REQUIRE(fits, LM_UNSUPPORTED, "%s of %s in this form has no kernel on opencl", lm_ops[call->op].name,
               lm_dtype_name(call->x[0].dt));
    lm_cl_kernel *k;
    LM_TRY(lm_cl_kernel_new(cl, call, adam ? "adam_f32" : momentum ? "momentum_f32" : "sgd_f32", &k));
    if (adam)
        return lm_cl_bound(k, add_adam(k, &p, call->nx), out);
    lm_cl_place at[LM_CL_MEMS];
    for (int i = 0; i < call->nx + call->ny; i++)
        at[i] = (lm_cl_place){i, 0};
    return lm_cl_bound(k, add_pass(k, &p, momentum ? "momentum" : "sgd", p.n, at, call->nx + call->ny), out);
}
