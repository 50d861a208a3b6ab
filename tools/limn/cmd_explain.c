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

static lm_status write_all(const explanation *e, command *cmd)
{
    size_t at = 0;
    for (const char *path; (path = next_value(cmd, OPT_out, &at));) {
        explanation_form form;
        LM_TRY(explanation_form_of(path, &form));
        LM_TRY(explanation_write(e, path, form));
    }
    if (given(cmd, OPT_json))
        return explanation_json(e, &cmd->out);
    return given(cmd, OPT_out) ? LM_OK : explanation_text(e, cmd);
}

static lm_status run(command *cmd, subject *on, inputs *in, question *q)
{
    limn_explanation *why = NULL;
    LM_REQUIRE(given(cmd, OPT_method), LM_USAGE, "--method: is missing; give one or several, such as --method ig,gradcam, see "
                                                 "`limn info --methods`");
    LM_TRY(check_files(cmd));
    LM_TRY(drawing_read(cmd, &(drawing){.clip = 0}));
    LM_TRY(explanation_language_of(cmd, &(lm_language){LM_ENGLISH}));
    LM_TRY(question_read(cmd, q));
    LM_TRY(subject_open(cmd, on));
    LM_TRY(question_labels(on->model, q));
    LM_TRY(inputs_read(on->model, cmd, in));
    LM_TRY(question_bounds(in, q));
    LM_TRY(explanation_files_check(&(explanation){.cmd = cmd, .on = on, .in = in, .asked = q, .samples = in->samples}));
    progress p = progress_begin(cmd, "samples");
    q->ask.progress = progress_tell;
    q->ask.with = &p;
    lm_status status = limn_explain(on->session, in->feed, in->feeds, &q->ask, &why);
    progress_end(&p);
    LM_TRY(status);
    const explanation e = {.cmd = cmd, .on = on, .in = in, .asked = q, .why = why,
                           .samples = (int64_t)limn_explanation_samples(why)};
    status = given(cmd, OPT_allow_nan) ? LM_OK : check_numbers(cmd, &e);
    if (status == LM_OK)
        status = write_all(&e, cmd);
    limn_explanation_free(why);
    return status;
}

lm_status cmd_explain(command *cmd)
{
    subject on = {0};
    inputs in = {0};
    question q = {0};
    lm_status status = run(cmd, &on, &in, &q);
    question_free(&q);
    inputs_free(&in);
    subject_close(&on);
    return status;
}
