/* What the maps over a layer's positions have in common: which elements lie where, and how a map becomes a result.
 *
 * Positions are the axes of a layer that stand for places of the input:
 *   [1,C,h,w], [1,C,d,h,w]  all axes but that of channels: axis 1, or the last where the graph says so (NHWC models)
 *   [1,C,l]                 of a signal: l
 *   [1,T,D]                 tokens. Where an input is an image, the grid of its patches: what is left of T behind the
 *                           tokens in front that stand for no patch (class, distillation, registers). Otherwise T
 * Where the channels are follows from the ops around the value: convolutions, pools and batch norms have them first,
 * products with constant matrices and layer norms last.
 *
 * Results are [1,1,...] over the input's positions: [1,1,H,W] of an image, whichever way round it is stored, [1,1,L] of
 * a signal or of tokens. */
#ifndef LM_EXPLAIN_CAM_H
#define LM_EXPLAIN_CAM_H

#include "core/explain/method.h"
#include "core/explain/upsample.h"

/* Where a value's elements lie: channel c of position p is element first + c * channel_step + p * position_step. */
typedef struct lm_field {
    int nd; /* axes of positions; 0: none can be made out */
    int64_t size[LM_UPSAMPLE_AXES];
    int64_t positions, channels;
    int64_t first, channel_step, position_step;
    lm_shape sh; /* of the whole value */
} lm_field;

/* Is the value made of constants alone? Where the device computes in doubles, it need not be computed yet. */
bool lm_cam_constant(const lm_graph *g, lm_val v);

/* The axis of channels in a float value of the graph, -1 where nothing tells. */
int lm_cam_channels(const lm_graph *g, lm_val v);

/* The field of an inner value, for which the inputs decide what tokens are; nd 0 in the answer where it has none. */
lm_status lm_cam_field(lm_task *t, lm_site site, lm_field *out);

/* What methods at a layer keep from `need` to `run`. */
typedef struct lm_cam {
    lm_field field;          /* of the layer */
    int value, walk, guided; /* numbers at the point: the activation, its signal, the guided signal at the inputs */
} lm_cam;

/* t->own for a method that reads the layer's activation; LM_UNSUPPORTED where that has no positions. */
lm_status lm_cam_need(lm_task *t, lm_cam **out);

/* An input's field with `nd` axes of positions; nd 0 in the answer where it has no such. */
lm_status lm_cam_input(lm_task *t, lm_site site, int nd, lm_field *out);

/* The input on which a layer's map is shown: `site` where that has as many axes of positions as the layer, otherwise
 * the first that has; *number of t->input. */
lm_status lm_cam_base(lm_task *t, lm_site site, const lm_field *layer, int *number, lm_field *out);

/* The planes [planes, positions] of a layer as the result for a site and target, resized as `upsample` says; with relu,
 * cut off at zero first. */
lm_status lm_cam_result(lm_task *t, int site, int target, const lm_field *layer, int planes, double *map);

/* Elements of a channel in order of positions. */
void lm_cam_read(const lm_field *f, const lm_view *v, int64_t channel, double *out);

/* cam_head.c: LM_UNSUPPORTED unless the target is what dense layers make of the layer's averages over its positions. */
lm_status lm_cam_head(lm_task *t, lm_site layer);

/* The name of the value that another lm_val is; NULL: it has none. */
const char *lm_cam_name(const lm_built *b, lm_val v);

#endif
