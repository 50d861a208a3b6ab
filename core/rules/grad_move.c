/* Derivatives of movements: signals go back where values came from. */
#include <string.h>

#include "core/rules/grad.h"

static void reshape(const lm_rx *r)
{
    const lm_shape to = *lm_emit_shape(r->e, r->x[0]);
    r->out[0] = lm_emit_reshape(r->e, r->s, &to);
}

static void transpose(const lm_rx *r)
{
    int32_t back[LM_RANK] = {0};
    for (int i = 0; i < lm_emit_shape(r->e, r->s)->rank; i++)
        back[r->n->a->perm.perm[i]] = i;
    r->out[0] = lm_emit_transpose(r->e, r->s, back);
}

/* The walk sums over the axes that were stretched. */
static void expand(const lm_rx *r)
{
    r->out[0] = r->s;
}

/* The attributes of a slice with another shape in them. */
static lm_attrs slice_of(const lm_attrs *a, const lm_shape *size)
{
    lm_attrs b = *a;
    memset(b.slice.size, 0, sizeof b.slice.size);
    memcpy(b.slice.size, size->dim, (size_t)size->rank * sizeof *size->dim);
    return b;
}

static void slice(const lm_rx *r)
{
    const lm_attrs a = slice_of(r->n->a, lm_emit_shape(r->e, r->x[0]));
    r->out[0] = lm_emit1(r->e, LM_OP_SLICE_DX, &a, r->s);
}

void lm_grad_slice_dx(const lm_rx *r)
{
    const lm_attrs a = slice_of(r->n->a, lm_emit_shape(r->e, r->x[0]));
    r->out[0] = lm_emit1(r->e, LM_OP_SLICE, &a, r->s);
}

static const lm_rule_fn copies[LM_OPS] = {
    [LM_OP_RESHAPE] = reshape, [LM_OP_TRANSPOSE] = transpose, [LM_OP_EXPAND] = expand, [LM_OP_SLICE] = slice,
};

void lm_grad_copy(const lm_rx *r)
{
    copies[r->n->op](r);
}

/* The padding's own value gets what no element of x does. */
void lm_grad_pad(const lm_rx *r)
{
    lm_emit *e = r->e;
    const lm_shape *full = lm_emit_shape(e, r->s), *part = lm_emit_shape(e, r->x[0]);
    const uint32_t all = (1u << full->rank) - 1, same = (1u << part->rank) - 1;
    lm_val inner = lm_emit1(e, LM_OP_PAD_DX, r->n->a, r->s);
    r->out[0] = inner;
    if (r->n->nx < 2 || !r->want[1])
        return;
    const lm_shape one = *lm_emit_shape(e, r->x[1]);
    lm_val rest = lm_minus(e, lm_emit_reduce(e, LM_OP_REDUCE_SUM, r->s, all, false),
                           lm_emit_reduce(e, LM_OP_REDUCE_SUM, inner, same, false));
    r->out[1] = lm_emit_reshape(e, rest, &one);
}

void lm_grad_pad_dx(const lm_rx *r)
{
    r->out[0] = lm_emit1(r->e, LM_OP_PAD, r->n->a, r->s);
}

void lm_grad_concat(const lm_rx *r)
{
    const int axis = r->n->a->axis.axis;
    int64_t start = 0;
    for (int i = 0; i < r->n->nx; i++) {
        const int64_t count = lm_emit_shape(r->e, r->x[i])->dim[axis];
        if (r->want[i])
            r->out[i] = lm_emit_slice(r->e, r->s, axis, start, count);
        start += count;
    }
}

/* Axis by axis: [before, repeats, size, behind] summed over the repeats. */
void lm_grad_tile(const lm_rx *r)
{
    lm_emit *e = r->e;
    const lm_shape *x = lm_emit_shape(e, r->x[0]);
    lm_val s = r->s;
    for (int i = 0; i < x->rank && e->status == LM_OK; i++) {
        const int64_t reps = r->n->a->tile.reps[i];
        lm_shape less = *lm_emit_shape(e, s), cut = LM_SHAPE(1, reps, x->dim[i], 1);
        if (reps == 1)
            continue;
        for (int k = 0; k < less.rank; k++)
            if (k != i)
                cut.dim[k < i ? 0 : 3] *= less.dim[k];
        less.dim[i] = x->dim[i];
        s = lm_emit_reduce(e, LM_OP_REDUCE_SUM, lm_emit_reshape(e, s, &cut), 1u << 1, false);
        s = lm_emit_reshape(e, s, &less);
    }
    r->out[0] = s;
}

void lm_grad_trilu(const lm_rx *r)
{
    r->out[0] = lm_emit1(r->e, LM_OP_TRILU, r->n->a, r->s);
}
