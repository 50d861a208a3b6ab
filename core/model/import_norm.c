/* Importers of softmax and the normalisations. */
#include "core/model/import_util.h"

#include <string.h>

void lm_import_softmax(lm_import *im)
{
    int64_t axis = lm_attr_int(im, "axis", -1);
    if (!lm_import_needs(im, 1))
        return;
    int at = lm_axis_of(im, axis, lm_in_shape(im, 0)->rank);
    if (im->e.status == LM_OK)
        im->y[0] = lm_emit_axis(&im->e, im->op, lm_in(im, 0), at);
}

/* Before version 13 all axes from `axis` on were one. */
void lm_import_softmax_1(lm_import *im)
{
    int64_t axis = lm_attr_int(im, "axis", 1);
    if (!lm_import_needs(im, 1))
        return;
    const lm_shape full = *lm_in_shape(im, 0);
    int at = axis == full.rank ? full.rank : lm_axis_of(im, axis, full.rank);
    if (im->e.status != LM_OK)
        return;
    if (full.rank && at == full.rank - 1) {
        im->y[0] = lm_emit_axis(&im->e, im->op, lm_in(im, 0), at);
        return;
    }
    lm_shape flat = LM_SHAPE(1, 1);
    for (int i = 0; i < full.rank; i++)
        flat.dim[i >= at] *= full.dim[i];
    lm_val y = lm_emit_axis(&im->e, im->op, lm_emit_reshape(&im->e, lm_in(im, 0), &flat), 1);
    im->y[0] = lm_emit_reshape(&im->e, y, &full);
}

/* Operand i in the type of operand 0: statistics and scales may have another float type. */
static lm_val like_x(lm_import *im, int i)
{
    return lm_emit_cast(&im->e, lm_in(im, i), lm_in_type(im, 0)->dt);
}

/* One value per channel, [C], as [C,1,...] against x. */
static lm_val per_channel(lm_emit *e, lm_val v, lm_val x)
{
    const lm_shape *s = lm_emit_shape(e, v);
    if (e->status != LM_OK || s->rank != 1)
        return v;
    lm_shape to = {.rank = lm_emit_shape(e, x)->rank - 1, .dim = {s->dim[0]}};
    for (int i = 1; i < to.rank; i++)
        to.dim[i] = 1;
    return lm_emit_reshape(e, v, &to);
}

/* (x - mean) / sqrt(variance + epsilon) * scale + bias, with statistics of any shape that broadcasts to x. */
static lm_val normalise(lm_import *im, lm_val mean, lm_val variance, double epsilon)
{
    lm_emit *e = &im->e;
    lm_val x = lm_in(im, 0);
    lm_val sigma = lm_emit1(e, LM_OP_SQRT, NULL, lm_emit_scalar(e, LM_OP_ADD, variance, epsilon));
    lm_val gain = lm_emit1(e, LM_OP_DIV, NULL, per_channel(e, like_x(im, 1), x), sigma);
    lm_val y = lm_emit1(e, LM_OP_MUL, NULL, lm_emit1(e, LM_OP_SUB, NULL, x, mean), gain);
    return lm_emit1(e, LM_OP_ADD, NULL, y, per_channel(e, like_x(im, 2), x));
}

/* old * momentum + now * (1 - momentum), for a running statistic. */
static lm_val running(lm_import *im, int i, lm_val now, double momentum)
{
    lm_emit *e = &im->e;
    lm_dtype dt = lm_in_type(im, i)->dt;
    lm_val kept = lm_emit_scalar(e, LM_OP_MUL, lm_in(im, i), momentum);
    lm_val added = lm_emit_scalar(e, LM_OP_MUL, lm_emit_cast(e, now, dt), 1 - momentum);
    return lm_emit1(e, LM_OP_ADD, NULL, kept, added);
}

