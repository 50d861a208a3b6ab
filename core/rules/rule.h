/* Rules: how a signal at a node's result becomes signals for its operands. A walk (lm_backward) sends signals from some
 * values of a graph back to others and emits ordinary nodes into the same graph; only the local rule differs between
 * gradients, guided gradients and relevance. Second derivatives are a second walk over what the first one emitted.
 *
 * Rules run on a graph before it is lowered: no node has an epilogue. */
#ifndef LM_RULES_RULE_H
#define LM_RULES_RULE_H

#include "core/graph/emit.h"

/* Over what the mean is taken that DeepLIFT's softmax multipliers are freed of. */
typedef enum lm_mean { LM_MEAN_AXIS, LM_MEAN_WHOLE, LM_MEAN_NONE } lm_mean;

/* Numbers and conventions that rules of several sets take: options.def. */
typedef struct lm_rule_options {
#define LM_RULE_OPTION(type, name, what) type name;
#include "core/rules/options.def"
#undef LM_RULE_OPTION
    lm_val low, high; /* for the box rule: bounds of the input that broadcast to it, or LM_NOVAL */
} lm_rule_options;

#define LM_RULE_OPTIONS_DEFAULT                                                                                        \
    ((lm_rule_options){.eps = 1e-6, .stab = 1e-6, .gamma = 0.25, .alpha = 2, .beta = 1, .smooth = 10, .still = 1e-6})

/* What a walk did at one node: sums of signals, each a value of shape [wide]. In sets with a reference run signals are
 * multipliers, and what is summed is their products with changes. */
typedef struct lm_trace_row {
    const lm_node *node;
    lm_val in;         /* the signal that came to its results */
    lm_val out;        /* the signals that it sent to its operands */
    lm_val bias;       /* of what it kept: the share of biases and other constants; LM_NOVAL: none */
    lm_val stabiliser; /* and that of the stabiliser; LM_NOVAL: none */
} lm_trace_row;
typedef LM_VEC(lm_trace_row) lm_trace;

/* The change of a value from the reference run in two parts. */
typedef struct lm_parts {
    lm_val pos, neg;
} lm_parts;

/* What a rule sees of one node, and where it leaves its answer. Only the first result of a node carries a signal here;
 * composites with several results are expanded.
 *
 * In a wide walk all that depends on wrt comes in `wide` copies: along axis 0, or, where an op would mix those, along an
 * axis of its own in front, which the attributes then count too (wide.h). Rules need not care. */
typedef struct lm_rx {
    lm_emit *e;
    const lm_node *n; /* its x and y are not those of a wide walk */
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
    /* sets with two signals: `s` and `out` belong to the positive parts of changes, these to the negative ones */
    lm_val s2;
    lm_val *out2;
    const lm_parts *dx;
    lm_parts dy;
    int64_t wide;      /* 1: an ordinary walk */
    lm_trace_row *row; /* not NULL: rules that keep something say what (lm_trace_keep) */
} lm_rx;

typedef void (*lm_rule_fn)(const lm_rx *r); /* failures go to r->e */

/* The rows of a set are looked at in the order of this list, so the most specific match wins whatever their order. */
typedef enum lm_match {
    LM_MATCH_NAME,  /* the node's name or its scope */
    LM_MATCH_FIRST, /* a convolution or matrix product that no other one stands before */
    LM_MATCH_OP,
    LM_MATCH_GROUP, /* linear nodes: convolutions, or matrix products */
    LM_MATCH_CLASS,
    LM_MATCH_ANY,
    LM_MATCHES
} lm_match;

enum { LM_GROUP_CONV, LM_GROUP_DENSE };

/* Numbers of a row's own, which go before those of the walk; LM_OWN_* say which it has. eps: of whatever quotients its
 * rule has. Bounds come both or not at all. */
typedef struct lm_row_numbers {
    uint32_t has;
    double eps, gamma, alpha, beta, low, high;
} lm_row_numbers;

enum {
    LM_OWN_EPS = 1,
    LM_OWN_GAMMA = 2,
    LM_OWN_ALPHA = 4,
    LM_OWN_BETA = 8,
    LM_OWN_LOW = 16,
    LM_OWN_HIGH = 32,
    LM_OWN_BOUNDS = LM_OWN_LOW | LM_OWN_HIGH
};

typedef struct lm_row {
    lm_match match;
    int key;          /* lm_opid, LM_GROUP_* or lm_class */
    const char *name; /* for LM_MATCH_NAME */
    lm_rule_fn rule;
    const void *cfg;  /* handed to the rule */
    const lm_row_numbers *own; /* NULL: none */
    /* in sets with two signals: the change of the result in parts, from those of the operands (r->s and r->out are not
     * there yet). A row without this function has a rule for one signal, and parts go by the sign of the change */
    lm_parts (*parts)(const lm_rx *r);
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
    uint8_t nsig;   /* signals per value: 0 and 1 mean one; 2: one for each sign of change, with n_ref */
    uint32_t canon; /* LM_CANON_*: what the graph should have been through before (graph/passes.h) */
    double eps; /* stabiliser of all its quotients unless another is asked for (lm_set_options); 0: as options have it */
} lm_ruleset;

/* Every op's vector-Jacobian product, for any set's rows. */
void lm_rule_grad(const lm_rx *r);

/* For rows of composites: go inside, with another set (cfg: const lm_ruleset *). */
void lm_rule_inside(const lm_rx *r);

extern const lm_ruleset lm_set_grad;

/* What the graph should have been through before a walk with this set and these options (NULL: the usual ones). */
static inline uint32_t lm_set_canon(const lm_ruleset *set, const lm_rule_options *o)
{
    return o ? (set->canon | o->canon_also) & ~o->canon_not : set->canon;
}

/* Options with the set's own stabiliser: what to begin with before those who ask are heard. */
static inline lm_rule_options lm_set_options(const lm_ruleset *set, lm_rule_options o)
{
    if (set->eps > 0)
        o.eps = o.stab = set->eps;
    return o;
}

typedef struct lm_backward {
    const lm_ruleset *set;
    int ntarget;
    const lm_val *target; /* where signals start */
    const lm_val *seed;   /* one per target, of its type and shape; NULL, or LM_NOVAL as an entry: ones */
    int nwrt;
    const lm_val *wrt; /* where they are wanted: floats; inputs, constants or results of nodes */
    lm_val *signal;    /* filled in: one per wrt. All zeros where nothing comes through */
    const lm_rule_options *options; /* NULL: LM_RULE_OPTIONS_DEFAULT with the set's stabiliser */
    bool leaves;       /* signals end at wrt: they are not sent on from one of them to another */
    const lm_val *baseline; /* for sets with n_ref: one per wrt, its value in the reference run, which the walk emits */
    int64_t wide;    /* several targets in one walk: seeds and signals hold `wide` blocks along axis 0, each of the size of
                      * the forward value's axis 0 (of a single number: [wide]); 0: one. LM_UNSUPPORTED, naming the
                      * node, where an op cannot tell blocks apart: walk one by one then */
    lm_trace *trace; /* not NULL: gets a row per node of a relevance set that signals went through, the target's first;
                      * nodes made here for composites among them */
} lm_backward;

/* Emit the walk. What lies on no way from wrt to target is not looked at. Contributions to a value are added in the
 * order of its consumers. Ops without a rule are an error that names op and set, and so is an op without a derivative
 * that no way avoids. On failure e->status says so too; what was emitted until then stays in the graph. */
lm_status lm_backward_emit(lm_emit *e, const lm_backward *b);

#endif
