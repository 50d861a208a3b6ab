/* Movement: every element of the result is a copy of one of the input, byte by byte, or a given value. */
#include <string.h>

#include "backends/ref/ref.h"

/* The input as a view of the result's shape: Transpose permutes strides, Expand sets them to 0, Slice scales them and
 * moves the start. Reshape has no such view unless the input is dense. */
static lm_view seen_as(const lm_ref_call *c)
{
    const lm_view *x = &c->x[0];
    lm_view v = *x;
    v.sh = c->y[0].sh;
    int64_t start = 0;
    for (int i = 0; i < v.sh.rank; i++) {
        int from = i - (v.sh.rank - x->sh.rank);
        switch (c->op) {
        case LM_OP_TRANSPOSE: v.st[i] = x->st[c->a->perm.perm[i]]; break;
        case LM_OP_SLICE:
            /* the step to a second element counts only where there is one; it may be any number otherwise */
            v.st[i] = v.sh.dim[i] > 1 ? x->st[i] * c->a->slice.step[i] : 0;
            start += x->st[i] * c->a->slice.start[i];
            break;
        default: v.st[i] = from < 0 || x->sh.dim[from] == 1 ? 0 : x->st[from]; break;
        }
    }
    v.off = (size_t)((int64_t)v.off + start * (int64_t)lm_dtype_size(v.dt));
    return v;
}

/* Reshape, Transpose, Expand, Slice, BitCast. Reshape walks both sides in row-major order. */
lm_status lm_ref_copy(const lm_ref_call *c)
{
    const lm_view *y = &c->y[0];
    int64_t n = lm_shape_count(&y->sh), from[LM_RANK] = {0}, to[LM_RANK] = {0};
    if (n == 0)
        return LM_OK;
    lm_view x = c->op == LM_OP_RESHAPE ? c->x[0] : seen_as(c);
    size_t size = lm_dtype_size(y->dt);
    for (int64_t i = 0; i < n; i++, lm_ref_next(&x.sh, from), lm_ref_next(&y->sh, to))
        memmove(lm_ref_at(y, to), lm_ref_at(&x, from), size);
    return LM_OK;
}

static void clear(const lm_view *y)
{
    int64_t n = lm_shape_count(&y->sh), index[LM_RANK] = {0};
    for (int64_t i = 0; i < n; i++, lm_ref_next(&y->sh, index))
        memset(lm_ref_at(y, index), 0, lm_dtype_size(y->dt));
}

/* Zeros, with signal element i of each axis at start + i * step. */
lm_status lm_ref_slice_dx(const lm_ref_call *c)
{
    const lm_view *s = &c->x[0], *y = &c->y[0];
    int64_t n = lm_shape_count(&s->sh), index[LM_RANK] = {0};
    clear(y);
    for (int64_t i = 0; i < n; i++, lm_ref_next(&s->sh, index)) {
        int64_t to[LM_RANK];
        for (int k = 0; k < s->sh.rank; k++)
            to[k] = c->a->slice.start[k] + index[k] * c->a->slice.step[k];
        memcpy(lm_ref_at(y, to), lm_ref_at(s, index), lm_dtype_size(y->dt));
    }
    return LM_OK;
}

/* Where padding takes an element from that lies at `at` relative to an axis of `size`; -1: nowhere. Reflect repeats the
 * mirror image without its border as often as needed; a single element mirrors to itself. */
static int64_t pad_source(lm_pad_mode mode, int64_t at, int64_t size)
{
    if (at >= 0 && at < size)
        return at;
    switch (mode) {
    case LM_PAD_EDGE: return at < 0 ? 0 : size - 1;
    case LM_PAD_WRAP: return (at % size + size) % size;
    case LM_PAD_REFLECT: {
        int64_t period = size > 1 ? 2 * (size - 1) : 1;
        int64_t turn = (at % period + period) % period;
        return turn < size ? turn : period - turn;
    }
    default: return -1;
    }
}

