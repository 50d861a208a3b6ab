/* The cache of derived constants: a map from keys to entries, and a clock for the order of eviction. */
#include "core/device/derived.h"

#include <pthread.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/map.h"
#include "core/base/mem.h"

typedef struct key {
    const lm_buffer *constant;
    const lm_device *device;
    uint64_t off;
    int64_t dt;
    lm_shape sh;
    int64_t st[LM_RANK];
    lm_want want;
} key;

/* An entry that was forgotten while in use is no longer in the map and goes with its last user. */
typedef struct entry {
    lm_derived derived; /* first: users hold its address */
    key key;
    lm_buffer *constant;
    size_t off; /* of an aligned copy */
    int users;
    bool cached;
    uint64_t given_back; /* clock at the last put */
} entry;

struct lm_derived_cache {
    pthread_mutex_t lock; /* held while deriving too, so that one form is made once */
    lm_map map;           /* key to entry */
    size_t bytes;
    uint64_t clock;
};

lm_status lm_derived_open(lm_derived_cache **out)
{
    lm_derived_cache *cache;
    LM_NEW(cache);
    pthread_mutex_init(&cache->lock, NULL);
    *out = cache;
    return LM_OK;
}

static void entry_free(lm_derived_cache *cache, entry *e)
{
    cache->bytes -= e->derived.buf->bytes;
    lm_buffer_unref(e->derived.buf);
    lm_buffer_unref(e->constant);
    lm_free(e);
}

static void uncache(lm_derived_cache *cache, entry *e)
{
    e->cached = false;
    lm_map_remove(&cache->map, &e->key, sizeof e->key);
    if (!e->users)
        entry_free(cache, e);
}

void lm_derived_close(lm_derived_cache *cache)
{
    if (!cache)
        return;
    size_t at = 0;
    for (lm_map_entry *m; (m = lm_map_next(&cache->map, &at));)
        entry_free(cache, m->value.ptr);
    lm_map_free(&cache->map);
    pthread_mutex_destroy(&cache->lock);
    lm_free(cache);
}

/* Bytes between the fields are cleared and sizes past the rank left out: the key is compared as bytes. */
static void key_fill(key *k, const lm_device *device, const lm_view *c, const lm_want *want)
{
    memset(k, 0, sizeof *k);
    k->constant = c->buf;
    k->device = device;
    k->off = c->off;
    k->dt = c->dt;
    k->sh.rank = c->sh.rank;
    for (int i = 0; i < c->sh.rank; i++) {
        k->sh.dim[i] = c->sh.dim[i];
        k->st[i] = c->st[i];
    }
    k->want.transform = want->transform;
    k->want.gamma = want->gamma;
    k->want.pack = want->pack;
    memcpy(k->want.p, want->p, sizeof k->want.p);
}

static size_t evict(lm_derived_cache *cache, size_t keep)
{
    size_t before = cache->bytes;
    while (cache->bytes > keep) {
        entry *oldest = NULL;
        size_t at = 0;
        for (lm_map_entry *m; (m = lm_map_next(&cache->map, &at));) {
            entry *e = m->value.ptr;
            if (!e->users && (!oldest || e->given_back < oldest->given_back))
                oldest = e;
        }
        if (!oldest)
            break;
        uncache(cache, oldest);
    }
    return before - cache->bytes;
}

/* No device: the constant as it is, but aligned. */
static lm_status derive(lm_device *device, const lm_view *constant, const lm_want *want, entry *e)
{
    if (device)
        return device->vt->derive(device, constant, want, &e->derived.buf);
    lm_view aligned;
    LM_TRY(lm_view_align(constant, &aligned));
    e->derived.buf = aligned.buf;
    e->off = aligned.off;
    return LM_OK;
}

static lm_status make(lm_derived_cache *cache, lm_device *device, const lm_view *constant, const lm_want *want,
                      const key *k, entry **out)
{
    entry *e;
    LM_NEW(e);
    e->key = *k;
    lm_status status = derive(device, constant, want, e);
    if (status == LM_MEMORY && evict(cache, 0) > 0)
        status = derive(device, constant, want, e);
    if (status != LM_OK) {
        lm_free(e);
        return status;
    }
    if (constant->buf->mapped) /* the kernel reads the new form from now on */
        lm_file_done(constant->buf->host, constant->buf->bytes);
    e->constant = lm_buffer_ref(constant->buf);
    cache->bytes += e->derived.buf->bytes;
    status = lm_map_put(&cache->map, &e->key, sizeof e->key, (lm_cell){.ptr = e});
    if (status != LM_OK) {
        entry_free(cache, e);
        return status;
    }
    e->cached = true;
    *out = e;
    return LM_OK;
}

static lm_status get(lm_derived_cache *cache, lm_device *device, const lm_view *constant, const lm_want *want,
                     entry **out)
{
    key k;
    key_fill(&k, device, constant, want);
    lm_status status = LM_OK;
    pthread_mutex_lock(&cache->lock);
    const lm_cell *found = lm_map_get(&cache->map, &k, sizeof k);
    entry *e = found ? found->ptr : NULL;
    if (!e)
        status = make(cache, device, constant, want, &k, &e);
    if (status == LM_OK) {
        e->users++;
        *out = e;
    }
    pthread_mutex_unlock(&cache->lock);
    return status;
}

lm_status lm_derived_get(lm_derived_cache *cache, lm_device *device, const lm_view *constant, const lm_want *want,
                         const lm_derived **out)
{
    entry *e;
    LM_TRY(get(cache, device, constant, want, &e));
    *out = &e->derived;
    return LM_OK;
}

lm_status lm_derived_align(lm_derived_cache *cache, const lm_view *constant, const lm_derived **out, size_t *off)
{
    static const lm_want none;
    entry *e;
    LM_TRY(get(cache, NULL, constant, &none, &e));
    *out = &e->derived;
    *off = e->off;
    return LM_OK;
}

void lm_derived_put(lm_derived_cache *cache, const lm_derived *derived)
{
    entry *e = (entry *)(uintptr_t)derived;
    pthread_mutex_lock(&cache->lock);
    e->given_back = ++cache->clock;
    if (--e->users == 0 && !e->cached)
        entry_free(cache, e);
    pthread_mutex_unlock(&cache->lock);
}

size_t lm_derived_bytes(lm_derived_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    size_t bytes = cache->bytes;
    pthread_mutex_unlock(&cache->lock);
    return bytes;
}

size_t lm_derived_evict(lm_derived_cache *cache, size_t keep)
{
    pthread_mutex_lock(&cache->lock);
    size_t gone = evict(cache, keep);
    pthread_mutex_unlock(&cache->lock);
    return gone;
}

void lm_derived_forget(lm_derived_cache *cache, const lm_buffer *constant)
{
    pthread_mutex_lock(&cache->lock);
    /* removing an entry leaves its place in the order of the map, so the walk may go on */
    size_t at = 0;
    for (lm_map_entry *m; (m = lm_map_next(&cache->map, &at));) {
        entry *e = m->value.ptr;
        if (e->constant == constant)
            uncache(cache, e);
    }
    pthread_mutex_unlock(&cache->lock);
}
