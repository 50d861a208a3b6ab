/* Rows of tiles with small numbers. */
#include "core/draw/tiles.h"

#include <math.h>
#include <stdio.h>

#include "core/draw/letters.h"

enum { DIGIT_HEIGHT = 7 };
static const lm_rgb ink = {87, 96, 106};

static int width_of(int number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    return lm_letters_width(text, 1);
}

static void write(int number, lm_canvas *to, int left, int top)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    lm_letters_draw(text, ink, 1, to, left, top);
}

int lm_tiles_rule_width(int count)
{
    return width_of(count > 0 ? count - 1 : 0) + 2;
}

lm_tiles lm_tiles_fit(int count, int width, int height, bool numbered, int side, int *zoom)
{
    lm_tiles t = {.count = count, .columns = (int)ceil(sqrt(count)), .width = width, .height = height, .between = 1};
    const int64_t all = (int64_t)t.columns * (width + t.between) - t.between;
    *zoom = all < side ? (int)((side + all - 1) / all) : 1;
    while (numbered && (width + t.between) * *zoom < width_of(count - 1))
        ++*zoom;
    t.above = numbered ? (LM_TILES_RULE_HEIGHT + *zoom - 1) / *zoom : 1;
    return t;
}

void lm_tiles_size(const lm_tiles *t, int64_t *width, int64_t *height)
{
    *width = (int64_t)t->columns * (t->width + t->between) - t->between;
    *height = (int64_t)((t->count + t->columns - 1) / t->columns) * (t->height + t->above);
}

void lm_tiles_place(const lm_tiles *t, int tile, int *x, int *y)
{
    *x = tile % t->columns * (t->width + t->between);
    *y = tile / t->columns * (t->height + t->above) + t->above;
}

void lm_tiles_number(const lm_tiles *t, int zoom, lm_canvas *to, int left, int top)
{
    for (int i = 0; i < t->count && t->above * zoom >= LM_TILES_RULE_HEIGHT; i++) {
        int x, y;
        lm_tiles_place(t, i, &x, &y);
        write(i, to, left + x * zoom, top + y * zoom - DIGIT_HEIGHT - 1);
    }
}

void lm_tiles_rule(int count, int pitch, bool down, lm_canvas *to, int left, int top)
{
    const int needed = down ? LM_TILES_RULE_HEIGHT : lm_tiles_rule_width(count), each = (needed + pitch - 1) / pitch;
    for (int i = 0; i < count; i += each)
        write(i, to, down ? left - width_of(i) - 1 : left + i * pitch, down ? top + i * pitch : top);
}
