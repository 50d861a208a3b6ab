/* Reading and writing whole models: what is in a file arrives, and what is wrong with a file is said, not followed. */
#include <unistd.h>

#include "core/model/onnx_tensor.h"
#include "core/model/proto.h"
#include "tests/model/sample.h"
#include "tests/unit/test.h"

static onnx_model *sample(lm_str *bytes)
{
    onnx_model *m = NULL;
    CHECK_OK(sample_model(bytes));
    CHECK_OK(parse(bytes, &m));
    return m;
}

static void whole_tree(void)
{
    lm_str bytes = {0};
    onnx_model *m = sample(&bytes);
    if (!m)
        return;
    CHECK(m->ir_version == 8 && m->n_opsets == 2 && m->opsets[1].version == 1);
    CHECK_STR(m->opsets[0].domain, "");
    CHECK_STR(m->metadata[0].value, "nobody");
    CHECK_STR(m->metadata[1].value, "");
    CHECK(m->doc.count == 8);
    const onnx_node *n = &m->graph->nodes[0];
    CHECK(m->graph->n_nodes == 2 && n->n_inputs == 3 && n->n_attrs == 8);
    CHECK_STR(n->inputs[1], "");
    CHECK_STR(n->domain, "test.domain");
    CHECK(n->attrs[0].type == ONNX_ATTR_INTS && n->attrs[0].n_ints == 4 && n->attrs[0].ints[0] == -1);
    CHECK(n->attrs[1].type == ONNX_ATTR_INT && n->attrs[1].i == 0 && n->attrs[1].holds);
    CHECK(n->attrs[4].n_floats == 2 && n->attrs[4].floats[0] == 0.5f && signbit(n->attrs[4].floats[1]));
    CHECK(n->attrs[5].n_strings == 2 && n->attrs[5].strings[1].count == 3);
    CHECK_STR(n->attrs[5].strings[1].text, "two");
    CHECK(n->attrs[6].type == ONNX_ATTR_INTS && n->attrs[6].n_ints == 0);
    CHECK(n->attrs[7].t && n->attrs[7].t->data_type == ONNX_INT16 && n->attrs[7].t->raw.count == 4);
    const onnx_attr *branch = &m->graph->nodes[1].attrs[1];
    CHECK_STR(branch->name, "else_branch");
    CHECK_STR(branch->g->nodes[0].op_type, "Identity");
    CHECK(m->n_functions == 1 && m->functions[0].n_attr_names == 2 && m->functions[0].opsets[0].version == 17);
    CHECK_STR(m->functions[0].nodes[0].attrs[0].ref_attr_name, "pads");
    CHECK(m->graph->n_sparses == 1 && m->graph->sparses[0].dims[0] == 3);
    onnx_model_close(m);
    lm_str_free(&bytes);
}

static void types(void)
{
    lm_str bytes = {0};
    onnx_model *m = sample(&bytes);
    if (!m)
        return;
    const onnx_value_info *v = m->graph->inputs;
    CHECK(m->graph->n_inputs == 5 && v[0].type.kind == ONNX_TYPE_OPTIONAL);
    const onnx_type *inner = v[0].type.inner->inner;
    CHECK(inner->kind == ONNX_TYPE_TENSOR && inner->has_shape && inner->n_dims == 3);
    CHECK(inner->dims[0].kind == ONNX_DIM_PARAM && inner->dims[1].kind == ONNX_DIM_VALUE &&
          inner->dims[2].kind == ONNX_DIM_MISSING);
    CHECK_STR(inner->dims[0].param, "batch");
    CHECK(v[1].type.kind == ONNX_TYPE_MAP && v[1].type.key_type == ONNX_STRING && v[1].type.inner);
    CHECK(v[2].type.kind == ONNX_TYPE_SPARSE && v[2].type.has_shape && v[2].type.n_dims == 0);
    CHECK(v[3].type.kind == ONNX_TYPE_TENSOR && !v[3].type.has_shape);
    CHECK(v[4].type.kind == ONNX_TYPE_OPAQUE);
    onnx_model_close(m);
    lm_str_free(&bytes);
}

