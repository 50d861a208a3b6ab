/* Preparation: how a picture becomes what a model was trained on, in the words of the option --prep:
 *
 *     resize=256,filter=bilinear,crop=224,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225,channels=rgb
 *
 * in this order whatever order they are written in; and rate=16000 for sound. */
#ifndef LM_DATA_PREP_H
#define LM_DATA_PREP_H

#include <stdbool.h>

#include "core/data/image.h"

typedef struct lm_prep {
    int side;              /* resize so that the shorter side has this length; 0: see width */
    int width, height;     /* resize to this; 0: leave the size */
    lm_filter filter;
    int crop_width, crop_height; /* 0: all */
    double scale;          /* multiplied to 0 ... 255 */
    double mean[3], std[3]; /* subtracted, divided by, after scaling; by channel as the model has them */
    bool bgr;              /* blue first */
    int rate;              /* of sound: frames a second; 0: as it is */
} lm_prep;

#define LM_PREP_NONE ((lm_prep){.scale = 1, .std = {1, 1, 1}})

/* LM_USAGE names the word. Parts that are not named stay as they are in *out. */
lm_status lm_prep_parse(const char *text, lm_prep *out);

/* Resize and crop the picture, give it the channels, and write the numbers: [channels][height][width], or with the
 * channels last. `to` has room for what lm_prep_size says. */
void lm_prep_size(const lm_prep *prep, const lm_image *image, int *width, int *height);
lm_status lm_prep_apply(const lm_prep *prep, lm_image *image, int channels, bool last, float *to);

#endif
