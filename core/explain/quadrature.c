/* Nodes and weights. Gauss-Legendre nodes are roots of a Legendre polynomial, found by Newton's method in pairs of
 * doubles, because a weight near the ends of the interval loses n^2 times the error of its node. Only basic
 * operations are used: the same bits on every machine. */
#include "core/explain/quadrature.h"

#include <math.h>

/* hi + lo, |lo| at most half a unit in the last place of hi. */
typedef struct pair {
    double hi, lo;
} pair;

static pair quick_sum(double a, double b)
{
    double s = a + b;
    return (pair){s, b - (s - a)};
}

static pair add(pair a, pair b)
{
    double s = a.hi + b.hi, t = s - a.hi, e = (a.hi - (s - t)) + (b.hi - t);
    return quick_sum(s, e + a.lo + b.lo);
}

static pair negative(pair a)
{
    return (pair){-a.hi, -a.lo};
}

static pair times(pair a, pair b)
{
    double p = a.hi * b.hi, e = fma(a.hi, b.hi, -p);
    return quick_sum(p, e + (a.hi * b.lo + a.lo * b.hi));
}

static pair over(pair a, pair b)
{
    double q = a.hi / b.hi;
    pair rest = add(a, negative(times(b, (pair){q, 0})));
    return quick_sum(q, rest.hi / b.hi);
}

static pair whole(int64_t n)
{
    return (pair){(double)n, 0};
}

/* The Legendre polynomials of degree n and n - 1 at x. */
static void legendre(int64_t n, pair x, pair *p, pair *before)
{
    *before = whole(1);
    *p = x;
    for (int64_t k = 2; k <= n; k++) {
        pair up = add(times(times(whole(2 * k - 1), x), *p), negative(times(whole(k - 1), *before)));
        *before = *p;
        *p = over(up, whole(k));
    }
}

/* Cosine of 0 <= t <= pi/2. */
static double cosine(double t)
{
    double sum = 1;
    for (int k = 22; k > 0; k -= 2)
        sum = 1 - sum * t * t / (k * (k - 1));
    return sum;
}

/* The i-th largest root, i from 1 to (n + 1) / 2, as (1 - root) / 2, and its weight on an interval of length 1. */
static void gauss_node(int64_t n, int64_t i, double *node, double *weight)
{
    const double pi = 3.14159265358979323846, m = (double)n;
    pair x = {cosine(pi * ((double)i - 0.25) / (m + 0.5)) * (1 - (m - 1) / (8 * m * m * m)), 0}, p, before, below;
    if (2 * i == n + 1)
        x.hi = 0;
    for (int turn = 0; turn < 8; turn++) {
        legendre(n, x, &p, &before);
        /* (1 - x^2) P_n' = n (P_{n-1} - x P_n) */
        below = add(whole(1), negative(times(x, x)));
        pair step = over(times(p, below), times(whole(n), add(before, negative(times(x, p)))));
        if (2 * i == n + 1 || fabs(step.hi) < 1e-29)
            break;
        x = add(x, negative(step));
    }
    pair root = times(whole(n), before), w = over(below, times(root, root));
    pair from_end = add(whole(1), negative(x));
    *node = (from_end.hi + from_end.lo) / 2;
    *weight = w.hi + w.lo;
}

static void gauss(int64_t n, double *node, double *weight)
{
    for (int64_t i = 0; i < (n + 1) / 2; i++) {
        gauss_node(n, i + 1, &node[i], &weight[i]);
        node[n - 1 - i] = 1 - node[i];
        weight[n - 1 - i] = weight[i];
    }
}

lm_status lm_quadrature_make(lm_quadrature kind, int64_t n, double *node, double *weight)
{
    LM_REQUIRE(n >= 1, LM_USAGE, "a quadrature of %lld nodes", (long long)n);
    if (kind == LM_QUADRATURE_GAUSS) {
        LM_REQUIRE(n <= 16384, LM_USAGE, "Gauss quadrature of %lld nodes; choose middle for more than 16384",
                   (long long)n);
        gauss(n, node, weight);
        return LM_OK;
    }
    LM_REQUIRE(kind != LM_QUADRATURE_TRAPEZOID || n > 1, LM_USAGE, "the trapezoid rule needs two steps at least");
    const int64_t intervals = kind == LM_QUADRATURE_TRAPEZOID ? n - 1 : n;
    const double shift = kind == LM_QUADRATURE_MIDDLE ? 0.5 : kind == LM_QUADRATURE_RIGHT ? 1 : 0;
    for (int64_t i = 0; i < n; i++) {
        node[i] = ((double)i + shift) / (double)intervals;
        weight[i] = 1 / (double)intervals;
    }
    if (kind == LM_QUADRATURE_TRAPEZOID) {
        weight[0] /= 2;
        weight[n - 1] /= 2;
    }
    return LM_OK;
}

void lm_quadrature_round(int64_t n, double *node)
{
    const float first = (float)node[0], last = (float)node[n - 1];
    const double step = n > 1 ? (double)((last - first) / (float)(n - 1)) : 0;
    for (int64_t i = 0; i < n; i++)
        node[i] = i < n / 2 ? (float)(first + step * (double)i) : (float)(last - step * (double)(n - 1 - i));
}

double lm_quadrature_residual(lm_quadrature kind, int64_t n, const double *node, const double *value,
                              const double *slope, double first, double last, double total)
{
    double sum = 0, at = 0, before = first, left = 0;
    if (kind != LM_QUADRATURE_LEFT && kind != LM_QUADRATURE_RIGHT && kind != LM_QUADRATURE_TRAPEZOID)
        return NAN;
    /* the slope counted over an interval is that of the node at its left, at its right, or the mean of both */
    for (int64_t i = 0; i < n; i++) {
        const double taken = kind == LM_QUADRATURE_LEFT    ? left
                             : kind == LM_QUADRATURE_RIGHT ? slope[i]
                                                           : (left + slope[i]) / 2;
        sum += node[i] > at ? fabs(value[i] - before - total * (node[i] - at) * taken) : 0;
        at = node[i];
        before = value[i];
        left = slope[i];
    }
    return at < 1 ? sum + fabs(last - before - total * (1 - at) * left) : sum;
}
