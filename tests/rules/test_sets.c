/* Rule sets: gates, relevance against known answers, conservation, and what they refuse. */
#include "core/graph/emit_move.h"
#include "core/rules/sets.h"
#include "tests/rules/main.h"

static lm_chain ref;

static lm_val doubles(lm_emit *e, lm_shape shape)
{
    return input(e, NULL, LM_F64, shape);
}

/* Noise as a constant in doubles. */
static lm_val noisy(lm_emit *e, int seed, lm_shape shape)
{
    lm_view view = noise_view(seed, LM_F64, shape);
    lm_val v = lm_emit_content(e, &view);
    lm_buffer_unref(view.buf);
    return v;
}

static lm_status walk(lm_emit *e, const lm_ruleset *set, const lm_rule_options *o, lm_val y, lm_val seed, lm_val x,
                      lm_val *signal)
{
    const lm_backward b = {.set = set, .options = o, .ntarget = 1, .target = &y, .seed = &seed, .nwrt = 1, .wrt = &x,
                           .signal = signal};
    return lm_backward_emit(e, &b);
}

/* The graph's outputs at the values of its one input, all as one row. */
static void run_at(const lm_emit *e, const double *x, double *y)
{
    lm_view feed, out[4] = {0};
    const lm_type *t = &lm_graph_value(e->g, e->g->inputs.at[0])->type;
    CHECK_OK(lm_view_new(t->dt, &t->sh, &feed));
    for (int64_t k = 0, n = lm_shape_count(&t->sh); k < n; k++)
        lm_view_set(&feed, k, x[k]);
    run_graph(&ref, e->g, &feed, out);
    for (size_t i = 0; i < e->g->outputs.count; i++) {
        for (int64_t k = 0, n = lm_shape_count(&out[i].sh); out[i].buf && k < n; k++)
            *y++ = lm_view_get(&out[i], k);
        lm_buffer_unref(out[i].buf);
    }
    lm_buffer_unref(feed.buf);
}

/* Relevance of the input from the value of y, expected. */
static void expect(lm_emit *e, const lm_ruleset *set, lm_val y, lm_val x, const double *at, int n, const double *wanted)
{
    double got[64] = {0};
    lm_val signal = LM_NOVAL;
    if (CHECK_OK(walk(e, set, NULL, y, y, x, &signal)) && CHECK_OK(lm_graph_output(e->g, signal))) {
        run_at(e, at, got);
        for (int i = 0; i < n; i++)
            CHECK_NEAR(got[i], wanted[i], 1e-4);
    }
    lm_graph_free(e->g);
}

static void gated(const lm_ruleset *set, const double *wanted)
{
    lm_emit e = begin(NULL);
    double got[4];
    lm_val x = doubles(&e, LM_SHAPE(4)), signal = LM_NOVAL;
    lm_val y = unary(&e, LM_OP_RELU, x), s = NUMBERS(&e, LM_F64, LM_SHAPE(4), 2, -2, 2, -2);
    CHECK_OK(walk(&e, set, NULL, y, s, x, &signal));
    CHECK_OK(lm_graph_output(e.g, signal));
    run_at(&e, (double[]){1, 1, -1, -1}, got);
    for (int i = 0; i < 4; i++)
        CHECK_NEAR(got[i], wanted[i], 1e-12);
    lm_graph_free(e.g);
}

static void gates(void)
{
    const double open = 1 / (1 + exp(-10)), shut = 1 / (1 + exp(10));
    gated(&lm_set_grad, (double[]){2, -2, 0, 0});
    gated(&lm_set_deconv, (double[]){2, 0, 2, 0});
    gated(&lm_set_guided, (double[]){2, 0, 0, 0});
    gated(&lm_set_smooth, (double[]){2 * open, -2 * open, 2 * shut, -2 * shut});
}

