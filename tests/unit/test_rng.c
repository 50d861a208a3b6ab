/* Random numbers: the published vectors of the generator, and the moments of what is made from it. */
#include "tests/unit/test.h"

#include "core/base/rng.h"

/* The three vectors that the authors of Philox publish with it. */
static void philox_known_answers(void)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < LM_COUNT(known); i++) {
        uint32_t out[4];
        lm_philox(known[i].counter, known[i].key, out);
        CHECK(memcmp(out, known[i].out, sizeof out) == 0);
    }
    CHECK(lm_rng_u64(0, 0) == 0xe169c58d6627e8d5u);
}

static void uniform_moments(void)
{
    enum { N = 200000 };
    double sum = 0, squares = 0, product = 0, last = 0;
    for (uint64_t i = 0; i < N; i++) {
        double x = lm_rng_f64(7, i), y = lm_rng_f32(7, i);
        CHECK(x >= 0 && x < 1 && y >= 0 && y < 1 && fabs(x - y) < 1e-6);
        sum += x - 0.5;
        squares += x * x;
        product += (x - 0.5) * last;
        last = x - 0.5;
    }
    /* six standard errors each */
    CHECK_NEAR(sum / N, 0, 6 * sqrt(1.0 / 12 / N));
    CHECK_NEAR(squares / N, 1.0 / 3, 6 * sqrt(4.0 / 45 / N));
    CHECK_NEAR(product / N, 0, 6 * (1.0 / 12) / sqrt(N));
}

static void normal_moments(void)
{
    enum { N = 200000 };
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
    int beyond = 0;
    for (uint64_t i = 0; i < N; i++) {
        double z = lm_rng_normal(11, i);
        CHECK(isfinite(z) && fabs(z) < 9);
        m1 += z, m2 += z * z, m3 += z * z * z, m4 += z * z * z * z;
        beyond += fabs(z) > 1.959963984540054;
    }
    CHECK_NEAR(m1 / N, 0, 6 / sqrt(N));
    CHECK_NEAR(m2 / N, 1, 6 * sqrt(2.0 / N));
    CHECK_NEAR(m3 / N, 0, 6 * sqrt(15.0 / N));
    CHECK_NEAR(m4 / N, 3, 6 * sqrt(96.0 / N));
    CHECK_NEAR((double)beyond / N, 0.05, 6 * sqrt(0.05 * 0.95 / N));
}

/* The quantile is inverted by the complementary error function, which the mathematics library has. */
static void normal_is_the_quantile(void)
{
    for (uint64_t i = 0; i < 20000; i++) {
        double p = ((double)(lm_rng_u64(3, i) >> 11) + 0.5) * 0x1p-53, z = lm_rng_normal(3, i);
        double tail = p < 0.5 ? p : 1 - p;
        CHECK_NEAR(0.5 * erfc(fabs(z) * 0.70710678118654752440) / tail, 1, 1e-13);
    }
}

static void below_is_even(void)
{
    static const uint64_t limits[] = {1, 2, 3, 10, 1000, (uint64_t)1 << 63, UINT64_MAX};
    for (size_t i = 0; i < LM_COUNT(limits); i++)
        for (uint64_t k = 0; k < 1000; k++)
            CHECK(lm_rng_below(5, k, limits[i]) < limits[i]);
    int count[10] = {0};
    for (uint64_t k = 0; k < 100000; k++)
        count[lm_rng_below(5, k, 10)]++;
    for (int i = 0; i < 10; i++)
        CHECK_NEAR(count[i], 10000, 6 * sqrt(100000 * 0.09));
    /* a limit that is refused a third of the time: the accepted ones must fill the lower half as often as the upper */
    uint64_t n = UINT64_MAX / 3 * 2, low = 0;
    for (uint64_t k = 0; k < 20000; k++)
        low += lm_rng_below(9, k, n) < n / 2;
    CHECK_NEAR((double)low, 10000, 6 * sqrt(20000 * 0.25));
}

static void sequences_differ(void)
{
    CHECK(lm_rng_u64(1, 0) != lm_rng_u64(2, 0) && lm_rng_u64(1, 0) != lm_rng_u64(1, 1));
    CHECK(lm_rng_u64(1, 1) != lm_rng_u64((uint64_t)1 << 32, 1) && lm_rng_u64(1, 1) != lm_rng_u64(1, (uint64_t)1 << 32));
    CHECK(lm_rng_fork(1, 0) != lm_rng_fork(1, 1) && lm_rng_fork(1, 0) != lm_rng_fork(2, 0));
    CHECK(lm_rng_fork(1, 0) == lm_rng_fork(1, 0));
}

int main(void)
{
    CASE(philox_known_answers);
    CASE(uniform_moments);
    CASE(normal_moments);
    CASE(normal_is_the_quantile);
    CASE(below_is_even);
    CASE(sequences_differ);
    return test_end();
}
