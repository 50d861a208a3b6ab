/* Importers of support vector machines: kernels between rows and support vectors, weighted sums of them, and for
 * classifiers votes or probabilities of pairs of classes. */
#include <string.h>

#include "core/model/import_classes.h"

enum { CLASSES_MAX = 32, ROUNDS = 100 };

typedef struct svm {
    int64_t features, vectors;
    lm_val vector; /* [vectors,features] */
} svm;

static lm_val table(lm_import *im, const float *list, int64_t rows, int64_t columns)
{
    const lm_shape shape = LM_SHAPE(rows, columns);
    lm_view t;
    if (!lm_import_table(im, LM_F32, &shape, &t))
        return LM_NOVAL;
    memcpy(lm_view_data(&t), list, (size_t)(rows * columns) * sizeof *list);
    return lm_constant(im, t);
}

/* K(x, v) of all rows and vectors: [rows,vectors]. kernel_params: gamma, coef0, degree. */
static lm_val kernels(lm_import *im, const svm *s)
{
    static const char *const words[] = {"LINEAR", "POLY", "RBF", "SIGMOID", NULL};
    lm_emit *e = &im->e;
    int kind = lm_attr_choice(im, "kernel_type", 0, words), n;
    const float *given = lm_attr_float_list(im, "kernel_params", &n);
    const double gamma = n > 0 ? (double)given[0] : 0, bias = n > 1 ? (double)given[1] : 0,
                 degree = n > 2 ? (double)given[2] : 0;
    lm_attrs a = {0};
    a.matmul.tb = true;
    lm_val x = lm_emit_cast(e, lm_in(im, 0), LM_F32), dot = lm_emit1(e, LM_OP_MATMUL, &a, x, s->vector);
    if (kind == 0 || e->status != LM_OK)
        return dot;
    if (kind == 2) { /* |x - v|^2 = |x|^2 - 2 xv + |v|^2 */
        lm_val xx = lm_emit_reduce(e, LM_OP_REDUCE_SUMSQ, x, 1u << 1, true);
        lm_val vv = lm_emit_reduce(e, LM_OP_REDUCE_SUMSQ, s->vector, 1u << 1, false);
        lm_val apart =
            lm_emit1(e, LM_OP_SUB, NULL, lm_emit1(e, LM_OP_ADD, NULL, xx, vv), lm_emit_scalar(e, LM_OP_MUL, dot, 2));
        return lm_emit1(e, LM_OP_EXP, NULL,
                        lm_emit_scalar(e, LM_OP_MUL, lm_emit_scalar(e, LM_OP_MAX, apart, 0), -gamma));
    }
    lm_val y = lm_emit_scalar(e, LM_OP_ADD, lm_emit_scalar(e, LM_OP_MUL, dot, gamma), bias);
    return kind == 1 ? lm_emit_scalar(e, LM_OP_POW, y, degree) : lm_emit1(e, LM_OP_TANH, NULL, y);
}

/* The vectors: attribute `name`, as many rows as there are features allow. */
static bool read_vectors(lm_import *im, const char *name, svm *s)
{
    int n;
    const float *list = lm_attr_float_list(im, name, &n);
    if (!lm_import_ranked(im, 0, 2, 2))
        return false;
    s->features = lm_in_shape(im, 0)->dim[1];
    if (n < 1 || s->features < 1 || n % s->features) {
        lm_import_fail(im, LM_INPUT, "%s holds %d numbers for %lld features", name, n, (long long)s->features);
        return false;
    }
    s->vectors = n / s->features;
    s->vector = table(im, list, s->vectors, s->features);
    return im->e.status == LM_OK;
}

static const float *floats(lm_import *im, const char *name, int64_t count)
{
    int n;
    const float *list = lm_attr_float_list(im, name, &n);
    if (im->e.status == LM_OK && n != count)
        lm_import_fail(im, LM_INPUT, "%s holds %d numbers; expected %lld", name, n, (long long)count);
    return list;
}

