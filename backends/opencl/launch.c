/* Bound calls: building them from passes, and running them.
 *
 * The flag: a kernel that finds bad data writes word 0, what kind (its op and 1), once, then the value (two words, low
 * first) and what it was checked against; it goes on with a value that does no harm. Sync reads it. Each thread has a
 * flag of its own, since it waits for what it launched itself. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backends/opencl/bind.h"
#include "core/base/mem.h"

static void discard(lm_kernel *kernel)
{
    lm_cl_kernel *k = (lm_cl_kernel *)kernel;
    for (size_t i = 0; i < k->passes.count; i++)
        k->cl->api->ReleaseKernel(k->passes.at[i].kernel);
    lm_vec_free(&k->passes);
    if (k->own)
        k->cl->api->ReleaseMemObject(k->own);
    lm_free(k);
}

lm_status lm_cl_kernel_new(lm_cl *cl, const lm_call *call, const char *what, lm_cl_kernel **out)
{
    lm_cl_kernel *k;
    LM_NEW(k);
    k->cl = cl;
    k->nargs = call ? call->nx + call->ny : 0;
    snprintf(k->name, sizeof k->name, "opencl.%s.%s", cl->panels ? "panel" : "tile", what);
    k->base.name = k->name;
    k->base.free = discard;
    for (int i = 0; call && i < call->nx; i++)
        k->base.bytes += (double)lm_shape_count(&call->x[i].sh) * (double)lm_dtype_size(call->x[i].dt);
    for (int i = 0; call && i < call->ny; i++)
        k->base.bytes += (double)lm_shape_count(&call->y[i].sh) * (double)lm_dtype_size(call->y[i].dt);
    *out = k;
    return LM_OK;
}

lm_status lm_cl_pass_add(lm_cl_kernel *k, const char *source, const char *options, const char *function,
                         const void *params, size_t bytes, lm_cl_pass **out)
{
    lm_cl *cl = k->cl;
    LM_TRY(lm_vec_reserve(&k->passes, k->passes.count + 1));
    lm_cl_pass *p = &k->passes.at[k->passes.count];
    *p = (lm_cl_pass){.rank = 1, .global = {1, 1, 1}};
    cl_program program;
    cl_int code;
    pthread_mutex_lock(&cl->lock);
    lm_status status = lm_cl_program(cl, source, options, &program);
    if (status == LM_OK) {
        p->kernel = cl->api->CreateKernel(program, function, &code);
        status = lm_cl_status(code, function);
    }
    pthread_mutex_unlock(&cl->lock);
    LM_TRY(status);
    k->passes.count++;
    LM_TRY(lm_cl_status(cl->api->SetKernelArg(p->kernel, 0, bytes, params), function));
    *out = p;
    return LM_OK;
}

void lm_cl_pass_operand(lm_cl_pass *p, int operand, size_t off)
{
    p->mem[p->nmem].operand = operand;
    p->mem[p->nmem++].off = off;
}

void lm_cl_pass_line(const lm_cl_kernel *k, lm_cl_pass *p, int64_t n, size_t group)
{
    p->rank = 1;
    p->local[0] = group ? group : k->cl->group;
    p->global[0] = ((size_t)n + p->local[0] - 1) / p->local[0] * p->local[0];
}

bool lm_cl_has_doubles(const lm_cl *cl)
{
    cl_device_fp_config doubles = 0;
    cl->api->GetDeviceInfo(cl->id, CL_DEVICE_DOUBLE_FP_CONFIG, sizeof doubles, &doubles, NULL);
    return doubles != 0;
}

lm_status lm_cl_scratch(lm_cl_kernel *k, int64_t count, size_t size, size_t *off)
{
    size_t bytes, end;
    LM_REQUIRE(count >= 0 && lm_mul_size((size_t)count, size, &bytes) && lm_add_size(bytes, LM_ALIGN - 1, &bytes) &&
                   lm_add_size(k->base.workspace, bytes & ~(size_t)(LM_ALIGN - 1), &end) && end < SIZE_MAX / 2,
               LM_MEMORY, "the workspace of %s would not fit in memory", k->name);
    *off = k->base.workspace;
    k->base.workspace = end;
    return LM_OK;
}

lm_status lm_cl_bound(lm_cl_kernel *k, lm_status status, lm_kernel **out)
{
    if (status == LM_OK)
        *out = &k->base;
    else
        k->base.free(&k->base);
    return status;
}

static const cl_int clear[LM_CL_FLAG];

static lm_cl_flag *find_flag(lm_cl *cl)
{
    for (size_t i = 0; i < cl->flags.count; i++)
        if (pthread_equal(cl->flags.at[i].thread, pthread_self()))
            return &cl->flags.at[i];
    return NULL;
}

static lm_status own_flag(lm_cl *cl, lm_cl_flag **out)
{
    cl_int code;
    *out = find_flag(cl);
    if (*out)
        return LM_OK;
    LM_TRY(lm_vec_reserve(&cl->flags, cl->flags.count + 1));
    lm_cl_flag flag = {.thread = pthread_self()};
    flag.words = cl->api->CreateBuffer(cl->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof clear,
                                       (void *)clear, &code);
    LM_TRY(lm_cl_status(code, "making a buffer"));
    *out = &cl->flags.at[cl->flags.count];
    cl->flags.at[cl->flags.count++] = flag;
    return LM_OK;
}

void lm_cl_flags_free(lm_cl *cl)
{
    for (size_t i = 0; i < cl->flags.count; i++)
        cl->api->ReleaseMemObject(cl->flags.at[i].words);
    lm_vec_free(&cl->flags);
}

static cl_int set_arguments(const lm_cl_kernel *k, const lm_cl_pass *p, const lm_arg *arg, lm_buffer *workspace,
                            const lm_cl_flag *flag)
{
    const lm_cl_api *api = k->cl->api;
    cl_uint at = 1;
    cl_int code = CL_SUCCESS;
    for (int i = 0; i < p->nmem && code == CL_SUCCESS; i++) {
        int operand = p->mem[i].operand;
        lm_buffer *b = operand >= 0 ? arg[operand].buf : operand == LM_CL_SCRATCH ? workspace : NULL;
        cl_mem mem = operand == LM_CL_OWN ? k->own : b ? b->handle : NULL;
        cl_ulong off = p->mem[i].off + (operand >= 0 ? arg[operand].off : 0);
        code = api->SetKernelArg(p->kernel, at++, sizeof mem, &mem);
        if (code == CL_SUCCESS)
            code = api->SetKernelArg(p->kernel, at++, sizeof off, &off);
    }
    if (code == CL_SUCCESS && flag)
        code = api->SetKernelArg(p->kernel, at, sizeof flag->words, &flag->words);
    return code;
}

static void forget_events(lm_cl *cl)
{
    for (int i = 0; i < cl->timed.n && i < LM_CL_EVENTS; i++)
        cl->api->ReleaseEvent(cl->timed.event[i]);
    cl->timed.n = 0;
}

/* Where the event of the next pass goes; NULL: nobody asks for it. */
static cl_event *next_event(lm_cl *cl)
{
    const int i = cl->timing ? cl->timed.n++ : LM_CL_EVENTS;
    return i < LM_CL_EVENTS ? &cl->timed.event[i] : NULL;
}

