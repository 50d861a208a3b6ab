/* The op table and its shape rules: right shapes for right inputs; for wrong ones a message that names op and shape. */
#include "tests/unit/test.h"

#include <ctype.h>

#include "core/ops/op.h"

enum { INPUTS = 8 };
static lm_attrs attrs;     /* what the next call uses */
static lm_type x[INPUTS];  /* its inputs */
static lm_type y[LM_OUT_MAX];

/* The inputs of the next call, all of one type. */
#define SHAPES(...) shapes((const lm_shape[]){__VA_ARGS__}, (int)(sizeof((lm_shape[]){__VA_ARGS__}) / sizeof(lm_shape)))
static int nx;
static void shapes(const lm_shape *s, int n)
{
    nx = n;
    for (int i = 0; i < n; i++)
        x[i] = (lm_type){LM_F32, s[i]};
}

static lm_status infer(lm_opid op, int ny)
{
    lm_shape_args args = {.op = op, .a = &attrs, .nx = nx, .ny = ny, .x = x};
    return lm_op_infer(&args, y);
}

/* The call works, and its first result has this type and shape. */
static void gives(lm_opid op, lm_dtype dt, const char *shape)
{
    char text[LM_SHAPE_TEXT];
    if (!CHECK_OK(infer(op, 1)))
        return;
    CHECK_INT(y[0].dt, dt);
    CHECK_STR(lm_shape_text(&y[0].sh, text), shape);
}

/* It fails, and the message begins with the op's name and has `word` in it. */
static void refuses(lm_opid op, const char *word)
{
    const char *name = lm_ops[op].name;
    CHECK_FAILS(infer(op, 1), LM_INPUT);
    if (!CHECK(strncmp(lm_message(), name, strlen(name)) == 0 && strstr(lm_message(), word)))
        printf("%s: \"%s\" lacks \"%s\"\n", name, lm_message(), word);
}

static void the_table(void)
{
    for (int i = 0; i < LM_OPS; i++) {
        const lm_op_info *op = &lm_ops[i];
        lm_opid found;
        CHECK(op->shape && op->min_in <= op->max_in && op->max_out >= 1 && op->max_out <= LM_OUT_MAX);
        CHECK(lm_op_find(op->name, &found) && found == (lm_opid)i);
        CHECK(lm_op_find(op->id, &found));
        for (int k = 0; k < i; k++)
            CHECK(strcmp(op->name, lm_ops[k].name) != 0);
    }
    lm_opid found;
    CHECK(!lm_op_find("", &found) && !lm_op_find("Conv ", &found));
    CHECK(lm_op_find("conv_t", &found) && found == LM_OP_CONV_T);
    CHECK(lm_ops[LM_OP_GEMM].composite && lm_ops[LM_OP_LRN].composite && !lm_ops[LM_OP_CONV].composite);
    CHECK(lm_op_is_unary(LM_OP_RELU) && !lm_op_is_unary(LM_OP_ADD) && !lm_op_is_unary((lm_opid)-1));
    CHECK_STR(lm_class_name(LM_CLASS_BILINEAR), "BILINEAR");
    CHECK_STR(lm_gradstate_name(LM_GRAD_PIECE), "piecewise");
    CHECK_STR(lm_class_name((lm_class)99), "?");
}

static void counts_of_inputs(void)
{
    SHAPES(LM_SHAPE(2), LM_SHAPE(2), LM_SHAPE(2));
    refuses(LM_OP_RELU, "3 inputs");
    nx = 1;
    refuses(LM_OP_ADD, "1 inputs");
    CHECK_FAILS(infer(LM_OP_RELU, 2), LM_INPUT);
    CHECK_FAILS(infer((lm_opid)9999, 1), LM_INPUT);
    x[0].sh.rank = LM_ABSENT;
    refuses(LM_OP_RELU, "missing");
    x[0].sh.rank = 9;
    refuses(LM_OP_RELU, "rank 9");
    x[0].sh = LM_SHAPE(2, -3);
    refuses(LM_OP_RELU, "[2,-3]");
    x[0].sh = LM_SHAPE(INT64_MAX, 4);
    refuses(LM_OP_RELU, "2^62");
    x[0] = (lm_type){(lm_dtype)77, LM_SHAPE(2)};
    refuses(LM_OP_RELU, "77");
    lm_shape_args args = {.op = LM_OP_SOFTMAX, .nx = 1, .ny = 1, .x = x};
    x[0].dt = LM_F32;
    CHECK_FAILS(lm_op_infer(&args, y), LM_INPUT);
}

