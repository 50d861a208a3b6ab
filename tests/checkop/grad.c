/* grad: gradient ops against the ops they belong to, by the reference in double.
 *
 * A linear map F and its transpose satisfy <v, F u> = <F' v, u> for any u and v. Max-pooling is linear once its winners
 * are fixed. The derivatives of elementwise functions and of softmax are compared with central differences. */
#include <math.h>
#include <string.h>

#include "tests/checkop/harness.h"

static double inner(const ck_tensor *a, const ck_tensor *b, double *size)
{
    double sum = 0;
    for (int64_t i = 0; i < a->n && i < b->n; i++) {
        sum += ck_get(a, i) * ck_get(b, i);
        *size += fabs(ck_get(a, i) * ck_get(b, i));
    }
    return sum;
}

static bool run(lm_opid op, const lm_attrs *a, int nx, const ck_tensor *x, int ny, ck_tensor *y, char why[CK_WHY])
{
    lm_status status;
    char text[CK_WHY];
    ck_call call = {.op = op, .a = a, .nx = nx, .ny = ny, .x = x};
    if (ck_run(&ck_oracle.chain, &call, y, &status, text) == CK_RAN)
        return true;
    snprintf(why, CK_WHY, "%s: %.400s", lm_ops[op].name, text);
    return false;
}

static ck_tensor random_like(const ck_tensor *like, uint64_t seed)
{
    ck_tensor t = ck_tensor_new(LM_F64, &like->sh);
    for (int64_t i = 0; i < t.n; i++)
        ck_set(&t, i, (double)(ck_hash(ck_opt.seed ^ seed, (uint64_t)i) >> 11) * 0x1p-52 - 1);
    return t;
}

/* What the transpose wants to know of the forward call: sizes of its result. */
static void size_of_spatial(const lm_shape *x, int nd, int64_t size[LM_SPATIAL])
{
    for (int i = 0; i < nd; i++)
        size[i] = x->dim[i + 2];
}

static void attrs_pool(const lm_shape *x, int axis, lm_attrs *a)
{
    (void)axis;
    size_of_spatial(x, a->pool.nd, a->pool.size);
}

static void attrs_conv(const lm_shape *x, int axis, lm_attrs *a)
{
    (void)axis;
    size_of_spatial(x, a->conv.nd, a->conv.size);
}

static void attrs_resize(const lm_shape *x, int axis, lm_attrs *a)
{
    (void)axis;
    memcpy(a->resize.size, x->dim, sizeof a->resize.size);
}

static void attrs_slice(const lm_shape *x, int axis, lm_attrs *a)
{
    (void)axis;
    memcpy(a->slice.size, x->dim, sizeof a->slice.size);
}

static void attrs_same(const lm_shape *x, int axis, lm_attrs *a)
{
    (void)x, (void)axis, (void)a;
}

static void attrs_gather(const lm_shape *x, int axis, lm_attrs *a)
{
    *a = (lm_attrs){0};
    a->shape.shape = *x;
    a->shape.axis = axis;
}

/* `keep`: inputs that the forward op takes, further ones (bias, pad value) are left out; `second`: what the transpose
 * takes after the signal: nothing, the forward op's input 1, or its output 1. */
typedef struct pair {
    lm_opid op, transpose;
    int keep;
    enum { NOTHING, INPUT, OUTPUT } second;
    void (*attrs)(const lm_shape *x, int axis, lm_attrs *a);
} pair;

static const pair pairs[] = {
    {LM_OP_CONV, LM_OP_CONV_T, 2, INPUT, attrs_conv},         {LM_OP_AVGPOOL, LM_OP_AVGPOOL_DX, 1, NOTHING, attrs_pool},
    {LM_OP_MAXPOOL, LM_OP_MAXPOOL_DX, 1, OUTPUT, attrs_pool}, {LM_OP_RESIZE, LM_OP_RESIZE_DX, 1, NOTHING, attrs_resize},
    {LM_OP_SLICE, LM_OP_SLICE_DX, 1, NOTHING, attrs_slice},   {LM_OP_PAD, LM_OP_PAD_DX, 1, NOTHING, attrs_same},
    {LM_OP_GATHER, LM_OP_GATHER_DX, 2, INPUT, attrs_gather},
};