/* relu6 is a Clip: another derivative only when asked for. */
static void gates_on_relu6(void)
{
    for (int asked = 0; asked < 2; asked++) {
        lm_emit e = begin(NULL);
        lm_rule_options o = LM_RULE_OPTIONS_DEFAULT;
        lm_attrs six = {0};
        double got[2];
        six.act.b = 6;
        o.relu6 = asked;
        lm_val x = doubles(&e, LM_SHAPE(2)), y = lm_emit1(&e, LM_OP_CLIP, &six, x), signal = LM_NOVAL;
        CHECK_OK(walk(&e, &lm_set_guided, &o, y, NUMBERS(&e, LM_F64, LM_SHAPE(2), -1, 1), x, &signal));
        CHECK_OK(lm_graph_output(e.g, signal));
        run_at(&e, (double[]){3, 3}, got);
        CHECK(got[0] == (asked ? 0 : -1) && got[1] == 1);
        lm_graph_free(e.g);
    }
}

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

static lm_val ones(lm_emit *e, lm_shape shape)
{
    return lm_emit_full(e, LM_F64, &shape, 1);
}

/* 1x4x4 image, 3x3 convolution of ones with biases -50 and -75, relu, a linear layer (1,1,1,1,1,-1,-1,-1), relu. */
static void known_convolution(void)
{
    lm_emit e = begin(NULL);
    const lm_attrs conv = window(3, 0);
    const lm_shape row = LM_SHAPE(1, 8);
    double image[16];
    for (int i = 0; i < 16; i++)
        image[i] = i;
    lm_val x = doubles(&e, LM_SHAPE(1, 1, 4, 4));
    lm_val y = lm_emit1(&e, LM_OP_CONV, &conv, x, ones(&e, LM_SHAPE(2, 1, 3, 3)),
                        NUMBERS(&e, LM_F64, LM_SHAPE(2), -50, -75));
    y = lm_emit_reshape(&e, unary(&e, LM_OP_RELU, y), &row);
    y = binary(&e, LM_OP_MATMUL, y, NUMBERS(&e, LM_F64, LM_SHAPE(8, 1), 1, 1, 1, 1, 1, -1, -1, -1));
    y = unary(&e, LM_OP_RELU, y);
    const double wanted[16] = {0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 0, 0, 0};
    expect(&e, &lm_set_lrp_eps, y, x, image, 16, wanted);
}

/* 3-3-1 without biases: all weights 2, then 3; `negative`: the first weight is -2. */
static lm_val dense_net(lm_emit *e, lm_val x, bool negative)
{
    const double w[9] = {negative ? -2 : 2, 2, 2, 2, 2, 2, 2, 2, 2};
    lm_val h = unary(e, LM_OP_RELU, binary(e, LM_OP_MATMUL, x, numbers(e, LM_F64, LM_SHAPE(3, 3), w)));
    return binary(e, LM_OP_MATMUL, h, NUMBERS(e, LM_F64, LM_SHAPE(3, 1), 3, 3, 3));
}

static void known_dense(void)
{
    lm_emit e = begin(NULL);
    lm_val x = doubles(&e, LM_SHAPE(1, 3)), y = dense_net(&e, x, false);
    expect(&e, &lm_set_lrp_eps, y, x, (double[]){1, 2, 3}, 3, (double[]){18, 36, 54});
}

/* alpha 2, beta 1 doubles what units without negative contributions pass on, layer by layer; that is what it does. */
static void known_leak(void)
{
    lm_emit e = begin(NULL);
    lm_val x = doubles(&e, LM_SHAPE(1, 3)), y = dense_net(&e, x, true);
    expect(&e, &lm_set_lrp_ab_all, y, x, (double[]){1, 2, 3}, 3, (double[]){0, 134.4, 201.6});
}

/* y = 5 (x1 + x2) + x of x = (2, 3), second output. */
static void known_residual(void)
{
    lm_emit e = begin(NULL);
    double got[2];
    lm_val x = doubles(&e, LM_SHAPE(1, 2)), signal = LM_NOVAL;
    lm_val y = binary(&e, LM_OP_ADD, binary(&e, LM_OP_MATMUL, x, NUMBERS(&e, LM_F64, LM_SHAPE(2, 2), 5, 5, 5, 5)), x);
    lm_val seed = binary(&e, LM_OP_MUL, y, NUMBERS(&e, LM_F64, LM_SHAPE(1, 2), 0, 1));
    CHECK_OK(walk(&e, &lm_set_lrp_eps, NULL, y, seed, x, &signal));
    CHECK_OK(lm_graph_output(e.g, signal));
    run_at(&e, (double[]){2, 3}, got);
    CHECK_NEAR(got[0], 10, 1e-4);
    CHECK_NEAR(got[1], 18, 1e-4);
    lm_graph_free(e.g);
}

