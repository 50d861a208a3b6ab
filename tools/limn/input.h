/* INPUTs: words of the command line to what a model is fed. */
#ifndef LIMN_INPUT_H
#define LIMN_INPUT_H

#include <limn/limn.h>

#include "command.h"
#include "core/data/csv.h"
#include "core/data/prep.h"
#include "core/draw/canvas.h"
#include "core/tensor/tensor.h"

/* What --layout says about axes: channels before or behind those of the picture, or of time. */
typedef enum layout { LAYOUT_AUTO, LAYOUT_NCHW, LAYOUT_NHWC, LAYOUT_NLC, LAYOUTS } layout;

/* A sample of an input as people see it: prepared, but for scale and colours as in the file. */
typedef struct input_view {
    size_t input; /* of the model */
    lm_canvas canvas;
} input_view;

/* Starts as {0}; freed with inputs_free in any case. */
typedef struct inputs {
    limn_feed *feed; /* one per input of the model that is fed */
    size_t feeds;
    int64_t samples;       /* rows of the first input's first axis where that is a batch, otherwise 1 */
    LM_VEC(char *) source; /* by sample: the file, with ":row" behind it where it holds several */
    layout layout;
    LM_VEC(input_view) picture; /* in the order in which they were given */
    LM_VEC(char *) column;      /* of the last table that was read, by number; "" without a header */
    LM_VEC(char *) token;       /* of texts, as people read them: by sample, then place */
    const char *token_input;    /* the input of the model that has them */
    int64_t token_width;        /* places of a sample; 0: there are no texts */
    bool prepared;              /* pictures were read, and this was done with them */
    bool prep_asked;            /* something was read that --prep is about */
    lm_prep prep;
    int channels;
} inputs;

/* Read all words behind the first for the model, by the command's options. Numbers are converted to what the model
 * takes, a missing batch axis is added, several arrays for one input are stacked. LM_INPUT says which file, what was
 * expected, and where a number would lose its value. */
lm_status inputs_read(const limn_model *m, const command *cmd, inputs *out);
void inputs_free(inputs *in);

/* INPUT part by part: one long table, so that it takes little memory, where the model takes any number of rows; and
 * texts of unequal length one by one, where no mask lets them share a batch, which shows when the first part is read.
 * Starts as {0}, which is everything at once; freed with input_parts_free in any case. */
typedef struct input_parts {
    lm_csv_parts *table;
    struct input_texts *texts; /* that come one by one, read and numbered with the first part */
    int64_t rows, step; /* in all, at once; the last part may have fewer, but never just one, which some results would
                         * show otherwise than one of many */
    int64_t at;         /* rows before the next part */
    bool *told;         /* by input of the model: that values are missing */
} input_parts;

lm_status input_parts_open(const limn_model *m, const command *cmd, input_parts *out);
void input_parts_free(input_parts *parts);

/* inputs_read of the next part; `out` is freed by the caller before each. *more: there is another one. */
lm_status inputs_read_part(const limn_model *m, const command *cmd, input_parts *parts, inputs *out, bool *more);

/* Does the word name an INPUT that is no array: a picture, a folder of them, a table, a sound, a text? Also with a row. */
bool inputs_have_form(const char *word);

/* The picture of a sample of the input of that name; NULL: there is none. */
const lm_canvas *inputs_picture(const inputs *in, const limn_model *m, const char *name, int64_t sample);

/* Of a series [N,C,T] or [N,T,C]: is it the latter? By --layout, or by what the model does with it. */
bool inputs_series_last(const inputs *in, const limn_model *m, const char *name);

/* What stands at a place of a sample of the input of that name; NULL: it is no text. */
const char *inputs_token(const inputs *in, const char *name, int64_t sample, int64_t place);

/* input_convert.c: `v`, whose buffer it takes in any case, as the port wants it: type and batch axis. */
lm_status input_fit(const limn_port *port, const char *source, lm_view *v);

/* input_convert.c: the parts, one below the other along their first axis. Takes no buffers. */
lm_status input_stack(const char *name, const lm_view *part, size_t parts, lm_view *out);

#endif
