/* Shape rules of gather, scatter and the ops that make or choose indices. */
#include "core/ops/shape_rules.h"

#include <math.h>

static lm_status check_axis(const lm_shape_args *args, int32_t axis)
{
    LM_RULE(args->x[0].sh.rank > 0, "input 0 has shape []; expected at least one axis");
    return lm_rule_range(args, "axis", axis, 0, args->x[0].sh.rank - 1);
}

/* data's sizes before the axis, all of the indices', data's after the axis. */
static lm_status gathered(const lm_shape_args *args, const lm_shape *data, int axis, lm_shape *out)
{
    const lm_shape *index = &args->x[1].sh;
    LM_RULE(data->rank - 1 + index->rank <= LM_RANK, "data %s and indices %s make rank %d; at most %d is possible",
            LM_TEXT(*data), LM_TEXT(*index), data->rank - 1 + index->rank, LM_RANK);
    *out = (lm_shape){0};
    for (int i = 0; i < axis; i++)
        out->dim[out->rank++] = data->dim[i];
    for (int i = 0; i < index->rank; i++)
        out->dim[out->rank++] = index->dim[i];
    for (int i = axis + 1; i < data->rank; i++)
        out->dim[out->rank++] = data->dim[i];
    return LM_OK;
}

lm_status lm_shape_gather(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_axis(args, args->a->index.axis));
    LM_TRY(lm_rule_type(args, 1, LM_SET_INDEX));
    y[0].dt = args->x[0].dt;
    return gathered(args, &args->x[0].sh, args->a->index.axis, &y[0].sh);
}

/* (signal, indices) -> the data's shape, which attrs name. */
lm_status lm_shape_gather_dx(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *data = &args->a->shape.shape;
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    LM_TRY(lm_rule_type(args, 1, LM_SET_INDEX));
    LM_TRY(lm_context(lm_shape_check(data, NULL), "%s: the data's shape", lm_ops[args->op].name));
    LM_RULE(args->a->shape.axis >= 0 && args->a->shape.axis < data->rank, "axis = %d for data of shape %s",
            args->a->shape.axis, LM_TEXT(*data));
    lm_shape signal;
    LM_TRY(gathered(args, data, args->a->shape.axis, &signal));
    LM_TRY(lm_rule_shape(args, 0, signal, "what gathering with these indices gives"));
    y[0] = (lm_type){args->x[0].dt, *data};
    return LM_OK;
}

/* Indices have data's rank and are no larger than data on the other axes. */
static lm_status check_elements(const lm_shape_args *args)
{
    const lm_shape *data = &args->x[0].sh, *index = &args->x[1].sh;
    int axis = args->a->index.axis;
    LM_TRY(check_axis(args, axis));
    LM_TRY(lm_rule_type(args, 1, LM_SET_INDEX));
    LM_RULE(index->rank == data->rank, "indices have shape %s; expected rank %d like data of shape %s", LM_TEXT(*index),
            data->rank, LM_TEXT(*data));
    for (int i = 0; i < data->rank; i++)
        LM_RULE(i == axis || index->dim[i] <= data->dim[i], "indices %s are larger than data %s on axis %d",
                LM_TEXT(*index), LM_TEXT(*data), i);
    return LM_OK;
}

lm_status lm_shape_gather_elements(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_elements(args));
    y[0] = (lm_type){args->x[0].dt, args->x[1].sh};
    return LM_OK;
}

static lm_status check_updates(const lm_shape_args *args, lm_shape shape)
{
    lm_scatter_mode mode = args->a->index.mode;
    LM_TRY(lm_rule_range(args, "reduction", (int64_t)mode, LM_SCATTER_SET, LM_SCATTER_MIN));
    if (mode != LM_SCATTER_SET)
        LM_TRY(lm_rule_type(args, 0, LM_SET_NUMBER));
    LM_TRY(lm_rule_same_types(args, 2));
    return lm_rule_shape(args, 2, shape, "one update for every place the indices name");
}

