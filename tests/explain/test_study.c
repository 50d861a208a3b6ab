/* Sweeps: derivatives against differences, the same bits for any batch and number of threads, cuts, tangents, blocks of
 * targets, models that do not take batches, places that users point to, and failures. */
#include "core/base/env.h"
#include "tests/explain/swept.h"

/* In double: the gradients of row 0 along the step against the targets of rows -h and h, and tangents against goals. */
static void differences(setup *k)
{
    static double signal[ROOM], tangent[ROOM];
    const int64_t n = lm_shape_count(&k->base.sh);
    const double h = 1e-4;
    k->w.ntangent = 0;
    if (!CHECK_OK(fill_rows(k, 1)))
        return;
    CHECK_INT(k->r.signals, n * k->w.targets);
    memcpy(signal, k->r.signal, sizeof signal);
    for (int64_t i = 0; i < n; i++) {
        lm_view_set(&k->step, i, 2 * h * lm_view_get(&k->direction, i));
        lm_view_set(&k->base, i, lm_view_get(&k->base, i) - h * lm_view_get(&k->direction, i));
    }
    if (!CHECK_OK(fill_rows(k, 2)))
        return;
    for (int t = 0; t < k->w.targets; t++) {
        double along = 0;
        for (int64_t i = 0; i < n; i++)
            along += signal[t * n + i] * lm_view_get(&k->direction, i);
        CHECK(fabs(along) > 1e-6);
        CHECK_NEAR(along, (target_at(k, 1, t) - target_at(k, 0, t)) / (2 * h), 1e-6);
    }
    memcpy(tangent, k->r.goal, sizeof tangent);
    for (int64_t i = 0; i < n; i++)
        lm_view_set(&k->base, i, lm_view_get(&k->base, i) + h * lm_view_get(&k->direction, i));
    lm_site goal = {0};
    int outputs;
    const lm_port *y = lm_model_outputs(k->s.m, &outputs);
    CHECK_OK(lm_study_layer(k->s.study, &k->feed, y->name, &goal));
    k->w.tangent = &goal;
    k->w.ntangent = 1;
    k->w.direction = &k->direction;
    k->w.goal.after = true;
    k->w.nwalk = k->w.targets = 0;
    CHECK_OK(fill_rows(k, 1));
    memcpy(tangent, k->r.tangent, sizeof tangent);
    k->w.ntangent = 0;
    for (int64_t i = 0; i < n; i++)
        lm_view_set(&k->base, i, lm_view_get(&k->base, i) - h * lm_view_get(&k->direction, i));
    CHECK_OK(fill_rows(k, 2));
    for (int64_t i = 0, m = k->seed.sh.dim[1]; i < m; i++)
        CHECK_NEAR(tangent[i], (k->r.goal[m + i] - k->r.goal[i]) / (2 * h), 1e-6);
}

static void derivatives_are_differences(void)
{
    static setup k;
    for (int net = 0; net < 5; net++) {
        static const char *const layer[] = {NULL, "n", NULL, "a", "t"};
        onnx_build b = {0};
        if (net == 2 || net == 3)
            token_net(&b);
        else
            conv_net(&b, -1);
        if (CHECK_OK(start(&k, &b, "ref:type=f64", layer[net], 2))) {
            CHECK_INT(lm_study_type(k.s.study), LM_F64);
            differences(&k);
        }
        end(&k);
    }
}

