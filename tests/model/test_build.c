/* From files to graphs: scopes, functions, control flow, what is computed ahead, and files that try to do harm. */
#include "tests/model/sample.h"

#include "core/model/model.h"
#include "tests/unit/test.h"

static lm_chain chain;

/* An open model over its own bytes. */
typedef struct opened {
    lm_str bytes;
    lm_model *model;
} opened;

static lm_status open_it(onnx_build *b, opened *o)
{
    const onnx_open_options options = {.name = "m.onnx"};
    *o = (opened){0};
    LM_TRY(onnx_build_end(b, &o->bytes));
    return lm_model_open_bytes(o->bytes.text, o->bytes.count, &options, &o->model);
}

static void close_it(opened *o)
{
    lm_model_close(o->model);
    lm_str_free(&o->bytes);
}

static lm_feed floats(int n, const float *at)
{
    lm_shape s = LM_SHAPE(n);
    lm_view v = lm_view_absent();
    if (lm_view_new(LM_F32, &s, &v) == LM_OK)
        memcpy(lm_view_data(&v), at, (size_t)n * sizeof *at);
    return v;
}

static lm_feed whole(int rank, int64_t value)
{
    lm_shape s = LM_SHAPE(1);
    lm_view v = lm_view_absent();
    s.rank = rank;
    s.dim[0] = rank ? 1 : 0;
    if (lm_view_new(LM_I64, &s, &v) == LM_OK)
        lm_view_set(&v, 0, (double)value);
    return v;
}

static void start(onnx_build *b)
{
    *b = (onnx_build){0};
    onnx_build_start(b, 17);
    onnx_build_input(b, "x", LM_F32, 1, (int64_t[]){3});
}

static const float ONE_TWO_THREE[] = {1, 2, 3};

/* Build with x = [1,2,3] and see the status. */
static lm_status build_x(onnx_build *b)
{
    opened o;
    lm_built *built = NULL;
    lm_status status = open_it(b, &o);
    lm_feed x = floats(3, ONE_TWO_THREE);
    if (status == LM_OK)
        status = x.buf ? lm_model_build(o.model, &chain, &x, &built) : LM_MEMORY;
    lm_buffer_unref(x.buf);
    lm_built_free(built);
    close_it(&o);
    return status;
}

/* How many nodes are left for a model of one output. */
static int nodes_left(onnx_build *b, const lm_feed *feed, uint64_t *by_value)
{
    opened o;
    lm_built *built = NULL;
    int count = -1;
    if (CHECK_OK(open_it(b, &o)) && CHECK_OK(lm_model_build(o.model, &chain, feed, &built))) {
        count = (int)built->graph->nodes.count;
        if (by_value)
            *by_value = built->by_value;
    }
    lm_built_free(built);
    close_it(&o);
    return count;
}

static void shapes_vanish(void)
{
    onnx_build b;
    start(&b);
    onnx_build_node(&b, "Shape", "x", "s");
    onnx_build_ints(&b, "two", 1, (int64_t[]){1}, (int64_t[]){2});
    onnx_build_ints(&b, "one", 1, (int64_t[]){1}, (int64_t[]){1});
    onnx_build_node(&b, "Mul", "s two", "s2");
    onnx_build_node(&b, "Div", "s2 two", "s3");
    onnx_build_node(&b, "Concat", "one s3", "target");
    onnx_build_attr_int(&b, b.graph->n_nodes ? &b.graph->nodes[b.graph->n_nodes - 1] : NULL, "axis", 0);
    onnx_build_node(&b, "Reshape", "x target", "y");
    onnx_build_output(&b, "y", LM_F32, -1, NULL);
    lm_feed x = floats(3, ONE_TWO_THREE);
    CHECK_INT(nodes_left(&b, &x, NULL), 1);
    lm_buffer_unref(x.buf);
}

