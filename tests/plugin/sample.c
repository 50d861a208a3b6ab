/* A small device as a stranger would write it: out of tree, against the installed headers only, linked to nothing of
 * Limn. Its memory is its own (buffers have no `host` until they are mapped) and it knows four ops; everything else is
 * refused and runs on the host.
 *
 * FAULT, chosen at compile time, makes it go wrong in one way, for the tests. */
#include <stdatomic.h>
#include <string.h>

#include "core/device/backend.h"

enum {
    NONE,
    OTHER_ABI,     /* built for another device interface */
    DECLINES,      /* lm_backend_entry answers NULL */
    TAKEN_NAME,    /* calls its family "cpu" */
    PROBE_FAILS,   /* the driver does not answer */
    PROBE_BOASTS,  /* more devices than there was room for */
    OPEN_FAILS,    /* half-way, with memory already held */
    OPEN_LIES,     /* success without a device */
    NO_MEMORY,     /* every allocation on the device fails */
    LAUNCH_FAILS,  /* half-way through the result */
    LATE_FAILURE,  /* found out in sync */
    VANISHES       /* everything fails after the first launch */
};
#ifndef FAULT
#define FAULT NONE
#endif
#ifndef SAMPLE_NAME
#define SAMPLE_NAME "sample"
#endif

typedef struct sample {
    lm_device dev;
    const lm_host *host;
    long limit; /* bytes that fit, from the option `memory` */
    atomic_long held, launches;
    atomic_bool gone;
} sample;

typedef struct sample_kernel {
    lm_kernel base;
    const lm_host *host;
    lm_opid op;
    int64_t n;
} sample_kernel;

static sample *self(lm_device *dev)
{
    return (sample *)dev;
}

static lm_status lost(sample *s)
{
    return s->host->fail(LM_DEVICE, "the sample device has vanished; plug it in again");
}

static void sample_close(lm_device *dev)
{
    sample *s = self(dev);
    s->host->log(3, "sample: %ld launches", atomic_load(&s->launches));
    s->host->free(s);
}

static void sample_release(lm_device *dev, lm_buffer *b)
{
    sample *s = self(dev);
    atomic_fetch_sub(&s->held, (long)b->bytes);
    s->host->free(b->handle);
    s->host->free(b);
}

static void destroy(lm_buffer *b)
{
    b->device->vt->release(b->device, b);
}

static lm_status sample_alloc(lm_device *dev, size_t bytes, lm_buffer **out)
{
    sample *s = self(dev);
    if (atomic_load(&s->gone))
        return lost(s);
    if (FAULT == NO_MEMORY || (s->limit && (long)bytes > s->limit - atomic_load(&s->held)))
        return s->host->fail(LM_MEMORY, "sample: %zu bytes do not fit; choose a smaller batch", bytes);
    lm_buffer *b = s->host->malloc(1, sizeof *b);
    void *memory = s->host->malloc(bytes, 1);
    if (!b || !memory) {
        s->host->free(b);
        s->host->free(memory);
        return LM_MEMORY;
    }
    memset(b, 0, sizeof *b);
    atomic_init(&b->refs, 1);
    b->bytes = bytes;
    b->device = dev;
    b->handle = memory;
    b->destroy = destroy;
    atomic_fetch_add(&s->held, (long)bytes);
    *out = b;
    return LM_OK;
}

/* Device memory where it is ours, host memory otherwise. */
static char *bytes_of(const lm_buffer *b)
{
    return b->device ? b->handle : b->host;
}

static lm_status sample_copy(lm_device *dev, lm_buffer *to, size_t to_off, lm_buffer *from, size_t from_off,
                             size_t bytes)
{
    if (atomic_load(&self(dev)->gone))
        return lost(self(dev));
    memcpy(bytes_of(to) + to_off, bytes_of(from) + from_off, bytes);
    return LM_OK;
}

