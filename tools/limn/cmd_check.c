/* limn check: everything that keeps a model from running, or its gradients from passing. */
#include <string.h>

#include "subject.h"

typedef struct verdict {
    bool forward, backward;
    const limn_problem *problem;
    size_t problems;
} verdict;

static void as_json(command *cmd, const subject *on, const verdict *v)
{
    lm_json j;
    lm_json_start(&j, &cmd->out);
    lm_json_object(&j);
    lm_json_key(&j, "model");
    lm_json_string(&j, on->file);
    lm_json_key(&j, "forward");
    lm_json_bool(&j, v->forward);
    lm_json_key(&j, "backward");
    lm_json_bool(&j, v->backward);
    lm_json_key(&j, "problems");
    lm_json_array(&j);
    for (size_t i = 0; i < v->problems; i++) {
        const limn_problem *p = &v->problem[i];
        const char *text[][2] = {{"node", p->node}, {"op", p->op}, {"reason", p->reason}};
        lm_json_object(&j);
        for (size_t k = 0; k < LM_COUNT(text); k++) {
            lm_json_key(&j, text[k][0]);
            lm_json_string(&j, *text[k][1] ? text[k][1] : NULL);
        }
        lm_json_key(&j, "forward");
        lm_json_bool(&j, !p->forward);
        lm_json_key(&j, "backward");
        lm_json_bool(&j, p->depends);
        lm_json_end_object(&j);
    }
    lm_json_end_array(&j);
    lm_json_end_object(&j);
    lm_str_char(&cmd->out, '\n');
}

static int widest(const char *text, int least)
{
    int n = (int)strlen(text);
    return n > 48 ? 48 : n > least ? n : least;
}

static void as_table(command *cmd, const verdict *v)
{
    lm_str_printf(&cmd->out, "forward   %s\nbackward  %s\n", v->forward ? "yes" : "no", v->backward ? "yes" : "no");
    if (!v->problems)
        return;
    int width[] = {4, 8, 7, 8, 0};
    for (size_t i = 0; i < v->problems; i++) {
        width[0] = widest(v->problem[i].node, width[0]);
        width[1] = widest(v->problem[i].op, width[1]);
    }
    lm_str_char(&cmd->out, '\n');
    table_row(&cmd->out, width, (const char *[]){"node", "operator", "forward", "backward", "why"}, LM_COUNT(width));
    for (size_t i = 0; i < v->problems; i++) {
        const limn_problem *p = &v->problem[i];
        const char *node = *p->node ? p->node : "-", *op = *p->op ? p->op : "-";
        const char *cell[] = {node, op, p->forward ? "no" : "yes", p->depends ? "yes" : "no", p->reason};
        table_row(&cmd->out, width, cell, LM_COUNT(width));
    }
}

static lm_status run(command *cmd, subject *on)
{
    limn_problem *list;
    LM_TRY(subject_open(cmd, on));
    LM_REQUIRE(cmd->operands == 1, LM_USAGE, "takes one model, not also '%.99s'; leave it out", cmd->operand[1]);
    verdict v = {true, true, NULL, 0};
    LM_TRY(limn_model_check(on->model, on->device, &list, &v.problems));
    v.problem = list;
    for (size_t i = 0; i < v.problems; i++) {
        v.backward &= list[i].depends != 0;
        v.forward &= !list[i].forward;
    }
    if (given(cmd, OPT_json))
        as_json(cmd, on, &v);
    else
        as_table(cmd, &v);
    limn_problems_free(list);
    return v.forward && (v.backward || !given(cmd, OPT_backward)) ? LM_OK : LM_NO;
}

lm_status cmd_check(command *cmd)
{
    subject on = {0};
    lm_status status = run(cmd, &on);
    subject_close(&on);
    return status;
}
