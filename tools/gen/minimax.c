/* minimax.c - fits the polynomial coefficients of backends/cpu/simd/vmath.h.
 *
 * cc -O2 minimax.c -lm && ./a.out prints one table per row of `fits`: the float coefficients (lowest power first, as
 * hexadecimal floats) and log2 of the worst weighted error. A row asks for P(t) of `n` terms that minimises
 * max |w(t) (f(t) - P(t))| on [lo, hi]; Remez exchange in long double. Coefficients are rounded to float one at a time,
 * lowest power first, and the rest is fitted again after each, so that later terms absorb the rounding. */
#include <math.h>
#include <stdio.h>

typedef long double real;
typedef struct fit { const char *name; real lo, hi; int n; real (*f)(real t), (*w)(real t); } fit;

enum { MAX_TERMS = 16, GRID = 8000 };

static real sq(real t) { return sqrtl(t); }
/* exp(r) = 1 + r + r^2 P(r); the weight makes r + r^2 P good for expm1 too */
static real exp_f(real r) { return (expm1l(r) - r) / (r * r); }
static real exp_w(real r) { return r * r / fabsl(expm1l(r)); }
static real exp2_f(real r) { return expm1l(r * logl(2)) / r; }
static real exp2_w(real r) { return fabsl(r); }
/* log(1 + f) = f - f^2/2 + f^3 P(f) */
static real log_f(real f) { return (log1pl(f) - f + f * f / 2) / (f * f * f); }
static real log_w(real f) { return fabsl(f * f * f / log1pl(f)); }
/* log2((1 + s) / (1 - s)) = 2/ln2 s + s^3 P(s^2) */
static real log2_f(real t) { return (2 * atanhl(sq(t)) - 2 * sq(t)) / (logl(2) * t * sq(t)); }
static real log2_w(real t) { return t; }
/* odd functions: g(x) = x + x^3 P(x^2) */
#define ODD(g, fn)                                                                                                    \
    static real g##_f(real t) { return (fn(sq(t)) - sq(t)) / (t * sq(t)); }                                           \
    static real g##_w(real t) { return t * sq(t) / fn(sq(t)); }
ODD(sin, sinl)
ODD(tan, tanl)
ODD(tanh, tanhl)
ODD(asin, asinl)
ODD(atan, atanl)
ODD(sinh, sinhl)
ODD(asinh, asinhl)
ODD(atanh, atanhl)
/* cos(x) = 1 - x^2/2 + x^4 P(x^2) */
static real cos_f(real t) { return (cosl(sq(t)) - 1 + t / 2) / (t * t); }
static real cos_w(real t) { return t * t / cosl(sq(t)); }
/* erf(x) = x + x P(x^2) up to 1; 1 - exp(-P(x - 2)) beyond */
static real erf_f(real t) { return erfl(sq(t)) / sq(t) - 1; }
static real erf_w(real t) { return sq(t) / erfl(sq(t)); }
static real tail_f(real t) { return -logl(erfcl(t + 2)); }
static real tail_w(real t) { return erfcl(t + 2); }

/* Q(a) = erfc(a / sqrt 2) / 2 = exp(-a^2 / 2) u P(u) with u = 1 / (1 + a/3) */
static real gauss_f(real u)
{
    real a = (1 / u - 1) * 3;
    return 0.5L * erfcl(a * sqrtl(0.5L)) * expl(a * a / 2) / u;
}
static real gauss_w(real u) { return 1 / gauss_f(u); }

static const fit fits[] = {
    {"exp", -0.3467L, 0.3467L, 5, exp_f, exp_w},     {"exp2", -0.5005L, 0.5005L, 7, exp2_f, exp2_w},
    {"weight", -0.5005L, 0.5005L, 5, exp2_f, exp2_w},
    {"log", -0.29290L, 0.41423L, 9, log_f, log_w},   {"log2", 1e-6L, 0.02945L, 4, log2_f, log2_w},
    {"sin", 1e-6L, 0.64L, 4, sin_f, sin_w},          {"cos", 1e-4L, 0.64L, 4, cos_f, cos_w},
    {"tan", 1e-6L, 0.64L, 7, tan_f, tan_w},          {"tanh", 1e-6L, 0.3907L, 5, tanh_f, tanh_w},
    {"asin", 1e-6L, 0.25L, 5, asin_f, asin_w},       {"atan", 1e-6L, 1.0L, 9, atan_f, atan_w},
    {"sinh", 1e-6L, 1.0L, 4, sinh_f, sinh_w},        {"asinh", 1e-6L, 1.0L, 9, asinh_f, asinh_w},
    {"atanh", 1e-6L, 0.25L, 6, atanh_f, atanh_w},    {"erf", 1e-6L, 1.0L, 7, erf_f, erf_w},
    {"erf_tail", -1.0L, 2.0L, 8, tail_f, tail_w},    {"gauss", 0.165L, 1.0L, 10, gauss_f, gauss_w},
};

