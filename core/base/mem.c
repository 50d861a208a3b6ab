/* Counted, cappable, breakable allocation. */
#include "core/base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Stands right before the block. */
typedef struct header {
    size_t bytes;
    void *raw; /* what the system's allocator gave */
} header;
_Static_assert(sizeof(header) <= LM_ALIGN, "the header must fit before an aligned block");

/* From this size on, ask for huge pages: packed weights and activations are walked linearly, and TLB misses cost. */
enum { HUGE_PAGE = 2 << 20 };

static atomic_size_t live_bytes, peak_bytes, cap_bytes;
static atomic_uint_fast64_t calls, fail_at;

bool lm_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool lm_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

bool lm_mul_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static bool injected_failure(void)
{
    atomic_fetch_add(&calls, 1);
    uint_fast64_t n = atomic_load(&fail_at);
    while (n > 0 && !atomic_compare_exchange_weak(&fail_at, &n, n - 1)) {
    }
    return n == 1;
}

static bool reserve(size_t bytes)
{
    size_t cap = atomic_load(&cap_bytes);
    size_t now = atomic_fetch_add(&live_bytes, bytes) + bytes;
    if (cap && now > cap) {
        atomic_fetch_sub(&live_bytes, bytes);
        lm_fail(LM_MEMORY, "%zu bytes more would pass the memory budget of %zu; raise --mem or LIMN_MEM", bytes, cap);
        return false;
    }
    size_t peak = atomic_load(&peak_bytes);
    while (now > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, now)) {
    }
    return true;
}

static header *header_of(void *block)
{
    return (header *)block - 1;
}

/* Small blocks are aligned by hand, which costs a fraction of what aligned allocation does. */
static void *raw_block(size_t total)
{
    void *raw = NULL;
    if (total < HUGE_PAGE)
        return malloc(total);
    /* aligned_alloc wants a multiple of the alignment; for huge pages that would waste megabytes, so use the POSIX
     * call */
    if (posix_memalign(&raw, HUGE_PAGE, total) != 0)
        return NULL;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    madvise(raw, total & ~((size_t)HUGE_PAGE - 1), MADV_HUGEPAGE);
#endif
    return raw;
}

void *lm_malloc(size_t count, size_t size)
{
    size_t bytes, total;
    if (!lm_mul_size(count, size, &bytes) || !lm_add_size(bytes, sizeof(header) + LM_ALIGN, &total)) {
        lm_fail(LM_MEMORY, "%zu items of %zu bytes do not fit in memory", count, size);
        return NULL;
    }
    if (injected_failure()) {
        lm_fail(LM_MEMORY, "out of memory: %zu bytes (failure asked for by a test)", bytes);
        return NULL;
    }
    if (!reserve(bytes))
        return NULL;
    void *raw = raw_block(total);
    if (!raw) {
        atomic_fetch_sub(&live_bytes, bytes);
        lm_fail(LM_MEMORY, "out of memory: %zu bytes", bytes);
        return NULL;
    }
    char *block = (char *)(((uintptr_t)raw + sizeof(header) + LM_ALIGN - 1) & ~(uintptr_t)(LM_ALIGN - 1));
    *header_of(block) = (header){bytes, raw};
    return block;
}

void *lm_calloc(size_t count, size_t size)
{
    void *block = lm_malloc(count, size);
    if (block)
        memset(block, 0, header_of(block)->bytes);
    return block;
}

void *lm_realloc(void *block, size_t count, size_t size)
{
    void *fresh = lm_malloc(count, size);
    if (!fresh || !block)
        return fresh;
    size_t old = header_of(block)->bytes, now = header_of(fresh)->bytes;
    memcpy(fresh, block, old < now ? old : now);
    lm_free(block);
    return fresh;
}

char *lm_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = lm_malloc(bytes, 1);
    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

void lm_free(void *block)
{
    if (!block)
        return;
    header *h = header_of(block);
    atomic_fetch_sub(&live_bytes, h->bytes);
    free(h->raw);
}

lm_mem_census lm_mem_count(void)
{
    return (lm_mem_census){atomic_load(&live_bytes), atomic_load(&peak_bytes), atomic_load(&calls)};
}

void lm_mem_cap(size_t bytes)
{
    atomic_store(&cap_bytes, bytes);
}

void lm_mem_fail_at(uint64_t n)
{
    atomic_store(&fail_at, n);
}
