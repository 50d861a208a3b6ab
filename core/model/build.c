/* From the operators of a file to nodes of a graph: scopes of names, calls of functions, one importer per operator. */
#include <stdio.h>
#include <string.h>

#include "core/graph/emit.h"
#include "core/model/builder.h"
#include "core/model/onnx_tensor.h"

/* Calls and bodies inside each other. */
enum { DEPTH_MAX = 64 };
/* The newest operator set whose changes were looked at. */
enum { OPSET_MAX = 28 };
/* The largest dense form of a sparse initialiser. */
static const size_t SPARSE_MAX = (size_t)1 << 30;

static lm_status list_pending(lm_scope *s)
{
    const onnx_graph *g = s->graph;
    for (size_t i = 0; g && i < g->n_initializers + g->n_sparses; i++) {
        bool dense = i < g->n_initializers;
        const char *name = dense ? g->initializers[i].name : g->sparses[i - g->n_initializers].values->name;
        LM_REQUIRE(!lm_map_gets(&s->pending, name), LM_INPUT, "two initializers are called '%s'", name);
        LM_TRY(lm_map_put_num(&s->pending, name, dense ? (int64_t)i : ~(int64_t)(i - g->n_initializers)));
    }
    return LM_OK;
}

lm_status lm_build_enter(lm_builder *b, lm_scope *s)
{
    s->caller = b->scope;
    s->depth = b->scope ? b->scope->depth + 1 : 0;
    b->scope = s;
    LM_REQUIRE(s->depth <= DEPTH_MAX, LM_INPUT, "functions and bodies lie more than %d deep in each other", DEPTH_MAX);
    return list_pending(s);
}

void lm_build_leave(lm_builder *b)
{
    lm_scope *s = b->scope;
    b->scope = s->caller;
    lm_map_free(&s->names);
    lm_map_free(&s->pending);
}

lm_status lm_build_bind(lm_builder *b, const char *name, lm_val v)
{
    if (!name[0])
        return LM_OK;
    LM_REQUIRE(!lm_map_gets(&b->scope->names, name), LM_INPUT, "two values are called '%s'", name);
    LM_TRY(lm_map_put_num(&b->scope->names, name, v));
    if (v != LM_NOVAL && !lm_graph_value(b->b->graph, v)->name)
        LM_TRY(lm_graph_name(b->b->graph, v, name));
    if (!b->scope->path[0])
        return lm_map_put_num(&b->b->values, name, v);
    lm_str full = {0};
    lm_str_printf(&full, "%s/%s", b->scope->path, name);
    lm_status status = full.status == LM_OK ? lm_map_put_num(&b->b->values, full.text, v) : full.status;
    lm_str_free(&full);
    return status;
}

static lm_status bind_initializer(lm_builder *b, lm_scope *s, const char *name, int64_t number, lm_val *out)
{
    lm_view view;
    if (number >= 0)
        LM_TRY(lm_model_tensor(b->m, &s->graph->initializers[number], &view));
    else
        LM_TRY(onnx_sparse_view(b->m->onnx, &s->graph->sparses[~number], SPARSE_MAX, &view));
    lm_status status = lm_graph_constant(b->b->graph, name, &view, out);
    if (number < 0)
        lm_buffer_unref(view.buf);
    LM_TRY(status);
    LM_TRY(lm_vec_push(&b->b->weights, *out));
    LM_TRY(lm_map_put_num(&s->names, name, *out));
    return s->path[0] ? LM_OK : lm_map_put_num(&b->b->values, name, *out);
}

lm_status lm_build_lookup(lm_builder *b, const char *name, lm_val *out)
{
    for (lm_scope *s = b->scope; s; s = s->outer) {
        const lm_cell *cell = lm_map_gets(&s->names, name);
        if (cell) {
            *out = (lm_val)cell->num;
            return LM_OK;
        }
        cell = lm_map_gets(&s->pending, name);
        if (cell)
            return bind_initializer(b, s, name, cell->num, out);
    }
    return lm_fail(LM_INPUT, "nothing makes '%s', which it reads", name);
}

const onnx_tensor *lm_build_texts(const lm_builder *b, const char *name)
{
    for (const lm_scope *s = b->scope; s; s = s->outer) {
        if (lm_map_gets(&s->names, name))
            return NULL;
        const lm_cell *cell = lm_map_gets(&s->pending, name);
        if (!cell)
            continue;
        const onnx_tensor *t = cell->num < 0 ? NULL : &s->graph->initializers[cell->num];
        return t && t->data_type == ONNX_STRING && t->n_dims == 1 ? t : NULL;
    }
    return NULL;
}

/* Texts are no values, but there is an operator that does no more than choose one, which its importer asks for. */
static bool chooses_text(const lm_builder *b, const onnx_node *n, size_t i)
{
    return i == 0 && strcmp(n->op_type, "ArrayFeatureExtractor") == 0 && lm_build_texts(b, n->inputs[0]);
}