static void elementwise(void)
{
    SHAPES(LM_SHAPE(3, 1), LM_SHAPE(2, 1, 4));
    gives(LM_OP_ADD, LM_F32, "[2,3,4]");
    gives(LM_OP_LESS, LM_BOOL, "[2,3,4]");
    refuses(LM_OP_PRELU, "[2,1,4]");
    refuses(LM_OP_MOD, "fmod");
    refuses(LM_OP_BITAND, "float32");
    refuses(LM_OP_AND, "expected bool");
    x[1].dt = LM_I32;
    refuses(LM_OP_ADD, "int32");
    gives(LM_OP_POW, LM_F32, "[2,3,4]");
    SHAPES(LM_SHAPE(3), LM_SHAPE(4));
    refuses(LM_OP_MUL, "[3] and [4]");
    nx = 1;
    x[0].dt = LM_I32;
    gives(LM_OP_RELU, LM_I32, "[3]");
    refuses(LM_OP_EXP, "int32; expected float32, float64, float16 or bfloat16");
    refuses(LM_OP_ISNAN, "[3]");
    x[0].dt = LM_U8;
    refuses(LM_OP_NEG, "uint8");
    attrs.cast.to = LM_BOOL;
    gives(LM_OP_CAST, LM_BOOL, "[3]");
    attrs.cast.to = (lm_dtype)40;
    refuses(LM_OP_CAST, "to = 40");
    SHAPES(LM_SHAPE(2, 1), LM_SHAPE(3), (lm_shape){0});
    x[0].dt = LM_BOOL;
    gives(LM_OP_WHERE, LM_F32, "[2,3]");
    x[2].dt = LM_F64;
    refuses(LM_OP_WHERE, "float64");
    x[0].dt = LM_I32;
    refuses(LM_OP_WHERE, "[2,1]");
    SHAPES(LM_SHAPE(2), LM_SHAPE(2));
    attrs.actdx.of = LM_OP_TANH;
    gives(LM_OP_ACT_DX, LM_F32, "[2]");
    attrs.actdx.of = LM_OP_NOT;
    refuses(LM_OP_ACT_DX, "no derivative");
    attrs.actdx.of = LM_OP_ADD;
    refuses(LM_OP_ACT_DX, "number");
}

static void reductions(void)
{
    attrs.reduce = (lm_attr_reduce){.axes = 5, .keepdims = true};
    SHAPES(LM_SHAPE(2, 3, 4));
    gives(LM_OP_REDUCE_SUM, LM_F32, "[1,3,1]");
    attrs.reduce.keepdims = false;
    gives(LM_OP_REDUCE_MAX, LM_F32, "[3]");
    attrs.reduce.axes = 8;
    refuses(LM_OP_REDUCE_SUM, "[2,3,4]");
    attrs.reduce.axes = 1;
    x[0] = (lm_type){LM_I32, LM_SHAPE(0, 2)};
    gives(LM_OP_REDUCE_SUM, LM_I32, "[2]");
    refuses(LM_OP_REDUCE_MEAN, "no elements");
    memset(&attrs, 0, sizeof attrs);
    refuses(LM_OP_ARGMAX, "[0,2]");
    attrs.axis.axis = 1;
    gives(LM_OP_ARGMIN, LM_I64, "[0]");
    attrs.axis.axis = -1;
    refuses(LM_OP_CUMSUM, "axis = -1");
    SHAPES((lm_shape){0});
    refuses(LM_OP_SOFTMAX, "[]");
}

