/* The list of families, made from the build's list and LIMN_PLUGINS, and the services that devices get. */
#include "core/device/registry.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/env.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "core/device/chain.h"

#define LM_BACKEND(name) extern const lm_backend lm_backend_##name;
#include "backends.def"
#undef LM_BACKEND

/* Entries are written once under the lock and never change, so callers may read those they were told of without it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static lm_family family[LM_FAMILIES_MAX] = {
#define LM_BACKEND(name) {.backend = &lm_backend_##name},
#include "backends.def"
#undef LM_BACKEND
};
static int families;

static void host_log(int level, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    lm_log((lm_log_level)level, "%s", line);
}

/* Devices keep the address, so it is the same for all and never goes. */
static pthread_mutex_t host_lock = PTHREAD_MUTEX_INITIALIZER;
static lm_host host = {.abi = LM_BACKEND_ABI, .malloc = lm_malloc, .free = lm_free, .fail = lm_fail, .log = host_log};

lm_status lm_machine(const lm_topo **out)
{
    lm_status status = LM_OK;
    pthread_mutex_lock(&host_lock);
    if (!host.topo) {
        lm_topo *topo = NULL;
        status = lm_topo_load(&topo);
        host.topo = topo;
    }
    *out = host.topo;
    pthread_mutex_unlock(&host_lock);
    return status;
}

/* `facts` are NULL when the file is not there, which loading it puts into words. */
static lm_status add_plugin(const char *file, const struct stat *facts)
{
    for (int i = 0; facts && i < families; i++)
        if (family[i].file && family[i].volume == (uint64_t)facts->st_dev && family[i].inode == (uint64_t)facts->st_ino)
            return LM_OK;
    LM_REQUIRE(families < LM_FAMILIES_MAX, LM_DEVICE, "plug-in %s: at most %d families of devices fit", file,
               LM_FAMILIES_MAX);
    char *kept = lm_strdup(file);
    if (!kept)
        return LM_MEMORY;
    void *object;
    const lm_backend *backend;
    lm_status status = lm_plugin_load(file, &object, &backend);
    if (status != LM_OK) {
        lm_free(kept);
        return status;
    }
    for (int i = 0; i < families; i++)
        if (strcmp(family[i].backend->name, backend->name) == 0) {
            lm_fail(LM_DEVICE, "plug-in %s: there is a family of devices '%s' already (%s)", file, backend->name,
                    family[i].file ? family[i].file : "built in");
            lm_plugin_unload(object);
            lm_free(kept);
            return LM_DEVICE;
        }
    family[families++] =
        (lm_family){backend, kept, facts ? (uint64_t)facts->st_dev : 0, facts ? (uint64_t)facts->st_ino : 0};
    return LM_OK;
}

static lm_status add_folder(const char *path)
{
    lm_names names = {0};
    lm_status status = lm_dir_list(path, ".so", &names);
    if (status == LM_INPUT)
        return lm_fail(LM_DEVICE, "plug-in folder %s; correct or unset LIMN_PLUGINS", lm_message());
    lm_str file = {0};
    for (size_t i = 0; status == LM_OK && i < names.count; i++) {
        lm_str_clear(&file);
        status = lm_str_printf(&file, "%s/%s", path, names.at[i]);
        struct stat facts;
        if (status == LM_OK)
            status = add_plugin(file.text, stat(file.text, &facts) == 0 ? &facts : NULL);
    }
    lm_str_free(&file);
    lm_names_free(&names);
    return status;
}

/* `list`: files and folders separated by ':'. */
static lm_status add_plugins(const char *list)
{
    char *copy = lm_strdup(list);
    if (!copy)
        return LM_MEMORY;
    lm_status status = LM_OK;
    for (char *path = copy, *next; status == LM_OK && path; path = next) {
        next = strchr(path, ':');
        if (next)
            *next++ = '\0';
        struct stat facts;
        bool there = stat(path, &facts) == 0;
        if (*path)
            status = there && S_ISDIR(facts.st_mode) ? add_folder(path) : add_plugin(path, there ? &facts : NULL);
    }
    lm_free(copy);
    return status;
}

