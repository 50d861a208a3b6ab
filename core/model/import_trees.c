/* Importers of TreeEnsembleClassifier and TreeEnsembleRegressor: trees by number of tree and node, any number of
 * weights per leaf. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/import_classes.h"
#include "core/model/import_forest.h"

/* The attributes as they stand: one entry per node, and one per weight. */
typedef struct listed {
    int nodes, weights;
    const int64_t *tree, *id, *feature, *yes, *no, *nan_yes;
    const onnx_attr *mode;
    lm_val split, weight; /* constants */
    const int64_t *weight_tree, *weight_node, *weight_target;
} listed;

/* An attribute of float numbers, in either of its two forms. */
static lm_val numbers(lm_import *im, const char *name, int count)
{
    char as_tensor[64];
    snprintf(as_tensor, sizeof as_tensor, "%s_as_tensor", name);
    lm_val v = lm_attr(im, as_tensor) ? lm_attr_tensor(im, as_tensor) : LM_NOVAL;
    int n = 0;
    const float *list = v == LM_NOVAL ? lm_attr_float_list(im, name, &n) : NULL;
    const lm_shape shape = LM_SHAPE(n < 0 ? 0 : n);
    lm_view t;
    if (v == LM_NOVAL && lm_import_table(im, LM_F32, &shape, &t)) {
        if (n > 0)
            memcpy(lm_view_data(&t), list, (size_t)n * sizeof *list);
        v = lm_constant(im, t);
    }
    if (im->e.status == LM_OK && count >= 0 && lm_shape_count(lm_emit_shape(&im->e, v)) != count)
        lm_import_fail(im, LM_INPUT, "%s has %lld numbers; expected %d", name,
                       (long long)lm_shape_count(lm_emit_shape(&im->e, v)), count);
    return im->e.status == LM_OK ? v : LM_NOVAL;
}

static const int64_t *whole(lm_import *im, const char *name, int count)
{
    int n;
    const int64_t *list = lm_attr_int_list(im, name, &n);
    if (im->e.status == LM_OK && n != count)
        lm_import_fail(im, LM_INPUT, "%s has %d numbers; expected %d", name, n, count);
    return list;
}

/* `kind`: the word in the names of the attributes on weights, "class" or "target". */
static bool read_listed(lm_import *im, const char *kind, listed *l)
{
    char name[4][32];
    static const char *const parts[] = {"treeids", "nodeids", "ids", "weights"};
    for (int i = 0; i < 4; i++)
        snprintf(name[i], sizeof name[i], "%s_%s", kind, parts[i]);
    const onnx_attr *ids = lm_attr(im, "nodes_nodeids"), *weights = lm_attr(im, name[2]);
    l->mode = lm_attr(im, "nodes_modes");
    if (!ids || !weights || !l->mode || ids->n_ints < 1 || ids->n_ints > 1 << 24 || weights->n_ints > 1 << 24 ||
        l->mode->n_strings != ids->n_ints) {
        lm_import_fail(im, LM_INPUT, "nodes, modes or weights are missing, or more than 2^24");
        return false;
    }
    l->nodes = (int)ids->n_ints;
    l->weights = (int)weights->n_ints;
    l->id = ids->ints;
    l->weight_target = weights->ints;
    l->tree = whole(im, "nodes_treeids", l->nodes);
    l->feature = whole(im, "nodes_featureids", l->nodes);
    l->yes = whole(im, "nodes_truenodeids", l->nodes);
    l->no = whole(im, "nodes_falsenodeids", l->nodes);
    const onnx_attr *nan = lm_attr(im, "nodes_missing_value_tracks_true");
    l->nan_yes = nan && nan->n_ints ? whole(im, "nodes_missing_value_tracks_true", l->nodes) : NULL;
    l->weight_tree = whole(im, name[0], l->weights);
    l->weight_node = whole(im, name[1], l->weights);
    l->split = numbers(im, "nodes_values", l->nodes);
    l->weight = numbers(im, name[3], l->weights);
    return im->e.status == LM_OK;
}

/* Where the nodes of all trees stand, sorted by tree and number. */
typedef struct place {
    int64_t tree, id;
    int at;
} place;

static int by_id(const void *pa, const void *pb)
{
    const place *a = pa, *b = pb;
    int order = (a->tree > b->tree) - (a->tree < b->tree);
    return order ? order : (a->id > b->id) - (a->id < b->id);
}

/* The position of a node among all nodes; -1, with a failure, when there is none. */
static int find(lm_import *im, const place *sorted, int n, int64_t tree, int64_t id)
{
    const place key = {.tree = tree, .id = id};
    const place *found = bsearch(&key, sorted, (size_t)n, sizeof key, by_id);
    if (!found)
        lm_import_fail(im, LM_INPUT, "tree %lld has no node %lld", (long long)tree, (long long)id);
    return found ? found->at : -1;
}

