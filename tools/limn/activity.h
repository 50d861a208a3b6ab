/* What the layers of a model give for samples, one by one. */
#ifndef LIMN_ACTIVITY_H
#define LIMN_ACTIVITY_H

#include "core/base/arena.h"
#include "core/draw/report.h"
#include "picture.h"

/* Starts with the first four, which must stay while it is used; closed with activity_close in any case. */
typedef struct activity {
    const subject *on;
    const limn_feed *feed;
    size_t feeds;
    int64_t samples; /* in the feeds */
    model_layers all;
    lm_report_layer *told; /* one for each of `all` */
    const char *graph;     /* SVG */
} activity;

/* What is told lives in the arena. */
lm_status activity_open(activity *a, lm_arena *arena);

/* Run one sample and look at every layer's result; *out, one for each layer, is NULL for a sample that cannot be run by
 * itself. */
lm_status activity_run(const activity *a, int64_t sample, lm_arena *arena, const lm_report_activity **out);
void activity_close(activity *a);

#endif
