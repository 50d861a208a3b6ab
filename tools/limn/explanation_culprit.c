/* Who made the NaN of a map: signals come back from the output, so of the layers whose own signal is not finite the one
 * nearest to the output was sent it by the culprit. */
#include "explanation_culprit.h"

#include <math.h>
#include <string.h>

#include "core/tensor/dtype.h"

typedef enum verdict { UNASKED, FINITE, BROKEN, MUTE } verdict; /* MUTE: nothing can be asked there */

typedef struct search {
    const explanation *e;
    const limn_attribution *map;
    const limn_layer *layer;
    size_t layers;
    bool *leads;      /* by layer: to what is explained */
    uint8_t *verdict; /* by layer */
} search;

double explanation_first_bad(const limn_tensor *t)
{
    const size_t n = limn_tensor_count(t), step = limn_dtype_size(t->type);
    for (size_t i = 0; i < n; i++) {
        const double v = lm_load_f64(t->type, (const char *)t->data + i * step);
        if (!isfinite(v))
            return v;
    }
    return 0;
}

/* Relevance has rules of its own on the way back; all else goes by derivatives. */
static bool is_relevance(const char *id)
{
    const limn_method *m;
    for (size_t i = 0; (m = limn_method_get(i)); i++)
        if (strcmp(m->id, id) == 0)
            return strcmp(m->group, "propagation") == 0;
    return false;
}

/* The signal that comes back to a value. */
static verdict ask_at(const search *s, const char *value)
{
    const bool relevance = is_relevance(s->map->method);
    limn_question ask = s->e->asked->ask;
    limn_explanation *why;
    verdict found = FINITE;
    ask.method = relevance ? s->map->method : "layer_gradient";
    ask.settings = relevance ? ask.settings : 0;
    ask.target = s->map->target;
    ask.layer = value;
    ask.noise = NULL;
    ask.progress = NULL;
    if (limn_explain(s->e->on->session, s->e->in->feed, s->e->in->feeds, &ask, &why) != LIMN_OK)
        return MUTE;
    for (size_t i = 0; i < limn_explanation_count(why); i++)
        if (explanation_first_bad(&limn_explanation_get(why, i)->values) != 0) /* which NaN is, too */
            found = BROKEN;
    limn_explanation_free(why);
    return found;
}

static verdict at_layer(search *s, size_t i)
{
    if (s->verdict[i] == UNASKED)
        s->verdict[i] = s->leads[i] && s->layer[i].gradient ? (uint8_t)ask_at(s, s->layer[i].value) : MUTE;
    return (verdict)s->verdict[i];
}

static void mark_leading(search *s)
{
    const char *output = limn_explanation_output(s->e->why);
    for (size_t i = s->layers; i-- > 0;) {
        const int made = s->layer[i].output;
        s->leads[i] |= strcmp(s->layer[i].value, output) == 0 ||
                       (made >= 0 && strcmp(limn_model_output(s->e->on->model, (size_t)made)->name, output) == 0);
        for (int k = 0; s->leads[i] && k < s->layer[i].from_count; k++)
            if (s->layer[i].from[k] >= 0)
                s->leads[s->layer[i].from[k]] = true;
    }
}

/* The number of what the map is of, as limn_layer.from counts: a layer, or -1 - input. */
static long start_of(const search *s)
{
    for (size_t i = 0; i < s->layers; i++)
        if (strcmp(s->layer[i].value, s->map->site) == 0)
            return (long)i;
    for (size_t i = 0; i < limn_model_input_count(s->e->on->model); i++)
        if (strcmp(limn_model_input(s->e->on->model, i)->name, s->map->site) == 0)
            return -1 - (long)i;
    return 0;
}

/* Halve what lies between a layer whose signal is broken and one whose signal is whole, in the order in which they run. */
static long last_broken(search *s, long start)
{
    long broken = start, low = start < 0 ? -1 : start, high = (long)s->layers;
    while (high - low > 1) {
        const long middle = low + (high - low) / 2;
        long at = middle;
        while (at < high && at_layer(s, (size_t)at) == MUTE)
            at++;
        if (at == high) {
            high = middle;
        } else if (at_layer(s, (size_t)at) == FINITE) {
            high = middle;
        } else {
            broken = low = at;
        }
    }
    return broken;
}

/* The layer that sent the value of `from` its signal; *on: one that was sent such a signal itself comes first. */
static long reader_of(search *s, long from, bool *on)
{
    long first = -1;
    *on = false;
    for (size_t i = 0; i < s->layers; i++)
        for (int k = 0; k < s->layer[i].from_count; k++) {
            if (s->layer[i].from[k] != from || !s->leads[i])
                continue;
            if (at_layer(s, i) == BROKEN) {
                *on = true;
                return (long)i;
            }
            first = first < 0 ? (long)i : first;
        }
    return first;
}

static long find(search *s)
{
    const long start = start_of(s);
    mark_leading(s);
    const verdict there = ask_at(s, s->map->site);
    if (there == FINITE) /* elsewhere on a path, or in how the method adds up */
        return -1;
    long at = last_broken(s, start), reader = -1;
    if (there == MUTE && at == start)
        return -1;
    for (bool on = true; on; at = on ? reader : at)
        reader = reader_of(s, at, &on);
    return reader;
}

lm_status explanation_blame(const explanation *e, const limn_attribution *map, double value)
{
    search s = {.e = e, .map = map};
    limn_layer *layer;
    const char *what = isnan(value) ? "NaN" : "an infinity";
    long at = -1;
    if (limn_session_layers(e->on->session, e->in->feed, e->in->feeds, &layer, &s.layers) != LIMN_OK)
        layer = NULL;
    s.layer = layer;
    s.leads = lm_calloc(s.layers, sizeof *s.leads);
    s.verdict = lm_calloc(s.layers, sizeof *s.verdict);
    if (layer && s.leads && s.verdict)
        at = find(&s);
    if (at < 0) {
        lm_fail(LM_INPUT, "%s of target %s holds %s, although the prediction is finite: a derivative on the way back is not; "
                          "try another method, or pass --allow-nan", map->method, map->target, what);
    } else {
        const char *name = *layer[at].name ? layer[at].name : layer[at].value;
        lm_fail(LM_INPUT, "%s of target %s holds %s, although the prediction is finite: on the way back it first came out of "
                          "node '%s' (%s); try another method, or pass --allow-nan", map->method, map->target, what, name,
                layer[at].op);
        lm_blame(name);
    }
    lm_free(s.leads);
    lm_free(s.verdict);
    limn_layers_free(layer);
    return LM_INPUT;
}
