/* What is right, and how far from it a device may be: the tolerance table, the truth in double, and the comparisons. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/checkop/harness.h"

/* How an op is judged. EXACT: the reference in the call's own types, byte for byte (values are moved, chosen, compared
 * or counted). ROUND: the double result rounded once. ULP: that many units in the last place beyond the rounding. SUM:
 * terms * 2^-24 * the sum of the terms' magnitudes, which a run on absolute values gives; no chain of that length can
 * do worse. SCALE: `ulps` + terms units of the largest result, for quotients and roots of sums. REACH: the same of the
 * largest input, for sums with weights of either sign. */
typedef enum judge { EXACT, ROUND, ULP, SUM, SCALE, REACH } judge;
typedef struct tolerance {
    lm_opid op;
    judge how;
    double ulps;
} tolerance;

/* Where an argument is scaled before an exponential, its own rounding counts: |x| < 104 makes 64 units in Swish. */
static const tolerance tolerances[] = {
    {LM_OP_ABS, ROUND, 0},
    {LM_OP_NEG, ROUND, 0},
    {LM_OP_SQRT, ROUND, 0},
    {LM_OP_RECIPROCAL, ROUND, 0},
    {LM_OP_ADD, ROUND, 0},
    {LM_OP_SUB, ROUND, 0},
    {LM_OP_MUL, ROUND, 0},
    {LM_OP_DIV, ROUND, 0},
    {LM_OP_RELU, ROUND, 0},
    {LM_OP_LEAKYRELU, ULP, 1},
    {LM_OP_PRELU, ROUND, 0},
    {LM_OP_MIN, ROUND, 0},
    {LM_OP_MAX, ROUND, 0},
    {LM_OP_CLIP, ULP, 1},
    {LM_OP_THRESHOLDED, ULP, 1},
    {LM_OP_MOD, ROUND, 0},
    {LM_OP_SIGN, ROUND, 0},
    {LM_OP_FLOOR, ROUND, 0},
    {LM_OP_CEIL, ROUND, 0},
    {LM_OP_ROUND, ROUND, 0},
    {LM_OP_SOFTSIGN, ULP, 2},
    {LM_OP_EXP, ULP, 2},
    {LM_OP_LOG, ULP, 2},
    {LM_OP_ERF, ULP, 3},
    {LM_OP_SIN, ULP, 3},
    {LM_OP_COS, ULP, 3},
    {LM_OP_TAN, ULP, 4},
    {LM_OP_ASIN, ULP, 4},
    {LM_OP_ACOS, ULP, 4},
    {LM_OP_ATAN, ULP, 3},
    {LM_OP_SINH, ULP, 4},
    {LM_OP_COSH, ULP, 3},
    {LM_OP_ASINH, ULP, 4},
    {LM_OP_ACOSH, ULP, 4},
    {LM_OP_ATANH, ULP, 4},
    {LM_OP_TANH, ULP, 3},
    {LM_OP_SIGMOID, ULP, 4},
    {LM_OP_SOFTPLUS, ULP, 4},
    {LM_OP_ELU, ULP, 4},
    {LM_OP_SELU, ULP, 5},
    {LM_OP_CELU, ULP, 5},
    {LM_OP_SWISH, ULP, 64},
    {LM_OP_POW, ULP, 4},
    {LM_OP_ATAN2, ULP, 4},
    {LM_OP_ACT_DX, SCALE, 8},
    {LM_OP_GELU, SCALE, 4},
    {LM_OP_MISH, SCALE, 6},
    {LM_OP_HARDSIGMOID, SCALE, 2},
    {LM_OP_HARDSWISH, SCALE, 4},
    {LM_OP_SHRINK, SCALE, 2},
    {LM_OP_REDUCE_SUM, SUM, 0},
    {LM_OP_REDUCE_MEAN, SUM, 0},
    {LM_OP_REDUCE_MAX, EXACT, 0},
    {LM_OP_REDUCE_MIN, EXACT, 0},
    {LM_OP_REDUCE_PROD, ULP, -1},
    {LM_OP_REDUCE_L1, SUM, 0},
    {LM_OP_REDUCE_L2, SUM, 4},
    {LM_OP_REDUCE_SUMSQ, SUM, 1},
    {LM_OP_REDUCE_LOGSUM, SCALE, 4},
    {LM_OP_REDUCE_LSE, SCALE, 4},
    {LM_OP_CUMSUM, SUM, 0},
    {LM_OP_MATMUL, SUM, 0},
    {LM_OP_GEMM, SUM, 2},
    {LM_OP_CONV, SUM, 0},
    {LM_OP_CONV_T, SUM, 0},
    {LM_OP_CONV_DW, SUM, 0},
    {LM_OP_EINSUM, SUM, 0},
    {LM_OP_AVGPOOL, SUM, 1},
    {LM_OP_AVGPOOL_DX, SUM, 1},
    {LM_OP_MAXPOOL_DX, SUM, 0},
    {LM_OP_LPPOOL, SCALE, 8},
    {LM_OP_GLOBAL_AVG, SUM, 1},
    {LM_OP_GLOBAL_LP, SCALE, 8},
    {LM_OP_RESIZE, REACH, 16},
    {LM_OP_RESIZE_DX, REACH, 16},
    {LM_OP_GATHER_DX, SUM, 0},
    {LM_OP_PAD_DX, SUM, 0},
    {LM_OP_SOFTMAX, SCALE, 8},
    {LM_OP_LOGSOFTMAX, SCALE, 8},
    {LM_OP_SOFTMAX_DX, SCALE, 8},
    {LM_OP_LOGSOFTMAX_DX, SCALE, 8},
    {LM_OP_BATCHNORM, SCALE, 16},
    {LM_OP_LAYERNORM, SCALE, 32},
    {LM_OP_RMSNORM, SCALE, 16},
    {LM_OP_INSTANCENORM, SCALE, 32},
    {LM_OP_GROUPNORM, SCALE, 32},
    {LM_OP_LPNORM, SCALE, 16},
    {LM_OP_MVN, SCALE, 32},
    {LM_OP_LRN, SCALE, 16},
    {LM_OP_ATTENTION, SCALE, 64},
    {LM_OP_RNN, SCALE, 128},
    {LM_OP_GRU, SCALE, 128},
    {LM_OP_LSTM, SCALE, 128},
    {LM_OP_RECURRENT_DX, SCALE, 128},
    {LM_OP_LOSS_MSE, SCALE, 8},
    {LM_OP_LOSS_BCE, SCALE, 16},
    {LM_OP_LOSS_NLL, SCALE, 8},
    {LM_OP_LOSS_CE, SCALE, 32},
    {LM_OP_FUSED, SCALE, 32},
    {LM_OP_SGD, SCALE, 4},
    {LM_OP_MOMENTUM, SCALE, 8},
    {LM_OP_ADAM, SCALE, 32},
    {LM_OP_SCATTERELEMENTS, SUM, 4},
    {LM_OP_SCATTERND, SUM, 4},
    {LM_OP_RANGE, SCALE, 4},
};

