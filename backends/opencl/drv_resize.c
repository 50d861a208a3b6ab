/* Resize and its gradient: the host works out which elements each position takes, in the cpu device's own way; the
 * device adds them up in the same order. */
#include <stdio.h>
#include <string.h>

#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"
#include "backends/opencl/kernels/index_params.h"
#include "core/base/mem.h"
#include "core/ops/resample.h"

typedef LM_VEC(int64_t) table;

/* Where each position's taps begin, then index and weight of each. */
static lm_status add_taps(table *all, const lm_taps *t, int64_t *first, int64_t *taps)
{
    LM_TRY(lm_vec_reserve(all, all->count + (size_t)t->n + 1 + 2 * (size_t)t->count));
    *first = (int64_t)all->count;
    for (int64_t i = 0; i <= t->n; i++)
        all->at[all->count++] = t->first[i];
    *taps = (int64_t)all->count;
    for (int64_t i = 0; i < t->count; i++) {
        int32_t bits;
        memcpy(&bits, &t->tap[i].weight, sizeof bits);
        all->at[all->count++] = t->tap[i].at;
        all->at[all->count++] = bits;
    }
    return LM_OK;
}

static void add_axis(lm_cl_resize *p, const lm_call *call, int axis)
{
    p->dim[p->rank] = call->y[0].sh.dim[axis];
    p->x[p->rank] = call->x[0].st[axis];
    p->y[p->rank++] = call->y[0].st[axis];
    p->count *= call->y[0].sh.dim[axis];
}

/* Resized axes in their order, then those that stay; one of these whose elements are neighbours on both sides is the
 * lane. */
static lm_status sort_axes(const lm_call *call, bool back, lm_cl_resize *p, table *all)
{
    const lm_view *x = &call->x[0], *y = &call->y[0], *small = back ? y : x, *large = back ? x : y;
    const lm_attr_resize *a = &call->a->resize;
    bool stays[LM_RANK];
    const int rank = x->sh.rank;
    int lane = -1, resized = 0;
    for (int i = 0; i < rank; i++) {
        stays[i] = lm_taps_trivial(a, i, small->sh.dim[i], large->sh.dim[i]);
        resized += !stays[i];
    }
    if (!resized) /* there is a chain in any case */
        stays[rank - 1] = false;
    for (int i = 0; i < rank; i++)
        if (stays[i] && x->st[i] == 1 && y->st[i] == 1)
            lane = i;
    for (int i = 0; i < rank; i++) {
        lm_taps taps = {0};
        if (stays[i])
            continue;
        lm_status status = lm_taps_make(a, i, small->sh.dim[i], large->sh.dim[i], back, &taps);
        if (status == LM_OK)
            status = add_taps(all, &taps, &p->table[p->rank], &p->taps[p->rank]);
        lm_taps_free(&taps);
        LM_TRY(status);
        add_axis(p, call, i);
    }
    p->resized = p->rank;
    for (int i = 0; i < rank; i++)
        if (stays[i] && i != lane)
            add_axis(p, call, i);
    p->lanes = lane < 0 ? 1 : y->sh.dim[lane];
    p->lane_x = p->lane_y = 1;
    return LM_OK;
}

static lm_status keep_table(lm_cl_kernel *k, const table *all)
{
    cl_int code;
    k->own = k->cl->api->CreateBuffer(k->cl->context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR,
                                      all->count * sizeof *all->at, all->at, &code);
    return lm_cl_status(code, k->name);
}

static lm_status add_pass(lm_cl_kernel *k, const lm_call *call, lm_cl_resize *p, bool nearest)
{
    char options[64];
    const int width = nearest ? 1 : k->cl->lanes;
    lm_cl_pass *pass;
    p->blocks = (p->lanes + width - 1) / width;
    p->count *= p->blocks;
    snprintf(options, sizeof options, "-DNEAREST=%d -DTYPE=%s%s", nearest,
             nearest ? lm_cl_bits(call->x[0].dt) : "float", nearest ? " -DLM_WIDTH=1" : "");
    LM_TRY(lm_cl_pass_add(k, "index_params.h resize.cl", options, "resize", p, sizeof *p, &pass));
    lm_cl_pass_operand(pass, 0, 0);
    lm_cl_pass_operand(pass, LM_CL_OWN, 0);
    lm_cl_pass_operand(pass, 1, 0);
    lm_cl_pass_line(k, pass, p->count, k->cl->panels ? 16 : 0);
    return LM_OK;
}

static lm_status bind(lm_cl *cl, const lm_call *call, bool back, lm_kernel **out)
{
    const lm_dtype type = call->x[0].dt;
    const bool nearest = call->a->resize.mode == LM_RESIZE_NEAREST && !back;
    LM_REQUIRE((type == LM_F32 || nearest) && type == call->y[0].dt && call->x[0].sh.rank > 0, LM_UNSUPPORTED,
               "%s of %s has no kernel on opencl",
               lm_ops[call->op].name, lm_dtype_name(type));
    lm_cl_resize p = {.count = 1};
    table all = {0};
    lm_cl_kernel *k = NULL;
    lm_status status;
    if (!back)
        lm_store_f64(type, &p.outside, (double)call->a->resize.extrapolation);
    LM_TRY_OUT(sort_axes(call, back, &p, &all));
    LM_TRY_OUT(lm_cl_kernel_new(cl, call, back ? "resize_dx" : "resize", &k));
    status = keep_table(k, &all);
    if (status == LM_OK)
        status = add_pass(k, call, &p, nearest);
    status = lm_cl_bound(k, status, out);
out:
    lm_vec_free(&all);
    return status;
}

lm_status lm_cl_bind_resize(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    return bind(cl, call, false, out);
}

lm_status lm_cl_bind_resize_dx(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    return bind(cl, call, true, out);
}
