/* limn explain: why the network answered as it did. */
#include "drawing.h"
#include "explanation_grid.h"
#include "progress.h"
#include "result.h"

static lm_status check_files(const command *cmd)
{
    explanation_form form;
    size_t at = 0;
    for (const char *path; (path = next_value(cmd, OPT_out, &at));)
        LM_TRY(explanation_form_of(path, &form));
    return LM_OK;
}

/* What is not finite in the prediction has a node to blame; what is not in the maps has not. */
static lm_status check_numbers(command *cmd, const explanation *e)
{
    char *name = (char *)limn_explanation_output(e->why);
    limn_tensor y = *limn_explanation_prediction(e->why);
    const result r = {.name = &name, .tensor = &y, .count = 1, .outputs = 1, .samples = e->samples};
    LM_TRY(result_check(cmd, &r, e->on->session, e->in->feed, e->in->feeds));
    return explanation_check(e);
}

typedef struct explain {
    command *cmd;
    subject on;
    question asked;
    input_parts parts;
    inputs in; /* of this part */
    progress progress;
    double seconds;
    LM_VEC(explanation_out) out;
} explain;

static lm_status open_one(explain *x, const char *path)
{
    explanation_out o;
    LM_TRY(explanation_out_open(x->cmd, path, x->parts.rows, &o));
    return lm_vec_push(&x->out, o);
}

static lm_status open_outputs(explain *x)
{
    const bool ragged = x->parts.rows && !x->parts.table; /* texts one by one */
    explanation_form form = EXPLAIN_JSON;
    size_t at = 0;
    for (const char *path; (path = next_value(x->cmd, OPT_out, &at));) {
        LM_TRY(explanation_form_of(path, &form));
        LM_REQUIRE(!ragged || form == EXPLAIN_JSON, LM_INPUT,
                   "-o %s: the texts have different numbers of tokens and the model takes no mask, so each is explained "
                   "by itself and they share no array and no picture; use .json, or give one text",
                   path);
        LM_TRY(open_one(x, path));
    }
    return given(x->cmd, OPT_json) ? open_one(x, NULL) : LM_OK;
}

static lm_status add_part(explain *x, const explanation *e)
{
    for (size_t i = 0; i < x->out.count; i++)
        LM_TRY(explanation_out_add(&x->out.at[i], e));
    if (x->out.count)
        return LM_OK;
    LM_TRY(explanation_text(e, x->cmd));
    return x->parts.rows ? command_spill(x->cmd) : LM_OK;
}

static lm_status close_outputs(explain *x, const explanation *last)
{
    if (!x->out.count)
        return explanation_text_end(last, x->cmd);
    for (size_t i = 0; i < x->out.count; i++)
        LM_TRY(explanation_out_close(&x->out.at[i], last));
    return LM_OK;
}

/* Is a row of the result a row of the input? Only then parts of the one are parts of the other. */
static bool goes_by_rows(const explain *x, const explanation *e)
{
    const limn_tensor *y = limn_explanation_prediction(e->why);
    for (size_t i = 0; i < limn_explanation_count(e->why); i++)
        if (limn_explanation_get(e->why, i)->added)
            return false;
    return e->samples == x->in.samples && y && y->rank > 0 && y->dim[0] == e->samples;
}

/* Options that change nothing here: whoever gave them should know. */
static void tell_unused(const explain *x, const explanation *e)
{
    bool compared = false, drawn = x->cmd->colour;
    for (size_t i = 0; i < limn_explanation_count(e->why); i++)
        compared |= limn_explanation_get(e->why, i)->compared != 0;
    for (size_t i = 0; i < x->out.count; i++)
        drawn |= x->out.at[i].form > EXPLAIN_JSON;
    const struct {
        option_id option;
        bool used;
        const char *why;
    } rows[] = {{OPT_baseline, compared, "none of these methods compares with a baseline"},
                {OPT_prep, x->in.prep_asked, "no picture and no sound was read"},
                {OPT_tokenizer, x->in.token_width > 0, "no text was read"},
                {OPT_draw, drawn, "nothing is drawn; add -o FILE.png, .svg or .html"}};
    for (size_t i = 0; i < LM_COUNT(rows); i++)
        if (given(x->cmd, rows[i].option) && !rows[i].used)
            lm_log(LM_LOG_WARN, "--%s: has no effect, for %s", options[rows[i].option].name, rows[i].why);
}

