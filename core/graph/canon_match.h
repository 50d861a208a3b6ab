/* Looking back from a value for the ops that made it. Matchers read the old graph of a rewrite; each answers "no" by
 * NULL or false, so that a pattern is one chain of them. */
#ifndef LM_GRAPH_CANON_MATCH_H
#define LM_GRAPH_CANON_MATCH_H

#include "core/graph/rewrite.h"

/* The node of this op whose first result is `v`. */
const lm_node *lm_made_by(const lm_graph *g, lm_val v, lm_opid op);

/* The operand of the one-operand node of this op that makes `v`, or LM_NOVAL. */
lm_val lm_under(const lm_graph *g, lm_val v, lm_opid op);

/* A constant of one element. */
bool lm_is_number(const lm_graph *g, lm_val v, double *number);

/* Equal up to how the model's type rounds. */
bool lm_is_about(const lm_graph *g, lm_val like, double number, double wanted);

/* v = x op number, in either order where op commutes. */
bool lm_with_number(const lm_graph *g, lm_val v, lm_opid op, lm_val *x, double *number);

/* v as a product: scalar factors, which Div and Neg have too, in `number`, the others in at[0..n). Products that
 * somebody else uses as well are factors, not taken apart. False for more than LM_FACTORS of them. */
enum { LM_FACTORS = 6 };
typedef struct lm_factors {
    double number;
    int n, depth; /* depth: values looked into so far, which is bounded too */
    lm_val at[LM_FACTORS];
} lm_factors;
bool lm_factors_of(const lm_graph *g, lm_val v, lm_factors *out);

/* The factor beside `v`; LM_NOVAL when there are not two, one of them `v`. */
lm_val lm_other_factor(const lm_factors *f, lm_val v);

/* v = x * x, or x to the power of 2. */
bool lm_is_square(const lm_graph *g, lm_val v, lm_val *x);

/* The product (matrix product or convolution) that makes v's counterpart in the new graph, where n is v's only consumer
 * and nothing follows the product on its way out yet. */
const lm_node *lm_product_before(const lm_rewrite *r, lm_val v, const lm_node *n);

/* The constant of the new graph behind v that holds one number per output channel of the product, and 1 along every
 * other axis, as a vector; LM_NOVAL when v is none. It may be emitted, so ask last. */
lm_val lm_channel_vector(lm_rewrite *r, lm_val v, const lm_node *product);

#endif