/* Weights (1, -1, 2) of x = (1, 2, -1) in one unit, every rule by hand. */
static void one_unit(const lm_ruleset *set, const double *wanted)
{
    lm_emit e = begin(NULL);
    lm_rule_options o = LM_RULE_OPTIONS_DEFAULT;
    double got[3] = {0};
    o.low = lm_emit_const(&e, LM_F64, -2);
    o.high = lm_emit_const(&e, LM_F64, 3);
    lm_val x = doubles(&e, LM_SHAPE(1, 3)), signal = LM_NOVAL;
    lm_val y = binary(&e, LM_OP_MATMUL, x, NUMBERS(&e, LM_F64, LM_SHAPE(3, 1), 1, -1, 2));
    CHECK_OK(walk(&e, set, &o, y, NUMBERS(&e, LM_F64, LM_SHAPE(1, 1), 6), x, &signal));
    CHECK_OK(lm_graph_output(e.g, signal));
    run_at(&e, (double[]){1, 2, -1}, got);
    for (int i = 0; i < 3; i++)
        if (!CHECK_NEAR(got[i], wanted[i], 1e-4))
            printf("%s, input %d: %g, wanted %g\n", set->name, i, got[i], wanted[i]);
    lm_graph_free(e.g);
}

static void rules_by_hand(void)
{
    /* contributions 1, -2, -2: y = -3 */
    one_unit(&lm_set_lrp_eps, (double[]){-2, 4, 4});
    one_unit(&lm_set_lrp_zplus, (double[]){6, 0, 0});
    one_unit(&lm_set_lrp_ab_all, (double[]){12, -3, -3});
    /* y < 0: (1, -2 * 1.25, -2 * 1.25) over -4 */
    one_unit(&lm_set_lrp_gamma_all, (double[]){-1.5, 3.75, 3.75});
    /* x w - low w+ - high w-: 1 + 2, -2 + 3, -2 + 4 over 6 */
    one_unit(&lm_set_lrp_box_first, (double[]){3, 1, 2});
    one_unit(&lm_set_lrp_wsquare, (double[]){1, 1, 4});
    one_unit(&lm_set_lrp_flat, (double[]){2, 2, 2});
    one_unit(&lm_set_excitation, (double[]){6, 0, 0});
}

/* Convolutions, relu, max-pool, a residual, an average and a dense layer, no biases. */
static lm_val network(lm_emit *e, lm_val x)
{
    const lm_attrs conv = window(3, 1);
    lm_attrs pool = {0}, gemm = {0};
    const lm_shape row = LM_SHAPE(1, 4);
    pool.pool.nd = 2;
    for (int i = 0; i < 2; i++) {
        pool.pool.kernel[i] = pool.pool.stride[i] = 2;
        pool.pool.dilation[i] = 1;
    }
    gemm.gemm.alpha = gemm.gemm.beta = 1;
    lm_val y = unary(e, LM_OP_RELU, lm_emit1(e, LM_OP_CONV, &conv, x, noisy(e, 1, LM_SHAPE(4, 2, 3, 3))));
    y = lm_emit1(e, LM_OP_MAXPOOL, &pool, y);
    lm_val z = lm_emit1(e, LM_OP_CONV, &conv, y, noisy(e, 2, LM_SHAPE(4, 4, 3, 3)));
    y = unary(e, LM_OP_RELU, binary(e, LM_OP_ADD, z, y));
    y = lm_emit_reshape(e, lm_emit1(e, LM_OP_GLOBAL_AVG, NULL, y), &row);
    return lm_emit1(e, LM_OP_GEMM, &gemm, y, noisy(e, 3, LM_SHAPE(4, 3)));
}

