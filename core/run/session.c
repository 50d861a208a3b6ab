/* Runs by name: feeds checked against the model's ports, plans found or made, results handed out. */
#include "core/run/session.h"

#include <string.h>

#include "core/base/env.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "core/run/session_parts.h"

lm_status lm_session_open(lm_model *m, const lm_chain *chain, const lm_session_options *options, lm_session **out)
{
    const lm_session_options none = {0};
    const lm_session_options *o = options ? options : &none;
    int word = 0;
    LM_TRY(lm_env_word(LM_ENV_PLAN, &word));
    lm_session *s;
    LM_NEW(s);
    s->m = m;
    s->chain = chain;
    s->plain = o->plain || strcmp(lm_env_text(LM_ENV_PLAN), "plain") == 0;
    s->one_only = o->one_only;
    s->shared = o->shared;
    s->own_shared = !o->shared;
    lm_status status = s->shared ? LM_OK : lm_shared_open(m, chain, &s->shared);
    if (status == LM_OK && chain->beside) {
        lm_session_options beside = {.shared = lm_shared_beside(s->shared), .plain = o->plain, .one_only = o->one_only};
        status = lm_session_open(m, chain->beside, &beside, &s->beside);
        if (status != LM_OK && s->own_shared)
            lm_shared_close(s->shared);
    }
    if (status != LM_OK) {
        lm_free(s);
        return status;
    }
    *out = s;
    return LM_OK;
}

static void drop(lm_session *s, session_plan *p)
{
    if (!p->clock)
        return;
    lm_plan_close(p->plan);
    lm_shared_put(s->shared, p->ready);
    s->last = s->last == p ? NULL : s->last;
    *p = (session_plan){0};
}

void lm_session_forget(lm_session *s)
{
    if (s->beside)
        lm_session_forget(s->beside);
    for (int i = 0; i < SESSION_PLANS; i++)
        drop(s, &s->plans[i]);
}

void lm_session_close(lm_session *s)
{
    if (!s)
        return;
    lm_session_close(s->beside);
    s->beside = NULL;
    lm_session_forget(s);
    if (s->built)
        lm_shared_put(s->shared, s->built);
    if (s->own_shared)
        lm_shared_close(s->shared);
    lm_free(s);
}

/* Weights are not packed to be kept where memory is too short for it. */
static lm_status open_plan(lm_session *s, const lm_ready *ready, bool once, session_plan *out)
{
    lm_derived_cache *cache = lm_shared_cache(s->shared);
    lm_plan_options options = {.plain = s->plain, .once = once};
    lm_plan_close(out->plan);
    out->plan = NULL;
    out->once = once;
    lm_status status = lm_plan_open(s->chain, cache, ready->graph, &options, &out->plan);
    if (status == LM_MEMORY && !once && !s->plain) {
        options.once = true;
        status = lm_plan_open(s->chain, cache, ready->graph, &options, &out->plan);
    }
    if (!options.once)
        lm_shared_keep(s->shared);
    if (status == LM_OK) {
        lm_plan_facts f = lm_plan_describe(out->plan);
        lm_log(LM_LOG_INFO,
               "plan: %d steps on %s, %d of them on another device, %.1f MB of values, %.1f MB of scratch%s", f.steps,
               s->chain->dev[0]->info.name, f.fallbacks, 1e-6 * (double)f.activation_bytes,
               1e-6 * (double)f.workspace_bytes, options.once ? ", for a single run" : "");
    }
    return lm_context(status, "%s", lm_model_onnx(s->m)->path);
}

