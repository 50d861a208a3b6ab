/* An open model: its ports, and what every build of it shares. */
#include "core/model/model.h"

#include <stdio.h>
#include <string.h>

#include "core/base/str.h"
#include "core/model/builder.h"
#include "core/model/onnx_tensor.h"

/* Free sizes come as no size, as a name, and from some exporters as 0 or -1. */
static void declare_dim(lm_port *p, int axis, const onnx_dim *d)
{
    bool fixed = d->kind == ONNX_DIM_VALUE && d->value > 0;
    p->dim[axis] = fixed ? d->value : -1;
    p->param[axis] = d->kind == ONNX_DIM_PARAM && d->param[0] ? d->param : NULL;
}

static lm_status declare_port(const onnx_value_info *v, lm_port *p)
{
    p->name = v->name;
    p->info = v;
    p->rank = -1;
    if (v->type.kind != ONNX_TYPE_TENSOR)
        return LM_OK;
    p->dt = LM_DTYPES;
    onnx_dtype(v->type.elem_type, &p->dt);
    if (!v->type.has_shape)
        return LM_OK;
    LM_REQUIRE(v->type.n_dims <= LM_RANK, LM_UNSUPPORTED, "'%s' has rank %zu; the highest is %d", v->name,
               v->type.n_dims, LM_RANK);
    p->rank = (int)v->type.n_dims;
    for (int i = 0; i < p->rank; i++)
        declare_dim(p, i, &v->type.dims[i]);
    return LM_OK;
}

/* Initialisers by name: what stands behind inputs that need not be fed. */
static lm_status list_initializers(const onnx_graph *g, lm_map *names)
{
    for (size_t i = 0; i < g->n_initializers; i++)
        LM_TRY(lm_map_put_ptr(names, g->initializers[i].name, NULL));
    for (size_t i = 0; i < g->n_sparses; i++)
        LM_TRY(lm_map_put_ptr(names, g->sparses[i].values->name, NULL));
    return LM_OK;
}

static lm_status list_ports(lm_model *m, const lm_map *initializers)
{
    const onnx_graph *g = m->onnx->graph;
    m->inputs = lm_arena_alloc(&m->arena, g->n_inputs, sizeof *m->inputs);
    m->outputs = lm_arena_alloc(&m->arena, g->n_outputs, sizeof *m->outputs);
    if (!m->inputs || !m->outputs)
        return LM_MEMORY;
    LM_REQUIRE(g->n_outputs > 0, LM_INPUT, "the graph has no outputs");
    for (int optional = 0; optional < 2; optional++)
        for (size_t i = 0; i < g->n_inputs; i++) {
            if ((lm_map_gets(initializers, g->inputs[i].name) != NULL) != optional)
                continue;
            lm_port *p = &m->inputs[m->n_inputs++];
            LM_TRY(lm_context(declare_port(&g->inputs[i], p), "input %zu", i));
            p->optional = optional;
        }
    for (size_t i = 0; i < g->n_outputs; i++)
        LM_TRY(lm_context(declare_port(&g->outputs[i], &m->outputs[m->n_outputs++]), "output %zu", i));
    return LM_OK;
}

lm_status lm_function_key(const char *domain, const char *name, const char *overload, lm_str *key)
{
    lm_str_clear(key);
    lm_str_add(key, domain);
    lm_str_char(key, '\n');
    lm_str_add(key, name);
    lm_str_char(key, '\n');
    return lm_str_add(key, overload);
}

static lm_status list_functions(lm_model *m)
{
    lm_str key = {0};
    lm_status status = LM_OK;
    for (size_t i = 0; i < m->onnx->n_functions && status == LM_OK; i++) {
        const onnx_function *f = &m->onnx->functions[i];
        status = lm_function_key(f->domain, f->name, f->overload, &key);
        if (status == LM_OK && lm_map_gets(&m->functions, key.text))
            status = lm_fail(LM_INPUT, "two functions are called %s of domain '%s'", f->name, f->domain);
        if (status == LM_OK)
            status = lm_map_put_ptr(&m->functions, key.text, (void *)f);
    }
    lm_str_free(&key);
    return status;
}