/* A Reshape whose target is fed: the content decides, and is asked for by name when it is not given. */
static void contents_decide(void)
{
    for (int given = 0; given < 2; given++) {
        onnx_build b;
        start(&b);
        onnx_build_input(&b, "target", LM_I64, 1, (int64_t[]){1});
        onnx_build_node(&b, "Reshape", "x target", "y");
        onnx_build_output(&b, "y", LM_F32, -1, NULL);
        opened o;
        lm_built *built = NULL;
        CHECK_OK(open_it(&b, &o));
        lm_feed feed[] = {floats(3, ONE_TWO_THREE), whole(1, -1)};
        lm_buffer *kept = feed[1].buf;
        if (!given)
            feed[1].buf = NULL;
        lm_status status = lm_model_build(o.model, &chain, feed, &built);
        if (given) {
            CHECK_OK(status);
            CHECK(built && built->by_value == 2);
        } else {
            CHECK_FAILS(status, LM_INPUT);
            CHECK(strstr(lm_message(), "'target'") != NULL);
        }
        lm_built_free(built);
        lm_buffer_unref(feed[0].buf);
        lm_buffer_unref(kept);
        close_it(&o);
    }
}

static void functions_take_attributes(void)
{
    onnx_build b;
    start(&b);
    onnx_build_opset(&b, "mine", 1);
    onnx_function *f = onnx_build_function(&b, "mine", "Leak", "a", "c", "slope", 17);
    onnx_build_attr_ref(&b, onnx_build_body(&b, f, "LeakyRelu", "a", "t"), "alpha", "slope", ONNX_ATTR_FLOAT);
    onnx_build_body(&b, f, "Neg", "t", "c");
    onnx_node *call = onnx_build_node(&b, "Leak", "x", "y");
    call->domain = "mine";
    call->name = "outer";
    onnx_build_attr_float(&b, call, "slope", 0.25f);
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
    opened o;
    lm_built *built = NULL;
    lm_feed x = floats(3, ONE_TWO_THREE);
    CHECK_OK(open_it(&b, &o));
    if (CHECK_OK(lm_model_build(o.model, &chain, &x, &built))) {
        CHECK_INT(built->graph->nodes.count, 2);
        CHECK_NEAR(built->graph->nodes.at[0]->a->act.a, 0.25, 0);
        CHECK_INT(built->layers.count, 2);
        CHECK_STR(built->layers.at[0].path, "outer");
        CHECK(lm_map_gets(&built->values, "outer/t") != NULL);
    }
    lm_built_free(built);
    lm_buffer_unref(x.buf);
    close_it(&o);
}

static void functions_may_not_call_themselves(void)
{
    onnx_build b;
    start(&b);
    onnx_build_opset(&b, "mine", 1);
    onnx_function *f = onnx_build_function(&b, "mine", "F", "a", "c", "", 17);
    onnx_build_body(&b, f, "G", "a", "c")->domain = "mine";
    onnx_function *g = onnx_build_function(&b, "mine", "G", "a", "c", "", 17);
    onnx_build_body(&b, g, "F", "a", "c")->domain = "mine";
    onnx_build_node(&b, "F", "x", "y")->domain = "mine";
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
    CHECK_FAILS(build_x(&b), LM_INPUT);
    CHECK(strstr(lm_message(), "calls itself") != NULL);
}

/* Thirty functions that each call the next one twice. */
static void calls_within_calls_are_bounded(void)
{
    enum { LEVELS = 30 };
    onnx_build b;
    start(&b);
    onnx_build_opset(&b, "mine", 1);
    for (int i = 0; i < LEVELS; i++) {
        char name[16], next[16];
        snprintf(name, sizeof name, "F%d", i);
        snprintf(next, sizeof next, "F%d", i + 1);
        onnx_function *f = onnx_build_function(&b, "mine", name, "a", "c", "", 17);
        bool last = i + 1 == LEVELS;
        onnx_build_body(&b, f, last ? "Neg" : next, "a", "t")->domain = last ? "" : "mine";
        onnx_build_body(&b, f, last ? "Neg" : next, "t", "c")->domain = last ? "" : "mine";
    }
    onnx_build_node(&b, "F0", "x", "y")->domain = "mine";
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
    CHECK_FAILS(build_x(&b), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "fewer calls") != NULL);
    CHECK(lm_mem_count().peak < (size_t)64 << 20);
}

static void order_is_found(void)
{
    onnx_build b;
    start(&b);
    onnx_build_node(&b, "Neg", "t", "y");
    onnx_build_node(&b, "Relu", "x", "t");
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
    CHECK_OK(build_x(&b));
}