/* Statistics of this batch: y, running mean and variance, and before version 14 the batch's own as well. */
static void train(lm_import *im, double epsilon, double momentum)
{
    lm_emit *e = &im->e;
    lm_val x = lm_in(im, 0);
    const lm_shape channels = *lm_in_shape(im, 3);
    uint32_t axes = lm_emit_axes_from(e, x, 0) & ~2u;
    lm_val mean = lm_emit_reduce(e, LM_OP_REDUCE_MEAN, x, axes, true);
    lm_val centred = lm_emit1(e, LM_OP_SUB, NULL, x, mean);
    lm_val square = lm_emit1(e, LM_OP_MUL, NULL, centred, centred);
    lm_val variance = lm_emit_reduce(e, LM_OP_REDUCE_MEAN, square, axes, true);
    lm_val own[2] = {lm_emit_reshape(e, mean, &channels), lm_emit_reshape(e, variance, &channels)};
    lm_import_note(im, LM_LOG_WARN,
                   "BatchNormalization in training mode normalises with the statistics of the batch at hand");
    im->y[0] = normalise(im, mean, variance, epsilon);
    for (int i = 0; i < 2; i++) {
        if (lm_wants(im, 1 + i))
            im->y[1 + i] = running(im, 3 + i, own[i], momentum);
        if (lm_wants(im, 3 + i))
            im->y[3 + i] = own[i];
    }
}

static void batchnorm(lm_import *im, bool training)
{
    lm_attrs a = {0};
    lm_emit *e = &im->e;
    double epsilon = lm_attr_float(im, "epsilon", (double)1e-5f);
    double momentum = lm_attr_float(im, "momentum", (double)0.9f);
    bool spatial = lm_attr_int(im, "spatial", 1) != 0;
    if (!lm_import_needs(im, 5) || !lm_import_ranked(im, 0, 1, LM_RANK))
        return;
    if (training && spatial) {
        train(im, epsilon, momentum);
        return;
    }
    if (training)
        lm_import_fail(im, LM_UNSUPPORTED, "training with statistics per element (spatial = 0)");
    if (!spatial || lm_in_shape(im, 0)->rank < 2) {
        im->y[0] = normalise(im, like_x(im, 3), like_x(im, 4), epsilon);
        return;
    }
    a.norm.axis = 1;
    a.norm.epsilon = (float)epsilon;
    lm_val x[5] = {lm_in(im, 0)};
    for (int i = 1; i < 5; i++)
        x[i] = like_x(im, i);
    im->y[0] = lm_emit_one(e, LM_OP_BATCHNORM, &a, 5, x);
}

/* Before version 14 a node that trains shows it by having more than one result. */
void lm_import_batchnorm_1(lm_import *im)
{
    bool more = false;
    for (int i = 1; i < im->ny; i++)
        more |= lm_wants(im, i);
    batchnorm(im, more);
}

void lm_import_batchnorm_14(lm_import *im)
{
    batchnorm(im, lm_attr_int(im, "training_mode", 0) != 0);
}

void lm_import_instancenorm(lm_import *im)
{
    lm_attrs a = {0};
    a.norm.epsilon = (float)lm_attr_float(im, "epsilon", (double)1e-5f);
    if (lm_import_needs(im, 3))
        im->y[0] = lm_emit1(&im->e, LM_OP_INSTANCENORM, &a, lm_in(im, 0), like_x(im, 1), like_x(im, 2));
}

/* Scale and bias per channel; in version 18 they were per group. */
static void groupnorm(lm_import *im, bool per_group)
{
    lm_attrs a = {0};
    lm_emit *e = &im->e;
    int64_t groups = lm_attr_int(im, "num_groups", 0);
    a.norm.epsilon = (float)lm_attr_float(im, "epsilon", (double)1e-5f);
    if (!lm_import_needs(im, 3) || !lm_import_ranked(im, 0, 2, LM_RANK))
        return;
    int64_t channels = lm_in_shape(im, 0)->dim[1];
    if (groups < 1 || groups > INT32_MAX || channels % groups != 0) {
        lm_import_fail(im, LM_INPUT, "num_groups = %lld for %lld channels", (long long)groups, (long long)channels);
        return;
    }
    a.norm.groups = (int32_t)groups;
    lm_val x[3] = {lm_in(im, 0), like_x(im, 1), like_x(im, 2)};
    lm_shape one = LM_SHAPE(groups, 1), each = LM_SHAPE(groups, channels / groups), flat = LM_SHAPE(channels);
    for (int i = 1; per_group && i < 3; i++)
        x[i] = lm_emit_reshape(e, lm_emit_expand(e, lm_emit_reshape(e, x[i], &one), &each), &flat);
    im->y[0] = lm_emit_one(e, LM_OP_GROUPNORM, &a, 3, x);
}