static tolerance tolerance_of(lm_opid op)
{
    for (size_t i = 0; i < sizeof tolerances / sizeof tolerances[0]; i++)
        if (tolerances[i].op == op)
            return tolerances[i];
    return (tolerance){op, EXACT, 0};
}

/* Terms that go into one element of the result. */
static int64_t sum_length(const ck_case *c, const ck_tensor *y)
{
    const lm_type *x = c->x;
    int64_t n = 1, all = lm_shape_count(&x[0].sh);
    switch (lm_ops[c->op].attrs) {
    case LM_ATTR_matmul:
        n = x[0].sh.rank ? x[0].sh.dim[x[0].sh.rank - 1 - (c->a.matmul.ta && x[0].sh.rank > 1)] : 1;
        break;
    case LM_ATTR_gemm: n = x[0].sh.dim[c->a.gemm.ta ? 0 : 1]; break;
    case LM_ATTR_conv:
        n = c->op == LM_OP_CONV_DW ? lm_shape_count(&x[1].sh) / (x[1].sh.dim[1] > 0 ? x[1].sh.dim[1] : 1)
                                   : lm_shape_count(&x[1].sh) / (x[1].sh.dim[0] > 0 ? x[1].sh.dim[0] : 1);
        if (c->op == LM_OP_CONV_T)
            n = lm_shape_count(&x[1].sh);
        break;
    case LM_ATTR_pool:
        for (int k = 0; k < c->a.pool.nd; k++)
            n *= c->a.pool.kernel[k];
        break;
    case LM_ATTR_axis: n = x[0].sh.rank ? x[0].sh.dim[c->a.axis.axis] : 1; break;
    default: n = y->n ? all / y->n + 1 : 1; break;
    }
    return n + 3;
}

