/* What the sessions of one model share: graphs that are built and lowered for some feeds, and constants in the forms
 * that kernels want. Thread-safe; one thread builds at a time. */
#ifndef LM_RUN_SHARED_H
#define LM_RUN_SHARED_H

#include "core/device/derived.h"
#include "core/model/model.h"

typedef struct lm_shared lm_shared;

/* `m` and `chain`, which computes constants, must outlive it, and so must the chains of all its sessions. */
lm_status lm_shared_open(lm_model *m, const lm_chain *chain, lm_shared **out);
void lm_shared_close(lm_shared *shared); /* NULL is fine; every session is closed by then */

/* The same for the device beside the chain's first; NULL: there is none. */
lm_shared *lm_shared_beside(const lm_shared *shared);

lm_model *lm_shared_model(const lm_shared *shared);
lm_derived_cache *lm_shared_cache(const lm_shared *shared);

/* Has any plan been made that keeps weights packed? What runs first often runs alone, and packing weights to keep them
 * takes longer than that run. */
bool lm_shared_is_kept(const lm_shared *shared);
void lm_shared_keep(lm_shared *shared);

/* A model as a graph, ready to be planned; read-only. */
typedef struct lm_ready {
    const lm_built *built; /* outputs: the model's, then the inner values asked for */
    const lm_graph *graph; /* the same after the passes */
    bool plain;            /* without lowering */
} lm_ready;

/* The graph for these feeds (one per port, as lm_model_build takes them) with `n_inner` inner values, called by their
 * ONNX names, as further outputs. The same one as before while types, names and deciding contents are the same.
 * LM_INPUT: the feeds do not fit, or no value has such a name. */
lm_status lm_shared_get(lm_shared *shared, const lm_feed *feed, const char *const *inner, int n_inner, bool plain,
                        const lm_ready **out);

/* Give back what lm_shared_get handed out; the last few stay. */
void lm_shared_put(lm_shared *shared, const lm_ready *ready);

#endif
