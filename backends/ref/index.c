/* Gather and scatter. Negative indices count from the end of their axis; one outside it is an error that names it. */
#include <string.h>

#include "backends/ref/ref.h"

#define TEXT(shape) lm_shape_text(&(shape), (char[LM_SHAPE_TEXT]){0})

/* Make index number n sound for an axis of `data`. */
static lm_status resolve(const lm_ref_call *c, const lm_shape *data, int axis, const int64_t *index, int64_t n,
                         int64_t *out)
{
    int64_t size = data->dim[axis], at = index[n] < 0 ? index[n] + size : index[n];
    LM_REQUIRE(at >= 0 && at < size, LM_INPUT,
               "%s: index %lld (element %lld of shape %s) is outside axis %d of size %lld of data %s",
               lm_ops[c->op].name, (long long)index[n], (long long)n, TEXT(c->x[1].sh), axis, (long long)size,
               TEXT(*data));
    *out = at;
    return LM_OK;
}

/* Where element `at` of a gathered tensor comes from: its indices in front of the axis, the index tensor's entry, and
 * those behind. */
static lm_status gather_source(const lm_ref_call *c, const lm_shape *data, int axis, const int64_t *index,
                               const int64_t *at, int64_t from[LM_RANK])
{
    const lm_shape *si = &c->x[1].sh;
    for (int k = 0; k < axis; k++)
        from[k] = at[k];
    for (int k = axis + 1; k < data->rank; k++)
        from[k] = at[k - 1 + si->rank];
    return resolve(c, data, axis, index, lm_ref_flat(si, at + axis), &from[axis]);
}

lm_status lm_ref_gather(const lm_ref_call *c)
{
    const lm_view *x = &c->x[0], *y = &c->y[0];
    int64_t n = lm_shape_count(&y->sh), at[LM_RANK] = {0}, from[LM_RANK];
    const int64_t *index = lm_ref_ints(c, 1);
    LM_REF_NEED(index);
    for (int64_t i = 0; i < n; i++, lm_ref_next(&y->sh, at)) {
        LM_TRY(gather_source(c, &x->sh, c->a->index.axis, index, at, from));
        memcpy(lm_ref_at(y, at), lm_ref_at(x, from), lm_dtype_size(y->dt));
    }
    return LM_OK;
}

/* (signal, indices): each signal element is added where Gather took its value, in row-major order of the signal. */
lm_status lm_ref_gather_dx(const lm_ref_call *c)
{
    const lm_shape *ss = &c->x[0].sh, *sy = &c->y[0].sh;
    int64_t n = lm_shape_count(ss), at[LM_RANK] = {0}, to[LM_RANK];
    const double *s = lm_ref_floats(c, 0);
    const int64_t *index = lm_ref_ints(c, 1);
    double *y = lm_ref_new_floats(c, lm_shape_count(sy));
    LM_REF_NEED(s && index && y);
    for (int64_t i = 0; i < n; i++, lm_ref_next(ss, at)) {
        LM_TRY(gather_source(c, sy, c->a->shape.axis, index, at, to));
        y[lm_ref_flat(sy, to)] += s[i];
    }
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}

lm_status lm_ref_gather_elements(const lm_ref_call *c)
{
    const lm_view *x = &c->x[0], *y = &c->y[0];
    int axis = c->a->index.axis;
    int64_t n = lm_shape_count(&y->sh), at[LM_RANK] = {0}, from[LM_RANK];
    const int64_t *index = lm_ref_ints(c, 1);
    LM_REF_NEED(index);
    for (int64_t i = 0; i < n; i++, lm_ref_next(&y->sh, at)) {
        memcpy(from, at, sizeof from);
        LM_TRY(resolve(c, &x->sh, axis, index, i, &from[axis]));
        memcpy(lm_ref_at(y, at), lm_ref_at(x, from), lm_dtype_size(y->dt));
    }
    return LM_OK;
}

/* The element of data that element `at` of the picked tensor (GatherND's result, ScatterND's updates) stands for. Its
 * first axes run over all but the last axis of the indices, `batch` of them shared with data; the rest are data's last
 * ones. */
static lm_status picked_source(const lm_ref_call *c, int batch, const int64_t *index, const int64_t *at,
                               int64_t from[LM_RANK])
{
    const lm_shape *data = &c->x[0].sh, *si = &c->x[1].sh;
    int depth = (int)si->dim[si->rank - 1];
    int64_t row = 0;
    for (int k = 0; k < si->rank - 1; k++)
        row = row * si->dim[k] + at[k];
    for (int k = 0; k < batch; k++)
        from[k] = at[k];
    for (int k = 0; k < depth; k++)
        LM_TRY(resolve(c, data, batch + k, index, row * depth + k, &from[batch + k]));
    for (int k = batch + depth; k < data->rank; k++)
        from[k] = at[si->rank - 1 + k - batch - depth];
    return LM_OK;
}