static bool agree(double a, double b, double size, const char *what, char why[CK_WHY])
{
    if (fabs(a - b) <= 1e-12 * size + 1e-300)
        return true;
    snprintf(why, CK_WHY, "%s: <v, F u> = %.15g, transposed %.15g", what, a, b);
    return false;
}

static bool adjoint(const ck_case *c, const pair *p, char why[CK_WHY])
{
    ck_tensor x[CK_X] = {0}, wide[2] = {0}, y[2] = {0}, back[2] = {0}, dx = {0}, dw = {0};
    lm_attrs a = c->a, t = c->a;
    double size = 0;
    int ny = p->second == OUTPUT ? 2 : 1;
    if (c->op == LM_OP_RESIZE)
        a.resize.extrapolation = t.resize.extrapolation = 0;
    if (c->op == LM_OP_MAXPOOL)
        a.pool.column_major = t.pool.column_major = false;
    ck_inputs(c, x);
    for (int i = 0; i < p->keep; i++)
        wide[i] = ck_tensor_cast(&x[i], lm_dtype_is_float(x[i].dt) ? LM_F64 : x[i].dt);
    p->attrs(&wide[0].sh, c->a.index.axis, &t);
    bool good = run(c->op, &a, p->keep, wide, ny, y, why);
    if (good) {
        back[0] = random_like(&y[0], 0xadu);
        back[1] = p->second == INPUT ? wide[1] : y[1];
        good = run(p->transpose, &t, p->second == NOTHING ? 1 : 2, back, 1, &dx, why);
    }
    if (good) {
        double forward = inner(&back[0], &y[0], &size), backward = inner(&dx, &wide[0], &size);
        good = agree(forward, backward, size, lm_ops[p->transpose].name, why);
        if (good && c->op == LM_OP_CONV) {
            const ck_tensor pair_of[2] = {wide[0], back[0]};
            good = run(LM_OP_CONV_DW, &a, 2, pair_of, 1, &dw, why) &&
                   agree(forward, inner(&dw, &wide[1], &size), size, "ConvWeightGrad", why);
        }
    }
    ck_tensors_free(x, c->nx);
    ck_tensors_free(wide, 2);
    ck_tensors_free(y, 2);
    ck_tensor_free(&back[0]);
    ck_tensor_free(&dx);
    ck_tensor_free(&dw);
    return good;
}

/* f(x + h) - f(x - h) over 2h, at every element; false near kinks and poles, which a large second difference shows. */
static bool difference(const ck_tensor f[3], int64_t i, double h, double *slope)
{
    double lo = ck_get(&f[0], i), mid = ck_get(&f[1], i), hi = ck_get(&f[2], i);
    *slope = (hi - lo) / (2 * h);
    return isfinite(*slope) && fabs(hi + lo - 2 * mid) <= 1e-7 * (1 + fabs(mid)) * h / 1e-5;
}

static const char *domain(lm_opid op)
{
    switch (op) {
    case LM_OP_SQRT:
    case LM_OP_LOG: return "pos";
    case LM_OP_ASIN:
    case LM_OP_ACOS:
    case LM_OP_ATANH: return "unit";
    case LM_OP_ACOSH: return "ge1";
    default: return "";
    }
}

