/* The reference device against answers worked out by hand, and against bad data: elementwise ops, reductions, movement,
 * indexing, optimiser steps. */
#include "tests/unit/ref_call.h"

/* f(x) for a float32 vector. */
#define UNARY(op, n, in, out)                                                                                          \
    do {                                                                                                               \
        input(LM_F32, LM_SHAPE(n), (double[])in, n);                                                                   \
        run(op, 1);                                                                                                    \
        output(0, 0, (double[])out, n);                                                                                \
        drop(x, nx), drop(y, LM_OUT_MAX), nx = 0;                                                                      \
    } while (0)
#define V(...) {__VA_ARGS__}

static void unary(void)
{
    UNARY(LM_OP_RELU, 6, V(-1, -0.0, 0, 2, NAN, -INFINITY), V(0, 0, 0, 2, NAN, 0));
    UNARY(LM_OP_SIGN, 5, V(-3, -0.0, 7, NAN, INFINITY), V(-1, 0, 1, NAN, 1));
    UNARY(LM_OP_ROUND, 7, V(0.5, 1.5, 2.5, -0.5, -1.5, 2.6, -0.2), V(0, 2, 2, -0.0, -2, 3, -0.0));
    UNARY(LM_OP_FLOOR, 3, V(-0.5, 1.5, NAN), V(-1, 1, NAN));
    UNARY(LM_OP_RECIPROCAL, 3, V(-0.0, 4, INFINITY), V(-INFINITY, 0.25, 0));
    UNARY(LM_OP_ISNAN, 3, V(NAN, INFINITY, 0), V(1, 0, 0));
    UNARY(LM_OP_ISINF, 4, V(NAN, INFINITY, -INFINITY, 1), V(0, 1, 1, 0));
    attrs.act.b = 1;
    UNARY(LM_OP_ISINF, 3, V(INFINITY, -INFINITY, 1), V(0, 1, 0));
    attrs.act = (lm_attr_act){0.5f, 0};
    UNARY(LM_OP_LEAKYRELU, 4, V(-2, 2, NAN, -0.0), V(-1, 2, NAN, -0.0));
    attrs.act = (lm_attr_act){-1, 2};
    UNARY(LM_OP_CLIP, 5, V(-5, -1, 0.5, 9, NAN), V(-1, -1, 0.5, 2, NAN));
    attrs.act = (lm_attr_act){0, 6};
    UNARY(LM_OP_CLIP, 2, V(-0.0, 7), V(0, 6));
    attrs.act = (lm_attr_act){3, 1};
    UNARY(LM_OP_CLIP, 3, V(0, 2, 5), V(1, 1, 1)); /* crossed bounds: the upper one */
    attrs.act = (lm_attr_act){0.5f, 0.25f};
    UNARY(LM_OP_SHRINK, 4, V(-1, -0.5, 0.25, 2), V(-0.75, 0, 0, 1.75));
    attrs.act = (lm_attr_act){0.25f, 0.5f};
    UNARY(LM_OP_HARDSIGMOID, 3, V(-3, 1, 9), V(0, 0.75, 1));
    attrs.act = (lm_attr_act){0};
    UNARY(LM_OP_HARDSWISH, 4, V(-4, 0, 3, 1.5), V(-0.0, 0, 3, 1.125));
    UNARY(LM_OP_SOFTSIGN, 3, V(-1, 0, 3), V(-0.5, 0, 0.75));
    UNARY(LM_OP_SIGMOID, 3, V(0, -1000, 1000), V(0.5, 0, 1));
    UNARY(LM_OP_SOFTPLUS, 2, V(1000, -1000), V(1000, 0));
    IN(LM_F64, LM_SHAPE(3), -1, 0, 2);
    run(LM_OP_GELU, 1);
    NEAR(0, 1e-15, -0.15865525393145707, 0, 1.9544997361036416);
    next();
}

