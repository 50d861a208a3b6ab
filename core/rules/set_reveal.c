/* DeepLIFT, RevealCancel: what raised a value and what lowered it have multipliers of their own, so that effects that
 * cancel are seen. Linear ops take both parts apart by the signs of their weights; an activation gives each part the mean
 * of what it does before and after the other one. Everything else has one multiplier for both, as in rescale. */
#include "core/graph/passes.h"
#include "core/rules/grad.h"
#include "core/rules/linear.h"
#include "core/rules/sets.h"

static lm_val plus_if_any(lm_emit *e, lm_val a, lm_val b)
{
    return a == LM_NOVAL ? b : b == LM_NOVAL ? a : lm_plus(e, a, b);
}

/* The parts in the shape of the result; one that nothing adds to is zero. */
static lm_parts in_shape(const lm_rx *r, lm_val pos, lm_val neg)
{
    const lm_type to = *lm_emit_type(r->e, r->y);
    lm_val part[] = {pos, neg};
    for (int i = 0; i < 2 && r->e->status == LM_OK; i++)
        part[i] = part[i] == LM_NOVAL ? lm_emit_full(r->e, to.dt, &to.sh, 0)
                                      : lm_emit_expand(r->e, lm_emit_cast(r->e, part[i], to.dt), &to.sh);
    return (lm_parts){part[0], part[1]};
}

static lm_parts linear_parts(const lm_rx *r)
{
    const lm_parts d = r->dx[lm_linear_operand(r)];
    lm_val raised = lm_linear_apply(r, LM_LINEAR_POS, d.pos), lowered = lm_linear_apply(r, LM_LINEAR_POS, d.neg);
    raised = plus_if_any(r->e, raised, lm_linear_apply(r, LM_LINEAR_NEG, d.neg));
    lowered = plus_if_any(r->e, lowered, lm_linear_apply(r, LM_LINEAR_NEG, d.pos));
    return in_shape(r, raised, lowered);
}

static void linear(const lm_rx *r)
{
    const int i = lm_linear_operand(r);
    r->out[i] = plus_if_any(r->e, lm_linear_back(r, LM_LINEAR_POS, r->s), lm_linear_back(r, LM_LINEAR_NEG, r->s2));
    r->out2[i] = plus_if_any(r->e, lm_linear_back(r, LM_LINEAR_POS, r->s2), lm_linear_back(r, LM_LINEAR_NEG, r->s));
}

/* a + b, a - b and -a: what is taken away raises by what lowers it. */
static lm_parts sum_parts(const lm_rx *r)
{
    lm_val pos = LM_NOVAL, neg = LM_NOVAL;
    for (int i = 0; i < r->n->nx; i++) {
        const bool minus = r->n->op == LM_OP_NEG || (r->n->op == LM_OP_SUB && i == 1);
        if (!r->want[i])
            continue;
        const lm_parts d = r->dx[i];
        pos = plus_if_any(r->e, pos, minus ? lm_unary(r->e, LM_OP_NEG, d.neg) : d.pos);
        neg = plus_if_any(r->e, neg, minus ? lm_unary(r->e, LM_OP_NEG, d.pos) : d.neg);
    }
    return in_shape(r, pos, neg);
}

static void sum(const lm_rx *r)
{
    for (int i = 0; i < r->n->nx; i++) {
        const bool minus = r->n->op == LM_OP_NEG || (r->n->op == LM_OP_SUB && i == 1);
        r->out[i] = minus ? lm_unary(r->e, LM_OP_NEG, r->s2) : r->s;
        r->out2[i] = minus ? lm_unary(r->e, LM_OP_NEG, r->s) : r->s2;
    }
}

/* f once more, of another operand. */
static lm_val at(const lm_rx *r, lm_val x)
{
    return lm_emit_one(r->e, r->n->op, r->n->a, r->n->nx,
                       r->n->nx == 1 ? &x : (lm_val[]){x, r->n->nx > 1 ? r->x[1] : LM_NOVAL});
}

