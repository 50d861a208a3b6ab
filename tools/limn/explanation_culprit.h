/* Which node a NaN of a map comes from. */
#ifndef LIMN_EXPLANATION_CULPRIT_H
#define LIMN_EXPLANATION_CULPRIT_H

#include "explanation.h"

/* A number of the tensor that is not finite; 0 where all are. */
double explanation_first_bad(const limn_tensor *t);

/* LM_INPUT about a map that holds this number, with the node that sent it, if that can be told. Runs walks back to as many
 * layers as it takes. */
lm_status explanation_blame(const explanation *e, const limn_attribution *map, double value);

#endif