static void circles_are_refused(void)
{
    onnx_build b;
    start(&b);
    onnx_build_node(&b, "Add", "x u", "t");
    onnx_build_node(&b, "Relu", "t", "u");
    onnx_build_output(&b, "u", LM_F32, 1, (int64_t[]){3});
    CHECK_FAILS(build_x(&b), LM_INPUT);
    CHECK(strstr(lm_message(), "circle") != NULL);
}

static void names_are_checked(void)
{
    onnx_build b;
    start(&b);
    onnx_build_node(&b, "Relu", "nowhere", "y");
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
    CHECK_FAILS(build_x(&b), LM_INPUT);
    CHECK(strstr(lm_message(), "'nowhere'") != NULL);
    start(&b);
    onnx_build_node(&b, "Relu", "x", "y");
    onnx_build_node(&b, "Neg", "x", "y");
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
    CHECK_FAILS(build_x(&b), LM_INPUT);
    CHECK(strstr(lm_message(), "'y'") != NULL);
}

static void strangers_are_refused_by_name(void)
{
    onnx_build b;
    start(&b);
    onnx_node *n = onnx_build_node(&b, "Frobnicate", "x", "y");
    n->name = "frob1";
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
    CHECK_FAILS(build_x(&b), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "frob1") && strstr(lm_message(), "Frobnicate"));
    start(&b);
    n = onnx_build_node(&b, "Relu", "x", "y");
    n->domain = "com.example";
    onnx_build_opset(&b, "com.example", 3);
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
    CHECK_FAILS(build_x(&b), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "com.example") != NULL);
}

static void attributes_have_types(void)
{
    onnx_build b;
    start(&b);
    onnx_build_attr_text(&b, onnx_build_node(&b, "LeakyRelu", "x", "y"), "alpha", "steep");
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
    CHECK_FAILS(build_x(&b), LM_INPUT);
    CHECK(strstr(lm_message(), "'alpha'") != NULL);
}

static void branches_see_outside(void)
{
    for (int64_t condition = 0; condition < 2; condition++) {
        onnx_build b;
        start(&b);
        onnx_build_input(&b, "n", LM_I64, 0, NULL);
        onnx_node *cast = onnx_build_node(&b, "Cast", "n", "c");
        onnx_build_attr_int(&b, cast, "to", ONNX_BOOL);
        onnx_graph *top = b.graph, *yes = onnx_build_graph(&b, "yes"), *no = onnx_build_graph(&b, "no");
        b.graph = yes;
        onnx_build_node(&b, "Neg", "x", "y1");
        onnx_build_output(&b, "y1", LM_F32, 1, (int64_t[]){3});
        b.graph = no;
        onnx_build_node(&b, "Exp", "x", "y2");
        onnx_build_node(&b, "Exp", "y2", "y3");
        onnx_build_output(&b, "y3", LM_F32, 1, (int64_t[]){3});
        b.graph = top;
        onnx_node *branch = onnx_build_node(&b, "If", "c", "y");
        onnx_build_attr_graph(&b, branch, "then_branch", yes);
        onnx_build_attr_graph(&b, branch, "else_branch", no);
        onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
        lm_feed feed[] = {floats(3, ONE_TWO_THREE), whole(0, condition)};
        uint64_t by_value = 0;
        int left = nodes_left(&b, feed, &by_value);
        /* the Cast of the condition stays in the graph although nothing reads it: passes drop it */
        CHECK_INT(left, condition ? 2 : 3);
        CHECK_INT(by_value, 2);
        lm_buffer_unref(feed[0].buf);
        lm_buffer_unref(feed[1].buf);
    }
}

/* x doubled `rounds` times by a Loop. */
static void add_loop(onnx_build *b, int64_t rounds)
{
    onnx_build_ints(b, "rounds", 0, NULL, &rounds);
    onnx_graph *top = b->graph, *body = onnx_build_graph(b, "body");
    b->graph = body;
    onnx_build_input(b, "i", LM_I64, 0, NULL);
    onnx_build_input(b, "go", LM_BOOL, 0, NULL);
    onnx_build_input(b, "v", LM_F32, 1, (int64_t[]){3});
    onnx_build_node(b, "Add", "v v", "w");
    onnx_build_node(b, "Identity", "go", "on");
    onnx_build_output(b, "on", LM_BOOL, 0, NULL);
    onnx_build_output(b, "w", LM_F32, 1, (int64_t[]){3});
    b->graph = top;
    onnx_build_attr_graph(b, onnx_build_node(b, "Loop", "rounds - x", "y"), "body", body);
    onnx_build_output(b, "y", LM_F32, 1, (int64_t[]){3});
}

