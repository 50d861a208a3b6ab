/* The walk: from the last node to the first, each node's rule turns the signal at its result into signals for its
 * operands. */
#include "core/graph/emit_move.h"
#include "core/graph/expand.h"
#include "core/rules/match.h"
#include "core/rules/twin.h"

/* One consumer's contribution to a value's signal. The newest comes first in a list, and the walk visits the last
 * consumer first, so lists are in the order of consumers. */
typedef struct part {
    lm_val s;
    struct part *next;
} part;

typedef struct walk {
    lm_emit *e;
    const lm_backward *b;
    const lm_rule_options *options;
    lm_path path;
    part **parts; /* by value */
    lm_val *twin; /* by value: itself in the reference run; NULL for sets without one */
    lm_arena arena;
} walk;

/* The sum of `s` over the axes along which a value of this type was broadcast, in its type. */
static lm_val shrink(lm_emit *e, lm_val s, const lm_type *to)
{
    const lm_shape *from = lm_emit_shape(e, s);
    const int added = from->rank - to->sh.rank;
    uint32_t axes = 0;
    for (int i = 0; i < from->rank; i++)
        if (i < added || (to->sh.dim[i - added] == 1 && from->dim[i] != 1))
            axes |= 1u << i;
    if (axes)
        s = lm_emit_reduce(e, LM_OP_REDUCE_SUM, s, axes, true);
    return lm_emit_cast(e, lm_emit_reshape(e, s, &to->sh), to->dt);
}

static void contribute(walk *w, lm_val v, lm_val s)
{
    lm_emit *e = w->e;
    if (e->status != LM_OK || s == LM_NOVAL || !lm_on_path(&w->path, v))
        return;
    const lm_type type = *lm_emit_type(e, v);
    part *p = lm_arena_alloc(&w->arena, 1, sizeof *p);
    if (!p) {
        e->status = LM_MEMORY;
        return;
    }
    *p = (part){shrink(e, s, &type), w->parts[v]};
    w->parts[v] = p;
}

/* The whole signal of a value: LM_NOVAL where none came. */
static lm_val gathered(walk *w, lm_val v)
{
    part *p = w->parts[v];
    if (!p)
        return LM_NOVAL;
    lm_val sum = p->s;
    for (part *next = p->next; next; next = next->next)
        sum = lm_emit1(w->e, LM_OP_ADD, NULL, sum, next->s);
    *p = (part){sum, NULL};
    return sum;
}

static lm_status run_walk(lm_emit *e, const lm_backward *b, const walk *outer);

/* Go inside a composite: emit its expansion and walk over that. Signals end at the composite's operands. */
static void walk_inside(walk *w, const lm_node *n, const lm_val *s, const bool *want, lm_val *out)
{
    lm_val made[LM_OUT_MAX], target[LM_OUT_MAX], seed[LM_OUT_MAX];
    const lm_composite c = {.op = n->op, .a = n->a, .nx = n->nx, .ny = n->ny, .x = n->x, .y = made};
    lm_val *wrt = lm_arena_alloc(&w->arena, 3 * (size_t)n->nx, sizeof *wrt), *signal = wrt + n->nx;
    lm_val *baseline = signal + n->nx;
    if (!wrt) {
        w->e->status = LM_MEMORY;
        return;
    }
    if (lm_expand(w->e, &c) != LM_OK)
        return;
    lm_backward inner = {.set = w->b->set, .options = w->options, .target = target, .seed = seed, .wrt = wrt, .signal = signal,
                         .baseline = baseline, .leaves = true};
    for (int i = 0; i < n->ny; i++)
        if (s[i] != LM_NOVAL) {
            target[inner.ntarget] = made[i];
            seed[inner.ntarget++] = s[i];
        }
    for (int i = 0; i < n->nx; i++) {
        bool again = false; /* the same value as an earlier operand, which gets the signals of both */
        for (int k = 0; k < i; k++)
            again |= n->x[k] == n->x[i];
        if (want[i] && !again) {
            baseline[inner.nwrt] = w->twin ? w->twin[n->x[i]] : LM_NOVAL;
            wrt[inner.nwrt++] = n->x[i];
        }
    }
    if (run_walk(w->e, &inner, w) != LM_OK)
        return;
    for (int i = 0, k = 0; i < n->nx && k < inner.nwrt; i++)
        if (want[i] && n->x[i] == wrt[k])
            out[i] = signal[k++];
}

static const char *called(const lm_node *n)
{
    return n->name ? n->name : n->scope ? n->scope : "(unnamed)";
}

static void apply(walk *w, const lm_node *n, const lm_val *s, const bool *want, lm_val *out)
{
    lm_emit *e = w->e;
    const lm_ruleset *set = w->b->set;
    const lm_row *row = lm_match_row(set, &w->path, n);
    lm_rx r = {.e = e, .n = n, .x = n->x, .y = n->y[0], .s = s[0], .want = want, .out = out,
               .cfg = row ? row->cfg : NULL, .options = w->options};
    lm_val *x0 = w->twin ? lm_arena_alloc(&w->arena, (size_t)n->nx, sizeof *x0) : NULL;
    if (w->twin && !x0) {
        e->status = LM_MEMORY;
        return;
    }
    for (int i = 0; x0 && i < n->nx; i++)
        x0[i] = w->twin[n->x[i]];
    r.x0 = x0;
    r.y0 = x0 ? w->twin[n->y[0]] : LM_NOVAL;
    const bool inside = lm_ops[n->op].composite && (!row || row->rule == lm_rule_grad);
    if (lm_ops[n->op].grad == LM_GRAD_OPAQUE)
        lm_emit_fail(e, LM_UNSUPPORTED, "%s: it has no derivative, and the way back from the target leads through it",
                     lm_ops[n->op].name);
    else if (inside)
        walk_inside(w, n, s, want, out);
    else if (row)
        row->rule(&r);
    else if (set->deflt == LM_DEFAULT_GRAD)
        lm_rule_grad(&r);
    else
        lm_emit_fail(e, LM_UNSUPPORTED, "%s: rule set %s has no rule for it", lm_ops[n->op].name, set->name);
}