static lm_status take(explain *x, const explanation *e, bool more, bool *refused)
{
    const bool first = e->asked->ask.first == 0, fits = !x->parts.table || goes_by_rows(x, e);
    *refused = first && !fits;
    if (*refused)
        return LM_OK;
    LM_REQUIRE(fits, LM_INPUT,
               "%s: the result from row %llu on does not have a row for each of the table, as that of the rows before "
               "has; split the table into two files and give both",
               x->cmd->operand[1], (unsigned long long)e->asked->ask.first);
    LM_TRY(given(x->cmd, OPT_allow_nan) ? LM_OK : check_numbers(x->cmd, e));
    if (first)
        tell_unused(x, e);
    LM_TRY(add_part(x, e));
    return more ? LM_OK : close_outputs(x, e);
}

/* One part. *refused: the result cannot be had in parts. */
static lm_status explain_part(explain *x, bool *more, bool *refused)
{
    limn_explanation *why = NULL;
    question *q = &x->asked;
    const bool first = x->parts.at == 0;
    q->ask.first = (uint64_t)x->parts.at;
    x->progress.before = (size_t)x->parts.at;
    inputs_free(&x->in);
    LM_TRY(inputs_read_part(x->on.model, x->cmd, &x->parts, &x->in, more));
    explanation e = {.cmd = x->cmd, .on = &x->on, .in = &x->in, .asked = q, .samples = x->in.samples};
    if (first) {
        LM_TRY(question_bounds(&x->in, q));
        LM_TRY(explanation_files_check(&e));
        LM_TRY(open_outputs(x));
        x->progress.all = (size_t)x->parts.rows;
    }
    LM_TRY(limn_explain(x->on.session, x->in.feed, x->in.feeds, &q->ask, &why));
    x->seconds += limn_explanation_seconds(why);
    e.why = why;
    e.samples = (int64_t)limn_explanation_samples(why);
    e.seconds = x->seconds;
    e.many = x->parts.rows > 0;
    lm_status status = take(x, &e, *more, refused);
    limn_explanation_free(why);
    return status;
}

static lm_status explain_all(explain *x, bool *refused)
{
    x->seconds = 0;
    x->progress = progress_begin(x->cmd, "samples");
    x->asked.ask.progress = progress_tell;
    x->asked.ask.with = &x->progress;
    lm_status status = LM_OK;
    *refused = false;
    for (bool more = true; status == LM_OK && more && !*refused;)
        status = explain_part(x, &more, refused);
    progress_end(&x->progress);
    for (size_t i = 0; i < x->out.count; i++)
        explanation_out_drop(&x->out.at[i]);
    lm_vec_free(&x->out);
    return status;
}

/* Long tables are explained in parts where that gives the same: files must be such that can grow, and no array may have
 * a row for every sample, or look as if it had one for every sample of a part. */
static lm_status open_parts(explain *x)
{
    size_t at = 0;
    for (const char *path; (path = next_value(x->cmd, OPT_out, &at));)
        if (!explanation_comes_in_parts(path))
            return LM_OK;
    LM_TRY(input_parts_open(x->on.model, x->cmd, &x->parts));
    const int64_t rows = x->parts.rows, step = x->parts.step;
    for (size_t i = 0; rows && i < x->asked.files.count; i++) {
        const limn_tensor *t = &x->asked.files.at[i].tensor;
        for (int k = 0; k < t->rank && k < 2; k++)
            if (t->dim[k] == rows || t->dim[k] == step || t->dim[k] == rows % step) {
                input_parts_free(&x->parts);
                return LM_OK;
            }
    }
    return LM_OK;
}

static lm_status run(explain *x)
{
    command *cmd = x->cmd;
    bool refused;
    LM_REQUIRE(given(cmd, OPT_method), LM_USAGE,
               "--method: is missing; give one or several, such as --method ig,gradcam, see `limn info --methods`");
    LM_TRY(check_files(cmd));
    LM_TRY(drawing_read(cmd, &(drawing){.clip = 0}));
    LM_TRY(explanation_language_of(cmd, &(lm_language){LM_ENGLISH}));
    LM_TRY(question_read(cmd, &x->asked));
    LM_TRY(subject_open(cmd, &x->on));
    LM_TRY(question_labels(x->on.model, &x->asked));
    LM_TRY(question_baseline(x->on.model, cmd, &x->asked));
    LM_TRY(open_parts(x));
    LM_TRY(explain_all(x, &refused));
    if (!refused)
        return LM_OK;
    input_parts_free(&x->parts);
    return explain_all(x, &refused);
}

lm_status cmd_explain(command *cmd)
{
    explain x = {.cmd = cmd};
    lm_status status = run(&x);
    input_parts_free(&x.parts);
    question_free(&x.asked);
    inputs_free(&x.in);
    subject_close(&x.on);
    return status;
}
