/* Numbers of tensors in the forms in which people and programs read them. */
#include "numbers.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/tensor/dtype.h"

enum { JSON_NUMBERS = 65536 };

size_t numbers_below(const limn_tensor *t, int from)
{
    size_t n = 1;
    for (int i = from; i < t->rank; i++)
        n *= (size_t)t->dim[i];
    return n;
}

static double number_at(const limn_tensor *t, size_t i)
{
    return lm_load_f64(t->type, (const char *)t->data + i * limn_dtype_size(t->type));
}

lm_status numbers_view(const limn_tensor *t, lm_view *out)
{
    lm_shape sh;
    lm_buffer *wrapped;
    size_t n = limn_tensor_count(t);
    LM_TRY(lm_shape_make(t->rank, t->dim, &sh));
    if (t->type != LIMN_F16 && t->type != LIMN_BF16) {
        LM_TRY(lm_buffer_wrap(t->data, n * limn_dtype_size(t->type), &wrapped));
        *out = lm_view_row(t->type, &sh, wrapped);
        return LM_OK;
    }
    LM_TRY(lm_view_new(LM_F32, &sh, out));
    float *to = lm_view_data(out);
    for (size_t i = 0; i < n; i++)
        to[i] = (float)number_at(t, i);
    return LM_OK;
}

static void add_number(lm_json *j, const limn_tensor *t, size_t i)
{
    const char *at = (const char *)t->data + i * limn_dtype_size(t->type);
    if (t->type == LIMN_BOOL)
        lm_json_bool(j, *at != 0);
    else if (lm_dtype_is_float(t->type) || t->type == LIMN_U64)
        lm_json_number(j, lm_load_f64(t->type, at));
    else
        lm_json_int(j, lm_load_i64(t->type, at));
}

/* Axes from `axis` on, beginning with element *at, which moves behind them. */
static void add_lists(lm_json *j, const limn_tensor *t, int axis, size_t *at)
{
    if (axis == t->rank) {
        add_number(j, t, (*at)++);
        return;
    }
    lm_json_array(j);
    for (int64_t i = 0; i < t->dim[axis]; i++)
        add_lists(j, t, axis + 1, at);
    lm_json_end_array(j);
}

void numbers_json(lm_json *j, const limn_tensor *t, int axis, size_t first)
{
    if (numbers_below(t, axis) <= JSON_NUMBERS)
        add_lists(j, t, axis, &first);
    else
        lm_json_null(j);
}

static int greatest_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    bool a_is_none = isnan(x->value), b_is_none = isnan(y->value);
    if (a_is_none != b_is_none)
        return a_is_none ? 1 : -1;
    if (!a_is_none && x->value != y->value)
        return x->value < y->value ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

ranked *numbers_top(const limn_tensor *t, size_t first, size_t count, size_t most, size_t *n)
{
    ranked *all = lm_malloc(count, sizeof *all);
    *n = 0;
    if (!all)
        return NULL;
    for (size_t i = 0; i < count; i++)
        all[i] = (ranked){number_at(t, first + i), i};
    qsort(all, count, sizeof *all, greatest_first);
    *n = count < most ? count : most;
    return all;
}
