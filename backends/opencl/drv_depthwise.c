/* Depthwise convolutions and their transposes: a filter of its own for each channel. */
#include "backends/opencl/depthwise.h"

#include <stdio.h>

/* One chain holds all taps. */
enum { TAPS = 256, RUN = 64 };

static void steps_of(const lm_call *call, int operand, LM_LONG st[5])
{
    const lm_view *v = operand < 0 ? NULL : operand < call->nx ? &call->x[operand] : &call->y[0];
    for (int i = 0; i < 5; i++)
        st[i] = 0;
    for (int i = 0; v && i < v->sh.rank; i++)
        st[i < 2 ? i : 5 - v->sh.rank + i] = v->st[i];
}

bool lm_cl_is_depthwise(const lm_call *call)
{
    const lm_attr_conv *a = &call->a->conv;
    int64_t taps = 1;
    for (int i = 0; i < a->nd; i++)
        taps *= a->kernel[i];
    return a->groups > 1 && a->groups == call->x[0].sh.dim[1] && a->groups == call->y[0].sh.dim[1] && taps <= TAPS;
}

static void geometry(const lm_call *call, lm_cl_depthwise *p)
{
    const lm_attr_conv *a = &call->a->conv;
    const lm_shape *x = &call->x[0].sh, *y = &call->y[0].sh;
    p->n = x->dim[0], p->c = x->dim[1];
    for (int i = 0; i < 3; i++) {
        const int from = i - (3 - a->nd);
        p->in[i] = from < 0 ? 1 : x->dim[2 + from];
        p->out[i] = from < 0 ? 1 : y->dim[2 + from];
        p->kernel_[i] = from < 0 ? 1 : a->kernel[from];
        p->stride[i] = from < 0 ? 1 : a->stride[from];
        p->dilation[i] = from < 0 ? 1 : a->dilation[from];
        p->pad[i] = from < 0 ? 0 : a->pad_lo[from];
    }
}

lm_status lm_cl_make_depthwise(lm_cl_maker *m)
{
    const lm_call *call = m->call;
    const lm_cl *cl = m->k->cl;
    const lm_epilogue *e = call->ep;
    lm_cl_depthwise p = {.run = cl->panels ? RUN : 1, .bias_column = m->p.bias_column};
    lm_cl_pack pack;
    char options[128];
    lm_cl_pass *pass;
    geometry(call, &p);
    LM_TRY(lm_cl_product_weights(m, LM_CL_PACK_DEPTHWISE, 0, &pack));
    steps_of(call, 0, p.x);
    steps_of(call, call->nx, p.y);
    steps_of(call, m->residual, p.r);
    steps_of(call, m->slope, p.p);
    p.end = m->p.end;
    p.end.has = lm_cl_product_has(m);
    p.blocks = (p.c + cl->lanes - 1) / cl->lanes;
    p.units = p.n * p.out[0] * p.out[1] * ((p.out[2] + p.run - 1) / p.run) * p.blocks;
    snprintf(options, sizeof options, "-DTURNED=%d%s%s%s%s", call->op == LM_OP_CONV_T, e && e->active ? " -DACT=" : "",
             e && e->active ? lm_ops[e->act].id : "", e && e->sloped ? " -DSLOPE=" : "",
             e && e->sloped ? lm_ops[e->slope.of].id : "");
    LM_TRY(lm_cl_pass_add(m->k, LM_CL_FORMULAS "product.cl depthwise.cl", options, "depthwise", &p,
                          sizeof p, &pass));
    lm_cl_product_operands(m, pass);
    lm_cl_pass_line(m->k, pass, p.units, 0);
    m->k->base.flops =
        2.0 * (double)lm_shape_count(&call->y[0].sh) * (double)(p.kernel_[0] * p.kernel_[1] * p.kernel_[2]);
    return LM_OK;
}
