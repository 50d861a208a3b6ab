/* Several targets in one walk against one walk per target; and what a walk says became of its signals. */
#include "core/graph/emit_move.h"
#include "core/rules/sets.h"
#include "tests/rules/main.h"

enum { TARGETS = 3, CLASSES = 4 };

static lm_chain alone; /* one thread: thousands of tiny nodes */

typedef lm_val (*net)(lm_emit *e, lm_val x);

static lm_attrs window(int64_t kernel, int64_t pad)
{
    lm_attrs a = {0};
    a.conv.nd = 2;
    a.conv.groups = 1;
    for (int i = 0; i < 2; i++) {
        a.conv.kernel[i] = kernel;
        a.conv.stride[i] = a.conv.dilation[i] = 1;
        a.conv.pad_lo[i] = a.conv.pad_hi[i] = pad;
    }
    return a;
}

static lm_val dense(lm_emit *e, lm_val x, int seed, int64_t in, int64_t out)
{
    lm_attrs a = {0};
    return lm_emit1(e, LM_OP_MATMUL, &a, x, weights(e, seed, LM_SHAPE(in, out)), weights(e, seed + 50, LM_SHAPE(out)));
}

static lm_val shaped(lm_emit *e, lm_val x, lm_shape to)
{
    return lm_emit_reshape(e, x, &to);
}

static int64_t batch_of(lm_emit *e, lm_val x)
{
    return lm_emit_shape(e, x)->dim[0];
}

/* Convolutions, batch norm, max-pool, a residual and an average. */
static lm_val cnn(lm_emit *e, lm_val x)
{
    const lm_attrs conv = window(3, 1);
    lm_attrs pool = {0}, norm = {0};
    const int64_t n = batch_of(e, x);
    pool.pool.nd = 2;
    for (int i = 0; i < 2; i++) {
        pool.pool.kernel[i] = pool.pool.stride[i] = 2;
        pool.pool.dilation[i] = 1;
    }
    norm.norm.epsilon = 1e-3f;
    lm_val y = lm_emit1(e, LM_OP_CONV, &conv, x, weights(e, 1, LM_SHAPE(4, 2, 3, 3)), weights(e, 2, LM_SHAPE(4)));
    lm_val spread = unary(e, LM_OP_ABS, weights(e, 6, LM_SHAPE(4)));
    y = lm_emit1(e, LM_OP_BATCHNORM, &norm, y, weights(e, 3, LM_SHAPE(4)), weights(e, 4, LM_SHAPE(4)),
                 weights(e, 5, LM_SHAPE(4)), spread);
    y = lm_emit1(e, LM_OP_MAXPOOL, &pool, unary(e, LM_OP_RELU, y));
    lm_val z = lm_emit1(e, LM_OP_CONV, &conv, y, weights(e, 7, LM_SHAPE(4, 4, 3, 3)), weights(e, 8, LM_SHAPE(4)));
    y = unary(e, LM_OP_RELU, binary(e, LM_OP_ADD, z, y));
    return dense(e, shaped(e, lm_emit1(e, LM_OP_GLOBAL_AVG, NULL, y), LM_SHAPE(n, 4)), 9, 4, CLASSES);
}

/* A Gemm, a constant beside the batch, a norm, two addends of which one is broadcast. */
static lm_val mlp(lm_emit *e, lm_val x)
{
    lm_attrs gemm = {0}, norm = {0};
    const int64_t n = batch_of(e, x);
    gemm.gemm.alpha = gemm.gemm.beta = 1;
    norm.norm.axis = 1;
    norm.norm.epsilon = 1e-3f;
    lm_val flat = shaped(e, x, LM_SHAPE(n, 2 * 6 * 6));
    lm_val h = lm_emit1(e, LM_OP_GEMM, &gemm, flat, weights(e, 11, LM_SHAPE(72, 8)), weights(e, 12, LM_SHAPE(8)));
    h = binary(e, LM_OP_MUL, h, weights(e, 13, LM_SHAPE(n, 8)));
    h = lm_emit1(e, LM_OP_LAYERNORM, &norm, unary(e, LM_OP_TANH, h), weights(e, 14, LM_SHAPE(8)));
    lm_val one = lm_emit_reduce(e, LM_OP_REDUCE_MEAN, flat, 2, true);
    return dense(e, unary(e, LM_OP_RELU, binary(e, LM_OP_ADD, h, one)), 15, 8, CLASSES);
}

