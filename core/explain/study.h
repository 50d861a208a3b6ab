/* A study: a model on its devices, kept open to be asked many questions. It answers one kind: a sweep, which runs the model
 * forward for a number of rows, sends signals back from its targets by any rule sets, and hands out what arrives.
 *
 * Every attribution method is made of sweeps. A sweep does not care how many rows fit into memory or run best at once:
 * rows are filled by the caller, run in batches, and absorbed by the caller one by one in their order, so sums over rows
 * have the same bits whatever the batches were.
 *
 * One thread at a time. Messages name the model, the node and what to do. */
#ifndef LM_EXPLAIN_STUDY_H
#define LM_EXPLAIN_STUDY_H

#include <stdatomic.h>

#include "core/model/layers.h"
#include "core/rules/sets.h"
#include "core/run/profile.h"
#include "core/run/shared.h"

typedef struct lm_study lm_study;

/* Model and chain are those of `shared`, which outlives the study; packed weights are shared with its sessions. */
lm_status lm_study_open(lm_shared *shared, const lm_chain *chain, lm_study **out);
void lm_study_close(lm_study *s); /* NULL is fine */

lm_model *lm_study_model(const lm_study *s);

/* What numbers on the device are: LM_F32, or LM_F64 where the device computes whole plans in double. All views below that
 * hold floats have this type; feeds may be LM_F32 in any case. */
lm_dtype lm_study_type(const lm_study *s);

/* A value of the model. Names belong to the study and are good until it is closed; equal sites have equal pointers. */
typedef struct lm_site {
    const char *name; /* as the model calls it (key of lm_built.values) */
    int port;         /* the input of the model that it is, or -1 */
} lm_site;

static inline bool lm_site_equal(lm_site a, lm_site b)
{
    return a.name == b.name;
}

/* Feeds here are those of one sample: one per port of the model, of the model's types, axis 0 of size 1 where samples lie
 * along it; content on the host. The build for them, borrowed until the next call with others. */
lm_status lm_study_built(lm_study *s, const lm_feed *feed, const lm_built **out);

lm_status lm_study_port(lm_study *s, int port, lm_site *out);
/* As lm_layers_find understands it; LM_USAGE lists the nearest. */
lm_status lm_study_layer(lm_study *s, const lm_feed *feed, const char *text, lm_site *out);
/* The float value that stands for an integer input: what is gathered with it from a constant table. *rows: of that table.
 * out->name is NULL where there is none. */
lm_status lm_study_embedding(lm_study *s, const lm_feed *feed, int port, lm_site *out, int64_t *rows);
/* Probabilities of attention, [1, heads, queries, keys] or alike, in order of execution. *list from lm_malloc. */
lm_status lm_study_attention(lm_study *s, const lm_feed *feed, lm_site **list, int *n);
/* The value behind the first layer when nothing but linear ops with constants (a convolution or matrix product, its bias,
 * a batch norm) stands between it and the port; name NULL: there is none. */
lm_status lm_study_stem(lm_study *s, const lm_feed *feed, int port, lm_site *out);
lm_status lm_study_site_type(lm_study *s, const lm_feed *feed, lm_site site, lm_type *out);

/* What a target is a linear function of: an output of the model, or what stands before a final Softmax, LogSoftmax or
 * Sigmoid (also through Reshape and the like). */
typedef struct lm_goal_at {
    int output;   /* of the model */
    bool after;   /* the output as it is */
    lm_site site; /* with a name: this inner value instead, and nothing behind it is run */
} lm_goal_at;

enum { LM_SPACE_RAW, LM_SPACE_LOGIT, LM_SPACE_PROBABILITY };

/* Type and shape of the goal for one sample, and what its numbers are. It has as many elements as the output. */
lm_status lm_study_goal(lm_study *s, const lm_feed *feed, lm_goal_at at, lm_type *out, int *space);

