/* Derivatives of pooling and resizing. */
#include <string.h>

#include "core/rules/grad.h"

/* The pool's attributes with the spatial size of `image`, or with none. */
static lm_attrs sized(const lm_attrs *a, const lm_shape *image)
{
    lm_attrs b = *a;
    memset(b.pool.size, 0, sizeof b.pool.size);
    for (int i = 0; image && i < b.pool.nd; i++)
        b.pool.size[i] = image->dim[i + 2];
    return b;
}

/* The winners' positions; how the file wants them counted does not matter here. */
void lm_grad_maxpool(const lm_rx *r)
{
    lm_attrs a = sized(r->n->a, NULL);
    lm_val y[2];
    a.pool.column_major = false;
    lm_emit_op(r->e, LM_OP_MAXPOOL, &a, 1, r->x, 2, y);
    a = sized(&a, lm_emit_shape(r->e, r->x[0]));
    r->out[0] = lm_emit1(r->e, LM_OP_MAXPOOL_DX, &a, r->s, y[1]);
}

/* (signal, index) -> image: each signal element went to one place, or to none where the index is -1. */
void lm_grad_maxpool_dx(const lm_rx *r)
{
    lm_emit *e = r->e;
    if (r->n->a->pool.column_major) {
        lm_emit_fail(e, LM_UNSUPPORTED, "%s: no derivative with column-major indices", lm_ops[r->n->op].name);
        return;
    }
    const lm_shape flat = LM_SHAPE(lm_shape_count(lm_emit_shape(e, r->s)));
    lm_val index = r->x[1], zero = lm_number(e, index, 0);
    lm_val nowhere = lm_emit1(e, LM_OP_LESS, NULL, index, zero);
    lm_val at = lm_choose(e, nowhere, zero, index);
    lm_val picked = lm_emit1(e, LM_OP_GATHER, NULL, lm_emit_reshape(e, r->s, &flat), at);
    r->out[0] = lm_choose(e, nowhere, lm_number(e, picked, 0), picked);
}

void lm_grad_avgpool(const lm_rx *r)
{
    const lm_attrs a = sized(r->n->a, lm_emit_shape(r->e, r->x[0]));
    r->out[0] = lm_emit1(r->e, LM_OP_AVGPOOL_DX, &a, r->s);
}

void lm_grad_avgpool_dx(const lm_rx *r)
{
    const lm_attrs a = sized(r->n->a, NULL);
    r->out[0] = lm_emit1(r->e, LM_OP_AVGPOOL, &a, r->s);
}

/* Every element of `s` to all pixels of its window, added: a depthwise transposed convolution with ones. The last
 * window may reach past the padding, so that is made wider; nothing lies there. */
static lm_val spread(const lm_rx *r, lm_val s)
{
    const lm_attr_pool *p = &r->n->a->pool;
    const lm_shape *image = lm_emit_shape(r->e, r->x[0]);
    lm_shape weights = {.rank = p->nd + 2, .dim = {image->dim[1], 1}};
    lm_attrs a = {0};
    a.conv.nd = p->nd;
    a.conv.groups = (int32_t)image->dim[1];
    for (int i = 0; i < p->nd; i++) {
        a.conv.kernel[i] = weights.dim[i + 2] = p->kernel[i];
        a.conv.stride[i] = p->stride[i];
        a.conv.dilation[i] = p->dilation[i];
        a.conv.pad_lo[i] = p->pad_lo[i];
        a.conv.pad_hi[i] = p->pad_hi[i] + (p->ceil ? p->stride[i] : 0);
        a.conv.size[i] = image->dim[i + 2];
    }
    return lm_emit1(r->e, LM_OP_CONV_T, &a, s, lm_emit_full(r->e, lm_emit_type(r->e, s)->dt, &weights, 1));
}

/* y = (Σ|x|^p)^(1/p): y^(1 - p) |x|^(p - 1) sign x, and 0 where the whole window is. */
void lm_grad_lppool(const lm_rx *r)
{
    lm_emit *e = r->e;
    lm_val x = r->x[0];
    const double p = r->n->a->pool.p;
    lm_val empty = lm_emit_scalar(e, LM_OP_EQUAL, r->y, 0);
    lm_val size = lm_choose(e, empty, lm_number(e, r->y, 1), r->y);
    lm_val share = p == 1 ? r->s : lm_times(e, r->s, lm_emit_scalar(e, LM_OP_POW, size, 1 - p));
    lm_val own = lm_unary(e, LM_OP_SIGN, x);
    if (p == 2)
        own = x;
    else if (p > 2)
        own = lm_times(e, own, lm_emit_scalar(e, LM_OP_POW, lm_unary(e, LM_OP_ABS, x), p - 1));
    r->out[0] = lm_times(e, spread(r, share), own);
}

/* The attributes with another shape on the result's side. What lies outside the image is a number, not a part of x. */
static lm_attrs resized(const lm_attrs *a, const lm_shape *to)
{
    lm_attrs b = *a;
    memset(b.resize.size, 0, sizeof b.resize.size);
    memcpy(b.resize.size, to->dim, (size_t)to->rank * sizeof *to->dim);
    b.resize.extrapolation = 0;
    return b;
}

void lm_grad_resize(const lm_rx *r)
{
    const lm_attrs a = resized(r->n->a, lm_emit_shape(r->e, r->x[0]));
    r->out[0] = lm_emit1(r->e, LM_OP_RESIZE_DX, &a, r->s);
}

void lm_grad_resize_dx(const lm_rx *r)
{
    const lm_attrs a = resized(r->n->a, lm_emit_shape(r->e, r->x[0]));
    r->out[0] = lm_emit1(r->e, LM_OP_RESIZE, &a, r->s);
}
