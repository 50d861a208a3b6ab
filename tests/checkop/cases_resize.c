/* Cases of resizing: each interpolation with each way to map coordinates, up and down, and the gradients. */
#include "tests/checkop/harness.h"

/* An image [2,c,h,w] to [2,c,H,W], scales as given. */
#define R(op_, tag, x_, mode_, coord_, near_, sh, sw, c, h, w, ...)                                                    \
    {.op = LM_OP_##op_, .label = tag, .x = {x_},                                                                       \
     .a = {.resize = {.mode = LM_RESIZE_##mode_, .coord = LM_COORD_##coord_, .nearest = LM_NEAR_##near_,               \
                      .cubic_a = -0.75f, .size = {2, c, h, w}, .scale = {1, 1, sh, sw}, .roi_hi = {1, 1, 1, 1}}},      \
     .split = 1, __VA_ARGS__}

#define UP(tag, mode, coord, near, ...)                                                                                \
    R(RESIZE, tag "_up", "2,5,4,3", mode, coord, near, 2, 3, 5, 8, 9, __VA_ARGS__),                                    \
        R(RESIZE_DX, tag "_up", "2,5,8,9", mode, coord, near, 2, 3, 5, 4, 3, __VA_ARGS__)
#define DOWN(tag, mode, coord, near, ...)                                                                              \
    R(RESIZE, tag "_down", "2,3,8,9", mode, coord, near, 0.5, 0.6, 3, 4, 5, __VA_ARGS__),                              \
        R(RESIZE_DX, tag "_down", "2,3,4,5", mode, coord, near, 0.5, 0.6, 3, 8, 9, __VA_ARGS__)
#define BOTH(tag, mode, coord, near) UP(tag, mode, coord, near, .ny = 1), DOWN(tag, mode, coord, near, .ny = 1)
#define CORNERS(tag, mode)                                                                                             \
    BOTH(tag "_half", mode, HALF_PIXEL, PREFER_FLOOR),                                                                 \
        BOTH(tag "_symmetric", mode, HALF_PIXEL_SYMMETRIC, PREFER_FLOOR),                                              \
        BOTH(tag "_pytorch", mode, PYTORCH_HALF_PIXEL, PREFER_FLOOR),                                                  \
        BOTH(tag "_align", mode, ALIGN_CORNERS, PREFER_FLOOR),                                                         \
        BOTH(tag "_asymmetric", mode, ASYMMETRIC, FLOOR)
#define THICK .types = CK_FLOATS, .layouts = CK_IMAGE_LAYOUTS, .values = CK_BIT(CK_WHOLE)
#define CROP(op_, tag, x_, mode_, h, w)                                                                                \
    {.op = LM_OP_##op_, .label = tag, .x = {x_},                                                                       \
     .a = {.resize = {.mode = LM_RESIZE_##mode_, .coord = LM_COORD_CROP, .cubic_a = -0.75f, .extrapolation = 7,        \
                      .size = {2, 3, h, w}, .scale = {1, 1, 1, 1}, .roi_lo = {0, 0, 0.25, -0.25},                      \
                      .roi_hi = {1, 1, 0.75, 1.25}}}}
#define EXTRA(op_, tag, x_, mode_, sh, sw, h, w, ...)                                                                  \
    {.op = LM_OP_##op_, .label = tag, .x = {x_},                                                                       \
     .a = {.resize = {.mode = LM_RESIZE_##mode_, .cubic_a = -0.5f, .size = {2, 3, h, w},                               \
     .scale = {1, 1, sh, sw}, __VA_ARGS__}}}

