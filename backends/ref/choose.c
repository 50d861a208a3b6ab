/* Ops that make indices or turn them into tensors: OneHot, TopK, NonZero, Range. */
#include <string.h>

#include "backends/ref/ref.h"

/* (indices, [off, on]): `on` where the new axis equals the index. Negative indices count from the end; one outside the
 * axis is not an error here but leaves its whole line off. Float indices are truncated. */
lm_status lm_ref_onehot(const lm_ref_call *c)
{
    const lm_view *value = &c->x[1], *y = &c->y[0];
    const lm_attr_onehot *a = &c->a->onehot;
    int64_t n = lm_shape_count(&y->sh), at[LM_RANK] = {0};
    const int64_t *index = lm_ref_ints(c, 0);
    LM_REF_NEED(index);
    for (int64_t i = 0; i < n; i++, lm_ref_next(&y->sh, at)) {
        int64_t from = 0;
        for (int k = 0; k < y->sh.rank; k++)
            if (k != a->axis)
                from = from * y->sh.dim[k] + at[k];
        int64_t hot = index[from] < 0 ? index[from] + a->depth : index[from];
        int64_t which[LM_RANK] = {at[a->axis] == hot};
        memcpy(lm_ref_at(y, at), lm_ref_at(value, which), lm_dtype_size(y->dt));
    }
    return LM_OK;
}

/* Merge sort of flat positions, stable, so that of equal elements the one with the lower index comes first. */
static void sort(const lm_ref_order *order, int sign, int64_t *at, int64_t *spare, int64_t n)
{
    if (n < 2)
        return;
    int64_t half = n / 2, left = 0, right = half;
    sort(order, sign, at, spare, half);
    sort(order, sign, at + half, spare, n - half);
    for (int64_t i = 0; i < n; i++) {
        bool take = right >= n || (left < half && sign * lm_ref_order_compare(order, at[left], at[right]) >= 0);
        spare[i] = take ? at[left++] : at[right++];
    }
    memcpy(at, spare, (size_t)n * sizeof *at);
}

/* The k largest (or smallest) of each line and their indices, in order; a NaN counts as the largest number. What
 * `sorted` = 0 leaves open is settled the same way. */
lm_status lm_ref_topk(const lm_ref_call *c)
{
    const lm_attr_topk *a = &c->a->topk;
    lm_ref_cut cut = lm_ref_cut_at(&c->x[0].sh, a->axis);
    int64_t n = lm_shape_count(&c->y[0].sh);
    bool floats = lm_dtype_is_float(c->x[0].dt);
    lm_ref_order order;
    LM_TRY(lm_ref_order_of(c, 0, &order));
    double *yf = lm_ref_new_floats(c, n);
    int64_t *yi = lm_ref_new_ints(c, n), *index = lm_ref_new_ints(c, n);
    int64_t *at = lm_ref_new_ints(c, cut.size), *spare = lm_ref_new_ints(c, cut.size);
    LM_REF_NEED(yf && yi && index && at && spare);
    for (int64_t line = 0; line < cut.outer * cut.inner; line++) {
        int64_t o = line / cut.inner, inner = line % cut.inner, start = o * cut.size * cut.inner + inner;
        for (int64_t i = 0; i < cut.size; i++)
            at[i] = start + i * cut.inner;
        sort(&order, a->largest ? 1 : -1, at, spare, cut.size);
        for (int64_t i = 0; i < a->k; i++) {
            int64_t to = (o * a->k + i) * cut.inner + inner;
            index[to] = (at[i] - start) / cut.inner;
            if (floats)
                yf[to] = order.f[at[i]];
            else
                yi[to] = order.i[at[i]];
        }
    }
    if (floats)
        lm_ref_put_floats(c, 0, yf);
    else
        lm_ref_put_ints(c, 0, yi);
    if (c->ny > 1)
        lm_ref_put_ints(c, 1, index);
    return LM_OK;
}

/* The size of the result was fixed when the call was bound; data that would make another one is refused. */
static lm_status check_count(const lm_ref_call *c, int64_t count)
{
    const lm_shape *sy = &c->y[0].sh;
    LM_REQUIRE(count == sy->dim[sy->rank - 1], LM_INPUT, "%s: the data give %lld results, the plan has shape %s",
               lm_ops[c->op].name, (long long)count, lm_shape_text(sy, (char[LM_SHAPE_TEXT]){0}));
    return LM_OK;
}

/* [rank, count]: the coordinates of what is not zero, in row-major order. */
lm_status lm_ref_nonzero(const lm_ref_call *c)
{
    const lm_view *x = &c->x[0];
    int64_t n = lm_shape_count(&x->sh), index[LM_RANK] = {0}, count = 0, column = 0;
    for (int64_t i = 0; i < n; i++)
        count += lm_view_get(x, i) != 0;
    LM_TRY(check_count(c, count));
    int64_t *y = lm_ref_new_ints(c, lm_shape_count(&c->y[0].sh));
    LM_REF_NEED(y);
    for (int64_t i = 0; i < n; i++, lm_ref_next(&x->sh, index)) {
        if (lm_view_get(x, i) == 0)
            continue;
        for (int k = 0; k < x->sh.rank; k++)
            y[k * count + column] = index[k];
        column++;
    }
    lm_ref_put_ints(c, 0, y);
    return LM_OK;
}

/* (start, limit, delta): start + i * delta. */
lm_status lm_ref_range(const lm_ref_call *c)
{
    const lm_view *values[3] = {&c->x[0], &c->x[1], &c->x[2]};
    lm_type types[3], result;
    for (int i = 0; i < 3; i++)
        types[i] = (lm_type){c->x[i].dt, c->x[i].sh};
    lm_shape_args args = {.op = c->op, .a = c->a, .nx = 3, .ny = 1, .x = types, .value = values};
    LM_TRY(lm_op_infer(&args, &result));
    int64_t n = result.sh.dim[0];
    LM_TRY(check_count(c, n));
    if (lm_dtype_is_float(c->x[0].dt)) {
        double *y = lm_ref_new_floats(c, n), start = lm_view_get(&c->x[0], 0), delta = lm_view_get(&c->x[2], 0);
        LM_REF_NEED(y);
        for (int64_t i = 0; i < n; i++)
            y[i] = start + (double)i * delta;
        lm_ref_put_floats(c, 0, y);
        return LM_OK;
    }
    int64_t *y = lm_ref_new_ints(c, n), start = lm_view_get_i64(&c->x[0], 0), delta = lm_view_get_i64(&c->x[2], 0);
    LM_REF_NEED(y);
    for (int64_t i = 0; i < n; i++)
        y[i] = (int64_t)((uint64_t)start + (uint64_t)i * (uint64_t)delta);
    lm_ref_put_ints(c, 0, y);
    return LM_OK;
}