static lm_parts act_parts(const lm_rx *r)
{
    lm_emit *e = r->e;
    if (r->n->nx > 2 || (r->n->nx == 2 && r->want[1])) {
        lm_val change = lm_minus(e, r->y, r->y0), zero = lm_number(e, change, 0);
        return (lm_parts){lm_unary(e, LM_OP_RELU, change), lm_emit1(e, LM_OP_MIN, NULL, change, zero)};
    }
    lm_val up = at(r, lm_plus(e, r->x0[0], r->dx[0].pos)), down = at(r, lm_plus(e, r->x0[0], r->dx[0].neg));
    lm_val first[] = {lm_minus(e, up, r->y0), lm_minus(e, down, r->y0)};
    lm_val second[] = {lm_minus(e, r->y, down), lm_minus(e, r->y, up)};
    lm_parts out;
    out.pos = lm_emit_scalar(e, LM_OP_MUL, lm_plus(e, first[0], second[0]), 0.5);
    out.neg = lm_emit_scalar(e, LM_OP_MUL, lm_plus(e, first[1], second[1]), 0.5);
    return out;
}

static void act(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val *out[] = {&r->out[0], &r->out2[0]};
    const lm_val s[] = {r->s, r->s2}, dx[] = {r->dx[0].pos, r->dx[0].neg}, dy[] = {r->dy.pos, r->dy.neg};
    for (int k = 0; k < 2; k++) {
        lm_rx one = *r;
        one.s = s[k];
        one.out = out[k];
        lm_rule_grad(&one);
        lm_val still = lm_emit_scalar(e, LM_OP_LESS, lm_unary(e, LM_OP_ABS, dx[k]), r->options->still);
        lm_val by = lm_choose(e, still, lm_number(e, dx[k], 1), dx[k]);
        *out[k] = lm_choose(e, still, *out[k], lm_over(e, lm_times(e, s[k], dy[k]), by));
    }
}

/* What moves values moves both parts. */
static lm_parts moved_parts(const lm_rx *r)
{
    lm_val part[2];
    lm_val *x = lm_arena_alloc(&r->e->g->arena, (size_t)r->n->nx, sizeof *x);
    if (!x) {
        r->e->status = LM_MEMORY;
        return (lm_parts){LM_NOVAL, LM_NOVAL};
    }
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < r->n->nx; i++) {
            const bool is_float = r->x[i] != LM_NOVAL && lm_dtype_is_float(lm_emit_type(r->e, r->x[i])->dt);
            x[i] = !is_float ? r->x[i] : !r->want[i] ? lm_zeros(r->e, r->x[i]) : k ? r->dx[i].neg : r->dx[i].pos;
        }
        part[k] = lm_emit_one(r->e, r->n->op, r->n->a, r->n->nx, x);
    }
    return (lm_parts){part[0], part[1]};
}

static void moved(const lm_rx *r)
{
    lm_rx second = *r;
    lm_rule_grad(r);
    second.s = r->s2;
    second.out = r->out2;
    lm_rule_grad(&second);
}

#define CLASS(class_, rule_, parts_)                                                                                   \
    {.match = LM_MATCH_CLASS, .key = LM_CLASS_##class_, .rule = rule_, .parts = parts_}
#define OP(op_, rule_, parts_) {.match = LM_MATCH_OP, .key = LM_OP_##op_, .rule = rule_, .parts = parts_}
static const lm_row rows[] = {
    CLASS(LINEAR, linear, linear_parts), CLASS(ADD, sum, sum_parts),      OP(NEG, sum, sum_parts),
    OP(PRELU, act, act_parts),           CLASS(MOVE, moved, moved_parts), CLASS(ACT, act, act_parts),
};
const lm_ruleset lm_set_deeplift_revealcancel = {
    .name = "deeplift_revealcancel", .base = &lm_set_deeplift, .rows = rows, .nrows = (int)LM_COUNT(rows),
    .deflt = LM_DEFAULT_GRAD, .n_ref = true, .nsig = 2, .canon = LM_CANON_RAISE};
