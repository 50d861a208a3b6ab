/* Shape rules of matrix products and convolutions. */
#include "core/ops/shape_rules.h"

lm_status lm_shape_matmul(const lm_shape_args *args, lm_type *y)
{
    const lm_attr_matmul *t = &args->a->matmul;
    lm_shape a = args->x[0].sh, b = args->x[1].sh;
    LM_TRY(lm_rule_type(args, 0, LM_SET_NUMBER));
    LM_TRY(lm_rule_same_types(args, 1));
    LM_RULE(a.rank >= 1 && b.rank >= 1, "inputs have shapes %s and %s; expected at least one axis each", LM_TEXT(a),
            LM_TEXT(b));
    LM_RULE((a.rank > 1 || !t->ta) && (b.rank > 1 || !t->tb), "inputs %s and %s: a vector cannot be transposed",
            LM_TEXT(a), LM_TEXT(b));
    /* a vector is one row on the left, one column on the right, and that axis vanishes from the result */
    int64_t m = a.rank == 1 ? 1 : a.dim[a.rank - (t->ta ? 1 : 2)];
    int64_t k = a.rank == 1 ? a.dim[0] : a.dim[a.rank - (t->ta ? 2 : 1)];
    int64_t kb = b.rank == 1 ? b.dim[0] : b.dim[b.rank - (t->tb ? 1 : 2)];
    int64_t n = b.rank == 1 ? 1 : b.dim[b.rank - (t->tb ? 2 : 1)];
    LM_RULE(k == kb, "inputs %s%s and %s%s: the inner sizes %lld and %lld differ", LM_TEXT(a),
            t->ta ? " (transposed)" : "", LM_TEXT(b), t->tb ? " (transposed)" : "", (long long)k, (long long)kb);
    lm_shape outer_a = a, outer_b = b, shape;
    outer_a.rank = a.rank > 2 ? a.rank - 2 : 0;
    outer_b.rank = b.rank > 2 ? b.rank - 2 : 0;
    LM_TRY(lm_context(lm_shape_broadcast(&outer_a, &outer_b, &shape), "%s: batch axes of %s and %s",
                      lm_ops[args->op].name, LM_TEXT(a), LM_TEXT(b)));
    if (a.rank > 1)
        shape.dim[shape.rank++] = m;
    if (b.rank > 1)
        shape.dim[shape.rank++] = n;
    if (lm_rule_has(args, 2))
        LM_TRY(lm_rule_shape(args, 2, LM_SHAPE(n), "one bias per column of input 1"));
    y[0] = (lm_type){args->x[0].dt, shape};
    return LM_OK;
}

lm_status lm_shape_gemm(const lm_shape_args *args, lm_type *y)
{
    const lm_attr_gemm *t = &args->a->gemm;
    const lm_shape *a = &args->x[0].sh, *b = &args->x[1].sh;
    LM_TRY(lm_rule_type(args, 0, LM_SET_NUMBER));
    LM_TRY(lm_rule_same_types(args, 1));
    LM_RULE(a->rank == 2 && b->rank == 2, "inputs have shapes %s and %s; expected two matrices", LM_TEXT(*a),
            LM_TEXT(*b));
    LM_RULE(a->dim[!t->ta] == b->dim[t->tb], "inputs %s%s and %s%s: the inner sizes %lld and %lld differ", LM_TEXT(*a),
            t->ta ? " (transposed)" : "", LM_TEXT(*b), t->tb ? " (transposed)" : "", (long long)a->dim[!t->ta],
            (long long)b->dim[t->tb]);
    lm_shape shape = LM_SHAPE(a->dim[t->ta], b->dim[!t->tb]);
    if (lm_rule_has(args, 2))
        LM_TRY(lm_rule_stretches(args, 2, shape));
    y[0] = (lm_type){args->x[0].dt, shape};
    return LM_OK;
}

