/* A sweep while it runs. */
#ifndef LM_EXPLAIN_SWEEP_H
#define LM_EXPLAIN_SWEEP_H

#include "core/explain/pass.h"
#include "core/run/split.h"

/* What goes into a batch and comes out of it, on the host: one view per item, the rows one after another, and for
 * signals the targets' rows one after another. */
typedef struct sweep_frame {
    lm_part part;  /* which rows; first: a part's address is its frame's */
    int64_t rows;  /* at most */
    lm_view *item; /* by number of the item */
    size_t bytes;
    lm_buffer *own; /* its memory, where that is not the study's */
    struct sweep_frame *next;
} sweep_frame;

/* Walks that share a graph: those whose rules want the model in the same form. */
typedef struct sweep_group {
    int nwalk, *walk;
    pass *one, *many;
    lm_buffer *trace; /* what comes out of trace outputs */
} sweep_group;

enum { SWEEP_GROUPS = STUDY_PASSES / 2 };

/* On one device: that of the study, or one beside it. */
typedef struct sweeping {
    lm_study *s;
    lm_sweep *w;
    int lanes;          /* devices that share the rows */
    int64_t rows;       /* that are likely to come here */
    lm_arena arena;
    lm_type *type; /* by item, of one row: the goal, values, tangents, signals, cuts */
    int value, tangent, signal, cut, items; /* numbers of the first ones */
    sweep_group group[SWEEP_GROUPS];
    int groups;
    bool alike; /* every form of the model is the same */
    int block, blocks;  /* targets at once, and how often */
    lm_view seed;       /* [blocks * block, elements of the goal] */
    sweep_frame batch, single;
    sweep_frame *frames; /* that rows are computed in: one, or more where rows wait for those of other devices */
    bool together;       /* the rows of a frame run at once */
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

/* sweep.c: passes and frames for rows that are about to come; lm_sweep_close in any case. */
lm_status lm_sweep_open(sweeping *x);
void lm_sweep_close(sweeping *x);

/* sweep.c: fill a row of a frame; compute the filled rows of its part; hand one to the caller. */
lm_status lm_sweep_fill(sweeping *x, sweep_frame *f, int64_t row, int64_t at);
lm_status lm_sweep_compute(sweeping *x, sweep_frame *f);
lm_status lm_sweep_absorb(sweeping *x, const sweep_frame *f, int64_t at, int64_t row);

/* sweep.c: run the one row of a frame; is what came of row i of a frame, bit for bit, what came of row k of another? */
lm_status lm_sweep_alone(sweeping *x, sweep_frame *f);
bool lm_sweep_same(const sweeping *x, const sweep_frame *f, int64_t i, const sweep_frame *g, int64_t k);

/* sweep.c: bytes that rows may take on each device. */
size_t lm_sweep_budget(const sweeping *x);

/* sweep_run.c: room for `rows` rows in *b, which grows as needed. */
lm_status lm_sweep_frame(sweeping *x, int64_t rows, lm_buffer **b, sweep_frame *out);

/* Run a group's pass for all targets on what lies in the frame. */
lm_status lm_sweep_pass(sweeping *x, int group, pass *p, sweep_frame *f);

/* A row of an item, for one target where it is a signal. */
lm_view lm_sweep_row(const sweeping *x, const sweep_frame *f, int item, int64_t row, int target);

#endif
