/* Branches of the linear rule, emitted. */
#include "core/rules/linear.h"

#include <string.h>

#include "core/rules/grad.h"
#include "core/rules/trace.h"

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

lm_val lm_stabiliser(lm_emit *e, lm_val z, double eps)
{
    if (e->status != LM_OK || lm_emit_nonneg(e, z))
        return lm_number(e, z, eps);
    lm_val below = lm_emit_scalar(e, LM_OP_LESS, z, 0);
    return lm_choose(e, below, lm_number(e, z, -eps), lm_number(e, z, eps));
}

enum { OPERANDS = 5 };

/* The node seen as a linear map of x: which operand that is, and which are weights and bias (-1: none). Sums and
 * averages have weights of their own, none of which is negative. */
typedef struct map {
    const lm_rx *r;
    lm_opid op;
    int x, w, bias;
    lm_val at[OPERANDS]; /* operands; a division is a product with the reciprocal, so that weights have parts */
} map;

int lm_linear_operand(const lm_rx *r)
{
    int x = 0;
    while (x + 1 < r->n->nx && !r->want[x])
        x++;
    return x;
}

static bool map_of(const lm_rx *r, bool whole, map *m)
{
    *m = (map){.r = r, .op = r->n->op, .x = lm_linear_operand(r), .w = -1, .bias = -1};
    if (r->n->nx > OPERANDS) {
        lm_emit_fail(r->e, LM_UNSUPPORTED, "%s: %d operands", lm_ops[r->n->op].name, r->n->nx);
        return false;
    }
    for (int i = 0; i < r->n->nx; i++)
        m->at[i] = r->x[i];
    switch (r->n->op) {
    case LM_OP_CONV:
    case LM_OP_CONV_T:
    case LM_OP_MATMUL:
    case LM_OP_MUL:
    case LM_OP_DIV:
    case LM_OP_CONV_DW:
        m->w = 1 - m->x;
        m->bias = r->n->nx > 2 && r->x[2] != LM_NOVAL ? 2 : -1;
        break;
    default:
        break;
    }
    if (m->op == LM_OP_DIV && !whole) {
        m->op = LM_OP_MUL;
        m->at[1] = lm_unary(r->e, LM_OP_RECIPROCAL, m->at[1]);
    }
    return r->e->status == LM_OK;
}

/* A bound of the input, in the shape of v. */
static lm_val bound_of(const lm_rx *r, lm_val v, lm_val bound, double number)
{
    lm_emit *e = r->e;
    const lm_type to = *lm_emit_type(e, v);
    if (bound == LM_NOVAL && r->options->bounded)
        bound = lm_number(e, v, number);
    if (bound == LM_NOVAL) {
        lm_emit_fail(e, LM_USAGE, "%s: the box rule needs the lowest and highest value of the input (low, high)",
                     lm_ops[r->n->op].name);
        return LM_NOVAL;
    }
    lm_shape both;
    if (e->status == LM_OK && (lm_shape_broadcast(lm_emit_shape(e, bound), &to.sh, &both) != LM_OK ||
                               !lm_shape_equal(&both, &to.sh))) {
        char is[LM_SHAPE_TEXT], should[LM_SHAPE_TEXT];
        lm_emit_fail(e, LM_USAGE, "%s: bounds of the shape %s do not fit what the box rule stands before, %s",
                     lm_ops[r->n->op].name, lm_shape_text(lm_emit_shape(e, bound), is), lm_shape_text(&to.sh, should));
        return LM_NOVAL;
    }
    return lm_emit_expand(e, lm_emit_cast(e, bound, to.dt), &to.sh);
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
    case PART_HIGH: return bound_of(r, v, p == PART_LOW ? o->low : o->high, p == PART_LOW ? o->lowest : o->highest);
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
    memcpy(x, m->at, sizeof m->at);
    x[m->x] = part_of(r, m->at[m->x], b->x, &none);
    if (m->w >= 0)
        x[m->w] = part_of(r, m->at[m->w], b->w, &none);
    else if (b->w == PART_NEG)
        none = true;
    else if (b->w == PART_MORE_POS)
        x[m->x] = lm_emit_scalar(r->e, LM_OP_MUL, x[m->x], 1 + r->options->gamma);
    if (m->bias >= 0) {
        bool no_bias = b->bias == PART_NONE || r->options->no_bias;
        lm_val bias = no_bias ? LM_NOVAL : part_of(r, m->at[m->bias], b->bias, &no_bias);
        x[m->bias] = no_bias ? LM_NOVAL : bias;
    }
    return !none;
}

