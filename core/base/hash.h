/* Hashes: a fast one for keys, and SHA-256 for the name of a model. */
#ifndef LM_BASE_HASH_H
#define LM_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* 64 bits for tables and cache keys; the same on every machine, not safe against an adversary. Chain by passing the
 * former result as `seed`. */
uint64_t lm_hash(const void *bytes, size_t count, uint64_t seed);

typedef struct lm_sha256 {
    uint32_t state[8];
    uint64_t count; /* bytes taken so far */
    uint8_t block[64];
} lm_sha256;

void lm_sha256_start(lm_sha256 *sha);
void lm_sha256_add(lm_sha256 *sha, const void *bytes, size_t count);
void lm_sha256_end(lm_sha256 *sha, uint8_t digest[32]);

/* 64 lower-case digits and a zero. */
void lm_sha256_hex(const void *bytes, size_t count, char hex[65]);

#endif
