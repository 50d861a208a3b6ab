/* limn demo: pictures whose truth is known, two networks that learned to tell their shapes, and what methods say about
 * them. The second network saw a mark on every star that it was shown, and on nothing else. */
#ifndef LIMN_DEMO_H
#define LIMN_DEMO_H

#include <limn/limn.h>

#include "activity.h"
#include "command.h"
#include "core/base/arena.h"
#include "core/data/shapes.h"
#include "core/draw/canvas.h"
#include "subject.h"

enum { DEMO_PICTURES = 10, DEMO_NETWORKS = 2, DEMO_METHODS = 9, DEMO_SIDE = LM_SCENE_SIDE };
enum { DEMO_PIXELS = DEMO_SIDE * DEMO_SIDE, DEMO_TELLING = 3 }; /* the marked triangle, which tells most */

typedef struct demo_picture {
    const char *name; /* "01-star" */
    lm_scene scene;
    lm_canvas canvas;
    uint8_t mask[DEMO_PIXELS]; /* 1 where the shape is */
} demo_picture;

/* What one method says about one picture: channels are summed up, those of sizes by the greatest. */
typedef struct demo_map {
    float value[DEMO_PIXELS];
    bool positive;
    double shape, corner; /* shares of the sum of all sizes that lie on the shape, and around the mark's place */
} demo_map;

typedef struct demo_network {
    const char *name, *file; /* "honest", "demo-honest.onnx" */
    const void *bytes;
    size_t size;
    subject on;
    limn_explanation *why;
    float score[DEMO_PICTURES][LM_SCENE_KINDS], chance[DEMO_PICTURES][LM_SCENE_KINDS];
    int says[DEMO_PICTURES];                          /* the kind */
    demo_map *map;                                    /* [methods][pictures] */
    activity inside;                                  /* its layers, and what they gave for each picture */
    const lm_report_activity *active[DEMO_PICTURES];
    double shape[DEMO_METHODS], corner[DEMO_METHODS]; /* means: over all pictures, and over those with the mark */
} demo_network;

typedef struct demo {
    command *cmd;
    const char *folder;
    demo_picture *picture; /* [DEMO_PICTURES] */
    demo_network network[DEMO_NETWORKS];
    double shape, corner; /* shares of the pixels */
    double seconds;
    bool without_png; /* this build writes none */
    lm_arena arena;
} demo;

/* As they are asked for, and as they are shown: with what is not left as usual. */
extern const char *const demo_methods[DEMO_METHODS], *const demo_names[DEMO_METHODS];

/* demo_run.c: draw the pictures, ask the networks, explain. */
lm_status demo_draw(demo *d);
lm_status demo_explain(demo *d, demo_network *n);

static inline demo_map *demo_map_of(const demo_network *n, int method, int picture)
{
    return &n->map[method * DEMO_PICTURES + picture];
}

/* demo_files.c: models, pictures, grids of maps and a chart into the folder. */
lm_status demo_files(demo *d);

/* demo_report.c: the page. */
lm_status demo_report(demo *d);

/* demo_text.c: what people and machines are told. */
lm_status demo_text(demo *d);
lm_status demo_json(demo *d);

/* "61 %", for as long as the demo. */
const char *demo_percent(demo *d, double share);

#endif
