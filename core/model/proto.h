/* ONNX files as they stand: the messages of a model, decoded in one pass over the mapped file into an arena. Nothing is
 * interpreted here: opset versions, names and shapes are for the importer.
 *
 * Texts are never NULL ("" when absent) and end in a zero; a name that holds a zero byte is refused. Arrays are a
 * pointer and a count, as `nodes` and `n_nodes`, NULL when empty. Tensor contents and doc strings point into the
 * mapping. A tree that is built by hand starts as {0}; the writer takes NULL for "" there.
 *
 * Every failure to read is LM_INPUT, and says what and where: "model.onnx: node 17 ('conv1', Conv): attribute 'pads':
 * ...". Limits: LM_PB_DEPTH messages inside each other; the memory taken is at most some 100 times the size of the
 * file (a file of two-byte nodes), usually a small part of it. */
#ifndef LM_MODEL_PROTO_H
#define LM_MODEL_PROTO_H

#include "core/base/arena.h"
#include "core/base/file.h"
#include "core/model/pb.h"

/* Any bytes, with a zero after them that does not count. */
typedef struct onnx_bytes {
    const char *text;
    size_t count;
} onnx_bytes;

typedef struct onnx_pair {
    const char *key, *value;
} onnx_pair;

typedef struct onnx_opset {
    const char *domain; /* "" and "ai.onnx" are the same */
    int64_t version;
} onnx_opset;

/* Element types by ONNX's numbers; which of them Limn computes with is in onnx_tensor.h. */
enum {
    ONNX_UNDEFINED, ONNX_FLOAT, ONNX_UINT8, ONNX_INT8, ONNX_UINT16, ONNX_INT16, ONNX_INT32, ONNX_INT64, ONNX_STRING,
    ONNX_BOOL, ONNX_FLOAT16, ONNX_DOUBLE, ONNX_UINT32, ONNX_UINT64, ONNX_COMPLEX64, ONNX_COMPLEX128, ONNX_BFLOAT16,
    ONNX_FLOAT8E4M3FN, ONNX_FLOAT8E4M3FNUZ, ONNX_FLOAT8E5M2, ONNX_FLOAT8E5M2FNUZ, ONNX_UINT4, ONNX_INT4,
    ONNX_FLOAT4E2M1, ONNX_FLOAT8E8M0, ONNX_UINT2, ONNX_INT2, ONNX_FLOAT6E2M3, ONNX_FLOAT6E3M2
};

/* Sizes and the length of raw data agree when the reader let the tensor pass. Read it through onnx_tensor.h. */
typedef struct onnx_tensor {
    const char *name;
    int32_t data_type;
    int64_t *dims;
    size_t n_dims; /* 0: a scalar */
    int32_t has_raw;
    lm_slice raw;   /* little-endian; not aligned */
    lm_slice typed; /* a message whose typed fields (float_data, int32_data ...) hold the elements, not yet decoded */
    int32_t location; /* 1: the elements are in another file, named by `externals` */
    onnx_pair *externals;
    size_t n_externals;
    onnx_pair *metadata;
    size_t n_metadata;
    int32_t has_segment; /* an obsolete way to store a part; refused */
} onnx_tensor;

typedef struct onnx_sparse {
    onnx_tensor *values, *indices; /* the tensor's name is that of `values` */
    int64_t *dims;
    size_t n_dims;
} onnx_sparse;

typedef enum onnx_dim_kind { ONNX_DIM_MISSING, ONNX_DIM_VALUE, ONNX_DIM_PARAM } onnx_dim_kind;

typedef struct onnx_dim {
    onnx_dim_kind kind;
    int64_t value;     /* as written; bad exporters write 0 and -1 for "any" */
    const char *param; /* "batch" */
} onnx_dim;

/* The numbers are those of the fields in the file. */
typedef enum onnx_type_kind {
    ONNX_TYPE_NONE = 0,
    ONNX_TYPE_TENSOR = 1,
    ONNX_TYPE_SEQUENCE = 4,
    ONNX_TYPE_MAP = 5,
    ONNX_TYPE_OPAQUE = 7,
    ONNX_TYPE_SPARSE = 8,
    ONNX_TYPE_OPTIONAL = 9
} onnx_type_kind;

typedef struct onnx_type {
    onnx_type_kind kind;
    int32_t elem_type; /* of a tensor or sparse tensor */
    int32_t has_shape; /* a tensor without it has any rank */
    onnx_dim *dims;
    size_t n_dims;
    struct onnx_type *inner; /* of a sequence or optional; the values of a map */
    int32_t key_type;        /* of a map */
} onnx_type;

typedef struct onnx_value_info {
    const char *name;
    onnx_type type;
    int32_t has_type;
    onnx_pair *metadata;
    size_t n_metadata;
} onnx_value_info;

typedef enum onnx_attr_type {
    ONNX_ATTR_NONE, ONNX_ATTR_FLOAT, ONNX_ATTR_INT, ONNX_ATTR_STRING, ONNX_ATTR_TENSOR, ONNX_ATTR_GRAPH,
    ONNX_ATTR_FLOATS, ONNX_ATTR_INTS, ONNX_ATTR_STRINGS, ONNX_ATTR_TENSORS, ONNX_ATTR_GRAPHS, ONNX_ATTR_SPARSE,
    ONNX_ATTR_SPARSES, ONNX_ATTR_TYPE, ONNX_ATTR_TYPES
} onnx_attr_type;

