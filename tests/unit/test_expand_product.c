/* Expansions of Gemm, Einsum and attention against loops. */
#include "tests/unit/expand.h"

static void gemm(void)
{
    enum { M = 3, N = 5, K = 7 };
    const lm_shape adds[] = {LM_SHAPE(N), LM_SHAPE(1, N), LM_SHAPE(M, 1), LM_SHAPE(M, N), {0}};
    for (int way = 0; way < 80; way++) {
        bool ta = way & 1, tb = way & 2;
        int add = way / 4 % 5;
        float alpha = way / 20 & 1 ? 0.5f : 1, beta = way / 20 & 2 ? -2.0f : 1;
        drop_all();
        lm_view x[] = {random_view(21, ta ? LM_SHAPE(K, M) : LM_SHAPE(M, K)),
                       random_view(22, tb ? LM_SHAPE(N, K) : LM_SHAPE(K, N)), random_view(23, adds[add])};
        lm_attrs a = {0};
        a.gemm.ta = ta;
        a.gemm.tb = tb;
        a.gemm.alpha = alpha;
        a.gemm.beta = beta;
        int nx = way % 7 == 6 ? 2 : 3;
        bool good = run(LM_OP_GEMM, &a, nx, x, 1);
        for (int i = 0; good && i < M * N; i++) {
            int r = i / N, c = i % N;
            double sum = 0, more[] = {at(&x[2], add < 2 ? c : 0), 0, 0};
            more[1] = add == 2 ? at(&x[2], r) : add == 3 ? at(&x[2], i) : more[0];
            for (int k = 0; k < K; k++)
                sum += at(&x[0], ta ? k * M + r : r * K + k) * at(&x[1], tb ? c * K + k : k * N + c);
            expect(0, i, (double)alpha * sum + (nx > 2 ? (double)beta * more[1] : 0));
        }
    }
}

/* An equation, the sizes of its operands, and how to say it with one letter per axis and an arrow, for the loops
 * below. */
typedef struct equation {
    const char *text, *plain;
    lm_shape x[4];
} equation;

/* Add up all products of all combinations of letters. A size of 1 stretches. */
static void einsum_loops(const char *plain, const lm_view *x, double *y, int64_t sizes[128], char out[LM_RANK + 1])
{
    char letters[32] = "", term[4][LM_RANK + 1] = {{0}};
    int operands = 0, n = 0;
    const char *arrow = strstr(plain, "->");
    for (const char *c = plain; c < arrow; c++) {
        if (*c == ',') {
            operands++;
            continue;
        }
        int64_t size = x[operands].sh.dim[strlen(term[operands])];
        term[operands][strlen(term[operands])] = *c;
        if (!strchr(letters, *c)) {
            letters[n++] = *c;
            sizes[(int)*c] = size;
        } else if (sizes[(int)*c] == 1) {
            sizes[(int)*c] = size;
        }
    }
    strcpy(out, arrow + 2);
    int64_t all = 1, index[128] = {0};
    for (int i = 0; i < n; i++)
        all *= sizes[(int)letters[i]];
    for (int64_t round = 0; round < all; round++) {
        int64_t rest = round, to = 0;
        double product = 1;
        for (int i = 0; i < n; i++) {
            index[(int)letters[i]] = rest % sizes[(int)letters[i]];
            rest /= sizes[(int)letters[i]];
        }
        for (int o = 0; o <= operands; o++) {
            int64_t from = 0;
            for (int k = 0; term[o][k]; k++) {
                int64_t size = x[o].sh.dim[k];
                from = from * size + (size == 1 ? 0 : index[(int)term[o][k]]);
            }
            product *= at(&x[o], from);
        }
        for (const char *c = out; *c; c++)
            to = to * sizes[(int)*c] + index[(int)*c];
        y[to] += product;
    }
}

