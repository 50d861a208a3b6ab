/* Lowered graphs: fewer nodes, the same results; to the bit where no weights change. */
#include "core/graph/emit_move.h"
#include "core/graph/passes.h"
#include "tests/unit/graph_run.h"

static const double folded = 1e-5;

static lm_graph *lower(lm_emit *e, lm_val y, double slack)
{
    lm_graph *g = NULL;
    CHECK_OK(e->status);
    CHECK_OK(lm_graph_output(e->g, y));
    if (CHECK_OK(lm_lower(e->g, &cpu, &g, NULL)))
        same_results(&cpu, e->g, g, slack);
    lm_graph_free(e->g);
    return g;
}

static void show(const lm_graph *g)
{
    lm_str text = {0};
    CHECK_OK(lm_graph_print(g, &text));
    printf("%s", lm_str_text(&text));
    lm_str_free(&text);
}

static int epilogues(const lm_graph *g)
{
    int n = 0;
    for (size_t i = 0; i < g->nodes.count; i++)
        n += g->nodes.at[i]->ep != NULL;
    return n;
}

/* As many nodes as before, none with an epilogue. */
static void keeps(lm_emit *e, lm_val y, size_t nodes)
{
    lm_graph *g = lower(e, y, 0);
    if (g && (!CHECK_INT(g->nodes.count, nodes) || !CHECK_INT(epilogues(g), 0)))
        show(g);
    lm_graph_free(g);
}

/* Only `nodes` nodes are left. */
static void becomes(lm_emit *e, lm_val y, size_t nodes, double slack)
{
    lm_graph *g = lower(e, y, slack);
    if (g && !CHECK_INT(g->nodes.count, nodes))
        show(g);
    lm_graph_free(g);
}

static lm_attrs conv_attrs(int32_t groups, int64_t kernel, int64_t pad)
{
    lm_attrs a;
    memset(&a, 0, sizeof a);
    a.conv.nd = 2, a.conv.groups = groups;
    for (int i = 0; i < 2; i++) {
        a.conv.kernel[i] = kernel;
        a.conv.stride[i] = a.conv.dilation[i] = 1;
        a.conv.pad_lo[i] = a.conv.pad_hi[i] = pad;
    }
    return a;
}

static lm_val conv(lm_emit *e, lm_val x, int64_t channels, bool bias)
{
    lm_attrs a = conv_attrs(1, 3, 1);
    lm_val w = weights(e, 1, LM_SHAPE(channels, lm_emit_shape(e, x)->dim[1], 3, 3));
    lm_val b = bias ? weights(e, 2, LM_SHAPE(channels)) : LM_NOVAL;
    return lm_emit_one(e, LM_OP_CONV, &a, bias ? 3 : 2, (lm_val[]){x, w, b});
}

static lm_val batchnorm(lm_emit *e, lm_val x)
{
    lm_attrs a = {0};
    a.norm.epsilon = 1e-3f;
    lm_shape c = LM_SHAPE(lm_emit_shape(e, x)->dim[1]);
    lm_view var = noise_view(14, LM_F32, c);
    for (int64_t i = 0; i < c.dim[0]; i++)
        lm_view_set(&var, i, 1.5 + lm_view_get(&var, i));
    lm_val v = lm_emit_content(e, &var);
    lm_buffer_unref(var.buf);
    return lm_emit1(e, LM_OP_BATCHNORM, &a, x, weights(e, 11, c), weights(e, 12, c), weights(e, 13, c), v);
}

static void batchnorm_goes_into_weights(void)
{
    for (int bias = 0; bias < 2; bias++) {
        lm_emit e = begin(NULL);
        becomes(&e, batchnorm(&e, conv(&e, floats(&e, LM_SHAPE(2, 4, 6, 6)), 5, bias)), 1, folded);
    }
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(3, 8));
    lm_attrs t = {0};
    t.matmul.tb = true;
    becomes(&e, batchnorm(&e, lm_emit1(&e, LM_OP_MATMUL, &t, x, weights(&e, 1, LM_SHAPE(5, 8)))), 1, folded);
    for (int32_t groups = 1; groups <= 2; groups++) {
        e = begin(NULL);
        x = floats(&e, LM_SHAPE(2, 4, 5, 5));
        lm_attrs a = conv_attrs(groups, 3, 0);
        a.conv.size[0] = a.conv.size[1] = 7;
        lm_val w = weights(&e, 1, LM_SHAPE(4, 3, 3, 3));
        becomes(&e, batchnorm(&e, lm_emit1(&e, LM_OP_CONV_T, &a, x, w)), 1, folded);
    }
}

