/* Values that are pointed to by port, by layer, or by what they do, and what targets are functions of. All of this
 * looks at the model as it is built for one sample, before any pass. */
#include "core/explain/pass.h"
#include "core/graph/rewrite.h"

typedef struct lookup {
    lm_study *s;
    const lm_built *b;
    const lm_graph *g; /* of `b` */
} lookup;

static lm_status start(lm_study *s, const lm_feed *feed, lookup *out)
{
    study_build *b;
    LM_TRY(lm_study_build(s, feed, 1, &b));
    *out = (lookup){s, b->built, b->built->graph};
    return LM_OK;
}

/* Which input of the model a value is; -1: none. */
static int port_of(const lookup *l, lm_val v)
{
    for (size_t i = 0; i < l->g->inputs.count; i++)
        if (l->g->inputs.at[i] == v)
            return l->b->fed.at[i];
    return -1;
}

/* The graph's input for a port, LM_NOVAL when it is not fed. */
static lm_val input_of(const lookup *l, int port)
{
    for (size_t i = 0; i < l->b->fed.count; i++)
        if (l->b->fed.at[i] == port)
            return l->g->inputs.at[i];
    return LM_NOVAL;
}

/* What the model calls a value: the first of its names. */
static lm_status site_of(const lookup *l, lm_val v, lm_site *out)
{
    size_t at = 0;
    out->port = port_of(l, v);
    if (out->port >= 0)
        return lm_study_port(l->s, out->port, out);
    for (const lm_map_entry *e; (e = lm_map_next(&l->b->values, &at));)
        if (e->value.num == v)
            return lm_study_intern(l->s, e->key, &out->name);
    const lm_node *n = lm_graph_value(l->g, v)->producer;
    return lm_fail(LM_UNSUPPORTED, "a value of node %s (%s) has no name in the model, so it cannot be explained",
                   n && n->name ? n->name : "(unnamed)", n ? lm_ops[n->op].name : "none");
}

static bool has_name(const lookup *l, lm_val v)
{
    size_t at = 0;
    for (const lm_map_entry *e; (e = lm_map_next(&l->b->values, &at));)
        if (e->value.num == v)
            return true;
    return false;
}

lm_status lm_study_port(lm_study *s, int port, lm_site *out)
{
    int n;
    const lm_port *ports = lm_model_inputs(lm_study_model(s), &n);
    LM_REQUIRE(port >= 0 && port < n, LM_USAGE, "the model has no input %d, but %d of them", port, n);
    out->port = port;
    return lm_study_intern(s, ports[port].name, &out->name);
}

lm_status lm_study_layer(lm_study *s, const lm_feed *feed, const char *text, lm_site *out)
{
    lookup l;
    lm_layers layers = {0};
    lm_layer_point point;
    LM_TRY(start(s, feed, &l));
    const lm_cell *value = lm_map_gets(&l.b->values, text);
    if (value && value->num != LM_NOVAL) /* which is what lm_layers_find tries first */
        return lm_context(site_of(&l, (lm_val)value->num, out), "layer '%s'", text);
    LM_TRY(lm_layers_list(l.b, &layers));
    lm_status status = lm_layers_find(&layers, text, &point);
    if (status == LM_OK && point.folded)
        status = lm_model_tell(lm_study_model(s), LM_LOG_WARN, point.why);
    if (status == LM_OK)
        status = lm_context(site_of(&l, point.v, out), "layer '%s'", text);
    lm_layers_free(&layers);
    return status;
}

static bool only_relabels(const lm_node *n)
{
    return n->op == LM_OP_IDENTITY || n->op == LM_OP_RESHAPE || n->op == LM_OP_CAST;
}

/* The first Gather from a constant table of floats whose index is v. */
static const lm_node *find_gather(const lookup *l, lm_val v, int depth)
{
    for (const lm_use *u = lm_graph_value(l->g, v)->use; u && depth; u = u->next) {
        const lm_node *n = u->node;
        const lm_value *table = lm_graph_value(l->g, n->x[0]);
        if (n->op == LM_OP_GATHER && u->input == 1 && table->constant && lm_dtype_is_float(table->type.dt) &&
            has_name(l, n->y[0]))
            return n;
        const lm_node *found = only_relabels(n) ? find_gather(l, n->y[0], depth - 1) : NULL;
        if (found)
            return found;
    }
    return NULL;
}

lm_status lm_study_embedding(lm_study *s, const lm_feed *feed, int port, lm_site *out, int64_t *rows)
{
    enum { DEPTH = 8 };
    lookup l;
    LM_TRY(start(s, feed, &l));
    *out = (lm_site){NULL, -1};
    *rows = 0;
    const lm_val in = input_of(&l, port);
    const lm_node *n = in != LM_NOVAL ? find_gather(&l, in, DEPTH) : NULL;
    if (!n)
        return LM_OK;
    *rows = lm_graph_value(l.g, n->x[0])->type.sh.dim[n->a->index.axis];
    return site_of(&l, n->y[0], out);
}

/* Is v, as it is or renamed, the first operand of a product with another activation? */
static bool weighs(const lookup *l, lm_val v, int depth)
{
    for (const lm_use *u = lm_graph_value(l->g, v)->use; u && depth; u = u->next) {
        const lm_node *n = u->node;
        if (n->op == LM_OP_MATMUL && u->input == 0 && !lm_graph_value(l->g, n->x[1])->constant)
            return true;
        if (only_relabels(n) && weighs(l, n->y[0], depth - 1))
            return true;
    }
    return false;
}

