/* Reading regular expressions. */
#include "core/data/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "core/data/pattern_inside.h"

enum { MOST_STEPS = 20000, MOST_DEPTH = 64, MOST_REPEATS = 1000 };

typedef struct parser {
    lm_pattern *p;
    const char *all, *at;
    bool fold, dot_all;
    int depth;
} parser;

/* Reads a piece and answers with the fewest characters that it takes. */
static lm_status alternatives(parser *r, int *least);

static lm_status refuse(const parser *r, const char *what)
{
    return lm_fail(LM_UNSUPPORTED, "the pattern '%.199s': %s at '%.20s' is not supported", r->all, what, r->at);
}

static lm_status broken(const parser *r, const char *what)
{
    return lm_fail(LM_INPUT, "the pattern '%.199s': %s", r->all, what);
}

static lm_status emit(parser *r, lm_pattern_op op, int a, int b)
{
    LM_REQUIRE(r->p->step.count < MOST_STEPS, LM_UNSUPPORTED, "the pattern '%.199s': is too long", r->all);
    return lm_vec_push(&r->p->step, (lm_pattern_step){.op = op, .a = a, .b = b, .fold = r->fold});
}

/* A step before those from `at` on; what jumps over that place jumps within the moved piece only. */
static lm_status insert(parser *r, size_t at, lm_pattern_op op, int a, int b)
{
    LM_TRY(emit(r, op, a, b));
    lm_pattern_step *s = r->p->step.at;
    const lm_pattern_step fresh = s[r->p->step.count - 1];
    memmove(s + at + 1, s + at, (r->p->step.count - 1 - at) * sizeof *s);
    s[at] = fresh;
    return LM_OK;
}

static uint32_t hex(const char **at, int digits)
{
    uint32_t c = 0;
    for (int i = 0; i < digits && **at && strchr("0123456789abcdefABCDEF", **at); i++, ++*at)
        c = c * 16 + (uint32_t)(**at <= '9' ? **at - '0' : (**at | 32) - 'a' + 10);
    return c;
}

