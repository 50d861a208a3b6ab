/* Importers of Attention and RotaryEmbedding. */
#include "core/model/import_util.h"

#include <math.h>
#include <string.h>

/* [batch, length, heads * width] as [batch, heads, length, width]. */
static lm_val split_heads(lm_import *im, int i, int64_t heads)
{
    lm_emit *e = &im->e;
    const lm_shape *s = lm_in_shape(im, i);
    if (heads < 1 || s->dim[2] % heads != 0) {
        lm_import_fail(im, LM_INPUT, "input %d has %lld columns, which %lld heads do not divide", i,
                       (long long)s->dim[2], (long long)heads);
        return LM_NOVAL;
    }
    lm_shape split = LM_SHAPE(s->dim[0], s->dim[1], heads, s->dim[2] / heads);
    return lm_emit_swap(e, lm_emit_reshape(e, lm_in(im, i), &split), 1, 2);
}

/* Everything that an Attention node says, with heads on an axis of their own. */
typedef struct attention {
    lm_val q, k, v, bias; /* bias: added to the scores, and -infinity where a query must not look; may be LM_NOVAL */
    lm_dtype dt;
    double scale, softcap;
    int64_t batch, heads, shared, length, keys;
    int mode;
    bool blind; /* a mask can leave a query without any key */
} attention;

static bool operands(lm_import *im, attention *t)
{
    int64_t q_heads = lm_attr_int(im, "q_num_heads", 0), kv_heads = lm_attr_int(im, "kv_num_heads", 0);
    lm_val *to[3] = {&t->q, &t->k, &t->v};
    if (!lm_import_ranked(im, 0, 3, 4))
        return false;
    int rank = lm_in_shape(im, 0)->rank;
    for (int i = 0; i < 3; i++) {
        if (!lm_import_ranked(im, i, rank, rank))
            return false;
        *to[i] = rank == 4 ? lm_in(im, i) : split_heads(im, i, i ? kv_heads : q_heads);
    }
    for (int i = 0; i < 2; i++) {
        lm_val past = lm_in(im, 4 + i);
        if (past != LM_NOVAL)
            *to[1 + i] = lm_emit_concat(&im->e, 2, (lm_val[]){past, *to[1 + i]}, 2);
        if (lm_wants(im, 1 + i))
            im->y[1 + i] = *to[1 + i];
    }
    if ((lm_in(im, 4) == LM_NOVAL) != (lm_in(im, 5) == LM_NOVAL))
        lm_import_fail(im, LM_INPUT, "past_key and past_value belong together");
    if (im->e.status != LM_OK)
        return false;
    const lm_shape *q = lm_emit_shape(&im->e, t->q), *k = lm_emit_shape(&im->e, t->k);
    t->dt = lm_emit_type(&im->e, t->q)->dt;
    t->batch = q->dim[0];
    t->heads = q->dim[1];
    t->length = q->dim[2];
    t->shared = k->dim[1];
    t->keys = k->dim[2];
    double scale = lm_attr_float(im, "scale", 0);
    t->scale = scale != 0 ? scale : 1 / sqrt((double)(q->dim[3] > 0 ? q->dim[3] : 1));
    t->softcap = lm_attr_float(im, "softcap", 0);
    t->mode = (int)lm_attr_int(im, "qk_matmul_output_mode", 0);
    return im->e.status == LM_OK;
}

/* 0 where `keep` holds, -infinity elsewhere. */
static lm_val barrier(lm_emit *e, lm_dtype dt, lm_val keep)
{
    return lm_emit1(e, LM_OP_WHERE, NULL, keep, lm_emit_const(e, dt, 0), lm_emit_const(e, dt, -INFINITY));
}

static lm_val add(lm_emit *e, lm_val sum, lm_val more)
{
    return sum == LM_NOVAL ? more : more == LM_NOVAL ? sum : lm_emit1(e, LM_OP_ADD, NULL, sum, more);
}

