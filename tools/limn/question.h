/* The options of a command that ask for explanations, as a question to the library. */
#ifndef LIMN_QUESTION_H
#define LIMN_QUESTION_H

#include <limn/limn.h>

#include "command.h"
#include "input.h"
#include "labels.h"

/* Starts as {0}; freed with question_free in any case. */
typedef struct question {
    limn_question ask;
    labels names;
    const char *file_of_names; /* NULL: they are the model's own */
    LM_VEC(limn_setting) settings;
    LM_VEC(limn_feed) files; /* contents of files that options name; their names are ours */
    LM_VEC(char *) texts;    /* keys of settings */
} question;

/* From --method, --target, --set ...; reads the files that they name. */
lm_status question_read(const command *cmd, question *out);

/* Where no --labels are given: those that the model has. LM_INPUT when there are not as many as classes. */
lm_status question_labels(const limn_model *m, question *q);

/* Where a method asked for needs the least and the greatest value of its input, and pictures were prepared: those that come
 * of black and white, unless the user gave some. */
lm_status question_bounds(const inputs *in, question *q);

/* Where --baseline is a picture, a table or another INPUT that is no array: read as such, with the same preparation. */
lm_status question_baseline(const limn_model *m, const command *cmd, question *q);
void question_free(question *q);

#endif