/* One walk back from the targets. */
typedef struct lm_walk {
    const lm_ruleset *set;
    lm_rule_options options;    /* low and high are set from the views below */
    const lm_view *low, *high;  /* bounds for the box rule, broadcast to the first site; NULL: none */
    bool relevance;             /* signals start as seed * goal instead of seed */
    bool trace;                 /* sums at every node are wanted */
    int nsite;
    const lm_site *site;        /* where signals are wanted */
    const lm_view *baseline;    /* by site: its value in the reference run [1, ...], for sets that have one */
} lm_walk;

/* Sums at one node for one target and row (lm_trace_row). */
typedef struct lm_trace_sum {
    const char *node, *op;
    double in, out, bias, stabiliser; /* of a share that was not split off: 0 */
} lm_trace_sum;

/* What came of one row. Views are dense, [1, ...], and borrowed for the call. */
typedef struct lm_swept {
    lm_view goal;
    const lm_view *value;   /* by sweep.value */
    const lm_view *tangent; /* by sweep.tangent */
    const lm_view *signal;  /* walk by walk, site by site, target by target: lm_swept_signal */
    const lm_trace_sum *const *trace; /* walk by walk, target by target */
    const int *ntrace;      /* by walk */
} lm_swept;

typedef struct lm_sweep {
    const lm_feed *feed; /* one sample */
    lm_goal_at goal;
    int targets;         /* may be 0: forward only */
    const lm_view *seed; /* [targets, goal's elements]: each target is the sum of seed times goal */
    /* Not NULL, for a single row: called when that has gone forward and before anything goes back, with its goal and
     * values; may write the seeds. So a target that hangs on the answer costs no run of its own. */
    lm_status (*aim)(void *own, const lm_swept *early);
    int ncut;
    const lm_site *cut;  /* values that `fill` gives for every row instead of the feed or the model */
    int nvalue;
    const lm_site *value; /* forward values wanted */
    int ntangent;
    const lm_site *tangent; /* derivatives of forward values along `direction` wanted */
    const lm_view *direction; /* by cut: [1, ...] */
    int nwalk;
    const lm_walk *walk;

    int64_t rows; /* 1 with fill NULL: the feed itself */
    /* Write row `row` into x[i], a dense view [1, ...], for every cut i. A pure function of the row. */
    lm_status (*fill)(void *own, int64_t row, const lm_view *x);
    lm_status (*absorb)(void *own, int64_t row, const lm_swept *r); /* rows in order */
    void *own;
    const atomic_bool *cancel; /* may be NULL */
    int64_t forwards, backwards; /* counted up by the rows that went through the model, and signals back through it */
} lm_sweep;

/* Signal at site `site` of walk `walk` for target `t`. */
static inline const lm_view *lm_swept_signal(const lm_sweep *w, const lm_swept *r, int walk, int site, int t)
{
    for (int i = 0; i < walk; i++)
        site += w->walk[i].nsite;
    return &r->signal[site * w->targets + t];
}

/* Graphs and plans made for a sweep are kept for the next one that differs in numbers only. Where the model does not
 * provably treat rows alone (rows of a batch give bit for bit what they give alone), they run one by one. */
lm_status lm_sweep_run(lm_study *s, lm_sweep *w);

/* An empty arena whose blocks the study keeps from one sample to the next; lm_study_cleared when the sample is done. */
lm_arena *lm_study_scratch(lm_study *s);
void lm_study_cleared(lm_study *s);

/* Add the time of every step of the sweeps from now on, on the chain's first device, to `profile`; NULL: no longer. */
void lm_study_time(lm_study *s, lm_profile *profile);

/* Rows of the sweeps so far by device, where the chain has several; *fixed: some were shared in fixed parts. */
const int64_t *lm_study_rows(const lm_study *s, bool *fixed);

/* Kernels of the sweeps so far that ran on another device than the chosen one: names, each once; borrowed. */
const char *const *lm_study_fallbacks(const lm_study *s, int *n);

#endif