/* Rows in batches, one by one, and on any number of threads. */
static void same_bits(void)
{
    static setup k;
    static uint8_t first[sizeof k.r.at];
    static const char *const devices[] = {"cpu:threads=1", "cpu:threads=2", "cpu:threads=3", "cpu:threads=7"};
    for (int net = 0; net < 3; net++) {
        size_t bytes = 0;
        for (size_t d = 0; d < LM_COUNT(devices); d++) {
            onnx_build b = {0};
            if (net == 2)
                token_net(&b);
            else
                conv_net(&b, net ? 1 : -1);
            if (!CHECK_OK(start(&k, &b, devices[d], NULL, 3)) || !CHECK_OK(fill_rows(&k, 7))) {
                end(&k);
                return;
            }
            CHECK_INT(k.w.forwards, 7);
            CHECK_INT(k.w.backwards, 21);
            if (d == 0) {
                bytes = k.r.bytes;
                memcpy(first, k.r.at, bytes);
            }
            CHECK_INT(k.r.bytes, bytes);
            CHECK(memcmp(first, k.r.at, bytes) == 0);
            for (k.r.first = 0; k.r.first < 7; k.r.first++) {
                CHECK_OK(fill_rows(&k, 1));
                CHECK_INT(k.r.bytes, bytes / 7);
                CHECK(memcmp(first + k.r.first * (int64_t)k.r.bytes, k.r.at, k.r.bytes) == 0);
            }
            end(&k);
        }
    }
}

/* More rows and targets than run at once, against one of each: the same bits, whatever is shared among them. */
static void compare_with_single(setup *k, int targets, int rows)
{
    static uint8_t all[sizeof k->r.at];
    if (!CHECK_OK(fill_rows(k, rows)))
        return;
    const size_t bytes = k->r.bytes / (size_t)rows, element = lm_dtype_size(k->seed.dt);
    const size_t goal = (size_t)k->seed.sh.dim[1] * element;
    memcpy(all, k->r.at, k->r.bytes);
    CHECK_INT(k->w.backwards, targets * rows);
    lm_view whole = k->seed;
    for (k->r.first = 0; k->r.first < rows; k->r.first += 6)
        for (int t = 0; t < targets; t += 9) {
            k->w.targets = 1;
            k->seed.off = whole.off + (size_t)t * goal;
            k->seed.sh.dim[0] = 1;
            CHECK_OK(fill_rows(k, 1));
            const size_t one = k->r.bytes - goal;
            const uint8_t *row = all + (size_t)k->r.first * bytes;
            CHECK(memcmp(row, k->r.at, goal) == 0);
            CHECK(memcmp(row + goal + (size_t)t * one, k->r.at + goal, one) == 0);
        }
    k->seed = whole;
}

static void blocks(void)
{
    static const struct {
        const lm_ruleset *set;
        bool tokens;
        const char *layer;
        int targets, rows;
    } table[] = {
        {&lm_set_grad, false, "r", 37, 19},  {&lm_set_grad, false, NULL, 2, 150},
        {&lm_set_grad, true, NULL, 20, 70},  {&lm_set_deeplift, false, NULL, 5, 70},
        {&lm_set_lrp_ab, false, NULL, 3, 70}, {&lm_set_attn_lrp, true, NULL, 4, 66},
        {&lm_set_guided, false, NULL, 3, 7}, {&lm_set_deeplift, true, NULL, 3, 10},
    };
    static setup k;
    for (size_t i = 0; i < LM_COUNT(table); i++) {
        onnx_build b = {0};
        lm_view x0 = {0};
        if (table[i].tokens)
            token_net(&b);
        else
            conv_net(&b, -1);
        if (CHECK_OK(start(&k, &b, "cpu", table[i].layer, table[i].targets)) &&
            CHECK_OK(numbers(k.base.dt, &k.base.sh, 77, 0.5, &x0))) {
            k.walk.set = table[i].set;
            k.walk.relevance = !table[i].set->n_ref;
            k.walk.baseline = table[i].set->n_ref ? &x0 : NULL;
            compare_with_single(&k, table[i].targets, table[i].rows);
        }
        lm_buffer_unref(x0.buf);
        end(&k);
    }
}

/* Depthwise convolutions with and without a stride, and a pool: the slow path, which lowers nothing, gives the same
 * bits. */