static void einsum(void)
{
    const equation table[] = {
        {"ij,jk->ik", "ij,jk->ik", {LM_SHAPE(3, 4), LM_SHAPE(4, 5)}},
        {"ij,jk", "ij,jk->ik", {LM_SHAPE(3, 4), LM_SHAPE(4, 5)}},
        {"ba", "ba->ab", {LM_SHAPE(3, 4)}},
        {" i j , j k -> k i ", "ij,jk->ki", {LM_SHAPE(3, 4), LM_SHAPE(4, 5)}},
        {"ij->ji", "ij->ji", {LM_SHAPE(3, 4)}},
        {"ij->j", "ij->j", {LM_SHAPE(3, 4)}},
        {"ij->", "ij->", {LM_SHAPE(3, 4)}},
        {"ii->i", "ii->i", {LM_SHAPE(5, 5)}},
        {"ii", "ii->", {LM_SHAPE(5, 5)}},
        {"iij->ij", "iij->ij", {LM_SHAPE(3, 3, 4)}},
        {"iji->j", "iji->j", {LM_SHAPE(3, 4, 3)}},
        {"iii->i", "iii->i", {LM_SHAPE(3, 3, 3)}},
        {"iijj->ji", "iijj->ji", {LM_SHAPE(3, 3, 2, 2)}},
        {"ii,ij->j", "ii,ij->j", {LM_SHAPE(3, 3), LM_SHAPE(3, 4)}},
        {"i,i->", "i,i->", {LM_SHAPE(7), LM_SHAPE(7)}},
        {"i,j->ji", "i,j->ji", {LM_SHAPE(3), LM_SHAPE(4)}},
        {"ij,ij->ij", "ij,ij->ij", {LM_SHAPE(3, 4), LM_SHAPE(3, 4)}},
        {"ij,ji->i", "ij,ji->i", {LM_SHAPE(3, 4), LM_SHAPE(4, 3)}},
        {"bij,bjk->bik", "bij,bjk->bik", {LM_SHAPE(2, 3, 4), LM_SHAPE(2, 4, 5)}},
        {"bhqd,bhkd->bhqk", "bhqd,bhkd->bhqk", {LM_SHAPE(2, 3, 4, 5), LM_SHAPE(2, 3, 6, 5)}},
        {"bqhd,bkhd->bhqk", "bqhd,bkhd->bhqk", {LM_SHAPE(2, 4, 3, 5), LM_SHAPE(2, 6, 3, 5)}},
        {"ijkl,klmn->ijmn", "ijkl,klmn->ijmn", {LM_SHAPE(2, 3, 2, 4), LM_SHAPE(2, 4, 3, 2)}},
        {"ij,jk,kl->il", "ij,jk,kl->il", {LM_SHAPE(2, 3), LM_SHAPE(3, 4), LM_SHAPE(4, 5)}},
        {"ab,b,bc,cd->ad", "ab,b,bc,cd->ad", {LM_SHAPE(2, 3), LM_SHAPE(3), LM_SHAPE(3, 4), LM_SHAPE(4, 2)}},
        {"a,b,c->cab", "a,b,c->cab", {LM_SHAPE(2), LM_SHAPE(3), LM_SHAPE(4)}},
        {"aZ,Zb", "aZ,Zb->ab", {LM_SHAPE(2, 3), LM_SHAPE(3, 4)}},
        {"...ij,...jk->...ik", "abij,abjk->abik", {LM_SHAPE(2, 3, 4, 5), LM_SHAPE(2, 3, 5, 2)}},
        {"...ij,...jk->...ik", "abij,abjk->abik", {LM_SHAPE(2, 1, 4, 5), LM_SHAPE(1, 3, 5, 2)}},
        {"...ij,...jk->...ik", "abij,bjk->abik", {LM_SHAPE(2, 3, 4, 5), LM_SHAPE(3, 5, 2)}},
        {"...ij,jk", "abij,jk->abik", {LM_SHAPE(2, 3, 4, 5), LM_SHAPE(5, 2)}},
        {"i...->...i", "iab->abi", {LM_SHAPE(2, 3, 4)}},
        {"...i,...i->...", "abi,abi->ab", {LM_SHAPE(2, 3, 4), LM_SHAPE(2, 3, 4)}},
        {"i...i->...", "iabi->ab", {LM_SHAPE(3, 2, 4, 3)}},
        {"...,...->...", ",->", {{0}, {0}}},
        {"...ii->...i", "ii->i", {LM_SHAPE(4, 4)}},
        {"ij,jk->ik", "ij,jk->ik", {LM_SHAPE(1, 4), LM_SHAPE(4, 1)}},
        {"ij,jk->ik", "ij,jk->ik", {LM_SHAPE(3, 1), LM_SHAPE(1, 5)}},
        {"ij,jk->ik", "ij,jk->ik", {LM_SHAPE(3, 0), LM_SHAPE(0, 5)}},
        {"ij,jk->ik", "ij,jk->ik", {LM_SHAPE(0, 3), LM_SHAPE(3, 5)}},
    };
    for (size_t t = 0; t < LM_COUNT(table); t++) {
        drop_all();
        lm_view x[4];
        int nx = 0;
        for (const char *c = table[t].text; nx == 0 || c; c = strchr(c + 1, ',')) {
            x[nx] = random_view(30 + nx, table[t].x[nx]);
            nx++;
            if (*c != ',' && !strchr(c, ','))
                break;
        }
        lm_attrs a = {0};
        strcpy(a.einsum.equation, table[t].text);
        if (!run(LM_OP_EINSUM, &a, nx, x, 1)) {
            printf("%s\n", table[t].text);
            continue;
        }
        double want[4096] = {0};
        int64_t sizes[128] = {0}, count = 1;
        char out[LM_RANK + 1];
        int before = test_errors;
        einsum_loops(table[t].plain, x, want, sizes, out);
        CHECK_INT(result[0][0].sh.rank, strlen(out));
        for (int i = 0; out[i]; i++) {
            CHECK_INT(result[0][0].sh.dim[i], sizes[(int)out[i]]);
            count *= sizes[(int)out[i]];
        }
        for (int64_t i = 0; i < count && test_errors == before; i++)
            expect(0, i, want[i]);
        if (test_errors > before)
            printf("%s (row %d)\n", table[t].text, (int)t);
    }
}

