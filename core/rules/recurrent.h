/* What the way back through a recurrent op multiplies signals with. An op's cell is what its steps add to: LSTM's own,
 * otherwise the state. The signal at a cell is `keep` times that at the cell behind it, plus `show` times that at the
 * state; times a slope per gate it is the signal at what goes into the gate, and the products of those with the weights
 * are signals at the state before. LSTM's output gate gets the state's signal instead. All of it is linear in the
 * signals, and the slopes of all steps can be had at once. */
#ifndef LM_RULES_RECURRENT_H
#define LM_RULES_RECURRENT_H

#include "core/graph/emit.h"

/* A value, and itself in the reference run: the same where there is none. */
typedef struct lm_twins {
    lm_val here, there;
} lm_twins;

/* Operands of recurrent ops. */
enum { LM_REC_X, LM_REC_W, LM_REC_R, LM_REC_BIAS, LM_REC_LENGTHS, LM_REC_STATE, LM_REC_CELL, LM_REC_PEEPHOLES };

/* One direction. */
typedef struct lm_lane {
    lm_emit *e;
    const lm_node *n;
    int way;
    bool backwards;
    bool rescale;   /* slopes are changes over changes from the reference run, otherwise derivatives */
    double still;   /* a smaller change has no quotient */
    lm_twins x;      /* [T,N,I] */
    lm_twins y;      /* states behind the steps and ahead of them, [T,N,H] */
    lm_twins before;
    lm_twins saved; /* LSTM: what it keeps of its steps [T,N,5*H], cells ahead of them [T,N,H] */
    lm_twins cell_before;
} lm_lane;

/* [T,N,(2+G)*H] as RECURRENT_DX takes them. *inputs: LM_NOVAL, or, where inputs enter the gates by other slopes than
 * the state does, those of the inputs, [T,N,G*H]. */
lm_val lm_recurrent_slopes(const lm_lane *l, lm_val *inputs);

/* The rows ahead of every step: `first` [N,K] (LM_NOVAL: zeros), then all of v [T,N,K] but the last one of the walk. */
lm_val lm_recurrent_ahead(lm_emit *e, lm_val v, lm_val first, bool backwards);

#endif
