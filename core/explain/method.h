/* Methods: what each row of methods.def is made of, and what one finds when it is run.
 *
 * A method is run on one sample for all targets at once. First all methods of a question say what they need of the
 * model at the sample itself (`need`): walks and forward values, of which equal ones are made once, all in one sweep.
 * Then each runs: it reads what came of that sweep (`lm_point_*`), makes sweeps of its own if it has to, and leaves one
 * result per site and target. */
#ifndef LM_EXPLAIN_METHOD_H
#define LM_EXPLAIN_METHOD_H

#include "core/base/arena.h"
#include "core/explain/study.h"

/* An option as the table declares it. */
typedef enum lm_option_kind {
    LM_OPTION_WHOLE,  /* 1, 50 */
    LM_OPTION_NUMBER, /* 0.25 */
    LM_OPTION_FLAG,   /* 0 or 1 */
    LM_OPTION_WORD,   /* one of `words` */
    LM_OPTION_TEXT    /* a file, c:c:c ...: read by the method */
} lm_option_kind;

typedef struct lm_option {
    const char *key;
    lm_option_kind kind;
    const char *usual;       /* as text; "" : none, where the method finds its own */
    const char *words;       /* "gauss|left|right" */
    double least, most;      /* of numbers */
    const char *help;
} lm_option;

typedef struct lm_method lm_method;
typedef struct lm_task lm_task;

enum {
    LM_METHOD_LAYER = 1,     /* cannot do without a layer */
    LM_METHOD_AUTO = 2,      /* works at a layer; `auto` when none is named */
    LM_METHOD_INPUT = 4,     /* at inputs only: --layer is refused */
    LM_METHOD_BASELINE = 8,  /* compares with a baseline */
    LM_METHOD_MANY = 16,     /* of which there may be several */
    LM_METHOD_IMAGE = 32,    /* inputs must be images */
    LM_METHOD_MAP = 64,      /* results are [1,1,H,W] */
    LM_METHOD_COMPLETE = 128, /* results sum to target - target at the baseline: a gap is worth stating */
    LM_METHOD_CONSERVES = 256, /* results sum to the target */
    LM_METHOD_NO_TARGET = 512, /* the same for all targets: only the first one's result has to be made */
    LM_METHOD_TOKENS = 1024, /* results are [1, T], or [1, T, T], over the tokens of an attention */
    LM_METHOD_SEED = 4096,   /* results sum to what the walk began with: a probability of 1 */
    LM_METHOD_SIZES = 8192,  /* results tell how much, not whether for the target or against it */
    LM_METHOD_VALUES = 16384, /* results are values of the model, which speak for nothing */
    LM_METHOD_POINT = 2048   /* run makes no sweeps of its own: it lives on what need asked for */
};

struct lm_method {
    const char *id, *group;
    uint32_t flags;
    const lm_option *option; /* closed by a row without a key */
    lm_status (*need)(lm_task *t); /* NULL: nothing */
    lm_status (*run)(lm_task *t);
    const char *help;
};

extern const lm_method lm_methods[]; /* closed by a row without an id */
const lm_method *lm_method_find(const char *id);

/* One target of one sample. */
typedef struct lm_target {
    const char *text;  /* as asked */
    int64_t index;     /* the class; -1: none or several */
    const char *label; /* or NULL */
    double value;      /* what is explained */
    double baseline;   /* the same at the baseline; NAN where nobody needed it */
} lm_target;

typedef struct lm_certificate {
    double gap_abs, gap_rel; /* NAN: completeness means nothing here */
    double residual;         /* of a quadrature; NAN: none */
    double stderr_mean;      /* mean standard error of a sampled result; NAN: not sampled */
    lm_trace_sum *trace;     /* per-layer conservation, in the arena */
    int ntrace;
    double forwards, backwards; /* in rows through the model; shared ones are split evenly */
} lm_certificate;

/* One sample's result of one method for one site and target. */
typedef struct lm_result {
    lm_shape sh;  /* axis 0 is 1 */
    double *at;   /* in the task's arena */
    const double *start; /* the target where the method's own path begins; NULL: it has none */
    lm_certificate certificate;
} lm_result;