static void plain_is_the_same(void)
{
    static setup k;
    static uint8_t full[sizeof k.r.at];
    size_t bytes = 0;
    for (int plain = 0; plain < 2; plain++) {
        onnx_build b = {0};
        float w[36], d[32];
        for (int i = 0; i < 36; i++)
            w[i] = (float)small_number(i + 31);
        for (int i = 0; i < 32; i++)
            d[i] = (float)small_number(i + 310);
        onnx_build_start(&b, 17);
        onnx_build_input(&b, "x", LM_F32, 4, (int64_t[]){-1, 4, 9, 8});
        onnx_build_floats(&b, "w", 4, (int64_t[]){4, 1, 3, 3}, w);
        onnx_build_floats(&b, "d", 2, (int64_t[]){16, 2}, d);
        for (int i = 0; i < 2; i++) {
            onnx_node *conv = onnx_build_node(&b, "Conv", i ? "r w" : "x w", i ? "e" : "c");
            onnx_build_attr_int(&b, conv, "group", 4);
            onnx_build_attr_ints(&b, conv, "pads", 4, (int64_t[]){1, 1, 1, 1});
            onnx_build_attr_ints(&b, conv, "strides", 2, (int64_t[]){1 + i, 1 + i});
        }
        onnx_build_node(&b, "Relu", "c", "r");
        onnx_node *pool = onnx_build_node(&b, "MaxPool", "e", "p");
        onnx_build_attr_ints(&b, pool, "kernel_shape", 2, (int64_t[]){2, 2});
        onnx_build_attr_ints(&b, pool, "strides", 2, (int64_t[]){2, 2});
        onnx_build_node(&b, "Flatten", "p", "f");
        onnx_build_node(&b, "MatMul", "f d", "y");
        onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, 2});
        CHECK_OK(lm_env_set(LM_ENV_PLAN, plain ? "plain" : "full"));
        if (CHECK_OK(start(&k, &b, "cpu", NULL, 3)) && CHECK_OK(fill_rows(&k, 5))) {
            if (!plain)
                memcpy(full, k.r.at, bytes = k.r.bytes);
            CHECK_INT(k.r.bytes, bytes);
            CHECK(memcmp(full, k.r.at, bytes) == 0);
        }
        end(&k);
    }
    CHECK_OK(lm_env_set(LM_ENV_PLAN, NULL));
}

/* x [n,3] times its maximum over all rows: what rows of a batch give is not what they give alone. */
static void rows_that_mix_run_alone(void)
{
    static setup k;
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){-1, 3});
    onnx_build_attr_ints(&b, onnx_build_node(&b, "ReduceMax", "x", "m"), "axes", 1, (int64_t[]){0});
    onnx_build_node(&b, "Mul", "x m", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){-1, 3});
    if (CHECK_OK(start(&k, &b, "cpu", NULL, 1)) && CHECK_OK(fill_rows(&k, 9)))
        for (int row = 0; row < 9; row++)
            for (int i = 0; i < 3; i++) {
                const double x = (float)(lm_view_get(&k.base, i) + row * lm_view_get(&k.step, i));
                CHECK_NEAR(k.r.goal[row * 3 + i], x * x, 1e-6);
                CHECK_NEAR(k.r.signal[row * 3 + i], 2 * x * lm_view_get(&k.seed, i), 1e-6);
            }
    end(&k);
}

/* A Reshape to [1,-1] makes one row of several. */
static void models_for_one_row_run_one_by_one(void)
{
    static setup k;
    onnx_build b = {0};
    const float w[12] = {1, -1, 2, 0.5f, 3, -2, 1, 1, -0.5f, 0.25f, 2, -3};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 3, (int64_t[]){1, 2, 3});
    onnx_build_ints(&b, "to", 1, (int64_t[]){2}, (int64_t[]){1, 6});
    onnx_build_floats(&b, "w", 2, (int64_t[]){6, 2}, w);
    onnx_build_node(&b, "Reshape", "x to", "f");
    onnx_build_node(&b, "MatMul", "f w", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 2});
    if (CHECK_OK(start(&k, &b, "cpu", NULL, 1)) && CHECK_OK(fill_rows(&k, 5)))
        for (int row = 0; row < 5; row++) {
            double y = 0;
            for (int i = 0; i < 6; i++) {
                y += (lm_view_get(&k.base, i) + row * lm_view_get(&k.step, i)) * (double)w[2 * i];
                CHECK_NEAR(k.r.signal[row * 6 + i],
                           lm_view_get(&k.seed, 0) * (double)w[2 * i] + lm_view_get(&k.seed, 1) * (double)w[2 * i + 1],
                           1e-6);
            }
            CHECK_NEAR(k.r.goal[row * 2], y, 1e-5);
        }
    end(&k);
}

