/* Branches of the linear rule, emitted. */
#include "core/rules/linear.h"

#include "core/rules/grad.h"

typedef enum part {
    PART_ALL, PART_POS, PART_NEG, PART_ONE, PART_LOW, PART_HIGH, PART_SQUARE, PART_MORE_POS, PART_MORE_NEG, PART_NONE
} part;
typedef enum coefficient { C_PLUS, C_MINUS, C_ALPHA, C_BETA } coefficient;

typedef struct branch {
    lm_linear_id rule;
    part x, w, bias;
    int group;
    coefficient c;
} branch;

static const branch branches[] = {
#define LM_LINEAR(rule, stabiliser, gate)
#define LM_BRANCH(rule, x, w, bias, group, c) {LM_LINEAR_##rule, PART_##x, PART_##w, PART_##bias, group, C_##c},
#include "core/rules/linear.def"
#undef LM_LINEAR
#undef LM_BRANCH
};

enum { OPTION = 1, FIXED = 0, BY_SIGN = 1, NO_GATE = 0 };
static const struct {
    bool own_eps, by_sign;
} facts[LM_LINEARS] = {
#define LM_LINEAR(rule, stabiliser, gate) {stabiliser, gate},
#define LM_BRANCH(rule, x, w, bias, group, c)
#include "core/rules/linear.def"
#undef LM_LINEAR
#undef LM_BRANCH
};

const lm_linear_id lm_linear_ids[LM_LINEARS] = {
#define LM_LINEAR(rule, stabiliser, gate) LM_LINEAR_##rule,
#define LM_BRANCH(rule, x, w, bias, group, c)
#include "core/rules/linear.def"
#undef LM_LINEAR
#undef LM_BRANCH
};

lm_val lm_stabilised(lm_emit *e, lm_val z, double eps)
{
    lm_val below = lm_emit_scalar(e, LM_OP_LESS, z, 0);
    return lm_plus(e, z, lm_choose(e, below, lm_number(e, z, -eps), lm_number(e, z, eps)));
}

/* The node seen as a linear map of x: which operand that is, and which are weights and bias (-1: none). Sums and
 * averages have weights of their own, none of which is negative. */
typedef struct map {
    const lm_rx *r;
    int x, w, bias;
} map;

enum { OPERANDS = 5 };

static map map_of(const lm_rx *r)
{
    map m = {r, 0, -1, -1};
    while (m.x + 1 < r->n->nx && !r->want[m.x])
        m.x++;
    switch (r->n->op) {
    case LM_OP_CONV:
    case LM_OP_CONV_T:
    case LM_OP_MATMUL:
    case LM_OP_MUL:
    case LM_OP_DIV:
    case LM_OP_CONV_DW:
        m.w = 1 - m.x;
        m.bias = r->n->nx > 2 && r->x[2] != LM_NOVAL ? 2 : -1;
        break;
    default:
        break;
    }
    return m;
}

/* A part of a value; *none: it is all zero. */
static lm_val part_of(const lm_rx *r, lm_val v, part p, bool *none)
{
    lm_emit *e = r->e;
    const lm_rule_options *o = r->options;
    const bool nonneg = lm_emit_nonneg(e, v);
    lm_val zero = lm_number(e, v, 0);
    switch (p) {
    case PART_POS: return nonneg ? v : lm_unary(e, LM_OP_RELU, v);
    case PART_NEG:
        *none |= nonneg;
        return nonneg ? v : lm_emit1(e, LM_OP_MIN, NULL, v, zero);
    case PART_ONE: {
        const lm_type type = *lm_emit_type(e, v);
        return lm_emit_full(e, type.dt, &type.sh, 1);
    }
    case PART_LOW:
    case PART_HIGH: {
        const lm_shape to = *lm_emit_shape(e, v);
        lm_val bound = p == PART_LOW ? o->low : o->high;
        if (bound == LM_NOVAL) {
            lm_emit_fail(e, LM_USAGE, "%s: the box rule needs the lowest and highest value of the input (low, high)",
                         lm_ops[r->n->op].name);
            return LM_NOVAL;
        }
        return lm_emit_expand(e, lm_emit_cast(e, bound, lm_emit_type(e, v)->dt), &to);
    }
    case PART_SQUARE: return lm_times(e, v, v);
    case PART_MORE_POS:
        return lm_plus(e, v, lm_emit_scalar(e, LM_OP_MUL, nonneg ? v : lm_unary(e, LM_OP_RELU, v), o->gamma));
    case PART_MORE_NEG:
        if (nonneg)
            return v;
        return lm_plus(e, v, lm_emit_scalar(e, LM_OP_MUL, lm_emit1(e, LM_OP_MIN, NULL, v, zero), o->gamma));
    default: return v;
    }
}

