/* Finding devices. Drivers are asked by the helper process, since some crash when they are looked at; the answer is
 * kept on disk until drivers, or what names them, change. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "backends/opencl/cache.h"
#include "backends/opencl/helper.h"
#include "backends/opencl/opencl.h"
#include "core/base/env.h"
#include "core/base/file.h"
#include "core/base/hash.h"

/* That there is nothing is asked again after a while. */
enum { FORMAT = 6, PLATFORMS = 16, NONE_SECONDS = 600 };
static const char kind[] = "probe"; /* of cache files */
static const char vendors[] = "/etc/OpenCL/vendors";

/* By which drivers hide devices. */
static const lm_env_id hiding[] = {LM_ENV_POCL_DEVICES, LM_ENV_CUDA_DEVICES, LM_ENV_ROCR_DEVICES};

typedef struct answer {
    uint64_t key;
    int64_t when; /* seconds since 1970 */
    int32_t n, size;
    char reason[192]; /* why there is nothing, "" otherwise */
    lm_cl_found found[LM_CL_DEVICES];
} answer;

static uint64_t hash_text(const char *text, uint64_t seed)
{
    return lm_hash(text, strlen(text), seed);
}

/* A file's name, size and time. */
static uint64_t hash_file(const char *path, uint64_t seed)
{
    struct stat s;
    seed = hash_text(path, seed);
    if (stat(path, &s) != 0)
        return seed;
    int64_t facts[] = {(int64_t)s.st_size, (int64_t)s.st_mtim.tv_sec, (int64_t)s.st_mtim.tv_nsec, (int64_t)s.st_ino};
    return lm_hash(facts, sizeof facts, seed);
}

/* A driver by name: where it is said to be, or where the system's list of libraries has it, which changes with them. */
static uint64_t hash_driver(const char *name, uint64_t seed)
{
    return hash_file(strchr(name, '/') ? name : "/etc/ld.so.cache", hash_text(name, seed));
}

/* An .icd file, whose first line is the driver's name. */
static uint64_t hash_icd(const char *path, uint64_t seed)
{
    char name[512];
    lm_file file = {0};
    seed = hash_file(path, seed);
    if (lm_file_map(path, &file) == LM_OK && file.size) {
        snprintf(name, sizeof name, "%.*s", (int)(file.size < sizeof name ? file.size : sizeof name - 1),
                 (const char *)file.bytes);
        name[strcspn(name, "\r\n")] = '\0';
        seed = hash_driver(name, seed);
    }
    lm_file_unmap(&file);
    return seed;
}

static bool is_icd(const char *path)
{
    const size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".icd") == 0;
}

lm_status lm_cl_fingerprint(uint64_t *key, bool *any)
{
    const char *given = lm_env_text(LM_ENV_ICD_VENDORS), *folder = *given ? given : lm_env_text(LM_ENV_ICD_PATH);
    const char *drivers = lm_env_text(LM_ENV_ICD_FILENAMES);
    lm_names names = {0};
    lm_str path = {0};
    folder = *folder ? folder : vendors;
    *key = hash_text(drivers, hash_text(folder, hash_text(LM_VERSION, FORMAT)));
    *any = *drivers;
    for (size_t i = 0; i < LM_COUNT(hiding); i++)
        *key = hash_text(lm_env_is_set(hiding[i]) ? lm_env_text(hiding[i]) : "all", *key);
    for (const char *at = drivers; *at; at += strspn(at, ":")) { /* drivers, or .icd files */
        char name[512];
        const size_t length = strcspn(at, ":");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        *key = is_icd(name) ? hash_icd(name, *key) : hash_driver(name, *key);
        at += length;
    }
    lm_status status = lm_dir_list(folder, ".icd", &names);
    if (status == LM_INPUT) { /* no folder: a driver itself, one .icd file, or nothing */
        *key = is_icd(folder) ? hash_icd(folder, *key) : hash_driver(folder, *key);
        *any = *any || *given;
        status = LM_OK;
    }
    for (size_t i = 0; status == LM_OK && i < names.count; i++) {
        lm_str_clear(&path);
        status = lm_str_printf(&path, "%s/%s", folder, names.at[i]);
        if (status == LM_OK)
            *key = hash_icd(path.text, *key);
        *any = true;
    }
    lm_str_free(&path);
    lm_names_free(&names);
    return status;
}

static void text_of(const lm_cl_api *api, cl_device_id id, cl_device_info what, char *out, size_t room)
{
    char text[512] = "";
    api->GetDeviceInfo(id, what, sizeof text - 1, text, NULL);
    lm_one_line(out, room, text + strspn(text, " "));
}

static lm_device_kind kind_of(cl_device_type type)
{
    if (type & CL_DEVICE_TYPE_GPU)
        return LM_KIND_GPU;
    return type & CL_DEVICE_TYPE_CPU ? LM_KIND_CPU : LM_KIND_ACCELERATOR;
}