lm_status lm_session_get(lm_session *s, const lm_feed *feed, const session_fetch *fetch,
                         const lm_plan_run_options *options, session_plan **out)
{
    const lm_ready *ready;
    LM_TRY(lm_shared_get(s->shared, feed, fetch->inner, fetch->n_inner, s->plain, &ready));
    session_plan *oldest = &s->plans[0];
    for (int i = 0; i < SESSION_PLANS; i++) {
        session_plan *p = &s->plans[i];
        if (p->clock && p->ready == ready) {
            lm_shared_put(s->shared, ready);
            p->clock = ++s->clock;
            *out = p;
            lm_status status = p->once ? open_plan(s, ready, false, p) : LM_OK;
            if (status != LM_OK)
                drop(s, p);
            return status;
        }
        oldest = p->clock < oldest->clock ? p : oldest;
    }
    drop(s, oldest);
    bool timed = options && options->profile,
         first = s->clock == 0 && !lm_shared_is_kept(s->shared);
    session_plan fresh = {.ready = ready};
    lm_status status = open_plan(s, ready, first && !timed && !s->plain, &fresh);
    if (status != LM_OK) {
        lm_shared_put(s->shared, ready);
        return status;
    }
    fresh.clock = ++s->clock;
    *oldest = fresh;
    *out = oldest;
    return LM_OK;
}

lm_status lm_session_run_plan(lm_session *s, session_plan *p, const lm_feed *feed, const session_fetch *fetch,
                              lm_view *y, const lm_plan_run_options *options)
{
    const lm_built *b = p->ready->built;
    const lm_graph *g = p->ready->graph;
    size_t nx = b->fed.count, ny = g->outputs.count;
    s->last = p;
    lm_view *in = lm_calloc(nx + ny + 1, sizeof *in);
    if (!in)
        return LM_MEMORY;
    lm_view *out = in + nx;
    lm_status status = LM_OK;
    for (size_t i = 0; i < nx; i++)
        in[i] = feed[b->fed.at[i]];
    for (int i = 0; i < fetch->n && status == LM_OK; i++) {
        lm_view *to = &out[fetch->output[i]];
        const lm_type *type = &lm_graph_value(g, g->outputs.at[fetch->output[i]])->type;
        if (!to->buf)
            status = lm_view_new(type->dt, &type->sh, to);
    }
    if (status == LM_OK)
        status = lm_context(lm_plan_run(p->plan, in, out, options), "%s", lm_model_onnx(s->m)->path);
    for (int i = 0; i < fetch->n && status == LM_OK; i++) {
        y[i] = out[fetch->output[i]];
        lm_buffer_ref(y[i].buf);
    }
    for (size_t i = 0; i < ny; i++)
        lm_buffer_unref(out[i].buf);
    lm_free(in);
    return status;
}

/* "float32[1,3,?,?]": what a port takes. */
static void port_text(const lm_port *p, lm_str *out)
{
    lm_str_add(out, lm_dtype_name(p->dt));
    if (p->rank < 0) {
        lm_str_add(out, " of any shape");
        return;
    }
    lm_str_char(out, '[');
    for (int i = 0; i < p->rank; i++) {
        lm_str_add(out, i ? "," : "");
        if (p->dim[i] >= 0)
            lm_str_printf(out, "%lld", (long long)p->dim[i]);
        else
            lm_str_add(out, p->param[i] ? p->param[i] : "?");
    }
    lm_str_char(out, ']');
}

/* "...; the model's inputs are x float32[1,3], mask bool[n]" */
static lm_status wrong_names(const lm_session *s, const char *problem, const char *name)
{
    int n;
    const lm_port *port = lm_model_inputs(s->m, &n);
    lm_str text = {0};
    for (int i = 0; i < n; i++) {
        lm_str_printf(&text, "%s%s ", i ? ", " : "", port[i].name);
        port_text(&port[i], &text);
        lm_str_add(&text, port[i].optional ? " (may be left out)" : "");
    }
    lm_fail(LM_INPUT, "input '%s' %s; the model's inputs are: %s", name, problem, n ? lm_str_text(&text) : "none");
    lm_str_free(&text);
    return LM_INPUT;
}

