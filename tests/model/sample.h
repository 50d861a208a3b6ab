/* A small model that has every kind of message in it, and ways to read bytes back. */
#ifndef LM_TEST_MODEL_SAMPLE_H
#define LM_TEST_MODEL_SAMPLE_H

#include "core/model/onnx_build.h"
#include "core/model/onnx_write.h"

static inline lm_status parse(const lm_str *bytes, onnx_model **out)
{
    const onnx_open_options options = {.name = "m.onnx"};
    return onnx_model_parse(bytes->text, bytes->count, &options, out);
}

/* Append `message` as field `number`. */
static inline void put_message(lm_str *out, uint32_t number, const lm_str *message)
{
    lm_pb_put_bytes(out, number, lm_str_text(message), message->count);
}

static inline void sample_types(onnx_build *b)
{
    static onnx_dim dims[] = {{ONNX_DIM_PARAM, 0, "batch"}, {ONNX_DIM_VALUE, 0, NULL}, {ONNX_DIM_MISSING, 0, NULL}};
    static onnx_type tensor = {
        .kind = ONNX_TYPE_TENSOR, .elem_type = ONNX_FLOAT, .has_shape = 1, .dims = dims, .n_dims = 3};
    static onnx_type sequence = {.kind = ONNX_TYPE_SEQUENCE, .inner = &tensor};
    static const onnx_type types[] = {
        {.kind = ONNX_TYPE_OPTIONAL, .inner = &sequence},
        {.kind = ONNX_TYPE_MAP, .key_type = ONNX_STRING, .inner = &tensor},
        {.kind = ONNX_TYPE_SPARSE, .elem_type = ONNX_DOUBLE, .has_shape = 1},
        {.kind = ONNX_TYPE_TENSOR, .elem_type = ONNX_STRING},
        {.kind = ONNX_TYPE_OPAQUE},
    };
    for (size_t i = 0; i < LM_COUNT(types); i++)
        onnx_build_input(b, "typed", LM_F32, -1, NULL)->type = types[i];
}

static inline void sample_attributes(onnx_build *b)
{
    const int64_t pads[] = {-1, 0, 1, 1}, two[] = {2};
    const float scales[] = {0.5f, -0.0f};
    onnx_node *n = onnx_build_node(b, "Sample", "x - w", "h");
    n->name = "conv1";
    n->domain = "test.domain";
    onnx_build_attr_ints(b, n, "pads", 4, pads);
    onnx_build_attr_int(b, n, "group", 0);
    onnx_build_attr_float(b, n, "alpha", 0);
    onnx_build_attr_text(b, n, "auto_pad", "");
    onnx_build_attr_floats(b, n, "scales", 2, scales);
    onnx_build_attr_texts(b, n, "words", "one two");
    onnx_build_attr(b, n, "nothing", ONNX_ATTR_INTS);
    lm_view v;
    lm_shape s = LM_SHAPE(2);
    if (lm_view_new(LM_I16, &s, &v) == LM_OK) {
        lm_view_set(&v, 0, -7);
        lm_view_set(&v, 1, 300);
        onnx_build_attr_tensor(b, n, "value", &v);
        lm_buffer_unref(v.buf);
    } else {
        b->status = LM_MEMORY;
    }
    onnx_graph *main_graph = b->graph, *body = onnx_build_graph(b, "body");
    b->graph = body;
    onnx_build_node(b, "Identity", "h", "inner");
    onnx_build_output(b, "inner", LM_F32, 1, two);
    b->graph = main_graph;
    onnx_node *branch = onnx_build_node(b, "If", "c", "y");
    onnx_build_attr_graph(b, branch, "then_branch", body);
    onnx_build_attr_graph(b, branch, "else_branch", body);
}

/* The bytes of the sample; LM_MEMORY is the only failure. */
static inline lm_status sample_model(lm_str *out)
{
    static onnx_pair notes[] = {{"author", "nobody"}, {"empty", ""}};
    static int64_t three[] = {3}, one[] = {1}, at[] = {2};
    static float half[] = {0.5f};
    static onnx_tensor values = {.name = "s", .data_type = ONNX_FLOAT, .dims = one, .n_dims = 1, .has_raw = 1};
    static onnx_tensor places = {.data_type = ONNX_INT64, .dims = one, .n_dims = 1, .has_raw = 1};
    static onnx_sparse sparse = {.values = &values, .indices = &places, .dims = three, .n_dims = 1};
    values.raw = (lm_slice){(const uint8_t *)half, sizeof half};
    places.raw = (lm_slice){(const uint8_t *)at, sizeof at};
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_opset(&b, "test.domain", 1);
    b.model.metadata = notes;
    b.model.n_metadata = 2;
    b.model.doc = (lm_slice){(const uint8_t *)"a sample", 8};
    b.model.producer_version = "1";
    b.graph->sparses = &sparse;
    b.graph->n_sparses = 1;
    sample_types(&b);
    sample_attributes(&b);
    onnx_build_floats(&b, "w", 2, (int64_t[]){1, 2}, (float[]){1, 2});
    onnx_build_ints(&b, "scalar", 0, NULL, (int64_t[]){-9});
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, 3});
    onnx_function *f = onnx_build_function(&b, "test.domain", "Sample", "a b c", "d", "pads group", 17);
    f->overload = "second";
    onnx_build_attr_ref(&b, onnx_build_body(&b, f, "Identity", "a", "d"), "pads", "pads", ONNX_ATTR_INTS);
    return onnx_build_end(&b, out);
}

#endif
