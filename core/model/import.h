/* What an importer of ONNX operators sees: one node, its operands as values of the graph under construction, its
 * attributes by name, and an emitter. An importer reads as straight-line arithmetic: it asks, emits, and sets im->y;
 * the first failure sticks and everything after it is a no-op (emit.h).
 *
 * An importer belongs to a row of onnx_map.def: (domain, name, since which version, function, op). The row with the
 * greatest version not above the model's applies, so older semantics are rows of their own and never an `if` in the
 * newer one unless the difference is a default. */
#ifndef LM_MODEL_IMPORT_H
#define LM_MODEL_IMPORT_H

#include "core/base/log.h"
#include "core/graph/emit.h"
#include "core/model/proto.h"

typedef struct lm_import {
    lm_emit e;
    const onnx_node *node;
    int64_t version; /* of the operator set the node belongs to */
    lm_opid op;      /* the row's op, where one function serves several */
    int nx, ny;      /* operands and results as the node writes them, left-out ones included */
    const lm_val *x;
    lm_val *y; /* to be filled; y[i] that the node leaves out (lm_wants) may stay LM_NOVAL */
    struct lm_builder *builder;
} lm_import;

typedef void (*lm_import_fn)(lm_import *im);

/* One row of onnx_map.def. */
typedef struct lm_onnx_row {
    const char *domain, *name; /* domain "" is ai.onnx */
    int since;
    lm_import_fn fn;
    lm_opid op; /* LM_OPS: none */
} lm_onnx_row;

/* The row for an operator; NULL when there is none for that version or older. */
const lm_onnx_row *lm_onnx_find(const char *domain, const char *name, int64_t version);
const lm_onnx_row *lm_onnx_rows(int *n);

/* Operand i, LM_NOVAL when left out or past the end; whether result i is wanted. */
lm_val lm_in(const lm_import *im, int i);
bool lm_wants(const lm_import *im, int i);
const lm_type *lm_in_type(const lm_import *im, int i); /* rank LM_ABSENT when left out */
const lm_shape *lm_in_shape(const lm_import *im, int i);

/* The content of operand i, which is computed from the feeds if it is no constant; NULL when left out or after a
 * failure. Borrowed from the build. */
const lm_view *lm_in_value(lm_import *im, int i);

/* Operand i as a constant, computed from the feeds if need be: for operators whose result's shape hangs on contents
 * (NonZero, Range). */
lm_val lm_in_constant(lm_import *im, int i);

/* Operand i as whole numbers (rank 0 or 1); *n = -1 when left out. False after a failure, also when there are more
 * than `cap`. */
bool lm_in_ints(lm_import *im, int i, int64_t *out, int cap, int *n);
int64_t lm_in_int(lm_import *im, int i, int64_t otherwise);  /* one element */
double lm_in_number(lm_import *im, int i, double otherwise); /* one element of any number type */

/* Attributes; NULL when absent. References to a function's attributes are resolved. */
const onnx_attr *lm_attr(const lm_import *im, const char *name);

/* Their values. A wrong type is LM_INPUT, which sticks, and the default is answered. Lists: *n = -1 when absent. */
int64_t lm_attr_int(lm_import *im, const char *name, int64_t otherwise);
double lm_attr_float(lm_import *im, const char *name, double otherwise);
const char *lm_attr_text(lm_import *im, const char *name, const char *otherwise);
bool lm_attr_ints(lm_import *im, const char *name, int64_t *out, int cap, int *n);
const int64_t *lm_attr_int_list(lm_import *im, const char *name, int *n);
const float *lm_attr_float_list(lm_import *im, const char *name, int *n);
lm_val lm_attr_tensor(lm_import *im, const char *name); /* a constant; LM_NOVAL when absent */

/* Which of the words (a NULL-ended list) a text attribute is; another word is LM_UNSUPPORTED, naming those that
 * exist. */
int lm_attr_choice(lm_import *im, const char *name, int otherwise, const char *const *words);

/* The element type of an attribute such as Cast's `to`; LM_UNSUPPORTED for types Limn has not. */
lm_dtype lm_attr_type(lm_import *im, const char *name, lm_dtype otherwise);

/* An axis that may be negative, checked against `rank`. */
int lm_axis_of(lm_import *im, int64_t axis, int rank);

/* A constant with this content; the caller's reference to its buffer passes on, also on failure. */
lm_val lm_constant(lm_import *im, lm_view content);
lm_val lm_constant_ints(lm_import *im, const int64_t *at, int n); /* int64 vector */

/* Say something that the user should know, a warning when it changes results; once per text. */
void lm_import_note(lm_import *im, lm_log_level level, const char *format, ...) LM_PRINTF(3, 4);

/* A failure of this node. The caller of the importer adds the node's name and operator. */
void lm_import_fail(lm_import *im, lm_status status, const char *format, ...) LM_PRINTF(3, 4);

/* Emit the body of an If, Loop or Scan in place: `args` are bound to the body's inputs, its outputs come back in y.
 * `round`: number of the iteration, for the path; -1: none. */
void lm_inline_body(lm_import *im, const onnx_graph *body, int64_t round, int nargs, const lm_val *args, int ny,
                    lm_val *y);

/* One prototype per importer of the table. */
#define LM_ONNX(domain, name, since, fn, op) void lm_import_##fn(lm_import *im);
#include "core/model/onnx_map.def"
#undef LM_ONNX

#endif
