/* The table of what `limn bench` times, and how a row becomes a call. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"

const bench_case bench_cases[] = {
    {"gemm", LM_OP_MATMUL, {512, 512, 512}, false},
    {"gemm", LM_OP_MATMUL, {1024, 1024, 1024}, false},
    {"gemm", LM_OP_MATMUL, {128, 768, 3072}, false},
    {"conv", LM_OP_CONV, {3, 224, 64, 7, 2, 1}, false},
    {"conv", LM_OP_CONV, {64, 56, 64, 3, 1, 1}, false},
    {"conv", LM_OP_CONV, {256, 56, 64, 1, 1, 1}, false},
    {"conv", LM_OP_CONV, {512, 7, 512, 3, 1, 1}, false},
    {"conv_dx", LM_OP_CONV_T, {64, 56, 64, 3, 1, 1}, false},
    {"conv_dx", LM_OP_CONV_T, {128, 56, 128, 3, 2, 1}, false},
    {"conv_dw", LM_OP_CONV_DW, {64, 56, 64, 3, 1, 1}, false},
    {"conv_dw", LM_OP_CONV_DW, {256, 56, 64, 1, 1, 1}, false},
    {"depthwise", LM_OP_CONV, {144, 56, 144, 3, 1, 144}, true},
    {"depthwise", LM_OP_CONV, {144, 56, 144, 3, 2, 144}, true},
    {"softmax", LM_OP_SOFTMAX, {16384, 1024}, true},
    {"layernorm", LM_OP_LAYERNORM, {16384, 768}, true},
    {"pool", LM_OP_MAXPOOL, {64, 448, 3, 2}, true},
    {"elementwise", LM_OP_RELU, {4096, 4096}, true},
    {"elementwise", LM_OP_ADD, {4096, 4096}, true},
    {"gemv", LM_OP_MATMUL, {1, 4096, 4096}, true},
};
const int bench_case_count = LM_COUNT(bench_cases);

static lm_status operand(bench_call *b, lm_shape sh, bool nhwc, uint64_t seed)
{
    int i = b->call.nx;
    LM_TRY(lm_view_new(LM_F32, &sh, &b->x[i]));
    if (nhwc)
        b->x[i] = lm_view_nhwc(LM_F32, &sh, b->x[i].buf);
    b->call.nx++;
    float *v = lm_view_data(&b->x[i]);
    seed = lm_rng_fork(seed, (uint64_t)i);
    for (int64_t k = 0, n = lm_shape_count(&sh); k < n; k++)
        v[k] = 2 * lm_rng_f32(seed, (uint64_t)k) - 1;
    return LM_OK;
}

static lm_status make_matmul(const bench_case *c, uint64_t seed, bench_call *b)
{
    long long m = c->size[0], k = c->size[1], n = c->size[2];
    LM_TRY(operand(b, LM_SHAPE(m, k), false, seed));
    LM_TRY(operand(b, LM_SHAPE(k, n), false, seed));
    b->call.constant = 2;
    snprintf(b->shape, sizeof b->shape, "%lldx%lldx%lld", m, k, n);
    return LM_OK;
}

/* All three directions of one layer: its input x, its weights w and the signal at its output. */
static lm_status make_conv(const bench_case *c, uint64_t seed, bench_call *b)
{
    int64_t channels = c->size[0], side = c->size[1], filters = c->size[2], k = c->size[3], stride = c->size[4];
    int64_t groups = c->size[5], after = (side + k / 2 * 2 - k) / stride + 1;
    lm_attr_conv *a = &b->a.conv;
    a->nd = 2;
    a->groups = (int32_t)groups;
    for (int i = 0; i < 2; i++) {
        a->kernel[i] = k;
        a->stride[i] = stride;
        a->dilation[i] = 1;
        a->pad_lo[i] = a->pad_hi[i] = k / 2;
        a->size[i] = c->op == LM_OP_CONV_T ? side : 0;
    }
    lm_shape x = LM_SHAPE(1, channels, side, side), w = LM_SHAPE(filters, channels / groups, k, k);
    lm_shape signal = LM_SHAPE(1, filters, after, after);
    LM_TRY(operand(b, c->op == LM_OP_CONV_T ? signal : x, true, seed));
    LM_TRY(c->op == LM_OP_CONV_DW ? operand(b, signal, true, seed) : operand(b, w, false, seed));
    b->call.constant = c->op == LM_OP_CONV_DW ? 0 : 2;
    snprintf(b->shape, sizeof b->shape, "%lldx%lldx%lld -> %lld, %lldx%lld/%lld%s", (long long)channels, (long long)side,
             (long long)side, (long long)filters, (long long)k, (long long)k, (long long)stride, groups > 1 ? " dw" : "");
    return LM_OK;
}

