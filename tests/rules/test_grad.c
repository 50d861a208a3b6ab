/* Gradients as the walk emits them: conventions at kinks, fan-out, second derivatives, what cannot be, and memory.
 * That every op's rule is right is checkop's mode `rule`. */
#include "core/graph/emit_move.h"
#include "core/rules/rule.h"
#include "tests/rules/probe.h"
#include "tests/rules/main.h"

static lm_chain ref;

/* d(sum of y)/dx, emitted, with the graph's outputs set to it. */
static lm_val gradient(lm_emit *e, lm_val y, lm_val x)
{
    lm_val signal = LM_NOVAL;
    const lm_backward b = {.set = &lm_set_grad, .ntarget = 1, .target = &y, .nwrt = 1, .wrt = &x, .signal = &signal};
    CHECK_OK(lm_backward_emit(e, &b));
    return signal;
}

/* The elements of a graph's only output at the given inputs. */
static void run_doubles(const lm_emit *e, const double *x, double *y)
{
    lm_view feed[8], out;
    for (size_t i = 0; i < e->g->inputs.count; i++) {
        const lm_type *t = &lm_graph_value(e->g, e->g->inputs.at[i])->type;
        CHECK_OK(lm_view_new(t->dt, &t->sh, &feed[i]));
        for (int64_t k = 0, n = lm_shape_count(&t->sh); k < n; k++)
            lm_view_set(&feed[i], k, *x++);
    }
    run_graph(&ref, e->g, feed, &out);
    for (int64_t k = 0, n = lm_shape_count(&out.sh); out.buf && k < n; k++)
        y[k] = lm_view_get(&out, k);
    lm_buffer_unref(out.buf);
    for (size_t i = 0; i < e->g->inputs.count; i++)
        lm_buffer_unref(feed[i].buf);
}

/* The gradient of an elementwise op at points, against what is expected. */
#define KINK(op, attrs, n, points, wanted) kink(op, attrs, n, points, wanted, __LINE__)
static void kink(lm_opid op, const lm_attrs *a, int n, const double *x, const double *wanted, int line)
{
    lm_emit e = begin(NULL);
    double got[16] = {0};
    lm_val in = input(&e, NULL, LM_F64, LM_SHAPE(n)), y = lm_emit1(&e, op, a, in);
    CHECK_OK(lm_graph_output(e.g, gradient(&e, y, in)));
    run_doubles(&e, x, got);
    for (int i = 0; i < n; i++)
        if (!CHECK(got[i] == wanted[i]))
            printf("line %d: at %g: %g, wanted %g\n", line, x[i], got[i], wanted[i]);
    lm_graph_free(e.g);
}

static lm_attrs act(float a, float b)
{
    lm_attrs t = {0};
    t.act.a = a;
    t.act.b = b;
    return t;
}

static void relu_is_shut_at_0(void)
{
    KINK(LM_OP_RELU, NULL, 3, ((double[]){-1, 0, 1}), ((double[]){0, 0, 1}));
}

static void relu_is_open_to_nan(void)
{
    KINK(LM_OP_RELU, NULL, 2, ((double[]){NAN, -1}), ((double[]){1, 0}));
}

static void abs_is_flat_at_0(void)
{
    KINK(LM_OP_ABS, NULL, 3, ((double[]){-2, 0, 2}), ((double[]){-1, 0, 1}));
}

static void clip_is_shut_at_its_bounds(void)
{
    const lm_attrs relu6 = act(0, 6);
    KINK(LM_OP_CLIP, &relu6, 5, ((double[]){-1, 0, 3, 6, 7}), ((double[]){0, 0, 1, 0, 0}));
}

static void hardsigmoid_is_shut_at_its_bounds(void)
{
    const lm_attrs a = act(0.25f, 0.5f);
    KINK(LM_OP_HARDSIGMOID, &a, 3, ((double[]){-2, 0, 2}), ((double[]){0, 0.25, 0}));
}

