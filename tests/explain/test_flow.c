/* Attention: products of hand-made matrices, gradients of them, and models that have none, or another kind. */
#include "tests/explain/small.h"

enum { T = 3, HEADS = 2, WIDTH = 2, LAYERS = 2 };

/* Attention of two layers and two heads, rows that sum to one. */
static const float attention[LAYERS][HEADS][T][T] = {
    {{{0.5F, 0.25F, 0.25F}, {0.125F, 0.75F, 0.125F}, {0.25F, 0.25F, 0.5F}},
     {{0.25F, 0.5F, 0.25F}, {0.5F, 0.25F, 0.25F}, {0.125F, 0.125F, 0.75F}}},
    {{{0.125F, 0.625F, 0.25F}, {0.25F, 0.5F, 0.25F}, {0.5F, 0.375F, 0.125F}},
     {{0.75F, 0.125F, 0.125F}, {0.25F, 0.25F, 0.5F}, {0.375F, 0.5F, 0.125F}}},
};

/* out = softmax(log(matrix) + 0 * x) times in, per head: attention that is what we want it to be. */
static void add_layer(onnx_build *b, int layer)
{
    static const char *const in[] = {"x", "h0"}, *const out[] = {"h0", "h1"}, *const logs[] = {"l0", "l1"};
    static const char *const score[] = {"s0", "s1"}, *const prob[] = {"a0", "a1"};
    char names[64];
    float log_of[HEADS * T * T];
    for (int i = 0; i < HEADS * T * T; i++)
        log_of[i] = logf((&attention[layer][0][0][0])[i]);
    onnx_build_floats(b, logs[layer], 4, (int64_t[]){1, HEADS, T, T}, log_of);
    snprintf(names, sizeof names, "%s zero", logs[layer]);
    onnx_build_node(b, "Add", names, score[layer]);
    onnx_build_attr_int(b, onnx_build_node(b, "Softmax", score[layer], prob[layer]), "axis", -1);
    snprintf(names, sizeof names, "%s %s", prob[layer], in[layer]);
    onnx_build_node(b, "MatMul", names, out[layer]);
}

/* x: [1, heads, tokens, width]; y: the first token of all heads, through a dense layer. */
static lm_status open_chain(const char *device, small *out)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 4, (int64_t[]){1, HEADS, T, WIDTH});
    onnx_build_floats(&b, "none", 0, NULL, (float[]){0});
    onnx_node *sum = onnx_build_node(&b, "ReduceMean", "x", "mean");
    onnx_build_attr_ints(&b, sum, "axes", 3, (int64_t[]){1, 2, 3});
    onnx_build_node(&b, "Mul", "mean none", "zero");
    for (int i = 0; i < LAYERS; i++)
        add_layer(&b, i);
    onnx_build_ints(&b, "first", 0, NULL, (int64_t[]){0});
    onnx_build_attr_int(&b, onnx_build_node(&b, "Gather", "h1 first", "read"), "axis", 2);
    onnx_build_node(&b, "Flatten", "read", "f");
    small_weight(&b, "w", LM_SHAPE(HEADS * WIDTH, 2), 40);
    onnx_build_node(&b, "Gemm", "f w", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 2});
    return small_open(&b, device, out);
}

static lm_view tokens(void)
{
    lm_view x = {0};
    CHECK_OK(small_numbers(LM_SHAPE(1, HEADS, T, WIDTH), 900, &x));
    return x;
}

static void mean_of_heads(int layer, double out[T][T])
{
    for (int i = 0; i < T; i++)
        for (int k = 0; k < T; k++)
            out[i][k] = ((double)attention[layer][0][i][k] + (double)attention[layer][1][i][k]) / 2;
}

static void times(double a[T][T], double b[T][T], double out[T][T])
{
    for (int i = 0; i < T; i++)
        for (int k = 0; k < T; k++) {
            out[i][k] = 0;
            for (int j = 0; j < T; j++)
                out[i][k] += a[i][j] * b[j][k];
        }
}

