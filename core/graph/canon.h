/* The rules of the canon pass, one file per family of patterns. Each looks at the last node of its pattern. */
#ifndef LM_GRAPH_CANON_H
#define LM_GRAPH_CANON_H

#include "core/graph/canon_match.h"

bool lm_canon_gelu(lm_rewrite *r, const lm_node *n);       /* erf and tanh forms */
bool lm_canon_gate(lm_rewrite *r, const lm_node *n);       /* x times a function of x: Swish, HardSwish, Mish */
bool lm_canon_layernorm(lm_rewrite *r, const lm_node *n);  /* with or without scale and bias */
bool lm_canon_rmsnorm(lm_rewrite *r, const lm_node *n);    /* with or without scale */
bool lm_canon_attention(lm_rewrite *r, const lm_node *n);  /* scores, masks, softmax, values */

/* A constant added behind a product with constant weights that has no bias yet and no other consumer. */
bool lm_canon_bias(lm_rewrite *r, const lm_node *n);

/* A batch norm with constant parameters becomes part of the product before it (lower_weights.c) or behind it, where
 * nobody else looks at what lies between and the product's weights are constant. */
bool lm_canon_norm_behind(lm_rewrite *r, const lm_node *n);
bool lm_canon_norm_to_unit(lm_rewrite *r, const lm_node *n); /* LM_CANON_UNIT */
bool lm_canon_norm_before(lm_rewrite *r, const lm_node *n);

/* y = gain x + shift, by channel: what a batch norm's parameters x[1 ... 4] amount to. */
void lm_norm_factors(lm_emit *e, const lm_val x[5], double epsilon, lm_val *gain, lm_val *shift);

#endif