static void einsum_copies_nothing_it_need_not(void)
{
    lm_emit e = {0};
    CHECK_OK(lm_graph_new(&e.g));
    lm_type q = {LM_F32, LM_SHAPE(2, 3, 4, 5)}, k = {LM_F32, LM_SHAPE(2, 3, 6, 5)};
    lm_val x[2], y;
    CHECK_OK(lm_graph_input(e.g, "q", &q, &x[0]));
    CHECK_OK(lm_graph_input(e.g, "k", &k, &x[1]));
    lm_attrs a = {0};
    strcpy(a.einsum.equation, "bhqd,bhkd->bhqk");
    lm_composite c = {.op = LM_OP_EINSUM, .a = &a, .nx = 2, .ny = 1, .x = x, .y = &y};
    CHECK_OK(lm_expand(&e, &c));
    for (size_t i = 0; i < e.g->nodes.count; i++)
        CHECK(e.g->nodes.at[i]->op == LM_OP_RESHAPE || e.g->nodes.at[i]->op == LM_OP_MATMUL);
    lm_graph_free(e.g);
}

/* A dense layer's weights must reach the product as they are, or a device could not prepare them once. */
static void einsum_keeps_constants(void)
{
    lm_view x[] = {random_view(1, LM_SHAPE(2, 3, 4)), random_view(2, LM_SHAPE(4, 5))}, y;
    lm_emit e = {0};
    CHECK_OK(lm_graph_new(&e.g));
    lm_type type = {LM_F32, x[0].sh};
    lm_val v[2], out;
    CHECK_OK(lm_graph_input(e.g, "x", &type, &v[0]));
    CHECK_OK(lm_graph_constant(e.g, "w", &x[1], &v[1]));
    lm_attrs a = {0};
    strcpy(a.einsum.equation, "bsd,de->bse");
    lm_composite c = {.op = LM_OP_EINSUM, .a = &a, .nx = 2, .ny = 1, .x = v, .y = &out};
    CHECK_OK(lm_expand(&e, &c));
    const lm_use *use = lm_graph_value(e.g, v[1])->use;
    CHECK(use && use->node->op == LM_OP_MATMUL && use->input == 1 && !use->next);
    lm_graph_free(e.g);
    if (CHECK_OK(lm_exec_once(&chains[0], LM_OP_EINSUM, &a, 2, x, 1, &y)))
        lm_buffer_unref(y.buf);
}

