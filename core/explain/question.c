/* A question taken apart: everything that can be found out before the first sample is looked at. */
#include "core/explain/question.h"

#include <math.h>
#include <string.h>

#include "core/base/nearest.h"
#include "core/explain/baseline.h"
#include "core/model/check.h"

lm_status lm_split(lm_arena *arena, const char *text, const char *what, const char ***out, int *n)
{
    char *copy = lm_arena_strdup(arena, text);
    int count = 1;
    for (const char *at = text; (at = strchr(at, ',')); at++)
        count++;
    const char **list = lm_arena_alloc(arena, (size_t)count, sizeof *list);
    if (!copy || !list)
        return LM_MEMORY;
    *n = 0;
    for (char *item = copy, *next; item; item = next) {
        next = strchr(item, ',');
        if (next)
            *next++ = '\0';
        LM_REQUIRE(*item, LM_USAGE, "%s '%s': has an empty item; write one comma between two", what, text);
        list[(*n)++] = item;
    }
    *out = list;
    return LM_OK;
}

const lm_view *lm_question_file(const lm_question *q, const char *name)
{
    for (int i = 0; i < q->files; i++)
        if (q->file[i].name && strcmp(q->file[i].name, name) == 0)
            return &q->file[i].view;
    return NULL;
}

lm_status lm_question_rules(lm_inquiry *in, const char *name, const lm_ruleset **out)
{
    *out = NULL;
    for (size_t i = 0; i < in->rules.count && !*out; i++)
        if (strcmp(in->rules.at[i].name, name) == 0)
            *out = lm_ruleset_of(in->rules.at[i].file);
    const lm_view *v = lm_question_file(in->q, name);
    if (*out || !v)
        return LM_OK;
    LM_REQUIRE(lm_dtype_size(v->dt) == 1 && lm_view_is_row(v), LM_INPUT, "rules '%s' must be the bytes of a text",
               name);
    lm_rules_read r = {.name = name};
    const lm_built *b;
    LM_TRY(lm_study_built(in->study, in->first, &b));
    LM_TRY(lm_ruleset_read(lm_view_data(v), (size_t)lm_shape_count(&v->sh), name, &r.file));
    lm_status status = lm_ruleset_check(r.file, b->graph);
    if (status == LM_OK)
        status = lm_vec_push(&in->rules, r);
    if (status != LM_OK)
        lm_ruleset_free(r.file);
    else
        *out = lm_ruleset_of(r.file);
    return status;
}

void lm_inquiry_end(lm_inquiry *in)
{
    for (size_t i = 0; i < in->rules.count; i++)
        lm_ruleset_free(in->rules.at[i].file);
    lm_vec_free(&in->rules);
}

static lm_status unknown_method(const char *id)
{
    LM_VEC(const char *) words = {0};
    lm_str near = {0};
    lm_status status = LM_OK;
    for (const lm_method *m = lm_methods; m->id && status == LM_OK; m++)
        status = lm_vec_push(&words, m->id);
    if (status == LM_OK && !lm_nearest(id, words.at, words.count, &near)) {
        lm_list_words(words.at, words.count, &near);
        status = lm_fail(LM_USAGE, "method '%s': there is none of that name; choose from %s", id, lm_str_text(&near));
    } else if (status == LM_OK) {
        status = lm_fail(LM_USAGE, "method '%s': there is none of that name; did you mean %s?", id, lm_str_text(&near));
    }
    lm_vec_free(&words);
    lm_str_free(&near);
    return status;
}

