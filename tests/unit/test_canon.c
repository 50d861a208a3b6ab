/* Decomposed ops are found in the forms in which exporters write them, mean the same, and are left alone otherwise. */
#include "core/graph/expand.h"
#include "core/graph/passes.h"
#include "tests/unit/graph_run.h"

static const double slack = 2e-6;

/* Make `y` the output, canonise, compare, and hand back the new graph. Frees the old one. */
static lm_graph *canon(lm_emit *e, lm_val y)
{
    lm_graph *g = NULL;
    CHECK_OK(e->status);
    CHECK_OK(lm_graph_output(e->g, y));
    if (CHECK_OK(lm_canon(e->g, &cpu, &g, NULL)))
        same_results(&cpu, e->g, g, slack);
    lm_graph_free(e->g);
    return g;
}

/* What is left is `nodes` nodes, one of them `op`. */
static void becomes(lm_emit *e, lm_val y, lm_opid op, size_t nodes)
{
    lm_graph *g = canon(e, y);
    if (g && (!CHECK_INT(count_op(g, op), 1) || !CHECK_INT(g->nodes.count, nodes))) {
        lm_str text = {0};
        lm_graph_print(g, &text);
        printf("%s", lm_str_text(&text));
        lm_str_free(&text);
    }
    lm_graph_free(g);
}

static void stays(lm_emit *e, lm_val y, lm_opid op)
{
    lm_graph *g = canon(e, y);
    CHECK_INT(count_op(g, op), 0);
    lm_graph_free(g);
}

static lm_val mul(lm_emit *e, lm_val a, lm_val b)
{
    return binary(e, LM_OP_MUL, a, b);
}

static void gelu(void)
{
    for (int form = 0; form < 6; form++) {
        lm_emit e = begin(NULL);
        lm_val x = floats(&e, LM_SHAPE(2, 9)), y;
        lm_val inside = form & 1 ? scalar(&e, LM_OP_MUL, x, 0.70710678) : scalar(&e, LM_OP_DIV, x, 1.41421354);
        lm_val half = lm_emit_const(&e, LM_F32, 0.5), one = lm_emit_const(&e, LM_F32, 1);
        lm_val gate = binary(&e, LM_OP_ADD, one, unary(&e, LM_OP_ERF, inside));
        if (form < 2)
            y = mul(&e, mul(&e, x, gate), half);
        else if (form < 4)
            y = mul(&e, mul(&e, half, x), gate);
        else
            y = mul(&e, x, mul(&e, gate, half));
        becomes(&e, y, LM_OP_GELU, 1);
    }
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(2, 9));
    lm_val gate = scalar(&e, LM_OP_ADD, unary(&e, LM_OP_ERF, scalar(&e, LM_OP_MUL, x, 0.7)), 1);
    stays(&e, mul(&e, scalar(&e, LM_OP_MUL, x, 0.5), gate), LM_OP_GELU);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(2, 9));
    gate = scalar(&e, LM_OP_ADD, unary(&e, LM_OP_ERF, scalar(&e, LM_OP_MUL, x, 0.70710678)), 1);
    stays(&e, mul(&e, x, gate), LM_OP_GELU);
}

static void gelu_tanh(void)
{
    for (int form = 0; form < 4; form++) {
        lm_emit e = begin(NULL);
        lm_val x = floats(&e, LM_SHAPE(3, 5)), inside;
        lm_val square = mul(&e, x, x);
        lm_val cube = form & 1 ? scalar(&e, LM_OP_POW, x, 3) : mul(&e, x, square);
        if (form < 2)
            inside = scalar(&e, LM_OP_MUL, binary(&e, LM_OP_ADD, x, scalar(&e, LM_OP_MUL, cube, 0.044715)), 0.7978846);
        else
            inside = mul(&e, scalar(&e, LM_OP_MUL, x, 0.7978845608),
                         scalar(&e, LM_OP_ADD, mul(&e, x, scalar(&e, LM_OP_MUL, x, 0.044715)), 1));
        lm_val gate = scalar(&e, LM_OP_ADD, unary(&e, LM_OP_TANH, inside), 1);
        lm_graph *g = canon(&e, mul(&e, scalar(&e, LM_OP_MUL, x, 0.5), gate));
        CHECK_INT(g->nodes.count, 1);
        CHECK(first_op(g, LM_OP_GELU) && first_op(g, LM_OP_GELU)->a->act.a != 0);
        lm_graph_free(g);
    }
}

