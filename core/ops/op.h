/* Ops: ids, the facts of their table rows, and the rules that give a result's type and shape. */
#ifndef LM_OPS_OP_H
#define LM_OPS_OP_H

#include "core/ops/attrs.h"
#include "core/tensor/tensor.h"

typedef enum lm_opid {
#define LM_OP(id, ...) LM_OP_##id,
#include "core/ops/ops.def"
#undef LM_OP
    LM_OPS
} lm_opid;

/* How attribution treats an op. A new op works under every rule set that has a row for its class. */
#define LM_CLASSES(X)                                                                                                  \
    X(LINEAR) X(BILINEAR) X(ADD) X(ACT) X(SELECT) X(NORM) X(SOFTMAX) X(MOVE) X(REDUCE) X(REGION) X(LOSS) X(UPDATE)     \
    X(OTHER)
typedef enum lm_class {
#define X(name) LM_CLASS_##name,
    LM_CLASSES(X)
#undef X
} lm_class;

typedef enum lm_reach {
    LM_REACH_SAME,
    LM_REACH_WINDOW,
    LM_REACH_LAST,
    LM_REACH_AXIS,
    LM_REACH_MOVE,
    LM_REACH_ALL
} lm_reach;

typedef enum lm_gradstate { LM_GRAD_SMOOTH, LM_GRAD_PIECE, LM_GRAD_ZERO, LM_GRAD_OPAQUE } lm_gradstate;

enum {
    LM_FLAG_INPLACE = 1,  /* y may be x[0]'s memory */
    LM_FLAG_GRADY = 2,    /* the derivative is written in terms of y */
    LM_FLAG_EPILOGUE = 4, /* may carry an lm_epilogue */
    LM_FLAG_COMMUTES = 8  /* two operands may swap */
};

enum { LM_MANY = 255, LM_OUT_MAX = 4 };

/* A tensor's type and shape. */
typedef struct lm_type {
    lm_dtype dt;
    lm_shape sh;
} lm_type;

/* What a shape rule may look at. `value[i]`, where value itself and the entry are not NULL, is input i's content on
 * the host: rules whose result depends on values (NonZero, Range) need it and answer LM_UNSUPPORTED without. Absent
 * optional inputs have rank LM_ABSENT. */
typedef struct lm_shape_args {
    lm_opid op;
    const lm_attrs *a;
    int nx, ny; /* ny: results asked for; the rule fills y[0..ny) */
    const lm_type *x;
    const lm_view *const *value;
} lm_shape_args;

typedef lm_status (*lm_shape_rule)(const lm_shape_args *args, lm_type *y);

typedef struct lm_op_info {
    const char *id;   /* "CONV" */
    const char *name; /* "Conv" */
    lm_class cls;
    uint8_t min_in, max_in, max_out;
    lm_attr_kind attrs;
    bool composite;
    lm_reach reach;
    lm_gradstate grad;
    uint32_t flags;
    lm_shape_rule shape;
} lm_op_info;

extern const lm_op_info lm_ops[LM_OPS];

const char *lm_class_name(lm_class c);
const char *lm_gradstate_name(lm_gradstate g);

/* The op with this name ("Conv", or the id "CONV" without regard to case); false when none. */
bool lm_op_find(const char *name, lm_opid *out);

/* The attributes of one step of a fused op. */
void lm_fused_attrs(const lm_fused_step *step, lm_attrs *out);

/* Check the number of inputs and outputs, then apply the row's shape rule. Messages begin with the op's name. */
lm_status lm_op_infer(const lm_shape_args *args, lm_type *y);

/* True when the family is elementwise with one operand and may stand in an epilogue's activation. */
bool lm_op_is_unary(lm_opid op);

#endif