static lm_status find_methods(lm_inquiry *in)
{
    const char **id;
    LM_REQUIRE(in->q->method && in->q->method[0], LM_USAGE,
               "method: none is asked; name one or several, as saliency,ig");
    LM_TRY(lm_split(in->arena, in->q->method, "methods", &id, &in->methods));
    in->asked = lm_arena_alloc(in->arena, (size_t)in->methods, sizeof *in->asked);
    if (!in->asked)
        return LM_MEMORY;
    for (int i = 0; i < in->methods; i++) {
        in->asked[i].method = lm_method_find(id[i]);
        if (!in->asked[i].method)
            return unknown_method(id[i]);
        for (int k = 0; k < i; k++)
            LM_REQUIRE(in->asked[k].method != in->asked[i].method, LM_USAGE, "method '%s': asked twice; name it once",
                       id[i]);
    }
    return LM_OK;
}

/* Samples lie along axis 0 of the output, and of inputs whose axis 0 is as long and may be. A model that takes no batch
 * has one sample, which is all there is. */
static lm_status find_samples(lm_inquiry *in, const lm_named *feed, int nfeed)
{
    in->port = lm_model_inputs(lm_study_model(in->study), &in->ports);
    size_t n = (size_t)in->ports;
    in->all = lm_arena_alloc(in->arena, n, sizeof *in->all);
    in->many = lm_arena_alloc(in->arena, n, sizeof *in->many);
    in->first = lm_arena_alloc(in->arena, n, sizeof *in->first);
    if (!in->all || !in->many || !in->first)
        return LM_MEMORY;
    for (int i = 0; i < nfeed; i++) {
        int p = 0;
        while (p < in->ports && strcmp(in->port[p].name, feed[i].name) != 0)
            p++;
        LM_REQUIRE(p < in->ports, LM_INPUT, "input '%s': the model has none of that name", feed[i].name);
    }
    bool any = false;
    in->samples = lm_view_present(&in->predicted) && in->predicted.sh.rank > 0 ? in->predicted.sh.dim[0] : 1;
    for (int p = 0; p < in->ports; p++) {
        const lm_port *port = &in->port[p];
        in->all[p] = lm_view_absent();
        for (int i = 0; i < nfeed; i++)
            if (strcmp(feed[i].name, port->name) == 0)
                in->all[p] = feed[i].view;
        const lm_view *v = &in->all[p];
        bool free = port->rank != 0 && (port->rank < 0 || port->dim[0] < 0 || port->dim[0] == 1);
        in->many[p] = lm_view_present(v) && v->sh.rank > 0 && v->sh.dim[0] == in->samples && free;
        any |= in->many[p];
    }
    LM_REQUIRE(in->samples > 0, LM_INPUT, "there are no samples: the batch is empty");
    in->samples = any ? in->samples : 1;
    lm_sample_feed(in, 0, in->first);
    return LM_OK;
}

void lm_sample_feed(const lm_inquiry *in, int64_t number, lm_feed *out)
{
    for (int p = 0; p < in->ports; p++) {
        out[p] = in->all[p];
        if (!in->many[p])
            continue;
        out[p].sh.dim[0] = 1;
        out[p].off += (size_t)(number * out[p].st[0]) * lm_dtype_size(out[p].dt);
    }
}

/* Does the text say which row of the output it means, or all of them? */
static bool names_row(const char *text)
{
    const bool indices = strchr(text, ':') && strncmp(text, "label:", 6) != 0;
    return indices || text[0] == '@' || strcmp(text, "sum") == 0;
}

/* What looks like a batch, and is one sample because the file fixes it, has rows that would pass for classes. */
static lm_status check_fixed_rows(const lm_inquiry *in, const char *output, const lm_shape *whole)
{
    for (int p = 0; p < in->ports; p++) {
        const lm_port *port = &in->port[p];
        char a[LM_SHAPE_TEXT], b[LM_SHAPE_TEXT];
        const bool rows = in->samples == 1 && whole->rank > 1 && whole->dim[0] > 1 && port->rank > 1;
        if (!rows || !lm_view_present(&in->all[p]) || port->dim[0] != whole->dim[0])
            continue;
        for (int i = 0; i < in->aims; i++)
            LM_REQUIRE(names_row(in->aim[i].text), LM_USAGE,
                       "target '%s': input '%s' %s and output '%s' %s have %lld rows that the model fixes; name the "
                       "row too, as in 0:%s, or export the model with a free batch",
                       in->aim[i].text, port->name, lm_shape_text(&in->all[p].sh, a), output, lm_shape_text(whole, b),
                       (long long)whole->dim[0], in->aim[i].text[0] == 't' ? "1" : in->aim[i].text);
    }
    return LM_OK;
}

