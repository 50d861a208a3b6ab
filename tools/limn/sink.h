/* Where results go as they come, all at once or part by part: a file of arrays or of text, or what the command says. */
#ifndef LIMN_SINK_H
#define LIMN_SINK_H

#include "arrays.h"
#include "command.h"
#include "core/base/json.h"

typedef enum sink_form { SINK_NPY, SINK_NPZ, SINK_JSON, SINK_TEXT, SINK_OTHER } sink_form; /* OTHER: opens nothing */

typedef struct sink {
    const char *path; /* NULL: said */
    command *cmd;
    sink_form form;
    int64_t rows; /* of all parts; 0: there is one */
    bool begun;
    arrays arrays; /* .npy, .npz */
    lm_out file;   /* of text */
    lm_str text;   /* for the file, until sink_flush */
    lm_json json;
} sink;

/* Opens nothing yet. */
void sink_start(command *cmd, const char *path, sink_form form, int64_t rows, sink *out);

/* Opens the file; to be called with the first result in hand, so that a run that fails touches none. From here on the
 * sink stays where it is. */
lm_status sink_begin(sink *s);

lm_status sink_flush(sink *s);
lm_status sink_close(sink *s); /* with what is left to be flushed; in any case nothing stays open */
void sink_drop(sink *s);       /* give up; fine after close */

#endif