/* A conv attribute's numbers, each in a range in which no sum below can overflow. */
static lm_status check_conv(const lm_shape_args *args)
{
    const lm_attr_conv *c = &args->a->conv;
    const lm_shape *x = &args->x[0].sh;
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    LM_TRY(lm_rule_same_types(args, 1));
    LM_RULE(c->nd >= 1 && c->nd <= LM_SPATIAL, "nd = %d spatial axes for input %s; expected 1 to %d", c->nd,
            LM_TEXT(*x), LM_SPATIAL);
    LM_RULE(x->rank == c->nd + 2 && args->x[1].sh.rank == c->nd + 2,
            "inputs have shapes %s and %s; expected rank %d (batch, channels, %d spatial axes)", LM_TEXT(*x),
            LM_TEXT(args->x[1].sh), c->nd + 2, c->nd);
    LM_TRY(lm_rule_range(args, "groups", c->groups, 1, INT32_MAX));
    for (int i = 0; i < c->nd; i++) {
        LM_TRY(lm_rule_range(args, "kernel", c->kernel[i], 1, INT32_MAX));
        LM_TRY(lm_rule_range(args, "stride", c->stride[i], 1, INT32_MAX));
        LM_TRY(lm_rule_range(args, "dilation", c->dilation[i], 1, INT32_MAX));
        /* negative padding crops; exporters write it, and gradients of such nodes need it */
        LM_TRY(lm_rule_range(args, "pad_lo", c->pad_lo[i], -INT32_MAX, INT32_MAX));
        LM_TRY(lm_rule_range(args, "pad_hi", c->pad_hi[i], -INT32_MAX, INT32_MAX));
    }
    LM_RULE(x->dim[1] % c->groups == 0, "groups = %d do not divide the %lld channels of input %s", c->groups,
            (long long)x->dim[1], LM_TEXT(*x));
    return LM_OK;
}

/* How many positions the window takes along spatial axis i of an image of size `in`. */
static lm_status positions(const lm_shape_args *args, int i, int64_t in, int64_t *out)
{
    const lm_attr_conv *c = &args->a->conv;
    int64_t extent = (c->kernel[i] - 1) * c->dilation[i] + 1;
    return lm_rule_window(args, i + 2, in, c->pad_lo[i], c->pad_hi[i], extent, c->stride[i], false, out);
}

static lm_status check_kernel(const lm_shape_args *args)
{
    const lm_attr_conv *c = &args->a->conv;
    for (int i = 0; i < c->nd; i++)
        LM_RULE(args->x[1].sh.dim[i + 2] == c->kernel[i],
                "weights have shape %s; expected kernel size %lld on axis %d", LM_TEXT(args->x[1].sh),
                (long long)c->kernel[i], i + 2);
    return LM_OK;
}

lm_status lm_shape_conv(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_conv(args));
    LM_TRY(check_kernel(args));
    const lm_attr_conv *c = &args->a->conv;
    const lm_shape *x = &args->x[0].sh, *w = &args->x[1].sh;
    LM_RULE(w->dim[1] == x->dim[1] / c->groups && w->dim[0] % c->groups == 0,
            "weights have shape %s; for input %s and groups = %d expected [k*%d,%lld,...]", LM_TEXT(*w), LM_TEXT(*x),
            c->groups, c->groups, (long long)(x->dim[1] / c->groups));
    if (lm_rule_has(args, 2))
        LM_TRY(lm_rule_shape(args, 2, LM_SHAPE(w->dim[0]), "one bias per output channel"));
    y[0] = (lm_type){args->x[0].dt, {.rank = c->nd + 2, .dim = {x->dim[0], w->dim[0]}}};
    for (int i = 0; i < c->nd; i++)
        LM_TRY(positions(args, i, x->dim[i + 2], &y[0].sh.dim[i + 2]));
    return LM_OK;
}

/* The result is the image that the window walks over, so its size must leave room for as many positions as the signal
 * has elements. */