lm_status lm_shape_scatter_elements(const lm_shape_args *args, lm_type *y)
{
    LM_TRY(check_elements(args));
    LM_TRY(check_updates(args, args->x[1].sh));
    y[0] = args->x[0];
    return LM_OK;
}

/* The last axis of the indices holds one coordinate each for the axes of data that follow the `batch` shared ones.
 * What is picked at every coordinate is the rest of data. */
static lm_status picked(const lm_shape_args *args, int batch, lm_shape *out)
{
    const lm_shape *data = &args->x[0].sh, *index = &args->x[1].sh;
    LM_TRY(lm_rule_type(args, 1, LM_SET_INDEX));
    LM_RULE(data->rank >= 1 && index->rank >= 1, "data %s and indices %s; expected at least one axis each",
            LM_TEXT(*data), LM_TEXT(*index));
    LM_RULE(batch >= 0 && batch < index->rank && batch < data->rank, "batch = %d for data %s and indices %s", batch,
            LM_TEXT(*data), LM_TEXT(*index));
    for (int i = 0; i < batch; i++)
        LM_RULE(data->dim[i] == index->dim[i], "data %s and indices %s differ on the shared axis %d", LM_TEXT(*data),
                LM_TEXT(*index), i);
    int64_t depth = index->dim[index->rank - 1];
    LM_RULE(depth >= 1 && depth <= data->rank - batch,
            "the last axis of indices %s holds %lld coordinates; data %s takes 1 to %d", LM_TEXT(*index),
            (long long)depth, LM_TEXT(*data), data->rank - batch);
    int rest = data->rank - batch - (int)depth;
    LM_RULE(index->rank - 1 + rest <= LM_RANK, "data %s and indices %s make rank %d; at most %d is possible",
            LM_TEXT(*data), LM_TEXT(*index), index->rank - 1 + rest, LM_RANK);
    *out = (lm_shape){0};
    for (int i = 0; i < index->rank - 1; i++)
        out->dim[out->rank++] = index->dim[i];
    for (int i = data->rank - rest; i < data->rank; i++)
        out->dim[out->rank++] = data->dim[i];
    return LM_OK;
}

lm_status lm_shape_gather_nd(const lm_shape_args *args, lm_type *y)
{
    y[0].dt = args->x[0].dt;
    return picked(args, args->a->index.batch, &y[0].sh);
}

lm_status lm_shape_scatter_nd(const lm_shape_args *args, lm_type *y)
{
    lm_shape updates;
    LM_TRY(picked(args, 0, &updates));
    LM_TRY(check_updates(args, updates));
    y[0] = args->x[0];
    return LM_OK;
}

/* (indices, values [off, on]): a new axis of size `depth`, which may also come last. */
lm_status lm_shape_onehot(const lm_shape_args *args, lm_type *y)
{
    const lm_attr_onehot *a = &args->a->onehot;
    const lm_shape *x = &args->x[0].sh;
    LM_TRY(lm_rule_type(args, 0, LM_SET_NUMBER));
    LM_RULE(x->rank < LM_RANK, "indices have shape %s; another axis would be one too many", LM_TEXT(*x));
    LM_TRY(lm_rule_range(args, "axis", a->axis, 0, x->rank));
    LM_RULE(a->depth >= 0, "depth = %lld for indices %s; expected 0 or more", (long long)a->depth, LM_TEXT(*x));
    LM_TRY(lm_rule_shape(args, 1, LM_SHAPE(2), "the off value and the on value"));
    y[0] = (lm_type){args->x[1].dt, {.rank = x->rank + 1}};
    for (int i = 0; i <= x->rank; i++)
        y[0].sh.dim[i] = i == a->axis ? a->depth : x->dim[i < a->axis ? i : i - 1];
    return LM_OK;
}