static lm_status find_goal(lm_inquiry *in, int output)
{
    int n, space;
    const lm_port *port = lm_model_outputs(lm_study_model(in->study), &n);
    lm_type whole = {in->predicted.dt, in->predicted.sh};
    in->goal = (lm_goal_at){.output = output, .after = in->q->after_softmax};
    if (!lm_view_present(&in->predicted)) {
        LM_TRY(lm_study_goal(in->study, in->first, (lm_goal_at){.output = output, .after = true}, &whole, &space));
        LM_TRY(lm_study_layer(in->study, in->first, port[output].name, &in->output));
    }
    LM_REQUIRE(lm_dtype_is_float(whole.dt), LM_USAGE,
               "output '%s': %s has no gradient; name an output of floats", port[output].name,
               lm_dtype_name(whole.dt));
    LM_TRY(lm_study_goal(in->study, in->first, in->goal, &in->goal_type, &in->space));
    bool batch = whole.sh.rank > 0 && (whole.sh.dim[0] == 1 || in->samples > 1);
    lm_classes_of(&whole.sh, batch, &in->classes);
    int64_t has = lm_shape_count(&in->classes.sh), needs = lm_shape_count(&in->goal_type.sh);
    char a[LM_SHAPE_TEXT], b[LM_SHAPE_TEXT];
    LM_REQUIRE(has > 0, LM_INPUT, "output '%s': one sample is %s, which holds no number to explain; feed what gives some",
               port[output].name, lm_shape_text(&in->classes.sh, a));
    LM_REQUIRE(
        has == needs, LM_UNSUPPORTED,
        "output '%s': one sample is %s, but what stands before its last step is %s; explain it after the softmax",
        port[output].name, lm_shape_text(&in->classes.sh, a), lm_shape_text(&in->goal_type.sh, b));
    LM_TRY(lm_aims_read(in->q, &in->classes, in->samples, in->arena, &in->aim, &in->aims));
    return check_fixed_rows(in, port[output].name, &whole.sh);
}

/* One sample alone against its row of the prediction. */
static lm_status check_alone(const lm_inquiry *in, int64_t number, const char *output)
{
    lm_feed *feed = lm_arena_alloc(in->arena, (size_t)in->ports, sizeof *feed);
    if (!feed)
        return LM_MEMORY;
    lm_sample_feed(in, number, feed);
    lm_forward f = {.study = in->study, .feed = feed, .goal = {.output = in->goal.output, .after = true},
                    .cancel = in->q->cancel, .rows = 1, .arena = in->arena};
    LM_TRY(lm_forward_run(&f));
    const int64_t n = lm_shape_count(&in->predicted.sh) / in->samples;
    double most = 0, off = 0;
    if (lm_shape_count(&f.goals.sh) != n)
        return LM_OK;
    for (int64_t i = 0; i < n; i++) {
        const double together = lm_view_get(&in->predicted, number * n + i), alone = lm_view_get(&f.goals, i);
        const double d = fabs(together - alone);
        most = fabs(alone) > most ? fabs(alone) : most;
        off = d > off ? d : off;
    }
    LM_REQUIRE(off <= 1e-4 * most + 1e-6, LM_UNSUPPORTED,
               "output '%s': sample %lld is off by %g when it is alone, so the rows of a batch look at each other; "
               "explain the samples one at a time",
               output, (long long)in->q->first + (long long)number, off);
    return LM_OK;
}

