/* The walk: from the last node to the first, each node's rule turns the signal at its result into signals for its
 * operands. */
#include "core/graph/emit_move.h"
#include "core/rules/twin.h"
#include "core/rules/walk.h"
#include "core/rules/wide.h"

/* `s` as the walk keeps it. */
static void contribute(lm_walk_state *w, int k, lm_val v, lm_val s)
{
    if (w->e->status != LM_OK || s == LM_NOVAL || !lm_on_path(&w->path, v))
        return;
    lm_contribution *p = lm_arena_alloc(&w->arena, 1, sizeof *p);
    if (!p) {
        w->e->status = LM_MEMORY;
        return;
    }
    *p = (lm_contribution){s, w->parts[k][v]};
    w->parts[k][v] = p;
}

/* The whole signal of a value: LM_NOVAL where none came. */
static lm_val gathered(lm_walk_state *w, int k, lm_val v)
{
    lm_contribution *p = w->parts[k][v];
    if (!p)
        return LM_NOVAL;
    lm_val sum = lm_join_pieces(w, p);
    if (sum != LM_NOVAL || w->e->status != LM_OK) {
        *p = (lm_contribution){sum, NULL};
        return sum;
    }
    sum = p->s;
    for (lm_contribution *next = p->next; next; next = next->next)
        sum = lm_emit1(w->e, LM_OP_ADD, NULL, sum, next->s);
    *p = (lm_contribution){sum, NULL};
    return sum;
}

static const char unnamed[] = "(unnamed)";

static const char *called(const lm_graph *g, const lm_node *n)
{
    const char *value = lm_graph_value(g, n->y[0])->name;
    return n->name && *n->name ? n->name : value ? value : n->scope && *n->scope ? n->scope : unnamed;
}

/* Signals of the node's results; false when none came. */
static bool collect(lm_walk_state *w, const lm_node *n, lm_val s[LM_SIGNALS][LM_OUT_MAX])
{
    bool any = false;
    for (int k = 0; k < w->nsig; k++)
        for (int i = 0; i < n->ny; i++) {
            const bool leaf = w->b->leaves && (w->path.mark[n->y[i]] & LM_PATH_WRT);
            s[k][i] = leaf ? LM_NOVAL : gathered(w, k, n->y[i]);
            any |= s[k][i] != LM_NOVAL;
        }
    return any;
}

static void visit(lm_walk_state *w, const lm_node *n)
{
    lm_val s[LM_SIGNALS][LM_OUT_MAX] = {{LM_NOVAL}}, *out[LM_SIGNALS];
    if (!collect(w, n, s))
        return;
    out[0] = lm_arena_alloc(&w->arena, 2 * (size_t)n->nx, sizeof *out[0]);
    bool *want = lm_arena_alloc(&w->arena, (size_t)n->nx, sizeof *want), wanted = false;
    if (!out[0] || !want) {
        w->e->status = LM_MEMORY;
        return;
    }
    out[1] = out[0] + n->nx;
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
    lm_walk_node(w, n, s, want, out);
    for (int k = 0; k < w->nsig; k++)
        for (int i = n->nx - 1; i >= 0; i--)
            if (want[i])
                contribute(w, k, n->x[i], out[k][i]);
    if (w->e->status != LM_OK) {
        const char *name = called(w->e->g, n);
        w->e->status = lm_context(w->e->status, "signal through node %s (%s)", name, lm_ops[n->op].name);
        if (name != unnamed) /* else the node around it is named */
            lm_blame(name);
    }
}

/* The seed of target i, checked. */
static lm_val seed_of(lm_walk_state *w, int k, int i)
{
    const lm_backward *b = w->b;
    const lm_val *given = k && w->seed2 ? w->seed2 : b->seed;
    const lm_type type = *lm_emit_type(w->e, b->target[i]);
    const lm_shape shape = lm_wide_shape(&type.sh, w->wide);
    if (!given || given[i] == LM_NOVAL)
        return lm_emit_full(w->e, type.dt, &shape, 1);
    char is[LM_SHAPE_TEXT], should[LM_SHAPE_TEXT];
    if (!lm_shape_equal(lm_emit_shape(w->e, given[i]), &shape))
        lm_emit_fail(w->e, LM_USAGE, "seed %d has the shape %s; its target needs %s", i,
                     lm_shape_text(lm_emit_shape(w->e, given[i]), is), lm_shape_text(&shape, should));
    return lm_emit_cast(w->e, given[i], type.dt);
}

