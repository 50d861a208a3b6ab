/* One op over host memory: views where the op only moves, otherwise one bind and one launch. */
#include "core/device/eval.h"

#include "core/base/fpu.h"
#include "core/base/mem.h"

/* Calls with up to this many operands and results allocate nothing but the kernel and the results. */
enum { NEAR = 8 };

static lm_view moved(const lm_view *x, const lm_shape *to)
{
    lm_view y = *x;
    y.sh = *to;
    memset(y.st, 0, sizeof y.st);
    return y;
}

/* Axes that run through memory as one are joined, then cut again into the new sizes, innermost first. */
static bool view_reshape(const lm_attrs *a, const lm_view *x, const lm_shape *to, lm_view *y)
{
    (void)a;
    *y = moved(x, to);
    if (lm_view_is_row(x)) {
        lm_strides_row(to, y->st);
        return true;
    }
    int64_t dim[LM_RANK], st[LM_RANK];
    int runs = 0;
    for (int i = x->sh.rank - 1; i >= 0; i--) {
        if (x->sh.dim[i] == 1)
            continue;
        if (runs > 0 && x->st[i] == dim[runs - 1] * st[runs - 1]) {
            dim[runs - 1] *= x->sh.dim[i];
        } else {
            dim[runs] = x->sh.dim[i];
            st[runs++] = x->st[i];
        }
    }
    for (int i = to->rank - 1, r = 0; i >= 0; i--) {
        y->st[i] = r < runs ? st[r] : 1;
        if (to->dim[i] == 1)
            continue;
        if (r == runs || dim[r] % to->dim[i] != 0)
            return false;
        st[r] *= to->dim[i];
        dim[r] /= to->dim[i];
        r += dim[r] == 1;
    }
    return true;
}

static bool view_transpose(const lm_attrs *a, const lm_view *x, const lm_shape *to, lm_view *y)
{
    *y = moved(x, to);
    for (int i = 0; i < to->rank; i++)
        y->st[i] = x->st[a->perm.perm[i]];
    return true;
}

static bool view_expand(const lm_attrs *a, const lm_view *x, const lm_shape *to, lm_view *y)
{
    (void)a;
    *y = moved(x, to);
    const int fresh = to->rank - x->sh.rank;
    for (int i = fresh; i < to->rank; i++)
        y->st[i] = x->sh.dim[i - fresh] == to->dim[i] ? x->st[i - fresh] : 0;
    return true;
}

static bool view_slice(const lm_attrs *a, const lm_view *x, const lm_shape *to, lm_view *y)
{
    *y = moved(x, to);
    int64_t first = 0;
    for (int i = 0; i < to->rank; i++) {
        first += a->slice.start[i] * x->st[i];
        y->st[i] = x->st[i] * (to->dim[i] > 1 ? a->slice.step[i] : 1);
    }
    y->off = (size_t)((int64_t)x->off + first * (int64_t)lm_dtype_size(x->dt));
    return true;
}

static bool view_same(const lm_attrs *a, const lm_view *x, const lm_shape *to, lm_view *y)
{
    (void)a, (void)to;
    *y = *x;
    return true;
}

static bool (*const view_of[LM_OPS])(const lm_attrs *a, const lm_view *x, const lm_shape *to, lm_view *y) = {
    [LM_OP_IDENTITY] = view_same,   [LM_OP_RESHAPE] = view_reshape, [LM_OP_TRANSPOSE] = view_transpose,
    [LM_OP_EXPAND] = view_expand,   [LM_OP_SLICE] = view_slice,
};

bool lm_eval_view(lm_opid op, const lm_attrs *a, const lm_view *x, const lm_type *type, lm_view *y)
{
    if (!view_of[op])
        return false;
    if (lm_shape_count(&type->sh) > 0) /* where an empty slice starts means nothing, and may lie outside */
        return view_of[op](a, x, &type->sh, y);
    *y = moved(x, &type->sh);
    lm_strides_row(&type->sh, y->st);
    return true;
}

