/* A question about a model's answer, and what comes back: methods x targets x attributed inputs, over all samples. */
#ifndef LM_EXPLAIN_EXPLAIN_H
#define LM_EXPLAIN_EXPLAIN_H

#include "core/explain/method.h"
#include "core/run/session.h"

typedef struct lm_setting {
    const char *key, *value;
} lm_setting;

/* What stays good from question to question about one study. */
typedef struct lm_memo lm_memo;
lm_status lm_memo_new(lm_memo **out);
void lm_memo_free(lm_memo *m); /* NULL is fine */

/* Texts as the command takes them; NULL stands for what is usual. */
typedef struct lm_question {
    const char *method;   /* "saliency,ig" */
    const char *target;   /* "top", "3,label:cat" */
    const char *output;
    const char *input;    /* "pixels,mask" */
    const char *layer;
    const char *baseline; /* "zero", "blur:10", or the name of one of `file` */
    const char *noise;    /* "smoothgrad:samples=50,stdev=0.1" */
    const char *compat;
    const lm_setting *setting;
    int settings;
    const char *const *label; /* names of the classes */
    int64_t labels;
    const lm_named *file; /* contents of the files that texts above name; a rules file is its bytes as LM_U8 */
    int files;
    uint64_t seed;
    uint64_t first; /* number of the first sample, for what is random */
    bool after_softmax;
    const atomic_bool *cancel; /* may be NULL */
    void (*progress)(void *with, size_t done, size_t samples); /* may be NULL */
    void *with;
    lm_memo *memo;             /* may be NULL */
} lm_question;

/* What values are: signed by side, sizes, or the model's own. */
typedef enum lm_tells { LM_TELLS_SIDES, LM_TELLS_SIZES, LM_TELLS_VALUES } lm_tells;

/* One method, target and site over all samples. Texts and arrays live in the answer. */
typedef struct lm_attribution {
    const lm_method *method;
    const char *target;      /* as asked */
    const char *site;        /* ONNX name of the input, or of the layer's value */
    bool layered;
    int space;               /* LM_SPACE_* */
    lm_tells tells;
    const char *options;     /* "steps=50 quadrature=gauss" */
    lm_view values;          /* [samples, ...]: LM_F32, or LM_F64 where the device computes in double */
    bool added;              /* axis 0 was added, because axis 0 of the value itself is not the samples' */
    const lm_target *goal;   /* by sample */
    bool compared;           /* the method compares with a baseline, and goals tell what the target is there */
    const lm_certificate *certificate; /* by sample */
} lm_attribution;

typedef struct lm_answer {
    LM_VEC(lm_attribution) rows; /* methods outermost, then targets, then sites */
    const char *compat;
    const char *const *fallback; /* kernels that ran on another device than the chosen one */
    int fallbacks;
    int64_t samples;
    double wall;                 /* seconds */
    lm_arena arena;
} lm_answer;

/* `feed`: all samples, host views; `predicted`: the chosen output for them, `output` its number. It may be NULL where
 * there is one sample: targets that hang on it then look at the output on the way. On failure the answer is empty.
 * Where a NaN or an infinity comes out it stays: the caller decides. */
lm_status lm_explain(lm_study *s, const lm_named *feed, int nfeed, int output, const lm_view *predicted,
                     const lm_question *q, lm_answer *out);
void lm_answer_free(lm_answer *a); /* an empty one is fine */

#endif
