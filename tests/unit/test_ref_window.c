/* The reference device against answers worked out by hand: products, convolutions, pools and resizing. */
#include "tests/unit/ref_call.h"

static void matrix_products(void)
{
    IN(LM_F32, LM_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    IN(LM_F32, LM_SHAPE(3, 2), 1, 0, 0, 1, 1, 1);
    IN(LM_F32, LM_SHAPE(2), 10, 20);
    run(LM_OP_MATMUL, 1);
    OUT(0, 14, 25, 20, 31);
    next();
    attrs.matmul = (lm_attr_matmul){true, true};
    IN(LM_I32, LM_SHAPE(3, 2), 1, 4, 2, 5, 3, 6);
    IN(LM_I32, LM_SHAPE(2, 2, 3), 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0);
    run(LM_OP_MATMUL, 1);
    OUT(0, 4, 5, 10, 11, 6, 0, 15, 0);
    next();
    IN(LM_F32, LM_SHAPE(2), 3, 4);
    IN(LM_F32, LM_SHAPE(2), 5, 6);
    run(LM_OP_MATMUL, 1);
    OUT(0, 39);
    next();
    /* the residual and the activation follow the stored sum */
    lm_epilogue ep = {.residual = true, .active = true, .act = LM_OP_RELU};
    IN(LM_F32, LM_SHAPE(1, 1), 3);
    IN(LM_F32, LM_SHAPE(1, 2), 1, 2);
    IN(LM_F32, LM_SHAPE(1, 2), -5, 1);
    CHECK_OK(compute(LM_OP_MATMUL, &ep, 1));
    OUT(0, 0, 7);
    next();
}

static const lm_attr_conv line = {.nd = 1, .groups = 1, .kernel = {3}, .stride = {2}, .dilation = {1}, .pad_lo = {1},
                                  .pad_hi = {1}, .size = {5}};

static void convolutions(void)
{
    attrs.conv = line;
    IN(LM_F32, LM_SHAPE(1, 1, 5), 1, 2, 3, 4, 5);
    IN(LM_F32, LM_SHAPE(1, 1, 3), 1, 10, 100);
    IN(LM_F32, LM_SHAPE(1), 0.5);
    run(LM_OP_CONV, 1);
    OUT(0, 210.5, 432.5, 54.5);
    next();
    attrs.conv = line;
    IN(LM_F32, LM_SHAPE(1, 1, 3), 1, 2, 3);
    IN(LM_F32, LM_SHAPE(1, 1, 3), 1, 10, 100);
    run(LM_OP_CONV_T, 1);
    OUT(0, 10, 102, 20, 203, 30);
    next();
    attrs.conv = line;
    IN(LM_F32, LM_SHAPE(1, 1, 5), 1, 2, 3, 4, 5);
    IN(LM_F32, LM_SHAPE(1, 1, 3), 1, 10, 100);
    run(LM_OP_CONV_DW, 1);
    OUT(0, 420, 531, 42);
    next();
    /* two groups, dilation 2, on two axes of which one is trivial */
    attrs.conv = (lm_attr_conv){2, 2, {1, 2}, {1, 1}, {1, 2}, {0, 0}, {0, 0}, {0}};
    IN(LM_F32, LM_SHAPE(1, 2, 1, 4), 1, 2, 3, 4, 5, 6, 7, 8);
    IN(LM_F32, LM_SHAPE(2, 1, 1, 2), 1, -1, 2, 1);
    run(LM_OP_CONV, 1);
    OUT(0, -2, -2, 17, 20);
    next();
}

static void pools(void)
{
    lm_attr_pool p = {
        .nd = 1, .kernel = {3}, .stride = {2}, .dilation = {1}, .pad_lo = {1}, .pad_hi = {1}, .ceil = true};
    attrs.pool = p;
    IN(LM_F32, LM_SHAPE(1, 2, 4), 1, 5, 5, 2, 0, NAN, 3, NAN);
    run(LM_OP_MAXPOOL, 2);
    OUT(0, 5, 5, 2, NAN, NAN, NAN);
    OUT(1, 1, 1, 3, 5, 5, 7);
    next();
    attrs.pool = p;
    IN(LM_F32, LM_SHAPE(1, 1, 4), 2, 4, 6, 8);
    run(LM_OP_AVGPOOL, 1);
    OUT(0, 3, 6, 8);
    drop(y, 1);
    attrs.pool.count_pad = true; /* the last window reaches past the padding: two places count */
    run(LM_OP_AVGPOOL, 1);
    OUT(0, 2, 6, 4);
    next();
    attrs.pool = p;
    attrs.pool.size[0] = 4;
    IN(LM_F32, LM_SHAPE(1, 1, 3), 4, 6, 8);
    run(LM_OP_AVGPOOL_DX, 1);
    OUT(0, 2, 4, 2, 10);
    IN(LM_I64, LM_SHAPE(1, 1, 3), 1, 1, -1);
    drop(y, 1);
    run(LM_OP_MAXPOOL_DX, 1);
    OUT(0, 0, 10, 0, 0);
    lm_view_set(&x[1], 2, 4);
    drop(y, 1);
    refuses(LM_OP_MAXPOOL_DX, "index 4");
    attrs.pool = (lm_attr_pool){.nd = 2, .kernel = {1, 2}, .stride = {1, 1}, .dilation = {1, 1}, .column_major = true};
    IN(LM_F32, LM_SHAPE(1, 1, 2, 3), 1, 2, 3, 6, 5, 4);
    run(LM_OP_MAXPOOL, 2);
    OUT(0, 2, 3, 6, 5);
    OUT(1, 2, 4, 1, 3);
    next();
    attrs.pool = (lm_attr_pool){.nd = 1, .p = 2, .kernel = {2}, .stride = {1}, .dilation = {1}};
    IN(LM_F32, LM_SHAPE(1, 1, 3), 3, -4, 3);
    run(LM_OP_LPPOOL, 1);
    OUT(0, 5, 5);
    next();
}

static void resize(lm_attr_resize a, int64_t size, int n, const double *wanted)
{
    attrs.resize = a;
    attrs.resize.size[0] = size;
    if (!attrs.resize.scale[0])
        attrs.resize.scale[0] = (double)size / 4;
    IN(LM_F64, LM_SHAPE(4), 1, 2, 3, 4);
    run(LM_OP_RESIZE, 1);
    output(0, 1e-12, wanted, n);
    next();
}

static void resizing(void)
{
    lm_attr_resize nearest = {.mode = LM_RESIZE_NEAREST}, linear = {.mode = LM_RESIZE_LINEAR}, crop = linear;
    resize(linear, 8, 8, (double[]){1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4});
    resize(linear, 2, 2, (double[]){1.5, 3.5});
    linear.antialias = true;
    resize(linear, 2, 2, (double[]){1.625, 3.375}); /* weights 1 3 3 1, the first on the repeated border */
    linear.antialias = false;
    linear.coord = LM_COORD_ALIGN_CORNERS;
    resize(linear, 7, 7, (double[]){1, 1.5, 2, 2.5, 3, 3.5, 4});
    nearest.coord = LM_COORD_ASYMMETRIC;
    nearest.nearest = LM_NEAR_FLOOR;
    resize(nearest, 8, 8, (double[]){1, 1, 2, 2, 3, 3, 4, 4});
    nearest.nearest = LM_NEAR_PREFER_CEIL;
    resize(nearest, 8, 8, (double[]){1, 2, 2, 3, 3, 4, 4, 4});
    crop.coord = LM_COORD_CROP;
    crop.roi_lo[0] = 0.5;
    crop.roi_hi[0] = 1.5;
    crop.extrapolation = -1;
    resize(crop, 3, 3, (double[]){2.5, 4, -1});
    resize(crop, 1, 1, (double[]){4}); /* the region's centre */
    lm_attr_resize cubic = {.mode = LM_RESIZE_CUBIC, .cubic_a = -0.5f, .exclude_outside = true};
    resize(cubic, 4, 4, (double[]){1, 2, 3, 4});
}

/* <v, R u> = <R' v, u> for every mode, with sizes that go up and down. */
static void resizing_transposes(void)
{
    static const double u[5] = {1, -2, 3, 0.5, 7}, v[8] = {2, 1, -1, 4, 0.25, -3, 6, 5};
    for (int k = 0; k < 3 * 6 * 2 * 2 * 2; k++) {
        int64_t size = k & 1 ? 8 : 3;
        lm_attr_resize a = {.mode = (lm_resize_mode)(k / 8 % 3), .coord = (lm_resize_coord)(k / 24), .cubic_a = -0.75f,
                            .antialias = k & 2, .exclude_outside = k & 4, .scale = {(double)size / 5},
                            .roi_lo = {0.25}, .roi_hi = {1.125}};
        double left = 0, right = 0;
        attrs.resize = a;
        attrs.resize.size[0] = size;
        input(LM_F64, LM_SHAPE(5), u, 5);
        run(LM_OP_RESIZE, 1);
        for (int i = 0; i < size; i++)
            left += v[i] * lm_view_get(&y[0], i);
        next();
        attrs.resize = a;
        attrs.resize.size[0] = 5;
        input(LM_F64, LM_SHAPE(size), v, (int)size);
        run(LM_OP_RESIZE_DX, 1);
        for (int i = 0; i < 5; i++)
            right += u[i] * lm_view_get(&y[0], i);
        next();
        CHECK_NEAR(left, right, 1e-12);
    }
}

static void cases(void)
{
    CASE(matrix_products);
    CASE(convolutions);
    CASE(pools);
    CASE(resizing);
    CASE(resizing_transposes);
}

int main(void)
{
    return with_ref(cases);
}