static void gates(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(2, 3, 4));
    becomes(&e, mul(&e, unary(&e, LM_OP_SIGMOID, x), x), LM_OP_SWISH, 1);

    e = begin(NULL);
    x = floats(&e, LM_SHAPE(8));
    lm_graph *g = canon(&e, mul(&e, x, unary(&e, LM_OP_SIGMOID, scalar(&e, LM_OP_MUL, x, 1.702))));
    CHECK(first_op(g, LM_OP_SWISH) && first_op(g, LM_OP_SWISH)->a->act.a == 1.702f);
    lm_graph_free(g);

    /* x itself a product with a number in it */
    e = begin(NULL);
    x = scalar(&e, LM_OP_MUL, floats(&e, LM_SHAPE(8)), 3);
    becomes(&e, mul(&e, x, unary(&e, LM_OP_SIGMOID, x)), LM_OP_SWISH, 2);

    e = begin(NULL);
    x = floats(&e, LM_SHAPE(8));
    becomes(&e, mul(&e, x, unary(&e, LM_OP_TANH, unary(&e, LM_OP_SOFTPLUS, x))), LM_OP_MISH, 1);

    e = begin(NULL);
    x = floats(&e, LM_SHAPE(8));
    lm_attrs hard = {0}, clip = {0};
    hard.act.a = 1.0f / 6, hard.act.b = 0.5f;
    becomes(&e, mul(&e, x, lm_emit1(&e, LM_OP_HARDSIGMOID, &hard, x)), LM_OP_HARDSWISH, 1);

    e = begin(NULL);
    x = scalar(&e, LM_OP_MUL, floats(&e, LM_SHAPE(8)), 4);
    clip.act.b = 6;
    lm_val gate = lm_emit1(&e, LM_OP_CLIP, &clip, scalar(&e, LM_OP_ADD, x, 3));
    becomes(&e, scalar(&e, LM_OP_DIV, mul(&e, x, gate), 6), LM_OP_HARDSWISH, 2);
}

/* A gate of something else, and one that a number of higher rank would raise. */
static void not_gates(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(8)), z = floats(&e, LM_SHAPE(8));
    stays(&e, mul(&e, z, unary(&e, LM_OP_SIGMOID, x)), LM_OP_SWISH);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(8));
    stays(&e, scalar(&e, LM_OP_MUL, mul(&e, x, unary(&e, LM_OP_SIGMOID, scalar(&e, LM_OP_ADD, x, 1))), 2), LM_OP_SWISH);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(8));
    lm_attrs hard = {0};
    hard.act.a = 1.0f / 6, hard.act.b = 0.5f;
    stays(&e, mul(&e, scalar(&e, LM_OP_MUL, x, 2), lm_emit1(&e, LM_OP_HARDSIGMOID, &hard, x)), LM_OP_HARDSWISH);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(8));
    lm_val number = NUMBERS(&e, LM_F32, LM_SHAPE(1, 1), 1);
    stays(&e, mul(&e, x, mul(&e, number, unary(&e, LM_OP_SIGMOID, x))), LM_OP_SWISH);
}

/* form: bit 0 Pow or Mul, bit 1 division or reciprocal, bits 2 and 3 affine (none, scale, both) */
static lm_val norm(lm_emit *e, lm_val x, uint32_t axes, int form, bool centre, lm_shape width)
{
    lm_val c = centre ? binary(e, LM_OP_SUB, x, lm_emit_reduce(e, LM_OP_REDUCE_MEAN, x, axes, true)) : x;
    lm_val square = form & 1 ? scalar(e, LM_OP_POW, c, 2) : mul(e, c, c);
    lm_val var = lm_emit_reduce(e, LM_OP_REDUCE_MEAN, square, axes, true);
    lm_val root = unary(e, LM_OP_SQRT, scalar(e, LM_OP_ADD, var, 1e-5));
    lm_val y = form & 2 ? mul(e, c, unary(e, LM_OP_RECIPROCAL, root)) : binary(e, LM_OP_DIV, c, root);
    if (form >> 2 > 0)
        y = mul(e, weights(e, 5, width), y);
    return form >> 2 > 1 ? binary(e, LM_OP_ADD, y, weights(e, 6, width)) : y;
}

