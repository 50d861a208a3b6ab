/* Signals of several targets, cut into one after the other where they are large: the same bits. */
#include "core/graph/blocks.h"
#include "core/graph/emit_move.h"
#include "tests/unit/graph_run.h"

enum { TARGETS = 3 };

typedef struct net {
    lm_emit e;
    lm_val seed, signal;
} net;

static lm_attrs window(int64_t stride)
{
    lm_attrs a = {0};
    a.pool.nd = 2;
    for (int i = 0; i < 2; i++) {
        a.pool.kernel[i] = a.pool.stride[i] = stride;
        a.pool.dilation[i] = 1;
        a.pool.size[i] = 6;
    }
    return a;
}

static lm_val for_targets(lm_emit *e, lm_val v)
{
    lm_shape wide = *lm_emit_shape(e, v);
    wide.dim[0] = TARGETS;
    return lm_emit_expand(e, v, &wide);
}

/* Convolution, relu, max-pool and a dense layer, and three signals on their way back through them. */
static net build(void)
{
    net n = {.e = begin(NULL)};
    lm_emit *e = &n.e;
    lm_attrs conv = {0}, pool = window(2), of = {0};
    conv.conv.nd = 2, conv.conv.groups = 1;
    for (int i = 0; i < 2; i++) {
        conv.conv.kernel[i] = 3, conv.conv.stride[i] = conv.conv.dilation[i] = 1;
        conv.conv.pad_lo[i] = conv.conv.pad_hi[i] = 1, conv.conv.size[i] = 6;
    }
    of.actdx.of = LM_OP_RELU;
    const lm_shape flat = LM_SHAPE(1, 36), back = LM_SHAPE(TARGETS, 4, 3, 3);
    lm_val w = weights(e, 1, LM_SHAPE(4, 2, 3, 3)), dense = weights(e, 2, LM_SHAPE(36, 5)), y[2];
    lm_val h = unary(e, LM_OP_RELU, lm_emit1(e, LM_OP_CONV, &conv, floats(e, LM_SHAPE(1, 2, 6, 6)), w));
    lm_val low = lm_emit1(e, LM_OP_MAXPOOL, &pool, h);
    CHECK_OK(lm_graph_output(e->g, binary(e, LM_OP_MATMUL, lm_emit_reshape(e, low, &flat), dense)));
    n.seed = floats(e, LM_SHAPE(TARGETS, 5));
    lm_attrs turned = {0};
    turned.matmul.tb = true;
    lm_val s = lm_emit_reshape(e, lm_emit1(e, LM_OP_MATMUL, &turned, n.seed, dense), &back);
    lm_val wide = for_targets(e, h);
    lm_emit_op(e, LM_OP_MAXPOOL, &pool, 1, &wide, 2, y);
    s = lm_emit1(e, LM_OP_MAXPOOL_DX, &pool, s, y[1]);
    s = lm_emit1(e, LM_OP_ACT_DX, &of, s, wide);
    CHECK_OK(lm_graph_output(e->g, lm_emit_reduce(e, LM_OP_REDUCE_SUM, s, 0xe, false)));
    n.signal = lm_emit1(e, LM_OP_CONV_T, &conv, s, w);
    CHECK_OK(e->status);
    return n;
}

static void large_signals_part(void)
{
    net n = build();
    lm_graph *g = NULL;
    CHECK_OK(lm_graph_output(n.e.g, n.signal));
    if (CHECK_OK(lm_block_by_block(n.e.g, &cpu, n.seed, TARGETS, 1000, &g)) && CHECK(g != NULL)) {
        CHECK_INT(count_op(g, LM_OP_CONV_T), TARGETS);
        CHECK_INT(count_op(g, LM_OP_MAXPOOL_DX), TARGETS);
        CHECK_INT(count_op(g, LM_OP_MATMUL), 2); /* the small ones stay together */
        CHECK_INT(count_op(g, LM_OP_CONCAT), 2);
        CHECK_INT(count_op(g, LM_OP_MAXPOOL), 2); /* one pool with indices for all */
        same_results(&cpu, n.e.g, g, 0);
    }
    lm_graph_free(g);
    lm_graph_free(n.e.g);
}

/* One target's nodes come before the next one's. */
static void one_after_the_other(void)
{
    net n = build();
    lm_graph *g = NULL;
    int seen = 0;
    CHECK_OK(lm_graph_output(n.e.g, n.signal));
    if (CHECK_OK(lm_block_by_block(n.e.g, &cpu, n.seed, TARGETS, 1000, &g)) && CHECK(g != NULL))
        for (size_t i = 0; i < g->nodes.count; i++) {
            seen += g->nodes.at[i]->op == LM_OP_MAXPOOL_DX;
            seen -= g->nodes.at[i]->op == LM_OP_CONV_T;
            CHECK(seen == 0 || seen == 1);
        }
    lm_graph_free(g);
    lm_graph_free(n.e.g);
}

/* Nothing is large, or somebody looks at all targets at once. */
static void what_stays(void)
{
    for (int i = 0; i < 2; i++) {
        net n = build();
        lm_graph *g = NULL;
        lm_val y = i ? lm_emit_reduce(&n.e, LM_OP_REDUCE_SUM, n.signal, 1, true) : n.signal;
        CHECK_OK(lm_graph_output(n.e.g, y));
        CHECK_OK(lm_block_by_block(n.e.g, &cpu, n.seed, TARGETS, i ? 1000 : 100000, &g));
        CHECK(g == NULL);
        lm_graph_free(n.e.g);
    }
}

static net source;

static lm_status scenario(void)
{
    lm_graph *g = NULL;
    LM_TRY(lm_block_by_block(source.e.g, &cpu, source.seed, TARGETS, 1000, &g));
    lm_graph_free(g);
    return LM_OK;
}

static void out_of_memory(void)
{
    source = build();
    CHECK_OK(lm_graph_output(source.e.g, source.signal));
    CHECK(test_every_allocation(scenario) > 20);
    lm_graph_free(source.e.g);
}

static void cases(void)
{
    CASE(large_signals_part);
    CASE(one_after_the_other);
    CASE(what_stays);
    CASE(out_of_memory);
}

int main(void)
{
    return graph_main(cases);
}
