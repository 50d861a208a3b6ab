/* Max, average and Lp pooling of float32, and gradients. */
#include <stdio.h>
#include <string.h>

#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"

/* What becomes of a window (kernels/pool.cl). */
typedef enum how { LARGEST, AVERAGE, ABSOLUTE, SQUARES, POWERS } how;

static void steps_of(const lm_view *v, LM_LONG st[5], LM_LONG size[3])
{
    const int nd = v->sh.rank - 2;
    st[0] = v->st[0], st[1] = v->st[1];
    for (int i = 0; i < 3; i++) {
        const int from = 2 + i - (3 - nd);
        st[2 + i] = from < 2 ? 0 : v->st[from];
        if (size)
            size[i] = from < 2 ? 1 : v->sh.dim[from];
    }
}

static void geometry(const lm_call *call, const lm_view *image, const lm_view *pooled, lm_cl_pool *p)
{
    const lm_attr_pool *a = &call->a->pool;
    *p = (lm_cl_pool){.n = image->sh.dim[0], .c = image->sh.dim[1], .op = (int)call->op};
    steps_of(image, p->image, p->in);
    steps_of(pooled, p->pooled, p->out);
    for (int i = 0; i < 3; i++) {
        const int from = i - (3 - a->nd);
        p->kernel_[i] = from < 0 ? 1 : a->kernel[from];
        p->stride[i] = from < 0 ? 1 : a->stride[from];
        p->dilation[i] = from < 0 ? 1 : a->dilation[from];
        p->pad[i] = from < 0 ? 0 : a->pad_lo[from];
        p->pad_hi[i] = from < 0 ? 0 : a->pad_hi[from];
    }
    p->count_pad = a->count_pad;
    p->place[a->column_major ? 0 : 2] = 1;
    p->place[1] = p->in[a->column_major ? 0 : 2];
    p->place[a->column_major ? 2 : 0] = p->place[1] * p->in[1];
    p->power = (float)a->p;
}

static lm_status check(const lm_call *call)
{
    for (int i = 0; i < call->nx + call->ny; i++) {
        const lm_view *v = i < call->nx ? &call->x[i] : &call->y[i - call->nx];
        const bool index = (call->op == LM_OP_MAXPOOL_DX && i == 1) || (call->op == LM_OP_MAXPOOL && i == 2);
        LM_REQUIRE(!lm_view_present(v) || v->dt == (index ? LM_I64 : LM_F32), LM_UNSUPPORTED,
                   "%s of %s has no kernel on opencl", lm_ops[call->op].name, lm_dtype_name(v->dt));
    }
    return LM_OK;
}

/* A pass over the pixels of `size`. On processors a work-item has some pixels of a line and some vectors of channels:
 * it works out once where the windows lie. */
static lm_status add_pass(lm_cl_kernel *k, lm_cl_pool *p, const LM_LONG size[3], const char *function, how form,
                          bool places, const int *operand, int operands, bool checks)
{
    enum { PIXELS = 16, VECTORS = 4 };
    char options[64];
    const int width = k->cl->panels ? VECTORS * k->cl->lanes : 1;
    lm_cl_pass *pass;
    LM_REQUIRE(!places || p->in[0] * p->in[1] * p->in[2] <= INT32_MAX, LM_UNSUPPORTED,
               "indices of planes with more than 2^31 elements have no kernel on opencl");
    p->run = k->cl->panels ? PIXELS : 1;
    p->blocks = (p->c + width - 1) / width;
    p->units = p->n * p->blocks * size[0] * size[1] * ((size[2] + p->run - 1) / p->run);
    snprintf(options, sizeof options, "-DHOW=%d -DPLACES=%d -DSPAN=%d", (int)form, places, width);
    LM_TRY(lm_cl_pass_add(k, form == POWERS ? "vmath.h vmath_trig.h pool.cl" : "pool.cl", options, function, p,
                          sizeof *p, &pass));
    for (int i = 0; i < operands; i++)
        lm_cl_pass_operand(pass, operand[i], 0);
    pass->checks = checks;
    lm_cl_pass_line(k, pass, p->units, k->cl->panels ? 1 : 0);
    return LM_OK;
}

static lm_status pool(lm_cl *cl, const lm_call *call, how form, const char *what, lm_kernel **out)
{
    lm_cl_pool p;
    lm_cl_kernel *k;
    LM_TRY(check(call));
    geometry(call, &call->x[0], &call->y[0], &p);
    const bool places = call->ny > 1 && lm_view_present(&call->y[1]);
    if (places)
        steps_of(&call->y[1], p.index, NULL);
    LM_TRY(lm_cl_kernel_new(cl, call, what, &k));
    const int operand[] = {0, 1, places ? 2 : 1};
    return lm_cl_bound(k, add_pass(k, &p, p.out, "pool", form, places, operand, 3, false), out);
}

lm_status lm_cl_bind_maxpool(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    return pool(cl, call, LARGEST, "maxpool_f32", out);
}

lm_status lm_cl_bind_avgpool(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    return pool(cl, call, AVERAGE, "avgpool_f32", out);
}

lm_status lm_cl_bind_lppool(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const int p = call->a->pool.p;
    return pool(cl, call, p == 1 ? ABSOLUTE : p == 2 ? SQUARES : POWERS, "lppool_f32", out);
}

lm_status lm_cl_bind_avgpool_dx(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    lm_cl_pool p;
    lm_cl_kernel *k;
    LM_TRY(check(call));
    geometry(call, &call->y[0], &call->x[0], &p);
    LM_TRY(lm_cl_kernel_new(cl, call, "avgpool_dx_f32", &k));
    return lm_cl_bound(k, add_pass(k, &p, p.in, "pool_dx", AVERAGE, false, (int[]){0, 0, 1}, 3, false), out);
}

lm_status lm_cl_bind_maxpool_dx(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    lm_cl_pool p;
    lm_cl_kernel *k;
    LM_TRY(check(call));
    geometry(call, &call->y[0], &call->x[0], &p);
    steps_of(&call->x[1], p.index, NULL);
    LM_TRY(lm_cl_kernel_new(cl, call, "maxpool_dx_f32", &k));
    lm_status status = add_pass(k, &p, p.out, "pool_dx_check", LARGEST, true, (int[]){1}, 1, true);
    if (status == LM_OK)
        status = add_pass(k, &p, p.in, "pool_dx", LARGEST, true, (int[]){0, 1, 2}, 3, false);
    return lm_cl_bound(k, status, out);
}