lm_status lm_ref_gather_nd(const lm_ref_call *c)
{
    const lm_view *x = &c->x[0], *y = &c->y[0];
    int64_t n = lm_shape_count(&y->sh), at[LM_RANK] = {0}, from[LM_RANK];
    const int64_t *index = lm_ref_ints(c, 1);
    LM_REF_NEED(index);
    for (int64_t i = 0; i < n; i++, lm_ref_next(&y->sh, at)) {
        LM_TRY(picked_source(c, c->a->index.batch, index, at, from));
        memcpy(lm_ref_at(y, at), lm_ref_at(x, from), lm_dtype_size(y->dt));
    }
    return LM_OK;
}

static double merge(lm_scatter_mode mode, double old, double update)
{
    switch (mode) {
    case LM_SCATTER_ADD: return old + update;
    case LM_SCATTER_MUL: return old * update;
    case LM_SCATTER_MAX: return lm_ref_max(old, update);
    case LM_SCATTER_MIN: return lm_ref_min(old, update);
    default: return update;
    }
}

static int64_t merge_int(lm_scatter_mode mode, lm_dtype dt, int64_t old, int64_t update)
{
    int64_t flip = lm_dtype_is_unsigned(dt) ? INT64_MIN : 0;
    bool greater = (update ^ flip) > (old ^ flip);
    switch (mode) {
    case LM_SCATTER_ADD: return (int64_t)((uint64_t)old + (uint64_t)update);
    case LM_SCATTER_MUL: return (int64_t)((uint64_t)old * (uint64_t)update);
    case LM_SCATTER_MAX: return greater ? update : old;
    case LM_SCATTER_MIN: return greater ? old : update;
    default: return update;
    }
}

/* (data, indices, updates): the updates, in row-major order, are merged into a copy of data at to[0], to[1] ... */
static lm_status scatter(const lm_ref_call *c, const int64_t *to)
{
    int64_t n = lm_shape_count(&c->x[2].sh), size = lm_shape_count(&c->x[0].sh);
    lm_scatter_mode mode = c->a->index.mode;
    if (lm_dtype_is_float(c->x[0].dt)) {
        const double *data = lm_ref_floats(c, 0), *update = lm_ref_floats(c, 2);
        double *y = lm_ref_new_floats(c, size);
        LM_REF_NEED(data && update && y);
        memcpy(y, data, (size_t)size * sizeof *y);
        for (int64_t i = 0; i < n; i++)
            y[to[i]] = merge(mode, y[to[i]], update[i]);
        lm_ref_put_floats(c, 0, y);
        return LM_OK;
    }
    const int64_t *data = lm_ref_ints(c, 0), *update = lm_ref_ints(c, 2);
    int64_t *y = lm_ref_new_ints(c, size);
    LM_REF_NEED(data && update && y);
    memcpy(y, data, (size_t)size * sizeof *y);
    for (int64_t i = 0; i < n; i++)
        y[to[i]] = merge_int(mode, c->x[0].dt, y[to[i]], update[i]);
    lm_ref_put_ints(c, 0, y);
    return LM_OK;
}

lm_status lm_ref_scatter_elements(const lm_ref_call *c)
{
    const lm_shape *data = &c->x[0].sh, *updates = &c->x[2].sh;
    int axis = c->a->index.axis;
    int64_t n = lm_shape_count(updates), at[LM_RANK] = {0}, there[LM_RANK];
    const int64_t *index = lm_ref_ints(c, 1);
    int64_t *to = lm_ref_new_ints(c, n);
    LM_REF_NEED(index && to);
    for (int64_t i = 0; i < n; i++, lm_ref_next(updates, at)) {
        memcpy(there, at, sizeof there);
        LM_TRY(resolve(c, data, axis, index, i, &there[axis]));
        to[i] = lm_ref_flat(data, there);
    }
    return scatter(c, to);
}

lm_status lm_ref_scatter_nd(const lm_ref_call *c)
{
    const lm_shape *data = &c->x[0].sh, *updates = &c->x[2].sh;
    int64_t n = lm_shape_count(updates), at[LM_RANK] = {0}, there[LM_RANK];
    const int64_t *index = lm_ref_ints(c, 1);
    int64_t *to = lm_ref_new_ints(c, n);
    LM_REF_NEED(index && to);
    for (int64_t i = 0; i < n; i++, lm_ref_next(updates, at)) {
        LM_TRY(picked_source(c, 0, index, at, there));
        to[i] = lm_ref_flat(data, there);
    }
    return scatter(c, to);
}
