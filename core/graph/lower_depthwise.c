/* The transpose of a depthwise convolution is a depthwise convolution of turned weights, for which there are fast
 * kernels. A stride becomes zeros between the elements that go in. Every element is the same chain of products in
 * the same order, and adding a product with zero changes no bit. */
#include "core/graph/lower.h"

/* Weights of one input and one output channel per group, whose content is known. */
static bool is_depthwise(const lm_rewrite *r, const lm_node *n)
{
    const lm_value *w = n->op == LM_OP_CONV_T ? lm_graph_value(r->from, n->x[1]) : NULL;
    const lm_attr_conv *a = &n->a->conv;
    if (!w || !w->constant || n->ep || !r->e.fold || w->type.sh.dim[1] != 1 || a->groups < 2)
        return false;
    for (int i = 0; i < a->nd; i++)
        if ((a->kernel[i] - 1) * a->dilation[i] < a->pad_lo[i])
            return false;
    return w->type.sh.dim[0] == a->groups;
}

static lm_val turned(lm_emit *e, lm_val w, int nd)
{
    lm_attrs a = {0};
    const lm_shape s = *lm_emit_shape(e, w);
    for (int i = 0; i < s.rank; i++) {
        const bool turns = i >= s.rank - nd;
        a.slice.start[i] = turns ? s.dim[i] - 1 : 0;
        a.slice.step[i] = turns ? -1 : 1;
        a.slice.size[i] = s.dim[i];
    }
    return lm_emit1(e, LM_OP_SLICE, &a, w);
}

/* With zeros between elements. */
static lm_val spread(lm_emit *e, lm_val x, const lm_attr_conv *c)
{
    lm_attrs a = {0};
    const lm_shape s = *lm_emit_shape(e, x);
    bool wider = false;
    for (int i = 0; i < s.rank; i++) {
        const int64_t step = i < 2 ? 1 : c->stride[i - 2];
        a.slice.step[i] = step;
        a.slice.size[i] = (s.dim[i] - 1) * step + 1;
        wider |= step > 1;
    }
    return wider ? lm_emit1(e, LM_OP_SLICE_DX, &a, x) : x;
}

bool lm_lower_depthwise(lm_rewrite *r, const lm_node *n)
{
    if (!is_depthwise(r, n))
        return false;
    lm_emit *e = &r->e;
    const lm_shape *s = &lm_graph_value(r->from, n->x[0])->type.sh;
    lm_attrs a = *n->a;
    lm_attr_conv *c = &a.conv;
    const char *name = e->name;
    for (int i = 0; i < c->nd; i++) {
        const int64_t reach = (c->kernel[i] - 1) * c->dilation[i], length = (s->dim[i + 2] - 1) * c->stride[i] + 1;
        c->pad_lo[i] = reach - n->a->conv.pad_lo[i];
        c->pad_hi[i] = c->size[i] + reach - length - c->pad_lo[i];
        if (c->pad_hi[i] < 0 || s->dim[i + 2] == 0)
            return false;
        c->size[i] = 0;
    }
    e->name = NULL;
    lm_val x[3];
    lm_lower_take_gain(r, n, x);
    x[0] = spread(e, x[0], &n->a->conv), x[1] = turned(e, x[1], c->nd);
    for (int i = 0; i < c->nd; i++)
        c->stride[i] = 1;
    if (n->nx > 2)
        x[2] = lm_rewrite_in(r, n->x[2]);
    e->name = name;
    r->map[n->y[0]] = lm_emit_one(e, LM_OP_CONV, &a, n->nx, x);
    return true;
}
