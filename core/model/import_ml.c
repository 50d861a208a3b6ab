/* Importers of the ai.onnx.ml operators that work on plain tensors. */
#include "core/model/import_forest.h"

#include <math.h>
#include <string.h>

#include "core/model/builder.h"
#include "core/model/import_classes.h"

/* Columns of x by number; a vector counts as one row. Where x is a list of texts, their numbers are chosen from. */
void lm_import_arrayfeatureextractor(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_attrs a = {0};
    const onnx_tensor *texts = im->nx > 1 ? lm_build_texts(im->builder, im->node->inputs[0]) : NULL;
    lm_val x = texts ? lm_numbers_of(im, texts) : lm_in(im, 0);
    if (!texts && !lm_import_ranked(im, 0, 1, LM_RANK))
        return;
    if (lm_in(im, 1) == LM_NOVAL)
        lm_import_fail(im, LM_INPUT, "input 1 is missing");
    if (e->status != LM_OK)
        return;
    lm_shape list = LM_SHAPE(lm_shape_count(lm_in_shape(im, 1)));
    if (lm_emit_shape(e, x)->rank == 1)
        x = lm_emit_unsqueeze(e, x, 0);
    if (e->status != LM_OK)
        return;
    a.index.axis = lm_emit_shape(e, x)->rank - 1;
    im->y[0] = lm_emit1(e, LM_OP_GATHER, &a, x, lm_emit_reshape(e, lm_in(im, 1), &list));
}

void lm_import_binarizer(lm_import *im)
{
    lm_emit *e = &im->e;
    double threshold = lm_attr_float(im, "threshold", 0);
    if (!lm_import_needs(im, 1))
        return;
    lm_val above = lm_emit_scalar(e, LM_OP_GREATER, lm_in(im, 0), threshold);
    im->y[0] = lm_emit_cast(e, above, lm_in_type(im, 0)->dt);
}

/* How a node decides, by lm_forest_mode. */
static const lm_opid compare[LM_FOREST_MODES] = {LM_OP_LESSEQ, LM_OP_LESS,  LM_OP_GREATEREQ, LM_OP_GREATER,
                                       LM_OP_EQUAL,  LM_OP_EQUAL, LM_OP_EQUAL};

static const int64_t *numbers(lm_import *im, const char *name, int count)
{
    int n;
    const int64_t *list = lm_attr_int_list(im, name, &n);
    if (im->e.status == LM_OK && n != count)
        lm_import_fail(im, LM_INPUT, "%s has %d numbers; expected %d", name, n, count);
    return list;
}

static const lm_view *tensor(lm_import *im, const char *name, int64_t count)
{
    lm_val v = lm_attr_tensor(im, name);
    if (im->e.status != LM_OK)
        return NULL;
    const lm_view *content = v == LM_NOVAL ? NULL : lm_graph_value(im->e.g, v)->constant;
    if (!content || (count >= 0 && lm_shape_count(&content->sh) != count))
        lm_import_fail(im, LM_INPUT, "%s is missing or has not %lld elements", name, (long long)count);
    return content;
}

static void check_range(lm_import *im, const char *name, int64_t value, int64_t size)
{
    if (value < 0 || value >= size)
        lm_import_fail(im, LM_INPUT, "%s holds %lld; expected 0 to %lld", name, (long long)value, (long long)size - 1);
}

