/* A hash map from byte strings to pointers or numbers. Keys are copied. Entries are visited in the order in which they
 * were put, so nothing that is derived from a map depends on chance. Not thread-safe. */
#ifndef LM_BASE_MAP_H
#define LM_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

typedef union lm_cell {
    void *ptr;
    int64_t num;
} lm_cell;

typedef struct lm_map_entry {
    void *key; /* `bytes` bytes and a zero after them; NULL for an entry that was removed */
    size_t bytes;
    uint64_t hash;
    lm_cell value;
} lm_map_entry;

/* Starts as {0}; freed with lm_map_free. */
typedef struct lm_map {
    size_t count;          /* live entries */
    lm_map_entry *entry;   /* in order of insertion */
    size_t used, room;     /* entries with the removed ones, entries there is room for */
    uint32_t *slot;        /* open addressing: entry number + 1, 0 for none */
    size_t slots;          /* a power of two, or 0 */
} lm_map;

/* The value, to read or to change; NULL when absent. Borrowed until the map changes. */
lm_cell *lm_map_get(const lm_map *map, const void *key, size_t bytes);
lm_cell *lm_map_gets(const lm_map *map, const char *key);

/* Set or replace; on failure the map is as it was. */
lm_status lm_map_put(lm_map *map, const void *key, size_t bytes, lm_cell value);
lm_status lm_map_put_ptr(lm_map *map, const char *key, void *ptr);
lm_status lm_map_put_num(lm_map *map, const char *key, int64_t num);

/* True when there was something to remove. */
bool lm_map_remove(lm_map *map, const void *key, size_t bytes);

/* The next live entry at or after position *at, which moves on; NULL at the end:
 * `size_t at = 0; for (lm_map_entry *e; (e = lm_map_next(&map, &at));)` */
lm_map_entry *lm_map_next(const lm_map *map, size_t *at);

void lm_map_free(lm_map *map); /* keys, not what the values point to */

#endif