static void matrix_products(void)
{
    memset(&attrs, 0, sizeof attrs);
    SHAPES(LM_SHAPE(5, 1, 2, 3), LM_SHAPE(4, 3, 6));
    gives(LM_OP_MATMUL, LM_F32, "[5,4,2,6]");
    attrs.matmul.tb = true;
    refuses(LM_OP_MATMUL, "inner sizes 3 and 6");
    attrs.matmul.tb = false;
    SHAPES(LM_SHAPE(3), LM_SHAPE(4, 3, 6));
    gives(LM_OP_MATMUL, LM_F32, "[4,6]");
    SHAPES(LM_SHAPE(3), LM_SHAPE(3));
    gives(LM_OP_MATMUL, LM_F32, "[]");
    SHAPES(LM_SHAPE(2, 3), LM_SHAPE(3));
    gives(LM_OP_MATMUL, LM_F32, "[2]");
    SHAPES(LM_SHAPE(2, 3), (lm_shape){0});
    refuses(LM_OP_MATMUL, "[]");
    SHAPES(LM_SHAPE(2, 3), LM_SHAPE(3, 4), LM_SHAPE(3));
    refuses(LM_OP_MATMUL, "expected [4]");
    attrs.gemm.ta = true;
    SHAPES(LM_SHAPE(3, 2), LM_SHAPE(3, 4), LM_SHAPE(1, 4));
    gives(LM_OP_GEMM, LM_F32, "[2,4]");
    x[2].sh = LM_SHAPE(3, 4);
    refuses(LM_OP_GEMM, "[3,4]");
    SHAPES(LM_SHAPE((int64_t)1 << 40, 1), LM_SHAPE(1, (int64_t)1 << 40));
    memset(&attrs, 0, sizeof attrs);
    refuses(LM_OP_MATMUL, "2^62");
}

static void convolutions(void)
{
    memset(&attrs, 0, sizeof attrs);
    attrs.conv = (lm_attr_conv){2, 2, {3, 1}, {2, 1}, {2, 1}, {1, 0}, {2, 0}, {0}};
    SHAPES(LM_SHAPE(1, 4, 9, 5), LM_SHAPE(6, 2, 3, 1), LM_SHAPE(6));
    gives(LM_OP_CONV, LM_F32, "[1,6,4,5]"); /* (9 + 3 - 5) / 2 + 1 */
    x[2].sh = LM_SHAPE(4);
    refuses(LM_OP_CONV, "expected [6]");
    nx = 2;
    x[1].sh = LM_SHAPE(6, 4, 3, 1);
    refuses(LM_OP_CONV, "[6,4,3,1]");
    x[1].sh = LM_SHAPE(6, 2, 3, 3);
    refuses(LM_OP_CONV, "kernel size 1 on axis 3");
    x[1].sh = LM_SHAPE(6, 2, 3);
    refuses(LM_OP_CONV, "expected rank 4");
    x[1].sh = LM_SHAPE(6, 2, 3, 1);
    x[0].sh = LM_SHAPE(1, 4, 1, 5);
    refuses(LM_OP_CONV, "does not fit on axis 2 of input [1,4,1,5]");
    x[0].sh = LM_SHAPE(1, 3, 9, 5);
    refuses(LM_OP_CONV, "groups = 2");
    attrs.conv.stride[1] = 0;
    refuses(LM_OP_CONV, "stride = 0");
    attrs.conv.stride[1] = 1;
    attrs.conv.dilation[0] = INT64_MAX;
    refuses(LM_OP_CONV, "dilation");
    attrs.conv.dilation[0] = 2;
    attrs.conv.nd = 4;
    refuses(LM_OP_CONV, "nd = 4");
    attrs.conv.nd = 2;
    attrs.conv.size[0] = 9;
    attrs.conv.size[1] = 5;
    SHAPES(LM_SHAPE(1, 6, 4, 5), LM_SHAPE(6, 2, 3, 1));
    gives(LM_OP_CONV_T, LM_F32, "[1,4,9,5]");
    attrs.conv.size[0] = 7;
    refuses(LM_OP_CONV_T, "size = 7");
    SHAPES(LM_SHAPE(1, 4, 9, 5), LM_SHAPE(1, 6, 4, 5));
    gives(LM_OP_CONV_DW, LM_F32, "[6,2,3,1]");
    x[1].sh = LM_SHAPE(1, 6, 5, 5);
    refuses(LM_OP_CONV_DW, "[1,6,5,5]");
    x[0].dt = x[1].dt = LM_I32;
    refuses(LM_OP_CONV_DW, "int32");
}