static void written_again(void)
{
    lm_str bytes = {0}, again = {0};
    onnx_model *m = sample(&bytes), *back = NULL;
    if (!m)
        return;
    CHECK_OK(onnx_write_model(m, &again));
    CHECK(bytes.count == again.count && memcmp(bytes.text, again.text, bytes.count) == 0);

    char folder[] = "/tmp/limn-model-XXXXXX", path[64];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/a.onnx", folder);
    CHECK_OK(onnx_write_file(m, path));
    CHECK_OK(onnx_model_open(path, NULL, &back));
    CHECK(back && back->file.size == bytes.count && memcmp(back->file.bytes, bytes.text, bytes.count) == 0);
    onnx_model_close(back);
    onnx_model_close(m);

    /* a tensor that is larger than what the writer gathers goes to the file in one piece */
    onnx_build b;
    onnx_build_start(&b, 17);
    lm_view v;
    lm_shape s = LM_SHAPE(100, 1000);
    CHECK_OK(lm_view_new(LM_F64, &s, &v));
    for (int64_t i = 0; i < 100000; i++)
        lm_view_set(&v, i, (double)i);
    onnx_build_const(&b, "big", &v);
    CHECK_OK(b.status);
    CHECK_OK(onnx_write_file(&b.model, path));
    lm_str_clear(&bytes);
    CHECK_OK(onnx_build_end(&b, &bytes));
    CHECK_OK(onnx_model_open(path, NULL, &back));
    CHECK(back->file.size == bytes.count && memcmp(back->file.bytes, bytes.text, bytes.count) == 0);
    CHECK(back->graph->initializers[0].raw.count == 800000);
    onnx_model_close(back);
    lm_buffer_unref(v.buf);
    CHECK_FAILS(onnx_model_open(folder, NULL, &back), LM_INPUT);
    test_remove(folder);
    CHECK_FAILS(onnx_model_open(path, NULL, &back), LM_INPUT);
    CHECK(strstr(lm_message(), path) != NULL);
    lm_str_free(&bytes);
    lm_str_free(&again);
}

/* A model made of the graph `graph` and an opset. */
static void wrap_graph(const lm_str *graph, lm_str *out)
{
    lm_str opset = {0};
    lm_pb_put_number(&opset, 2, LM_PB_VARINT, 17);
    lm_pb_put_number(out, 1, LM_PB_VARINT, 8);
    put_message(out, 7, graph);
    put_message(out, 8, &opset);
    lm_str_free(&opset);
}

/* Parsing the model fails, and the message has all these words. Frees the text. */
static void check_refused(lm_str *model, const char *a, const char *b)
{
    onnx_model *m = NULL;
    CHECK_FAILS(parse(model, &m), LM_INPUT);
    if (!strstr(lm_message(), a) || !strstr(lm_message(), b))
        CHECK_STR(lm_message(), a);
    CHECK(strncmp(lm_message(), "m.onnx: ", 8) == 0);
    onnx_model_close(m);
    lm_str_free(model);
}

/* One message as field `number` of the graph of a model. */
static void check_graph_refused(uint32_t number, lm_str *message, const char *a, const char *b)
{
    lm_str graph = {0}, model = {0};
    put_message(&graph, number, message);
    wrap_graph(&graph, &model);
    check_refused(&model, a, b);
    lm_str_free(&graph);
    lm_str_free(message);
}

/* One attribute of a node with a name. */
static void check_attribute_refused(lm_str *attr, const char *why)
{
    lm_str node = {0}, named = {0};
    lm_pb_put_bytes(&node, 3, "conv1", 5);
    lm_pb_put_bytes(&node, 4, "Conv", 4);
    lm_pb_put_bytes(&named, 1, "pads", 4);
    lm_str_add_bytes(&named, lm_str_text(attr), attr->count);
    put_message(&node, 5, &named);
    check_graph_refused(1, &node, "node 0 ('conv1', Conv): attribute 'pads': ", why);
    lm_str_free(&named);
    lm_str_free(attr);
}

static void wrong_attributes(void)
{
    lm_str a = {0};
    lm_pb_put_number(&a, 20, LM_PB_VARINT, ONNX_ATTR_INTS);
    lm_pb_put_number(&a, 2, LM_PB_FIXED32, 0);
    check_attribute_refused(&a, "type is INTS, but the value is of type FLOAT");
    lm_pb_put_number(&a, 3, LM_PB_VARINT, 1);
    lm_pb_put_number(&a, 2, LM_PB_FIXED32, 0);
    check_attribute_refused(&a, "another kind");
    lm_pb_put_number(&a, 20, LM_PB_VARINT, ONNX_ATTR_GRAPH);
    check_attribute_refused(&a, "there is none");
    lm_pb_put_number(&a, 20, LM_PB_VARINT, 99);
    check_attribute_refused(&a, "unknown type 99");
    lm_pb_put_number(&a, 3, LM_PB_FIXED32, 1);
    check_attribute_refused(&a, "stored as another type");
    lm_pb_put_bytes(&a, 6, "", 0);
    lm_pb_put_bytes(&a, 6, "", 0);
    check_attribute_refused(&a, "twice");
    check_attribute_refused(&a, "neither type nor value");
    lm_pb_put_bytes(&a, 8, "\x80", 1);
    check_attribute_refused(&a, "ends inside a number");
}

