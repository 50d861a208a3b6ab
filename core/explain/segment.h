/* Regions of images. */
#ifndef LM_EXPLAIN_SEGMENT_H
#define LM_EXPLAIN_SEGMENT_H

#include "core/explain/blur.h"

/* Segments after Felzenszwalb and Huttenlocher (Efficient graph-based image segmentation, 2004), for several scales
 * at once: larger scales give larger segments. The image is blurred by `sigma` pixels and brought to [-1, 1];
 * neighbouring pixels are as far apart as their colours; regions join while the step between them is at most scale /
 * 255 / (pixels) above the largest step inside either. Regions of less than `least` pixels join their nearest
 * neighbour. Steps of equal size are taken in the order of pixels.
 *
 * label: [scales][height * width], numbers from 0 on in the order of their first pixels; count: by scale. */
lm_status lm_segment(const lm_image *im, const double *pixel, double sigma, int scales, const double *scale,
                     int64_t least, int32_t *label, int32_t *count);

/* Regions that may overlap: which of them lie on each pixel. */
typedef struct lm_regions {
    int32_t count;
    int64_t pixels;
    int64_t *first; /* [pixels + 1]: the pixel's regions are which[first[p]] ... which[first[p + 1] - 1] */
    int32_t *which;
} lm_regions;

/* Every segment of every segmentation, grown by `radius` pixels all round. label: [segmentations][height * width],
 * count: their segments. Free with lm_regions_free. */
lm_status lm_regions_grow(int64_t height, int64_t width, int segmentations, const int32_t *label, const int32_t *count,
                          double radius, lm_regions *out);
void lm_regions_free(lm_regions *r);

/* Rank regions by how much of `value` lies in a pixel of them, the best first, each without what better ones cover;
 * those that add less than `least` pixels are left out. rank[p] is the mean of `value` over the part of its region
 * that pixel p lies in; over what no region covers, its mean there. */
lm_status lm_regions_rank(const lm_regions *r, const double *value, int64_t least, double *rank);

#endif
