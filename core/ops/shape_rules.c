/* What the shape rules share: messages that name the op, and the checks that most of them begin with. */
#include "core/ops/shape_rules.h"

#include <stdarg.h>
#include <stdio.h>

lm_status lm_rule_fail(const lm_shape_args *args, const char *format, ...)
{
    char text[768];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return lm_fail(LM_INPUT, "%s: %s", lm_ops[args->op].name, text);
}

/* "float32, float64 or bool"; what does not fit is cut. */
static const char *set_text(unsigned set, char *text, size_t room)
{
    size_t used = 0;
    text[0] = '\0';
    for (int t = 0; t < LM_DTYPES && used < room; t++) {
        if (!(set >> t & 1))
            continue;
        const char *before = !used ? "" : set >> (t + 1) ? ", " : " or ";
        used += (size_t)snprintf(text + used, room - used, "%s%s", before, lm_dtype_name((lm_dtype)t));
    }
    return text;
}

lm_status lm_rule_type(const lm_shape_args *args, int i, unsigned set)
{
    char text[192];
    LM_RULE(set >> args->x[i].dt & 1, "input %d of shape %s has type %s; expected %s", i, LM_TEXT(args->x[i].sh),
            lm_dtype_name(args->x[i].dt), set_text(set, text, sizeof text));
    return LM_OK;
}

lm_status lm_rule_same_types(const lm_shape_args *args, int first)
{
    for (int i = first; i < args->nx; i++)
        LM_RULE(!lm_rule_has(args, i) || args->x[i].dt == args->x[0].dt,
                "input %d of shape %s has type %s; expected %s like input 0", i, LM_TEXT(args->x[i].sh),
                lm_dtype_name(args->x[i].dt), lm_dtype_name(args->x[0].dt));
    return LM_OK;
}

bool lm_rule_has(const lm_shape_args *args, int i)
{
    return i < args->nx && args->x[i].sh.rank != LM_ABSENT;
}

lm_status lm_rule_shape(const lm_shape_args *args, int i, lm_shape shape, const char *what)
{
    LM_RULE(lm_shape_equal(&args->x[i].sh, &shape), "input %d has shape %s; expected %s, %s", i,
            LM_TEXT(args->x[i].sh), LM_TEXT(shape), what);
    return LM_OK;
}

lm_status lm_rule_stretches(const lm_shape_args *args, int i, lm_shape shape)
{
    lm_shape wide;
    bool fits = lm_shape_broadcast(&args->x[i].sh, &shape, &wide) == LM_OK && lm_shape_equal(&wide, &shape);
    LM_RULE(fits, "input %d has shape %s; expected one that broadcasts to %s", i, LM_TEXT(args->x[i].sh),
            LM_TEXT(shape));
    return LM_OK;
}

lm_status lm_rule_range(const lm_shape_args *args, const char *name, int64_t value, int64_t least, int64_t most)
{
    LM_RULE(value >= least && value <= most, "%s = %lld for input %s; expected %lld to %lld", name, (long long)value,
            LM_TEXT(args->x[0].sh), (long long)least, (long long)most);
    return LM_OK;
}

lm_status lm_rule_window(const lm_shape_args *args, int axis, int64_t in, int64_t padding_lo, int64_t padding_hi,
                         int64_t extent, int64_t stride, bool ceil, int64_t *out)
{
    int64_t room = in + padding_lo + padding_hi - extent;
    LM_RULE(room >= 0, "a window that spans %lld does not fit on axis %d of input %s with padding %lld and %lld",
            (long long)extent, axis, LM_TEXT(args->x[0].sh), (long long)padding_lo, (long long)padding_hi);
    int64_t steps = room / stride + (ceil && room % stride ? 1 : 0);
    if (ceil && steps * stride >= in + padding_lo && steps > 0)
        steps--;
    *out = steps + 1;
    return LM_OK;
}
