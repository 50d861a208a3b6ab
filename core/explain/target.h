/* What of a model's answer is explained: the words of a target, and the seeds that they become. */
#ifndef LM_EXPLAIN_TARGET_H
#define LM_EXPLAIN_TARGET_H

#include "core/explain/explain.h"

/* The elements of one sample's output as classes. Classes lie along its first axis behind the batch that is longer than
 * one; what lies behind a class is summed. */
typedef struct lm_classes {
    lm_shape sh;     /* without the batch axis */
    int64_t n;       /* classes */
    int64_t inner;   /* elements of one */
} lm_classes;

void lm_classes_of(const lm_shape *output, bool batch, lm_classes *out);

typedef enum lm_aim_kind {
    LM_AIM_RANK,       /* the a-th best class, 0 the best */
    LM_AIM_SUM,        /* of all classes */
    LM_AIM_CLASS,      /* a */
    LM_AIM_DIFFERENCE, /* class a less class b */
    LM_AIM_INDEX,      /* at[0..n_at): an index per axis, -1 for all */
    LM_AIM_EACH        /* a class per sample */
} lm_aim_kind;

/* One target before a sample says what it is. */
typedef struct lm_aim {
    lm_aim_kind kind;
    const char *text; /* one of the results of "top5" and "all" is called by itself */
    int64_t a, b;
    int64_t at[LM_RANK];
    int n_at;
    const lm_view *each;
} lm_aim;

/* The targets that `text` asks for; LM_USAGE lists what there is. */
lm_status lm_aims_read(const lm_question *q, const lm_classes *c, int64_t samples, lm_arena *arena, lm_aim **out,
                       int *n);

/* What an aim means for one sample, whose output is `predicted`: its seed over the output's elements (zeros at first),
 * and class and label. */
lm_status lm_aim_resolve(const lm_aim *aim, const lm_question *q, const lm_classes *c, int64_t sample,
                         const lm_view *predicted, double *seed, lm_target *out);

#endif
