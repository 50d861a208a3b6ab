/* The reference device from the inside. It is the definition of what every op means: plain loops, one function per
 * family, no regard for speed. Two conventions hold throughout:
 *
 *   Float types are computed in double and rounded once, when stored. Integer types are computed modulo 2^64 and keep
 *   their low bits when stored, so that sums and products wrap as in C.
 *
 *   A function first copies its inputs to dense row-major arrays of double or int64_t (uint64 values as the same bits),
 *   so that loops need no strides. Movement ops copy the elements' bytes instead. */
#ifndef LM_REF_REF_H
#define LM_REF_REF_H

#include "core/base/arena.h"
#include "core/device/backend.h"

/* One launch. Views have their buffers; absent optional inputs have rank LM_ABSENT. */
typedef struct lm_ref_call {
    lm_opid op;
    const lm_attrs *a;
    int nx, ny;
    const lm_view *x, *y;
    lm_arena *arena; /* freed after the launch */
} lm_ref_call;

#define LM_OP(id, name, class_, in0, in1, out, attrs, shape, kernel, ...)                                              \
    lm_status lm_ref_##kernel(const lm_ref_call *c);
#include "core/ops/ops.def"
#undef LM_OP

bool lm_ref_has(const lm_ref_call *c, int i);

/* Dense copies of input i, also stretched to a shape that it broadcasts to. NULL with the message set when memory is
 * short; so are the fresh, zeroed arrays. All of it goes with the arena. */
const double *lm_ref_floats(const lm_ref_call *c, int i);
const int64_t *lm_ref_ints(const lm_ref_call *c, int i);
const double *lm_ref_floats_as(const lm_ref_call *c, int i, const lm_shape *shape);
const int64_t *lm_ref_ints_as(const lm_ref_call *c, int i, const lm_shape *shape);
double *lm_ref_new_floats(const lm_ref_call *c, int64_t count);
int64_t *lm_ref_new_ints(const lm_ref_call *c, int64_t count);

#define LM_REF_NEED(pointer)                                                                                           \
    do {                                                                                                               \
        if (!(pointer))                                                                                                \
            return LM_MEMORY;                                                                                          \
    } while (0)

/* Store a dense result as output k, rounding or wrapping to its type. */
void lm_ref_put_floats(const lm_ref_call *c, int k, const double *dense);
void lm_ref_put_ints(const lm_ref_call *c, int k, const int64_t *dense);

/* A shape cut at `axis`: outer * size * inner elements; element (o, i, n) is at (o * size + i) * inner + n. */
typedef struct lm_ref_cut {
    int64_t outer, size, inner;
} lm_ref_cut;
lm_ref_cut lm_ref_cut_at(const lm_shape *shape, int axis);

/* The next index in row-major order; false, with all indices 0 again, after the last. Start with zeros, and only when
 * the shape is not empty. */
bool lm_ref_next(const lm_shape *shape, int64_t index[LM_RANK]);

/* The element at an index, and its place in a dense row-major array. */
char *lm_ref_at(const lm_view *v, const int64_t index[LM_RANK]);
int64_t lm_ref_flat(const lm_shape *shape, const int64_t index[LM_RANK]);

/* IEEE 754 maximum and minimum: NaN wins, -0 is less than +0. */
double lm_ref_max(double a, double b);
double lm_ref_min(double a, double b);

/* The order of input i's elements, by flat position: -1, 0 or 1; a NaN is above everything and equal to another. */
typedef struct lm_ref_order {
    const double *f;
    const int64_t *i;
    int64_t bit; /* what turns the order of i's elements into that of int64_t */
} lm_ref_order;
lm_status lm_ref_order_of(const lm_ref_call *c, int i, lm_ref_order *out);
int lm_ref_order_compare(const lm_ref_order *o, int64_t p, int64_t q);

/* Windows over an image of up to three spatial axes: tap t of position p lies on pixel where[p * taps + t], -1 when
 * that is padding. Positions, taps and pixels are counted in row-major order. */
typedef struct lm_ref_windows {
    int64_t positions, taps, pixels;
    const int64_t *where;
} lm_ref_windows;

/* `in` and `out`: the spatial sizes of the image and of the positions. */
typedef struct lm_ref_geometry {
    int nd;
    const int64_t *in, *out, *kernel, *stride, *dilation, *pad_lo;
} lm_ref_geometry;
lm_status lm_ref_windows_of(const lm_ref_call *c, const lm_ref_geometry *g, lm_ref_windows *out);

/* One elementwise function and its derivative (in y for ops marked GRADY, otherwise in x). */
double lm_ref_act(lm_opid op, double x, double a, double b);
double lm_ref_act_slope(lm_opid op, double v, double a, double b);

/* Residual, activation and slope of y, each step stored, so that a fused call gives the same bits as separate ones.
 * `x`: the epilogue's own inputs. */
lm_status lm_ref_epilogue(const lm_ref_call *c, const lm_epilogue *ep, const lm_view *x);

#endif
