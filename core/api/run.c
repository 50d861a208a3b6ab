/* limn/run.h: sessions. */
#include <limn/run.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/api/handle.h"
#include "core/base/mem.h"
#include "core/model/check.h"
#include "core/model/layers.h"
#include "core/run/split.h"

/* The shared part for this device, made by the first session that asks. */
static lm_status enter_shared(limn_model *m, limn_device *d, lm_shared **out)
{
    for (size_t i = 0; i < m->shared.count; i++)
        if (m->shared.at[i].device == d) {
            m->shared.at[i].sessions++;
            *out = m->shared.at[i].shared;
            return LM_OK;
        }
    LM_TRY(lm_vec_reserve(&m->shared, m->shared.count + 1));
    LM_TRY(lm_shared_open(m->model, &d->chain, out));
    m->shared.at[m->shared.count++] = (api_shared){d, *out, 1};
    return LM_OK;
}

static void leave_shared(limn_model *m, const limn_device *d)
{
    for (size_t i = 0; i < m->shared.count; i++) {
        if (m->shared.at[i].device != d || --m->shared.at[i].sessions > 0)
            continue;
        lm_shared_close(m->shared.at[i].shared);
        m->shared.at[i] = m->shared.at[--m->shared.count];
        return;
    }
}

limn_status limn_session_open(limn_model *model, limn_device *device, limn_session **out)
{
    LM_REQUIRE(model && device && out, LM_USAGE, "limn_session_open: a pointer is NULL");
    limn_session *s;
    lm_shared *shared;
    LM_NEW(s);
    s->model = model;
    s->device = device;
    pthread_mutex_lock(&model->lock);
    lm_status status = enter_shared(model, device, &shared);
    if (status == LM_OK) {
        s->shared = shared;
        status = lm_session_open(model->model, &device->chain, &(lm_session_options){.shared = shared}, &s->inner);
        if (status != LM_OK)
            leave_shared(model, device);
    }
    pthread_mutex_unlock(&model->lock);
    if (status != LM_OK) {
        lm_free(s);
        return status;
    }
    *out = s;
    return LM_OK;
}

void limn_session_free(limn_session *s)
{
    if (!s)
        return;
    lm_study_close(s->study);
    lm_memo_free(s->memo);
    lm_session_close(s->inner);
    pthread_mutex_lock(&s->model->lock);
    leave_shared(s->model, s->device);
    pthread_mutex_unlock(&s->model->lock);
    lm_profile_free(&s->profile);
    lm_free(s);
}

void api_feeds_free(lm_named *named, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lm_buffer_unref(named[i].view.buf);
    lm_free(named);
}

lm_status api_feeds(const limn_feed *feed, size_t n, bool bare, lm_named **out)
{
    lm_named *named = lm_calloc(n, sizeof *named);
    if (!named)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++) {
        lm_status status = feed[i].name ? api_view(&feed[i].tensor, bare, &named[i].view)
                                        : lm_fail(LM_USAGE, "a feed has no name");
        named[i].name = feed[i].name;
        if (status != LM_OK) {
            api_feeds_free(named, i);
            return lm_context(status, "input '%s'", feed[i].name ? feed[i].name : "");
        }
    }
    *out = named;
    return LM_OK;
}

static bool is_output(const limn_model *m, const char *name)
{
    for (size_t i = 0; i < limn_model_output_count(m); i++)
        if (strcmp(m->outputs[i].name, name) == 0)
            return true;
    return false;
}

/* The name under which the build knows a value; NULL when it has none. Borrowed from the build. */
static const char *name_of(const lm_built *b, lm_val v)
{
    size_t at = 0;
    for (lm_map_entry *e; (e = lm_map_next(&b->values, &at));)
        if (e->value.num == v)
            return e->key;
    return NULL;
}

/* The build for these feeds, of which one sample is enough where the model was made for one. */
static lm_status built_for(limn_session *s, const lm_named *feed, size_t n, const lm_built **out)
{
    int inputs;
    const lm_port *port = lm_model_inputs(s->model->model, &inputs);
    lm_named *one = lm_malloc(n, sizeof *one);
    if (!one)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++) {
        one[i] = feed[i];
        for (int k = 0; k < inputs; k++)
            if (strcmp(port[k].name, feed[i].name) == 0 && port[k].rank > 0 && port[k].dim[0] == 1 &&
                feed[i].view.sh.rank == port[k].rank && feed[i].view.sh.dim[0] > 1)
                one[i].view.sh.dim[0] = 1;
    }
    lm_status status = lm_session_built(s->inner, one, (int)n, out);
    lm_free(one);
    return status;
}