static lm_status run_passes(const lm_cl_kernel *k, const lm_arg *arg, lm_buffer *workspace)
{
    lm_cl *cl = k->cl;
    for (int i = 0; i < k->nargs; i++)
        lm_cl_unmap(cl, arg[i].buf);
    forget_events(cl);
    cl->timed.thread = pthread_self();
    for (size_t i = 0; i < k->passes.count; i++) {
        const lm_cl_pass *p = &k->passes.at[i];
        if (!p->global[0] || (p->rank > 1 && !p->global[1]) || (p->rank > 2 && !p->global[2]))
            continue;
        lm_cl_flag *flag = NULL;
        if (p->checks)
            LM_TRY(own_flag(cl, &flag));
        LM_TRY(lm_cl_status(set_arguments(k, p, arg, workspace, flag), k->name));
        cl_int code = cl->api->EnqueueNDRangeKernel(cl->queue, p->kernel, p->rank, NULL, p->global,
                                                    p->local[0] ? p->local : NULL, 0, NULL, next_event(cl));
        if (code != CL_SUCCESS) {
            cl->timed.n -= cl->timing;
            return lm_cl_status(code, k->name);
        }
        if (flag)
            flag->raised = true;
    }
    return LM_OK;
}

lm_status lm_cl_launch(lm_device *dev, const lm_kernel *kernel, const lm_arg *arg, lm_buffer *workspace)
{
    lm_cl *cl = (lm_cl *)dev;
    pthread_mutex_lock(&cl->lock);
    lm_status status = run_passes((const lm_cl_kernel *)kernel, arg, workspace);
    pthread_mutex_unlock(&cl->lock);
    return status;
}

