/* Which rule a node gets. */
#ifndef LM_RULES_MATCH_H
#define LM_RULES_MATCH_H

#include "core/rules/path.h"
#include "core/rules/rule.h"

/* The class of a node rather than of its op: a product, where one operand alone depends on what is explained, is linear
 * in it, and otherwise bilinear. */
lm_class lm_node_class(const lm_path *path, const lm_node *n);

/* A convolution or matrix product, whole or still to be expanded, that is linear in one operand. */
bool lm_is_layer(const lm_path *path, const lm_node *n);

/* The first row that matches, of the set or its bases; NULL: none. */
const lm_row *lm_match_row(const lm_ruleset *set, const lm_path *path, const lm_node *n);

/* Is it the node's name, or that of the module it is part of? */
bool lm_has_name(const lm_node *n, const char *name);

#endif
