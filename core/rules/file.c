/* Rule sets from text, by hand: a line is too short for a parser. */
#include "core/rules/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/rules/linear.h"
#include "core/rules/match.h"
#include "core/rules/sets.h"

struct lm_ruleset_file {
    lm_arena arena;
    lm_ruleset set;
    LM_VEC(lm_row) rows;
    LM_VEC(int) lines; /* by row */
};

/* A place in the text, of which `line` to `end` is the line being read. */
typedef struct reader {
    const char *name;
    int number; /* of the line */
    const char *line, *end, *at;
    lm_ruleset_file *file;
} reader;

typedef struct word {
    const char *at;
    size_t n;
} word;

#define WRONG(r, where, ...) wrong(r, where, lm_fail(LM_USAGE, __VA_ARGS__))
static lm_status wrong(const reader *r, const char *where, lm_status status)
{
    return lm_context(status, "%s:%d:%d", r->name, r->number, (int)(where - r->line) + 1);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip(reader *r)
{
    while (r->at < r->end && is_space(*r->at))
        r->at++;
}

static word next_word(reader *r)
{
    skip(r);
    word w = {r->at, 0};
    while (r->at < r->end && !is_space(*r->at))
        r->at++;
    w.n = (size_t)(r->at - w.at);
    return w;
}

static bool is(word w, const char *text)
{
    return strlen(text) == w.n && memcmp(w.at, text, w.n) == 0;
}

#define RULES "eps, zplus, ab, gamma, box, w2, flat, pass, grad, cut"
enum { ALL_RULES = LM_OWN_EPS, BOTH_PARTS = LM_OWN_ALPHA | LM_OWN_BETA };
static const struct {
    const char *name;
    lm_rule_fn rule;
    int linear;    /* lm_linear_id, or -1 */
    uint32_t keys;
} rules[] = {
    {"eps", lm_rule_linear, LM_LINEAR_EPSILON, ALL_RULES},
    {"zplus", lm_rule_linear, LM_LINEAR_ZPLUS, ALL_RULES},
    {"ab", lm_rule_linear, LM_LINEAR_ALPHABETA, ALL_RULES | BOTH_PARTS},
    {"gamma", lm_rule_linear, LM_LINEAR_GAMMA, ALL_RULES | LM_OWN_GAMMA},
    {"box", lm_rule_linear, LM_LINEAR_BOX, ALL_RULES | LM_OWN_BOUNDS},
    {"w2", lm_rule_linear, LM_LINEAR_WSQUARE, ALL_RULES},
    {"flat", lm_rule_linear, LM_LINEAR_FLAT, ALL_RULES},
    {"pass", lm_rule_pass, -1, 0},
    {"grad", lm_rule_grad, -1, 0},
    {"cut", lm_rule_cut, -1, 0},
};

static const struct {
    const char *name;
    uint32_t bit;
    size_t offset;
    bool may_be_negative;
} keys[] = {
    {"eps", LM_OWN_EPS, offsetof(lm_row_numbers, eps), false},
    {"gamma", LM_OWN_GAMMA, offsetof(lm_row_numbers, gamma), false},
    {"alpha", LM_OWN_ALPHA, offsetof(lm_row_numbers, alpha), false},
    {"beta", LM_OWN_BETA, offsetof(lm_row_numbers, beta), false},
    {"low", LM_OWN_LOW, offsetof(lm_row_numbers, low), true},
    {"high", LM_OWN_HIGH, offsetof(lm_row_numbers, high), true},
};

/* The colon behind the match: the first with a space behind it, because names have colons too, or else the first. */
static const char *find_colon(const reader *r)
{
    const char *first = NULL;
    for (const char *c = r->at; c < r->end; c++)
        if (*c == ':') {
            if (c + 1 == r->end || is_space(c[1]))
                return c;
            first = first ? first : c;
        }
    return first;
}

static lm_status read_match(reader *r, lm_row *row)
{
    const char *colon = find_colon(r);
    word w = {r->at, colon ? (size_t)(colon - r->at) : 0};
    if (!colon)
        return WRONG(r, r->at, "no ':' behind what the row matches");
    while (w.n > 0 && is_space(w.at[w.n - 1]))
        w.n--;
    if (w.n == 0)
        return WRONG(r, colon, "nothing before ':'; a row begins with first, conv, dense, *, an operator or a node");
    r->at = colon + 1;
    char *text = lm_arena_alloc(&r->file->arena, w.n + 1, 1);
    if (!text)
        return LM_MEMORY;
    memcpy(text, w.at, w.n);
    lm_opid op;
    if (is(w, "first")) {
        row->match = LM_MATCH_FIRST;
    } else if (is(w, "conv") || is(w, "dense")) {
        row->match = LM_MATCH_GROUP;
        row->key = is(w, "conv") ? LM_GROUP_CONV : LM_GROUP_DENSE;
    } else if (is(w, "*")) {
        row->match = LM_MATCH_ANY;
    } else if (lm_op_find(text, &op)) {
        row->match = LM_MATCH_OP;
        row->key = op == LM_OP_GEMM ? LM_OP_MATMUL : (int)op; /* which is what a Gemm has become by then */
    } else {
        row->match = LM_MATCH_NAME;
        row->name = text;
    }
    return LM_OK;
}

static lm_status read_number(const reader *r, const char *from, size_t n, double *out)
{
    char text[64], *rest;
    if (n == 0 || n >= sizeof text)
        return WRONG(r, from, "a number is missing behind '='");
    memcpy(text, from, n);
    text[n] = 0;
    *out = strtod(text, &rest);
    if (*rest || !isfinite(*out))
        return WRONG(r, from + (rest - text), "'%s' is not a number", text);
    return LM_OK;
}

static lm_status read_key(reader *r, word w, const char *rule, uint32_t allowed, lm_row_numbers *own)
{
    const char *equals = memchr(w.at, '=', w.n);
    if (!equals)
        return WRONG(r, w.at, "'%.*s' should be key=value", (int)w.n, w.at);
    const word key = {w.at, (size_t)(equals - w.at)};
    for (size_t i = 0; i < LM_COUNT(keys); i++) {
        if (!is(key, keys[i].name) || !(allowed & keys[i].bit))
            continue;
        double number = 0;
        if (own->has & keys[i].bit)
            return WRONG(r, w.at, "%s is given twice", keys[i].name);
        LM_TRY(read_number(r, equals + 1, w.n - key.n - 1, &number));
        if (number < 0 && !keys[i].may_be_negative)
            return WRONG(r, equals + 1, "%s must not be negative", keys[i].name);
        memcpy((char *)own + keys[i].offset, &number, sizeof number);
        own->has |= keys[i].bit;
        return LM_OK;
    }
    char known[64] = "no keys";
    size_t used = 0;
    for (size_t i = 0; i < LM_COUNT(keys); i++)
        if (allowed & keys[i].bit)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", keys[i].name);
    return WRONG(r, w.at, "rule %s has no key '%.*s'; it has %s", rule, (int)key.n, key.at, known);
}

/* Numbers that belong together. */
static lm_status complete(const reader *r, const char *where, lm_row_numbers *own)
{
    const uint32_t parts = own->has & BOTH_PARTS, bounds = own->has & LM_OWN_BOUNDS;
    if (bounds && bounds != LM_OWN_BOUNDS)
        return WRONG(r, where, "low and high come together");
    if (bounds && own->low > own->high)
        return WRONG(r, where, "low is over high");
    if (parts == LM_OWN_ALPHA)
        own->beta = own->alpha - 1;
    else if (parts == LM_OWN_BETA)
        own->alpha = own->beta + 1;
    if (parts && (own->beta < 0 || fabs(own->alpha - own->beta - 1) > 1e-9))
        return WRONG(r, where, "alpha - beta must be 1, and beta not below 0");
    if (parts)
        own->has |= BOTH_PARTS;
    return LM_OK;
}

static lm_status read_rule(reader *r, lm_row *row)
{
    const word name = next_word(r);
    size_t i = 0;
    if (name.n == 0)
        return WRONG(r, name.at, "no rule behind ':'; there are " RULES);
    while (i < LM_COUNT(rules) && !is(name, rules[i].name))
        i++;
    if (i == LM_COUNT(rules))
        return WRONG(r, name.at, "no rule is called '%.*s'; there are " RULES, (int)name.n, name.at);
    row->rule = rules[i].rule;
    row->cfg = rules[i].linear < 0 ? NULL : &lm_linear_ids[rules[i].linear];
    if (row->match == LM_MATCH_ANY && row->rule == lm_rule_linear) {
        row->match = LM_MATCH_CLASS;
        row->key = LM_CLASS_LINEAR;
    }
    lm_row_numbers *own = lm_arena_alloc(&r->file->arena, 1, sizeof *own);
    if (!own)
        return LM_MEMORY;
    for (word w = next_word(r); w.n > 0; w = next_word(r))
        LM_TRY(read_key(r, w, rules[i].name, rules[i].keys, own));
    LM_TRY(complete(r, name.at, own));
    row->own = own->has ? own : NULL;
    return LM_OK;
}

static bool same_match(const lm_row *a, const lm_row *b)
{
    return a->match == b->match && a->key == b->key && (!a->name || strcmp(a->name, b->name) == 0);
}

static lm_status read_line(reader *r)
{
    lm_row row = {0};
    skip(r);
    if (r->at == r->end)
        return LM_OK;
    const char *start = r->at;
    LM_TRY(read_match(r, &row));
    LM_TRY(read_rule(r, &row));
    for (size_t i = 0; i < r->file->rows.count; i++)
        if (same_match(&r->file->rows.at[i], &row))
            return WRONG(r, start, "an earlier line matches the same");
    LM_TRY(lm_vec_push(&r->file->lines, r->number));
    return lm_vec_push(&r->file->rows, row);
}

/* A comment begins at a # with a space before it, or at the start of a line. */
static const char *end_of(const char *line, const char *end)
{
    for (const char *c = line; c < end; c++)
        if (*c == '#' && (c == line || is_space(c[-1])))
            return c;
    return end;
}

static lm_status read_lines(reader *r, const char *text, size_t n)
{
    const char *last = text + n;
    while (text < last) {
        const char *newline = memchr(text, '\n', (size_t)(last - text)), *end = newline ? newline : last;
        r->number++;
        r->line = r->at = text;
        r->end = end_of(text, end);
        if (memchr(text, 0, (size_t)(end - text)))
            return WRONG(r, (const char *)memchr(text, 0, (size_t)(end - text)), "a byte of zero in a text");
        LM_TRY(read_line(r));
        text = newline ? newline + 1 : last;
    }
    return LM_OK;
}

lm_status lm_ruleset_read(const char *text, size_t n, const char *name, lm_ruleset_file **out)
{
    lm_ruleset_file *f;
    LM_NEW(f);
    reader r = {.name = name, .file = f};
    lm_status status = read_lines(&r, text, n);
    if (status == LM_OK && !f->rows.count)
        status = lm_fail(LM_USAGE, "%s:1:1: no row in it; write lines such as '*: eps', 'conv: gamma gamma=0.25'", name);
    char *kept = status == LM_OK ? lm_arena_strdup(&f->arena, name) : NULL;
    if (status == LM_OK && !kept)
        status = LM_MEMORY;
    if (status != LM_OK) {
        lm_ruleset_free(f);
        return status;
    }
    f->set = lm_set_lrp_eps;
    f->set.name = kept;
    f->set.base = &lm_set_lrp_eps;
    f->set.rows = f->rows.at;
    f->set.nrows = (int)f->rows.count;
    *out = f;
    return LM_OK;
}

const lm_ruleset *lm_ruleset_of(const lm_ruleset_file *file)
{
    return &file->set;
}

/* Does the row mean this node, or what may become of it? */
static bool may_match(const lm_row *row, const lm_node *n)
{
    if (row->match == LM_MATCH_NAME)
        return lm_has_name(n, row->name);
    return (int)n->op == row->key || (n->op == LM_OP_GEMM && row->key == LM_OP_MATMUL) || lm_ops[n->op].composite;
}

lm_status lm_ruleset_check(const lm_ruleset_file *file, const lm_graph *g)
{
    for (size_t i = 0; i < file->rows.count; i++) {
        const lm_row *row = &file->rows.at[i];
        const bool op = row->match == LM_MATCH_OP;
        bool found = !op && row->match != LM_MATCH_NAME;
        found |= op && lm_ops[row->key].composite; /* made by joining others */
        for (size_t k = 0; k < g->nodes.count && !found; k++)
            found = may_match(row, g->nodes.at[k]);
        if (!found)
            return lm_fail(LM_USAGE, "%s:%d:1: the model has no %s '%s'; `limn summary` lists what it has",
                           file->set.name, file->lines.at[i], op ? "operator" : "node or module",
                           op ? lm_ops[row->key].name : row->name);
    }
    return LM_OK;
}

void lm_ruleset_free(lm_ruleset_file *file)
{
    if (!file)
        return;
    lm_vec_free(&file->rows);
    lm_vec_free(&file->lines);
    lm_arena_free(&file->arena);
    lm_free(file);
}