/* [n, 6, 12] as six tokens in two heads. */
static lm_val attention(lm_emit *e, lm_val x)
{
    const int64_t n = batch_of(e, x);
    lm_val token = shaped(e, x, LM_SHAPE(n, 6, 12)), part[3];
    for (int i = 0; i < 3; i++)
        part[i] = lm_emit_swap(e, shaped(e, dense(e, token, 21 + i, 12, 8), LM_SHAPE(n, 6, 2, 4)), 1, 2);
    lm_val y = lm_emit_swap(e, lm_emit1(e, LM_OP_ATTENTION, NULL, part[0], part[1], part[2]), 1, 2);
    return dense(e, shaped(e, y, LM_SHAPE(n, 48)), 25, 48, CLASSES);
}

/* Steps first, as ONNX has it: six of twelve numbers. */
static lm_val lstm(lm_emit *e, lm_val x)
{
    lm_attrs a = {0};
    const int64_t n = batch_of(e, x);
    const int32_t act[] = {LM_OP_SIGMOID, LM_OP_TANH, LM_OP_TANH};
    for (int i = 0; i < 6; i++) {
        a.recurrent.act[i] = act[i % 3];
        a.recurrent.alpha[i] = a.recurrent.beta[i] = 1;
    }
    lm_val step = lm_emit_swap(e, shaped(e, x, LM_SHAPE(n, 6, 12)), 0, 1), y[3];
    const lm_val in[] = {step, weights(e, 31, LM_SHAPE(1, 20, 12)), weights(e, 32, LM_SHAPE(1, 20, 5)),
                         weights(e, 33, LM_SHAPE(1, 40))};
    lm_emit_op(e, LM_OP_LSTM, &a, 4, in, 3, y);
    return dense(e, shaped(e, lm_emit_pick(e, y[0], 0, 5), LM_SHAPE(n, 5)), 34, 5, CLASSES);
}

static lm_val softmax_over_samples(lm_emit *e, lm_val x)
{
    lm_val y = dense(e, shaped(e, x, LM_SHAPE(batch_of(e, x), 72)), 41, 72, CLASSES);
    return binary(e, LM_OP_ADD, lm_emit_axis(e, LM_OP_SOFTMAX, y, 0), lm_emit_axis(e, LM_OP_CUMSUM, y, 0));
}

static lm_status walk(lm_emit *e, const lm_ruleset *set, int64_t wide, lm_val y, lm_val seed, lm_val x, lm_trace *trace,
                      lm_val *signal)
{
    const lm_shape shape = *lm_emit_shape(e, x);
    lm_val base = lm_emit_full(e, LM_F32, &shape, 0.125);
    const lm_backward b = {.set = set, .ntarget = 1, .target = &y, .seed = &seed, .nwrt = 1, .wrt = &x, .signal = signal,
                           .baseline = &base, .wide = wide, .trace = trace};
    return lm_backward_emit(e, &b);
}