static void unary_integers(void)
{
    IN(LM_I8, LM_SHAPE(4), -128, -3, 0, 5);
    run(LM_OP_ABS, 1);
    OUT(0, -128, 3, 0, 5);
    next();
    IN(LM_U8, LM_SHAPE(2), 0, 255);
    run(LM_OP_BITNOT, 1);
    OUT(0, 255, 0);
    next();
    attrs.act = (lm_attr_act){-INFINITY, 3};
    IN(LM_I64, LM_SHAPE(3), -9, 3, 4);
    run(LM_OP_CLIP, 1);
    OUT(0, -9, 3, 3);
    next();
    attrs.cast.to = LM_I8;
    IN(LM_F32, LM_SHAPE(5), 300, -1.9, NAN, -INFINITY, 7.9);
    run(LM_OP_CAST, 1);
    OUT(0, 127, -1, 0, -128, 7);
    next();
    attrs.cast.to = LM_U8;
    IN(LM_I32, LM_SHAPE(3), 256, -1, 513);
    run(LM_OP_CAST, 1);
    OUT(0, 0, 255, 1);
    next();
}

/* s * f'(v) with s = 2 and one infinite s. */
static void slope(lm_opid of, double v, double wanted)
{
    attrs.actdx.of = of;
    IN(LM_F32, LM_SHAPE(1), 2);
    IN(LM_F32, LM_SHAPE(1), v);
    run(LM_OP_ACT_DX, 1);
    OUT(0, wanted);
    drop(x, nx), drop(y, LM_OUT_MAX), nx = 0;
}

static void kinks(void)
{
    slope(LM_OP_RELU, 0, 0);
    slope(LM_OP_RELU, 3, 2);
    slope(LM_OP_ABS, 0, 0);
    slope(LM_OP_ABS, -4, -2);
    slope(LM_OP_FLOOR, 1.5, 0);
    slope(LM_OP_TANH, 0.5, 1.5);
    slope(LM_OP_SIGMOID, 0.5, 0.5);
    attrs.actdx.a = -1;
    attrs.actdx.b = 1;
    slope(LM_OP_CLIP, 1, 0);
    slope(LM_OP_CLIP, -1, 0);
    slope(LM_OP_CLIP, 0.5, 2);
    attrs.actdx.a = 0.5f;
    slope(LM_OP_LEAKYRELU, 0, 1);
    slope(LM_OP_LEAKYRELU, 1, 2);
    attrs.actdx.of = LM_OP_RELU;
    IN(LM_F32, LM_SHAPE(2), INFINITY, NAN);
    IN(LM_F32, LM_SHAPE(2), 0, 0);
    run(LM_OP_ACT_DX, 1);
    OUT(0, 0, 0); /* a shut gate lets nothing through */
    next();
}

/* Every derivative against a central difference of the function itself. */
static void slopes_match_differences(void)
{
    for (int op = 0; op < LM_OPS; op++) {
        if (!lm_op_is_unary((lm_opid)op) || lm_ops[op].grad == LM_GRAD_OPAQUE || op == LM_OP_ISNAN || op == LM_OP_ISINF)
            continue;
        double h = 1e-6, at = op == LM_OP_ACOSH ? 1.7 : 0.4, f[3];
        float a = op == LM_OP_CLIP ? -3 : 0.3f, b = op == LM_OP_CLIP ? 3 : 0.7f;
        for (int i = 0; i < 3; i++) {
            if (lm_ops[op].attrs == LM_ATTR_act)
                attrs.act = (lm_attr_act){a, b};
            IN(LM_F64, LM_SHAPE(1), at + (i - 1) * h);
            run((lm_opid)op, 1);
            f[i] = lm_view_get(&y[0], 0);
            next();
        }
        attrs.actdx = (lm_attr_actdx){op, a, b};
        IN(LM_F64, LM_SHAPE(1), 1);
        IN(LM_F64, LM_SHAPE(1), lm_ops[op].flags & LM_FLAG_GRADY ? f[1] : at);
        run(LM_OP_ACT_DX, 1);
        if (!CHECK_NEAR(lm_view_get(&y[0], 0), (f[2] - f[0]) / (2 * h), 1e-8))
            printf("%s\n", lm_ops[op].name);
        next();
    }
}

