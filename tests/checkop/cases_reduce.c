/* Cases of the reductions. Lengths sit around the 16 lanes and around the 65,536 and 16,384 that cut a long sum into
 * chunks. */
#include "tests/checkop/harness.h"

#define LIST(name, ...) static const lm_opid name[] = {__VA_ARGS__, LM_OPS}

LIST(all, LM_OP_REDUCE_SUM, LM_OP_REDUCE_MEAN, LM_OP_REDUCE_MAX, LM_OP_REDUCE_MIN, LM_OP_REDUCE_PROD, LM_OP_REDUCE_L1,
     LM_OP_REDUCE_L2, LM_OP_REDUCE_SUMSQ, LM_OP_REDUCE_LSE);
LIST(sums, LM_OP_REDUCE_SUM, LM_OP_REDUCE_MEAN, LM_OP_REDUCE_L1, LM_OP_REDUCE_L2, LM_OP_REDUCE_SUMSQ);
LIST(integers, LM_OP_REDUCE_SUM, LM_OP_REDUCE_MEAN, LM_OP_REDUCE_MAX, LM_OP_REDUCE_MIN, LM_OP_REDUCE_L1,
     LM_OP_REDUCE_SUMSQ);
LIST(order, LM_OP_REDUCE_MAX, LM_OP_REDUCE_MIN);
LIST(choice, LM_OP_ARGMAX, LM_OP_ARGMIN);

#define AXES(mask, keep) {.reduce = {.axes = (mask), .keepdims = (keep)}}
#define AXIS(...) {.axis = {__VA_ARGS__}}