/* What the forest is made of; all arrays lie in the graph's arena. */
typedef struct made {
    lm_forest f;
    int64_t *feature, *yes, *no, *yes_leaf, *no_leaf, *root, *nan_yes;
    int *rank; /* of a node of the file among the inner nodes or the leaves */
    bool *leaf, *child;
    lm_view mode, split;
} made;

static bool make_room(lm_import *im, int n, made *m)
{
    int64_t **arrays[] = {&m->feature, &m->yes, &m->no, &m->yes_leaf, &m->no_leaf, &m->root, &m->nan_yes};
    lm_arena *arena = &im->e.g->arena;
    bool room = true;
    for (size_t i = 0; i < LM_COUNT(arrays); i++) /* one dummy more, where a root is a leaf */
        room &= (*arrays[i] = lm_arena_alloc(arena, 2 * (size_t)n, sizeof(int64_t))) != NULL;
    room &= (m->rank = lm_arena_alloc(arena, (size_t)n, sizeof *m->rank)) != NULL;
    room &= (m->leaf = lm_arena_alloc(arena, (size_t)n, sizeof *m->leaf)) != NULL;
    room &= (m->child = lm_arena_alloc(arena, (size_t)n, sizeof *m->child)) != NULL;
    if (!room)
        lm_import_fail(im, LM_MEMORY, "no room for %d nodes", n);
    else
        memset(m->child, 0, (size_t)n * sizeof *m->child);
    return room;
}

/* Which nodes are leaves, how each of the others decides, and their numbers. */
static void rank_nodes(lm_import *im, const listed *l, made *m, int64_t *mode)
{
    static const char *const words[] = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE", "BRANCH_GT",
                                        "BRANCH_EQ",  "BRANCH_NEQ", "LEAF"};
    for (int i = 0; i < l->nodes; i++) {
        size_t w = 0;
        while (w < LM_COUNT(words) && strcmp(words[w], l->mode->strings[i].text))
            w++;
        if (w == LM_COUNT(words))
            lm_import_fail(im, LM_UNSUPPORTED, "nodes_modes holds '%s'", l->mode->strings[i].text);
        m->leaf[i] = w == LM_COUNT(words) - 1;
        mode[i] = (int64_t)w;
        m->rank[i] = m->leaf[i] ? m->f.leaves++ : m->f.nodes++;
    }
}

static void link_nodes(lm_import *im, const listed *l, made *m, const place *sorted)
{
    for (int i = 0; i < l->nodes && im->e.status == LM_OK; i++) {
        if (m->leaf[i])
            continue;
        int at = m->rank[i], yes = find(im, sorted, l->nodes, l->tree[i], l->yes[i]);
        int no = find(im, sorted, l->nodes, l->tree[i], l->no[i]);
        if (im->e.status == LM_OK && (l->feature[i] < 0 || l->feature[i] >= m->f.features))
            lm_import_fail(im, LM_INPUT, "nodes_featureids holds %lld of %lld", (long long)l->feature[i],
                           (long long)m->f.features);
        if (im->e.status != LM_OK)
            return;
        m->child[yes] = m->child[no] = true;
        m->feature[at] = l->feature[i];
        m->yes[at] = m->rank[yes];
        m->no[at] = m->rank[no];
        m->yes_leaf[at] = m->leaf[yes];
        m->no_leaf[at] = m->leaf[no];
        m->nan_yes[at] = l->nan_yes ? l->nan_yes[i] : 0;
    }
    /* a root is nobody's child; one that is a leaf gets a node in front of it that leads nowhere else */
    for (int i = 0; i < l->nodes; i++) {
        if (m->child[i])
            continue;
        int at = m->leaf[i] ? m->f.nodes++ : m->rank[i];
        if (m->leaf[i]) {
            m->feature[at] = m->nan_yes[at] = 0;
            m->yes[at] = m->no[at] = m->rank[i];
            m->yes_leaf[at] = m->no_leaf[at] = 1;
        }
        m->root[m->f.roots++] = at;
    }
}