/* A value's own name for what the caller wrote, which may be a layer. Borrowed from `text` or the build. */
static lm_status find_value(lm_model *m, const lm_built *b, const char *text, const char **name)
{
    *name = text;
    if (lm_map_gets(&b->values, text))
        return LM_OK;
    lm_layers layers;
    lm_layer_point point;
    LM_TRY(lm_layers_list(b, &layers));
    lm_status status = lm_layers_find(&layers, text, &point);
    if (status == LM_OK && point.folded)
        status = lm_model_tell(m, LM_LOG_WARN, point.why);
    lm_layers_free(&layers);
    LM_TRY(status);
    *name = name_of(b, point.v);
    return *name ? LM_OK : lm_fail(LM_USAGE, "layer '%s' has no value of its own", text);
}

static lm_status resolve(limn_session *s, const lm_named *feed, size_t n, const char *text, const char **name)
{
    *name = text;
    const lm_built *b;
    if (is_output(s->model, text))
        return LM_OK;
    LM_TRY(built_for(s, feed, n, &b));
    return find_value(s->model->model, b, text, name);
}

static lm_status run(limn_session *s, const lm_named *feed, size_t n, const char *const *fetch, size_t results,
                     lm_view *y)
{
    lm_plan_run_options options = {.profile = s->timed ? &s->profile : NULL, .cancel = &s->cancel};
    const char **names = lm_malloc(results, sizeof *names);
    lm_status status = names ? LM_OK : LM_MEMORY;
    for (size_t i = 0; i < results && status == LM_OK; i++) {
        const char *name = fetch ? fetch[i] : s->model->outputs[i].name;
        if (fetch)
            status = name ? resolve(s, feed, n, name, &name) : lm_fail(LM_USAGE, "a name to fetch is NULL");
        if (status == LM_OK)
            names[i] = lm_strdup(name); /* the build it is borrowed from may go when the next one is made */
        if (status == LM_OK && !names[i])
            status = LM_MEMORY;
        if (status != LM_OK)
            results = i;
    }
    if (status == LM_OK)
        status = lm_session_run(s->inner, feed, (int)n, names, (int)results, y, &options);
    for (size_t i = 0; names && i < results; i++)
        lm_free((char *)names[i]);
    lm_free(names);
    return status;
}

limn_status limn_session_run(limn_session *s, const limn_feed *feed, size_t feeds, const char *const *fetch, size_t results,
                             limn_tensor *result)
{
    LM_REQUIRE(s && (feed || !feeds) && (result || !results), LM_USAGE, "limn_session_run: a pointer is NULL");
    LM_REQUIRE(results <= (fetch ? 4096 : limn_model_output_count(s->model)), LM_USAGE,
               "%zu results asked for; the model has %zu outputs", results, limn_model_output_count(s->model));
    lm_named *named;
    LM_TRY(api_feeds(feed, feeds, false, &named));
    lm_view *y = lm_calloc(results, sizeof *y);
    lm_status status = y ? run(s, named, feeds, fetch, results, y) : LM_MEMORY;
    api_feeds_free(named, feeds);
    if (status == LM_INTERRUPTED)
        atomic_store(&s->cancel, false);
    size_t done = 0;
    for (bool ran = status == LM_OK; ran && done < results; done++) {
        lm_status s_ = api_tensor(&y[done], &result[done]);
        status = status == LM_OK ? s_ : status;
        if (s_ != LM_OK)
            result[done] = (limn_tensor){0};
    }
    for (size_t i = 0; status != LM_OK && i < done; i++)
        limn_tensor_free(&result[i]);
    lm_free(y);
    return status;
}

void limn_session_cancel(limn_session *s)
{
    if (s)
        atomic_store(&s->cancel, true);
}

size_t limn_session_shares(const limn_session *s, limn_share *list, size_t room, int *fixed)
{
    static const int64_t none[LM_LANES];
    bool runs = false, sweeps = false;
    if (fixed)
        *fixed = 0;
    if (!s)
        return 0;
    size_t n = 0;
    const int64_t *run = lm_session_rows(s->inner, &runs), *swept = s->study ? lm_study_rows(s->study, &sweeps) : none;
    for (const lm_chain *c = &s->device->chain; c; c = c->beside, n++) {
        if (n >= room || !list)
            continue;
        list[n] = (limn_share){.exact = c->dev[0]->info.exact, .rows = (uint64_t)(run[n] + swept[n])};
        snprintf(list[n].device, sizeof list[n].device, "%s", c->dev[0]->info.name);
    }
    if (fixed)
        *fixed = runs || sweeps;
    return n;
}

