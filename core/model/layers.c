/* Which operators of a built model matter, and which module of its framework each belongs to. */
#include "core/model/layers.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/base/str.h"

/* Does every result of the node reach an output? By value. */
static bool *reach_back(const lm_graph *g)
{
    bool *live = lm_calloc(g->values.count, sizeof *live);
    for (size_t i = 0; live && i < g->outputs.count; i++)
        live[g->outputs.at[i]] = true;
    for (size_t i = g->nodes.count; live && i-- > 0;) {
        const lm_node *n = g->nodes.at[i];
        bool any = false;
        for (int k = 0; k < n->ny; k++)
            any |= live[n->y[k]];
        for (int k = 0; any && k < n->nx; k++)
            live[n->x[k]] = true;
    }
    return live;
}

/* "['', 'm', 'm.bert', 'm.bert.embeddings', 'embedding']": the last scope but one, which is the module. */
static const char *module_of_scopes(lm_arena *arena, const char *list)
{
    const char *last = NULL, *module = NULL;
    size_t last_bytes = 0, bytes = 0;
    for (const char *at = list; (at = strpbrk(at, "'\""));) {
        const char *end = strchr(at + 1, *at);
        if (!end)
            break;
        module = last;
        bytes = last_bytes;
        last = at + 1;
        last_bytes = (size_t)(end - last);
        at = end + 1;
    }
    char *text = lm_arena_alloc(arena, bytes + 1, 1);
    if (text && module)
        memcpy(text, module, bytes);
    return text;
}

/* "/layer4/layer4.1/conv2/Conv" to "layer4.1.conv2": the operator goes, and a part that repeats its parent's path
 * replaces it. "" for names without scopes. */
static const char *module_of_name(lm_arena *arena, const char *name)
{
    char *path = lm_arena_alloc(arena, strlen(name) + 1, 1);
    if (!path)
        return NULL;
    const char *part = name + (name[0] == '/'), *parent = "";
    size_t parent_bytes = 0, count = 0;
    for (const char *end; (end = strchr(part, '/')); part = end + 1) {
        size_t bytes = (size_t)(end - part);
        bool repeats = parent_bytes && bytes > parent_bytes && part[parent_bytes] == '.' &&
                       strncmp(part, parent, parent_bytes) == 0;
        if (repeats)
            count -= parent_bytes;
        else if (count)
            path[count++] = '.';
        memcpy(path + count, part, bytes);
        count += bytes;
        parent = part;
        parent_bytes = bytes;
    }
    path[count] = 0;
    return path;
}

/* The same for an operator inside a function, branch or loop, from its path and name: "blk1" and "sg" to "blk1.sg",
 * "loop[2]" and "Add" to "loop.2.Add", "blk1" and "a/b/Conv" to "blk1.a.b". */
static const char *module_of_inner(lm_arena *arena, const lm_layer *layer)
{
    const char *name = layer->node->name;
    if (!layer->path[0] || name[0] == '/') /* exporters that write a slash in front write whole paths */
        return module_of_name(arena, name);
    size_t bytes = strlen(layer->path) + strlen(name) + 3;
    char *full = lm_arena_alloc(arena, bytes, 1), *to = full;
    if (!full)
        return NULL;
    for (const char *at = layer->path; *at; at++)
        if (*at != ']')
            *to++ = *at == '[' ? '/' : *at;
    snprintf(to, bytes - (size_t)(to - full), "/%s%s", name, name[0] && !strchr(name, '/') ? "/" : "");
    return module_of_name(arena, full);
}

/* "layer4.1.conv2.weight" to "layer4.1.conv2"; "" for names that an exporter made up. */
static const char *module_of_weight(lm_arena *arena, const char *weight)
{
    const char *dot = strrchr(weight, '.');
    size_t bytes = dot && !strstr(weight, "::") ? (size_t)(dot - weight) : 0;
    char *text = lm_arena_alloc(arena, bytes + 1, 1);
    if (text)
        memcpy(text, weight, bytes);
    return text;
}

