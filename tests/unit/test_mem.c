/* Counted allocation, and what is built right on it: arenas and growable arrays. */
#include "tests/unit/test.h"

#include "core/base/arena.h"
#include "core/base/vec.h"

static void products_are_checked(void)
{
    size_t size;
    int64_t wide;
    CHECK(lm_mul_size(3, 5, &size) && size == 15);
    CHECK(!lm_mul_size(SIZE_MAX / 2, 3, &size));
    CHECK(!lm_add_size(SIZE_MAX, 1, &size));
    CHECK(!lm_mul_i64(INT64_MAX, 2, &wide) && !lm_mul_i64(INT64_MIN, -1, &wide));
    CHECK(lm_malloc(SIZE_MAX / 2, 4) == NULL);
    CHECK(lm_malloc(SIZE_MAX, 1) == NULL);
    CHECK(strstr(lm_message(), "fit in memory") != NULL);
}

static void blocks_are_aligned_and_counted(void)
{
    size_t before = lm_mem_count().live;
    char *block[40];
    for (size_t i = 0; i < LM_COUNT(block); i++) {
        block[i] = lm_calloc(i * 37, 1);
        CHECK(block[i] && (uintptr_t)block[i] % LM_ALIGN == 0);
        for (size_t k = 0; k < i * 37; k++)
            CHECK(block[i][k] == 0);
        memset(block[i], (int)i, i * 37);
    }
    CHECK_INT(lm_mem_count().live, before + 37 * (39 * 40 / 2));
    block[1] = lm_realloc(block[1], 100000, 1);
    CHECK(block[1] && block[1][0] == 1 && block[1][36] == 1);
    for (size_t i = 0; i < LM_COUNT(block); i++)
        lm_free(block[i]);
    lm_free(NULL);
    CHECK_INT(lm_mem_count().live, before);
    char *big = lm_malloc(5 << 20, 1);
    CHECK(big && (uintptr_t)big % LM_ALIGN == 0);
    if (big)
        big[(5 << 20) - 1] = 1;
    lm_free(big);
    CHECK(lm_mem_count().peak >= before + (5 << 20));
}

static void the_cap_holds(void)
{
    size_t before = lm_mem_count().live;
    lm_mem_cap(before + 1000);
    void *small = lm_malloc(600, 1), *more = lm_malloc(600, 1);
    CHECK(small != NULL);
    CHECK(more == NULL);
    CHECK(strstr(lm_message(), "LIMN_MEM") != NULL);
    CHECK_INT(lm_mem_count().live, before + 600);
    lm_mem_cap(0);
    lm_free(small);
    lm_free(more);
}

static void failures_come_when_asked_for(void)
{
    lm_mem_fail_at(2);
    void *first = lm_malloc(1, 1), *second = lm_malloc(1, 1), *third = lm_malloc(1, 1);
    CHECK(first != NULL);
    CHECK(second == NULL);
    CHECK(third != NULL);
    lm_free(first);
    lm_free(third);
}

static void arenas(void)
{
    lm_arena arena = {0};
    unsigned char *piece[500];
    for (size_t i = 0; i < LM_COUNT(piece); i++) {
        size_t bytes = i % 97 == 0 ? 70000 : i;
        piece[i] = lm_arena_alloc(&arena, bytes, 1);
        CHECK(piece[i] && (uintptr_t)piece[i] % 16 == 0);
        for (size_t k = 0; piece[i] && k < bytes; k++)
            CHECK(piece[i][k] == 0);
        memset(piece[i], (int)(i & 255), bytes);
    }
    for (size_t i = 1; i < LM_COUNT(piece); i++)
        CHECK(piece[i][0] == (i & 255) && piece[i][(i % 97 ? i : 70000) - 1] == (i & 255));
    CHECK_STR(lm_arena_strdup(&arena, "kept"), "kept");
    int source[3] = {1, 2, 3}, *copy = lm_arena_copy(&arena, source, 3, sizeof *source);
    CHECK(copy && copy[2] == 3);
    CHECK(lm_arena_alloc(&arena, SIZE_MAX / 2, 4) == NULL);
    CHECK(lm_arena_alloc(&arena, SIZE_MAX - 4, 1) == NULL);
    lm_arena_free(&arena);
    CHECK(lm_arena_alloc(&arena, 1, 1) != NULL);
    lm_arena_free(&arena);
}

/* Work of the same kind, done again, takes the blocks that were kept, and finds them cleared. */
static void cleared_arenas(void)
{
    enum { LARGE = 3 << 20 };
    lm_arena arena = {0};
    uint64_t calls = 0;
    for (int round = 0; round < 3; round++) {
        char *small = lm_arena_alloc(&arena, 100, 1), *large = lm_arena_alloc(&arena, LARGE, 1);
        if (!CHECK(small && large))
            break;
        CHECK(small[99] == 0 && large[0] == 0 && large[LARGE - 1] == 0);
        memset(small, 1, 100);
        memset(large, 1, LARGE);
        if (round > 0)
            CHECK_INT(lm_mem_count().calls - calls, 0);
        calls = lm_mem_count().calls;
        lm_arena_clear(&arena, LARGE + 5000);
    }
    /* what is more than is to be kept goes, and so does what lay unused */
    lm_arena_clear(&arena, LARGE);
    CHECK(lm_mem_count().live < LARGE);
    CHECK(lm_arena_alloc(&arena, LARGE, 1) != NULL);
    lm_arena_clear(&arena, LARGE - 1);
    CHECK(lm_mem_count().live < LARGE);
    lm_arena_free(&arena);
}

static void arrays(void)
{
    LM_VEC(int) v = {0};
    for (int i = 0; i < 1000; i++)
        CHECK_OK(lm_vec_push(&v, i * i));
    CHECK_INT(v.count, 1000);
    for (int i = 0; i < 1000; i++)
        CHECK(v.at[i] == i * i);
    size_t room = v.room;
    CHECK_OK(lm_vec_reserve(&v, 10));
    CHECK_INT(v.room, room);
    CHECK_FAILS(lm_vec_reserve(&v, SIZE_MAX / 2), LM_MEMORY);
    CHECK_INT(v.count, 1000);
    CHECK(v.at[999] == 999 * 999);
    lm_vec_free(&v);
    LM_VEC(struct { char a; double b; }) pairs = {0};
    CHECK_OK(lm_vec_reserve(&pairs, 3));
    CHECK(pairs.room >= 3 && pairs.count == 0);
    lm_vec_free(&pairs);
}

static lm_status build(void)
{
    lm_arena arena = {0};
    LM_VEC(char *) names = {0};
    lm_status status = LM_OK;
    for (int i = 0; i < 300 && status == LM_OK; i++) {
        char *name = lm_arena_alloc(&arena, 100, 1);
        status = name ? lm_vec_push(&names, name) : LM_MEMORY;
    }
    lm_vec_free(&names);
    lm_arena_free(&arena);
    return status;
}

static void every_allocation_may_fail(void)
{
    CHECK(test_every_allocation(build) > 8);
}

int main(void)
{
    CASE(products_are_checked);
    CASE(blocks_are_aligned_and_counted);
    CASE(the_cap_holds);
    CASE(failures_come_when_asked_for);
    CASE(arenas);
    CASE(cleared_arenas);
    CASE(arrays);
    CASE(every_allocation_may_fail);
    return test_end();
}