/* A convolution that somebody else reads, a norm without a product before it, and a chain that runs in doubles. */
static void batchnorm_stays(void)
{
    lm_emit e = begin(NULL);
    lm_val y = conv(&e, floats(&e, LM_SHAPE(1, 3, 5, 5)), 4, false);
    CHECK_OK(lm_graph_output(e.g, y));
    becomes(&e, batchnorm(&e, y), 2, 0);
    e = begin(NULL);
    becomes(&e, batchnorm(&e, floats(&e, LM_SHAPE(1, 3, 5, 5))), 1, 0);
    lm_chain wide;
    lm_graph *g = NULL;
    CHECK_OK(lm_chain_open("ref:type=f64", &wide));
    e = begin(NULL);
    y = batchnorm(&e, conv(&e, floats(&e, LM_SHAPE(1, 3, 5, 5)), 4, false));
    CHECK_OK(lm_graph_output(e.g, y));
    CHECK_OK(lm_lower(e.g, &wide, &g, NULL));
    CHECK_INT(g->nodes.count, 2);
    lm_graph_free(g);
    lm_graph_free(e.g);
    lm_chain_close(&wide);
}

/* Batch norm as the arithmetic that some exporters leave of it, and a residual block around it. */
static void a_whole_block(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(1, 4, 6, 6));
    lm_val y = binary(&e, LM_OP_MUL, conv(&e, x, 4, true), weights(&e, 5, LM_SHAPE(1, 4, 1, 1)));
    y = binary(&e, LM_OP_ADD, y, x);
    lm_graph *g = lower(&e, unary(&e, LM_OP_RELU, y), folded);
    const lm_node *n = first_op(g, LM_OP_CONV);
    CHECK_INT(g->nodes.count, 1);
    CHECK(n && n->ep && n->ep->residual && n->ep->active && n->ep->act == LM_OP_RELU && n->nx == 4);
    CHECK_INT(g->values.count, 1 + 1 + 2 + 1); /* the old weights are gone */
    lm_graph_free(g);

    /* a norm without scale and bias, and those after it */
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(1, 4, 6, 6));
    y = binary(&e, LM_OP_MUL, batchnorm(&e, conv(&e, x, 4, false)), weights(&e, 5, LM_SHAPE(4, 1, 1)));
    becomes(&e, unary(&e, LM_OP_RELU, binary(&e, LM_OP_SUB, y, weights(&e, 6, LM_SHAPE(4, 1, 1)))), 1, folded);

    e = begin(NULL);
    x = floats(&e, LM_SHAPE(1, 4, 6, 6));
    y = batchnorm(&e, conv(&e, x, 4, false));
    becomes(&e, unary(&e, LM_OP_RELU, binary(&e, LM_OP_ADD, x, y)), 1, folded);

    /* two products meet: the later one takes the other's result */
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(1, 4, 6, 6));
    lm_val skip = conv(&e, x, 6, true), z = conv(&e, unary(&e, LM_OP_RELU, conv(&e, x, 5, false)), 6, false);
    g = lower(&e, binary(&e, LM_OP_ADD, skip, z), 0);
    CHECK_INT(g->nodes.count, 3);
    CHECK(g->nodes.at[2]->ep && g->nodes.at[2]->ep->residual && g->nodes.at[1]->ep->act == LM_OP_RELU);
    lm_graph_free(g);
}

/* Rows of tokens on their way through a product of two axes. */
static void residual_through_reshapes(void)
{
    lm_emit e = begin(NULL);
    const lm_shape tokens = LM_SHAPE(1, 6, 8), rows = LM_SHAPE(6, 8);
    lm_val x = floats(&e, tokens), w = weights(&e, 1, LM_SHAPE(8, 8));
    lm_val y = binary(&e, LM_OP_MATMUL, lm_emit_reshape(&e, floats(&e, tokens), &rows), w);
    lm_graph *g = lower(&e, binary(&e, LM_OP_ADD, x, lm_emit_reshape(&e, y, &tokens)), 0);
    CHECK(count_op(g, LM_OP_ADD) == 0 && epilogues(g) == 1);
    lm_graph_free(g);
    /* the reshaped value has another reader */
    e = begin(NULL);
    x = floats(&e, tokens), w = weights(&e, 1, LM_SHAPE(8, 8));
    y = lm_emit_reshape(&e, binary(&e, LM_OP_MATMUL, floats(&e, rows), w), &tokens);
    CHECK_OK(lm_graph_output(e.g, y));
    keeps(&e, binary(&e, LM_OP_ADD, x, y), 3);
}

