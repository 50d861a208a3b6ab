/* The kernels of a convolution as a picture. */
#ifndef LIMN_FILTERS_H
#define LIMN_FILTERS_H

#include "picture.h"

/* Those of the convolution whose module, node, value or weights `layer` names (NULL: of the first) as a PNG file: one
 * small picture per filter where it reads one channel, or three, which are shown as red, green and blue; otherwise a
 * row per filter with a picture per channel. */
lm_status filters_write(const subject *on, const model_layers *l, const char *layer, const char *path);

#endif