/* The mask operand as something to add; keys past its end are out of sight. */
static lm_val given_mask(lm_import *im, const attention *t)
{
    lm_emit *e = &im->e;
    lm_val mask = lm_in(im, 3);
    if (mask == LM_NOVAL)
        return LM_NOVAL;
    if (lm_emit_type(e, mask)->dt == LM_BOOL)
        mask = barrier(e, t->dt, mask);
    mask = lm_emit_cast(e, mask, t->dt);
    const lm_shape *s = lm_emit_shape(e, mask);
    int last = s->rank - 1;
    if (e->status != LM_OK || last < 0 || s->dim[last] >= t->keys)
        return mask;
    lm_attrs pad = {0};
    pad.pad.hi[last] = t->keys - s->dim[last];
    return lm_emit1(e, LM_OP_PAD, &pad, mask, lm_emit_const(e, t->dt, -INFINITY));
}

/* Number of keys per sample that are no padding, as [batch,1,1,1] in float32; LM_NOVAL when all count. */
static lm_val key_counts(lm_import *im, const attention *t)
{
    lm_shape column = LM_SHAPE(t->batch, 1, 1, 1);
    lm_val counts = lm_in(im, 6);
    return counts == LM_NOVAL ? LM_NOVAL
                              : lm_emit_reshape(&im->e, lm_emit_cast(&im->e, counts, LM_F32), &column);
}

/* Query i sees key j when j <= i + offset. The offset is what was there before the queries: the past's length, or what
 * the keys that count have more than the queries. */
static lm_val causal_mask(lm_import *im, const attention *t, lm_val counts)
{
    lm_emit *e = &im->e;
    lm_shape column = LM_SHAPE(t->length, 1);
    int64_t past = lm_in(im, 4) != LM_NOVAL ? lm_in_shape(im, 4)->dim[2] : 0;
    lm_val at = lm_emit_reshape(e, lm_emit_iota(e, past, t->length), &column);
    if (counts != LM_NOVAL && lm_in(im, 4) == LM_NOVAL)
        at = lm_emit1(e, LM_OP_ADD, NULL, at, lm_emit_scalar(e, LM_OP_SUB, counts, (double)t->length));
    return barrier(e, t->dt, lm_emit1(e, LM_OP_LESSEQ, NULL, lm_emit_iota(e, 0, t->keys), at));
}

/* Scores after softmax; a query that sees no key has zeros. */
static lm_val softmax(lm_import *im, const attention *t, lm_val scores)
{
    lm_emit *e = &im->e;
    lm_dtype wide = lm_attr_type(im, "softmax_precision", t->dt);
    lm_val x = lm_emit_cast(e, scores, wide);
    if (!t->blind)
        return lm_emit_cast(e, lm_emit_axis(e, LM_OP_SOFTMAX, x, 3), t->dt);
    lm_val zero = lm_emit_const(e, wide, 0);
    lm_val best = lm_emit_reduce(e, LM_OP_REDUCE_MAX, x, 1u << 3, true);
    lm_val blind = lm_emit_scalar(e, LM_OP_EQUAL, best, -INFINITY);
    lm_val safe = lm_emit1(e, LM_OP_WHERE, NULL, blind, zero, x);
    lm_val p = lm_emit1(e, LM_OP_WHERE, NULL, blind, zero, lm_emit_axis(e, LM_OP_SOFTMAX, safe, 3));
    return lm_emit_cast(e, p, t->dt);
}

/* The same as the op Attention step by step, because a value between the steps is wanted: mode 0 the product, 1
 * after the cap, 2 after the mask, 3 after softmax. Heads that share a key head are rows of one product. */
