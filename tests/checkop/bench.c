/* bench: a few shapes that matter through the harness's lanes, packed constants warm. Each figure is the median of
 * repeats that take turns over the lanes, so that a noisy moment hits all of them alike. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/json.h"
#include "core/run/exec.h"
#include "tests/checkop/harness.h"

enum { REPEATS = 9 };

#define SQ(g, k, s, p, ...)                                                                                            \
    {                                                                                                                  \
        .conv = {                                                                                                      \
            .nd = 2,                                                                                                   \
            .groups = g,                                                                                               \
            .kernel = {k, k},                                                                                          \
            .stride = {s, s},                                                                                          \
            .dilation = {1, 1},                                                                                        \
            .pad_lo = {p, p},                                                                                          \
            .pad_hi = {p, p},                                                                                          \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
#define IMAGE .layouts = CK_BIT(CK_NHWC)

static const ck_row rows[] = {
    {.op = LM_OP_MATMUL, .label = "512", .x = {"512,512", "512,512"}, .constant = 2},
    {.op = LM_OP_MATMUL, .label = "bert", .x = {"128,768", "768,3072", "3072"}, .constant = 6},
    {.op = LM_OP_MATMUL, .label = "row", .x = {"1,1024", "1024,4096"}, .constant = 2},
    {.op = LM_OP_CONV,
     .label = "3x3_56",
     .x = {"1,64,56,56", "64,64,3,3", "64"},
     .a = SQ(1, 3, 1, 1, .size = {0}),
     .constant = 6,
     IMAGE},
    {.op = LM_OP_CONV,
     .label = "3x3_14",
     .x = {"1,256,14,14", "256,256,3,3", "256"},
     .a = SQ(1, 3, 1, 1, .size = {0}),
     .constant = 6,
     IMAGE},
    {.op = LM_OP_CONV,
     .label = "1x1_28",
     .x = {"1,512,28,28", "128,512,1,1", "128"},
     .a = SQ(1, 1, 1, 0, .size = {0}),
     .constant = 6,
     IMAGE},
    {.op = LM_OP_CONV,
     .label = "7x7_224",
     .x = {"1,3,224,224", "64,3,7,7", "64"},
     .a = SQ(1, 7, 2, 3, .size = {0}),
     .constant = 6,
     IMAGE},
    {.op = LM_OP_CONV,
     .label = "depthwise",
     .x = {"1,144,56,56", "144,1,3,3", "144"},
     .a = SQ(144, 3, 1, 1, .size = {0}),
     .constant = 6,
     IMAGE},
    {.op = LM_OP_CONV_T,
     .label = "3x3_28",
     .x = {"1,128,28,28", "128,128,3,3"},
     .a = SQ(1, 3, 1, 1, .size = {28, 28}),
     .constant = 2,
     IMAGE},
    {.op = LM_OP_CONV_DW,
     .label = "3x3_28",
     .x = {"1,128,28,28", "1,128,28,28"},
     .a = SQ(1, 3, 1, 1, .size = {0}),
     IMAGE},
    {.op = LM_OP_MAXPOOL,
     .label = "3x3_112",
     .x = {"1,64,112,112"},
     .a = {.pool =
               {.nd = 2, .kernel = {3, 3}, .stride = {2, 2}, .dilation = {1, 1}, .pad_lo = {1, 1}, .pad_hi = {1, 1}}},
     IMAGE},
    {.op = LM_OP_RELU, .label = "4M", .x = {"4194304"}},
    {.op = LM_OP_GELU, .label = "1M", .x = {"1048576"}},
    {.op = LM_OP_EXP, .label = "1M", .x = {"1048576"}},
    {.op = LM_OP_ADD, .label = "4M", .x = {"4194304", "4194304"}},
    {.op = LM_OP_SOFTMAX, .label = "rows", .x = {"1536,128"}, .a = {.axis = {.axis = 1}}},
    {.op = LM_OP_LAYERNORM,
     .label = "rows",
     .x = {"512,768", "768", "768"},
     .a = {.norm = {.axis = 1, .epsilon = 1e-5f}},
     .constant = 6},
    {.op = LM_OP_REDUCE_SUM, .label = "4M", .x = {"4194304"}, .a = {.reduce = {.axes = 1}}},
    {.op = LM_OP_TRANSPOSE, .label = "2k", .x = {"2048,2048"}, .a = {.perm = {{1, 0}}}},
};

typedef struct bench {
    ck_case c;
    ck_tensor x[CK_X];
    lm_buffer *wrap[CK_X], *made[CK_X];
    lm_view view[CK_X + CK_Y];
    lm_exec *exec[CK_LANES];
    double seconds[CK_LANES][REPEATS];
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Channels-last where the row says so, for all operands that are no constants. */
static bool prepare(bench *b, const ck_row *row)
{
    bool image = row->layouts & CK_BIT(CK_NHWC);
    lm_type y[CK_Y];
    ck_row_case(row, &b->c);
    ck_inputs(&b->c, b->x);
    ck_call call = {.op = b->c.op, .a = &b->c.a, .nx = b->c.nx, .ny = b->c.ny, .x = b->x};
    if (ck_infer(&call, y) != LM_OK)
        return false;
    for (int i = 0; i < b->c.nx; i++) {
        if (lm_buffer_wrap(b->x[i].bytes, (size_t)b->x[i].n * lm_dtype_size(b->x[i].dt), &b->wrap[i]) != LM_OK)
            return false;
        b->view[i] = lm_view_row(b->x[i].dt, &b->x[i].sh, b->wrap[i]);
        if (image && !(row->constant >> i & 1)) {
            lm_view from = b->view[i];
            if (lm_buffer_new(b->wrap[i]->bytes, &b->made[i]) != LM_OK)
                return false;
            b->view[i] = lm_view_nhwc(from.dt, &from.sh, b->made[i]);
            if (lm_view_copy(&b->view[i], &from) != LM_OK)
                return false;
        }
    }
    for (int i = 0; i < b->c.ny; i++)
        b->view[b->c.nx + i] = image && b->c.op != LM_OP_CONV_DW ? lm_view_nhwc(y[i].dt, &y[i].sh, NULL)
                                                                 : lm_view_row(y[i].dt, &y[i].sh, NULL);
    return true;
}