static bool read_forest(lm_import *im, lm_forest *f)
{
    const onnx_attr *nodes = lm_attr(im, "nodes_featureids"), *leaves = lm_attr(im, "leaf_targetids");
    const onnx_attr *roots = lm_attr(im, "tree_roots");
    *f = (lm_forest){.features = lm_in_shape(im, 0)->dim[1], .targets = lm_attr_int(im, "n_targets", 1)};
    if (!nodes || !leaves || !roots || nodes->n_ints > 1 << 24 || leaves->n_ints > 1 << 24 || roots->n_ints > 1 << 24) {
        lm_import_fail(im, LM_INPUT, "nodes, leaves or roots are missing, or more than 2^24");
        return false;
    }
    f->nodes = (int)nodes->n_ints;
    f->leaves = (int)leaves->n_ints;
    f->roots = (int)roots->n_ints;
    f->feature = numbers(im, "nodes_featureids", f->nodes);
    f->yes = numbers(im, "nodes_truenodeids", f->nodes);
    f->no = numbers(im, "nodes_falsenodeids", f->nodes);
    f->yes_leaf = numbers(im, "nodes_trueleafs", f->nodes);
    f->no_leaf = numbers(im, "nodes_falseleafs", f->nodes);
    f->nan_yes = lm_attr(im, "nodes_missing_value_tracks_true")
                     ? numbers(im, "nodes_missing_value_tracks_true", f->nodes) : NULL;
    f->target = numbers(im, "leaf_targetids", f->leaves);
    f->root = numbers(im, "tree_roots", f->roots);
    f->mode = tensor(im, "nodes_modes", f->nodes);
    f->split = tensor(im, "nodes_splits", f->nodes);
    f->weight = tensor(im, "leaf_weights", f->leaves);
    f->members = lm_attr(im, "membership_values") ? tensor(im, "membership_values", -1) : NULL;
    if (f->targets < 1 || f->nodes < 1 || f->leaves < 1 || f->roots < 1)
        lm_import_fail(im, LM_INPUT, "a forest without nodes, leaves, roots or targets");
    for (int i = 0; i < f->nodes && im->e.status == LM_OK; i++) {
        check_range(im, "nodes_featureids", f->feature[i], f->features);
        check_range(im, "nodes_truenodeids", f->yes[i], f->yes_leaf[i] ? f->leaves : f->nodes);
        check_range(im, "nodes_falsenodeids", f->no[i], f->no_leaf[i] ? f->leaves : f->nodes);
        check_range(im, "nodes_modes", lm_view_get_i64(f->mode, i), LM_FOREST_MODES);
        if (im->e.status == LM_OK)
            f->modes |= 1u << lm_view_get_i64(f->mode, i);
    }
    for (int i = 0; i < f->leaves && im->e.status == LM_OK; i++)
        check_range(im, "leaf_targetids", f->target[i], f->targets);
    for (int i = 0; i < f->roots && im->e.status == LM_OK; i++)
        check_range(im, "tree_roots", f->root[i], f->nodes);
    return im->e.status == LM_OK;
}

enum { DEPTH_MAX = 1 << 12 };

/* Level by level from the roots. A forest of n nodes has at most n levels unless it runs in a circle. */
static bool measure_depth(lm_import *im, lm_forest *f)
{
    int *now = lm_arena_alloc(&im->e.g->arena, (size_t)f->nodes, sizeof *now), count = 0;
    int *next = lm_arena_alloc(&im->e.g->arena, (size_t)f->nodes, sizeof *next);
    int *seen = lm_arena_alloc(&im->e.g->arena, (size_t)f->nodes, sizeof *seen);
    if (!now || !next || !seen) {
        lm_import_fail(im, LM_MEMORY, "no room for %d nodes", f->nodes);
        return false;
    }
    memset(seen, 0, (size_t)f->nodes * sizeof *seen);
    for (int i = 0; i < f->roots; i++)
        if (!seen[f->root[i]]++)
            now[count++] = (int)f->root[i];
    for (f->depth = 0; count; f->depth++) {
        int more = 0;
        if (f->depth >= f->nodes || f->depth >= DEPTH_MAX) {
            lm_import_fail(im, f->depth >= f->nodes ? LM_INPUT : LM_UNSUPPORTED,
                           "the trees run in a circle or are more than %d decisions deep", DEPTH_MAX);
            return false;
        }
        for (int i = 0; i < count; i++) {
            const struct { int64_t to, leaf; } ways[] = {{f->yes[now[i]], f->yes_leaf[now[i]]},
                                                         {f->no[now[i]], f->no_leaf[now[i]]}};
            for (int w = 0; w < 2; w++)
                if (!ways[w].leaf && seen[ways[w].to] != f->depth + 2) {
                    seen[ways[w].to] = f->depth + 2;
                    next[more++] = (int)ways[w].to;
                }
        }
        int *old = now;
        now = next;
        next = old;
        count = more;
    }
    return true;
}

