/* One op at once: the same as running it, views where an op only moves, and what is refused. */
#include "core/device/eval.h"
#include "tests/unit/graph_run.h"

static const lm_attrs none;

/* lm_eval against the op run with memory of the device. */
static void agrees(lm_opid op, const lm_attrs *a, int nx, const lm_view *x)
{
    lm_view fast = {0}, slow = {0};
    if (CHECK_OK(lm_eval(&cpu, op, a, nx, x, 1, &fast)) && CHECK_OK(lm_exec_once(&cpu, op, a, nx, x, 1, &slow)))
        CHECK(difference(&fast, &slow) == 0);
    lm_buffer_unref(fast.buf);
    lm_buffer_unref(slow.buf);
}

static void same_as_running(void)
{
    lm_view a = noise_view(1, LM_F32, LM_SHAPE(3, 5, 7)), b = noise_view(2, LM_F32, LM_SHAPE(7, 4));
    lm_view i = noise_view(3, LM_I64, LM_SHAPE(5)), bias = noise_view(4, LM_F32, LM_SHAPE(4));
    lm_attrs at = none;
    agrees(LM_OP_MATMUL, NULL, 3, (lm_view[]){a, b, bias});
    agrees(LM_OP_ADD, NULL, 2, (lm_view[]){i, i});
    agrees(LM_OP_ERF, NULL, 1, &a);
    at.axis.axis = 1;
    agrees(LM_OP_SOFTMAX, &at, 1, &a);
    agrees(LM_OP_CONCAT, &at, 12, (lm_view[]){a, a, a, a, a, a, a, a, a, a, a, a});
    at = none;
    at.cast.to = LM_F32;
    agrees(LM_OP_CAST, &at, 1, &i);
    at = none;
    at.pad.lo[0] = 2;
    agrees(LM_OP_PAD, &at, 2, (lm_view[]){b, lm_view_absent()});
    agrees(LM_OP_NONZERO, NULL, 1, &i);
    lm_buffer_unref(a.buf);
    lm_buffer_unref(b.buf);
    lm_buffer_unref(i.buf);
    lm_buffer_unref(bias.buf);
}

/* The result is a view of x's buffer with the same content as a copy. */
static lm_view is_view(lm_opid op, const lm_attrs *a, const lm_view *x)
{
    lm_view y = {0}, slow = {0};
    uint64_t before = lm_mem_count().calls;
    CHECK_OK(lm_eval(&cpu, op, a, 1, x, 1, &y));
    CHECK_INT(lm_mem_count().calls, before);
    CHECK(y.buf == x->buf);
    CHECK_OK(lm_view_check(&y));
    CHECK_OK(lm_exec_once(&cpu, op, a, 1, x, 1, &slow));
    CHECK(difference(&y, &slow) == 0);
    lm_buffer_unref(slow.buf);
    lm_buffer_unref(y.buf);
    return y;
}

static void movement_is_a_view(void)
{
    lm_view x = noise_view(5, LM_F32, LM_SHAPE(4, 6, 10));
    lm_attrs turn = none, shape = none, cut = none, wide = none;
    turn.perm.perm[0] = 2, turn.perm.perm[1] = 0, turn.perm.perm[2] = 1;
    lm_view t = is_view(LM_OP_TRANSPOSE, &turn, &x);
    is_view(LM_OP_IDENTITY, &none, &x);
    shape.shape.shape = LM_SHAPE(8, 1, 3, 10);
    is_view(LM_OP_RESHAPE, &shape, &x);
    /* the transposed axis of 10 splits, the other two run through memory as one */
    shape.shape.shape = LM_SHAPE(2, 5, 24);
    is_view(LM_OP_RESHAPE, &shape, &t);
    shape.shape.shape = LM_SHAPE(1, 10, 12, 2, 1);
    is_view(LM_OP_RESHAPE, &shape, &t);
    for (int i = 0; i < 3; i++)
        cut.slice.step[i] = 1, cut.slice.size[i] = x.sh.dim[i];
    cut.slice.start[1] = 5, cut.slice.step[1] = -2, cut.slice.size[1] = 3;
    cut.slice.start[2] = 1, cut.slice.step[2] = 3, cut.slice.size[2] = 3;
    lm_view s = is_view(LM_OP_SLICE, &cut, &x);
    is_view(LM_OP_TRANSPOSE, &turn, &s);
    wide.shape.shape = LM_SHAPE(3, 4, 6, 10);
    is_view(LM_OP_EXPAND, &wide, &x);
    lm_buffer_unref(x.buf);
}

static void expanding_costs_nothing(void)
{
    lm_view one = noise_view(6, LM_F32, LM_SHAPE(1)), y;
    lm_attrs a = none;
    a.shape.shape = LM_SHAPE(1 << 20, 1 << 20, 64);
    CHECK_OK(lm_eval(&cpu, LM_OP_EXPAND, &a, 1, &one, 1, &y));
    CHECK_INT(y.st[0] | y.st[1] | y.st[2], 0);
    a.shape.shape = LM_SHAPE(64, 1 << 10, 1 << 30);
    lm_view z;
    CHECK_OK(lm_eval(&cpu, LM_OP_RESHAPE, &a, 1, &y, 1, &z));
    CHECK(z.buf == one.buf);
    lm_buffer_unref(z.buf);
    lm_buffer_unref(y.buf);
    lm_buffer_unref(one.buf);
}

