/* What inputs are compared with: the words of a baseline, and the numbers that they become. */
#ifndef LM_EXPLAIN_BASELINE_H
#define LM_EXPLAIN_BASELINE_H

#include "core/explain/question.h"

/* Check the text, its files against the inputs explained, and the methods against several baselines; sets
 * in->baselines. */
lm_status lm_baseline_check(lm_inquiry *in);

/* The baselines of one sample, by input: [baselines, ...] of x's type, in the arena. x: by input, for words that look
 * at it; embeddings are looked up with `feed`. */
lm_status lm_baseline_make(const lm_inquiry *in, int64_t sample, const lm_feed *feed, const lm_view *x, lm_arena *arena,
                           lm_view *x0);

#endif
