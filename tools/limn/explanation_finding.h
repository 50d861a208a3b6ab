/* One sample's attribution as a finding, which words and reports are made of. */
#ifndef LIMN_EXPLANATION_FINDING_H
#define LIMN_EXPLANATION_FINDING_H

#include "core/draw/words.h"
#include "explanation_map.h"
#include "explanation_panel.h"

/* Starts as {0}; freed with explanation_finding_free in any case. */
typedef struct explanation_finding {
    lm_finding is;
    explanation_map map; /* of pictures */
    lm_panel panel;      /* of tables, tokens and series */
    lm_arena arena;
} explanation_finding;

lm_status explanation_finding_make(const explanation *e, const limn_attribution *a, int64_t sample,
                                   explanation_finding *out);
/* Is some number of a sample's result not finite, so that none of them can be read? */
bool explanation_is_unreadable(const limn_attribution *a, int64_t sample);
void explanation_finding_free(explanation_finding *f);

/* The `most` best classes of a sample, from the arena; none where the output is no vector of classes. Probabilities are
 * the output itself where a softmax or sigmoid ends the model or it looks like some, otherwise its softmax. */
typedef struct explanation_answers {
    lm_answer *at;
    int count;
    bool softmax;
} explanation_answers;
lm_status explanation_answer(const explanation *e, int64_t sample, int most, lm_arena *arena, explanation_answers *out);

/* Has a sample one number for each class in the output that is explained? Others have classes along their first axis, which
 * stand for the sum of what is behind it. */
bool explanation_has_classes(const explanation *e);

/* The target of a result; called "the sum of y[3,*]" where the output has more than classes, in the arena. */
lm_status explanation_target(const explanation *e, const limn_attribution *a, int64_t sample, lm_arena *arena,
                             lm_answer *out);

/* A paragraph about a result, appended. */
lm_status explanation_words(const explanation *e, const limn_attribution *a, int64_t sample, lm_str *out);

#endif
