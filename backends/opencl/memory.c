/* Device memory: buffers, copies, and mapping for the host. */
#include "backends/opencl/opencl.h"
#include "core/base/mem.h"

static lm_cl *self(lm_device *dev)
{
    return (lm_cl *)dev;
}

static void destroy(lm_buffer *b)
{
    b->device->vt->release(b->device, b);
}

lm_status lm_cl_alloc(lm_device *dev, size_t bytes, lm_buffer **out)
{
    lm_cl *cl = self(dev);
    lm_buffer *b;
    LM_NEW(b);
    cl_int code;
    b->handle = cl->api->CreateBuffer(cl->context, CL_MEM_READ_WRITE, bytes ? bytes : 1, NULL, &code);
    lm_status status = lm_cl_status(code, "allocating");
    if (status != LM_OK) {
        lm_free(b);
        return lm_context(status, "%s has %llu MiB, %zu bytes were asked for", dev->info.name,
                          (unsigned long long)(dev->info.memory >> 20), bytes);
    }
    atomic_init(&b->refs, 1);
    b->bytes = bytes;
    b->device = dev;
    b->destroy = destroy;
    *out = b;
    return LM_OK;
}

/* Work that is queued keeps the memory object alive by itself. */
void lm_cl_release(lm_device *dev, lm_buffer *b)
{
    lm_cl *cl = self(dev);
    if (b->host)
        cl->api->EnqueueUnmapMemObject(cl->queue, b->handle, b->host, 0, NULL, NULL);
    cl->api->ReleaseMemObject(b->handle);
    lm_free(b);
}

lm_status lm_cl_copy(lm_device *dev, lm_buffer *to, size_t to_off, lm_buffer *from, size_t from_off, size_t bytes)
{
    lm_cl *cl = self(dev);
    const bool to_here = to->device == dev, from_here = from->device == dev;
    if (bytes == 0)
        return LM_OK;
    LM_REQUIRE((to_here || to->host) && (from_here || from->host), LM_DEVICE, "a copy between two other devices");
    cl_int code = CL_SUCCESS;
    if (to_here && from_here) {
        code = cl->api->EnqueueCopyBuffer(cl->queue, from->handle, to->handle, from_off, to_off, bytes, 0, NULL, NULL);
        if (code == CL_SUCCESS)
            code = cl->api->Finish(cl->queue);
    } else if (to_here) {
        code = cl->api->EnqueueWriteBuffer(cl->queue, to->handle, CL_TRUE, to_off, bytes,
                                           (const char *)from->host + from_off, 0, NULL, NULL);
    } else if (from_here) {
        code = cl->api->EnqueueReadBuffer(cl->queue, from->handle, CL_TRUE, from_off, bytes, (char *)to->host + to_off,
                                          0, NULL, NULL);
    } else {
        memcpy((char *)to->host + to_off, (const char *)from->host + from_off, bytes);
    }
    return lm_cl_status(code, "copying");
}

lm_status lm_cl_map(lm_device *dev, lm_buffer *b)
{
    lm_cl *cl = self(dev);
    if (b->host)
        return LM_OK;
    cl_int code;
    void *host = cl->api->EnqueueMapBuffer(cl->queue, b->handle, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0,
                                           b->bytes ? b->bytes : 1, 0, NULL, NULL, &code);
    LM_TRY(lm_cl_status(code, "mapping"));
    b->host = host;
    return LM_OK;
}
