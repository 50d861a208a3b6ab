/* Layer names: what people write against what exporters leave in files. The models are made here, with the names,
 * scopes and metadata of both of PyTorch's exporters, of Keras and of none. */
#include "core/model/layers.h"
#include "core/model/onnx_build.h"
#include "core/model/onnx_write.h"
#include "tests/unit/test.h"

static lm_chain chain;

typedef struct built {
    lm_str bytes;
    lm_model *m;
    lm_built *b;
    lm_layers l;
} built;

static onnx_node *node(onnx_build *b, const char *name, const char *op, const char *in, const char *out)
{
    onnx_node *n = onnx_build_node(b, op, in, out);
    n->name = lm_arena_strdup(&b->arena, name);
    return n;
}

/* The metadata of the exporter on torch.export. */
static void scopes(onnx_build *b, onnx_node *n, const char *list)
{
    onnx_pair *pair = lm_arena_alloc(&b->arena, 1, sizeof *pair);
    pair->key = "pkg.torch.onnx.name_scopes";
    pair->value = lm_arena_strdup(&b->arena, list);
    n->metadata = pair;
    n->n_metadata = 1;
}

static void weight(onnx_build *b, const char *name, int64_t out, int64_t in, int64_t size)
{
    lm_view v;
    lm_shape sh = size ? LM_SHAPE(out, in, size, size) : LM_SHAPE(out, in);
    CHECK_OK(lm_view_new(LM_F32, &sh, &v));
    for (int64_t i = 0; i < lm_shape_count(&sh); i++)
        lm_view_set(&v, i, 0.25 * (double)(i % 5) - 0.5);
    onnx_build_const(b, name, &v);
    lm_buffer_unref(v.buf);
}

static void conv(onnx_build *b, const char *name, const char *in, const char *out)
{
    onnx_node *n = node(b, name, "Conv", in, out);
    onnx_build_attr_ints(b, n, "pads", 4, (int64_t[]){1, 1, 1, 1});
}

static void image_in(onnx_build *b)
{
    onnx_build_start(b, 17);
    onnx_build_input(b, "input.1", LM_F32, 4, (int64_t[]){1, 3, 6, 6});
}

static void finish_for(onnx_build *b, lm_shape sh, built *out)
{
    *out = (built){0};
    CHECK_OK(onnx_build_end(b, &out->bytes));
    CHECK_OK(lm_model_open_bytes(out->bytes.text, out->bytes.count, NULL, &out->m));
    lm_feed feed = lm_view_row(LM_F32, &sh, NULL);
    CHECK_OK(lm_model_build(out->m, &chain, &feed, &out->b));
    CHECK_OK(lm_layers_list(out->b, &out->l));
}

static void finish(onnx_build *b, built *out)
{
    finish_for(b, LM_SHAPE(1, 3, 6, 6), out);
}

static void drop(built *x)
{
    lm_layers_free(&x->l);
    lm_built_free(x->b);
    lm_model_close(x->m);
    lm_str_free(&x->bytes);
}

/* The row that a text means; -1 with the message checked when it means none. */
static void expect(built *x, const char *text, const char *value)
{
    lm_layer_point p;
    if (!CHECK_OK(lm_layers_find(&x->l, text, &p)))
        return;
    const lm_cell *cell = lm_map_gets(&x->b->values, value);
    if (!CHECK(cell && p.v == (lm_val)cell->num))
        printf("%s is not %s\n", text, value);
    CHECK(p.why && *p.why);
}

static void expect_none(built *x, const char *text, const char *says)
{
    lm_layer_point p;
    CHECK_FAILS(lm_layers_find(&x->l, text, &p), LM_USAGE);
    if (!CHECK(strstr(lm_message(), says) != NULL))
        printf("%s: %s\n", text, lm_message());
}

/* Scopes in node names, as the older exporter writes them; the first batch-norm was folded, so its weights lost their
 * name. */
