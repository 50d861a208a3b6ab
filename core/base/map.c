/* Entries in order of insertion, found through a table of their numbers with linear probing. */
#include "core/base/map.h"

#include <string.h>

#include "core/base/hash.h"
#include "core/base/mem.h"

enum { FIRST_SLOTS = 16, SEED = 0 };

/* The slot that holds the entry, or the empty one where the search ended. The table is never full. */
static size_t find(const lm_map *map, const void *key, size_t bytes, uint64_t hash)
{
    size_t at = hash & (map->slots - 1);
    for (; map->slot[at]; at = (at + 1) & (map->slots - 1)) {
        const lm_map_entry *e = &map->entry[map->slot[at] - 1];
        if (e->key && e->hash == hash && e->bytes == bytes && (!bytes || memcmp(e->key, key, bytes) == 0))
            break;
    }
    return at;
}

lm_cell *lm_map_get(const lm_map *map, const void *key, size_t bytes)
{
    if (!map->slots)
        return NULL;
    uint32_t number = map->slot[find(map, key, bytes, lm_hash(key, bytes, SEED))];
    return number ? &map->entry[number - 1].value : NULL;
}

lm_cell *lm_map_gets(const lm_map *map, const char *key)
{
    return lm_map_get(map, key, strlen(key));
}

/* Move live entries to fresh arrays with room for twice as many: this also drops the removed ones. */
static lm_status rebuild(lm_map *map)
{
    size_t slots = FIRST_SLOTS;
    while (slots / 4 < map->count + 1)
        slots *= 2;
    LM_REQUIRE(slots / 2 < UINT32_MAX, LM_MEMORY, "a map cannot hold %zu entries", map->count + 1);
    lm_map fresh = {.slots = slots, .room = slots / 2};
    fresh.slot = lm_calloc(slots, sizeof *fresh.slot);
    fresh.entry = lm_malloc(fresh.room, sizeof *fresh.entry);
    if (!fresh.slot || !fresh.entry) {
        lm_free(fresh.slot);
        lm_free(fresh.entry);
        return LM_MEMORY;
    }
    for (size_t i = 0; i < map->used; i++) {
        if (!map->entry[i].key)
            continue;
        fresh.entry[fresh.used++] = map->entry[i];
        size_t at = map->entry[i].hash & (slots - 1);
        while (fresh.slot[at])
            at = (at + 1) & (slots - 1);
        fresh.slot[at] = (uint32_t)fresh.used;
    }
    fresh.count = fresh.used;
    lm_free(map->slot);
    lm_free(map->entry);
    *map = fresh;
    return LM_OK;
}

lm_status lm_map_put(lm_map *map, const void *key, size_t bytes, lm_cell value)
{
    uint64_t hash = lm_hash(key, bytes, SEED);
    if (map->slots) {
        uint32_t number = map->slot[find(map, key, bytes, hash)];
        if (number) {
            map->entry[number - 1].value = value;
            return LM_OK;
        }
    }
    if (map->used == map->room)
        LM_TRY(rebuild(map));
    size_t held;
    LM_REQUIRE(lm_add_size(bytes, 1, &held), LM_MEMORY, "a key of %zu bytes is too long", bytes);
    char *copy = lm_malloc(held, 1);
    if (!copy)
        return LM_MEMORY;
    if (bytes)
        memcpy(copy, key, bytes);
    copy[bytes] = '\0';
    size_t at = find(map, key, bytes, hash);
    map->entry[map->used++] = (lm_map_entry){copy, bytes, hash, value};
    map->slot[at] = (uint32_t)map->used;
    map->count++;
    return LM_OK;
}

lm_status lm_map_put_ptr(lm_map *map, const char *key, void *ptr)
{
    return lm_map_put(map, key, strlen(key), (lm_cell){.ptr = ptr});
}

lm_status lm_map_put_num(lm_map *map, const char *key, int64_t num)
{
    return lm_map_put(map, key, strlen(key), (lm_cell){.num = num});
}

/* The slot keeps pointing at the dead entry, so that searches run on past it; rebuilding clears both away. */
bool lm_map_remove(lm_map *map, const void *key, size_t bytes)
{
    if (!map->slots)
        return false;
    uint32_t number = map->slot[find(map, key, bytes, lm_hash(key, bytes, SEED))];
    if (!number)
        return false;
    lm_free(map->entry[number - 1].key);
    map->entry[number - 1].key = NULL;
    map->count--;
    return true;
}

lm_map_entry *lm_map_next(const lm_map *map, size_t *at)
{
    while (*at < map->used) {
        lm_map_entry *e = &map->entry[(*at)++];
        if (e->key)
            return e;
    }
    return NULL;
}

void lm_map_free(lm_map *map)
{
    for (size_t i = 0; i < map->used; i++)
        lm_free(map->entry[i].key);
    lm_free(map->entry);
    lm_free(map->slot);
    *map = (lm_map){0};
}