lm_status lm_shape_topk(const lm_shape_args *args, lm_type *y)
{
    const lm_attr_topk *a = &args->a->topk;
    LM_TRY(lm_rule_type(args, 0, LM_SET_NUMBER));
    LM_TRY(check_axis(args, a->axis));
    LM_TRY(lm_rule_range(args, "k", a->k, 0, args->x[0].sh.dim[a->axis]));
    y[0] = args->x[0];
    y[0].sh.dim[a->axis] = a->k;
    y[1] = (lm_type){LM_I64, y[0].sh};
    return LM_OK;
}

static lm_status host_value(const lm_shape_args *args, int i, const lm_view **out)
{
    const lm_view *v = args->value ? args->value[i] : NULL;
    LM_REQUIRE(v, LM_UNSUPPORTED, "%s: its result's size depends on the values of input %d, which are not known yet",
               lm_ops[args->op].name, i);
    *out = v;
    return LM_OK;
}

/* [rank, number of elements that are not zero]; NaN is not zero. A scalar gives [0, number]. */
lm_status lm_shape_nonzero(const lm_shape_args *args, lm_type *y)
{
    const lm_view *x = NULL;
    LM_TRY(host_value(args, 0, &x));
    int64_t count = 0, n = lm_shape_count(&x->sh);
    for (int64_t i = 0; i < n; i++)
        count += lm_view_get(x, i) != 0;
    y[0] = (lm_type){LM_I64, LM_SHAPE(x->sh.rank, count)};
    return LM_OK;
}

/* Steps from start to limit, which is left out; none when delta leads away. Integers are counted in unsigned
 * arithmetic, where the distance always fits. */
static lm_status count_int(const lm_shape_args *args, int64_t start, int64_t limit, int64_t delta, int64_t *out)
{
    LM_RULE(delta != 0, "delta is 0 from start %lld to limit %lld", (long long)start, (long long)limit);
    uint64_t distance = delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    uint64_t count = (delta > 0) == (limit > start) && limit != start ? (distance - 1) / step + 1 : 0;
    LM_RULE(count <= (uint64_t)1 << 61, "start %lld, limit %lld and delta %lld make more than 2^61 elements",
            (long long)start, (long long)limit, (long long)delta);
    *out = (int64_t)count;
    return LM_OK;
}

static lm_status count_float(const lm_shape_args *args, double start, double limit, double delta, int64_t *out)
{
    LM_RULE(isfinite(start) && isfinite(limit) && isfinite(delta) && delta != 0,
            "start %g, limit %g and delta %g; expected finite numbers and a delta other than 0", start, limit, delta);
    double count = ceil((limit - start) / delta);
    LM_RULE(count < 0x1p61, "start %g, limit %g and delta %g make more than 2^61 elements", start, limit, delta);
    *out = count > 0 ? (int64_t)count : 0;
    return LM_OK;
}

/* (start, limit, delta), one element each. */
lm_status lm_shape_range(const lm_shape_args *args, lm_type *y)
{
    const lm_view *v[3] = {0};
    LM_TRY(lm_rule_type(args, 0, LM_SET_NUMBER));
    LM_TRY(lm_rule_same_types(args, 1));
    for (int i = 0; i < 3; i++) {
        LM_RULE(lm_shape_count(&args->x[i].sh) == 1, "input %d has shape %s; expected one element", i,
                LM_TEXT(args->x[i].sh));
        LM_TRY(host_value(args, i, &v[i]));
    }
    y[0] = (lm_type){args->x[0].dt, {.rank = 1}};
    if (lm_dtype_is_float(args->x[0].dt))
        return count_float(args, lm_view_get(v[0], 0), lm_view_get(v[1], 0), lm_view_get(v[2], 0), &y[0].sh.dim[0]);
    /* only uint64 has values that int64 cannot hold */
    for (int i = 0; i < 3; i++)
        LM_RULE(args->x[i].dt != LM_U64 || lm_view_get_i64(v[i], 0) >= 0, "input %d of type uint64 is past 2^63", i);
    return count_int(args, lm_view_get_i64(v[0], 0), lm_view_get_i64(v[1], 0), lm_view_get_i64(v[2], 0),
                     &y[0].sh.dim[0]);
}
