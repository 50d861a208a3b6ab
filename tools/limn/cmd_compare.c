/* limn compare: methods side by side. */
#include <string.h>
#include <strings.h>

#include "comparison.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "explanation_grid.h"
#include "progress.h"

static lm_status write_json(const comparison *c, const char *path)
{
    lm_str text = {0};
    lm_status status = comparison_json(c, true, &text);
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&text), text.count);
    lm_str_free(&text);
    return status;
}

typedef lm_status (*write_fn)(const comparison *, const char *path);

static const struct {
    const char *ending;
    write_fn write;
} forms[] = {{".png", comparison_png}, {".svg", comparison_svg}, {".html", comparison_html}, {".json", write_json}};

static lm_status form_of(const char *path, write_fn *out)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; i < LM_COUNT(forms); i++)
        if (dot && strcasecmp(dot, forms[i].ending) == 0) {
            *out = forms[i].write;
            return LM_OK;
        }
    return lm_fail(LM_USAGE, "-o: '%.199s' ends in none of .png, .svg, .html and .json; choose one", path);
}

/* What certainly cannot be written is refused before anything is explained. The matrix of a .svg file suits everything. */
static lm_status check_files(const explanation *e)
{
    size_t at = 0;
    for (const char *path; (path = next_value(e->cmd, OPT_out, &at));) {
        write_fn write = NULL;
        LM_TRY(form_of(path, &write));
        LM_TRY(explanation_file_check(e, path,
                                      write == comparison_png    ? EXPLAIN_PNG
                                      : write == comparison_html ? EXPLAIN_HTML
                                                                 : EXPLAIN_JSON));
    }
    return LM_OK;
}

static bool knows(const char *method, const char *key)
{
    const limn_method *m;
    for (size_t i = 0; (m = limn_method_get(i)); i++)
        for (size_t k = 0; strcmp(m->id, method) == 0 && k < m->options; k++)
            if (strcmp(m->option[k].key, key) == 0)
                return true;
    return false;
}

/* By itself, with those of the settings that it knows; the second time, because the first one makes plans. */
static lm_status time_method(const comparison *c, const inputs *in, const question *q, limn_setting *own, size_t method)
{
    limn_question ask = q->ask;
    ask.method = comparison_method(c, method);
    ask.setting = own;
    ask.settings = 0;
    for (size_t i = 0; i < q->ask.settings; i++)
        if (knows(ask.method, q->ask.setting[i].key))
            own[ask.settings++] = q->ask.setting[i];
    for (int round = 0; round < 2; round++) {
        limn_explanation *why;
        LM_TRY(limn_explain(c->e->on->session, in->feed, in->feeds, &ask, &why));
        const limn_certificate *cost = limn_explanation_get(why, 0)->certificate;
        c->cost[method] = (comparison_cost){cost->forwards, cost->backwards, 1e3 * limn_explanation_seconds(why)};
        limn_explanation_free(why);
    }
    return LM_OK;
}

static lm_status time_methods(comparison *c, const inputs *in, const question *q)
{
    limn_setting *own = lm_calloc(q->ask.settings, sizeof *own);
    c->cost = lm_calloc(c->methods, sizeof *c->cost);
    lm_status status = own && c->cost ? LM_OK : LM_MEMORY;
    for (size_t m = 0; m < c->methods && status == LM_OK; m++)
        status = time_method(c, in, q, own, m);
    lm_free(own);
    return status;
}

static lm_status write_all(const comparison *c, command *cmd)
{
    size_t at = 0;
    for (const char *path; (path = next_value(cmd, OPT_out, &at));) {
        write_fn write = NULL;
        LM_TRY(form_of(path, &write));
        LM_TRY(write(c, path));
    }
    if (given(cmd, OPT_json))
        return comparison_json(c, false, &cmd->out);
    return given(cmd, OPT_out) ? LM_OK : comparison_text(c, cmd);
}

static lm_status compare(command *cmd, const subject *on, const inputs *in, question *q)
{
    limn_explanation *why = NULL;
    progress p = progress_begin(cmd, "samples");
    q->ask.progress = progress_tell;
    q->ask.with = &p;
    lm_status status = limn_explain(on->session, in->feed, in->feeds, &q->ask, &why);
    progress_end(&p);
    q->ask.progress = NULL;
    LM_TRY(status);
    const explanation e = {
        .cmd = cmd, .on = on, .in = in, .asked = q, .why = why, .samples = (int64_t)limn_explanation_samples(why)};
    comparison c = {.e = &e};
    status = given(cmd, OPT_allow_nan) ? LM_OK : explanation_check(&e);
    if (status == LM_OK)
        status = comparison_make(&c);
    if (status == LM_OK)
        status = time_methods(&c, in, q);
    if (status == LM_OK)
        status = write_all(&c, cmd);
    comparison_free(&c);
    limn_explanation_free(why);
    return status;
}

static lm_status run(command *cmd, subject *on, inputs *in, question *q)
{
    const char *methods = cmd->option[OPT_method];
    LM_REQUIRE(methods && strchr(methods, ','), LM_USAGE,
               "--method: give at least two methods to compare, such as --method "
               "ig,gradcam, see `limn info --methods`");
    size_t at = 0;
    for (const char *path; (path = next_value(cmd, OPT_out, &at));)
        LM_TRY(form_of(path, &(write_fn){NULL}));
    LM_TRY(explanation_language_of(cmd, &(lm_language){LM_ENGLISH}));
    LM_TRY(question_read(cmd, q));
    LM_TRY(subject_open(cmd, on));
    LM_TRY(question_labels(on->model, q));
    LM_TRY(question_baseline(on->model, cmd, q));
    LM_TRY(inputs_read(on->model, cmd, in));
    LM_TRY(question_bounds(in, q));
    LM_TRY(check_files(&(explanation){.cmd = cmd, .on = on, .in = in, .asked = q, .samples = in->samples}));
    return compare(cmd, on, in, q);
}

lm_status cmd_compare(command *cmd)
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
