/* Files that mean harm: every one is refused with a message, soon and in little memory, whoever opens, checks or runs
 * it. */
#include "tests/model/sample.h"

#include <unistd.h>

#include "core/model/check.h"
#include "core/run/session.h"
#include "tests/unit/test.h"

/* Far above the second that each may take at most: machines are slow and busy, but a hang is a hang. */
enum { SECONDS = 20 };
static const size_t BUDGET = (size_t)64 << 20;

static lm_chain chain;

/* Open, put together for made-up feeds, run: the status of what fails first. */
static lm_status use(const lm_str *bytes)
{
    const onnx_open_options options = {.name = "m.onnx"};
    lm_model *m;
    LM_TRY(lm_model_open_bytes(lm_str_text(bytes), bytes->count, &options, &m));
    int n;
    const lm_port *port = lm_model_inputs(m, &n);
    lm_feed *feed = lm_calloc((size_t)n + 1, sizeof *feed);
    lm_named *named = lm_calloc((size_t)n + 1, sizeof *named);
    lm_built *built = NULL;
    lm_session *s = NULL;
    lm_view y[1];
    lm_status status = feed && named ? lm_model_guess(m, &chain, feed, &built) : LM_MEMORY;
    if (status == LM_OK) {
        for (int i = 0; i < n; i++)
            named[i] = (lm_named){port[i].name, feed[i]};
        status = lm_session_open(m, &chain, NULL, &s);
        if (status == LM_OK)
            status = lm_session_run(s, named, n, NULL, 1, y, NULL);
        if (status == LM_OK)
            lm_buffer_unref(y[0].buf);
        lm_feeds_free(feed, n);
    }
    lm_session_close(s);
    lm_built_free(built);
    lm_free(named);
    lm_free(feed);
    lm_model_close(m);
    return status;
}

/* `check`, which goes on behind failures, comes to an end too. What only memory is too small for it need not find. */
static void check_too(const lm_str *bytes)
{
    const onnx_open_options options = {.name = "m.onnx"};
    lm_model *m;
    lm_problems p;
    if (lm_model_open_bytes(lm_str_text(bytes), bytes->count, &options, &m) != LM_OK)
        return;
    lm_status status = lm_model_check(m, &chain, &p);
    CHECK(status == LM_MEMORY || status == LM_OK);
    if (status == LM_OK)
        lm_problems_free(&p);
    lm_model_close(m);
}

static void refused(const char *what, lm_str *bytes)
{
    size_t before = lm_mem_count().live;
    lm_mem_cap(before + BUDGET);
    alarm(SECONDS);
    lm_status status = use(bytes);
    bool good = (status == LM_INPUT || status == LM_UNSUPPORTED || status == LM_MEMORY) && *lm_message();
    if (!CHECK(good))
        printf("%s: status %d, %s\n", what, (int)status, lm_message());
    check_too(bytes);
    alarm(0);
    lm_mem_cap(0);
    if (!CHECK_INT(lm_mem_count().live, before))
        printf("%s leaks\n", what);
    lm_str_free(bytes);
}

static void start(onnx_build *b)
{
    *b = (onnx_build){0};
    onnx_build_start(b, 17);
    onnx_build_input(b, "x", LM_F32, 1, (int64_t[]){3});
}

static void finish(onnx_build *b, const char *what)
{
    lm_str bytes = {0};
    onnx_build_output(b, "y", LM_F32, -1, NULL);
    if (CHECK_OK(onnx_build_end(b, &bytes)))
        refused(what, &bytes);
    else
        lm_str_free(&bytes);
}

/* A sound model in bytes, to be spoilt. */
static void sound(lm_str *out)
{
    onnx_build b;
    start(&b);
    onnx_build_floats(&b, "w", 1, (int64_t[]){3}, (const float[]){1, 2, 3});
    onnx_build_node(&b, "Mul", "x w", "h");
    onnx_build_node(&b, "Relu", "h", "y");
    onnx_build_output(&b, "y", LM_F32, 1, (int64_t[]){3});
    CHECK_OK(onnx_build_end(&b, out));
}

