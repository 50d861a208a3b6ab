/* The device `ref`: it takes every primitive op on every type, runs it at once on the calling thread, and keeps its
 * tensors in plain host memory. */
#include "backends/ref/ref.h"

#include <stdio.h>
#include <string.h>

#include "core/base/fpu.h"
#include "core/base/mem.h"

typedef lm_status (*ref_fn)(const lm_ref_call *c);

/* Composites have no function; they are rewritten into other ops before they get here. */
#define lm_ref_none NULL
static const ref_fn functions[LM_OPS] = {
#define LM_OP(id, name, class_, in0, in1, out, attrs, shape, kernel, ...) [LM_OP_##id] = lm_ref_##kernel,
#include "core/ops/ops.def"
#undef LM_OP
};
#undef lm_ref_none

/* A bound call: copies of everything that lm_call only lends. The views follow the struct: inputs, then outputs. */
typedef struct ref_kernel {
    lm_kernel base;
    char name[64];
    lm_opid op;
    lm_attrs attrs;
    lm_epilogue ep;
    bool fused;
    int nx, ny, own; /* nx counts the epilogue's inputs, which come last; own does not */
    lm_view view[];
} ref_kernel;

static void close_device(lm_device *d)
{
    lm_free(d);
}

static void release(lm_device *d, lm_buffer *b)
{
    (void)d;
    lm_free(b->host);
    lm_free(b);
}

static void give_back(lm_buffer *b)
{
    b->device->vt->release(b->device, b);
}

static lm_status alloc(lm_device *d, size_t bytes, lm_buffer **out)
{
    lm_buffer *b;
    LM_TRY(lm_context(lm_buffer_new(bytes, &b), "ref"));
    b->device = d;
    b->destroy = give_back;
    *out = b;
    return LM_OK;
}

static lm_status copy(lm_device *d, lm_buffer *to, size_t to_off, lm_buffer *from, size_t from_off, size_t bytes)
{
    (void)d;
    LM_REQUIRE(to && from && to->host && from->host, LM_INPUT, "ref: a copy between buffers that are not on the host");
    LM_REQUIRE(to_off <= to->bytes && bytes <= to->bytes - to_off && from_off <= from->bytes &&
                   bytes <= from->bytes - from_off,
               LM_INPUT, "ref: a copy of %zu bytes from %zu to %zu leaves buffers of %zu and %zu bytes", bytes,
               from_off, to_off, from->bytes, to->bytes);
    if (bytes)
        memmove((char *)to->host + to_off, (char *)from->host + from_off, bytes);
    return LM_OK;
}

static double bytes_of(const lm_view *v)
{
    return lm_view_present(v) ? (double)lm_shape_count(&v->sh) * (double)lm_dtype_size(v->dt) : 0;
}

/* Two per multiplication of a product, one per element of the result otherwise. */
static double flops_of(const lm_call *call)
{
    const lm_shape *x = &call->x[0].sh, *y = &call->y[0].sh;
    double n = (double)lm_shape_count(y);
    switch (call->op) {
    case LM_OP_MATMUL: return 2 * n * (double)x->dim[x->rank > 1 && call->a->matmul.ta ? x->rank - 2 : x->rank - 1];
    case LM_OP_CONV: {
        const lm_shape *w = &call->x[1].sh;
        return w->dim[0] ? 2 * n * (double)lm_shape_count(w) / (double)w->dim[0] : 0;
    }
    case LM_OP_CONV_T: {
        const lm_shape *w = &call->x[1].sh;
        return w->dim[0] ? 2 * (double)lm_shape_count(x) * (double)lm_shape_count(w) / (double)w->dim[0] : 0;
    }
    case LM_OP_CONV_DW: {
        const lm_shape *s = &call->x[1].sh;
        return s->dim[1] ? 2 * (double)lm_shape_count(s) * n / (double)s->dim[1] : 0;
    }
    default: return n;
    }
}

