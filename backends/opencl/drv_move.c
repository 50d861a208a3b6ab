/* Movement: copies between strides, and what reads elements from elsewhere. */
#include <stdio.h>
#include <string.h>

#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"

/* The operand of a Transpose, Expand or Slice as a view of the result's shape, `off` bytes further on. */
static lm_view seen(const lm_call *call, size_t *off)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    lm_view v = *x;
    int64_t elements = 0;
    *off = 0;
    if (call->op == LM_OP_TRANSPOSE) {
        v.sh = y->sh;
        for (int i = 0; i < y->sh.rank; i++)
            v.st[i] = x->st[call->a->perm.perm[i]];
    } else if (call->op == LM_OP_SLICE) {
        v.sh = y->sh;
        for (int i = 0; i < y->sh.rank; i++) {
            v.st[i] = x->st[i] * call->a->slice.step[i];
            elements += call->a->slice.start[i] * x->st[i];
        }
        *off = (size_t)(elements * (int64_t)lm_dtype_size(x->dt));
    }
    return v;
}

/* Elements keep their row-major order: one side is dense, or both meet in scratch memory. */
static lm_status reshape(lm_cl_kernel *k, const lm_view *x, const lm_view *y)
{
    lm_view as_y = lm_view_row(x->dt, &y->sh, NULL), as_x = lm_view_row(x->dt, &x->sh, NULL);
    lm_cl_place between = {LM_CL_SCRATCH, 0};
    if (lm_view_is_row(x))
        return lm_cl_add_copy(k, &as_y, (lm_cl_place){0, 0}, y, (lm_cl_place){1, 0});
    if (lm_view_is_row(y))
        return lm_cl_add_copy(k, x, (lm_cl_place){0, 0}, &as_x, (lm_cl_place){1, 0});
    LM_TRY(lm_cl_scratch(k, lm_shape_count(&x->sh), lm_dtype_size(x->dt), &between.off));
    LM_TRY(lm_cl_add_copy(k, x, (lm_cl_place){0, 0}, &as_x, between));
    return lm_cl_add_copy(k, &as_y, between, y, (lm_cl_place){1, 0});
}

lm_status lm_cl_bind_copy(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    lm_cl_kernel *k;
    size_t off;
    LM_REQUIRE(lm_dtype_size(x->dt) == lm_dtype_size(y->dt), LM_UNSUPPORTED,
               "%s between types has no kernel on opencl", lm_ops[call->op].name);
    LM_TRY(lm_cl_kernel_new(cl, call, "copy", &k));
    if (call->op == LM_OP_RESHAPE)
        return lm_cl_bound(k, reshape(k, x, y), out);
    lm_view v = seen(call, &off);
    return lm_cl_bound(k, lm_cl_add_copy(k, &v, (lm_cl_place){0, off}, y, (lm_cl_place){1, 0}), out);
}

static lm_status concat(lm_cl_kernel *k, const lm_call *call)
{
    const int axis = call->a->axis.axis;
    const lm_view *y = &call->y[0];
    int64_t at = 0;
    for (int i = 0; i < call->nx; i++) {
        lm_view part = *y;
        part.sh = call->x[i].sh;
        const size_t off = (size_t)(at * y->st[axis]) * lm_dtype_size(y->dt);
        LM_REQUIRE(call->x[i].dt == y->dt, LM_UNSUPPORTED, "Concat of several types");
        LM_TRY(lm_cl_add_copy(k, &call->x[i], (lm_cl_place){i, 0}, &part, (lm_cl_place){call->nx, off}));
        at += call->x[i].sh.dim[axis];
    }
    return LM_OK;
}

lm_status lm_cl_bind_concat(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    lm_cl_kernel *k;
    LM_TRY(lm_cl_kernel_new(cl, call, "concat", &k));
    return lm_cl_bound(k, concat(k, call), out);
}

/* Where the result's elements come from. */
static void fill_map(const lm_call *call, lm_cl_mapping *p)
{
    static const int ways[] = {[LM_PAD_CONSTANT] = LM_CL_OUTSIDE,
                               [LM_PAD_REFLECT] = LM_CL_REFLECT,
                               [LM_PAD_EDGE] = LM_CL_EDGE,
                               [LM_PAD_WRAP] = LM_CL_WRAP};
    for (int i = 0; i < p->rank; i++) {
        p->down[i] = 1;
        if (call->op == LM_OP_PAD) {
            p->start[i] = call->a->pad.lo[i];
        } else if (call->op == LM_OP_SLICE_DX) {
            p->start[i] = call->a->slice.start[i];
            p->down[i] = call->a->slice.step[i];
        } else if (call->op == LM_OP_PAD_DX) {
            p->start[i] = -call->a->pad.lo[i];
        }
    }
    p->way = call->op == LM_OP_TILE ? LM_CL_WRAP : call->op == LM_OP_PAD ? ways[call->a->pad.mode] : LM_CL_OUTSIDE;
    p->valued = call->op == LM_OP_PAD && call->nx > 1 && lm_view_present(&call->x[1]);
}

lm_status lm_cl_bind_map(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    const size_t size = lm_dtype_size(y->dt);
    const char *type = size == 1 ? "uchar" : size == 2 ? "ushort" : size == 4 ? "uint" : "ulong";
    char options[32];
    lm_cl_mapping p = {.count = lm_shape_count(&y->sh), .rank = y->sh.rank};
    LM_REQUIRE(x->dt == y->dt && x->sh.rank == y->sh.rank, LM_UNSUPPORTED, "%s of %s has no kernel on opencl",
               lm_ops[call->op].name, lm_dtype_name(x->dt));
    LM_REQUIRE(call->op != LM_OP_PAD_DX || call->a->pad.mode == LM_PAD_CONSTANT, LM_UNSUPPORTED,
               "%s of repeated elements has no kernel on opencl", lm_ops[call->op].name);
    for (int i = 0; i < p.rank; i++) {
        p.dim[i] = y->sh.dim[i], p.y[i] = y->st[i];
        p.n[i] = x->sh.dim[i], p.x[i] = x->st[i];
    }
    fill_map(call, &p);
    snprintf(options, sizeof options, "-DT=%s", type);
    lm_cl_kernel *k;
    lm_cl_pass *pass;
    LM_TRY(lm_cl_kernel_new(cl, call, lm_ops[call->op].name, &k));
    lm_status status = lm_cl_pass_add(k, "map.cl", options, "map", &p, sizeof p, &pass);
    if (status == LM_OK) {
        lm_cl_pass_operand(pass, 0, 0);
        lm_cl_pass_operand(pass, p.valued ? 1 : 0, 0);
        lm_cl_pass_operand(pass, call->nx, 0);
        lm_cl_pass_line(k, pass, p.count, cl->panels ? 64 : 0);
    }
    return lm_cl_bound(k, status, out);
}
