/* What the readers of INPUT words share. */
#ifndef LIMN_INPUT_INSIDE_H
#define LIMN_INPUT_INSIDE_H

#include "core/data/prep.h"
#include "core/data/tokens.h"
#include "input.h"

/* An array, and where it is from. */
typedef struct piece {
    size_t input;
    lm_view view;
    char *source;
    bool whole; /* one sample, whatever its first axis counts */
} piece;

/* A text; `input` -1: nobody said what it is for. */
typedef struct input_text {
    char *source, *text;
    size_t count;
    int64_t input;
    const char *second; /* of --pair; NULL: there is none */
    lm_tokens tokens;
} input_text;

/* All texts of a command line. */
typedef struct input_texts {
    LM_VEC(input_text) all;
    lm_tokenizer *tokenizer; /* NULL: they have no tokens yet */
} input_texts;

typedef struct reader {
    input_parts *parts; /* NULL: all at once */
    const limn_model *m;
    const command *cmd;
    inputs *out;
    size_t inputs; /* of the model */
    size_t only;   /* the input that arrays without a name are for */
    bool single;   /* there is one such input */
    bool piped;    /* standard input was read */
    LM_VEC(piece) pieces;
    input_texts *texts;
} reader;

/* A word of the command line: "name=path:row". */
typedef struct input_word {
    const char *path; /* with the row */
    size_t input;
    bool named;
    char *file;  /* without the row */
    int64_t row; /* -1: all */
} input_word;

/* input.c: keep an array for an input. Takes the view's buffer in any case. */
lm_status input_keep(reader *r, size_t input, const char *source, lm_view *v);

/* input.c: LM_INPUT unless arrays without a name can be for one input only. */
lm_status input_need_single(const reader *r, const char *source);

/* input.c: "x float32[1,3], mask bool[n]" */
void input_list(const limn_model *m, lm_str *out);

/* input_table.c */
lm_status input_table(reader *r, const input_word *w);

/* input_picture.c: a PNG or JPEG file; those of a folder by their names; an IDX file. */
lm_status input_picture(reader *r, const input_word *w);
lm_status input_folder(reader *r, const input_word *w);
lm_status input_idx(reader *r, const input_word *w);
bool input_is_picture(const char *path);

/* input_text.c: a .txt file; and once all words are read, the texts as arrays, all or those of this part. */
lm_status input_text_file(reader *r, const input_word *w);
lm_status input_texts_feed(reader *r);
void input_texts_free(input_texts *texts);

/* input_sound.c: a .wav file. */
lm_status input_sound(reader *r, const input_word *w);

/* input_layout.c: where the axes of a picture lie in an input. */
typedef struct picture_axes {
    int channel, height, width; /* axes; channel -1: there is none, pictures are grey */
    bool last;                  /* channels vary fastest */
    bool batch;                 /* axis 0 counts samples */
} picture_axes;

/* LM_INPUT, naming `source`, where the input is no picture. */
lm_status picture_axes_find(const limn_port *p, layout wanted, const char *source, picture_axes *out);

/* input_prep.c: how pictures are prepared for the model: by --prep, or by its metadata. *scale_told: someone said
 * which numbers it wants. */
lm_status picture_prep(const reader *r, lm_prep *out, bool *scale_told);

#endif