static lm_status sample_map(lm_device *dev, lm_buffer *b)
{
    if (atomic_load(&self(dev)->gone))
        return lost(self(dev));
    b->host = b->handle;
    return LM_OK;
}

/* Elements of a gapless row-major view of floats; -1 for any other. */
static int64_t row_of_floats(const lm_view *v)
{
    int64_t n = 1;
    if (v->dt != LM_F32)
        return -1;
    for (int i = v->sh.rank - 1; i >= 0; i--) {
        if (v->sh.dim[i] != 1 && v->st[i] != n)
            return -1;
        n *= v->sh.dim[i];
    }
    return n;
}

static void kernel_free(lm_kernel *k)
{
    ((sample_kernel *)k)->host->free(k);
}

static const char *name_of(lm_opid op)
{
    switch (op) {
    case LM_OP_ADD: return SAMPLE_NAME ".add";
    case LM_OP_MUL: return SAMPLE_NAME ".mul";
    case LM_OP_RELU: return SAMPLE_NAME ".relu";
    case LM_OP_IDENTITY: return SAMPLE_NAME ".copy";
    default: return NULL;
    }
}

static lm_status sample_bind(lm_device *dev, const lm_call *call, lm_kernel **out)
{
    sample *s = self(dev);
    const char *name = name_of(call->op);
    if (!name)
        return s->host->fail(LM_UNSUPPORTED, "sample has no kernel for this op");
    int64_t n = row_of_floats(&call->y[0]);
    for (int i = 0; i < call->nx; i++) {
        bool same = row_of_floats(&call->x[i]) == n && call->x[i].sh.rank == call->y[0].sh.rank;
        for (int k = 0; same && k < call->y[0].sh.rank; k++)
            same = call->x[i].sh.dim[k] == call->y[0].sh.dim[k];
        if (n < 0 || !same)
            return s->host->fail(LM_UNSUPPORTED, "%s takes gapless float32 operands of one shape", name);
    }
    sample_kernel *k = s->host->malloc(1, sizeof *k);
    if (!k)
        return LM_MEMORY;
    memset(k, 0, sizeof *k);
    k->base.name = name;
    k->base.flops = (double)n;
    k->base.bytes = 4.0 * (double)n * (call->nx + 1);
    k->base.free = kernel_free;
    k->host = s->host;
    k->op = call->op;
    k->n = n;
    *out = &k->base;
    return LM_OK;
}

/* No kernel here asks for constants in another form. */
static lm_status sample_derive(lm_device *dev, const lm_view *constant, const lm_want *want, lm_buffer **out)
{
    (void)constant, (void)want, (void)out;
    return self(dev)->host->fail(LM_UNSUPPORTED, "sample packs no constants");
}

static float *floats(const lm_arg *a)
{
    return (float *)(bytes_of(a->buf) + a->off);
}

static float apply(lm_opid op, float a, float b)
{
    switch (op) {
    case LM_OP_ADD: return a + b;
    case LM_OP_MUL: return a * b;
    case LM_OP_RELU: return a > 0 ? a : a == a ? 0.0f : a;
    default: return a;
    }
}

static lm_status sample_launch(lm_device *dev, const lm_kernel *kernel, const lm_arg *arg, lm_buffer *workspace)
{
    (void)workspace;
    sample *s = self(dev);
    const sample_kernel *k = (const sample_kernel *)kernel;
    bool two = k->op == LM_OP_ADD || k->op == LM_OP_MUL;
    if (atomic_load(&s->gone))
        return lost(s);
    if (FAULT == VANISHES && atomic_load(&s->launches) > 0) {
        atomic_store(&s->gone, true);
        return lost(s);
    }
    atomic_fetch_add(&s->launches, 1);
    const float *a = floats(&arg[0]), *b = two ? floats(&arg[1]) : a;
    float *y = floats(&arg[two ? 2 : 1]);
    for (int64_t i = 0; i < k->n; i++) {
        if (FAULT == LAUNCH_FAILS && i >= k->n / 2)
            return s->host->fail(LM_DEVICE, "%s stopped at element %lld of %lld; reset the device", kernel->name,
                                 (long long)i, (long long)k->n);
        y[i] = apply(k->op, a[i], b[i]);
    }
    return LM_OK;
}

