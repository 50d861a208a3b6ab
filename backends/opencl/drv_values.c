/* NonZero and Range, whose results' size the plan took from the values. */
#include <stdio.h>

#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"
#include "backends/opencl/kernels/index_params.h"

/* Elements that one work-item counts and places. */
enum { PART = 1024 };

static lm_status add_pass(lm_cl_kernel *k, const lm_cl_values *p, const char *options, const char *function, int64_t n,
                          const lm_cl_place *at, int places, bool checks)
{
    lm_cl_pass *pass;
    LM_TRY(lm_cl_pass_add(k, "index_params.h values.cl", options, function, p, sizeof *p, &pass));
    for (int i = 0; i < places; i++)
        lm_cl_pass_operand(pass, at[i].operand, at[i].off);
    pass->checks = checks;
    lm_cl_pass_line(k, pass, n, 0);
    return LM_OK;
}

static lm_status nonzero(lm_cl_kernel *k, const lm_cl_values *p, lm_dtype type)
{
    char options[48];
    const lm_cl_place x = {0, 0}, y = {1, 0};
    lm_cl_place first = {LM_CL_SCRATCH, 0};
    snprintf(options, sizeof options, "-DNONZERO -DT=%s", lm_cl_bits(type));
    LM_TRY(lm_cl_scratch(k, p->parts, sizeof(int64_t), &first.off));
    LM_TRY(add_pass(k, p, options, "nonzero_count", p->parts, (lm_cl_place[]){x, first}, 2, false));
    LM_TRY(add_pass(k, p, options, "nonzero_join", 1, (lm_cl_place[]){first}, 1, true));
    return add_pass(k, p, options, "nonzero_place", p->parts, (lm_cl_place[]){x, first, y}, 3, false);
}

lm_status lm_cl_bind_nonzero(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    const int bits = 8 * (int)lm_dtype_size(x->dt);
    lm_cl_values p = {.count = lm_shape_count(&x->sh), .part = PART, .found = y->sh.dim[1], .rank = x->sh.rank,
                      .y_axis = y->st[0], .y_step = y->st[1], .op = (int)call->op};
    p.parts = (p.count + PART - 1) / PART;
    p.mask = lm_dtype_is_float(x->dt) ? (int64_t)((UINT64_C(1) << (bits - 1)) - 1) : -1; /* -0 is zero, too */
    for (int d = 0; d < p.rank; d++)
        p.dim[d] = x->sh.dim[d], p.x[d] = x->st[d];
    lm_cl_kernel *k;
    LM_TRY(lm_cl_kernel_new(cl, call, "nonzero", &k));
    return lm_cl_bound(k, nonzero(k, &p, x->dt), out);
}

lm_status lm_cl_bind_range(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_dtype type = call->y[0].dt;
    const char *text = type == LM_F32 ? "float" : type == LM_I32 ? "int" : type == LM_I64 ? "long" : NULL;
    const lm_cl_values p = {.count = call->y[0].sh.dim[0], .y_step = call->y[0].st[0], .op = (int)call->op};
    char options[48];
    LM_REQUIRE(text && (type != LM_F32 || lm_cl_has_doubles(cl)), LM_UNSUPPORTED, "%s of %s has no kernel on opencl",
               lm_ops[call->op].name, lm_dtype_name(type));
    snprintf(options, sizeof options, "-DT=%s -DREAL=%d", text, type == LM_F32);
    lm_cl_kernel *k;
    LM_TRY(lm_cl_kernel_new(cl, call, "range", &k));
    return lm_cl_bound(k, add_pass(k, &p, options, "range", p.count > 0 ? p.count : 1,
                                   (lm_cl_place[]){{0, 0}, {1, 0}, {2, 0}, {3, 0}}, 4, true), out);
}
