/* Graphs: building, types, constants, signs, use lists, printing, and no memory. */
#include "core/base/str.h"
#include "core/graph/emit.h"
#include "tests/unit/test.h"

static lm_val input(lm_emit *e, const char *name, lm_dtype dt, lm_shape shape)
{
    lm_type type = {dt, shape};
    lm_val v = LM_NOVAL;
    CHECK_OK(lm_graph_input(e->g, name, &type, &v));
    return v;
}

static lm_emit begin(void)
{
    lm_emit e = {0};
    CHECK_OK(lm_graph_new(&e.g));
    return e;
}

static void builds_in_order(void)
{
    lm_emit e = begin();
    e.scope = "block/0";
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(2, 3)), b = input(&e, "b", LM_F32, LM_SHAPE(3));
    lm_val y = lm_emit1(&e, LM_OP_RELU, NULL, lm_emit1(&e, LM_OP_ADD, NULL, x, b));
    CHECK_OK(e.status);
    CHECK_OK(lm_graph_output(e.g, y));
    CHECK_INT(e.g->nodes.count, 2);
    const lm_value *vx = lm_graph_value(e.g, x);
    CHECK(vx->producer == NULL && vx->use && vx->use->node == e.g->nodes.at[0] && vx->use->next == NULL);
    CHECK(lm_graph_value(e.g, y)->producer == e.g->nodes.at[1]);
    CHECK_INT(lm_emit_shape(&e, y)->dim[1], 3);
    CHECK_STR(e.g->nodes.at[1]->scope, "block/0");
    CHECK(e.g->nodes.at[0]->scope == e.g->nodes.at[1]->scope);
    CHECK_INT(lm_emit_shape(&e, LM_NOVAL)->rank, LM_ABSENT);
    lm_graph_free(e.g);
}

static void uses_come_in_consumer_order(void)
{
    lm_emit e = begin();
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(4));
    lm_emit1(&e, LM_OP_NEG, NULL, x);
    lm_emit1(&e, LM_OP_MUL, NULL, x, x);
    int32_t node[] = {0, 1, 1}, at[] = {0, 0, 1}, n = 0;
    for (const lm_use *u = lm_graph_value(e.g, x)->use; u; u = u->next, n++) {
        CHECK_INT(u->node->id, node[n]);
        CHECK_INT(u->input, at[n]);
    }
    CHECK_INT(n, 3);
    lm_graph_free(e.g);
}

static void first_failure_sticks(void)
{
    lm_emit e = begin();
    lm_val a = input(&e, "a", LM_F32, LM_SHAPE(2, 3)), b = input(&e, "b", LM_F32, LM_SHAPE(4));
    lm_val bad = lm_emit1(&e, LM_OP_ADD, NULL, a, b);
    CHECK_FAILS(e.status, LM_INPUT);
    CHECK(strstr(lm_message(), "Add") && strstr(lm_message(), "[2,3]") && strstr(lm_message(), "[4]"));
    CHECK_INT(bad, LM_NOVAL);
    lm_val after = lm_emit_scalar(&e, LM_OP_MUL, lm_emit1(&e, LM_OP_RELU, NULL, bad), 2);
    CHECK_INT(after, LM_NOVAL);
    CHECK_INT(e.g->nodes.count, 0);
    lm_emit_fail(&e, LM_UNSUPPORTED, "something %s", "else");
    CHECK_FAILS(e.status, LM_INPUT);
    lm_graph_free(e.g);

    e = begin();
    lm_emit_fail(&e, LM_UNSUPPORTED, "rule %d", 7);
    CHECK_STR(lm_message(), "rule 7");
    lm_graph_free(e.g);
}

static void constants_are_shared(void)
{
    lm_emit e = begin();
    lm_val a = lm_emit_const(&e, LM_F32, 0.5), b = lm_emit_const(&e, LM_F32, 0.5), c = lm_emit_const(&e, LM_F64, 0.5);
    CHECK(a == b && a != c);
    CHECK_NEAR(lm_view_get(lm_graph_value(e.g, a)->constant, 0), 0.5, 0);
    lm_val iota = lm_emit_iota(&e, 3, 4);
    CHECK_INT(lm_emit_shape(&e, iota)->dim[0], 4);
    CHECK_NEAR(lm_view_get(lm_graph_value(e.g, iota)->constant, 3), 6, 0);
    CHECK_OK(e.status);
    lm_graph_free(e.g);
}