lm_status lm_shape_conv_t(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_conv(args));
    LM_TRY(check_kernel(args));
    const lm_attr_conv *c = &args->a->conv;
    const lm_shape *s = &args->x[0].sh, *w = &args->x[1].sh;
    LM_RULE(w->dim[0] == s->dim[1], "weights have shape %s; for signal %s expected [%lld,...]", LM_TEXT(*w),
            LM_TEXT(*s), (long long)s->dim[1]);
    int64_t channels;
    LM_RULE(lm_mul_i64(w->dim[1], c->groups, &channels), "weights %s with groups = %d make too many channels",
            LM_TEXT(*w), c->groups);
    if (lm_rule_has(args, 2))
        LM_TRY(lm_rule_shape(args, 2, LM_SHAPE(channels), "one bias per output channel"));
    y[0] = (lm_type){args->x[0].dt, {.rank = c->nd + 2, .dim = {s->dim[0], channels}}};
    for (int i = 0; i < c->nd; i++) {
        int64_t room;
        LM_TRY(lm_rule_range(args, "size", c->size[i], 0, (int64_t)1 << 61));
        LM_TRY(positions(args, i, c->size[i], &room));
        LM_RULE(room >= s->dim[i + 2], "size = %lld on spatial axis %d has %lld window positions; signal %s needs more",
                (long long)c->size[i], i, (long long)room, LM_TEXT(*s));
        y[0].sh.dim[i + 2] = c->size[i];
    }
    return LM_OK;
}

/* (x, signal) -> weights [M, C/groups, kernel]. */
lm_status lm_shape_conv_dw(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_conv(args));
    const lm_attr_conv *c = &args->a->conv;
    const lm_shape *x = &args->x[0].sh, *s = &args->x[1].sh;
    LM_RULE(s->dim[0] == x->dim[0] && s->dim[1] % c->groups == 0,
            "the signal has shape %s; for input %s and groups = %d expected [%lld,k*%d,...]", LM_TEXT(*s), LM_TEXT(*x),
            c->groups, (long long)x->dim[0], c->groups);
    y[0] = (lm_type){args->x[0].dt, {.rank = c->nd + 2, .dim = {s->dim[1], x->dim[1] / c->groups}}};
    for (int i = 0; i < c->nd; i++) {
        int64_t room;
        LM_TRY(positions(args, i, x->dim[i + 2], &room));
        LM_RULE(s->dim[i + 2] <= room, "the signal %s is larger on axis %d than the %lld window positions of input %s",
                LM_TEXT(*s), i + 2, (long long)room, LM_TEXT(*x));
        y[0].sh.dim[i + 2] = c->kernel[i];
    }
    return LM_OK;
}

/* (query [B,H,L,D], key [B,H,S,D], value [B,H,S,V], mask?) -> [B,H,L,V]. */
lm_status lm_shape_attention(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *q = &args->x[0].sh, *k = &args->x[1].sh, *v = &args->x[2].sh;
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    LM_TRY(lm_rule_same_types(args, 1));
    LM_RULE(q->rank == 4 && k->rank == 4 && v->rank == 4,
            "query, key and value have shapes %s, %s and %s; expected [batch,heads,length,width]", LM_TEXT(*q),
            LM_TEXT(*k), LM_TEXT(*v));
    LM_RULE(k->dim[1] > 0 ? q->dim[1] % k->dim[1] == 0 : q->dim[1] == 0,
            "the key has shape %s, whose %lld heads do not divide the query's %lld", LM_TEXT(*k), (long long)k->dim[1],
            (long long)q->dim[1]);
    LM_TRY(lm_rule_shape(args, 1, LM_SHAPE(q->dim[0], k->dim[1], k->dim[2], q->dim[3]), "the query's batch and width"));
    LM_TRY(lm_rule_shape(args, 2, LM_SHAPE(q->dim[0], k->dim[1], k->dim[2], v->dim[3]),
                         "the key's batch, heads and length"));
    if (lm_rule_has(args, 3))
        LM_TRY(lm_rule_stretches(args, 3, LM_SHAPE(q->dim[0], q->dim[1], q->dim[2], k->dim[2])));
    y[0] = (lm_type){args->x[0].dt, LM_SHAPE(q->dim[0], q->dim[1], q->dim[2], v->dim[3])};
    return LM_OK;
}
