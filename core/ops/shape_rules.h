/* The shape rules, one per name in the table's `shape` column, and what they share. A rule sees inputs whose number,
 * rank and sizes are sound (lm_op_infer looked); the products of its results are checked after it. */
#ifndef LM_OPS_SHAPE_RULES_H
#define LM_OPS_SHAPE_RULES_H

#include "core/base/mem.h"
#include "core/ops/op.h"

#define LM_OP(id, name, class_, in0, in1, out, attrs, shape, ...)                                                      \
    lm_status lm_shape_##shape(const lm_shape_args *args, lm_type *y);
#include "core/ops/ops.def"
#undef LM_OP

/* Text of a shape for one message. */
#define LM_TEXT(shape) lm_shape_text(&(shape), (char[LM_SHAPE_TEXT]){0})

/* Fail from a rule, with the op's name in front, unless `condition` holds. */
#define LM_RULE(condition, ...)                                                                                        \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return lm_rule_fail(args, __VA_ARGS__);                                                                    \
    } while (0)
lm_status lm_rule_fail(const lm_shape_args *args, const char *format, ...) LM_PRINTF(2, 3);

/* Sets of element types. */
enum {
    LM_SET_FLOAT = 1 << LM_F32 | 1 << LM_F64 | 1 << LM_F16 | 1 << LM_BF16,
    LM_SET_SIGNED = 1 << LM_I8 | 1 << LM_I16 | 1 << LM_I32 | 1 << LM_I64,
    LM_SET_UNSIGNED = 1 << LM_U8 | 1 << LM_U16 | 1 << LM_U32 | 1 << LM_U64,
    LM_SET_BOOL = 1 << LM_BOOL,
    LM_SET_INT = LM_SET_SIGNED | LM_SET_UNSIGNED,
    LM_SET_NUMBER = LM_SET_FLOAT | LM_SET_INT,
    LM_SET_ANY = LM_SET_NUMBER | LM_SET_BOOL,
    LM_SET_INDEX = 1 << LM_I32 | 1 << LM_I64
};

/* Input i's type is in `set`; all present inputs from `first` on have input 0's type. */
lm_status lm_rule_type(const lm_shape_args *args, int i, unsigned set);
lm_status lm_rule_same_types(const lm_shape_args *args, int first);

/* Input i is present, has this shape (`what` says why), or stretches to it without changing it. */
bool lm_rule_has(const lm_shape_args *args, int i);
lm_status lm_rule_shape(const lm_shape_args *args, int i, lm_shape shape, const char *what);
lm_status lm_rule_stretches(const lm_shape_args *args, int i, lm_shape shape);

/* The attribute `value`, called `name`, lies in [least, most]. */
lm_status lm_rule_range(const lm_shape_args *args, const char *name, int64_t value, int64_t least, int64_t most);

/* Positions of a window along one axis: floor or ceil of (in + lo + hi - extent) / stride, plus 1; a last window that
 * would begin in the end padding is dropped. No sum overflows for sizes up to 2^62, pads and strides below 2^31. */
lm_status lm_rule_window(const lm_shape_args *args, int axis, int64_t in, int64_t padding_lo, int64_t padding_hi,
                         int64_t extent, int64_t stride, bool ceil, int64_t *out);

static inline bool lm_add_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

#endif
