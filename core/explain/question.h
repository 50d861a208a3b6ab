/* The inside of a question: what holds for all its samples, and the parts that find it out. */
#ifndef LM_EXPLAIN_QUESTION_H
#define LM_EXPLAIN_QUESTION_H

#include "core/base/kv.h"
#include "core/base/str.h"
#include "core/explain/explain.h"
#include "core/explain/target.h"
#include "core/rules/file.h"

/* options.c: what an option takes, "0 or 1", "gauss|left", "1 to 1000"; in `text`, or a text of the table. */
enum { LM_OPTION_TEXT_MAX = 64 };
const char *lm_option_values(const lm_option *o, char text[LM_OPTION_TEXT_MAX]);

/* method.c: option i of a method, those that all methods have in common last; NULL past the end. */
const lm_option *lm_method_option(const lm_method *m, int i);
int lm_method_option_find(const lm_method *m, const char *key); /* -1: it has none of that name */

/* A method as asked. */
typedef struct lm_asked {
    const lm_method *method;
    const char **setting; /* by option */
    const char *options;  /* as one text */
    bool layered;
    lm_site layer;
} lm_asked;

/* An input that is explained, or the embedding that stands for it. */
typedef struct lm_entry {
    int port;
    lm_site site;
    bool embedded;
} lm_entry;

typedef enum lm_noise_kind { LM_NOISE_NONE, LM_NOISE_MEAN, LM_NOISE_SQUARE, LM_NOISE_VARIANCE } lm_noise_kind;

typedef struct lm_noise {
    lm_noise_kind kind;
    int64_t samples;
    double stdev;
    bool absolute;  /* stdev is in units of the input, not of the sample's max - min */
    bool last_still; /* the last sample has no noise */
} lm_noise;

/* Rules from a file, read once for all samples. */
typedef struct lm_rules_read {
    const char *name;
    lm_ruleset_file *file;
} lm_rules_read;

typedef struct lm_inquiry {
    lm_study *study;
    const lm_question *q;
    lm_arena *arena; /* the answer's */
    const char *compat;

    int ports;
    const lm_port *port;
    lm_view *all; /* by port: what is fed, all samples; absent where nothing is */
    bool *many;   /* by port: samples lie along axis 0 */
    int64_t samples;
    lm_feed *first; /* the first sample */

    lm_goal_at goal;
    lm_type goal_type;
    int space;
    lm_view predicted; /* absent: targets that hang on it look at the value of `output` in the sweep at the sample */
    lm_site output;
    lm_classes classes;

    int methods;
    lm_asked *asked;
    int aims;
    lm_aim *aim;
    int entries;
    lm_entry *entry;
    const char *baseline;
    int64_t baselines;
    lm_noise noise;
    LM_VEC(lm_rules_read) rules;
} lm_inquiry;

enum { LM_POINT_WALKS = 64 };

/* One method on one sample. */
typedef struct lm_job {
    lm_task task; /* first: methods are handed its address */
    const lm_asked *asked;
    double forwards, backwards; /* of its own sweeps, and its part of what is shared */
    bool walks[LM_POINT_WALKS]; /* by walk of the point: it asked for it */
} lm_job;

/* Walks and values asked of the model at one point, and what came of them. */
typedef struct lm_point {
    lm_arena *arena;
    LM_VEC(lm_walk) walk;
    LM_VEC(int) users; /* by walk */
    LM_VEC(lm_site) value;
    int targets;
    lm_status (*aim)(void *own, const lm_swept *early); /* NULL, or finds the seeds when values are there */
    void *own;
    lm_swept swept;
    int64_t forwards, backwards;
} lm_point;

void lm_point_free(lm_point *p);

/* point.c: the sweep at the sample itself. `task` is any that belongs to the point. */
lm_status lm_point_run(lm_point *p, lm_task *task);
/* The same at `rows` other points, which `fill` writes into the inputs; absorb is called with p->swept set for each.
 * With absorb NULL what comes of the last row is kept. */
