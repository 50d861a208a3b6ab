/* Finding devices. Drivers are asked by a child process, since some crash when they are looked at; the answer is kept
 * on disk until the list of drivers changes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/opencl/opencl.h"
#include "core/base/env.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/mem.h"

enum { FORMAT = 2, PLATFORMS = 16, SECONDS = 20 };
static const char vendors[] = "/etc/OpenCL/vendors";

typedef struct answer {
    uint64_t key;
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
    int64_t facts[] = {(int64_t)s.st_size, (int64_t)s.st_mtime, (int64_t)s.st_ino};
    return lm_hash(facts, sizeof facts, seed);
}

/* What names the drivers: the files of the vendors' folder, or of the one that the environment puts in its place. *any
 * says whether there are drivers at all, without a look at one. */
static lm_status fingerprint(uint64_t *key, bool *any)
{
    const char *given = lm_env_text(LM_ENV_ICD_VENDORS), *folder = *given ? given : lm_env_text(LM_ENV_ICD_PATH);
    lm_names names = {0};
    lm_str path = {0};
    folder = *folder ? folder : vendors;
    *key = hash_text(folder, hash_text(LM_VERSION, FORMAT));
    *any = *given;
    lm_status status = lm_dir_list(folder, ".icd", &names);
    if (status == LM_INPUT) { /* no folder: a driver itself, or nothing */
        *key = hash_file(folder, *key);
        status = LM_OK;
    }
    for (size_t i = 0; status == LM_OK && i < names.count; i++) {
        lm_str_clear(&path);
        status = lm_str_printf(&path, "%s/%s", folder, names.at[i]);
        if (status == LM_OK)
            *key = hash_file(path.text, *key);
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

static void locate(const lm_topo *topo, int platform, int device, lm_devinfo *info)
{
    for (int i = 0; topo && i < topo->accels; i++) {
        const lm_accel *a = &topo->accel[i];
        if (a->platform != platform || a->device != device)
            continue;
        lm_str cores = {0};
        lm_cpuset_print(&a->near, &cores);
        snprintf(info->locality, sizeof info->locality, "%s%s%s%.32s", a->pci, *a->pci ? ", " : "", "near ",
                 lm_str_text(&cores));
        lm_str_free(&cores);
    }
}

static void describe(const lm_cl_api *api, const lm_topo *topo, cl_device_id id, lm_cl_found *f)
{
    lm_devinfo *info = &f->info;
    cl_device_type type = 0;
    cl_uint units = 0;
    cl_ulong memory = 0;
    cl_bool unified = CL_TRUE;
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
    info->units = (int)units;
    info->memory = memory;
    info->eligible = info->kind == LM_KIND_GPU && !unified;
    snprintf(info->locality, sizeof info->locality, "%s", info->kind == LM_KIND_CPU ? "the host's processors" : "");
    locate(topo, f->platform, f->device, info);
}

/* In the child: ask everybody. */
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

/* All of the answer, or false. */
static bool receive(int fd, answer *a)
{
    size_t got = 0;
    while (got < sizeof *a) {
        ssize_t n = read(fd, (char *)a + got, sizeof *a - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static void child(int fd, answer *a)
{
    alarm(SECONDS);
    ask(a);
    for (size_t sent = 0; sent < sizeof *a;) {
        ssize_t n = write(fd, (const char *)a + sent, sizeof *a - sent);
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    _exit(0);
}

static void ask_child(answer *a)
{
    int end[2], how = 0;
    if (pipe(end) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        close(end[0]);
        child(end[1], a);
    }
    close(end[1]);
    uint64_t key = a->key;
    bool answered = pid > 0 && receive(end[0], a);
    close(end[0]);
    while (pid > 0 && waitpid(pid, &how, 0) < 0 && errno == EINTR)
        continue;
    if (answered)
        return;
    memset(a, 0, sizeof *a);
    a->key = key;
    a->size = sizeof *a;
    snprintf(a->reason, sizeof a->reason, "an OpenCL driver %s %d while its devices were listed",
             WIFSIGNALED(how) ? "ended with signal" : "ended with status",
             WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
}

static lm_status cache_file(uint64_t key, lm_str *path)
{
    LM_TRY(lm_env_cache_dir(path));
    LM_TRY(lm_str_add(path, "/opencl"));
    return lm_str_printf(path, "/probe-%016llx", (unsigned long long)key);
}

static bool from_cache(uint64_t key, answer *a)
{
    lm_str path = {0};
    lm_file file = {0};
    bool good = cache_file(key, &path) == LM_OK && lm_file_map(path.text, &file) == LM_OK && file.size == sizeof *a;
    if (good) {
        memcpy(a, file.bytes, sizeof *a);
        good = a->key == key && a->size == (int32_t)sizeof *a && a->n >= 0 && a->n <= LM_CL_DEVICES;
    }
    lm_file_unmap(&file);
    lm_str_free(&path);
    return good;
}

static void to_cache(const answer *a)
{
    lm_str path = {0};
    if (cache_file(a->key, &path) == LM_OK) {
        char *name = strrchr(path.text, '/');
        *name = '\0';
        lm_status made = lm_dir_make(path.text);
        *name = '/';
        if (made == LM_OK)
            lm_file_write(path.text, a, sizeof *a);
    }
    lm_str_free(&path);
}

void lm_cl_probe_forget(void)
{
    uint64_t key;
    bool any;
    lm_str path = {0};
    if (fingerprint(&key, &any) == LM_OK && cache_file(key, &path) == LM_OK)
        unlink(path.text);
    lm_str_free(&path);
}

lm_status lm_cl_probe(lm_cl_found *out, int cap, int *n)
{
    uint64_t key;
    bool any;
    *n = 0;
    LM_TRY(fingerprint(&key, &any));
    if (!any)
        return LM_OK;
    answer *a;
    LM_NEW(a);
    if (!from_cache(key, a)) {
        memset(a, 0, sizeof *a);
        a->key = key;
        a->size = sizeof *a;
        ask_child(a);
        if (a->n)
            to_cache(a);
    }
    if (*a->reason)
        lm_log(LM_LOG_WARN, "opencl: %s; no OpenCL device is used", a->reason);
    *n = a->n < cap ? a->n : cap;
    memcpy(out, a->found, (size_t)*n * sizeof *out);
    lm_free(a);
    lm_message_set("");
    return LM_OK;
}