/* Values pass through these unchanged; Cast, of the same class, rounds, and scattering may add. */
static bool only_moves(lm_opid op)
{
    return (lm_ops[op].cls == LM_CLASS_MOVE && op != LM_OP_CAST && op != LM_OP_SCATTERELEMENTS &&
            op != LM_OP_SCATTERND && op != LM_OP_GATHER_DX) || op == LM_OP_WHERE;
}

bool lm_eval_exact(const lm_chain *chain, lm_opid op, int nx, const lm_view *x, int ny, const lm_type *type)
{
    if (chain->compute != LM_F64 || only_moves(op))
        return true;
    for (int i = 0; i < nx; i++)
        if (lm_view_present(&x[i]) && lm_dtype_is_float(x[i].dt))
            return false;
    for (int i = 0; i < ny; i++)
        if (lm_dtype_is_float(type[i].dt))
            return false;
    return true;
}

/* What bind and launch look at: inputs, then results. */
typedef struct operands {
    lm_view *view;
    lm_arg *arg;
} operands;

/* The forms of constants that the kernel asked for; used once, so they pass no cache. */
static lm_status derive(lm_device *device, const lm_kernel *kernel, const lm_view *x, lm_arg *arg, lm_buffer **made)
{
    for (int i = 0; i < kernel->nwant; i++) {
        const lm_want *want = &kernel->want[i];
        if (want->input < 0)
            continue;
        LM_TRY(device->vt->derive(device, &x[want->input], want, &made[i]));
        arg[want->input] = (lm_arg){made[i], 0};
    }
    return LM_OK;
}

static lm_status launch(lm_device *device, const lm_kernel *kernel, const lm_arg *arg)
{
    lm_buffer *scratch = NULL;
    if (kernel->workspace)
        LM_TRY(lm_buffer_new(kernel->workspace, &scratch));
    lm_fpu caller = lm_fpu_enter();
    lm_status status = device->vt->launch(device, kernel, arg, scratch);
    if (status == LM_OK)
        status = device->vt->sync(device);
    lm_fpu_leave(caller);
    lm_buffer_unref(scratch);
    return status;
}

/* Operands that lie where the kernel cannot read them; the copies' buffers stand in their views then. */
static lm_status align(const lm_kernel *kernel, int nx, const lm_view *x, const operands *o)
{
    for (int i = 0; i < nx; i++) {
        const bool as_it_is = lm_view_present(&x[i]) && o->arg[i].buf == x[i].buf;
        if (!as_it_is || lm_view_is_aligned(&x[i]) || (i < 64 && kernel->loose >> i & 1))
            continue;
        LM_TRY(lm_view_align(&x[i], &o->view[i]));
        o->arg[i] = (lm_arg){o->view[i].buf, o->view[i].off};
    }
    return LM_OK;
}

static lm_status run(lm_device *device, const lm_kernel *kernel, int nx, const lm_view *x, const operands *o)
{
    lm_buffer *made[LM_WANTS] = {0};
    lm_status status = derive(device, kernel, x, o->arg, made);
    if (status == LM_OK)
        status = align(kernel, nx, x, o);
    if (status == LM_OK)
        status = launch(device, kernel, o->arg);
    for (int i = 0; i < LM_WANTS; i++)
        lm_buffer_unref(made[i]);
    for (int i = 0; i < nx; i++)
        if (o->view[i].buf != x[i].buf)
            lm_buffer_unref(o->view[i].buf);
    return status;
}

/* The first device that computes in memory the host can read, and takes the call. */
static lm_status bind(const lm_chain *chain, const lm_call *call, lm_device **device, lm_kernel **out)
{
    lm_status status = LM_UNSUPPORTED;
    bool asked = false;
    for (int d = 0; d < chain->n + chain->aside && status == LM_UNSUPPORTED; d++) {
        *device = chain->dev[d];
        if ((*device)->vt->map)
            continue;
        asked = true;
        status = (*device)->vt->bind(*device, call, out);
    }
    if (!asked)
        return lm_fail(status, "%s: no device of the chain computes in the host's memory", lm_ops[call->op].name);
    return status;
}

