/* A device for tests: its memory cannot be seen by the host, it computes only when waited for, and it takes nothing
 * but Add, Mul and products with a constant, of which it wants a form of its own. It counts what is asked of it and
 * fails on request. */
#ifndef LM_TEST_TOY_H
#define LM_TEST_TOY_H

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/device/backend.h"

enum { TOY_QUEUE = 64, TOY_VIEWS = 4 };

typedef struct toy_kernel {
    lm_kernel base;
    char name[32];
    lm_opid op;
    int nx;
    lm_view view[TOY_VIEWS];
} toy_kernel;

typedef struct toy_device {
    lm_device base;
    int derives, copies, launches, buffers, pending;
    bool fail_sync, fail_launch, fail_derive;
    struct {
        const toy_kernel *kernel;
        lm_arg arg[TOY_VIEWS];
    } queue[TOY_QUEUE];
} toy_device;

static inline toy_device *toy(lm_device *d)
{
    return (toy_device *)(void *)d;
}

static inline void toy_close(lm_device *d)
{
    lm_free(d);
}

static inline void toy_release(lm_device *d, lm_buffer *b)
{
    toy(d)->buffers--;
    lm_free(b->handle);
    lm_free(b);
}

static inline void toy_destroy(lm_buffer *b)
{
    toy_release(b->device, b);
}

static inline lm_status toy_alloc(lm_device *d, size_t bytes, lm_buffer **out)
{
    lm_buffer *b;
    LM_NEW(b);
    b->handle = lm_malloc(bytes, 1);
    if (!b->handle) {
        lm_free(b);
        return LM_MEMORY;
    }
    atomic_init(&b->refs, 1);
    b->bytes = bytes;
    b->device = d;
    b->destroy = toy_destroy;
    toy(d)->buffers++;
    *out = b;
    return LM_OK;
}

static inline char *toy_memory(lm_device *d, lm_buffer *b)
{
    return b->device == d ? b->handle : b->device ? NULL : b->host;
}

static inline double toy_element(const lm_view *v, const lm_arg *a, int64_t i)
{
    lm_buffer host = {.bytes = a->buf->bytes, .host = a->buf->handle};
    lm_view at = *v;
    at.buf = &host;
    at.off = a->off;
    return lm_view_get(&at, i);
}

static inline void toy_store(const lm_view *v, const lm_arg *a, int64_t i, double value)
{
    lm_buffer host = {.bytes = a->buf->bytes, .host = a->buf->handle};
    lm_view at = *v;
    at.buf = &host;
    at.off = a->off;
    lm_view_set(&at, i, value);
}

/* The wanted form of a product's constant is its elements, row-major, doubled. */
static inline void toy_product(const toy_kernel *k, const lm_arg *arg)
{
    int64_t rows = k->view[0].sh.dim[0], inner = k->view[0].sh.dim[1], columns = k->view[1].sh.dim[1];
    const float *twice = arg[1].buf->handle;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            double sum = 0;
            for (int64_t i = 0; i < inner; i++)
                sum += toy_element(&k->view[0], &arg[0], r * inner + i) * (double)twice[i * columns + c] / 2;
            toy_store(&k->view[2], &arg[2], r * columns + c, sum);
        }
}

static inline lm_status toy_sync(lm_device *d)
{
    toy_device *t = toy(d);
    for (int q = 0; q < t->pending; q++) {
        const toy_kernel *k = t->queue[q].kernel;
        const lm_arg *arg = t->queue[q].arg;
        if (k->op == LM_OP_MATMUL) {
            toy_product(k, arg);
            continue;
        }
        for (int64_t i = 0, n = lm_shape_count(&k->view[2].sh); i < n; i++) {
            double a = toy_element(&k->view[0], &arg[0], i), b = toy_element(&k->view[1], &arg[1], i);
            toy_store(&k->view[2], &arg[2], i, k->op == LM_OP_ADD ? a + b : a * b);
        }
    }
    t->pending = 0;
    return t->fail_sync ? lm_fail(LM_DEVICE, "the toy is gone") : LM_OK;
}

