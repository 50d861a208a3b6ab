/* The cpu device: opens a level and a pool, keeps memory on the host, and sends each call to its driver. */
#include "backends/cpu/adapt.h"
#include "backends/cpu/bind.h"
#include "backends/cpu/pack.h"
#include "core/base/env.h"
#include "core/base/log.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <string.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

static lm_cpu *self(lm_device *dev)
{
    return (lm_cpu *)dev;
}

static void cpu_close(lm_device *dev)
{
    lm_pool_close(self(dev)->pool);
    lm_free(dev);
}

static lm_status cpu_alloc(lm_device *dev, size_t bytes, lm_buffer **out)
{
    (void)dev;
    return lm_buffer_new(bytes, out);
}

static void cpu_release(lm_device *dev, lm_buffer *buffer)
{
    /* Host buffers free themselves when their last reference goes; none of them points back to this device. */
    (void)dev, (void)buffer;
}

static lm_status cpu_copy(lm_device *dev, lm_buffer *to, size_t to_off, lm_buffer *from, size_t from_off, size_t bytes)
{
    (void)dev;
    memcpy((char *)to->host + to_off, (const char *)from->host + from_off, bytes);
    return LM_OK;
}

static lm_status cpu_bind(lm_device *dev, const lm_call *call, lm_kernel **out)
{
    lm_cpu *cpu = self(dev);
    lm_cpu_bind_fn bind = lm_cpu_binder(call->op);
    LM_REQUIRE(bind, LM_UNSUPPORTED, "%s has no kernel on cpu", lm_ops[call->op].name);
    lm_status status = bind(cpu, call, out);
    return status == LM_UNSUPPORTED ? lm_cpu_bind_adapted(cpu, call, bind, out) : status;
}

static lm_status cpu_derive(lm_device *dev, const lm_view *constant, const lm_want *want, lm_buffer **out)
{
    return lm_cpu_pack(self(dev), constant, want, out);
}

static lm_status cpu_launch(lm_device *dev, const lm_kernel *kernel, const lm_arg *arg, lm_buffer *workspace)
{
    const lm_cpu_kernel *k = (const lm_cpu_kernel *)kernel;
    enum { INLINE_ARGS = 16 };
    void *few[INLINE_ARGS], **p = few;
    if (k->nargs > INLINE_ARGS && !(p = lm_malloc((size_t)k->nargs, sizeof *p)))
        return LM_MEMORY;
    for (int i = 0; i < k->nargs; i++)
        p[i] = lm_arg_host(&arg[i]);
    lm_status status = k->run(self(dev), k, p, workspace ? workspace->host : NULL);
    if (p != few)
        lm_free(p);
    return status;
}

static lm_status cpu_sync(lm_device *dev)
{
    (void)dev;
    return LM_OK;
}

static const lm_device_vt vt = {
    .close = cpu_close,
    .alloc = cpu_alloc,
    .release = cpu_release,
    .copy = cpu_copy,
    .bind = cpu_bind,
    .derive = cpu_derive,
    .launch = cpu_launch,
    .sync = cpu_sync,
};

static void kernel_free(lm_kernel *kernel)
{
    lm_free(kernel);
}

lm_status lm_cpu_kernel_new(lm_cpu *cpu, const lm_call *call, size_t bytes, lm_cpu_run run, const char *what, void *out)
{
    lm_cpu_kernel *k = lm_calloc(1, bytes);
    if (!k)
        return LM_MEMORY;
    snprintf(k->name, sizeof k->name, "cpu.%s.%s", lm_cpu_level_name(cpu->level), what);
    k->base.name = k->name;
    k->base.free = kernel_free;
    k->run = run;
    k->nargs = call->nx + call->ny;
    *(lm_cpu_kernel **)out = k;
    return LM_OK;
}

/* Who made the processor: what it says itself where one can ask it, otherwise the first word of what it is called. */
static void find_vendor(const char *model, char *out, size_t room)
{
#if defined(__x86_64__) || defined(__i386__)
    static const char *const known[][2] = {
        {"GenuineIntel", "Intel"}, {"AuthenticAMD", "AMD"}, {"HygonGenuine", "Hygon"}, {"CentaurHauls", "VIA"}};
    unsigned highest, word[3];
    char id[sizeof word + 1] = "";
    if (__get_cpuid(0, &highest, &word[0], &word[2], &word[1]))
        memcpy(id, word, sizeof word);
    for (size_t i = 0; i < LM_COUNT(known); i++)
        if (strcmp(id, known[i][0]) == 0) {
            snprintf(out, room, "%s", known[i][1]);
            return;
        }
#endif
    snprintf(out, room, "%.*s", (int)strcspn(model, " "), model);
}

