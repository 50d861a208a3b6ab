/* A session: one user's runs of a model. It builds and plans for the shapes that are fed, keeps the last few plans, and
 * shares the model and its packed weights with other sessions. One thread at a time. */
#ifndef LM_RUN_SESSION_H
#define LM_RUN_SESSION_H

#include "core/run/plan.h"
#include "core/run/shared.h"

typedef struct lm_session lm_session;

typedef struct lm_session_options {
    lm_shared *shared; /* of the same model, to have graphs and packed weights in common; NULL: the session's own */
    bool plain;        /* no lowering (also LIMN_PLAN=plain) */
    bool one_only;     /* refuse batches that the model does not take, instead of re-batching or looping */
} lm_session_options;

/* `m`, `chain` and options->shared outlive the session. */
lm_status lm_session_open(lm_model *m, const lm_chain *chain, const lm_session_options *options, lm_session **out);
void lm_session_close(lm_session *s); /* NULL is fine */

/* Give up what was learned about shapes, and the memory that it takes: the next run plans anew. */
void lm_session_forget(lm_session *s);

typedef struct lm_named {
    const char *name; /* of an input */
    lm_view view;     /* host */
} lm_named;

/* Feed by name, fetch by name: y[i] gets a fresh row-major host view (lm_buffer_unref its buf) of the value called
 * fetch[i]: an output, or any inner value by its ONNX name; fetch NULL: all outputs in order, ny of them. A feed whose
 * axis 0 is N where the model says 1 runs as a batch if that is provably the same, otherwise sample by sample,
 * results joined along axis 0. Where the chain joins several devices, they share the samples. Wrong feeds say
 * what was expected. On failure y is left alone; the session stays usable. */
lm_status lm_session_run(lm_session *s, const lm_named *feed, int nfeed, const char *const *fetch, int ny, lm_view *y,
                         const lm_plan_run_options *options);

/* Samples of the runs so far by device, where the chain has several; *fixed: some were shared in fixed parts. */
const int64_t *lm_session_rows(const lm_session *s, bool *fixed);

/* The graph built for these feeds, before lowering, and the plan of the last run; borrowed until the next run. A feed
 * without a buffer is enough as long as no content decides anything. */
lm_status lm_session_built(lm_session *s, const lm_named *feed, int nfeed, const lm_built **out);
const lm_plan *lm_session_plan(const lm_session *s); /* NULL before the first run */

#endif
