/* Pictures of graphs that flow from top to bottom: boxes in layers, few crossings, frames around groups. */
#ifndef LM_DRAW_SKETCH_H
#define LM_DRAW_SKETCH_H

#include <stdbool.h>

#include "core/base/str.h"

/* Texts are UTF-8 and borrowed; NULL is "". */
typedef struct lm_sketch_node {
    const char *title, *name;   /* the first line in the box: what it is, in bold, and what it is called */
    const char *detail;         /* the second line */
    const char *hint;           /* what a pointer held over it shows, and what is searched */
    const char *group;          /* "a.b.c": it stands in the frames a and a.b */
    int colour;                 /* 0 to LM_SKETCH_COLOURS - 1 */
    bool strong;                /* drawn with a thick border */
} lm_sketch_node;

typedef struct lm_sketch_edge {
    int from, to; /* from < to: the order of the nodes is one in which the graph can run */
} lm_sketch_edge;

enum { LM_SKETCH_COLOURS = 8 };

typedef struct lm_sketch {
    const char *title;
    int nodes, edges;
    const lm_sketch_node *node;
    const lm_sketch_edge *edge;
    const char *legend[LM_SKETCH_COLOURS]; /* what a colour stands for; NULL: it is not explained */
} lm_sketch;

/* The picture alone, and a page with it that can be moved, zoomed and searched and needs nothing from outside. Equal
 * graphs give equal bytes. LM_USAGE for edges that go nowhere or backwards. */
lm_status lm_sketch_svg(const lm_sketch *s, lm_str *out);
lm_status lm_sketch_html(const lm_sketch *s, lm_str *out);

#endif