/* NonZero and Range, whose result's size depends on values that are not known yet: every launch looks at those. */
static lm_status check_unsized(const lm_call *call)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    bool nonzero = call->op == LM_OP_NONZERO;
    bool fits = y->dt == (nonzero ? LM_I64 : x->dt) && y->sh.rank == (nonzero ? 2 : 1) &&
                (!nonzero || y->sh.dim[0] == x->sh.rank);
    LM_REQUIRE(fits, LM_INPUT, "%s: the result is %s of shape %s for %s of shape %s", lm_ops[call->op].name,
               lm_dtype_name(y->dt), lm_shape_text(&y->sh, (char[LM_SHAPE_TEXT]){0}), lm_dtype_name(x->dt),
               lm_shape_text(&x->sh, (char[LM_SHAPE_TEXT]){0}));
    return LM_OK;
}

/* The same rule that planned the results checks inputs and attributes again: a call may come from anywhere. */
static lm_status check_types(const lm_call *call, int own)
{
    lm_type *x = lm_malloc((size_t)own + 1, sizeof *x), y[LM_OUT_MAX] = {0};
    const lm_view **value = lm_calloc((size_t)own + 1, sizeof *value);
    lm_status status = LM_MEMORY;
    if (!x || !value)
        goto out;
    for (int i = 0; i < own; i++) {
        x[i] = (lm_type){call->x[i].dt, call->x[i].sh};
        if (i < 64 && call->constant >> i & 1 && call->x[i].buf && call->x[i].buf->host)
            value[i] = &call->x[i];
    }
    lm_shape_args args = {call->op, call->a, own, call->ny, x, value};
    status = lm_op_infer(&args, y);
    if (status == LM_UNSUPPORTED) {
        status = check_unsized(call);
        goto out;
    }
    for (int i = 0; i < call->ny && status == LM_OK; i++)
        if (y[i].dt != call->y[i].dt || !lm_shape_equal(&y[i].sh, &call->y[i].sh))
            status = lm_fail(LM_INPUT, "%s: result %d is %s of shape %s; expected %s of shape %s",
                             lm_ops[call->op].name, i, lm_dtype_name(call->y[i].dt),
                             lm_shape_text(&call->y[i].sh, (char[LM_SHAPE_TEXT]){0}), lm_dtype_name(y[i].dt),
                             lm_shape_text(&y[i].sh, (char[LM_SHAPE_TEXT]){0}));
out:
    lm_free(x);
    lm_free(value);
    return status;
}

static lm_status check_epilogue(const lm_call *call)
{
    const lm_epilogue *ep = call->ep;
    const char *name = lm_ops[call->op].name;
    LM_REQUIRE(lm_ops[call->op].flags & LM_FLAG_EPILOGUE, LM_INPUT, "%s: it cannot carry an epilogue", name);
    if (ep->active) {
        LM_REQUIRE(lm_op_is_unary(ep->act), LM_INPUT, "%s: op number %d is no activation", name, (int)ep->act);
        lm_attrs a = {.act = ep->attr};
        lm_type before = {call->y[0].dt, call->y[0].sh}, after[LM_OUT_MAX] = {0};
        lm_shape_args args = {.op = ep->act, .a = &a, .nx = 1, .ny = 1, .x = &before};
        LM_TRY(lm_context(lm_op_infer(&args, after), "%s", name));
        LM_REQUIRE(after[0].dt == before.dt, LM_INPUT, "%s: the activation %s changes the type", name,
                   lm_ops[ep->act].name);
    }
    LM_REQUIRE(lm_dtype_is_float(call->y[0].dt), LM_INPUT, "%s: an epilogue on type %s; expected a float type", name,
               lm_dtype_name(call->y[0].dt));
    const int extra = lm_epilogue_inputs(ep);
    for (int i = 0; i < extra; i++) {
        const lm_view *r = &call->x[call->nx - extra + i];
        LM_REQUIRE(lm_shape_equal(&r->sh, &call->y[0].sh) && r->dt == call->y[0].dt, LM_INPUT,
                   "%s: the %s has shape %s; expected the result's, %s", name,
                   i < ep->residual ? "residual" : "slope's operand", lm_shape_text(&r->sh, (char[LM_SHAPE_TEXT]){0}),
                   lm_shape_text(&call->y[0].sh, (char[LM_SHAPE_TEXT]){0}));
    }
    if (ep->sloped) {
        lm_attrs a = {.actdx = ep->slope};
        lm_type at[] = {{call->y[0].dt, call->y[0].sh}, {call->y[0].dt, call->y[0].sh}}, y[LM_OUT_MAX] = {0};
        lm_shape_args args = {.op = LM_OP_ACT_DX, .a = &a, .nx = 2, .ny = 1, .x = at};
        LM_TRY(lm_context(lm_op_infer(&args, y), "%s", name));
    }
    return LM_OK;
}

