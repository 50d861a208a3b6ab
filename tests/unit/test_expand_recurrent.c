/* Expansions of LSTM, GRU and RNN against a walk through time with plain loops; gradients of LSTM in one piece. */
#include "core/rules/rule.h"
#include "core/rules/sets.h"
#include "tests/unit/expand.h"

enum { T = 4, N = 3, I = 2, H = 3 };

/* One op: inputs as the op takes them, and what the loops make of them. */
typedef struct net {
    lm_opid op;
    int gates, ways;
    const lm_attr_recurrent *a;
    const lm_view *x; /* 8 of them; rank LM_ABSENT: left out */
    double y[T][2][N][H], h[2][N][H], c[2][N][H];
} net;

static double in(const net *n, int operand, int64_t i)
{
    return operand < 8 && n->x[operand].sh.rank != LM_ABSENT ? at(&n->x[operand], i) : 0;
}

static double function(const net *n, int way, int slot, double x)
{
    int i = 3 * way + slot;
    double a = (double)n->a->alpha[i], b = (double)n->a->beta[i], clip = (double)n->a->clip;
    if (clip > 0)
        x = fmin(fmax(x, -clip), clip);
    switch (n->a->act[i]) {
    case LM_OP_SIGMOID: return 1 / (1 + exp(-x));
    case LM_OP_TANH: return a * tanh(b * x);
    case LM_OP_IDENTITY: return a * x + b;
    case LM_OP_HARDSIGMOID: return fmin(fmax(a * x + b, 0), 1);
    default: return x > 0 ? x : a * x; /* LeakyRelu */
    }
}

/* Σ weights · input for one row of the gates. */
static double from_x(const net *n, int way, int row, int t, int s)
{
    double sum = 0;
    for (int i = 0; i < I; i++)
        sum += in(n, 1, (way * n->gates * H + row) * I + i) * in(n, 0, (t * N + s) * I + i);
    return sum + in(n, 3, way * 2 * n->gates * H + row);
}

static double from_h(const net *n, int way, int row, const double *h)
{
    double sum = 0;
    for (int i = 0; i < H; i++)
        sum += in(n, 2, (way * n->gates * H + row) * H + i) * h[i];
    return sum;
}

static double bias_h(const net *n, int way, int row)
{
    return in(n, 3, way * 2 * n->gates * H + n->gates * H + row);
}

static double gate(const net *n, int way, int k, int j, int t, int s, const double *h)
{
    int row = k * H + j;
    return from_x(n, way, row, t, s) + from_h(n, way, row, h) + bias_h(n, way, row);
}

static void step_lstm(const net *n, int way, int t, int s, double *h, double *c)
{
    double next[H];
    for (int j = 0; j < H; j++) {
        int p = way * 3 * H + j;
        double i = function(n, way, 0, gate(n, way, 0, j, t, s, h) + in(n, 7, p) * c[j]);
        double f = function(n, way, 0, gate(n, way, 2, j, t, s, h) + in(n, 7, p + 2 * H) * c[j]);
        double g = function(n, way, 1, gate(n, way, 3, j, t, s, h)), old = c[j];
        if (n->a->input_forget)
            f = 1 - i;
        c[j] = f * old + i * g;
        double o = function(n, way, 0, gate(n, way, 1, j, t, s, h) + in(n, 7, p + H) * c[j]);
        next[j] = o * function(n, way, 2, c[j]);
    }
    memcpy(h, next, sizeof next);
}

static void step_gru(const net *n, int way, int t, int s, double *h)
{
    double next[H], r[H], reset[H];
    for (int j = 0; j < H; j++) {
        r[j] = function(n, way, 0, gate(n, way, 1, j, t, s, h));
        reset[j] = r[j] * h[j];
    }
    for (int j = 0; j < H; j++) {
        int row = 2 * H + j;
        double z = function(n, way, 0, gate(n, way, 0, j, t, s, h));
        double kept = n->a->linear_before_reset ? r[j] * (from_h(n, way, row, h) + bias_h(n, way, row))
                                                : from_h(n, way, row, reset) + bias_h(n, way, row);
        next[j] = (1 - z) * function(n, way, 1, from_x(n, way, row, t, s) + kept) + z * h[j];
    }
    memcpy(h, next, sizeof next);
}

static void step_rnn(const net *n, int way, int t, int s, double *h)
{
    double next[H];
    for (int j = 0; j < H; j++)
        next[j] = function(n, way, 0, gate(n, way, 0, j, t, s, h));
    memcpy(h, next, sizeof next);
}