static void scale_goes_into_weights(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(2, 3, 8)), w = weights(&e, 1, LM_SHAPE(8, 6)), b = weights(&e, 2, LM_SHAPE(6));
    becomes(&e, scalar(&e, LM_OP_DIV, lm_emit1(&e, LM_OP_MATMUL, NULL, x, w, b), 8), 1, folded);
    /* weights that are not constant, a factor along another axis */
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(3, 8)), w = floats(&e, LM_SHAPE(8, 6));
    becomes(&e, scalar(&e, LM_OP_MUL, binary(&e, LM_OP_MATMUL, x, w), 2), 2, 0);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(6, 8)), w = weights(&e, 1, LM_SHAPE(8, 6));
    becomes(&e, binary(&e, LM_OP_MUL, binary(&e, LM_OP_MATMUL, x, w), weights(&e, 2, LM_SHAPE(6, 1))), 2, 0);
}

static lm_val pad(lm_emit *e, lm_val x, int64_t lo, int64_t hi, double value)
{
    lm_attrs a = {0};
    for (int i = 2; i < 4; i++)
        a.pad.lo[i] = lo, a.pad.hi[i] = hi;
    return lm_emit1(e, LM_OP_PAD, &a, x, lm_emit_const(e, LM_F32, value));
}

static lm_val pool(lm_emit *e, lm_opid op, lm_val x, int64_t own, bool ceil)
{
    lm_attrs a = {0};
    a.pool.nd = 2;
    a.pool.ceil = ceil;
    for (int i = 0; i < 2; i++) {
        a.pool.kernel[i] = 3, a.pool.stride[i] = 2, a.pool.dilation[i] = 1;
        a.pool.pad_lo[i] = a.pool.pad_hi[i] = own;
    }
    return lm_emit1(e, op, &a, x);
}

static void pads_go_into_windows(void)
{
    const lm_shape image = LM_SHAPE(1, 3, 7, 8);
    lm_emit e = begin(NULL);
    becomes(&e, conv(&e, pad(&e, floats(&e, image), 1, 2, 0), 4, true), 1, 0);
    e = begin(NULL);
    becomes(&e, pool(&e, LM_OP_AVGPOOL, pad(&e, floats(&e, image), 0, 1, 0), 0, false), 1, 0);
    e = begin(NULL);
    becomes(&e, pool(&e, LM_OP_MAXPOOL, pad(&e, floats(&e, image), 1, 1, -INFINITY), 0, false), 1, 0);
    e = begin(NULL);
    becomes(&e, pool(&e, LM_OP_MAXPOOL, pad(&e, unary(&e, LM_OP_RELU, floats(&e, image)), 1, 1, 0), 0, false), 2, 0);
}

static void pads_stay(void)
{
    const lm_shape image = LM_SHAPE(1, 3, 7, 8);
    lm_emit e = begin(NULL);
    becomes(&e, conv(&e, pad(&e, floats(&e, image), 1, 2, 1), 4, true), 2, 0); /* not zeros */
    e = begin(NULL);
    becomes(&e, conv(&e, pad(&e, floats(&e, image), -1, 2, 0), 4, true), 2, 0); /* crops */
    e = begin(NULL);
    becomes(&e, pool(&e, LM_OP_AVGPOOL, pad(&e, floats(&e, image), 0, 1, 0), 1, false), 2, 0); /* pads twice */
    e = begin(NULL);
    becomes(&e, pool(&e, LM_OP_AVGPOOL, pad(&e, floats(&e, image), 0, 1, 0), 0, true), 2, 0);
    e = begin(NULL);
    becomes(&e, pool(&e, LM_OP_MAXPOOL, pad(&e, floats(&e, image), 1, 1, 0), 0, false), 2, 0); /* may be negative */
    e = begin(NULL);
    becomes(&e, pool(&e, LM_OP_MAXPOOL, pad(&e, floats(&e, image), 3, 0, -INFINITY), 0, false), 2,
            0); /* sees nothing */
}

