/* Cases of the elementwise ops with two and three operands: broadcasting up to rank 8, all types, all layouts. */
#include "tests/checkop/harness.h"

#define LIST(name, ...) static const lm_opid name[] = {__VA_ARGS__, LM_OPS}

LIST(arithmetic, LM_OP_ADD, LM_OP_SUB, LM_OP_MUL, LM_OP_DIV, LM_OP_MIN, LM_OP_MAX, LM_OP_POW, LM_OP_ATAN2);
LIST(comparing, LM_OP_EQUAL, LM_OP_GREATER, LM_OP_GREATEREQ, LM_OP_LESS, LM_OP_LESSEQ);
LIST(whole, LM_OP_ADD, LM_OP_SUB, LM_OP_MUL, LM_OP_MIN, LM_OP_MAX);
LIST(logic, LM_OP_AND, LM_OP_OR, LM_OP_XOR);
LIST(bits, LM_OP_BITAND, LM_OP_BITOR, LM_OP_BITXOR);
LIST(dividing, LM_OP_DIV, LM_OP_MOD);

#define FLOAT_VARIETY .types = CK_FLOATS, .layouts = CK_ALL_LAYOUTS, .values = CK_ALL_VALUES
#define SHAPES(list, type_)                                                                                            \
    {.ops = list, .label = "len", .x = {"n", "n"}, .type = type_, .sweep = "n=0,1,3,7,8,9,15,16,17,31,33,64,65,1009"}, \
    {.ops = list, .label = "left_scalar", .x = {"", "n"}, .type = type_, .sweep = "n=1,17,257"},                       \
    {.ops = list, .label = "right_scalar", .x = {"n", ""}, .type = type_, .sweep = "n=1,17,257"},                      \
    {.ops = list, .label = "scalars", .x = {"", ""}, .type = type_},                                                   \
    {.ops = list, .label = "row", .x = {"5,n", "n"}, .type = type_, .sweep = "n=1,15,16,33"},                          \
    {.ops = list, .label = "column", .x = {"5,n", "5,1"}, .type = type_, .sweep = "n=1,15,16,33"},                     \
    {.ops = list, .label = "outer", .x = {"m,1", "1,n"}, .type = type_, .sweep = "m=1,7 n=1,16,19"},                   \
    {.ops = list, .label = "channel", .x = {"2,c,5,3", "c,1,1"}, .type = type_, .sweep = "c=1,3,16,17",                \
     .layouts = CK_IMAGE_LAYOUTS, .constant = 2, .split = 1},                                                          \
    {.ops = list, .label = "both_ways", .x = {"3,1,5,1", "1,4,1,7"}, .type = type_, .layouts = CK_ALL_LAYOUTS},        \
    {.ops = list, .label = "rank8", .x = {"2,1,3,1,2,1,2,5", "1,2,1,2,1,3,2,1"}, .type = type_,                        \
     .layouts = CK_ALL_LAYOUTS},                                                                                       \
    {.ops = list, .label = "rank8_low", .x = {"2,1,2,1,2,1,2,3", "3"}, .type = type_, .layouts = CK_PLAIN_LAYOUTS},    \
    {.ops = list, .label = "empty", .x = {"3,0,5", "1,5"}, .type = type_}, {                                           \
        .ops = list, .label = "long", .x = {"m", "m"}, .type = type_, .sweep = "m=16384,65537"                         \
    }

