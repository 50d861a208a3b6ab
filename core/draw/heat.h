/* Heat maps: numbers over a picture. */
#ifndef LM_DRAW_HEAT_H
#define LM_DRAW_HEAT_H

#include <stdbool.h>

#include "core/draw/tiles.h"

/* The value that `percent` of all |values| do not exceed, by rank; at least the smallest positive number, so that it
 * can be divided by. NaN is left out. */
lm_status lm_heat_range(const double *value, size_t n, double percent, double *out);

/* The same, but between two ranks as far as the percentage lies between them, as NumPy's percentile has it. */
lm_status lm_heat_range_between(const double *value, size_t n, double percent, double *out);

/* How numbers get between those of a coarser map; middles of pixels lie over each other. */
typedef enum lm_heat_filter { LM_HEAT_NEAREST, LM_HEAT_BILINEAR, LM_HEAT_BICUBIC, LM_HEAT_FILTERS } lm_heat_filter;
lm_status lm_heat_enlarge(const double *from, int width, int height, lm_heat_filter filter, double *to, int to_width,
                          int to_height);

/* Over a picture: colours that cover its greys the more the larger the number is; colours of one strength over its own;
 * the picture itself, the darker the smaller the number is. */
typedef enum lm_heat_mode { LM_HEAT_OVERLAY, LM_HEAT_BLEND, LM_HEAT_MASK, LM_HEAT_MODES } lm_heat_mode;

typedef struct lm_heat {
    const double *map; /* [height][width] */
    int width, height;
    double range;           /* numbers of this size get the full colour */
    const lm_canvas *under; /* of any size, stretched to the map's; NULL: none */
    int zoom;               /* pixels per number, along both axes */
    bool positive;          /* no number is below zero: colours from dark to light instead of blue, white, red */
    lm_heat_mode mode;
    double opacity; /* BLEND: of the colours; OVERLAY: of the strongest; 0: as is usual */
    int palette;    /* lm_palette + 1; 0: by `positive` */
    lm_tiles tiles; /* of how many the map is put together, with NaN between; no count: it is one */
} lm_heat;

/* Draw with the upper left corner at (left, top); what lies outside of the canvas is cut off. Without a picture
 * below the colours cover all but NaN, where the canvas stays as it is. Tiles get their numbers. */
void lm_heat_draw(const lm_heat *h, lm_canvas *to, int left, int top);

#endif