/* What comes to the input is what left the output. */
static void conserves(const lm_ruleset *set, double slack)
{
    enum { N = 2 * 6 * 6 };
    lm_emit e = begin(NULL);
    lm_rule_options o = LM_RULE_OPTIONS_DEFAULT;
    double image[N], got[2] = {0};
    for (int i = 0; i < N; i++)
        image[i] = noise(9, i);
    o.low = lm_emit_const(&e, LM_F64, -1);
    o.high = lm_emit_const(&e, LM_F64, 1);
    lm_val x = doubles(&e, LM_SHAPE(1, 2, 6, 6)), y = network(&e, x), signal = LM_NOVAL;
    lm_val seed = binary(&e, LM_OP_MUL, y, NUMBERS(&e, LM_F64, LM_SHAPE(1, 3), 0, 1, 0));
    CHECK_OK(walk(&e, set, &o, y, seed, x, &signal));
    CHECK_OK(lm_graph_output(e.g, lm_emit_reduce(&e, LM_OP_REDUCE_SUM, signal, 15, false)));
    CHECK_OK(lm_graph_output(e.g, lm_emit_reduce(&e, LM_OP_REDUCE_SUM, seed, 3, false)));
    run_at(&e, image, got);
    const double gap = fabs(got[0] - got[1]) / fabs(got[1]);
    if (!CHECK(gap <= slack))
        printf("%s: %g of %g arrives, gap %g\n", set->name, got[0], got[1], gap);
    lm_graph_free(e.g);
}

/* Flat sends relevance to channels that are zero, and an average has to send it on. */
static void averages_conserve(void)
{
    static const lm_ruleset *const sets[] = {&lm_set_lrp_flat, &lm_set_lrp_wsquare};
    for (size_t i = 0; i < LM_COUNT(sets); i++) {
        lm_emit e = begin(NULL);
        lm_val x = doubles(&e, LM_SHAPE(1, 2, 3)), y = lm_emit_reduce(&e, LM_OP_REDUCE_MEAN, x, 4, false);
        y = binary(&e, LM_OP_MATMUL, y, NUMBERS(&e, LM_F64, LM_SHAPE(2, 1), 1, 1));
        expect(&e, sets[i], y, x, (double[]){0, 0, 0, 2, 3, 4}, 6, (double[]){.5, .5, .5, .5, .5, .5});
    }
}

/* Stabilisers of the set's own where nobody asks: a value of 1e-8 passes its relevance on, to 1e-9 of it. */
static void own_stabiliser(void)
{
    lm_emit e = begin(NULL);
    double got[1];
    lm_val x = doubles(&e, LM_SHAPE(1, 1)), y = binary(&e, LM_OP_ADD, x, x), signal = LM_NOVAL;
    CHECK_OK(walk(&e, &lm_set_attn_lrp, NULL, y, NUMBERS(&e, LM_F64, LM_SHAPE(1, 1), 1), x, &signal));
    CHECK_OK(lm_graph_output(e.g, signal));
    run_at(&e, (double[]){1e-8}, got);
    CHECK_NEAR(got[0], 2 / 2.1, 1e-9);
    lm_graph_free(e.g);
}

static void conservation(void)
{
    static const lm_ruleset *const sets[] = {
        &lm_set_lrp_eps,     &lm_set_lrp_epsplus, &lm_set_lrp_epsplus_flat, &lm_set_lrp_gamma_box, &lm_set_lrp_zplus,
        &lm_set_lrp_wsquare, &lm_set_lrp_flat,    &lm_set_lrp_gamma_all,    &lm_set_lrp_box_first, &lm_set_deep_taylor,
    };
    for (size_t i = 0; i < LM_COUNT(sets); i++)
        conserves(sets[i], 1e-4);
}

