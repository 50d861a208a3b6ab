/* Rows against nodes. */
#include "core/rules/match.h"

#include <string.h>

/* Products by the operand that they may be linear in: any, or the first alone. */
enum { NO_PRODUCT, ANY_OPERAND, FIRST_OPERAND };
static const uint8_t product[LM_OPS] = {
    [LM_OP_MUL] = ANY_OPERAND,    [LM_OP_MATMUL] = ANY_OPERAND, [LM_OP_GEMM] = ANY_OPERAND,
    [LM_OP_EINSUM] = ANY_OPERAND, [LM_OP_CONV] = ANY_OPERAND,   [LM_OP_CONV_T] = ANY_OPERAND,
    [LM_OP_CONV_DW] = ANY_OPERAND, [LM_OP_DIV] = FIRST_OPERAND, [LM_OP_BATCHNORM] = FIRST_OPERAND,
};

/* The bias of a product is an addend and multiplies nothing. */
static int factors(const lm_node *n)
{
    return n->op == LM_OP_EINSUM || n->op == LM_OP_BATCHNORM ? n->nx : n->nx < 2 ? n->nx : 2;
}

lm_class lm_node_class(const lm_path *path, const lm_node *n)
{
    if (product[n->op] == NO_PRODUCT)
        return lm_ops[n->op].cls;
    int moving = 0;
    for (int i = 0; i < factors(n); i++)
        moving += lm_on_path(path, n->x[i]);
    const bool linear = product[n->op] == ANY_OPERAND ? moving == 1 : moving == 1 && lm_on_path(path, n->x[0]);
    return linear ? LM_CLASS_LINEAR : LM_CLASS_BILINEAR;
}

static bool is_first(const lm_path *path, const lm_node *n)
{
    for (int i = 0; i < n->nx; i++)
        if ((size_t)n->x[i] < path->values && (path->mark[n->x[i]] & LM_BEHIND_LINEAR))
            return false;
    return lm_node_class(path, n) == LM_CLASS_LINEAR;
}

static bool in_group(const lm_path *path, const lm_node *n, int group)
{
    const bool conv = n->op == LM_OP_CONV || n->op == LM_OP_CONV_T;
    const bool dense = n->op == LM_OP_MATMUL || n->op == LM_OP_GEMM || n->op == LM_OP_EINSUM;
    return (group == LM_GROUP_CONV ? conv : dense) && lm_node_class(path, n) == LM_CLASS_LINEAR;
}

static bool has_name(const lm_node *n, const char *name)
{
    return (n->name && strcmp(n->name, name) == 0) || (n->scope && strcmp(n->scope, name) == 0);
}

static bool matches(const lm_row *row, const lm_path *path, const lm_node *n)
{
    switch (row->match) {
    case LM_MATCH_NAME: return has_name(n, row->name);
    case LM_MATCH_FIRST: return is_first(path, n);
    case LM_MATCH_OP: return (int)n->op == row->key;
    case LM_MATCH_GROUP: return in_group(path, n, row->key);
    default: return (int)lm_node_class(path, n) == row->key;
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