static bool has_float(const ck_case *c)
{
    for (int i = 0; i < c->nx; i++)
        if (c->x[i].sh.rank != LM_ABSENT && lm_dtype_is_float(c->x[i].dt))
            return true;
    return false;
}

/* Largest finite magnitude; 0 for integers. */
static double largest(const ck_tensor *t)
{
    double most = 0;
    for (int64_t i = 0; lm_dtype_is_float(t->dt) && i < t->n; i++) {
        double v = fabs(ck_get(t, i));
        if (isfinite(v) && v > most)
            most = v;
    }
    return most;
}

bool ck_truth_make(const ck_case *c, const ck_tensor *x, ck_truth *out, char why[CK_WHY])
{
    tolerance t = tolerance_of(c->op);
    bool widen = t.how != EXACT && has_float(c);
    int nx = c->nx + (c->fused ? lm_epilogue_inputs(&c->ep) : 0);
    ck_tensor wide[CK_X + CK_MORE];
    lm_status status;
    *out = (ck_truth){0};
    for (int i = 0; i < nx; i++)
        wide[i] = x[i].bytes ? ck_tensor_cast(&x[i], widen && lm_dtype_is_float(x[i].dt) ? LM_F64 : x[i].dt) : x[i];
    ck_call call = {.op = c->op, .a = &c->a, .ep = c->fused ? &c->ep : NULL, .nx = nx, .ny = c->ny, .x = wide};
    bool ran = ck_run_unfused(&ck_oracle.chain, &call, out->y, &status, why) == CK_RAN;
    if (ran && widen && t.how == SUM) {
        for (int i = 0; i < nx; i++)
            for (int64_t k = 0; wide[i].bytes && wide[i].dt == LM_F64 && k < wide[i].n; k++)
                ck_set(&wide[i], k, fabs(ck_get(&wide[i], k)));
        lm_epilogue ep = c->ep;
        call.nx -= ep.sloped;
        ep.active = ep.sloped = false;
        call.ep = c->fused ? &ep : NULL;
        ran = ck_run_unfused(&ck_oracle.chain, &call, out->size, &status, why) == CK_RAN;
    }
    for (int i = 0; i < nx; i++)
        if (wide[i].bytes)
            out->reach = fmax(out->reach, largest(&wide[i]));
    if (ran)
        out->length = sum_length(c, &out->y[0]);
    for (int i = 0; i < c->ny && ran; i++)
        out->scale[i] = largest(&out->y[i]);
    for (int i = 0; i < nx; i++)
        if (wide[i].bytes)
            ck_tensor_free(&wide[i]);
    if (!ran)
        ck_truth_free(out);
    return ran;
}

void ck_truth_free(ck_truth *t)
{
    for (int i = 0; i < CK_Y; i++) {
        ck_tensor_free(&t->y[i]);
        ck_tensor_free(&t->size[i]);
    }
}

static const char *place_text(const lm_shape *sh, int64_t i, char text[96])
{
    int64_t at[LM_RANK] = {0};
    for (int k = sh->rank - 1; k >= 0; k--) {
        at[k] = sh->dim[k] ? i % sh->dim[k] : 0;
        i /= sh->dim[k] ? sh->dim[k] : 1;
    }
    int n = snprintf(text, 96, "[");
    for (int k = 0; k < sh->rank; k++)
        n += snprintf(text + n, 96 - (size_t)n, "%s%lld", k ? "," : "", (long long)at[k]);
    snprintf(text + n, 96 - (size_t)n, "]");
    return text;
}

/* The vectors of 32-bit ARM know no subnormal numbers: there, and only there, what they would have decided is left out. A
 * flushed number may have been scaled since. */
#if defined(__arm__)
static const double flushed = 128 * (double)FLT_MIN;
#else
static const double flushed = 0;
#endif