static lm_status compute(const lm_chain *chain, const lm_call *shape, const lm_view *x, const lm_type *type, lm_view *y,
                         const operands *o)
{
    lm_call call = *shape;
    call.x = o->view;
    call.y = o->view + call.nx;
    for (int i = 0; i < call.nx; i++) {
        const bool present = lm_view_present(&x[i]);
        o->view[i] = x[i];
        o->arg[i] = present ? (lm_arg){x[i].buf, x[i].off} : (lm_arg){0};
        call.constant |= present && i < 64 ? UINT64_C(1) << i : 0;
    }
    for (int i = 0; i < call.ny; i++)
        o->view[call.nx + i] = lm_view_row(type[i].dt, &type[i].sh, NULL);
    lm_device *device = NULL;
    lm_kernel *kernel;
    LM_TRY(bind(chain, &call, &device, &kernel));
    lm_view made[LM_OUT_MAX] = {0};
    lm_status status = LM_OK;
    for (int i = 0; i < call.ny && status == LM_OK; i++) {
        status = lm_view_new(type[i].dt, &type[i].sh, &made[i]);
        o->arg[call.nx + i] = (lm_arg){made[i].buf, 0};
    }
    if (status == LM_OK)
        status = run(device, kernel, call.nx, x, o);
    kernel->free(kernel);
    for (int i = 0; i < call.ny; i++) {
        if (status == LM_OK)
            y[i] = made[i];
        else
            lm_buffer_unref(made[i].buf);
    }
    return status;
}

static const lm_attrs none;

lm_status lm_eval_typed(const lm_chain *chain, lm_opid op, const lm_attrs *a, int nx, const lm_view *x, int ny,
                        const lm_type *type, lm_view *y)
{
    const lm_call call = {.op = op, .a = a ? a : &none, .nx = nx, .ny = ny};
    LM_REQUIRE(lm_eval_exact(chain, op, nx, x, ny, type), LM_UNSUPPORTED,
               "%s: %s computes in doubles, which a result in %s would lose", lm_ops[op].name, chain->dev[0]->info.name,
               lm_dtype_name(type[0].dt));
    if (lm_eval_view(op, call.a, &x[0], &type[0], &y[0])) {
        lm_buffer_ref(y[0].buf);
        return LM_OK;
    }
    lm_view near_view[NEAR];
    lm_arg near_arg[NEAR];
    operands o = {near_view, near_arg};
    void *far = NULL;
    if (nx > NEAR - ny) {
        far = lm_malloc((size_t)nx + (size_t)ny, sizeof *o.view + sizeof *o.arg);
        if (!far)
            return LM_MEMORY;
        o.view = far;
        o.arg = (lm_arg *)(void *)(o.view + nx + ny);
    }
    lm_status status = compute(chain, &call, x, type, y, &o);
    lm_free(far);
    return status;
}

lm_status lm_eval(const lm_chain *chain, lm_opid op, const lm_attrs *a, int nx, const lm_view *x, int ny, lm_view *y)
{
    lm_type near_type[NEAR], *in = near_type, out[LM_OUT_MAX];
    const lm_view *near_value[NEAR], **value = near_value;
    void *far = NULL;
    if (nx > NEAR) {
        far = lm_malloc((size_t)nx, sizeof *in + sizeof *value);
        if (!far)
            return LM_MEMORY;
        in = far;
        value = (const lm_view **)(void *)(in + nx);
    }
    for (int i = 0; i < nx; i++) {
        in[i] = (lm_type){x[i].dt, x[i].sh};
        value[i] = lm_view_present(&x[i]) ? &x[i] : NULL;
    }
    const lm_shape_args args = {.op = op, .a = a ? a : &none, .nx = nx, .ny = ny, .x = in, .value = value};
    lm_status status = lm_op_infer(&args, out);
    lm_free(far);
    return status == LM_OK ? lm_eval_typed(chain, op, a, nx, x, ny, out, y) : status;
}

lm_status lm_eval_copy(const lm_chain *chain, const lm_view *x, lm_view *y)
{
    lm_attrs a;
    memset(&a, 0, sizeof a);
    a.shape.shape = x->sh;
    const lm_call call = {.op = LM_OP_RESHAPE, .a = &a, .nx = 1, .ny = 1};
    const lm_type type = {x->dt, x->sh};
    lm_view view[2];
    lm_arg arg[2];
    const operands o = {view, arg};
    return compute(chain, &call, x, &type, y, &o);
}
