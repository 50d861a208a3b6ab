/* Models made by calls, to be written as files:
 *
 *     onnx_build b = {0};
 *     onnx_build_start(&b, 17);
 *     onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){1, 3});
 *     onnx_build_attr_int(&b, onnx_build_node(&b, "Softmax", "x", "y"), "axis", -1);
 *     onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 3});
 *     status = onnx_build_end(&b, &text);
 *
 * Names and contents are copied, so the arguments may go. The first failure sticks: everything after it does nothing,
 * and the end returns it. What a function answers is borrowed until the next addition to the same list, and never NULL:
 * after a failure it is something that nobody reads. */
#ifndef LM_MODEL_ONNX_BUILD_H
#define LM_MODEL_ONNX_BUILD_H

#include "core/base/str.h"
#include "core/model/proto.h"
#include "core/tensor/tensor.h"

typedef struct onnx_build {
    lm_arena arena;
    onnx_model model;
    onnx_graph *graph; /* what is added to: the model's own at first; set it to fill a body or to come back */
    lm_status status;  /* the first failure */
    onnx_node spare_node;
    onnx_attr spare_attr;
    onnx_tensor spare_tensor;
    onnx_value_info spare_info;
    onnx_graph spare_graph;
    onnx_function spare_function;
} onnx_build;

void onnx_build_start(onnx_build *b, int64_t opset); /* IR version 8 */
lm_status onnx_build_end(onnx_build *b, lm_str *out); /* append the bytes; frees what was built in any case */
void onnx_build_free(onnx_build *b);                  /* instead of the end */

void onnx_build_opset(onnx_build *b, const char *domain, int64_t version);

/* An empty graph for a body. */
onnx_graph *onnx_build_graph(onnx_build *b, const char *name);

/* An empty function with an opset of its own; names are separated by blanks. Its nodes come from onnx_build_body. */
onnx_function *onnx_build_function(onnx_build *b, const char *domain, const char *name, const char *inputs,
                                   const char *outputs, const char *attr_names, int64_t opset);
onnx_node *onnx_build_body(onnx_build *b, onnx_function *function, const char *op_type, const char *inputs,
                           const char *outputs);

/* Names are separated by blanks; "-" is one that is left out. Set node->domain, node->name where needed. */
onnx_node *onnx_build_node(onnx_build *b, const char *op_type, const char *inputs, const char *outputs);

/* An attribute without a value yet; the others give it one. Each is the last of its node's. */
onnx_attr *onnx_build_attr(onnx_build *b, onnx_node *node, const char *name, onnx_attr_type type);
void onnx_build_attr_int(onnx_build *b, onnx_node *node, const char *name, int64_t value);
void onnx_build_attr_float(onnx_build *b, onnx_node *node, const char *name, float value);
void onnx_build_attr_text(onnx_build *b, onnx_node *node, const char *name, const char *value);
void onnx_build_attr_ints(onnx_build *b, onnx_node *node, const char *name, size_t count, const int64_t *value);
void onnx_build_attr_floats(onnx_build *b, onnx_node *node, const char *name, size_t count, const float *value);
void onnx_build_attr_texts(onnx_build *b, onnx_node *node, const char *name, const char *words); /* blanks between */
void onnx_build_attr_tensor(onnx_build *b, onnx_node *node, const char *name, const lm_view *value);
void onnx_build_attr_graph(onnx_build *b, onnx_node *node, const char *name, const onnx_graph *body);
/* Inside a function: what the caller gives as `attr`. */
void onnx_build_attr_ref(onnx_build *b, onnx_node *node, const char *name, const char *attr, onnx_attr_type type);

/* Sizes of -1 are left open. rank -1: without a shape. */
onnx_value_info *onnx_build_input(onnx_build *b, const char *name, lm_dtype dt, int rank, const int64_t *dim);
onnx_value_info *onnx_build_output(onnx_build *b, const char *name, lm_dtype dt, int rank, const int64_t *dim);

/* Initialisers: from a host view of any strides, or from as many numbers as the sizes make. */
onnx_tensor *onnx_build_const(onnx_build *b, const char *name, const lm_view *value);
onnx_tensor *onnx_build_floats(onnx_build *b, const char *name, int rank, const int64_t *dim, const float *value);
onnx_tensor *onnx_build_ints(onnx_build *b, const char *name, int rank, const int64_t *dim, const int64_t *value);

#endif