/* The operands of one branch. False when it is all zero. */
static bool branch_operands(const map *m, const branch *b, lm_val *x)
{
    const lm_rx *r = m->r;
    bool none = false;
    for (int i = 0; i < r->n->nx; i++)
        x[i] = r->x[i];
    x[m->x] = part_of(r, r->x[m->x], b->x, &none);
    if (m->w >= 0)
        x[m->w] = part_of(r, r->x[m->w], b->w, &none);
    else if (b->w == PART_NEG)
        none = true;
    else if (b->w == PART_MORE_POS)
        x[m->x] = lm_emit_scalar(r->e, LM_OP_MUL, x[m->x], 1 + r->options->gamma);
    if (m->bias >= 0) {
        bool no_bias = b->bias == PART_NONE;
        lm_val bias = no_bias ? LM_NOVAL : part_of(r, r->x[m->bias], b->bias, &no_bias);
        x[m->bias] = no_bias ? LM_NOVAL : bias;
    }
    return !none;
}

static lm_val run(const map *m, const branch *b, const lm_val *x)
{
    if (b->x == PART_ALL && b->w == PART_ALL && b->bias == PART_ALL)
        return m->r->y;
    return lm_emit_one(m->r->e, m->r->n->op, m->r->n->a, m->r->n->nx, x);
}

/* vjp_x(op, t, w): what comes back to x does not depend on x. */
static lm_val pull(const map *m, const lm_val *x, lm_val t)
{
    const lm_rx *r = m->r;
    lm_val out[OPERANDS] = {LM_NOVAL};
    bool want[OPERANDS] = {false};
    lm_node like = *r->n;
    lm_rx one = *r;
    want[m->x] = true;
    like.x = x;
    one.n = &like;
    one.x = x;
    one.want = want;
    one.out = out;
    one.s = t;
    lm_rule_grad(&one);
    return out[m->x];
}

/* s m_g / stab(denominator) */
static lm_val share_of(const lm_rx *r, lm_linear_id rule, int group, lm_val denominator)
{
    lm_emit *e = r->e;
    lm_val t = lm_over(e, r->s, lm_stabilised(e, denominator, facts[rule].own_eps ? r->options->eps : LM_STAB));
    if (!facts[rule].by_sign)
        return t;
    lm_val acts = lm_emit_scalar(e, group == 0 ? LM_OP_GREATER : LM_OP_LESS, r->y, 0);
    return lm_choose(e, acts, t, lm_number(e, t, 0));
}

static lm_val weighted(const lm_rx *r, coefficient c, lm_val v)
{
    const double by[] = {[C_PLUS] = 1, [C_MINUS] = -1, [C_ALPHA] = r->options->alpha, [C_BETA] = -r->options->beta};
    return by[c] == 1 ? v : lm_emit_scalar(r->e, LM_OP_MUL, v, by[c]);
}

void lm_rule_linear(const lm_rx *r)
{
    enum { MOST = 4, GROUPS = 2 };
    const lm_linear_id rule = *(const lm_linear_id *)r->cfg;
    lm_emit *e = r->e;
    const map m = map_of(r);
    const branch *of[MOST];
    lm_val x[MOST][OPERANDS], sum[GROUPS] = {LM_NOVAL, LM_NOVAL}, t[GROUPS], out = LM_NOVAL;
    int n = 0;
    if (r->n->nx > OPERANDS) {
        lm_emit_fail(e, LM_UNSUPPORTED, "%s: %d operands", lm_ops[r->n->op].name, r->n->nx);
        return;
    }
    for (size_t i = 0; i < LM_COUNT(branches); i++)
        if (branches[i].rule == rule && branch_operands(&m, &branches[i], x[n]))
            of[n++] = &branches[i];
    for (int i = 0; i < n; i++) {
        lm_val z = run(&m, of[i], x[i]), *to = &sum[of[i]->group];
        if (*to == LM_NOVAL)
            *to = z;
        else
            *to = of[i]->c == C_MINUS ? lm_minus(e, *to, z) : lm_plus(e, *to, z);
    }
    for (int g = 0; g < GROUPS; g++)
        t[g] = sum[g] == LM_NOVAL ? LM_NOVAL : share_of(r, rule, g, sum[g]);
    for (int i = 0; i < n && e->status == LM_OK; i++) {
        lm_val back = weighted(r, of[i]->c, lm_times(e, x[i][m.x], pull(&m, x[i], t[of[i]->group])));
        out = out == LM_NOVAL ? back : lm_plus(e, out, back);
    }
    r->out[m.x] = out;
}