static lm_status lookup_all(lm_builder *b, const onnx_node *n, lm_val *x)
{
    for (size_t i = 0; i < n->n_inputs; i++) {
        x[i] = LM_NOVAL;
        if (n->inputs[i][0] && !chooses_text(b, n, i))
            LM_TRY(lm_build_lookup(b, n->inputs[i], &x[i]));
    }
    return LM_OK;
}

static const char *plain_domain(const char *domain)
{
    return strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

static lm_status version_of(const lm_builder *b, const char *domain, int64_t *version)
{
    const lm_scope *s = b->scope;
    for (size_t i = 0; i < s->n_opsets; i++)
        if (strcmp(plain_domain(s->opsets[i].domain), domain) == 0) {
            *version = s->opsets[i].version;
            LM_REQUIRE(domain[0] || *version <= OPSET_MAX, LM_UNSUPPORTED,
                       "opset %lld is newer than %d, the newest that Limn knows; export the model for an older one",
                       (long long)*version, OPSET_MAX);
            return LM_OK;
        }
    if (b->m->onnx->ir_version < 3 && !domain[0]) {
        *version = 1;
        return LM_OK;
    }
    return lm_fail(LM_INPUT, "domain '%s' has no version among the model's opset imports", domain);
}

/* The function of the file that an operator calls; NULL when it is none. */
static lm_status find_function(const lm_builder *b, const onnx_node *n, const onnx_function **out)
{
    *out = NULL;
    if (!b->m->functions.count)
        return LM_OK;
    lm_str key = {0};
    lm_status status = lm_function_key(n->domain, n->op_type, n->overload, &key);
    const lm_cell *cell = status == LM_OK ? lm_map_gets(&b->m->functions, key.text) : NULL;
    lm_str_free(&key);
    if (cell)
        *out = cell->ptr;
    return status;
}

static lm_status scope_path(lm_builder *b, const onnx_node *n, char **out)
{
    const char *outer = b->scope->path, *name = n->name[0] ? n->name : n->op_type;
    size_t room = strlen(outer) + strlen(name) + 2;
    *out = lm_arena_alloc(&b->b->graph->arena, room, 1);
    if (!*out)
        return LM_MEMORY;
    snprintf(*out, room, "%s%s%s", outer, outer[0] ? "/" : "", name);
    return LM_OK;
}

static lm_status run_function(lm_builder *b, const onnx_node *n, const onnx_function *f, const lm_val *x, lm_val *y)
{
    LM_REQUIRE(n->n_inputs <= f->n_inputs && n->n_outputs <= f->n_outputs, LM_INPUT,
               "it has %zu inputs and %zu outputs, but its function takes %zu and makes %zu", n->n_inputs, n->n_outputs,
               f->n_inputs, f->n_outputs);
    for (size_t i = 0; i < f->n_inputs; i++)
        LM_TRY(lm_build_bind(b, f->inputs[i], i < n->n_inputs ? x[i] : LM_NOVAL));
    LM_TRY(lm_build_nodes(b, f->nodes, f->n_nodes));
    for (size_t i = 0; i < n->n_outputs; i++)
        LM_TRY(lm_build_lookup(b, f->outputs[i], &y[i]));
    return LM_OK;
}

static lm_status call_function(lm_builder *b, const onnx_node *n, const onnx_function *f, const lm_val *x, lm_val *y)
{
    for (const lm_scope *s = b->scope; s; s = s->caller)
        LM_REQUIRE(s->function != f, LM_INPUT, "function %s of domain '%s' calls itself", f->name, f->domain);
    char *path;
    LM_TRY(scope_path(b, n, &path));
    lm_scope s = {.function = f, .call = n, .opsets = f->opsets, .n_opsets = f->n_opsets, .path = path};
    if (!f->n_opsets) {
        s.opsets = b->scope->opsets;
        s.n_opsets = b->scope->n_opsets;
    }
    lm_status status = lm_build_enter(b, &s);
    if (status == LM_OK)
        status = run_function(b, n, f, x, y);
    lm_build_leave(b);
    return status;
}

static lm_status add_layer(lm_builder *b, const onnx_node *n, const lm_val *y)
{
    lm_layer l = {.node = n, .path = b->scope->path, .ny = (int)n->n_outputs};
    l.y = lm_arena_copy(&b->b->graph->arena, y, n->n_outputs, sizeof *y);
    return l.y ? lm_vec_push(&b->b->layers, l) : LM_MEMORY;
}

static lm_status import_node(lm_builder *b, const onnx_node *n, const lm_val *x, lm_val *y)
{
    const char *domain = plain_domain(n->domain);
    int64_t version = 0;
    LM_TRY(version_of(b, domain, &version));
    const lm_onnx_row *row = lm_onnx_find(domain, n->op_type, version);
    if (!row && lm_onnx_find(domain, n->op_type, INT64_MAX))
        return lm_fail(LM_UNSUPPORTED,
                       "%s of version %lld of domain '%s' is older than any Limn knows; convert the model "
                       "to a newer opset",
                       n->op_type, (long long)version, domain);
    LM_REQUIRE(row, LM_UNSUPPORTED, "Limn has no operator %s%s%s (domain '%s', version %lld)%s", domain,
               domain[0] ? "." : "", n->op_type, domain[0] ? domain : "ai.onnx", (long long)version,
               strcmp(domain, "com.microsoft") ? "" : "; save the model with graph optimisation at level 'basic'");
    lm_import im = {
        .e = {.g = b->b->graph, .fold = b->fold, .scope = b->scope->path, .name = n->name[0] ? n->name : NULL},
        .node = n,
        .version = version,
        .op = row->op,
        .nx = (int)n->n_inputs,
        .ny = (int)n->n_outputs,
        .x = x,
        .y = y,
        .builder = b};
    row->fn(&im);
    LM_TRY(im.e.status);
    for (size_t i = 0; i < n->n_outputs; i++)
        LM_REQUIRE(!n->outputs[i][0] || y[i] != LM_NOVAL, LM_UNSUPPORTED, "its output %zu is not supported", i);
    return add_layer(b, n, y);
}

static lm_status build_node(lm_builder *b, const onnx_node *n)
{
    LM_REQUIRE(b->met < LM_MET_MAX, LM_UNSUPPORTED,
               "the model unfolds to more than %d operators; give its loops fewer rounds, or its functions fewer calls "
               "of each other", LM_MET_MAX);
    b->met++;
    LM_REQUIRE(n->n_inputs < INT16_MAX && n->n_outputs < INT16_MAX, LM_UNSUPPORTED, "it has %zu inputs and %zu outputs",
               n->n_inputs, n->n_outputs);
    lm_val near[16], *x = near;
    size_t room = n->n_inputs + n->n_outputs;
    if (room > LM_COUNT(near)) {
        x = lm_malloc(room, sizeof *x);
        if (!x)
            return LM_MEMORY;
    }
    lm_val *y = x + n->n_inputs;
    for (size_t i = 0; i < n->n_outputs; i++)
        y[i] = LM_NOVAL;
    const onnx_function *f;
    lm_status status = lookup_all(b, n, x);
    if (status == LM_OK)
        status = find_function(b, n, &f);
    if (status == LM_OK)
        status = f ? call_function(b, n, f, x, y) : import_node(b, n, x, y);
    for (size_t i = 0; i < n->n_outputs && status == LM_OK; i++)
        status = lm_build_bind(b, n->outputs[i], y[i]);
    if (x != near)
        lm_free(x);
    return status;
}

lm_status lm_build_nodes(lm_builder *b, const onnx_node *node, size_t nodes)
{
    const int *order;
    LM_TRY(lm_model_order(b->m, node, nodes, &order));
    const bool around = b->decided;
    bool any = around;
    for (size_t i = 0; i < nodes; i++) {
        const onnx_node *n = &node[order ? order[i] : (int)i];
        b->decided = around;
        lm_status status = build_node(b, n);
        if (b->survey)
            status = lm_survey_node(b, n, status);
        any |= b->decided;
        if (status != LM_OK) {
            lm_blame(n->name);
            return lm_context(status, "node %d ('%s', %s)", (int)(n - node), n->name, n->op_type);
        }
    }
    b->decided = any;
    return LM_OK;
}

void lm_inline_body(lm_import *im, const onnx_graph *body, int64_t round, int nargs, const lm_val *args, int ny,
                    lm_val *y)
{
    if (im->e.status != LM_OK)
        return;
    lm_builder *b = im->builder;
    char *path, *numbered;
    lm_status status = scope_path(b, im->node, &path);
    if (status == LM_OK && round >= 0) {
        size_t room = strlen(path) + 24;
        numbered = lm_arena_alloc(&b->b->graph->arena, room, 1);
        status = numbered ? LM_OK : LM_MEMORY;
        if (numbered)
            snprintf(numbered, room, "%s[%lld]", path, (long long)round);
        path = numbered;
    }
    if (status != LM_OK) {
        im->e.status = status;
        return;
    }
    const lm_scope *outer = b->scope;
    lm_scope s = {.outer = b->scope, .graph = body, .function = outer->function, .call = outer->call,
                  .opsets = outer->opsets, .n_opsets = outer->n_opsets, .path = path};
    status = lm_build_enter(b, &s);
    if (status == LM_OK && ((size_t)nargs > body->n_inputs || (size_t)ny > body->n_outputs))
        status = lm_fail(LM_INPUT, "its body has %zu inputs and %zu outputs, not %d and %d", body->n_inputs,
                         body->n_outputs, nargs, ny);
    for (int i = 0; i < nargs && status == LM_OK; i++)
        status = lm_build_bind(b, body->inputs[i].name, args[i]);
    if (status == LM_OK)
        status = lm_build_nodes(b, body->nodes, body->n_nodes);
    for (int i = 0; i < ny && status == LM_OK; i++)
        status = lm_build_lookup(b, body->outputs[i].name, &y[i]);
    lm_build_leave(b);
    im->e.status = status;
}
