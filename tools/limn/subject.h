/* The model that a verb is about, and the device that runs it. */
#ifndef LIMN_SUBJECT_H
#define LIMN_SUBJECT_H

#include <limn/limn.h>

#include "command.h"

/* Starts as {0}; freed with subject_close in any case. */
typedef struct subject {
    const char *file;
    limn_model *model;
    limn_device *device;
    limn_session *session;
} subject;

/* Open the model that the first operand names, the device of --backend, and a session. */
lm_status subject_open(const command *cmd, subject *out);
void subject_close(subject *s);

/* What each of several devices has run as members of an object, "split" and "shares"; nothing where there is one. */
void subject_shares_json(const subject *s, lm_json *j);

/* What the model says about itself under this key; NULL: nothing. */
const char *model_metadata(const limn_model *m, const char *key);

/* "float32[1,3,?]" with the names of free sizes. */
lm_status port_text(const limn_port *p, lm_str *out);

/* The same as an object; free sizes are their names, or null. */
void port_json(lm_json *j, const limn_port *p);

#endif