/* A table with one entry per place (or `wide` of them), filled by the caller through lm_view_set. */
static bool table_new(lm_import *im, lm_dtype dt, int64_t places, int64_t wide, lm_view *out)
{
    lm_shape shape = LM_SHAPE(places, wide);
    shape.rank = wide > 1 ? 2 : 1;
    shape.dim[1] = wide > 1 ? wide : 0;
    lm_status status = im->e.status == LM_OK ? lm_view_new(dt, &shape, out) : im->e.status;
    if (status != LM_OK)
        lm_import_fail(im, status, "%s", lm_message());
    return status == LM_OK;
}

/* Where a place leads when its test holds, or fails. */
static lm_val table_next(lm_import *im, const lm_forest *f, const int64_t *to, const int64_t *leaf)
{
    lm_view t;
    if (!table_new(im, LM_I64, f->nodes + f->leaves, 1, &t))
        return LM_NOVAL;
    for (int i = 0; i < f->nodes + f->leaves; i++)
        lm_view_set(&t, i, i < f->nodes ? (double)(leaf[i] ? f->nodes + to[i] : to[i]) : i);
    return lm_constant(im, t);
}

/* Numbers of the inner nodes; leaves have 0. Tables by node, from numbers or from a tensor. */
static lm_val table_of(lm_import *im, const lm_forest *f, lm_dtype dt, const int64_t *list, const lm_view *values)
{
    lm_view t;
    if (!table_new(im, dt, f->nodes + f->leaves, 1, &t))
        return LM_NOVAL;
    for (int i = 0; i < f->nodes + f->leaves; i++)
        lm_view_set(&t, i, i >= f->nodes ? 0 : list ? (double)list[i] : lm_view_get(values, i));
    return lm_constant(im, t);
}

/* The sets of the nodes that decide by membership, NaN behind each in the file's list: a row per place, the rest
 * of it NaN, which equals nothing. */
static lm_val table_members(lm_import *im, const lm_forest *f, lm_dtype dt)
{
    int64_t n = f->members ? lm_shape_count(&f->members->sh) : 0, run = 0, wide = 1, at = 0;
    lm_view t;
    for (int64_t i = 0; i < n; i++) {
        run = isnan(lm_view_get(f->members, i)) ? 0 : run + 1;
        wide = run > wide ? run : wide;
    }
    if (!table_new(im, dt, f->nodes + f->leaves, wide, &t))
        return LM_NOVAL;
    for (int64_t i = 0; i < (f->nodes + f->leaves) * wide; i++)
        lm_view_set(&t, i, NAN);
    for (int i = 0; i < f->nodes; i++) {
        if (lm_view_get_i64(f->mode, i) != LM_FOREST_MEMBER)
            continue;
        for (int64_t k = 0; at < n && !isnan(lm_view_get(f->members, at)); k++)
            lm_view_set(&t, i * wide + k, lm_view_get(f->members, at++));
        at++; /* the NaN */
    }
    lm_val v = lm_constant(im, t);
    lm_shape rows = LM_SHAPE(f->nodes + f->leaves, wide);
    return im->e.status == LM_OK ? lm_emit_reshape(&im->e, v, &rows) : LM_NOVAL;
}

typedef struct tables {
    lm_val feature, split, mode, yes, no, nan_yes, members;
} tables;

