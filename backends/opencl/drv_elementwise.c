/* Elementwise calls: one kernel over the merged axes of the result, made for the types, steps and formula of the call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/elementwise.h"
#include "core/base/str.h"

/* Elements per work-item: enough to pay for finding the place. */
enum { STRIP_PANELS = 4096, STRIP_TILES = 1, OPERANDS = 3, RESULT = LM_CL_SIDES - 1 };

const char *const lm_cl_types[LM_DTYPES] = {
    [LM_F32] = "f32",   [LM_F16] = "f16", [LM_BF16] = "bf16", [LM_I8] = "i8",  [LM_U8] = "u8",
    [LM_BOOL] = "bool", [LM_I16] = "i16", [LM_I32] = "i32",   [LM_I64] = "i64"};

/* Strides of a view in the axes of the result, 0 where it is broadcast. */
static void spread(const lm_view *v, const lm_shape *to, int64_t st[LM_CL_RANK])
{
    for (int d = 0; d < to->rank; d++) {
        int from = d - (to->rank - v->sh.rank);
        st[d] = from < 0 || v->sh.dim[from] == 1 ? 0 : v->st[from];
    }
}

static void move_axis(lm_cl_ew *p, int to, const lm_cl_ew *from, int at)
{
    p->dim[to] = from->dim[at];
    for (int s = 0; s < LM_CL_SIDES; s++)
        p->st[s][to] = from->st[s][at];
}

static bool merges(const lm_cl_ew *p, int outer)
{
    bool ok = true;
    for (int s = 0; s < LM_CL_SIDES; s++)
        ok = ok && p->st[s][outer] == p->st[s][outer + 1] * p->dim[outer + 1];
    return ok;
}

/* Axes of size 1 go, the rest is put in order of the result's strides, neighbours merge; at least one is left. */
static void simplify(lm_cl_ew *p)
{
    int n = 0;
    for (int d = 0; d < p->rank; d++)
        if (p->dim[d] != 1)
            move_axis(p, n++, p, d);
    for (int i = 1; i < n; i++)
        for (int d = i; d > 0 && llabs(p->st[RESULT][d - 1]) < llabs(p->st[RESULT][d]); d--) {
            lm_cl_ew was = *p;
            move_axis(p, d - 1, &was, d);
            move_axis(p, d, &was, d - 1);
        }
    for (int d = n - 2; d >= 0; d--)
        if (merges(p, d)) {
            int64_t size = p->dim[d] * p->dim[d + 1];
            for (int e = d; e + 1 < n; e++)
                move_axis(p, e, p, e + 1);
            p->dim[d] = size;
            n--;
        }
    if (n == 0) {
        n = 1;
        p->dim[0] = 1;
        for (int s = 0; s < LM_CL_SIDES; s++)
            p->st[s][0] = 1;
    }
    p->rank = n;
}

static int step_of(const lm_cl_ew *p, int side)
{
    int64_t st = p->st[side][p->rank - 1];
    return st == 1 ? 1 : st == 0 ? 0 : 2;
}

static void add_side(lm_str *text, const lm_cl_ew *p, int side, lm_dtype dt)
{
    lm_str_printf(text, " -DT%d=%s -DSTEP%d=%d", side, lm_cl_types[dt], side, step_of(p, side));
}

