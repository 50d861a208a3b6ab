/* One call on one device, with every operand inside guard zones: between and around the elements of an output lie bytes
 * that nobody may touch, and inputs must come back as they went. With --tight there are no zones: whoever leaves an
 * operand leaves its buffer, which a memory checker sees. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/run/exec.h"
#include "tests/checkop/harness.h"

enum { GUARD = 192, OPERANDS = CK_X + CK_MORE + CK_Y };

/* An operand as it lies in memory: `before` is what was copied to the device, `mask` tells elements from gaps. */
typedef struct placed {
    lm_view view; /* buf: `wrap` */
    lm_buffer *wrap, *buf, *derived;
    unsigned char *before, *after;
    size_t bytes;
} placed;

static size_t guard(void)
{
    return ck_opt.tight ? 0 : GUARD;
}

/* A byte that depends on its place, so that a shifted write shows as well. */
static unsigned char canary(size_t at)
{
    return (unsigned char)(0xc5 ^ (at * 37 + 11));
}

static void strides(ck_layout layout, bool output, const lm_shape *sh, int64_t st[LM_RANK])
{
    if (output && layout == CK_NEGATIVE)
        layout = CK_STRIDED;
    if (output && (layout == CK_ZERO || layout == CK_NHWC_IN))
        layout = CK_ROW;
    if (!output && layout == CK_NHWC_OUT)
        layout = CK_ROW;
    memset(st, 0, LM_RANK * sizeof *st);
    if (layout >= CK_NHWC && sh->rank >= 3) {
        lm_strides_nhwc(sh, st);
        return;
    }
    int64_t step = layout == CK_STRIDED ? 2 : 1;
    bool zeroed = false;
    for (int k = 0; k < sh->rank; k++) {
        int axis = layout == CK_COLUMN ? k : sh->rank - 1 - k;
        st[axis] = layout == CK_NEGATIVE ? -step : step;
        step *= sh->dim[axis] > 0 ? sh->dim[axis] : 1;
        step += layout == CK_STRIDED ? 3 : 0;
    }
    for (int axis = 0; layout == CK_ZERO && axis < sh->rank && !zeroed; axis++)
        if (sh->dim[axis] != 1) {
            st[axis] = 0;
            zeroed = true;
        }
}

/* Byte offset of the element after flat's, walking row-major with an odometer. */
static void walk(const lm_shape *sh, const int64_t *st, int64_t index[LM_RANK], int64_t *at)
{
    for (int k = sh->rank - 1; k >= 0; k--) {
        *at += st[k];
        if (++index[k] < sh->dim[k])
            return;
        *at -= st[k] * sh->dim[k];
        index[k] = 0;
    }
}

static void place(placed *p, lm_dtype dt, const lm_shape *sh, const ck_tensor *content, ck_layout layout, bool output)
{
    size_t size = lm_dtype_size(dt);
    int64_t low = 0, high = 0, count = lm_shape_count(sh);
    p->view = (lm_view){.dt = dt, .sh = *sh};
    strides(layout, output, sh, p->view.st);
    for (int k = 0; k < sh->rank && count; k++) {
        int64_t span = p->view.st[k] * (sh->dim[k] - 1);
        *(span < 0 ? &low : &high) += span;
    }
    size_t shift = layout == CK_UNALIGNED ? size : 0;
    p->bytes = 2 * guard() + shift + (size_t)(high - low + (count > 0)) * size;
    p->view.off = guard() + shift + (size_t)-low * size;
    p->before = malloc(p->bytes + 1);
    p->after = malloc(p->bytes + 1);
    if (!p->before || !p->after || lm_buffer_wrap(p->before, p->bytes, &p->wrap) != LM_OK) {
        fprintf(stderr, "checkop: out of memory\n");
        exit(2);
    }
    for (size_t i = 0; i < p->bytes; i++)
        p->before[i] = canary(i);
    int64_t index[LM_RANK] = {0}, at = 0;
    for (int64_t i = 0; content && i < count; i++) {
        memcpy(p->before + p->view.off + at * (int64_t)size, content->bytes + (size_t)i * size, size);
        walk(sh, p->view.st, index, &at);
    }
    p->view.buf = p->wrap;
}

/* Move the elements out of `after` and put the canaries back in their place, so that the whole image must equal
 * `before`. */
