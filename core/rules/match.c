/* Rows against nodes. */
#include "core/rules/match.h"

#include <string.h>

#include "core/rules/linear.h"

/* Products by the operand that they may be linear in: any, or the first alone. */
enum { NO_PRODUCT, ANY_OPERAND, FIRST_OPERAND };
static const uint8_t product[LM_OPS] = {
    [LM_OP_MUL] = ANY_OPERAND,    [LM_OP_MATMUL] = ANY_OPERAND,  [LM_OP_CONV] = ANY_OPERAND,
    [LM_OP_CONV_T] = ANY_OPERAND, [LM_OP_CONV_DW] = ANY_OPERAND, [LM_OP_DIV] = FIRST_OPERAND,
};

/* How many of the first two operands depend on what is explained; a bias multiplies nothing. */
static int moving(const lm_path *path, const lm_node *n)
{
    int count = 0;
    for (int i = 0; i < n->nx && i < 2; i++)
        count += lm_on_path(path, n->x[i]);
    return count;
}

lm_class lm_node_class(const lm_path *path, const lm_node *n)
{
    if (product[n->op] == NO_PRODUCT)
        return lm_ops[n->op].cls;
    const bool linear = moving(path, n) == 1 && (product[n->op] == ANY_OPERAND || lm_on_path(path, n->x[0]));
    return linear ? LM_CLASS_LINEAR : LM_CLASS_BILINEAR;
}

bool lm_is_layer(const lm_path *path, const lm_node *n)
{
    const bool two = n->op == LM_OP_CONV || n->op == LM_OP_CONV_T || n->op == LM_OP_MATMUL ||
                     n->op == LM_OP_GEMM || n->op == LM_OP_EINSUM;
    return two && moving(path, n) == 1;
}

static bool is_first(const lm_path *path, const lm_node *n)
{
    if (lm_ops[n->op].composite || !lm_is_layer(path, n))
        return false;
    for (int i = 0; i < n->nx; i++)
        if ((size_t)n->x[i] < path->values && (path->mark[n->x[i]] & LM_BEHIND_PRODUCT))
            return false;
    return true;
}

static bool in_group(const lm_path *path, const lm_node *n, int group)
{
    const bool conv = n->op == LM_OP_CONV || n->op == LM_OP_CONV_T;
    return (group == LM_GROUP_CONV ? conv : n->op == LM_OP_MATMUL) && lm_is_layer(path, n);
}

bool lm_has_name(const lm_node *n, const char *name)
{
    return (n->name && strcmp(n->name, name) == 0) || (n->scope && strcmp(n->scope, name) == 0);
}

/* Composite products are looked at inside. */
static bool has_class(const lm_path *path, const lm_node *n, lm_class wanted)
{
    const lm_class is = lm_node_class(path, n);
    return is == wanted && !(lm_ops[n->op].composite && (is == LM_CLASS_LINEAR || is == LM_CLASS_BILINEAR));
}

static bool matches(const lm_row *row, const lm_path *path, const lm_node *n)
{
    switch (row->match) {
    case LM_MATCH_NAME: return lm_has_name(n, row->name);
    case LM_MATCH_FIRST: return is_first(path, n);
    case LM_MATCH_OP:
        return (int)n->op == row->key && (row->rule != lm_rule_linear || lm_node_class(path, n) == LM_CLASS_LINEAR);
    case LM_MATCH_GROUP: return in_group(path, n, row->key);
    case LM_MATCH_ANY: return true;
    default: return has_class(path, n, (lm_class)row->key);
    }
}

const lm_row *lm_match_row(const lm_ruleset *set, const lm_path *path, const lm_node *n)
{
    for (const lm_ruleset *s = set; s; s = s->base)
        for (int kind = 0; kind < LM_MATCHES; kind++)
            for (int i = 0; i < s->nrows; i++)
                if ((int)s->rows[i].match == kind && matches(&s->rows[i], path, n))
                    return &s->rows[i];
    return NULL;
}
