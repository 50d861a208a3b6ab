/* What stands between a model and an answer. */
#include "core/model/check.h"

#include <stdio.h>
#include <string.h>

#include "core/base/str.h"
#include "core/model/import.h"

static lm_status add(lm_problems *p, bool forward, const onnx_node *from, const char *node, const char *op,
                     const char *reason)
{
    lm_problem row = {.forward = forward, .from = from};
    row.node = lm_arena_strdup(&p->arena, node);
    row.op = lm_arena_strdup(&p->arena, op);
    row.reason = lm_arena_strdup(&p->arena, reason);
    return row.node && row.op && row.reason ? lm_vec_push(&p->at, row) : LM_MEMORY;
}

static bool is_function(const onnx_model *o, const onnx_node *n)
{
    for (size_t i = 0; i < o->n_functions; i++)
        if (strcmp(o->functions[i].name, n->op_type) == 0 && strcmp(o->functions[i].domain, n->domain) == 0 &&
            strcmp(o->functions[i].overload, n->overload) == 0)
            return true;
    return false;
}

/* Is it one of the operators that scan_node lists? */
static bool is_listed(const lm_problems *p, const onnx_node *n)
{
    for (size_t i = 0; i < p->at.count; i++)
        if (p->at.at[i].from == n)
            return true;
    return false;
}

static lm_status scan_node(const onnx_model *o, const onnx_opset *opset, size_t opsets, const onnx_node *n,
                           lm_problems *p)
{
    if (is_function(o, n))
        return LM_OK;
    const char *domain = strcmp(n->domain, "ai.onnx") ? n->domain : "";
    int64_t version = domain[0] ? INT64_MAX : 1;
    for (size_t i = 0; i < opsets; i++)
        if (strcmp(strcmp(opset[i].domain, "ai.onnx") ? opset[i].domain : "", domain) == 0)
            version = opset[i].version;
    if (lm_onnx_find(domain, n->op_type, version))
        return LM_OK;
    char op[160], reason[256];
    snprintf(op, sizeof op, "%s%s%s", domain, domain[0] ? "." : "", n->op_type);
    if (lm_onnx_find(domain, n->op_type, INT64_MAX))
        snprintf(reason, sizeof reason, "version %lld is older than any Limn knows; convert the model to a newer opset",
                 (long long)version);
    else
        snprintf(reason, sizeof reason, "Limn has no such operator");
    return add(p, true, n, n->name, op, reason);
}

static lm_status scan(const onnx_model *o, const onnx_opset *opset, size_t opsets, const onnx_node *nodes, size_t n,
                      lm_problems *p)
{
    for (size_t i = 0; i < n; i++) {
        LM_TRY(scan_node(o, opset, opsets, &nodes[i], p));
        for (size_t a = 0; a < nodes[i].n_attrs; a++) {
            const onnx_attr *attr = &nodes[i].attrs[a];
            for (size_t g = 0; g < attr->n_graphs; g++)
                LM_TRY(scan(o, opset, opsets, attr->graphs[g].nodes, attr->graphs[g].n_nodes, p));
            if (attr->g)
                LM_TRY(scan(o, opset, opsets, attr->g->nodes, attr->g->n_nodes, p));
        }
    }
    return LM_OK;
}

static bool is_float(const lm_graph *g, lm_val v)
{
    return lm_dtype_is_float(lm_graph_value(g, v)->type.dt);
}

/* By value: what is marked goes into it. */
static void follow(const lm_graph *g, bool *from)
{
    for (size_t i = 0; from && i < g->nodes.count; i++) {
        const lm_node *n = g->nodes.at[i];
        bool any = false;
        for (int k = 0; k < n->nx; k++)
            any |= from[n->x[k]];
        for (int k = 0; k < n->ny; k++)
            from[n->y[k]] |= any;
    }
}

/* By value: some input of the graph, or some input of floats, goes into it. */
static bool *varies(const lm_graph *g, bool floats)
{
    bool *from = lm_calloc(g->values.count, sizeof *from);
    for (size_t i = 0; from && i < g->inputs.count; i++)
        from[g->inputs.at[i]] = !floats || is_float(g, g->inputs.at[i]);
    follow(g, from);
    return from;
}

