/* Device memory: buffers, copies, and mapping for the host.
 *
 * Where host and device share one memory, buffers lie where both can address them, and mapping copies nothing; what is
 * mapped goes back to the device when it is used there next. */
#include "backends/opencl/opencl.h"

#include <stdio.h>

#include "core/base/env.h"
#include "core/base/mem.h"

static lm_cl *self(lm_device *dev)
{
    return (lm_cl *)dev;
}

static void destroy(lm_buffer *b)
{
    b->device->vt->release(b->device, b);
}

static const char *in_words(char text[32], uint64_t bytes)
{
    const double mib = (double)bytes / (1 << 20);
    snprintf(text, 32, mib < 1024 ? "%.1f MiB" : "%.1f GiB", mib < 1024 ? mib : mib / 1024);
    return text;
}

static lm_status too_much(const lm_cl *cl, size_t held, size_t bytes, const char *reason)
{
    char has[32], used[32], wanted[32];
    return lm_fail(LM_MEMORY,
                   "%s has %s, %s of it in use, and %s more are needed (%s); --mem SIZE or LIMN_MEM makes plans fit",
                   cl->dev.info.name, in_words(has, cl->dev.info.memory), in_words(used, held),
                   in_words(wanted, bytes), reason);
}

/* The budget of --mem holds for the device as it does for the host. */
static lm_status reserve(lm_cl *cl, size_t bytes)
{
    uint64_t cap = 0;
    const size_t before = atomic_fetch_add(&cl->held, bytes);
    lm_status status = LM_OK;
    if (before > cl->dev.info.memory || bytes > cl->dev.info.memory - before)
        status = too_much(cl, before, bytes, "no room");
    else if (lm_env_size(LM_ENV_MEM, &cap) == LM_OK && cap && (before > cap || bytes > cap - before))
        status = lm_fail(LM_MEMORY, "%zu bytes more on %s would pass the memory budget of %llu; raise --mem or "
                         "LIMN_MEM", bytes, cl->dev.info.name, (unsigned long long)cap);
    if (status != LM_OK)
        atomic_fetch_sub(&cl->held, bytes);
    return status;
}

/* Drivers want pages for memory that they shall use in place. */
enum { PAGE = 4096, LITTLE = 16 << 10 };

/* A buffer, the memory it lies in where that is ours, and what is on its way into it, NULL: nothing. */
typedef struct buffer {
    lm_buffer base;
    void *block, *sent;
} buffer;

/* A processor's buffers are ours, in huge pages where they are large; other devices that share the host's memory know
 * best which part of it they reach. */
static bool in_place(const lm_cl *cl)
{
    return cl->unified && cl->dev.info.kind == LM_KIND_CPU;
}

static cl_int make(lm_cl *cl, size_t bytes, buffer *b)
{
    cl_mem_flags flags = CL_MEM_READ_WRITE | (cl->unified ? CL_MEM_ALLOC_HOST_PTR : 0);
    void *from = NULL;
    bytes = bytes ? bytes : 1;
    if (in_place(cl)) {
        b->block = bytes < SIZE_MAX - PAGE ? lm_malloc(bytes + PAGE, 1) : NULL;
        if (!b->block)
            return CL_OUT_OF_HOST_MEMORY;
        from = (char *)b->block + (PAGE - (uintptr_t)b->block % PAGE) % PAGE;
        flags = CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR;
    }
    cl_int code;
    b->base.handle = cl->api->CreateBuffer(cl->context, flags, bytes, from, &code);
    if (code != CL_SUCCESS)
        lm_free(b->block);
    return code;
}

static buffer *new_buffer(lm_device *dev, size_t bytes)
{
    buffer *b = lm_calloc(1, sizeof *b);
    if (b) {
        atomic_init(&b->base.refs, 1);
        b->base.bytes = bytes;
        b->base.device = dev;
        b->base.destroy = destroy;
    }
    return b;
}

lm_status lm_cl_alloc(lm_device *dev, size_t bytes, lm_buffer **out)
{
    lm_cl *cl = self(dev);
    LM_TRY(reserve(cl, bytes));
    buffer *b = new_buffer(dev, bytes);
    const cl_int code = b ? make(cl, bytes, b) : CL_OUT_OF_HOST_MEMORY;
    if (code != CL_SUCCESS) {
        const lm_status status = lm_cl_status(code, "allocating");
        const size_t others = atomic_fetch_sub(&cl->held, bytes) - bytes;
        lm_free(b);
        return status == LM_MEMORY ? too_much(cl, others, bytes, lm_cl_error(code))
                                   : lm_context(status, "%s", dev->info.name);
    }
    *out = &b->base;
    return LM_OK;
}