static void gemm(void)
{
    for (int alpha = 1; alpha <= 2; alpha++) {
        lm_emit e = begin(NULL);
        lm_val x = floats(&e, LM_SHAPE(3, 8)), w = weights(&e, 1, LM_SHAPE(5, 8)), c = weights(&e, 2, LM_SHAPE(1, 5));
        lm_attrs a = {0};
        a.gemm.tb = true, a.gemm.alpha = (float)alpha, a.gemm.beta = 1;
        lm_val y = unary(&e, LM_OP_TANH, lm_emit1(&e, LM_OP_GEMM, &a, x, w, c));
        lm_graph *g = lower(&e, y, alpha == 1 ? 0 : folded);
        const lm_node *n = first_op(g, LM_OP_MATMUL);
        CHECK(n && n->nx == (alpha == 1 ? 3 : 2) && g->nodes.count == (alpha == 1 ? 1 : 4));
        lm_graph_free(g);
    }
}

static void transposes_go_into_products(void)
{
    lm_emit e = begin(NULL);
    lm_val q = floats(&e, LM_SHAPE(2, 3, 4, 5)), k = floats(&e, LM_SHAPE(2, 3, 6, 5));
    lm_val kt = lm_emit_transpose(&e, k, (int32_t[]){0, 1, 3, 2});
    becomes(&e, binary(&e, LM_OP_MATMUL, q, kt), 1, 0);
    e = begin(NULL);
    q = floats(&e, LM_SHAPE(2, 4, 3, 5)), k = floats(&e, LM_SHAPE(2, 3, 5, 6));
    lm_val moved = lm_emit_transpose(&e, q, (int32_t[]){0, 2, 1, 3});
    becomes(&e, binary(&e, LM_OP_MATMUL, moved, k), 2, 0);
}

/* Every activation there is, with its parameters. */
static void activations(void)
{
    static const struct {
        lm_opid op;
        float a, b;
    } row[] = {
        {LM_OP_RELU, 0, 0},      {LM_OP_CLIP, 0, 6},     {LM_OP_CLIP, -0.5f, 0.25f}, {LM_OP_LEAKYRELU, 0.1f, 0},
        {LM_OP_GELU, 0, 0},      {LM_OP_GELU, 1, 0},     {LM_OP_SWISH, 1, 0},        {LM_OP_HARDSWISH, 0, 0},
        {LM_OP_SIGMOID, 0, 0},   {LM_OP_TANH, 0, 0},     {LM_OP_ELU, 1, 0},          {LM_OP_MISH, 0, 0},
        {LM_OP_SOFTPLUS, 0, 0},  {LM_OP_HARDSIGMOID, 0.2f, 0.5f},
    };
    for (size_t i = 0; i < LM_COUNT(row); i++) {
        lm_emit e = begin(NULL);
        lm_attrs a = {0};
        a.act.a = row[i].a, a.act.b = row[i].b;
        const bool has = lm_ops[row[i].op].attrs == LM_ATTR_act;
        lm_val y = conv(&e, floats(&e, LM_SHAPE(1, 3, 5, 6)), 7, true);
        becomes(&e, lm_emit1(&e, row[i].op, has ? &a : NULL, y), 1, 0);
    }
}

/* A norm without a product before it takes the activation behind it, and nothing else: no residual, no second one. */
static void activations_join_norms(void)
{
    static const lm_opid act[] = {LM_OP_RELU, LM_OP_TANH};
    for (size_t i = 0; i < LM_COUNT(act); i++) {
        lm_emit e = begin(NULL);
        lm_graph *g = lower(&e, unary(&e, act[i], batchnorm(&e, floats(&e, LM_SHAPE(2, 19, 3, 5)))), 0);
        const lm_node *n = first_op(g, LM_OP_BATCHNORM);
        CHECK_INT(g->nodes.count, 1);
        CHECK(n && n->nx == 5 && n->ep && n->ep->active && n->ep->act == act[i] && !n->ep->residual);
        lm_graph_free(g);
    }
    lm_emit e = begin(NULL);
    becomes(&e, unary(&e, LM_OP_TANH, unary(&e, LM_OP_RELU, batchnorm(&e, floats(&e, LM_SHAPE(3, 4))))), 2, 0);
    e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(2, 3, 4, 4));
    keeps(&e, binary(&e, LM_OP_ADD, batchnorm(&e, x), x), 2);
    e = begin(NULL);
    lm_val y = batchnorm(&e, floats(&e, LM_SHAPE(2, 3, 4, 4)));
    CHECK_OK(lm_graph_output(e.g, y));
    keeps(&e, unary(&e, LM_OP_RELU, y), 2);
    e = begin(NULL);
    keeps(&e, unary(&e, LM_OP_ISNAN, batchnorm(&e, floats(&e, LM_SHAPE(2, 3)))), 2);
}