void lm_import_groupnorm_18(lm_import *im)
{
    groupnorm(im, true);
}

void lm_import_groupnorm_21(lm_import *im)
{
    groupnorm(im, false);
}

/* LayerNormalization and RMSNormalization: from `axis` on. */
void lm_import_layernorm(lm_import *im)
{
    lm_attrs a = {0};
    int64_t axis = lm_attr_int(im, "axis", -1);
    a.norm.epsilon = (float)lm_attr_float(im, "epsilon", (double)1e-5f);
    if (!lm_import_needs(im, 2))
        return;
    a.norm.axis = lm_axis_of(im, axis, lm_in_shape(im, 0)->rank);
    if (im->e.status != LM_OK)
        return;
    lm_val x[3] = {lm_in(im, 0), like_x(im, 1), lm_in(im, 2) == LM_NOVAL ? LM_NOVAL : like_x(im, 2)}, y[3];
    int nx = x[2] == LM_NOVAL || im->op == LM_OP_RMSNORM ? 2 : 3;
    int ny = lm_wants(im, 2) ? 3 : lm_wants(im, 1) ? 2 : 1;
    lm_emit_op(&im->e, im->op, &a, nx, x, ny, y);
    memcpy(im->y, y, (size_t)ny * sizeof *y);
}

void lm_import_lpnorm(lm_import *im)
{
    lm_attrs a = {0};
    int64_t axis = lm_attr_int(im, "axis", -1), p = lm_attr_int(im, "p", 2);
    if (!lm_import_needs(im, 1))
        return;
    a.norm.axis = lm_axis_of(im, axis, lm_in_shape(im, 0)->rank);
    a.norm.p = p == 1 || p == 2 ? (int32_t)p : 0;
    im->y[0] = lm_emit1(&im->e, LM_OP_LPNORM, &a, lm_in(im, 0));
}

void lm_import_mvn(lm_import *im)
{
    lm_attrs a = {0};
    uint32_t axes;
    int n;
    if (!lm_import_needs(im, 1) || !lm_import_axes(im, -1, "axes", lm_in_shape(im, 0)->rank, &axes, &n))
        return;
    a.reduce.axes = n < 0 ? lm_emit_axes_from(&im->e, lm_in(im, 0), 0) & ~2u : axes;
    a.reduce.keepdims = true;
    im->y[0] = lm_emit1(&im->e, LM_OP_MVN, &a, lm_in(im, 0));
}

void lm_import_lrn(lm_import *im)
{
    lm_attrs a = {0};
    a.norm.size = lm_attr_int(im, "size", 0);
    a.norm.alpha = (float)lm_attr_float(im, "alpha", (double)1e-4f);
    a.norm.beta = (float)lm_attr_float(im, "beta", 0.75);
    a.norm.bias = (float)lm_attr_float(im, "bias", 1);
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, LM_OP_LRN, &a, lm_in(im, 0));
}

/* Explanations want one answer, so Dropout passes everything on, also where the file was saved while training. */
static void dropout(lm_import *im, bool training, lm_dtype mask)
{
    if (!lm_import_needs(im, 1))
        return;
    if (training)
        lm_import_note(im, LM_LOG_WARN, "Dropout in training mode is run as in inference: it changes nothing");
    im->y[0] = lm_in(im, 0);
    if (lm_wants(im, 1))
        im->y[1] = lm_emit_full(&im->e, mask, lm_in_shape(im, 0), 1);
}

void lm_import_dropout_1(lm_import *im)
{
    dropout(im, lm_attr_int(im, "is_test", 0) == 0, lm_in_type(im, 0)->dt);
}

void lm_import_dropout_7(lm_import *im)
{
    dropout(im, false, lm_in_type(im, 0)->dt);
}

void lm_import_dropout_10(lm_import *im)
{
    dropout(im, false, LM_BOOL);
}

/* (x, ratio?, training?) */
void lm_import_dropout_12(lm_import *im)
{
    bool training = lm_in_number(im, 2, 0) != 0 && lm_in_number(im, 1, 0.5) != 0;
    dropout(im, training, LM_BOOL);
}
