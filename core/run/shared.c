/* Building graphs for sessions, and keeping the last few. */
#include "core/run/shared.h"

#include <pthread.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/nearest.h"
#include "core/graph/passes.h"
#include "core/run/plan_copy.h"

/* Graphs that nobody uses are kept up to this many. */
enum { KEPT = 8, NEAREST_NAMES = 4096 };

typedef struct form {
    lm_ready ready; /* first: users hold its address */
    lm_str key;     /* types of the feeds and names of inner values */
    uint8_t contents[32];
    lm_built *built;
    lm_graph *graph;
    int users;
    uint64_t clock; /* when it was last asked for */
} form;

struct lm_shared {
    lm_model *m;
    const lm_chain *chain;
    lm_derived_cache *cache;
    atomic_bool kept; /* a plan keeps weights packed */
    lm_shared *beside;
    pthread_mutex_t lock;
    LM_VEC(form *) forms;
    uint64_t clock;
};

lm_status lm_shared_open(lm_model *m, const lm_chain *chain, lm_shared **out)
{
    lm_shared *s;
    LM_NEW(s);
    s->m = m;
    s->chain = chain;
    lm_status status = lm_derived_open(&s->cache);
    if (status == LM_OK && chain->beside)
        status = lm_shared_open(m, chain->beside, &s->beside);
    if (status != LM_OK) {
        lm_derived_close(s->cache);
        lm_free(s);
        return status;
    }
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return LM_OK;
}

static void form_free(form *f)
{
    lm_str_free(&f->key);
    lm_graph_free(f->graph);
    lm_built_free(f->built);
    lm_free(f);
}

void lm_shared_close(lm_shared *s)
{
    if (!s)
        return;
    lm_shared_close(s->beside);
    lm_derived_close(s->cache);
    for (size_t i = 0; i < s->forms.count; i++)
        form_free(s->forms.at[i]);
    lm_vec_free(&s->forms);
    pthread_mutex_destroy(&s->lock);
    lm_free(s);
}

lm_shared *lm_shared_beside(const lm_shared *s)
{
    return s->beside;
}

lm_model *lm_shared_model(const lm_shared *s)
{
    return s->m;
}

lm_derived_cache *lm_shared_cache(const lm_shared *s)
{
    return s->cache;
}

bool lm_shared_is_kept(const lm_shared *s)
{
    return atomic_load(&s->kept);
}

void lm_shared_keep(lm_shared *s)
{
    atomic_store(&s->kept, true);
}

static lm_status make_key(lm_shared *s, const lm_feed *feed, const char *const *inner, int n_inner, bool plain,
                          lm_str *key)
{
    int n;
    lm_model_inputs(s->m, &n);
    lm_str_char(key, plain ? 'p' : 'f');
    for (int i = 0; i < n; i++) {
        const lm_feed *f = &feed[i];
        int32_t head[] = {(int32_t)f->dt, f->sh.rank};
        lm_str_add_bytes(key, head, sizeof head);
        if (lm_view_present(f))
            lm_str_add_bytes(key, f->sh.dim, (size_t)f->sh.rank * sizeof f->sh.dim[0]);
    }
    for (int i = 0; i < n_inner; i++)
        lm_str_add_bytes(key, inner[i], strlen(inner[i]) + 1);
    return key->status;
}

/* A digest of the contents that decided something when the graph was built. */
static lm_status digest(lm_shared *s, const lm_feed *feed, uint64_t by_value, uint8_t out[32])
{
    int n;
    lm_model_inputs(s->m, &n);
    lm_sha256 sha;
    lm_sha256_start(&sha);
    for (int i = 0; i < n; i++) {
        const lm_feed *f = &feed[i];
        if (!(by_value >> (i < 63 ? i : 63) & 1) || !lm_view_present(f) || !f->buf)
            continue;
        lm_view dense = *f;
        bool row = lm_view_is_row(f);
        if (!row) {
            LM_TRY(lm_view_new(f->dt, &f->sh, &dense));
            lm_plan_copy(&dense, f);
        }
        lm_sha256_add(&sha, lm_view_data(&dense), (size_t)lm_shape_count(&f->sh) * lm_dtype_size(f->dt));
        if (!row)
            lm_buffer_unref(dense.buf);
    }
    lm_sha256_end(&sha, out);
    return LM_OK;
}