static void expect(small *s, const lm_view *x, const lm_question *q, lm_shape sh, const double *wanted)
{
    lm_answer a;
    if (CHECK_OK(small_ask(s, "x", x, q, &a)) && CHECK_INT(a.rows.count, 1))
        if (!CHECK(small_is(&a.rows.at[0].values, sh, wanted, 1e-6)))
            printf("%s\n", q->method);
    lm_answer_free(&a);
}

static void products_of_layers(void)
{
    const lm_setting pairs[] = {{"pairs", "1"}}, last[] = {{"token", "-1"}}, front[] = {{"layer", "0"}, {"token", "1"}};
    small s;
    lm_view x = tokens();
    double mean[LAYERS][T][T], half[LAYERS][T][T], rollout[T][T];
    CHECK_OK(open_chain(NULL, &s));
    for (int l = 0; l < LAYERS; l++) {
        mean_of_heads(l, mean[l]);
        for (int i = 0; i < T; i++)
            for (int k = 0; k < T; k++)
                half[l][i][k] = (mean[l][i][k] + (i == k)) / 2;
    }
    times(half[1], half[0], rollout);
    lm_question q = {.method = "attention_rollout", .target = "0"};
    expect(&s, &x, &q, LM_SHAPE(1, T), rollout[0]);
    q.settings = 1;
    q.setting = last;
    expect(&s, &x, &q, LM_SHAPE(1, T), rollout[T - 1]);
    q.setting = pairs;
    expect(&s, &x, &q, LM_SHAPE(1, T, T), rollout[0]);
    q.method = "attention_raw";
    expect(&s, &x, &q, LM_SHAPE(1, T, T), mean[1][0]);
    q.setting = front;
    q.settings = 2;
    expect(&s, &x, &q, LM_SHAPE(1, T), mean[0][1]);
    lm_buffer_unref(x.buf);
    small_close(&s);
}

/* y = sum over heads and columns of u (A1 A0 x)[0], so the gradients are products of what is left of it. */
static void gradient_of_the_layers(void)
{
    const lm_setting pairs[] = {{"pairs", "1"}};
    for (int target = 0; target < 2; target++) {
        small s;
        lm_view x = tokens();
        double term[LAYERS][T][T] = {{{0}}}, wanted[T][T];
        CHECK_OK(open_chain(NULL, &s));
        for (int h = 0; h < HEADS; h++)
            for (int i = 0; i < T; i++)
                for (int k = 0; k < T; k++) {
                    double first = 0, second = 0; /* gradients of A0[i][k], and of A1[i][k] */
                    for (int d = 0; d < WIDTH; d++) {
                        double u = small_number(40 + (h * WIDTH + d) * 2 + target), below = 0;
                        for (int j = 0; j < T; j++)
                            below += (double)attention[0][h][k][j] * lm_view_get(&x, (h * T + j) * WIDTH + d);
                        first += u * (double)attention[1][h][0][i] * lm_view_get(&x, (h * T + k) * WIDTH + d);
                        second += i == 0 ? u * below : 0;
                    }
                    term[0][i][k] += fmax(first * (double)attention[0][h][i][k], 0) / HEADS;
                    term[1][i][k] += fmax(second * (double)attention[1][h][i][k], 0) / HEADS;
                }
        for (int l = 0; l < LAYERS; l++)
            for (int i = 0; i < T; i++)
                term[l][i][i] += 1;
        times(term[1], term[0], wanted);
        lm_question q = {.method = "attention_relevance", .target = target ? "1" : "0"};
        expect(&s, &x, &q, LM_SHAPE(1, T), wanted[0]);
        CHECK(wanted[0][1] + wanted[0][2] > 1e-3);
        q.setting = pairs;
        q.settings = 1;
        expect(&s, &x, &q, LM_SHAPE(1, T, T), wanted[0]);
        lm_buffer_unref(x.buf);
        small_close(&s);
    }
}

