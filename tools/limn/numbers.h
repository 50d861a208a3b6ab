/* Tensors on their way out: as views, as lists in JSON, and the greatest of a vector. */
#ifndef LIMN_NUMBERS_H
#define LIMN_NUMBERS_H

#include <limn/limn.h>

#include "core/base/json.h"
#include "core/tensor/tensor.h"

/* Elements in the axes from `from` on. */
size_t numbers_below(const limn_tensor *t, int from);

/* A view to free (lm_buffer_unref): of the tensor's memory, or of a float32 copy of narrow floats, because every reader of
 * files knows that type. */
lm_status numbers_view(const limn_tensor *t, lm_view *out);

/* The axes from `axis` on, beginning with element `first`, as nested lists; null where there are more than 65,536 numbers:
 * such files are for reading. */
void numbers_json(lm_json *j, const limn_tensor *t, int axis, size_t first);

typedef struct ranked {
    double value;
    size_t index;
} ranked;

/* The `most` greatest of `count` elements from `first` on, greatest first, NaN last, equal ones in their order; from
 * lm_malloc, *n of them. */
ranked *numbers_top(const limn_tensor *t, size_t first, size_t count, size_t most, size_t *n);

#endif