static lm_val stepwise(lm_import *im, const attention *t)
{
    lm_emit *e = &im->e;
    lm_attrs turn = {0}, straight = {0};
    int64_t width = lm_emit_shape(e, t->q)->dim[3], depth = lm_emit_shape(e, t->v)->dim[3];
    int64_t rows = t->shared ? t->heads / t->shared * t->length : 0;
    lm_shape joined = LM_SHAPE(t->batch, t->shared, rows, width);
    lm_shape full = LM_SHAPE(t->batch, t->heads, t->length, t->keys);
    lm_shape weighed = LM_SHAPE(t->batch, t->shared, rows, t->keys);
    lm_shape result = LM_SHAPE(t->batch, t->heads, t->length, depth);
    lm_val stage[4];
    turn.matmul.tb = true;
    lm_val product = lm_emit1(e, LM_OP_MATMUL, &turn, lm_emit_reshape(e, t->q, &joined), t->k);
    stage[0] = lm_emit_scalar(e, LM_OP_MUL, lm_emit_reshape(e, product, &full), t->scale);
    stage[1] = stage[0];
    if (t->softcap > 0) {
        lm_val inside = lm_emit1(e, LM_OP_TANH, NULL, lm_emit_scalar(e, LM_OP_DIV, stage[0], t->softcap));
        stage[1] = lm_emit_scalar(e, LM_OP_MUL, inside, t->softcap);
    }
    stage[2] = add(e, stage[1], t->bias);
    stage[3] = softmax(im, t, stage[2]);
    if (lm_wants(im, 3))
        im->y[3] = stage[t->mode];
    lm_val p = lm_emit_reshape(e, stage[3], &weighed);
    return lm_emit_reshape(e, lm_emit1(e, LM_OP_MATMUL, &straight, p, t->v), &result);
}

/* (query, key, value, mask?, past key?, past value?, number of keys that count?)
 * -> result, keys and values with the past, scores */
void lm_import_attention(lm_import *im)
{
    attention t = {0};
    lm_emit *e = &im->e;
    bool causal = lm_attr_int(im, "is_causal", 0) != 0;
    if (!operands(im, &t))
        return;
    if (t.mode < 0 || t.mode > 3)
        lm_import_fail(im, LM_INPUT, "qk_matmul_output_mode = %d; expected 0 to 3", t.mode);
    if (t.shared < 1 || t.heads % t.shared != 0)
        lm_import_fail(im, LM_INPUT, "%lld key heads do not divide %lld query heads", (long long)t.shared,
                       (long long)t.heads);
    if (e->status != LM_OK)
        return;
    lm_val counts = key_counts(im, &t);
    t.bias = given_mask(im, &t);
    bool shifted = counts != LM_NOVAL || lm_in(im, 4) != LM_NOVAL;
    if (causal && (shifted || t.bias != LM_NOVAL || lm_wants(im, 3) || lm_attr(im, "softmax_precision")))
        t.bias = add(e, t.bias, causal_mask(im, &t, counts));
    if (counts != LM_NOVAL)
        t.bias = add(e, t.bias, barrier(e, t.dt, lm_emit1(e, LM_OP_LESS, NULL, lm_emit_iota(e, 0, t.keys), counts)));
    t.blind = t.bias != LM_NOVAL;
    lm_val y;
    if (lm_wants(im, 3) || lm_attr(im, "softmax_precision")) {
        y = stepwise(im, &t);
    } else {
        lm_attrs a = {0};
        a.attention.scale = (float)t.scale;
        a.attention.softcap = (float)t.softcap;
        a.attention.causal = causal && t.bias == LM_NOVAL;
        lm_val x[4] = {t.q, t.k, t.v, t.bias};
        y = lm_emit_one(e, LM_OP_ATTENTION, &a, t.bias == LM_NOVAL ? 3 : 4, x);
    }
    if (e->status == LM_OK && lm_in_shape(im, 0)->rank == 3) {
        lm_shape flat = LM_SHAPE(t.batch, t.length, t.heads * lm_emit_shape(e, t.v)->dim[3]);
        y = lm_emit_reshape(e, lm_emit_swap(e, y, 1, 2), &flat);
    }
    im->y[0] = y;
}

/* Cosines or sines, [batch, length, half] or, with positions, a table of which rows are taken: as
 * [batch, length, 1, half]. */
