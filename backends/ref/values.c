/* Reading tensors into dense arrays and back, and walking over indices. */
#include <math.h>

#include "backends/ref/ref.h"

bool lm_ref_has(const lm_ref_call *c, int i)
{
    return i < c->nx && lm_view_present(&c->x[i]);
}

bool lm_ref_next(const lm_shape *shape, int64_t index[LM_RANK])
{
    for (int i = shape->rank - 1; i >= 0; i--) {
        if (++index[i] < shape->dim[i])
            return true;
        index[i] = 0;
    }
    return false;
}

char *lm_ref_at(const lm_view *v, const int64_t index[LM_RANK])
{
    int64_t element = 0;
    for (int i = 0; i < v->sh.rank; i++)
        element += index[i] * v->st[i];
    return (char *)lm_view_data(v) + element * (int64_t)lm_dtype_size(v->dt);
}

int64_t lm_ref_flat(const lm_shape *shape, const int64_t index[LM_RANK])
{
    int64_t flat = 0;
    for (int i = 0; i < shape->rank; i++)
        flat = flat * shape->dim[i] + index[i];
    return flat;
}

lm_ref_cut lm_ref_cut_at(const lm_shape *shape, int axis)
{
    lm_ref_cut cut = {1, shape->dim[axis], 1};
    for (int i = 0; i < axis; i++)
        cut.outer *= shape->dim[i];
    for (int i = axis + 1; i < shape->rank; i++)
        cut.inner *= shape->dim[i];
    return cut;
}

/* The same elements under a wider shape: stride 0 on axes that are new or stretched. */
static lm_view stretched(const lm_view *v, const lm_shape *shape)
{
    lm_view wide = *v;
    int added = shape->rank - v->sh.rank;
    wide.sh = *shape;
    for (int i = 0; i < shape->rank; i++)
        wide.st[i] = i < added || v->sh.dim[i - added] != shape->dim[i] ? 0 : v->st[i - added];
    return wide;
}

static void *fresh(const lm_ref_call *c, int64_t count, size_t size)
{
    if ((uint64_t)count > SIZE_MAX) {
        lm_fail(LM_MEMORY, "%s: %lld elements do not fit into memory", lm_ops[c->op].name, (long long)count);
        return NULL;
    }
    return lm_arena_alloc(c->arena, (size_t)count, size);
}

double *lm_ref_new_floats(const lm_ref_call *c, int64_t count)
{
    return fresh(c, count, sizeof(double));
}

int64_t *lm_ref_new_ints(const lm_ref_call *c, int64_t count)
{
    return fresh(c, count, sizeof(int64_t));
}

const double *lm_ref_floats_as(const lm_ref_call *c, int i, const lm_shape *shape)
{
    int64_t count = lm_shape_count(shape), index[LM_RANK] = {0}, n = 0;
    double *dense = lm_ref_new_floats(c, count);
    if (!dense || !count)
        return dense;
    lm_view v = stretched(&c->x[i], shape);
    do
        dense[n++] = lm_load_f64(v.dt, lm_ref_at(&v, index));
    while (lm_ref_next(shape, index));
    return dense;
}

const int64_t *lm_ref_ints_as(const lm_ref_call *c, int i, const lm_shape *shape)
{
    int64_t count = lm_shape_count(shape), index[LM_RANK] = {0}, n = 0;
    int64_t *dense = lm_ref_new_ints(c, count);
    if (!dense || !count)
        return dense;
    lm_view v = stretched(&c->x[i], shape);
    do
        dense[n++] = lm_load_i64(v.dt, lm_ref_at(&v, index));
    while (lm_ref_next(shape, index));
    return dense;
}

const double *lm_ref_floats(const lm_ref_call *c, int i)
{
    return lm_ref_floats_as(c, i, &c->x[i].sh);
}

const int64_t *lm_ref_ints(const lm_ref_call *c, int i)
{
    return lm_ref_ints_as(c, i, &c->x[i].sh);
}

void lm_ref_put_floats(const lm_ref_call *c, int k, const double *dense)
{
    const lm_view *y = &c->y[k];
    int64_t index[LM_RANK] = {0}, n = 0;
    if (lm_shape_count(&y->sh) == 0)
        return;
    do
        lm_store_f64(y->dt, lm_ref_at(y, index), dense[n++]);
    while (lm_ref_next(&y->sh, index));
}

void lm_ref_put_ints(const lm_ref_call *c, int k, const int64_t *dense)
{
    const lm_view *y = &c->y[k];
    bool is_unsigned = c->nx > 0 && lm_dtype_is_unsigned(c->x[0].dt);
    int64_t index[LM_RANK] = {0}, n = 0;
    if (lm_shape_count(&y->sh) == 0)
        return;
    do
        lm_store_i64(y->dt, lm_ref_at(y, index), dense[n++], is_unsigned);
    while (lm_ref_next(&y->sh, index));
}

double lm_ref_max(double a, double b)
{
    if (isnan(a) || isnan(b))
        return a + b;
    if (a == b)
        return signbit(a) ? b : a;
    return a > b ? a : b;
}

double lm_ref_min(double a, double b)
{
    if (isnan(a) || isnan(b))
        return a + b;
    if (a == b)
        return signbit(a) ? a : b;
    return a < b ? a : b;
}
