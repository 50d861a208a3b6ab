/* Vector math against double precision: the error of every function in units in the last place on a sample of floats,
 * its corners, and the same bits at every level. `test_vmath STEP` takes every STEP-th float (1: all). */
#include "backends/cpu/kernels.h"
#include "backends/cpu/simd/vmath_trig.h"
#include "tests/unit/test.h"

#include <float.h>

static uint32_t step = 40009;

static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

/* name, bound in ulp: a little above the worst that every 31st float gives */
#define FUNCTIONS(X)                                                                                                   \
    X(exp, 1.1) X(expm1, 1.6) X(log, 0.8) X(log1p, 1.5) X(erf, 1.2) X(tanh, 1.4) X(sigmoid, 2.0) X(softplus, 1.8)      \
    X(sin, 0.9) X(cos, 0.9) X(tan, 1.8) X(asin, 1.7) X(acos, 1.2) X(atan, 1.2) X(sinh, 1.7) X(cosh, 1.6)               \
    X(asinh, 1.4) X(acosh, 2.0) X(atanh, 1.4) X(normal_cdf, 6.5)

typedef struct function {
    const char *name;
    double bound, (*want)(double);
    lm_v16 (*got)(lm_v16);
} function;

#define WRAP(f, bound) static lm_v16 got_##f(lm_v16 x) { return lm_v_##f(x); }
FUNCTIONS(WRAP)
#define ROW(f, bound) {#f, bound, f, got_##f},
static const function functions[] = {FUNCTIONS(ROW)};

static bool one_sign(double a, double b)
{
    return !signbit(a) == !signbit(b);
}

/* Distance of a result from the truth in units of the truth's last place; infinite when they differ in kind. */
static double ulps(float got, double want)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (isinf(got))
        return fabs(want) > FLT_MAX && one_sign(want, got) ? 0 : INFINITY;
    if (isinf(want) || (want == 0 && (got != 0 || !one_sign(want, got))))
        return INFINITY;
    int e;
    frexp(want, &e);
    return fabs((double)got - want) / ldexp(1, (e < -125 ? -125 : e) - 24);
}

static bool holds(const function *f, const float *x, double *worst, float *where)
{
    float y[16];
    lm_v_store(y, f->got(lm_v_load(x)));
    for (int i = 0; i < 16; i++) {
        double u = ulps(y[i], f->want((double)x[i]));
        if (!(u <= *worst))
            *worst = u, *where = x[i];
        if (!(u <= f->bound)) {
            printf("%s(%a) = %a is %.2f ulp from %a\n", f->name, (double)x[i], (double)y[i], u, f->want((double)x[i]));
            return false;
        }
    }
    return true;
}

static void accuracy(void)
{
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
        double worst = 0;
        float x[16], where = 0;
        bool ok = true;
        for (uint64_t bits = 0; bits <= UINT32_MAX && ok; bits += 16ull * step) {
            for (uint64_t i = 0; i < 16; i++) {
                uint32_t b = (uint32_t)(bits + i * step);
                memcpy(&x[i], &b, sizeof b);
            }
            ok = holds(&functions[k], x, &worst, &where);
        }
        printf("%-10s at most %.3f ulp, at %a\n", functions[k].name, worst, (double)where);
        CHECK(ok);
    }
}

static void corners(void)
{
    static const float x[16] = {0.0f,    -0.0f,    INFINITY, -INFINITY, NAN,    0x1p-149f, -0x1p-149f, FLT_MIN,
                                FLT_MAX, -FLT_MAX, 1.0f,     -1.0f,     88.72f, -103.9f,   0x1p17f,    0x1.6ac5b2p+77f};
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
        double worst = 0;
        float where;
        CHECK(holds(&functions[k], x, &worst, &where));
    }
}