static void make_scoped(built *out)
{
    onnx_build b;
    image_in(&b);
    weight(&b, "onnx::Conv_250", 4, 3, 3);
    weight(&b, "layer1.0.conv2.weight", 4, 4, 3);
    weight(&b, "layer1.1.conv1.weight", 4, 4, 3);
    weight(&b, "fc.weight", 4, 2, 0);
    conv(&b, "/layer1/layer1.0/conv1/Conv", "input.1 onnx::Conv_250", "c1");
    node(&b, "/layer1/layer1.0/relu/Relu", "Relu", "c1", "r1");
    conv(&b, "/layer1/layer1.0/conv2/Conv", "r1 layer1.0.conv2.weight", "c2");
    node(&b, "/layer1/layer1.0/Add", "Add", "c2 r1", "s1");
    node(&b, "/layer1/layer1.0/relu_1/Relu", "Relu", "s1", "r2");
    conv(&b, "/layer1/layer1.1/conv1/Conv", "r2 layer1.1.conv1.weight", "c3");
    node(&b, "/layer1/layer1.1/relu/Relu", "Relu", "c3", "r3");
    node(&b, "/avgpool/GlobalAveragePool", "GlobalAveragePool", "r3", "g");
    node(&b, "/Flatten", "Flatten", "g", "f");
    node(&b, "/fc/Gemm", "Gemm", "f fc.weight", "191");
    onnx_build_output(&b, "191", LM_F32, 2, (int64_t[]){1, 2});
    finish(&b, out);
}

static void paths_of_the_older_exporter(void)
{
    static const char *const modules[] = {
        "layer1.0.conv1", "layer1.0.relu", "layer1.0.conv2", "layer1.0", "layer1.0.relu_1",
        "layer1.1.conv1", "layer1.1.relu", "avgpool",        "",         "fc"};
    built x;
    make_scoped(&x);
    if (CHECK_INT(x.l.rows.count, LM_COUNT(modules)))
        for (size_t i = 0; i < LM_COUNT(modules); i++)
            CHECK_STR(x.l.rows.at[i].module, modules[i]);
    expect(&x, "191", "191");
    expect(&x, "/layer1/layer1.0/Add", "s1");
    expect(&x, "layer1", "r3");
    expect(&x, "layer1:in", "input.1");
    expect(&x, "layer1.0", "r2");
    expect(&x, "layer1.0.conv2", "c2");
    expect(&x, "layer1.0.conv2:in", "r1");
    expect(&x, "layer1.0.conv2:out", "c2");
    expect(&x, "layer1[-1]", "r3");
    expect(&x, "layer1[0]", "r2");
    expect(&x, "layer1[0].conv1", "c1");
    expect(&x, "model.layer1[1].conv1", "c3");
    expect(&x, "Conv@-1", "c3");
    expect(&x, "conv@0", "c1");
    expect(&x, "Relu@1", "r2");
    expect(&x, "#0", "c1");
    expect(&x, "#9", "191");
    expect(&x, "layer1.*.conv1", "c3");
    expect(&x, "*/Add", "s1");
    expect(&x, "auto", "r3");
    expect(&x, "auto:in", "r3");
    expect_none(&x, "layer1.0.conv3", "layer1.0.conv");
    expect_none(&x, "layer9", "layer1");
    expect_none(&x, "layer9.fc", "no layer");
    expect_none(&x, "layer*.fc", "no layer");
    expect_none(&x, "layer1[2]", "layer1");
    expect_none(&x, "Conv@3", "3 layers");
    expect_none(&x, "Conv@-4", "3 layers");
    expect_none(&x, "#10", "#0 to #9");
    expect_none(&x, "cnv1", "did you mean");
    expect_none(&x, "bn1", "did you mean ");
    expect_none(&x, "Con@-1", "did you mean Conv");
    expect_none(&x, "zzzzzzzzzz@0", "did you mean ");
    expect(&x, "avgpool", "g");
    expect_none(&x, "relu", "layer1.0.relu"); /* the ending of two */
    expect_none(&x, "", "name is empty");
    expect_none(&x, ":in", "no layer");
    expect_none(&x, "layer1[", "no layer");
    expect_none(&x, "#99999999999999999999", "");
    drop(&x);
}

