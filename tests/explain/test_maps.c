/* What maps are made with: other sizes, and principal components. */
#include "core/explain/eigen.h"
#include "core/explain/upsample.h"
#include "tests/explain/small.h"

static void resizing(void)
{
    const double x[4] = {0, 4, 8, 16};
    double y[16], back[4];
    const double wanted[16] = {0, 1, 3, 4, 2, 3.25, 5.75, 7, 6, 7.75, 11.25, 13, 8, 10, 14, 16};
    CHECK_OK(lm_upsample(LM_UPSAMPLE_BILINEAR, 2, (int64_t[]){2, 2}, (int64_t[]){4, 4}, x, y));
    for (int i = 0; i < 16; i++)
        CHECK_NEAR(y[i], wanted[i], 1e-12);
    CHECK_OK(lm_upsample(LM_UPSAMPLE_NEAREST, 2, (int64_t[]){4, 4}, (int64_t[]){2, 2}, y, back));
    CHECK_NEAR(back[0], y[5], 0);
    CHECK_NEAR(back[3], y[15], 0);
    CHECK_OK(lm_upsample(LM_UPSAMPLE_NEAREST, 1, (int64_t[]){3}, (int64_t[]){4}, x, y));
    CHECK_NEAR(y[1], 4, 0);
    CHECK_NEAR(y[2], 4, 0);
    CHECK_OK(lm_upsample(LM_UPSAMPLE_FLOOR, 1, (int64_t[]){3}, (int64_t[]){4}, x, y));
    CHECK_NEAR(y[1], 0, 0);
    CHECK_NEAR(y[3], 8, 0);
    for (int64_t n = 1; n < 12; n++) { /* totals stay, whatever the sizes */
        double sum = 0;
        CHECK_OK(lm_spread(1, (int64_t[]){4}, &n, x, y));
        for (int64_t i = 0; i < n; i++)
            sum += y[i];
        CHECK_NEAR(sum, 28, 1e-12);
    }
    CHECK_FAILS(lm_upsample(LM_UPSAMPLE_NEAREST, 1, (int64_t[]){0}, (int64_t[]){4}, x, y), LM_INPUT);
}

static void principal_components(void)
{
    /* [[3,0],[4,5]] has the singular values sqrt(45) and sqrt(5); a column of zeros changes neither */
    double out[40], at[2] = {15 / sqrt(10), 15 / sqrt(10)};
    CHECK_OK(lm_eigen_component(2, 2, (double[]){3, 0, 4, 5}, out));
    for (int p = 0; p < 2; p++)
        CHECK_NEAR(out[p], at[p], 1e-12);
    CHECK_OK(lm_eigen_component(2, 3, (double[]){3, 0, 0, 4, 0, 5}, out));
    CHECK_NEAR(out[0], at[0], 1e-12);
    CHECK_NEAR(out[1], 0, 1e-12);
    CHECK_NEAR(out[2], at[1], 1e-12);
    CHECK_OK(lm_eigen_component(2, 2, (double[]){-3, 0, -4, -5}, out)); /* the sign is that of the sum */
    CHECK_NEAR(out[0] + out[1], 2 * at[0], 1e-12);
    CHECK_OK(lm_eigen_component(2, 2, (double[4]){0}, out));
    CHECK_NEAR(out[0], 0, 0);
    for (int64_t n = 1; n <= 40; n++) {
        double matrix[1600], again[1600], vector[40], value, residual = 0, length = 0, most = -INFINITY;
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k <= i; k++)
                matrix[i * n + k] = matrix[k * n + i] = small_number(i * i + 7 * k);
        memcpy(again, matrix, sizeof again);
        CHECK_OK(lm_eigen_largest(n, matrix, &value, vector));
        for (int64_t i = 0; i < n; i++) {
            double sum = 0;
            for (int64_t k = 0; k < n; k++)
                sum += again[i * n + k] * vector[k];
            residual = fmax(residual, fabs(sum - value * vector[i]));
            length += vector[i] * vector[i];
            most = fmax(most, again[i * n + i]);
        }
        CHECK_NEAR(residual, 0, 1e-12 * (double)n);
        CHECK_NEAR(length, 1, 1e-12);
        CHECK(value >= most - 1e-12); /* no diagonal element can be larger */
    }
    /* equal to -(1,1) on one side: a start of ones would never leave it */
    double value, vector[2];
    CHECK_OK(lm_eigen_largest(2, (double[]){2, -1, -1, 2}, &value, vector));
    CHECK_NEAR(value, 3, 1e-12);
    CHECK_NEAR(vector[0] + vector[1], 0, 1e-12);
}

int main(void)
{
    CASE(resizing);
    CASE(principal_components);
    return test_end();
}