static void pools(void)
{
    memset(&attrs, 0, sizeof attrs);
    attrs.pool = (lm_attr_pool){.nd = 1, .kernel = {3}, .stride = {2}, .dilation = {1}, .p = 2};
    SHAPES(LM_SHAPE(1, 1, 6));
    gives(LM_OP_AVGPOOL, LM_F32, "[1,1,2]");
    attrs.pool.ceil = true;
    gives(LM_OP_MAXPOOL, LM_F32, "[1,1,3]");
    CHECK_OK(infer(LM_OP_MAXPOOL, 2));
    CHECK(y[1].dt == LM_I64 && y[1].sh.dim[2] == 3);
    /* with stride 3 the window that would begin in the end padding is dropped: starts 0, 3, 6 of 5 + 1 + 1 */
    attrs.pool.stride[0] = 3;
    attrs.pool.pad_lo[0] = attrs.pool.pad_hi[0] = 1;
    x[0].sh = LM_SHAPE(1, 1, 5);
    gives(LM_OP_AVGPOOL, LM_F32, "[1,1,2]");
    attrs.pool.pad_lo[0] = -1;
    refuses(LM_OP_AVGPOOL, "pad_lo = -1");
    attrs.pool = (lm_attr_pool){.nd = 1, .kernel = {3}, .stride = {2}, .dilation = {1}, .size = {6}};
    SHAPES(LM_SHAPE(1, 1, 2), LM_SHAPE(1, 1, 2));
    x[1].dt = LM_I64;
    gives(LM_OP_MAXPOOL_DX, LM_F32, "[1,1,6]");
    x[1].sh = LM_SHAPE(1, 1, 3);
    refuses(LM_OP_MAXPOOL_DX, "[1,1,3]");
    nx = 1;
    attrs.pool.size[0] = 9;
    refuses(LM_OP_AVGPOOL_DX, "pools to 4");
    refuses(LM_OP_LPPOOL, "p = 0");
    attrs.pool.kernel[0] = 0;
    refuses(LM_OP_LPPOOL, "p = 0");
    SHAPES(LM_SHAPE(2, 3, 4, 5));
    gives(LM_OP_GLOBAL_AVG, LM_F32, "[2,3,1,1]");
    SHAPES(LM_SHAPE(2));
    refuses(LM_OP_GLOBAL_MAX, "[2]");
}