static void constants_hold_their_buffer(void)
{
    lm_graph *g;
    lm_view w;
    lm_val v;
    lm_shape shape = LM_SHAPE(2, 2);
    size_t before = lm_mem_count().live;
    CHECK_OK(lm_graph_new(&g));
    CHECK_OK(lm_view_new(LM_F32, &shape, &w));
    for (int i = 0; i < 4; i++)
        lm_view_set(&w, i, i - 1);
    CHECK_OK(lm_graph_constant(g, "w", &w, &v));
    lm_buffer_unref(w.buf);
    CHECK_NEAR(lm_view_get(lm_graph_value(g, v)->constant, 3), 2, 0);
    CHECK(!lm_graph_value(g, v)->nonneg);
    lm_view none = lm_view_row(LM_F32, &shape, NULL);
    CHECK_FAILS(lm_graph_constant(g, "empty", &none, &v), LM_USAGE);
    CHECK(strstr(lm_message(), "empty"));
    lm_graph_free(g);
    CHECK_INT(lm_mem_count().live, before);
}

static void signs_are_followed(void)
{
    lm_emit e = begin();
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(2, 3)), i = input(&e, "i", LM_I32, LM_SHAPE(2, 3));
    lm_val r = lm_emit1(&e, LM_OP_RELU, NULL, x), half = lm_emit_const(&e, LM_F32, 0.5);
    CHECK(!lm_emit_nonneg(&e, x) && lm_emit_nonneg(&e, r) && lm_emit_nonneg(&e, half));
    CHECK(lm_emit_nonneg(&e, lm_emit1(&e, LM_OP_MUL, NULL, r, half)));
    CHECK(lm_emit_nonneg(&e, lm_emit1(&e, LM_OP_MUL, NULL, x, x)));
    CHECK(!lm_emit_nonneg(&e, lm_emit1(&e, LM_OP_MUL, NULL, i, i)));
    CHECK(!lm_emit_nonneg(&e, lm_emit1(&e, LM_OP_MUL, NULL, r, x)));
    CHECK(!lm_emit_nonneg(&e, lm_emit1(&e, LM_OP_SUB, NULL, r, half)));
    CHECK(!lm_emit_nonneg(&e, lm_emit1(&e, LM_OP_DIV, NULL, half, r)));
    CHECK(lm_emit_nonneg(&e, lm_emit1(&e, LM_OP_MAX, NULL, x, half)));
    CHECK(!lm_emit_nonneg(&e, lm_emit1(&e, LM_OP_MIN, NULL, x, half)));
    CHECK(lm_emit_nonneg(&e, lm_emit_reduce(&e, LM_OP_REDUCE_SUM, r, 1, false)));
    CHECK(lm_emit_nonneg(&e, lm_emit1(&e, LM_OP_EQUAL, NULL, x, half)));
    lm_attrs clip = {0};
    clip.act.a = -1;
    clip.act.b = 1;
    CHECK(!lm_emit_nonneg(&e, lm_emit1(&e, LM_OP_CLIP, &clip, r)));
    clip.act.a = 0;
    CHECK(lm_emit_nonneg(&e, lm_emit1(&e, LM_OP_CLIP, &clip, x)));
    CHECK_OK(e.status);
    lm_graph_free(e.g);
}

static void nothing_is_emitted_for_nothing(void)
{
    static const int32_t same[] = {0, 1}, turn[] = {1, 0};
    lm_emit e = begin();
    lm_shape shape = LM_SHAPE(2, 3);
    lm_val x = input(&e, "x", LM_F32, shape);
    CHECK_INT(lm_emit_reshape(&e, x, &shape), x);
    CHECK_INT(lm_emit_transpose(&e, x, same), x);
    CHECK_INT(lm_emit_cast(&e, x, LM_F32), x);
    CHECK_INT(e.g->nodes.count, 0);
    CHECK_INT(lm_emit_shape(&e, lm_emit_transpose(&e, x, turn))->dim[0], 3);
    CHECK_INT(lm_emit_axes_from(&e, x, 1), 2);
    CHECK_INT(lm_emit_axes_from(&e, x, 2), 0);
    CHECK_OK(e.status);
    lm_graph_free(e.g);
}

static void equal_attributes_are_equal_bytes(void)
{
    lm_emit e = begin();
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(2, 3));
    lm_attrs a, b;
    memset(&a, 0xAA, sizeof a);
    memset(&b, 0x55, sizeof b);
    memset(&a.cast, 0, sizeof a.cast);
    memset(&b.cast, 0, sizeof b.cast);
    a.cast.to = b.cast.to = LM_F64;
    lm_emit1(&e, LM_OP_CAST, &a, x);
    lm_emit1(&e, LM_OP_CAST, &b, x);
    CHECK(memcmp(e.g->nodes.at[0]->a, e.g->nodes.at[1]->a, sizeof(lm_attrs)) == 0);
    lm_graph_free(e.g);
}

