/* Plans: whole graphs on one device and on several, in any layout, the same bits every way. */
#include "core/graph/emit.h"
#include "core/run/plan.h"
#include "tests/unit/test.h"
#include "tests/unit/toy.h"

static lm_chain cpu[3], ref, wide, mixed; /* cpu with 1 to 3 threads, ref, ref in doubles, a toy before ref */

static toy_device *the_toy(void)
{
    return toy(mixed.dev[0]);
}

static lm_view ramp(lm_shape shape, double first, double step)
{
    lm_view v = {0};
    CHECK_OK(lm_view_new(LM_F32, &shape, &v));
    for (int64_t i = 0, n = lm_shape_count(&shape); i < n; i++)
        lm_view_set(&v, i, first + step * (double)i);
    return v;
}

/* Numbers without a pattern, the same every time. */
static lm_view noise(lm_shape shape, unsigned seed)
{
    lm_view v = {0};
    CHECK_OK(lm_view_new(LM_F32, &shape, &v));
    for (int64_t i = 0, n = lm_shape_count(&shape); i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        lm_view_set(&v, i, (double)(int)(seed >> 8) / 8388608.0 - 1);
    }
    return v;
}

/* A graph under construction; a failed step shows up as a failed check at the end. */
static lm_emit begin(void)
{
    lm_emit e = {0};
    CHECK_OK(lm_graph_new(&e.g));
    return e;
}

static lm_val input(lm_emit *e, const char *name, lm_dtype dt, lm_shape shape)
{
    lm_type type = {dt, shape};
    lm_val v = LM_NOVAL;
    CHECK_OK(lm_graph_input(e->g, name, &type, &v));
    return v;
}

static lm_val constant(lm_emit *e, lm_view content)
{
    lm_val v = LM_NOVAL;
    CHECK_OK(lm_graph_constant(e->g, NULL, &content, &v));
    lm_buffer_unref(content.buf);
    return v;
}

/* Plan and run once; y gets a fresh view per output. */
static lm_status run_graph(const lm_chain *chain, const lm_graph *g, const lm_plan_options *options,
                           const lm_view *feed, lm_view *y, lm_plan_facts *facts)
{
    lm_derived_cache *cache = NULL;
    lm_plan *plan = NULL;
    lm_status status = lm_derived_open(&cache);
    for (size_t i = 0; i < g->outputs.count; i++)
        y[i].buf = NULL;
    if (status == LM_OK)
        status = lm_plan_open(chain, cache, g, options, &plan);
    for (size_t i = 0; i < g->outputs.count && status == LM_OK; i++) {
        const lm_type *type = &lm_graph_value(g, g->outputs.at[i])->type;
        status = lm_view_new(type->dt, &type->sh, &y[i]);
    }
    if (status == LM_OK)
        status = lm_plan_run(plan, feed, y, NULL);
    if (status == LM_OK && facts)
        *facts = lm_plan_describe(plan);
    lm_plan_close(plan);
    lm_derived_close(cache);
    for (size_t i = 0; i < g->outputs.count && status != LM_OK; i++) {
        lm_buffer_unref(y[i].buf);
        y[i].buf = NULL;
    }
    return status;
}

static bool same_bits(const lm_view *a, const lm_view *b)
{
    return memcmp(lm_view_data(a), lm_view_data(b), (size_t)lm_shape_count(&a->sh) * lm_dtype_size(a->dt)) == 0;
}

static lm_attrs conv_attrs(int nd, int64_t kernel, int64_t stride, int64_t pad, int groups)
{
    lm_attrs a;
    memset(&a, 0, sizeof a);
    a.conv.nd = nd;
    a.conv.groups = groups;
    for (int i = 0; i < nd; i++) {
        a.conv.kernel[i] = kernel;
        a.conv.stride[i] = stride;
        a.conv.dilation[i] = 1;
        a.conv.pad_lo[i] = a.conv.pad_hi[i] = pad;
    }
    return a;
}

