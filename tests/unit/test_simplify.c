/* What the emitter leaves out: constants computed, equal nodes shared, ops that change nothing; and what it must not.
 * */
#include "tests/unit/graph_run.h"

/* No node is needed for `v`: it is `x` itself. */
static void nothing(const lm_emit *e, lm_val v, lm_val x)
{
    CHECK_OK(e->status);
    CHECK_INT(v, x);
    CHECK_INT(e->g->nodes.count, 0);
}

static lm_val cast(lm_emit *e, lm_val x, lm_dtype to)
{
    lm_attrs a = {0};
    a.cast.to = to;
    return lm_emit1(e, LM_OP_CAST, &a, x);
}

static lm_val turn(lm_emit *e, lm_val x, int a, int b, int c)
{
    lm_attrs t = {0};
    t.perm.perm[0] = a, t.perm.perm[1] = b, t.perm.perm[2] = c;
    return lm_emit1(e, LM_OP_TRANSPOSE, &t, x);
}

static lm_val reshape(lm_emit *e, lm_val x, lm_shape to)
{
    lm_attrs a = {0};
    a.shape.shape = to;
    return lm_emit1(e, LM_OP_RESHAPE, &a, x);
}

static void what_changes_nothing(void)
{
    lm_emit e = begin(&cpu);
    lm_val x = floats(&e, LM_SHAPE(2, 3, 4));
    lm_attrs a = {0};
    nothing(&e, unary(&e, LM_OP_IDENTITY, x), x);
    nothing(&e, cast(&e, x, LM_F32), x);
    nothing(&e, cast(&e, cast(&e, x, LM_F32), LM_F32), x);
    nothing(&e, reshape(&e, x, LM_SHAPE(2, 3, 4)), x);
    nothing(&e, turn(&e, x, 0, 1, 2), x);
    a.shape.shape = LM_SHAPE(1, 3, 4);
    nothing(&e, lm_emit1(&e, LM_OP_EXPAND, &a, x), x);
    memset(&a, 0, sizeof a);
    for (int i = 0; i < 3; i++)
        a.slice.step[i] = 1, a.slice.size[i] = i + 2;
    nothing(&e, lm_emit1(&e, LM_OP_SLICE, &a, x), x);
    memset(&a, 0, sizeof a);
    nothing(&e, lm_emit1(&e, LM_OP_PAD, &a, x), x);
    nothing(&e, lm_emit1(&e, LM_OP_CONCAT, &a, x), x);
    nothing(&e, lm_emit1(&e, LM_OP_CONCAT, &a, x, floats(&e, LM_SHAPE(0, 3, 4))), x);
    for (int i = 0; i < 3; i++)
        a.tile.reps[i] = 1;
    nothing(&e, lm_emit1(&e, LM_OP_TILE, &a, x), x);
    nothing(&e, scalar(&e, LM_OP_MUL, x, 1), x);
    nothing(&e, binary(&e, LM_OP_MUL, lm_emit_const(&e, LM_F32, 1), x), x);
    nothing(&e, scalar(&e, LM_OP_DIV, x, 1), x);
    nothing(&e, scalar(&e, LM_OP_SUB, x, 0), x);
    nothing(&e, scalar(&e, LM_OP_ADD, x, -0.0), x);
    nothing(&e, binary(&e, LM_OP_MUL, x, NUMBERS(&e, LM_F32, LM_SHAPE(3, 1), 1, 1, 1)), x);
    lm_val i = input(&e, NULL, LM_I64, LM_SHAPE(2));
    nothing(&e, scalar(&e, LM_OP_ADD, i, 0), i);
    nothing(&e, lm_emit1(&e, LM_OP_WHERE, NULL, NUMBERS(&e, LM_BOOL, LM_SHAPE(2), 1, 1), i, i), i);
    lm_graph_free(e.g);
}