void lm_import_svmregressor(lm_import *im)
{
    lm_emit *e = &im->e;
    svm s;
    bool linear = lm_attr_int(im, "n_supports", 0) == 0;
    lm_after after = lm_import_after(im);
    const float *rho = floats(im, "rho", 1);
    if (!rho || !read_vectors(im, linear ? "coefficients" : "support_vectors", &s))
        return;
    lm_val y = kernels(im, &s);
    if (!linear) {
        const float *w = floats(im, "coefficients", s.vectors);
        y = w && e->status == LM_OK ? lm_emit1(e, LM_OP_MATMUL, NULL, y, table(im, w, s.vectors, 1)) : LM_NOVAL;
    }
    y = lm_emit_scalar(e, LM_OP_ADD, y, (double)rho[0]);
    if (lm_attr_int(im, "one_class", 0))
        y = lm_emit1(e, LM_OP_SIGN, NULL, y);
    im->y[0] = lm_after_scores(im, y, after);
}

/* The weights of every vector in the decision between two classes, [vectors,pairs]: a vector of class i counts with the
 * coefficients that it has against class j. */
static lm_val pair_weights(lm_import *im, const svm *s, const int64_t *count, int classes)
{
    int pairs = classes * (classes - 1) / 2, pair = 0;
    const float *w = floats(im, "coefficients", (classes - 1) * s->vectors);
    const lm_shape shape = LM_SHAPE(s->vectors, pairs);
    int64_t start[CLASSES_MAX + 1] = {0};
    lm_view t;
    for (int c = 0; c < classes && im->e.status == LM_OK; c++) {
        if (count[c] < 0 || count[c] > s->vectors - start[c])
            lm_import_fail(im, LM_INPUT, "vectors_per_class holds %lld", (long long)count[c]);
        else
            start[c + 1] = start[c] + count[c];
    }
    if (!w || !lm_import_table(im, LM_F32, &shape, &t))
        return LM_NOVAL;
    float *at = lm_view_data(&t);
    memset(at, 0, (size_t)(s->vectors * pairs) * sizeof *at);
    for (int i = 0; i < classes; i++)
        for (int j = i + 1; j < classes; j++, pair++) {
            for (int64_t v = start[i]; v < start[i + 1]; v++)
                at[v * pairs + pair] = w[(j - 1) * s->vectors + v];
            for (int64_t v = start[j]; v < start[j + 1]; v++)
                at[v * pairs + pair] = w[i * s->vectors + v];
        }
    return lm_constant(im, t);
}

/* How the classes of a pair get its number: [pairs,classes] with `first` for class i and `second` for j. */
static lm_val pair_table(lm_import *im, int classes, float first, float second)
{
    const lm_shape shape = LM_SHAPE(classes * (classes - 1) / 2, classes);
    lm_view t;
    if (!lm_import_table(im, LM_F32, &shape, &t))
        return LM_NOVAL;
    float *at = lm_view_data(&t);
    memset(at, 0, (size_t)lm_shape_count(&shape) * sizeof *at);
    for (int i = 0, pair = 0; i < classes; i++)
        for (int j = i + 1; j < classes; j++, pair++) {
            at[pair * classes + i] = first;
            at[pair * classes + j] = second;
        }
    return lm_constant(im, t);
}

/* r [rows,pairs]: the probability of class i against j. */
static void pair_matrix(lm_import *im, lm_val r, int classes, lm_val against[CLASSES_MAX][CLASSES_MAX])
{
    lm_emit *e = &im->e;
    for (int i = 0, pair = 0; i < classes; i++)
        for (int j = i + 1; j < classes && e->status == LM_OK; j++, pair++) {
            against[i][j] = lm_emit_slice(e, r, 1, pair, 1);
            against[j][i] = lm_emit1(e, LM_OP_SUB, NULL, lm_emit_const(e, LM_F32, 1), against[i][j]);
        }
}