typedef struct onnx_graph onnx_graph;

/* The reader sets `type` also where the file leaves it out, and refuses values of another type than `type` says. A list
 * may be empty. A graph or tensor that `type` promises is there, unless `ref_attr_name` is. */
typedef struct onnx_attr {
    const char *name, *ref_attr_name; /* the latter, inside functions: which attribute of the caller it stands for */
    onnx_attr_type type;
    float f;
    int64_t i;
    onnx_bytes s;
    onnx_tensor *t;
    onnx_graph *g;
    onnx_sparse *sparse;
    onnx_type *tp;
    float *floats;
    size_t n_floats;
    int64_t *ints;
    size_t n_ints;
    onnx_bytes *strings;
    size_t n_strings;
    onnx_tensor *tensors;
    size_t n_tensors;
    onnx_graph *graphs;
    size_t n_graphs;
    onnx_sparse *sparses;
    size_t n_sparses;
    onnx_type *types;
    size_t n_types;
    int32_t holds; /* the onnx_attr_type of the value present, 0 for none */
} onnx_attr;

typedef struct onnx_node {
    const char *op_type, *domain, *overload, *name;
    const char **inputs; /* "" is an optional one left out */
    size_t n_inputs;
    const char **outputs;
    size_t n_outputs;
    onnx_attr *attrs;
    size_t n_attrs;
    onnx_pair *metadata;
    size_t n_metadata;
    lm_slice doc;
} onnx_node;

struct onnx_graph {
    const char *name;
    onnx_node *nodes;
    size_t n_nodes;
    onnx_tensor *initializers;
    size_t n_initializers;
    onnx_sparse *sparses; /* sparse initialisers */
    size_t n_sparses;
    onnx_value_info *inputs, *outputs, *value_infos;
    size_t n_inputs, n_outputs, n_value_infos;
    onnx_pair *metadata;
    size_t n_metadata;
    lm_slice doc;
};

typedef struct onnx_function {
    const char *domain, *name, *overload; /* together the key */
    const char **inputs, **outputs;
    size_t n_inputs, n_outputs;
    const char **attr_names; /* attributes without a default */
    size_t n_attr_names;
    onnx_attr *attrs; /* attributes with their defaults */
    size_t n_attrs;
    onnx_node *nodes;
    size_t n_nodes;
    onnx_opset *opsets;
    size_t n_opsets;
    onnx_value_info *value_infos;
    size_t n_value_infos;
    onnx_pair *metadata;
    size_t n_metadata;
    lm_slice doc;
} onnx_function;

typedef struct onnx_files onnx_files;

typedef struct onnx_model {
    int64_t ir_version, model_version;
    const char *producer_name, *producer_version, *domain;
    onnx_opset *opsets;
    size_t n_opsets;
    onnx_graph *graph;
    onnx_function *functions;
    size_t n_functions;
    onnx_pair *metadata;
    size_t n_metadata;
    lm_slice doc;

    /* What a model that was opened lives in; all 0 in a tree built by hand. */
    const char *path;  /* as it was given, for messages; "model" for bytes without a path */
    lm_arena arena;    /* the tree */
    lm_file file;      /* {0} when the bytes are the caller's */
    onnx_files *files; /* the folder of external data and what was opened there; locked inside */
} onnx_model;

/* {0} or NULL is the default. */
typedef struct onnx_open_options {
    /* External data may be reached through links when the file they lead to lies in this folder; NULL: no links. */
    const char *allow_links;
    /* onnx_model_parse only: what messages call the model, and the folder of its external data (NULL: none may be). */
    const char *name, *folder;
} onnx_open_options;

/* Maps and decodes a file of any size. The file must not change while the model is open. LM_INPUT also for a file that
 * is no ONNX model, has no graph, or (from IR version 3) names no opset for the default domain. The model may be read
 * by any number of threads. */
lm_status onnx_model_open(const char *path, const onnx_open_options *options, onnx_model **out);

/* The same over the caller's bytes, which outlive the model. */
lm_status onnx_model_parse(const void *bytes, size_t count, const onnx_open_options *options, onnx_model **out);

void onnx_model_close(onnx_model *model); /* NULL is fine */

/* Lists and options as the data files of the backend suite hold them. */
typedef struct onnx_sequence {
    const char *name;
    int32_t elem_type; /* 1 tensor, 2 sparse tensor, 3 sequence, 4 map, 5 optional */
    onnx_tensor *tensors;
    size_t n_tensors;
    struct onnx_sequence *sequences;
    size_t n_sequences;
    struct onnx_optional *optionals;
    size_t n_optionals;
    size_t n_maps; /* noticed, not decoded */
} onnx_sequence;

typedef struct onnx_optional {
    const char *name;
    int32_t elem_type;        /* as above; 0: holds nothing */
    onnx_tensor *tensor;      /* at most one of these is there */
    onnx_sequence *sequence;
    struct onnx_optional *optional;
} onnx_optional;

/* One bare message, as in a .pb file (which does not say which of them it is); `bytes` outlive the result, which lies
 * in `arena`. `name` stands in messages. */
lm_status onnx_tensor_parse(const void *bytes, size_t count, const char *name, lm_arena *arena, onnx_tensor **out);
lm_status onnx_sequence_parse(const void *bytes, size_t count, const char *name, lm_arena *arena, onnx_sequence **out);
lm_status onnx_optional_parse(const void *bytes, size_t count, const char *name, lm_arena *arena, onnx_optional **out);

#endif