static lm_status wrong_type(const lm_port *p, const lm_view *v)
{
    lm_str text = {0};
    char given[LM_SHAPE_TEXT];
    port_text(p, &text);
    lm_fail(LM_INPUT, "input '%s' takes %s, but %s%s is fed", p->name, lm_str_text(&text), lm_dtype_name(v->dt),
            lm_shape_text(&v->sh, given));
    lm_str_free(&text);
    return LM_INPUT;
}

/* Feeds by port; those that are not fed are absent. */
static lm_status sort_feeds(const lm_session *s, const lm_named *named, int n_named, lm_feed *feed)
{
    int n;
    const lm_port *port = lm_model_inputs(s->m, &n);
    for (int i = 0; i < n; i++) {
        feed[i] = lm_view_absent();
        if (!port[i].optional)
            LM_TRY(lm_port_known(&port[i]));
    }
    for (int k = 0; k < n_named; k++) {
        int at = 0;
        while (at < n && strcmp(port[at].name, named[k].name) != 0)
            at++;
        if (at == n)
            return wrong_names(s, "does not exist", named[k].name);
        if (lm_view_present(&feed[at]))
            return wrong_names(s, "is fed twice", named[k].name);
        feed[at] = named[k].view;
        if (named[k].view.buf)
            LM_TRY(lm_context(lm_view_check(&named[k].view), "input '%s'", named[k].name));
    }
    for (int i = 0; i < n; i++)
        if (!lm_view_present(&feed[i]) && !port[i].optional)
            return wrong_names(s, "is not fed", port[i].name);
    return LM_OK;
}

/* Do the feeds fit their ports? Where some hold several samples and the model says 1: how many, and which; else 1. */
static lm_status check_feeds(const lm_session *s, const lm_feed *feed, bool *many, int64_t *samples)
{
    int n;
    const lm_port *port = lm_model_inputs(s->m, &n);
    *samples = 1;
    for (int i = 0; i < n; i++) {
        const lm_port *p = &port[i];
        many[i] = false;
        if (!lm_view_present(&feed[i]))
            continue;
        bool fits = feed[i].dt == p->dt && (p->rank < 0 || p->rank == feed[i].sh.rank);
        for (int d = 0; fits && d < p->rank; d++) {
            int64_t dim = feed[i].sh.dim[d];
            bool batch = d == 0 && p->dim[0] == 1 && dim > 1 && !s->one_only && (*samples == 1 || *samples == dim);
            many[i] |= batch;
            fits = p->dim[d] < 0 || p->dim[d] == dim || batch;
        }
        if (!fits)
            return wrong_type(p, &feed[i]);
        if (many[i])
            *samples = feed[i].sh.dim[0];
    }
    return LM_OK;
}

static lm_status run_whole(lm_session *s, const lm_feed *feed, session_fetch *fetch, lm_view *y,
                           const lm_plan_run_options *options)
{
    session_plan *p;
    LM_TRY(lm_session_get(s, feed, fetch, options, &p));
    return lm_session_run_plan(s, p, feed, fetch, y, options);
}

/* On all devices, where there are several and there is enough to share: samples only where the model says 1, as a free
 * axis 0 may hold anything. */
static lm_status run_samples(lm_session *s, const lm_feed *feed, const bool *many, int64_t samples,
                             session_fetch *fetch, lm_view *y, const lm_plan_run_options *options)
{
    if (lm_split_pays(s->chain, samples))
        return lm_session_run_split(s, feed, many, samples, fetch, y, options);
    s->shares.rows[0] += samples;
    return samples > 1 ? lm_session_run_batch(s, feed, many, samples, fetch, y, options)
                       : run_whole(s, feed, fetch, y, options);
}

const int64_t *lm_session_rows(const lm_session *s, bool *fixed)
{
    *fixed = s->shares.fixed;
    return s->shares.rows;
}

