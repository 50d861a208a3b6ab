/* Shapes: checked products, text, broadcasting. */
#include "core/tensor/shape.h"

#include <stdio.h>

#include "core/base/mem.h"

/* No product of sizes goes past this, so that byte counts of 8-byte elements are the only products left to check. */
static const int64_t most_elements = (int64_t)1 << 62;

lm_status lm_shape_check(const lm_shape *s, int64_t *count)
{
    LM_REQUIRE(s->rank >= 0 && s->rank <= LM_RANK, LM_INPUT, "a shape of rank %d; the rank must be 0 to %d", s->rank,
               LM_RANK);
    /* Sizes of 0 are left out of the product that is checked: strides are products of the others. */
    int64_t product = 1;
    bool empty = false;
    for (int i = 0; i < s->rank; i++) {
        char text[LM_SHAPE_TEXT];
        LM_REQUIRE(s->dim[i] >= 0, LM_INPUT, "shape %s has the negative size %lld on axis %d", lm_shape_text(s, text),
                   (long long)s->dim[i], i);
        if (s->dim[i] == 0)
            empty = true;
        else
            LM_REQUIRE(lm_mul_i64(product, s->dim[i], &product) && product <= most_elements, LM_INPUT,
                       "shape %s has more than 2^62 elements", lm_shape_text(s, text));
    }
    if (count)
        *count = empty ? 0 : product;
    return LM_OK;
}

lm_status lm_shape_make(int rank, const int64_t *dim, lm_shape *out)
{
    LM_REQUIRE(rank >= 0 && rank <= LM_RANK, LM_INPUT, "a shape of rank %d; the rank must be 0 to %d", rank, LM_RANK);
    lm_shape s = {0};
    s.rank = rank;
    for (int i = 0; i < rank; i++)
        s.dim[i] = dim[i];
    LM_TRY(lm_shape_check(&s, NULL));
    *out = s;
    return LM_OK;
}

int64_t lm_shape_count(const lm_shape *s)
{
    int64_t count = 1;
    for (int i = 0; i < s->rank; i++)
        count *= s->dim[i];
    return count;
}

bool lm_shape_equal(const lm_shape *a, const lm_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

const char *lm_shape_text(const lm_shape *s, char text[LM_SHAPE_TEXT])
{
    if (s->rank < 0) {
        snprintf(text, LM_SHAPE_TEXT, "(absent)");
        return text;
    }
    int used = snprintf(text, LM_SHAPE_TEXT, "[");
    for (int i = 0; i < s->rank && i < LM_RANK; i++) {
        const char *comma = i ? "," : "";
        if (s->dim[i] == -1)
            used += snprintf(text + used, LM_SHAPE_TEXT - (size_t)used, "%s?", comma);
        else
            used += snprintf(text + used, LM_SHAPE_TEXT - (size_t)used, "%s%lld", comma, (long long)s->dim[i]);
    }
    snprintf(text + used, LM_SHAPE_TEXT - (size_t)used, "]");
    return text;
}

lm_status lm_shape_broadcast(const lm_shape *a, const lm_shape *b, lm_shape *out)
{
    lm_shape s = {0};
    s.rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < s.rank; i++) {
        int ia = i - (s.rank - a->rank), ib = i - (s.rank - b->rank);
        int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        char ta[LM_SHAPE_TEXT], tb[LM_SHAPE_TEXT];
        LM_REQUIRE(da == db || da == 1 || db == 1, LM_INPUT,
                   "shapes %s and %s do not broadcast: sizes %lld and %lld differ and neither is 1",
                   lm_shape_text(a, ta), lm_shape_text(b, tb), (long long)da, (long long)db);
        s.dim[i] = da == 1 ? db : da;
    }
    LM_TRY(lm_shape_check(&s, NULL));
    *out = s;
    return LM_OK;
}

lm_status lm_shape_axis(const lm_shape *s, int64_t axis, int *out)
{
    char text[LM_SHAPE_TEXT];
    LM_REQUIRE(axis >= -(int64_t)s->rank && axis < s->rank, LM_INPUT, "axis %lld is outside the %d axes of shape %s",
               (long long)axis, s->rank, lm_shape_text(s, text));
    *out = (int)(axis < 0 ? axis + s->rank : axis);
    return LM_OK;
}
