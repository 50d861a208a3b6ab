/* What became of the signal at a node, in sums per target. */
#ifndef LM_RULES_TRACE_H
#define LM_RULES_TRACE_H

#include "core/rules/rule.h"

/* The sum of each of the blocks of `v`, which lie behind each other: [wide]. */
lm_val lm_block_sums(lm_emit *e, lm_val v, int64_t wide);

/* For rules that keep something of the signal, where r->row is not NULL: add the sums of `v` to *to, one of the row's. */
void lm_trace_keep(const lm_rx *r, lm_val *to, lm_val v);

/* Fill in the row of a node whose rule has answered. */
void lm_trace_node(const lm_rx *r);

#endif