static lm_status find(lm_shared *s, const lm_feed *feed, const lm_str *key, form **out)
{
    *out = NULL;
    for (size_t i = 0; i < s->forms.count; i++) {
        form *f = s->forms.at[i];
        uint8_t contents[32];
        if (f->key.count != key->count || memcmp(f->key.text, key->text, key->count) != 0)
            continue;
        LM_TRY(digest(s, feed, f->built->by_value, contents));
        if (memcmp(contents, f->contents, sizeof contents) == 0) {
            *out = f;
            return LM_OK;
        }
    }
    return LM_OK;
}

static lm_status unknown_value(const lm_built *b, const char *name)
{
    const char **known = lm_malloc(NEAREST_NAMES, sizeof *known);
    if (!known)
        return LM_MEMORY;
    size_t n = 0, at = 0;
    for (const lm_map_entry *e; n < NEAREST_NAMES && (e = lm_map_next(&b->values, &at));)
        known[n++] = e->key;
    lm_str near = {0};
    bool found = lm_nearest(name, known, n, &near);
    lm_free(known);
    lm_fail(LM_INPUT, "the model has no value called '%s'%s%s", name, found ? "; did you mean " : "",
            lm_str_text(&near));
    lm_str_free(&near);
    return LM_INPUT;
}

static lm_status build(lm_shared *s, const lm_feed *feed, const char *const *inner, int n_inner, form *f)
{
    lm_graph *canon = NULL;
    LM_TRY(lm_model_build(s->m, s->chain, feed, &f->built));
    LM_TRY(digest(s, feed, f->built->by_value, f->contents));
    for (int i = 0; i < n_inner; i++) {
        const lm_cell *v = lm_map_gets(&f->built->values, inner[i]);
        if (!v)
            return unknown_value(f->built, inner[i]);
        LM_TRY(lm_graph_output(f->built->graph, (lm_val)v->num));
    }
    lm_status status = lm_canon(f->built->graph, s->chain, f->ready.plain ? &f->graph : &canon, NULL);
    if (status == LM_OK && !f->ready.plain)
        status = lm_lower(canon, s->chain, &f->graph, NULL);
    lm_graph_free(canon);
    f->ready.built = f->built;
    f->ready.graph = f->graph;
    return status;
}

/* Room for one more: the unused form that was asked for longest ago goes when there are many. */
static void make_room(lm_shared *s)
{
    size_t oldest = s->forms.count;
    for (size_t i = 0; i < s->forms.count; i++)
        if (!s->forms.at[i]->users && (oldest == s->forms.count || s->forms.at[i]->clock < s->forms.at[oldest]->clock))
            oldest = i;
    if (s->forms.count < KEPT || oldest == s->forms.count)
        return;
    form_free(s->forms.at[oldest]);
    s->forms.at[oldest] = s->forms.at[--s->forms.count];
}

static lm_status get(lm_shared *s, const lm_feed *feed, const char *const *inner, int n_inner, bool plain, form **out)
{
    lm_str key = {0};
    form *f = NULL;
    lm_status status = make_key(s, feed, inner, n_inner, plain, &key);
    if (status == LM_OK)
        status = find(s, feed, &key, &f);
    if (status == LM_OK && !f) {
        f = lm_calloc(1, sizeof *f);
        status = f ? LM_OK : LM_MEMORY;
        if (f) {
            f->ready.plain = plain;
            f->key = key;
            key = (lm_str){0};
            status = build(s, feed, inner, n_inner, f);
        }
        make_room(s);
        if (status == LM_OK)
            status = lm_vec_push(&s->forms, f);
        if (status != LM_OK && f)
            form_free(f);
    }
    lm_str_free(&key);
    *out = f;
    return status;
}

lm_status lm_shared_get(lm_shared *s, const lm_feed *feed, const char *const *inner, int n_inner, bool plain,
                        const lm_ready **out)
{
    form *f;
    pthread_mutex_lock(&s->lock);
    lm_status status = get(s, feed, inner, n_inner, plain, &f);
    if (status == LM_OK) {
        f->users++;
        f->clock = ++s->clock;
        *out = &f->ready;
    }
    pthread_mutex_unlock(&s->lock);
    return status;
}

void lm_shared_put(lm_shared *s, const lm_ready *ready)
{
    form *f = (form *)(uintptr_t)ready;
    pthread_mutex_lock(&s->lock);
    f->users--;
    pthread_mutex_unlock(&s->lock);
}
