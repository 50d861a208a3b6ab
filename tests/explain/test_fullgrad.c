/* fullgrad: its parts sum to the target where the net is linear piece by piece, and lie where they act. */
#include "tests/explain/small.h"

/* A net that is linear piece by piece, with every kind of bias; `smooth`: and one op that is not. */
static lm_status open_biased(bool smooth, small *out)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 4, (int64_t[]){1, 2, 7, 9});
    small_weight(&b, "k", LM_SHAPE(4, 2, 3, 3), 0);
    small_weight(&b, "kb", LM_SHAPE(4), 90);
    for (int i = 0; i < 3; i++)
        small_weight(&b, (const char *[]){"scale", "shift", "mean"}[i], LM_SHAPE(4), 100 + 4 * i);
    onnx_build_floats(&b, "variance", 1, (int64_t[]){4}, (float[]){0.5F, 1, 2, 0.25F});
    small_weight(&b, "add", LM_SHAPE(4, 1, 1), 120);
    small_weight(&b, "less", LM_SHAPE(1), 130);
    small_weight(&b, "from", LM_SHAPE(1, 4, 7, 9), 140);
    small_weight(&b, "w", LM_SHAPE(3 * 4 * 4, 3), 400);
    small_weight(&b, "wb", LM_SHAPE(3), 600);
    onnx_node *conv = onnx_build_node(&b, "Conv", "x k kb", "c");
    onnx_build_attr_ints(&b, conv, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_build_node(&b, "BatchNormalization", "c scale shift mean variance", "n");
    onnx_build_node(&b, smooth ? "Softplus" : "Relu", "n", "r");
    onnx_build_node(&b, "Add", "r add", "a");
    onnx_build_node(&b, "Sub", "a less", "s");
    onnx_build_node(&b, "Sub", "from s", "d");
    onnx_node *pool = onnx_build_node(&b, "MaxPool", "d", "p");
    onnx_build_attr_ints(&b, pool, "kernel_shape", 2, (int64_t[]){2, 2});
    onnx_build_attr_ints(&b, pool, "strides", 2, (int64_t[]){2, 2});
    onnx_build_node(&b, "Flatten", "p", "f");
    onnx_build_attr_float(&b, onnx_build_node(&b, "Gemm", "f w wb", "y"), "beta", 0.5F);
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 3});
    return small_open(&b, NULL, out);
}

static void biases_make_up_the_rest(void)
{
    for (int smooth = 0; smooth < 2; smooth++) {
        small s;
        lm_view x = {0};
        lm_answer a;
        CHECK_OK(open_biased(smooth, &s));
        CHECK_OK(small_numbers(LM_SHAPE(1, 2, 7, 9), 800, &x));
        lm_question q = {.method = "fullgrad", .target = "0,2"};
        if (CHECK_OK(small_ask(&s, "x", &x, &q, &a)) && CHECK_INT(a.rows.count, 2))
            for (int k = 0; k < 2; k++) {
                const lm_attribution *r = &a.rows.at[k];
                double sum = 0;
                CHECK_INT(lm_shape_count(&r->values.sh), 63);
                for (int i = 0; i < 63; i++)
                    sum += lm_view_get(&r->values, i);
                CHECK(fabs(r->goal[0].value) > 0.1);
                CHECK((fabs(sum - r->goal[0].value) < 1e-5) == !smooth);
                CHECK((r->certificate[0].gap_abs < 1e-5) == !smooth);
            }
        lm_answer_free(&a);
        lm_buffer_unref(x.buf);
        small_close(&s);
    }
}

/* A bias behind a stride of two: each of its contributions is shared out over the pixels around it. */
static void biases_lie_where_they_act(void)
{
    onnx_build b = {0};
    small s;
    lm_view x = {0};
    double zeros[16] = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 4, (int64_t[]){1, 1, 4, 4});
    onnx_build_floats(&b, "k", 4, (int64_t[]){1, 1, 1, 1}, (float[]){3});
    onnx_build_floats(&b, "kb", 1, (int64_t[]){1}, (float[]){2});
    onnx_build_floats(&b, "w", 2, (int64_t[]){4, 1}, (float[]){8, 0, 0, -4});
    onnx_build_attr_ints(&b, onnx_build_node(&b, "Conv", "x k kb", "c"), "strides", 2, (int64_t[]){2, 2});
    onnx_build_node(&b, "Flatten", "c", "f");
    onnx_build_node(&b, "Gemm", "f w", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 1});
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_view(LM_SHAPE(1, 1, 4, 4), zeros, &x));
    double wanted[16];
    const double part[4] = {1, 0.75, 0.25, 0}; /* of the first cell, by pixel; cells are two pixels wide */
    for (int i = 0; i < 16; i++)
        wanted[i] = (16 * part[i / 4] * part[i % 4] - 8 * part[3 - i / 4] * part[3 - i % 4]) / 4;
    lm_answer a;
    lm_question q = {.method = "fullgrad", .target = "0"};
    if (CHECK_OK(small_ask(&s, "x", &x, &q, &a)))
        CHECK(small_is(&a.rows.at[0].values, LM_SHAPE(1, 1, 4, 4), wanted, 1e-6));
    lm_answer_free(&a);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

int main(void)
{
    CASE(biases_make_up_the_rest);
    CASE(biases_lie_where_they_act);
    return test_end();
}