static lm_attrs pool_attrs(int64_t kernel, int64_t stride)
{
    lm_attrs a;
    memset(&a, 0, sizeof a);
    a.pool.nd = 2;
    for (int i = 0; i < 2; i++) {
        a.pool.kernel[i] = kernel;
        a.pool.stride[i] = stride;
        a.pool.dilation[i] = 1;
    }
    return a;
}

/* relu(x w + b) twice over, the first result an output as well. */
static lm_graph *dense_net(void)
{
    lm_emit e = begin();
    lm_attrs gemm = {0};
    gemm.gemm.alpha = gemm.gemm.beta = 1;
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(3, 8));
    e.name = "first";
    lm_val h =
        lm_emit1(&e, LM_OP_GEMM, &gemm, x, constant(&e, noise(LM_SHAPE(8, 5), 1)), constant(&e, noise(LM_SHAPE(5), 2)));
    h = lm_emit1(&e, LM_OP_RELU, NULL, h);
    lm_val y = lm_emit1(&e, LM_OP_MATMUL, NULL, h, constant(&e, noise(LM_SHAPE(5, 4), 3)));
    y = lm_emit1(&e, LM_OP_RELU, NULL, lm_emit1(&e, LM_OP_MUL, NULL, y, y));
    CHECK_OK(lm_graph_output(e.g, h));
    CHECK_OK(lm_graph_output(e.g, y));
    CHECK_OK(e.status);
    return e.g;
}

static void a_network_on_every_device(void)
{
    lm_graph *g = dense_net();
    lm_view x = noise(LM_SHAPE(3, 8), 9), want[2], got[2];
    const lm_chain *chain[] = {&ref, &wide, &mixed, &cpu[1], &cpu[2]};
    lm_plan_facts facts;
    if (CHECK_OK(run_graph(&cpu[0], g, NULL, &x, want, &facts))) {
        CHECK(facts.launches >= 4 && facts.steps == facts.launches && facts.fallbacks == 0 && facts.moves == 0);
        for (size_t c = 0; c < LM_COUNT(chain); c++) {
            if (!CHECK_OK(run_graph(chain[c], g, NULL, &x, got, &facts)))
                continue;
            for (int i = 0; i < 2; i++) {
                for (int64_t k = 0, n = lm_shape_count(&want[i].sh); k < n; k++)
                    CHECK_NEAR(lm_view_get(&got[i], k), lm_view_get(&want[i], k), 1e-5);
                if (c >= 3)
                    CHECK(same_bits(&got[i], &want[i]));
                lm_buffer_unref(got[i].buf);
            }
            if (chain[c] == &mixed)
                CHECK(facts.moves >= 2 && facts.fallbacks > 0 && facts.fallbacks < facts.launches);
        }
        lm_buffer_unref(want[0].buf);
        lm_buffer_unref(want[1].buf);
    }
    CHECK_INT(the_toy()->buffers, 0);
    lm_buffer_unref(x.buf);
    lm_graph_free(g);
}

/* Outputs that nothing computes: an input, a constant, one value twice, and an input that nobody wants. */
static void outputs_without_work(void)
{
    lm_emit e = begin();
    input(&e, "unused", LM_F32, LM_SHAPE(2));
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(2, 3)), c = constant(&e, ramp(LM_SHAPE(2), 5, 1));
    lm_val y = lm_emit1(&e, LM_OP_NEG, NULL, x), out[] = {x, c, y, y, c};
    for (size_t i = 0; i < LM_COUNT(out); i++)
        CHECK_OK(lm_graph_output(e.g, out[i]));
    lm_view a = ramp(LM_SHAPE(3, 2), 1, 1), feed[2] = {lm_view_absent(), a}, got[5];
    feed[1].sh = LM_SHAPE(2, 3); /* columns of what lies there */
    feed[1].st[0] = 1;
    feed[1].st[1] = 2;
    const lm_chain *chain[] = {&cpu[0], &ref, &wide, &mixed};
    for (size_t k = 0; k < LM_COUNT(chain); k++) {
        if (!CHECK_OK(run_graph(chain[k], e.g, NULL, feed, got, NULL)))
            continue;
        CHECK_NEAR(lm_view_get(&got[0], 1), 3, 0);
        CHECK_NEAR(lm_view_get(&got[1], 1), 6, 0);
        CHECK_NEAR(lm_view_get(&got[2], 1), -3, 0);
        CHECK(same_bits(&got[2], &got[3]) && same_bits(&got[1], &got[4]));
        for (int i = 0; i < 5; i++)
            lm_buffer_unref(got[i].buf);
    }
    lm_buffer_unref(a.buf);
    lm_graph_free(e.g);
}

