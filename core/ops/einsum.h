/* Einsum equations as numbers: which axis of which operand carries which label. */
#ifndef LM_OPS_EINSUM_H
#define LM_OPS_EINSUM_H

#include "core/tensor/shape.h"

enum { LM_EINSUM_OPERANDS = 16, LM_EINSUM_LABELS = 2 * 26 + LM_RANK };

/* Labels 0 to 51 are letters (A-Z, a-z); those from 52 on are the axes that `...` stands for, right-aligned between
 * operands, so that 52 + LM_RANK - 1 is always the last of them. `size[label]` is 0 for a label that does not occur,
 * unless `seen` says that it does and is empty. A size of 1 stretches only under `...`. */
typedef struct lm_einsum {
    int operands;
    int rank[LM_EINSUM_OPERANDS], out_rank;
    int label[LM_EINSUM_OPERANDS][LM_RANK], out[LM_RANK];
    int64_t size[LM_EINSUM_LABELS];
    bool seen[LM_EINSUM_LABELS];
} lm_einsum;

/* Parse "ij,jk->ik" for operands of these shapes; without "->" the result has the labels that occur once, in
 * alphabetical order, behind `...`. LM_INPUT names what is wrong in the equation, or the operand and axis that do not
 * match it. */
lm_status lm_einsum_parse(const char *equation, int operands, const lm_shape *shapes, lm_einsum *out);

#endif
