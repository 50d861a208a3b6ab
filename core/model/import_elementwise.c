/* Importers of the elementwise operators. */
#include "core/model/import_util.h"

#include <math.h>
#include <string.h>

void lm_import_unary(lm_import *im)
{
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, im->op, NULL, lm_in(im, 0));
}

/* Functions with parameters: which attributes fill a and b, and what they are when left out. */
static const struct {
    lm_opid op;
    const char *a, *b;
    float a_default, b_default;
} parameters[] = {
    {LM_OP_LEAKYRELU, "alpha", NULL, 0.01f, 0},
    {LM_OP_ELU, "alpha", NULL, 1, 0},
    {LM_OP_SELU, "alpha", "gamma", 1.67326319217681884765625f, 1.05070102214813232421875f},
    {LM_OP_CELU, "alpha", NULL, 1, 0},
    {LM_OP_SWISH, "alpha", NULL, 1, 0},
    {LM_OP_HARDSIGMOID, "alpha", "beta", 0.2f, 0.5f},
    {LM_OP_THRESHOLDED, "alpha", NULL, 1, 0},
    {LM_OP_SHRINK, "lambd", "bias", 0.5f, 0},
};

void lm_import_act(lm_import *im)
{
    lm_attrs a = {0};
    for (size_t i = 0; i < LM_COUNT(parameters); i++)
        if (parameters[i].op == im->op) {
            a.act.a = (float)lm_attr_float(im, parameters[i].a, (double)parameters[i].a_default);
            if (parameters[i].b)
                a.act.b = (float)lm_attr_float(im, parameters[i].b, (double)parameters[i].b_default);
        }
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, im->op, &a, lm_in(im, 0));
}

/* Selu before version 6 had rounder constants. */
void lm_import_selu_1(lm_import *im)
{
    lm_attrs a = {0};
    a.act.a = (float)lm_attr_float(im, "alpha", (double)1.6732f);
    a.act.b = (float)lm_attr_float(im, "gamma", (double)1.0507f);
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, LM_OP_SELU, &a, lm_in(im, 0));
}

void lm_import_gelu(lm_import *im)
{
    static const char *const forms[] = {"none", "tanh", NULL};
    lm_attrs a = {0};
    a.act.a = (float)lm_attr_choice(im, "approximate", 0, forms);
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, LM_OP_GELU, &a, lm_in(im, 0));
}

void lm_import_isinf(lm_import *im)
{
    lm_attrs a = {0};
    a.act.a = lm_attr_int(im, "detect_negative", 1) == 0;
    a.act.b = lm_attr_int(im, "detect_positive", 1) == 0;
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, LM_OP_ISINF, &a, lm_in(im, 0));
}

/* Bounds as attributes, up to version 10. */
void lm_import_clip_1(lm_import *im)
{
    lm_attrs a = {0};
    a.act.a = (float)lm_attr_float(im, "min", -INFINITY);
    a.act.b = (float)lm_attr_float(im, "max", INFINITY);
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit1(&im->e, LM_OP_CLIP, &a, lm_in(im, 0));
}

/* True, with the number in *out, for an operand that is left out or a float constant of one element. */
static bool float_bound(lm_import *im, int i, double otherwise, float *out)
{
    lm_val v = lm_in(im, i);
    const lm_view *c = v == LM_NOVAL ? NULL : lm_graph_value(im->e.g, v)->constant;
    bool known = v == LM_NOVAL || (c && lm_shape_count(&c->sh) == 1);
    *out = (float)(c && known ? lm_view_get(c, 0) : otherwise);
    return known;
}

/* Bounds as inputs. Constant ones of float32 make a Clip; its attributes could not hold those of other types, and those
 * that are computed stay operands. */
void lm_import_clip(lm_import *im)
{
    lm_attrs a = {0};
    lm_emit *e = &im->e;
    if (!lm_import_needs(im, 1))
        return;
    lm_val x = lm_in(im, 0);
    bool is_float = lm_emit_type(e, x)->dt == LM_F32;
    if (is_float && float_bound(im, 1, -INFINITY, &a.act.a) && float_bound(im, 2, INFINITY, &a.act.b)) {
        im->y[0] = lm_emit1(e, LM_OP_CLIP, &a, x);
        return;
    }
    if (lm_in(im, 1) != LM_NOVAL)
        x = lm_emit1(e, LM_OP_MAX, NULL, x, lm_in(im, 1));
    if (lm_in(im, 2) != LM_NOVAL)
        x = lm_emit1(e, LM_OP_MIN, NULL, x, lm_in(im, 2));
    im->y[0] = x;
}