static void movement(void)
{
    memset(&attrs, 0, sizeof attrs);
    SHAPES(LM_SHAPE(2, 3, 4));
    attrs.shape.shape = LM_SHAPE(4, 6);
    gives(LM_OP_RESHAPE, LM_F32, "[4,6]");
    attrs.shape.shape = LM_SHAPE(5, 5);
    refuses(LM_OP_RESHAPE, "[5,5] has 25");
    attrs.shape.shape = LM_SHAPE(-1, 5);
    refuses(LM_OP_RESHAPE, "[?,5]");
    attrs.shape.shape = LM_SHAPE(7, 2, 1, 4);
    gives(LM_OP_EXPAND, LM_F32, "[7,2,3,4]");
    attrs.shape.shape = LM_SHAPE(3, 3, 4);
    refuses(LM_OP_EXPAND, "[2,3,4] and [3,3,4]");
    memset(&attrs, 0, sizeof attrs);
    attrs.perm = (lm_attr_perm){{2, 0, 1}};
    gives(LM_OP_TRANSPOSE, LM_F32, "[4,2,3]");
    attrs.perm = (lm_attr_perm){{2, 0, 2}};
    refuses(LM_OP_TRANSPOSE, "perm[2] = 2");
    attrs.slice = (lm_attr_slice){{1, 2, 3}, {1, -1, -2}, {1, 3, 2}};
    gives(LM_OP_SLICE, LM_F32, "[1,3,2]");
    attrs.slice.start[1] = 1;
    refuses(LM_OP_SLICE, "axis 1");
    attrs.slice.step[0] = 0;
    refuses(LM_OP_SLICE, "step = 0");
    attrs.slice = (lm_attr_slice){{0, 0, 1}, {3, 1, INT64_MAX}, {4, 3, 4}};
    refuses(LM_OP_SLICE_DX, "axis 2");
    attrs.slice = (lm_attr_slice){{0, 0, 1}, {3, 1, 2}, {4, 3, 8}};
    gives(LM_OP_SLICE_DX, LM_F32, "[4,3,8]");
    attrs.pad = (lm_attr_pad){{1, 0, -2}, {1, 0, 3}, LM_PAD_CONSTANT};
    gives(LM_OP_PAD, LM_F32, "[4,3,5]");
    gives(LM_OP_PAD_DX, LM_F32, "[0,3,3]");
    attrs.pad.lo[1] = -4;
    refuses(LM_OP_PAD, "negative size");
    attrs.pad.lo[1] = INT64_MAX;
    attrs.pad.hi[1] = INT64_MAX;
    refuses(LM_OP_PAD, "overflow");
    attrs.pad = (lm_attr_pad){{1}, {1}, LM_PAD_REFLECT};
    x[0].sh = LM_SHAPE(0, 2);
    refuses(LM_OP_PAD, "empty");
    attrs.tile = (lm_attr_tile){{3, INT64_MAX / 2}};
    refuses(LM_OP_TILE, "2^62");
    attrs.tile = (lm_attr_tile){{3, -1}};
    refuses(LM_OP_TILE, "-1 repeats");
    SHAPES(LM_SHAPE(2, 3), LM_SHAPE(2, 1), LM_SHAPE(2, 0));
    memset(&attrs, 0, sizeof attrs);
    attrs.axis.axis = 1;
    gives(LM_OP_CONCAT, LM_F32, "[2,4]");
    attrs.axis.axis = 0;
    refuses(LM_OP_CONCAT, "[2,1]");
    SHAPES(LM_SHAPE(1, 8, 2, 3));
    attrs.block.size = 2;
    gives(LM_OP_DEPTHTOSPACE, LM_F32, "[1,2,4,6]");
    refuses(LM_OP_SPACETODEPTH, "[1,8,2,3]");
    attrs.block.size = 3;
    refuses(LM_OP_DEPTHTOSPACE, "9 blocks");
}

static void indexing(void)
{
    memset(&attrs, 0, sizeof attrs);
    SHAPES(LM_SHAPE(2, 3, 4), LM_SHAPE(5, 6));
    attrs.index.axis = 1;
    refuses(LM_OP_GATHER, "expected int32 or int64");
    x[1].dt = LM_I64;
    gives(LM_OP_GATHER, LM_F32, "[2,5,6,4]");
    attrs.index.axis = 3;
    refuses(LM_OP_GATHER, "axis = 3");
    memset(&attrs, 0, sizeof attrs);
    attrs.shape = (lm_attr_shape){LM_SHAPE(2, 3, 4), 1};
    x[0].sh = LM_SHAPE(2, 5, 6, 4);
    gives(LM_OP_GATHER_DX, LM_F32, "[2,3,4]");
    x[0].sh = LM_SHAPE(2, 5, 6, 5);
    refuses(LM_OP_GATHER_DX, "[2,5,6,5]");
    memset(&attrs, 0, sizeof attrs);
    SHAPES(LM_SHAPE(2, 3, 4), LM_SHAPE(2, 9, 2));
    x[1].dt = LM_I32;
    attrs.index.axis = 1;
    gives(LM_OP_GATHERND, LM_F32, "[2,9,4]");
    gives(LM_OP_GATHERELEMENTS, LM_F32, "[2,9,2]");
    attrs.index.axis = 2;
    refuses(LM_OP_GATHERELEMENTS, "axis 1");
    attrs.index = (lm_attr_index){.batch = 1};
    gives(LM_OP_GATHERND, LM_F32, "[2,9]");
    attrs.index.batch = 2;
    refuses(LM_OP_GATHERND, "shared axis 1");
    attrs.index.batch = 3;
    refuses(LM_OP_GATHERND, "batch = 3");
    SHAPES(LM_SHAPE(4, 5), LM_SHAPE(3, 1), LM_SHAPE(3, 5));
    x[1].dt = LM_I64;
    attrs.index = (lm_attr_index){0};
    gives(LM_OP_SCATTERND, LM_F32, "[4,5]");
    x[2].sh = LM_SHAPE(3, 4);
    refuses(LM_OP_SCATTERND, "expected [3,5]");
    attrs.index.mode = (lm_scatter_mode)9;
    refuses(LM_OP_SCATTERND, "reduction = 9");
    memset(&attrs, 0, sizeof attrs);
    attrs.onehot = (lm_attr_onehot){.axis = 1, .depth = 7};
    SHAPES(LM_SHAPE(2, 3), LM_SHAPE(2));
    x[0].dt = LM_I64;
    gives(LM_OP_ONEHOT, LM_F32, "[2,7,3]");
    attrs.onehot.depth = -1;
    refuses(LM_OP_ONEHOT, "depth = -1");
    SHAPES(LM_SHAPE(2, 3));
    memset(&attrs, 0, sizeof attrs);
    attrs.topk = (lm_attr_topk){.axis = 1, .k = 4};
    refuses(LM_OP_TOPK, "k = 4");
    CHECK_FAILS(infer(LM_OP_NONZERO, 1), LM_UNSUPPORTED);
    CHECK(strncmp(lm_message(), "NonZero", 7) == 0);
}