static void binary(void)
{
    IN(LM_F32, LM_SHAPE(2, 1), 1, -0.0);
    IN(LM_F32, LM_SHAPE(3), 0, NAN, -2);
    run(LM_OP_MAX, 1);
    OUT(0, 1, NAN, 1, 0, NAN, -0.0);
    next();
    IN(LM_F32, LM_SHAPE(2), 0, 5);
    IN(LM_F32, LM_SHAPE(2), -0.0, NAN);
    run(LM_OP_MIN, 1);
    OUT(0, -0.0, NAN);
    next();
    IN(LM_I32, LM_SHAPE(4), -7, 7, -7, 7);
    IN(LM_I32, LM_SHAPE(4), 2, -2, -2, 2);
    run(LM_OP_DIV, 1);
    OUT(0, -3, -3, 3, 3);
    drop(y, 1);
    run(LM_OP_MOD, 1);
    OUT(0, 1, -1, -1, 1);
    drop(y, 1);
    attrs.act.a = 1;
    run(LM_OP_MOD, 1);
    OUT(0, -1, 1, -1, 1);
    next();
    IN(LM_U8, LM_SHAPE(2), 200, 3);
    IN(LM_U8, LM_SHAPE(2), 100, 5);
    run(LM_OP_ADD, 1);
    OUT(0, 44, 8);
    drop(y, 1);
    run(LM_OP_SUB, 1);
    OUT(0, 100, 254);
    next();
    attrs.act.a = 1;
    IN(LM_U8, LM_SHAPE(2), 129, 1);
    IN(LM_U8, LM_SHAPE(2), 1, 7);
    run(LM_OP_SHIFT, 1);
    OUT(0, 2, 128);
    next();
    IN(LM_I32, LM_SHAPE(4), 3, -2, -1, 2);
    IN(LM_I32, LM_SHAPE(4), 4, 3, -3, -1);
    run(LM_OP_POW, 1);
    OUT(0, 81, -8, -1, 0);
    next();
    IN(LM_F32, LM_SHAPE(4), NAN, 1, 2, -0.0);
    IN(LM_F32, LM_SHAPE(4), NAN, 1, 1, 0);
    run(LM_OP_GREATEREQ, 1);
    OUT(0, 0, 1, 1, 1);
    next();
    IN(LM_BOOL, LM_SHAPE(2, 1), 1, 0);
    IN(LM_F32, LM_SHAPE(2), 1, 2);
    IN(LM_F32, (lm_shape){0}, 9);
    run(LM_OP_WHERE, 1);
    OUT(0, 1, 2, 9, 9);
    next();
}

static void forbidden_integers(void)
{
    IN(LM_I32, LM_SHAPE(2), 4, 5);
    IN(LM_I32, LM_SHAPE(2), 2, 0);
    refuses(LM_OP_DIV, "5 with 0");
    IN(LM_U16, LM_SHAPE(1), 4);
    IN(LM_U16, LM_SHAPE(1), 0);
    refuses(LM_OP_MOD, "division by zero");
    IN(LM_I8, LM_SHAPE(1), -128);
    IN(LM_I8, LM_SHAPE(1), -1);
    refuses(LM_OP_DIV, "-128 with -1");
    IN(LM_I64, LM_SHAPE(1), -9223372036854775808.0);
    IN(LM_I64, LM_SHAPE(1), -1);
    refuses(LM_OP_DIV, "int64");
    IN(LM_U8, LM_SHAPE(1), 1);
    IN(LM_U8, LM_SHAPE(1), 8);
    refuses(LM_OP_SHIFT, "width");
    IN(LM_I8, LM_SHAPE(1), -128);
    IN(LM_I8, LM_SHAPE(1), -1);
    run(LM_OP_MOD, 1);
    OUT(0, 0);
    next();
}

static void reduce(lm_opid op, double wanted_0, double wanted_1)
{
    attrs.reduce.axes = 2;
    IN(LM_F32, LM_SHAPE(2, 2), 3, -4, 1, 2);
    run(op, 1);
    NEAR(0, 1e-6, wanted_0, wanted_1);
    next();
}