static void describe(const lm_topo *topo, lm_cpu_level best, lm_devinfo *info)
{
    *info = (lm_devinfo){.kind = LM_KIND_CPU, .units = lm_topo_threads(topo), .memory = topo->ram, .exact = true, .eligible = true};
    snprintf(info->name, sizeof info->name, "cpu");
    snprintf(info->product, sizeof info->product, "%s", topo->model);
    find_vendor(topo->model, info->vendor, sizeof info->vendor);
    snprintf(info->driver, sizeof info->driver, "limn");
    snprintf(info->locality, sizeof info->locality, "%d package%s, %d core%s", topo->packages, topo->packages == 1 ? "" : "s",
             topo->cores, topo->cores == 1 ? "" : "s");
    size_t used = 0;
    for (lm_cpu_level level = LM_CPU_SCALAR; level <= best; level++)
        if (lm_cpu_level_usable(level))
            used += (size_t)snprintf(info->levels + used, sizeof info->levels - used, "%s%s", used ? " " : "",
                                     lm_cpu_level_name(level));
}

static lm_status environment_level(lm_cpu_level *out)
{
    return lm_context(lm_cpu_level_choose(lm_env_text(LM_ENV_CPU), out), "LIMN_CPU");
}

static lm_status cpu_probe(const lm_host *host, lm_devinfo *out, int cap, int *n)
{
    lm_cpu_level level;
    LM_TRY(environment_level(&level));
    *n = cap > 0;
    if (cap > 0)
        describe(host->topo, level, out);
    return LM_OK;
}

typedef struct cpu_options {
    int64_t threads; /* 0: as many as the machine suggests */
    bool bind;
    lm_cpu_level level;
} cpu_options;

/* `*o` holds what stands where `opts` says nothing. */
static lm_status read_options(const lm_kv *opts, cpu_options *o)
{
    LM_TRY(lm_kv_int(opts, "threads", 1, LM_CPUS, &o->threads));
    LM_TRY(lm_kv_bool(opts, "bind", &o->bind));
    return lm_context(lm_cpu_level_choose(lm_kv_get(opts, "isa"), &o->level), "isa");
}

static lm_status cpu_check(const lm_host *host, const lm_kv *opts)
{
    (void)host;
    cpu_options o = {0};
    LM_TRY(lm_kv_check(opts, "cpu", "isa|threads|bind|strict|split"));
    return lm_context(read_options(opts, &o), "cpu");
}

/* So many threads only get into each other's way; the result is the same with fewer. */
static int64_t sensible_threads(const lm_topo *topo, int64_t threads)
{
    int usable = lm_cpuset_count(&topo->allowed), most = 4 * usable;
    if (!usable || threads <= most)
        return threads;
    lm_log(LM_LOG_WARN, "cpu: %lld threads for %d processor%s; %d are used", (long long)threads, usable, usable == 1 ? "" : "s",
           most);
    return most;
}

static lm_status cpu_open(const lm_host *host, int index, const lm_kv *opts, lm_device **out)
{
    LM_REQUIRE(index == 0, LM_DEVICE, "cpu:%d: there is one cpu device, cpu:0", index);
    LM_TRY(cpu_check(host, opts));
    cpu_options o = {.bind = true};
    lm_cpu_level cap;
    LM_TRY(environment_level(&cap));
    LM_TRY(lm_env_int(LM_ENV_THREADS, &o.threads));
    LM_TRY(read_options(opts, &o));

    lm_cpu *cpu;
    LM_NEW(cpu);
    cpu->dev.vt = &vt;
    cpu->dev.compute = LM_F32;
    cpu->topo = host->topo;
    cpu->level = o.level < cap ? o.level : cap;
    describe(host->topo, cpu->level, &cpu->dev.info);
    lm_status status = lm_pool_open(host->topo, (int)sensible_threads(host->topo, o.threads), o.bind, &cpu->pool);
    if (status != LM_OK) {
        lm_free(cpu);
        return status;
    }
    cpu->dev.info.units = lm_pool_threads(cpu->pool);
    *out = &cpu->dev;
    return LM_OK;
}

const lm_backend lm_backend_cpu = {
    .abi = LM_BACKEND_ABI,
    .name = "cpu",
    .priority = 10,
    .check = cpu_check,
    .probe = cpu_probe,
    .open = cpu_open,
};