/* The whole map with its bias is what the network has computed already. */
static lm_val run(const map *m, const branch *b, const lm_val *x)
{
    const bool all_bias = m->bias < 0 || (b->bias == PART_ALL && !m->r->options->no_bias);
    if (b->x == PART_ALL && b->w == PART_ALL && all_bias)
        return m->r->y;
    return lm_emit_one(m->r->e, m->op, m->r->n->a, m->r->n->nx, x);
}

/* vjp_x(op, t, w): what comes back to x does not depend on x. */
static lm_val pull(const map *m, const lm_val *x, lm_val t)
{
    lm_val out[OPERANDS] = {LM_NOVAL};
    bool want[OPERANDS] = {false};
    lm_node like = *m->r->n;
    lm_rx one = *m->r;
    want[m->x] = true;
    like.op = m->op;
    like.x = x;
    one.n = &like;
    one.x = x;
    one.want = want;
    one.out = out;
    one.s = t;
    lm_rule_grad(&one);
    return out[m->x];
}

/* One rule at one node: what its branches ran on, and by group the sum, what keeps it off zero and the quotient. */
enum { MOST = 4, GROUPS = 2 };
typedef struct sums {
    map m;
    lm_linear_id rule;
    int n;
    const branch *of[MOST];
    lm_val x[MOST][OPERANDS];
    lm_val z[GROUPS], away[GROUPS], t[GROUPS];
} sums;

static double factor(const lm_rx *r, coefficient c)
{
    const double by[] = {[C_PLUS] = 1, [C_MINUS] = -1, [C_ALPHA] = r->options->alpha, [C_BETA] = -r->options->beta};
    return by[c];
}

static lm_val weighted(const lm_rx *r, coefficient c, lm_val v)
{
    return factor(r, c) == 1 ? v : lm_emit_scalar(r->e, LM_OP_MUL, v, factor(r, c));
}

static void add_branches(sums *s)
{
    lm_emit *e = s->m.r->e;
    for (size_t i = 0; i < LM_COUNT(branches); i++)
        if (branches[i].rule == s->rule && factor(s->m.r, branches[i].c) != 0 &&
            branch_operands(&s->m, &branches[i], s->x[s->n]))
            s->of[s->n++] = &branches[i];
    for (int i = 0; i < s->n; i++) {
        lm_val z = run(&s->m, s->of[i], s->x[i]), *to = &s->z[s->of[i]->group];
        if (*to == LM_NOVAL)
            *to = z;
        else
            *to = s->of[i]->c == C_MINUS ? lm_minus(e, *to, z) : lm_plus(e, *to, z);
    }
}

/* s m_g / stab(denominator) */
static void divide(sums *s, int g)
{
    const lm_rx *r = s->m.r;
    lm_emit *e = r->e;
    if (s->z[g] == LM_NOVAL)
        return;
    s->away[g] = lm_stabiliser(e, s->z[g], facts[s->rule].own_eps ? r->options->eps : r->options->stab);
    lm_val t = lm_over(e, r->s, lm_plus(e, s->z[g], s->away[g]));
    if (facts[s->rule].by_sign)
        t = lm_choose(e, lm_emit_scalar(e, g == 0 ? LM_OP_GREATER : LM_OP_LESS, r->y, 0), t, lm_number(e, t, 0));
    s->t[g] = t;
}

/* t as [blocks, .., channels, ..] summed down to [blocks, channels]: a bias need not be spread over the result. */
static lm_val by_channel(const lm_rx *r, lm_val t)
{
    lm_emit *e = r->e;
    const lm_shape from = *lm_emit_shape(e, t);
    const int axis = r->n->op == LM_OP_MATMUL ? from.rank - 1 : 1;
    int64_t before = 1, behind = 1;
    for (int i = 0; i < from.rank; i++) {
        before *= i < axis ? from.dim[i] : 1;
        behind *= i > axis ? from.dim[i] : 1;
    }
    if (from.rank > 2 && axis == 1 && (r->wide == 1 || from.dim[0] == r->wide)) { /* however it lies in memory */
        const uint32_t image = ((uint32_t)1 << from.rank) - 4, all = r->wide == 1 ? image | 1 : image;
        const lm_shape to = LM_SHAPE(r->wide, from.dim[1]);
        return lm_emit_reshape(e, lm_emit_reduce(e, LM_OP_REDUCE_SUM, t, all, false), &to);
    }
    const lm_shape cut = LM_SHAPE(r->wide, before / r->wide, from.dim[axis], behind);
    return lm_emit_reduce(e, LM_OP_REDUCE_SUM, lm_emit_reshape(e, t, &cut), 2 | 8, false);
}