lm_status lm_cl_borrow(lm_device *dev, const lm_view *constant, size_t bytes, lm_buffer **out, size_t *off)
{
    lm_cl *cl = self(dev);
    const uintptr_t first = (uintptr_t)constant->buf->host + constant->off, page = first & ~(uintptr_t)(PAGE - 1);
    const uintptr_t start = page > (uintptr_t)constant->buf->host ? page : (uintptr_t)constant->buf->host;
    *off = 0;
    if (in_place(cl) && bytes && lm_view_is_aligned(constant) && start % LM_ALIGN == 0) {
        buffer *b = new_buffer(dev, 0);
        cl_int code;
        if (!b)
            return LM_MEMORY;
        b->base.handle = cl->api->CreateBuffer(cl->context, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR,
                                               first - start + bytes, (void *)start, &code);
        if (code == CL_SUCCESS) {
            *off = first - start;
            *out = &b->base;
            return LM_OK;
        }
        lm_free(b);
    }
    LM_TRY(lm_cl_alloc(dev, bytes, out));
    lm_status status = lm_cl_copy(dev, *out, 0, constant->buf, constant->off, bytes);
    if (status != LM_OK) {
        lm_buffer_unref(*out);
        *out = NULL;
    }
    return status;
}

static void CL_CALLBACK give_back(cl_mem mem, void *block)
{
    (void)mem;
    lm_free(block);
}

/* Work that is queued keeps the memory object alive by itself, but not memory of ours that it uses. Where nobody
 * can wait for the work the driver gives that back in its own time, or never. */
void lm_cl_release(lm_device *dev, lm_buffer *b)
{
    lm_cl *cl = self(dev);
    pthread_rwlock_rdlock(&cl->steady);
    lm_cl_unmap(cl, b);
    pthread_rwlock_unlock(&cl->steady);
    void *ours[] = {((buffer *)b)->block, ((buffer *)b)->sent};
    const bool done = !in_place(cl) || lm_cl_wait(cl) == CL_SUCCESS;
    for (size_t i = 0; i < LM_COUNT(ours) && !done; i++)
        if (ours[i]) {
            (void)cl->api->SetMemObjectDestructorCallback(b->handle, give_back, ours[i]);
            ours[i] = NULL;
        }
    cl->api->ReleaseMemObject(b->handle);
    atomic_fetch_sub(&cl->held, b->bytes);
    for (size_t i = 0; i < LM_COUNT(ours); i++)
        lm_free(ours[i]);
    lm_free(b);
}

/* What `to` is made of where nobody has to wait for it: a graph's constants in its file outlive whatever reads them,
 * and of a little there is a copy that goes with `to`, once. Releasing `to` waits. NULL: wait. */
static const void *lasting(const lm_cl *cl, lm_buffer *to, const lm_buffer *from, size_t from_off, size_t bytes)
{
    buffer *b = (buffer *)to;
    const void *at = (const char *)from->host + from_off;
    if (!in_place(cl) || from->mapped || b->sent || bytes > LITTLE)
        return in_place(cl) && from->mapped ? at : NULL;
    b->sent = lm_malloc(bytes, 1);
    return b->sent ? memcpy(b->sent, at, bytes) : NULL;
}

lm_status lm_cl_copy(lm_device *dev, lm_buffer *to, size_t to_off, lm_buffer *from, size_t from_off, size_t bytes)
{
    lm_cl *cl = self(dev);
    const bool to_here = to->device == dev, from_here = from->device == dev;
    if (bytes == 0)
        return LM_OK;
    LM_REQUIRE((to_here || to->host) && (from_here || from->host), LM_DEVICE, "a copy between two other devices");
    lm_cl_come_near(cl);
    pthread_rwlock_rdlock(&cl->steady);
    if (to_here)
        lm_cl_unmap(cl, to);
    if (from_here)
        lm_cl_unmap(cl, from);
    cl_int code = CL_SUCCESS;
    if (to_here && from_here) {
        code = cl->api->EnqueueCopyBuffer(cl->queue, from->handle, to->handle, from_off, to_off, bytes, 0, NULL, NULL);
        if (code == CL_SUCCESS)
            code = cl->api->Finish(cl->queue);
    } else if (to_here) {
        const void *at = lasting(cl, to, from, from_off, bytes);
        code = cl->api->EnqueueWriteBuffer(cl->queue, to->handle, !at, to_off, bytes,
                                           at ? at : (const char *)from->host + from_off, 0, NULL, NULL);
    } else if (from_here) {
        code = cl->api->EnqueueReadBuffer(cl->queue, from->handle, CL_TRUE, from_off, bytes,
                                          (char *)to->host + to_off, 0, NULL, NULL);
    } else {
        memcpy((char *)to->host + to_off, (const char *)from->host + from_off, bytes);
    }
    pthread_rwlock_unlock(&cl->steady);
    return lm_context(lm_cl_status(code, "copying"), "%s", dev->info.name);
}

lm_status lm_cl_map(lm_device *dev, lm_buffer *b)
{
    lm_cl *cl = self(dev);
    if (!cl->unified)
        return LM_NO;
    if (b->host)
        return LM_OK;
    cl_int code;
    pthread_rwlock_rdlock(&cl->steady);
    void *host = cl->api->EnqueueMapBuffer(cl->queue, b->handle, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0,
                                           b->bytes ? b->bytes : 1, 0, NULL, NULL, &code);
    pthread_rwlock_unlock(&cl->steady);
    LM_TRY(lm_context(lm_cl_status(code, "mapping"), "%s", dev->info.name));
    b->host = host;
    return LM_OK;
}

void lm_cl_unmap(lm_cl *cl, lm_buffer *b)
{
    if (b && b->device == &cl->dev && b->host) {
        cl->api->EnqueueUnmapMemObject(cl->queue, b->handle, b->host, 0, NULL, NULL);
        b->host = NULL;
    }
}
