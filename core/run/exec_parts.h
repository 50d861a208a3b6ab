/* The inside of an lm_exec: where values lie, and the steps that fill them. Shared by exec_open.c, which makes it, and
 * exec.c, which runs it. */
#ifndef LM_RUN_EXEC_PARTS_H
#define LM_RUN_EXEC_PARTS_H

#include "core/device/derived.h"
#include "core/graph/graph.h"
#include "core/run/exec.h"
#include "core/run/profile.h"

/* A value's bytes on one device. The buffer holds the whole span from the lowest to the highest element of the view,
 * gaps included, from byte `start` on, which keeps the host address's place within LM_ALIGN. */
typedef struct exec_slot {
    lm_view view; /* its buffer is owned */
    int dev;
    size_t start, bytes;
} exec_slot;

/* What is known about a graph value. */
typedef struct exec_place {
    lm_view view;           /* type as the devices see it, strides and offset; no buffer */
    int slot[LM_CHAIN_MAX]; /* by device; -1: not there */
    int home;               /* device whose step makes it; -1: it comes from the host */
    lm_val same_as;         /* the value that an expansion made for it; LM_NOVAL: itself */
    lm_view constant;       /* content in the devices' type; its buffer is owned, NULL when not a constant */
} exec_place;

/* A launch (kernel set) or the move of a value between two devices by way of the host. */
typedef struct exec_step {
    int dev;
    lm_kernel *kernel;
    lm_arg *arg;
    const char *name; /* the op's */
    int from, to;     /* slots */
    lm_buffer *stage;
    bool direct; /* `stage` is the sender's own memory */
    int row;     /* in the profile */
} exec_step;

/* An input and the slot it is copied to before each run. */
typedef struct exec_entry {
    int input, slot;
} exec_entry;

struct lm_exec {
    lm_chain chain;
    lm_graph *graph;
    lm_derived_cache *cache;
    lm_opid op;
    int nx, ny;
    lm_view *x;  /* the caller's; a reference to each buffer is held */
    lm_val *xv;  /* LM_NOVAL for absent ones */
    lm_val *yv;
    LM_VEC(exec_place) places; /* by lm_val */
    LM_VEC(exec_slot) slots;
    LM_VEC(exec_step) steps;
    LM_VEC(exec_entry) entries;
    LM_VEC(const lm_derived *) derived;
    size_t scratch_bytes[LM_CHAIN_MAX];
    lm_buffer *scratch[LM_CHAIN_MAX];
    bool used[LM_CHAIN_MAX];
    int launches, fallbacks;
    char *name; /* of an expansion */
    lm_profile *profile;
};

/* Lowest and just-past-highest element of a view, in elements from its first one; false when it does not fit a size. */
bool lm_exec_span(const lm_view *v, int64_t *lo, int64_t *hi);

/* Copy a host view's span into a slot, converting when the device computes in another type. */
lm_status lm_exec_put(lm_exec *ex, const exec_slot *s, const lm_view *from);

/* The value that stands for v once composites are expanded. */
lm_val lm_exec_resolve(const lm_exec *ex, lm_val v);

#endif
