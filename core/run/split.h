/* Work that comes in rows, on several devices at once: samples of a batch, steps of a path, draws of noise. Each
 * device of a chain and of those beside it has a lane, a thread that takes rows, computes them with what the device
 * has of its own (plans, buffers) and gives them back. Rows are absorbed in their order, whoever ran them, so sums
 * over rows have the bits that one device gives them.
 *
 * Rows go to whoever is free, which makes shares follow measured speed, or by the chain's fixed shares, which makes
 * them the same every time. Nothing here knows what devices are. */
#ifndef LM_RUN_SPLIT_H
#define LM_RUN_SPLIT_H

#include <pthread.h>

#include "core/device/chain.h"

enum { LM_LANES = 8 }; /* as many as a device list may join */

/* Rows that a lane has taken. Belongs to the lane, with room for the numbers of as many rows as it takes at once;
 * it starts as {.row = room} and is free again when all of them are absorbed. */
typedef struct lm_part {
    int64_t n, *row; /* ascending */
    int64_t done;    /* absorbed ones */
    int lane;
    double since;    /* when they were taken */
    struct lm_part *next;
} lm_part;

/* What each lane has done, kept from one split to the next. */
typedef struct lm_shares {
    double pace[LM_LANES];  /* relative speeds; 0: not known yet */
    int64_t rows[LM_LANES]; /* run so far */
    bool fixed;             /* some of them by fixed shares */
} lm_shares;

typedef struct lm_split {
    const lm_chain *chain;
    int lanes;         /* that of the chain, or 1: its first device alone */
    int64_t rows;
    bool fixed;        /* by the chain's shares, or 1 part each where it has none */
    lm_shares *shares;
    lm_status (*lane)(void *own, int lane); /* take and give until there is no row to take; one thread per lane */
    lm_status (*absorb)(void *own, int lane, lm_part *part, int64_t at); /* row `at` of the part; rows in order */
    void *own;

    /* its own */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int64_t next[LM_LANES]; /* by lane where shares are fixed, otherwise [0]: rows from here on are not taken */
    int64_t absorbed;
    lm_part *given; /* computed, and waiting for rows before theirs */
    double busy[LM_LANES];
    int64_t gave[LM_LANES];
    bool left[LM_LANES];    /* lanes that take no more */
    bool failed;
} lm_split;

/* Devices of the chain, itself and those beside it. */
int lm_split_lanes(const lm_chain *chain);

/* Is it worth giving each lane a plan for this many rows? Depends on nothing else, so that fixed shares are fixed. */
bool lm_split_pays(const lm_chain *chain, int64_t rows);

/* Are the first `lanes` devices one and the same several times over, so that their bits are the same? */
bool lm_split_alike(const lm_chain *chain, int lanes);

/* Call `each` for every lane, each on a thread of its own, lane 0 on this one. Blocks until all are done; the first
 * failure is the call's, with the name of its device where there are several. */
lm_status lm_split_each(const lm_chain *chain, int lanes, lm_status (*each)(void *own, int lane), void *own);

/* Run all rows. Blocks; a failure of a lane is the call's, and the others stop at the rows they have. */
lm_status lm_split_run(lm_split *s);

/* For lanes. Are the part's rows absorbed? */
bool lm_split_is_free(lm_split *s, const lm_part *part);

/* Wait until the part is free and take up to `most` rows; their number, 0: this lane is done. */
int64_t lm_split_take(lm_split *s, int lane, int64_t most, lm_part *part);

/* The part's rows are computed: absorb them and those that waited for them. */
lm_status lm_split_give(lm_split *s, int lane, lm_part *part);

/* Around what rows share, such as the caller's function that fills them: one lane at a time, and none absorbs. */
void lm_split_enter(lm_split *s);
void lm_split_leave(lm_split *s);

#endif
