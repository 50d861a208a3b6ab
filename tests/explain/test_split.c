/* Several devices at once: who takes which rows, rows absorbed in order, failures; the same bits as one device where all
 * are exact, the same every time where shares are fixed. Arguments: lists of exact devices to use instead of those of the
 * processor. */
#include <limn/limn.h>

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "core/run/split.h"
#include "tests/api/samples.h"
#include "tests/unit/test.h"

enum { ROWS = 60, ROOM = 4, PARTS = ROWS / ROOM };

/* Work without a model: row r is absorbed as r-th, whoever takes it. */
typedef struct toy {
    lm_split split;
    int64_t absorbed;
    int taken_by[ROWS];
    int fails_at[2]; /* lane and row; a lane of -1: absorbing that row fails */
    useconds_t slow; /* lane 1 sleeps so long for a row */
    bool waits;      /* lane 1 gives nothing before all rows are taken */
} toy;

static bool has_more(toy *t)
{
    lm_split_enter(&t->split);
    const bool more = t->split.next[0] < ROWS;
    lm_split_leave(&t->split);
    return more;
}

static lm_status toy_lane(void *own, int lane)
{
    toy *t = own;
    int64_t row[PARTS][ROOM];
    lm_part part[PARTS];
    for (int i = 0; i < PARTS; i++)
        part[i] = (lm_part){.row = row[i]};
    for (int i = 0;; i = (i + 1) % PARTS) {
        const int64_t n = lm_split_take(&t->split, lane, ROOM, &part[i]);
        if (n == 0) { /* parts live here: stay until they are absorbed or never will be */
            for (i = 0; i < PARTS; i++)
                LM_REQUIRE(lm_split_take(&t->split, lane, ROOM, &part[i]) == 0, LM_USAGE, "rows after the last one");
            return LM_OK;
        }
        for (int64_t k = 0; k < n; k++) {
            t->taken_by[part[i].row[k]] = lane;
            LM_REQUIRE(t->fails_at[0] != lane || part[i].row[k] < t->fails_at[1], LM_DEVICE, "lane %d has had enough",
                       lane);
        }
        if (lane == 1)
            usleep(t->slow * (useconds_t)n);
        while (lane == 1 && t->waits && has_more(t))
            usleep(100);
        LM_TRY(lm_split_give(&t->split, lane, &part[i]));
    }
}

static lm_status toy_absorb(void *own, int lane, lm_part *part, int64_t at)
{
    toy *t = own;
    LM_REQUIRE(part->row[at] == t->absorbed && t->taken_by[t->absorbed] == lane, LM_USAGE, "row %lld out of order",
               (long long)part->row[at]);
    LM_REQUIRE(t->fails_at[0] != -1 || t->absorbed < t->fails_at[1], LM_INPUT, "row %lld cannot be absorbed",
               (long long)t->absorbed);
    t->absorbed++;
    return LM_OK;
}

static lm_status toy_run(const char *list, toy *t, lm_shares *shares)
{
    lm_chain chain;
    if (!CHECK_OK(lm_chain_open(list, &chain)))
        return LM_DEVICE;
    t->absorbed = 0;
    t->split = (lm_split){.chain = &chain, .lanes = lm_split_lanes(&chain), .rows = ROWS, .fixed = chain.share > 0,
                          .shares = shares, .lane = toy_lane, .absorb = toy_absorb, .own = t};
    const lm_status status = lm_split_run(&t->split);
    lm_chain_close(&chain);
    return status;
}

static void rows_are_absorbed_in_order(void)
{
    static const char *const lists[] = {"cpu", "cpu+cpu", "cpu+ref", "cpu:threads=1:split=3+cpu", "cpu+ref:split=5+cpu"};
    for (size_t i = 0; i < LM_COUNT(lists); i++) {
        toy t = {.fails_at = {ROOM, 0}, .slow = 100};
        lm_shares shares = {.fixed = false};
        if (!CHECK_OK(toy_run(lists[i], &t, &shares)))
            printf("%s\n", lists[i]);
        CHECK_INT(t.absorbed, ROWS);
        int64_t all = 0;
        for (int k = 0; k < LM_LANES; k++)
            all += shares.rows[k];
        CHECK_INT(all, ROWS);
        CHECK(shares.fixed == (i >= 2));
    }
}