static const ck_row rows[] = {
    {.ops = all, .label = "last", .x = {"3,n"}, .a = AXES(2, false),
     .sweep = "n=1,2,7,15,16,17,31,32,33,255,256,257,1009"},
    {.ops = all, .label = "first", .x = {"m,n"}, .a = AXES(1, false), .sweep = "m=1,2,15,16,17,33 n=1,16,17"},
    {.ops = all, .label = "image", .x = {"2,5,3,7"}, .a = AXES(12, true), .types = CK_FLOATS,
     .layouts = CK_ALL_LAYOUTS,
     .values = CK_ALL_VALUES, .split = 1},
    {.ops = all, .label = "channel", .x = {"2,19,3,7"}, .a = AXES(2, true), .layouts = CK_ALL_LAYOUTS, .split = 1},
    {.ops = all, .label = "channel_space", .x = {"2,5,3,7"}, .a = AXES(14, false), .layouts = CK_ALL_LAYOUTS,
     .split = 1},
    {.ops = all, .label = "batch_space", .x = {"3,5,3,7"}, .a = AXES(13, false), .layouts = CK_IMAGE_LAYOUTS},
    {.ops = all, .label = "middle", .x = {"3,17,4,5"}, .a = AXES(6, false), .layouts = CK_PLAIN_LAYOUTS, .split = 1},
    {.ops = all, .label = "apart", .x = {"4,3,17"}, .a = AXES(5, true), .layouts = CK_IMAGE_LAYOUTS},
    {.ops = all, .label = "everything", .x = {"3,5,7"}, .a = AXES(7, false), .layouts = CK_IMAGE_LAYOUTS},
    {.ops = all, .label = "nothing", .x = {"3,5,7"}, .a = AXES(0, false), .layouts = CK_IMAGE_LAYOUTS},
    {.ops = all, .label = "rank8", .x = {"2,1,3,2,1,2,2,3"}, .a = AXES(0xa5, true), .layouts = CK_ALL_LAYOUTS},
    {.ops = all, .label = "scalar", .x = {""}, .a = AXES(0, false)},
    {.ops = sums, .label = "none_left", .x = {"3,0"}, .a = AXES(2, false)},
    {.ops = all, .label = "no_result", .x = {"0,3"}, .a = AXES(2, false)},
    {.ops = sums, .label = "chunks", .x = {"n"}, .a = AXES(1, true),
     .sweep = "n=16383,16384,16385,65535,65536,65537,81921"},
    {.ops = sums, .label = "chunks_image", .x = {"2,3,151,145"}, .a = AXES(14, false), .layouts = CK_BIT(CK_NHWC)},
    {.op = LM_OP_REDUCE_SUM, .label = "chunks_columns", .x = {"65537,3"}, .a = AXES(1, false),
     .values = CK_BIT(CK_WHOLE)},
    {.op = LM_OP_REDUCE_LSE, .label = "chunks", .x = {"65537"}, .a = AXES(1, true)},
    {.op = LM_OP_REDUCE_LOGSUM, .label = "last", .x = {"3,n@pos"}, .a = AXES(2, false), .sweep = "n=1,15,16,17,257"},
    {.op = LM_OP_REDUCE_LOGSUM, .label = "image", .x = {"2,5,3,7@pos"}, .a = AXES(12, true), .types = CK_FLOATS,
     .layouts = CK_ALL_LAYOUTS, .split = 1},
    {.op = LM_OP_REDUCE_LSE, .label = "far", .x = {"5,33@big"}, .a = AXES(2, false)},
    {.ops = integers, .label = "int", .x = {"2,5,3,7"}, .a = AXES(10, true), .type = LM_I32,
     .types = CK_BIT(LM_I64) | CK_BIT(LM_I8) | CK_BIT(LM_U8), .layouts = CK_IMAGE_LAYOUTS},
    {.ops = order, .label = "bool", .x = {"4,9"}, .a = AXES(2, false), .type = LM_BOOL},
    {.ops = order, .label = "zeros", .x = {"2,4@=0;-0;-0;0;-0"}, .a = AXES(2, false)},

    {.ops = choice, .label = "last", .x = {"3,n"}, .a = AXIS(.axis = 1), .sweep = "n=1,2,15,16,17,257"},
    {.ops = choice, .label = "image", .x = {"2,5,3,7"}, .a = AXIS(.axis = 1, .keepdims = true), .types = CK_FLOATS,
     .layouts = CK_ALL_LAYOUTS, .values = CK_BIT(CK_WHOLE) | CK_BIT(CK_EXTREMES), .split = 1},
    {.ops = choice, .label = "ties_first", .x = {"7,23"}, .a = AXIS(.axis = 0), .values = CK_BIT(CK_WHOLE)},
    {.ops = choice, .label = "ties_last", .x = {"7,23"}, .a = AXIS(.axis = 0, .last = true),
     .values = CK_BIT(CK_WHOLE)},
    {.ops = choice, .label = "last_last", .x = {"7,23"}, .a = AXIS(.axis = 1, .last = true),
     .values = CK_BIT(CK_WHOLE)},
    {.ops = choice, .label = "int", .x = {"3,4,5"}, .a = AXIS(.axis = 2), .type = LM_I32, .types = CK_INTS},
    {.op = LM_OP_CUMSUM, .label = "last", .x = {"3,n"}, .a = AXIS(.axis = 1), .sweep = "n=0,1,15,16,17,257"},
    {.op = LM_OP_CUMSUM, .label = "image", .x = {"2,5,3,7"}, .a = AXIS(.axis = 1), .types = CK_FLOATS,
     .layouts = CK_ALL_LAYOUTS, .values = CK_BIT(CK_WHOLE) | CK_BIT(CK_SPECIAL), .split = 1},
    {.op = LM_OP_CUMSUM, .label = "exclusive", .x = {"3,9,4"}, .a = AXIS(.axis = 1, .exclusive = true),
     .values = CK_BIT(CK_WHOLE)},
    {.op = LM_OP_CUMSUM, .label = "reverse", .x = {"3,9,4"}, .a = AXIS(.axis = 0, .reverse = true),
     .values = CK_BIT(CK_WHOLE)},
    {.op = LM_OP_CUMSUM, .label = "both", .x = {"3,9,4"}, .a = AXIS(.axis = 2, .reverse = true, .exclusive = true),
     .types = CK_BIT(LM_I32) | CK_BIT(LM_I64), .layouts = CK_PLAIN_LAYOUTS},
};

const ck_rows ck_rows_reduce = CK_ROWS(rows);