static void sound_models_run(void)
{
    lm_str bytes = {0};
    sound(&bytes);
    CHECK_OK(use(&bytes));
    lm_str_free(&bytes);
}

static void cut_files(void)
{
    lm_str whole = {0};
    sound(&whole);
    for (size_t i = 1; i <= 12; i++) {
        lm_str cut = {0};
        lm_str_add_bytes(&cut, whole.text, whole.count * i / 13);
        refused("a cut file", &cut);
    }
    lm_str_free(&whole);
}

static void no_models(void)
{
    static const struct {
        const char *bytes;
        size_t count;
    } files[] = {
        {"", 0},
        {"\0\0\0\0\0\0\0\0", 8},
        {"#!/bin/sh\necho hello\n", 21},
        {"PK\3\4\24\0\0\0\0\0", 10},
        {"\x3a\xff\xff\xff\xff\x07", 6},                              /* a graph of 2 GB */
        {"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},          /* ... of 2^64 - 1 bytes */
        {"\x3a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 13},  /* a length without an end */
        {"\x08\x08\x3b\x3c", 4},                                       /* groups, which nobody uses */
        {"\x00\x01\x02\x03", 4},                                       /* field 0 */
        {"\x08\x08\x3a\x02\x0a\x7f", 6},                               /* a node longer than its graph */
        {"\x08\x08\x3a\x00\x3a\x00", 6},                               /* two graphs */
        {"\x08\x08\x42\x04\x0a\x00\x10\x63", 8},                       /* no graph at all */
    };
    for (size_t i = 0; i < LM_COUNT(files); i++) {
        lm_str bytes = {0};
        lm_str_add_bytes(&bytes, files[i].bytes, files[i].count);
        refused("no model", &bytes);
    }
}

/* Graphs in attributes of nodes in graphs ... */
static void deep_nesting(void)
{
    static const int depths[] = {70, 1000, 100000};
    for (size_t d = 0; d < LM_COUNT(depths); d++) {
        lm_str inner = {0}, head = {0};
        for (int i = 0; i < depths[d] && inner.count < 4 << 20; i++) {
            static const uint32_t way[] = {6, 5, 1}; /* graph in attribute, attribute in node, node in graph */
            for (size_t k = 0; k < LM_COUNT(way); k++) {
                lm_str outer = {0};
                put_message(&outer, way[k], &inner);
                lm_str_free(&inner);
                inner = outer;
            }
            if (inner.count > 60000 && depths[d] > 1000) /* what is as deep as this is deep enough */
                break;
        }
        put_message(&head, 7, &inner);
        lm_str_free(&inner);
        refused("deep nesting", &head);
    }
}

static void sizes(void)
{
    static const struct {
        int rank;
        int64_t dim[12];
    } shapes[] = {{1, {-3}},
                  {2, {INT64_C(1) << 31, INT64_C(1) << 31}},
                  {3, {INT64_C(1) << 31, INT64_C(1) << 31, INT64_C(1) << 31}},
                  {1, {INT64_MAX}},
                  {1, {INT64_MIN}},
                  {1, {4}},
                  {1, {2}},
                  {9, {3, 1, 1, 1, 1, 1, 1, 1, 1}},
                  {12, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3}}};
    for (size_t i = 0; i < LM_COUNT(shapes); i++) {
        onnx_build b;
        start(&b);
        onnx_tensor *t = onnx_build_floats(&b, "w", 1, (int64_t[]){3}, (const float[]){1, 2, 3});
        t->dims = lm_arena_copy(&b.arena, shapes[i].dim, (size_t)shapes[i].rank, sizeof *t->dims);
        t->n_dims = (size_t)shapes[i].rank;
        onnx_build_node(&b, "Mul", "x w", "y");
        finish(&b, "sizes of an initializer");
    }
}

static void places_outside(void)
{
    static const char *const places[][2] = {{"location", "../secret"},       {"location", "/etc/passwd"},
                                            {"location", "a/../../secret"},  {"location", ""},
                                            {"location", "/proc/self/mem"},  {"offset", "-1"},
                                            {"length", "18446744073709551616"}, {"path", "w.bin"}};
    for (size_t i = 0; i < LM_COUNT(places); i++) {
        onnx_build b;
        start(&b);
        onnx_tensor *t = onnx_build_floats(&b, "w", 1, (int64_t[]){3}, (const float[]){1, 2, 3});
        onnx_pair pair[] = {{"location", "w.bin"}, {places[i][0], places[i][1]}};
        bool location = strcmp(places[i][0], "location") == 0;
        t->has_raw = 0;
        t->raw = (lm_slice){0};
        t->typed = (lm_slice){0};
        t->location = 1;
        t->externals = pair + location;
        t->n_externals = 2 - (size_t)location;
        onnx_build_node(&b, "Mul", "x w", "y");
        finish(&b, places[i][1]);
    }
}

static void circles(void)
{
    static const char *const nodes[][4] = {
        {"y", "y", NULL, NULL}, {"b", "y", "y", "b"}, {"nowhere", "y", NULL, NULL}, {"x", "x", "x", "y"}};
    for (size_t i = 0; i < LM_COUNT(nodes); i++) {
        onnx_build b;
        start(&b);
        for (int k = 0; k < 4 && nodes[i][k]; k += 2)
            onnx_build_node(&b, "Relu", nodes[i][k], nodes[i][k + 1]);
        finish(&b, "a circle");
    }
}

/* f0 calls f1 twice, f1 calls f2 twice ...: 2^40 operators; and one that calls itself. */
static void calls(void)
{
    for (int self = 0; self < 2; self++) {
        onnx_build b;
        start(&b);
        onnx_build_opset(&b, "bomb", 1);
        for (int i = 0; i < (self ? 1 : 40); i++) {
            char name[8], next[8];
            snprintf(name, sizeof name, "f%d", i);
            snprintf(next, sizeof next, "f%d", self ? i : i + 1);
            onnx_function *f = onnx_build_function(&b, "bomb", name, "a", "c", "", 17);
            onnx_build_body(&b, f, next, "a", "b")->domain = "bomb";
            onnx_build_body(&b, f, next, "b", "c")->domain = "bomb";
        }
        if (!self)
            onnx_build_body(&b, onnx_build_function(&b, "bomb", "f40", "a", "c", "", 17), "Relu", "a", "c");
        onnx_build_node(&b, "f0", "x", "y")->domain = "bomb";
        finish(&b, "calls within calls");
    }
}

static void bombs(void)
{
    static const struct {
        const char *op, *inputs;
    } ops[] = {{"ConstantOfShape", "huge"}, {"Expand", "x huge"},        {"Tile", "x huge1"},
               {"Range", "zero much one"},  {"OneHot", "index much hot"}, {"Reshape", "x minus"},
               {"Pad", "x pads"},           {"Resize", "x - scales"},     {"Gather", "x much"}};
    const int64_t much = INT64_C(1) << 40;
    for (size_t i = 0; i < LM_COUNT(ops); i++) {
        onnx_build b;
        start(&b);
        onnx_build_ints(&b, "huge", 1, (int64_t[]){2}, (int64_t[]){much, much});
        onnx_build_ints(&b, "huge1", 1, (int64_t[]){1}, &much);
        onnx_build_ints(&b, "much", 0, NULL, &much);
        onnx_build_ints(&b, "zero", 0, NULL, (int64_t[]){0});
        onnx_build_ints(&b, "one", 0, NULL, (int64_t[]){1});
        onnx_build_ints(&b, "index", 1, (int64_t[]){1}, (int64_t[]){0});
        onnx_build_ints(&b, "minus", 1, (int64_t[]){2}, (int64_t[]){-7, 3});
        onnx_build_ints(&b, "pads", 1, (int64_t[]){2}, (int64_t[]){much, much});
        onnx_build_floats(&b, "scales", 1, (int64_t[]){1}, (const float[]){1e12f});
        onnx_build_floats(&b, "hot", 1, (int64_t[]){2}, (const float[]){0, 1});
        onnx_build_node(&b, ops[i].op, ops[i].inputs, "t");
        onnx_build_node(&b, "Identity", "t", "y");
        finish(&b, ops[i].op);
    }
}

static bool keeps(const lm_str *bytes, lm_opid op)
{
    lm_model *m = NULL;
    lm_built *built = NULL;
    const lm_shape three = LM_SHAPE(3);
    const lm_feed feed = lm_view_row(LM_F32, &three, NULL);
    bool kept = false;
    if (CHECK_OK(lm_model_open_bytes(lm_str_text(bytes), bytes->count, NULL, &m)) &&
        CHECK_OK(lm_model_build(m, &chain, &feed, &built)))
        for (size_t i = 0; i < built->graph->nodes.count; i++)
            kept |= built->graph->nodes.at[i]->op == op;
    lm_built_free(built);
    lm_model_close(m);
    return kept;
}

/* Tensors that repeat one element take no memory, but what reads all of it would take hours: a build leaves that to a
 * run, which refuses it. Small ones are computed ahead as ever. */
static void long_sums(void)
{
    const int64_t much = INT64_C(1) << 40, few = INT64_C(1) << 10;
    for (int i = 0; i < 2; i++) {
        onnx_build b;
        lm_str bytes = {0};
        start(&b);
        onnx_build_ints(&b, "size", 1, (int64_t[]){1}, i ? &few : &much);
        onnx_build_node(&b, "ConstantOfShape", "size", "t");
        onnx_build_attr_int(&b, onnx_build_node(&b, "ReduceSum", "t", "sum"), "keepdims", 0);
        onnx_build_node(&b, "Add", "x sum", "y");
        onnx_build_output(&b, "y", LM_F32, -1, NULL);
        CHECK_OK(onnx_build_end(&b, &bytes));
        alarm(SECONDS);
        CHECK(keeps(&bytes, LM_OP_REDUCE_SUM) == (i == 0));
        alarm(0);
        if (i == 0)
            refused("a sum of 2^40 zeros", &bytes);
        else
            CHECK_OK(use(&bytes));
        lm_str_free(&bytes);
    }
}

/* The values of a tensor that repeats one element decide a size. */
static void long_counts(void)
{
    static const char *const ops[] = {"NonZero", "Unique"};
    for (size_t i = 0; i < LM_COUNT(ops); i++) {
        onnx_build b;
        start(&b);
        onnx_build_ints(&b, "size", 1, (int64_t[]){1}, (int64_t[]){INT64_C(1) << 40});
        onnx_build_node(&b, "ConstantOfShape", "size", "t");
        onnx_build_node(&b, ops[i], "t", "y");
        finish(&b, ops[i]);
    }
}

static void endless_loops(void)
{
    onnx_build b;
    start(&b);
    onnx_graph *top = b.graph, *body = onnx_build_graph(&b, "body");
    b.graph = body;
    onnx_build_input(&b, "i", LM_I64, 0, NULL);
    onnx_build_input(&b, "go", LM_BOOL, 0, NULL);
    onnx_build_input(&b, "a", LM_F32, 1, (int64_t[]){3});
    onnx_build_node(&b, "Identity", "go", "on");
    onnx_build_node(&b, "Relu", "a", "c");
    onnx_build_output(&b, "on", LM_BOOL, 0, NULL);
    onnx_build_output(&b, "c", LM_F32, 1, (int64_t[]){3});
    b.graph = top;
    onnx_build_ints(&b, "trips", 0, NULL, (int64_t[]){INT64_C(1) << 62});
    onnx_build_attr_graph(&b, onnx_build_node(&b, "Loop", "trips - x", "y"), "body", body);
    finish(&b, "an endless loop");
}

int main(void)
{
    if (lm_chain_open("cpu", &chain) != LM_OK && lm_chain_open("ref", &chain) != LM_OK) {
        printf("%s\n", lm_message());
        return 1;
    }
    CASE(sound_models_run);
    CASE(cut_files);
    CASE(no_models);
    CASE(deep_nesting);
    CASE(sizes);
    CASE(places_outside);
    CASE(circles);
    CASE(calls);
    CASE(bombs);
    CASE(long_sums);
    CASE(long_counts);
    CASE(endless_loops);
    lm_chain_close(&chain);
    return test_end();
}