static bool make_forest(lm_import *im, const listed *l, made *m)
{
    place *sorted = lm_arena_alloc(&im->e.g->arena, (size_t)l->nodes, sizeof *sorted);
    int64_t *mode = lm_arena_alloc(&im->e.g->arena, (size_t)l->nodes, sizeof *mode);
    *m = (made){.f = {.features = lm_in_shape(im, 0)->dim[1]}};
    if (!sorted || !mode || !make_room(im, l->nodes, m)) {
        lm_import_fail(im, LM_MEMORY, "no room for %d nodes", l->nodes);
        return false;
    }
    for (int i = 0; i < l->nodes; i++)
        sorted[i] = (place){l->tree[i], l->id[i], i};
    qsort(sorted, (size_t)l->nodes, sizeof *sorted, by_id);
    for (int i = 1; i < l->nodes; i++)
        if (by_id(&sorted[i - 1], &sorted[i]) == 0)
            lm_import_fail(im, LM_INPUT, "tree %lld has two nodes %lld", (long long)sorted[i].tree,
                           (long long)sorted[i].id);
    rank_nodes(im, l, m, mode);
    int inner = m->f.nodes;
    link_nodes(im, l, m, sorted);
    if (im->e.status == LM_OK && (m->f.roots < 1 || m->f.leaves < 1 || m->f.features < 1))
        lm_import_fail(im, LM_INPUT, "a forest without roots, leaves or features");
    if (im->e.status != LM_OK)
        return false;
    const lm_shape nodes = LM_SHAPE(m->f.nodes);
    const lm_view *split = lm_graph_value(im->e.g, l->split)->constant;
    if (!lm_import_table(im, LM_I64, &nodes, &m->mode))
        return false;
    if (!lm_import_table(im, split->dt, &nodes, &m->split)) {
        lm_buffer_unref(m->mode.buf);
        return false;
    }
    for (int i = 0; i < l->nodes; i++)
        if (!m->leaf[i]) {
            lm_view_set(&m->mode, m->rank[i], (double)mode[i]);
            lm_view_set(&m->split, m->rank[i], lm_view_get(split, i));
            m->f.modes |= 1u << mode[i];
        }
    for (int i = inner; i < m->f.nodes; i++) {
        lm_view_set(&m->mode, i, LM_FOREST_LEQ);
        lm_view_set(&m->split, i, 0);
        m->f.modes |= 1u << LM_FOREST_LEQ;
    }
    m->f.feature = m->feature;
    m->f.yes = m->yes;
    m->f.no = m->no;
    m->f.yes_leaf = m->yes_leaf;
    m->f.no_leaf = m->no_leaf;
    m->f.root = m->root;
    m->f.nan_yes = l->nan_yes ? m->nan_yes : NULL;
    m->f.mode = &m->mode;
    m->f.split = &m->split;
    return true;
}

enum { AVERAGE, SUM, LEAST, MOST };

/* What the leaves [rows,roots] that were reached give each target: [rows,targets]. */
static lm_val gather_weights(lm_import *im, const listed *l, const made *m, lm_val leaf, int64_t targets, int how,
                             const place *sorted, lm_dtype dt)
{
    static const lm_opid with[] = {LM_OP_REDUCE_SUM, LM_OP_REDUCE_SUM, LM_OP_REDUCE_MIN, LM_OP_REDUCE_MAX};
    lm_emit *e = &im->e;
    lm_attrs first = {0};
    const lm_shape shape = LM_SHAPE(m->f.leaves, targets);
    const double none = how == LEAST ? INFINITY : how == MOST ? -INFINITY : 0;
    lm_view t;
    if (!lm_import_table(im, dt, &shape, &t))
        return LM_NOVAL;
    for (int64_t i = 0; i < m->f.leaves * targets; i++)
        lm_view_set(&t, i, none);
    const lm_view *weight = lm_graph_value(e->g, l->weight)->constant;
    for (int i = 0; i < l->weights && e->status == LM_OK; i++) {
        int node = find(im, sorted, l->nodes, l->weight_tree[i], l->weight_node[i]);
        int64_t target = l->weight_target[i];
        if (e->status == LM_OK && (target < 0 || target >= targets))
            lm_import_fail(im, LM_INPUT, "a weight for target %lld of %lld", (long long)target, (long long)targets);
        if (e->status != LM_OK || !m->leaf[node])
            continue; /* what stands at inner nodes is never reached */
        int64_t at = m->rank[node] * targets + target;
        double old = lm_view_get(&t, at), w = lm_view_get(weight, i);
        lm_view_set(&t, at, how > SUM ? w : old + w);
    }
    lm_val each = lm_emit1(e, LM_OP_GATHER, &first, lm_constant(im, t), leaf);
    lm_val y = lm_emit_reduce(e, with[how], each, 1u << 1, false);
    if (how == AVERAGE)
        return lm_emit_scalar(e, LM_OP_DIV, y, m->f.roots);
    if (how == SUM)
        return y;
    return lm_emit1(e, LM_OP_WHERE, NULL, lm_emit_scalar(e, LM_OP_EQUAL, y, none), lm_emit_const(e, dt, 0), y);
}