static void hardswish_is_0_below_and_1_above(void)
{
    KINK(LM_OP_HARDSWISH, NULL, 2, ((double[]){-3, 3}), ((double[]){0, 1}));
}

static void leakyrelu_leaks_at_0(void)
{
    const lm_attrs a = act(0.5f, 0);
    KINK(LM_OP_LEAKYRELU, &a, 3, ((double[]){-1, 0, 1}), ((double[]){0.5, 0.5, 1}));
}

static void thresholded_is_shut_at_its_threshold(void)
{
    const lm_attrs a = act(1, 0);
    KINK(LM_OP_THRESHOLDED, &a, 3, ((double[]){0.5, 1, 2}), ((double[]){0, 0, 1}));
}

static void shrink_is_shut_at_both_ends(void)
{
    const lm_attrs a = act(1, 0);
    KINK(LM_OP_SHRINK, &a, 4, ((double[]){-1, 0, 1, 2}), ((double[]){0, 0, 0, 1}));
}

static void round_is_flat(void)
{
    KINK(LM_OP_ROUND, NULL, 2, ((double[]){0.5, 1.2}), ((double[]){0, 0}));
}

/* d(sum of op(x, y))/dx of two operands. */
static void two(lm_opid op, int n, const double *xy, const double *wanted)
{
    lm_emit e = begin(NULL);
    double got[16] = {0};
    lm_val x = input(&e, NULL, LM_F64, LM_SHAPE(n)), y = input(&e, NULL, LM_F64, LM_SHAPE(n));
    CHECK_OK(lm_graph_output(e.g, gradient(&e, binary(&e, op, x, y), x)));
    run_doubles(&e, xy, got);
    for (int i = 0; i < n; i++)
        CHECK(got[i] == wanted[i]);
    lm_graph_free(e.g);
}

static void max_and_min_share_ties(void)
{
    two(LM_OP_MAX, 3, (double[]){1, 2, 3, 2, 2, 2}, (double[]){0, 0.5, 1});
    two(LM_OP_MIN, 3, (double[]){1, 2, 3, 2, 2, 2}, (double[]){1, 0.5, 0});
}

static void prelu_takes_the_slope_at_0(void)
{
    two(LM_OP_PRELU, 3, (double[]){-1, 0, 1, 0.25, 0.25, 0.25}, (double[]){0.25, 0.25, 1});
}

static void pow_of_0_has_no_log(void)
{
    two(LM_OP_POW, 2, (double[]){0, 3, 0, 2}, (double[]){0, 6});
}

static void reductions_share_ties(void)
{
    const lm_opid op[] = {LM_OP_REDUCE_MAX, LM_OP_REDUCE_MIN};
    for (int k = 0; k < 2; k++) {
        lm_emit e = begin(NULL);
        double sign = k ? -1 : 1, x[4] = {sign, 3 * sign, 3 * sign, 2 * sign}, got[4];
        lm_val in = input(&e, NULL, LM_F64, LM_SHAPE(4)), y = lm_emit_reduce(&e, op[k], in, 1, false);
        CHECK_OK(lm_graph_output(e.g, gradient(&e, y, in)));
        run_doubles(&e, x, got);
        CHECK(got[0] == 0 && got[1] == 0.5 && got[2] == 0.5 && got[3] == 0);
        lm_graph_free(e.g);
    }
}

static void products_with_zeros(void)
{
    const double x[3][3] = {{2, 3, 4}, {0, 3, 4}, {0, 0, 4}}, wanted[3][3] = {{12, 8, 6}, {12, 0, 0}, {0, 0, 0}};
    for (int k = 0; k < 3; k++) {
        lm_emit e = begin(NULL);
        double got[3];
        lm_val in = input(&e, NULL, LM_F64, LM_SHAPE(3)), y = lm_emit_reduce(&e, LM_OP_REDUCE_PROD, in, 1, false);
        CHECK_OK(lm_graph_output(e.g, gradient(&e, y, in)));
        run_doubles(&e, x[k], got);
        for (int i = 0; i < 3; i++)
            CHECK(got[i] == wanted[k][i]);
        lm_graph_free(e.g);
    }
}