/* After a rectifier there is no negative part to run the op on: z+ costs one forward product, as epsilon does. */
static void no_empty_branches(void)
{
    lm_emit e = begin(NULL);
    lm_val x = doubles(&e, LM_SHAPE(1, 3)), h = unary(&e, LM_OP_RELU, x), signal;
    lm_val y = binary(&e, LM_OP_MATMUL, h, noisy(&e, 1, LM_SHAPE(3, 2)));
    CHECK_OK(walk(&e, &lm_set_lrp_zplus, NULL, y, y, x, &signal));
    CHECK_INT(count_op(e.g, LM_OP_MATMUL), 3); /* forward, with the positive weights, and back */
    lm_graph_free(e.g);
}

static void refused(lm_emit *e, lm_val y, lm_val x, const char *word)
{
    lm_val signal;
    CHECK_FAILS(walk(e, &lm_set_lrp_eps, NULL, y, y, x, &signal), LM_UNSUPPORTED);
    if (!CHECK(strstr(lm_message(), word) && strstr(lm_message(), "lrp_eps") && strstr(lm_message(), "attnlrp")))
        printf("%s\n", lm_message());
    e->status = LM_OK;
}

/* No gradient may hide in a relevance pass. */
static void refusals(void)
{
    lm_emit e = begin(NULL);
    lm_attrs last = {0};
    last.axis.axis = 1;
    lm_val x = doubles(&e, LM_SHAPE(2, 3));
    refused(&e, lm_emit1(&e, LM_OP_SOFTMAX, &last, x), x, "Softmax");
    refused(&e, binary(&e, LM_OP_MUL, x, unary(&e, LM_OP_TANH, x)), x, "Mul");
    lm_val heads = doubles(&e, LM_SHAPE(1, 1, 2, 3));
    refused(&e, lm_emit1(&e, LM_OP_ATTENTION, NULL, heads, heads, heads), heads, "MatMul");
    lm_val signal, y = binary(&e, LM_OP_MATMUL, x, noisy(&e, 1, LM_SHAPE(3, 2)));
    CHECK_FAILS(walk(&e, &lm_set_lrp_box_first, NULL, y, y, x, &signal), LM_USAGE);
    CHECK(strstr(lm_message(), "low") != NULL);
    lm_graph_free(e.g);
}

/* A row for one node by name goes before all others. */
static void rows_by_name(void)
{
    static const lm_row cut[] = {{.match = LM_MATCH_NAME, .name = "closed", .rule = lm_rule_cut}};
    const lm_ruleset set = {.name = "mine", .base = &lm_set_lrp_eps, .rows = cut, .nrows = 1,
                            .deflt = LM_DEFAULT_REFUSE};
    lm_emit e = begin(NULL);
    lm_val x = doubles(&e, LM_SHAPE(2));
    e.name = "closed";
    lm_val y = binary(&e, LM_OP_ADD, unary(&e, LM_OP_RELU, x), x);
    expect(&e, &set, y, x, (double[]){1, 2}, 2, (double[]){1, 2});
}

/* Relevance 1 and -2 at y = softmax(x): x (s - y sum of s). */
static void softmax_by_taylor(void)
{
    lm_emit e = begin(NULL);
    lm_attrs last = {0};
    double got[2];
    const double p = 1 / (1 + exp(-1));
    lm_val x = doubles(&e, LM_SHAPE(2)), y = lm_emit1(&e, LM_OP_SOFTMAX, &last, x), signal = LM_NOVAL;
    CHECK_OK(walk(&e, &lm_set_attn_lrp, NULL, y, NUMBERS(&e, LM_F64, LM_SHAPE(2), 1, -2), x, &signal));
    CHECK_OK(lm_graph_output(e.g, signal));
    run_at(&e, (double[]){3, 2}, got);
    CHECK_NEAR(got[0], 3 * (1 + p), 1e-9);
    CHECK_NEAR(got[1], 2 * (-2 + (1 - p)), 1e-9);
    lm_graph_free(e.g);
}

