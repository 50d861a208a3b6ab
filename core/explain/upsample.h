/* Maps over positions, from one size to another: one, two or three axes, row-major, in double.
 *
 * Positions are the centres of cells: cell i of n lies at (i + 0.5) / n, and what lies past the outermost centres is as
 * they are. */
#ifndef LM_EXPLAIN_UPSAMPLE_H
#define LM_EXPLAIN_UPSAMPLE_H

#include <stdint.h>

#include "core/base/status.h"

typedef enum lm_upsampling {
    LM_UPSAMPLE_BILINEAR, /* in two axes; linear between neighbours in any number */
    LM_UPSAMPLE_NEAREST,
    LM_UPSAMPLE_FLOOR     /* nearest by corners instead of centres: cell i takes cell floor(i * from / to) */
} lm_upsampling;

enum { LM_UPSAMPLE_AXES = 3 };

/* The map at another size. y has the product of `to` elements and is not x. */
lm_status lm_upsample(lm_upsampling how, int nd, const int64_t *from, const int64_t *to, const double *x, double *y);

/* The same total at another size: every element is shared out over the cells that linear interpolation would show it
 * in, or falls into the cell that covers it where `to` is smaller. */
lm_status lm_spread(int nd, const int64_t *from, const int64_t *to, const double *x, double *y);

#endif