static void reductions(void)
{
    reduce(LM_OP_REDUCE_SUM, -1, 3);
    reduce(LM_OP_REDUCE_MEAN, -0.5, 1.5);
    reduce(LM_OP_REDUCE_PROD, -12, 2);
    reduce(LM_OP_REDUCE_L1, 7, 3);
    reduce(LM_OP_REDUCE_L2, 5, 2.2360679);
    reduce(LM_OP_REDUCE_SUMSQ, 25, 5);
    reduce(LM_OP_REDUCE_LSE, 3.0009114, 2.3132617);
    attrs.reduce.axes = 1;
    IN(LM_F32, LM_SHAPE(2, 3), -0.0, NAN, 1, 0, 2, -INFINITY);
    run(LM_OP_REDUCE_MAX, 1);
    OUT(0, 0, NAN, 1);
    next();
    attrs.reduce.axes = 1;
    IN(LM_F32, LM_SHAPE(2, 2), INFINITY, -INFINITY, 1, -INFINITY);
    run(LM_OP_REDUCE_LSE, 1);
    OUT(0, INFINITY, -INFINITY);
    next();
    attrs.reduce.axes = 1;
    IN(LM_I32, LM_SHAPE(2, 1), 2147483647, 1);
    run(LM_OP_REDUCE_SUM, 1);
    OUT(0, -2147483648.0);
    drop(y, 1);
    run(LM_OP_REDUCE_MEAN, 1);
    OUT(0, 1073741824);
    next();
    attrs.reduce.axes = 2;
    IN(LM_BOOL, LM_SHAPE(2, 2), 0, 0, 0, 1);
    run(LM_OP_REDUCE_MAX, 1);
    OUT(0, 0, 1);
    next();
    attrs.reduce.axes = 1;
    input(LM_I8, LM_SHAPE(0, 1), NULL, 0);
    run(LM_OP_REDUCE_MAX, 1);
    OUT(0, -128);
    drop(y, 1);
    run(LM_OP_REDUCE_PROD, 1);
    OUT(0, 1);
    next();
    attrs.axis = (lm_attr_axis){.axis = 1};
    IN(LM_F32, LM_SHAPE(2, 4), 1, 5, 5, 2, 0, NAN, 9, NAN);
    run(LM_OP_ARGMAX, 1);
    OUT(0, 1, 1);
    drop(y, 1);
    attrs.axis.last = true;
    run(LM_OP_ARGMAX, 1);
    OUT(0, 2, 3);
    next();
    attrs.axis = (lm_attr_axis){.axis = 0, .exclusive = true, .reverse = true};
    IN(LM_I32, LM_SHAPE(3), 1, 2, 3);
    run(LM_OP_CUMSUM, 1);
    OUT(0, 5, 3, 0);
    next();
}

static void softmaxes(void)
{
    attrs.axis.axis = 1;
    IN(LM_F64, LM_SHAPE(1, 2), 0, 0.6931471805599453);
    run(LM_OP_SOFTMAX, 1);
    NEAR(0, 1e-15, 1.0 / 3, 2.0 / 3);
    drop(y, 1);
    run(LM_OP_LOGSOFTMAX, 1);
    NEAR(0, 1e-15, -1.0986122886681098, -0.4054651081081644);
    next();
    attrs.axis.axis = 1;
    IN(LM_F64, LM_SHAPE(1, 2), 1, 3);
    IN(LM_F64, LM_SHAPE(1, 2), 0.25, 0.75);
    run(LM_OP_SOFTMAX_DX, 1);
    OUT(0, -0.375, 0.375);
    next();
    attrs.axis.axis = 0;
    IN(LM_F64, LM_SHAPE(2), 1, 1);
    IN(LM_F64, LM_SHAPE(2), -1.3862943611198906, -0.2876820724517809); /* log 1/4, log 3/4 */
    run(LM_OP_LOGSOFTMAX_DX, 1);
    NEAR(0, 1e-15, 0.5, -0.5);
    next();
}

