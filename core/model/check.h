/* What stands between a model and an answer, all at once; and feeds made up for a model that nobody has fed yet. */
#ifndef LM_MODEL_CHECK_H
#define LM_MODEL_CHECK_H

#include "core/model/model.h"

/* guess.c: feeds for every input that must be fed, in the order of lm_model_inputs: zeros, free sizes chosen so that
 * the model can be built (1 for the first axis, and the first of a few usual sizes that works for the others). Where
 * contents decide shapes and zeros do not fit, a few others are tried. The build for them comes along. feed[i].buf
 * belongs to the caller. */
lm_status lm_model_guess(lm_model *m, const lm_chain *fold, lm_feed *feed, lm_built **out);
void lm_feeds_free(lm_feed *feed, int n);

/* guess.c: a survey for zeros, at that of the usual sizes at which fewest operators fail. NULL: the model fails as a
 * whole. */
lm_status lm_model_survey_sizes(lm_model *m, const lm_chain *fold, int64_t *size, lm_survey **out);

typedef struct lm_problem {
    const char *node, *op; /* "" when unknown */
    const char *reason;
    bool forward; /* the model cannot run; otherwise no gradient passes, unless it `depends` */
    bool depends; /* on what an input holds: the zeros tried do not fit, which says nothing about others */
    const onnx_node *from; /* NULL: none in particular */
} lm_problem;

typedef struct lm_problems {
    LM_VEC(lm_problem) at;
    lm_arena arena;
} lm_problems;

/* Every operator that is missing, whatever graph or function of the file it stands in, and every other one that cannot
 * be built as the file wants it; if there is none and no gradient arrives at a float input or an embedding of tokens,
 * every op that stops one. */
lm_status lm_model_check(lm_model *m, const lm_chain *fold, lm_problems *out);
void lm_problems_free(lm_problems *p);

/* Does a gradient pass from the outputs to this value? By value, from lm_malloc. */
bool *lm_gradient_reach(const lm_graph *g);

#endif
