/* Sums of signals. */
#include "core/rules/trace.h"

#include "core/rules/grad.h"

lm_val lm_block_sums(lm_emit *e, lm_val v, int64_t wide)
{
    if (e->status != LM_OK)
        return LM_NOVAL;
    const uint32_t inner = lm_emit_axes_from(e, v, 1);
    if (inner)
        v = lm_emit_reduce(e, LM_OP_REDUCE_SUM, v, inner, false);
    if (e->status != LM_OK)
        return LM_NOVAL;
    const int64_t rows = lm_shape_count(lm_emit_shape(e, v));
    const lm_shape blocks = LM_SHAPE(wide, rows / wide), sums = LM_SHAPE(wide);
    if (rows == wide)
        return lm_emit_reshape(e, v, &sums);
    return lm_emit_reduce(e, LM_OP_REDUCE_SUM, lm_emit_reshape(e, v, &blocks), 2, false);
}

void lm_trace_keep(const lm_rx *r, lm_val *to, lm_val v)
{
    lm_val sums = lm_block_sums(r->e, v, r->wide);
    *to = *to == LM_NOVAL ? sums : lm_plus(r->e, *to, sums);
}

/* Signals are amounts, or multipliers of a change. */
static lm_val amount(const lm_rx *r, lm_val s, lm_val s2, lm_val v, lm_val v0, const lm_parts *parts)
{
    lm_emit *e = r->e;
    if (!r->x0)
        return s;
    if (parts)
        return lm_plus(e, lm_times(e, s, parts->pos), lm_times(e, s2, parts->neg));
    return lm_times(e, s, lm_minus(e, v, v0));
}

void lm_trace_node(const lm_rx *r)
{
    lm_trace_row *row = r->row;
    bool constants = false;
    lm_trace_keep(r, &row->in, amount(r, r->s, r->s2, r->y, r->y0, r->out2 ? &r->dy : NULL));
    for (int i = 0; i < r->n->nx; i++) {
        if (r->want[i] && r->out[i] != LM_NOVAL)
            lm_trace_keep(r, &row->out, amount(r, r->out[i], r->out2 ? r->out2[i] : LM_NOVAL, r->x[i],
                                               r->x0 ? r->x0[i] : LM_NOVAL, r->out2 ? &r->dx[i] : NULL));
        constants |= !r->want[i];
    }
    if (row->out == LM_NOVAL && r->e->status == LM_OK) {
        const lm_shape none = LM_SHAPE(r->wide);
        row->out = lm_emit_full(r->e, lm_emit_type(r->e, row->in)->dt, &none, 0);
    }
    /* parts of a Concat, arms of a choice: what they got they keep */
    const lm_class cls = lm_ops[r->n->op].cls;
    if (constants && row->bias == LM_NOVAL && !r->x0 && (cls == LM_CLASS_MOVE || cls == LM_CLASS_SELECT) && r->n->nx > 1)
        row->bias = lm_minus(r->e, row->in, row->out);
}