static uint32_t random32(void)
{
    static uint64_t state = 7;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

/* Operand `side` of trial `k`: every pair of hard values first, then values whose powers stay finite, more or less. */
static float operand(uint32_t k, int side)
{
    static const float hard[] = {
        0.0f,      -0.0f,       1.0f,        -1.0f,       2.0f,         -2.0f, 3.0f,  -3.0f,       0.5f,       -0.5f,
        INFINITY,  -INFINITY,   NAN,         0x1p-149f,   -0x1p-149f,   2.5f,  -2.5f, FLT_MAX,     -FLT_MAX,   126.5f,
        16777218.0f, 16777215.0f, -16777215.0f, 0.99999994f, 1.0000001f, -0.99999994f, 1e9f, -1e9f};
    const uint32_t n = sizeof hard / sizeof *hard;
    if (k < n * n)
        return hard[side ? k % n : k / n];
    float spread = (float)((int)(random32() & 0xfffff) - 524288);
    bool wide = random32() & 1;
    return side ? spread / (wide ? 6e4f : 2e3f) : expf(spread / (wide ? 6e3f : 1.6e7f));
}

static void powers(void)
{
    double worst[2] = {0, 0};
    for (uint32_t k = 0; k < 400000; k += 16) {
        float x[16], y[16], p[16], t[16];
        for (uint32_t i = 0; i < 16; i++)
            x[i] = operand(k + i, 0), y[i] = operand(k + i, 1);
        lm_v_store(p, lm_v_pow(lm_v_load(x), lm_v_load(y)));
        lm_v_store(t, lm_v_atan2(lm_v_load(x), lm_v_load(y)));
        for (int i = 0; i < 16; i++) {
            double u = ulps(p[i], pow((double)x[i], (double)y[i])), v = ulps(t[i], atan2((double)x[i], (double)y[i]));
            worst[0] = fmax(worst[0], u), worst[1] = fmax(worst[1], v);
            if (!CHECK(u <= 3.6 && v <= 1.7))
                printf("x = %a, y = %a: pow %a, %.2f ulp; atan2 %a, %.2f ulp\n", (double)x[i], (double)y[i],
                       (double)p[i], u, (double)t[i], v);
        }
    }
    printf("pow at most %.3f ulp, atan2 %.3f\n", worst[0], worst[1]);
}

/* Kernels of all levels on a sample of all floats. */
static void levels(void)
{
    enum { RUN = 4096 };
    static float x[RUN], want[RUN], got[RUN];
    const lm_stream *scalar = lm_cpu_stream(LM_CPU_SCALAR);
    for (lm_cpu_level l = LM_CPU_SCALAR + 1; l < LM_CPU_LEVELS; l++)
        for (int op = LM_OP_EXP; lm_cpu_level_usable(l) && op <= LM_OP_SOFTSIGN; op++)
            for (uint64_t bits = 0; bits <= UINT32_MAX && scalar->ew[op]; bits += (uint64_t)RUN * 40009) {
                bool ok = true;
                for (uint64_t i = 0; i < RUN; i++) {
                    uint32_t b = (uint32_t)(bits + i * 40009);
                    memcpy(&x[i], &b, sizeof b);
#ifdef __arm__
                    x[i] = fabsf(x[i]) < FLT_MIN ? copysignf(0, x[i]) : x[i];
#endif
                }
                lm_ew e = {.y = want, .x = {x}, .n = RUN, .a = 0.5f, .b = 0.25f};
                scalar->ew[op](&e);
                e.y = got;
                lm_cpu_stream(l)->ew[op](&e);
                for (int i = 0; i < RUN && ok; i++) {
                    bool equal = memcmp(&got[i], &want[i], sizeof *got) == 0 || (isnan(got[i]) && isnan(want[i]));
#ifdef __arm__ /* vectors there have no subnormals, nor what is made of them */
                    equal = equal || (fabsf(got[i]) < 0x1p-100f && fabsf(want[i]) < 0x1p-100f);
#endif
                    if (!equal)
                        printf("%s(%a): %s %a, scalar %a\n", lm_ops[op].id, (double)x[i], lm_cpu_level_name(l),
                               (double)got[i], (double)want[i]);
                    ok = CHECK(equal);
                }
            }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        step = (uint32_t)strtoul(argv[1], NULL, 10);
    CASE(accuracy);
    CASE(corners);
    CASE(powers);
    CASE(levels);
    return test_end();
}