/* All signals of one graph: those of three walks, and of one for three. */
static void same_bits(net build, const lm_ruleset *set, int64_t n, const lm_chain *fold)
{
    lm_emit e = begin(fold);
    lm_view feed = noise_view(3, LM_F32, LM_SHAPE(n, 2, 6, 6)), out[2] = {0};
    lm_val x = floats(&e, LM_SHAPE(n, 2, 6, 6)), y = build(&e, x), seed[TARGETS], one[TARGETS], all = LM_NOVAL;
    for (int t = 0; t < TARGETS; t++) {
        seed[t] = binary(&e, LM_OP_MUL, y, weights(&e, 60 + t, LM_SHAPE(1, CLASSES)));
        CHECK_OK(walk(&e, set, 0, y, seed[t], x, NULL, &one[t]));
    }
    if (!CHECK_OK(walk(&e, set, TARGETS, y, lm_emit_concat(&e, TARGETS, seed, 0), x, NULL, &all)))
        printf("%s\n", set->name);
    if (e.status == LM_OK) {
        CHECK_OK(lm_graph_output(e.g, all));
        CHECK_OK(lm_graph_output(e.g, lm_emit_concat(&e, TARGETS, one, 0)));
        run_graph(&alone, e.g, &feed, out);
        const double d = difference(&out[0], &out[1]);
        if (!CHECK(d == 0))
            printf("%s, %d samples: %g\n", set->name, (int)n, d);
        bool any = false;
        for (int64_t i = 0; out[0].buf && i < lm_shape_count(&out[0].sh); i++)
            any |= lm_view_get(&out[0], i) != 0;
        CHECK(any);
    }
    for (int i = 0; i < 2; i++)
        lm_buffer_unref(out[i].buf);
    lm_buffer_unref(feed.buf);
    lm_graph_free(e.g);
}

static void in_all_sizes(net build, const lm_ruleset *const *sets, int n)
{
    for (int i = 0; i < n; i++)
        for (int64_t samples = 1; samples <= 2; samples++) {
            same_bits(build, sets[i], samples, NULL);
            same_bits(build, sets[i], samples, &alone);
        }
}

static const lm_ruleset *const every[] = {
    &lm_set_grad,    &lm_set_guided,        &lm_set_deeplift, &lm_set_deeplift_revealcancel,
    &lm_set_lrp_eps, &lm_set_lrp_gamma_all, &lm_set_lrp_ab,
};
enum { WITHOUT_RELEVANCE = 4 };

static void wide_cnn(void)
{
    in_all_sizes(cnn, every, (int)LM_COUNT(every));
}

static void wide_mlp(void)
{
    in_all_sizes(mlp, every, (int)LM_COUNT(every));
}

static void wide_attention(void)
{
    static const lm_ruleset *const sets[] = {&lm_set_grad, &lm_set_deeplift, &lm_set_attn_lrp};
    in_all_sizes(attention, sets, (int)LM_COUNT(sets));
}

static void wide_lstm(void)
{
    in_all_sizes(lstm, every, WITHOUT_RELEVANCE);
}

/* What works along the samples' axis keeps targets apart all the same. */
static void wide_across_samples(void)
{
    in_all_sizes(softmax_over_samples, every, WITHOUT_RELEVANCE);
}

/* Weights that are explained belong to no sample. */
static void refuses_weights(void)
{
    lm_emit e = begin(NULL);
    const lm_attrs conv = window(3, 1);
    lm_val x = floats(&e, LM_SHAPE(1, 2, 6, 6)), w = floats(&e, LM_SHAPE(4, 2, 3, 3)), signal;
    lm_val y = lm_emit1(&e, LM_OP_CONV, &conv, x, w);
    const lm_shape wide = LM_SHAPE(TARGETS, 4, 6, 6);
    lm_val seed = lm_emit_full(&e, LM_F32, &wide, 1);
    CHECK_FAILS(walk(&e, &lm_set_grad, TARGETS, y, seed, w, NULL, &signal), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "Conv") != NULL);
    lm_graph_free(e.g);
}

static void refuses_narrow_seeds(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(1, 4)), y = unary(&e, LM_OP_TANH, x), signal;
    CHECK_FAILS(walk(&e, &lm_set_grad, TARGETS, y, y, x, NULL, &signal), LM_USAGE);
    CHECK(strstr(lm_message(), "[3,4]") != NULL);
    lm_graph_free(e.g);
}