lm_status lm_cl_add_elementwise(lm_cl_kernel *k, const lm_cl_formula *f, const lm_view *x, int nx, const lm_view *y,
                                const lm_cl_place *at)
{
    const lm_cl *cl = k->cl;
    const int64_t count = lm_shape_count(&y->sh);
    lm_cl_ew p = {.rank = y->sh.rank};
    lm_cl_pass *pass;
    lm_str options = {0};
    lm_status status;
    memcpy(p.dim, y->sh.dim, sizeof p.dim);
    memcpy(p.act, f->act, sizeof p.act);
    for (int i = 0; i < nx; i++)
        spread(&x[i], &y->sh, p.st[i]);
    spread(y, &y->sh, p.st[RESULT]);
    simplify(&p);
    p.inner = p.dim[p.rank - 1];
    p.strip = cl->panels ? STRIP_PANELS : STRIP_TILES;
    p.parts = (p.inner + p.strip - 1) / p.strip;
    p.units = count ? count / p.inner * p.parts : 0;
    for (int i = 0; i < nx; i++)
        add_side(&options, &p, i, f->dt[i]);
    const bool floats = f->form < LM_CL_INTEGER1 || f->form == LM_CL_FUSED;
    LM_TRY_OUT(lm_str_printf(&options, " -DFORM=%d -DKIND=%d -DNX=%d -DTY=%s -DWHOLE=%d %s%s", (int)f->form, floats, nx,
                             lm_cl_types[f->dt[RESULT]], f->dt[RESULT] == LM_F32 && step_of(&p, RESULT) == 1,
                             f->form == LM_CL_FUSED ? "" : "-DOP=", f->text));
    LM_TRY_OUT(lm_cl_pass_add(k, LM_CL_FORMULAS "elementwise.cl", options.text + 1, "elementwise", &p, sizeof p,
                              &pass));
    for (int i = 0; i <= nx; i++)
        lm_cl_pass_operand(pass, at[i].operand, at[i].off);
    lm_cl_pass_line(k, pass, p.units, 0);
    k->base.flops += (double)count;
out:
    lm_str_free(&options);
    return status;
}

/* Views as they are bound: WHERE moves bits, so its types are integers of the operands' size. */
static lm_status bind_form(lm_cl *cl, const lm_call *call, const lm_cl_formula *f, lm_kernel **out)
{
    char what[48];
    const lm_dtype *dt = f->dt;
    bool known = call->nx <= OPERANDS && lm_cl_types[dt[RESULT]];
    for (int i = 0; i < call->nx && known; i++)
        known = lm_cl_types[dt[i]] != NULL;
    LM_REQUIRE(known, LM_UNSUPPORTED, "%s of %s has no kernel on opencl", lm_ops[call->op].name,
               lm_dtype_name(call->x[0].dt));
    snprintf(what, sizeof what, "%s_%s", f->text, lm_cl_types[call->x[call->nx > 1].dt]);
    lm_cl_kernel *k;
    LM_TRY(lm_cl_kernel_new(cl, call, what, &k));
    const lm_cl_place at[] = {{0, 0}, {1, 0}, {2, 0}, {3, 0}};
    return lm_cl_bound(k, lm_cl_add_elementwise(k, f, call->x, call->nx, &call->y[0], at), out);
}

lm_status lm_cl_add_copy(lm_cl_kernel *k, const lm_view *x, lm_cl_place from, const lm_view *y, lm_cl_place to)
{
    const size_t size = lm_dtype_size(x->dt);
    const lm_dtype as = size == 1 ? LM_U8 : size == 4 ? LM_I32 : size == 8 ? LM_I64 : LM_I16;
    const lm_cl_formula f = {.form = LM_CL_INTEGER1, .text = "IDENTITY", .dt = {[0] = as, [RESULT] = as}};
    const lm_cl_place at[2] = {from, to};
    return lm_cl_add_elementwise(k, &f, x, 1, y, at);
}

static bool is_float(lm_dtype dt)
{
    return dt == LM_F32 || dt == LM_F16 || dt == LM_BF16;
}

/* The types of a call, and what the kernel is to do. */
static lm_cl_formula formula(const lm_call *call, lm_cl_form form, const char *op, float a, float b)
{
    lm_cl_formula f = {.form = form, .text = op, .act = {{a, b}}};
    for (int i = 0; i < call->nx && i < OPERANDS; i++)
        f.dt[i] = call->x[i].dt;
    f.dt[RESULT] = call->y[0].dt;
    return f;
}

