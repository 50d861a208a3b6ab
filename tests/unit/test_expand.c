/* Expansions of normalisations, block moves, pools and losses against loops. */
#include "tests/unit/expand.h"

static void mean_and_variance(const lm_view *x, const int64_t *index, int64_t n, double *mean, double *variance)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        sum += at(x, index[i]);
    *mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += (at(x, index[i]) - *mean) * (at(x, index[i]) - *mean);
    *variance = square / (double)n;
}

/* Large means and small spreads: E[x²] - E[x]² in single precision would have no digit right. */
static void layer_norm(void)
{
    lm_view x[] = {random_view(1, LM_SHAPE(3, 5, 7)), random_view(2, LM_SHAPE(5, 7)), random_view(3, LM_SHAPE(7))};
    for (int i = 0; i < 105; i++)
        lm_view_set(&x[0], i, 1000 + at(&x[0], i));
    lm_attrs a = {0};
    a.norm.axis = 1;
    a.norm.epsilon = 1e-5f;
    for (int nx = 2; nx <= 3; nx++) {
        if (!run(LM_OP_LAYERNORM, &a, nx, x, 3))
            return;
        for (int r = 0; r < 3; r++) {
            int64_t row[35];
            double mean, variance;
            for (int i = 0; i < 35; i++)
                row[i] = r * 35 + i;
            mean_and_variance(&x[0], row, 35, &mean, &variance);
            double inverse = 1 / sqrt(variance + 1e-5f);
            CHECK_NEAR(lm_view_get(&result[0][1], r), mean, 1e-4);
            CHECK_NEAR(lm_view_get(&result[0][2], r), inverse, 1e-3);
            for (int i = 0; i < 35; i++) {
                double want = (at(&x[0], row[i]) - mean) * inverse * at(&x[1], i) + (nx > 2 ? at(&x[2], i % 7) : 0);
                CHECK_NEAR(lm_view_get(&result[0][0], row[i]), want, 3e-4);
                CHECK_NEAR(lm_view_get(&result[1][0], row[i]), want, 1e-6);
            }
        }
    }
    CHECK_INT(result[0][1].sh.rank, 3);
    CHECK_INT(result[0][1].sh.dim[2], 1);
}

static void half_is_widened_once(void)
{
    lm_view x[] = {empty(LM_F16, LM_SHAPE(2, 33)), empty(LM_F16, LM_SHAPE(33))};
    for (int i = 0; i < 66; i++)
        lm_view_set(&x[0], i, noise(4, i));
    for (int i = 0; i < 33; i++)
        lm_view_set(&x[1], i, 1);
    lm_attrs a = {0};
    a.norm.axis = 1;
    if (!run(LM_OP_LAYERNORM, &a, 2, x, 2))
        return;
    CHECK_INT(result[0][0].dt, LM_F16);
    CHECK_INT(result[0][1].dt, LM_F32);
    for (int r = 0; r < 2; r++) {
        int64_t row[33];
        double mean, variance;
        for (int i = 0; i < 33; i++)
            row[i] = r * 33 + i;
        mean_and_variance(&x[0], row, 33, &mean, &variance);
        for (int i = 0; i < 33; i++) {
            double want = (at(&x[0], row[i]) - mean) / sqrt(variance);
            CHECK_NEAR(at(&result[0][0], row[i]), want, fabs(want) * 0x1p-11 + 1e-6);
        }
    }
}

static void rms_norm(void)
{
    lm_view x[] = {random_view(5, LM_SHAPE(4, 9)), random_view(6, LM_SHAPE(9))};
    lm_attrs a = {0};
    a.norm.axis = 1;
    a.norm.epsilon = 1e-3f;
    if (!run(LM_OP_RMSNORM, &a, 2, x, 1))
        return;
    for (int r = 0; r < 4; r++) {
        double square = 0;
        for (int i = 0; i < 9; i++)
            square += at(&x[0], r * 9 + i) * at(&x[0], r * 9 + i);
        for (int i = 0; i < 9; i++)
            expect(0, r * 9 + i, at(&x[0], r * 9 + i) / sqrt(square / 9 + 1e-3f) * at(&x[1], i));
    }
}

