/* Where the time of a run went: one row per step, filled by whoever launches. Not thread-safe. */
#ifndef LM_RUN_PROFILE_H
#define LM_RUN_PROFILE_H

#include "core/base/arena.h"
#include "core/base/str.h"
#include "core/base/vec.h"

typedef struct lm_profile_row {
    const char *step;   /* the node's name, or its op's */
    const char *kernel; /* "cpu.avx512.conv_f32_14x32+relu" */
    const char *device; /* as LIMN_BACKEND takes it */
    bool fallback;      /* the plan's own device refused it */
    double flops, bytes; /* of one launch */
    double seconds;      /* of all launches */
    uint64_t launches;
} lm_profile_row;

/* Starts as {0}; freed with lm_profile_free. */
typedef struct lm_profile {
    LM_VEC(lm_profile_row) rows;
    lm_arena arena;
} lm_profile;

/* Append a row; texts are copied. *at is its number. */
lm_status lm_profile_add(lm_profile *p, const lm_profile_row *row, int *at);

/* One more launch of that row. */
void lm_profile_time(lm_profile *p, int at, double seconds);

/* Sum over all rows; step, kernel and device are NULL, `fallback` is true when any row fell back. */
lm_profile_row lm_profile_total(const lm_profile *p);

/* A table, slowest first, with shares of the total and GFLOP/s and GB/s. */
lm_status lm_profile_print(const lm_profile *p, lm_str *out);

void lm_profile_free(lm_profile *p);

/* Seconds of a clock that only moves forward. */
double lm_profile_now(void);

#endif