static void free_kernel(lm_kernel *k)
{
    lm_free(k);
}

static lm_status bind(lm_device *d, const lm_call *call, lm_kernel **out)
{
    (void)d;
    LM_REQUIRE((unsigned)call->op < LM_OPS, LM_INPUT, "ref: op number %d does not exist", (int)call->op);
    LM_REQUIRE(functions[call->op], LM_UNSUPPORTED, "ref: %s is made of other ops and has no kernel of its own",
               lm_ops[call->op].name);
    const int extra = lm_epilogue_inputs(call->ep);
    LM_REQUIRE(call->nx > extra, LM_INPUT, "%s: %d inputs", lm_ops[call->op].name, call->nx);
    LM_TRY(check_types(call, call->nx - extra));
    if (call->ep)
        LM_TRY(check_epilogue(call));
    size_t views = (size_t)call->nx + (size_t)call->ny;
    ref_kernel *k = lm_calloc(1, sizeof *k + views * sizeof k->view[0]);
    if (!k)
        return LM_MEMORY;
    k->op = call->op;
    if (call->a)
        k->attrs = *call->a;
    k->nx = call->nx;
    k->ny = call->ny;
    k->fused = call->ep != NULL;
    k->own = call->nx - extra;
    if (call->ep)
        k->ep = *call->ep;
    memcpy(k->view, call->x, (size_t)call->nx * sizeof k->view[0]);
    memcpy(k->view + call->nx, call->y, (size_t)call->ny * sizeof k->view[0]);
    snprintf(k->name, sizeof k->name, "ref.%s%s%s%s", lm_ops[k->op].name, k->ep.residual ? "+residual" : "",
             k->ep.active ? "+act" : "", k->ep.sloped ? "+slope" : "");
    k->base.name = k->name;
    k->base.flops = flops_of(call);
    for (size_t i = 0; i < views; i++)
        k->base.bytes += bytes_of(&k->view[i]);
    k->base.free = free_kernel;
    *out = &k->base;
    return LM_OK;
}

static double transformed(const lm_want *want, double w)
{
    double above = w > 0 ? w : 0, below = w < 0 ? w : 0;
    switch (want->transform) {
    case LM_TF_POS: return above;
    case LM_TF_NEG: return below;
    case LM_TF_GAMMA: return w + (double)want->gamma * above;
    case LM_TF_SQUARE: return w * w;
    case LM_TF_ONE: return 1;
    default: return w;
    }
}

/* Kernels here want nothing, but a transformed constant in row-major order may still be asked for. */
static lm_status derive(lm_device *d, const lm_view *constant, const lm_want *want, lm_buffer **out)
{
    LM_REQUIRE(want->pack == 0, LM_UNSUPPORTED, "ref: it has no packing %u", want->pack);
    int64_t n = lm_shape_count(&constant->sh);
    size_t bytes;
    LM_REQUIRE((uint64_t)n <= SIZE_MAX && lm_mul_size((size_t)n, lm_dtype_size(constant->dt), &bytes), LM_MEMORY,
               "ref: a constant of %lld elements does not fit into memory", (long long)n);
    lm_buffer *b;
    LM_TRY(alloc(d, bytes, &b));
    lm_view to = lm_view_row(constant->dt, &constant->sh, b);
    lm_status status = LM_OK;
    if (want->transform == LM_TF_ID)
        status = lm_view_copy(&to, constant);
    else
        for (int64_t i = 0; i < n; i++)
            lm_view_set(&to, i, transformed(want, lm_view_get(constant, i)));
    if (status == LM_OK)
        *out = b;
    else
        lm_buffer_unref(b);
    return status;
}

