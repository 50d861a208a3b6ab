/* Reductions, the positions of extremes, and running sums. Elements are taken in row-major order. */
#include <math.h>

#include "backends/ref/ref.h"

/* What one reduction does with the elements: begin, fold each in, finish. */
static double begin(lm_opid op)
{
    switch (op) {
    case LM_OP_REDUCE_MAX: return -INFINITY;
    case LM_OP_REDUCE_MIN: return INFINITY;
    case LM_OP_REDUCE_PROD: return 1;
    default: return 0;
    }
}

static double fold(lm_opid op, double sum, double x)
{
    switch (op) {
    case LM_OP_REDUCE_MAX: return lm_ref_max(sum, x);
    case LM_OP_REDUCE_MIN: return lm_ref_min(sum, x);
    case LM_OP_REDUCE_PROD: return sum * x;
    case LM_OP_REDUCE_L1: return sum + fabs(x);
    case LM_OP_REDUCE_L2:
    case LM_OP_REDUCE_SUMSQ: return sum + x * x;
    default: return sum + x;
    }
}

static double finish(lm_opid op, double sum, int64_t count)
{
    switch (op) {
    case LM_OP_REDUCE_MEAN: return sum / (double)count; /* NaN for no elements */
    case LM_OP_REDUCE_L2: return sqrt(sum);
    case LM_OP_REDUCE_LOGSUM: return log(sum);
    default: return sum;
    }
}

/* Where element `index` of x goes in the dense result. Size-1 axes of the result do not change a flat position, so it
 * does not matter whether they are kept. */
static int64_t target(const lm_shape *x, uint32_t axes, const int64_t index[LM_RANK])
{
    int64_t flat = 0;
    for (int i = 0; i < x->rank; i++)
        if (!(axes >> i & 1))
            flat = flat * x->dim[i] + index[i];
    return flat;
}

/* log(sum(exp(x))), with the largest element taken out of the exponentials. */
static void log_sum_exp(const lm_ref_call *c, const double *x, double *most, double *y, int64_t ny)
{
    const lm_shape *shape = &c->x[0].sh;
    uint32_t axes = c->a->reduce.axes;
    int64_t index[LM_RANK] = {0}, n = lm_shape_count(shape);
    for (int64_t i = 0; i < ny; i++)
        most[i] = -INFINITY;
    for (int64_t i = 0; i < n; i++, lm_ref_next(shape, index))
        most[target(shape, axes, index)] = lm_ref_max(most[target(shape, axes, index)], x[i]);
    for (int64_t i = 0; i < n; i++, lm_ref_next(shape, index)) {
        int64_t to = target(shape, axes, index);
        y[to] += exp(x[i] - most[to]);
    }
    for (int64_t i = 0; i < ny; i++)
        y[i] = isinf(most[i]) ? most[i] : most[i] + log(y[i]);
}

static lm_status reduce_floats(const lm_ref_call *c, int64_t each)
{
    const lm_shape *shape = &c->x[0].sh;
    int64_t index[LM_RANK] = {0}, n = lm_shape_count(shape), ny = lm_shape_count(&c->y[0].sh);
    const double *x = lm_ref_floats(c, 0);
    double *y = lm_ref_new_floats(c, ny), *most = lm_ref_new_floats(c, ny);
    LM_REF_NEED(x && y && most);
    if (c->op == LM_OP_REDUCE_LSE) {
        log_sum_exp(c, x, most, y, ny);
    } else {
        for (int64_t i = 0; i < ny; i++)
            y[i] = begin(c->op);
        for (int64_t i = 0; i < n; i++, lm_ref_next(shape, index)) {
            double *to = &y[target(shape, c->a->reduce.axes, index)];
            *to = fold(c->op, *to, x[i]);
        }
        for (int64_t i = 0; i < ny; i++)
            y[i] = finish(c->op, y[i], each);
    }
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}

/* Flipping the top bit turns the order of uint64 into that of int64. */
static int64_t order_bit(lm_dtype dt)
{
    return lm_dtype_is_unsigned(dt) ? INT64_MIN : 0;
}

static int64_t fold_int(lm_opid op, lm_dtype dt, int64_t sum, int64_t x)
{
    uint64_t us = (uint64_t)sum, ux = (uint64_t)x;
    int64_t bit = order_bit(dt);
    switch (op) {
    case LM_OP_REDUCE_MAX: return (sum ^ bit) > (x ^ bit) ? sum : x;
    case LM_OP_REDUCE_MIN: return (sum ^ bit) < (x ^ bit) ? sum : x;
    case LM_OP_REDUCE_PROD: return (int64_t)(us * ux);
    case LM_OP_REDUCE_L1: return (int64_t)(us + (!bit && x < 0 ? 0 - ux : ux));
    case LM_OP_REDUCE_SUMSQ: return (int64_t)(us + ux * ux);
    default: return (int64_t)(us + ux);
    }
}

/* The least and greatest number of a type, for maxima and minima of nothing. */
static int64_t extreme(lm_dtype dt, bool greatest)
{
    unsigned char bytes[8];
    if (dt == LM_BOOL)
        return greatest;
    lm_store_f64(dt, bytes, greatest ? INFINITY : -INFINITY);
    return lm_load_i64(dt, bytes);
}