static lm_status refuse(const lm_call *call)
{
    return lm_fail(LM_UNSUPPORTED, "%s of %s has no kernel on opencl", lm_ops[call->op].name,
                   lm_dtype_name(call->x[0].dt));
}

lm_status lm_cl_bind_unary(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    static const lm_attr_act none = {0};
    const lm_attr_act *a = lm_ops[call->op].attrs == LM_ATTR_act ? &call->a->act : &none;
    const lm_dtype from = call->x[0].dt, to = call->y[0].dt;
    lm_cl_formula f = formula(call, LM_CL_INTEGER1, lm_ops[call->op].id, a->a, a->b);
    if (call->op == LM_OP_IDENTITY && from == to)
        return lm_cl_bind_copy(cl, call, out);
    const bool some = call->op == LM_OP_NEG || call->op == LM_OP_ABS || call->op == LM_OP_SIGN;
    bool known = from == to && (call->op == LM_OP_BITNOT || (some && (from == LM_I32 || from == LM_I64)) ||
                                (call->op == LM_OP_NOT && from == LM_BOOL));
    if (is_float(from) && (is_float(to) || to == LM_BOOL)) {
        f.form = to == LM_BOOL ? LM_CL_TEST : LM_CL_UNARY;
        known = true;
    }
    return known ? bind_form(cl, call, &f, out) : refuse(call);
}

lm_status lm_cl_bind_actdx(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_attr_actdx *a = &call->a->actdx;
    const bool known = a->of > LM_OP_IDENTITY && a->of < LM_OPS && lm_ops[a->of].grad != LM_GRAD_ZERO;
    if (!is_float(call->x[0].dt) || !is_float(call->x[1].dt) || !is_float(call->y[0].dt) || !known)
        return refuse(call);
    const lm_cl_formula f = formula(call, LM_CL_DERIVATIVE, lm_ops[a->of].id, a->a, a->b);
    return bind_form(cl, call, &f, out);
}

lm_status lm_cl_bind_binary(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_dtype type = call->x[0].dt;
    lm_cl_formula f = formula(call, LM_CL_INTEGER2, lm_ops[call->op].id, 0, 0);
    /* these may fail, or have more than one meaning */
    const bool hard = call->op == LM_OP_DIV || call->op == LM_OP_MOD || call->op == LM_OP_POW ||
                      call->op == LM_OP_PRELU || call->op == LM_OP_ATAN2 || call->op == LM_OP_SHIFT;
    bool known = type == call->x[1].dt && type != LM_I16 && !hard;
    if (is_float(type) && is_float(call->x[1].dt)) {
        f.form = call->y[0].dt == LM_BOOL ? LM_CL_COMPARE : LM_CL_BINARY;
        known = true;
    }
    return known ? bind_form(cl, call, &f, out) : refuse(call);
}

lm_status lm_cl_bind_where(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const size_t size = lm_dtype_size(call->y[0].dt);
    const lm_dtype as = size == 1 ? LM_U8 : size == 4 ? LM_I32 : LM_I64;
    const lm_cl_formula f = {.form = LM_CL_INTEGER3, .text = "WHERE", .dt = {LM_BOOL, as, as, [RESULT] = as}};
    if (call->x[0].dt != LM_BOOL || call->x[1].dt != call->x[2].dt || size == 2)
        return refuse(call);
    return bind_form(cl, call, &f, out);
}

lm_status lm_cl_bind_cast(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_dtype from = call->x[0].dt, to = call->y[0].dt;
    lm_cl_formula f = formula(call, LM_CL_INTEGER1, "CAST", 0, 0);
    /* by way of float32 a wide integer would be rounded twice */
    const bool twice = (to == LM_BF16 || to == LM_F16) && (from == LM_I64 || from == LM_I32);
    if (twice || from == LM_I16 || to == LM_I16)
        return refuse(call);
    if (is_float(from) || is_float(to))
        f.form = LM_CL_UNARY;
    else if (to == LM_BOOL)
        f.text = "TRUTH";
    return bind_form(cl, call, &f, out);
}
