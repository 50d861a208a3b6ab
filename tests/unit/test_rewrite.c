/* Copying graphs: what is dead goes, names and order stay, rules replace. */
#include "core/graph/rewrite.h"
#include "tests/unit/graph_run.h"

static void reads_outputs(lm_emit *e, lm_val v)
{
    CHECK_OK(e->status);
    CHECK_OK(lm_graph_output(e->g, v));
}

static lm_val named(lm_emit *e, const char *name, lm_val v)
{
    CHECK_OK(lm_graph_name(e->g, v, name));
    return v;
}

static void dead_ends_go(void)
{
    lm_emit e = begin(NULL);
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(4, 3)), unused = input(&e, "unused", LM_F32, LM_SHAPE(2));
    e.scope = "block";
    e.name = "first";
    lm_val y = named(&e, "y", binary(&e, LM_OP_MATMUL, x, weights(&e, 1, LM_SHAPE(3, 5))));
    unary(&e, LM_OP_EXP, binary(&e, LM_OP_MATMUL, x, weights(&e, 2, LM_SHAPE(3, 5))));
    e.scope = "head";
    lm_val z = named(&e, "z", unary(&e, LM_OP_RELU, unary(&e, LM_OP_IDENTITY, y)));
    reads_outputs(&e, z);
    reads_outputs(&e, y);
    lm_graph *g = NULL;
    lm_val *map = NULL;
    CHECK_OK(lm_rewrite_graph(e.g, &cpu, NULL, NULL, &g, &map));
    CHECK_INT(g->nodes.count, 2);
    CHECK_INT(g->values.count, 1 + 2 + 1 + 2);
    CHECK_INT(g->inputs.count, 2);
    CHECK_STR(lm_graph_value(g, g->inputs.at[1])->name, "unused");
    CHECK(map[unused] == g->inputs.at[1] && map[x] == g->inputs.at[0]);
    CHECK(g->outputs.at[0] == map[z] && g->outputs.at[1] == map[y]);
    CHECK_STR(lm_graph_value(g, map[z])->name, "z");
    CHECK_STR(g->nodes.at[0]->name, "first");
    CHECK_STR(g->nodes.at[0]->scope, "block");
    CHECK_STR(g->nodes.at[1]->scope, "head");
    for (size_t i = 0; i < g->nodes.count; i++)
        CHECK_INT(g->nodes.at[i]->id, i);
    const lm_use *u = lm_graph_value(g, map[x])->use;
    CHECK(u && u->node == g->nodes.at[0] && !u->next);
    CHECK_OK(lm_graph_infer(g));
    same_results(&cpu, e.g, g, 0);
    /* the copy can be extended, and shares with what it has */
    lm_emit more = {.g = g, .fold = &cpu};
    CHECK_INT(unary(&more, LM_OP_RELU, map[y]), map[z]);
    lm_free(map);
    lm_graph_free(g);
    lm_graph_free(e.g);
}

static void unused_results_are_not_asked_for(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(2, 6)), y[3];
    lm_attrs a = {0};
    a.norm.axis = 1;
    a.norm.epsilon = 1e-5f;
    lm_emit_op(&e, LM_OP_LAYERNORM, &a, 2, (lm_val[]){x, weights(&e, 1, LM_SHAPE(6))}, 3, y);
    reads_outputs(&e, y[0]);
    reads_outputs(&e, y[1]);
    lm_graph *g = NULL;
    CHECK_OK(lm_rewrite_graph(e.g, NULL, NULL, NULL, &g, NULL));
    CHECK_INT(g->nodes.at[0]->ny, 2);
    same_results(&cpu, e.g, g, 0);
    lm_graph_free(g);
    lm_graph_free(e.g);
}

/* exp(x) + exp(x) becomes 2 exp(x): an inner node that stays because it has another consumer. */
static bool twice(lm_rewrite *r, const lm_node *n)
{
    ++*(int *)r->own;
    if (n->op != LM_OP_ADD || n->x[0] != n->x[1])
        return false;
    r->map[n->y[0]] = lm_emit_scalar(&r->e, LM_OP_MUL, r->map[n->x[0]], 2);
    return true;
}

static void rules_replace(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(7)), y = unary(&e, LM_OP_EXP, x);
    e.name = "sum";
    reads_outputs(&e, named(&e, "out", binary(&e, LM_OP_ADD, y, y)));
    reads_outputs(&e, x);
    reads_outputs(&e, lm_emit_const(&e, LM_F32, 3));
    int seen = 0;
    lm_graph *g = NULL;
    CHECK_OK(lm_rewrite_graph(e.g, &cpu, (const lm_rewrite_rule[]){twice, NULL}, &seen, &g, NULL));
    CHECK_INT(seen, 2);
    CHECK(count_op(g, LM_OP_ADD) == 0 && count_op(g, LM_OP_MUL) == 1);
    CHECK_STR(first_op(g, LM_OP_MUL)->name, "sum");
    CHECK_STR(lm_graph_value(g, g->outputs.at[0])->name, "out");
    same_results(&cpu, e.g, g, 0);
    lm_graph_free(g);
    lm_graph_free(e.g);
}

