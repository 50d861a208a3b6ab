/* A growable array of any type:
 *
 *     LM_VEC(int) v = {0};
 *     LM_TRY(lm_vec_push(&v, 7));
 *     for (size_t i = 0; i < v.count; i++) use(v.at[i]);
 *     lm_vec_free(&v);
 *
 * The macros evaluate their first argument several times. */
#ifndef LM_BASE_VEC_H
#define LM_BASE_VEC_H

#include <stddef.h>
#include <string.h>

#include "core/base/mem.h"

#define LM_VEC(type)                                                                                                   \
    struct {                                                                                                           \
        type *at;                                                                                                      \
        size_t count, room;                                                                                            \
    }

/* Append one item; LM_MEMORY, with the array as it was, when there is no room for it. */
#define lm_vec_push(v, ...)                                                                                            \
    (lm_vec_reserve(v, (v)->count + 1) == LM_OK ? ((v)->at[(v)->count++] = (__VA_ARGS__), LM_OK) : LM_MEMORY)

/* Make room for `n` items in all. */
#define lm_vec_reserve(v, n) ((n) <= (v)->room ? LM_OK : lm_vec_grow(&(v)->at, &(v)->room, n, sizeof *(v)->at))

#define lm_vec_free(v) (lm_free((v)->at), (v)->at = NULL, (v)->count = (v)->room = 0)

/* `at` is the address of the array's pointer, whatever its type; it is read and written bytewise. */
static inline lm_status lm_vec_grow(void *at, size_t *room, size_t need, size_t size)
{
    size_t fresh = *room < 8 ? 8 : *room + *room / 2;
    if (fresh < need)
        fresh = need;
    void *items;
    memcpy(&items, at, sizeof items);
    items = lm_realloc(items, fresh, size);
    if (!items)
        return LM_MEMORY;
    memcpy(at, &items, sizeof items);
    *room = fresh;
    return LM_OK;
}

#endif
