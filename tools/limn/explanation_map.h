/* One sample's attribution of a picture as a map that can be drawn. */
#ifndef LIMN_EXPLANATION_MAP_H
#define LIMN_EXPLANATION_MAP_H

#include "core/draw/heat.h"
#include "drawing.h"
#include "explanation.h"

/* Starts as {0}, or with `numbered`; freed with explanation_map_free in any case. */
typedef struct explanation_map {
    lm_heat heat; /* its map is `value`, its picture `own` or that of the input */
    double *value;
    lm_canvas own; /* made of the input's numbers, where no picture was read */
    drawing how;   /* as --draw says */
    int zoom;      /* a whole factor that makes it well visible */
    bool numbered; /* given: channels that are drawn each have room for their numbers */
} explanation_map;

/* Is it about a picture, so that it can be drawn? */
bool explanation_is_map(const explanation *e, const limn_attribution *a);

/* Or at least a series or a matrix of tokens, which a picture file shows as time x features? */
bool explanation_is_drawn(const explanation *e, const limn_attribution *a);

/* LM_USAGE where it is neither. The map is the sum over channels (of what tells sizes: the greatest); its range is
 * the 99.5th percentile of the sizes, by rank, unless --draw says otherwise. */
lm_status explanation_map_make(const explanation *e, const limn_attribution *a, int64_t sample, explanation_map *out);
void explanation_map_free(explanation_map *m);

/* The input that pictures of it lie over: its own, or of a layer's the first that pictures were read for; NULL: none. */
const limn_feed *explanation_below(const explanation *e, const limn_attribution *a);

/* Are its elements places, not elements of what they are about, whatever axes that has? [N,1,...], or [N,channels,...]. */
bool explanation_has_places(const limn_attribution *a);

/* Is it stopped at a layer, but shown on the input, whose places or elements it has? */
bool explanation_is_cast(const limn_attribution *a);

/* Does its method tell sizes only, for which nothing speaks for or against? */
bool explanation_is_size(const limn_attribution *a);

#endif