static void layernorm(void)
{
    for (int form = 0; form < 12; form++) {
        lm_emit e = begin(NULL);
        lm_val x = floats(&e, LM_SHAPE(2, 3, 16));
        becomes(&e, norm(&e, x, 1u << 2, form, true, LM_SHAPE(16)), LM_OP_LAYERNORM, 1);
    }
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(2, 3, 16));
    becomes(&e, norm(&e, x, 6, 8, true, LM_SHAPE(1, 3, 16)), LM_OP_LAYERNORM, 1);
    /* the variance over fewer axes than the mean; not the last axis; not the axis of the scale */
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(2, 3, 16));
    lm_val centred = binary(&e, LM_OP_SUB, x, lm_emit_reduce(&e, LM_OP_REDUCE_MEAN, x, 6, true));
    stays(&e, norm(&e, centred, 4, 0, false, LM_SHAPE(16)), LM_OP_LAYERNORM);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(2, 3, 16));
    stays(&e, norm(&e, x, 2, 0, true, LM_SHAPE(16)), LM_OP_LAYERNORM);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(2, 16, 16));
    becomes(&e, norm(&e, x, 1u << 2, 4, true, LM_SHAPE(16, 1)), LM_OP_LAYERNORM, 2);
}

static void rmsnorm(void)
{
    for (int form = 0; form < 8; form++) {
        lm_emit e = begin(NULL);
        lm_val x = floats(&e, LM_SHAPE(2, 3, 16));
        becomes(&e, norm(&e, x, 1u << 2, form, false, LM_SHAPE(16)), LM_OP_RMSNORM, 1);
    }
}

/* What somebody else looks at stays. */
static void inner_values_stay(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(2, 16)), gate = unary(&e, LM_OP_SIGMOID, x);
    CHECK_OK(lm_graph_name(e.g, gate, "gate"));
    CHECK_OK(lm_graph_output(e.g, gate));
    e.scope = "block";
    e.name = "last";
    lm_graph *g = canon(&e, mul(&e, x, gate));
    CHECK(count_op(g, LM_OP_SIGMOID) == 1 && count_op(g, LM_OP_SWISH) == 1 && g->nodes.count == 2);
    CHECK_STR(lm_graph_value(g, g->outputs.at[0])->name, "gate");
    CHECK_STR(first_op(g, LM_OP_SWISH)->name, "last");
    CHECK_STR(first_op(g, LM_OP_SWISH)->scope, "block");
    lm_graph_free(g);
}

static lm_val turn(lm_emit *e, lm_val x, int a, int b, int c, int d)
{
    return lm_emit_transpose(e, x, (int32_t[]){a, b, c, d});
}

/* As an encoder writes it: [n,length,heads,width], scores divided by a number, a mask. */
static void attention(void)
{
    lm_emit e = begin(NULL);
    lm_shape by_token = LM_SHAPE(2, 5, 3, 8);
    lm_val q = floats(&e, by_token), k = floats(&e, by_token), v = floats(&e, by_token);
    lm_val mask = floats(&e, LM_SHAPE(2, 1, 1, 5));
    lm_val scores = binary(&e, LM_OP_MATMUL, turn(&e, q, 0, 2, 1, 3), turn(&e, k, 0, 2, 3, 1));
    scores = binary(&e, LM_OP_ADD, scalar(&e, LM_OP_DIV, scores, 2.5), mask);
    lm_val y = binary(&e, LM_OP_MATMUL, lm_emit_axis(&e, LM_OP_SOFTMAX, scores, 3), turn(&e, v, 0, 2, 1, 3));
    lm_graph *g = canon(&e, turn(&e, y, 0, 2, 1, 3));
    const lm_node *n = first_op(g, LM_OP_ATTENTION);
    CHECK_INT(g->nodes.count, 5);
    CHECK(n && n->nx == 4 && fabs((double)n->a->attention.scale - 0.4) < 1e-7);
    lm_graph_free(g);
}

