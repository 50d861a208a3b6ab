/* Small models, made by calls, that are asked questions as the library asks them. */
#ifndef LM_TEST_EXPLAIN_SMALL_H
#define LM_TEST_EXPLAIN_SMALL_H

#include "core/explain/explain.h"
#include "core/model/onnx_build.h"
#include "tests/unit/test.h"

/* A model with its file's bytes, which it borrows, and a study of it. */
typedef struct small {
    lm_str bytes;
    lm_model *m;
    lm_chain chain;
    lm_shared *shared;
    lm_session *session;
    lm_study *study;
} small;

static inline void small_close(small *s)
{
    lm_study_close(s->study);
    lm_session_close(s->session);
    lm_shared_close(s->shared);
    lm_model_close(s->m);
    lm_chain_close(&s->chain);
    lm_str_free(&s->bytes);
    memset(s, 0, sizeof *s);
}

static inline lm_status small_start(const char *device, small *s)
{
    LM_TRY(lm_model_open_bytes(lm_str_text(&s->bytes), s->bytes.count, NULL, &s->m));
    LM_TRY(lm_chain_open(device, &s->chain));
    LM_TRY(lm_shared_open(s->m, &s->chain, &s->shared));
    const lm_session_options options = {.shared = s->shared};
    LM_TRY(lm_session_open(s->m, &s->chain, &options, &s->session));
    return lm_study_open(s->shared, &s->chain, &s->study);
}

/* Takes over what was built. Close it in any case. */
static inline lm_status small_open(onnx_build *b, const char *device, small *out)
{
    memset(out, 0, sizeof *out);
    LM_TRY(onnx_build_end(b, &out->bytes));
    return small_start(device, out);
}

/* Ask about one input, all samples of it. */
static inline lm_status small_ask(small *s, const char *input, const lm_view *x, const lm_question *q, lm_answer *out)
{
    const lm_named feed = {input, *x};
    lm_view y[4];
    int outputs;
    lm_model_outputs(s->m, &outputs);
    memset(out, 0, sizeof *out);
    LM_REQUIRE(outputs <= 4, LM_USAGE, "too many outputs");
    LM_TRY(lm_session_run(s->session, &feed, 1, NULL, outputs, y, NULL));
    lm_status status = lm_explain(s->study, &feed, 1, 0, &y[0], q, out);
    for (int i = 0; i < outputs; i++)
        lm_buffer_unref(y[i].buf);
    return status;
}

static inline lm_status small_view(lm_shape sh, const double *value, lm_view *out)
{
    LM_TRY(lm_view_new(LM_F32, &sh, out));
    for (int64_t i = 0, n = lm_shape_count(&sh); i < n; i++)
        lm_view_set(out, i, value[i]);
    return LM_OK;
}

/* Numbers between -1 and 1 that repeat with no short period. */
static inline double small_number(int64_t i)
{
    return 2 * fmod(0.7548776662466927 * (double)(i + 1), 1.0) - 1;
}

static inline lm_status small_numbers(lm_shape sh, int64_t first, lm_view *out)
{
    LM_TRY(lm_view_new(LM_F32, &sh, out));
    for (int64_t i = 0, n = lm_shape_count(&sh); i < n; i++)
        lm_view_set(out, i, small_number(first + i));
    return LM_OK;
}

static inline void small_weight(onnx_build *b, const char *name, lm_shape sh, int64_t first)
{
    lm_view v;
    if (b->status == LM_OK && (b->status = small_numbers(sh, first, &v)) == LM_OK) {
        onnx_build_const(b, name, &v);
        lm_buffer_unref(v.buf);
    }
}

/* An image 0 ... 15, a convolution of ones with two channels, and four equal outputs. */
static inline void small_windows(small *s, lm_view *x)
{
    static const float w[8] = {1, 1, 1, 1, 1, -1, -1, -1};
    float ones[18], dense[32];
    double pixel[16];
    onnx_build b = {0};
    for (int i = 0; i < 18; i++)
        ones[i] = 1;
    for (int i = 0; i < 32; i++)
        dense[i] = w[i % 8];
    for (int i = 0; i < 16; i++)
        pixel[i] = i;
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 4, (int64_t[]){1, 1, 4, 4});
    onnx_build_floats(&b, "k", 4, (int64_t[]){2, 1, 3, 3}, ones);
    onnx_build_floats(&b, "kb", 1, (int64_t[]){2}, (float[]){-50, -75});
    onnx_build_floats(&b, "w", 2, (int64_t[]){4, 8}, dense);
    onnx_build_node(&b, "Conv", "x k kb", "c");
    onnx_build_node(&b, "Relu", "c", "r");
    onnx_build_node(&b, "Flatten", "r", "f");
    onnx_build_attr_int(&b, onnx_build_node(&b, "Gemm", "f w", "g"), "transB", 1);
    onnx_build_node(&b, "Relu", "g", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 4});
    CHECK_OK(small_open(&b, NULL, s));
    CHECK_OK(small_view(LM_SHAPE(1, 1, 4, 4), pixel, x));
}

static inline bool small_is(const lm_view *v, lm_shape sh, const double *wanted, double tolerance)
{
    char got[LM_SHAPE_TEXT], asked[LM_SHAPE_TEXT];
    bool good = lm_shape_equal(&v->sh, &sh);
    if (!good)
        printf("got %s, wanted %s\n", lm_shape_text(&v->sh, got), lm_shape_text(&sh, asked));
    for (int64_t i = 0, n = lm_shape_count(&sh); good && i < n; i++)
        if (!(fabs(lm_view_get(v, i) - wanted[i]) <= tolerance)) {
            printf("element %lld: got %.17g, wanted %.17g\n", (long long)i, lm_view_get(v, i), wanted[i]);
            good = false;
        }
    return good;
}

#endif
