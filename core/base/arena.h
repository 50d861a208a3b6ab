/* Memory that is given out piece by piece and taken back all at once: graphs, plans and parsers own one each.
 * Not thread-safe. */
#ifndef LM_BASE_ARENA_H
#define LM_BASE_ARENA_H

#include <stddef.h>

#include "core/base/status.h"

typedef struct lm_arena_block lm_arena_block;

/* Starts as {0}; freed with lm_arena_free. */
typedef struct lm_arena {
    lm_arena_block *blocks; /* newest first */
    lm_arena_block *spare;  /* empty */
} lm_arena;

/* `count * size` cleared bytes, aligned to 16; NULL with the message set when memory is short or the product wraps.
 * A request for nothing gives a pointer that may not be read. */
void *lm_arena_alloc(lm_arena *arena, size_t count, size_t size);
void *lm_arena_copy(lm_arena *arena, const void *bytes, size_t count, size_t size);
char *lm_arena_strdup(lm_arena *arena, const char *text);

/* `LM_ARENA_NEW(&arena, p)`: p = one cleared *p, or return LM_MEMORY from the calling function. */
#define LM_ARENA_NEW(arena, p)                                                                                         \
    do {                                                                                                               \
        (p) = lm_arena_alloc(arena, 1, sizeof *(p));                                                                   \
        if (!(p))                                                                                                      \
            return LM_MEMORY;                                                                                          \
    } while (0)

void lm_arena_free(lm_arena *arena); /* everything; the arena may be used again */

/* Take everything back, and keep blocks of at most `keep` bytes in all for work of the same kind, which then asks the
 * system for nothing. */
void lm_arena_clear(lm_arena *arena, size_t keep);

#endif