/* Every sample on its own and only as long as it is, from its first or its last step. */
static void walk(net *n)
{
    memset(n->y, 0, sizeof n->y);
    for (int way = 0; way < n->ways; way++)
        for (int s = 0; s < N; s++) {
            double *h = n->h[way][s], *c = n->c[way][s];
            int length = n->x[4].sh.rank == LM_ABSENT ? T : (int)at(&n->x[4], s);
            bool back = n->a->way == LM_REVERSE || way == 1;
            for (int j = 0; j < H; j++) {
                h[j] = in(n, 5, (way * N + s) * H + j);
                c[j] = in(n, 6, (way * N + s) * H + j);
            }
            for (int i = 0; i < length; i++) {
                int t = back ? length - 1 - i : i;
                if (n->op == LM_OP_LSTM)
                    step_lstm(n, way, t, s, h, c);
                else if (n->op == LM_OP_GRU)
                    step_gru(n, way, t, s, h);
                else
                    step_rnn(n, way, t, s, h);
                memcpy(n->y[t][way][s], h, H * sizeof *h);
            }
        }
}

/* `has`: bit i: operand i is there. */
static void compare(lm_opid op, lm_attr_recurrent r, unsigned has)
{
    static net n;
    int gates = op == LM_OP_LSTM ? 4 : op == LM_OP_GRU ? 3 : 1, ways = r.way == LM_BOTH ? 2 : 1;
    const lm_shape shapes[] = {LM_SHAPE(T, N, I),         LM_SHAPE(ways, gates * H, I), LM_SHAPE(ways, gates * H, H),
                               LM_SHAPE(ways, 2 * gates * H), LM_SHAPE(N),              LM_SHAPE(ways, N, H),
                               LM_SHAPE(ways, N, H),      LM_SHAPE(ways, 3 * H)};
    lm_view x[8];
    int nx = 3, ny = op == LM_OP_LSTM ? 3 : 2;
    for (int i = 0; i < 8; i++) {
        bool there = i < 3 || has >> i & 1;
        x[i] = there && i != 4 ? random_view(i, shapes[i]) : lm_view_absent();
        if (there && i == 4) {
            x[i] = empty(LM_I32, shapes[i]);
            for (int s = 0; s < N; s++)
                lm_view_set(&x[i], s, s == 0 ? T : s == 1 ? 2 : 0);
        }
        nx = there ? i + 1 : nx;
    }
    n = (net){.op = op, .gates = gates, .ways = ways, .a = &r, .x = x};
    walk(&n);
    lm_attrs a = {0};
    a.recurrent = r;
    if (!run(op, &a, nx, x, ny))
        return;
    for (int t = 0; t < T; t++)
        for (int i = 0; i < ways * N * H; i++)
            expect(0, t * ways * N * H + i, n.y[t][i / (N * H)][i / H % N][i % H]);
    for (int i = 0; i < ways * N * H; i++) {
        expect(1, i, n.h[i / (N * H)][i / H % N][i % H]);
        if (ny > 2)
            expect(2, i, n.c[i / (N * H)][i / H % N][i % H]);
    }
    drop_all();
}

#define ONES {1, 1, 1, 1, 1, 1}
static const lm_attr_recurrent usual = {.act = {LM_OP_SIGMOID, LM_OP_TANH, LM_OP_TANH, LM_OP_SIGMOID, LM_OP_TANH,
                                                LM_OP_TANH}, .alpha = ONES, .beta = ONES};

static void every_operand(lm_opid op, unsigned most)
{
    for (int way = LM_FORWARD; way <= LM_BOTH; way++)
        for (unsigned has = 0; has <= most; has += 8) {
            lm_attr_recurrent r = usual;
            r.way = (lm_way)way;
            if (op == LM_OP_RNN)
                r.act[0] = r.act[3] = LM_OP_TANH;
            compare(op, r, has);
        }
}

static void lstm(void)
{
    every_operand(LM_OP_LSTM, 0xf8);
    lm_attr_recurrent r = usual;
    r.input_forget = true;
    compare(LM_OP_LSTM, r, 0xf8);
}

static void gru(void)
{
    every_operand(LM_OP_GRU, 0x38);
    lm_attr_recurrent r = usual;
    r.linear_before_reset = true;
    for (unsigned has = 0; has <= 0x38; has += 8)
        compare(LM_OP_GRU, r, has);
}

static void rnn(void)
{
    every_operand(LM_OP_RNN, 0x38);
}

