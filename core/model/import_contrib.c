/* Importers of com.microsoft operators that optimised and quantised models hold: products with what follows them fused
 * in, GELU and normalisations of sums, and quantised arithmetic. */
#include <stdio.h>
#include <string.h>

#include "core/model/import_quantised.h"

/* The activation of a fused product, with its parameters. */
static lm_val activated(lm_import *im, lm_val x)
{
    static const char *const words[] = {"", "Relu", "Tanh", "Sigmoid", "LeakyRelu", "Clip", "HardSigmoid", NULL};
    static const lm_opid ops[] = {LM_OPS,          LM_OP_RELU, LM_OP_TANH,       LM_OP_SIGMOID,
                                  LM_OP_LEAKYRELU, LM_OP_CLIP, LM_OP_HARDSIGMOID};
    int kind = lm_attr_choice(im, "activation", 0, words), n;
    const float *p = lm_attr_float_list(im, "activation_params", &n);
    lm_attrs a = {0};
    if (kind == 0 || im->e.status != LM_OK)
        return x;
    bool parameters = lm_ops[ops[kind]].attrs == LM_ATTR_act;
    if (parameters && n < (kind == 4 ? 1 : 2)) {
        lm_import_fail(im, LM_INPUT, "%s has %d parameters", words[kind], n < 0 ? 0 : n);
        return LM_NOVAL;
    }
    if (parameters) {
        a.act.a = p[0];
        a.act.b = n > 1 ? p[1] : 0;
    }
    return lm_emit1(&im->e, ops[kind], &a, x);
}

/* (x, weights, bias?, sum?) */
void lm_import_fusedconv(lm_import *im)
{
    if (!lm_import_needs(im, 2))
        return;
    lm_val x[3] = {lm_in(im, 0), lm_in(im, 1), lm_in(im, 2)};
    lm_val y = lm_import_call(im, lm_import_conv, LM_OP_CONV, 3, x);
    if (lm_in(im, 3) != LM_NOVAL)
        y = lm_emit1(&im->e, LM_OP_ADD, NULL, y, lm_in(im, 3));
    im->y[0] = activated(im, y);
}

void lm_import_fusedgemm(lm_import *im)
{
    im->y[0] = activated(im, lm_import_call(im, lm_import_gemm, LM_OP_GEMM, im->nx, im->x));
}

/* alpha * a b, either of them transposed. */
void lm_import_fusedmatmul(lm_import *im)
{
    lm_attrs a = {0};
    double alpha = lm_attr_float(im, "alpha", 1);
    a.matmul.ta = lm_attr_int(im, "transA", 0) != 0;
    a.matmul.tb = lm_attr_int(im, "transB", 0) != 0;
    if (lm_attr_int(im, "transBatchA", 0) || lm_attr_int(im, "transBatchB", 0))
        lm_import_fail(im, LM_UNSUPPORTED, "transBatchA and transBatchB have no kernel");
    if (!lm_import_needs(im, 2))
        return;
    lm_val y = lm_emit1(&im->e, LM_OP_MATMUL, &a, lm_in(im, 0), lm_in(im, 1));
    im->y[0] = alpha == 1 ? y : lm_emit_scalar(&im->e, LM_OP_MUL, y, alpha);
}

static void biased_gelu(lm_import *im, float tanh_form)
{
    lm_attrs a = {0};
    a.act.a = tanh_form;
    if (!lm_import_needs(im, 1))
        return;
    lm_val x = lm_in(im, 0);
    x = lm_in(im, 1) == LM_NOVAL ? x : lm_emit1(&im->e, LM_OP_ADD, NULL, x, lm_in(im, 1));
    im->y[0] = lm_emit1(&im->e, LM_OP_GELU, &a, x);
}

/* Gelu and BiasGelu. */
void lm_import_biasgelu(lm_import *im)
{
    biased_gelu(im, 0);
}

void lm_import_fastgelu(lm_import *im)
{
    biased_gelu(im, 1);
}

void lm_import_quickgelu(lm_import *im)
{
    lm_attrs a = {0};
    a.act.a = (float)lm_attr_float(im, "alpha", (double)1.702f);
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, LM_OP_SWISH, &a, lm_in(im, 0));
}