lm_status lm_families(const lm_family **out, int *n)
{
    pthread_mutex_lock(&lock);
    while (families < LM_FAMILIES_MAX && family[families].backend)
        families++;
    lm_status status = add_plugins(lm_env_text(LM_ENV_PLUGINS));
    *out = family;
    *n = families;
    pthread_mutex_unlock(&lock);
    return status;
}

/* A failure of a family's own function; a silent one gets words, and a plug-in is named. */
static lm_status blame(lm_status status, const lm_family *f, const char *what)
{
    if (status != LM_OK && !*lm_message())
        lm_fail(status, "it gave no reason");
    return f->file ? lm_context(status, "plug-in %s: %s", f->file, what) : status;
}

lm_status lm_family_check(const lm_family *f, const lm_kv *opts)
{
    if (!f->backend->check)
        return lm_kv_check(opts, f->backend->name, "strict|split");
    const lm_topo *topo;
    LM_TRY(lm_machine(&topo));
    lm_message_set("");
    return blame(f->backend->check(&host, opts), f, "options");
}

static void end_texts(lm_devinfo *info)
{
    info->name[sizeof info->name - 1] = '\0';
    info->vendor[sizeof info->vendor - 1] = '\0';
    info->product[sizeof info->product - 1] = '\0';
    info->driver[sizeof info->driver - 1] = '\0';
    info->levels[sizeof info->levels - 1] = '\0';
    info->locality[sizeof info->locality - 1] = '\0';
}

static lm_status check_found(const lm_family *f, lm_devinfo *out, int n)
{
    LM_REQUIRE(n >= 0 && n <= LM_FAMILY_DEVICES, LM_DEVICE, "it lists %d devices where at most %d were asked for", n,
               LM_FAMILY_DEVICES);
    for (int i = 0; i < n; i++) {
        end_texts(&out[i]);
        size_t name = strlen(f->backend->name);
        LM_REQUIRE(strncmp(out[i].name, f->backend->name, name) == 0 &&
                       (!out[i].name[name] || out[i].name[name] == ':'),
                   LM_DEVICE, "its device '%s' is not named after its family '%s'", out[i].name, f->backend->name);
    }
    return LM_OK;
}

lm_status lm_family_probe(const lm_family *f, lm_devinfo out[LM_FAMILY_DEVICES], int *n)
{
    const lm_topo *topo;
    LM_TRY(lm_machine(&topo));
    *n = 0;
    lm_message_set("");
    lm_status status = f->backend->probe(&host, out, LM_FAMILY_DEVICES, n);
    if (status == LM_OK)
        status = check_found(f, out, *n);
    return blame(status, f, "looking for devices");
}

static lm_status check_device(const lm_device *d)
{
    LM_REQUIRE(d, LM_DEVICE, "it reports success without a device");
    const lm_device_vt *vt = d->vt;
    LM_REQUIRE(vt && vt->close && vt->alloc && vt->release && vt->copy && vt->bind && vt->derive && vt->launch &&
                   vt->sync,
               LM_DEVICE, "its device lacks a function that is not optional");
    return LM_OK;
}

lm_status lm_family_open(const lm_family *f, int index, const lm_kv *opts, lm_device **out)
{
    const lm_topo *topo;
    LM_TRY(lm_machine(&topo));
    lm_device *device = NULL;
    lm_message_set("");
    lm_status status = f->backend->open(&host, index, opts, &device);
    if (status == LM_OK)
        status = check_device(device);
    if (status != LM_OK) {
        if (device && device->vt && device->vt->close)
            device->vt->close(device);
        return blame(status, f, "opening a device");
    }
    end_texts(&device->info);
    *out = device;
    return LM_OK;
}
