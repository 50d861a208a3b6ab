/* Reductions, softmax and layer norm of float32: lines of elements and how they are numbered. */
#include <string.h>

#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"

/* Longer lines are cut into chunks, whose sums are added in order. */
enum { LONG = 65536, CHUNK = 16384, LANES = 16 };

static lm_status refuse(const lm_call *call)
{
    return lm_fail(LM_UNSUPPORTED, "%s of %s with these strides has no kernel on opencl", lm_ops[call->op].name,
                   lm_dtype_name(call->x[0].dt));
}

static void cut(lm_cl_lines *p)
{
    p->chunk = p->n > LONG ? CHUNK : p->n;
}

static lm_status add_pass(lm_cl_kernel *k, const lm_cl_lines *p, const char *function, const int *operand, int operands)
{
    lm_cl_pass *pass;
    const bool panels = k->cl->panels;
    LM_TRY(lm_cl_pass_add(k, "vmath.h vmath_trig.h lines.cl", panels ? "-DLM_WIDTH=16" : "-DLM_WIDTH=1", function, p,
                          sizeof *p, &pass));
    for (int i = 0; i < operands; i++)
        lm_cl_pass_operand(pass, operand[i], 0);
    lm_cl_pass_line(k, pass, panels ? p->lines : p->lines * LANES, 0);
    k->base.flops = (double)p->lines * (double)p->n;
    return LM_OK;
}

typedef struct recipe {
    int kind, finish;
} recipe;

static recipe recipe_of(lm_opid op)
{
    switch (op) {
    case LM_OP_REDUCE_MEAN: return (recipe){LM_CL_SUM, LM_CL_MEAN};
    case LM_OP_REDUCE_MAX: return (recipe){LM_CL_MAX, LM_CL_PLAIN};
    case LM_OP_REDUCE_MIN: return (recipe){LM_CL_MIN, LM_CL_PLAIN};
    case LM_OP_REDUCE_PROD: return (recipe){LM_CL_PROD, LM_CL_PLAIN};
    case LM_OP_REDUCE_L1: return (recipe){LM_CL_ABS, LM_CL_PLAIN};
    case LM_OP_REDUCE_L2: return (recipe){LM_CL_SQUARE, LM_CL_ROOT};
    case LM_OP_REDUCE_SUMSQ: return (recipe){LM_CL_SQUARE, LM_CL_PLAIN};
    case LM_OP_REDUCE_LOGSUM: return (recipe){LM_CL_SUM, LM_CL_LOG};
    case LM_OP_REDUCE_LSE: return (recipe){LM_CL_EXP, LM_CL_LOG_SHIFT};
    default: return (recipe){LM_CL_SUM, LM_CL_PLAIN};
    }
}

/* One more reduced axis, inside of those that are there. */
static bool add_reduced(lm_cl_lines *p, int *n, int64_t dim, int64_t step)
{
    if (dim == 1)
        return true;
    if (*n && p->red_a[*n - 1] == step * dim) {
        p->red_dim[*n - 1] *= dim;
        p->red_a[*n - 1] = step;
        return true;
    }
    if (*n == LM_CL_DIGITS)
        return false;
    p->red_dim[*n] = dim;
    p->red_a[(*n)++] = step;
    return true;
}

/* Reduced axes in ascending order but the channels last; the others number the results. */
static bool split(lm_cl_lines *p, const lm_view *x, const lm_view *y, const lm_attr_reduce *a)
{
    int n = 0;
    bool fits = true;
    p->n = p->lines = 1;
    for (int d = 0, to = 0; d < x->sh.rank; d++) {
        const bool reduced = a->axes >> d & 1;
        if (reduced && d != 1)
            fits = add_reduced(p, &n, x->sh.dim[d], x->st[d]) && fits;
        if (!reduced) {
            p->dim[p->rank] = x->sh.dim[d];
            p->a[p->rank] = x->st[d];
            p->y[p->rank++] = y->st[to];
        }
        *(reduced ? &p->n : &p->lines) *= x->sh.dim[d];
        to += !reduced || a->keepdims;
    }
    if (x->sh.rank > 1 && a->axes >> 1 & 1)
        fits = add_reduced(p, &n, x->sh.dim[1], x->st[1]) && fits;
    for (int i = 0; i < LM_CL_DIGITS; i++) { /* the last digit is the fastest */
        const int from = LM_CL_DIGITS - 1 - i;
        const int at = n - 1 - i;
        p->red_dim[from] = at >= 0 ? p->red_dim[at] : 1;
        p->red_a[from] = at >= 0 ? p->red_a[at] : 0;
    }
    return fits;
}

