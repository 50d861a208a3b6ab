/* Where the boxes of a sketch stand and how its edges run. */
#ifndef LM_DRAW_LAYOUT_H
#define LM_DRAW_LAYOUT_H

#include "core/base/arena.h"
#include "core/base/vec.h"
#include "core/draw/sketch.h"

/* A box, or a bend of an edge that passes through a layer (width 0). */
typedef struct draw_item {
    int rank, slot;  /* layer from the top, place in it from the left */
    double x, w;     /* centre and width in pixels */
    int *up, *down;  /* neighbours in the layers above and below */
    int ups, downs;
} draw_item;

typedef struct draw_rank {
    int *item; /* from left to right */
    int count;
} draw_rank;

/* The items of an edge from its first box to its last. */
typedef struct draw_chain {
    int *item;
    int count;
} draw_chain;

typedef struct draw_layout {
    lm_arena arena;
    LM_VEC(draw_item) item; /* the sketch's nodes first, then bends */
    draw_rank *rank;
    int ranks;
    draw_chain *chain; /* by edge */
    double width, height;
} draw_layout;

/* Pixels. */
enum { DRAW_BOX = 38, DRAW_GAP = 34, DRAW_BETWEEN = 26, DRAW_MARGIN = 40 };

/* Top of a layer. */
static inline double draw_top(int rank)
{
    return DRAW_MARGIN + (double)rank * (DRAW_BOX + DRAW_GAP);
}

/* Starts as {0}; freed with draw_layout_free in any case. */
lm_status draw_layout_make(const lm_sketch *s, draw_layout *out);
void draw_layout_free(draw_layout *l);

/* order.c: choose who stands left of whom. place.c: choose the x of all items. */
lm_status draw_order(draw_layout *l);
lm_status draw_place(draw_layout *l);

/* About how wide a text is at 13 pixels; rather too wide than too narrow. */
double draw_text_width(const char *text);

/* Append a text, or its beginning and end with dots between so that it is no wider; cut between characters. */
void draw_text_cut(const char *text, double width, lm_str *out);

/* The same as the content of a <text>. */
void draw_text_fitted(const char *text, double width, lm_str *out);

/* The same in bold; where it is cut a pointer over it shows all. */
void draw_headline(const char *text, double width, lm_str *out);

#endif
