/* Colours for numbers, computed in a space where equal steps look equal (OKLab), so that no edge appears in a picture
 * that is not in the data. */
#ifndef LM_DRAW_COLOUR_H
#define LM_DRAW_COLOUR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct lm_rgb {
    uint8_t r, g, b;
} lm_rgb;

typedef enum lm_palette {
    LM_PALETTE_SIGNED, /* -1 blue, 0 almost white, 1 red; equally far numbers are equally dark */
    LM_PALETTE_HEAT,   /* 0 almost black, through purple and orange, 1 light yellow */
    LM_PALETTE_INK,    /* 0 white, 1 deep blue: for paper */
    LM_PALETTES
} lm_palette;

/* Numbers outside are taken for the nearest end, NaN for the middle of SIGNED and the beginning of the others. */
lm_rgb lm_colour(lm_palette palette, double t);

const char *lm_palette_name(lm_palette palette); /* "signed", "heat", "ink" */

/* Of a point in OKLab given by lightness (0 to 1), chroma and hue in turns, as near as a screen can show it. */
lm_rgb lm_colour_lch(double lightness, double chroma, double hue);

/* What a word stands on: white where t is 0; from -1 to 1 with signs, without them their size counts. */
lm_rgb lm_colour_ground(bool positive, double t);

#endif