static void loops_are_unrolled(void)
{
    onnx_build b;
    start(&b);
    add_loop(&b, 5);
    lm_feed x = floats(3, ONE_TWO_THREE);
    CHECK_INT(nodes_left(&b, &x, NULL), 5);
    lm_buffer_unref(x.buf);
}

static void endless_loops_are_refused(void)
{
    onnx_build b;
    start(&b);
    add_loop(&b, INT64_C(1) << 62);
    CHECK_FAILS(build_x(&b), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "Loop") && strstr(lm_message(), "fewer rounds"));
}

/* Results that no memory holds are refused before anything is allocated for them. */
static void bombs_are_refused(void)
{
    static const char *const ops[] = {"ConstantOfShape", "Expand", "Tile"};
    for (size_t i = 0; i < LM_COUNT(ops); i++) {
        onnx_build b;
        start(&b);
        onnx_build_ints(&b, "huge", 1, (int64_t[]){2}, (int64_t[]){INT64_C(1) << 40, INT64_C(1) << 40});
        if (i == 2)
            onnx_build_node(&b, "Unsqueeze", "x axis", "x2");
        onnx_build_ints(&b, "axis", 1, (int64_t[]){1}, (int64_t[]){0});
        onnx_build_node(&b, ops[i], i == 0 ? "huge" : i == 1 ? "x huge" : "x2 huge", "t");
        onnx_build_node(&b, "Neg", "t", "y");
        onnx_build_output(&b, "y", LM_F32, -1, NULL);
        lm_status status = build_x(&b);
        CHECK(status == LM_INPUT || status == LM_MEMORY || status == LM_UNSUPPORTED);
        CHECK(lm_mem_count().peak < (size_t)64 << 20);
    }
}

static void feeds_are_checked(void)
{
    onnx_build b;
    start(&b);
    onnx_build_node(&b, "Neg", "x", "y");
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
    opened o;
    lm_built *built;
    CHECK_OK(open_it(&b, &o));
    lm_feed wrong[] = {floats(2, ONE_TWO_THREE), whole(1, 1), lm_view_absent()};
    static const char *const says[] = {"axis 0", "takes float32", "not fed"};
    for (size_t i = 0; i < LM_COUNT(wrong); i++) {
        CHECK_FAILS(lm_model_build(o.model, &chain, &wrong[i], &built), LM_INPUT);
        CHECK(strstr(lm_message(), says[i]) != NULL);
        lm_buffer_unref(wrong[i].buf);
    }
    close_it(&o);
}

static lm_status build_sample(void)
{
    onnx_build b;
    start(&b);
    add_loop(&b, 2);
    return build_x(&b);
}

static void memory_may_be_short(void)
{
    size_t before = lm_mem_count().live;
    for (uint64_t n = 1;; n++) {
        lm_mem_fail_at(n);
        lm_status status = build_sample();
        lm_mem_fail_at(0);
        if (status == LM_OK)
            break;
        if (!CHECK_FAILS(status, LM_MEMORY) || !CHECK_INT(lm_mem_count().live, before))
            break;
    }
    CHECK_INT(lm_mem_count().live, before);
}

int main(void)
{
    if (lm_chain_open("cpu", &chain) != LM_OK && lm_chain_open("ref", &chain) != LM_OK) {
        printf("%s\n", lm_message());
        return 1;
    }
    CASE(shapes_vanish);
    CASE(contents_decide);
    CASE(functions_take_attributes);
    CASE(functions_may_not_call_themselves);
    CASE(calls_within_calls_are_bounded);
    CASE(order_is_found);
    CASE(circles_are_refused);
    CASE(names_are_checked);
    CASE(strangers_are_refused_by_name);
    CASE(attributes_have_types);
    CASE(branches_see_outside);
    CASE(loops_are_unrolled);
    CASE(endless_loops_are_refused);
    CASE(bombs_are_refused);
    CASE(feeds_are_checked);
    CASE(memory_may_be_short);
    lm_chain_close(&chain);
    return test_end();
}
