/* INPUTs: words of the command line to what a model is fed. */
#ifndef LIMN_INPUT_H
#define LIMN_INPUT_H

#include <limn/limn.h>

#include "command.h"
#include "core/tensor/tensor.h"

/* Starts as {0}; freed with inputs_free in any case. */
typedef struct inputs {
    limn_feed *feed; /* one per input of the model that is fed */
    size_t feeds;
    int64_t samples; /* rows of the first input's first axis where that is a batch, otherwise 1 */
    LM_VEC(char *) source; /* by sample: the file, with ":row" behind it where it holds several */
} inputs;

/* Read all `words` for the model; `leave_out` (may be NULL) is a column of tables that is no input. Numbers are
 * converted to what the model takes, a missing batch axis is added, several arrays for one input are stacked. LM_INPUT
 * says which file, what was expected, and where a number would lose its value. */
lm_status inputs_read(const limn_model *m, char **words, int count, const char *leave_out, inputs *out);
void inputs_free(inputs *in);

/* input_convert.c: `v`, whose buffer it takes in any case, as the port wants it: type and batch axis. */
lm_status input_fit(const limn_port *port, const char *source, lm_view *v);

/* input_convert.c: the parts, one below the other along their first axis. Takes no buffers. */
lm_status input_stack(const char *name, const lm_view *part, size_t parts, lm_view *out);

#endif
