/* What a run gave, and the forms in which it is written. */
#ifndef LIMN_RESULT_H
#define LIMN_RESULT_H

#include <limn/limn.h>

#include "command.h"
#include "sink.h"
#include "subject.h"

typedef struct result {
    char **name;        /* ONNX names, each once */
    limn_tensor *tensor;
    size_t count;
    size_t outputs;     /* the first so many are the model's outputs; captured values follow */
    int64_t samples;
    bool many, follows; /* these are not all; not the first */
    char *const *source; /* by sample */
    char **label;       /* names of the classes; NULL: there are none */
    size_t labels;
    int64_t top;        /* how many of the greatest values are shown */
    limn_tensor
        *alone; /* alone[s * count + i]: value i of sample s by itself, {0} where axis 0 counts the samples; or NULL */
} result;

typedef enum result_form { FORM_NPY, FORM_NPZ, FORM_JSON, FORM_CSV, FORMS } result_form;

/* by_sample.c: where several samples ran together and axis 0 of a value does not count them, each sample is run by
 * itself for its share, which fills `alone`; result_free_shares frees it, in any case. */
lm_status result_share(result *r, const subject *on, const limn_feed *feed, size_t feeds);
void result_free_shares(result *r);

/* by_sample.c: is a row of every value what the sample has when it is alone? Only then parts of the samples give parts
 * of the result. */
lm_status result_goes_by_rows(const result *r, const subject *on, const limn_feed *feed, size_t feeds, bool *yes);

/* The form that a file's ending stands for; LM_USAGE lists the endings. */
lm_status result_form_of(const char *path, result_form *out);

/* result_out.c: a file, or what the command says as JSON, at once or part by part. */
typedef struct result_out {
    result_form form;
    sink to;
    LM_VEC(limn_tensor) like; /* shapes of the first part, by value */
} result_out;

lm_status result_out_open(command *cmd, const char *path, int64_t rows, result_out *out);
lm_status result_out_add(result_out *out, const result *part);
lm_status result_out_close(result_out *out, const subject *on); /* in any case nothing stays open */
void result_out_drop(result_out *out);       /* give up; fine after close */

/* The samples as JSON; as rows of a table, with the names of the columns before them when asked. */
void result_json(const result *r, lm_json *j);
void result_csv(const result *r, bool names, lm_str *out);

/* One line for each of the greatest values of the first output: "index label value", with tabs between. */
void result_lines(const result *r, lm_str *out);

/* culprit.c: LM_INPUT when a result holds a NaN or an infinity; cmd->node and the message tell the node that made
 * it. */
lm_status result_check(command *cmd, const result *r, limn_session *session, const limn_feed *feed, size_t feeds);

#endif