static void rows_know_weights_and_sources(void)
{
    built x;
    make_scoped(&x);
    static const int64_t parameters[] = {108, 0, 144, 0, 0, 144, 0, 0, 0, 8};
    for (size_t i = 0; i < x.l.rows.count; i++)
        CHECK_INT(x.l.rows.at[i].parameters, parameters[i]);
    const lm_layer_row *add = &x.l.rows.at[3];
    CHECK(x.l.rows.at[0].n_from == 1 && x.l.rows.at[0].from[0] == ~0);
    CHECK(add->n_from == 2 && add->from[0] == 2 && add->from[1] == 1);
    CHECK_STR(add->value, "s1");
    drop(&x);
}

/* Scopes in metadata; the batch-norm's name stands for the folded pair, the weight still says whose it is. */
static void paths_of_the_newer_exporter(void)
{
    onnx_build b;
    built x;
    image_in(&b);
    weight(&b, "conv1.weight", 4, 3, 3);
    weight(&b, "layer4.1.conv2.weight", 4, 4, 3);
    onnx_node *n = node(&b, "node_Conv_291", "Conv", "input.1 conv1.weight", "getitem");
    onnx_build_attr_ints(&b, n, "pads", 4, (int64_t[]){1, 1, 1, 1});
    scopes(&b, n, "['', 'bn1', '_native_batch_norm_legit_no_training']");
    n = node(&b, "node_relu", "Relu", "getitem", "relu");
    scopes(&b, n, "['', 'relu', 'relu']");
    n = node(&b, "node_Conv_300", "Conv", "relu layer4.1.conv2.weight", "getitem_3");
    onnx_build_attr_ints(&b, n, "pads", 4, (int64_t[]){1, 1, 1, 1});
    scopes(&b, n, "['', 'layer4', 'layer4.1', 'layer4.1.bn2', 'norm']");
    n = node(&b, "node_add", "Add", "getitem_3 relu", "add");
    scopes(&b, n, "[\"\", \"layer4\", \"layer4.1\", \"add\"]");
    onnx_build_output(&b, "add", LM_F32, 4, (int64_t[]){1, 4, 6, 6});
    finish(&b, &x);
    CHECK_STR(x.l.rows.at[0].module, "bn1");
    CHECK_STR(x.l.rows.at[0].alias, "conv1");
    CHECK_STR(x.l.rows.at[2].module, "layer4.1.bn2");
    CHECK_STR(x.l.rows.at[3].module, "layer4.1");
    expect(&x, "conv1", "getitem");
    expect(&x, "bn1", "getitem");
    expect(&x, "layer4.1.conv2", "getitem_3");
    lm_layer_point p;
    if (CHECK_OK(lm_layers_find(&x.l, "layer4.1.conv2", &p)))
        CHECK(p.folded && strstr(p.why, "folded with layer4.1.bn2"));
    CHECK(lm_layers_find(&x.l, "bn1", &p) == LM_OK && !p.folded);
    expect(&x, "layer4", "add");
    expect(&x, "layer4[1]", "add"); /* called 1, although it is the only one left in the file */
    expect(&x, "layer4[-1]", "add");
    expect_none(&x, "layer4[0]", "layer4");
    drop(&x);
}

/* No scopes: paths of Keras, numbers of Caffe2. */
static void other_names(void)
{
    onnx_build b;
    built x;
    image_in(&b);
    weight(&b, "w", 4, 3, 3);
    conv(&b, "StatefulPartitionedCall/model/conv5_block3/Conv", "input.1 w", "gpu_0/res5_2_branch2c_1");
    node(&b, "", "Relu", "gpu_0/res5_2_branch2c_1", "y:0");
    onnx_build_output(&b, "y:0", LM_F32, 4, (int64_t[]){1, 4, 6, 6});
    finish(&b, &x);
    expect(&x, "gpu_0/res5_2_branch2c_1", "gpu_0/res5_2_branch2c_1");
    expect(&x, "y:0", "y:0");
    expect(&x, "y:0:in", "gpu_0/res5_2_branch2c_1");
    expect(&x, "StatefulPartitionedCall.model.conv5_block3", "gpu_0/res5_2_branch2c_1");
    expect(&x, "*conv5_block3*", "gpu_0/res5_2_branch2c_1");
    expect(&x, "conv5_block3", "gpu_0/res5_2_branch2c_1");
    expect(&x, "model.conv5_block3", "gpu_0/res5_2_branch2c_1");
    expect_none(&x, "block3", "conv5_block3");
    expect(&x, "auto", "y:0");
    drop(&x);
}

