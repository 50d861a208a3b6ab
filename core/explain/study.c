/* Studies: opening, closing, builds for numbers of rows, and names of values. */
#include "core/explain/study.h"

#include <string.h>

#include "core/base/env.h"
#include "core/base/hash.h"
#include "core/base/nearest.h"
#include "core/explain/pass.h"
#include "core/graph/widen.h"
#include "core/run/plan_copy.h"

/* Models whose inputs or outputs are doubles are computed in doubles on any device. */
static bool is_double(const lm_model *m)
{
    for (int side = 0; side < 2; side++) {
        int n;
        const lm_port *p = side ? lm_model_outputs(m, &n) : lm_model_inputs(m, &n);
        for (int i = 0; i < n; i++)
            if (p[i].dt == LM_F64)
                return true;
    }
    return false;
}

lm_status lm_study_open(lm_shared *shared, const lm_chain *chain, lm_study **out)
{
    int word = 0;
    LM_TRY(lm_env_word(LM_ENV_PLAN, &word));
    lm_study *s;
    LM_NEW(s);
    s->shared = shared;
    s->chain = chain;
    s->type = chain->compute == LM_F64 || is_double(lm_shared_model(shared)) ? LM_F64 : LM_F32;
    s->plain = strcmp(lm_env_text(LM_ENV_PLAN), "plain") == 0;
    lm_status status = chain->beside ? lm_study_open(lm_shared_beside(shared), chain->beside, &s->beside) : LM_OK;
    if (status != LM_OK) {
        lm_free(s);
        return status;
    }
    *out = s;
    return LM_OK;
}

static void build_free(study_build *b)
{
    if (!b)
        return;
    lm_str_free(&b->key);
    lm_built_free(b->built);
    lm_graph_free(b->wide);
    lm_free(b->map);
    lm_map_free(&b->opened);
    lm_free(b);
}

void lm_study_close(lm_study *s)
{
    if (!s)
        return;
    lm_study_close(s->beside);
    for (int i = 0; i < STUDY_PASSES; i++)
        lm_pass_free(s->pass[i]);
    for (int i = 0; i < STUDY_BUILDS; i++)
        build_free(s->build[i]);
    for (int i = 0; i < (int)LM_COUNT(s->room); i++)
        lm_buffer_unref(s->room[i]);
    lm_vec_free(&s->fallbacks);
    lm_map_free(&s->names);
    lm_arena_free(&s->arena);
    lm_arena_free(&s->scratch);
    lm_free(s);
}

lm_arena *lm_study_scratch(lm_study *s)
{
    return &s->scratch;
}

/* Where memory is bounded it goes back at once. */
void lm_study_cleared(lm_study *s)
{
    enum { KEEP = 64 << 20 };
    uint64_t cap = 0;
    const bool bounded = lm_env_size(LM_ENV_MEM, &cap) != LM_OK || cap > 0;
    lm_arena_clear(&s->scratch, bounded ? 0 : KEEP);
}

void lm_study_time(lm_study *s, lm_profile *profile)
{
    s->profile = profile;
}

lm_model *lm_study_model(const lm_study *s)
{
    return lm_shared_model(s->shared);
}

lm_dtype lm_study_type(const lm_study *s)
{
    return s->type;
}

const int64_t *lm_study_rows(const lm_study *s, bool *fixed)
{
    *fixed = s->shares.fixed;
    return s->shares.rows;
}

const char *const *lm_study_fallbacks(const lm_study *s, int *n)
{
    *n = (int)s->fallbacks.count;
    return s->fallbacks.at;
}

lm_status lm_study_intern(lm_study *s, const char *name, const char **out)
{
    const lm_cell *known = lm_map_gets(&s->names, name);
    if (!known) {
        char *copy = lm_arena_strdup(&s->arena, name);
        if (!copy)
            return LM_MEMORY;
        LM_TRY(lm_map_put_ptr(&s->names, name, copy));
        known = lm_map_gets(&s->names, name);
    }
    *out = known->ptr;
    return LM_OK;
}

bool lm_study_tiled(const lm_port *p, const lm_feed *feed)
{
    return lm_view_present(feed) && feed->sh.rank > 0 && feed->sh.dim[0] == 1 &&
           (p->rank < 0 || p->dim[0] == 1 || p->dim[0] < 0);
}

/* Contents that decide, in row-major order. */
static lm_status digest(lm_study *s, const lm_feed *feed, uint64_t by_value, uint8_t out[32])
{
    int n;
    lm_model_inputs(lm_study_model(s), &n);
    lm_sha256 sha;
    lm_sha256_start(&sha);
    for (int i = 0; i < n; i++) {
        const lm_feed *f = &feed[i];
        if (!(by_value >> (i < 63 ? i : 63) & 1) || !lm_view_present(f) || !f->buf)
            continue;
        lm_view dense;
        LM_TRY(lm_view_new(f->dt, &f->sh, &dense));
        lm_plan_copy(&dense, f);
        lm_sha256_add(&sha, lm_view_data(&dense), (size_t)lm_shape_count(&f->sh) * lm_dtype_size(f->dt));
        lm_buffer_unref(dense.buf);
    }
    lm_sha256_end(&sha, out);
    return LM_OK;
}