/* Row t of Q: what class t's equation has of all classes, [rows,classes]. */
static lm_val equation(lm_import *im, int classes, lm_val against[CLASSES_MAX][CLASSES_MAX], int t)
{
    lm_emit *e = &im->e;
    lm_val row[CLASSES_MAX], own = LM_NOVAL;
    for (int j = 0; j < classes && e->status == LM_OK; j++) {
        if (j == t)
            continue;
        lm_val square = lm_emit1(e, LM_OP_MUL, NULL, against[j][t], against[j][t]);
        own = own == LM_NOVAL ? square : lm_emit1(e, LM_OP_ADD, NULL, own, square);
        row[j] = lm_emit1(e, LM_OP_NEG, NULL, lm_emit1(e, LM_OP_MUL, NULL, against[j][t], against[t][j]));
    }
    row[t] = own;
    return e->status == LM_OK ? lm_emit_concat(e, classes, row, 1) : LM_NOVAL;
}

/* The probabilities that fit those of all pairs best in the sense of Wu, Lin and Weng: one class after the other is set
 * right and the rest scaled, until every equation holds to 0.005 / classes or for ROUNDS rounds, as LIBSVM does it. */
static lm_val couple(lm_import *im, lm_val r, int classes)
{
    lm_emit *e = &im->e;
    lm_val against[CLASSES_MAX][CLASSES_MAX], q[CLASSES_MAX];
    pair_matrix(im, r, classes, against);
    for (int t = 0; t < classes; t++)
        q[t] = equation(im, classes, against, t);
    if (e->status != LM_OK)
        return LM_NOVAL;
    const lm_shape all = LM_SHAPE(lm_emit_shape(e, r)->dim[0], classes);
    lm_val p = lm_emit_full(e, LM_F32, &all, 1.0 / classes);
    for (int round = 0; round < ROUNDS && e->status == LM_OK; round++) {
        lm_val qp[CLASSES_MAX], now = p;
        for (int t = 0; t < classes; t++)
            qp[t] = lm_emit_reduce(e, LM_OP_REDUCE_SUM, lm_emit1(e, LM_OP_MUL, NULL, q[t], p), 1u << 1, true);
        lm_val each = lm_emit_concat(e, classes, qp, 1);
        lm_val pqp = lm_emit_reduce(e, LM_OP_REDUCE_SUM, lm_emit1(e, LM_OP_MUL, NULL, p, each), 1u << 1, true);
        lm_val off = lm_emit1(e, LM_OP_ABS, NULL, lm_emit1(e, LM_OP_SUB, NULL, each, pqp));
        off = lm_emit_reduce(e, LM_OP_REDUCE_MAX, off, 1u << 1, true);
        lm_val active = lm_emit_scalar(e, LM_OP_GREATEREQ, off, 0.005 / classes);
        for (int t = 0; t < classes && e->status == LM_OK; t++) {
            lm_val own = lm_emit_slice(e, q[t], 1, t, 1), mine = lm_emit_slice(e, each, 1, t, 1);
            lm_val step = lm_emit1(e, LM_OP_DIV, NULL, lm_emit1(e, LM_OP_SUB, NULL, pqp, mine), own);
            lm_val scale = lm_emit_scalar(e, LM_OP_ADD, step, 1);
            lm_val more = lm_emit1(e, LM_OP_ADD, NULL, lm_emit1(e, LM_OP_MUL, NULL, step, own),
                                   lm_emit_scalar(e, LM_OP_MUL, mine, 2));
            pqp = lm_emit1(e, LM_OP_ADD, NULL, pqp, lm_emit1(e, LM_OP_MUL, NULL, step, more));
            pqp = lm_emit1(e, LM_OP_DIV, NULL, lm_emit1(e, LM_OP_DIV, NULL, pqp, scale), scale);
            each = lm_emit1(e, LM_OP_ADD, NULL, each, lm_emit1(e, LM_OP_MUL, NULL, step, q[t]));
            each = lm_emit1(e, LM_OP_DIV, NULL, each, scale);
            lm_attrs at = {0};
            at.pad.lo[1] = t;
            at.pad.hi[1] = classes - 1 - t;
            now = lm_emit1(e, LM_OP_ADD, NULL, now, lm_emit1(e, LM_OP_PAD, &at, step));
            now = lm_emit1(e, LM_OP_DIV, NULL, now, scale);
        }
        p = lm_emit1(e, LM_OP_WHERE, NULL, active, now, p);
    }
    return p;
}

