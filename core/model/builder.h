/* The inside of building a graph from a model: the scopes of names, and what was computed ahead. */
#ifndef LM_MODEL_BUILDER_H
#define LM_MODEL_BUILDER_H

#include <pthread.h>

#include "core/base/str.h"
#include "core/model/import.h"
#include "core/model/model.h"

struct lm_model {
    onnx_model *onnx;
    lm_arena arena;
    lm_port *inputs, *outputs;
    int n_inputs, n_outputs;
    lm_map functions;     /* by lm_function_key, to const onnx_function * */
    pthread_mutex_t lock; /* guards what follows, and `arena` once the model is open */
    lm_map tensors;       /* onnx_tensor * to lm_view *: one buffer per tensor, so that packed forms are shared */
    lm_map told;          /* texts that lm_model_tell has logged */
    lm_map orders;        /* onnx_node * (the first of a list) to int *: the order in which the list can run */
};

/* Operators met in all, calls and rounds of loops counted each time. */
enum { LM_MET_MAX = 100000 };

/* The key of a function of the file. */
lm_status lm_function_key(const char *domain, const char *name, const char *overload, lm_str *key);

/* Where a name is looked up: one per graph being read. */
typedef struct lm_scope {
    struct lm_scope *outer;    /* names of the graph around a body; NULL for the model's graph and for functions */
    struct lm_scope *caller;   /* the scope that this one was entered from */
    lm_map names;              /* ONNX name to lm_val */
    lm_map pending; /* name to number of an initialiser of `graph` that nobody has asked for yet; sparse ones: ~ */
    const onnx_graph *graph;   /* whose initialisers can be named; NULL in functions */
    const onnx_function *function;
    const onnx_node *call;     /* of `function`: references to attributes are resolved there */
    const onnx_opset *opsets;
    size_t n_opsets;
    const char *path;
    int depth;
} lm_scope;

typedef struct lm_builder {
    lm_model *m;
    const lm_chain *fold;
    const lm_feed *feed;
    lm_built *b;
    lm_scope *scope;
    struct lm_survey *survey; /* NULL: the first failure ends the build */
    bool decided; /* the operator being met, or one around it, asked for a content that is not constant */
    size_t met; /* operators met so far, against bombs of calls within calls */
    /* What was computed ahead: a graph of constants, and where each value of the built graph is in it. */
    lm_graph *ahead;
    LM_VEC(lm_val) ahead_of; /* by value of the built graph; LM_NOVAL: not there */
} lm_builder;

/* model.c: the content of a tensor of the file, made once for all builds. Borrowed from the model. */
lm_status lm_model_tensor(lm_model *m, const onnx_tensor *t, lm_view *out);

/* order.c: an order in which the nodes can run, NULL when the file's is one already. Borrowed from the model. */
lm_status lm_model_order(lm_model *m, const onnx_node *nodes, size_t n, const int **out);

/* build.c: the value called `name` in the innermost scope that has it; initialisers become constants on their first
 * use. LM_INPUT when nothing makes it. */
lm_status lm_build_lookup(lm_builder *b, const char *name, lm_val *out);

/* build.c: the initialiser called `name` if it is a list of texts; NULL when it is anything else. */
const onnx_tensor *lm_build_texts(const lm_builder *b, const char *name);

/* Enter a scope, bind names in it (a name twice is LM_INPUT), read operators, leave. */
lm_status lm_build_enter(lm_builder *b, lm_scope *s);
void lm_build_leave(lm_builder *b);
lm_status lm_build_bind(lm_builder *b, const char *name, lm_val v);
lm_status lm_build_nodes(lm_builder *b, const onnx_node *nodes, size_t n);

/* survey.c: behind an operator that was met with `status`: a failure is noted, and values that it leaves unmade are
 * made up. */
lm_status lm_survey_node(lm_builder *b, const onnx_node *n, lm_status status);

/* build_ahead.c: the content of a value, computed from the feeds unless it is constant. Borrowed from the build. */
lm_status lm_build_content(lm_builder *b, lm_val v, const lm_view **out);

#endif