/* Both operands scaled before the product, no mask, three axes. */
static void attention_scaled_before(void)
{
    lm_emit e = begin(NULL);
    lm_val q = floats(&e, LM_SHAPE(6, 5, 8)), k = floats(&e, LM_SHAPE(6, 7, 8)), v = floats(&e, LM_SHAPE(6, 7, 4));
    lm_val kt = scalar(&e, LM_OP_MUL, lm_emit_transpose(&e, k, (int32_t[]){0, 2, 1}), 0.5);
    lm_val scores = binary(&e, LM_OP_MATMUL, scalar(&e, LM_OP_MUL, q, 0.25), kt);
    lm_graph *g = canon(&e, binary(&e, LM_OP_MATMUL, lm_emit_axis(&e, LM_OP_SOFTMAX, scores, 2), v));
    const lm_node *n = first_op(g, LM_OP_ATTENTION);
    CHECK(n && n->a->attention.scale == 0.125f && n->nx == 3);
    CHECK_INT(count_op(g, LM_OP_MATMUL) + count_op(g, LM_OP_TRANSPOSE) + count_op(g, LM_OP_MUL), 0);
    lm_graph_free(g);
}

/* Windows of an image: a bias per head, then, on five axes, a mask per window. */
static void attention_of_windows(void)
{
    for (int images = 1; images <= 2; images++) {
        lm_emit e = begin(NULL);
        const int64_t windows = 4, heads = 3, len = 6;
        lm_shape head = LM_SHAPE(images * windows, heads, len, 8), score = LM_SHAPE(images * windows, heads, len, len);
        lm_shape split = LM_SHAPE(images, windows, heads, len, len);
        lm_val q = floats(&e, head), k = floats(&e, head), v = floats(&e, head);
        lm_val s = binary(&e, LM_OP_MATMUL, scalar(&e, LM_OP_MUL, q, 0.3), turn(&e, k, 0, 1, 3, 2));
        s = binary(&e, LM_OP_ADD, s, weights(&e, 1, LM_SHAPE(1, heads, len, len)));
        s = binary(&e, LM_OP_ADD, lm_emit_reshape(&e, s, &split), weights(&e, 2, LM_SHAPE(1, windows, 1, len, len)));
        s = lm_emit_reshape(&e, s, &score);
        becomes(&e, binary(&e, LM_OP_MATMUL, lm_emit_axis(&e, LM_OP_SOFTMAX, s, 3), v), LM_OP_ATTENTION, 1);
    }
}

static void not_attention(void)
{
    /* another axis */
    lm_emit e = begin(NULL);
    lm_val q = floats(&e, LM_SHAPE(1, 2, 4, 4)), k = floats(&e, LM_SHAPE(1, 2, 4, 4));
    lm_val s = binary(&e, LM_OP_MATMUL, q, k);
    stays(&e, binary(&e, LM_OP_MATMUL, lm_emit_axis(&e, LM_OP_SOFTMAX, s, 2), q), LM_OP_ATTENTION);
    /* scaled after the mask */
    e = begin(NULL);
    q = floats(&e, LM_SHAPE(1, 2, 4, 4)), k = floats(&e, LM_SHAPE(1, 2, 4, 4));
    s = binary(&e, LM_OP_ADD, binary(&e, LM_OP_MATMUL, q, k), weights(&e, 1, LM_SHAPE(4, 4)));
    s = scalar(&e, LM_OP_MUL, s, 0.5);
    stays(&e, binary(&e, LM_OP_MATMUL, lm_emit_axis(&e, LM_OP_SOFTMAX, s, 3), q), LM_OP_ATTENTION);
    /* keys shared by broadcasting */
    e = begin(NULL);
    q = floats(&e, LM_SHAPE(3, 2, 4, 4)), k = floats(&e, LM_SHAPE(1, 2, 4, 4));
    s = binary(&e, LM_OP_MATMUL, q, k);
    stays(&e, binary(&e, LM_OP_MATMUL, lm_emit_axis(&e, LM_OP_SOFTMAX, s, 3), q), LM_OP_ATTENTION);
}

/* Only a mask that may hide every key from a query costs the look for such rows. */
static void known_masks_need_no_guard(void)
{
    const double hides[] = {0, -1e9, -INFINITY};
    for (int i = 0; i < 4; i++) {
        lm_emit e = begin(NULL);
        lm_val q = floats(&e, LM_SHAPE(1, 2, 3, 4)), y = LM_NOVAL, mask = floats(&e, LM_SHAPE(3, 3));
        if (i < 3)
            mask = NUMBERS(&e, LM_F32, LM_SHAPE(3, 3), 0, 0, 0, 0, 0, 0, 0, 0, hides[i]);
        const lm_composite c = {.op = LM_OP_ATTENTION, .nx = 4, .ny = 1, .x = (lm_val[]){q, q, q, mask}, .y = &y};
        CHECK_OK(lm_expand(&e, &c));
        CHECK_INT(count_op(e.g, LM_OP_WHERE) > 0, i >= 2);
        lm_graph_free(e.g);
    }
}

