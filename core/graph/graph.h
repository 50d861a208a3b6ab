/* The static graph: values, and nodes that make values from values. A value is a number, so that passes may keep what
 * they know about values in arrays; values and nodes keep their addresses for as long as the graph lives.
 *
 * Nodes stand in topological order by construction: a node can only be added when its inputs exist. A pass that needs
 * another order builds another graph. Everything lies in the graph's arena; not thread-safe while it is being built,
 * and read-only from then on. */
#ifndef LM_GRAPH_GRAPH_H
#define LM_GRAPH_GRAPH_H

#include "core/base/arena.h"
#include "core/base/map.h"
#include "core/base/vec.h"
#include "core/device/backend.h"

typedef struct lm_graph lm_graph;
typedef struct lm_node lm_node;
typedef struct lm_use lm_use;

/* Number of a value. Value 0 exists in every graph and stands for an optional input that is left out. */
typedef int32_t lm_val;
enum { LM_NOVAL = 0 };

/* One consumer of a value, in the order in which the nodes were added. */
struct lm_use {
    const lm_node *node;
    int32_t input;
    lm_use *next;
};

typedef struct lm_value {
    lm_type type;
    const char *name;        /* as the model calls it; NULL for values that Limn made */
    const lm_node *producer; /* NULL: an input or a constant */
    const lm_view *constant; /* content on the host, any strides; its buffer is the graph's too. NULL: not constant */
    lm_use *use, **use_end;
    bool nonneg; /* no element can be below zero (NaN is allowed) */
    bool wall;   /* consumers stay consumers: movements of it are not joined with the one that made it */
} lm_value;

struct lm_node {
    lm_opid op;
    int32_t id; /* position in the graph */
    int32_t nx, ny; /* nx counts the operands of an epilogue, which come last */
    const lm_epilogue *ep; /* what follows a product on its way out; NULL: nothing */
    const lm_attrs *a; /* bytes past the op's own kind are zero, so equal attributes are equal bytes */
    const lm_val *x, *y;
    const char *name;  /* as the model calls it, or NULL */
    const char *scope; /* path of the module or composite that it came from, or NULL */
    /* The bodies of a control-flow node, owned by it. A body sees outer values only through the node's inputs. */
    lm_graph **body;
    int32_t nbody;
};

struct lm_graph {
    lm_arena arena;
    LM_VEC(lm_value *) values; /* by lm_val */
    LM_VEC(lm_node *) nodes;   /* topological order */
    LM_VEC(lm_val) inputs;
    LM_VEC(lm_val) outputs;
    lm_map shared; /* nodes and small constants that may be used again (fold.h): what they are to lm_val */
};

lm_status lm_graph_new(lm_graph **out);
void lm_graph_free(lm_graph *g); /* NULL is fine */

/* Texts are copied and may be NULL. */
lm_status lm_graph_input(lm_graph *g, const char *name, const lm_type *type, lm_val *out);

/* Takes a reference to the buffer of `content`, which must be on the host. */
lm_status lm_graph_constant(lm_graph *g, const char *name, const lm_view *content, lm_val *out);

lm_status lm_graph_output(lm_graph *g, lm_val v);

/* Call a value what the model calls it. */
lm_status lm_graph_name(lm_graph *g, lm_val v, const char *name);

/* Everything of a node but its result types; arrays, attributes and texts are copied. */
typedef struct lm_node_desc {
    lm_opid op;
    const lm_attrs *a; /* NULL: all zero */
    const lm_epilogue *ep; /* NULL: none */
    int nx, ny; /* ny: results wanted */
    const lm_val *x;
    const char *name, *scope;
} lm_node_desc;

/* Append a node whose results have the given types. Use emit.h, which infers them. */
lm_status lm_graph_node(lm_graph *g, const lm_node_desc *d, const lm_type *y, const lm_node **out);

/* Have a node give ny results, where it was to give fewer: those that nobody wanted so far. */
lm_status lm_graph_ask(lm_graph *g, const lm_node *n, int ny);

/* Bytes that the attributes of an op take. */
size_t lm_attr_size(lm_opid op);

/* Give a body to a control-flow node of `g`; on success the node owns it. */
lm_status lm_graph_body(lm_graph *g, const lm_node *n, lm_graph *body);

static inline lm_value *lm_graph_value(const lm_graph *g, lm_val v)
{
    return g->values.at[v];
}

/* infer.c: the result types of an op over values of `g`. Rules that need contents see those of constants. The message
 * names the op. */
lm_status lm_infer_node(const lm_graph *g, const lm_node_desc *d, lm_type *y);

/* Infer every type again, in order, after types of inputs changed. The message names the node. */
lm_status lm_graph_infer(lm_graph *g);

struct lm_str;

/* print.c: one line per input, constant, node and output; a body is indented under its node. */
lm_status lm_graph_print(const lm_graph *g, struct lm_str *out);

#endif
