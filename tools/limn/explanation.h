/* Explanations in the forms in which they are written. */
#ifndef LIMN_EXPLANATION_H
#define LIMN_EXPLANATION_H

#include <limn/limn.h>

#include "command.h"
#include "core/draw/words.h"
#include "input.h"
#include "question.h"
#include "sink.h"
#include "subject.h"

typedef struct explanation {
    const command *cmd;
    const subject *on;
    const inputs *in;
    const question *asked;
    const limn_explanation *why;
    int64_t samples; /* as the library counts them */
    bool many;       /* these are not all samples */
    double seconds;  /* that it took, all parts together */
    const struct lm_report_table *table; /* for the report, beside what it has of its own */
    int tables;
} explanation;

/* What a sample was read from; "" when nothing is known. */
const char *explanation_source(const explanation *e, int64_t sample);

typedef enum explanation_form {
    EXPLAIN_NPY,
    EXPLAIN_NPZ,
    EXPLAIN_JSON,
    EXPLAIN_PNG,
    EXPLAIN_SVG,
    EXPLAIN_HTML,
    EXPLAIN_FORMS
} explanation_form;

/* The form that a file's ending stands for; LM_USAGE lists the endings. */
lm_status explanation_form_of(const char *path, explanation_form *out);

/* explanation_out.c: a result that is written as the samples come, all at once or part by part. */
typedef struct explanation_out {
    explanation_form form;
    sink to;
    size_t telling; /* the result whose method has the facts of an .npz, as the first part has it */
} explanation_out;

/* The form must be one that can come in parts where `rows` is not 0. */
lm_status explanation_out_open(command *cmd, const char *path, int64_t rows, explanation_out *out);
lm_status explanation_out_add(explanation_out *out, const explanation *part);
lm_status explanation_out_close(explanation_out *out, const explanation *last); /* in any case nothing stays open */
void explanation_out_drop(explanation_out *out);                                /* give up; fine after close */

/* Can a file of this name come in parts? */
bool explanation_comes_in_parts(const char *path);

/* explanation_json.c: everything, for machines. Only what the end says differs between equal runs. */
lm_status explanation_json_begin(const explanation *e, lm_json *j);
lm_status explanation_json_samples(const explanation *e, lm_json *j);
lm_status explanation_json_end(const explanation *e, lm_json *j);

enum { EXPLAIN_HTML_SAMPLES = 500 }; /* most that a report shows */

/* explanation_html.c: the report. */
lm_status explanation_html(const explanation *e, const char *path);

/* What --lang asks for; explanation_language_of says whether it is spoken. */
lm_status explanation_language_of(const command *cmd, lm_language *out);
lm_language explanation_language(const explanation *e);

/* explanation_text.c: a few lines for each result, for people; at the end, what ran it where that was not one device. */
lm_status explanation_text(const explanation *e, command *cmd);
lm_status explanation_text_end(const explanation *e, command *cmd);

/* explanation_terminal.c: a heat map in half-block characters, where colours are wanted and it is one; nothing
 * otherwise. */
lm_status explanation_show(const explanation *e, const limn_attribution *a, int64_t sample, command *cmd);

/* LM_INPUT when a result holds a NaN or an infinity. */
lm_status explanation_check(const explanation *e);

#endif