/* Each of these looks like one of the above and is not. */
static void what_changes_something(void)
{
    lm_emit e = begin(&cpu);
    lm_val x = floats(&e, LM_SHAPE(2, 1)), one = lm_emit_const(&e, LM_F32, 1);
    lm_attrs back = {0}, crop = {0};
    size_t nodes = 0;
#define ADDS(v) (CHECK((v) != x && (v) != LM_NOVAL), CHECK_INT(e.g->nodes.count, ++nodes))
    ADDS(scalar(&e, LM_OP_ADD, x, 0));      /* -0 + 0 = 0 */
    ADDS(scalar(&e, LM_OP_SUB, x, -0.0));   /* -0 - -0 = 0 */
    ADDS(binary(&e, LM_OP_DIV, one, x));
    ADDS(binary(&e, LM_OP_SUB, lm_emit_const(&e, LM_F32, 0), x));
    ADDS(scalar(&e, LM_OP_MUL, x, -1));
    ADDS(binary(&e, LM_OP_MUL, x, NUMBERS(&e, LM_F32, LM_SHAPE(1, 3), 1, 1, 1))); /* widens */
    ADDS(binary(&e, LM_OP_MUL, x, NUMBERS(&e, LM_F32, LM_SHAPE(2, 1), 1, 2)));
    back.slice.start[0] = 1, back.slice.step[0] = -1, back.slice.size[0] = 2;
    back.slice.step[1] = 1, back.slice.size[1] = 1;
    ADDS(lm_emit1(&e, LM_OP_SLICE, &back, x));
    crop.pad.lo[0] = 1, crop.pad.hi[0] = -1;
    ADDS(lm_emit1(&e, LM_OP_PAD, &crop, x));
    ADDS(cast(&e, x, LM_F16));
    ADDS(cast(&e, cast(&e, x, LM_F16), LM_F32)); /* only the second is new */
    CHECK_OK(e.status);
#undef ADDS
    lm_graph_free(e.g);
}

static void movements_join(void)
{
    lm_emit e = begin(&cpu);
    lm_val x = floats(&e, LM_SHAPE(2, 3, 4)), thin = floats(&e, LM_SHAPE(5, 1, 7));
    CHECK_INT(reshape(&e, reshape(&e, x, LM_SHAPE(6, 4)), LM_SHAPE(2, 3, 4)), x);
    lm_val flat = reshape(&e, reshape(&e, x, LM_SHAPE(6, 4)), LM_SHAPE(24));
    CHECK_INT(lm_graph_value(e.g, flat)->producer->x[0], x);
    CHECK_INT(turn(&e, turn(&e, x, 1, 2, 0), 2, 0, 1), x);
    lm_val twice = turn(&e, turn(&e, x, 1, 0, 2), 0, 2, 1);
    const lm_node *n = lm_graph_value(e.g, twice)->producer;
    CHECK_INT(n->x[0], x);
    CHECK(n->a->perm.perm[0] == 1 && n->a->perm.perm[1] == 2 && n->a->perm.perm[2] == 0);
    CHECK_INT(lm_graph_value(e.g, turn(&e, thin, 1, 0, 2))->producer->op, LM_OP_RESHAPE);
    CHECK_OK(lm_graph_output(e.g, flat));
    CHECK_OK(lm_graph_output(e.g, twice));
    lm_emit plain = begin(NULL);
    lm_val p = floats(&plain, LM_SHAPE(2, 3, 4));
    floats(&plain, LM_SHAPE(5, 1, 7));
    CHECK_OK(lm_graph_output(plain.g, reshape(&plain, p, LM_SHAPE(24))));
    CHECK_OK(lm_graph_output(plain.g, turn(&plain, turn(&plain, p, 1, 0, 2), 0, 2, 1)));
    same_results(&cpu, e.g, plain.g, 0);
    lm_graph_free(plain.g);
    lm_graph_free(e.g);
}

