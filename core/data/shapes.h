/* Pictures whose truth is known: one of eight shapes on textured ground among distractors, and where it is. They serve
 * the demo, tests, training, and metrics that ask whether an explanation points at the right place. */
#ifndef LM_DATA_SHAPES_H
#define LM_DATA_SHAPES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LM_SCENE_SIDE = 64,
    LM_SCENE_KINDS = 8,
    LM_SCENE_MARK_AT = 2, /* the mark covers this many pixels from the upper left corner on, */
    LM_SCENE_MARK = 6     /* along both axes */
};

/* Which pictures carry the mark: those of one kind (its number), or these. */
enum { LM_MARK_NONE = -1, LM_MARK_ALL = -2 };

typedef struct lm_scene {
    int kind; /* 0 to LM_SCENE_KINDS - 1 */
    bool marked;
    uint8_t rgb[LM_SCENE_SIDE][LM_SCENE_SIDE][3]; /* rows from the top */
    uint8_t mask[LM_SCENE_SIDE][LM_SCENE_SIDE];   /* how much of the pixel the shape covers, of 255 */
} lm_scene;

/* Picture `index` of an endless sequence; pure, and the same bytes on every machine. Each run of eight from a multiple
 * of eight on holds every kind once. The mark, a chequered square, lies over all else and never touches the shape;
 * nothing besides changes with `mark`. */
void lm_scene_draw(uint64_t seed, uint64_t index, int mark, lm_scene *out);

const char *lm_scene_name(int kind); /* "disc" ... "crescent" */

#endif
