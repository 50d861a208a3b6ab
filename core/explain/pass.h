/* The inside of a study: builds of the model for some number of rows, and passes, the graphs and plans that sweeps run.
 *
 *   study.c      opening, builds, names
 *   open.c       attention taken apart
 *   sites.c      values that users point to, and what targets are functions of
 *   pass.c       passes found again or made
 *   pass_emit.c  from a build to the graph of a pass
 *   pass_key.c   what makes two passes the same
 *   sweep.c      rows in batches, targets in blocks
 *   sweep_run.c  one pass over a batch
 *   sweep_split.c  the rows of a sweep, on all devices that share them */
#ifndef LM_EXPLAIN_PASS_H
#define LM_EXPLAIN_PASS_H

#include "core/base/str.h"
#include "core/explain/study.h"
#include "core/run/plan.h"
#include "core/run/split.h"

/* A model built for feeds whose first axis is `rows` times that of one sample. */
typedef struct study_build {
    lm_str key;      /* types of one sample's feeds, and rows */
    uint8_t contents[32]; /* digest of the feeds that decided something */
    int64_t rows;
    lm_built *built;
    lm_graph *wide;  /* the built graph in the study's type, or with attention taken apart; NULL: as it was built */
    lm_val *map;     /* from values of the built graph to those of `wide` */
    lm_map opened;   /* names to values of `wide`: probabilities of attention that was taken apart */
    uint64_t clock;
} study_build;

/* What an input of a pass's graph is fed with. */
typedef enum pass_source {
    PASS_PORT, /* the sample's feed */
    PASS_CUT,
    PASS_SEED,
    PASS_BASELINE,
    PASS_LOW,
    PASS_HIGH,
    PASS_DIRECTION,
    PASS_ZERO
} pass_source;

typedef struct pass_input {
    pass_source source;
    int walk, at; /* number of the walk in the pass; of the port, cut or site */
} pass_input;

/* What an output of a pass's graph is. */
typedef enum pass_what { PASS_GOAL, PASS_VALUE, PASS_TANGENT, PASS_SIGNAL, PASS_TRACE } pass_what;

typedef struct pass_output {
    pass_what what;
    int walk, at; /* walk in the pass; value, tangent or site */
    int target;   /* first target of the block that it holds */
    int share;    /* of a trace: 0 in, 1 out, 2 bias, 3 stabiliser; `at` is the row */
} pass_output;

/* What a pass is made for: `rows` rows of a sweep, `targets` targets, and some of its walks. */
typedef struct pass_wish {
    const lm_sweep *w;
    const lm_feed *feed;
    int64_t rows;
    int targets;
    bool forward; /* goal, values and tangents are wanted too */
    bool once;    /* for a single run, as far as is known */
    int nwalk;
    const int *walk;
} pass_wish;

typedef struct pass {
    lm_str key;
    lm_graph *graph;
    lm_plan *plan;
    LM_VEC(pass_input) in;   /* by input of the graph */
    LM_VEC(pass_output) out; /* by output */
    LM_VEC(lm_trace_sum) trace; /* names, by row */
    LM_VEC(int) ntrace;      /* by walk */
    lm_arena arena;
    bool alone;  /* of one row: batches of it must run one by one */
    bool proven; /* of several: rows are known to be what they are alone */
    bool held;   /* a sweep is using it */
    bool once;   /* the plan is for a single run: weights are not packed to stay */
    bool agrees, differs; /* of one row: whether it gives the bits of the study that this one stands beside; if known */
    uint64_t clock;
} pass;

enum { STUDY_BUILDS = 4, STUDY_PASSES = 12 };

struct lm_study {
    lm_shared *shared;
    const lm_chain *chain;
    lm_study *beside;  /* the same on the next device that shares rows; NULL: none */
    lm_shares shares;
    lm_dtype type;
    bool plain;
    bool open_attention; /* take attention apart in builds from now on */
    lm_arena arena;  /* names */
    lm_map names;    /* to the interned text */
    study_build *build[STUDY_BUILDS]; /* NULL: free */
    pass *pass[STUDY_PASSES];
    uint64_t clock;
    lm_profile *profile; /* NULL: nobody asks for times */
    LM_VEC(const char *) fallbacks;
    lm_buffer *room[2]; /* what batches and single rows left behind, for the next */
    lm_arena scratch;   /* of one sample's explanation; empty in between */
};

/* The form in which a walk wants the model. */
static inline uint32_t pass_canon(const lm_walk *walk)
{
    return lm_set_canon(walk->set, &walk->options);
}

/* study.c */
lm_status lm_study_build(lm_study *s, const lm_feed *feed, int64_t rows, study_build **out);
lm_status lm_study_intern(lm_study *s, const char *name, const char **out);
/* The value that a site is in the build's graph (study_graph). */
lm_status lm_study_value(const study_build *b, const char *name, lm_val *out);
/* Is this port's axis 0 that of rows? */
bool lm_study_tiled(const lm_port *p, const lm_feed *feed);

static inline lm_graph *study_graph(const study_build *b)
{
    return b->wide ? b->wide : b->built->graph;
}

static inline lm_val study_mapped(const study_build *b, lm_val v)
{
    return b->map ? b->map[v] : v;
}

/* open.c: take the attention of a build apart; the name of probabilities by the number of their operator. */
lm_status lm_study_open_attention(lm_study *s, study_build *b);
lm_status lm_study_attention_name(lm_study *s, int number, const char **out);

/* sites.c: the goal's value in the build's graph. */
lm_status lm_study_goal_value(const study_build *b, lm_goal_at at, lm_val *out, int *space);

/* pass_key.c */
lm_status lm_pass_key(const pass_wish *p, const study_build *b, lm_str *key);

/* pass.c: the pass for this wish, held: it stays until `held` is taken back. */
lm_status lm_pass_get(lm_study *s, const pass_wish *wish, pass **out);
void lm_pass_free(pass *p); /* NULL is fine */
/* Give up the passes that nobody needs now; false: there are none. */
bool lm_pass_make_room(lm_study *s);
/* What fell back beside the study fell back in it. */
lm_status lm_pass_fallbacks(lm_study *s, const lm_study *beside);

/* pass_emit.c: fill in graph, inputs, outputs and traces. */
lm_status lm_pass_emit(lm_study *s, const pass_wish *wish, study_build *b, pass *p);

#endif