/* Samples are explained one by one, which is right where they do not meet. */
static lm_status check_rows(const lm_inquiry *in)
{
    int n;
    const lm_port *port = lm_model_outputs(lm_study_model(in->study), &n);
    const lm_view *y = &in->predicted;
    if (in->samples < 2 || !lm_view_present(y) || y->sh.rank == 0 || y->sh.dim[0] != in->samples)
        return LM_OK;
    LM_TRY(check_alone(in, 0, port[in->goal.output].name));
    return check_alone(in, in->samples - 1, port[in->goal.output].name);
}

/* What may be explained of one port. */
typedef struct candidate {
    lm_site site; /* name NULL: nothing */
    bool embedded, reached, usual;
} candidate;

static bool is_reached(const lm_built *b, const bool *reach, const lm_site *site)
{
    const lm_cell *v = site->name ? lm_map_gets(&b->values, site->name) : NULL;
    for (size_t i = 0; !v && i < b->fed.count; i++)
        if (site->port == b->fed.at[i])
            return reach[b->graph->inputs.at[i]];
    return v && reach[v->num];
}

/* Ids of positions and of the two kinds of sentences say nothing about a text. */
static bool tells_little(const char *name, int64_t rows)
{
    return rows <= 2 || strstr(name, "position") != NULL;
}

static lm_status look_at_ports(const lm_inquiry *in, candidate *c)
{
    const lm_built *b;
    for (int p = 0; p < in->ports; p++) {
        c[p] = (candidate){0};
        if (!lm_view_present(&in->first[p]))
            continue;
        int64_t rows = 0;
        c[p].usual = true;
        if (lm_dtype_is_float(in->first[p].dt)) {
            LM_TRY(lm_study_port(in->study, p, &c[p].site));
        } else if (lm_dtype_is_int(in->first[p].dt)) {
            LM_TRY(lm_study_embedding(in->study, in->first, p, &c[p].site, &rows));
            c[p].embedded = true;
            c[p].usual = c[p].site.name && !tells_little(in->port[p].name, rows);
        }
    }
    LM_TRY(lm_study_built(in->study, in->first, &b));
    lm_graph alone = *b->graph; /* seen from the output that is explained */
    lm_val goal = b->graph->outputs.at[in->goal.output];
    alone.outputs.at = &goal;
    alone.outputs.count = 1;
    bool *reach = lm_gradient_reach(&alone);
    if (!reach)
        return LM_MEMORY;
    for (int p = 0; p < in->ports; p++)
        c[p].reached = is_reached(b, reach, &c[p].site);
    lm_free(reach);
    return LM_OK;
}

static void add_entry(lm_inquiry *in, int port, const candidate *c)
{
    in->entry[in->entries++] = (lm_entry){port, c->site, c->embedded};
}

/* Float inputs that a gradient reaches, or else embeddings of tokens; where none is reached, whatever there is, so that
 * a walk can say what cuts it. */
static lm_status usual_entries(lm_inquiry *in, const candidate *c)
{
    for (int turn = 0; turn < 4 && !in->entries; turn++)
        for (int p = 0; p < in->ports; p++)
            if (c[p].site.name && c[p].usual && c[p].embedded == (turn % 2 == 1) && (c[p].reached || turn >= 2))
                add_entry(in, p, &c[p]);
    LM_REQUIRE(in->entries, LM_UNSUPPORTED,
               "input: none can be explained; none is a float, and none is looked up in a table of embeddings");
    return LM_OK;
}

