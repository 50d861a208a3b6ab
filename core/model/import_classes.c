/* Labels and scores of classifiers, and the linear models. */
#include "core/model/import_classes.h"

#include <string.h>

#include "core/base/str.h"
#include "core/model/onnx_tensor.h"

lm_after lm_import_after(lm_import *im)
{
    static const char *const words[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT", NULL};
    lm_after after = (lm_after)lm_attr_choice(im, "post_transform", LM_AFTER_NONE, words);
    if (after == LM_AFTER_PROBIT)
        lm_import_fail(im, LM_UNSUPPORTED, "post_transform = 'PROBIT' has no kernel");
    return after;
}

lm_val lm_after_scores(lm_import *im, lm_val scores, lm_after after)
{
    lm_emit *e = &im->e;
    if (e->status != LM_OK || after == LM_AFTER_NONE)
        return scores;
    if (after == LM_AFTER_LOGISTIC)
        return lm_emit1(e, LM_OP_SIGMOID, NULL, scores);
    if (after == LM_AFTER_SOFTMAX)
        return lm_emit_axis(e, LM_OP_SOFTMAX, scores, 1);
    /* a softmax over the scores that are not 0; the others stay 0 */
    lm_dtype dt = lm_emit_type(e, scores)->dt;
    lm_val empty = lm_emit_scalar(e, LM_OP_EQUAL, scores, 0);
    lm_val low = lm_emit1(e, LM_OP_WHERE, NULL, empty, lm_emit_const(e, dt, -1e30), scores);
    return lm_emit1(e, LM_OP_WHERE, NULL, empty, lm_emit_const(e, dt, 0), lm_emit_axis(e, LM_OP_SOFTMAX, low, 1));
}

/* The list of labels, whatever version and type it has; NULL when there is none. */
static const onnx_attr *labels(lm_import *im)
{
    static const char *const names[] = {"classlabels_int64s", "classlabels_ints", "classlabels_strings"};
    for (size_t i = 0; i < LM_COUNT(names); i++) {
        const onnx_attr *a = lm_attr(im, names[i]);
        if (a && (a->n_ints || a->n_strings))
            return a;
    }
    return NULL;
}

int lm_label_count(lm_import *im)
{
    const onnx_attr *a = labels(im);
    return a ? (int)(a->n_ints ? a->n_ints : a->n_strings) : 0;
}

/* Say what the numbers mean that stand for texts. */
static void tell_numbers(lm_import *im, const onnx_bytes *text, size_t n)
{
    enum { SHOWN = 16 };
    lm_str list = {0};
    for (size_t i = 0; i < n && i < SHOWN; i++)
        lm_str_printf(&list, "%s%zu '%.40s'", i ? ", " : "", i, text[i].text);
    lm_import_note(im, LM_LOG_WARN, "%s '%s' answers with the number of a class: %s%s", im->node->op_type,
                   im->node->name, lm_str_text(&list), n > SHOWN ? " ..." : "");
    lm_str_free(&list);
}

lm_val lm_label_of(lm_import *im, lm_val at)
{
    const onnx_attr *a = labels(im);
    lm_attrs first = {0};
    if (!a || im->e.status != LM_OK)
        return at;
    if (a->n_ints)
        return lm_emit1(&im->e, LM_OP_GATHER, &first, lm_constant_ints(im, a->ints, (int)a->n_ints), at);
    tell_numbers(im, a->strings, a->n_strings);
    return at;
}

lm_val lm_numbers_of(lm_import *im, const onnx_tensor *texts)
{
    onnx_bytes *text;
    size_t n = 0;
    lm_view numbers;
    if (im->e.status == LM_OK)
        im->e.status = onnx_tensor_strings(texts, &im->e.g->arena, &text, &n);
    const lm_shape list = LM_SHAPE((int64_t)n);
    if (!lm_import_table(im, LM_I64, &list, &numbers))
        return LM_NOVAL;
    for (size_t i = 0; i < n; i++)
        lm_view_set(&numbers, (int64_t)i, (double)i);
    tell_numbers(im, text, n);
    return lm_constant(im, numbers);
}

void lm_classify(lm_import *im, lm_val scores, lm_after after)
{
    lm_emit *e = &im->e;
    if (e->status != LM_OK)
        return;
    im->y[0] = lm_label_of(im, lm_emit_axis(e, LM_OP_ARGMAX, scores, 1));
    if (im->ny > 1)
        im->y[1] = lm_after_scores(im, scores, after);
}

void lm_classify_two(lm_import *im, lm_val score, double border, bool share, lm_after after)
{
    lm_emit *e = &im->e;
    if (e->status != LM_OK)
        return;
    const lm_shape rows = LM_SHAPE(lm_emit_shape(e, score)->dim[0]);
    lm_val above = lm_emit_cast(e, lm_emit_scalar(e, LM_OP_GREATER, score, border), LM_I64);
    im->y[0] = lm_label_of(im, lm_import_reshaped(im, above, rows));
    lm_val both[2] = {lm_emit1(e, LM_OP_NEG, NULL, score), score};
    if (share && after != LM_AFTER_LOGISTIC)
        both[0] = lm_emit_scalar(e, LM_OP_ADD, both[0], 1);
    lm_val y = lm_emit_concat(e, 2, both, 1);
    if (im->ny > 1)
        im->y[1] = after == LM_AFTER_LOGISTIC ? lm_emit1(e, LM_OP_SIGMOID, NULL, y) : y;
}

/* x times the rows of an attribute, plus another: [rows,n]. `n` 0: as many as the intercepts or coefficients make. */
static lm_val linear(lm_import *im, const char *add, int64_t n)
{
    lm_emit *e = &im->e;
    int nw, nb;
    const float *w = lm_attr_float_list(im, "coefficients", &nw), *b = lm_attr_float_list(im, add, &nb);
    if (!lm_import_ranked(im, 0, 1, 2))
        return LM_NOVAL;
    const lm_shape *s = lm_in_shape(im, 0);
    int64_t features = s->dim[s->rank - 1], rows = s->rank == 2 ? s->dim[0] : 1;
    n = n > 0 ? n : nb > 0 ? nb : features > 0 ? nw / features : 0;
    if (nw <= 0 || n < 1 || nw != n * features || (nb > 0 && nb != n)) {
        lm_import_fail(im, LM_INPUT, "%d coefficients and %d %s for %lld features", nw, nb, add, (long long)features);
        return LM_NOVAL;
    }
    const lm_shape shape = LM_SHAPE(n, features), vector = LM_SHAPE(n);
    lm_attrs a = {0};
    a.matmul.tb = true;
    lm_view t;
    if (!lm_import_table(im, LM_F32, &shape, &t))
        return LM_NOVAL;
    memcpy(lm_view_data(&t), w, (size_t)nw * sizeof *w);
    lm_val x = LM_IMPORT_RESHAPE(im, lm_emit_cast(e, lm_in(im, 0), LM_F32), rows, features);
    lm_val y = lm_emit1(e, LM_OP_MATMUL, &a, x, lm_constant(im, t));
    if (nb <= 0 || !lm_import_table(im, LM_F32, &vector, &t))
        return y;
    memcpy(lm_view_data(&t), b, (size_t)nb * sizeof *b);
    return lm_emit1(e, LM_OP_ADD, NULL, y, lm_constant(im, t));
}

void lm_import_linearregressor(lm_import *im)
{
    lm_after after = lm_import_after(im);
    im->y[0] = lm_after_scores(im, linear(im, "intercepts", lm_attr_int(im, "targets", 1)), after);
}

void lm_import_linearclassifier(lm_import *im)
{
    lm_after after = lm_import_after(im);
    lm_val scores = linear(im, "intercepts", 0);
    if (im->e.status == LM_OK && lm_emit_shape(&im->e, scores)->dim[1] == 1)
        lm_classify_two(im, scores, 0, true, after);
    else
        lm_classify(im, scores, after);
}