static const char *metadata(const onnx_node *n, const char *key)
{
    for (size_t i = 0; i < n->n_metadata; i++)
        if (strcmp(n->metadata[i].key, key) == 0)
            return n->metadata[i].value;
    return NULL;
}

/* The value that an operator reads under this name: made beside it, or outside. */
static lm_val operand(const lm_built *b, const lm_layer *l, const char *name)
{
    lm_str full = {0};
    const lm_cell *cell = NULL;
    if (l->path[0] && lm_str_printf(&full, "%s/%s", l->path, name) == LM_OK)
        cell = lm_map_gets(&b->values, full.text);
    lm_str_free(&full);
    if (!cell && name[0])
        cell = lm_map_gets(&b->values, name);
    return cell ? (lm_val)cell->num : LM_NOVAL;
}

/* Which values are weights not counted yet. */
static bool *mark_weights(const lm_built *b)
{
    bool *fresh = lm_calloc(b->graph->values.count, sizeof *fresh);
    for (size_t i = 0; fresh && i < b->weights.count; i++)
        fresh[b->weights.at[i]] = true;
    return fresh;
}

/* What is known by value while the rows are made, in order of execution. */
typedef struct notes {
    bool *live;  /* reaches an output */
    bool *fresh; /* a weight that was not counted yet */
    int *owner;  /* the last row that has it as a result, ~i for input i, NOBODY */
    int64_t *held; /* weights behind a value whose operator is no row: folded away, or merged with another */
    int *seen;   /* the last row for which read_from looked at it, plus one */
} notes;

enum { NOBODY = INT_MAX };

static void forget(notes *t)
{
    lm_free(t->live);
    lm_free(t->fresh);
    lm_free(t->owner);
    lm_free(t->held);
    lm_free(t->seen);
}

static lm_status take_notes(const lm_built *b, notes *t)
{
    size_t n = b->graph->values.count;
    *t = (notes){reach_back(b->graph), mark_weights(b), lm_malloc(n, sizeof *t->owner), lm_calloc(n, sizeof *t->held),
                 lm_calloc(n, sizeof *t->seen)};
    if (!t->live || !t->fresh || !t->owner || !t->held || !t->seen) {
        forget(t);
        return LM_MEMORY;
    }
    for (size_t i = 0; i < n; i++)
        t->owner[i] = NOBODY;
    for (size_t i = 0; i < b->graph->inputs.count; i++)
        t->owner[b->graph->inputs.at[i]] = ~(int)i;
    return LM_OK;
}

/* Its first result that matters; -1: it has none. */
static int first_result(const lm_graph *g, const lm_layer *layer, const bool *live)
{
    for (int k = 0; k < layer->ny; k++)
        if (layer->y[k] != LM_NOVAL && live[layer->y[k]] && !lm_graph_value(g, layer->y[k])->constant)
            return k;
    return -1;
}

/* Note whose result x is. What no row makes comes from operators that were merged with others: then those before
 * them. */
static lm_status read_from(const lm_graph *g, notes *t, lm_val x, int row, lm_layer_row *to, lm_arena *arena)
{
    if (x == LM_NOVAL || t->seen[x] == row + 1)
        return LM_OK;
    t->seen[x] = row + 1;
    const lm_node *made = lm_graph_value(g, x)->producer;
    for (int i = 0; t->owner[x] == NOBODY && made && i < made->nx; i++)
        LM_TRY(read_from(g, t, made->x[i], row, to, arena));
    if (t->owner[x] == NOBODY)
        return LM_OK;
    for (int i = 0; i < to->n_from; i++)
        if (to->from[i] == t->owner[x])
            return LM_OK;
    if ((to->n_from & (to->n_from - 1)) == 0) { /* room for the next power of two */
        int *more = lm_arena_alloc(arena, to->n_from ? (size_t)to->n_from * 2 : 1, sizeof *more);
        if (!more)
            return LM_MEMORY;
        if (to->n_from)
            memcpy(more, to->from, (size_t)to->n_from * sizeof *more);
        to->from = more;
    }
    to->from[to->n_from++] = t->owner[x];
    return LM_OK;
}