static lm_status read_flag(lm_cl *cl, lm_cl_flag *flag)
{
    cl_int word[LM_CL_FLAG];
    LM_TRY(lm_cl_status(cl->api->EnqueueReadBuffer(cl->queue, flag->words, CL_TRUE, 0, sizeof word, word, 0, NULL,
                                                   NULL), "sync"));
    flag->raised = false;
    if (!word[0])
        return LM_OK;
    LM_TRY(lm_cl_status(
        cl->api->EnqueueWriteBuffer(cl->queue, flag->words, CL_TRUE, 0, sizeof clear, clear, 0, NULL, NULL), "sync"));
    int64_t value = (int64_t)((uint64_t)(uint32_t)word[2] << 32 | (uint32_t)word[1]);
    unsigned op = (unsigned)word[0] - 1;
    if (op == LM_OP_NONZERO || op == LM_OP_RANGE)
        return lm_fail(LM_INPUT, "%s: the values make %lld elements, the plan was made for %d", lm_ops[op].name,
                       (long long)value, (int)word[3]);
    return lm_fail(LM_INPUT, "%s: index %lld is out of range for an axis of size %d",
                   op < LM_OPS ? lm_ops[op].name : "?", (long long)value, (int)word[3]);
}

/* From the first call on, launches go through a queue that keeps times. What other threads queued is done before. */
static void start_timing(lm_cl *cl)
{
    cl_int code;
    cl_command_queue queue = cl->api->CreateCommandQueue(cl->context, cl->id, CL_QUEUE_PROFILING_ENABLE, &code);
    if (code != CL_SUCCESS)
        return;
    pthread_rwlock_wrlock(&cl->steady);
    cl->api->Finish(cl->queue);
    cl->api->ReleaseCommandQueue(cl->queue);
    cl->queue = queue;
    cl->timing = true;
    pthread_rwlock_unlock(&cl->steady);
}

void lm_cl_timing_end(lm_cl *cl)
{
    forget_events(cl);
}

lm_status lm_cl_timing(lm_device *dev, double *seconds)
{
    lm_cl *cl = (lm_cl *)dev;
    cl_ulong sum = 0;
    pthread_mutex_lock(&cl->lock);
    bool known = cl->timed.n > 0 && cl->timed.n <= LM_CL_EVENTS && pthread_equal(cl->timed.thread, pthread_self());
    for (int i = 0; i < cl->timed.n && known; i++) {
        cl_ulong from = 0, to = 0;
        cl_event event = cl->timed.event[i];
        known = cl->api->GetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof from, &from, NULL) == 0 &&
                cl->api->GetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof to, &to, NULL) == 0;
        sum += to > from ? to - from : 0;
    }
    if (!cl->timing)
        start_timing(cl);
    pthread_mutex_unlock(&cl->lock);
    *seconds = 1e-9 * (double)sum;
    return known ? LM_OK : LM_NO;
}

cl_int lm_cl_wait(lm_cl *cl)
{
    pthread_rwlock_rdlock(&cl->steady);
    const cl_int code = cl->api->Finish(cl->queue);
    pthread_rwlock_unlock(&cl->steady);
    return code;
}

lm_status lm_cl_sync(lm_device *dev)
{
    lm_cl *cl = (lm_cl *)dev;
    LM_TRY(lm_cl_status(lm_cl_wait(cl), "waiting for the device"));
    pthread_mutex_lock(&cl->lock);
    lm_cl_flag *flag = find_flag(cl);
    lm_status status = flag && flag->raised ? read_flag(cl, flag) : LM_OK;
    pthread_mutex_unlock(&cl->lock);
    return status;
}

lm_status lm_cl_run_now(lm_cl_kernel *k, const lm_arg *arg, lm_buffer *workspace)
{
    lm_status status = lm_cl_launch(&k->cl->dev, &k->base, arg, workspace);
    if (status == LM_OK)
        status = lm_cl_sync(&k->cl->dev);
    return lm_context(status, "%s", k->cl->dev.info.name);
}