/* What the block of a list holds: rows, then the numbers of `from`, then the texts. */
static bool measure_layers(const lm_layers *l, size_t *numbers, size_t *bytes)
{
    size_t room = 0;
    *numbers = 0;
    for (size_t i = 0; i < l->rows.count; i++) {
        const lm_layer_row *r = &l->rows.at[i];
        const onnx_node *n = r->layer->node;
        *numbers += (size_t)r->n_from;
        room += strlen(n->name) + strlen(r->module) + strlen(n->op_type) + strlen(n->domain) + strlen(r->value) + 5;
    }
    *bytes = room + *numbers * sizeof(int);
    return lm_mul_size(l->rows.count, sizeof(limn_layer), &room) && lm_add_size(*bytes, room, bytes);
}

static int output_of(const lm_graph *g, const lm_layer *layer)
{
    for (size_t i = 0; i < g->outputs.count; i++)
        for (int k = 0; k < layer->ny; k++)
            if (layer->y[k] == g->outputs.at[i])
                return (int)i;
    return -1;
}

static const char *kind_of(const lm_graph *g, lm_val v)
{
    const lm_node *n = lm_graph_value(g, v)->producer;
    return lm_class_name(n ? lm_ops[n->op].cls : LM_CLASS_MOVE);
}

/* Fill a row; *numbers and *text are where its share of the block begins, and move on. */
static void show_layer(const lm_layers *l, const lm_layer_row *r, int **numbers, char **text, limn_layer *out)
{
    const lm_graph *g = l->built->graph;
    const onnx_node *n = r->layer->node;
    const lm_type *t = &lm_graph_value(g, r->out)->type;
    const char *from[] = {n->name, r->module, n->op_type, r->value};
    const char *to[LM_COUNT(from)];
    for (size_t k = 0; k < LM_COUNT(from); k++) {
        to[k] = *text;
        if (k == 2 && n->domain[0] && strcmp(n->domain, "ai.onnx") != 0) {
            *text = stpcpy(*text, n->domain);
            *(*text)++ = '.';
        }
        *text = stpcpy(*text, from[k]) + 1;
    }
    *out = (limn_layer){.name = to[0], .module = to[1], .op = to[2], .value = to[3], .kind = kind_of(g, r->out),
                        .type = t->dt, .rank = t->sh.rank, .parameters = r->parameters, .from = *numbers,
                        .from_count = r->n_from, .output = output_of(g, r->layer)};
    memcpy(out->dim, t->sh.dim, sizeof out->dim);
    for (int k = 0; k < r->n_from; k++) /* inputs of the graph are the ports that were fed */
        (*numbers)[k] = r->from[k] < 0 ? ~l->built->fed.at[~r->from[k]] : r->from[k];
    *numbers += r->n_from;
}

static limn_layer *show_layers(const lm_layers *l, const bool *reach)
{
    size_t n_numbers, bytes;
    if (!measure_layers(l, &n_numbers, &bytes))
        return NULL;
    limn_layer *list = lm_calloc(bytes, 1);
    if (!list)
        return NULL;
    int *numbers = (int *)(list + l->rows.count);
    char *text = (char *)(numbers + n_numbers);
    lm_val suggested = lm_layers_suggest(l);
    bool found = false;
    for (size_t i = 0; i < l->rows.count; i++) {
        const lm_layer_row *r = &l->rows.at[i];
        show_layer(l, r, &numbers, &text, &list[i]);
        list[i].gradient = reach[r->out];
        list[i].suggested = !found && suggested != LM_NOVAL && r->out == suggested;
        found |= list[i].suggested != 0;
    }
    return list;
}

static lm_status list_layers(const lm_built *b, limn_layer **list, size_t *count)
{
    lm_layers layers;
    LM_TRY(lm_layers_list(b, &layers));
    bool *reach = lm_gradient_reach(b->graph);
    limn_layer *shown = reach ? show_layers(&layers, reach) : NULL;
    if (shown) {
        *list = shown;
        *count = layers.rows.count;
    }
    lm_free(reach);
    lm_layers_free(&layers);
    return shown ? LM_OK : LM_MEMORY;
}

