/* OpenCL devices: opening one that the probe found. */
#include "backends/opencl/cache.h"
#include "backends/opencl/opencl.h"

#include <stdio.h>
#include <string.h>

#include "core/base/env.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

static void close_device(lm_device *dev)
{
    lm_cl *cl = (lm_cl *)dev;
    if (cl->queue)
        cl->api->Finish(cl->queue);
    lm_cl_timing_end(cl);
    lm_cl_programs_free(cl);
    lm_cl_flags_free(cl);
    if (cl->queue)
        cl->api->ReleaseCommandQueue(cl->queue);
    if (cl->context)
        cl->api->ReleaseContext(cl->context);
    pthread_mutex_destroy(&cl->lock);
    pthread_rwlock_destroy(&cl->steady);
    lm_free(cl);
}

static lm_status bind(lm_device *dev, const lm_call *call, lm_kernel **out)
{
    lm_cl_bind_fn fn = lm_cl_binder(call->op);
    LM_REQUIRE(fn, LM_UNSUPPORTED, "%s has no kernel on opencl", lm_ops[call->op].name);
    return fn((lm_cl *)dev, call, out);
}

static const lm_device_vt vt = {
    .close = close_device,
    .alloc = lm_cl_alloc,
    .release = lm_cl_release,
    .copy = lm_cl_copy,
    .map = lm_cl_map,
    .bind = bind,
    .derive = lm_cl_derive,
    .launch = lm_cl_launch,
    .sync = lm_cl_sync,
    .timing = lm_cl_timing,
    .tune = lm_cl_tune,
};

static lm_status probe(const lm_host *host, lm_devinfo *out, int cap, int *n)
{
    (void)host;
    lm_cl_found *found = lm_malloc(LM_CL_DEVICES, sizeof *found);
    if (!found)
        return LM_MEMORY;
    lm_status status = lm_cl_probe(found, cap < LM_CL_DEVICES ? cap : LM_CL_DEVICES, n);
    for (int i = 0; status == LM_OK && i < *n; i++)
        out[i] = found[i].info;
    lm_free(found);
    return status;
}

static lm_status find_device(lm_cl *cl, const lm_cl_found *f, cl_platform_id *platform)
{
    cl_platform_id platforms[LM_CL_DEVICES];
    cl_device_id devices[LM_CL_DEVICES];
    cl_uint np = 0, nd = 0;
    char name[sizeof f->info.product] = "", text[512] = "";
    LM_TRY(lm_cl_status(cl->api->GetPlatformIDs(LM_CL_DEVICES, platforms, &np), "listing platforms"));
    if ((cl_uint)f->platform < np)
        cl->api->GetDeviceIDs(platforms[f->platform], CL_DEVICE_TYPE_ALL, LM_CL_DEVICES, devices, &nd);
    if ((cl_uint)f->device < nd) {
        cl->api->GetDeviceInfo(devices[f->device], CL_DEVICE_NAME, sizeof text - 1, text, NULL);
        lm_one_line(name, sizeof name, text + strspn(text, " "));
    }
    if (strcmp(name, f->info.product) != 0) {
        lm_cl_probe_forget();
        return lm_fail(LM_DEVICE, "%s was %s when the devices were listed last and is %s now; try again", f->info.name,
                       f->info.product, *name ? name : "gone");
    }
    *platform = platforms[f->platform];
    cl->id = devices[f->device];
    return LM_OK;
}

/* What binaries belong to, and how programs are built. */
static void set_options(lm_cl *cl, cl_platform_id platform)
{
    char version[96] = "";
    cl->api->GetPlatformInfo(platform, CL_PLATFORM_VERSION, sizeof version - 1, version, NULL);
    snprintf(cl->key, sizeof cl->key, "%s|%s|%s", cl->dev.info.product, cl->dev.info.driver, version);
    snprintf(cl->options, sizeof cl->options, "-cl-std=CL1.2%s -DLM_PANELS=%d -DLM_LANES=%d",
             cl->dev.info.exact ? " -cl-fp32-correctly-rounded-divide-sqrt" : "", cl->panels, cl->lanes);
}

