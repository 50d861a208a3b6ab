/* Importers of com.microsoft's attention operators, on packed heads [batch,length,heads*width]. */
#include "core/model/import_util.h"

/* [b,l,heads*w] -> [b,heads,l,w] */
static lm_val heads_of(lm_import *im, lm_val x, int64_t heads)
{
    lm_emit *e = &im->e;
    if (e->status != LM_OK)
        return LM_NOVAL;
    const lm_shape *s = lm_emit_shape(e, x);
    if (s->rank != 3 || heads < 1 || s->dim[2] % heads) {
        lm_import_fail(im, LM_UNSUPPORTED,
                       "heads packed as %s, num_heads = %lld; Limn takes [batch,length,heads*width]",
                       lm_shape_text(s, (char[LM_SHAPE_TEXT]){0}), (long long)heads);
        return LM_NOVAL;
    }
    return lm_emit_swap(e, LM_IMPORT_RESHAPE(im, x, s->dim[0], s->dim[1], heads, s->dim[2] / heads), 1, 2);
}

/* A mask of keys, [b,l] with 0 for those that do not count or [b] with how many do, as what is added to the scores. */
static lm_val added_mask(lm_import *im, lm_val mask, int64_t batch, int64_t length)
{
    lm_emit *e = &im->e;
    double filter = lm_attr_float(im, "mask_filter_value", -10000);
    if (mask == LM_NOVAL || e->status != LM_OK)
        return LM_NOVAL;
    const lm_shape *s = lm_emit_shape(e, mask);
    lm_val out;
    if (s->rank == 2 && s->dim[0] == batch && s->dim[1] == length) {
        out = lm_emit_scalar(e, LM_OP_EQUAL, mask, 0);
    } else if (s->rank == 1 && s->dim[0] == batch) {
        lm_val place = lm_emit_cast(e, lm_import_counting(im, length), lm_emit_type(e, mask)->dt);
        out = lm_emit1(e, LM_OP_GREATEREQ, NULL, place, LM_IMPORT_RESHAPE(im, mask, batch, 1));
    } else {
        lm_import_fail(im, LM_UNSUPPORTED, "a mask of shape %s; Limn takes [batch,length] and [batch]",
                       lm_shape_text(s, (char[LM_SHAPE_TEXT]){0}));
        return LM_NOVAL;
    }
    return LM_IMPORT_RESHAPE(im, lm_emit_scalar(e, LM_OP_MUL, lm_emit_cast(e, out, LM_F32), filter), batch, 1, 1,
                             length);
}

/* Attend, and pack the heads again. `more`: what else is added to the scores. */
static void attend(lm_import *im, lm_val q, lm_val k, lm_val v, lm_val mask, lm_val more)
{
    lm_emit *e = &im->e;
    lm_attrs a = {0};
    int64_t heads = lm_attr_int(im, "num_heads", 0);
    a.attention.scale = (float)lm_attr_float(im, "scale", 0);
    a.attention.causal = lm_attr_int(im, "unidirectional", 0) != 0;
    q = heads_of(im, q, heads);
    k = heads_of(im, k, heads);
    v = heads_of(im, v, heads);
    if (e->status != LM_OK)
        return;
    mask = added_mask(im, mask, lm_emit_shape(e, k)->dim[0], lm_emit_shape(e, k)->dim[2]);
    if (more != LM_NOVAL)
        mask = mask == LM_NOVAL ? more : lm_emit1(e, LM_OP_ADD, NULL, mask, more);
    if (mask != LM_NOVAL && e->status == LM_OK) {
        lm_shape scores =
            LM_SHAPE(lm_emit_shape(e, q)->dim[0], heads, lm_emit_shape(e, q)->dim[2], lm_emit_shape(e, k)->dim[2]);
        mask = lm_emit_expand(e, mask, &scores);
    }
    lm_val y = lm_emit_one(e, LM_OP_ATTENTION, &a, mask == LM_NOVAL ? 3 : 4, (lm_val[]){q, k, v, mask});
    y = lm_emit_swap(e, y, 1, 2);
    if (e->status != LM_OK)
        return;
    const lm_shape *s = lm_emit_shape(e, y);
    im->y[0] = LM_IMPORT_RESHAPE(im, y, s->dim[0], s->dim[1], s->dim[2] * s->dim[3]);
}

static void refuse(lm_import *im, int from, int to, const char *what)
{
    for (int i = from; i <= to; i++)
        if (lm_in(im, i) != LM_NOVAL)
            lm_import_fail(im, LM_UNSUPPORTED,
                           "%s (input %d) has no kernel; save the model with graph optimisation at level "
                           "'basic'",
                           what, i);
}

/* (x, weights [d,q+k+v], bias, mask?, past?, scores to add?) */
void lm_import_msattention(lm_import *im)
{
    lm_emit *e = &im->e;
    int64_t size[3];
    int n;
    refuse(im, 4, 4, "a past");
    refuse(im, 6, im->nx - 1, "a past");
    if (!lm_import_needs(im, 2) || !lm_import_ranked(im, 1, 2, 2) || !lm_attr_ints(im, "qkv_hidden_sizes", size, 3, &n))
        return;
    int64_t all = lm_in_shape(im, 1)->dim[1];
    for (int i = 0; i < 3 && n != 3; i++)
        size[i] = all / 3;
    if (size[0] < 0 || size[1] < 0 || size[2] < 0 || size[0] > all || size[1] > all ||
        size[0] + size[1] + size[2] != all) {
        lm_import_fail(im, LM_INPUT, "weights of shape %s do not divide into queries, keys and values",
                       lm_shape_text(lm_in_shape(im, 1), (char[LM_SHAPE_TEXT]){0}));
        return;
    }
    lm_val x = lm_emit1(e, LM_OP_MATMUL, NULL, lm_in(im, 0), lm_in(im, 1));
    if (lm_in(im, 2) != LM_NOVAL)
        x = lm_emit1(e, LM_OP_ADD, NULL, x, lm_in(im, 2));
    if (e->status != LM_OK || lm_emit_shape(e, x)->rank != 3) {
        lm_import_fail(im, LM_INPUT, "x has not three axes");
        return;
    }
    attend(im, lm_emit_slice(e, x, 2, 0, size[0]), lm_emit_slice(e, x, 2, size[0], size[1]),
           lm_emit_slice(e, x, 2, size[0] + size[1], size[2]), lm_in(im, 3), lm_in(im, 5));
}

/* (query, key, value, bias?, mask of keys?, scores to add?) */
void lm_import_multiheadattention(lm_import *im)
{
    lm_emit *e = &im->e;
    refuse(im, 6, im->nx - 1, "a past");
    if (im->e.status == LM_OK && (lm_in(im, 1) == LM_NOVAL || lm_in(im, 2) == LM_NOVAL))
        lm_import_fail(im, LM_UNSUPPORTED, "keys and values packed with the queries have no kernel");
    if (!lm_import_needs(im, 3))
        return;
    lm_val x[3] = {lm_in(im, 0), lm_in(im, 1), lm_in(im, 2)};
    int64_t at = 0;
    for (int i = 0; i < 3 && lm_in(im, 3) != LM_NOVAL; i++) {
        if (!lm_import_ranked(im, i, 3, 3) || !lm_import_ranked(im, 3, 1, 1))
            return;
        int64_t width = lm_in_shape(im, i)->dim[2];
        x[i] = lm_emit1(e, LM_OP_ADD, NULL, x[i], lm_emit_slice(e, lm_in(im, 3), 0, at, width));
        at += width;
    }
    attend(im, x[0], x[1], x[2], lm_in(im, 4), lm_in(im, 5));
}
