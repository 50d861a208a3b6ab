/* All host memory of the library comes from here: one place to count it, cap it, and make it fail on purpose.
 * Blocks are aligned to LM_ALIGN bytes. Every call is thread-safe. */
#ifndef LM_BASE_MEM_H
#define LM_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

/* A cache line, and the widest vector register. */
#define LM_ALIGN 64

/* a * b and a + b without wrapping; false when the result does not fit. */
bool lm_mul_size(size_t a, size_t b, size_t *out);
bool lm_add_size(size_t a, size_t b, size_t *out);
bool lm_mul_i64(int64_t a, int64_t b, int64_t *out);

/* `count * size` bytes. A zero-byte request gives a block that may be freed. NULL, with the message set, when memory
 * is short, when the product wraps, or when the cap would be passed. lm_calloc clears the block. */
void *lm_malloc(size_t count, size_t size);
void *lm_calloc(size_t count, size_t size);

/* Grow or shrink, keeping the content; the old block stays valid when NULL is returned. */
void *lm_realloc(void *block, size_t count, size_t size);

char *lm_strdup(const char *text);
void lm_free(void *block); /* NULL is fine */

/* `LM_NEW(p)`: p = cleared block for one *p, or return LM_MEMORY from the calling function. */
#define LM_NEW(p)                                                                                                      \
    do {                                                                                                               \
        (p) = lm_calloc(1, sizeof *(p));                                                                               \
        if (!(p))                                                                                                      \
            return LM_MEMORY;                                                                                          \
    } while (0)

/* The census: bytes held now, the most ever held, and calls made. */
typedef struct lm_mem_census {
    size_t live, peak;
    uint64_t calls;
} lm_mem_census;
lm_mem_census lm_mem_count(void);

/* Refuse to hold more than `bytes` (0: no cap). Set from LIMN_MEM at start-up by whoever owns the session. */
void lm_mem_cap(size_t bytes);

/* Failure injection for tests: the n-th allocation from now fails, once (n = 1 is the next); 0 switches it off. */
void lm_mem_fail_at(uint64_t n);

#endif
