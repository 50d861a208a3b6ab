/* limn predict: run a model, show the greatest values, keep the results. */
#include <string.h>
#include <time.h>

#include "input.h"
#include "labels.h"
#include "phrases.h"
#include "progress.h"
#include "result.h"
#include "subject.h"

typedef struct predict {
    command *cmd;
    subject on;
    input_parts parts;
    inputs in; /* of this part */
    result r;
    labels names;
    int64_t samples; /* of all parts so far */
    double seconds;
    progress progress;
    LM_VEC(result_out) out;
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
        const bool kept = given(p->cmd, OPT_out) || given(p->cmd, OPT_json);
        if (given(p->cmd, OPT_labels) || given(p->cmd, OPT_top) || !kept)
            lm_log(LM_LOG_WARN, "%s: output '%s' has %d axes and so no classes; nothing is ranked%s",
                   given(p->cmd, OPT_top)      ? "--top"
                   : given(p->cmd, OPT_labels) ? "--labels"
                                               : p->cmd->operand[0],
                   r->name[0], t->rank, kept ? "" : ", -o FILE or --json shows all");
        return LM_OK;
    }
    bool per_sample = t->rank == 1 && r->samples > 1 && t->dim[0] == r->samples;
    LM_TRY(labels_check(p->cmd->option[OPT_labels], r->name[0], per_sample ? 1 : t->dim[t->rank - 1], &p->names));
    r->label = p->names.at;
    r->labels = p->names.count;
    return LM_OK;
}

/* What -v asks for. */
static void tell(const predict *p)
{
    limn_device_info d;
    lm_str on = {0};
    if (limn_device_describe(p->on.device, &d) == LM_OK && say_devices(&on, LM_ENGLISH, p->on.session) == LM_OK)
        lm_log(LM_LOG_INFO, "%s, %d thread%s, %s: %lld sample%s in %.2f ms, putting the model together included",
               lm_str_text(&on), d.units, d.units == 1 ? "" : "s", d.levels, (long long)p->samples,
               p->samples == 1 ? "" : "s", 1e3 * p->seconds);
    lm_str_free(&on);
}

static lm_status open_one(predict *p, const char *path)
{
    result_out o;
    LM_TRY(result_out_open(p->cmd, path, p->parts.rows, &o));
    return lm_vec_push(&p->out, o);
}

static lm_status open_outputs(predict *p)
{
    size_t at = 0;
    for (const char *path; (path = next_value(p->cmd, OPT_out, &at));)
        LM_TRY(open_one(p, path));
    return given(p->cmd, OPT_json) ? open_one(p, NULL) : LM_OK;
}

/* What was run, to where it is wanted. */
static lm_status add_part(predict *p)
{
    if (p->out.count)
        LM_TRY(result_share(&p->r, &p->on, p->in.feed, p->in.feeds));
    for (size_t i = 0; i < p->out.count; i++)
        LM_TRY(result_out_add(&p->out.at[i], &p->r));
    if (given(p->cmd, OPT_json))
        return LM_OK;
    result_lines(&p->r, &p->cmd->out);
    return p->parts.rows ? command_spill(p->cmd) : LM_OK;
}

static void forget_part(predict *p)
{
    result_free_shares(&p->r);
    for (size_t i = 0; i < p->r.count; i++)
        limn_tensor_free(&p->r.tensor[i]);
    inputs_free(&p->in);
}

/* Texts of unequal length come in parts without being asked, and an archive of parts is filled in here and there. */
static lm_status check_pipes(const predict *p)
{
    result_form form = FORM_JSON;
    size_t at = 0;
    for (const char *path; p->parts.texts && (path = next_value(p->cmd, OPT_out, &at));) {
        LM_TRY(result_form_of(path, &form));
        LM_REQUIRE(form != FORM_NPZ || arrays_can_grow(path), LM_INPUT,
                   "-o %s: the texts are run one by one, and what they give cannot go into a pipe as .npz; use .json "
                   "or a regular file",
                   path);
    }
    return LM_OK;
}

/* One part. *refused: the result cannot be had in parts. */
static lm_status run_part(predict *p, bool *more, bool *refused)
{
    result *r = &p->r;
    const command *cmd = p->cmd;
    const bool first = p->samples == 0;
    forget_part(p);
    LM_TRY(inputs_read_part(p->on.model, cmd, &p->parts, &p->in, more));
    if (first)
        LM_TRY(check_pipes(p));
    if (!r->name)
        LM_TRY(choose(p));
    r->samples = p->in.samples;
    r->many = p->parts.rows > 0;
    r->follows = !first;
    r->source = p->in.source.at;
    const double start = seconds_now();
    LM_TRY(limn_session_run(p->on.session, p->in.feed, p->in.feeds, (const char *const *)r->name, r->count, r->tensor));
    p->seconds += seconds_now() - start;
    p->samples += r->samples;
    if (first)
        LM_TRY(open_outputs(p));
    if (first && p->parts.table) {
        bool by_rows;
        LM_TRY(result_goes_by_rows(r, &p->on, p->in.feed, p->in.feeds, &by_rows));
        *refused = !by_rows;
        if (*refused)
            return LM_OK;
    }
    if (!given(cmd, OPT_allow_nan))
        LM_TRY(result_check(p->cmd, r, p->on.session, p->in.feed, p->in.feeds));
    if (first)
        LM_TRY(check_words(p));
    LM_TRY(add_part(p));
    progress_tell(&p->progress, (size_t)p->samples, (size_t)p->parts.rows);
    return LM_OK;
}

static lm_status run_all(predict *p, bool *refused)
{
    lm_status status = LM_OK;
    *refused = false;
    p->samples = 0;
    p->seconds = 0;
    p->progress = progress_begin(p->cmd, "samples");
    for (bool more = true; status == LM_OK && more && !*refused;)
        status = run_part(p, &more, refused);
    progress_end(&p->progress);
    for (size_t i = 0; status == LM_OK && !*refused && i < p->out.count; i++)
        status = result_out_close(&p->out.at[i], &p->on);
    for (size_t i = 0; i < p->out.count; i++)
        result_out_drop(&p->out.at[i]);
    lm_vec_free(&p->out);
    return status;
}

/* Long tables run in parts, unless a file cannot take them so. */
static lm_status open_parts(predict *p)
{
    size_t at = 0;
    for (const char *path; (path = next_value(p->cmd, OPT_out, &at));)
        if (!arrays_can_grow(path))
            return LM_OK;
    return input_parts_open(p->on.model, p->cmd, &p->parts);
}

static lm_status run(predict *p)
{
    result *r = &p->r;
    const command *cmd = p->cmd;
    bool refused;
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
    LM_TRY(open_parts(p));
    LM_TRY(run_all(p, &refused));
    if (refused) {
        input_parts_free(&p->parts);
        LM_TRY(run_all(p, &refused));
    }
    if (given(cmd, OPT_capture) && !given(cmd, OPT_out) && !given(cmd, OPT_json))
        lm_log(LM_LOG_WARN, "--capture: what is captured goes to files; add -o FILE.npz");
    tell(p);
    return LM_OK;
}

lm_status cmd_predict(command *cmd)
{
    predict p = {.cmd = cmd};
    lm_status status = run(&p);
    forget_part(&p);
    for (size_t i = 0; i < p.r.count; i++)
        lm_free(p.r.name[i]);
    lm_free(p.r.name);
    lm_free(p.r.tensor);
    labels_free(&p.names);
    input_parts_free(&p.parts);
    subject_close(&p.on);
    return status;
}