static const char *full_name(lm_arena *arena, const lm_layer *layer, int result)
{
    const char *name = (size_t)result < layer->node->n_outputs ? layer->node->outputs[result] : "";
    size_t bytes = strlen(layer->path) + strlen(name) + 2;
    char *text = lm_arena_alloc(arena, bytes, 1);
    if (text)
        snprintf(text, bytes, "%s%s%s", layer->path, layer->path[0] ? "/" : "", name);
    return text;
}

/* The elements of weights that come with this operand and that nobody counted yet. */
static int64_t take_weights(const lm_graph *g, lm_val x, notes *t)
{
    const lm_type *type = &lm_graph_value(g, x)->type;
    int64_t n = t->held[x];
    if (t->fresh[x] && lm_dtype_is_float(type->dt))
        n += lm_shape_count(&type->sh);
    t->fresh[x] = false;
    t->held[x] = 0;
    return n;
}

/* An operator that is no row leaves its weights to whoever reads its result. */
static void pass_weights_on(const lm_layers *l, const lm_layer *layer, notes *t)
{
    int64_t n = 0;
    lm_val y = LM_NOVAL;
    for (int k = 0; k < layer->ny && y == LM_NOVAL; k++)
        y = layer->y[k];
    for (size_t i = 0; y != LM_NOVAL && i < layer->node->n_inputs; i++) {
        lm_val x = operand(l->built, layer, layer->node->inputs[i]);
        n += x == LM_NOVAL ? 0 : take_weights(l->built->graph, x, t);
    }
    t->held[y] += n;
}

static lm_status describe(lm_layers *l, const lm_layer *layer, int result, notes *t, lm_layer_row *row)
{
    const lm_graph *g = l->built->graph;
    const onnx_node *n = layer->node;
    const char *weight = "";
    row->layer = layer;
    row->out = layer->y[result];
    row->value = full_name(&l->arena, layer, result);
    if (!row->value)
        return LM_MEMORY;
    for (size_t i = 0; i < n->n_inputs; i++) {
        lm_val x = operand(l->built, layer, n->inputs[i]);
        if (x == LM_NOVAL)
            continue;
        const lm_value *v = lm_graph_value(g, x);
        LM_TRY(read_from(g, t, x, (int)l->rows.count, row, &l->arena));
        if (!v->constant && row->in == LM_NOVAL)
            row->in = x;
        if (t->fresh[x] && !weight[0] && lm_dtype_is_float(v->type.dt))
            weight = n->inputs[i];
        row->parameters += take_weights(g, x, t);
    }
    const char *scopes = metadata(n, "pkg.torch.onnx.name_scopes");
    row->module = scopes ? module_of_scopes(&l->arena, scopes) : module_of_inner(&l->arena, layer);
    const char *carried = module_of_weight(&l->arena, weight);
    if (!row->module || !carried)
        return LM_MEMORY;
    if (!row->module[0])
        row->module = carried;
    row->alias = strcmp(carried, row->module) ? carried : "";
    return LM_OK;
}

/* The output that explanations start from unless another is named. */
static lm_val main_output(const lm_graph *g)
{
    for (size_t i = 0; i < g->outputs.count; i++)
        if (lm_dtype_is_float(lm_graph_value(g, g->outputs.at[i])->type.dt))
            return g->outputs.at[i];
    return g->outputs.at[0];
}

