/* The inside of a plan, shared by the files that make it, in this order, and plan_run.c, which walks it:
 *
 *   plan_items.c   the graph as a list of calls that devices take: composites expanded, epilogues split where need be
 *   plan_stage.c   which of them run at every run, and which last
 *   plan_fuse.c    elementwise calls that the first device takes as one
 *   plan_layout.c  which orders of axes and which strides kernels like
 *   plan_place.c   each value's strides, and which values lie in one another's memory
 *   plan_bind.c    kernels, moves between devices, derived constants: the steps
 *   plan_memory.c  addresses */
#ifndef LM_RUN_PLAN_PARTS_H
#define LM_RUN_PLAN_PARTS_H

#include "core/graph/emit.h"
#include "core/run/plan.h"
#include "core/run/plan_copy.h"

/* A call to be bound; its operands and results are values of the plan's own graph. */
typedef struct plan_item {
    lm_opid op;
    const lm_attrs *a;
    const lm_epilogue *ep;
    int nx, ny;
    const lm_val *x, *y;
    const char *name; /* of the node in the model, or of the composite it came from; NULL: it has none */
    bool silent;      /* its results are there without any work */
} plan_item;

/* What is known about a value of the plan's graph. */
typedef struct plan_value {
    lm_view view;     /* as the devices see it: their type, strides; `off` in bytes from the start of its cell */
    int cell;         /* -1: a constant or nothing */
    bool constant;    /* then the view has a buffer, to which it holds a reference */
    lm_val same_as;   /* the value that an expansion made for it; LM_NOVAL: itself */
    bool moves;             /* it hangs on an input that is not still */
    bool late;              /* it hangs on a late input */
    int made;               /* the item that makes it */
    lm_buffer *copy[LM_CHAIN_MAX]; /* of a constant, by space; NULL: none, or the view's own buffer will do */
} plan_value;

/* Memory that one value or several overlapping ones need, whichever device it is on. */
typedef struct plan_cell {
    size_t bytes;
    int last;               /* the last item that reads or writes it; INT_MAX: it is wanted after the run */
    int slot[LM_CHAIN_MAX]; /* by space; -1: not there */
    int input;              /* which input of the graph fills it; -1: items do */
    bool parts;             /* several items write to it */
    bool held;              /* its content outlasts the run */
} plan_cell;

/* A cell's bytes in one space. Two cells share a slot when the second is made in the place of the first. */
typedef struct plan_slot {
    int space;
    size_t bytes;
    int first, last; /* steps between which the content matters; -1: from before the first */
    lm_buffer *buf;  /* borrowed */
    size_t off;
} plan_slot;

/* Where an operand of a step will be, before addresses are known: in a slot, or (slot -1) at a fixed place. */
typedef struct plan_operand {
    int slot;
    lm_arg at;
} plan_operand;

/* A launch, or (kernel NULL) the move of a slot's bytes to another space. */
typedef struct plan_step {
    lm_device *device;
    lm_kernel *kernel;
    lm_arg *arg;
    lm_buffer *scratch;
    const plan_item *item;
    plan_operand *operand; /* as many as args */
    int from, to;          /* slots of a move */
    lm_buffer *stage;      /* host memory that a move between two devices goes through; NULL: one of them is the host */
    int dev;
    bool still;            /* only needed when a still input changed */
    int row;               /* in the profile */
} plan_step;

/* An input and the slot that it is copied to before the steps. */
typedef struct plan_entry {
    int input, slot;
    lm_val value;
    lm_buffer *kept; /* of a still input: what it was in the last run, row-major */
} plan_entry;

struct lm_plan {
    lm_chain chain;
    lm_derived_cache *cache;
    const lm_graph *model; /* the caller's */
    bool plain, once; /* plan.h */
    lm_graph *graph; /* the plan's own: a copy of what reaches the outputs, and what expansions add */
    lm_arena arena;
    lm_val *input, *output; /* values of `graph` by the model's inputs and outputs; unused inputs are LM_NOVAL */
    int space[LM_CHAIN_MAX]; /* by device: the first one with the same memory */
    bool host[LM_CHAIN_MAX]; /* by space: plain host memory */
    bool one_space;          /* all devices share one */
    LM_VEC(plan_item) items;
    LM_VEC(plan_value) values; /* by lm_val */
    LM_VEC(plan_cell) cells;
    LM_VEC(plan_slot) slots;
    LM_VEC(plan_step) steps;
    LM_VEC(plan_entry) entries;
    LM_VEC(const lm_derived *) derived;
    size_t scratch_bytes[LM_CHAIN_MAX]; /* by device */
    lm_buffer *scratch[LM_CHAIN_MAX];
    size_t room_bytes[LM_CHAIN_MAX]; /* by space */
    lm_buffer *room[LM_CHAIN_MAX];
    bool used[LM_CHAIN_MAX]; /* by device */
    bool any_still, warm; /* warm: what hangs on still inputs is there */
    int first_late;       /* item; INT_MAX: none */
    size_t split;         /* the first step that hangs on a late input */
    lm_plan_facts facts;
    lm_profile *profile; /* whose rows the steps know */
};

/* plan_items.c */
lm_status lm_plan_items(lm_plan *p);

/* plan_stage.c: which values move and which are late; after places, cells whose content stays; and whether the still
 * inputs are what they were. */
lm_status lm_plan_stages(lm_plan *p, const lm_plan_options *o);
void lm_plan_hold(lm_plan *p);
lm_status lm_plan_unchanged(lm_plan *p, const lm_view *feed, bool *out);

/* plan_fuse.c: after stages, which then count anew. */
lm_status lm_plan_fuse(lm_plan *p);

/* "Conv conv1" of an item, for messages. */
lm_status lm_plan_at(lm_status status, const plan_item *it);

/* The value that stands for v once composites are expanded. */
static inline lm_val lm_plan_resolve(const lm_plan *p, lm_val v)
{
    while (p->values.at[v].same_as != LM_NOVAL)
        v = p->values.at[v].same_as;
    return v;
}

/* An item as a call; `view` has room for all operands and results. The attributes may come from `arena`. */
lm_status lm_plan_call(lm_plan *p, const plan_item *it, lm_view *view, lm_call *call);

/* Who makes and who uses each value. */
typedef struct plan_uses {
    int *first;              /* by value: its users are item[first[v]] up to item[first[v + 1] - 1], one per operand */
    const plan_item **item;
    const plan_item **maker; /* by value; NULL: an input or a constant */
    bool *wanted;            /* by value: it is an output */
} plan_uses;

/* plan_layout.c */
lm_status lm_plan_uses(lm_plan *p, plan_uses *out);

/* Give images that windows move over, and what lies between them, the strides of channels-last. */
void lm_plan_layout(lm_plan *p, const plan_uses *uses);

/* Can the result of `it` be read in the memory of its operand, and is that better than a copy? */
bool lm_plan_view(const lm_plan *p, const plan_uses *uses, const plan_item *it, lm_view *out);

/* May x be made where the Concat along `axis` with result y wants it? */
bool lm_plan_takes_gaps(const lm_plan *p, const plan_uses *uses, lm_val x, lm_val y, int axis);

/* plan_place.c */
lm_status lm_plan_places(lm_plan *p);

/* plan_bind.c */
lm_status lm_plan_bind(lm_plan *p);

/* plan_memory.c */
lm_status lm_plan_memory(lm_plan *p);

#endif