/* A tensor with these sizes and so many bytes of raw data. */
static lm_str tensor(int32_t type, size_t rank, const int64_t *dim, int raw)
{
    static const char zeros[64];
    lm_str t = {0};
    for (size_t i = 0; i < rank; i++)
        lm_pb_put_number(&t, 1, LM_PB_VARINT, (uint64_t)dim[i]);
    lm_pb_put_number(&t, 2, LM_PB_VARINT, (uint64_t)(int64_t)type);
    lm_pb_put_bytes(&t, 8, "w", 1);
    if (raw >= 0)
        lm_pb_put_bytes(&t, 9, zeros, (size_t)raw);
    return t;
}

static void wrong_tensors(void)
{
    static const struct {
        int32_t type;
        int64_t dim[2];
        int raw;
        const char *why;
    } cases[] = {
        {ONNX_FLOAT, {1, 2}, 4, "take 8 bytes, but there are 4"},
        {ONNX_FLOAT, {1, 2}, 12, "there are 12"},
        {ONNX_FLOAT, {1, 2}, 7, "there are 7"},
        {ONNX_FLOAT, {1, 2}, 0, "there are 0"},
        {ONNX_FLOAT, {0, INT64_MAX}, 4, "take 0 bytes"},
        {ONNX_INT4, {1, 5}, 2, "take 3 bytes"},
        {ONNX_UINT2, {1, 5}, 1, "take 2 bytes"},
        {ONNX_FLOAT8E5M2, {1, 5}, 4, "take 5 bytes"},
        {ONNX_FLOAT, {-1, 2}, 8, "axis 0 is -1"},
        {ONNX_FLOAT, {INT64_MAX, 2}, 8, "more than 2^63"},
        {ONNX_FLOAT, {INT64_MAX, 1}, 8, "more than 2^63"},
        {ONNX_STRING, {1, 1}, 8, "strings cannot"},
    };
    for (size_t i = 0; i < LM_COUNT(cases); i++) {
        lm_str t = tensor(cases[i].type, 2, cases[i].dim, cases[i].raw);
        check_graph_refused(5, &t, "initialiser 'w': ", cases[i].why);
    }
    lm_str t = tensor(ONNX_FLOAT, 0, NULL, -1);
    lm_pb_put_bytes(&t, 3, "\x08\x01", 2);
    check_graph_refused(5, &t, "'w'", "segments");
    t = tensor(ONNX_FLOAT, 0, NULL, 4);
    lm_pb_put_number(&t, 14, LM_PB_VARINT, 1);
    check_graph_refused(5, &t, "'w'", "in another file");
    t = tensor(ONNX_FLOAT, 0, NULL, 4);
    lm_pb_put_number(&t, 4, LM_PB_FIXED32, 1);
    check_graph_refused(5, &t, "'w'", "twice");
    t = tensor(ONNX_FLOAT, 0, NULL, 4);
    lm_pb_put_number(&t, 14, LM_PB_VARINT, 7);
    check_graph_refused(5, &t, "'w'", "data_location 7");
    t = tensor(ONNX_FLOAT, 0, NULL, 4);
    lm_pb_put_number(&t, 2, LM_PB_VARINT, (uint64_t)1 << 40);
    check_graph_refused(5, &t, "data_type", "more than 32 bits");
}

static void wrong_models(void)
{
    lm_str model = {0}, graph = {0}, node = {0};
    check_refused(&model, "no graph", "");
    wrap_graph(&graph, &model);
    put_message(&model, 7, &graph);
    check_refused(&model, "the graph is there twice", "");
    lm_str_add(&model, "<html>this is no model</html>");
    check_refused(&model, "is an HTML page, no ONNX model", "");
    lm_pb_put_bytes(&graph, 2, "a\0b", 3);
    wrap_graph(&graph, &model);
    check_refused(&model, "name holds a zero byte", "");
    lm_str_clear(&graph);
    lm_pb_put_bytes(&node, 3, "lonely\n", 7);
    check_graph_refused(1, &node, "node 'lonely?'", "op_type");
    lm_pb_put_bytes(&node, 4, "Relu", 4);
    put_message(&graph, 1, &node);
    lm_pb_put_number(&model, 1, LM_PB_VARINT, 8);
    put_message(&model, 7, &graph);
    check_refused(&model, "opset_import", "");
    lm_str_free(&node);
    lm_str_free(&graph);
    /* a type of two kinds, a size that is number and name, a function without a name */
    lm_str type = {0}, info = {0};
    lm_pb_put_bytes(&type, 1, "\x08\x01", 2);
    lm_pb_put_bytes(&type, 4, "", 0);
    lm_pb_put_bytes(&info, 1, "x", 1);
    put_message(&info, 2, &type);
    check_graph_refused(11, &info, "input 'x'", "another kind");
    lm_str_clear(&type);
    lm_pb_put_bytes(&type, 1, "\x12\x06\x0A\x04\x08\x01\x12\x00", 8);
    lm_pb_put_bytes(&info, 1, "x", 1);
    put_message(&info, 2, &type);
    check_graph_refused(11, &info, "dimension 0", "another kind");
    lm_str_free(&type);
    wrap_graph(&graph, &model);
    lm_pb_put_bytes(&model, 25, "", 0);
    check_refused(&model, "function", "without a name");
}