/* Targets get their seeds; one that cannot send anything back must have no way to. */
static void start(lm_walk_state *w)
{
    lm_emit *e = w->e;
    const lm_backward *b = w->b;
    for (int i = b->ntarget - 1; i >= 0 && e->status == LM_OK; i--) {
        const lm_node *cut = NULL;
        if (!lm_on_path(&w->path, b->target[i])) {
            e->status = lm_path_cut(&w->path, b->nwrt, b->wrt, b->target[i], false, &cut);
            if (cut)
                lm_emit_fail(e, LM_UNSUPPORTED,
                             "node %s (%s) has no derivative and cuts every way from the target to what it is to be "
                             "explained by",
                             called(e->g, cut), lm_ops[cut->op].name);
            continue;
        }
        for (int k = 0; k < w->nsig; k++)
            contribute(w, k, b->target[i], seed_of(w, k, i));
    }
}

static void finish(lm_walk_state *w)
{
    for (int i = 0; i < w->b->nwrt && w->e->status == LM_OK; i++) {
        const lm_type type = *lm_emit_type(w->e, w->b->wrt[i]);
        const lm_shape shape = lm_wide_shape(&type.sh, w->wide);
        lm_val s[LM_SIGNALS];
        for (int k = 0; k < w->nsig; k++) {
            s[k] = gathered(w, k, w->b->wrt[i]);
            if (s[k] == LM_NOVAL)
                s[k] = lm_emit_full(w->e, type.dt, &shape, 0);
        }
        if (w->signal2)
            w->signal2[i] = s[1];
        w->b->signal[i] = w->nsig == 1 || w->signal2 ? s[0] : lm_change_joined(w, w->b->wrt[i], s[0], s[1]);
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

static lm_status prepare(lm_walk_state *w, const lm_walk_state *outer)
{
    const lm_backward *b = w->b;
    LM_TRY(check(w->e, b));
    LM_TRY(lm_path_find(w->e->g, b->nwrt, b->wrt, outer ? &outer->path : NULL, &w->path));
    for (int k = 0; k < w->nsig; k++) {
        w->parts[k] = lm_calloc(w->path.values, sizeof *w->parts[k]);
        if (!w->parts[k])
            return LM_MEMORY;
    }
    if (!b->set->n_ref)
        return LM_OK;
    LM_REQUIRE(b->baseline, LM_USAGE, "rule set %s compares with a baseline, and there is none", b->set->name);
    LM_TRY(lm_twin_emit(w->e, &w->path, b, outer ? outer->twin : NULL, outer ? outer->path.values : 0, &w->twin));
    return w->nsig > 1 ? lm_change_emit(w, outer) : LM_OK;
}

lm_status lm_walk_run(lm_walk_state *w, const lm_walk_state *outer)
{
    lm_emit *e = w->e;
    const lm_backward *b = w->b;
    const char *scope = e->scope;
    w->nsig = b->set->nsig > 1 ? LM_SIGNALS : 1;
    w->wide = b->wide > 1 ? b->wide : 1;
    for (int i = 0; i < b->nwrt; i++)
        b->signal[i] = LM_NOVAL;
    if (e->status == LM_OK)
        e->status = prepare(w, outer);
    if (e->status == LM_OK) {
        start(w);
        for (size_t i = w->path.nodes; i-- > (size_t)w->path.first && e->status == LM_OK;)
            visit(w, e->g->nodes.at[i]);
        finish(w);
    }
    e->scope = scope;
    lm_path_free(&w->path);
    for (int k = 0; k < LM_SIGNALS; k++)
        lm_free(w->parts[k]);
    lm_free(w->twin);
    lm_free(w->change);
    lm_arena_free(&w->arena);
    return e->status;
}

lm_status lm_backward_emit(lm_emit *e, const lm_backward *b)
{
    const lm_rule_options usual = lm_set_options(b->set, LM_RULE_OPTIONS_DEFAULT);
    lm_walk_state w = {.e = e, .b = b, .options = b->options ? b->options : &usual};
    return lm_walk_run(&w, NULL);
}
