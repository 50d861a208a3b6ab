/* Elementwise calls: one kernel over the merged axes of the result, made for the types, steps and formula of the call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"

/* How the kernel evaluates an op (kernels/elementwise.cl). */
typedef enum form { UNARY = 1, BINARY, DERIVATIVE, TEST, COMPARE, INTEGER1, INTEGER2, INTEGER3 } form;

/* Elements per work-item: enough to pay for finding the place. */
enum { STRIP_PANELS = 4096, STRIP_TILES = 1, RESULT = LM_CL_SIDES - 1 };

static const char *const types[LM_DTYPES] = {
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

/* A pass over `nx` operands and a result; the latter comes last in `at`. */
static lm_status add_pass(lm_cl_kernel *k, form f, const char *op, const lm_view *x, int nx, const lm_view *y,
                          const lm_dtype dt[LM_CL_SIDES], float a, float b, const lm_cl_place *at)
{
    const lm_cl *cl = k->cl;
    int64_t count = lm_shape_count(&y->sh);
    lm_cl_ew p = {.rank = y->sh.rank, .a = a, .b = b};
    char options[256];
    lm_cl_pass *pass;
    memcpy(p.dim, y->sh.dim, sizeof p.dim);
    for (int i = 0; i < nx; i++)
        spread(&x[i], &y->sh, p.st[i]);
    spread(y, &y->sh, p.st[RESULT]);
    simplify(&p);
    p.inner = p.dim[p.rank - 1];
    p.strip = cl->panels ? STRIP_PANELS : STRIP_TILES;
    p.parts = (p.inner + p.strip - 1) / p.strip;
    p.units = count ? count / p.inner * p.parts : 0;
    snprintf(options, sizeof options,
             "-DOP=%s -DFORM=%d -DKIND=%d -DNX=%d -DT0=%s -DT1=%s -DT2=%s -DTY=%s -DSTEP0=%d -DSTEP1=%d -DSTEP2=%d "
             "-DWHOLE=%d",
             op, (int)f, f < INTEGER1, nx, types[dt[0]], types[dt[1]], types[dt[2]], types[dt[RESULT]], step_of(&p, 0),
             step_of(&p, 1), step_of(&p, 2), dt[RESULT] == LM_F32 && step_of(&p, RESULT) == 1);
    LM_TRY(lm_cl_pass_add(k, LM_CL_FORMULAS "elementwise.cl", options, "elementwise", &p, sizeof p,
                          &pass));
    for (int i = 0; i <= nx; i++)
        lm_cl_pass_operand(pass, at[i].operand, at[i].off);
    lm_cl_pass_line(k, pass, p.units, 0);
    k->base.flops += (double)count;
    return LM_OK;
}

/* Views as they are bound: WHERE moves bits, so its types are integers of the operands' size. */
static lm_status bind_form(lm_cl *cl, const lm_call *call, form f, const char *op, const lm_dtype dt[LM_CL_SIDES],
                           float a, float b, lm_kernel **out)
{
    char what[48];
    lm_cl_place at[LM_CL_SIDES] = {{0, 0}, {1, 0}, {2, 0}, {3, 0}};
    LM_REQUIRE(call->nx < LM_CL_SIDES && types[dt[0]] && types[dt[1]] && types[dt[2]] && types[dt[RESULT]],
               LM_UNSUPPORTED, "%s of %s has no kernel on opencl", lm_ops[call->op].name, lm_dtype_name(call->x[0].dt));
    snprintf(what, sizeof what, "%s_%s", op, types[call->x[call->nx > 1].dt]);
    lm_cl_kernel *k;
    LM_TRY(lm_cl_kernel_new(cl, call, what, &k));
    return lm_cl_bound(k, add_pass(k, f, op, call->x, call->nx, &call->y[0], dt, a, b, at), out);
}

lm_status lm_cl_add_copy(lm_cl_kernel *k, const lm_view *x, lm_cl_place from, const lm_view *y, lm_cl_place to)
{
    const size_t size = lm_dtype_size(x->dt);
    const lm_dtype as = size == 1 ? LM_U8 : size == 4 ? LM_I32 : size == 8 ? LM_I64 : LM_I16;
    const lm_dtype dt[LM_CL_SIDES] = {as, as, as, as};
    const lm_cl_place at[2] = {from, to};
    return add_pass(k, INTEGER1, "IDENTITY", x, 1, y, dt, 0, 0, at);
}

static bool is_float(lm_dtype dt)
{
    return dt == LM_F32 || dt == LM_F16 || dt == LM_BF16;
}

static void types_of(const lm_call *call, lm_dtype dt[LM_CL_SIDES])
{
    for (int i = 0; i < LM_CL_SIDES; i++)
        dt[i] = i == RESULT ? call->y[0].dt : call->x[i < call->nx ? i : 0].dt;
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
    lm_dtype dt[LM_CL_SIDES], from = call->x[0].dt;
    types_of(call, dt);
    if (is_float(from) && is_float(dt[RESULT]) && !(call->op == LM_OP_IDENTITY && from == dt[RESULT]))
        return bind_form(cl, call, UNARY, lm_ops[call->op].id, dt, a->a, a->b, out);
    if (is_float(from) && dt[RESULT] == LM_BOOL)
        return bind_form(cl, call, TEST, lm_ops[call->op].id, dt, a->a, a->b, out);
    if (call->op == LM_OP_IDENTITY && from == dt[RESULT])
        return lm_cl_bind_copy(cl, call, out);
    bool some = call->op == LM_OP_NEG || call->op == LM_OP_ABS || call->op == LM_OP_SIGN;
    bool known = call->op == LM_OP_BITNOT || (some && (from == LM_I32 || from == LM_I64)) ||
                 (call->op == LM_OP_NOT && from == LM_BOOL);
    return known && from == dt[RESULT] ? bind_form(cl, call, INTEGER1, lm_ops[call->op].id, dt, 0, 0, out)
                                       : refuse(call);
}

lm_status lm_cl_bind_actdx(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_attr_actdx *a = &call->a->actdx;
    lm_dtype dt[LM_CL_SIDES];
    types_of(call, dt);
    const bool known = a->of > LM_OP_IDENTITY && a->of < LM_OPS && lm_ops[a->of].grad != LM_GRAD_ZERO;
    if (!is_float(dt[0]) || !is_float(dt[1]) || !is_float(dt[RESULT]) || !known)
        return refuse(call);
    return bind_form(cl, call, DERIVATIVE, lm_ops[a->of].id, dt, a->a, a->b, out);
}

lm_status lm_cl_bind_binary(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    lm_dtype dt[LM_CL_SIDES];
    types_of(call, dt);
    if (is_float(dt[0]) && is_float(dt[1]))
        return bind_form(cl, call, dt[RESULT] == LM_BOOL ? COMPARE : BINARY, lm_ops[call->op].id, dt, 0, 0, out);
    /* these may fail, or have more than one meaning */
    bool hard = call->op == LM_OP_DIV || call->op == LM_OP_MOD || call->op == LM_OP_POW || call->op == LM_OP_PRELU ||
                call->op == LM_OP_ATAN2 || call->op == LM_OP_SHIFT;
    return dt[0] == dt[1] && dt[0] != LM_I16 && !hard
               ? bind_form(cl, call, INTEGER2, lm_ops[call->op].id, dt, 0, 0, out)
               : refuse(call);
}

lm_status lm_cl_bind_where(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    size_t size = lm_dtype_size(call->y[0].dt);
    lm_dtype as = size == 1 ? LM_U8 : size == 4 ? LM_I32 : LM_I64;
    lm_dtype dt[LM_CL_SIDES] = {LM_BOOL, as, as, as};
    if (call->x[0].dt != LM_BOOL || call->x[1].dt != call->x[2].dt || size == 2)
        return refuse(call);
    return bind_form(cl, call, INTEGER3, "WHERE", dt, 0, 0, out);
}

lm_status lm_cl_bind_cast(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    lm_dtype dt[LM_CL_SIDES], from = call->x[0].dt, to = call->y[0].dt;
    types_of(call, dt);
    /* by way of float32 a wide integer would be rounded twice */
    bool twice = (to == LM_BF16 || to == LM_F16) && (from == LM_I64 || from == LM_I32);
    if (twice || from == LM_I16 || to == LM_I16)
        return refuse(call);
    if (is_float(from) || is_float(to))
        return bind_form(cl, call, UNARY, "CAST", dt, 0, 0, out);
    return bind_form(cl, call, INTEGER1, to == LM_BOOL ? "TRUTH" : "CAST", dt, 0, 0, out);
}