static lm_val gather(lm_emit *e, lm_val x, int axis, lm_val index)
{
    lm_attrs a = {0};
    a.index.axis = axis;
    return lm_emit1(e, LM_OP_GATHER, &a, x, index);
}

/* Gathering in equal steps is a slice; the graph that gathers agrees. */
static void gathers_become_slices(void)
{
    static const struct {
        int64_t n, at[3];
        bool slices;
    } row[] = {{1, {2}, true},       {1, {-1}, true},        {3, {0, 1, 2}, true}, {3, {3, 2, 1}, true},
               {2, {-3, -1}, true},  {3, {0, 2, 3}, false},  {2, {1, 1}, false},   {2, {3, 4}, false}};
    for (size_t i = 0; i < LM_COUNT(row); i++) {
        lm_emit e = begin(&cpu), plain = begin(NULL);
        const double at[3] = {(double)row[i].at[0], (double)row[i].at[1], (double)row[i].at[2]};
        lm_shape many = LM_SHAPE(row[i].n), one = {0}, shape = row[i].n == 1 ? one : many;
        lm_val x = floats(&e, LM_SHAPE(2, 4, 3)), px = floats(&plain, LM_SHAPE(2, 4, 3));
        lm_val y = gather(&e, x, 1, numbers(&e, LM_I64, shape, at));
        lm_val py = gather(&plain, px, 1, numbers(&plain, LM_I64, shape, at));
        CHECK_INT(count_op(e.g, LM_OP_GATHER), !row[i].slices);
        CHECK_OK(lm_graph_output(e.g, y));
        CHECK_OK(lm_graph_output(plain.g, py));
        if (row[i].slices)
            same_results(&cpu, plain.g, e.g, 0);
        lm_graph_free(plain.g);
        lm_graph_free(e.g);
    }
}

static void casts_join_where_exact(void)
{
    static const struct {
        lm_dtype from, over, to;
        bool joins;
    } row[] = {
        {LM_I32, LM_I64, LM_I32, true},  {LM_I32, LM_I64, LM_F32, true},  {LM_U8, LM_I32, LM_I8, true},
        {LM_BOOL, LM_F32, LM_I64, true}, {LM_F32, LM_F64, LM_F32, true},  {LM_F16, LM_F32, LM_I32, true},
        {LM_I64, LM_I32, LM_I64, false}, {LM_I8, LM_U8, LM_I32, false},   {LM_I32, LM_F32, LM_I32, false},
        {LM_F64, LM_F32, LM_F64, false}, {LM_F32, LM_I64, LM_F32, false}, {LM_I32, LM_F64, LM_I8, false},
        {LM_I8, LM_U16, LM_I32, false},
    };
    for (size_t i = 0; i < LM_COUNT(row); i++) {
        lm_emit e = begin(&cpu);
        lm_val x = input(&e, NULL, row[i].from, LM_SHAPE(3)), y = cast(&e, cast(&e, x, row[i].over), row[i].to);
        const lm_node *n = lm_graph_value(e.g, y)->producer;
        CHECK_OK(e.status);
        if (!CHECK((y == x || n->x[0] == x) == row[i].joins))
            printf("row %zu\n", i);
        lm_graph_free(e.g);
    }
}

