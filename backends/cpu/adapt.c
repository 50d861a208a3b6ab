/* One way for every driver to take operands it has no kernel for: copies around the kernel it has. */
#include "backends/cpu/adapt.h"

#include <stdio.h>
#include <string.h>

#include "backends/cpu/bind.h"
#include "core/base/mem.h"

/* Calls with more operands than this are movement, whose drivers take any strides and any type. */
enum { OPERANDS = 12, MESSAGE = 256 };

typedef struct adapter {
    lm_cpu_kernel *copy; /* NULL: the operand goes through as it is */
    size_t at;           /* of the dense operand in the workspace */
} adapter;

typedef struct adapted_kernel {
    lm_cpu_kernel k;
    lm_cpu_kernel *inner;
    int nx, ny;
    size_t inner_bytes; /* the inner kernel's workspace stands first */
    adapter operand[OPERANDS];
} adapted_kernel;

static void discard(lm_kernel *kernel)
{
    adapted_kernel *k = (adapted_kernel *)kernel;
    for (int i = 0; i < OPERANDS; i++)
        if (k->operand[i].copy)
            k->operand[i].copy->base.free(&k->operand[i].copy->base);
    if (k->inner)
        k->inner->base.free(&k->inner->base);
    lm_free(k);
}

static lm_status copy(lm_cpu *cpu, const adapter *a, void *from, void *to, void *workspace)
{
    void *p[2] = {from, to};
    return a->copy->run(cpu, a->copy, p, workspace);
}

static lm_status run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const adapted_kernel *k = (const adapted_kernel *)kernel;
    char *scratch = workspace;
    void *dense[OPERANDS];
    for (int i = 0; i < k->nx + k->ny; i++) {
        const adapter *a = &k->operand[i];
        dense[i] = a->copy ? scratch + a->at : p[i];
        if (a->copy && i < k->nx)
            LM_TRY(copy(cpu, a, p[i], dense[i], scratch));
    }
    LM_TRY(k->inner->run(cpu, k->inner, dense, scratch));
    for (int i = k->nx; i < k->nx + k->ny; i++)
        if (k->operand[i].copy)
            LM_TRY(copy(cpu, &k->operand[i], dense[i], p[i], scratch));
    return LM_OK;
}

static bool is_half(lm_dtype dt)
{
    return dt == LM_F16 || dt == LM_BF16;
}

/* What a driver is offered instead of `v`: no float16, and no gaps. An order it may know is kept unless `row`. */
static lm_view dense_form(const lm_view *v, bool row)
{
    lm_dtype dt = is_half(v->dt) ? LM_F32 : v->dt;
    return !row && lm_view_is_nhwc(v) ? lm_view_nhwc(dt, &v->sh, NULL) : lm_view_row(dt, &v->sh, NULL);
}

static bool same_form(const lm_view *a, const lm_view *b)
{
    return a->dt == b->dt && ((lm_view_is_row(a) && lm_view_is_row(b)) || (lm_view_is_nhwc(a) && lm_view_is_nhwc(b)));
}

/* Room for the dense operand behind what the workspace holds so far, and the kernel that copies it. */
static lm_status adapt(lm_cpu *cpu, adapted_kernel *k, int i, const lm_view *from, const lm_view *to)
{
    const lm_view *dense = i < k->nx ? to : from;
    size_t bytes, end, *used = &k->k.base.workspace;
    bool fits = lm_mul_size((size_t)lm_shape_count(&dense->sh), lm_dtype_size(dense->dt), &bytes) &&
                lm_add_size(*used, bytes + LM_ALIGN, &end);
    LM_REQUIRE(fits, LM_MEMORY, "a dense copy of operand %d does not fit in memory", i);
    k->operand[i].at = *used;
    *used = end & ~(size_t)(LM_ALIGN - 1);
    lm_attrs a;
    memset(&a, 0, sizeof a);
    a.cast.to = to->dt;
    bool cast = from->dt != to->dt;
    lm_call call = {.op = cast ? LM_OP_CAST : LM_OP_IDENTITY, .a = &a, .nx = 1, .ny = 1, .x = from, .y = to};
    lm_kernel *made;
    LM_TRY((cast ? lm_cpu_bind_cast : lm_cpu_bind_copy)(cpu, &call, &made));
    k->operand[i].copy = (lm_cpu_kernel *)made;
    /* copies run before and after the inner kernel, so they may share its part of the workspace */
    LM_REQUIRE(made->workspace <= k->inner_bytes, LM_UNSUPPORTED, "a copy of operand %d needs too much scratch", i);
    return LM_OK;
}

static lm_status bind_dense(lm_cpu *cpu, const lm_call *call, lm_cpu_bind_fn bind, bool row, lm_kernel **out)
{
    lm_view view[OPERANDS];
    lm_call dense = *call;
    int n = call->nx + call->ny, changed = 0;
    for (int i = 0; i < n; i++) {
        const lm_view *v = i < call->nx ? &call->x[i] : &call->y[i - call->nx];
        lm_view form = lm_view_present(v) ? dense_form(v, row) : *v;
        bool keep = !lm_view_present(v) || same_form(v, &form);
        view[i] = keep ? *v : form;
        changed += !keep;
        if (!keep && i < call->nx)
            dense.constant &= ~(UINT64_C(1) << i);
    }
    if (!changed)
        return LM_UNSUPPORTED;
    dense.x = view;
    dense.y = view + call->nx;
    lm_kernel *inner;
    LM_TRY(bind(cpu, &dense, &inner));
    adapted_kernel *k;
    lm_status status = lm_cpu_kernel_new(cpu, call, sizeof *k, run, "", &k);
    if (status != LM_OK) {
        inner->free(inner);
        return status;
    }
    k->k.base.free = discard;
    k->inner = (lm_cpu_kernel *)inner;
    k->nx = call->nx, k->ny = call->ny;
    k->inner_bytes = (inner->workspace + LM_ALIGN - 1) & ~(size_t)(LM_ALIGN - 1);
    k->k.base.workspace = k->inner_bytes;
    snprintf(k->k.name, sizeof k->k.name, "%.*s+copies", (int)sizeof k->k.name - 8, inner->name);
    k->k.base.flops = inner->flops, k->k.base.bytes = inner->bytes;
    k->k.base.nwant = inner->nwant;
    memcpy(k->k.base.want, inner->want, sizeof inner->want);
    for (int i = 0; i < n && status == LM_OK; i++) {
        const lm_view *v = i < call->nx ? &call->x[i] : &call->y[i - call->nx];
        if (lm_view_present(v) && !same_form(v, &view[i]))
            status = i < call->nx ? adapt(cpu, k, i, v, &view[i]) : adapt(cpu, k, i, &view[i], v);
    }
    if (status != LM_OK) {
        discard(&k->k.base);
        return status;
    }
    *out = &k->k.base;
    return LM_OK;
}

lm_status lm_cpu_bind_adapted(lm_cpu *cpu, const lm_call *call, lm_cpu_bind_fn bind, lm_kernel **out)
{
    if (call->nx + call->ny > OPERANDS)
        return LM_UNSUPPORTED;
    char message[MESSAGE];
    snprintf(message, sizeof message, "%s", lm_message());
    lm_status status = bind_dense(cpu, call, bind, false, out);
    if (status == LM_UNSUPPORTED)
        status = bind_dense(cpu, call, bind, true, out);
    if (status == LM_UNSUPPORTED)
        lm_message_set(message);
    return status;
}