static lm_status make_pool(const bench_case *c, uint64_t seed, bench_call *b)
{
    lm_attr_pool *a = &b->a.pool;
    a->nd = 2;
    for (int i = 0; i < 2; i++) {
        a->kernel[i] = c->size[2];
        a->stride[i] = c->size[3];
        a->dilation[i] = 1;
        a->pad_lo[i] = a->pad_hi[i] = c->size[2] / 2;
    }
    LM_TRY(operand(b, LM_SHAPE(1, c->size[0], c->size[1], c->size[1]), true, seed));
    snprintf(b->shape, sizeof b->shape, "%lldx%lldx%lld, max %lldx%lld/%lld", (long long)c->size[0], (long long)c->size[1],
             (long long)c->size[1], (long long)c->size[2], (long long)c->size[2], (long long)c->size[3]);
    return LM_OK;
}

static lm_status make_rows(const bench_case *c, uint64_t seed, bench_call *b)
{
    int64_t rows = c->size[0], columns = c->size[1];
    LM_TRY(operand(b, LM_SHAPE(rows, columns), false, seed));
    if (c->op == LM_OP_ADD)
        LM_TRY(operand(b, LM_SHAPE(rows, columns), false, seed));
    if (c->op == LM_OP_SOFTMAX)
        b->a.axis.axis = 1;
    if (c->op == LM_OP_LAYERNORM) {
        b->a.norm = (lm_attr_norm){.axis = 1, .epsilon = 1e-5f};
        LM_TRY(operand(b, LM_SHAPE(columns), false, seed));
        LM_TRY(operand(b, LM_SHAPE(columns), false, seed));
    }
    snprintf(b->shape, sizeof b->shape, "%s %lldx%lld", lm_ops[c->op].name, (long long)rows, (long long)columns);
    return LM_OK;
}

static lm_status make_operands(const bench_case *c, uint64_t seed, bench_call *b)
{
    switch (lm_ops[c->op].attrs) {
    case LM_ATTR_matmul: return make_matmul(c, seed, b);
    case LM_ATTR_conv: return make_conv(c, seed, b);
    case LM_ATTR_pool: return make_pool(c, seed, b);
    default: return make_rows(c, seed, b);
    }
}

lm_status bench_call_make(const bench_case *c, uint64_t seed, bench_call *out)
{
    memset(out, 0, sizeof *out);
    out->call = (lm_call){.op = c->op, .a = &out->a, .ny = 1, .x = out->x, .y = &out->y};
    LM_TRY(make_operands(c, seed, out));
    lm_type in[BENCH_INPUTS], y;
    for (int i = 0; i < out->call.nx; i++)
        in[i] = (lm_type){out->x[i].dt, out->x[i].sh};
    LM_TRY(lm_op_infer(&(lm_shape_args){.op = c->op, .a = &out->a, .nx = out->call.nx, .ny = 1, .x = in}, &y));
    bool image = y.sh.rank == 4 && c->op != LM_OP_CONV_DW;
    out->y = image ? lm_view_nhwc(y.dt, &y.sh, NULL) : lm_view_row(y.dt, &y.sh, NULL);
    return LM_OK;
}

void bench_call_drop(bench_call *b)
{
    for (int i = 0; i < b->call.nx; i++)
        lm_buffer_unref(b->x[i].buf);
    b->call.nx = 0;
}

void bench_call_traffic(const bench_call *b, size_t *in, size_t *out)
{
    *in = 0;
    for (int i = 0; i < b->call.nx; i++)
        *in += (size_t)lm_shape_count(&b->x[i].sh) * sizeof(float);
    *out = (size_t)lm_shape_count(&b->y.sh) * sizeof(float);
}
