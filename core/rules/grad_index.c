/* Derivatives of gather, scatter and the choice of the largest. */
#include "core/rules/grad.h"

void lm_grad_gather(const lm_rx *r)
{
    lm_attrs a = {0};
    a.shape.shape = *lm_emit_shape(r->e, r->x[0]);
    a.shape.axis = r->n->a->index.axis;
    r->out[0] = lm_emit1(r->e, LM_OP_GATHER_DX, &a, r->s, r->x[1]);
}

void lm_grad_gather_dx(const lm_rx *r)
{
    lm_attrs a = {0};
    a.index.axis = r->n->a->shape.axis;
    r->out[0] = lm_emit1(r->e, LM_OP_GATHER, &a, r->s, r->x[1]);
}

/* A gather and the scatter over the same places. */
typedef struct places {
    lm_emit *e;
    lm_opid gather, scatter;
    int axis;
    lm_val index;
} places;

static lm_val gather(const places *p, lm_val data)
{
    lm_attrs a = {0};
    a.index.axis = p->axis;
    return lm_emit1(p->e, p->gather, &a, data, p->index);
}

static lm_val scatter(const places *p, lm_val data, lm_val updates, lm_scatter_mode mode)
{
    lm_attrs a = {0};
    a.index.axis = p->axis;
    a.index.mode = mode;
    return lm_emit1(p->e, p->scatter, &a, data, p->index, updates);
}

void lm_grad_gather_elements(const lm_rx *r)
{
    const places p = {.e = r->e, .scatter = LM_OP_SCATTERELEMENTS, .axis = r->n->a->index.axis, .index = r->x[1]};
    r->out[0] = scatter(&p, lm_zeros(r->e, r->x[0]), r->s, LM_SCATTER_ADD);
}

/* The indices with a coordinate for each of the `batch` axes that they share with data in front of their own. */
static lm_val with_batch(lm_emit *e, lm_val index, int batch)
{
    const lm_dtype dt = lm_emit_type(e, index)->dt;
    lm_shape one = *lm_emit_shape(e, index);
    one.dim[one.rank - 1] = 1;
    lm_val part[LM_RANK + 1];
    for (int i = 0; i < batch; i++) {
        lm_shape line = one;
        for (int k = 0; k < line.rank; k++)
            line.dim[k] = k == i ? one.dim[k] : 1;
        lm_val count = lm_emit_cast(e, lm_emit_iota(e, 0, one.dim[i]), dt);
        part[i] = lm_emit_expand(e, lm_emit_reshape(e, count, &line), &one);
    }
    part[batch] = index;
    return lm_emit_concat(e, batch + 1, part, one.rank - 1);
}

void lm_grad_gather_nd(const lm_rx *r)
{
    lm_val index = with_batch(r->e, r->x[1], r->n->a->index.batch);
    const places p = {.e = r->e, .scatter = LM_OP_SCATTERND, .index = index};
    r->out[0] = scatter(&p, lm_zeros(r->e, r->x[0]), r->s, LM_SCATTER_ADD);
}

/* Of several updates of one place the last one stands; only that gets the signal. Places are told apart by the number
 * of the update, which a float counts exactly up to 2^24. */
static void set_rule(const lm_rx *r, const places *p)
{
    lm_emit *e = r->e;
    const lm_shape updates = *lm_emit_shape(e, r->x[2]);
    const int64_t n = lm_shape_count(&updates);
    if (r->want[0])
        r->out[0] = scatter(p, r->s, lm_zeros(e, r->x[2]), LM_SCATTER_SET);
    if (!r->want[2])
        return;
    if (n > 1 << 24) {
        lm_emit_fail(e, LM_UNSUPPORTED, "%s: no derivative with respect to more than 2^24 updates",
                     lm_ops[r->n->op].name);
        return;
    }
    lm_val number = lm_emit_reshape(e, lm_emit_iota(e, 0, n), &updates);
    const lm_shape data = *lm_emit_shape(e, r->x[0]);
    lm_val last = gather(p, scatter(p, lm_emit_full(e, LM_F32, &data, -1), number, LM_SCATTER_SET));
    lm_val stands = lm_emit1(e, LM_OP_EQUAL, NULL, last, number);
    r->out[2] = lm_where_else_0(e, stands, gather(p, r->s));
}

static void add_rule(const lm_rx *r, const places *p)
{
    r->out[0] = r->s;
    if (r->want[2])
        r->out[2] = gather(p, r->s);
}

