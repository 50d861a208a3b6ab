/* Opening the OpenCL loader, and its error codes in words. */
#include "backends/opencl/helper.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const char *const libraries[] = {"libOpenCL.so.1", "libOpenCL.so"};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static lm_cl_api api;
static char reason[256];
static bool loaded;
static atomic_bool opened;

static bool find(void *library, const char *name, void *function)
{
    void *address = dlsym(library, name);
    if (!address)
        snprintf(reason, sizeof reason, "the OpenCL loader has no %s", name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static void load(void)
{
    void *library = NULL;
    atomic_store(&opened, true);
    for (size_t i = 0; !library && i < LM_COUNT(libraries); i++)
        library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(reason, sizeof reason, "there is no OpenCL loader (%s)", libraries[0]);
        return;
    }
    loaded = true;
#define X(name) loaded = find(library, "cl" #name, &api.name) && loaded;
    LM_CL_FUNCTIONS(X)
#undef X
}

lm_status lm_cl_load(const lm_cl_api **out)
{
    lm_cl_helper_start();
    pthread_once(&once, load);
    LM_REQUIRE(loaded, LM_DEVICE, "%s", reason);
    *out = &api;
    return LM_OK;
}

bool lm_cl_is_open(void)
{
    return atomic_load(&opened);
}

static const struct {
    cl_int code;
    const char *name;
} errors[] = {
#define ROW(name)                                                                                                      \
    {                                                                                                                  \
        name, #name                                                                                                    \
    }
    ROW(CL_DEVICE_NOT_FOUND),
    ROW(CL_DEVICE_NOT_AVAILABLE),
    ROW(CL_COMPILER_NOT_AVAILABLE),
    ROW(CL_MEM_OBJECT_ALLOCATION_FAILURE),
    ROW(CL_OUT_OF_RESOURCES),
    ROW(CL_OUT_OF_HOST_MEMORY),
    ROW(CL_BUILD_PROGRAM_FAILURE),
    ROW(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
    ROW(CL_INVALID_VALUE),
    ROW(CL_INVALID_PLATFORM),
    ROW(CL_INVALID_DEVICE),
    ROW(CL_INVALID_CONTEXT),
    ROW(CL_INVALID_COMMAND_QUEUE),
    ROW(CL_INVALID_MEM_OBJECT),
    ROW(CL_INVALID_BINARY),
    ROW(CL_INVALID_BUILD_OPTIONS),
    ROW(CL_INVALID_PROGRAM),
    ROW(CL_INVALID_PROGRAM_EXECUTABLE),
    ROW(CL_INVALID_KERNEL_NAME),
    ROW(CL_INVALID_KERNEL),
    ROW(CL_INVALID_ARG_INDEX),
    ROW(CL_INVALID_ARG_VALUE),
    ROW(CL_INVALID_ARG_SIZE),
    ROW(CL_INVALID_KERNEL_ARGS),
    ROW(CL_INVALID_WORK_DIMENSION),
    ROW(CL_INVALID_WORK_GROUP_SIZE),
    ROW(CL_INVALID_WORK_ITEM_SIZE),
    ROW(CL_INVALID_GLOBAL_OFFSET),
    ROW(CL_INVALID_EVENT),
    ROW(CL_INVALID_OPERATION),
    ROW(CL_INVALID_BUFFER_SIZE),
    ROW(CL_INVALID_GLOBAL_WORK_SIZE),
#undef ROW
    {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
    {-9999, "illegal read or write of memory"},
};

const char *lm_cl_error(cl_int code)
{
    for (size_t i = 0; i < LM_COUNT(errors); i++)
        if (errors[i].code == code)
            return errors[i].name;
    return "unknown error";
}

lm_status lm_cl_status(cl_int code, const char *step)
{
    if (code == CL_SUCCESS)
        return LM_OK;
    bool memory =
        code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_HOST_MEMORY || code == CL_INVALID_BUFFER_SIZE;
    return lm_fail(memory ? LM_MEMORY : LM_DEVICE, "%s: %s (%d)", step, lm_cl_error(code), (int)code);
}