static void constants_only(void)
{
    lm_emit e = begin();
    lm_val c = constant(&e, ramp(LM_SHAPE(2, 2), 1, 1));
    CHECK_OK(lm_graph_output(e.g, lm_emit1(&e, LM_OP_ADD, NULL, c, c)));
    CHECK_OK(e.status);
    const lm_chain *chain[] = {&cpu[0], &wide, &mixed};
    for (size_t k = 0; k < LM_COUNT(chain); k++) {
        lm_view y;
        if (CHECK_OK(run_graph(chain[k], e.g, NULL, NULL, &y, NULL))) {
            CHECK_NEAR(lm_view_get(&y, 3), 8, 0);
            lm_buffer_unref(y.buf);
        }
    }
    lm_graph_free(e.g);
}

static void nothing_at_all(void)
{
    lm_emit e = begin();
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(0, 3));
    lm_attrs axis = {0};
    lm_val y = lm_emit1(&e, LM_OP_ADD, NULL, x, x);
    CHECK_OK(lm_graph_output(e.g, lm_emit1(&e, LM_OP_CONCAT, &axis, y, x)));
    CHECK_OK(e.status);
    const lm_chain *chain[] = {&cpu[0], &ref, &wide, &mixed};
    lm_view feed = ramp(LM_SHAPE(0, 3), 0, 0), got;
    for (size_t k = 0; k < LM_COUNT(chain); k++)
        if (CHECK_OK(run_graph(chain[k], e.g, NULL, &feed, &got, NULL))) {
            CHECK_INT(lm_shape_count(&got.sh), 0);
            lm_buffer_unref(got.buf);
        }
    lm_buffer_unref(feed.buf);
    lm_graph_free(e.g);
}

static void wrong_feeds_are_named(void)
{
    lm_graph *g = dense_net();
    lm_view x = noise(LM_SHAPE(2, 8), 9), y[2];
    CHECK_FAILS(run_graph(&cpu[0], g, NULL, &x, y, NULL), LM_INPUT);
    CHECK(strstr(lm_message(), "[3,8]") && strstr(lm_message(), "[2,8]") && strstr(lm_message(), "x"));
    lm_buffer_unref(x.buf);
    x = (lm_view){.dt = LM_F32, .sh = LM_SHAPE(3, 8)};
    CHECK_FAILS(run_graph(&cpu[0], g, NULL, &x, y, NULL), LM_INPUT);
    lm_graph_free(g);
}

static void bad_data_names_the_node(void)
{
    lm_emit e = begin();
    lm_attrs a = {0};
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(4)), at = input(&e, "at", LM_I64, LM_SHAPE(1));
    e.name = "pick";
    CHECK_OK(lm_graph_output(e.g, lm_emit1(&e, LM_OP_GATHER, &a, x, at)));
    lm_view feed[2] = {ramp(LM_SHAPE(4), 0, 1)}, y;
    lm_shape one = LM_SHAPE(1);
    CHECK_OK(lm_view_new(LM_I64, &one, &feed[1]));
    lm_view_set(&feed[1], 0, 7);
    CHECK_FAILS(run_graph(&cpu[0], e.g, NULL, feed, &y, NULL), LM_INPUT);
    CHECK(strstr(lm_message(), "Gather pick") && strstr(lm_message(), "cpu"));
    the_toy()->fail_launch = true;
    lm_graph *g = dense_net();
    lm_view x8 = noise(LM_SHAPE(3, 8), 9), y2[2];
    CHECK_FAILS(run_graph(&mixed, g, NULL, &x8, y2, NULL), LM_INPUT);
    CHECK(strstr(lm_message(), "toy") && strstr(lm_message(), "element 3"));
    the_toy()->fail_launch = false;
    the_toy()->fail_sync = true;
    CHECK_FAILS(run_graph(&mixed, g, NULL, &x8, y2, NULL), LM_DEVICE);
    the_toy()->fail_sync = false;
    CHECK_INT(the_toy()->buffers, 0);
    lm_graph_free(g);
    lm_graph_free(e.g);
    lm_buffer_unref(x8.buf);
    lm_buffer_unref(feed[0].buf);
    lm_buffer_unref(feed[1].buf);
}