/* A function called twice, and a loop: the calls and the rounds are what the operators inside belong to. */
static void paths_of_calls(void)
{
    onnx_build b;
    built x;
    image_in(&b);
    onnx_build_opset(&b, "mine", 1);
    onnx_function *f = onnx_build_function(&b, "mine", "Gate", "a", "c", "", 17);
    onnx_build_body(&b, f, "Sigmoid", "a", "t")->name = "sg";
    onnx_build_body(&b, f, "Mul", "a t", "c")->name = "ml";
    node(&b, "blk1", "Gate", "input.1", "h")->domain = "mine";
    node(&b, "blk2", "Gate", "h", "g")->domain = "mine";
    onnx_build_ints(&b, "rounds", 0, NULL, (int64_t[]){2});
    onnx_graph *top = b.graph, *body = onnx_build_graph(&b, "body");
    b.graph = body;
    onnx_build_input(&b, "i", LM_I64, 0, NULL);
    onnx_build_input(&b, "go", LM_BOOL, 0, NULL);
    onnx_build_input(&b, "v", LM_F32, 4, (int64_t[]){1, 3, 6, 6});
    node(&b, "twice", "Add", "v v", "w");
    onnx_build_node(&b, "Identity", "go", "on");
    onnx_build_output(&b, "on", LM_BOOL, 0, NULL);
    onnx_build_output(&b, "w", LM_F32, 4, (int64_t[]){1, 3, 6, 6});
    b.graph = top;
    onnx_build_attr_graph(&b, node(&b, "lp", "Loop", "rounds - g", "y"), "body", body);
    onnx_build_output(&b, "y", LM_F32, 4, (int64_t[]){1, 3, 6, 6});
    finish(&b, &x);
    CHECK_STR(x.l.rows.at[0].module, "blk1.sg");
    expect(&x, "blk1.sg", "blk1/t");
    expect(&x, "blk2.sg", "blk2/t");
    expect(&x, "blk1", "h");
    expect(&x, "blk2", "g");
    expect(&x, "blk2:in", "h");
    expect(&x, "lp[0]", "lp[0]/w");
    expect(&x, "lp[1].twice", "y");
    expect(&x, "lp[-1].twice:in", "lp[0]/w");
    drop(&x);
}

/* What is folded or leads nowhere is no layer; its weights count where the result is read. */
static void folded_and_dead(void)
{
    onnx_build b;
    built x;
    image_in(&b);
    weight(&b, "half", 4, 3, 3);
    weight(&b, "other", 4, 3, 3);
    node(&b, "sum", "Add", "half other", "w");
    conv(&b, "conv", "input.1 w", "c");
    node(&b, "dead", "Exp", "c", "nobody");
    node(&b, "same", "Identity", "c", "copy");
    node(&b, "relu", "Relu", "copy", "y");
    onnx_build_output(&b, "y", LM_F32, 4, (int64_t[]){1, 4, 6, 6});
    finish(&b, &x);
    bool dead = false, folded = false;
    int64_t sum = 0;
    for (size_t i = 0; i < x.l.rows.count; i++) {
        dead |= strcmp(x.l.rows.at[i].layer->node->name, "dead") == 0;
        folded |= strcmp(x.l.rows.at[i].layer->node->name, "sum") == 0;
        sum += x.l.rows.at[i].parameters;
    }
    CHECK(!dead && !folded);
    CHECK_INT(sum, 2 * 4 * 3 * 9);
    CHECK_INT(x.l.rows.at[0].parameters, sum);
    expect(&x, "relu:in", "c");
    drop(&x);
}

/* Narrow values: a skip around a block means that the inside of the block is none. */
static void suggests_where_all_passes(void)
{
    built x;
    make_scoped(&x);
    static const char *const names[] = {"c1", "r1", "s1", "r2", "c3", "r3", "g", "f", "191"};
    CHECK(x.l.narrow.count >= LM_COUNT(names) - 1);
    for (size_t i = 0; i < x.l.narrow.count; i++) {
        const char *name = lm_graph_value(x.b->graph, x.l.narrow.at[i])->name;
        CHECK(!name || strcmp(name, "c2") != 0);
    }
    const lm_cell *r3 = lm_map_gets(&x.b->values, "r3");
    CHECK(r3 && lm_layers_suggest(&x.l) == (lm_val)r3->num);
    drop(&x);
}

