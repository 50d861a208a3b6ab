/* Ops with constant operands, computed while the graph is built. */
#include "core/graph/fold.h"

#include "core/device/eval.h"
#include "core/graph/expand.h"

enum {
    NEAR = 8,            /* operands that need no allocation */
    DENSE_BYTES = 1 << 20 /* views up to here are copied into row-major order, so that no run has to read across them */
};

/* A result past this that is much larger than what it is made of costs less as a node than as memory. */
static const double large_bytes = 256 << 20, much_larger = 4;

/* An op that goes over more elements than this, which repeats alone can make so many, takes longer than a build may. */
static const double most_elements = 1 << 28;

static double bytes_of(lm_dtype dt, const lm_shape *s)
{
    return (double)lm_shape_count(s) * (double)lm_dtype_size(dt);
}

/* What a view's elements take in memory: those of a broadcast axis are the same. */
static double bytes_behind(const lm_view *v)
{
    double bytes = lm_view_present(v) ? (double)lm_dtype_size(v->dt) : 0;
    for (int i = 0; i < v->sh.rank; i++)
        bytes *= v->st[i] == 0 ? 1 : (double)v->sh.dim[i];
    return bytes;
}

static bool all_constant(const lm_graph *g, const lm_node_desc *d)
{
    int present = 0;
    for (int i = 0; i < d->nx; i++) {
        present += d->x[i] != LM_NOVAL;
        if (d->x[i] != LM_NOVAL && !lm_graph_value(g, d->x[i])->constant)
            return false;
    }
    return present > 0;
}

static bool too_large(const lm_node_desc *d, const lm_view *x, const lm_type *type)
{
    double made = 0, read = 0, from = 0, elements = 0;
    for (int i = 0; i < d->ny; i++) {
        made += bytes_of(type[i].dt, &type[i].sh);
        elements += (double)lm_shape_count(&type[i].sh);
    }
    for (int i = 0; i < d->nx; i++) {
        from += bytes_behind(&x[i]);
        if (lm_view_present(&x[i])) {
            read += bytes_of(x[i].dt, &x[i].sh);
            elements += (double)lm_shape_count(&x[i].sh);
        }
    }
    const bool large = made > large_bytes && made > much_larger * from;
    const bool long_lasting = elements > most_elements && (made > much_larger * from || read > much_larger * from);
    lm_view y;
    return (large || long_lasting) && !lm_eval_view(d->op, d->a, &x[0], &type[0], &y);
}

/* Broadcast views stay as they are: every kernel reads them well, and they may be anything in size. */
static bool broadcasts(const lm_view *v)
{
    for (int i = 0; i < v->sh.rank; i++)
        if (v->st[i] == 0 && v->sh.dim[i] > 1)
            return true;
    return false;
}

/* A computed result becomes a constant; the reference that came with it is the graph's or gone. */
static lm_val keep(lm_emit *e, lm_view *y)
{
    lm_view dense;
    if (bytes_of(y->dt, &y->sh) <= DENSE_BYTES && !lm_view_is_row(y) && !broadcasts(y) &&
        lm_eval_copy(e->fold, y, &dense) == LM_OK) {
        lm_buffer_unref(y->buf);
        *y = dense;
    }
    lm_val v = lm_emit_content(e, y);
    lm_buffer_unref(y->buf);
    return v;
}

static bool compute(lm_emit *e, const lm_node_desc *d, const lm_view *x, const lm_type *type, lm_val *y)
{
    if (!lm_eval_exact(e->fold, d->op, d->nx, x, d->ny, type) || too_large(d, x, type))
        return false;
    lm_view made[LM_OUT_MAX];
    lm_status status = lm_eval_typed(e->fold, d->op, d->a, d->nx, x, d->ny, type, made);
    if (status == LM_UNSUPPORTED && lm_ops[d->op].composite) {
        const lm_composite c = {.op = d->op, .a = d->a, .nx = d->nx, .ny = d->ny, .x = d->x, .y = y};
        lm_expand(e, &c);
        return true;
    }
    if (status == LM_MEMORY)
        e->status = status;
    for (int i = 0; status == LM_OK && i < d->ny; i++)
        y[i] = keep(e, &made[i]);
    /* a call that fails on its data fails again, with this message, when the graph runs; perhaps it never does */
    return status == LM_OK || status == LM_MEMORY;
}

bool lm_fold(lm_emit *e, const lm_node_desc *d, const lm_type *type, lm_val *y)
{
    if (d->ep || !all_constant(e->g, d))
        return false;
    lm_view near[NEAR], *x = near;
    if (d->nx > NEAR) {
        x = lm_malloc((size_t)d->nx, sizeof *x);
        if (!x) {
            e->status = LM_MEMORY;
            return true;
        }
    }
    for (int i = 0; i < d->nx; i++)
        x[i] = d->x[i] == LM_NOVAL ? lm_view_absent() : *lm_graph_value(e->g, d->x[i])->constant;
    const bool done = compute(e, d, x, type, y);
    if (x != near)
        lm_free(x);
    return done;
}
