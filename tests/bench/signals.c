/* What explanations send backwards through a network: gradients and relevance of its layers, of one image and of eight,
 * beside a loop of the same traffic; and the convolutions that carry a signal back to an image's channels. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

/* Shapes of a batch of one; larger batches repeat the first axis of those operands that are not `fixed`. */
typedef struct signal_row {
    const char *text;
    lm_opid op;
    lm_attrs a;
    int nx;
    lm_shape x[3], y;
    bool nhwc;
    unsigned fixed; /* bit i: operand i is the same for the whole batch */
} signal_row;

#define POOL(k, s, pad, in)                                                                                           \
    {                                                                                                                 \
        .pool = {                                                                                                     \
            .nd = 2,                                                                                                  \
            .kernel = {k, k},                                                                                         \
            .stride = {s, s},                                                                                         \
            .dilation = {1, 1},                                                                                       \
            .pad_lo = {pad, pad},                                                                                     \
            .pad_hi = {pad, pad},                                                                                     \
            .size = {in, in},                                                                                         \
        },                                                                                                            \
    }
#define SLOPE(op) {.actdx = {.of = op}}
#define REDUCE(mask) {.reduce = {.axes = mask, .keepdims = true}}
#define IMAGE(c, side) LM_SHAPE(1, c, side, side)
#define TOKENS(width) LM_SHAPE(1, 197, width)
#define HEADS LM_SHAPE(1, 12, 197, 197)

static size_t bytes_of(const lm_shape *s)
{
    return (size_t)lm_shape_count(s) * sizeof(float);
}

static void beside_stream(const char *group, const signal_row *r, int batch)
{
    char text[64];
    lm_shape x[3], y = r->y;
    size_t in = 0;
    lm_attrs a = r->a;
    y.dim[0] *= batch;
    for (int i = 0; i < r->nx; i++) {
        x[i] = r->x[i];
        x[i].dim[0] *= r->fixed >> i & 1 ? 1 : batch;
        in += bytes_of(&x[i]);
    }
    in += r->op == LM_OP_MAXPOOL_DX ? bytes_of(&x[1]) : 0; /* places have eight bytes */
    if (r->op == LM_OP_EXPAND)
        a.shape.shape = y;
    snprintf(text, sizeof text, "%d x %s", batch, r->text);
    bench_beside_stream(group, text, ours_op(bench.device, r->op, &a, r->nx, x, &y, r->nhwc), in, bytes_of(&y), 0);
}