/* What comes in goes out, but for what bias and stabiliser keep; and one node's output is the next one's input. */
static void traced(net build, const lm_ruleset *set, int64_t n, int64_t wide, double slack)
{
    enum { MOST = 40 };
    lm_emit e = begin(NULL);
    lm_trace trace = {0};
    lm_view feed = noise_view(3, LM_F32, LM_SHAPE(n, 2, 6, 6)), out[4 * MOST] = {0};
    lm_val x = floats(&e, LM_SHAPE(n, 2, 6, 6)), y = build(&e, x), seed[TARGETS], signal;
    const lm_shape sums = LM_SHAPE(wide);
    for (int t = 0; t < wide; t++)
        seed[t] = binary(&e, LM_OP_MUL, y, weights(&e, 60 + t, LM_SHAPE(1, CLASSES)));
    lm_val seeds = wide == 1 ? seed[0] : lm_emit_concat(&e, (int)wide, seed, 0);
    CHECK_OK(walk(&e, set, wide, y, seeds, x, &trace, &signal));
    CHECK(trace.count > 4 && trace.count <= MOST);
    lm_val none = lm_emit_full(&e, LM_F32, &sums, 0);
    for (size_t i = 0; i < trace.count && e.status == LM_OK; i++) {
        const lm_val part[4] = {trace.at[i].in, trace.at[i].out, trace.at[i].bias, trace.at[i].stabiliser};
        for (int k = 0; k < 4; k++) {
            CHECK(part[k] == LM_NOVAL || lm_shape_equal(lm_emit_shape(&e, part[k]), &sums));
            CHECK_OK(lm_graph_output(e.g, part[k] == LM_NOVAL ? none : part[k]));
        }
    }
    run_graph(&alone, e.g, &feed, out);
    for (size_t i = 0; i < trace.count && out[0].buf; i++)
        for (int64_t t = 0; t < wide; t++) {
            double is[4];
            for (int k = 0; k < 4; k++)
                is[k] = lm_view_get(&out[4 * i + (size_t)k], t);
            if (!CHECK(fabs(is[0] - is[1] - is[2] - is[3]) <= slack * (fabs(is[0]) + fabs(is[2]) + 1e-2)))
                printf("%s at %s: %g comes, %g goes, %g, %g\n", set->name, lm_ops[trace.at[i].node->op].name, is[0],
                       is[1], is[2], is[3]);
        }
    for (size_t i = 0; i < 4 * trace.count; i++)
        lm_buffer_unref(out[i].buf);
    lm_buffer_unref(feed.buf);
    lm_vec_free(&trace);
    lm_graph_free(e.g);
}

static void traces(void)
{
    static const lm_ruleset *const sets[] = {&lm_set_lrp_eps,     &lm_set_lrp_zplus,    &lm_set_lrp_gamma_all,
                                             &lm_set_lrp_wsquare, &lm_set_lrp_epsplus_flat, &lm_set_lrp_epsplus};
    for (int64_t n = 1; n <= 2; n++)
        for (int64_t wide = 1; wide <= TARGETS; wide += TARGETS - 1) {
            for (size_t i = 0; i < LM_COUNT(sets); i++)
                traced(cnn, sets[i], n, wide, 1e-4);
            traced(mlp, &lm_set_lrp_eps, n, wide, 1e-3);
            traced(cnn, &lm_set_deeplift, n, wide, 1e-3);
            traced(mlp, &lm_set_deeplift, n, wide, 1e-3);
            traced(cnn, &lm_set_deeplift_revealcancel, n, wide, 1e-3);
        }
}

static void cases(void)
{
    CASE(wide_cnn);
    CASE(wide_mlp);
    CASE(wide_attention);
    CASE(wide_lstm);
    CASE(wide_across_samples);
    CASE(refuses_weights);
    CASE(refuses_narrow_seeds);
    CASE(traces);
}

int main(void)
{
    return rules_main("cpu:threads=1", &alone, cases);
}