/* decision [rows,pairs]; prob_a and prob_b make probabilities of it. */
static lm_val probabilities(lm_import *im, lm_val decision, int classes, const float *a, const float *b)
{
    lm_emit *e = &im->e;
    int pairs = classes * (classes - 1) / 2;
    lm_attrs bounds = {0};
    bounds.act.a = 1e-7f;
    bounds.act.b = 1 - 1e-7f;
    lm_val slope = lm_emit1(e, LM_OP_MUL, NULL, decision, table(im, a, 1, pairs));
    lm_val odds = lm_emit1(e, LM_OP_NEG, NULL, lm_emit1(e, LM_OP_ADD, NULL, slope, table(im, b, 1, pairs)));
    return couple(im, lm_emit1(e, LM_OP_CLIP, &bounds, lm_emit1(e, LM_OP_SIGMOID, NULL, odds)), classes);
}

void lm_import_svmclassifier(lm_import *im)
{
    lm_emit *e = &im->e;
    svm s;
    int n;
    const int64_t *count = lm_attr_int_list(im, "vectors_per_class", &n);
    int classes = lm_label_count(im), pairs = classes * (classes - 1) / 2;
    lm_after after = lm_import_after(im);
    if (!read_vectors(im, n > 0 ? "support_vectors" : "coefficients", &s))
        return;
    if (n <= 0) { /* one linear score per class */
        const float *rho = floats(im, "rho", 1);
        lm_val y = kernels(im, &s);
        lm_classify(im, rho ? lm_emit_scalar(e, LM_OP_ADD, y, (double)rho[0]) : y, after);
        return;
    }
    if (classes < 2 || classes > CLASSES_MAX || n != classes) {
        lm_import_fail(im, classes > CLASSES_MAX ? LM_UNSUPPORTED : LM_INPUT,
                       "%d classes (at most %d are possible), vectors of %d", classes, CLASSES_MAX, n);
        return;
    }
    const float *rho = floats(im, "rho", pairs);
    lm_val y = lm_emit1(e, LM_OP_MATMUL, NULL, kernels(im, &s), pair_weights(im, &s, count, classes));
    if (!rho || e->status != LM_OK)
        return;
    y = lm_emit1(e, LM_OP_ADD, NULL, y, table(im, rho, 1, pairs));
    /* the class with the most votes; a decision above zero is one for the first of its pair */
    lm_val won = lm_emit_cast(e, lm_emit_scalar(e, LM_OP_GREATER, y, 0), LM_F32);
    lm_val lost = lm_emit1(e, LM_OP_SUB, NULL, lm_emit_const(e, LM_F32, 1), won);
    lm_val votes = lm_emit1(e, LM_OP_ADD, NULL, lm_emit1(e, LM_OP_MATMUL, NULL, won, pair_table(im, classes, 1, 0)),
                            lm_emit1(e, LM_OP_MATMUL, NULL, lost, pair_table(im, classes, 0, 1)));
    const onnx_attr *estimates = lm_attr(im, "prob_a");
    if (estimates && estimates->n_floats) {
        const float *a = floats(im, "prob_a", pairs), *b = floats(im, "prob_b", pairs);
        y = a && b ? probabilities(im, y, classes, a, b) : LM_NOVAL;
    } else if (classes == 2) {
        lm_val both[2] = {lm_emit1(e, LM_OP_NEG, NULL, y), y};
        y = lm_emit_concat(e, 2, both, 1);
    }
    lm_classify(im, votes, LM_AFTER_NONE);
    if (im->ny > 1)
        im->y[1] = lm_after_scores(im, y, after);
}