static const struct {
    char letter;
    uint32_t c;
} controls[] = {{'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'f', '\f'}, {'v', '\v'}, {'a', 7}, {'e', 27}};

/* Behind a backslash: one character. */
static lm_status escaped(parser *r, uint32_t *c)
{
    size_t n;
    for (size_t i = 0; i < LM_COUNT(controls); i++)
        if (*r->at == controls[i].letter) {
            *c = controls[i].c;
            r->at++;
            return LM_OK;
        }
    if (*r->at == 'x' || *r->at == 'u') {
        const bool two = *r->at++ == 'x', braces = *r->at == '{';
        r->at += braces;
        *c = hex(&r->at, braces ? 6 : two ? 2 : 4);
        if (braces && *r->at++ != '}')
            return broken(r, "a brace is not closed");
        return *c < 0x110000 ? LM_OK : broken(r, "a number is no character");
    }
    if ((*r->at >= 'a' && *r->at <= 'z') || (*r->at >= 'A' && *r->at <= 'Z') || (*r->at >= '0' && *r->at <= '9'))
        return refuse(r, "the escape");
    if (!*r->at)
        return broken(r, "a backslash stands at its end");
    *c = lm_utf8_read(r->at, &n);
    r->at += n;
    return LM_OK;
}

static lm_status category(parser *r, lm_set_item *item)
{
    static const struct {
        const char *name, *code;
    } longer[] = {{"Letter", "L"}, {"Mark", "M"},      {"Number", "N"}, {"Punctuation", "P"},
                  {"Symbol", "S"}, {"Separator", "Z"}, {"Alpha", "L"}};
    item->not = *r->at == 'P';
    const char *name = r->at + 1;
    const bool braces = *name == '{';
    size_t n = 1;
    if (braces) {
        item->not ^= name[1] == '^';
        name += 1 + (name[1] == '^');
        n = strcspn(name, "}");
        if (!name[n])
            return broken(r, "a brace is not closed");
    }
    *item = (lm_set_item){SET_CATEGORY, item->not, *name ? lm_category_named(name, n) : 0, 0};
    for (size_t i = 0; i < LM_COUNT(longer); i++)
        if (strlen(longer[i].name) == n && memcmp(longer[i].name, name, n) == 0)
            item->low = lm_category_named(longer[i].code, 1);
    if (!item->low)
        return refuse(r, "the class of characters");
    r->at = name + n + braces;
    return LM_OK;
}

/* Behind a backslash: a class of characters; *found false: it is none. */
static lm_status class(parser *r, lm_set_item *item, bool *found)
{
    *found = true;
    switch (*r->at) {
    case 'p':
    case 'P': return category(r, item);
    case 's':
    case 'S': *item = (lm_set_item){SET_SPACE, *r->at++ == 'S', 0, 0}; return LM_OK;
    case 'w':
    case 'W': *item = (lm_set_item){SET_WORD, *r->at++ == 'W', 0, 0}; return LM_OK;
    case 'd':
    case 'D': *item = (lm_set_item){SET_CATEGORY, *r->at++ == 'D', LM_DIGIT, 0}; return LM_OK;
    default: *found = false; return LM_OK;
    }
}

/* One character of a set, or the ends of a range. */
static lm_status member(parser *r, uint32_t *c)
{
    size_t n;
    if (*r->at == '\\') {
        r->at++;
        return escaped(r, c);
    }
    *c = lm_utf8_read(r->at, &n);
    r->at += n;
    return LM_OK;
}

static lm_status set_item(parser *r)
{
    lm_set_item item = {SET_RANGE, false, 0, 0};
    bool found = false;
    if (*r->at == '[' || (r->at[0] == '&' && r->at[1] == '&'))
        return refuse(r, "a set within a set");
    if (*r->at == '\\') {
        r->at++;
        LM_TRY(class(r, &item, &found));
        r->at -= !found;
    }
    if (!found) {
        LM_TRY(member(r, &item.low));
        item.high = item.low;
        if (r->at[0] == '-' && r->at[1] && r->at[1] != ']') {
            r->at++;
            LM_TRY(member(r, &item.high));
        }
    }
    return lm_vec_push(&r->p->item, item);
}

static lm_status set(parser *r)
{
    lm_set s = {r->p->item.count, 0, *r->at == '^'};
    r->at += s.not ;
    for (bool first = true; *r->at && (*r->at != ']' || first); first = false)
        LM_TRY(set_item(r));
    if (*r->at != ']')
        return broken(r, "a set is not closed");
    r->at++;
    s.count = r->p->item.count - s.first;
    LM_TRY(emit(r, STEP_SET, (int)r->p->set.count, 0));
    return lm_vec_push(&r->p->set, s);
}

/* What stands between the parentheses of an inner program that ends with STEP_END. */
static lm_status inner(parser *r, lm_pattern_op op, int bits)
{
    int least = 0;
    const size_t at = r->p->step.count;
    LM_TRY(emit(r, op, 0, bits));
    LM_TRY(alternatives(r, &least));
    LM_TRY(emit(r, STEP_END, 0, 0));
    lm_pattern_step *s = &r->p->step.at[at];
    s->a = (int)(r->p->step.count - at);
    s->back = least;
    for (size_t i = at + 1; bits & LOOK_BACK && i + 1 < r->p->step.count; i++)
        if (r->p->step.at[i].op > STEP_ANY)
            return refuse(r, "looking back over anything but fixed characters, before what stands");
    return LM_OK;
}

/* "i", "m", "-i" ... of a group; up to ':' or ')'. */
static lm_status flags(parser *r)
{
    for (bool on = true; *r->at && *r->at != ':' && *r->at != ')'; r->at++)
        if (*r->at == '-')
            on = false;
        else if (*r->at == 'i')
            r->fold = on;
        else if (*r->at == 'm' || *r->at == 's')
            r->dot_all = on;
        else
            return refuse(r, "the kind of group");
    return LM_OK;
}

static lm_status group(parser *r, int *least)
{
    static const struct {
        const char *word;
        lm_pattern_op op;
        int bits;
    } kinds[] = {{"?=", STEP_LOOK, 0},
                 {"?!", STEP_LOOK, LOOK_NOT},
                 {"?<=", STEP_LOOK, LOOK_BACK},
                 {"?<!", STEP_LOOK, LOOK_BACK | LOOK_NOT},
                 {"?>", STEP_ATOMIC, 0}};
    const bool fold = r->fold, dot_all = r->dot_all;
    for (size_t i = 0; i < LM_COUNT(kinds); i++)
        if (strncmp(r->at, kinds[i].word, strlen(kinds[i].word)) == 0) {
            r->at += strlen(kinds[i].word);
            const size_t at = r->p->step.count;
            LM_TRY(inner(r, kinds[i].op, kinds[i].bits));
            *least = kinds[i].op == STEP_ATOMIC ? r->p->step.at[at].back : 0;
            return LM_OK;
        }
    if (*r->at == '?') {
        r->at++;
        LM_TRY(flags(r));
        if (*r->at == ')') { /* for all that follows */
            *least = 0;
            return LM_OK;
        }
        r->at++;
    }
    LM_TRY(alternatives(r, least));
    r->fold = fold;
    r->dot_all = dot_all;
    return LM_OK;
}

static const struct {
    char letter;
    int edge;
} edges[] = {{'A', EDGE_TEXT_BEGIN}, {'z', EDGE_TEXT_END}, {'b', EDGE_WORD}, {'B', EDGE_NO_WORD}};

static lm_status backslash(parser *r, int *least)
{
    lm_set_item item;
    bool found;
    uint32_t c;
    for (size_t i = 0; i < LM_COUNT(edges); i++)
        if (*r->at == edges[i].letter) {
            r->at++;
            *least = 0;
            return emit(r, STEP_EDGE, edges[i].edge, 0);
        }
    LM_TRY(class(r, &item, &found));
    if (!found) {
        LM_TRY(escaped(r, &c));
        return emit(r, STEP_CHAR, (int)c, 0);
    }
    LM_TRY(emit(r, STEP_SET, (int)r->p->set.count, 0));
    LM_TRY(lm_vec_push(&r->p->set, (lm_set){r->p->item.count, 1, false}));
    return lm_vec_push(&r->p->item, item);
}

static lm_status atom(parser *r, int *least)
{
    size_t n;
    *least = 1;
    switch (*r->at) {
    case '(':
        if (++r->depth > MOST_DEPTH)
            return refuse(r, "so deep a nesting");
        r->at++;
        LM_TRY(group(r, least));
        if (*r->at++ != ')')
            return broken(r, "a parenthesis is not closed");
        r->depth--;
        return LM_OK;
    case '[': r->at++; return set(r);
    case '\\': r->at++; return backslash(r, least);
    case '.': r->at++; return emit(r, STEP_ANY, r->dot_all, 0);
    case '^':
    case '$': *least = 0; return emit(r, STEP_EDGE, *r->at++ == '^' ? EDGE_LINE_BEGIN : EDGE_LINE_END, 0);
    case '*':
    case '+':
    case '?': return broken(r, "a repetition stands alone");
    default: {
        const uint32_t c = lm_utf8_read(r->at, &n);
        r->at += n;
        return emit(r, STEP_CHAR, (int)c, 0);
    }
    }
}

/* Steps from `at` on once more at the end. */
static lm_status copy(parser *r, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const lm_pattern_step s = r->p->step.at[at + i];
        LM_TRY(emit(r, s.op, s.a, s.b));
        r->p->step.at[r->p->step.count - 1] = s;
    }
    return LM_OK;
}

/* "{2,5}", "{3}", "{1,}"; most -1: no end. False: it is a brace like any other character. */
static bool bounds(const char **at, int *low, int *high)
{
    char *next;
    const char *p = *at + 1;
    *low = *p == ',' ? 0 : (int)strtol(p, &next, 10);
    if (*p != ',') {
        if (next == p)
            return false;
        p = next;
    }
    *high = *low;
    if (*p == ',') {
        *high = -1;
        if (*++p != '}') {
            *high = (int)strtol(p, &next, 10);
            if (next == p)
                return false;
            p = next;
        }
    }
    *at = p + 1;
    return *p == '}' && *low >= 0 && *low <= MOST_REPEATS && *high <= MOST_REPEATS && (*high < 0 || *high >= *low);
}

/* n steps from `at` on, low to high times. */
static lm_status repeat(parser *r, size_t at, int low, int high, bool lazy)
{
    const size_t n = r->p->step.count - at;
    for (int i = 1; i < low; i++)
        LM_TRY(copy(r, at, n));
    const int last = (int)n;
    if (high < 0 && low > 0)
        return emit(r, STEP_SPLIT, lazy ? 1 : -last, lazy ? -last : 1);
    if (high < 0) {
        LM_TRY(insert(r, at, STEP_SPLIT, lazy ? last + 2 : 1, lazy ? 1 : last + 2));
        return emit(r, STEP_JUMP, -(last + 1), 0);
    }
    if (low == 0) { /* the piece that is there already is the first of those that may be left out */
        LM_TRY(insert(r, at, STEP_SPLIT, 0, 0));
        const int whole = high * (last + 1);
        if (high == 0) {
            r->p->step.at[at] = (lm_pattern_step){.op = STEP_JUMP, .a = last + 1};
            return LM_OK;
        }
        for (int i = 1; i < high; i++)
            LM_TRY(copy(r, at, n + 1));
        for (int i = 0; i < high; i++) {
            const int end = whole - i * (last + 1);
            lm_pattern_step *s = &r->p->step.at[at + (size_t)i * (n + 1)];
            s->a = lazy ? end : 1;
            s->b = lazy ? 1 : end;
        }
        return LM_OK;
    }
    if (high == low)
        return LM_OK;
    const size_t rest = r->p->step.count;
    LM_TRY(copy(r, at, n));
    return repeat(r, rest, 0, high - low, lazy);
}

static lm_status quantified(parser *r, int *least)
{
    const size_t at = r->p->step.count;
    LM_TRY(atom(r, least));
    while (*r->at && strchr("*+?{", *r->at)) {
        const char *mark = r->at;
        int low = *mark == '+', high = *mark == '?' ? 1 : -1;
        if (*mark != '{')
            r->at++;
        else if (!bounds(&r->at, &low, &high))
            return refuse(r, "the repetition");
        if (high < 0 && *least == 0)
            return refuse(r, "repeating what may be empty, before what stands");
        const bool lazy = *r->at == '?', possessive = *r->at == '+' && *mark != '{';
        r->at += lazy || possessive;
        LM_TRY(repeat(r, at, low, high, lazy));
        *least = low * *least < MOST_STEPS ? low * *least : MOST_STEPS;
        if (possessive) {
            LM_TRY(insert(r, at, STEP_ATOMIC, (int)(r->p->step.count - at) + 2, 0));
            LM_TRY(emit(r, STEP_END, 0, 0));
        }
    }
    return LM_OK;
}

static lm_status alternatives(parser *r, int *least)
{
    const size_t at = r->p->step.count;
    *least = 0;
    while (*r->at && *r->at != '|' && *r->at != ')') {
        int more = 0;
        LM_TRY(quantified(r, &more));
        *least += more;
    }
    if (*r->at != '|')
        return LM_OK;
    r->at++;
    LM_TRY(insert(r, at, STEP_SPLIT, 1, (int)(r->p->step.count - at) + 2));
    const size_t jump = r->p->step.count;
    LM_TRY(emit(r, STEP_JUMP, 0, 0));
    int other = 0;
    if (++r->depth > 4 * MOST_DEPTH)
        return refuse(r, "so many alternatives");
    LM_TRY(alternatives(r, &other));
    r->depth--;
    r->p->step.at[jump].a = (int)(r->p->step.count - jump);
    *least = other < *least ? other : *least;
    return LM_OK;
}

static lm_status read_all(parser *r)
{
    int least;
    LM_TRY(alternatives(r, &least));
    if (*r->at)
        return broken(r, "a parenthesis is closed and not opened");
    return emit(r, STEP_END, 0, 0);
}

lm_status lm_pattern_new(const char *expression, lm_pattern **out)
{
    lm_pattern *p;
    LM_NEW(p);
    parser r = {.p = p, .all = expression, .at = expression};
    lm_status status = read_all(&r);
    if (status == LM_OK)
        *out = p;
    else
        lm_pattern_free(p);
    return status;
}

lm_status lm_pattern_literal(const char *string, lm_pattern **out)
{
    lm_pattern *p;
    LM_NEW(p);
    lm_status status = LM_OK;
    for (size_t n; *string && status == LM_OK; string += n)
        status = lm_vec_push(&p->step, (lm_pattern_step){.op = STEP_CHAR, .a = (int)lm_utf8_read(string, &n)});
    if (status == LM_OK)
        status = lm_vec_push(&p->step, (lm_pattern_step){.op = STEP_END});
    if (status == LM_OK)
        *out = p;
    else
        lm_pattern_free(p);
    return status;
}

void lm_pattern_free(lm_pattern *p)
{
    if (!p)
        return;
    lm_vec_free(&p->step);
    lm_vec_free(&p->set);
    lm_vec_free(&p->item);
    lm_free(p);
}
