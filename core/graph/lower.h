/* The rules of the lower pass. They look at what the new graph has made of a node's operands, so that one rule goes on
 * where another stopped: convolution, batch norm, residual and activation become one node within one pass. */
#ifndef LM_GRAPH_LOWER_H
#define LM_GRAPH_LOWER_H

#include "core/graph/canon.h"

/* lower_weights.c: into constant weights; results differ within 1e-5 of their largest magnitude. */
bool lm_lower_batchnorm(lm_rewrite *r, const lm_node *n);
bool lm_lower_scale(lm_rewrite *r, const lm_node *n); /* a number, or one per channel, multiplied to a product */
bool lm_lower_shift(lm_rewrite *r, const lm_node *n); /* one number per channel added to a product with a bias */

bool lm_lower_gain(lm_rewrite *r, const lm_node *n);  /* one number per channel multiplied to a product's operand */
/* What that makes of the first two operands of n; x is those of the new graph in any case. */
bool lm_lower_take_gain(lm_rewrite *r, const lm_node *n, lm_val x[2]);

/* lower_window.c and lower_product.c: the bits stay. */
bool lm_lower_pad(lm_rewrite *r, const lm_node *n);       /* zeros around an image into the window that reads it */
bool lm_lower_gemm(lm_rewrite *r, const lm_node *n);      /* into a matrix product with bias */
bool lm_lower_transpose(lm_rewrite *r, const lm_node *n); /* of an operand into the matrix product */
bool lm_lower_residual(lm_rewrite *r, const lm_node *n);  /* an addend of the result's shape into the epilogue */
bool lm_lower_depthwise(lm_rewrite *r, const lm_node *n); /* lower_depthwise.c: its transpose into itself */
bool lm_lower_activation(lm_rewrite *r, const lm_node *n);
bool lm_lower_slope(lm_rewrite *r, const lm_node *n); /* of a signal on its way back through a relu */

#endif
