/* Elementwise ops one behind the other as one kernel, spelled out for its program. */
#include "backends/opencl/elementwise.h"
#include "core/base/str.h"

/* What a step's formula begins with and what its name is; NULL: there is none. Truth values are 1 and 0. */
static const char *formula_of(const lm_fused_step *step, const char **name)
{
    const lm_opid op = (lm_opid)step->op;
    *name = lm_ops[op == LM_OP_ACT_DX ? (lm_opid)step->of : op].id;
    if (op == LM_OP_ACT_DX)
        return step->of != LM_OP_IDENTITY && lm_ops[step->of].grad != LM_GRAD_ZERO ? "(dx_" : NULL;
    if (op == LM_OP_ISNAN || op == LM_OP_ISINF || (op >= LM_OP_EQUAL && op <= LM_OP_LESSEQ))
        return "TRUTH(fn_";
    const bool known = lm_op_is_unary(op) ? op != LM_OP_NOT && op != LM_OP_BITNOT
                                          : (op >= LM_OP_ADD && op <= LM_OP_ATAN2) || op == LM_OP_WHERE;
    return known ? "(fn_" : NULL;
}

static lm_status add_step(lm_str *text, const lm_fused_step *step, int number)
{
    const char *name, *begins = formula_of(step, &name);
    const bool parameters = lm_op_is_unary((lm_opid)step->op) || step->op == LM_OP_ACT_DX;
    if (!begins)
        return lm_fail(LM_UNSUPPORTED, "%s has no part in a fused kernel on opencl", lm_ops[step->op].name);
    LM_TRY(lm_str_printf(text, " -DS%d=%s%s(", number, begins, name));
    for (int k = 0; k < lm_ops[step->op].min_in; k++) {
        const int from = step->x[k], earlier = from - LM_FUSED_IN;
        LM_TRY(lm_str_printf(text, "%s%c%d", k ? "," : "", earlier < 0 ? 'x' : 'v', earlier < 0 ? from : earlier));
    }
    return parameters ? lm_str_printf(text, ",A(%d),B(%d)))", number, number) : lm_str_add(text, "))");
}

static bool fits(const lm_call *call)
{
    const lm_attr_fused *a = &call->a->fused;
    bool good = a->n >= 1 && a->n <= LM_CL_STEPS && call->nx < LM_CL_SIDES;
    for (int i = 0; i < a->n && good; i++)
        good = a->step[i].op >= 0 && a->step[i].op <= LM_OP_WHERE && a->step[i].of >= 0 &&
               a->step[i].of <= LM_OP_ISINF;
    for (int i = 0; i < call->nx + call->ny; i++) {
        const lm_dtype dt = i < call->nx ? call->x[i].dt : call->y[i - call->nx].dt;
        good = good && (dt == LM_F32 || dt == LM_BOOL);
    }
    return good;
}

static lm_status bind(lm_cl *cl, const lm_call *call, lm_cl_formula *f, lm_str *text, lm_kernel **out)
{
    const lm_attr_fused *a = &call->a->fused;
    lm_cl_place at[LM_CL_SIDES];
    lm_cl_kernel *k;
    LM_TRY(lm_str_printf(text, "-DSTEPS=%d -DLAST=%d", a->n, a->n - 1));
    for (int i = 0; i < a->n; i++) {
        LM_TRY(add_step(text, &a->step[i], i));
        f->act[i][0] = a->step[i].a, f->act[i][1] = a->step[i].b;
    }
    for (int i = 0; i < call->nx; i++)
        f->dt[i] = call->x[i].dt;
    f->dt[LM_CL_SIDES - 1] = call->y[0].dt;
    f->text = text->text;
    for (int i = 0; i <= call->nx; i++)
        at[i] = (lm_cl_place){i, 0};
    LM_TRY(lm_cl_kernel_new(cl, call, "fused", &k));
    return lm_cl_bound(k, lm_cl_add_elementwise(k, f, call->x, call->nx, &call->y[0], at), out);
}

lm_status lm_cl_bind_fused(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    lm_cl_formula f = {.form = LM_CL_FUSED};
    lm_str text = {0};
    LM_REQUIRE(fits(call), LM_UNSUPPORTED, "%s in this form has no kernel on opencl", lm_ops[call->op].name);
    const lm_status status = bind(cl, call, &f, &text, out);
    lm_str_free(&text);
    return status;
}