/* One attention whose probabilities have these sizes. */
static void refuse(int rank, const int64_t *keys, const int64_t *scores, const char *method, const lm_setting *setting,
                   lm_status status, const char *says)
{
    onnx_build b = {0};
    small s;
    lm_view x = {0};
    lm_shape in, constant;
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, rank, keys);
    CHECK_OK(lm_shape_make(rank, keys, &in));
    CHECK_OK(lm_shape_make(rank, scores, &constant));
    small_weight(&b, "l", constant, 10);
    onnx_build_floats(&b, "none", 0, NULL, (float[]){0});
    onnx_build_attr_int(&b, onnx_build_node(&b, "ReduceMean", "x", "mean"), "keepdims", 0);
    onnx_build_node(&b, "Mul", "mean none", "zero");
    onnx_build_node(&b, "Add", "l zero", "s");
    onnx_build_attr_int(&b, onnx_build_node(&b, "Softmax", "s", "a"), "axis", -1);
    onnx_build_node(&b, says ? "MatMul" : "Mul", says ? "a x" : "a none", "h");
    onnx_build_attr_int(&b, onnx_build_node(&b, "ReduceMean", "h", "m"), "keepdims", 0);
    onnx_build_ints(&b, "two", 1, (int64_t[]){2}, (int64_t[]){1, 1});
    onnx_build_node(&b, "Reshape", "m two", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 1});
    CHECK_OK(small_open(&b, NULL, &s));
    CHECK_OK(small_numbers(in, 0, &x));
    lm_answer a;
    lm_question q = {.method = method, .setting = setting, .settings = setting ? 1 : 0};
    const char *text = says ? says : "no attention";
    if (CHECK_FAILS(small_ask(&s, "x", &x, &q, &a), status) && !CHECK(strstr(lm_message(), text) != NULL))
        printf("%s\n", lm_message());
    lm_buffer_unref(x.buf);
    small_close(&s);
}

static void other_kinds(void)
{
    const int64_t keys[] = {1, 2, 4, 3}, square[] = {1, 2, 4, 4}, cross[] = {1, 2, 3, 4};
    const int64_t windowed[] = {1, 2, 3, 4, 4}, parts[] = {1, 2, 3, 4, 5};
    const lm_setting token[] = {{"token", "4"}}, layer[] = {{"layer", "1"}};
    refuse(4, keys, cross, "attention_rollout", NULL, LM_UNSUPPORTED, "what looks is not what is looked at");
    refuse(5, parts, windowed, "attention_relevance", NULL, LM_UNSUPPORTED, "window");
    refuse(4, keys, square, "attention_rollout", token, LM_USAGE, "no token 4");
    refuse(4, keys, square, "attention_raw", layer, LM_USAGE, "no attention layer 1");
    refuse(4, keys, square, "attention_raw", NULL, LM_UNSUPPORTED, NULL);
}

static void same_bits(void)
{
    lm_view x = tokens();
    lm_answer first = {0};
    for (int threads = 1; threads < 4; threads++) {
        char device[32];
        small s;
        lm_answer a;
        snprintf(device, sizeof device, "cpu:threads=%d", threads);
        CHECK_OK(open_chain(device, &s));
        lm_question q = {.method = "attention_rollout,attention_raw,attention_relevance", .target = "0,1"};
        CHECK_OK(small_ask(&s, "x", &x, &q, threads > 1 ? &a : &first));
        for (size_t i = 0; threads > 1 && i < a.rows.count; i++)
            CHECK(memcmp(lm_view_data(&a.rows.at[i].values), lm_view_data(&first.rows.at[i].values), T * 4) == 0);
        if (threads > 1)
            lm_answer_free(&a);
        small_close(&s);
    }
    CHECK_INT(first.rows.count, 6);
    lm_answer_free(&first);
    lm_buffer_unref(x.buf);
}