static void batch_norm(void)
{
    lm_view x[] = {random_view(7, LM_SHAPE(2, 3, 5)), random_view(8, LM_SHAPE(3)), random_view(9, LM_SHAPE(3)),
                   random_view(10, LM_SHAPE(3)), random_view(11, LM_SHAPE(3))};
    for (int i = 0; i < 3; i++)
        lm_view_set(&x[4], i, 1.5 + at(&x[4], i));
    lm_attrs a = {0};
    a.norm.epsilon = 1e-4f;
    if (!run(LM_OP_BATCHNORM, &a, 5, x, 1))
        return;
    for (int i = 0; i < 30; i++) {
        int c = i / 5 % 3;
        expect(0, i, (at(&x[0], i) - at(&x[3], c)) / sqrt(at(&x[4], c) + 1e-4f) * at(&x[1], c) + at(&x[2], c));
    }
}

/* Groups of channels; with as many groups as channels it is the instance norm. */
static void group_and_instance_norm(void)
{
    enum { N = 2, C = 6, S = 5 };
    lm_view x[] = {random_view(12, LM_SHAPE(N, C, S)), random_view(13, LM_SHAPE(C)), random_view(14, LM_SHAPE(C))};
    for (int groups = 1; groups <= C; groups++) {
        lm_attrs a = {0};
        a.norm.groups = groups;
        a.norm.epsilon = 1e-3f;
        if (C % groups || !run(groups == C ? LM_OP_INSTANCENORM : LM_OP_GROUPNORM, &a, 3, x, 1))
            continue;
        int size = C / groups * S;
        for (int g = 0; g < N * groups; g++) {
            int64_t index[C * S];
            double mean, variance;
            for (int i = 0; i < size; i++)
                index[i] = g * size + i;
            mean_and_variance(&x[0], index, size, &mean, &variance);
            for (int i = 0; i < size; i++) {
                int c = (int)(index[i] / S % C);
                double unit = (at(&x[0], index[i]) - mean) / sqrt(variance + 1e-3f);
                expect(0, index[i], unit * at(&x[1], c) + at(&x[2], c));
            }
        }
    }
}

static void lp_norm(void)
{
    lm_view x = random_view(15, LM_SHAPE(3, 4, 2));
    for (int i = 0; i < 4; i++)
        lm_view_set(&x, i * 2, 0);
    for (int p = 1; p <= 2; p++) {
        lm_attrs a = {0};
        a.norm.axis = 1;
        a.norm.p = p;
        if (!run(LM_OP_LPNORM, &a, 1, &x, 1))
            return;
        for (int n = 0; n < 3; n++)
            for (int s = 0; s < 2; s++) {
                double sum = 0;
                for (int i = 0; i < 4; i++)
                    sum += pow(fabs(at(&x, n * 8 + i * 2 + s)), p);
                for (int i = 0; i < 4; i++) {
                    int64_t k = n * 8 + i * 2 + s;
                    expect(0, k, sum == 0 ? 0 : at(&x, k) / pow(sum, 1.0 / p));
                }
            }
    }
}

static void mean_variance_norm(void)
{
    lm_view x = random_view(16, LM_SHAPE(2, 3, 4));
    lm_attrs a = {0};
    a.reduce.axes = 5;
    if (!run(LM_OP_MVN, &a, 1, &x, 1))
        return;
    for (int c = 0; c < 3; c++) {
        int64_t index[8];
        double mean, variance;
        for (int i = 0; i < 8; i++)
            index[i] = i / 4 * 12 + c * 4 + i % 4;
        mean_and_variance(&x, index, 8, &mean, &variance);
        for (int i = 0; i < 8; i++)
            expect(0, index[i], (at(&x, index[i]) - mean) / (sqrt(variance) + 1e-9));
    }
}

static void local_response_norm(void)
{
    enum { N = 2, C = 5, S = 6 };
    lm_view x = random_view(17, LM_SHAPE(N, C, 2, 3));
    for (int size = 1; size <= 5; size++) {
        lm_attrs a = {0};
        a.norm.size = size;
        a.norm.alpha = 0.3f;
        a.norm.beta = 0.75f;
        a.norm.bias = 2;
        if (!run(LM_OP_LRN, &a, 1, &x, 1))
            return;
        for (int i = 0; i < N * C * S; i++) {
            int c = i / S % C;
            double sum = 0;
            for (int k = c - (size - 1) / 2; k <= c + size / 2; k++)
                if (k >= 0 && k < C)
                    sum += at(&x, i + (k - c) * S) * at(&x, i + (k - c) * S);
            expect(0, i, at(&x, i) / pow(2 + (double)0.3f / size * sum, 0.75));
        }
    }
}

