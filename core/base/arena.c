/* Chained blocks, each filled from its start. */
#include "core/base/arena.h"

#include <string.h>

#include "core/base/mem.h"

struct lm_arena_block {
    lm_arena_block *older;
    size_t used, room; /* bytes after the header */
};

/* Blocks double from the first size to the largest; a request that is bigger than a block gets one of its own. */
enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

/* The header's size, rounded up so that what follows it stays aligned. */
#define HEADER ((sizeof(lm_arena_block) + ALIGN - 1) / ALIGN * ALIGN)

/* A spare block of exactly this room, or NULL: work that repeats asks for the same blocks again. */
static lm_arena_block *take_spare(lm_arena *arena, size_t room)
{
    for (lm_arena_block **at = &arena->spare; *at; at = &(*at)->older) {
        lm_arena_block *block = *at;
        if (block->room == room) {
            *at = block->older;
            return block;
        }
    }
    return NULL;
}

static lm_arena_block *add_block(lm_arena *arena, size_t bytes)
{
    size_t room = arena->blocks ? arena->blocks->room * 2 : FIRST_BLOCK;
    if (room > LARGEST_BLOCK)
        room = LARGEST_BLOCK;
    if (room < bytes)
        room = bytes;
    size_t total;
    if (!lm_add_size(room, HEADER, &total)) {
        lm_fail(LM_MEMORY, "%zu bytes do not fit in memory", bytes);
        return NULL;
    }
    lm_arena_block *block = take_spare(arena, room);
    if (!block)
        block = lm_malloc(total, 1);
    if (!block)
        return NULL;
    *block = (lm_arena_block){.older = arena->blocks, .room = room};
    return arena->blocks = block;
}

void *lm_arena_alloc(lm_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!lm_mul_size(count, size, &bytes) || !lm_add_size(bytes, ALIGN - 1, &bytes)) {
        lm_fail(LM_MEMORY, "%zu items of %zu bytes do not fit in memory", count, size);
        return NULL;
    }
    bytes = bytes / ALIGN * ALIGN;
    lm_arena_block *block = arena->blocks;
    if (!block || block->room - block->used < bytes)
        block = add_block(arena, bytes);
    if (!block)
        return NULL;
    char *piece = (char *)block + HEADER + block->used;
    block->used += bytes;
    return memset(piece, 0, bytes);
}

void *lm_arena_copy(lm_arena *arena, const void *bytes, size_t count, size_t size)
{
    void *piece = lm_arena_alloc(arena, count, size);
    if (piece && count && size)
        memcpy(piece, bytes, count * size);
    return piece;
}

char *lm_arena_strdup(lm_arena *arena, const char *text)
{
    return lm_arena_copy(arena, text, strlen(text) + 1, 1);
}

static void free_blocks(lm_arena_block *block)
{
    while (block) {
        lm_arena_block *older = block->older;
        lm_free(block);
        block = older;
    }
}

void lm_arena_free(lm_arena *arena)
{
    free_blocks(arena->blocks);
    free_blocks(arena->spare);
    *arena = (lm_arena){0};
}

void lm_arena_clear(lm_arena *arena, size_t keep)
{
    lm_arena_block *block = arena->blocks, *spare = NULL, *too_much = NULL;
    while (block) {
        lm_arena_block *older = block->older, **to = block->room <= keep ? &spare : &too_much;
        if (to == &spare)
            keep -= block->room;
        block->older = *to;
        block->used = 0;
        *to = block;
        block = older;
    }
    free_blocks(too_much);
    free_blocks(arena->spare);
    *arena = (lm_arena){.spare = spare};
}
