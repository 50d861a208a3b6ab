/* Several walks in one: signals hold `wide` blocks, one per target, and what they meet on their way is repeated.
 *
 * A block of a value's signal has the value's own shape. Blocks lie one behind the other along axis 0, so that an op which
 * treats axis 0 as a batch needs nothing but more of it (merged). One that would mix blocks, because it works along axis 0
 * itself, gets them along an axis of their own in front of all others, and its attributes count that axis too (lifted). */
#ifndef LM_RULES_WIDE_H
#define LM_RULES_WIDE_H

#include "core/rules/path.h"
#include "core/rules/rule.h"

typedef enum lm_wide_form {
    LM_WIDE_NONE, /* blocks cannot be told apart in it */
    LM_WIDE_MERGED,
    LM_WIDE_LIFTED
} lm_wide_form;

/* How a node on the path takes part in a wide walk. LM_WIDE_MERGED for composites, which a row takes whole. */
lm_wide_form lm_wide_form_of(const lm_path *path, const lm_node *n);

/* The attributes of a node in that form. */
lm_attrs lm_wide_attrs(const lm_path *path, const lm_node *n, lm_wide_form form, int64_t wide);

/* Operand i of n as its rule gets it: repeated where blocks go through it or have to line up with it. `v`: the operand,
 * or something of its shape. */
lm_val lm_wide_operand(lm_emit *e, const lm_path *path, const lm_node *n, lm_wide_form form, int64_t wide, int i,
                       lm_val v);

/* A result of n, or something of its shape; and a signal at it, from how the walk keeps it. */
lm_val lm_wide_result(lm_emit *e, lm_wide_form form, int64_t wide, lm_val v);
lm_val lm_wide_signal(lm_emit *e, lm_wide_form form, int64_t wide, lm_val s, const lm_shape *shape);

/* The shape of `wide` blocks as the walk keeps them. */
lm_shape lm_wide_shape(const lm_shape *shape, int64_t wide);

/* A rule's answer for an operand of this type: block by block summed over the axes along which the operand was
 * broadcast, in its type, as the walk keeps it. */
lm_val lm_wide_shrink(lm_emit *e, lm_wide_form form, int64_t wide, lm_val s, const lm_type *to);

#endif
