/* Trilu, OneHot, ArgMax, ArgMin, CumSum and TopK. */
#include <stdio.h>

#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"
#include "backends/opencl/kernels/index_params.h"

static lm_status refuse(const lm_call *call)
{
    return lm_fail(LM_UNSUPPORTED, "%s of %s has no kernel on opencl", lm_ops[call->op].name,
                   lm_dtype_name(call->x[0].dt));
}

/* Numbers that running sums and orders are made of; NULL: none of these. */
static const char *number_of(lm_dtype dt)
{
    return dt == LM_F32 ? "float" : dt == LM_I32 ? "int" : dt == LM_I64 ? "long" : NULL;
}

/* A kernel of one pass; the operands are the call's, in order, then scratch where `scratch` has any. */
static lm_status finish(lm_cl *cl, const lm_call *call, const char *what, const char *options, const lm_cl_select *p,
                        int64_t scratch, lm_kernel **out)
{
    lm_cl_kernel *k;
    lm_cl_pass *pass;
    size_t off = 0;
    LM_TRY(lm_cl_kernel_new(cl, call, what, &k));
    lm_status status = lm_cl_pass_add(k, "index_params.h select.cl", options, what, p, sizeof *p, &pass);
    if (status == LM_OK && scratch > 0)
        status = lm_cl_scratch(k, scratch, 2 * sizeof(int64_t), &off);
    if (status == LM_OK) {
        for (int i = 0; i < call->nx + call->ny; i++)
            lm_cl_pass_operand(pass, i, 0);
        if (scratch > 0)
            lm_cl_pass_operand(pass, LM_CL_SCRATCH, off);
        lm_cl_pass_line(k, pass, p->count, cl->panels ? 16 : 0);
    }
    return lm_cl_bound(k, status, out);
}

static void add_axis(lm_cl_select *p, int64_t dim, int64_t x, int64_t y, int64_t z)
{
    p->dim[p->rank] = dim;
    p->x[p->rank] = x, p->y[p->rank] = y, p->z[p->rank++] = z;
    p->count *= dim;
}

lm_status lm_cl_bind_trilu(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    const int64_t k = call->a->trilu.k, far = (int64_t)1 << 62;
    char options[32];
    lm_cl_select p = {.count = 1, .axis = x->sh.rank - 1, .upper = call->a->trilu.upper};
    p.diagonal = k > far ? far : k < -far ? -far : k;
    for (int i = 0; i < x->sh.rank; i++)
        add_axis(&p, x->sh.dim[i], x->st[i], y->st[i], 0);
    snprintf(options, sizeof options, "-DTRILU -DT=%s", lm_cl_bits(x->dt));
    return finish(cl, call, "trilu", options, &p, 0, out);
}

lm_status lm_cl_bind_onehot(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_view *at = &call->x[0], *y = &call->y[0];
    const int axis = call->a->onehot.axis;
    char options[48];
    lm_cl_select p = {.count = 1, .axis = axis, .n = y->sh.dim[axis], .x_step = call->x[1].st[0]};
    if (at->dt != LM_I32 && at->dt != LM_I64)
        return refuse(call);
    for (int i = 0; i < y->sh.rank; i++)
        add_axis(&p, y->sh.dim[i], i == axis ? 0 : at->st[i < axis ? i : i - 1], y->st[i], 0);
    snprintf(options, sizeof options, "-DONEHOT -DT=%s -DINDEX=%s", lm_cl_bits(y->dt),
             at->dt == LM_I32 ? "int" : "long");
    return finish(cl, call, "onehot", options, &p, 0, out);
}

lm_status lm_cl_bind_arg(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_attr_axis *a = &call->a->axis;
    const lm_view *x = &call->x[0], *y = &call->y[0];
    lm_cl_select p = {.count = 1, .axis = -1, .n = x->sh.dim[a->axis], .x_step = x->st[a->axis], .last = a->last,
                      .greatest = call->op == LM_OP_ARGMAX};
    if (x->dt != LM_F32 || y->dt != LM_I64)
        return refuse(call);
    for (int i = 0, to = 0; i < x->sh.rank; i++) {
        if (i != a->axis)
            add_axis(&p, x->sh.dim[i], x->st[i], y->st[to], 0);
        to += i != a->axis || a->keepdims;
    }
    return finish(cl, call, "arg", "-DARG", &p, 0, out);
}

lm_status lm_cl_bind_cumsum(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_attr_axis *a = &call->a->axis;
    const lm_view *x = &call->x[0], *y = &call->y[0];
    const char *type = number_of(x->dt);
    char options[48];
    lm_cl_select p = {.count = 1, .axis = -1, .n = x->sh.dim[a->axis], .x_step = x->st[a->axis],
                      .y_step = y->st[a->axis], .exclusive = a->exclusive, .reverse = a->reverse};
    if (!type)
        return refuse(call);
    for (int i = 0; i < x->sh.rank; i++)
        if (i != a->axis)
            add_axis(&p, x->sh.dim[i], x->st[i], y->st[i], 0);
    snprintf(options, sizeof options, "-DCUMSUM -DT=%s -DU=%s%s", type, x->dt == LM_F32 ? "" : "u", type);
    return finish(cl, call, "cumsum", options, &p, 0, out);
}

lm_status lm_cl_bind_topk(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_attr_topk *a = &call->a->topk;
    const lm_view *x = &call->x[0], *y = &call->y[0], *z = &call->y[call->ny - 1];
    const char *type = number_of(x->dt);
    char options[48];
    size_t entries;
    lm_cl_select p = {.count = 1, .axis = -1, .n = x->sh.dim[a->axis], .best = a->k, .greatest = a->largest,
                      .x_step = x->st[a->axis], .y_step = y->st[a->axis], .z_step = z->st[a->axis],
                      .values = lm_view_present(y), .places = call->ny > 1 && lm_view_present(z)};
    if (!type || call->ny < 2)
        return refuse(call);
    for (int i = 0; i < x->sh.rank; i++)
        if (i != a->axis)
            add_axis(&p, x->sh.dim[i], x->st[i], y->st[i], z->st[i]);
    LM_REQUIRE(lm_mul_size((size_t)p.count, (size_t)p.best, &entries) && entries < (size_t)INT64_MAX / 2, LM_MEMORY,
               "%s: k = %lld is too large", lm_ops[call->op].name, (long long)a->k);
    p.count = entries ? p.count : 0;
    snprintf(options, sizeof options, "-DTOPK -DT=%s -DREAL=%d", type, x->dt == LM_F32);
    return finish(cl, call, "topk", options, &p, entries ? (int64_t)entries : 1, out);
}