/* |-x| is |x|. */
static bool unsign(lm_rewrite *r, const lm_node *n)
{
    const lm_node *neg = n->op == LM_OP_ABS ? lm_graph_value(r->from, n->x[0])->producer : NULL;
    if (!neg || neg->op != LM_OP_NEG)
        return false;
    r->map[n->y[0]] = lm_emit1(&r->e, LM_OP_ABS, NULL, r->map[neg->x[0]]);
    return true;
}

/* What a rule made superfluous goes too, and everything after it is numbered anew. */
static void inner_nodes_vanish(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(5)), scaled = binary(&e, LM_OP_MUL, x, weights(&e, 1, LM_SHAPE(5)));
    lm_val y = unary(&e, LM_OP_ABS, unary(&e, LM_OP_NEG, scaled));
    lm_val inner = lm_graph_value(e.g, y)->producer->x[0], z = binary(&e, LM_OP_ADD, unary(&e, LM_OP_EXP, y), x);
    reads_outputs(&e, z);
    lm_graph *g = NULL;
    lm_val *map = NULL;
    CHECK_OK(lm_rewrite_graph(e.g, &cpu, (const lm_rewrite_rule[]){unsign, NULL}, NULL, &g, &map));
    CHECK_INT(g->nodes.count, 4);
    CHECK_INT(g->values.count, 1 + 1 + 1 + 4);
    CHECK(map[inner] == LM_NOVAL && map[z] == g->outputs.at[0]);
    const lm_node *mul = first_op(g, LM_OP_MUL), *abs = first_op(g, LM_OP_ABS);
    const lm_use *u = lm_graph_value(g, mul->y[0])->use;
    CHECK(u && u->node == abs && !u->next && abs->id == 1);
    for (size_t i = 0; i < g->nodes.count; i++)
        CHECK(lm_graph_value(g, g->nodes.at[i]->y[0])->producer == g->nodes.at[i]);
    CHECK_OK(lm_graph_infer(g));
    same_results(&cpu, e.g, g, 0);
    lm_emit more = {.g = g, .fold = &cpu};
    CHECK_INT(unary(&more, LM_OP_EXP, map[y]), first_op(g, LM_OP_EXP)->y[0]);
    lm_free(map);
    lm_graph_free(g);
    lm_graph_free(e.g);
}

static const lm_node *asked_about;
static lm_val asked_for;

static bool ask(lm_rewrite *r, const lm_node *n)
{
    (void)n;
    asked_about = lm_rewrite_consumer(r, asked_for);
    return false;
}

static void one_consumer(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(7)), y = unary(&e, LM_OP_EXP, x), z = unary(&e, LM_OP_NEG, y);
    unary(&e, LM_OP_ABS, y); /* dead, so it does not count */
    reads_outputs(&e, z);
    lm_graph *g = NULL;
    asked_for = y;
    CHECK_OK(lm_rewrite_graph(e.g, NULL, (const lm_rewrite_rule[]){ask, NULL}, NULL, &g, NULL));
    CHECK(asked_about == lm_graph_value(e.g, z)->producer);
    lm_graph_free(g);
    reads_outputs(&e, y);
    CHECK_OK(lm_rewrite_graph(e.g, NULL, (const lm_rewrite_rule[]){ask, NULL}, NULL, &g, NULL));
    CHECK(asked_about == NULL);
    lm_graph_free(g);
    lm_graph_free(e.g);
}

static lm_graph *source;

static lm_status scenario(void)
{
    lm_graph *g = NULL;
    lm_val *map = NULL;
    int seen = 0;
    LM_TRY(lm_rewrite_graph(source, &cpu, (const lm_rewrite_rule[]){twice, NULL}, &seen, &g, &map));
    lm_free(map);
    lm_graph_free(g);
    return LM_OK;
}

static void out_of_memory(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(4)), c = named(&e, "c", weights(&e, 1, LM_SHAPE(4)));
    lm_val y = binary(&e, LM_OP_ADD, binary(&e, LM_OP_MUL, x, c), unary(&e, LM_OP_EXP, c));
    reads_outputs(&e, binary(&e, LM_OP_ADD, y, y));
    source = e.g;
    CHECK(test_every_allocation(scenario) > 10);
    lm_graph_free(e.g);
}

static void cases(void)
{
    CASE(dead_ends_go);
    CASE(unused_results_are_not_asked_for);
    CASE(rules_replace);
    CASE(inner_nodes_vanish);
    CASE(one_consumer);
    CASE(out_of_memory);
}

int main(void)
{
    return graph_main(cases);
}
