/* The largest eigenpair of a symmetric matrix: reflections make it tridiagonal, bisection finds the eigenvalue, inverse
 * iteration the vector. Time does not depend on how far the eigenvalues lie apart, as it would with powers. */
#include "core/explain/eigen.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Reflect the rows and columns behind `k` so that column k has nothing below the diagonal's neighbour, with which this
 * answers. The unit vector of the reflection stays in row k, right of the diagonal; all zeros: there was nothing to do.
 * `p` is room for n numbers. */
static double reflect(int64_t n, int64_t k, double *a, double *p)
{
    int64_t m = n - k - 1;
    double *v = a + k * n + k + 1, *rest = a + (k + 1) * n + k + 1;
    double norm = sqrt(dot(v, v, m)), beside = v[0] > 0 ? -norm : norm;
    if (norm == 0) {
        memset(v, 0, (size_t)m * sizeof *v);
        return 0;
    }
    v[0] -= beside;
    double length = sqrt(dot(v, v, m));
    for (int64_t i = 0; i < m; i++)
        v[i] /= length;
    for (int64_t i = 0; i < m; i++)
        p[i] = dot(rest + i * n, v, m);
    double along = dot(p, v, m);
    for (int64_t i = 0; i < m; i++)
        p[i] = 2 * (p[i] - along * v[i]);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++)
            rest[i * n + j] -= v[i] * p[j] + p[i] * v[j];
    return beside;
}

/* Is no eigenvalue of the tridiagonal matrix larger than x? */
static bool all_below(int64_t n, const double *diagonal, const double *beside, double x)
{
    double pivot = 1;
    for (int64_t i = 0; i < n; i++) {
        double left = i ? beside[i - 1] * beside[i - 1] / pivot : 0;
        pivot = diagonal[i] - x - left;
        if (pivot >= 0)
            return false;
    }
    return true;
}

static double largest(int64_t n, const double *diagonal, const double *beside)
{
    double low = diagonal[0], high = -DBL_MAX;
    for (int64_t i = 0; i < n; i++) {
        double reach = (i ? fabs(beside[i - 1]) : 0) + (i + 1 < n ? fabs(beside[i]) : 0);
        low = fmax(low, diagonal[i]);
        high = fmax(high, diagonal[i] + reach);
    }
    for (double middle = low + (high - low) / 2; middle > low && middle < high; middle = low + (high - low) / 2)
        *(all_below(n, diagonal, beside, middle) ? &high : &low) = middle;
    return high;
}

/* Solve (T - x) y = b in place of b, rows swapped where the pivot below is larger. work: [3, n], the rows of the upper
 * triangle. A pivot of zero becomes tiny: the solution then points along the vector that is looked for. */
static void solve(int64_t n, const double *diagonal, const double *beside, double x, double *b, double *work)
{
    double *u = work, *u1 = work + n, *u2 = work + 2 * n;
    double tiny = DBL_EPSILON * fmax(fabs(x), DBL_MIN / DBL_EPSILON);
    double now = diagonal[0] - x, next = n > 1 ? beside[0] : 0;
    for (int64_t i = 0; i < n; i++) {
        double below = i + 1 < n ? beside[i] : 0, below_d = i + 1 < n ? diagonal[i + 1] - x : 0;
        double below_n = i + 2 < n ? beside[i + 1] : 0;
        if (fabs(below) > fabs(now)) {
            double swapped = b[i], factor = now / below;
            u[i] = below;
            u1[i] = below_d;
            u2[i] = below_n;
            b[i] = b[i + 1];
            b[i + 1] = swapped - factor * b[i];
            now = next - factor * below_d;
            next = -factor * below_n;
        } else {
            if (fabs(now) < tiny)
                now = tiny;
            double factor = below / now;
            u[i] = now;
            u1[i] = next;
            u2[i] = 0;
            if (i + 1 < n)
                b[i + 1] -= factor * b[i];
            now = below_d - factor * next;
            next = below_n;
        }
    }
    for (int64_t i = n; i-- > 0;) {
        double left = b[i] - (i + 1 < n ? u1[i] * b[i + 1] : 0) - (i + 2 < n ? u2[i] * b[i + 2] : 0);
        b[i] = left / u[i];
    }
}