/* Tokens that go into the last attention are suggested where attention follows the images. */
static void suggests_tokens(void)
{
    onnx_build b;
    built x;
    image_in(&b);
    weight(&b, "w", 4, 3, 3);
    onnx_build_ints(&b, "flat", 1, (int64_t[]){3}, (int64_t[]){1, 4, 36});
    conv(&b, "patch", "input.1 w", "c");
    node(&b, "", "Reshape", "c flat", "rows");
    onnx_node *n = node(&b, "", "Transpose", "rows", "columns");
    onnx_build_attr_ints(&b, n, "perm", 3, (int64_t[]){0, 2, 1});
    weight(&b, "embed", 4, 4, 0);
    node(&b, "", "MatMul", "columns embed", "tokens");
    n = node(&b, "", "Transpose", "tokens", "keys");
    onnx_build_attr_ints(&b, n, "perm", 3, (int64_t[]){0, 2, 1});
    node(&b, "", "MatMul", "tokens keys", "scores");
    n = node(&b, "", "Softmax", "scores", "weights");
    onnx_build_attr_int(&b, n, "axis", -1);
    node(&b, "", "MatMul", "weights tokens", "mixed");
    node(&b, "", "Add", "mixed tokens", "y");
    onnx_build_output(&b, "y", LM_F32, 3, (int64_t[]){1, 36, 4});
    finish(&b, &x);
    expect(&x, "auto", "tokens");
    drop(&x);
}

/* A convolution over one axis makes a map of its own: the last activation is suggested, not what was pooled from it. */
static void suggests_signals(void)
{
    onnx_build b;
    built x;
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "wave", LM_F32, 3, (int64_t[]){1, 2, 16});
    float w[4 * 2 * 3];
    for (size_t i = 0; i < LM_COUNT(w); i++)
        w[i] = 0.25f * (float)(i % 5) - 0.5f;
    onnx_build_floats(&b, "w", 3, (int64_t[]){4, 2, 3}, w);
    node(&b, "conv", "Conv", "wave w", "c");
    onnx_build_attr_ints(&b, node(&b, "half", "MaxPool", "c", "h"), "kernel_shape", 1, (int64_t[]){2});
    node(&b, "relu", "Relu", "h", "r");
    node(&b, "pool", "GlobalAveragePool", "r", "p");
    node(&b, "flat", "Flatten", "p", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 4});
    finish_for(&b, LM_SHAPE(1, 2, 16), &x);
    expect(&x, "auto", "r");
    drop(&x);
}

/* Steps of the same rank that no convolution made, or whose axes were moved since, are no such map. */
static void suggests_no_steps(void)
{
    onnx_build b;
    built x;
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "steps", LM_F32, 3, (int64_t[]){1, 6, 4});
    weight(&b, "w", 4, 4, 0);
    node(&b, "product", "MatMul", "steps w", "m");
    node(&b, "relu", "Relu", "m", "r");
    onnx_build_attr_ints(&b, node(&b, "mean", "ReduceMean", "r", "y"), "axes", 1, (int64_t[]){1});
    onnx_build_output(&b, "y", LM_F32, 3, (int64_t[]){1, 1, 4});
    finish_for(&b, LM_SHAPE(1, 6, 4), &x);
    expect_none(&x, "auto", "no value with spatial axes");
    drop(&x);
}

int main(void)
{
    if (lm_chain_open("cpu:threads=1", &chain) != LM_OK && lm_chain_open("ref", &chain) != LM_OK)
        test_skip("no device");
    CASE(paths_of_the_older_exporter);
    CASE(rows_know_weights_and_sources);
    CASE(paths_of_the_newer_exporter);
    CASE(other_names);
    CASE(paths_of_calls);
    CASE(folded_and_dead);
    CASE(suggests_where_all_passes);
    CASE(suggests_tokens);
    CASE(suggests_signals);
    CASE(suggests_no_steps);
    lm_chain_close(&chain);
    return test_end();
}