/* Exact modulo 2^64; the mean truncates. */
static lm_status reduce_ints(const lm_ref_call *c, int64_t each)
{
    const lm_shape *shape = &c->x[0].sh;
    lm_dtype dt = c->x[0].dt;
    int64_t index[LM_RANK] = {0}, n = lm_shape_count(shape), ny = lm_shape_count(&c->y[0].sh);
    const int64_t *x = lm_ref_ints(c, 0);
    int64_t *y = lm_ref_new_ints(c, ny), first = 0;
    LM_REF_NEED(x && y);
    if (c->op == LM_OP_REDUCE_MAX || c->op == LM_OP_REDUCE_MIN)
        first = extreme(dt, c->op == LM_OP_REDUCE_MIN);
    if (c->op == LM_OP_REDUCE_PROD)
        first = 1;
    for (int64_t i = 0; i < ny; i++)
        y[i] = first;
    for (int64_t i = 0; i < n; i++, lm_ref_next(shape, index)) {
        int64_t *to = &y[target(shape, c->a->reduce.axes, index)];
        *to = fold_int(c->op, dt, *to, x[i]);
    }
    for (int64_t i = 0; i < ny && c->op == LM_OP_REDUCE_MEAN; i++)
        y[i] = lm_dtype_is_unsigned(dt) ? (int64_t)((uint64_t)y[i] / (uint64_t)each) : y[i] / each;
    lm_ref_put_ints(c, 0, y);
    return LM_OK;
}

/* Over no elements: sums 0, product 1, maximum -Inf or the least integer, minimum the opposite. L2, LogSum and
 * LogSumExp of integers are computed in double and truncated. */
lm_status lm_ref_reduce(const lm_ref_call *c)
{
    const lm_shape *x = &c->x[0].sh;
    int64_t each = 1;
    for (int i = 0; i < x->rank; i++)
        each *= c->a->reduce.axes >> i & 1 ? x->dim[i] : 1;
    bool inexact = c->op == LM_OP_REDUCE_L2 || c->op == LM_OP_REDUCE_LOGSUM || c->op == LM_OP_REDUCE_LSE;
    return inexact || lm_dtype_is_float(c->x[0].dt) ? reduce_floats(c, each) : reduce_ints(c, each);
}

lm_status lm_ref_order_of(const lm_ref_call *c, int i, lm_ref_order *out)
{
    *out = (lm_ref_order){0};
    if (lm_dtype_is_float(c->x[i].dt)) {
        LM_REF_NEED(out->f = lm_ref_floats(c, i));
        return LM_OK;
    }
    LM_REF_NEED(out->i = lm_ref_ints(c, i));
    out->bit = order_bit(c->x[i].dt);
    return LM_OK;
}

int lm_ref_order_compare(const lm_ref_order *o, int64_t p, int64_t q)
{
    if (o->f) {
        double a = o->f[p], b = o->f[q];
        if (isnan(a) || isnan(b))
            return (isnan(a) != 0) - (isnan(b) != 0);
        return (a > b) - (a < b);
    }
    int64_t a = o->i[p] ^ o->bit, b = o->i[q] ^ o->bit;
    return (a > b) - (a < b);
}

/* ArgMax, ArgMin: the first extreme along the axis, or the last one if asked; a NaN is more extreme than any number. */
lm_status lm_ref_arg(const lm_ref_call *c)
{
    lm_ref_cut cut = lm_ref_cut_at(&c->x[0].sh, c->a->axis.axis);
    int64_t *y = lm_ref_new_ints(c, cut.outer * cut.inner);
    lm_ref_order order;
    LM_REF_NEED(y);
    LM_TRY(lm_ref_order_of(c, 0, &order));
    for (int64_t o = 0; o < cut.outer; o++)
        for (int64_t n = 0; n < cut.inner; n++) {
            int64_t line = o * cut.size * cut.inner + n, best = 0;
            for (int64_t i = 1; i < cut.size; i++) {
                int64_t here = line + i * cut.inner, there = line + best * cut.inner;
                int sign = lm_ref_order_compare(&order, here, there);
                bool nan = order.f && (isnan(order.f[here]) || isnan(order.f[there]));
                if (c->op == LM_OP_ARGMIN && !nan)
                    sign = -sign;
                if (sign > 0 || (sign == 0 && c->a->axis.last))
                    best = i;
            }
            y[o * cut.inner + n] = best;
        }
    lm_ref_put_ints(c, 0, y);
    return LM_OK;
}

/* `exclusive`: element i is the sum of those before it; `reverse`: from the end. */
lm_status lm_ref_cumsum(const lm_ref_call *c)
{
    const lm_attr_axis *a = &c->a->axis;
    lm_ref_cut cut = lm_ref_cut_at(&c->x[0].sh, a->axis);
    int64_t n = lm_shape_count(&c->x[0].sh);
    bool floats = lm_dtype_is_float(c->x[0].dt);
    const double *xf = floats ? lm_ref_floats(c, 0) : NULL;
    const int64_t *xi = floats ? NULL : lm_ref_ints(c, 0);
    double *yf = lm_ref_new_floats(c, n);
    int64_t *yi = lm_ref_new_ints(c, n);
    LM_REF_NEED((xf || xi) && yf && yi);
    for (int64_t line = 0; line < cut.outer * cut.inner; line++) {
        int64_t start = line / cut.inner * cut.size * cut.inner + line % cut.inner;
        double sum = 0;
        uint64_t whole = 0;
        for (int64_t i = 0; i < cut.size; i++) {
            int64_t at = start + (a->reverse ? cut.size - 1 - i : i) * cut.inner;
            double before = sum;
            uint64_t whole_before = whole;
            if (floats)
                sum += xf[at];
            else
                whole += (uint64_t)xi[at];
            yf[at] = a->exclusive ? before : sum;
            yi[at] = (int64_t)(a->exclusive ? whole_before : whole);
        }
    }
    if (floats)
        lm_ref_put_floats(c, 0, yf);
    else
        lm_ref_put_ints(c, 0, yi);
    return LM_OK;
}
