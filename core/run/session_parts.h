/* The inside of a session, shared by session.c, session_batch.c and session_split.c. */
#ifndef LM_RUN_SESSION_PARTS_H
#define LM_RUN_SESSION_PARTS_H

#include "core/run/session.h"
#include "core/run/split.h"

/* A plan and the graph it was made from, to which the session holds a claim. */
typedef struct session_plan {
    const lm_ready *ready;
    lm_plan *plan;
    bool once;       /* the session's first plan, made for a single run */
    bool loop;       /* for one sample: batches of it must run one by one */
    uint64_t proven; /* for a batch: bit i: output i is known to be what single runs give */
    uint64_t clock; /* of its last use; 0: free */
} session_plan;

enum { SESSION_PLANS = 8 };

struct lm_session {
    lm_model *m;
    const lm_chain *chain;
    lm_shared *shared;
    bool own_shared, plain, one_only;
    session_plan plans[SESSION_PLANS];
    session_plan *last;
    lm_session *beside; /* the same on the next device that shares samples; NULL: none */
    lm_shares shares;
    const lm_ready *built; /* what lm_session_built handed out last, or NULL */
    uint64_t clock;
};

/* What is wanted: all values by number in the graph's outputs. Names are borrowed from the caller. */
typedef struct session_fetch {
    int n;
    int *output;        /* by wanted value: which output of the graph */
    const char **inner; /* names of further outputs */
    int n_inner;
} session_fetch;

/* session.c: the plan for these feeds, one per port; it stays valid while two more are asked for. `options` of the run
 * that it is for. */
lm_status lm_session_get(lm_session *s, const lm_feed *feed, const session_fetch *fetch,
                         const lm_plan_run_options *options, session_plan **out);

/* Run it; y gets fresh views. */
lm_status lm_session_run_plan(lm_session *s, session_plan *p, const lm_feed *feed, const session_fetch *fetch,
                              lm_view *y, const lm_plan_run_options *options);

/* session_batch.c: `count` samples from number i on as feeds of their own. */
void lm_session_pick(const lm_session *s, const lm_feed *feed, const bool *many, int64_t i, int64_t count,
                     lm_feed *one);

/* session_split.c: run n samples on all devices of the session's chain. */
lm_status lm_session_run_split(lm_session *s, const lm_feed *feed, const bool *many, int64_t n,
                               const session_fetch *fetch, lm_view *y, const lm_plan_run_options *options);

/* session_batch.c: run n samples where the model says 1; bit i of `many`: port i holds n. */
lm_status lm_session_run_batch(lm_session *s, const lm_feed *feed, const bool *many, int64_t n,
                               const session_fetch *fetch, lm_view *y, const lm_plan_run_options *options);

#endif