static lm_status named_entry(lm_inquiry *in, const candidate *c, const char *name)
{
    int p = 0;
    while (p < in->ports && strcmp(in->port[p].name, name) != 0)
        p++;
    if (p == in->ports) {
        LM_VEC(const char *) known = {0};
        lm_str text = {0};
        lm_status status = LM_OK;
        for (int i = 0; i < in->ports && status == LM_OK; i++)
            status = lm_vec_push(&known, in->port[i].name);
        lm_list_words(known.at, known.count, &text);
        if (status == LM_OK)
            status = lm_fail(LM_USAGE, "input '%s': does not exist; the model has %s; inner values and parameters are named "
                                       "with --layer", name, lm_str_text(&text));
        lm_vec_free(&known);
        lm_str_free(&text);
        return status;
    }
    LM_REQUIRE(lm_view_present(&in->first[p]), LM_USAGE,
               "input '%s': is not fed, so it cannot be explained; feed it or leave it out", name);
    LM_REQUIRE(c[p].site.name, LM_USAGE,
               "input '%s': %s has no gradient, and no table of embeddings is looked up with it; name another", name,
               lm_dtype_name(in->first[p].dt));
    for (int i = 0; i < in->entries; i++)
        LM_REQUIRE(in->entry[i].port != p, LM_USAGE, "input '%s': named twice; name it once", name);
    add_entry(in, p, &c[p]);
    return LM_OK;
}

static lm_status find_entries(lm_inquiry *in)
{
    const char **name;
    int n = 0;
    candidate *c = lm_arena_alloc(in->arena, (size_t)in->ports, sizeof *c);
    if (in->q->input)
        LM_TRY(lm_split(in->arena, in->q->input, "inputs", &name, &n));
    in->entry = lm_arena_alloc(in->arena, (size_t)(in->ports + n), sizeof *in->entry);
    if (!in->entry || !c)
        return LM_MEMORY;
    LM_TRY(look_at_ports(in, c));
    if (!n)
        return usual_entries(in, c);
    for (int i = 0; i < n; i++)
        LM_TRY(named_entry(in, c, name[i]));
    return LM_OK;
}

static lm_status find_layers(lm_inquiry *in)
{
    lm_type type;
    for (int m = 0; m < in->methods; m++) {
        lm_asked *a = &in->asked[m];
        uint32_t flags = a->method->flags;
        const char *text = in->q->layer ? in->q->layer : flags & LM_METHOD_AUTO ? "auto" : NULL;
        LM_REQUIRE(text || !(flags & LM_METHOD_LAYER), LM_USAGE,
                   "method '%s': works at a layer; name one with --layer, or --layer auto", a->method->id);
        LM_REQUIRE(!in->q->layer || !(flags & LM_METHOD_INPUT), LM_USAGE,
                   "method '%s': works at inputs only; leave --layer out, or ask for it alone", a->method->id);
        if (text) {
            LM_TRY(lm_study_layer(in->study, in->first, text, &a->layer));
            a->layered = true;
        }
        for (int i = 0; flags & LM_METHOD_IMAGE && i < in->entries; i++) {
            char shape[LM_SHAPE_TEXT];
            LM_TRY(lm_study_site_type(in->study, in->first, in->entry[i].site, &type));
            LM_REQUIRE(type.sh.rank == 4, LM_USAGE,
                       "method '%s': is for images, and the input '%s' is %s; name another with --input", a->method->id,
                       in->port[in->entry[i].port].name, lm_shape_text(&type.sh, shape));
        }
    }
    return LM_OK;
}

lm_status lm_inquire(lm_inquiry *in, const lm_named *feed, int nfeed)
{
    int outputs;
    LM_TRY(lm_compat_find(in->q->compat, &in->compat));
    LM_TRY(find_methods(in));
    LM_TRY(lm_noise_read(in, &in->noise));
    LM_TRY(lm_options_read(in));
    lm_model_outputs(lm_study_model(in->study), &outputs);
    LM_REQUIRE(in->goal.output >= 0 && in->goal.output < outputs, LM_USAGE, "there is no output %d", in->goal.output);
    LM_TRY(find_samples(in, feed, nfeed));
    LM_TRY(find_goal(in, in->goal.output));
    LM_TRY(find_entries(in));
    LM_TRY(find_layers(in));
    LM_TRY(check_rows(in));
    return lm_baseline_check(in);
}