static void visit(walk *w, const lm_node *n)
{
    lm_val s[LM_OUT_MAX] = {LM_NOVAL};
    bool any = false;
    for (int i = 0; i < n->ny; i++) {
        const bool leaf = w->b->leaves && (w->path.mark[n->y[i]] & LM_PATH_WRT);
        s[i] = leaf ? LM_NOVAL : gathered(w, n->y[i]);
        any |= s[i] != LM_NOVAL;
    }
    if (!any)
        return;
    lm_val *out = lm_arena_alloc(&w->arena, (size_t)n->nx, sizeof *out);
    bool *want = lm_arena_alloc(&w->arena, (size_t)n->nx, sizeof *want);
    if (!out || !want) {
        w->e->status = LM_MEMORY;
        return;
    }
    bool wanted = false;
    for (int i = 0; i < n->nx; i++) {
        want[i] = lm_on_path(&w->path, n->x[i]);
        wanted |= want[i];
        /* what is emitted for the node hangs on its operands, not on what they were moved from: an expansion has to begin
         * at them, and a second walk may ask for them */
        lm_graph_value(w->e->g, n->x[i])->wall = true;
    }
    if (!wanted)
        return;
    w->e->scope = n->scope;
    apply(w, n, s, want, out);
    for (int i = n->nx - 1; i >= 0; i--)
        if (want[i])
            contribute(w, n->x[i], out[i]);
    if (w->e->status != LM_OK)
        w->e->status = lm_context(w->e->status, "signal through node %s (%s)", called(n), lm_ops[n->op].name);
}

/* Targets get their seeds; one that cannot send anything back must have no way to. */
static void start(walk *w)
{
    lm_emit *e = w->e;
    const lm_backward *b = w->b;
    for (int i = b->ntarget - 1; i >= 0 && e->status == LM_OK; i--) {
        const lm_node *cut = NULL;
        lm_val seed = b->seed ? b->seed[i] : LM_NOVAL;
        const lm_type type = *lm_emit_type(e, b->target[i]);
        if (!lm_on_path(&w->path, b->target[i])) {
            e->status = lm_path_cut(&w->path, b->nwrt, b->wrt, b->target[i], &cut);
            if (cut)
                lm_emit_fail(e, LM_UNSUPPORTED,
                             "node %s (%s) has no derivative and cuts every way from the target to what it is to be "
                             "explained by",
                             called(cut), lm_ops[cut->op].name);
            continue;
        }
        if (seed == LM_NOVAL)
            seed = lm_emit_full(e, type.dt, &type.sh, 1);
        contribute(w, b->target[i], seed);
    }
}

static void finish(walk *w)
{
    for (int i = 0; i < w->b->nwrt && w->e->status == LM_OK; i++) {
        const lm_type type = *lm_emit_type(w->e, w->b->wrt[i]);
        lm_val s = gathered(w, w->b->wrt[i]);
        w->b->signal[i] = s != LM_NOVAL ? s : lm_emit_full(w->e, type.dt, &type.sh, 0);
    }
}

static lm_status check(const lm_emit *e, const lm_backward *b)
{
    for (int i = 0; i < b->nwrt; i++) {
        const lm_value *v = lm_graph_value(e->g, b->wrt[i]);
        LM_REQUIRE(lm_dtype_is_float(v->type.dt), LM_USAGE,
                   "value %s is %s: signals go back to floats only; ask for what is computed from it (an embedding)",
                   v->name ? v->name : "(unnamed)", lm_dtype_name(v->type.dt));
    }
    return LM_OK;
}

static lm_status prepare(walk *w, const walk *outer)
{
    const lm_backward *b = w->b;
    LM_TRY(check(w->e, b));
    LM_TRY(lm_path_find(w->e->g, b->nwrt, b->wrt, outer ? &outer->path : NULL, &w->path));
    w->parts = lm_calloc(w->path.values, sizeof(part *));
    if (!w->parts)
        return LM_MEMORY;
    if (!b->set->n_ref)
        return LM_OK;
    LM_REQUIRE(b->baseline, LM_USAGE, "rule set %s compares with a baseline, and there is none", b->set->name);
    return lm_twin_emit(w->e, &w->path, b, outer ? outer->twin : NULL, outer ? outer->path.values : 0, &w->twin);
}

/* `outer`: the walk that went inside a composite, which this one is a part of. */
static lm_status run_walk(lm_emit *e, const lm_backward *b, const walk *outer)
{
    const lm_rule_options usual = LM_RULE_OPTIONS_DEFAULT;
    walk w = {.e = e, .b = b, .options = b->options ? b->options : &usual};
    const char *scope = e->scope;
    for (int i = 0; i < b->nwrt; i++)
        b->signal[i] = LM_NOVAL;
    if (e->status == LM_OK)
        e->status = prepare(&w, outer);
    if (e->status == LM_OK) {
        start(&w);
        for (size_t i = w.path.nodes; i-- > (size_t)w.path.first && e->status == LM_OK;)
            visit(&w, e->g->nodes.at[i]);
        finish(&w);
    }
    e->scope = scope;
    lm_path_free(&w.path);
    lm_free(w.parts);
    lm_free(w.twin);
    lm_arena_free(&w.arena);
    return e->status;
}

lm_status lm_backward_emit(lm_emit *e, const lm_backward *b)
{
    return run_walk(e, b, NULL);
}
