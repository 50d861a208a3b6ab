/* Philox-4x32-10 and the distributions made from it. Only IEEE basic operations are used, so that results do not depend
 * on the system's mathematics library. */
#include "core/base/rng.h"

#include <math.h>

void lm_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t left = (uint64_t)0xD2511F53u * c0, right = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(right >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)right;
        c2 = (uint32_t)(left >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)left;
        k0 += 0x9E3779B9u; /* the golden ratio and the square root of 3 less 1, as fractions of 2^32 */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* Two independent words for (seed, index, turn). */
static void draw(uint64_t seed, uint64_t index, uint64_t turn, uint64_t out[2])
{
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)turn, (uint32_t)(turn >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t word[4];
    lm_philox(counter, key, word);
    out[0] = (uint64_t)word[1] << 32 | word[0];
    out[1] = (uint64_t)word[3] << 32 | word[2];
}

uint64_t lm_rng_u64(uint64_t seed, uint64_t index)
{
    uint64_t word[2];
    draw(seed, index, 0, word);
    return word[0];
}

float lm_rng_f32(uint64_t seed, uint64_t index)
{
    return (float)(lm_rng_u64(seed, index) >> 40) * 0x1p-24f;
}

double lm_rng_f64(uint64_t seed, uint64_t index)
{
    return (double)(lm_rng_u64(seed, index) >> 11) * 0x1p-53;
}

uint64_t lm_rng_fork(uint64_t seed, uint64_t purpose)
{
    uint64_t word[2];
    draw(seed, purpose, UINT64_MAX, word); /* a turn that no draw reaches */
    return word[1];
}

/* The words below the largest multiple of n are split evenly; the few above are drawn again, under the next turn. */
uint64_t lm_rng_below(uint64_t seed, uint64_t index, uint64_t n)
{
    uint64_t excess = -n % n; /* 2^64 mod n */
    for (uint64_t turn = 0;; turn++) {
        uint64_t word[2];
        draw(seed, index, turn, word);
        for (int i = 0; i < 2; i++)
            if (word[i] <= UINT64_MAX - excess)
                return word[i] % n;
    }
}

/* Natural logarithm of 0 < x < 1 for the tails below, to a few parts in 10^16: x = m 2^e, and log m by the series of
 * the inverse hyperbolic tangent of (m - 1) / (m + 1). */
static double log_of(double x)
{
    int e;
    double m = frexp(x, &e);
    if (m < 0.70710678118654752440) {
        m *= 2;
        e--;
    }
    double t = (m - 1) / (m + 1), t2 = t * t, sum = 0;
    for (int k = 23; k >= 1; k -= 2)
        sum = sum * t2 + 1.0 / k;
    return 2 * t * sum + e * 0.69314718055994530942;
}

static double ratio(const double top[8], const double bottom[8], double x)
{
    double p = top[7], q = bottom[7];
    for (int i = 6; i >= 0; i--) {
        p = p * x + top[i];
        q = q * x + bottom[i];
    }
    return p / q;
}

/* The normal distribution's quantile: Wichura's rational approximations (Algorithm AS 241, Applied Statistics 37,
 * 1988), good to 16 digits. 0 < p < 1. */
static double normal_quantile(double p)
{
    static const double middle[2][8] = {
        {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
         4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3},
        {1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
         3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3}};
    static const double side[2][8] = {
        {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
         1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
        {1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
         1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
    static const double far[2][8] = {
        {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
         2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
        {1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
         7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};
    double q = p - 0.5;
    if (fabs(q) <= 0.425)
        return q * ratio(middle[0], middle[1], 0.180625 - q * q);
    double r = sqrt(-log_of(q < 0 ? p : 1 - p));
    double z = r <= 5 ? ratio(side[0], side[1], r - 1.6) : ratio(far[0], far[1], r - 5);
    return q < 0 ? -z : z;
}

double lm_rng_normal(uint64_t seed, uint64_t index)
{
    /* odd multiples of 2^-54: never 0 or 1, and symmetric about 1/2 */
    return normal_quantile(((double)(lm_rng_u64(seed, index) >> 11) + 0.5) * 0x1p-53);
}