/* Scores [rows,targets] before anything is done to them, without base values. */
static lm_val scores_of(lm_import *im, const listed *l, int64_t targets, int how)
{
    made m;
    if (targets < 1 || targets > 1 << 20)
        lm_import_fail(im, LM_INPUT, "%lld targets", (long long)targets);
    if (im->e.status != LM_OK || !make_forest(im, l, &m))
        return LM_NOVAL;
    place *sorted = lm_arena_alloc(&im->e.g->arena, (size_t)l->nodes, sizeof *sorted);
    lm_dtype dt = lm_in_type(im, 0)->dt == LM_F64 ? LM_F64 : LM_F32;
    lm_val leaf = lm_forest_walk(im, &m.f, lm_emit_cast(&im->e, lm_in(im, 0), dt)), y = LM_NOVAL;
    if (!sorted)
        lm_import_fail(im, LM_MEMORY, "no room for %d nodes", l->nodes);
    for (int i = 0; sorted && i < l->nodes; i++)
        sorted[i] = (place){l->tree[i], l->id[i], i};
    if (sorted) {
        qsort(sorted, (size_t)l->nodes, sizeof *sorted, by_id);
        y = gather_weights(im, l, &m, leaf, targets, how, sorted, dt);
    }
    lm_buffer_unref(m.mode.buf);
    lm_buffer_unref(m.split.buf);
    return lm_emit_cast(&im->e, y, LM_F32);
}

static bool input_is_matrix(lm_import *im)
{
    return lm_import_ranked(im, 0, 2, 2);
}

void lm_import_treeregressor(lm_import *im)
{
    static const char *const words[] = {"AVERAGE", "SUM", "MIN", "MAX", NULL};
    lm_after after = lm_import_after(im);
    int how = lm_attr_choice(im, "aggregate_function", SUM, words);
    int64_t targets = lm_attr_int(im, "n_targets", 1);
    listed l;
    if (!input_is_matrix(im) || !read_listed(im, "target", &l))
        return;
    lm_val y = scores_of(im, &l, targets, how), base = numbers(im, "base_values", -1);
    if (im->e.status == LM_OK && lm_shape_count(lm_emit_shape(&im->e, base)))
        y = lm_emit1(&im->e, LM_OP_ADD, NULL, y, lm_emit_cast(&im->e, base, LM_F32));
    im->y[0] = lm_after_scores(im, y, after);
}

/* All weights are for one class of two, and decide for the second one: above a half where none is below zero, above
 * zero otherwise. If they stand with the first class, and no base value with the second, they make both columns of the
 * scores. The standard is silent here; this is what exporters of boosted trees rely on. */
static void classify_single(lm_import *im, lm_val score, int64_t class_at, lm_val base, int64_t bases, bool positive,
                            lm_after after)
{
    lm_emit *e = &im->e;
    double border = positive ? 0.5 : 0;
    if (bases > class_at && (bases == 2 || class_at == 0))
        score = lm_emit1(e, LM_OP_ADD, NULL, score, lm_emit_slice(e, base, 0, class_at, 1));
    lm_classify_two(im, score, border, positive, after);
    if (e->status != LM_OK || im->ny < 2 || (class_at == 0 && bases < 2))
        return;
    lm_val none = lm_emit_scalar(e, LM_OP_MUL, score, 0), both[2] = {class_at ? none : score, class_at ? score : none};
    im->y[1] = lm_after_scores(im, lm_emit_concat(e, 2, both, 1), after);
}

void lm_import_treeclassifier(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_after after = lm_import_after(im);
    int classes = lm_label_count(im);
    listed l;
    if (!input_is_matrix(im) || !read_listed(im, "class", &l))
        return;
    bool single = classes == 2 && l.weights > 0, positive = true;
    for (int i = 0; i < l.weights; i++) {
        single = single && l.weight_target[i] == l.weight_target[0];
        positive = positive && lm_view_get(lm_graph_value(e->g, l.weight)->constant, i) >= 0;
    }
    lm_val y = scores_of(im, &l, classes, SUM), base = numbers(im, "base_values", -1);
    if (e->status != LM_OK)
        return;
    int64_t bases = lm_shape_count(lm_emit_shape(e, base));
    base = lm_emit_cast(e, base, LM_F32);
    if (single) {
        classify_single(im, lm_emit_slice(e, y, 1, l.weight_target[0], 1), l.weight_target[0], base, bases, positive,
                        after);
        return;
    }
    lm_classify(im, bases ? lm_emit1(e, LM_OP_ADD, NULL, y, base) : y, after);
}