static void extract(placed *p, ck_tensor *out)
{
    size_t size = lm_dtype_size(p->view.dt);
    int64_t index[LM_RANK] = {0}, at = 0;
    *out = ck_tensor_new(p->view.dt, &p->view.sh);
    for (int64_t i = 0; i < out->n; i++) {
        size_t from = (size_t)((int64_t)p->view.off + at * (int64_t)size);
        memcpy(out->bytes + (size_t)i * size, p->after + from, size);
        for (size_t b = 0; b < size; b++)
            p->after[from + b] = canary(from + b);
        walk(&p->view.sh, p->view.st, index, &at);
    }
}

static bool untouched(const placed *p, const char *what, int i, char why[CK_WHY])
{
    for (size_t b = 0; b < p->bytes; b++)
        if (p->before[b] != p->after[b]) {
            snprintf(why, CK_WHY, "%s %d: wrote byte %lld from the first element, which is %s", what, i,
                     (long long)b - (long long)p->view.off, what[0] == 'i' ? "an input" : "no element of it");
            return false;
        }
    return true;
}

static void placed_free(placed *p)
{
    lm_buffer_unref(p->buf);
    lm_buffer_unref(p->derived);
    lm_buffer_unref(p->wrap);
    free(p->before);
    free(p->after);
}

/* Scratch holds NaN to begin with, so that what was read before it was written shows in the result; behind it lies a
 * guard zone. */
static lm_status workspace_new(lm_device *d, size_t bytes, lm_buffer **out)
{
    const size_t all = bytes + guard();
    unsigned char *image = malloc(all);
    lm_buffer *from = NULL;
    lm_status status = image ? lm_buffer_wrap(image, all, &from) : LM_MEMORY;
    for (size_t b = 0; image && b < all; b++)
        image[b] = b < bytes ? 0xff : canary(b);
    if (status == LM_OK)
        status = d->vt->alloc(d, all, out);
    if (status == LM_OK)
        status = d->vt->copy(d, *out, 0, from, 0, all);
    lm_buffer_unref(from);
    free(image);
    return status;
}

static lm_status workspace_check(lm_device *d, const lm_kernel *k, lm_buffer *workspace)
{
    unsigned char end[GUARD];
    lm_buffer *to = NULL;
    lm_status status = lm_buffer_wrap(end, sizeof end, &to);
    if (status == LM_OK && guard())
        status = d->vt->copy(d, to, 0, workspace, k->workspace, sizeof end);
    for (size_t b = 0; status == LM_OK && b < guard(); b++)
        if (end[b] != canary(k->workspace + b))
            status = lm_fail(LM_DEVICE, "%s wrote %zu bytes past its workspace of %zu", k->name, b + 1, k->workspace);
    lm_buffer_unref(to);
    return status;
}

/* Buffers on the device, the constants' packings, one launch, and everything copied back. */
static lm_status launch(lm_device *d, lm_kernel *k, int nx, int ny, placed *op)
{
    lm_arg arg[OPERANDS] = {{0}};
    lm_buffer *workspace = NULL;
    lm_status status = LM_OK;
    for (int i = 0; i < nx + ny; i++) {
        placed *p = &op[i];
        if (!p->wrap)
            continue;
        LM_TRY_OUT(d->vt->alloc(d, p->bytes, &p->buf));
        LM_TRY_OUT(d->vt->copy(d, p->buf, 0, p->wrap, 0, p->bytes));
        arg[i] = (lm_arg){p->buf, p->view.off};
    }
    for (int w = 0; w < k->nwant; w++) {
        int i = k->want[w].input;
        if (i < 0)
            continue;
        LM_TRY_OUT(d->vt->derive(d, &op[i].view, &k->want[w], &op[i].derived));
        arg[i] = (lm_arg){op[i].derived, 0};
    }
    if (k->workspace)
        LM_TRY_OUT(workspace_new(d, k->workspace, &workspace));
    LM_TRY_OUT(d->vt->launch(d, k, arg, workspace));
    LM_TRY_OUT(d->vt->sync(d));
    for (int i = 0; i < nx + ny; i++) {
        lm_buffer *back = NULL;
        if (!op[i].wrap)
            continue;
        LM_TRY_OUT(lm_buffer_wrap(op[i].after, op[i].bytes, &back));
        status = d->vt->copy(d, back, 0, op[i].buf, 0, op[i].bytes);
        lm_buffer_unref(back);
        LM_TRY_OUT(status);
    }
    if (workspace)
        status = workspace_check(d, k, workspace);
out:
    lm_buffer_unref(workspace);
    return status;
}

