/* A model as its file gives it, and the graph it becomes once its inputs are known.
 *
 * Building is partial evaluation. Every shape is a number by then, and the emitter computes whatever has only constant
 * operands, so Shape, Gather, Concat ... chains vanish while they are read. Where an operator needs a number that is
 * not constant yet (the target of a Reshape that comes in as an input, the condition of an If, the trip count of a
 * Loop), that one value is computed from the contents fed, and the inputs it hangs on become part of what the graph was
 * built for
 * (`by_value`). Branches are chosen, loops are unrolled and local functions are inlined on the way: graphs are flat. */
#ifndef LM_MODEL_MODEL_H
#define LM_MODEL_MODEL_H

#include "core/base/log.h"
#include "core/device/chain.h"
#include "core/graph/graph.h"
#include "core/model/proto.h"

typedef struct lm_model lm_model;

/* An input or output as the model declares it. */
typedef struct lm_port {
    const char *name;
    lm_dtype dt;
    int rank;                    /* -1: not declared */
    int64_t dim[LM_RANK];        /* -1: free */
    const char *param[LM_RANK];  /* the free size's name, or NULL; equal names mean equal sizes */
    const onnx_value_info *info; /* what the file says; for types that are no tensors dt means nothing */
    bool optional;               /* an initialiser stands behind it: feeding it is allowed, not needed */
} lm_port;

/* Map and check the file. Immutable from then on and shared by threads and sessions. */
lm_status lm_model_open(const char *path, const onnx_open_options *options, lm_model **out);
lm_status lm_model_open_bytes(const void *bytes, size_t count, const onnx_open_options *options, lm_model **out);
void lm_model_close(lm_model *m); /* NULL is fine; no built graph of it may be in use */

const onnx_model *lm_model_onnx(const lm_model *m);

/* Inputs: those that must be fed first, in the file's order, then those with an initialiser behind them. */
const lm_port *lm_model_inputs(const lm_model *m, int *n);
const lm_port *lm_model_outputs(const lm_model *m, int *n);

/* LM_UNSUPPORTED, which names the type, unless it is a tensor of a type that Limn has. */
lm_status lm_port_known(const lm_port *p);

/* What is fed: type, and content on the host where it is known (buf NULL: only type and shape). Absent (rank
 * LM_ABSENT): not fed. One per input of lm_model_inputs. */
typedef lm_view lm_feed;

/* One operator of the file as it was met on the way, inner graphs and functions included, in order of execution. */
typedef struct lm_layer {
    const onnx_node *node;
    const char *path; /* scopes around it (function calls, If / Loop nodes with the round's number), "" at the top */
    const lm_val *y;  /* its results in the graph; LM_NOVAL for those left out */
    int ny;
} lm_layer;

/* What a person should be told about an operator: a warning where results differ from what the file asks for. */
typedef struct lm_note {
    lm_log_level level;
    char *text;
} lm_note;

typedef struct lm_built {
    lm_graph *graph;  /* its inputs: the ports fed, in their order; its outputs: the model's */
    LM_VEC(int) fed;  /* by graph input: which port */
    lm_map values;    /* ONNX name of a value at the top level to lm_val; path + "/" + name for inner ones */
    LM_VEC(lm_layer) layers;
    LM_VEC(lm_val) weights; /* initialisers that were used */
    uint64_t by_value; /* bit i: the content of port i decided something (bit 63 stands for all from 63 on) */
    LM_VEC(lm_note) notes;
} lm_built;

/* Log this, unless it was told of this model before: it is built for every shape it meets. */
lm_status lm_model_tell(lm_model *m, lm_log_level level, const char *text);

/* Build for these feeds, and log what the model's earlier builds did not note. `fold`: computes constants. The messages
 * of failures name node and operator. LM_INPUT: a feed does not fit the model, or a content that decides something was
 * not given. LM_UNSUPPORTED names op, domain, version. */
lm_status lm_model_build(lm_model *m, const lm_chain *fold, const lm_feed *feed, lm_built **out);
void lm_built_free(lm_built *b); /* NULL is fine */

/* An operator that cannot be built, and why. */
typedef struct lm_fault {
    const onnx_node *node; /* of the model */
    const char *reason;
    uint64_t by_value; /* as in lm_built: contents that had decided something on which it hangs */
} lm_fault;

/* Try to build, and go on behind whatever fails, to find all operators that do. A status other than LM_OK is about more
 * than an operator. The survey is the caller's; faults live as long as it. */
typedef struct lm_survey lm_survey;
lm_status lm_survey_open(lm_survey **out);
lm_status lm_model_survey(lm_model *m, const lm_chain *fold, const lm_feed *feed, lm_survey *s);
const lm_fault *lm_survey_faults(const lm_survey *s, size_t *n);
void lm_survey_close(lm_survey *s); /* NULL is fine */

#endif