static void sizes_from_values(void)
{
    lm_view start, limit, delta, mask;
    lm_shape scalar = {0}, square = LM_SHAPE(2, 2);
    CHECK_OK(lm_view_new(LM_I64, &scalar, &start));
    CHECK_OK(lm_view_new(LM_I64, &scalar, &limit));
    CHECK_OK(lm_view_new(LM_I64, &scalar, &delta));
    CHECK_OK(lm_view_new(LM_F32, &square, &mask));
    const lm_view *value[3] = {&start, &limit, &delta};
    lm_type in[3] = {{LM_I64, scalar}, {LM_I64, scalar}, {LM_I64, scalar}};
    lm_shape_args args = {.op = LM_OP_RANGE, .nx = 3, .ny = 1, .x = in, .value = value};
    static const int64_t runs[][4] = {{0, 10, 3, 4}, {10, 0, -3, 4}, {5, 5, 1, 0}, {0, -1, 1, 0}, {-3, 3, 6, 1}};
    for (size_t i = 0; i < LM_COUNT(runs); i++) {
        *(int64_t *)start.buf->host = runs[i][0];
        *(int64_t *)limit.buf->host = runs[i][1];
        *(int64_t *)delta.buf->host = runs[i][2];
        CHECK_OK(lm_op_infer(&args, y));
        CHECK_INT(y[0].sh.dim[0], runs[i][3]);
    }
    *(int64_t *)delta.buf->host = 0;
    CHECK_FAILS(lm_op_infer(&args, y), LM_INPUT);
    CHECK(strstr(lm_message(), "Range: delta is 0") != NULL);
    *(int64_t *)start.buf->host = INT64_MIN;
    *(int64_t *)limit.buf->host = INT64_MAX;
    *(int64_t *)delta.buf->host = 1;
    CHECK_FAILS(lm_op_infer(&args, y), LM_INPUT);
    for (int i = 0; i < 4; i++)
        lm_view_set(&mask, i, i == 0 ? NAN : i - 2);
    value[0] = &mask;
    in[0] = (lm_type){LM_F32, square};
    args.op = LM_OP_NONZERO;
    args.nx = 1;
    CHECK_OK(lm_op_infer(&args, y));
    CHECK(y[0].dt == LM_I64 && y[0].sh.dim[0] == 2 && y[0].sh.dim[1] == 3);
    lm_buffer_unref(start.buf);
    lm_buffer_unref(limit.buf);
    lm_buffer_unref(delta.buf);
    lm_buffer_unref(mask.buf);
}

static void einsum(const char *equation, const char *shape)
{
    memset(&attrs, 0, sizeof attrs);
    snprintf(attrs.einsum.equation, sizeof attrs.einsum.equation, "%s", equation);
    if (isupper((unsigned char)shape[0]))
        refuses(LM_OP_EINSUM, shape + 1);
    else
        gives(LM_OP_EINSUM, LM_F32, shape);
}

