/* What stands behind the opaque handles of include/limn. */
#ifndef LM_API_HANDLE_H
#define LM_API_HANDLE_H

#include <pthread.h>

#include <limn/device.h>
#include <limn/model.h>
#include <limn/run.h>
#include <limn/tensor.h>

#include "core/device/chain.h"
#include "core/explain/explain.h"
#include "core/run/session.h"

struct limn_device {
    lm_chain chain;
};

/* What the sessions of a model on one device have in common; goes with the last of them. */
typedef struct api_shared {
    limn_device *device;
    lm_shared *shared;
    int sessions;
} api_shared;

struct limn_model {
    lm_model *model;
    void *bytes; /* what it was opened from, when they are its own */
    limn_port *inputs, *outputs;
    pthread_mutex_t lock; /* guards `shared` */
    LM_VEC(api_shared) shared;
};

struct limn_session {
    limn_model *model;
    limn_device *device;
    lm_shared *shared; /* of model and device */
    lm_session *inner;
    lm_study *study;   /* NULL until something is explained */
    lm_memo *memo;     /* likewise */
    atomic_bool cancel;
    bool timed;
    lm_profile profile;
};

/* run.c: a caller's feeds as views of the caller's memory. Free with api_feeds_free. */
lm_status api_feeds(const limn_feed *feed, size_t n, bool bare, lm_named **out);
void api_feeds_free(lm_named *named, size_t n);

/* tensor.c: a caller's tensor as a view of its memory, which outlives the view. LM_INPUT for types, ranks and sizes that
 * make no sense; without data only when `bare`. Unref the buffer. */
lm_status api_view(const limn_tensor *t, bool bare, lm_view *out);

/* A fresh row-major host view becomes the caller's tensor; its reference is taken in any case. */
lm_status api_tensor(const lm_view *v, limn_tensor *out);

#endif
