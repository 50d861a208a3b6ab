/* The OpenCL device from the inside: what its files share. */
#ifndef LM_CL_OPENCL_H
#define LM_CL_OPENCL_H

#include <pthread.h>

#include "backends/opencl/loader.h"
#include "core/base/map.h"
#include "core/base/vec.h"
#include "core/device/backend.h"

/* An open device. `lock` guards programs and the queue: a launch sets arguments and enqueues under it. */
typedef struct lm_cl {
    lm_device dev;
    const lm_cl_api *api;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    pthread_mutex_t lock;
    lm_map programs;   /* by source file and options */
    cl_mem flag;       /* what kernels found wrong with the data: LM_CL_FLAG words, see launch.c */
    bool flagged;      /* a kernel that may raise the flag was launched since it was last read */
    bool panels;       /* CPU-type: vectors and packed panels; otherwise local memory */
    int lanes;         /* floats in a vector register of a CPU-type device, 1 elsewhere */
    size_t group;      /* work-items per group for kernels without local memory */
    char key[256];     /* device, driver, platform: what binaries belong to */
    char options[128]; /* of every build */
    char *cache;       /* folder of compiled programs; NULL: none */
} lm_cl;

/* Operands of a pass: an argument of the call, or one of these. */
enum { LM_CL_SCRATCH = -1, LM_CL_OWN = -2 };
enum { LM_CL_MEMS = 8, LM_CL_FLAG = 4 };

/* One launch of one OpenCL kernel. Its arguments: the parameters by value; for each of mem[] a pointer and an offset in
 * bytes (ulong); last, if it `checks` data, the flag. */
typedef struct lm_cl_pass {
    cl_kernel kernel;
    cl_uint rank;
    size_t global[3], local[3]; /* local[0] = 0: as the device likes */
    bool checks;
    int nmem;
    struct {
        int operand;
        size_t off; /* bytes, added to where the argument lies */
    } mem[LM_CL_MEMS];
} lm_cl_pass;

/* A bound call: passes one after the other. */
typedef struct lm_cl_kernel {
    lm_kernel base;
    lm_cl *cl;
    int nargs;
    LM_VEC(lm_cl_pass) passes;
    cl_mem own; /* constants of the kernel itself, NULL: none */
    char name[96];
} lm_cl_kernel;

/* Where an operand of a pass lies: an argument of the call or scratch, and bytes from there. */
typedef struct lm_cl_place {
    int operand;
    size_t off;
} lm_cl_place;

/* memory.c: the functions of the device interface. */
lm_status lm_cl_alloc(lm_device *dev, size_t bytes, lm_buffer **out);
void lm_cl_release(lm_device *dev, lm_buffer *buffer);
lm_status lm_cl_copy(lm_device *dev, lm_buffer *to, size_t to_off, lm_buffer *from, size_t from_off, size_t bytes);
lm_status lm_cl_map(lm_device *dev, lm_buffer *buffer);

/* program.c: the program made of kernels/common.cl, the files that `source` lists (blank-separated) and `options`,
 * built once per process and kept on disk. Borrowed. Call under the device's lock. */
lm_status lm_cl_program(lm_cl *cl, const char *source, const char *options, cl_program *out);
void lm_cl_programs_free(lm_cl *cl);

/* launch.c */
lm_status lm_cl_kernel_new(lm_cl *cl, const lm_call *call, const char *what, lm_cl_kernel **out);

/* What programs name that compute elementwise functions. */
#define LM_CL_FORMULAS "vmath.h vmath_trig.h formulas.cl formulas.h formulas_dx.h "

/* Add a pass; `params` are copied. The caller then names its operands and its size, before it adds another one. */
lm_status lm_cl_pass_add(lm_cl_kernel *k, const char *source, const char *options, const char *function,
                         const void *params, size_t bytes, lm_cl_pass **out);
void lm_cl_pass_operand(lm_cl_pass *p, int operand, size_t off);

/* A grid of at least n work-items in groups of `group` (0: the device's own). Kernels return where the number is past
 * the end, which their parameters say. */
void lm_cl_pass_line(const lm_cl_kernel *k, lm_cl_pass *p, int64_t n, size_t group);

/* Room in the workspace. */
lm_status lm_cl_scratch(lm_cl_kernel *k, int64_t count, size_t size, size_t *off);

lm_status lm_cl_launch(lm_device *dev, const lm_kernel *kernel, const lm_arg *arg, lm_buffer *workspace);
lm_status lm_cl_sync(lm_device *dev);

/* Run passes now, outside any plan (deriving constants). Call without the lock; blocks. */
lm_status lm_cl_run_now(lm_cl_kernel *k, const lm_arg *arg, lm_buffer *workspace);

/* probe.c: what there is, from the cached answer or by asking a child process. */
typedef struct lm_cl_found {
    lm_devinfo info;
    int platform, device;
} lm_cl_found;
enum { LM_CL_DEVICES = 32 };
lm_status lm_cl_probe(lm_cl_found *out, int cap, int *n);
void lm_cl_probe_forget(void); /* the cached answer is not true any more */

/* exact.c: does the device round as the cpu device does? Builds and runs a small program. */
bool lm_cl_exact_device(const lm_cl_api *api, cl_platform_id platform, cl_device_id id);

/* bind.c: one row per op; NULL there sends the call to the host. */
typedef lm_status (*lm_cl_bind_fn)(lm_cl *cl, const lm_call *call, lm_kernel **out);
lm_cl_bind_fn lm_cl_binder(lm_opid op);

/* product.c */
lm_status lm_cl_derive(lm_device *dev, const lm_view *constant, const lm_want *want, lm_buffer **out);

#endif
