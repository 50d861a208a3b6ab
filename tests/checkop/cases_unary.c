/* Cases of the elementwise ops with one operand, casts, and their derivatives. */
#include "tests/checkop/harness.h"

#define LIST(name, ...) static const lm_opid name[] = {__VA_ARGS__, LM_OPS}
#define ACT(p, q) {.act = {p, q}}

LIST(plain, LM_OP_IDENTITY, LM_OP_ABS, LM_OP_NEG, LM_OP_SIGN, LM_OP_FLOOR, LM_OP_CEIL, LM_OP_ROUND, LM_OP_SQRT,
     LM_OP_RECIPROCAL, LM_OP_EXP, LM_OP_LOG, LM_OP_ERF, LM_OP_SIN, LM_OP_COS, LM_OP_TAN, LM_OP_ASIN, LM_OP_ACOS,
     LM_OP_ATAN, LM_OP_SINH, LM_OP_COSH, LM_OP_ASINH, LM_OP_ACOSH, LM_OP_ATANH, LM_OP_RELU, LM_OP_MISH, LM_OP_TANH,
     LM_OP_SIGMOID, LM_OP_HARDSWISH, LM_OP_SOFTPLUS, LM_OP_SOFTSIGN);
LIST(signed_numbers, LM_OP_ABS, LM_OP_NEG, LM_OP_SIGN, LM_OP_RELU);
LIST(unsigned_numbers, LM_OP_ABS, LM_OP_SIGN);
LIST(within_one, LM_OP_ASIN, LM_OP_ACOS, LM_OP_ATANH);
LIST(positive, LM_OP_SQRT, LM_OP_LOG);
LIST(tests, LM_OP_ISNAN);

/* One size per number of lanes a kernel may hold, one less, one more, and whole blocks plus a rest. */
#define LENGTHS "n=0,1,2,3,4,5,7,8,9,15,16,17,31,32,33,63,64,65,127,1009"
#define EVERYWHERE .types = CK_FLOATS, .layouts = CK_ALL_LAYOUTS, .values = CK_ALL_VALUES, .split = 1

