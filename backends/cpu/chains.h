/* The walk of a tile kernel through the terms of its sums (tile.h), for kernels whose accumulators are named variables.
 *
 * LM_CHAINS(ROWS, V, TERMS) stands first in a kernel of `const lm_tile *t`. A level says, each as a macro of (r, V) for
 * the vectors V of row r: NAME declares accumulators, ZERO clears them, JOIN adds what c holds to them, STORE puts them
 * there. TERMS(ROWS, V) adds terms k ... stop - 1 of span s and leaves k there. Behind it the accumulators hold the
 * sums and `col` the first column. Sums rest in c between chains: that is once in LM_CHAIN terms, and needs no
 * register. */
#ifndef LM_CPU_CHAINS_H
#define LM_CPU_CHAINS_H

#include "backends/cpu/tile.h"

#define LM_CHAINS(ROWS, V, TERMS) \
    const int64_t col = t->col; \
    const lm_span *s = t->span, *const end = s + t->nspan; \
    bool more = t->resume; \
    ROWS(NAME, V) \
    for (int64_t k = 0, cut = LM_CHAIN;; more = true, cut = lm_chain_end(s->k + k)) { \
        ROWS(ZERO, V) \
        while (s < end && s->k + k < cut) { \
            const int64_t stop = s->len < cut - s->k ? s->len : cut - s->k; \
            TERMS(ROWS, V) \
            if (k == s->len) \
                s++, k = 0; \
        } \
        if (more) { \
            ROWS(JOIN, V) \
        } \
        if (s == end) \
            break; \
        ROWS(STORE, V) \
    }

#endif