/* Does the test of each place hold? `at`: places, `value`: what their features are, both [rows,roots]. */
static lm_val decide(lm_import *im, const lm_forest *f, const tables *t, lm_val at, lm_val value)
{
    lm_emit *e = &im->e;
    lm_attrs first = {0};
    lm_val split = lm_emit1(e, LM_OP_GATHER, &first, t->split, at), mode = LM_NOVAL, holds = LM_NOVAL;
    if (f->modes & (f->modes - 1))
        mode = lm_emit1(e, LM_OP_GATHER, &first, t->mode, at);
    for (int m = 0; m < LM_FOREST_MODES; m++) {
        lm_val now;
        if (!(f->modes >> m & 1))
            continue;
        if (m == LM_FOREST_MEMBER) {
            lm_val set = lm_emit1(e, LM_OP_GATHER, &first, t->members, at);
            lm_val same = lm_emit1(e, LM_OP_EQUAL, NULL, set, lm_emit_unsqueeze(e, value, 2));
            now = lm_emit_cast(e, lm_emit_reduce(e, LM_OP_REDUCE_MAX, lm_emit_cast(e, same, LM_I32), 1u << 2, false),
                               LM_BOOL);
        } else {
            now = lm_emit1(e, compare[m], NULL, value, split);
        }
        if (m == LM_FOREST_NEQ)
            now = lm_emit1(e, LM_OP_NOT, NULL, now);
        holds = holds == LM_NOVAL ? now
                                  : lm_emit1(e, LM_OP_WHERE, NULL, lm_emit_scalar(e, LM_OP_EQUAL, mode, m), now, holds);
    }
    if (t->nan_yes == LM_NOVAL)
        return holds;
    lm_val lost = lm_emit1(e, LM_OP_AND, NULL, lm_emit1(e, LM_OP_ISNAN, NULL, value),
                           lm_emit_cast(e, lm_emit1(e, LM_OP_GATHER, &first, t->nan_yes, at), LM_BOOL));
    return lm_emit1(e, LM_OP_OR, NULL, holds, lost);
}

/* Every row walks down all trees at once, one decision per step; leaves stay where they are. */
lm_val lm_forest_walk(lm_import *im, lm_forest *f, lm_val x)
{
    lm_emit *e = &im->e;
    if (e->status != LM_OK || !measure_depth(im, f))
        return LM_NOVAL;
    lm_dtype dt = lm_emit_type(e, x)->dt;
    lm_attrs first = {0}, columns = {0};
    columns.index.axis = 1;
    const lm_shape start = LM_SHAPE(lm_in_shape(im, 0)->dim[0], f->roots);
    tables t = {.feature = table_of(im, f, LM_I64, f->feature, NULL), .split = table_of(im, f, dt, NULL, f->split),
                .mode = table_of(im, f, LM_I64, NULL, f->mode), .yes = table_next(im, f, f->yes, f->yes_leaf),
                .no = table_next(im, f, f->no, f->no_leaf)};
    t.nan_yes = f->nan_yes ? table_of(im, f, LM_I64, f->nan_yes, NULL) : LM_NOVAL;
    t.members = f->modes >> LM_FOREST_MEMBER & 1 ? table_members(im, f, dt) : LM_NOVAL;
    lm_val at = lm_emit_expand(e, lm_constant_ints(im, f->root, f->roots), &start);
    for (int i = 0; i < f->depth && e->status == LM_OK; i++) {
        lm_val feature = lm_emit1(e, LM_OP_GATHER, &first, t.feature, at);
        lm_val value = lm_emit1(e, LM_OP_GATHERELEMENTS, &columns, x, feature);
        lm_val holds = decide(im, f, &t, at, value);
        at = lm_emit1(e, LM_OP_WHERE, NULL, holds, lm_emit1(e, LM_OP_GATHER, &first, t.yes, at),
                      lm_emit1(e, LM_OP_GATHER, &first, t.no, at));
    }
    return lm_emit_scalar(e, LM_OP_SUB, at, f->nodes);
}

enum { AVERAGE, SUM, LEAST, MOST, AGGREGATES };

