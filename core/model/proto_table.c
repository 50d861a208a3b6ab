/* The tables, after the format's public definition. Fields that are not here are skipped. */
#include "core/model/proto_table.h"

#include "core/model/onnx_tensor.h"

#define ONE(number, KIND, type, member) {number, ONNX_K_##KIND, false, 0, offsetof(type, member), 0, 0, NULL, #member}
#define MANY(number, KIND, type, member)                                                                               \
    {number, ONNX_K_##KIND, true, 0, offsetof(type, member), offsetof(type, n_##member), 0, NULL, #member}
/* The same with a flag that tells presence. */
#define ONE_IF(number, KIND, type, member, mark, value)                                                                \
    {number, ONNX_K_##KIND, false, value, offsetof(type, member), 0, offsetof(type, mark), NULL, #member}
#define MANY_IF(number, KIND, type, member, mark, value)                                                               \
    {number, ONNX_K_##KIND, true, value, offsetof(type, member), offsetof(type, n_##member), offsetof(type, mark),     \
     NULL, #member}
#define SUB(number, type, member, message, what)                                                                       \
    {number, ONNX_K_MESSAGE, false, 0, offsetof(type, member), 0, 0, &message, what}
#define SUB_IF(number, type, member, mark, value, message, what)                                                       \
    {number, ONNX_K_MESSAGE, false, value, offsetof(type, member), 0, offsetof(type, mark), &message, what}
#define SUBS(number, type, member, message, what)                                                                      \
    {number, ONNX_K_MESSAGE, true, 0, offsetof(type, member), offsetof(type, n_##member), 0, &message, what}
#define SUBS_IF(number, type, member, mark, value, message, what)                                                      \
    {number, ONNX_K_MESSAGE, true, value, offsetof(type, member), offsetof(type, n_##member), offsetof(type, mark),    \
     &message, what}
#define INSIDE(number, type, mark, value, base, message, what)                                                         \
    {number, ONNX_K_INLINE, false, value, base, 0, offsetof(type, mark), &message, what}
#define TABLE(table, type, check, name) {sizeof(type), table, LM_COUNT(table), check, name}

/* For types whose name is their first and only label. */
#define NAME_OF(type)                                                                                                  \
    static const char *type##_name(const void *message, const char **kind)                                             \
    {                                                                                                                  \
        (void)kind;                                                                                                    \
        return ((const type *)message)->name;                                                                          \
    }

static const onnx_field pair_fields[] = {ONE(1, NAME, onnx_pair, key), ONE(2, NAME, onnx_pair, value)};
static const onnx_message pair_message = TABLE(pair_fields, onnx_pair, NULL, NULL);

static const onnx_field opset_fields[] = {ONE(1, NAME, onnx_opset, domain), ONE(2, INT64, onnx_opset, version)};
static const onnx_message opset_message = TABLE(opset_fields, onnx_opset, NULL, NULL);

/* A segment is refused whatever is in it. */
static const onnx_message segment_message = {.size = 0};

NAME_OF(onnx_tensor)

static lm_status tensor_check(void *message)
{
    return onnx_tensor_check(message);
}

static const onnx_field tensor_fields[] = {
    MANY(1, INT64, onnx_tensor, dims),
    ONE(2, INT32, onnx_tensor, data_type),
    INSIDE(3, onnx_tensor, has_segment, 1, 0, segment_message, "segment"),
    ONE(4, TYPED, onnx_tensor, typed),
    ONE(5, TYPED, onnx_tensor, typed),
    ONE(6, TYPED, onnx_tensor, typed),
    ONE(7, TYPED, onnx_tensor, typed),
    ONE(8, NAME, onnx_tensor, name),
    ONE_IF(9, SLICE, onnx_tensor, raw, has_raw, 1),
    ONE(10, TYPED, onnx_tensor, typed),
    ONE(11, TYPED, onnx_tensor, typed),
    SUBS(13, onnx_tensor, externals, pair_message, "external_data"),
    ONE(14, INT32, onnx_tensor, location),
    SUBS(16, onnx_tensor, metadata, pair_message, "metadata_props"),
};
const onnx_message onnx_tensor_message = TABLE(tensor_fields, onnx_tensor, tensor_check, onnx_tensor_name);

static const char *sparse_name(const void *message, const char **kind)
{
    (void)kind;
    const onnx_sparse *s = message;
    return s->values ? s->values->name : NULL;
}

static lm_status sparse_check(void *message)
{
    const onnx_sparse *s = message;
    LM_REQUIRE(s->values && s->indices, LM_INPUT, "a sparse tensor needs values and indices");
    return LM_OK;
}

static const onnx_field sparse_fields[] = {
    SUB(1, onnx_sparse, values, onnx_tensor_message, "values"),
    SUB(2, onnx_sparse, indices, onnx_tensor_message, "indices"),
    MANY(3, INT64, onnx_sparse, dims),
};
static const onnx_message sparse_message = TABLE(sparse_fields, onnx_sparse, sparse_check, sparse_name);

static const onnx_field dim_fields[] = {
    ONE_IF(1, INT64, onnx_dim, value, kind, ONNX_DIM_VALUE),
    ONE_IF(2, NAME, onnx_dim, param, kind, ONNX_DIM_PARAM),
};
static const onnx_message dim_message = TABLE(dim_fields, onnx_dim, NULL, NULL);

static const onnx_field shape_fields[] = {SUBS(1, onnx_type, dims, dim_message, "dimension")};
static const onnx_message shape_message = TABLE(shape_fields, onnx_type, NULL, NULL);

static const onnx_field tensor_type_fields[] = {
    ONE(1, INT32, onnx_type, elem_type),
    INSIDE(2, onnx_type, has_shape, 1, 0, shape_message, "shape"),
};
static const onnx_message tensor_type_message = TABLE(tensor_type_fields, onnx_type, NULL, NULL);

static const onnx_message type_message;
static const onnx_field inner_fields[] = {SUB(1, onnx_type, inner, type_message, "elem_type")};
static const onnx_message inner_message = TABLE(inner_fields, onnx_type, NULL, NULL);

static const onnx_field map_fields[] = {
    ONE(1, INT32, onnx_type, key_type),
    SUB(2, onnx_type, inner, type_message, "value_type"),
};
static const onnx_message map_message = TABLE(map_fields, onnx_type, NULL, NULL);

static const onnx_message opaque_message = {.size = 0};

static const onnx_field type_fields[] = {
    INSIDE(1, onnx_type, kind, ONNX_TYPE_TENSOR, 0, tensor_type_message, "tensor type"),
    INSIDE(4, onnx_type, kind, ONNX_TYPE_SEQUENCE, 0, inner_message, "sequence type"),
    INSIDE(5, onnx_type, kind, ONNX_TYPE_MAP, 0, map_message, "map type"),
    INSIDE(7, onnx_type, kind, ONNX_TYPE_OPAQUE, 0, opaque_message, "opaque type"),
    INSIDE(8, onnx_type, kind, ONNX_TYPE_SPARSE, 0, tensor_type_message, "sparse tensor type"),
    INSIDE(9, onnx_type, kind, ONNX_TYPE_OPTIONAL, 0, inner_message, "optional type"),
};
static const onnx_message type_message = TABLE(type_fields, onnx_type, NULL, NULL);

NAME_OF(onnx_value_info)

static const onnx_field value_info_fields[] = {
    ONE(1, NAME, onnx_value_info, name),
    INSIDE(2, onnx_value_info, has_type, 1, offsetof(onnx_value_info, type), type_message, "type"),
    SUBS(4, onnx_value_info, metadata, pair_message, "metadata_props"),
};
static const onnx_message value_info_message =
    TABLE(value_info_fields, onnx_value_info, NULL, onnx_value_info_name);

NAME_OF(onnx_attr)

static const char *const attr_types[] = {"no type", "FLOAT",   "INT",    "STRING",        "TENSOR",
                                         "GRAPH",   "FLOATS",  "INTS",   "STRINGS",       "TENSORS",
                                         "GRAPHS",  "SPARSE_TENSOR", "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"};

static lm_status attr_check(void *message)
{
    onnx_attr *a = message;
    LM_REQUIRE(a->name[0], LM_INPUT, "an attribute has no name");
    LM_REQUIRE((unsigned)a->type < LM_COUNT(attr_types), LM_INPUT, "the unknown type %d", (int)a->type);
    if (a->type == ONNX_ATTR_NONE)
        a->type = (onnx_attr_type)a->holds;
    LM_REQUIRE(!a->holds || a->holds == (int32_t)a->type, LM_INPUT, "the type is %s, but the value is of type %s",
               attr_types[a->type], attr_types[a->holds]);
    if (a->ref_attr_name[0])
        return LM_OK;
    LM_REQUIRE(a->type, LM_INPUT, "it has neither type nor value");
    bool missing = (a->type == ONNX_ATTR_GRAPH && !a->g) || (a->type == ONNX_ATTR_TENSOR && !a->t) ||
                   (a->type == ONNX_ATTR_SPARSE && !a->sparse) || (a->type == ONNX_ATTR_TYPE && !a->tp);
    LM_REQUIRE(!missing, LM_INPUT, "the type is %s, but there is none", attr_types[a->type]);
    return LM_OK;
}

static const onnx_message graph_message;
#define VALUE(number, KIND, member, TYPE) ONE_IF(number, KIND, onnx_attr, member, holds, ONNX_ATTR_##TYPE)
#define VALUES(number, KIND, member, TYPE) MANY_IF(number, KIND, onnx_attr, member, holds, ONNX_ATTR_##TYPE)
#define PART(number, member, TYPE, message, what)                                                                      \
    SUB_IF(number, onnx_attr, member, holds, ONNX_ATTR_##TYPE, message, what)
#define PARTS(number, member, TYPE, message, what)                                                                     \
    SUBS_IF(number, onnx_attr, member, holds, ONNX_ATTR_##TYPE, message, what)
static const onnx_field attr_fields[] = {
    ONE(1, NAME, onnx_attr, name),
    VALUE(2, FLOAT, f, FLOAT),
    VALUE(3, INT64, i, INT),
    VALUE(4, BYTES, s, STRING),
    PART(5, t, TENSOR, onnx_tensor_message, "tensor"),
    PART(6, g, GRAPH, graph_message, NULL),
    VALUES(7, FLOAT, floats, FLOATS),
    VALUES(8, INT64, ints, INTS),
    VALUES(9, BYTES, strings, STRINGS),
    PARTS(10, tensors, TENSORS, onnx_tensor_message, "tensor"),
    PARTS(11, graphs, GRAPHS, graph_message, "graph"),
    PART(14, tp, TYPE, type_message, "type"),
    PARTS(15, types, TYPES, type_message, "type"),
    ONE(20, INT32, onnx_attr, type),
    ONE(21, NAME, onnx_attr, ref_attr_name),
    PART(22, sparse, SPARSE, sparse_message, "sparse tensor"),
    PARTS(23, sparses, SPARSES, sparse_message, "sparse tensor"),
};
static const onnx_message attr_message = TABLE(attr_fields, onnx_attr, attr_check, onnx_attr_name);

static const char *node_name(const void *message, const char **kind)
{
    const onnx_node *n = message;
    *kind = n->op_type;
    return n->name;
}

static lm_status node_check(void *message)
{
    const onnx_node *n = message;
    LM_REQUIRE(n->op_type[0], LM_INPUT, "a node without an op_type");
    return LM_OK;
}

static const onnx_field node_fields[] = {
    MANY(1, NAME, onnx_node, inputs),
    MANY(2, NAME, onnx_node, outputs),
    ONE(3, NAME, onnx_node, name),
    ONE(4, NAME, onnx_node, op_type),
    SUBS(5, onnx_node, attrs, attr_message, "attribute"),
    ONE(6, SLICE, onnx_node, doc),
    ONE(7, NAME, onnx_node, domain),
    ONE(8, NAME, onnx_node, overload),
    SUBS(9, onnx_node, metadata, pair_message, "metadata_props"),
};
static const onnx_message node_message = TABLE(node_fields, onnx_node, node_check, node_name);

static const onnx_field graph_fields[] = {
    SUBS(1, onnx_graph, nodes, node_message, "node"),
    ONE(2, NAME, onnx_graph, name),
    SUBS(5, onnx_graph, initializers, onnx_tensor_message, "initialiser"),
    ONE(10, SLICE, onnx_graph, doc),
    SUBS(11, onnx_graph, inputs, value_info_message, "input"),
    SUBS(12, onnx_graph, outputs, value_info_message, "output"),
    SUBS(13, onnx_graph, value_infos, value_info_message, "value_info"),
    SUBS(15, onnx_graph, sparses, sparse_message, "sparse initialiser"),
    SUBS(16, onnx_graph, metadata, pair_message, "metadata_props"),
};
static const onnx_message graph_message = TABLE(graph_fields, onnx_graph, NULL, NULL);

NAME_OF(onnx_function)

static lm_status function_check(void *message)
{
    const onnx_function *f = message;
    LM_REQUIRE(f->name[0], LM_INPUT, "a function without a name");
    return LM_OK;
}

static const onnx_field function_fields[] = {
    ONE(1, NAME, onnx_function, name),
    MANY(4, NAME, onnx_function, inputs),
    MANY(5, NAME, onnx_function, outputs),
    MANY(6, NAME, onnx_function, attr_names),
    SUBS(7, onnx_function, nodes, node_message, "node"),
    ONE(8, SLICE, onnx_function, doc),
    SUBS(9, onnx_function, opsets, opset_message, "opset_import"),
    ONE(10, NAME, onnx_function, domain),
    SUBS(11, onnx_function, attrs, attr_message, "attribute"),
    SUBS(12, onnx_function, value_infos, value_info_message, "value_info"),
    ONE(13, NAME, onnx_function, overload),
    SUBS(14, onnx_function, metadata, pair_message, "metadata_props"),
};
static const onnx_message function_message =
    TABLE(function_fields, onnx_function, function_check, onnx_function_name);

static const onnx_field model_fields[] = {
    ONE(1, INT64, onnx_model, ir_version),
    ONE(2, NAME, onnx_model, producer_name),
    ONE(3, NAME, onnx_model, producer_version),
    ONE(4, NAME, onnx_model, domain),
    ONE(5, INT64, onnx_model, model_version),
    ONE(6, SLICE, onnx_model, doc),
    SUB(7, onnx_model, graph, graph_message, NULL),
    SUBS(8, onnx_model, opsets, opset_message, "opset_import"),
    SUBS(14, onnx_model, metadata, pair_message, "metadata_props"),
    SUBS(25, onnx_model, functions, function_message, "function"),
};
const onnx_message onnx_model_message = TABLE(model_fields, onnx_model, NULL, NULL);

static const onnx_field sequence_fields[] = {
    ONE(1, NAME, onnx_sequence, name),
    ONE(2, INT32, onnx_sequence, elem_type),
    SUBS(3, onnx_sequence, tensors, onnx_tensor_message, "tensor"),
    SUBS(5, onnx_sequence, sequences, onnx_sequence_message, "sequence"),
    ONE(6, COUNT, onnx_sequence, n_maps),
    SUBS(7, onnx_sequence, optionals, onnx_optional_message, "optional"),
};
const onnx_message onnx_sequence_message = TABLE(sequence_fields, onnx_sequence, NULL, NULL);

static const onnx_field optional_fields[] = {
    ONE(1, NAME, onnx_optional, name),
    ONE(2, INT32, onnx_optional, elem_type),
    SUB(3, onnx_optional, tensor, onnx_tensor_message, "tensor"),
    SUB(5, onnx_optional, sequence, onnx_sequence_message, "sequence"),
    SUB(7, onnx_optional, optional, onnx_optional_message, "optional"),
};
const onnx_message onnx_optional_message = TABLE(optional_fields, onnx_optional, NULL, NULL);
