/* Several small pictures in one, in rows from the left, each below its number. */
#ifndef LM_DRAW_TILES_H
#define LM_DRAW_TILES_H

#include <stdbool.h>

#include "core/draw/canvas.h"

/* All sizes in numbers of a map, or in pixels where the zoom is 1. The numbers begin with 0. */
typedef struct lm_tiles {
    int count, columns;
    int width, height; /* of one */
    int between;       /* side by side */
    int above;         /* each, for its number */
} lm_tiles;

/* As many columns as rows, about. *zoom, pixels per number, is at least 1 and grows until the tiles are `side` pixels
 * wide together and, with `numbered`, until their numbers fit; without it they get no room. */
lm_tiles lm_tiles_fit(int count, int width, int height, bool numbered, int side, int *zoom);

void lm_tiles_size(const lm_tiles *t, int64_t *width, int64_t *height);

/* Where a tile begins. */
void lm_tiles_place(const lm_tiles *t, int tile, int *x, int *y);

/* Write the numbers, where there is room for them. */
void lm_tiles_number(const lm_tiles *t, int zoom, lm_canvas *to, int left, int top);

/* Write the numbers from 0 to `count` - 1 side by side, or with `down` below each other and to the left of `left`, each
 * beside a place `pitch` pixels after the one before; where they would touch only some of them. */
void lm_tiles_rule(int count, int pitch, bool down, lm_canvas *to, int left, int top);

/* Pixels that the widest of `count` numbers takes, and the height of each with a gap below. */
int lm_tiles_rule_width(int count);
enum { LM_TILES_RULE_HEIGHT = 9 };

#endif