static void maxpool_takes_the_first(void)
{
    lm_emit e = begin(NULL);
    lm_attrs a = {0};
    double got[4];
    a.pool.nd = 1;
    a.pool.kernel[0] = a.pool.stride[0] = 2;
    a.pool.dilation[0] = 1;
    lm_val in = input(&e, NULL, LM_F64, LM_SHAPE(1, 1, 4)), y = lm_emit1(&e, LM_OP_MAXPOOL, &a, in);
    CHECK_OK(lm_graph_output(e.g, gradient(&e, y, in)));
    run_doubles(&e, (double[]){5, 5, 1, 2}, got);
    CHECK(got[0] == 1 && got[1] == 0 && got[2] == 0 && got[3] == 1);
    lm_graph_free(e.g);
}

static void topk_takes_the_first(void)
{
    lm_emit e = begin(NULL);
    lm_attrs a = {0};
    double got[4];
    a.topk.k = 2;
    a.topk.largest = a.topk.sorted = true;
    lm_val in = input(&e, NULL, LM_F64, LM_SHAPE(4)), y = lm_emit1(&e, LM_OP_TOPK, &a, in);
    CHECK_OK(lm_graph_output(e.g, gradient(&e, y, in)));
    run_doubles(&e, (double[]){5, 7, 5, 5}, got);
    CHECK(got[0] == 1 && got[1] == 1 && got[2] == 0 && got[3] == 0);
    lm_graph_free(e.g);
}

/* Several updates of one place: the last one stands, equal ones share. */
static void scatter(lm_scatter_mode mode, const double *wanted)
{
    lm_emit e = begin(NULL);
    lm_attrs a = {0};
    double got[3];
    a.index.mode = mode;
    lm_val data = NUMBERS(&e, LM_F64, LM_SHAPE(2), 1, 4), index = NUMBERS(&e, LM_I64, LM_SHAPE(3), 0, 0, 1);
    lm_val in = input(&e, NULL, LM_F64, LM_SHAPE(3)), y = lm_emit1(&e, LM_OP_SCATTERELEMENTS, &a, data, index, in);
    CHECK_OK(lm_graph_output(e.g, gradient(&e, y, in)));
    run_doubles(&e, (double[]){3, 3, 4}, got);
    for (int i = 0; i < 3; i++)
        CHECK(got[i] == wanted[i]);
    lm_graph_free(e.g);
}

static void scattered_twice(void)
{
    scatter(LM_SCATTER_SET, (double[]){0, 1, 1});
    scatter(LM_SCATTER_ADD, (double[]){1, 1, 1});
    scatter(LM_SCATTER_MUL, (double[]){3, 3, 4});
    scatter(LM_SCATTER_MAX, (double[]){0.5, 0.5, 0.5});
    scatter(LM_SCATTER_MIN, (double[]){0, 0, 0.5});
}

/* The same value three times in one node and in others: every use counts. */
static void fan_out(void)
{
    lm_emit e = begin(NULL);
    double got;
    lm_val x = input(&e, NULL, LM_F64, LM_SHAPE(1)), cube = binary(&e, LM_OP_MUL, binary(&e, LM_OP_MUL, x, x), x);
    lm_val y = binary(&e, LM_OP_ADD, cube, binary(&e, LM_OP_ADD, x, x));
    CHECK_OK(lm_graph_output(e.g, gradient(&e, y, x)));
    run_doubles(&e, (double[]){3}, &got);
    CHECK(got == 29);
    lm_graph_free(e.g);
}

/* Contributions are added in the order of consumers: (1e16 + 1) - 1e16 is 0, any other order gives 1 or so. */
static void added_in_order(void)
{
    lm_emit e = begin(NULL);
    double got;
    lm_val x = input(&e, NULL, LM_F64, LM_SHAPE(1));
    lm_val a = scalar(&e, LM_OP_MUL, x, 1e16), b = scalar(&e, LM_OP_MUL, x, 1), c = scalar(&e, LM_OP_MUL, x, -1e16);
    lm_val y = binary(&e, LM_OP_ADD, binary(&e, LM_OP_ADD, c, b), a);
    CHECK_OK(lm_graph_output(e.g, gradient(&e, y, x)));
    run_doubles(&e, (double[]){1}, &got);
    CHECK(got == 0);
    lm_graph_free(e.g);
}

