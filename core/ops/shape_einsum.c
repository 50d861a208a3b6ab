/* Einsum: the equation's parser and the shape rule that follows from it. */
#include "core/ops/einsum.h"

#include <ctype.h>
#include <string.h>

#include "core/ops/shape_rules.h"

enum { LETTERS = 52, DOTS_END = LM_EINSUM_LABELS };

/* One comma-separated term as labels; -1 stands for the dots. */
typedef struct term {
    int n, label[LM_RANK + 1];
    bool dots;
} term;

static int letter(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

/* Read one term up to a comma, an arrow or the end. */
static lm_status read_term(const char **at, term *out)
{
    *out = (term){0};
    for (;; (*at)++) {
        char c = **at;
        if (c == ' ')
            continue;
        if (c == '\0' || c == ',' || (c == '-' && (*at)[1] == '>'))
            return LM_OK;
        int label = letter(c);
        if (c == '.' && strncmp(*at, "...", 3) == 0 && !out->dots) {
            out->dots = true;
            *at += 2;
        } else {
            LM_REQUIRE(label >= 0, LM_INPUT, "unexpected '%c'", isprint((unsigned char)c) ? c : '?');
        }
        LM_REQUIRE(out->n <= LM_RANK, LM_INPUT, "a term has more than %d axes", LM_RANK);
        out->label[out->n++] = label;
    }
}

static lm_status meet(lm_einsum *e, int operand, int axis, int label, int64_t size)
{
    e->label[operand][axis] = label;
    bool stretch = label >= LETTERS;
    if (!e->seen[label] || (stretch && e->size[label] == 1)) {
        e->seen[label] = true;
        e->size[label] = size;
        return LM_OK;
    }
    LM_REQUIRE(e->size[label] == size || (stretch && size == 1), LM_INPUT,
               "axis %d of operand %d has size %lld where another has %lld", axis, operand, (long long)size,
               (long long)e->size[label]);
    return LM_OK;
}

/* Give the axes of one operand their labels. `dots` becomes the most axes that `...` has stood for. */
static lm_status label_axes(lm_einsum *e, int operand, const term *t, const lm_shape *shape, int *dots)
{
    char text[LM_SHAPE_TEXT];
    int letters = t->n - t->dots, hidden = shape->rank - letters;
    LM_REQUIRE(t->dots ? hidden >= 0 : hidden == 0, LM_INPUT, "operand %d of shape %s has %d labels", operand,
               lm_shape_text(shape, text), letters);
    e->rank[operand] = shape->rank;
    int axis = 0;
    for (int i = 0; i < t->n; i++) {
        if (t->label[i] >= 0) {
            LM_TRY(meet(e, operand, axis, t->label[i], shape->dim[axis]));
            axis++;
            continue;
        }
        for (int k = 0; k < hidden; k++, axis++)
            LM_TRY(meet(e, operand, axis, DOTS_END - hidden + k, shape->dim[axis]));
        if (hidden > *dots)
            *dots = hidden;
    }
    return LM_OK;
}

static lm_status add_out(lm_einsum *e, int label)
{
    LM_REQUIRE(e->out_rank < LM_RANK, LM_INPUT, "the result has more than %d axes", LM_RANK);
    for (int i = 0; i < e->out_rank; i++)
        LM_REQUIRE(e->out[i] != label, LM_INPUT, "a label occurs twice in the result");
    LM_REQUIRE(e->seen[label], LM_INPUT, "the result has a label that no operand has");
    e->out[e->out_rank++] = label;
    return LM_OK;
}

static lm_status add_dots(lm_einsum *e, int dots)
{
    for (int k = DOTS_END - dots; k < DOTS_END; k++)
        LM_TRY(add_out(e, k));
    return LM_OK;
}

static lm_status explicit_result(lm_einsum *e, const char *at, int dots)
{
    term t;
    LM_TRY(read_term(&at, &t));
    LM_REQUIRE(*at == '\0', LM_INPUT, "the result is one term, not '%s'", at);
    for (int i = 0; i < t.n; i++)
        LM_TRY(t.label[i] < 0 ? add_dots(e, dots) : add_out(e, t.label[i]));
    return LM_OK;
}

static lm_status implicit_result(lm_einsum *e, int dots)
{
    int times[LM_EINSUM_LABELS] = {0};
    for (int i = 0; i < e->operands; i++)
        for (int k = 0; k < e->rank[i]; k++)
            times[e->label[i][k]]++;
    LM_TRY(add_dots(e, dots));
    for (int l = 0; l < LETTERS; l++)
        if (times[l] == 1)
            LM_TRY(add_out(e, l));
    return LM_OK;
}

static lm_status parse(const char *at, int operands, const lm_shape *shapes, lm_einsum *e)
{
    int dots = 0;
    e->operands = operands;
    for (int i = 0; i < operands; i++) {
        term t;
        LM_TRY(read_term(&at, &t));
        LM_TRY(label_axes(e, i, &t, &shapes[i], &dots));
        bool more = *at == ',';
        LM_REQUIRE(more == (i + 1 < operands), LM_INPUT, "it does not have one term for each of %d operands", operands);
        at += more;
    }
    if (*at == '-')
        return explicit_result(e, at + 2, dots);
    return implicit_result(e, dots);
}

lm_status lm_einsum_parse(const char *equation, int operands, const lm_shape *shapes, lm_einsum *out)
{
    LM_REQUIRE(operands >= 1 && operands <= LM_EINSUM_OPERANDS, LM_INPUT, "%d operands; at most %d are possible",
               operands, LM_EINSUM_OPERANDS);
    lm_einsum e = {0};
    LM_TRY(lm_context(parse(equation, operands, shapes, &e), "equation '%s'", equation));
    *out = e;
    return LM_OK;
}

lm_status lm_shape_einsum(const lm_shape_args *args, lm_type *y)
{
    lm_shape shapes[LM_EINSUM_OPERANDS];
    lm_einsum e;
    LM_TRY(lm_rule_type(args, 0, LM_SET_NUMBER));
    LM_TRY(lm_rule_same_types(args, 1));
    LM_RULE(memchr(args->a->einsum.equation, '\0', LM_EQUATION_BYTES), "the equation has no end");
    LM_RULE(args->nx <= LM_EINSUM_OPERANDS, "%d operands; at most %d are possible", args->nx, LM_EINSUM_OPERANDS);
    for (int i = 0; i < args->nx; i++) {
        LM_RULE(lm_rule_has(args, i), "input %d is missing", i);
        shapes[i] = args->x[i].sh;
    }
    LM_TRY(lm_context(lm_einsum_parse(args->a->einsum.equation, args->nx, shapes, &e), "%s",
                      lm_ops[args->op].name));
    y[0] = (lm_type){args->x[0].dt, {.rank = e.out_rank}};
    for (int i = 0; i < e.out_rank; i++)
        y[0].sh.dim[i] = e.size[e.out[i]];
    return LM_OK;
}