static void blocks(void)
{
    enum { N = 2, D = 3, B = 2, H = 2, W = 5, ALL = N * D * B * B * H * W };
    lm_view deep = random_view(18, LM_SHAPE(N, D * B * B, H, W));
    for (int crd = 0; crd < 2; crd++) {
        lm_attrs a = {0};
        a.block.size = B;
        a.block.crd = crd;
        if (!run(LM_OP_DEPTHTOSPACE, &a, 1, &deep, 1))
            return;
        for (int i = 0; i < ALL; i++) {
            int w = i % W, h = i / W % H, c = i / (W * H) % (D * B * B), n = i / (W * H * D * B * B);
            int d = crd ? c / (B * B) : c % D, block = crd ? c % (B * B) : c / D;
            int64_t to = ((n * D + d) * (H * B) + h * B + block / B) * (W * B) + w * B + block % B;
            expect(0, to, at(&deep, i));
        }
        lm_view wide = result[0][0];
        lm_buffer_ref(wide.buf);
        if (run(LM_OP_SPACETODEPTH, &a, 1, &wide, 1))
            for (int i = 0; i < ALL; i++)
                expect(0, i, at(&deep, i));
        lm_buffer_unref(wide.buf);
    }
    lm_attrs whole = {0};
    whole.block.size = 1;
    if (run(LM_OP_DEPTHTOSPACE, &whole, 1, &deep, 1))
        expect(0, ALL - 1, at(&deep, ALL - 1));
}

static void global_pools(void)
{
    lm_view x = random_view(19, LM_SHAPE(2, 3, 5, 7));
    for (int kind = 0; kind < 5; kind++) {
        lm_attrs a = {0};
        lm_opid op = kind == 0 ? LM_OP_GLOBAL_AVG : kind == 1 ? LM_OP_GLOBAL_MAX : LM_OP_GLOBAL_LP;
        int p = kind - 1;
        if (op == LM_OP_GLOBAL_LP)
            a.norm.p = p;
        if (!run(op, &a, 1, &x, 1))
            return;
        CHECK_INT(result[0][0].sh.rank, 4);
        for (int c = 0; c < 6; c++) {
            double sum = 0, most = -2, power = 0;
            for (int i = c * 35; i < c * 35 + 35; i++) {
                sum += at(&x, i);
                most = fmax(most, at(&x, i));
                power += pow(fabs(at(&x, i)), p);
            }
            expect(0, c, kind == 0 ? sum / 35 : kind == 1 ? most : pow(power, 1.0 / p));
        }
    }
}

static void hard_max(void)
{
    lm_view x = random_view(20, LM_SHAPE(2, 4, 3));
    lm_view_set(&x, 1, 2);
    lm_view_set(&x, 7, 2); /* a tie in column 1 of sample 0: the first wins */
    lm_attrs a = {0};
    a.axis.axis = 1;
    if (!run(LM_OP_HARDMAX, &a, 1, &x, 1))
        return;
    for (int n = 0; n < 2; n++)
        for (int s = 0; s < 3; s++) {
            int best = 0;
            for (int i = 1; i < 4; i++)
                if (at(&x, n * 12 + i * 3 + s) > at(&x, n * 12 + best * 3 + s))
                    best = i;
            for (int i = 0; i < 4; i++)
                expect(0, n * 12 + i * 3 + s, i == best);
        }
}

static const lm_loss_reduction reductions[] = {LM_LOSS_MEAN, LM_LOSS_SUM, LM_LOSS_NONE};

static void expect_loss(const double *each, const double *weight, int n, lm_loss_reduction how)
{
    double sum = 0, weights = 0;
    for (int i = 0; i < n; i++) {
        sum += each[i];
        weights += weight ? weight[i] : 1;
        if (how == LM_LOSS_NONE)
            expect(0, i, each[i]);
    }
    CHECK_INT(lm_shape_count(&result[0][0].sh), how == LM_LOSS_NONE ? n : 1);
    if (how != LM_LOSS_NONE)
        expect(0, 0, how == LM_LOSS_MEAN ? sum / weights : sum);
}

