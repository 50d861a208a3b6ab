/* A plan: a graph whose nodes are bound to kernels and whose values have addresses. Running it is a walk over a flat
 * array of launches; nothing is allocated, inferred or decided any more.
 *
 * Made from a graph that the passes have lowered (graph/passes.h) or from any other. The plan chooses where each node
 * runs (the chain's first device that takes it; composites that nobody takes whole are expanded), in what order values
 * lie in memory (row-major or channels-last, whole regions at a time), which values share memory (by their lifetimes;
 * views such as Reshape and Slice cost nothing where strides allow it), and which constants kernels want packed (the
 * derived cache, shared with other plans of the same model). */
#ifndef LM_RUN_PLAN_H
#define LM_RUN_PLAN_H

#include <stdatomic.h>

#include "core/device/chain.h"
#include "core/device/derived.h"
#include "core/graph/graph.h"
#include "core/run/profile.h"

typedef struct lm_plan lm_plan;

typedef struct lm_plan_options {
    bool plain; /* row-major everywhere, no shared memory, no views: the slow path that all others are compared with */
    const bool *still; /* by input, NULL: none. Its content seldom changes: what hangs on such inputs alone is kept from
                        * run to run, and computed again only when one of them differs */
    const bool *late;  /* by input, NULL: none. Fed only when all that does not hang on it is done (see pause) */
    bool once; /* it will hardly run twice: weights of products are packed in passing, not kept packed; the same bits */
} lm_plan_options;

/* `g` must outlive the plan and stay as it is. Nothing of the plan may be used by two threads at once; many plans may
 * share graph, cache and chain. */
lm_status lm_plan_open(const lm_chain *chain, lm_derived_cache *cache, const lm_graph *g,
                       const lm_plan_options *options, lm_plan **out);
void lm_plan_close(lm_plan *plan); /* NULL is fine */

typedef struct lm_plan_run_options {
    lm_profile *profile; /* not NULL: wait for each step and add its time; rows are added at the first run with it */
    const atomic_bool *cancel; /* not NULL: looked at between steps; LM_INTERRUPTED */
    lm_status (*pause)(void *own); /* not NULL: called when the outputs that hang on no late input are filled; writes
                                    * the content of late feeds, whose memory is there from the start */
    void *own;
} lm_plan_run_options;

/* feed: host views, one per input of the graph in its order (type and shape as the graph says, any strides). fetch:
 * host views to be filled, one per output of the graph; one without a buffer is not wanted. Outputs that are inputs or
 * constants are copied. Messages name the node. */
lm_status lm_plan_run(lm_plan *plan, const lm_view *feed, const lm_view *fetch, const lm_plan_run_options *options);

typedef struct lm_plan_facts {
    int steps, launches, moves, fallbacks; /* fallbacks: launches on another device than the chain's first */
    size_t activation_bytes, workspace_bytes;
} lm_plan_facts;
lm_plan_facts lm_plan_describe(const lm_plan *plan);

/* The kernel of the i-th launch on another device than the chain's first; NULL behind the last. Borrowed. */
const char *lm_plan_fallback(const lm_plan *plan, int i);

#endif
