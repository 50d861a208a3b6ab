/* THE ONLY DEVICE INTERFACE. Everything above it is written once; everything below it is a folder under backends/, or a
 * shared object named in LIMN_PLUGINS that exports `lm_backend_entry`.
 *
 * The life of a call: the planner describes one op with shapes, strides and constants (lm_call) and asks a device to
 * `bind` it. The device either refuses (LM_UNSUPPORTED: the call then runs on the host, is counted and reported) or
 * answers with a kernel, which knows everything but the addresses. The kernel may ask for constants in a form of its
 * own
 * (`want`), made once by `derive` and cached. `launch` then gets addresses, as often as wanted, from any thread.
 *
 * Unless a comment says otherwise a function may be called from any thread and may not be NULL. */
#ifndef LM_DEVICE_BACKEND_H
#define LM_DEVICE_BACKEND_H

#include "core/base/kv.h"
#include "core/base/topo.h"
#include "core/ops/op.h"
#include "core/tensor/tensor.h"

/* Raised when anything in the headers this file includes changes its meaning or layout. */
#define LM_BACKEND_ABI 5u

typedef struct lm_device lm_device;
typedef struct lm_kernel lm_kernel;

typedef enum lm_device_kind { LM_KIND_CPU, LM_KIND_GPU, LM_KIND_ACCELERATOR, LM_KIND_REFERENCE } lm_device_kind;

/* One device as `limn devices` shows it. Text is UTF-8, cut to fit. */
typedef struct lm_devinfo {
    char name[64];     /* as LIMN_BACKEND takes it: "cpu", "opencl:0.1" */
    char vendor[64];
    char product[96];
    char driver[64];
    char levels[64];   /* instruction levels, best last, blank-separated: "scalar avx2 avx512" */
    char locality[64]; /* where it sits: "package 0", "numa 1, pci 0000:3b:00.0" */
    lm_device_kind kind;
    int units;         /* cores or compute units */
    uint64_t memory;   /* bytes */
    bool exact;        /* same bits as the cpu device */
    bool eligible;     /* `auto` may choose it */
} lm_devinfo;

/* What follows the sum of a product op on the hot tile, in this order: bias (the op's own last input, per output
 * channel), residual, activation, slope. Residual and slope take one more input each after the op's own, in this order,
 * of y's type and shape. */
typedef struct lm_epilogue {
    bool residual;
    bool active;         /* an activation follows */
    lm_opid act;         /* any one-operand elementwise op */
    lm_attr_act attr;    /* its parameters */
    bool sloped;         /* the sum is a signal on its way back through an activation: its ACT_DX follows */
    lm_attr_actdx slope; /* the attributes of that; its second operand is the input */
} lm_epilogue;

/* Inputs after the op's own. `ep` may be NULL. */
static inline int lm_epilogue_inputs(const lm_epilogue *ep)
{
    return ep ? ep->residual + ep->sloped : 0;
}

/* One op to be bound. Views carry type, shape and strides; their buffers are NULL except those of constants, which hold
 * readable host memory that outlives the kernel, at any address (lm_view_is_aligned). */
typedef struct lm_call {
    lm_opid op;
    const lm_attrs *a;
    const lm_epilogue *ep; /* NULL: none */
    int nx, ny;
    const lm_view *x, *y;
    uint64_t constant; /* bit i: x[i] is a constant (inputs from 64 on never are) */
} lm_call;

/* A constant in a device's own form: first the transform, then the packing that only the device understands. Equal
 * bytes mean equal results, so it is a cache key; clear it before filling it. */
typedef enum lm_transform { LM_TF_ID, LM_TF_POS, LM_TF_NEG, LM_TF_GAMMA, LM_TF_SQUARE, LM_TF_ONE } lm_transform;
typedef struct lm_want {
    int32_t input; /* which x; -1: entry unused */
    lm_transform transform;
    float gamma; /* LM_TF_GAMMA: w + gamma * max(w, 0) */
    uint32_t pack;
    int64_t p[8]; /* the packing's parameters */
} lm_want;

enum { LM_WANTS = 2 };

/* A bound call. Devices embed it first in a struct of their own. Immutable after bind, shared by threads and
 * sessions. */
struct lm_kernel {
    const char *name;     /* "cpu.avx512.conv_f32_14x32+relu"; owned by the kernel */
    double flops, bytes;  /* work and least traffic of one launch, for profiles */
    size_t workspace;     /* bytes of scratch a launch needs, aligned to LM_ALIGN; contents need not survive */
    lm_want want[LM_WANTS];
    int nwant;
    uint64_t loose; /* bit i: x[i] may lie at any address; other operands are aligned to their type */
    void (*free)(lm_kernel *);
};