static const ck_row rows[] = {
    {.ops = arithmetic, .label = "image", .x = {"2,5,3,7", "2,5,3,7"}, FLOAT_VARIETY, .constant = 2, .split = 3},
    SHAPES(arithmetic, LM_F32),
    {.ops = comparing, .label = "image", .x = {"2,5,3,7", "2,5,3,7"}, FLOAT_VARIETY, .split = 3},
    {.ops = comparing, .label = "ties", .x = {"2,5,3,7", "2,5,3,7"}, .type = LM_I32, .types = CK_INTS,
     .layouts = CK_IMAGE_LAYOUTS, .values = CK_BIT(CK_WHOLE) | CK_BIT(CK_EXTREMES), .split = 3},
    {.ops = comparing, .label = "row", .x = {"5,n", "n"}, .sweep = "n=1,15,16,33", .values = CK_BIT(CK_WHOLE)},
    {.ops = comparing, .label = "column", .x = {"5,n", "5,1"}, .sweep = "n=1,15,16,33"},
    {.ops = comparing, .label = "rank8", .x = {"2,1,3,1,2,1,2,5", "1,2,1,2,1,3,2,1"}, .layouts = CK_ALL_LAYOUTS},
    {.ops = comparing, .label = "len", .x = {"n", "n"}, .sweep = "n=0,1,7,8,9,16,17,65,257"},
    {.op = LM_OP_EQUAL, .label = "bool", .x = {"3,37", "37"}, .type = LM_BOOL},
    {.ops = whole, .label = "int", .x = {"2,5,3,7", "2,5,3,7"}, .type = LM_I32, .types = CK_INTS,
     .layouts = CK_IMAGE_LAYOUTS,
     .values = CK_BIT(CK_EXTREMES), .split = 3},
    {.ops = whole, .label = "int_row", .x = {"5,n", "n"}, .type = LM_I64, .types = CK_BIT(LM_I32),
     .sweep = "n=1,16,33"},
    {.ops = logic, .label = "image", .x = {"2,5,3,7", "2,5,3,7"}, .type = LM_BOOL, .layouts = CK_ALL_LAYOUTS,
     .split = 3},
    {.ops = logic, .label = "len", .x = {"n", "n"}, .type = LM_BOOL, .sweep = "n=0,1,63,64,65"},
    {.ops = logic, .label = "outer", .x = {"m,1", "1,n"}, .type = LM_BOOL, .sweep = "m=1,7 n=1,65"},
    {.ops = bits, .label = "image", .x = {"2,5,3,7", "2,5,3,7"}, .type = LM_I32, .types = CK_INTS,
     .layouts = CK_ALL_LAYOUTS,
     .values = CK_BIT(CK_EXTREMES), .split = 3},
    {.ops = bits, .label = "row", .x = {"5,n", "n"}, .type = LM_U8, .sweep = "n=1,33,65"},
    {.ops = dividing, .label = "int", .x = {"2,5,3,7", "2,5,3,7@nz"}, .type = LM_I32, .types = CK_INTS,
     .a = {.act = {0, 0}},
     .layouts = CK_IMAGE_LAYOUTS, .split = 3},
    {.ops = dividing, .label = "bounds", .x = {"5,40", "40@=1;2;3;7;100"}, .type = LM_I32, .types = CK_INTS,
     .values = CK_BIT(CK_EXTREMES)},
    {.op = LM_OP_MOD, .label = "signs", .x = {"12@=7;-7;7;-7;6;-6;0;1;-1;5;-5;8", "12@=3;3;-3;-3;3;3;3;-3;3;-5;5;-4"},
     .type = LM_I32, .types = CK_SIGNED},
    {.op = LM_OP_MOD, .label = "fmod_int",
     .x = {"12@=7;-7;7;-7;6;-6;0;1;-1;5;-5;8", "12@=3;3;-3;-3;3;3;3;-3;3;-5;5;-4"},
     .a = {.act = {1, 0}}, .type = LM_I32, .types = CK_SIGNED},
    {.op = LM_OP_MOD, .label = "fmod", .x = {"2,5,3,7@big", "2,5,3,7"}, .a = {.act = {1, 0}}, .types = CK_FLOATS,
     .layouts = CK_IMAGE_LAYOUTS, .values = CK_BIT(CK_SPECIAL) | CK_BIT(CK_EXTREMES)},
    {.op = LM_OP_MOD, .label = "few", .x = {"7", "7@pos"}, .a = {.act = {1, 0}}},
    {.op = LM_OP_SHIFT, .label = "left", .x = {"2,5,3,7", "2,5,3,7@shift"}, .a = {.act = {1, 0}}, .type = LM_U8,
     .types = CK_UNSIGNED, .layouts = CK_ALL_LAYOUTS, .values = CK_BIT(CK_EXTREMES), .split = 3},
    {.op = LM_OP_SHIFT, .label = "right", .x = {"2,5,3,7", "2,5,3,7@shift"}, .type = LM_U32, .types = CK_UNSIGNED,
     .values = CK_BIT(CK_EXTREMES), .split = 3},
    {.op = LM_OP_POW, .label = "int", .x = {"8@=2;3;-2;5;1;0;-1;7", "8@=3;2;5;0;9;3;4;1"}, .type = LM_I32,
     .types = CK_BIT(LM_I64) | CK_BIT(LM_F32)},
    {.op = LM_OP_POW, .label = "mixed", .x = {"3,8@pos", "i64:8@=0;1;2;3;-1;-2;5;10"}, .types = CK_BIT(LM_F16)},
    {.op = LM_OP_POW, .label = "corners",
     .x = {"12@=0;0;0;1;-1;-1;-8;2;-2;-2;4;9", "12@=0;2;-1;1000;3;2.5;0.333;0.5;3;4;0.5;-0.5"}},
    {.op = LM_OP_POW, .label = "square", .x = {"5,33", "@=2"}, .layouts = CK_PLAIN_LAYOUTS, .constant = 2},
    {.op = LM_OP_MAX, .label = "zeros", .x = {"4@=0;-0;0;-0", "4@=0;0;-0;-0"}},
    {.op = LM_OP_MIN, .label = "zeros", .x = {"4@=0;-0;0;-0", "4@=0;0;-0;-0"}},
    {.op = LM_OP_PRELU, .label = "image", .x = {"2,5,3,7", "5,1,1"}, FLOAT_VARIETY, .constant = 2, .split = 1},
    {.op = LM_OP_PRELU, .label = "full", .x = {"3,17", "3,17"}, .layouts = CK_PLAIN_LAYOUTS, .values = CK_ALL_VALUES},
    {.op = LM_OP_PRELU, .label = "scalar", .x = {"n", ""}, .sweep = "n=0,1,15,16,17,257"},
    {.op = LM_OP_WHERE, .label = "image", .x = {"bool:2,5,3,7", "2,5,3,7", "2,5,3,7"}, .types = CK_ALL_TYPES,
     .layouts = CK_ALL_LAYOUTS, .values = CK_ALL_VALUES, .split = 7},
    {.op = LM_OP_WHERE, .label = "spread", .x = {"bool:5,1", "1,n", ""}, .sweep = "n=1,15,16,17,65",
     .types = CK_BIT(LM_I64)},
    {.op = LM_OP_WHERE, .label = "condition", .x = {"bool:", "3,4", "4"}},
    {.op = LM_OP_WHERE, .label = "rank8", .x = {"bool:2,1,3,1,2,1,2,5", "1,2,1,2,1,3,2,1", "5"},
     .layouts = CK_ALL_LAYOUTS},
    {.op = LM_OP_WHERE, .label = "empty", .x = {"bool:3,0", "0", ""}},
};

const ck_rows ck_rows_binary = CK_ROWS(rows);