static void bias(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(2, 5, 8)), w = weights(&e, 1, LM_SHAPE(8, 6)), b = weights(&e, 2, LM_SHAPE(6));
    becomes(&e, binary(&e, LM_OP_ADD, b, binary(&e, LM_OP_MATMUL, x, w)), LM_OP_MATMUL, 1);

    e = begin(NULL);
    x = floats(&e, LM_SHAPE(2, 4, 7, 7)), w = weights(&e, 1, LM_SHAPE(6, 4, 3, 3));
    b = weights(&e, 2, LM_SHAPE(6, 1, 1));
    lm_attrs conv = {0};
    conv.conv.nd = 2, conv.conv.groups = 1;
    for (int i = 0; i < 2; i++)
        conv.conv.kernel[i] = 3, conv.conv.stride[i] = conv.conv.dilation[i] = 1;
    lm_graph *g = canon(&e, binary(&e, LM_OP_SUB, lm_emit1(&e, LM_OP_CONV, &conv, x, w), b));
    CHECK(g->nodes.count == 1 && first_op(g, LM_OP_CONV)->nx == 3);
    lm_graph_free(g);

    /* b - Wx; a bias already there; a vector along the rows; a matrix */
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(6, 8)), w = weights(&e, 1, LM_SHAPE(8, 6)), b = weights(&e, 2, LM_SHAPE(6));
    becomes(&e, binary(&e, LM_OP_SUB, b, binary(&e, LM_OP_MATMUL, x, w)), LM_OP_SUB, 2);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(6, 8)), w = weights(&e, 1, LM_SHAPE(8, 6)), b = weights(&e, 2, LM_SHAPE(6));
    becomes(&e, binary(&e, LM_OP_ADD, lm_emit1(&e, LM_OP_MATMUL, NULL, x, w, b), b), LM_OP_ADD, 2);
    e = begin(NULL);
    x = floats(&e, LM_SHAPE(6, 8)), w = weights(&e, 1, LM_SHAPE(8, 6)), b = weights(&e, 2, LM_SHAPE(6, 1));
    becomes(&e, binary(&e, LM_OP_ADD, binary(&e, LM_OP_MATMUL, x, w), b), LM_OP_ADD, 2);
}

static lm_graph *source;

static lm_status scenario(void)
{
    lm_graph *g = NULL;
    LM_TRY(lm_canon(source, &cpu, &g, NULL));
    lm_graph_free(g);
    return LM_OK;
}

static void out_of_memory(void)
{
    lm_emit e = begin(NULL);
    lm_val x = norm(&e, floats(&e, LM_SHAPE(1, 2, 4, 4)), 1u << 3, 8, true, LM_SHAPE(4));
    lm_val s = binary(&e, LM_OP_ADD, binary(&e, LM_OP_MATMUL, x, x), weights(&e, 1, LM_SHAPE(4, 4)));
    lm_val y = binary(&e, LM_OP_MATMUL, lm_emit_axis(&e, LM_OP_SOFTMAX, s, 3), x);
    y = binary(&e, LM_OP_ADD, binary(&e, LM_OP_MATMUL, y, weights(&e, 2, LM_SHAPE(4, 4))), weights(&e, 3, LM_SHAPE(4)));
    CHECK_OK(lm_graph_output(e.g, mul(&e, y, unary(&e, LM_OP_SIGMOID, y))));
    CHECK_OK(e.status);
    source = e.g;
    CHECK(test_every_allocation(scenario) > 30);
    lm_graph_free(e.g);
}

static void cases(void)
{
    CASE(gelu);
    CASE(gelu_tanh);
    CASE(gates);
    CASE(not_gates);
    CASE(layernorm);
    CASE(rmsnorm);
    CASE(inner_values_stay);
    CASE(attention);
    CASE(attention_scaled_before);
    CASE(attention_of_windows);
    CASE(not_attention);
    CASE(known_masks_need_no_guard);
    CASE(bias);
    CASE(out_of_memory);
}

int main(void)
{
    return graph_main(cases);
}