static void shares_are_fixed(void)
{
    toy t = {.fails_at = {ROOM, 0}}, again = t;
    lm_shares shares = {.fixed = false};
    CHECK_OK(toy_run("cpu:split=3+ref+cpu:split=2", &t, &shares));
    CHECK_INT(shares.rows[0], ROWS / 2);
    CHECK_INT(shares.rows[1], ROWS / 6);
    CHECK_INT(shares.rows[2], ROWS / 3);
    CHECK_INT(t.taken_by[0], 0);
    again.slow = 200;
    CHECK_OK(toy_run("cpu:split=3+ref+cpu:split=2", &again, &shares));
    CHECK(memcmp(t.taken_by, again.taken_by, sizeof t.taken_by) == 0);
}

static void the_slower_takes_less(void)
{
    toy t = {.fails_at = {ROOM, 0}, .waits = true};
    lm_shares shares = {.fixed = false};
    CHECK_OK(toy_run("cpu+cpu", &t, &shares));
    CHECK(shares.rows[0] >= ROWS - ROOM);
}

static void failures(void)
{
    toy t = {.fails_at = {1, 0}};
    lm_shares shares = {.fixed = false};
    CHECK_FAILS(toy_run("cpu:split=1+ref", &t, &shares), LM_DEVICE);
    CHECK_STR(lm_message(), "ref: lane 1 has had enough");
    t.fails_at[0] = 0;
    CHECK_FAILS(toy_run("cpu+ref", &t, &shares), LM_DEVICE);
    CHECK_STR(lm_message(), "cpu: lane 0 has had enough");
    t.fails_at[0] = -1;
    t.fails_at[1] = 30;
    CHECK_FAILS(toy_run("cpu+cpu+cpu", &t, &shares), LM_INPUT);
    CHECK_STR(lm_message(), "cpu: row 30 cannot be absorbed");
    CHECK_INT(t.absorbed, 30);
}

static float pixel[24 * 192];

/* Explain one picture; *values is the caller's. */
static size_t explain_on(const char *list, const limn_question *ask, float **values, limn_share share[ROOM], int *fixed)
{
    sample o;
    size_t n = 0;
    limn_feed feed = {"image", {LIMN_F32, 4, {1, 3, 8, 8}, pixel}};
    limn_explanation *why;
    *values = NULL;
    if (CHECK_OK(sample_open(list, sample_cnn, &o)) && CHECK_OK(limn_explain(o.session, &feed, 1, ask, &why))) {
        const limn_tensor *t = &limn_explanation_get(why, 0)->values;
        n = limn_tensor_count(t);
        *values = malloc(n * sizeof **values);
        memcpy(*values, t->data, n * sizeof **values);
        limn_explanation_free(why);
        CHECK(limn_session_shares(o.session, share, ROOM, fixed) <= ROOM);
    }
    sample_close(&o);
    return n;
}

static const char *const own[] = {"cpu:threads=1+cpu:threads=1", "cpu:threads=1:split=3+cpu", "cpu+cpu:isa=scalar+cpu"};
static const char *const *exact = own;
static size_t lists = LM_COUNT(own);

static bool is_fixed(size_t i)
{
    return strstr(exact[i], "split=") != NULL;
}

