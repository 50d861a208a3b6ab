/* limn/model.h: opening models and looking at them. */
#include <limn/model.h>

#include <string.h>

#include "core/api/handle.h"
#include "core/base/mem.h"
#include "core/model/check.h"

static limn_port *show_ports(const lm_port *port, int n)
{
    limn_port *shown = lm_calloc((size_t)n, sizeof *shown);
    for (int i = 0; shown && i < n; i++) {
        const lm_port *p = &port[i];
        bool tensor = p->info->type.kind == ONNX_TYPE_TENSOR;
        shown[i] = (limn_port){.name = p->name, .type = tensor ? p->dt : LM_DTYPES, .rank = p->rank,
                               .optional = p->optional};
        memcpy(shown[i].dim, p->dim, sizeof shown[i].dim);
        memcpy(shown[i].dim_name, p->param, sizeof shown[i].dim_name);
    }
    return shown;
}

/* Takes over `inner`, also on failure. */
static lm_status wrap(lm_model *inner, limn_model **out)
{
    limn_model *m = lm_calloc(1, sizeof *m);
    if (!m) {
        lm_model_close(inner);
        return LM_MEMORY;
    }
    int inputs, outputs;
    const lm_port *in = lm_model_inputs(inner, &inputs), *to = lm_model_outputs(inner, &outputs);
    m->model = inner;
    pthread_mutex_init(&m->lock, NULL);
    m->inputs = show_ports(in, inputs);
    m->outputs = show_ports(to, outputs);
    if (!m->inputs || !m->outputs) {
        limn_model_free(m);
        return LM_MEMORY;
    }
    *out = m;
    return LM_OK;
}

limn_status limn_model_open(const char *path, const char *link_folder, limn_model **out)
{
    LM_REQUIRE(path && out, LM_USAGE, "limn_model_open: a pointer is NULL");
    lm_model *inner;
    LM_TRY(lm_model_open(path, &(onnx_open_options){.allow_links = link_folder}, &inner));
    return wrap(inner, out);
}

limn_status limn_model_open_bytes(const void *bytes, size_t count, limn_model **out)
{
    LM_REQUIRE(bytes && out, LM_USAGE, "limn_model_open_bytes: a pointer is NULL");
    lm_model *inner;
    LM_TRY(lm_model_open_bytes(bytes, count, NULL, &inner));
    return wrap(inner, out);
}

void limn_model_free(limn_model *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->shared.count; i++)
        lm_shared_close(m->shared.at[i].shared);
    lm_vec_free(&m->shared);
    lm_model_close(m->model);
    lm_free(m->bytes);
    lm_free(m->inputs);
    lm_free(m->outputs);
    pthread_mutex_destroy(&m->lock);
    lm_free(m);
}

size_t limn_model_input_count(const limn_model *model)
{
    int n = 0;
    if (model)
        lm_model_inputs(model->model, &n);
    return (size_t)n;
}

const limn_port *limn_model_input(const limn_model *model, size_t i)
{
    return i < limn_model_input_count(model) ? &model->inputs[i] : NULL;
}

size_t limn_model_output_count(const limn_model *model)
{
    int n = 0;
    if (model)
        lm_model_outputs(model->model, &n);
    return (size_t)n;
}

const limn_port *limn_model_output(const limn_model *model, size_t i)
{
    return i < limn_model_output_count(model) ? &model->outputs[i] : NULL;
}

/* One block: the rows, then their texts. */
static limn_problem *show_problems(const lm_problems *p)
{
    size_t bytes = p->at.count * sizeof(limn_problem);
    for (size_t i = 0; i < p->at.count; i++)
        bytes += strlen(p->at.at[i].node) + strlen(p->at.at[i].op) + strlen(p->at.at[i].reason) + 3;
    limn_problem *list = lm_malloc(bytes, 1);
    char *text = list ? (char *)(list + p->at.count) : NULL;
    for (size_t i = 0; list && i < p->at.count; i++) {
        const char *from[] = {p->at.at[i].node, p->at.at[i].op, p->at.at[i].reason};
        const char *to[LM_COUNT(from)];
        for (size_t k = 0; k < LM_COUNT(from); k++) {
            to[k] = strcpy(text, from[k]);
            text += strlen(text) + 1;
        }
        list[i] = (limn_problem){to[0], to[1], to[2], p->at.at[i].forward, p->at.at[i].depends};
    }
    return list;
}

limn_status limn_model_check(limn_model *model, limn_device *device, limn_problem **list, size_t *count)
{
    LM_REQUIRE(model && device && list && count, LM_USAGE, "limn_model_check: a pointer is NULL");
    lm_problems found;
    LM_TRY(lm_model_check(model->model, &device->chain, &found));
    limn_problem *shown = show_problems(&found);
    size_t n = found.at.count;
    lm_problems_free(&found);
    if (!shown)
        return LM_MEMORY;
    *list = shown;
    *count = n;
    return LM_OK;
}

void limn_problems_free(limn_problem *list)
{
    lm_free(list);
}