/* Rows of the ops with parameters: one set of lengths, one image with everything varied. */
#define PARAMETRIC(op_, tag, p, q)                                                                                     \
    {.op = LM_OP_##op_, .label = "image" tag, .x = {"2,5,3,7"}, .a = ACT(p, q), EVERYWHERE},                           \
    {.op = LM_OP_##op_, .label = "len" tag, .x = {"n"}, .a = ACT(p, q), .sweep = "n=1,15,16,17,257"}

/* Derivatives in x, and in y (`fill` keeps y inside the function's range). */
#define DX(op_, tag, p, q, fill)                                                                                       \
    {.op = LM_OP_ACT_DX, .label = #op_ tag, .x = {"3,4,11", "3,4,11" fill}, .a = {.actdx = {LM_OP_##op_, p, q}},       \
     .types = CK_FLOATS, .layouts = CK_ALL_LAYOUTS, .values = CK_BIT(CK_WHOLE), .split = 3}

#define CAST(name, to_)                                                                                                \
    {.op = LM_OP_CAST, .label = "to_" name, .x = {"3,5,7"}, .a = {.cast = {to_}}, .types = CK_ALL_TYPES,               \
     .layouts = CK_IMAGE_LAYOUTS, .values = CK_ALL_VALUES, .split = 1},                                                \
    {.op = LM_OP_CAST, .label = "len_" name, .x = {"n@big"}, .a = {.cast = {to_}},                                     \
     .sweep = "n=0,1,15,16,17,65,257", .values = CK_BIT(CK_EXTREMES)}

static const ck_row rows[] = {
    {.ops = plain, .label = "len", .x = {"n"}, .sweep = LENGTHS},
    {.ops = plain, .label = "image", .x = {"2,5,3,7"}, EVERYWHERE},
    {.ops = plain, .label = "wide", .x = {"3,4,33@big"}, .types = CK_FLOATS, .values = CK_ALL_VALUES},
    {.ops = plain, .label = "scalar", .x = {""}, .layouts = CK_BIT(CK_UNALIGNED)},
    {.ops = plain, .label = "rank8", .x = {"2,1,3,1,2,1,2,5"}, .layouts = CK_ALL_LAYOUTS},
    {.ops = plain, .label = "hole", .x = {"3,0,5"}, .layouts = CK_BIT(CK_STRIDED) | CK_BIT(CK_NHWC)},
    {.ops = within_one, .label = "unit", .x = {"7,43@unit"}, .types = CK_FLOATS},
    {.ops = positive, .label = "pos", .x = {"7,43@pos"}, .types = CK_FLOATS},
    {.op = LM_OP_ACOSH, .label = "ge1", .x = {"7,43@ge1"}, .types = CK_FLOATS},
    {.op = LM_OP_EXP, .label = "edges",
     .x = {"16@=88.5;88.8;-87.2;-87.4;-103.9;-104.1;0.5;-0.5;89;-100;1e-8;-1e-8;0;710;-745;127"}},
    {.op = LM_OP_ROUND, .label = "ties",
     .x = {"12@=0.5;1.5;2.5;-0.5;-1.5;-2.5;0.49999997;8388607.5;8388608;-8388609;4194303.5;1e30"},
     .types = CK_FLOATS},
    {.op = LM_OP_SIN, .label = "far", .x = {"8@=100;1000;10000;-31415.9;65536;123456;3.1415927;-6.2831855"}},
    {.op = LM_OP_COS, .label = "far", .x = {"8@=100;1000;10000;-31415.9;65536;123456;1.5707964;-4.712389"}},
    {.ops = signed_numbers, .label = "int", .x = {"2,5,33"}, .type = LM_I32, .types = CK_SIGNED,
     .layouts = CK_IMAGE_LAYOUTS,
     .values = CK_BIT(CK_EXTREMES), .split = 1},
    {.ops = unsigned_numbers, .label = "uint", .x = {"2,5,33"}, .type = LM_U8, .types = CK_UNSIGNED,
     .values = CK_BIT(CK_EXTREMES), .split = 1},
    {.op = LM_OP_IDENTITY, .label = "any", .x = {"3,5,7"}, .type = LM_I64, .types = CK_INTS | CK_BIT(LM_BOOL),
     .layouts = CK_IMAGE_LAYOUTS, .values = CK_BIT(CK_EXTREMES)},
    {.op = LM_OP_CLIP, .label = "int", .x = {"3,37"}, .a = ACT(-5, 9), .type = LM_I32, .types = CK_INTS},
    {.op = LM_OP_SHRINK, .label = "int", .x = {"3,37"}, .a = ACT(3, 1), .type = LM_I32, .types = CK_SIGNED},
    {.op = LM_OP_ERF, .label = "int", .x = {"9@=-3;-2;-1;0;1;2;3;4;5"}, .type = LM_I32},
    PARAMETRIC(LEAKYRELU, "", 0.1f, 0), PARAMETRIC(LEAKYRELU, "neg", -0.5f, 0), PARAMETRIC(ELU, "", 1, 0),
    PARAMETRIC(ELU, "1.5", 1.5f, 0), PARAMETRIC(SELU, "", 1.67326324f, 1.05070099f), PARAMETRIC(CELU, "", 1, 0),
    PARAMETRIC(CELU, "2", 2, 0), PARAMETRIC(GELU, "erf", 0, 0), PARAMETRIC(GELU, "tanh", 1, 0),
    PARAMETRIC(SWISH, "", 1, 0),
    PARAMETRIC(SWISH, "1.7", 1.702f, 0), PARAMETRIC(HARDSIGMOID, "", 0.2f, 0.5f), PARAMETRIC(THRESHOLDED, "", 1, 0),
    PARAMETRIC(SHRINK, "", 0.5f, 0.1f), PARAMETRIC(CLIP, "", -0.5f, 0.75f), PARAMETRIC(CLIP, "6", 0, 6),
    {.op = LM_OP_NOT, .label = "image", .x = {"2,5,3,7"}, .type = LM_BOOL, .layouts = CK_ALL_LAYOUTS, .split = 1},
    {.op = LM_OP_NOT, .label = "len", .x = {"n"}, .type = LM_BOOL, .sweep = "n=0,1,63,64,65,129"},
    {.op = LM_OP_BITNOT, .label = "image", .x = {"2,5,3,7"}, .type = LM_I32, .types = CK_INTS,
     .layouts = CK_ALL_LAYOUTS,
     .values = CK_BIT(CK_EXTREMES), .split = 1},
    {.ops = tests, .label = "image", .x = {"2,5,3,7"}, EVERYWHERE},
    {.ops = tests, .label = "len", .x = {"n"}, .sweep = "n=0,1,15,16,17,65", .values = CK_BIT(CK_SPECIAL)},
    {.op = LM_OP_ISINF, .label = "both", .x = {"2,5,3,7"}, .a = ACT(1, 1), EVERYWHERE},
    {.op = LM_OP_ISINF, .label = "a", .x = {"2,5,31"}, .a = ACT(1, 0), .values = CK_BIT(CK_SPECIAL)},
    {.op = LM_OP_ISINF, .label = "b", .x = {"2,5,31"}, .a = ACT(0, 1), .values = CK_BIT(CK_SPECIAL)},
    CAST("f32", LM_F32), CAST("f64", LM_F64), CAST("f16", LM_F16), CAST("bf16", LM_BF16), CAST("i8", LM_I8),
    CAST("i16", LM_I16),
    CAST("i32", LM_I32), CAST("i64", LM_I64), CAST("u8", LM_U8), CAST("u16", LM_U16), CAST("u32", LM_U32),
    CAST("u64", LM_U64), CAST("bool", LM_BOOL),
    DX(IDENTITY, "", 0, 0, ""), DX(ABS, "", 0, 0, ""), DX(NEG, "", 0, 0, ""), DX(SIGN, "", 0, 0, ""),
    DX(FLOOR, "", 0, 0, ""),
    DX(CEIL, "", 0, 0, ""), DX(ROUND, "", 0, 0, ""), DX(SQRT, "", 0, 0, "@pos"), DX(RECIPROCAL, "", 0, 0, ""),
    DX(EXP, "", 0, 0, "@pos"), DX(LOG, "", 0, 0, "@pos"), DX(ERF, "", 0, 0, ""), DX(SIN, "", 0, 0, ""),
    DX(COS, "", 0, 0, ""),
    DX(TAN, "", 0, 0, ""), DX(ASIN, "", 0, 0, "@unit"), DX(ACOS, "", 0, 0, "@unit"), DX(ATAN, "", 0, 0, ""),
    DX(SINH, "", 0, 0, ""), DX(COSH, "", 0, 0, ""), DX(ASINH, "", 0, 0, ""), DX(ACOSH, "", 0, 0, "@ge1"),
    DX(ATANH, "", 0, 0, "@unit"), DX(RELU, "", 0, 0, ""), DX(LEAKYRELU, "", 0.1f, 0, ""), DX(ELU, "", 1.5f, 0, ""),
    DX(SELU, "", 1.67326324f, 1.05070099f, ""), DX(CELU, "", 2, 0, ""), DX(GELU, "erf", 0, 0, ""),
    DX(GELU, "tanh", 1, 0, ""),
    DX(SWISH, "", 1.702f, 0, ""), DX(MISH, "", 0, 0, ""), DX(TANH, "", 0, 0, "@unit"), DX(SIGMOID, "", 0, 0, "@prob"),
    DX(HARDSIGMOID, "", 0.2f, 0.5f, ""), DX(HARDSWISH, "", 0, 0, "@big"), DX(SOFTPLUS, "", 0, 0, ""),
    DX(SOFTSIGN, "", 0, 0, ""), DX(THRESHOLDED, "", 1, 0, ""), DX(SHRINK, "", 0.5f, 0.1f, ""),
    DX(CLIP, "", -0.5f, 0.75f, ""),
};

const ck_rows ck_rows_unary = CK_ROWS(rows);