/* Rows looked up in a table by what is fed: for tokens this is where explanations end. The leaves of trees are such
 * rows, too, but floats say which. */
static bool embeds(const lm_graph *g, const lm_node *n, const bool *from_floats)
{
    return n->op == LM_OP_GATHER && lm_graph_value(g, n->x[0])->constant && is_float(g, n->x[0]) &&
           !is_float(g, n->x[1]) && !from_floats[n->x[1]];
}

bool *lm_gradient_reach(const lm_graph *g)
{
    bool *reach = lm_calloc(g->values.count, sizeof *reach), *from = varies(g, false);
    for (size_t i = 0; reach && from && i < g->outputs.count; i++)
        reach[g->outputs.at[i]] = from[g->outputs.at[i]] && is_float(g, g->outputs.at[i]);
    for (size_t i = g->nodes.count; reach && from && i-- > 0;) {
        const lm_node *n = g->nodes.at[i];
        bool any = false;
        for (int k = 0; k < n->ny; k++)
            any |= reach[n->y[k]];
        any = any && (lm_ops[n->op].grad == LM_GRAD_SMOOTH || lm_ops[n->op].grad == LM_GRAD_PIECE);
        for (int k = 0; any && k < n->nx; k++)
            reach[n->x[k]] |= from[n->x[k]] && is_float(g, n->x[k]);
    }
    lm_free(from);
    if (reach && from)
        return reach;
    lm_free(reach);
    return NULL;
}

/* A node that stops the gradient, by the operator of the file that it was made for: the first whose results hang on
 * the node's. */
static lm_status add_stop(const lm_built *b, const lm_node *n, lm_problems *p)
{
    const onnx_node *of = NULL;
    bool *behind = lm_calloc(b->graph->values.count, sizeof *behind);
    if (!behind)
        return LM_MEMORY;
    behind[n->y[0]] = true;
    follow(b->graph, behind);
    for (size_t i = 0; i < b->layers.count && !of; i++)
        for (int k = 0; k < b->layers.at[i].ny; k++)
            of = behind[b->layers.at[i].y[k]] ? b->layers.at[i].node : of;
    lm_free(behind);
    if (of && is_listed(p, of))
        return LM_OK;
    const char *name = !of ? "" : *of->name || !of->n_outputs ? of->name : of->outputs[0];
    return add(p, false, of, name, of ? of->op_type : lm_ops[n->op].name,
               lm_ops[n->op].grad == LM_GRAD_OPAQUE ? "it has no gradient" : "its gradient is zero everywhere");
}

/* If no gradient arrives at any float input or embedding, every op that stops one is named; a stopped side branch is no
 * problem. */
static lm_status check_gradient(const lm_built *b, lm_problems *p)
{
    const lm_graph *g = b->graph;
    bool *reach = lm_gradient_reach(g), *from = varies(g, true);
    lm_status status = reach && from ? LM_OK : LM_MEMORY;
    bool arrives = false;
    for (size_t i = 0; status == LM_OK && i < g->inputs.count; i++)
        arrives |= reach[g->inputs.at[i]];
    for (size_t i = 0; status == LM_OK && i < g->nodes.count; i++)
        arrives |= embeds(g, g->nodes.at[i], from) && reach[g->nodes.at[i]->y[0]];
    lm_free(from);
    from = status == LM_OK ? varies(g, false) : NULL;
    status = status == LM_OK && !from ? LM_MEMORY : status;
    for (size_t i = 0; status == LM_OK && !arrives && i < g->nodes.count; i++) {
        const lm_node *n = g->nodes.at[i];
        bool fed = false, stops = lm_ops[n->op].grad == LM_GRAD_ZERO || lm_ops[n->op].grad == LM_GRAD_OPAQUE;
        for (int k = 0; k < n->nx; k++)
            fed |= from[n->x[k]] && is_float(g, n->x[k]);
        if (fed && stops)
            status = add_stop(b, n, p);
    }
    if (status == LM_OK && !arrives && p->at.count == 0)
        status = add(p, false, NULL, "", "", "no output depends on a float input or an embedding of tokens");
    lm_free(reach);
    lm_free(from);
    return status;
}

