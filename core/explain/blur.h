/* Images among tensors, and their Gaussian blur. */
#ifndef LM_EXPLAIN_BLUR_H
#define LM_EXPLAIN_BLUR_H

#include "core/base/arena.h"
#include "core/tensor/tensor.h"

/* How the elements of one image lie: channel c of pixel (y, x) is element c * channel + (y * width + x) * pixel. */
typedef struct lm_image {
    int64_t channels, height, width;
    int64_t channel, pixel;
    bool last; /* channels are the last axis */
} lm_image;

/* [1, C, H, W] or [1, H, W, C] with 1, 3 or 4 channels. LM_INPUT says what an image is; `what` names the tensor. */
lm_status lm_image_find(const lm_shape *sh, const char *what, lm_image *out);

/* Blur one image of doubles channel by channel with a Gaussian of `sigma` pixels, cut at 4 sigma and brought to sum
 * 1; beyond its edges the image is mirrored, the edge pixel included. sigma <= 0 copies. `from` and `to` may be the
 * same. */
lm_status lm_blur(const lm_image *im, double sigma, const double *from, double *to);

#endif