/* How far output element i of `truth` may be missed; infinite where f32 arithmetic may overflow on the way. */
static double allowance(const ck_case *c, const ck_truth *truth, tolerance t, int output, int64_t i, lm_dtype dt)
{
    const double eps = ldexp(1, -24), tiny = ldexp(1, -149);
    double y = ck_get(&truth->y[output], i), ulp = ck_ulp(dt, isfinite(y) ? y : 0), length = (double)truth->length;
    double allow = 0.5 * ulp + flushed;
    if (t.how == ROUND && !c->fused)
        return flushed;
    if (t.how == ULP)
        allow += (t.ulps < 0 ? length : t.ulps) * ck_ulp(dt == LM_F64 ? LM_F64 : LM_F32, isfinite(y) ? y : 0);
    bool powers = lm_ops[c->op].cls == LM_CLASS_NORM || lm_ops[c->op].cls == LM_CLASS_REDUCE;
    if (t.how == SCALE && truth->reach > 1e15 && powers)
        return INFINITY;
    if (t.how == REACH)
        allow += (t.ulps + length) * 4 * eps * truth->reach;
    if (t.how == SCALE)
        allow += (t.ulps + length) * 2 * eps * truth->scale[output] + length * tiny;
    if (c->op == LM_OP_REDUCE_PROD && c->values != CK_NORMAL && c->values != CK_WHOLE)
        return INFINITY; /* so may any part of a product */
    if (c->op == LM_OP_REDUCE_L2) {
        if (fabs(y) > 1e18)
            return INFINITY;
        allow += length * sqrt(tiny);
    }
    if (t.how == SUM) {
        double size = ck_get(&truth->size[output], i);
        if (!(size * length < FLT_MAX / 4)) /* a mean is small where its sum is not */
            return INFINITY;
        allow += (length + t.ulps) * (eps * size + tiny);
    }
    if (c->fused &&
        c->ep.active) /* no activation is steeper than 2 where it is offered here, but exp, steep as its value */
        allow = 2 * allow * (c->ep.act == LM_OP_EXP ? fabs(y) + 1 : 1) + 8 * eps * fabs(y) + 8 * eps;
    return allow;
}

bool ck_close(const ck_case *c, const ck_truth *truth, const ck_tensor *y, int output, char why[CK_WHY])
{
    const ck_tensor *want = &truth->y[output];
    tolerance t = tolerance_of(c->op);
    char at[96];
    if (y->n != want->n || !lm_shape_equal(&y->sh, &want->sh)) {
        snprintf(why, CK_WHY, "output %d has another shape than the reference's", output);
        return false;
    }
    if (!lm_dtype_is_float(y->dt) || t.how == EXACT)
        return ck_same(want, 0, y, why);
    double top = ldexp(1, y->dt == LM_F16 ? 16 : 128);
    for (int64_t i = 0; i < y->n; i++) {
        double a = ck_get(want, i), b = ck_get(y, i);
        if (isnan(a) && isnan(b))
            continue;
        double r = ck_round(y->dt, a), allow = allowance(c, truth, t, output, i, y->dt), off = 0;
        /* Where the rounding is prescribed, so is the sign of a zero. */
        bool good = r == b && (r != 0 || t.how != ROUND || c->fused || signbit(r) == signbit(b));
        if (!good && isnan(a))
            good = false;
        else if (!good && isinf(allow))
            good = true;
        else if (!good && !isinf(a) && !isnan(b)) {
            off = fabs((isinf(b) ? copysign(top, b) : b) - a);
            good = off <= allow;
        }
        if (!good) {
            snprintf(why, CK_WHY, "output %d %s: %.9g (%a), want %.9g (%a), off %.3g, allowed %.3g", output,
                     place_text(&y->sh, i, at), b, b, a, r, off, allow);
            return false;
        }
    }
    return true;
}

bool ck_same(const ck_tensor *a, int64_t from, const ck_tensor *b, char why[CK_WHY])
{
    char at[96];
    size_t size = lm_dtype_size(a->dt);
    if (a->dt != b->dt) {
        snprintf(why, CK_WHY, "another element type: %s, want %s", lm_dtype_name(b->dt), lm_dtype_name(a->dt));
        return false;
    }
    for (int64_t i = 0; i < b->n; i++) {
        if (!memcmp(a->bytes + (size_t)(from + i) * size, b->bytes + (size_t)i * size, size))
            continue;
        double want = ck_get(a, from + i), got = ck_get(b, i);
        if ((isnan(want) && isnan(got)) || (fabs(want) < flushed && fabs(got) < flushed))
            continue;
        snprintf(why, CK_WHY, "%s: %.17g (%a), want %.17g (%a)", place_text(&b->sh, i, at), got, got, want, want);
        return false;
    }
    return true;
}
