/* The OpenCL loader, opened at run time: one build serves machines with and without it. */
#ifndef LM_CL_LOADER_H
#define LM_CL_LOADER_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdbool.h>

#include "core/base/status.h"

#define LM_CL_FUNCTIONS(X)                                                                                             \
    X(GetPlatformIDs)                                                                                                  \
    X(GetPlatformInfo) X(GetDeviceIDs) X(GetDeviceInfo) X(CreateContext) X(ReleaseContext) X(CreateCommandQueue)       \
        X(ReleaseCommandQueue) X(CreateBuffer) X(ReleaseMemObject) X(EnqueueReadBuffer) X(EnqueueWriteBuffer)          \
            X(EnqueueCopyBuffer) X(EnqueueMapBuffer) X(EnqueueUnmapMemObject) X(CreateProgramWithSource)               \
                X(CreateProgramWithBinary) X(BuildProgram) X(GetProgramInfo) X(GetProgramBuildInfo) X(ReleaseProgram)  \
                    X(CreateKernel) X(ReleaseKernel) X(SetKernelArg) X(EnqueueNDRangeKernel) X(Finish)                 \
                        X(GetEventProfilingInfo) X(ReleaseEvent) X(SetMemObjectDestructorCallback)

typedef struct lm_cl_api {
#define X(name) __typeof__(&cl##name) name;
    LM_CL_FUNCTIONS(X)
#undef X
} lm_cl_api;

/* Opened once per process and never closed. LM_DEVICE where there is no loader. */
lm_status lm_cl_load(const lm_cl_api **out);

/* Was the loader, and with it perhaps a driver, opened in this process? */
bool lm_cl_is_open(void);

/* "CL_OUT_OF_RESOURCES" for -5. */
const char *lm_cl_error(cl_int code);

/* LM_OK, or a failure that names the step; running out of memory is LM_MEMORY. */
lm_status lm_cl_status(cl_int code, const char *step);

#endif