/* The source of one element of the padded side; false when it is filler. */
static bool pad_index(const lm_attr_pad *p, const lm_shape *inner, const int64_t *index, int64_t from[LM_RANK])
{
    for (int k = 0; k < inner->rank; k++) {
        from[k] = pad_source(p->mode, index[k] - p->lo[k], inner->dim[k]);
        if (from[k] < 0)
            return false;
    }
    return true;
}

lm_status lm_ref_pad(const lm_ref_call *c)
{
    const lm_view *x = &c->x[0], *y = &c->y[0];
    static const unsigned char zero[8] = {0};
    const void *value = lm_ref_has(c, 1) ? lm_view_data(&c->x[1]) : zero;
    int64_t n = lm_shape_count(&y->sh), index[LM_RANK] = {0};
    for (int64_t i = 0; i < n; i++, lm_ref_next(&y->sh, index)) {
        int64_t from[LM_RANK];
        bool copied = pad_index(&c->a->pad, &x->sh, index, from);
        memcpy(lm_ref_at(y, index), copied ? lm_ref_at(x, from) : value, lm_dtype_size(y->dt));
    }
    return LM_OK;
}

/* Every signal element is added where Pad took it from; filler's is dropped. */
lm_status lm_ref_pad_dx(const lm_ref_call *c)
{
    const lm_shape *ss = &c->x[0].sh, *sy = &c->y[0].sh;
    int64_t n = lm_shape_count(ss), index[LM_RANK] = {0};
    const double *s = lm_ref_floats(c, 0);
    double *y = lm_ref_new_floats(c, lm_shape_count(sy));
    LM_REF_NEED(s && y);
    for (int64_t i = 0; i < n; i++, lm_ref_next(ss, index)) {
        int64_t from[LM_RANK];
        if (pad_index(&c->a->pad, sy, index, from))
            y[lm_ref_flat(sy, from)] += s[i];
    }
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}

lm_status lm_ref_concat(const lm_ref_call *c)
{
    const lm_view *y = &c->y[0];
    int axis = c->a->axis.axis;
    int64_t start = 0;
    for (int k = 0; k < c->nx; k++) {
        const lm_view *x = &c->x[k];
        int64_t n = lm_shape_count(&x->sh), index[LM_RANK] = {0};
        for (int64_t i = 0; i < n; i++, lm_ref_next(&x->sh, index)) {
            int64_t to[LM_RANK];
            memcpy(to, index, sizeof to);
            to[axis] += start;
            memcpy(lm_ref_at(y, to), lm_ref_at(x, index), lm_dtype_size(y->dt));
        }
        start += x->sh.dim[axis];
    }
    return LM_OK;
}

lm_status lm_ref_tile(const lm_ref_call *c)
{
    const lm_view *x = &c->x[0], *y = &c->y[0];
    int64_t n = lm_shape_count(&y->sh), index[LM_RANK] = {0};
    for (int64_t i = 0; i < n; i++, lm_ref_next(&y->sh, index)) {
        int64_t from[LM_RANK];
        for (int k = 0; k < y->sh.rank; k++)
            from[k] = index[k] % x->sh.dim[k];
        memcpy(lm_ref_at(y, index), lm_ref_at(x, from), lm_dtype_size(y->dt));
    }
    return LM_OK;
}

/* Of each matrix on the last two axes the part on and above the k-th diagonal, or on and below it; zero elsewhere. */
lm_status lm_ref_trilu(const lm_ref_call *c)
{
    const lm_view *x = &c->x[0], *y = &c->y[0];
    const lm_attr_trilu *a = &c->a->trilu;
    int64_t n = lm_shape_count(&y->sh), index[LM_RANK] = {0};
    for (int64_t i = 0; i < n; i++, lm_ref_next(&y->sh, index)) {
        int64_t row = index[y->sh.rank - 2], column = index[y->sh.rank - 1];
        /* k may be any number, so it is compared and never added to */
        bool kept = a->upper ? column - row >= a->k : column - row <= a->k;
        if (kept)
            memmove(lm_ref_at(y, index), lm_ref_at(x, index), lm_dtype_size(y->dt));
        else
            memset(lm_ref_at(y, index), 0, lm_dtype_size(y->dt));
    }
    return LM_OK;
}