static lm_status sample_sync(lm_device *dev)
{
    sample *s = self(dev);
    if (atomic_load(&s->gone))
        return lost(s);
    if (FAULT == LATE_FAILURE && atomic_load(&s->launches) > 0)
        return s->host->fail(LM_DEVICE, "sample found a memory fault; reset the device");
    return LM_OK;
}

static const lm_device_vt vt = {
    .close = sample_close,
    .alloc = sample_alloc,
    .release = sample_release,
    .copy = sample_copy,
    .map = sample_map,
    .bind = sample_bind,
    .derive = sample_derive,
    .launch = sample_launch,
    .sync = sample_sync,
};

static void describe(lm_devinfo *info)
{
    memset(info, 0, sizeof *info);
    strcpy(info->name, SAMPLE_NAME);
    strcpy(info->product, "a loop in C");
    strcpy(info->driver, "sample plug-in");
    info->kind = LM_KIND_ACCELERATOR;
    info->units = 1;
    info->exact = true;
}

static lm_status sample_probe(const lm_host *host, lm_devinfo *out, int cap, int *n)
{
    if (FAULT == PROBE_FAILS)
        return host->fail(LM_DEVICE, "the driver does not answer; reload it");
    if (cap > 0)
        describe(out);
    *n = FAULT == PROBE_BOASTS ? cap + 1 : cap > 0;
    return LM_OK;
}

static lm_status read_options(const lm_host *host, const lm_kv *opts, long *limit)
{
    for (int i = 0; i < opts->count; i++) {
        if (strcmp(opts->pair[i].key, "memory") != 0)
            return host->fail(LM_USAGE, "sample has no option '%s'; it takes memory", opts->pair[i].key);
        *limit = 0;
        for (const char *c = opts->pair[i].value; *c; c++) {
            if (*c < '0' || *c > '9' || *limit > 1000000000)
                return host->fail(LM_USAGE, "sample: memory=%s: give a number of bytes", opts->pair[i].value);
            *limit = *limit * 10 + (*c - '0');
        }
    }
    return LM_OK;
}

static lm_status sample_check(const lm_host *host, const lm_kv *opts)
{
    long limit;
    return read_options(host, opts, &limit);
}

static lm_status sample_open(const lm_host *host, int index, const lm_kv *opts, lm_device **out)
{
    (void)index;
    long limit = 0;
    lm_status status = read_options(host, opts, &limit);
    if (status != LM_OK || FAULT == OPEN_LIES)
        return status;
    sample *s = host->malloc(1, sizeof *s);
    if (!s)
        return LM_MEMORY;
    if (FAULT == OPEN_FAILS) {
        host->free(s);
        return host->fail(LM_DEVICE, "the firmware does not start; power it off and on");
    }
    memset(s, 0, sizeof *s);
    s->dev.vt = &vt;
    s->dev.compute = LM_F32;
    describe(&s->dev.info);
    s->host = host;
    s->limit = limit;
    *out = &s->dev;
    return LM_OK;
}

static const lm_backend backend = {
    .abi = FAULT == OTHER_ABI ? LM_BACKEND_ABI + 1 : LM_BACKEND_ABI,
    .name = FAULT == TAKEN_NAME ? "cpu" : SAMPLE_NAME,
    .priority = 1,
    .check = sample_check,
    .probe = sample_probe,
    .open = sample_open,
};

const lm_backend *lm_backend_entry(uint32_t abi);

const lm_backend *lm_backend_entry(uint32_t abi)
{
    return FAULT == DECLINES || (abi != LM_BACKEND_ABI && FAULT != OTHER_ABI) ? NULL : &backend;
}