lm_status lm_cl_bind_reduce(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const recipe how = recipe_of(call->op);
    lm_cl_lines p = {.kind = how.kind, .finish = how.finish};
    lm_cl_kernel *k;
    if (call->x[0].dt != LM_F32 || call->y[0].dt != LM_F32 || !split(&p, &call->x[0], &call->y[0], &call->a->reduce))
        return refuse(call);
    cut(&p);
    LM_TRY(lm_cl_kernel_new(cl, call, lm_ops[call->op].name, &k));
    return lm_cl_bound(k, add_pass(k, &p, "reduce", (int[]){0, 1}, 2), out);
}

static lm_status along(lm_cl *cl, const lm_call *call, bool log, lm_kernel **out)
{
    const lm_view *a = &call->x[0], *b = &call->x[call->nx - 1], *y = &call->y[0];
    const int axis = call->a->axis.axis;
    lm_cl_lines p = {.lines = 1, .n = 1, .log = log, .a_step = 1, .b_step = 1, .y_step = 1};
    lm_cl_kernel *k;
    if (a->dt != LM_F32 || b->dt != LM_F32 || y->dt != LM_F32)
        return refuse(call);
    for (int d = 0; d < y->sh.rank; d++) {
        if (d == axis) {
            p.n = y->sh.dim[d];
            p.a_step = a->st[d], p.b_step = b->st[d], p.y_step = y->st[d];
            continue;
        }
        p.lines *= y->sh.dim[d];
        p.dim[p.rank] = y->sh.dim[d];
        p.a[p.rank] = a->st[d], p.b[p.rank] = b->st[d], p.y[p.rank++] = y->st[d];
    }
    if (p.n == 0)
        p.lines = 0;
    cut(&p);
    const bool gradient = call->nx > 1;
    LM_TRY(lm_cl_kernel_new(cl, call, lm_ops[call->op].name, &k));
    return lm_cl_bound(k, add_pass(k, &p, gradient ? "softmax_dx" : "softmax", (int[]){0, 1, 2}, gradient ? 3 : 2),
                       out);
}

lm_status lm_cl_bind_softmax(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    return along(cl, call, call->op == LM_OP_LOGSOFTMAX || call->op == LM_OP_LOGSOFTMAX_DX, out);
}

lm_status lm_cl_bind_layernorm(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_shape *sh = &call->x[0].sh;
    const int axis = call->a->norm.axis;
    lm_cl_lines p = {
        .lines = 1, .n = 1, .epsilon = call->a->norm.epsilon, .kind = call->op == LM_OP_RMSNORM, .rank = 1};
    lm_cl_kernel *k;
    bool good = sh->rank <= 2 || axis > 1; /* else the canonical order, channels last, is not that of memory */
    for (int d = 0; d < sh->rank; d++)
        *(d < axis ? &p.lines : &p.n) *= sh->dim[d];
    for (int i = 0; i < call->nx + call->ny; i++) {
        const lm_view *v = i < call->nx ? &call->x[i] : &call->y[i - call->nx];
        if (lm_view_present(v))
            good = good && v->dt == LM_F32 && lm_view_is_row(v) &&
                   (i == 0 || i >= call->nx || lm_shape_count(&v->sh) == p.n);
    }
    if (!good || p.n == 0)
        return refuse(call);
    p.dim[0] = p.lines, p.a[0] = p.y[0] = p.n;
    const int y = call->nx;
    p.has = 1 | (call->nx > 2 && lm_view_present(&call->x[2]) ? 2 : 0);
    p.means = call->ny > 1 && lm_view_present(&call->y[1]);
    p.inverses = call->ny > 2 && lm_view_present(&call->y[2]);
    cut(&p);
    LM_TRY(lm_cl_kernel_new(cl, call, lm_ops[call->op].name, &k));
    const int operand[] = {0, 1, p.has & 2 ? 2 : 1, y, p.means ? y + 1 : y, p.inverses ? y + 2 : y};
    return lm_cl_bound(k, add_pass(k, &p, "layernorm", operand, 6), out);
}