/* Wrt one value and another behind it: both get their whole signal, or with `leaves` the nearer one keeps it. */
static void one_behind_the_other(void)
{
    for (int leaves = 0; leaves < 2; leaves++) {
        lm_emit e = begin(NULL);
        double got[2];
        lm_val x = input(&e, NULL, LM_F64, LM_SHAPE(1)), h = scalar(&e, LM_OP_MUL, x, 3), signal[2];
        lm_val y = binary(&e, LM_OP_ADD, binary(&e, LM_OP_MUL, h, h), x), wrt[2] = {x, h};
        const lm_backward b = {.set = &lm_set_grad, .ntarget = 1, .target = &y, .nwrt = 2, .wrt = wrt,
                               .signal = signal, .leaves = leaves};
        CHECK_OK(lm_backward_emit(&e, &b));
        lm_attrs axis = {0};
        CHECK_OK(lm_graph_output(e.g, lm_emit_one(&e, LM_OP_CONCAT, &axis, 2, signal)));
        run_doubles(&e, (double[]){2}, got);
        CHECK(got[1] == 12 && got[0] == (leaves ? 1 : 37));
        lm_graph_free(e.g);
    }
}

/* The gradient's own gradient, for each op whose second derivative is written down, against differences. */
static void second_order(void)
{
    const lm_opid ops[] = {
        LM_OP_SQRT,  LM_OP_RECIPROCAL, LM_OP_EXP,   LM_OP_LOG,   LM_OP_ERF,      LM_OP_SIN,       LM_OP_COS,
        LM_OP_TAN,   LM_OP_ASIN,       LM_OP_ACOS,  LM_OP_ATAN,  LM_OP_SINH,     LM_OP_COSH,      LM_OP_ASINH,
        LM_OP_ACOSH, LM_OP_ATANH,      LM_OP_RELU,  LM_OP_ELU,   LM_OP_SELU,     LM_OP_CELU,      LM_OP_GELU,
        LM_OP_SWISH, LM_OP_MISH,       LM_OP_TANH,  LM_OP_SIGMOID, LM_OP_SOFTPLUS, LM_OP_SOFTSIGN, LM_OP_HARDSWISH,
        LM_OP_GELU,
    };
    const lm_shape five = LM_SHAPE(5);
    for (size_t k = 0; k < LM_COUNT(ops); k++) {
        const bool last = k + 1 == LM_COUNT(ops); /* GELU's other form */
        const lm_attrs a = act(ops[k] == LM_OP_GELU ? last : 1.25f, 0.75f);
        const double base = ops[k] == LM_OP_ACOSH ? 1.5 : ops[k] == LM_OP_SQRT || ops[k] == LM_OP_LOG ? 0.2 : -0.7;
        const double points[5] = {base, base + 0.15, base + 0.5, base + 0.9, base + 1.3};
        char why[PROBE_WHY];
        lm_emit e = begin(NULL);
        lm_val x = input(&e, NULL, LM_F64, five);
        lm_val y = lm_emit1(&e, ops[k], lm_ops[ops[k]].attrs == LM_ATTR_act ? &a : NULL, x);
        CHECK_OK(lm_graph_output(e.g, gradient(&e, binary(&e, LM_OP_MUL, y, y), x)));
        lm_view feed;
        CHECK_OK(lm_view_new(LM_F64, &five, &feed));
        for (int i = 0; i < 5; i++)
            lm_view_set(&feed, i, points[i]);
        if (!CHECK(probe_gradient(&ref, e.g, &feed, 7, why) == PROBE_GOOD))
            printf("%s: %s\n", lm_ops[ops[k]].name, why);
        lm_buffer_unref(feed.buf);
        lm_graph_free(e.g);
    }
}

