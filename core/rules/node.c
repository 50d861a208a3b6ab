/* One node of a walk: finding its rule, showing it what it needs to see, keeping its answer. */
#include "core/graph/expand.h"
#include "core/rules/linear.h"
#include "core/rules/match.h"
#include "core/rules/sets.h"
#include "core/rules/trace.h"
#include "core/rules/walk.h"
#include "core/rules/wide.h"

/* Operands of n that signals are wanted for, each value once. */
static int different(const lm_node *n, const bool *want, lm_val *wrt)
{
    int count = 0;
    for (int i = 0; i < n->nx; i++) {
        bool again = false; /* the same value as an earlier operand, which gets the signals of both */
        for (int k = 0; k < i; k++)
            again |= n->x[k] == n->x[i];
        if (want[i] && !again)
            wrt[count++] = n->x[i];
    }
    return count;
}

static void hand_out(const lm_node *n, const bool *want, const lm_val *wrt, int nwrt, const lm_val *signal, lm_val *out)
{
    for (int i = 0, k = 0; i < n->nx && k < nwrt; i++)
        if (want[i] && n->x[i] == wrt[k])
            out[i] = signal[k++];
}

/* Go inside a composite: emit its expansion and walk over that with `set`. Signals end at the composite's operands. */
static void walk_inside(lm_walk_state *w, const lm_node *n, const lm_ruleset *set, lm_val s[LM_SIGNALS][LM_OUT_MAX],
                        const bool *want, lm_val *out[LM_SIGNALS])
{
    lm_val made[LM_OUT_MAX], target[LM_OUT_MAX], seed[LM_SIGNALS][LM_OUT_MAX];
    const lm_composite c = {.op = n->op, .a = n->a, .nx = n->nx, .ny = n->ny, .x = n->x, .y = made};
    const size_t room = (size_t)n->nx;
    lm_val *wrt = lm_arena_alloc(&w->arena, 4 * room, sizeof *wrt);
    if (!wrt) {
        w->e->status = LM_MEMORY;
        return;
    }
    lm_val *signal[LM_SIGNALS] = {wrt + room, wrt + 2 * room}, *baseline = wrt + 3 * room;
    if (lm_expand(w->e, &c) != LM_OK)
        return;
    lm_backward inner = {.set = set, .options = w->options, .target = target, .seed = seed[0], .wrt = wrt,
                         .signal = signal[0], .baseline = baseline, .leaves = true, .wide = w->wide,
                         .trace = w->b->trace};
    for (int i = 0; i < n->ny; i++)
        if (s[0][i] != LM_NOVAL) {
            lm_val one = w->nsig == 1 ? s[0][i] : lm_change_joined(w, n->y[i], s[0][i], s[1][i]);
            target[inner.ntarget] = made[i];
            seed[0][inner.ntarget] = seed[1][inner.ntarget] = one;
            inner.ntarget++;
        }
    inner.nwrt = different(n, want, wrt);
    for (int i = 0; i < inner.nwrt; i++)
        baseline[i] = w->twin ? w->twin[wrt[i]] : LM_NOVAL;
    lm_walk_state inside = {.e = w->e, .b = &inner, .options = w->options};
    if (w->nsig > 1) {
        inside.seed2 = seed[1];
        inside.signal2 = signal[1];
    }
    if (lm_walk_run(&inside, w) != LM_OK)
        return;
    for (int k = 0; k < w->nsig; k++)
        hand_out(n, want, wrt, inner.nwrt, signal[k], out[k]);
}

/* A row with numbers of its own. */
static const lm_rule_options *options_of(lm_walk_state *w, const lm_row *row)
{
    if (!row || !row->own)
        return w->options;
    lm_rule_options *o = lm_arena_copy(&w->arena, w->options, 1, sizeof *o);
    const lm_row_numbers *own = row->own;
    if (!o) {
        w->e->status = LM_MEMORY;
        return w->options;
    }
    if (own->has & LM_OWN_EPS)
        o->eps = o->stab = own->eps;
    if (own->has & LM_OWN_GAMMA)
        o->gamma = own->gamma;
    if (own->has & LM_OWN_ALPHA)
        o->alpha = own->alpha;
    if (own->has & LM_OWN_BETA)
        o->beta = own->beta;
    if ((own->has & LM_OWN_BOUNDS) == LM_OWN_BOUNDS) {
        o->low = o->high = LM_NOVAL;
        o->bounded = true;
        o->lowest = own->low;
        o->highest = own->high;
    }
    return o;
}