void bench_signals(const char *group)
{
    const signal_row rows[] = {
        {"relu mask 256 @56", LM_OP_ACT_DX, SLOPE(LM_OP_RELU),
         2, {IMAGE(256, 56), IMAGE(256, 56)}, IMAGE(256, 56), true, 0},
        {"relu mask 64 @224", LM_OP_ACT_DX, SLOPE(LM_OP_RELU),
         2, {IMAGE(64, 224), IMAGE(64, 224)}, IMAGE(64, 224), true, 0},
        {"relu mask 64 @224, one image's", LM_OP_ACT_DX, SLOPE(LM_OP_RELU),
         2, {IMAGE(64, 224), IMAGE(64, 224)}, IMAGE(64, 224), true, 2},
        {"sum of two 256 @56", LM_OP_ADD, {{0}}, 2, {IMAGE(256, 56), IMAGE(256, 56)}, IMAGE(256, 56), true, 0},
        {"product 256 @56, one image's", LM_OP_MUL, {{0}},
         2, {IMAGE(256, 56), IMAGE(256, 56)}, IMAGE(256, 56), true, 2},
        {"quotient 256 @56", LM_OP_DIV, {{0}}, 2, {IMAGE(256, 56), IMAGE(256, 56)}, IMAGE(256, 56), true, 0},
        {"where positive 256 @56", LM_OP_MAX, {{0}}, 2, {IMAGE(256, 56), LM_SHAPE(1)}, IMAGE(256, 56), true, 2},
        {"product by channel 256 @56", LM_OP_MUL, {{0}},
         2, {IMAGE(256, 56), LM_SHAPE(1, 256, 1, 1)}, IMAGE(256, 56), true, 2},
        {"product by pixel 256 @56", LM_OP_MUL, {{0}},
         2, {IMAGE(256, 56), LM_SHAPE(1, 1, 56, 56)}, IMAGE(256, 56), true, 0},
        {"max pool 3x3/2 64 @112", LM_OP_MAXPOOL_DX, POOL(3, 2, 1, 112),
         2, {IMAGE(64, 56), IMAGE(64, 56)}, IMAGE(64, 112), true, 0},
        {"max pool 2x2/2 64 @224", LM_OP_MAXPOOL_DX, POOL(2, 2, 0, 224),
         2, {IMAGE(64, 112), IMAGE(64, 112)}, IMAGE(64, 224), true, 0},
        {"max pool 2x2/2 512 @28", LM_OP_MAXPOOL_DX, POOL(2, 2, 0, 28),
         2, {IMAGE(512, 14), IMAGE(512, 14)}, IMAGE(512, 28), true, 0},
        {"average pool 2x2/2 128 @56", LM_OP_AVGPOOL_DX, POOL(2, 2, 0, 56),
         1, {IMAGE(128, 28)}, IMAGE(128, 56), true, 0},
        {"average pool 3x3/1 192 @28", LM_OP_AVGPOOL_DX, POOL(3, 1, 1, 28),
         1, {IMAGE(192, 28)}, IMAGE(192, 28), true, 0},
        {"spread 2048 @1 to 7", LM_OP_EXPAND, {{0}}, 1, {IMAGE(2048, 1)}, IMAGE(2048, 7), true, 0},
        {"mean 2048 @7", LM_OP_REDUCE_MEAN, REDUCE(12), 1, {IMAGE(2048, 7)}, IMAGE(2048, 1), true, 0},
        {"sum over channels 2048 @7", LM_OP_REDUCE_SUM, REDUCE(2), 1, {IMAGE(2048, 7)}, IMAGE(1, 7), true, 0},
        {"sum of 3 @224, rows", LM_OP_REDUCE_SUM, REDUCE(14), 1, {IMAGE(3, 224)}, IMAGE(1, 1), false, 0},
        {"sum of 3 @224", LM_OP_REDUCE_SUM, REDUCE(14), 1, {IMAGE(3, 224)}, IMAGE(1, 1), true, 0},
        {"sum of 256 @56", LM_OP_REDUCE_SUM, REDUCE(14), 1, {IMAGE(256, 56)}, IMAGE(1, 1), true, 0},
        {"sum over pixels 256 @56", LM_OP_REDUCE_SUM, REDUCE(12), 1, {IMAGE(256, 56)}, IMAGE(256, 1), true, 0},
        {"softmax of 12 heads", LM_OP_SOFTMAX_DX, {.axis = {.axis = 3}}, 2, {HEADS, HEADS}, HEADS, false, 0},
        {"gelu 3072", LM_OP_ACT_DX, SLOPE(LM_OP_GELU), 2, {TOKENS(3072), TOKENS(3072)}, TOKENS(3072), false, 0},
        {"product by column 768", LM_OP_MUL, {{0}}, 2, {TOKENS(768), LM_SHAPE(768)}, TOKENS(768), false, 2},
        {"product by row 768", LM_OP_MUL, {{0}}, 2, {TOKENS(768), TOKENS(1)}, TOKENS(768), false, 0},
        {"sum over rows 768", LM_OP_REDUCE_SUM, REDUCE(4), 1, {TOKENS(768)}, TOKENS(1), false, 0},
        {"mean of rows 768", LM_OP_REDUCE_MEAN, REDUCE(4), 1, {TOKENS(768)}, TOKENS(1), false, 0},
        {"heads last", LM_OP_TRANSPOSE, {.perm = {{0, 2, 1, 3}}},
         1, {LM_SHAPE(1, 12, 197, 64)}, LM_SHAPE(1, 197, 12, 64), false, 0},
    };
    for (size_t i = 0; i < LM_COUNT(rows); i++)
        for (int batch = 1; batch <= 8; batch += 7)
            beside_stream(group, &rows[i], batch);
    printf("\n");
}
