/* Nets that several tests ask about, and how they are asked. */
#ifndef LM_TEST_EXPLAIN_NETS_H
#define LM_TEST_EXPLAIN_NETS_H

#include "tests/explain/small.h"

/* y = x W + b with W [n, m] row by row, for a free batch. */
static inline void open_dense(small *s, int64_t n, int64_t m, const float *w, const float *bias)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){-1, n});
    onnx_build_floats(&b, "w", 2, (int64_t[]){n, m}, w);
    if (bias)
        onnx_build_floats(&b, "b", 1, (int64_t[]){m}, bias);
    onnx_build_node(&b, "Gemm", bias ? "x w b" : "x w", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, m});
    CHECK_OK(small_open(&b, NULL, s));
}

/* x[batch, 4] -> 5 -> relu -> 3, softmax behind it. */
static inline void open_mlp(small *s)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){-1, 4});
    small_weight(&b, "w1", LM_SHAPE(4, 5), 1);
    small_weight(&b, "b1", LM_SHAPE(5), 40);
    small_weight(&b, "w2", LM_SHAPE(5, 3), 50);
    onnx_build_node(&b, "Gemm", "x w1 b1", "h");
    onnx_build_node(&b, "Relu", "h", "r");
    onnx_build_node(&b, "Gemm", "r w2", "z");
    onnx_build_attr_int(&b, onnx_build_node(&b, "Softmax", "z", "p"), "axis", -1);
    onnx_build_output(&b, "p", LM_F32, 2, (int64_t[]){-1, 3});
    CHECK_OK(small_open(&b, NULL, s));
}

static inline void expect(small *s, const lm_view *x, const lm_question *q, lm_shape sh, const double *wanted,
                          double tolerance)
{
    lm_answer a;
    if (!CHECK_OK(small_ask(s, "x", x, q, &a)))
        return;
    if (CHECK_INT(a.rows.count, 1) && !CHECK(small_is(&a.rows.at[0].values, sh, wanted, tolerance)))
        printf("%s, target %s, baseline %s\n", q->method, q->target ? q->target : "-", q->baseline ? q->baseline : "-");
    lm_answer_free(&a);
}

static inline void refuse(small *s, const lm_view *x, const lm_question *q, lm_status status, const char *says)
{
    lm_answer a;
    if (CHECK_FAILS(small_ask(s, "x", x, q, &a), status) && !CHECK(strstr(lm_message(), says) != NULL))
        printf("%s\n", lm_message());
}

#endif