/* Normalise x over its last axis; beta may be LM_NOVAL. */
static lm_val normalised(lm_import *im, lm_opid op, lm_val x, lm_val gamma, lm_val beta)
{
    lm_attrs a = {0};
    if (im->e.status != LM_OK)
        return LM_NOVAL;
    a.norm.axis = lm_emit_shape(&im->e, x)->rank - 1;
    a.norm.epsilon = (float)lm_attr_float(im, "epsilon", (double)1e-12f);
    return lm_emit_one(&im->e, op, &a, beta == LM_NOVAL ? 2 : 3, (lm_val[]){x, gamma, beta});
}

/* (x, skip, gamma, beta?, bias?), without beta for RMSNORM -> y, and the sum as result 3. */
void lm_import_skipnorm(lm_import *im)
{
    lm_emit *e = &im->e;
    bool rms = im->op == LM_OP_RMSNORM;
    lm_val beta = rms ? LM_NOVAL : lm_in(im, 3), bias = lm_in(im, rms ? 3 : 4);
    if (!lm_import_needs(im, 3))
        return;
    lm_val sum = lm_emit1(e, LM_OP_ADD, NULL, lm_in(im, 0), lm_in(im, 1));
    sum = bias == LM_NOVAL ? sum : lm_emit1(e, LM_OP_ADD, NULL, sum, bias);
    im->y[0] = normalised(im, im->op, sum, lm_in(im, 2), beta);
    if (lm_wants(im, 1) || lm_wants(im, 2))
        lm_import_fail(im, LM_UNSUPPORTED, "its mean and deviation (results 1 and 2) have no kernel");
    if (lm_wants(im, 3))
        im->y[3] = sum;
}

/* (words, segments?, word rows, position rows, segment rows?, gamma, beta, mask?, positions?) -> y, lengths, sum */
void lm_import_embednorm(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_attrs a = {0};
    lm_val places = lm_in(im, 8);
    if (!lm_import_ranked(im, 0, 2, 2) || lm_in(im, 2) == LM_NOVAL || lm_in(im, 3) == LM_NOVAL ||
        lm_in(im, 5) == LM_NOVAL) {
        lm_import_fail(im, LM_INPUT, "rows of words and positions, and gamma, belong to it");
        return;
    }
    if (places == LM_NOVAL)
        places =
            LM_IMPORT_RESHAPE(im, lm_import_counting(im, lm_in_shape(im, 0)->dim[1]), 1, lm_in_shape(im, 0)->dim[1]);
    lm_val sum = lm_emit1(e, LM_OP_ADD, NULL, lm_emit1(e, LM_OP_GATHER, &a, lm_in(im, 2), lm_in(im, 0)),
                          lm_emit1(e, LM_OP_GATHER, &a, lm_in(im, 3), places));
    if (lm_in(im, 1) != LM_NOVAL && lm_in(im, 4) != LM_NOVAL)
        sum = lm_emit1(e, LM_OP_ADD, NULL, sum, lm_emit1(e, LM_OP_GATHER, &a, lm_in(im, 4), lm_in(im, 1)));
    im->y[0] = normalised(im, LM_OP_LAYERNORM, sum, lm_in(im, 5), lm_in(im, 6));
    if (lm_wants(im, 1) && lm_in(im, 7) != LM_NOVAL)
        im->y[1] = lm_emit_cast(e, lm_emit_reduce(e, LM_OP_REDUCE_SUM, lm_in(im, 7), 1u << 1, false), LM_I32);
    else if (lm_wants(im, 1))
        im->y[1] = lm_emit_full(e, LM_I32, &(lm_shape){.rank = 1, .dim = {lm_in_shape(im, 0)->dim[0]}}, 0);
    if (lm_wants(im, 2))
        im->y[2] = sum;
}

/* Operands i, i + 1, i + 2 as real numbers. */
static lm_val real(lm_import *im, int i)
{
    return lm_import_dequantised(im, lm_in(im, i), lm_in(im, i + 1), lm_in(im, i + 2), 0, 0);
}

/* y with scale and zero point in operands i and i + 1. */
static lm_val stored(lm_import *im, lm_val y, int i)
{
    lm_val zero = lm_in(im, i + 1);
    lm_dtype to = zero == LM_NOVAL ? LM_U8 : lm_emit_type(&im->e, zero)->dt;
    return im->e.status == LM_OK ? lm_import_quantised(im, y, lm_in(im, i), zero, to, 0, 0) : LM_NOVAL;
}

/* (a, scale, zero, b, scale, zero, y's scale, y's zero) */
void lm_import_qlinearbinary(lm_import *im)
{
    if (lm_import_needs(im, 2) && im->nx >= 7)
        im->y[0] = stored(im, lm_emit1(&im->e, im->op, NULL, real(im, 0), real(im, 3)), 6);
    else
        lm_import_fail(im, LM_INPUT, "%d inputs; expected 8", im->nx);
}

