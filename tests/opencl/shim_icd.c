/* An OpenCL driver for tests: PoCL, except for the calls that a test lets fail (shim.h). It loads the real driver and
 * puts functions of its own into that driver's table, which all its objects share. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_icd.h>

#include "tests/opencl/shim.h"

#define VISIBLE __attribute__((visibility("default")))

VISIBLE void *clGetExtensionFunctionAddress(const char *name);
VISIBLE cl_int clIcdGetPlatformIDsKHR(cl_uint room, cl_platform_id *platform, cl_uint *n);

static shim_state *state, nobody;
static atomic_int inside; /* calls that have not returned */
static cl_icd_dispatch real;

/* The status that this call has to fail with; 0: none. */
static cl_int fails(int function)
{
    const bool here = getpid() == state->test;
    const shim_where where = state->rule[function].where;
    if (here)
        atomic_fetch_add(&state->calls[function], 1);
    if (where != SHIM_ANYWHERE && here != (where == SHIM_IN_TEST))
        return 0;
    if (atomic_load(&state->rule[function].times) == 0 || atomic_fetch_sub(&state->rule[function].after, 1) > 0)
        return 0;
    if (atomic_fetch_sub(&state->rule[function].times, 1) <= 0)
        return 0;
    const int code = atomic_load(&state->rule[function].code);
    if (code == SHIM_CRASH)
        raise(SIGKILL);
    if (code == SHIM_HANG)
        atomic_store(&state->stuck, getpid());
    while (code == SHIM_HANG)
        pause();
    return code;
}

static void count_object(int change)
{
    if (getpid() == state->test)
        atomic_fetch_add(&state->live, change);
}