static inline lm_status toy_copy(lm_device *d, lm_buffer *to, size_t to_off, lm_buffer *from, size_t from_off,
                                 size_t bytes)
{
    char *target = toy_memory(d, to), *source = toy_memory(d, from);
    LM_REQUIRE(target && source, LM_DEVICE, "toy: a buffer of another device");
    LM_REQUIRE(to_off + bytes <= to->bytes && from_off + bytes <= from->bytes, LM_DEVICE, "toy: out of bounds");
    LM_TRY(toy_sync(d));
    toy(d)->copies++;
    memcpy(target + to_off, source + from_off, bytes);
    return LM_OK;
}

static inline lm_status toy_map(lm_device *d, lm_buffer *b)
{
    (void)b;
    return lm_fail(LM_DEVICE, "%s: its memory cannot be mapped", d->info.name);
}

static inline void toy_free(lm_kernel *k)
{
    lm_free(k);
}

static inline lm_status toy_bind(lm_device *d, const lm_call *call, lm_kernel **out)
{
    bool constant = call->op == LM_OP_MATMUL && call->nx == 2 && call->constant >> 1 & 1;
    bool same = (call->op == LM_OP_ADD || call->op == LM_OP_MUL) && lm_shape_equal(&call->x[0].sh, &call->x[1].sh);
    LM_REQUIRE((constant || same) && call->x[0].dt == LM_F32, LM_UNSUPPORTED, "%s: it knows no such %s", d->info.name,
               lm_ops[call->op].name);
    toy_kernel *k;
    LM_NEW(k);
    snprintf(k->name, sizeof k->name, "toy.%s", lm_ops[call->op].name);
    k->op = call->op;
    k->nx = call->nx;
    k->view[0] = call->x[0];
    k->view[1] = call->x[1];
    k->view[2] = call->y[0];
    k->base = (lm_kernel){.name = k->name, .flops = 1, .bytes = 2, .workspace = 100, .free = toy_free};
    if (constant) {
        k->base.nwant = 2;
        k->base.want[0].input = 1;
        k->base.want[0].pack = 7;
        k->base.want[1].input = -1;
    }
    *out = &k->base;
    return LM_OK;
}

static inline lm_status toy_derive(lm_device *d, const lm_view *constant, const lm_want *want, lm_buffer **out)
{
    int64_t n = lm_shape_count(&constant->sh);
    LM_REQUIRE(!toy(d)->fail_derive, LM_DEVICE, "toy: no form %u", want->pack);
    LM_TRY(toy_alloc(d, (size_t)n * sizeof(float), out));
    toy(d)->derives++;
    for (int64_t i = 0; i < n; i++)
        ((float *)(*out)->handle)[i] = (float)(2 * lm_view_get(constant, i));
    return LM_OK;
}

static inline lm_status toy_launch(lm_device *d, const lm_kernel *kernel, const lm_arg *arg, lm_buffer *workspace)
{
    toy_device *t = toy(d);
    const toy_kernel *k = (const toy_kernel *)(const void *)kernel;
    LM_REQUIRE(!t->fail_launch, LM_INPUT, "element 3 is forbidden");
    LM_REQUIRE(workspace && workspace->bytes >= 100 && t->pending < TOY_QUEUE, LM_DEVICE, "toy: it got no workspace");
    t->launches++;
    t->queue[t->pending].kernel = k;
    memcpy(t->queue[t->pending++].arg, arg, (size_t)(k->nx + 1) * sizeof *arg);
    return LM_OK;
}

static inline lm_status toy_timing(lm_device *d, double *seconds)
{
    (void)d;
    *seconds = 0.25;
    return LM_OK;
}

static inline lm_device *toy_open(void)
{
    static const lm_device_vt vt = {toy_close, toy_alloc, toy_release, toy_copy, toy_map,
                                    toy_bind, toy_derive, toy_launch, toy_sync, toy_timing, NULL};
    toy_device *t = lm_calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->base.vt = &vt;
    t->base.compute = LM_F32;
    snprintf(t->base.info.name, sizeof t->base.info.name, "toy");
    return &t->base;
}

#endif