/* Norms without bias and products of two activations lose nothing: 6 arrives where 6 left. */
static void attention_conserves(void)
{
    for (int kind = 0; kind < 4; kind++) {
        lm_emit e = begin(NULL);
        lm_attrs norm = {0}, across = {0};
        double at[6], got[2];
        norm.norm.axis = 1;
        norm.norm.epsilon = 1e-3f;
        across.matmul.tb = true;
        for (int i = 0; i < 6; i++)
            at[i] = noise(31, i);
        lm_val x = doubles(&e, LM_SHAPE(2, 3)), gain = noisy(&e, 7, LM_SHAPE(3)), signal = LM_NOVAL, y = LM_NOVAL;
        lm_val other = binary(&e, LM_OP_MATMUL, x, noisy(&e, 8, LM_SHAPE(3, 3)));
        switch (kind) {
        case 0: y = lm_emit1(&e, LM_OP_LAYERNORM, &norm, x, gain); break;
        case 1: y = lm_emit1(&e, LM_OP_RMSNORM, &norm, x, gain); break;
        case 2: y = lm_emit1(&e, LM_OP_MATMUL, &across, x, other); break;
        default: y = binary(&e, LM_OP_MUL, other, unary(&e, LM_OP_SWISH, other)); break;
        }
        const lm_shape shape = *lm_emit_shape(&e, y);
        CHECK_OK(walk(&e, &lm_set_attn_lrp, NULL, y, lm_emit_full(&e, LM_F64, &shape, 6), x, &signal));
        CHECK_OK(lm_graph_output(e.g, lm_emit_reduce(&e, LM_OP_REDUCE_SUM, signal, 3, false)));
        run_at(&e, at, got);
        const double left = 6 * (double)lm_shape_count(&shape);
        if (!CHECK(fabs(got[0] - left) <= 1e-3 * left))
            printf("kind %d: %g of %g\n", kind, got[0], left);
        lm_graph_free(e.g);
    }
}

/* Multipliers of y at `at` against `base`, times the change: contributions, then their sum and what it should be. */
static void lift(lm_emit *e, lm_val y, lm_val x, lm_val base, const double *at, double *got)
{
    lm_val signal = LM_NOVAL;
    const lm_backward b = {.set = &lm_set_deeplift, .ntarget = 1, .target = &y, .nwrt = 1, .wrt = &x,
                           .signal = &signal, .baseline = &base};
    CHECK_OK(lm_backward_emit(e, &b));
    CHECK_OK(lm_graph_output(e->g, binary(e, LM_OP_MUL, signal, binary(e, LM_OP_SUB, x, base))));
    CHECK_OK(lm_graph_output(e->g, y));
    run_at(e, at, got);
    lm_graph_free(e->g);
}

/* 2 relu(x1) + 2 relu(x2 - 1.5) at (1, 2) against 0. */
static void known_deeplift(void)
{
    lm_emit e = begin(NULL);
    double got[3];
    lm_val x = doubles(&e, LM_SHAPE(1, 2)), shift = NUMBERS(&e, LM_F64, LM_SHAPE(1, 2), 0, 1.5);
    lm_val y = binary(&e, LM_OP_MATMUL, unary(&e, LM_OP_RELU, binary(&e, LM_OP_SUB, x, shift)),
                      NUMBERS(&e, LM_F64, LM_SHAPE(2, 1), 2, 2));
    lift(&e, y, x, NUMBERS(&e, LM_F64, LM_SHAPE(1, 2), 0, 0), (double[]){1, 2}, got);
    CHECK_NEAR(got[0], 2, 1e-12);
    CHECK_NEAR(got[1], 1, 1e-12);
}