/* "depends on what inputs 'starts' and 'ends' hold; with zeros: the step on axis 0 is 0" */
static lm_status add_remark(lm_model *m, const lm_fault *fault, const char *op, lm_problems *p)
{
    int n, shown = 0;
    const lm_port *port = lm_model_inputs(m, &n);
    const bool several = fault->by_value & (fault->by_value - 1);
    lm_str text = {0};
    lm_str_printf(&text, "depends on what input%s", several ? "s" : "");
    for (int i = 0; i < n && i < 63; i++)
        if (fault->by_value >> i & 1)
            lm_str_printf(&text, "%s '%s'", shown++ ? " and" : "", port[i].name);
    lm_str_printf(&text, " hold%s; with zeros: %s", several ? "" : "s", fault->reason);
    lm_status status = text.status;
    if (status == LM_OK)
        status = add(p, false, fault->node, fault->node->name, op, text.text);
    if (status == LM_OK)
        p->at.at[p->at.count - 1].depends = true;
    lm_str_free(&text);
    return status;
}

/* Everything that fails, at the size at which least does. `why`: what is wrong where no operator is to blame. */
static lm_status add_faults(lm_model *m, const lm_chain *fold, const char *why, lm_problems *p)
{
    lm_survey *s;
    int64_t size;
    size_t n = 0;
    LM_TRY(lm_model_survey_sizes(m, fold, &size, &s));
    const lm_fault *fault = s ? lm_survey_faults(s, &n) : NULL;
    lm_status status = LM_OK;
    for (size_t i = 0; i < n && status == LM_OK; i++) {
        const onnx_node *node = fault[i].node;
        bool plain = !node->domain[0] || strcmp(node->domain, "ai.onnx") == 0;
        char op[160];
        snprintf(op, sizeof op, "%s%s%s", plain ? "" : node->domain, plain ? "" : ".", node->op_type);
        if (is_listed(p, node))
            continue;
        status = fault[i].by_value ? add_remark(m, &fault[i], op, p)
                                   : add(p, true, node, node->name, op, fault[i].reason);
    }
    lm_survey_close(s);
    return status == LM_OK && !p->at.count ? add(p, true, NULL, "", "", why) : status;
}

static lm_status check_build(lm_model *m, const lm_chain *fold, lm_problems *p)
{
    int n;
    char why[1024];
    lm_model_inputs(m, &n);
    lm_feed *feed = lm_calloc((size_t)n, sizeof *feed);
    if (!feed)
        return LM_MEMORY;
    lm_built *b = NULL;
    lm_status status = p->at.count ? LM_UNSUPPORTED : lm_model_guess(m, fold, feed, &b);
    snprintf(why, sizeof why, "%s", lm_message());
    if (status == LM_OK)
        status = check_gradient(b, p);
    else if (status != LM_MEMORY)
        status = add_faults(m, fold, why, p);
    if (b)
        lm_feeds_free(feed, n);
    lm_built_free(b);
    lm_free(feed);
    return status;
}

static lm_status check_all(lm_model *m, const lm_chain *fold, lm_problems *p)
{
    const onnx_model *o = lm_model_onnx(m);
    LM_TRY(scan(o, o->opsets, o->n_opsets, o->graph->nodes, o->graph->n_nodes, p));
    for (size_t i = 0; i < o->n_functions; i++) {
        const onnx_function *f = &o->functions[i];
        LM_TRY(scan(o, f->n_opsets ? f->opsets : o->opsets, f->n_opsets ? f->n_opsets : o->n_opsets, f->nodes,
                    f->n_nodes, p));
    }
    return check_build(m, fold, p);
}

lm_status lm_model_check(lm_model *m, const lm_chain *fold, lm_problems *out)
{
    lm_problems p = {0};
    lm_status status = check_all(m, fold, &p);
    if (status == LM_OK)
        *out = p;
    else
        lm_problems_free(&p);
    return status;
}

void lm_problems_free(lm_problems *p)
{
    lm_vec_free(&p->at);
    lm_arena_free(&p->arena);
}
