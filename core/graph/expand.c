/* The way into the expansions, and what all of them share. */
#include "core/graph/expand.h"

#define lm_expand_none NULL
static const lm_expand_fn expansions[LM_OPS] = {
#define LM_OP(id, name, cls, in0, in1, out, attrs, shape, kernel, expand, ...) [LM_OP_##id] = lm_expand_##expand,
#include "core/ops/ops.def"
#undef LM_OP
};
#undef lm_expand_none

static bool is_half(lm_dtype dt)
{
    return dt == LM_F16 || dt == LM_BF16;
}

static void expand_checked(lm_emit *e, const lm_composite *c, const lm_type *type)
{
    /* ops that only move values lose nothing in the narrow type */
    bool widen = lm_ops[c->op].cls != LM_CLASS_MOVE;
    lm_val *x = lm_arena_copy(&e->g->arena, c->x, (size_t)c->nx, sizeof *x);
    if (!x) {
        e->status = LM_MEMORY;
        return;
    }
    for (int i = 0; widen && i < c->nx; i++)
        if (x[i] != LM_NOVAL && is_half(lm_emit_type(e, x[i])->dt))
            x[i] = lm_emit_cast(e, x[i], LM_F32);
    lm_composite wide = *c;
    wide.x = x;
    if (e->status == LM_OK)
        expansions[c->op](e, &wide);
    for (int i = 0; i < c->ny && e->status == LM_OK; i++) {
        c->y[i] = lm_emit_cast(e, c->y[i], type[i].dt);
        char is[LM_SHAPE_TEXT], should[LM_SHAPE_TEXT];
        const lm_shape *sh = lm_emit_shape(e, c->y[i]);
        if (!lm_shape_equal(sh, &type[i].sh))
            lm_emit_fail(e, LM_UNSUPPORTED, "%s: its expansion gives result %d shape %s instead of %s",
                         lm_ops[c->op].name, i, lm_shape_text(sh, is), lm_shape_text(&type[i].sh, should));
    }
}

lm_status lm_expand(lm_emit *e, const lm_composite *c)
{
    for (int i = 0; i < c->ny; i++)
        c->y[i] = LM_NOVAL;
    if (e->status != LM_OK)
        return e->status;
    if (!expansions[c->op])
        lm_emit_fail(e, LM_UNSUPPORTED, "%s: it is no composite", lm_ops[c->op].name);
    lm_type type[LM_OUT_MAX];
    lm_attrs none = {0};
    lm_composite full = *c;
    full.a = c->a ? c->a : &none;
    lm_node_desc d = {.op = c->op, .a = full.a, .nx = c->nx, .ny = c->ny, .x = c->x};
    if (e->status == LM_OK)
        e->status = lm_infer_node(e->g, &d, type);
    if (e->status == LM_OK)
        expand_checked(e, &full, type);
    return e->status;
}