/* Contributions add up to the change of the output, through composites, products of activations and max-pools. */
static void deeplift_is_complete(void)
{
    enum { N = 2 * 6 * 6 };
    for (int kind = 0; kind < 3; kind++) {
        lm_emit e = begin(kind == 2 ? &cpu : NULL), f = begin(NULL);
        lm_attrs norm = {0}, last = {0};
        double image[N], zero[N] = {0}, got[N + 1], at_zero[1], sum = 0;
        const lm_shape row = LM_SHAPE(1, N), shape = LM_SHAPE(1, 2, 6, 6);
        lm_emit *both[2] = {&e, &f};
        lm_val x[2], y[2];
        norm.norm.axis = last.axis.axis = 1;
        norm.norm.epsilon = 0.5f;
        for (int i = 0; i < N; i++)
            image[i] = noise(21, i);
        for (int k = 0; k < 2; k++) {
            x[k] = doubles(both[k], shape);
            y[k] = network(both[k], x[k]);
            if (kind >= 1) {
                lm_val flat = lm_emit_reshape(both[k], unary(both[k], LM_OP_GELU, x[k]), &row);
                lm_val n = lm_emit1(both[k], LM_OP_LAYERNORM, &norm, flat, noisy(both[k], 5, LM_SHAPE(N)));
                lm_val h = binary(both[k], LM_OP_MATMUL, n, noisy(both[k], 6, LM_SHAPE(N, 3)));
                y[k] = binary(both[k], LM_OP_DIV, binary(both[k], LM_OP_MUL, y[k], unary(both[k], LM_OP_TANH, h)),
                              scalar(both[k], LM_OP_ADD, binary(both[k], LM_OP_MUL, h, h), 1));
            }
            y[k] = lm_emit_reduce(both[k], LM_OP_REDUCE_SUM, y[k], 3, false);
        }
        CHECK_OK(lm_graph_output(f.g, y[1]));
        run_at(&f, zero, at_zero);
        lm_graph_free(f.g);
        lift(&e, y[0], x[0], lm_emit_full(&e, LM_F64, &shape, 0), image, got);
        for (int i = 0; i < N; i++)
            sum += got[i];
        if (!CHECK(fabs(sum - (got[N] - at_zero[0])) <= 1e-6 * (1 + fabs(sum))))
            printf("kind %d: %.9g instead of %.9g\n", kind, sum, got[N] - at_zero[0]);
    }
}

/* Softmax, its logarithm, and softmax with a score of -infinity; the first score does not move, and the second is masked
 * by -10000. Contributions add up, multipliers have no mean, and what is masked gets none. */
static void deeplift_of_softmax(void)
{
    enum { N = 6, LOG = 1, INFINITE };
    const double base[N] = {0.5, -9999, 0.25, 40, -1, 2}, at[N] = {0.5, -10000, 0, 7, 1, -3};
    for (int kind = 0; kind <= INFINITE; kind++) {
        lm_emit e = begin(NULL);
        double got[N + 2], sum = 0, mean = 0;
        lm_val x = doubles(&e, LM_SHAPE(1, N)), x0 = numbers(&e, LM_F64, LM_SHAPE(1, N), base);
        lm_val end[2], signal = LM_NOVAL;
        lm_val mask = NUMBERS(&e, LM_F64, LM_SHAPE(1, N), 0, 0, kind == INFINITE ? -INFINITY : 0, 0, 0, 0);
        lm_val weight = NUMBERS(&e, LM_F64, LM_SHAPE(1, N), 1, 0.5, 0, -2, 3, 0.25);
        for (int k = 0; k < 2; k++) {
            lm_val y = lm_emit_axis(&e, kind == LOG ? LM_OP_LOGSOFTMAX : LM_OP_SOFTMAX,
                                    binary(&e, LM_OP_ADD, k ? x0 : x, mask), 1);
            end[k] = lm_emit_reduce(&e, LM_OP_REDUCE_SUM, binary(&e, LM_OP_MUL, y, weight), 3, false);
        }
        const lm_backward b = {.set = &lm_set_deeplift, .ntarget = 1, .target = end, .nwrt = 1, .wrt = &x,
                               .signal = &signal, .baseline = &x0};
        CHECK_OK(lm_backward_emit(&e, &b));
        CHECK_OK(lm_graph_output(e.g, signal));
        CHECK_OK(lm_graph_output(e.g, end[0]));
        CHECK_OK(lm_graph_output(e.g, end[1]));
        run_at(&e, at, got);
        for (int i = 0; i < N; i++) {
            sum += got[i] * (at[i] - base[i]);
            mean += got[i] / N;
        }
        if (!CHECK_NEAR(sum, got[N] - got[N + 1], 1e-9))
            printf("kind %d: %.9g instead of %.9g\n", kind, sum, got[N] - got[N + 1]);
        CHECK_NEAR(mean, 0, 1e-12);
        CHECK(kind == LOG || got[1] == 0);
        CHECK(kind != INFINITE || got[2] == 0);
        lm_graph_free(e.g);
    }
}

