/* Passes found again or made; the last few stay. */
#include "core/explain/pass.h"

#include <string.h>

void lm_pass_free(pass *p)
{
    if (!p)
        return;
    lm_plan_close(p->plan);
    lm_graph_free(p->graph);
    lm_str_free(&p->key);
    lm_vec_free(&p->in);
    lm_vec_free(&p->out);
    lm_vec_free(&p->trace);
    lm_vec_free(&p->ntrace);
    lm_arena_free(&p->arena);
    lm_free(p);
}

/* A reference run is the same from sweep to sweep more often than not. */
static lm_status open_plan(lm_study *s, bool once, pass *p)
{
    bool *still = lm_arena_alloc(&p->arena, p->in.count, sizeof *still);
    bool *late = lm_arena_alloc(&p->arena, p->in.count, sizeof *late);
    if (!still || !late)
        return LM_MEMORY;
    bool any = false;
    for (size_t i = 0; i < p->in.count; i++) {
        still[i] = p->in.at[i].source == PASS_BASELINE;
        late[i] = p->in.at[i].source == PASS_SEED;
        any |= still[i];
    }
    lm_plan_options options = {.plain = s->plain, .once = once, .still = any ? still : NULL, .late = late};
    lm_plan_close(p->plan);
    p->plan = NULL;
    p->once = once;
    lm_status status = lm_plan_open(s->chain, lm_shared_cache(s->shared), p->graph, &options, &p->plan);
    if (!once)
        lm_shared_keep(s->shared);
    if (status != LM_MEMORY || s->plain || once)
        return status;
    lm_derived_evict(lm_shared_cache(s->shared), 0);
    options.once = true; /* weights packed at every run, in memory that all layers share, are slower, but there is room */
    return lm_plan_open(s->chain, lm_shared_cache(s->shared), p->graph, &options, &p->plan);
}

static lm_status note_fallback(lm_study *s, const char *name)
{
    LM_TRY(lm_study_intern(s, name, &name));
    for (size_t k = 0; k < s->fallbacks.count; k++)
        if (s->fallbacks.at[k] == name)
            return LM_OK;
    return lm_vec_push(&s->fallbacks, name);
}

static lm_status note_fallbacks(lm_study *s, const lm_plan *plan)
{
    const char *name;
    for (int i = 0; (name = lm_plan_fallback(plan, i)); i++)
        LM_TRY(note_fallback(s, name));
    return LM_OK;
}

lm_status lm_pass_fallbacks(lm_study *s, const lm_study *beside)
{
    for (size_t i = 0; i < beside->fallbacks.count; i++)
        LM_TRY(note_fallback(s, beside->fallbacks.at[i]));
    return LM_OK;
}

static lm_status make(lm_study *s, const pass_wish *wish, pass *p)
{
    study_build *b;
    LM_TRY(lm_study_build(s, wish->feed, wish->rows, &b));
    LM_TRY(lm_pass_emit(s, wish, b, p));
    LM_TRY(open_plan(s, wish->once && !s->plain && !lm_shared_is_kept(s->shared), p));
    return note_fallbacks(s, p->plan);
}

bool lm_pass_make_room(lm_study *s)
{
    bool any = false;
    for (int i = 0; i < STUDY_PASSES; i++)
        if (s->pass[i] && !s->pass[i]->held) {
            lm_pass_free(s->pass[i]);
            s->pass[i] = NULL;
            any = true;
        }
    return any;
}

static lm_status make_new(lm_study *s, const pass_wish *wish, lm_str *key, pass **out)
{
    lm_status status = LM_MEMORY;
    for (bool again = true; again && status == LM_MEMORY;) {
        pass *p;
        LM_NEW(p);
        status = make(s, wish, p);
        if (status == LM_OK) {
            p->key = *key;
            *key = (lm_str){0};
            *out = p;
            return LM_OK;
        }
        lm_pass_free(p);
        again = status == LM_MEMORY && lm_pass_make_room(s);
    }
    return lm_context(status, "%s", lm_model_onnx(lm_study_model(s))->path);
}

static lm_status get(lm_study *s, const pass_wish *wish, lm_str *key, pass **out)
{
    study_build *one;
    LM_TRY(lm_study_build(s, wish->feed, 1, &one));
    LM_TRY(lm_pass_key(wish, one, key));
    for (int i = 0; i < STUDY_PASSES; i++) {
        pass *p = s->pass[i];
        if (p && p->key.count == key->count && memcmp(p->key.text, key->text, key->count) == 0) {
            lm_status status = p->once && !p->held ? open_plan(s, false, p) : LM_OK;
            if (status != LM_OK) {
                lm_pass_free(p);
                s->pass[i] = p = NULL;
            }
            *out = p;
            return status;
        }
    }
    LM_TRY(make_new(s, wish, key, out));
    pass **place = NULL;
    for (int i = 0; i < STUDY_PASSES && !(place && !*place); i++) {
        pass *p = s->pass[i];
        if (!p || (!p->held && (!place || p->clock < (*place)->clock)))
            place = &s->pass[i];
    }
    if (!place) {
        lm_pass_free(*out);
        return lm_fail(LM_UNSUPPORTED, "a sweep has walks of more than %d kinds", STUDY_PASSES / 2);
    }
    lm_pass_free(*place);
    *place = *out;
    return LM_OK;
}

lm_status lm_pass_get(lm_study *s, const pass_wish *wish, pass **out)
{
    lm_str key = {0};
    lm_status status = get(s, wish, &key, out);
    if (status == LM_OK) {
        (*out)->clock = ++s->clock;
        (*out)->held = true;
    }
    lm_str_free(&key);
    return status;
}