void lm_import_binary(lm_import *im)
{
    if (lm_import_needs(im, 2))
        im->y[0] = lm_emit1(&im->e, im->op, NULL, lm_in(im, 0), lm_in(im, 1));
}

/* Before version 7 the second operand stretches only when `broadcast` says so, from `axis` on. */
void lm_import_binary_1(lm_import *im)
{
    if (!lm_import_needs(im, 2))
        return;
    lm_val a = lm_in(im, 0), b = lm_in(im, 1);
    if (lm_attr_int(im, "broadcast", 0))
        b = lm_import_align(im, b, a, lm_attr_int(im, "axis", -1));
    im->y[0] = lm_emit1(&im->e, im->op, NULL, a, b);
}

/* Min, Max and Sum of any number of operands, folded from left to right. */
void lm_import_variadic(lm_import *im)
{
    lm_emit *e = &im->e;
    if (!lm_import_needs(im, im->nx > 0 ? im->nx : 1))
        return;
    lm_val y = lm_in(im, 0);
    for (int i = 1; i < im->nx; i++)
        y = lm_emit1(e, im->op, NULL, y, lm_in(im, i));
    im->y[0] = y;
}

void lm_import_mean(lm_import *im)
{
    lm_import_variadic(im);
    if (im->nx > 1 && im->e.status == LM_OK)
        im->y[0] = lm_emit_scalar(&im->e, LM_OP_DIV, im->y[0], im->nx);
}

void lm_import_mod(lm_import *im)
{
    lm_attrs a = {0};
    a.act.a = lm_attr_int(im, "fmod", 0) != 0;
    if (lm_import_needs(im, 2))
        im->y[0] = lm_emit1(&im->e, LM_OP_MOD, &a, lm_in(im, 0), lm_in(im, 1));
}

void lm_import_bitshift(lm_import *im)
{
    static const char *const ways[] = {"RIGHT", "LEFT", NULL};
    lm_attrs a = {0};
    if (!lm_attr(im, "direction"))
        lm_import_fail(im, LM_INPUT, "attribute 'direction' is missing");
    a.act.a = (float)lm_attr_choice(im, "direction", 0, ways);
    if (lm_import_needs(im, 2))
        im->y[0] = lm_emit1(&im->e, LM_OP_SHIFT, &a, lm_in(im, 0), lm_in(im, 1));
}

void lm_import_where(lm_import *im)
{
    if (lm_import_needs(im, 3))
        im->y[0] = lm_emit1(&im->e, LM_OP_WHERE, NULL, lm_in(im, 0), lm_in(im, 1), lm_in(im, 2));
}

/* Before version 7 the slope is one number or one per channel. */
void lm_import_prelu_1(lm_import *im)
{
    if (!lm_import_needs(im, 2))
        return;
    lm_val x = lm_in(im, 0), slope = lm_in(im, 1);
    const lm_shape *sx = lm_in_shape(im, 0), *ss = lm_in_shape(im, 1);
    if (ss->rank == 1 && ss->dim[0] > 1 && sx->rank > 2)
        slope = lm_import_align(im, slope, x, 1);
    im->y[0] = lm_emit1(&im->e, LM_OP_PRELU, NULL, x, slope);
}

void lm_import_identity(lm_import *im)
{
    if (lm_import_needs(im, 1))
        im->y[0] = lm_in(im, 0);
}

void lm_import_cast(lm_import *im)
{
    if (!lm_attr(im, "to"))
        lm_import_fail(im, LM_INPUT, "attribute 'to' is missing");
    lm_dtype to = lm_attr_type(im, "to", LM_F32);
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit_cast(&im->e, lm_in(im, 0), to);
}

/* The type was a word at first. */
void lm_import_cast_1(lm_import *im)
{
    static const char *const words[] = {"FLOAT", "DOUBLE", "FLOAT16", "INT8",   "INT16",  "INT32", "INT64",
                                        "UINT8", "UINT16", "UINT32",  "UINT64", "BOOL", NULL};
    static const lm_dtype types[] = {LM_F32, LM_F64, LM_F16, LM_I8,  LM_I16, LM_I32,
                                     LM_I64, LM_U8,  LM_U16, LM_U32, LM_U64, LM_BOOL};
    if (!lm_attr(im, "to"))
        lm_import_fail(im, LM_INPUT, "attribute 'to' is missing");
    int at = lm_attr_choice(im, "to", 0, words);
    if (lm_import_needs(im, 1))
        im->y[0] = lm_emit_cast(&im->e, lm_in(im, 0), types[at]);
}

void lm_import_castlike(lm_import *im)
{
    if (lm_import_needs(im, 2))
        im->y[0] = lm_emit_cast(&im->e, lm_in(im, 0), lm_in_type(im, 1)->dt);
}
