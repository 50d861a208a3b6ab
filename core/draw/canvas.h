/* Pictures that are drawn on. */
#ifndef LM_DRAW_CANVAS_H
#define LM_DRAW_CANVAS_H

#include <stddef.h>

#include "core/base/status.h"
#include "core/draw/colour.h"

/* Rows from the top, pixels from the left, side by side without gaps. Starts as {0}. */
typedef struct lm_canvas {
    int width, height;
    lm_rgb *at;
} lm_canvas;

lm_status lm_canvas_new(int width, int height, lm_rgb ground, lm_canvas *out);
void lm_canvas_free(lm_canvas *c); /* {0} is fine */

static inline lm_rgb *lm_canvas_row(const lm_canvas *c, int y)
{
    return c->at + (size_t)y * (size_t)c->width;
}

#endif