/* Takes over `onnx`, also on failure. */
static lm_status open_onnx(onnx_model *onnx, lm_model **out)
{
    lm_model *m = lm_calloc(1, sizeof *m);
    if (!m) {
        onnx_model_close(onnx);
        return LM_MEMORY;
    }
    m->onnx = onnx;
    pthread_mutex_init(&m->lock, NULL);
    lm_map initializers = {0};
    lm_status status = list_initializers(onnx->graph, &initializers);
    if (status == LM_OK)
        status = list_ports(m, &initializers);
    lm_map_free(&initializers);
    if (status == LM_OK)
        status = list_functions(m);
    if (status != LM_OK) {
        status = lm_context(status, "%s", onnx->path);
        lm_model_close(m);
        return status;
    }
    *out = m;
    return LM_OK;
}

lm_status lm_model_open(const char *path, const onnx_open_options *options, lm_model **out)
{
    onnx_model *onnx;
    LM_TRY(onnx_model_open(path, options, &onnx));
    return open_onnx(onnx, out);
}

lm_status lm_model_open_bytes(const void *bytes, size_t count, const onnx_open_options *options, lm_model **out)
{
    onnx_model *onnx;
    LM_TRY(onnx_model_parse(bytes, count, options, &onnx));
    return open_onnx(onnx, out);
}

void lm_model_close(lm_model *m)
{
    if (!m)
        return;
    size_t at = 0;
    for (lm_map_entry *e; (e = lm_map_next(&m->tensors, &at));)
        lm_buffer_unref(((lm_view *)e->value.ptr)->buf);
    lm_map_free(&m->tensors);
    lm_map_free(&m->told);
    lm_map_free(&m->orders);
    lm_map_free(&m->functions);
    lm_arena_free(&m->arena);
    pthread_mutex_destroy(&m->lock);
    onnx_model_close(m->onnx);
    lm_free(m);
}

const onnx_model *lm_model_onnx(const lm_model *m)
{
    return m->onnx;
}

const lm_port *lm_model_inputs(const lm_model *m, int *n)
{
    *n = m->n_inputs;
    return m->inputs;
}

const lm_port *lm_model_outputs(const lm_model *m, int *n)
{
    *n = m->n_outputs;
    return m->outputs;
}

lm_status lm_port_known(const lm_port *p)
{
    static const char *const kinds[] = {
        [ONNX_TYPE_SEQUENCE] = "a sequence", [ONNX_TYPE_MAP] = "a map", [ONNX_TYPE_OPTIONAL] = "optional",
        [ONNX_TYPE_SPARSE] = "a sparse tensor"};
    const onnx_type *t = &p->info->type;
    const char *kind = (size_t)t->kind < LM_COUNT(kinds) ? kinds[t->kind] : NULL;
    LM_REQUIRE(t->kind == ONNX_TYPE_TENSOR, LM_UNSUPPORTED, "input '%s' is %s; only tensors are supported", p->name,
               kind ? kind : "no tensor");
    LM_REQUIRE(t->elem_type != ONNX_STRING, LM_UNSUPPORTED,
               "input '%s' is of type string; strings are not supported", p->name);
    LM_REQUIRE(p->dt != LM_DTYPES, LM_UNSUPPORTED, "input '%s' is of type %s; that is not supported", p->name,
               onnx_dtype_name(t->elem_type));
    return LM_OK;
}

static lm_status make_tensor(lm_model *m, const onnx_tensor *t, const lm_view **out)
{
    lm_view *v;
    LM_ARENA_NEW(&m->arena, v);
    LM_TRY(onnx_tensor_view(m->onnx, t, v));
    lm_status status = lm_map_put(&m->tensors, &t, sizeof t, (lm_cell){.ptr = v});
    if (status != LM_OK)
        lm_buffer_unref(v->buf);
    *out = v;
    return status;
}

lm_status lm_model_tensor(lm_model *m, const onnx_tensor *t, lm_view *out)
{
    pthread_mutex_lock(&m->lock);
    const lm_cell *known = lm_map_get(&m->tensors, &t, sizeof t);
    const lm_view *v = known ? known->ptr : NULL;
    lm_status status = v ? LM_OK : make_tensor(m, t, &v);
    if (status == LM_OK)
        *out = *v;
    pthread_mutex_unlock(&m->lock);
    return status;
}