lm_status lm_study_attention(lm_study *s, const lm_feed *feed, lm_site **list, int *n)
{
    enum { DEPTH = 4 };
    lookup l;
    LM_VEC(lm_site) found = {0};
    bool *live;
    LM_TRY(start(s, feed, &l));
    lm_status status = lm_graph_live(l.g, &live);
    if (status != LM_OK)
        return status;
    for (size_t i = 0, whole = 0; i < l.g->nodes.count && status == LM_OK; i++) {
        const lm_node *node = l.g->nodes.at[i];
        if (node->op == LM_OP_ATTENTION && live[node->y[0]]) {
            lm_site inside = {NULL, -1};
            s->open_attention = true;
            status = lm_study_attention_name(s, (int)whole++, &inside.name);
            if (status == LM_OK)
                status = lm_vec_push(&found, inside);
            continue;
        }
        const int rank = lm_graph_value(l.g, node->y[0])->type.sh.rank;
        lm_site site;
        if (node->op != LM_OP_SOFTMAX || rank < 3 || node->a->axis.axis != rank - 1 || !live[node->y[0]] ||
            !weighs(&l, node->y[0], DEPTH) || !has_name(&l, node->y[0]))
            continue;
        status = site_of(&l, node->y[0], &site);
        if (status == LM_OK)
            status = lm_vec_push(&found, site);
    }
    lm_free(live);
    if (status != LM_OK) {
        lm_vec_free(&found);
        return status;
    }
    *list = found.at;
    *n = (int)found.count;
    return LM_OK;
}

/* All operands but `input` are constant, and the op is linear in that one. behind: the first product. */
static bool linear_in(const lookup *l, const lm_use *u, bool behind)
{
    const lm_node *n = u->node;
    for (int i = 0; i < n->nx; i++)
        if (i != u->input && n->x[i] != LM_NOVAL && !lm_graph_value(l->g, n->x[i])->constant)
            return false;
    switch (n->op) {
    case LM_OP_CONV:
    case LM_OP_CONV_T:
        return u->input == 0 && !behind;
    case LM_OP_BATCHNORM:
    case LM_OP_DIV:
        return u->input == 0;
    case LM_OP_MATMUL:
    case LM_OP_GEMM:
        return u->input < 2 && !behind;
    case LM_OP_ADD:
    case LM_OP_SUB:
    case LM_OP_MUL:
        return true;
    case LM_OP_IDENTITY:
    case LM_OP_RESHAPE:
    case LM_OP_TRANSPOSE:
        return !behind; /* images are turned before the first layer; behind it that begins the next one */
    default:
        return false;
    }
}

static bool is_product(const lm_node *n)
{
    return n->op == LM_OP_CONV || n->op == LM_OP_CONV_T || n->op == LM_OP_MATMUL || n->op == LM_OP_GEMM;
}

lm_status lm_study_stem(lm_study *s, const lm_feed *feed, int port, lm_site *out)
{
    lookup l;
    LM_TRY(start(s, feed, &l));
    *out = (lm_site){NULL, -1};
    lm_val v = input_of(&l, port), stem = LM_NOVAL;
    for (bool product = false; v != LM_NOVAL;) {
        const lm_use *u = lm_graph_value(l.g, v)->use;
        if (!u || u->next || !linear_in(&l, u, product))
            break;
        v = u->node->y[0];
        product |= is_product(u->node);
        if (product && has_name(&l, v))
            stem = v;
    }
    return stem == LM_NOVAL ? LM_OK : site_of(&l, stem, out);
}

lm_status lm_study_site_type(lm_study *s, const lm_feed *feed, lm_site site, lm_type *out)
{
    study_build *b;
    lm_val v;
    LM_TRY(lm_study_build(s, feed, 1, &b));
    LM_TRY(lm_study_value(b, site.name, &v));
    *out = lm_graph_value(study_graph(b), v)->type;
    return LM_OK;
}

/* The last op before an output that makes probabilities of numbers, through what only moves or converts them. */
static const lm_node *final_squash(const lm_graph *g, lm_val v)
{
    for (const lm_node *n = lm_graph_value(g, v)->producer; n; n = lm_graph_value(g, n->x[0])->producer) {
        const lm_shape *sh = &lm_graph_value(g, n->y[0])->type.sh;
        if (n->op == LM_OP_SIGMOID)
            return n;
        if (n->op == LM_OP_SOFTMAX || n->op == LM_OP_LOGSOFTMAX)
            return n->a->axis.axis == sh->rank - 1 ? n : NULL;
        if (!only_relabels(n))
            return NULL;
    }
    return NULL;
}

lm_status lm_study_goal_value(const study_build *b, lm_goal_at at, lm_val *out, int *space)
{
    const lm_graph *g = b->built->graph;
    if (at.site.name) {
        *space = LM_SPACE_RAW;
        return lm_study_value(b, at.site.name, out);
    }
    LM_REQUIRE(at.output >= 0 && (size_t)at.output < g->outputs.count, LM_USAGE,
               "the model has no output %d, but %zu of them", at.output, g->outputs.count);
    const lm_val y = g->outputs.at[at.output];
    const lm_node *squash = final_squash(g, y);
    *out = study_mapped(b, squash && !at.after ? squash->x[0] : y);
    *space = !squash ? LM_SPACE_RAW : !at.after ? LM_SPACE_LOGIT :
             squash->op == LM_OP_LOGSOFTMAX ? LM_SPACE_RAW : LM_SPACE_PROBABILITY;
    return LM_OK;
}

lm_status lm_study_goal(lm_study *s, const lm_feed *feed, lm_goal_at at, lm_type *out, int *space)
{
    study_build *b;
    lm_val v;
    LM_TRY(lm_study_build(s, feed, 1, &b));
    LM_TRY(lm_study_goal_value(b, at, &v, space));
    *out = lm_graph_value(study_graph(b), v)->type;
    return LM_OK;
}
