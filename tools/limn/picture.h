/* The layers of a model, and how they are drawn. */
#ifndef LIMN_PICTURE_H
#define LIMN_PICTURE_H

#include "subject.h"

typedef struct model_layers {
    limn_layer *layer;
    size_t count;
    bool guessed; /* some input has a free size */
} model_layers;

/* What a person calls it: its module, else its node, else its value. */
const char *layer_name(const limn_layer *y);

/* "1x64x56x56", "scalar" */
lm_status layer_shape(const limn_layer *y, lm_str *out);

/* As a page (.html) or a bare picture (.svg). */
lm_status draw_layers(const subject *on, const model_layers *l, bool page, lm_str *out);

#endif
