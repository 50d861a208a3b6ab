/* Rule sets from text: one row a line, `match: rule key=value ...`, after a `#` a comment.
 *
 *     match  first, conv, dense, the name of an operator, * or the name of a node, as rows are looked for in that order
 *            of how much they say; a colon that ends a name is followed by a space where the name has colons of its own
 *     rule   eps zplus ab gamma box w2 flat, for linear nodes; pass grad cut
 *     key    eps (the rule's stabiliser), gamma, alpha, beta, low, high
 *
 * What no line matches is treated as lrp_eps does; `*` comes before that: every linear node for a rule of theirs, every
 * node otherwise. */
#ifndef LM_RULES_FILE_H
#define LM_RULES_FILE_H

#include "core/rules/rule.h"

typedef struct lm_ruleset_file lm_ruleset_file;

/* `name`: what messages, which give line and column, and the set call it. LM_USAGE for what is wrong in the text. */
lm_status lm_ruleset_read(const char *text, size_t n, const char *name, lm_ruleset_file **out);
const lm_ruleset *lm_ruleset_of(const lm_ruleset_file *file); /* borrowed */
/* LM_USAGE, with file and line, for a row with the name of a node or an operator that the model does not have: `g` as
 * the model was built. Operators that are made on the way, by joining others or by taking them apart, may be missing. */
lm_status lm_ruleset_check(const lm_ruleset_file *file, const lm_graph *g);

void lm_ruleset_free(lm_ruleset_file *file);                  /* NULL is fine */

#endif