/* A small network with a bit of everything: first and second derivatives with respect to input and weights. */
static lm_val network(lm_emit *e, lm_val image, lm_val kernel)
{
    lm_attrs conv = {0}, pool = {0}, norm = {0}, axis = {0};
    conv.conv.nd = 2;
    conv.conv.groups = 1;
    pool.pool.nd = 2;
    for (int i = 0; i < 2; i++) {
        conv.conv.kernel[i] = 3;
        conv.conv.stride[i] = conv.conv.dilation[i] = conv.conv.pad_lo[i] = conv.conv.pad_hi[i] = 1;
        pool.pool.kernel[i] = pool.pool.stride[i] = 2;
        pool.pool.dilation[i] = 1;
    }
    norm.norm.axis = 1;
    norm.norm.epsilon = 1e-3f;
    axis.axis.axis = 1;
    lm_val y = lm_emit1(e, LM_OP_MAXPOOL, &pool, unary(e, LM_OP_TANH, lm_emit1(e, LM_OP_CONV, &conv, image, kernel)));
    const lm_shape rows = LM_SHAPE(2, 8);
    y = lm_emit_reshape(e, y, &rows);
    y = lm_emit1(e, LM_OP_LAYERNORM, &norm, y, weights(e, 3, LM_SHAPE(8)), weights(e, 4, LM_SHAPE(8)));
    y = lm_emit1(e, LM_OP_MATMUL, NULL, y, weights(e, 5, LM_SHAPE(8, 3)));
    return lm_emit1(e, LM_OP_SOFTMAX, &axis, y);
}

static void networks(void)
{
    for (int order = 1; order <= 2; order++) {
        char why[PROBE_WHY];
        lm_emit e = begin(NULL);
        lm_val image = floats(&e, LM_SHAPE(2, 2, 4, 4)), kernel = floats(&e, LM_SHAPE(2, 2, 3, 3));
        lm_val y = network(&e, image, kernel);
        CHECK_OK(lm_graph_output(e.g, order == 1 ? y : gradient(&e, binary(&e, LM_OP_MUL, y, y), kernel)));
        lm_view feed[2] = {noise_view(1, LM_F32, LM_SHAPE(2, 2, 4, 4)), noise_view(2, LM_F32, LM_SHAPE(2, 2, 3, 3))};
        if (!CHECK(probe_gradient(&ref, e.g, feed, 11, why) == PROBE_GOOD))
            printf("order %d: %s\n", order, why);
        lm_buffer_unref(feed[0].buf);
        lm_buffer_unref(feed[1].buf);
        lm_graph_free(e.g);
    }
}

/* The emitter joins movements. An expansion that begins with one must not lose its operand that way, nor must a second
 * walk lose what it is asked for. */
static void behind_movements(void)
{
    for (int order = 1; order <= 2; order++) {
        lm_emit e = begin(&cpu);
        char why[PROBE_WHY];
        const lm_shape flat = LM_SHAPE(24), halves = LM_SHAPE(2, 3, 4);
        lm_attrs groups = {0};
        groups.norm.groups = 1;
        groups.norm.epsilon = 0.1f;
        lm_val x = floats(&e, flat), layer = lm_emit_reshape(&e, x, &halves);
        lm_val y = lm_emit1(&e, LM_OP_GROUPNORM, &groups, layer, weights(&e, 1, LM_SHAPE(3)), weights(&e, 2, LM_SHAPE(3)));
        y = lm_emit1(&e, LM_OP_MATMUL, NULL, binary(&e, LM_OP_MUL, y, y), weights(&e, 3, LM_SHAPE(4, 2)));
        lm_val first = gradient(&e, y, layer), second = order == 2 ? gradient(&e, binary(&e, LM_OP_MUL, first, first), layer)
                                                                    : first;
        CHECK(!lm_graph_value(e.g, second)->constant);
        CHECK_OK(lm_graph_output(e.g, order == 2 ? first : y));
        lm_view feed = noise_view(4, LM_F32, flat);
        CHECK_INT(probe_gradient(&ref, e.g, &feed, 3, why), PROBE_GOOD);
        lm_buffer_unref(feed.buf);
        lm_graph_free(e.g);
    }
}

