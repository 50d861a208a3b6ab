/* Shapes: up to LM_RANK sizes, outermost axis first, in the order ONNX gives them. Every product is checked. */
#ifndef LM_TENSOR_SHAPE_H
#define LM_TENSOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <limn/types.h>

#include "core/base/status.h"

#define LM_RANK LIMN_RANK

/* Sizes past `rank` are zero and no byte is left to chance, so that equal shapes are equal bytes. Rank 0 is one
 * element; a size of 0 is legal. */
typedef struct lm_shape {
    int32_t rank, zero; /* zero is 0 */
    int64_t dim[LM_RANK];
} lm_shape;

/* Text of a shape fits in this many bytes. */
enum { LM_SHAPE_TEXT = 176 };

/* A shape from sizes; LM_INPUT for a rank over LM_RANK, a negative size, or a product past 2^62 elements. */
lm_status lm_shape_make(int rank, const int64_t *dim, lm_shape *out);

/* `LM_SHAPE(2, 3)` is the shape [2,3], for sizes known to be sound. */
#define LM_SHAPE(...)                                                                                                  \
    lm_shape_literal((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__})
static inline lm_shape lm_shape_literal(int rank, const int64_t *dim)
{
    lm_shape s;
    s.rank = rank;
    s.zero = 0;
    for (int i = 0; i < LM_RANK; i++)
        s.dim[i] = i < rank ? dim[i] : 0;
    return s;
}

/* Number of elements, 1 for rank 0. The shape must come from lm_shape_make or a checked shape rule. */
int64_t lm_shape_count(const lm_shape *s);

/* The same with a status, for shapes whose sizes come from outside. */
lm_status lm_shape_check(const lm_shape *s, int64_t *count);

bool lm_shape_equal(const lm_shape *a, const lm_shape *b);

/* "[2,3,?]" style text into `text`; returns text. */
const char *lm_shape_text(const lm_shape *s, char text[LM_SHAPE_TEXT]);

/* NumPy broadcasting, right-aligned; LM_INPUT when two sizes differ and neither is 1. `out` may alias a or b. */
lm_status lm_shape_broadcast(const lm_shape *a, const lm_shape *b, lm_shape *out);

/* Axis in [-rank, rank) to [0, rank); LM_INPUT otherwise. */
lm_status lm_shape_axis(const lm_shape *s, int64_t axis, int *out);

#endif
