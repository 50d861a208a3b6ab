/* Making and freeing plans. */
#include "core/base/fpu.h"
#include "core/run/plan_parts.h"

/* Devices that compute in host memory share it; any other has a space of its own. */
static void find_spaces(lm_plan *p)
{
    int host = -1;
    p->one_space = true;
    for (int d = 0; d < p->chain.n; d++) {
        const lm_device *device = p->chain.dev[d];
        lm_device_kind kind = device->info.kind;
        bool plain = !device->vt->map && (kind == LM_KIND_CPU || kind == LM_KIND_REFERENCE);
        if (plain && host < 0)
            host = d;
        p->space[d] = plain ? host : d;
        p->host[d] = plain && host == d;
        p->one_space = p->one_space && p->space[d] == p->space[0];
    }
}

/* *fused: asks for chains of ops to be one, and tells whether any are. */
static lm_status make(lm_plan *p, const lm_plan_options *options, bool *fused)
{
    LM_TRY(lm_graph_new(&p->graph));
    find_spaces(p);
    LM_TRY(lm_plan_items(p));
    LM_TRY(lm_plan_stages(p, options));
    if (*fused) {
        const size_t items = p->items.count;
        LM_TRY(lm_plan_fuse(p));
        *fused = p->items.count < items;
    }
    if (*fused) /* items have other numbers now */
        LM_TRY(lm_plan_stages(p, options));
    LM_TRY(lm_plan_places(p));
    lm_plan_hold(p);
    LM_TRY(lm_plan_bind(p));
    LM_TRY(lm_plan_memory(p));
    p->facts.steps = (int)p->steps.count;
    return LM_OK;
}

static lm_status open_plan(const lm_chain *chain, lm_derived_cache *cache, const lm_graph *g,
                           const lm_plan_options *options, bool *fused, lm_plan **out)
{
    lm_plan *p;
    LM_NEW(p);
    p->chain = *chain;
    p->cache = cache;
    p->model = g;
    p->plain = options && options->plain;
    p->once = options && options->once;
    lm_fpu caller = lm_fpu_enter();
    lm_status status = make(p, options, fused);
    lm_fpu_leave(caller);
    if (status != LM_OK) {
        lm_plan_close(p);
        return status;
    }
    *out = p;
    return LM_OK;
}

/* A chain of ops that a device took may still fail it, as when its compiler crashes; the ops alone run elsewhere. */
lm_status lm_plan_open(const lm_chain *chain, lm_derived_cache *cache, const lm_graph *g,
                       const lm_plan_options *options, lm_plan **out)
{
    bool fused = !options || !options->plain;
    const lm_status status = open_plan(chain, cache, g, options, &fused, out);
    if (status != LM_UNSUPPORTED || !fused)
        return status;
    fused = false;
    return open_plan(chain, cache, g, options, &fused, out);
}

/* Kernels go before the memory that they may point to, and that before the constants it was made from. */
void lm_plan_close(lm_plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->steps.count; i++) {
        if (p->steps.at[i].kernel)
            p->steps.at[i].kernel->free(p->steps.at[i].kernel);
        lm_buffer_unref(p->steps.at[i].stage);
    }
    for (size_t i = 0; i < p->entries.count; i++)
        lm_buffer_unref(p->entries.at[i].kept);
    for (size_t i = 0; i < p->derived.count; i++)
        lm_derived_put(p->cache, p->derived.at[i]);
    for (int d = 0; d < LM_CHAIN_MAX; d++) {
        lm_buffer_unref(p->room[d]);
        lm_buffer_unref(p->scratch[d]);
    }
    for (size_t i = 0; i < p->values.count; i++) {
        for (int s = 0; s < LM_CHAIN_MAX; s++)
            lm_buffer_unref(p->values.at[i].copy[s]);
        if (p->values.at[i].constant)
            lm_buffer_unref(p->values.at[i].view.buf);
    }
    lm_vec_free(&p->items);
    lm_vec_free(&p->values);
    lm_vec_free(&p->cells);
    lm_vec_free(&p->slots);
    lm_vec_free(&p->steps);
    lm_vec_free(&p->entries);
    lm_vec_free(&p->derived);
    lm_graph_free(p->graph);
    lm_arena_free(&p->arena);
    lm_free(p);
}

lm_plan_facts lm_plan_describe(const lm_plan *p)
{
    return p->facts;
}

const char *lm_plan_fallback(const lm_plan *p, int i)
{
    for (size_t k = 0; k < p->steps.count; k++)
        if (p->steps.at[k].kernel && p->steps.at[k].dev > 0 && i-- == 0)
            return p->steps.at[k].kernel->name;
    return NULL;
}