static void constants_are_computed(void)
{
    lm_emit e = begin(&cpu);
    lm_val a = NUMBERS(&e, LM_I64, LM_SHAPE(3), 4, 5, 6), b = NUMBERS(&e, LM_I64, LM_SHAPE(3), 1, 2, 3);
    lm_val sum = binary(&e, LM_OP_ADD, a, b);
    const lm_view *c = lm_graph_value(e.g, sum)->constant;
    CHECK(c && lm_view_get_i64(c, 0) == 5 && lm_view_get_i64(c, 2) == 9);
    /* a composite without a kernel of its own is computed part by part */
    lm_attrs block = {0};
    block.block.size = 2;
    lm_val w = weights(&e, 1, LM_SHAPE(1, 4, 2, 3)), d = lm_emit1(&e, LM_OP_DEPTHTOSPACE, &block, w);
    CHECK(lm_graph_value(e.g, d)->constant && lm_emit_shape(&e, d)->dim[3] == 6);
    /* a transposed constant of moderate size is stored the way it is read */
    lm_val t = turn(&e, weights(&e, 2, LM_SHAPE(3, 4, 5)), 2, 1, 0);
    CHECK(lm_view_is_row(lm_graph_value(e.g, t)->constant));
    CHECK_INT(e.g->nodes.count, 0);
    /* results that are much larger than their operands are made by the run */
    lm_attrs huge = {0};
    huge.shape.shape = LM_SHAPE(1 << 15, 1 << 15);
    lm_val wide = lm_emit1(&e, LM_OP_EXPAND, &huge, lm_emit_const(&e, LM_F32, 2));
    CHECK(lm_graph_value(e.g, wide)->constant != NULL);
    CHECK(lm_graph_value(e.g, unary(&e, LM_OP_NEG, wide))->constant == NULL || !"4 GiB were computed");
    CHECK_OK(e.status);
    lm_graph_free(e.g);
}

/* What fails on its data stays, to fail when it is run. */
static void bad_constants_stay_nodes(void)
{
    lm_emit e = begin(&cpu);
    lm_val zero = NUMBERS(&e, LM_I32, LM_SHAPE(1), 0);
    lm_val y = binary(&e, LM_OP_DIV, zero, zero);
    CHECK_OK(e.status);
    CHECK(y != LM_NOVAL && lm_graph_value(e.g, y)->producer != NULL);
    lm_graph_free(e.g);
}

static void equal_nodes_are_shared(void)
{
    lm_emit e = begin(&cpu);
    lm_val x = floats(&e, LM_SHAPE(2, 3)), y = floats(&e, LM_SHAPE(2, 3));
    CHECK_INT(binary(&e, LM_OP_ADD, x, y), binary(&e, LM_OP_ADD, y, x));
    CHECK(binary(&e, LM_OP_SUB, x, y) != binary(&e, LM_OP_SUB, y, x));
    CHECK(lm_emit_axis(&e, LM_OP_SOFTMAX, x, 0) != lm_emit_axis(&e, LM_OP_SOFTMAX, x, 1));
    CHECK_INT(lm_emit_axis(&e, LM_OP_SOFTMAX, x, 1), lm_emit_axis(&e, LM_OP_SOFTMAX, x, 1));
    lm_attrs top = {0};
    top.topk.axis = 1, top.topk.k = 2;
    lm_val a[2], b[2], one;
    lm_emit_op(&e, LM_OP_TOPK, &top, 1, &x, 2, a);
    lm_emit_op(&e, LM_OP_TOPK, &top, 1, &x, 2, b);
    lm_emit_op(&e, LM_OP_TOPK, &top, 1, &x, 1, &one);
    CHECK(a[0] == b[0] && a[1] == b[1] && one != a[0]);
    CHECK_INT(e.g->nodes.count, 7);
    lm_epilogue relu = {.active = true, .act = LM_OP_RELU};
    lm_val w = weights(&e, 1, LM_SHAPE(3, 3)), p = binary(&e, LM_OP_MATMUL, x, w), q, r;
    lm_node_desc fused = {.op = LM_OP_MATMUL, .ep = &relu, .nx = 2, .ny = 1, .x = (lm_val[]){x, w}};
    lm_emit_node(&e, &fused, &q);
    lm_emit_node(&e, &fused, &r);
    CHECK(p != q && q == r);
    CHECK(lm_emit_nonneg(&e, q) && !lm_emit_nonneg(&e, p));
    CHECK_OK(e.status);
    lm_graph_free(e.g);
}