static const ck_row rows[] = {
    CORNERS("nearest", NEAREST),
    CORNERS("linear", LINEAR),
    CORNERS("cubic", CUBIC),
    BOTH("nearest_ceil", NEAREST, HALF_PIXEL, CEIL),
    BOTH("nearest_floor", NEAREST, HALF_PIXEL, FLOOR),
    BOTH("nearest_prefer_ceil", NEAREST, HALF_PIXEL, PREFER_CEIL),
    BOTH("nearest_asym_ceil", NEAREST, ASYMMETRIC, CEIL),
    UP("thick_nearest", NEAREST, ASYMMETRIC, FLOOR, THICK),
    UP("thick_linear", LINEAR, HALF_PIXEL, FLOOR, THICK),
    UP("thick_cubic", CUBIC, HALF_PIXEL, FLOOR, THICK),
    R(RESIZE, "one_pixel", "2,17,1,1", LINEAR, ALIGN_CORNERS, FLOOR, 3, 3, 17, 3, 3, .layouts = CK_BIT(CK_NHWC)),
    R(RESIZE, "to_one", "2,17,5,5", LINEAR, PYTORCH_HALF_PIXEL, FLOOR, 0.2, 0.2, 17, 1, 1,
    .layouts = CK_BIT(CK_NHWC)),
    R(RESIZE, "same", "2,16,5,5", LINEAR, HALF_PIXEL, FLOOR, 1, 1, 16, 5, 5, .layouts = CK_BIT(CK_NHWC)),
    R(RESIZE, "many_channels", "2,33,3,4", LINEAR, HALF_PIXEL, FLOOR, 2, 2, 33, 6, 8, .layouts = CK_BIT(CK_NHWC)),
    CROP(RESIZE, "crop_linear", "2,3,8,8", LINEAR, 5, 6),
    CROP(RESIZE, "crop_nearest", "2,3,8,8", NEAREST, 5, 6),
    CROP(RESIZE_DX, "crop_linear", "2,3,5,6", LINEAR, 8, 8),
    EXTRA(RESIZE, "antialias_linear", "2,3,9,8", LINEAR, 0.5, 0.375, 4, 3, .antialias = true),
    EXTRA(RESIZE, "antialias_cubic", "2,3,9,8", CUBIC, 0.5, 0.375, 4, 3, .antialias = true),
    EXTRA(RESIZE_DX, "antialias_linear", "2,3,4,3", LINEAR, 0.5, 0.375, 9, 8, .antialias = true),
    EXTRA(RESIZE_DX, "antialias_cubic", "2,3,4,3", CUBIC, 0.5, 0.375, 9, 8, .antialias = true),
    EXTRA(RESIZE, "exclude", "2,3,5,4", CUBIC, 1.6, 1.75, 8, 7, .exclude_outside = true),
    EXTRA(RESIZE_DX, "exclude", "2,3,8,7", CUBIC, 1.6, 1.75, 5, 4, .exclude_outside = true),
    {.op = LM_OP_RESIZE, .label = "1d", .x = {"2,3,7"}, .a = {.resize = {.mode = LM_RESIZE_LINEAR,
     .size = {2, 3, 15}, .scale = {1, 1, 2.2}}}},
    {.op = LM_OP_RESIZE, .label = "3d", .x = {"1,2,3,4,5"},
     .a = {.resize = {.mode = LM_RESIZE_LINEAR, .size = {1, 2, 5, 6, 7}, .scale = {1, 1, 1.7, 1.5, 1.4}}},
     .layouts = CK_IMAGE_LAYOUTS},
    {.op = LM_OP_RESIZE, .label = "all_axes", .x = {"2,3,4"}, .a = {.resize = {.mode = LM_RESIZE_LINEAR,
     .size = {3, 5, 2}, .scale = {1.5, 1.7, 0.5}}}},
    {.op = LM_OP_RESIZE, .label = "bytes", .x = {"1,3,4,5"}, .a = {.resize = {.size = {1, 3, 8, 10},
     .scale = {1, 1, 2, 2}}}, .type = LM_U8,
     .types = CK_BIT(LM_I32)},
};

const ck_rows ck_rows_resize = CK_ROWS(rows);