static void cancel_and_profile(void)
{
    lm_graph *g = dense_net();
    lm_view x = noise(LM_SHAPE(3, 8), 9), y[2] = {0};
    lm_derived_cache *cache;
    lm_plan *plan;
    CHECK_OK(lm_derived_open(&cache));
    if (CHECK_OK(lm_plan_open(&mixed, cache, g, NULL, &plan))) {
        lm_profile profile = {0};
        atomic_bool stop = true;
        lm_plan_run_options o = {.profile = &profile, .cancel = &stop};
        CHECK_FAILS(lm_plan_run(plan, &x, y, &o), LM_INTERRUPTED);
        stop = false;
        CHECK_OK(lm_plan_run(plan, &x, y, &o));
        CHECK_OK(lm_plan_run(plan, &x, y, &o));
        CHECK_INT(profile.rows.count, lm_plan_describe(plan).steps);
        bool named = false;
        for (size_t i = 0; i < profile.rows.count; i++) {
            CHECK_INT(profile.rows.at[i].launches, 2);
            named = named || strcmp(profile.rows.at[i].step, "first") == 0;
        }
        CHECK(named);
        lm_profile_free(&profile);
        profile = (lm_profile){0};
        CHECK_OK(lm_plan_run(plan, &x, y, &o));
        CHECK_INT(profile.rows.count, lm_plan_describe(plan).steps);
        lm_profile_free(&profile);
        lm_plan_close(plan);
    }
    lm_derived_close(cache);
    lm_buffer_unref(x.buf);
    lm_graph_free(g);
    CHECK_INT(the_toy()->buffers, 0);
}

/* A small residual network with everything that layout and memory decide about. */
static lm_graph *small_net(void)
{
    lm_emit e = begin();
    lm_attrs c1 = conv_attrs(2, 1, 1, 0, 1), c3 = conv_attrs(2, 3, 1, 1, 1), down = conv_attrs(2, 3, 2, 1, 1);
    lm_attrs depth = conv_attrs(2, 3, 1, 1, 16), pool = pool_attrs(2, 2), axis = {0}, norm = {0};
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(2, 3, 18, 14));
    lm_val h = lm_emit1(&e, LM_OP_CONV, &down, x, constant(&e, noise(LM_SHAPE(16, 3, 3, 3), 1)));
    h = lm_emit1(&e, LM_OP_RELU, NULL, h);
    lm_val a = lm_emit1(&e, LM_OP_CONV, &depth, h, constant(&e, noise(LM_SHAPE(16, 1, 3, 3), 2)),
                        constant(&e, noise(LM_SHAPE(16), 3)));
    a = lm_emit1(&e, LM_OP_CONV, &c1, a, constant(&e, noise(LM_SHAPE(16, 16, 1, 1), 4)));
    h = lm_emit1(&e, LM_OP_RELU, NULL, lm_emit1(&e, LM_OP_ADD, NULL, a, h));
    axis.axis.axis = 1;
    lm_val b = lm_emit1(&e, LM_OP_CONV, &c3, h, constant(&e, noise(LM_SHAPE(8, 16, 3, 3), 5)));
    h = lm_emit1(&e, LM_OP_CONCAT, &axis, h, b);
    norm.norm.epsilon = 1e-5f;
    h = lm_emit1(&e, LM_OP_BATCHNORM, &norm, h, constant(&e, noise(LM_SHAPE(24), 6)),
                 constant(&e, noise(LM_SHAPE(24), 7)), constant(&e, noise(LM_SHAPE(24), 8)),
                 constant(&e, ramp(LM_SHAPE(24), 1, 0.125)));
    h = lm_emit1(&e, LM_OP_MAXPOOL, &pool, h);
    lm_val gate = lm_emit1(&e, LM_OP_SIGMOID, NULL, lm_emit1(&e, LM_OP_GLOBAL_AVG, NULL, h));
    h = lm_emit1(&e, LM_OP_MUL, NULL, h, gate);
    lm_shape flat = LM_SHAPE(2, 24 * 4 * 3);
    h = lm_emit_reshape(&e, h, &flat);
    lm_val y = lm_emit1(&e, LM_OP_MATMUL, NULL, h, constant(&e, noise(LM_SHAPE(288, 10), 9)));
    CHECK_OK(lm_graph_output(e.g, y));
    CHECK_OK(lm_graph_output(e.g, b));
    CHECK_OK(e.status);
    return e.g;
}

