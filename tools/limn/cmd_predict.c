/* limn predict: run a model, show the greatest values, keep the results. */
#include <string.h>
#include <time.h>

#include "input.h"
#include "labels.h"
#include "result.h"
#include "subject.h"

typedef struct predict {
    command *cmd;
    subject on;
    inputs in;
    result r;
    labels names;
} predict;

static lm_status check_files(const command *cmd)
{
    result_form form;
    size_t at = 0;
    for (const char *path; (path = next_value(cmd, OPT_out, &at));)
        LM_TRY(result_form_of(path, &form));
    return LM_OK;
}

/* A name to fetch, once. Takes `name`, which may be NULL after a failure. */
static lm_status want(result *r, char *name)
{
    if (!name)
        return LM_MEMORY;
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->name[i], name) == 0) {
            lm_free(name);
            return LM_OK;
        }
    r->name[r->count++] = name;
    return LM_OK;
}

static lm_status choose(predict *p)
{
    result *r = &p->r;
    size_t outputs = limn_model_output_count(p->on.model);
    r->name = lm_calloc(outputs + p->cmd->uses.count, sizeof *r->name);
    r->tensor = lm_calloc(outputs + p->cmd->uses.count, sizeof *r->tensor);
    if (!r->name || !r->tensor)
        return LM_MEMORY;
    for (size_t i = 0; i < outputs; i++)
        LM_TRY(want(r, lm_strdup(limn_model_output(p->on.model, i)->name)));
    r->outputs = r->count;
    size_t at = 0;
    for (const char *layer; (layer = next_value(p->cmd, OPT_capture, &at));) {
        char *name;
        LM_TRY(limn_session_find(p->on.session, p->in.feed, p->in.feeds, layer, &name));
        LM_TRY(want(r, name));
    }
    return LM_OK;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --labels and --top are about vectors of classes; where the first output holds none, a person should know. */
static lm_status check_words(predict *p)
{
    result *r = &p->r;
    const limn_tensor *t = r->tensor;
    if (!r->outputs)
        return LM_OK;
    if (t->rank < 1 || t->rank > 2) {
        if (given(p->cmd, OPT_labels) || given(p->cmd, OPT_top))
            lm_log(LM_LOG_WARN, "%s: output '%s' has %d axes and so no classes; nothing is ranked",
                   given(p->cmd, OPT_top) ? "--top" : "--labels", r->name[0], t->rank);
        return LM_OK;
    }
    bool per_sample = t->rank == 1 && r->samples > 1 && t->dim[0] == r->samples;
    LM_TRY(labels_check(p->cmd->option[OPT_labels], r->name[0], per_sample ? 1 : t->dim[t->rank - 1], &p->names));
    r->label = p->names.at;
    r->labels = p->names.count;
    return LM_OK;
}

/* What -v asks for. */
static void tell(const predict *p, double seconds)
{
    limn_device_info d;
    if (limn_device_describe(p->on.device, &d) == LM_OK)
        lm_log(LM_LOG_INFO, "%s, %d thread%s, %s: %lld sample%s in %.2f ms, putting the model together included",
               d.name, d.units, d.units == 1 ? "" : "s", d.levels, (long long)p->r.samples,
               p->r.samples == 1 ? "" : "s", 1e3 * seconds);
}

static lm_status run(predict *p)
{
    result *r = &p->r;
    const command *cmd = p->cmd;
    r->top = 5;
    LM_TRY(whole_number(cmd, OPT_top, 1, &r->top));
    LM_TRY(check_files(cmd));
    if (given(cmd, OPT_labels))
        LM_TRY(labels_read(cmd->option[OPT_labels], &p->names));
    LM_TRY(subject_open(cmd, &p->on));
    if (!given(cmd, OPT_labels))
        LM_TRY(labels_of_model(p->on.model, &p->names));
    r->label = p->names.at;
    r->labels = p->names.count;
    LM_TRY(inputs_read(p->on.model, cmd, &p->in));
    LM_TRY(choose(p));
    if (given(cmd, OPT_capture) && !given(cmd, OPT_out) && !given(cmd, OPT_json))
        lm_log(LM_LOG_WARN, "--capture: what is captured goes to files; add -o FILE.npz");
    r->samples = p->in.samples;
    r->source = p->in.source.at;
    double start = seconds_now();
    LM_TRY(limn_session_run(p->on.session, p->in.feed, p->in.feeds, (const char *const *)r->name, r->count, r->tensor));
    double seconds = seconds_now() - start;
    if (!given(cmd, OPT_allow_nan))
        LM_TRY(result_check(p->cmd, r, p->on.session, p->in.feed, p->in.feeds));
    LM_TRY(check_words(p));
    tell(p, seconds);
    if (given(cmd, OPT_out) || given(cmd, OPT_json))
        LM_TRY(result_share(r, &p->on, p->in.feed, p->in.feeds));
    size_t at = 0;
    for (const char *path; (path = next_value(cmd, OPT_out, &at));) {
        result_form form;
        LM_TRY(result_form_of(path, &form));
        LM_TRY(result_write(r, path, form));
    }
    if (given(cmd, OPT_json))
        result_json(r, &p->cmd->out);
    else
        result_lines(r, &p->cmd->out);
    return LM_OK;
}

lm_status cmd_predict(command *cmd)
{
    predict p = {.cmd = cmd};
    lm_status status = run(&p);
    result_free_shares(&p.r);
    for (size_t i = 0; i < p.r.count; i++) {
        lm_free(p.r.name[i]);
        limn_tensor_free(&p.r.tensor[i]);
    }
    lm_free(p.r.name);
    lm_free(p.r.tensor);
    labels_free(&p.names);
    inputs_free(&p.in);
    subject_close(&p.on);
    return status;
}
