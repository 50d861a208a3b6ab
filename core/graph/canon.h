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

#endif
