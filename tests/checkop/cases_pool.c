/* Cases of pooling: ceil, padding that counts or not, dilation, windows that hang over, one to three axes, channels
 * around a vector; and of the gradients. */
#include "tests/checkop/harness.h"

#define LIST(name, ...) static const lm_opid name[] = {__VA_ARGS__, LM_OPS}
LIST(pools, LM_OP_MAXPOOL, LM_OP_AVGPOOL, LM_OP_LPPOOL);
LIST(globals, LM_OP_GLOBAL_AVG, LM_OP_GLOBAL_MAX);

#define P1(k, s, d, lo, hi, ...)                                                                                       \
    {.pool = {.nd = 1, .p = 2, .kernel = {k}, .stride = {s}, .dilation = {d}, .pad_lo = {lo},                          \
     .pad_hi = {hi}, __VA_ARGS__}}
#define P2(kh, kw, sh, sw, d, t, l, b, r, ...)                                                                         \
    {.pool = {.nd = 2, .p = 2, .kernel = {kh, kw}, .stride = {sh, sw}, .dilation = {d, d}, .pad_lo = {t, l},           \
              .pad_hi = {b, r}, __VA_ARGS__}}
#define SQ(k, s, p, ...) P2(k, k, s, s, 1, p, p, p, p, __VA_ARGS__)
#define IMAGES CK_BIT(CK_NHWC)
#define MAXPOOL .op = LM_OP_MAXPOOL
#define AVGPOOL .op = LM_OP_AVGPOOL
#define AVG_DX .op = LM_OP_AVGPOOL_DX
#define MAX_DX .op = LM_OP_MAXPOOL_DX
#define P3(...)                                                                                                        \
    {.pool = {.nd = 3, .p = 2, .kernel = {2, 3, 2}, .stride = {1, 2, 2}, .dilation = {1, 1, 1}, .pad_lo = {0, 1, 1},   \
              .pad_hi = {1, 1, 0}, __VA_ARGS__}}