struct lm_task {
    lm_study *study;
    const lm_method *method;
    const char *const *setting; /* by option of the method: its text, default included */
    const char *compat;         /* "limn", "captum", ... */
    lm_arena *arena;            /* lives until the question is answered */
    const atomic_bool *cancel;
    uint64_t seed;
    int64_t sample;             /* its number among those fed */
    uint64_t number;            /* its number among all; with the seed it makes what is random */

    const lm_feed *feed;        /* one sample */
    lm_goal_at goal;
    int targets;
    lm_target *target;
    const lm_view *seeds;       /* for lm_sweep.seed */

    int ninput;                 /* what is explained: inputs, or the embeddings that stand for them */
    const lm_site *input;
    const lm_view *x;           /* by input: [1, ...], of the study's type */
    const lm_view *x0;          /* baselines: [baselines, ...], where the method has any */
    int64_t baselines;
    bool layered;               /* stop at `layer` */
    lm_site layer;

    int nsite;                  /* where results are wanted: the layer, or the inputs */
    const lm_site *site;
    lm_result *result;          /* out: [site * targets + target] */

    struct lm_point *point;
    /* contents of files that settings name, by that name; NULL: there is none */
    const lm_view *(*file)(const lm_task *t, const char *name);
    void *own;                  /* what `need` keeps for `run` */
    void *question;
};

/* Settings, checked against the table before methods see them. Of one that was left empty: 0, NAN, "". */
int64_t lm_task_whole(const lm_task *t, const char *key);
double lm_task_number(const lm_task *t, const char *key);
bool lm_task_flag(const lm_task *t, const char *key);
int lm_task_word(const lm_task *t, const char *key); /* its position among the words */
const char *lm_task_text(const lm_task *t, const char *key);

/* Ask for a walk, or a forward value, at the sample; answers with a number to find it by afterwards. Arrays that `walk`
 * points to must live in the arena. */
lm_status lm_need_walk(lm_task *t, const lm_walk *walk, int *number);
lm_status lm_need_value(lm_task *t, lm_site site, int *number);

/* What came of the sweep at the sample: dense views [1, ...] of the study's type. */
const lm_view *lm_point_signal(const lm_task *t, int walk, int site, int target);
const lm_view *lm_point_value(const lm_task *t, int value);
const lm_trace_sum *lm_point_trace(const lm_task *t, int walk, int target, int *n);

/* A sweep filled in with what all of a task's have in common: feed, goal, targets, seeds, cancel. Run it with
 * lm_task_sweep, which counts its cost for all results. */
lm_sweep lm_task_begin(lm_task *t);
lm_status lm_task_sweep(lm_task *t, lm_sweep *w);

/* The target's value in a row's goal. */
double lm_task_value(const lm_task *t, const lm_view *goal, int target);

/* A dense view of zeros in an arena, good as long as that; nobody gives it back. */
lm_status lm_scratch(lm_arena *arena, lm_dtype dt, const lm_shape *sh, lm_view *out);

/* Room for a result of this shape, zeros, in the arena. */
lm_status lm_task_result(lm_task *t, int site, int target, const lm_shape *sh, lm_result **out);

/* Element i of a dense view of floats, in double. */
static inline double lm_at(const lm_view *v, int64_t i)
{
    const char *base = (const char *)lm_view_data(v);
    return v->dt == LM_F64 ? ((const double *)(const void *)base)[i] : (double)((const float *)(const void *)base)[i];
}

static inline void lm_put(const lm_view *v, int64_t i, double value)
{
    char *base = (char *)lm_view_data(v);
    if (v->dt == LM_F64)
        ((double *)(void *)base)[i] = value;
    else
        ((float *)(void *)base)[i] = (float)value;
}

/* What the rows name. `none` as need: nothing is asked. */
lm_status lm_need_none(lm_task *t);
#define LM_OPTIONS(name)
#define LM_OPTION(...)
#define LM_OPTIONS_END
#define LM_METHOD(id, group, options, need, run, flags, help)                                                          \
    lm_status lm_need_##need(lm_task *t);                                                                              \
    lm_status lm_run_##run(lm_task *t);
#include "core/explain/methods.def"
#undef LM_OPTIONS
#undef LM_OPTION
#undef LM_OPTIONS_END
#undef LM_METHOD

#endif