/* One number per target from the leaves [rows,roots] that were reached. A target without a leaf is 0. */
static lm_val aggregate(lm_import *im, const lm_forest *f, lm_dtype dt, lm_val leaf, int64_t how)
{
    static const lm_scatter_mode modes[] = {LM_SCATTER_ADD, LM_SCATTER_ADD, LM_SCATTER_MIN, LM_SCATTER_MAX};
    lm_emit *e = &im->e;
    lm_attrs first = {0}, put = {0};
    lm_view target, weight;
    if (!table_new(im, LM_I64, f->leaves, 1, &target))
        return LM_NOVAL;
    for (int i = 0; i < f->leaves; i++)
        lm_view_set(&target, i, (double)f->target[i]);
    lm_val targets = lm_constant(im, target);
    if (!table_new(im, dt, f->leaves, 1, &weight))
        return LM_NOVAL;
    for (int i = 0; i < f->leaves; i++)
        lm_view_set(&weight, i, lm_view_get(f->weight, i));
    lm_val weights = lm_constant(im, weight);
    const lm_shape shape = LM_SHAPE(lm_in_shape(im, 0)->dim[0], f->targets);
    double none = how == LEAST ? INFINITY : how == MOST ? -INFINITY : 0;
    put.index.axis = 1;
    put.index.mode = modes[how];
    lm_val y = lm_emit1(e, LM_OP_SCATTERELEMENTS, &put, lm_emit_full(e, dt, &shape, none),
                        lm_emit1(e, LM_OP_GATHER, &first, targets, leaf),
                        lm_emit1(e, LM_OP_GATHER, &first, weights, leaf));
    if (how == AVERAGE)
        return lm_emit_scalar(e, LM_OP_DIV, y, f->roots);
    if (how == SUM)
        return y;
    return lm_emit1(e, LM_OP_WHERE, NULL, lm_emit_scalar(e, LM_OP_EQUAL, y, none), lm_emit_const(e, dt, 0), y);
}

enum { PLAIN, SOFTMAX, LOGISTIC, SOFTMAX_ZERO, TRANSFORMS };

/* Softmax over the targets, of those that are not 0 in the case of SOFTMAX_ZERO. */
static lm_val transform(lm_import *im, lm_dtype dt, lm_val y, int64_t how)
{
    lm_emit *e = &im->e;
    if (how == LOGISTIC)
        return lm_emit1(e, LM_OP_SIGMOID, NULL, y);
    if (how == SOFTMAX)
        return lm_emit_axis(e, LM_OP_SOFTMAX, y, 1);
    if (how != SOFTMAX_ZERO)
        return y;
    lm_val zero = lm_emit_const(e, dt, 0), empty = lm_emit_scalar(e, LM_OP_EQUAL, y, 0);
    lm_val low = lm_emit1(e, LM_OP_WHERE, NULL, empty, lm_emit_const(e, dt, -1e30), y);
    return lm_emit1(e, LM_OP_WHERE, NULL, empty, zero, lm_emit_axis(e, LM_OP_SOFTMAX, low, 1));
}

void lm_import_treeensemble(lm_import *im)
{
    lm_forest f;
    int64_t how = lm_attr_int(im, "aggregate_function", SUM), after = lm_attr_int(im, "post_transform", PLAIN);
    if (!lm_import_ranked(im, 0, 2, 2) || !read_forest(im, &f))
        return;
    if (how < 0 || how >= AGGREGATES || after < 0 || after >= TRANSFORMS) {
        lm_import_fail(im, LM_UNSUPPORTED, "aggregate_function = %lld, post_transform = %lld", (long long)how,
                       (long long)after);
        return;
    }
    lm_dtype dt = lm_in_type(im, 0)->dt;
    im->y[0] = transform(im, dt, aggregate(im, &f, dt, lm_forest_walk(im, &f, lm_in(im, 0)), how), after);
}
