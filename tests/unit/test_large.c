/* Kernels store results past the caches when the last cache cannot hold them. Here the machine claims to have hardly
 * any, so that small operands go that way too: same bits, wherever a row or a block ends. */
#include "backends/cpu/cpu.h"
#include "core/device/chain.h"
#include "tests/unit/test.h"

#include <stdlib.h>

enum { X = 3 };

typedef struct row {
    lm_opid op;
    lm_attrs a;
    int nx;
    lm_shape x[X], y;
    bool nhwc;
} row;

#define POOL(k, s, pad)                                                                                                \
    {.pool = {.nd = 2, .kernel = {k, k}, .stride = {s, s}, .dilation = {1, 1}, .pad_lo = {pad, pad},                   \
              .pad_hi = {pad, pad}}}
#define NORM {.norm = {.axis = 1, .epsilon = 1e-5f}}
#define PERM(...) {.perm = {{__VA_ARGS__}}}
#define IMAGE(c) LM_SHAPE(2, c, 18, 20)

/* Both zeros and a few sizes of everything; no two neighbours alike. */
static void fill(lm_view *v)
{
    float *p = lm_view_data(v);
    uint32_t r = 7;
    for (int64_t i = 0; i < lm_shape_count(&v->sh); i++) {
        r = r * 1664525u + 1013904223u;
        p[i] = r >> 28 == 0 ? -0.0f : (float)(int32_t)(r >> 8) / 8388608.0f - 1.0f;
    }
}

static lm_status compute(lm_device *dev, const row *r, lm_view *x, lm_view *y)
{
    lm_call call = {.op = r->op, .a = &r->a, .nx = r->nx, .ny = 1, .x = x, .y = y};
    lm_kernel *kernel;
    lm_arg arg[X + 1];
    lm_buffer *workspace = NULL;
    LM_TRY(dev->vt->bind(dev, &call, &kernel));
    for (int i = 0; i < r->nx; i++)
        arg[i] = (lm_arg){x[i].buf, x[i].off};
    arg[r->nx] = (lm_arg){y->buf, y->off};
    lm_status status = kernel->workspace ? lm_buffer_new(kernel->workspace, &workspace) : LM_OK;
    if (status == LM_OK)
        status = dev->vt->launch(dev, kernel, arg, workspace);
    lm_buffer_unref(workspace);
    kernel->free(kernel);
    return status;
}

static bool same_bits(lm_cpu *cpu, const lm_topo *machine, const lm_topo *tiny, const row *r)
{
    lm_view x[X], y[2];
    for (int i = 0; i < r->nx + 2; i++) {
        const lm_shape *sh = i < r->nx ? &r->x[i] : &r->y;
        lm_view *v = i < r->nx ? &x[i] : &y[i - r->nx];
        *v = r->nhwc ? lm_view_nhwc(LM_F32, sh, NULL) : lm_view_row(LM_F32, sh, NULL);
        CHECK_OK(lm_buffer_new((size_t)lm_shape_count(sh) * sizeof(float), &v->buf));
        fill(v);
    }
    for (int i = 0; i < 2; i++) {
        cpu->topo = i ? tiny : machine;
        CHECK_OK(compute(&cpu->dev, r, x, &y[i]));
    }
    cpu->topo = machine;
    const size_t bytes = (size_t)lm_shape_count(&r->y) * sizeof(float);
    bool same = memcmp(lm_view_data(&y[0]), lm_view_data(&y[1]), bytes) == 0;
    CHECK(same);
    for (int i = 0; i < r->nx + 2; i++)
        lm_buffer_unref(i < r->nx ? x[i].buf : y[i - r->nx].buf);
    return same;
}

static const char *spec;