static void needs_a_baseline(void)
{
    lm_emit e = begin(NULL);
    lm_val x = doubles(&e, LM_SHAPE(2)), y = unary(&e, LM_OP_TANH, x), signal;
    CHECK_FAILS(walk(&e, &lm_set_deeplift, NULL, y, y, x, &signal), LM_USAGE);
    CHECK(strstr(lm_message(), "baseline") != NULL);
    lm_graph_free(e.g);
}

/* The whole of a set's walk over a small network, with the emitter that computes. */
static const lm_ruleset *walked;
static int64_t targets;
static lm_status small_walk(void)
{
    lm_emit e = {.fold = &cpu};
    lm_trace trace = {0};
    lm_type type = {LM_F32, LM_SHAPE(1, 6)};
    lm_val x = LM_NOVAL, signal;
    LM_TRY(lm_graph_new(&e.g));
    e.status = lm_graph_input(e.g, NULL, &type, &x);
    lm_attrs gemm = {0};
    gemm.gemm.alpha = gemm.gemm.beta = 1;
    const lm_shape square = LM_SHAPE(6, 6);
    lm_val w = e.status == LM_OK ? lm_emit_reshape(&e, lm_emit_iota(&e, -17, 36), &square) : LM_NOVAL;
    lm_val y = lm_emit1(&e, LM_OP_GEMM, &gemm, lm_emit1(&e, LM_OP_RELU, NULL, x), w);
    y = lm_emit1(&e, LM_OP_ADD, NULL, lm_emit1(&e, LM_OP_RELU, NULL, y), x);
    lm_val zero = lm_emit_const(&e, LM_F32, 0), base = e.status == LM_OK ? lm_emit_expand(&e, zero, &type.sh) : LM_NOVAL;
    const lm_backward b = {.set = walked, .ntarget = 1, .target = &y, .nwrt = 1, .wrt = &x, .signal = &signal,
                           .baseline = &base, .wide = targets, .trace = &trace};
    lm_status status = e.status == LM_OK ? lm_backward_emit(&e, &b) : e.status;
    lm_vec_free(&trace);
    lm_graph_free(e.g);
    return status;
}

static void memory_runs_out(void)
{
    const lm_ruleset *const sets[] = {&lm_set_guided, &lm_set_lrp_ab_all, &lm_set_deeplift,
                                      &lm_set_deeplift_revealcancel};
    for (size_t i = 0; i < LM_COUNT(sets); i++)
        for (targets = 1; targets <= 2; targets++) {
            walked = sets[i];
            CHECK(small_walk() == LM_OK); /* what chain and pool keep is there from now on */
            CHECK(test_every_allocation(small_walk) > 20);
        }
}

static void by_name(void)
{
    for (const lm_ruleset *const *s = lm_sets; *s; s++)
        CHECK(lm_set_find((*s)->name) == *s);
    CHECK(lm_set_find("no such set") == NULL);
}

static void cases(void)
{
    CASE(gates);
    CASE(gates_on_relu6);
    CASE(known_convolution);
    CASE(known_dense);
    CASE(known_leak);
    CASE(known_residual);
    CASE(rules_by_hand);
    CASE(conservation);
    CASE(averages_conserve);
    CASE(own_stabiliser);
    CASE(no_empty_branches);
    CASE(refusals);
    CASE(rows_by_name);
    CASE(softmax_by_taylor);
    CASE(attention_conserves);
    CASE(known_deeplift);
    CASE(deeplift_is_complete);
    CASE(deeplift_of_softmax);
    CASE(needs_a_baseline);
    CASE(memory_runs_out);
    CASE(by_name);
}

int main(void)
{
    return rules_main("ref", &ref, cases);
}
