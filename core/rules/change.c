/* Changes from the reference run in two parts: what raised a value, and what lowered it. */
#include "core/rules/grad.h"
#include "core/rules/match.h"
#include "core/rules/walk.h"
#include "core/rules/wide.h"

/* By the sign of the change itself, where nothing more is known. */
static lm_parts by_sign(lm_walk_state *w, lm_val v)
{
    lm_emit *e = w->e;
    lm_val change = lm_minus(e, v, w->twin[v]);
    return (lm_parts){lm_unary(e, LM_OP_RELU, change), lm_emit1(e, LM_OP_MIN, NULL, change, lm_number(e, change, 0))};
}

lm_parts lm_change_of(lm_walk_state *w, lm_val v)
{
    if (v == LM_NOVAL || !lm_on_path(&w->path, v))
        return (lm_parts){LM_NOVAL, LM_NOVAL};
    if (w->change[v].pos == LM_NOVAL && w->e->status == LM_OK)
        w->change[v].pos = w->change[v].neg = lm_zeros(w->e, v);
    return w->change[v];
}

static void set_parts(lm_walk_state *w, const lm_node *n)
{
    const lm_row *row = lm_match_row(w->b->set, &w->path, n);
    if (!row || !row->parts || lm_ops[n->op].composite) {
        for (int i = 0; i < n->ny; i++)
            if (lm_on_path(&w->path, n->y[i]) && w->twin[n->y[i]] != n->y[i])
                w->change[n->y[i]] = by_sign(w, n->y[i]);
        return;
    }
    lm_val *x0 = lm_arena_alloc(&w->arena, (size_t)n->nx, sizeof *x0);
    lm_parts *dx = lm_arena_alloc(&w->arena, (size_t)n->nx, sizeof *dx);
    bool *want = lm_arena_alloc(&w->arena, (size_t)n->nx, sizeof *want);
    if (!x0 || !dx || !want) {
        w->e->status = LM_MEMORY;
        return;
    }
    for (int i = 0; i < n->nx; i++) {
        x0[i] = w->twin[n->x[i]];
        dx[i] = lm_change_of(w, n->x[i]);
        want[i] = lm_on_path(&w->path, n->x[i]);
    }
    const lm_rx r = {.e = w->e, .n = n, .x = n->x, .y = n->y[0], .x0 = x0, .y0 = w->twin[n->y[0]], .want = want,
                     .cfg = row->cfg, .options = w->options, .dx = dx, .wide = 1};
    w->change[n->y[0]] = row->parts(&r);
}

lm_status lm_change_emit(lm_walk_state *w, const lm_walk_state *outer)
{
    w->change = lm_calloc(w->path.values, sizeof *w->change);
    if (!w->change)
        return LM_MEMORY;
    for (int i = 0; i < w->b->nwrt; i++) {
        const lm_val v = w->b->wrt[i];
        w->change[v] = outer && (size_t)v < outer->path.values ? outer->change[v] : by_sign(w, v);
    }
    /* what has no counterpart does not change, or leads to no target */
    for (size_t i = (size_t)w->path.first; i < w->path.nodes && w->e->status == LM_OK; i++) {
        const lm_node *n = w->path.g->nodes.at[i];
        bool any = false;
        for (int k = 0; k < n->ny; k++) {
            const lm_val v = n->y[k];
            any |= lm_on_path(&w->path, v) && w->twin[v] != v && w->change[v].pos == LM_NOVAL;
        }
        if (any)
            set_parts(w, n);
    }
    return w->e->status;
}

/* Where one part is zero the other's signal is all there is; elsewhere their mean, weighted by the parts. */
lm_val lm_change_joined(lm_walk_state *w, lm_val v, lm_val pos, lm_val neg)
{
    lm_emit *e = w->e;
    if (pos == neg)
        return pos;
    const lm_parts parts = lm_change_of(w, v);
    lm_val up = lm_wide_result(e, LM_WIDE_MERGED, w->wide, parts.pos);
    lm_val down = lm_wide_result(e, LM_WIDE_MERGED, w->wide, parts.neg), change = lm_plus(e, up, down);
    lm_val still = lm_emit_scalar(e, LM_OP_LESS, lm_unary(e, LM_OP_ABS, change), w->options->still);
    lm_val by = lm_choose(e, still, lm_number(e, change, 1), change);
    lm_val both = lm_over(e, lm_plus(e, lm_times(e, pos, up), lm_times(e, neg, down)), by);
    both = lm_choose(e, still, lm_emit_scalar(e, LM_OP_MUL, lm_plus(e, pos, neg), 0.5), both);
    lm_val s = lm_choose(e, lm_emit_scalar(e, LM_OP_EQUAL, up, 0), neg, both);
    return lm_choose(e, lm_emit_scalar(e, LM_OP_EQUAL, down, 0), pos, s);
}