/* Which outputs of the graph are wanted; names that are no output of the model become further outputs of the graph. */
static void sort_fetch(const lm_session *s, const char *const *names, session_fetch *f)
{
    int n;
    const lm_port *port = lm_model_outputs(s->m, &n);
    for (int i = 0; i < f->n; i++) {
        int at = 0;
        while (names && at < n && strcmp(port[at].name, names[i]) != 0)
            at++;
        f->output[i] = names ? at : i;
        if (!names || at < n)
            continue;
        int k = 0;
        while (k < f->n_inner && strcmp(f->inner[k], names[i]) != 0)
            k++;
        f->inner[k] = names[i];
        f->n_inner += k == f->n_inner;
        f->output[i] = n + k;
    }
}

/* A call's arrays. */
typedef struct request {
    lm_arena arena;
    lm_feed *feed;
    bool *many;
    session_fetch fetch;
    lm_view *y;
} request;

static lm_status request_open(const lm_session *s, int ny, request *r)
{
    int n;
    lm_model_inputs(s->m, &n);
    *r = (request){0};
    r->feed = lm_arena_alloc(&r->arena, (size_t)n, sizeof *r->feed);
    r->many = lm_arena_alloc(&r->arena, (size_t)n, sizeof *r->many);
    r->y = lm_arena_alloc(&r->arena, (size_t)ny, sizeof *r->y);
    r->fetch.n = ny;
    r->fetch.output = lm_arena_alloc(&r->arena, (size_t)ny, sizeof *r->fetch.output);
    r->fetch.inner = lm_arena_alloc(&r->arena, (size_t)ny, sizeof *r->fetch.inner);
    return r->feed && r->many && r->y && r->fetch.output && r->fetch.inner ? LM_OK : LM_MEMORY;
}

lm_status lm_session_run(lm_session *s, const lm_named *feed, int nfeed, const char *const *fetch, int ny, lm_view *y,
                         const lm_plan_run_options *options)
{
    request r;
    int64_t samples;
    int outputs;
    lm_model_outputs(s->m, &outputs);
    LM_REQUIRE(ny >= 0 && (fetch || ny == outputs), LM_USAGE, "%d results are asked for; the model has %d outputs", ny,
               outputs);
    lm_status status = request_open(s, ny, &r);
    if (status == LM_OK)
        status = sort_feeds(s, feed, nfeed, r.feed);
    for (int i = 0; i < nfeed && status == LM_OK; i++)
        if (!feed[i].view.buf || !feed[i].view.buf->host)
            status = lm_fail(LM_INPUT, "input '%s' has no content on the host", feed[i].name);
    if (status == LM_OK)
        status = check_feeds(s, r.feed, r.many, &samples);
    if (status == LM_OK) {
        sort_fetch(s, fetch, &r.fetch);
        status = run_samples(s, r.feed, r.many, samples, &r.fetch, r.y, options);
    }
    if (status == LM_OK && ny)
        memcpy(y, r.y, (size_t)ny * sizeof *y);
    lm_arena_free(&r.arena);
    return status;
}

lm_status lm_session_built(lm_session *s, const lm_named *feed, int nfeed, const lm_built **out)
{
    request r;
    int64_t samples;
    const lm_ready *ready = NULL;
    lm_status status = request_open(s, 0, &r);
    if (status == LM_OK)
        status = sort_feeds(s, feed, nfeed, r.feed);
    if (status == LM_OK)
        status = check_feeds(s, r.feed, r.many, &samples);
    if (status == LM_OK)
        status = lm_shared_get(s->shared, r.feed, NULL, 0, s->plain, &ready);
    lm_arena_free(&r.arena);
    if (status != LM_OK)
        return status;
    if (s->built)
        lm_shared_put(s->shared, s->built);
    s->built = ready;
    *out = ready->built;
    return LM_OK;
}

const lm_plan *lm_session_plan(const lm_session *s)
{
    return s->last ? s->last->plan : NULL;
}
