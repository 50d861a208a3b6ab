/* How long a model takes. */
#ifndef LIMN_BENCH_MODEL_H
#define LIMN_BENCH_MODEL_H

#include <limn/limn.h>

#include "command.h"

typedef struct model_time {
    double seconds;            /* median of the timed runs */
    double flops, bytes;       /* of one run */
    char shape[64];            /* of the inputs */
    limn_device_info device;
    limn_profile_row *profile; /* of one run, slowest first */
    size_t steps;
} model_time;

/* Three warm runs, the last of which is profiled, then exactly `repeat` timed ones (0: about a second's worth). The operands
 * are the model and its inputs; made-up ones where none are given and only the batch is free. `method`: explain by it, with
 * the command's options, instead of running forward (NULL). Free with model_time_free. */
lm_status model_time_take(command *cmd, const char *method, uint64_t seed, int64_t repeat, model_time *out);
void model_time_free(model_time *t);

/* One line per step. */
void model_time_table(const model_time *t, lm_str *out);

/* Median of `n` > 0 times, which get sorted; and the clock they are taken with. */
double median(double *seconds, int64_t n);
double now(void);

#endif
