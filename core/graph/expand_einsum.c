/* Einsum as diagonals, sums, and one product per operand. Terms are values whose axes carry labels; operands are
 * folded from left to right, and a label is summed away as soon as no later operand and not the result has it. Axes
 * of size 1 are dropped from every term: that is broadcasting, and the last reshape puts back those that the result
 * has. */
#include "core/graph/expand.h"

#include "core/ops/einsum.h"

typedef uint64_t labels; /* a set: bit l is label l */
_Static_assert(LM_EINSUM_LABELS <= 64, "a set of labels is one word");

typedef struct term {
    lm_val v;
    int n;
    int label[LM_RANK];
} term;

static labels label_bit(int label)
{
    return UINT64_C(1) << label;
}

static labels term_set(const term *t)
{
    labels set = 0;
    for (int i = 0; i < t->n; i++)
        set |= label_bit(t->label[i]);
    return set;
}

/* Bring the labels of `t` into the given order, which holds each of them once. */
static void reorder(lm_emit *e, term *t, const int *order)
{
    int32_t perm[LM_RANK] = {0};
    for (int i = 0; i < t->n; i++)
        for (int k = 0; k < t->n; k++)
            if (t->label[k] == order[i])
                perm[i] = k;
    t->v = lm_emit_transpose(e, t->v, perm);
    for (int i = 0; i < t->n; i++)
        t->label[i] = order[i];
}

static lm_shape term_shape(const lm_einsum *q, const term *t)
{
    lm_shape s = {.rank = t->n};
    for (int i = 0; i < t->n; i++)
        s.dim[i] = q->size[t->label[i]];
    return s;
}

/* Axes i < k of a term have one label of size n: move them to the end, join them to n*n, and take every (n+1)-th. */
static void take_diagonal(lm_emit *e, const lm_einsum *q, term *t, int i, int k)
{
    int32_t perm[LM_RANK];
    int at = 0, label = t->label[i];
    int64_t n = q->size[label];
    for (int j = 0; j < t->n; j++)
        if (j != i && j != k) {
            t->label[at] = t->label[j];
            perm[at++] = j;
        }
    perm[at] = i;
    perm[at + 1] = k;
    lm_val turned = lm_emit_transpose(e, t->v, perm);
    t->n = at;
    lm_shape joined = term_shape(q, t);
    joined.rank = at + 1;
    joined.dim[at] = n * n;
    lm_attrs slice = {0};
    for (int j = 0; j < at; j++) {
        slice.slice.step[j] = 1;
        slice.slice.size[j] = joined.dim[j];
    }
    slice.slice.step[at] = n + 1;
    slice.slice.size[at] = n;
    t->v = lm_emit1(e, LM_OP_SLICE, &slice, lm_emit_reshape(e, turned, &joined));
    t->label[t->n++] = label;
}

static void diagonals(lm_emit *e, const lm_einsum *q, term *t)
{
    for (int i = 0; i < t->n; i++)
        for (int k = i + 1; k < t->n; k++)
            if (t->label[i] == t->label[k]) {
                take_diagonal(e, q, t, i, k);
                i = -1; /* the axes have moved: look again */
                break;
            }
}

/* Sum a term over the labels that nobody else wants. */
static void sum_out(lm_emit *e, term *t, labels wanted)
{
    uint32_t axes = 0;
    int kept = 0;
    for (int i = 0; i < t->n; i++) {
        if (wanted & label_bit(t->label[i]))
            t->label[kept++] = t->label[i];
        else
            axes |= 1u << i;
    }
    t->n = kept;
    if (axes)
        t->v = lm_emit_reduce(e, LM_OP_REDUCE_SUM, t->v, axes, false);
}

/* Operand i as a term: axes of size 1 gone, repeated labels merged. */
static term operand(lm_emit *e, const lm_einsum *q, int i, lm_val v)
{
    const lm_shape shape = *lm_emit_shape(e, v);
    lm_shape squeezed = {0};
    term t = {.v = v};
    for (int k = 0; k < q->rank[i]; k++)
        if (shape.dim[k] != 1) {
            squeezed.dim[squeezed.rank++] = shape.dim[k];
            t.label[t.n++] = q->label[i][k];
        }
    t.v = lm_emit_reshape(e, v, &squeezed);
    diagonals(e, q, &t);
    return t;
}

/* Labels that play one part in a product, and the product of their sizes. */
typedef struct group {
    int n;
    int label[LM_RANK];
    int64_t size;
} group;