/* Nothing is emitted for what lies on no way: a map at a layer never reaches the pixels. */
static void pruned(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(2, 3)), h = unary(&e, LM_OP_TANH, binary(&e, LM_OP_MATMUL, x, weights(&e, 1, LM_SHAPE(3, 3))));
    lm_val y = unary(&e, LM_OP_EXP, h);
    const size_t before = e.g->nodes.count;
    gradient(&e, y, h);
    CHECK(count_op(e.g, LM_OP_MATMUL) == 1);
    CHECK(e.g->nodes.count <= before + 2);
    lm_graph_free(e.g);
}

static void no_dependence_is_zero(void)
{
    lm_emit e = begin(NULL);
    double got[2] = {7, 7};
    lm_val x = input(&e, NULL, LM_F64, LM_SHAPE(2)), other = input(&e, NULL, LM_F64, LM_SHAPE(2));
    lm_val y = binary(&e, LM_OP_ADD, unary(&e, LM_OP_FLOOR, x), other);
    CHECK_OK(lm_graph_output(e.g, gradient(&e, y, x)));
    run_doubles(&e, (double[]){1.5, 2.5, 3, 4}, got);
    CHECK(got[0] == 0 && got[1] == 0);
    lm_graph_free(e.g);
}

static lm_status ask(lm_emit *e, const lm_ruleset *set, lm_val y, lm_val x)
{
    lm_val signal;
    const lm_backward b = {.set = set, .ntarget = 1, .target = &y, .nwrt = 1, .wrt = &x, .signal = &signal};
    lm_status status = lm_backward_emit(e, &b);
    e->status = LM_OK;
    return status;
}

/* What cannot be says why: a cut on the only way, a rule that a set lacks, a signal for integers. */
static void refusals(void)
{
    static const lm_ruleset strict = {.name = "strict", .deflt = LM_DEFAULT_REFUSE};
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(4)), i = input(&e, "tokens", LM_I64, LM_SHAPE(4));
    lm_val best = lm_emit_cast(&e, lm_emit_axis(&e, LM_OP_ARGMAX, x, 0), LM_F32);
    CHECK_FAILS(ask(&e, &lm_set_grad, best, x), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "ArgMax") != NULL);
    CHECK_OK(ask(&e, &lm_set_grad, binary(&e, LM_OP_MUL, x, best), x)); /* another way remains */
    CHECK_FAILS(ask(&e, &strict, unary(&e, LM_OP_TANH, x), x), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "Tanh") != NULL && strstr(lm_message(), "strict") != NULL);
    CHECK_FAILS(ask(&e, &lm_set_grad, best, i), LM_USAGE);
    CHECK(strstr(lm_message(), "tokens") != NULL);
    lm_graph_free(e.g);
}

static lm_status small_walk(void)
{
    lm_emit e = {0};
    lm_type type = {LM_F32, LM_SHAPE(2, 2, 4, 4)}, like = {LM_F32, LM_SHAPE(2, 2, 3, 3)};
    lm_val image, kernel, signal[2];
    LM_TRY(lm_graph_new(&e.g));
    lm_status status = lm_graph_input(e.g, NULL, &type, &image);
    if (status == LM_OK)
        status = lm_graph_input(e.g, NULL, &like, &kernel);
    if (status == LM_OK) {
        lm_attrs conv = {0};
        conv.conv.nd = 2;
        conv.conv.groups = 1;
        for (int i = 0; i < 2; i++) {
            conv.conv.kernel[i] = 3;
            conv.conv.stride[i] = conv.conv.dilation[i] = 1;
        }
        lm_val y = lm_emit1(&e, LM_OP_GLOBAL_AVG, NULL, lm_emit1(&e, LM_OP_CONV, &conv, image, kernel));
        y = lm_emit1(&e, LM_OP_GELU, NULL, y);
        const lm_val wrt[2] = {image, kernel};
        const lm_backward b = {.set = &lm_set_grad, .ntarget = 1, .target = &y, .nwrt = 2, .wrt = wrt, .signal = signal};
        status = e.status == LM_OK ? lm_backward_emit(&e, &b) : e.status;
    }
    lm_graph_free(e.g);
    return status;
}

