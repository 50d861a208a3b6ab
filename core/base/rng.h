/* Random numbers that are a pure function of (seed, index): any slice of a sequence can be made anywhere, by any
 * thread, and is the same on every machine. The generator is Philox-4x32 with ten rounds (Salmon, Moraes, Dror, Shaw:
 * Parallel random numbers: as easy as 1, 2, 3; SC 2011). */
#ifndef LM_BASE_RNG_H
#define LM_BASE_RNG_H

#include <stdint.h>

/* The bare block function: four words of counter and two of key give four random words. */
void lm_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

uint64_t lm_rng_u64(uint64_t seed, uint64_t index);
float lm_rng_f32(uint64_t seed, uint64_t index);   /* uniform in [0, 1), 24 bits */
double lm_rng_f64(uint64_t seed, uint64_t index);  /* uniform in [0, 1), 53 bits */
double lm_rng_normal(uint64_t seed, uint64_t index); /* mean 0, variance 1 */
uint64_t lm_rng_below(uint64_t seed, uint64_t index, uint64_t n); /* uniform in 0 ... n - 1 without bias; n > 0 */

/* A seed for an independent sequence, so that one user seed feeds many purposes. */
uint64_t lm_rng_fork(uint64_t seed, uint64_t purpose);

#endif