/* Views with this launch's memory. Every reach is checked: a wrong address in the reference would be a wrong oracle. */
static lm_status place(const ref_kernel *k, const lm_arg *arg, lm_view *view)
{
    for (int i = 0; i < k->nx + k->ny; i++) {
        view[i] = k->view[i];
        if (!lm_view_present(&view[i]))
            continue;
        view[i].buf = arg[i].buf;
        view[i].off = arg[i].off;
        LM_TRY(lm_context(lm_view_check(&view[i]), "%s: %s %d", lm_ops[k->op].name, i < k->nx ? "input" : "result",
                          i < k->nx ? i : i - k->nx));
        LM_REQUIRE(view[i].buf->host || lm_shape_count(&view[i].sh) == 0, LM_INPUT,
                   "%s: operand %d is not in host memory", lm_ops[k->op].name, i);
    }
    return LM_OK;
}

static lm_status run(const ref_kernel *k, const lm_arg *arg, lm_arena *arena)
{
    lm_view *view = lm_arena_alloc(arena, (size_t)(k->nx + k->ny), sizeof *view);
    LM_REF_NEED(view);
    LM_TRY(place(k, arg, view));
    lm_ref_call c = {k->op, &k->attrs, k->own, k->ny, view, view + k->nx, arena};
    LM_TRY(functions[k->op](&c));
    return k->fused ? lm_ref_epilogue(&c, &k->ep, view + k->own) : LM_OK;
}

static lm_status launch(lm_device *d, const lm_kernel *kernel, const lm_arg *arg, lm_buffer *workspace)
{
    (void)d, (void)workspace;
    lm_arena arena = {0};
    lm_fpu state = lm_fpu_enter();
    lm_status status = run((const ref_kernel *)kernel, arg, &arena);
    lm_fpu_leave(state);
    lm_arena_free(&arena);
    return status;
}

/* Launches are over when they return. */
static lm_status sync(lm_device *d)
{
    (void)d;
    return LM_OK;
}

static const lm_device_vt vt = {
    .close = close_device,
    .alloc = alloc,
    .release = release,
    .copy = copy,
    .bind = bind,
    .derive = derive,
    .launch = launch,
    .sync = sync,
};

static const lm_devinfo info = {
    .name = "ref",
    .vendor = "Limn",
    .product = "reference: plain loops, double accumulators",
    .levels = "scalar",
    .kind = LM_KIND_REFERENCE,
    .units = 1,
};

static lm_status probe(const lm_host *host, lm_devinfo *out, int cap, int *n)
{
    *n = cap > 0;
    if (cap > 0) {
        out[0] = info;
        if (host && host->topo)
            out[0].memory = host->topo->ram;
    }
    return LM_OK;
}

/* type=f64: plans hold doubles wherever the model says float32. strict=0|1 is for the chain of devices to obey. */
static lm_status read_options(const lm_kv *opts, lm_dtype *compute)
{
    int type = 0;
    bool strict = false;
    LM_TRY(lm_kv_check(opts, "ref", "type|strict|split"));
    LM_TRY(lm_context(lm_kv_word(opts, "type", "f32|f64", &type), "ref"));
    LM_TRY(lm_context(lm_kv_bool(opts, "strict", &strict), "ref"));
    *compute = type ? LM_F64 : LM_F32;
    return LM_OK;
}

static lm_status check(const lm_host *host, const lm_kv *opts)
{
    (void)host;
    lm_dtype compute;
    return read_options(opts, &compute);
}

static lm_status open_device(const lm_host *host, int index, const lm_kv *opts, lm_device **out)
{
    (void)host;
    LM_REQUIRE(index == 0, LM_DEVICE, "ref: there is no device number %d; the only one is 0", index);
    lm_dtype compute;
    LM_TRY(read_options(opts, &compute));
    lm_device *d;
    LM_NEW(d);
    d->vt = &vt;
    d->info = info;
    d->compute = compute;
    *out = d;
    return LM_OK;
}

extern const lm_backend lm_backend_ref;
const lm_backend lm_backend_ref = {
    .abi = LM_BACKEND_ABI,
    .name = "ref",
    .priority = -100,
    .check = check,
    .probe = probe,
    .open = open_device,
};