static lm_status type_key(lm_study *s, const lm_feed *feed, int64_t rows, lm_str *key)
{
    int n;
    lm_model_inputs(lm_study_model(s), &n);
    lm_str_add_bytes(key, &rows, sizeof rows);
    lm_str_add_bytes(key, &s->open_attention, sizeof s->open_attention);
    for (int i = 0; i < n; i++) {
        const int32_t head[] = {(int32_t)feed[i].dt, feed[i].sh.rank};
        lm_str_add_bytes(key, head, sizeof head);
        if (lm_view_present(&feed[i]))
            lm_str_add_bytes(key, feed[i].sh.dim, (size_t)feed[i].sh.rank * sizeof feed[i].sh.dim[0]);
    }
    return key->status;
}

static lm_status make(lm_study *s, const lm_feed *feed, study_build *b)
{
    int n;
    const lm_port *port = lm_model_inputs(lm_study_model(s), &n);
    lm_feed *tiled = lm_malloc((size_t)n + 1, sizeof *tiled);
    if (!tiled)
        return LM_MEMORY;
    for (int i = 0; i < n; i++) {
        tiled[i] = feed[i];
        if (b->rows > 1 && lm_study_tiled(&port[i], &feed[i])) {
            tiled[i].sh.dim[0] = b->rows;
            tiled[i].st[0] = 0;
        }
    }
    lm_status status = lm_model_build(lm_study_model(s), s->chain, tiled, &b->built);
    lm_free(tiled);
    LM_TRY(status);
    LM_TRY(digest(s, feed, b->built->by_value, b->contents));
    if (lm_graph_is_narrow(b->built->graph, s->type))
        LM_TRY(lm_context(lm_graph_widen(b->built->graph, s->type, s->chain, &b->wide, &b->map), "%s",
                          lm_model_onnx(lm_study_model(s))->path));
    return s->open_attention ? lm_study_open_attention(s, b) : LM_OK;
}

lm_status lm_study_build(lm_study *s, const lm_feed *feed, int64_t rows, study_build **out)
{
    lm_str key = {0};
    study_build **oldest = &s->build[0];
    lm_status status = type_key(s, feed, rows, &key);
    for (int i = 0; i < STUDY_BUILDS && status == LM_OK; i++) {
        study_build *b = s->build[i];
        uint8_t contents[32];
        if (!b || (*oldest && b->clock < (*oldest)->clock))
            oldest = &s->build[i];
        if (!b || b->key.count != key.count || memcmp(b->key.text, key.text, key.count) != 0)
            continue;
        status = digest(s, feed, b->built->by_value, contents);
        if (status == LM_OK && memcmp(contents, b->contents, sizeof contents) == 0) {
            b->clock = ++s->clock;
            *out = b;
            lm_str_free(&key);
            return LM_OK;
        }
    }
    study_build *b = status == LM_OK ? lm_calloc(1, sizeof *b) : NULL;
    if (!b) {
        lm_str_free(&key);
        return status == LM_OK ? LM_MEMORY : status;
    }
    b->key = key;
    b->rows = rows;
    b->clock = ++s->clock;
    status = make(s, feed, b);
    if (status != LM_OK) {
        build_free(b);
        return status;
    }
    build_free(*oldest);
    *oldest = *out = b;
    return LM_OK;
}

lm_status lm_study_built(lm_study *s, const lm_feed *feed, const lm_built **out)
{
    study_build *b;
    LM_TRY(lm_study_build(s, feed, 1, &b));
    *out = b->built;
    return LM_OK;
}

lm_status lm_study_value(const study_build *b, const char *name, lm_val *out)
{
    const lm_cell *cell = name ? lm_map_gets(&b->built->values, name) : NULL;
    const lm_cell *opened = name ? lm_map_gets(&b->opened, name) : NULL;
    if (opened) {
        *out = (lm_val)opened->num;
        return LM_OK;
    }
    LM_REQUIRE(name, LM_USAGE, "a value without a name is asked for");
    if (cell && cell->num != LM_NOVAL) {
        *out = study_mapped(b, (lm_val)cell->num);
        LM_REQUIRE(*out != LM_NOVAL, LM_USAGE, "value '%s' is a constant that nothing uses", name);
        return LM_OK;
    }
    enum { KNOWN = 4096 };
    const char **known = lm_malloc(KNOWN, sizeof *known);
    if (!known)
        return LM_MEMORY;
    size_t n = 0, at = 0;
    for (const lm_map_entry *e; n < KNOWN && (e = lm_map_next(&b->built->values, &at));)
        known[n++] = e->key;
    lm_str near = {0};
    bool found = lm_nearest(name, known, n, &near);
    lm_free(known);
    lm_fail(LM_USAGE, "the model has no value called '%s'%s%s", name, found ? "; did you mean " : "",
            lm_str_text(&near));
    lm_str_free(&near);
    return LM_USAGE;
}