/* y = data Π updates. An update gets the product of data and the others, which among zeros must not be a quotient. */
static void mul_rule(const lm_rx *r, const places *p)
{
    lm_emit *e = r->e;
    lm_val data = r->x[0], update = r->x[2];
    const lm_type type = *lm_emit_type(e, data);
    if (r->want[0])
        r->out[0] = lm_times(e, r->s, scatter(p, lm_emit_full(e, type.dt, &type.sh, 1), update, LM_SCATTER_MUL));
    if (!r->want[2])
        return;
    lm_val zero = lm_number(e, update, 0), is_zero = lm_emit1(e, LM_OP_EQUAL, NULL, update, zero);
    lm_val filled = lm_choose(e, is_zero, lm_number(e, update, 1), update);
    lm_val all = gather(p, scatter(p, data, filled, LM_SCATTER_MUL));
    lm_val zeros = gather(p, scatter(p, lm_zeros(e, data), lm_indicator(e, is_zero, update), LM_SCATTER_ADD));
    lm_val alone = lm_choose(e, lm_emit_scalar(e, LM_OP_EQUAL, zeros, 1), all, zero);
    lm_val among = lm_choose(e, lm_emit_scalar(e, LM_OP_EQUAL, zeros, 0), lm_over(e, all, filled), zero);
    r->out[2] = lm_times(e, gather(p, r->s), lm_choose(e, is_zero, alone, among));
}

/* All that equal the extreme share alike, the old value among them. */
static void extreme_rule(const lm_rx *r, const places *p)
{
    lm_emit *e = r->e;
    lm_val kept = lm_emit1(e, LM_OP_EQUAL, NULL, r->x[0], r->y);
    lm_val taken = lm_emit1(e, LM_OP_EQUAL, NULL, r->x[2], gather(p, r->y));
    lm_val count = scatter(p, lm_indicator(e, kept, r->s), lm_indicator(e, taken, r->s), LM_SCATTER_ADD);
    lm_val share = lm_over(e, r->s, count);
    if (r->want[0])
        r->out[0] = lm_where_else_0(e, kept, share);
    if (r->want[2])
        r->out[2] = lm_where_else_0(e, taken, gather(p, share));
}

static void scattered(const lm_rx *r, lm_opid back)
{
    static void (*const modes[])(const lm_rx *, const places *) = {
        [LM_SCATTER_SET] = set_rule,     [LM_SCATTER_ADD] = add_rule,     [LM_SCATTER_MUL] = mul_rule,
        [LM_SCATTER_MAX] = extreme_rule, [LM_SCATTER_MIN] = extreme_rule,
    };
    const lm_attr_index *a = &r->n->a->index;
    const places p = {r->e, back, r->n->op, a->axis, r->x[1]};
    modes[a->mode](r, &p);
}

void lm_grad_scatter_elements(const lm_rx *r)
{
    scattered(r, LM_OP_GATHERELEMENTS);
}

void lm_grad_scatter_nd(const lm_rx *r)
{
    scattered(r, LM_OP_GATHERND);
}

/* With respect to the two values: what is hot, and the rest. Numbers of places have no derivative. */
void lm_grad_onehot(const lm_rx *r)
{
    lm_emit *e = r->e;
    if (!r->want[1])
        return;
    const uint32_t all = lm_emit_axes_from(e, r->s, 0);
    lm_val unit = lm_emit_cast(e, lm_emit_iota(e, 0, 2), lm_emit_type(e, r->s)->dt);
    lm_val hot = lm_emit1(e, LM_OP_ONEHOT, r->n->a, r->x[0], unit);
    lm_val cold = lm_minus(e, lm_number(e, r->s, 1), hot);
    lm_val part[2];
    for (int i = 0; i < 2; i++) {
        lm_val sum = lm_emit_reduce(e, LM_OP_REDUCE_SUM, lm_times(e, r->s, i ? hot : cold), all, false);
        part[i] = lm_emit_unsqueeze(e, sum, 0);
    }
    r->out[1] = lm_emit_concat(e, 2, part, 0);
}

/* Of equal elements the first is chosen, so it gets the signal. */
void lm_grad_topk(const lm_rx *r)
{
    lm_val y[2];
    lm_emit_op(r->e, LM_OP_TOPK, r->n->a, 1, r->x, 2, y);
    const places p = {.e = r->e, .scatter = LM_OP_SCATTERELEMENTS, .axis = r->n->a->topk.axis, .index = y[1]};
    r->out[0] = scatter(&p, lm_zeros(r->e, r->x[0]), r->s, LM_SCATTER_ADD);
}