/* A build for made-up feeds. */
static lm_status guess(limn_session *s, lm_built **out)
{
    int n;
    lm_model_inputs(s->model->model, &n);
    lm_feed *feed = lm_calloc((size_t)n, sizeof *feed);
    if (!feed)
        return LM_MEMORY;
    lm_status status = lm_model_guess(s->model->model, &s->device->chain, feed, out);
    if (status == LM_OK)
        lm_feeds_free(feed, n);
    lm_free(feed);
    return status;
}

limn_status limn_session_layers(limn_session *s, const limn_feed *feed, size_t feeds, limn_layer **list, size_t *count)
{
    LM_REQUIRE(s && (feed || !feeds) && list && count, LM_USAGE, "limn_session_layers: a pointer is NULL");
    if (!feeds && limn_model_input_count(s->model) > 0) {
        lm_built *guessed;
        LM_TRY(guess(s, &guessed));
        lm_status listed = list_layers(guessed, list, count);
        lm_built_free(guessed);
        return listed;
    }
    lm_named *named;
    const lm_built *b;
    LM_TRY(api_feeds(feed, feeds, true, &named));
    lm_status status = built_for(s, named, feeds, &b);
    if (status == LM_OK)
        status = list_layers(b, list, count);
    api_feeds_free(named, feeds);
    return status;
}

void limn_layers_free(limn_layer *list)
{
    lm_free(list);
}

limn_status limn_session_find(limn_session *s, const limn_feed *feed, size_t feeds, const char *layer, char **name)
{
    LM_REQUIRE(s && (feed || !feeds) && layer && name, LM_USAGE, "limn_session_find: a pointer is NULL");
    lm_named *named;
    lm_built *guessed = NULL;
    const char *found;
    LM_TRY(api_feeds(feed, feeds, true, &named));
    lm_status status = !feeds && limn_model_input_count(s->model) > 0 ? guess(s, &guessed) : LM_OK;
    if (status == LM_OK)
        status = guessed ? find_value(s->model->model, guessed, layer, &found) : resolve(s, named, feeds, layer, &found);
    char *copy = status == LM_OK ? lm_strdup(found) : NULL;
    api_feeds_free(named, feeds);
    lm_built_free(guessed);
    if (!copy)
        return status == LM_OK ? LM_MEMORY : status;
    *name = copy;
    return LM_OK;
}

void limn_text_free(char *text)
{
    lm_free(text);
}

static int slowest_first(const void *a, const void *b)
{
    double x = ((const limn_profile_row *)a)->seconds, y = ((const limn_profile_row *)b)->seconds;
    return (x < y) - (x > y);
}

/* One block: the rows, then their texts. */
static limn_profile_row *show_profile(const lm_profile *p)
{
    size_t bytes = p->rows.count * sizeof(limn_profile_row);
    for (size_t i = 0; i < p->rows.count; i++) {
        const lm_profile_row *r = &p->rows.at[i];
        bytes += strlen(r->step) + strlen(r->kernel) + strlen(r->device) + 3;
    }
    limn_profile_row *list = lm_malloc(bytes, 1);
    char *text = list ? (char *)(list + p->rows.count) : NULL;
    for (size_t i = 0; list && i < p->rows.count; i++) {
        const lm_profile_row *r = &p->rows.at[i];
        const char *from[] = {r->step, r->kernel, r->device};
        const char *to[LM_COUNT(from)];
        for (size_t k = 0; k < LM_COUNT(from); k++) {
            to[k] = text;
            text = stpcpy(text, from[k]) + 1;
        }
        list[i] = (limn_profile_row){to[0], to[1], to[2], r->fallback, r->flops, r->bytes, r->seconds, r->launches};
    }
    if (list)
        qsort(list, p->rows.count, sizeof *list, slowest_first);
    return list;
}

limn_status limn_session_profile(limn_session *s, int on, limn_profile_row **list, size_t *count)
{
    LM_REQUIRE(s && list && count, LM_USAGE, "limn_session_profile: a pointer is NULL");
    limn_profile_row *shown = show_profile(&s->profile);
    if (!shown)
        return LM_MEMORY;
    *list = shown;
    *count = s->profile.rows.count;
    lm_profile_free(&s->profile);
    s->profile = (lm_profile){0};
    s->timed = on != 0;
    return LM_OK;
}

void limn_profile_free(limn_profile_row *list)
{
    lm_free(list);
}