static const ck_row rows[] = {
    {.ops = pools, .label = "channels", .x = {"2,c,6,7"}, .a = SQ(3, 2, 1, .ceil = false), .layouts = IMAGES,
     .sweep = "c=1,3,7,8,9,15,16,17,31,33,64,65", .split = 1},
    {.ops = pools, .label = "image", .x = {"2,5,9,11"}, .a = SQ(2, 2, 0, .ceil = false), .types = CK_FLOATS,
     .layouts = CK_ALL_LAYOUTS, .values = CK_ALL_VALUES, .split = 1},
    {.ops = pools, .label = "ceil", .x = {"2,19,h,8"}, .a = SQ(3, 2, 0, .ceil = true), .sweep = "h=3,4,7,8",
     .layouts = IMAGES, .split = 1},
    {.ops = pools, .label = "ceil_pad", .x = {"2,5,8,9"}, .a = SQ(3, 2, 1, .ceil = true, .count_pad = true),
     .layouts = IMAGES},
    {.ops = pools, .label = "overhang", .x = {"1,5,5,5"}, .a = SQ(2, 3, 1, .ceil = true), .layouts = IMAGES},
    {.ops = pools, .label = "dilated", .x = {"2,17,9,11"}, .a = P2(3, 2, 1, 2, 2, 1, 0, 1, 1, .ceil = false),
     .layouts = IMAGES, .split = 1},
    {.ops = pools, .label = "dilated_ceil", .x = {"1,5,10,11"}, .a = P2(2, 3, 2, 3, 3, 0, 1, 1, 2, .ceil = true,
     .count_pad = true),
     .layouts = IMAGES},
    {.ops = pools, .label = "lopsided", .x = {"1,5,6,7"}, .a = P2(3, 3, 1, 2, 1, 2, 0, 0, 1, .ceil = false),
     .layouts = CK_IMAGE_LAYOUTS},
    {.ops = pools, .label = "stride1", .x = {"1,17,7,7"}, .a = SQ(3, 1, 1, .ceil = false), .layouts = IMAGES,
     .values = CK_BIT(CK_SPECIAL)},
    {.ops = pools, .label = "narrow", .x = {"n,2,3,3"}, .a = SQ(3, 1, 0, .ceil = false), .sweep = "n=1,5,12,13",
     .layouts = IMAGES, .values = CK_BIT(CK_SPECIAL)},
    {.ops = pools, .label = "narrow_apart", .x = {"n,2,3,3"}, .a = SQ(3, 2, 0, .ceil = false), .sweep = "n=1,5,12,13",
     .layouts = IMAGES, .values = CK_BIT(CK_SPECIAL)},
    {.ops = pools, .label = "whole", .x = {"3,18,7,7"}, .a = SQ(7, 1, 0, .ceil = false), .layouts = IMAGES,
     .split = 1},
    {.ops = pools, .label = "1d", .x = {"2,5,n"}, .a = P1(3, 2, 1, 1, 1, .ceil = false), .sweep = "n=1,2,15,16,17",
     .layouts = IMAGES},
    {.ops = pools, .label = "3d", .x = {"1,5,3,6,5"}, .a = P3(.ceil = false), .layouts = CK_ALL_LAYOUTS},
    {.ops = pools, .label = "empty_batch", .x = {"0,5,6,7"}, .a = SQ(2, 2, 0, .ceil = false)},
    {MAXPOOL, .label = "index", .x = {"2,5,8,9"}, .a = SQ(3, 2, 1, .ceil = false), .ny = 2,
     .types = CK_FLOATS | CK_BIT(LM_I8) | CK_BIT(LM_U8),
     .layouts = CK_ALL_LAYOUTS, .values = CK_BIT(CK_WHOLE) | CK_BIT(CK_EXTREMES), .split = 1},
    {MAXPOOL, .label = "index_channels", .x = {"2,c,6,7"}, .a = SQ(2, 2, 0, .ceil = true), .ny = 2,
     .sweep = "c=1,15,16,17,33",
     .layouts = IMAGES, .values = CK_BIT(CK_WHOLE)},
    {MAXPOOL, .label = "column_major", .x = {"2,3,5,6"}, .a = SQ(2, 2, 0, .column_major = true), .ny = 2},
    {MAXPOOL, .label = "index_1d", .x = {"2,3,11"}, .a = P1(3, 2, 2, 1, 1, .ceil = true), .ny = 2},
    {MAXPOOL, .label = "index_3d", .x = {"1,5,3,6,5"}, .a = P3(.ceil = true), .ny = 2, .layouts = IMAGES},
    {MAXPOOL, .label = "int", .x = {"2,5,8,9"}, .a = SQ(3, 2, 1, .ceil = false), .type = LM_I8,
     .types = CK_BIT(LM_U8) | CK_BIT(LM_I32),
     .values = CK_BIT(CK_EXTREMES)},
    {AVGPOOL, .label = "count_pad", .x = {"2,19,8,9"}, .a = SQ(3, 2, 1, .count_pad = true),
     .layouts = CK_IMAGE_LAYOUTS,
     .values = CK_BIT(CK_WHOLE), .split = 1},
    {.op = LM_OP_LPPOOL, .label = "p1", .x = {"2,5,8,9"},
     .a = {.pool = {.nd = 2, .p = 1, .kernel = {3, 3}, .stride = {2, 2}, .dilation = {1, 1}, .pad_lo = {1, 1},
     .pad_hi = {1, 1}}}},
    {.op = LM_OP_LPPOOL, .label = "p3", .x = {"2,5,8,9"},
     .a = {.pool = {.nd = 2, .p = 3, .kernel = {2, 3}, .stride = {2, 2}, .dilation = {1, 1}}}},

    {AVG_DX, .label = "channels", .x = {"2,c,3,4"}, .a = SQ(3, 2, 1, .size = {6, 7}), .sweep = "c=1,7,15,16,17,33",
     .layouts = IMAGES,
     .split = 1},
    {AVG_DX, .label = "image", .x = {"2,5,4,5"}, .a = SQ(2, 2, 0, .size = {9, 11}), .types = CK_FLOATS,
     .layouts = CK_ALL_LAYOUTS,
     .values = CK_ALL_VALUES, .split = 1},
    {AVG_DX, .label = "ceil", .x = {"2,5,4,4"}, .a = SQ(3, 2, 0, .ceil = true, .size = {8, 8}), .layouts = IMAGES},
    {AVG_DX, .label = "count_pad", .x = {"2,5,4,5"}, .a = SQ(3, 2, 1, .count_pad = true, .size = {8, 9}),
     .layouts = IMAGES},
    {AVG_DX, .label = "dilated", .x = {"2,17,7,5"}, .a = P2(3, 2, 1, 2, 2, 1, 0, 1, 1, .size = {9, 11}),
     .layouts = IMAGES},
    {AVG_DX, .label = "stride1", .x = {"1,17,7,7"}, .a = SQ(3, 1, 1, .size = {7, 7}), .layouts = IMAGES},
    {AVG_DX, .label = "1d", .x = {"2,5,8"}, .a = P1(3, 2, 1, 1, 1, .size = {16}), .layouts = IMAGES},
    {AVG_DX, .label = "3d", .x = {"1,5,3,3,3"}, .a = P3(.size = {3, 6, 5}), .layouts = IMAGES},
    {MAX_DX, .label = "image", .x = {"2,5,4,5", "i64:2,5,4,5@window"}, .a = SQ(2, 2, 0, .size = {9, 11}),
     .types = CK_FLOATS,
     .layouts = CK_ALL_LAYOUTS, .values = CK_BIT(CK_WHOLE) | CK_BIT(CK_SPECIAL)},
    {MAX_DX, .label = "channels", .x = {"2,c,3,4", "i64:2,c,3,4@window"}, .a = SQ(3, 2, 1, .size = {6, 7}),
     .sweep = "c=1,15,16,17,33",
     .layouts = IMAGES},
    {MAX_DX, .label = "overlap", .x = {"1,17,7,7", "i64:1,17,7,7@window"}, .a = SQ(3, 1, 1, .size = {7, 7}),
     .layouts = IMAGES},
    {MAX_DX, .label = "1d", .x = {"2,5,8", "i64:2,5,8@window"}, .a = P1(3, 2, 1, 1, 1, .size = {16})},
    {MAX_DX, .label = "3d", .x = {"1,5,3,3,3", "i64:1,5,3,3,3@window"}, .a = P3(.size = {3, 6, 5}),
     .layouts = IMAGES},

    {.ops = globals, .label = "image", .x = {"2,c,h,7"}, .sweep = "c=1,5,16,17 h=1,3", .layouts = CK_ALL_LAYOUTS,
     .types = CK_FLOATS, .split = 1},
    {.ops = globals, .label = "1d", .x = {"2,5,9"}},
    {.ops = globals, .label = "3d", .x = {"2,5,3,2,4"}},
    {.ops = globals, .label = "flat", .x = {"2,5"}},
    {.op = LM_OP_GLOBAL_LP, .label = "p2", .x = {"2,5,3,7"}, .a = {.norm = {.p = 2}}, .layouts = CK_IMAGE_LAYOUTS},
    {.op = LM_OP_GLOBAL_LP, .label = "p1", .x = {"2,5,3,7"}, .a = {.norm = {.p = 1}}},
    {.op = LM_OP_GLOBAL_LP, .label = "p3", .x = {"2,5,3,7"}, .a = {.norm = {.p = 3}}},
};

const ck_rows ck_rows_pool = CK_ROWS(rows);