static void memory_runs_out(void)
{
    CHECK(test_every_allocation(small_walk) > 20);
}

/* Signals of parts that do not overlap are put side by side, with zeros where nobody looked: 3 cos x, 0, 1, 2 x. */
static void parts_go_back_side_by_side(void)
{
    lm_emit e = begin(NULL);
    double got[8];
    static const double at[] = {0, 5, 1, 3, 0, 6, 1, 4}, wanted[] = {3, 0, 1, 6, 3, 0, 1, 8};
    lm_val x = input(&e, NULL, LM_F64, LM_SHAPE(2, 4)), part[3];
    part[0] = lm_emit_slice(&e, x, 1, 3, 1);
    part[0] = binary(&e, LM_OP_MUL, part[0], part[0]);
    part[1] = scalar(&e, LM_OP_MUL, unary(&e, LM_OP_SIN, lm_emit_slice(&e, x, 1, 0, 1)), 3);
    part[2] = lm_emit_slice(&e, x, 1, 2, 1);
    lm_val s = gradient(&e, lm_emit_concat(&e, 3, part, 1), x);
    CHECK_INT(count_op(e.g, LM_OP_CONCAT), 2);
    CHECK_OK(lm_graph_output(e.g, s));
    run_doubles(&e, at, got);
    for (int i = 0; i < 8; i++)
        CHECK_NEAR(got[i], wanted[i], 1e-12);
    lm_graph_free(e.g);
}

/* Parts that overlap are added. */
static void parts_that_overlap_are_added(void)
{
    lm_emit e = begin(NULL);
    double got[4];
    static const double at[] = {1, 2, 3, 4}, wanted[] = {1, 2, 2, 1};
    lm_val x = input(&e, NULL, LM_F64, LM_SHAPE(4)), part[2];
    part[0] = lm_emit_slice(&e, x, 0, 0, 3);
    part[1] = lm_emit_slice(&e, x, 0, 1, 3);
    CHECK_OK(lm_graph_output(e.g, gradient(&e, lm_emit_concat(&e, 2, part, 0), x)));
    run_doubles(&e, at, got);
    for (int i = 0; i < 4; i++)
        CHECK(got[i] == wanted[i]);
    lm_graph_free(e.g);
}

static void cases(void)
{
    CASE(relu_is_shut_at_0);
    CASE(relu_is_open_to_nan);
    CASE(abs_is_flat_at_0);
    CASE(clip_is_shut_at_its_bounds);
    CASE(hardsigmoid_is_shut_at_its_bounds);
    CASE(hardswish_is_0_below_and_1_above);
    CASE(leakyrelu_leaks_at_0);
    CASE(thresholded_is_shut_at_its_threshold);
    CASE(shrink_is_shut_at_both_ends);
    CASE(round_is_flat);
    CASE(max_and_min_share_ties);
    CASE(prelu_takes_the_slope_at_0);
    CASE(pow_of_0_has_no_log);
    CASE(reductions_share_ties);
    CASE(products_with_zeros);
    CASE(maxpool_takes_the_first);
    CASE(topk_takes_the_first);
    CASE(scattered_twice);
    CASE(fan_out);
    CASE(added_in_order);
    CASE(parts_go_back_side_by_side);
    CASE(parts_that_overlap_are_added);
    CASE(one_behind_the_other);
    CASE(second_order);
    CASE(networks);
    CASE(behind_movements);
    CASE(pruned);
    CASE(no_dependence_is_zero);
    CASE(refusals);
    CASE(memory_runs_out);
}

int main(void)
{
    return rules_main("ref", &ref, cases);
}
