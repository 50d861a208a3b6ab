/* Any bytes as a model: read or refused with a message; what is read can be looked at and written, and what was written
 * is read again as the same. Good seeds are the models of the ONNX backend suite. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/model/onnx_tensor.h"
#include "core/model/onnx_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void see_graph(const onnx_model *m, const onnx_graph *g);

static void see_view(lm_status status, const lm_view *v)
{
    if (status == LM_OK && lm_view_check(v) != LM_OK)
        abort();
    if (status == LM_OK)
        lm_buffer_unref(v->buf);
    else if (!*lm_message())
        abort();
}

static void see_tensor(const onnx_model *m, const onnx_tensor *t)
{
    lm_view v;
    see_view(onnx_tensor_view(m, t, &v), &v);
    lm_arena arena = {0};
    onnx_bytes *texts;
    size_t count;
    (void)onnx_tensor_strings(t, &arena, &texts, &count);
    lm_arena_free(&arena);
}

static void see_nodes(const onnx_model *m, const onnx_node *node, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < node[i].n_attrs; k++) {
            const onnx_attr *a = &node[i].attrs[k];
            if (a->t)
                see_tensor(m, a->t);
            if (a->g)
                see_graph(m, a->g);
        }
}

static void see_graph(const onnx_model *m, const onnx_graph *g)
{
    lm_view v;
    for (size_t i = 0; i < g->n_initializers; i++)
        see_tensor(m, &g->initializers[i]);
    for (size_t i = 0; i < g->n_sparses; i++)
        see_view(onnx_sparse_view(m, &g->sparses[i], 1 << 16, &v), &v);
    see_nodes(m, g->nodes, g->n_nodes);
}

static void write_and_read(const onnx_model *m)
{
    lm_str once = {0}, twice = {0};
    onnx_model *back = NULL;
    if (onnx_write_model(m, &once) != LM_OK || onnx_model_parse(once.text, once.count, NULL, &back) != LM_OK ||
        onnx_write_model(back, &twice) != LM_OK || once.count != twice.count ||
        memcmp(once.text, twice.text, once.count) != 0)
        abort();
    onnx_model_close(back);
    lm_str_free(&once);
    lm_str_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t before = lm_mem_count().live;
    onnx_model *m;
    lm_status status = onnx_model_parse(data, size, NULL, &m);
    if (status == LM_OK) {
        see_graph(m, m->graph);
        for (size_t i = 0; i < m->n_functions; i++)
            see_nodes(m, m->functions[i].nodes, m->functions[i].n_nodes);
        write_and_read(m);
        onnx_model_close(m);
    } else if (status != LM_INPUT || !*lm_message()) {
        abort();
    }
    lm_arena arena = {0};
    onnx_sequence *sequence;
    onnx_optional *optional;
    (void)onnx_sequence_parse(data, size, NULL, &arena, &sequence);
    (void)onnx_optional_parse(data, size, NULL, &arena, &optional);
    lm_arena_free(&arena);
    if (lm_mem_count().live != before)
        abort();
    return 0;
}