/* Relevance starts at the goal and its sum is kept where there is no bias; DeepLIFT's is the change of the target. */
static void relevance_and_multipliers(void)
{
    static setup k;
    onnx_build b = {0};
    conv_net(&b, -1);
    if (CHECK_OK(start(&k, &b, "ref:type=f64", NULL, 2))) {
        lm_view x0;
        const int64_t n = lm_shape_count(&k.base.sh);
        CHECK_OK(numbers(LM_F64, &k.base.sh, 77, 0.5, &x0));
        lm_walk walks[] = {k.walk, k.walk, k.walk};
        walks[0].set = &lm_set_deeplift;
        walks[0].baseline = &x0;
        walks[1].set = &lm_set_lrp_eps;
        walks[1].relevance = walks[1].trace = true;
        k.w.walk = walks;
        k.w.nwalk = 3;
        static double got[ROOM], goal[2];
        CHECK_OK(fill_rows(&k, 1));
        memcpy(got, k.r.signal, sizeof got);
        for (int t = 0; t < 2; t++)
            goal[t] = target_at(&k, 0, t);
        k.w.nwalk = 0;
        int n_fallbacks;
        lm_study_fallbacks(k.s.study, &n_fallbacks);
        CHECK_INT(n_fallbacks, 0);
        lm_view at = k.base;
        k.base = x0;
        CHECK_OK(fill_rows(&k, 1));
        k.base = at;
        for (int t = 0; t < 2; t++) {
            double sum = 0, relevance = 0;
            for (int64_t i = 0; i < n; i++) {
                sum += got[t * n + i] * (lm_view_get(&k.base, i) - lm_view_get(&x0, i));
                relevance += got[(2 + t) * n + i];
            }
            CHECK_NEAR(sum, goal[t] - target_at(&k, 0, t), 1e-9);
            CHECK(fabs(relevance) > 1e-3);
        }
        lm_buffer_unref(x0.buf);
    }
    end(&k);
}

/* GatherND counts positions through the whole batch: each target goes back by itself. */
static void targets_one_by_one(void)
{
    static setup k;
    static const int64_t at[] = {0, 1, 0, 3, 0, 2}, from[] = {1, 3, 2};
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 2, (int64_t[]){1, 4});
    onnx_build_ints(&b, "at", 3, (int64_t[]){1, 3, 2}, at);
    onnx_build_node(&b, "Mul", "x x", "s");
    onnx_build_node(&b, "GatherND", "s at", "y");
    onnx_build_output(&b, "y", LM_F32, 2, (int64_t[]){1, 3});
    if (CHECK_OK(start(&k, &b, "cpu", NULL, 20)) && CHECK_OK(fill_rows(&k, 2)) && CHECK_INT(k.r.signals, 2 * 80))
        for (int i = 0; i < 120; i++) {
            const int row = i / 60, t = i / 3 % 20, to = (int)from[i % 3];
            const double x = lm_view_get(&k.base, to) + row * lm_view_get(&k.step, to);
            CHECK_NEAR(k.r.signal[(row * 20 + t) * 4 + to], 2 * x * lm_view_get(&k.seed, t * 3 + i % 3), 1e-6);
        }
    end(&k);
}