static void reshape_copies_when_it_must(void)
{
    lm_view x = noise_view(7, LM_F32, LM_SHAPE(4, 6)), t, y;
    lm_attrs turn = none, shape = none;
    turn.perm.perm[0] = 1;
    shape.shape.shape = LM_SHAPE(24);
    CHECK_OK(lm_eval(&cpu, LM_OP_TRANSPOSE, &turn, 1, &x, 1, &t));
    CHECK_OK(lm_eval(&cpu, LM_OP_RESHAPE, &shape, 1, &t, 1, &y));
    CHECK(y.buf != x.buf && lm_view_is_row(&y));
    for (int64_t i = 0; i < 24; i++)
        CHECK(lm_view_get(&y, i) == lm_view_get(&t, i));
    lm_view dense;
    CHECK_OK(lm_eval_copy(&cpu, &t, &dense));
    CHECK(lm_view_is_row(&dense) && difference(&dense, &t) == 0);
    lm_buffer_unref(dense.buf);
    lm_buffer_unref(y.buf);
    lm_buffer_unref(t.buf);
    lm_buffer_unref(x.buf);
}

static void empty_views(void)
{
    lm_view x = noise_view(8, LM_I64, LM_SHAPE(3, 0)), y;
    lm_attrs a = none;
    a.slice.start[0] = 7, a.slice.step[0] = a.slice.step[1] = 1;
    CHECK_OK(lm_eval(&cpu, LM_OP_SLICE, &a, 1, &x, 1, &y));
    CHECK_OK(lm_view_check(&y));
    CHECK_INT(y.sh.dim[0] + y.sh.dim[1], 0);
    lm_buffer_unref(y.buf);
    a = none;
    a.shape.shape = LM_SHAPE(0, 9);
    CHECK_OK(lm_eval(&cpu, LM_OP_RESHAPE, &a, 1, &x, 1, &y));
    CHECK_OK(lm_view_check(&y));
    lm_buffer_unref(y.buf);
    lm_buffer_unref(x.buf);
}

static void refusals(void)
{
    lm_view x = noise_view(9, LM_F32, LM_SHAPE(2, 3)), y;
    lm_view q = noise_view(9, LM_F32, LM_SHAPE(1, 1, 2, 3));
    CHECK_FAILS(lm_eval(&cpu, LM_OP_GLOBAL_AVG, NULL, 1, &q, 1, &y), LM_UNSUPPORTED);
    CHECK_FAILS(lm_eval(&cpu, LM_OP_MATMUL, NULL, 2, (lm_view[]){x, x}, 1, &y), LM_INPUT);
    CHECK(strstr(lm_message(), "MatMul") && strstr(lm_message(), "[2,3]"));
    lm_view zero = noise_view(9, LM_I32, LM_SHAPE(1));
    lm_view_set(&zero, 0, 0);
    CHECK_FAILS(lm_eval(&cpu, LM_OP_DIV, NULL, 2, (lm_view[]){zero, zero}, 1, &y), LM_INPUT);
    lm_buffer_unref(zero.buf);
    lm_buffer_unref(q.buf);
    lm_buffer_unref(x.buf);
}

/* Where runs hold doubles, rounding a sum to float32 ahead of them would show. */
static void doubles_are_not_rounded(void)
{
    lm_chain wide;
    CHECK_OK(lm_chain_open("ref:type=f64", &wide));
    lm_view x = noise_view(10, LM_F32, LM_SHAPE(2, 3)), i = noise_view(11, LM_I64, LM_SHAPE(2)), y;
    CHECK_FAILS(lm_eval(&wide, LM_OP_ADD, NULL, 2, (lm_view[]){x, x}, 1, &y), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "Add"));
    lm_attrs a = none;
    a.cast.to = LM_F32;
    CHECK_FAILS(lm_eval(&wide, LM_OP_CAST, &a, 1, &i, 1, &y), LM_UNSUPPORTED);
    CHECK_OK(lm_eval(&wide, LM_OP_ADD, NULL, 2, (lm_view[]){i, i}, 1, &y));
    CHECK_INT(lm_view_get_i64(&y, 1), 2 * lm_view_get_i64(&i, 1));
    lm_buffer_unref(y.buf);
    a = none;
    a.axis.axis = 1;
    CHECK_OK(lm_eval(&wide, LM_OP_CONCAT, &a, 2, (lm_view[]){x, x}, 1, &y));
    CHECK_INT(y.sh.dim[1], 6);
    lm_chain_close(&wide);
    /* what was made outlives the chain */
    CHECK(lm_view_get(&y, 5) == lm_view_get(&x, 2));
    lm_buffer_unref(y.buf);
    lm_buffer_unref(x.buf);
    lm_buffer_unref(i.buf);
}

static lm_view many[10];

static lm_status scenario(void)
{
    lm_attrs a = none;
    lm_view y;
    LM_TRY(lm_eval(&cpu, LM_OP_CONCAT, &a, 10, many, 1, &y));
    lm_buffer_unref(y.buf);
    LM_TRY(lm_eval(&cpu, LM_OP_MATMUL, NULL, 2, (lm_view[]){many[0], many[1]}, 1, &y));
    lm_buffer_unref(y.buf);
    return LM_OK;
}

static void out_of_memory(void)
{
    for (int i = 0; i < 10; i++)
        many[i] = noise_view(i, LM_F32, LM_SHAPE(3, 3));
    CHECK(test_every_allocation(scenario) > 5);
    for (int i = 0; i < 10; i++)
        lm_buffer_unref(many[i].buf);
}

static void cases(void)
{
    CASE(same_as_running);
    CASE(movement_is_a_view);
    CASE(expanding_costs_nothing);
    CASE(reshape_copies_when_it_must);
    CASE(empty_views);
    CASE(refusals);
    CASE(doubles_are_not_rounded);
    CASE(out_of_memory);
}

int main(void)
{
    return graph_main(cases);
}