/* The rest of the fit once the `known` lowest coefficients are fixed: (f - sum c t^k) / t^known, weight w t^known. */
static real target(const fit *q, const real *c, int known, real t)
{
    real y = q->f(t);
    for (int k = 0; k < known; k++)
        y = (y - c[k]) / t;
    return y;
}

static real horner(const real *c, int from, int n, real t)
{
    real y = 0;
    for (int k = n - 1; k >= from; k--)
        y = y * t + c[k];
    return y;
}

static void solve(int n, real a[][MAX_TERMS + 2])
{
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int i = k + 1; i < n; i++)
            if (fabsl(a[i][k]) > fabsl(a[best][k]))
                best = i;
        for (int j = 0; j <= n; j++) {
            real swap = a[k][j];
            a[k][j] = a[best][j], a[best][j] = swap;
        }
        for (int i = 0; i < n; i++) {
            real f = i == k ? 0 : a[i][k] / a[k][k];
            for (int j = k; f != 0 && j <= n; j++)
                a[i][j] -= f * a[k][j];
        }
    }
    for (int k = 0; k < n; k++)
        a[k][n] /= a[k][k];
}

/* Chebyshev grid, the point 0 left out: every target is a quotient there. */
static real grid_point(const fit *q, int i)
{
    real t = (q->lo + q->hi) / 2 - (q->hi - q->lo) / 2 * cosl(acosl(-1) * (i + 0.5L) / GRID);
    return fabsl(t) < 1e-5L * q->hi ? 1e-5L * q->hi : t;
}

/* One extremum of the weighted error per run of equal sign; returns their number. */
static int extrema(const fit *q, const real *c, int known, real *at, real *err)
{
    int m = 0;
    for (int i = 0; i < GRID && m < 4 * MAX_TERMS; i++) {
        real t = grid_point(q, i);
        real e = (target(q, c, known, t) - horner(c, known, q->n, t)) * q->w(t) * powl(t, known);
        if (m == 0 || (e > 0) != (err[m - 1] > 0))
            at[m] = t, err[m++] = e;
        else if (fabsl(e) > fabsl(err[m - 1]))
            at[m - 1] = t, err[m - 1] = e;
    }
    return m;
}

static real remez(const fit *q, real *c, int known)
{
    int n = q->n - known;
    real at[4 * MAX_TERMS], err[4 * MAX_TERMS], worst = 0;
    for (int i = 0; i <= n; i++)
        at[i] = grid_point(q, (int)((i + 0.5L) * GRID / (n + 1)));
    for (int round = 0; round < 40; round++) {
        real a[MAX_TERMS + 1][MAX_TERMS + 2];
        for (int i = 0; i <= n; i++) {
            real t = at[i], p = 1;
            for (int k = 0; k < n; k++, p *= t)
                a[i][k] = p;
            a[i][n] = (i & 1 ? -1 : 1) / (q->w(t) * powl(t, known));
            a[i][n + 1] = target(q, c, known, t);
        }
        solve(n + 1, a);
        for (int k = 0; k < n; k++)
            c[known + k] = a[k][n + 1];
        int m = extrema(q, c, known, at, err);
        worst = 0;
        for (int i = 0; i < m; i++)
            worst = fmaxl(worst, fabsl(err[i]));
        if (m < n + 1)
            break;
        int drop = 0; /* too many: give up the smaller end, in turn */
        while (m - drop > n + 1)
            fabsl(err[drop]) < fabsl(err[m - 1]) ? drop++ : m--;
        for (int i = 0; i <= n; i++)
            at[i] = at[drop + i];
    }
    return worst;
}

static real worst_error(const fit *q, const real *c)
{
    real at[4 * MAX_TERMS], err[4 * MAX_TERMS], worst = 0;
    int m = extrema(q, c, 0, at, err);
    for (int k = 0; k < m; k++)
        worst = fmaxl(worst, fabsl(err[k]));
    return worst;
}

int main(void)
{
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++) {
        const fit *q = &fits[i];
        real c[MAX_TERMS] = {0}, plain[MAX_TERMS] = {0};
        real ideal = remez(q, c, 0);
        for (int k = 0; k < q->n; k++)
            plain[k] = (float)c[k];
        for (int k = 0; k < q->n; k++) {
            c[k] = (float)c[k];
            if (k + 1 < q->n)
                remez(q, c, k + 1);
        }
        /* where the interval holds 0 and its weight is not 0, a rounded constant term cannot be made good */
        const real *best = worst_error(q, c) < worst_error(q, plain) ? c : plain;
        printf("%s  worst 2^%.2f (before rounding 2^%.2f)\n   ", q->name, (double)log2l(worst_error(q, best)),
               (double)log2l(ideal));
        for (int k = 0; k < q->n; k++)
            printf(" %af,", (double)best[k]);
        printf("\n");
    }
    return 0;
}
