/* Questions in one line, and a small net to ask them of. */
#ifndef LM_TEST_EXPLAIN_ASKING_H
#define LM_TEST_EXPLAIN_ASKING_H

#include "tests/explain/small.h"

enum { ASKING_OPTIONS = 8 };

/* Ask for one method with options "steps=3 quadrature=left". */
typedef struct asking {
    lm_question q;
    lm_setting setting[ASKING_OPTIONS];
    char text[256];
} asking;

static inline lm_question *ask(asking *a, const char *method, const char *options)
{
    *a = (asking){.q = {.method = method, .target = "0"}};
    snprintf(a->text, sizeof a->text, "%s", options);
    a->q.setting = a->setting;
    for (char *word = strtok(a->text, " "); word && a->q.settings < ASKING_OPTIONS; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        a->setting[a->q.settings++] = (lm_setting){word, value};
    }
    return &a->q;
}

static inline bool expect(small *s, const lm_view *x, const lm_question *q, lm_shape sh, const double *wanted,
                          double tolerance)
{
    lm_answer a;
    bool good = CHECK_OK(small_ask(s, "x", x, q, &a)) && CHECK_INT(a.rows.count, 1) &&
                CHECK(small_is(&a.rows.at[0].values, sh, wanted, tolerance));
    if (!good)
        printf("%s at %s\n", q->method, q->layer ? q->layer : "the input");
    lm_answer_free(&a);
    return good;
}

static inline void refuse(small *s, const lm_view *x, const lm_question *q, lm_status status, const char *says)
{
    lm_answer a;
    if (CHECK_FAILS(small_ask(s, "x", x, q, &a), status) && !CHECK(strstr(lm_message(), says) != NULL))
        printf("%s\n", lm_message());
    lm_answer_free(&a);
}

/* The certificate of the first result, and its sum. */
static inline lm_certificate certificate(small *s, const lm_view *x, const lm_question *q, double *sum)
{
    lm_answer a;
    lm_certificate c = {.gap_abs = NAN, .residual = NAN, .stderr_mean = NAN};
    *sum = NAN;
    if (CHECK_OK(small_ask(s, "x", x, q, &a))) {
        const lm_view *v = &a.rows.at[0].values;
        c = a.rows.at[0].certificate[0];
        *sum = 0;
        for (int64_t i = 0, n = lm_shape_count(&v->sh); i < n; i++)
            *sum += lm_view_get(v, i);
    }
    lm_answer_free(&a);
    return c;
}

static inline void open_built(onnx_build *b, const char *device, int64_t outputs, small *s)
{
    onnx_build_output(b, "y", LM_F32, 2, (int64_t[]){-1, outputs});
    CHECK_OK(small_open(b, device, s));
}

/* A small convolutional net of two outputs for images of 3 x 8 x 8. */
typedef struct net {
    bool smooth; /* tanh in place of relu */
    bool twice;  /* the image is also used elsewhere, to no effect */
    bool last;   /* channels last */
} net;

static inline void build_net(onnx_build *b, net k)
{
    const char *act = k.smooth ? "Tanh" : "Relu";
    const int64_t first[] = {-1, 3, 8, 8}, last[] = {-1, 8, 8, 3};
    *b = (onnx_build){0};
    onnx_build_start(b, 17);
    onnx_build_input(b, "x", LM_F32, 4, k.last ? last : first);
    small_weight(b, "k", LM_SHAPE(4, 3, 3, 3), 7);
    small_weight(b, "kb", LM_SHAPE(4), 900);
    small_weight(b, "w", LM_SHAPE(64, 6), 1000);
    small_weight(b, "wb", LM_SHAPE(6), 2000);
    small_weight(b, "v", LM_SHAPE(6, 2), 3000);
    if (k.last)
        onnx_build_attr_ints(b, onnx_build_node(b, "Transpose", "x", "t"), "perm", 4, (int64_t[]){0, 3, 1, 2});
    onnx_node *conv = onnx_build_node(b, "Conv", k.last ? "t k kb" : "x k kb", "c");
    onnx_build_attr_ints(b, conv, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_build_node(b, act, "c", "r");
    onnx_node *pool = onnx_build_node(b, "AveragePool", "r", "p");
    onnx_build_attr_ints(b, pool, "kernel_shape", 2, (int64_t[]){2, 2});
    onnx_build_attr_ints(b, pool, "strides", 2, (int64_t[]){2, 2});
    onnx_build_node(b, "Flatten", "p", "f");
    onnx_build_node(b, "Gemm", "f w wb", "g");
    onnx_build_node(b, act, "g", "h");
    onnx_build_node(b, "MatMul", "h v", k.twice ? "z" : "y");
    if (!k.twice)
        return;
    float nothing[2 * 192] = {0};
    onnx_build_floats(b, "nothing", 2, (int64_t[]){192, 2}, nothing);
    onnx_build_node(b, "Flatten", "x", "flat");
    onnx_build_node(b, "MatMul", "flat nothing", "zero");
    onnx_build_node(b, "Add", "z zero", "y");
}

static inline void open_net(const char *device, net k, small *s, lm_view *x)
{
    onnx_build b;
    build_net(&b, k);
    open_built(&b, device, 2, s);
    CHECK_OK(small_numbers(k.last ? LM_SHAPE(1, 8, 8, 3) : LM_SHAPE(1, 3, 8, 8), 50, x));
}

#endif