/* Floats, and numbers of tokens that are looked up; a mask of tokens is neither. */
static bool is_content(const lm_graph *g, lm_val v, int depth)
{
    bool content = lm_dtype_is_float(lm_graph_value(g, v)->type.dt);
    for (const lm_use *u = lm_graph_value(g, v)->use; u && depth && !content; u = u->next) {
        const lm_opid op = u->node->op;
        content = op == LM_OP_GATHER && u->input == 1 &&
                  lm_dtype_is_float(lm_graph_value(g, u->node->y[0])->type.dt);
        if (op == LM_OP_IDENTITY || op == LM_OP_RESHAPE ||
            (op == LM_OP_CAST && lm_dtype_is_int(lm_graph_value(g, u->node->y[0])->type.dt)))
            content = is_content(g, u->node->y[0], depth - 1);
    }
    return content;
}

/* By value: does it hang on an input with content, or, where none has any, on an input? What is computed from constants
 * alone need not be a constant yet. NULL when memory is short. */
static bool *reach_on(const lm_graph *g)
{
    enum { DEPTH = 8 };
    bool *fed = lm_calloc(g->values.count, sizeof *fed), any_content = false;
    for (size_t i = 0; fed && i < g->inputs.count; i++)
        any_content |= fed[g->inputs.at[i]] = is_content(g, g->inputs.at[i], DEPTH);
    for (size_t i = 0; fed && !any_content && i < g->inputs.count; i++)
        fed[g->inputs.at[i]] = true;
    for (size_t i = 0; fed && i < g->nodes.count; i++) {
        const lm_node *n = g->nodes.at[i];
        bool any = false;
        for (int k = 0; k < n->nx; k++)
            any |= fed[n->x[k]];
        for (int k = 0; k < n->ny; k++)
            fed[n->y[k]] = any;
    }
    return fed;
}

/* Walk back from the main output with the set of values still to be explained: when it is one value, all passes
 * there. */
static lm_status find_narrow(lm_layers *l, const bool *live)
{
    const lm_graph *g = l->built->graph;
    if (!g->outputs.count)
        return LM_OK;
    bool *open = lm_calloc(g->values.count, sizeof *open), *fed = reach_on(g);
    if (!open || !fed) {
        lm_free(fed);
        lm_free(open);
        return LM_MEMORY;
    }
    lm_val last = main_output(g);
    size_t width = 1;
    open[last] = true;
    lm_status status = LM_OK;
    for (size_t i = g->nodes.count; i-- > 0 && status == LM_OK;) {
        const lm_node *n = g->nodes.at[i];
        bool wanted = false;
        for (int k = 0; k < n->ny; k++)
            if (open[n->y[k]] && live[n->y[k]]) {
                if (width == 1)
                    status = lm_vec_push(&l->narrow, n->y[k]);
                open[n->y[k]] = false;
                width--;
                wanted = true;
            }
        for (int k = 0; wanted && k < n->nx; k++)
            if (fed[n->x[k]] && !open[n->x[k]]) {
                open[n->x[k]] = true;
                width++;
            }
    }
    for (size_t i = 0, n = l->narrow.count; i < n / 2; i++) {
        lm_val v = l->narrow.at[i];
        l->narrow.at[i] = l->narrow.at[n - 1 - i];
        l->narrow.at[n - 1 - i] = v;
    }
    lm_free(fed);
    lm_free(open);
    return status;
}

lm_status lm_layers_list(const lm_built *b, lm_layers *out)
{
    lm_layers l = {.built = b};
    notes t;
    LM_TRY(take_notes(b, &t));
    lm_status status = LM_OK;
    for (size_t i = 0; i < b->layers.count && status == LM_OK; i++) {
        const lm_layer *layer = &b->layers.at[i];
        lm_layer_row row = {0};
        int result = first_result(b->graph, layer, t.live);
        if (result < 0) {
            pass_weights_on(&l, layer, &t);
            continue;
        }
        status = describe(&l, layer, result, &t, &row);
        for (int k = 0; k < layer->ny && status == LM_OK; k++)
            if (layer->y[k] != LM_NOVAL)
                t.owner[layer->y[k]] = (int)l.rows.count;
        if (status == LM_OK)
            status = lm_vec_push(&l.rows, row);
    }
    if (status == LM_OK)
        status = find_narrow(&l, t.live);
    forget(&t);
    if (status == LM_OK)
        *out = l;
    else
        lm_layers_free(&l);
    return status;
}

