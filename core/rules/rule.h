/* Rules: how a signal at a node's result becomes signals for its operands. A walk (lm_backward) sends signals from some
 * values of a graph back to others and emits ordinary nodes into the same graph; only the local rule differs between
 * gradients, guided gradients and relevance. Second derivatives are a second walk over what the first one emitted.
 *
 * Rules run on a graph before it is lowered: no node has an epilogue. */
#ifndef LM_RULES_RULE_H
#define LM_RULES_RULE_H

#include "core/graph/emit.h"

/* Numbers that rules of several sets take. */
typedef struct lm_rule_options {
    double eps;         /* stabiliser of the epsilon rule */
    double gamma;
    double alpha, beta; /* alpha - beta = 1 */
    double smooth;      /* steepness of the smooth rectifier */
    bool relu6;         /* guided and deconv treat Clip(0, .) as they do Relu */
    lm_val low, high;   /* for the box rule: bounds of the input that broadcast to it, or LM_NOVAL */
} lm_rule_options;

#define LM_RULE_OPTIONS_DEFAULT                                                                                        \
    ((lm_rule_options){.eps = 1e-6, .gamma = 0.25, .alpha = 2, .beta = 1, .smooth = 10})

/* What a rule sees of one node, and where it leaves its answer. Only the first result of a node carries a signal here;
 * composites with several results are expanded. */
typedef struct lm_rx {
    lm_emit *e;
    const lm_node *n;
    const lm_val *x;  /* operands, n->nx */
    lm_val y;         /* first result */
    const lm_val *x0; /* operands and result in the reference run; NULL and LM_NOVAL where the set has none */
    lm_val y0;
    lm_val s;         /* signal at y, of y's type and shape */
    const bool *want; /* by operand: does anybody wait for its signal? Others need no answer */
    lm_val *out;      /* signals for the operands, LM_NOVAL for none. One that is larger than the operand because that was
                       * broadcast is summed down by the walk, which casts too */
    const void *cfg;  /* from the row */
    const lm_rule_options *options;
} lm_rx;

typedef void (*lm_rule_fn)(const lm_rx *r); /* failures go to r->e */

/* The rows of a set are looked at in the order of this list, so the most specific match wins whatever their order. */
typedef enum lm_match {
    LM_MATCH_NAME,  /* the node's name or its scope */
    LM_MATCH_FIRST, /* a convolution or matrix product that no other one stands before */
    LM_MATCH_OP,
    LM_MATCH_GROUP, /* linear nodes: convolutions, or matrix products */
    LM_MATCH_CLASS,
    LM_MATCHES
} lm_match;

enum { LM_GROUP_CONV, LM_GROUP_DENSE };

typedef struct lm_row {
    lm_match match;
    int key;          /* lm_opid, LM_GROUP_* or lm_class */
    const char *name; /* for LM_MATCH_NAME */
    lm_rule_fn rule;
    const void *cfg; /* handed to the rule */
} lm_row;

/* What happens to an op that no row of the set and its bases matches, after composites have been expanded. */
typedef enum lm_default { LM_DEFAULT_GRAD, LM_DEFAULT_REFUSE } lm_default;

typedef struct lm_ruleset {
    const char *name;
    const struct lm_ruleset *base; /* asked after the own rows; NULL: none */
    const lm_row *rows;
    int nrows;
    lm_default deflt;
    bool n_ref; /* rules look at a reference run: the walk needs lm_backward.baseline */
} lm_ruleset;

/* Every op's vector-Jacobian product, for any set's rows. */
void lm_rule_grad(const lm_rx *r);

extern const lm_ruleset lm_set_grad;

typedef struct lm_backward {
    const lm_ruleset *set;
    int ntarget;
    const lm_val *target; /* where signals start */
    const lm_val *seed;   /* one per target, of its type and shape; NULL, or LM_NOVAL as an entry: ones */
    int nwrt;
    const lm_val *wrt; /* where they are wanted: floats; inputs, constants or results of nodes */
    lm_val *signal;    /* filled in: one per wrt. All zeros where nothing comes through */
    const lm_rule_options *options; /* NULL: LM_RULE_OPTIONS_DEFAULT */
    bool leaves;       /* signals end at wrt: they are not sent on from one of them to another */
    const lm_val *baseline; /* for sets with n_ref: one per wrt, its value in the reference run, which the walk emits */
} lm_backward;

/* Emit the walk. What lies on no way from wrt to target is not looked at. Contributions to a value are added in the
 * order of its consumers. Ops without a rule are an error that names op and set, and so is an op without a derivative
 * that no way avoids. On failure e->status says so too; what was emitted until then stays in the graph. */
lm_status lm_backward_emit(lm_emit *e, const lm_backward *b);

#endif