static void explanations_have_the_bits_of_one_device(void)
{
    static const limn_setting samples = {"samples", "33"};
    const limn_question ask[] = {{.method = "ig", .target = "1"},
                                 {.method = "ig", .target = "all", .layer = "layer1.0.conv1"},
                                 {.method = "gradient_shap", .target = "1", .setting = &samples, .settings = 1},
                                 {.method = "ablationcam", .target = "2", .layer = "layer1.0.conv2"},
                                 {.method = "lrp", .target = "1", .noise = "smoothgrad:samples=21"},
                                 {.method = "blur_ig", .target = "0"}};
    for (size_t q = 0; q < LM_COUNT(ask); q++) {
        limn_share share[ROOM];
        int fixed;
        float *one, *several;
        const size_t n = explain_on("cpu:threads=1", &ask[q], &one, share, &fixed);
        CHECK(n > 0);
        for (size_t i = 0; i < lists; i++) {
            const size_t m = explain_on(exact[i], &ask[q], &several, share, &fixed);
            if (!CHECK(m == n && memcmp(one, several, n * sizeof *one) == 0) || !CHECK_INT(fixed, is_fixed(i)) ||
                !CHECK(!is_fixed(i) || (share[0].rows && share[1].rows)))
                printf("%s on %s\n", ask[q].method, exact[i]);
            free(several);
        }
        free(one);
    }
}

static void nothing_is_left_behind(void)
{
    const limn_question ask = {.method = "ig", .target = "1"}, wrong = {.method = "ig", .target = "1", .layer = "nowhere"};
    size_t live[2];
    for (int i = 0; i < 2; i++) {
        sample o;
        float *values;
        limn_share share[ROOM];
        int fixed;
        limn_feed feed = {"image", {LIMN_F32, 4, {1, 3, 8, 8}, pixel}};
        limn_explanation *why;
        explain_on("cpu+ref:split=2", &ask, &values, share, &fixed);
        free(values);
        if (CHECK_OK(sample_open("cpu+ref", sample_cnn, &o))) {
            CHECK_FAILS(limn_explain(o.session, &feed, 1, &wrong, &why), LIMN_USAGE);
            limn_session_cancel(o.session);
            CHECK_FAILS(limn_explain(o.session, &feed, 1, &ask, &why), LIMN_INTERRUPTED);
            if (CHECK_OK(limn_explain(o.session, &feed, 1, &ask, &why)))
                limn_explanation_free(why);
        }
        sample_close(&o);
        live[i] = lm_mem_count().live;
    }
    CHECK_INT(live[0], live[1]);
}

static void close_devices_share_in_fixed_parts(void)
{
    const limn_question ask = {.method = "ig", .target = "1"};
    float *first, *second;
    limn_share share[ROOM];
    int fixed;
    const size_t n = explain_on("cpu+ref:split=2", &ask, &first, share, &fixed);
    CHECK_INT(fixed, 1);
    CHECK_STR(share[1].device, "ref");
    CHECK(share[0].exact && !share[1].exact);
    CHECK(share[1].rows >= 33 && share[1].rows <= 34);
    CHECK_INT(explain_on("cpu:threads=1+ref:split=2", &ask, &second, share, &fixed), n);
    CHECK(memcmp(first, second, n * sizeof *first) == 0);
    free(first);
    free(second);
}

static void a_single_row_runs_on_the_first(void)
{
    const limn_question ask = {.method = "saliency", .target = "1"};
    float *values;
    limn_share share[ROOM];
    int fixed;
    explain_on("cpu+ref", &ask, &values, share, &fixed);
    CHECK(share[0].rows > 0 && share[1].rows == 0 && !fixed);
    free(values);
}

/* x[n,4] minus its mean over n: not samples. */
static void mixing(limn_builder *b)
{
    const int64_t x[] = {-1, 4}, axes[] = {0};
    limn_build_input(b, "x", LIMN_F32, 2, x);
    limn_build_op(b, "ReduceMean", "x", "m");
    limn_build_ints(b, "axes", axes, 1);
    limn_build_op(b, "Sub", "x m", "y");
    limn_build_output(b, "y", LIMN_F32, 2, x);
}

/* Of `n` samples of x; their results are the caller's. */
static void predict_on(const char *list, void (*build)(limn_builder *), limn_feed feed, limn_tensor *y, limn_share *share)
{
    sample o;
    *y = (limn_tensor){0};
    if (CHECK_OK(sample_open(list, build, &o))) {
        CHECK_OK(limn_session_run(o.session, &feed, 1, NULL, 1, y));
        limn_session_shares(o.session, share, ROOM, NULL);
    }
    sample_close(&o);
}