/* The node as its rule sees it, and what that says about it. */
typedef struct view {
    lm_rx r;
    lm_node n;
    lm_attrs a;
    lm_wide_form form;
    lm_trace_row row;
} view;

static lm_val operand(lm_walk_state *w, const view *v, int i, lm_val x)
{
    return lm_wide_operand(w->e, &w->path, &v->n, v->form, w->wide, i, x);
}

static lm_val result(lm_walk_state *w, const view *v, lm_val y)
{
    return lm_wide_result(w->e, v->form, w->wide, y);
}

static lm_parts parts_of(lm_walk_state *w, const view *v, int i, lm_val x)
{
    const lm_parts p = lm_change_of(w, x);
    return i < 0 ? (lm_parts){result(w, v, p.pos), result(w, v, p.neg)}
                 : (lm_parts){operand(w, v, i, p.pos), operand(w, v, i, p.neg)};
}

static bool show_operands(lm_walk_state *w, const lm_node *n, view *v)
{
    lm_val *x = lm_arena_alloc(&w->arena, 2 * (size_t)n->nx, sizeof *x), *x0 = x + n->nx;
    lm_parts *dx = w->change ? lm_arena_alloc(&w->arena, (size_t)n->nx, sizeof *dx) : NULL;
    if (!x || (w->change && !dx)) {
        w->e->status = LM_MEMORY;
        return false;
    }
    for (int i = 0; i < n->nx; i++) {
        x[i] = operand(w, v, i, n->x[i]);
        if (w->twin)
            x0[i] = w->twin[n->x[i]] == n->x[i] ? x[i] : operand(w, v, i, w->twin[n->x[i]]);
        if (dx)
            dx[i] = parts_of(w, v, i, n->x[i]);
    }
    v->r.x = x;
    v->r.x0 = w->twin ? x0 : NULL;
    v->r.dx = dx;
    return true;
}

static bool show(lm_walk_state *w, const lm_node *n, lm_val s[LM_SIGNALS][LM_OUT_MAX], view *v)
{
    const lm_shape shape = *lm_emit_shape(w->e, n->y[0]);
    v->n = *n;
    if (w->wide > 1) {
        v->form = lm_wide_form_of(&w->path, n);
        if (v->form == LM_WIDE_NONE) {
            lm_emit_fail(w->e, LM_UNSUPPORTED, "%s: it cannot tell several targets apart; walk from one at a time",
                         lm_ops[n->op].name);
            return false;
        }
        v->a = lm_wide_attrs(&w->path, n, v->form, w->wide);
        v->n.a = &v->a;
    }
    v->r.n = &v->n;
    v->r.y = result(w, v, n->y[0]);
    v->r.y0 = !w->twin ? LM_NOVAL : w->twin[n->y[0]] == n->y[0] ? v->r.y : result(w, v, w->twin[n->y[0]]);
    v->r.s = lm_wide_signal(w->e, v->form, w->wide, s[0][0], &shape);
    if (w->nsig > 1) {
        v->r.s2 = lm_wide_signal(w->e, v->form, w->wide, s[1][0], &shape);
        v->r.dy = parts_of(w, v, -1, n->y[0]);
    }
    return show_operands(w, n, v) && w->e->status == LM_OK;
}

static void refuse(lm_walk_state *w, const lm_node *n)
{
    const lm_row *other = lm_match_row(&lm_set_attn_lrp, &w->path, n);
    const bool two = lm_node_class(&w->path, n) == LM_CLASS_BILINEAR;
    lm_emit_fail(w->e, LM_UNSUPPORTED, "%s: rule set %s has no rule for %s%s", lm_ops[n->op].name, w->b->set->name,
                 two ? "a product of two activations" : "it", other ? "; method attnlrp has one" : "");
}

