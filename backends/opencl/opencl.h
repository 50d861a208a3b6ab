/* The OpenCL device from the inside: what its files share. */
#ifndef LM_CL_OPENCL_H
#define LM_CL_OPENCL_H

#include <pthread.h>
#include <stdatomic.h>

#include "backends/opencl/loader.h"
#include "core/base/map.h"
#include "core/base/vec.h"
#include "core/device/backend.h"

/* A device as the probe saw it. */
typedef struct lm_cl_found {
    lm_devinfo info;
    int platform, device;
    char near[48]; /* processors next to it, "0-7,16-23"; "": all of them */
} lm_cl_found;

/* The last launch, where launches are timed. */
enum { LM_CL_EVENTS = 16 };
typedef struct lm_cl_timed {
    pthread_t thread;
    cl_event event[LM_CL_EVENTS]; /* of its passes */
    int n;                        /* more than fit: its time is not known */
} lm_cl_timed;

/* Tiles of products, see tune.c; one choice for each class of shapes. */
enum { LM_CL_CLASSES = 16 };
typedef struct lm_cl_choice {
    int rows, down, across;
} lm_cl_choice;

/* What kernels found wrong with the data of a thread that launched them: LM_CL_FLAG words, see launch.c. */
typedef struct lm_cl_flag {
    pthread_t thread;
    cl_mem words;
    bool raised; /* perhaps: a kernel that may was launched since they were last read */
} lm_cl_flag;

/* An open device. `lock` guards programs, flags and what is timed: a launch sets arguments and enqueues under it.
 * Who uses the queue without `lock` reads under `steady`; the queue changes once, where timing begins. */
typedef struct lm_cl {
    lm_device dev;
    const lm_cl_api *api;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    bool timing; /* launches are timed */
    lm_cl_timed timed;
    pthread_mutex_t lock;
    pthread_rwlock_t steady; /* taken after `lock` where both are */
    lm_map programs;   /* by source file and options */
    LM_VEC(lm_cl_flag) flags;
    bool panels;       /* CPU-type: vectors and packed panels; otherwise local memory */
    bool unified;      /* host and device share one memory */
    atomic_size_t held; /* bytes of buffers */
    int lanes;         /* floats in a vector register of a CPU-type device, 1 elsewhere */
    size_t group;      /* work-items per group for kernels without local memory */
    char key[256];     /* device, driver, platform: what binaries belong to */
    char options[128]; /* of every build */
    bool cached;       /* there is a folder that keeps what the helper compiles */
    lm_cl_choice choice[LM_CL_CLASSES];
    lm_cl_found found; /* what it was opened as */
    lm_cpuset near;    /* processors next to it, where `bound` */
    bool bound;
    bool grumbled;     /* a program that it does not compile was told of */
} lm_cl;

/* Operands of a pass: an argument of the call, or one of these. */
enum { LM_CL_SCRATCH = -1, LM_CL_OWN = -2 };
enum { LM_CL_MEMS = 8, LM_CL_FLAG = 4 };

/* One launch of one OpenCL kernel. Its arguments: the parameters by value; for each of mem[] a pointer and an offset in
 * bytes (ulong); last, if it `checks` data, the thread's flag. */
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

/* A constant of `bytes` without gaps where the device can read it, for now: in place if it can, a copy otherwise.
 * `off`: where it begins in the buffer. */
lm_status lm_cl_borrow(lm_device *dev, const lm_view *constant, size_t bytes, lm_buffer **out, size_t *off);
void lm_cl_unmap(lm_cl *cl, lm_buffer *buffer); /* before the device uses it again; under `lock` or `steady` */

/* program.c: the program made of kernels/common.cl, the files that `source` lists (blank-separated) and `options`,
 * built once per process and kept on disk. Borrowed. Call under the device's lock. */
lm_status lm_cl_program(lm_cl *cl, const char *source, const char *options, cl_program *out);
void lm_cl_programs_free(lm_cl *cl);

/* launch.c */
lm_status lm_cl_kernel_new(lm_cl *cl, const lm_call *call, const char *what, lm_cl_kernel **out);

/* Does the device compute in double? */
bool lm_cl_has_doubles(const lm_cl *cl);

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
cl_int lm_cl_wait(lm_cl *cl); /* until nothing is queued */
lm_status lm_cl_sync(lm_device *dev);
lm_status lm_cl_timing(lm_device *dev, double *seconds);
void lm_cl_timing_end(lm_cl *cl);
void lm_cl_flags_free(lm_cl *cl);

/* Run passes now, outside any plan (deriving constants). Call without the lock; blocks. */
lm_status lm_cl_run_now(lm_cl_kernel *k, const lm_arg *arg, lm_buffer *workspace);

/* probe.c: from the cached answer or by asking the helper. Where there is none, the message says why if something is
 * wrong. */
enum { LM_CL_DEVICES = 32 };
lm_status lm_cl_probe(lm_cl_found *out, int cap, int *n);
/* What the answer holds for: the files that name drivers, the drivers, and what they hide. *any: there may be some;
 * none is opened. */
lm_status lm_cl_fingerprint(uint64_t *key, bool *any);
void lm_cl_probe_forget(void); /* the cached answer is not true any more */

/* locality.c: where a device sits, for the probe; its PCI address, "" where it tells of none. */
enum { LM_CL_PCI = 16 };
void lm_cl_pci_address(const lm_cl_api *api, cl_device_id id, char out[LM_CL_PCI]);
void lm_cl_locate(const lm_topo *topo, const char *pci, lm_cl_found *f);

/* The processors of `own` that are near; false when that is none or all of them. */
bool lm_cl_near(const lm_cpuset *near, const lm_cpuset *own, lm_cpuset *out);

/* Tie this thread, and the threads that a driver starts meanwhile, to processors near the device; true: until unbound.
 * A thread that feeds the device only comes near, and keeps its own mask. */
bool lm_cl_bind_near(const lm_cl *cl, lm_cpuset *own);
void lm_cl_unbind(const lm_cpuset *own);
void lm_cl_come_near(const lm_cl *cl);

/* opencl.c: open one of them, for `family` panels or tiles. */
lm_status lm_cl_open(const lm_cl_found *found, bool panels, lm_cl **out);

/* exact.c: does the device round as the cpu device does? Builds and runs a small program. */
bool lm_cl_exact_device(const lm_cl_api *api, cl_platform_id platform, cl_device_id id);

/* bind.c: one row per op; NULL there sends the call to the host. */
typedef lm_status (*lm_cl_bind_fn)(lm_cl *cl, const lm_call *call, lm_kernel **out);
lm_cl_bind_fn lm_cl_binder(lm_opid op);

/* tune.c: fill `choice` with what the cache folder holds or the defaults; put it there; measure, then put it there. */
void lm_cl_choose(lm_cl *cl);
lm_status lm_cl_keep(const lm_cl *cl);
lm_status lm_cl_tune(lm_device *dev);

/* product.c */
lm_status lm_cl_derive(lm_device *dev, const lm_view *constant, const lm_want *want, lm_buffer **out);

#endif
