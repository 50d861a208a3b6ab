/* The fused multiply-add without hardware against the C library. `test_fma COUNT` runs that many rounds of each kind of
 * case (10^7 rounds are 1.2 * 10^8 cases). */
#include "backends/cpu/simd/fma.h"
#include "tests/unit/test.h"

#include <float.h>

static uint64_t count = 300000, state = 1;

static uint32_t bits32(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static float as_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Sign and fraction at random, often with a run of equal bits at the end; exponent lo .. hi as stored. */
static float random_float(uint32_t lo, uint32_t hi)
{
    uint32_t r = bits32(), fraction = r & 0x7fffff, run = bits32() % 24;
    if (bits32() & 1)
        fraction = bits32() & 1 ? fraction >> run << run : fraction | ((1u << run) - 1);
    return as_float((r & 0x80000000u) | (lo + bits32() % (hi - lo + 1)) << 23 | fraction);
}

static bool agree(float a, float b, float c)
{
    float got = lm_fma_soft(a, b, c), want = fmaf(a, b, c);
    if (isnan(got) && isnan(want))
        return true;
    if (memcmp(&got, &want, sizeof got) == 0)
        return true;
    printf("fma(%a, %a, %a) = %a, wanted %a\n", (double)a, (double)b, (double)c, (double)got, (double)want);
    return false;
}

static void random_bits(void)
{
    bool ok = true;
    for (uint64_t i = 0; i < count && ok; i++)
        ok = agree(as_float(bits32()), as_float(bits32()), as_float(bits32()));
    CHECK(ok);
}

/* c close to -a*b, or half a unit in its last place away from it */
static void cancellation(void)
{
    bool ok = true;
    for (uint64_t i = 0; i < count && ok; i++) {
        float a = random_float(100, 154), b = random_float(100, 154), p = a * b;
        uint32_t bits;
        memcpy(&bits, &p, sizeof bits);
        float near = as_float((bits ^ 0x80000000u) + bits32() % 5 - 2);
        ok = agree(a, b, near) && agree(a, b, ldexpf(near, -24)) && agree(a, b, ldexpf(p, 24));
    }
    CHECK(ok);
}

/* sums that land on or beside the middle of two floats */
static void ties(void)
{
    bool ok = true;
    for (uint64_t i = 0; i < count && ok; i++) {
        float c = random_float(60, 200), half = ldexpf(1.0f, ilogbf(c) - 24);
        float a = random_float(110, 144), b = half / a;
        ok = agree(a, b, c) && agree(half, 1.0f, c) && agree(half, as_float(0x3f800001u), c) &&
             agree(half, as_float(0x3f7fffffu), -c);
    }
    CHECK(ok);
}

static void ends_of_the_range(void)
{
    bool ok = true;
    for (uint64_t i = 0; i < count && ok; i++) {
        ok = agree(random_float(180, 254), random_float(180, 254), random_float(240, 254)) &&
             agree(random_float(1, 80), random_float(1, 80), random_float(0, 3)) &&
             agree(random_float(0, 0), random_float(100, 200), random_float(0, 3)) &&
             agree(random_float(40, 70), random_float(40, 70), random_float(0, 0));
    }
    CHECK(ok);
}

static void special(void)
{
    static const float v[] = {0.0f,       -0.0f,     1.0f,
                              -1.0f,      INFINITY,  -INFINITY,
                              NAN,        0x1p-149f, -0x1p-149f,
                              0x1p-126f,  0x1p-75f,  0x1p-74f,
                              FLT_MAX,    -FLT_MAX,  0x1.fffffep-1f,
                              0x1.000002p+0f};
    const size_t n = sizeof v / sizeof *v;
    for (size_t i = 0; i < n * n * n; i++)
        CHECK(agree(v[i / n / n], v[i / n % n], v[i % n]));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        count = strtoull(argv[1], NULL, 10);
    CASE(special);
    CASE(random_bits);
    CASE(cancellation);
    CASE(ties);
    CASE(ends_of_the_range);
    return test_end();
}
