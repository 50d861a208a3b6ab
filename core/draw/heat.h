/* Heat maps: numbers over a picture. */
#ifndef LM_DRAW_HEAT_H
#define LM_DRAW_HEAT_H

#include <stdbool.h>

#include "core/draw/canvas.h"

/* The value that `percent` of all |values| do not exceed, by rank; at least the smallest positive number, so that it can be
 * divided by. NaN counts as 0. */
lm_status lm_heat_range(const double *value, size_t n, double percent, double *out);

typedef struct lm_heat {
    const double *map;      /* [height][width] */
    int width, height;
    double range;           /* numbers of this size get the full colour */
    const lm_canvas *under; /* of any size, stretched to the map's; NULL: none */
    int zoom;               /* pixels per number, along both axes */
    bool positive;          /* no number is below zero: colours from dark to light instead of blue, white, red */
} lm_heat;

/* Draw with the upper left corner at (left, top); what lies outside of the canvas is cut off. Over a picture, which is shown
 * in grey, the colour covers the more the larger the number is; without one it covers all. */
void lm_heat_draw(const lm_heat *h, lm_canvas *to, int left, int top);

#endif