static void losses_of_values(void)
{
    for (int way = 0; way < 6; way++) {
        drop_all();
        lm_view x[] = {random_view(50, LM_SHAPE(3, 5)), random_view(51, LM_SHAPE(3, 5))};
        bool bce = way >= 3;
        double each[3] = {0};
        for (int i = 0; i < 15; i++) {
            double p = at(&x[0], i), t = at(&x[1], i);
            if (bce) {
                /* the last two are certain: one right, one wrong */
                lm_view_set(&x[0], i, p = (float)(i > 12 ? 1 : (p + 1) / 2));
                lm_view_set(&x[1], i, t = i == 14 ? 0 : 1);
            }
            double loss = -t * fmax(log(p), -100) - (1 - t) * fmax(log(1 - p), -100);
            each[i / 5] += (bce ? loss : (p - t) * (p - t)) / 5;
        }
        lm_attrs a = {0};
        a.loss.reduction = reductions[way % 3];
        if (run(bce ? LM_OP_LOSS_BCE : LM_OP_LOSS_MSE, &a, 2, x, 1))
            expect_loss(each, NULL, 3, a.loss.reduction);
    }
}

/* Scores [2,4,3], or with `flat` [2,4]: way bits 0-1 reduction, 2 weights, 3 ignore, 4 flat, 5 from scores. */
static void losses_of_classes(void)
{
    for (int way = 0; way < 64; way++) {
        if (way % 4 == 3)
            continue;
        drop_all();
        int places = way & 16 ? 1 : 3, n = 2 * places;
        lm_view x[] = {random_view(60, places == 1 ? LM_SHAPE(2, 4) : LM_SHAPE(2, 4, 3)),
                       classes(61, places == 1 ? LM_SHAPE(2) : LM_SHAPE(2, 3), 4), random_view(62, LM_SHAPE(4))};
        for (int i = 0; i < 4; i++)
            lm_view_set(&x[2], i, 1.5 + at(&x[2], i));
        lm_attrs a = {0};
        a.loss.reduction = reductions[way % 4];
        a.loss.has_ignore = way & 8;
        a.loss.ignore = -1;
        if (way & 8) {
            lm_view_set(&x[1], 1, -1);
            if (!(way & 32)) /* what is ignored may be infinite */
                lm_view_set(&x[0], places == 1 ? 4 : 1, -INFINITY);
        }
        bool scores = way & 32;
        if (!run(scores ? LM_OP_LOSS_CE : LM_OP_LOSS_NLL, &a, way & 4 ? 3 : 2, x, scores ? 2 : 1))
            return;
        double each[6], weight[6];
        for (int i = 0; i < n; i++) {
            int base = i / places * 4 * places + i % places, class = (int)lm_view_get_i64(&x[1], i);
            double sum = 0;
            for (int k = 0; k < 4; k++)
                sum += exp(at(&x[0], base + k * places));
            weight[i] = class < 0 ? 0 : way & 4 ? at(&x[2], class) : 1;
            each[i] = class < 0 ? 0 : weight[i] * ((scores ? log(sum) : 0) - at(&x[0], base + class * places));
            for (int k = 0; scores && k < 4; k++)
                expect(1, base + k * places, at(&x[0], base + k * places) - log(sum));
        }
        expect_loss(each, weight, n, a.loss.reduction);
    }
}

/* Nothing in, nothing out: no samples, or no channels. */
static void empty_operands(void)
{
    lm_attrs a = {0};
    a.axis.axis = 1;
    for (int way = 0; way < 2; way++) {
        int64_t n = way ? 2 : 0, c = way ? 0 : 4;
        lm_view x[] = {random_view(1, LM_SHAPE(n, c, 3)), random_view(2, LM_SHAPE(c)), random_view(3, LM_SHAPE(c))};
        lm_attrs norm = {0};
        norm.norm.size = 3;
        norm.norm.epsilon = 1;
        norm.norm.axis = 1;
        norm.norm.p = norm.norm.groups = 2;
        const lm_opid one[] = {LM_OP_LRN, LM_OP_LPNORM}, three[] = {LM_OP_GROUPNORM, LM_OP_INSTANCENORM};
        for (int i = 0; i < 2; i++) {
            if (run(one[i], &norm, 1, x, 1))
                CHECK_INT(lm_shape_count(&result[0][0].sh), 0);
            if (run(three[i], &norm, 3, x, 1))
                CHECK_INT(lm_shape_count(&result[1][0].sh), 0);
        }
        if (run(LM_OP_HARDMAX, &a, 1, x, 1))
            CHECK(lm_shape_equal(&result[0][0].sh, &x[0].sh));
        drop_all();
    }
}