/* The shares that do not go on: t bias, and t times what keeps the denominator off zero. */
static void report(const sums *s)
{
    const lm_rx *r = s->m.r;
    bool seen[GROUPS] = {false};
    for (int i = 0; i < s->n && r->e->status == LM_OK; i++) {
        const int g = s->of[i]->group;
        lm_val bias = s->m.bias < 0 ? LM_NOVAL : s->x[i][s->m.bias];
        if (bias != LM_NOVAL && s->m.w >= 0)
            lm_trace_keep(r, &r->row->bias,
                          weighted(r, s->of[i]->c, lm_times(r->e, by_channel(r, s->t[g]), bias)));
        if (!seen[g]) {
            lm_val away = weighted(r, s->of[i]->c, lm_times(r->e, s->t[g], s->away[g]));
            lm_trace_keep(r, &r->row->stabiliser, away);
        }
        seen[g] = true;
    }
}

static lm_linear_id variant(lm_linear_id rule, const lm_rule_options *o)
{
    switch (rule) {
    case LM_LINEAR_ZPLUS: return o->whole_input ? LM_LINEAR_ZPLUS_WHOLE : rule;
    case LM_LINEAR_GAMMA: return o->whole_input ? LM_LINEAR_GAMMA_WHOLE : rule;
    case LM_LINEAR_WSQUARE: return o->square_bias ? LM_LINEAR_WSQUARE_BIAS : rule;
    default: return rule;
    }
}

static bool is_linear(const lm_rx *r)
{
    const lm_class cls = lm_ops[r->n->op].cls;
    const bool both = r->n->nx > 1 && r->want[0] && r->want[1];
    return cls == LM_CLASS_LINEAR || (cls == LM_CLASS_BILINEAR && !both);
}

void lm_rule_linear(const lm_rx *r)
{
    lm_emit *e = r->e;
    sums s = {.rule = variant(*(const lm_linear_id *)r->cfg, r->options)};
    lm_val out = LM_NOVAL;
    if (!is_linear(r)) {
        lm_emit_fail(e, LM_USAGE, "%s: this rule is for nodes that are linear in one operand", lm_ops[r->n->op].name);
        return;
    }
    if (!map_of(r, s.rule == LM_LINEAR_EPSILON, &s.m))
        return;
    add_branches(&s);
    for (int g = 0; g < GROUPS; g++)
        divide(&s, g);
    for (int i = 0; i < s.n && e->status == LM_OK; i++) {
        lm_val pulled = pull(&s.m, s.x[i], s.t[s.of[i]->group]);
        lm_val back = weighted(r, s.of[i]->c, lm_times(e, s.x[i][s.m.x], pulled));
        out = out == LM_NOVAL ? back : lm_plus(e, out, back);
    }
    if (r->row)
        report(&s);
    r->out[s.m.x] = out;
}

/* The map with a part of its weights; false when there is nothing in it. */
static bool part_map(const lm_rx *r, lm_linear_part which, map *m)
{
    static const part parts[] = {[LM_LINEAR_ALL] = PART_ALL, [LM_LINEAR_POS] = PART_POS, [LM_LINEAR_NEG] = PART_NEG};
    bool none = false;
    if (!map_of(r, false, m))
        return false;
    if (m->bias >= 0)
        m->at[m->bias] = LM_NOVAL;
    if (m->w >= 0)
        m->at[m->w] = part_of(r, m->at[m->w], parts[which], &none);
    return !none && (m->w >= 0 || which != LM_LINEAR_NEG);
}

lm_val lm_linear_apply(const lm_rx *r, lm_linear_part which, lm_val x)
{
    map m;
    if (!part_map(r, which, &m))
        return LM_NOVAL;
    m.at[m.x] = x;
    return lm_emit_one(r->e, m.op, r->n->a, r->n->nx, m.at);
}

lm_val lm_linear_back(const lm_rx *r, lm_linear_part which, lm_val t)
{
    map m;
    return part_map(r, which, &m) ? pull(&m, m.at, t) : LM_NOVAL;
}