static void small_constants_are_shared(void)
{
    lm_emit e = begin(&cpu);
    CHECK_INT(NUMBERS(&e, LM_I64, LM_SHAPE(3), 1, 2, 3), NUMBERS(&e, LM_I64, LM_SHAPE(3), 1, 2, 3));
    CHECK(NUMBERS(&e, LM_I64, LM_SHAPE(3), 1, 2, 3) != NUMBERS(&e, LM_I64, LM_SHAPE(1, 3), 1, 2, 3));
    CHECK(NUMBERS(&e, LM_I64, LM_SHAPE(3), 1, 2, 3) != NUMBERS(&e, LM_U64, LM_SHAPE(3), 1, 2, 3));
    CHECK(lm_emit_const(&e, LM_F32, 0) != lm_emit_const(&e, LM_F32, -0.0));
    CHECK_INT(lm_emit_const(&e, LM_F32, NAN), lm_emit_const(&e, LM_F32, NAN));
    lm_graph_free(e.g);
}

static void epilogues_are_checked_and_printed(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(2, 3)), w = weights(&e, 1, LM_SHAPE(3, 3)), y;
    lm_epilogue ep = {.residual = true, .active = true, .act = LM_OP_CLIP, .attr = {0, 6}};
    lm_node_desc d = {.op = LM_OP_MATMUL, .ep = &ep, .nx = 3, .ny = 1, .x = (lm_val[]){x, w, x}};
    lm_emit_node(&e, &d, &y);
    CHECK_OK(e.status);
    CHECK_OK(lm_graph_output(e.g, y));
    lm_str text = {0};
    CHECK_OK(lm_graph_print(e.g, &text));
    if (!CHECK(strstr(lm_str_text(&text), "MatMul(%1, %2) +%1 Clip(0,6)\n")))
        printf("%s", lm_str_text(&text));
    lm_str_free(&text);
    CHECK_OK(lm_graph_infer(e.g));
    d.x = (lm_val[]){x, w, lm_emit_const(&e, LM_F32, 1)};
    lm_emit_node(&e, &d, &y);
    CHECK_FAILS(e.status, LM_INPUT);
    e.status = LM_OK;
    d.op = LM_OP_ADD;
    lm_emit_node(&e, &d, &y);
    CHECK_FAILS(e.status, LM_USAGE);
    lm_graph_free(e.g);
}

static lm_status scenario(void)
{
    lm_emit e = {.fold = &cpu};
    LM_TRY(lm_graph_new(&e.g));
    lm_type type = {LM_F32, LM_SHAPE(2, 3)};
    lm_shape scalar_shape = {0};
    lm_view view;
    lm_val x = LM_NOVAL;
    e.status = lm_graph_input(e.g, "x", &type, &x);
    if (e.status == LM_OK)
        e.status = lm_view_new(LM_F32, &scalar_shape, &view);
    if (e.status == LM_OK) {
        lm_view_set(&view, 0, 3);
        lm_val c = lm_emit_content(&e, &view);
        lm_buffer_unref(view.buf);
        lm_val two = lm_emit1(&e, LM_OP_ADD, NULL, c, c);
        lm_emit1(&e, LM_OP_MUL, NULL, lm_emit1(&e, LM_OP_RELU, NULL, x), two);
        lm_emit1(&e, LM_OP_RELU, NULL, x);
    }
    lm_graph_free(e.g);
    return e.status;
}

static void out_of_memory(void)
{
    CHECK(test_every_allocation(scenario) > 10);
}

static void cases(void)
{
    CASE(what_changes_nothing);
    CASE(what_changes_something);
    CASE(movements_join);
    CASE(gathers_become_slices);
    CASE(casts_join_where_exact);
    CASE(constants_are_computed);
    CASE(bad_constants_stay_nodes);
    CASE(equal_nodes_are_shared);
    CASE(small_constants_are_shared);
    CASE(epilogues_are_checked_and_printed);
    CASE(out_of_memory);
}

int main(void)
{
    return graph_main(cases);
}