/* (x, scale, zero, y's scale, y's zero) */
void lm_import_qlinearunary(lm_import *im)
{
    lm_attrs a = {0};
    if (im->op == LM_OP_LEAKYRELU)
        a.act.a = (float)lm_attr_float(im, "alpha", (double)0.01f);
    if (im->op == LM_OP_GLOBAL_AVG && lm_attr_int(im, "channels_last", 0))
        lm_import_fail(im, LM_UNSUPPORTED, "channels_last has no kernel");
    if (lm_import_needs(im, 2) && im->nx >= 4)
        im->y[0] = stored(im, lm_emit1(&im->e, im->op, &a, real(im, 0)), 3);
    else
        lm_import_fail(im, LM_INPUT, "%d inputs; expected 5", im->nx);
}

/* (y's scale, y's zero, then x, scale, zero of every part) */
void lm_import_qlinearconcat(lm_import *im)
{
    int parts = (im->nx - 2) / 3;
    lm_val *x = lm_arena_alloc(&im->e.g->arena, (size_t)im->nx, sizeof *x);
    if (!x)
        lm_import_fail(im, LM_MEMORY, "no room for %d inputs", im->nx);
    if (im->nx < 5 || im->nx != 2 + 3 * parts)
        lm_import_fail(im, LM_INPUT, "%d inputs; expected 2 and 3 per part", im->nx);
    if (!lm_import_needs(im, im->nx))
        return;
    int axis = lm_axis_of(im, lm_attr_int(im, "axis", 0), lm_in_shape(im, 2)->rank);
    for (int i = 0; i < parts; i++)
        x[i] = real(im, 2 + 3 * i);
    im->y[0] = stored(im, im->e.status == LM_OK ? lm_emit_concat(&im->e, parts, x, axis) : LM_NOVAL, 0);
}

/* The exact product of integers times both scales, plus a bias. */
static lm_val scaled(lm_import *im, lm_val product, lm_val a, lm_val b, lm_val bias)
{
    lm_emit *e = &im->e;
    lm_val y = lm_emit1(e, LM_OP_MUL, NULL, lm_emit_cast(e, product, LM_F32), lm_emit1(e, LM_OP_MUL, NULL, a, b));
    return bias == LM_NOVAL ? y : lm_emit1(e, LM_OP_ADD, NULL, y, bias);
}

/* (a, b, scales of both, zeros of both?, bias?) */
void lm_import_matmulintegertofloat(lm_import *im)
{
    if (lm_import_needs(im, 4))
        im->y[0] = scaled(im, lm_import_exact_matmul(im, lm_in(im, 0), lm_in(im, 4), lm_in(im, 1), lm_in(im, 5)),
                          lm_in(im, 2), lm_in(im, 3), lm_in(im, 6));
}

/* (a, b, b's scale, b's zero?, bias?): a is quantised by its own range first. */
void lm_import_dynamicquantizematmul(lm_import *im)
{
    lm_val a[3] = {0}, x[1] = {lm_in(im, 0)};
    if (!lm_import_needs(im, 3))
        return;
    lm_import inner = *im;
    inner.x = x;
    inner.nx = 1;
    inner.y = a;
    inner.ny = 3;
    lm_import_dynamicquantizelinear(&inner);
    im->e = inner.e;
    im->y[0] = scaled(im, lm_import_exact_matmul(im, a[0], a[2], lm_in(im, 1), lm_in(im, 3)), a[1], lm_in(im, 2),
                      lm_in(im, 4));
}

/* Distances of all rows to all rows. */
void lm_import_cdist(lm_import *im)
{
    static const char *const metrics[] = {"sqeuclidean", "euclidean", NULL};
    lm_emit *e = &im->e;
    int metric = lm_attr_choice(im, "metric", 0, metrics);
    if (!lm_import_ranked(im, 0, 2, 2) || !lm_import_ranked(im, 1, 2, 2))
        return;
    lm_val apart =
        lm_emit1(e, LM_OP_SUB, NULL, lm_emit_unsqueeze(e, lm_in(im, 0), 1), lm_emit_unsqueeze(e, lm_in(im, 1), 0));
    im->y[0] = lm_emit_reduce(e, metric ? LM_OP_REDUCE_L2 : LM_OP_REDUCE_SUMSQ, apart, 1u << 2, false);
}
