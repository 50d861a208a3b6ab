/* Importers of operators that carry a state from call to call: linear attention and causal convolution. */
#include "core/model/import_util.h"

#include <math.h>

enum { STEPS_MAX = 1 << 12 };

/* How the state s [b,h,k,v] changes: it fades by exp(decay), and takes the value of a key in the place of what it holds
 * there (delta), or besides it. */
typedef struct recurrence {
    int64_t heads_q, heads, batch, steps, key, value;
    bool gated, delta;
} recurrence;

/* Half precision would lose the state over the steps. */
static lm_dtype wide(lm_dtype dt)
{
    return dt == LM_F64 ? LM_F64 : LM_F32;
}

/* [b,t,heads*w] -> [b,heads,t,w] */
static lm_val heads_of(lm_import *im, int input, int64_t heads)
{
    lm_val x = lm_in(im, input);
    if (x == LM_NOVAL || !lm_import_ranked(im, input, 3, 3))
        return LM_NOVAL;
    x = lm_emit_cast(&im->e, x, wide(lm_in_type(im, input)->dt));
    const lm_shape *s = lm_in_shape(im, input);
    if (heads < 1 || s->dim[2] % heads) {
        lm_import_fail(im, LM_INPUT, "input %d has %lld numbers per step, for %lld heads", input, (long long)s->dim[2],
                       (long long)heads);
        return LM_NOVAL;
    }
    return lm_emit_swap(&im->e, LM_IMPORT_RESHAPE(im, x, s->dim[0], s->dim[1], heads, s->dim[2] / heads), 1, 2);
}

/* Step t of [b,h,t,w] as [b,h,w,1] (a column) or [b,h,1,w]. */
static lm_val step_of(lm_emit *e, lm_val x, int64_t t, bool column)
{
    lm_val row = lm_emit_slice(e, x, 2, t, 1);
    return column ? lm_emit_swap(e, row, 2, 3) : row;
}

static lm_val next_state(lm_emit *e, const recurrence *r, lm_val s, lm_val k, lm_val v, lm_val fade, lm_val beta)
{
    if (r->gated)
        s = lm_emit1(e, LM_OP_MUL, NULL, s, fade);
    if (r->delta) {
        lm_attrs a = {0};
        a.matmul.ta = true;
        v = lm_emit1(e, LM_OP_MUL, NULL, beta, lm_emit1(e, LM_OP_SUB, NULL, v, lm_emit1(e, LM_OP_MATMUL, &a, k, s)));
    }
    return lm_emit1(e, LM_OP_ADD, NULL, s, lm_emit1(e, LM_OP_MUL, NULL, k, v));
}

static bool measure(lm_import *im, recurrence *r)
{
    static const char *const rules[] = {"linear", "gated", "delta", "gated_delta", NULL};
    int rule = lm_attr_choice(im, "update_rule", 3, rules);
    *r = (recurrence){.heads_q = lm_attr_int(im, "q_num_heads", 0), .heads = lm_attr_int(im, "kv_num_heads", 0),
                      .gated = rule & 1, .delta = rule >= 2};
    for (int i = 0; i < 3; i++)
        if (!lm_import_ranked(im, i, 3, 3))
            return false;
    const lm_shape *q = lm_in_shape(im, 0), *k = lm_in_shape(im, 1), *v = lm_in_shape(im, 2);
    r->batch = q->dim[0];
    r->steps = q->dim[1];
    bool heads = r->heads > 0 && r->heads_q > 0 && r->heads_q % r->heads == 0;
    r->key = heads ? k->dim[2] / r->heads : 0;
    r->value = heads ? v->dim[2] / r->heads : 0;
    if (!heads || q->dim[2] != r->key * r->heads_q || k->dim[1] != r->steps || v->dim[1] != r->steps)
        lm_import_fail(im, LM_INPUT, "queries, keys and values do not fit %lld and %lld heads", (long long)r->heads_q,
                       (long long)r->heads);
    if ((r->gated && lm_in(im, 4) == LM_NOVAL) || (r->delta && lm_in(im, 5) == LM_NOVAL))
        lm_import_fail(im, LM_INPUT, "update_rule = '%s' needs decay and beta", rules[rule]);
    if (r->steps > STEPS_MAX)
        lm_import_fail(im, LM_UNSUPPORTED, "%lld steps; at most %d are possible", (long long)r->steps, STEPS_MAX);
    return im->e.status == LM_OK;
}