/* A relu behind batch norm in one node and in two, on devices that join it and on those that take it apart. */
static void epilogues_of_composites(void)
{
    const lm_chain *chain[] = {&cpu[0], &cpu[2], &ref, &wide, &mixed};
    const lm_attrs norm = {.norm = {.epsilon = 1e-5f}};
    const lm_epilogue ep = {.active = true, .act = LM_OP_RELU};
    lm_emit e = begin();
    lm_val v = constant(&e, ramp(LM_SHAPE(19), 1, 0.125)), c = constant(&e, noise(LM_SHAPE(19), 1)), y;
    lm_val x[] = {input(&e, "x", LM_F32, LM_SHAPE(2, 19)), v, c, c, v};
    const lm_node_desc joined = {.op = LM_OP_BATCHNORM, .a = &norm, .ep = &ep, .nx = 5, .ny = 1, .x = x};
    lm_emit_node(&e, &joined, &y);
    CHECK_OK(lm_graph_output(e.g, y));
    y = lm_emit1(&e, LM_OP_RELU, NULL, lm_emit_one(&e, LM_OP_BATCHNORM, &norm, 5, x));
    CHECK_OK(lm_graph_output(e.g, y));
    lm_view feed = noise(LM_SHAPE(2, 19), 77), got[2];
    for (size_t k = 0; k < LM_COUNT(chain); k++) {
        CHECK(CHECK_OK(run_graph(chain[k], e.g, NULL, &feed, got, NULL)) && same_bits(&got[0], &got[1]));
        lm_buffer_unref(got[0].buf);
        lm_buffer_unref(got[1].buf);
    }
    lm_buffer_unref(feed.buf);
    lm_graph_free(e.g);
}

