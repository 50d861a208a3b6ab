/* Does the backward walk give the derivative? A graph is widened to doubles, its gradient emitted, and along random
 * directions <signal, u> compared with central differences. */
#ifndef LM_TEST_RULES_PROBE_H
#define LM_TEST_RULES_PROBE_H

#include "core/device/chain.h"
#include "core/rules/rule.h"

typedef enum probe_outcome {
    PROBE_GOOD,
    PROBE_WRONG,
    PROBE_REFUSED, /* no rule, or the library failed: why says what */
    PROBE_NOTHING, /* no float in or no float out, or nothing finite to compare */
    PROBE_KINKS    /* every direction tried crosses a kink */
} probe_outcome;

enum { PROBE_WHY = 512 };

/* `feed`: one per input of g, any types. Seeds are random numbers over all float outputs, directions over all float
 * inputs. */
probe_outcome probe_gradient(const lm_chain *chain, const lm_graph *g, const lm_view *feed, uint64_t seed,
                             char why[PROBE_WHY]);

/* Repeatable numbers in (-1, 1). */
double probe_noise(uint64_t seed, int64_t i);

#endif
