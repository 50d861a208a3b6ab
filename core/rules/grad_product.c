/* Derivatives of matrix products and convolutions: each is a product again. */
#include <string.h>

#include "core/rules/grad.h"

static lm_val matmul(lm_emit *e, lm_val a, lm_val b, bool ta, bool tb)
{
    lm_attrs t = {0};
    t.matmul.ta = ta;
    t.matmul.tb = tb;
    return lm_emit1(e, LM_OP_MATMUL, &t, a, b);
}

/* The shape without one of its axes. */
static lm_shape without(const lm_shape *s, int axis)
{
    lm_shape less = {0};
    for (int i = 0; i < s->rank; i++)
        if (i != axis)
            less.dim[less.rank++] = s->dim[i];
    return less;
}

/* All but the last axis joined: [rows, last]. */
static lm_val as_matrix(lm_emit *e, lm_val x)
{
    const lm_shape *s = lm_emit_shape(e, x);
    const int64_t last = s->dim[s->rank - 1];
    lm_shape matrix = LM_SHAPE(1, last);
    for (int i = 0; i < s->rank - 1; i++)
        matrix.dim[0] *= s->dim[i];
    return lm_emit_reshape(e, x, &matrix);
}

/* With matrices A and B, as the product sees them, dA = s Bᵀ and dB = Aᵀ s, transposed again where the operand is. */
void lm_grad_matmul(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val a = r->x[0], b = r->x[1], s = r->s;
    const bool ta = r->n->a->matmul.ta, tb = r->n->a->matmul.tb;
    const bool row = lm_emit_shape(e, a)->rank == 1, column = lm_emit_shape(e, b)->rank == 1;
    if (column) {
        b = lm_emit_unsqueeze(e, b, 1);
        s = lm_emit_unsqueeze(e, s, lm_emit_shape(e, s)->rank);
    }
    if (row) {
        a = lm_emit_unsqueeze(e, a, 0);
        s = lm_emit_unsqueeze(e, s, lm_emit_shape(e, s)->rank - 1);
    }
    if (e->status != LM_OK)
        return;
    if (r->want[0])
        r->out[0] = ta ? matmul(e, b, s, tb, true) : matmul(e, s, b, false, !tb);
    if (r->want[1]) {
        lm_val left = a, right = s;
        if (!ta && lm_emit_shape(e, b)->rank == 2 && lm_emit_shape(e, a)->rank > 2) {
            left = as_matrix(e, a); /* one product instead of one per batch and a sum over them */
            right = as_matrix(e, s);
        }
        r->out[1] = tb ? matmul(e, right, left, true, ta) : matmul(e, left, right, !ta, false);
        if (column && e->status == LM_OK) {
            const lm_shape *wide = lm_emit_shape(e, r->out[1]);
            const lm_shape narrow = without(wide, wide->rank - 1);
            r->out[1] = lm_emit_reshape(e, r->out[1], &narrow);
        }
    }
    if (r->n->nx > 2 && r->want[2])
        r->out[2] = s;
}

/* The first `like` positions on each spatial axis: a window may have more places than the signal used. */
static lm_val cut_to(lm_emit *e, lm_val x, const lm_shape *like)
{
    for (int i = 2; i < like->rank && e->status == LM_OK; i++)
        x = lm_emit_slice(e, x, i, 0, like->dim[i]);
    return x;
}

static lm_attrs sized(const lm_attrs *a, const lm_shape *image)
{
    lm_attrs b = *a;
    memset(b.conv.size, 0, sizeof b.conv.size);
    for (int i = 0; image && i < b.conv.nd; i++)
        b.conv.size[i] = image->dim[i + 2];
    return b;
}

/* The three products of a convolution that walks over `image`; each is linear in both of its operands, and the other
 * two are its derivatives. */
static lm_val to_image(const lm_rx *r, lm_val signal, lm_val weights, const lm_shape *image)
{
    const lm_attrs a = sized(r->n->a, image);
    return lm_emit1(r->e, LM_OP_CONV_T, &a, signal, weights);
}

static lm_val to_weights(const lm_rx *r, lm_val image, lm_val signal)
{
    const lm_attrs a = sized(r->n->a, NULL);
    return lm_emit1(r->e, LM_OP_CONV_DW, &a, image, signal);
}

static lm_val to_signal(const lm_rx *r, lm_val image, lm_val weights, lm_val like)
{
    const lm_attrs a = sized(r->n->a, NULL);
    return cut_to(r->e, lm_emit1(r->e, LM_OP_CONV, &a, image, weights), lm_emit_shape(r->e, like));
}

static void bias(const lm_rx *r)
{
    const lm_shape *s = lm_emit_shape(r->e, r->s);
    const uint32_t all = (1u << s->rank) - 1;
    if (r->n->nx > 2 && r->want[2])
        r->out[2] = lm_emit_reduce(r->e, LM_OP_REDUCE_SUM, r->s, all & ~2u, false);
}

void lm_grad_conv(const lm_rx *r)
{
    if (r->want[0])
        r->out[0] = to_image(r, r->s, r->x[1], lm_emit_shape(r->e, r->x[0]));
    if (r->want[1])
        r->out[1] = to_weights(r, r->x[0], r->s);
    bias(r);
}

void lm_grad_conv_t(const lm_rx *r)
{
    if (r->want[0])
        r->out[0] = to_signal(r, r->s, r->x[1], r->x[0]);
    if (r->want[1])
        r->out[1] = to_weights(r, r->s, r->x[0]);
    bias(r);
}

void lm_grad_conv_dw(const lm_rx *r)
{
    if (r->want[0])
        r->out[0] = to_image(r, r->x[1], r->s, lm_emit_shape(r->e, r->x[0]));
    if (r->want[1])
        r->out[1] = to_signal(r, r->x[0], r->s, r->x[1]);
}
