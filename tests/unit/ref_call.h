/* One op on the reference device: describe inputs, run, compare results.
 *
 *     attrs.axis.axis = 1;
 *     IN(LM_F32, LM_SHAPE(1, 2), 3, 4);
 *     run(LM_OP_CUMSUM, 1);
 *     OUT(0, 3, 7);
 *     next(); */
#ifndef LM_TEST_REF_CALL_H
#define LM_TEST_REF_CALL_H

#include "tests/unit/test.h"

#include "core/device/backend.h"

extern const lm_backend lm_backend_ref;

enum { OPERANDS = 8 };
static lm_device *ref;
static lm_attrs attrs;      /* of the next call */
static lm_view x[OPERANDS]; /* its inputs, freed after it */
static lm_view y[LM_OUT_MAX];
static int nx;

static void drop(lm_view *v, int n)
{
    for (int i = 0; i < n; i++) {
        lm_buffer_unref(v[i].buf);
        v[i] = (lm_view){0};
    }
}

/* Add an input with these values. */
#define IN(dt, shape, ...)                                                                                             \
    input(dt, shape, (double[]){__VA_ARGS__}, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)))
static void input(lm_dtype dt, lm_shape shape, const double *values, int n)
{
    CHECK_OK(lm_view_new(dt, &shape, &x[nx]));
    CHECK_INT(lm_shape_count(&shape), n);
    for (int i = 0; i < n; i++)
        lm_view_set(&x[nx], i, values[i]);
    nx++;
}

/* A call with y already typed; the fused one has an epilogue. */
static lm_status bind_and_launch(lm_opid op, const lm_epilogue *ep, int ny)
{
    lm_call call = {.op = op, .a = &attrs, .ep = ep, .nx = nx, .ny = ny, .x = x, .y = y};
    lm_kernel *kernel;
    LM_TRY(ref->vt->bind(ref, &call, &kernel));
    lm_arg arg[OPERANDS + LM_OUT_MAX];
    for (int i = 0; i < nx; i++)
        arg[i] = (lm_arg){x[i].buf, x[i].off};
    for (int i = 0; i < ny; i++)
        arg[nx + i] = (lm_arg){y[i].buf, y[i].off};
    lm_status status = ref->vt->launch(ref, kernel, arg, NULL);
    kernel->free(kernel);
    return status;
}

static lm_status compute(lm_opid op, const lm_epilogue *ep, int ny)
{
    lm_type in[OPERANDS], out[LM_OUT_MAX] = {0};
    const lm_view *value[OPERANDS];
    for (int i = 0; i < nx; i++) {
        in[i] = (lm_type){x[i].dt, x[i].sh};
        value[i] = &x[i];
    }
    lm_shape_args args = {op, &attrs, nx - lm_epilogue_inputs(ep), ny, in, value};
    LM_TRY(lm_op_infer(&args, out));
    for (int i = 0; i < ny; i++)
        LM_TRY(lm_view_new(out[i].dt, &out[i].sh, &y[i]));
    return bind_and_launch(op, ep, ny);
}

static bool same(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b && signbit(a) == signbit(b);
}

/* Result k has exactly these values, signs of zeros included; `slack` loosens that. */
#define OUT(k, ...) output(k, 0, (double[]){__VA_ARGS__}, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)))
#define NEAR(k, slack, ...)                                                                                            \
    output(k, slack, (double[]){__VA_ARGS__}, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)))
static void output(int k, double slack, const double *wanted, int n)
{
    if (!CHECK(y[k].buf != NULL) || !CHECK_INT(lm_shape_count(&y[k].sh), n))
        return;
    for (int i = 0; i < n; i++) {
        double got = lm_view_get(&y[k], i);
        if (!CHECK(slack > 0 ? fabs(got - wanted[i]) <= slack : same(got, wanted[i])))
            printf("result %d, element %d: got %.17g, wanted %.17g\n", k, i, got, wanted[i]);
    }
}

static inline void run(lm_opid op, int ny)
{
    CHECK_OK(compute(op, NULL, ny));
}

static void next(void)
{
    drop(x, nx);
    drop(y, LM_OUT_MAX);
    nx = 0;
    memset(&attrs, 0, sizeof attrs);
}

static inline void refuses(lm_opid op, const char *word)
{
    CHECK_FAILS(compute(op, NULL, 1), LM_INPUT);
    if (!CHECK(strstr(lm_message(), lm_ops[op].name) && strstr(lm_message(), word)))
        printf("message: %s\n", lm_message());
    next();
}

/* Open the device, run the cases, close it. */
static inline int with_ref(void (*cases)(void))
{
    if (lm_backend_ref.open(NULL, 0, NULL, &ref) != LM_OK)
        return 1;
    cases();
    ref->vt->close(ref);
    return test_end();
}

#endif
