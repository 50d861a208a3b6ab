/* The kernels of a convolution as a picture. */
#ifndef LIMN_FILTERS_H
#define LIMN_FILTERS_H

#include "picture.h"

/* Those of the convolution that `layer` names in any of its forms, or by its weights (NULL: of the first), as a PNG file;
 * of a layer that normalises, adds up or activates, those of the last convolution before it. One small picture per filter
 * where it reads one channel, or three, which are shown as red, green and blue; otherwise a row per filter with a picture
 * per channel. */
lm_status filters_write(const subject *on, const model_layers *l, const char *layer, const char *path);

#endif