/* Composites that the device has no kernel for run op by op. */
static lm_status run_expanded(const lm_chain *chain, const lm_call *call, placed *op)
{
    lm_exec *exec = NULL;
    lm_status status = lm_exec_open(chain, call, &exec);
    if (status != LM_OK)
        return status;
    for (int i = 0; i < call->nx + call->ny; i++)
        if (op[i].wrap)
            memcpy(op[i].after, op[i].before, op[i].bytes);
    status = lm_exec_run(exec);
    for (int i = 0; i < call->ny && status == LM_OK; i++) {
        placed *p = &op[call->nx + i];
        lm_view to = p->view;
        lm_buffer *wrap = NULL;
        status = lm_buffer_wrap(p->after, p->bytes, &wrap);
        to.buf = wrap;
        if (status == LM_OK)
            status = lm_exec_fetch(exec, i, &to);
        lm_buffer_unref(wrap);
    }
    lm_exec_close(exec);
    return status;
}

static sigjmp_buf before_bind;
static volatile bool binding;

void ck_trap(int signal)
{
    if (binding)
        siglongjmp(before_bind, signal);
}

/* A trap while a call is bound holds no lock, so the run can go on after it; one in a launch ends the program. */
static lm_status bind(lm_device *d, const lm_call *call, lm_kernel **out)
{
    int signal = sigsetjmp(before_bind, 1);
    if (signal) {
        binding = false;
        return lm_fail(LM_DEVICE, "trapped by signal %d while binding", signal);
    }
    binding = true;
    lm_status status = d->vt->bind(d, call, out);
    binding = false;
    return status;
}

lm_status ck_infer(const ck_call *call, lm_type *y)
{
    lm_type x[CK_X + CK_MORE];
    lm_view view[CK_X + CK_MORE];
    const lm_view *value[CK_X + CK_MORE];
    lm_buffer *wrap[CK_X + CK_MORE] = {0};
    int own = call->nx - lm_epilogue_inputs(call->ep);
    for (int i = 0; i < own; i++) {
        x[i] = (lm_type){call->x[i].dt, call->x[i].sh};
        value[i] = NULL;
        if (call->x[i].sh.rank == LM_ABSENT)
            continue;
        LM_TRY(lm_buffer_wrap(call->x[i].bytes, (size_t)call->x[i].n * lm_dtype_size(call->x[i].dt), &wrap[i]));
        view[i] = lm_view_row(call->x[i].dt, &call->x[i].sh, wrap[i]);
        value[i] = &view[i];
    }
    lm_shape_args args = {.op = call->op, .a = call->a, .nx = own, .ny = call->ny, .x = x, .value = value};
    lm_status status = lm_op_infer(&args, y);
    for (int i = 0; i < own; i++)
        lm_buffer_unref(wrap[i]);
    return status;
}

static bool finish(placed *op, int nx, int ny, ck_tensor *y, char why[CK_WHY])
{
    bool good = true;
    for (int i = 0; i < nx; i++)
        if (op[i].wrap)
            good = good && untouched(&op[i], "input", i, why);
    for (int i = 0; i < ny; i++) {
        extract(&op[nx + i], &y[i]);
        good = good && untouched(&op[nx + i], "output", i, why);
    }
    for (int i = 0; i < ny && !good; i++)
        ck_tensor_free(&y[i]);
    return good;
}

