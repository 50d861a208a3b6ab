/* Constants in the form that the product kernels read: panels of nr columns, [part][panel][tap][channel][nr], the last
 * panel of a part filled up with zeros. After the panels stands one float, 1 when no value is NaN or infinite (tile.h
 * says what that permits). */
#ifndef LM_CPU_PACK_H
#define LM_CPU_PACK_H

#include "backends/cpu/cpu.h"

/* How weights lie: element (part, tap, channel, column); strides in floats. */
typedef struct lm_pack {
    int64_t parts, taps, channels, columns, nr;
    int64_t channel_step, column_step, first; /* first: the offset of element (0, 0, 0, 0) */
    int axes;                                 /* parts and taps are mixed-radix: up to LM_RANK part axes ... */
    int64_t part_dim[LM_RANK], part_step[LM_RANK];
    int64_t tap_dim[LM_SPATIAL], tap_step[LM_SPATIAL]; /* ... and three tap axes, outermost first */
    lm_transform transform;
    float gamma;
    bool unchecked; /* nobody asks for NaN and infinity: the flag is 0 */
} lm_pack;

/* Floats of one panel, and of everything including the flag; false when that is more than can be addressed. */
int64_t lm_pack_panel(const lm_pack *p);
bool lm_pack_size(const lm_pack *p, size_t *floats);

/* The three weight layouts. `w` needs type, shape and strides only.
 *   conv        [M, C/groups, k...]    conv_t  [C, M/groups, k...], taps in reverse
 *   gemm        [..., K, N], or [..., N, K] when trans; rank 1 is a single column */
void lm_pack_conv(const lm_view *w, int64_t groups, int64_t nr, lm_pack *p);
void lm_pack_conv_t(const lm_view *w, int64_t groups, int64_t nr, lm_pack *p);
void lm_pack_gemm(const lm_view *w, bool trans, int64_t nr, lm_pack *p);

/* The same [C, M, k...] as the matrix [C, M * k...] of a transposed convolution whose windows lie side by side; false
 * when the weights do not lie so. */
bool lm_pack_patches(const lm_view *w, int64_t nr, lm_pack *p);

/* Pack on the pool. The flag is always written. */
void lm_pack_run(lm_cpu *cpu, const lm_pack *p, const float *w, float *out);

/* Pack `count` panels of one part from panel number `first` of all on, on this thread and without the flag, which is
 * the answer. `room`: for a panel as it comes from a file. */
bool lm_pack_panels(const lm_cpu *cpu, const lm_pack *p, const float *w, int64_t first, int64_t count, float *out,
                    float *room);

/* Transpose 4 x 4 floats between rows that are `step` floats apart. */
void lm_turn_4x4(const float *from, int64_t from_step, float *to, int64_t to_step);

/* The device's `derive`. */
lm_status lm_cpu_pack(lm_cpu *cpu, const lm_view *constant, const lm_want *want, lm_buffer **out);

#endif
