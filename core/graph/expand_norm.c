/* Normalisations. Variances take two passes: the mean first, then the squares of what is left. */
#include "core/graph/expand.h"

/* A vector of channels as a shape that broadcasts against x: [C,1,1...]. */
static lm_val per_channel(lm_emit *e, lm_val v, lm_val x)
{
    lm_shape shape = {.rank = lm_emit_shape(e, x)->rank - 1};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = 1;
    if (shape.rank > 0)
        shape.dim[0] = lm_emit_shape(e, x)->dim[1];
    return lm_emit_reshape(e, v, &shape);
}

static lm_val affine(lm_emit *e, lm_val x, lm_val scale, lm_val bias)
{
    lm_val y = lm_emit1(e, LM_OP_MUL, NULL, x, scale);
    return bias == LM_NOVAL ? y : lm_emit1(e, LM_OP_ADD, NULL, y, bias);
}

/* (x - mean) / sqrt(variance + epsilon) over some axes; mean and 1 / sqrt(...) are handed out with those axes kept. */
static lm_val normalise(lm_emit *e, lm_val x, uint32_t axes, double epsilon, lm_val *mean, lm_val *inverse)
{
    *mean = lm_emit_reduce(e, LM_OP_REDUCE_MEAN, x, axes, true);
    lm_val centred = lm_emit1(e, LM_OP_SUB, NULL, x, *mean);
    lm_val square = lm_emit1(e, LM_OP_MUL, NULL, centred, centred);
    lm_val variance = lm_emit_reduce(e, LM_OP_REDUCE_MEAN, square, axes, true);
    lm_val sigma = lm_emit1(e, LM_OP_SQRT, NULL, lm_emit_scalar(e, LM_OP_ADD, variance, epsilon));
    *inverse = lm_emit1(e, LM_OP_RECIPROCAL, NULL, sigma);
    return lm_emit1(e, LM_OP_MUL, NULL, centred, *inverse);
}

/* (x, scale, bias?) -> y, mean, 1 / standard deviation */
void lm_expand_layernorm(lm_emit *e, const lm_composite *c)
{
    lm_val mean, inverse, bias = c->nx > 2 ? c->x[2] : LM_NOVAL;
    uint32_t axes = lm_emit_axes_from(e, c->x[0], c->a->norm.axis);
    lm_val unit = normalise(e, c->x[0], axes, c->a->norm.epsilon, &mean, &inverse);
    c->y[0] = affine(e, unit, c->x[1], bias);
    if (c->ny > 1)
        c->y[1] = mean;
    if (c->ny > 2)
        c->y[2] = inverse;
}

/* (x, scale): x / sqrt(mean of x² + epsilon) * scale */
void lm_expand_rmsnorm(lm_emit *e, const lm_composite *c)
{
    lm_val x = c->x[0];
    uint32_t axes = lm_emit_axes_from(e, x, c->a->norm.axis);
    lm_val square = lm_emit_reduce(e, LM_OP_REDUCE_MEAN, lm_emit1(e, LM_OP_MUL, NULL, x, x), axes, true);
    lm_val rms = lm_emit1(e, LM_OP_SQRT, NULL, lm_emit_scalar(e, LM_OP_ADD, square, c->a->norm.epsilon));
    lm_val unit = lm_emit1(e, LM_OP_MUL, NULL, x, lm_emit1(e, LM_OP_RECIPROCAL, NULL, rms));
    c->y[0] = lm_emit1(e, LM_OP_MUL, NULL, unit, c->x[1]);
}

/* (x, scale, bias, mean, variance), all but x per channel */
void lm_expand_batchnorm(lm_emit *e, const lm_composite *c)
{
    lm_val x = c->x[0];
    lm_val sigma = lm_emit1(e, LM_OP_SQRT, NULL, lm_emit_scalar(e, LM_OP_ADD, c->x[4], c->a->norm.epsilon));
    lm_val gain = lm_emit1(e, LM_OP_DIV, NULL, c->x[1], sigma);
    lm_val centred = lm_emit1(e, LM_OP_SUB, NULL, x, per_channel(e, c->x[3], x));
    c->y[0] = affine(e, centred, per_channel(e, gain, x), per_channel(e, c->x[2], x));
}

/* (x, scale, bias): each channel of each sample on its own */
void lm_expand_instancenorm(lm_emit *e, const lm_composite *c)
{
    lm_val x = c->x[0], mean, inverse;
    lm_val unit = normalise(e, x, lm_emit_axes_from(e, x, 2), c->a->norm.epsilon, &mean, &inverse);
    c->y[0] = affine(e, unit, per_channel(e, c->x[1], x), per_channel(e, c->x[2], x));
}