/* An inner value with another consumer; a residual that broadcasts; an activation of another type; what comes twice. */
static void epilogues_that_must_not_be(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(4, 8)), w = weights(&e, 1, LM_SHAPE(8, 8)), y = binary(&e, LM_OP_MATMUL, x, w);
    CHECK_OK(lm_graph_output(e.g, y));
    keeps(&e, unary(&e, LM_OP_RELU, y), 2);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(4, 8)), w = weights(&e, 1, LM_SHAPE(8, 8));
    keeps(&e, binary(&e, LM_OP_ADD, binary(&e, LM_OP_MATMUL, x, w), floats(&e, LM_SHAPE(4, 1))), 2);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(4, 8)), w = weights(&e, 1, LM_SHAPE(8, 8)), y = binary(&e, LM_OP_MATMUL, x, w);
    keeps(&e, binary(&e, LM_OP_ADD, y, y), 2);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(4, 8)), w = weights(&e, 1, LM_SHAPE(8, 8));
    keeps(&e, unary(&e, LM_OP_ISNAN, binary(&e, LM_OP_MATMUL, x, w)), 2);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(4, 8)), w = weights(&e, 1, LM_SHAPE(8, 8));
    y = unary(&e, LM_OP_TANH, unary(&e, LM_OP_RELU, binary(&e, LM_OP_MATMUL, x, w)));
    becomes(&e, y, 2, 0);
    e = begin(NULL);
    x = input(&e, NULL, LM_I64, LM_SHAPE(2, 2));
    keeps(&e, unary(&e, LM_OP_ABS, binary(&e, LM_OP_MATMUL, x, x)), 2);
}

/* A signal on its way back through an activation that was at `at`. */
static lm_val slope(lm_emit *e, lm_opid of, lm_val s, lm_val at)
{
    lm_attrs a = {0};
    a.actdx.of = (int32_t)of;
    return lm_emit1(e, LM_OP_ACT_DX, &a, s, at);
}

static void slopes_join_products(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(5, 8)), w = weights(&e, 1, LM_SHAPE(8, 7)), at = floats(&e, LM_SHAPE(5, 7));
    lm_val y = binary(&e, LM_OP_ADD, binary(&e, LM_OP_MATMUL, x, w), floats(&e, LM_SHAPE(5, 7)));
    lm_graph *g = lower(&e, slope(&e, LM_OP_RELU, y, at), 0);
    const lm_node *n = first_op(g, LM_OP_MATMUL);
    CHECK_INT(g->nodes.count, 1);
    CHECK(n && n->nx == 4 && n->ep && n->ep->residual && n->ep->sloped && n->ep->slope.of == LM_OP_RELU);
    lm_graph_free(g);
}

/* An inner value with another reader; an activation behind the slope; what is the same for many samples; no mask. */
static void slopes_that_stay(void)
{
    const lm_shape wide = LM_SHAPE(5, 7), one = LM_SHAPE(1, 7);
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(5, 8)), w = weights(&e, 1, LM_SHAPE(8, 7)), y = binary(&e, LM_OP_MATMUL, x, w);
    CHECK_OK(lm_graph_output(e.g, y));
    keeps(&e, slope(&e, LM_OP_RELU, y, floats(&e, wide)), 2);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(5, 8)), w = weights(&e, 1, LM_SHAPE(8, 7));
    y = slope(&e, LM_OP_RELU, binary(&e, LM_OP_MATMUL, x, w), floats(&e, wide));
    becomes(&e, unary(&e, LM_OP_TANH, y), 2, 0);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(5, 8)), w = weights(&e, 1, LM_SHAPE(8, 7));
    lm_val at = lm_emit_expand(&e, floats(&e, one), &wide);
    keeps(&e, slope(&e, LM_OP_RELU, binary(&e, LM_OP_MATMUL, x, w), at), 3);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(5, 8)), w = weights(&e, 1, LM_SHAPE(8, 7));
    keeps(&e, slope(&e, LM_OP_TANH, binary(&e, LM_OP_MATMUL, x, w), floats(&e, wide)), 2);
}