static void predictions_have_the_bits_of_one_device(void)
{
    static const struct {
        void (*build)(limn_builder *);
        bool split;
        limn_feed feed;
    } net[] = {{sample_cnn, true, {"image", {LIMN_F32, 4, {23, 3, 8, 8}, pixel}}},
               {sample_cnn, true, {"image", {LIMN_F32, 4, {4, 3, 8, 8}, pixel}}},
               {sample_mlp_free, false, {"x", {LIMN_F32, 2, {67, 4}, pixel}}},
               {mixing, false, {"x", {LIMN_F32, 2, {67, 4}, pixel}}}};
    for (size_t k = 0; k < LM_COUNT(net); k++) {
        limn_share share[ROOM] = {{.rows = 0}};
        limn_tensor one, several;
        predict_on("cpu:threads=1", net[k].build, net[k].feed, &one, share);
        for (size_t i = 0; i < lists; i++) {
            predict_on(exact[i], net[k].build, net[k].feed, &several, share);
            const size_t n = limn_tensor_count(&one);
            if (!CHECK(limn_tensor_count(&several) == n && memcmp(one.data, several.data, n * sizeof(float)) == 0) ||
                !CHECK(!is_fixed(i) || (share[1].rows > 0) == net[k].split))
                printf("net %zu on %s\n", k, exact[i]);
            uint64_t all = share[0].rows + share[1].rows + share[2].rows;
            CHECK_INT(all, net[k].split ? net[k].feed.tensor.dim[0] : 1);
            limn_tensor_free(&several);
        }
        limn_tensor_free(&one);
    }
}

static void devices_are_described(void)
{
    limn_device *d;
    limn_device_info info;
    CHECK_OK(limn_device_open("cpu:threads=1+ref", &d));
    CHECK_OK(limn_device_describe(d, &info));
    CHECK_STR(info.name, "cpu+ref");
    CHECK(!info.exact);
    CHECK_INT(info.units, 2);
    limn_device_free(d);
    CHECK_FAILS(limn_device_open("cpu+ref:type=f64", &d), LIMN_USAGE);
    CHECK(strstr(limn_message(), "float32") && strstr(limn_message(), "float64"));
    CHECK_OK(limn_device_open("cpu:9+ref,ref+cpu", &d));
    CHECK_OK(limn_device_describe(d, &info));
    CHECK_STR(info.name, "ref+cpu");
    limn_device_free(d);
    CHECK_FAILS(limn_device_open("cpu:9+ref", &d), LIMN_DEVICE);
}

/* Devices that are not there are no failure. */
static void use_lists(int n, char **list)
{
    limn_device *device = NULL;
    exact = (const char *const *)list;
    lists = (size_t)n;
    for (int i = 0; i < n; i++) {
        const limn_status status = limn_device_open(list[i], &device);
        if (status == LIMN_DEVICE)
            test_skip(limn_message());
        if (CHECK_OK(status))
            limn_device_free(device);
    }
}

int main(int argc, char **argv)
{
    sample_fill(pixel, LM_COUNT(pixel), 5);
    for (size_t i = 0; i < LM_COUNT(pixel); i++)
        pixel[i] *= 0.37f;
    if (argc > 1)
        use_lists(argc - 1, argv + 1);
    CASE(explanations_have_the_bits_of_one_device);
    CASE(predictions_have_the_bits_of_one_device);
    if (argc > 1)
        return test_end();
    CASE(rows_are_absorbed_in_order);
    CASE(shares_are_fixed);
    CASE(the_slower_takes_less);
    CASE(failures);
    CASE(nothing_is_left_behind);
    CASE(close_devices_share_in_fixed_parts);
    CASE(a_single_row_runs_on_the_first);
    CASE(devices_are_described);
    return test_end();
}