/* Two heads of attention: reshapes and transposes that can be views, splits by slices, a mask that is expanded. */
static lm_graph *attention_net(void)
{
    lm_emit e = begin();
    lm_attrs cut = {0}, product = {0}, axis = {0}, grow = {0};
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(2, 6, 32)), part[3];
    lm_val qkv = lm_emit1(&e, LM_OP_MATMUL, NULL, x, constant(&e, noise(LM_SHAPE(32, 96), 1)));
    lm_shape heads = LM_SHAPE(2, 6, 2, 16), whole = LM_SHAPE(2, 6, 32);
    for (int i = 0; i < 3; i++) {
        for (int d = 0; d < 3; d++) {
            cut.slice.start[d] = d == 2 ? 32 * i : 0;
            cut.slice.step[d] = 1;
            cut.slice.size[d] = whole.dim[d];
        }
        part[i] = lm_emit_reshape(&e, lm_emit1(&e, LM_OP_SLICE, &cut, qkv), &heads);
        part[i] = lm_emit_transpose(&e, part[i], (int32_t[]){0, 2, 1, 3});
    }
    product.matmul.tb = true;
    lm_val scores = lm_emit1(&e, LM_OP_MATMUL, &product, part[0], part[1]);
    grow.shape.shape = LM_SHAPE(2, 2, 6, 6);
    lm_val mask = lm_emit1(&e, LM_OP_EXPAND, &grow, constant(&e, noise(LM_SHAPE(1, 1, 6, 6), 2)));
    scores = lm_emit1(&e, LM_OP_ADD, NULL, scores, mask);
    axis.axis.axis = 3;
    scores = lm_emit1(&e, LM_OP_SOFTMAX, &axis, scores);
    lm_val y = lm_emit1(&e, LM_OP_MATMUL, NULL, scores, part[2]);
    y = lm_emit_reshape(&e, lm_emit_transpose(&e, y, (int32_t[]){0, 2, 1, 3}), &whole);
    y = lm_emit1(&e, LM_OP_MATMUL, NULL, y, constant(&e, noise(LM_SHAPE(32, 32), 3)));
    y = lm_emit1(&e, LM_OP_ADD, NULL, y, lm_emit1(&e, LM_OP_RELU, NULL, x));
    lm_shape rows = LM_SHAPE(12, 32);
    CHECK_OK(lm_graph_output(e.g, y));
    CHECK_OK(lm_graph_output(e.g, lm_emit_reshape(&e, x, &rows)));
    CHECK_OK(e.status);
    return e.g;
}

/* Features that pile up by Concat, between the transposes of a model that keeps channels last itself. */
static lm_graph *dense_block(void)
{
    lm_emit e = begin();
    lm_attrs c3 = conv_attrs(2, 3, 1, 1, 1), axis = {0};
    lm_val x = input(&e, "x", LM_F32, LM_SHAPE(2, 9, 7, 8)), piece[4];
    lm_val h = lm_emit_transpose(&e, x, (int32_t[]){0, 3, 1, 2});
    axis.axis.axis = 1;
    piece[0] = lm_emit1(&e, LM_OP_CONV, &c3, h, constant(&e, noise(LM_SHAPE(16, 8, 3, 3), 1)));
    for (int i = 1; i < 4; i++) {
        lm_val all = i == 1 ? piece[0] : lm_emit_one(&e, LM_OP_CONCAT, &axis, i, piece);
        all = lm_emit1(&e, LM_OP_RELU, NULL, all);
        piece[i] = lm_emit1(&e, LM_OP_CONV, &c3, all, constant(&e, noise(LM_SHAPE(16, 16 * i, 3, 3), 2)));
    }
    h = lm_emit_one(&e, LM_OP_CONCAT, &axis, 4, piece);
    CHECK_OK(lm_graph_output(e.g, lm_emit_transpose(&e, lm_emit1(&e, LM_OP_TANH, NULL, h), (int32_t[]){0, 2, 3, 1})));
    CHECK_OK(lm_graph_output(e.g, piece[2]));
    CHECK_OK(e.status);
    return e.g;
}

static void same_bits_every_way(void)
{
    lm_graph *graph[] = {small_net(), attention_net(), dense_block()};
    const lm_shape shape[] = {LM_SHAPE(2, 3, 18, 14), LM_SHAPE(2, 6, 32), LM_SHAPE(2, 9, 7, 8)};
    lm_plan_options plain = {.plain = true};
    for (size_t k = 0; k < LM_COUNT(graph); k++) {
        lm_view x = noise(shape[k], 77), want[2], got[2];
        lm_plan_facts slow, fast;
        if (CHECK_OK(run_graph(&cpu[0], graph[k], &plain, &x, want, &slow))) {
            for (int t = 0; t < 3; t++) {
                if (!CHECK_OK(run_graph(&cpu[t], graph[k], NULL, &x, got, &fast)))
                    continue;
                CHECK(same_bits(&got[0], &want[0]) && same_bits(&got[1], &want[1]));
                CHECK(fast.activation_bytes < slow.activation_bytes && fast.steps <= slow.steps);
                lm_buffer_unref(got[0].buf);
                lm_buffer_unref(got[1].buf);
            }
            lm_buffer_unref(want[0].buf);
            lm_buffer_unref(want[1].buf);
        }
        lm_buffer_unref(x.buf);
        lm_graph_free(graph[k]);
    }
}