/* Graphs inside graphs, `depth` of them. Built from the inside out. */
static void nested(int depth, lm_str *out)
{
    lm_str inner = {0};
    for (int i = 0; i < depth; i++) {
        lm_str attr = {0}, node = {0}, graph = {0};
        lm_pb_put_bytes(&attr, 1, "body", 4);
        put_message(&attr, 6, &inner);
        lm_pb_put_bytes(&node, 4, "If", 2);
        put_message(&node, 5, &attr);
        put_message(&graph, 1, &node);
        lm_str_free(&inner);
        lm_str_free(&attr);
        lm_str_free(&node);
        inner = graph;
    }
    wrap_graph(&inner, out);
    lm_str_free(&inner);
}

static void nesting_ends(void)
{
    lm_str model = {0};
    onnx_model *m = NULL;
    nested(64, &model);
    CHECK_OK(parse(&model, &m));
    onnx_model_close(m);
    lm_str_clear(&model);
    nested(5000, &model);
    check_refused(&model, "inside each other", "body");
    /* the same as a message of types, and as nested sequences */
    lm_str s = {0};
    for (int i = 0; i < 3000; i++) {
        lm_str next = {0};
        put_message(&next, 5, &s);
        lm_str_free(&s);
        s = next;
    }
    lm_arena arena = {0};
    onnx_sequence *sequence;
    CHECK_FAILS(onnx_sequence_parse(s.text, s.count, "s.pb", &arena, &sequence), LM_INPUT);
    CHECK(strncmp(lm_message(), "s.pb: sequence 0: ", 18) == 0);
    lm_arena_free(&arena);
    lm_str_free(&s);
}

/* Lengths and counts that promise what the file does not hold cost nothing. */
static void promises_cost_nothing(void)
{
    static const char huge[] = "\x08\x08\x3A\x80\x80\x80\x80\x04";
    lm_str model = {0};
    lm_str_add_bytes(&model, huge, sizeof huge - 1);
    check_refused(&model, "holds 1073741824 bytes", "");
    int64_t dim[] = {1 << 20, 1 << 20};
    lm_str t = tensor(ONNX_FLOAT, 2, dim, -1), graph = {0};
    put_message(&graph, 5, &t);
    wrap_graph(&graph, &model);
    onnx_model *m = NULL;
    lm_view v;
    CHECK_OK(parse(&model, &m));
    CHECK_FAILS(onnx_tensor_view(m, &m->graph->initializers[0], &v), LM_INPUT);
    CHECK(strstr(lm_message(), "tensor 'w': it has 1099511627776 elements of type FLOAT, but holds 0") != NULL);
    onnx_model_close(m);
    lm_str_free(&model);
    lm_str_free(&graph);
    lm_str_free(&t);
}

static void cut_anywhere(void)
{
    lm_str bytes = {0};
    CHECK_OK(sample_model(&bytes));
    size_t before = lm_mem_count().live;
    int read = 0;
    for (size_t cut = 0; cut < bytes.count; cut++) {
        onnx_model *m = NULL;
        /* a copy of its own, so that a sanitizer sees any byte read past the end */
        void *copy = malloc(cut ? cut : 1);
        memcpy(copy, bytes.text, cut);
        lm_status status = onnx_model_parse(copy, cut, NULL, &m);
        CHECK(status == LM_OK || (status == LM_INPUT && *lm_message()));
        read += status == LM_OK;
        onnx_model_close(m);
        free(copy);
    }
    /* fields stand in order: what is missing at a cut between two of the model's own fields is only the end */
    CHECK(read >= 1 && read <= 6);
    CHECK_INT(lm_mem_count().live, before);
    lm_str_free(&bytes);
}