static void types_are_inferred_again(void)
{
    lm_emit e = begin();
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(2, 3)), w = input(&e, "w", LM_F32, LM_SHAPE(3, 5));
    lm_attrs none = {0};
    lm_val y = lm_emit1(&e, LM_OP_RELU, NULL, lm_emit1(&e, LM_OP_MATMUL, &none, x, w));
    lm_graph_value(e.g, x)->type.sh.dim[0] = 7;
    CHECK_OK(lm_graph_infer(e.g));
    CHECK_INT(lm_emit_shape(&e, y)->dim[0], 7);
    CHECK_INT(lm_emit_shape(&e, y)->dim[1], 5);
    lm_graph_value(e.g, x)->type.sh.dim[1] = 4;
    CHECK_FAILS(lm_graph_infer(e.g), LM_INPUT);
    CHECK(strstr(lm_message(), "node 0") && strstr(lm_message(), "MatMul"));
    lm_graph_free(e.g);
}

static void many_operands_and_nodes(void)
{
    lm_emit e = begin();
    lm_val x[20];
    for (int i = 0; i < 20; i++)
        x[i] = input(&e, NULL, LM_F32, LM_SHAPE(i + 1, 2));
    lm_attrs a = {0};
    lm_val y = lm_emit_one(&e, LM_OP_CONCAT, &a, 20, x);
    CHECK_INT(lm_emit_shape(&e, y)->dim[0], 210);
    for (int i = 0; i < 10000; i++)
        y = lm_emit1(&e, LM_OP_RELU, NULL, y);
    CHECK_OK(e.status);
    CHECK_INT(e.g->nodes.count, 10001);
    CHECK(lm_graph_value(e.g, y)->producer->id == 10000);
    lm_graph_free(e.g);
}

static void prints(void)
{
    lm_emit e = begin();
    lm_str text = {0};
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(2, 3));
    static const int32_t turn[] = {1, 0};
    e.scope = "net";
    e.name = "turn";
    lm_val y = lm_emit_scalar(&e, LM_OP_MUL, lm_emit_transpose(&e, x, turn), 2);
    CHECK_OK(lm_graph_name(e.g, y, "y"));
    CHECK_OK(lm_graph_output(e.g, y));
    CHECK_OK(lm_graph_print(e.g, &text));
    CHECK_STR(lm_str_text(&text), "input %1: float32[2,3] \"x\"\n"
                                  "const %3: float32[] = 2\n"
                                  "%2: float32[3,2] = Transpose(%1) {perm=[1,0]} @net 'turn'\n"
                                  "%4: float32[3,2] \"y\" = Mul(%2, %3) @net\n"
                                  "output %4\n");
    lm_str_free(&text);
    lm_graph_free(e.g);
}

static void bodies_belong_to_their_node(void)
{
    lm_emit e = begin(), inner = begin();
    lm_str text = {0};
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(2));
    input(&inner, "i", LM_F32, LM_SHAPE(2));
    lm_emit1(&e, LM_OP_IDENTITY, NULL, x);
    CHECK_OK(lm_graph_body(e.g, e.g->nodes.at[0], inner.g));
    CHECK_INT(e.g->nodes.at[0]->nbody, 1);
    CHECK_OK(lm_graph_print(e.g, &text));
    CHECK(strstr(lm_str_text(&text), "\n    input %1: float32[2] \"i\"\n"));
    lm_str_free(&text);
    lm_graph_free(e.g);
}

static lm_status scenario(void)
{
    lm_emit e = {0};
    LM_TRY(lm_graph_new(&e.g));
    lm_type type = {LM_F32, LM_SHAPE(3, 4)};
    lm_val x = LM_NOVAL, y;
    e.status = lm_graph_input(e.g, "x", &type, &x);
    e.scope = "a";
    y = lm_emit_scalar(&e, LM_OP_MUL, lm_emit1(&e, LM_OP_TANH, NULL, x), 3);
    y = lm_emit_reduce(&e, LM_OP_REDUCE_SUM, y, 1, true);
    for (int i = 0; i < 20; i++)
        y = lm_emit1(&e, LM_OP_NEG, NULL, y);
    if (e.status == LM_OK)
        e.status = lm_graph_output(e.g, y);
    lm_str text = {0};
    if (e.status == LM_OK)
        e.status = lm_graph_print(e.g, &text);
    lm_str_free(&text);
    lm_graph_free(e.g);
    return e.status;
}

static void survives_without_memory(void)
{
    CHECK(test_every_allocation(scenario) > 5);
}

int main(void)
{
    CASE(builds_in_order);
    CASE(uses_come_in_consumer_order);
    CASE(first_failure_sticks);
    CASE(constants_are_shared);
    CASE(constants_hold_their_buffer);
    CASE(signs_are_followed);
    CASE(nothing_is_emitted_for_nothing);
    CASE(equal_attributes_are_equal_bytes);
    CASE(types_are_inferred_again);
    CASE(many_operands_and_nodes);
    CASE(prints);
    CASE(bodies_belong_to_their_node);
    CASE(survives_without_memory);
    return test_end();
}