lm_status lm_point_run_rows(lm_point *p, lm_task *task, int64_t rows,
                            lm_status (*fill)(void *own, int64_t row, const lm_view *x),
                            lm_status (*absorb)(void *own, int64_t row), void *own);

/* Forward only, at rows where some values are given. */
typedef struct lm_forward {
    lm_study *study;
    const lm_feed *feed;
    lm_goal_at goal;
    const atomic_bool *cancel;
    int ncut;
    const lm_site *cut;
    const lm_view *at; /* by cut: [rows, ...] */
    int64_t rows;
    lm_arena *arena;
    lm_view goals;  /* out: [rows, ...], in the arena */
    int64_t forwards;
} lm_forward;
lm_status lm_forward_run(lm_forward *f);

/* The value of a layer where the inputs are the baseline: what it is compared with. Counted as the task's cost. */
lm_status lm_task_layer_start(lm_task *t, lm_view *out);

/* Row r of [rows, ...] as a view of the shape `sh`. */
lm_view lm_row_of(const lm_view *rows, int64_t r, const lm_shape *sh);

/* options.c: the settings of all methods asked. */
lm_status lm_options_read(lm_inquiry *in);

/* compat.c: what a profile sets an option to; NULL: nothing. "noise" stands for the averaging. */
lm_status lm_compat_find(const char *name, const char **out);
const char *lm_compat_usual(const char *compat, const char *method, const char *key);
/* Where a profile departs from what is right, for this method with these options; NULL: nowhere. */
const char *lm_compat_flaw(const char *compat, const char *method, const char *options);
/* The options of rules under a profile. */
lm_rule_options lm_compat_rules(const char *compat);

/* noise.c */
const char *lm_noise_name(lm_noise_kind kind);
lm_status lm_noise_read(const lm_inquiry *in, lm_noise *out);
/* Run a job averaged over noise. */
lm_status lm_noise_run(lm_inquiry *in, lm_job *job);

/* certificate.c: what the results of a job that has run are worth. */
lm_status lm_certify(const lm_inquiry *in, lm_job *job);

/* reference.c: baselines of one sample, by input, and the goals there, [baselines, elements]. *forwards is counted up
 * by what was run: nothing where the question's memo knows. */
lm_status lm_reference(lm_inquiry *in, int64_t sample, const lm_feed *feed, const lm_site *input, const lm_view *x,
                       lm_arena *arena, lm_view *x0, lm_view *goals, int64_t *forwards);
/* What the targets of a task are there: the mean where there are several. */
void lm_reference_values(const lm_task *t, const lm_view *goals, lm_target *target);

/* sample.c: one sample; jobs and all they hold are in the arena. */
typedef struct lm_sample {
    lm_arena arena;
    lm_target *target; /* in the answer's arena */
    lm_job *job;       /* by method */
} lm_sample;
lm_status lm_sample_run(lm_inquiry *in, int64_t number, lm_sample *out);

/* question.c: everything that can be found out before the first sample. Most of it is in the answer's arena. */
lm_status lm_inquire(lm_inquiry *in, const lm_named *feed, int nfeed);
void lm_inquiry_end(lm_inquiry *in);
/* The feeds of one sample, by port. */
void lm_sample_feed(const lm_inquiry *in, int64_t number, lm_feed *out);
/* Split "a,b" at commas into texts of the arena. LM_USAGE, naming `what`, for an empty one. */
lm_status lm_split(lm_arena *arena, const char *text, const char *what, const char ***out, int *n);
/* The contents of a file that a text names; NULL: there is none. */
const lm_view *lm_question_file(const lm_question *q, const char *name);
/* The rules in such a file, borrowed until the question is answered; NULL: there is none. */
lm_status lm_question_rules(lm_inquiry *in, const char *name, const lm_ruleset **out);

#endif