static lm_status touch_all(const onnx_model *m, const onnx_graph *g)
{
    for (size_t i = 0; i < g->n_initializers; i++) {
        lm_view v;
        if (onnx_tensor_view(m, &g->initializers[i], &v) == LM_OK)
            lm_buffer_unref(v.buf);
    }
    for (size_t i = 0; i < g->n_sparses; i++) {
        lm_view v;
        if (onnx_sparse_view(m, &g->sparses[i], 1 << 20, &v) == LM_OK)
            lm_buffer_unref(v.buf);
    }
    lm_str text = {0};
    lm_status status = onnx_write_model(m, &text);
    lm_str_free(&text);
    return status;
}

static void flipped_bits(void)
{
    lm_str bytes = {0};
    CHECK_OK(sample_model(&bytes));
    size_t before = lm_mem_count().live;
    int read = 0, refused = 0;
    for (size_t bit = 0; bit < 8 * bytes.count; bit++) {
        onnx_model *m = NULL;
        bytes.text[bit / 8] = (char)(bytes.text[bit / 8] ^ 1 << bit % 8);
        lm_status status = parse(&bytes, &m);
        CHECK(status == LM_OK || (status == LM_INPUT && strncmp(lm_message(), "m.onnx: ", 8) == 0));
        if (status == LM_OK)
            CHECK_OK(touch_all(m, m->graph));
        *(status == LM_OK ? &read : &refused) += 1;
        onnx_model_close(m);
        bytes.text[bit / 8] = (char)(bytes.text[bit / 8] ^ 1 << bit % 8);
    }
    CHECK(read > 1000 && refused > 1000);
    CHECK_INT(lm_mem_count().live, before);
    lm_str_free(&bytes);
}

static lm_status build_read_write(void)
{
    lm_str bytes = {0}, again = {0};
    onnx_model *m = NULL;
    lm_view v = {0};
    lm_status status = sample_model(&bytes);
    if (status == LM_OK)
        status = parse(&bytes, &m);
    if (status == LM_OK)
        status = onnx_tensor_view(m, &m->graph->initializers[0], &v);
    if (status == LM_OK)
        status = onnx_write_model(m, &again);
    lm_buffer_unref(v.buf);
    onnx_model_close(m);
    lm_str_free(&bytes);
    lm_str_free(&again);
    return status;
}

static void no_memory(void)
{
    CHECK(test_every_allocation(build_read_write) > 20);
}

static void data_files(void)
{
    int64_t two[] = {2};
    float value[] = {3, 4};
    onnx_tensor t = {.name = "x", .data_type = ONNX_FLOAT, .dims = two, .n_dims = 1, .has_raw = 1,
                     .raw = {(const uint8_t *)value, sizeof value}};
    onnx_sequence s = {.elem_type = 1, .tensors = &t, .n_tensors = 1}, *s_back = NULL;
    onnx_optional o = {.elem_type = 3, .sequence = &s}, *o_back = NULL;
    onnx_tensor *t_back = NULL;
    lm_arena arena = {0};
    lm_str text[3] = {{0}};
    CHECK_OK(onnx_write_tensor(&t, &text[0]));
    CHECK_OK(onnx_write_sequence(&s, &text[1]));
    CHECK_OK(onnx_write_optional(&o, &text[2]));
    CHECK_OK(onnx_tensor_parse(text[0].text, text[0].count, "t.pb", &arena, &t_back));
    CHECK_OK(onnx_sequence_parse(text[1].text, text[1].count, "s.pb", &arena, &s_back));
    CHECK_OK(onnx_optional_parse(text[2].text, text[2].count, "o.pb", &arena, &o_back));
    CHECK(t_back && t_back->raw.count == 8 && s_back && s_back->n_tensors == 1 && o_back && o_back->sequence);
    CHECK_STR(o_back->sequence->tensors[0].name, "x");
    CHECK_FAILS(onnx_tensor_parse("\x08", 1, "t.pb", &arena, &t_back), LM_INPUT);
    CHECK(strncmp(lm_message(), "t.pb: ", 6) == 0);
    for (int i = 0; i < 3; i++)
        lm_str_free(&text[i]);
    lm_arena_free(&arena);
}

int main(void)
{
    CASE(whole_tree);
    CASE(types);
    CASE(written_again);
    CASE(wrong_attributes);
    CASE(wrong_tensors);
    CASE(wrong_models);
    CASE(nesting_ends);
    CASE(promises_cost_nothing);
    CASE(cut_anywhere);
    CASE(flipped_bits);
    CASE(no_memory);
    CASE(data_files);
    test_check(lm_mem_count().peak < 64 << 20, __FILE__, __LINE__, "no bad file takes 64 MB");
    return test_end();
}