#define CALL(name, parameters, ...)                                                                                    \
    static cl_int CL_API_CALL my_##name parameters                                                                     \
    {                                                                                                                  \
        cl_int code = fails(SHIM_##name);                                                                              \
        atomic_fetch_add(&inside, 1);                                                                                  \
        code = code ? code : real.cl##name(__VA_ARGS__);                                                               \
        atomic_fetch_sub(&inside, 1);                                                                                  \
        return code;                                                                                                   \
    }

#define MAKE(type, change, name, parameters, ...)                                                                      \
    static type CL_API_CALL my_##name parameters                                                                       \
    {                                                                                                                  \
        cl_int code = fails(SHIM_##name);                                                                              \
        type made = code ? NULL : real.cl##name(__VA_ARGS__, &code);                                                   \
        if (made)                                                                                                      \
            count_object(change);                                                                                      \
        if (failed)                                                                                                    \
            *failed = code;                                                                                            \
        return made;                                                                                                   \
    }

#define END(name, type)                                                                                                \
    static cl_int CL_API_CALL my_##name(type object)                                                                   \
    {                                                                                                                  \
        const cl_int code = fails(SHIM_##name);                                                                        \
        count_object(-1);                                                                                              \
        if (SHIM_##name == SHIM_ReleaseCommandQueue && atomic_load(&inside) > 0)                                       \
            atomic_fetch_add(&state->torn, 1);                                                                         \
        return code ? code : real.cl##name(object);                                                                    \
    }

typedef void(CL_CALLBACK *built_fn)(cl_program, void *);
typedef void(CL_CALLBACK *trouble_fn)(const char *, const void *, size_t, void *);

#define AFTER cl_uint n, const cl_event *first, cl_event *event
#define QUEUE cl_command_queue queue

CALL(BuildProgram, (cl_program p, cl_uint n, const cl_device_id *id, const char *options, built_fn f, void *own), p, n,
     id, options, f, own)
CALL(EnqueueNDRangeKernel,
     (QUEUE, cl_kernel k, cl_uint rank, const size_t *off, const size_t *global, const size_t *local, AFTER), queue, k,
     rank, off, global, local, n, first, event)
CALL(EnqueueReadBuffer, (QUEUE, cl_mem m, cl_bool blocks, size_t off, size_t bytes, void *to, AFTER), queue, m, blocks,
     off, bytes, to, n, first, event)
CALL(EnqueueWriteBuffer, (QUEUE, cl_mem m, cl_bool blocks, size_t off, size_t bytes, const void *from, AFTER), queue, m,
     blocks, off, bytes, from, n, first, event)
CALL(EnqueueCopyBuffer, (QUEUE, cl_mem a, cl_mem b, size_t a_off, size_t b_off, size_t bytes, AFTER), queue, a, b,
     a_off, b_off, bytes, n, first, event)
CALL(EnqueueUnmapMemObject, (QUEUE, cl_mem m, void *host, AFTER), queue, m, host, n, first, event)
CALL(Finish, (QUEUE), queue)
CALL(GetEventProfilingInfo, (cl_event event, cl_profiling_info what, size_t room, void *out, size_t *bytes), event,
     what, room, out, bytes)
MAKE(cl_context, 1, CreateContext,
     (const cl_context_properties *properties, cl_uint n, const cl_device_id *id, trouble_fn f, void *own,
      cl_int *failed),
     properties, n, id, f, own)
MAKE(cl_command_queue, 1, CreateCommandQueue,
     (cl_context c, cl_device_id id, cl_command_queue_properties properties, cl_int *failed), c, id, properties)
MAKE(cl_mem, 1, CreateBuffer, (cl_context c, cl_mem_flags flags, size_t bytes, void *host, cl_int *failed), c, flags,
     bytes, host)
MAKE(cl_program, 1, CreateProgramWithSource,
     (cl_context c, cl_uint n, const char **text, const size_t *lengths, cl_int *failed), c, n, text, lengths)
MAKE(cl_program, 1, CreateProgramWithBinary,
     (cl_context c, cl_uint n, const cl_device_id *id, const size_t *lengths, const unsigned char **binary,
      cl_int *status, cl_int *failed),
     c, n, id, lengths, binary, status)
MAKE(cl_kernel, 1, CreateKernel, (cl_program p, const char *name, cl_int *failed), p, name)
MAKE(void *, 0, EnqueueMapBuffer,
     (QUEUE, cl_mem m, cl_bool blocks, cl_map_flags flags, size_t off, size_t bytes, AFTER, cl_int *failed), queue, m,
     blocks, flags, off, bytes, n, first, event)
END(ReleaseContext, cl_context)
END(ReleaseCommandQueue, cl_command_queue)
END(ReleaseMemObject, cl_mem)
END(ReleaseProgram, cl_program)
END(ReleaseKernel, cl_kernel)

static cl_int CL_API_CALL my_GetDeviceInfo(cl_device_id id, cl_device_info what, size_t room, void *out, size_t *bytes)
{
    const cl_int code = real.clGetDeviceInfo(id, what, room, out, bytes);
    if (what == CL_DEVICE_GLOBAL_MEM_SIZE && state->memory && out && room >= sizeof(cl_ulong))
        *(cl_ulong *)out = state->memory;
    if (what == CL_DEVICE_HOST_UNIFIED_MEMORY && state->apart && out && room >= sizeof(cl_bool))
        *(cl_bool *)out = CL_FALSE;
    return code;
}

static void find_state(void)
{
    const char *path = getenv("LIMN_TEST_SHIM");
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    state = at == MAP_FAILED ? &nobody : at;
    if (fd >= 0)
        close(fd);
}

/* The real driver's table may be read-only. */
static void take_over(cl_icd_dispatch *table)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)table & ~(page - 1);
    const uintptr_t end = ((uintptr_t)(table + 1) + page - 1) & ~(page - 1);
    real = *table;
    if (mprotect((void *)first, end - first, PROT_READ | PROT_WRITE) != 0)
        return;
#define X(name) table->cl##name = my_##name;
    SHIM_CALLS(X)
    SHIM_MAKES(X)
    SHIM_ENDS(X)
    X(GetDeviceInfo)
#undef X
}

/* The real driver's way to its functions; NULL: it is not there. */
static void *(*driver(void))(const char *)
{
    static void *(*find)(const char *);
    if (!find) {
        void *object = dlopen("libpocl.so.2", RTLD_NOW | RTLD_LOCAL);
        void *address = object ? dlsym(object, "clGetExtensionFunctionAddress") : NULL;
        memcpy(&find, &address, sizeof find);
        find_state();
    }
    return find;
}

cl_int clIcdGetPlatformIDsKHR(cl_uint room, cl_platform_id *platform, cl_uint *n)
{
    static cl_int (*list)(cl_uint, cl_platform_id *, cl_uint *);
    cl_platform_id first;
    if (!list && driver()) {
        void *address = driver()("clIcdGetPlatformIDsKHR");
        memcpy(&list, &address, sizeof list);
        if (list && list(1, &first, NULL) == CL_SUCCESS)
            take_over(*(cl_icd_dispatch **)(void *)first);
    }
    return list ? list(room, platform, n) : -1001;
}

void *clGetExtensionFunctionAddress(const char *name)
{
    cl_int (*list)(cl_uint, cl_platform_id *, cl_uint *) = clIcdGetPlatformIDsKHR;
    void *address = NULL;
    if (strcmp(name, "clIcdGetPlatformIDsKHR") == 0)
        memcpy(&address, &list, sizeof address);
    else if (driver())
        address = driver()(name);
    return address;
}
