/* A sweep while it runs. */
#ifndef LM_EXPLAIN_SWEEP_H
#define LM_EXPLAIN_SWEEP_H

#include "core/explain/pass.h"

/* What goes into a batch and comes out of it, on the host: one view per item, the rows one after another, and for
 * signals the targets' rows one after another. */
typedef struct sweep_frame {
    int64_t rows;
    lm_view *item; /* by number of the item */
} sweep_frame;

/* Walks that share a graph: those whose rules want the model in the same form. */
typedef struct sweep_group {
    int nwalk, *walk;
    pass *one, *many;
    lm_buffer *trace; /* what comes out of trace outputs */
} sweep_group;

enum { SWEEP_GROUPS = STUDY_PASSES / 2 };

typedef struct sweeping {
    lm_study *s;
    lm_sweep *w;
    lm_arena arena;
    lm_type *type; /* by item, of one row: the goal, values, tangents, signals, cuts */
    int value, tangent, signal, cut, items; /* numbers of the first ones */
    sweep_group group[SWEEP_GROUPS];
    int groups;
    int block, blocks;  /* targets at once, and how often */
    lm_view seed;       /* [blocks * block, elements of the goal] */
    sweep_frame batch, single;
    lm_trace_sum **trace; /* by walk and target */
    int *ntrace;
    LM_VEC(lm_buffer *) temporary;
    lm_view *filled;    /* by cut: where a row is written */
    lm_swept out;       /* what a row leaves */
} sweeping;

static inline bool sweep_is_signal(const sweeping *x, int item)
{
    return item >= x->signal && item < x->cut;
}

/* sweep.c: the caller's seeds to where passes read them. */
lm_status lm_sweep_seeds(sweeping *x);

/* The pause of a pass (lm_plan_run_options): let the caller find out about targets. `own`: the sweeping. */
lm_status lm_sweep_aim(void *own);

/* sweep_run.c: room for `rows` rows. */
lm_status lm_sweep_frame(sweeping *x, int64_t rows, int room, sweep_frame *out);

/* Run a group's pass for all targets on what lies in the frame. */
lm_status lm_sweep_pass(sweeping *x, int group, pass *p, sweep_frame *f);

/* A row of an item, for one target where it is a signal. */
lm_view lm_sweep_row(const sweeping *x, const sweep_frame *f, int item, int64_t row, int target);

#endif
