/* Small letters on pictures: titles of rows and columns in files that hold pixels only. */
#ifndef LM_DRAW_LETTERS_H
#define LM_DRAW_LETTERS_H

#include <stdbool.h>

#include "core/draw/canvas.h"

/* Of one letter with the gap behind it, before they are magnified. */
enum { LM_LETTER_WIDTH = 6, LM_LETTER_HEIGHT = 9 };

/* Each letter is LM_LETTER_WIDTH * zoom pixels wide; '\n' begins a line. Capitals look like small letters, and what is
 * no letter, digit or mark of ASCII like a box. What lies outside of the picture is cut off. */
void lm_letters_draw(const char *text, lm_rgb ink, int zoom, lm_canvas *to, int left, int top);

/* Has the text no other letters than those? */
bool lm_letters_has(const char *text);

/* Pixels of the longest line, and of all lines. */
int lm_letters_width(const char *text, int zoom);
int lm_letters_height(const char *text, int zoom);

#endif