static lm_val angles(lm_import *im, int i, int64_t half)
{
    lm_emit *e = &im->e;
    lm_attrs rows = {0};
    lm_val x = lm_in(im, i);
    if (lm_in(im, 3) != LM_NOVAL)
        x = lm_emit1(e, LM_OP_GATHER, &rows, x, lm_in(im, 3));
    const lm_shape *s = lm_emit_shape(e, x);
    if (e->status == LM_OK && (s->rank != 3 || s->dim[2] < half))
        lm_import_fail(im, LM_INPUT, "input %d does not give %lld angles per position", i, (long long)half);
    if (e->status != LM_OK)
        return LM_NOVAL;
    return lm_emit_unsqueeze(e, lm_emit_slice(e, x, 2, 0, half), 2);
}

/* Every other number of the last axis, from `first` on. */
static lm_val every_other(lm_emit *e, lm_val x, int64_t first, int64_t half)
{
    lm_attrs a = {0};
    for (int i = 0; i < 4; i++) {
        a.slice.step[i] = 1;
        a.slice.size[i] = lm_emit_shape(e, x)->dim[i];
    }
    a.slice.start[3] = first;
    a.slice.step[3] = 2;
    a.slice.size[3] = half;
    return lm_emit1(e, LM_OP_SLICE, &a, x);
}

/* Pairs (a, b) turned by their position's angles: (a cos - b sin, a sin + b cos). x: [batch, length, heads, width]. */
static lm_val rotate(lm_import *im, lm_val x, int64_t half, bool interleaved)
{
    lm_emit *e = &im->e;
    lm_val cosine = angles(im, 1, half), sine = angles(im, 2, half);
    if (e->status != LM_OK)
        return LM_NOVAL;
    lm_val a = interleaved ? every_other(e, x, 0, half) : lm_emit_slice(e, x, 3, 0, half);
    lm_val b = interleaved ? every_other(e, x, 1, half) : lm_emit_slice(e, x, 3, half, half);
    lm_val turned[2] = {
        lm_emit1(e, LM_OP_SUB, NULL, lm_emit1(e, LM_OP_MUL, NULL, a, cosine), lm_emit1(e, LM_OP_MUL, NULL, b, sine)),
        lm_emit1(e, LM_OP_ADD, NULL, lm_emit1(e, LM_OP_MUL, NULL, a, sine), lm_emit1(e, LM_OP_MUL, NULL, b, cosine))};
    if (!interleaved)
        return lm_emit_concat(e, 2, turned, 3);
    for (int i = 0; i < 2; i++)
        turned[i] = lm_emit_unsqueeze(e, turned[i], 4);
    lm_shape shape = *lm_emit_shape(e, a);
    shape.dim[3] = 2 * half;
    return lm_emit_reshape(e, lm_emit_concat(e, 2, turned, 4), &shape);
}

/* (x, cosines, sines, positions?): x is [batch, heads, length, width] or [batch, length, heads * width] */
void lm_import_rotaryembedding(lm_import *im)
{
    lm_emit *e = &im->e;
    int64_t heads = lm_attr_int(im, "num_heads", 0), part = lm_attr_int(im, "rotary_embedding_dim", 0);
    bool interleaved = lm_attr_int(im, "interleaved", 0) != 0;
    if (!lm_import_needs(im, 3) || !lm_import_ranked(im, 0, 3, 4))
        return;
    const lm_shape full = *lm_in_shape(im, 0);
    lm_val x = full.rank == 4 ? lm_in(im, 0) : split_heads(im, 0, heads);
    x = lm_emit_swap(e, x, 1, 2);
    if (e->status != LM_OK)
        return;
    int64_t width = lm_emit_shape(e, x)->dim[3];
    part = part ? part : width;
    if (part < 0 || part > width || part % 2 != 0) {
        lm_import_fail(im, LM_INPUT, "%lld of %lld numbers cannot be rotated in pairs", (long long)part,
                       (long long)width);
        return;
    }
    lm_val y = rotate(im, lm_emit_slice(e, x, 3, 0, part), part / 2, interleaved);
    if (part < width)
        y = lm_emit_concat(e, 2, (lm_val[]){y, lm_emit_slice(e, x, 3, part, width - part)}, 3);
    im->y[0] = full.rank == 4 ? lm_emit_swap(e, y, 1, 2) : lm_emit_reshape(e, y, &full);
}