void lm_layers_free(lm_layers *l)
{
    lm_vec_free(&l->rows);
    lm_vec_free(&l->narrow);
    lm_arena_free(&l->arena);
}

/* Does the node weigh tokens against each other? */
static bool attends(const lm_graph *g, const lm_node *n)
{
    bool weighs = lm_ops[n->op].cls == LM_CLASS_SOFTMAX || n->op == LM_OP_ATTENTION;
    return weighs && lm_graph_value(g, n->y[0])->type.sh.rank >= 3;
}

/* States of a recurrent network, [steps, directions, samples, units], however they were moved since: no image, though
 * of its rank. */
static bool is_states(const lm_value *v)
{
    const lm_node *n = v->producer;
    return n && (n->op == LM_OP_RNN || n->op == LM_OP_GRU || n->op == LM_OP_LSTM);
}

static bool is_spatial(const lm_graph *g, const lm_value *v)
{
    const lm_type *t = &v->type;
    bool spatial = t->sh.rank >= 4 && lm_dtype_is_float(t->dt);
    for (int k = 2; spatial && k < t->sh.rank; k++)
        spatial = t->sh.dim[k] > 1;
    while (spatial && v->producer && lm_ops[v->producer->op].cls == LM_CLASS_MOVE)
        v = lm_graph_value(g, v->producer->x[0]);
    return spatial && !is_states(v);
}

/* [samples, channels, steps]: what a convolution over one axis makes, however it was pooled, normalised and activated
 * since. Tokens have the same rank, but what makes them changes or moves axes. */
static bool is_signal(const lm_graph *g, const lm_value *v)
{
    const lm_shape *sh = &v->type.sh;
    if (sh->rank != 3 || sh->dim[2] <= 1 || !lm_dtype_is_float(v->type.dt))
        return false;
    while (v->producer && v->type.sh.rank == 3) {
        const lm_node *n = v->producer;
        const lm_reach reach = lm_ops[n->op].reach;
        const bool in_place = reach == LM_REACH_SAME || reach == LM_REACH_WINDOW || n->op == LM_OP_INSTANCENORM ||
                              n->op == LM_OP_GROUPNORM;
        if (n->op == LM_OP_CONV || n->op == LM_OP_CONV_T)
            return true;
        if (!in_place)
            return false;
        const int second = n->nx > 1 && lm_graph_value(g, n->x[0])->type.sh.rank < 3;
        v = lm_graph_value(g, n->x[second]);
    }
    return false;
}

static bool is_tokens(const lm_graph *g, const lm_value *v)
{
    (void)g;
    return v->type.sh.rank == 3 && v->type.sh.dim[1] > 1 && lm_dtype_is_float(v->type.dt);
}

/* The last narrow value of a kind that is made before node `end`. */
static lm_val last_narrow(const lm_layers *l, bool (*fits)(const lm_graph *, const lm_value *), int32_t end)
{
    const lm_graph *g = l->built->graph;
    for (size_t i = l->narrow.count; i-- > 0;) {
        const lm_value *v = lm_graph_value(g, l->narrow.at[i]);
        if (v->producer && v->producer->id < end && fits(g, v))
            return l->narrow.at[i];
    }
    return LM_NOVAL;
}

lm_val lm_layers_suggest(const lm_layers *l)
{
    const lm_graph *g = l->built->graph;
    lm_val image = last_narrow(l, is_spatial, INT32_MAX);
    int32_t first = image == LM_NOVAL ? -1 : lm_graph_value(g, image)->producer->id;
    for (int32_t i = (int32_t)g->nodes.count; i-- > first + 1;)
        if (attends(g, g->nodes.at[i])) {
            lm_val tokens = last_narrow(l, is_tokens, i);
            if (tokens != LM_NOVAL)
                return tokens;
            break;
        }
    return image != LM_NOVAL ? image : last_narrow(l, is_signal, INT32_MAX);
}