/* Two layers in which x attends to itself, as one operator or written out. */
static void open_self(bool whole, const char *device, small *out)
{
    static const char *const in[] = {"x", "h0"}, *const to[] = {"h0", "h1"};
    onnx_build b = {0};
    onnx_build_start(&b, 23);
    onnx_build_input(&b, "x", LM_F32, 4, (int64_t[]){-1, HEADS, T, WIDTH});
    small_weight(&b, "wq", LM_SHAPE(HEADS, 1, WIDTH), 60);
    small_weight(&b, "wk", LM_SHAPE(HEADS, 1, WIDTH), 70);
    onnx_build_floats(&b, "scale", 0, NULL, (float[]){0.70710678F});
    for (int i = 0; i < LAYERS; i++) {
        char text[6][32];
        static const char *const made[] = {"q%d", "k%d", "t%d", "s%d", "c%d", "p%d"};
        for (int k = 0; k < 6; k++)
            snprintf(text[k], sizeof text[k], made[k], i);
        char names[96];
        snprintf(names, sizeof names, "%s wq", in[i]);
        onnx_build_node(&b, "Mul", names, text[0]);
        snprintf(names, sizeof names, "%s wk", in[i]);
        onnx_build_node(&b, "Mul", names, text[1]);
        if (whole) {
            snprintf(names, sizeof names, "%s %s %s", text[0], text[1], in[i]);
            onnx_build_node(&b, "Attention", names, to[i]);
            continue;
        }
        onnx_node *turn = onnx_build_node(&b, "Transpose", text[1], text[2]);
        onnx_build_attr_ints(&b, turn, "perm", 4, (int64_t[]){0, 1, 3, 2});
        snprintf(names, sizeof names, "%s %s", text[0], text[2]);
        onnx_build_node(&b, "MatMul", names, text[3]);
        snprintf(names, sizeof names, "%s scale", text[3]);
        onnx_build_node(&b, "Mul", names, text[4]);
        onnx_build_attr_int(&b, onnx_build_node(&b, "Softmax", text[4], text[5]), "axis", -1);
        snprintf(names, sizeof names, "%s %s", text[5], in[i]);
        onnx_build_node(&b, "MatMul", names, to[i]);
    }
    onnx_build_node(&b, "Flatten", "h1", "f");
    small_weight(&b, "w", LM_SHAPE(HEADS * T * WIDTH, 2), 80);
    onnx_build_node(&b, "MatMul", "f w", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, 2});
    CHECK_OK(small_open(&b, device, out));
}

/* A file with the operator Attention is seen through. */
static void whole_operators(void)
{
    static const char *const device[] = {NULL, "ref:type=f64"};
    const lm_question q = {.method = "attention_rollout,attention_raw,attention_relevance,saliency", .target = "1"};
    for (int d = 0; d < 2; d++) {
        lm_answer a[2];
        small s[2];
        lm_view x = tokens();
        for (int whole = 0; whole < 2; whole++) {
            open_self(whole, device[d], &s[whole]);
            CHECK_OK(small_ask(&s[whole], "x", &x, &q, &a[whole]));
        }
        for (size_t i = 0; i < a[0].rows.count && i < a[1].rows.count; i++) {
            double wanted[HEADS * T * WIDTH] = {0};
            for (int64_t k = 0; k < lm_shape_count(&a[0].rows.at[i].values.sh); k++)
                wanted[k] = lm_view_get(&a[0].rows.at[i].values, k);
            CHECK(small_is(&a[1].rows.at[i].values, a[0].rows.at[i].values.sh, wanted, 1e-6));
        }
        CHECK_INT(a[1].rows.count, 4);
        for (int whole = 0; whole < 2; whole++) {
            lm_answer_free(&a[whole]);
            small_close(&s[whole]);
        }
        lm_buffer_unref(x.buf);
    }
}

static lm_view kept;

static lm_status ask_all(void)
{
    small s;
    lm_answer a = {0};
    lm_status status = open_chain("ref", &s);
    lm_question q = {.method = "attention_rollout,attention_raw,attention_relevance", .target = "0"};
    if (status == LM_OK)
        status = small_ask(&s, "x", &kept, &q, &a);
    lm_answer_free(&a);
    small_close(&s);
    return status;
}

static void memory_runs_out(void)
{
    kept = tokens();
    CHECK_OK(ask_all());
    CHECK(test_every_allocation(ask_all) > 100);
    lm_buffer_unref(kept.buf);
}

int main(void)
{
    CASE(products_of_layers);
    CASE(gradient_of_the_layers);
    CASE(other_kinds);
    CASE(whole_operators);
    CASE(same_bits);
    CASE(memory_runs_out);
    return test_end();
}
