/* Limn's side of the bench: calls bound through the device interface, as a plan would. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGS = 5 };

typedef struct bound {
    job job;
    lm_device *dev;
    lm_kernel *kernel;
    lm_arg arg[ARGS];
    lm_buffer *own[ARGS], *workspace;
    int n;
} bound;

static void release(void *self)
{
    bound *b = self;
    for (int i = 0; i < b->n; i++)
        lm_buffer_unref(b->own[i]);
    for (int i = 0; i < b->n; i++)
        if (b->arg[i].buf != b->own[i])
            lm_buffer_unref(b->arg[i].buf);
    lm_buffer_unref(b->workspace);
    if (b->kernel)
        b->kernel->free(b->kernel);
    free(b);
}

static void run(void *self)
{
    bound *b = self;
    if (b->dev->vt->launch(b->dev, b->kernel, b->arg, b->workspace) != LM_OK || b->dev->vt->sync(b->dev) != LM_OK) {
        fprintf(stderr, "launch failed: %s\n", lm_message());
        exit(1);
    }
}

/* Small values, so that nothing overflows, and none of them 0. */
static void fill(lm_view *v)
{
    float *p = lm_view_data(v);
    const int64_t n = lm_shape_count(&v->sh);
    for (int64_t i = 0; i < n; i++)
        p[i] = (float)(i % 13 + 1) / 16.0f - 0.4f;
}

/* The places of the greatest elements as pooling an image [n, c, h, w] might leave them: any of each window, without
 * order. */
static void fill_places(lm_view *v, const lm_attr_pool *a)
{
    int64_t *p = lm_view_data(v), at[4];
    uint32_t random = 1;
    for (at[0] = 0; at[0] < v->sh.dim[0]; at[0]++)
        for (at[1] = 0; at[1] < v->sh.dim[1]; at[1]++)
            for (at[2] = 0; at[2] < v->sh.dim[2]; at[2]++)
                for (at[3] = 0; at[3] < v->sh.dim[3]; at[3]++) {
                    int64_t place = at[0] * v->sh.dim[1] + at[1], to = 0;
                    for (int k = 0; k < 2; k++) {
                        random = random * 1664525 + 1013904223;
                        int64_t x = at[2 + k] * a->stride[k] - a->pad_lo[k] + (int64_t)(random >> 16) % a->kernel[k];
                        x = x < 0 ? 0 : x < a->size[k] ? x : a->size[k] - 1;
                        place = place * a->size[k] + x;
                    }
                    for (int k = 0; k < 4; k++)
                        to += at[k] * v->st[k];
                    p[to] = place;
                }
}

static job *bind(lm_device *dev, lm_call *call, lm_view *x, lm_view *y)
{
    bound *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->job = (job){run, release};
    b->dev = dev;
    b->n = call->nx + 1;
    call->x = x, call->y = y, call->ny = 1;
    for (int i = 0; i < b->n; i++) {
        lm_view *v = i < call->nx ? &x[i] : y;
        if (lm_buffer_new((size_t)lm_shape_count(&v->sh) * lm_dtype_size(v->dt), &b->own[i]) != LM_OK)
            goto failed;
        v->buf = b->own[i];
        b->arg[i].buf = b->own[i];
        if (v->dt == LM_I64)
            fill_places(v, &call->a->pool);
        else
            fill(v);
    }
    if (dev->vt->bind(dev, call, &b->kernel) != LM_OK)
        goto failed;
    for (int i = 0; i < b->kernel->nwant; i++) {
        const lm_want *w = &b->kernel->want[i];
        if (dev->vt->derive(dev, &x[w->input], w, &b->arg[w->input].buf) != LM_OK)
            goto failed;
    }
    if (b->kernel->workspace && lm_buffer_new(b->kernel->workspace, &b->workspace) != LM_OK)
        goto failed;
    return &b->job;
failed:
    fprintf(stderr, "%s: %s\n", lm_ops[call->op].name, lm_message());
    release(b);
    return NULL;
}

job *ours_conv(lm_device *dev, conv_kind kind, const conv_shape *s)
{
    const int out = conv_out(s);
    const lm_shape xs = LM_SHAPE(1, s->channels, s->size, s->size), ys = LM_SHAPE(1, s->outputs, out, out);
    const lm_shape ws = LM_SHAPE(s->outputs, s->channels / s->groups, s->kernel, s->kernel);
    lm_view x = lm_view_nhwc(LM_F32, &xs, NULL), w = lm_view_row(LM_F32, &ws, NULL),
            y = lm_view_nhwc(LM_F32, &ys, NULL);
    lm_attrs a;
    memset(&a, 0, sizeof a);
    a.conv.nd = 2, a.conv.groups = s->groups;
    for (int i = 0; i < 2; i++) {
        a.conv.kernel[i] = s->kernel, a.conv.stride[i] = s->stride, a.conv.dilation[i] = 1;
        a.conv.pad_lo[i] = a.conv.pad_hi[i] = s->pad, a.conv.size[i] = s->size;
    }
    lm_call call = {.a = &a, .nx = 2, .constant = kind == CONV_WEIGHTS ? 0 : 2};
    switch (kind) {
    case CONV_FORWARD: call.op = LM_OP_CONV; return bind(dev, &call, (lm_view[]){x, w}, &y);
    case CONV_DATA: call.op = LM_OP_CONV_T; return bind(dev, &call, (lm_view[]){y, w}, &x);
    default: call.op = LM_OP_CONV_DW; return bind(dev, &call, (lm_view[]){x, y}, &w);
    }
}

job *ours_gemm(lm_device *dev, const gemm_shape *s)
{
    const lm_shape as = LM_SHAPE(s->batch, s->m, s->k), bs = LM_SHAPE(s->batch, s->k, s->n),
                   ys = LM_SHAPE(s->batch, s->m, s->n);
    lm_view x[] = {lm_view_row(LM_F32, &as, NULL), lm_view_row(LM_F32, &bs, NULL)}, y = lm_view_row(LM_F32, &ys, NULL);
    lm_attrs a;
    memset(&a, 0, sizeof a);
    lm_call call = {.op = LM_OP_MATMUL, .a = &a, .nx = 2, .constant = s->constant ? 2 : 0};
    return bind(dev, &call, x, &y);
}

job *ours_op(lm_device *dev, lm_opid op, const lm_attrs *a, int nx, const lm_shape *x, const lm_shape *y, bool nhwc)
{
    lm_view views[ARGS - 1], out = nhwc ? lm_view_nhwc(LM_F32, y, NULL) : lm_view_row(LM_F32, y, NULL);
    for (int i = 0; i < nx; i++)
        views[i] = nhwc ? lm_view_nhwc(LM_F32, &x[i], NULL) : lm_view_row(LM_F32, &x[i], NULL);
    if (op == LM_OP_MAXPOOL_DX)
        views[1].dt = LM_I64;
    lm_call call = {.op = op, .a = a, .nx = nx};
    return bind(dev, &call, views, &out);
}