/* Random graphs: whatever the plan makes of views, shared memory, Concats and layouts, the bits are those of the plain
 * way. */
static unsigned dice;

static int roll(int n)
{
    dice = dice * 1664525u + 1013904223u;
    return (int)((dice >> 16) % (unsigned)n);
}

/* An op on images [2, c, h, w] of the pool of values made so far; LM_NOVAL when the dice suit none. */
static lm_val random_image(lm_emit *e, const lm_val *made, int n)
{
    lm_val x = made[roll(n)], z = made[roll(n)];
    const lm_shape sh = *lm_emit_shape(e, x), other = *lm_emit_shape(e, z);
    bool fits = sh.dim[2] == other.dim[2] && sh.dim[3] == other.dim[3];
    lm_attrs a;
    memset(&a, 0, sizeof a);
    switch (roll(11)) {
    case 0:
    case 1: {
        int64_t k = 1 + 2 * roll(2), out = 8 + 8 * roll(3);
        a = conv_attrs(2, k, 1, k / 2, 1);
        lm_val w = constant(e, noise(LM_SHAPE(out, sh.dim[1], k, k), dice));
        return roll(2) ? lm_emit1(e, LM_OP_CONV, &a, x, w)
                       : lm_emit1(e, LM_OP_CONV, &a, x, w, constant(e, noise(LM_SHAPE(out), dice)));
    }
    case 2:
        return lm_emit1(e, roll(2) ? LM_OP_RELU : LM_OP_TANH, NULL, x);
    case 3:
        return lm_shape_equal(&sh, &other) ? lm_emit1(e, roll(2) ? LM_OP_ADD : LM_OP_SUB, NULL, x, z) : LM_NOVAL;
    case 4:
        return lm_emit1(e, LM_OP_MUL, NULL, x, constant(e, noise(LM_SHAPE(sh.dim[1], 1, 1), dice)));
    case 5:
    case 6:
        a.axis.axis = 1;
        return fits && sh.dim[1] + other.dim[1] < 80 ? lm_emit1(e, LM_OP_CONCAT, &a, x, z, x) : LM_NOVAL;
    case 7: /* some of the channels */
        for (int i = 0; i < 4; i++) {
            a.slice.start[i] = i == 1 ? roll((int)sh.dim[1]) : 0;
            a.slice.step[i] = 1;
            a.slice.size[i] = sh.dim[i] - a.slice.start[i];
        }
        return lm_emit1(e, LM_OP_SLICE, &a, x);
    case 8: { /* as channels-last, and back from there after something */
        lm_val t = lm_emit_transpose(e, x, (int32_t[]){0, 2, 3, 1});
        t = roll(2) ? lm_emit1(e, LM_OP_SIGMOID, NULL, t) : t;
        return lm_emit_transpose(e, t, (int32_t[]){0, 3, 1, 2});
    }
    case 9: { /* through a matrix, whose columns are turned around */
        lm_shape flat = LM_SHAPE(2 * sh.dim[1], sh.dim[2] * sh.dim[3]), back = sh;
        lm_val t = lm_emit_transpose(e, lm_emit_reshape(e, x, &flat), (int32_t[]){1, 0});
        t = roll(2) ? lm_emit1(e, LM_OP_NEG, NULL, t) : t;
        return lm_emit_reshape(e, t, &back);
    }
    default: {
        lm_attrs pool = pool_attrs(3, 1);
        pool.pool.pad_lo[0] = pool.pool.pad_hi[0] = pool.pool.pad_lo[1] = pool.pool.pad_hi[1] = 1;
        return lm_emit1(e, LM_OP_MAXPOOL, &pool, x);
    }
    }
}