static void describe(const lm_cl_api *api, const lm_topo *topo, cl_device_id id, lm_cl_found *f)
{
    lm_devinfo *info = &f->info;
    cl_device_type type = 0;
    cl_uint units = 0;
    cl_ulong memory = 0;
    cl_bool unified = CL_TRUE;
    char pci[LM_CL_PCI];
    api->GetDeviceInfo(id, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    api->GetDeviceInfo(id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
    api->GetDeviceInfo(id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
    api->GetDeviceInfo(id, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof unified, &unified, NULL);
    snprintf(info->name, sizeof info->name, "opencl:%d.%d", f->platform, f->device);
    text_of(api, id, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
    text_of(api, id, CL_DEVICE_NAME, info->product, sizeof info->product);
    text_of(api, id, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    text_of(api, id, CL_DEVICE_OPENCL_C_VERSION, info->levels, sizeof info->levels);
    info->kind = kind_of(type);
    info->units = units ? (int)units : 1;
    info->memory = memory;
    info->eligible = info->kind == LM_KIND_GPU && !unified;
    lm_cl_pci_address(api, id, pci);
    lm_cl_locate(topo, pci, f);
}

/* In the helper: ask everybody. */
static void ask(answer *a)
{
    const lm_cl_api *api;
    cl_platform_id platform[PLATFORMS];
    cl_uint platforms = 0;
    lm_topo *topo = NULL;
    if (lm_cl_load(&api) != LM_OK) {
        snprintf(a->reason, sizeof a->reason, "%s", lm_message());
        return;
    }
    if (api->GetPlatformIDs(PLATFORMS, platform, &platforms) != CL_SUCCESS)
        return;
    platforms = platforms < PLATFORMS ? platforms : PLATFORMS;
    lm_topo_load_devices(&topo);
    for (cl_uint p = 0; p < platforms; p++) {
        cl_device_id id[LM_CL_DEVICES];
        cl_uint n = 0;
        if (api->GetDeviceIDs(platform[p], CL_DEVICE_TYPE_ALL, LM_CL_DEVICES, id, &n) != CL_SUCCESS)
            continue;
        for (cl_uint d = 0; d < n && d < LM_CL_DEVICES && a->n < LM_CL_DEVICES; d++) {
            lm_cl_found *f = &a->found[a->n];
            cl_bool available = CL_FALSE;
            *f = (lm_cl_found){.platform = (int)p, .device = (int)d};
            api->GetDeviceInfo(id[d], CL_DEVICE_AVAILABLE, sizeof available, &available, NULL);
            if (available) {
                describe(api, topo, id[d], f);
                f->info.exact = lm_cl_exact_device(api, platform[p], id[d]);
                a->n++;
            }
        }
    }
    lm_topo_free(topo);
}

lm_status lm_cl_probe_serve(const void *request, void *reply, size_t *bytes)
{
    answer *a = reply;
    memset(a, 0, sizeof *a);
    memcpy(&a->key, request, sizeof a->key);
    a->size = *bytes = sizeof *a;
    a->when = time(NULL);
    ask(a);
    return LM_OK;
}

/* *passing: nothing was learnt about the drivers. */
static lm_status ask_helper(uint64_t key, answer *a, bool *passing)
{
    lm_status status = lm_cl_ask(LM_CL_PROBE, &key, sizeof key, "an OpenCL driver", a, sizeof *a);
    if (!lm_cl_is_open())
        lm_cl_helper_stop();
    if (status == LM_OK || status == LM_MEMORY)
        return status;
    memset(a, 0, sizeof *a);
    a->key = key;
    a->when = time(NULL);
    a->size = sizeof *a;
    *passing = status == LM_NO;
    snprintf(a->reason, sizeof a->reason, "%s while its devices were listed", lm_message());
    return LM_OK;
}

/* What the helper answered last, for this process where there is no cache folder. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static answer known;
static atomic_bool stale;

static bool holds(const answer *a, uint64_t key)
{
    return a->key == key && a->size == (int32_t)sizeof *a && a->n >= 0 && a->n <= LM_CL_DEVICES &&
           (a->n || time(NULL) - a->when < NONE_SECONDS);
}

static bool from_cache(uint64_t key)
{
    lm_file file;
    size_t bytes = 0;
    const answer *a = lm_cl_cache_get(kind, key, &file, &bytes);
    const bool good = a && bytes == sizeof *a && holds(a, key);
    if (good)
        known = *a;
    lm_file_unmap(&file);
    return good;
}

/* Under `lock`: have `known` hold for the key; *passing as above. */
static lm_status know(uint64_t key, bool *passing)
{
    if ((!atomic_exchange(&stale, false) && holds(&known, key)) || from_cache(key))
        return LM_OK;
    LM_TRY(ask_helper(key, &known, passing));
    if (*passing)
        known.size = 0;
    else
        lm_cl_cache_put(kind, key, &known, sizeof known);
    return LM_OK;
}

/* Takes no lock: the helper has a copy of it from when it was forked. */
void lm_cl_probe_forget(void)
{
    uint64_t key;
    bool any;
    atomic_store(&stale, true);
    if (lm_cl_fingerprint(&key, &any) == LM_OK)
        lm_cl_cache_drop(kind, key);
}

lm_status lm_cl_probe(lm_cl_found *out, int cap, int *n)
{
    uint64_t key;
    bool any, passing = false;
    *n = 0;
    LM_TRY(lm_cl_fingerprint(&key, &any));
    if (!any)
        return LM_OK;
    pthread_mutex_lock(&lock);
    lm_status status = know(key, &passing);
    if (status == LM_OK) {
        *n = known.n < cap ? known.n : cap;
        memcpy(out, known.found, (size_t)*n * sizeof *out);
        lm_message_set(known.reason);
    }
    pthread_mutex_unlock(&lock);
    return status;
}