/* Factors of what goes into a product, one per channel: a norm on the way back. */
static void gain_goes_into_weights(void)
{
    lm_emit e = begin(NULL);
    lm_val x = binary(&e, LM_OP_MUL, floats(&e, LM_SHAPE(5, 8)), weights(&e, 2, LM_SHAPE(8)));
    becomes(&e, binary(&e, LM_OP_MATMUL, x, weights(&e, 1, LM_SHAPE(8, 6))), 1, folded);
    for (int32_t groups = 1; groups <= 4; groups += 3) {
        e = begin(NULL);
        x = binary(&e, LM_OP_MUL, weights(&e, 2, LM_SHAPE(4, 1, 1)), floats(&e, LM_SHAPE(2, 4, 5, 5)));
        lm_attrs a = conv_attrs(groups, 3, 1);
        a.conv.size[0] = a.conv.size[1] = 5;
        becomes(&e, lm_emit1(&e, LM_OP_CONV_T, &a, x, weights(&e, 1, LM_SHAPE(4, groups > 1 ? 1 : 3, 3, 3))), 1,
                folded);
    }
    /* a factor per row, and one that somebody else reads */
    e = begin(NULL);
    x = binary(&e, LM_OP_MUL, floats(&e, LM_SHAPE(8, 8)), weights(&e, 2, LM_SHAPE(8, 1)));
    becomes(&e, binary(&e, LM_OP_MATMUL, x, weights(&e, 1, LM_SHAPE(8, 6))), 2, 0);
    e = begin(NULL);
    x = binary(&e, LM_OP_MUL, floats(&e, LM_SHAPE(5, 8)), weights(&e, 2, LM_SHAPE(8)));
    CHECK_OK(lm_graph_output(e.g, x));
    becomes(&e, binary(&e, LM_OP_MATMUL, x, weights(&e, 1, LM_SHAPE(8, 6))), 2, 0);
}

static void names_are_the_last_nodes(void)
{
    lm_emit e = begin(NULL);
    lm_val y = batchnorm(&e, conv(&e, floats(&e, LM_SHAPE(1, 3, 5, 5)), 4, false));
    e.scope = "stem";
    e.name = "relu";
    y = unary(&e, LM_OP_RELU, y);
    CHECK_OK(lm_graph_name(e.g, y, "out"));
    lm_graph *g = lower(&e, y, folded);
    CHECK_STR(g->nodes.at[0]->name, "relu");
    CHECK_STR(g->nodes.at[0]->scope, "stem");
    CHECK_STR(lm_graph_value(g, g->outputs.at[0])->name, "out");
    lm_graph_free(g);
}

static lm_graph *source;

static lm_status scenario(void)
{
    lm_graph *g = NULL;
    LM_TRY(lm_lower(source, &cpu, &g, NULL));
    lm_graph_free(g);
    return LM_OK;
}

static void out_of_memory(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(1, 2, 4, 4)), y = batchnorm(&e, conv(&e, pad(&e, x, 1, 1, 0), 2, true));
    y = unary(&e, LM_OP_RELU, y);
    CHECK_OK(lm_graph_output(e.g, scalar(&e, LM_OP_MUL, conv(&e, y, 2, false), 2)));
    CHECK_OK(e.status);
    source = e.g;
    CHECK(test_every_allocation(scenario) > 30);
    lm_graph_free(e.g);
}

static void cases(void)
{
    CASE(batchnorm_goes_into_weights);
    CASE(batchnorm_stays);
    CASE(a_whole_block);
    CASE(residual_through_reshapes);
    CASE(scale_goes_into_weights);
    CASE(pads_go_into_windows);
    CASE(pads_stay);
    CASE(gemm);
    CASE(transposes_go_into_products);
    CASE(activations);
    CASE(activations_join_norms);
    CASE(epilogues_that_must_not_be);
    CASE(slopes_join_products);
    CASE(slopes_that_stay);
    CASE(gain_goes_into_weights);
    CASE(names_are_the_last_nodes);
    CASE(out_of_memory);
}

int main(void)
{
    return graph_main(cases);
}