static void random_graphs(void)
{
    lm_plan_options plain = {.plain = true};
    for (unsigned seed = 1; seed <= 150 && !test_errors; seed++) {
        lm_emit e = begin();
        lm_val made[24] = {input(&e, "x", LM_F32, LM_SHAPE(2, 8, 5, 6))};
        int n = 1;
        dice = seed * 2654435761u;
        while (n < (int)LM_COUNT(made)) {
            made[n] = random_image(&e, made, n);
            n += made[n] != LM_NOVAL;
            if (!CHECK_OK(e.status))
                break;
        }
        lm_val out[4] = {made[n - 1], made[roll(n)], made[roll(n)], made[n - 2]};
        for (int i = 0; i < 4; i++)
            CHECK_OK(lm_graph_output(e.g, out[i]));
        lm_view x = noise(LM_SHAPE(2, 8, 5, 6), seed), want[4], got[4];
        if (CHECK_OK(run_graph(&cpu[0], e.g, &plain, &x, want, NULL))) {
            if (CHECK_OK(run_graph(&cpu[1], e.g, NULL, &x, got, NULL)))
                for (int i = 0; i < 4; i++) {
                    CHECK(same_bits(&got[i], &want[i]));
                    lm_buffer_unref(got[i].buf);
                }
            for (int i = 0; i < 4; i++)
                lm_buffer_unref(want[i].buf);
        }
        if (test_errors)
            printf("graph %u\n", seed);
        lm_buffer_unref(x.buf);
        lm_graph_free(e.g);
    }
}

/* What the walks through failing allocations run. */
static const lm_chain *walk_chain;
static const lm_graph *walk_graph;
static lm_view walk_x;

static lm_status walk(void)
{
    lm_view y[2];
    LM_TRY(run_graph(walk_chain, walk_graph, NULL, &walk_x, y, NULL));
    lm_buffer_unref(y[0].buf);
    lm_buffer_unref(y[1].buf);
    return LM_OK;
}

static void survive_without_memory(void)
{
    lm_graph *g[] = {dense_net(), small_net()};
    for (int k = 0; k < 2; k++) {
        const lm_chain *chain[] = {&cpu[0], &wide, &mixed};
        walk_graph = g[k];
        walk_x = noise(k ? LM_SHAPE(2, 3, 18, 14) : LM_SHAPE(3, 8), 5);
        for (int c = 0; c < (k ? 1 : 3); c++) {
            walk_chain = chain[c];
            CHECK(test_every_allocation(walk) > 20);
            CHECK_INT(the_toy()->buffers, 0);
        }
        lm_buffer_unref(walk_x.buf);
        lm_graph_free(g[k]);
    }
}

int main(void)
{
    bool open = lm_chain_open("ref", &ref) == LM_OK && lm_chain_open("ref:type=f64", &wide) == LM_OK;
    open = open && lm_chain_open("cpu:threads=1", &cpu[0]) == LM_OK && lm_chain_open("cpu:threads=2", &cpu[1]) == LM_OK;
    if (!open || lm_chain_open("cpu:threads=3", &cpu[2]) != LM_OK) {
        printf("%s\n", lm_message());
        return 1;
    }
    mixed = (lm_chain){.dev = {toy_open(), ref.dev[0]}, .n = 2, .compute = LM_F32};
    CASE(a_network_on_every_device);
    CASE(outputs_without_work);
    CASE(constants_only);
    CASE(nothing_at_all);
    CASE(wrong_feeds_are_named);
    CASE(bad_data_names_the_node);
    CASE(cancel_and_profile);
    CASE(epilogues_of_composites);
    CASE(same_bits_every_way);
    CASE(random_graphs);
    CASE(survive_without_memory);
    mixed.dev[0]->vt->close(mixed.dev[0]);
    lm_chain_close(&ref);
    lm_chain_close(&wide);
    for (int i = 0; i < 3; i++)
        lm_chain_close(&cpu[i]);
    return test_end();
}