static void movement(void)
{
    attrs.perm = (lm_attr_perm){{1, 0}};
    IN(LM_I16, LM_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    run(LM_OP_TRANSPOSE, 1);
    OUT(0, 1, 4, 2, 5, 3, 6);
    drop(y, 1);
    attrs.slice = (lm_attr_slice){{1, 2}, {1, -2}, {1, 2}};
    run(LM_OP_SLICE, 1);
    OUT(0, 6, 4);
    drop(y, 1);
    attrs.slice = (lm_attr_slice){{3, 0}, {-2, 1}, {4, 3}};
    run(LM_OP_SLICE_DX, 1);
    OUT(0, 0, 0, 0, 4, 5, 6, 0, 0, 0, 1, 2, 3);
    drop(y, 1);
    attrs.tile = (lm_attr_tile){{1, 2}};
    run(LM_OP_TILE, 1);
    OUT(0, 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6);
    drop(y, 1);
    attrs.trilu = (lm_attr_trilu){.k = 1, .upper = true};
    run(LM_OP_TRILU, 1);
    OUT(0, 0, 2, 3, 0, 0, 6);
    next();
    static const double padded[][7] = {
        {9, 9, 1, 2, 3, 9, 9}, {3, 2, 1, 2, 3, 2, 1}, {1, 1, 1, 2, 3, 3, 3}, {2, 3, 1, 2, 3, 1, 2}};
    static const double back[][3] = {{3, 4, 5}, {10, 12, 6}, {6, 4, 18}, {9, 12, 7}};
    for (int mode = LM_PAD_CONSTANT; mode <= LM_PAD_WRAP; mode++) {
        attrs.pad = (lm_attr_pad){{2}, {2}, (lm_pad_mode)mode};
        IN(LM_F32, LM_SHAPE(3), 1, 2, 3);
        IN(LM_F32, (lm_shape){0}, 9);
        run(LM_OP_PAD, 1);
        output(0, 0, padded[mode], 7);
        next();
        attrs.pad = (lm_attr_pad){{2}, {2}, (lm_pad_mode)mode};
        IN(LM_F32, LM_SHAPE(7), 1, 2, 3, 4, 5, 6, 7);
        run(LM_OP_PAD_DX, 1);
        output(0, 0, back[mode], 3);
        next();
    }
    attrs.pad = (lm_attr_pad){{-1}, {1}, LM_PAD_CONSTANT};
    IN(LM_BOOL, LM_SHAPE(3), 0, 1, 1);
    run(LM_OP_PAD, 1);
    OUT(0, 1, 1, 0);
    next();
    attrs.axis.axis = 1;
    IN(LM_U8, LM_SHAPE(2, 1), 1, 2);
    IN(LM_U8, LM_SHAPE(2, 2), 3, 4, 5, 6);
    run(LM_OP_CONCAT, 1);
    OUT(0, 1, 3, 4, 2, 5, 6);
    next();
}

static void indexing(void)
{
    attrs.index.axis = 1;
    IN(LM_F32, LM_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    IN(LM_I64, LM_SHAPE(2), 2, -3);
    run(LM_OP_GATHER, 1);
    OUT(0, 3, 1, 6, 4);
    lm_view_set(&x[1], 1, -4);
    drop(y, 1);
    refuses(LM_OP_GATHER, "index -4 (element 1 of shape [2]) is outside axis 1 of size 3");
    attrs.shape = (lm_attr_shape){LM_SHAPE(3), 0};
    IN(LM_F32, LM_SHAPE(3), 1, 2, 4);
    IN(LM_I64, LM_SHAPE(3), 2, 0, -1);
    run(LM_OP_GATHER_DX, 1);
    OUT(0, 2, 0, 5);
    next();
    attrs.index.axis = 0;
    IN(LM_F32, LM_SHAPE(2, 2), 1, 2, 3, 4);
    IN(LM_I32, LM_SHAPE(1, 2), 1, 0);
    run(LM_OP_GATHERELEMENTS, 1);
    OUT(0, 3, 2);
    drop(y, 1);
    IN(LM_F32, LM_SHAPE(1, 2), 10, 20);
    attrs.index.mode = LM_SCATTER_ADD;
    run(LM_OP_SCATTERELEMENTS, 1);
    OUT(0, 1, 22, 13, 4);
    next();
    attrs.index.batch = 1;
    IN(LM_F32, LM_SHAPE(2, 2), 1, 2, 3, 4);
    IN(LM_I64, LM_SHAPE(2, 1), 1, 0);
    run(LM_OP_GATHERND, 1);
    OUT(0, 2, 3);
    next();
    attrs.index.mode = LM_SCATTER_MAX;
    IN(LM_I8, LM_SHAPE(3), 1, 2, 3);
    IN(LM_I64, LM_SHAPE(2, 1), 0, 2);
    IN(LM_I8, LM_SHAPE(2), 7, -7);
    run(LM_OP_SCATTERND, 1);
    OUT(0, 7, 2, 3);
    lm_view_set(&x[1], 1, 3);
    drop(y, 1);
    refuses(LM_OP_SCATTERND, "index 3");
    attrs.onehot = (lm_attr_onehot){.axis = 1, .depth = 3};
    IN(LM_I64, LM_SHAPE(3), 1, -1, 5);
    IN(LM_F32, LM_SHAPE(2), 0, 8);
    run(LM_OP_ONEHOT, 1);
    OUT(0, 0, 8, 0, 0, 0, 8, 0, 0, 0);
    next();
    attrs.topk = (lm_attr_topk){.axis = 0, .largest = true, .sorted = true, .k = 3};
    IN(LM_F32, LM_SHAPE(5), 4, 1, NAN, 4, 2);
    run(LM_OP_TOPK, 2);
    OUT(0, NAN, 4, 4);
    OUT(1, 2, 0, 3);
    next();
    IN(LM_BOOL, LM_SHAPE(2, 2), 1, 0, 1, 1);
    run(LM_OP_NONZERO, 1);
    OUT(0, 0, 1, 1, 0, 0, 1);
    lm_view_set(&x[0], 0, 0);
    CHECK_FAILS(bind_and_launch(LM_OP_NONZERO, NULL, 1), LM_INPUT);
    CHECK(strstr(lm_message(), "NonZero") != NULL);
    next();
    IN(LM_F32, (lm_shape){0}, 1);
    IN(LM_F32, (lm_shape){0}, 0);
    IN(LM_F32, (lm_shape){0}, -0.25);
    run(LM_OP_RANGE, 1);
    OUT(0, 1, 0.75, 0.5, 0.25);
    next();
}

static void steps(void)
{
    attrs.update = (lm_attr_update){.decay = 0.5f};
    IN(LM_F32, LM_SHAPE(2), 1, 2);
    IN(LM_F32, LM_SHAPE(2), 0.5, -1);
    IN(LM_F32, LM_SHAPE(1), 0.25);
    run(LM_OP_SGD, 1);
    OUT(0, 0.75, 2);
    drop(y, 1);
    IN(LM_F32, LM_SHAPE(2), 4, 0);
    attrs.update = (lm_attr_update){.momentum = 0.5f};
    run(LM_OP_MOMENTUM, 2);
    OUT(0, 0.375, 2.25);
    OUT(1, 2.5, -1);
    drop(y, 2);
    attrs.update.nesterov = true;
    run(LM_OP_MOMENTUM, 1);
    OUT(0, 0.5625, 2.375);
    next();
    attrs.update = (lm_attr_update){.beta1 = 0.5f, .beta2 = 0.75f};
    IN(LM_F32, LM_SHAPE(1), 1);
    IN(LM_F32, LM_SHAPE(1), 2);
    IN(LM_F32, LM_SHAPE(1), 0.5);
    IN(LM_F32, LM_SHAPE(1), 0);
    IN(LM_F32, LM_SHAPE(1), 0);
    IN(LM_I64, (lm_shape){0}, 1);
    run(LM_OP_ADAM, 3);
    OUT(0, 0.5); /* the first step is the rate times the gradient's sign */
    OUT(1, 1);
    OUT(2, 1);
    next();
}

static void cases(void)
{
    CASE(unary);
    CASE(unary_integers);
    CASE(kinks);
    CASE(slopes_match_differences);
    CASE(binary);
    CASE(forbidden_integers);
    CASE(reductions);
    CASE(softmaxes);
    CASE(movement);
    CASE(indexing);
    CASE(steps);
}

int main(void)
{
    return with_ref(cases);
}