static void refusals_name_op_and_shape(void)
{
    lm_view x[] = {random_view(1, LM_SHAPE(2, 3)), random_view(2, LM_SHAPE(4)), random_view(3, LM_SHAPE(4)), {0}};
    lm_attrs a = {0};
    lm_view y[LM_OUT_MAX];
    a.norm.axis = 1;
    CHECK_FAILS(lm_exec_once(&chains[0], LM_OP_LAYERNORM, &a, 2, x, 1, y), LM_INPUT);
    CHECK(strstr(lm_message(), "LayerNormalization") && strstr(lm_message(), "[4]"));
    CHECK_FAILS(lm_exec_once(&chains[0], LM_OP_DEPTHTOSPACE, &a, 1, x, 1, y), LM_INPUT);
    CHECK(strstr(lm_message(), "DepthToSpace") && strstr(lm_message(), "[2,3]"));
    CHECK_FAILS(lm_exec_once(&chains[0], LM_OP_ATTENTION, &a, 3, x, 1, y), LM_INPUT);
    CHECK(strstr(lm_message(), "Attention") && strstr(lm_message(), "[2,3]"));
    CHECK_FAILS(lm_exec_once(&chains[0], LM_OP_GEMM, &a, 2, x, 1, y), LM_INPUT);
    CHECK(strstr(lm_message(), "Gemm") && strstr(lm_message(), "[4]"));
    strcpy(a.einsum.equation, "ij,jk");
    CHECK_FAILS(lm_exec_once(&chains[0], LM_OP_EINSUM, &a, 2, x, 1, y), LM_INPUT);
    CHECK(strstr(lm_message(), "Einsum") && strstr(lm_message(), "ij,jk"));
    CHECK_FAILS(lm_exec_once(&chains[0], LM_OP_LAYERNORM, &a, 1, x, 1, y), LM_INPUT);
    CHECK(strstr(lm_message(), "LayerNormalization"));
}

static void a_class_out_of_range_is_named(void)
{
    lm_view x[] = {random_view(1, LM_SHAPE(2, 3)), classes(2, LM_SHAPE(2), 3)}, y;
    lm_attrs a = {0};
    for (int bad = -1; bad < 8; bad += 8) {
        lm_view_set(&x[1], 1, bad);
        CHECK_FAILS(lm_exec_once(&chains[0], LM_OP_LOSS_NLL, &a, 2, x, 1, &y), LM_INPUT);
        CHECK(strstr(lm_message(), "NegativeLogLikelihoodLoss") && strstr(lm_message(), bad < 0 ? "-1" : "7"));
    }
}

static void primitives_do_not_expand(void)
{
    lm_emit e = {0};
    CHECK_OK(lm_graph_new(&e.g));
    lm_type type = {LM_F32, LM_SHAPE(2)};
    lm_val x, y;
    CHECK_OK(lm_graph_input(e.g, "x", &type, &x));
    lm_composite c = {.op = LM_OP_RELU, .nx = 1, .ny = 1, .x = &x, .y = &y};
    CHECK_FAILS(lm_expand(&e, &c), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "Relu"));
    lm_graph_free(e.g);
}

int main(void)
{
    static const expand_case cases[] = {
        {"layer_norm", layer_norm},
        {"half_is_widened_once", half_is_widened_once},
        {"rms_norm", rms_norm},
        {"batch_norm", batch_norm},
        {"group_and_instance_norm", group_and_instance_norm},
        {"lp_norm", lp_norm},
        {"mean_variance_norm", mean_variance_norm},
        {"local_response_norm", local_response_norm},
        {"blocks", blocks},
        {"global_pools", global_pools},
        {"hard_max", hard_max},
        {"losses_of_values", losses_of_values},
        {"losses_of_classes", losses_of_classes},
        {"empty_operands", empty_operands},
        {"refusals_name_op_and_shape", refusals_name_op_and_shape},
        {"a_class_out_of_range_is_named", a_class_out_of_range_is_named},
        {"primitives_do_not_expand", primitives_do_not_expand},
    };
    return expand_main(cases, LM_COUNT(cases));
}