/* What hangs on a baseline is kept while that stays the same, and only then. */
static void baselines_come_and_go(void)
{
    static setup k;
    static uint8_t first[2][sizeof k.r.at];
    onnx_build b = {0};
    conv_net(&b, -1);
    if (CHECK_OK(start(&k, &b, "cpu", NULL, 1))) {
        lm_view x0[2];
        for (int i = 0; i < 2; i++)
            CHECK_OK(numbers(LM_F32, &k.base.sh, 77 + 300 * i, 0.5, &x0[i]));
        k.walk.set = &lm_set_deeplift;
        for (int turn = 0; turn < 6; turn++) {
            const int i = turn / 2 % 2; /* A A B B A A */
            k.walk.baseline = &x0[i];
            CHECK_OK(fill_rows(&k, 3));
            if (turn == 0 || turn == 2)
                memcpy(first[i], k.r.at, k.r.bytes);
            CHECK(memcmp(first[i], k.r.at, k.r.bytes) == 0);
        }
        CHECK(memcmp(first[0], first[1], k.r.bytes) != 0);
        for (int i = 0; i < 2; i++)
            lm_buffer_unref(x0[i].buf);
    }
    end(&k);
}

static void places(void)
{
    static setup k;
    lm_site *list, site;
    int n, space;
    lm_type type;
    onnx_build b = {0};
    token_net(&b);
    if (CHECK_OK(start(&k, &b, "cpu", "x", 1))) {
        lm_study *s = k.s.study;
        int64_t rows;
        CHECK_OK(lm_study_embedding(s, &k.feed, 0, &site, &rows));
        CHECK_INT(rows, 10);
        CHECK(lm_site_equal(site, k.site));
        CHECK_STR(site.name, "x");
        CHECK_INT(site.port, -1);
        if (CHECK_OK(lm_study_attention(s, &k.feed, &list, &n))) {
            if (CHECK_INT(n, 1))
                CHECK_STR(list[0].name, "p");
            k.w.value = list;
            k.w.nvalue = 1;
            CHECK_OK(run(&k));
            for (int i = 0; i < 5; i++) {
                double sum = 0;
                for (int j = 0; j < 5; j++)
                    sum += k.r.value[5 * i + j];
                CHECK_NEAR(sum, 1, 1e-6);
            }
            k.walk.site = list; /* the gradient at probabilities, which canon would have swallowed */
            CHECK_OK(run(&k));
            CHECK_INT(k.r.signals, 25);
            k.w.value = NULL;
            k.w.nvalue = 0;
            lm_free(list);
        }
        k.walk.site = &(lm_site){.name = k.site.name, .port = -1};
        CHECK_OK(lm_study_port(s, 0, &site));
        CHECK_INT(site.port, 0);
        k.walk.site = &site;
        CHECK_FAILS(run(&k), LM_USAGE);
        CHECK(strstr(lm_message(), "ids") != NULL);
        CHECK_FAILS(lm_study_port(s, 1, &site), LM_USAGE);
        CHECK_FAILS(lm_study_layer(s, &k.feed, "tabel", &site), LM_USAGE);
        CHECK_OK(lm_study_stem(s, &k.feed, 0, &site));
        CHECK(site.name == NULL);
    }
    end(&k);
    b = (onnx_build){0};
    conv_net(&b, -1);
    if (CHECK_OK(start(&k, &b, "cpu", NULL, 1))) {
        lm_study *s = k.s.study;
        CHECK_OK(lm_study_stem(s, &k.feed, 0, &site));
        CHECK_STR(site.name, "n");
        CHECK_OK(lm_study_goal(s, &k.feed, (lm_goal_at){.output = 0}, &type, &space));
        CHECK_INT(space, LM_SPACE_LOGIT);
        CHECK_OK(lm_study_goal(s, &k.feed, (lm_goal_at){.after = true}, &type, &space));
        CHECK_INT(space, LM_SPACE_PROBABILITY);
        CHECK_FAILS(lm_study_goal(s, &k.feed, (lm_goal_at){.output = 1}, &type, &space), LM_USAGE);
        CHECK_OK(lm_study_layer(s, &k.feed, "y", &site));
        k.walk.site = &site;
        CHECK_FAILS(run(&k), LM_USAGE);
        CHECK(strstr(lm_message(), "'y' lies behind what is explained, the value ahead of the final softmax") != NULL);
    }
    end(&k);
}