static void past_the_caches(void)
{
    const row rows[] = {
        {LM_OP_RELU, {{0}}, 1, {LM_SHAPE(5, 3, 331)}, LM_SHAPE(5, 3, 331), false},
        {LM_OP_ADD, {{0}}, 2, {LM_SHAPE(9, 333), LM_SHAPE(9, 1)}, LM_SHAPE(9, 333), false},
        {LM_OP_MUL, {{0}}, 2, {LM_SHAPE(333), LM_SHAPE(16, 333)}, LM_SHAPE(16, 333), false},
        {LM_OP_SOFTMAX, {.axis = {.axis = 1}}, 1, {LM_SHAPE(9, 208)}, LM_SHAPE(9, 208), false},
        {LM_OP_SOFTMAX, {.axis = {.axis = 1}}, 1, {LM_SHAPE(9, 197)}, LM_SHAPE(9, 197), false},
        {LM_OP_LAYERNORM, NORM, 3, {LM_SHAPE(23, 208), LM_SHAPE(208), LM_SHAPE(208)}, LM_SHAPE(23, 208), false},
        {LM_OP_LAYERNORM, NORM, 3, {LM_SHAPE(23, 197), LM_SHAPE(197), LM_SHAPE(197)}, LM_SHAPE(23, 197), false},
        {LM_OP_RMSNORM, NORM, 2, {LM_SHAPE(23, 208), LM_SHAPE(208)}, LM_SHAPE(23, 208), false},
        {LM_OP_MAXPOOL, POOL(3, 2, 1), 1, {IMAGE(64)}, LM_SHAPE(2, 64, 9, 10), true},
        {LM_OP_MAXPOOL, POOL(2, 2, 0), 1, {IMAGE(67)}, LM_SHAPE(2, 67, 9, 10), true},
        {LM_OP_MAXPOOL, POOL(3, 1, 1), 1, {IMAGE(240)}, IMAGE(240), true},
        {LM_OP_AVGPOOL, POOL(3, 1, 1), 1, {IMAGE(80)}, IMAGE(80), true},
        {LM_OP_TRANSPOSE, PERM(0, 2, 1), 1, {LM_SHAPE(2, 64, 144)}, LM_SHAPE(2, 144, 64), false},
        {LM_OP_TRANSPOSE, PERM(0, 2, 1), 1, {LM_SHAPE(2, 144, 64)}, LM_SHAPE(2, 64, 144), false},
        {LM_OP_TRANSPOSE, PERM(0, 2, 1), 1, {LM_SHAPE(2, 37, 80)}, LM_SHAPE(2, 80, 37), false},
        {LM_OP_TRANSPOSE, PERM(0, 2, 1), 1, {LM_SHAPE(2, 304, 273)}, LM_SHAPE(2, 273, 304), false},
        {LM_OP_TRANSPOSE, PERM(1, 0), 1, {LM_SHAPE(560, 2100)}, LM_SHAPE(2100, 560), false},
        {LM_OP_TRANSPOSE, PERM(1, 0), 1, {LM_SHAPE(5, 16390)}, LM_SHAPE(16390, 5), false},
        {LM_OP_TRANSPOSE, PERM(2, 0, 1, 3), 1, {LM_SHAPE(3, 4, 5, 64)}, LM_SHAPE(5, 3, 4, 64), false},
        {LM_OP_TRANSPOSE, PERM(1, 0, 2), 1, {LM_SHAPE(7, 4, 67)}, LM_SHAPE(4, 7, 67), false},
    };
    lm_chain chain;
    CHECK_OK(lm_chain_open(spec, &chain));
    lm_cpu *cpu = (lm_cpu *)chain.dev[0];
    const lm_topo *machine = cpu->topo;
    lm_topo tiny = *machine;
    tiny.cache[LM_L3].bytes = 64;
    for (size_t i = 0; i < LM_COUNT(rows); i++)
        if (!same_bits(cpu, machine, &tiny, &rows[i]))
            printf("row %zu, %s\n", i, lm_ops[rows[i].op].name);
    lm_chain_close(&chain);
}

int main(void)
{
    for (lm_cpu_level l = LM_CPU_SCALAR; l < LM_CPU_LEVELS; l++) {
        char text[64];
        if (!lm_cpu_level_usable(l))
            continue;
        snprintf(text, sizeof text, "cpu:isa=%s:threads=2:bind=0", lm_cpu_level_name(l));
        spec = text;
        printf("%s\n", lm_cpu_level_name(l));
        CASE(past_the_caches);
    }
    return test_end();
}