/* (x, scale, bias): channels in groups, each group of each sample on its own; scale and bias per channel */
void lm_expand_groupnorm(lm_emit *e, const lm_composite *c)
{
    lm_val x = c->x[0], mean, inverse;
    const lm_shape full = *lm_emit_shape(e, x);
    int64_t samples = full.dim[0], groups = c->a->norm.groups;
    int64_t each = 1;
    for (int i = 1; i < full.rank; i++)
        each *= full.dim[i];
    lm_shape grouped = LM_SHAPE(samples, groups, each / groups);
    lm_val unit = normalise(e, lm_emit_reshape(e, x, &grouped), 1u << 2, c->a->norm.epsilon, &mean, &inverse);
    unit = lm_emit_reshape(e, unit, &full);
    c->y[0] = affine(e, unit, per_channel(e, c->x[1], x), per_channel(e, c->x[2], x));
}

/* x / (Σ|x|^p)^(1/p) along an axis; a row of zeros stays one. */
void lm_expand_lpnorm(lm_emit *e, const lm_composite *c)
{
    lm_val x = c->x[0];
    lm_opid op = c->a->norm.p == 1 ? LM_OP_REDUCE_L1 : LM_OP_REDUCE_L2;
    lm_val norm = lm_emit_reduce(e, op, x, 1u << c->a->norm.axis, true);
    lm_val empty = lm_emit_scalar(e, LM_OP_EQUAL, norm, 0);
    lm_val one = lm_emit_const(e, lm_emit_type(e, norm)->dt, 1);
    norm = lm_emit1(e, LM_OP_WHERE, NULL, empty, one, norm);
    c->y[0] = lm_emit1(e, LM_OP_DIV, NULL, x, norm);
}

/* (x - mean) / (standard deviation + 1e-9), the constant being the op's definition */
void lm_expand_mvn(lm_emit *e, const lm_composite *c)
{
    uint32_t axes = c->a->reduce.axes;
    lm_val mean = lm_emit_reduce(e, LM_OP_REDUCE_MEAN, c->x[0], axes, true);
    lm_val centred = lm_emit1(e, LM_OP_SUB, NULL, c->x[0], mean);
    lm_val square = lm_emit1(e, LM_OP_MUL, NULL, centred, centred);
    lm_val sigma = lm_emit1(e, LM_OP_SQRT, NULL, lm_emit_reduce(e, LM_OP_REDUCE_MEAN, square, axes, true));
    c->y[0] = lm_emit1(e, LM_OP_DIV, NULL, centred, lm_emit_scalar(e, LM_OP_ADD, sigma, 1e-9));
}

/* x / (bias + alpha/size * Σ x²)^beta over `size` neighbouring channels. The sum is a pooling window over the
 * channel axis of [N,1,C,rest]; padding counts, so that its mean is always the sum over `size`. */
void lm_expand_lrn(lm_emit *e, const lm_composite *c)
{
    const lm_attr_norm *t = &c->a->norm;
    lm_val x = c->x[0];
    const lm_shape full = *lm_emit_shape(e, x);
    if (lm_shape_count(&full) == 0) {
        c->y[0] = x;
        return;
    }
    int64_t rest = 1;
    for (int i = 2; i < full.rank; i++)
        rest *= full.dim[i];
    lm_shape image = LM_SHAPE(full.dim[0], 1, full.dim[1], rest);
    lm_attrs pool = {0};
    pool.pool.nd = 2;
    for (int i = 0; i < 2; i++)
        pool.pool.kernel[i] = pool.pool.stride[i] = pool.pool.dilation[i] = 1;
    pool.pool.kernel[0] = t->size;
    pool.pool.pad_lo[0] = (t->size - 1) / 2;
    pool.pool.pad_hi[0] = t->size / 2;
    pool.pool.count_pad = true;
    lm_val square = lm_emit_reshape(e, lm_emit1(e, LM_OP_MUL, NULL, x, x), &image);
    lm_val mean = lm_emit_reshape(e, lm_emit1(e, LM_OP_AVGPOOL, &pool, square), &full);
    lm_val base = lm_emit_scalar(e, LM_OP_ADD, lm_emit_scalar(e, LM_OP_MUL, mean, t->alpha), t->bias);
    c->y[0] = lm_emit1(e, LM_OP_DIV, NULL, x, lm_emit_scalar(e, LM_OP_POW, base, t->beta));
}