static void normalise(int64_t n, double *v)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(v[i]));
    for (int64_t i = 0; most > 0 && i < n; i++)
        v[i] /= most;
    double length = sqrt(dot(v, v, n));
    for (int64_t i = 0; length > 0 && i < n; i++)
        v[i] /= length;
}

lm_status lm_eigen_largest(int64_t n, double *matrix, double *value, double *vector)
{
    double *work = lm_malloc((size_t)n, 5 * sizeof *work);
    if (!work)
        return LM_MEMORY;
    double *diagonal = work, *beside = work + n, *room = work + 2 * n;
    for (int64_t k = 0; k < n; k++) {
        diagonal[k] = matrix[k * n + k];
        if (k + 1 < n)
            beside[k] = k + 2 < n ? reflect(n, k, matrix, room) : matrix[k * n + k + 1];
    }
    *value = largest(n, diagonal, beside);
    /* the golden ratio's multiples are as even as can be, so no eigenvector is at right angles to the start */
    for (int64_t i = 0; i < n; i++)
        vector[i] = 1 + fmod(0.6180339887498949 * (double)i, 1.0);
    for (int round = 0; round < 4; round++) {
        solve(n, diagonal, beside, *value, vector, room);
        normalise(n, vector);
    }
    for (int64_t k = n - 2; k-- > 0;) {
        const double *v = matrix + k * n + k + 1;
        double twice = 2 * dot(v, vector + k + 1, n - k - 1);
        for (int64_t i = 0; i < n - k - 1; i++)
            vector[k + 1 + i] -= twice * v[i];
    }
    lm_free(work);
    return LM_OK;
}

/* Products of all pairs: of the rows of a, or of its columns. */
static void gram(int64_t channels, int64_t positions, const double *a, bool of_rows, double *out)
{
    int64_t n = of_rows ? channels : positions;
    memset(out, 0, (size_t)(n * n) * sizeof *out);
    if (of_rows)
        for (int64_t c = 0; c < n; c++)
            for (int64_t d = 0; d <= c; d++)
                out[c * n + d] = out[d * n + c] = dot(a + c * positions, a + d * positions, positions);
    else
        for (int64_t c = 0; c < channels; c++)
            for (int64_t p = 0; p < n; p++)
                for (int64_t q = 0; q < n; q++)
                    out[p * n + q] += a[c * n + p] * a[c * n + q];
}

lm_status lm_eigen_component(int64_t channels, int64_t positions, const double *a, double *out)
{
    bool of_rows = channels < positions;
    int64_t n = of_rows ? channels : positions;
    memset(out, 0, (size_t)positions * sizeof *out);
    double *matrix = lm_malloc((size_t)n, (size_t)n * sizeof *matrix), *vector = lm_malloc((size_t)n, sizeof *vector);
    double value, sum = 0;
    lm_status status = matrix && vector ? LM_OK : LM_MEMORY;
    if (status == LM_OK) {
        gram(channels, positions, a, of_rows, matrix);
        status = lm_eigen_largest(n, matrix, &value, vector);
    }
    if (status == LM_OK && value > 0) {
        for (int64_t c = 0; of_rows && c < channels; c++)
            for (int64_t p = 0; p < positions; p++)
                out[p] += vector[c] * a[c * positions + p];
        for (int64_t p = 0; p < positions; p++) {
            if (!of_rows)
                out[p] = sqrt(value) * vector[p];
            sum += out[p];
        }
        for (int64_t p = 0; sum < 0 && p < positions; p++)
            out[p] = -out[p];
    }
    lm_free(vector);
    lm_free(matrix);
    return status;
}