/* (query, key, value [b,t,heads*width], state [b,h,k,v]?, decay?, beta?) */
void lm_import_linearattention(lm_import *im)
{
    lm_emit *e = &im->e;
    recurrence r;
    if (!measure(im, &r))
        return;
    double scale = lm_attr_float(im, "scale", 0);
    lm_dtype dt = lm_in_type(im, 0)->dt;
    const lm_shape state = LM_SHAPE(r.batch, r.heads, r.key, r.value);
    lm_val q = heads_of(im, 0, r.heads_q), k = heads_of(im, 1, r.heads), v = heads_of(im, 2, r.heads);
    lm_val fade = r.gated ? lm_emit1(e, LM_OP_EXP, NULL, heads_of(im, 4, r.heads)) : LM_NOVAL, beta = LM_NOVAL;
    if (r.delta)
        beta = heads_of(im, 5, lm_in_shape(im, 5)->rank == 3 && lm_in_shape(im, 5)->dim[2] == 1 ? 1 : r.heads);
    lm_val s = lm_in(im, 3) == LM_NOVAL ? lm_emit_full(e, dt, &state, 0) : lm_in(im, 3), y[STEPS_MAX];
    lm_dtype held = e->status == LM_OK ? lm_emit_type(e, s)->dt : dt;
    s = lm_emit_cast(e, s, wide(dt));
    q = lm_emit_scalar(e, LM_OP_MUL, q, scale != 0 ? scale : 1 / sqrt((double)r.key));
    for (int64_t t = 0; t < r.steps && e->status == LM_OK; t++) {
        s = next_state(e, &r, s, step_of(e, k, t, true), step_of(e, v, t, false),
                       r.gated ? step_of(e, fade, t, true) : LM_NOVAL, r.delta ? step_of(e, beta, t, false) : LM_NOVAL);
        /* the heads of a group read one state */
        int64_t group = r.heads_q / r.heads;
        lm_val rows = LM_IMPORT_RESHAPE(im, step_of(e, q, t, false), r.batch, r.heads, group, r.key);
        y[t] = LM_IMPORT_RESHAPE(im, lm_emit1(e, LM_OP_MATMUL, NULL, rows, s), r.batch, 1, r.heads_q * r.value);
    }
    if (r.steps < 1)
        lm_import_fail(im, LM_INPUT, "there are no steps");
    if (e->status != LM_OK)
        return;
    im->y[0] = lm_emit_cast(e, lm_emit_concat(e, (int)r.steps, y, 1), dt);
    if (im->ny > 1)
        im->y[1] = lm_emit_cast(e, s, held);
}

/* (x [n,c,length], weights [c,1,k], bias?, the k - 1 positions before x?) -> y, the last k - 1 positions */
void lm_import_causalconv(lm_import *im)
{
    static const char *const words[] = {"none", "silu", "swish", NULL};
    lm_emit *e = &im->e;
    lm_attrs a = {0}, swish = {0};
    int active = lm_attr_choice(im, "activation", 0, words);
    if (!lm_import_ranked(im, 0, 3, 3) || !lm_import_ranked(im, 1, 3, 3))
        return;
    const lm_shape *s = lm_in_shape(im, 0);
    int64_t k = lm_in_shape(im, 1)->dim[2], length = s->dim[2];
    const lm_shape before = LM_SHAPE(s->dim[0], s->dim[1], k - 1);
    if (k < 1 || s->dim[1] < 1 || s->dim[1] > INT32_MAX) {
        lm_import_fail(im, LM_INPUT, "weights of shape %s for x %s",
                       lm_shape_text(lm_in_shape(im, 1), (char[LM_SHAPE_TEXT]){0}),
                       lm_shape_text(s, (char[LM_SHAPE_TEXT]){0}));
        return;
    }
    lm_val past = lm_in(im, 3) == LM_NOVAL ? lm_emit_full(e, lm_in_type(im, 0)->dt, &before, 0) : lm_in(im, 3);
    lm_val whole = k == 1 ? lm_in(im, 0) : lm_emit_concat(e, 2, (lm_val[]){past, lm_in(im, 0)}, 2);
    lm_val x[3] = {whole, lm_in(im, 1), lm_in(im, 2)};
    a.conv.nd = 1;
    a.conv.groups = (int32_t)s->dim[1];
    a.conv.kernel[0] = k;
    a.conv.stride[0] = a.conv.dilation[0] = 1;
    swish.act.a = 1;
    lm_val y = lm_emit_one(e, LM_OP_CONV, &a, x[2] == LM_NOVAL ? 2 : 3, x);
    im->y[0] = active ? lm_emit1(e, LM_OP_SWISH, &swish, y) : y;
    if (lm_wants(im, 1))
        im->y[1] = k == 1 ? past : lm_emit_slice(e, whole, 2, length, k - 1);
}