static void einsum_of_too_many_axes(void)
{
    lm_view x[] = {random_view(1, LM_SHAPE(2, 2, 2, 2, 2)), random_view(2, LM_SHAPE(2, 2, 2, 2, 2)),
                   random_view(3, LM_SHAPE(2, 2, 2, 2, 2, 2, 2, 2))};
    lm_view y;
    lm_attrs a = {0};
    strcpy(a.einsum.equation, "abcde,fghij,abcdefgh->ij");
    CHECK_FAILS(lm_exec_once(&chains[0], LM_OP_EINSUM, &a, 3, x, 1, &y), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "Einsum") && strstr(lm_message(), "10 axes"));
}

/* What query i of head h sees of key j, before softmax. */
typedef struct heads {
    int n, heads, shared, length, keys, width, value;
    double scale, cap;
    bool causal;
    const lm_view *mask;
} heads;

static void attention_loops(const heads *t, const lm_view *x, double *y)
{
    for (int b = 0; b < t->n * t->heads; b++)
        for (int i = 0; i < t->length; i++) {
            int group = b / t->heads * t->shared + b % t->heads / (t->heads / t->shared);
            double score[16], most = -INFINITY, sum = 0;
            for (int j = 0; j < t->keys; j++) {
                score[j] = 0;
                for (int d = 0; d < t->width; d++)
                    score[j] += at(&x[0], (b * t->length + i) * t->width + d) *
                                at(&x[1], (group * t->keys + j) * t->width + d);
                score[j] *= t->scale;
                if (t->cap > 0)
                    score[j] = t->cap * tanh(score[j] / t->cap);
                if (t->causal && j > i)
                    score[j] = -INFINITY;
                if (t->mask)
                    score[j] += at(t->mask, i * t->keys + j);
                most = fmax(most, score[j]);
            }
            for (int j = 0; j < t->keys; j++)
                sum += exp(score[j] - most);
            for (int v = 0; v < t->value; v++) {
                double total = 0;
                for (int j = 0; j < t->keys; j++)
                    total += exp(score[j] - most) / sum * at(&x[2], (group * t->keys + j) * t->value + v);
                y[(b * t->length + i) * t->value + v] = most == -INFINITY ? 0 : total;
            }
        }
}

static void attention(void)
{
    for (int way = 0; way < 48; way++) {
        drop_all();
        heads t = {.n = 2, .heads = 4, .shared = 4 >> way / 16, .length = 5, .keys = 7, .width = 3, .value = 6};
        lm_attrs a = {0};
        lm_view x[] = {random_view(40, LM_SHAPE(t.n, t.heads, t.length, t.width)),
                       random_view(41, LM_SHAPE(t.n, t.shared, t.keys, t.width)),
                       random_view(42, LM_SHAPE(t.n, t.shared, t.keys, t.value)),
                       random_view(43, LM_SHAPE(t.length, t.keys))};
        for (int j = 0; j < t.keys; j++) /* query 2 sees nothing, query 3 all but key 0 */
            lm_view_set(&x[3], 2 * t.keys + j, -INFINITY);
        lm_view_set(&x[3], 3 * t.keys, -INFINITY);
        a.attention.causal = t.causal = way & 1;
        t.mask = way & 2 ? &x[3] : NULL;
        t.scale = way & 4 ? 2 : 1 / sqrt(3);
        a.attention.scale = way & 4 ? 2 : 0;
        t.cap = a.attention.softcap = way & 8 ? 0.75f : 0;
        if (!run(LM_OP_ATTENTION, &a, t.mask ? 4 : 3, x, 1))
            return;
        double want[2 * 4 * 5 * 6];
        attention_loops(&t, x, want);
        for (int i = 0; i < 2 * 4 * 5 * 6; i++)
            expect(0, i, want[i]);
    }
}

int main(void)
{
    static const expand_case cases[] = {
        {"gemm", gemm},
        {"einsum", einsum},
        {"einsum_copies_nothing_it_need_not", einsum_copies_nothing_it_need_not},
        {"einsum_keeps_constants", einsum_keeps_constants},
        {"einsum_of_too_many_axes", einsum_of_too_many_axes},
        {"attention", attention},
    };
    return expand_main(cases, LM_COUNT(cases));
}