ck_outcome ck_run(const lm_chain *chain, const ck_call *call, ck_tensor *y, lm_status *status, char why[CK_WHY])
{
    placed op[OPERANDS];
    lm_view view[OPERANDS];
    lm_type ty[CK_Y];
    lm_kernel *kernel = NULL;
    ck_outcome outcome = CK_BROKEN;
    memset(op, 0, sizeof op);
    why[0] = 0;
    *status = ck_infer(call, ty);
    if (*status != LM_OK)
        goto out;
    for (int i = 0; i < call->nx; i++) {
        bool constant = call->constant >> i & 1;
        if (call->x[i].sh.rank == LM_ABSENT)
            view[i] = lm_view_absent();
        else {
            place(&op[i], call->x[i].dt, &call->x[i].sh, &call->x[i], constant ? CK_ROW : call->layout, false);
            view[i] = op[i].view;
            view[i].buf = constant ? op[i].wrap : NULL;
        }
    }
    for (int i = 0; i < call->ny; i++) {
        place(&op[call->nx + i], ty[i].dt, &ty[i].sh, NULL, call->layout, true);
        view[call->nx + i] = op[call->nx + i].view;
        view[call->nx + i].buf = NULL;
    }
    lm_call bound = {.op = call->op,
                     .a = call->a,
                     .ep = call->ep,
                     .nx = call->nx,
                     .ny = call->ny,
                     .x = view,
                     .y = view + call->nx,
                     .constant = call->constant};
    lm_device *d = chain->dev[0];
    *status = bind(d, &bound, &kernel);
    if (*status == LM_OK && call->dry) {
        kernel->free(kernel);
        outcome = CK_RAN;
        goto out;
    }
    if (*status == LM_OK) {
        *status = launch(d, kernel, call->nx, call->ny, op);
        kernel->free(kernel);
    } else if (*status == LM_UNSUPPORTED && lm_ops[call->op].composite && !call->dry) {
        for (int i = 0; i < call->nx; i++)
            if (op[i].wrap)
                view[i].buf = op[i].wrap;
        *status = run_expanded(chain, &bound, op);
    } else if (*status == LM_UNSUPPORTED)
        outcome = CK_REFUSED;
    if (*status == LM_OK && finish(op, call->nx, call->ny, y, why))
        outcome = CK_RAN;
out:
    if (*status != LM_OK)
        snprintf(why, CK_WHY, "%s: %s", limn_status_name(*status), lm_message());
    for (int i = 0; i < OPERANDS; i++)
        placed_free(&op[i]);
    return outcome;
}

static const lm_device_vt *whole; /* of the device that takes no composites for the moment */

static lm_status refuse_composites(lm_device *d, const lm_call *call, lm_kernel **out)
{
    if (lm_ops[call->op].composite)
        return lm_fail(LM_UNSUPPORTED, "%s is to be expanded", lm_ops[call->op].name);
    return whole->bind(d, call, out);
}

ck_outcome ck_run_expanded(const lm_chain *chain, const ck_call *call, ck_tensor *y, lm_status *status,
                           char why[CK_WHY])
{
    lm_device *d = chain->dev[0];
    lm_device_vt vt = *d->vt;
    whole = d->vt;
    vt.bind = refuse_composites;
    d->vt = &vt;
    ck_outcome outcome = ck_run(chain, call, y, status, why);
    d->vt = whole;
    return outcome;
}

ck_outcome ck_run_unfused(const lm_chain *chain, const ck_call *call, ck_tensor *y, lm_status *status, char why[CK_WHY])
{
    ck_call step = *call;
    step.ep = NULL;
    step.nx -= lm_epilogue_inputs(call->ep);
    const ck_tensor *more = call->x + step.nx;
    ck_outcome outcome = ck_run(chain, &step, y, status, why);
    const lm_epilogue *ep = call->ep;
    if (!ep)
        return outcome;
    const struct {
        bool is;
        lm_opid op;
        int nx;
        lm_attrs a;
    } stage[] = {{.is = ep->residual, .op = LM_OP_ADD, .nx = 2},
                 {ep->active, ep->act, 1, {.act = ep->attr}},
                 {ep->sloped, LM_OP_ACT_DX, 2, {.actdx = ep->slope}}};
    for (size_t i = 0; i < sizeof stage / sizeof stage[0] && outcome == CK_RAN; i++) {
        if (!stage[i].is)
            continue;
        ck_tensor x[2] = {y[0], stage[i].nx == 2 ? *more++ : (ck_tensor){0}};
        step = (ck_call){.op = stage[i].op, .a = &stage[i].a, .nx = stage[i].nx, .ny = 1, .x = x};
        outcome = ck_run(chain, &step, y, status, why);
        ck_tensor_free(&x[0]);
    }
    return outcome;
}