/* Functions differ between the directions; a bound cuts what goes into them. */
static void functions(void)
{
    lm_attr_recurrent r = {.way = LM_BOTH,
                           .clip = 0.4f,
                           .act = {LM_OP_HARDSIGMOID, LM_OP_TANH, LM_OP_IDENTITY, LM_OP_SIGMOID, LM_OP_LEAKYRELU,
                                   LM_OP_TANH},
                           .alpha = {0.3f, 1.5f, 0.5f, 0, 0.1f, 1}, .beta = {0.4f, 0.7f, 0.25f, 0, 0, 1}};
    compare(LM_OP_LSTM, r, 0xf8);
    compare(LM_OP_GRU, r, 0x38);
    r.act[0] = r.act[3] = LM_OP_LEAKYRELU;
    compare(LM_OP_RNN, r, 0x38);
}

static void no_steps(void)
{
    lm_view x[] = {empty(LM_F32, LM_SHAPE(0, N, I)), random_view(1, LM_SHAPE(1, H, I)),
                   random_view(2, LM_SHAPE(1, H, H)), lm_view_absent(), lm_view_absent(),
                   random_view(3, LM_SHAPE(1, N, H))};
    lm_attrs a = {0};
    a.recurrent = usual;
    if (!run(LM_OP_RNN, &a, 6, x, 2))
        return;
    CHECK_INT(lm_shape_count(&result[0][0].sh), 0);
    for (int i = 0; i < N * H; i++)
        expect(1, i, at(&x[5], i));
}

static void refusals(void)
{
    lm_view x[] = {random_view(0, LM_SHAPE(T, N, I)), random_view(1, LM_SHAPE(1, 4 * H, I)),
                   random_view(2, LM_SHAPE(1, 4 * H, H)), random_view(3, LM_SHAPE(1, 4 * H))}, y[3];
    lm_attrs a = {0};
    a.recurrent = usual;
    CHECK_FAILS(lm_exec_once(&chains[0], LM_OP_LSTM, &a, 4, x, 1, y), LM_INPUT);
    CHECK(strstr(lm_message(), "LSTM") && strstr(lm_message(), "[1,24]"));
    CHECK_FAILS(lm_exec_once(&chains[0], LM_OP_GRU, &a, 3, x, 1, y), LM_INPUT);
    a.recurrent.act[1] = LM_OP_ADD;
    CHECK_FAILS(lm_exec_once(&chains[0], LM_OP_LSTM, &a, 3, x, 1, y), LM_INPUT);
    CHECK(strstr(lm_message(), "no activation"));
}

/* Nodes that a walk from y back to x emits for an LSTM of `steps` steps. */
static int emitted(const lm_ruleset *set, int64_t steps, bool lengths)
{
    const lm_shape shapes[] = {LM_SHAPE(steps, N, I), LM_SHAPE(1, 4 * H, I), LM_SHAPE(1, 4 * H, H), LM_SHAPE(1, 8 * H),
                               LM_SHAPE(N)};
    lm_emit e = {0};
    lm_val x[5], y, signal = LM_NOVAL;
    lm_attrs a = {0};
    a.recurrent = usual;
    CHECK_OK(lm_graph_new(&e.g));
    for (int i = 0; i < 4 + lengths; i++) {
        const lm_type type = {i == 4 ? LM_I32 : LM_F32, shapes[i]};
        CHECK_OK(lm_graph_input(e.g, NULL, &type, &x[i]));
    }
    lm_emit_op(&e, LM_OP_LSTM, &a, 4 + lengths, x, 1, &y);
    const lm_backward b = {.set = set, .ntarget = 1, .target = &y, .nwrt = 1, .wrt = x, .signal = &signal};
    CHECK_OK(lm_backward_emit(&e, &b));
    const int nodes = (int)e.g->nodes.count;
    lm_graph_free(e.g);
    return nodes;
}

/* However many steps there are, unless a set has a rule for what is inside, or samples end early. */
static void one_piece(void)
{
    CHECK_INT(emitted(&lm_set_grad, 40, false), emitted(&lm_set_grad, 4, false));
    CHECK_INT(emitted(&lm_set_guided, 40, false), emitted(&lm_set_grad, 4, false));
    CHECK(emitted(&lm_set_grad, 40, true) > 40);
    CHECK(emitted(&lm_set_attn_lrp, 2, false) > emitted(&lm_set_grad, 2, false));
}

int main(void)
{
    static const expand_case cases[] = {
        {"lstm", lstm},           {"gru", gru},           {"rnn", rnn},
        {"functions", functions}, {"no_steps", no_steps}, {"refusals", refusals},
        {"one_piece", one_piece},
    };
    return expand_main(cases, LM_COUNT(cases));
}