static void einsums(void)
{
    SHAPES(LM_SHAPE(2, 3), LM_SHAPE(3, 4));
    einsum("ij,jk->ki", "[4,2]");
    einsum(" i j , j k ", "[2,4]");
    einsum("ij,jk->", "[]");
    einsum("ij,kj->ik", "X'ij,kj->ik'");
    einsum("ij,jk->im", "Xno operand");
    einsum("ij,jk->ii", "Xtwice");
    einsum("ij->ij", "Xone term for each");
    einsum("ijk,jk->i", "X[2,3] has 3 labels");
    einsum("i?,jk->i", "Xunexpected '?'");
    einsum("ij,jk->i->k", "X'->k'");
    SHAPES(LM_SHAPE(5, 1, 2, 3), LM_SHAPE(4, 3, 6));
    einsum("...ij,...jk", "[5,4,2,6]");
    einsum("...ij,...jk->k...i", "[6,5,4,2]");
    SHAPES(LM_SHAPE(7, 3, 3));
    einsum("bii->bi", "[7,3]");
    einsum("...ii->...", "[7]");
    SHAPES(LM_SHAPE(7, 3, 4));
    einsum("bii->bi", "Xsize 4");
    memset(attrs.einsum.equation, 'a', sizeof attrs.einsum.equation);
    refuses(LM_OP_EINSUM, "no end");
}

static void resizing_losses_steps(void)
{
    memset(&attrs, 0, sizeof attrs);
    SHAPES(LM_SHAPE(1, 4));
    attrs.resize.size[0] = 1;
    attrs.resize.size[1] = 9;
    attrs.resize.scale[0] = 1;
    refuses(LM_OP_RESIZE, "scale = 0");
    attrs.resize.scale[1] = 2.25;
    gives(LM_OP_RESIZE, LM_F32, "[1,9]");
    attrs.resize.scale[1] = NAN;
    refuses(LM_OP_RESIZE, "[1,4]");
    memset(&attrs, 0, sizeof attrs);
    SHAPES(LM_SHAPE(2, 5, 3), LM_SHAPE(2, 3), LM_SHAPE(5));
    x[1].dt = LM_I64;
    gives(LM_OP_LOSS_CE, LM_F32, "[]");
    attrs.loss.reduction = LM_LOSS_NONE;
    gives(LM_OP_LOSS_NLL, LM_F32, "[2,3]");
    x[2].sh = LM_SHAPE(3);
    refuses(LM_OP_LOSS_NLL, "expected [5]");
    SHAPES(LM_SHAPE(2, 5), LM_SHAPE(2, 4));
    refuses(LM_OP_LOSS_MSE, "[2,4]");
    SHAPES(LM_SHAPE(4), LM_SHAPE(4), LM_SHAPE(1), LM_SHAPE(4), LM_SHAPE(4), (lm_shape){0});
    gives(LM_OP_ADAM, LM_F32, "[4]");
    x[4].sh = LM_SHAPE(5);
    refuses(LM_OP_ADAM, "input 4 has shape [5]");
    SHAPES(LM_SHAPE(2, 6, 3), LM_SHAPE(6), LM_SHAPE(6));
    attrs.norm.groups = 4;
    refuses(LM_OP_GROUPNORM, "groups = 4");
    gives(LM_OP_INSTANCENORM, LM_F32, "[2,6,3]");
    x[1].sh = LM_SHAPE(3);
    refuses(LM_OP_INSTANCENORM, "expected [6]");
    attrs.norm.axis = 2;
    x[2].sh = LM_SHAPE(3);
    CHECK_OK(infer(LM_OP_LAYERNORM, 3));
    CHECK(y[1].sh.dim[0] == 2 && y[1].sh.dim[1] == 6 && y[1].sh.dim[2] == 1);
}

int main(void)
{
    CASE(the_table);
    CASE(counts_of_inputs);
    CASE(elementwise);
    CASE(reductions);
    CASE(matrix_products);
    CASE(convolutions);
    CASE(pools);
    CASE(movement);
    CASE(indexing);
    CASE(sizes_from_values);
    CASE(einsums);
    CASE(resizing_losses_steps);
    return test_end();
}