static bool slope_check(const ck_case *c, char why[CK_WHY])
{
    const double h = 1e-5;
    lm_opid of = (lm_opid)c->a.actdx.of;
    ck_case forward = *c;
    ck_tensor at[3] = {0}, f[3] = {0}, x[2] = {0}, dx = {0};
    lm_attrs a = {.act = {c->a.actdx.a, c->a.actdx.b}};
    int64_t compared = 0;
    bool good = true;
    forward.fill[0] = domain(of);
    for (int k = 0; k < 3; k++) {
        at[k] = ck_tensor_new(LM_F64, &c->x[0].sh);
        ck_fill(&at[k], &forward, 0);
        for (int64_t i = 0; i < at[k].n; i++)
            ck_set(&at[k], i, ck_get(&at[k], i) + (k - 1) * h);
        good = good && run(of, &a, 1, &at[k], 1, &f[k], why);
    }
    x[0] = ck_tensor_new(LM_F64, &c->x[0].sh);
    for (int64_t i = 0; i < x[0].n; i++)
        ck_set(&x[0], i, 1 + (double)(i % 3));
    x[1] = lm_ops[of].flags & LM_FLAG_GRADY ? f[1] : at[1];
    good = good && run(LM_OP_ACT_DX, &c->a, 2, x, 1, &dx, why);
    for (int64_t i = 0; good && i < dx.n; i++) {
        double slope, got = ck_get(&dx, i) / ck_get(&x[0], i);
        if (!difference(f, i, h, &slope))
            continue;
        compared++;
        if (!(fabs(got - slope) <= 1e-6 * (1 + fabs(slope)))) {
            snprintf(why, CK_WHY, "%s at x = %.9g: derivative %.9g, central difference %.9g", lm_ops[of].name,
                     ck_get(&at[1], i), got, slope);
            good = false;
        }
    }
    if (good && compared * 2 < dx.n) {
        snprintf(why, CK_WHY, "%s: only %lld of %lld places can be compared", lm_ops[of].name, (long long)compared,
                 (long long)dx.n);
        good = false;
    }
    ck_tensors_free(at, 3);
    ck_tensors_free(f, 3);
    ck_tensor_free(&x[0]);
    ck_tensor_free(&dx);
    return good;
}

/* <s, df(u)/dd> along a random direction d against <gradient, d>. */
static bool softmax_check(const ck_case *c, lm_opid of, char why[CK_WHY])
{
    const double h = 1e-5;
    ck_tensor u = ck_tensor_new(LM_F64, &c->x[0].sh), f[3] = {0}, x[2] = {0}, dx = {0};
    ck_tensor d = random_like(&u, 0xd1);
    double size = 0, slope = 0;
    bool good = true;
    for (int k = 0; k < 3; k++) {
        ck_fill(&u, c, 0);
        for (int64_t i = 0; i < u.n; i++)
            ck_set(&u, i, ck_get(&u, i) + (k - 1) * h * ck_get(&d, i));
        good = good && run(of, &c->a, 1, &u, 1, &f[k], why);
    }
    x[0] = random_like(&u, 0x51);
    x[1] = f[1];
    good = good && run(c->op, &c->a, 2, x, 1, &dx, why);
    if (good) {
        for (int64_t i = 0; i < u.n; i++)
            slope += ck_get(&x[0], i) * (ck_get(&f[2], i) - ck_get(&f[0], i)) / (2 * h);
        double got = inner(&dx, &d, &size);
        good = fabs(got - slope) <= 1e-7 * (1 + size);
        if (!good)
            snprintf(why, CK_WHY, "%s along a direction: %.12g, central difference %.12g", lm_ops[c->op].name, got,
                     slope);
    }
    ck_tensor_free(&u);
    ck_tensor_free(&d);
    ck_tensors_free(f, 3);
    ck_tensor_free(&x[0]);
    ck_tensor_free(&dx);
    return good;
}

/* Layouts and value sets do not matter here: the plain case of each sweep does. */
static bool grad_case(const ck_case *c, void *ctx)
{
    char why[CK_WHY] = "";
    bool good = true, any = false;
    (void)ctx;
    if (c->layout != CK_ROW || c->values != CK_NORMAL || c->constant || c->fused || c->type != c->row->type ||
        !lm_dtype_is_float(c->type))
        return true;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i].op == c->op) {
            any = true;
            good = adjoint(c, &pairs[i], why);
        }
    if (c->op == LM_OP_ACT_DX) {
        any = true;
        good = slope_check(c, why);
    }
    if (c->op == LM_OP_SOFTMAX_DX || c->op == LM_OP_LOGSOFTMAX_DX) {
        any = true;
        good = softmax_check(c, c->op == LM_OP_SOFTMAX_DX ? LM_OP_SOFTMAX : LM_OP_LOGSOFTMAX, why);
    }
    if (any && good)
        ck_pass();
    else if (any)
        ck_fail("grad", c->name, NULL, why);
    return true;
}

void ck_grad(void)
{
    ck_each(grad_case, NULL);
}