static lm_status open_parts(lm_cl *cl, const lm_cl_found *f)
{
    cl_platform_id platform = NULL;
    cl_int code;
    cl_uint lanes = 0;
    cl_bool unified = CL_FALSE;
    cl_ulong memory = f->info.memory;
    LM_TRY(lm_cl_load(&cl->api));
    LM_TRY(find_device(cl, f, &platform));
    cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)platform, 0};
    cl->context = cl->api->CreateContext(properties, 1, &cl->id, NULL, NULL, &code);
    LM_TRY(lm_context(lm_cl_status(code, "making a context"), "%s", f->info.name));
    cl->queue = cl->api->CreateCommandQueue(cl->context, cl->id, 0, &code);
    LM_TRY(lm_context(lm_cl_status(code, "making a queue"), "%s", f->info.name));
    cl->api->GetDeviceInfo(cl->id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof lanes, &lanes, NULL);
    cl->api->GetDeviceInfo(cl->id, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof unified, &unified, NULL);
    cl->unified = unified;
    cl->api->GetDeviceInfo(cl->id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
    cl->dev.info.memory = memory;
    cl->lanes = !cl->panels ? 1 : lanes >= 16 ? 16 : lanes >= 8 ? 8 : 4;
    cl->group = cl->panels ? 1 : 256;
    set_options(cl, platform);
    cl->cached = lm_cl_cache_is_open();
    lm_cl_choose(cl);
    return LM_OK;
}

lm_status lm_cl_open(const lm_cl_found *found, bool panels, lm_cl **out)
{
    lm_cl *cl;
    LM_NEW(cl);
    cl->panels = panels;
    cl->dev.vt = &vt;
    cl->dev.compute = LM_F32;
    cl->dev.info = found->info;
    cl->found = *found;
    pthread_mutex_init(&cl->lock, NULL);
    pthread_rwlock_init(&cl->steady, NULL);
    lm_cpuset own;
    cl->bound = *found->near && lm_cpuset_parse(found->near, &cl->near) == LM_OK;
    const bool moved = lm_cl_bind_near(cl, &own);
    lm_status status = open_parts(cl, found);
    if (moved)
        lm_cl_unbind(&own);
    if (status != LM_OK) {
        close_device(&cl->dev);
        return status;
    }
    *out = cl;
    return LM_OK;
}

enum { PANELS, TILES };

static lm_status read_options(const lm_kv *opts, int *family)
{
    LM_TRY(lm_kv_check(opts, "opencl", "family|strict|split"));
    return lm_context(lm_kv_word(opts, "family", "panels|tiles", family), "opencl");
}

static lm_status check(const lm_host *host, const lm_kv *opts)
{
    int family = PANELS;
    (void)host;
    return read_options(opts, &family);
}

/* `family` makes a processor run what was written for GPUs, and the other way around. */
static lm_status open_device(const lm_host *host, int index, const lm_kv *opts, lm_device **out)
{
    (void)host;
    lm_cl_found found[LM_CL_DEVICES];
    int n = 0;
    LM_TRY(lm_cl_probe(found, LM_CL_DEVICES, &n));
    LM_REQUIRE(index < n, LM_DEVICE, "there are %d OpenCL devices, not %d", n, index + 1);
    int family = found[index].info.kind == LM_KIND_CPU ? PANELS : TILES;
    LM_TRY(read_options(opts, &family));
    lm_cl *cl;
    LM_TRY(lm_cl_open(&found[index], family == PANELS, &cl));
    *out = &cl->dev;
    return LM_OK;
}

const lm_backend lm_backend_opencl = {
    .abi = LM_BACKEND_ABI,
    .name = "opencl",
    .priority = 20,
    .check = check,
    .probe = probe,
    .open = open_device,
};