/* The goal may be an inner value: t = tanh(a) has derivative 1 - t^2. */
static void inner_goals(void)
{
    static setup k;
    onnx_build b = {0};
    conv_net(&b, -1);
    if (CHECK_OK(start(&k, &b, "cpu", "a", 1))) {
        const lm_shape seeds = LM_SHAPE(1, 108);
        lm_buffer_unref(k.seed.buf);
        CHECK_OK(numbers(LM_F32, &seeds, 5, 1, &k.seed));
        CHECK_OK(lm_study_layer(k.s.study, &k.feed, "t", &k.w.goal.site));
        CHECK_OK(fill_rows(&k, 4));
        CHECK_INT(k.r.goals, 4 * 108);
        for (int i = 0; i < 4 * 108; i++)
            CHECK_NEAR(k.r.signal[i], lm_view_get(&k.seed, i % 108) * (1 - k.r.goal[i] * k.r.goal[i]), 1e-6);
    }
    end(&k);
}

/* The second time nothing is built. */
static void second_time_is_warm(void)
{
    static setup k;
    onnx_build b = {0};
    conv_net(&b, -1);
    if (CHECK_OK(start(&k, &b, "cpu", NULL, 2)) && CHECK_OK(fill_rows(&k, 7))) {
        const uint64_t before = lm_mem_count().calls;
        CHECK_OK(fill_rows(&k, 7));
        CHECK(lm_mem_count().calls - before < 60);
    }
    end(&k);
}

static void stops_when_told(void)
{
    static setup k;
    atomic_bool cancel = true;
    onnx_build b = {0};
    conv_net(&b, -1);
    if (CHECK_OK(start(&k, &b, "cpu", NULL, 1))) {
        k.w.cancel = &cancel;
        CHECK_FAILS(fill_rows(&k, 3), LM_INTERRUPTED);
        k.w.cancel = NULL;
        CHECK_OK(fill_rows(&k, 3));
    }
    end(&k);
}

/* Every allocation fails once: nothing is held afterwards, and what fails is memory. Some failures are made up for, by
 * smaller batches, so a success does not mean that the end is reached. */
static void nothing_leaks(void)
{
    static setup k;
    for (uint64_t n = 1; n < 20000; n += n < 400 ? 1 : 7) {
        const lm_mem_census before = lm_mem_count();
        onnx_build b = {0};
        conv_net(&b, -1);
        lm_mem_fail_at(n);
        lm_status status = start(&k, &b, "cpu", NULL, 2);
        k.w.value = &k.site;
        k.w.nvalue = 1;
        if (status == LM_OK)
            status = fill_rows(&k, 5);
        lm_mem_fail_at(0);
        end(&k);
        if (!CHECK(status == LM_OK || status == LM_MEMORY) || !CHECK_INT(lm_mem_count().live, before.live)) {
            printf("allocation %d: %s\n", (int)n, lm_message());
            return;
        }
        if (lm_mem_count().calls - before.calls < n)
            return;
    }
    CHECK(!"the scenario ends");
}

int main(void)
{
    CASE(derivatives_are_differences);
    CASE(same_bits);
    CASE(blocks);
    CASE(plain_is_the_same);
    CASE(rows_that_mix_run_alone);
    CASE(models_for_one_row_run_one_by_one);
    CASE(relevance_and_multipliers);
    CASE(targets_one_by_one);
    CASE(baselines_come_and_go);
    CASE(places);
    CASE(inner_goals);
    CASE(second_time_is_warm);
    CASE(stops_when_told);
    CASE(nothing_leaks);
    return test_end();
}