static void measure(bench *b)
{
    lm_call call = {.op = b->c.op,
                    .a = &b->c.a,
                    .nx = b->c.nx,
                    .ny = b->c.ny,
                    .x = b->view,
                    .y = b->view + b->c.nx,
                    .constant = b->c.row->constant};
    for (int i = 0; i < ck_lane_count; i++) {
        const ck_lane *lane = &ck_lane_list[i];
        if (lane->reference && !ck_opt.device)
            continue;
        if (lm_exec_open(&lane->chain, &call, &b->exec[i]) != LM_OK)
            b->exec[i] = NULL;
        else if (lm_exec_run(b->exec[i]) != LM_OK || lm_exec_launch(b->exec[i]) != LM_OK) {
            lm_exec_close(b->exec[i]);
            b->exec[i] = NULL;
        }
    }
    for (int r = 0; r < REPEATS; r++)
        for (int i = 0; i < ck_lane_count; i++) {
            double start = now(), end = start;
            int n = 0;
            if (!b->exec[i])
                continue;
            for (; n < 1 || end - start < 2e-3; n++, end = now())
                if (lm_exec_launch(b->exec[i]) != LM_OK)
                    break;
            b->seconds[i][r] = (end - start) / (n ? n : 1);
        }
}

static void print(bench *b, lm_json *json)
{
    for (int i = 0; i < ck_lane_count; i++) {
        if (!b->exec[i])
            continue;
        const lm_kernel *k = lm_exec_facts(b->exec[i]);
        qsort(b->seconds[i], REPEATS, sizeof b->seconds[i][0], by_value);
        double s = b->seconds[i][REPEATS / 2], gflops = k ? k->flops / s * 1e-9 : 0, gbps = k ? k->bytes / s * 1e-9 : 0;
        if (!json) {
            printf("%-24s %-28s %9.4f ms %8.1f GFLOP/s %7.1f GB/s  %s%s\n", b->c.name, ck_lane_list[i].spec, s * 1e3,
                   gflops, gbps, lm_exec_kernel(b->exec[i]), lm_exec_fallbacks(b->exec[i]) ? " (fallback)" : "");
            continue;
        }
        lm_json_object(json);
        lm_json_key(json, "name");
        lm_json_string(json, b->c.name);
        lm_json_key(json, "device");
        lm_json_string(json, ck_lane_list[i].spec);
        lm_json_key(json, "kernel");
        lm_json_string(json, lm_exec_kernel(b->exec[i]));
        lm_json_key(json, "ms");
        lm_json_number(json, s * 1e3);
        lm_json_key(json, "gflops");
        lm_json_number(json, gflops);
        lm_json_key(json, "gbps");
        lm_json_number(json, gbps);
        lm_json_key(json, "fallbacks");
        lm_json_int(json, lm_exec_fallbacks(b->exec[i]));
        lm_json_end_object(json);
    }
}

void ck_bench(void)
{
    lm_str text = {0};
    lm_json json;
    lm_json_start(&json, &text);
    lm_json_array(&json);
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        bench *b = calloc(1, sizeof *b);
        if (!b)
            break;
        if (!ck_opt.op || !strcmp(ck_opt.op, lm_ops[rows[r].op].id)) {
            if (prepare(b, &rows[r])) {
                measure(b);
                print(b, ck_opt.json ? &json : NULL);
            } else
                fprintf(stderr, "checkop: %s: %s\n", b->c.name, lm_message());
        }
        for (int i = 0; i < ck_lane_count; i++)
            if (b->exec[i])
                lm_exec_close(b->exec[i]);
        for (int i = 0; i < CK_X; i++) {
            lm_buffer_unref(b->wrap[i]);
            lm_buffer_unref(b->made[i]);
            ck_tensor_free(&b->x[i]);
        }
        free(b);
    }
    lm_json_end_array(&json);
    if (ck_opt.json)
        printf("%s\n", lm_str_text(&text));
    lm_str_free(&text);
}
