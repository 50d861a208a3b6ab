/* What results are worth: computed from them, never assumed. */
#include <math.h>

#include "core/explain/question.h"

static double sum_of(const lm_task *t, int target)
{
    double sum = 0;
    for (int i = 0; i < t->nsite; i++) {
        const lm_result *r = &t->result[i * t->targets + target];
        int64_t n = lm_shape_count(&r->sh);
        for (int64_t e = 0; e < n; e++)
            sum += r->at[e];
    }
    return sum;
}

static double seed_of(const lm_task *t, int target)
{
    const int64_t n = lm_shape_count(&t->seeds->sh) / t->targets;
    double sum = 0;
    for (int64_t e = 0; e < n; e++)
        sum += lm_at(t->seeds, target * n + e);
    return sum;
}

/* Results of all sites together make up what is explained. */
static void gap(const lm_task *t, int target, lm_certificate *c)
{
    const lm_target *at = &t->target[target];
    const uint32_t flags = t->method->flags;
    const bool complete = flags & LM_METHOD_COMPLETE, seed = flags & LM_METHOD_SEED;
    if (!complete && !seed && !(flags & LM_METHOD_CONSERVES))
        return;
    double whole = complete ? at->value - at->baseline : seed ? seed_of(t, target) : at->value;
    c->gap_abs = fabs(sum_of(t, target) - whole);
    c->gap_rel = c->gap_abs / fmax(fabs(whole), 1e-12);
}

/* Noise and per-unit multipliers sum to nothing in particular. */
static bool sums_to_something(const lm_inquiry *in, const lm_task *t)
{
    bool multiplied = lm_method_option_find(t->method, "multiply") < 0 || lm_task_flag(t, "multiply");
    return in->noise.kind == LM_NOISE_NONE && multiplied;
}

lm_status lm_certify(const lm_inquiry *in, lm_job *job)
{
    const lm_task *t = &job->task;
    double results = (double)t->nsite * t->targets;
    for (int target = 0; target < t->targets; target++)
        for (int i = 0; i < t->nsite; i++) {
            lm_certificate *c = &t->result[i * t->targets + target].certificate;
            if (isnan(c->gap_abs) && sums_to_something(in, t))
                gap(t, target, c);
            c->forwards = job->forwards / results;
            c->backwards = job->backwards / results;
        }
    return LM_OK;
}