/* The labels of `t` that are in `set`, in t's order. */
static group pick(const lm_einsum *q, const term *t, labels set)
{
    group g = {.size = 1};
    for (int i = 0; i < t->n; i++)
        if (set & label_bit(t->label[i])) {
            g.label[g.n++] = t->label[i];
            g.size *= q->size[t->label[i]];
        }
    return g;
}

static int join(int *order, const group *a, const group *b, const group *c)
{
    const group *parts[] = {a, b, c};
    int n = 0;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < parts[i]->n; k++)
            order[n++] = parts[i]->label[k];
    return n;
}

static bool in_order(const term *t, const int *order)
{
    for (int i = 0; i < t->n; i++)
        if (t->label[i] != order[i])
            return false;
    return true;
}

/* One side of a product as a matrix or a stack of them, [batch, row, column]; *turned says that the memory already is
 * [batch, column, row] and was left so. */
static lm_val matrix(lm_emit *e, term *t, const group *batch, const group *row, const group *column, bool *turned)
{
    int straight[3 * LM_RANK], swapped[3 * LM_RANK];
    join(straight, batch, row, column);
    join(swapped, batch, column, row);
    *turned = !in_order(t, straight) && in_order(t, swapped);
    if (!*turned)
        reorder(e, t, straight);
    int64_t rows = *turned ? column->size : row->size, columns = *turned ? row->size : column->size;
    lm_shape shape = batch->n ? LM_SHAPE(batch->size, rows, columns) : LM_SHAPE(rows, columns);
    return lm_emit_reshape(e, t->v, &shape);
}

/* a * b, summed over the labels of both that nobody wants; the result's labels are those shared, a's own, b's own. */
static term multiply(lm_emit *e, const lm_einsum *q, term *a, term *b, labels wanted)
{
    labels both = term_set(a) & term_set(b);
    group batch = pick(q, a, both & wanted), sum = pick(q, a, both & ~wanted);
    group left = pick(q, a, ~both), right = pick(q, b, ~both);
    int order[3 * LM_RANK], n = join(order, &batch, &left, &right);
    term t = {.n = n};
    if (n > LM_RANK) {
        lm_emit_fail(e, LM_UNSUPPORTED, "Einsum: a product of two operands has %d axes; at most %d are possible", n,
                     LM_RANK);
        return (term){0};
    }
    for (int i = 0; i < n; i++)
        t.label[i] = order[i];
    lm_attrs product = {0};
    lm_val x = matrix(e, a, &batch, &left, &sum, &product.matmul.ta);
    lm_val y = matrix(e, b, &batch, &sum, &right, &product.matmul.tb);
    lm_shape shape = term_shape(q, &t);
    t.v = sum.n ? lm_emit1(e, LM_OP_MATMUL, &product, x, y) : lm_emit1(e, LM_OP_MUL, NULL, x, y);
    t.v = lm_emit_reshape(e, t.v, &shape);
    return t;
}

/* Contract all terms into one with the labels of the result. */
static term contract(lm_emit *e, const lm_einsum *q, term *terms, labels out)
{
    term t = terms[0];
    for (int i = 0; i < q->operands; i++) {
        labels later = out;
        for (int k = i + 1; k < q->operands; k++)
            later |= term_set(&terms[k]);
        if (i == 0) {
            sum_out(e, &t, later);
            continue;
        }
        sum_out(e, &terms[i], later | term_set(&t));
        t = multiply(e, q, &t, &terms[i], later);
    }
    return t;
}

void lm_expand_einsum(lm_emit *e, const lm_composite *c)
{
    lm_shape shapes[LM_EINSUM_OPERANDS];
    lm_einsum q;
    for (int i = 0; i < c->nx && i < LM_EINSUM_OPERANDS; i++)
        shapes[i] = *lm_emit_shape(e, c->x[i]);
    lm_status status = lm_einsum_parse(c->a->einsum.equation, c->nx, shapes, &q);
    if (status != LM_OK) {
        e->status = status;
        return;
    }
    term terms[LM_EINSUM_OPERANDS];
    labels out = 0;
    for (int i = 0; i < q.out_rank; i++)
        out |= label_bit(q.out[i]);
    for (int i = 0; i < c->nx; i++)
        terms[i] = operand(e, &q, i, c->x[i]);
    term t = contract(e, &q, terms, out);
    lm_shape result = {.rank = q.out_rank};
    int order[LM_RANK], n = 0;
    for (int i = 0; i < q.out_rank; i++) {
        result.dim[i] = q.size[q.out[i]];
        if (term_set(&t) & label_bit(q.out[i]))
            order[n++] = q.out[i];
    }
    reorder(e, &t, order);
    c->y[0] = lm_emit_reshape(e, t.v, &result);
}