/* Where one operand lies for one launch. Inputs that the kernel `want`ed carry the derived buffer instead. */
typedef struct lm_arg {
    lm_buffer *buf; /* NULL: absent optional input */
    size_t off;     /* bytes */
} lm_arg;

static inline void *lm_arg_host(const lm_arg *a)
{
    return a->buf ? (char *)a->buf->host + a->off : NULL;
}

/* The functions of a device. */
typedef struct lm_device_vt {
    /* Finish all work and free the device. Buffers and kernels are gone by then. */
    void (*close)(lm_device *);

    /* A buffer of the device with one reference; contents undefined. LM_MEMORY when it does not fit. */
    lm_status (*alloc)(lm_device *, size_t bytes, lm_buffer **out);

    /* Called when the last reference to a buffer of `alloc` or `derive` goes; may be called while other work runs. */
    void (*release)(lm_device *, lm_buffer *);

    /* Copy bytes; either side may be host memory (buffer without a device). Blocks until both may be reused. */
    lm_status (*copy)(lm_device *, lm_buffer *to, size_t to_off, lm_buffer *from, size_t from_off, size_t bytes);

    /* Optional (NULL: every buffer has `host`). Let the CPU read and write a buffer where it is and set its `host`,
     * which holds until the buffer is an operand of `launch` or `copy` again. LM_NO: copying is better. May block. */
    lm_status (*map)(lm_device *, lm_buffer *);

    /* Choose a kernel. LM_UNSUPPORTED sends the call to the host. Never blocks on the device, allocates little. */
    lm_status (*bind)(lm_device *, const lm_call *, lm_kernel **out);

    /* Make the form of a constant, which may lie at any address, that a kernel of this device asked for; one reference.
     * May block. */
    lm_status (*derive)(lm_device *, const lm_view *constant, const lm_want *, lm_buffer **out);

    /* Run: arg[0..nx) then arg[nx..nx+ny); workspace as the kernel asked, or NULL. May return before the work is done;
     * errors found later come out of `sync`. Launches from one thread run in order; launches from several threads may
     * queue. Bad values in data (an index out of range, unless the op gives it a meaning as OneHot does) are LM_INPUT
     * with a message, never a trap. */
    lm_status (*launch)(lm_device *, const lm_kernel *, const lm_arg *arg, lm_buffer *workspace);

    /* Block until everything launched is done. */
    lm_status (*sync)(lm_device *);

    /* Optional. Seconds the last launch of this thread took on the device, after sync. LM_NO: not known, as at the
     * first call, from which on launches are timed. */
    lm_status (*timing)(lm_device *, double *seconds);

    /* Optional. Time what `bind` may choose between and keep what won, for this device from now on and for every one
     * that is opened later. Results stay the same. Takes seconds; nothing else may use the device. */
    lm_status (*tune)(lm_device *);
} lm_device_vt;

/* An open device. Devices embed it first. */
struct lm_device {
    const lm_device_vt *vt;
    lm_devinfo info;
    lm_dtype compute; /* LM_F64: plans for this device hold doubles wherever the model says float32; otherwise LM_F32 */
};

/* What a plug-in, which links nothing of Limn, may use; it may keep the address, the table lives as long as the
 * process. Built-in devices call the same functions directly. */
typedef struct lm_host {
    uint32_t abi;
    const lm_topo *topo;
    void *(*malloc)(size_t count, size_t size);
    void (*free)(void *);
    lm_status (*fail)(lm_status, const char *format, ...);
    void (*log)(int level, const char *format, ...);
} lm_host;

/* A family of devices. `probe` lists at most `cap` of them into `out` and sets *n; no device at all is n = 0 and LM_OK,
 * with a message where something is wrong with the drivers.
 * `open` opens the index-th of that list; `opts` are the `key=value` pairs of its word in LIMN_BACKEND, borrowed
 * for the call. `check` says beforehand whether `open` would understand them: it is asked about every word of a list
 * before anything opens, looks at no device, and answers LM_USAGE naming the family and the keys or values that exist.
 * NULL: the family takes no options. */
typedef struct lm_backend {
    uint32_t abi;
    const char *name; /* first word of the devices' names */
    int priority;     /* `auto` prefers the highest among eligible devices */
    lm_status (*check)(const lm_host *, const lm_kv *opts);
    lm_status (*probe)(const lm_host *, lm_devinfo *out, int cap, int *n);
    lm_status (*open)(const lm_host *, int index, const lm_kv *opts, lm_device **out);
} lm_backend;

/* The one symbol of a plug-in. Return NULL when `abi` is not one it was built for. */
typedef const lm_backend *(*lm_backend_entry_fn)(uint32_t abi);

#endif