/* Run the rule over what it was shown. A rule for one signal gets both as one. */
static void answer(lm_walk_state *w, const lm_node *n, const lm_row *row, view *v, lm_val *out[LM_SIGNALS])
{
    lm_rx *r = &v->r;
    const bool both = row && row->parts;
    if (w->nsig > 1 && !both) {
        const lm_shape shape = *lm_emit_shape(w->e, n->y[0]), kept = lm_wide_shape(&shape, w->wide);
        lm_val pos = lm_emit_reshape(w->e, r->s, &kept), neg = lm_emit_reshape(w->e, r->s2, &kept);
        lm_val one = lm_change_joined(w, n->y[0], pos, neg);
        r->s = r->s2 = lm_wide_signal(w->e, v->form, w->wide, one, &shape);
    }
    if (row)
        row->rule(r);
    else if (w->b->set->deflt == LM_DEFAULT_GRAD)
        lm_rule_grad(r);
    else
        refuse(w, n);
    for (int i = 0; w->nsig > 1 && !both && i < n->nx; i++)
        out[1][i] = out[0][i];
}

static void keep_answer(lm_walk_state *w, const lm_node *n, const view *v, const bool *want, lm_val *out)
{
    for (int i = 0; i < n->nx && w->e->status == LM_OK; i++) {
        const lm_type type = *lm_emit_type(w->e, n->x[i]);
        out[i] = want[i] && out[i] != LM_NOVAL ? lm_wide_shrink(w->e, v->form, w->wide, out[i], &type) : LM_NOVAL;
    }
}

static void apply(lm_walk_state *w, const lm_node *n, const lm_row *row, lm_val s[LM_SIGNALS][LM_OUT_MAX],
                  const bool *want, lm_val *out[LM_SIGNALS])
{
    const lm_ruleset *set = w->b->set;
    const bool traced = w->b->trace && (set->deflt == LM_DEFAULT_REFUSE || set->n_ref);
    view v = {.r = {.e = w->e, .want = want, .out = out[0], .out2 = w->nsig > 1 ? out[1] : NULL,
                    .cfg = row ? row->cfg : NULL, .options = options_of(w, row), .wide = w->wide},
              .form = LM_WIDE_MERGED,
              .row = {.node = n}};
    if (!show(w, n, s, &v))
        return;
    v.r.row = traced ? &v.row : NULL;
    answer(w, n, row, &v, out);
    if (traced)
        lm_trace_node(&v.r);
    for (int k = 0; k < w->nsig; k++)
        keep_answer(w, n, &v, want, out[k]);
    if (traced && w->e->status == LM_OK)
        w->e->status = lm_vec_push(w->b->trace, v.row);
}

void lm_rule_inside(const lm_rx *r)
{
    lm_emit_fail(r->e, LM_USAGE, "%s: there is nothing inside it to go into", lm_ops[r->n->op].name);
}

void lm_walk_node(lm_walk_state *w, const lm_node *n, lm_val s[LM_SIGNALS][LM_OUT_MAX], const bool *want,
                  lm_val *out[LM_SIGNALS])
{
    const lm_row *row = lm_match_row(w->b->set, &w->path, n);
    const bool composite = lm_ops[n->op].composite;
    if (lm_ops[n->op].grad == LM_GRAD_OPAQUE) {
        lm_emit_fail(w->e, LM_UNSUPPORTED, "%s: it has no derivative, and the way back from the target leads through it",
                     lm_ops[n->op].name);
    } else if (composite && row && row->rule == lm_rule_linear) {
        const lm_row same[] = {{.match = LM_MATCH_CLASS, .key = LM_CLASS_LINEAR, .rule = row->rule, .cfg = row->cfg,
                                .own = row->own}};
        lm_ruleset set = *w->b->set;
        set.base = w->b->set;
        set.rows = same;
        set.nrows = 1;
        walk_inside(w, n, &set, s, want, out);
    } else if (composite && row && row->rule == lm_rule_inside) {
        walk_inside(w, n, row->cfg, s, want, out);
    } else if (composite && (!row || row->rule == lm_rule_grad)) {
        if (!lm_walk_recurrent(w, n, s, want, out))
            walk_inside(w, n, w->b->set, s, want, out);
    } else {
        apply(w, n, row, s, want, out);
    }
}
